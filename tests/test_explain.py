"""`confguard explain`: every field with its value and origin, and why each place was passed over."""

import json
import secrets
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from tests.command import on_terminal, run

SCHEMA = json.loads((Path(__file__).parent.parent / "docs" / "report.schema.json").read_text())

SETTINGS = """
import os
from typing import Annotated, Literal
from pydantic import BaseModel, Field, SecretStr
from confguard import BaseSettings, From, FromEach, Required, SettingsConfigDict, When
from confguard.provider import Failure, Found

class Store:
    schemes = frozenset({"store"})
    def fetch(self, refs, *, deadline):
        return {ref: self.answer(ref) for ref in refs}
    def answer(self, ref):
        name = ref.path.partition("/")[0]
        if name in ("missing", "denied", "unavailable"):
            return Failure(name, f"store {ref.path}: {name}")
        return Found(os.environ["STORED"], version="3")

class Config(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="APP_", env_file=(".env", "local.env"), secrets_dir="mount", env_nested_delimiter="__", providers=[Store()]
    )

class Db(BaseModel):
    host: str = "localhost"
    password: SecretStr

class App(Config):
    port: int = 1
    key: Annotated[SecretStr, From("store://missing/a", "store://b", "store://c")]

class Bound(Config):
    app_env: Literal["dev", "production"] = Field(validation_alias="APP_ENV")
    dsn: Annotated[SecretStr | None, From("store://{app_env}/d", when=When(app_env="production"))] = None
    keys: Annotated[list[SecretStr], FromEach("store://b", "store://c")]

class Broken(Config):
    port: int
    host: str
    key: Annotated[SecretStr, From("store://denied/a", "store://b")]
    late: Annotated[SecretStr, From("store://unavailable/a")] = SecretStr("d")
    sentry: Annotated[SecretStr | None, Required(When(host="x"))] = None

class Outside(Config):
    model_config = SettingsConfigDict(allowed_references=["store://"])
    token: SecretStr = SecretStr("d")

class Halved(Config):
    db: Db

class Filled(Config):
    db: Annotated[Db, From("store://db")]

class Lists(Config):
    names: list[str] = []
"""


@pytest.fixture(autouse=True)
def module(clean_environment: Path) -> None:
    """The module of a service."""
    Path("services.py").write_text(SETTINGS)


def chains(name: str, *fields: str, **variables: str) -> dict[str, list[tuple[str, str, str]]]:
    """Place, outcome and reason of each step of the fields."""
    why = [word for field in fields for word in ("--why", field)]
    done = run(["explain", f"services:{name}", *why, "--format", "json"], **variables)
    report = json.loads(done.stdout)
    Draft202012Validator(SCHEMA).validate(report)
    assert report["exit_code"] == done.returncode
    found: dict[str, list[dict[str, Any]]] = report["why"]
    return {path: [(step["place"], step["outcome"], step["reason"]) for step in steps] for path, steps in found.items()}


def test_every_field_is_shown_with_its_value_and_origin() -> None:
    """The table has each field in order, what it shadowed, versions of stores, and no secret."""
    Path(".env").write_text("APP_PORT=2\n")
    stored = secrets.token_hex()
    done = run(["explain", "services:App"], APP_PORT="3", STORED=stored)
    assert done.stdout.splitlines() == [
        "field  value       from",
        "port   3           env APP_PORT",
        "                   over dotenv .env APP_PORT",
        "key    **********  store b (version 3)",
    ]
    assert (done.returncode, done.stderr) == (0, "")
    assert stored not in done.stdout


def test_a_table_keeps_within_80_columns_unless_a_name_is_longer() -> None:
    """Long values are cut, long field names stand on a line of their own, and long origins are broken at blanks alone."""
    name, folder = "a_name_" * 8 + "x", "a_folder_" * 6
    Path("long.py").write_text(
        "from confguard import BaseSettings, SettingsConfigDict\nclass Long(BaseSettings):\n"
        f"    model_config = SettingsConfigDict(env_file='{folder}/.env')\n    {name}: str = '{'v' * 100}'\n    short: str\n"
    )
    Path(folder).mkdir()
    Path(folder, ".env").write_text("SHORT=\x1b[2Jcut\n")
    lines = run(["explain", "long:Long"]).stdout.splitlines()
    assert lines[1] == name
    assert lines[2].split() == ["v" * 23 + "…", "default"]
    assert f"{folder}/.env" in "\n".join(lines)
    assert all(len(line) <= 80 or folder in line for line in lines)
    assert "\x1b" not in "".join(lines)


def test_refused_settings_are_shown_as_far_as_they_go() -> None:
    """Fields with a valid value show it, the others the kind of their problem; then the report, and the exit code of a check."""
    done = run(["explain", "services:Broken"], APP_PORT="many", APP_HOST="h", STORED=secrets.token_hex())
    assert done.stdout.splitlines()[:6] == [
        "field   value          from",
        "port    (invalid)      env APP_PORT",
        "host    h              env APP_HOST",
        "key     (denied)       -",
        "late    (unavailable)  -",
        "sentry  None           default",
    ]
    assert done.stdout.splitlines()[-1] == "Broken: 3 errors, 0 warnings (services)"
    assert done.returncode == 78


def test_the_json_follows_the_published_schema() -> None:
    """The JSON is the report, with every field, its value, origin, what it shadowed and the kind of its problem."""
    Path(".env").write_text("APP_PORT=2\n")
    done = run(["explain", "services:Broken", "--format", "json"], APP_PORT="3", APP_HOST="h", STORED="x" * 9)
    report = json.loads(done.stdout)
    Draft202012Validator(SCHEMA).validate(report)
    assert report["fields"][0] == {
        "field": "port",
        "value": "3",
        "problem": None,
        "origin": {"source": "env", "name": "APP_PORT", "place": None, "version": None},
        "shadowed": [{"source": "dotenv", "name": "APP_PORT", "place": ".env", "version": None}],
    }
    assert [(field["value"], field["problem"]) for field in report["fields"][2:4]] == [(None, "denied"), (None, "unavailable")]


def test_why_a_local_value_is_used() -> None:
    """The places stand in order of precedence: passed over, used, shadowed, and not asked."""
    Path("local.env").write_text("APP_PORT=2\nAPP_KEY=a secret\n")
    Path("mount").mkdir()
    Path("mount/app_port").write_text("1")
    assert chains("App", "port", "key", STORED="x") == {
        "port": [
            ("env APP_PORT", "not set", ""),
            ("dotenv local.env APP_PORT", "used", ""),
            (".env", "not asked", "dotenv local.env APP_PORT has the value"),
            ("mounted mount/app_port", "shadowed", "dotenv local.env APP_PORT comes first"),
            ("default", "shadowed", "dotenv local.env APP_PORT comes first"),
        ],
        "key": [
            ("env APP_KEY", "not set", ""),
            ("dotenv local.env APP_KEY", "used", ""),
            (".env", "not asked", "dotenv local.env APP_KEY has the value"),
            ("env APP_KEY_FILE", "not set", ""),
            ("mount/app_key", "not there", ""),
            ("store missing/a", "not asked", "dotenv local.env APP_KEY has the value"),
            ("store b", "not asked", "dotenv local.env APP_KEY has the value"),
            ("store c", "not asked", "dotenv local.env APP_KEY has the value"),
            ("default", "none", ""),
        ],
    }


def test_why_an_alternative_is_used() -> None:
    """Of alternatives the one that is missing, the one that has the value, and the one that was not needed are told apart."""
    assert chains("App", "key", STORED="x" * 9)["key"][3:] == [
        ("env APP_KEY_FILE", "not set", ""),
        ("mount", "not there", ""),
        ("store missing/a", "missing", ""),
        ("store b", "used", ""),
        ("store c", "not asked", "the one before it is found"),
        ("default", "none", ""),
    ]


def test_why_a_field_has_no_value() -> None:
    """A store that denies, and a default that does not stand in for that, are told; a later alternative was not asked."""
    told = chains("Broken", "key", "late", "sentry", "port", STORED="x" * 9, APP_HOST="x")
    assert told["key"][-3:] == [
        ("store denied/a", "denied", ""),
        ("store b", "not asked", "the one before it is denied"),
        ("default", "none", ""),
    ]
    assert told["late"][-2:] == [
        ("store unavailable/a", "unavailable", ""),
        ("default", "not used", "it stands in only for what is missing"),
    ]
    assert told["sentry"][-1] == ("default", "not used", "it is required when host is x")
    assert told["port"][-1] == ("default", "none", "")


def test_why_a_field_is_not_bound() -> None:
    """A condition that does not hold, and one that cannot be known, are told; a list is used from all its references."""
    told = chains("Bound", "dsn", "keys", APP_ENV="dev", STORED="x" * 9)
    assert told["dsn"][-2:] == [
        ("store {app_env}/d", "not bound", "it is only bound when app_env is production"),
        ("default", "used", ""),
    ]
    assert [outcome for _, outcome, _ in told["keys"]][-3:] == ["used", "used", "none"]
    unknown = chains("Bound", "dsn", APP_ENV="else", STORED="x" * 9)["dsn"]
    assert unknown[-2] == ("store {app_env}/d", "not asked", "app_env is not known")


def test_why_a_reference_from_outside_is_followed() -> None:
    """A variable that holds a reference is told as one, and what the reference leads to as what is used."""
    told = chains("Outside", "token", APP_TOKEN="ref+store://b", STORED="x" * 9)["token"]
    assert told[:2] == [("env APP_TOKEN", "reference", ""), ("store b", "used", "")]
    assert told[-1] == ("default", "shadowed", "env APP_TOKEN comes first")
    failed = chains("Outside", "token", APP_TOKEN="ref+store://denied/b")["token"]
    assert failed[:2] == [("env APP_TOKEN", "reference", ""), ("store denied/b", "denied", "")]
    assert "used" not in [outcome for _, outcome, _ in failed]


def test_why_a_field_of_a_model_is_filled() -> None:
    """A model that is bound as a whole fills the fields that no source has; a key that its object lacks is missing there."""
    told = chains("Filled", "db", STORED=json.dumps({"password": secrets.token_hex()}))
    assert told["db.password"][-2:] == [("store db", "used", ""), ("default", "none", "")]
    assert told["db.host"][-2:] == [("store db", "missing", "the object there has no such key"), ("default", "used", "")]


def test_why_a_file_that_cannot_be_read_is_not_used() -> None:
    """A mounted file that cannot be decoded is told as malformed, by its path, and no default stands in for it."""
    Path("mount").mkdir()
    Path("mount/app_names").write_bytes(b"\xff")
    told = chains("Lists", "names")["names"]
    assert told[-2:] == [
        ("mounted mount/app_names", "malformed", ""),
        ("default", "not used", "it stands in only for what is missing"),
    ]


def test_why_says_of_a_value_that_is_refused_that_it_is() -> None:
    """A variable whose value is refused is the one that counts, and is marked with the kind of its problem."""
    lines = run(["explain", "services:Lists", "--why", "names"], APP_NAMES="[broken").stdout.splitlines()
    assert lines[1].strip().partition("  ")[0] == "env APP_NAMES"
    assert lines[1].endswith("  found  <- this one, malformed")


def test_why_is_told_to_people_too() -> None:
    """As text the places stand in a column, and the one that is used is marked."""
    done = run(["explain", "services:App", "--why", "key"], STORED=secrets.token_hex())
    assert done.stdout.splitlines() == [
        "key",
        "    env APP_KEY       not set",
        "    local.env         not there",
        "    .env              not there",
        "    env APP_KEY_FILE  not set",
        "    mount             not there",
        "    store missing/a   missing",
        "    store b           found, version 3  <- this one",
        "    store c           not asked, since the one before it is found",
        "    default           none",
    ]


def test_an_unknown_field_is_wrong_use() -> None:
    """--why of a field that the class does not have exits with 64 and suggests one that it has."""
    done = run(["explain", "services:App", "--why", "prot"])
    assert (done.returncode, done.stdout) == (64, "")
    assert "there is no field 'prot'; did you mean 'port'?" in done.stderr


def test_the_heads_are_bold_on_a_terminal_alone() -> None:
    """The table's first line stands out on a terminal, unless NO_COLOR asks for none."""
    assert "\x1b[1mfield" in on_terminal(["explain", "services:App"], "stdout", STORED="x" * 9)
    assert "\x1b" not in on_terminal(["explain", "services:App"], "stdout", STORED="x" * 9, NO_COLOR="1")


def test_what_stands_beside_a_missing_field_of_a_model_is_not_called_invalid() -> None:
    """The model cannot be made, so the values in it are not known; nothing is wrong with them."""
    done = run(["explain", "services:Halved"], APP_DB__HOST="h")
    assert done.stdout.splitlines()[1:3] == ["db.host      (not known)  env APP_DB__HOST", "db.password  (missing)    -"]
