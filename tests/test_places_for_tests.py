"""The places that tests read settings from: exactly what the test says, and everything as before afterwards."""

import asyncio
import os
import secrets
import stat
import string
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr

from confguard import BaseSettings, SettingsConfigDict, validate
from confguard.testing import CleanEnvironment, dotenv, environment, mounted


class Shop(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SHOP_", env_file=".env")

    stage: str = "nowhere"
    key: SecretStr | None = None


class MountedShop(Shop):
    model_config = SettingsConfigDict(secrets_dir="run")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# The environment.


def test_the_environment_is_exactly_what_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that could configure a service is left, what a process needs is, and all of it comes back."""
    monkeypatch.setenv("SHOP_STAGE", "the developer's")
    monkeypatch.setenv("VAULT_ADDR", "https://vault.test")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    before = dict(os.environ)
    with environment({"SHOP_KEY": "given", "HOME": "/nowhere"}):
        kept = {name: before[name] for name in before if name in ("PATH", "LC_ALL") or name.startswith(("PYTHON", "PYTEST_"))}
        assert {"SHOP_KEY": "given", "HOME": "/nowhere"}.items() | kept.items() <= os.environ.items()
        assert {"SHOP_STAGE", "VAULT_ADDR", "USER", "SHELL"}.isdisjoint(os.environ)
        os.environ["SHOP_STAGE"] = "set inside"
        os.environ["SHOP_NEW"] = "left behind"
    assert dict(os.environ) == before


def test_the_environment_reaches_child_processes() -> None:
    """A program that the test starts finds the same variables, and can be started at all."""
    with environment({"SHOP_STAGE": "development"}):
        command = [sys.executable, "-c", "import os; print(os.environ['SHOP_STAGE'], 'VAULT_ADDR' in os.environ)"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == "development False\n"


def test_environments_nest() -> None:
    """The inner one is exactly what it says, and the outer one is back after it, whatever was raised."""
    with environment({"SHOP_STAGE": "outer", "SHOP_KEY": "outer"}):
        with pytest.raises(RuntimeError), environment({"SHOP_STAGE": "inner"}):
            raise RuntimeError(os.environ["SHOP_STAGE"], os.environ.get("SHOP_KEY"))
        assert (os.environ["SHOP_STAGE"], os.environ["SHOP_KEY"]) == ("outer", "outer")


def test_the_environment_decorates_functions() -> None:
    """A function and a coroutine function run in it from their beginning to their end, each time that they are called."""

    @environment({"SHOP_STAGE": "decorated"})
    def stage() -> str:
        return validate(Shop).stage

    @environment({"SHOP_STAGE": "decorated"})
    async def stage_later() -> str:
        await asyncio.sleep(0)
        return validate(Shop).stage

    assert [stage(), stage(), asyncio.run(stage_later()), validate(Shop).stage] == ["decorated"] * 3 + ["nowhere"]


@pytest.mark.parametrize(
    ("variables", "error", "message"),
    [
        ({"SHOP_STAGE": "new", "": "v"}, ValueError, "'' is no name"),
        ({"SHOP_STAGE": "new", "A=B": "v"}, ValueError, "'A=B' is no name"),
        ({"SHOP_STAGE": "new", "A": "hunter2\0"}, ValueError, "the value of A has a NUL"),
        ({"SHOP_STAGE": "new", "A": 80}, TypeError, "the value of A is of the type int"),
    ],
)
def test_an_environment_that_cannot_be_changes_nothing(variables: Any, error: type[Exception], message: str) -> None:
    """What no environment can hold is refused before anything is changed, without the value."""
    before = dict(os.environ)
    with pytest.raises(error, match=message) as caught, environment(variables):
        pass
    assert dict(os.environ) == before
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(environment({"SHOP_STAGE": "hunter2"}))


# Mounted directories.


def test_a_mount_is_laid_out_as_the_kubelet_does() -> None:
    """Each name is a link through ``..data`` into a generation, which holds files that nobody else can read."""
    with mounted({"shop_key": "value\n", "db/password": b"\xff"}) as mount:
        assert (mount.path / "shop_key").read_text() == "value\n"
        assert (mount.path / "db" / "password").read_bytes() == b"\xff"
        assert (mount.path / "shop_key").readlink() == Path("..data/shop_key")
        generation = (mount.path / "..data").resolve()
        assert (generation.parent, mode(generation)) == (mount.path, 0o700)
        assert (mode(mount.path / "shop_key"), mode(mount.path / "db" / "password")) == (0o600, 0o600)
        parent = mount.path.parent
    assert not parent.exists()


def test_a_swap_replaces_all_files_at_once() -> None:
    """After a swap the new files are there and no old one; who had the old generation open reads it to the end."""
    with mounted({"a": "old", "b": "old"}) as mount:
        before = (mount.path / "..data").resolve()
        with (mount.path / "a").open() as reader:
            mount.swap({"b": "new", "c": "new"})
            assert reader.read() == "old"
        assert {entry.name: entry.read_text() for entry in mount.path.glob("[a-z]*")} == {"b": "new", "c": "new"}
        assert (mount.path / "..data").resolve() != before
        assert not before.exists()


@pytest.mark.parametrize("name", ["", "..", "../a", "a/../b", "/a", "a//b", ".", "..data"])
def test_a_mount_refuses_what_leads_out_of_it(name: str) -> None:
    """A name that leads elsewhere, or to what the kubelet keeps there, is refused, and the files that are there stay."""
    with mounted({"a": "old"}) as mount:
        with pytest.raises(ValueError, match="is no name of a file"):
            mount.swap({"a": "new", name: "value"})
        assert (mount.path / "a").read_text() == "old"


def test_a_mount_refuses_what_is_no_content_of_a_file() -> None:
    """A number is refused by its name, its value is not shown, and the files that are there stay."""
    with mounted({"a": "old"}) as mount:
        with pytest.raises(TypeError, match=r"^the content of b is of the type int, and files hold text or bytes$"):
            mount.swap({"a": "new", "b": 5432})  # type: ignore[dict-item]
        assert {entry.name: entry.read_text() for entry in mount.path.glob("[a-z]*")} == {"a": "old"}


def test_settings_read_a_mount_and_see_its_swap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mount is made where the settings look for it, they see what it is swapped for, and it is gone afterwards."""
    monkeypatch.chdir(tmp_path)
    with mounted({"shop_key": "first-key"}, "run") as mount:
        assert validate(MountedShop).key == SecretStr("first-key")
        mount.swap({"shop_key": "second-key"})
        assert validate(MountedShop).key == SecretStr("second-key")
        with pytest.raises(FileExistsError), mounted({}, "run"):
            pass
    assert not Path("run").exists()


# Env files.

NAMES = st.text(string.ascii_uppercase + string.digits + "_.-", min_size=1, max_size=8).filter(lambda name: name[0].isalpha())
# Quotes, escapes and what python-dotenv expands, more often than chance would have them.
PIECES = st.sampled_from(
    ["\\", "'", '"', "${", "}", "$", "${A:-b}", "${A}", "#", " #", "\n", "\r", "\r\n", "\t", " ", "=", "\x0b"]
)
CHARACTERS = st.sampled_from([*string.printable, "\0", "\x85", "\u2028", "\ufeff", "ü", "秘", "\N{LOCK}"])
VALUES = st.lists(PIECES | CHARACTERS, max_size=8).map("".join)


@given(st.dictionaries(NAMES, VALUES, max_size=4))
@example({"A": "${A}", "B": "\\", "C": "'"})
@example({"A": 'a\\"', "B": "x"})
@example({"A": "$\\", "B": "$${A}", "C": "a #b", "D": " a ", "E": ""})
@example({"A": "line\r\nline\rline\n"})
def test_an_env_file_is_read_back_as_it_was(values: Mapping[str, str]) -> None:
    """Every value is read by python-dotenv, as pydantic-settings calls it, exactly as it was given."""
    with dotenv(values) as file:
        assert dotenv_values(file, encoding="utf-8") == values


def test_settings_read_an_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An env file is written where the settings look for it, private, and gone afterwards."""
    monkeypatch.chdir(tmp_path)
    key = f"{secrets.token_hex(8)} ${{HOME}} 'quoted' #"
    with dotenv({"SHOP_KEY": key, "SHOP_STAGE": "development"}, ".env") as file:
        settings = validate(Shop)
        assert (file, mode(file)) == (Path(".env"), 0o600)
        with pytest.raises(FileExistsError), dotenv({}, ".env"):
            pass
    assert (settings.stage, settings.key) == ("development", SecretStr(key))
    assert not file.exists()


def test_an_env_file_may_be_given_as_text() -> None:
    """A text is written as it stands, for a test of what a person has typed."""
    with dotenv("A='unclosed\n") as file:
        assert file.read_text() == "A='unclosed\n"
        parent = file.parent
    assert not parent.exists()


@pytest.mark.parametrize("name", ["", "A B", "A=B", "#A", "'A'", "A#"])
def test_a_name_that_no_env_file_can_hold_is_refused(name: str) -> None:
    """A name that would be read as something else is refused."""
    with pytest.raises(ValueError, match="cannot be a name in an env file"), dotenv({name: "v"}):
        pass


def test_a_value_that_no_env_file_can_hold_is_refused(tmp_path: Path) -> None:
    """A number is refused by its name, its value is not shown, and no file is made."""
    values: dict[str, str] = {"A": "1", "B": 5432}  # type: ignore[dict-item]
    refused = pytest.raises(TypeError, match=r"^the value of B is of the type int, and env files hold text alone$")
    with refused, dotenv(values, tmp_path / ".env"):
        pass
    assert not (tmp_path / ".env").exists()


# All of them.


def leave_traces(env: CleanEnvironment) -> None:
    env["SHOP_STAGE"] = "development"
    env.dotenv({"SHOP_STAGE": "not read"})
    env.mounted({"shop_key": "mounted-key"}, "run")
    Path("left.txt").touch()


def raise_within(env: CleanEnvironment) -> None:
    leave_traces(env)
    raise RuntimeError


@pytest.mark.parametrize("use", [leave_traces, raise_within])
def test_a_clean_environment_is_left_as_it_was_found(
    use: Callable[[CleanEnvironment], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables and the directory are as before, and nothing of it is left, also after an exception."""
    monkeypatch.setenv("SHOP_KEY", "the developer's")
    monkeypatch.chdir(tmp_path)
    before = dict(os.environ)
    env = CleanEnvironment()
    try:
        with env:
            use(env)
    except RuntimeError:
        pass
    assert (dict(os.environ), Path.cwd()) == (before, tmp_path)
    assert not env.path.exists()


def test_a_clean_environment_reads_nothing_of_the_developers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stray ``.env``, a variable and a mounted file beside the test are not read; what the test sets is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOP_STAGE", "the developer's")
    with dotenv({"SHOP_KEY": "the developer's"}, ".env"), CleanEnvironment() as env:
        assert (validate(Shop).stage, validate(Shop).key) == ("nowhere", None)
        assert (Path.cwd(), Path.home(), list(env.path.iterdir())) == (env.path, env.path, [])
        env["SHOP_STAGE"] = "development"
        env.mounted({"shop_key": "mounted-key"}, "run")
        assert (validate(Shop).stage, validate(MountedShop).key) == ("development", SecretStr("mounted-key"))
        env.dotenv({"SHOP_KEY": "key of a file"})
        env.dotenv({"SHOP_KEY": "key of another"})
        del env["SHOP_STAGE"]
        assert (validate(Shop).stage, validate(Shop).key) == ("nowhere", SecretStr("key of another"))
        assert "SHOP_STAGE" not in env
        assert "another" not in repr(env)
