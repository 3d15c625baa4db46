"""References from outside: what a variable or a file may ask for, and what it may not."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, SecretStr

from confguard import BaseSettings, ConfigError, From, Origin, Problem, SettingsConfigDict, explain, validate
from confguard.provider import Failure
from tests.doubles import Store


class Nested(BaseModel):
    password: SecretStr
    user: str = "app"


def problem_of(settings_class: type[BaseSettings]) -> Problem:
    with pytest.raises(ConfigError) as caught:
        validate(settings_class)
    (problem,) = caught.value.problems
    return problem


@pytest.fixture
def settings_class(store: Store, tmp_path: Path) -> Any:
    mounted = tmp_path / "mounted"
    mounted.mkdir()

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(
            providers=[store],
            allowed_references=["store://mine/", "store://exact"],
            env_file=".env",
            secrets_dir=mounted,
            env_nested_delimiter="__",
        )
        key: SecretStr

    return Settings


@pytest.mark.parametrize("place", ["env", "dotenv", "mounted"])
def test_an_allowed_reference_is_fetched(
    store: Store, settings_class: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str
) -> None:
    """From a variable, an env file and a mounted file, for `validate` and for a plain call."""
    text = "ref+store://mine/app?version=3#/key"
    match place:
        case "env":
            monkeypatch.setenv("KEY", text)
        case "dotenv":
            Path(".env").write_text(f"KEY='{text}'\n")
        case _:
            (tmp_path / "mounted" / "key").write_text(f"{text}\n")
    key = token_hex()
    store.put("mine/app", f'{{"key": "{key}"}}', version="3")
    settings = validate(settings_class)
    assert settings.key.get_secret_value() == key
    assert explain(settings)[0].origin.source == "store"
    assert settings_class().key.get_secret_value() == key


@pytest.mark.parametrize("path", ["mine", "mine/app", "mine/a/b", "exact", "exact/below", "m%69ne/app"])
def test_prefixes_are_whole_segments_after_decoding(
    store: Store, settings_class: Any, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """The prefix itself and everything below it is allowed."""
    monkeypatch.setenv("KEY", f"ref+store://{path}")
    store.fail(path.replace("%69", "i"), Failure("denied", "asked"))
    assert problem_of(settings_class).kind == "denied"


@pytest.mark.parametrize("path", ["minefield", "exactly", "other", "other/mine/app", "/mine/app"])
def test_anything_else_is_refused_and_not_asked(
    store: Store, settings_class: Any, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """A reference that no prefix covers is a problem of its field, and nothing is fetched."""
    monkeypatch.setenv("KEY", f"ref+store://{path}")
    problem = problem_of(settings_class)
    assert (problem.kind, problem.field, problem.origin) == ("unconfigured", "key", Origin("env", "KEY"))
    assert problem.message == "is a reference that allowed_references does not list"
    with pytest.raises(ConfigError):
        settings_class()
    assert store.asked == []


@pytest.mark.parametrize("rest", ["?address=http://127.0.0.1", "?region=eu", "?namespace=a", "?role=admin", "?version=1&x=2"])
def test_where_to_and_as_whom_never_come_from_a_value(
    store: Store, settings_class: Any, monkeypatch: pytest.MonkeyPatch, rest: str
) -> None:
    """No parameter but version, stage and decode is taken from outside."""
    monkeypatch.setenv("KEY", f"ref+store://mine/app{rest}")
    assert "other parameters" in problem_of(settings_class).message
    assert store.asked == []


@pytest.mark.parametrize("text", ["ref+store://", "ref+://a", "ref+store://mine/../other", "ref+store://mine//a"])
def test_what_is_no_reference_is_said_to_be_none(
    store: Store, settings_class: Any, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """Dot segments and broken references are refused, and the value is not quoted."""
    monkeypatch.setenv("KEY", text)
    problem = problem_of(settings_class)
    assert problem.message == "begins like a reference and is none"
    assert text not in str(problem)


def test_without_a_list_such_a_value_is_a_value(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The default allows nothing: the text loads as it does with pydantic-settings, and a warning says so."""

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(providers=[store])
        key: SecretStr

    monkeypatch.setenv("KEY", "ref+store://mine/app")
    assert validate(Settings).key.get_secret_value() == "ref+store://mine/app"
    assert "the class allows none from outside" in caplog.text
    assert store.asked == []


def test_code_says_what_it_means(store: Store, settings_class: Any) -> None:
    """An init argument is a value, whatever it looks like."""
    assert settings_class(key="ref+store://mine/app").key.get_secret_value() == "ref+store://mine/app"
    assert store.asked == []


def test_what_was_fetched_is_never_expanded(store: Store, settings_class: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A payload that looks like a reference is a value."""
    monkeypatch.setenv("KEY", "ref+store://mine/app")
    store.put("mine/app", "ref+store://mine/other")
    assert validate(settings_class).key.get_secret_value() == "ref+store://mine/other"
    assert len(store.asked) == 1


def test_a_field_of_a_nested_model_may_hold_one(store: Store, settings_class: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its siblings stay what sources gave, in the source's own tree too."""

    class Settings(settings_class):  # type: ignore[misc] # the base is made by a fixture
        key: SecretStr = SecretStr("")
        db: Nested

    password = token_hex()
    store.put("mine/db", password)
    monkeypatch.setenv("DB__PASSWORD", "ref+store://mine/db")
    monkeypatch.setenv("DB__USER", "other")
    settings = validate(Settings)
    assert (settings.db.password.get_secret_value(), settings.db.user) == (password, "other")
    monkeypatch.delenv("DB__PASSWORD")
    monkeypatch.setenv("DB", '{"password": "ref+store://mine/db"}')
    assert Settings().db.password.get_secret_value() == password


def test_a_bound_field_may_be_pointed_elsewhere(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reference from outside stands above the binding, as any value from there does."""

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(providers=[store], allowed_references=["store://mine"])
        key: Annotated[SecretStr, From("store://bound")]

    store.put("mine/new", "the new one")
    monkeypatch.setenv("KEY", "ref+store://mine/new")
    assert validate(Settings).key.get_secret_value() == "the new one"
    assert [reference.path for reference in store.asked] == ["mine/new"]


def test_a_missing_one_does_not_fall_back(store: Store, settings_class: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a reference from outside does not find is missing, and the report names the reference."""
    monkeypatch.setenv("KEY", "ref+store://mine/gone")
    problem = problem_of(settings_class)
    assert (problem.kind, problem.looked_in[-1]) == ("missing", "store://mine/gone")


@pytest.fixture
def listener() -> Iterator[tuple[int, list[bytes]]]:
    """A port that notes what is sent to it."""
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                received.append(connection.recv(4096))
                connection.close()

        thread = threading.Thread(target=accept)
        thread.start()
        yield server.getsockname()[1], received
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)


@pytest.mark.parametrize("form", ["?address=http://127.0.0.1:{port}#/key", "?addr=127.0.0.1:{port}", "?namespace=x"])
def test_a_hostile_address_from_outside_is_never_contacted(
    listener: tuple[int, list[bytes]], monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """A value that names another server opens no connection to it, although the provider would log in there."""
    port, received = listener

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(allowed_references=["vault://secret/"])
        key: SecretStr

    monkeypatch.setenv("VAULT_TOKEN", token_hex())
    monkeypatch.setenv("KEY", f"ref+vault://secret/app{form.format(port=port)}")
    assert "other parameters" in problem_of(Settings).message
    assert received == []
    # The listener does hear what is sent to it.
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"heard")
        assert connection.recv(1) == b""
    assert received == [b"heard"]


@pytest.mark.parametrize("prefix", ["store", "store://a?version=1", "store://a#/b", "STORE://a", "store://a/../b"])
def test_a_wrong_prefix_is_a_mistake_of_the_class(prefix: str) -> None:
    """A prefix that can allow nothing is found with the class."""

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(allowed_references=[prefix])
        a: int = 1

    problem = problem_of(Settings)
    assert (problem.kind, problem.field) == ("mistake", "")
    assert repr(prefix) in problem.message
