"""Warnings: what does not keep a service from starting and may hurt it later."""

import os
import secrets
import types
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import AnyUrl, BaseModel, PostgresDsn, Secret, SecretBytes, SecretStr

from confguard import BaseSettings, From, SettingsConfigDict, When, validate
from confguard._call import Call, load_settings
from tests.command import run
from tests.doubles import Store

TOKEN = secrets.token_urlsafe()


class Database(BaseModel):
    user: SecretStr
    password: SecretStr


def told(settings_class: type[BaseSettings]) -> list[tuple[str, str, str | None]]:
    """Field, message and tip of every warning of settings that load."""
    (loaded,) = load_settings(Call((settings_class,), 5))
    assert {(problem.severity, problem.kind) for problem in loaded.problems} <= {("warning", "degraded")}
    assert all(TOKEN not in str(problem) for problem in loaded.problems)
    return [(problem.field, problem.message, problem.tip) for problem in loaded.problems]


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    directory = tmp_path / "run"
    directory.mkdir()
    return directory


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def settings_at(mounted: Path) -> type[BaseSettings]:
    class Settings(BaseSettings):
        model_config = SettingsConfigDict(env_file=".env", secrets_dir=mounted)
        token: SecretStr = SecretStr("")
        level: str = "info"

    return Settings


TAKE_OUT = "take it out of the env file if that is not meant"


def test_an_env_file_that_shadows_a_mount_is_told(mounted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the environment stands before both."""
    write(Path(".env"), f"TOKEN={TOKEN}\n")
    path = write(mounted / "token", secrets.token_urlsafe())
    write(mounted / "level", "debug")
    assert told(settings_at(mounted)) == [("token", f"its value in an env file shadows mounted {path}", TAKE_OUT)]
    monkeypatch.setenv("TOKEN", TOKEN)
    assert told(settings_at(mounted)) == []


def test_an_env_file_that_shadows_a_binding_is_told(store: Store) -> None:
    """A binding that does not apply is not shadowed, and neither is one whose place another reference takes."""

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(env_file=".env", providers=[store], allowed_references=["store://other/"])
        app_env: str
        token: Annotated[SecretStr, From("store://app#/token", when=When(app_env="production"))] = SecretStr("")

    store.put("other/app", '{"token": "long enough"}')
    write(Path(".env"), f"TOKEN={TOKEN}\nAPP_ENV=production\n")
    assert told(Settings) == [("token", "its value in an env file shadows store://app#/token", TAKE_OUT)]
    write(Path(".env"), f"TOKEN={TOKEN}\nAPP_ENV=development\n")
    assert told(Settings) == []
    write(Path(".env"), "TOKEN=ref+store://other/app#/token\nAPP_ENV=production\n")
    assert told(Settings) == []


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o640, 0o660])
def test_an_env_file_that_others_can_read_is_told_where_it_holds_a_secret(mounted: Path, mode: int) -> None:
    write(Path(".env"), f"TOKEN={TOKEN}\nLEVEL=debug\n", mode)
    message = f".env holds a secret and has mode {mode:04o}: others can read it"
    assert told(settings_at(mounted)) == [("token", message, "chmod 600 .env")]
    write(Path(".env"), "LEVEL=debug\n", mode)
    assert told(settings_at(mounted)) == []


def test_a_mounted_file_that_others_can_read_is_told_with_its_own_name(mounted: Path) -> None:
    path = write(mounted / "token", TOKEN, 0o644)
    write(mounted / "level", "debug", 0o644)
    message = f"{path} holds a secret and has mode 0644: others can read it"
    assert told(settings_at(mounted)) == [("token", message, f"chmod 600 {path}")]


def test_a_file_of_another_owner_may_be_read_by_a_group(mounted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is how a service is given a file of root's."""
    write(mounted / "token", TOKEN, 0o640)
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert told(settings_at(mounted)) == []
    write(mounted / "token", TOKEN, 0o644)
    assert len(told(settings_at(mounted))) == 1


def test_the_files_of_the_kubelet_are_exempt(mounted: Path) -> None:
    """It links them through ``..data``, chooses their mode, and no one else is in the container."""
    generation = mounted / "..2026_01_01"
    generation.mkdir()
    write(generation / "token", TOKEN, 0o644)
    (mounted / "..data").symlink_to(generation.name)
    (mounted / "token").symlink_to("..data/token")
    assert validate(settings_at(mounted)).token.get_secret_value() == TOKEN  # type: ignore[attr-defined]
    assert told(settings_at(mounted)) == []


def test_a_file_on_a_read_only_file_system_is_exempt(mounted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can mend its mode there: a Secrets Store driver's, a secret of Docker's."""
    write(mounted / "token", TOKEN, 0o444)
    assert len(told(settings_at(mounted))) == 1
    monkeypatch.setattr(os, "statvfs", lambda _: types.SimpleNamespace(f_flag=os.ST_RDONLY))
    assert told(settings_at(mounted)) == []


def test_an_env_file_that_shadows_a_key_of_a_bound_model_is_told(store: Store) -> None:
    class Settings(BaseSettings):
        model_config = SettingsConfigDict(env_file=".env", env_nested_delimiter="__", providers=[store])
        db: Annotated[Database, From("store://db")]

    store.put("db", '{"user": "shop", "password": "long enough"}')
    write(Path(".env"), f"DB__PASSWORD={TOKEN}\n")
    assert told(Settings) == [("db.password", "its value in an env file shadows store://db", TAKE_OUT)]


def test_a_url_with_a_password_in_a_field_that_hides_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a secret type it is as it should be, and so is a URL without a password."""

    class Settings(BaseSettings):
        url: PostgresDsn
        hidden: Secret[PostgresDsn]
        plain: AnyUrl
        mirrors: list[str]

    monkeypatch.setenv("URL", f"postgresql://shop:{TOKEN}@db/shop")
    monkeypatch.setenv("HIDDEN", f"postgresql://shop:{TOKEN}@db/shop")
    monkeypatch.setenv("PLAIN", "https://shop@example.org/?a=b")
    monkeypatch.setenv("MIRRORS", f'["https://a:{TOKEN}@example.org"]')
    message = "it is a URL with a password, and its type shows it wherever the settings are printed"
    tip = "make it a secret: Secret[PostgresDsn], say, or SecretStr"
    assert told(Settings) == [("url", message, tip), ("mirrors", message, tip)]


def test_a_plain_call_warns_of_nothing(mounted: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """It keeps pydantic's contract, in which there are no warnings."""

    class Settings(settings_at(mounted)):  # type: ignore[misc]
        url: str

    monkeypatch.setenv("URL", f"https://a:{TOKEN}@example.org")
    write(Path(".env"), f"TOKEN={TOKEN}\n", 0o644)
    Settings()
    assert caplog.records == []


def test_strict_makes_a_failure_of_each(mounted: Path) -> None:
    """`check` exits with 0, and with 78 where warnings are errors."""
    Path("shop.py").write_text(
        "from confguard import BaseSettings, SettingsConfigDict\n\n\nclass Shop(BaseSettings):\n"
        f"    model_config = SettingsConfigDict(env_file='.env', secrets_dir={str(mounted)!r})\n"
        "    url: str = ''\n    level: str = ''\n"
    )
    write(Path(".env"), "LEVEL=info\n")
    write(mounted / "level", "debug")
    url = f"http://shop:{TOKEN}@example.org"
    for variables in ({}, {"LEVEL": "x", "URL": url}):
        assert run(["check", "shop:Shop"], **variables).returncode == 0
        done = run(["check", "shop:Shop", "--strict"], **variables)
        assert (done.returncode, TOKEN in done.stdout) == (78, False)


def test_a_load_without_files_looks_at_no_file(mounted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the environment gives everything, no mode is asked for."""
    asked: list[Any] = []
    monkeypatch.setattr(os, "statvfs", asked.append)
    monkeypatch.setenv("TOKEN", TOKEN)
    assert told(settings_at(mounted)) == []
    assert asked == []


@pytest.mark.parametrize("value", ["abc", "5432", "true", " postgres "])
def test_a_secret_that_cannot_be_hidden_is_told(value: str, monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    """Wherever it came from: a source, a store, an argument. The warning names the field, and not the value."""
    monkeypatch.setenv("GIVEN", value)
    store.put("short", value)
    store.put("long", TOKEN)

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(providers=[store])
        given: SecretStr
        fetched: Annotated[SecretStr, From("store://short")]
        good: Annotated[SecretStr, From("store://long")]
        raw: SecretBytes = SecretBytes(b"")
        level: str = value

    (loaded,) = load_settings(Call((Settings,), 5, arguments={"raw": SecretBytes(value.encode())}))
    assert [(problem.field, problem.kind, problem.severity) for problem in loaded.problems] == [
        (field, "degraded", "warning") for field in ("given", "fetched", "raw")
    ]
    assert all(value not in problem.message and problem.tip for problem in loaded.problems)


def test_a_secret_that_can_be_hidden_and_parts_of_one_are_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor a default, which stands in the code, nor what is not there, nor a common text beside others."""
    monkeypatch.setenv("TOKEN", TOKEN)
    monkeypatch.setenv("KEYS", f'["true", "{TOKEN}"]')

    class Settings(BaseSettings):
        token: SecretStr
        keys: list[SecretStr]
        unset: SecretStr | None = None
        default: SecretStr = SecretStr("abc")

    assert told(Settings) == []
