"""What tests have put in the place of values: empty in production, where to ask costs a look at two empty dictionaries.

Each override that is on is a layer. Those of the process are seen by every thread; those of a context by what runs in it alone.
Where several are on, the one that began last wins.
"""

import itertools
import os
import threading
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

NAME = "override"
"""What an override is called as a source and in an origin."""

_serials = itertools.count()


class Layer:
    """What one override puts in place, from its beginning to its end.

    Attributes:
        settings_class: The settings class whose values it overrides.
        values: By field path, the values as they were given; a model before what is in it.
        serial: Tells which of two began last. It stands for the layer where no value may be reached.
        below: By a handle's id, the handle and what it held for the whole process when the layer came; of one of the process.
        held: By a handle's id and by which layers were on, the handle and its settings; of one of a context.
        over: Whether it has ended. A context that was copied meanwhile goes on having it.
    """

    __slots__ = ("below", "held", "over", "serial", "settings_class", "values")

    def __init__(self, settings_class: type, values: Mapping[str, object]) -> None:
        self.settings_class = settings_class
        self.values = values
        self.serial = next(_serials)
        self.below: dict[int, tuple[object, Any]] = {}
        self.held: dict[tuple[int, Stamp], tuple[object, Any]] = {}
        self.over = False


Stamp = tuple[int, ...]
"""Which layers are on: their serials. Settings that were loaded under other layers are others."""

# Taken for every change of the layers and of what handles hold. No code of users runs while it is held, but for the handler of a
# signal, which may take it again.
lock = threading.RLock()
_of_process: dict[type, tuple[Layer, ...]] = {}
_in_contexts: dict[type, int] = {}
_here: ContextVar[tuple[Layer, ...]] = ContextVar("confguard_overrides", default=())


def layers_of(settings_class: type) -> tuple[Layer, ...]:
    """The layers of a class that this context sees, in the order in which they began."""
    if not _of_process and not _in_contexts:
        return ()
    return tuple(sorted((*layers_of_process(settings_class), *layers_here(settings_class)), key=lambda layer: layer.serial))


def stamp_of(layers: tuple[Layer, ...]) -> Stamp:
    """Which layers these are."""
    return tuple(layer.serial for layer in layers)


def layers_of_process(settings_class: type) -> tuple[Layer, ...]:
    """The layers that every thread sees, in the order in which they began."""
    return _of_process.get(settings_class, ())


def layers_here(settings_class: type) -> tuple[Layer, ...]:
    """The layers that this context alone sees, in the order in which they began."""
    if not _in_contexts:
        return ()
    return tuple(layer for layer in _here.get() if layer.settings_class is settings_class and not layer.over)


def is_apart(settings_class: type) -> bool:
    """Whether there is a context with layers of its own, so that what a handle holds depends on the context."""
    return settings_class in _in_contexts


def put_on_process(layers: tuple[Layer, ...], settings_class: type) -> None:
    """Change the layers that every thread sees; the caller has the lock."""
    if layers:
        _of_process[settings_class] = layers
    else:
        _of_process.pop(settings_class, None)


def put_on_context(layer: Layer) -> None:
    """Let this context, and those that are copied from it, see a layer; the caller has the lock."""
    _in_contexts[layer.settings_class] = _in_contexts.get(layer.settings_class, 0) + 1
    _here.set((*_here.get(), layer))


def take_off_context(layer: Layer) -> None:
    """End a layer of a context, from whichever context; the caller has the lock."""
    layer.over = True
    _here.set(tuple(other for other in _here.get() if not other.over))
    left = _in_contexts.pop(layer.settings_class) - 1
    if left:
        _in_contexts[layer.settings_class] = left


def _only_this_thread_is_left() -> None:
    """After a fork nobody in the child gives back what another thread held. The overrides that were on stay on."""
    global lock
    lock = threading.RLock()


if hasattr(os, "register_at_fork"):  # not where there is no fork
    os.register_at_fork(after_in_child=_only_this_thread_is_left)
