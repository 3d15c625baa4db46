"""The handle that `lazy` makes: stands for settings of a class, and loads them when one of their names is first asked for.

It passes for its class wherever Python asks an object for its class. What Python looks up in the type (operators, `hash`, `iter`)
is put into a type made for each class. Public names are read through properties that run no Python, so that a loaded handle costs
little; before it is loaded they find nothing, and `__getattr__` is asked.
"""

import copy
import inspect
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from types import FunctionType
from typing import Any

from pydantic_settings import BaseSettings

from confguard import _overrides
from confguard._overrides import Stamp, layers_here, layers_of, stamp_of
from confguard._turns import turn_to_load, wait_for
from confguard.exceptions import ConfigError

_HELD = "__confguard_held__"
# By these others show an object: a debugger, a traceback or a prompt is not to load it.
_SHOWS = frozenset({"__pretty__", "__repr_args__", "__repr_name__", "__repr_recursion__", "__repr_str__", "__rich_repr__"})
# What concerns an object itself, and not what it stands for, or is defined below.
_OWN = _SHOWS | {
    "__copy__",
    "__deepcopy__",
    "__del__",
    "__delattr__",
    "__dir__",
    "__format__",
    "__getattr__",
    "__getattribute__",
    "__getstate__",
    "__init__",
    "__new__",
    "__reduce__",
    "__reduce_ex__",
    "__repr__",
    "__setattr__",
    "__setstate__",
    "__str__",
}


@dataclass(frozen=True, slots=True)
class About:
    """What a handle stands for.

    Attributes:
        settings_class: The settings class that it passes for.
        make: Makes such a handle of a settings class; what a pickle names.
        load: Loads the settings of a handle, which then holds them; raises where they are refused.
    """

    settings_class: type[BaseSettings]
    make: Callable[[Any], Any]
    load: Callable[[Any], Any]


class Handle:
    """Stands for the settings of a class. Each class has a type of its own below this one: see `make_handle`."""

    __slots__ = ("__weakref__", _HELD)

    __confguard__: About

    def __init__(self) -> None:
        with _overrides.lock:
            set_apart(self, apart=_overrides.is_apart(type(self).__confguard__.settings_class), settings=None)
            _handles[id(self)] = self

    def __getattr__(self, name: str) -> Any:
        if held(self) is None and name.startswith("_") and name.endswith("_"):
            of_class = _without_loading(type(self).__confguard__.settings_class, name)
            if of_class is not _LOAD:
                return of_class
        try:
            return getattr(settings_of(self), name)
        finally:
            del self  # here and below: an error is not to lead to what the handle holds, or to what it was given

    def __setattr__(self, name: str, value: object) -> None:
        try:
            setattr(settings_of(self), name, value)
        finally:
            del self, value

    def __delattr__(self, name: str) -> None:
        try:
            delattr(settings_of(self), name)
        finally:
            del self

    def __repr__(self) -> str:
        settings = held(self)
        return f"<lazy {type(self).__confguard__.settings_class.__name__}, not loaded>" if settings is None else repr(settings)

    def __str__(self) -> str:
        settings = held(self)
        return repr(self) if settings is None else str(settings)

    def __format__(self, spec: str) -> str:
        settings = held(self)
        return format(repr(self) if settings is None else settings, spec)

    def __dir__(self) -> Iterator[str]:
        settings, settings_class = held(self), type(self).__confguard__.settings_class
        return iter({*dir(settings_class), *settings_class.model_fields} if settings is None else dir(settings))

    def __copy__(self) -> Any:
        return copy.copy(settings_of(self))

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return copy.deepcopy(settings_of(self), memo)

    def __reduce_ex__(self, protocol: object) -> tuple[Callable[[Any], Any], tuple[type[BaseSettings]]]:
        about = type(self).__confguard__
        return about.make, (about.settings_class,)


def make_handle(about: About) -> Any:
    """A handle that holds nothing yet."""
    settings_class = about.settings_class
    names = {name for name in (*settings_class.model_fields, *dir(settings_class)) if not name.startswith("_")}
    special = {name for base in settings_class.__mro__[:-1] for name in vars(base) if _is_special(settings_class, name)}
    inside: dict[str, Any] = {
        **{name: property(attrgetter(f"{_HELD}.{name}")) for name in names},
        **{name: _forwarded(name) for name in special - _OWN},
        "__class__": property(lambda _: settings_class),
        "__doc__": settings_class.__doc__,
        "__module__": settings_class.__module__,
        "__slots__": (),
        "__confguard__": about,
    }
    return type(f"lazy({settings_class.__qualname__})", (Handle,), inside)()


def class_of_handle(given: object) -> type[BaseSettings] | None:
    """The settings class of a handle; None where it is none."""
    kind = type(given)
    return kind.__confguard__.settings_class if issubclass(kind, Handle) else None


class _Apart:
    """Stands in a handle while there is a context with overrides of its own.

    No public name is found in it, so that `__getattr__` is asked, which looks at the context. Called, it gives what the handle
    holds where no such override is on.
    """

    __slots__ = ("_settings",)

    def __init__(self, settings: object) -> None:
        self._settings = settings

    def __call__(self) -> Any:
        return self._settings


# Those of the process, by id: a handle's own hash is that of its settings.
_handles: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()


def all_handles() -> list[Any]:
    """The handles of the process that are alive. Nothing is loaded."""
    return list(_handles.values())


def handles_of(settings_class: type) -> list[Any]:
    """Those of one class."""
    return [handle for handle in all_handles() if type(handle).__confguard__.settings_class is settings_class]


def held(handle: object) -> Any:
    """The settings that a handle holds, here; None before it is loaded."""
    settings = object.__getattribute__(handle, _HELD)
    if type(settings) is not _Apart:
        return settings
    settings_class = type(handle).__confguard__.settings_class  # type: ignore[attr-defined] # of every handle
    here = layers_here(settings_class)
    if not here:
        return settings()
    _, own = here[-1].held.get((id(handle), stamp_of(layers_of(settings_class))), (None, None))
    return own


def held_by_process(handle: object) -> Any:
    """The settings that a handle holds where no override of a context is on."""
    settings = object.__getattribute__(handle, _HELD)
    return settings() if type(settings) is _Apart else settings


def hold(handle: object, settings: object, stamp: Stamp) -> None:
    """Have a handle hold other settings from now on, for every thread; with overrides of this context, for this context.

    Settings that were loaded under other overrides than are on by now are not held: whoever reads the handle loads anew.

    Args:
        handle: The handle.
        settings: The settings.
        stamp: Under which overrides they were loaded.
    """
    settings_class = type(handle).__confguard__.settings_class  # type: ignore[attr-defined] # of every handle
    with _overrides.lock:
        if stamp != stamp_of(layers_of(settings_class)):
            return
        here = layers_here(settings_class)
        if here:
            here[-1].held[id(handle), stamp] = handle, settings
        else:
            hold_by_process(handle, settings)


def hold_by_process(handle: object, settings: object) -> None:
    """Have a handle hold other settings where no override of a context is on; with None it is as before it was loaded."""
    set_apart(handle, apart=type(object.__getattribute__(handle, _HELD)) is _Apart, settings=settings)


def set_apart(handle: object, *, apart: bool, settings: object) -> None:
    """Let what a handle holds depend on the context, or no longer; the caller has the lock."""
    object.__setattr__(handle, _HELD, _Apart(settings) if apart else settings)


def settings_of(given: Any) -> Any:
    """The settings that a handle stands for, loaded if it holds none; what is no handle stands for itself.

    Raises:
        ConfigError: They are refused. The next call tries again; one that waited for this load fails with it.
    """
    kind = type(given)
    if not issubclass(kind, Handle):
        return given
    while (settings := held(given)) is None:
        with turn_to_load([given]) as turn:
            mine = bool(turn.handles)
            if mine and held(given) is None:  # another thread may have been quicker
                try:
                    kind.__confguard__.load(given)
                except ConfigError as exc:
                    turn.problems = exc.problems
                    raise
        if not mine:
            settings_class = kind.__confguard__.settings_class
            wait_for(given, f"{settings_class.__module__}:{settings_class.__qualname__}")
    return settings


def _is_special(settings_class: type, name: str) -> bool:
    """Whether Python may look a name up in the type of settings, as it does for operators."""
    is_dunder = name.startswith("__") and name.endswith("__")
    return is_dunder and isinstance(inspect.getattr_static(settings_class, name), FunctionType)


def _forwarded(name: str) -> Callable[..., Any]:
    """A special method that does what that of the settings does."""

    def forward(self: Handle, /, *args: Any, **kwargs: Any) -> Any:
        try:
            return getattr(settings_of(self), name)(*args, **kwargs)
        finally:
            del self, args, kwargs

    return forward


_LOAD = object()


def _without_loading(settings_class: type[BaseSettings], name: str) -> Any:
    """What the class alone knows of a name like ``__this__``, by which others ask what an object can do.

    Returns:
        The class's own attribute; a marker where only settings have it.

    Raises:
        AttributeError: There is none, or it would show the settings.
    """
    found = inspect.getattr_static(settings_class, name, _LOAD)
    if found is _LOAD or name in _SHOWS:
        raise AttributeError(f"{settings_class.__qualname__!r} object has no attribute {name!r}", name=name)
    of_settings = hasattr(type(found), "__get__") and not isinstance(found, classmethod | staticmethod)
    return _LOAD if of_settings else getattr(settings_class, name)
