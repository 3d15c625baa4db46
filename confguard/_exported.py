"""Settings as variables: for a command that reads the same class, or the variables themselves, and no store.

A value is written as its source gave it, and not as pydantic made it: what is read back then passes the same validators once.
"""

import json
import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import Enum
from typing import Any

from pydantic import BaseModel, RootModel
from pydantic_core import PydanticSerializationError, to_jsonable_python
from pydantic_settings import NoDecode

from confguard._classes import input_keys
from confguard._explain import value_at
from confguard._load import Load
from confguard._outside import MARK
from confguard._places import Places
from confguard._problem import Problem
from confguard._schema import Node, Trail
from confguard._state import ABSENT, find, merged, place

# What Linux takes: of one string 32 pages, with the name, "=" and the NUL behind it; of all together, with a pointer for each.
_LONGEST = 32 * os.sysconf("SC_PAGE_SIZE")
_TOGETHER = os.sysconf("SC_ARG_MAX")
_POINTER, _RESERVE = 8, 4096


@dataclass(slots=True)
class Exported:
    """The variables of one load.

    Attributes:
        variables: By name, the text. Secrets are among them.
        hidden: Other spellings of these names in the environment, which the class would read too.
        problems: What cannot be written into a variable.
    """

    variables: dict[str, str] = field(default_factory=dict, repr=False)
    hidden: frozenset[str] = frozenset()
    problems: list[Problem] = field(default_factory=list)


class _CannotSayError(Exception):
    """A value that no variable can hold; the message says why, without the value."""


def export(load: Load, settings: Any, environment: Collection[str]) -> Exported:
    """The variables by which the class would read the wanted fields of its settings.

    Args:
        load: The load, which still has its values.
        settings: The settings.
        environment: The names of the variables that there are.
    """
    exported = Exported()
    source = next((places for places in load.places if places.label == "env"), None)
    if source is None:
        message = "the class has no source that reads variables, so that a command could not read its settings back"
        exported.problems.append(Problem("unconfigured", "", message, settings_class=load.schema.name))
        return exported
    tree = merged(load.state, load.fetched)
    for trail in load.schema.leaves:
        if load.wanted(trail[-1].path):
            _add(exported, load, source, _carrier(source, trail), tree, settings)
    folded = {source.folded(name) for name in exported.variables}
    others = (name for name in environment if name not in exported.variables)
    exported.hidden = frozenset(name for name in others if source.folded(name) in folded)
    return exported


def exceeds(command: Sequence[str], environment: Mapping[str, str]) -> Problem | None:
    """The problem of a command and its variables that are too much for the system; None where they are not."""
    strings = [*command, *(f"{name}={text}" for name, text in environment.items())]
    size = sum(len(os.fsencode(string)) + 1 + _POINTER for string in strings) + _RESERVE
    if size <= _TOGETHER:
        return None
    message = f"the command and its variables take {size:,} bytes together, and the system takes {_TOGETHER:,}"
    return Problem("invalid", "", message, tip="export less: --only FIELD, --drop NAME")


def _carrier(source: Places, trail: Trail) -> Trail:
    """The field, or the innermost model around it that one variable can name; each by the first alias that is a plain name."""
    depth = len(trail) if source.names(trail) else 1  # without a delimiter a nested model comes as a whole
    if most := getattr(source.source, "env_nested_max_split", None):
        depth = min(depth, int(most) + 1)
    named: list[Node] = []
    for node in trail[:depth]:
        at = next((at for at, key in enumerate(node.keys) if len(key) == 1), None)
        if at is None and named:
            break
        last = at == len(node.keys) - 1
        named.append(node if at is None else replace(node, keys=(node.keys[at],), by_name=node.by_name and last))
    return tuple(named)


def _add(exported: Exported, load: Load, source: Places, carrier: Trail, tree: Mapping[str, Any], settings: Any) -> None:
    """Add one variable, or the problem of it."""
    node = carrier[-1]
    name = source.shown(source.names(carrier)[0])
    if name in exported.variables:
        return
    try:
        text = _text(load, carrier, tree, settings, getattr(source.source, "env_parse_none_str", None))
        if text is not None:
            _check(name, text, references=bool(load.settings_class.model_config.get("allowed_references")))
            exported.variables[name] = text
    except _CannotSayError as exc:
        origin = load.origins.get(node.path)
        tip = "leave it out with --only, and let the command read it from where it is"
        exported.problems.append(
            Problem("invalid", node.path, f"{name}: {exc}", tip=tip, origin=origin, settings_class=load.schema.name)
        )


def _text(load: Load, carrier: Trail, tree: Mapping[str, Any], settings: Any, none: str | None) -> str | None:
    """What the variable holds; None where there has to be none.

    Raises:
        _CannotSayError: No text says it.
    """
    node = carrier[-1]
    given = _given(load, carrier, tree)
    if given is ABSENT:
        if _is_undecoded(load, carrier):
            return None  # the default of what a validator takes apart; its text is for that validator to know
        given = value_at(settings, node.path)
        with suppress(_CannotSayError):
            return _written(given, none)
        return None  # the command's class has the same default
    if given is None and none is None and not node.optional:
        raise _CannotSayError("is None, which no variable can say unless the class has env_parse_none_str")
    return _written(given, none)


def _written(value: object, none: str | None) -> str | None:
    plain = _plain(value)
    if plain is None:
        return none
    return plain if isinstance(plain, str) else json.dumps(plain)


def _given(load: Load, carrier: Trail, tree: Mapping[str, Any]) -> object:
    """What sources and stores gave for a field, or for the wanted fields in a model."""
    node = carrier[-1]
    if len(node.keys[0]) > 1:  # an alias path: the variable is named by its beginning, and holds the rest
        return tree.get(str(node.keys[0][0]), ABSENT)
    trail = load.schema.trails[node.path]
    given = find(tree, trail)
    if not isinstance(given, Mapping) or load.wanted_whole(node.path):
        return given
    wanted: dict[str, object] = {}
    for leaf in load.schema.leaves_of(node.path):
        if load.wanted(leaf[-1].path) and (value := find(tree, leaf)) is not ABSENT:
            place(wanted, given, leaf[len(trail) :], value)
    return wanted


def _is_undecoded(load: Load, carrier: Trail) -> bool:
    info = load.settings_class.model_fields[carrier[0].name]
    return NoDecode in info.metadata or load.settings_class.model_config.get("enable_decoding") is False


def _check(name: str, text: str, *, references: bool) -> None:
    if "=" in name or "\0" in name:
        raise _CannotSayError("no variable can have this name")
    if "\0" in text:
        raise _CannotSayError("holds a NUL byte, which no variable can")
    try:
        size = len(os.fsencode(f"{name}={text}")) + 1
    except UnicodeEncodeError:
        size = 0
    if not size:
        raise _CannotSayError("holds characters that a variable cannot hold here")
    if size > _LONGEST:
        raise _CannotSayError(f"is too long: a variable with its name takes {_LONGEST:,} bytes at most")
    if references and text.startswith(MARK):
        raise _CannotSayError(f"begins with {MARK}, so that the command would take it for a reference")


def _plain(value: object) -> Any:
    """A value as JSON has it, its secrets among it.

    Raises:
        _CannotSayError: JSON cannot say it.
    """
    if value is None or (isinstance(value, bool | int | float) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, str):
        return str(value)
    if callable(reveal := getattr(value, "get_secret_value", None)):
        return _plain(reveal())
    if isinstance(value, RootModel):
        return _plain(value.root)
    if isinstance(value, BaseModel):
        return {_key(type(value), name): _plain(item) for name, item in value.__dict__.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, Collection) and not isinstance(value, bytes | bytearray):
        return [_plain(item) for item in value]
    return _scalar(value)


def _scalar(value: object) -> Any:
    if hasattr(value, "unicode_string"):  # a URL of pydantic's
        return str(value)
    try:
        return value.decode() if isinstance(value, bytes | bytearray) else to_jsonable_python(value)
    except (UnicodeDecodeError, PydanticSerializationError):
        kind = type(value).__qualname__
    raise _CannotSayError(f"its value, of type {kind}, cannot be written as text")


def _key(model: type[BaseModel], name: str) -> str:
    info = model.model_fields.get(name)
    keys = input_keys(name, info, model.model_config)[0] if info is not None else ()
    return next((str(key[0]) for key in keys if len(key) == 1), name)
