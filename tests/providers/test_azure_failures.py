"""Every row of the tables of what can go wrong, seen at a vault; and what stands beside them."""

import secrets
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from azure.core import exceptions as sdk

from confguard.provider import Failure, FailureKind
from confguard.testing._azure import AzureDouble, Reply, refusal
from confguard_azure import AzureKeyVault, _failures
from confguard_azure._failures import clock_skew, retry_seconds
from confguard_azure._faults import fault
from tests.providers.azure_rig import SHOP, Static, direct, run, run_one

PATH = "/secrets/api-key/"
GRANT = "Microsoft.KeyVault/vaults/secrets/getSecret/action"

# Status, the outer and the inner code of the refusal, and the kind and message that come of it.
REFUSALS: list[tuple[int, str, str, FailureKind, str]] = [
    (400, "BadParameter", "", "unconfigured", "400, the vault does not take the request"),
    (401, "Unauthorized", "AKV10022", "unauthenticated", "401, the vault does not take the token"),
    (403, "Forbidden", "", "denied", "403, denied"),
    (403, "Forbidden", "AccessDenied", "denied", "403, denied"),
    (403, "Forbidden", "ForbiddenByPolicy", "denied", "403, denied"),
    (403, "Forbidden", "ForbiddenByRbac", "denied", "403, denied"),
    (403, "Forbidden", "ForbiddenByFirewall", "denied", "403, the vault's firewall does not let us in"),
    (403, "Forbidden", "ForbiddenByConnection", "denied", "403, the vault takes no public connections"),
    (403, "Forbidden", "SecretDisabled", "missing", "403, the secret or this version is disabled"),
    (404, "SecretNotFound", "", "missing", "404, no such secret or version"),
    (404, "NotFound", "", "unconfigured", "404, and not for want of a secret"),
    (408, "RequestTimeout", "", "unavailable", "408, the vault waited too long for the request"),
    (429, "Throttled", "", "throttled", "429, too many requests"),
    (500, "InternalError", "", "unavailable", "500, an error inside the service"),
    (503, "ServiceUnavailable", "", "unavailable", "503, an error inside the service"),
    (418, "Teapot", "", "malformed", "418, which is no answer of Azure"),
    (307, "Moved", "", "unconfigured", "307, a redirect, not followed"),
    (204, "Nothing", "", "malformed", "204, which is no answer of Azure"),
]


@pytest.mark.parametrize(("status", "code", "inner", "kind", "message"), REFUSALS)
def test_every_refusal_of_a_vault(
    azure: AzureDouble, status: int, code: str, inner: str, kind: FailureKind, message: str
) -> None:
    """A status and its codes decide the kind; nothing of what the vault writes is shown, and its request id is kept."""
    azure.replies[PATH] = refusal(status, code, inner)
    result = run_one(direct(azure))
    assert isinstance(result, Failure)
    assert (result.kind, result.message) == (kind, f"azurekeyvault shop/api-key: {message}")
    assert result.tip
    assert "what the service writes" not in repr(result)
    assert result.request_id is not None
    assert len(result.request_id) == 32
    assert (GRANT in result.tip) == (message == "403, denied")


def test_every_row_is_seen_above() -> None:
    """A row that no refusal leads to would be one that nobody has tried."""
    rows = {(status, inner or code) for status, code, inner, _, _ in REFUSALS}
    assert set(_failures.CODES) <= rows
    assert set(_failures.STATUSES) <= {status for status, *_ in REFUSALS}


def test_a_page_of_others_is_no_missing_secret(azure: AzureDouble) -> None:
    """A 404 without Key Vault's own code is somebody else's: a default must not stand in for that."""
    azure.replies[PATH] = Reply(404, b"<html>not found</html>", {"Content-Type": "text/html"})
    assert getattr(run_one(direct(azure)), "kind", None) == "unconfigured"


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("soon", None), ("99999999", 3600.0)])
def test_when_to_come_back(azure: AzureDouble, header: str, seconds: float | None) -> None:
    """The vault is asked once, and what it says of when to come back is told."""
    azure.replies[PATH] = Reply(429, refusal(429, "Throttled").body, {"Retry-After": header})
    run_one(direct(azure), f"{SHOP}other")
    azure.asked.clear()
    result = run_one(direct(azure))
    assert isinstance(result, Failure)
    assert (result.kind, result.retry_after) == ("throttled", seconds)
    assert len(azure.asked) == 1


def test_dates_of_http() -> None:
    """A date may stand for a number of seconds, and tells how far the clocks are apart."""
    now = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
    assert retry_seconds("Thu, 01 Jan 2026 12:00:30 GMT", now) == 30
    assert retry_seconds("Thu, 01 Jan 2026 11:00:30 GMT", now) == 0
    assert retry_seconds(None) is None
    assert clock_skew("Thu, 01 Jan 2026 11:59:00 GMT", now) == 60
    assert clock_skew("-", now) is None


def test_a_request_id_that_is_none(azure: AzureDouble) -> None:
    """What does not look like an id is left out: the service writes it."""
    azure.replies[PATH] = Reply(500, {}, {"x-ms-request-id": "a b\x1b[31m"})
    assert getattr(run_one(direct(azure)), "request_id", "") is None


def test_a_hostile_challenge_gets_no_token(azure: AzureDouble) -> None:
    """Whoever is at a vault's address may not ask for a token of another service; the check is on unless code says otherwise."""
    azure.resource = "https://evil.example"
    credential = Static(azure.token())
    result = run_one(direct(azure, credential=credential))
    assert isinstance(result, Failure)
    assert (result.kind, result.message) == (
        "unconfigured",
        "azurekeyvault shop/api-key: 401, and it asks for a token of another service than its own; it got none",
    )
    assert credential.asked == []
    assert not any("Authorization" in headers for *_, headers in azure.asked)
    loose = direct(azure, credential=credential, verify_challenge_resource=False)
    assert getattr(run_one(loose), "value", None) == "hunter22"
    assert loose.warnings() == (
        "AzureKeyVault(verify_challenge_resource=False) is set: a token is sent to whoever answers at a vault's address",
    )
    assert direct(azure).warnings() == ()


def test_a_challenge_that_was_let_in_is_not_believed_later(azure: AzureDouble) -> None:
    """The SDK remembers challenges for the whole process; what one provider let in, another does not get its token for."""
    azure.resource = "https://evil.example"
    run_one(direct(azure, verify_challenge_resource=False))
    credential = Static(azure.token())
    assert getattr(run_one(direct(azure, credential=credential)), "kind", None) == "unconfigured"
    assert credential.asked == []


@pytest.mark.parametrize("challenge", [None, "Basic", "Bearer nonsense", "Bearer resource=x"])
def test_a_401_without_a_challenge(azure: AzureDouble, challenge: str | None) -> None:
    azure.replies[PATH] = Reply(401, {}, {"WWW-Authenticate": challenge} if challenge else {})
    provider = direct(azure, vaults={"shop": f"https://localhost:{azure.port}"})
    result = run_one(provider)
    assert isinstance(result, Failure)
    assert (result.kind, result.message) == (
        "unauthenticated",
        "azurekeyvault shop/api-key: 401, the vault does not take the token",
    )


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_credential_follows_a_redirect(azure: AzureDouble, status: int) -> None:
    """Not even to the same host."""
    azure.put("other", "x")
    run_one(direct(azure))
    azure.replies[PATH] = Reply(status, {}, {"Location": f"{azure.address}/secrets/other/?api-version=7.5"})
    assert getattr(run_one(direct(azure)), "kind", None) == "unconfigured"
    assert "GET /secrets/other/" not in azure.requests()


@pytest.mark.parametrize(
    ("name", "origin"),
    [("REQUESTS_CA_BUNDLE", None), ("CURL_CA_BUNDLE", None), ("SSL_CERT_FILE", None), ("", "AzureKeyVault(ca_cert=…)")],
)
def test_authorities(azure: AzureDouble, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, origin: str | None) -> None:
    """Code, then the variables of requests, then OpenSSL's, say whom to trust; a file that cannot be read is told."""
    if name:
        monkeypatch.setenv(name, str(azure.ca_cert))
        assert getattr(run_one(direct(azure, ca_cert=None)), "value", None) == "hunter22"
        monkeypatch.setenv(name, str(azure.ca_cert.parent))
        assert getattr(run_one(direct(azure, ca_cert=None)), "value", None) == "hunter22"
        monkeypatch.setenv(name, str(tmp_path / "none"))
    provider = direct(azure, ca_cert=None if name else tmp_path / "none")
    assert run_one(provider) == Failure(
        "unconfigured",
        f"azurekeyvault: the certificates of {origin or name} cannot be read",
        "it must be PEM, and readable by this user",
    )


def test_an_authority_that_is_not_trusted(azure: AzureDouble, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    message = "azurekeyvault shop/api-key at 127.0.0.1: its certificate is not signed by an authority that is trusted here"
    tip = (
        "set AzureKeyVault(ca_cert=…) or REQUESTS_CA_BUNDLE to the file of the authority's certificate, "
        "such as that of a proxy that reads TLS"
    )
    for ca_cert in (tmp_path / "other.pem", None):
        assert run_one(direct(azure, ca_cert=ca_cert)) == Failure("unconfigured", message, tip)


def test_a_certificate_of_another_host(in_azure: AzureDouble, tmp_path: Path) -> None:
    provider = AzureKeyVault(vaults={"shop": "https://shop.example.com"}, credential=Static("t"))
    message = "azurekeyvault shop/api-key at shop.example.com: its certificate is for another host name"
    assert run_one(provider) == Failure("unconfigured", message, "check AzureKeyVault(vaults=…)")


@pytest.mark.parametrize(
    ("code", "given", "kind", "told"),
    [
        (socket.EAI_NONAME, False, "unconfigured", "there is no vault of this name"),
        (socket.EAI_AGAIN, False, "unavailable", "the host name cannot be resolved"),
        (socket.EAI_NONAME, True, "unavailable", "the host name is not known"),
        (socket.EAI_AGAIN, True, "unavailable", "the host name cannot be resolved"),
    ],
)
def test_a_name_that_does_not_resolve(monkeypatch: pytest.MonkeyPatch, code: int, given: bool, kind: str, told: str) -> None:
    """A vault's name is in the DNS as long as there is the vault: one that is not known there is a wrong name."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(code, "what the resolver says")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    provider = AzureKeyVault(vaults={"shop": "https://shop.invalid"} if given else None, credential=Static("t"))
    result = run_one(provider)
    assert isinstance(result, Failure)
    host = "shop.invalid" if given else "shop.vault.azure.net"
    assert (result.kind, result.message) == (kind, f"azurekeyvault shop/api-key at {host}: {told}")


@pytest.mark.parametrize(
    ("error", "row"),
    [
        (sdk.ServiceRequestError("x", error=ConnectionRefusedError()), "refused"),
        (sdk.ServiceRequestError("x", error=ConnectionResetError()), "reset"),
        (sdk.ServiceRequestError("x", error=BrokenPipeError()), "reset"),
        (sdk.ServiceResponseTimeoutError("x", error=TimeoutError()), "timeout"),
        (sdk.ServiceRequestError("x", error=socket.gaierror(socket.EAI_AGAIN, "")), "unresolved"),
        (sdk.ServiceRequestError("x", error=socket.gaierror(socket.EAI_NONAME, "")), "unknown_host"),
        (sdk.ServiceRequestError("x", error=OSError(113, "")), "unreachable"),
        (sdk.IncompleteReadError("x"), "truncated"),
        (sdk.DecodeError("x"), "garbled"),
        (sdk.ServiceRequestError("x", error=ssl.SSLEOFError()), "reset"),
        (sdk.ServiceRequestError("x", error=ssl.SSLError()), "tls"),
        (sdk.AzureError("x"), "other"),
    ],
)
def test_every_error_of_the_sdk(error: Exception, row: str) -> None:
    """What the SDK wraps is found by its type."""
    assert fault(error) == row
    assert row in _failures.FAULTS


def test_the_sdk_has_no_error_that_is_not_known() -> None:
    """A new class of error in the SDK is looked at before it is trusted to mean what its base does."""
    known = {
        *(
            "AzureError",
            "ServiceRequestError",
            "ServiceResponseError",
            "ServiceRequestTimeoutError",
            "ServiceResponseTimeoutError",
        ),
        *("HttpResponseError", "DecodeError", "IncompleteReadError", "ResourceExistsError", "ResourceNotFoundError"),
        *("ClientAuthenticationError", "ResourceModifiedError", "ResourceNotModifiedError", "TooManyRedirectsError"),
        *("ODataV4Error", "StreamConsumedError", "StreamClosedError", "ResponseNotReadError"),
    }
    found = {name for name, kind in vars(sdk).items() if isinstance(kind, type) and issubclass(kind, sdk.AzureError)}
    assert found == known


def test_what_is_unsure_of_a_defect_is_one(azure: AzureDouble) -> None:
    """A defect is told by its type, for every secret, and by nothing else."""

    class Wrong:
        """No credential at all."""

    results = run(direct(azure, credential=Wrong()), f"{SHOP}api-key", f"{SHOP}{secrets.token_hex(4)}")
    assert {getattr(result, "kind", None) for result in results.values()} == {"unauthenticated"}
