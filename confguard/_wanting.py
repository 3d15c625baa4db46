"""What has to be fetched for a load: references from outside, and bound fields that no source has."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from confguard._fetch import Want
from confguard._load import Load
from confguard._outside import Refused, read_reference
from confguard._problem import Problem
from confguard._reference import InvalidReferenceError, Reference
from confguard._schema import Node, Trail
from confguard._sources import State
from confguard._state import ABSENT, find, remove


def outside_wants(
    load: Load, references: Sequence[tuple[Trail, str]], state: dict[str, Any], given: Mapping[str, State], *, warn: bool
) -> Iterator[Want]:
    """What fields want whose value is a reference that the class allows from outside."""
    allowed: Sequence[str] = load.settings_class.model_config.get("allowed_references", ())  # type: ignore[assignment] # our key
    for trail, value in references:
        giver = next((name for name, tree in given.items() if find(tree, trail) is not ABSENT), "")
        path = trail[-1].path
        if giver == "InitSettingsSource" or load.is_overridden(path) or not load.wanted(path):
            continue  # code says what it means
        found = read_reference(value, allowed)
        if not allowed:
            if warn:
                message = "looks like a reference and is taken as it stands: the class allows none from outside"
                tip = "list the prefix in allowed_references, if it is meant to be one"
                load.problems.append(Problem("unconfigured", path, message, tip=tip, severity="warning"))
        elif isinstance(found, Refused):
            load.faults[path] = Problem("unconfigured", path, found.message, tip=found.tip, origin=load.origins.get(path))
        else:
            remove(state, trail)
            yield Want(trail, (found,), False, load.configured)


def bound_wants(load: Load, state: State) -> Iterator[Want]:
    """What bound fields want that no source has."""
    for trail in load.schema.bound:
        node = trail[-1]
        if node.binding is None or not load.wanted(node.path) or not _is_wanted(load, trail, state):
            continue
        deciding = node.binding.deciding
        unknown = load.deciders.read(deciding - load.faults.keys(), state) | (deciding & load.faults.keys())
        if unknown:
            load.undecided[node.path] = tuple(sorted(unknown))
        elif node.binding.when is not None and not node.binding.when.holds(load.deciders.values):
            load.unbound[node.path] = str(node.binding.when)
        elif references := _filled(load, trail):
            yield Want(trail, references, node.binding.each is not None, load.configured)


def _filled(load: Load, trail: Trail) -> Sequence[Reference]:
    """The references of a field with other fields' values in them; none where a value cannot stand there."""
    node = trail[-1]
    filled: list[Reference] = []
    for choice in node.binding.choices if node.binding is not None else ():
        try:
            filled.append(choice.fill(load.deciders.texts))
        except InvalidReferenceError as exc:
            for name in choice.names:
                message = f"cannot stand in {choice}: {exc}"
                load.faults.setdefault(name, Problem("invalid", name, message, origin=load.origins.get(name)))
            load.undecided[node.path] = choice.names
            return ()
    return filled


def _is_wanted(load: Load, trail: Trail, state: State) -> bool:
    """Whether a bound field needs to be fetched: no source has it, and the models around it will be there."""
    node = trail[-1]
    if load.failed(node.path) or load.is_overridden(node.path):
        return False
    if all(find(state, leaf) is not ABSENT for leaf in load.schema.leaves_of(node.path)):
        return False
    return all(
        step.required or find(state, trail[: at + 1]) is not ABSENT or _stands_by_bindings(load, step)
        for at, step in enumerate(trail[:-1])
    )


def _stands_by_bindings(load: Load, node: Node) -> bool:
    """Whether a model that nothing else fills, and that has a default, can be made of its bindings alone."""
    below = [trail[-1] for trail in load.schema.leaves_of(node.path)]
    return not node.optional and all(leaf.binding is not None for leaf in below if leaf.required)
