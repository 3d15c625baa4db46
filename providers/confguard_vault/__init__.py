"""The provider of ``vault://`` and ``openbao://``: HashiCorp Vault and OpenBao."""

from confguard_vault._auth import AppRole, Token
from confguard_vault._provider import Vault

__all__ = ["AppRole", "Token", "Vault"]
