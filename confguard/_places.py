"""Native names: what a field is called in a source, where its value stood, and where one was looked for.

All of it comes from what the sources of pydantic-settings show in public: their variables, prefix, delimiter and directories.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from itertools import islice
from pathlib import Path

import pydantic_settings
from pydantic_settings import (
    DotEnvSettingsSource,
    EnvSettingsSource,
    InitSettingsSource,
    SecretsSettingsSource,
)
from pydantic_settings.sources import PydanticBaseEnvSettingsSource

from confguard._files import FileFault, read_file
from confguard._local import FilesSource
from confguard._naming import naming_of
from confguard._problem import Origin
from confguard._schema import Trail

# A name at the start of a statement. Lines inside of a quoted value may look like one, so it is only asked for known names.
_ASSIGNED = re.compile(r"^[ \t]*(?:export[ \t]+)?'?([^\s=#']+)'?[ \t]*=", re.MULTILINE)


# Sources that read variables by rules of their own: they are named by their class. Not every supported version has them all.
_OWN_RULES = tuple(
    getattr(pydantic_settings, name)
    for name in ("CliSettingsSource", "NestedSecretsSettingsSource")
    if hasattr(pydantic_settings, name)
)

# What the usual sources are called in an origin, the more special ones first.
_WORDS: tuple[tuple[type, str], ...] = (
    (DotEnvSettingsSource, "dotenv"),
    (EnvSettingsSource, "env"),
    (SecretsSettingsSource, "mounted"),
    (InitSettingsSource, "init"),
)


class Places:
    """What a source of one load calls the fields."""

    def __init__(self, source: object, label: str | None = None) -> None:
        self.source = source
        kind, self._has_names, has_variables = _kind(type(source))
        own = source if isinstance(source, FilesSource) else None
        self.label = label or (own.label if own else None) or kind or source_name(source)
        self.later_wins = own is None and self.label in ("dotenv", "mounted")
        self._own: Mapping[str, Origin] = own.origins if own else {}
        self.variables: Mapping[str, str | None] = getattr(source, "env_vars", {}) if has_variables else {}
        self.naming = naming_of(source)
        self._with_twins: list[Path] = []
        self._ignores_empty = bool(getattr(source, "env_ignore_empty", False))

    def forget_values(self) -> None:
        """Keep the names that `origin` needs, and let go of the source and of every value that it read."""
        if self.label == "dotenv":
            _ = self._spelled  # now: the files may be others when somebody asks
        elif self.label == "mounted":
            _ = self.files
        self.variables = dict.fromkeys(self.variables)
        self.source = None

    def origin(self, trail: Trail) -> Origin:
        """Where a value that this source gave stood, by its exact native name."""
        if self.label in ("env", "dotenv"):
            variable = self._present(self.names(trail)) or self._first_below(trail) or self._container(trail)
            if variable is not None:
                spelled, place = self._spelled.get(variable, (variable, None))
                return Origin(self.label, spelled, place)
        if trail[-1].path in self._own:
            return self._own[trail[-1].path]
        if self.label == "mounted":
            for name in self.names(trail[:1]):
                if (path := self.files.get(self.folded(name))) is not None:
                    return Origin(self.label, str(path))
        return Origin(self.label, trail[-1].path)

    def looked_in(self, trail: Trail) -> Iterator[str]:
        """The places of this source where a value of the field would be found, as an operator would write them."""
        if isinstance(self.source, FilesSource):
            yield from self.source.looked_in(trail)
            return
        names, form = self.names(trail), ""
        if not names:  # no delimiter: a nested model comes as a whole or not at all
            names, form = self.names(trail[:1]), " (as JSON)"
        if self.label == "env":
            yield from dict.fromkeys(f"env {self.shown(name)}{form}" for name in names)
        elif self.label == "dotenv":
            shown = " or ".join(dict.fromkeys(self.shown(name) for name in names))
            for path in self._env_files():
                yield f"{shown}{form} in {path}" if path.exists() else f"{path} (not there)"
        elif self.label == "mounted":
            for directory in self.directories():
                yield from (
                    (f"{directory / self.folded(name)}{form}" for name in names[:1])
                    if directory.is_dir()
                    else (f"{directory} (not there)",)
                )
        elif self.label != "init":
            yield self.label

    def passed_over(self, trail: Trail, text: str) -> bool:
        """Whether a place of this source has a file for the field, which was not read."""
        origin = self._own.get(trail[-1].path)
        return origin is not None and is_named_by(text, origin)

    def names(self, trail: Trail) -> list[str]:
        """What a variable or a file of the field alone is called, before case is folded."""
        return self.naming.names(trail) if self._has_names else []

    def file_variables(self, trail: Trail) -> list[str]:
        """What a variable of this source is called that names a file with the field's value, before case is folded."""
        return self.naming.file_variables(trail) if self._has_names else []

    def container(self, trail: Trail) -> str | None:
        """What the variables begin with that address a part of the field's value, where that is no model; folded."""
        delimiter = self.naming.delimiter
        is_open = delimiter and trail[-1].is_json and not trail[-1].children
        names = self.names(trail) if is_open else ()
        return self.folded(f"{names[0]}{delimiter}") if names else None

    def leftovers(self, name: str) -> tuple[str, ...]:
        """The keys under which pydantic-settings gives a variable that no field takes: whole, without prefix, or its end."""
        delimiter = self.folded(self.naming.delimiter or "")
        end = name.rpartition(delimiter)[2] if delimiter else name
        return tuple(dict.fromkeys((name, name.removeprefix(self.folded(self.naming.prefix)), end)))

    def variable(self, key: str) -> Origin | None:
        """The variable of an env file that pydantic-settings calls by this key in the input, with its prefix or without."""
        if self.label != "dotenv":
            return None
        found = self._present([key, f"{self.naming.prefix}{key}"])
        return Origin(self.label, *self._spelled.get(found, (found, None))) if found else None

    def spelled(self, name: str) -> Origin:
        """A variable that is there, by its folded name."""
        return Origin(self.label, *self._spelled.get(name, (name, None)))

    def holds_bad_json(self, trail: Trail) -> bool:
        """Whether a variable of the field alone should be JSON and is none."""
        variable = self._present(self.names(trail)) if trail[-1].is_json else None
        try:
            json.loads((variable and self.variables[variable]) or "null")
        except (ValueError, RecursionError):
            return True
        return False

    def not_a_directory(self) -> str | None:
        """What to say where something else stands in the place of a mounted directory, which fails the source as a whole."""
        paths = (path for path in self.directories() if path.exists() and not path.is_dir())
        return next((f"{path} is no directory" for path in paths), None)

    def folded(self, name: str) -> str:
        """A name as `variables` has it."""
        return self.naming.folded(name)

    def shown(self, name: str) -> str:
        """How a name of a field is written for an operator."""
        return self.naming.shown(name)

    def _present(self, names: Iterable[str]) -> str | None:
        for name in names:
            if (folded := self.folded(name)) in self.variables:
                return folded
        return None

    def below(self, *names: str) -> list[str]:
        """The variables that address a part of what variables of these names hold: ``DB__HOST`` for ``DB``. All are folded."""
        delimiter = self.folded(self.naming.delimiter or "")
        starts = tuple(f"{name}{delimiter}" for name in names)
        return [name for name in self.variables if name.startswith(starts)] if delimiter else []

    def _first_below(self, trail: Trail) -> str | None:
        return next(iter(self.below(*map(self.folded, self.names(trail)))), None) if trail[-1].is_json else None

    def _container(self, trail: Trail) -> str | None:
        """The variable that holds a whole nested model as JSON, nearest first."""
        return next((found for end in range(len(trail) - 1, 0, -1) if (found := self._present(self.names(trail[:end])))), None)

    @cached_property
    def _spelled(self) -> Mapping[str, tuple[str, str | None]]:
        """By folded name, how a variable is spelled and in which file it stands; later files win, as they do for the source."""
        if self.label == "env":
            # Looked up when somebody asks. Of a variable that is gone by then, only how it was written is not known any more.
            gone = {name: (self.shown(name), None) for name in self.variables}
            present = os.environ.items() if self._ignores_empty else ((name, "x") for name in os.environ)
            return gone | {self.folded(name): (name, None) for name, text in present if text}
        spelled: dict[str, tuple[str, str | None]] = {}
        for path in self._env_files():
            content = read_file(path, roots=["/"])
            if not isinstance(content, FileFault):
                encoding = getattr(self.source, "env_file_encoding", None) or "utf-8"
                text = content.data.decode(encoding, errors="replace")
                names = _ASSIGNED.findall(text)
                of_file = {self.folded(name): (name, str(path)) for name in names}
                if len(of_file) < len(set(names)):
                    self._with_twins.append(path)
                spelled |= of_file
        return spelled

    @property
    def files_with_twins(self) -> list[Path]:
        """The env files in which two names may be one variable, since case does not count."""
        _ = self._spelled
        return self._with_twins

    @cached_property
    def files(self) -> Mapping[str, Path]:
        """By folded name, the files in the mounted directories; later directories win, as they do for the source."""
        files: dict[str, Path] = {}
        for directory in self.directories():
            with suppress(OSError):  # what cannot be listed has been told as the fault of its fields
                files |= {self.folded(path.name): path for path in sorted(directory.iterdir())}
        return files

    def _env_files(self) -> list[Path]:
        source = self.source
        if not isinstance(source, DotEnvSettingsSource) or source.env_file is None:
            return []
        files = [source.env_file] if isinstance(source.env_file, str | os.PathLike) else source.env_file
        return [search_upwards(Path(file).expanduser(), getattr(source, "env_file_depth", 0)) for file in files]

    def lacks_mount(self) -> bool:
        """Whether a declared directory, or a file that a variable names, is not there."""
        if isinstance(self.source, FilesSource):
            return self.source.lacks_mount
        return any(not path.is_dir() for path in self.directories())

    def directories(self) -> list[Path]:
        """The mounted directories of this source."""
        given = self.source.secrets_dir if self.label == "mounted" and isinstance(self.source, SecretsSettingsSource) else None
        directories = [given] if isinstance(given, str | os.PathLike) else given or []
        return [Path(directory).expanduser() for directory in directories]


_kinds: dict[type, tuple[str | None, bool, bool]] = {}


def _kind(source: type) -> tuple[str | None, bool, bool]:
    """Of a source's class: its word in an origin, if it is a usual one, and whether it has names and variables."""
    if source not in _kinds:
        usual = next((word for base, word in _WORDS if issubclass(source, base)), None)
        own_rules = issubclass(source, _OWN_RULES)
        has_names, has_variables = issubclass(source, PydanticBaseEnvSettingsSource), issubclass(source, EnvSettingsSource)
        _kinds[source] = None if own_rules else usual, has_names, has_variables
    return _kinds[source]


def source_name(source: object) -> str:
    """What pydantic-settings calls a source."""
    return str(getattr(source, "__name__", type(source).__name__))


def is_named_by(text: str, origin: Origin) -> bool:
    """Whether a place that was looked in is that of an origin; it has the place of one that has a place, else its name."""
    written = f" {text.removesuffix(' (as JSON)')}".casefold()
    return written.endswith(f" {origin.place or origin.name}".casefold())


def search_upwards(path: Path, depth: int) -> Path:
    """Where pydantic-settings finds an env file that is looked for in parent directories too."""
    if depth > 0 and not path.is_absolute() and not path.is_file():
        candidates = (parent / path for parent in islice(Path.cwd().parents, depth))
        return next((candidate for candidate in candidates if candidate.is_file()), path)
    return path
