"""The conformance tests of the provider contract. They ship with the library, so that authors prove their provider by them."""

import base64
import logging
import secrets
import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Annotated, Any, ClassVar, get_args

from pydantic import SecretBytes, SecretStr, create_model

from confguard._bindings import From
from confguard._fetch import value_of
from confguard._plan import DECODE, payload_of
from confguard._problem import Problem
from confguard._reference import Reference, parse_reference
from confguard._resolver import Ask, resolve
from confguard._settings import BaseSettings, SettingsConfigDict, validate
from confguard.exceptions import ConfigError
from confguard.provider import Deadline, Failure, FailureKind, Found, Provider
from confguard.testing._proxy import FaultProxy, Mode

Answer = Found | Failure

_KINDS = frozenset(get_args(FailureKind)) - {"defect"}
_TEXTS = {
    "plain": "correct horse battery staple",
    "Unicode": "pässwörd 秘密 \N{LOCK} \N{ZERO WIDTH JOINER}",
    "line endings": "-----BEGIN-----\nline\r\nline\n-----END-----\n",
    "JSON": '{"user": "me", "password": "1.10"}',
    "spaces": "  leading, trailing\t ",
    "references": "ref+file:///etc/passwd {stage} %41 $HOME",
}


class ContractStore:
    """The store behind a provider under test: what its author hands to `ProviderContract`.

    Subclass it and say how a value gets into the store, and how it leaves it. Names are of ASCII letters, digits and ``-``.

    Attributes:
        largest: The size in bytes of the largest value that the store takes.
        port: Its server's port on 127.0.0.1, where it has one.
        credentials: What the provider logs in with, none of which may be seen.
    """

    largest: int = 65536
    port: int | None = None
    credentials: Sequence[str] = ()

    def reference(self, name: str) -> str:
        """The reference of the value that is put under a name; with a fragment, where the store holds objects."""
        raise NotImplementedError

    def provider(self, port: int | None = None) -> Provider:
        """A new provider, set up for this store; where a port is given, it reaches the server through that port."""
        raise NotImplementedError

    def put(self, name: str, value: str | bytes) -> None:
        """Write a value, over one that is there."""
        raise NotImplementedError

    def delete(self, name: str) -> None:
        """Take a value away."""
        raise NotImplementedError

    def deny(self, name: str) -> None:
        """Keep the provider from reading a value that is there, from now on."""
        raise NotImplementedError

    def failing(self) -> Mapping[FailureKind, Provider]:
        """Providers set up so that every fetch fails, by the kind of their failure; as many of the kinds as the store knows."""
        return {}

    def requests(self) -> int | None:
        """How many requests the server has had, logins included; None where it does not count them."""
        return None


def _recording(inner: Provider) -> tuple[Provider, list[Reference]]:
    """A provider that stands before another, and the list of what it is asked for."""
    asked: list[Reference] = []

    class Recording:
        schemes: ClassVar[frozenset[str]] = inner.schemes
        parameters: ClassVar[frozenset[str]] = getattr(inner, "parameters", frozenset())
        loggers: ClassVar[tuple[str, ...]] = getattr(inner, "loggers", ())
        local: ClassVar[bool] = getattr(inner, "local", False)

        def fetch(self, refs: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Answer]:
            asked.extend(refs)
            return inner.fetch(refs, deadline=deadline)

        def close(self) -> None:
            if callable(close := getattr(inner, "close", None)):
                close()

    return Recording(), asked


class ProviderContract:
    """The tests that every provider has to pass. Needs pytest.

        class TestSqlite(ProviderContract):
            permissions = False  # SQLite knows none
            server = False

            @pytest.fixture
            def store(self, tmp_path):
                return SqliteStore(tmp_path / "shop.db")  # a `ContractStore`

    A test that a fact below rules out is not there, rather than skipped.

    Attributes:
        permissions: Whether the store can deny a value to somebody.
        binary: Whether it holds bytes. One that holds text alone is given them as base64, for ``?decode=base64``.
        server: Whether it has a server, which `FaultProxy` can come between.
        seconds: How long a fetch from a healthy store may take.
    """

    permissions: ClassVar[bool] = True
    binary: ClassVar[bool] = True
    server: ClassVar[bool] = True
    seconds: ClassVar[float] = 30.0

    confguard_allow_fetches: ClassVar[bool] = True  # the plug-in of pytest refuses real fetches, and these are meant

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        for fact, names in _NEEDS.items():
            if not getattr(cls, fact):
                for name in names:
                    setattr(cls, name, None)  # which pytest does not take for a test

    def test_many_are_answered_in_one_fetch(self, store: ContractStore) -> None:
        """Each of fifty values, asked for at once, is answered with its own; in no more requests than the provider says."""
        values = {f"many-{number}": secrets.token_urlsafe() for number in range(50)}
        for name, value in values.items():
            store.put(name, value)
        before = store.requests()
        answers = self._fetch(store, store.provider(), *values)
        after = store.requests()
        expect(_values(answers) == values, "every value comes back under its own reference")
        if before is not None and after is not None:
            tell: Callable[[Sequence[Reference]], int] = getattr(store.provider(), "requests", len)
            most = tell([payload_of(parse_reference(store.reference(name))) for name in values])
            expect(after - before <= most, f"requests(refs) says at most {most} requests, and {after - before} were made")

    def test_one_that_is_missing_takes_nothing_with_it(self, store: ContractStore) -> None:
        """A value that was deleted, and one that never was, are ``missing``; those beside them are found."""
        for name in ("here", "gone", "there"):
            store.put(name, f"value of {name}")
        store.delete("gone")
        answers = self._fetch(store, store.provider(), "here", "gone", "never", "there")
        expect(_values(answers) == {"here": "value of here", "there": "value of there"}, "the others are found")
        expect(_kinds(answers) == {"gone": "missing", "never": "missing"}, f"these are missing, not {_kinds(answers)}")

    def test_what_may_not_be_read_is_denied(self, store: ContractStore) -> None:
        """A value that is there and may not be read is ``denied``, never ``missing``, and takes nothing with it."""
        for name in ("allowed", "forbidden"):
            store.put(name, f"value of {name}")
        store.deny("forbidden")
        answers = self._fetch(store, store.provider(), "allowed", "forbidden")
        expect(_values(answers) == {"allowed": "value of allowed"}, "what may be read is found")
        expect(_kinds(answers) == {"forbidden": "denied"}, f"what may not is denied, not {_kinds(answers)}")
        tip = next((answer.tip for answer in answers.values() if isinstance(answer, Failure)), None)
        expect(bool(tip), "the tip says which permission is needed")

    def test_each_payload_is_asked_for_once(self, store: ContractStore) -> None:
        """Two fields that want one value cost one fetch of it."""
        store.put("shared", "value")
        provider, asked = _recording(store.provider())
        settings = self._load(provider, a=store.reference("shared"), b=store.reference("shared"))
        got = [settings.a.get_secret_value(), settings.b.get_secret_value()]
        expect(got == ["value", "value"], "each field gets it")
        expect(len(asked) == 1, f"the provider is asked for one payload, not for {asked}")

    def test_texts_come_back_as_they_were(self, store: ContractStore) -> None:
        """Text comes back to the letter, whatever is in it."""
        for number, text in enumerate(_TEXTS.values()):
            store.put(f"text-{number}", text)
        answers = self._fetch(store, store.provider(), *(f"text-{number}" for number in range(len(_TEXTS))))
        for (what, text), answer in zip(_TEXTS.items(), answers.values(), strict=True):
            expect(isinstance(answer, Found) and _text(answer.value) == text, f"text with {what} comes back as it was")

    def test_the_largest_value_comes_back_whole(self, store: ContractStore) -> None:
        """A value of the store's largest size comes back whole."""
        text = (secrets.token_urlsafe(48) * (store.largest // 64 + 1))[: store.largest]
        store.put("large", text)
        answer = self._fetch(store, store.provider(), "large")["large"]
        expect(isinstance(answer, Found) and _text(answer.value) == text, f"{store.largest} bytes come back as they were")

    def test_bytes_come_back_as_they_were(self, store: ContractStore) -> None:
        """Bytes that are no text come back to the byte in a field of the type SecretBytes."""
        raw = bytes(range(256)) + secrets.token_bytes(64)
        store.put("bytes", raw if self.binary else base64.b64encode(raw).decode())
        reference = store.reference("bytes") if self.binary else _with_param(store.reference("bytes"), DECODE, "base64")
        loaded = self._load(store.provider(), kind=SecretBytes, key=reference).key
        expect(loaded.get_secret_value() == raw, "bytes come back as they were")

    def test_a_new_value_is_seen_by_the_next_load(self, store: ContractStore) -> None:
        """One provider serves load after load, is closed after each, and answers with what is there at the time."""
        provider = store.provider()
        for number in range(3):
            store.put("changing", f"value {number}")
            answers = self._fetch(store, provider, "changing")
            expect(_values(answers) == {"changing": f"value {number}"}, f"load {number + 1} gets what was put before it")

    def test_loads_side_by_side_do_not_disturb_each_other(self, store: ContractStore) -> None:
        """One provider that several threads load through at once gives each of them its own."""
        names = [f"thread-{number}" for number in range(8)]
        for name in names:
            store.put(name, f"value of {name}")
        provider = store.provider()
        answers: dict[str, Answer] = {}
        together = threading.Barrier(len(names))

        def load(name: str) -> None:
            together.wait(self.seconds)
            answers.update(_answers(store, provider, [name], self.seconds))

        threads = [threading.Thread(target=load, args=[name]) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        expect(_values(answers) == {name: f"value of {name}" for name in names}, f"all are found, and not {_kinds(answers)}")

    def test_failures_are_of_their_kinds(self, store: ContractStore) -> None:
        """Each kind of failure that the store can be brought to is told as that kind, for every reference, and again."""
        store.put("any", "value")
        for kind, provider in store.failing().items():
            for _ in range(2):
                kinds = _kinds(self._fetch(store, provider, "any", "other"))
                expect(kinds == {"any": kind, "other": kind}, f"{kind} is told as such, not as {kinds}")

    def test_a_parameter_that_is_not_known_is_refused_before_anything_is_asked(self, store: ContractStore) -> None:
        """What a reference of a person says, and the provider does not understand, is told and not passed over."""
        provider, asked = _recording(store.provider())
        problems = self._problems(provider, key=_with_param(store.reference("any"), "no_such_parameter", "1"))
        expect([problem.kind for problem in problems] == ["unconfigured"], f"it is unconfigured: {problems}")
        expect(not asked, "and the provider is not asked")

    def test_nothing_is_left_behind(self, store: ContractStore) -> None:
        """When a load is over, its threads and its connections are gone."""
        store.put("any", "value")
        self._fetch(store, store.provider(), "any")  # what an SDK makes once for the whole process is made now
        with leaves_nothing():
            expect(bool(_values(self._fetch(store, store.provider(), "any", "never"))), "the value is found")

    def test_a_silent_server_costs_no_more_than_the_deadline(self, store: ContractStore) -> None:
        """A server that takes everything and answers nothing is ``unavailable`` by the deadline and a tenth of it."""
        self._meets_the_deadline(store, "blackhole")

    def test_a_server_that_trickles_costs_no_more_than_the_deadline(self, store: ContractStore) -> None:
        """A server that lets a byte through now and then defeats time-outs per read, and is ``unavailable`` all the same."""
        self._meets_the_deadline(store, "slow")

    def test_a_cut_connection_is_unavailable(self, store: ContractStore) -> None:
        """A connection that the server cuts is ``unavailable``, soon, and takes nothing from the next load."""
        store.put("any", "value")
        with self._behind_proxy(store) as (proxy, provider), leaves_nothing():
            proxy.mode = "reset"
            kinds = _kinds(self._fetch(store, provider, "any", seconds=5))
            expect(kinds == {"any": "unavailable"}, f"it is unavailable, not {kinds}")
            proxy.mode = "pass"
            expect(_values(self._fetch(store, provider, "any")) == {"any": "value"}, "the next load finds it")

    def test_failures_and_records_hold_no_secret(self, store: ContractStore) -> None:
        """Neither a value of the store nor a credential is in a problem, a repr or a log record, whatever happens."""
        canary = f"canary-{secrets.token_hex(16)}"
        store.put("any", canary)
        found: list[str] = []
        with _records() as records:
            provider = store.provider()
            found += [repr(provider), repr(self._load(provider, key=store.reference("any")))]
            problems = self._problems(provider, a=store.reference("any"), b=store.reference("never"))
            for failing in store.failing().values():
                problems += self._problems(failing, key=store.reference("any"))
            found += [repr(problem) for problem in problems]
        for secret in (canary, *store.credentials):
            leaks = [text for text in (*found, *records) if secret in text]
            expect(not leaks, f"no secret is seen in {len(leaks)} of {len(found) + len(records)} texts")

    def _meets_the_deadline(self, store: ContractStore, mode: Mode) -> None:
        store.put("any", "value")
        seconds = 2.0
        with self._behind_proxy(store) as (proxy, provider), leaves_nothing():
            proxy.mode = mode
            began = monotonic()
            kinds = _kinds(self._fetch(store, provider, "any", "other", seconds=seconds))
            took = monotonic() - began
            expect(kinds == {"any": "unavailable", "other": "unavailable"}, f"both are unavailable, not {kinds}")
            expect(took <= seconds * 1.1, f"a deadline of {seconds:g} s was kept in {took:.2f} s")

    @contextmanager
    def _behind_proxy(self, store: ContractStore) -> Generator[tuple[FaultProxy, Provider]]:
        expect(store.port is not None, "a store with a server tells its port")
        with FaultProxy(store.port or 0) as proxy:
            provider = store.provider(proxy.port)
            self._fetch(store, provider, "any")
            yield proxy, provider

    def _fetch(self, store: ContractStore, provider: Provider, *names: str, seconds: float | None = None) -> dict[str, Answer]:
        """What the provider answers for values; every failure of them is of one of the seven kinds."""
        answers = _answers(store, provider, names, seconds or self.seconds)
        for name, answer in answers.items():
            if isinstance(answer, Failure):
                expect(answer.kind in _KINDS, f"{name}: the kind of a failure is none of the seven: {answer}")
        return answers

    def _load(self, provider: Provider, *, kind: type = SecretStr, **references: str) -> Any:
        return validate(_class_of(provider, kind, references), timeout=self.seconds)

    def _problems(self, provider: Provider, **references: str) -> list[Problem]:
        try:
            self._load(provider, kind=SecretStr, **references)
        except ConfigError as exc:
            problems = list(exc.problems)
        else:
            problems = []
        expect(bool(problems), "the load is refused")
        return problems


_NEEDS: Mapping[str, Sequence[str]] = {
    "permissions": ("test_what_may_not_be_read_is_denied",),
    "server": (
        "test_a_silent_server_costs_no_more_than_the_deadline",
        "test_a_server_that_trickles_costs_no_more_than_the_deadline",
        "test_a_cut_connection_is_unavailable",
    ),
}


def expect(holds: bool, claim: str) -> None:
    """Fail a test of the contract with the claim that does not hold; no value is in it, since it may be a secret."""
    if not holds:
        raise AssertionError(claim)


def _answers(store: ContractStore, provider: Provider, names: Iterable[str], seconds: float) -> dict[str, Answer]:
    """What the provider answers, asked as the core asks: in a thread of its own, under one deadline, and closed afterwards."""
    references = {name: parse_reference(store.reference(name)) for name in names}
    with closing(Deadline(seconds)) as deadline:
        payloads = resolve([Ask(payload_of(reference), [provider]) for reference in references.values()], deadline).answers
    return {name: value_of(answer, references[name]) for name, answer in zip(references, payloads, strict=True)}


def _with_param(reference: str, name: str, value: str) -> str:
    parsed = parse_reference(reference)
    return str(replace(parsed, params=(*parsed.params, (name, value))))


def _class_of(provider: Provider, kind: type, references: Mapping[str, str]) -> type[BaseSettings]:
    class Base(BaseSettings):
        model_config = SettingsConfigDict(providers=[provider], env_prefix="CONFGUARD_CONTRACT_")

    fields: dict[str, Any] = {name: (Annotated[kind, From(reference)], ...) for name, reference in references.items()}
    return create_model("ContractSettings", __base__=Base, **fields)


def _values(answers: Mapping[str, Answer]) -> dict[str, str]:
    return {name: _text(answer.value) for name, answer in answers.items() if isinstance(answer, Found)}


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode(errors="replace")


def _kinds(answers: Mapping[str, Answer]) -> dict[str, str]:
    return {name: answer.kind for name, answer in answers.items() if isinstance(answer, Failure)}


@contextmanager
def _records() -> Generator[list[str]]:
    """What every logger says meanwhile, at DEBUG, as it would stand in a file."""
    texts: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            texts.append(self.format(record))

    root, keep = logging.getLogger(), Keep()
    level = root.level
    root.addHandler(keep)
    root.setLevel(logging.DEBUG)
    try:
        yield texts
    finally:
        root.setLevel(level)
        root.removeHandler(keep)


@contextmanager
def leaves_nothing() -> Generator[None]:
    """Check that no thread and no connection is left that was not there before."""
    before = set(threading.enumerate()), _connections()
    yield
    gone = _comes_true(lambda: set(threading.enumerate()) <= before[0])
    expect(gone, f"these threads are left: {[thread.name for thread in set(threading.enumerate()) - before[0]]}")
    closed = _comes_true(lambda: len(_connections() - before[1]) == 0)
    expect(closed, f"{len(_connections() - before[1])} connections are left")


def _comes_true(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    end, pause = monotonic() + seconds, threading.Event()
    while not condition():
        if monotonic() > end:
            return False
        pause.wait(0.005)
    return True


def _connections() -> set[str]:
    """The sockets of this process, where the system shows them."""
    found: set[str] = set()
    for descriptor in Path("/proc/self/fd").glob("*"):
        try:
            target = str(descriptor.readlink())
        except OSError:
            continue  # that of the listing itself
        if target.startswith("socket:"):
            found.add(target)
    return found
