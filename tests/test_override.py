"""`override`: other values for some fields of a settings class, from the beginning of a block to its end."""

import asyncio
import contextvars
import copy
import logging
import pickle
import subprocess
import sys
import threading
import unittest
from collections.abc import Callable, Iterator
from functools import cached_property
from secrets import token_hex
from typing import Annotated, Any, Literal

import pytest
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.dataclasses import dataclass

from confguard import BaseSettings, ConfigError, From, Required, SettingsConfigDict, When, explain, lazy, rule, validate
from confguard._redaction import redactor
from confguard.testing import override
from tests.doubles import Hanging, Store
from tests.finder import places_of

STORE = Store()


class Db(BaseModel):
    host: str = "localhost"
    password: SecretStr = SecretStr("")
    port: int = 5432


class AppSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="APP_", env_nested_delimiter="__", providers=[STORE], extra="forbid")

    port: int = 80
    stage: Literal["test", "production"] = Field(validation_alias="STAGE", default="test")
    labels: dict[str, str] = Field({})
    db: Db = Db()
    token: SecretStr | None = None
    key: Annotated[SecretStr, From("store://key")] = SecretStr("none")

    @cached_property
    def doubled(self) -> int:
        return 2 * self.port


class Strict(BaseSettings):
    """Has no default for anything."""

    model_config = SettingsConfigDict(providers=[STORE])

    stage: str
    key: Annotated[SecretStr, From("store://{stage}/key")]
    dsn: Annotated[SecretStr | None, Required(When(stage="production"))] = None


@pytest.fixture(autouse=True)
def empty_store() -> Iterator[None]:
    yield
    STORE.payloads.clear()
    STORE.asked.clear()


@pytest.fixture
def handle() -> AppSettings:
    return lazy(AppSettings)


def ports(handle: AppSettings) -> tuple[int, int, int]:
    """What all that can be asked says of one field."""
    return handle.port, validate(AppSettings).port, AppSettings().port


class TestLoads:
    """What is loaded while an override is on."""

    @pytest.mark.parametrize("load", [validate, lambda cls: cls(), lazy], ids=["validate", "call", "lazy"])
    def test_it_wins_over_every_source(self, load: Callable[[Any], AppSettings], monkeypatch: pytest.MonkeyPatch) -> None:
        """Fields that are not overridden come from where they ever do."""
        monkeypatch.setenv("APP_PORT", "1")
        monkeypatch.setenv("STAGE", "production")
        monkeypatch.setenv("APP_DB__HOST", "db.test")
        with override(AppSettings, {"db.port": "2"}, port="3"):
            settings = load(AppSettings)
            assert (settings.port, settings.db.port, settings.db.host, settings.stage) == (3, 2, "db.test", "production")
        assert load(AppSettings).port == 1

    def test_it_wins_over_arguments(self) -> None:
        with override(AppSettings, port=3, stage="production"):
            settings = AppSettings(port=1, STAGE="test")
        assert (settings.port, settings.stage) == (3, "production")

    def test_what_is_overridden_is_neither_missing_nor_fetched(self) -> None:
        """So it is with a reference that the value of another field is a part of."""
        STORE.put("blue/key", "of blue")
        with override(Strict, stage="blue"):
            assert validate(Strict).key.get_secret_value() == "of blue"
        STORE.asked.clear()
        with override(Strict, stage="blue", key="mine"):
            assert validate(Strict).key.get_secret_value() == Strict().key.get_secret_value() == "mine"
        assert STORE.asked == []
        with pytest.raises(ConfigError):
            validate(Strict)

    def test_what_stands_elsewhere_is_not_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file that is not there and a variable that cannot be read are no problems of a field that is overridden."""
        monkeypatch.setenv("APP_TOKEN_FILE", "/nowhere/token")
        monkeypatch.setenv("APP_LABELS", "{")
        with pytest.raises(ConfigError):
            validate(AppSettings)
        with override(AppSettings, token="mine", labels={}, key="k"):
            assert validate(AppSettings).token == SecretStr("mine")

    def test_a_value_replaces_the_whole_of_another(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nothing is merged into a mapping or a model that is given as a whole."""
        monkeypatch.setenv("APP_LABELS", '{"from": "env"}')
        monkeypatch.setenv("APP_DB__HOST", "db.test")
        with override(AppSettings, labels={"a": "b"}, db={"port": 1}):
            for settings in (validate(AppSettings), AppSettings()):
                assert (settings.labels, settings.db) == ({"a": "b"}, Db(port=1))
            assert {str(one.origin) for one in explain(validate(AppSettings)) if one.field == "db.host"} == {"default"}
        db = Db(host="given")
        with override(AppSettings, db=db):
            assert AppSettings().db is db

    def test_a_part_of_a_model_is_put_into_what_the_others_give(self) -> None:
        """Into an instance too, which stays as it is."""
        db = Db(host="given")
        with override(AppSettings, db=db), override(AppSettings, {"db.port": "7"}):
            assert validate(AppSettings).db == Db(host="given", port=7)
            assert db.port == 5432
        with override(AppSettings, {"db.port": 7, "db": {"host": "given"}}):
            assert validate(AppSettings).db == Db(host="given", port=7)
        with override(AppSettings, {"db.port": 7}), override(AppSettings, db=db):
            assert validate(AppSettings).db == db
        with override(AppSettings, {"db.port": 7}):
            assert AppSettings(db=db).db == Db(host="given", port=7)

    def test_a_part_of_a_model_is_put_into_its_default(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Unless a source gives another part, which takes the place of the default as ever; or a store is to fill the model."""

        class Bound(BaseModel):
            name: str = "class"
            key: Annotated[SecretStr, From("store://key")] = SecretStr("")

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(env_nested_delimiter="__", providers=[STORE])
            outer: Inner = Inner(name="default", db=Db(host="default"))
            bound: Bound = Bound(name="default")

        STORE.put("key", "fetched")
        with override(Settings, {"outer.db.port": 7, "bound.name": "mine"}):
            for settings in (validate(Settings), Settings()):
                assert settings.outer == Inner(name="default", db=Db(host="default", port=7))
                assert settings.bound == Bound(name="mine", key=SecretStr("fetched"))
            monkeypatch.setenv("OUTER__NAME", "env")
            assert validate(Settings).outer == Inner(name="env", db=Db(port=7))

    def test_explain_names_it(self, monkeypatch: pytest.MonkeyPatch, handle: AppSettings) -> None:
        """With what it passed over, whether the settings were loaded under it or before."""
        monkeypatch.setenv("APP_PORT", "1")
        assert handle.port == 1
        with override(AppSettings, {"db.host": "x"}, port=3):
            for settings in (validate(AppSettings), handle):
                told = {one.field: one.origin for one in explain(settings)}
                assert (str(told["port"]), str(told["db.host"]), str(told["db.port"])) == (
                    "override port",
                    "override db.host",
                    "default",
                )
                assert [str(origin) for origin in told["port"].shadowed] == ["env APP_PORT"]

    def test_a_text_that_looks_like_a_reference_is_a_text(self) -> None:
        """Code says what it means."""

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(providers=[STORE], allowed_references=["store://"])
            name: str

        with override(Settings, name="ref+store://key"):
            assert validate(Settings).name == "ref+store://key"

    def test_only_the_class_itself_is_overridden(self) -> None:
        class Sub(AppSettings):
            pass

        with override(AppSettings, port=3):
            assert Sub().port == 80

    def test_rules_judge_it_as_any_other_value(self) -> None:
        with override(Ruled, debug=True), pytest.raises(ConfigError, match="debug is off"):
            validate(Ruled)

    def test_a_secret_of_a_test_may_be_short(self) -> None:
        """No warning tells that the redactor cannot hide it."""
        with override(AppSettings, token="x", key="y"):
            records = _warned(lambda: validate(AppSettings))
        assert records == []

    def test_only_some_fields(self) -> None:
        """The others stay away, and what needs them is not asked."""
        handle = lazy(Ruled)
        with override(Ruled, low=3, high=5):
            validate(handle, only=["low"])
            assert handle.low == 3
            with override(Ruled, low=4):
                assert handle.low == 4
                with pytest.raises(AttributeError):
                    handle.high  # noqa: B018
        assert repr(handle) == "<lazy Ruled, not loaded>"

    def test_a_model_that_is_given_as_a_whole_is_not_filled_from_a_store(self) -> None:
        class Bound(BaseModel):
            key: Annotated[SecretStr, From("store://key")] = SecretStr("")

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(providers=[STORE])
            bound: Bound

        with override(Settings, bound={}):
            assert validate(Settings).bound == Bound()
        assert STORE.asked == []

    def test_it_wins_over_the_command_line(self) -> None:
        """Which is read before all other sources."""

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(cli_parse_args=["--port", "5"])
            port: int

        with override(Settings, port=3):
            [told] = explain(validate(Settings))
        assert (told.value, str(told.origin)) == ("3", "override port")

    def test_no_default_is_made_for_what_is_not_overridden(self) -> None:
        """A factory may cost something, or fail outside of a load."""
        made: list[int] = []

        def make() -> int:
            made.append(1)
            return 1

        class Settings(BaseSettings):
            port: int = 80
            number: int = Field(default_factory=make)

        override(Settings, port=3)
        assert made == []


def _warned(work: Callable[[], object]) -> list[str]:
    records: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: records.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("confguard").addHandler(handler)
    try:
        work()
    finally:
        logging.getLogger("confguard").removeHandler(handler)
    return records


class Aliased(BaseSettings):
    model_config = SettingsConfigDict(extra="forbid", populate_by_name=True)

    one: int = Field(1, validation_alias=AliasChoices("FIRST", "UNO"))
    two: int = Field(2, validation_alias=AliasPath("PAIR", "second"))
    three: int = Field(3, validation_alias=AliasPath("LIST", 0))


@pytest.mark.parametrize("argument", ["FIRST", "UNO", "one"])
def test_a_field_is_overridden_under_whichever_alias_others_give_it(argument: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNO", "7")
    with override(Aliased, one=11, two=12):
        settings = Aliased(**{argument: 5}, PAIR={"second": 6})  # type: ignore[arg-type,call-arg]
        assert (settings.one, settings.two, validate(Aliased).one) == (11, 12, 11)


def test_a_source_of_the_users_may_give_a_field_under_another_alias() -> None:
    """Where no unknown key is allowed, the one that counts no more is none."""

    class Settings(Aliased):
        @classmethod
        def settings_customise_sources(cls, *_: object, **__: object) -> Any:
            return (lambda: {"UNO": 5},)

    with override(Settings, one=11):
        assert (Settings().one, validate(Settings).one) == (11, 11)


class Ruled(BaseSettings):
    debug: bool = False
    low: int = 1
    high: int = Field(2, frozen=True)
    notes: list[str] = Field([])
    db: Db | None = None
    _seen: int = PrivateAttr(default=0)

    def model_post_init(self, _: object) -> None:
        self._seen = self.low

    @field_validator("high")
    @classmethod
    def above_low(cls, high: int, info: ValidationInfo) -> int:
        if high <= info.data.get("low", 99):
            raise ValueError("high is above low")
        return high

    @model_validator(mode="after")
    def noted(self) -> "Ruled":
        if self.low == 13:
            raise ValueError("13 brings bad luck")
        self.notes = [f"{self.low} to {self.high}"]
        return self

    @rule("debug is off")
    def off(self) -> bool:
        return not self.debug


class TestRefused:
    """What is no value of a field is refused before anything is changed."""

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"prot": 1}, "there is no field 'prot'; did you mean 'port'?"),
            ({"STAGE": "test"}, "there is no field 'STAGE'; did you mean 'stage'?"),
            ({"db.pasword": "x"}, "there is no field 'db.pasword'; did you mean 'db.password'?"),
            ({"nothing.near": "x"}, "there is no field 'nothing.near'"),
            ({"port": "many"}, "override of AppSettings: port: Input should be a valid integer"),
            ({"db": {"port": "many"}}, "override of AppSettings: db.port: Input should be a valid integer"),
            (
                {"db.port": "many", "port": []},
                r"port: Input should be a valid integer; db\.port: Input should be a valid integer",
            ),
            ({"stage": "other"}, "override of AppSettings: stage: Input should be 'test' or 'production'"),
            ({"token": ""}, "override of AppSettings: token: is an empty secret"),
        ],
    )
    def test_a_wrong_field_or_value(self, values: dict[str, object], message: str, handle: AppSettings) -> None:
        with pytest.raises(ValueError, match=message):
            override(AppSettings, values)
        assert ports(handle) == (80, 80, 80)

    def test_a_field_that_only_a_place_in_a_list_leads_to(self) -> None:
        with pytest.raises(ValueError, match="three cannot be overridden"):
            override(Aliased, three=1)

    def test_an_alias_tells_the_name(self) -> None:
        with pytest.raises(ValueError, match="there is no field 'UNO'; did you mean 'one'"):
            override(Aliased, UNO=1)

    @pytest.mark.parametrize("wrong", [int, 3, Db, AppSettings.model_construct()])
    def test_what_is_no_settings_class(self, wrong: Any) -> None:
        with pytest.raises(TypeError, match=r"override\(\) takes subclasses of confguard.BaseSettings"):
            override(wrong)

    def test_a_scope_that_there_is_not(self) -> None:
        with pytest.raises(ValueError, match="scope is 'process' or 'context', not 'thread'"):
            override(AppSettings, scope="thread")  # type: ignore[arg-type]

    @pytest.mark.parametrize("path", ["db", "db.password", "token", "key"])
    def test_the_error_leads_to_no_secret(self, path: str) -> None:
        """Neither its text nor the frames of the library hold one of the values."""
        canary = f"Canary{token_hex(16)}"
        values: dict[str, object] = {"token": canary, "key": canary, path: [canary]}
        with pytest.raises(ValueError, match=path) as caught:
            override(AppSettings, values)
        assert places_of(canary, caught.value) == []

    def test_the_text_of_a_validator_that_quotes_a_secret_is_withheld(self) -> None:
        canary = f"Canary{token_hex(16)}"

        class Settings(BaseSettings):
            token: SecretStr

            @field_validator("token")
            @classmethod
            def quote(cls, token: SecretStr) -> SecretStr:
                raise (ValueError if canary else TypeError)(token.get_secret_value())

        with pytest.raises(ValueError, match="withheld") as caught:
            override(Settings, token=canary)
        assert places_of(canary, caught.value) == []

    def test_a_validator_that_fails_otherwise(self) -> None:
        class Settings(BaseSettings):
            token: SecretStr

            @field_validator("token")
            @classmethod
            def fail(cls, token: SecretStr) -> SecretStr:
                raise KeyError(token.get_secret_value())

        canary = token_hex()
        with pytest.raises(ValueError, match="token: a validator raised KeyError") as caught:
            override(Settings, token=canary)
        assert places_of(canary, caught.value) == []

    def test_a_value_that_is_judged_with_others_is_judged_by_who_has_them(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """By the load; a handle that is loaded has them too."""
        handle = lazy(Ruled)
        with override(Ruled, high=1):
            with pytest.raises(ConfigError, match="high is above low"):
                validate(Ruled)
            monkeypatch.setenv("LOW", "0")
            assert validate(Ruled).high == 1
        monkeypatch.delenv("LOW")
        assert handle.low == 1
        with override(Ruled, high=1), pytest.raises(ConfigError, match="high is above low"):
            handle.low  # noqa: B018
        with override(Ruled, low=0, high=1):
            assert (handle.low, handle.high) == (0, 1)
        monkeypatch.setenv("LOW", "-1")
        assert validate(handle).low == -1
        monkeypatch.delenv("LOW")
        with override(Ruled, high=0):
            assert (handle.low, handle.high) == (-1, 0)  # a copy: it was not loaded anew

    @pytest.mark.parametrize(
        ("values", "message"), [({"debug": True}, "debug is off"), ({"low": 13, "high": 14}, "13 brings bad luck")]
    )
    @pytest.mark.parametrize("scope", ["process", "context"])
    @pytest.mark.parametrize("is_loaded", [False, True])
    def test_what_rules_and_validators_of_the_whole_refuse(
        self, values: dict[str, object], message: str, scope: Any, is_loaded: bool
    ) -> None:
        """Who loads or reads is told, whether a handle was loaded before or not, and nobody is when it is over."""
        handle = lazy(Ruled)
        before = vars(handle) if is_loaded else None
        with override(Ruled, values, scope=scope):
            for read in (lambda: handle.low, lambda: validate(handle), lambda: validate(Ruled)):
                with pytest.raises(ConfigError) as caught:
                    read()
                assert [problem.message for problem in caught.value.problems] == [message]
        assert vars(handle) is before if is_loaded else repr(handle) == "<lazy Ruled, not loaded>"
        assert validate(Ruled).debug is False

    def test_what_a_loaded_handle_lacks(self) -> None:
        """A field that a condition makes required is missing; a model that was not there is loaded."""
        STORE.put("test/key", "k")
        STORE.put("production/key", "k")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("STAGE", "test")
            strict, ruled = lazy(Strict), lazy(Ruled)
            assert (strict.stage, ruled.db) == ("test", None)
        with override(Strict, stage="production"), pytest.raises(ConfigError, match=r"dsn +missing"):
            strict.stage  # noqa: B018
        with override(Strict, stage="production", dsn="dsn"):
            assert strict.dsn == SecretStr("dsn")
        with override(Ruled, {"db.host": "x"}):
            assert ruled.db == Db(host="x")
        assert ruled.db is None

    def test_an_interrupt_changes_nothing_and_leads_to_no_secret(self) -> None:
        """One that comes while a rule judges the copy of a loaded handle."""
        canary = f"Canary{token_hex(16)}"

        class Settings(BaseSettings):
            token: SecretStr = SecretStr("short")

            @rule("it is short")
            def short(self) -> bool:
                if len(self.token) > 10:
                    raise KeyboardInterrupt
                return True

        handle = lazy(Settings)
        assert handle.short()
        with pytest.raises(KeyboardInterrupt) as caught, override(Settings, token=canary):
            pass
        assert places_of(canary, caught.value) == []
        assert validate(handle).token == handle.token == SecretStr("short")


class TestHandles:
    """Handles of the class while an override is on, and after it."""

    @pytest.mark.parametrize("scope", ["process", "context"])
    @pytest.mark.parametrize("given", ["class", "handle"])
    def test_a_loaded_one_shows_the_values_and_then_what_it_held(self, handle: AppSettings, scope: Any, given: str) -> None:
        """Other fields are the same objects. Nothing is read again."""
        before = validate(handle)
        held = vars(handle)
        STORE.asked.clear()
        with override(AppSettings if given == "class" else handle, {"db.host": "x"}, port="3", scope=scope):
            assert (handle.port, handle.db.host, handle.doubled, handle.model_dump()["port"]) == (3, "x", 6, 3)
            assert handle.labels is before.labels
            assert "port" in handle.model_fields_set
            handle.labels, handle.port = {}, 4
            assert handle.port == 4
        assert vars(handle) is held
        assert (handle.port, handle.db.host, handle.doubled) == (80, "localhost", 160)
        assert STORE.asked == []

    @pytest.mark.parametrize("scope", ["process", "context"])
    def test_one_that_is_not_loaded_is_not_loaded_after_it(self, handle: AppSettings, scope: Any) -> None:
        """Whether it was read meanwhile or not; looking for it loads nothing."""
        for read in (False, True):
            with override(AppSettings, port=3, scope=scope):
                assert repr(handle) == "<lazy AppSettings, not loaded>"
                assert STORE.asked == []
                if read:
                    assert (handle.port, validate(handle).port, handle.port) == (3, 3, 3)
            assert repr(handle) == "<lazy AppSettings, not loaded>"
            STORE.asked.clear()

    @pytest.mark.parametrize("scope", ["process", "context"])
    def test_one_that_is_made_meanwhile(self, scope: Any) -> None:
        """By `lazy`, or by a pickle."""
        with override(AppSettings, port=3, scope=scope):
            made = lazy(AppSettings)
            unpickled = pickle.loads(pickle.dumps(made))
            assert (made.port, unpickled.port) == (3, 3)
        assert repr(made) == repr(unpickled) == "<lazy AppSettings, not loaded>"
        assert (made.port, unpickled.port) == (80, 80)

    @pytest.mark.parametrize("scope", ["process", "context"])
    def test_what_was_loaded_meanwhile_is_not_held(self, handle: AppSettings, scope: Any) -> None:
        """`validate(handle)` gives settings of their own; a copy of the handle is one too."""
        assert handle.port == 80
        held = vars(handle)
        with override(AppSettings, port=3, scope=scope):
            validated = validate(handle)
            assert handle.port == 3
            copies = [copy.copy(handle), copy.deepcopy(handle), handle.model_copy()]
        assert vars(handle) is held
        assert [one.port for one in (validated, *copies)] == [3] * 4

    def test_settings_that_are_held_elsewhere_stay_as_they_are(self, handle: AppSettings) -> None:
        settings = validate(handle)
        with override(AppSettings, port=3):
            assert settings.port == 80

    def test_several_handles(self) -> None:
        """Each has what it held; those of other classes are left alone."""
        loaded, not_loaded, other = lazy(AppSettings), lazy(AppSettings), lazy(Ruled)
        assert (loaded.port, other.low) == (80, 1)
        held = vars(loaded), vars(other)
        with override(AppSettings, port=3):
            assert (loaded.port, not_loaded.port) == (3, 3)
            assert vars(other) is held[1]
        assert vars(loaded) is held[0]
        assert repr(not_loaded) == "<lazy AppSettings, not loaded>"

    def test_what_pydantic_does_with_validated_values_is_done_again(self) -> None:
        """Private attributes, `model_post_init` and validators that run after are those of the values that are shown."""
        handle = lazy(Ruled)
        assert (handle._seen, handle.notes) == (1, ["1 to 2"])
        with override(Ruled, low=5, high=6):
            assert (handle._seen, handle.notes) == (5, ["5 to 6"])
        assert (handle._seen, handle.notes) == (1, ["1 to 2"])

    def test_models_within_keep_what_is_not_overridden(self) -> None:
        """Whether they are models or dataclasses, frozen or not."""
        handle = lazy(Nested)
        before = validate(handle)
        values = {"inner.db.host": "x", "point.x": "1"}
        with override(Nested, values):
            assert (handle.inner, handle.point) == (Inner(name="inner", db=Db(host="x")), Point(1, 0))
            assert handle.rest is not None
            assert validate(Nested).inner.db.host == "x"
        assert (before.inner, before.point) == (handle.inner, handle.point) == (Inner(), Point(0, 0))

    def test_the_redactor_knows_the_secret_that_a_loaded_handle_shows(self, handle: AppSettings) -> None:
        assert handle.port == 80
        secret = token_hex()
        with override(AppSettings, {"db.password": secret}):
            assert redactor.redact(f"it is {secret}") == "it is [redacted:db.password]"

    def test_a_value_is_made_anew_each_time(self, handle: AppSettings) -> None:
        """What one test does to a value is not there for the next."""
        assert handle.port == 80
        labels = {"a": "b"}
        overriding = override(AppSettings, labels=labels)
        for _ in range(2):
            with overriding:
                assert handle.labels == labels
                handle.labels["c"] = "d"
        assert labels == {"a": "b"}


@dataclass(frozen=True)
class Point:
    x: int = 0
    y: int = 0


class Inner(BaseModel):
    name: str = "inner"
    db: Db = Db()


class Nested(BaseSettings):
    inner: Inner = Inner()
    point: Point = Point()
    rest: "Nested | None" = None

    @model_validator(mode="after")
    def filled(self) -> "Nested":
        self.rest = self.rest or Nested.model_construct()
        return self


class TestNesting:
    """Several overrides at once."""

    @pytest.mark.parametrize("is_loaded", [False, True])
    @pytest.mark.parametrize("scopes", [(a, b) for a in ("process", "context") for b in ("process", "context")])
    def test_the_inner_wins_and_the_outer_comes_back(self, handle: AppSettings, is_loaded: bool, scopes: tuple[Any, Any]) -> None:
        """After an exception too, with what a handle held under the outer one."""
        if is_loaded:
            assert handle.port == 80
        with override(AppSettings, port=3, token="outer", scope=scopes[0]):
            assert ports(handle) == (3, 3, 3)
            held = vars(handle)
            inside: list[object] = []
            with pytest.raises(ZeroDivisionError), override(AppSettings, port=4, scope=scopes[1]):
                _look(handle, inside)
            assert inside == [4, 4, 4, SecretStr("outer")]
            assert ports(handle) == (3, 3, 3)
            assert vars(handle) is held
        assert ports(handle) == (80, 80, 80)

    @pytest.mark.parametrize("is_loaded", [False, True])
    @pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
    @pytest.mark.parametrize("scope", ["process", "context"])
    def test_they_may_end_in_any_order(self, handle: AppSettings, is_loaded: bool, order: tuple[int, ...], scope: Any) -> None:
        """Those that are still on stay on, and in the end everything is as it was."""
        if is_loaded:
            assert handle.port == 80
        held = vars(handle) if is_loaded else None
        on = [override(AppSettings, port=1 + number, scope=scope) for number in range(3)]
        for one in on:
            one.__enter__()
        left = [0, 1, 2]
        for number in order:
            on[number].__exit__(None, None, None)
            left.remove(number)
            expected = 1 + max(left) if left else 80
            if left:
                assert ports(handle) == (expected, expected, expected)
        assert (validate(AppSettings).port, AppSettings().port) == (80, 80)
        assert (vars(handle) is held) if is_loaded else (repr(handle) == "<lazy AppSettings, not loaded>")

    def test_one_begins_once_at_a_time(self, handle: AppSettings) -> None:
        """And again when it has ended."""
        one = override(AppSettings, port=3)
        for _ in range(2):
            with one:
                with pytest.raises(RuntimeError, match="<override of port in AppSettings> has begun already"), one:
                    pass
                assert handle.port == 3
            assert AppSettings().port == 80


def _look(handle: AppSettings, into: list[object]) -> None:
    into += [*ports(handle), handle.token]
    raise ZeroDivisionError


class TestThreads:
    """Who sees it."""

    def test_every_thread_does(self, handle: AppSettings) -> None:
        assert handle.port == 80
        with override(AppSettings, port=3):
            assert in_thread(lambda: ports(handle)) == (3, 3, 3)
        assert in_thread(lambda: ports(handle)) == (80, 80, 80)

    @pytest.mark.parametrize("is_loaded", [False, True])
    def test_with_a_context_no_other_thread_does(self, handle: AppSettings, is_loaded: bool) -> None:
        """What another thread loads meanwhile is held, and not shown here."""
        if is_loaded:
            assert handle.port == 80
        with override(AppSettings, port=3, scope="context"):
            assert ports(handle) == (3, 3, 3)
            assert in_thread(lambda: ports(handle)) == (80, 80, 80)
            assert in_thread(lambda: in_thread(lambda: validate(handle).port)) == 80
            assert ports(handle) == (3, 3, 3)
            assert in_thread(lambda: contextvars.Context().run(repr, handle)).startswith("AppSettings(port=80, ")
        assert repr(handle).startswith("AppSettings(port=80, ")

    def test_with_a_context_each_task_has_its_own(self, handle: AppSettings) -> None:
        """A task has those of who started it, as long as they are on; so has what it runs in a thread."""
        assert handle.port == 80

        async def work(port: int, meet: asyncio.Barrier) -> tuple[int, ...]:
            with override(AppSettings, port=port, scope="context"):
                await meet.wait()
                return *ports(handle), *(await asyncio.to_thread(ports, handle)), *(await asyncio.create_task(read()))

        async def read() -> tuple[int, ...]:
            return ports(handle)

        async def main() -> list[tuple[int, ...]]:
            meet = asyncio.Barrier(3)
            found = await asyncio.gather(*(work(port, meet) for port in (1, 2, 3)))
            return [*found, await read()]

        assert asyncio.run(main()) == [(1,) * 9, (2,) * 9, (3,) * 9, (80,) * 3]

    def test_a_context_that_was_copied_meanwhile_does_not_see_it_any_more(self, handle: AppSettings) -> None:
        with override(AppSettings, port=3, scope="context"):
            copied = contextvars.copy_context()
            assert copied.run(ports, handle) == (3, 3, 3)
        assert copied.run(ports, handle) == (80, 80, 80)
        with override(AppSettings, port=4, scope="context"):
            assert copied.run(ports, handle) == (80, 80, 80)

    def test_it_may_end_in_another_context(self, handle: AppSettings) -> None:
        """As that of a fixture of an asynchronous test may."""
        one = override(AppSettings, port=3, scope="context")
        contextvars.copy_context().run(one.__enter__)
        assert ports(handle) == (80, 80, 80)
        one.__exit__(None, None, None)
        assert ports(handle) == (80, 80, 80)

    def test_a_loaded_handle_is_read_without_python_when_none_of_a_context_is_on(self, handle: AppSettings) -> None:
        """Nobody pays for those that are over."""
        assert handle.port == 80
        with override(AppSettings, port=3, scope="context"):
            assert calls_of(lambda: handle.port) > 0
        assert calls_of(lambda: handle.port) == 0
        with override(AppSettings, port=3):
            assert calls_of(lambda: handle.port) == 0

    @pytest.mark.parametrize("begins", [True, False])
    def test_a_load_under_way_is_held_only_where_the_overrides_are_those_that_it_began_with(self, begins: bool) -> None:
        """What was loaded without an override is not shown under it, and what was loaded under one does not stay."""
        store = Hanging()
        store.put("key", "k")

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(providers=[store])
            port: int = 80
            key: Annotated[SecretStr, From("hanging://key")]

        handle, one = lazy(Settings), override(Settings, port=3)
        if not begins:
            one.__enter__()
        results: list[int] = []
        thread = threading.Thread(target=lambda: results.append(handle.port))
        thread.start()
        while not any(other.name.startswith("confguard-") for other in threading.enumerate()):
            pass
        if begins:
            one.__enter__()
        else:
            one.__exit__(None, None, None)
        store.release.set()
        thread.join(20)
        assert results == [3 if begins else 80]
        assert handle.port == (3 if begins else 80)
        if begins:
            one.__exit__(None, None, None)
            assert handle.port == 80


def in_thread(work: Callable[[], Any]) -> Any:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    thread.join(20)
    return results[0]


def calls_of(work: Callable[[], object]) -> int:
    """How many functions in Python a piece of work calls, but for itself."""
    calls: list[object] = []
    sys.setprofile(lambda frame, event, _: calls.append(frame) if event == "call" else None)
    try:
        work()
    finally:
        sys.setprofile(None)
    return len(calls) - 1


class TestDecorator:
    """As a decorator."""

    def test_of_a_function(self, handle: AppSettings) -> None:
        """It is on for each call, also of one that calls itself."""

        @override(AppSettings, port=3)
        def count(down: int) -> list[int]:
            """Counts."""
            return [handle.port, *(count(down - 1) if down else [])]

        assert handle.port == 80
        assert count(2) == [3, 3, 3]
        assert handle.port == 80
        assert (count.__name__, count.__doc__) == ("count", "Counts.")

    def test_of_a_coroutine_function(self, handle: AppSettings) -> None:
        """It is on until the coroutine has ended, and not before it is awaited."""

        @override(AppSettings, port=3)
        async def read() -> tuple[int, ...]:
            await asyncio.sleep(0)
            return ports(handle)

        coroutine = read()
        assert handle.port == 80
        assert asyncio.run(coroutine) == (3, 3, 3)
        assert handle.port == 80

    def test_of_a_class(self, handle: AppSettings) -> None:
        """Each of its tests is decorated, also those that it has of another class; nothing else is."""
        seen: dict[str, int] = {}

        class Base(unittest.TestCase):
            def setUp(self) -> None:
                seen["setUp"] = handle.port

            def test_inherited(self) -> None:
                seen["inherited"] = handle.port

        @override(AppSettings, port=3)
        class Tests(Base):
            test_data = 1

            def test_own(self) -> None:
                seen["own"] = self.helper()

            def helper(self) -> int:
                return handle.port

        result = unittest.TestResult()
        unittest.defaultTestLoader.loadTestsFromTestCase(Tests).run(result)
        assert result.wasSuccessful()
        assert seen == {"setUp": 80, "inherited": 3, "own": 3}
        unittest.defaultTestLoader.loadTestsFromTestCase(Base).run(result)
        assert seen["inherited"] == 80

    def test_of_static_and_class_methods(self, handle: AppSettings) -> None:
        """They are tests as others are, and are decorated by themselves too."""

        class Tests:
            @staticmethod
            def test_static() -> int:
                return handle.port

            @classmethod
            def test_class(cls) -> tuple[str, int]:
                return cls.__name__, handle.port

            @override(AppSettings, port=4)
            @staticmethod
            def alone() -> int:
                return handle.port

        override(AppSettings, port=3)(Tests)
        assert (Tests.test_static(), Tests().test_static(), Tests.test_class(), Tests.alone()) == (3, 3, ("Tests", 3), 4)
        assert handle.port == 80

    def test_of_a_fixture(self) -> None:
        """What is put around a fixture is none, and its test would miss it: the error says where to write it."""
        with pytest.raises(TypeError, match="no FixtureFunctionDefinition; write it below that decorator"):

            @override(AppSettings, port=3)
            @pytest.fixture
            def service() -> int:
                return 1

    def test_of_a_generator(self) -> None:
        """Its body would run when the override is over."""

        def fixture() -> Iterator[int]:
            yield 1

        with pytest.raises(TypeError, match=r"write `with override\(…\)` in it"):
            override(AppSettings, port=3)(fixture)


FORKING = """
import os, threading
from confguard import BaseSettings, _overrides, lazy
from confguard.testing import override

class AppSettings(BaseSettings):
    port: int = 80

handle = lazy(AppSettings)
handle.port
locked, unlock = threading.Event(), threading.Event()
def lock():
    with _overrides.lock:
        locked.set()
        unlock.wait(20)
with override(AppSettings, port=3):
    threading.Thread(target=lock).start()
    locked.wait(20)
    pid = os.fork()
    if pid == 0:
        with override(AppSettings, port=4):
            inner = handle.port
        os._exit(10 * inner + handle.port)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    unlock.set()
"""


def test_after_a_fork_a_child_has_what_was_on_and_waits_for_nobody() -> None:
    # From Python 3.12 on it warns of a fork in a process with threads, which is what is tried here.
    command = [sys.executable, "-W", "ignore", "-c", FORKING]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.stderr) == ("43\n", "")


def test_a_refusal_quotes_no_secret_that_is_given_beside_it() -> None:
    """A validator may put what it likes into its message."""
    secret = token_hex()

    class Settings(BaseSettings):
        password: SecretStr = SecretStr("unset")
        host: str = ""

        @field_validator("host")
        @classmethod
        def telling(cls, host: str) -> str:
            raise ValueError(f"no {host} for {secret}")

    with pytest.raises(ValueError, match="host") as caught:
        override(Settings, password=secret, host="x")
    assert secret not in str(caught.value)
