"""structlog: one processor, for the place before the one that writes. structlog is imported by nobody here."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

from confguard._patches import Late, Patch
from confguard._redaction import redactor
from confguard._walk import clean_exception, scrub


def structlog_processor(logger: object, name: str, event_dict: Any) -> Any:
    """Hide secrets in an event of structlog: the event, what is bound to it, and its exception.

    Put it directly before the processor that renders. Behind that one it redacts the text that was rendered.

    Args:
        logger: Not used.
        name: Not used.
        event_dict: The event. It is not changed.
    """
    if isinstance(event_dict, str):
        return redactor.redact(event_dict)
    if isinstance(event_dict, bytes):
        return redactor.redact_bytes(event_dict)
    clean = {key: value for key, value in event_dict.items() if key not in _OWN}
    clean = dict(scrub(clean))
    clean |= {key: event_dict[key] for key in _OWN & event_dict.keys()}
    if event_dict.get("exc_info"):
        clean["exc_info"] = _clean_info(event_dict["exc_info"])
    return clean


# What structlog itself put there: a record of logging, which has been redacted as such, and what says that it did.
_OWN = frozenset({"_record", "_from_structlog", "exc_info"})


def _clean_info(info: Any) -> Any:
    error, tb = info, None
    if isinstance(info, tuple):
        _, error, tb = info
    elif not isinstance(info, BaseException):
        _, error, tb = sys.exc_info()
    if not isinstance(error, BaseException):
        return info
    clean = clean_exception(error)
    return info if clean is error else (type(clean), clean, tb or error.__traceback__)


def _tracebacks(module: Any) -> Sequence[Patch]:
    """Local variables, before they are shortened."""

    def around(plain: Callable[..., str]) -> Callable[..., str]:
        def to_repr(value: Any, *args: Any, **kwargs: Any) -> str:
            return redactor.redact(plain(scrub(value, keys=frozenset()), *args, **kwargs))

        return to_repr

    return [Patch(module, "to_repr", around)]


LATE: Sequence[Late] = (Late("structlog.tracebacks", _tracebacks),)
