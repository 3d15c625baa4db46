"""Every provider of ours passes the tests that every provider has to pass."""

import pytest

from confguard.testing import ProviderContract
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
