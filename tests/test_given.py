"""What code and command lines give: instances in place of values, and arguments that are wrong."""

import dataclasses
import json
import secrets
from typing import Annotated, Any

import pytest
from pydantic import AliasPath, BaseModel, Field, SecretStr, ValidationError
from pydantic.dataclasses import dataclass

from confguard import BaseSettings, ConfigError, From, Problem, SettingsConfigDict, validate
from confguard._redaction import redactor
from tests.doubles import Store


class Database(BaseModel):
    host: str = "h"
    password: SecretStr


class Other(BaseModel):
    note: str = "of no field"


@dataclass
class Spot:
    x: int
    key: SecretStr


@dataclasses.dataclass
class Plain:
    key: SecretStr


def unvalidated() -> Database:
    """A model that lacks a field that it requires."""
    given: dict[str, Any] = {"host": "i"}
    return Database.model_construct(**given)


def problems_of(settings_class: type[BaseSettings]) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        validate(settings_class)
    return list(caught.value.problems)


@pytest.mark.parametrize("given", [Other(), unvalidated(), Spot(1, SecretStr("k"))], ids=str)
def test_an_instance_that_lacks_fields_is_for_pydantic_to_judge(given: Any, store: Store) -> None:
    """An instance of another model, or one that was made without validation, is no reason to fail or to fetch."""

    class Bound(BaseModel):
        host: str = "h"
        password: Annotated[SecretStr, From("store://db")]

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(providers=[store])
        db: Bound

    with pytest.raises(ValidationError) as caught:
        Settings(db=given)
    assert [error["loc"] for error in caught.value.errors()] == [("db",)]
    assert store.asked == []


def test_a_model_that_was_made_without_validation_is_taken_as_it_is() -> None:
    class Settings(BaseSettings):
        db: Database

    assert Settings(db=unvalidated()).db.host == "i"


def test_secrets_within_instances_are_known_to_the_redactor() -> None:
    """A secret in a model or a dataclass that code gives, alone, in a list or beside what is declared, is learned."""
    texts = [secrets.token_urlsafe() for _ in range(4)]

    class Open(BaseModel, extra="allow"):
        pass

    class Settings(BaseSettings):
        spot: Spot
        databases: list[Database]
        mixed: dict[str, SecretStr | Open]
        plain: tuple[Plain, ...]

    given: Any = {
        "spot": Spot(1, SecretStr(texts[0])),
        "databases": [Database(password=SecretStr(texts[1]))],
        "mixed": {"a": Open(more=texts[2])},
        "plain": (Plain(SecretStr(texts[3])),),
    }
    Settings(**given)
    assert [text for text in texts if text in redactor.redact(" ".join(texts))] == []


@pytest.mark.parametrize("name", ["names", "numbers"])
def test_an_argument_that_cannot_be_read_is_told_of_its_field(name: str) -> None:
    """pydantic-settings reads a command line before any source is asked; what it cannot read is no mistake of the class."""
    value = secrets.token_urlsafe()

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(cli_parse_args=[f"--{name}=[{value}"])
        names: list[str] | None = None
        numbers: dict[str, int] | None = None

    (problem,) = problems_of(Settings)
    assert (problem.kind, problem.field) == ("malformed", name)
    assert problem.message.startswith("a source cannot be made: ")
    assert value not in repr(problem)


def test_an_argument_that_is_unknown_is_not_quoted() -> None:
    """Where the class does not want pydantic-settings to exit, it is a problem like any other."""
    value = secrets.token_urlsafe()

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(cli_parse_args=[f"--unknown={value}"], cli_exit_on_error=False)
        port: int = 1

    (problem,) = problems_of(Settings)
    assert (problem.kind, problem.field) == ("malformed", "")
    assert value not in repr(problem)


def test_a_field_that_is_given_by_its_name_where_only_its_alias_is_read() -> None:
    """The report names the field, and what to call it."""

    class Settings(BaseSettings):
        port: int = Field(1, alias="PORT_NUMBER")

        @classmethod
        def settings_customise_sources(cls, settings_cls: Any, *args: Any, **kwargs: Any) -> Any:
            return (lambda: {"port": 2},)

    (problem,) = problems_of(Settings)
    assert (problem.kind, problem.field) == ("invalid", "port")
    assert problem.message == "was given by its own name, and only its alias is read"
    assert problem.tip == "call it PORT_NUMBER, or set populate_by_name=True in model_config"


def test_an_alias_path_that_leads_nowhere_is_told_of_its_field(monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``extra="forbid"``, pydantic calls the whole of what the path leads through an extra input."""

    class Settings(BaseSettings):
        port: int = Field(1, validation_alias=AliasPath("PORTS", 0))

    monkeypatch.setenv("PORTS", "[]")
    (problem,) = problems_of(Settings)
    assert (problem.kind, problem.field) == ("invalid", "port")
    assert problem.message == "PORTS has nothing at the place that its alias path leads to"


def test_an_empty_text_beside_a_secret_in_an_object_is_no_empty_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of objects in a list only pydantic can tell which text is a secret; one that may be empty does not refuse the list."""

    class Account(BaseModel):
        note: str
        token: SecretStr

    class Settings(BaseSettings):
        accounts: list[Account]
        keys: tuple[SecretStr, ...] = ()

    token = secrets.token_urlsafe()
    monkeypatch.setenv("ACCOUNTS", json.dumps([{"note": "", "token": token}]))
    assert validate(Settings).accounts[0].token.get_secret_value() == token
    monkeypatch.setenv("KEYS", json.dumps([token, ""]))
    with pytest.raises(ConfigError) as caught:
        validate(Settings)
    assert [(problem.field, problem.message) for problem in caught.value.problems] == [("keys", "is empty")]
