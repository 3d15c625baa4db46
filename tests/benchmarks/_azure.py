"""Fifty secrets of Azure Key Vault's double over TLS: how long a load takes beside a bare reader, and what exactly is asked."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import time
from typing import Any

from azure.core.credentials import AccessToken
from azure.keyvault.secrets import SecretClient
from azure.keyvault.secrets._shared import http_challenge_cache

from confguard_azure import AzureKeyVault

from ._fetched import COUNT, THREADS, bound_to, compared, loaded
from ._measure import Measured
from ._server import Server, longer_way, server

LIMIT = 1.3


class Credential:
    """Who the double takes us for; no request is made to find that out."""

    def __init__(self, double: Server) -> None:
        self._token: str = double.told["token"]

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken(self._token, int(time()) + 3600)


def azure() -> Iterator[Measured]:
    with server("azure", COUNT) as double, longer_way(double.told["port"]) as port:
        address = f"https://127.0.0.1:{port}"
        yield _compared("azure_50_secrets", double, address, cold=False)
        yield _compared("azure_50_secrets_and_challenge", double, address, cold=True)


def _compared(name: str, double: Server, address: str, *, cold: bool) -> Measured:
    ca_cert = double.told["ca_cert"]
    credential = Credential(double)
    provider = AzureKeyVault(vaults={"shop": address}, credential=credential, ca_cert=ca_cert)
    settings_class = bound_to((f"azurekeyvault://shop/{name}" for name in double.values), provider)

    def bare() -> list[str]:
        """As cold as a load: a new client, so new connections, with the certificate checked."""
        options: dict[str, Any] = {"connection_verify": ca_cert}
        with SecretClient(address, credential, **options) as client, ThreadPoolExecutor(THREADS) as threads:
            return list(threads.map(lambda name: str(client.get_secret(name).value), double.values))

    return compared(
        name,
        double,
        bare,
        lambda: loaded(settings_class),
        limit=LIMIT,
        requests=COUNT + 1 if cold else None,
        before=http_challenge_cache.clear if cold else None,
    )
