"""Settings that have some of their fields alone: what a migration or the build of an image needs."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from confguard._invalid import invalid
from confguard._load import Load
from confguard._partial import make, validate_fields
from confguard._schema import Node
from confguard._state import find, merged


def make_only(load: Load) -> Any:
    """The settings with the wanted fields alone; what is wrong with them is noted in the load."""
    return _made(load, load.settings_class, load.schema.nodes, merged(load.state, load.fetched), ())


def _made(
    load: Load, model: type[BaseModel], nodes: tuple[Node, ...], given: Mapping[str, object], above: tuple[str, ...]
) -> Any:
    wanted = [node for node in nodes if load.wanted(node.path)]
    parts = [node for node in wanted if not load.wanted_whole(node.path) and _is_model(node.model)]
    values: dict[str, Any] = {}
    try:
        values = validate_fields(model, {node.name for node in wanted if node not in parts}, given)
    except ValidationError as exc:
        load.problems += invalid(exc, load, above)
    for node in parts:
        inner = find(given, (node,))
        assert node.model is not None  # noqa: S101 - it is a part because it has one
        values[node.name] = _made(
            load, node.model, node.children, inner if isinstance(inner, Mapping) else {}, (*above, node.name)
        )
    return make(model, values)


def _is_model(model: type | None) -> bool:
    return isinstance(model, type) and issubclass(model, BaseModel)
