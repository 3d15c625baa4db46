"""Reading types: the shape of an annotation, with the constraints that stand beside it."""

import collections
import dataclasses
import ipaddress
import os
import re
import sys
import types
import uuid
import zoneinfo
from collections import abc
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import partial
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_type_hints

import pydantic
import pydantic_settings
from pydantic import Json, Secret, SecretBytes, SecretStr, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_json
from typing_inspection.typing_objects import is_typealiastype

from confguard._classes import input_keys
from confguard._types import origin_of
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

# Constraints by the names that annotated-types and pydantic give them, whatever carries them.
_LIMITS = """ge gt le lt multiple_of min_length max_length pattern max_digits decimal_places uuid_version path_type
allowed_schemes encoder""".split()  # noqa: SIM905 - a list of words is easier to read so
_LISTS = (list, abc.Sequence, abc.MutableSequence, abc.Collection, abc.Iterable)
_SETS = (set, abc.Set, abc.MutableSet)
_TABLES = (dict, abc.Mapping, abc.MutableMapping, collections.OrderedDict, collections.defaultdict, collections.Counter)
_NUMBERS = (int, float, Decimal)
_TIMES = (datetime, date, time, timedelta)
# Types of pydantic that are a date with a condition.
_MOMENTS: Mapping[object, Ordered] = {
    pydantic.PastDate: Ordered(date, side="past"),
    pydantic.FutureDate: Ordered(date, side="future"),
    pydantic.PastDatetime: Ordered(datetime, side="past"),
    pydantic.FutureDatetime: Ordered(datetime, side="future"),
    pydantic.AwareDatetime: Ordered(datetime, aware=True),
    pydantic.NaiveDatetime: Ordered(datetime),
}
# Addresses and domains are of those that nobody has: RFC 5737, 3849 and 2606.
_EXAMPLES: Mapping[object, object] = {
    ipaddress.IPv4Address: ipaddress.IPv4Address("192.0.2.1"),
    ipaddress.IPv6Address: ipaddress.IPv6Address("2001:db8::1"),
    ipaddress.IPv4Interface: ipaddress.IPv4Interface("192.0.2.1/24"),
    ipaddress.IPv6Interface: ipaddress.IPv6Interface("2001:db8::1/64"),
    ipaddress.IPv4Network: ipaddress.IPv4Network("192.0.2.0/24"),
    ipaddress.IPv6Network: ipaddress.IPv6Network("2001:db8::/64"),
    pydantic.IPvAnyAddress: "192.0.2.1",
    pydantic.IPvAnyInterface: "192.0.2.1/24",
    pydantic.IPvAnyNetwork: "192.0.2.0/24",
    pydantic.EmailStr: "name@example.com",
    pydantic.NameEmail: "Name <name@example.com>",
    zoneinfo.ZoneInfo: "UTC",
    re.Pattern: ".*",
    Fraction: Fraction(1),
    complex: 1j,
}
_JSON: Any = Json  # to type checkers a function of types
_PATHS = {"file": Path(sys.executable), "dir": Path(sys.prefix)}

Limits = Mapping[str, Any]
Above = tuple[type, ...]


def shape_of(annotation: Any, metadata: Sequence[object] = (), above: Above = ()) -> Shape:
    """The shape of a type.

    Args:
        annotation: The type.
        metadata: What stands beside it in `Annotated` or in a field.
        above: The models that it stands in; one that contains itself ends there.
    """
    annotation, metadata = _unwrapped(annotation, tuple(_flat(metadata)))
    as_json = [item for item in metadata if item is _JSON or isinstance(item, _JSON)]
    if as_json or annotation is _JSON:
        inner = Any if annotation is _JSON else annotation
        return Made(shape_of(inner, [item for item in metadata if item not in as_json], above), _as_json)
    origin = origin_of(annotation)
    if origin in (Union, types.UnionType):
        return OneOf(tuple(shape_of(arg, metadata, above) for arg in get_args(annotation)))
    if origin is Literal:
        return Choice(get_args(annotation))
    if annotation in (None, type(None)):
        return Choice((None,))
    if isinstance(annotation, TypeVar):
        return shape_of(annotation.__bound__ or Any, metadata, above)
    kind = str if annotation in (Any, object) else origin or annotation
    if not isinstance(kind, type):
        return Unknown(f"nothing is known of the type {annotation!r}")
    limits = _limits(metadata)
    return _leaf(kind, limits) or _secret(kind, annotation, metadata, above) or _collection(kind, annotation, limits, above)


def _unwrapped(annotation: Any, metadata: tuple[object, ...]) -> tuple[Any, tuple[object, ...]]:
    """A type without `Annotated`, aliases and `NewType`, and what stood beside it."""
    while True:
        if origin_of(annotation) is Annotated:
            annotation, *more = get_args(annotation)
            metadata = (*_flat(more), *metadata)
        elif is_typealiastype(alias := origin_of(annotation) or annotation):
            annotation = alias.__value__
        elif hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        else:
            return annotation, metadata


def _flat(metadata: Iterable[object]) -> Iterator[object]:
    for item in metadata:
        if isinstance(item, FieldInfo):
            yield from item.metadata
        else:
            yield item


def _limits(metadata: Iterable[object]) -> Limits:
    """The constraints among what stands beside a type; of two of a kind the last."""
    found = ((name, getattr(item, name, None)) for item in metadata for name in _LIMITS)
    return {name: value for name, value in found if value is not None}


def _as_json(value: object) -> str:
    return to_json(value).decode()


def _leaf(kind: type, limits: Limits) -> Shape | None:
    """The shape of a type that holds nothing else; None for any other."""
    if kind in _MOMENTS:
        return dataclasses.replace(_MOMENTS[kind], **_range(limits))
    if kind in _EXAMPLES:
        return Plain(kind, _EXAMPLES[kind])
    if issubclass(kind, bool | Enum):
        return _members(kind)
    if issubclass(kind, str | bytes):
        return _text(bytes if issubclass(kind, bytes) else str, limits)
    for ordered in (*_NUMBERS, *_TIMES):
        if issubclass(kind, ordered):
            return Ordered(ordered, **_range(limits))
    if issubclass(kind, uuid.UUID):
        version = limits.get("uuid_version")
        return Plain(kind, uuid.UUID(f"00000000-0000-{version or 4}000-8000-000000000001"), version)
    if issubclass(kind, PurePath) or kind is os.PathLike:
        return Plain(kind, _PATHS.get(limits.get("path_type", ""), Path("/nonexistent/fake")))
    if hasattr(kind, "unicode_string"):
        return _url(kind, limits)
    return None


def _members(kind: type[bool] | type[Enum]) -> Shape:
    values = (False, True) if issubclass(kind, bool) else tuple(kind)
    return Choice(values) if values else Unknown(f"{kind.__qualname__} has no member")


def _range(limits: Limits) -> dict[str, Any]:
    names = {"multiple_of": "step", "max_digits": "digits", "decimal_places": "places"}
    found = {names.get(name, name): value for name, value in limits.items()}
    return {name: found[name] for name in ("ge", "gt", "le", "lt", "step", "digits", "places") if name in found}


def _text(kind: type[str] | type[bytes], limits: Limits) -> Shape:
    pattern = limits.get("pattern")
    pattern = pattern.pattern if isinstance(pattern, re.Pattern) else pattern
    text = Text(kind, limits.get("min_length", 0), limits.get("max_length"), pattern)
    return Made(text, partial(_encoded, limits["encoder"])) if "encoder" in limits else text


def _encoded(encoder: Any, value: str | bytes) -> Any:
    return encoder.encode(value.encode()).decode() if isinstance(value, str) else encoder.encode(value)


def _url(kind: type, limits: Limits) -> Shape:
    wanted = {**_url_schema(TypeAdapter(kind).core_schema), **limits}
    return Url(tuple(wanted.get("allowed_schemes") or ("https",)), wanted.get("max_length"))


def _url_schema(schema: Any) -> dict[str, Any]:
    """What pydantic's own schema of a URL type says of it."""
    while isinstance(schema, Mapping) and schema.get("type") not in ("url", "multi-host-url"):
        schema = schema.get("schema")
    return dict(schema or {})


def _secret(kind: type, annotation: Any, metadata: Sequence[object], above: Above) -> Shape | None:
    if issubclass(kind, SecretStr | SecretBytes):
        return Hidden(shape_of(bytes if issubclass(kind, SecretBytes) else str, metadata, above))
    if not issubclass(kind, Secret):
        return None
    bases = (annotation, *getattr(kind, "__orig_bases__", ()))
    inner = next((args[0] for base in bases if (args := get_args(base))), Any)
    return Hidden(shape_of(inner, metadata, above))


def _collection(kind: type, annotation: Any, limits: Limits, above: Above) -> Shape:
    args = get_args(annotation)
    bounds: dict[str, Any] = {"shortest": limits.get("min_length", 0), "longest": limits.get("max_length")}
    if kind is tuple and args and args[-1] is not Ellipsis:
        return Row(tuple(shape_of(arg, (), above) for arg in args if arg != ()))
    if kind in _TABLES:
        key, value = (*args, *((int,) if kind is collections.Counter else ()), Any, Any)[:2]
        return Table(shape_of(key, (), above), shape_of(value, (), above), **bounds)
    make: Callable[[Sequence[Any]], Any] | None = None
    if kind in _LISTS:
        make = list
    elif kind in _SETS or kind is frozenset:
        make = frozenset if kind is frozenset else set
    elif kind in (tuple, collections.deque):
        make = tuple if kind is tuple else collections.deque
    if make is not None:
        item = shape_of(args[0] if args else Any, (), above)
        return Items(make, item, **bounds, unique=make in (set, frozenset))
    return _record(kind, above) if kind not in above else Unknown(f"{kind.__qualname__} contains itself")


def _record(kind: type, above: Above) -> Shape:
    above = (*above, kind)
    if (fields := getattr(kind, "__pydantic_fields__", None)) is not None:
        if getattr(kind, "__pydantic_root_model__", False):
            return shape_of(fields["root"].annotation, fields["root"].metadata, above)
        return model_record(kind, above)
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return Row(tuple(shape_of(hint, (), above) for hint in _hints(kind).values()))
    required: Collection[str] | None = getattr(kind, "__required_keys__", None)
    if dataclasses.is_dataclass(kind):
        no = dataclasses.MISSING
        required = {item.name for item in dataclasses.fields(kind) if item.default is no and item.default_factory is no}
    if required is None:
        return Unknown(f"nothing is known of the type {kind.__qualname__}")
    hints = _hints(kind).items()
    return Record(kind, {name: Entry(name, (name,), shape_of(hint, (), above), name in required) for name, hint in hints})


def _hints(kind: type) -> Mapping[str, Any]:
    hints = get_type_hints(kind, include_extras=True)
    return {name: _without_qualifier(hint) for name, hint in hints.items()}


def _without_qualifier(hint: Any) -> Any:
    """A type without ``Required[…]``, ``NotRequired[…]`` and ``ReadOnly[…]`` of typed dictionaries."""
    while getattr(origin_of(hint), "_name", None) in ("Required", "NotRequired", "ReadOnly"):
        hint = get_args(hint)[0]
    return hint


def model_record(model: type, above: Above = ()) -> Record:
    """The record of a pydantic model, a pydantic dataclass or a settings class."""
    config: Mapping[str, Any] = getattr(model, "model_config", None) or getattr(model, "__pydantic_config__", {})
    fields: Mapping[str, FieldInfo] = model.__pydantic_fields__  # type: ignore[attr-defined] # of models and dataclasses alike
    entries = {name: _entry(name, info, config, above or (model,)) for name, info in fields.items()}
    return Record(model, entries, issubclass(model, pydantic_settings.BaseSettings))


def _entry(name: str, info: FieldInfo, config: Mapping[str, Any], above: Above) -> Entry:
    keys, _ = input_keys(name, info, config)
    factory = info.default_factory
    loads = isinstance(factory, type) and issubclass(factory, pydantic_settings.BaseSettings)  # a default that reads sources
    default = None if info.default is PydanticUndefined else info.default
    return Entry(name, keys[0], shape_of(info.annotation, info.metadata, above), info.is_required() or loads, default)
