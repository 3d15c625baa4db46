"""The public face: the base class, `validate` and `lazy`."""

import logging
import os
from collections.abc import Collection, Sequence
from contextvars import ContextVar
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, overload

import pydantic_settings
from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

from confguard._alone import take_alone
from confguard._call import Call, load_settings
from confguard._complete import complete
from confguard._explain import known
from confguard._hook import append_source
from confguard._lazy import About, class_of_handle, hold, make_handle
from confguard._load import DEFAULT_TIMEOUT, Load, active_load, loading, owned_by_outer_load, reported
from confguard._overridden import impose_on_others
from confguard._overrides import Layer, Stamp
from confguard._plain import assigned_to, cleaned, forget_sources, forgettable, given_to
from confguard._problem import Problem
from confguard._redaction import redactor
from confguard._report import printable
from confguard._rules import judge
from confguard._sources import Fault
from confguard._turns import turn_to_load
from confguard._waiting import load_patiently
from confguard.exceptions import ConfigError
from confguard.provider import Provider

# Where settings of ours are being made in this context: the load that a plain call makes, once its sources are read.
_building: ContextVar[list[Load] | None] = ContextVar("confguard_building", default=None)

logger = logging.getLogger("confguard")

S = TypeVar("S", bound="BaseSettings")
S2 = TypeVar("S2", bound="BaseSettings")
S3 = TypeVar("S3", bound="BaseSettings")


class SettingsConfigDict(pydantic_settings.SettingsConfigDict, total=False):
    """The configuration of a settings class: all that pydantic-settings takes, and `providers`."""

    providers: Sequence[Provider]
    """Providers to ask before our own of the same schemes: ``[Vault(address=…, auth=AppRole(…))]``. None unless told."""

    allowed_references: Sequence[str]
    """Prefixes of the references that a variable, an env file or a mounted file may hold in place of a value, written
    ``ref+vault://secret/myservice#/key``: ``["vault://secret/myservice/"]``. None unless told."""

    file_roots: Sequence[str | os.PathLike[str]]
    """Directories that the files must lie in, links resolved, which variables like ``TOKEN_FILE`` name. Unless told, what the
    environment names may lie anywhere, and what an env file names in or below its directory, or in ``secrets_dir``."""


def _guarded(name: str) -> Any:
    """One of pydantic's ways to make a model of what is given, with clean errors. Those of `__init__`, which it calls, are."""

    @wraps(getattr(pydantic_settings.BaseSettings, name).__func__)
    def guarded(cls: Any, obj: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return getattr(super(BaseSettings, cls), name)(obj, *args, **kwargs)
        except BaseException as exc:  # noqa: BLE001 - raised again
            error = cleaned(exc, given_to(cls, obj))
        obj = args = kwargs = None  # type: ignore[assignment]
        try:
            raise error
        finally:
            del error

    return classmethod(guarded)


class BaseSettings(pydantic_settings.BaseSettings):
    """A base class for settings: pydantic-settings' own, whose fields may be bound to references into stores.

    Sources are asked as ever. What they leave out, and is bound with `From`, is fetched; then come the defaults. Calling the
    class keeps pydantic's contract; `validate` loads the same and reports everything that is wrong at once.

    Raises:
        ConfigError: A bound field could not be fetched, or the class itself is wrong.
        pydantic.ValidationError: As pydantic-settings raises it, without inputs that are or may be secrets.
        pydantic_settings.SettingsError: As pydantic-settings raises it, not chained to what it could not read.
    """

    if not TYPE_CHECKING:  # type checkers see the fields, and the arguments of pydantic-settings' own base

        @wraps(pydantic_settings.BaseSettings.__init__)
        def __init__(__pydantic_self__, *args, **kwargs):  # noqa: N805 - a field may be called "self"
            known.forget(__pydantic_self__)
            alone = take_alone(type(__pydantic_self__))
            if alone is not None:
                given = {name: value for name, value in kwargs.items() if not name.startswith("_")}
                __pydantic_self__.__pydantic_validator__.validate_python({**alone, **given}, self_instance=__pydantic_self__)
                return
            append_source(type(__pydantic_self__), BindingsSource)
            error = None
            loads = []
            token = _building.set(loads)
            try:
                super().__init__(*args, **kwargs)
            except BaseException as exc:
                if reported(type(__pydantic_self__)):
                    raise
                error = cleaned(exc, loads[-1] if loads else Load(type(__pydantic_self__)))
                forget_sources(*kwargs.get("_build_sources") or ())
            finally:
                _building.reset(token)
            args = kwargs = None
            if loads:
                error = _ended(loads[-1], __pydantic_self__, error)
            if error is None:
                return
            __pydantic_self__ = loads = None
            try:
                # Here, so that its traceback does not lead through frames that hold what the sources gave.
                raise error
            finally:
                error = None  # which leads back to this frame

        def __setattr__(self, name, value):
            try:
                return super().__setattr__(name, value)
            except BaseException as exc:  # noqa: BLE001 - raised again
                error = cleaned(exc, assigned_to(self, name, value))
            self = value = None
            try:
                raise error
            finally:
                error = None

        model_validate = _guarded("model_validate")
        model_validate_json = _guarded("model_validate_json")
        model_validate_strings = _guarded("model_validate_strings")

        if hasattr(pydantic_settings.BaseSettings, "_settings_init_sources"):

            @classmethod
            def _settings_init_sources(cls, *args, **kwargs):
                # CliApp.run calls this by itself, and keeps what comes of it among its locals.
                if _building.get() is not None:
                    return super()._settings_init_sources(*args, **kwargs)
                try:
                    sources, given = super()._settings_init_sources(*args, **kwargs)
                    return forgettable(sources), given
                except BaseException as exc:  # noqa: BLE001 - raised again
                    error = cleaned(exc, Load(cls))
                    forget_sources((), kwargs.get("_init_kwargs"))
                args = kwargs = None
                try:
                    raise error
                finally:
                    error = None

        def __init_subclass__(cls, **kwargs):
            super().__init_subclass__(**kwargs)
            append_source(cls, BindingsSource)


class BindingsSource(PydanticBaseSettingsSource):
    """The source of bound fields: stands last, sees what the others found, and fetches the rest."""

    def __init__(
        self,
        settings_cls: type[pydantic_settings.BaseSettings],
        faults: Sequence[Fault] = (),
        layers: tuple[Layer, ...] = (),
    ) -> None:
        super().__init__(settings_cls)
        self._faults = faults
        self._layers = layers

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Nothing: a field alone is never fetched."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """The values of the bound fields that no other source has.

        Raises:
            ConfigError: Outside of `validate`, which collects problems: what could not be fetched.
        """
        state: Any = self.current_state
        if self._layers:
            impose_on_others(self._layers, state, self.settings_sources_data)
        if owned_by_outer_load(self.settings_cls) and not self._faults:
            return {}
        load = active_load(self.settings_cls)
        if load is not None:
            return complete(load, state, self.settings_sources_data, strict=True)
        load = Load(self.settings_cls, layers=self._layers)
        load.readings.faults += self._faults
        with loading(load):
            found = complete(load, state, self.settings_sources_data, strict=False)
        problems = tuple(load.all_problems())
        if any(problem.severity == "error" for problem in problems):
            raise ConfigError(problems)
        _log_warnings(problems)
        building = _building.get()
        if building is not None:
            building.append(load)
        return found


def _ended(load: Load, settings: BaseSettings, error: BaseException | None) -> BaseException | None:
    """End the load of a plain call: what rules and conditions say of the settings, where nothing is wrong so far."""
    schema = load.schema
    if error is None and (schema.rules or schema.conditional or schema.computed):
        try:
            load.problems += judge(load, settings)
            problems = tuple(load.all_problems())
            error = ConfigError(problems) if problems else None
        except BaseException as exc:  # noqa: BLE001 - raised where no frame holds a value
            error = cleaned(exc, load)
    load.forget()
    return error


@overload
def validate(settings_class: type[S] | S, /, *, timeout: float = ..., only: Collection[str] = ..., wait: float = ...) -> S: ...
@overload
def validate(
    first: type[S] | S, second: type[S2] | S2, /, *, timeout: float = ..., only: Collection[str] = ..., wait: float = ...
) -> tuple[S, S2]: ...
@overload
def validate(
    first: type[S] | S,
    second: type[S2] | S2,
    third: type[S3] | S3,
    /,
    *,
    timeout: float = ...,
    only: Collection[str] = ...,
    wait: float = ...,
) -> tuple[S, S2, S3]: ...
@overload
def validate(
    first: "type[BaseSettings] | BaseSettings",
    second: "type[BaseSettings] | BaseSettings",
    third: "type[BaseSettings] | BaseSettings",
    fourth: "type[BaseSettings] | BaseSettings",
    /,
    *more: "type[BaseSettings] | BaseSettings",
    timeout: float = ...,
    only: Collection[str] = ...,
    wait: float = ...,
) -> tuple["BaseSettings", ...]: ...


def validate(
    *settings_classes: "type[BaseSettings] | BaseSettings",
    timeout: float = DEFAULT_TIMEOUT,
    only: Collection[str] = (),
    wait: float = 0.0,
) -> "BaseSettings | tuple[BaseSettings, ...]":
    """Load settings, or say everything that is wrong with them.

    Always loads anew: reads the sources, fetches what they leave out, validates. Blocks; inside of an event loop use
    ``await asyncio.to_thread(validate, AppSettings)``.

    Args:
        settings_classes: Subclasses of `BaseSettings`, or what `lazy` made of them: a handle then holds the settings that are
            returned. Several share one plan, one deadline and one report.
        timeout: Seconds until what has no answer from a store is ``unavailable``.
        only: Paths of the only fields to load, for a migration or the build of an image: nothing else is read, fetched or
            required, and what reads another field of the settings gets an `AttributeError`. All unless told.
        wait: For how many seconds to go on trying while all that is wrong is that stores are unavailable or throttle, or that
            a declared mount is not there yet. Not at all unless told.

    Returns:
        The settings; of several classes a tuple of them.

    Raises:
        ConfigError: The settings cannot be loaded; ``.problems`` has all the reasons. It holds no secret, and neither do the
            frames of this library and its dependencies on its traceback. A handle holds what it held before.
        TypeError: It is no settings class.
        ValueError: The timeout is not above 0, or ``only`` names a field that no class has.
    """
    __tracebackhide__ = True  # pytest shows who called, and the report
    classes = [check_class(given, "validate") for given in settings_classes or (None,)]
    call = Call(classes, timeout, frozenset(only))
    with turn_to_load(given for given in settings_classes if class_of_handle(given) is not None) as turn:
        try:
            loaded = load_patiently(call, wait) if wait else load_settings(call)
        except BaseException:
            settings_classes = ()  # a handle among them may hold what an earlier call gave it
            raise
        problems = tuple(problem for one in loaded for problem in one.problems)
        settings = [one.settings for one in loaded if one.settings is not None]
        stamps = [one.load.stamp for one in loaded]
        loaded = ()
        if len(settings) < len(classes):
            settings = []
            turn.problems = problems
        _hand_over(settings_classes, settings, stamps)
    if not settings:
        settings_classes = ()  # a handle among them may hold what an earlier call gave it
        raise ConfigError(problems)
    try:
        _log_warnings(problems)
    except BaseException:  # of a handler, which is not to lead to the settings
        settings_classes, settings = (), []
        raise
    return settings[0] if len(settings) == 1 else tuple(settings)


def _hand_over(given: Sequence[object], settings: Sequence[object], stamps: Sequence[Stamp]) -> None:
    """Have the handles among what was given hold the settings; no settings, where they are refused."""
    for one, made, stamp in zip(given, settings, stamps, strict=False):
        if class_of_handle(one) is not None:
            hold(one, made, stamp)


def lazy(settings_class: type[S], /) -> S:
    """A handle for a module to have at its top: passes for settings of the class, and reads nothing when it is made.

    What reads an attribute of it loads the settings as `validate` does, once, whichever thread comes first; the others wait.
    ``validate(handle)`` loads them at a moment of your own, and anew. Inside of an event loop the first access blocks the loop.

    The handle is an instance of the class to `isinstance` and to type checkers, and compares, shows itself, takes assignments
    and is copied as its settings. Before it is loaded its `repr` tells nothing. A pickle names the class and holds no value.

    Args:
        settings_class: A subclass of `BaseSettings`.

    Returns:
        The handle. Each access raises `ConfigError` where the settings are refused, and the next one tries again; so it does
        where a validator or a rule of the class reads the handle itself.

    Raises:
        TypeError: It is no settings class.
    """
    made: S = make_handle(About(check_class(settings_class, "lazy"), lazy, validate))
    return made


lazy.__module__ = "confguard"  # where a pickle finds it, whatever becomes of this room


def check_class(given: object, function: str) -> type[BaseSettings]:
    """The settings class that something is or, to `validate`, that a handle stands for.

    Raises:
        TypeError: It is none.
    """
    if isinstance(given, type) and issubclass(given, BaseSettings):
        return given
    of_handle = class_of_handle(given) if function == "validate" else None
    if of_handle is not None and issubclass(of_handle, BaseSettings):
        return of_handle
    what = f"the class {given.__qualname__}" if isinstance(given, type) else f"an object of {type(given).__qualname__}"
    raise TypeError(f"{function}() takes subclasses of confguard.BaseSettings, not {what}")


def _log_warnings(problems: Sequence[Problem]) -> None:
    for problem in problems:
        text = f"{problem.field or problem.settings_class}: {problem.message}{f'; {problem.tip}' if problem.tip else ''}"
        logger.warning("%s", printable(redactor.redact(text)))


def _is_not_of_ours(record: logging.LogRecord) -> bool:
    """Drop the record that holds every value of every source, which ``PYDANTIC_SETTINGS_DEBUG`` asks for, of our classes.

    It is the one that comes ready-made; those that name files have arguments, and stay.
    """
    return bool(record.args) or _building.get() is None


logging.getLogger("pydantic_settings").addFilter(_is_not_of_ours)
