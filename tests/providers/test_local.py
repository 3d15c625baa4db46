"""`file://` and `env://`: what they give, and what keeps a file from being read."""

import base64
import json
import os
from pathlib import Path
from secrets import token_bytes, token_urlsafe
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, SecretBytes, SecretStr

from confguard import BaseSettings, ConfigError, From, Origin, Problem, SettingsConfigDict, explain, validate
from confguard._reference import parse_reference
from confguard.provider import Deadline, Failure, Found
from confguard_local import Environment, Files
from tests.command import run


def fetched(provider: Files | Environment, reference: str) -> Found | Failure:
    parsed = parse_reference(reference)
    return provider.fetch([parsed], deadline=Deadline(10))[parsed]


def problem_of(settings_class: Any) -> Problem:
    with pytest.raises(ConfigError) as caught:
        validate(settings_class)
    (problem,) = caught.value.problems
    return problem


class TestFiles:
    @pytest.mark.parametrize("relative", [True, False])
    def test_a_field_is_bound_to_a_file(self, tmp_path: Path, relative: bool) -> None:
        """By its path, or by one below the working directory; one line ending at its end is taken off."""
        secret = token_urlsafe()
        path = Path("conf/token") if relative else tmp_path / "token"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{secret}\n\n")

        class Settings(BaseSettings):
            token: Annotated[SecretStr, From(f"file://{path}")]

        settings = validate(Settings)
        assert settings.token.get_secret_value() == f"{secret}\n"
        assert Settings().token.get_secret_value() == f"{secret}\n"
        (told,) = explain(settings)
        assert told.origin == Origin("file", str(path))

    def test_fragments_and_models_come_from_one_file(self, tmp_path: Path) -> None:
        class Database(BaseModel):
            user: str
            password: SecretStr

        secret = token_urlsafe()
        (tmp_path / "db.json").write_text(json.dumps({"user": "app", "password": secret}))

        class Settings(BaseSettings):
            db: Annotated[Database, From(f"file://{tmp_path}/db.json", secret=False)]
            password: Annotated[SecretStr, From(f"file://{tmp_path}/db.json#/password")]
            encoded: Annotated[SecretBytes, From(f"file://{tmp_path}/key?decode=base64")]

        raw = token_bytes()
        (tmp_path / "key").write_bytes(base64.b64encode(raw) + b"\n")
        settings = validate(Settings)
        assert settings.db.password == settings.password == SecretStr(secret)
        assert settings.encoded.get_secret_value() == raw

    @pytest.mark.parametrize("raw", [b"\xff\xfe\n", b"a\0b\n"])
    def test_what_is_no_text_is_given_whole(self, tmp_path: Path, raw: bytes) -> None:
        """The byte at the end of a key may be that of a line ending, and is a part of it."""
        (tmp_path / "key").write_bytes(raw)
        assert fetched(Files(), f"file://{tmp_path}/key") == Found(raw)

    @pytest.mark.parametrize("limit", [5, 6])
    def test_a_file_over_the_limit_is_malformed(self, tmp_path: Path, limit: int) -> None:
        (tmp_path / "key").write_bytes(b"abcdef")
        found = fetched(Files(limit=limit), f"file://{tmp_path}/key")
        assert found == (
            Found("abcdef") if limit == 6 else Failure("malformed", f"file {tmp_path}/key has 6 bytes, and at most 5 are read")
        )

    def test_a_file_that_is_not_there_is_missing(self, tmp_path: Path) -> None:
        """A default stands in, as for every store; an alternative is asked."""

        class Settings(BaseSettings):
            token: Annotated[SecretStr, From(f"file://{tmp_path}/no", f"file://{tmp_path}/neither")]
            other: Annotated[SecretStr, From(f"file://{tmp_path}/no")] = SecretStr("default")

        problem = problem_of(Settings)
        assert (problem.kind, problem.field) == ("missing", "token")
        assert problem.message == f"file {tmp_path}/neither is not there"
        (tmp_path / "neither").write_text("found")
        assert validate(Settings).token.get_secret_value() == "found"

    def test_what_is_no_regular_file_is_malformed(self, tmp_path: Path) -> None:
        """A FIFO does not block, and neither a device nor /proc feeds a field."""
        os.mkfifo(tmp_path / "fifo")
        files = Files()
        for path in (tmp_path / "fifo", tmp_path, Path("/dev/zero"), Path("/proc/self/environ")):
            found = fetched(files, f"file://{path}")
            assert isinstance(found, Failure)
            assert found.kind == "malformed"

    def test_a_link_does_not_lead_out_of_the_directory_of_its_reference(self, tmp_path: Path) -> None:
        """What code names is declared, and what somebody else links to it is not."""
        (tmp_path / "mine").mkdir()
        (tmp_path / "theirs").write_text("x")
        (tmp_path / "mine" / "link").symlink_to(tmp_path / "theirs")

        class Settings(BaseSettings):
            token: Annotated[SecretStr, From(f"file://{tmp_path}/mine/link")] = SecretStr("default")

        problem = problem_of(Settings)
        assert (problem.kind, problem.tip) == ("unconfigured", "bind the file itself")

    def test_declared_roots_bind_all_references(self, tmp_path: Path) -> None:
        """A file below a root is read, also by a link between roots, and no other."""
        one, two = tmp_path / "one", tmp_path / "two"
        one.mkdir()
        two.mkdir()
        (two / "real").write_text("found")
        (one / "link").symlink_to(two / "real")
        (tmp_path / "outside").write_text("x")
        files = Files(roots=[one, str(two)])
        assert fetched(files, f"file://{one}/link") == Found("found")
        outside = fetched(files, f"file://{tmp_path}/outside")
        assert isinstance(outside, Failure)
        assert outside.kind == "unconfigured"
        assert outside.tip == "name its directory in Files(roots=[…]), in providers of model_config"

    def test_a_root_is_no_prefix_of_a_name(self, tmp_path: Path) -> None:
        (tmp_path / "app").mkdir()
        (tmp_path / "application").write_text("x")
        found = fetched(Files(roots=[tmp_path / "app"]), f"file://{tmp_path}/application")
        assert isinstance(found, Failure)
        assert found.kind == "unconfigured"

    def test_no_roots_at_all_are_a_mistake(self) -> None:
        with pytest.raises(ValueError, match="name a directory"):
            Files(roots=[])

    def test_a_class_declares_roots(self, tmp_path: Path) -> None:
        (tmp_path / "token").write_text("x")

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(providers=[Files(roots=[tmp_path / "other"])])
            token: Annotated[SecretStr, From(f"file://{tmp_path}/token")]

        assert problem_of(Settings).kind == "unconfigured"

    def test_from_outside_only_what_the_class_allows_is_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        class Settings(BaseSettings):
            model_config = SettingsConfigDict(allowed_references=[f"file://{tmp_path}/mine/"])
            token: SecretStr

        (tmp_path / "mine").mkdir()
        (tmp_path / "theirs").write_text("x")
        (tmp_path / "mine" / "token").write_text("found")
        monkeypatch.setenv("TOKEN", f"ref+file://{tmp_path}/mine/token")
        assert validate(Settings).token.get_secret_value() == "found"
        for path in (f"{tmp_path}/theirs", f"{tmp_path}/mine/../theirs", f"{tmp_path}/mine/%2e%2e/theirs"):
            monkeypatch.setenv("TOKEN", f"ref+file://{path}")
            assert problem_of(Settings).kind == "unconfigured"


class TestEnvironment:
    def test_a_field_is_bound_to_a_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """By its exact name, without the prefix of the class."""
        secret = token_urlsafe()

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(env_prefix="APP_")
            password: Annotated[SecretStr, From("env://PGPASSWORD")]

        monkeypatch.setenv("pgpassword", "x")
        problem = problem_of(Settings)
        assert (problem.kind, problem.message) == ("missing", "env PGPASSWORD: it is not set")
        monkeypatch.setenv("PGPASSWORD", secret)
        settings = validate(Settings)
        assert settings.password.get_secret_value() == secret
        (told,) = explain(settings)
        assert told.origin == Origin("env", "PGPASSWORD")

    def test_a_variable_may_hold_bytes_that_are_no_text(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(os.environb, b"RAW", b"\xff\xfe")
        assert fetched(Environment(), "env://RAW") == Found(b"\xff\xfe")


def test_a_plan_counts_no_request() -> None:
    """Nothing leaves the machine."""
    Path("local_settings.py").write_text(
        "from typing import Annotated\n"
        "from pydantic import SecretStr\n"
        "from confguard import BaseSettings, From\n"
        "class App(BaseSettings):\n"
        "    a: Annotated[SecretStr, From('file:///etc/app/a')]\n"
        "    b: Annotated[SecretStr, From('env://B')]\n"
    )
    done = run(["check", "--plan", "local_settings:App"])
    assert done.returncode == 0, done.stderr
    assert "a start: at most 0 requests" in done.stdout
