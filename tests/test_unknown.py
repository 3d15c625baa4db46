"""Unknown variables: what is told of a variable that no field takes, for which field it was meant, and when all is silent."""

import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, cast

import pydantic_settings
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr, create_model

from confguard import BaseSettings, ConfigError, Problem, SettingsConfigDict, validate
from confguard._call import Call, load_settings
from tests.command import run


class Database(BaseModel):
    host: str = "localhost"
    replicas: dict[str, str] = {}


class Shop(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="UNKN_", env_nested_delimiter="__", env_file=".env", extra="ignore")

    db: Database = Database()
    workers: int = 4
    redis_port: int = 6379
    token: SecretStr = SecretStr("")


def problems_of(*settings_classes: type[BaseSettings], only: frozenset[str] = frozenset()) -> list[Problem]:
    """All that is wrong, warnings of settings that load included."""
    return [problem for one in load_settings(Call(settings_classes, 5, only)) for problem in one.problems]


def told(*settings_classes: type[BaseSettings]) -> list[tuple[str, str | None]]:
    """Message and tip of what is told of unknown variables."""
    return [(problem.message, problem.tip) for problem in problems_of(*settings_classes) if problem.kind == "unknown"]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    return monkeypatch


def test_a_variable_that_is_nearly_the_name_of_a_field_at_its_default_is_told(environment: pytest.MonkeyPatch) -> None:
    """It names the variable, where it stands and the field; it is a warning, and the settings load."""
    environment.setenv("UNKN_WORKRES", "8")
    assert validate(Shop).workers == 4
    (problem,) = problems_of(Shop)
    assert (problem.severity, problem.kind, problem.message) == ("warning", "unknown", "no field takes UNKN_WORKRES")
    assert (str(problem.origin), problem.tip) == ("env UNKN_WORKRES", "did you mean UNKN_WORKERS? workers is at its default")


def test_a_field_that_has_a_value_is_not_suggested(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("UNKN_WORKRES", "8")
    environment.setenv("UNKN_WORKERS", "8")
    assert told(Shop) == [("no field takes UNKN_WORKRES", "take out what nobody reads")]


def test_variables_that_are_near_to_nothing_are_told_in_one_line(environment: pytest.MonkeyPatch) -> None:
    """There is one warning, which names ten of them and counts the others."""
    for number in range(12):
        environment.setenv(f"UNKN_LEGACY_{chr(65 + number)}", "x")
    names = ", ".join(f"UNKN_LEGACY_{letter}" for letter in "ABCDEFGHIJ")
    assert told(Shop) == [(f"no field takes {names} and 2 more", "take out what nobody reads")]


def test_a_missing_field_is_told_of_the_variable_and_the_variable_not_again(environment: pytest.MonkeyPatch) -> None:
    class Strict(BaseSettings):
        model_config = SettingsConfigDict(env_prefix="MISSNG_", env_nested_delimiter="__")
        token: SecretStr
        db: Needy

    environment.setenv("MISSNG_TOKN", "x")
    environment.setenv("MISSNG_DB_HOST", "x")
    assert [(problem.field, problem.tip) for problem in problems_of(Strict)] == [
        ("token", "MISSNG_TOKN is set. Did you mean MISSNG_TOKEN?"),
        ("db.host", "MISSNG_DB_HOST is set. Did you mean MISSNG_DB__HOST?"),
    ]


class Needy(BaseModel):
    host: str


def test_a_field_is_told_of_one_variable_and_a_variable_of_one_field(environment: pytest.MonkeyPatch) -> None:
    class Pair(BaseSettings):
        model_config = SettingsConfigDict(env_prefix="PAIRED_")
        token: str
        tokens: str = ""

    environment.setenv("PAIRED_TOKENN", "x")
    environment.setenv("PAIRED_TOEKN", "x")
    problems = problems_of(Pair)
    assert [problem.kind for problem in problems] == ["missing"]
    assert sum("Did you mean" in (problem.tip or "") for problem in problems) == 1


def test_a_slip_in_the_prefix_is_told_beside_a_missing_field_alone(environment: pytest.MonkeyPatch) -> None:
    """Beside a field at its default such a variable is somebody else's."""

    class Strict(BaseSettings):
        model_config = SettingsConfigDict(env_prefix="PREFIXED_")
        token: str
        workers: int = 1

    environment.setenv("PREFXED_TOKEN", "x")
    environment.setenv("PREFXED_WORKERS", "x")
    (problem,) = problems_of(Strict)
    assert problem.tip == "PREFXED_TOKEN is set. Did you mean PREFIXED_TOKEN?"
    environment.setenv("PREFIXED_TOKEN", "x")
    assert problems_of(Strict) == []


LINKS = {
    "SERVICE_HOST": "10.0.0.1",
    "SERVICE_PORT": "80",
    "SERVICE_PORT_HTTP_METRICS": "80",
    "PORT": "tcp://10.0.0.1:80",
    "PORT_80_TCP": "tcp://10.0.0.1:80",
    "PORT_80_TCP_PROTO": "tcp",
    "PORT_80_TCP_PORT": "80",
    "PORT_80_TCP_ADDR": "10.0.0.1",
    "PORT_53_UDP": "udp://10.0.0.1:53",
    "PORT_7_SCTP_ADDR": "10.0.0.1",
}


@pytest.mark.parametrize("service", ["UNKN_CACHE", "UNKN", "UNKN_DB", "UNKN_REDIS_MASTER"])
def test_nothing_is_told_of_what_kubernetes_sets_for_its_services(environment: pytest.MonkeyPatch, service: str) -> None:
    for name, value in LINKS.items():
        environment.setenv(f"{service}_{name}", value)
    assert problems_of(Shop) == []


@pytest.mark.parametrize("name", [name for name in LINKS if name != "PORT"])
def test_each_name_that_kubernetes_gives_is_known_alone(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.setenv(f"UNKN_CACHE_{name}", LINKS[name])
    assert problems_of(Shop) == []


def test_a_port_that_is_no_url_is_no_service_link(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("UNKN_CACHE_PORT", "6379")
    environment.setenv("UNKN_QUEUE_PORT", "tcp://10.0.0.1:80")
    assert told(Shop) == [("no field takes UNKN_CACHE_PORT", "take out what nobody reads")]


def test_a_service_link_is_suggested_for_no_field(environment: pytest.MonkeyPatch) -> None:
    """A service whose name is nearly that of a field does not make a typo; a field of such a name has one without the service."""

    class Linked(BaseSettings):
        model_config = SettingsConfigDict(env_prefix="LINKD_")
        billing_port: int = 0
        billing_service_host: str = ""

    environment.setenv("LINKD_BILLNG_PORT", "tcp://10.0.0.1:80")
    environment.setenv("LINKD_BILLNG_SERVICE_HOST", "10.0.0.1")
    assert problems_of(Linked) == []
    environment.delenv("LINKD_BILLNG_PORT")
    (problem,) = problems_of(Linked)
    assert problem.tip == "did you mean LINKD_BILLING_SERVICE_HOST? billing_service_host is at its default"


def test_a_number_that_got_a_service_link_is_told_how_to_be_rid_of_it(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("UNKN_REDIS_PORT", "tcp://10.0.0.1:6379")
    (problem,) = problems_of(Shop)
    assert (problem.kind, problem.field) == ("invalid", "redis_port")
    assert "enableServiceLinks: false" in str(problem.tip)
    environment.setenv("UNKN_REDIS_PORT", "many")
    assert problems_of(Shop)[0].tip is None


def test_without_a_prefix_nothing_is_told(environment: pytest.MonkeyPatch) -> None:
    class Bare(BaseSettings):
        workers: int = 1
        token: str

    environment.setenv("WORKRES", "2")
    environment.setenv("TOKN", "2")
    (problem,) = problems_of(Bare)
    assert (problem.field, problem.tip) == ("token", None)


def test_what_a_field_takes_in_any_other_way_is_not_unknown(environment: pytest.MonkeyPatch) -> None:
    """The file of a secret, a model as JSON, the keys of a mapping and an alias are taken."""
    environment.setenv("UNKN_TOKEN_FILE", "/dev/null")
    environment.setenv("UNKN_DB", "{}")
    environment.setenv("UNKN_DB__REPLICAS__EU__1", "x")
    assert [problem for problem in problems_of(Shop) if problem.kind == "unknown"] == []
    environment.setenv("UNKN_WORKERS_FILE", "/dev/null")
    environment.setenv("UNKN_DB__NOPE", "x")
    assert told(Shop) == [("no field takes UNKN_DB__NOPE, UNKN_WORKERS_FILE", "take out what nobody reads")]


def test_what_another_settings_class_of_the_process_takes_is_not_unknown(environment: pytest.MonkeyPatch) -> None:
    """Whether it is in the same call or not, has the same prefix or a longer one, or is pydantic-settings' own."""

    class App(BaseSettings):
        model_config = SettingsConfigDict(env_prefix="SHARED_")
        workers: int = 1
        db_host: str

    class Queue(BaseSettings):
        model_config = SettingsConfigDict(env_prefix="SHARED_DB_")
        url: str = ""

    class Foreign(pydantic_settings.BaseSettings):
        model_config = pydantic_settings.SettingsConfigDict(env_prefix="SHARED_")
        worker: int = 1

    environment.setenv("SHARED_DB_URL", "x")
    environment.setenv("SHARED_DB_NOBODY", "x")
    environment.setenv("SHARED_WORKER", "1")
    assert [problem.kind for problem in problems_of(App)] == ["missing"]
    assert told(App, Queue) == [("no field takes SHARED_DB_NOBODY", "take out what nobody reads")]
    environment.setenv("SHARED_DB_HSOT", "x")
    assert problems_of(App)[0].tip == "SHARED_DB_HSOT is set. Did you mean SHARED_DB_HOST?"
    del Foreign


def test_a_variable_is_told_once_for_all_classes_of_a_call_where_it_helps_most(environment: pytest.MonkeyPatch) -> None:
    class First(BaseSettings):
        model_config = SettingsConfigDict(env_prefix="TWICE_")
        alpha: int = 1

    class Second(BaseSettings):
        model_config = SettingsConfigDict(env_prefix="TWICE_")
        retries: int = 1

    environment.setenv("TWICE_RETRYES", "1")
    environment.setenv("TWICE_OTHER", "1")
    unknown = [(problem.settings_class.rpartition(".")[2], problem.message) for problem in problems_of(First, Second)]
    assert unknown == [("First", "no field takes TWICE_OTHER"), ("Second", "no field takes TWICE_RETRYES")]


def test_a_source_with_names_of_its_own_makes_nothing_unknown(environment: pytest.MonkeyPatch) -> None:
    class Own(pydantic_settings.EnvSettingsSource):
        def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
            return self.env_vars.get(f"own_x_{field_name}"), field_name, False

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(env_prefix="OWN_")
        workers: int

        @classmethod
        def settings_customise_sources(cls, settings_cls: Any, *_: Any, **__: Any) -> Any:
            return (Own(settings_cls),)

    environment.setenv("OWN_X_WORKERS", "3")
    assert validate(Settings).workers == 3
    assert problems_of(Settings) == []


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ("forbid", [("invalid", "no field takes UNKN_WORKRES", "did you mean UNKN_WORKERS? workers is at its default")]),
        ("ignore", [("unknown", "no field takes UNKN_WORKRES", "did you mean UNKN_WORKERS? workers is at its default")]),
        ("allow", []),
    ],
)
def test_a_variable_of_an_env_file_is_told_once(extra: Any, expected: list[tuple[str, str, str]]) -> None:
    """Where pydantic refuses it, it is an error and no warning besides; where it is taken as an extra, it is nothing."""

    class Extra(Shop):
        model_config = SettingsConfigDict(extra=extra)

    Path(".env").write_text("UNKN_WORKRES=1\n")
    assert [(problem.kind, problem.message, problem.tip) for problem in problems_of(Extra)] == expected


def test_a_misspelt_variable_of_an_env_file_is_not_to_be_taken_out(environment: pytest.MonkeyPatch) -> None:
    """Where its field is missing and pydantic refuses the variable too, both tips say what to call it."""

    class Strict(BaseSettings):
        model_config = SettingsConfigDict(env_prefix="MISSP_", env_file=".env")
        base_url: str

    Path(".env").write_text("MISSP_BASE_ULR=x\n")
    assert [(problem.kind, problem.tip) for problem in problems_of(Strict)] == [
        ("missing", "MISSP_BASE_ULR is set. Did you mean MISSP_BASE_URL?"),
        ("invalid", "did you mean MISSP_BASE_URL? base_url is missing"),
    ]


def test_a_line_of_an_env_file_that_looks_like_no_variable_is_not_named(environment: pytest.MonkeyPatch) -> None:
    """A line of a key that stands without quotes may begin with the prefix and have an equals sign."""
    Path(".env").write_text("UNKN_aGVsbG8gd29ybGQ=\nUNKN_OTHER=x\n")
    assert told(Shop) == [("no field takes UNKN_OTHER", "take out what nobody reads")]


def test_a_key_that_a_model_refuses_is_told_once(environment: pytest.MonkeyPatch) -> None:
    """The model is named, and nothing is told of the variable besides."""

    class Strict(BaseModel, extra="forbid"):
        host: str = ""

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(env_prefix="FORBD_", env_nested_delimiter="__")
        db: Strict = Strict()

    environment.setenv("FORBD_DB__OTHER", "x")
    assert [(problem.kind, problem.field) for problem in problems_of(Settings)] == [("invalid", "db")]


def test_a_wrong_case_is_found_where_case_counts(environment: pytest.MonkeyPatch) -> None:
    class Cased(BaseSettings):
        model_config = SettingsConfigDict(env_prefix="CASED_", case_sensitive=True)
        token: str
        workers: int = 1

    environment.setenv("cased_token", "x")
    environment.setenv("CASED_WORKERS", "x")
    assert [problem.tip for problem in problems_of(Cased)] == [
        "cased_token is set. Did you mean CASED_token?",
        "did you mean CASED_workers? workers is at its default",
    ]


def test_with_only_some_fields_wanted_no_other_variable_is_told(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("UNKN_OTHER", "x")
    environment.setenv("UNKN_WORKRES", "x")
    assert problems_of(Shop, only=frozenset({"workers"})) == []


def test_a_warning_is_logged_with_its_tip(environment: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    environment.setenv("UNKN_WORKRES", "8")
    validate(Shop)
    (record,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert record.name == "confguard"
    tip = "did you mean UNKN_WORKERS? workers is at its default"
    assert record.getMessage() == f"tests.test_unknown:Shop: no field takes UNKN_WORKRES; {tip}"


def test_strict_makes_a_failure_of_it() -> None:
    """`check` exits with 0, and with 78 where warnings are errors."""
    Path("shop.py").write_text(
        "from confguard import BaseSettings, SettingsConfigDict\n\n\nclass Shop(BaseSettings):\n"
        "    model_config = SettingsConfigDict(env_prefix='SHOP_')\n    workers: int = 4\n"
    )
    done = run(["check", "shop:Shop"], SHOP_WORKRES="8")
    assert (done.returncode, "did you mean SHOP_WORKERS?" in done.stdout) == (0, True)
    assert run(["check", "shop:Shop", "--strict"], SHOP_WORKRES="8").returncode == 78


NUMBERS = count()
LETTERS = str.maketrans("0123456789", "BCDFGHJKLM")
WORDS = st.from_regex(r"[a-z]{3,8}", fullmatch=True)
NAMES = st.lists(WORDS, min_size=1, max_size=3).map("_".join)


def slips(name: str) -> Iterator[str]:
    """Every name that is one slip from a name: two letters swapped, one dropped, one doubled."""
    for at in range(len(name)):
        yield name[:at] + name[at + 1 :]
        yield name[:at] + name[at] + name[at:]
        yield name[:at] + name[at : at + 2][::-1] + name[at + 2 :]


def missing_tips(name: str, variable: str, *, delimiter: str | None = None, case_sensitive: bool = False) -> list[str | None]:
    """The tips of a class with a required field, in the model ``db`` where there is a delimiter, and of one variable.

    Each class has a prefix of its own, since those made before may be alive and take a variable; it is ``HYPO_`` in the tips.
    """
    mark = "ZQXJ" + str(next(NUMBERS)).translate(LETTERS)
    variable = variable.replace("_", f"{mark}_", 1)
    config = SettingsConfigDict(env_prefix=f"HYPO{mark}_", env_nested_delimiter=delimiter, case_sensitive=case_sensitive)
    parent: Any = type("Parent", (BaseSettings,), {"model_config": config, "__module__": __name__})
    text: dict[str, Any] = {name: (str, ...)}
    fields: dict[str, Any] = {"db": (create_model("Inner", **text), ...)} if delimiter else text
    made: Any = create_model("Settings", __base__=parent, **fields)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(variable, "x")
        with pytest.raises(ConfigError) as caught:
            validate(cast("type[BaseSettings]", made))
    return [problem.tip and problem.tip.replace(mark, "") for problem in caught.value.problems]


@settings(max_examples=40, deadline=None)
@given(st.data(), NAMES)
def test_every_name_that_is_one_slip_off_is_found(data: st.DataObject, name: str) -> None:
    """A letter swapped, dropped or doubled, in the name or in the prefix, is told beside the missing field, once."""
    variable = data.draw(st.sampled_from([f"HYPO_{slip}" for slip in slips(name)] + ["HPO_" + name, "YHPO_" + name])).upper()
    assume(variable != f"HYPO_{name}".upper())
    assert missing_tips(name, variable) == [f"{variable} is set. Did you mean HYPO_{name.upper()}?"]


@settings(max_examples=20, deadline=None)
@given(NAMES)
def test_one_underscore_for_two_is_found(name: str) -> None:
    variable = f"HYPO_DB_{name.upper()}"
    assert missing_tips(name, variable, delimiter="__") == [f"{variable} is set. Did you mean HYPO_DB__{name.upper()}?"]


@settings(max_examples=20, deadline=None)
@given(NAMES, st.sampled_from([str.upper, str.title, str.swapcase]))
def test_another_case_is_found_where_case_counts(name: str, change: Any) -> None:
    variable = f"HYPO_{change(name)}"
    assert missing_tips(name, variable, case_sensitive=True) == [f"{variable} is set. Did you mean HYPO_{name}?"]


@settings(max_examples=40, deadline=None)
@given(NAMES, NAMES)
@example("redis_host", "redis_port")
@example("api_key", "app_key")
@example("primary", "replica")
def test_another_name_is_not_taken_for_a_slip(name: str, other: str) -> None:
    """A variable whose letters are others says nothing of a missing field: it is told alone."""
    assume(len(set(name) ^ set(other)) > 2 or (name, other) == ("api_key", "app_key"))
    tips = missing_tips(name, f"HYPO_{other.upper()}")
    assert tips == [None, "take out what nobody reads"]


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("db_1", "db_2"),
        ("replica_10", "replica_1"),
        ("v2_url", "v_url"),
        ("to", "ot"),
        ("id", "ip"),
        ("host", "ghost"),
        ("host_port", "hsot_prot"),
    ],
)
def test_digits_and_short_names_tell_names_apart(name: str, other: str) -> None:
    assert missing_tips(name, f"HYPO_{other.upper()}") == [None, "take out what nobody reads"]


def test_one_underscore_for_two_is_found_at_every_level(environment: pytest.MonkeyPatch) -> None:
    class Inner(BaseModel):
        db: Needy

    class Deep(BaseSettings):
        model_config = SettingsConfigDict(env_prefix="DEEPER_", env_nested_delimiter="__")
        main: Inner

    environment.setenv("DEEPER_MAIN_DB_HOST", "x")
    (problem,) = problems_of(Deep)
    assert problem.tip == "DEEPER_MAIN_DB_HOST is set. Did you mean DEEPER_MAIN__DB__HOST?"


def test_two_words_may_have_a_slip_each() -> None:
    assert re.fullmatch(r".* Did you mean HYPO_SECRET_TOKEN\?", str(missing_tips("secret_token", "HYPO_SECERT_TOKN")[0]))
