"""Overrides among the sources of a load: put in before all others are read, and once more when they have been.

The first time, so that nothing else is read for them. The second, since sources are merged: a mapping that a lower one gave
would stay in what an override replaces, and so would what stands under another alias or was read from the command line.
"""

from collections.abc import Mapping
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from confguard._classes import schema_of
from confguard._overrides import NAME, Layer
from confguard._replaced import replaced
from confguard._schema import Node, Trail
from confguard._sources import State
from confguard._state import ABSENT, find, merged


class OverrideSource(PydanticBaseSettingsSource):
    """Gives what overrides put in the place of values; stands first."""

    def __init__(self, settings_cls: type[BaseSettings], layers: tuple[Layer, ...]) -> None:
        super().__init__(settings_cls)
        self.__name__ = NAME  # what pydantic-settings keeps its state by
        self._layers = layers

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Nothing: a field alone is not asked for."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """The values, as a tree."""
        state: dict[str, Any] = {}
        impose(self._layers, state)
        return state


def impose(layers: tuple[Layer, ...], state: dict[str, Any]) -> None:
    """Put the values of overrides into a tree, whatever it has in their places. Mappings of others in it are not changed."""
    for layer in layers:
        trails = schema_of(layer.settings_class).trails
        for path, value in layer.values.items():
            trail = trails[path]
            if len(trail) == 1:  # as most are
                _set(state, trail[0], value)
            else:
                _put(state, trail, value)


def impose_on_others(layers: tuple[Layer, ...], state: dict[str, Any], given: Mapping[str, State]) -> None:
    """Put the values of overrides into what all sources gave together.

    A mapping that an override gave for a part of a model has displaced an instance that another source gave, or the default: the
    part is put into that.

    Args:
        layers: The overrides.
        state: What the sources gave, merged.
        given: The same by source, in their order.
    """
    parts = [(layer.settings_class, path) for layer in layers for path in layer.values if "." in path]
    others: Mapping[str, object] = {}
    for name, tree in given.items() if parts else ():
        others = others if name == NAME else merged(others, tree)
    for settings_class, path in parts:
        _put_back(settings_class, schema_of(settings_class).trails[path], state, others)
    impose(layers, state)


def _put_back(owner: type, trail: Trail, state: dict[str, Any], here: object) -> None:
    for at, node in enumerate(trail[:-1]):
        here = find(here, (node,))
        if here is ABSENT:
            here = _default(owner, node)
        if not isinstance(here, Mapping):
            if here is not ABSENT:
                _put(state, trail[: at + 1], here)
            return
        owner = node.model or owner


def _default(owner: Any, node: Node) -> object:
    """The default of a model, where it is an instance that no store is to fill; a factory's is none."""
    default = owner.__pydantic_fields__[node.name].default
    if not hasattr(type(default), "__pydantic_fields__") or _is_bound(node):
        return ABSENT
    return default


def _is_bound(node: Node) -> bool:
    return node.binding is not None or any(map(_is_bound, node.children))


def _put(tree: dict[str, Any], trail: Trail, value: object) -> None:
    for at, node in enumerate(trail):
        given = find(tree, (node,))
        inner = trail[at + 1 :]
        if not inner:
            _set(tree, node, value)
        elif isinstance(given, Mapping):
            tree = _set(tree, node, dict(given))
        elif hasattr(type(given), "__pydantic_fields__"):
            _set(tree, node, replaced(given, {".".join(step.name for step in inner): value}, f"{node.path}."))
            return
        else:
            tree = _set(tree, node, {})


def _set(tree: dict[str, Any], node: Node, value: Any) -> Any:
    """Put a value under the name that pydantic looks for first, and take away what stands under others."""
    if len(node.keys) == 1 and len(node.keys[0]) == 1:
        tree[node.keys[0][0]] = value  # type: ignore[index] # a key of one part is a name
        return value
    *path, last = node.keys[0]
    for key in node.keys[1:]:
        if len(key) == 1:
            tree.pop(key[0], None)  # type: ignore[arg-type] # a key of one part is a name
    for part in path:
        below = tree.get(str(part))
        tree[str(part)] = tree = dict(below) if isinstance(below, Mapping) else {}
    tree[str(last)] = value
    return value
