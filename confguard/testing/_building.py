"""Building settings of a tree of values, without any source: what `valid_settings` and the strategies share."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

from pydantic import ValidationError
from pydantic_settings import BaseSettings

import confguard
from confguard._alone import given_alone
from confguard._classes import schema_of
from confguard._deciding import Deciders
from confguard._explain import known, value_at
from confguard._invalid import faulty_code, invalid
from confguard._load import Load
from confguard._places import Places
from confguard._problem import Problem
from confguard._rules import ask_rules, fields_read
from confguard._schema import Schema
from confguard._state import ABSENT
from confguard._values import closest
from confguard.exceptions import ConfigError
from confguard.testing._shapes import Entry, Record, Shape, not_none, record_of, within
from confguard.testing._simple import Blanks, plant
from confguard.testing._types import model_record

Maker = Callable[[Shape, str, Blanks], Any]
"""Makes a value of a shape for a field path, or notes what cannot be made."""

_records: WeakKeyDictionary[type, Record] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Built:
    """What came of a tree.

    Attributes:
        settings: The settings; None where something is wrong.
        problems: What is wrong.
        give: The fields that would mend it.
    """

    settings: Any
    problems: Sequence[Problem] = ()
    give: Sequence[str] = ()


def record_of_class(settings_class: type[BaseSettings]) -> Record:
    """The record of a settings class, read once."""
    record = _records.get(settings_class)
    if record is None:
        schema_of(settings_class)  # completes a class whose annotations name what came later
        record = _records[settings_class] = model_record(settings_class)
    return record


def check_paths(schema: Schema, paths: Iterable[str]) -> None:
    """Raise where a path leads to no field.

    Raises:
        ValueError: It tells which path was probably meant.
    """
    for path in paths:
        if path not in schema.trails:
            by_alias = (known for known, trail in schema.trails.items() if (path,) in trail[-1].keys)
            meant = next(by_alias, None) or closest(path, schema.trails)
            tip = f"; did you mean {meant!r}?" if meant else ""
            raise ValueError(f"{schema.name.partition(':')[2]} has no field {path!r}{tip}")


def completed(record: Record, tree: Mapping[Any, Any], given: Mapping[str, Any], make: Maker, blanks: Blanks) -> dict[Any, Any]:
    """A tree with the given values in it, and with those that the conditions of the class then demand.

    Args:
        record: The record of the settings class.
        tree: The values of fields that have to be there; it is not changed.
        given: Values by field path.
        make: Makes the values that are lacking.
        blanks: What cannot be made; of that which is given nothing is left in it.
    """
    for path in sorted(given, key=lambda path: path.count(".")):
        tree = _with(record, tree, path.split("."), given[path], "", make, blanks)
    for path in _demanded(record.model, tree, given):
        value = make(not_none(within(record, path.split(".")).shape), path, blanks)
        if value is not ABSENT:
            tree = _with(record, tree, path.split("."), value, "", make, blanks)
    blanks[:] = [(path, why) for path, why in blanks if not any(f"{path}.".startswith(f"{name}.") for name in given)]
    return dict(tree)


def _with(
    record: Record, tree: Mapping[Any, Any], path: Sequence[str], value: Any, above: str, make: Maker, blanks: Blanks
) -> dict[Any, Any]:
    """A tree with one more value; models that lead to it are made where the tree has none."""
    entry = record.entries[path[0]]
    if len(path) == 1:
        return plant(tree, entry, value)
    here = f"{above}{entry.name}"
    inner = record_of(entry.shape)
    assert inner is not None  # noqa: S101 - only records have fields, and so paths that go on
    found = _found(tree, entry)
    opened = _opened(inner, entry.default if found is ABSENT else found, here)
    if opened is None:
        opened = make(inner, here, blanks)
    return plant(tree, entry, _with(inner, opened, path[1:], value, f"{here}.", make, blanks))


def _found(tree: Any, entry: Entry) -> Any:
    for part in entry.key:
        try:
            tree = tree[part]
        except (KeyError, IndexError, TypeError):
            return ABSENT
    return tree


def _opened(record: Record, value: object, path: str) -> Mapping[Any, Any] | None:
    """The values of a model, to change some of them; None where there is no model.

    Raises:
        ValueError: A value was given whole that has no parts.
    """
    if value is None:
        return None
    if isinstance(value, Mapping):
        return value
    fits = isinstance(value, record.model)
    if not fits:
        raise ValueError(f"{path} is given whole and in parts, and the whole is no {record.model.__qualname__} and no mapping")
    tree: dict[Any, Any] = {}
    for entry in record.entries.values():
        tree = plant(tree, entry, getattr(value, entry.name))
    return tree


def _demanded(settings_class: Any, tree: Mapping[Any, Any], given: Mapping[str, Any]) -> Iterator[str]:
    """The fields that conditions require and that are not given."""
    schema = schema_of(settings_class)
    deciders = Deciders(settings_class, schema)
    for trail in schema.conditional:
        node = trail[-1]
        is_given = any(f"{node.path}.".startswith(f"{name}.") or name.startswith(f"{node.path}.") for name in given)
        if node.required_when is None or is_given or deciders.read(node.required_when.facts, tree):
            continue
        if node.required_when.holds(deciders.values):
            yield node.path


def build(record: Record, tree: Mapping[str, Any]) -> Built:
    """The settings that a tree makes, judged by their conditions and rules, and nothing that they read besides."""
    load: Load = Load(record.model)
    load.state = dict(tree)
    load.origins.note(Places(None, "init"), load.state)
    settings, problems = _instance(load, record, tree, ())
    problems += load.schema.mistakes
    give = [problem.field for problem in problems if problem.field]
    if settings is not None and not problems:
        unmet = list(_unmet(load.schema, settings))
        broken, read = _broken(load, settings)
        problems = [*unmet, *broken]
        give = [*(problem.field for problem in unmet), *read]
    if settings is not None and not problems:
        known.remember(settings, load.origins)
    load.forget()
    return Built(None if problems else settings, problems, give)


def _instance(load: Load, record: Record, tree: Mapping[str, Any], above: tuple[str, ...]) -> tuple[Any, list[Problem]]:
    """The instance of one settings class, with those that are nested in it made first.

    Exceptions end here, since they hold values.
    """
    problems: list[Problem] = []
    closed = _closed(load, record, tree, above, problems)
    if problems:
        return None, problems
    model: Any = record.model
    try:
        return _alone(model, closed), []
    except ValidationError as exc:
        return None, list(invalid(exc, load, above or None))
    except ConfigError as exc:
        return None, list(exc.problems)
    except Exception as exc:  # noqa: BLE001 - of the user's own validators; becomes a problem
        return None, [faulty_code(exc)]


def _closed(
    load: Load, record: Record, tree: Mapping[str, Any], above: tuple[str, ...], problems: list[Problem]
) -> Mapping[str, Any]:
    """A tree in which what is to be settings is, which would read sources if pydantic made them."""
    for entry in record.entries.values():
        inner = record_of(entry.shape)
        value = _found(tree, entry) if inner is not None else ABSENT
        if inner is None or not isinstance(value, Mapping):
            continue
        path = (*above, entry.name)
        if inner.is_settings:
            value, wrong = _instance(load, inner, value, path)
            problems += wrong
        else:
            value = _closed(load, inner, value, path, problems)
        tree = plant(tree, entry, value)
    return tree


def _alone(model: Any, tree: Mapping[str, Any]) -> Any:
    """An instance of a settings class that reads no source; the user's own ``__init__`` is called."""
    if issubclass(model, confguard.BaseSettings):
        with given_alone(model, tree):
            return model()
    made = model.__new__(model)  # of a class of pydantic-settings' own, whose `__init__` always reads its sources
    model.__pydantic_validator__.validate_python(dict(tree), self_instance=made)
    return made


def _unmet(schema: Schema, settings: Any) -> Iterator[Problem]:
    """The conditions of made settings that do not hold: a field was given as None that has to be there."""
    for trail in schema.conditional:
        node = trail[-1]
        if node.required_when is None or value_at(settings, node.path) is not None:
            continue
        if node.required_when.holds({name: value_at(settings, name) for name in node.required_when.facts}):
            yield Problem("missing", node.path, "", tip=f"it is required when {node.required_when}")


def _broken(load: Load, settings: Any) -> tuple[list[Problem], list[str]]:
    """The problems of rules, and the fields that these rules read."""
    problems: list[Problem] = []
    read: list[str] = []
    claims = {claim: fields_read(load, name) for name, claim in load.schema.rules}
    for problem in ask_rules(load, settings):
        if problem.severity == "error":
            names = claims.get(problem.message, [])
            tip = f"it reads {', '.join(names)}" if names else problem.tip
            problems.append(replace(problem, tip=tip))
            read += names
    return problems, read
