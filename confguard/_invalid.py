"""pydantic's errors as problems: on field paths, with native names, and without what must not be shown."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError

from confguard._load import Load
from confguard._misnamed import misnamed_file
from confguard._problem import Origin, Problem
from confguard._redaction import redactor
from confguard._report import place_of
from confguard._schema import Node, Trail
from confguard._sources import describe
from confguard._values import quotes_part, texts

# Errors whose text says what a field wants and quotes nothing of what it got. Any other is told of a secret by its type alone:
# "invalid character: found `h` at 1" is a part of the secret.
_QUOTES_NOTHING = frozenset(
    """
    bool_parsing bool_type bytes_type date_type datetime_type decimal_parsing decimal_type dict_type float_parsing
    float_type frozen_set_type greater_than greater_than_equal int_from_float int_parsing int_parsing_size int_type
    is_instance_of json_type less_than less_than_equal list_type missing model_type multiple_of none_required set_type
    string_pattern_mismatch string_sub_type string_type tuple_type url_parsing url_scheme url_too_long url_type
    uuid_type
    """.split()  # noqa: SIM905 - a list of words is easier to read so
)
# pydantic's own words tell the length of what it got.
LENGTHS = {
    **dict.fromkeys(("bytes_too_long", "string_too_long", "too_long"), "it is longer than {max_length}"),
    **dict.fromkeys(("bytes_too_short", "string_too_short", "too_short"), "it is shorter than {min_length}"),
}
VALIDATORS_OWN = {"value_error": "Value error, ", "assertion_error": "Assertion failed, "}
_SHOWN = 80
_MOST = 5
# A URL or a DSN, however broken, may carry a password; what is neither is shown.
CREDENTIALS = re.compile(r"://|[@=]")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,40}|[a-z_][a-z0-9_]{0,40}")
# A name is words with few digits; what was made at random has many.
_WORD = re.compile(r"[A-Za-z]{0,24}[0-9]{0,3}|[A-Za-z0-9]{1,6}")
_BETWEEN = re.compile(r"[^A-Za-z0-9]")
_OF_FIELD = re.compile(r'(?:error parsing value for field "|Parsing error encountered for )(\w+)')
# What Kubernetes sets for a service is a URL, whatever else a field of that name wants.
_LINK_URL = re.compile(r"(tcp|udp|sctp)://[\w.:\[\]]+")
_NO_LINKS = "Kubernetes sets it for a service of that name; say enableServiceLinks: false in the pod's spec"
# What passes variables on as they stand in a file, such as `docker run --env-file`, leaves the quotes on.
_QUOTED = re.compile(r"(['\"]).*\1", re.DOTALL)
_NO_QUOTES = "the quotes are a part of the value here: take them out"
_NUMBERS = ("int_parsing", "float_parsing", "decimal_parsing")
_WITH_UNIT = re.compile(r"\s*[+-]?[\d.,]+\s*[^\W\d]+\s*")
_WAYS = {
    "bool_parsing": "write true or false",
    "time_delta_parsing": "write PT30S for 30 seconds, PT5M for 5 minutes (ISO 8601)",
}
_NO_FIELD = "take it out, or set extra='ignore' in model_config"


def invalid(error: ValidationError, load: Load, above: tuple[str, ...] | None = None) -> Iterator[Problem]:
    """What pydantic refused, without what has been told already: a field that could not be fetched is not missing as well.

    Args:
        error: What pydantic raised.
        load: The load.
        above: The fields that lead to the model that was validated; None where it was the settings class as a whole.
    """
    if above is None and is_of_another(error, load):
        yield _of_another(error, load)
        return
    told: set[str] = set()
    for details in error.errors(include_url=False):
        trail, rest = locate(load, (*(above or ()), *details["loc"]))
        if details["type"] == "missing" and not rest:
            yield from _missing(load, trail, told)
        elif details["type"] == "extra_forbidden":
            yield _unknown(load, trail, rest)
        elif not trail or not load.failed(trail[-1].path):
            yield _refused(load, trail, rest, details)


def is_of_another(error: ValidationError, load: Load) -> bool:
    """Whether an error is of a model that is not the settings class: its locations lead to no field of ours."""
    config = load.settings_class.model_config
    return error.title != (config.get("title") or load.settings_class.__name__)


def _of_another(error: ValidationError, load: Load) -> Problem:
    """The error of another model, which a validator or a default factory made: its fields are none of this class."""
    faults = [f"{_at(load, details['loc'])}: {details['type']}" for details in error.errors(include_url=False)]
    message = f"{error.title} cannot be made: {', '.join(faults[:_MOST])}{', …' if faults[_MOST:] else ''}"
    return Problem("invalid", "", redactor.redact(message))


def _at(load: Load, loc: tuple[int | str, ...]) -> str:
    """A location within a value; a key in it that is no field's name may be a secret."""
    parts = (str(part) if isinstance(part, int) or part in load.schema.names else "…" for part in loc)
    return ".".join(parts) or "itself"


def locate(load: Load, loc: tuple[int | str, ...]) -> tuple[Trail, tuple[int | str, ...]]:
    """The field that a location leads to, and how it goes on within its value."""
    trail: Trail = ()
    nodes = load.schema.nodes
    while loc and nodes:
        node, taken = next(((node, size) for node in nodes for size in [_matches(node, loc)] if size), (None, 0))
        if node is None:
            break
        trail, nodes, loc = (*trail, node), node.children, loc[taken:]
    return trail, loc


def _matches(node: Node, loc: tuple[int | str, ...]) -> int:
    """How many parts of a location the node's name or one of its aliases takes up."""
    sizes = (len(key) for key in (*node.keys, (node.name,)) if loc[: len(key)] == key)
    return max(sizes, default=0)


def _missing(load: Load, trail: Trail, told: set[str]) -> Iterator[Problem]:
    """A missing field; of a nested model that is missing as a whole, each field that it wants."""
    node = trail[-1]
    required = [child for child in node.children if child.required]
    if required:
        for child in required:
            yield from _missing(load, (*trail, child), told)
    elif not load.failed(node.path) and node.path not in told:
        told.add(node.path)
        yield Problem("missing", node.path, "", tip=_tip(load, trail), looked_in=load.looked_in(trail))


def _tip(load: Load, trail: Trail) -> str | None:
    unread = [fault.places.label for fault in load.readings.faults if not fault.field]
    return f"it may stand in what could not be read: {', '.join(unread)}" if unread else misnamed_file(load, trail)


def _unknown(load: Load, trail: Trail, rest: tuple[int | str, ...]) -> Problem:
    """A key that no field takes. It is named only where it is the name of a variable in an env file."""
    if trail:
        if not rest:
            return _by_its_name(trail[-1])
        origin = load.origins.get(trail[-1].path)
        return Problem("invalid", trail[-1].path, "has a key that no field of it takes", origin=origin)
    led = next((node for node in load.schema.nodes if any(key[0] == rest[0] for key in node.keys)), None)
    if led is not None:
        return Problem("invalid", led.path, f"{rest[0]} has nothing at the place that its alias path leads to")
    for places in load.places:
        if (variable := places.variable(str(rest[0]))) is not None:
            if not (_VARIABLE.fullmatch(variable.name) and are_words(words_of(variable.name))):
                # A line of a key that is not quoted can look like a variable, and so can a URL.
                return Problem("invalid", "", f"{variable.place} has an entry that no field takes", tip=_NO_FIELD)
            return Problem("invalid", "", f"no field takes {variable.name}", tip=_NO_FIELD, origin=variable)
    return Problem("invalid", "", "an unknown key was given", tip=_NO_FIELD)


def words_of(name: str) -> list[str]:
    """The words of a name, or of what pydantic calls a member of a union."""
    return [word for word in _BETWEEN.split(name) if word]


def are_words(words: Iterable[str]) -> bool:
    """Whether words are such as names are made of, and nothing that was made at random."""
    return all(map(_WORD.fullmatch, words))


def _by_its_name(node: Node) -> Problem:
    """A field that was given under its own name, where only its alias is read."""
    names = " or ".join(dict.fromkeys(str(key[0]) for key in node.keys))
    tip = f"call it {names}, or set populate_by_name=True in model_config"
    return Problem("invalid", node.path, "was given by its own name, and only its alias is read", tip=tip)


def _refused(load: Load, trail: Trail, rest: tuple[int | str, ...], details: ErrorDetails) -> Problem:
    path = trail[-1].path if trail else ""
    secret = bool(trail) and trail[-1].secret
    origin = load.origins.get(path) or _nearest_origin(load, trail)
    message = message_of(load, details, secret=secret)
    if rest and not secret:
        message += f" (at {_at(load, rest)})"
    if not secret and not rest and _is_shown(load, trail, origin, details["input"]):
        message += f"; it is {_short(details['input'])}"
    return Problem("invalid", path, message, tip=_way_out(details, secret=secret), origin=origin)


def _way_out(details: ErrorDetails, *, secret: bool) -> str | None:
    """What to do about a text that is refused, where a usual slip made it so."""
    given = details["input"]
    if not isinstance(given, str):
        return None
    if _LINK_URL.match(given):
        return _NO_LINKS
    if _QUOTED.fullmatch(given):
        return _NO_QUOTES
    if details["type"] in _NUMBERS and not secret and _WITH_UNIT.fullmatch(given):
        return "write the number alone, without a unit"
    return _WAYS.get(details["type"])


def _nearest_origin(load: Load, trail: Trail) -> Origin | None:
    """The origin of a model's first value, where a whole model is refused."""
    path = trail[-1].path if trail else ""
    below = (load.origins[leaf[-1].path] for leaf in load.schema.leaves if path and leaf[-1].path.startswith(f"{path}."))
    return next((origin for origin in below if origin.source != "default"), None)


def message_of(load: Load, details: ErrorDetails, *, secret: bool) -> str:
    """What pydantic or a validator says, without what must not be shown and without pydantic's "Value error, "."""
    kind, message = details["type"], details["msg"]
    if kind in _QUOTES_NOTHING:
        return redactor.redact(message)  # a validator may raise one of these itself, with what it likes for a bound
    if secret and kind in LENGTHS:
        return LENGTHS[kind].format(**details.get("ctx", {}))
    if secret and kind not in VALIDATORS_OWN:
        return f"not a valid value of its type ({kind})" if kind.isidentifier() else "not a valid value of its type"
    message = message.removeprefix(VALIDATORS_OWN.get(kind, ""))
    given = texts(details["input"], keys=True)
    own = given if secret else (text for text in given if kind not in VALIDATORS_OWN and _may_carry_credentials(text))
    if (kind in VALIDATORS_OWN and load.has_unknown_secret()) or quotes_part(message, [*load.secrets(), *own]):
        return "its validator refuses it; the message may hold a part of a secret and is withheld"
    return redactor.redact(message)


def _may_carry_credentials(text: str | bytes) -> bool:
    return isinstance(text, str) and CREDENTIALS.search(text) is not None


def _is_shown(load: Load, trail: Trail, origin: Origin | None, given: Any) -> bool:
    """Whether an input may be shown: a scalar as it stood in a variable, that is no URL and holds no known secret."""
    if origin is None or origin.source not in ("env", "dotenv") or not isinstance(given, str | int | float):
        return False
    text = str(given)
    if load.given(trail) != given or CREDENTIALS.search(text):
        return False
    return not redactor.holds_secret(text)


def _short(given: object) -> str:
    text = repr(given)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def faulty_code(exc: BaseException) -> Problem:
    """The problem of an exception from the user's own code: where it was raised, and nothing that it says."""
    place = place_of(exc)
    message = f"loading raised {type(exc).__qualname__} at {place}"
    message = redactor.redact(message)
    if Path(place).parent == Path(__file__).parent:
        return Problem("defect", "", message, tip="this is a fault of confguard-settings; please report it")
    return Problem("mistake", "", message, tip="a validator says what is wrong by raising ValueError")


def unmade_source(exc: SettingsError, load: Load) -> Problem:
    """The problem of a source that failed before it was asked, as one does that reads the command line when it is made.

    What pydantic-settings says may quote an argument: only the name of a field of ours is taken from it.
    """
    raised, found = describe(exc), _OF_FIELD.search(str(exc))
    field = found[1] if found and found[1] in load.schema.trails else ""
    tip = "see what the command line gives, which is read before all else"
    return Problem(raised.kind, field, redactor.redact(f"a source cannot be made: {raised.message}"), tip=tip)
