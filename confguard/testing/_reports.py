"""What pytest shows of a test, without the secrets that the redactor knows."""

import dataclasses
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import pytest

from confguard._cuts import hide_halves
from confguard._redaction import redactor
from confguard._walk import scrub

_NO_TEXT = "style"  # of an entry of a traceback: how it is shown, in a word


def clean_report(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Take the secrets out of a report: its tracebacks, messages, local variables, captured output and properties."""
    shown = report.longrepr, report.sections, getattr(report, "user_properties", [])
    if not (any(shown) or hasattr(report, "wasxfail") or hasattr(report, "context")) or not redactor.known().forms:
        return  # most tests show nothing, and to look for secrets begins with working their forms out
    try:
        longrepr, sections, properties = map(_clean, shown)
    except Exception as exc:  # noqa: BLE001 - of a redactor that the test itself has broken, say: nothing is shown as it was
        note = f"withheld, since redacting it failed: {type(exc).__name__}"
        longrepr = (*report.longrepr[:2], note) if isinstance(report.longrepr, tuple) else report.longrepr and note
        sections, properties = [("confguard", note)], []
    report.longrepr, report.sections = longrepr, sections
    for name in ("wasxfail", "context"):  # why it was expected to fail; what a subtest is of
        if hasattr(report, name):
            setattr(report, name, _scrubbed(getattr(report, name)))
    if isinstance(report, pytest.TestReport):
        report.user_properties = properties


def _scrubbed(value: Any) -> Any:
    """A copy without secrets."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return dataclasses.replace(value, **{name: scrub(getattr(value, name)) for name in names})
    return scrub(value)


def clean_warning(message: warnings.WarningMessage) -> None:
    """Take the secrets out of a warning, which pytest shows at the end of a run."""
    if redactor.known().forms:
        text = str(message.message)
        redacted = redactor.redact(text)
        if redacted != text:
            message.message = redacted


def without_diff(op: str, left: object, right: object) -> Sequence[str] | None:
    """How a comparison with a secret in it is shown: whole and redacted, since a diff shows a part that nobody would know again.

    Returns:
        The lines; None where no secret is in it.
    """
    if not redactor.known().forms:
        return None
    if not any(redactor.holds_secret(text) for side in (left, right) for text in _texts(side)):
        return None
    return [f"{redactor.redact(_repr(left))} {op} {redactor.redact(_repr(right))}", "", "A secret is in it, so no diff is shown."]


def _clean(value: Any) -> Any:
    """A value of a report without secrets. What pytest will write to a terminal is changed where it is."""
    if isinstance(value, str):
        return hide_halves(redactor.redact(value), redactor)  # pytest has shortened some texts before
    if isinstance(value, list | tuple):
        return type(value)(map(_clean, value))
    if hasattr(value, "toterminal") and hasattr(value, "__dict__"):
        vars(value).update((name, _clean(item)) for name, item in list(vars(value).items()) if name != _NO_TEXT)
    return value


def _texts(value: object) -> Iterator[str]:
    """What pytest may show of a value: of a dataclass, or a class of attrs, also the fields that it does not show itself."""
    yield _repr(value)
    names = [field.name for field in dataclasses.fields(value)] if dataclasses.is_dataclass(value) else []
    names += [attribute.name for attribute in getattr(type(value), "__attrs_attrs__", ())]
    for name in names:
        with suppress(Exception):  # code of others, which pytest tells in its own way
            yield _repr(getattr(value, name))


def _repr(value: object) -> str:
    try:
        return repr(value)
    except Exception as exc:  # noqa: BLE001 - code of others, which pytest tells in its own way
        return f"<{type(value).__name__} without a repr: {type(exc).__name__}>"
