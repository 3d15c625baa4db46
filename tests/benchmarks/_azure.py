"""Fifty secrets of Azure Key Vault's double over TLS: how long a load takes beside a bare reader, and what exactly is asked."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter, time
from typing import IO, Annotated, Any

from azure.core.credentials import AccessToken
from azure.keyvault.secrets import SecretClient
from azure.keyvault.secrets._shared import http_challenge_cache
from pydantic import SecretStr, create_model

from confguard import BaseSettings, From, SettingsConfigDict, validate
from confguard_azure import AzureKeyVault

from ._measure import Measured, Run, compare

LIMIT = 1.3
ROUNDS = 21
ROUND_TRIP = 0.02
COUNT = 50
THREADS = 16


@dataclass(frozen=True, slots=True)
class _Vault:
    """The double, and the way to it."""

    address: str
    ca_cert: str
    values: Mapping[str, str] = field(repr=False)
    token: str = field(repr=False)
    lines: tuple[IO[str], IO[str]] = field(repr=False)

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken(self.token, int(time()) + 3600)

    def asked(self) -> int:
        """How many requests there were since the last call."""
        self.lines[0].write("\n")
        self.lines[0].flush()
        return len(json.loads(self.lines[1].readline()))


def azure() -> Iterator[Measured]:
    with _vault() as vault:
        yield _compared("azure_50_secrets", vault, cold=False)
        yield _compared("azure_50_secrets_and_challenge", vault, cold=True)


def _compared(name: str, vault: _Vault, *, cold: bool) -> Measured:
    fields: dict[str, Any] = {
        f"field_{number}": (Annotated[SecretStr, From(f"azurekeyvault://shop/{name}")], ...)
        for number, name in enumerate(vault.values)
    }

    class Base(BaseSettings):
        model_config = SettingsConfigDict(
            providers=[AzureKeyVault(vaults={"shop": vault.address}, credential=vault, ca_cert=vault.ca_cert)]
        )

    settings_class = create_model("AppSettings", __base__=Base, **fields)
    asked: dict[str, list[int]] = {"bare": [], "ours": []}
    bare = _counted(vault, asked["bare"], lambda: _bare(vault), cold=cold)
    ours = _counted(vault, asked["ours"], lambda: _revealed(validate(settings_class)), cold=cold)
    bare(), ours()
    found = compare(bare, ours, ROUNDS)
    most = COUNT + cold
    faults = [f"ours asked {one} times, not {most}" for one in set(asked["ours"]) if one != most][:1] if cold else []
    details = {"requests": asked["ours"][-1], "bare_requests": asked["bare"][-1], "round_trip_ms": ROUND_TRIP * 1000}
    return Measured(name, found.ratio, LIMIT, found.a_a_ratio, found.n, {**details, **found.details}, tuple(faults))


def _bare(vault: _Vault) -> list[str]:
    """As cold as a load: a new client, so new connections, with the certificate checked."""
    options: dict[str, Any] = {"connection_verify": vault.ca_cert}
    with SecretClient(vault.address, vault, **options) as client, ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(lambda name: str(client.get_secret(name).value), vault.values))


def _revealed(settings: BaseSettings) -> list[str]:
    return [getattr(settings, f"field_{number}").get_secret_value() for number in range(COUNT)]


def _counted(vault: _Vault, asked: list[int], load: Any, *, cold: bool) -> Run:
    """A run that also notes how much the vault was asked, and sees to it that the values are the right ones."""

    def run() -> float:
        vault.asked()
        if cold:
            http_challenge_cache.clear()
        started = perf_counter()
        found = load()
        seconds = perf_counter() - started
        asked.append(vault.asked())
        if found != list(vault.values.values()):
            raise RuntimeError("a load gave another value than what was stored")
        return seconds

    return run


@contextmanager
def _vault() -> Iterator[_Vault]:
    """The double, with a proxy before it that adds a round trip to every reply."""
    with _process("azure", str(COUNT)) as (to_server, from_server):
        told = json.loads(from_server.readline())
        with _process("delay", str(told["port"]), str(ROUND_TRIP)) as (_, from_proxy):
            address = f"https://127.0.0.1:{int(from_proxy.readline())}"
            yield _Vault(address, told["ca_cert"], told["values"], told["token"], (to_server, from_server))


@contextmanager
def _process(name: str, *arguments: str) -> Iterator[tuple[IO[str], IO[str]]]:
    command = [sys.executable, "-m", f"{__package__}.{name}", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None  # as it was asked for
        assert process.stdout is not None
        try:
            yield process.stdin, process.stdout
        finally:
            process.stdin.close()
