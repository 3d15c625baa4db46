"""The public face: the base class and `validate`."""

import logging
import os
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pydantic_settings
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

from confguard._explain import known
from confguard._invalid import faulty_code, invalid, unreadable_files
from confguard._load import DEFAULT_TIMEOUT, Load, active_load, loading, owned_by_outer_load
from confguard._places import Places
from confguard._problem import Problem
from confguard._redaction import redactor
from confguard._report import printable
from confguard._sources import Fault, Raised, Source, attempt
from confguard.exceptions import ConfigError
from confguard.provider import Provider

Hook = Callable[..., tuple[Source, ...]]

# Whether settings of ours are being made in this context.
_building: ContextVar[bool] = ContextVar("confguard_building", default=False)

logger = logging.getLogger("confguard")

S = TypeVar("S", bound="BaseSettings")


class SettingsConfigDict(pydantic_settings.SettingsConfigDict, total=False):
    """The configuration of a settings class: all that pydantic-settings takes, and `providers`."""

    providers: Sequence[Provider]
    """Providers to ask before our own of the same schemes: ``[Vault(address=…, auth=AppRole(…))]``. None unless told."""


class BaseSettings(pydantic_settings.BaseSettings):
    """A base class for settings: pydantic-settings' own, whose fields may be bound to references into stores.

    Sources are asked as ever. What they leave out, and is bound with `From`, is fetched; then come the defaults. Calling the
    class keeps pydantic's contract; `validate` loads the same and reports everything that is wrong at once.

    Raises:
        ConfigError: A bound field could not be fetched, or the class itself is wrong.
        pydantic.ValidationError: As pydantic-settings raises it.
    """

    if not TYPE_CHECKING:  # type checkers see the fields, and the arguments of pydantic-settings' own base

        @wraps(pydantic_settings.BaseSettings.__init__)
        def __init__(__pydantic_self__, *args, **kwargs):  # noqa: N805 - a field may be called "self"
            known.forget(__pydantic_self__)
            _append_bindings(type(__pydantic_self__))
            problems = ()
            token = _building.set(True)
            try:
                super().__init__(*args, **kwargs)
            except ConfigError as exc:
                problems = exc.problems
            finally:
                _building.reset(token)
            args = kwargs = None
            if problems:
                # Anew, so that its traceback does not lead through frames that hold what the sources gave.
                raise ConfigError(problems)

        def __init_subclass__(cls, **kwargs):
            super().__init_subclass__(**kwargs)
            _append_bindings(cls)


class BindingsSource(PydanticBaseSettingsSource):
    """The source of bound fields: stands last, sees what the others found, and fetches the rest."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Nothing: a field alone is never fetched."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """The values of the bound fields that no other source has.

        Raises:
            ConfigError: Outside of `validate`, which collects problems: what could not be fetched.
        """
        if owned_by_outer_load(self.settings_cls):
            return {}
        load = active_load(self.settings_cls)
        if load is not None:
            return load.complete(self.current_state, self.settings_sources_data)
        load = Load(self.settings_cls)
        with loading(load):
            found = load.complete(self.current_state)
        problems = tuple(load.all_problems())
        if any(problem.severity == "error" for problem in problems):
            raise ConfigError(problems)
        _log_warnings(problems)
        return found


def _append_bindings(owner: type[BaseSettings]) -> None:
    """Let a class's hook for sources return ours as the last, whatever the class, a mixin or a base makes of the others.

    Only the hook of the class that is being loaded adds it: one that is reached by ``super()`` returns what it always did, so
    that user code may unpack it.
    """
    own = owner.__dict__.get("settings_customise_sources")
    if getattr(own, "__confguard__", False):
        return

    def settings_customise_sources(
        cls: type[BaseSettings], /, settings_cls: type[BaseSettings], *args: Source, **kwargs: Source
    ) -> tuple[Source, ...]:
        inherited: Any = super(owner, cls)
        hook: Hook = own.__get__(None, cls) if own is not None else inherited.settings_customise_sources
        if cls is not owner:
            return hook(settings_cls, *args, **kwargs)
        load = active_load(cls)
        if load is None:
            return (*hook(settings_cls, *args, **kwargs), BindingsSource(settings_cls))
        return (*load.watch(_customised(hook, load, settings_cls, *args, **kwargs)), BindingsSource(settings_cls))

    hooked: Any = classmethod(settings_customise_sources)
    hooked.__confguard__ = True  # marks it as ours
    owner.settings_customise_sources = hooked  # type: ignore[method-assign] # what pydantic-settings calls on the class


def _customised(hook: Hook, load: Load, settings_cls: type, *args: Source, **kwargs: Source) -> tuple[Source, ...]:
    """The user's sources; where their own hook fails, the problem is noted and the usual four stand in."""
    made = attempt(lambda: hook(settings_cls, *args, **kwargs))
    if not isinstance(made, Raised):
        return tuple(made)
    load.readings.faults.append(Fault(Places(None, "settings_customise_sources"), "", made))
    return (*args, *kwargs.values())


def validate(settings_class: type[S], *, timeout: float = DEFAULT_TIMEOUT) -> S:
    """Load settings, or say everything that is wrong with them.

    Always loads anew: reads the sources, fetches what they leave out, validates. Blocks; inside of an event loop use
    ``await asyncio.to_thread(validate, AppSettings)``.

    Args:
        settings_class: A subclass of `BaseSettings`.
        timeout: Seconds until what has no answer from a store is ``unavailable``.

    Raises:
        ConfigError: The settings cannot be loaded; ``.problems`` has all the reasons. It holds no secret, and neither do the
            frames of this library and its dependencies on its traceback.
        TypeError: It is no settings class.
        ValueError: The timeout is not above 0.
    """
    settings, problems = load_settings(settings_class, timeout)
    if settings is None:
        raise ConfigError(problems)
    _log_warnings(problems)
    return settings


def load_settings(settings_class: type[S], timeout: float) -> tuple[S | None, tuple[Problem, ...]]:
    """The settings and all problems; no settings where one of them is an error."""
    given: Any = settings_class
    if not (isinstance(given, type) and issubclass(given, BaseSettings)):
        raise TypeError(f"validate() takes a subclass of confguard.BaseSettings, not {_name_of(given)}")
    if not timeout > 0:
        raise ValueError(f"timeout must be above 0 seconds, not {timeout!r}")
    settings, problems, stop = _load_once(settings_class, timeout)
    if stop is not None:
        raise stop
    return (None if any(problem.severity == "error" for problem in problems) else settings), problems


def _name_of(given: object) -> str:
    return f"the class {given.__qualname__}" if isinstance(given, type) else f"an object of {type(given).__qualname__}"


def _load_once(settings_class: type[S], timeout: float) -> tuple[S | None, tuple[Problem, ...], BaseException | None]:
    load = Load(settings_class, timeout)
    settings, stop = _construct(load, {})
    if not load.ran and stop is None and (files := _unreadable_env_files(settings_class)):
        # An env file that cannot be decoded keeps pydantic-settings from making any source at all.
        readable = [path for path, raised in files if raised is None]
        load = Load(settings_class, timeout)
        settings, stop = _construct(load, {"_env_file": readable or None})
        load.problems += unreadable_files((path, raised) for path, raised in files if raised is not None)
    load.forget()
    if settings is not None:
        known.remember(settings, load.origins)
    return settings, tuple(load.all_problems()), stop


def _construct(load: Load, arguments: dict[str, Any]) -> tuple[Any, BaseException | None]:
    """The settings, or problems noted in the load. Exceptions end here, since they and their frames hold values.

    What is no `Exception` comes back made anew, to be raised where no frame holds a value.
    """
    try:
        with loading(load):
            return load.settings_class(**arguments), None
    except ValidationError as exc:
        load.problems += invalid(exc, load)
    except ConfigError as exc:
        load.problems += exc.problems  # of another settings class, which this one makes
    except Exception as exc:  # noqa: BLE001 - becomes a problem
        load.problems.append(faulty_code(exc))
    except KeyboardInterrupt:
        return None, KeyboardInterrupt()
    except SystemExit as exc:
        return None, SystemExit(exc.code if isinstance(exc.code, int) else 1)
    except BaseException as exc:  # noqa: BLE001 - a task that is cancelled, say
        return None, _anew(exc)
    return None, None


def _anew(exc: BaseException) -> BaseException:
    """An exception of the same type, with nothing in it; where its type wants an argument, a plain interrupt."""
    try:
        return type(exc)()
    except TypeError:
        return KeyboardInterrupt()


def _unreadable_env_files(settings_class: type[BaseSettings]) -> list[tuple[str, Raised | None]]:
    """Every regular env file of the class's configuration with what is wrong with it; empty where all can be read."""
    given = settings_class.model_config.get("env_file")
    encoding = settings_class.model_config.get("env_file_encoding") or "utf-8"
    files: list[tuple[str, Raised | None]] = []
    for file in [given] if isinstance(given, str | os.PathLike) else given or []:
        path = Path(file).expanduser()
        if path.is_file():
            text = attempt(partial(path.read_text, encoding=encoding))
            files.append((str(file), text if isinstance(text, Raised) else None))
    return files if any(raised for _, raised in files) else []


def _log_warnings(problems: Sequence[Problem]) -> None:
    for problem in problems:
        logger.warning("%s", printable(redactor.redact(f"{problem.field or problem.settings_class}: {problem.message}")))


def _is_not_of_ours(record: logging.LogRecord) -> bool:
    """Drop the record that holds every value of every source, which ``PYDANTIC_SETTINGS_DEBUG`` asks for, of our classes.

    It is the one that comes ready-made; those that name files have arguments, and stay.
    """
    return bool(record.args) or not _building.get()


logging.getLogger("pydantic_settings").addFilter(_is_not_of_ours)
