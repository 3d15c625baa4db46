"""Reading the user's sources so that one that fails costs nothing but itself.

The sources stay the user's: same objects, same order, same types. For the time of a load each stands behind a proxy that notes
what it returned, for origins, and what it raised, for the report. Where one raises, a copy of it is asked once more, field by
field, so that a field that cannot be parsed does not take the others with it.
"""

import copy
import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from errno import errorcode
from json import JSONDecodeError
from typing import Any, TypeVar

from pydantic.fields import FieldInfo
from pydantic_settings import DotEnvSettingsSource, PydanticBaseSettingsSource, SecretsSettingsSource

from confguard._mounted import GuardedSource, SwappedError
from confguard._places import Places
from confguard._problem import Kind

T = TypeVar("T")

# What pydantic-settings lets a source be: anything that gives a tree when called.
Source = Callable[..., dict[str, Any]]
State = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Raised:
    """What may be said of an exception; the exception itself holds values and frames, and is gone."""

    kind: Kind
    message: str
    tip: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a source, or one field of it, could not be read.

    Attributes:
        places: The source.
        field: The top field that it concerns; ``""`` for the source as a whole.
        raised: What went wrong, as far as it can be said without quoting what was read.
    """

    places: Places
    field: str
    raised: Raised


@dataclass(slots=True)
class Readings:
    """What the sources of one load gave, in their order, and what failed."""

    states: list[tuple[Places, State]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def read(self, source: Source) -> dict[str, Any]:
        """What a source gives; where it fails, what it gives without the fields that fail."""
        places = Places(source)
        if _is_empty_env_file(source):
            state = {}
        elif isinstance(source, GuardedSource):
            with _without_absent_directories(source, places):
                state = self._attempt(source)
        else:
            state = self._attempt(source)
        self.states.append((places, state))
        return state

    def _attempt(self, source: Source) -> dict[str, Any]:
        state = attempt(source)
        return self._read_carefully(source, state) if isinstance(state, Raised) else state

    def _read_carefully(self, source: Source, raised: Raised) -> dict[str, Any]:
        faults: list[tuple[str, Raised]] = []
        state = attempt(lambda: _careful_copy(source, faults)())
        if isinstance(state, Raised) or not faults:
            faults, state = [("", raised)], {}
        self.faults += [Fault(Places(source), name, why) for name, why in faults]
        return state

    def clear(self) -> None:
        """Forget all of it: it holds values."""
        for places, state in self.states:
            if state:  # of the others nobody will ask for an origin
                places.forget_values()
        self.states.clear()
        self.faults.clear()


def _is_empty_env_file(source: Source) -> bool:
    """Whether a source is pydantic-settings' own of env files, and there are none, or nothing is in them.

    Asked for its values all the same, it would go through every field: a third of what a load takes.
    """
    return isinstance(source, DotEnvSettingsSource) and type(source) is DotEnvSettingsSource and not source.env_vars


@contextmanager
def _without_absent_directories(source: SecretsSettingsSource, places: Places) -> Generator[None]:
    """Keep pydantic-settings from warning of each mounted directory that is not there, at every start of every service.

    Where a value is missing, the report says of the directory that it is not there.
    """
    given, source.secrets_dir = source.secrets_dir, [path for path in places.directories() if path.exists()] or None
    try:
        yield
    finally:
        source.secrets_dir = given


class Watched:
    """Stands for a source during a load: to all that ask it is the source, and what it gives is noted.

    A proxy, since a source may be frozen, shared between loads, or keep a register of its subclasses.
    """

    def __init__(self, source: Source, readings: Readings) -> None:
        self.__dict__["_watched"] = source, readings
        self.__dict__["__name__"] = getattr(source, "__name__", type(source).__name__)

    # How isinstance() is told what a proxy stands for.
    @property  # type: ignore[misc]
    def __class__(self) -> type:  # pyright: ignore[reportIncompatibleMethodOverride]
        return type(self.__dict__["_watched"][0])

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_watched"][0], name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self.__dict__["_watched"][0], name, value)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        source, readings = self.__dict__["_watched"]
        # A CLI source is also called with arguments, to be told what to parse.
        return source(*args, **kwargs) if args or kwargs else readings.read(source)

    def __repr__(self) -> str:
        return repr(self.__dict__["_watched"][0])


def attempt(call: Callable[[], T]) -> T | Raised:
    """What a call gives, or what may be said of what it raised."""
    try:
        return call()
    except Exception as exc:  # noqa: BLE001 - a source is the user's code; whatever it raises becomes a problem
        return describe(exc)


def describe(exc: BaseException) -> Raised:
    """What may be said of an exception whose text may quote a value: its type, and the facts of the well-known ones."""
    cause = exc
    for cause in _chain(exc):
        if isinstance(cause, OSError):
            kind: Kind = "denied" if isinstance(cause, PermissionError) else "malformed"
            return Raised(kind, f"{_file_of(cause)}: {_system_says(cause)}")
        if isinstance(cause, UnicodeDecodeError):
            return Raised("malformed", f"not valid {cause.encoding.upper()}: {cause.reason} at byte {cause.start}")
        if isinstance(cause, JSONDecodeError):
            return Raised("malformed", f"not valid JSON: {cause.msg} at line {cause.lineno} column {cause.colno}")
    return Raised("malformed", f"cannot be read ({type(cause).__qualname__})")


def _file_of(error: OSError) -> str:
    """The file that an error of the system names; ``urllib`` puts an address there, which may carry credentials."""
    name = error.filename
    return os.fsdecode(name) if isinstance(name, str | bytes | os.PathLike) and "://" not in os.fsdecode(name) else "a file"


def _system_says(error: OSError) -> str:
    """The system's own words; another's may quote what was sent or asked for."""
    known = error.errno in errorcode and error.strerror == os.strerror(error.errno or 0)
    return str(error.strerror) if known or isinstance(error, SwappedError) else type(error).__name__


def _chain(exc: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = exc
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__


class _Careful(PydanticBaseSettingsSource):
    """Put before a source's own class: notes the fields that fail, and gives what can be had of them."""

    _faults: list[tuple[str, Raised]]
    _lenient = False

    def __init_subclass__(cls, **kwargs: object) -> None:
        """Keep the source's own class from hearing of a subclass that is none of its users'."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        try:
            return super().get_field_value(field, field_name)  # type: ignore[safe-super] # the source's own class has it
        except Exception as exc:  # noqa: BLE001 - becomes a problem
            self._faults.append((field_name, describe(exc)))
        return None, field_name, False

    def prepare_field_value(self, field_name: str, field: FieldInfo, value: Any, value_is_complex: bool) -> Any:
        try:
            return super().prepare_field_value(field_name, field, value, value_is_complex)
        except Exception as exc:  # noqa: BLE001 - becomes a problem
            self._faults.append((field_name, describe(exc)))
        object.__setattr__(self, "_lenient", True)
        prepared = attempt(lambda: super(_Careful, self).prepare_field_value(field_name, field, value, value_is_complex))
        object.__setattr__(self, "_lenient", False)
        return None if isinstance(prepared, Raised) else prepared

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        if not self._lenient:
            return super().decode_complex_value(field_name, field, value)
        decoded = attempt(lambda: super(_Careful, self).decode_complex_value(field_name, field, value))
        return value if isinstance(decoded, Raised) else decoded


def _careful_copy(source: Source, faults: list[tuple[str, Raised]]) -> Source:
    kind = type(source)
    twin = copy.copy(source)
    object.__setattr__(twin, "__class__", type(kind.__name__, (_Careful, kind), {"__module__": kind.__module__}))
    object.__setattr__(twin, "_faults", faults)
    return twin
