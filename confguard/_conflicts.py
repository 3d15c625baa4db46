"""Conflicts: two values for one field stand in one source, and one of them is lost though nothing that is written down says so.

What pydantic-settings documents is no conflict: a higher source passes a lower one over, ``DB__HOST`` overrides the key in the
JSON of ``DB``, a later env file overrides an earlier one, and mappings are merged. Neither are two values that are the same.
"""

import json
import os
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from itertools import chain

from pydantic_settings import DotEnvSettingsSource

from confguard._load import Load
from confguard._naming import taken
from confguard._places import Places
from confguard._problem import Origin, Problem, Severity
from confguard._schema import Trail
from confguard._sources import Raised, attempt
from confguard._state import ABSENT, find

_OBJECT_OR_LIST = ("{", "[")


def conflicts(load: Load) -> Iterator[Problem]:
    """The conflicts of a load that still has its values; no problem holds one."""
    above: list[Places] = []
    for places in load.places:
        if places.variables and places.label in ("env", "dotenv"):
            found = [_spelled_twice(load, places)]
            found += [_in_json(load, places, trail) for trail in load.schema.structured]
            found += [_named_twice(places, trail) for trail in load.schema.choosy]
            yield from (problem for problem in chain(*found) if not _is_shadowed(load, problem.field, above))
        above.append(places)
    for trail in load.schema.choosy:
        yield from _turned_over(load, trail)


def _is_shadowed(load: Load, path: str, above: Collection[Places]) -> bool:
    """Whether higher sources give all of a field, so that nothing of what is below is looked at."""
    return all(any(places in above for places in load.origins.givers(leaf)) for leaf in load.schema.leaves_of(path))


def _conflict(trail: Trail, message: str, origin: Origin, severity: Severity = "error") -> Problem:
    return Problem("conflicting", trail[-1].path, message, tip="take one of them out", origin=origin, severity=severity)


def _spelled_twice(load: Load, places: Places) -> Iterator[Problem]:
    """Variables that are one where case does not count, with different values."""
    for variables, decides in _as_written(load, places):
        by_name: dict[str, list[str]] = {}
        for name in variables:
            by_name.setdefault(places.folded(name), []).append(name)
        for folded, names in by_name.items():
            trail = _field_of(load, places, folded) if len({variables[name] for name in names}) > 1 else None
            if trail is not None:
                message = f"{' and '.join(sorted(names))} are one variable where case does not count, and differ; {decides}"
                yield _conflict(trail, message, places.spelled(folded))


def _as_written(load: Load, places: Places) -> Iterator[tuple[Mapping[str, str | None], str]]:
    """The variables as they are written, where two may be one to the source, and which of two then counts."""
    if places.naming.case_sensitive:
        return
    if places.label == "env":
        if len(os.environ) > len(places.variables):  # as a rule there are as many
            ignores = bool(getattr(places.source, "env_ignore_empty", False))
            variables = {name: text for name, text in os.environ.items() if text or not ignores}
            yield variables, "the order of the environment decides"
    elif isinstance(places.source, DotEnvSettingsSource):
        read = partial(DotEnvSettingsSource, env_file_encoding=places.source.env_file_encoding, case_sensitive=True)
        for path in places.files_with_twins:
            source = attempt(partial(read, load.settings_class, env_file=path))
            if not isinstance(source, Raised):
                yield source.env_vars, "the last line counts"


def _field_of(load: Load, places: Places, folded: str) -> Trail | None:
    """The field that a variable is for, or that has a place for it."""
    if not taken(load.settings_class, places.naming).takes(folded):
        return None
    named = [(places.folded(name), trail) for trail in load.schema.trails.values() for name in places.names(trail)]
    around = [(name, trail) for name, trail in named if folded.startswith(name)]
    return max(around, key=lambda found: len(found[0]))[1] if around else None


def _in_json(load: Load, places: Places, trail: Trail) -> Iterator[Problem]:
    """What is lost within a variable that holds JSON, and what is lost to it."""
    for folded in map(places.folded, places.names(trail)):
        text = places.variables.get(folded)
        below = places.below(folded)
        if text is None or not (below or text.startswith(_OBJECT_OR_LIST)) or load.failed(trail[-1].path):
            continue
        value, has_twins = _read(text)
        if has_twins:
            yield _conflict(trail, "a key stands twice in an object of its JSON, and the values differ", places.spelled(folded))
        lost = [name for name in below if _is_lost(load, places, folded, value, name, nested=len(trail) > 1)]
        if lost:
            names = ", ".join(places.spelled(name).name for name in lost)
            yield _conflict(trail, f"it replaces what {names} gave, since it came later or is no object", places.spelled(folded))


def _read(text: str) -> tuple[object, bool]:
    """A text read as JSON, or as it is; and whether a key stands twice in an object of it with different values."""
    twins: list[str] = []

    def made(pairs: list[tuple[str, object]]) -> dict[str, object]:
        read: dict[str, object] = {}
        twins.extend(key for key, value in pairs if read.setdefault(key, value) != value)
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=made), bool(twins)
    except (ValueError, RecursionError):
        return text, False


def _is_lost(load: Load, places: Places, container: str, value: object, name: str, *, nested: bool) -> bool:
    """Whether a variable below one with JSON is lost: beside a value that is no object, or before one that is nested itself.

    Args:
        load: The load.
        places: The source.
        container: The variable with JSON.
        value: What it holds.
        name: The variable below it.
        nested: Whether the one with JSON is for a field within a model: pydantic-settings then takes the two in the order in
            which they stand, and puts a later object in the place of all before it.
    """
    known = taken(load.settings_class, places.naming)
    if not isinstance(value, dict):  # what addresses an element of a list would be no leaf either
        return name in known.names and places.variables[container] != getattr(places.source, "env_parse_none_str", None)
    order = list(places.variables)
    if not known.takes(name) or not nested or order.index(name) > order.index(container):
        return False
    delimiter = places.folded(places.naming.delimiter or "")
    held: object = value
    for part in name[len(container) + len(delimiter) :].split(delimiter):
        inner = {places.folded(key): item for key, item in held.items()} if isinstance(held, dict) else {}
        held = inner.get(part, ABSENT)
    return places.variables[name] not in (held, json.dumps(held, default=repr))


def _named_twice(places: Places, trail: Trail) -> Iterator[Problem]:
    """A field that is given under two of its aliases, with different values."""
    keys = trail[-1].keys
    texts: dict[int, dict[str, str | None]] = {}
    for number, name in enumerate(places.names(trail)):
        folded, own = places.folded(name), number % len(keys)
        if folded in places.variables and len(keys[own]) == 1:
            texts.setdefault(own, {})[folded] = places.variables[folded]
    for same in texts.values():
        if len(set(same.values())) > 1:
            names = " and ".join(places.spelled(name).name for name in same)
            yield _conflict(
                trail, f"{names} name the same field and differ; their order decides", places.spelled(next(iter(same)))
            )
    firsts = [next(iter(texts[own].items())) for own in sorted(texts)]
    if len({text for _, text in firsts}) > 1:
        first, *others = [places.spelled(name) for name, _ in firsts]
        message = (
            f"{', '.join(other.name for other in others)} differs and is passed over, since {first.name} comes first in the class"
        )
        yield _conflict(trail, message, first, "warning")


def _turned_over(load: Load, trail: Trail) -> Iterator[Problem]:
    """A field whose alias in a lower source comes first in the class, which then counts more than the order of the sources."""
    counts = find(load.state, trail)
    given = [(places, value) for places, state in load.readings.states for value in [find(state, trail)] if value is not ABSENT]
    if len(given) > 1 and counts is not ABSENT and not trail[-1].is_json and given[0][1] != counts:
        lower = next((places for places, value in given if value == counts), None)
        if lower is not None:
            message = f"it differs and is passed over, since the name that {lower.origin(trail)} has comes first in the class"
            yield _conflict(trail, message, given[0][0].origin(trail))
