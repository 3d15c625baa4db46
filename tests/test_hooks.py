"""The hooks of the interpreter: a canary in everything that a process shows of a failure, with `install` and without.

One process runs all ways, and marks on both of its outputs where each begins; the secret is the value of a setting.
"""

import json
import os
import re
import secrets
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from urllib.parse import quote

import pytest

from confguard import redaction
from tests.finder import _needles

CANARY = f"{secrets.token_urlsafe(18)}/+ é"
FORMS = {
    "plain": CANARY,
    "URL-encoded": quote(CANARY, safe=""),
    "base64": b64encode(b"me:" + CANARY.encode()).decode(),
    "hexadecimal": CANARY.encode().hex(),
    "JSON": json.dumps(CANARY),
}
LONG = secrets.token_urlsafe(200)
MARK = "=== "

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module", params=["before", "after", "never"])
def shown(request: pytest.FixtureRequest) -> tuple[str, dict[str, str]]:
    """When `install` was called, seen from the imports of rich and asyncio and from hooks of others; and what was shown then."""
    environment = {
        **os.environ,
        "PYTHONUTF8": "1",
        "FORMS": json.dumps(FORMS),
        "KEY": CANARY,
        "LONG": LONG,
        "COLUMNS": "60",
    }
    command = [sys.executable, "-m", "tests.hooks_program", request.param]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    parts: dict[str, str] = {}
    for output in (done.stdout, done.stderr):
        for part in output.split(MARK)[1:]:
            name, _, text = part.partition("\n")
            parts[name] = parts.get(name, "") + text
    return request.param, parts


WAYS = """
    sys.excepthook, threading.excepthook, sys.unraisablehook, a thread, an object that is collected, an own hook,
    an own hook of threads, an own hook of what cannot be raised, an own hook that fails, a task, an own handler of a loop,
    a warning, a warning to a hook of the user, a warning after captureWarnings, capture_locals, print_exc,
    format_exception, format_exception_only, print_stack,
    rich of an object, rich of a note, rich of a line that is no Python, rich of what is wrong with a line,
    rich with locals, rich on a narrow console, rich of a long value, rich in a log, rich print, rich of a group, a group,
    uncaught
"""


@pytest.mark.parametrize("way", [way.strip() for way in re.split(r",\s*", WAYS)])
def test_a_failure_shows_no_secret(shown: tuple[str, dict[str, str]], way: str) -> None:
    """Whenever it was installed; and where it never was the same way leaks, which shows that this test can see."""
    when, parts = shown
    text = re.sub(r"\x1b\[[0-9;]*m", "", parts[way])
    together = re.sub(r"[\s│]", "", text)  # as a reader puts together what a console wraps
    needles = {*_needles(CANARY), *FORMS.values(), LONG, LONG[:16], LONG[-16:]}
    found = [needle for needle in needles if needle in text or re.sub(r"\s", "", needle) in together]
    assert text.strip()
    assert (found == []) is (when != "never"), text


FIRST = {
    "sys.excepthook": "Traceback (most recent call last):\n",
    "threading.excepthook": "Exception in thread ",
    "a thread": "Exception in thread one:\nTraceback (most recent call last):\n",
    "sys.unraisablehook": "Exception ignored in: <function fail at 0x",
}


@pytest.mark.parametrize("way", FIRST)
def test_what_is_shown_is_what_python_shows(shown: tuple[str, dict[str, str]], way: str) -> None:
    """But for the masks: the same first line, and the same type at the end."""
    when, parts = shown
    first = {"threading.excepthook": "Exception in thread", "a thread": "Exception in thread one"}.get(
        way, "Traceback (most recent"
    )
    first = "Exception ignored in: <function fail at 0x" if way == "sys.unraisablehook" else first
    assert parts[way].startswith(first)
    assert "\nValueError: " in parts[way]
    assert ("[redacted:key]" in parts[way]) is (when != "never")


def test_a_loops_own_handler_is_given_the_traceback(shown: tuple[str, dict[str, str]]) -> None:
    assert "with a traceback" in shown[1]["an own handler of a loop"]


def state() -> list[object]:
    import asyncio.base_events
    import logging
    import threading
    import traceback
    import warnings

    import rich.pretty
    import rich.traceback

    owners = [logging.Logger, logging.Handler, warnings, traceback.TracebackException, traceback.StackSummary, threading]
    owners += [asyncio.base_events.BaseEventLoop, rich.pretty, rich.traceback.Traceback]
    hooks: list[object] = [sys.excepthook, sys.unraisablehook, *sys.meta_path]
    return hooks + [(name, item) for owner in owners for name, item in sorted(vars(owner).items())]


def test_uninstall_restores_exactly_what_was_there() -> None:
    """Attribute by attribute, also after `install` was called twice; and `install` changes something."""
    before = state()
    redaction.install()
    redaction.install()
    assert state() != before
    redaction.uninstall()
    assert state() == before
    redaction.uninstall()
    assert state() == before


def test_what_others_put_around_it_stays(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A hook that was set since is not taken away; ours, which it calls, then does nothing."""
    redaction.redactor.learn(CANARY, "key")
    seen: list[str] = []
    monkeypatch.setattr(sys, "excepthook", lambda _, value, __: seen.append(str(value)))
    redaction.install()
    inner = sys.excepthook

    def outer(*args: object) -> None:
        inner(*args)  # type: ignore[arg-type]

    sys.excepthook = outer
    sys.excepthook(ValueError, ValueError(CANARY), None)
    redaction.uninstall()
    assert sys.excepthook is outer
    sys.excepthook(ValueError, ValueError(CANARY), None)
    assert seen == ["[redacted:key]", CANARY]


@pytest.mark.parametrize("name", ["excepthook", "unraisablehook"])
def test_what_cannot_be_redacted_is_not_shown(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the redactor itself fails, the hook does not: Python would show the exception as it is."""

    def broken(*_: object) -> str:
        raise MemoryError

    monkeypatch.setattr(sys, name, getattr(sys, f"__{name}__"))  # pytest has its own
    redaction.install()
    try:
        monkeypatch.setattr(type(redaction.redactor), "redact", broken)
        if name == "excepthook":
            sys.excepthook(ValueError, ValueError(CANARY), None)
        else:
            sys.unraisablehook((ValueError, ValueError(CANARY), None, None, None))  # type: ignore[arg-type]
    finally:
        redaction.uninstall()
    shown = capsys.readouterr().err
    assert shown == "[what could not be redacted is not shown]\n"


class Named:
    """Shows a secret by its repr, or has none."""

    def __init__(self, *, shown: bool) -> None:
        self.shown = shown

    def __repr__(self) -> str:
        if self.shown:
            return f"<Named {CANARY}>"
        raise ValueError(CANARY)


@pytest.mark.parametrize(("shown", "text"), [(True, "<Named [redacted:key]>"), (False, "<object repr() failed>")])
def test_the_object_of_what_cannot_be_raised_is_told_as_python_tells_it(
    shown: bool, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its repr without secrets, and also where that fails."""
    redaction.redactor.learn(CANARY, "key")
    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)  # pytest has its own
    redaction.install()
    try:
        sys.unraisablehook((ValueError, ValueError("x"), None, None, Named(shown=shown)))  # type: ignore[arg-type]
    finally:
        redaction.uninstall()
    assert capsys.readouterr().err == f"Exception ignored in: {text}\nValueError: x\n"


def test_a_thread_that_exits_shows_nothing() -> None:
    """As without `install`: `sys.exit` in a thread is no failure."""
    code = "import sys, threading, confguard.redaction as r; r.install(); threading.Thread(target=sys.exit, args=('x',)).start()"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_process_without_standard_error_fails_as_ever() -> None:
    """There is none in a process without a console, and one that is closed is no fault of its own."""
    for closed in ("sys.stderr = None", "sys.stderr.close()"):
        code = f"import sys, confguard.redaction as r; r.install(); {closed}; sys.excepthook(ValueError, ValueError('x'), None)"
        done = subprocess.run([sys.executable, "-c", f"{code}; print('on')"], check=False, capture_output=True, text=True)
        assert (done.stdout, done.stderr) == ("on\n", "")


def test_rich_shows_what_holds_no_secret_as_before() -> None:
    """Also under a name like "password": what a program prints of its own is no structure that users fill."""
    from rich.pretty import pretty_repr

    redaction.install()
    try:
        assert pretty_repr({"password": "typed by hand"}) == "{'password': 'typed by hand'}"
    finally:
        redaction.uninstall()


def test_many_threads_install_once() -> None:
    """Calls side by side put everything in place once, so that one `uninstall` takes it back."""
    import threading

    before = state()
    barrier = threading.Barrier(8)

    def work() -> None:
        barrier.wait()
        redaction.install()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    redaction.uninstall()
    assert state() == before


def test_install_imports_nothing_that_is_heavy() -> None:
    """Neither rich nor asyncio nor pydantic is imported for it; they are waited for."""
    code = "import sys, confguard.redaction as r; r.install(); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stderr == ""
    assert "'traceback'" in done.stdout
    for name in ("rich", "asyncio", "pydantic", "structlog", "loguru", "opentelemetry"):
        assert f"'{name}'" not in done.stdout


def test_the_public_names_are_these() -> None:
    assert redaction.__all__ == sorted(redaction.__all__)
    added = "@"  # by pytest, to what comes with a plug-in of it
    ours = {name for name in vars(redaction) if not name.startswith(("_", added))}
    assert ours == set(redaction.__all__)
