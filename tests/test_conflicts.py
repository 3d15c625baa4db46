"""Conflicts: two values for one field in one source, of which one would be lost; and what is none, since a rule says so."""

import json
import os
import secrets
from pathlib import Path
from typing import Any

import pydantic_settings
import pytest
from pydantic import AliasChoices, BaseModel, Field, SecretStr

from confguard import BaseSettings, ConfigError, Problem, SettingsConfigDict, validate
from confguard._call import Call, load_settings
from tests.command import run
from tests.differences import shows

SECRETS = [secrets.token_hex(8) for _ in range(3)]
ONE, TWO, THREE = SECRETS


class Options(BaseModel):
    a: str = ""
    b: str = ""


class Database(BaseModel):
    host: str = ""
    options: Options = Options()
    user: str = Field("", validation_alias=AliasChoices("user", "login"))


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_nested_delimiter="__", extra="ignore", env_file=(".env", ".env.local"))

    db: Database = Field(Database(), validation_alias=AliasChoices("DB", "DATABASE"))
    url: str = Field("", validation_alias=AliasChoices("APP_URL", "URL"))
    x: SecretStr = SecretStr("")
    labels: dict[str, str] = Field({})
    either: str | Options = ""
    names: list[str] = Field([])


@pytest.fixture(autouse=True)
def only_these(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order of the environment is a part of these tests."""
    for name in set(os.environ) - {"PATH", "HOME"}:
        monkeypatch.delenv(name)


def problems_of(monkeypatch: pytest.MonkeyPatch, settings_class: Any = Settings, **variables: str) -> list[Problem]:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    (loaded,) = load_settings(Call((settings_class,), 5))
    assert all(secret not in str(problem) for problem in loaded.problems for secret in SECRETS)
    return [problem for problem in loaded.problems if problem.kind == "conflicting"]


def told(problems: list[Problem]) -> list[tuple[str, str, str, str]]:
    return [(problem.severity, problem.field, problem.message, str(problem.origin)) for problem in problems]


NONE: dict[str, dict[str, str]] = {
    "the key of a model overrides its JSON": {"DB": json.dumps({"host": ONE}), "DB__HOST": TWO},
    "and does before it too": {"DB__HOST": TWO, "DB": json.dumps({"host": ONE})},
    "mappings are merged": {"DB__OPTIONS__A": ONE, "DB": json.dumps({"options": {"b": TWO}})},
    "a nested override after nested JSON": {"DB__OPTIONS": json.dumps({"a": ONE}), "DB__OPTIONS__A": TWO},
    "the same twice": {"DB__OPTIONS__A": ONE, "DB__OPTIONS": json.dumps({"a": ONE, "b": TWO})},
    "two aliases that agree": {"APP_URL": ONE, "URL": ONE},
    "two cases that agree": {"X": ONE, "x": ONE},
    "two names of a model that give different fields": {"DB__HOST": ONE, "DATABASE__USER": TWO},
    "an override by another name of the model": {"DB": json.dumps({"host": ONE}), "DATABASE__HOST": TWO},
    "a text that happens to be JSON": {"URL": f'{{"a": "{ONE}", "a": "{TWO}"}}'},
    "variables of nobody": {"OTHER": ONE, "other": TWO},
    "variables whose names begin as a field's": {"XYZ": ONE, "xyz": TWO},
    "a key twice that agrees": {"DB": f'{{"host": "{ONE}", "host": "{ONE}"}}'},
    "keys of a mapping": {"LABELS": json.dumps({"a": ONE}), "LABELS__A": TWO, "LABELS__B": TWO},
    "a text for a union": {"EITHER": ONE, "EITHER__A": TWO},
    "what would be an element of a list": {"NAMES": json.dumps([ONE]), "NAMES__0": TWO},
}


@pytest.mark.parametrize("variables", NONE.values(), ids=NONE)
def test_what_is_documented_or_loses_nothing_is_no_conflict(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    assert told(problems_of(monkeypatch, **variables)) == []


TWO_CASES = "{} and {} are one variable where case does not count, and differ; the order of the environment decides"
REPLACES = "it replaces what {} gave, since it came later or is no object"
ERRORS: dict[str, tuple[dict[str, str], tuple[str, str, str]]] = {
    "two cases": (
        {"X": ONE, "x": TWO},
        ("x", TWO_CASES.format("X", "x"), "env x"),
    ),
    "two cases of a nested field": (
        {"db__HOST": ONE, "DB__HOST": TWO},
        ("db.host", TWO_CASES.format("DB__HOST", "db__HOST"), "env DB__HOST"),
    ),
    "two cases of a key of a mapping": (
        {"LABELS__A": ONE, "LABELS__a": TWO},
        ("labels", TWO_CASES.format("LABELS__A", "LABELS__a"), "env LABELS__a"),
    ),
    "nested JSON after what it replaces": (
        {"DB__OPTIONS__A": ONE, "DB__OPTIONS": json.dumps({"b": TWO})},
        ("db.options", REPLACES.format("DB__OPTIONS__A"), "env DB__OPTIONS"),
    ),
    "nested JSON after another value": (
        {"DB__OPTIONS__A": ONE, "DB__OPTIONS": json.dumps({"a": TWO})},
        ("db.options", REPLACES.format("DB__OPTIONS__A"), "env DB__OPTIONS"),
    ),
    "null beside a key": ({"DB": "null", "DB__HOST": ONE}, ("db", REPLACES.format("DB__HOST"), "env DB")),
    "two names of a model": (
        {"DATABASE__HOST": ONE, "DB__HOST": TWO},
        ("db.host", "DB__HOST and DATABASE__HOST name the same field and differ; their order decides", "env DB__HOST"),
    ),
    "a key twice": (
        {"DB": f'{{"host": "{ONE}", "host": "{TWO}"}}'},
        ("db", "a key stands twice in an object of its JSON, and the values differ", "env DB"),
    ),
    "a key twice further in": (
        {"LABELS": '{"a": "x", "b": "y", "a": "z"}'},
        ("labels", "a key stands twice in an object of its JSON, and the values differ", "env LABELS"),
    ),
}


@pytest.mark.parametrize(("variables", "expected"), ERRORS.values(), ids=ERRORS)
def test_a_value_that_is_lost_without_a_rule_is_an_error(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: tuple[str, str, str]
) -> None:
    """A plain call would lose one of the two values silently: none of what it loads holds both."""
    assert told(problems_of(monkeypatch, **variables)) == [("error", *expected)]
    with pytest.raises(ConfigError):
        validate(Settings)
    plain = Settings().model_dump_json() + Settings().x.get_secret_value()
    given = {secret for secret in SECRETS for value in variables.values() if secret in value}
    assert len([secret for secret in given if secret in plain]) < max(len(given), 1)


ALIASES: dict[str, tuple[dict[str, str], tuple[str, str, str]]] = {
    "of a field": (
        {"URL": ONE, "APP_URL": TWO},
        ("url", "URL differs and is passed over, since APP_URL comes first in the class", "env APP_URL"),
    ),
    "of a nested field": (
        {"DB__LOGIN": ONE, "DB__USER": TWO},
        ("db.user", "DB__LOGIN differs and is passed over, since DB__USER comes first in the class", "env DB__USER"),
    ),
    "of a model given whole": (
        {"DATABASE": json.dumps({"host": ONE}), "DB": json.dumps({"host": TWO})},
        ("db", "DATABASE differs and is passed over, since DB comes first in the class", "env DB"),
    ),
}


@pytest.mark.parametrize(("variables", "expected"), ALIASES.values(), ids=ALIASES)
def test_two_aliases_that_differ_are_a_warning(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: tuple[str, str, str]
) -> None:
    """The class says which of its aliases comes first, so the settings load with that one, as a plain call's do."""
    assert told(problems_of(monkeypatch, **variables)) == [("warning", *expected)]
    assert TWO in validate(Settings).model_dump_json()
    assert validate(Settings) == Settings()


def test_two_cases_of_a_variable_of_an_env_file_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within one file; of two files the later counts, and of two lines of one name the last, as in a shell."""
    Path(".env").write_text(f"X='{ONE}'\nx='{TWO}'\nURL={ONE}\nURL={TWO}\n")
    message = "X and x are one variable where case does not count, and differ; the last line counts"
    assert told(problems_of(monkeypatch)) == [("error", "x", message, "dotenv .env x")]
    Path(".env").write_text(f"X='{ONE}'\nx='{ONE}'\n")
    Path(".env.local").write_text(f"x={TWO}\n")
    assert told(problems_of(monkeypatch)) == []


def test_where_case_counts_two_cases_are_two_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    class Cased(BaseSettings):
        model_config = SettingsConfigDict(case_sensitive=True, env_file=".env")
        x: SecretStr

    Path(".env").write_text(f"x={ONE}\n")
    assert told(problems_of(monkeypatch, Cased, x=ONE, X=TWO)) == []


def test_an_empty_variable_that_is_passed_over_conflicts_with_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ignoring(Settings):
        model_config = SettingsConfigDict(env_ignore_empty=True)

    assert told(problems_of(monkeypatch, Ignoring, X=ONE, x="", URL=ONE, APP_URL="")) == []


def test_none_written_out_is_no_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    """`env_parse_none_str` is a text that means what it says."""

    class Nothing(Settings):
        model_config = SettingsConfigDict(env_parse_none_str="none")

    assert told(problems_of(monkeypatch, Nothing, DB="none", DB__HOST=ONE)) == []


def test_what_a_higher_source_shadows_does_not_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it would be loaded anyway."""
    Path(".env").write_text(f"X={ONE}\nx={TWO}\nURL={ONE}\nAPP_URL={TWO}\n")
    Path(".env").chmod(0o600)
    assert told(problems_of(monkeypatch, x=THREE, APP_URL=THREE)) == []


def test_an_alias_that_turns_the_order_of_sources_over_conflicts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The env file's name for the field comes first in the class, so the environment's value is lost."""
    Path(".env").write_text(f"DB__USER={ONE}\n")
    message = "it differs and is passed over, since the name that dotenv .env DB__USER has comes first in the class"
    assert told(problems_of(monkeypatch, DB__LOGIN=TWO)) == [("error", "db.user", message, "env DB__LOGIN")]
    assert Settings().db.user == ONE


@shows("Two values for one field in one source are a problem")
def test_validate_refuses_what_a_plain_call_loads_by_the_order_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(problems_of(monkeypatch, X=ONE, x=TWO)) != []
    assert Settings().x.get_secret_value() == TWO


def test_a_conflict_exits_with_78() -> None:
    Path("shop.py").write_text("from confguard import BaseSettings\n\n\nclass Shop(BaseSettings):\n    workers: int = 4\n")
    done = run(["check", "shop:Shop"], WORKERS="1", workers="2")
    assert (done.returncode, done.stdout.split()[:2]) == (78, ["workers", "conflicting"])


def test_a_plain_call_refuses_no_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    """It loads what pydantic-settings loads."""

    class Plain(pydantic_settings.BaseSettings):
        x: SecretStr

    class Ours(BaseSettings):
        x: SecretStr

    monkeypatch.setenv("X", ONE)
    monkeypatch.setenv("x", TWO)
    assert Ours().x == Plain().x
