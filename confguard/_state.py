"""Finding a field in the tree that sources made, by the ways in which an input may spell it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from pydantic import BaseModel

from confguard._schema import Key, Node, Schema, Trail


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
"""What `find` returns where a tree has no value; None is a value."""


def find(state: object, trail: Trail) -> object:
    """The value of a field in a tree, or `ABSENT`.

    Where a source gave a nested model whole, as an instance or as anything that is not a mapping, that stands for all fields
    of it.
    """
    for node in trail:
        # A dict is by far the most frequent, and asking for the two abstract classes costs more than all else here.
        if not isinstance(state, dict):
            if isinstance(state, BaseModel):
                state = getattr(state, node.name)
                continue
            if not isinstance(state, Mapping):
                return state
        for key in node.keys:
            found = state.get(key[0], ABSENT) if len(key) == 1 else _follow(state, key)
            if found is not ABSENT:
                state = found
                break
        else:
            return ABSENT
    return state


def present(state: Mapping[str, object], schema: Schema) -> Iterator[tuple[Trail, object]]:
    """The leaves that a tree has a value for, with their values. Flat ones, which most are, come first."""
    for key, trail in schema.flat:
        if key in state:
            yield trail, state[str(key)]
    for trail in schema.deep:
        value = find(state, trail)
        if value is not ABSENT:
            yield trail, value


def place(tree: dict[str, object], state: object, trail: Trail, value: object) -> None:
    """Put a field's value into a tree that will be merged below ``state``, under the keys that ``state`` uses already."""
    for node in trail:
        *path, last = _spelling(state, node)
        for part in path:
            tree = _branch(tree, part)
        state = find(state, (node,)) if isinstance(state, Mapping) else ABSENT
        if node is trail[-1]:
            tree[last] = value
        else:
            tree = _branch(tree, last)


def _spelling(state: object, node: Node) -> Sequence[str]:
    keys = [key for key in node.keys if all(isinstance(part, str) for part in key)]
    used = (key for key in keys if isinstance(state, Mapping) and _follow(state, key) is not ABSENT)
    return [str(part) for part in next(used, keys[0])]


def _branch(tree: dict[str, object], key: str) -> dict[str, object]:
    branch = tree.setdefault(key, {})
    assert isinstance(branch, dict)  # noqa: S101 - only this module fills the tree, with dicts at its branches
    return branch


def _follow(state: object, key: Key) -> object:
    for part in key:
        if isinstance(state, Mapping):
            if part not in state:
                return ABSENT
            state = state[part]
        elif isinstance(state, list | tuple) and isinstance(part, int):
            if not -len(state) <= part < len(state):
                return ABSENT
            state = state[part]
        else:
            return ABSENT
    return state
