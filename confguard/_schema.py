"""The schema of a settings class: its fields as a tree, with what the core needs to know of each and nothing of any value."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from confguard._bindings import When
from confguard._problem import Problem
from confguard._reference import Template

if TYPE_CHECKING:
    from pydantic import BaseModel

Key = tuple[str | int, ...]
"""How one alias reaches a value in the input: ``("APP_ENV",)``, or ``("db", 0, "host")`` for an alias path."""


@dataclass(frozen=True, slots=True)
class Binding:
    """What a field is bound to.

    Attributes:
        choices: The references, in the order in which they are tried; of a list, those of its elements.
        each: What the elements are, where every reference gives an element of a list.
        when: Binds only where this condition holds.
        secret: Whether what is fetched is a secret.
        on_outage: Whether the field's default stands in where the store cannot be asked.
    """

    choices: tuple[Template, ...]
    each: "Each | None"
    when: When | None
    secret: bool
    on_outage: bool

    @property
    def deciding(self) -> frozenset[str]:
        """The fields that decide whether and to what it is bound."""
        return frozenset(name for choice in self.choices for name in choice.names) | frozenset(
            self.when.facts if self.when else ()
        )


@dataclass(frozen=True, slots=True)
class Each:
    """The elements of a list that is bound element by element.

    Attributes:
        gaps: Whether None may stand for one that is missing.
        is_json: Whether a text for one is read as JSON.
    """

    gaps: bool
    is_json: bool


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
        takes_empty: Whether an empty secret is as good as any.
        children: Its fields, where it is a nested model.
        model: The nested model itself.
        default: The default of a secret, which is one too; of a model with secrets, the instance.
        makes_secret: Whether a function of the class makes that default, so that nobody else knows it.
        possible: The values that a literal or an enumeration can have; None for any other type.
        binding: What it is bound to.
        required_when: Where it is required although it has a default.
        file_variable: The variable that names a file with its value, where it is not called by the usual rule.
    """

    path: str
    name: str
    keys: tuple[Key, ...]
    by_name: bool
    secret: bool
    required: bool
    optional: bool
    is_json: bool
    takes_empty: bool
    children: "tuple[Node, ...]"
    model: type | None
    default: object = dataclasses.field(repr=False, compare=False)
    makes_secret: bool
    possible: tuple[object, ...] | None
    binding: Binding | None = None
    required_when: When | None = None
    file_variable: str | None = None

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
        rules: The name and the claim of each of its rules.
        computed: The names of its computed fields that are secrets.
        mistakes: What is wrong with the class itself.
    """

    name: str
    nodes: tuple[Node, ...]
    models: "frozenset[type[BaseModel]]"
    rules: tuple[tuple[str, str], ...]
    computed: tuple[str, ...]
    mistakes: tuple[Problem, ...] = ()

    @cached_property
    def trails(self) -> "Mapping[str, Trail]":
        """By field path, each field with the fields that lead to it, outermost first."""
        return {trail[-1].path: trail for trail in _trails(self.nodes, ())}

    @cached_property
    def leaves(self) -> "tuple[Trail, ...]":
        """The trail of every field that is no nested model."""
        return tuple(trail for trail in self.trails.values() if not trail[-1].children)

    @cached_property
    def names(self) -> frozenset[str | int]:
        """Every name and alias of a field, here and in the models within: what a location may be told by."""
        inner = frozenset(name for model in self.models for name in model.__pydantic_fields__)
        return inner | {part for trail in self.trails.values() for key in trail[-1].keys for part in key}

    @cached_property
    def flat(self) -> "tuple[tuple[str | int, Trail], ...]":
        """The leaves that an input can only hold at its top, under one key; with that key."""
        return tuple((trail[0].keys[0][0], trail) for trail in self.leaves if _is_flat(trail))

    @cached_property
    def flat_keys(self) -> frozenset[str | int]:
        """Their keys."""
        return frozenset(key for key, _ in self.flat)

    @cached_property
    def flat_secrets(self) -> "tuple[tuple[str | int, Trail], ...]":
        """Those of them that are secrets."""
        return tuple((key, trail) for key, trail in self.flat if trail[-1].secret)

    @cached_property
    def deep(self) -> "tuple[Trail, ...]":
        """The other leaves."""
        return tuple(trail for trail in self.leaves if not _is_flat(trail))

    @cached_property
    def secrets(self) -> "tuple[Trail, ...]":
        """The leaves that are secrets, as far as a value can be handed to them."""
        return tuple(trail for trail in self.leaves if trail[-1].secret and all(node.output is not None for node in trail))

    @cached_property
    def bound(self) -> "tuple[Trail, ...]":
        """The trail of every field with a binding."""
        return tuple(trail for trail in self.trails.values() if trail[-1].binding is not None)

    @cached_property
    def conditional(self) -> "tuple[Trail, ...]":
        """The trail of every field that a condition makes required."""
        return tuple(trail for trail in self.trails.values() if trail[-1].required_when is not None)

    @cached_property
    def structured(self) -> "tuple[Trail, ...]":
        """The trail of every field for which a text is read as JSON."""
        return tuple(trail for trail in self.trails.values() if trail[-1].is_json)

    @cached_property
    def choosy(self) -> "tuple[Trail, ...]":
        """The trail of every field that an input may spell in several ways, by its own name or by one that leads to it."""
        return tuple(trail for trail in self.trails.values() if any(len(node.keys) > 1 for node in trail))

    @cached_property
    def in_lists(self) -> frozenset[str]:
        """The paths of the fields of which the first alias that counts leads into a list, where no value can be put."""
        first = {path: [node.keys[0] for node in trail] for path, trail in self.trails.items()}
        return frozenset(path for path, keys in first.items() if any(isinstance(part, int) for key in keys for part in key))

    def leaves_of(self, path: str) -> "tuple[Trail, ...]":
        """The trail of a field that is no model, or of every one in the model that it is."""
        trail = self.trails[path]
        if not trail[-1].children:
            return (trail,)
        return tuple(trail for trail in self.leaves if trail[-1].path.startswith(f"{path}."))


Trail = tuple[Node, ...]
"""A field behind the fields that lead to it, outermost first: ``(db, db.password)``."""


def _is_flat(trail: Trail) -> bool:
    return len(trail) == 1 and len(trail[0].keys) == 1 and len(trail[0].keys[0]) == 1


def _trails(nodes: tuple[Node, ...], above: Trail) -> Iterator[Trail]:
    for node in nodes:
        yield (*above, node)
        yield from _trails(node.children, (*above, node))
