"""Redacting log records: message, arguments, exception, stack, and what came by ``extra``."""

import logging
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from threading import local
from typing import Any, TypeGuard
from weakref import ref

from confguard._known import Known
from confguard._redaction import redactor
from confguard._walk import clean_exception, scrub

# What every record has; anything else in it came by `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_COUNT = len(vars(logging.makeLogRecord({})))
# What is looked into though the message shows no secret, since a tracker is given all of it. Other objects would only be shown
# once more: a query, say, that asks its database each time.
_LOOKED_INTO = (str, bytes, bytearray, int, float, Mapping, list, tuple, AbstractSet, BaseException)
_LARGE = 10**100  # Python refuses to write numbers of thousands of digits
_TEXTS = ("message", "exc_text", "stack_info")

# A record's way from its logger to a handler may be crossed by others: of what its argument logs when it is shown, or of what
# the garbage collector ends just then.
_REMEMBERED = 8


class _Done(local):
    """The last records that this thread has redacted, and all of what: replaced, never changed, since another may come in."""

    last: tuple[Known | None, tuple[Callable[[], object], ...]] = None, ()


_done = _Done()


def redact_record(record: logging.LogRecord) -> None:
    """Take known secrets out of a record, and what structures in it have under the usual keys.

    A record that holds none is left as it is. Where the arguments hold one they are redacted in their places, so that a tracker
    still groups by the message; where only message and arguments together hold one, the message is formatted and stands alone. A
    record that cannot be redacted loses what it holds.
    """
    try:
        known = redactor.known()
        _redact_message(record)
        _redact_rest(record)
    except Exception as exc:  # noqa: BLE001 - a log call must not fail, and what was not looked into must not be given away
        _blank(record, type(exc).__qualname__)
    else:
        before, records = _done.last
        _done.last = known, (ref(record), *(records[: _REMEMBERED - 1] if before is known else ()))


def redact_once(record: logging.LogRecord) -> None:
    """The same, unless it is one of the records that this thread did last, and nothing was learned since."""
    known, records = _done.last
    if all(seen() is not record for seen in records) or known is not redactor.known():
        redact_record(record)


def _redact_message(record: logging.LogRecord) -> None:
    text = _formatted(record)
    is_clean = text is not None and not redactor.holds_secret(text)
    message = record.msg if type(record.msg) is str and is_clean else scrub(record.msg)
    arguments = _clean_arguments(record.args, text if is_clean else None)
    if message is record.msg and arguments is record.args and is_clean:
        return
    record.msg, record.args = message, arguments
    after = _formatted(record)
    if after is None and text is not None:  # what stands in for a number, say, does not fit where the number did
        record.msg, record.args = redactor.redact(text), None
    elif after is not None and redactor.holds_secret(after):
        record.msg, record.args = redactor.redact(after), None


def _formatted(record: logging.LogRecord) -> str | None:
    """The message with its arguments; None where they do not fit, which the handler will tell."""
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - a wrong call of a logger, or a repr that raises, is told where it always is
        return None


def _clean_arguments(arguments: Any, clean: str | None) -> Any:
    """The arguments without secrets, and they themselves where there is none.

    Args:
        arguments: A tuple, or a mapping that was given alone.
        clean: The message with them, if it shows no secret.
    """
    if not arguments:
        return arguments
    if not isinstance(arguments, tuple):
        return scrub(arguments)
    made = tuple(_clean_argument(argument, clean) for argument in arguments)
    return arguments if all(map(_same, made, arguments)) else made


def _same(one: object, other: object) -> bool:
    return one is other


def _clean_argument(argument: Any, clean: str | None) -> Any:
    if clean is not None:
        kind = type(argument)
        if kind is str or kind is float or (kind is int and abs(argument) < _LARGE):
            text = str(argument)
            if text in clean or redactor.redact(text) is text:  # what is shown, as most are, holds no secret
                return argument
        elif not issubclass(kind, _LOOKED_INTO):
            return argument
    return scrub(argument)


def _redact_rest(record: logging.LogRecord) -> None:
    if record.exc_info:
        _redact_exception(record)
    state = vars(record)
    for name in _TEXTS:
        text = state.get(name)
        if text:
            state[name] = redactor.redact(str(text))
    if len(state) > _COUNT:
        for name in state.keys() - _STANDARD:
            state[name] = scrub({name: state[name]})[name]


def _redact_exception(record: logging.LogRecord) -> None:
    """A clean exception in the place of one that is not; formatters show it in their own way."""
    info: Any = record.exc_info
    if _is_exception(info):
        clean = clean_exception(info[1])
        if clean is not info[1]:
            record.exc_info = (type(clean), clean, info[2])


def _is_exception(info: Any) -> TypeGuard[tuple[type[BaseException], BaseException, Any]]:
    return isinstance(info, tuple) and isinstance(info[1], BaseException)


def _blank(record: logging.LogRecord, reason: str) -> None:
    record.msg, record.args = f"[a record that could not be redacted: {reason}]", None
    record.exc_info = record.exc_text = record.stack_info = None
    for name in vars(record).keys() - _STANDARD | {"message"}:
        vars(record).pop(name, None)
