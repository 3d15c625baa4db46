"""An agent and a proxy with auto-auth between us and the store: they log in, and we send no credential."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from confguard.provider import Failure, Found
from confguard.testing._openbao import OpenBao
from confguard_vault import NoAuth, Vault

FetchOne = Callable[..., Found | Failure]

FOUND = Found('{"password": "hunter22"}', version="1")

_CONFIG = """
vault {{
  address = "{address}"
  ca_cert = "{ca_cert}"
}}
auto_auth {{
  method "approle" {{
    config = {{
      role_id_file_path = "{folder}/role_id"
      secret_id_file_path = "{folder}/secret_id"
      remove_secret_id_file_after_reading = false
    }}
  }}
}}
api_proxy {{
  use_auto_auth_token = true
}}
cache {{
}}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  tls_disable = true
  require_request_header = true
}}
"""


@contextmanager
def running(command: str, bao: OpenBao, policy: str, folder: Path) -> Iterator[str]:
    """An agent or a proxy that has logged in, and its address."""
    for name, text in zip(("role_id", "secret_id"), bao.app_role(policy, policy), strict=True):
        (folder / name).write_text(text)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = folder / "config.hcl"
    values = {"address": bao.address, "ca_cert": bao.ca_cert, "folder": folder, "port": port}
    config.write_text(_CONFIG.format(**values))
    beside = Path(sys.executable).with_name("bao")
    binary = str(beside) if beside.exists() else shutil.which("bao") or "bao"
    with (folder / "output.log").open("wb") as output:
        process = subprocess.Popen([binary, command, f"-config={config}"], stdout=output, stderr=output)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _status(address: str, path: str) -> int:
    """What an agent answers; 0 where it does not listen yet."""
    connection = HTTPConnection(address.removeprefix("http://"), timeout=5)
    try:
        connection.request("GET", f"/v1/{path}", headers={"X-Vault-Request": "true"})
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


@pytest.mark.parametrize("command", ["agent", "proxy"])
@pytest.mark.parametrize("how", ["NoAuth", "VAULT_AGENT_ADDR"])
def test_auto_auth(
    bao: OpenBao,
    mount: str,
    fetch_one: FetchOne,
    until: Callable[..., bool],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    command: str,
    how: str,
) -> None:
    """What logs in by itself gives its secrets to us, who send no token even where one lies at home, and names denials."""
    bao.policy(mount, f'path "{mount}/data/app" {{ capabilities = ["read"] }}')
    (tmp_path / ".vault-token").write_text("of-somebody-else")
    with running(command, bao, mount, tmp_path) as address:
        assert until(lambda: _status(address, "auth/token/lookup-self") == 200, 20)
        if how == "NoAuth":
            vault = Vault(address=address, auth=NoAuth())
        else:
            (tmp_path / ".vault-token").unlink()
            monkeypatch.setenv("VAULT_ADDR", "https://vault.invalid")
            monkeypatch.setenv("VAULT_AGENT_ADDR", address)
            vault = Vault()
        assert fetch_one(vault, f"vault://{mount}/app") == FOUND
        denied = fetch_one(vault, f"vault://{mount}/other")
    assert denied == Failure(
        "denied",
        f"vault {mount}/other: 403, denied (or it does not exist)",
        f'the policy needs: path "{mount}/data/other" {{ capabilities = ["read"] }}',
    )
    name = "Vault(address=…)" if how == "NoAuth" else "VAULT_AGENT_ADDR"
    assert fetch_one(vault, f"vault://{mount}/app") == Failure(
        "unavailable",
        f"vault {mount}/app at {address}: connection refused",
        f"check {name}, and that the store is running",
    )


def test_no_credential_for_one_who_wants_it(bao: OpenBao, mount: str, fetch_one: FetchOne) -> None:
    """Where nobody adds a token, as the store itself does not, that is told, and not that a policy is missing."""
    vault = Vault(address=bao.address, auth=NoAuth(), ca_cert=bao.ca_cert)
    assert fetch_one(vault, f"vault://{mount}/app") == Failure(
        "unauthenticated",
        f"vault {mount}/app: 403, and no token was sent",
        "is Vault(address=…) that of an agent or a proxy that adds its own (use_auto_auth_token)? Else set a credential",
    )
