"""The errors of plain calls: pydantic's own types, made anew so that they hold no secret and lead to none.

pydantic's `ValidationError` holds every input that was refused, a whole model where a field of it is missing, and the
exceptions of validators with their frames. Users match on its type, its locations and its messages; those stay where they can.
"""

import copy
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError, PydanticKnownError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from confguard._explain import value_at
from confguard._invalid import CREDENTIALS, LENGTHS, VALIDATORS_OWN, are_words, is_of_another, locate, message_of, words_of
from confguard._known import REDACTED
from confguard._load import Load
from confguard._redaction import redactor
from confguard._schema import Trail
from confguard._sources import Source
from confguard._stripped import stripped
from confguard._values import loads, quotes_part, texts
from confguard.exceptions import ConfigError

# What pydantic-settings tells a source of the load under way.
_STATE = ("_current_state", "_settings_sources_data")
_SCALARS = frozenset({str, int, float, bool, type(None)})
_CONTAINERS = frozenset({str, bytes, dict, list, tuple, set, frozenset})
_LONGEST = 100
# The words of which pydantic makes the name of a member of a union, which says nothing of a value.
_OF_TYPES = frozenset(
    """
    after any before bool bytes chain constrained date datetime decimal dict enum float frozenset function instance int is json
    lax list literal model multi host none nullable or plain python schema set str strict time timedelta tuple url uuid wrap
    """.split()  # noqa: SIM905 - a list of words is easier to read so
)
_BOUNDS = ("min_length", "max_length")
_WHOLES = frozenset({"missing", "extra_forbidden"})
"""Errors whose input is no value of the field that they name."""


def cleaned(exc: BaseException, load: Load) -> BaseException:
    """The exception to raise in place of one, where no frame holds a value.

    Args:
        exc: What was raised below, with its frames.
        load: The load that it ended, which still has its values.

    Returns:
        A `ConfigError` or a `ValidationError` made anew; any other as `stripped` makes it.
    """
    if isinstance(exc, ValidationError):
        return _rebuilt(exc, load)
    if isinstance(exc, ConfigError):
        return ConfigError(exc.problems)
    return stripped(exc, lambda error: _rebuilt(error, load))


def given_to(settings_class: type[BaseSettings], given: object) -> Load:
    """A load of what was given to `model_validate` and its like, to tell its secrets by."""
    load = Load(settings_class)
    given = bytes(given) if isinstance(given, bytearray) else given
    read = loads(given) if isinstance(given, str | bytes) else given
    if isinstance(read, Mapping):
        load.state = dict(read)
    else:
        load.texts += texts(given, keys=True)
    return load


def assigned_to(settings: BaseSettings, name: str, value: object) -> Load:
    """A load of settings of which an attribute is set, to tell their secrets by."""
    load = Load(type(settings))
    load.knows_all = True
    for trail in load.schema.leaves:
        if trail[-1].secret:
            path = trail[-1].path
            load.texts += texts(value, keys=True) if trail[0].name == name else texts(value_at(settings, path), keys=True)
    return load


def forgettable(sources: Sequence[Source]) -> tuple[Source, ...]:
    """Sources that `forget_sources` may empty: copies of ours and pydantic-settings' own, which users may share between calls."""
    return tuple(copy.copy(source) if _is_ours(source) else source for source in sources)


def forget_sources(sources: Sequence[Source] = (), given: dict[str, Any] | None = None) -> None:
    """Empty sources that a frame of pydantic-settings goes on holding.

    Args:
        sources: What `forgettable` made. Of a user's own source only what a load told it is forgotten.
        given: What was given to ``CliApp.run``: the keywords of that frame.
    """
    for source in sources:
        if isinstance(source, PydanticBaseSettingsSource):
            held = vars(source)
            for name in list(held) if _is_ours(source) else _STATE:
                if type(held.get(name)) not in _SCALARS and not isinstance(held[name], type):
                    held[name] = {}
    if given is not None:
        given.clear()


def _is_ours(source: Source) -> bool:
    module = type(source).__module__
    return isinstance(source, PydanticBaseSettingsSource) and module.startswith(("pydantic_settings.", "confguard."))


def _rebuilt(error: ValidationError, load: Load) -> ValidationError:
    foreign = is_of_another(error, load)
    secrets = [*load.secrets()]
    hides = bool(load.settings_class.model_config.get("hide_input_in_errors"))
    lines = [_line(load, details, secrets, foreign=foreign) for details in error.errors()]
    return ValidationError.from_exception_data(error.title, lines, "python", hides)


def _line(load: Load, details: ErrorDetails, secrets: Collection[str | bytes], *, foreign: bool) -> InitErrorDetails:
    trail, rest = ((), details["loc"]) if foreign else locate(load, details["loc"])
    secret = foreign or (bool(trail) and trail[-1].secret)
    message = message_of(load, details, secret=secret)
    kind, context = _kind(details, message, secrets)
    kept = details["loc"][: len(details["loc"]) - len(rest)]
    line: InitErrorDetails = {
        "type": kind,
        "loc": (*kept, *(part if _is_key_shown(load, trail, details, part) else REDACTED for part in rest)),
        "input": _input(load, trail, rest, details, secret=secret),
    }
    if context:
        line["ctx"] = context
    return line


def _kind(
    details: ErrorDetails, message: str, secrets: Collection[str | bytes]
) -> tuple[str | PydanticCustomError, dict[str, Any] | None]:
    """The type of an error and the context of a known one, of which pydantic makes its message."""
    kind, context = details["type"], details.get("ctx", {})
    if kind in VALIDATORS_OWN:
        raised = AssertionError if isinstance(context.get("error"), AssertionError) else ValueError
        return kind, {"error": raised(message)}
    known: Any = PydanticKnownError if "url" in details else None  # errors of validators have no page of their own
    make: Any = PydanticCustomError  # both are typed for literals alone
    if message == details["msg"] and not quotes_part(" ".join(map(str, texts(context))), secrets):
        if known is not None and known(kind, context or None).message() == message:
            return kind, context
    elif kind in LENGTHS:
        context = {name: bound for name, bound in context.items() if name in _BOUNDS}
    elif known is not None:
        return kind, {name: REDACTED if isinstance(value, str) else value for name, value in context.items()}
    else:
        context = {}
    if known is None:
        context = {name: value if type(value) in _SCALARS else str(value) for name, value in context.items()}
    return make(kind if kind.isidentifier() else "custom_error", message, context or None), None


def _input(load: Load, trail: Trail, rest: tuple[int | str, ...], details: ErrorDetails, *, secret: bool) -> object:
    """The input where it is a scalar of a field that is no secret, and nothing else: a whole model holds secrets."""
    given: object = details["input"]
    if isinstance(given, Collection) and type(given) in _CONTAINERS and not given:
        return type(given)()
    text = str(given) if type(given) in _SCALARS else ""
    if not text or secret or not trail or trail[-1].children or details["type"] in _WHOLES:
        return REDACTED
    if rest and text not in str(load.given(trail)):
        return REDACTED  # a validator of the field may refuse what it took from elsewhere
    return REDACTED if CREDENTIALS.search(text) or redactor.holds_secret(text) else given


def _is_key_shown(load: Load, trail: Trail, details: ErrorDetails, part: int | str) -> bool:
    """Whether what a location tells of the inside of a value may be shown: a key in it may be a secret."""
    if isinstance(part, int) or part in load.schema.names:
        return True
    words = words_of(part)
    if all(word in _OF_TYPES or word in {model.__name__ for model in load.schema.models} for word in words):
        return True
    if redactor.holds_secret(part) or (trail and trail[-1].secret):
        return False
    is_name = len(part) <= _LONGEST and are_words(words)
    # In an env file the end of a key in base64, which is not quoted, looks like a variable: its value is an equals sign.
    return is_name and details["input"] != "="
