"""The AWS Secrets Manager Agent, asked in place of AWS."""

import json
import secrets
import socket
from pathlib import Path

import pytest

from confguard._redaction import redactor
from confguard.provider import Failure, Found
from confguard.testing._aws import Answer, AwsDouble, error
from confguard.testing._proxy import FaultProxy
from confguard_aws import AWS, Agent
from tests.providers.aws_fixtures import double_fixture, keys_fixture  # noqa: F401 - fixtures
from tests.providers.aws_rig import failure, run, value

GET = "/secretsmanager/get"


@pytest.fixture
def agent(double: AwsDouble, monkeypatch: pytest.MonkeyPatch) -> AWS:
    """A provider that asks the double's agent, in an environment that has nothing but its token."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_TOKEN", double.token)
    return AWS(agent=Agent(double.address))


def test_secrets_are_read_without_credentials_and_without_a_region(double: AwsDouble, agent: AWS) -> None:
    """One request a secret and version, by name or ARN, text or bytes."""
    first = double.put_secret("app/a", "old")
    double.put_secret("app/a", "new")
    double.put_secret("b", b"\x00\xff")
    wanted = ["app/a", "app/a?stage=AWSPREVIOUS", f"app/a?version={first}", double.arn("app/a"), "b", "none"]
    results = run(agent, *(f"awssecrets://{one}" for one in wanted))
    found = [result.value if isinstance(result, Found) else result.kind for result in results.values()]
    assert found == ["new", "old", "old", "new", b"\x00\xff", "missing"]
    assert double.operations() == [GET] * 6


def test_the_token_goes_in_its_header_and_to_the_redactor(double: AwsDouble, agent: AWS) -> None:
    double.put_secret("a", "value")
    assert value(agent, "awssecrets://a") == "value"
    [call] = double.calls
    assert call.headers["x-aws-parameters-secrets-token"] == double.token
    assert call.headers["user-agent"].startswith("confguard-settings/")
    assert redactor.holds_secret(double.token)


def test_the_token_comes_from_where_the_agent_takes_it(
    double: AwsDouble, agent: AWS, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """From code, else from the first of the agent's own variables that is set; a ``file://`` names a file, read at each load."""
    double.put_secret("a", "value")
    file = tmp_path / "token"
    file.write_text(f"{double.token}\n")
    monkeypatch.setenv("AWS_TOKEN", f"file://{file}")
    assert value(agent, "awssecrets://a") == "value"
    monkeypatch.delenv("AWS_TOKEN")
    monkeypatch.setenv("AWS_SESSION_TOKEN", double.token)
    assert value(agent, "awssecrets://a") == "value"
    monkeypatch.setenv("AWS_SESSION_TOKEN", "another")
    assert value(AWS(agent=Agent(double.address, token_file=str(file))), "awssecrets://a") == "value"


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        (None, "unauthenticated", "no token for the agent"),
        ("file:///nowhere/token", "unavailable", "the agent's token file is not there (yet)"),
        ("file:///", "unconfigured", "the agent's token file cannot be read"),
        ("two\nlines", "unconfigured", "the agent's token is no text that a header can hold"),
        ("another", "unauthenticated", "403, the agent does not take the token"),
    ],
)
def test_a_token_that_is_no_good(
    double: AwsDouble, agent: AWS, monkeypatch: pytest.MonkeyPatch, text: str | None, kind: str, message: str
) -> None:
    monkeypatch.delenv("AWS_TOKEN")
    if text is not None:
        monkeypatch.setenv("AWS_TOKEN", text)
    result = failure(agent, "awssecrets://a")
    assert (result.kind, result.message) == (kind, f"awssecrets a: {message}")
    assert result.tip


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error("AccessDeniedException", 400), "denied"),
        (error("com.amazonaws#ResourceNotFoundException", 400), "missing"),
        (error("InvalidRequestException", 400), "missing"),
        (Answer(429, b"Too many"), "throttled"),
        (Answer(502, b"Bad gateway"), "unavailable"),
        (Answer(504, b"Timeout"), "unavailable"),
        (Answer(404, b"Not found"), "malformed"),
        (Answer(200, b"<html>"), "malformed"),
        (Answer(200, b"[]"), "malformed"),
        (Answer(200, json.dumps({"Name": "other", "SecretString": "x"}).encode()), "malformed"),
        (Answer(200, b'{"Name": "a", "SecretBinary": "AAAA%"}'), "malformed"),
        (Answer(302, b"", {"location": "http://elsewhere.test/"}), "unconfigured"),
    ],
)
def test_what_the_agent_says_is_of_its_kind(double: AwsDouble, agent: AWS, answer: Answer, kind: str) -> None:
    double.answers[GET] = answer
    assert failure(agent, "awssecrets://a").kind == kind


def test_an_agent_that_is_not_there_is_unavailable(agent: AWS, double: AwsDouble) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    assert failure(AWS(agent=Agent(address)), "awssecrets://a") == Failure(
        "unavailable", f"awssecrets a at {address}: connection refused", "check the address, and that it is running"
    )


def test_an_agent_that_is_silent_is_held_to_the_deadline(double: AwsDouble, agent: AWS) -> None:
    with FaultProxy(double.port, "blackhole") as proxy:
        address = f"http://127.0.0.1:{proxy.port}"
        result = failure(AWS(agent=Agent(address)), "awssecrets://a", 0.5)
    assert result.message == f"awssecrets a at {address}: no answer within 0.5 s"


def test_no_proxy_stands_between_us_and_the_agent(double: AwsDouble, agent: AWS, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token would go along."""
    double.put_secret("a", "value")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert value(agent, "awssecrets://a") == "value"


def test_parameters_are_asked_of_aws(double: AwsDouble, keys: tuple[str, str]) -> None:
    """The agent has secrets alone; both are asked in one load."""
    double.put_secret("a", "secret")
    double.put_parameter("a", "parameter")
    provider = AWS(region="eu-west-1", endpoint_url=double.address, agent=Agent(double.address, token_file="/dev/null"))
    secret, parameter = run(provider, "awssecrets://a", "awsssm://a").values()
    assert isinstance(secret, Failure)
    assert (secret.kind, secret.message) == ("unconfigured", "awssecrets a: the agent's token is no text that a header can hold")
    assert isinstance(parameter, Found)
    assert parameter.value == "parameter"


@pytest.mark.parametrize("address", ["http://agent.test:2773", "localhost:2773", "ftp://localhost", "http://u:p@localhost"])
def test_an_address_that_cannot_be_meant_is_refused_at_once(address: str) -> None:
    with pytest.raises(ValueError, match="http://localhost:2773"):
        Agent(address)
    Agent("https://agent.test:2773")


def test_requests_are_one_a_secret() -> None:
    from confguard._reference import parse_reference

    refs = [parse_reference(f"awssecrets://{secrets.token_hex(4)}") for _ in range(5)]
    assert AWS(agent=Agent()).requests(refs) == 5
