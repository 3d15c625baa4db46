"""Finding a field in the tree that sources made, by the ways in which an input may spell it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from confguard._schema import Key, Node, Schema, Trail
from confguard._values import texts

STRAY = 8
"""From how many characters on the value of something that no field takes may be a secret; "true" and "info" are none."""


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
"""What `find` returns where a tree has no value; None is a value."""


def find(state: object, trail: Trail) -> object:
    """The value of a field in a tree, or `ABSENT`.

    Where a source gave a nested model whole, as an instance or as anything that is not a mapping, that stands for all fields
    of it; so does an instance that lacks the field, of another model or made without validation, for pydantic to judge.
    """
    for node in trail:
        # A dict is by far the most frequent, and asking for the two abstract classes costs more than all else here.
        if not isinstance(state, dict):
            if node.name in getattr(type(state), "__pydantic_fields__", ()):
                whole = state
                state = getattr(whole, node.name, ABSENT)
                if state is ABSENT:
                    return whole
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


def place_object(tree: dict[str, object], state: object, trail: Trail, payload: Mapping[str, object]) -> Iterator[str | bytes]:
    """Put the rest of an object that fills a model into the tree: what no field of the model takes, for the model to judge.

    Yields:
        The texts of what was put there, long enough to be secrets.
    """
    known = {key[0] for node in trail[-1].children for key in node.keys}
    rest = {key: value for key, value in payload.items() if key not in known}
    here = find(state, trail)
    if rest or not isinstance(here, Mapping):
        branch: dict[str, object] = {}
        place(branch, state, trail, rest)
        tree.update(merged(tree, branch))
    yield from (text for value in rest.values() for text in texts(value) if len(text) >= STRAY)


def remove(state: dict[str, Any], trail: Trail) -> None:
    """Take a field's value out of a tree. The mappings on the way to it are copied, since they may be the user's own."""
    tree = state
    for node in trail:
        *path, last = _spelling(tree, node)
        for part in path:
            tree[part] = tree = dict(tree[part])
        if node is trail[-1]:
            del tree[last]
        else:
            tree[last] = tree = dict(tree[last])


def merged(above: Mapping[str, object], below: Mapping[str, object]) -> dict[str, object]:
    """Two trees as pydantic-settings merges what its sources gave: what stands above wins, mappings are merged."""
    tree = dict(below)
    for key, value in above.items():
        under = tree.get(key)
        tree[key] = merged(value, under) if isinstance(value, dict) and isinstance(under, dict) else value
    return tree


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
