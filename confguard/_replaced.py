"""Other values in the place of some in settings that are made already.

What is given is validated as pydantic would validate it there, with the values beside it at hand. The others stay as they are:
to validate a value once more can refuse it, or make another of it. Then what pydantic does with validated values is done again:
private attributes, `model_post_init` and the validators that run after.
"""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from pydantic import BaseModel
from pydantic_core import SchemaValidator

from confguard._partial import Within, within
from confguard._problem import Problem
from confguard.exceptions import ConfigError


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a model.

    Attributes:
        together: Validates those of the fields that are given, each as if there were no other.
        alone: Validates a field with the values of others at hand.
        looking: The fields whose validators may look at others.
        after: Runs the validators of the whole model that run after; None where it has none.
    """

    together: SchemaValidator
    alone: SchemaValidator
    looking: tuple[str, ...]
    after: SchemaValidator | None


_known: WeakKeyDictionary[type, _Known] = WeakKeyDictionary()


def validate_together(model: type, given: Mapping[str, object]) -> dict[str, Any]:
    """The validated values of fields, but for those whose validators may look at other fields, which are left out.

    Args:
        model: The model, or a dataclass of pydantic.
        given: The values by the fields' own names.

    Raises:
        pydantic.ValidationError: Some are not valid. It holds values, and tells their places by the fields' own names.
    """
    known = _known_of(model)
    found: dict[str, Any] = known.together.validate_python(given)
    return found if len(found) == len(given) else {name: found[name] for name in given if name in found}


def replaced(whole: Any, given: Mapping[str, object], above: str = "") -> Any:
    """Settings, or a model within them, made anew with some values replaced.

    Args:
        whole: What is replaced in. It stays as it is.
        given: By field path within it, the values as they are given.
        above: The path of the model, with a dot behind it.

    Raises:
        pydantic.ValidationError: A value is not valid, or a validator of the whole refuses it. It holds values.
        ConfigError: There is no model for a value to be put in.
    """
    names = getattr(type(whole), "__pydantic_fields__", None)
    if names is None:
        tip = f"override {above.removesuffix('.')} as a whole"
        raise ConfigError([Problem("invalid", f"{above}{next(iter(given))}", "there is no model to put it in", tip=tip)])
    values = (
        {name: value for name, value in vars(whole).items() if name in names}
        if hasattr(whole, "__dict__")
        else {name: getattr(whole, name) for name in names if hasattr(whole, name)}
    )
    inside: dict[str, dict[str, object]] = {}
    own: dict[str, object] = {}
    for path, value in given.items():
        if "." in path:
            name, _, rest = path.partition(".")
            inside.setdefault(name, {})[rest] = value
        else:
            own[path] = value
    known = _known_of(type(whole))
    values |= validate_together(type(whole), own)
    for name in known.looking:
        if name in own:
            values[name] = _alone(known, name, own[name], values)
    for name, values_inside in inside.items():
        values[name] = replaced(values.get(name), values_inside, f"{above}{name}.")
    return _made_anew(whole, values, {*own, *inside})


def _alone(known: _Known, name: str, value: object, others: Mapping[str, object]) -> Any:
    made: Any = known.alone.validate_assignment(dict(others), name, value)  # the values, extras, and the names that were set
    return made[0][name]


def _made_anew(whole: Any, values: dict[str, Any], new: set[str]) -> Any:
    if not isinstance(whole, BaseModel):
        made = copy.copy(whole)
        for name in new:
            object.__setattr__(made, name, values[name])  # a dataclass may be frozen
        return made
    model = type(whole)
    made = model.__new__(model)
    for name, value in {
        "__dict__": values,
        "__pydantic_fields_set__": whole.__pydantic_fields_set__ | new,
        "__pydantic_extra__": copy.copy(whole.__pydantic_extra__),
        "__pydantic_private__": None,
    }.items():
        object.__setattr__(made, name, value)
    if len(values) < len(model.__pydantic_fields__):
        return made  # settings of which some fields alone were loaded: what needs the whole does not run
    if model.__pydantic_post_init__:
        getattr(made, model.__pydantic_post_init__)(None)
    after = _known_of(model).after
    return made if after is None else after.validate_python(made)


def _known_of(model: Any) -> _Known:
    known = _known.get(model)
    if known is None:
        parts = within(model)
        listed = parts.schema["fields"]
        fields: dict[str, Any] = listed if isinstance(listed, dict) else {field["name"]: field for field in listed}
        looking = tuple(name for name, field in fields.items() if any(map(_has_info, _schemas(field))))
        thawed = {name: {**field, "frozen": False} for name, field in fields.items()}
        alone = {**parts.schema, "fields": thawed if isinstance(listed, dict) else [*thawed.values()]}
        bare = {
            name: {"type": "typed-dict-field", "schema": _without_default(field["schema"]), "required": False}
            for name, field in fields.items()
            if name not in looking
        }
        together = {"type": "typed-dict", "fields": bare, "extra_behavior": "ignore"}
        title = getattr(model, "model_config", {}).get("title") or model.__name__
        known = _Known(
            parts.validator(together, title=title),
            parts.validator(alone, title=title),
            looking,
            _after(parts, title),
        )
        if getattr(model, "__pydantic_complete__", True):
            _known[model] = known
    return known


def _without_default(schema: Any) -> Any:
    """The schema of a value alone: with its default it would come up with one for a field that is not given."""
    while schema["type"] == "default":
        schema = schema["schema"]
    return schema


def _after(parts: Within, title: str) -> SchemaValidator | None:
    wrappers = [wrapper for wrapper in parts.wrappers if wrapper["type"] == "function-after"]
    schema: dict[str, Any] = {"type": "any"}
    for wrapper in reversed(wrappers):
        schema = {"type": wrapper["type"], "function": wrapper["function"], "schema": schema}
    return parts.validator(schema, title=title) if wrappers else None


def _schemas(field: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The schemas of a field's value, but for those of models within it, whose validators look no further than the model."""
    stack: list[Any] = [field.get("schema")]
    while stack:
        part = stack.pop()
        if isinstance(part, Mapping):
            if part.get("type") not in ("model", "dataclass", "typed-dict"):
                yield part
                stack += part.values()
        elif isinstance(part, list | tuple):
            stack += part


def _has_info(schema: Mapping[str, Any]) -> bool:
    function = schema.get("function")
    return isinstance(function, Mapping) and function.get("type") == "with-info"
