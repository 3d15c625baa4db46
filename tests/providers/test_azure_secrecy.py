"""Secrets made at run time, looked for in all that a load leaves: results, reprs, records, output, objects."""

import gc
import http.client
import logging
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from confguard._redaction import redactor
from confguard.provider import Found
from confguard.testing._azure import AzureDouble, login_refusal
from confguard.testing._proxy import FaultProxy, Mode
from confguard_azure import AzureKeyVault
from tests.providers.azure_rig import SHOP, direct, run, run_one


@pytest.fixture
def in_a_fetching_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Called as the core calls a provider: in a thread whose name makes the SDK's loggers silent."""
    import threading

    from confguard._quiet import THREAD_PREFIX, quiet

    quiet(AzureKeyVault.loggers)
    monkeypatch.setattr(threading.current_thread(), "_name", f"{THREAD_PREFIX}azurekeyvault")


@pytest.mark.usefixtures("in_a_fetching_thread")
@pytest.mark.parametrize("mode", ["pass", "reset", "truncate", "blackhole"])
@pytest.mark.parametrize("who", ["application", "managed", "refused"])
def test_credentials_are_in_nothing_that_is_left(
    in_azure: AzureDouble,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    mode: Mode,
    who: str,
) -> None:
    """Whether all is well or not, no credential, no token and no payload is in a result, a record, or the output."""
    payload = secrets.token_hex(16)
    in_azure.put("api-key", payload)
    if who == "managed":
        monkeypatch.delenv("AZURE_CLIENT_SECRET")
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{in_azure.port}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", in_azure.identity_header)
    if who == "refused":
        path = f"/{in_azure.tenant}/oauth2/v2.0/token"
        in_azure.replies[path] = login_refusal(401, in_azure.client_secret, 7000215)
    with FaultProxy(in_azure.port, mode, keep=4000) as proxy, caplog.at_level(logging.DEBUG):
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:{payload}@127.0.0.1:{proxy.port}")
        provider = AzureKeyVault()
        results = run(provider, f"{SHOP}api-key", f"{SHOP}none", f"azurekeyvault://v{secrets.token_hex(4)}/a", seconds=0.5)
    seen = repr(results) + str(results) + repr(provider) + caplog.text + "".join(capfd.readouterr())
    for secret in (in_azure.client_secret, in_azure.identity_header, payload, *in_azure.tokens):
        assert secret not in seen


def test_the_redactor_knows_all_of_them(in_azure: AzureDouble, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Client secrets, headers, tokens of files and the tokens that they give are told before a request carries them."""
    assert isinstance(run_one(AzureKeyVault()), Found)
    for secret in (in_azure.client_secret, *in_azure.tokens):
        assert secret not in redactor.redact(f"it is {secret}!")
    monkeypatch.setenv("IDENTITY_HEADER", in_azure.identity_header)
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:{secrets.token_hex()}@127.0.0.1:{in_azure.port}")
    run_one(AzureKeyVault())
    assert in_azure.identity_header not in redactor.redact(in_azure.identity_header)
    monkeypatch.delenv("AZURE_CLIENT_SECRET")
    assertion = secrets.token_urlsafe()
    (tmp_path / "token").write_text(f"{assertion}\n")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(tmp_path / "token"))
    run_one(AzureKeyVault())
    assert assertion not in redactor.redact(assertion)


@pytest.mark.parametrize("mode", ["pass", "reset", "truncate"])
def test_no_exception_of_the_sdk_stays_alive(azure: AzureDouble, mode: Mode, until: Callable[..., bool]) -> None:
    """Exceptions, and with them the frames that hold the token, are gone when the load is over."""
    run_one(direct(azure))
    gc.collect()
    before = {id(thing) for thing in gc.get_objects()}

    def left() -> set[str]:
        gc.collect()
        new = [thing for thing in gc.get_objects() if id(thing) not in before and isinstance(thing, BaseException)]
        modules = {type(thing).__module__.partition(".")[0] for thing in new}
        return modules & {"azure", "msal", "requests", "urllib3", "http", "ssl", "confguard_azure"}

    with FaultProxy(azure.port, mode) as proxy:
        run(direct(azure, proxy.port), f"{SHOP}api-key", f"{SHOP}none")
    assert until(lambda: not left()), left()  # the server's own threads may still be at one of theirs


def test_misplaced_secrets_are_not_shown(in_azure: AzureDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that was put where a host, a choice or a file belongs does not come back in a message."""
    secret = secrets.token_hex(16)
    for name in ("AZURE_AUTHORITY_HOST", "AZURE_TOKEN_CREDENTIALS", "REQUESTS_CA_BUNDLE", "HTTPS_PROXY", "AZURE_TENANT_ID"):
        with monkeypatch.context() as patch:
            patch.setenv(name, secret)
            results = run(AzureKeyVault(), f"{SHOP}api-key", seconds=2)
            assert not any(isinstance(result, Found) for result in results.values()), name
            assert secret not in repr(results), name


def test_debug_output_of_http_client(
    azure: AzureDouble, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Somebody's debug level for all of http.client does not print our headers."""
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    assert isinstance(run_one(direct(azure)), Found)
    assert capfd.readouterr() == ("", "")
