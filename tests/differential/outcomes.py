"""Making a generated class on a base, laying out what it is loaded from, and telling how the load ends."""

import contextlib
import dataclasses
import io
import os
import re
import shutil
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pydantic_settings
from pydantic import BaseModel, ValidationError

import confguard
from tests.differential import models
from tests.differential.blueprint import Case, Situation

# What is quoted of a command line is taken out of our error, which is a difference on purpose.
_WITH_ARGUMENTS = re.compile(r"(unrecognized arguments: |invalid choice: |ignored explicit argument ).*", re.DOTALL)
_FIELD_OF_ERROR = re.compile(r'for field "(.*)" from source')


@dataclass(frozen=True)
class Loaded:
    """Settings, as plain data."""

    values: object


@dataclass(frozen=True)
class Refused:
    """A refusal.

    Attributes:
        by: What was raised.
        told: What it tells: places and types of errors, or a text.
        fields: For each thing that is wrong, the top fields of which a report may tell it; ``""`` for none.
    """

    by: str
    told: object
    fields: tuple[frozenset[str], ...] = ()


Outcome = Loaded | Refused


def made(case: Case, base: type) -> dict[str, Any]:
    """The names that the source of a case leaves behind, its classes made on a base."""
    namespace: dict[str, Any] = {**models.NAMESPACE, "base": base, "__name__": models.__name__}
    exec(_compiled(case.source), namespace)  # noqa: S102 - the source comes from the generator beside this module
    return namespace


def _compiled(source: str) -> Any:
    return compile(source, "generated", "exec")


def given(namespace: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Arguments that were generated as source."""
    arguments: dict[str, Any] = eval(source, dict(namespace))  # noqa: S307 - as above
    return arguments


@contextmanager
def laid_out(situation: Situation) -> Generator[None]:
    """An environment and files in the working directory, which are gone afterwards."""
    before = dict(os.environ)
    for path, text in situation.files.items():
        with contextlib.suppress(OSError):  # a file stands where a directory should, as it may on a disk
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(text, errors="surrogateescape")
    os.environ.update(situation.variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        for entry in Path().iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def outcome(load: Callable[[], object], settings_class: type[BaseModel] | None = None) -> tuple[Outcome, list[str]]:
    """How a load ends, and the warnings on the way."""
    with (
        warnings.catch_warnings(record=True) as caught,
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        warnings.simplefilter("always")
        ended = _outcome(load, settings_class)
    return ended, [f"{warning.category.__name__}: {warning.message}" for warning in caught]


def _outcome(load: Callable[[], object], settings_class: type[BaseModel] | None) -> Outcome:
    try:
        return Loaded(shape(load()))
    except ValidationError as exc:
        errors = [(error["type"], error["loc"]) for error in exc.errors(include_url=False)]
        own = settings_class is None or exc.title == settings_class.__name__
        return Refused("ValidationError", (exc.title, errors), tuple(_tops(errors, settings_class)) if own else ())
    except confguard.ConfigError as exc:
        problems = [problem for problem in exc.problems if problem.severity == "error"]
        told = [(problem.kind, problem.field, problem.message) for problem in problems]
        return Refused("ConfigError", told, tuple(frozenset({problem.field.partition(".")[0]}) for problem in problems))
    except SystemExit as exc:
        return Refused("SystemExit", exc.code)
    except Exception as exc:  # noqa: BLE001 - whatever one base raises the other must raise as well
        found = _FIELD_OF_ERROR.search(str(exc)) if isinstance(exc, pydantic_settings.SettingsError) else None
        return Refused(type(exc).__name__, _WITH_ARGUMENTS.sub(r"\1", str(exc)), (frozenset({found[1]}),) if found else ())


def with_hidden_keys(expected: Outcome, actual: Outcome) -> Outcome:
    """What is expected, with what ours takes out of a location on purpose taken out there too: a key within a secret field."""
    if not (isinstance(expected, Refused) and isinstance(actual, Refused) and expected.by == actual.by == "ValidationError"):
        return expected
    (title, theirs), (_, ours) = cast("Any", expected.told), cast("Any", actual.told)
    if [(kind, len(loc)) for kind, loc in theirs] != [(kind, len(loc)) for kind, loc in ours]:
        return expected
    hidden = [
        (kind, tuple(seen if seen == "[redacted]" and at else part for at, (part, seen) in enumerate(zip(loc, own, strict=True))))
        for (kind, loc), (_, own) in zip(theirs, ours, strict=True)
    ]
    return dataclasses.replace(expected, told=(title, hidden))


def _tops(errors: list[tuple[str, tuple[int | str, ...]]], settings_class: type[BaseModel] | None) -> Iterator[frozenset[str]]:
    names: dict[int | str, str] = {}
    for name, info in settings_class.model_fields.items() if settings_class is not None else ():
        alias = info.validation_alias
        parts = getattr(alias, "choices", [alias])
        names |= {getattr(part, "path", [part])[0]: name for part in parts} | {name: name}
    for kind, loc in errors:
        top = names.get(loc[0], "") if loc else ""
        # A key that is not taken is told of the field that it nearly is, or of none.
        yield frozenset({top, ""} if kind == "extra_forbidden" else {top})


def shape(value: object) -> object:
    """A value as plain data that can be compared: types by name, since each base has its own classes."""
    if isinstance(value, BaseModel):
        computed = {name: shape(getattr(value, name)) for name in type(value).model_computed_fields}
        values = {name: shape(item) for name, item in vars(value).items()}
        extra = shape(value.model_extra)
        return (
            type(value).__qualname__,
            values,
            sorted(value.model_fields_set),
            extra,
            computed,
            shape(value.__pydantic_private__),
        )
    if dataclasses.is_dataclass(value):
        return type(value).__qualname__, {name: shape(item) for name, item in vars(value).items()}
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value).__qualname__, [shape(item) for item in value]
    reveal = getattr(value, "get_secret_value", None)
    return (type(value).__qualname__, shape(reveal())) if reveal is not None else (type(value).__qualname__, repr(value))
