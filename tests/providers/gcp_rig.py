"""A double of Secret Manager, over TLS, as the store of the conformance tests and of the table of faults."""

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import reload
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.auth.credentials import AnonymousCredentials, Credentials
from google.oauth2.service_account import Credentials as ServiceAccount

from confguard.provider import FailureKind, Provider
from confguard.testing._gcp import SecretManager
from confguard_gcp import GCP
from tests.providers.faults import FaultyStore


@cache
def private_key() -> str:
    """A private key of this run, as a file of credentials has it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def service_account(key: str, **others: str) -> dict[str, Any]:
    """What the file of a service account's key holds."""
    return {
        "type": "service_account",
        "project_id": "shop",
        "private_key_id": "1",
        "private_key": key,
        "client_email": "shop@shop.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
        **others,
    }


class GcpStore(FaultyStore):
    """Secrets of a project of its own, read with the key of a service account."""

    def __init__(self, server: SecretManager) -> None:
        self._server = server
        self._project = f"project-{secrets.token_hex(4)}"
        key = private_key()
        self._who: Credentials = ServiceAccount.from_service_account_info(service_account(key))
        self.port = server.port
        self.credentials = [key]

    def reference(self, name: str) -> str:
        return f"gcpsecrets://{self._project}/{name}"

    def provider(self, port: int | None = None) -> Provider:
        return GCP(endpoint=f"https://127.0.0.1:{port or self._server.port}", ca_cert=self._server.ca_cert, credentials=self._who)

    def put(self, name: str, value: str | bytes) -> None:
        self._server.put(name, value.encode() if isinstance(value, str) else value, self._project)

    def delete(self, name: str) -> None:
        self._server.secrets.pop(f"projects/{self._project}/secrets/{name}")

    def deny(self, name: str) -> None:
        self._server.deny(name, project=self._project)

    def failing(self) -> Mapping[FailureKind, Provider]:
        return {
            "unavailable": GCP(endpoint="https://127.0.0.1:9", credentials=AnonymousCredentials()),
            "unconfigured": GCP(endpoint=self._server.address, credentials=self._who),  # an authority that is not known
        }

    def misplaced(self) -> Mapping[str, Provider]:
        return {
            "unresolved": GCP(endpoint="https://store.invalid", credentials=self._who),
            "wrong name": GCP(
                endpoint=f"https://localhost:{self._server.port}", ca_cert=self._server.ca_cert, credentials=self._who
            ),
            "unknown authority": GCP(endpoint=self._server.address, credentials=self._who),
        }

    def requests(self) -> int:
        return len(self._server.calls)


@contextmanager
def metadata_server(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Iterator[None]:
    """Let google-auth, which reads these variables when it is imported, read them again; and once more afterwards."""
    from google.auth.compute_engine import _metadata

    with monkeypatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        reload(_metadata)
        try:
            yield
        finally:
            patch.undo()
            reload(_metadata)


def write_credentials(path: Path, content: Mapping[str, Any]) -> str:
    """Write a file of credentials, and tell its path."""
    path.write_text(json.dumps(content))
    return str(path)
