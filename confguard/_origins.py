"""Where the values of a load came from: noted as names alone, and told when somebody asks."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from confguard._places import Places
from confguard._problem import Origin
from confguard._schema import Schema, Trail
from confguard._state import ABSENT, find


class Origins(Mapping[str, Origin]):
    """By field path, the origin of each value.

    Most loads go well and nobody asks, so a load only notes which source gave which field. No value is kept.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._given: list[tuple[Places, Collection[str | int], Collection[str]]] = []
        self._fetched: dict[str, Origin] = {}

    def note(self, places: Places, given: Mapping[str, object]) -> None:
        """Note which fields a source gave; called in the order of the sources."""
        if given:
            deep = {trail[-1].path for trail in self._schema.deep if find(given, trail) is not ABSENT}
            self._given.append((places, self._schema.flat_keys.intersection(given), deep))

    def givers(self, trail: Trail) -> list[Places]:
        """The sources that gave a value for a leaf, in their order."""
        path, key = trail[-1].path, trail[0].keys[0][0]
        is_flat = len(trail) == 1
        return [places for places, flat, deep in self._given if path in deep or (is_flat and key in flat)]

    def note_fetched(self, path: str, origin: Origin) -> None:
        """Note where a value was fetched that no source gave."""
        self._fetched[path] = origin

    def __getitem__(self, path: str) -> Origin:
        if path in self._fetched:
            return self._fetched[path]
        trail = self._schema.trails[path]
        if trail[-1].children:
            raise KeyError(path)
        first, *others = [places.origin(trail) for places in self.givers(trail)] or [Origin("default")]
        return replace(first, shadowed=tuple(others)) if others else first

    def __iter__(self) -> Iterator[str]:
        return (trail[-1].path for trail in self._schema.leaves)

    def __len__(self) -> int:
        return len(self._schema.leaves)
