"""Mounted directories, read once a load: each file safely, and all of them from one generation where kubelet swaps them.

pydantic-settings reads them field by field with a plain read. A FIFO that is put there between its check and its read holds a
start for ever, a big file fills the memory, and between two fields a rotation can take place. So for a load its own source, with
all its rules of names, prefixes and JSON, is handed files that have been read already.
"""

import copy
import os
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from errno import EAGAIN
from functools import partial
from pathlib import Path, PosixPath
from typing import Any

from pydantic_settings import SecretsSettingsSource

from confguard._files import FileFault, is_below, read_file, text_of
from confguard._local import Note
from confguard._schema import Node
from confguard._state import ABSENT, find

_TRIES = 10
_DATA = "..data"
"""The link that kubelet's atomic writer swaps; beside it stand links through it, one for each file."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A file that has been looked at.

    Attributes:
        path: Where it stands in the declared directory.
        content: What it holds; or why that is not known.
        real: Where it really is.
    """

    path: Path
    content: str | FileFault = field(repr=False)
    real: str = ""

    @property
    def is_left_alone(self) -> bool:
        """Whether pydantic-settings, in its newer versions, warns of it and does not read it either."""
        real = os.path.realpath(self.path)
        return not Path(real).is_file() or not is_below(real, os.path.realpath(self.path.parent))


class _ReadPath(PosixPath):
    """A path whose file has been looked at: what it gives is what was read, whatever stands there now."""

    held: _Held
    refuse: Callable[[FileFault], None]

    @classmethod
    def of(cls, held: _Held, refuse: Callable[[FileFault], None]) -> "_ReadPath":
        made = cls(held.path)
        made.held, made.refuse = held, refuse
        return made

    def read_text(self, *_: Any, **__: Any) -> str:
        if isinstance(self.held.content, str):
            return self.held.content
        self.refuse(self.held.content)  # pydantic-settings would have taken it
        return ""

    def is_file(self, *_: Any, **__: Any) -> bool:
        return isinstance(self.held.content, str) or self.held.path.is_file()

    def resolve(self, *_: Any, **__: Any) -> Any:
        return Path(self.held.real) if isinstance(self.held.content, str) else self.held.path.resolve()


class SwappedError(BlockingIOError):
    """A directory is swapped faster than it can be read."""


class GuardedSource(SecretsSettingsSource):
    """pydantic-settings' source of mounted files, which is handed files that have been read already."""

    _fields: Mapping[str, Node]
    _names: frozenset[str]
    _note: Note
    _strict: bool
    _snapshots: dict[str, Mapping[str, _Held]]

    # On the class there, and called on the instance.
    def find_case_path(self, dir_path: Path, file_name: str, case_sensitive: bool) -> Path | None:  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        key, name = str(dir_path), file_name if case_sensitive else file_name.lower()
        if name not in self._names:  # 2.10 asks for aliases too where validate_by_alias is off
            self._names |= {name}
            self._snapshots.clear()
        if key not in self._snapshots:
            self._snapshots[key] = _snapshot(key, self._names, case_sensitive=case_sensitive)
        held = self._snapshots[key].get(name)
        if held is None:
            return None
        refuse = partial(self._refuse, self._fields.get(name))
        if isinstance(held.content, str) or (not self._strict and held.is_left_alone):
            return _ReadPath.of(held, refuse)
        refuse(held.content)
        return None

    def _refuse(self, node: Node | None, fault: FileFault) -> None:
        state: Any = self.current_state
        if node is None or find(state, (node,)) is ABSENT:
            self._note(self, node.path if node else "", replace(fault, message=f"the file {fault.message}"))


# By it pydantic-settings keeps what a source gave, and names it in its errors.
GuardedSource.__name__ = SecretsSettingsSource.__name__


def guarded(source: SecretsSettingsSource, fields: Mapping[str, Node], note: Note, *, strict: bool) -> GuardedSource:
    """A source of mounted files that reads each of them safely.

    Args:
        source: The source; it stays as it is.
        fields: By the folded name that a file may have, the field that it belongs to.
        note: Told of each field whose file is not read although no source before has a value for it.
        strict: Whether it is for `validate`; else what pydantic-settings passes over with a warning of its own (no regular file,
            a link out of the directory) is left to it.
    """
    twin: Any = copy.copy(source)
    twin.__class__ = GuardedSource
    twin.__dict__ |= {"_fields": fields, "_names": frozenset(fields), "_note": note, "_strict": strict, "_snapshots": {}}
    made: GuardedSource = twin
    return made


def _snapshot(directory: str, names: Container[str], *, case_sensitive: bool) -> Mapping[str, _Held]:
    """By folded name, the files of a directory, all of one generation."""
    for _ in range(_TRIES):
        generation = _generation(directory)
        try:
            there = sorted(_entries(directory, generation))
        except FileNotFoundError:
            if generation is None:
                raise
            continue  # it was swapped while it was listed
        entries = {name if case_sensitive else name.lower(): (name, path) for name, path in there}
        held = {key: _read(directory, name, path) for key, (name, path) in entries.items() if key in names}
        if _generation(directory) == generation:  # what kubelet removes, it removes behind the swap: nothing was gone yet
            return held
    raise SwappedError(EAGAIN, "is swapped faster than it can be read", directory)


def _generation(directory: str) -> Path | None:
    """The directory that kubelet's link leads to now; None where there is no such link."""
    link = Path(directory) / _DATA
    return link.resolve() if link.is_symlink() else None


def _entries(directory: str, generation: Path | None) -> Iterator[tuple[str, Path]]:
    """The name of each file, and the path to read it by."""
    if generation is not None:
        yield from ((path.name, path) for path in generation.iterdir())
    for path in Path(directory).iterdir():
        if generation is None or not (path.name.startswith("..") or _leads_through_data(path)):
            yield path.name, path


def _leads_through_data(path: Path) -> bool:
    try:
        return path.readlink().parts[0] == _DATA
    except OSError:  # it is no link, or gone
        return False


def _read(directory: str, name: str, path: Path) -> _Held:
    shown = Path(directory) / name
    content = read_file(path, roots=[directory])
    if isinstance(content, FileFault):
        return _Held(shown, content)
    return _Held(shown, text_of(content, marked=True), content.path)
