"""Secrets made at run time, looked for in all that a load leaves: results, reprs, records, output, objects."""

import gc
import logging
import secrets
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Annotated

import pytest
from pydantic import SecretStr

from confguard import BaseSettings, ConfigError, From, SettingsConfigDict, validate
from confguard.testing._aws import Answer, AwsDouble
from confguard.testing._proxy import FaultProxy, Mode
from confguard_aws import AWS, Agent
from tests.providers.aws_fixtures import double_fixture, keys_fixture  # noqa: F401 - fixtures
from tests.providers.aws_rig import REGION, run


def bound(provider: AWS) -> type[BaseSettings]:
    class Settings(BaseSettings):
        model_config = SettingsConfigDict(providers=[provider])
        password: Annotated[SecretStr, From("awssecrets://prod/db")]
        previous: Annotated[SecretStr, From("awssecrets://prod/db?stage=AWSPREVIOUS")]
        parameter: Annotated[SecretStr, From("awsssm:///prod/key")]
        below: Annotated[dict[str, SecretStr], From("awsssm:///prod/")]
        missing: Annotated[SecretStr, From("awssecrets://none")]
        denied: Annotated[SecretStr, From("awssecrets://denied")]

    return Settings


@pytest.mark.parametrize("agent", [False, True], ids=["aws", "agent"])
@pytest.mark.parametrize("mode", ["pass", "reset", "truncate", "blackhole"])
def test_no_secret_is_in_anything_that_is_left(
    double: AwsDouble,
    keys: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    mode: Mode,
    agent: bool,
) -> None:
    """Whether all is well or not: no payload, key or token is in a report, a record, or the output."""
    token, old, new, parameter = (secrets.token_hex(20) for _ in range(4))
    monkeypatch.setenv("AWS_SESSION_TOKEN", token)
    for text in (old, new):
        double.put_secret("prod/db", text)
    double.put_parameter("/prod/key", parameter)
    double.put_secret("denied", new)
    double.errors["denied"] = "AccessDeniedException"
    with FaultProxy(double.port, mode, keep=400) as proxy, caplog.at_level(logging.DEBUG):
        address = f"http://127.0.0.1:{proxy.port}"
        double.token = token
        provider = AWS(region=REGION, endpoint_url=address, agent=Agent(address) if agent else None)
        with pytest.raises(ConfigError) as caught:
            validate(bound(provider), timeout=0.6 if mode == "blackhole" else 10)
    seen = str(caught.value) + repr(caught.value.problems) + repr(provider) + caplog.text + "".join(capfd.readouterr())
    assert "denied" in seen
    for secret in (token, old, new, parameter, keys[1]):
        assert secret not in seen
    if mode == "pass":
        assert sorted(problem.kind for problem in caught.value.problems) == ["denied", "missing"]


def test_what_the_store_writes_into_an_error_is_not_shown(double: AwsDouble, keys: tuple[str, str]) -> None:
    canary = secrets.token_hex(16)
    body = f'{{"__type": "{canary}", "message": "{canary}", "Message": "{canary}"}}'.encode()
    provider = AWS(region=REGION, endpoint_url=double.address)
    for status in (200, 302, 400, 403, 500):
        double.answers = dict.fromkeys(
            ("GetSecretValue", "GetParameters", "GetParametersByPath"), Answer(status, body, {"x-amzn-requestid": canary * 4})
        )
        assert canary not in repr(run(provider, "awssecrets://a", "awsssm:///a", "awsssm:///a/", seconds=0.9))


@pytest.mark.parametrize("mode", ["reset", "truncate"])
def test_no_exception_of_the_sdk_stays_alive(double: AwsDouble, keys: tuple[str, str], mode: Mode) -> None:
    """Exceptions, and with them the frames that hold keys and answers, are gone when the load is over."""
    double.put_secret("a", secrets.token_hex(400))
    with FaultProxy(double.port, mode, keep=300) as proxy:
        provider = AWS(region=REGION, endpoint_url=f"http://127.0.0.1:{proxy.port}")
        run(provider, "awssecrets://none", seconds=0.9)  # imports
        gc.collect()
        before = {id(thing) for thing in gc.get_objects()}
        run(provider, "awssecrets://a", "awsssm:///a", seconds=0.9)
    gc.collect()
    left = [
        thing
        for thing in gc.get_objects()
        if id(thing) not in before and isinstance(thing, BaseException | TracebackType | FrameType)
    ]
    modules = {type(thing).__module__.partition(".")[0] for thing in left if isinstance(thing, BaseException)}
    assert not modules & {"botocore", "urllib3", "http", "ssl"}


def test_misplaced_secrets_are_not_shown(
    double: AwsDouble, keys: tuple[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A secret that was put where a region, a profile or an address belongs does not come back in a message."""
    canary = secrets.token_hex(16)
    names = ("AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "AWS_MAX_ATTEMPTS", "AWS_CONFIG_FILE")
    for name in names:
        with monkeypatch.context() as patch:
            patch.setenv("AWS_DEFAULT_REGION", REGION)
            patch.setenv("AWS_ENDPOINT_URL", double.address)
            patch.setenv(name, f"{canary}!" if name == "AWS_DEFAULT_REGION" else canary)
            results = run(AWS(), "awssecrets://a", "awsssm://a", seconds=2)
            assert canary not in repr(results), name


def test_credentials_in_an_address_are_not_shown(keys: tuple[str, str], ends_its_threads: Callable[[], None]) -> None:
    canary = secrets.token_hex(16)
    for address in (f"https://user:{canary}@127.0.0.1:1", f"http://user:{canary}@aws.test"):
        provider = AWS(region=REGION, endpoint_url=address)
        assert canary not in repr(provider) + repr(run(provider, "awssecrets://a", "awsssm://a", seconds=0.9))
