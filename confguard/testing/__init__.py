"""Tests of services and of providers. What is public here is listed; the rest may change.

Nothing here is imported before it is used, so that a plug-in of pytest may import this package in every project.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from confguard.testing._contract import ContractStore, ProviderContract
    from confguard.testing._proxy import FaultProxy
    from confguard.testing._refusals import assert_refuses, problems_of
    from confguard.testing._unmade import CannotMakeError
    from confguard.testing._valid import valid_settings

__all__ = [
    "CannotMakeError",
    "ContractStore",
    "FaultProxy",
    "ProviderContract",
    "assert_refuses",
    "problems_of",
    "valid_settings",
]

# Where each name lives.
_HOMES = {
    "CannotMakeError": "_unmade",
    "ContractStore": "_contract",
    "FaultProxy": "_proxy",
    "ProviderContract": "_contract",
    "assert_refuses": "_refusals",
    "problems_of": "_refusals",
    "valid_settings": "_valid",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
