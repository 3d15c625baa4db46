"""`confguard run`: a command in place of the process, with the settings in variables that read back as the same settings."""

import json
import os
import secrets
import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any, Literal
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AliasChoices, AliasPath, BaseModel, Field, PostgresDsn, Secret, SecretBytes, SecretStr, create_model

from confguard import BaseSettings, SettingsConfigDict
from confguard._call import Call, load_settings
from confguard._exported import Exported, exceeds, export
from tests.command import run, started

SETTINGS = """
import os
from typing import Annotated
from pydantic import BaseModel, SecretStr
from confguard import BaseSettings, From, SettingsConfigDict
from confguard.provider import Found

class Store:
    schemes = frozenset({"store"})
    def fetch(self, refs, *, deadline):
        return {ref: Found(os.environ["STORED"] * int(os.environ.get("TIMES", "1"))) for ref in refs}
    def warnings(self):
        return ("it is not checked",) if "UNCHECKED" in os.environ else ()

class Db(BaseModel):
    host: str = "localhost"
    password: SecretStr

class App(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="APP_", env_nested_delimiter="__", env_file=".env", providers=[Store()])
    port: int = 1
    key: Annotated[SecretStr, From("store://key")]
    db: Db
    none: str | None = None

class Flat(BaseSettings):
    model_config = SettingsConfigDict(env_file=".env", providers=[Store()])
    key: Annotated[SecretStr, From("store://key")]
    names: list[str] = ["a"]

class Deaf(BaseSettings):
    @classmethod
    def settings_customise_sources(cls, settings_cls, init_settings, **others):
        return (init_settings,)
"""
TELL = "import json, os, sys; json.dump(dict(os.environ), sys.stdout)"


@pytest.fixture(autouse=True)
def module(clean_environment: Path) -> None:
    """The module of a service."""
    Path("services.py").write_text(SETTINGS)


def told(*arguments: str, **variables: str) -> dict[str, str]:
    """The environment that a command gets."""
    done = run(["run", *arguments, sys.executable, "-c", TELL], **variables)
    assert (done.returncode, done.stderr) == (0, "")
    environment: dict[str, str] = json.loads(done.stdout)
    return environment


def test_a_command_gets_every_value_under_the_name_that_the_class_reads() -> None:
    """What stores, files and defaults gave stands in variables; None does not, and the rest is passed on as it was."""
    Path(".env").write_text("APP_DB__PASSWORD='a longer one'\nAPP_PORT=07\n")
    Path(".env").chmod(0o600)
    stored = secrets.token_hex()
    environment = told("services:App", STORED=stored, OTHER="x", app_db__host="h")
    names = {name: text for name, text in environment.items() if name.upper().startswith("APP_")}
    assert names == {"APP_PORT": "07", "APP_KEY": stored, "APP_DB__PASSWORD": "a longer one", "APP_DB__HOST": "h"}
    assert (environment["STORED"], environment["OTHER"]) == (stored, "x")


def test_only_what_is_asked_for_is_loaded_and_exported() -> None:
    """With --only nothing else is required or handed over; a container is written as JSON where no delimiter parts it."""
    environment = told("services:App", "--only", "key", "--only", "db.host", STORED="s" * 9, APP_DB__HOST="h")
    assert {name: text for name, text in environment.items() if name.startswith("APP_")} == {
        "APP_KEY": "s" * 9,
        "APP_DB__HOST": "h",
    }


def test_dropped_variables_are_not_passed_on() -> None:
    """--drop takes a variable away, be it passed on or exported; a name that is nearly one is told."""
    environment = told("services:Flat", "--drop", "STORED", "--drop", "NAMES", STORED="s" * 9)
    assert environment["KEY"] == "s" * 9
    assert environment.keys().isdisjoint({"STORED", "NAMES"})
    done = run(["run", "services:Flat", "--drop", "VAULT_TOKN", "true"], STORED="x" * 9, VAULT_TOKEN="x" * 9)
    assert done.returncode == 0
    assert done.stderr == "warning: --drop VAULT_TOKN: there is no such variable; did you mean VAULT_TOKEN?\n"


@pytest.mark.parametrize("dashes", [[], ["--"]], ids=["without", "with"])
def test_options_behind_the_command_are_its_own(dashes: list[str]) -> None:
    """From the command's name on nothing is ours, not even --help; ours may stand before and behind MODULE:CLASS."""
    arguments = ["run", "--timeout", "5s", "services:Flat", "--only=names", *dashes, "echo", "--help", "-x", "--", "--only"]
    done = run(arguments)
    assert (done.stdout, done.stderr) == ("--help -x -- --only\n", "")


def test_the_command_takes_the_place_of_the_process() -> None:
    """The command has the process id that confguard was started with, and gets the signals sent to it."""
    code = (
        "import os, signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); "
        "print(os.getpid(), flush=True); signal.pause()"
    )
    with started(["run", "services:Flat", "--only", "names", "--", sys.executable, "-c", code]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"{process.pid}\n"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert process.returncode == 7


def test_signals_are_handled_as_if_the_command_had_been_started_by_itself() -> None:
    """Python ignores SIGPIPE and SIGXFSZ; a command that it becomes does not."""
    done = run(["run", "services:Flat", "--only", "names", "grep", "SigIgn", "/proc/self/status"])
    ignored = int(done.stdout.split()[1], 16)
    assert not ignored & (1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1))


@pytest.mark.parametrize(("command", "code"), [("no-such-command", 127), ("./services.py", 126), (".", 126)])
def test_a_command_that_cannot_be_executed_is_told_as_a_shell_does(command: str, code: int) -> None:
    """127 where there is no such command, 126 where it cannot be executed; one line says why."""
    done = run(["run", "services:Flat", "--only", "names", "--", command])
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    assert done.stderr.startswith(f"Error: {command}: ")


def test_refused_settings_run_nothing() -> None:
    """The report goes to standard error, the exit code is that of a check, and the command is not run."""
    done = run(["run", "services:App", "--", "echo", "started"], APP_PORT="x", STORED="x" * 9)
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.splitlines()[-1] == "App: 2 errors, 0 warnings (services)"


def test_warnings_are_told_before_the_command() -> None:
    """Warnings stand on standard error, and the command runs."""
    done = run(["run", "services:Flat", "--", "echo", "started"], STORED="x" * 9, UNCHECKED="1")
    assert (done.returncode, done.stdout) == (0, "started\n")
    assert done.stderr.splitlines()[-1] == "Flat: 0 errors, 1 warning (services)"


def test_a_value_that_is_too_long_is_a_problem_before_the_command() -> None:
    """One string takes 128 KiB on Linux: a longer value is a problem of its field, and exec is not tried."""
    most = 32 * os.sysconf("SC_PAGE_SIZE") - len("KEY=") - 1
    done = run(["run", "services:Flat", "--", "sh", "-c", "echo ${#KEY}"], STORED="x", TIMES=str(most))
    assert (done.returncode, done.stdout) == (0, f"{most}\n")
    done = run(["run", "services:Flat", "--", "echo", "started"], STORED="x", TIMES=str(most + 1))
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith("key              invalid\n    KEY: is too long")


def test_more_than_the_system_takes_is_a_problem_before_the_command() -> None:
    """A command and its variables that are together over the system's limit are told, without any value."""
    limit = os.sysconf("SC_ARG_MAX")
    assert exceeds(["true"], {"A": "x" * (limit // 2)}) is None
    problem = exceeds(["true"], {"A": "x" * (limit // 2), "B": "x" * (limit // 2)})
    assert problem is not None
    assert problem.kind == "invalid"


def test_a_class_that_reads_no_variables_is_told() -> None:
    """A class without a source of variables cannot hand its settings over in them."""
    done = run(["run", "services:Deaf", "true"])
    assert done.returncode == 78
    assert "no source that reads variables" in done.stderr


def test_help_says_who_can_read_an_environment() -> None:
    """The help names the command's children, processes of the same user, and dumps."""
    text = run(["run", "--help"]).stdout
    assert all(words in text for words in ("whatever it starts", "/proc/PID/environ", "dump of a crash"))


def test_a_child_that_reads_the_same_class_gets_the_same_settings() -> None:
    """A real child that has these variables alone, and neither the env file nor the store, loads equal settings."""
    Path(".env").write_text("APP_DB__PASSWORD='#a \"b'\n")
    Path(".env").chmod(0o600)
    code = (
        "from services import App; s = App(_env_file=None); "
        "print(s.port, *(secret.get_secret_value() for secret in (s.key, s.db.password)))"
    )
    stored = secrets.token_hex()
    here = run(["run", "services:App", "--drop", "STORED", "--", sys.executable, "-c", code], STORED=stored)
    assert here.stderr == ""
    assert here.stdout == f'1 {stored} #a "b\n'


class Colour(Enum):
    RED = "red"
    BLUE = "blue sky"


class Inner(BaseModel):
    name: str
    token: SecretStr
    ports: list[int] = []
    depth: float | None = None


class Outer(BaseModel):
    inner: Inner
    flag: bool = False


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
NOT_EMPTY = TEXTS.filter(bool)
INNER = st.builds(
    Inner, name=TEXTS, token=NOT_EMPTY.map(SecretStr), ports=st.lists(st.integers()), depth=st.none() | st.floats(0, 1)
)
KINDS: Mapping[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "text": (str, TEXTS),
    "number": (int, st.integers(-(2**70), 2**70)),
    "truth": (bool, st.booleans()),
    "real": (float, st.floats(allow_nan=False)),
    "texts": (list[str], st.lists(TEXTS)),
    "many": (dict[str, int], st.dictionaries(TEXTS, st.integers())),
    "inner": (Inner, INNER),
    "outer": (Outer, st.builds(Outer, inner=INNER, flag=st.booleans())),
    "inners": (list[Inner], st.lists(INNER)),
    "colour": (Colour, st.sampled_from(Colour)),
    "word": (Literal["a", "b c"], st.sampled_from(["a", "b c"])),
    "moment": (datetime, st.datetimes(timezones=st.just(UTC))),
    "secret": (SecretStr, NOT_EMPTY.map(SecretStr)),
    "raw": (SecretBytes, NOT_EMPTY.map(lambda text: SecretBytes(text.encode()))),
    "dsn": (Secret[PostgresDsn], st.just(Secret[PostgresDsn](PostgresDsn(f"postgres://u:{secrets.token_hex(4)}@h/d")))),
    "maybe": (int | None, st.none() | st.integers()),
    "aliased": (list[int], st.lists(st.integers())),
}
DELIMITERS: list[dict[str, Any]] = [{}, {"env_nested_delimiter": "__"}, {"env_nested_delimiter": "_", "env_nested_max_split": 1}]


def class_with(fields: dict[str, Any], config: dict[str, Any]) -> type[BaseSettings]:
    base: type[BaseSettings] = type("Base", (BaseSettings,), {"model_config": config})
    return create_model("Made", __base__=base, **fields)


def exported(settings_class: type[BaseSettings], arguments: Mapping[str, object], only: frozenset[str] = frozenset()) -> Any:
    """The settings, and what is exported of them."""
    found: list[Exported] = []

    def look(load: Any, settings: Any) -> None:
        found.append(export(load, settings, ()))

    [loaded] = load_settings(Call([settings_class], 1.0, only, arguments, onlooker=look))
    assert [problem for problem in loaded.problems if problem.severity == "error"] == []
    return loaded.settings, found[0]


def read_back(settings_class: type[BaseSettings], variables: Mapping[str, str]) -> BaseSettings:
    with mock.patch.dict(os.environ, variables, clear=True):
        return settings_class()


@given(st.data(), st.sampled_from(DELIMITERS), st.booleans(), st.booleans())
def test_what_is_exported_reads_back_as_equal_settings(
    data: st.DataObject, delimiter: dict[str, Any], case_sensitive: bool, as_defaults: bool
) -> None:
    """Whatever the types, and whether a source or the class gave the values, the variables alone give equal settings."""
    names = data.draw(st.lists(st.sampled_from(sorted(KINDS)), unique=True, min_size=1))
    values = {name: data.draw(KINDS[name][1], label=name) for name in names}
    fields: dict[str, Any] = {}
    for name in names:
        options: dict[str, Any] = {"default": values[name]} if as_defaults or values[name] is None else {}
        if name == "aliased":
            options["validation_alias"] = AliasChoices("Alias", AliasPath("list", 0))
        fields[name] = KINDS[name][0], Field(**options)
    config = {"env_prefix": "App_", "case_sensitive": case_sensitive, **delimiter}
    made = class_with(fields, config)
    given = {} if as_defaults else {"Alias" if name == "aliased" else name: value for name, value in values.items()}
    with mock.patch.dict(os.environ, {}, clear=True):
        settings, written = exported(made, given)
    assert written.problems == []
    assert read_back(made, written.variables).model_dump() == settings.model_dump()
    if case_sensitive:
        assert all(name == "Alias" or name.startswith("App_") for name in written.variables)


def test_fields_that_share_a_variable_are_exported_as_it() -> None:
    """Alias paths lead into one variable, which is written whole."""

    class Settings(BaseSettings):
        first: int = Field(validation_alias=AliasPath("LIST", 0))
        second: int = Field(validation_alias=AliasPath("LIST", 1))

    with mock.patch.dict(os.environ, {"LIST": "[1, 2, 3]"}):
        settings, written = exported(Settings, {})
    assert written.variables == {"LIST": "[1, 2, 3]"}
    assert read_back(Settings, written.variables) == settings


def test_what_validators_change_is_exported_as_it_was_given() -> None:
    """A validator that is not idempotent runs once on either side: the text is that of the source, not the value made of it."""

    class Settings(BaseSettings):
        names: Any = Field(default=None)

    with mock.patch.dict(os.environ, {"NAMES": " a,b "}):
        _, written = exported(Settings, {})
    assert written.variables == {"NAMES": " a,b "}


def problems_of(settings_class: type[BaseSettings], **arguments: object) -> list[str]:
    return [f"{problem.field}: {problem.message}" for problem in exported(settings_class, arguments)[1].problems]


def test_what_no_variable_can_hold_is_a_problem() -> None:
    """A NUL byte, bytes that are no text, None where a default would take its place, and a text that would be followed."""

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(allowed_references=["vault://app/"])
        text: str = ""
        raw: SecretBytes = SecretBytes(b"d")
        number: int | None = 1

    assert problems_of(Settings, text="a\0b") == ["text: TEXT: holds a NUL byte, which no variable can"]
    assert problems_of(Settings, raw=b"\xff") == ["raw: RAW: its value, of type bytes, cannot be written as text"]
    assert problems_of(Settings, number=None)[0].startswith("number: NUMBER: is None, which no variable can say")
    assert problems_of(Settings, text="\ud800") == ["text: TEXT: holds characters that a variable cannot hold here"]


def test_what_is_exported_is_not_shown() -> None:
    """The representation of what is exported holds no value."""

    class Settings(BaseSettings):
        password: SecretStr

    canary = secrets.token_hex()
    _, written = exported(Settings, {"password": canary})
    assert canary in written.variables.values()
    assert canary not in repr(written)


@pytest.mark.parametrize(
    ("config", "names"),
    [
        ({}, {"OUTER"}),
        ({"env_nested_delimiter": "__"}, {"OUTER__INNER__NAME", "OUTER__INNER__TOKEN", "OUTER__INNER__PORTS", "OUTER__FLAG"}),
        ({"env_nested_delimiter": "_", "env_nested_max_split": 1}, {"OUTER_INNER", "OUTER_FLAG"}),
    ],
)
def test_a_model_is_taken_apart_as_far_as_variables_can_name_its_fields(config: dict[str, Any], names: set[str]) -> None:
    """Each field has a variable where the class reads one for it; else the model around it is written as JSON."""
    settings_class = class_with({"outer": (Outer, Field())}, config)
    given = {"inner": {"name": "n", "token": secrets.token_hex(), "ports": [1]}, "flag": True}
    settings, written = exported(settings_class, {"outer": given})
    assert written.variables.keys() == names
    assert read_back(settings_class, written.variables).model_dump() == settings.model_dump()
