"""What is tried with bytes that a fuzzer chose: a redactor and a structure are made of them, and promises are checked."""

from collections.abc import Callable, Mapping
from typing import Any

from confguard._forms import forms_of
from confguard._redaction import Redactor
from confguard._walk import LEFT_OUT, scrub
from tests.holders import AttributedError, Frozen, Model, Plain, leaves

CANARY = "c4n/ry+ '<\""


class Choices:
    """Bytes, read as choices; when they are used up each is 0."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def number(self, below: int) -> int:
        return self.data(1)[0] % below

    def data(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        self._at += count
        return taken.ljust(count, b"\0")


def redactor(data: bytes) -> None:
    """Redacted bytes and text hold no form of a secret; to redact again changes nothing; a stream gives the same."""
    choices = Choices(data)
    known: list[str | bytes] = []
    for _ in range(1 + choices.number(4)):
        raw = choices.data(choices.number(24))
        known.append(raw if choices.number(4) == 0 else raw.decode("utf-8", "surrogateescape"))
    own = Redactor()
    for number, value in enumerate(known):
        own.learn(value, f"field{number}")
    forms = sorted({form for value in known for form in forms_of(value)})
    mixed = _mixed(choices, forms)
    redacted = own.redact_bytes(mixed)
    assert not any(form in redacted for form in forms), "a form is left"
    assert own.redact_bytes(redacted) == redacted, "redacted again it is another"
    assert (redacted == mixed) is not any(form in mixed for form in forms), "what holds nothing is not as it was"
    _check_stream(own, mixed, redacted)
    text = own.redact(mixed.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    assert not any(form in text for form in forms if form.isascii()), "a form is left in text"


def _mixed(choices: Choices, forms: list[bytes]) -> bytes:
    pieces: list[bytes] = []
    while choices.left > 0:
        if forms and choices.number(2):
            form = forms[int.from_bytes(choices.data(2), "big") % len(forms)]
            pieces.append(form if choices.number(3) else form[: choices.number(len(form) + 1)])
        else:
            pieces.append(choices.data(choices.number(8)))
    return b"".join(pieces)


def _check_stream(own: Redactor, mixed: bytes, redacted: bytes) -> None:
    for size in (1, 3, 7):
        stream = own.stream()
        given = b"".join(stream.feed(mixed[at : at + size]) for at in range(0, len(mixed), size)) + stream.end()
        assert given == redacted, "a stream gives another"


def walker(data: bytes) -> None:
    """No leaf of a copy holds the secret; the original is as it was, and is given back where there was nothing to hide."""
    own = Redactor()
    own.learn(CANARY, "key")
    needles = [form.decode() for form in forms_of(CANARY)]

    def held(value: object) -> bool:
        return any(needle in text for text in leaves(value) for needle in needles)

    original = _value(Choices(data), [], 0)
    before, held_before = _shown(original), held(original)
    clean = scrub(original, own, keys=frozenset())
    assert not held(clean), "a leaf holds the secret"
    assert _shown(original) == before, "the original was changed"
    is_too_deep = any(LEFT_OUT in text for text in leaves(clean))
    assert held_before or is_too_deep or clean is original, "what holds nothing is copied"


def _shown(value: object) -> str:
    try:
        return repr(value)
    except RecursionError:  # of dataclasses that hold themselves through exceptions, say
        return "deep"


_LEAVES: list[Callable[[Choices], Any]] = [
    lambda choices: choices.data(choices.number(6)).decode("latin-1"),
    lambda choices: choices.data(choices.number(6)),
    lambda choices: int.from_bytes(choices.data(choices.number(9)), "big", signed=True),
    lambda _: CANARY,
    lambda _: f"<{CANARY}>",
    lambda _: CANARY.encode().hex(),
    lambda _: bytearray(CANARY.encode()),
    lambda choices: [None, True, 1.5, float("nan")][choices.number(4)],
]


def _value(choices: Choices, made: list[Any], depth: int) -> Any:
    """A value; one of those that were made already, so that there are cycles, if the next choice says so."""
    kind = choices.number(20) if choices.left > 0 and depth < 60 else 0
    if kind < len(_LEAVES):
        return _LEAVES[kind](choices)
    if kind == len(_LEAVES) and made:
        return made[choices.number(len(made))]
    return _structure(kind, choices, made, depth)


def _structure(kind: int, choices: Choices, made: list[Any], depth: int) -> Any:
    def inner() -> Any:
        return _value(choices, made, depth + 1)

    if kind < 12:
        mutable: list[Any] | dict[Any, Any] = [] if kind < 10 else {}
        made.append(mutable)
        for _ in range(choices.number(5)):
            if isinstance(mutable, list):
                mutable.append(inner())
            else:
                mutable[_key(inner())] = inner()
        return mutable
    makers: Mapping[int, Callable[[], Any]] = {
        12: lambda: (inner(), inner()),
        13: lambda: Plain(inner(), inner()),
        14: lambda: Frozen(inner(), (inner(),)),
        15: lambda: Model.model_construct(first=inner(), second=inner()),
        16: lambda: AttributedError(5, body=inner()),
        17: lambda: _raised(inner(), inner()),
        18: lambda: frozenset({_key(inner()), _key(inner())}),
        19: lambda: ExceptionGroup("many", [ValueError(inner()), KeyError(inner())]),
    }
    value = makers[kind]()
    made.append(value)
    return value


def _raised(first: Any, second: Any) -> Exception:
    error = OSError(2, first, "a file") if isinstance(first, str) else ValueError(first)
    error.__cause__ = second if isinstance(second, BaseException) else None
    error.add_note(second if isinstance(second, str) else "a note")
    return error


def _key(value: Any) -> Any:
    try:
        hash(value)
    except (TypeError, RecursionError):
        return type(value).__name__
    return value


HARNESSES = {"redactor": redactor, "walker": walker}
