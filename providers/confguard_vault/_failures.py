"""The one table of what can go wrong: a status or a fault of the connection in, a `Failure` out.

The kind comes from the status or the type of an exception, never from text: the store's text is written by others and
may name what it should not. One question decides which, since the exit code follows from the kind: what would help?
Trying again (``unavailable``, ``throttled``), another credential or policy (``unauthenticated``, ``denied``), or
another setting (``unconfigured``)?
"""

import re
from collections.abc import Mapping
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
    """One line of the table. ``{ADDR}`` in it and its like are where that was set: see `confguard_vault._config.Endpoint`."""

    kind: FailureKind
    message: str
    tip: str | None = None


_ACTIVE = "set {ADDR} to the active node, or wait for the failover"

STATUSES: dict[int, Row] = {
    # Not followed, since the token would go along. The standby may serve by itself later, so trying again may help.
    307: Row("unavailable", "307, a standby's redirect{target}, not followed", _ACTIVE),
    400: Row(
        "unconfigured",
        "400, the store does not take the request",
        "does {ADDR} begin with https:// where the store speaks TLS? Else check the path",
    ),
    403: Row("denied", "403, denied (or it does not exist)"),
    404: Row("missing", "404, no such secret or version", "check the path, or write the secret"),
    405: Row("unconfigured", "405, this path cannot be read", "check the path: it names something that is no secret"),
    412: Row("unavailable", "412, the store has not caught up with a write yet", "try again"),
    429: Row("throttled", "429, too many requests", "try again later, or ask for a higher rate limit quota"),
    472: Row(
        "unavailable",
        "472, it is a secondary for disaster recovery",
        "set {ADDR} to the primary, or wait for the failover",
    ),
    473: Row(
        "unavailable",
        "473, it is a standby that does not serve reads",
        _ACTIVE,
    ),
    474: Row("unavailable", "474, it is a standby that cannot reach the active node", _ACTIVE),
    501: Row("unavailable", "501, the store is not initialised", "initialise the store"),
    502: Row("unavailable", "502, what stands before the store cannot reach it"),
    503: Row(
        "unavailable",
        "503, sealed, in maintenance, or a standby",
        "unseal the store, or set {ADDR} to the active node; its status command tells what it waits for",
    ),
    504: Row("unavailable", "504, what stands before the store had no answer from it"),
}
"""What a status means. `status_failure` tells the rest by their first digit."""

_SERVER_ERROR = Row("unavailable", "{status}, an error inside the store", "look at the store's own log")
_OTHER = Row(
    "malformed",
    "{status}, which the store's interface does not have",
    "check that {ADDR} is the address of the store",
)
# Not followed, since the token would go along. Another address is needed, so trying again does not help.
_REDIRECT = Row(
    "unconfigured",
    "{status}, a redirect{target}, not followed",
    "set {ADDR} to the address that answers by itself",
)

LOGIN_STATUSES: dict[int, Row] = {
    400: Row(
        "unauthenticated",
        "400, the login was not taken",
        "check {login}",
    ),
    403: Row(
        "unauthenticated",
        "403, the login was not taken",
        "check {login}; and is the auth method enabled at this mount{WITHIN}?",
    ),
    404: Row("unconfigured", "404, no auth method at this mount", "check the mount of the auth method, and {NAMESPACE}"),
}
"""What a status means to a login, where it differs."""

FAULTS: dict[str, Row] = {
    "refused": Row("unavailable", "connection refused", "check {ADDR}, and that the store is running"),
    "unresolved": Row(
        "unavailable",
        "the host name cannot be resolved",
        "check {ADDR}, and that names can be looked up from here",
    ),
    "unreachable": Row("unavailable", "the host cannot be reached", "check {ADDR} and the network"),
    "timeout": Row("unavailable", "no answer in time", "check that the store answers from here, or raise {CLIENT_TIMEOUT}"),
    "reset": Row("unavailable", "the connection was cut off", "try again; look at what stands between here and the store"),
    "truncated": Row("unavailable", "the answer was cut off", "try again; look at what stands between here and the store"),
    "garbled": Row("malformed", "the answer is not HTTP", "check that {ADDR} is the address of the store"),
    # Waiting does not mend trust: a setting has to change. Only a certificate out of its time is the store's to renew.
    "untrusted": Row(
        "unconfigured",
        "its certificate is not signed by an authority that is trusted here",
        "set {CACERT} to the file of the authority's certificate",
    ),
    "wrong_host": Row(
        "unconfigured",
        "its certificate is for another host name",
        "ask for the name on the certificate in {ADDR}, or set {TLS_SERVER_NAME} to it",
    ),
    "out_of_date": Row(
        "unavailable",
        "its certificate is out of its time",
        "renew the store's certificate, or set this machine's clock",
    ),
    "client_cert": Row("unconfigured", "it does not take our client certificate", "set {CLIENT_CERT} and {CLIENT_KEY}"),
    "not_tls": Row("unconfigured", "it does not speak TLS", "check the scheme of {ADDR}"),
    "tls": Row(
        "unconfigured",
        "no TLS connection can be agreed on",
        "check {ADDR}, and which versions of TLS the store takes",
    ),
    "proxy": Row("unavailable", "the proxy did not let us through", "check {PROXY}, and whether this host needs a proxy"),
    "other": Row("unconfigured", "the request cannot be made", "check {ADDR}"),
}
"""What a fault of the connection means; `confguard_vault._http.fault` tells which one an exception is."""


def status_failure(
    status: int,
    what: str,
    names: Mapping[str, str],
    *,
    login: str | None = None,
    tip: str | None = None,
    retry_after: str | None = None,
    target: str | None = None,
    request_id: str | None = None,
) -> Failure:
    """The failure that a status other than 200 means.

    Args:
        status: The HTTP status.
        what: The store and the path, as the operator knows them: ``vault secret/app``.
        names: Where each setting comes from.
        login: What to check where a login is not taken; None where it answers no login.
        tip: A better tip than the table's, where the caller knows one.
        retry_after: The header of that name.
        target: The host that a redirect points to.
        request_id: What the store's own log knows the request by.
    """
    row = (LOGIN_STATUSES.get(status) if login else None) or STATUSES.get(status) or _by_class(status)
    words = {**names, "status": status, "login": login, "target": f" to {target}" if target else ""}
    message = row.message.format(**words)
    advice = tip or (row.tip.format(**words) if row.tip else None)
    return Failure(row.kind, f"{what}: {message}", advice, retry_seconds(retry_after), request_id)


def fault_failure(fault: str, what: str, names: Mapping[str, str], address: str) -> Failure:
    """The failure that a fault of the connection means: where it was asked is the first thing to look at."""
    row = FAULTS[fault]
    return Failure(row.kind, f"{what} at {address}: {row.message}", row.tip.format_map(names) if row.tip else None)


def malformed(what: str, message: str) -> Failure:
    """The failure of a 200 that does not hold what it should."""
    return Failure("malformed", f"{what}: {message}", "check that the address is that of the store, and not of a page before it")


def not_this_store(what: str, names: Mapping[str, str]) -> Failure:
    """The failure of a 404 that does not say "no such secret", as the store does with an empty list of errors.

    It may be another server's, or the namespace or the mount is not there. A default must not stand in for that.
    """
    return Failure(
        "unconfigured",
        f"{what}: 404, and not for want of a secret",
        "check {ADDR}, {NAMESPACE}, and that the mount is there".format_map(names),
    )


def retry_seconds(header: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a ``Retry-After`` asks for (RFC 9110: a number, or a date); None for what is neither."""
    if header is None:
        return None
    text = header.strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return min(float(text), LONGEST_WAIT)
    skew = clock_skew(text, now)
    return None if skew is None else min(max(-skew, 0.0), LONGEST_WAIT)


def clock_skew(date: str | None, now: datetime | None = None) -> float | None:
    """By how many seconds our clock is ahead of a date of HTTP; below 0 it is behind, and None is no date."""
    try:
        moment = parsedate_to_datetime(date or "")
    except (ValueError, TypeError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return ((now or datetime.now(UTC)) - moment).total_seconds()


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
