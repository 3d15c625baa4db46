"""What `install` puts in place: where text leaves a process by the standard library, a function that redacts it on its way.

Each of these is the last place that all of a kind pass, so that it does not matter who asks for it, nor when.
"""

import logging
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any

from confguard import _rich, _structlog
from confguard._log_records import redact_once, redact_record
from confguard._patches import Late, Patch, Watch
from confguard._redaction import redactor
from confguard._walk import clean_exception, scrub

Plain = Callable[..., Any]

_lock = threading.Lock()
_installed: list[Patch | Watch] = []


def install() -> None:
    """Redact what leaves this process by logs, warnings and tracebacks, of other libraries too; see `confguard.redaction`."""
    with _lock:
        if not _installed:
            _installed.extend(Patch(*where) for where in _PATCHES)
            _installed.append(Watch(_LATE))


def uninstall() -> None:
    """Put everything back as it was; for tests."""
    with _lock:
        while _installed:
            _installed.pop().undo()


def _call_handlers(plain: Plain) -> Plain:
    def call_handlers(self: logging.Logger, record: logging.LogRecord) -> None:
        redact_record(record)
        plain(self, record)

    return call_handlers


def _filter(plain: Plain) -> Plain:
    """Once more after a handler's own filters, which may add to a record, and for records that no logger of this process had."""

    def filter_(self: logging.Handler, record: logging.LogRecord) -> Any:
        passed = plain(self, record)
        if passed:
            kept = passed if isinstance(passed, logging.LogRecord) else record
            (redact_record if self.filters else redact_once)(kept)
        return passed

    return filter_


def _show_warning(plain: Plain) -> Plain:
    def show_warning(message: Warning | str, *args: Any, **kwargs: Any) -> None:
        plain(scrub(message), *args, **kwargs)

    return show_warning


def _redact_text(plain: Plain) -> Plain:
    def redact_text(*args: Any, **kwargs: Any) -> str:
        return redactor.redact(plain(*args, **kwargs))

    return redact_text


def _redact_lines(plain: Plain) -> Plain:
    """The lines of a traceback, together, since a text in it may have many; what other formatters of it get, too."""

    def redact_lines(*args: Any, **kwargs: Any) -> Iterator[str]:
        lines = list(plain(*args, **kwargs))
        redacted = [redactor.redact(line) for line in lines]
        yield from redacted if not redactor.holds_secret("".join(redacted)) else [redactor.redact("".join(lines))]

    return redact_lines


def _redact_list(plain: Plain) -> Plain:
    lines = _redact_lines(plain)

    def redact_list(*args: Any, **kwargs: Any) -> list[str]:
        return list(lines(*args, **kwargs))

    return redact_list


def _except_hook(plain: Plain) -> Plain:
    def except_hook(kind: type[BaseException], value: BaseException, tb: TracebackType | None) -> None:
        if plain is sys.__excepthook__:
            _write(_shown(kind, value, tb))
            return
        clean = clean_exception(value)
        if not _told(plain, "sys.excepthook", type(clean), clean, tb):
            _write(f"Original exception was:\n{_shown(kind, value, tb)}")

    return except_hook


def _thread_hook(plain: Plain) -> Plain:
    def thread_hook(args: Any) -> None:
        kind, value, tb, thread = args
        if plain is not threading.__excepthook__:
            clean = None if value is None else clean_exception(value)
            _told(plain, "threading.excepthook", type(args)((kind if clean is None else type(clean), clean, tb, thread)))
        elif kind is not SystemExit:
            name = thread.name if thread is not None else threading.get_ident()
            _write(f"Exception in thread {name}:\n{_shown(kind, value, tb)}")

    return thread_hook


def _unraisable_hook(plain: Plain) -> Plain:
    def unraisable_hook(args: Any) -> None:
        kind, value, tb, message, thing = args
        if plain is not sys.__unraisablehook__:
            clean = None if value is None else clean_exception(value)
            kind = kind if clean is None else type(clean)
            _told(plain, "sys.unraisablehook", type(args)((kind, clean, tb, scrub(message), scrub(thing))))
            return
        where = "" if thing is None else f" {_repr(thing)}"
        _write(f"{message or 'Exception ignored in'}:{where}\n{_shown(kind, value, tb)}")

    return unraisable_hook


def _told(hook: Plain, name: str, *args: Any) -> bool:
    """Whether a hook did its work. If not that is told here: Python would do it with all that is in the exceptions."""
    try:
        hook(*args)
    except Exception as exc:  # noqa: BLE001 - Python does not let a hook's fault pass, either
        _write(f"Error in {name}:\n{_shown(type(exc), exc, exc.__traceback__)}\n")
        return False
    return True


def _repr(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - as Python itself does here
        return "<object repr() failed>"


def _shown(kind: type[BaseException], value: BaseException | None, tb: TracebackType | None) -> str:
    try:
        return redactor.redact("".join(traceback.format_exception(kind, value, tb)))
    except Exception:  # noqa: BLE001 - a hook that raises makes Python show the exception as it is
        return f"{kind.__qualname__}: [a traceback that could not be redacted]\n"


def _write(text: str) -> None:
    if sys.stderr is not None:  # there is none in a process without a console
        try:
            clean = redactor.redact(text)
        except Exception:  # noqa: BLE001 - as in `_shown`
            clean = "[what could not be redacted is not shown]\n"
        with suppress(OSError, ValueError):
            sys.stderr.write(clean)
            sys.stderr.flush()


def _asyncio(module: Any) -> Sequence[Patch]:
    """The context that a loop's exception handler is given; the default one logs it."""

    def around(plain: Plain) -> Plain:
        def call_exception_handler(self: Any, context: Mapping[str, Any]) -> Any:
            clean = {
                name: clean_exception(item) if isinstance(item, BaseException) else scrub(item) for name, item in context.items()
            }
            return plain(self, clean)

        return call_exception_handler

    return [Patch(module.BaseEventLoop, "call_exception_handler", around)]


_PATCHES: Sequence[tuple[Any, str, Callable[[Plain], Plain]]] = (
    (logging.Logger, "callHandlers", _call_handlers),
    (logging.Handler, "filter", _filter),
    (warnings, "showwarning", _show_warning),
    (warnings, "formatwarning", _redact_text),
    (traceback.TracebackException, "format", _redact_lines),
    (traceback.TracebackException, "format_exception_only", _redact_lines),
    (traceback.StackSummary, "format", _redact_list),
    (sys, "excepthook", _except_hook),
    (threading, "excepthook", _thread_hook),
    (sys, "unraisablehook", _unraisable_hook),
)
_LATE: Sequence[Late] = (Late("asyncio.base_events", _asyncio), *_rich.LATE, *_structlog.LATE)


def _only_this_thread_is_left() -> None:
    """After a fork nobody in the child gives back what another thread held."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):  # not where there is no fork
    os.register_at_fork(after_in_child=_only_this_thread_is_left)
