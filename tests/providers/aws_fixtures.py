"""Fixtures of the AWS tests: credentials made for the occasion, the stand-in, and moto's server."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import botocore.session
import pytest
from moto.server import ThreadedMotoServer

from confguard.testing._aws import AwsDouble
from confguard_aws import AWS
from tests.providers.aws_rig import REGION


@pytest.fixture(name="keys")
def keys_fixture(monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """An access key and its secret, in the environment."""
    access_key, secret_key = f"AKIA{secrets.token_hex(8).upper()}", secrets.token_hex(20)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret_key)
    return access_key, secret_key


@pytest.fixture(name="double")
def double_fixture(keys: tuple[str, str]) -> Iterator[AwsDouble]:
    """The stand-in, for the test."""
    with AwsDouble() as server:
        yield server


@pytest.fixture(name="aws")
def aws_fixture(double: AwsDouble) -> AWS:
    """A provider that asks the stand-in."""
    return AWS(region=REGION, endpoint_url=double.address)


@pytest.fixture(scope="session", name="moto")
def moto_fixture() -> Iterator[str]:
    """The address of moto's server, which all tests share."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@dataclass(frozen=True)
class Moto:
    """moto's server, with the SDK's own clients to write into it."""

    address: str
    secrets: Any
    parameters: Any


@pytest.fixture(scope="session", name="store")
def store_fixture(moto: str) -> Iterator[Moto]:
    """moto, and clients that are made once: the SDK reads its whole models for them."""
    session = botocore.session.Session()
    session.set_credentials("AKIAWRITER", secrets.token_hex(20))
    made = [session.create_client(name, region_name=REGION, endpoint_url=moto) for name in ("secretsmanager", "ssm")]
    yield Moto(moto, *made)
    for client in made:
        client.close()


@pytest.fixture(name="real")
def real_fixture(moto: str, keys: tuple[str, str]) -> AWS:
    """A provider that asks moto."""
    return AWS(region=REGION, endpoint_url=moto)
