"""OpenBao as the store of the conformance tests and of the table of faults."""

import secrets
from collections.abc import Mapping

from confguard.provider import FailureKind, Provider
from confguard.testing._openbao import OpenBao
from confguard_vault import AppRole, Token, Vault
from tests.providers.faults import FaultyStore


class VaultStore(FaultyStore):
    """A KV v2 mount of its own, read with a token that may read all of it but what is denied. A value is the key of a secret."""

    def __init__(self, bao: OpenBao) -> None:
        self._bao = bao
        self._mount = f"kv-{secrets.token_hex(4)}"
        self._denied: list[str] = []
        self.port = bao.port
        bao.mount_kv(self._mount)
        self._write_policy()
        self._token = bao.token(self._mount)
        self.credentials = [self._token]

    def reference(self, name: str) -> str:
        return f"vault://{self._mount}/{name}#/value"

    def provider(self, port: int | None = None) -> Provider:
        return self._vault(self._token, port or self._bao.port)

    def put(self, name: str, value: str | bytes) -> None:
        assert isinstance(value, str)
        self._bao.put(self._mount, name, {"value": value})

    def delete(self, name: str) -> None:
        self._bao.call("DELETE", f"{self._mount}/data/{name}")

    def deny(self, name: str) -> None:
        self._denied.append(name)
        self._write_policy()

    def failing(self) -> Mapping[FailureKind, Provider]:
        return {
            "unauthenticated": self._vault(secrets.token_hex(16), self._bao.port),
            "denied": self._vault(self._bao.token("default"), self._bao.port),
            "unconfigured": Vault(address="not an address", auth=Token("t")),
            "unavailable": Vault(address="https://127.0.0.1:9", auth=AppRole("r", "s"), ca_cert=self._bao.ca_cert),
        }

    def misplaced(self) -> Mapping[str, Provider]:
        token, address = Token(self._token), f"https://127.0.0.1:{self._bao.port}"
        return {
            "unresolved": Vault(address="https://store.invalid:8200", auth=token),
            "wrong name": Vault(address=address, auth=token, ca_cert=self._bao.ca_cert, tls_server_name="other.test"),
            "unknown authority": Vault(address=address, auth=token),
        }

    def requests(self) -> int:
        return self._bao.count()

    def _vault(self, token: str, port: int) -> Vault:
        return Vault(address=f"https://127.0.0.1:{port}", auth=Token(token), ca_cert=self._bao.ca_cert)

    def _write_policy(self) -> None:
        denied = [f'path "{self._mount}/data/{name}" {{ capabilities = ["deny"] }}' for name in self._denied]
        self._bao.policy(self._mount, "\n".join([f'path "{self._mount}/data/*" {{ capabilities = ["read"] }}', *denied]))
