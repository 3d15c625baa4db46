"""The plan: what a load may ask for, each payload once, as the command tells it without asking anybody."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from confguard import BaseSettings, From, FromEach, SettingsConfigDict, When
from confguard.cli import command
from confguard.provider import Deadline, Failure, Found, Reference


class Telling:
    """A provider that asks nobody; its policy is a list of the references that it would be asked for."""

    schemes: ClassVar[frozenset[str]] = frozenset({"telling", "second"})
    parameters: ClassVar[frozenset[str]] = frozenset({"version"})

    def fetch(self, refs: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Found | Failure]:
        raise AssertionError("a plan asks nobody")

    def requests(self, refs: Sequence[Reference]) -> int:
        return 10 + len(refs) + 100 * sum("{stage}/{tenant}/{stage}/key" in ref.path for ref in refs)

    def policy(self, refs: Sequence[Reference], _: Mapping[str, str]) -> str:
        return "\n".join(map(str, refs))


class Simple(Telling):
    """The same, which does not tell how many requests it makes."""

    schemes: ClassVar[frozenset[str]] = frozenset({"simple"})
    requests: Any = property()  # there is none
    policy: Any = None


class Base(BaseSettings):
    model_config = SettingsConfigDict(providers=[Telling(), Simple()])

    stage: Literal["staging", "production"]


class Conditional(Base):
    always: Annotated[SecretStr, From("telling://always")]
    paid: Annotated[SecretStr | None, From("telling://paid", "telling://old", when=When(stage="production"))] = None


class Shared(Base):
    first: Annotated[SecretStr | None, From("telling://a#/x", when=When(stage="production"))] = None
    second: Annotated[SecretStr | None, From("telling://a#/y", when=When(stage="staging"))] = None
    third: Annotated[SecretStr | None, From("telling://a#/z", when=When(stage="staging"))] = None
    fourth: Annotated[SecretStr | None, From("telling://b#/x", when=When(stage="staging"))] = None
    fifth: Annotated[SecretStr, From("telling://b#/y")]
    sixth: Annotated[SecretStr | None, From("telling://b#/z", when=When(stage="staging"))] = None
    twice: Annotated[SecretStr, From("telling://c#/x", "telling://c#/y")]


class Each(Base):
    keys: Annotated[list[SecretStr], FromEach("telling://new", "telling://old")]


class Decoded(Base):
    a: Annotated[SecretStr, From("telling://a?decode=base64#/x")]
    b: Annotated[SecretStr, From("telling://a?version=1&decode=base64")]
    c: Annotated[SecretStr, From("telling://a?version=1#/x")]
    d: Annotated[SecretStr, From("telling://a")]


class Several(Base):
    a: Annotated[SecretStr, From("telling://a")]
    b: Annotated[SecretStr, From("second://b")]
    c: Annotated[SecretStr, From("simple://c")]
    d: Annotated[SecretStr, From("simple://d")]


class Ours(Base):
    a: Annotated[SecretStr, From("vault://secret/a")]
    b: Annotated[SecretStr, From("vault://secret/b")]
    c: Annotated[SecretStr, From("awssecrets://c")]
    d: Annotated[SecretStr, From("awssecrets://d")]


class Slips(Base):
    a: Annotated[SecretStr, From("telling://a?vershun=1")]
    b: Annotated[SecretStr, From("telling://b")]


class Filled(Base):
    tenant: str
    region: Literal["eu", "us"]
    shard: Literal[1, 2]
    key: Annotated[SecretStr, From("telling://{stage}/{tenant}/{stage}/key?decode=base64#/x")]
    other: Annotated[SecretStr, From("telling://{region}/{tenant}")]
    paid: Annotated[SecretStr | None, From("telling://paid/{stage}", when=When(stage="production"))] = None
    both: Annotated[SecretStr | None, From("telling://both", when=When(stage="production", region="eu"))] = None
    sharded: Annotated[SecretStr | None, From("telling://shards/{shard}", when=When(stage="production"))] = None


def planned(settings_class: type[BaseSettings], *options: str) -> list[str]:
    """The lines of the plan of a class."""
    return told("check", settings_class, "--plan", *options)[:-1]


def references(settings_class: type[BaseSettings], *options: str) -> list[str]:
    """What the provider is told that it may be asked for."""
    return told("policy", settings_class, *options)


def told(name: str, settings_class: type[BaseSettings], *options: str) -> list[str]:
    done = CliRunner().invoke(command, [name, f"{__name__}:{settings_class.__name__}", *options])
    assert done.exit_code == 0, done.output
    return done.stdout.splitlines()


def test_a_plan_says_when_a_payload_is_asked_for() -> None:
    """A condition and an alternative are told beside the payload; each round of alternatives is a fetch of its own."""
    assert planned(Conditional) == [
        "telling: at most 23 requests",
        "    telling://always  for always",
        "    telling://paid  for paid  (when stage is production)",
        "    telling://old  for paid  (when stage is production, where the one before is missing)",
    ]


def test_a_payload_that_several_fields_want_stands_once_with_all_of_them() -> None:
    """It is asked for where any of them wants it: with each of their conditions once, or without one where a field has none."""
    assert planned(Shared) == [
        "telling: at most 24 requests",
        "    telling://a  for first, second, third  (when stage is production or when stage is staging)",
        "    telling://b  for fourth, fifth, sixth",
        "    telling://c  for twice",
    ]


def test_the_elements_of_a_list_are_asked_for_at_once() -> None:
    """All of them are wanted, so none waits for another."""
    assert planned(Each) == [
        "telling: at most 12 requests",
        "    telling://new  for keys",
        "    telling://old  for keys",
    ]


def test_what_is_picked_out_of_a_payload_and_how_it_is_read_makes_no_other_payload() -> None:
    """Fragment and decoding belong to the core, a parameter of the provider to the payload."""
    assert planned(Decoded) == [
        "telling: at most 12 requests",
        "    telling://a  for a, d",
        "    telling://a?version=1  for b, c",
    ]


def test_a_provider_counts_paths_with_the_names_of_fields_in_them() -> None:
    """The value of a field that stands in a path is not known yet, and its name in braces stands for it."""
    assert planned(Filled)[0] == "telling: at most 115 requests"


def test_requests_are_counted_by_scheme() -> None:
    """One for each payload where the provider does not tell; of a provider of two schemes, those of each."""
    assert [line for line in planned(Several) if not line.startswith("    ")] == [
        "telling: at most 11 requests",
        "second: at most 11 requests",
        "simple: at most 2 requests",
        "a start: at most 24 requests",
    ]


def test_one_of_our_providers_is_asked_for_all_of_its_references_at_once() -> None:
    """Vault logs in once, and AWS gives several secrets in one answer."""
    assert [line for line in planned(Ours) if not line.startswith("    ")] == [
        "vault: at most 4 requests",
        "awssecrets: at most 1 request",
        "a start: at most 5 requests",
    ]


def test_what_cannot_be_asked_for_is_told_and_not_planned() -> None:
    """A plan tells it as a load would, and counts the rest."""
    done = CliRunner().invoke(command, ["check", f"{__name__}:Slips", "--plan"])
    assert done.exit_code == 78
    assert done.stdout.splitlines()[:5] == [
        "telling: at most 11 requests",
        "    telling://b  for b",
        "",
        "a                unconfigured",
        "    telling://a?vershun=1: unknown parameter 'vershun'",
    ]


def test_the_references_of_a_policy_are_those_of_every_value_that_is_possible() -> None:
    """A value that stands twice is one; a field whose type lists no values has its name in its place."""
    assert references(Filled) == [
        "telling://staging/<tenant>/staging/key",
        "telling://production/<tenant>/production/key",
        "telling://eu/<tenant>",
        "telling://us/<tenant>",
        "telling://paid/production",
        "telling://both",
        "telling://shards/1",
        "telling://shards/2",
    ]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            ["--set", "stage=staging", "--set", "tenant=acme"],
            ["telling://staging/acme/staging/key", "telling://eu/acme", "telling://us/acme"],
        ),
        (
            ["--set", "stage=production", "--set", "region=us", "--set", "tenant=acme"],
            [
                "telling://production/acme/production/key",
                "telling://us/acme",
                "telling://paid/production",
                "telling://shards/1",
                "telling://shards/2",
            ],
        ),
        (["--only", "paid"], ["telling://paid/production"]),
    ],
)
def test_a_value_that_is_given_rules_the_others_out(options: list[str], expected: list[str]) -> None:
    """So does a condition that it does not meet, and a field that is left out."""
    assert references(Filled, *options) == expected
