"""The tables of what can go wrong: a status, a code or a fault of the connection in, a `Failure` out.

The kind comes from a status or a code, never from text: what a service writes is written by others and may name what it should
not. One question decides which, since the exit code follows from the kind: what would help? Trying again (``unavailable``,
``throttled``), another credential or role (``unauthenticated``, ``denied``), or another setting (``unconfigured``)?
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from confguard.provider import Failure, FailureKind
from confguard_azure._wire import Exchange

# A wait beyond this is no advice to somebody who starts a service.
LONGEST_WAIT = 3600.0

# Seconds by which clocks may differ without anybody minding.
SKEW = 60.0

_REQUEST_ID = re.compile(r"[0-9A-Za-z-]{8,64}")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table. In braces stand the names of the vault, the secret, the host, and the status."""

    kind: FailureKind
    message: str
    tip: str | None = None


_GRANT = (
    "give this identity the role Key Vault Secrets User on the vault {vault} or on this secret "
    "(Microsoft.KeyVault/vaults/secrets/getSecret/action); without RBAC, an access policy with the secret permission get"
)
_NETWORK = "allow this network in the networking settings of the vault {vault}, or reach it by a private endpoint"

CODES: dict[tuple[int, str], Row] = {
    (403, "SecretDisabled"): Row("missing", "403, the secret or this version is disabled", "enable it, or write a new version"),
    (403, "ForbiddenByFirewall"): Row("denied", "403, the vault's firewall does not let us in", _NETWORK),
    (403, "ForbiddenByConnection"): Row("denied", "403, the vault takes no public connections", _NETWORK),
    (404, "SecretNotFound"): Row(
        "missing", "404, no such secret or version", "check the name, or write the secret; a deleted one has to be recovered"
    ),
}
"""What a status of Key Vault means with a code that the refusal holds."""

STATUSES: dict[int, Row] = {
    400: Row("unconfigured", "400, the vault does not take the request", "check the name and the version"),
    401: Row("unauthenticated", "401, the vault does not take the token", "is the identity of the vault's own tenant?{skew}"),
    403: Row("denied", "403, denied", _GRANT),
    404: Row("unconfigured", "404, and not for want of a secret", "check that {host} is the vault"),
    408: Row("unavailable", "408, the vault waited too long for the request", "try again"),
    429: Row("throttled", "429, too many requests", "try again later; a vault has a limit of requests every ten seconds"),
}
"""What a status of Key Vault means otherwise. `status_failure` tells the rest by their first digit."""

_REDIRECT = Row("unconfigured", "{status}, a redirect, not followed", "check that {host} is the host that is meant")
_SERVER_ERROR = Row("unavailable", "{status}, an error inside the service", "try again; see the status page of Azure")
_OTHER = Row("malformed", "{status}, which is no answer of Azure", "check that {host} is the host that is meant")

LOGIN_CODES: dict[str, Row] = {
    "7000215": Row("unauthenticated", "the client secret is wrong", "set {origin} to the secret's value, which is not its id"),
    "7000222": Row("unauthenticated", "the client secret has expired", "make a new one for the application, and set {origin}"),
    "7000112": Row("unauthenticated", "the application is disabled", "enable it, or use another one"),
    "700016": Row("unauthenticated", "no such application in the tenant", "check AZURE_CLIENT_ID and AZURE_TENANT_ID"),
    "90002": Row("unauthenticated", "no such tenant", "check AZURE_TENANT_ID, and AZURE_AUTHORITY_HOST for its cloud"),
    "900023": Row("unauthenticated", "this is not a tenant", "check AZURE_TENANT_ID, and AZURE_AUTHORITY_HOST for its cloud"),
    "700024": Row("unauthenticated", "the assertion is out of its time", "is the token file written anew?{skew}"),
    "700027": Row("unauthenticated", "the certificate is not known, or is another one", "add {origin} to the application"),
    "70021": Row("unauthenticated", "no federated credential fits the token", "compare its issuer, subject and audience"),
    "700211": Row("unauthenticated", "no federated credential has the token's issuer", "compare the issuer of both"),
    "700212": Row("unauthenticated", "no federated credential has the token's audience", "compare the audience of both"),
    "700213": Row("unauthenticated", "no federated credential has the token's subject", "compare namespace and service account"),
    "53003": Row("denied", "a conditional access policy forbids it", "exempt this identity, or meet the policy"),
    "500011": Row(
        "unconfigured", "the tenant does not know Key Vault of this cloud", "check AZURE_TENANT_ID and AZURE_AUTHORITY_HOST"
    ),
    "90033": Row("unavailable", "a fault of Entra that passes", "try again"),
}
"""What a code of Microsoft Entra (AADSTS) means to a login."""

LOGIN_STATUSES: dict[int, Row] = {
    400: Row("unauthenticated", "the login was not taken", "check {origin}, AZURE_CLIENT_ID and AZURE_TENANT_ID{skew}"),
    401: Row("unauthenticated", "the login was not taken", "check {origin}, AZURE_CLIENT_ID and AZURE_TENANT_ID{skew}"),
    403: Row("unauthenticated", "the login was not taken", "check {origin}, AZURE_CLIENT_ID and AZURE_TENANT_ID"),
    404: Row("unconfigured", "nothing that gives tokens is at {host}", "check AZURE_AUTHORITY_HOST"),
    429: Row("throttled", "too many requests", "try again later"),
}
"""What a status of Microsoft Entra means to a login otherwise."""

MANAGED_STATUSES: dict[int, Row] = {
    400: Row(
        "unauthenticated", "no such identity here", "assign the identity to what runs this; is AZURE_CLIENT_ID the one that is?"
    ),
    401: Row(
        "unauthenticated", "the header's secret is not taken", "leave the platform's IDENTITY_ and MSI_ variables as they are"
    ),
    403: Row("unauthenticated", "no token for this identity", "assign the identity to what runs this"),
    404: Row("unavailable", "the identity is not ready", "try again"),
    410: Row("unavailable", "the identity service is being updated", "try again"),
    429: Row("throttled", "too many requests", "try again later"),
}
"""What a status of the service that gives a managed identity's tokens means."""

FAULTS: dict[str, Row] = {
    "refused": Row("unavailable", "connection refused", "{check}"),
    "unresolved": Row("unavailable", "the host name cannot be resolved", "{check}, and that names can be looked up from here"),
    "unknown_host": Row("unavailable", "the host name is not known", "{check}, and that names can be looked up from here"),
    "unreachable": Row("unavailable", "the host cannot be reached", "{check} and the network"),
    "timeout": Row("unavailable", "no answer in time", "check that it answers from here, or allow it more time (--timeout)"),
    "reset": Row("unavailable", "the connection was cut off", "try again; look at what stands between here and there"),
    "truncated": Row("unavailable", "the answer was cut off", "try again; look at what stands between here and there"),
    "garbled": Row("malformed", "the answer is not HTTP", "{check}"),
    # Waiting does not mend trust: a setting has to change. Only a certificate out of its time is the server's to renew.
    "untrusted": Row(
        "unconfigured",
        "its certificate is not signed by an authority that is trusted here",
        "set {ca} to the file of the authority's certificate, such as that of a proxy that reads TLS",
    ),
    "wrong_host": Row("unconfigured", "its certificate is for another host name", "{check}"),
    "out_of_date": Row("unavailable", "its certificate is out of its time", "set this machine's clock, or wait for a new one"),
    "not_tls": Row("unconfigured", "it does not speak TLS", "{check}"),
    "tls": Row("unconfigured", "no TLS connection can be agreed on", "{check}"),
    "proxy": Row("unavailable", "the proxy did not let us through", "check HTTPS_PROXY and NO_PROXY"),
    "other": Row("unconfigured", "the request cannot be made", "{check}"),
}
"""What a fault of the connection means; `confguard_azure._faults.fault` tells which one an exception is."""

NO_VAULT = Row("unconfigured", "there is no vault of this name", "check the name {vault}; where it is private, its DNS zone")


def status_failure(what: str, last: Exchange, words: Mapping[str, str]) -> Failure:
    """The failure that a refusal of Key Vault means.

    Args:
        what: The secret, as the operator knows it: ``azurekeyvault shop/api-key``.
        last: The refusal.
        words: What stands in the braces of the tables.
    """
    row = next((CODES[last.status, code] for code in last.codes if (last.status, code) in CODES), None)
    return _failure(what, row or STATUSES.get(last.status) or _by_class(last.status), last, words)


def login_failure(what: str, last: Exchange, words: Mapping[str, str], *, managed: bool) -> Failure:
    """The failure that a refusal of a token means.

    Args:
        what: The login, as the operator knows it.
        last: The refusal.
        words: What stands in the braces of the tables.
        managed: Whether the service of a managed identity refused, and not Microsoft Entra.
    """
    row = None if managed else next((LOGIN_CODES[code] for code in last.codes if code in LOGIN_CODES), None)
    statuses = MANAGED_STATUSES if managed else LOGIN_STATUSES
    row = row or statuses.get(last.status) or _by_class(last.status)
    if not row.message.startswith("{status}"):
        row = Row(row.kind, f"{{status}}, {row.message}", row.tip)
    return _failure(what, row, last, words)


def fault_failure(what: str, last: Exchange, words: Mapping[str, str]) -> Failure:
    """The failure that a fault of the connection means: where it was asked is the first thing to look at."""
    row = FAULTS[last.fault]
    if last.fault == "unknown_host" and words.get("by_name"):
        row = NO_VAULT
    return _failure(f"{what} at {last.host}", row, last, words)


def malformed(what: str, message: str, words: Mapping[str, str]) -> Failure:
    """The failure of a 200 that does not hold what it should."""
    return Failure("malformed", f"{what}: 200, {message}", f"check that {words['host']} is the vault")


def retry_seconds(header: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a ``Retry-After`` asks for (RFC 9110: a number, or a date); None for what is neither."""
    text = (header or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return min(float(text), LONGEST_WAIT)
    skew = clock_skew(text, now)
    return None if skew is None else min(max(-skew, 0.0), LONGEST_WAIT)


def clock_skew(date: str | None, now: datetime | None = None) -> float | None:
    """By how many seconds our clock is ahead of a date of HTTP; below 0 it is behind, and None is no date."""
    moment = http_date(date)
    return None if moment is None else ((now or datetime.now(UTC)) - moment).total_seconds()


def http_date(date: str | None) -> datetime | None:
    """A date of HTTP, or None for what is none."""
    try:
        moment = parsedate_to_datetime(date or "")
    except (ValueError, TypeError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _failure(what: str, row: Row, last: Exchange, words: Mapping[str, str]) -> Failure:
    filled = {**words, "status": str(last.status), "skew": _skew(last.date)}
    tip = row.tip.format_map(filled) if row.tip else None
    request_id = last.request_id if last.request_id and _REQUEST_ID.fullmatch(last.request_id) else None
    return Failure(row.kind, f"{what}: {row.message.format_map(filled)}", tip, retry_seconds(last.retry_after), request_id)


def _skew(date: str | None) -> str:
    skew = clock_skew(date)
    if skew is None or abs(skew) <= SKEW:
        return ""
    return f" And set this machine's clock: it is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}"


def _by_class(status: int) -> Row:
    if 300 <= status < 400:
        return _REDIRECT
    return _SERVER_ERROR if status >= 500 else _OTHER
