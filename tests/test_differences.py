"""The page of differences: each line has a test, and nothing else is different (tests/differential)."""

import copy
import logging
import pickle
import re
from functools import partial
from pathlib import Path
from secrets import token_urlsafe
from typing import Annotated, Any

import pydantic_settings
import pytest
from pydantic import Field, PostgresDsn, SecretStr, ValidationError
from pydantic_settings import PydanticBaseSettingsSource, SettingsError

from confguard import BaseSettings, ConfigError, From, Problem, Required, SettingsConfigDict, When, explain, rule, validate
from confguard._redaction import redactor
from confguard.provider import Failure
from tests.differences import shows
from tests.doubles import Store

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "differences.md"


def lines() -> list[str]:
    """The lines of the page, formatting left out: its bullets, and the paragraphs of its last chapter."""
    text = re.sub(r"^```.*?^```$", "", PAGE.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    listed, _, added = text.partition("## Added names")
    found = re.findall(r"^- (.*?)(?=^- |^#|^\s*$|\Z)", listed, flags=re.MULTILINE | re.DOTALL)
    return [re.sub(r"[*`]|\s+(?=\s)", "", line).replace("\n", " ") for line in (*found, *added.strip().split("\n\n"))]


def test_every_line_of_the_page_has_a_test_and_every_mark_a_line() -> None:
    text = "".join(path.read_text("utf-8") for path in sorted(TESTS.rglob("test_*.py")))
    marks = set(re.findall(r'^ *@shows\("(.+)"\)$', text, flags=re.MULTILINE))
    assert [line for line in lines() if not any(line.startswith(mark) for mark in marks)] == []
    assert {mark for mark in marks if sum(line.startswith(mark) for line in lines()) != 1} == set()


def problems_of(settings_class: type[BaseSettings]) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        validate(settings_class)
    return list(caught.value.problems)


@shows("More sources.")
def test_one_more_source_stands_last_and_gives_nothing_where_no_field_is_bound() -> None:
    seen: list[Any] = []

    class Settings(BaseSettings):
        port: int = 1

        @classmethod
        def settings_customise_sources(cls, settings_cls: Any, *args: Any, **kwargs: Any) -> Any:
            seen.append(super().settings_customise_sources(settings_cls, *args, **kwargs))
            return seen[0]

    sources = Settings.settings_customise_sources(Settings, *"abcd")
    assert seen == [tuple("abcd")]
    assert sources[:4] == tuple("abcd")
    assert sources[4]() == {}


@shows("ConfigError for a wrong class.")
def test_a_binding_that_is_wrong_is_told_when_the_class_is_called() -> None:
    class Settings(BaseSettings):
        token: Annotated[str, From("vault://secret/app#/token")] = ""

    with pytest.raises(ConfigError) as caught:
        Settings()
    assert [problem.kind for problem in caught.value.problems] == ["mistake"]


@shows("ConfigError for a broken rule")
def test_rules_and_conditions_hold_for_a_plain_call() -> None:
    class Settings(BaseSettings):
        debug: bool = Field(validation_alias="DEBUG")
        dsn: Annotated[SecretStr | None, Required(When(debug=False))] = None

        @rule("debug must be off")
        def no_debug(self) -> bool:
            return not self.debug

    kinds = {}
    for debug in (True, False):
        with pytest.raises(ConfigError) as caught:
            Settings(DEBUG=debug)
        kinds[debug] = [problem.kind for problem in caught.value.problems]
    assert kinds == {True: ["rule"], False: ["missing"]}


@shows("Secrets are remembered.")
def test_secrets_and_passwords_of_urls_are_known_afterwards() -> None:
    secret, password = token_urlsafe(), token_urlsafe()

    class Settings(BaseSettings):
        token: SecretStr
        dsn: PostgresDsn

    Settings(token=SecretStr(secret), dsn=PostgresDsn(f"postgres://u:{password}@h/d"))
    assert secret not in redactor.redact(f"it is {secret}")
    assert password not in redactor.redact(f"it is {password}")


class Bound(BaseSettings):
    token: Annotated[SecretStr, From("store://token")]
    spare: Annotated[SecretStr, From("store://spare")] = SecretStr("default")


def bound_to(store: Store, *allowed: str) -> type[Bound]:
    class Settings(Bound):
        model_config = SettingsConfigDict(providers=[store], allowed_references=allowed)

    return Settings


@shows("Calling the class fetches")
def test_calling_the_class_fetches(store: Store) -> None:
    store.put("token", "fetched")
    assert bound_to(store)().token.get_secret_value() == "fetched"


@shows("Calling the class raises ConfigError where a bound field cannot be fetched")
def test_what_cannot_be_fetched_is_told_before_pydantic_validates(store: Store) -> None:
    class Settings(Bound):
        model_config = SettingsConfigDict(providers=[store])
        port: int = 1

    with pytest.raises(ConfigError) as caught:
        Settings(port="many")
    assert [(problem.field, problem.kind) for problem in caught.value.problems] == [("token", "missing")]
    store.put("token", "fetched")
    with pytest.raises(ValidationError):
        Settings(port="many")


@shows("A bound field with a default gets it only where the store says that there is no such value.")
@pytest.mark.parametrize("kind", ["denied", "unavailable"])
def test_a_default_stands_in_for_what_is_missing_alone(store: Store, kind: Any) -> None:
    store.put("token", "fetched")
    assert bound_to(store)().spare.get_secret_value() == "default"
    store.fail("spare", Failure(kind, "no"))
    with pytest.raises(ConfigError) as caught:
        bound_to(store)()
    assert [(problem.field, problem.kind) for problem in caught.value.problems] == [("spare", kind)]


@shows("Where the class lists allowed_references")
def test_a_reference_from_outside_is_fetched_where_it_is_allowed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put("token", "fetched")
    store.put("app/a", "from outside")
    monkeypatch.setenv("SPARE", "ref+store://app/a")
    assert bound_to(store)().spare.get_secret_value() == "ref+store://app/a"
    assert bound_to(store, "store://app/")().spare.get_secret_value() == "from outside"


@shows("Warnings of providers go to the logger confguard.")
def test_warnings_are_logged(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    class Warning(Store):  # noqa: A001 - that is what it does
        def warnings(self) -> list[str]:
            return ["verification is off"]

    warning = Warning()
    warning.put("token", "fetched")
    with caplog.at_level(logging.WARNING, logger="confguard"):
        bound_to(warning)()
    (record,) = caplog.records
    assert record.name == "confguard"
    assert "verification is off" in record.getMessage()


class Local(BaseSettings):
    hosts: list[str] = ["h"]  # noqa: RUF012 - pydantic copies it
    port: int = 1


@shows("It raises ConfigError and no ValidationError or SettingsError.")
@pytest.mark.parametrize(("name", "raised"), [("PORT", ValidationError), ("HOSTS", SettingsError)])
def test_validate_raises_its_own_error(monkeypatch: pytest.MonkeyPatch, name: str, raised: type[Exception]) -> None:
    monkeypatch.setenv(name, "[not it")
    with pytest.raises(raised):
        Local()
    assert [problem.field for problem in problems_of(Local)] == [name.lower()]


@shows("A source that fails does not end the load.")
def test_a_source_that_fails_does_not_end_the_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """Field by field in a source of pydantic-settings, as a whole in a user's own, and the usual ones where the hook fails."""
    monkeypatch.setenv("HOSTS", "[not JSON")
    monkeypatch.setenv("PORT", "many")
    calls: list[str] = []

    class Source(PydanticBaseSettingsSource):
        def get_field_value(self, field: object, field_name: str) -> tuple[Any, str, bool]:
            return None, field_name, False

        def __call__(self) -> dict[str, Any]:
            calls.append("called")
            raise OSError(5, "no")

    class Adding(Local):
        @classmethod
        def settings_customise_sources(cls, settings_cls: Any, *args: Any, **kwargs: Any) -> Any:
            return (*args, Source(settings_cls), *kwargs.values())

    class Failing(Local):
        @classmethod
        def settings_customise_sources(cls, settings_cls: Any, *args: Any, **kwargs: Any) -> Any:
            raise OSError(5, "no")

    local = [("malformed", "hosts"), ("invalid", "port")]
    assert [(problem.kind, problem.field) for problem in problems_of(Local)] == local
    for settings_class in (Adding, Failing):
        told = {(problem.kind, problem.field) for problem in problems_of(settings_class)}
        assert told == {*local, ("malformed", "")}
    assert calls == ["called"] * 2


@shows("An env file that cannot be decoded")
def test_an_env_file_that_cannot_be_decoded_does_not_keep_others_from_being_read() -> None:
    class Settings(Local):
        model_config = SettingsConfigDict(env_file=("bad.env", "good.env"))

    Path("bad.env").write_bytes(b"PORT=\xff\n")
    Path("good.env").write_text("PORT=many\n")
    with pytest.raises(UnicodeDecodeError):
        Settings()
    assert [(problem.kind, problem.field) for problem in problems_of(Settings)] == [("malformed", ""), ("invalid", "port")]


@shows("A directory of secrets_dir that is not there")
def test_a_mounted_directory_that_is_not_there_is_told_where_a_value_is_missing() -> None:
    class Settings(BaseSettings):
        model_config = SettingsConfigDict(secrets_dir="absent", extra="ignore")
        port: int

    with pytest.warns(UserWarning, match="does not exist"), pytest.raises(ValidationError):
        Settings()
    (problem,) = problems_of(Settings)
    assert "absent (not there)" in problem.looked_in


@shows("A secret that is empty is a problem")
def test_an_empty_secret_is_a_problem_unless_its_class_allows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Settings(BaseSettings):
        token: SecretStr
        allowed: SecretStr = Field(min_length=0)
        empty: SecretStr = SecretStr("")

    for name in ("TOKEN", "ALLOWED", "EMPTY"):
        monkeypatch.setenv(name, "")
    assert Settings().token.get_secret_value() == ""
    assert [(problem.field, problem.message) for problem in problems_of(Settings)] == [("token", "is empty")]


@shows("A command line that pydantic-settings answers by exiting")
@pytest.mark.parametrize(("argument", "code"), [("--help", 0), ("--unknown", 2)])
def test_a_command_line_that_exits_exits(argument: str, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    class Settings(Local):
        model_config = SettingsConfigDict(cli_parse_args=[argument])

    for load in (Settings, partial(validate, Settings)):
        with pytest.raises(SystemExit) as caught:
            load()
        assert caught.value.code == code
    capsys.readouterr()


@shows("SettingsConfigDict also takes")
def test_names_that_are_added(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of the configuration, and nothing public on a class; where values came from is kept beside the settings."""
    keys = SettingsConfigDict.__annotations__.keys() - pydantic_settings.SettingsConfigDict.__annotations__.keys()
    text = next(line for line in lines() if line.startswith("SettingsConfigDict also takes"))
    assert {key for key in keys if key not in text} == set()
    assert {name for name in dir(BaseSettings) if name[:1] != "_"} == {
        name for name in dir(pydantic_settings.BaseSettings) if name[:1] != "_"
    }
    loaded = validate(Module)
    assert explain(loaded)
    for other in (copy.copy(loaded), pickle.loads(pickle.dumps(loaded))):
        with pytest.raises(LookupError):
            explain(other)


class Module(BaseSettings):
    """At the top of a module, where pickle finds it."""

    port: int = 1
