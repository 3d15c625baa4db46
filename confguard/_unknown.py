"""Variables under a class's prefix that no field takes, and which field one of them was probably meant for.

Noise would be worse than silence. Without a prefix nothing is told. What Kubernetes sets for its services is nobody's mistake.
Any settings class of the process may own a variable: it need not be one of this call.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import pydantic_settings
from pydantic_settings import EnvSettingsSource

from confguard._load import Load
from confguard._naming import Taken, naming_in, taken
from confguard._places import Places
from confguard._problem import Origin, Problem
from confguard._redaction import redactor
from confguard._slips import is_slip
from confguard._sources import attempt

# What Kubernetes sets for each service of the namespace, and Docker for each link: see "Accessing the Service" in the
# documentation of Kubernetes. The last has a URL for its value.
_LINK = re.compile(r"(.+?_)(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?|PORT)", re.IGNORECASE)
_LINK_URL = re.compile(r"(tcp|udp|sctp)://", re.IGNORECASE)
# A line of a key that is not quoted can look like a variable of an env file.
_NAME = {
    "env": re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}"),
    "dotenv": re.compile(r"[A-Z_][A-Z0-9_]{0,40}|[a-z_][a-z0-9_]{0,40}"),
}
_MOST = 10


@dataclass(frozen=True, slots=True)
class Stray:
    """A variable that no field takes.

    Attributes:
        origin: The variable.
        field: The path of the field that it was probably meant for; empty where there is none.
        meant: The name that it should have had.
        is_missing: Whether that field is missing, and not at its default.
        is_told: Whether pydantic refuses it, or takes it as an extra, so that it alone is nothing to tell.
    """

    origin: Origin
    field: str = ""
    meant: str = ""
    is_missing: bool = False
    is_told: bool = False

    @property
    def rank(self) -> int:
        """How much it helps to tell it, best first."""
        if self.is_missing:
            return 0
        return 3 if self.is_told else 1 if self.field else 2


def strays(load: Load, problems: Iterable[Problem]) -> Sequence[Stray]:
    """The variables that no field takes; holds no value.

    Args:
        load: The load, which still has its values.
        problems: What is known to be wrong with it.
    """
    missing = {problem.field for problem in problems if problem.kind == "missing"} if problems else set[str]()
    found: list[Stray] = []
    for places in load.places if load.ran else ():
        if places.variables and places.naming.prefix and _has_usual_names(places):
            prefix = places.folded(places.naming.prefix)
            known = taken(load.settings_class, places.naming).names
            left = [name for name in places.variables if name not in known and name.startswith(prefix)]
            if left or missing:
                found += _looked_at(load, places, sorted(left), sorted(places.variables.keys() - known), missing)
    return [stray for stray in found if stray.is_missing or not load.only]


def _has_usual_names(places: Places) -> bool:
    """Whether a source looks variables up as pydantic-settings does: one that has its own ways knows more names than we do."""
    own = type(places.source)
    return places.label in _NAME and getattr(own, "get_field_value", None) is EnvSettingsSource.get_field_value


def _looked_at(load: Load, places: Places, under: Sequence[str], others: Sequence[str], missing: set[str]) -> Iterator[Stray]:
    """The strays of one source.

    Args:
        load: The load.
        places: The source.
        under: The variables under the prefix that have no field's name, folded.
        others: All that have no field's name.
        missing: The paths of fields that are missing.
    """
    known = taken(load.settings_class, places.naming)
    wanting = sorted(_wanting(load, places, missing), key=lambda found: found[0] not in missing)
    start = len(places.naming.prefix)
    for name in under:
        near = next(((path, meant) for path, meant in wanting if _is_near(name, meant, start)), ("", ""))
        stray = None if name.startswith(known.open) else _stray(load, places, name, near)
        if stray is not None:
            is_told = stray.is_told or name.startswith(known.strict)
            yield replace(stray, is_missing=stray.field in missing, is_told=is_told)
    lacking = [(path, meant) for path, meant in wanting if path in missing]
    for name in others if lacking else ():
        near = next(((path, meant) for path, meant in lacking if _is_near_prefix(name, meant, places.naming.prefix)), ("", ""))
        stray = _stray(load, places, name, near) if near[0] else None
        if stray is not None:
            yield replace(stray, is_missing=True, is_told=True)


def _wanting(load: Load, places: Places, missing: set[str]) -> Iterator[tuple[str, str]]:
    """The fields that are missing or at their default, with every name that they have."""
    for trail in load.schema.trails.values():
        leaves = [leaf[-1].path for leaf in load.schema.leaves_of(trail[-1].path)]
        if all(leaf in missing or (load.origins[leaf].source == "default" and not load.failed(leaf)) for leaf in leaves):
            path = next((leaf for leaf in leaves if leaf in missing), trail[-1].path)
            yield from ((path, name) for name in places.names(trail))


def _is_near(name: str, meant: str, start: int) -> bool:
    """Whether a variable was probably meant to have a name, both behind the prefix."""
    return is_slip(name[start:], meant[start:]) and name[:start].casefold() == meant[:start].casefold()


def _is_near_prefix(name: str, meant: str, prefix: str) -> bool:
    """Whether a variable has a name but for a slip in the prefix."""
    rest = meant.removeprefix(prefix).casefold()
    start = name.casefold().removesuffix(rest)
    return bool(rest) and start != name.casefold() and meant.startswith(prefix) and start != prefix and is_slip(start, prefix)


def _stray(load: Load, places: Places, name: str, near: tuple[str, str]) -> Stray | None:
    """A variable as a stray, unless it is another's.

    Args:
        load: The load.
        places: Its source.
        name: Its name, folded.
        near: The path of the field that it was probably meant for, and the name of that; empty where there is none.
    """
    origin = places.spelled(name)
    path, meant = near
    if not _NAME[places.label].fullmatch(origin.name) or _is_link(origin.name, meant, places):
        return None
    is_under = False
    for other in _classes(pydantic_settings.BaseSettings):
        naming = naming_in(other.model_config)
        names = attempt(partial(taken, other, naming)) if other is not load.settings_class else None
        if isinstance(names, Taken):
            if names.takes(naming.folded(origin.name)):
                return None
            longer = len(naming.prefix) > len(places.naming.prefix)
            is_under |= longer and naming.folded(origin.name).startswith(naming.folded(naming.prefix))
    extras = places.label == "dotenv" and load.settings_class.model_config.get("extra") == "allow"
    return Stray(origin, path, places.shown(meant), is_told=is_under or extras)


def _classes(base: type[pydantic_settings.BaseSettings]) -> Iterator[type[pydantic_settings.BaseSettings]]:
    for child in base.__subclasses__():
        yield child
        yield from _classes(child)


def _is_link(name: str, meant: str, places: Places) -> bool:
    """Whether Kubernetes sets such a variable for its services, and nobody meant it for a field of such a name."""
    found = _LINK.fullmatch(name)
    if found is None:
        return False
    url = places.variables.get(places.folded(f"{found[1]}PORT"))
    if url and _LINK_URL.match(url):  # it sets this for every service, and nobody does by hand
        return True
    return found[2].upper() != "PORT" and not _LINK.fullmatch(meant)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known of one settings class of a call.

    Attributes:
        name: ``module:Class``.
        problems: What is wrong with it.
        strays: The variables that no field of it takes.
    """

    name: str
    problems: Sequence[Problem]
    strays: Sequence[Stray]


def tell(findings: Sequence[Finding]) -> Iterator[tuple[Problem, ...]]:
    """The problems of each settings class of a call, with what its strays add.

    Each variable is told once, where it helps most; each field is told of one variable at most.
    """
    best: dict[str, tuple[int, int, Stray]] = {}
    for number, finding in enumerate(findings):
        for stray in finding.strays:
            found = (stray.rank, number, stray)
            best[stray.origin.name] = min(best.get(stray.origin.name, found), found, key=_by_rank)
    for number, finding in enumerate(findings):
        yield tuple(_told(finding, [stray for _, owner, stray in best.values() if owner == number]))


def _by_rank(found: tuple[int, int, Stray]) -> tuple[int, int]:
    return found[:2]


def _told(finding: Finding, mine: Sequence[Stray]) -> Iterator[Problem]:
    meant = {stray.field: stray for stray in reversed(mine) if stray.field}
    by_name = {stray.origin: stray for stray in meant.values()}
    for problem in finding.problems:
        stray = meant.get(problem.field) if problem.kind == "missing" else None
        if stray is not None:
            typo = f"{stray.origin.name} is set. Did you mean {stray.meant}?"
            problem = replace(problem, tip=redactor.redact(f"{typo} {problem.tip}" if problem.tip else typo))
        elif problem.origin in by_name and problem.kind == "invalid" and not problem.field:
            problem = replace(problem, tip=_did_you_mean(by_name.pop(problem.origin)))
        yield problem
    told = {problem.origin for problem in finding.problems if problem.kind == "invalid" and not problem.field}
    left = [stray for stray in mine if not stray.is_told and not stray.is_missing and stray.origin not in told]
    for stray in left:
        if by_name.get(stray.origin) is stray:
            yield _unknown(finding, f"no field takes {stray.origin.name}", tip=_did_you_mean(stray), origin=stray.origin)
    names = [stray.origin.name for stray in left if by_name.get(stray.origin) is not stray]
    if names:
        more = f" and {len(names) - _MOST} more" if names[_MOST:] else ""
        yield _unknown(finding, f"no field takes {', '.join(names[:_MOST])}{more}", tip="take out what nobody reads")


def _unknown(finding: Finding, message: str, tip: str, origin: Origin | None = None) -> Problem:
    message, tip = redactor.redact(message), redactor.redact(tip)
    return Problem("unknown", "", message, tip=tip, origin=origin, settings_class=finding.name, severity="warning")


def _did_you_mean(stray: Stray) -> str:
    return f"did you mean {stray.meant}? {stray.field} is {'missing' if stray.is_missing else 'at its default'}"
