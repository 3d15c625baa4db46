"""The one table of what can go wrong: a status or a fault of the connection in, a `Failure` out.

The kind comes from the status or the type of an exception, never from text: the store's text is written by others and
may name what it should not. One question decides which, since the exit code follows from the kind: what would help?
Trying again (``unavailable``, ``throttled``), another credential or policy (``unauthenticated``, ``denied``), or
another setting (``unconfigured``)?
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from confguard.provider import Failure, FailureKind

# A wait beyond this is no advice to somebody who starts a service.
LONGEST_WAIT = 3600.0

_REQUEST_ID = re.compile(r"[0-9A-Za-z-]{8,64}")
_HOST = re.compile(r"[0-9A-Za-z.-]{1,253}|\[[0-9A-Fa-f:]{2,39}\]")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ``{prefix}`` in it is ``VAULT`` or ``BAO``, whichever the scheme asks for first."""

    kind: FailureKind
    message: str
    tip: str | None = None


STATUSES: dict[int, Row] = {
    400: Row(
        "unconfigured",
        "400, the store does not take the request",
        "does {prefix}_ADDR begin with https:// where the store speaks TLS? Else check the path",
    ),
    403: Row("denied", "403, denied (or it does not exist)"),
    404: Row("missing", "404, no such secret or version", "check the path, or write the secret"),
    405: Row("unconfigured", "405, this path cannot be read", "check the path: it names something that is no secret"),
    412: Row("unavailable", "412, the store has not caught up with a write yet", "try again"),
    429: Row("throttled", "429, too many requests", "try again later, or ask for a higher rate limit quota"),
    472: Row(
        "unavailable",
        "472, it is a secondary for disaster recovery",
        "set {prefix}_ADDR to the primary, or wait for the failover",
    ),
    473: Row(
        "unavailable",
        "473, it is a standby that does not serve reads",
        "set {prefix}_ADDR to the active node, or wait for the failover",
    ),
    501: Row("unavailable", "501, the store is not initialised", "initialise the store"),
    502: Row("unavailable", "502, what stands before the store cannot reach it"),
    503: Row("unavailable", "503, sealed or in maintenance", "unseal the store; its status command tells what it waits for"),
    504: Row("unavailable", "504, what stands before the store had no answer from it"),
}
"""What a status means. `status_failure` tells the rest by their first digit."""

_SERVER_ERROR = Row("unavailable", "{status}, an error inside the store", "look at the store's own log")
_OTHER = Row(
    "malformed",
    "{status}, which the store's interface does not have",
    "check that {prefix}_ADDR is the address of the store",
)
# Not followed, since the token would go along. Another address is needed, so trying again does not help.
_REDIRECT = Row(
    "unconfigured",
    "{status}, a redirect{target}, not followed",
    "set {prefix}_ADDR to the address that answers by itself",
)

LOGIN_STATUSES: dict[int, Row] = {
    400: Row(
        "unauthenticated",
        "400, the login was not taken",
        "check role_id and secret_id: the secret_id may be used up or expired",
    ),
    403: Row(
        "unauthenticated",
        "403, the login was not taken",
        "check role_id and secret_id, and that the auth method is enabled at this mount",
    ),
    404: Row("unconfigured", "404, no auth method at this mount", "check the mount of the auth method"),
}
"""What a status means to a login, where it differs."""

FAULTS: dict[str, Row] = {
    "refused": Row("unavailable", "connection refused", "check {prefix}_ADDR, and that the store is running"),
    "unresolved": Row(
        "unavailable",
        "the host name cannot be resolved",
        "check {prefix}_ADDR, and that names can be looked up from here",
    ),
    "unreachable": Row("unavailable", "the host cannot be reached", "check {prefix}_ADDR and the network"),
    "timeout": Row(
        "unavailable", "no answer in time", "check that the store answers from here, or raise {prefix}_CLIENT_TIMEOUT"
    ),
    "reset": Row("unavailable", "the connection was cut off", "try again; look at what stands between here and the store"),
    "truncated": Row("unavailable", "the answer was cut off", "try again; look at what stands between here and the store"),
    "garbled": Row("malformed", "the answer is not HTTP", "check that {prefix}_ADDR is the address of the store"),
    # Waiting does not mend trust: a setting has to change. Only a certificate out of its time is the store's to renew.
    "untrusted": Row(
        "unconfigured",
        "its certificate is not signed by an authority that is trusted here",
        "set {prefix}_CACERT to the file of the authority's certificate",
    ),
    "wrong_host": Row(
        "unconfigured",
        "its certificate is for another host name",
        "ask for the name on the certificate in {prefix}_ADDR, or set {prefix}_TLS_SERVER_NAME to it",
    ),
    "out_of_date": Row(
        "unavailable",
        "its certificate is out of its time",
        "renew the store's certificate, or set this machine's clock",
    ),
    "client_cert": Row(
        "unconfigured", "it does not take our client certificate", "set {prefix}_CLIENT_CERT and {prefix}_CLIENT_KEY"
    ),
    "not_tls": Row("unconfigured", "it does not speak TLS", "check the scheme of {prefix}_ADDR"),
    "tls": Row(
        "unconfigured",
        "no TLS connection can be agreed on",
        "check {prefix}_ADDR, and which versions of TLS the store takes",
    ),
    "proxy": Row("unavailable", "the proxy did not let us through", "check {prefix}_PROXY_ADDR, HTTPS_PROXY and NO_PROXY"),
    "other": Row("unconfigured", "the request cannot be made", "check {prefix}_ADDR"),
}
"""What a fault of the connection means; `confguard_vault._http.fault` tells which one an exception is."""


def status_failure(
    status: int,
    what: str,
    prefix: str,
    *,
    login: bool = False,
    tip: str | None = None,
    retry_after: str | None = None,
    target: str | None = None,
    request_id: str | None = None,
) -> Failure:
    """The failure that a status other than 200 means.

    Args:
        status: The HTTP status.
        what: The store and the path, as the operator knows them: ``vault secret/app``.
        prefix: ``VAULT`` or ``BAO``.
        login: Whether it answers a login.
        tip: A better tip than the table's, where the caller knows one.
        retry_after: The header of that name.
        target: The host that a redirect points to.
        request_id: What the store's own log knows the request by.
    """
    row = (LOGIN_STATUSES.get(status) if login else None) or STATUSES.get(status) or _by_class(status)
    words = {"status": status, "prefix": prefix, "target": f" to {target}" if target else ""}
    message = row.message.format(**words)
    advice = tip or (row.tip.format(**words) if row.tip else None)
    return Failure(row.kind, f"{what}: {message}", advice, retry_seconds(retry_after), request_id)


def fault_failure(fault: str, what: str, prefix: str, address: str) -> Failure:
    """The failure that a fault of the connection means: where it was asked is the first thing to look at."""
    row = FAULTS[fault]
    return Failure(row.kind, f"{what} at {address}: {row.message}", row.tip.format(prefix=prefix) if row.tip else None)


def malformed(what: str, message: str) -> Failure:
    """The failure of a 200 that does not hold what it should."""
    return Failure("malformed", f"{what}: {message}", "check that the address is that of the store, and not of a page before it")


def not_this_store(what: str, prefix: str) -> Failure:
    """The failure of a 404 that does not say "no such secret", as the store does with an empty list of errors.

    It may be another server's, or the namespace or the mount is not there. A default must not stand in for that.
    """
    return Failure(
        "unconfigured",
        f"{what}: 404, and not for want of a secret",
        f"check {prefix}_ADDR, {prefix}_NAMESPACE, and that the mount is there",
    )


def retry_seconds(header: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a ``Retry-After`` asks for (RFC 9110: a number, or a date); None for what is neither."""
    if header is None:
        return None
    text = header.strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return min(float(text), LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    seconds = (moment - (now or datetime.now(UTC))).total_seconds()
    return min(max(seconds, 0.0), LONGEST_WAIT)


def safe_request_id(text: object) -> str | None:
    """A request id that looks like one: the store wrote it, and it goes into a report."""
    return text if isinstance(text, str) and _REQUEST_ID.fullmatch(text) else None


def safe_host(text: str | None) -> str | None:
    """A host that looks like one, for the same reason."""
    return text if text and _HOST.fullmatch(text) else None


def _by_class(status: int) -> Row:
    if 300 <= status < 400:
        return _REDIRECT
    return _SERVER_ERROR if status >= 500 else _OTHER
