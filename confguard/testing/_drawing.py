"""A strategy for each shape."""

import string
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from operator import gt, lt, mul
from pathlib import PurePath
from typing import Any, cast
from uuid import UUID

from hypothesis import strategies as st

from confguard._state import ABSENT
from confguard.testing._shapes import (
    Choice,
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
from confguard.testing._simple import Blanks, bounds_of, planted, url_of, whole_bounds

_MORE = 4
"""How many values a collection has at most beyond those that it must have, so that examples stay readable."""
_LONGER = 20
_CHARS = st.characters(exclude_categories=["Cs", "Cc"])
_NAMES = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=8)
_UUIDS = {1, 2, 3, 4, 5}
_PAST, _FUTURE = 2000, 7999
_DATED: Mapping[type, Callable[..., st.SearchStrategy[Any]]] = {
    date: st.dates,
    datetime: st.datetimes,
    time: st.times,
    timedelta: st.timedeltas,
}


def strategy_of(shape: Shape, path: str, blanks: Blanks, *, secret: bool = False) -> st.SearchStrategy[Any]:
    """A strategy for the values of a shape, which gives `ABSENT` where there are none.

    Args:
        shape: The shape.
        path: The field path, which secrets tell.
        blanks: Gets what cannot be made.
        secret: Whether it is to look like a secret that is none.
    """
    match shape:
        case Choice():
            return st.sampled_from(shape.values)
        case Text():
            return _text(shape, path, secret=secret)
        case Ordered():
            return _ordered(shape)
        case Plain():
            return _plain(shape)
        case Url():
            return _url(shape, path, secret=secret)
        case Hidden() | Made():
            inner = strategy_of(shape.inner, path, blanks, secret=secret or isinstance(shape, Hidden))
            return inner if isinstance(shape, Hidden) else inner.map(partial(_unless_absent, shape.make))
        case Unknown():
            blanks.append((path, shape.why))
            return st.just(ABSENT)
        case Record():
            return _record(shape, path, blanks)
        case OneOf():
            return _one_of(shape, path, blanks, secret=secret)
        case _:
            return _collection(shape, path, blanks, secret=secret)


def _unless_absent(make: Callable[[Any], Any], value: Any) -> Any:
    return value if value is ABSENT else make(value)


def _text(shape: Text, path: str, *, secret: bool) -> st.SearchStrategy[Any]:
    start = f"fake-{path}-" if secret else ""
    if shape.pattern is not None:
        texts = _matching(shape, shape.pattern)
    elif start and shape.longest is not None and len(start) >= shape.longest:
        texts = st.just(start[: shape.longest])
    else:
        least = max(shape.shortest - len(start), 0)
        most = least + _LONGER if shape.longest is None else shape.longest - len(start)
        chars = st.characters(codec="ascii", exclude_categories=["Cc"]) if shape.kind is bytes else _CHARS
        texts = st.text(chars, min_size=least, max_size=most).map(start.__add__)
    return texts.map(str.encode) if shape.kind is bytes else texts


def _matching(shape: Text, pattern: str) -> st.SearchStrategy[str]:
    """Texts in which a pattern is found; its ``$`` is the end to pydantic, and to Python a line break before it, too."""
    strict = rf"{pattern[:-1]}\Z" if pattern.endswith("$") and not pattern.endswith(r"\$") else pattern
    texts = st.from_regex(strict)
    if shape.shortest or shape.longest is not None:
        longest = shape.longest
        texts = texts.filter(lambda text: shape.shortest <= len(text) and (longest is None or len(text) <= longest))
    return texts


def _url(shape: Url, path: str, *, secret: bool) -> st.SearchStrategy[str]:
    """URLs of hosts that cannot exist."""

    def url(scheme: str, nth: int, port: int | None) -> str:
        plain = url_of(Url((scheme,)), path, nth, secret=secret)
        return plain if port is None or scheme == "file" else f"{plain}:{port}"

    return st.builds(url, st.sampled_from(shape.schemes), st.integers(0, 9999), st.none() | st.integers(1, 65535))


def _plain(shape: Plain) -> st.SearchStrategy[Any]:
    if issubclass(shape.kind, UUID):
        return st.uuids(version=shape.version) if shape.version in _UUIDS else _uuid(shape)  # type: ignore[arg-type]
    if shape.kind is IPv4Address:
        return st.ip_addresses(v=4)
    if shape.kind is IPv6Address:
        return st.ip_addresses(v=6)
    if issubclass(shape.kind, PurePath) and str(shape.example).startswith("/nonexistent"):
        return st.lists(_NAMES, min_size=1, max_size=_MORE).map(lambda names: f"/nonexistent/{'/'.join(names)}")
    return st.just(shape.example)


def _uuid(shape: Plain) -> st.SearchStrategy[Any]:
    return st.uuids() if shape.version is None else st.just(shape.example)


def _ordered(shape: Ordered) -> st.SearchStrategy[Any]:
    if shape.step is not None:
        return _multiples(shape)
    if shape.kind is int:
        return st.integers(*whole_bounds(shape))
    low, high, _ = bounds_of(shape)
    if shape.kind is float:
        open_below, open_above = shape.ge is None and low is not None, shape.le is None and high is not None
        finite: Any = partial(st.floats, allow_nan=False, allow_infinity=False)
        return cast("st.SearchStrategy[float]", finite(low, high, exclude_min=open_below, exclude_max=open_above))
    if shape.kind is Decimal:
        # More digits than arithmetic keeps by default would be another question than the one that a test asks.
        places = shape.places if shape.places is not None else 2
        most = Decimal(10) ** ((shape.digits or 12) - places) - 1
        least = max(low, -most) if low is not None else -most
        return _within(shape, st.decimals(least, min(high, most) if high is not None else most, places=places))
    return _within(shape, _moments(shape, low, high))


def _moments(shape: Ordered, low: Any, high: Any) -> st.SearchStrategy[Any]:
    arguments: dict[str, Any] = {"timezones": st.just(UTC)} if shape.aware else {}
    first, last = (shape.kind(_FUTURE, 1, 1), shape.kind(_PAST, 1, 1)) if shape.side else (None, None)
    low = first if low is None and shape.side == "future" else low
    high = last if high is None and shape.side == "past" else high
    zones = [bound.tzinfo for bound in (low, high) if isinstance(bound, datetime) and bound.tzinfo]
    if zones:
        arguments["timezones"] = st.just(zones[0])
    bounds = {"min_value": low, "max_value": high}
    plain = {name: _without_zone(bound) for name, bound in bounds.items() if bound is not None}
    return _DATED[shape.kind](**plain, **arguments)


def _without_zone(bound: Any) -> Any:
    return bound.replace(tzinfo=None) if isinstance(bound, datetime) else bound


def _within(shape: Ordered, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Those between bounds that are excluded themselves."""
    for bound, compare in ((shape.gt, gt), (shape.lt, lt)):
        if bound is not None:
            values = values.filter(partial(_compares, compare, bound))
    return values


def _compares(compare: Callable[[Any, Any], bool], bound: Any, value: Any) -> bool:
    return compare(value, bound)


def _multiples(shape: Ordered) -> st.SearchStrategy[Any]:
    step: Any = shape.kind(str(shape.step))
    times: dict[str, Any] = {name: None if bound is None else bound / step for name, bound in _bounds(shape, step).items()}
    low, high = whole_bounds(Ordered(int, **times))
    return st.integers(low, high).map(partial(mul, step))


def _bounds(shape: Ordered, step: Any) -> dict[str, Any]:
    kind = type(step)
    bounds = {"ge": shape.ge, "gt": shape.gt, "le": shape.le, "lt": shape.lt}
    return {name: None if bound is None else kind(str(bound)) for name, bound in bounds.items()}


def _record(shape: Record, path: str, blanks: Blanks) -> st.SearchStrategy[dict[str | int, Any]]:
    """Trees of a record: what is required, and what has a default or not."""
    values: list[st.SearchStrategy[Any]] = []
    for entry in shape.entries.values():
        inner: Blanks = []
        value = strategy_of(entry.shape, f"{path}.{entry.name}" if path else entry.name, inner)
        if entry.required:
            blanks += inner
        values.append(value if entry.required else st.just(ABSENT) if inner else st.just(ABSENT) | value)
    return st.tuples(*values).map(lambda drawn: planted(zip(shape.entries.values(), drawn, strict=True)))


def _one_of(shape: OneOf, path: str, blanks: Blanks, *, secret: bool) -> st.SearchStrategy[Any]:
    found: list[tuple[st.SearchStrategy[Any], Blanks]] = []
    for member in shape.members:
        inner: Blanks = []
        found.append((strategy_of(member, path, inner, secret=secret), inner))
    good = [strategy for strategy, inner in found if not inner]
    if not good:
        blanks += found[0][1]
    return st.one_of(good) if good else st.just(ABSENT)


def _collection(shape: Items | Row | Table, path: str, blanks: Blanks, *, secret: bool) -> st.SearchStrategy[Any]:
    inner: Blanks = []
    if isinstance(shape, Row):
        row = st.tuples(*(strategy_of(item, path, inner, secret=secret) for item in shape.items))
        blanks += inner
        return st.just(ABSENT) if inner else row
    item = strategy_of(shape.item if isinstance(shape, Items) else shape.value, path, inner, secret=secret)
    key = strategy_of(shape.key, "key", inner) if isinstance(shape, Table) else None
    if inner:
        if shape.shortest:
            blanks += inner
            return st.just(ABSENT)
        return st.just(shape.make([]) if isinstance(shape, Items) else {})
    sizes: dict[str, Any] = {
        "min_size": shape.shortest,
        "max_size": shape.shortest + _MORE if shape.longest is None else shape.longest,
    }
    if isinstance(shape, Table):
        assert key is not None  # noqa: S101 - a table has keys
        return st.dictionaries(key, item, **sizes)
    return st.lists(item, **sizes, unique=True).map(shape.make) if shape.unique else st.lists(item, **sizes).map(shape.make)
