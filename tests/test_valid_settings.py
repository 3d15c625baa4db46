"""`valid_settings`: valid settings of a class from its schema, and what is said where there are none."""

import copy
import os
import pickle
from collections import deque
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address
from pathlib import Path
from secrets import token_hex
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

import pydantic_settings
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import (
    UUID4,
    AliasChoices,
    AliasPath,
    AmqpDsn,
    AnyUrl,
    AwareDatetime,
    Base64Bytes,
    BaseModel,
    DirectoryPath,
    Field,
    FileUrl,
    FutureDate,
    HttpUrl,
    Json,
    MongoDsn,
    NegativeInt,
    PastDatetime,
    PostgresDsn,
    RedisDsn,
    Secret,
    SecretBytes,
    SecretStr,
    computed_field,
    create_model,
    field_validator,
    model_validator,
)

from confguard import BaseSettings, From, Required, SettingsConfigDict, When, explain, rule
from confguard._redaction import redactor
from confguard.testing import CannotMakeError, valid_settings
from tests.differential.classes import field_of
from tests.differential.drawing import pick
from tests.differential.kinds import COLLECTIONS, MODELS, PLAIN, SECRETS, Kind
from tests.differential.models import NAMESPACE, Cat, Database, Spot


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class AppSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="APP_", env_file=".env", secrets_dir="run")

    stage: Literal["development", "production"] = Field(validation_alias="STAGE")
    debug: bool = False
    workers: Annotated[int, Field(gt=3, multiple_of=5)]
    api_key: Annotated[SecretStr, From("vault://secret/app#/api_key")]
    dsn: Annotated[Secret[HttpUrl] | None, Required(When(stage="production"))] = None
    database: Database
    replica: Spot | None = None

    @rule("debug must be off in production")
    def no_debug_in_production(self) -> bool:
        return not (self.debug and self.stage == "production")


def made(annotation: Any) -> Any:
    """The value that is made for a required field of a type."""
    fields: Any = {"some_field": (annotation, ...)}
    settings: Any = valid_settings(create_model("OneField", __base__=BaseSettings, **fields))
    return settings.some_field


def test_settings_are_made_without_any_place_that_has_them() -> None:
    """What has no default gets a value, and what has one keeps it."""
    settings = valid_settings(AppSettings)
    assert type(settings) is AppSettings
    assert (settings.stage, settings.debug, settings.workers) == ("development", False, 5)
    assert (settings.dsn, settings.replica, settings.database) == (None, None, Database())


def test_no_source_is_read(clean_environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment, an env file, mounted files and sources of the class's own give nothing, even what is wrong."""
    for name in ("STAGE", "APP_WORKERS", "APP_DATABASE", "APP_API_KEY"):
        monkeypatch.setenv(name, "poison")
    (clean_environment / ".env").write_text("APP_WORKERS=10\nAPP_UNKNOWN=1\n")
    run = clean_environment / "run"
    run.mkdir()
    (run / "app_workers").write_text("10")

    class Watchful(AppSettings):
        @classmethod
        def settings_customise_sources(cls, *args: Any, **kwargs: Any) -> Any:
            raise AssertionError("the sources are asked for")

    assert valid_settings(Watchful).workers == 5


def test_the_same_is_made_every_time() -> None:
    """Two calls give equal settings, whose parts are not shared."""
    first, second = valid_settings(AppSettings), valid_settings(AppSettings)
    assert first == second
    assert first.database is not second.database


def test_a_container_that_a_validator_changes_is_not_the_next_ones() -> None:
    """Each call has containers of its own."""

    class Settings(BaseSettings):
        names: dict[str, list[str]]

        @model_validator(mode="before")
        @classmethod
        def add(cls, data: Any) -> Any:
            data["names"]["more"] = ["x"]
            data["names"]["key"].append("y")
            return data

    assert valid_settings(Settings) == valid_settings(Settings)


def test_given_values_win() -> None:
    """Values are given by field path, into models that are made as well."""
    password = token_hex()
    settings = valid_settings(AppSettings, workers="20", **{"database.password": password, "database.port": 1, "replica.x": 7})
    assert settings.workers == 20
    assert settings.database.password is not None
    assert settings.database.password.get_secret_value() == password
    assert (settings.database.host, settings.database.port) == ("localhost", 1)
    assert settings.replica == Spot(x=7)


def test_a_part_of_a_default_is_changed_and_the_rest_of_it_stays() -> None:
    """A given part of a model with a default leaves the default's other fields as they are."""

    class Settings(BaseSettings):
        database: Database = Database(host="other", port=1)

    assert valid_settings(Settings, **{"database.port": 2}).database == Database(host="other", port=2)
    assert Settings.model_fields["database"].default.port == 1


def test_a_whole_and_its_parts_can_be_given() -> None:
    """A part wins over the whole that it is given with, be that a mapping or a model."""
    for whole in ({"host": "a", "port": 1}, Database(host="a", port=1)):
        settings = valid_settings(AppSettings, database=whole, **{"database.port": 2})
        assert settings.database == Database(host="a", port=2)
    with pytest.raises(ValueError, match="database is given whole and in parts"):
        valid_settings(AppSettings, database=3, **{"database.port": 2})


@pytest.mark.parametrize(
    ("path", "meant"), [("worker", "workers"), ("database.pasword", "database.password"), ("STAGE", "stage")]
)
def test_an_unknown_field_fails_with_a_suggestion(path: str, meant: str) -> None:
    """A path that leads to no field is refused, and the one that was meant is told; an alias leads to its field."""
    with pytest.raises(ValueError, match=f"AppSettings has no field {path!r}; did you mean {meant!r}?"):
        valid_settings(AppSettings, **{path: 1})


def test_what_is_no_settings_class_is_refused() -> None:
    """Only subclasses of our base are taken."""
    with pytest.raises(TypeError, match=r"valid_settings\(\) takes subclasses"):
        valid_settings(Database)  # type: ignore[type-var]


def test_secrets_are_unmistakably_fake() -> None:
    """A secret begins with fake- and names its field, and so does the password of a URL that is one."""
    assert made(SecretStr).get_secret_value() == "fake-some_field-0000"
    assert made(SecretBytes).get_secret_value() == b"fake-some_field-0000"
    assert str(made(Secret[PostgresDsn]).get_secret_value()) == "postgres://user:fake-some_field-0000@some-field.test"
    assert made(Annotated[SecretStr, Field(min_length=30)]).get_secret_value() == f"fake-some_field-{14 * '0'}"
    assert made(Annotated[SecretStr, Field(max_length=6)]).get_secret_value() == "fake-s"
    assert made(Secret[Annotated[str, Field(pattern="^[A-Z]{6}$")]]).get_secret_value() == "FAKEFA"
    assert [item.get_secret_value() for item in made(Annotated[list[SecretStr], Field(min_length=2)])] == [
        "fake-some_field-0000",
        "fake-some_field-0001",
    ]


def test_a_url_that_is_no_secret_has_no_password_and_a_host_that_cannot_exist() -> None:
    """URLs have the first scheme that their type allows."""
    urls = [str(made(kind)) for kind in (HttpUrl, AnyUrl, PostgresDsn, RedisDsn, MongoDsn, AmqpDsn)]
    assert [url.partition("://")[0] for url in urls] == ["http", "https", "postgres", "redis", "mongodb", "amqp"]
    assert [url for url in urls if "@" in url or "some-field.test" not in url] == []
    assert made(FileUrl).scheme == "file"


def test_no_value_is_told_to_the_redactor() -> None:
    """What is made is no secret, and redacting it would hide what a test prints; computed secrets are none either."""

    class Settings(BaseSettings):
        api_key: SecretStr
        url: Secret[PostgresDsn]

        @computed_field  # type: ignore[prop-decorator]
        @property
        def both(self) -> SecretStr:
            return SecretStr(self.api_key.get_secret_value() * 2)

    settings = valid_settings(Settings)
    text = f"{settings.api_key.get_secret_value()} {settings.url.get_secret_value()} {settings.both.get_secret_value()}"
    assert redactor.redact(text) == text


SIMPLE: list[tuple[Any, object]] = [
    (str, "some_field"),
    (Annotated[str, Field(min_length=12)], "some_fieldxx"),
    (Annotated[str, Field(max_length=4)], "some"),
    (bytes, b"some_field"),
    (bool, False),
    (int, 1),
    (NegativeInt, -1),
    (Annotated[int, Field(ge=1024, le=65535)], 1024),
    (Annotated[int, Field(lt=-5)], -6),
    (Annotated[int, Field(le=7, multiple_of=4)], 4),
    (Annotated[int, Field(le=-5, multiple_of=4)], -8),
    (float, 1.0),
    (Annotated[float, Field(gt=0, lt=1)], 0.5),
    (Annotated[float, Field(gt=2, multiple_of=0.5)], 3.0),
    (Decimal, Decimal(1)),
    (Annotated[Decimal, Field(gt=0, le=1, max_digits=2, decimal_places=1)], Decimal("0.5")),
    (Colour, Colour.RED),
    (Literal[2, "b"], 2),
    (date, date(2000, 1, 1)),
    (datetime, datetime(2000, 1, 1)),
    (AwareDatetime, datetime(2000, 1, 1, tzinfo=UTC)),
    (time, time(12)),
    (timedelta, timedelta(seconds=1)),
    (Annotated[timedelta, Field(gt=timedelta(seconds=30))], timedelta(seconds=31)),
    (UUID, UUID("00000000-0000-4000-8000-000000000001")),
    (UUID4, UUID("00000000-0000-4000-8000-000000000001")),
    (Path, Path("/nonexistent/fake")),
    (IPv4Address, IPv4Address("192.0.2.1")),
    (int | None, 1),
    (None, None),
    (Annotated[int | str, Field(ge=3)], 3),
    (list[int], [1]),
    (Annotated[list[int], Field(min_length=3)], [1, 2, 3]),
    (Annotated[list[int], Field(max_length=0)], []),
    (set[str], {"some_field"}),
    (Annotated[frozenset[str], Field(min_length=2)], frozenset({"some_field", "some_field1"})),
    (deque[int], deque([1])),
    (tuple[int, str], (1, "some_field")),
    (tuple[int, ...], (1,)),
    (dict[str, int], {"key": 1}),
    (Annotated[dict[str, int], Field(min_length=2)], {"key": 1, "key1": 2}),
    (Json[list[int]], [1]),
    (Base64Bytes, b"some_field"),
    (Annotated[str, Field(pattern=r"^[a-z]+-\d{3}$")], "f-000"),
    (Annotated[str, Field(pattern=r"^(?:eu|us)-(west|east)-[1-3]$")], "eu-west-1"),
    (Annotated[str, Field(pattern=r"^arn:aws:iam::\d{12}:role/[\w+=,.@-]+$")], "arn:aws:iam::000000000000:role/f"),
    (Annotated[str, Field(pattern="^a?b*$", min_length=3)], "abb"),
]


@pytest.mark.parametrize(("annotation", "expected"), SIMPLE, ids=map(str, range(len(SIMPLE))))
def test_each_type_gets_its_simplest_value(annotation: Any, expected: object) -> None:
    """A value is the simplest that type and constraints allow."""
    value = made(annotation)
    assert (type(value), value) == (type(expected), expected)


def test_values_that_depend_on_the_day_or_the_machine_are_good_on_each() -> None:
    """The past and the future are far away, and directories are there."""
    assert made(FutureDate) > date(3000, 1, 1)
    assert made(PastDatetime) < datetime(2001, 1, 1)
    assert made(DirectoryPath).is_dir()


def test_strict_classes_get_what_they_take() -> None:
    """Values are of the types themselves, so that nothing has to be converted."""
    types = (int, float, bool, Decimal, date, datetime, UUID, Path, Colour, SecretStr, Secret[int], set[str], tuple[int, str])
    fields: Any = {f"field{number}": (annotation, ...) for number, annotation in enumerate(types)}

    class Base(BaseSettings):
        model_config = SettingsConfigDict(strict=True)

    settings: Any = valid_settings(create_model("Strict", __base__=Base, **fields))
    assert (settings.field0, settings.field11) == (1, {"field11"})


def test_aliases_of_all_forms_are_filled() -> None:
    """A field is filled under its alias, a choice of several, or a path into an object or a list."""

    class Settings(BaseSettings):
        one: str = Field(validation_alias="ONE")
        two: str = Field(validation_alias=AliasChoices("two_a", "two_b"))
        first: str = Field(validation_alias=AliasPath("names", 0))
        second: str = Field(validation_alias=AliasPath("names", 1))
        deep: int = Field(validation_alias=AliasPath("tree", "leaf"))

    settings = valid_settings(Settings, second="given")
    assert settings.model_dump() == {"one": "one", "two": "two", "first": "first", "second": "given", "deep": 1}


def kind_id(kind: Kind) -> str:
    return kind.annotation[:40]


@pytest.mark.parametrize("kind", [*PLAIN, *SECRETS, *COLLECTIONS, *MODELS], ids=kind_id)
def test_values_of_every_kind_are_made(kind: Kind) -> None:
    """Each type that the differential tests know is made without help."""
    assert made(eval(kind.annotation, dict(NAMESPACE))) is not None  # noqa: S307 - of our own table


def good_defaults(kind: Kind) -> tuple[str, ...]:
    """The defaults that a type takes itself; none of JSON, whose values are no inputs."""
    takes_none = "None" in kind.annotation or kind.annotation == "Any"
    return tuple(text for text in kind.defaults if text != "None" or takes_none) if "Json" not in kind.annotation else ()


@st.composite
def classes(draw: st.DrawFn) -> type[BaseSettings]:
    kinds = [replace(kind, defaults=good) for kind in (*PLAIN, *SECRETS, *COLLECTIONS, *MODELS) if (good := good_defaults(kind))]
    fields = [field_of(draw, f"field{number}", pick(draw, kinds), set()) for number in range(draw(st.integers(1, 5)))]
    source = "\n".join(
        ["class Settings(base):", "    model_config = {'extra': 'ignore'}", *(f"    {one.source}" for one in fields)]
    )
    namespace: dict[str, Any] = {**NAMESPACE, "base": BaseSettings}
    exec(source, namespace)  # noqa: S102 - of our own tables
    made: type[BaseSettings] = namespace["Settings"]
    return made


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(classes())
def test_what_is_made_of_any_class_is_taken_by_it_again(settings_class: type[BaseSettings]) -> None:
    """Every value of made settings is one that the class takes, and makes equal settings."""
    settings = valid_settings(settings_class)
    again = valid_settings(settings_class, **{name: getattr(settings, name) for name in type(settings).model_fields})
    assert again == settings


def test_a_model_that_contains_itself_ends() -> None:
    """Recursion ends at what may be empty."""

    class Tree(BaseModel):
        name: str
        children: list["Tree"]
        parent: "Tree | None"

    assert made(Tree) == Tree(name="name", children=[], parent=None)


def test_discriminated_unions_are_made_of_their_first_member() -> None:
    """The tag is that of the member."""

    class Dog(BaseModel):
        kind: Literal["dog"]
        name: str

    assert made(Annotated[Dog | Cat, Field(discriminator="kind")]) == Dog(kind="dog", name="name")


def test_a_union_gets_the_first_member_that_can_be_made() -> None:
    """A member of which nothing is known is passed over."""

    class Odd:
        pass

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(arbitrary_types_allowed=True)
        value: Odd | int

    assert valid_settings(Settings).value == 1


def test_conditions_demand_their_fields() -> None:
    """A field with a default that is required under a condition is made where the condition holds."""
    settings = valid_settings(AppSettings, stage="production")
    assert settings.dsn is not None
    assert str(settings.dsn.get_secret_value()) == "http://user:fake-dsn-0000@dsn.test/"
    with pytest.raises(CannotMakeError, match=r"dsn +missing: \(it is required when stage is production"):
        valid_settings(AppSettings, stage="production", dsn=None)


def test_conditions_hold_where_nothing_is_given_too() -> None:
    """What is made decides as what is given does."""

    class Settings(BaseSettings):
        stage: Literal["production", "development"]
        dsn: Annotated[SecretStr | None, Required(When(stage="production"))] = None

    assert valid_settings(Settings).dsn == SecretStr("fake-dsn-0000")
    assert valid_settings(Settings, stage="development").dsn is None


def test_a_broken_rule_fails_and_names_the_fields_to_give() -> None:
    """A rule that what was made or given does not keep is told with the fields that it reads."""
    with pytest.raises(CannotMakeError) as caught:
        valid_settings(AppSettings, debug=True, stage="production")
    assert str(caught.value) == (
        "no valid settings of AppSettings can be made\n    rule broken: debug must be off in production (it reads stage, debug)"
    )

    class Settings(BaseSettings):
        low: int
        high: int

        @rule("low is below high")
        def ordered(self) -> bool:
            return self.low < self.high

    with pytest.raises(CannotMakeError) as caught:
        valid_settings(Settings, low=1)
    assert str(caught.value).endswith("give it: valid_settings(Settings, high=…)")
    assert valid_settings(Settings, high=2).high == 2


def test_all_fields_that_cannot_be_made_are_named_at_once() -> None:
    """Types of which nothing is known are told together, with the call to write."""

    class Odd:
        pass

    class Part(BaseModel):
        model_config = {"arbitrary_types_allowed": True}
        odd: Odd
        good: int

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(arbitrary_types_allowed=True)
        first: Odd
        part: Part

    with pytest.raises(CannotMakeError) as caught:
        valid_settings(Settings)
    assert caught.value.give == ("first", "part.odd")
    assert str(caught.value).endswith('give it: valid_settings(Settings, first=…, **{"part.odd": …})')
    settings = valid_settings(Settings, first=Odd(), **{"part.odd": Odd()})
    assert settings.part.good == 1


def test_a_pattern_that_nothing_is_known_for_names_its_field() -> None:
    """Where no text can be thought of, the field is to be given."""

    class Settings(BaseSettings):
        code: str = Field(pattern=r"^(?:\d{2}[A-F])+$", max_length=2)

    with pytest.raises(CannotMakeError, match=r"code .*no text is known that matches") as caught:
        valid_settings(Settings)
    assert caught.value.give == ("code",)


def test_what_a_validator_refuses_is_to_be_given() -> None:
    """The refusals of validators are told of all fields, with those to give; a given value is only said to be refused."""

    class Settings(BaseSettings):
        name: str
        port: int
        size: int

        @field_validator("name", "port", "size")
        @classmethod
        def none(cls, value: object) -> object:
            if value in ("name", 1, 5):
                raise ValueError("not this one")
            return value

    with pytest.raises(CannotMakeError) as caught:
        valid_settings(Settings, size=5)
    assert [(problem.field, problem.kind) for problem in caught.value.problems] == [
        ("name", "invalid"),
        ("port", "invalid"),
        ("size", "invalid"),
    ]
    assert str(caught.value).endswith("give it: valid_settings(Settings, name=…, port=…)")


def test_a_failure_shows_no_value_of_a_secret() -> None:
    """Neither the message nor a frame of ours holds what was given for a secret."""
    given_secret = token_hex()

    class Settings(BaseSettings):
        key: Annotated[SecretStr, Field(max_length=3)]

        @field_validator("key", mode="before")
        @classmethod
        def refuse(cls, value: object) -> object:
            raise ValueError(f"{value} is not good")

    with pytest.raises(CannotMakeError) as caught:
        valid_settings(Settings, key=given_secret)
    assert given_secret not in f"{caught.value} {caught.value.args} {caught.value.problems!r}"
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    frame = caught.tb.tb_next
    assert frame is not None
    assert given_secret not in repr(frame.tb_frame.f_locals)


def test_a_mistake_in_the_class_is_told() -> None:
    """A class that no load would accept has no valid settings."""

    class Settings(BaseSettings):
        key: Annotated[str, From("vault://secret/app#/key")]

    with pytest.raises(CannotMakeError, match="mistake: what a store holds is a secret"):
        valid_settings(Settings)


def test_made_settings_are_settings_like_others() -> None:
    """They explain themselves, are shown without secrets, copied, compared and pickled."""
    settings = valid_settings(AppSettings, debug=True)
    origins = {one.field: str(one.origin) for one in explain(settings)}
    assert (origins["debug"], origins["workers"], origins["dsn"]) == ("init debug", "init workers", "default")
    assert "fake-" not in repr(settings)
    assert copy.deepcopy(settings) == pickle.loads(pickle.dumps(settings)) == settings


def test_the_own_constructor_of_a_class_is_called() -> None:
    """What a class does when it is made is done, with what it gives itself."""

    class Settings(BaseSettings):
        name: str
        port: int
        _seen: str = ""

        def __init__(self, **values: Any) -> None:
            super().__init__(_env_file="other.env", **{"port": 80, **values})
            self._seen = self.name

    settings = valid_settings(Settings)
    assert (settings._seen, settings.port) == ("name", 80)


class PlainPart(pydantic_settings.BaseSettings):
    token: SecretStr
    port: int = 1


class OwnPart(BaseSettings):
    token: SecretStr
    port: int = 1


@pytest.mark.parametrize("part", [PlainPart, OwnPart])
def test_nested_settings_read_no_source_either(part: type[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A settings class within another, and one that is made as a default, are made of what is given alone."""
    monkeypatch.setenv("PORT", "poison")
    fields: Any = {name: (part, Field(default_factory=part)) for name in ("other", "left")} | {"part": (part, ...)}
    settings: Any = valid_settings(create_model("Outer", __base__=BaseSettings, **fields), **{"other.port": 2})
    assert (settings.part.port, settings.other.port, settings.left.port) == (1, 2, 1)
    assert settings.part.token.get_secret_value() == "fake-part.token-0000"
    with pytest.raises(CannotMakeError) as caught:
        valid_settings(type(settings), **{"part.port": "x"})
    assert [(problem.field, problem.kind) for problem in caught.value.problems] == [("part.port", "invalid")]


def test_a_plain_call_reads_its_sources_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that a validator makes meanwhile of the same class, and those made later, read their sources."""
    monkeypatch.setenv("PORT", "7")

    class Settings(BaseSettings):
        port: int
        other: Any = None

        @model_validator(mode="after")
        def another(self) -> "Settings":
            if self.port == 1:
                self.other = Settings()
            return self

    settings = valid_settings(Settings)
    assert (settings.port, settings.other.port, Settings().port) == (1, 7, 7)


def test_the_environment_is_left_alone() -> None:
    """Nothing is set to make settings."""
    before = dict(os.environ)
    valid_settings(AppSettings, stage="production")
    assert dict(os.environ) == before
    assert get_args(AppSettings.model_fields["stage"].annotation) == ("development", "production")
