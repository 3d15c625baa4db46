"""Secrets of one vault, read by the SDK. What it raises ends here: its frames hold the token and the secret."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from confguard.provider import USER_AGENT, Failure, Found
from confguard_azure._failures import fault_failure, http_date, malformed, status_failure
from confguard_azure._identity import Identity, Wanted
from confguard_azure._settings import CA
from confguard_azure._vaults import Secret
from confguard_azure._wire import Exchange, LateError, Wire

if TYPE_CHECKING:
    from azure.keyvault.secrets import KeyVaultSecret


class LoginError(Exception):
    """There is no token; carries why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class HostileError(Exception):
    """A vault asks for a token of another service than its own."""


class Ticket:
    """The credential that the SDK is given: it asks the process's identity, and tells when a token is there."""

    def __init__(self, identity: Identity, wire: Wire, done: Callable[[], object], vault: str) -> None:
        """Make ready.

        Args:
            identity: Who we are.
            wire: The load's connections.
            done: Called when there is a token.
            vault: The host whose service alone may ask for one; ``""`` where any may.
        """
        self._identity = identity
        self._wire = wire
        self._done = done
        self._vault = vault
        self.failure: Failure | None = None

    def get_token(
        self, *scopes: str, claims: str | None = None, tenant_id: str | None = None, enable_cae: bool = False, **_: object
    ) -> Any:
        """A token for these scopes.

        Raises:
            HostileError: The vault may not ask for it.
            LoginError: There is none. It is the same for the rest of the load, and asked for once.
        """
        failure = self.failure
        if failure is None:
            if self._vault and not self._vault.endswith(f".{urlsplit(scopes[0]).netloc.lower()}"):
                raise HostileError  # older SDKs believe a challenge that another client of the process has let in
            token = self._identity.token(Wanted(scopes[0], tenant_id, claims), self._wire)
            if not isinstance(token, Failure):
                self._done()
                return token
            self.failure = failure = token
        raise LoginError(failure)


@dataclass(frozen=True, slots=True)
class Options:
    """What `confguard_azure.AzureKeyVault` is told about vaults.

    Attributes:
        verify_challenge_resource: Whether a vault may only ask for a token of its own service.
        allow_expired: Whether a secret is read outside of its time too.
    """

    verify_challenge_resource: bool
    allow_expired: bool


class Client:
    """One vault during one load."""

    def __init__(self, url: str, identity: Identity, wire: Wire, options: Options) -> None:
        """Make ready; nothing is sent yet.

        Raises:
            ImportError: The SDK is not installed.
        """
        from azure.keyvault.secrets import SecretClient

        self._wire = wire
        self._allow_expired = options.allow_expired
        self._refused = False
        self._open = threading.Event()
        self._ticket = Ticket(
            identity, wire, self._open.set, urlsplit(url).netloc.lower() if options.verify_challenge_resource else ""
        )
        self._sdk = SecretClient(
            url,
            self._ticket,
            transport=wire,
            verify_challenge_resource=options.verify_challenge_resource,
            user_agent=USER_AGENT,
            retry_total=0,  # a sleep between two tries could not be ended by the deadline
            permit_redirects=False,  # the token would go along
        )

    def read(self, secret: Secret, *, first: bool) -> Found | Failure:
        """Read one secret. What this returns after the deadline is to be thrown away: a cut answer can look whole.

        Args:
            secret: What to read.
            first: Whether it is the vault's first: the others wait until it has the vault's challenge and a token, so that each
                is asked for once.
        """
        if not first:
            self._open.wait(self._wire.deadline.remaining())
        if self._wire.deadline.passed:
            return self._late(secret)
        try:
            return self._read(secret)
        finally:
            self._open.set()

    def _read(self, secret: Secret) -> Found | Failure:
        with self._wire.noting() as exchanges:
            answer = self._ask(secret)
        if isinstance(answer, Failure):
            return answer
        last = exchanges[-1] if exchanges else Exchange(urlsplit(secret.url).hostname or "", fault="other")
        words = _words(secret, last)
        self._refused = self._refused or last.status == 401
        if answer == "HostileError" or (last.status == 401 and answer == "ValueError"):  # ours, and the SDK's own
            return _hostile(secret, last)
        if last.fault:
            return fault_failure(str(secret), last, words)
        if last.status != 200:
            return status_failure(str(secret), last, words)
        if isinstance(answer, str):
            return malformed(str(secret), "and not the JSON of a secret", words)
        return self._found(secret, answer, last)

    def _ask(self, secret: Secret) -> "KeyVaultSecret | Failure | str":
        """What the vault has; or why there is no token; or the type of what the SDK raised."""
        from azure.core.exceptions import AzureError

        try:
            return self._sdk.get_secret(secret.name, secret.version)
        except LoginError as exc:
            return exc.failure
        except (AzureError, HostileError, LateError, ValueError, TypeError, AttributeError, LookupError) as exc:
            return type(exc).__name__

    def _found(self, secret: Secret, found: "KeyVaultSecret", last: Exchange) -> Found | Failure:
        properties = found.properties
        if not isinstance(found.value, str):
            return malformed(str(secret), "without a value", _words(secret, last))
        if not properties.version or (secret.version and properties.version != secret.version):
            return malformed(str(secret), "without its version, or with another one", _words(secret, last))
        if properties.enabled is False:
            return Failure("missing", f"{secret}: it is disabled", "enable it, or write a new version")
        now = http_date(last.date) or datetime.now(UTC)  # the vault's clock, which its owner's dates were written by
        ends, begins = properties.expires_on, properties.not_before
        if not self._allow_expired and ends and ends <= now:
            return Failure("missing", f"{secret}: it expired on {_day(ends)}", "write a new version, or move its expiration date")
        if not self._allow_expired and begins and begins > now:
            return Failure("missing", f"{secret}: it is valid from {_day(begins)} on", "move its activation date, or wait for it")
        return Found(found.value, properties.version, ends)

    def _late(self, secret: Secret) -> Failure:
        return self._wire.deadline.failure(str(secret))

    @property
    def token_failed(self) -> bool:
        """Whether there was no token, or the vault did not take it."""
        return self._refused or self._ticket.failure is not None


def _words(secret: Secret, last: Exchange) -> dict[str, str]:
    where = f"the vault's name {secret.vault}" if secret.by_name else "AzureKeyVault(vaults=…)"
    return {
        "vault": secret.vault,
        "host": last.host,
        "ca": CA,
        "check": f"check {where}",
        "by_name": "yes" if secret.by_name else "",
    }


def _hostile(secret: Secret, last: Exchange) -> Failure:
    return Failure(
        "unconfigured",
        f"{secret}: 401, and it asks for a token of another service than its own; it got none",
        f"check that {last.host} is the vault, and that its name ends like those of its cloud",
    )


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
