"""Bindings: alternatives, lists, whole models, conditions, templates and outages."""

from secrets import token_hex
from typing import Annotated, Any, Literal

import pytest
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, computed_field, field_validator

from confguard import BaseSettings, ConfigError, From, FromEach, Origin, Required, SettingsConfigDict, When, explain, validate
from confguard.provider import Failure
from tests.doubles import Store

Kind = Literal["development", "staging", "production"]


class Database(BaseModel):
    host: str
    port: int = 5432
    password: SecretStr


def asked(store: Store) -> list[str]:
    return [str(reference) for reference in store.asked]


def told(settings_class: type[BaseSettings], **options: Any) -> list[tuple[str, str, str]]:
    """Kind, field and message of every problem."""
    with pytest.raises(ConfigError) as caught:
        validate(settings_class, **options)
    return [(problem.kind, problem.field, problem.message) for problem in caught.value.problems]


def origin_of(settings: BaseSettings, field: str) -> Origin:
    return next(explained.origin for explained in explain(settings) if explained.field == field)


class TestAlternatives:
    """`From(a, b)`."""

    def test_the_next_is_asked_where_one_is_missing_all_fields_together(self, store: Store) -> None:
        """Round k asks, in one batch, the k-th alternative of the fields for which the earlier ones were missing."""

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(providers=[store])
            a: Annotated[SecretStr, From("store://new/a", "store://old/a")]
            b: Annotated[SecretStr, From("store://new/b", "store://old/b", "store://oldest/b")]
            c: Annotated[SecretStr, From("store://new/c", "store://old/c")]

        keys = [token_hex() for _ in range(3)]
        store.put("new/c", keys[2])
        store.put("old/a", keys[0])
        store.put("oldest/b", keys[1], version="7")
        settings = validate(Settings)
        assert [value.get_secret_value() for value in (settings.a, settings.b, settings.c)] == keys
        assert asked(store) == [
            "store://new/a", "store://new/b", "store://new/c", "store://old/a", "store://old/b", "store://oldest/b",
        ]  # fmt: skip
        assert len(store.threads) == 3
        assert origin_of(settings, "b") == Origin("store", "oldest/b", version="7")

    def test_a_key_that_the_payload_lacks_is_missing_too(self, store: Store) -> None:
        """An alternative counts as missing where its payload is there and its key is not."""

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(providers=[store])
            a: Annotated[SecretStr, From("store://app#/new", "store://app#/old")]

        key = token_hex()
        store.put("app", f'{{"old": "{key}"}}')
        assert validate(Settings).a.get_secret_value() == key

    @pytest.mark.parametrize("kind", ["denied", "unavailable", "malformed", "unauthenticated", "throttled", "unconfigured"])
    def test_nothing_but_missing_leads_to_the_next(self, store: Store, kind: Any) -> None:
        """A store that does not say that a value is missing does not let an older one take its place."""

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(providers=[store])
            a: Annotated[SecretStr, From("store://new", "store://old")] = SecretStr("")

        store.fail("new", Failure(kind, "store new: no"))
        store.put("old", token_hex())
        assert told(Settings) == [(kind, "a", "store new: no")]
        assert asked(store) == ["store://new"]

    def test_all_missing_is_missing_and_names_every_place(self, store: Store) -> None:
        """The report lists the alternatives in the order in which they were asked for."""

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(providers=[store])
            a: Annotated[SecretStr, From("store://new", "store://old")]

        with pytest.raises(ConfigError) as caught:
            validate(Settings)
        (problem,) = caught.value.problems
        assert (problem.kind, problem.looked_in[-2:]) == ("missing", ("store://new", "store://old"))


class TestEach:
    """`FromEach(a, b)`."""

    def test_every_reference_gives_an_element(self, store: Store) -> None:
        """Elements come in the order of the references, in one batch."""

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(providers=[store])
            keys: Annotated[list[SecretStr], FromEach("store://app?version=2#/key", "store://app?version=1#/key")]
            pair: Annotated[tuple[SecretStr, SecretStr], FromEach("store://one", "store://two")]

        one, two = token_hex(), token_hex()
        store.put("app", f'{{"key": "{one}"}}')
        store.put("one", one)
        store.put("two", two)
        settings = validate(Settings)
        assert [key.get_secret_value() for key in settings.keys] == [one, one]
        assert [key.get_secret_value() for key in settings.pair] == [one, two]
        assert len(store.threads) == 1
        assert origin_of(settings, "pair") == Origin("store", "one, two")

    def test_a_missing_element_is_missing(self, store: Store) -> None:
        """A list is not silently shorter than what it is bound to."""

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(providers=[store])
            keys: Annotated[list[SecretStr], FromEach("store://one", "store://two")]

        store.put("one", token_hex())
        assert told(Settings) == [("missing", "keys", "store two: there is no such value")]

    def test_none_stands_for_a_missing_element_where_the_type_allows_it(self, store: Store) -> None:
        """Elements that may be None are None where their value is missing; where all are missing, the field is."""

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(providers=[store])
            keys: Annotated[list[SecretStr | None], FromEach("store://one", "store://two")]

        key = token_hex()
        store.put("two", key)
        first, second = validate(Settings).keys
        assert first is None
        assert second is not None
        assert second.get_secret_value() == key
        del store.payloads["two"]
        assert told(Settings)[0][:2] == ("missing", "keys")

    def test_a_denied_element_counts_before_a_missing_one(self, store: Store) -> None:
        """What is worse than missing is what the report tells."""

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(providers=[store])
            keys: Annotated[list[SecretStr | None], FromEach("store://one", "store://two")]

        store.fail("two", Failure("denied", "store two: 403"))
        assert told(Settings) == [("denied", "keys", "store two: 403")]

    def test_elements_that_are_models_are_read_as_json(self, store: Store) -> None:
        """An element whose type is a structure is made of its JSON."""

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(providers=[store])
            all: Annotated[list[Database], FromEach("store://one", "store://two")]

        key = token_hex()
        store.put("one", f'{{"host": "a", "password": "{key}"}}')
        store.put("two", f'{{"host": "b", "password": "{key}"}}')
        assert [database.host for database in validate(Settings).all] == ["a", "b"]


class TestModels:
    """`From` on a field that is a model."""

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(env_nested_delimiter="__")
        db: Annotated[Database, From("store://prod/db")]

    @pytest.fixture
    def settings_class(self, store: Store) -> type[Settings]:
        class Settings(TestModels.Settings):
            model_config = SettingsConfigDict(providers=[store])

        return Settings

    def test_it_is_filled_from_the_object(self, store: Store, settings_class: type[Settings]) -> None:
        """Every field of the model comes from its key, defaults stay, and other keys are left to the model."""
        key = token_hex()
        store.put("prod/db", f'{{"host": "db.internal", "password": "{key}", "engine": "postgres"}}', version="3")
        settings = validate(settings_class)
        assert (settings.db.host, settings.db.port, settings.db.password.get_secret_value()) == ("db.internal", 5432, key)
        assert origin_of(settings, "db.host") == Origin("store", "prod/db", version="3")
        assert origin_of(settings, "db.port") == Origin("default")

    def test_what_a_source_gives_of_it_stays(
        self, store: Store, settings_class: type[Settings], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One field from a variable wins over the object's, and the rest still comes from the store."""
        key = token_hex()
        monkeypatch.setenv("DB__HOST", "localhost")
        store.put("prod/db", f'{{"host": "db.internal", "port": 1, "password": "{key}"}}')
        settings = validate(settings_class)
        assert (settings.db.host, settings.db.port, settings.db.password.get_secret_value()) == ("localhost", 1, key)

    def test_the_fields_beside_it_are_left_alone(self, store: Store, settings_class: type[Settings]) -> None:
        """The object is for the model, whatever keys it has; a field whose path begins as the model's is none of it."""

        class Wider(settings_class):  # type: ignore[misc, valid-type] # made by a fixture
            db_host: str = "none"
            host: str = "none"

        store.put("prod/db", f'{{"host": "db.internal", "password": "{token_hex()}"}}')
        settings = validate(Wider)
        assert (settings.db.host, settings.db_host, settings.host) == ("db.internal", "none", "none")

    def test_it_is_not_asked_for_where_sources_give_all_of_it(
        self, store: Store, settings_class: type[Settings], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whatever the fields beside it lack."""

        class Wider(settings_class):  # type: ignore[misc, valid-type] # made by a fixture
            db_host: str = "none"

        for name in ("host", "port", "password"):
            monkeypatch.setenv(f"DB__{name.upper()}", "5432")
        validate(Wider)
        assert store.asked == []

    def test_nothing_is_asked_where_every_field_is_there(
        self, store: Store, settings_class: type[Settings], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A store is not asked for a model that sources fill."""
        for name, value in {"HOST": "localhost", "PORT": "1", "PASSWORD": token_hex()}.items():
            monkeypatch.setenv(f"DB__{name}", value)
        assert validate(settings_class).db.host == "localhost"
        assert store.asked == []

    @pytest.mark.parametrize(
        ("payload", "message"),
        [
            ('["a"]', "the payload is JSON, and no object"),
            ("no JSON", "the payload is not JSON"),
            ('{"host": "a", "host": "b"}', "a key stands twice in an object of the payload"),
        ],
    )
    def test_what_is_no_object_is_malformed(
        self, store: Store, settings_class: type[Settings], payload: str, message: str
    ) -> None:
        """A payload that cannot fill a model says why, once."""
        store.put("prod/db", payload)
        assert told(settings_class) == [("malformed", "db", message)]

    def test_what_the_object_lacks_is_missing(self, store: Store, settings_class: type[Settings]) -> None:
        """A key that the model wants and the object lacks is reported by its field path."""
        store.put("prod/db", f'{{"password": "{token_hex()}"}}')
        assert told(settings_class) == [("missing", "db.host", "")]

    def test_its_secrets_are_secrets_and_the_rest_is_not(self, store: Store, settings_class: type[Settings]) -> None:
        """A refused value of a secret field is not shown, and a host is no secret in messages."""
        key = token_hex()
        store.put("prod/db", f'{{"host": "db.internal", "port": "many", "password": "{key}"}}')
        with pytest.raises(ConfigError) as caught:
            validate(settings_class)
        assert key not in str(caught.value)
        assert [problem.field for problem in caught.value.problems] == ["db.port"]

    def test_a_model_that_forbids_other_keys_refuses_them(self, store: Store) -> None:
        """What a model does not take is for the model to judge; the key is not named, since it may be a secret."""

        class Strict(BaseModel):
            model_config = ConfigDict(extra="forbid")
            password: SecretStr

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(providers=[store])
            db: Annotated[Strict, From("store://db")]

        store.put("db", f'{{"password": "{token_hex()}", "engine": "postgres"}}')
        assert told(Settings) == [("invalid", "db", "has a key that no field of it takes")]

    def test_aliases_of_the_model_are_its_keys(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """An object may spell a field by any of its aliases, and a variable by another."""

        class Aliased(BaseModel):
            password: SecretStr = Field(validation_alias=AliasChoices("PASS", "password"))
            user: str = Field(validation_alias=AliasChoices("USERNAME", "user"))

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(providers=[store], env_nested_delimiter="__")
            db: Annotated[Aliased, From("store://db")]

        key = token_hex()
        store.put("db", f'{{"password": "{key}", "USERNAME": "stored"}}')
        monkeypatch.setenv("DB__USER", "from-env")
        settings = validate(Settings)
        assert (settings.db.password.get_secret_value(), settings.db.user) == (key, "from-env")


class TestTemplates:
    """`{app_env}` in a path."""

    @pytest.fixture
    def settings_class(self, store: Store) -> Any:
        class Settings(BaseSettings):
            model_config = SettingsConfigDict(providers=[store], env_file=".env")
            app_env: str
            key: Annotated[SecretStr, From("store://{app_env}/app-{app_env}#/key")]

            @field_validator("app_env", mode="before")
            @classmethod
            def folded(cls, value: str) -> str:
                return value.lower()

        return Settings

    def test_a_fields_value_is_filled_in(self, store: Store, settings_class: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """The value is the validated one, whole segments and parts of one alike."""
        monkeypatch.setenv("APP_ENV", "Production")
        key = token_hex()
        store.put("production/app-production", f'{{"key": "{key}"}}')
        assert validate(settings_class).key.get_secret_value() == key
        assert settings_class().key.get_secret_value() == key

    @pytest.mark.parametrize("value", ["../admin", "..", ".", "a/b", "a b", "é", "", "a?version=1", "a#b", "a\nb", "%2e%2e"])
    def test_a_value_that_leads_elsewhere_makes_no_request(
        self, store: Store, settings_class: Any, monkeypatch: pytest.MonkeyPatch, value: str
    ) -> None:
        """What is no plain word is refused, and nothing is asked of the store."""
        monkeypatch.setenv("APP_ENV", value)
        (problem,) = told(settings_class)
        assert problem[:2] == ("invalid", "app_env")
        assert "key cannot be looked for" in problem[2]
        assert store.asked == []
        with pytest.raises(ConfigError):
            settings_class()
        assert store.asked == []

    def test_an_unset_field_is_missing_once(self, store: Store, settings_class: Any) -> None:
        """What hangs on a missing field is named with it and not reported as well."""
        assert told(settings_class) == [("missing", "app_env", "without it key cannot be looked for")]
        assert store.asked == []

    def test_an_invalid_field_is_invalid_once(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """The same for a value that its type refuses."""

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(providers=[store])
            app_env: Kind
            key: Annotated[SecretStr, From("store://{app_env}/app")]

        monkeypatch.setenv("APP_ENV", "prod")
        ((kind, field, message),) = told(Settings)
        assert (kind, field) == ("invalid", "app_env")
        assert message.endswith("without it key cannot be looked for")
        assert store.asked == []

    def test_a_field_of_a_model_may_decide(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """A deciding field is named by its path."""

        class Where(BaseModel):
            region: Literal["eu", "us"]

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(providers=[store], env_nested_delimiter="__")
            where: Where
            key: Annotated[SecretStr, From("store://{where.region}/app")]

        monkeypatch.setenv("WHERE__REGION", "eu")
        key = token_hex()
        store.put("eu/app", key)
        assert validate(Settings).key.get_secret_value() == key


class TestWhen:
    """Conditions."""

    @pytest.fixture
    def settings_class(self, store: Store) -> Any:
        class Settings(BaseSettings):
            model_config = SettingsConfigDict(providers=[store])
            app_env: Kind
            key: Annotated[SecretStr | None, From("store://key", when=When(app_env={"staging", "production"}))] = None
            dsn: Annotated[SecretStr | None, Required(When(app_env="production"))] = None

        return Settings

    def test_a_binding_whose_condition_does_not_hold_is_none(
        self, store: Store, settings_class: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing is fetched, and the default stands."""
        monkeypatch.setenv("APP_ENV", "development")
        assert validate(settings_class).key is None
        assert store.asked == []

    def test_a_binding_whose_condition_holds_is_fetched(
        self, store: Store, settings_class: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Any of the values that it lists will do."""
        monkeypatch.setenv("APP_ENV", "staging")
        store.put("key", token_hex())
        assert validate(settings_class).key is not None

    def test_a_field_is_required_where_the_condition_holds(
        self, store: Store, settings_class: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without a value it is missing, for `validate` and for a plain call, and the tip says why."""
        monkeypatch.setenv("APP_ENV", "production")
        store.put("key", token_hex())
        with pytest.raises(ConfigError) as caught:
            validate(settings_class)
        (problem,) = caught.value.problems
        assert (problem.kind, problem.field, problem.tip) == ("missing", "dsn", "it is required when app_env is production")
        assert problem.looked_in == ("env DSN", "env DSN_FILE")
        with pytest.raises(ConfigError, match="dsn"):
            settings_class()
        monkeypatch.setenv("DSN", token_hex())
        assert validate(settings_class).dsn is not None
        assert settings_class().dsn is not None

    def test_what_looks_required_and_is_not_bound_says_so(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """A missing field whose binding's condition does not hold tells that no store was asked, and when it would be."""

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(providers=[store])
            app_env: Kind
            key: Annotated[SecretStr, From("store://key", when=When(app_env="production"))]

        monkeypatch.setenv("APP_ENV", "staging")
        with pytest.raises(ConfigError) as caught:
            validate(Settings)
        (problem,) = caught.value.problems
        assert problem.looked_in == ("env KEY", "env KEY_FILE", "no store, since it is only bound when app_env is production")


class TestOutage:
    """`on_outage="default"`."""

    @pytest.mark.parametrize("kind", ["unavailable", "throttled"])
    def test_the_default_stands_in_and_is_reported(self, store: Store, kind: Any, caplog: pytest.LogCaptureFixture) -> None:
        """The settings load with the default, and a warning tells that they are degraded."""

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(providers=[store])
            flags: Annotated[str, From("store://flags", secret=False, on_outage="default")] = "none"

        store.fail("flags", Failure(kind, "store flags: out"))
        assert validate(Settings).flags == "none"
        assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
            "flags: starts with its default, since the store is out: store flags: out"
        ]

    def test_nothing_else_is_survived(self, store: Store) -> None:
        """A store that denies is not out."""

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(providers=[store])
            flags: Annotated[str, From("store://flags", secret=False, on_outage="default")] = "none"

        store.fail("flags", Failure("denied", "store flags: 403"))
        assert told(Settings) == [("denied", "flags", "store flags: 403")]


class TestDecode:
    """`?decode=base64`, which belongs to the core."""

    def test_the_picked_value_is_decoded(self, store: Store) -> None:
        """Fragment first, then base64; the provider sees neither, and two fields share the payload."""

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(providers=[store])
            a: Annotated[SecretStr, From("store://app?decode=base64#/a")]
            b: Annotated[bytes, From("store://app?decode=base64#/b", secret=False)]

        store.put("app", '{"a": "cGFzc3dvcmQ", "b": "_-8="}')
        settings = validate(Settings)
        assert (settings.a.get_secret_value(), settings.b) == ("password", b"\xff\xef")
        assert asked(store) == ["store://app"]

    def test_what_is_no_base64_is_malformed(self, store: Store) -> None:
        """A value that cannot be decoded is malformed, and not quoted."""

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(providers=[store])
            a: Annotated[SecretStr, From("store://app?decode=base64")]

        store.put("app", "no base64!")
        assert told(Settings) == [("malformed", "a", "store app: the value is not base64")]


class TestEmpty:
    """Secrets that are empty."""

    def test_an_empty_secret_is_a_problem_that_names_its_place(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """An empty variable does not quietly take the place of what is bound, and an empty payload is no secret."""

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(providers=[store])
            a: Annotated[SecretStr, From("store://a")]
            b: Annotated[SecretStr, From("store://b")]

        monkeypatch.setenv("A", "")
        store.put("b", "")
        with pytest.raises(ConfigError) as caught:
            validate(Settings)
        assert [(problem.field, problem.message, problem.origin) for problem in caught.value.problems] == [
            ("a", "is empty", Origin("env", "A")),
            ("b", "is empty", Origin("store", "b")),
        ]

    def test_a_class_may_allow_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A shortest length of 0, or a default that is empty itself, allows an empty secret."""

        class Settings(BaseSettings):
            a: SecretStr = Field(min_length=0)
            b: SecretStr = SecretStr("")

        monkeypatch.setenv("A", "")
        monkeypatch.setenv("B", "")
        assert validate(Settings).a.get_secret_value() == ""

    def test_env_ignore_empty_passes_it_over(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where empty variables are ignored, the binding is asked."""

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(providers=[store], env_ignore_empty=True)
            a: Annotated[SecretStr, From("store://a")]

        monkeypatch.setenv("A", "")
        key = token_hex()
        store.put("a", key)
        assert validate(Settings).a.get_secret_value() == key


def test_a_dsn_composed_of_parts_stays_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """A computed field of a secret type is shown by nobody, and the redactor knows its value."""
    from pydantic import PostgresDsn, Secret

    from confguard._redaction import redactor

    class Settings(BaseSettings):
        password: SecretStr

        @computed_field  # type: ignore[prop-decorator] # as pydantic's own documentation has it
        @property
        def dsn(self) -> Secret[PostgresDsn]:
            return Secret(PostgresDsn(f"postgresql://app:{self.password.get_secret_value()}@db/app"))

    password = token_hex()
    monkeypatch.setenv("PASSWORD", password)
    for settings in (validate(Settings), Settings()):
        assert password not in repr(settings)
        assert redactor.redact(f"to {settings.dsn.get_secret_value()}") == "to [redacted:dsn]"
