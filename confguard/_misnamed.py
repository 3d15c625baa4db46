"""Files of mounted directories that were probably meant for a field that is missing."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from confguard._load import Load
from confguard._mounted import GuardedSource
from confguard._naming import naming_in
from confguard._places import Places
from confguard._redaction import redactor
from confguard._schema import Trail
from confguard._slips import is_slip


def misnamed_file(load: Load, trail: Trail) -> str | None:
    """What to do about a file that no field takes and that has nearly the name of one for this field; None without such a file.

    Its name may have a slip, lack the prefix, have ``-`` or ``.`` for ``_`` as keys of Kubernetes do, or be that of a field in a
    model, for which no file alone is read.
    """
    for places in load.places:
        if isinstance(places.source, GuardedSource) and places.files:  # one with rules of its own knows more names
            fields = load.schema.trails.values()
            known = {places.folded(name) for field in fields for name in places.names(field)}
            left = {name: path for name, path in places.files.items() if name not in known}
            meant = list(_meant(places, trail))
            path = next((path for name, path in left.items() if _is_near(name, meant)), None)
            if path is not None:
                return redactor.redact(f"{path} is there. {_advice(load, places, trail, path.parent)}")
    return None


def _meant(places: Places, trail: Trail) -> Iterator[str]:
    """What a file for the field may be thought to be called, with the prefix and without."""
    naming = places.naming._replace(delimiter="_")
    for one in (naming, naming._replace(prefix="")):
        yield from map(places.folded, one.names(trail))


def _is_near(name: str, meant: Iterable[str]) -> bool:
    plain = re.sub(r"[-.]", "_", name)
    return any(is_slip(plain, one) for one in meant)


def _advice(load: Load, places: Places, trail: Trail, directory: Path) -> str:
    whole = directory / places.folded(places.names(trail[:1])[0])
    if len(trail) == 1:
        return f"Did you mean {whole}?"
    naming = naming_in(load.settings_class.model_config)
    variables = naming.file_variables(trail) if trail[-1].secret else []
    by_variable = f"name it in {naming.shown(variables[0])}, or " if variables else ""
    return f"For a part of a model no file alone is read: {by_variable}put the model into {whole} as JSON"
