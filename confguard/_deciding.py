"""The values of fields that decide others: validated ahead of the rest, since what is fetched depends on them."""

from collections.abc import Iterable, Mapping
from enum import Enum

from confguard._partial import validate_fields
from confguard._schema import Schema
from confguard._sources import Raised, attempt
from confguard._state import ABSENT, find


class Deciders:
    """The values of deciding fields, as far as they are there and valid.

    Attributes:
        values: By field path, the validated values.
    """

    def __init__(self, settings_class: type, schema: Schema) -> None:
        self.values: dict[str, object] = {}
        self._settings_class = settings_class
        self._schema = schema
        self._unknown: set[str] = set()

    @property
    def texts(self) -> Mapping[str, str]:
        """The same as they stand in a reference."""
        return {name: str(value.value if isinstance(value, Enum) else value) for name, value in self.values.items()}

    def read(self, names: Iterable[str], state: Mapping[str, object]) -> set[str]:
        """Validate these fields as the sources gave them.

        Returns:
            Those that are missing or not valid; pydantic will say why when it gets the whole.
        """
        for name in names:
            if name not in self.values and name not in self._unknown:
                self._read(name, state)
        return self._unknown.intersection(names)

    def forget(self) -> None:
        """Let go of every value."""
        self.values.clear()

    def _read(self, name: str, state: Mapping[str, object]) -> None:
        trail = self._schema.trails.get(name)
        if trail is None or find(state, trail) is ABSENT:
            self._unknown.add(name)
            return
        *above, node = trail
        owner, given = (above[-1].model, find(state, tuple(above))) if above else (self._settings_class, state)
        assert isinstance(owner, type)  # noqa: S101 - what has fields is a class
        if isinstance(given, owner):
            self.values[name] = getattr(given, node.name)
            return
        values = attempt(lambda: validate_fields(owner, {node.name}, given))
        if isinstance(values, Raised):
            self._unknown.add(name)
        else:
            self.values[name] = values[node.name]
