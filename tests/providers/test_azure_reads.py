"""Secrets of Key Vault: what a reference means, which vault is asked, and what comes back."""

import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from time import time
from typing import Any

import pytest

from confguard._reference import parse_reference
from confguard.provider import Failure, Found
from confguard.testing._azure import AzureDouble, Reply, refusal
from confguard_azure import AzureKeyVault
from tests.providers.azure_rig import SHOP, Static, direct, run, run_one


def test_a_secret(azure: AzureDouble) -> None:
    """The newest version is read, and told."""
    newest = azure.put("api-key", "hunter23")
    assert run_one(direct(azure)) == Found("hunter23", version=newest)


@pytest.mark.parametrize("form", ["/{}", "?version={}"])
def test_a_version(azure: AzureDouble, form: str) -> None:
    """A version may stand as a third segment, as vals has it, or as a parameter."""
    first = azure.put("pinned", "one")
    azure.put("pinned", "two")
    reference = f"{SHOP}pinned{form.format(first)}"
    assert run_one(direct(azure), reference) == Found("one", version=first)
    assert azure.requests()[-1] == f"GET /secrets/pinned/{first}"


def test_names_are_one_whatever_their_case(azure: AzureDouble) -> None:
    """Key Vault does not tell upper case from lower: the same secret is read once."""
    run_one(direct(azure))
    azure.asked.clear()
    results = run(direct(azure), f"{SHOP}api-key", f"{SHOP}API-KEY", f"{SHOP}api-key?version=none", f"{SHOP}api-key/none")
    assert [getattr(result, "value", "") for result in results.values()] == ["hunter22", "hunter22", "", ""]
    assert len(azure.asked) == 2


def test_text_comes_back_as_it_is(azure: AzureDouble) -> None:
    """An empty value is a value, and nothing is made of what a value looks like."""
    values = {"empty": "", "spaces": " a\r\n", "json": '{"a": 1.10}', "unicode": "pä\N{LOCK}\x00"}
    for name, value in values.items():
        azure.put(name, value)
    results = run(direct(azure), *(f"{SHOP}{name}" for name in values))
    assert [result.value for result in results.values() if isinstance(result, Found)] == list(values.values())


@pytest.mark.parametrize(
    ("environment", "suffix"),
    [
        ({}, "vault.azure.net"),
        ({"AZURE_AUTHORITY_HOST": "https://login.microsoftonline.com/"}, "vault.azure.net"),
        ({"AZURE_AUTHORITY_HOST": "login.chinacloudapi.cn"}, "vault.azure.cn"),
        ({"AZURE_AUTHORITY_HOST": "https://LOGIN.microsoftonline.us"}, "vault.usgovcloudapi.net"),
    ],
)
def test_the_cloud_is_that_of_the_authority(
    in_azure: AzureDouble, monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str], suffix: str
) -> None:
    """The host that gives tokens decides what vaults are called, and the token is for that cloud."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    in_azure.put("api-key", "of shop", vault="shop")
    credential = Static(in_azure.token())
    assert getattr(run_one(AzureKeyVault(credential=credential)), "value", None) == "of shop"
    assert {host for _, host, path, _ in in_azure.asked if path.startswith("/secrets/")} == {f"shop.{suffix}"}
    assert [scopes for scopes, _ in credential.asked] == [(f"https://{suffix}/.default",)]


def test_code_wins_over_the_environment(in_azure: AzureDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", "login.chinacloudapi.cn")
    provider = AzureKeyVault(authority="login.microsoftonline.us", credential=Static(in_azure.token()))
    assert isinstance(run_one(provider), Found)
    assert {host for _, host, _, _ in in_azure.asked} == {"shop.vault.usgovcloudapi.net"}


def test_an_unknown_cloud_needs_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", "https://login.stack.example/adfs")
    assert run_one(AzureKeyVault()) == Failure(
        "unconfigured",
        "azurekeyvault shop: the cloud of AZURE_AUTHORITY_HOST is not a known one",
        'name the vault\'s address in AzureKeyVault(vaults={"shop": "https://…"})',
    )


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("shop", "shop: not of the form VAULT/SECRET"),
        ("shop/a/b/c", "shop/a/b/c: not of the form VAULT/SECRET"),
        ("shop/a/b?version=c", "shop/a/b: two versions"),
        ("evil.example/a", "evil.example: an address, and not the name of a vault"),
        ("shop.vault.azure.net/a", "shop.vault.azure.net: an address, and not the name of a vault"),
        ("shop:8443/a", "shop:8443: an address, and not the name of a vault"),
        ("a/a", "a: not the name of a vault"),
        ("s--p/a", "s--p: not the name of a vault"),
        ("shop-/a", "shop-: not the name of a vault"),
        ("1shop/a", "1shop: not the name of a vault"),
        ("shop%40evil/a", "shop@evil: not the name of a vault"),
        ("shop%23/a", "shop#: not the name of a vault"),
        (f"{'s' * 25}/a", f"{'s' * 25}: not the name of a vault"),
        ("shop/a_b", "shop/a_b: not the name of a secret"),
        ("shop/a%3Fb", "shop/a?b: not the name of a secret"),
        (f"shop/{'a' * 128}", f"shop/{'a' * 128}: not the name of a secret"),
        ("shop/a/..%5Cb", "shop/a/..\\b: not a version"),
        ("shop/a?version=%2E%2E", "shop/a: not a version"),
        ("shop/a?version=1%2F2", "shop/a: not a version"),
    ],
)
def test_what_cannot_be_asked_for(azure: AzureDouble, path: str, message: str) -> None:
    """A reference names a vault, a secret and a version, and never a host or a path; nothing is asked otherwise."""
    result = run_one(AzureKeyVault(credential=Static("t")), f"azurekeyvault://{path}")
    assert isinstance(result, Failure)
    assert (result.kind, result.message) == ("unconfigured", f"azurekeyvault {message}")
    assert result.tip
    assert azure.asked == []


@pytest.mark.parametrize("name", ["sho", "s" * 24, "a-b-c", "Shop1"])
def test_names_that_are_good(in_azure: AzureDouble, name: str) -> None:
    references = [f"azurekeyvault://{name}/api-key", f"azurekeyvault://{name.lower()}/api-key"]
    results = run(AzureKeyVault(credential=Static(in_azure.token())), *references)
    assert all(isinstance(result, Found) for result in results.values())
    assert in_azure.asked[-1][1] == f"{name.lower()}.vault.azure.net"
    assert len(in_azure.asked) == 2  # the challenge, and one read


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1",
        "127.0.0.1",
        "https://",
        "https://u:p@h",
        "https://h/path",
        "https://h?q",
        "https://h:x",
        "https://h\\@e",
        "",
    ],
)
def test_an_address_in_code_is_an_origin(address: str) -> None:
    """An address with anything more than a host, or without TLS, is told, and not shown: it may hold a password."""
    result = run_one(AzureKeyVault(vaults={"shop": address}, credential=Static("t"), ca_cert="/nowhere"))
    assert isinstance(result, Failure)
    if address:
        assert result.message == "azurekeyvault shop: AzureKeyVault(vaults=…) does not hold an address for it"
    assert result.kind == "unconfigured"
    assert "u:p" not in repr(result)


def test_disabled(azure: AzureDouble) -> None:
    """A disabled secret is told as such; it is missing, since it may not be used."""
    azure.put("off", "x", enabled=False)
    result = run_one(direct(azure), f"{SHOP}off")
    assert isinstance(result, Failure)
    assert (result.kind, result.message, result.tip) == (
        "missing",
        "azurekeyvault shop/off: 403, the secret or this version is disabled",
        "enable it, or write a new version",
    )
    azure.replies["/secrets/off/"] = Reply(200, {"value": "x", "id": "https://h/secrets/off/1", "attributes": {"enabled": False}})
    result = run_one(direct(azure), f"{SHOP}off")
    assert isinstance(result, Failure)
    assert (result.kind, result.message) == ("missing", "azurekeyvault shop/off: it is disabled")


def test_out_of_its_time(azure: AzureDouble) -> None:
    """Azure gives out a secret before and after its time; here it is missing, and the report says which day it is about."""
    now = int(time())
    azure.put("over", "x", exp=now - 5)
    azure.put("early", "x", nbf=now + 3600)
    azure.put("good", "x", nbf=now - 5, exp=now + 3600)
    over, early, good = run(direct(azure), *(f"{SHOP}{name}" for name in ("over", "early", "good"))).values()
    ended, begins = (datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC") for at in (now - 5, now + 3600))
    assert over == Failure(
        "missing", f"azurekeyvault shop/over: it expired on {ended}", "write a new version, or move its expiration date"
    )
    assert early == Failure(
        "missing", f"azurekeyvault shop/early: it is valid from {begins} on", "move its activation date, or wait for it"
    )
    assert isinstance(good, Found)
    assert good.expires_at == datetime.fromtimestamp(now + 3600, UTC)


def test_out_of_its_time_where_code_allows_it(azure: AzureDouble) -> None:
    azure.put("over", "x", exp=int(time()) - 5)
    azure.put("early", "x", nbf=int(time()) + 3600)
    results = run(direct(azure, allow_expired=True), f"{SHOP}over", f"{SHOP}early")
    assert [getattr(result, "value", None) for result in results.values()] == ["x", "x"]


def test_the_vaults_clock_decides(azure: AzureDouble) -> None:
    """What is the time is told by the vault, so that a wrong clock here takes no secret away."""
    end = datetime.now(UTC) - timedelta(hours=1)
    date = (end - timedelta(minutes=1)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    body = {"value": "x", "id": "https://h/secrets/s/1", "attributes": {"enabled": True, "exp": int(end.timestamp())}}
    azure.replies["/secrets/s/"] = Reply(200, body, {"Date": date})
    assert isinstance(run_one(direct(azure), f"{SHOP}s"), Found)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "200, and not the JSON of a secret"),
        (b"<html></html>", "200, and not the JSON of a secret"),
        (b"\xff\xfe", "200, and not the JSON of a secret"),
        ([], "200, and not the JSON of a secret"),
        ({}, None),
        ({"value": "x"}, None),
        ({"value": "x", "id": 5}, None),
        ({"id": "https://h/secrets/s/1"}, "200, without a value"),
        ({"value": None, "id": "https://h/secrets/s/1"}, "200, without a value"),
    ],
)
def test_an_answer_of_the_wrong_shape(azure: AzureDouble, body: Any, message: str | None) -> None:
    azure.replies["/secrets/s/"] = Reply(200, body)
    result = run_one(direct(azure), f"{SHOP}s")
    assert isinstance(result, Failure), body
    assert result.kind == "malformed"
    assert message is None or result.message == f"azurekeyvault shop/s: {message}"
    assert result.tip == "check that 127.0.0.1 is the vault"


def test_another_version_than_asked_for(azure: AzureDouble) -> None:
    azure.replies["/secrets/s/1"] = Reply(200, {"value": "x", "id": "https://h/secrets/s/2"})
    result = run_one(direct(azure), f"{SHOP}s/1")
    assert isinstance(result, Failure)
    assert (result.kind, result.message) == ("malformed", "azurekeyvault shop/s/1: 200, without its version, or with another one")


def test_one_challenge_and_one_token_for_all(in_azure: AzureDouble) -> None:
    """Forty secrets of two vaults cost one challenge a vault and one login; the load says so before."""
    for number in range(20):
        in_azure.put(f"s{number}", f"v{number}")
    vaults = [f"v{token_hex(8)}" for _ in "ab"]  # the SDK remembers the challenges of vaults that it knows
    references = [f"azurekeyvault://{vault}/s{number}" for number in range(20) for vault in vaults]
    results = run(AzureKeyVault(), *references)
    assert [getattr(one, "value", None) for one in results.values()] == [f"v{number}" for number in range(20) for _ in "ab"]
    unauthorised = [
        path for _, _, path, headers in in_azure.asked if path.startswith("/secrets/") and "Authorization" not in headers
    ]
    assert len(unauthorised) == 2
    assert len([path for _, _, path, _ in in_azure.asked if path.endswith("/token")]) == 1
    assert len(in_azure.asked) == 2 + 40 + 2
    assert AzureKeyVault().requests([parse_reference(text) for text in references]) == 2 + 40 + 3


def test_the_next_load_needs_no_login(in_azure: AzureDouble) -> None:
    """The credential is the process's: a second load, through another provider, finds its token and the vault's challenge."""
    run_one(AzureKeyVault())
    in_azure.asked.clear()
    assert isinstance(run_one(AzureKeyVault()), Found)
    assert [path for _, _, path, _ in in_azure.asked] == ["/secrets/api-key/"]


def test_a_token_that_is_no_longer_taken_costs_one_load(in_azure: AzureDouble) -> None:
    """A token that the vault stops to take is not kept."""
    run_one(AzureKeyVault())
    in_azure.tokens.clear()
    result = run_one(AzureKeyVault())
    assert isinstance(result, Failure)
    assert result.kind == "unauthenticated"
    assert isinstance(run_one(AzureKeyVault()), Found)


def test_half_of_them_fail(azure: AzureDouble) -> None:
    """Each secret has its own outcome, and the first of a vault is no exception."""
    azure.put("off", "x", enabled=False)
    azure.put("no", "x")
    azure.deny("no")
    azure.replies["/secrets/busy/"] = refusal(429, "Throttled")
    names = ["none", "off", "no", "busy", "api-key"]
    results = run(direct(azure), *(f"{SHOP}{name}" for name in names))
    kinds = [result.kind if isinstance(result, Failure) else "found" for result in results.values()]
    assert kinds == ["missing", "missing", "denied", "throttled", "found"]


def test_who_asks_is_told_to_the_vault(in_azure: AzureDouble) -> None:
    """Every request says that it is ours, and the SDK's."""
    run_one(AzureKeyVault())
    assert all(
        "confguard-settings/" in headers["User-Agent"] and "azsdk-python-" in headers["User-Agent"]
        for *_, headers in in_azure.asked
    )


def test_nothing_of_the_sdk_says_anything(in_azure: AzureDouble) -> None:
    """Everything at DEBUG, from the first import of the SDK on, and not a record of loads that succeed and fail in every way."""
    code = """
import json, logging, os, sys
logging.basicConfig(level=logging.NOTSET, format="%(name)s")
from typing import Annotated
from pydantic import SecretStr
from confguard import BaseSettings, ConfigError, From, validate
class AppSettings(BaseSettings):
    a: Annotated[SecretStr, From("azurekeyvault://shop/api-key")]
    b: Annotated[SecretStr, From("azurekeyvault://shop/none")]
for changes in json.loads(sys.argv[1]):
    for name in ("AZURE_CLIENT_SECRET", "AZURE_CLIENT_ID", "AZURE_TENANT_ID"):
        del os.environ[name]
    os.environ.update(changes)
    try:
        validate(AppSettings, timeout=60)
    except ConfigError as exc:
        print(*{problem.kind for problem in exc.problems})
    os.environ.update(AZURE_CLIENT_SECRET="", AZURE_CLIENT_ID="", AZURE_TENANT_ID="")
"""
    good = {name: value for name, value in in_azure.environment().items() if name.startswith("AZURE_")}
    managed = {"IDENTITY_ENDPOINT": f"http://127.0.0.1:{in_azure.port}/msi/token", "IDENTITY_HEADER": in_azure.identity_header}
    scenes = [
        good,
        {**good, "AZURE_CLIENT_SECRET": "wrong"},
        {"AZURE_TOKEN_CREDENTIALS": "dev"},
        {**managed, "AZURE_TOKEN_CREDENTIALS": ""},
    ]
    done = subprocess.run([sys.executable, "-c", code, json.dumps(scenes)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["missing", "unauthenticated", "unauthenticated", "missing"]
    assert set(done.stderr.splitlines()) == {"confguard"}
