"""Becoming somebody to Google Cloud, by google-auth: Application Default Credentials, or what code gives."""

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from confguard.provider import Deadline, Failure, hide
from confguard_gcp._credentials_file import Source, credentials_file
from confguard_gcp._exchange import Exchange, Trace, UnansweredError, as_request
from confguard_gcp._failures import ANY_LOGIN, FAULTS, LOGINS, Row, failure, retry_seconds, with_skew
from confguard_gcp._setup import SCHEME, SetupError

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

SCOPE = "https://www.googleapis.com/auth/cloud-platform"

_METADATA = Source("the metadata server", "metadata")
_METADATA_VARIABLES = ("GCE_METADATA_HOST", "GCE_METADATA_ROOT", "GCE_METADATA_IP")

NOBODY = Row(
    "unauthenticated",
    "no credentials are set, and this machine has no identity of its own",
    "set GOOGLE_APPLICATION_CREDENTIALS to a file of credentials, run `gcloud auth application-default login`, or attach a "
    "service account where this runs",
)
UNUSABLE = Row("unconfigured", "{ORIGIN} holds no credentials that can be used", "get a new file of credentials")
NO_TOKEN = Row("malformed", "{HOST} answered without a token", "check that {ORIGIN} leads to Google's own")
REDIRECTED = Row("unconfigured", "{HOST} answered with a redirect, not followed", "check that {ORIGIN} leads to Google's own")
THROTTLED = Row("throttled", "{HOST} has too many requests for tokens", "try again later")
FAULTY = Row("unavailable", "{HOST} cannot give a token now: {STATUS}", "try again; it may be late where a pod has just started")
NOT_TAKEN = Row("unauthenticated", "{HOST} does not take the credentials: {STATUS}", "{LOGIN}")
NO_IMPERSONATION = Row(
    "denied",
    "the service account may not be impersonated",
    "grant iam.serviceAccounts.getAccessToken (roles/iam.serviceAccountTokenCreator) on it to the account behind {ORIGIN}",
)
REFUSED = Row("unauthenticated", "the credentials of {ORIGIN} give no token", "{LOGIN}")

_NOT_READY = "is the metadata server up? It may be late where a pod has just started; else check GCE_METADATA_HOST"
_WORDS = {"ENDPOINT": "the address in the credentials", "CA": "REQUESTS_CA_BUNDLE"}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are to the store.

    Attributes:
        source: Where the credentials are from.
        headers: What each call carries: the token, and the project that pays where there is one.
        project: The default project, as far as the credentials tell.
    """

    source: Source
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    project: str | None = None

    @property
    def words(self) -> dict[str, str]:
        """What the tables call it."""
        return words_of(self.source)


ANONYMOUS = Identity(Source("nobody"))
"""Who we are where no credential is sent."""


def words_of(source: Source) -> dict[str, str]:
    """What the tables call some credentials."""
    return {"ORIGIN": source.origin, "LOGIN": LOGINS.get(source.kind, ANY_LOGIN).format(ORIGIN=source.origin)}


def become(given: "Credentials | None", deadline: Deadline) -> Identity | Failure:
    """Become somebody: find the credentials, and get a token unless they hold a good one.

    Args:
        given: The credentials that code gives; None for Application Default Credentials.
        deadline: Ends every request.

    Raises:
        ImportError: The SDK is not installed.
    """
    source: Source | Failure = Source("GCP(credentials=…)")
    if given is None:
        try:
            source = credentials_file(os.environ) or _METADATA
        except SetupError as exc:
            source = exc.failure()
    if isinstance(source, Failure):
        return source
    exchange = Exchange(deadline)
    try:
        return _identity(given, source, exchange) or _failure(source, exchange, deadline)
    finally:
        exchange.close()


def _identity(given: "Credentials | None", source: Source, exchange: Exchange) -> Identity | None:
    """The identity; or None where google-auth raised, whose exceptions end here: their frames hold the credentials."""
    from google.auth.exceptions import GoogleAuthError

    try:
        credentials, project = _found(given, exchange)
        exchange.found = True
        if not credentials.valid:
            credentials.refresh(as_request(exchange))
        if credentials.token:
            hide(credentials.token)
        headers: dict[str, str] = {}
        credentials.apply(headers)
    # What google-auth makes of a file that somebody wrote: its own exceptions are not all that it raises.
    except (UnansweredError, GoogleAuthError, OSError, LookupError, TypeError, ValueError, AttributeError):
        return None
    return Identity(source, tuple(headers.items()), project)


def _found(given: "Credentials | None", exchange: Exchange) -> "tuple[Credentials, str | None]":
    """The credentials, scoped, and the default project."""
    import google.auth
    from google.auth.credentials import with_scopes_if_required
    from google.oauth2.service_account import Credentials as ServiceAccount

    found: Any = given
    project: str | None = getattr(given, "project_id", None)
    if given is None:
        # Without scopes yet: with them it would ask Resource Manager, which few may, for the project of a workload identity.
        found, project = google.auth.default(request=as_request(exchange))
    found = with_scopes_if_required(found, [SCOPE])
    if isinstance(found, ServiceAccount):
        # A token that is signed here costs no request (https://google.aip.dev/auth/4111), as the SDK itself has it.
        found = found.with_always_use_jwt_access(True)
    return found, project


def _failure(source: Source, exchange: Exchange, deadline: Deadline) -> Failure:
    """Why there is no token, by how the last request went."""
    trace = exchange.trace
    words = {**words_of(source), **_WORDS, "HOST": trace.host, "STATUS": f"{trace.status}"}
    if source is _METADATA and not exchange.found and not _has_metadata_server(trace):
        return failure(NOBODY, SCHEME, words)
    if deadline.passed:
        return deadline.failure(f"{SCHEME}: {source.origin} at {trace.host}")
    if trace.fault is not None:
        row = FAULTS[trace.fault]
        tip = _NOT_READY if source is _METADATA else row.tip
        return failure(replace(row, tip=tip), f"{SCHEME}: no token from {trace.host}", words)
    row = _row(source, exchange)
    made = failure(row, SCHEME, words)
    if row is NOT_TAKEN and trace.signed:
        made = with_skew(made, trace.date)
    return replace(made, retry_after=retry_seconds(trace.retry_after))


def _row(source: Source, exchange: Exchange) -> Row:
    trace = exchange.trace
    if trace.status is None:
        return REFUSED if exchange.found else UNUSABLE
    if trace.status == 429:
        return THROTTLED
    if trace.status >= 500 or trace.status == 408:
        return FAULTY
    if trace.status < 400:
        return NO_TOKEN if trace.status < 300 else REDIRECTED
    return NO_IMPERSONATION if trace.status == 403 and trace.host.startswith("iamcredentials.") else NOT_TAKEN


def _has_metadata_server(trace: Trace) -> bool:
    """Whether one is announced, by the environment or by the machine, or has answered a question before the last."""
    from google.auth.compute_engine import detect_gce_residency_linux

    return trace.asked > 1 or any(os.environ.get(name) for name in _METADATA_VARIABLES) or detect_gce_residency_linux()
