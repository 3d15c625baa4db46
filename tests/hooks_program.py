"""Fails in every way that a process shows; see `test_hooks`. Its argument says when `install` is called."""

import gc
import json
import linecache
import logging
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from pydantic import SecretStr

import confguard
from confguard import redaction

WHEN = sys.argv[1]
FORMS = " ".join(json.loads(os.environ["FORMS"]).values())


class AppSettings(confguard.BaseSettings):
    key: SecretStr
    long: SecretStr


confguard.validate(AppSettings)

if WHEN == "before":
    redaction.install()

import asyncio  # noqa: E402

import rich  # noqa: E402
import rich.console  # noqa: E402
import rich.logging  # noqa: E402
import rich.traceback  # noqa: E402

if WHEN == "after":
    redaction.install()


def begin(name: str) -> None:
    for output in (sys.stdout, sys.stderr):
        output.flush()
        output.write(f"=== {name}\n")
        output.flush()


def say(*texts: object) -> None:
    sys.stderr.write(" ".join(map(str, texts)) + "\n")


def fail(text: str = FORMS) -> None:
    local = {"held": [text]}
    try:
        dict[str, str]()[local["held"][0]]
    except KeyError as exc:
        exc.add_note(f"a note: {text}")
        raise ValueError(text) from exc


def caught(text: str = FORMS) -> tuple[type[BaseException], BaseException, Any]:
    try:
        fail(text)
    except ValueError as exc:
        return type(exc), exc, exc.__traceback__
    raise AssertionError


def thread(target: Callable[[], None]) -> None:
    one = threading.Thread(target=target, name="one")
    one.start()
    one.join()


class Collected:
    def __del__(self) -> None:
        fail()

    def __repr__(self) -> str:
        return f"Collected({FORMS})"


def collect() -> None:
    Collected()
    gc.collect()


def installed_anew(put: Callable[[], None], take: Callable[[], None], do: Callable[[], None]) -> None:
    """Set a hook of our own, with `install` called after it."""
    redaction.uninstall()
    put()
    if WHEN != "never":
        redaction.install()
    do()
    redaction.uninstall()
    take()
    if WHEN != "never":
        redaction.install()


def own_hook(kind: Any, value: BaseException, tb: Any) -> None:
    say("own:", kind.__name__, value, value.__cause__, tb is not None)


def own_args_hook(args: Any) -> None:
    own_hook(args.exc_type, args.exc_value, args.exc_traceback)
    say(getattr(args, "object", None))


def failing_hook(*_: Any) -> None:
    raise RuntimeError(f"the hook fails, too: {FORMS}")


def set_hook(owner: Any, name: str, hook: Any) -> Callable[[], None]:
    return lambda: setattr(owner, name, hook)


def own(owner: Any, name: str, hook: Any, do: Callable[[], None]) -> None:
    installed_anew(set_hook(owner, name, hook), set_hook(owner, name, getattr(owner, f"__{name}__")), do)


def own_handler_of_a_loop(_: object, context: dict[str, Any]) -> None:
    error = context["exception"]
    say(context, str(error), "with a traceback" if error.__traceback__ else "without")


async def task(*, own_handler: bool) -> None:
    loop = asyncio.get_running_loop()
    if own_handler:
        loop.set_exception_handler(own_handler_of_a_loop)

    async def failing() -> None:
        fail()

    one = asyncio.create_task(failing())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del one
    gc.collect()


def warn() -> None:
    warnings.warn(FORMS, stacklevel=1)


def warn_user_hook() -> None:
    put, take = set_hook(warnings, "showwarning", own_warning), set_hook(warnings, "showwarning", warnings.showwarning)
    installed_anew(put, take, warn)


def own_warning(message: Any, *_: Any) -> None:
    say("own:", message)


def capture_warnings() -> None:
    def do() -> None:
        logging.captureWarnings(False)
        warn()

    installed_anew(lambda: logging.captureWarnings(True), lambda: None, do)


def capture_locals() -> None:
    say("".join(traceback.TracebackException(*caught(), capture_locals=True).format()))


def print_exc() -> None:
    try:
        fail()
    except ValueError:
        traceback.print_exc()


def print_stack() -> None:
    source = f"traceback.print_stack()  # {FORMS}\n"
    linecache.cache["some.py"] = (len(source), None, [source], "some.py")
    exec(compile(source, "some.py", "exec"), {"traceback": traceback})  # noqa: S102


def failing() -> None:
    """What Python does where a hook fails: it shows both exceptions."""
    try:
        sys.excepthook(*caught())
    except RuntimeError as exc:
        say(exc)


def unraisable() -> None:
    """Call the hook with arguments as Python makes them."""
    kinds: list[Any] = []
    plain, sys.unraisablehook = sys.unraisablehook, lambda args: kinds.append(type(args))
    collect()
    sys.unraisablehook = plain
    sys.unraisablehook(kinds[0]((*caught(), None, fail)))


def show(shown: object, width: int = 100) -> None:
    rich.console.Console(width=width, file=sys.stderr, force_terminal=True).print(shown)


def rich_traceback(width: int = 100, text: str = FORMS) -> None:
    show(rich.traceback.Traceback.from_exception(*caught(text), show_locals=True, width=width), width)


class Shown:
    """Shows more to rich than by its repr."""

    def __rich_repr__(self) -> Iterator[tuple[str, object]]:
        yield FORMS, 1

    def __repr__(self) -> str:
        return "Shown()"


def rich_note() -> None:
    error = ValueError("x")
    error.add_note(FORMS)
    show(rich.traceback.Traceback.from_exception(ValueError, error, None, width=2000), 2000)


def rich_syntax_error(*, line: bool) -> None:
    error = SyntaxError("it is wrong" if line else FORMS, ("some.py", 1, 1, FORMS if line else "x"))
    error.add_note(FORMS)
    show(rich.traceback.Traceback.from_exception(SyntaxError, error, None, width=2000), 2000)


def rich_log() -> None:
    console = rich.console.Console(width=70, file=sys.stderr)
    logger = logging.Logger("rich")
    logger.addHandler(rich.logging.RichHandler(console=console, rich_tracebacks=True, tracebacks_show_locals=True))
    try:
        fail()
    except ValueError:
        logger.exception("failed with %s", FORMS)


def group() -> ExceptionGroup[Any]:
    return ExceptionGroup(f"many {FORMS}", [caught()[1], ValueError(FORMS)])


WAYS: dict[str, Callable[[], Any]] = {
    "sys.excepthook": lambda: sys.excepthook(*caught()),
    "threading.excepthook": lambda: threading.excepthook(threading.ExceptHookArgs((*caught(), None))),
    "sys.unraisablehook": unraisable,
    "a thread": lambda: thread(fail),
    "an object that is collected": collect,
    "an own hook": lambda: own(sys, "excepthook", own_hook, lambda: sys.excepthook(*caught())),
    "an own hook of threads": lambda: own(threading, "excepthook", own_args_hook, lambda: thread(fail)),
    "an own hook of what cannot be raised": lambda: own(sys, "unraisablehook", own_args_hook, collect),
    "an own hook that fails": lambda: own(sys, "excepthook", failing_hook, failing),
    "a task": lambda: asyncio.run(task(own_handler=False)),
    "an own handler of a loop": lambda: asyncio.run(task(own_handler=True)),
    "a warning": warn,
    "a warning to a hook of the user": warn_user_hook,
    "a warning after captureWarnings": capture_warnings,
    "capture_locals": capture_locals,
    "print_exc": print_exc,
    "format_exception": lambda: say("".join(traceback.format_exception(*caught()))),
    "format_exception_only": lambda: say("".join(traceback.format_exception_only(ValueError(FORMS)))),
    "print_stack": print_stack,
    "rich with locals": rich_traceback,
    "rich on a narrow console": lambda: rich_traceback(40),
    "rich of a long value": lambda: rich_traceback(100, os.environ["LONG"]),
    "rich of an object": lambda: show(Shown(), 2000),
    "rich of a note": rich_note,
    "rich of a line that is no Python": lambda: rich_syntax_error(line=True),
    "rich of what is wrong with a line": lambda: rich_syntax_error(line=False),
    "rich in a log": rich_log,
    "rich print": lambda: show({"key": [FORMS]}),
    "rich of a group": lambda: show(rich.traceback.Traceback.from_exception(ExceptionGroup, group(), None, show_locals=True)),
    "a group": lambda: sys.excepthook(ExceptionGroup, group(), None),
}

warnings.simplefilter("always")
for name, way in WAYS.items():
    begin(name)
    way()
begin("uncaught")
fail()
