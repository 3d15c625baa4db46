"""Fifty secrets and fifty parameters of AWS's double over TLS: how long a load takes beside bare readers, and what is asked."""

import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import botocore.session

from confguard_aws import AWS

from ._fetched import COUNT, bound_to, compared, loaded
from ._measure import Measured
from ._server import Server, longer_way, server

LIMIT = 1.2
OF_SEQUENTIAL = 1 / 8
SEQUENTIAL_ROUNDS = 5


def aws() -> Iterator[Measured]:
    with server("aws", COUNT) as double, longer_way(double.told["port"]) as port, environment(double, port):
        session = botocore.session.Session()
        yield _secrets(double, session)
        yield _sequential(double, session)
        yield _parameters(double, session)


@contextmanager
def environment(double: Server, port: int) -> Iterator[None]:
    """What a service of this store has in its environment."""
    variables = {
        "AWS_ENDPOINT_URL": f"https://127.0.0.1:{port}",
        "AWS_CA_BUNDLE": double.told["ca_cert"],
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "AKIABENCH",
        "AWS_SECRET_ACCESS_KEY": secrets.token_hex(20),
    }
    with patch.dict(os.environ, variables, clear=True):
        yield


def _secrets(double: Server, session: Any) -> Measured:
    client = session.create_client("secretsmanager")
    batches = _parts(list(double.values), 20)

    def read(names: Sequence[str]) -> Mapping[str, str]:
        reply = client.batch_get_secret_value(SecretIdList=names)
        return {one["Name"]: one["SecretString"] for one in reply["SecretValues"]}

    settings_class = bound_to((f"awssecrets://{name}" for name in double.values), AWS())
    bare = _side_by_side(client, read, batches, double)
    return compared("aws_50_secrets", double, bare, lambda: loaded(settings_class), limit=LIMIT, requests=len(batches))


def _sequential(double: Server, session: Any) -> Measured:
    client = session.create_client("secretsmanager")
    settings_class = bound_to((f"awssecrets://{name}" for name in double.values), AWS())

    def bare() -> list[str]:
        return [client.get_secret_value(SecretId=name)["SecretString"] for name in double.values]

    return compared(
        "aws_50_secrets_one_by_one",
        double,
        bare,
        lambda: loaded(settings_class),
        limit=OF_SEQUENTIAL,
        rounds=SEQUENTIAL_ROUNDS,
    )


def _parameters(double: Server, session: Any) -> Measured:
    client = session.create_client("ssm")
    batches = _parts([f"/{name}" for name in double.values], 10)

    def read(names: Sequence[str]) -> Mapping[str, str]:
        reply = client.get_parameters(Names=names, WithDecryption=True)
        return {one["Name"].removeprefix("/"): one["Value"] for one in reply["Parameters"]}

    settings_class = bound_to((f"awsssm:///{name}" for name in double.values), AWS())
    bare = _side_by_side(client, read, batches, double)
    return compared("aws_50_parameters", double, bare, lambda: loaded(settings_class), limit=LIMIT, requests=len(batches))


def _side_by_side(
    client: Any, read: Callable[[Sequence[str]], Mapping[str, str]], batches: list[list[str]], double: Server
) -> Callable[[], list[str]]:
    """The bare reader: a client that is made, and connections that are not, as they are at the start of a service."""

    def bare() -> list[str]:
        client.close()
        found: dict[str, str] = {}
        with ThreadPoolExecutor(len(batches)) as threads:
            for part in threads.map(read, batches):
                found.update(part)
        return [found[name] for name in double.values]

    return bare


def _parts(names: list[str], size: int) -> list[list[str]]:
    return [names[at : at + size] for at in range(0, len(names), size)]
