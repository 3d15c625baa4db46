"""The example service on every store: its references are written for another one, and nothing else is changed."""

import json
import re
import shutil
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import pytest

from confguard.testing import servers
from confguard.testing.servers import Server
from tests.e2e.conftest import EXAMPLE, Service

Stored = Mapping[str, str]

_REFERENCE = re.compile(r"vault://secret/(\w+)#/(\w+)")


@contextmanager
def served(make: Callable[[], AbstractContextManager[Server]], place: str, stored: Stored) -> Generator[Mapping[str, str]]:
    """A server that holds what the service needs, each object under a place; the variables that lead there."""
    with make() as server:
        for name, value in objects(stored).items():
            server.put(place.format(name), value)
        yield server.environ


@contextmanager
def files(stored: Stored) -> Generator[Mapping[str, str]]:
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


STORES: Mapping[str, tuple[Callable[[Stored], AbstractContextManager[Mapping[str, str]]], str]] = {
    "awssecrets": (partial(served, servers.aws, "awssecrets://prod/{}"), r"awssecrets://prod/\1#/\2"),
    "awsssm": (partial(served, servers.aws, "awsssm:///prod/{}/"), r"awsssm://prod/\1/\2"),
    "gcpsecrets": (partial(served, servers.gcp, "gcpsecrets://shop-prod/{}"), r"gcpsecrets://shop-prod/\1#/\2"),
    "azurekeyvault": (partial(served, servers.azure, "azurekeyvault://shop/{}"), r"azurekeyvault://shop/\1#/\2"),
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
        # A large SDK is imported while the deadline runs, and this machine may be busy.
        checked = service.check("--timeout", "60")
        assert (checked.returncode, checked.stderr) == (0, "")
        counted = f"9 fields (3 from {scheme}, 2 from env, 2 from default, 1 from dotenv, 1 from mounted)"
        assert f"AppSettings: valid, {counted}" in checked.stdout
        started = service.start(wait=60)
        assert json.loads(started.stdout) == {"environment": "staging", "status": "ok"}
        everything = checked.stdout + started.stdout + started.stderr
        assert not [secret for secret in service.secrets if secret in everything]
