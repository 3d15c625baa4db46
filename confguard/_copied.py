"""Copying exceptions without the secrets in them: arguments, attributes, notes, causes and groups.

What walks through structures calls it, and is called back for what an exception holds; it imports of ours only the redactor.
"""

from collections.abc import Callable, Iterator
from functools import partial
from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any, Protocol, TypeVar

from confguard._redaction import Redactor

T = TypeVar("T")

# What is copied otherwise, and the object of an AttributeError, which only suggestions of names are made of.
_ELSEWHERE = frozenset({"args", "message", "exceptions", "obj", "characters_written"})


class Walk(Protocol):
    """The walk through the structure in which an exception was met; see `confguard._walk`."""

    own: Redactor
    tracebacks: bool

    def of(self, value: Any, depth: int) -> Any: ...
    def text(self, value: str) -> str: ...
    def instead(self, made: T) -> T: ...
    def begun(self, value: object, made: Any) -> None: ...
    def entry(self, name: object, item: Any, depth: int) -> Any: ...


class RedactedError(Exception):
    """Stands for an exception that cannot be copied without what it holds; its text names the type and is redacted.

    In a group, or as a cause, it also stands for one that lies too deep in a structure, and its text says so.
    """


def attempted(call: Callable[[], T]) -> T | None:
    """What a call gives, or None where code of others, which it runs, raises."""
    try:
        return call()
    except Exception:  # noqa: BLE001 - whatever a repr or a constructor raises, the structure is still to be redacted
        return None


def copied_exception(walk: Walk, value: BaseException, depth: int) -> BaseException:
    """A copy of an exception, without its traceback unless the walk keeps it."""
    if isinstance(value, BaseExceptionGroup):
        made = _group(walk, value, depth)
    else:
        made = attempted(partial(type(value).__new__, type(value))) or _stand_in(walk, value)
        walk.begun(value, made)
    if type(made) is type(value):
        _fill(walk, made, value, depth)
        if not _is_clean(walk, made, value):
            made = _stand_in(walk, value)
    walk.begun(value, made)
    _link(walk, made, value, depth)
    return made


def _group(walk: Walk, value: BaseExceptionGroup[Any], depth: int) -> BaseException:
    """A group with clean exceptions in it; a plain one where its class wants to be made otherwise."""
    inner: list[Any] = [_linked(walk, each, depth) for each in value.exceptions]
    message = walk.text(value.message)
    made = attempted(partial(type(value), message, inner))
    if made is not None and type(made) is type(value):
        return made
    plain: Callable[..., BaseException] = ExceptionGroup if isinstance(value, ExceptionGroup) else BaseExceptionGroup
    return walk.instead(plain(f"{_name(value)}: {message}", inner))


def _fill(walk: Walk, made: BaseException, value: BaseException, depth: int) -> None:
    """Copy arguments and attributes, those in slots too, without calling a constructor or a property."""
    if not isinstance(value, BaseExceptionGroup):
        made.args = tuple(walk.of(item, depth) for item in value.args)
    for name, slot in _slots(type(value)):
        item = attempted(partial(slot.__get__, value))
        if item is not None:
            attempted(partial(slot.__set__, made, walk.entry(name, item, depth)))
    for name, item in list(vars(value).items()):
        if name != "__notes__":
            vars(made)[name] = walk.entry(name, item, depth)


def _slots(kind: type) -> Iterator[tuple[str, Any]]:
    """What instances hold outside of their dict: the file name of an OSError, the bytes of a UnicodeDecodeError."""
    for each in kind.__mro__:
        for name, slot in vars(each).items():
            if isinstance(slot, MemberDescriptorType | GetSetDescriptorType) and name not in _ELSEWHERE and name[:2] != "__":
                yield name, slot


def _is_clean(walk: Walk, made: BaseException, value: BaseException) -> bool:
    """Whether the copy can be shown, if the original could, and shows no secret."""
    for show in (str, repr):
        text = attempted(partial(show, made))
        if walk.own.holds_secret(text) if text is not None else attempted(partial(show, value)) is not None:
            return False
    return True


def _link(walk: Walk, made: BaseException, value: BaseException, depth: int) -> None:
    notes = getattr(value, "__notes__", None)
    for note in notes if isinstance(notes, list | tuple) else () if notes is None else (repr(notes),):
        made.add_note(walk.text(note if isinstance(note, str) else repr(note)))
    made.__cause__ = _linked(walk, value.__cause__, depth)
    made.__context__ = _linked(walk, value.__context__, depth)
    made.__suppress_context__ = value.__suppress_context__
    if walk.tracebacks:
        made.__traceback__ = value.__traceback__


def _linked(walk: Walk, value: BaseException | None, depth: int) -> BaseException | None:
    """The copy of an exception that another leads to; where a text stands in for it, an exception that says it."""
    made: BaseException | str | None = walk.of(value, depth)
    return RedactedError(made) if isinstance(made, str) else made


def _stand_in(walk: Walk, value: BaseException) -> RedactedError:
    text = attempted(partial(str, value))
    return walk.instead(RedactedError(walk.own.redact(f"{_name(value)}: {text}" if text else _name(value))))


def _name(value: BaseException) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"
