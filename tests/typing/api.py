"""What type checkers see of the public API. Checked by mypy and pyright, and never run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, assert_type

from hypothesis.strategies import SearchStrategy, integers
from pydantic import SecretStr

from confguard import (
    BaseSettings,
    ConfigError,
    Explained,
    FileVariable,
    From,
    FromEach,
    Origin,
    Problem,
    Required,
    SettingsConfigDict,
    When,
    explain,
    lazy,
    rule,
    validate,
)
from confguard.provider import Deadline, Failure, FailureKind, Found, Provider, Reference, fan_out, hide
from confguard.testing import assert_refuses, problems_of, strategies, valid_settings
from confguard_local import Environment, Files
from confguard_vault import AppRole, Token, Vault


class AppSettings(BaseSettings):
    """A class as users write it."""

    model_config = SettingsConfigDict(
        env_prefix="MYSERVICE_",
        providers=[Vault(address="https://127.0.0.1:8200", auth=AppRole("role", "secret")), Files(["/etc/app"]), Environment()],
        file_roots=["/run/secrets", Path("/etc/app")],
    )

    debug: bool = False
    port: int
    secret_key: Annotated[SecretStr, From("vault://secret/myservice#/secret_key")]
    old_key: Annotated[SecretStr, From("vault://a", "vault://b", when=When(port=80), on_outage="default")] = SecretStr("")
    keys: Annotated[list[SecretStr], FromEach("vault://a", "vault://b", secret=True)]
    password: Annotated[SecretStr, FileVariable("PGPASSFILE")]
    dsn: Annotated[SecretStr | None, Required(When(port={80, 443}))] = None

    @rule("debug must be off on port 80")
    def no_debug(self) -> bool:
        return not (self.debug and self.port == 80)


class OtherSettings(BaseSettings):
    """Another."""


def what_validate_gives() -> None:
    """`validate` gives the class that it was given, with the fields' own types, and no argument is missing."""
    settings = validate(AppSettings)
    assert_type(settings, AppSettings)
    assert_type(settings.port, int)
    assert_type(settings.secret_key, SecretStr)
    assert_type(settings.no_debug(), bool)
    assert_type(validate(AppSettings, timeout=2.5, only=["port"], wait=60), AppSettings)
    assert_type(validate(AppSettings, OtherSettings), tuple[AppSettings, OtherSettings])
    assert_type(validate(AppSettings, OtherSettings, AppSettings), tuple[AppSettings, OtherSettings, AppSettings])
    assert_type(validate(AppSettings, OtherSettings, AppSettings, OtherSettings), tuple[BaseSettings, ...])
    assert_type(explain(settings), tuple[Explained, ...])
    assert_type(explain(settings)[0].origin, Origin)


def what_lazy_gives() -> None:
    """A handle is typed as settings of its class, and `validate` takes it in place of the class."""
    settings = lazy(AppSettings)
    assert_type(settings, AppSettings)
    assert_type(settings.port, int)
    assert_type(settings.no_debug(), bool)
    assert_type(validate(settings), AppSettings)
    assert_type(validate(settings, timeout=2.5, only=["port"], wait=60), AppSettings)
    assert_type(validate(settings, OtherSettings), tuple[AppSettings, OtherSettings])
    assert_type(validate(OtherSettings, settings, lazy(OtherSettings)), tuple[OtherSettings, AppSettings, OtherSettings])
    assert_type(validate(settings, settings, OtherSettings, AppSettings), tuple[BaseSettings, ...])
    assert_type(explain(settings), tuple[Explained, ...])
    settings.prot = 1  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]
    settings.port = "80"  # type: ignore[assignment] # pyright: ignore[reportAttributeAccessIssue]


def what_a_call_takes() -> None:
    """A plain call needs no argument, and takes fields and pydantic-settings' own arguments."""
    assert_type(AppSettings(), AppSettings)  # pyright: ignore[reportCallIssue] - it sees fields, and not where they come from
    AppSettings(port=1, secret_key=SecretStr(""), _env_file=None)  # pyright: ignore[reportCallIssue] - as on the peer


def what_an_error_holds() -> None:
    """The problems of an error are typed, so that code need not read text."""
    try:
        validate(AppSettings)
    except ConfigError as error:
        assert_type(error.problems, tuple[Problem, ...])
        assert_type(error.problems[0].origin, Origin | None)
        assert_type(error.problems[0].looked_in, tuple[str, ...])


def wrong_use() -> None:
    """What is refused at run time is refused by the checkers too."""
    validate(int)  # type: ignore[type-var] # pyright: ignore[reportArgumentType]
    lazy(int)  # type: ignore[type-var] # pyright: ignore[reportArgumentType]
    lazy(lazy(AppSettings))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    validate(AppSettings, timeout="2")  # type: ignore[call-overload] # pyright: ignore[reportArgumentType]
    Failure("gone", "message")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    From("vault://a", on_outage="ignore")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    When(app_env=1.5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    rule("claim")(lambda self: None)  # type: ignore[arg-type, return-value] # pyright: ignore[reportArgumentType]
    From(1)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    SettingsConfigDict(provider=[])  # type: ignore[typeddict-unknown-key] # pyright: ignore[reportCallIssue]


class Memory:
    """A provider as an author writes it: no base class, three names."""

    schemes: ClassVar[frozenset[str]] = frozenset({"memory"})

    def fetch(self, refs: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Found | Failure]:
        """Fetch from nowhere."""
        hide("password")
        return fan_out(self._get, refs, deadline=deadline)

    def _get(self, ref: Reference) -> Found | Failure:
        kind: FailureKind = "missing"
        return Found(ref.path) if ref.param("version") is None else Failure(kind, f"{ref}: no")


providers: list[Provider] = [Memory(), Vault(auth=Token(file="/vault/token"))]


def what_tests_get() -> None:
    """Settings that are made for tests have their own class, and reasons of refusals are named one or several at a time."""
    assert_type(valid_settings(AppSettings), AppSettings)
    assert_type(valid_settings(AppSettings, debug=True, **{"db.port": 1}), AppSettings)
    assert_type(strategies.settings(AppSettings, port=integers(1, 9)), SearchStrategy[AppSettings])
    assert_type(problems_of(AppSettings, lazy(OtherSettings), timeout=1.0), tuple[Problem, ...])
    assert_type(problems_of(what_tests_get), tuple[Problem, ...])
    assert_type(assert_refuses(AppSettings, missing="port", denied=["secret_key"], exactly=False), tuple[Problem, ...])
