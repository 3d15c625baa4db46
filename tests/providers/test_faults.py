"""Faults of networks and stores, for every provider alike; docs/faults.md is the table of what is expected here."""

import secrets
import socket
from collections.abc import Iterable
from contextlib import closing
from time import monotonic

import pytest

from confguard._fetch import value_of
from confguard._plan import payload_of
from confguard._reference import parse_reference
from confguard._resolver import Ask, resolve
from confguard.provider import Deadline, Failure, Found, Provider
from confguard.testing._contract import leaves_nothing
from confguard.testing._proxy import FaultProxy
from tests.providers.faults import FAULTS, PAGE, SCHEMES, SECONDS, Fault, FaultyStore, page

Answers = dict[str, Found | Failure]


@pytest.fixture(params=SCHEMES)
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(scheme: str, request: pytest.FixtureRequest) -> FaultyStore:
    """The store of a scheme, with one value; what its SDK makes once for the whole process has been made."""
    made: FaultyStore = request.getfixturevalue(f"{scheme}_store")
    made.put("any", secrets.token_urlsafe())
    ask(made.provider(), made, ["any"], 20.0)
    return made


def ask(provider: Provider, store: FaultyStore, names: Iterable[str], seconds: float) -> Answers:
    """What a provider answers, asked as the core asks."""
    references = {name: parse_reference(store.reference(name)) for name in names}
    with closing(Deadline(seconds)) as deadline:
        payloads = resolve([Ask(payload_of(reference), [provider]) for reference in references.values()], deadline).answers
    return {name: value_of(answer, references[name]) for name, answer in zip(references, payloads, strict=True)}


def kinds(answers: Answers) -> dict[str, str]:
    return {name: "found" if isinstance(answer, Found) else answer.kind for name, answer in answers.items()}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_told_as_what_it_is_in_time_and_leaves_nothing(fault: Fault, scheme: str, store: FaultyStore) -> None:
    """The kind is the table's, by the deadline and a tenth of it; no value, no connection and no thread is left."""
    value = secrets.token_urlsafe()
    store.put("other", value)
    with FaultProxy(store.port or 0) as proxy:
        provider = store.misplaced()[fault.misplaced] if fault.misplaced else store.provider(proxy.port)
        with leaves_nothing():
            if fault.mode is not None:
                proxy.mode, proxy.delay = fault.mode, fault.delay
            began = monotonic()
            answers = ask(provider, store, ["any", "other"], SECONDS)
            took = monotonic() - began
            assert kinds(answers) == dict.fromkeys(["any", "other"], fault.kind_for(scheme)), answers
            assert took <= SECONDS * 1.1
    failures = [answer for answer in answers.values() if isinstance(answer, Failure)]
    assert not [failure for failure in failures if any(text in repr(failure) for text in (value, *store.credentials))]
    assert all(failure.tip for failure in failures), "each says what to do"


@pytest.mark.parametrize("keep", [300, 1200, 2000, 2600, 3200])
def test_a_cut_reply_is_never_taken_for_a_whole_one(keep: int, store: FaultyStore) -> None:
    """Wherever the replies of a connection end, in hellos, a header or a value: the value is whole or it is unavailable."""
    value = secrets.token_urlsafe(1500)
    store.put("long", value)
    with FaultProxy(store.port or 0, "truncate", keep=keep) as proxy:
        answer = ask(store.provider(proxy.port), store, ["long"], SECONDS)["long"]
    if isinstance(answer, Found):
        assert answer.value == value
    else:
        assert answer.kind == "unavailable"
        assert value[:20] not in repr(answer)


def test_a_server_that_is_gone_and_comes_back(store: FaultyStore) -> None:
    """The same provider says that a server is not there, and finds the value when it is there again."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    provider = store.provider(port)
    with leaves_nothing():
        assert kinds(ask(provider, store, ["any"], SECONDS)) == {"any": "unavailable"}
        with FaultProxy(store.port or 0, listen=port):
            assert kinds(ask(provider, store, ["any"], 20.0)) == {"any": "found"}
        assert kinds(ask(provider, store, ["any"], SECONDS)) == {"any": "unavailable"}


def test_half_of_a_batch_fails(store: FaultyStore) -> None:
    """In one fetch each reference is told as what it is, and none takes another with it."""
    for name in ("a", "b", "gone", "secret-a", "secret-b"):
        store.put(name, f"value of {name}")
    store.delete("gone")
    for name in ("secret-a", "secret-b"):
        store.deny(name)
    answers = kinds(ask(store.provider(), store, ["a", "b", "gone", "never", "secret-a", "secret-b"], 20.0))
    assert answers == {
        **dict.fromkeys(["a", "b"], "found"),
        **dict.fromkeys(["gone", "never"], "missing"),
        **dict.fromkeys(["secret-a", "secret-b"], "denied"),
    }


def test_the_page_is_what_these_tests_prove() -> None:
    """docs/faults.md is the table above, to the letter: ``python -m tests.providers.faults`` writes it."""
    assert PAGE.read_text() == page()
