"""The provider of ``azurekeyvault://``: Azure Key Vault."""

from confguard_azure._provider import AzureKeyVault

__all__ = ["AzureKeyVault"]
