"""Every way in which the store refuses, told by its codes: each row of the tables, and what a refusal brings along."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo, RequestInfo, RetryInfo

from confguard.provider import Failure, Found
from confguard.testing._gcp import SecretManager
from confguard_gcp import GCP
from confguard_gcp._failures import CODES, FAULTS, LOGINS, REASONS, STATES, clock_skew, retry_seconds

FetchOne = Callable[..., Found | Failure]
Fetch = Callable[..., dict[str, Found | Failure]]

KEY = "gcpsecrets shop/api-key"
GRANT = (
    "grant secretmanager.versions.access (roles/secretmanager.secretAccessor) on projects/shop/secrets/api-key to the identity "
    "of nobody"
)
AGAIN = "try again; the store's status page tells of outages"
QUOTA = "try again later, or ask for a higher quota of access requests"

REFUSED = {
    "ABORTED": ("unavailable", "ABORTED, the call was cut off", AGAIN),
    "ALREADY_EXISTS": (
        "malformed",
        "ALREADY_EXISTS, which the store's interface does not have",
        "check that GCP(endpoint=…) leads to Secret Manager",
    ),
    "CANCELLED": ("unavailable", "CANCELLED, the call was cut off", AGAIN),
    "DATA_LOSS": ("malformed", "DATA_LOSS, the payload is damaged", "try again; if it stays so, add a new version"),
    "DEADLINE_EXCEEDED": ("unavailable", "DEADLINE_EXCEEDED, the store had no answer in time", AGAIN),
    "INTERNAL": ("unavailable", "INTERNAL, an error inside the store", AGAIN),
    "INVALID_ARGUMENT": (
        "unconfigured",
        "INVALID_ARGUMENT, the store does not take the name",
        "check project, secret, version and location",
    ),
    "NOT_FOUND": (
        "missing",
        "NOT_FOUND, no such secret or version",
        "check project, secret and version, or add a version",
    ),
    "OUT_OF_RANGE": (
        "malformed",
        "OUT_OF_RANGE, which the store's interface does not have",
        "check that GCP(endpoint=…) leads to Secret Manager",
    ),
    "PERMISSION_DENIED": ("denied", "PERMISSION_DENIED, denied (or it does not exist)", GRANT),
    "RESOURCE_EXHAUSTED": ("throttled", "RESOURCE_EXHAUSTED, too many requests", QUOTA),
    "UNAUTHENTICATED": (
        "unauthenticated",
        "UNAUTHENTICATED, the token is not taken",
        "the credentials of nobody are expired or revoked: get new ones",
    ),
    "UNIMPLEMENTED": (
        "unconfigured",
        "UNIMPLEMENTED, what answers is not Secret Manager",
        "check GCP(endpoint=…): it names something else",
    ),
    "UNKNOWN": (
        "malformed",
        "UNKNOWN, which the store's interface does not have",
        "check that GCP(endpoint=…) leads to Secret Manager",
    ),
}
"""What each status of gRPC is told as, but for the two with tests of their own: they need another question."""


@pytest.fixture(scope="module")
def plain() -> Iterator[SecretManager]:
    with SecretManager() as server:
        yield server


@pytest.fixture
def server(plain: SecretManager) -> SecretManager:
    """A double in plain text, with the secret api-key of the project shop."""
    plain.clear()
    plain.put("api-key", b"value")
    return plain


def test_every_status_of_grpc_has_its_test() -> None:
    elsewhere = {"OK", "UNAVAILABLE", "FAILED_PRECONDITION"}
    assert {code.name for code in grpc.StatusCode} == REFUSED.keys() | elsewhere
    assert REFUSED.keys() | elsewhere >= CODES.keys()


@pytest.mark.parametrize("code", REFUSED)
def test_a_status_is_told_by_its_code(server: SecretManager, fetch_one: FetchOne, code: str) -> None:
    """Kind, message and tip follow from the code; nothing that the store wrote is in them."""
    server.refuse("api-key", grpc.StatusCode[code], text="the store's own words")
    kind, message, tip = REFUSED[code]
    result = fetch_one(GCP(endpoint=server.address), "gcpsecrets://shop/api-key")
    assert result == Failure(kind, f"{KEY}: {message}", tip)  # type: ignore[arg-type] # each kind is one of the seven


def test_unavailable_from_the_store_itself(server: SecretManager, fetch_one: FetchOne) -> None:
    """A connection can be made, so it is the store that cannot serve."""
    server.refuse("api-key", grpc.StatusCode.UNAVAILABLE)
    assert fetch_one(GCP(endpoint=server.address), "gcpsecrets://shop/api-key") == Failure(
        "unavailable",
        f"{KEY} at 127.0.0.1:{server.port}: UNAVAILABLE, the store cannot serve now, or the connection was cut off",
        AGAIN,
    )


USE = "grant serviceusage.services.use (roles/serviceusage.serviceUsageConsumer) on the quota project"

BECAUSE = {
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": (
        "denied",
        "the token's scopes do not cover Secret Manager",
        "give the machine, or the credentials, the scope https://www.googleapis.com/auth/cloud-platform",
    ),
    "BILLING_DISABLED": ("unconfigured", "billing is disabled", "enable billing for the project shop"),
    "CONSUMER_INVALID": (
        "unconfigured",
        "there is no such project",
        "check the project shop, and the one that pays",
    ),
    "CONSUMER_SUSPENDED": ("unconfigured", "the project is suspended", "look at the project shop in the console"),
    "RATE_LIMIT_EXCEEDED": ("throttled", "RESOURCE_EXHAUSTED, too many requests", QUOTA),
    "SECURITY_POLICY_VIOLATED": (
        "denied",
        "a VPC service perimeter does not let the request through",
        "allow secretmanager.googleapis.com in the perimeter of the project shop",
    ),
    "SERVICE_DISABLED": (
        "unconfigured",
        "the Secret Manager API is not enabled",
        "enable secretmanager.googleapis.com in the project shop, or in the one that pays",
    ),
    "USER_PROJECT_DENIED": (
        "denied",
        "the project that pays may not be used",
        f"{USE} to the identity of nobody, or set GOOGLE_CLOUD_QUOTA_PROJECT to another",
    ),
}


def test_every_reason_has_its_test() -> None:
    assert REASONS.keys() == BECAUSE.keys()


@pytest.mark.parametrize("reason", BECAUSE)
@pytest.mark.parametrize("code", ["PERMISSION_DENIED", "UNAVAILABLE", "FAILED_PRECONDITION"])
def test_a_reason_tells_more_than_the_status(server: SecretManager, fetch_one: FetchOne, reason: str, code: str) -> None:
    server.refuse("api-key", grpc.StatusCode[code], ErrorInfo(reason=reason, domain="googleapis.com"))
    kind, message, tip = BECAUSE[reason]
    result = fetch_one(GCP(endpoint=server.address), "gcpsecrets://shop/api-key")
    assert result == Failure(kind, f"{KEY}: {message}", tip)  # type: ignore[arg-type] # each kind is one of the seven


@pytest.mark.parametrize(("reason", "domain"), [("SERVICE_DISABLED", "evil.example"), ("UNHEARD_OF", "googleapis.com")])
def test_a_reason_that_is_not_known_changes_nothing(server: SecretManager, fetch_one: FetchOne, reason: str, domain: str) -> None:
    server.refuse("api-key", grpc.StatusCode.PERMISSION_DENIED, ErrorInfo(reason=reason, domain=domain))
    result = fetch_one(GCP(endpoint=server.address), "gcpsecrets://shop/api-key")
    assert result == Failure("denied", f"{KEY}: PERMISSION_DENIED, denied (or it does not exist)", GRANT)


@pytest.mark.parametrize(("seconds", "nanos", "kept"), [(7, 500_000_000, 7.5), (90_000, 0, 3600.0), (-5, 0, 0.0)])
def test_when_to_come_back(server: SecretManager, fetch_one: FetchOne, seconds: int, nanos: int, kept: float) -> None:
    """The store's own delay is kept, within reason."""
    delay = RetryInfo(retry_delay=Duration(seconds=seconds, nanos=nanos))
    server.refuse("api-key", grpc.StatusCode.RESOURCE_EXHAUSTED, delay)
    result = fetch_one(GCP(endpoint=server.address), "gcpsecrets://shop/api-key")
    assert isinstance(result, Failure)
    assert (result.kind, result.retry_after) == ("throttled", kept)


@pytest.mark.parametrize(("told", "kept"), [("4f2a-0b1c-99", "4f2a-0b1c-99"), ("\x1b[31m no id", None)])
def test_request_ids(server: SecretManager, fetch_one: FetchOne, told: str, kept: str | None) -> None:
    """What the store's log knows a request by is kept, if it looks like that."""
    server.refuse("api-key", grpc.StatusCode.PERMISSION_DENIED, RequestInfo(request_id=told))
    result = fetch_one(GCP(endpoint=server.address), "gcpsecrets://shop/api-key")
    assert isinstance(result, Failure)
    assert result.request_id == kept


@pytest.mark.parametrize(
    ("ahead", "said"),
    [
        (400, "set the clock: this machine's clock is 400 s ahead of the store's, and a token is good for a time; else the "),
        (-400, "set the clock: this machine's clock is 400 s behind the store's, and a token is good for a time; else the "),
        (5, "the credentials of nobody are expired or revoked: get new ones"),
    ],
)
def test_a_wrong_clock_is_told_with_how_wrong_it_is(server: SecretManager, fetch_one: FetchOne, ahead: int, said: str) -> None:
    """A token that was signed here is only good for a time of our clock; the store's answer has the date."""
    date = datetime.now(UTC) - timedelta(seconds=ahead)
    server.metadata = [("date", format_datetime(date, usegmt=True))]
    server.refuse("api-key", grpc.StatusCode.UNAUTHENTICATED)
    result = fetch_one(GCP(endpoint=server.address), "gcpsecrets://shop/api-key")
    assert isinstance(result, Failure)
    assert (result.tip or "").replace("401", "400").replace("399", "400").startswith(said)


def test_half_of_a_batch_fails(server: SecretManager, fetch: Fetch) -> None:
    """Each reference gets its own outcome, whatever becomes of those beside it."""
    for name, code in (("denied", "PERMISSION_DENIED"), ("broken", "INTERNAL"), ("busy", "RESOURCE_EXHAUSTED")):
        server.refuse(name, grpc.StatusCode[code])
    names = ("api-key", "denied", "broken", "busy", "never", "no.name")
    results = fetch(GCP(endpoint=server.address), *(f"gcpsecrets://shop/{name}" for name in names))
    kinds = [result.kind if isinstance(result, Failure) else "found" for result in results.values()]
    assert kinds == ["found", "denied", "unavailable", "throttled", "missing", "unconfigured"]


def test_every_other_row_is_known() -> None:
    """The rest of the tables is told by tests of the network, of identities and of versions; this list keeps them in step."""
    assert FAULTS.keys() == {
        *("refused", "unresolved", "unreachable", "timeout", "cut", "proxy", "behind_proxy"),
        *("untrusted", "wrong_host", "out_of_date", "not_tls", "tls", "other"),
    }
    assert STATES.keys() == {"DISABLED", "DESTROYED", "ENABLED"}
    assert LOGINS.keys() == {
        *("service_account", "authorized_user", "external_account", "impersonated_service_account", "metadata"),
    }


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("90000", 3600.0), ("", None), (None, None), ("-1", None), ("soon", None), ("1e9", None)],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_seconds(header) == seconds


@pytest.mark.parametrize(
    ("date", "skew"),
    [
        ("Tue, 01 Jan 2030 00:00:00 GMT", 60.0),
        ("Tue, 01 Jan 2030 00:02:00 -0000", -60.0),
        ("no date", None),
        ("", None),
        (None, None),
    ],
)
def test_clock_skew(date: str | None, skew: float | None) -> None:
    assert clock_skew(date, datetime(2030, 1, 1, 0, 1, tzinfo=UTC)) == skew
