"""Who we are to the store: tokens, their files, AppRole, and what is said where a credential is not taken."""

import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from confguard._redaction import redactor
from confguard.provider import Failure, Found
from confguard.testing._openbao import OpenBao
from confguard_vault import AppRole, Token, Vault

FetchOne = Callable[..., Found | Failure]
Fetch = Callable[..., dict[str, Found | Failure]]

FOUND = Found('{"password": "hunter22"}', version="1")


@pytest.fixture
def token(bao: OpenBao, mount: str) -> str:
    """A token that may read the mount."""
    bao.policy(mount, f'path "{mount}/*" {{ capabilities = ["read"] }}')
    return bao.token(mount)


@pytest.fixture
def from_environment(bao: OpenBao, monkeypatch: pytest.MonkeyPatch) -> Vault:
    """A provider that takes all from the environment, where only the address is set so far."""
    monkeypatch.setenv("VAULT_ADDR", bao.address)
    monkeypatch.setenv("VAULT_CACERT", str(bao.ca_cert))
    return Vault()


@pytest.mark.parametrize("variable", ["VAULT_TOKEN", "BAO_TOKEN"])
def test_token_from_a_variable(
    from_environment: Vault, mount: str, token: str, fetch_one: FetchOne, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """The token stands in the variable of either command-line client."""
    monkeypatch.setenv(variable, token)
    assert fetch_one(from_environment, f"vault://{mount}/app") == FOUND


@pytest.mark.parametrize(
    ("scheme", "right", "wrong"), [("vault", "VAULT_TOKEN", "BAO_TOKEN"), ("openbao", "BAO_TOKEN", "VAULT_TOKEN")]
)
def test_each_scheme_believes_its_own_client_first(
    from_environment: Vault,
    mount: str,
    token: str,
    fetch_one: FetchOne,
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
    right: str,
    wrong: str,
) -> None:
    """With both variables set, vault:// takes that of vault, and openbao:// that of bao."""
    monkeypatch.setenv(right, token)
    monkeypatch.setenv(wrong, "of-another-store")
    assert fetch_one(from_environment, f"{scheme}://{mount}/app") == FOUND


@pytest.mark.parametrize("variable", ["VAULT_TOKEN_FILE", "BAO_TOKEN_FILE", "BAO_TOKEN_PATH"])
def test_token_from_a_file_named_by_a_variable(
    from_environment: Vault,
    mount: str,
    token: str,
    fetch_one: FetchOne,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    variable: str,
) -> None:
    """The token stands in a file, whose newline is no part of it."""
    (tmp_path / "token").write_text(f"{token}\n")
    monkeypatch.setenv(variable, str(tmp_path / "token"))
    assert fetch_one(from_environment, f"vault://{mount}/app") == FOUND


def test_token_from_a_file_named_in_code(
    bao: OpenBao, mount: str, token: str, fetch_one: FetchOne, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file that the code names wins over the environment."""
    monkeypatch.setenv("VAULT_TOKEN", "of-another-store")
    (tmp_path / "token").write_text(f"{token}\n")
    vault = Vault(address=bao.address, auth=Token(file=tmp_path / "token"), ca_cert=bao.ca_cert)
    assert fetch_one(vault, f"vault://{mount}/app") == FOUND


@pytest.mark.parametrize("name", [".vault-token", ".bao-token"])
def test_token_that_a_login_left_at_home(
    from_environment: Vault, mount: str, token: str, fetch_one: FetchOne, tmp_path: Path, name: str
) -> None:
    """A developer who logged in by hand needs no variable."""
    (tmp_path / name).write_text(f"{token}\n")
    assert fetch_one(from_environment, f"vault://{mount}/app") == FOUND


def test_token_file_that_is_not_there_yet(from_environment: Vault, fetch_one: FetchOne, tmp_path: Path) -> None:
    """A named file that does not exist may still be written, so trying again may help."""
    path = tmp_path / "later"
    vault = Vault(address="https://127.0.0.1:1", auth=Token(file=path))
    assert Failure(
        "unavailable",
        "vault: the file of Token(file=…) is not there (yet)",
        f"is {path} written, and mounted here?",
    ) == fetch_one(vault, "vault://secret/app")


def test_token_file_that_is_no_file(fetch_one: FetchOne, tmp_path: Path) -> None:
    """A named file that cannot be read does not mend itself."""
    vault = Vault(address="https://127.0.0.1:1", auth=Token(file=tmp_path))
    assert Failure(
        "unconfigured",
        "vault: the file of Token(file=…) cannot be read",
        f"make {tmp_path} a readable text file",
    ) == fetch_one(vault, "vault://secret/app")


@pytest.mark.parametrize(
    ("token", "message", "tip"),
    [
        (" \n", "vault: VAULT_TOKEN is empty", "write the credential there"),
        (
            "two\nlines",
            "vault: VAULT_TOKEN holds a character that no credential has",
            "write the bare credential there",
        ),
    ],
)
def test_token_that_no_header_can_carry(
    from_environment: Vault, fetch_one: FetchOne, monkeypatch: pytest.MonkeyPatch, token: str, message: str, tip: str
) -> None:
    """What cannot be a token is not sent, and not shown."""
    monkeypatch.setenv("VAULT_TOKEN", token)
    assert Failure("unauthenticated", message, tip) == fetch_one(from_environment, "vault://secret/app")


@pytest.mark.parametrize("home", ["", "/nonexistent", "relative", None])
def test_no_credential_at_all(from_environment: Vault, fetch: Fetch, monkeypatch: pytest.MonkeyPatch, home: str | None) -> None:
    """Without a credential, and with or without a home directory, every reference says what can be set."""
    if home is None:
        monkeypatch.delenv("HOME")
        monkeypatch.setattr(os, "getuid", lambda: 54321)  # known to no database of users
    else:
        monkeypatch.setenv("HOME", home)
    failure = Failure(
        "unauthenticated",
        "vault: no credential is set",
        "set VAULT_TOKEN, VAULT_TOKEN_FILE, or VAULT_ROLE_ID and VAULT_SECRET_ID; or log in by hand, which writes ~/.vault-token",
    )
    assert {"vault://a/b": failure, "vault://c/d": failure} == fetch(from_environment, "vault://a/b", "vault://c/d")


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("VAULT_ROLE_ID", "vault: VAULT_ROLE_ID is set, and no secret id"),
        ("BAO_SECRET_ID", "vault: BAO_SECRET_ID is set, and no role id"),
    ],
)
def test_half_an_app_role(
    from_environment: Vault, fetch_one: FetchOne, monkeypatch: pytest.MonkeyPatch, variable: str, message: str
) -> None:
    """One half of an AppRole without the other is told as that, and not as nothing at all."""
    monkeypatch.setenv(variable, "half")
    (Path(os.environ["HOME"]) / ".vault-token").write_text("of-somebody-else")
    result = fetch_one(from_environment, "vault://secret/app")
    assert isinstance(result, Failure)
    assert (result.kind, result.message) == ("unauthenticated", message)


def test_app_role(bao: OpenBao, mount: str, token: str, fetch_one: FetchOne, tmp_path: Path) -> None:
    """An AppRole logs in with the secret_id of the code or of a file, at any mount."""
    role_id, secret_id = bao.app_role(mount, mount, mount=f"machines/{mount}")
    (tmp_path / "secret_id").write_text(f"{secret_id}\n")
    for role in (
        AppRole(role_id, secret_id, mount=f"machines/{mount}"),
        AppRole(role_id, secret_id_file=tmp_path / "secret_id", mount=f"/machines/{mount}/"),
    ):
        vault = Vault(address=bao.address, auth=role, ca_cert=bao.ca_cert)
        assert fetch_one(vault, f"vault://{mount}/app") == FOUND


def test_app_role_without_a_secret_id(bao: OpenBao, mount: str, token: str, fetch_one: FetchOne) -> None:
    """A role that binds no secret_id logs in by its role_id alone."""
    role_id = bao.app_role(mount, mount, bind_secret_id=True)[0]
    bao.call("POST", f"auth/approle/role/{mount}", {"bind_secret_id": False, "token_bound_cidrs": "127.0.0.1/32"})
    vault = Vault(address=bao.address, auth=AppRole(role_id), ca_cert=bao.ca_cert)
    assert fetch_one(vault, f"vault://{mount}/app") == FOUND


@pytest.mark.parametrize("prefix", ["VAULT", "BAO"])
def test_app_role_from_the_environment(
    bao: OpenBao,
    from_environment: Vault,
    mount: str,
    token: str,
    fetch_one: FetchOne,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    prefix: str,
) -> None:
    """A role in the environment wins over what somebody left at home."""
    (tmp_path / ".vault-token").write_text("of-another-store")
    role_id, secret_id = bao.app_role(mount, mount)
    monkeypatch.setenv(f"{prefix}_ROLE_ID", role_id)
    monkeypatch.setenv(f"{prefix}_SECRET_ID", secret_id)
    assert fetch_one(from_environment, f"vault://{mount}/app") == FOUND


def test_app_role_that_is_not_taken(bao: OpenBao, mount: str, token: str, fetch: Fetch) -> None:
    """A wrong secret_id is told once, as unauthenticated, for all references, and no secret is asked for."""
    role_id, _ = bao.app_role(mount, mount)
    vault = Vault(address=bao.address, auth=AppRole(role_id, "no-such"), ca_cert=bao.ca_cert)
    bao.requests()
    results = fetch(vault, f"vault://{mount}/app", f"vault://{mount}/other")
    assert {
        Failure(
            "unauthenticated",
            "vault login auth/approle/login: 400, the login was not taken",
            "check AppRole(…): the secret_id may be used up or expired",
        )
    } == set(results.values())
    assert {"auth/approle/login"} >= {request.path for request in bao.requests()}


def test_app_role_at_a_mount_that_is_not_there(bao: OpenBao, fetch_one: FetchOne) -> None:
    """The store answers 403 for a login where there is no method, and the tip says that it may be so."""
    vault = Vault(address=bao.address, auth=AppRole("r", "s", mount="nowhere"), ca_cert=bao.ca_cert)
    assert Failure(
        "unauthenticated",
        "vault login auth/nowhere/login: 403, the login was not taken",
        "check AppRole(…): the secret_id may be used up or expired; and is the auth method enabled at this mount?",
    ) == fetch_one(vault, "vault://secret/app")


def test_login_without_a_token_in_its_answer(double: Any, fetch_one: FetchOne) -> None:
    """A login that answers 200 with something else is malformed."""
    vault = Vault(address=double.address, auth=AppRole("r", "s"))
    assert Failure(
        "malformed",
        "vault login auth/approle/login: 200, without a token",
        "check that the address is that of the store, and not of a page before it",
    ) == fetch_one(vault, "vault://secret/app")


def test_policy_that_does_not_allow(bao: OpenBao, mount: str, fetch_one: FetchOne) -> None:
    """A policy that allows one secret denies another, and the tip is the line that the policy needs."""
    bao.policy(f"{mount}-one", f'path "{mount}/data/app" {{ capabilities = ["read"] }}')
    vault = Vault(address=bao.address, auth=Token(bao.token(f"{mount}-one")), ca_cert=bao.ca_cert)
    bao.requests()
    assert Failure(
        "denied",
        f"vault {mount}/other: 403, denied (or it does not exist)",
        f'the policy needs: path "{mount}/data/other" {{ capabilities = ["read"] }}',
    ) == fetch_one(vault, f"vault://{mount}/other")
    assert len(bao.requests()) == 2


def test_policy_that_does_not_allow_the_mount(bao: OpenBao, mount: str, fetch: Fetch) -> None:
    """Where not even the mount may be seen, each reference has its own tip, and the token is asked about once."""
    vault = Vault(address=bao.address, auth=Token(bao.token("default")), ca_cert=bao.ca_cert)
    bao.requests()
    results = fetch(vault, f"vault://{mount}/app", f"vault://{mount}/other")
    assert [
        Failure(
            "denied",
            f"vault {mount}/{name}: 403, denied (or it does not exist)",
            f"is there a mount {mount}/? If so, the policy needs: "
            f'path "{mount}/data/{name}" {{ capabilities = ["read"] }}, or of KV v1 and other engines: '
            f'path "{mount}/{name}" {{ capabilities = ["read"] }}',
        )
        for name in ("app", "other")
    ] == list(results.values())
    assert [f"sys/internal/ui/mounts/{mount}/app", "auth/token/lookup-self"] == [r.path for r in bao.requests()]


def test_login_that_may_not_look_itself_up(bao: OpenBao, mount: str, fetch_one: FetchOne) -> None:
    """A role without the default policy is denied, not unauthenticated: its login has just been taken."""
    role = bao.app_role(f"{mount}-bare", token_no_default_policy=True)
    vault = Vault(address=bao.address, auth=AppRole(*role), ca_cert=bao.ca_cert)
    result = fetch_one(vault, f"vault://{mount}/app")
    assert isinstance(result, Failure)
    assert result.kind == "denied"


@pytest.mark.parametrize("how", ["revoked", "wrong"])
def test_token_that_is_not_valid(bao: OpenBao, mount: str, token: str, fetch: Fetch, how: str) -> None:
    """A revoked token and one of another store are told from a policy, by one question for the whole load."""
    if how == "revoked":
        bao.call("POST", "auth/token/revoke", {"token": token})
    else:
        token = f"s.{secrets.token_hex(12)}"
    vault = Vault(address=bao.address, auth=Token(token), ca_cert=bao.ca_cert)
    bao.requests()
    results = fetch(vault, f"vault://{mount}/app", f"vault://{mount}/other")
    assert [
        Failure(
            "unauthenticated",
            f"vault {mount}/{name}: 403, the token is not valid",
            "get a new token: that of Token(…) is expired, revoked, or of another store or namespace",
        )
        for name in ("app", "other")
    ] == list(results.values())
    assert [request.path for request in bao.requests()].count("auth/token/lookup-self") == 1


def test_agent_logs_in_for_us(double: Any, fetch_one: FetchOne, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the address of an agent no credential is needed, and none is sent."""
    monkeypatch.setenv("VAULT_ADDR", "https://vault.example.com")
    monkeypatch.setenv("VAULT_AGENT_ADDR", double.address)
    assert Found('{"password": "hunter22"}') == fetch_one(Vault(), "vault://secret/app")
    assert all("X-Vault-Token" not in headers for _, _, headers, _ in double.requests)


def test_credentials_are_told_before_they_are_sent(bao: OpenBao, mount: str, fetch_one: FetchOne) -> None:
    """The redactor knows the secret_id and the token of the login, and they are in no repr."""
    bao.policy(mount, f'path "{mount}/*" {{ capabilities = ["read"] }}')
    role_id, secret_id = bao.app_role(mount, mount, token_type="service")
    role = AppRole(role_id, secret_id)
    vault = Vault(address=bao.address, auth=role, ca_cert=bao.ca_cert)
    assert not redactor.holds_secret(secret_id)
    assert fetch_one(vault, f"vault://{mount}/app") == FOUND
    assert redactor.holds_secret(secret_id)
    assert secret_id not in repr(role) + repr(vault)


def test_token_of_a_login_is_told(double: Any, fetch_one: FetchOne) -> None:
    """The token that a login gives is as secret as one that was set."""
    token = secrets.token_hex(16)
    double.bodies["/v1/auth/approle/login"] = json.dumps({"auth": {"client_token": token}}).encode()
    assert isinstance(fetch_one(Vault(address=double.address, auth=AppRole("r", "s")), "vault://secret/app"), Found)
    assert redactor.redact(token) == "[redacted:credential]"


def test_token_is_told_before_the_first_request(fetch_one: FetchOne) -> None:
    """A token that never gets anywhere is known to the redactor all the same."""
    token = secrets.token_hex(16)
    vault = Vault(address="https://127.0.0.1:1", auth=Token(token))
    assert isinstance(fetch_one(vault, "vault://secret/app"), Failure)
    assert redactor.redact(token) == "[redacted:credential]"
    assert token not in repr(vault) + repr(Token(token))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Token(),
        lambda: Token("t", file="f"),
        lambda: AppRole("r", "s", secret_id_file="f"),
    ],
)
def test_contradictions_in_code(make: Callable[[], object]) -> None:
    """A credential that is given twice, or not at all, is a mistake where it is written."""
    with pytest.raises(ValueError, match="either"):
        make()
