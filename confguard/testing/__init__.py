"""Tests of services and of providers. What is public here is listed; the rest may change.

Nothing here is imported before it is used, so that a plug-in of pytest may import this package in every project.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from confguard.testing import servers
    from confguard.testing._contract import ContractStore, ProviderContract
    from confguard.testing._proxy import FaultProxy

__all__ = ["ContractStore", "FaultProxy", "ProviderContract", "servers"]

# Where each name lives.
_HOMES = {
    "ContractStore": "_contract",
    "FaultProxy": "_proxy",
    "ProviderContract": "_contract",
    "servers": "servers",  # a module
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(f"{__name__}.{_HOMES[name]}")
    value = globals()[name] = home if _HOMES[name] == name else getattr(home, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
