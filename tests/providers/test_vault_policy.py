"""``confguard policy``: what it prints for OpenBao is enough, and all of it is needed."""

import secrets
from pathlib import Path
from typing import Any

import pytest

from confguard import ConfigError, validate
from confguard.testing._openbao import OpenBao
from tests.command import run

MODULE = """
from typing import Annotated, Literal
from pydantic import BaseModel, SecretStr
from confguard import BaseSettings, From, FromEach, SettingsConfigDict, When


class Database(BaseModel):
    user: str
    password: SecretStr


class Settings(BaseSettings):
    stage: Literal["staging", "production"]
    tenant: str
    api_key: Annotated[SecretStr, From("vault://{kv}/{{stage}}/app#/key")]
    same: Annotated[SecretStr, From("vault://{kv}/{{stage}}/app?version=1#/key")]
    moved: Annotated[SecretStr, From("vault://{kv}/new#/key", "vault://{kv}/old#/key")]
    keys: Annotated[list[SecretStr], FromEach("vault://{kv}/sign#/a", "vault://{kv}/verify#/b")]
    db: Annotated[Database, From("vault://{kv1}/team/db")]
    paid: Annotated[SecretStr | None, From("vault://{kv}/paid#/key", when=When(stage="production"))] = None
    of_tenant: Annotated[SecretStr, From("vault://{kv}/tenants/{{tenant}}#/key")]


class Plain(BaseSettings):
    debug: bool = False


class Mixed(BaseSettings):
    key: Annotated[SecretStr, From("vault://{kv}/new#/key")]
    other: Annotated[SecretStr, From("openbao://{kv}/old#/key")]


class Wrong(BaseSettings):
    key: Annotated[SecretStr, From("vault://{kv}/a//b")]
"""


@pytest.fixture
def mounts(bao: OpenBao) -> dict[str, str]:
    """A KV v2 and a KV v1 mount with everything that the class needs; vault://kv/new is missing."""
    made = {"kv": f"kv-{secrets.token_hex(4)}", "kv1": f"kv-{secrets.token_hex(4)}"}
    bao.mount_kv(made["kv"])
    bao.mount_kv(made["kv1"], 1)
    for path in ("staging/app", "production/app", "old", "paid", "tenants/acme"):
        bao.put(made["kv"], path, {"key": secrets.token_hex(8)})
    bao.put(made["kv"], "sign", {"a": secrets.token_hex(8)})
    bao.put(made["kv"], "verify", {"b": secrets.token_hex(8)})
    bao.put(made["kv1"], "team/db", {"user": "me", "password": secrets.token_hex(8)}, 1)
    return made


@pytest.fixture
def module(mounts: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module in the current directory that holds the classes."""
    name = f"service_{secrets.token_hex(4)}"
    Path(f"{name}.py").write_text(MODULE.format(**mounts))
    monkeypatch.syspath_prepend(str(Path.cwd()))
    return name


def printed(*arguments: str) -> str:
    done = run(["policy", *arguments])
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_with_the_printed_policy_the_load_passes_and_without_any_rule_of_it_the_report_names_that_rule(
    bao: OpenBao, mounts: dict[str, str], module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The policy for production is sufficient, and each of its rules is necessary and is asked for by its own words."""
    policy = printed(f"{module}:Settings", "--set", "stage=production", "--set", "tenant=acme", "--fact", f"{mounts['kv1']}=kv1")
    rules = [line for line in policy.splitlines() if not line.startswith("#")]
    assert len(rules) == 8
    monkeypatch.setenv("VAULT_ADDR", bao.address)
    monkeypatch.setenv("VAULT_CACERT", str(bao.ca_cert))
    monkeypatch.setenv("STAGE", "production")
    monkeypatch.setenv("TENANT", "acme")
    settings_class: Any = getattr(__import__(module), "Settings")  # noqa: B009 - a module made for this test
    name = f"policy-{secrets.token_hex(4)}"
    bao.policy(name, policy)
    monkeypatch.setenv("VAULT_TOKEN", bao.token(name))
    assert validate(settings_class).stage == "production"
    for rule in rules:
        bao.policy(name, "\n".join(other for other in rules if other != rule))
        with pytest.raises(ConfigError) as caught:
            validate(settings_class)
        assert {problem.kind for problem in caught.value.problems} == {"denied"}, rule
        assert all(rule in str(problem.tip) for problem in caught.value.problems), rule


def test_every_value_that_a_type_lists_is_included_and_what_is_not_known_has_a_placeholder(
    mounts: dict[str, str], module: str
) -> None:
    """Without --set there is a rule for each stage, one for what only production asks for, and a marked one for any tenant."""
    kv = mounts["kv"]
    policy = printed(f"{module}:Settings")
    for path in ("staging/app", "production/app", "new", "old", "sign", "verify", "paid", "tenants/<tenant>"):
        assert f'path "{kv}/data/{path}" {{ capabilities = ["read"] }}' in policy.splitlines()
    assert f"# Taken for KV v2: {mounts['kv1']}." in policy
    staging = printed(f"{module}:Settings", "--set", "stage=staging")
    assert "paid" not in staging
    assert "production" not in staging
    assert printed(f"{module}:Settings", "--only", "keys").count("path ") == 2


def test_stores_stand_apart(mounts: dict[str, str], module: str) -> None:
    """One provider writes one policy, whatever schemes it serves; --store takes one scheme alone."""
    assert printed(f"{module}:Mixed").count("path ") == 2
    assert printed(f"{module}:Mixed", "--store", "openbao").count("path ") == 1
    done = run(["policy", f"{module}:Plain"])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "nothing is fetched from a store, so no policy is needed\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "stag=production"], "did you mean 'stage'?"),
        (["--set", "stage=test"], "it is one of staging, production"),
        (["--set", "tenant=../admin"], "has other characters than"),
        (["--set", "tenant"], "--set takes NAME=VALUE"),
        (["--fact", "secret=kv3"], "write MOUNT=kv1, MOUNT=kv2, MOUNT=other"),
        (["--store", "awssm"], "the classes ask vault"),
        (["--only", "api_kee"], "did you mean 'api_key'?"),
    ],
)
def test_wrong_use_says_what_to_write(module: str, arguments: list[str], words: str) -> None:
    """An option that cannot be carried out is refused with 64, and nothing is printed that could be taken for a policy."""
    done = run(["policy", f"{module}:Settings", *arguments])
    assert (done.returncode, done.stdout) == (64, "")
    assert words in done.stderr


def test_a_mistake_of_the_class_is_told_and_no_policy_is_printed(module: str) -> None:
    """Half a policy would be taken for a whole one."""
    done = run(["policy", f"{module}:Wrong"])
    assert (done.returncode, done.stdout) == (78, "")
    assert "an empty segment" in done.stderr
