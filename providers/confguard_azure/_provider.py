"""The provider: what is set, which secrets are meant, and one load for each deadline."""

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, ClassVar

from confguard.provider import Deadline, Failure, Found, Reference
from confguard_azure._client import Options
from confguard_azure._identity import given_identity, shared_identity
from confguard_azure._load import Load
from confguard_azure._loggers import LOGGERS
from confguard_azure._settings import SetupError, ca_file
from confguard_azure._vaults import Secret, Vaults, authority_of, secret_of

if TYPE_CHECKING:
    from azure.core.credentials import SupportsTokenInfo, TokenCredential

# Asked for a token: the authority's two documents, and the token; a managed identity takes one.
_LOGIN = 3


class AzureKeyVault:
    """Secrets of Azure Key Vault: ``azurekeyvault://shop/api-key``.

    What is not given is taken from the environment, as Azure's own SDK takes it: ``AZURE_CLIENT_ID`` and its like, a workload
    or managed identity, else the Azure CLI's login; ``AZURE_AUTHORITY_HOST`` for another cloud than the public one.

    Args:
        credential: Who we are: a credential of azure-identity, or anything that gives tokens the same way. It is the caller's
            to close.
        authority: The host that gives tokens, and so the cloud: ``azure.identity.AzureAuthorityHosts.AZURE_CHINA``.
        vaults: The addresses of vaults whose name does not tell it: ``{"shop": "https://shop.example.com"}``.
        ca_cert: A PEM file of the authorities to trust, in place of the SDK's own.
        verify_challenge_resource: Whether a vault may only ask for a token of its own service. With False a token is sent to
            whoever is at the address, which is told as a warning at each load.
        allow_expired: Whether a secret is read before its activation date and after its expiration date too, as Azure does.
    """

    schemes: ClassVar[frozenset[str]] = frozenset({"azurekeyvault"})
    parameters: ClassVar[frozenset[str]] = frozenset({"version"})
    loggers: ClassVar[tuple[str, ...]] = LOGGERS

    def __init__(
        self,
        *,
        credential: "TokenCredential | SupportsTokenInfo | None" = None,
        authority: str | None = None,
        vaults: Mapping[str, str] | None = None,
        ca_cert: str | os.PathLike[str] | None = None,
        verify_challenge_resource: bool = True,
        allow_expired: bool = False,
    ) -> None:
        self._given = None if credential is None else given_identity(credential)
        self._authority = authority
        self._vaults = dict(vaults or {})
        self._ca_cert = None if ca_cert is None else os.fspath(ca_cert)
        self._options = Options(verify_challenge_resource=verify_challenge_resource, allow_expired=allow_expired)

    def __repr__(self) -> str:
        return f"AzureKeyVault(vaults={sorted(self._vaults)!r}, credential={'…' if self._given else None})"

    def fetch(self, refs: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Found | Failure]:
        """Fetch references: one challenge a vault and one token a load, then one read a secret, side by side.

        Raises:
            ImportError: azure-keyvault-secrets or azure-identity is not installed.
        """
        authority, origin = authority_of(self._authority, os.environ)
        vaults = Vaults(self._vaults, authority, origin)
        secrets = {ref: secret_of(ref, vaults) for ref in refs}
        wanted = list(dict.fromkeys(secret for secret in secrets.values() if isinstance(secret, Secret)))
        found = self._read(wanted, authority, deadline) if wanted else {}
        return {ref: secret if isinstance(secret, Failure) else found[secret] for ref, secret in secrets.items()}

    def requests(self, refs: Sequence[Reference]) -> int:
        """At most how many requests a fetch of these makes: a login, a challenge a vault, and a read a secret and version."""
        paths = [ref.path.strip("/").lower().split("/") for ref in refs]
        reads = {(*path[:2], *path[2:], ref.param("version")) for path, ref in zip(paths, refs, strict=True)}
        return _LOGIN + len({path[0] for path in paths}) + len(reads)

    def warnings(self) -> tuple[str, ...]:
        """What about the way this is set up should be known even when all is well."""
        if self._options.verify_challenge_resource:
            return ()
        return ("AzureKeyVault(verify_challenge_resource=False) is set: a token is sent to whoever answers at a vault's address",)

    def _read(self, wanted: Sequence[Secret], authority: str, deadline: Deadline) -> Mapping[Secret, Found | Failure]:
        """Read secrets over connections that end with this; the credential's token is kept for the next load."""
        load = self._load(authority, deadline)
        if isinstance(load, Failure):
            return dict.fromkeys(wanted, load)
        with closing(load):
            return load.fetch(wanted)

    def _load(self, authority: str, deadline: Deadline) -> Load | Failure:
        identity = self._given or shared_identity(authority, os.environ)
        if isinstance(identity, Failure):
            return identity
        try:
            return Load(deadline, identity, ca_file(self._ca_cert, os.environ), self._options)
        except SetupError as exc:
            return exc.failure
