"""What type checkers see of `confguard.testing`. Checked by mypy and pyright, and never run."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import assert_type

import pytest
from hypothesis.strategies import SearchStrategy, integers
from pydantic import SecretStr

from confguard import BaseSettings, Problem, SettingsConfigDict, lazy
from confguard.provider import FailureKind, Found, Provider
from confguard.testing import (
    CannotMakeError,
    CleanEnvironment,
    ContractStore,
    EnvironmentMixin,
    FakeMixin,
    FakeProvider,
    FaultProxy,
    Mount,
    ProviderContract,
    SettingsMixin,
    assert_refuses,
    dotenv,
    environment,
    fails,
    faking,
    mounted,
    override,
    problems_of,
    servers,
    strategies,
    then,
    valid_settings,
)
from confguard.testing.servers import Server, aws, azure, gcp, openbao
from confguard.testing.strategies import settings
from confguard_vault import Vault


class Store(ContractStore):
    """A store as a provider's author writes it."""

    largest = 8192

    def reference(self, name: str) -> str:
        """Its reference."""
        return f"vault://secret/{name}#/value"

    def provider(self, port: int | None = None) -> Provider:
        """Its provider."""
        return Vault(address=f"https://127.0.0.1:{port or 8200}")

    def put(self, name: str, value: str | bytes) -> None:
        """Put nothing."""

    def delete(self, name: str) -> None:
        """Delete nothing."""

    def deny(self, name: str) -> None:
        """Deny nothing."""

    def failing(self) -> Mapping[FailureKind, Provider]:
        """One kind."""
        return {"unconfigured": Vault(address="not an address")}

    def requests(self) -> int | None:
        """Not counted."""
        return None


class TestStore(ProviderContract):
    """The contract's tests, for that store."""

    permissions = False
    seconds = 5.0

    @pytest.fixture
    def store(self) -> Store:
        """The store."""
        return Store()


class WrongStore(ContractStore):
    """A store that cannot take what it is given."""

    def put(self, name: str, value: str) -> None:  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        """Put text alone."""

    def failing(self) -> Mapping[str, Provider]:  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        """Kinds that are none."""
        return {}


class TestWrongly(ProviderContract):
    """A fact that is none."""

    server = "no"  # type: ignore[assignment] # pyright: ignore[reportAssignmentType]


def a_proxy() -> None:
    """It gives itself, and its mode is one of six."""
    with FaultProxy(8200, "delay", delay=0.05) as proxy:
        assert_type(proxy, FaultProxy)
        assert_type(proxy.port, int)
        assert_type(proxy.connections, int)
        proxy.mode = "blackhole"
        proxy.mode = "broken"  # type: ignore[assignment] # pyright: ignore[reportAttributeAccessIssue]
    FaultProxy("127.0.0.1:8200")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    FaultProxy(8200, "broken")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


MAKERS: list[Callable[[], AbstractContextManager[Server]]] = [openbao, aws, gcp, azure]


@pytest.fixture
def bao() -> Generator[Server]:
    """A server as users write its fixture."""
    with servers.openbao() as server:
        yield server


def a_server(server: Server) -> None:
    """It takes text, bytes and objects under references, and tells variables."""
    server.put("awssecrets://prod/db", "text")
    server.put("awssecrets://prod/db", b"bytes")
    server.put("vault://secret/shop", {"api_key": "text", "port": 5432})
    server.delete("vault://secret/shop")
    server.deny("vault://secret/shop")
    server.clear()
    assert_type(server.environ, Mapping[str, str])
    assert_type(server.admin_environ, Mapping[str, str])
    assert_type(server.address, str)
    assert_type(server.port, int)
    assert_type(aws(region="us-east-1"), AbstractContextManager[Server])
    assert_type(gcp(project="shop"), AbstractContextManager[Server])
    server.put("vault://secret/shop", 5432)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    server.environ["VAULT_ADDR"] = ""  # type: ignore[index] # pyright: ignore[reportIndexIssue]
    Server("", 1, {})  # type: ignore[abstract] # pyright: ignore[reportAbstractUsage]
    openbao(8200)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    aws(5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    openbao().put("", "")  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]


def what_tests_write() -> None:
    """Fakes take what a store holds, are providers, and are typed where a test gets them from."""
    values = {"vault://a#/b": "text"}
    fake = FakeProvider({**values, "vault://c": {"d": [1, None]}, "vault://e": b"raw"}, schemes={"vault"}, latency=0.1)
    fake["vault://a#/b"] = then(fails("throttled", retry_after=2), Found("text", version="3"))
    fake["vault://a"] = fake  # type: ignore[assignment] # pyright: ignore[reportArgumentType]
    fails("thorttled")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    SettingsConfigDict(providers=[fake, FakeProvider()])
    with faking(values) as faked, faking(fake), mounted({"a": b"raw", "b": "text"}) as mount, dotenv(values) as file:
        assert_type(faked, FakeProvider)
        assert_type(faked.asked, Sequence[str])
        assert_type(mount, Mount)
        assert_type(file, Path)
    with CleanEnvironment() as env:
        assert_type(env, CleanEnvironment)
        assert_type(env["HOME"], str)

    @environment({"STAGE": "test"})
    def decorated(number: int) -> str:
        return str(number)

    assert_type(decorated(1), str)


class AppSettings(BaseSettings):
    """A class whose fields are overridden."""

    debug: bool = False
    port: int
    dsn: SecretStr


@override(AppSettings, debug=True)
def what_override_leaves(port: int) -> str:
    """A decorated function keeps its type."""
    with override(lazy(AppSettings), {"dsn": "fake"}, scope="context", port=port) as given:
        assert_type(given, None)
    return "done"


@override(AppSettings, debug=True)
async def what_override_leaves_of_a_coroutine() -> int:
    """So does a coroutine function."""
    assert_type(what_override_leaves(80), str)
    return 1


@override(AppSettings, debug=True)
class WhatOverrideLeaves:
    """And a class."""

    async def test(self) -> None:
        assert_type(await what_override_leaves_of_a_coroutine(), int)
        assert_type(WhatOverrideLeaves(), WhatOverrideLeaves)


def what_tests_get() -> None:
    """Settings that are made for tests have their own class, and reasons of refusals are named one or several at a time."""
    assert_type(valid_settings(AppSettings), AppSettings)
    assert_type(valid_settings(AppSettings, debug=True, **{"db.port": 1}), AppSettings)
    assert_type(strategies.settings(AppSettings, port=integers(1, 9)), SearchStrategy[AppSettings])
    assert_type(settings(AppSettings), SearchStrategy[AppSettings])
    settings(int)  # type: ignore[type-var] # pyright: ignore[reportArgumentType]
    assert_type(problems_of(AppSettings, lazy(AppSettings), timeout=1.0), tuple[Problem, ...])
    assert_type(problems_of(what_tests_get), tuple[Problem, ...])
    assert_type(assert_refuses(AppSettings, missing="port", denied=["dsn"], exactly=False), tuple[Problem, ...])


def what_cannot_be_made() -> None:
    """The failure tells which fields to give."""
    try:
        valid_settings(AppSettings)
    except CannotMakeError as error:
        assert_type(error.problems, tuple[Problem, ...])
        assert_type(error.give, tuple[str, ...])


class TestWithMixins(EnvironmentMixin, FakeMixin, SettingsMixin):
    """What a test of unittest has."""

    def test(self) -> None:
        """Each is typed, the settings by their class."""
        assert_type(self.confguard_env, CleanEnvironment)
        assert_type(self.confguard_fake, FakeProvider)
        assert_type(self.confguard_settings(AppSettings, debug=True), AppSettings)
        self.confguard_settings(int)  # type: ignore[type-var] # pyright: ignore[reportArgumentType]
