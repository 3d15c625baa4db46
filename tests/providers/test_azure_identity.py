"""Who we are to Azure: each way to say it, and what is told where it does not work."""

import json
import os
import secrets
import socket
import stat
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from azure.core.credentials import AccessTokenInfo
from azure.core.exceptions import ClientAuthenticationError

from confguard.provider import Failure, Found
from confguard.testing._azure import CLIENT, TENANT, AzureDouble, Reply, login_refusal
from confguard.testing._proxy import FaultProxy
from confguard_azure import AzureKeyVault
from confguard_azure._wire import METADATA
from tests.providers.azure_rig import SHOP, Raising, direct, run, run_one

LOGIN = f"/{TENANT}/oauth2/v2.0/token"
APPLICATION = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
IMDS = "/metadata/identity/oauth2/token"


@pytest.fixture
def nobody(in_azure: AzureDouble, monkeypatch: pytest.MonkeyPatch) -> AzureDouble:
    """The double in place of Azure, for somebody who is nobody yet; there is no command ``az``, and no metadata service."""
    for name in APPLICATION:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", "/nowhere")
    with socket.create_server(("127.0.0.1", 0)) as free:
        metadata_at(free.getsockname()[1], monkeypatch)
    return in_azure


def metadata_at(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lead the fixed address of the metadata service to a port of this machine, which may be one of Azure's itself."""
    look_up = socket.getaddrinfo

    def led(host: Any, service: Any, *args: Any, **options: Any) -> Any:
        return look_up(*(("127.0.0.1", port) if host == METADATA else (host, service)), *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", led)


@pytest.fixture
def machine(nobody: AzureDouble, monkeypatch: pytest.MonkeyPatch) -> AzureDouble:
    """The double in place of Azure, with its metadata service at the fixed address."""
    metadata_at(nobody.port, monkeypatch)
    return nobody


@pytest.fixture
def workload(nobody: AzureDouble, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A pod with a workload identity; the file of its token is not there yet."""
    nobody.assertion = secrets.token_urlsafe()
    file = tmp_path / "token"
    for name, value in {"TENANT_ID": TENANT, "CLIENT_ID": CLIENT, "FEDERATED_TOKEN_FILE": str(file)}.items():
        monkeypatch.setenv(f"AZURE_{name}", value)
    return file


@pytest.fixture
def managed(nobody: AzureDouble, monkeypatch: pytest.MonkeyPatch) -> str:
    """An App Service with a managed identity, and the path at which it is."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{nobody.port}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", nobody.identity_header)
    return "/msi/token"


def refused(kind: str, message: str) -> Any:
    """A failure of this kind and message, whatever else it says."""

    class Like:
        def __eq__(self, other: object) -> bool:
            return isinstance(other, Failure) and (other.kind, other.message) == (kind, message)

        def __repr__(self) -> str:
            return f"{kind}: {message}"

        __hash__ = None  # type: ignore[assignment] # equal to many

    return Like()


def test_an_application_with_a_secret(in_azure: AzureDouble) -> None:
    assert isinstance(run_one(AzureKeyVault()), Found)


def test_an_application_with_a_certificate(nobody: AzureDouble, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The certificate signs an assertion, and its file that is not there yet may still come."""
    import trustme

    file = tmp_path / "client.pem"
    for name, value in {"TENANT_ID": TENANT, "CLIENT_ID": CLIENT, "CLIENT_CERTIFICATE_PATH": str(file)}.items():
        monkeypatch.setenv(f"AZURE_{name}", value)
    message = "azurekeyvault login by client certificate: the file of AZURE_CLIENT_CERTIFICATE_PATH is not there (yet)"
    assert run_one(AzureKeyVault()) == refused("unavailable", message)
    file.write_text("no certificate")
    assert run_one(AzureKeyVault()) == refused(
        "unconfigured", "azurekeyvault login by client certificate: what is set cannot work (ValueError)"
    )
    trustme.CA(key_type=trustme.KeyType.RSA).issue_cert(
        "client.test", key_type=trustme.KeyType.RSA
    ).private_key_and_cert_chain_pem.write_to_path(file)
    nobody.replies[LOGIN] = Reply(200, {"token_type": "Bearer", "expires_in": 3599, "access_token": nobody.token()})
    assert isinstance(run_one(AzureKeyVault()), Found)


@pytest.mark.parametrize("unset", [["AZURE_TENANT_ID"], ["AZURE_CLIENT_ID"], ["AZURE_TENANT_ID", "AZURE_CLIENT_ID"]])
def test_half_an_application(in_azure: AzureDouble, monkeypatch: pytest.MonkeyPatch, unset: list[str]) -> None:
    """What is missing is named, and nobody else is asked."""
    for name in unset:
        monkeypatch.delenv(name)
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{in_azure.port}/msi/token")
    names = " and ".join(unset)
    are = "is" if len(unset) == 1 else "are"
    message = f"azurekeyvault login by client secret: AZURE_CLIENT_SECRET is set, and {names} {are} not"
    assert run_one(AzureKeyVault()) == Failure("unauthenticated", message, f"set {names} too")


def test_nobody(nobody: AzureDouble) -> None:
    """Without any credential the tip says what there is, and the vault is asked nothing but its challenge."""
    assert run_one(AzureKeyVault()) == Failure(
        "unauthenticated",
        "azurekeyvault: no credential is set, and this machine has no identity",
        "set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, run with a workload or managed identity, or run az login",
    )


@pytest.mark.parametrize(
    ("status", "codes", "kind", "told", "tip"),
    [
        (
            401,
            [7000215],
            "unauthenticated",
            "the client secret is wrong",
            "set AZURE_CLIENT_SECRET to the secret's value, which is not its id",
        ),
        (
            401,
            [7000222],
            "unauthenticated",
            "the client secret has expired",
            "make a new one for the application, and set AZURE_CLIENT_SECRET",
        ),
        (400, [700016], "unauthenticated", "no such application in the tenant", "check AZURE_CLIENT_ID and AZURE_TENANT_ID"),
        (
            400,
            [500011],
            "unconfigured",
            "the tenant does not know Key Vault of this cloud",
            "check AZURE_TENANT_ID and AZURE_AUTHORITY_HOST",
        ),
        (400, [53003], "denied", "a conditional access policy forbids it", "exempt this identity, or meet the policy"),
        (400, [1, 7000112], "unauthenticated", "the application is disabled", "enable it, or use another one"),
        (
            400,
            [1],
            "unauthenticated",
            "the login was not taken",
            "check AZURE_CLIENT_SECRET, AZURE_CLIENT_ID and AZURE_TENANT_ID",
        ),
        (400, [90033], "unavailable", "a fault of Entra that passes", "try again"),
        (503, [], "unavailable", "an error inside the service", "try again; see the status page of Azure"),
        (302, [], "unconfigured", "a redirect, not followed", "check that login.microsoftonline.com is the host that is meant"),
    ],
)
def test_entra_refuses(in_azure: AzureDouble, status: int, codes: list[int], kind: str, told: str, tip: str) -> None:
    """What Entra says is told by its codes, for each secret of the load, though it is asked once."""
    in_azure.replies[LOGIN] = login_refusal(status, "invalid_client", *codes)
    result = run_one(AzureKeyVault())
    assert result == refused(kind, f"azurekeyvault login by client secret: {status}, {told}")
    assert isinstance(result, Failure)
    assert result.tip == tip
    assert result.request_id


def test_a_login_that_fails_is_asked_for_once(in_azure: AzureDouble) -> None:
    """All secrets of all vaults are told the same, and Entra is asked once, also where it would be worth another try."""
    for status, codes in ((401, [7000222]), (503, [])):
        in_azure.replies[LOGIN] = login_refusal(status, "any", *codes)
        in_azure.asked.clear()
        references = [f"azurekeyvault://{vault}/s{number}" for vault in ("shop", "store") for number in range(5)]
        results = run(AzureKeyVault(), *references)
        assert len(set(results.values())) == 1
        assert getattr(results[references[0]], "message", "").startswith(f"azurekeyvault login by client secret: {status}, ")
        assert len([path for _, _, path, _ in in_azure.asked if path == LOGIN]) == 1


def test_entra_throttles(in_azure: AzureDouble) -> None:
    in_azure.replies[LOGIN] = Reply(429, {"error": "temporarily_unavailable"}, {"Retry-After": "17"})
    result = run_one(AzureKeyVault())
    assert result == refused("throttled", "azurekeyvault login by client secret: 429, too many requests")
    assert isinstance(result, Failure)
    assert result.retry_after == 17


def test_no_such_tenant(in_azure: AzureDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entra tells of a tenant before it is asked for a token."""
    monkeypatch.setenv("AZURE_TENANT_ID", "other.example")
    in_azure.tenant = "other.example"
    in_azure.replies["/other.example/v2.0/.well-known/openid-configuration"] = login_refusal(400, "invalid_tenant", 90002)
    vault = f"azurekeyvault://v{secrets.token_hex(8)}/api-key"
    assert run_one(AzureKeyVault(), vault) == refused(
        "unauthenticated", "azurekeyvault login by client secret: 400, no such tenant"
    )


def test_the_vault_is_of_another_tenant(in_azure: AzureDouble) -> None:
    """The vault names its tenant in the challenge, and an application of another one is told so before it is asked."""
    in_azure.tenant = "00000000-0000-4000-8000-000000000000"
    assert run_one(AzureKeyVault(), f"azurekeyvault://v{secrets.token_hex(8)}/api-key") == refused(
        "unauthenticated", "azurekeyvault login by client secret: the vault is of another tenant than AZURE_TENANT_ID"
    )


@pytest.mark.parametrize("hours", [-3, 3])
def test_a_wrong_clock(in_azure: AzureDouble, hours: int) -> None:
    """An assertion out of its time is told with what the clock is off by."""
    date = format_datetime(datetime.now(UTC) - timedelta(hours=hours), usegmt=True)
    in_azure.replies[LOGIN] = Reply(401, login_refusal(401, "invalid_client", 700024).body, {"Date": date})
    result = run_one(AzureKeyVault())
    assert isinstance(result, Failure)
    assert result.message.endswith("401, the assertion is out of its time")
    assert result.tip is not None
    before, seconds, after = result.tip.rpartition(" And set this machine's clock: it is ")[2].partition(" s ")
    assert (abs(int(before) - 3 * 3600) < 60, after) == (True, "ahead" if hours > 0 else "behind")
    assert seconds == " s "


def test_a_workload_waits_for_its_token(workload: Path) -> None:
    """A token file that is announced and not there yet is unavailable; the pod does not become whoever the machine is."""
    start = "azurekeyvault login by workload identity: the file of AZURE_FEDERATED_TOKEN_FILE"
    assert run_one(AzureKeyVault()) == Failure(
        "unavailable", f"{start} is not there (yet)", f"is {workload} written, and mounted here?"
    )
    workload.write_text("\n")
    assert run_one(AzureKeyVault()) == Failure("unavailable", f"{start} is empty (yet)", f"is {workload} written?")
    workload.write_bytes(b"\xff")
    assert run_one(AzureKeyVault()) == Failure("unconfigured", f"{start} cannot be read", f"make {workload} a readable text file")


def test_a_workload(nobody: AzureDouble, workload: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workload.write_text(str(nobody.assertion))
    assert isinstance(run_one(AzureKeyVault()), Found)
    monkeypatch.delenv("AZURE_CLIENT_ID")
    assert run_one(AzureKeyVault()) == refused(
        "unauthenticated",
        "azurekeyvault login by workload identity: AZURE_FEDERATED_TOKEN_FILE is set, and AZURE_CLIENT_ID is not",
    )


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (70021, "no federated credential fits the token"),
        (700211, "no federated credential has the token's issuer"),
        (700212, "no federated credential has the token's audience"),
        (700213, "no federated credential has the token's subject"),
    ],
)
def test_a_workload_is_refused(nobody: AzureDouble, workload: Path, code: int, told: str) -> None:
    workload.write_text("token-of-a-stranger")
    nobody.replies[LOGIN] = login_refusal(400, "invalid_request", code)
    assert run_one(AzureKeyVault()) == refused("unauthenticated", f"azurekeyvault login by workload identity: 400, {told}")


def test_a_managed_identity(nobody: AzureDouble, managed: str) -> None:
    assert isinstance(run_one(AzureKeyVault()), Found)
    assert [path for _, _, path, _ in nobody.asked if not path.startswith("/secrets/")] == [managed]


@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [
        (400, "unauthenticated", "no such identity here"),
        (401, "unauthenticated", "the header's secret is not taken"),
        (403, "unauthenticated", "no token for this identity"),
        (404, "unavailable", "the identity is not ready"),
        (410, "unavailable", "the identity service is being updated"),
        (429, "throttled", "too many requests"),
        (500, "unavailable", "an error inside the service"),
    ],
)
def test_a_managed_identity_is_refused(nobody: AzureDouble, managed: str, status: int, kind: str, told: str) -> None:
    """One that is announced has the last word; one that is not ready yet is unavailable."""
    nobody.replies[managed] = Reply(status, {"error": "any", "error_description": "what it writes"})
    assert run_one(AzureKeyVault()) == refused(kind, f"azurekeyvault login by managed identity: {status}, {told}")
    assert len([path for _, _, path, _ in nobody.asked if path == managed]) == 1


def test_a_managed_identity_that_does_not_answer(nobody: AzureDouble, managed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service of an identity that is announced may start after us."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{port}/msi/token")
    message = "azurekeyvault login by managed identity at 127.0.0.1: connection refused"
    assert run_one(AzureKeyVault()) == Failure("unavailable", message, "check IDENTITY_ENDPOINT")


def test_an_answer_without_a_token(nobody: AzureDouble, managed: str) -> None:
    nobody.replies[managed] = Reply(200, {"no": "token"})
    assert run_one(AzureKeyVault()) == refused("malformed", "azurekeyvault login by managed identity: 200, and no token")


def test_a_machine_of_azure(machine: AzureDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine's own identity needs no variable; its metadata service is asked without a proxy."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert isinstance(run_one(AzureKeyVault()), Found)
    assert [(host, path) for _, host, path, _ in machine.asked if not path.startswith("/secrets/")] == [(METADATA, IMDS)]


@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [
        (400, "unauthenticated", "azurekeyvault: no credential is set, and this machine has no identity"),
        (403, "unauthenticated", "azurekeyvault: no credential is set, and this machine has no identity"),
        (404, "unavailable", "azurekeyvault login by managed identity: 404, the identity is not ready"),
        (410, "unavailable", "azurekeyvault login by managed identity: 410, the identity service is being updated"),
        (429, "throttled", "azurekeyvault login by managed identity: 429, too many requests"),
        (500, "unavailable", "azurekeyvault login by managed identity: 500, an error inside the service"),
    ],
)
def test_a_machine_of_azure_without_an_identity(machine: AzureDouble, status: int, kind: str, told: str) -> None:
    """An identity that is not ready yet is waited for; none, or something else than Azure at this address, is nobody."""
    machine.replies[IMDS] = Reply(status, {"error": "invalid_request"})
    assert run_one(AzureKeyVault()) == refused(kind, told)
    assert len([path for _, _, path, _ in machine.asked if path == IMDS]) == 1


def test_a_machines_identity_that_was_chosen(nobody: AzureDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chosen by its name it is announced, and one that does not answer is unavailable."""
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
    told = f"azurekeyvault login by managed identity at {METADATA}: connection refused"
    assert run_one(AzureKeyVault()) == refused("unavailable", told)


def test_a_machine_with_an_identity(nobody: AzureDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """The metadata service gives a token without any variable of a service; here it is at another address."""
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", f"http://127.0.0.1:{nobody.port}")
    assert isinstance(run_one(AzureKeyVault()), Found)
    assert [path for _, _, path, _ in nobody.asked if not path.startswith("/secrets/")] == [IMDS]


@pytest.mark.parametrize("choice", ["prod", "dev", "ManagedIdentityCredential", "AzureCliCredential", " environmentcredential "])
def test_what_may_be_asked_can_be_chosen(nobody: AzureDouble, managed: str, monkeypatch: pytest.MonkeyPatch, choice: str) -> None:
    """AZURE_TOKEN_CREDENTIALS leaves the others out, as it does for Azure's own chain."""
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", choice)
    assert isinstance(run_one(AzureKeyVault()), Found) == (choice in {"prod", "ManagedIdentityCredential"})
    asked = [path for _, _, path, _ in nobody.asked if not path.startswith("/secrets/")]
    assert asked == ([managed] if choice in {"prod", "ManagedIdentityCredential"} else [])


def test_a_choice_that_is_not_known(nobody: AzureDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "VisualStudioCodeCredential")
    result = run_one(AzureKeyVault())
    assert result == refused("unconfigured", "azurekeyvault: AZURE_TOKEN_CREDENTIALS names a credential that is not asked here")
    assert nobody.asked == []


@pytest.fixture
def az(nobody: AzureDouble, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Writes the command ``az`` anew, as a script of Python."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def write(script: str) -> None:
        command = folder / "az"
        command.write_text(f"#!{sys.executable}\nimport sys\n{script}\n")
        command.chmod(stat.S_IRWXU)

    monkeypatch.setenv("PATH", str(folder))
    return write


def test_the_azure_cli(nobody: AzureDouble, az: Callable[[str], None], tmp_path: Path) -> None:
    """A developer who has run az login is asked last, and once a process."""
    token = {
        "accessToken": nobody.token(),
        "expires_on": int(datetime.now(UTC).timestamp()) + 3600,
        "expiresOn": "2099-01-01 00:00:00.0",
    }
    az(f"print({json.dumps(token)!r})\nopen({str(tmp_path / 'asked')!r}, 'a').write('.')")
    for _ in range(2):
        results = run(AzureKeyVault(), f"{SHOP}api-key", "azurekeyvault://store/api-key")
        assert all(isinstance(result, Found) for result in results.values())
    assert (tmp_path / "asked").read_text() == "."


def test_the_azure_cli_is_logged_out(nobody: AzureDouble, az: Callable[[str], None]) -> None:
    """Not logged in is nobody; a login that has gone bad is told as one."""
    az("sys.exit(\"Please run 'az login' to setup account.\")")
    assert getattr(run_one(AzureKeyVault()), "message", "").endswith("this machine has no identity")
    az("sys.exit('AADSTS700082: the refresh token has expired, hunter22')")
    result = run_one(AzureKeyVault())
    assert result == refused("unauthenticated", "azurekeyvault login by Azure CLI: it gave no token (ClientAuthenticationError)")
    assert isinstance(result, Failure)
    assert result.tip == "run az login"


def test_the_azure_cli_ends_with_the_deadline(
    nobody: AzureDouble, az: Callable[[str], None], tmp_path: Path, until: Callable[..., bool], leaves_nothing: Callable[[], None]
) -> None:
    """A command that hangs is ended, and its process is gone when the load is."""
    az(f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)")
    began = monotonic()
    result = run_one(AzureKeyVault(), seconds=1)
    assert monotonic() - began < 1.1
    assert isinstance(result, Failure)
    assert result.kind == "unavailable"
    leaves_nothing()
    pid = (tmp_path / "pid").read_text()
    assert until(lambda: not Path(f"/proc/{pid}").exists())


def test_a_credential_in_code_that_tells_more(azure: AzureDouble) -> None:
    """The newer of the two ways to ask a credential works too."""

    class Newer:
        def get_token_info(self, *_: str, options: Any = None) -> AccessTokenInfo:
            assert options["enable_cae"] is True
            return AccessTokenInfo(azure.token(), int(datetime.now(UTC).timestamp()) + 3600)

    assert isinstance(run_one(direct(azure, credential=Newer())), Found)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (lambda: ClientAuthenticationError("hunter22"), "unauthenticated"),
        (lambda: RuntimeError("hunter22"), "unauthenticated"),
        (lambda: FileNotFoundError("hunter22"), "unavailable"),
    ],
)
def test_a_credential_in_code_that_fails(azure: AzureDouble, error: Callable[[], Exception], kind: str) -> None:
    """Whatever it raises is told with its type alone."""
    result = run_one(direct(azure, credential=Raising(error)))
    assert isinstance(result, Failure)
    assert result.kind == kind
    assert "hunter22" not in repr(result)


@pytest.mark.parametrize("mode", ["blackhole", "slow"])
def test_a_login_ends_with_the_deadline(
    in_azure: AzureDouble, monkeypatch: pytest.MonkeyPatch, leaves_nothing: Callable[[], None], mode: Any
) -> None:
    """A service of identities that is silent, or trickles, costs no more than the deadline."""
    for name in APPLICATION:
        monkeypatch.delenv(name)
    with FaultProxy(in_azure.port, mode) as proxy:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{proxy.port}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", in_azure.identity_header)
        began = monotonic()
        result = run_one(AzureKeyVault(), seconds=1)
        assert monotonic() - began < 1.1
    assert isinstance(result, Failure)
    assert result.kind == "unavailable"
    leaves_nothing()


def test_a_fork_logs_in_by_itself(in_azure: AzureDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """The credential of a process is not its child's, whose parent may have been in the middle of a login."""
    run_one(AzureKeyVault())
    monkeypatch.setattr(os, "getpid", lambda: 0)
    assert isinstance(run_one(AzureKeyVault()), Found)
    assert [path for _, _, path, _ in in_azure.asked if path == LOGIN] == [LOGIN, LOGIN]


def test_threads_wait_for_one_login(in_azure: AzureDouble) -> None:
    """Loads side by side share the credential, and the login."""
    threads = [threading.Thread(target=run_one, args=[AzureKeyVault()]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([path for _, _, path, _ in in_azure.asked if path == LOGIN]) == 1
