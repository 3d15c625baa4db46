"""Where files with secrets are looked for, those that variables name and systemd's credentials; and when, among the sources.

``NAME_FILE`` stands behind the sources that read variables, since one of them names the file, and so before mounted files.
``$CREDENTIALS_DIRECTORY`` counts as one more mounted directory, behind the declared ones.
"""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from pydantic_settings import BaseSettings, SecretsSettingsSource

from confguard._classes import schema_of
from confguard._files import FileFault
from confguard._local import FilesSource, Note, Spot
from confguard._mounted import guarded
from confguard._naming import Naming
from confguard._places import Places
from confguard._problem import Origin
from confguard._schema import Schema, Trail
from confguard._sources import Fault, Raised, Source

CREDENTIALS = "CREDENTIALS_DIRECTORY"
"""The variable in which systemd tells a service where its credentials are (systemd.exec, LoadCredential=)."""


def with_files(
    sources: Sequence[Source],
    settings_class: type[BaseSettings],
    faults: list[Fault],
    wanted: Callable[[str], bool] = lambda _: True,
    *,
    strict: bool,
) -> list[Source]:
    """The user's sources, those of mounted files guarded, with ours among them for the secrets that stand in files.

    Args:
        sources: The user's sources.
        settings_class: The class that is loaded.
        faults: Gets every reason why a file is not read.
        wanted: Whether a field is wanted, by its path.
        strict: Whether it is for `validate`, which tells everything; else ours are there only where they have something to read.
    """

    def note(source: object, path: str, fault: FileFault) -> None:
        faults.append(Fault(Places(source), path, Raised(fault.kind, fault.message, fault.tip)))

    schema = schema_of(settings_class)
    made = [_guarded(source, schema, note, strict=strict) for source in sources]
    if not schema.secrets:
        return made
    places = [Places(source) for source in made]
    readers = [at for at, place in enumerate(places) if place.label in ("env", "dotenv")]
    mounts = [at for at, place in enumerate(places) if place.label == "mounted"]
    named_at = readers[-1] + 1 if readers else 0
    credentials_at = max(named_at, mounts[-1] + 1 if mounts else 0)
    directory = os.environ.get(CREDENTIALS)
    if directory and not any(_is_same(directory, mount) for at in mounts for mount in places[at].directories()):
        look = partial(_credentials, directory, places[readers[0]] if readers else None, _listed(directory, places, readers))
        made.insert(credentials_at, FilesSource(settings_class, "mounted", look, schema.secrets, note, wanted))
    variables = [places[at] for at in readers]
    if variables and (strict or _may_name(variables, schema)):
        names = [_file_names(place, settings_class, schema) for place in variables]
        look = partial(_named, variables, names, _roots(settings_class), _near(settings_class))
        there = [trail for trail in schema.secrets if _is_named(variables, names, trail)]
        made.insert(named_at, FilesSource(settings_class, "named", look, there, note, wanted))
    return made


def _guarded(source: Source, schema: Schema, note: Note, *, strict: bool) -> Source:
    if not isinstance(source, SecretsSettingsSource) or type(source) is not SecretsSettingsSource or not source.secrets_dir:
        return source
    places = Places(source)
    fields = {places.folded(name): node for node in schema.nodes for name in places.names((node,))}
    return guarded(source, fields, note, strict=strict)


def _may_name(variables: Sequence[Places], schema: Schema) -> bool:
    """Whether any variable may name a file: most services have none, and are spared the look at each field."""
    if any(trail[-1].file_variable is not None for trail in schema.secrets):
        return True
    return any(name[-5:].lower() == "_file" for place in variables for name in place.variables)


_names: WeakKeyDictionary[type, dict[Naming, Mapping[str, Sequence[str]]]] = WeakKeyDictionary()


def _file_names(place: Places, settings_class: type[BaseSettings], schema: Schema) -> Mapping[str, Sequence[str]]:
    """By field path, the variables that may name the file of a secret, folded, where they are no field's own. Worked out once."""
    known = _names.setdefault(settings_class, {}) if settings_class.__pydantic_complete__ else {}
    if place.naming not in known:
        own, starts = _owned(place, schema)
        known[place.naming] = {
            trail[-1].path: [
                name
                for name in dict.fromkeys(map(place.folded, place.file_variables(trail)))
                if name not in own and not name.startswith(starts)
            ]
            for trail in schema.secrets
        }
    return known[place.naming]


def _owned(place: Places, schema: Schema) -> tuple[Collection[str], tuple[str, ...]]:
    """The variables that are fields' own, and the beginnings of those that are."""
    names = {place.folded(name) for trail in schema.trails.values() for name in place.names(trail)}
    return names, tuple(start for trail in schema.leaves if (start := place.container(trail)) is not None)


def _is_named(variables: Sequence[Places], names: Sequence[Mapping[str, Sequence[str]]], trail: Trail) -> bool:
    """Whether a variable is there that may name a file with a field's value."""
    path = trail[-1].path
    return any(name in place.variables for place, known in zip(variables, names, strict=True) for name in known[path])


def _named(
    variables: Sequence[Places],
    names: Sequence[Mapping[str, Sequence[str]]],
    roots: Sequence[str],
    near: Sequence[str],
    trail: Trail,
) -> Iterator[Spot]:
    """The places where a variable names a file with a field's value, in the order of the sources."""
    for place, known in zip(variables, names, strict=True):
        for name in known[trail[-1].path]:
            value = place.variables.get(name)
            if value is not None:
                yield _spot(place, name, str(value), roots, near)
            elif place.label == "env":  # that an env file has none either goes without saying
                yield Spot(f"env {place.shown(name)}")


def _spot(place: Places, name: str, value: str, roots: Sequence[str], near: Sequence[str]) -> Spot:
    """A variable that names a file; what an env file names lies near it, unless the class says where."""
    variable = place.spelled(name)
    spelled, env_file = variable.name, variable.place
    path = os.path.expanduser(value)  # noqa: PTH111 - "" has to stay ""
    by = f"{spelled} in {env_file}" if env_file else spelled
    if env_file is not None and not roots:
        roots = [os.path.dirname(os.path.abspath(env_file)), *near]  # noqa: PTH100, PTH120
    return Spot(
        by if env_file else f"env {by}",
        path,
        Origin("named", path if _is_path(path) else "", by),
        roots,
        "list its directory in file_roots of model_config",
        place.leftovers(name),
    )


def _is_path(text: str) -> bool:
    """Whether a text is the path of a file that is there, or of one whose directory is: else it may be the secret itself."""
    try:
        parent = os.path.dirname(text)  # noqa: PTH120
        return os.path.lexists(text) or (parent not in ("", "/") and os.path.isabs(text) and os.path.isdir(parent))  # noqa: PTH112, PTH117
    except ValueError:  # a NUL byte
        return False


def _roots(settings_class: type[BaseSettings]) -> list[str]:
    given: Any = settings_class.model_config.get("file_roots", ())
    return [str(Path(root).expanduser()) for root in given]


def _near(settings_class: type[BaseSettings]) -> list[str]:
    given: Any = settings_class.model_config.get("secrets_dir") or ()
    directories = [given] if isinstance(given, str | os.PathLike) else given
    return [str(Path(directory).expanduser()) for directory in directories]


def _is_same(directory: str, mount: Path) -> bool:
    """Whether a class has declared the directory itself, and so what the files in it are called."""
    return os.path.realpath(directory) == os.path.realpath(mount)


def _listed(directory: str, places: Sequence[Places], readers: Sequence[int]) -> Mapping[str, str]:
    """By folded name, what there is in the directory of credentials."""
    try:
        names = sorted(path.name for path in Path(directory).iterdir())
    except OSError:
        names = []
    return {places[readers[0]].folded(name) if readers else name: name for name in names}


def _credentials(directory: str, place: Places | None, there: Mapping[str, str], trail: Trail) -> Iterator[Spot]:
    """The credentials that a field's value may be: one called as its variable, or as the field."""
    names = [*(place.names(trail) if place is not None else ()), trail[-1].path]
    for name in dict.fromkeys(place.folded(name) if place is not None else name for name in names):
        path = f"{directory}/{there.get(name, name)}"
        yield Spot(path, path if name in there else None, Origin("mounted", path), [directory])
