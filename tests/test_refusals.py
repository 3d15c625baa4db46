"""`problems_of` and `assert_refuses`: tests of "it must not start"."""

import asyncio
import sys
from collections.abc import Callable
from secrets import token_hex
from typing import Annotated, Any, Literal, get_args, get_type_hints

import pytest
from pydantic import BaseModel, SecretStr

from confguard import BaseSettings, ConfigError, From, SettingsConfigDict, lazy, rule, validate
from confguard._lazy import held
from confguard._problem import Kind
from confguard.provider import Failure
from confguard.testing import assert_refuses, problems_of
from tests.doubles import Store

STORE = Store()


class Database(BaseModel):
    host: str = "localhost"
    password: SecretStr


class AppSettings(BaseSettings):
    model_config = SettingsConfigDict(env_nested_delimiter="__", providers=[STORE])

    app_env: Literal["development", "production"]
    app_debug: bool = False
    app_key: Annotated[SecretStr, From("store://app")]
    app_db: Database

    @rule("debug must be off in production")
    def no_debug_in_production(self) -> bool:
        return not (self.app_debug and self.app_env == "production")


class OtherSettings(BaseSettings):
    app_port: int


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A place in which all is well."""
    STORE.payloads.clear()
    STORE.put("app", token_hex())
    for name, value in {"APP_ENV": "production", "APP_DB__PASSWORD": token_hex(), "APP_PORT": "80"}.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def create_app() -> object:
    return validate(AppSettings)


def main() -> None:
    try:
        create_app()
    except ConfigError:
        sys.exit(78)


def test_nothing_is_wrong_where_it_starts() -> None:
    """Classes, handles and functions that start have no problems."""
    assert problems_of(AppSettings) == problems_of(AppSettings, OtherSettings) == problems_of(create_app) == ()
    assert problems_of(lazy(AppSettings)) == ()


@pytest.mark.parametrize("make", [lambda: AppSettings, lambda: lazy(AppSettings), lambda: create_app, lambda: main])
def test_the_problems_are_those_of_the_report(make: Callable[[], Any], place: pytest.MonkeyPatch) -> None:
    """Whatever is started, all that is wrong comes back, and a service that ends with an exit code is no other case."""
    STORE.fail("app", Failure("denied", "store app: 403"))
    place.setenv("APP_ENV", "prod")
    place.delenv("APP_DB__PASSWORD")
    problems = problems_of(make())
    assert {(problem.field, problem.kind) for problem in problems if problem.severity == "error"} == {
        ("app_key", "denied"),
        ("app_db.password", "missing"),
        ("app_env", "invalid"),
    }


def test_warnings_are_problems_of_settings_that_start(place: pytest.MonkeyPatch) -> None:
    """What is odd about settings that load is told, and does not make them refuse."""
    place.setenv("ODD_ULR", "y")

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(env_prefix="ODD_")
        url: str = "x"

    assert {problem.severity for problem in problems_of(Settings)} == {"warning"}
    with pytest.raises(AssertionError, match="Settings starts"):
        assert_refuses(Settings, unknown="ODD_ULR")


def test_a_handle_holds_what_it_held() -> None:
    """Asking for the problems of a handle does not load it."""
    handle = lazy(AppSettings)
    assert problems_of(handle) == ()
    assert held(handle) is None


def test_expected_reasons_pass_and_come_back(place: pytest.MonkeyPatch) -> None:
    """All that is wrong is named by kind: one field as a text, several as a list."""
    STORE.fail("app", Failure("throttled", "store app: 429", retry_after=2.0))
    place.delenv("APP_DB__PASSWORD")
    place.setenv("APP_ENV", "prod")
    problems = assert_refuses(AppSettings, missing=["app_db.password"], invalid="app_env", throttled={"app_key"})
    assert [problem.retry_after for problem in problems if problem.kind == "throttled"] == [2.0]
    assert assert_refuses(main, missing="app_db.password", invalid="app_env", throttled="app_key") == problems


def test_without_a_reason_any_refusal_will_do(place: pytest.MonkeyPatch) -> None:
    """No reason is named, so all are good."""
    place.delenv("APP_ENV")
    assert assert_refuses(AppSettings)


def test_several_classes_are_refused_together(place: pytest.MonkeyPatch) -> None:
    """Fields of all classes can be named."""
    place.delenv("APP_ENV")
    place.setenv("APP_PORT", "x")
    assert_refuses(AppSettings, OtherSettings, missing="app_env", invalid="app_port")


def test_a_rule_is_named_by_its_method_or_its_claim(place: pytest.MonkeyPatch) -> None:
    """Both names of a rule lead to it, also where a function raised it."""
    place.setenv("APP_DEBUG", "on")
    for target in (AppSettings, create_app):
        assert_refuses(target, rule="no_debug_in_production")
        assert_refuses(target, rule="debug must be off in production")


def test_what_starts_fails() -> None:
    """A service that starts although it must not is told with what was expected."""
    with pytest.raises(AssertionError) as caught:
        assert_refuses(create_app, missing="app_key", denied=["app_db.password"])
    assert str(caught.value) == "create_app starts, and this was expected: denied app_db.password; missing app_key"


def test_other_reasons_fail_with_the_whole_report(place: pytest.MonkeyPatch) -> None:
    """A reason that is not there, one of another kind and one that was not named are told, and then the report."""
    password = token_hex()
    place.setenv("APP_DB__PASSWORD", password)
    place.setenv("APP_ENV", password)
    STORE.fail("app", Failure("denied", "store app: 403"))
    with pytest.raises(AssertionError) as caught:
        assert_refuses(AppSettings, missing=["app_key", "app_debug"])
    text = str(caught.value)
    told, report = text.split("\n\n", 1)
    assert told.splitlines() == [
        "AppSettings is refused, but not as expected",
        "    app_key is denied, not missing",
        "    app_debug is not missing: no problem names it",
        "    app_env is invalid, which was not expected",
    ]
    assert report.endswith("AppSettings: 2 errors, 0 warnings (tests.test_refusals)")
    assert password not in text
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_reasons_that_are_not_named_may_be_let_pass(place: pytest.MonkeyPatch) -> None:
    """With exactly=False only what is named has to be there."""
    place.delenv("APP_ENV")
    place.delenv("APP_DB__PASSWORD")
    assert_refuses(AppSettings, missing="app_env", exactly=False)
    with pytest.raises(AssertionError, match=r"app_db.password is missing, which was not expected"):
        assert_refuses(AppSettings, missing="app_env")


@pytest.mark.parametrize("target", [AppSettings, create_app])
def test_a_field_that_does_not_exist_fails_with_a_suggestion(target: object, place: pytest.MonkeyPatch) -> None:
    """A misspelt path or rule is a mistake of the test, and is told as one."""
    place.delenv("APP_DB__PASSWORD")
    with pytest.raises(ValueError, match=r"missing: there is no field 'app_db.pasword'; did you mean 'app_db.password'\?"):
        assert_refuses(target, missing="app_db.pasword")  # type: ignore[arg-type]
    place.setenv("APP_DB__PASSWORD", token_hex())
    with pytest.raises(ValueError if target is AppSettings else AssertionError, match=r"app_db\.pasword"):
        assert_refuses(target, missing="app_db.pasword")  # type: ignore[arg-type]
    place.delenv("APP_DB__PASSWORD")
    with pytest.raises(ValueError, match=r"rule: there is no rule 'no_debug_in_prod'; did you mean 'no_debug_in_production'\?"):
        assert_refuses(target, rule="no_debug_in_prod")  # type: ignore[arg-type]


def test_a_problem_of_no_field_is_named_by_its_message(place: pytest.MonkeyPatch) -> None:
    """What concerns no field is named by a part of what is said of it; a field's name in a message is no such part."""

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(env_file=".env")
        url: str = "x"

        @classmethod
        def settings_customise_sources(cls, *args: Any, **kwargs: Any) -> Any:
            raise PermissionError(13, "Permission denied", "url")

    assert_refuses(Settings, denied="Permission denied")
    with pytest.raises(AssertionError, match="url is not denied"):
        assert_refuses(Settings, denied="url")


def test_other_exceptions_are_the_tests_own() -> None:
    """What a service raises beside a refusal is not caught, and neither is an exit for another reason."""
    with pytest.raises(ZeroDivisionError):
        problems_of(lambda: 1 / 0)
    with pytest.raises(SystemExit):
        problems_of(lambda: sys.exit(1))


def test_only_what_can_be_started_is_taken() -> None:
    """Neither other classes nor several functions nor a coroutine are."""

    async def start() -> None: ...

    for targets in ((), (int,), (create_app, main), (AppSettings, create_app), ("x",)):
        with pytest.raises(TypeError, match="give settings classes, lazy settings, or one function"):
            problems_of(*targets)
    with pytest.raises(TypeError, match="asynchronous"):
        problems_of(start)
    assert problems_of(lambda: asyncio.run(start())) == ()


def test_the_timeout_reaches_the_load() -> None:
    """It is that of `validate`."""
    with pytest.raises(ValueError, match="timeout must be above 0"):
        problems_of(AppSettings, timeout=0)


def test_every_kind_can_be_named() -> None:
    """The arguments are the kinds of problems, none left out."""
    kinds = {kind for part in get_args(Kind) for kind in get_args(part)} or set(get_args(Kind))
    arguments = set(get_type_hints(assert_refuses)) - {"targets", "exactly", "timeout", "return"}
    assert arguments == kinds
