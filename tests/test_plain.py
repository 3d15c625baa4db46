"""The errors of plain calls: pydantic's, but for what holds a secret, or a way to one."""

import contextvars
import copy
import json
import pickle
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from json import JSONDecodeError
from pathlib import Path
from secrets import choice, token_hex
from string import ascii_lowercase
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

import pydantic_settings
import pytest
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    HttpUrl,
    IPvAnyAddress,
    Json,
    PostgresDsn,
    Secret,
    SecretStr,
    TypeAdapter,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError, PydanticKnownError
from pydantic_settings import CliApp, CliSubCommand, EnvSettingsSource, SettingsError

import confguard
from tests.differences import shows
from tests.finder import places_of

T = TypeVar("T")
BASES = (pydantic_settings.BaseSettings, confguard.BaseSettings)


@pytest.fixture
def canary() -> str:
    return f"Canary{token_hex(16)}"


class Color(Enum):
    RED = "red"


def refuse(value: object) -> object:
    raise ValueError(f"{value} is no good")


def assert_not(value: object) -> object:
    raise AssertionError("no good")


def custom(value: object) -> object:
    raise PydanticCustomError("my_type", "no good, since {reason} {{so}}", {"reason": "of that", "number": 3})


def known(value: object) -> object:
    raise PydanticKnownError("greater_than", {"gt": 3})


KINDS: list[tuple[str, Any, str]] = [
    ("int_parsing", int, "many"),
    ("int_parsing_size", int, "9" * 5000),
    ("float_parsing", float, "many"),
    ("finite_number", Annotated[float, Field(allow_inf_nan=False)], "inf"),
    ("bool_parsing", bool, "maybe"),
    ("decimal_parsing", Decimal, "many"),
    ("decimal_max_digits", Annotated[Decimal, Field(max_digits=2)], "123"),
    ("decimal_max_places", Annotated[Decimal, Field(decimal_places=1)], "1.23"),
    ("string_too_short", Annotated[str, Field(min_length=9)], "short"),
    ("string_too_long", Annotated[str, Field(max_length=2)], "long"),
    ("string_pattern_mismatch", Annotated[str, Field(pattern="^a+$")], "b"),
    ("greater_than", Annotated[int, Field(gt=3)], "3"),
    ("greater_than_equal", Annotated[float, Field(ge=3.5)], "3"),
    ("less_than", Annotated[Decimal, Field(lt=Decimal("2.5"))], "3"),
    ("less_than_equal", Annotated[date, Field(le=date(2020, 1, 1))], "2026-01-01"),
    ("multiple_of", Annotated[int, Field(multiple_of=5)], "3"),
    ("literal_error", Literal["a", "b"], "c"),
    ("enum", Color, "blue"),
    ("date_from_datetime_parsing", date, "someday"),
    ("datetime_from_date_parsing", datetime, "someday"),
    ("time_delta_parsing", timedelta, "long"),
    ("uuid_parsing", UUID, "not-one"),
    ("ip_any_address", IPvAnyAddress, "300.1.1.1"),
    ("url_parsing", HttpUrl, "nowhere"),
    ("value_error", Annotated[str, AfterValidator(refuse)], "it"),
    ("assertion_error", Annotated[str, BeforeValidator(assert_not)], "it"),
    ("my_type", Annotated[str, AfterValidator(custom)], "it"),
    ("greater_than", Annotated[int, AfterValidator(known)], "2"),
    ("int_parsing", list[int], '["many", 1, "none"]'),
    ("int_parsing", dict[str, int], '{"a": "many"}'),
    ("int_parsing", int | bool, "many"),
    ("int_type", tuple[int, ...], "[null]"),
    ("json_invalid", Json, "nothing"),
    ("none_required", None, "some"),
]


def refusal(call: Callable[[], object]) -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        call()
    return caught.value


def told(error: ValidationError) -> Any:
    """All that an error tells; of an exception in a context its type and its text."""
    details: Any = error.errors()
    for one in details:
        cause = one.get("ctx", {}).get("error")
        if isinstance(cause, Exception):
            one["ctx"]["error"] = (type(cause), str(cause))
    return error.title, error.error_count(), details, str(error), repr(error), json.loads(error.json())


@pytest.mark.parametrize(("kind", "annotation", "text"), KINDS)
def test_errors_of_scalars_are_pydantics(monkeypatch: pytest.MonkeyPatch, kind: str, annotation: Any, text: str) -> None:
    """Of a scalar that is no secret all is as ever: type, location, message, input, context, address, text and JSON."""
    monkeypatch.setenv("VALUE", text)
    theirs, ours = (refusal(create_model("Settings", __base__=base, value=(annotation, ...))) for base in BASES)
    assert kind in {details["type"] for details in theirs.errors()}
    assert told(ours) == told(theirs)


def test_every_message_is_pydantics() -> None:
    """Also where it depends on more than type and context: of JSON it speaks of arrays, and a bound is as it was written."""
    text = '{"numbers": 1, "port": "many", "share": 3}'
    fields: Any = {"numbers": (list[int], ...), "port": (int, ...), "share": (Annotated[Decimal, Field(lt=Decimal("2.50"))], ...)}
    theirs, ours = (
        refusal(partial(create_model("Settings", __base__=base, **fields).model_validate_json, text)) for base in BASES
    )
    assert [details["msg"] for details in ours.errors()] == [details["msg"] for details in theirs.errors()]


class Database(BaseModel, extra="forbid"):
    host: str
    password: SecretStr = SecretStr("")


class Closed(BaseModel, extra="forbid"):
    host: str


REMOVED: list[tuple[str, Any, str, tuple[int | str, ...]]] = [
    ("missing", Database, "{}", ("value", "host")),
    ("missing", Database, '{"password": "CANARY"}', ("value", "host")),
    ("extra_forbidden", Database, '{"host": "h", "passwort": "CANARY"}', ("value", "[redacted]")),
    ("model_type", Database, '["CANARY"]', ("value",)),
    ("model_type", Closed, '"CANARY"', ("value",)),
    ("extra_forbidden", list[Closed], '[{"host": "h", "other": "CANARY"}]', ("value", 0, "other")),
    ("dict_type", dict[str, int], '["CANARY"]', ("value",)),
    ("list_type", list[int], '{"key": "CANARY"}', ("value",)),
    ("too_short", Annotated[list[str], Field(min_length=2)], '["CANARY"]', ("value",)),
    ("int_parsing", dict[str, int], '{"a": "postgres://u:CANARY@h"}', ("value", "a")),
    ("url_scheme", PostgresDsn, "mysql://u:CANARY@h/d", ("value",)),
    ("too_short", Annotated[SecretStr, Field(min_length=50)], "CANARY", ("value",)),
    ("list_type", list[SecretStr], '{"a": "CANARY"}', ("value",)),
    ("string_type", list[SecretStr], '["CANARY", 1]', ("value", 1)),
    ("union_tag_invalid", Annotated[Any, Field(discriminator="kind")], '{"kind": "CANARY"}', ("value",)),
]


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]
    token: SecretStr = SecretStr("")


@pytest.mark.parametrize(("kind", "annotation", "text", "loc"), REMOVED)
def test_other_inputs_are_replaced(
    monkeypatch: pytest.MonkeyPatch, canary: str, kind: str, annotation: Any, text: str, loc: tuple[int | str, ...]
) -> None:
    """An input that is a secret, an unknown key's, or more than one scalar, is told as ``[redacted]``."""
    if kind == "union_tag_invalid":
        annotation = Annotated[Cat | Dog, Field(discriminator="kind")]
    monkeypatch.setenv("VALUE", text.replace("CANARY", canary))
    error = refusal(create_model("Settings", __base__=confguard.BaseSettings, value=(annotation, ...)))
    [found] = error.errors()
    assert (found["type"], found["loc"], found["input"]) == (kind, loc, {} if text == "{}" else "[redacted]")
    assert places_of(canary, error) == []


def test_a_model_that_misses_a_field_is_no_input(monkeypatch: pytest.MonkeyPatch, canary: str) -> None:
    """Of a missing field the input is everything else, which goes; where there is nothing else it is ``{}``, as ever."""

    class Settings(confguard.BaseSettings):
        host: str
        password: SecretStr = SecretStr("")

    theirs = create_model("Settings", __base__=pydantic_settings.BaseSettings, host=(str, ...))
    assert refusal(Settings).errors() == refusal(theirs).errors()
    monkeypatch.setenv("PASSWORD", canary)
    error = refusal(Settings)
    assert error.errors(include_url=False) == [
        {"type": "missing", "loc": ("host",), "msg": "Field required", "input": "[redacted]"}
    ]
    assert places_of(canary, error) == []


def test_a_validators_message_that_quotes_a_secret_is_withheld(monkeypatch: pytest.MonkeyPatch, canary: str) -> None:
    """Type and prefix stay; the exception in the context is a new one, of the plain type, and leads nowhere."""

    class OwnError(ValueError):
        pass

    def check(value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        raise OwnError("the key is not ours" if "/" not in text else f"{text[:9]} is not ours")

    class Settings(confguard.BaseSettings):
        key: Annotated[SecretStr, AfterValidator(check)]

    withheld = "Value error, its validator refuses it; the message may hold a part of a secret and is withheld"
    for text, message in ((canary, "Value error, the key is not ours"), (f"{canary}/", withheld)):
        monkeypatch.setenv("KEY", text)
        error = refusal(Settings)
        [found] = error.errors(include_url=False)
        raised = found["ctx"]["error"]
        assert (found["type"], found["msg"], found["input"]) == ("value_error", message, "[redacted]")
        assert (type(raised), raised.__traceback__, raised.__cause__, raised.__context__) == (ValueError, None, None, None)
        assert places_of(canary, error) == []


def test_what_pydantic_quotes_of_a_secret_is_taken_out_of_its_message(monkeypatch: pytest.MonkeyPatch, canary: str) -> None:
    """The rest of the message, the type and the address of its page stay."""

    class Settings(confguard.BaseSettings):
        key: Secret[UUID]

    monkeypatch.setenv("KEY", canary)
    [found] = refusal(Settings).errors()
    assert found["msg"] == "Input should be a valid UUID, [redacted]"
    assert (found["type"], found["url"].rsplit("/", 1)[1], found["ctx"]) == (
        "uuid_parsing",
        "uuid_parsing",
        {"error": "[redacted]"},
    )


def test_a_secrets_length_is_not_told(monkeypatch: pytest.MonkeyPatch, canary: str) -> None:
    """Only the bound is, which the class sets."""

    class Settings(confguard.BaseSettings):
        key: Annotated[SecretStr, Field(min_length=50)]

    monkeypatch.setenv("KEY", canary)
    [found] = refusal(Settings).errors()
    assert (found["type"], found["msg"], found["ctx"]) == ("too_short", "it is shorter than 50", {"min_length": 50})


def test_a_custom_error_of_a_secret_keeps_its_type_alone(monkeypatch: pytest.MonkeyPatch, canary: str) -> None:
    def check(value: SecretStr) -> SecretStr:
        raise PydanticCustomError("weak", "{value} is weak", {"value": value.get_secret_value()})

    class Settings(confguard.BaseSettings):
        key: Annotated[SecretStr, AfterValidator(check)]

    monkeypatch.setenv("KEY", canary)
    error = refusal(Settings)
    assert [(found["type"], found["msg"], found.get("ctx")) for found in error.errors()] == [
        ("weak", "not a valid value of its type (weak)", None)
    ]
    assert places_of(canary, error) == []


def test_a_context_that_holds_a_secret_of_another_field_is_dropped(monkeypatch: pytest.MonkeyPatch, canary: str) -> None:
    """A custom error's context may carry what its message does not say."""

    class Settings(confguard.BaseSettings):
        password: SecretStr
        port: int

        @field_validator("port")
        @classmethod
        def check(cls, value: int, info: Any) -> int:
            raise PydanticCustomError("odd", "is odd", {"with": [info.data["password"].get_secret_value()], "at": 1})

    monkeypatch.setenv("PASSWORD", canary)
    monkeypatch.setenv("PORT", "1")
    error = refusal(Settings)
    assert [(found["type"], found["msg"], found["input"]) for found in error.errors()] == [("odd", "is odd", "1")]
    assert places_of(canary, error) == []


def test_an_input_that_is_also_a_known_secret_is_replaced(monkeypatch: pytest.MonkeyPatch, canary: str) -> None:
    class Settings(confguard.BaseSettings):
        password: SecretStr
        port: int

    monkeypatch.setenv("PASSWORD", canary)
    monkeypatch.setenv("PORT", canary)
    error = refusal(Settings)
    assert error.errors()[0]["input"] == "[redacted]"
    assert places_of(canary, error) == []


def test_a_key_that_is_a_known_secret_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key of a mapping is told where it reads like a name, unless it is a secret."""
    word = "".join(choice(ascii_lowercase) for _ in range(20))

    class Settings(confguard.BaseSettings):
        password: SecretStr
        limits: dict[str, int]

    monkeypatch.setenv("PASSWORD", word)
    monkeypatch.setenv("LIMITS", json.dumps({word: "many", "users": "many"}))
    error = refusal(Settings)
    assert [found["loc"] for found in error.errors()] == [("limits", "[redacted]"), ("limits", "users")]
    assert places_of(word, error) == []


def test_a_line_that_only_looks_like_a_variable_is_not_told() -> None:
    """In an env file the end of a key in base64 that is not quoted is a name whose value is an equals sign."""
    word = "".join(choice(ascii_lowercase) for _ in range(20))

    class Settings(confguard.BaseSettings):
        model_config = confguard.SettingsConfigDict(env_file=".env")
        port: int = 1

    Path(".env").write_text(f"PORT=2\n{word}==\n")
    assert places_of(word, refusal(Settings)) == []
    Path(".env").write_text("PROT=2\n")
    assert refusal(Settings).errors()[0]["loc"] == ("prot",)


def test_what_a_validator_takes_from_elsewhere_is_replaced(monkeypatch: pytest.MonkeyPatch, canary: str) -> None:
    """The errors of another model, made within a validator of a field, are on that field; their inputs are not its own."""

    class Login(BaseModel):
        pin: int

    def log_in(value: str) -> str:
        Login(pin=canary)
        return value

    class Settings(confguard.BaseSettings):
        host: Annotated[str, AfterValidator(log_in)] = Field("h", validate_default=True)

    error = refusal(Settings)
    assert [(found["loc"], found["input"]) for found in error.errors()] == [(("host", "pin"), "[redacted]")]
    assert places_of(canary, error) == []


def test_an_error_of_another_model_shows_no_input(canary: str) -> None:
    """What a default factory makes is no field of ours, so that nothing is known of its inputs."""

    class Login(BaseModel):
        pin: int
        token: Annotated[str, AfterValidator(refuse)]

    class Settings(confguard.BaseSettings):
        login: Login = Field(default_factory=lambda: Login(pin=canary, token=canary))

    error = refusal(Settings)
    assert (error.title, [(found["type"], found["loc"], found["input"]) for found in error.errors()]) == (
        "Login",
        [("int_parsing", ("pin",), "[redacted]"), ("value_error", ("token",), "[redacted]")],
    )
    assert places_of(canary, error) == []


def test_exceptions_of_validators_are_no_cause(monkeypatch: pytest.MonkeyPatch, canary: str) -> None:
    """With ``validation_error_cause`` pydantic chains what validators raised; that is left out."""

    class Settings(confguard.BaseSettings):
        model_config = confguard.SettingsConfigDict(validation_error_cause=True)
        key: Annotated[SecretStr, BeforeValidator(refuse)]

    monkeypatch.setenv("KEY", canary)
    error = refusal(Settings)
    assert (error.__cause__, places_of(canary, error)) == (None, [])


def test_inputs_can_be_hidden_altogether(monkeypatch: pytest.MonkeyPatch) -> None:
    """``hide_input_in_errors`` of the class holds for the text of the error."""
    monkeypatch.setenv("PORT", "many")
    config = confguard.SettingsConfigDict(hide_input_in_errors=True)
    for base in BASES:
        parent: Any = type("Parent", (base,), {"model_config": config, "__module__": __name__})
        assert "many" not in str(refusal(create_model("Settings", __base__=parent, port=(int, ...))))


def test_a_rebuilt_error_can_be_pickled_copied_and_chained(monkeypatch: pytest.MonkeyPatch, canary: str) -> None:
    """It is pydantic's own type, which is caught, matched, raised from, copied and sent to another process as ever."""

    class Settings(confguard.BaseSettings):
        port: Annotated[int, Field(gt=3)]
        key: Secret[UUID]

    monkeypatch.setenv("PORT", "2")
    monkeypatch.setenv("KEY", canary)
    with pytest.raises(ValidationError, match=r"2 validation errors for Settings\nport\n  Input should be greater than 3 "):
        Settings()
    error = refusal(Settings)
    assert type(error) is ValidationError
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert str(twin) == str(error)
    with pytest.raises(RuntimeError) as caught:
        raise RuntimeError("no settings") from error
    assert places_of(canary, caught.value) == []


def test_settings_within_settings_and_inherited_and_generic_ones(monkeypatch: pytest.MonkeyPatch, canary: str) -> None:
    """Locations, types and inputs are those of the outer class; nothing else is there."""

    class Inner(confguard.BaseSettings):
        port: int
        password: SecretStr

    class Base(confguard.BaseSettings, Generic[T]):
        inner: Inner
        number: T

    class Settings(Base[int]):
        pass

    monkeypatch.setenv("INNER", json.dumps({"port": "many", "password": canary, "word": canary}))
    monkeypatch.setenv("NUMBER", "none")
    for settings_class in (Settings, Base[int]):
        error = refusal(settings_class)
        assert [(found["type"], found["loc"], found["input"]) for found in error.errors()] == [
            ("int_parsing", ("inner", "port"), "many"),
            ("extra_forbidden", ("inner", "[redacted]"), "[redacted]"),
            ("int_parsing", ("number",), "none"),
        ]
        assert places_of(canary, error) == []


def test_a_variable_that_is_no_json_is_told_as_ever(monkeypatch: pytest.MonkeyPatch, canary: str) -> None:
    """A SettingsError keeps its text and the error of JSON as its cause, which says where, and no longer holds the document."""
    monkeypatch.setenv("KEYS", f'["{canary}", ')
    errors: list[SettingsError] = []
    for base in BASES:
        with pytest.raises(
            SettingsError, match=r'^error parsing value for field "keys" from source "EnvSettingsSource"$'
        ) as caught:
            create_model("Settings", __base__=base, keys=(list[SecretStr], ...))()
        errors.append(caught.value)
    theirs, ours = errors
    assert isinstance(theirs.__cause__, JSONDecodeError)
    assert isinstance(ours.__cause__, JSONDecodeError)
    assert (str(ours.__cause__), ours.__cause__.lineno, ours.__cause__.colno, ours.__cause__.doc) == (
        *(str(theirs.__cause__), theirs.__cause__.lineno, theirs.__cause__.colno),
        "",
    )
    assert type(ours) is SettingsError
    assert places_of(canary, ours) == []


def test_any_other_cause_of_a_settings_error_is_named_by_its_type(canary: str) -> None:
    class Broken(EnvSettingsSource):
        def get_field_value(self, field: Any, field_name: str) -> Any:
            raise KeyError(canary)

    class Settings(confguard.BaseSettings):
        port: int = 1

        @classmethod
        def settings_customise_sources(cls, settings_cls: Any, *args: Any, **kwargs: Any) -> Any:
            return (Broken(settings_cls),)

    with pytest.raises(SettingsError, match=r'^error getting value for field "port" from source "Broken"') as caught:
        Settings()
    assert caught.value.__notes__ == ["It was caused by KeyError, which is withheld since it may hold a value."]
    assert places_of(canary, caught.value) == []


def test_a_file_that_cannot_be_decoded_is_told_without_its_content(canary: str) -> None:
    """The error names the byte at fault and its place, as ever, and holds none of the others."""
    Path(".env").write_bytes(f"PORT={canary}".encode() + b"\xff")
    errors: list[UnicodeDecodeError] = []
    for base in BASES:
        parent: Any = type("Parent", (base,), {"model_config": {"env_file": ".env"}, "__module__": __name__})
        with pytest.raises(UnicodeDecodeError) as caught:
            create_model("Settings", __base__=parent, port=(int, ...))()
        errors.append(caught.value)
    theirs, ours = errors
    assert str(ours) == str(theirs)
    assert places_of(canary, ours) == []


def test_an_exception_of_user_code_is_handed_on_with_the_users_frames(monkeypatch: pytest.MonkeyPatch, canary: str) -> None:
    """The same object, raised where it was; the frames between that hold what was read are gone, those of the user stay."""
    raised = RuntimeError("broken")

    def explode(value: str) -> str:
        raise raised

    class Settings(confguard.BaseSettings):
        password: SecretStr
        port: Annotated[str, BeforeValidator(explode)] = Field("1", validate_default=True)

    monkeypatch.setenv("PASSWORD", canary)
    with pytest.raises(RuntimeError) as caught:
        Settings()
    assert caught.value is raised
    assert [entry.name for entry in caught.traceback] == [
        "test_an_exception_of_user_code_is_handed_on_with_the_users_frames",
        "__init__",
        "explode",
    ]
    assert places_of(canary, raised) == []


def test_an_exception_that_user_code_chains_is_clean_too(canary: str) -> None:
    """A ValidationError that a user's own error is raised from is made anew as well."""

    class Login(BaseModel):
        pin: int

    def fail() -> Login:
        try:
            return Login(pin=canary)
        except ValidationError as exc:
            raise RuntimeError("no login") from exc

    class Settings(confguard.BaseSettings):
        login: Login = Field(default_factory=fail)

    with pytest.raises(RuntimeError, match="no login") as caught:
        Settings()
    assert isinstance(caught.value.__cause__, ValidationError)
    assert caught.value.__suppress_context__
    assert places_of(canary, caught.value) == []


def test_what_is_in_a_group_is_clean_too(canary: str) -> None:
    """A group of user code is one of the same kind and text, with clean errors in it."""

    class Login(BaseModel):
        pin: int

    def fail() -> Login:
        raise ExceptionGroup("no login", [refusal(lambda: Login.model_validate({"pin": canary})), OSError("gone")])

    class Settings(confguard.BaseSettings):
        login: Login = Field(default_factory=fail)

    with pytest.raises(ExceptionGroup, match="no login") as caught:
        Settings()
    assert [type(member) for member in caught.value.exceptions] == [ValidationError, OSError]
    assert places_of(canary, caught.value) == []


@pytest.mark.parametrize("name", [".json", ".yaml"])
def test_a_file_of_another_kind_that_cannot_be_read_is_told_without_its_content(canary: str, name: str) -> None:
    """Errors of JSON and YAML carry the document, and a source reads it whole."""
    source = {".json": pydantic_settings.JsonConfigSettingsSource, ".yaml": pydantic_settings.YamlConfigSettingsSource}[name]

    class Settings(confguard.BaseSettings):
        password: SecretStr

        @classmethod
        def settings_customise_sources(cls, settings_cls: Any, *args: Any, **kwargs: Any) -> Any:
            return (source(settings_cls, Path(name)),)

    Path(name).write_text(f'{{"password": "{canary}", [')
    with pytest.raises(Exception, match="line 1") as caught:
        Settings()
    assert places_of(canary, caught.value) == []


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupted_call_holds_no_secret(monkeypatch: pytest.MonkeyPatch, canary: str, kind: type[BaseException]) -> None:
    def interrupt(value: str) -> str:
        raise kind

    class Settings(confguard.BaseSettings):
        password: SecretStr
        port: Annotated[str, BeforeValidator(interrupt)] = Field("1", validate_default=True)

    monkeypatch.setenv("PASSWORD", canary)
    with pytest.raises(kind) as caught:
        Settings()
    assert places_of(canary, caught.value) == []


class Assigned(confguard.BaseSettings):
    """Validates what is assigned."""

    model_config = confguard.SettingsConfigDict(validate_assignment=True)
    port: int = 1
    key: Annotated[SecretStr, Field(max_length=8)] = SecretStr("")
    fixed: SecretStr = Field(SecretStr(""), frozen=True)
    token: SecretStr = SecretStr("")

    @model_validator(mode="after")
    def check(self) -> "Assigned":
        if self.port == 0:
            raise ValueError(f"port and {self.fixed.get_secret_value()[:14]}")
        if len(self.token.get_secret_value()) > 9:
            raise ValueError(f"token {self.token.get_secret_value()[:14]}")
        return self


def test_what_is_assigned_later_is_in_no_error(canary: str) -> None:
    """The value that is refused, and those that are there, are neither in the error nor in the frames of its making."""
    settings: Any = Assigned(fixed=SecretStr(canary))
    other = f"Other{token_hex(16)}"
    settings.port = "3"
    assert settings.port == 3
    for name, value in (("port", "many"), ("key", canary), ("token", other), ("port", 0), ("fixed", canary), ("port", [canary])):
        error = refusal(partial(setattr, settings, name, value))
        assert places_of(canary, error) == places_of(other, error) == []

    class Plain(confguard.BaseSettings):
        port: int = 1

    name = "other"
    for made in (settings, Plain()):
        with pytest.raises(ValueError, match="other") as caught:
            setattr(made, name, canary)
        assert places_of(canary, caught.value) == []


def test_what_is_assigned_is_refused_as_ever() -> None:
    """Of a scalar that is no secret the error is pydantic's."""

    class Theirs(pydantic_settings.BaseSettings):
        model_config = pydantic_settings.SettingsConfigDict(validate_assignment=True, title="Assigned")
        port: int = 1

    theirs, ours = (refusal(partial(setattr, made, "port", "many")) for made in (Theirs(), Assigned()))
    assert told(ours) == told(theirs)


@pytest.mark.parametrize("way", ["model_validate", "model_validate_json", "model_validate_strings"])
def test_pydantics_other_ways_to_make_a_model_are_clean(canary: str, way: str) -> None:
    """What was given is neither in the error nor in a frame below the caller's, whatever of it is refused."""

    class Settings(confguard.BaseSettings):
        port: int = 1
        key: SecretStr

        @model_validator(mode="wrap")
        @classmethod
        def check(cls, data: Any, handler: Callable[[Any], "Settings"]) -> "Settings":
            if isinstance(data, dict) and "bad" in data:
                raise ValueError(f"got {data}")
            return handler(data)

    make = getattr(Settings, way)
    # The first is refused before anything is known of it.
    for given in ({"bad": canary, "key": canary}, {"key": canary, "port": "many"}, [canary], canary):
        text = json.dumps(given) if way == "model_validate_json" else given
        error = refusal(partial(make, text))
        assert places_of(canary, error) == []
    assert make(json.dumps({"key": "k"}) if way == "model_validate_json" else {"key": "k"}).key == SecretStr("k")


def test_a_command_line_that_is_refused_shows_no_value(canary: str) -> None:
    """What argparse does not know, or cannot take, is named without the values beside it."""

    class Settings(confguard.BaseSettings):
        model_config = confguard.SettingsConfigDict(cli_exit_on_error=False)
        port: int = 1
        pass_word: SecretStr = SecretStr("")
        pass_phrase: SecretStr = SecretStr("")

    for args, message in (
        (["--prot", canary], "unrecognized arguments: --prot [redacted]"),
        ([f"--prot={canary}", canary], "unrecognized arguments: --prot=[redacted] [redacted]"),
        ([canary], "unrecognized arguments: [redacted]"),
    ):
        with pytest.raises(SettingsError) as caught:
            CliApp.run(Settings, cli_args=args)
        assert str(caught.value) == f"error parsing CLI: {message}"
        # The command line itself is the caller's, and a local of CliApp.run.
        assert [way for way in places_of(canary, caught.value) if "<run>" not in way] == []


class Serve(BaseModel):
    port: int = 1


def test_an_argument_that_is_quoted_by_a_message_is_taken_out(canary: str) -> None:
    """Whatever quotes a value of the command line: a flag that takes none, a subcommand, a mapping."""

    class Settings(confguard.BaseSettings):
        model_config = confguard.SettingsConfigDict(cli_exit_on_error=False, cli_implicit_flags=True)
        debug: bool = False
        labels: dict[str, str] = Field({})
        serve: CliSubCommand[Serve]

    for args, message in (
        ([f"--debug={canary}"], "ignored explicit argument [redacted]"),
        ([canary], "invalid choice: [redacted] (choose from "),
        (["sevre"], "invalid choice: 'sevre' (choose from "),
        (["--labels", f'"{canary}=x"'], "parameter is a quoted string: [redacted]"),
    ):
        with pytest.raises(SettingsError) as caught:
            CliApp.run(Settings, cli_args=args)
        assert message in str(caught.value)
        assert [way for way in places_of(canary, caught.value) if "<run>" not in way] == []


def test_a_run_that_fails_leaves_shared_sources_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that the user made, and goes on using, keeps what it read; the next run works."""
    shared: list[Any] = []

    class Settings(confguard.BaseSettings):
        port: int

        @classmethod
        def settings_customise_sources(cls, settings_cls: Any, *args: Any, **kwargs: Any) -> Any:
            if not shared:
                shared.append(EnvSettingsSource(settings_cls))
            return (kwargs["init_settings"], shared[0])

    monkeypatch.setenv("PORT", "many")
    refusal(lambda: CliApp.run(Settings, cli_args=[]))
    assert shared[0].env_vars["port"] == "many"
    assert CliApp.run(Settings, cli_args=["--port", "2"]).port == 2


def test_what_is_given_to_a_run_is_in_no_frame(canary: str) -> None:
    """Where pydantic-settings lets us: from the version on that reads the sources apart from the call."""

    class Settings(confguard.BaseSettings):
        port: int
        password: SecretStr

    error = refusal(lambda: CliApp.run(Settings, cli_args=[], password=canary, port="many"))
    assert (places_of(canary, error) == []) == hasattr(pydantic_settings.BaseSettings, "_settings_init_sources")


def test_a_context_that_outlives_a_plain_call_holds_no_secret(monkeypatch: pytest.MonkeyPatch, canary: str) -> None:
    """A context that is copied during a call, as a task's is, keeps nothing of what was read, whether the call fails or not."""
    contexts: list[contextvars.Context] = []

    def keep(value: str) -> str:
        contexts.append(contextvars.copy_context())
        return value

    class Settings(confguard.BaseSettings):
        password: SecretStr
        port: Annotated[int, BeforeValidator(keep)] = Field(1, validate_default=True)

    monkeypatch.setenv("PASSWORD", canary)
    Settings()
    monkeypatch.setenv("PORT", "many")
    refusal(Settings)
    monkeypatch.delenv("PASSWORD")
    holder = ValueError()
    vars(holder)["kept"] = [list(context.values()) for context in contexts]
    assert len(contexts) == 2
    assert places_of(canary, holder) == []


@pytest.mark.parametrize("wrapped", [classmethod, staticmethod, lambda function: function])
def test_a_hook_binds_as_it_does_with_pydantic_settings(wrapped: Any) -> None:
    """Whether it is a class method, a static one or a function: both bases load the same, or fail in the same way."""
    outcomes: list[object] = []

    def of_class(cls: Any, settings_cls: Any, init_settings: Any, *args: Any, **kwargs: Any) -> Any:
        return (init_settings,)

    def of_call(settings_cls: Any, init_settings: Any, **kwargs: Any) -> Any:
        return (init_settings,)

    for hook in (of_class, of_call):
        for base in BASES:
            names: Any = {"settings_customise_sources": wrapped(hook), "__annotations__": {"port": int}, "__module__": __name__}
            settings_class: Any = type("Settings", (base,), names)
            try:
                outcomes.append(settings_class(port=2).port)
            except TypeError:
                outcomes.append(TypeError)
    assert outcomes[0] == outcomes[1]
    assert outcomes[2] == outcomes[3]
    assert 2 in outcomes


@shows("the frames above the class")
def test_frames_above_the_class_hold_what_was_given(canary: str) -> None:
    """A limit: pydantic's own frame above `__init__` is out of reach; the error itself is clean."""

    class Settings(confguard.BaseSettings):
        port: int
        key: SecretStr

    adapter = TypeAdapter(Settings)
    error = refusal(partial(adapter.validate_python, {"key": canary, "port": "many"}))
    ways = places_of(canary, error)
    assert ways
    assert all("<validate_python>" in way for way in ways)


@shows("an assignment to a model within settings")
def test_an_assignment_to_a_model_within_settings_is_that_models() -> None:
    class Server(BaseModel, validate_assignment=True):
        port: int = 1

    class Settings(confguard.BaseSettings):
        server: Server = Server()

    assert refusal(partial(setattr, Settings().server, "port", ["many"])).errors()[0]["input"] == ["many"]


@shows("CliApp.run with its frame")
def test_the_frame_of_a_run_holds_the_command_line(canary: str) -> None:
    class Settings(confguard.BaseSettings):
        port: int
        key: SecretStr

    error = refusal(lambda: CliApp.run(Settings, cli_args=["--key", canary, "--port", "many"]))
    ways = places_of(canary, error)
    assert ways
    assert all("<run>" in way for way in ways)


@shows("a line that argparse prints before it exits")
def test_argparse_prints_what_it_does_not_know(canary: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What it exits with holds nothing of it."""

    class Settings(confguard.BaseSettings):
        port: int = 1

    with pytest.raises(SystemExit) as caught:
        CliApp.run(Settings, cli_args=[f"--prot={canary}"])
    assert canary in capsys.readouterr().err
    assert [way for way in places_of(canary, caught.value) if "<run>" not in way] == []


@shows("what your own source says when it raises")
@pytest.mark.parametrize("way", ["call", "model_validate"])
def test_what_a_source_says_is_handed_on(way: str) -> None:
    def fail() -> dict[str, Any]:
        raise ValueError("said by a source")

    class Settings(confguard.BaseSettings):
        port: int = 1

        @classmethod
        def settings_customise_sources(cls, *args: Any, **kwargs: Any) -> Any:
            return (fail,)

    with pytest.raises(ValueError, match="said by a source"):
        Settings() if way == "call" else Settings.model_validate({})
