"""Secrets made at run time, looked for in all that a load leaves: results, reprs, records, output, objects."""

import gc
import json
import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import pytest

from confguard.provider import Failure, Found
from confguard.testing._gcp import SecretManager
from confguard.testing._proxy import FaultProxy, Mode
from confguard_gcp import GCP
from tests.providers.gcp_rig import private_key, service_account, write_credentials

Fetch = Callable[..., dict[str, Found | Failure]]


def test_payload_is_in_no_repr(secret_manager: SecretManager, fetch: Fetch) -> None:
    """What was read is in the value, and in nothing that is shown."""
    payload, token = secrets.token_urlsafe(), secrets.token_urlsafe()
    from google.oauth2.credentials import Credentials

    secret_manager.clear()
    secret_manager.put("key", payload.encode())
    provider = GCP(endpoint=secret_manager.address, ca_cert=secret_manager.ca_cert, credentials=Credentials(token))
    results = fetch(provider, "gcpsecrets://shop/key")
    seen = repr(results) + str(results) + repr(provider) + repr(provider._options)
    assert [result.value for result in results.values() if isinstance(result, Found)] == [payload]
    assert payload not in seen
    assert token not in seen


def test_misplaced_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch, fetch: Fetch) -> None:
    """A secret that was put where an endpoint, a project or a file belongs does not come back in a message."""
    secret = f"{secrets.token_urlsafe()}/{secrets.token_urlsafe()}"
    providers = [GCP(endpoint=secret), GCP(project=secret), GCP(location=secret), GCP(ca_cert=secret, endpoint="127.0.0.1:9")]
    names = ("GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER", "GOOGLE_CLOUD_UNIVERSE_DOMAIN")
    seen = ""
    for provider in providers:
        seen += repr(fetch(provider, "gcpsecrets://key", seconds=2))
    for name in names:
        with monkeypatch.context() as patch:
            patch.setenv(name, secret)
            results = fetch(GCP(), "gcpsecrets://shop/key", seconds=2)
            assert [result.kind for result in results.values() if isinstance(result, Failure)] == ["unconfigured"], name
            seen += repr(results)
    assert secret not in seen


@pytest.mark.parametrize("mode", ["pass", "reset", "truncate"])
def test_no_exception_of_the_sdk_stays_alive(
    secret_manager: SecretManager, fetch: Fetch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: Mode
) -> None:
    """Exceptions, and with them the frames that hold token and payload, are gone when the load is over."""
    path = write_credentials(tmp_path / "key.json", service_account(private_key()))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", path)
    secret_manager.clear()
    gc.collect()
    before = {id(thing) for thing in gc.get_objects()}
    with FaultProxy(secret_manager.port, mode) as proxy:
        provider = GCP(endpoint=f"127.0.0.1:{proxy.port}", ca_cert=secret_manager.ca_cert)
        fetch(provider, "gcpsecrets://shop/key", "gcpsecrets://shop/other")
    gc.collect()
    left = [
        thing
        for thing in gc.get_objects()
        if id(thing) not in before and isinstance(thing, BaseException | TracebackType | FrameType)
    ]
    modules = {type(thing).__module__.partition(".")[0] for thing in left if isinstance(thing, BaseException)}
    assert not modules & {"google", "grpc", "requests", "urllib3", "http", "ssl"}


LOAD = """
import json, logging, os, sys
from typing import Annotated
from pydantic import SecretStr
from confguard import BaseSettings, From, SettingsConfigDict, validate
from confguard.exceptions import ConfigError
from confguard_gcp import GCP

# Worse than any service: everything is logged, and the SDK's own loggers, which do not propagate, have handlers too.
class Everything(logging.Formatter):
    def format(self, record):
        return "record of " + record.name + " " + super().format(record) + json.dumps(vars(record), default=repr)
for logger in (logging.getLogger(), logging.getLogger("google"), logging.getLogger("grpc")):
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(Everything())
    logger.handlers[:] = [handler]
    logger.setLevel(logging.DEBUG)

for path in sys.argv[1:3]:
    os.environ["GOOGLE_APPLICATION_CREDENTIALS"] = path
    for port in sys.argv[3:]:

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(providers=[GCP(endpoint=f"127.0.0.1:{port}", ca_cert=os.environ["CA"])])
            key: Annotated[SecretStr, From("gcpsecrets://shop/key")]
            other: Annotated[SecretStr, From("gcpsecrets://shop/other")]

        try:
            print(validate(Settings, timeout=10 if port == sys.argv[3] else 0.5))
        except ConfigError as exc:
            print(exc, repr(exc), [repr(problem) for problem in exc.problems])
"""


def test_nothing_is_logged_or_printed(secret_manager: SecretManager, double: Any, tmp_path: Path) -> None:
    """Whatever comes of a load, the loggers of the SDK say nothing of it, and no payload and no credential is in the output.

    In a process of its own, in which the SDK is imported by the first load itself.
    """
    payload, key = secrets.token_urlsafe(), private_key()
    login = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/p",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{double.address}/token",
        "credential_source": {"file": str(tmp_path / "subject")},
    }
    subject, token = secrets.token_urlsafe(), secrets.token_urlsafe()
    (tmp_path / "subject").write_text(subject)
    reply = {"access_token": token, "expires_in": 3600, "token_type": "Bearer", "issued_token_type": "access_token"}
    double.bodies["/token"] = json.dumps(reply).encode()
    files = [
        write_credentials(tmp_path / "key.json", service_account(key)),
        write_credentials(tmp_path / "login.json", login),
    ]
    secret_manager.clear()
    secret_manager.put("key", payload.encode())
    port = secret_manager.port
    with FaultProxy(port) as good, FaultProxy(port, "reset") as reset, FaultProxy(port, "blackhole") as silent:
        ports = [str(proxy.port) for proxy in (good, reset, silent)]
        environment = {"CA": str(secret_manager.ca_cert), "HOME": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", LOAD, *files, *ports], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
    output = done.stdout + done.stderr
    told = [output.count(said) > 0 for said in ("NOT_FOUND", "the connection was cut off", "no answer within 0.5 s")]
    assert (done.returncode, told) == (0, [True, True, True]), output
    assert len(secret_manager.calls) == 4
    sdk = ("google", "grpc", "requests", "urllib3")
    assert [line for line in output.splitlines() if line.startswith(tuple(f"record of {name}" for name in sdk))] == []
    for secret in (payload, subject, token, *key.splitlines()[1:-1]):
        assert secret not in output
