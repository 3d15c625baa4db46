"""Files of a mounted directory that no field takes: told beside the missing field that they were probably meant for."""

from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr
from pydantic_settings import SecretsSettingsSource

from confguard import BaseSettings, ConfigError, SettingsConfigDict, validate


class Database(BaseModel):
    host: str = "localhost"
    password: SecretStr


class Shop(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="MISN_", env_nested_delimiter="__", secrets_dir="run")

    session_key: SecretStr
    region: str


class WithModel(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="MISN_", env_nested_delimiter="__", secrets_dir="run")

    db: Database


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def write(file: Path) -> None:
    file.write_text(token_urlsafe())
    file.chmod(0o600)


def tips(settings_class: Any) -> dict[str, str | None]:
    with pytest.raises(ConfigError) as caught:
        validate(settings_class)
    return {problem.field: problem.tip for problem in caught.value.problems}


@pytest.mark.parametrize("name", ["misn_sesion_key", "session_key", "misn-session-key", "SESSION-KEY", "misn.session.key"])
def test_a_file_that_has_nearly_the_right_name_is_told(mounted: Path, name: str) -> None:
    """A slip, no prefix, and hyphens or dots, as keys of Kubernetes have them."""
    write(mounted / name)
    assert tips(Shop) == {"session_key": f"run/{name} is there. Did you mean run/misn_session_key?", "region": None}


@pytest.mark.parametrize("name", ["session", "key", "other_key", "misn_database"])
def test_a_file_with_another_name_is_not_told(mounted: Path, name: str) -> None:
    write(mounted / name)
    assert tips(Shop) == {"session_key": None, "region": None}


def test_a_file_that_is_another_fields_is_not_told(mounted: Path) -> None:
    class Twins(Shop):
        sesion_key: SecretStr

    write(mounted / "misn_sesion_key")
    assert tips(Twins) == {"session_key": None, "region": None}


@pytest.mark.parametrize("name", ["misn_db__password", "misn_db_password", "db-password"])
def test_a_file_for_a_part_of_a_model_is_told_with_what_is_read(mounted: Path, name: str) -> None:
    write(mounted / name)
    way = "name it in MISN_DB__PASSWORD_FILE, or put the model into run/misn_db as JSON"
    assert tips(WithModel) == {"db.password": f"run/{name} is there. For a part of a model no file alone is read: {way}"}


def test_what_that_tip_says_helps(mounted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Either way that is given for a part of a model leads to settings."""
    write(mounted / "misn_db__password")
    with monkeypatch.context() as environment:
        environment.setenv("MISN_DB__PASSWORD_FILE", "run/misn_db__password")
        assert validate(WithModel).db.password.get_secret_value() == (mounted / "misn_db__password").read_text()
    (mounted / "misn_db").write_text(f'{{"password": "{token_urlsafe()}"}}')
    assert validate(WithModel).db.password.get_secret_value() in (mounted / "misn_db").read_text()


def test_a_source_with_names_of_its_own_is_left_alone(mounted: Path) -> None:
    class Own(SecretsSettingsSource):
        """Could read any file."""

    class Mine(Shop):
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: Any, init_settings: Any, env_settings: Any, dotenv_settings: Any, file_secret_settings: Any
        ) -> tuple[Any, ...]:
            return env_settings, Own(settings_cls)

    write(mounted / "session_key")
    assert tips(Mine) == {"session_key": None, "region": None}
