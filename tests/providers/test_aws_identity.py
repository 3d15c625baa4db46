"""Who we are: the SDK's own chain, what is said when it ends nowhere, and that asking for credentials has a deadline too."""

import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest

from confguard._redaction import redactor
from confguard.provider import Failure
from confguard.testing._aws import Answer, AwsDouble, error
from confguard.testing._proxy import FaultProxy
from confguard_aws import AWS
from tests.providers.aws_fixtures import double_fixture, keys_fixture, moto_fixture  # noqa: F401 - fixtures
from tests.providers.aws_rig import REGION, failure, value


@pytest.fixture(autouse=True)
def _no_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No machine's role is asked for, wherever the tests run."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def nobody(double: AwsDouble, monkeypatch: pytest.MonkeyPatch) -> AWS:
    """A provider for the double, in an environment without credentials."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    double.put_secret("a", "value")
    return AWS(region=REGION, endpoint_url=double.address)


def files(monkeypatch: pytest.MonkeyPatch, folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        (folder / name).write_text(text)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))


def container_credentials(secret_key: str, token: str) -> Answer:
    until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    told = {"AccessKeyId": "ASIACONTAINER", "SecretAccessKey": secret_key, "Token": token, "Expiration": until}
    return Answer(200, json.dumps(told).encode())


def test_no_credentials_are_unauthenticated(double: AwsDouble, nobody: AWS) -> None:
    assert failure(nobody, "awssecrets://a") == Failure(
        "unauthenticated",
        "awssecrets a: no credentials",
        "give this workload a role, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY",
    )
    assert double.calls == []


def test_half_of_the_credentials_is_unauthenticated(nobody: AWS, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    result = failure(nobody, "awssecrets://a")
    assert (result.kind, result.message) == ("unauthenticated", "awssecrets a: half of the credentials is not set")


def test_a_profile_has_credentials(nobody: AWS, double: AwsDouble, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By name in code or in the environment; its region too."""
    secret_key = secrets.token_hex(20)
    files(
        monkeypatch,
        tmp_path,
        config="[profile shop]\nregion = us-west-2\n",
        credentials=f"[shop]\naws_access_key_id = AKIASHOP\naws_secret_access_key = {secret_key}\n",
    )
    assert value(AWS(profile="shop", endpoint_url=double.address), "awssecrets://a") == "value"
    monkeypatch.setenv("AWS_PROFILE", "shop")
    assert value(AWS(endpoint_url=double.address), "awssecrets://a") == "value"
    assert [call.region for call in double.calls] == ["us-west-2"] * 2
    assert all("Credential=AKIASHOP/" in call.headers["authorization"] for call in double.calls)
    assert redactor.holds_secret(f"the key {secret_key}")


def test_a_file_that_has_changed_is_read_anew(
    nobody: AWS, double: AwsDouble, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A provider that lives on takes rotated keys at its next load."""
    for key in ("AKIAOLD", "AKIARENEWED"):
        files(
            monkeypatch,
            tmp_path,
            credentials=f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {secrets.token_hex(20)}\n",
        )
        assert value(nobody, "awssecrets://a") == "value"
        assert f"Credential={key}/" in double.calls[-1].headers["authorization"]


def test_refused_credentials_are_not_kept(double: AwsDouble, nobody: AWS, monkeypatch: pytest.MonkeyPatch) -> None:
    """After "not known" the next load asks for new ones, though nothing here has changed."""
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{double.address}/role")
    double.answers["/role"] = container_credentials(secrets.token_hex(20), secrets.token_hex(20))
    double.answers["GetSecretValue"] = error("ExpiredTokenException")
    result = failure(nobody, "awssecrets://a")
    assert result.tip == "get new credentials: those of the container's role are expired, revoked, or of another partition"
    del double.answers["GetSecretValue"]
    assert [value(nobody, "awssecrets://a") for _ in range(2)] == ["value"] * 2
    assert double.operations() == ["/role", "GetSecretValue", "/role", "GetSecretValue", "GetSecretValue"]


def test_a_container_has_credentials(double: AwsDouble, nobody: AWS, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its token file and what it gives are told to the redactor before a request carries them."""
    secret_key, token, own = (secrets.token_hex(20) for _ in range(3))
    (tmp_path / "token").write_text(own)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{double.address}/role")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))
    double.answers["/role"] = container_credentials(secret_key, token)
    assert value(nobody, "awssecrets://a") == "value"
    assert double.calls[0].headers["authorization"] == own
    assert double.calls[1].headers["x-amz-security-token"] == token
    assert all(redactor.holds_secret(one) for one in (secret_key, token, own))


@pytest.mark.parametrize("way", ["refuses", "answers 500", "is not there"])
def test_a_container_that_is_not_ready_is_unavailable(
    double: AwsDouble, nobody: AWS, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: str
) -> None:
    """An identity that is announced, and cannot be had yet."""
    address = {"refuses": "http://127.0.0.1:1", "answers 500": double.address, "is not there": double.address}[way]
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{address}/role")
    double.answers["/role"] = Answer(500, b"hunter22")
    if way == "is not there":
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "none"))
    result = failure(nobody, "awssecrets://a")
    told = (
        "a file of the credentials is not there (yet)"
        if way == "is not there"
        else "the container's credentials cannot be had (yet)"
    )
    assert (result.kind, result.message) == ("unavailable", f"awssecrets a: {told}")


def test_a_container_that_is_silent_is_held_to_the_deadline(
    double: AwsDouble, nobody: AWS, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FaultProxy(double.port, "blackhole") as proxy:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{proxy.port}/role")
        began = monotonic()
        result = failure(nobody, "awssecrets://a", 1.0)
        assert monotonic() - began < 1.1
    assert (result.kind, result.message) == ("unavailable", "awssecrets a: no answer within 1 s")


@pytest.mark.parametrize("there", [True, False])
def test_web_identity(
    double: AwsDouble, nobody: AWS, moto: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, there: bool
) -> None:
    """The role of a pod: its token file may be late. The token is told to the redactor before it is sent."""
    token = secrets.token_hex(40)
    if there:
        (tmp_path / "token").write_text(token)
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/shop")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", moto)
    if there:
        assert value(nobody, "awssecrets://a") == "value"
        assert redactor.holds_secret(token)
        assert redactor.holds_secret(double.calls[0].headers["x-amz-security-token"])
    else:
        assert failure(nobody, "awssecrets://a") == Failure(
            "unavailable",
            "awssecrets a: a file of the credentials is not there (yet)",
            "is the token file written, and mounted here?",
        )


def test_a_role_that_may_not_be_taken_is_told_as_such(
    double: AwsDouble, nobody: AWS, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where the service that gives credentials says no, that is no policy of the secret's."""
    files(
        monkeypatch,
        tmp_path,
        config="[default]\nrole_arn = arn:aws:iam::123456789012:role/shop\nsource_profile = base\nregion = eu-west-1\n",
        credentials=f"[base]\naws_access_key_id = AKIABASE\naws_secret_access_key = {secrets.token_hex(20)}\n",
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", double.address)
    told = b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>hunter22</Message></Error></ErrorResponse>"
    double.answers[""] = Answer(403, told, {"content-type": "text/xml"})
    result = failure(nobody, "awssecrets://a")
    assert (result.kind, result.message) == ("unauthenticated", "awssecrets a: AccessDenied, the credentials cannot be had")
    assert result.tip == "may who this workload is take the role? See the trust policy of the role, and sts:AssumeRole"


def test_a_login_that_is_not_there_is_unauthenticated(nobody: AWS, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = (
        "[default]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = shop\n"
        "[sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://corp.test/start\n"
    )
    files(monkeypatch, tmp_path, config=config)
    result = failure(nobody, "awssecrets://a")
    assert (result.kind, result.tip) == ("unauthenticated", "log in: aws sso login")


@pytest.mark.parametrize("process", ["false", "echo hunter22"])
def test_a_process_that_gives_no_credentials(nobody: AWS, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, process: str) -> None:
    files(monkeypatch, tmp_path, config=f"[default]\ncredential_process = {process}\n")
    result = failure(nobody, "awssecrets://a")
    assert result.kind in {"unauthenticated", "unconfigured"}
    assert "hunter22" not in repr(result)


def test_a_machine_has_credentials(
    double: AwsDouble, nobody: AWS, monkeypatch: pytest.MonkeyPatch, leaves_nothing: Callable[[], None]
) -> None:
    """The role of a machine, from its metadata service, over a connection that is closed with the others."""
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", double.address)
    secret_key, token = secrets.token_hex(20), secrets.token_hex(20)
    role = json.loads(container_credentials(secret_key, token).body)
    double.answers["/latest/meta-data/iam/security-credentials/"] = Answer(200, b"shop")
    double.answers["/latest/meta-data/iam/security-credentials/shop"] = Answer(
        200, json.dumps({"Code": "Success", **role}).encode()
    )
    assert value(nobody, "awssecrets://a") == "value"
    assert redactor.holds_secret(secret_key)
    leaves_nothing()
