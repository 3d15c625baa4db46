"""Promise 1 where something ends a load in the middle: nothing that is raised then leads to a secret."""

import asyncio
import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from secrets import token_urlsafe
from typing import Annotated

import pytest
from pydantic import BeforeValidator, Secret, SecretStr, computed_field

from confguard import BaseSettings, From, SettingsConfigDict, lazy, rule, validate
from confguard.provider import Failure
from tests.doubles import Store
from tests.finder import places_of

INTERRUPTS = [KeyboardInterrupt, SystemExit, asyncio.CancelledError, GeneratorExit]
interrupts = pytest.mark.parametrize("kind", INTERRUPTS)


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch) -> str:
    """A secret that a variable has."""
    made = token_urlsafe()
    monkeypatch.setenv("PASSWORD", made)
    return made


def raised_by(call: Callable[[], object], kind: type[BaseException]) -> BaseException:
    with pytest.raises(kind) as caught:
        call()
    return caught.value


def _with_rule(kind: type[BaseException]) -> type[BaseSettings]:
    class Settings(BaseSettings):
        password: SecretStr

        @rule("it is judged")
        def judged(self) -> bool:
            raise kind

    return Settings


def _with_computed(kind: type[BaseException]) -> type[BaseSettings]:
    class Settings(BaseSettings):
        password: SecretStr

        @computed_field  # type: ignore[prop-decorator] # mypy knows no decorated property
        @property
        def header(self) -> SecretStr:
            raise kind

    return Settings


@interrupts
@pytest.mark.parametrize("make", [_with_rule, _with_computed])
@pytest.mark.parametrize("way", ["call", "validate"])
def test_what_ends_a_rule_or_a_computed_field_holds_no_secret(
    canary: str, kind: type[BaseException], make: Callable[[type[BaseException]], type[BaseSettings]], way: str
) -> None:
    settings_class = make(kind)
    error = raised_by(settings_class if way == "call" else lambda: validate(settings_class), kind)
    assert places_of(canary, error) == []


@interrupts
def test_what_ends_the_load_of_some_fields_holds_no_secret(canary: str, kind: type[BaseException]) -> None:
    def interrupt(value: str) -> str:
        raise kind(value)

    class Settings(BaseSettings):
        password: Annotated[SecretStr, BeforeValidator(interrupt)]
        other: str

    assert places_of(canary, raised_by(lambda: validate(Settings, only=["password"]), kind)) == []


@interrupts
def test_what_ends_one_load_leads_to_the_settings_of_no_other(canary: str, kind: type[BaseException]) -> None:
    """Of two classes the first is good already."""

    class First(BaseSettings):
        password: SecretStr

    assert places_of(canary, raised_by(lambda: validate(First, _with_rule(kind)), kind)) == []


def test_what_ends_the_wait_for_a_store_leads_to_no_settings(canary: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class that is good already waits for another, and Ctrl-C comes between two tries."""

    class First(BaseSettings):
        password: SecretStr

    class Second(BaseSettings):
        model_config = SettingsConfigDict(providers=[store])
        token: Annotated[SecretStr, From("store://token")]

    store.fail("token", Failure("unavailable", "it is out"))
    told: list[str] = []

    def interrupt(line: str, *_: object) -> None:
        told.append(line)
        raise KeyboardInterrupt

    monkeypatch.setattr("confguard._waiting.sleep", interrupt)
    error = raised_by(lambda: validate(First, Second, wait=30), KeyboardInterrupt)
    assert told
    assert places_of(canary, error) == []


class Mute:
    """Has no text."""

    def __init__(self, held: str) -> None:
        self.held = held

    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize("way", ["call", "validate"])
def test_a_computed_secret_without_text_costs_nothing(canary: str, way: str) -> None:
    """What cannot be shown cannot leak, and needs no place in the redactor."""

    class Settings(BaseSettings):
        password: SecretStr

        @computed_field  # type: ignore[prop-decorator] # mypy knows no decorated property
        @property
        def header(self) -> Secret[Mute]:
            return Secret(Mute(self.password.get_secret_value()))

    made = Settings() if way == "call" else validate(Settings)
    assert made.header.get_secret_value().held == canary


class _Broken(logging.Handler):
    """A handler that cannot write, and says so."""

    def emit(self, record: logging.LogRecord) -> None:
        raise OSError


@contextmanager
def broken_log(level: int) -> Generator[None]:
    """What confguard logs ends in an error."""
    logger = logging.getLogger("confguard")
    handler, before = _Broken(), logger.level
    logger.addHandler(handler)
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


@pytest.mark.parametrize("level", [logging.INFO, logging.WARNING])
@pytest.mark.parametrize("make", [lambda given: given, lazy])
def test_a_log_that_cannot_be_written_leads_to_no_settings(
    canary: str, monkeypatch: pytest.MonkeyPatch, level: int, make: Callable[[type[BaseSettings]], BaseSettings]
) -> None:
    """Neither the record of a call nor a warning; nor to those that a handle holds."""

    class First(BaseSettings):
        password: SecretStr

    class Second(First):
        address: str

    monkeypatch.setenv("ADDRESS", "https://user:another-one@h/")  # which is warned of
    first, second = make(First), make(Second)
    validate(first, second)
    with broken_log(level):
        error = raised_by(lambda: validate(first, second), OSError)
    assert places_of(canary, error) == []


@interrupts
def test_what_ends_a_load_leads_to_nothing_that_a_handle_holds(
    canary: str, monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    """It holds what an earlier call gave it."""

    def interrupt(value: str) -> str:
        if value == "again":
            raise kind
        return value

    class Settings(BaseSettings):
        password: SecretStr
        mode: Annotated[str, BeforeValidator(interrupt)]

    handle = lazy(Settings)
    monkeypatch.setenv("MODE", "first")
    validate(handle)
    monkeypatch.setenv("MODE", "again")
    assert places_of(canary, raised_by(lambda: validate(handle), kind)) == []
