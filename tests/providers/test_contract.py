"""Every provider of ours passes the tests that every provider has to pass."""

import pytest

from confguard.testing import ProviderContract
from tests.providers.gcp_rig import GcpStore
from tests.providers.vault_rig import VaultStore


class TestVault(ProviderContract):
    """OpenBao, with KV v2. Its values are JSON, and so no bytes."""

    binary = False

    @pytest.fixture
    def store(self, vault_store: VaultStore) -> VaultStore:
        return vault_store


class TestGcp(ProviderContract):
    """A double of Secret Manager, over TLS, with a token that is signed here."""

    @pytest.fixture
    def store(self, gcpsecrets_store: GcpStore) -> GcpStore:
        return gcpsecrets_store
