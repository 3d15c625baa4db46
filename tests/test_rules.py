"""Rules: what they run on, and what is reported of them."""

from secrets import token_hex
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, SecretStr, computed_field, field_validator, model_validator

from confguard import BaseSettings, ConfigError, From, Problem, SettingsConfigDict, rule, validate
from confguard.provider import Failure
from tests.doubles import Store


class Settings(BaseSettings):
    app_env: Literal["development", "production"]
    debug: bool = False
    workers: int = 1
    token: SecretStr = SecretStr("")

    @rule("debug must be off in production")
    def no_debug_in_production(self) -> bool:
        return not (self.debug and self.app_env == "production")

    @rule("production wants two workers")
    def enough_workers(self) -> bool:
        return self.workers > 1 or not self.is_production

    @property
    def is_production(self) -> bool:
        return self.app_env == "production"


def problems_of(settings_class: type[BaseSettings], **options: Any) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        validate(settings_class, **options)
    return list(caught.value.problems)


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("APP_ENV", "production")
    return monkeypatch


def test_settings_that_keep_all_rules_load(production: pytest.MonkeyPatch) -> None:
    """Rules that hold are silent."""
    production.setenv("WORKERS", "2")
    assert validate(Settings).workers == Settings().workers == 2


def test_every_broken_rule_is_told_with_what_it_reads(production: pytest.MonkeyPatch) -> None:
    """A broken rule tells its claim, and the fields that it reads with their origins."""
    production.setenv("DEBUG", "on")
    first, second = problems_of(Settings)
    assert (first.kind, first.message) == ("rule", "debug must be off in production")
    assert first.tip == "it reads app_env (env APP_ENV), debug (env DEBUG)"
    assert second.message == "production wants two workers"


def test_a_plain_call_keeps_rules_too(production: pytest.MonkeyPatch) -> None:
    """Rules hold for `Settings()` as well, by ConfigError, since pydantic knows nothing of them."""
    production.setenv("DEBUG", "on")
    with pytest.raises(ConfigError) as caught:
        Settings()
    assert {problem.kind for problem in caught.value.problems} == {"rule"}


def test_rules_run_where_other_fields_are_invalid(production: pytest.MonkeyPatch) -> None:
    """A rule on valid fields is told beside what is wrong with others; one on others says that it was not run."""
    production.setenv("DEBUG", "on")
    production.setenv("WORKERS", "many")
    told = [(problem.severity, problem.kind, problem.message.partition(";")[0]) for problem in problems_of(Settings)]
    assert told == [
        ("error", "invalid", "Input should be a valid integer, unable to parse string as an integer"),
        ("error", "rule", "debug must be off in production"),
        ("warning", "rule", "not evaluated, since workers is not valid: production wants two workers"),
    ]


def test_a_property_that_needs_an_invalid_field_keeps_the_rule_from_being_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The field that was wanted is named, however the rule came by it."""
    monkeypatch.setenv("WORKERS", "1")
    messages = [problem.message for problem in problems_of(Settings) if problem.kind == "rule"]
    assert messages == ["not evaluated, since app_env is not valid: production wants two workers"]


def test_a_field_that_could_not_be_fetched_is_not_valid(store: Store) -> None:
    """A rule does not see the default of a field that a store denies."""

    class Bound(BaseSettings):
        model_config = SettingsConfigDict(providers=[store])
        key: Annotated[SecretStr, From("store://key")] = SecretStr("")

        @rule("there is a key")
        def has_key(self) -> bool:
            return bool(self.key.get_secret_value())

    store.fail("key", Failure("denied", "store key: 403"))
    assert [(problem.kind, problem.severity) for problem in problems_of(Bound)] == [("denied", "error"), ("rule", "warning")]


def test_a_rule_that_raises_is_a_mistake_and_its_words_are_kept_back(production: pytest.MonkeyPatch) -> None:
    """What a rule raises is told by type and place: its text may hold a secret."""

    class Raising(BaseSettings):
        token: SecretStr

        @rule("the token is long")
        def is_long(self) -> bool:
            raise RuntimeError(self.token.get_secret_value())

    token = token_hex()
    production.setenv("TOKEN", token)
    (problem,) = problems_of(Raising)
    assert problem.kind == "mistake"
    assert problem.message.startswith("the rule 'is_long' raised RuntimeError at ")
    assert token not in str(problem)


def test_rules_are_inherited_and_overridden(production: pytest.MonkeyPatch) -> None:
    """A subclass keeps its base's rules, and may replace one by its name."""

    class Relaxed(Settings):
        @rule("always")
        def enough_workers(self) -> bool:
            return True

    class Dropped(Settings):
        def enough_workers(self) -> bool:
            return False

    assert validate(Relaxed).workers == 1
    assert validate(Dropped).workers == 1


def test_a_rule_may_be_called_as_any_method(production: pytest.MonkeyPatch) -> None:
    """It stays a method that returns what it returns."""
    production.setenv("WORKERS", "2")
    assert validate(Settings).no_debug_in_production() is True


def test_a_rule_of_a_nested_model_is_a_mistake() -> None:
    """Rules stand in settings classes; one that would never be asked is told."""

    class Inner(BaseModel):
        a: int = 1

        @rule("never")
        def never(self) -> bool:
            return False

    class Outer(BaseSettings):
        inner: Inner = Inner()

    (problem,) = problems_of(Outer)
    assert (problem.kind, "rules stand in settings classes" in problem.message) == ("mistake", True)


def test_validators_that_look_at_other_fields_work_beside_invalid_ones(production: pytest.MonkeyPatch) -> None:
    """A validator that needs a field which is invalid keeps only what hangs on it from being evaluated."""

    class Related(BaseSettings):
        low: int
        high: int
        name: str = "a"

        @field_validator("high")
        @classmethod
        def above(cls, value: int, info: Any) -> int:
            assert value > info.data["low"]
            return value

        @model_validator(mode="before")
        @classmethod
        def renamed(cls, values: dict[str, Any]) -> dict[str, Any]:
            return {**values, "name": values.pop("name", "b")}

        @rule("the name is long")
        def is_long(self) -> bool:
            return len(self.name) > 3

        @rule("high is even")
        def is_even(self) -> bool:
            return self.high % 2 == 0

    production.setenv("LOW", "low")
    production.setenv("HIGH", "3")
    production.setenv("NAME", "abc")
    messages = [problem.message for problem in problems_of(Related) if problem.kind == "rule"]
    assert messages[0] == "the name is long"
    assert messages[1].startswith("not evaluated, since high is not valid")


def test_computed_fields_are_there_for_rules(production: pytest.MonkeyPatch) -> None:
    """A computed field of valid fields is evaluated beside an invalid one."""

    class Computed(BaseSettings):
        host: str
        port: int

        @computed_field  # type: ignore[prop-decorator] # as pydantic's own documentation has it
        @property
        def url(self) -> str:
            return f"http://{self.host}"

        @rule("the URL is https")
        def is_https(self) -> bool:
            return self.url.startswith("https")

    production.setenv("HOST", "localhost")
    assert [problem.kind for problem in problems_of(Computed)] == ["missing", "rule"]
