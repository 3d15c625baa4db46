"""Pure functions on values: what a fragment picks out of a payload, which name was probably meant, what a secret type holds."""

import base64
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeAlias

from confguard.provider import Failure, Found

JSON: TypeAlias = "str | int | float | bool | list[JSON] | dict[str, JSON] | None"


def pick(found: Found, pointer: str, where: str) -> Found | Failure:
    """What a JSON Pointer (RFC 6901) picks out of a payload; an empty one picks the whole.

    Args:
        found: The payload.
        pointer: ``/password``, ``/replicas/0/host`` or ``""``.
        where: What a failure calls the payload: the reference without its fragment.

    Returns:
        The value, with the payload's version and lease: a string as it stands, anything else as its JSON text. Or a failure:
        ``malformed`` where the payload is no JSON or has no such structure, ``missing`` where it has no such key. None of them
        quotes the payload, though a key that is nearly the one asked for is named.
    """
    if not pointer:
        return found
    value = loads(found.value, exact=True)
    if isinstance(value, Unreadable):
        tip = None if value.doubled else "take the fragment off"
        return Failure("malformed", f"{where}: {value.reason}, so #{pointer} picks nothing", tip=tip)
    for token in pointer[1:].split("/"):
        key = token.replace("~1", "/").replace("~0", "~")
        step = _step(value, key)
        if isinstance(step, _Nothing):
            return Failure("missing" if step.container else "malformed", f"{where}: {step.reason}", tip=_near(value, key))
        value = step
    if value is None:
        return Failure("missing", f"{where}: {pointer} is null")
    text = _dumps(value)
    if text is None:
        return Failure("malformed", f"{where}: {pointer} is nested too deep")
    return replace(found, value=text)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a payload cannot be read as JSON.

    Attributes:
        doubled: Whether it is JSON but for a key that stands twice in one object: one of the two values would be lost.
    """

    doubled: bool

    @property
    def reason(self) -> str:
        """The reason, as a report tells it."""
        return "a key stands twice in an object of the payload" if self.doubled else "the payload is not JSON"


class _DoubledError(ValueError):
    """A key stands twice in one object."""


class _Number(str):
    """A number as it was written: a key may be ``1.10``, and a float would lose digits."""

    __slots__ = ()


def loads(payload: str | bytes, *, exact: bool = False) -> "JSON | Unreadable":
    """A payload read as JSON, in which no key may stand twice.

    Args:
        payload: The payload.
        exact: Whether numbers are kept as the texts that they were written as.
    """
    number = _Number if exact else None
    try:
        value: JSON = json.loads(payload, object_pairs_hook=_without_doubles, parse_float=number, parse_int=number)
    except (ValueError, RecursionError) as exc:
        return Unreadable(isinstance(exc, _DoubledError))
    return value


def _without_doubles(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise _DoubledError
    return made


def _dumps(value: JSON) -> str | None:
    """A text as it stands, of anything else its JSON, numbers as they were written; None where it is nested too deep."""
    if isinstance(value, str):
        return str(value)
    try:
        return _written(value)
    except RecursionError:
        return None


def _written(value: JSON) -> str:
    match value:
        case _Number():
            return str(value)
        case dict():
            return "{" + ", ".join(f"{json.dumps(key)}: {_written(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_written, value)) + "]"
        case _:
            return json.dumps(value)


DECODINGS = ("base64",)
"""What ``?decode=`` takes."""


def decode(found: Found, where: str) -> Found | Failure:
    """A value whose text is base64, standard or URL-safe, with padding or without.

    Returns:
        The bytes, as text where they are UTF-8; or a failure, ``malformed``, where it is no base64.
    """
    text = found.value if isinstance(found.value, bytes) else found.value.encode()
    text = b"".join(text.split()).rstrip(b"=").translate(_STANDARD)
    try:
        raw = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except ValueError:
        raw = None
    if raw is None:
        return Failure("malformed", f"{where}: the value is not base64", tip="take decode=base64 out")
    try:
        value: str | bytes = raw.decode()
    except UnicodeDecodeError:
        value = raw
    return replace(found, value=value)


_STANDARD = bytes.maketrans(b"-_", b"+/")


class _Nothing:
    """A step of a pointer that leads nowhere, and whether there was a container to look in."""

    def __init__(self, reason: str, *, container: bool) -> None:
        self.reason, self.container = reason, container


def _step(value: JSON, key: str) -> "JSON | _Nothing":
    if isinstance(value, dict):
        return value[key] if key in value else _Nothing(f"the payload has no key {key!r}", container=True)
    if isinstance(value, list):
        if key.isascii() and key.isdigit() and int(key) < len(value):
            return value[int(key)]
        return _Nothing(f"the list of {len(value)} in the payload has no index {key!r}", container=True)
    return _Nothing(f"no object or list where {key!r} is looked for", container=False)


def _near(value: JSON, key: str) -> str | None:
    """A tip with the one key that is nearly the one asked for; a payload's other keys are nobody's business."""
    meant = closest(key, value) if isinstance(value, dict) else None
    return f"did you mean {meant!r}?" if meant else None


def closest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate that was probably meant by a name, or the other way round; None where none is near."""
    from difflib import get_close_matches  # which most loads never need

    folded = {candidate.casefold().replace("__", "_"): candidate for candidate in candidates}
    matches = get_close_matches(name.casefold().replace("__", "_"), list(folded), n=1, cutoff=0.75)
    return folded[matches[0]] if matches else None


def texts(value: object, *, keys: bool = False) -> Iterator[str | bytes]:
    """Every text in a value as a source or a caller gives it, however deep: what the redactor has to learn of a secret field.

    A text that is itself JSON of a list or an object is given whole, and then what is in it.

    Args:
        value: The value.
        keys: Whether the keys of mappings count as well.
    """
    if isinstance(value, str) and value[:1] not in ("[", "{"):  # what a source almost always gives
        yield value
        return
    stack, seen = [value], set[int]()
    while stack:
        item = stack.pop()
        if isinstance(item, str | bytes):
            yield item
            stack += _unfolded(item)
        elif item is None or isinstance(item, bool) or id(item) in seen:
            continue
        elif isinstance(item, Mapping):
            seen.add(id(item))
            stack += item.values()
            stack += item if keys else ()
        elif isinstance(item, Collection):
            seen.add(id(item))
            stack += item
        elif callable(reveal := getattr(item, "get_secret_value", None)):
            stack.append(reveal())
        elif (names := _field_names(type(item))) is not None:
            seen.add(id(item))
            stack += [getattr(item, name, None) for name in names]
        else:
            with suppress(Exception):  # what has no text cannot be quoted
                yield str(item)


def is_empty(value: object) -> bool:
    """Whether a secret is an empty text, or a list with one in it. What stands in objects may be no secret: it is not judged."""
    if callable(reveal := getattr(value, "get_secret_value", None)):
        value = reveal()
    if isinstance(value, list | tuple | set | frozenset):
        return any(map(is_empty, value))
    return isinstance(value, str | bytes) and not value


def _field_names(kind: type) -> Iterable[str] | None:
    """The fields of a model or a dataclass, and what a model keeps beside them; None for any other type."""
    if (fields := getattr(kind, "__pydantic_fields__", None)) is not None:
        return (*fields, "__pydantic_extra__")
    return getattr(kind, "__dataclass_fields__", None)


def _unfolded(text: str | bytes) -> Sequence[object]:
    """What a text holds that is JSON of a list or an object; nothing where it is none."""
    if text[:1] not in ("[", "{", b"[", b"{"):
        return ()
    try:
        inner: object = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    return (inner,)


_SHORTEST = 3
_RUN = 6
"""How many characters of a secret in a row are taken for a part of it."""


def quotes_part(message: str, secrets: Iterable[str | bytes]) -> bool:
    """Whether a message holds a part of a secret: six characters of it in a row, or the whole of one of three to five.

    Of a URL, scheme and host are no secret: a message may name them.
    """
    folded = message.casefold()
    runs = {folded[at : at + _RUN] for at in range(len(folded) - _RUN + 1)}
    for secret in secrets:
        text = secret.decode(errors="ignore") if isinstance(secret, bytes) else secret
        for part in _URL.sub(" ", text).casefold().split():
            if len(part) < _RUN:
                if len(part) >= _SHORTEST and part in folded:
                    return True
            elif any(part[at : at + _RUN] in runs for at in range(len(part) - _RUN + 1)):
                return True
    return False


_HOST = r"[A-Za-z0-9.-]+(?::\d+)?(?=[/?#\s]|$)"
_URL = re.compile(rf"^[a-z][a-z0-9+.-]*://(?:{_HOST})?|@{_HOST}", re.IGNORECASE | re.ASCII)
_USERINFO = re.compile(r"(://)\S*@")
_QUERY = re.compile(r"([?&][^=&#\s]+=)[^&#\s]+")


def masked_url(text: str) -> str:
    """The text with the credentials of every URL in it masked, by where they stand and not by what they are."""
    return _QUERY.sub(r"\1**********", _USERINFO.sub(r"\1**********@", text)) if "://" in text else text
