"""The simplest value of a shape: the same on every run, and of a secret one that nobody takes for a real one."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from confguard._schema import Key
from confguard._state import ABSENT
from confguard.testing._patterns import example_of
from confguard.testing._shapes import (
    Choice,
    Entry,
    Hidden,
    Items,
    Made,
    OneOf,
    Ordered,
    Plain,
    Record,
    Row,
    Shape,
    Table,
    Text,
    Unknown,
    Url,
)

Blanks = list[tuple[str, str]]
"""The field paths for which no value can be made, each with the reason."""

_DAY = datetime(2000, 1, 1)
_BASES: Mapping[type, Any] = {
    int: 1,
    float: 1.0,
    Decimal: Decimal(1),
    date: _DAY.date(),
    datetime: _DAY,
    time: time(12),
    timedelta: timedelta(seconds=1),
}
_UNITS: Mapping[type, Any] = {date: timedelta(days=1), datetime: timedelta(seconds=1), timedelta: timedelta(seconds=1)}
_FUTURE = 7999
"""In how many years the future is that a date of the future has."""


def simple(shape: Shape, path: str, blanks: Blanks, nth: int = 0, *, secret: bool = False) -> Any:
    """The simplest value of a shape, or `ABSENT` where there is none.

    Args:
        shape: The shape.
        path: The field path, which texts tell.
        blanks: Gets what cannot be made.
        nth: Which of several values that are to differ.
        secret: Whether it is to look like a secret that is none.
    """
    match shape:
        case Choice():
            return shape.values[nth % len(shape.values)]
        case Text():
            text = text_of(shape, path, nth, secret=secret)
            return _blank(path, f"no text is known that matches {shape.pattern}", blanks) if text is None else text
        case Ordered():
            return _ordered(shape, nth)
        case Plain():
            return shape.example
        case Url():
            return url_of(shape, path, nth, secret=secret)
        case Hidden() | Made():
            inner = simple(shape.inner, path, blanks, nth, secret=secret or isinstance(shape, Hidden))
            return inner if inner is ABSENT or isinstance(shape, Hidden) else shape.make(inner)
        case Unknown():
            return _blank(path, shape.why, blanks)
        case Record():
            entries = [entry for entry in shape.entries.values() if entry.required]
            return planted(
                (entry, simple(entry.shape, f"{path}.{entry.name}" if path else entry.name, blanks)) for entry in entries
            )
        case OneOf():
            return _first(shape, path, blanks, nth, secret=secret)
        case _:
            return _collected(shape, path, blanks, secret=secret)


def _blank(path: str, why: str, blanks: Blanks) -> object:
    blanks.append((path, why))
    return ABSENT


def _first(shape: OneOf, path: str, blanks: Blanks, nth: int, *, secret: bool) -> Any:
    """The value of the first member that has one; None comes last."""
    members = sorted(shape.members, key=lambda member: member == Choice((None,)))
    reasons: list[Blanks] = []
    for member in members:
        inner: Blanks = []
        value = simple(member, path, inner, nth, secret=secret)
        if not inner:
            return value
        reasons.append(inner)
    blanks += reasons[0]
    return ABSENT


def _collected(shape: Items | Row | Table, path: str, blanks: Blanks, *, secret: bool) -> Any:
    """A collection of one value, if it may have one, or as many as it must have."""
    inner: Blanks = []
    if isinstance(shape, Row):
        made = tuple(simple(item, path, inner, secret=secret) for item in shape.items)
        blanks += inner
        return ABSENT if inner else made
    count = max(shape.shortest, 1 if shape.longest is None else min(1, shape.longest))
    item = shape.item if isinstance(shape, Items) else shape.value
    values = [simple(item, path, inner, nth, secret=secret) for nth in range(count)]
    keys = [simple(shape.key, "key", inner, nth) for nth in range(count)] if isinstance(shape, Table) else []
    if inner and shape.shortest:
        blanks += inner
        return ABSENT
    if isinstance(shape, Items):
        return shape.make([] if inner else values)
    return {} if inner else dict(zip(keys, values, strict=True))


def planted(values: Any) -> dict[str | int, Any]:
    """A tree with the values of entries under their keys; those that are absent are left out."""
    tree: dict[str | int, Any] = {}
    for entry, value in values:
        if value is not ABSENT:
            tree = plant(tree, entry, value)
    return tree


def plant(tree: Mapping[Any, Any], entry: Entry, value: Any) -> dict[Any, Any]:
    """A copy of a tree that has a value where an input has that of a field."""
    return dict(_planted(tree, entry.key, value))


def _planted(branch: Any, key: Key, value: Any) -> Any:
    if not key:
        return value
    part, *rest = key
    if isinstance(part, str):
        inner = dict(branch) if isinstance(branch, Mapping) else {}
        inner[part] = _planted(inner.get(part), tuple(rest), value)
        return inner
    items = list(branch) if isinstance(branch, list | tuple) else []
    items += [None] * ((part + 1 if part >= 0 else -part) - len(items))
    items[part] = _planted(items[part], tuple(rest), value)
    return items


def text_of(shape: Text, path: str, nth: int = 0, *, secret: bool = False) -> str | bytes | None:
    """A text that tells the field; of a secret ``fake-api_key-0000``. None where it cannot have the pattern."""
    name = path.rpartition(".")[2]
    text = f"fake-{path}-{nth:04}" if secret else name if not nth else f"{name}{nth}"
    text = text.ljust(shape.shortest, "0" if secret else "x")
    if shape.longest is not None:
        text = text[: shape.longest]
    if shape.pattern is not None and not _has(text, shape.pattern):
        found = example_of(shape.pattern, shape.shortest, shape.longest)
        if found is None:
            return None
        text = found
    return text.encode() if shape.kind is bytes else text


def _has(text: str, pattern: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:  # pydantic reads them with another engine
        return False


def url_of(shape: Url, path: str, nth: int = 0, *, secret: bool = False) -> str:
    """A URL of a host that tells the field and cannot exist; of a secret with a password as `text_of` makes it."""
    scheme = shape.schemes[0]
    if scheme == "file":
        return "file:///nonexistent/fake"
    label = re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-")[:60] or "host"
    password = f"user:fake-{path}-{nth:04}@" if secret else ""
    return f"{scheme}://{password}{label}{nth or ''}.test"


def _ordered(shape: Ordered, nth: int) -> Any:
    if shape.kind is int:
        return _whole(shape, nth)
    low, high, middle = bounds_of(shape)
    base, unit = _base(shape), _UNITS.get(shape.kind, _BASES[int])
    if shape.kind is float or shape.kind is Decimal:
        unit = shape.kind(unit)
    if shape.kind is time:
        return low or high or base
    if low is None:
        value = base if high is None else min(base, high - (unit if shape.lt is not None else unit * 0))
    elif shape.ge is not None:
        value = low
    else:
        value = low + unit if high is None or low + unit < high else middle
    if shape.step is not None:
        step = shape.kind(str(shape.step))
        value = step * math.ceil(value / step)
        value += step if shape.gt is not None and value <= low else step * 0
        unit = step
    return value + unit * nth


def _base(shape: Ordered) -> Any:
    base = _BASES[shape.kind]
    if shape.side == "future":
        base = base.replace(year=_FUTURE)
    return base.replace(tzinfo=UTC) if shape.aware else base


def bounds_of(shape: Ordered) -> tuple[Any, Any, Any]:
    """The least and the greatest value, in the shape's own type, and what lies between; None where there is none."""
    low = next((_own(shape.kind, bound) for bound in (shape.ge, shape.gt) if bound is not None), None)
    high = next((_own(shape.kind, bound) for bound in (shape.le, shape.lt) if bound is not None), None)
    if shape.places is not None and shape.digits is not None and high is None and shape.kind is Decimal:
        high = Decimal(10) ** (shape.digits - shape.places) - 1
    middle = None if low is None or high is None or shape.kind is time else low + (high - low) / 2
    return low, high, middle


def _own(kind: type, bound: Any) -> Any:
    """A bound in the type of the values: pydantic takes an int for the bound of a float."""
    return float(bound) if kind is float else Decimal(str(bound)) if kind is Decimal else bound


def _whole(shape: Ordered, nth: int) -> int:
    step = int(shape.step or 1)
    low, high = whole_bounds(shape)
    if low is None:
        low = 1 if high is None else min(1, high)
        if step > 1 and high is not None and math.ceil(low / step) * step > high:
            low = (high // step) * step
    return (math.ceil(low / step) + nth) * step


def whole_bounds(shape: Ordered) -> tuple[int | None, int | None]:
    """The least and the greatest whole number."""
    lows = [math.ceil(shape.ge)] if shape.ge is not None else []
    lows += [math.floor(shape.gt) + 1] if shape.gt is not None else []
    highs = [math.floor(shape.le)] if shape.le is not None else []
    highs += [math.ceil(shape.lt) - 1] if shape.lt is not None else []
    return max(lows, default=None), min(highs, default=None)
