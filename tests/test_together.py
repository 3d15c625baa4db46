"""Several classes in one call, some fields alone, and trying again."""

import logging
import os
import threading
from pathlib import Path
from secrets import token_hex
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, SecretStr

from confguard import BaseSettings, ConfigError, From, SettingsConfigDict, explain, rule, validate
from confguard.provider import Failure, Found
from tests.doubles import Hanging, Store


def refused(*settings_classes: Any, **options: Any) -> list[tuple[str, str, str]]:
    """Kind, field and class of every problem."""
    with pytest.raises(ConfigError) as caught:
        validate(*settings_classes, **options)
    return [(p.kind, p.field, p.settings_class.rpartition(".")[2]) for p in caught.value.problems]


class TestSeveralClasses:
    """`validate(A, B)`."""

    @pytest.fixture
    def classes(self, store: Store) -> Any:
        class Web(BaseSettings):
            model_config = SettingsConfigDict(providers=[store])
            port: int = 80
            key: Annotated[SecretStr, From("store://shared#/web")]

        class Worker(BaseSettings):
            model_config = SettingsConfigDict(providers=[store])
            key: Annotated[SecretStr, From("store://shared#/worker")]
            other: Annotated[SecretStr, From("store://new", "store://old")]

        class Plain(BaseSettings):
            queue: str = "default"

        return Web, Worker, Plain

    def test_they_share_one_plan(self, store: Store, classes: Any) -> None:
        """One batch for all classes, each payload once, and each class gets its own."""
        web, worker = token_hex(), token_hex()
        store.put("shared", f'{{"web": "{web}", "worker": "{worker}"}}')
        store.put("old", web)
        first, second, third = validate(*classes)
        assert [first.key.get_secret_value(), second.key.get_secret_value()] == [web, worker]
        assert third.queue == "default"
        assert [type(first), type(second), type(third)] == list(classes)
        assert [str(reference) for reference in store.asked] == ["store://shared", "store://new", "store://old"]
        assert explain(second)[0].origin.source == "store"

    def test_they_share_one_report(self, store: Store, classes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """Every problem of every class is told at once, each with its class."""
        monkeypatch.setenv("PORT", "many")
        store.fail("shared", Failure("denied", "store shared: 403"))
        store.put("old", token_hex())
        assert refused(*classes) == [("denied", "key", "Web"), ("denied", "key", "Worker"), ("invalid", "port", "Web")]

    def test_a_class_that_fails_before_it_fetches_keeps_no_other_from_it(self, store: Store, classes: Any) -> None:
        """A class whose own hook fails is told beside the others, which are loaded."""

        class Broken(BaseSettings):
            @classmethod
            def settings_customise_sources(cls, *args: Any, **kwargs: Any) -> Any:
                raise RuntimeError

        store.put("shared", '{"web": "webwebweb"}')
        web, _, _ = classes
        assert [kind for kind, *_ in refused(Broken, web)] == ["malformed"]
        assert len(store.asked) == 1

    def test_the_same_class_twice_is_loaded_twice_and_fetched_once(self, store: Store, classes: Any) -> None:
        """A class may stand twice in one call."""
        store.put("shared", f'{{"web": "{token_hex()}"}}')
        first, second = validate(classes[0], classes[0])
        assert first == second
        assert first is not second
        assert len(store.asked) == 1

    def test_providers_of_one_class_are_not_asked_for_another(self) -> None:
        """Two classes whose code names different providers of one scheme each ask their own."""
        one, two = Store(), Store()
        for store, value in ((one, "value of one"), (two, "value of two")):
            store.put("key", value)

        class First(BaseSettings):
            model_config = SettingsConfigDict(providers=[one])
            key: Annotated[SecretStr, From("store://key")]

        class Second(BaseSettings):
            model_config = SettingsConfigDict(providers=[two])
            key: Annotated[SecretStr, From("store://key")]

        first, second = validate(First, Second)
        assert (first.key.get_secret_value(), second.key.get_secret_value()) == ("value of one", "value of two")

    def test_one_deadline_holds_for_all(self) -> None:
        """Two stores that hang in two classes cost one timeout and not two."""
        stores = Hanging(), Hanging()

        class First(BaseSettings):
            model_config = SettingsConfigDict(providers=[stores[0]])
            key: Annotated[SecretStr, From("hanging://key")]

        class Second(BaseSettings):
            model_config = SettingsConfigDict(providers=[stores[1]])
            key: Annotated[SecretStr, From("hanging://key")]

        before = threading.active_count()
        assert [kind for kind, *_ in refused(First, Second, timeout=0.2)] == ["unavailable", "unavailable"]
        for store in stores:
            store.release.set()
        for thread in threading.enumerate():
            if thread.name.startswith("confguard-"):
                thread.join(10)
        assert threading.active_count() <= before


class TestOnly:
    """`validate(…, only=[…])`."""

    @pytest.fixture
    def settings_class(self, store: Store) -> Any:
        class Database(BaseModel):
            host: str
            password: Annotated[SecretStr, From("store://db")]
            replica: Annotated[SecretStr, From("store://replica")]

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(providers=[store], env_nested_delimiter="__")
            port: int
            name: str = "app"
            hosts: list[str]
            key: Annotated[SecretStr, From("store://key")]
            db: Database

            @rule("the name is no port")
            def named(self) -> bool:
                return self.name != str(self.port)

            @rule("the name is not root")
            def not_root(self) -> bool:
                return self.name != "root"

        return Settings

    def test_nothing_else_is_fetched_or_required(
        self, store: Store, settings_class: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Fields that are not asked for may be missing, malformed or denied."""
        key = token_hex()
        store.put("key", key)
        monkeypatch.setenv("HOSTS", "[no JSON")
        settings = validate(settings_class, only=["key", "name"])
        assert isinstance(settings, settings_class)
        assert (settings.key.get_secret_value(), settings.name) == (key, "app")
        assert [str(reference) for reference in store.asked] == ["store://key"]
        assert settings.model_fields_set == {"key", "name"}

    def test_another_field_is_not_there(self, settings_class: Any) -> None:
        """What reads a field that was not asked for gets an AttributeError, and no wrong value."""
        settings = validate(settings_class, only=["name"])
        with pytest.raises(AttributeError, match="port"):
            settings.port  # noqa: B018 - the access is what is tested

    def test_a_field_within_a_model_may_be_asked_for(self, store: Store, settings_class: Any) -> None:
        """The model around it is made of that field alone."""
        password = token_hex()
        store.put("db", password)
        settings = validate(settings_class, only=["db.password"])
        assert settings.db.password.get_secret_value() == password
        assert not hasattr(settings.db, "host")
        assert len(store.asked) == 1

    def test_a_whole_model_may_be_asked_for(self, store: Store, settings_class: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """With everything that is in it."""
        store.put("db", token_hex())
        store.put("replica", token_hex())
        monkeypatch.setenv("DB__HOST", "localhost")
        assert validate(settings_class, only=["db"]).db.host == "localhost"

    def test_what_is_asked_for_is_validated(self, settings_class: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """A missing or invalid field among them is told, by its path, and no other."""
        monkeypatch.setenv("PORT", "many")
        assert [told[:2] for told in refused(settings_class, only=["port", "db.host"])] == [
            ("missing", "db.host"),
            ("invalid", "port"),
        ]

    def test_rules_on_these_fields_hold(self, settings_class: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """A rule that reads nothing else is kept; one that does is passed over in silence."""
        monkeypatch.setenv("NAME", "root")
        assert [told[0] for told in refused(settings_class, only=["name"])] == ["rule"]

    def test_an_unknown_field_is_wrong_use(self, settings_class: Any) -> None:
        """With the name that was probably meant."""
        with pytest.raises(ValueError, match="there is no field 'prot'; did you mean 'port'"):
            validate(settings_class, only=["prot"])


class Recovering(Store):
    """A store that is out for some fetches."""

    def __init__(self, failures: list[Failure]) -> None:
        super().__init__()
        self.failures = failures

    def fetch(self, refs: Any, *, deadline: Any) -> Any:
        self.asked += refs
        return dict.fromkeys(refs, self.failures.pop(0) if self.failures else Found(token_hex()))


class TestWaiting:
    """`validate(…, wait=…)`."""

    def settings_class(self, store: Store) -> type[BaseSettings]:
        class Settings(BaseSettings):
            model_config = SettingsConfigDict(providers=[store])
            key: Annotated[SecretStr, From("store://key")]

        return Settings

    def test_it_goes_on_while_a_store_is_out(self, caplog: pytest.LogCaptureFixture) -> None:
        """A store that is unavailable and then throttles is asked until it answers; each change is told in one line."""
        store = Recovering(
            [
                Failure("unavailable", "x"),
                Failure("throttled", "x", retry_after=0.01),
                Failure("throttled", "x", retry_after=0.01),
            ]
        )
        validate(self.settings_class(store), wait=30)
        assert len(store.asked) == 4
        assert [record.message for record in caplog.records if "waiting" in record.message] == [
            "waiting: key unavailable",
            "waiting: key throttled",
        ]

    def test_it_gives_up_at_once_where_waiting_does_not_help(self) -> None:
        """What is denied stays denied."""
        store = Recovering([Failure("denied", "x")])
        assert refused(self.settings_class(store), wait=30)[0][0] == "denied"
        assert len(store.asked) == 1

    def test_it_gives_up_in_time(self) -> None:
        """It never sleeps beyond the time that it was given: a store that wants to be asked later is left alone."""
        store = Recovering([Failure("throttled", "x", retry_after=3600)])
        assert refused(self.settings_class(store), wait=5)[0][0] == "throttled"
        assert len(store.asked) == 1

    def test_it_waits_for_a_mount(self, tmp_path: Path) -> None:
        """A declared directory that is not there yet is waited for."""
        mount = tmp_path / "run"

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(secrets_dir=mount)
            token: SecretStr

        token = token_hex()

        def deliver() -> None:
            assert seen.wait(10)
            staged = tmp_path / "staged"
            staged.mkdir()
            (staged / "token").write_text(token)
            os.rename(staged, mount)  # noqa: PTH104 - at once, as a mount appears

        log = logging.getLogger("confguard")
        seen = threading.Event()
        watcher = type("Watcher", (logging.Handler,), {"emit": lambda self, record: seen.set()})()
        log.addHandler(watcher)
        thread = threading.Thread(target=deliver)
        thread.start()
        try:
            assert validate(Settings, wait=30).token.get_secret_value() == token
        finally:
            log.removeHandler(watcher)
            thread.join(10)


def test_each_load_leaves_one_structured_record(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """Counts, durations and kinds of a load are logged as one record, with nothing that was read."""

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(providers=[store])
        port: int = 80
        key: Annotated[SecretStr, From("store://key")]

    key = token_hex()
    store.put("key", key)
    with caplog.at_level("INFO", logger="confguard"):
        validate(Settings)
    (record,) = caplog.records
    facts = record.__dict__["confguard"]
    assert facts.pop("seconds") >= facts["providers"].pop("store") > 0
    assert facts == {
        "settings_classes": [f"{__name__}:{Settings.__qualname__}"],
        "valid": True,
        "fields": 2,
        "fetched": 1,
        "providers": {},
        "problems": {},
    }
    assert key not in str(record.__dict__)
    caplog.clear()
    store.fail("key", Failure("denied", "store key: 403"))
    with caplog.at_level("INFO", logger="confguard"), pytest.raises(ConfigError):
        validate(Settings, Settings)
    (record,) = caplog.records
    facts = record.__dict__["confguard"]
    assert (facts["valid"], facts["fetched"], facts["problems"]) == (False, 1, {"denied": 2})
