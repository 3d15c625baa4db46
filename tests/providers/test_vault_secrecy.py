"""Secrets made at run time, looked for in all that a load leaves: results, reprs, records, output, objects."""

import gc
import logging
import secrets
from collections.abc import Callable
from types import FrameType, TracebackType

import pytest

from confguard.provider import Failure, Found
from confguard.testing._openbao import OpenBao
from confguard.testing._proxy import FaultProxy, Mode
from confguard_vault import AppRole, Token, Vault

Fetch = Callable[..., dict[str, Found | Failure]]


def test_payload_is_in_no_repr(bao: OpenBao, root: Vault, mount: str, fetch: Fetch) -> None:
    """What was read is in the value, and in nothing that is shown."""
    payload = secrets.token_hex(16)
    bao.put(mount, "app", {"password": payload})
    results = fetch(root, f"vault://{mount}/app")
    assert payload not in repr(results) + str(results) + repr(root)


@pytest.mark.parametrize("mode", ["pass", "reset", "truncate", "blackhole"])
@pytest.mark.parametrize("auth", ["token", "approle"])
def test_credentials_are_in_nothing_that_is_left(
    bao: OpenBao,
    mount: str,
    fetch: Fetch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    mode: Mode,
    auth: str,
) -> None:
    """Whether all is well or not, no credential and no payload is in a result, a record, or the output."""
    payload = secrets.token_hex(16)
    bao.put(mount, "app", {"password": payload})
    bao.policy(mount, f'path "{mount}/*" {{ capabilities = ["read"] }}')
    token, (role_id, secret_id) = bao.token(mount), bao.app_role(mount, mount)
    with FaultProxy(bao.port, mode, keep=2000) as proxy, caplog.at_level(logging.DEBUG):
        vault = Vault(
            address=f"https://127.0.0.1:{proxy.port}",
            auth=Token(token) if auth == "token" else AppRole(role_id, secret_id),
            ca_cert=bao.ca_cert,
        )
        results = fetch(vault, f"vault://{mount}/app", f"vault://{mount}/none", "vault://denied/app", seconds=0.5)
    seen = repr(results) + str(results) + repr(vault) + caplog.text + "".join(capfd.readouterr())
    for secret in (token, secret_id, payload):
        assert secret not in seen


@pytest.mark.parametrize("mode", ["reset", "truncate"])
def test_no_exception_of_the_sdk_stays_alive(bao: OpenBao, fetch: Fetch, mode: Mode) -> None:
    """Exceptions, and with them the frames that hold the token, are gone when the load is over."""
    gc.collect()
    before = {id(thing) for thing in gc.get_objects()}
    token = secrets.token_hex(16)
    with FaultProxy(bao.port, mode) as proxy:
        vault = Vault(address=f"https://127.0.0.1:{proxy.port}", auth=Token(token), ca_cert=bao.ca_cert)
        fetch(vault, "vault://secret/app", "vault://other/app")
    gc.collect()
    left = [
        thing
        for thing in gc.get_objects()
        if id(thing) not in before and isinstance(thing, BaseException | TracebackType | FrameType)
    ]
    modules = {type(thing).__module__.partition(".")[0] for thing in left if isinstance(thing, BaseException)}
    assert not modules & {"requests", "urllib3", "hvac", "http", "ssl"}


def test_misplaced_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch, fetch: Fetch) -> None:
    """A token that was put where an address, a switch or a namespace belongs does not come back in a message."""
    secret = secrets.token_hex(16)
    for name in ("ADDR", "SKIP_VERIFY", "CLIENT_TIMEOUT", "CACERT", "CACERT_BYTES", "PROXY_ADDR"):
        with monkeypatch.context() as patch:
            patch.setenv("VAULT_ADDR", "https://vault.test")
            patch.setenv("VAULT_TOKEN", "t")
            patch.setenv(f"VAULT_{name}", secret)
            results = fetch(Vault(), "vault://secret/app", seconds=2)
            assert [result.kind for result in results.values() if isinstance(result, Failure)] == ["unconfigured"], name
            assert secret not in repr(results)
