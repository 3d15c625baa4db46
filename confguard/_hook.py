"""The hook for sources, ``settings_customise_sources``: lets it return ours as the last, whatever it makes of the others."""

from collections.abc import Callable
from types import MethodType
from typing import Any

from pydantic_settings import BaseSettings

from confguard._load import Load, active_load
from confguard._named import with_files
from confguard._overridden import OverrideSource
from confguard._overrides import Layer, layers_of
from confguard._places import Places
from confguard._sources import Fault, Raised, Source, attempt

_Bound = Callable[..., tuple[Source, ...]]


def append_source(owner: type[BaseSettings], source: Callable[..., Source]) -> None:
    """Let a class's hook return a source as the last, whatever the class, a mixin or a base makes of the others.

    Those of ours that read files with secrets stand among the others.

    Only the hook of the class that is being loaded adds it: one that is reached by ``super()`` returns what it always did, so
    that user code may unpack it.

    Args:
        owner: The settings class.
        source: Makes the source for a class. It is also given the reasons why files are not read, where no load of `validate`
            is under way, and the overrides that are on.
    """
    own = owner.__dict__.get("settings_customise_sources")
    if not isinstance(own, _Hook):
        owner.settings_customise_sources = _Hook(owner, own, source)  # type: ignore[method-assign,assignment] # called on the class


class _Hook:
    """A class's hook. Binds as the user's own does: to the instance, where pydantic-settings is one that calls it on that."""

    def __init__(self, owner: type[BaseSettings], own: Any, source: Callable[..., Source]) -> None:
        self._owner, self._own, self._source = owner, own, source

    def __get__(self, instance: BaseSettings | None, cls: type[BaseSettings]) -> _Bound:
        return MethodType(self.settings_customise_sources, cls if instance is None else instance)

    def settings_customise_sources(
        self, bound: Any, /, settings_cls: type[BaseSettings], *args: Source, **kwargs: Source
    ) -> tuple[Source, ...]:
        inherited: Any = super(self._owner, bound)
        cls: type[BaseSettings] = bound if isinstance(bound, type) else type(bound)
        if self._own is None:
            hook: _Bound = inherited.settings_customise_sources
        else:
            hook = self._own.__get__(None if bound is cls else bound, cls)
        if cls is not self._owner:
            return hook(settings_cls, *args, **kwargs)
        load = active_load(cls)
        if load is None:
            faults: list[Fault] = []
            layers = layers_of(cls)
            usual = _overridden(hook(settings_cls, *args, **kwargs), cls, layers)
            return (*with_files(usual, cls, faults, strict=False), self._source(settings_cls, faults, layers))
        usual = _overridden(_customised(hook, load, settings_cls, *args, **kwargs), cls, load.layers)
        sources = with_files(usual, cls, load.readings.faults, load.wanted, strict=True)
        return (*load.watch(sources), self._source(settings_cls, (), load.layers))


def _overridden(sources: tuple[Source, ...], cls: type[BaseSettings], layers: tuple[Layer, ...]) -> tuple[Source, ...]:
    """The sources, behind the overrides that are on: the others see what is there already, and do not read it."""
    return (OverrideSource(cls, layers), *sources) if layers else sources


def _customised(hook: _Bound, load: Load, settings_cls: type, *args: Source, **kwargs: Source) -> tuple[Source, ...]:
    """The user's sources; where their own hook fails, the problem is noted and the usual four stand in."""
    made = attempt(lambda: hook(settings_cls, *args, **kwargs))
    if not isinstance(made, Raised):
        return tuple(made)
    load.readings.faults.append(Fault(Places(None, "settings_customise_sources"), "", made))
    return (*args, *kwargs.values())
