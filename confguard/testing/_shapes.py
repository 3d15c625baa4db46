"""The shape of a type: what a value of it may be, as plain data.

Valid settings take the simplest value of a shape, and strategies any.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from confguard._schema import Key


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some values: a literal, an enumeration, a boolean, None."""

    values: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """Text, or bytes.

    Attributes:
        kind: ``str`` or ``bytes``.
        shortest: The least length.
        longest: The greatest length; None where any will do.
        pattern: A regular expression that is found in it.
    """

    kind: type[str] | type[bytes] = str
    shortest: int = 0
    longest: int | None = None
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class Ordered:
    """A number, a moment or a span of time.

    Attributes:
        kind: int, float, Decimal, date, datetime, time or timedelta.
        ge: The least value, and so on.
        step: What it is a multiple of.
        digits: How many digits a decimal may have.
        places: How many of them behind the point.
        aware: Whether a moment has a time zone.
        side: Whether it lies in the past or in the future.
    """

    kind: type
    ge: Any = None
    gt: Any = None
    le: Any = None
    lt: Any = None
    step: Any = None
    digits: int | None = None
    places: int | None = None
    aware: bool = False
    side: Literal["past", "future"] | None = None


@dataclass(frozen=True, slots=True)
class Plain:
    """A value of a type that has one good example.

    Attributes:
        kind: The type.
        example: A value that it takes.
        version: Of a UUID.
    """

    kind: type
    example: object
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Url:
    """A URL.

    Attributes:
        schemes: The schemes that it may have.
        longest: Its greatest length; None where any will do.
    """

    schemes: tuple[str, ...]
    longest: int | None = None


@dataclass(frozen=True, slots=True)
class Items:
    """A collection of values of one shape."""

    make: Callable[[Sequence[Any]], Any]
    item: "Shape"
    shortest: int = 0
    longest: int | None = None
    unique: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A tuple of one value for each shape."""

    items: "tuple[Shape, ...]"


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping."""

    key: "Shape"
    value: "Shape"
    shortest: int = 0
    longest: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A field of a record.

    Attributes:
        name: Its own name.
        key: How an input spells it.
        shape: What its value may be.
        required: Whether a value has to be given.
        default: Its default, where that is a constant.
    """

    name: str
    key: Key
    shape: "Shape"
    required: bool
    default: object = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Record:
    """A model, a dataclass or a typed dictionary.

    Attributes:
        model: Its type.
        entries: Its fields by name.
        is_settings: Whether it is a settings class, whose instances read sources where they are made of a mapping.
    """

    model: type
    entries: "Mapping[str, Entry]"
    is_settings: bool = False


@dataclass(frozen=True, slots=True)
class OneOf:
    """A union: a value of one of the shapes."""

    members: "tuple[Shape, ...]"


@dataclass(frozen=True, slots=True)
class Hidden:
    """A secret with a value of a shape."""

    inner: "Shape"


@dataclass(frozen=True, slots=True)
class Made:
    """What a function makes of a value of a shape: JSON, or text in base64."""

    inner: "Shape"
    make: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing that could be made.

    Attributes:
        why: Why not.
    """

    why: str


Shape = Choice | Text | Ordered | Plain | Url | Items | Row | Table | Record | OneOf | Hidden | Made | Unknown


def record_of(shape: Shape) -> Record | None:
    """The record that a shape is, on its own or beside None."""
    if isinstance(shape, OneOf):
        others = [member for member in shape.members if member != Choice((None,))]
        return record_of(others[0]) if len(others) == 1 else None
    return shape if isinstance(shape, Record) else None


def not_none(shape: Shape) -> Shape:
    """A shape without None."""
    if isinstance(shape, OneOf):
        return OneOf(tuple(member for member in shape.members if member != Choice((None,))))
    return shape


def within(record: Record, path: Sequence[str]) -> Entry:
    """The field that a path leads to, which exists."""
    entry = record.entries[path[0]]
    inner = record_of(entry.shape)
    if len(path) == 1:
        return entry
    assert inner is not None  # noqa: S101 - only records have fields, and so paths that go on
    return within(inner, path[1:])
