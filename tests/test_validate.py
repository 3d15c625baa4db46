"""`validate`: what is loaded from where, and what is reported when it cannot be."""

import copy
import pickle
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from secrets import token_hex
from typing import Annotated, Any, Literal

import pydantic_settings
import pytest
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    Field,
    HttpUrl,
    PostgresDsn,
    Secret,
    SecretBytes,
    SecretStr,
    field_validator,
)
from pydantic_settings import DotEnvSettingsSource, PydanticBaseSettingsSource

from confguard import BaseSettings, ConfigError, From, Origin, Problem, SettingsConfigDict, explain, validate
from confguard.provider import Failure
from tests.doubles import Store


class Database(BaseModel):
    host: str
    password: SecretStr
    replicas: list[str] = []


class Holder(BaseModel):
    key: Annotated[SecretStr, From("store://key")]


def problems_of(settings_class: type[BaseSettings]) -> dict[str, Problem]:
    with pytest.raises(ConfigError) as caught:
        validate(settings_class)
    names = {problem.settings_class for problem in caught.value.problems}
    assert names == {f"{settings_class.__module__}:{settings_class.__qualname__}"}
    return {problem.field: replace(problem, settings_class="") for problem in caught.value.problems}


def origins_of(settings: BaseSettings) -> dict[str, Origin]:
    return {explained.field: explained.origin for explained in explain(settings)}


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    directory = tmp_path / "run"
    directory.mkdir()
    return directory


def test_every_leaf_has_its_origin_by_exact_native_name(monkeypatch: pytest.MonkeyPatch, store: Store, mounted: Path) -> None:
    """A value's origin is the variable as it is spelled, the file that holds it, or the path and version in the store."""

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(
            env_prefix="MYSERVICE_", env_nested_delimiter="__", env_file=".env", secrets_dir=mounted, providers=[store]
        )
        app_env: str = Field(validation_alias="APP_ENV")
        debug: bool = False
        port: int = 8000
        token: SecretStr
        db: Database
        key: Annotated[SecretStr, From("store://app/key?version=3#/key")]

    monkeypatch.setenv("APP_ENV", "production")
    monkeypatch.setenv("MyService_Db__Host", "db.internal")
    Path(".env").write_text("export MYSERVICE_DB__PASSWORD='hunter2hunter2'\nMYSERVICE_debug=off\n")
    (mounted / "myservice_token").write_text("t0ken\n")
    store.put("app/key", '{"key": "k3y"}', version="3")

    settings = validate(Settings)

    assert (settings.app_env, settings.debug, settings.port, settings.db.host) == ("production", False, 8000, "db.internal")
    assert settings.token.get_secret_value() == "t0ken"
    assert settings.db.password.get_secret_value() == "hunter2hunter2"
    assert settings.key.get_secret_value() == "k3y"
    assert origins_of(settings) == {
        "app_env": Origin("env", "APP_ENV"),
        "debug": Origin("dotenv", "MYSERVICE_debug", place=".env"),
        "port": Origin("default"),
        "token": Origin("mounted", str(mounted / "myservice_token")),
        "db.host": Origin("env", "MyService_Db__Host"),
        "db.password": Origin("dotenv", "MYSERVICE_DB__PASSWORD", place=".env"),
        "db.replicas": Origin("default"),
        "key": Origin("store", "app/key?version=3#/key", version="3"),
    }


def test_a_model_given_as_json_has_its_variable_for_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    """The leaves of a model that one variable holds whole come from it, except those that a variable of their own overrides."""

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(env_nested_delimiter="__")
        db: Database

    monkeypatch.setenv("DB", '{"host": "a", "password": "b"}')
    monkeypatch.setenv("DB__PASSWORD", "c")
    settings = validate(Settings)
    assert settings.db.password.get_secret_value() == "c"
    assert origins_of(settings)["db.host"] == Origin("env", "DB")
    assert origins_of(settings)["db.password"] == Origin("env", "DB__PASSWORD")


def test_a_variable_that_is_gone_by_then_is_still_the_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service may take its secrets out of the environment; their origin is told as before."""

    class Settings(BaseSettings):
        token: SecretStr

    monkeypatch.setenv("TOKEN", "x")
    settings = validate(Settings)
    monkeypatch.delenv("TOKEN")
    assert origins_of(settings)["token"] == Origin("env", "TOKEN")


def test_a_shadowed_value_is_told_beside_the_one_that_won(monkeypatch: pytest.MonkeyPatch) -> None:
    """An origin names the lower places that had a value too."""

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(env_file=(".env", ".env.local"))
        port: int

    Path(".env").write_text("PORT=1\n")
    Path(".env.local").write_text("PORT=2\n")
    monkeypatch.setenv("PORT", "3")
    settings = validate(Settings)
    assert settings.port == 3
    assert origins_of(settings)["port"] == Origin("env", "PORT", shadowed=(Origin("dotenv", "PORT", place=".env.local"),))


def test_a_source_of_the_users_own_is_named_by_its_class(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values of a source that pydantic-settings does not know come from its class's name; a function's from its own."""

    class Registry(PydanticBaseSettingsSource):
        def get_field_value(self, field: object, field_name: str) -> tuple[Any, str, bool]:
            return None, field_name, False

        def __call__(self) -> dict[str, Any]:
            return {"port": 9}

    def from_nowhere() -> dict[str, Any]:
        return {"host": "h"}

    class Settings(BaseSettings):
        port: int
        host: str

        @classmethod
        def settings_customise_sources(cls, settings_cls: Any, *args: Any, **kwargs: Any) -> Any:
            return (Registry(settings_cls), from_nowhere)

    settings = validate(Settings)
    assert origins_of(settings) == {"port": Origin("Registry", "port"), "host": Origin("from_nowhere", "host")}


def test_a_users_own_kind_of_env_file_is_asked_though_no_file_is_there() -> None:
    """Only pydantic-settings' own source is passed over where it read nothing: one below it may know more."""

    class WithMore(DotEnvSettingsSource):
        def __call__(self) -> dict[str, Any]:
            return {**super().__call__(), "name": "of their own"}

    class Settings(BaseSettings):
        name: str = "the default"

        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[pydantic_settings.BaseSettings], *args: Any, **kwargs: Any
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (WithMore(settings_cls),)

    assert validate(Settings).name == "of their own"


def test_only_what_is_needed_is_fetched_and_each_payload_once(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    """A field that a source has is not asked for; two fields of one payload ask for it once."""

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(providers=[store])
        a: Annotated[SecretStr, From("store://app#/a")]
        b: Annotated[SecretStr, From("store://app#/b")]
        c: Annotated[SecretStr, From("store://other")]

    store.put("app", '{"a": "1", "b": "2"}')
    monkeypatch.setenv("C", "3")
    settings = validate(Settings)
    assert [str(ref) for ref in store.asked] == ["store://app"]
    assert settings.b.get_secret_value() == "2"
    assert store.closed == 1


def test_a_binding_comes_before_the_default_and_missing_falls_back_to_it(store: Store) -> None:
    """A value in the store beats the default; the default stands in where the store has none."""

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(providers=[store])
        a: Annotated[SecretStr, From("store://a")] = SecretStr("default")
        b: Annotated[SecretStr, From("store://b")] = SecretStr("default")

    store.put("a", "stored")
    settings = validate(Settings)
    assert settings.a.get_secret_value() == "stored"
    assert settings.b.get_secret_value() == "default"
    assert origins_of(settings)["b"] == Origin("default")


@pytest.mark.parametrize("kind", ["denied", "unauthenticated", "unavailable", "throttled", "malformed", "unconfigured"])
def test_a_default_stands_in_for_missing_alone(store: Store, kind: Any) -> None:
    """Any other failure of a field with a default is a problem of its own kind."""

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(providers=[store])
        a: Annotated[SecretStr, From("store://a#/k")] = SecretStr("default")

    store.fail("a", Failure(kind, "store a: no", tip="do this", retry_after=2.0, request_id="r-1"))
    assert problems_of(Settings) == {
        "a": Problem(
            kind,
            "a",
            "store a: no",
            tip="do this",
            origin=Origin("store", "a#/k"),
            retry_after=2.0,
            request_id="r-1",
        )
    }


def test_everything_that_is_wrong_is_in_one_report(monkeypatch: pytest.MonkeyPatch, store: Store, mounted: Path) -> None:
    """Failures of stores, parse errors, missing, mistyped and invalid values stand side by side, and each once."""

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(
            env_prefix="MYSERVICE_", env_nested_delimiter="__", env_file=".env", secrets_dir=mounted, providers=[store]
        )
        app_env: Literal["development", "production"] = Field(validation_alias="APP_ENV")
        database_url: Secret[PostgresDsn]
        db: Database
        key: Annotated[SecretStr, From("store://key")]
        other: Annotated[SecretStr, From("store://other")]
        port: int = 8000

    monkeypatch.setenv("APP_ENV", "prod")
    monkeypatch.setenv("MYSERVICE_DATABSE_URL", "postgres://u:p@h/d")
    monkeypatch.setenv("MYSERVICE_DB__REPLICAS", "[1,")
    monkeypatch.setenv("MYSERVICE_DB__PASSWORD", "hunter2")
    Path(".env").write_text("MYSERVICE_PORT=many\n")
    store.fail("key", Failure("denied", "store key: 403"))

    problems = problems_of(Settings)

    assert problems == {
        "app_env": Problem(
            "invalid", "app_env", "Input should be 'development' or 'production'; it is 'prod'", origin=Origin("env", "APP_ENV")
        ),
        "database_url": Problem(
            "missing",
            "database_url",
            "",
            tip="MYSERVICE_DATABSE_URL is set. Did you mean MYSERVICE_DATABASE_URL?",
            looked_in=(
                "env MYSERVICE_DATABASE_URL",
                "MYSERVICE_DATABASE_URL in .env",
                "env MYSERVICE_DATABASE_URL_FILE",
                str(mounted / "myservice_database_url"),
            ),
        ),
        "db.replicas": Problem(
            "malformed",
            "db.replicas",
            "not valid JSON: Expecting value at line 1 column 4",
            tip='a list is written ["a", "b"], an object {"a": 1}',
            origin=Origin("env", "MYSERVICE_DB__REPLICAS"),
        ),
        "db.host": Problem(
            "missing",
            "db.host",
            "",
            looked_in=("env MYSERVICE_DB__HOST", "MYSERVICE_DB__HOST in .env", f"{mounted / 'myservice_db'} (as JSON)"),
        ),
        "key": Problem("denied", "key", "store key: 403", origin=Origin("store", "key")),
        "other": Problem(
            "missing",
            "other",
            "store other: there is no such value",
            origin=Origin("store", "other"),
            looked_in=(
                "env MYSERVICE_OTHER",
                "MYSERVICE_OTHER in .env",
                "env MYSERVICE_OTHER_FILE",
                str(mounted / "myservice_other"),
                "store://other",
            ),
        ),
        "port": Problem(
            "invalid",
            "port",
            "Input should be a valid integer, unable to parse string as an integer; it is 'many'",
            origin=Origin("dotenv", "MYSERVICE_PORT", place=".env"),
        ),
    }


@pytest.mark.parametrize(
    ("field", "text", "tip"),
    [
        ("url", '"http://shop.test"', "the quotes are a part of the value here: take them out"),
        ("dsn", "'https://shop.test/1'", "the quotes are a part of the value here: take them out"),
        ("workers", '"4"', "the quotes are a part of the value here: take them out"),
        ("workers", "30s", "write the number alone, without a unit"),
        ("ratio", "12.5 MiB", "write the number alone, without a unit"),
        ("workers", "many", None),
        ("pin", "1234x", None),
        ("debug", "yess", "write true or false"),
        ("timeout", "30s", "write PT30S for 30 seconds, PT5M for 5 minutes (ISO 8601)"),
    ],
)
def test_a_usual_slip_in_a_value_is_told_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, field: str, text: str, tip: str | None
) -> None:
    """Quotes that nothing took off, units, and what a switch or a duration wants; of a secret no more than that it has quotes."""

    class Slips(BaseSettings):
        url: HttpUrl = HttpUrl("http://shop.test")
        dsn: Secret[HttpUrl] | None = None
        pin: Secret[int] | None = None
        workers: int = 4
        ratio: float = 0.5
        debug: bool = False
        timeout: timedelta = timedelta(seconds=30)

    monkeypatch.setenv(field.upper(), text)
    assert {path: problem.tip for path, problem in problems_of(Slips).items()} == {field: tip}


def test_the_durations_of_that_tip_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(BaseSettings):
        timeouts: list[timedelta]

    monkeypatch.setenv("TIMEOUTS", '["PT30S", "PT5M"]')
    assert validate(Slow).timeouts == [timedelta(seconds=30), timedelta(minutes=5)]


def test_a_name_is_shown_in_capitals_only_where_that_is_the_same_variable() -> None:
    """The small letters of GRÖSSE are not those of größe, so the name is shown as the field has it."""

    class Settings(BaseSettings):
        größe: int
        höhe: int

    looked_in = {field: problem.looked_in for field, problem in problems_of(Settings).items()}
    assert looked_in == {"größe": ("env größe",), "höhe": ("env HÖHE",)}


def test_a_field_that_cannot_be_parsed_does_not_take_its_siblings_with_it(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    """Beside a variable that is no JSON, the other variables of its model still count: what they give is not fetched."""

    class Bound(BaseModel):
        ports: list[int]
        password: Annotated[SecretStr, From("store://password")]

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(env_nested_delimiter="__", providers=[store])
        db: Bound

    monkeypatch.setenv("DB__PORTS", "80,81")
    monkeypatch.setenv("DB__PASSWORD", "what it holds")
    assert list(problems_of(Settings)) == ["db.ports"]
    assert store.asked == []


def test_a_union_that_takes_text_as_well_needs_no_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """What pydantic-settings tolerates, a text where a list or a text may stand, is no problem beside one that is."""

    class Settings(BaseSettings):
        hosts: list[str] | str
        ports: list[int]

    monkeypatch.setenv("HOSTS", "a,b")
    monkeypatch.setenv("PORTS", "80,81")
    assert list(problems_of(Settings)) == ["ports"]


def test_an_env_file_that_cannot_be_decoded_costs_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is named with the byte that is wrong, the other env file is read, and other problems stand beside it."""

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(env_file=(".env", "broken.env"))
        host: str
        port: int

    Path(".env").write_text("HOST=h\n")
    Path("broken.env").write_bytes(b"A=b\nC=\xff\n")
    monkeypatch.setenv("PORT", "x")
    assert problems_of(Settings) == {
        "": Problem(
            "malformed", "", "not valid UTF-8: invalid start byte at byte 6", origin=Origin("dotenv", place="broken.env")
        ),
        "port": Problem(
            "invalid",
            "port",
            "Input should be a valid integer, unable to parse string as an integer; it is 'x'",
            origin=Origin("env", "PORT"),
        ),
    }


def test_a_source_that_fails_whole_is_named_and_the_others_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that raises is one problem with the type that it raised; the fields that it may have held say so."""

    class Broken(PydanticBaseSettingsSource):
        def get_field_value(self, field: object, field_name: str) -> tuple[Any, str, bool]:
            return None, field_name, False

        def __call__(self) -> dict[str, Any]:
            raise LookupError("hunter2")

    class Settings(BaseSettings):
        host: str
        port: int

        @classmethod
        def settings_customise_sources(cls, settings_cls: Any, *args: Any, **kwargs: Any) -> Any:
            return (Broken(settings_cls), kwargs["env_settings"])

    monkeypatch.setenv("PORT", "80")
    assert problems_of(Settings) == {
        "": Problem("malformed", "", "Broken: cannot be read (LookupError)"),
        "host": Problem(
            "missing", "host", "", tip="it may stand in what could not be read: Broken", looked_in=("Broken", "env HOST")
        ),
    }


def test_a_mounted_directory_that_is_a_file_is_named(tmp_path: Path) -> None:
    """A file where a directory of secrets should be is a problem of its own, with the path."""
    (tmp_path / "file").write_text("")

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(secrets_dir=tmp_path / "file")
        port: int = 1

    assert problems_of(Settings) == {"": Problem("malformed", "", f"mounted: {tmp_path / 'file'} is no directory")}


def test_a_hook_that_fails_leaves_the_usual_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where settings_customise_sources raises, that is a problem and the usual sources are read."""

    class Settings(BaseSettings):
        port: int
        host: str

        @classmethod
        def settings_customise_sources(cls, *args: Any, **kwargs: Any) -> Any:
            raise RuntimeError("hunter2")

    monkeypatch.setenv("PORT", "80")
    problems = problems_of(Settings)
    assert problems[""] == Problem("malformed", "", "settings_customise_sources: cannot be read (RuntimeError)")
    assert list(problems) == ["", "host"]


def test_code_of_the_class_that_raises_is_told_by_type_and_place() -> None:
    """An exception that is no ValueError, from a validator, becomes a problem without its text."""

    class Settings(BaseSettings):
        port: int = 1

        @field_validator("port")
        @classmethod
        def check(cls, value: int) -> int:
            raise KeyError("hunter2")

        model_config = SettingsConfigDict(validate_default=True)

    (problem,) = problems_of(Settings).values()
    assert problem.kind == "mistake"
    assert problem.message.startswith(f"loading raised KeyError at {__file__}:")


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (Annotated[str, From("store://a")], "what a store holds is a secret, and its type would show it"),
        (
            Annotated[SecretStr, From("a")],
            "the reference 'a' cannot be read: no '://' in it; a reference looks like vault://secret/app#/password",
        ),
        (Annotated[SecretStr, From("store://a"), From("store://b")], "it is bound twice"),
        (Annotated[SecretStr, From("store://a")] | None, "its From(…) stands inside of the type and binds nothing"),
        (list[Holder], "its From(…) stands inside of the type and binds nothing"),
        (Annotated[SecretStr, From], "its From(…) binds nothing where it stands"),
        (Annotated[Holder, From("store://a")], "it is bound as a whole, and so is a.key within it"),
        (
            Annotated[SecretStr, From("store://a"), Field(validation_alias=AliasPath("a", 0))],
            "it is bound, and only an alias path into a list leads to it",
        ),
    ],
)
def test_a_class_mistake_is_a_problem_of_its_field(annotation: Any, message: str) -> None:
    """A binding that cannot work is reported on its field, and the field is not reported missing as well."""

    class Settings(BaseSettings):
        a: annotation

    (problem,) = problems_of(Settings).values()
    assert (problem.kind, problem.field, problem.message) == ("mistake", "a", message)


def test_every_mistake_of_a_field_is_told() -> None:
    """Two mistakes of one field are two problems, as --plan says them; a binding as a default is one."""
    default: Any = From("store://a")

    class Settings(BaseSettings):
        a: Annotated[SecretStr, From("STORE://a"), From("store://b")]
        b: SecretStr = default

    with pytest.raises(ConfigError) as caught:
        validate(Settings)
    assert [(problem.kind, problem.field) for problem in caught.value.problems] == [
        ("mistake", "a"),
        ("mistake", "a"),
        ("mistake", "b"),
    ]


def test_a_mounted_directory_that_cannot_be_listed_is_denied(mounted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that this user may not list is a problem of the fields that it may hold, beside the others."""

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(secrets_dir=mounted)
        token: SecretStr
        port: int

    def refuse(path: Path) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setenv("PORT", "x")
    monkeypatch.setattr(Path, "iterdir", refuse)
    kinds = {field: problem.kind for field, problem in problems_of(Settings).items()}
    assert kinds["token"] == "denied"


def test_a_settings_class_that_a_default_factory_makes_fetches_for_itself(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    """A nested settings class with a default factory loads as it does alone, and fails in the outer report."""

    class Inner(BaseSettings):
        model_config = SettingsConfigDict(env_prefix="INNER_", providers=[store])
        host: str
        key: Annotated[SecretStr, From("store://key")]

    class Outer(BaseSettings):
        inner: Inner = Field(default_factory=Inner)

    monkeypatch.setenv("INNER_HOST", "h")
    store.put("key", "k")
    assert validate(Outer).inner.key.get_secret_value() == "k"
    store.fail("key", Failure("denied", "store key: 403"))
    with pytest.raises(ConfigError) as caught:
        validate(Outer)
    assert [(problem.kind, problem.field) for problem in caught.value.problems] == [("denied", "key")]
    monkeypatch.delenv("INNER_HOST")
    store.put("key", "k")
    with pytest.raises(ConfigError) as caught:
        validate(Outer)
    assert [problem.message for problem in caught.value.problems] == ["Inner cannot be made: host: missing"]


def test_a_length_of_a_secret_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that is too short is said to be, without its length."""

    class Settings(BaseSettings):
        key: Annotated[SecretStr, Field(min_length=16)]

    monkeypatch.setenv("KEY", "hunter2hunte")
    assert problems_of(Settings)["key"].message == "it is shorter than 16"


@pytest.mark.parametrize(
    ("reference", "message", "tip"),
    [
        ("valt://a", "no provider for valt://", "did you mean vault://?"),
        (
            "ftp://a",
            "no provider for ftp://",
            "known are awssecrets://, awsssm://, azurekeyvault://, env://, file://, gcpsecrets://, openbao://, vault://",
        ),
        ("store://a?versoin=3", "unknown parameter 'versoin'", "did you mean 'version'?"),
        ("store://a?x=3", "unknown parameter 'x'", "store:// takes version"),
    ],
)
def test_a_reference_that_nobody_can_be_asked_for(store: Store, reference: str, message: str, tip: str) -> None:
    """A scheme without provider and a parameter that it does not take are unconfigured, with what was probably meant."""

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(providers=[store])
        a: Annotated[SecretStr, From(reference)]

    (problem,) = problems_of(Settings).values()
    assert (problem.kind, problem.message, problem.tip) == ("unconfigured", message, tip)
    assert store.asked == []


def test_a_plain_field_may_be_bound_to_what_is_no_secret(store: Store) -> None:
    """A binding that says that its value is no secret may fill a field of any type, structures included."""

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(providers=[store])
        port: Annotated[int, From("store://app#/port", secret=False)]
        hosts: Annotated[list[str], From("store://app#/hosts", secret=False)]
        raw: Annotated[SecretBytes, From("store://raw")]

    store.put("app", '{"port": 5432, "hosts": ["a", "b"]}')
    store.put("raw", b"\x00\xff")
    settings = validate(Settings)
    assert (settings.port, settings.hosts, settings.raw.get_secret_value()) == (5432, ["a", "b"], b"\x00\xff")


@pytest.mark.parametrize(
    "field",
    [
        Field(validation_alias="KEY_ALIAS"),
        Field(validation_alias=AliasChoices("KEY_ALIAS", "OTHER")),
        Field(validation_alias=AliasPath("keys", "main")),
        Field(alias="KEY_ALIAS"),
    ],
)
def test_a_bound_field_may_have_any_alias(store: Store, field: Any) -> None:
    """What was fetched reaches pydantic under the field's alias."""

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(providers=[store])
        key: Annotated[SecretStr, From("store://key")] = field

    store.put("key", "k3y")
    assert validate(Settings).key.get_secret_value() == "k3y"


def test_a_value_under_any_alias_keeps_a_binding_from_being_fetched(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    """The second of several aliases counts as well as the first."""

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(providers=[store])
        key: Annotated[SecretStr, From("store://key")] = Field(validation_alias=AliasChoices("FIRST", "SECOND"))

    monkeypatch.setenv("second", "from the environment")
    settings = validate(Settings)
    assert settings.key.get_secret_value() == "from the environment"
    assert origins_of(settings)["key"] == Origin("env", "second")
    assert store.asked == []


def test_a_field_of_a_nested_model_may_be_bound(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    """A bound field joins what sources gave for the model around it."""

    class Bound(BaseModel):
        host: str
        password: Annotated[SecretStr, From("store://password")]

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(env_nested_delimiter="__", providers=[store])
        db: Bound
        cache: Bound | None = None

    monkeypatch.setenv("DB__HOST", "h")
    store.put("password", "p")
    settings = validate(Settings)
    assert (settings.db.host, settings.db.password.get_secret_value(), settings.cache) == ("h", "p", None)


def test_what_was_fetched_joins_the_alias_that_a_source_used(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    """Where a source gave a nested model under its second alias, the bound field goes there, and takes nothing's place."""

    class Bound(BaseModel):
        host: str
        password: Annotated[SecretStr, From("store://password")]

    class Servers(BaseModel):
        main: Bound = Field(validation_alias=AliasChoices("first", "second"))

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(providers=[store])
        servers: Servers

    monkeypatch.setenv("SERVERS", '{"second": {"host": "h"}}')
    store.put("password", "p")
    settings = validate(Settings)
    assert (settings.servers.main.host, settings.servers.main.password.get_secret_value()) == ("h", "p")


def test_an_optional_model_that_nothing_fills_stays_away(store: Store) -> None:
    """A binding inside of a model that is None by default is not fetched for its own sake."""

    class Bound(BaseModel):
        password: Annotated[SecretStr, From("store://password")]

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(providers=[store])
        cache: Bound | None = None

    assert validate(Settings).cache is None
    assert store.asked == []


def test_a_settings_class_within_another_is_fetched_with_it(store: Store) -> None:
    """Bindings of a nested settings class belong to the outer plan; its failures stand in the outer report."""

    class Inner(BaseSettings):
        model_config = SettingsConfigDict(providers=[store])
        key: Annotated[SecretStr, From("store://key")]

    class Outer(BaseSettings):
        model_config = SettingsConfigDict(providers=[store])
        inner: Inner
        port: int

    store.fail("key", Failure("denied", "store key: 403"))
    assert {field: problem.kind for field, problem in problems_of(Outer).items()} == {"inner.key": "denied", "port": "missing"}
    assert len(store.asked) == 1


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_timeout_must_be_above_zero(seconds: float) -> None:
    """A deadline that has passed already is wrong use, and said to be."""

    class Settings(BaseSettings):
        pass

    with pytest.raises(ValueError, match="above 0 seconds"):
        validate(Settings, timeout=seconds)


def test_only_a_settings_class_can_be_validated() -> None:
    """A class that is none of ours is refused by type."""
    given: Any = pydantic_settings.BaseSettings
    with pytest.raises(TypeError, match=r"takes subclasses of confguard\.BaseSettings, not the class BaseSettings$"):
        validate(given)
    given = Module()
    with pytest.raises(TypeError, match=r"not an object of Module$"):
        validate(given)


def test_calling_the_class_loads_the_same(store: Store) -> None:
    """A plain call fetches too, and raises ConfigError alone where a bound field cannot be fetched."""

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(providers=[store])
        key: Annotated[SecretStr, From("store://key")]

    store.put("key", "k3y")
    assert Settings().key.get_secret_value() == "k3y"
    store.fail("key", Failure("denied", "store key: 403"))
    with pytest.raises(ConfigError) as caught:
        Settings()
    assert [problem.kind for problem in caught.value.problems] == ["denied"]


def test_settings_without_a_load_say_that_they_do_not_know() -> None:
    """Only what `validate` returned knows its origins: a plain call and a copy do not."""

    class Settings(BaseSettings):
        port: int = 1

    for settings in (Settings(), validate(Settings).model_copy()):
        with pytest.raises(LookupError, match=r"load them with confguard\.validate"):
            explain(settings)


def test_origins_are_forgotten_when_settings_are_loaded_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calling __init__ again, as pydantic-settings documents for a reload, does not leave stale origins."""

    class Settings(BaseSettings):
        port: int = 1

    settings = validate(Settings)
    settings.__init__()  # type: ignore[misc] # the documented way
    with pytest.raises(LookupError):
        explain(settings)


class Module(BaseSettings):
    """A class that pickle can find."""

    port: int = 1


@pytest.mark.parametrize("twin", [copy.copy, copy.deepcopy, lambda settings: pickle.loads(pickle.dumps(settings))])
def test_origins_are_no_part_of_the_settings(twin: Callable[[Module], Module]) -> None:
    """Equality, copies, pickles and dumps of validated settings are those of plain ones."""
    settings = validate(Module)
    assert settings == Module() == twin(settings)
    assert settings.model_dump() == {"port": 1}
    assert vars(settings) == {"port": 1}


def test_explained_values_hide_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret is masked, and a plain value that holds a known one is redacted."""

    class Settings(BaseSettings):
        password: SecretStr
        banner: str

    secret = token_hex()
    monkeypatch.setenv("PASSWORD", secret)
    monkeypatch.setenv("BANNER", f"pw={secret}")
    shown = {explained.field: explained.value for explained in explain(validate(Settings))}
    assert shown == {"password": "**********", "banner": "pw=[redacted:password]"}


def test_a_place_within_a_value_is_told_by_names_of_fields_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that is a field's, here or in a model of a list, is told; any other may be a secret."""

    class Item(BaseModel):
        port: int

    class Settings(BaseSettings):
        items: list[Item]
        limits: dict[str, int]

    monkeypatch.setenv("ITEMS", '[{"port": 1}, {"port": "many"}]')
    monkeypatch.setenv("LIMITS", '{"limits": "many", "k3y": "many"}')
    with pytest.raises(ConfigError) as caught:
        validate(Settings)
    places = [problem.message.partition(" (at ")[2] for problem in caught.value.problems]
    assert sorted(places) == ["1.port)", "limits)", "…)"]


def test_a_secret_that_only_a_place_in_a_list_leads_to_is_read_from_no_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """There is no name under which a file's content could be given to it, here or in a model, and nothing fails for that."""

    class Tokens(BaseModel):
        first: SecretStr = Field(validation_alias=AliasPath("all", 0))

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(env_nested_delimiter="__")

        token: SecretStr = Field(validation_alias=AliasPath("tokens", 0))
        nested: Tokens

    for name in ("token", "tokens", "nested__first", "nested__all"):
        (tmp_path / name).write_text(token_hex())
        monkeypatch.setenv(f"{name.upper()}_FILE", str(tmp_path / name))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("NESTED", "{}")
    assert {field: problem.kind for field, problem in problems_of(Settings).items()} == {
        "token": "missing",
        "nested.first": "missing",
    }


def test_a_secret_of_a_model_with_a_default_is_read_from_the_file_that_a_variable_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever the default is made of, which need not be hashable."""

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(env_nested_delimiter="__")

        db: Database = Database(host="db.internal", password=SecretStr("none"))

    secret = token_hex()
    (tmp_path / "password").write_text(secret)
    monkeypatch.setenv("DB__HOST", "db.internal")
    monkeypatch.setenv("DB__PASSWORD_FILE", str(tmp_path / "password"))
    assert validate(Settings).db.password.get_secret_value() == secret


def test_a_secret_is_known_by_whichever_name_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its second alias in a source of the user's, or as a part of a variable, of which the rest is no secret."""
    password, key, plain = token_hex(), token_hex(), token_hex()

    def from_a_registry() -> dict[str, Any]:
        return {"PASSWD": password}

    class Settings(BaseSettings):
        password: SecretStr = Field(validation_alias=AliasChoices("PASSWORD", "PASSWD"))
        key: SecretStr = Field(validation_alias=AliasPath("CONF", "key"))
        banner: str

        @classmethod
        def settings_customise_sources(cls, settings_cls: Any, *args: Any, **kwargs: Any) -> Any:
            return kwargs["env_settings"], from_a_registry

    monkeypatch.setenv("CONF", f'{{"key": "{key}", "plain": "{plain}"}}')
    monkeypatch.setenv("BANNER", f"{password} {key} {plain}")
    (shown,) = [explained.value for explained in explain(validate(Settings)) if explained.field == "banner"]
    assert shown == f"[redacted:password] [redacted:key] {plain}"
