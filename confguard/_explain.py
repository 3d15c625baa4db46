"""Where the values of loaded settings came from."""

import os
import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel
from pydantic_settings import BaseSettings

from confguard._classes import schema_of
from confguard._lazy import settings_of
from confguard._problem import Origin
from confguard._redaction import redactor
from confguard._schema import Node
from confguard._values import masked_url


@dataclass(frozen=True, slots=True)
class Explained:
    """A field of loaded settings, and where its value came from.

    Attributes:
        field: The field path.
        value: Its value as text; ``**********`` where it is a secret, and not None.
        origin: Where it came from.
    """

    field: str
    value: str
    origin: Origin


def explain(settings: BaseSettings) -> tuple[Explained, ...]:
    """Where every value of settings came from, in the order of the fields.

    Args:
        settings: What `validate` returned, or `lazy`, which is loaded if it is not; a copy of it does not know its origins.

    Raises:
        ConfigError: They are lazy, not loaded yet, and refused.
        LookupError: These settings were not made by `validate`.
    """
    settings = settings_of(settings)
    origins = known.of(settings)
    if origins is None:
        raise LookupError("these settings do not know where they came from; load them with confguard.validate()")
    leaves = [trail[-1] for trail in schema_of(type(settings)).leaves]
    return tuple(Explained(leaf.path, shown(settings, leaf), origins[leaf.path]) for leaf in leaves)


def shown(settings: object, leaf: Node) -> str:
    """The value of a field as text that shows no secret."""
    value = value_at(settings, leaf.path)
    if leaf.secret and value is not None:
        return "**********"
    try:
        text = str(value)
        plain = text.isprintable() and not isinstance(value, BaseModel | list | tuple | set | frozenset | dict)
        text = text if plain else repr(value)
    except Exception:  # noqa: BLE001 - of the user's own type; its frames would lead to the settings
        text = f"({type(value).__qualname__} without text)"
    return masked_url(redactor.redact(text))


def value_at(settings: object, path: str) -> object:
    """The value of a field; None where a model around it is not there, or has no such value."""
    for name in path.split("."):
        settings = getattr(settings, name, None)
    return settings


class _Known:
    """The origins of the settings that are alive. Beside them, since nothing is added to the user's objects."""

    def __init__(self) -> None:
        self._by_id: dict[int, tuple[weakref.ref[BaseSettings], Mapping[str, Origin]]] = {}
        self._lock = threading.RLock()  # taken again where a collection runs the callback while it is held

    def remember(self, settings: BaseSettings, origins: Mapping[str, Origin]) -> None:
        key = id(settings)
        with self._lock:
            self._by_id[key] = weakref.ref(settings, lambda ref: self._drop(key, ref)), origins

    def of(self, settings: BaseSettings) -> Mapping[str, Origin] | None:
        with self._lock:
            ref, origins = self._by_id.get(id(settings), (None, None))
        return origins if ref is not None and ref() is settings else None

    def forget(self, settings: BaseSettings) -> None:
        if self._by_id:
            with self._lock:
                self._by_id.pop(id(settings), None)

    def only_this_thread_is_left(self) -> None:
        """After a fork nobody in the child gives back what another thread held."""
        self._lock = threading.RLock()

    def _drop(self, key: int, ref: "weakref.ref[BaseSettings]") -> None:
        with self._lock:
            if self._by_id.get(key, (None,))[0] is ref:
                del self._by_id[key]


known = _Known()
"""Those of this process."""

if hasattr(os, "register_at_fork"):  # not where there is no fork
    os.register_at_fork(after_in_child=known.only_this_thread_is_left)
