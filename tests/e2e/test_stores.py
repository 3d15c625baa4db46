"""The example service on every store: its references are written for another one, and nothing else is changed."""

import json
import re
import secrets
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from confguard.testing._azure import AzureDouble
from confguard.testing._gcp import SecretManager
from tests.e2e.conftest import EXAMPLE, Service

Stored = Mapping[str, str]

_REFERENCE = re.compile(r"vault://secret/(\w+)#/(\w+)")
_AWS = {
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": secrets.token_hex(20),
}


@contextmanager
def moto() -> Generator[str]:
    """A real server of moto, on a port of its own; its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield "http://{}:{}".format(*server.get_host_and_port())
    finally:
        server.stop()


def aws_client(service: str, address: str) -> Any:
    """A client of the SDK, to write what the service will read."""
    from botocore.session import Session

    session: Any = Session()
    session.set_credentials("test", "test")
    return session.create_client(service, region_name="eu-west-1", endpoint_url=address)


@contextmanager
def secrets_manager(stored: Stored) -> Generator[dict[str, str]]:
    with moto() as address:
        client = aws_client("secretsmanager", address)
        for name, value in objects(stored).items():
            client.create_secret(Name=f"prod/{name}", SecretString=json.dumps(value))
        client.close()
        yield {**_AWS, "AWS_ENDPOINT_URL": address}


@contextmanager
def parameter_store(stored: Stored) -> Generator[dict[str, str]]:
    with moto() as address:
        client = aws_client("ssm", address)
        for name, value in objects(stored).items():
            for key, text in value.items():
                client.put_parameter(Name=f"/prod/{name}/{key}", Value=text, Type="SecureString")
        client.close()
        yield {**_AWS, "AWS_ENDPOINT_URL": address}


@contextmanager
def secret_manager(stored: Stored) -> Generator[dict[str, str]]:
    with SecretManager() as server:
        for name, value in objects(stored).items():
            server.put(name, json.dumps(value).encode(), project="shop-prod")
        yield {"CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER": server.address}


@contextmanager
def key_vault(stored: Stored) -> Generator[dict[str, str]]:
    with AzureDouble() as server:
        for name, value in objects(stored).items():
            server.put(name, json.dumps(value), vault="shop")
        yield server.environment()


@contextmanager
def files(stored: Stored) -> Generator[dict[str, str]]:
    for name, value in objects(stored).items():
        path = Path("store") / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(value))
    yield {}


def objects(stored: Stored) -> dict[str, dict[str, str]]:
    """What the service needs, as the store of the example holds it."""
    return {
        "myservice": {name: stored[name] for name in ("secret_key", "smtp_password")},
        "payments": {"stripe_key": stored["stripe_key"]},
    }


STORES = {
    "awssecrets": (secrets_manager, r"awssecrets://prod/\1#/\2"),
    "awsssm": (parameter_store, r"awsssm://prod/\1/\2"),
    "gcpsecrets": (secret_manager, r"gcpsecrets://shop-prod/\1#/\2"),
    "azurekeyvault": (key_vault, r"azurekeyvault://shop/\1#/\2"),
    "file": (files, r"file://store/\1#/\2"),
}


@pytest.mark.parametrize("scheme", STORES)
def test_the_service_runs_on_every_store_by_changing_references_alone(
    scheme: str, service: Service, stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With only its three references rewritten the service is valid, starts, and says where each value came from."""
    serve, written = STORES[scheme]
    code = tmp_path / "code"
    shutil.copytree(EXAMPLE / "myservice", code / "myservice", ignore=shutil.ignore_patterns("__pycache__"))
    settings = code / "myservice" / "settings.py"
    text, changed = _REFERENCE.subn(written, settings.read_text())
    settings.write_text(text)
    assert changed == 3
    for name in [name for name in service.variables if name.startswith("VAULT_")]:
        del service.variables[name]
    service.variables["PYTHONPATH"] = str(code)
    monkeypatch.chdir(service.folder)
    with serve(stored) as variables:
        service.variables |= variables
        checked = service.check()
        assert (checked.returncode, checked.stderr) == (0, "")
        counted = f"9 fields (3 from {scheme}, 2 from env, 2 from default, 1 from dotenv, 1 from mounted)"
        assert f"AppSettings: valid, {counted}" in checked.stdout
        started = service.start()
        assert json.loads(started.stdout) == {"environment": "staging", "status": "ok"}
        everything = checked.stdout + started.stdout + started.stderr
        assert not [secret for secret in service.secrets if secret in everything]
