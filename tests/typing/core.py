"""What type checkers see of `confguard`, `confguard.exceptions` and `confguard.cli`. Checked, and never run."""

from pathlib import Path
from typing import Annotated, Literal, NoReturn, assert_type

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
    __version__,
    explain,
    lazy,
    rule,
    validate,
)
from confguard.cli import command, main
from confguard.exceptions import ConfigError as SameError
from confguard.exceptions import ResponseBlockedError
from confguard_local import Environment, Files
from confguard_vault import AppRole, Vault


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


def what_explain_and_the_markers_hold(explained: Explained, binding: From, condition: When) -> None:
    """What is written beside a field, and what is told of it, can be read, and not changed."""
    assert_type(explained.field, str)
    assert_type(explained.value, str)
    assert_type(explained.origin.place, str | None)
    assert_type(explained.origin.shadowed, tuple[Origin, ...])
    assert_type(binding.references, tuple[str, ...])
    assert_type(binding.when, When | None)
    assert_type(binding.on_outage, Literal["error", "default"])
    assert_type(condition.holds({"port": 80}), bool)
    assert_type(Required(condition).when, When)
    assert_type(FileVariable("PGPASSFILE").name, str)
    assert_type(FromEach("vault://a").references, tuple[str, ...])
    parts: list[str] = [*__version__.split(".")]
    assert_type(Origin("env", parts[0]).source, str)
    binding.secret = False  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
    explained.value = ""  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
    explain(AppSettings)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    Required("production")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    FileVariable()  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    FromEach("vault://a", secrets=True)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


def what_the_command_is(arguments: list[str]) -> NoReturn:
    """`main` does not come back, and `command` is click's, for a program that has it as one of its own."""
    command.main(arguments, standalone_mode=False)
    assert_type(main(), NoReturn)


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
        assert_type(error.problems[0].severity, Literal["error", "warning"])
        assert_type(error.problems[0].tip, str | None)
        assert_type(error.problems[0].retry_after, float | None)
        error.problems[0].tip = None  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
        _ = error.problems[0].kind == "gone"  # type: ignore[comparison-overlap] # pyright: ignore[reportUnnecessaryComparison]
    same: type[ConfigError] = SameError
    assert_type(same([Problem("missing", "port", "it is not set", origin=Origin("env", "PORT"))]).problems, tuple[Problem, ...])
    assert_type(ResponseBlockedError("an id").incident, str)
    Problem("gone", "port", "")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    ConfigError("text")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    ResponseBlockedError()  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


def wrong_use() -> None:
    """What is refused at run time is refused by the checkers too."""
    validate(int)  # type: ignore[type-var] # pyright: ignore[reportArgumentType]
    lazy(int)  # type: ignore[type-var] # pyright: ignore[reportArgumentType]
    lazy(lazy(AppSettings))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    validate()  # type: ignore[call-overload] # pyright: ignore[reportCallIssue]
    validate(AppSettings, only="port", waiting=1)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue]
    validate(settings_class=AppSettings)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue]
    validate(AppSettings, timeout="2")  # type: ignore[call-overload] # pyright: ignore[reportArgumentType]
    From("vault://a", on_outage="ignore")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    When(app_env=1.5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    rule("claim")(lambda self: None)  # type: ignore[arg-type, return-value] # pyright: ignore[reportArgumentType]
    From(1)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    SettingsConfigDict(provider=[])  # type: ignore[typeddict-unknown-key] # pyright: ignore[reportCallIssue]
