"""The schema of a settings class: its fields as a tree, with what the core needs to know of each and nothing of any value."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_args
from weakref import WeakKeyDictionary

from pydantic import AliasChoices, AliasPath, BaseModel
from pydantic.fields import FieldInfo

from confguard._bindings import From
from confguard._problem import Problem
from confguard._reference import InvalidReferenceError, Reference
from confguard._types import infos_of, is_secret, is_structure, nested_model, parts

Key = tuple[str | int, ...]
"""How one alias reaches a value in the input: ``("APP_ENV",)``, or ``("db", 0, "host")`` for an alias path."""


@dataclass(frozen=True, slots=True)
class Node:
    """A field of a settings class or of a model nested in it.

    Attributes:
        path: The field path: ``db.password``.
        name: The field's own name: ``password``.
        keys: The ways in which an input may spell it, in pydantic's order of preference.
        by_name: Whether the last of the keys is the field's own name, and not an alias that happens to be equal.
        secret: Whether its value is one to hide, wholly or in part.
        required: Whether its own model wants it.
        optional: Whether its default is None, so that a model left alone stays away.
        is_json: Whether a text for it is read as JSON.
        reference: What it is bound to.
        children: Its fields, where it is a nested model.
        model: The nested model itself.
        default: The default of a secret, which is one too.
    """

    path: str
    name: str
    keys: tuple[Key, ...]
    by_name: bool = True
    secret: bool = False
    required: bool = True
    optional: bool = False
    is_json: bool = False
    reference: Reference | None = None
    children: "tuple[Node, ...]" = ()
    model: type | None = None
    default: object = dataclasses.field(default=None, repr=False, compare=False)

    @property
    def output(self) -> Key | None:
        """The way to hand pydantic a value for it, or None where there is only a place in a list."""
        return next((key for key in self.keys if all(isinstance(part, str) for part in key)), None)


@dataclass(frozen=True)
class Schema:
    """The fields of a settings class.

    Attributes:
        name: ``module:Class``.
        nodes: Its fields.
        models: The models nested in it.
        mistakes: What is wrong with the class itself.
    """

    name: str
    nodes: tuple[Node, ...]
    models: frozenset[type]
    mistakes: tuple[Problem, ...]

    @cached_property
    def trails(self) -> "Mapping[str, Trail]":
        """By field path, each field with the fields that lead to it, outermost first."""
        return {trail[-1].path: trail for trail in _trails(self.nodes, ())}

    @cached_property
    def leaves(self) -> "tuple[Trail, ...]":
        """The trail of every field that is no nested model."""
        return tuple(trail for trail in self.trails.values() if not trail[-1].children)

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name and alias of a field, here and in the models within: what a location may be told by."""
        models = [model for model in self.models if hasattr(model, "__pydantic_fields__")]
        inner = {name for model in models for name in model.__pydantic_fields__}
        return frozenset(inner) | {str(part) for trail in self.trails.values() for key in trail[-1].keys for part in key}

    @cached_property
    def flat(self) -> "tuple[tuple[str | int, Trail], ...]":
        """The leaves that an input can only hold at its top, under one key; with that key."""
        return tuple((trail[0].keys[0][0], trail) for trail in self.leaves if _is_flat(trail))

    @cached_property
    def deep(self) -> "tuple[Trail, ...]":
        """The other leaves."""
        return tuple(trail for trail in self.leaves if not _is_flat(trail))

    @cached_property
    def bound(self) -> "tuple[Trail, ...]":
        """The trail of every field with a binding."""
        return tuple(trail for trail in self.leaves if trail[-1].reference is not None)


Trail = tuple[Node, ...]
"""A field behind the fields that lead to it, outermost first: ``(db, db.password)``."""


def _is_flat(trail: Trail) -> bool:
    return len(trail) == 1 and len(trail[0].keys) == 1 and len(trail[0].keys[0]) == 1


def _trails(nodes: tuple[Node, ...], above: Trail) -> Iterator[Trail]:
    for node in nodes:
        yield (*above, node)
        yield from _trails(node.children, (*above, node))


_schemas: WeakKeyDictionary[type[BaseModel], Schema] = WeakKeyDictionary()


def schema_of(settings_class: type[BaseModel]) -> Schema:
    """The schema of a settings class, read once."""
    schema = _schemas.get(settings_class)
    if schema is None:
        if not settings_class.__pydantic_complete__:
            settings_class.model_rebuild(raise_errors=False)
        name = f"{settings_class.__module__}:{settings_class.__qualname__}"
        mistakes: list[Problem] = []
        nodes = _nodes(settings_class, "", (settings_class,), mistakes)
        models = frozenset(part for part in parts(settings_class) if isinstance(part, type) and issubclass(part, BaseModel))
        told = tuple(dataclasses.replace(mistake, settings_class=name) for mistake in mistakes)
        schema = Schema(name, nodes, models - {settings_class}, told)
        if settings_class.__pydantic_complete__:
            _schemas[settings_class] = schema
    return schema


def _nodes(model: type, prefix: str, above: tuple[type, ...], mistakes: list[Problem]) -> tuple[Node, ...]:
    config: Mapping[str, Any] = getattr(model, "model_config", None) or getattr(model, "__pydantic_config__", {})
    fields: Mapping[str, FieldInfo] = model.__pydantic_fields__  # type: ignore[attr-defined] # of models and dataclasses alike
    return tuple(_node(name, info, config, prefix, above, mistakes) for name, info in fields.items())


def _node(
    name: str,
    info: FieldInfo,
    config: Mapping[str, Any],
    prefix: str,
    above: tuple[type, ...],
    mistakes: list[Problem],
) -> Node:
    path = f"{prefix}{name}"
    model = nested_model(info.annotation)
    children = _nodes(model, f"{path}.", (*above, model), mistakes) if model and model not in above else ()
    keys, by_name = input_keys(name, info, config)
    secret = is_secret(info.annotation)
    node = Node(
        path=path,
        name=name,
        keys=keys,
        by_name=by_name,
        secret=secret,
        required=info.is_required(),
        optional=info.default is None and info.default_factory is None,
        is_json=bool(children) or is_structure(info.annotation),
        children=children,
        model=model,
        default=info.default if secret and not info.is_required() else None,
    )
    reference, faults = _binding(node, info)
    mistakes += [Problem("mistake", path, message, tip=tip) for message, tip in faults]
    return dataclasses.replace(node, reference=reference)


def _binding(node: Node, info: FieldInfo) -> tuple[Reference | None, list[tuple[str, str | None]]]:
    """The reference of a field, and what is wrong with the way it is bound."""
    bindings = [item for item in info.metadata if isinstance(item, From)]
    if not bindings:
        return None, _misplaced(node, info)
    binding, reference = bindings[0], None
    faults: list[tuple[str, str | None]] = []
    if len(bindings) > 1:
        faults.append(("it is bound twice", "keep one From(…)"))
    if node.children:
        faults.append(("a nested model cannot be bound as a whole", "bind its fields"))
    elif node.output is None:
        faults.append(("it is bound, and only an alias path into a list leads to it", "give it an alias that is a name"))
    if binding.secret and not node.secret and not node.children:
        tip = "make it SecretStr, SecretBytes or Secret[…], or say From(…, secret=False)"
        faults.append(("what a store holds is a secret, and its type would show it", tip))
    try:
        reference = binding.parse()
    except InvalidReferenceError as exc:
        faults.append((f"the reference {binding.reference!r} cannot be read: {exc}", None))
    return (None if faults else reference), faults


def _misplaced(node: Node, info: FieldInfo) -> list[tuple[str, str | None]]:
    """A binding as a default, without its call, in a union or in a model of a list binds nothing, and pydantic says nothing."""
    inside = [item for part in parts(info.annotation) for item in get_args(part)[1:]] if not node.children else []
    if not node.children:
        inside += [item for part in parts(info.annotation) for field in infos_of(part) for item in field.metadata]
    if isinstance(info.default, From) or any(item is From for item in info.metadata):
        return [("its From(…) binds nothing where it stands", "write Annotated[the type, From(…)]")]
    if any(isinstance(item, From) for item in inside):
        return [("its From(…) stands inside of the type and binds nothing", "write Annotated[the whole type, From(…)]")]
    return []


def input_keys(name: str, info: FieldInfo, config: Mapping[str, Any]) -> tuple[tuple[Key, ...], bool]:
    """The ways in which an input may spell a field, by pydantic's rules on aliases, and whether the last is its name."""
    by_alias = config.get("validate_by_alias") is not False
    by_name = config.get("validate_by_name")
    if by_name is None:
        by_name = config.get("populate_by_name")
    if by_name is None:
        by_name = not by_alias
    alias = info.validation_alias if by_alias else None
    choices = alias.choices if isinstance(alias, AliasChoices) else [alias] if alias is not None else []
    keys: list[Key] = [tuple(choice.path) if isinstance(choice, AliasPath) else (choice,) for choice in choices]
    by_name = bool(by_name) or not keys
    return (*keys, (name,)) if by_name else tuple(keys), by_name
