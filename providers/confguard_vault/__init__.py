"""The provider of ``vault://`` and ``openbao://``: HashiCorp Vault and OpenBao."""

from confguard_vault._auth import JWT, AppRole, Kubernetes, NoAuth, Token, UserPass
from confguard_vault._provider import Vault

__all__ = ["JWT", "AppRole", "Kubernetes", "NoAuth", "Token", "UserPass", "Vault"]
