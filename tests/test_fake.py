"""Fakes of stores: what a test sets is what settings get, and what it forgot to set is told with the line to write."""

import json
import secrets
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from time import monotonic
from typing import Annotated, Any, ClassVar

import pytest
from pydantic import BaseModel, SecretBytes, SecretStr

from confguard import BaseSettings, ConfigError, From, FromEach, Problem, SettingsConfigDict, explain, lazy, validate
from confguard.provider import Deadline, Failure, FailureKind, Found, Provider, Reference
from confguard.testing import ContractStore, FakeProvider, ProviderContract, fails, faking, then
from confguard_aws import AWS
from confguard_azure import AzureKeyVault
from confguard_gcp import GCP
from confguard_vault import Vault
from tests.doubles import Store

VALUE = f"value-{secrets.token_hex(8)}"


class One(BaseSettings):
    key: Annotated[SecretStr, From("vault://secret/app#/key")]


class Two(BaseSettings):
    key: Annotated[SecretStr, From("vault://secret/app#/key")]
    other: Annotated[SecretStr, From("vault://secret/app#/other")] = SecretStr("default")


def problems_of(*classes: type[BaseSettings], **options: Any) -> Sequence[Problem]:
    with pytest.raises(ConfigError) as caught:
        validate(*classes, **options)
    return caught.value.problems


def shown(value: SecretStr) -> str:
    return value.get_secret_value()


def test_what_is_set_is_what_a_field_gets() -> None:
    """A value that is set by the reference of a field is the field's, from that provider, without a store or a setting of one."""
    with faking({"vault://secret/app#/key": VALUE}):
        settings = validate(One)
    assert shown(settings.key) == VALUE
    assert str(explain(settings)[0].origin).startswith("vault secret/app#/key")


def test_keys_of_one_payload_are_joined() -> None:
    """Several keys of one payload are set one by one, and fetched as one."""
    with faking({"vault://secret/app#/key": VALUE}) as fake:
        fake["vault://secret/app#/other"] = "another"
        settings = validate(Two)
    assert (shown(settings.key), shown(settings.other)) == (VALUE, "another")
    assert fake.fetches == (("vault://secret/app",),)


@pytest.mark.parametrize("default", [True, False])
def test_a_key_that_is_not_set_fails_with_the_line_to_write(default: bool) -> None:
    """A key that the test forgot is a failure, also where the field has a default, and the tip is the line to write."""
    with faking({"vault://secret/app#/key" if default else "vault://secret/app#/other": VALUE}):
        [problem] = problems_of(Two)
    wanted = "vault://secret/app#/other" if default else "vault://secret/app#/key"
    assert (problem.kind, problem.message) == ("unconfigured", f"the test has not set {wanted}")
    assert problem.tip == f'write confguard_fake["{wanted}"] = "…"'


def test_a_payload_that_is_not_set_fails_with_the_line_to_write() -> None:
    """The line names the reference with its fragment, however odd it is, and once it is written so the field gets the value."""

    class Odd(BaseSettings):
        key: Annotated[SecretStr, From('vault://secret/a*b {{c}} "%25?version=3#/a~1b/ü*')]

    with faking() as fake:
        [problem] = problems_of(Odd)
        assert problem.tip is not None
        fake[json.loads(problem.tip.removeprefix("write confguard_fake[").removesuffix('] = "…"'))] = VALUE
        assert shown(validate(Odd).key) == VALUE


def test_a_whole_payload_lacks_what_it_lacks() -> None:
    """Of a payload that is set as a whole, a key that it has not is missing, and a default stands in."""
    with faking({"vault://secret/app": {"key": VALUE}}) as fake:
        assert shown(validate(Two).other) == "default"
        fake["vault://secret/app#/other"] = "over it"
        settings = validate(Two)
    assert (shown(settings.key), shown(settings.other)) == (VALUE, "over it")


def test_a_key_that_is_set_to_be_missing_is_missing() -> None:
    """``missing`` of one key leaves the others there; of the payload it is the payload that is not there."""
    with faking({"vault://secret/app#/key": VALUE, "vault://secret/app#/other": fails("missing")}) as fake:
        assert shown(validate(Two).other) == "default"
        fake["vault://secret/app#/key"] = fails("missing", "gone since Tuesday")
        assert [(problem.kind, problem.message) for problem in problems_of(Two)] == [("missing", "gone since Tuesday")]
        fake["vault://secret/app"] = fails("missing")
        assert [problem.kind for problem in problems_of(Two)] == ["missing"]


def test_a_value_is_anything_that_a_store_holds() -> None:
    """Text, bytes, numbers, objects and lists are given as a store would give them."""

    class Database(BaseModel):
        host: str
        port: int
        password: SecretStr

    class Many(BaseSettings):
        text: Annotated[SecretStr, From("vault://text")]
        raw: Annotated[SecretBytes, From("vault://raw")]
        decoded: Annotated[SecretStr, From("vault://base64?decode=base64")]
        port: Annotated[int, From("vault://deep#/a/port", secret=False)]
        hosts: Annotated[list[str], From("vault://deep#/hosts", secret=False)]
        database: Annotated[Database, From("awssecrets://db")]

    raw = bytes(range(256))
    values: dict[str, Any] = {"vault://text": "line\n", "vault://raw": raw, "vault://base64?decode=base64": "c2VjcmV0LWtleQ=="}
    values |= {"vault://deep#/a/port": 5432, "vault://deep#/hosts": ["a", "b"]}
    values |= {"awssecrets://db": {"host": "db.test", "port": 5432}, "awssecrets://db#/password": VALUE}
    with faking(values):
        settings = validate(Many)
    assert (shown(settings.text), settings.raw.get_secret_value()) == ("line\n", raw)
    assert (shown(settings.decoded), settings.port, settings.hosts) == ("secret-key", 5432, ["a", "b"])
    assert (settings.database.port, shown(settings.database.password)) == (5432, VALUE)


def test_a_value_is_copied_when_it_is_set() -> None:
    """An object that the test changes afterwards is not changed in the fake."""
    payload: dict[str, Any] = {"key": VALUE}
    with faking({"vault://secret/app": payload}):
        payload["key"] = "changed"
        assert shown(validate(One).key) == VALUE


def test_versions_and_leases_are_kept() -> None:
    """What the test says of a version and a lease is in the origin, also where it was said of one key."""
    until = datetime(2030, 1, 1, tzinfo=UTC)
    with faking({"vault://secret/app#/key": Found(VALUE, version="7", expires_at=until)}) as fake:
        assert explain(validate(One))[0].origin.version == "7"
        [answer] = fake.fetch([Reference("vault", "secret/app")], deadline=Deadline(1)).values()
        assert isinstance(answer, Found)
        assert answer.expires_at == until


@pytest.mark.parametrize("kind", ["denied", "unauthenticated", "unavailable", "throttled", "malformed", "unconfigured"])
def test_failures_are_of_their_kinds(kind: FailureKind) -> None:
    """A reference that is set to fail fails as that, and takes the payload with it where it is one key."""
    with faking({"vault://secret/app#/key": fails(kind, tip="ask"), "vault://secret/app#/other": VALUE}):
        assert {(problem.kind, problem.tip) for problem in problems_of(Two)} == {(kind, "ask")}


def test_a_throttled_store_recovers() -> None:
    """Answers in turn are given fetch by fetch, and the last one stays: patience gets the value where a single try does not."""
    recovering = then(fails("throttled"), fails("throttled", retry_after=0.01), VALUE)
    with faking({"vault://secret/app#/key": recovering}) as fake:
        assert [problem.kind for problem in problems_of(One)] == ["throttled"]
        assert shown(validate(One, wait=30).key) == VALUE
        assert shown(validate(One).key) == VALUE
        fake["vault://secret/app#/key"] = recovering
        assert [problem.retry_after for problem in (*problems_of(One), *problems_of(One))] == [None, 0.01]


def test_turns_are_counted_for_each_payload() -> None:
    """A pattern that answers in turn does so for each payload that it stands for."""

    class Pair(BaseSettings):
        a: Annotated[SecretStr, From("vault://a")]
        b: Annotated[SecretStr, From("vault://b")]

    with faking({"vault://*": then("first", "second")}):
        assert [[shown(one.a), shown(one.b)] for one in (validate(Pair), validate(Pair))] == [["first"] * 2, ["second"] * 2]


@pytest.mark.parametrize(
    ("written", "matches"),
    [
        ("vault://secret/app#/key", True),
        ("vault://secret/*#/key", True),
        ("vault://*#/key", True),
        ("vault://secret/%61pp#key", True),
        ("vault://secret/{stage}#/key", True),
        ("vault://*/app#/key", True),
        ("vault://secret/app*#/key", True),
        ("vault://secret/ap#/key", False),
        ("vault://secret/a.p#/key", False),
        ("vault://secret/app/*#/key", False),
        ("vault://secret/%2A#/key", False),
        ("openbao://secret/app#/key", False),
        ("vault://secret/app?version=3#/key", False),
    ],
)
def test_what_a_reference_stands_for(written: str, matches: bool) -> None:
    """A reference stands for what it is once decoded; ``*`` and a field in braces stand for any text."""
    with faking({written: VALUE}):
        if matches:
            assert shown(validate(One).key) == VALUE
        else:
            assert [problem.kind for problem in problems_of(One)] == ["unconfigured"]


def test_a_pattern_stands_for_parameters_and_a_star_can_be_meant() -> None:
    """``*`` stands for parameters too, and ``%2A`` for the character."""

    class Pinned(BaseSettings):
        a: Annotated[SecretStr, From("vault://a?version=3")]
        star: Annotated[SecretStr, From("vault://b*b")]

    with faking({"vault://a*": VALUE, "vault://b%2Ab": "star"}):
        settings = validate(Pinned)
    assert (shown(settings.a), shown(settings.star)) == (VALUE, "star")


def test_what_is_set_exactly_goes_before_a_pattern_and_the_latest_pattern_first() -> None:
    """Which value stands does not depend on luck."""
    with faking({"vault://secret/app#/key": VALUE, "vault://*#/key": "any"}) as fake:
        assert shown(validate(One).key) == VALUE
        del fake["vault://secret/app#/key"]
        assert shown(validate(One).key) == "any"
        fake["vault://secret/*#/key"] = "later"
        assert shown(validate(One).key) == "later"
        fake["vault://*#/key"] = "latest"
        assert shown(validate(One).key) == "latest"


def test_a_value_can_be_changed_and_taken_out() -> None:
    """What is set later is what the next load gets; what is taken out is not set."""
    with faking({"vault://secret/app#/key": VALUE}) as fake:
        validate(One)
        fake["vault://secret/app#/key"] = "rotated"
        assert shown(validate(One).key) == "rotated"
        del fake["vault://secret/app#/key"]
        assert [problem.kind for problem in problems_of(One)] == ["unconfigured"]
        with pytest.raises(KeyError):
            del fake["vault://secret/app#/key"]


def test_parameters_of_every_store_are_taken_and_others_refused() -> None:
    """Each parameter that a provider of ours takes is taken, and a misspelt one is a problem as it is without a fake."""
    ours = frozenset().union(*(provider.parameters for provider in (AWS, AzureKeyVault, GCP, Vault)))
    assert FakeProvider().parameters == ours

    class Keys(BaseSettings):
        keys: Annotated[list[SecretStr], FromEach("awssecrets://k?stage=AWSCURRENT", "awssecrets://k?stage=AWSPREVIOUS")]

    class Slip(BaseSettings):
        key: Annotated[SecretStr, From("awssecrets://k?stgae=AWSCURRENT")]

    with faking({"awssecrets://k?stage=AWSCURRENT": "new", "awssecrets://k?stage=AWSPREVIOUS": "old"}) as fake:
        assert [shown(key) for key in validate(Keys).keys] == ["new", "old"]
        assert [problem.tip for problem in problems_of(Slip)] == ["did you mean 'stage'?"]
        fake["acme://k?label=blue"] = VALUE
        assert "label" in fake.parameters


def test_what_was_asked_is_told() -> None:
    """The record has each fetch, and each payload in it once, in order."""
    with faking({"vault://*": {"key": VALUE, "other": VALUE}, "awssecrets://*": VALUE}) as fake:
        validate(Two)
        validate(One)
    assert fake.fetches == (("vault://secret/app",), ("vault://secret/app",))
    assert fake.asked == ("vault://secret/app", "vault://secret/app")


def test_latency_ends_with_the_deadline() -> None:
    """A fake that is slower than the deadline is ``unavailable`` when the deadline is over, and not when the fake is."""
    with faking(FakeProvider({"vault://secret/app#/key": VALUE}, latency=60)) as fake:
        began = monotonic()
        assert [problem.kind for problem in problems_of(One, timeout=0.2)] == ["unavailable"]
        assert 0.2 <= monotonic() - began < 30
        fake.latency = 0.01
        assert shown(validate(One).key) == VALUE


def test_no_value_is_in_a_repr() -> None:
    """What shows a fake, or answers in turn, shows references and no value."""
    fake = FakeProvider({"vault://secret/app#/key": VALUE, "vault://secret/*": then(VALUE)})
    assert repr(fake) == "<FakeProvider of vault://secret/app#/key, vault://secret/*>"
    assert VALUE not in repr(then(VALUE, Found(VALUE)))


# Where it stands in.


class Remote:
    """A provider of others that would be asked for real."""

    schemes: ClassVar[frozenset[str]] = frozenset({"vault", "acme"})

    def fetch(self, refs: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Found | Failure]:
        return {ref: Found('{"key": "real"}') for ref in refs}


class Given(BaseSettings):
    model_config = SettingsConfigDict(providers=[Remote()])

    key: Annotated[SecretStr, From("vault://secret/app#/key")]
    acme: Annotated[SecretStr, From("acme://a#/key")]


def test_it_stands_in_for_providers_that_are_given_in_code() -> None:
    """A provider in ``model_config`` is not asked while a fake is in place, and is afterwards."""
    with faking({"vault://*#/key": VALUE, "acme://*#/key": VALUE}):
        settings = validate(Given)
    assert (shown(settings.key), shown(settings.acme)) == (VALUE, VALUE)
    assert shown(validate(Given).key) == "real"


def test_it_stands_in_for_the_schemes_that_it_was_given_alone() -> None:
    """A fake of some schemes leaves others to their providers, and refuses references of theirs."""
    with faking(FakeProvider({"vault://*#/key": VALUE}, schemes={"vault"})) as fake:
        settings = validate(Given)
        with pytest.raises(ValueError, match="acme://a' is of another scheme than vault"):
            fake["acme://a"] = VALUE
    assert (shown(settings.key), shown(settings.acme)) == (VALUE, "real")


def test_what_is_local_is_read_until_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files, variables and local providers of others are read as ever; one that is set is faked."""
    monkeypatch.setenv("SHOP_TOKEN", VALUE)

    class Here(Remote):
        schemes: ClassVar[frozenset[str]] = frozenset({"here"})
        local: ClassVar[bool] = True

    class Local(BaseSettings):
        model_config = SettingsConfigDict(providers=[Here()])

        variable: Annotated[SecretStr, From("env://SHOP_TOKEN")]
        here: Annotated[SecretStr, From("here://a#/key")]

    with faking() as fake:
        settings = validate(Local)
        assert (shown(settings.variable), shown(settings.here)) == (VALUE, "real")
        fake["env://SHOP_TOKEN"] = "set"
        settings = validate(Local)
        assert (shown(settings.variable), shown(settings.here)) == ("set", "real")


def test_a_scheme_that_nobody_serves_is_still_a_slip() -> None:
    """A misspelt scheme is told as without a fake: it would go wrong in production."""

    class Slip(BaseSettings):
        key: Annotated[SecretStr, From("vualt://secret/app")]

    with faking():
        assert [problem.tip for problem in problems_of(Slip)] == ["did you mean vault://?"]


def test_an_inner_fake_goes_before_an_outer_one() -> None:
    """Fakes nest, the outer one is back after the inner one, also after an exception, and in any order of leaving."""
    with faking({"vault://*#/key": "outer"}):
        seen = []
        with suppress(RuntimeError), faking({"vault://*#/key": "inner"}):
            seen.append(shown(validate(One).key))
            raise RuntimeError
        assert [*seen, shown(validate(One).key)] == ["inner", "outer"]
    first, second = faking({"vault://*#/key": "first"}), faking({"vault://*#/key": "second"})
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert shown(validate(One).key) == "second"
    second.__exit__(None, None, None)
    assert [problem.message for problem in problems_of(One)] == ["vault: VAULT_ADDR is not set"]


def test_it_stands_in_for_every_thread() -> None:
    """A server that a test has started in a thread loads from the fake too."""
    got: list[str] = []
    with faking({"vault://secret/app#/key": VALUE}):
        thread = threading.Thread(target=lambda: got.append(shown(validate(One).key)))
        thread.start()
        thread.join()
    assert got == [VALUE]


def test_it_is_a_provider_as_any_other() -> None:
    """Given in code it serves the schemes of what is set, and keeps its place where another fake stands in for stores."""
    mine = FakeProvider({"acme://a#/key": VALUE})

    class InCode(BaseSettings):
        model_config = SettingsConfigDict(providers=[mine])

        key: Annotated[SecretStr, From("acme://a#/key")]

    assert shown(validate(InCode).key) == VALUE
    with faking({"vault://*": VALUE}):
        assert shown(validate(InCode).key) == VALUE


def test_production_code_is_as_before_without_a_fake(store: Store) -> None:
    """Nothing of a fake is left when it is over."""

    class Stored(BaseSettings):
        model_config = SettingsConfigDict(providers=[store])

        key: Annotated[SecretStr, From("store://key")]

    store.put("key", VALUE)
    with faking({"store://key": "fake"}):
        assert shown(validate(Stored).key) == "fake"
    assert shown(validate(Stored).key) == VALUE


# Wrong use.


@pytest.mark.parametrize(
    ("reference", "value", "error", "message"),
    [
        ("secret/app", "v", ValueError, "'secret/app' is no reference: no '://' in it"),
        ("*://secret", "v", ValueError, "the scheme before"),
        ("vault://a", None, TypeError, r'cannot be None: for what is not there, set fails\("missing"\)'),
        ("vault://a#/b", b"raw", TypeError, "cannot be bytes"),
        ("vault://a#/b", Found(b"raw"), TypeError, "cannot be bytes"),
        ("vault://a", SecretStr("hunter2-hunter2"), TypeError, "cannot be of the type SecretStr"),
        ("vault://a", {"b": SecretStr("hunter2-hunter2")}, TypeError, "cannot be of the type dict"),
    ],
)
def test_what_cannot_be_set_is_refused(reference: str, value: Any, error: type[Exception], message: str) -> None:
    """What no store could hold, and what is no reference, is refused where the test sets it, without the value."""
    fake = FakeProvider()
    with pytest.raises(error, match=message) as caught:
        fake[reference] = value
    assert "hunter2" not in str(caught.value)
    assert repr(fake) == "<FakeProvider of nothing>"


def test_other_slips_are_refused() -> None:
    """A kind that is none, no answers in turn, and a text for a set of schemes are refused."""
    with pytest.raises(ValueError, match="no failure is 'thorttled'; did you mean 'throttled'"):
        fails("thorttled")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no failure is 'defect'; it is missing, denied"):
        fails("defect")
    with pytest.raises(ValueError, match="needs an answer at least"):
        then()
    with pytest.raises(TypeError, match="schemes is a set of names"):
        FakeProvider(schemes="vault")


class FakeStore(ContractStore):
    def __init__(self) -> None:
        self.fake = FakeProvider({"vault://contract/*": fails("missing")})

    def reference(self, name: str) -> str:
        return f"vault://contract/{name}"

    def provider(self, port: int | None = None) -> Provider:
        return self.fake

    def put(self, name: str, value: str | bytes) -> None:
        self.fake[self.reference(name)] = value

    def delete(self, name: str) -> None:
        del self.fake[self.reference(name)]

    def deny(self, name: str) -> None:
        self.fake[self.reference(name)] = fails("denied", tip="it needs the permission to read")

    def failing(self) -> Mapping[FailureKind, Provider]:
        kinds: Sequence[FailureKind] = ("unauthenticated", "unavailable", "throttled", "malformed", "unconfigured")
        return {kind: FakeProvider({"vault://*": fails(kind)}) for kind in kinds}


class TestFakeProvider(ProviderContract):
    server = False

    @pytest.fixture
    def store(self) -> FakeStore:
        return FakeStore()


def test_a_reference_that_is_nearly_one_that_is_set_is_told() -> None:
    """A slip in the test, or in the class, is pointed out beside the line to write."""
    with faking({"vault://secret/app#/kye": VALUE}):
        [problem] = problems_of(One)
    assert problem.message == "the test has not set vault://secret/app#/key; vault://secret/app#/kye is set"


def test_when_to_come_back_is_a_number() -> None:
    """A text would be found out only when somebody waits for it."""
    with pytest.raises(TypeError, match="retry_after is a number of seconds, not of the type str"):
        fails("throttled", retry_after="2")  # type: ignore[arg-type]


def test_a_handle_loads_anew_under_a_fake_and_holds_afterwards_what_it_held() -> None:
    """What another test loaded does not decide this one, and what this one loads decides no other."""
    settings = lazy(One)
    with faking({"vault://secret/app#/key": "outer"}):
        assert shown(settings.key) == "outer"
        with faking({"vault://secret/app#/key": VALUE}):
            assert shown(settings.key) == VALUE
        assert shown(settings.key) == "outer"
    assert "not loaded" in repr(settings)
