"""Every provider of ours passes the tests that every provider has to pass."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from confguard.provider import FailureKind, Provider
from confguard.testing import ContractStore, ProviderContract
from confguard_local import Environment, Files
from tests.providers.aws_rig import AwsStore
from tests.providers.azure_rig import AzureStore
from tests.providers.gcp_rig import GcpStore
from tests.providers.vault_rig import VaultStore


class TestVault(ProviderContract):
    """OpenBao, with KV v2. Its values are JSON, and so no bytes."""

    binary = False

    @pytest.fixture
    def store(self, vault_store: VaultStore) -> VaultStore:
        return vault_store


class TestAwsSecrets(ProviderContract):
    """Secrets Manager."""

    @pytest.fixture
    def store(self, awssecrets_store: AwsStore) -> AwsStore:
        return awssecrets_store


class TestAwsParameters(ProviderContract):
    """Parameter Store. Its values are text, of at most 8 KB."""

    binary = False

    @pytest.fixture
    def store(self, awsssm_store: AwsStore) -> AwsStore:
        return awsssm_store


class TestAzureKeyVault(ProviderContract):
    """A vault of the double. Its values are text."""

    binary = False

    @pytest.fixture
    def store(self, azurekeyvault_store: AzureStore) -> AzureStore:
        return azurekeyvault_store


class TestGcp(ProviderContract):
    """A double of Secret Manager, over TLS, with a token that is signed here."""

    @pytest.fixture
    def store(self, gcpsecrets_store: GcpStore) -> GcpStore:
        return gcpsecrets_store


class Folder(ContractStore):
    """A directory. Text is written with a line ending behind it, as an editor does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def reference(self, name: str) -> str:
        return f"file://{self.folder}/{name}"

    def provider(self, port: int | None = None) -> Provider:
        return Files(roots=[self.folder])

    def put(self, name: str, value: str | bytes) -> None:
        (self.folder / name).write_bytes(value if isinstance(value, bytes) else f"{value}\n".encode())

    def delete(self, name: str) -> None:
        (self.folder / name).unlink()

    def failing(self) -> Mapping[FailureKind, Provider]:
        return {"unconfigured": Files(roots=["elsewhere"])}


class TestFiles(ProviderContract):
    """A directory. Permissions are proved elsewhere, in a process of another user: nothing is denied to root."""

    permissions = False
    server = False

    @pytest.fixture
    def store(self, tmp_path: Path) -> Folder:
        (tmp_path / "elsewhere").mkdir()
        for name in ("any", "other"):
            (tmp_path / name).touch()
        return Folder(tmp_path)


class Variables(ContractStore):
    """The environment of this process."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.patch = patch

    def reference(self, name: str) -> str:
        return f"env://{name}"

    def provider(self, port: int | None = None) -> Provider:
        return Environment()

    def put(self, name: str, value: str | bytes) -> None:
        self.patch.setitem(os.environb, name.encode(), value if isinstance(value, bytes) else value.encode())

    def delete(self, name: str) -> None:
        self.patch.delenv(name)


class TestEnvironment(ProviderContract):
    """Variables hold no NUL byte, and so no bytes as they are."""

    permissions = False
    binary = False
    server = False

    @pytest.fixture
    def store(self, monkeypatch: pytest.MonkeyPatch) -> Variables:
        return Variables(monkeypatch)
