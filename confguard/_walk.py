"""Redacting structures: a copy without secrets of whatever a logger, an error tracker or a response is about to give away.

It imports of ours only the redactor, and the room next door that copies exceptions.
"""

import dataclasses
import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any, TypeVar

from confguard._copied import attempted, copied_exception
from confguard._redaction import Redactor, redactor

T = TypeVar("T")

DEEPEST = 50
"""How many levels of a structure are looked into; what lies deeper is left out."""

LEFT_OUT = "[left out: nested too deep]"
MASK = "[redacted]"

KEYS: frozenset[str] = frozenset(
    """
    password passwd pwd passphrase secret secrets token auth authorization proxyauthorization cookie setcookie credential
    credentials apikey xapikey accesskey secretkey privatekey signingkey encryptionkey accesstoken refreshtoken idtoken authtoken
    csrftoken xcsrftoken session sessionid clientsecret connectionstring dsn xamzsecuritytoken xvaulttoken
    """.split()  # noqa: SIM905 - a list of words is easier to read so
)
"""Names whose values are masked whatever they are, written in small letters without ``-``, ``_`` and spaces."""

_FOLDED = re.compile(r"[^a-z0-9]")
_ENDINGS = ("password", "passwd", "secret", "token", "apikey", "privatekey", "secretkey", "credentials", "cookie")
_SHORT = range(-99, 1000)  # whole numbers of fewer characters than any form has


def scrub(value: Any, own: Redactor = redactor, keys: AbstractSet[str] = KEYS) -> Any:
    """A copy of a structure with no known secret in it, in any form; the structure itself where there was nothing to hide.

    Args:
        value: Text, bytes, numbers, dicts, lists, tuples, sets, dataclasses, pydantic models, exceptions with their notes, causes
            and groups, and any of these within each other. It is not changed. For any other object the text that it gives
            stands in where that holds a secret; what such an object holds and does not show is not looked into.
        own: Knows the secrets.
        keys: Names of entries and fields whose values are masked whatever they are, in small letters without separators;
            ``password`` and its like unless told, none where it is empty. A name that ends in one of the usual words,
            ``db_password`` say, is one of them too.

    Returns:
        The copy. Below 50 levels it says that something is left out. A cycle in it leads to where it leads in the original; one
        through a tuple or a set is cut.
    """
    walk = _Walk(own, keys)
    made = walk.of(value, 0)
    return made if walk.hid else value


def clean_exception(error: BaseException, own: Redactor = redactor) -> BaseException:
    """The same for an exception that is about to be shown: a copy that keeps the tracebacks, or the exception itself.

    The frames on the tracebacks still hold the values of their variables.
    """
    walk = _Walk(own, KEYS, tracebacks=True)
    made = walk.of(error, 0)
    return made if walk.hid and isinstance(made, BaseException) else error


class _Walk:
    """One walk through a structure.

    Attributes:
        own: Knows the secrets.
        hid: Whether anything in the copy is not as it was.
        tracebacks: Whether copies of exceptions keep theirs.
    """

    def __init__(self, own: Redactor, keys: AbstractSet[str], *, tracebacks: bool = False) -> None:
        self.own = own
        self.hid = False
        self.tracebacks = tracebacks
        self._keys = keys
        self._made: dict[int, object] = {}
        self._alive: list[object] = []  # so that no id is used again meanwhile

    def of(self, value: Any, depth: int) -> Any:
        """The copy of a value at a depth."""
        kind = type(value)  # never isinstance before something catches: what an object says that it is is code of its own
        if issubclass(kind, str):
            return self.text(value)
        if value is None or kind is bool:
            return value
        if issubclass(kind, bytes | bytearray | memoryview):
            return self._binary(value)
        if issubclass(kind, int | float):
            return self._number(value)
        if id(value) in self._made:
            return self._made[id(value)]
        if depth >= DEEPEST:
            return self.instead(LEFT_OUT)
        self._alive.append(value)
        self._made[id(value)] = LEFT_OUT  # what a cycle sees that comes back before there is a copy
        try:
            made = self._structure(value, depth + 1)
        except Exception:  # noqa: BLE001 - code of others runs here, and what cannot be walked can still be shown as text
            made = self._other(value, unshown=LEFT_OUT)
        self._made[id(value)] = made
        return made

    def text(self, value: str) -> str:
        """The copy of a text."""
        redacted = self.own.redact(value)
        return value if redacted is value else self.instead(redacted)

    def instead(self, made: T) -> T:
        """Something that is not what was there."""
        self.hid = True
        return made

    def begun(self, value: object, made: Any) -> None:
        """Let cycles lead to a copy that is not finished yet."""
        self._made[id(value)] = made

    def entry(self, name: object, item: Any, depth: int) -> Any:
        """The copy of what stands under a name."""
        hidden = item is not None and not isinstance(item, bool) and self._is_sensitive(name)
        return self.instead(MASK) if hidden else self.of(item, depth)

    def _is_sensitive(self, name: object) -> bool:
        """Whether a value under this name is masked whatever it is."""
        if not self._keys or not isinstance(name, str | bytes):
            return False
        text = name.decode("latin-1") if isinstance(name, bytes) else name
        folded = _FOLDED.sub("", text.lower())
        return folded in self._keys or folded.endswith(_ENDINGS)

    def _binary(self, value: bytes | bytearray | memoryview) -> Any:
        data = bytes(value)
        redacted = self.own.redact_bytes(data)
        if redacted is not data:
            self.hid = True
        elif not isinstance(value, bytearray):
            return value
        return bytearray(redacted) if isinstance(value, bytearray) else redacted

    def _number(self, value: float) -> Any:
        if isinstance(value, int) and value in _SHORT:
            return value
        # The class's own, since a subclass may write it otherwise; it refuses numbers of thousands of digits.
        digits = attempted(partial((int if isinstance(value, int) else float).__repr__, value))
        return value if digits is None or self.text(digits) == digits else self.own.redact(digits)

    def _structure(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if callable(getattr(kind, "get_secret_value", None)):
            return self.instead(MASK)
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        if isinstance(value, list | deque):
            return self._filled(value, kind() if kind in (list, deque) else [], depth)
        if isinstance(value, tuple):
            return self._tuple(value, depth)
        if isinstance(value, AbstractSet):
            items = [self._hashable(item, depth) for item in list(value)]
            return frozenset(items) if isinstance(value, frozenset) else set(items)
        if isinstance(value, BaseException):
            return copied_exception(self, value, depth)
        if dataclasses.is_dataclass(kind):
            return self._dataclass(value, depth)
        if hasattr(kind, "__pydantic_fields__"):
            return self._model(value, depth)
        return self._other(value)

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        self.begun(value, made)
        taken: dict[Any, int] = {}
        for key, item in list(value.items()):
            name = self._hashable(key, depth)
            while name in made:  # two keys that became the same are still two
                taken[name] = taken.get(name, 1) + 1
                name = f"{name} ({taken[name]})"
            made[name] = self.entry(key, item, depth)
        return made

    def _hashable(self, value: Any, depth: int) -> Any:
        made = self.of(value, depth)
        return made if attempted(partial(hash, made)) is not None else self.text(repr(made))

    def _filled(self, value: Iterable[Any], made: Any, depth: int) -> Any:
        self.begun(value, made)
        made.extend(self.of(item, depth) for item in list(value))
        return made

    def _tuple(self, value: tuple[Any, ...], depth: int) -> Any:
        if len(value) == 2 and isinstance(value[0], str | bytes):  # may be an entry of a list of pairs: headers, say
            items = [self.of(value[0], depth), self.entry(*value, depth)]
        else:
            items = [self.of(item, depth) for item in value]
        make: Callable[..., Any] | None = getattr(type(value), "_make", None)  # of a named tuple
        made = None if make is None else attempted(partial(make, items))
        return tuple(items) if made is None else made

    def _dataclass(self, value: Any, depth: int) -> Any:
        """One of the same class, made without its constructor, which may refuse a mask."""
        made = object.__new__(type(value))
        self.begun(value, made)
        names = dict.fromkeys(field.name for field in dataclasses.fields(value) if hasattr(value, field.name))
        for name in [*names, *(getattr(value, "__dict__", {}).keys() - names)]:
            object.__setattr__(made, name, self.entry(name, getattr(value, name), depth))
        return made

    def _model(self, value: Any, depth: int) -> Any:
        """A pydantic model of the same class, made without validation."""
        made = object.__new__(type(value))
        self.begun(value, made)
        object.__setattr__(made, "__pydantic_fields_set__", set(value.__pydantic_fields_set__))
        for name in ("__dict__", "__pydantic_extra__", "__pydantic_private__"):
            state = getattr(value, name, None)
            clean = None if state is None else {key: self.entry(key, item, depth) for key, item in list(state.items())}
            object.__setattr__(made, name, clean)
        return made

    def _other(self, value: Any, unshown: str | None = None) -> Any:
        """The object, or a text of it where one holds a secret.

        Args:
            value: The object.
            unshown: What stands in for it where it cannot be shown; None if it may stay, since then nobody else can show it.
        """
        shown = False
        plain: Any = object.__str__
        for show in (repr,) if type(value).__str__ is plain else (str, repr):
            try:
                text = show(value)
            except RecursionError:  # here, and perhaps not where there is more room on the stack
                return self.instead(LEFT_OUT)
            except Exception:  # noqa: BLE001, S112 - code of others, which may raise anything
                continue
            shown = True
            if self.own.holds_secret(text):
                return self.instead(self.own.redact(text))
        return value if shown or unshown is None else self.instead(unshown)
