"""Key Vault's double as the store of the tests, and what they share."""

import secrets
from collections.abc import Callable, Mapping
from time import time
from typing import Any

from azure.core.credentials import AccessToken

from confguard._reference import parse_reference
from confguard.provider import Deadline, Failure, FailureKind, Found, Provider
from confguard.testing._azure import AzureDouble
from confguard_azure import AzureKeyVault
from tests.providers.faults import FaultyStore

SHOP = "azurekeyvault://shop/"


class Static:
    """A credential of the caller's, which gives one token."""

    def __init__(self, token: str) -> None:
        self._token = token
        self.asked: list[tuple[tuple[str, ...], dict[str, Any]]] = []

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        self.asked.append((scopes, options))
        return AccessToken(self._token, int(time()) + 3600)


class Raising:
    """A credential that raises what it is told."""

    def __init__(self, make: Callable[[], Exception]) -> None:
        self._make = make

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        raise self._make()


def direct(double: AzureDouble, port: int | None = None, **options: Any) -> AzureKeyVault:
    """A provider that reaches the double without a proxy, as somebody who has a token already."""
    settings: dict[str, Any] = {
        "vaults": {"shop": f"https://127.0.0.1:{port or double.port}"},
        "credential": Static(double.token()),
        "ca_cert": double.ca_cert,
    }
    return AzureKeyVault(**{**settings, **options})


def run(provider: Provider, *references: str, seconds: float = 10.0) -> dict[str, Found | Failure]:
    """Fetch as the core does: under one deadline, which cuts when it has passed."""
    refs = [parse_reference(text) for text in references]
    deadline = Deadline(seconds)
    try:
        results = provider.fetch(refs, deadline=deadline)
    finally:
        if deadline.passed:
            deadline.cut()
        deadline.close()
    assert results.keys() == set(refs)
    return {text: results[ref] for text, ref in zip(references, refs, strict=True)}


def run_one(provider: Provider, reference: str = f"{SHOP}api-key", seconds: float = 10.0) -> Found | Failure:
    """`run` for one reference."""
    return run(provider, reference, seconds=seconds)[reference]


class AzureStore(FaultyStore):
    """A vault of the double, read by somebody who may read all of it but what is denied."""

    largest = 25_000  # bytes; Key Vault takes 25 kB
    scheme = "azurekeyvault"

    def __init__(self, double: AzureDouble) -> None:
        self._double = double
        self._token = double.token()
        self.port = double.port
        self.credentials = [self._token]

    def reference(self, name: str) -> str:
        return f"{SHOP}{name}"

    def provider(self, port: int | None = None) -> Provider:
        return direct(self._double, port, credential=Static(self._token))

    def put(self, name: str, value: str | bytes) -> None:
        assert isinstance(value, str)
        self._double.put(name, value)

    def delete(self, name: str) -> None:
        self._double.delete(name)

    def deny(self, name: str) -> None:
        self._double.deny(name)

    def failing(self) -> Mapping[FailureKind, Provider]:
        return {
            "unauthenticated": direct(self._double, credential=Static(secrets.token_urlsafe())),
            "unconfigured": direct(self._double, vaults={"shop": "not an address"}),
            "unavailable": direct(self._double, 9),
        }

    def misplaced(self) -> Mapping[str, Provider]:
        # 127.1 is this machine too, and not on the certificate.
        other = {"shop": f"https://127.1:{self.port}"}
        return {
            "unresolved": direct(self._double, vaults={"shop": "https://store.invalid"}),
            "wrong name": direct(self._double, vaults=other),
            "unknown authority": direct(self._double, ca_cert=None),
        }

    def requests(self) -> int:
        return len(self._double.asked)
