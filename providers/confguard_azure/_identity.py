"""Who we are: one credential a process, asked for one token at a time.

The SDK's own chain asks everything that could be there and tells what came of it in one sentence. Here the same credentials are
asked in the same order, and one that is *announced*, by a variable or in code, has the last word: a pod whose token file is not
there yet waits for it, and does not become whoever the machine is.
"""

import hashlib
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from time import time
from typing import TYPE_CHECKING, Any

from confguard.provider import USER_AGENT, Failure, hide
from confguard_azure._chain import CERTIFICATE, CERTIFICATE_PASSWORD, SECRET, Source, sources
from confguard_azure._failures import fault_failure, login_failure
from confguard_azure._settings import CA
from confguard_azure._wire import METADATA, Exchange, Relay, Wire

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, TokenCredential

# Seconds that a token which is used again must still be good for; the SDK's own measure.
_LEFT = 300

_VARIABLES = ("AZURE_", "IDENTITY_", "IMDS_", "MSI_")

# What the address of the metadata service answers where it is there, and the identity is not ready.
_NOT_READY = frozenset({404, 410, 429})

NOBODY = Failure(
    "unauthenticated",
    "azurekeyvault: no credential is set, and this machine has no identity",
    "set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, run with a workload or managed identity, or run az login",
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The token that a vault asks for."""

    scope: str
    tenant: str | None = None
    claims: str | None = None


class Identity:
    """Credentials in the order in which they are asked, and the tokens that they gave."""

    def __init__(self, asked: Sequence[Source], authority: str, variables: Mapping[str, str], given: Any = None) -> None:
        self._sources = asked
        self._authority = authority
        self._variables = dict(variables)
        self._given = given
        self._relay = Relay()
        self._lock = threading.Lock()
        self._made: dict[Source, Any] = {}
        self._tokens: dict[Wanted, AccessToken] = {}

    def token(self, wanted: Wanted, wire: Wire) -> "AccessToken | Failure":
        """A token; or why there is none. One thread asks at a time, and the others find what it got."""
        if not self._lock.acquire(timeout=wire.deadline.remaining()):
            return wire.deadline.failure("azurekeyvault login")
        try:
            known = self._tokens.get(wanted)
            if known and wanted.claims is None and known.expires_on - time() > _LEFT:
                return known
            if wanted not in wire.refused:
                outcome = self._ask(wanted, wire)
                if not isinstance(outcome, Failure):
                    return outcome
                wire.refused[wanted] = outcome
            return wire.refused[wanted]
        finally:
            self._lock.release()

    def _ask(self, wanted: Wanted, wire: Wire) -> "AccessToken | Failure":
        for source in self._sources:
            outcome = source.failure or self._ask_one(source, wanted, wire)
            if wire.deadline.passed:
                return wire.deadline.failure(str(source))
            if isinstance(outcome, Failure):
                return outcome
            if outcome is not None:
                self._tokens[wanted] = outcome
                return outcome
        return NOBODY

    def _ask_one(self, source: Source, wanted: Wanted, wire: Wire) -> "AccessToken | Failure | None":
        """A token, or the last word; None where it is not there at all and the next one is to be asked."""
        told = ""
        with wire.noting() as exchanges, self._relay.over(wire):
            try:
                token = _token_of(self._credential(source, wire), wanted)
            except ImportError:
                raise
            except Exception as exc:  # noqa: BLE001 - a credential given in code may raise anything; its text may hold a secret
                told = type(exc).__name__
            else:
                hide(token.token)
                return token
        return self._verdict(source, wanted, told, _decisive(exchanges))

    def _verdict(self, source: Source, wanted: Wanted, told: str, last: Exchange | None) -> Failure | None:
        if last is None:
            return self._unasked(source, wanted, told)
        managed = source.kind == "managed"
        check = f"check {source.origin if managed else 'AZURE_AUTHORITY_HOST'}"
        words = {"origin": source.origin, "host": last.host, "ca": CA, "check": check}
        if not source.announced and last.host == METADATA and last.status < 500 and last.status not in _NOT_READY:
            return None  # nothing is there, or something else than the metadata service of Azure
        if last.fault:
            return fault_failure(str(source), last, words)
        if last.status == 200:
            return Failure("malformed", f"{source}: 200, and no token", f"check that {last.host} is the one that gives tokens")
        return login_failure(str(source), last, words, managed=managed)

    def _unasked(self, source: Source, wanted: Wanted, told: str) -> Failure | None:
        """What came of a credential that gave up before it asked anybody."""
        if source.kind == "cli" and told == "CredentialUnavailableError" and not source.announced:
            return None
        own = self._variables.get("AZURE_TENANT_ID", "")
        own_tenant = not wanted.tenant or own.lower() == wanted.tenant.lower()
        if told == "ClientAuthenticationError" and source.kind in {"secret", "certificate", "workload"} and not own_tenant:
            return Failure(
                "unauthenticated",
                f"{source}: the vault is of another tenant than AZURE_TENANT_ID",
                "set AZURE_TENANT_ID to the tenant of the vault, and use an application of it",
            )
        if told in {"ValueError", "TypeError", "OSError", "PermissionError"} and source.kind != "code":
            tip = f"check {source.origin}, AZURE_TENANT_ID and AZURE_CLIENT_ID"
            return Failure("unconfigured", f"{source}: what is set cannot work ({told})", tip)
        if told == "FileNotFoundError":
            return Failure("unavailable", f"{source}: a file of it is not there (yet)", "is it written, and mounted here?")
        tip = "run az login" if source.kind == "cli" else f"check {source.origin}"
        return Failure("unauthenticated", f"{source}: it gave no token ({told})", tip)

    def _credential(self, source: Source, wire: Wire) -> "TokenCredential":
        if source.kind == "code":
            return self._given  # type: ignore[no-any-return] # whatever the caller says is a credential
        if source.kind == "cli":  # it keeps nothing, and has to end with the deadline
            from azure.identity import AzureCliCredential

            return AzureCliCredential(process_timeout=max(wire.deadline.remaining(), 0.1))  # type: ignore[arg-type] # a float will do
        if source not in self._made:
            self._made[source] = self._make(source)
        return self._made[source]  # type: ignore[no-any-return] # one of the SDK's

    def _make(self, source: Source) -> Any:
        import azure.identity as sdk

        options: dict[str, Any] = {"transport": self._relay, "retry_total": 0, "user_agent": USER_AGENT}
        client = self._variables.get("AZURE_CLIENT_ID") or None
        if source.kind == "managed":
            return sdk.ManagedIdentityCredential(client_id=client, **options)
        options |= {"tenant_id": self._variables["AZURE_TENANT_ID"], "client_id": client, "authority": self._authority}
        if source.kind == "workload":
            return sdk.WorkloadIdentityCredential(token_file_path=self._variables[source.origin], **options)
        if source.kind == "secret":
            return sdk.ClientSecretCredential(client_secret=self._variables[SECRET], **options)
        return sdk.CertificateCredential(
            certificate_path=self._variables[CERTIFICATE],
            password=self._variables.get(CERTIFICATE_PASSWORD) or None,
            send_certificate_chain=bool(self._variables.get("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN")),
            **options,
        )


def given_identity(credential: Any) -> Identity:
    """The identity of a credential that code gives."""
    return Identity([Source("code", "AzureKeyVault(credential=…)", "the credential")], "", {}, credential)


def shared_identity(authority: str, environ: Mapping[str, str]) -> Identity | Failure:
    """The identity of this process: the same as before, unless a variable has changed, or it is a fork.

    Raises:
        ImportError: azure-identity is not installed.
    """
    variables = {name: value for name, value in environ.items() if name.startswith(_VARIABLES)}
    asked = sources(variables)
    if isinstance(asked, Failure):
        return asked
    mark = hashlib.sha256(repr((os.getpid(), authority, asked, sorted(variables.items()))).encode()).digest()
    import_module("azure.identity")  # here, where somebody hears of it that it is not installed
    with _shared_lock:
        if mark not in _shared:
            _shared.clear()
            _shared[mark] = Identity(asked, authority, variables)
        return _shared[mark]


def forget(identity: Identity) -> None:
    """Begin anew with the next load: the SDK answers a question that failed from its memory for a while."""
    with _shared_lock:
        if identity in _shared.values():
            _shared.clear()


_shared: dict[bytes, Identity] = {}
_shared_lock = threading.Lock()


def _decisive(exchanges: Sequence[Exchange]) -> Exchange | None:
    """The last refusal: the SDK looks for other names of the authority after one, which is answered well."""
    refusals = [one for one in exchanges if one.fault or one.status != 200]
    return (refusals or exchanges)[-1] if exchanges else None


def _token_of(credential: Any, wanted: Wanted) -> "AccessToken":
    """Ask the way the credential knows; there are two."""
    told: dict[str, Any] = {"tenant_id": wanted.tenant, "claims": wanted.claims, "enable_cae": True}
    options = {name: value for name, value in told.items() if value}
    if hasattr(credential, "get_token"):
        token: AccessToken = credential.get_token(wanted.scope, **options)
        return token
    import azure.core.credentials as sdk

    info = credential.get_token_info(wanted.scope, options=options)
    return sdk.AccessToken(info.token, info.expires_on)
