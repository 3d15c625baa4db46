"""Promise 7: confguard's base in place of pydantic-settings' loads the same, and leaves user code as it was.

That it loads the same is shown at large in tests/differential.
"""

import inspect
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

import pydantic_settings
import pytest
from pydantic_settings import CliApp, EnvSettingsSource, PydanticBaseSettingsSource

import confguard
from confguard._settings import BindingsSource
from tests.differences import shows

T = TypeVar("T")


class Recording(confguard.BaseSettings):
    """Notes what its hook returned."""

    @classmethod
    def settings_customise_sources(cls, settings_cls: Any, *args: Any, **kwargs: Any) -> Any:
        sources = super().settings_customise_sources(settings_cls, *args, **kwargs)
        init, env, dotenv, secrets = sources
        return env, init, dotenv, secrets


def sources_of(settings_class: type[pydantic_settings.BaseSettings]) -> list[str]:
    """The sources that a load of a class goes through."""
    made: Any = [object()] * 4
    return [type(source).__name__ for source in settings_class.settings_customise_sources(settings_class, *made)]


def test_super_returns_the_sources_that_it_always_did() -> None:
    """User code may unpack what super() returns into four; ours is added once, last, to what the class returns."""

    class Child(Recording):
        @classmethod
        def settings_customise_sources(cls, settings_cls: Any, *args: Any, **kwargs: Any) -> Any:
            first, *rest = super().settings_customise_sources(settings_cls, *args, **kwargs)
            return (*rest, first)

    for settings_class in (Recording, Child):
        assert sources_of(settings_class) == ["object"] * 4 + ["BindingsSource"]


def test_a_mixin_decides_the_sources() -> None:
    """A mixin that knows nothing of us, and calls no super(), is followed; ours stands behind its sources."""

    class Mixin:
        @classmethod
        def settings_customise_sources(cls, settings_cls: Any, init_settings: Any, *args: Any, **kwargs: Any) -> Any:
            return (init_settings,)

    class Settings(Mixin, confguard.BaseSettings):
        port: int = 1

    class Child(Settings):
        pass

    assert sources_of(Settings) == sources_of(Child) == ["object", "BindingsSource"]


def test_a_generic_class_keeps_our_source() -> None:
    """A parametrised class has our source like any other."""

    class Settings(confguard.BaseSettings, Generic[T]):
        port: T

    assert sources_of(Settings[int])[-1] == "BindingsSource"
    assert issubclass(BindingsSource, PydanticBaseSettingsSource)


def test_a_hook_that_is_assigned_later_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hook that tests or plugins put on the class afterwards is used, and ours is still the last."""

    class Settings(confguard.BaseSettings):
        port: int = 1

    def hook(cls: Any, settings_cls: Any, *args: Any, **kwargs: Any) -> Any:
        return (lambda: {"port": 5},)

    monkeypatch.setattr(Settings, "settings_customise_sources", classmethod(hook))
    assert Settings().port == confguard.validate(Settings).port == 5
    assert sources_of(Settings)[-1] == "BindingsSource"


def test_arguments_of_a_call_are_those_of_pydantic_settings(tmp_path: Path) -> None:
    """Init arguments and those with an underscore work as ever, and the signature says so."""

    class Settings(confguard.BaseSettings):
        self: int
        port: int

    (tmp_path / "env").write_text("PORT=7\n")
    given: Any = {"self": 1}
    assert Settings(_env_file=tmp_path / "env", **given).model_dump() == {"self": 1, "port": 7}
    assert "_env_file" in inspect.signature(confguard.BaseSettings.__init__).parameters


def test_a_command_line_is_a_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """CLI sources that pydantic-settings puts in by itself work, and are named as the origin."""

    class Settings(confguard.BaseSettings):
        port: int
        host: str = "h"

    assert CliApp.run(Settings, cli_args=["--port", "3"]).port == 3

    class Parsing(Settings):
        model_config = confguard.SettingsConfigDict(cli_parse_args=["--port", "4"])

    loaded = confguard.validate(Parsing)
    assert loaded.port == 4
    assert confguard.explain(loaded)[0].origin == confguard.Origin("CliSettingsSource", "port")


@shows("During the load a source stands behind a proxy")
def test_a_users_source_keeps_its_type_and_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """During a load a source answers to its own type; a frozen or shared one is not touched."""
    seen: list[bool] = []

    class Mine(EnvSettingsSource):
        pass

    class Settings(confguard.BaseSettings):
        port: int = 1

        @classmethod
        def settings_customise_sources(cls, settings_cls: Any, *args: Any, **kwargs: Any) -> Any:
            shared.append(Mine(settings_cls))
            return tuple(shared)

    shared: list[Mine] = []

    class After(PydanticBaseSettingsSource):
        def get_field_value(self, field: object, field_name: str) -> tuple[Any, str, bool]:
            return None, field_name, False

        def __call__(self) -> dict[str, Any]:
            seen.append("Mine" in self.settings_sources_data)
            return {}

    class Child(Settings):
        @classmethod
        def settings_customise_sources(cls, settings_cls: Any, *args: Any, **kwargs: Any) -> Any:
            return (*super().settings_customise_sources(settings_cls, *args, **kwargs), After(settings_cls))

    monkeypatch.setenv("PORT", "8")
    assert confguard.validate(Child).port == 8
    assert seen == [True]
    assert type(shared[0]) is Mine
    assert vars(shared[0]).keys() == vars(Mine(Child)).keys()


@pytest.fixture
def peer_log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG, logger="pydantic_settings"):
        yield caplog


@shows("No dump of all values in the log.")
def test_the_dump_of_all_values_is_kept_for_the_peers_own_classes(
    monkeypatch: pytest.MonkeyPatch, peer_log: pytest.LogCaptureFixture
) -> None:
    """An intended difference: PYDANTIC_SETTINGS_DEBUG logs no values of our classes, and those of others as ever."""
    monkeypatch.setenv("PYDANTIC_SETTINGS_DEBUG", "1")
    monkeypatch.setenv("PORT", "4711")

    class Ours(confguard.BaseSettings):
        port: int

    class Theirs(pydantic_settings.BaseSettings):
        port: int

    Ours()
    assert "4711" not in peer_log.text
    Theirs()
    assert ("4711" in peer_log.text) == hasattr(pydantic_settings.BaseSettings, "_settings_log_debug")


def test_exported_names_are_these() -> None:
    """The public API is one screen: nothing joins or leaves it unnoticed."""
    assert confguard.__all__ == sorted(confguard.__all__) == [
        "BaseSettings",
        "ConfigError",
        "Explained",
        "FileVariable",
        "From",
        "FromEach",
        "Origin",
        "Problem",
        "Required",
        "SettingsConfigDict",
        "When",
        "__version__",
        "explain",
        "lazy",
        "rule",
        "validate",
    ]  # fmt: skip
    assert all(hasattr(confguard, name) for name in confguard.__all__)
    assert set(confguard.__all__) <= set(dir(confguard))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        confguard.nothing  # noqa: B018 - the access is what is tested


def test_no_public_name_is_added_to_the_users_class() -> None:
    """A settings class has the public names of pydantic-settings' base and its own fields, and no other."""

    class Settings(confguard.BaseSettings):
        port: int = 1

    ours = {name for name in dir(Settings) if not name.startswith("_")}
    theirs = {name for name in dir(pydantic_settings.BaseSettings) if not name.startswith("_")}
    assert ours == theirs
