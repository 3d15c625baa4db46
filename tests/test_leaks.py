"""Promise 1: no secret in any artefact of failure, whatever fails."""

import asyncio
import contextlib
import contextvars
import io
import json
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPConnection
from pathlib import Path
from secrets import token_hex
from typing import Annotated, Any, Literal, NamedTuple
from urllib.error import HTTPError

import pydantic_settings
import pytest
from click.testing import CliRunner
from pydantic import (
    UUID4,
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    HttpUrl,
    ImportString,
    PostgresDsn,
    Secret,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticKnownError
from pydantic_settings import CliApp, EnvSettingsSource, PydanticBaseSettingsSource, YamlConfigSettingsSource
from typing_extensions import TypedDict

from confguard import BaseSettings, ConfigError, From, SettingsConfigDict, explain, validate
from confguard._report import render_json, render_text
from confguard.provider import Deadline, Failure, Found, fan_out, hide
from tests.doubles import Hanging, Store
from tests.finder import places_of


@dataclass
class Scene:
    """What a way of failing is set up with: a secret made for it, and where it may be put."""

    canary: str
    store: Store
    setenv: Callable[[str, str], None]


Breakage = Callable[[Scene], type[BaseSettings]]
BREAKAGES: dict[str, tuple[str, Breakage]] = {}


def breaks(kind: str) -> Callable[[Breakage], Breakage]:
    """A way of failing, and the kind of problem that it is."""

    def note(breakage: Breakage) -> Breakage:
        BREAKAGES[breakage.__name__] = kind, breakage
        return breakage

    return note


class Config(BaseSettings):
    model_config = SettingsConfigDict(env_nested_delimiter="__", env_file=".env", secrets_dir=".")


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch, store: Store) -> Scene:
    return Scene(f"Canary{token_hex(16)}", store, monkeypatch.setenv)


@breaks("missing")
def another_field_is_missing(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        password: SecretStr
        host: str

    scene.setenv("PASSWORD", scene.canary)
    return Settings


@breaks("missing")
def a_mistyped_variable_holds_the_secret(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        model_config = SettingsConfigDict(env_prefix="MYSERVICE_")
        password: SecretStr

    scene.setenv("MYSERVICE_PASWORD", scene.canary)
    return Settings


@breaks("invalid")
def a_secret_url_is_invalid(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        database_url: Secret[PostgresDsn]

    scene.setenv("DATABASE_URL", f"mysql://u:{scene.canary}@h/d")
    return Settings


@breaks("invalid")
def a_plain_url_carries_a_password_and_is_invalid(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        database_url: PostgresDsn

    scene.setenv("DATABASE_URL", f"mysql://u:{scene.canary}@h/d")
    return Settings


@breaks("invalid")
def a_validator_quotes_the_password_of_a_plain_url(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        database_url: str

        @model_validator(mode="after")
        def check(self) -> "Settings":
            raise ValueError(f"the password {self.database_url.partition('u:')[2].partition('@')[0]} is worn out")

    scene.setenv("DATABASE_URL", f"postgres://u:{scene.canary}@h/d")
    return Settings


@breaks("invalid")
def a_validator_quotes_a_password_with_a_space(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        database_url: str

        @model_validator(mode="after")
        def check(self) -> "Settings":
            raise ValueError(f"no host: {self.database_url}")

    scene.setenv("DATABASE_URL", f"postgres://u:a {scene.canary}@h/d")
    return Settings


@breaks("invalid")
def a_validator_quotes_the_token_of_a_plain_url(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        hook: HttpUrl
        other: str

        @model_validator(mode="after")
        def check(self) -> "Settings":
            raise ValueError(f"{self.hook} and {self.other} are none of ours")

    scene.setenv("HOOK", f"https://h/x?token={scene.canary}")
    scene.setenv("OTHER", f"https://h/x?page=1&sig={scene.canary}")
    return Settings


@breaks("invalid")
def pydantics_message_quotes_a_part_of_the_secret(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        key: Secret[UUID4]

    scene.setenv("KEY", scene.canary)
    return Settings


@breaks("invalid")
def a_validator_quotes_the_secret(scene: Scene) -> type[BaseSettings]:
    def refuse(value: SecretStr) -> SecretStr:
        raise ValueError(f"{value.get_secret_value()!r} is no good")

    class Settings(Config):
        password: Annotated[SecretStr, AfterValidator(refuse)]

    scene.setenv("PASSWORD", scene.canary)
    return Settings


@breaks("invalid")
def a_validator_quotes_another_fields_secret(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        password: SecretStr
        host: str = "h"

        @model_validator(mode="after")
        def check(self) -> "Settings":
            raise ValueError(f"{self.password.get_secret_value()} does not fit {self.host}")

    scene.setenv("PASSWORD", scene.canary)
    return Settings


@breaks("invalid")
def a_validator_before_sees_and_quotes_everything(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        password: SecretStr

        @model_validator(mode="before")
        @classmethod
        def check(cls, data: dict[str, Any]) -> Any:
            assert False, f"got {data}"  # noqa: B011, PT015 - a failed assertion is what a validator may raise

    scene.setenv("PASSWORD", scene.canary)
    return Settings


@breaks("mistake")
def a_validator_raises_what_it_should_not(scene: Scene) -> type[BaseSettings]:
    def refuse(value: str) -> str:
        raise KeyError(value)

    class Settings(Config):
        password: Annotated[SecretStr, BeforeValidator(refuse)]

    scene.setenv("PASSWORD", scene.canary)
    return Settings


@breaks("invalid")
def a_list_of_secrets_is_invalid(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        passwords: Annotated[list[SecretStr], Field(min_length=2)]

    scene.setenv("PASSWORDS", json.dumps([scene.canary]))
    return Settings


@breaks("invalid")
def a_model_in_a_list_is_invalid(scene: Scene) -> type[BaseSettings]:
    class Database(BaseModel):
        password: SecretStr
        port: int

    class Settings(Config):
        databases: list[Database]

    scene.setenv("DATABASES", json.dumps([{"password": scene.canary, "port": scene.canary}]))
    return Settings


class Login(TypedDict):
    password: SecretStr
    port: int


class Pair(NamedTuple):
    password: SecretStr
    port: int = 1


@dataclass
class Later:
    password: "SecretStr"
    port: "int" = 1


@breaks("invalid")
def secrets_stand_in_types_that_are_no_models(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        login: Login
        pair: Pair
        later: list[Later]

    scene.setenv("LOGIN", json.dumps({"password": scene.canary, "port": scene.canary}))
    scene.setenv("PAIR", json.dumps([scene.canary, scene.canary]))
    scene.setenv("LATER", json.dumps([{"password": scene.canary, "port": scene.canary}]))
    return Settings


@breaks("invalid")
def a_validator_quotes_what_is_in_types_that_are_no_models(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        login: Login
        later: list[Later]

        @model_validator(mode="after")
        def check(self) -> "Settings":
            raise ValueError(f"{self.login['password'].get_secret_value()[:9]}, {self.later[0].password.get_secret_value()}")

    scene.setenv("LOGIN", json.dumps({"password": scene.canary, "port": 1}))
    scene.setenv("LATER", json.dumps([{"password": scene.canary}]))
    return Settings


@breaks("invalid")
def a_nested_model_has_an_unknown_key(scene: Scene) -> type[BaseSettings]:
    class Database(BaseModel, extra="forbid"):
        password: SecretStr

    class Settings(Config):
        db: Database

    scene.setenv("DB", json.dumps({"password": scene.canary, scene.canary: scene.canary}))
    return Settings


@breaks("invalid")
def an_env_file_has_an_unknown_variable(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        port: int = 1

    Path(".env").write_text(f"PASSWORD={scene.canary}\n")
    return Settings


@breaks("malformed")
def json_is_broken_behind_the_secret(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        passwords: list[SecretStr]

    scene.setenv("PASSWORDS", f'["{scene.canary}", ')
    return Settings


@breaks("malformed")
def nested_json_is_broken_behind_the_secret(scene: Scene) -> type[BaseSettings]:
    class Database(BaseModel):
        passwords: list[SecretStr]

    class Settings(Config):
        db: Database

    scene.setenv("DB__PASSWORDS", f'["{scene.canary}", ')
    return Settings


@breaks("malformed")
def a_mounted_file_is_broken_json(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        passwords: list[SecretStr]

    Path("passwords").write_text(f'["{scene.canary}", ')
    return Settings


@breaks("malformed")
def an_env_file_cannot_be_decoded(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        password: SecretStr

    Path(".env").write_bytes(f"PASSWORD={scene.canary}\n".encode() + b"\xff")
    return Settings


@breaks("malformed")
def a_mounted_file_cannot_be_decoded(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        password: SecretStr

    Path("password").write_bytes(scene.canary.encode() + b"\xff")
    return Settings


@breaks("malformed")
def a_source_raises_the_secret(scene: Scene) -> type[BaseSettings]:
    class Broken(PydanticBaseSettingsSource):
        def get_field_value(self, field: object, field_name: str) -> tuple[Any, str, bool]:
            return None, field_name, False

        def __call__(self) -> dict[str, Any]:
            raise ValueError(scene.canary)

    class Settings(Config):
        port: int = 1

        @classmethod
        def settings_customise_sources(cls, settings_cls: Any, *args: Any, **kwargs: Any) -> Any:
            return (Broken(settings_cls),)

    return Settings


def _with_source(scene: Scene, raised: Exception) -> type[BaseSettings]:
    class Broken(PydanticBaseSettingsSource):
        def get_field_value(self, field: object, field_name: str) -> tuple[Any, str, bool]:
            return None, field_name, False

        def __call__(self) -> dict[str, Any]:
            raise raised

    class Settings(Config):
        port: int = 1

        @classmethod
        def settings_customise_sources(cls, settings_cls: Any, *args: Any, **kwargs: Any) -> Any:
            return (Broken(settings_cls),)

    return Settings


def _with_yaml(text: str) -> type[BaseSettings]:
    Path("settings.yaml").write_text(text)

    class Settings(Config):
        password: SecretStr

        @classmethod
        def settings_customise_sources(cls, settings_cls: Any, *args: Any, **kwargs: Any) -> Any:
            return (YamlConfigSettingsSource(settings_cls, "settings.yaml"),)

    return Settings


@breaks("malformed")
def a_secret_in_yaml_reads_as_an_alias(scene: Scene) -> type[BaseSettings]:
    return _with_yaml(f"password: *{scene.canary}\n")


@breaks("malformed")
def a_secret_in_yaml_reads_as_a_tag(scene: Scene) -> type[BaseSettings]:
    return _with_yaml(f"password: !it's{scene.canary}\n")


@breaks("malformed")
def a_secret_in_yaml_reads_as_a_handle(scene: Scene) -> type[BaseSettings]:
    return _with_yaml(f"password: !{scene.canary}!x\n")


@breaks("malformed")
def a_source_sends_a_header_that_cannot_be_encoded(scene: Scene) -> type[BaseSettings]:
    class Broken(PydanticBaseSettingsSource):
        def get_field_value(self, field: object, field_name: str) -> tuple[Any, str, bool]:
            return None, field_name, False

        def __call__(self) -> dict[str, Any]:
            connection = HTTPConnection("127.0.0.1")
            connection.putrequest("GET", "/")
            connection.putheader("Authorization", os.environ["PASSWORD"])
            return {}

    class Settings(Config):
        port: int = 1

        @classmethod
        def settings_customise_sources(cls, settings_cls: Any, *args: Any, **kwargs: Any) -> Any:
            return (Broken(settings_cls),)

    scene.setenv("PASSWORD", f"€{scene.canary}")
    return Settings


@breaks("malformed")
def a_source_asks_an_address_with_credentials(scene: Scene) -> type[BaseSettings]:
    address = f"https://u:{scene.canary}@h/?token={scene.canary}"
    return _with_source(scene, HTTPError(address, 403, scene.canary, Message(), None))


@breaks("malformed")
def a_source_is_refused_with_a_text_of_its_own(scene: Scene) -> type[BaseSettings]:
    return _with_source(scene, ConnectionError(111, f"no {scene.canary}"))


@breaks("malformed")
def a_source_opens_a_file_that_the_secret_names(scene: Scene) -> type[BaseSettings]:
    class Broken(PydanticBaseSettingsSource):
        def get_field_value(self, field: object, field_name: str) -> tuple[Any, str, bool]:
            return None, field_name, False

        def __call__(self) -> dict[str, Any]:
            raise FileNotFoundError(2, "No such file or directory", scene.canary)

    class Settings(Config):
        password: SecretStr

        @classmethod
        def settings_customise_sources(cls, settings_cls: Any, *args: Any, **kwargs: Any) -> Any:
            return (EnvSettingsSource(settings_cls), Broken(settings_cls))

    scene.setenv("PASSWORD", scene.canary)
    return Settings


@breaks("malformed")
def the_hook_raises_the_secret(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        port: int = 1

        @classmethod
        def settings_customise_sources(cls, *args: Any, **kwargs: Any) -> Any:
            raise ValueError(scene.canary)

    return Settings


@breaks("malformed")
def the_hook_opens_a_file_that_the_secret_names(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        password: SecretStr

        @classmethod
        def settings_customise_sources(cls, *args: Any, **kwargs: Any) -> Any:
            raise FileNotFoundError(2, "No such file or directory", scene.canary)

    scene.setenv("PASSWORD", scene.canary)
    return Settings


def _bound(scene: Scene, reference: str) -> type[BaseSettings]:
    class Settings(Config):
        model_config = SettingsConfigDict(providers=[scene.store, Hanging()])
        good: Annotated[SecretStr, From("store://good")]
        bad: Annotated[SecretStr, From(reference)]

    scene.store.put("good", scene.canary)
    return Settings


@breaks("denied")
def a_sibling_was_fetched_and_one_is_denied(scene: Scene) -> type[BaseSettings]:
    scene.store.fail("bad", Failure("denied", "store bad: 403"))
    return _bound(scene, "store://bad")


@breaks("unauthenticated")
def a_sibling_was_fetched_and_one_is_unauthenticated(scene: Scene) -> type[BaseSettings]:
    scene.store.fail("bad", Failure("unauthenticated", "store bad: 401"))
    return _bound(scene, "store://bad")


@breaks("throttled")
def a_sibling_was_fetched_and_one_is_throttled(scene: Scene) -> type[BaseSettings]:
    scene.store.fail("bad", Failure("throttled", "store bad: 429"))
    return _bound(scene, "store://bad")


@breaks("unavailable")
def a_sibling_was_fetched_and_one_hangs(scene: Scene) -> type[BaseSettings]:
    return _bound(scene, "hanging://bad")


@breaks("unconfigured")
def a_sibling_was_fetched_and_one_has_no_provider(scene: Scene) -> type[BaseSettings]:
    return _bound(scene, "nowhere://bad")


@breaks("missing")
def the_payload_lacks_the_key(scene: Scene) -> type[BaseSettings]:
    scene.store.put("bad", json.dumps({scene.canary: scene.canary}))
    return _bound(scene, "store://bad#/key")


@breaks("malformed")
def the_payload_is_no_json(scene: Scene) -> type[BaseSettings]:
    scene.store.put("bad", scene.canary)
    return _bound(scene, "store://bad#/key")


@breaks("defect")
def a_provider_raises_the_secret(scene: Scene) -> type[BaseSettings]:
    scene.store.fail("bad", ValueError(scene.canary))
    return _bound(scene, "store://bad")


@breaks("mistake")
def a_class_mistake_beside_a_fetched_secret(scene: Scene) -> type[BaseSettings]:
    return _bound(scene, "no reference")


@breaks("invalid")
def a_fetched_value_is_invalid(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        model_config = SettingsConfigDict(providers=[scene.store])
        key: Annotated[Secret[UUID4], From("store://key")]
        port: Annotated[int, From("store://port", secret=False)]

    scene.store.put("key", scene.canary)
    scene.store.put("port", f"{scene.canary}")
    return Settings


@breaks("invalid")
def a_url_password_is_not_escaped(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        database_url: PostgresDsn
        other: PostgresDsn
        third: int

    scene.setenv("DATABASE_URL", f"postgres://u:{scene.canary}/x9@h/d")
    scene.setenv("OTHER", f"postgres//u:{scene.canary}@h/d")
    scene.setenv("THIRD", f"host=h password={scene.canary}")
    return Settings


@breaks("invalid")
def a_plain_url_carries_a_token_and_is_invalid(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        hook: HttpUrl
        other: HttpUrl

    scene.setenv("HOOK", f"htps://h/x?token={scene.canary}")
    scene.setenv("OTHER", f"htps://{scene.canary}@h/")
    return Settings


@breaks("invalid")
def a_validator_quotes_a_part_of_the_secret(scene: Scene) -> type[BaseSettings]:
    def refuse(value: SecretStr) -> SecretStr:
        raise ValueError(f"{value.get_secret_value()[:16]}… is no good")

    class Settings(Config):
        password: Annotated[SecretStr, AfterValidator(refuse)]

    scene.setenv("PASSWORD", scene.canary)
    return Settings


@breaks("invalid")
def a_validator_quotes_a_default(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        password: SecretStr = SecretStr(scene.canary)

        @model_validator(mode="after")
        def check(self) -> "Settings":
            raise ValueError(f"not {self.password.get_secret_value()}")

    return Settings


class Part(BaseModel):
    password: SecretStr


@breaks("invalid")
def a_validator_quotes_the_default_of_a_model(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        part: Part = Part(password=SecretStr(scene.canary))

        @model_validator(mode="after")
        def check(self) -> "Settings":
            raise ValueError(f"not {self.part.password.get_secret_value()}")

    return Settings


@breaks("invalid")
def a_validator_quotes_what_a_factory_made(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        password: SecretStr = Field(default_factory=lambda: SecretStr(scene.canary))
        port: int = 1

        @field_validator("port", mode="before")
        @classmethod
        def check(cls, value: object, info: ValidationInfo) -> object:
            raise ValueError(f"not {info.data['password'].get_secret_value()}")

    scene.setenv("PORT", "1")
    return Settings


@breaks("invalid")
def a_validator_quotes_a_model_that_a_factory_made(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        part: Part = Field(default_factory=lambda: Part(password=SecretStr(scene.canary)))

        @model_validator(mode="after")
        def check(self) -> "Settings":
            raise ValueError(f"not {self.part.password.get_secret_value()}")

    return Settings


@breaks("invalid")
def a_validator_gives_the_secret_for_a_bound(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        password: SecretStr
        port: int = 1

        @field_validator("port", mode="before")
        @classmethod
        def check(cls, value: object, info: ValidationInfo) -> object:
            raise PydanticKnownError("less_than", {"lt": info.data["password"].get_secret_value()})

    scene.setenv("PASSWORD", scene.canary)
    scene.setenv("PORT", "1")
    return Settings


@breaks("invalid")
def pydantics_message_quotes_what_may_carry_a_password(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        handler: ImportString[Any]

    scene.setenv("HANDLER", f"host=h password={scene.canary}")
    return Settings


@breaks("invalid")
def a_key_in_hexadecimal_is_not_quoted_in_an_env_file(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        port: int = 1

    scene.canary = scene.canary.lower()
    Path(".env").write_text(f"PRIVATE_KEY=-----BEGIN-----\n{scene.canary}==\n")
    return Settings


@breaks("invalid")
def a_validator_quotes_what_is_within_a_secret(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        model_config = SettingsConfigDict(providers=[scene.store])
        keys: Annotated[tuple[SecretStr, ...], From("store://keys#/keys")]

        @model_validator(mode="after")
        def check(self) -> "Settings":
            raise ValueError(f"not {self.keys[0].get_secret_value()}")

    scene.store.put("keys", json.dumps({"keys": [scene.canary]}))
    return Settings


@breaks("invalid")
def a_validator_before_quotes_a_variable_that_no_field_takes(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        model_config = SettingsConfigDict(extra="ignore")
        port: int = 1

        @model_validator(mode="before")
        @classmethod
        def check(cls, data: dict[str, Any]) -> Any:
            raise ValueError(f"got {data}")

    Path(".env").write_text(f"DB_PASSWORD={scene.canary}\n")
    return Settings


@breaks("invalid")
def a_key_in_an_env_file_is_not_quoted(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        port: int = 1

    Path(".env").write_text(f"PRIVATE_KEY=-----BEGIN-----\n{scene.canary}==\nhttps://u:{scene.canary}@h/?a=b\n")
    return Settings


@breaks("invalid")
def a_key_of_a_mapping_is_the_secret(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        limits: dict[str, int]

    scene.setenv("LIMITS", json.dumps({scene.canary: "many"}))
    return Settings


@breaks("invalid")
def a_secret_has_one_of_a_few_values(scene: Scene) -> type[BaseSettings]:
    secret_type: Any = Secret
    choices: Any = secret_type[Literal.__getitem__(scene.canary)]

    class Settings(Config):
        choice: choices

    scene.setenv("CHOICE", "another")
    return Settings


@breaks("mistake")
def a_source_of_a_validator_opens_a_file_of_that_name(scene: Scene) -> type[BaseSettings]:
    def opened(value: str) -> str:
        return Path(value).read_text()

    class Settings(Config):
        password: Annotated[SecretStr, BeforeValidator(opened)]

    scene.setenv("PASSWORD", scene.canary)
    return Settings


@breaks("denied")
def a_provider_tells_the_secret_in_its_failure(scene: Scene) -> type[BaseSettings]:
    hide(scene.canary)
    scene.store.fail("bad", Failure("denied", f"no {scene.canary}", tip=f"use {scene.canary}", request_id=scene.canary))
    return _bound(scene, "store://bad")


@breaks("defect")
def a_provider_answers_with_something_else(scene: Scene) -> type[BaseSettings]:
    something: Any = {scene.canary: scene.canary}
    scene.store.payloads["bad"] = Found(something)
    return _bound(scene, "store://bad#/key")


@breaks("defect")
def a_providers_failure_is_made_of_something_else(scene: Scene) -> type[BaseSettings]:
    something: Any = {scene.canary: scene.canary}
    scene.store.fail("bad", Failure("missing", something, tip=something, request_id=something))
    return _bound(scene, "store://bad")


@breaks("defect")
def a_providers_failure_is_of_no_kind(scene: Scene) -> type[BaseSettings]:
    kind: Any = scene.canary
    scene.store.fail("bad", Failure(kind, "it is", retry_after=kind))
    return _bound(scene, "store://bad")


@breaks("missing")
def a_provider_gives_the_value_for_its_version(scene: Scene) -> type[BaseSettings]:
    scene.store.put("version", scene.canary, version=f"v{scene.canary}")

    class Settings(Config):
        model_config = SettingsConfigDict(providers=[scene.store])
        good: Annotated[SecretStr, From("store://version")]
        port: Annotated[int, From("store://version", secret=False)] = 1
        bad: Annotated[SecretStr, From("store://bad")]

    return Settings


@breaks("invalid")
def a_validator_quotes_what_a_reference_from_outside_led_to(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        model_config = SettingsConfigDict(providers=[scene.store], allowed_references=["store://mine/"])
        address: str

        @model_validator(mode="after")
        def check(self) -> "Settings":
            raise ValueError(f"no host: {self.address}")

    scene.store.put("mine/address", scene.canary)
    scene.setenv("ADDRESS", "ref+store://mine/address")
    return Settings


@breaks("missing")
def a_payload_is_nested_too_deep(scene: Scene) -> type[BaseSettings]:
    class Settings(Config):
        model_config = SettingsConfigDict(providers=[scene.store])
        deep: Annotated[tuple[SecretStr, ...], From("store://deep")] = ()
        host: str

    scene.store.put("deep", "[" * 200_000 + scene.canary)
    return Settings


everything = pytest.mark.parametrize(("kind", "breakage"), [pytest.param(*pair, id=name) for name, pair in BREAKAGES.items()])


@everything
def test_no_failure_holds_the_secret(scene: Scene, kind: str, breakage: Breakage) -> None:
    """Nothing that can be reached from a ConfigError holds the secret that was at hand when it was made."""
    settings_class = breakage(scene)
    with pytest.raises(ConfigError) as caught:
        validate(settings_class, timeout=0.2)
    assert kind in {problem.kind for problem in caught.value.problems}
    assert places_of(scene.canary, caught.value) == []
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@everything
def test_no_report_holds_the_secret(scene: Scene, kind: str, breakage: Breakage) -> None:
    """Neither the text report nor the JSON one holds the secret."""
    settings_class = breakage(scene)
    with pytest.raises(ConfigError) as caught:
        validate(settings_class, timeout=0.2)
    problems = caught.value.problems
    assert scene.canary[:12] not in render_text(problems, budget=1_000_000)
    assert scene.canary[:12] not in json.dumps(render_json(problems, []))


@everything
def test_no_log_record_holds_the_secret(scene: Scene, kind: str, breakage: Breakage, caplog: pytest.LogCaptureFixture) -> None:
    """With everything logged, and pydantic-settings told to log what its sources hold, no record holds the secret."""
    scene.setenv("PYDANTIC_SETTINGS_DEBUG", "1")
    settings_class = breakage(scene)
    with caplog.at_level(logging.DEBUG), contextlib.suppress(ConfigError):
        validate(settings_class, timeout=0.2)
    assert scene.canary not in caplog.text


# A plain call has no time-out to shorten.
plainly = pytest.mark.parametrize(
    "breakage", [pytest.param(breakage, id=name) for name, (_, breakage) in BREAKAGES.items() if not name.endswith("_hangs")]
)
# What the user's own sources raise is handed on as it is: what it says is theirs.
HANDED_ON = {
    "a_validator_raises_what_it_should_not",
    "a_source_of_a_validator_opens_a_file_of_that_name",
    "a_source_raises_the_secret",
    "a_source_opens_a_file_that_the_secret_names",
    "a_source_asks_an_address_with_credentials",
    "a_source_is_refused_with_a_text_of_its_own",
    "the_hook_raises_the_secret",
    "the_hook_opens_a_file_that_the_secret_names",
}
SAYS = ("rendered ", "error.args", "error.filename", "error.errors()", "error.__dict__")


def called(call: Callable[[], object]) -> BaseException | None:
    """What a call raises."""
    try:
        call()
    except BaseException as exc:  # noqa: BLE001 - that it holds no secret is true of all
        return exc
    return None


@plainly
@pytest.mark.parametrize("way", ["call", "model_validate", "model_validate_json", "run"])
def test_no_failure_of_a_plain_call_holds_the_secret(scene: Scene, breakage: Breakage, way: str) -> None:
    """Whatever a plain call, pydantic's other ways to make a model, or a command line raise, nothing in it holds the secret."""
    settings_class = breakage(scene)
    calls: dict[str, Callable[[], object]] = {
        "call": settings_class,
        "model_validate": lambda: settings_class.model_validate({}),
        "model_validate_json": lambda: settings_class.model_validate_json("{}"),
        "run": lambda: CliApp.run(settings_class, cli_args=[]),
    }
    error = called(calls[way])
    scene.store.payloads.clear()  # the store is the class's, as its defaults are
    ways = places_of(scene.canary, error) if error is not None else []
    assert [way for way in ways if breakage.__name__ not in HANDED_ON or not way.startswith(SAYS)] == []


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, asyncio.CancelledError, GeneratorExit])
def test_what_is_no_exception_holds_no_secret(scene: Scene, kind: type[BaseException]) -> None:
    """Ctrl-C, an exit or the end of a task while settings are validated is raised anew, without text and frames."""

    def interrupt(value: str) -> str:
        raise kind(value)

    class Settings(Config):
        password: Annotated[SecretStr, BeforeValidator(interrupt)]

    scene.setenv("PASSWORD", scene.canary)
    with pytest.raises(kind) as caught:
        validate(Settings)
    assert places_of(scene.canary, caught.value) == []


def test_a_provider_that_exits_is_a_defect(scene: Scene, capfd: pytest.CaptureFixture[str]) -> None:
    """What is raised in a fetching thread is never printed by the interpreter."""
    scene.store.fail("a", SystemExit(scene.canary))

    class Settings(Config):
        model_config = SettingsConfigDict(providers=[scene.store])
        a: Annotated[SecretStr, From("store://a")]

    with pytest.raises(ConfigError) as caught:
        validate(Settings)
    assert [problem.message for problem in caught.value.problems] == ["Store raised SystemExit"]
    assert capfd.readouterr() == ("", "")


def test_init_arguments_are_on_no_frame_of_ours(scene: Scene) -> None:
    """What a caller gave to a plain call that fails is not among the locals of our own frames."""

    class Settings(Config):
        model_config = SettingsConfigDict(providers=[scene.store])
        password: SecretStr
        bad: Annotated[SecretStr, From("store://bad")]

    with pytest.raises(ConfigError) as caught:
        Settings(password=SecretStr(scene.canary))
    assert places_of(scene.canary, caught.value) == []


def test_a_context_that_outlives_a_load_holds_no_secret(scene: Scene) -> None:
    """A context that is copied during a load, as a task's is, keeps nothing of what was read or fetched."""
    contexts: list[contextvars.Context] = []

    def keep(value: str) -> str:
        contexts.append(contextvars.copy_context())
        return value

    class Settings(Config):
        model_config = SettingsConfigDict(providers=[scene.store])
        password: SecretStr
        fetched: Annotated[SecretStr, From("store://fetched")]
        port: Annotated[str, AfterValidator(keep)] = Field("1", validate_default=True)

    scene.setenv("PASSWORD", scene.canary)
    scene.store.put("fetched", scene.canary)
    # A context of its own: in that of the tests clients of trackers stay, which lead to the redactor.
    settings = contextvars.Context().run(validate, Settings)
    scene.store.payloads.clear()
    scene.setenv("PASSWORD", "")
    holder = ValueError()
    holder.add_note("")
    vars(holder)["kept"] = [list(context.values()) for context in contexts]
    assert places_of(scene.canary, holder) == []
    assert settings.password.get_secret_value() == scene.canary


def test_explained_urls_show_no_credentials(scene: Scene) -> None:
    """Userinfo and query of a URL are masked by where they stand: in defaults, in lists, and escaped."""

    class Settings(Config):
        a: PostgresDsn = PostgresDsn(f"postgres://u:{scene.canary}@h/d")
        b: tuple[HttpUrl, ...]
        c: HttpUrl

    scene.setenv("B", json.dumps([f"https://u:ä{scene.canary}@h/"]))
    scene.setenv("C", f"https://{scene.canary}@h/?page=1&token={scene.canary}")
    shown = " ".join(explained.value for explained in explain(validate(Settings)))
    assert scene.canary not in shown
    assert "@h/?page=**********&token=**********" in shown


def test_a_fetch_that_raises_within_threads_holds_no_secret(scene: Scene) -> None:
    """What a call raises in `fan_out` comes back as its type."""

    def call(item: str) -> Found:
        raise ValueError(item + scene.canary)

    results = fan_out(call, ["a"], deadline=Deadline(1))
    assert results == {"a": Failure("defect", "a: ValueError", tip="this is a fault of the provider; please report it")}


def test_a_payload_has_no_repr(scene: Scene) -> None:
    """A fetched payload does not show itself."""
    assert scene.canary not in repr(Found(scene.canary))


def test_a_hidden_credential_is_redacted_from_messages(scene: Scene) -> None:
    """What a provider logs in with is known to the redactor from then on."""
    hide(scene.canary)

    def refuse(value: str) -> str:
        raise ValueError(f"credential {scene.canary}")

    class Settings(Config):
        port: Annotated[str, AfterValidator(refuse)] = Field("1", validate_default=True)

    with pytest.raises(ConfigError) as caught:
        validate(Settings)
    assert caught.value.problems[0].message == "credential [redacted:credential]"


@contextlib.contextmanager
def module_of(settings_class: type[BaseSettings]) -> Iterator[str]:
    """The class as a module's, the way the command names it."""
    globals()["Target"] = settings_class
    yield f"{__name__}:Target"
    del globals()["Target"]


@everything
@pytest.mark.parametrize(
    "arguments",
    ["check {}", "check {} --format json", "check {} --format github", "explain {}", "explain {} --format json", "run {} true"],
)
def test_no_output_of_the_command_holds_the_secret(
    monkeypatch: pytest.MonkeyPatch, scene: Scene, kind: str, breakage: Breakage, arguments: str
) -> None:
    """The command shows the secret neither on standard output nor on standard error, in any format."""
    from confguard.cli import command

    monkeypatch.setattr(os, "execvpe", lambda *_: pytest.fail("refused settings are handed to nobody"))

    settings_class = breakage(scene)
    with module_of(settings_class) as target:
        subcommand, *rest = arguments.format(target).split()
        result = CliRunner().invoke(command, [subcommand, "--timeout", "200ms", *rest])
    assert result.exit_code in (70, 75, 77, 78)
    assert scene.canary[:12] not in result.output
    assert result.exception is None or places_of(scene.canary, result.exception) == []


def test_the_finder_sees_what_pydantic_settings_leaks(scene: Scene) -> None:
    """The same walk finds the secret in the errors of pydantic-settings' own base: in an input, a chain and a frame."""

    class Peer(pydantic_settings.BaseSettings):
        key: Secret[UUID4]
        keys: list[SecretStr] = []

    scene.setenv("KEY", scene.canary)
    with pytest.raises(ValidationError) as invalid:
        Peer()
    ways = places_of(scene.canary, invalid.value)
    assert any("errors()" in way for way in ways)
    assert any("<__init__>" in way for way in ways)
    scene.setenv("KEYS", f'["{scene.canary}", ')
    with pytest.raises(pydantic_settings.SettingsError) as malformed:
        Peer()
    assert any("[doc]" in way for way in places_of(scene.canary, malformed.value))


def test_a_traceback_with_locals_of_ours_holds_no_secret(scene: Scene) -> None:
    """Error trackers print the locals of every frame: of those of this library and below, none holds the secret."""
    import traceback

    settings_class = a_secret_url_is_invalid(scene)
    with pytest.raises(ConfigError) as caught:
        validate(settings_class)
    printed = io.StringIO()
    for frame in traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack:
        if "confguard" in frame.filename and frame.locals and "tests" not in frame.filename:
            print(frame.locals, file=printed)
    assert printed.getvalue()
    assert scene.canary not in printed.getvalue()


class Made(BaseSettings, validate_assignment=True):
    password: SecretStr = Field(default_factory=lambda: SecretStr(token_hex()))
    keys: list[SecretStr] = Field(default_factory=list)
    port: int = 1

    @field_validator("port")
    @classmethod
    def is_even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("it is odd")
        return value


def test_what_a_validator_says_is_told_where_every_secret_is_known(scene: Scene) -> None:
    """Where a factory made one it is withheld: not where the secret is given, and not of settings that are made."""
    made = Made(port=2)
    scene.setenv("PORT", "3")
    with pytest.raises(ConfigError, match="withheld"):
        validate(Made)
    scene.setenv("PASSWORD", scene.canary)
    with pytest.raises(ConfigError, match="it is odd"):
        validate(Made)
    with pytest.raises(ValidationError, match="it is odd"):
        made.port = 5


def test_an_attribute_that_settings_lack_leads_to_no_settings(scene: Scene) -> None:
    """Python keeps in the error the object that was asked."""

    class Settings(Config):
        password: SecretStr

        @model_validator(mode="after")
        def check(self) -> "Settings":
            self.nothing  # type: ignore[attr-defined] # noqa: B018 # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
            return self

    scene.setenv("PASSWORD", scene.canary)
    with pytest.raises(AttributeError, match="no attribute 'nothing'") as caught:
        Settings()
    assert (caught.value.name, caught.value.obj) == ("nothing", None)


def test_what_a_reference_from_outside_led_to_is_not_explained(scene: Scene) -> None:
    """Nobody said that it is no secret, whatever the type of its field."""

    class Settings(Config):
        model_config = SettingsConfigDict(providers=[scene.store], allowed_references=["store://mine/"])
        address: str

    scene.store.put("mine/address", scene.canary)
    scene.setenv("ADDRESS", "ref+store://mine/address")
    assert [explained.value for explained in explain(validate(Settings))] == ["[redacted:address]"]


class Mute:
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError


def test_a_value_without_text_is_explained_by_its_type(scene: Scene) -> None:
    """What its type raises would lead through frames that hold the settings."""

    class Settings(Config, arbitrary_types_allowed=True):
        password: SecretStr
        mute: Mute = Mute()

    scene.setenv("PASSWORD", scene.canary)
    assert [explained.value for explained in explain(validate(Settings))] == ["**********", "(Mute without text)"]
