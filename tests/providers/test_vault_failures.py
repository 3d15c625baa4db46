"""Every row of the table of failures, and that what an answer says never decides, or shows."""

import json
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from http.client import BadStatusLine, IncompleteRead, RemoteDisconnected
from typing import Any

import pytest
import requests
import urllib3.exceptions

from confguard.provider import Failure, Found
from confguard.testing._openbao import OpenBao
from confguard_vault import AppRole, Token, Vault
from confguard_vault._failures import (
    FAULTS,
    LOGIN_STATUSES,
    STATUSES,
    fault_failure,
    retry_seconds,
    safe_host,
    safe_request_id,
    status_failure,
)
from confguard_vault._http import fault

FetchOne = Callable[..., Found | Failure]

PREFLIGHT = "/v1/sys/internal/ui/mounts/secret/app"
READ = "/v1/secret/app"
LOGIN = "/v1/auth/approle/login"

# Where the settings that a tip may name come from, in the tests of the table itself.
NAMES = {
    name: f"BAO_{name}"
    for name in ("ADDR", "NAMESPACE", "CACERT", "CLIENT_CERT", "CLIENT_KEY", "CLIENT_TIMEOUT", "TLS_SERVER_NAME", "PROXY")
}

KINDS = {
    307: "unavailable",
    400: "unconfigured",
    403: "denied",
    404: "unconfigured",  # of another server, or of this one about something else than the secret
    405: "unconfigured",
    412: "unavailable",
    429: "throttled",
    472: "unavailable",
    473: "unavailable",
    474: "unavailable",
    501: "unavailable",
    502: "unavailable",
    503: "unavailable",
    504: "unavailable",
}
# What the table tells by the first digit.
OTHERS = {
    201: "malformed",
    204: "malformed",
    302: "unconfigured",
    308: "unconfigured",
    418: "malformed",
    500: "unavailable",
}
LOGIN_KINDS = {400: "unauthenticated", 403: "unauthenticated", 404: "unconfigured"}


def test_the_table_is_whole() -> None:
    """The tests below know every row."""
    assert (list(KINDS), list(LOGIN_KINDS)) == (list(STATUSES), list(LOGIN_STATUSES))
    assert set(FAULT_KINDS) == set(FAULTS)


# To the question about the mount, 404 is the answer of an old store, and no failure.
@pytest.mark.parametrize(
    ("at", "status", "kind"),
    [
        (at, status, kind)
        for at in ("preflight", "read")
        for status, kind in (KINDS | OTHERS).items()
        if (at, status) != ("preflight", 404)
    ],
)
def test_statuses(double: Any, fetch_one: FetchOne, at: str, status: int, kind: str) -> None:
    """A status has its kind wherever it comes, with a message of ours, whatever the body says."""
    path = {"preflight": PREFLIGHT, "read": READ}[at]
    double.statuses[path] = status
    double.bodies[path] = b'{"errors": ["permission denied, Vault is sealed, lo-and-behold"]}'
    result = fetch_one(Vault(address=double.address, auth=Token("t")), "vault://secret/app")
    assert isinstance(result, Failure)
    assert kind == result.kind
    assert result.message.startswith(f"vault secret/app: {status}")
    assert "behold" not in repr(result)


@pytest.mark.parametrize(("status", "kind"), LOGIN_KINDS.items())
def test_login_statuses(double: Any, fetch_one: FetchOne, status: int, kind: str) -> None:
    """A login that is not taken is another thing than a secret that may not be read."""
    double.statuses[LOGIN] = status
    result = fetch_one(Vault(address=double.address, auth=AppRole("r", "s")), "vault://secret/app")
    assert isinstance(result, Failure)
    assert (kind, True) == (result.kind, result.message.startswith(f"vault login auth/approle/login: {status}"))
    assert double.paths() == [LOGIN]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("no JSON", b"<html>hunter22</html>"),
        ("a list", b'["hunter22"]'),
        ("no data", b'{"hunter22": 1}'),
        ("data is text", b'{"data": "hunter22"}'),
        ("nested too deep", b"[" * 100_000),
        ("not UTF-8", b'{"data": "\xff"}'),
        ("empty", b""),
    ],
)
@pytest.mark.parametrize("at", ["preflight", "read"])
def test_a_200_of_the_wrong_shape(double: Any, fetch_one: FetchOne, name: str, body: bytes, at: str) -> None:
    """A page of something that stands before the store is malformed, and is not shown."""
    double.bodies[{"preflight": PREFLIGHT, "read": READ}[at]] = body
    message = {"preflight": "200, without the mount of this path", "read": "200, without data"}[at]
    assert Failure(
        "malformed",
        f"vault secret/app: {message}",
        "check that the address is that of the store, and not of a page before it",
    ) == fetch_one(Vault(address=double.address, auth=Token("t")), "vault://secret/app")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"data": {"a": 1}}, "200, without data and its version"),
        ({"data": None, "metadata": {"version": 3}}, "200, without data and its version"),
        ({"data": "text", "metadata": {"version": 3}}, "200, without data and its version"),
        ({"data": {"a": 1}, "metadata": {"version": 2}}, "200, with another version"),
    ],
)
def test_a_kv2_answer_of_the_wrong_shape(double: Any, fetch_one: FetchOne, data: dict[str, object], message: str) -> None:
    """An answer of KV v2 holds data and the version that was asked for."""
    double.bodies[PREFLIGHT] = b'{"data": {"path": "secret/", "type": "kv", "options": {"version": "2"}}}'
    double.bodies["/v1/secret/data/app"] = json.dumps({"data": data}).encode()
    result = fetch_one(Vault(address=double.address, auth=Token("t")), "vault://secret/app?version=3")
    assert isinstance(result, Failure)
    assert ("malformed", f"vault secret/app?version=3: {message}") == (result.kind, result.message)


def test_a_mount_that_is_not_of_the_path(double: Any, fetch_one: FetchOne) -> None:
    """A store cannot send the read elsewhere by telling a mount that the path is not in."""
    double.bodies[PREFLIGHT] = b'{"data": {"path": "sys/", "type": "kv", "options": {"version": "2"}}}'
    result = fetch_one(Vault(address=double.address, auth=Token("t")), "vault://secret/app")
    assert isinstance(result, Failure)
    assert result.kind == "malformed"
    assert double.paths() == [PREFLIGHT]


def test_quota(bao: OpenBao, mount: str, fetch_one: FetchOne) -> None:
    """A rate limit is throttled, with the seconds that the store asks for."""
    bao.rate_limit(f"{mount}/", 1, interval="30s")
    vault = Vault(address=bao.address, auth=Token(bao.root_token), ca_cert=bao.ca_cert)
    results = [fetch_one(vault, f"vault://{mount}/app") for _ in range(3)]
    throttled = [result for result in results if isinstance(result, Failure)]
    assert throttled
    assert (
        "throttled",
        f"vault {mount}/app: 429, too many requests",
        "try again later, or ask for a higher rate limit quota",
    ) == (throttled[0].kind, throttled[0].message, throttled[0].tip)
    assert throttled[0].retry_after is not None
    assert 0 < throttled[0].retry_after <= 30


def test_sealed(fetch_one: FetchOne) -> None:
    """A sealed store is unavailable, and the tip says what to do."""
    with OpenBao() as own:
        own.mount_kv("secret")
        own.put("secret", "app", {"a": 1})
        vault = Vault(address=own.address, auth=Token(own.root_token), ca_cert=own.ca_cert)
        own.seal()
        assert Failure(
            "unavailable",
            "vault secret/app: 503, sealed, in maintenance, or a standby",
            "unseal the store, or set Vault(address=…) to the active node; its status command tells what it waits for",
        ) == fetch_one(vault, "vault://secret/app")
        own.unseal()
        assert Found('{"a": 1}', version="1") == fetch_one(vault, "vault://secret/app")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("86400", 3600.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 7.0),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("1e9", None),
        ("", None),
        ("Sun, 99 Nov 1994 08:49:37 GMT", None),
    ],
)
def test_retry_after(header: str, seconds: float | None) -> None:
    """Retry-After is a number of seconds or a date; what is neither says nothing, and an hour is the longest wait."""
    assert seconds == retry_seconds(header, now=datetime(1994, 11, 6, 8, 49, 30, tzinfo=UTC))


def test_words_of_the_store_are_checked() -> None:
    """A request id or a host goes into a report only if it looks like one."""
    assert safe_request_id("8a1f-2b" * 3) == "8a1f-2b" * 3
    assert [safe_request_id(text) for text in ("a b c d e f g", "short", "x" * 65, 12345678)] == [None] * 4
    assert safe_host("vault-2.test") == "vault-2.test"
    assert [safe_host(text) for text in ("a b", "\x1b[31m", None)] == [None] * 3


def _wrapped(inner: BaseException) -> BaseException:
    """As requests gives it: in urllib3's MaxRetryError, in an exception of its own."""
    reason = urllib3.exceptions.NewConnectionError(None, "secret text")  # type: ignore[arg-type]  # no pool is needed
    reason.__cause__ = inner
    return requests.exceptions.ConnectionError(urllib3.exceptions.MaxRetryError(None, "/url", reason))  # type: ignore[arg-type]  # likewise


def _certificate(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "secret text")
    error.verify_code = code
    return error


def _tls(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, "secret text")
    error.reason = reason
    return error


FAULT_KINDS: dict[str, tuple[str, list[BaseException]]] = {
    "refused": ("unavailable", [ConnectionRefusedError()]),
    "unresolved": ("unavailable", [socket.gaierror(-2, "secret text")]),
    "unreachable": ("unavailable", [OSError(113, "secret text")]),
    "timeout": (
        "unavailable",
        [TimeoutError(), requests.exceptions.ReadTimeout(), requests.exceptions.ConnectTimeout()],
    ),
    "reset": ("unavailable", [ConnectionResetError(), BrokenPipeError(), RemoteDisconnected(""), ssl.SSLEOFError()]),
    "truncated": ("unavailable", [IncompleteRead(b"secret text"), requests.exceptions.ChunkedEncodingError()]),
    "garbled": ("malformed", [BadStatusLine("secret text"), requests.exceptions.ContentDecodingError()]),
    "untrusted": ("unconfigured", [_certificate(code) for code in (18, 19, 20, 21)]),
    "wrong_host": ("unconfigured", [_certificate(code) for code in (62, 64)]),
    "out_of_date": ("unavailable", [_certificate(code) for code in (9, 10)]),
    "client_cert": ("unconfigured", [_tls("TLSV13_ALERT_CERTIFICATE_REQUIRED"), _tls("TLSV1_ALERT_UNKNOWN_CA")]),
    "not_tls": ("unconfigured", [_tls("WRONG_VERSION_NUMBER")]),
    "tls": ("unconfigured", [_tls("UNSUPPORTED_PROTOCOL")]),
    "proxy": ("unavailable", [requests.exceptions.ProxyError(ConnectionRefusedError())]),
    "other": (
        "unconfigured",
        [requests.exceptions.InvalidURL(), requests.exceptions.InvalidHeader("secret text"), ValueError()],
    ),
}


@pytest.mark.parametrize("name", FAULT_KINDS)
def test_faults(name: str) -> None:
    """An exception of the SDK is told by the types in its chain, however deep, and nothing of it is in the failure."""
    kind, errors = FAULT_KINDS[name]
    for error in errors:
        assert name == fault(error)
        if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
            assert name == fault(_wrapped(error))
    failure = fault_failure(name, "vault secret/app", NAMES, "https://vault.test")
    assert (kind, f"vault secret/app at https://vault.test: {FAULTS[name].message}") == (failure.kind, failure.message)
    assert "secret text" not in repr(failure)
    assert "{" not in repr(failure)


@pytest.mark.parametrize("status", [*STATUSES, 302, 500, 599, 418])
def test_tips_name_the_variable_of_the_scheme(status: int) -> None:
    """Every row is filled in, with the prefix of the scheme."""
    failure = status_failure(status, "openbao a/b", NAMES)
    assert "{" not in failure.message + (failure.tip or "")
    assert "VAULT" not in (failure.tip or "")


def test_a_404_about_something_else_is_not_missing(bao: OpenBao, mount: str, fetch_one: FetchOne, double: Any) -> None:
    """A namespace, a mount or a server that is not there is no missing secret: a default must not stand in for it."""
    tip = "check Vault(address=…), {}, and that the mount is there"
    nowhere = Vault(address=bao.address, auth=Token(bao.root_token), ca_cert=bao.ca_cert, namespace="nowhere")
    assert fetch_one(nowhere, f"vault://{mount}/app") == Failure(
        "unconfigured", f"vault {mount}/app: 404, and not for want of a secret", tip.format("Vault(namespace=…)")
    )
    assert fetch_one(nowhere, f"vault://{mount}/app?version=1") == Failure(
        "unconfigured", f"vault {mount}/app: 404, and not for want of a secret", tip.format("Vault(namespace=…)")
    )
    for body in (b"", b"404 page not found", b'{"errors": ["no handler for route"]}', b"[]"):
        double.statuses[READ] = 404
        double.bodies[READ] = body
        result = fetch_one(Vault(address=double.address, auth=Token("t")), "vault://secret/app")
        assert result == Failure(
            "unconfigured", "vault secret/app: 404, and not for want of a secret", tip.format("VAULT_NAMESPACE")
        )
    double.bodies[READ] = b'{"errors": []}'
    result = fetch_one(Vault(address=double.address, auth=Token("t")), "vault://secret/app")
    assert isinstance(result, Failure)
    assert result.kind == "missing"


def test_an_address_that_ends_in_v1_is_told(fetch_one: FetchOne) -> None:
    """The part of every path that the client adds itself is not looked for twice."""
    vault = Vault(address="https://127.0.0.1:9/v1/", auth=Token("t"))
    assert fetch_one(vault, "vault://secret/app") == Failure(
        "unconfigured", "vault: Vault(address=…) ends in /v1, which is part of every path", "leave /v1 out"
    )


def test_an_address_with_a_password_does_not_show_it() -> None:
    """A Vault does not show what stands before the "@" of an address that it will refuse."""
    assert "hunter2" not in repr(Vault(address="https://u:hunter2@vault.test"))
