"""Mistakes in a settings class: all are found without a network and without an environment."""

from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, SecretStr

from confguard import BaseSettings, ConfigError, From, FromEach, Required, SettingsConfigDict, When, validate
from tests.doubles import Store


class Other(Store):
    """Another provider of the same scheme."""


class Stage(Enum):
    DEV = "dev"
    PROD = "prod"


class Inner(BaseModel):
    region: str
    optional: str = "eu"


class Base(BaseSettings):
    app_env: Literal["dev", "prod"]
    stage: Stage
    free: str
    defaulted: str = "dev"
    hidden: SecretStr
    bound: Annotated[str, From("store://bound", secret=False)]
    looped: Annotated[str, From("store://{field}/a", secret=False)] = ""
    inner: Inner
    maybe: Inner | None = None


def mistakes(annotation: Any, default: Any = ...) -> list[tuple[str, str | None]]:
    """Message and tip of the mistakes of a field with this annotation."""
    namespace = {"__annotations__": {"field": annotation}, "__module__": __name__}
    if default is not ...:
        namespace["field"] = default
    made: Any = type("Made", (Base,), namespace)
    with pytest.raises(ConfigError) as caught:
        validate(made)
    return [(p.message, p.tip) for p in caught.value.problems if p.kind == "mistake" and p.field == "field"]


def bound(*references: str, **options: Any) -> Any:
    return Annotated[SecretStr, From(*references, **options)]


DECIDE = "cannot decide what it is bound to or whether it is required"
LOCAL = "let a field decide that comes from a variable"
ELSEWHERE = "a field's {name} can only stand in the path; a literal brace is written twice"
NO_NAME = "what stands in braces must be the name of a field; a literal brace is written twice"
NO_SCHEME = "no '://' in it; a reference looks like vault://secret/app#/password"


@pytest.mark.parametrize(
    ("annotation", "message", "tip"),
    [
        (bound("store://{app_evn}/a"), f"app_evn {DECIDE}: there is no such field", "did you mean app_env?"),
        (bound("store://{zzz}/a"), f"zzz {DECIDE}: there is no such field", None),
        (bound("store://{hidden}/a"), f"hidden {DECIDE}: it is a secret", "let a field decide that may be shown"),
        (
            bound("store://{defaulted}/a"),
            f"defaulted {DECIDE}: it has a default, so that it would be decided where nobody did",
            "take the default away",
        ),
        (bound("store://{bound}/a"), f"bound {DECIDE}: it is bound to a store itself", LOCAL),
        (
            bound("store://{looped}/a"),
            f"looped {DECIDE}: it is itself bound to what this one decides: a cycle",
            LOCAL,
        ),
        (bound("store://{field}/a"), f"field {DECIDE}: that is the field itself", "let another field decide"),
        (bound("store://{inner}/a"), f"inner {DECIDE}: it is a model", "name one of its fields"),
        (
            bound("store://{inner.optional}/a"),
            f"inner.optional {DECIDE}: it has a default, so that it would be decided where nobody did",
            "take the default away",
        ),
        (
            bound("store://{maybe.region}/a"),
            f"maybe.region {DECIDE}: it has a default, so that it would be decided where nobody did",
            "take the default away",
        ),
        (bound("store://a", when=When(app_evn="dev")), f"app_evn {DECIDE}: there is no such field", "did you mean app_env?"),
        (bound("store://a", when=When(app_env="pord")), "app_env is never 'pord'", "did you mean 'prod'?"),
        (bound("store://a", when=When(stage={Stage.DEV, "live"})), "stage is never 'live'", None),
        (
            Annotated[str | None, Required(When(app_evn="dev"))],
            f"app_evn {DECIDE}: there is no such field",
            "did you mean app_env?",
        ),
        (Annotated[str | None, Required(When(app_env="live"))], "app_env is never 'live'", None),
        (
            bound("store://a?x={app_env}"),
            f"the reference 'store://a?x={{app_env}}' cannot be read: {ELSEWHERE}",
            None,
        ),
        (
            bound("store://{app env}"),
            f"the reference 'store://{{app env}}' cannot be read: {NO_NAME}",
            None,
        ),
        (bound("store://a", "b"), f"the reference 'b' cannot be read: {NO_SCHEME}", None),
        (bound(), "its From() names no reference", "write From('vault://secret/app#/password')"),
        (bound("store://a?decode=rot13"), "decode=rot13 is not known", "write decode=base64"),
        (
            bound("store://a", on_outage="default"),
            "on_outage='default' wants a default, and it has none",
            "give it one, or take on_outage out",
        ),
        (
            Annotated[SecretStr, FromEach("store://a")],
            "FromEach(…) binds a list or a tuple, which it is not",
            "write From(…) for one value",
        ),
        (
            Annotated[Inner, From("store://a")],
            "what a store holds is a secret, and its type would show it",
            "make it SecretStr, SecretBytes or Secret[…], or say From(…, secret=False)",
        ),
    ],
)
def test_a_mistake_is_told_with_what_to_do(annotation: Any, message: str, tip: str | None) -> None:
    """Each mistake names what is wrong with the declaration and the way out, and nothing is asked."""
    default = {"default": None} if "NoneType" in str(annotation) else {}
    assert (message, tip) in mistakes(annotation, **default)


@pytest.mark.parametrize(
    "annotation",
    [
        bound("store://{app_env}/{stage}/{free}-{inner.region}"),
        bound("store://a", when=When(stage=Stage.PROD, app_env={"dev", "prod"})),
        bound("store://a", when=When(stage="prod")),
        bound("store://{{literal}}/%7Bother%7D"),
        Annotated[list[SecretStr] | None, FromEach("store://a")],
        Annotated[tuple[SecretStr, ...], FromEach("store://a")],
        Annotated[Inner, From("store://a", secret=False)],
    ],
)
def test_what_is_right_is_no_mistake(annotation: Any) -> None:
    """None of these is told to be wrong."""
    assert mistakes(annotation) == []


def test_two_providers_given_for_one_scheme_are_told(store: Store) -> None:
    """A second claim on a scheme names both; none is chosen."""

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(providers=[store, Other()])
        a: Annotated[SecretStr, From("store://a")]

    with pytest.raises(ConfigError) as caught:
        validate(Settings)
    (problem,) = caught.value.problems
    assert (problem.kind, problem.message) == ("unconfigured", "store:// is claimed twice: by Store and by Other")
