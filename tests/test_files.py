"""Secrets in files: those that variables name, systemd's credentials, and what neither of them may be."""

import json
import logging
import os
import socket
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from secrets import token_urlsafe
from typing import Annotated, Any

import pydantic_settings
import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretBytes, SecretStr

from confguard import BaseSettings, ConfigError, FileVariable, From, Origin, Problem, SettingsConfigDict, explain, validate
from confguard._redaction import redactor
from confguard._report import render_text
from tests.command import run
from tests.differences import shows
from tests.doubles import Store
from tests.finder import places_of

Call = Callable[[Any], Any]
BOTH = pytest.mark.parametrize("call", [validate, lambda owner: owner()], ids=["validate", "plain"])


class App(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="APP_")
    token: SecretStr


class Database(BaseModel):
    model_config = ConfigDict(extra="forbid")
    host: str = "localhost"
    password: SecretStr


def problems_of(settings_class: Any, call: Call = validate) -> tuple[Problem, ...]:
    """The errors; that files of a test can be read by others is warned of too."""
    with pytest.raises(ConfigError) as caught:
        call(settings_class)
    return tuple(problem for problem in caught.value.problems if problem.severity == "error")


def origin_of(settings: Any, field: str) -> Origin:
    return next(told.origin for told in explain(settings) if told.field == field)


@pytest.fixture
def secret() -> str:
    return token_urlsafe()


@pytest.fixture
def file(tmp_path: Path, secret: str) -> Path:
    """A file with a secret."""
    path = tmp_path / "secret"
    path.write_text(secret)
    return path


class TestNamedByAVariable:
    @shows("NAME_FILE is read.")
    @BOTH
    def test_a_variable_names_the_file_of_a_secret_field(
        self, monkeypatch: pytest.MonkeyPatch, file: Path, secret: str, call: Call
    ) -> None:
        """By the field's own variable with _FILE behind it, nested ones with the delimiter, whatever an alias is called."""

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(env_prefix="APP_", env_nested_delimiter="__")
            token: SecretStr
            raw: SecretBytes
            keys: list[SecretStr]
            other: SecretStr = Field(validation_alias="OTHER_KEY")
            db: Database
            host: str = "default"

        keys = file.with_name("keys")
        keys.write_text(json.dumps([secret]))
        for name in ("APP_TOKEN_FILE", "app_raw_file", "OTHER_KEY_FILE", "APP_DB__PASSWORD_FILE", "APP_HOST_FILE"):
            monkeypatch.setenv(name, str(file))
        monkeypatch.setenv("APP_KEYS_FILE", str(keys))
        settings = call(Settings)
        values = [settings.token, settings.other, settings.db.password, *settings.keys]
        assert [value.get_secret_value() for value in values] == [secret] * 4
        assert settings.raw.get_secret_value() == secret.encode()
        assert settings.host == "default"  # it is no secret

    @BOTH
    @pytest.mark.parametrize(
        ("ending", "left"),
        [("", ""), ("\n", ""), ("\r\n", ""), ("\n\n", "\n"), ("\r", "\r"), (" \n", " "), ("\n ", "\n "), ("\n\r\n", "\n")],
    )
    def test_exactly_one_line_ending_is_taken_off(
        self, monkeypatch: pytest.MonkeyPatch, file: Path, secret: str, ending: str, left: str, call: Call
    ) -> None:
        """An LF or a CRLF at the end; everything else is a part of the secret, in a named file and in a credential."""
        file.write_bytes(f"{secret}{ending}".encode())
        monkeypatch.setenv("APP_TOKEN_FILE", str(file))
        assert call(App).token.get_secret_value() == secret + left
        monkeypatch.delenv("APP_TOKEN_FILE")
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(file.parent))
        file.rename(file.with_name("token"))
        assert call(App).token.get_secret_value() == secret + left

    @BOTH
    @pytest.mark.parametrize("place", ["init", "env", "dotenv"])
    def test_a_higher_place_keeps_the_file_from_being_read(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, secret: str, place: str, call: Call
    ) -> None:
        """Where init, the environment or an env file has the value, the file may be anything: it is not even looked at."""

        class Settings(App):
            model_config = SettingsConfigDict(env_file=".env")

        monkeypatch.setenv("APP_TOKEN_FILE", str(tmp_path / "not" / "there"))
        if place == "init":
            assert Settings(token=SecretStr(secret)).token.get_secret_value() == secret
            return
        if place == "env":
            monkeypatch.setenv("APP_TOKEN", secret)
        else:
            Path(".env").write_text(f"APP_TOKEN={secret}\n")
        assert call(Settings).token.get_secret_value() == secret

    @BOTH
    def test_a_named_file_comes_before_mounted_ones_and_stores(
        self, monkeypatch: pytest.MonkeyPatch, file: Path, secret: str, store: Store, call: Call
    ) -> None:
        """It shadows a mounted file, and no store is asked."""
        (file.parent / "app_token").write_text(token_urlsafe())

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(env_prefix="APP_", secrets_dir=file.parent, providers=[store])
            token: Annotated[SecretStr, From("store://token")] = SecretStr("")

        monkeypatch.setenv("APP_TOKEN_FILE", str(file))
        settings = call(Settings)
        assert (settings.token.get_secret_value(), store.asked) == (secret, [])
        if call is validate:
            mounted = Origin("mounted", str(file.parent / "app_token"))
            assert origin_of(settings, "token") == Origin("named", str(file), "APP_TOKEN_FILE", shadowed=(mounted,))

    @BOTH
    def test_the_place_is_behind_the_sources_that_read_variables_however_they_are_ordered(
        self, monkeypatch: pytest.MonkeyPatch, file: Path, secret: str, call: Call
    ) -> None:
        """A project that asks mounted files first keeps that; one that reads no variables reads none that names a file."""

        class MountedFirst(BaseSettings):
            model_config = SettingsConfigDict(secrets_dir=file.parent)
            token: SecretStr = SecretStr("default")

            @classmethod
            def settings_customise_sources(cls, settings_cls: Any, *_: Any, **usual: Any) -> Any:
                return usual["file_secret_settings"], usual["env_settings"]

        class NoVariables(MountedFirst):
            @classmethod
            def settings_customise_sources(cls, settings_cls: Any, *_: Any, **usual: Any) -> Any:
                return (usual["init_settings"],)

        mounted = token_urlsafe()
        (file.parent / "token").write_text(mounted)
        monkeypatch.setenv("TOKEN_FILE", str(file))
        assert call(MountedFirst).token.get_secret_value() == mounted
        assert call(NoVariables).token.get_secret_value() == "default"
        (file.parent / "token").unlink()
        assert call(MountedFirst).token.get_secret_value() == secret

    @BOTH
    def test_a_variable_that_another_field_owns_stays_its(self, monkeypatch: pytest.MonkeyPatch, file: Path, call: Call) -> None:
        """A field called x_file, and a dictionary that takes the variable as one of its keys, keep what they always got."""

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(env_nested_delimiter="__")
            token: SecretStr = SecretStr("default")
            token_file: str
            more: dict[str, str]
            key: SecretStr = Field(SecretStr("default"), validation_alias="MORE__KEY")

        monkeypatch.setenv("TOKEN_FILE", str(file))
        monkeypatch.setenv("MORE__KEY_FILE", str(file))
        settings = call(Settings)
        assert (settings.token_file, settings.more) == (str(file), {"key_file": str(file)})
        assert [settings.token.get_secret_value(), settings.key.get_secret_value()] == ["default", "default"]

    @BOTH
    def test_a_field_can_have_a_variable_of_its_own(
        self, monkeypatch: pytest.MonkeyPatch, file: Path, secret: str, call: Call
    ) -> None:
        """It takes the place of the usual name, and no prefix stands before it."""

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(env_prefix="APP_", env_nested_delimiter="__")
            password: Annotated[SecretStr, FileVariable("PGPASSFILE")] = SecretStr("default")

        monkeypatch.setenv("APP_PASSWORD_FILE", str(file))
        assert call(Settings).password.get_secret_value() == "default"
        for name in [name for name in os.environ if name.upper().endswith("_FILE")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("PGPASSFILE", str(file))
        assert call(Settings).password.get_secret_value() == secret

    def test_a_file_variable_that_cannot_be_one_is_a_mistake_in_the_class(self) -> None:
        """On a field that is no secret, twice, or with a name that no variable has."""

        class Settings(BaseSettings):
            host: Annotated[str, FileVariable("HOST_FROM")] = ""
            twice: Annotated[SecretStr, FileVariable("A"), FileVariable("B")] = SecretStr("")
            empty: Annotated[SecretStr, FileVariable("")] = SecretStr("")
            equals: Annotated[SecretStr, FileVariable("A=B")] = SecretStr("")

        told = {(problem.kind, problem.field) for problem in problems_of(Settings)}
        assert told == {("mistake", name) for name in ("host", "twice", "empty", "equals")}

    @BOTH
    def test_what_names_a_file_is_no_unknown_variable(self, file: Path, secret: str, call: Call) -> None:
        """With extra='forbid' it is not refused, in an env file or in a nested model, whether the file is needed or not."""

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(env_prefix="APP_", env_file=".env", env_nested_delimiter="__", extra="forbid")
            token: SecretStr
            db: Database
            pg: Annotated[SecretStr, FileVariable("PGPASSFILE")]

        Path("here").write_text(secret)
        names = ["APP_TOKEN_FILE", "APP_DB__PASSWORD_FILE", "PGPASSFILE"]
        Path(".env").write_text("".join(f"{name}=here\n" for name in names))
        settings = call(Settings)
        assert [one.get_secret_value() for one in (settings.token, settings.db.password, settings.pg)] == [secret] * 3
        given = f"APP_TOKEN={secret}\nAPP_DB__PASSWORD={secret}\n"
        Path(".env").write_text("".join(f"{name}=nowhere\n" for name in names) + given)
        assert {problem.field for problem in problems_of(Settings, call)} == {"pg"}

    @BOTH
    def test_a_class_that_keeps_what_no_field_takes_keeps_the_variable(self, secret: str, call: Call) -> None:
        """With extra='allow' it is there under the name that it always had."""

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(env_file=".env", extra="allow")
            token: SecretStr

        Path("here").write_text(secret)
        Path(".env").write_text("TOKEN_FILE=here\n")
        settings = call(Settings)
        assert (settings.token.get_secret_value(), settings.model_extra) == (secret, {"token_file": "here"})

    def test_an_unused_variable_that_names_a_file_is_no_typing_error(self, monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
        """The name of a file for one field is not offered as what was meant by another's."""

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(env_prefix="APP_")
            token: SecretStr
            token_fil: str

        monkeypatch.setenv("APP_TOKEN_FILE", str(file))
        (problem,) = problems_of(Settings)
        assert (problem.field, problem.tip) == ("token_fil", None)

    def test_only_wanted_files_are_read(self, monkeypatch: pytest.MonkeyPatch, file: Path, tmp_path: Path, secret: str) -> None:
        class Settings(App):
            other: SecretStr

        monkeypatch.setenv("APP_TOKEN_FILE", str(file))
        other = tmp_path / "other"
        other.write_text(token_urlsafe())
        monkeypatch.setenv("APP_OTHER_FILE", str(other))
        assert validate(Settings, only=["token"]).token.get_secret_value() == secret
        assert not redactor.holds_secret(other.read_text())
        assert redactor.holds_secret(secret)

    @BOTH
    def test_settings_within_settings_read_their_own_files(
        self, monkeypatch: pytest.MonkeyPatch, file: Path, secret: str, tmp_path: Path, call: Call
    ) -> None:
        """As they read variables of their own; a file that cannot be read is told."""

        class Outer(BaseSettings):
            app: App = Field(default_factory=App)

        monkeypatch.setenv("APP_TOKEN_FILE", str(file))
        assert call(Outer).app.token.get_secret_value() == secret
        monkeypatch.setenv("APP_TOKEN_FILE", str(tmp_path))
        assert [problem.kind for problem in problems_of(Outer, call)] == ["malformed"]

    @BOTH
    def test_settings_within_settings_that_were_fetched_for_tell_their_files_too(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, store: Store, call: Call
    ) -> None:
        """What is around them fetches for them, and their own file is still theirs to tell."""

        class Inner(BaseSettings):
            model_config = SettingsConfigDict(providers=[store])
            key: Annotated[SecretStr, From("store://key")]
            token: SecretStr = SecretStr("default")

        class Outer(BaseSettings):
            model_config = SettingsConfigDict(providers=[store])
            inner: Inner

        store.put("key", token_urlsafe())
        monkeypatch.setenv("TOKEN_FILE", str(tmp_path))
        told = problems_of(Outer, call)
        assert [(problem.kind, problem.field) for problem in told] == [("malformed", "token")]
        assert len(store.asked) == 1

    def test_an_empty_file_is_an_empty_secret(self, monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
        file.write_text("\n")
        monkeypatch.setenv("APP_TOKEN_FILE", str(file))
        (problem,) = problems_of(App)
        assert (problem.kind, problem.message, problem.origin) == (
            "invalid",
            "is empty",
            Origin("named", str(file), "APP_TOKEN_FILE"),
        )


class TestRoots:
    @pytest.mark.parametrize("where", ["beside", "below"])
    def test_an_env_file_names_files_beside_and_below_it(self, secret: str, where: str) -> None:
        class Settings(App):
            model_config = SettingsConfigDict(env_file="conf/.env")

        path = Path("conf/token") if where == "beside" else Path("conf/keys/token")
        path.parent.mkdir(parents=True)
        path.write_text(secret)
        Path("conf/.env").write_text(f"APP_TOKEN_FILE={path}\n")
        settings = validate(Settings)
        assert settings.token.get_secret_value() == secret
        assert origin_of(settings, "token") == Origin("named", str(path), "APP_TOKEN_FILE in conf/.env")

    @BOTH
    def test_an_env_file_cannot_name_other_files(self, file: Path, secret: str, call: Call) -> None:
        """Who may write files in the working directory may not have others read, unless the class says where."""

        class Settings(App):
            model_config = SettingsConfigDict(env_file=".env")

        class Rooted(Settings):
            model_config = SettingsConfigDict(file_roots=[file.parent])

        class Mounted(Settings):
            model_config = SettingsConfigDict(secrets_dir=file.parent)

        Path(".env").write_text(f"APP_TOKEN_FILE={file}\n")
        (problem,) = problems_of(Settings, call)
        assert (problem.kind, problem.field, problem.tip) == (
            "unconfigured",
            "token",
            "list its directory in file_roots of model_config",
        )
        assert [call(owner).token.get_secret_value() for owner in (Rooted, Mounted)] == [secret, secret]

    def test_roots_bind_the_environment_too(
        self, monkeypatch: pytest.MonkeyPatch, file: Path, tmp_path: Path, secret: str
    ) -> None:
        """A link from a root to outside is refused, and one between two roots is followed."""
        inside, other = tmp_path / "inside", tmp_path / "other"
        inside.mkdir()
        other.mkdir()

        class Settings(App):
            model_config = SettingsConfigDict(file_roots=[inside, other])

        monkeypatch.setenv("APP_TOKEN_FILE", str(file))
        assert [problem.kind for problem in problems_of(Settings)] == ["unconfigured"]
        (inside / "token").symlink_to(file)
        monkeypatch.setenv("APP_TOKEN_FILE", str(inside / "token"))
        assert [problem.kind for problem in problems_of(Settings)] == ["unconfigured"]
        (other / "real").write_text(secret)
        (inside / "token").unlink()
        (inside / "token").symlink_to(other / "real")
        assert validate(Settings).token.get_secret_value() == secret

    def test_the_directories_on_the_way_may_be_links(self, monkeypatch: pytest.MonkeyPatch, file: Path, secret: str) -> None:
        """As /var/run is on most systems."""
        link = file.parent.with_name("link")
        link.symlink_to(file.parent)
        monkeypatch.setenv("APP_TOKEN_FILE", str(link / file.name))
        assert validate(App).token.get_secret_value() == secret


def fifo(path: Path) -> None:
    os.mkfifo(path)


def listener(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        os.chdir(path.parent)  # a socket's path may have 108 characters
        sock.bind(path.name)


def bad_text(data: bytes) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.write_bytes(data)

    return make


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**40)


def link_to(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


BAD: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "a FIFO without writer": (fifo, "malformed", "the file is a FIFO, and no regular file"),
    "a directory": (Path.mkdir, "malformed", "the file is a directory, and no regular file"),
    "a socket": (listener, "malformed", "the file is a socket, and no regular file"),
    "a value of 5 MB": (bad_text(b"x" * 5_000_000), "malformed", "the file has 5,000,000 bytes, and at most 1,048,576 are read"),
    "a huge sparse file": (huge, "malformed", "the file has 1,099,511,627,776 bytes, and at most 1,048,576 are read"),
    "a NUL byte": (bad_text(b"abc\0def"), "malformed", "the file holds a NUL byte"),
    "no UTF-8": (bad_text(b"abc\xff\xfe"), "malformed", "the file is not valid UTF-8: invalid start byte at byte 3"),
    "a broken link": (link_to("nowhere"), "missing", "the file is a link that leads nowhere"),
    "a circle of links": (lambda path: path.symlink_to(path), "malformed", "the file is a link that leads in a circle"),
    "a link to a device": (link_to("/dev/zero"), "unconfigured", "the file leads out of {0}, where it has to lie"),
    "a link to another directory": (link_to("../elsewhere"), "unconfigured", "the file leads out of {0}, where it has to lie"),
}
NAMED_ONLY: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "nothing": (lambda _: None, "missing", "the file is not there"),
    "a byte order mark": (
        bad_text(b"\xef\xbb\xbfabc"),
        "malformed",
        "the file begins with a byte order mark, which would be part of the value",
    ),
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "elsewhere").write_text(token_urlsafe())
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


@pytest.fixture
def readable() -> Iterator[Path]:
    """A directory that every user may read, with all above it."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


class TestBadFiles:
    @BOTH
    @pytest.mark.parametrize("what", [*BAD, *NAMED_ONLY])
    def test_a_named_file_that_is_none_is_told(
        self, monkeypatch: pytest.MonkeyPatch, directory: Path, what: str, call: Call
    ) -> None:
        """With the variable and the path, at once, and no default stands in."""

        class Settings(App):
            token: SecretStr = SecretStr("default")

        make, kind, message = (BAD | NAMED_ONLY)[what]
        make(directory / "app_token")
        monkeypatch.setenv("APP_TOKEN_FILE", str(directory / "app_token"))
        (problem,) = problems_of(Settings, call)
        assert (problem.kind, problem.field, problem.message) == (kind, "token", message.format(directory))
        assert problem.origin == Origin("named", str(directory / "app_token"), "APP_TOKEN_FILE")

    @BOTH
    @pytest.mark.parametrize("what", [*BAD, "a byte order mark"])
    def test_a_credential_that_is_no_file_is_told(
        self, monkeypatch: pytest.MonkeyPatch, directory: Path, what: str, call: Call
    ) -> None:
        make, kind, message = (BAD | NAMED_ONLY)[what]
        make(directory / "app_token")
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(directory))
        (problem,) = problems_of(App, call)
        assert (problem.kind, problem.field, problem.message) == (kind, "token", message.format(directory))
        assert problem.origin == Origin("mounted", str(directory / "app_token"))

    @shows("A mounted file that is no regular file")
    @pytest.mark.parametrize("what", BAD)
    def test_a_mounted_file_that_is_none_is_told(self, directory: Path, what: str) -> None:
        """By `validate`, where pydantic-settings would warn and go on without the value."""

        class Settings(App):
            model_config = SettingsConfigDict(secrets_dir=directory)
            token: SecretStr = SecretStr("default")

        make, kind, message = BAD[what]
        make(directory / "app_token")
        (problem,) = problems_of(Settings)
        assert (problem.kind, problem.field, problem.message) == (kind, "token", message.format(directory))
        assert problem.origin == Origin("mounted", str(directory / "app_token"))

    @shows("Mounted files are read with care.")
    @pytest.mark.parametrize("what", ["a value of 5 MB", "a NUL byte", "no UTF-8"])
    def test_a_plain_call_refuses_mounted_content_that_is_no_secret(self, directory: Path, what: str) -> None:
        class Settings(App):
            model_config = SettingsConfigDict(secrets_dir=directory)
            token: SecretStr = SecretStr("default")

        BAD[what][0](directory / "app_token")
        (problem,) = problems_of(Settings, lambda owner: owner())
        assert (problem.kind, problem.message) == BAD[what][1:]

    @pytest.mark.parametrize("what", ["a FIFO without writer", "a directory", "a link to a device"])
    def test_a_plain_call_leaves_to_pydantic_settings_what_it_does_not_read(self, directory: Path, what: str) -> None:
        """It warns, as ever, and reads nothing."""

        class Settings(App):
            model_config = SettingsConfigDict(secrets_dir=directory)
            token: SecretStr = SecretStr("default")

        BAD[what][0](directory / "app_token")
        with pytest.warns(UserWarning, match="attempted to load secret file"):
            assert Settings().token.get_secret_value() == "default"

    def test_a_plain_call_never_reads_what_lies_outside_of_a_mounted_directory(self, directory: Path) -> None:
        """Newer versions of pydantic-settings warn, and do not read it; where an older one would, it is refused."""

        class Peer(pydantic_settings.BaseSettings):
            model_config = SettingsConfigDict(secrets_dir=directory)
            token: SecretStr = SecretStr("default")

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(secrets_dir=directory)
            token: SecretStr = SecretStr("default")

        BAD["a link to another directory"][0](directory / "token")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if Peer().token.get_secret_value() == "default":
                assert Settings().token.get_secret_value() == "default"
            else:
                assert [problem.kind for problem in problems_of(Settings, lambda owner: owner())] == ["unconfigured"]

    @BOTH
    @pytest.mark.parametrize("path", ["/proc/self/environ", "/proc/self/maps", "/proc/kmsg", "/dev/zero", "/dev/tty"])
    def test_neither_proc_nor_a_device_feeds_a_field(self, monkeypatch: pytest.MonkeyPatch, path: str, call: Call) -> None:
        """/proc/self/environ is a regular file by its type, and holds every other secret."""
        monkeypatch.setenv("APP_TOKEN_FILE", path)
        (problem,) = problems_of(App, call)
        assert problem.kind in {"malformed", "missing", "denied"}

    @BOTH
    def test_a_secret_in_the_place_of_a_path_is_not_shown(self, monkeypatch: pytest.MonkeyPatch, secret: str, call: Call) -> None:
        """Who puts the value where the path belongs is told of the variable alone."""
        for value in (secret, f"/{secret}", f"/a/{secret}", f"{secret}/{secret}", f"~{secret}"):
            monkeypatch.setenv("APP_TOKEN_FILE", value)
            with pytest.raises(ConfigError) as caught:
                call(App)
            (problem,) = caught.value.problems
            assert problem.message == "APP_TOKEN_FILE names a file that is not there"
            assert places_of(secret, caught.value) == []

    def test_a_variable_that_is_empty_names_no_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is a problem, unless the class passes over what is empty."""

        class Lenient(App):
            model_config = SettingsConfigDict(env_ignore_empty=True)
            token: SecretStr = SecretStr("default")

        monkeypatch.setenv("APP_TOKEN_FILE", "")
        assert [(problem.kind, problem.message) for problem in problems_of(App)] == [("malformed", "APP_TOKEN_FILE is empty")]
        assert validate(Lenient).token.get_secret_value() == "default"

    def test_what_cannot_be_read_is_told_beside_the_rest(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        class Settings(App):
            port: int
            other: SecretStr

        monkeypatch.setenv("APP_TOKEN_FILE", str(tmp_path))
        monkeypatch.setenv("APP_PORT", "many")
        told = {problem.field: problem.kind for problem in problems_of(Settings)}
        assert told == {"token": "malformed", "port": "invalid", "other": "missing"}

    @BOTH
    def test_a_mounted_file_that_is_not_needed_is_not_told(
        self, monkeypatch: pytest.MonkeyPatch, directory: Path, secret: str, call: Call
    ) -> None:
        """Whatever stands there: a variable has the value."""

        class Settings(App):
            model_config = SettingsConfigDict(secrets_dir=directory)

        (directory / "app_token").write_bytes(b"\xff")
        monkeypatch.setenv("APP_TOKEN", secret)
        assert call(Settings).token.get_secret_value() == secret

    @pytest.mark.parametrize("place", ["named", "mounted", "credentials", "dotenv"])
    def test_a_file_that_this_user_may_not_read_is_denied(self, readable: Path, place: str) -> None:
        """Seen in a process of another user, since root may read everything."""
        (readable / "app_token").write_text("APP_TOKEN=x")
        (readable / "app_token").chmod(0)
        config, variables = {
            "named": ("", {"APP_TOKEN_FILE": str(readable / "app_token")}),
            "mounted": (f"secrets_dir={str(readable)!r}", {}),
            "credentials": ("", {"CREDENTIALS_DIRECTORY": str(readable)}),
            "dotenv": (f"env_file={str(readable / 'app_token')!r}", {}),
        }[place]
        code = f"""
import os
from pydantic import SecretStr
from confguard import BaseSettings, ConfigError, SettingsConfigDict, validate
class App(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="APP_", {config})
    token: SecretStr
class Other(App):
    model_config = SettingsConfigDict(env_prefix="APP_", env_file="")
try:
    validate(Other)  # imports what it needs: another user may not be allowed to
except ConfigError:
    pass
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    validate(App)
except ConfigError as error:
    print(*(problem.kind for problem in error.problems if problem.field != "token" or problem.kind != "missing"))
"""
        done = subprocess.run(
            [sys.executable, "-c", code], env=os.environ | variables, capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == ["denied"]


class TestRaces:
    def test_a_link_that_is_swapped_in_leads_nowhere(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """While a file, a link out of its directory and a FIFO take turns in one place, nothing but the file is ever read."""
        good, outside = token_urlsafe(), (directory.parent / "elsewhere").read_text()
        os.mkfifo(directory / "fifo")
        (directory / "good").write_text(good)
        (directory / "link").symlink_to(directory.parent / "elsewhere")
        place, stop = directory / "token", threading.Event()

        def swap() -> None:
            while not stop.is_set():
                for name in ("good", "link", "fifo"):
                    os.link(directory / name, directory / "next", follow_symlinks=False)
                    (directory / "next").replace(place)

        place.write_text(good)
        monkeypatch.setenv("APP_TOKEN_FILE", str(place))
        swapper = threading.Thread(target=swap)
        swapper.start()
        seen = set()
        try:
            for _ in range(400):
                try:
                    seen.add(App().token.get_secret_value())
                except ConfigError as error:
                    seen.update(problem.kind for problem in error.problems)
        finally:
            stop.set()
            swapper.join()
        assert outside not in seen
        assert seen <= {good, "malformed", "unconfigured", "missing"}

    @pytest.mark.parametrize("what", ["FIFO", "link", "directory that is a link"])
    def test_a_swap_between_the_look_and_the_opening_is_seen(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch, secret: str, what: str
    ) -> None:
        """What is put there in the very moment is neither waited for nor followed: it is found to be what it is."""
        place, outside = directory / "inner" / "token", directory.parent / "outside"
        place.parent.mkdir()
        outside.mkdir()
        place.write_text(secret)
        (outside / "token").write_text(token_urlsafe())
        opened, target = os.open, "inner" if what.startswith("directory") else "token"

        def swap(path: Any, *arguments: Any, **options: Any) -> int:
            if path == target and "dir_fd" in options:
                monkeypatch.setattr(os, "open", opened)
                (place if target == "token" else place.parent).rename(directory / "gone")
                if what == "FIFO":
                    os.mkfifo(place)
                else:
                    (directory / "inner" / "token" if what == "link" else directory / "inner").symlink_to(
                        outside / "token" if what == "link" else outside
                    )
            return opened(path, *arguments, **options)

        class Settings(App):
            model_config = SettingsConfigDict(file_roots=[directory])

        seen: list[str] = []

        def load() -> None:
            seen.extend(problem.kind for problem in problems_of(Settings))

        monkeypatch.setenv("APP_TOKEN_FILE", str(place))
        monkeypatch.setattr(os, "open", swap)
        loader = threading.Thread(target=load)
        loader.start()
        loader.join(20)
        if loader.is_alive():  # it waits for a writer: let it go, and fail
            os.close(opened(place, os.O_WRONLY))
            loader.join()
            seen.append("blocked")
        assert seen == ["malformed" if what == "FIFO" else "unconfigured"]

    def test_a_rotation_is_never_seen_half_done(self, directory: Path) -> None:
        """While generations are swapped as kubelet swaps them, and old ones removed, both fields come from the same one."""

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(secrets_dir=directory)
            user: SecretStr
            password: SecretStr

        mount = Mount(directory, "user", "password")
        mount.rotate()
        stop = threading.Event()

        def rotate() -> None:
            while not stop.wait(0.002):
                mount.rotate()

        rotator = threading.Thread(target=rotate)
        rotator.start()
        try:
            for _ in range(100):
                settings = validate(Settings)
                assert settings.user == settings.password
                plain = Settings()
                assert plain.user == plain.password
        finally:
            stop.set()
            rotator.join()
        assert mount.rotations > 10

    def test_an_origin_names_the_declared_path(self, directory: Path) -> None:
        """Of a generation that is swapped, not the directory that will be gone."""

        class Settings(App):
            model_config = SettingsConfigDict(secrets_dir=directory)

        mount = Mount(directory, "APP_TOKEN")
        value = mount.rotate()
        (directory / "extra").write_text("x")
        settings = validate(Settings)
        assert settings.token.get_secret_value() == value
        assert origin_of(settings, "token") == Origin("mounted", str(directory / "APP_TOKEN"))

    def test_a_name_that_the_pinned_generation_does_not_have_is_missing(self, directory: Path) -> None:
        """A link that stands beside it, and leads through it, is left from another generation."""

        class Settings(App):
            model_config = SettingsConfigDict(secrets_dir=directory)

        Mount(directory, "other").rotate()
        (directory / "app_token").symlink_to("..data/app_token")
        (problem,) = problems_of(Settings)
        assert (problem.kind, problem.origin) == ("missing", None)
        (directory / "app_token").unlink()
        (directory / "app_token").write_text(token_urlsafe())
        assert validate(Settings).token.get_secret_value() == (directory / "app_token").read_text()


class Mount:
    """A directory as kubelet's atomic writer keeps it: every file is a link through ..data, which is swapped."""

    def __init__(self, directory: Path, *names: str) -> None:
        self.directory, self.names, self.rotations = directory, names, 0

    def rotate(self) -> str:
        """Write a new generation, in which all files hold the same secret, and remove the old one."""
        value = token_urlsafe()
        generation = self.directory / f"..{token_urlsafe(6)}"
        generation.mkdir()
        for name in self.names:
            (generation / name).write_text(value)
        link, old = self.directory / "..data", self.directory / "..data_tmp"
        before = link.readlink() if link.is_symlink() else None
        old.symlink_to(generation.name)
        old.replace(link)
        for name in self.names:
            if not (self.directory / name).is_symlink():
                (self.directory / name).symlink_to(f"..data/{name}")
        if before is not None:
            for file in (self.directory / before).iterdir():
                file.unlink()
            (self.directory / before).rmdir()
        self.rotations += 1
        return value


def test_a_named_file_that_others_can_read_is_warned_of(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    """By the path of the file, and not by the variable's name."""

    class Settings(App):
        port: int

    file.chmod(0o644)
    monkeypatch.setenv("APP_TOKEN_FILE", str(file))
    with pytest.raises(ConfigError) as caught:
        validate(Settings)
    (warning,) = (problem for problem in caught.value.problems if problem.severity == "warning")
    assert warning.message == f"{file} holds a secret and has mode 0644: others can read it"


class TestCredentials:
    @shows("$CREDENTIALS_DIRECTORY is read")
    @BOTH
    @pytest.mark.parametrize("name", ["APP_DB__PASSWORD", "app_db__password", "db.password"])
    def test_a_credential_is_called_as_the_variable_or_as_the_field(
        self, monkeypatch: pytest.MonkeyPatch, directory: Path, secret: str, name: str, call: Call
    ) -> None:
        class Settings(BaseSettings):
            model_config = SettingsConfigDict(env_prefix="APP_", env_nested_delimiter="__")
            db: Database
            host: str = "default"

        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(directory))
        (directory / name).write_text(f"{secret}\n")
        (directory / "host").write_text("not a secret field")
        settings = call(Settings)
        assert (settings.db.password.get_secret_value(), settings.host) == (secret, "default")
        if call is validate:
            assert origin_of(settings, "db.password") == Origin("mounted", str(directory / name))

    @BOTH
    def test_it_comes_last_of_the_files_and_before_stores(
        self, monkeypatch: pytest.MonkeyPatch, directory: Path, file: Path, secret: str, store: Store, call: Call
    ) -> None:
        class Settings(BaseSettings):
            model_config = SettingsConfigDict(secrets_dir=file.parent / "mount", providers=[store])
            token: Annotated[SecretStr, From("store://token")] = SecretStr("")

        (file.parent / "mount").mkdir()
        (directory / "token").write_text("last " + secret)
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(directory))
        assert call(Settings).token.get_secret_value() == "last " + secret
        (file.parent / "mount" / "token").write_text("second " + secret)
        assert call(Settings).token.get_secret_value() == "second " + secret
        monkeypatch.setenv("TOKEN_FILE", str(file))
        assert call(Settings).token.get_secret_value() == secret
        assert store.asked == []

    def test_names_keep_their_case_where_the_class_says_so(
        self, monkeypatch: pytest.MonkeyPatch, directory: Path, secret: str
    ) -> None:
        class Settings(BaseSettings):
            model_config = SettingsConfigDict(case_sensitive=True)
            Token: SecretStr = SecretStr("default")

        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(directory))
        (directory / "TOKEN").write_text(secret)
        assert validate(Settings).Token.get_secret_value() == "default"
        (directory / "Token").write_text(secret)
        assert validate(Settings).Token.get_secret_value() == secret

    def test_a_class_that_declares_the_directory_itself_keeps_its_rules(
        self, monkeypatch: pytest.MonkeyPatch, directory: Path
    ) -> None:
        """It is looked into once, for the names that mounted files have."""

        class Settings(App):
            model_config = SettingsConfigDict(secrets_dir=[directory])

        monkeypatch.setenv("CREDENTIALS_DIRECTORY", f"{directory}/.")
        (directory / "token").write_text(token_urlsafe())
        (problem,) = problems_of(Settings)
        assert problem.looked_in == ("env APP_TOKEN", "env APP_TOKEN_FILE", f"{directory}/app_token")

    def test_a_directory_that_is_not_there_is_told_where_a_value_is_missing(
        self, monkeypatch: pytest.MonkeyPatch, directory: Path
    ) -> None:
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(directory / "gone"))
        (problem,) = problems_of(App)
        assert problem.looked_in == (
            "env APP_TOKEN",
            "env APP_TOKEN_FILE",
            f"{directory}/gone/app_token",
            f"{directory}/gone/token",
        )


class TestTold:
    @pytest.fixture(autouse=True)
    def module(self, directory: Path, secret: str) -> None:
        Path("services.py").write_text(
            "from pydantic import SecretStr\n"
            "from confguard import BaseSettings, SettingsConfigDict\n"
            "class App(BaseSettings):\n"
            "    model_config = SettingsConfigDict(env_prefix='APP_', env_file='.env', secrets_dir='mount')\n"
            "    token: SecretStr\n"
        )
        Path("mount").mkdir()
        Path("mount/app_token").write_text(token_urlsafe())
        (directory / "token").write_text(secret)

    def chain(self, **variables: str) -> list[tuple[str, str, str]]:
        done = run(["explain", "services:App", "--why", "token", "--format", "json"], **variables)
        return [(step["place"], step["outcome"], step["reason"]) for step in json.loads(done.stdout)["why"]["token"]]

    def test_why_tells_a_named_file_and_a_credential_in_order(self, directory: Path) -> None:
        """The file that is used, what it shadows, and the credential that was not read."""
        used = f"named APP_TOKEN_FILE {directory}/token"
        assert self.chain(APP_TOKEN_FILE=f"{directory}/token", CREDENTIALS_DIRECTORY=str(directory)) == [
            ("env APP_TOKEN", "not set", ""),
            (".env", "not there", ""),
            (used, "used", ""),
            ("mounted mount/app_token", "shadowed", f"{used} comes first"),
            (f"{directory}/app_token", "not there", ""),
            (f"{directory}/token", "not asked", f"{used} has the value"),
            ("default", "none", ""),
        ]

    def test_why_tells_that_a_named_file_was_not_read(self, directory: Path, secret: str) -> None:
        """A variable that is set and was not followed is no variable that is not set."""
        chain = self.chain(APP_TOKEN=secret, APP_TOKEN_FILE=f"{directory}/token")
        assert ("env APP_TOKEN_FILE", "not asked", "env APP_TOKEN has the value") in chain

    def test_why_tells_a_named_file_in_an_env_file_and_one_that_is_wrong(self, directory: Path) -> None:
        Path(".env").write_text(f"APP_TOKEN_FILE={directory}\n")
        assert self.chain()[2:4] == [
            ("env APP_TOKEN_FILE", "not set", ""),
            (f"named APP_TOKEN_FILE in .env {directory}", "unconfigured", ""),
        ]
        assert (f"named APP_TOKEN_FILE {directory}", "malformed", "") in self.chain(APP_TOKEN_FILE=str(directory))

    def test_the_report_tells_the_variable_and_the_file(self, directory: Path) -> None:
        done = run(["check", "services:App"], APP_TOKEN_FILE=f"{directory}/tokn")
        assert done.returncode == 78
        told = f"the file is not there\n    from       named APP_TOKEN_FILE {directory}/tokn\n    tip        is it written, and"
        assert told in done.stdout + done.stderr


def test_a_file_that_is_not_there_yet_can_be_waited_for(monkeypatch: pytest.MonkeyPatch, directory: Path, secret: str) -> None:
    """As a mount can: an agent beside the service may write it later."""
    path = directory / "token"

    def write_late() -> None:
        waited.wait(30)
        (directory / "next").write_text(secret)
        (directory / "next").replace(path)

    waited = threading.Event()
    log = logging.getLogger("confguard")
    watcher = type("Watcher", (logging.Handler,), {"emit": lambda self, record: waited.set()})()
    log.addHandler(watcher)
    writer = threading.Thread(target=write_late)
    writer.start()
    monkeypatch.setenv("APP_TOKEN_FILE", str(path))
    try:
        assert validate(App, wait=30).token.get_secret_value() == secret
    finally:
        waited.set()
        log.removeHandler(watcher)
        writer.join()


class TestEnvFiles:
    @pytest.fixture
    def settings_class(self) -> Any:
        class Settings(App):
            model_config = SettingsConfigDict(env_file=("first.env", "second.env"), extra="ignore")
            port: int = 1

        return Settings

    @pytest.mark.parametrize(
        ("text", "line"),
        [
            ('APP_TOKEN="{0}\n', 1),
            ("# a comment\n\nAPP_PORT=2\nexport APP_TOKEN='{0}\n", 4),
            ('APP_PORT="2" "3"\nAPP_TOKEN={0}\n', 1),
            ('\n\n  APP_TOKEN = "{0}\r\nAPP_PORT=2\n', 3),
        ],
    )
    def test_a_quote_that_is_not_closed_is_told_with_its_line(
        self, settings_class: Any, secret: str, text: str, line: int
    ) -> None:
        """Where python-dotenv warns and goes on without the value; what it holds is not shown."""
        Path("first.env").write_bytes(text.format(secret).encode())
        Path("second.env").write_text("APP_PORT=7\n")
        with pytest.raises(ConfigError) as caught:
            validate(settings_class)
        wrong = next(problem for problem in caught.value.problems if problem.kind == "malformed")
        assert wrong.message == f"line {line} cannot be read: its quote is not closed, or something follows it"
        assert wrong.origin == Origin("dotenv", place="first.env")
        assert places_of(secret, caught.value) == []
        assert secret not in render_text(caught.value.problems)

    def test_a_line_that_assigns_nothing_is_passed_over_as_ever(self, settings_class: Any, secret: str) -> None:
        Path("first.env").write_text(f"it's only a note\nAPP_TOKEN='{secret}'\n")
        assert validate(settings_class).token.get_secret_value() == secret

    @pytest.mark.parametrize(
        ("what", "message"),
        [
            ("a FIFO without writer", "the file is a FIFO, and no regular file"),
            ("a directory", "the file is a directory, and no regular file"),
            ("a broken link", "the file is a link that leads nowhere"),
            ("a value of 5 MB", "the file has 5,000,000 bytes, and at most 1,048,576 are read"),
        ],
    )
    def test_what_is_no_env_file_is_told_and_the_others_are_read(
        self, settings_class: Any, secret: str, what: str, message: str
    ) -> None:
        BAD[what][0](Path.cwd() / "first.env")
        Path("second.env").write_text(f"APP_TOKEN={secret}\nAPP_PORT=many\n")
        told = {problem.field: problem for problem in problems_of(settings_class)}
        assert told.keys() == {"", "port"}
        assert (told[""].message, told[""].origin) == (message, Origin("dotenv", place="first.env"))

    @pytest.mark.parametrize("name", ["/dev/null", ""])
    def test_an_env_file_can_be_switched_off(self, monkeypatch: pytest.MonkeyPatch, secret: str, name: str) -> None:
        """By the null device, and by an empty name, which is no directory."""

        class Settings(App):
            model_config = SettingsConfigDict(env_file=name)

        monkeypatch.setenv("APP_TOKEN", secret)
        assert validate(Settings).token.get_secret_value() == secret

    def test_a_file_that_is_looked_for_upwards_is_looked_at_where_it_is(self, secret: str, tmp_path: Path) -> None:
        class Settings(App):
            model_config = SettingsConfigDict(env_file="up.env", env_file_depth=1)

        (tmp_path / "up.env").write_text('APP_TOKEN="x')
        assert [problem.kind for problem in problems_of(Settings) if problem.kind != "missing"] == ["malformed"]
