"""Tests of services and of providers. What is public here is listed; the rest may change.

Nothing here is imported before it is used, so that a plug-in of pytest may import this package in every project.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from confguard.testing import servers
    from confguard.testing._clean import CleanEnvironment
    from confguard.testing._contract import ContractStore, ProviderContract
    from confguard.testing._fake import FakeProvider, faking
    from confguard.testing._given import fails, then
    from confguard.testing._override import override
    from confguard.testing._places import Mount, dotenv, environment, mounted
    from confguard.testing._proxy import FaultProxy
    from confguard.testing._refusals import assert_refuses, problems_of
    from confguard.testing._unittest import EnvironmentMixin, FakeMixin, SettingsMixin
    from confguard.testing._unmade import CannotMakeError
    from confguard.testing._valid import valid_settings

__all__ = [
    "CannotMakeError",
    "CleanEnvironment",
    "ContractStore",
    "EnvironmentMixin",
    "FakeMixin",
    "FakeProvider",
    "FaultProxy",
    "Mount",
    "ProviderContract",
    "SettingsMixin",
    "assert_refuses",
    "dotenv",
    "environment",
    "fails",
    "faking",
    "mounted",
    "override",
    "problems_of",
    "servers",
    "then",
    "valid_settings",
]

# Where each name lives.
_HOMES = {
    "CannotMakeError": "_unmade",
    "CleanEnvironment": "_clean",
    "ContractStore": "_contract",
    "EnvironmentMixin": "_unittest",
    "FakeMixin": "_unittest",
    "FakeProvider": "_fake",
    "FaultProxy": "_proxy",
    "Mount": "_places",
    "ProviderContract": "_contract",
    "SettingsMixin": "_unittest",
    "assert_refuses": "_refusals",
    "dotenv": "_places",
    "environment": "_places",
    "fails": "_given",
    "faking": "_fake",
    "mounted": "_places",
    "override": "_override",
    "problems_of": "_refusals",
    "servers": "servers",  # a module
    "then": "_given",
    "valid_settings": "_valid",
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
