"""The command: run as its users run it, in a process of its own, in a directory that holds a service's settings."""

import json
import os
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from confguard import __version__
from tests.command import on_terminal, run

SETTINGS = """
import os
from typing import Annotated
from pydantic import SecretStr, model_validator
from confguard import BaseSettings, From, SettingsConfigDict
from confguard.provider import Failure

class Store:
    schemes = frozenset({"store"})
    def fetch(self, refs, *, deadline):
        if "hang" in str(refs):
            import threading
            print("fetching", flush=True)
            threading.Event().wait(60)
        return {ref: Failure(ref.path, f"store {ref.path}: no") for ref in refs}

class AppSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="MYSERVICE_")
    port: int
    debug: bool = False

class Bound(BaseSettings):
    model_config = SettingsConfigDict(providers=[Store()])
    key: Annotated[SecretStr, From(os.environ.get("REFERENCE", "store://denied#/key"))]

class Vault(BaseSettings):
    a: Annotated[SecretStr, From("vault://secret/app#/a")]
    b: Annotated[SecretStr, From("vault://secret/app#/b")]
    c: Annotated[SecretStr, From("openbao://secret/other?version=3")]

class Wrong(BaseSettings):
    a: Annotated[SecretStr, From("secret/app")]
    b: Annotated[SecretStr, From("valt://secret/app")]

class Outer:
    Inner = AppSettings

class Plain:
    pass
"""


@pytest.fixture(autouse=True)
def module(clean_environment: Path) -> None:
    """The module of a service, in the directory that the command runs in."""
    (clean_environment / "service_settings.py").write_text(SETTINGS)


def test_valid_settings_are_said_to_be() -> None:
    """A valid configuration exits with 0 and says how many fields came from where."""
    done = run(["check", "service_settings:AppSettings"], MYSERVICE_PORT="80")
    assert done.returncode == 0
    assert done.stdout.startswith("AppSettings: valid, 2 fields (1 from env, 1 from default) in ")
    assert done.stdout.endswith(" s (service_settings)\n")
    assert done.stderr == ""


def test_broken_settings_are_reported() -> None:
    """A broken configuration exits with 78 and prints the one report on standard output."""
    done = run(["check", "service_settings:AppSettings"], MYSERVICE_DEBUG="maybe", MYSERVICE_PROT="80")
    assert done.stdout == (
        "port             missing\n"
        "    looked in  env MYSERVICE_PORT\n"
        "    tip        MYSERVICE_PROT is set. Did you mean MYSERVICE_PORT?\n"
        "\n"
        "debug            invalid\n"
        "    Input should be a valid boolean, unable to interpret input; it is 'maybe'\n"
        "    from       env MYSERVICE_DEBUG\n"
        "    tip        write true or false\n"
        "\n"
        "AppSettings: 2 errors, 0 warnings (service_settings)\n"
    )
    assert (done.returncode, done.stderr) == (78, "")


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("missing", 78),
        ("malformed", 78),
        ("unconfigured", 78),
        ("denied", 77),
        ("unauthenticated", 77),
        ("unavailable", 75),
        ("throttled", 75),
        ("defect", 70),
    ],
)
def test_the_exit_code_tells_kinds_apart(kind: str, code: int) -> None:
    """Each kind of failure of a store ends the command with the code of what helps."""
    done = run(["check", "service_settings:Bound"], REFERENCE=f"store://{kind}")
    assert done.returncode == code
    assert done.stdout.splitlines()[0].split()[:2] == ["key", kind]


def test_json_is_for_machines() -> None:
    """The JSON report is one object on standard output with every problem."""
    done = run(["check", "service_settings:Bound", "--format", "json"])
    report = json.loads(done.stdout)
    assert (report["valid"], report["exit_code"], done.returncode) == (False, 77, 77)
    assert [problem["kind"] for problem in report["problems"]] == ["denied"]
    assert report["settings_classes"] == ["service_settings:Bound"]


def test_a_plan_needs_no_environment() -> None:
    """--plan says what would be fetched for which fields, each payload once, and asks nobody."""
    done = run(["check", "service_settings:Vault", "--plan"])
    assert done.stdout == (
        "vault: at most 3 requests\n"
        "    vault://secret/app  for a, b\n"
        "openbao: at most 3 requests\n"
        "    openbao://secret/other?version=3  for c\n"
        "a start: at most 6 requests\n"
        "Vault: nothing wrong with the class (service_settings)\n"
    )
    assert done.returncode == 0


def test_a_plan_finds_class_mistakes() -> None:
    """--plan reports references that cannot be read and schemes that nobody serves."""
    done = run(["check", "service_settings:Wrong", "--plan", "--format", "json"])
    report = json.loads(done.stdout)
    assert {problem["field"]: problem["kind"] for problem in report["problems"]} == {"a": "mistake", "b": "unconfigured"}
    assert done.returncode == 78
    assert "at most" not in run(["check", "service_settings:Wrong", "--plan"]).stdout


def test_a_report_that_cannot_be_written_is_not_our_fault() -> None:
    """On a full device the command says so on standard error and exits with 74."""
    command = Path(sysconfig.get_path("scripts")) / "confguard"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [command, "check", "service_settings:Bound"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=30, check=False
        )
    assert (done.returncode, done.stderr) == (74, "Error: the report cannot be written: No space left on device\n")


def test_a_closed_standard_output_does_not_change_the_exit_code() -> None:
    """Whoever closes our standard output asks for the exit code alone."""
    command = Path(sysconfig.get_path("scripts")) / "confguard"
    shell = ["/bin/sh", "-c", f"exec {command} check service_settings:Bound >&-"]
    assert subprocess.run(shell, timeout=30, check=False).returncode == 77


def test_a_mount_that_is_not_there_is_no_warning() -> None:
    """A secrets_dir that does not exist is told where a value is missing, not as a warning of Python's at every start."""
    Path("mounted_settings.py").write_text(
        "from confguard import BaseSettings, SettingsConfigDict\n"
        "class AppSettings(BaseSettings):\n"
        "    model_config = SettingsConfigDict(secrets_dir=['/nowhere', '.'])\n"
        "    port: int\n"
    )
    done = run(["check", "mounted_settings:AppSettings"], PYTHONWARNINGS="error")
    assert (done.returncode, done.stderr) == (78, "")
    assert "    looked in  env PORT, /nowhere (not there), port\n" in done.stdout
    Path("port").write_text("80")
    assert run(["check", "mounted_settings:AppSettings"], PYTHONWARNINGS="error").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check"], "Missing argument 'MODULE:CLASS...'"),
        (["check", "service_settings"], "'service_settings' is not MODULE:CLASS"),
        (["check", "service.settings.AppSettings"], "is not MODULE:CLASS; did you mean service.settings:AppSettings?"),
        (["check", "service_setings:AppSettings"], "there is no module 'service_setings' here or on sys.path"),
        (["check", "./service_settings.py:AppSettings"], "is no name of a module; did you mean service_settings:AppSettings?"),
        (["check", "service_settings.py:AppSettings"], "here or on sys.path; did you mean service_settings:AppSettings?"),
        (["check", "app/settings.py:AppSettings"], "is no name of a module; did you mean app.settings:AppSettings?"),
        (["check", "../settings.py:AppSettings"], "'../settings.py' is no name of a module"),
        (["check", "service_settings:AppSetings"], "is not there; did you mean service_settings:AppSettings?"),
        (["check", "service_settings:Plain"], "service_settings:Plain is no subclass of confguard.BaseSettings"),
        (["check", "service_settings:AppSettings", "--timeout", "soon"], "'soon' is no duration above 0"),
        (["check", "service_settings:AppSettings", "--timeout", "0"], "'0' is no duration above 0"),
        (["check", "service_settings:AppSettings", "--format", "xml"], "'xml' is not one of 'text', 'json', 'github'"),
        (["chek"], "No such command 'chek'"),
    ],
)
def test_wrong_use_exits_with_64(arguments: list[str], message: str) -> None:
    """The command says on standard error what is wrong with the way it was called."""
    done = run(arguments)
    assert (done.returncode, done.stdout) == (64, "")
    assert message in done.stderr


def test_a_nested_class_can_be_named() -> None:
    """The class may be an attribute of another."""
    assert run(["check", "service_settings:Outer.Inner"], MYSERVICE_PORT="1").returncode == 0


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1 / 0", "importing broken raised ZeroDivisionError at "),
        ("a = 1\nb = (", "importing broken raised SyntaxError at {here}/broken.py:2"),
        ("import no_such_thing", "broken needs the module 'no_such_thing', which is not installed"),
        ("raise SystemExit('bye')", "importing broken raised SystemExit at "),
    ],
)
def test_a_module_that_cannot_be_imported_is_told_as_theirs(source: str, message: str) -> None:
    """An error of the user's module exits with 70 and names its type and place, not its text."""
    Path("broken.py").write_text(source)
    done = run(["check", "broken:AppSettings"])
    assert (done.returncode, done.stdout) == (70, "")
    assert message.format(here=Path.cwd()) in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_that_a_module_loads_itself_are_reported() -> None:
    """A module that validates while it is imported fails with the report and its exit code, as if the command had asked."""
    source = "from service_settings import AppSettings\nfrom confguard import validate\nsettings = validate(AppSettings)\n"
    Path("loading.py").write_text(source)
    done = run(["check", "loading:AppSettings"])
    assert done.stdout.splitlines()[0].split() == ["port", "missing"]
    assert (done.returncode, done.stderr) == (78, "")
    report = json.loads(run(["check", "loading:AppSettings", "--format", "json"]).stdout)
    assert report["settings_classes"] == ["service_settings:AppSettings"]


def test_what_a_module_prints_stands_not_before_json() -> None:
    """Standard output is the report's; what the user's code prints goes to standard error."""
    Path("printing.py").write_text("print('hello')\nfrom service_settings import AppSettings\n")
    done = run(["check", "printing:AppSettings", "--format", "json"], MYSERVICE_PORT="1")
    assert json.loads(done.stdout)["valid"] is True
    assert done.stderr == "hello\n"


def test_a_timeout_may_have_a_unit() -> None:
    """--timeout takes milliseconds, seconds and minutes, and is the deadline of the load."""
    done = run(["check", "service_settings:Bound", "--timeout", "300ms"], REFERENCE="store://hang")
    assert done.returncode == 75
    assert "store://hang: no answer within 0.3 s" in done.stdout


def test_an_interrupt_ends_the_command() -> None:
    """Ctrl-C during a fetch ends the command at once, with 130 and no traceback."""
    command = Path(sysconfig.get_path("scripts")) / "confguard"
    environment = {**os.environ, "REFERENCE": "store://hang"}
    # A job in the background of a shell ignores it, and hands that on.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(
            [command, "check", "service_settings:Bound"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    with process:
        assert process.stderr is not None
        assert process.stderr.readline() == "fetching\n"
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=20)
    assert (process.returncode, stderr.strip()) == (130, "interrupted")


def test_a_namesake_is_warned_of() -> None:
    """Where the other project's distribution is installed beside ours, the command says so on standard error."""
    metadata = Path("site/confguard-1.0.dist-info")
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: confguard\nVersion: 1.0\n")
    path = os.pathsep.join([str(Path("site").absolute()), os.environ.get("PYTHONPATH", "")])
    done = run(["check", "service_settings:AppSettings"], MYSERVICE_PORT="80", PYTHONPATH=path)
    assert done.returncode == 0
    assert done.stderr.startswith("warning: the distribution 'confguard' is installed too")


def test_help_shows_examples_and_exit_codes() -> None:
    """The help of a command has examples, and of the check what each exit code means."""
    assert "confguard check myservice.settings:AppSettings" in run(["--help"]).stdout
    help_of_check = run(["check", "--help"]).stdout
    assert "Examples:" in help_of_check
    assert all(f"  {code:>2}  " in help_of_check for code in (0, 64, 70, 75, 77, 78))


def test_the_version_is_the_distributions() -> None:
    """--version and `python -m confguard` agree on the version."""
    done = subprocess.run(
        [sys.executable, "-m", "confguard", "--version"], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout == run(["--version"]).stdout == f"confguard, version {__version__}\n"


def test_no_colour_where_there_is_no_terminal() -> None:
    """A report that is piped holds no escape sequence."""
    assert "\x1b" not in run(["check", "service_settings:Bound"]).stdout


def test_colour_on_a_terminal() -> None:
    """On a terminal the head of a problem is coloured, unless NO_COLOR asks for none."""
    arguments = ["check", "service_settings:Bound"]
    assert "\x1b[31m" in on_terminal(arguments, "stdout")
    assert "\x1b" not in on_terminal(arguments, "stdout", NO_COLOR="1")
