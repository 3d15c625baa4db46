"""`strategies.settings`: settings that vary in all that a schema leaves open."""

import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from secrets import token_hex
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import FailedHealthCheck
from pydantic import (
    AwareDatetime,
    BaseModel,
    Field,
    FutureDate,
    HttpUrl,
    PastDatetime,
    PostgresDsn,
    Secret,
    SecretBytes,
    SecretStr,
    create_model,
    model_validator,
)

from confguard import BaseSettings, Required, SettingsConfigDict, When, rule
from confguard._redaction import redactor
from confguard.testing import CannotMakeError, strategies, valid_settings
from tests.differential.models import Database
from tests.test_valid_settings import SIMPLE, AppSettings, classes

HURRIED = settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow], database=None, phases=[Phase.generate])


def drawn(check: Callable[[Any], None], strategy: st.SearchStrategy[Any], examples: int = 15) -> None:
    """Check some examples of a strategy."""

    @settings(HURRIED, max_examples=examples)
    @given(strategy)
    def run(example: Any) -> None:
        check(example)

    run()


def one_field(annotation: Any) -> type[BaseSettings]:
    fields: Any = {"some_field": (annotation, ...)}
    return create_model("OneField", __base__=BaseSettings, **fields)


def test_examples_are_valid_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """An example keeps the rules and the conditions of the class, and no source is read for it."""
    monkeypatch.setenv("APP_WORKERS", "poison")

    def check(example: AppSettings) -> None:
        assert type(example) is AppSettings
        assert example.workers % 5 == 0
        assert example.workers > 3
        assert not (example.debug and example.stage == "production")
        assert example.dsn is not None or example.stage == "development"
        assert example.api_key.get_secret_value().startswith("fake-api_key-")

    drawn(check, strategies.settings(AppSettings))


def test_every_field_varies() -> None:
    """Fields that have to be there and those with a default vary, models within them too."""
    for condition in (
        lambda found: found.stage == "production",
        lambda found: found.debug,
        lambda found: "debug" not in found.model_fields_set,
        lambda found: found.replica is not None,
        lambda found: found.replica is None,
        lambda found: found.database.port != 5432,
        lambda found: found.workers > 100,
    ):
        found = find(strategies.settings(AppSettings), condition, settings=settings(HURRIED, max_examples=500))
        assert condition(found)


def test_values_and_strategies_can_be_fixed() -> None:
    """What is fixed by field path is so in every example."""
    password = token_hex()

    def check(example: AppSettings) -> None:
        assert example.stage == "production"
        assert example.debug is False
        assert example.workers in (10, 15)
        assert example.database.password is not None
        assert example.database.password.get_secret_value() == password

    fixed = {"database.password": password, "workers": st.sampled_from([10, 15])}
    drawn(check, strategies.settings(AppSettings, stage="production", debug=False, **fixed))


def test_unknown_fields_fail_at_once() -> None:
    """A path that leads to no field is refused where the strategy is made, and what is no settings class is."""
    with pytest.raises(ValueError, match="did you mean 'workers'"):
        strategies.settings(AppSettings, worker=1)
    with pytest.raises(TypeError, match=r"strategies\.settings\(\) takes subclasses"):
        strategies.settings(Database)  # type: ignore[type-var]


@pytest.mark.parametrize("annotation", [annotation for annotation, _ in SIMPLE], ids=map(str, range(len(SIMPLE))))
def test_examples_of_each_type_are_taken(annotation: Any) -> None:
    """Hardly an example of any type is refused: hypothesis finds enough without complaining of filters."""
    drawn(lambda _: None, strategies.settings(one_field(annotation)), examples=10)


BOUNDED: list[tuple[Any, Callable[[Any], bool]]] = [
    (Annotated[float, Field(gt=0, lt=1e-3)], lambda value: 0 < value < 1e-3),
    (Annotated[Decimal, Field(ge=0, lt=1, max_digits=3, decimal_places=2)], lambda value: 0 <= value < 1),
    (Annotated[date, Field(gt=date(2020, 1, 1), le=date(2020, 1, 3))], lambda value: 1 < value.day <= 3),
    (Annotated[AwareDatetime, Field(ge=datetime(2020, 1, 1, tzinfo=UTC))], lambda value: value.year >= 2020),
    (Annotated[time, Field(lt=time(1))], lambda value: value < time(1)),
    (Annotated[timedelta, Field(ge=timedelta(0), lt=timedelta(1))], lambda value: value.days == 0),
    (FutureDate, lambda value: value > date(3000, 1, 1)),
    (PastDatetime, lambda value: value <= datetime(2000, 1, 1)),
    (Annotated[list[int], Field(min_length=2, max_length=3)], lambda value: 2 <= len(value) <= 3),
    (Annotated[SecretStr, Field(max_length=20)], lambda value: value.get_secret_value() == "fake-some_field-0000"[:16]),
    (SecretBytes, lambda value: value.get_secret_value().startswith(b"fake-some_field-")),
    (Secret[PostgresDsn], lambda value: ":fake-some_field-" in str(value.get_secret_value())),
    (HttpUrl, lambda value: value.host.endswith(".test") and value.password is None),
]


@pytest.mark.parametrize(("annotation", "holds"), BOUNDED, ids=map(str, range(len(BOUNDED))))
def test_examples_keep_the_constraints(annotation: Any, holds: Callable[[Any], bool]) -> None:
    """No example leaves what the constraints allow, and secrets are unmistakably fake."""

    def check(example: Any) -> None:
        if "max_length=20" in str(annotation):
            assert example.some_field.get_secret_value().startswith("fake-some_field-")
        else:
            assert holds(example.some_field)

    drawn(check, strategies.settings(one_field(annotation)))


def test_no_example_is_told_to_the_redactor() -> None:
    """Fake secrets are none."""
    example: AppSettings = find(strategies.settings(AppSettings), lambda _: True, settings=HURRIED)
    text = example.api_key.get_secret_value()
    assert redactor.redact(text) == text


@settings(HURRIED, max_examples=20)
@given(st.data(), classes())
def test_examples_of_any_class_are_taken_by_it_again(data: st.DataObject, settings_class: type[BaseSettings]) -> None:
    """Every value of an example is one that the class takes, and makes equal settings."""
    example = data.draw(strategies.settings(settings_class))
    values = {name: getattr(example, name) for name in type(example).model_fields}
    assert valid_settings(settings_class, **values) == example


def test_what_rules_and_validators_refuse_is_passed_over() -> None:
    """Examples that the class refuses do not reach the test."""

    class Settings(BaseSettings):
        low: int
        high: int
        odd: int

        @rule("low is at most high")
        def ordered(self) -> bool:
            return self.low <= self.high

        @model_validator(mode="after")
        def is_odd(self) -> "Settings":
            if self.odd % 2 == 0:
                raise ValueError("it is even")
            return self

    def check(example: Settings) -> None:
        assert example.low <= example.high
        assert example.odd % 2

    drawn(check, strategies.settings(Settings), examples=60)


def test_where_nothing_passes_the_reason_is_told() -> None:
    """Where all examples are refused, the health check fails at once and names the rule and the fields to fix."""
    strategy = strategies.settings(AppSettings, stage="production", debug=True)
    with pytest.raises(FailedHealthCheck) as caught:
        drawn(lambda _: None, strategy)
    assert "rule broken: debug must be off in production (it reads stage, debug)" in str(caught.value)

    class Settings(BaseSettings):
        name: str

        @rule("never")
        def never(self) -> bool:
            return len(self.name) < 0

    with pytest.raises(FailedHealthCheck, match=r"give it: strategies.settings\(Settings, name=…\)"):
        drawn(lambda _: None, strategies.settings(Settings))


def test_types_of_which_nothing_is_known_are_named_at_once() -> None:
    """Fields without a strategy are told together; those with a default keep it."""

    class Odd:
        pass

    class Part(BaseModel):
        model_config = {"arbitrary_types_allowed": True}
        odd: Odd

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(arbitrary_types_allowed=True)
        first: Odd
        part: Part
        other: Odd | None = None
        later: Annotated[Odd | None, Required(When(mode="never"))] = None
        mode: Literal["never", "ever"]

    with pytest.raises(CannotMakeError) as caught:
        strategies.settings(Settings)
    assert caught.value.give == ("first", "part.odd")
    assert "strategies.settings(Settings, first=…" in str(caught.value)
    given_values = {"first": Odd(), "part.odd": Odd(), "mode": "ever"}
    drawn(lambda example: None, strategies.settings(Settings, **given_values), examples=5)


def test_without_hypothesis_it_is_told_what_to_install() -> None:
    """The import says what is lacking, and the rest of the package does without."""
    code = """
import sys
sys.modules["hypothesis"] = None
from confguard.testing import valid_settings
import confguard.testing._valid
try:
    import confguard.testing.strategies
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"confguard\.testing\.strategies needs hypothesis: pip install hypothesis\n", done.stdout)
