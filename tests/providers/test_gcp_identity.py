"""Who the provider is to Google Cloud, and what it says where it cannot become anybody."""

import json
import secrets
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from time import monotonic
from typing import Any

import grpc
import pytest

from confguard._redaction import redactor
from confguard.provider import Failure, Found
from confguard.testing._gcp import SecretManager
from confguard_gcp import GCP
from tests.providers.gcp_rig import metadata_server, private_key, service_account, write_credentials

FetchOne = Callable[..., Found | Failure]

TOKEN = "/token"
REFERENCE = "gcpsecrets://shop/identity"


@pytest.fixture
def server(secret_manager: SecretManager) -> SecretManager:
    """A double over TLS, so that tokens are sent, with one secret."""
    secret_manager.clear()
    secret_manager.put("identity", b"value")
    return secret_manager


@pytest.fixture
def provider(server: SecretManager) -> GCP:
    """One with the credentials of the environment."""
    return GCP(endpoint=server.address, ca_cert=server.ca_cert)


@pytest.fixture
def tokens(double: Any) -> Any:
    """A token endpoint."""
    double.bodies[TOKEN] = json.dumps({"access_token": secrets.token_urlsafe(), "expires_in": 3600}).encode()
    return double


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Any], None]:
    """Set GOOGLE_APPLICATION_CREDENTIALS to a file with this content."""

    def write(content: Any) -> None:
        path = write_credentials(tmp_path / "credentials.json", content)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", path)

    return write


def user(double: Any, **others: str) -> dict[str, Any]:
    """What gcloud leaves after a login, with the token endpoint of a double."""
    return {
        "type": "authorized_user",
        "client_id": "id",
        "client_secret": secrets.token_urlsafe(),
        "refresh_token": secrets.token_urlsafe(),
        "quota_project_id": "payer",
        "token_uri": f"{double.address}{TOKEN}",
        **others,
    }


def federated(double: Any, tmp_path: Path) -> dict[str, Any]:
    """A workload identity whose token somebody writes to a file."""
    return {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/p",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{double.address}{TOKEN}",
        "credential_source": {"file": str(tmp_path / "token")},
    }


def bearer(server: SecretManager) -> str:
    return str(server.calls[-1].metadata["authorization"]).removeprefix("Bearer ")


def test_a_service_account_signs_its_own_token(
    server: SecretManager, provider: GCP, fetch_one: FetchOne, credentials: Callable[[Any], None]
) -> None:
    """The key of a service account costs no request for a token, and what it signs is known to the redactor."""
    credentials(service_account(private_key(), token_uri="http://127.0.0.1:9/never"))
    assert fetch_one(provider, REFERENCE) == Found("value", "1")
    assert redactor.holds_secret(bearer(server))
    assert redactor.holds_secret(private_key().splitlines()[5])


def test_a_login_of_gcloud(
    server: SecretManager, provider: GCP, fetch_one: FetchOne, tokens: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file of gcloud is found, its refresh token gets a token, and the project that pays is told the store."""
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))  # or google-auth would ask a gcloud of this machine for its project
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "shop")
    login = user(tokens)
    write_credentials(tmp_path / "application_default_credentials.json", login)
    _keep_to(login["token_uri"], monkeypatch)
    assert fetch_one(provider, REFERENCE) == Found("value", "1")
    assert (tokens.paths(), server.calls[-1].metadata["x-goog-user-project"]) == ([TOKEN], "payer")
    for secret in (bearer(server), login["refresh_token"], login["client_secret"]):
        assert redactor.holds_secret(secret)


def _keep_to(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a login of gcloud, whose file names no token endpoint that google-auth looks at, use that of a double."""
    monkeypatch.setattr("google.oauth2.credentials._GOOGLE_OAUTH2_TOKEN_ENDPOINT", address)


def test_a_workload_identity(
    server: SecretManager,
    provider: GCP,
    fetch_one: FetchOne,
    tokens: Any,
    credentials: Callable[[Any], None],
    tmp_path: Path,
) -> None:
    """A token from a file is exchanged for one of Google Cloud; until it is written, that is told as unavailable."""
    credentials(federated(tokens, tmp_path))
    assert fetch_one(provider, REFERENCE) == Failure(
        "unavailable",
        "gcpsecrets: the token that the file of GOOGLE_APPLICATION_CREDENTIALS names is not there (yet)",
        "is the file of its credential_source written, and mounted here?",
    )
    assert tokens.requests == []
    subject = secrets.token_urlsafe()
    (tmp_path / "token").write_text(subject)
    reply = json.loads(tokens.bodies[TOKEN])
    tokens.bodies[TOKEN] = json.dumps({**reply, "token_type": "Bearer", "issued_token_type": "access_token"}).encode()
    assert fetch_one(provider, REFERENCE) == Found("value", "1")
    assert redactor.holds_secret(subject)
    assert tokens.paths() == [TOKEN]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "is not there"),
        ("not JSON", "is not a JSON object"),
        ("[]", "is not a JSON object"),
        (b"\xff", "is not a JSON object"),
        ("directory", "cannot be read"),
    ],
)
def test_a_file_of_credentials_that_cannot_be_read(
    provider: GCP,
    fetch_one: FetchOne,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    content: str | bytes | None,
    problem: str,
) -> None:
    path = tmp_path / "credentials.json"
    if content == "directory":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    assert fetch_one(provider, REFERENCE) == Failure(
        "unconfigured",
        f"gcpsecrets: the file of GOOGLE_APPLICATION_CREDENTIALS {problem}",
        "name a file of credentials that this user may read, or take it out",
    )


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"type": "unheard of"},
        {"type": ["service_account"]},
        {"type": "service_account"},
        {"type": "service_account", "client_email": "a", "token_uri": "b", "private_key": "no key"},
        {"type": "external_account", "credential_source": "nothing"},
        {"type": "authorized_user", "refresh_token": 5},
    ],
)
def test_a_file_of_credentials_that_holds_none(
    provider: GCP, fetch_one: FetchOne, credentials: Callable[[Any], None], content: Any
) -> None:
    credentials(content)
    assert fetch_one(provider, REFERENCE) == Failure(
        "unconfigured",
        "gcpsecrets: GOOGLE_APPLICATION_CREDENTIALS holds no credentials that can be used",
        "get a new file of credentials",
    )


def test_nobody_at_all(provider: GCP, fetch_one: FetchOne, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file, no login, and a machine without an identity."""
    with metadata_server(monkeypatch, NO_GCE_CHECK="true"):
        result = fetch_one(provider, REFERENCE)
    assert result == Failure(
        "unauthenticated",
        "gcpsecrets: no credentials are set, and this machine has no identity of its own",
        "set GOOGLE_APPLICATION_CREDENTIALS to a file of credentials, run `gcloud auth application-default login`, or attach "
        "a service account where this runs",
    )


REFRESHED = {
    400: ("unauthenticated", "{host} does not take the credentials: 400", "the login is expired or revoked: run `gcloud auth "),
    401: ("unauthenticated", "{host} does not take the credentials: 401", "the login is expired or revoked: run `gcloud auth "),
    403: ("unauthenticated", "{host} does not take the credentials: 403", "the login is expired or revoked: run `gcloud auth "),
    408: ("unavailable", "{host} cannot give a token now: 408", "try again; it may be late where a pod has just started"),
    429: ("throttled", "{host} has too many requests for tokens", "try again later"),
    500: ("unavailable", "{host} cannot give a token now: 500", "try again; it may be late where a pod has just started"),
    503: ("unavailable", "{host} cannot give a token now: 503", "try again; it may be late where a pod has just started"),
    307: ("unconfigured", "{host} answered with a redirect, not followed", "check that GOOGLE_APPLICATION_CREDENTIALS leads"),
    200: ("malformed", "{host} answered without a token", "check that GOOGLE_APPLICATION_CREDENTIALS leads to Google's own"),
}


@pytest.mark.parametrize("status", REFRESHED)
def test_a_token_endpoint_that_gives_none(
    provider: GCP,
    fetch_one: FetchOne,
    tokens: Any,
    credentials: Callable[[Any], None],
    monkeypatch: pytest.MonkeyPatch,
    status: int,
) -> None:
    """It is asked once, whatever it says, and a credential follows no redirect; what it wrote is not shown."""
    credentials(user(tokens))
    _keep_to(f"{tokens.address}{TOKEN}", monkeypatch)
    tokens.statuses[TOKEN] = status
    tokens.bodies[TOKEN] = b'{"error": "invalid_grant", "error_description": "the endpoint\'s own words"}'
    tokens.headers |= {"Location": f"{tokens.address}/elsewhere", "Retry-After": "9"}
    kind, message, tip = REFRESHED[status]
    result = fetch_one(provider, REFERENCE)
    assert isinstance(result, Failure)
    host = f"127.0.0.1:{tokens.port}"
    assert (result.kind, result.message) == (kind, f"gcpsecrets: {message.format(host=host)}")
    assert (result.tip or "").startswith(tip)
    assert result.retry_after == 9.0
    assert tokens.paths() == [TOKEN]


def test_an_impersonation_that_is_not_permitted(
    provider: GCP,
    fetch_one: FetchOne,
    tokens: Any,
    credentials: Callable[[Any], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Who we are is known and may not become the account, which takes another permission than reading secrets."""
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *more, **options: resolve("127.0.0.1", *more, **options))
    (tmp_path / "token").write_text(secrets.token_urlsafe())
    reply = json.loads(tokens.bodies[TOKEN])
    tokens.bodies[TOKEN] = json.dumps({**reply, "token_type": "Bearer", "issued_token_type": "access_token"}).encode()
    become = "/v1/projects/-/serviceAccounts/a@b.test:generateAccessToken"
    tokens.statuses[become] = 403
    address = f"http://iamcredentials.test:{tokens.port}"
    credentials({**federated(tokens, tmp_path), "service_account_impersonation_url": f"{address}{become}"})
    assert fetch_one(provider, REFERENCE) == Failure(
        "denied",
        "gcpsecrets: the service account may not be impersonated",
        "grant iam.serviceAccounts.getAccessToken (roles/iam.serviceAccountTokenCreator) on it to the account behind "
        "GOOGLE_APPLICATION_CREDENTIALS",
    )
    assert redactor.holds_secret(reply["access_token"])


def test_a_wrong_clock_where_a_token_is_signed_for(
    server: SecretManager, fetch_one: FetchOne, tokens: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is signed here for a token endpoint is good for a time of our clock; its answer tells how far that is off."""
    from google.oauth2.service_account import Credentials

    content = service_account(private_key(), token_uri=f"{tokens.address}{TOKEN}")
    who = Credentials.from_service_account_info(content, subject="somebody@example.com")
    tokens.statuses[TOKEN] = 400
    tokens.bodies[TOKEN] = b'{"error": "invalid_grant"}'
    date = format_datetime(datetime.now(UTC) - timedelta(seconds=504), usegmt=True)
    monkeypatch.setattr(BaseHTTPRequestHandler, "date_time_string", lambda *_: date)
    result = fetch_one(GCP(endpoint=server.address, ca_cert=server.ca_cert, credentials=who), REFERENCE)
    assert isinstance(result, Failure)
    assert result.kind == "unauthenticated"
    assert (result.tip or "").startswith("set the clock: this machine's clock is 50")


def test_a_token_that_the_store_does_not_take(
    provider: GCP, server: SecretManager, fetch_one: FetchOne, credentials: Callable[[Any], None]
) -> None:
    """The tip fits the credentials."""
    credentials(service_account(private_key()))
    server.refuse("identity", grpc.StatusCode.UNAUTHENTICATED)
    assert fetch_one(provider, REFERENCE) == Failure(
        "unauthenticated",
        "gcpsecrets shop/identity: UNAUTHENTICATED, the token is not taken",
        "the key of GOOGLE_APPLICATION_CREDENTIALS is revoked, or its account is disabled or deleted: get a new key",
    )


def test_credentials_that_can_give_no_token(server: SecretManager, fetch_one: FetchOne) -> None:
    """Credentials of code that are expired and hold nothing to get a new token with."""
    from google.oauth2.credentials import Credentials

    who = Credentials(None)
    result = fetch_one(GCP(endpoint=server.address, ca_cert=server.ca_cert, credentials=who), REFERENCE)
    assert result == Failure(
        "unauthenticated",
        "gcpsecrets: the credentials of GCP(credentials=…) give no token",
        "the credentials of GCP(credentials=…) are expired or revoked: get new ones",
    )


ACCOUNT = "/computeMetadata/v1/instance/service-accounts/default/"
HERE = {"Metadata-Flavor": "Google", "Content-Type": "application/json"}


@pytest.fixture
def metadata(double: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A metadata server that the environment announces."""
    double.headers |= HERE
    double.bodies |= {
        # Older versions of google-auth ask for the token by the address, newer ones by "default".
        ACCOUNT: json.dumps({"email": "default", "scopes": []}).encode(),
        f"{ACCOUNT}token": json.dumps({"access_token": secrets.token_urlsafe(), "expires_in": 3600}).encode(),
        "/computeMetadata/v1/project/project-id": b'"shop"',
    }
    host = f"127.0.0.1:{double.port}"
    with metadata_server(monkeypatch, GCE_METADATA_HOST=host, GCE_METADATA_IP=host):
        yield double


def test_the_metadata_server(metadata: Any, provider: GCP, server: SecretManager, fetch_one: FetchOne) -> None:
    """A machine of Google's has an identity and a project of its own."""
    assert fetch_one(provider, "gcpsecrets://identity") == Found("value", "1")
    assert redactor.holds_secret(bearer(server))


def test_a_machine_without_a_service_account(metadata: Any, provider: GCP, fetch_one: FetchOne) -> None:
    metadata.statuses[ACCOUNT] = 404
    assert fetch_one(provider, REFERENCE) == Failure(
        "unauthenticated",
        f"gcpsecrets: 127.0.0.1:{metadata.port} does not take the credentials: 404",
        "is a service account attached, and enabled? Attach one to the machine, the service or the pod",
    )


@pytest.mark.parametrize("path", ["/", "/computeMetadata/v1/project/project-id", ACCOUNT, f"{ACCOUNT}token"])
def test_a_metadata_server_that_is_not_ready(metadata: Any, provider: GCP, fetch_one: FetchOne, path: str) -> None:
    """It is announced, so that it cannot answer yet is unavailable, whichever question it is; and it is not asked again."""
    metadata.statuses[path] = 503
    start = monotonic()
    result = fetch_one(provider, REFERENCE)
    assert result == Failure(
        "unavailable",
        f"gcpsecrets: 127.0.0.1:{metadata.port} cannot give a token now: 503",
        "try again; it may be late where a pod has just started",
    )
    assert monotonic() - start < 5
    assert len(metadata.requests) == len(set(metadata.paths()))


def test_a_metadata_server_that_refuses(provider: GCP, fetch_one: FetchOne, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens where the environment says that it is."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        host = f"127.0.0.1:{free.getsockname()[1]}"
    with metadata_server(monkeypatch, GCE_METADATA_HOST=host, GCE_METADATA_IP=host):
        result = fetch_one(provider, REFERENCE)
    assert result == Failure(
        "unavailable",
        f"gcpsecrets: no token from {host}: connection refused",
        "is the metadata server up? It may be late where a pod has just started; else check GCE_METADATA_HOST",
    )


def test_what_is_no_metadata_server(metadata: Any, provider: GCP, fetch_one: FetchOne) -> None:
    """What the environment names answers, and is something else."""
    metadata.headers.pop("Metadata-Flavor")
    assert fetch_one(provider, REFERENCE) == Failure(
        "malformed",
        f"gcpsecrets: 127.0.0.1:{metadata.port} answered without a token",
        "check that the metadata server leads to Google's own",
    )


def test_an_instance_service_of_others(double: Any, provider: GCP, fetch_one: FetchOne, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another cloud has a service at the same address. It is none of ours, and nothing announced it."""
    double.statuses["/"] = 401
    with metadata_server(monkeypatch, GCE_METADATA_IP=f"127.0.0.1:{double.port}"):
        monkeypatch.setattr("confguard_gcp._identity._METADATA_VARIABLES", ())
        result = fetch_one(provider, REFERENCE)
    assert isinstance(result, Failure)
    assert result.message == "gcpsecrets: no credentials are set, and this machine has no identity of its own"


def test_a_silent_address_is_told_in_time(provider: GCP, fetch_one: FetchOne, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere nothing may answer there at all: that nobody is anybody has to be told before the deadline."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        with metadata_server(monkeypatch, GCE_METADATA_HOST=host, GCE_METADATA_IP=host):
            announced = fetch_one(provider, REFERENCE, seconds=0.6)
            monkeypatch.setattr("confguard_gcp._identity._METADATA_VARIABLES", ())
            unannounced = fetch_one(provider, REFERENCE, seconds=0.6)
    assert isinstance(announced, Failure)
    assert isinstance(unannounced, Failure)
    assert (announced.kind, announced.message) == ("unavailable", f"gcpsecrets: no token from {host}: no answer in time")
    assert unannounced.kind == "unauthenticated"
