"""What references mean, what is asked for them, and what comes back."""

import secrets
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import google_crc32c
import pytest
from pydantic import SecretStr

from confguard import BaseSettings, From, SettingsConfigDict, validate
from confguard._reference import parse_reference
from confguard.exceptions import ConfigError
from confguard.provider import USER_AGENT, Failure, Found
from confguard.testing._gcp import SecretManager
from confguard.testing._proxy import FaultProxy
from confguard_gcp import GCP
from tests.providers.gcp_rig import private_key, service_account, write_credentials

FetchOne = Callable[..., Found | Failure]
Fetch = Callable[..., dict[str, Found | Failure]]

OVERRIDE = "CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER"


@pytest.fixture(scope="module")
def plain() -> Iterator[SecretManager]:
    with SecretManager() as server:
        yield server


@pytest.fixture
def server(plain: SecretManager) -> SecretManager:
    """A double in plain text, with nothing but two versions of the secret api-key of the project shop."""
    plain.clear()
    plain.put("api-key", b"first")
    plain.put("api-key", b"second")
    return plain


def test_the_newest_version_is_read_unless_one_is_named(server: SecretManager, fetch: Fetch) -> None:
    """Numbers, aliases and ``latest``, as a parameter or in a full name, each give their version and tell its number."""
    server.secret("api-key").aliases["stable"] = 1
    first, second = Found("first", "1"), Found("second", "2")
    assert fetch(
        GCP(endpoint=server.address),
        "gcpsecrets://shop/api-key",
        "gcpsecrets://shop/api-key?version=latest",
        "gcpsecrets://shop/api-key?version=1",
        "gcpsecrets://shop/api-key?version=stable",
        "gcpsecrets://projects/shop/secrets/api-key",
        "gcpsecrets://projects/shop/secrets/api-key/versions/1",
        "gcpsecrets://projects/shop/secrets/api-key?version=1",
    ) == {
        "gcpsecrets://shop/api-key": second,
        "gcpsecrets://shop/api-key?version=latest": second,
        "gcpsecrets://shop/api-key?version=1": first,
        "gcpsecrets://shop/api-key?version=stable": first,
        "gcpsecrets://projects/shop/secrets/api-key": second,
        "gcpsecrets://projects/shop/secrets/api-key/versions/1": first,
        "gcpsecrets://projects/shop/secrets/api-key?version=1": first,
    }


@pytest.mark.parametrize("project", ["123456789012", "example.com:shop", "shop-prod-1"])
def test_a_project_is_an_id_or_a_number(server: SecretManager, fetch_one: FetchOne, project: str) -> None:
    server.put("key", b"value", project=project)
    assert fetch_one(GCP(endpoint=server.address), f"gcpsecrets://{project}/key") == Found("value", "1")


@pytest.mark.parametrize(
    ("given", "variables"),
    [
        ("shop", {"GOOGLE_CLOUD_PROJECT": "other"}),
        (None, {"GOOGLE_CLOUD_PROJECT": "shop", "GCLOUD_PROJECT": "other"}),
        (None, {"GOOGLE_CLOUD_PROJECT": "", "GCLOUD_PROJECT": "shop"}),
    ],
)
def test_the_default_project(
    server: SecretManager,
    fetch_one: FetchOne,
    monkeypatch: pytest.MonkeyPatch,
    given: str | None,
    variables: dict[str, str],
) -> None:
    """A reference without a project takes that of code, then that of the environment."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert fetch_one(GCP(endpoint=server.address, project=given), "gcpsecrets://api-key") == Found("second", "2")


def test_the_default_project_is_that_of_the_credentials(
    secret_manager: SecretManager, fetch_one: FetchOne, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """Without either it is the one that the file of credentials names."""
    project = f"project-{secrets.token_hex(4)}"
    secret_manager.put("key", b"value", project=project)
    path = write_credentials(tmp_path / "key.json", service_account(private_key(), project_id=project))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", path)
    provider = GCP(endpoint=secret_manager.address, ca_cert=secret_manager.ca_cert)
    assert fetch_one(provider, "gcpsecrets://key") == Found("value", "1")


def test_no_project_at_all(server: SecretManager, fetch: Fetch) -> None:
    """Nothing is asked for a reference without a project where none is set; those beside it are found."""
    results = fetch(GCP(endpoint=server.address), "gcpsecrets://api-key", "gcpsecrets://shop/api-key")
    assert results == {
        "gcpsecrets://api-key": Failure(
            "unconfigured",
            "gcpsecrets api-key: no project is set",
            "write gcpsecrets://PROJECT/api-key, or set GOOGLE_CLOUD_PROJECT or GCP(project=…)",
        ),
        "gcpsecrets://shop/api-key": Found("second", "2"),
    }
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    ("provider", "reference", "name"),
    [
        ({}, "gcpsecrets://shop/key?location=europe-west3", "projects/shop/locations/europe-west3/secrets/key/versions/latest"),
        ({"location": "us-east1"}, "gcpsecrets://shop/key", "projects/shop/locations/us-east1/secrets/key/versions/latest"),
        (
            {"location": "us-east1"},
            "gcpsecrets://shop/key?location=europe-west3",
            "projects/shop/locations/europe-west3/secrets/key/versions/latest",
        ),
        ({"location": "us-east1"}, "gcpsecrets://shop/key?location=global", "projects/shop/secrets/key/versions/latest"),
        ({"location": "global"}, "gcpsecrets://shop/key", "projects/shop/secrets/key/versions/latest"),
    ],
)
def test_regional_secrets(
    server: SecretManager, fetch_one: FetchOne, provider: dict[str, Any], reference: str, name: str
) -> None:
    """A location of the reference, else of the provider, stands in the name; ``global`` takes the provider's off."""
    server.put("key", b"here", location="europe-west3")
    server.put("key", b"here", location="us-east1")
    server.put("key", b"here")
    assert fetch_one(GCP(endpoint=server.address, **provider), reference) == Found("here", "1")
    assert [call.name for call in server.calls] == [name]


@pytest.mark.parametrize(
    ("variables", "reference", "host"),
    [
        ({}, "gcpsecrets://shop/key", "secretmanager.test.invalid"),
        ({}, "gcpsecrets://shop/key?location=global", "secretmanager.test.invalid"),
        ({}, "gcpsecrets://shop/key?location=europe-west3", "secretmanager.europe-west3.rep.test.invalid"),
        (
            {OVERRIDE: "https://psc.invalid:8443/"},
            "gcpsecrets://shop/key",
            "psc.invalid:8443",
        ),
    ],
)
def test_which_host_is_asked(
    fetch_one: FetchOne, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], reference: str, host: str
) -> None:
    """A location has a host of its own; the domain is that of the universe, and gcloud's variable overrides it all."""
    monkeypatch.setenv("GOOGLE_CLOUD_UNIVERSE_DOMAIN", "test.invalid")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    result = fetch_one(GCP(credentials=anonymous()), reference)
    assert isinstance(result, Failure)
    assert (result.kind, result.message.partition(" at ")[2]) == ("unavailable", f"{host}: the host name cannot be resolved")


def anonymous() -> Any:
    from google.auth.credentials import AnonymousCredentials

    return AnonymousCredentials()


def test_a_location_cannot_come_from_outside(server: SecretManager, monkeypatch: pytest.MonkeyPatch) -> None:
    """It decides which host is asked, so a variable may name neither a parameter nor a path that has one."""

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(
            providers=[GCP(endpoint=server.address)], allowed_references=["gcpsecrets://"], env_prefix="APP_"
        )
        key: SecretStr

    for reference in ("shop/api-key?location=us-east1", "projects/shop/locations/us-east1/secrets/api-key"):
        monkeypatch.setenv("APP_KEY", f"ref+gcpsecrets://{reference}")
        with pytest.raises(ConfigError) as caught:
            validate(Settings)
        assert len(caught.value.problems) == 1
    monkeypatch.setenv("APP_KEY", "ref+gcpsecrets://shop/api-key?version=1")
    assert validate(Settings).key.get_secret_value() == "first"
    assert len(server.calls) == 1


TWICE = ("the version stands twice", "name it in the path or in ?version=, not in both")
NO_NAME = ("this is no name of a secret", "write gcpsecrets://PROJECT/SECRET, or gcpsecrets://SECRET")
PROJECT = ("this cannot be the name of a project", "a project is an id such as shop-prod, or a number")
SECRET = ("this cannot be the name of a secret", "a secret is up to 255 letters, digits, '_' and '-'")
VERSION = ("this cannot be the name of a version", "a version is a number, an alias or latest")
LOCATION = ("this cannot be the name of a location", "a location is one such as europe-west3, or global")


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("gcpsecrets://projects/shop/secrets/key/versions/1?version=2", TWICE),
        ("gcpsecrets://a/b/c", NO_NAME),
        ("gcpsecrets://projects/shop/secrets/key/versions/1/more", NO_NAME),
        ("gcpsecrets:///shop/key", NO_NAME),
        ("gcpsecrets://shop/key/", NO_NAME),
        ("gcpsecrets://-shop/key", PROJECT),
        ("gcpsecrets://shop%3F/key", PROJECT),
        ("gcpsecrets://shop/key.pem", SECRET),
        (f"gcpsecrets://shop/{'k' * 256}", SECRET),
        ("gcpsecrets://shop/key?version=0", VERSION),
        ("gcpsecrets://shop/key?version=1%2F..", VERSION),
        ("gcpsecrets://shop/key?version=-1", VERSION),
        ("gcpsecrets://shop/key?location=evil.example%2F", LOCATION),
        ("gcpsecrets://shop/key?location=a.b", LOCATION),
        (
            "gcpsecrets://projects/shop/locations/us-east1/secrets/key",
            (
                "a location cannot stand in the path: it decides which host is asked",
                "write gcpsecrets://shop/key?location=us-east1",
            ),
        ),
    ],
)
def test_what_is_no_name_is_not_asked_for(
    server: SecretManager, fetch_one: FetchOne, reference: str, said: tuple[str, str]
) -> None:
    message, tip = said
    path = parse_reference(reference).path
    assert fetch_one(GCP(endpoint=server.address), reference) == Failure("unconfigured", f"gcpsecrets {path}: {message}", tip)
    assert server.calls == []


@pytest.mark.parametrize(
    ("options", "variables", "said"),
    [
        ({"project": "no project"}, {}, PROJECT),
        ({}, {"GOOGLE_CLOUD_PROJECT": "../x"}, PROJECT),
        ({"location": "no/location"}, {}, LOCATION),
    ],
)
def test_settings_that_cannot_work(
    server: SecretManager,
    fetch_one: FetchOne,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
    variables: dict[str, str],
    said: tuple[str, str],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    result = fetch_one(GCP(endpoint=server.address, **options), "gcpsecrets://key")
    assert result == Failure("unconfigured", f"gcpsecrets: {said[0]}", said[1])
    assert server.calls == []


@pytest.mark.parametrize(
    "endpoint",
    [
        "not a host",
        "ftp://secrets.test",
        "https://user@secrets.test",
        "https://secrets.test/path",
        "secrets.test:99999",
        "https://",
        "[x]",
    ],
)
def test_an_endpoint_that_is_none(fetch_one: FetchOne, endpoint: str) -> None:
    """What cannot be an endpoint is told without a word of it, since it may be a secret that was misplaced."""
    assert fetch_one(GCP(endpoint=endpoint), "gcpsecrets://shop/key") == Failure(
        "unconfigured",
        "gcpsecrets: GCP(endpoint=…) is not an endpoint",
        "write the host, with a port where it is not 443: secrets.example.com",
    )


def test_plain_text_is_for_this_machine(fetch_one: FetchOne) -> None:
    assert fetch_one(GCP(endpoint="http://secrets.test"), "gcpsecrets://shop/key") == Failure(
        "unconfigured",
        "gcpsecrets: GCP(endpoint=…) is one of plain text",
        "use https; only this machine may be asked in plain text",
    )


def test_payloads_come_back_to_the_byte(server: SecretManager, fetch: Fetch) -> None:
    """Bytes that are UTF-8 are text, with every line end; others are bytes."""
    server.put("text", "pässwörd\r\n\n".encode())
    server.put("bytes", b"\xff\x00\xfe")
    server.put("empty", b"")
    results = fetch(GCP(endpoint=server.address), "gcpsecrets://shop/text", "gcpsecrets://shop/bytes", "gcpsecrets://shop/empty")
    assert list(results.values()) == [Found("pässwörd\r\n\n", "1"), Found(b"\xff\x00\xfe", "1"), Found("", "1")]


def test_a_payload_that_its_checksum_denies_is_not_used(server: SecretManager, fetch: Fetch) -> None:
    """The SDK does not look at the checksum, so the provider does; those beside it are found."""
    server.put("damaged", b"value")
    server.secret("damaged").checksum = google_crc32c.value(b"another value")
    results = fetch(GCP(endpoint=server.address), "gcpsecrets://shop/damaged", "gcpsecrets://shop/api-key")
    assert list(results.values()) == [
        Failure("malformed", "gcpsecrets shop/damaged: the payload is not what its checksum (CRC32C) says", "try again"),
        Found("second", "2"),
    ]


@pytest.mark.parametrize("reply", ["payload", "name", "other"])
def test_a_reply_that_is_not_for_the_question(server: SecretManager, fetch_one: FetchOne, reply: str) -> None:
    """A reply without a payload or a name, or with that of another secret, is malformed."""
    server.reshape = {
        "payload": lambda made: made.__class__(name=made.name),
        "name": lambda made: made.__class__(payload=made.payload),
        "other": lambda made: made.__class__(payload=made.payload, name="projects/1/secrets/other/versions/1"),
    }[reply]
    assert fetch_one(GCP(endpoint=server.address), "gcpsecrets://shop/api-key") == Failure(
        "malformed",
        "gcpsecrets shop/api-key: a reply without the payload",
        "check that GCP(endpoint=…) leads to Secret Manager",
    )


def test_a_payload_without_a_checksum_is_taken(server: SecretManager, fetch_one: FetchOne) -> None:
    """Versions that are older than the checksum have none."""
    server.reshape = lambda made: made.__class__(name=made.name, payload={"data": made.payload.data})
    assert fetch_one(GCP(endpoint=server.address), "gcpsecrets://shop/api-key") == Found("second", "2")


@pytest.mark.parametrize(
    ("state", "told", "failure"),
    [
        (
            "DISABLED",
            True,
            Failure("missing", "gcpsecrets shop/api-key: the version is disabled", "enable it, or name another version"),
        ),
        (
            "DESTROYED",
            True,
            Failure("missing", "gcpsecrets shop/api-key: the version is destroyed", "name another version, or add one"),
        ),
        (
            "DISABLED",
            False,
            Failure(
                "missing", "gcpsecrets shop/api-key: the version is disabled or destroyed", "enable it, or name another version"
            ),
        ),
    ],
)
def test_versions_that_cannot_be_read(
    server: SecretManager, fetch_one: FetchOne, state: str, told: bool, failure: Failure
) -> None:
    """A disabled or destroyed version is missing, with its state where the caller may ask for it."""
    server.states = told
    server.set_state("api-key", state, number=2)
    assert fetch_one(GCP(endpoint=server.address), "gcpsecrets://shop/api-key") == failure
    assert [call.method for call in server.calls] == ["AccessSecretVersion", "GetSecretVersion"]


def test_an_enabled_version_that_cannot_be_read_is_not_missing(server: SecretManager, fetch_one: FetchOne) -> None:
    """The same status with nothing wrong about the version: the key that encrypts it is off, say. No default may stand in."""
    import grpc

    server.refuse("api-key", grpc.StatusCode.FAILED_PRECONDITION)
    assert fetch_one(GCP(endpoint=server.address), "gcpsecrets://shop/api-key") == Failure(
        "unconfigured",
        "gcpsecrets shop/api-key: the version is enabled and cannot be read",
        "if it is encrypted with a key of yours, is that enabled?",
    )


def test_fifty_secrets_share_one_channel(server: SecretManager, fetch: Fetch) -> None:
    """Each is asked for once, all over one connection, in no more requests than the provider says; and never a listing."""
    names = [f"gcpsecrets://shop/many-{number}" for number in range(50)]
    for number in range(50):
        server.put(f"many-{number}", f"{number}".encode())
    with FaultProxy(server.port) as proxy:
        provider = GCP(endpoint=f"http://127.0.0.1:{proxy.port}")
        results = fetch(provider, *names)
        assert proxy.connections == 1
    assert list(results.values()) == [Found(f"{number}", "1") for number in range(50)]
    assert sorted(call.name for call in server.calls) == sorted(
        f"projects/shop/secrets/many-{number}/versions/latest" for number in range(50)
    )
    assert provider.requests([parse_reference(name) for name in names]) == 51


def test_who_asks(secret_manager: SecretManager, server: SecretManager, fetch_one: FetchOne) -> None:
    """Requests carry our name; the token goes over TLS, and never in plain text."""
    from google.oauth2.credentials import Credentials

    token = secrets.token_urlsafe()
    who = Credentials(token, quota_project_id="payer")
    fetch_one(GCP(endpoint=server.address, credentials=who), "gcpsecrets://shop/api-key")
    fetch_one(GCP(endpoint=secret_manager.address, ca_cert=secret_manager.ca_cert, credentials=who), "gcpsecrets://shop/never")
    plain, secure = server.calls[-1].metadata, secret_manager.calls[-1].metadata
    assert {"authorization", "x-goog-user-project"}.isdisjoint(plain)
    assert (secure["authorization"] == f"Bearer {token}", secure["x-goog-user-project"]) == (True, "payer")
    for metadata in (plain, secure):
        assert str(metadata["user-agent"]).startswith(f"{USER_AGENT} grpc-python/")
        assert USER_AGENT in str(metadata["x-goog-api-client"])


def test_a_load_from_end_to_end(server: SecretManager, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class that is bound to a secret gets a key of it, with the provider that the table of ours names."""
    server.put("db", b'{"password": "hunter22"}')
    monkeypatch.setenv(OVERRIDE, server.address)

    class Settings(BaseSettings):
        password: Annotated[SecretStr, From("gcpsecrets://shop/db#/password")]

    assert validate(Settings).password.get_secret_value() == "hunter22"


def test_a_bare_token_is_refused() -> None:
    """Credentials are those of google-auth; what else is given is not quoted."""
    token: Any = secrets.token_urlsafe()
    with pytest.raises(TypeError, match="not a bare str") as caught:
        GCP(credentials=token)
    assert token not in str(caught.value)
