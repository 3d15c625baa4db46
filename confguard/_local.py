"""Files of ours to look into for secrets, as a source among the user's: those that variables name, and credentials."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from confguard._classes import schema_of
from confguard._files import FileFault, read_file, text_of
from confguard._problem import Origin
from confguard._schema import Node, Trail
from confguard._state import ABSENT, find, place, remove
from confguard._values import Unreadable, loads

_NOWHERE = Origin("default")


@dataclass(frozen=True, slots=True)
class Spot:
    """A place where a file with a field's value may be.

    Attributes:
        text: The place as an operator would write it.
        path: The file; None where there is none here.
        origin: What a value from here is told to be from.
        roots: The directories that the file must lie in; its own unless told.
        advice: What to do where it lies elsewhere.
        leftovers: The keys under which pydantic-settings may have taken the variable for one that no field takes.
    """

    text: str
    path: str | None = None
    origin: Origin = _NOWHERE
    roots: Sequence[str] = ()
    advice: str | None = None
    leftovers: tuple[str, ...] = ()


Look = Callable[[Trail], Iterator[Spot]]
Note = Callable[[object, str, FileFault], None]
"""Told the source, the field path, and why the field's file is not read."""


class FilesSource(PydanticBaseSettingsSource):
    """Gives the secrets that no source before it has and that stand in files, each without the one line ending at its end.

    Attributes:
        label: What it is called in an origin.
        origins: By field path, where a file is that belongs to the field, whether it was read or not.
        modes: By field path, the type and permissions of the file that was read, as `os.stat` tells them.
        lacks_mount: Whether a file was not there.
    """

    def __init__(
        self,
        settings_cls: type[BaseSettings],
        label: str,
        look: Look,
        there: Sequence[Trail],
        note: Note,
        wanted: Callable[[str], bool],
    ) -> None:
        super().__init__(settings_cls)
        self.__name__ = f"{label}_files"  # what pydantic-settings keeps its state by
        self.label = label
        self.origins: dict[str, Origin] = {}
        self.modes: dict[str, int] = {}
        self.lacks_mount = False
        self._look = look
        self._there = there  # the fields that may have a file here; most have none, and are spared the look
        self._note = note
        self._wanted = wanted

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Nothing: what a field alone is cannot be known here."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """The values, as a tree."""
        found: dict[str, Any] = {}
        state: Any = self.current_state
        for trail in self._there:
            node = trail[-1]
            spot = next((spot for spot in self._look(trail) if spot.path is not None), None)
            if spot is None or spot.path is None:
                continue
            self.origins[node.path] = spot.origin
            self._clean(state, trail, spot.leftovers)
            if find(state, trail) is ABSENT and self._wanted(node.path):
                value = self._value(node, spot, spot.path)
                if value is not ABSENT:
                    place(found, state, trail, value)
        return found

    def looked_in(self, trail: Trail) -> Iterator[str]:
        """The places where a file of the field would be found."""
        if self._is_looked_for(trail):
            yield from (spot.text for spot in self._look(trail))

    def _is_looked_for(self, trail: Trail) -> bool:
        return trail in schema_of(self.settings_cls).secrets

    def _value(self, node: Node, spot: Spot, path: str) -> object:
        content = read_file(path, roots=spot.roots)
        if isinstance(content, FileFault):
            text: str | FileFault = content
        else:
            self.modes[node.path] = content.mode
            text = text_of(content)
        if isinstance(text, FileFault):
            self._note(self, node.path, _told(text, spot))
            self.lacks_mount = self.lacks_mount or text.kind == "missing"
            return ABSENT
        value = loads(text) if node.is_json else text
        return text if isinstance(value, Unreadable) else value

    def _clean(self, state: Any, trail: Trail, leftovers: Sequence[str]) -> None:
        """Take the variable out that names the file, where pydantic would refuse it as one that no field takes."""
        for above in dict.fromkeys(((), trail[:-1])):
            tree = find(state, above)
            if isinstance(tree, Mapping) and _extra(above[-1].model if above else self.settings_cls) == "forbid":
                for key in tree.keys() & leftovers:
                    remove(state, (*above, replace(trail[-1], keys=((key,),), children=())))


def _told(fault: FileFault, spot: Spot) -> FileFault:
    """A fault with the file it is about. A path that is none may be the secret itself, and has no place in a message."""
    tip = (spot.advice or fault.tip) if fault.kind == "unconfigured" else fault.tip
    if spot.origin.name:
        tip = "is it written, and mounted here?" if fault.kind == "missing" else tip
        return replace(fault, message=f"the file {fault.message}", tip=tip)
    message = f"{spot.origin.place} names a file that {fault.message}" if spot.path else f"{spot.origin.place} is empty"
    return replace(fault, message=message, tip="it holds the path of a file, and not the value")


def _extra(model: type | None) -> object:
    config: Mapping[str, Any] = getattr(model, "model_config", None) or getattr(model, "__pydantic_config__", {})
    return config.get("extra")
