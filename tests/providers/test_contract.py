"""Every provider of ours passes the tests that every provider has to pass."""

import pytest

from confguard.testing import ProviderContract
from tests.providers.azure_rig import AzureStore
from tests.providers.vault_rig import VaultStore


class TestVault(ProviderContract):
    """OpenBao, with KV v2. Its values are JSON, and so no bytes."""

    binary = False

    @pytest.fixture
    def store(self, vault_store: VaultStore) -> VaultStore:
        return vault_store


class TestAzureKeyVault(ProviderContract):
    """A vault of the double. Its values are text."""

    binary = False

    @pytest.fixture
    def store(self, azurekeyvault_store: AzureStore) -> AzureStore:
        return azurekeyvault_store
