"""What is read, and with how many requests."""

import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from confguard._reference import parse_reference
from confguard.provider import Deadline, Failure, Found, Reference
from confguard.testing._openbao import OpenBao
from confguard_vault import AppRole, Token, Vault

FetchOne = Callable[..., Found | Failure]
Fetch = Callable[..., dict[str, Found | Failure]]


def test_kv2_payload_is_its_json_with_the_version(root: Vault, mount: str, fetch_one: FetchOne) -> None:
    """A KV v2 secret is the JSON text of its data, with the version that the store tells."""
    assert Found('{"password": "hunter22"}', version="1") == fetch_one(root, f"vault://{mount}/app")


def test_data_in_the_path_is_the_same_secret(bao: OpenBao, root: Vault, mount: str, fetch: Fetch) -> None:
    """On KV v2 a path with data/ behind the mount names the same secret as one without, and both share one read."""
    results = fetch(root, f"vault://{mount}/app", f"vault://{mount}/data/app", f"vault://{mount}/app/")
    assert set(results.values()) == {Found('{"password": "hunter22"}', version="1")}
    assert [f"read sys/internal/ui/mounts/{mount}/app", f"read {mount}/data/app"] == [str(r) for r in bao.requests()]


def test_openbao_scheme_shares_the_load(bao: OpenBao, root: Vault, mount: str, fetch: Fetch) -> None:
    """Both schemes with one store behind them share its reads."""
    results = fetch(root, f"vault://{mount}/app", f"openbao://{mount}/app")
    assert set(results.values()) == {Found('{"password": "hunter22"}', version="1")}
    assert len(bao.requests()) == 2


def test_kv1_is_read_plainly(bao: OpenBao, root: Vault, fetch_one: FetchOne) -> None:
    """A KV v1 secret has no version."""
    path = f"old-{secrets.token_hex(4)}"
    bao.mount_kv(path, 1)
    bao.put(path, "app", {"n": 1}, 1)
    assert Found('{"n": 1}') == fetch_one(root, f"vault://{path}/app")


def test_kv1_keeps_no_versions(bao: OpenBao, root: Vault, fetch_one: FetchOne) -> None:
    """A version of a KV v1 secret is a mistake of the reference, told without a read."""
    path = f"old-{secrets.token_hex(4)}"
    bao.mount_kv(path, 1)
    bao.requests()
    assert Failure(
        "unconfigured", f"vault {path}/app: KV v1 keeps no versions", "leave ?version= out, or use KV v2"
    ) == fetch_one(root, f"vault://{path}/app?version=2")
    assert len(bao.requests()) == 1


def test_versions(bao: OpenBao, root: Vault, mount: str, fetch: Fetch) -> None:
    """A version is pinned, the newest is read without one, and one that never was is missing."""
    bao.put(mount, "app", {"password": "second"})
    pinned, newest, absent = (f"vault://{mount}/app{query}" for query in ("?version=1", "", "?version=9"))
    assert {
        pinned: Found('{"password": "hunter22"}', version="1"),
        newest: Found('{"password": "second"}', version="2"),
        absent: Failure(
            "missing",
            f"vault {mount}/app?version=9: 404, no such secret or version",
            "check the path, or write the secret",
        ),
    } == fetch(root, pinned, newest, absent)


@pytest.mark.parametrize("version", ["latest", "0", "-1", "1.0", "\uff11"])
def test_version_is_a_number(root: Vault, mount: str, fetch_one: FetchOne, version: str) -> None:
    """What is no number of a version is not sent to the store."""
    assert Failure(
        "unconfigured",
        f"vault {mount}/app: ?version= is not a number",
        "write ?version=3, or leave it out for the newest",
    ) == fetch_one(root, f"vault://{mount}/app?version={version}")


@pytest.mark.parametrize(
    ("method", "path", "state", "tip"),
    [
        ("DELETE", "data/app", "deleted", "undelete it, write a new version, or ask for an older one"),
        ("PUT", "destroy/app", "destroyed", "write a new version, or ask for an older one"),
    ],
)
def test_deleted_and_destroyed_versions(
    bao: OpenBao, root: Vault, mount: str, fetch_one: FetchOne, method: str, path: str, state: str, tip: str
) -> None:
    """A version that is gone is missing, and the message says how it went."""
    bao.call(method, f"{mount}/{path}", {"versions": [1]})
    result = fetch_one(root, f"vault://{mount}/app")
    assert isinstance(result, Failure)
    assert ("missing", f"vault {mount}/app: version 1 is {state}", tip) == (result.kind, result.message, result.tip)
    assert result.request_id is not None


def test_mounts_of_several_segments(bao: OpenBao, root: Vault, fetch: Fetch) -> None:
    """Mounts that share their first segment are told apart, each with one question, and a wrong path fails alone."""
    team = f"team-{secrets.token_hex(4)}"
    for name in ("a", "b"):
        bao.mount_kv(f"{team}/{name}")
        bao.put(f"{team}/{name}", "x", {"from": name})
        bao.put(f"{team}/{name}", "deep/y", {"from": name})
    bao.requests()
    results = fetch(root, *(f"vault://{team}/{path}" for path in ("none/x", "a/x", "a/deep/y", "b/data/x", "b/deep/y")))
    payloads = [json.loads(r.value)["from"] if isinstance(r, Found) else r.kind for r in results.values()]
    assert payloads == ["denied", "a", "a", "b", "b"]
    questions = [r.path.removeprefix("sys/internal/ui/mounts/") for r in bao.requests() if "mounts" in r.path]
    assert sorted([f"{team}/none/x", f"{team}/a/x", f"{team}/b/data/x"]) == sorted(questions)


def test_bare_mount_is_no_secret(root: Vault, mount: str, fetch_one: FetchOne) -> None:
    """A path that ends at the mount is told so."""
    assert Failure(
        "unconfigured", f"vault {mount}: this is a mount, and not a secret in it", "add the path of the secret"
    ) == fetch_one(root, f"vault://{mount}")


def test_one_login_one_question_fifty_reads(bao: OpenBao, mount: str, fetch: Fetch) -> None:
    """Fifty secrets of one mount cost one login, one question about the mount, and fifty reads."""
    for number in range(50):
        bao.put(mount, f"app{number}", {"n": number})
    bao.policy("fifty", f'path "{mount}/*" {{ capabilities = ["read"] }}')
    role_id, secret_id = bao.app_role("fifty", "fifty")
    bao.requests()
    vault = Vault(address=bao.address, auth=AppRole(role_id, secret_id), ca_cert=bao.ca_cert)
    results = fetch(vault, *(f"vault://{mount}/app{number}" for number in range(50)))
    assert [Found(json.dumps({"n": number}), version="1") for number in range(50)] == list(results.values())
    asked = [str(request) for request in bao.requests()]
    assert ["update auth/approle/login", f"read sys/internal/ui/mounts/{mount}/app0"] == asked[:2]
    assert sorted(f"read {mount}/data/app{number}" for number in range(50)) == sorted(asked[2:])


def test_a_load_logs_in_once(bao: OpenBao, mount: str) -> None:
    """A second round of the same load uses the login and the mounts of the first."""
    bao.policy("twice", f'path "{mount}/*" {{ capabilities = ["read"] }}')
    vault = Vault(address=bao.address, auth=AppRole(*bao.app_role("twice", "twice")), ca_cert=bao.ca_cert)
    bao.requests()
    deadline = Deadline(10)
    for path in ("nope", "app"):
        vault.fetch([parse_reference(f"vault://{mount}/{path}")], deadline=deadline)
    vault.close()
    deadline.close()
    assert [
        "update auth/approle/login",
        f"read sys/internal/ui/mounts/{mount}/nope",
        f"read {mount}/data/nope",
        f"read {mount}/data/app",
    ] == [str(request) for request in bao.requests()]


@pytest.mark.parametrize("what", ["another deadline", "closed"])
def test_a_login_is_not_carried_over(bao: OpenBao, mount: str, what: str) -> None:
    """Neither a connection of another deadline, which would not cut it, nor one that was closed is used again."""
    bao.policy("carried", f'path "{mount}/*" {{ capabilities = ["read"] }}')
    vault = Vault(address=bao.address, auth=AppRole(*bao.app_role("carried", "carried")), ca_cert=bao.ca_cert)
    bao.requests()
    first = Deadline(10)
    second = Deadline(10) if what == "another deadline" else first
    ref = parse_reference(f"vault://{mount}/app")
    vault.fetch([ref], deadline=first)
    if what == "closed":
        vault.close()
    vault.fetch([ref], deadline=second)
    vault.close()
    for deadline in (first, second):
        deadline.close()
    assert [str(request) for request in bao.requests()].count("update auth/approle/login") == 2


def test_the_plan_counts_the_requests_that_are_made(bao: OpenBao, mount: str, fetch: Fetch) -> None:
    """What is told without a network is what the store's log shows: one login, one question a mount, one read a path."""
    other = f"kv-{secrets.token_hex(4)}"
    bao.mount_kv(other)
    for path, name in ((mount, "b"), (other, "c")):
        bao.put(path, name, {"n": 1})
    bao.policy("counted", f'path "{mount}/*" {{ capabilities = ["read"] }}\npath "{other}/*" {{ capabilities = ["read"] }}')
    vault = Vault(address=bao.address, auth=AppRole(*bao.app_role("counted", "counted")), ca_cert=bao.ca_cert)
    references = [f"vault://{mount}/app", f"vault://{mount}/app?version=1", f"vault://{mount}/b", f"vault://{other}/c"]
    bao.requests()
    assert all(isinstance(answer, Found) for answer in fetch(vault, *references).values())
    assert Vault().requests([parse_reference(text) for text in references]) == len(bao.requests()) == 7


def test_a_new_load_logs_in_again(bao: OpenBao, mount: str, fetch_one: FetchOne) -> None:
    """A provider that was closed can load again, with a login of its own."""
    bao.policy("again", f'path "{mount}/*" {{ capabilities = ["read"] }}')
    vault = Vault(address=bao.address, auth=AppRole(*bao.app_role("again", "again")), ca_cert=bao.ca_cert)
    bao.requests()
    for _ in range(2):
        assert isinstance(fetch_one(vault, f"vault://{mount}/app"), Found)
    assert [str(request) for request in bao.requests()].count("update auth/approle/login") == 2


def test_namespaces(bao: OpenBao, fetch_one: FetchOne, monkeypatch: pytest.MonkeyPatch) -> None:
    """The namespace of the code wins over that of the environment, and paths are within it."""
    name = f"ns-{secrets.token_hex(4)}"
    bao.call("POST", f"sys/namespaces/{name}")
    bao.call("POST", "sys/mounts/inner", {"type": "kv", "options": {"version": "1"}}, namespace=name)
    bao.call("POST", "inner/app", {"where": "inside"}, namespace=name)
    monkeypatch.setenv("VAULT_NAMESPACE", name)
    auth = Token(bao.root_token)
    vault = Vault(address=bao.address, auth=auth, ca_cert=bao.ca_cert)
    assert Found('{"where": "inside"}') == fetch_one(vault, "vault://inner/app")
    elsewhere = Vault(address=bao.address, auth=auth, ca_cert=bao.ca_cert, namespace="elsewhere")
    assert isinstance(fetch_one(elsewhere, "vault://inner/app"), Failure)


def test_other_engines_are_read_plainly(bao: OpenBao, root: Vault, fetch_one: FetchOne) -> None:
    """An engine that is not KV gives its data as it is."""
    bao.call("POST", "cubbyhole/mine", {"a": "ü"})
    assert Found('{"a": "ü"}') == fetch_one(root, "vault://cubbyhole/mine")


def test_a_lease_is_kept(double: Any, fetch_one: FetchOne) -> None:
    """What the store lends has the moment at which the lease ends."""
    double.bodies["/v1/secret/app"] = b'{"lease_id": "database/creds/x/1", "lease_duration": 3600, "data": {"u": "v"}}'
    before = datetime.now(UTC)
    result = fetch_one(Vault(address=double.address, auth=Token("t")), "vault://secret/app")
    assert isinstance(result, Found)
    assert result.expires_at is not None
    assert timedelta(0) <= result.expires_at - before - timedelta(hours=1) < timedelta(seconds=5)


def test_odd_names_reach_the_store_whole(bao: OpenBao, root: Vault, mount: str, fetch_one: FetchOne) -> None:
    """Characters that mean something in a URL are part of the path."""
    bao.put(mount, "a%20b%3Fc%23d%2525e%2B%C3%BC", {"odd": 1})
    assert Found('{"odd": 1}', version="1") == fetch_one(root, f"vault://{mount}/a%20b%3Fc%23d%2525e%2B%C3%BC")


@pytest.mark.parametrize("path", ["secret/../sys/seal-status", "secret/./app", "secret//app", ".."])
def test_dot_segments_are_refused(double: Any, path: str) -> None:
    """A path that would be folded on its way is refused, even where the core lets it through, and nothing is asked."""
    vault = Vault(address=double.address, auth=Token("t"))
    ref = Reference("vault", path)  # not as the core would make it
    failure = Failure("unconfigured", f"vault://{path}: an empty or dot segment in its path", "write the path itself")
    assert {ref: failure} == dict(vault.fetch([ref], deadline=Deadline(5)))
    assert double.paths() == []
    vault.close()


def test_requests_say_who_asks(double: Any, fetch_one: FetchOne, tmp_path: Path) -> None:
    """Requests carry the name and version of this distribution, and ~/.netrc is not read."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password other\n")
    fetch_one(Vault(address=double.address, auth=Token("t0ken")), "vault://secret/app")
    for _, _, headers, _ in double.requests:
        assert headers["User-Agent"].startswith("confguard-settings/")
        assert headers["X-Vault-Token"] == "t0ken"
        assert "Authorization" not in headers


def test_an_old_store_is_read_plainly(double: Any, fetch_one: FetchOne) -> None:
    """Where the question about mounts is unknown, the path is read as it is, as the command-line client does."""
    double.statuses["/v1/sys/internal/ui/mounts/secret/app"] = 404
    vault = Vault(address=double.address, auth=Token("t"))
    assert Found('{"password": "hunter22"}') == fetch_one(vault, "vault://secret/app")
