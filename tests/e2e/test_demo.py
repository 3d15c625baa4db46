"""The demo, run as ``make demo`` runs it."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import pytest

from tests.e2e.conftest import EXAMPLE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty directory, where the demo is started and has its temporary files."""
    made = tmp_path / "demo"
    made.mkdir()
    return made


@pytest.fixture
def demo(folder: Path) -> subprocess.Popen[str]:
    """The demo, just started, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-u", EXAMPLE / "demo.py"],
        env={"PATH": os.environ["PATH"], "TMPDIR": str(folder), "VAULT_ADDR": "https://not.to.be.used", "PYTHONUTF8": "1"},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.fixture(scope="module")
def module() -> Generator[Any]:
    """The demo as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLE)
        yield import_module("demo")


@pytest.fixture
def signals(module: Any) -> Generator[Any]:
    """The demo's handling of signals, put back afterwards."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield module.Signals()
    for number, handler in before.items():
        signal.signal(number, handler)


def assert_nothing_is_left(demo: subprocess.Popen[str], folder: Path) -> None:
    """No file of it is there, and no process of its group is alive; a kernel may take a moment to forget one that was killed."""
    assert list(folder.iterdir()) == []
    end, pause = monotonic() + 5, Event()
    while is_alive(demo.pid) and monotonic() < end:
        pause.wait(0.01)
    assert not is_alive(demo.pid)


def is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_demo_shows_what_an_operator_needs(demo: subprocess.Popen[str], folder: Path) -> None:
    """It ends with 0, has shown the reports and every exit code it speaks of, and leaves nothing."""
    output = demo.communicate(timeout=60)[0]
    assert demo.returncode == 0, output
    for text in (
        "$ confguard check myservice.settings:AppSettings\nAppSettings: valid, 9 fields",
        '{"environment":"staging","status":"ok"}',
        "Did you mean MYSERVICE_PUBLIC_URL?",
        "confguard.exceptions.ConfigError",
        '"exit_code": 78',
        "→ exit code 64",
        "→ exit code 75",
        "→ exit code 77",
        "→ exit code 78",
        "none there.",
        "Every step gave what it should",
    ):
        assert text in output
    assert "\033" not in output
    assert_nothing_is_left(demo, folder)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_an_interrupted_demo_leaves_nothing(demo: subprocess.Popen[str], folder: Path, number: int, code: int) -> None:
    """Ctrl-C, or an end by a supervisor, stops the server and removes the files."""
    assert demo.stdout is not None
    next(line for line in demo.stdout if "confguard check" in line)
    demo.send_signal(number)
    output = demo.communicate(timeout=60)[0]
    assert (demo.returncode, "Traceback" in output) == (code, False)
    assert_nothing_is_left(demo, folder)


@pytest.mark.parametrize("wanted", [(1, "said"), (0, "not said")], ids=["exit code", "line"])
def test_a_step_that_gives_something_else_fails(module: Any, signals: Any, tmp_path: Path, wanted: tuple[int, str]) -> None:
    """The demo checks itself: another exit code, or a line that is not there, is an error."""
    with pytest.raises(module.UnexpectedResultError):
        module.Terminal(tmp_path, signals).run("""python -c 'print("said")'""", *wanted)


def test_a_signal_waits_for_what_is_being_started(signals: Any) -> None:
    """A signal that comes while something is entered or left ends the demo when that is done; a second one does nothing."""
    steps: list[str] = []

    @contextmanager
    def server() -> Generator[None]:
        signal.raise_signal(signal.SIGTERM)
        steps.append("entered")
        try:
            yield
        finally:
            signal.raise_signal(signal.SIGINT)
            steps.append("left")

    with pytest.raises(SystemExit, match=r"^143$"), signals.guarded(server()):
        steps.append("used")
    assert steps == ["entered", "left"]


def test_the_demo_looks_for_its_secrets(module: Any, signals: Any, tmp_path: Path) -> None:
    """A secret in what a command says is found, also where its line is not printed; the message names it and does not show it."""
    terminal = module.Terminal(tmp_path, signals)
    terminal.run("""python -c 'print("first\\nhunter22")'""", 0, most_lines=1)
    with pytest.raises(module.UnexpectedResultError, match=r"the output holds its name$"):
        module.look_for_secrets(terminal, {"its name": "hunter22", "another": "not there"})
