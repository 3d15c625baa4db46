"""What is imported by whom, and how long the command takes to say what it can do."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from ._measure import Measured, compare, timed

LIMIT = 6.0
ROUNDS = 25

# What costs the most, or holds an SDK's whole world. Whether a command line may import it stands beside it.
_LIBRARY = {"pydantic": False, "pydantic_settings": False, "hvac": False, "requests": False, "click": False}
_COMMAND = _LIBRARY | {"click": True}

_TELL = "import atexit, json, sys; atexit.register(lambda: sys.stderr.write(json.dumps(sorted(sys.modules)))); "
_HELP = "sys.argv = ['confguard', '--help']; from confguard.cli import main; main()"


def imports() -> Measured:
    bare = _modules("")
    library, command = (_modules(code) - bare for code in ("import confguard", _HELP))
    python, script = [sys.executable, "-c", "pass"], [str(Path(sys.executable).with_name("confguard")), "--help"]
    with TemporaryDirectory() as bytecode:
        environment = _environment(bytecode)
        _run(script, environment)
        found = compare(timed(partial(_run, python, environment)), timed(partial(_run, script, environment)), ROUNDS)
    details = {"import confguard": _told(library), "confguard --help": _told(command), **found.details}
    faults = (*_faults("import confguard", library, _LIBRARY), *_faults("confguard --help", command, _COMMAND))
    return Measured("import", found.ratio, LIMIT, found.a_a_ratio, found.n, details, faults)


def _modules(code: str) -> set[str]:
    """The names of all modules that are there when a new interpreter has run some code."""
    done = subprocess.run([sys.executable, "-c", _TELL + code], check=True, capture_output=True, text=True)
    return set(json.loads(done.stderr))


def _told(modules: set[str]) -> dict[str, object]:
    return {"modules": len(modules), **{name: name in modules for name in _LIBRARY}}


def _faults(what: str, modules: set[str], allowed: dict[str, bool]) -> list[str]:
    return [f"{what} imports {name}" for name, may in allowed.items() if name in modules and not may]


def _environment(bytecode: str) -> dict[str, str]:
    """One in which the first run leaves the bytecode for all others, as an installation does.

    Where it is kept from being written, as it often is in containers and CI, each run would compile all modules anew.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": bytecode}


def _run(command: list[str], environment: dict[str, str]) -> None:
    nothing = subprocess.DEVNULL
    subprocess.run(command, check=True, env=environment, stdin=nothing, stdout=nothing, stderr=nothing)
