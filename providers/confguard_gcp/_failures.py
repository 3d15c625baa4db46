"""The tables of what can go wrong: a status of gRPC, a reason, or a fault of a connection in, a `Failure` out.

The kind comes from codes, never from text: the store's text is written by others and may name what it should not. One question
decides which, since the exit code follows from the kind: what would help? Trying again (``unavailable``, ``throttled``), another
credential or grant (``unauthenticated``, ``denied``), or another setting (``unconfigured``)?
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from confguard.provider import Failure, FailureKind

# A wait beyond this is no advice to somebody who starts a service.
LONGEST_WAIT = 3600.0

# Seconds between two clocks that no token is refused for: below this, something else is wrong.
TOLERATED = 30.0

_REQUEST_ID = re.compile(r"[0-9A-Za-z-]{8,64}")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table. ``{RESOURCE}`` in it and its like are told by the caller."""

    kind: FailureKind
    message: str
    tip: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """What is kept of a call that failed.

    Attributes:
        code: The name of its status: ``NOT_FOUND``.
        reason: The reason that the details give it: ``SERVICE_DISABLED``. Only looked up, and never shown.
        retry_after: Seconds after which the store wants to be asked again.
        request_id: What the store's own log knows it by.
        date: The date of the answer, as HTTP writes it.
    """

    code: str
    reason: str = ""
    retry_after: float | None = None
    request_id: str | None = None
    date: str | None = None


_TRY_AGAIN = "try again; the store's status page tells of outages"

CODES: Mapping[str, Row] = {
    "NOT_FOUND": Row("missing", "NOT_FOUND, no such secret or version", "check project, secret and version, or add a version"),
    "PERMISSION_DENIED": Row(
        "denied",
        "PERMISSION_DENIED, denied (or it does not exist)",
        "grant secretmanager.versions.access (roles/secretmanager.secretAccessor) on {RESOURCE} to the identity of {ORIGIN}",
    ),
    "UNAUTHENTICATED": Row("unauthenticated", "UNAUTHENTICATED, the token is not taken", "{LOGIN}"),
    "RESOURCE_EXHAUSTED": Row(
        "throttled", "RESOURCE_EXHAUSTED, too many requests", "try again later, or ask for a higher quota of access requests"
    ),
    "UNAVAILABLE": Row("unavailable", "UNAVAILABLE, the store cannot serve now, or the connection was cut off", _TRY_AGAIN),
    "DEADLINE_EXCEEDED": Row("unavailable", "DEADLINE_EXCEEDED, the store had no answer in time", _TRY_AGAIN),
    "CANCELLED": Row("unavailable", "CANCELLED, the call was cut off", _TRY_AGAIN),
    "ABORTED": Row("unavailable", "ABORTED, the call was cut off", _TRY_AGAIN),
    "INTERNAL": Row("unavailable", "INTERNAL, an error inside the store", _TRY_AGAIN),
    "INVALID_ARGUMENT": Row(
        "unconfigured", "INVALID_ARGUMENT, the store does not take the name", "check project, secret, version and location"
    ),
    "FAILED_PRECONDITION": Row("missing", "the version is disabled or destroyed", "enable it, or name another version"),
    "DATA_LOSS": Row("malformed", "DATA_LOSS, the payload is damaged", "try again; if it stays so, add a new version"),
    "UNIMPLEMENTED": Row(
        "unconfigured", "UNIMPLEMENTED, what answers is not Secret Manager", "check {ENDPOINT}: it names something else"
    ),
}
"""What a status means. Those that the store's interface does not have are told by `_OTHER`."""

_OTHER = Row("malformed", "{CODE}, which the store's interface does not have", "check that {ENDPOINT} leads to Secret Manager")

REASONS: Mapping[str, Row] = {
    "SERVICE_DISABLED": Row(
        "unconfigured",
        "the Secret Manager API is not enabled",
        "enable secretmanager.googleapis.com in the project {PROJECT}, or in the one that pays",
    ),
    "BILLING_DISABLED": Row("unconfigured", "billing is disabled", "enable billing for the project {PROJECT}"),
    "CONSUMER_INVALID": Row("unconfigured", "there is no such project", "check the project {PROJECT}, and the one that pays"),
    "CONSUMER_SUSPENDED": Row("unconfigured", "the project is suspended", "look at the project {PROJECT} in the console"),
    "USER_PROJECT_DENIED": Row(
        "denied",
        "the project that pays may not be used",
        "grant serviceusage.services.use (roles/serviceusage.serviceUsageConsumer) on the quota project to the identity of "
        "{ORIGIN}, or set GOOGLE_CLOUD_QUOTA_PROJECT to another",
    ),
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": Row(
        "denied",
        "the token's scopes do not cover Secret Manager",
        "give the machine, or the credentials, the scope https://www.googleapis.com/auth/cloud-platform",
    ),
    "SECURITY_POLICY_VIOLATED": Row(
        "denied",
        "a VPC service perimeter does not let the request through",
        "allow secretmanager.googleapis.com in the perimeter of the project {PROJECT}",
    ),
    "RATE_LIMIT_EXCEEDED": CODES["RESOURCE_EXHAUSTED"],
}
"""What a reason of the domain ``googleapis.com`` means, where it tells more than the status."""

STATES: Mapping[str, Row] = {
    "DISABLED": Row("missing", "the version is disabled", "enable it, or name another version"),
    "DESTROYED": Row("missing", "the version is destroyed", "name another version, or add one"),
    # Nothing is wrong with the version, so no default may stand in for it.
    "ENABLED": Row(
        "unconfigured", "the version is enabled and cannot be read", "if it is encrypted with a key of yours, is that enabled?"
    ),
}
"""What the state of a version means whose payload was refused for it."""

_CHECK_ENDPOINT = "check {ENDPOINT}, and the network"

FAULTS: Mapping[str, Row] = {
    "refused": Row("unavailable", "connection refused", _CHECK_ENDPOINT),
    "unresolved": Row(
        "unavailable", "the host name cannot be resolved", "check {ENDPOINT}, and that names can be looked up from here"
    ),
    "unreachable": Row("unavailable", "the host cannot be reached", _CHECK_ENDPOINT),
    "timeout": Row("unavailable", "no answer in time", _CHECK_ENDPOINT),
    "cut": Row("unavailable", "the connection was cut off", "try again; look at what stands between here and there"),
    "proxy": Row("unavailable", "the proxy did not let us through", "check https_proxy, and whether this host needs a proxy"),
    "behind_proxy": Row(
        "unavailable", "no connection through the proxy", "check https_proxy and no_proxy, and that the proxy reaches the host"
    ),
    # Waiting does not mend trust: a setting has to change. Only a certificate out of its time is the other side's to renew.
    "untrusted": Row(
        "unconfigured",
        "its certificate is not signed by an authority that is trusted here",
        "set {CA} to the file of the authority's certificate",
    ),
    "wrong_host": Row("unconfigured", "its certificate is for another host name", "check {ENDPOINT}: use the certificate's name"),
    "out_of_date": Row("unavailable", "its certificate is out of its time", "renew the certificate, or set this machine's clock"),
    "not_tls": Row("unconfigured", "it does not speak TLS", "check {ENDPOINT}"),
    "tls": Row("unconfigured", "no TLS connection can be agreed on", "check {ENDPOINT}, and which versions of TLS it takes"),
    "other": Row("unconfigured", "the request cannot be made", "check {ENDPOINT}"),
}
"""What a fault of a connection means; `confguard_gcp._faults` tells which one it is."""

LOGINS: Mapping[str, str] = {
    "service_account": "the key of {ORIGIN} is revoked, or its account is disabled or deleted: get a new key",
    "authorized_user": "the login is expired or revoked: run `gcloud auth application-default login`",
    "external_account": "check the audience and the token of {ORIGIN}, and the workload identity pool that takes it",
    "impersonated_service_account": "check the account that is impersonated, and the credentials behind it",
    "metadata": "is a service account attached, and enabled? Attach one to the machine, the service or the pod",
}
"""What to do where credentials are not taken, by what they are."""

ANY_LOGIN = "the credentials of {ORIGIN} are expired or revoked: get new ones"


def failure(row: Row, what: str, words: Mapping[str, str]) -> Failure:
    """The failure that a row means for ``what``: the store and the secret, as the operator knows them."""
    tip = row.tip.format_map(words) if row.tip else None
    return Failure(row.kind, f"{what}: {row.message.format_map(words)}", tip)


def refusal_failure(refusal: Refusal, what: str, words: Mapping[str, str]) -> Failure:
    """The failure that a call's status means."""
    row = REASONS.get(refusal.reason) or CODES.get(refusal.code) or _OTHER
    made = failure(row, what, {**words, "CODE": refusal.code})
    if made.kind == "unauthenticated":
        made = with_skew(made, refusal.date)
    return replace(made, retry_after=refusal.retry_after, request_id=refusal.request_id)


def with_skew(made: Failure, date: str | None) -> Failure:
    """The failure of a token that is good for a time of our clock, with how far that is off, where it may be the reason."""
    skew = clock_skew(date)
    if skew is None or abs(skew) <= TOLERATED:
        return made
    clock = f"this machine's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the store's"
    return replace(made, tip=f"set the clock: {clock}, and a token is good for a time; else {made.tip}")


def clock_skew(date: str | None, now: datetime | None = None) -> float | None:
    """By how many seconds our clock is ahead of a date of HTTP; below 0 it is behind, and None is no date."""
    try:
        moment = parsedate_to_datetime(date or "")
    except (ValueError, TypeError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return ((now or datetime.now(UTC)) - moment).total_seconds()


def retry_seconds(text: str | None) -> float | None:
    """Seconds that a ``Retry-After`` asks for; None for what is no number of them."""
    return min(float(text), LONGEST_WAIT) if text and re.fullmatch(r"[0-9]{1,9}", text.strip()) else None


def safe_request_id(text: str) -> str | None:
    """A request id that looks like one: the store wrote it, and it goes into a report."""
    return text if _REQUEST_ID.fullmatch(text) else None
