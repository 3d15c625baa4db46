"""Typed settings and secrets for Python services: resolved from where they live, checked at start, never shown."""

from typing import TYPE_CHECKING, Any

from confguard._version import __version__

if TYPE_CHECKING:
    from confguard._bindings import FileVariable, From, FromEach, Required, When, rule
    from confguard._explain import Explained, explain
    from confguard._problem import Origin, Problem
    from confguard._settings import BaseSettings, SettingsConfigDict, lazy, validate
    from confguard.exceptions import ConfigError

__all__ = [
    "BaseSettings",
    "ConfigError",
    "Explained",
    "FileVariable",
    "From",
    "FromEach",
    "Origin",
    "Problem",
    "Required",
    "SettingsConfigDict",
    "When",
    "__version__",
    "explain",
    "lazy",
    "rule",
    "validate",
]

# Where each name lives. Looked up when it is first used, so that `confguard --help` does not wait for pydantic.
_HOMES = {
    "BaseSettings": "_settings",
    "ConfigError": "exceptions",
    "Explained": "_explain",
    "FileVariable": "_bindings",
    "From": "_bindings",
    "FromEach": "_bindings",
    "Origin": "_problem",
    "Problem": "_problem",
    "Required": "_bindings",
    "SettingsConfigDict": "_settings",
    "When": "_bindings",
    "explain": "_explain",
    "lazy": "_settings",
    "rule": "_bindings",
    "validate": "_settings",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
