"""Fetching: side by side, under one deadline, with threads that hold nothing up."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Annotated, Any, ClassVar

import pytest
from pydantic import SecretBytes, SecretStr, create_model

from confguard import BaseSettings, ConfigError, From, SettingsConfigDict, explain, validate
from confguard._stand_ins import guarded
from confguard.provider import Deadline, Failure, Found, Provider, Reference, fan_out
from tests.doubles import Hanging, Store

OURS = "this is a fault of the provider; please report it"


def settings_of(references: Mapping[str, str], *providers: Provider) -> type[BaseSettings]:
    """A settings class with a secret field for each reference."""

    class Base(BaseSettings):
        model_config = SettingsConfigDict(providers=providers)

    fields: dict[str, Any] = {name: (Annotated[SecretStr, From(reference)], ...) for name, reference in references.items()}
    return create_model("Settings", __base__=Base, **fields)


def kinds_of(settings_class: type[BaseSettings], timeout: float = 10) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        validate(settings_class, timeout=timeout)
    return {problem.field: problem.kind for problem in caught.value.problems}


def test_providers_are_asked_side_by_side() -> None:
    """Each provider waits for the other: asked one after the other, neither would answer."""
    barrier = threading.Barrier(2, timeout=5)

    class Meeting(Store):
        def fetch(self, refs: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Found | Failure]:
            barrier.wait()
            return {ref: Found("x") for ref in refs}

    class Other(Meeting):
        schemes: ClassVar[frozenset[str]] = frozenset({"other"})

    settings: Any = validate(settings_of({"a": "store://a", "b": "other://b"}, Meeting(), Other()))
    assert settings.a.get_secret_value() == settings.b.get_secret_value() == "x"


def test_a_provider_that_hangs_costs_its_own_fields_alone(store: Store) -> None:
    """At the deadline, what one provider answered is kept, and what another did not is unavailable."""
    store.put("a", "what a store holds")
    hanging = Hanging()
    started = monotonic()
    assert kinds_of(settings_of({"a": "store://a", "b": "hanging://b"}, store, hanging), timeout=0.3) == {"b": "unavailable"}
    assert monotonic() - started < 0.3 * 1.1 + 0.2
    hanging.release.set()


def test_the_deadline_of_a_load_cuts_its_connections() -> None:
    """A thread that is blocked on a connection ends with the load, and not with its own time-out."""
    left, right = socket.socketpair()
    threads: list[threading.Thread] = []

    class Blocked(Store):
        def fetch(self, refs: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Found | Failure]:
            threads.append(threading.current_thread())
            deadline.watch(left)
            left.recv(1)
            return {}

    assert kinds_of(settings_of({"a": "store://a"}, Blocked()), timeout=0.2)["a"] in ("unavailable", "defect")
    threads[0].join(5)
    assert not threads[0].is_alive()
    left.close()
    right.close()


def test_fetching_threads_are_daemons_and_named(store: Store) -> None:
    """A thread that fetches keeps no interpreter alive and can be told by its name."""
    store.put("a", "x")
    validate(settings_of({"a": "store://a"}, store))
    (thread,) = store.threads
    assert (thread.daemon, thread.name) == (True, "confguard-store")


def test_the_deadline_holds_when_the_interpreter_exits(tmp_path: Path) -> None:
    """A process whose provider never returns ends soon after its deadline, measured from outside."""
    script = tmp_path / "hang.py"
    script.write_text(
        "import threading\n"
        "from typing import Annotated\n"
        "from pydantic import SecretStr\n"
        "from confguard import BaseSettings, From, SettingsConfigDict, validate\n"
        "class Hanging:\n"
        "    schemes = frozenset({'hanging'})\n"
        "    def fetch(self, refs, *, deadline):\n"
        "        threading.Event().wait(60)\n"
        "class Settings(BaseSettings):\n"
        "    model_config = SettingsConfigDict(providers=[Hanging()])\n"
        "    a: Annotated[SecretStr, From('hanging://a')]\n"
        "validate(Settings, timeout=0.5)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert "no answer within 0.5 s" in done.stderr


@pytest.mark.parametrize("reply", [None, [], {}, "text", {"store://a": Found("x")}])
def test_a_reply_that_breaks_the_contract_is_a_defect(reply: Any) -> None:
    """What is no mapping of references to answers is the provider's fault, and named so."""

    class Broken(Store):
        def fetch(self, refs: Sequence[Reference], *, deadline: Deadline) -> Any:
            return reply

    with pytest.raises(ConfigError) as caught:
        validate(settings_of({"a": "store://a"}, Broken()))
    (problem,) = caught.value.problems
    assert (problem.kind, problem.message, problem.tip) == ("defect", f"{Broken.__qualname__} gave no answer for store://a", OURS)


def test_a_reference_that_nobody_can_be_asked_for_keeps_none_from_being_asked(store: Store) -> None:
    """It is told beside what the store says of those after it, by the scheme that nobody serves and not by its parameters."""
    with pytest.raises(ConfigError) as caught:
        validate(settings_of({"a": "stoer://a?version=1", "b": "store://b"}, store))
    assert {problem.field: (problem.kind, problem.message) for problem in caught.value.problems} == {
        "a": ("unconfigured", "no provider for stoer://"),
        "b": ("missing", "store b: there is no such value"),
    }


def test_a_provider_that_one_class_is_given_answers_no_other_class(store: Store) -> None:
    """Classes that are loaded together have their own providers each."""
    store.put("a", "what a store holds")
    with pytest.raises(ConfigError) as caught:
        validate(settings_of({"a": "store://a"}, store, Hanging()), settings_of({"b": "store://a"}))
    assert [(problem.field, problem.kind) for problem in caught.value.problems] == [("b", "unconfigured")]


def test_no_connection_is_cut_before_the_deadline() -> None:
    """A provider that has time left may wait for bytes."""
    left, right = socket.socketpair()
    left.settimeout(0.3)
    ends: list[str] = []

    class Waiting(Store):
        def fetch(self, refs: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Found | Failure]:
            deadline.watch(left)
            try:
                left.recv(1)
                ends.append("cut")
            except TimeoutError:
                ends.append("its own time-out")
            return {ref: Found("x") for ref in refs}

    validate(settings_of({"a": "store://a"}, Waiting()))
    assert ends == ["its own time-out"]
    left.close()
    right.close()


def test_a_round_that_is_answered_leaves_the_deadline_to_the_next() -> None:
    """An alternative is asked for with the time that is left, and not as if it was over."""
    passed: list[bool] = []

    class Noting(Store):
        def fetch(self, refs: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Found | Failure]:
            passed.append(deadline.passed)
            return super().fetch(refs, deadline=deadline)

    store = Noting()
    store.put("old", "what a store holds")

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(providers=[store])

        a: Annotated[SecretStr, From("store://new", "store://old")]

    validate(Settings)
    assert passed == [False, False]


def test_who_guards_a_test_refuses_what_would_be_fetched(store: Store) -> None:
    """The reason is told of the field, and the provider is not asked."""
    store.put("a", "what a store holds")
    refused = Failure("unconfigured", "not in this test")
    with guarded(lambda references: dict.fromkeys(references, refused)), pytest.raises(ConfigError) as caught:
        validate(settings_of({"a": "store://a"}, store))
    assert [(problem.kind, problem.message) for problem in caught.value.problems] == [("unconfigured", "not in this test")]
    assert (store.asked, store.closed) == ([], 0)


def test_who_guards_a_test_refuses_before_an_sdk_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that may not fetch is told that, and not to install what it would not need; a class's mistake is told as it is."""
    for name in ("hvac", "hvac.adapters"):
        monkeypatch.setitem(sys.modules, name, None)
    refused = Failure("unconfigured", "not in this test")
    settings_class = settings_of({"a": "vault://secret/a", "b": "nobody://b"})
    with guarded(lambda references: dict.fromkeys(references, refused)), pytest.raises(ConfigError) as caught:
        validate(settings_class)
    told = {problem.field: problem.message for problem in caught.value.problems}
    assert told["a"] == "not in this test"
    assert told["b"] != "not in this test"


def given(answer: Any) -> dict[str, str]:
    """The kind of problem that a provider's answer becomes, whatever it is made of."""

    class Giving(Store):
        def fetch(self, refs: Sequence[Reference], *, deadline: Deadline) -> Any:
            return dict.fromkeys(refs, answer)

    return kinds_of(settings_of({"a": "store://a"}, Giving()))


@pytest.mark.parametrize(
    "answer",
    [
        {"kind": "gone"},
        {"message": None},
        {"tip": 5},
        {"request_id": b"4f2a"},
        {"retry_after": "soon"},
    ],
)
def test_a_failure_that_is_made_of_something_else_is_a_defect(answer: Mapping[str, Any]) -> None:
    """A report is made of what a failure says; what it cannot show is the provider's fault."""
    made: Any = Failure
    assert given(made(**{"kind": "missing", "message": "there is none", **answer})) == {"a": "defect"}


@pytest.mark.parametrize("retry_after", [None, 3, 0.5])
def test_a_failure_is_told_as_the_provider_gave_it(retry_after: float | None) -> None:
    """It need not say when to come again, and may in whole seconds or parts of one."""
    assert given(Failure("throttled", "too many requests", "ask less", retry_after, "4f2a")) == {"a": "throttled"}


@pytest.mark.parametrize("found", [{"value": 5}, {"value": None}, {"version": 7}])
def test_a_value_that_is_neither_text_nor_bytes_is_a_defect(found: Mapping[str, Any]) -> None:
    """So is a version that is no text; the other answers of the same batch are taken."""
    made: Any = Found
    assert given(made(**{"value": "x", **found})) == {"a": "defect"}

    class Giving(Store):
        def fetch(self, refs: Sequence[Reference], *, deadline: Deadline) -> Any:
            return {ref: made(**{"value": "long enough", **(found if ref.path == "a" else {})}) for ref in refs}

    assert kinds_of(settings_of({"a": "store://a", "b": "store://b"}, Giving())) == {"a": "defect"}


@pytest.mark.parametrize(
    ("value", "version", "shown"),
    [
        ("k3y-of-a-store", "k3y-of-a-store", None),
        ("k3y-of-a-store", "of-a", None),
        ("k3y-of-a-store", "v k3y-of-a-store", None),
        (b"k3y-of-a-store", "of-a", None),
        (b"\xffk3y-of-a-store\xfe", "k3y-of-a-store", None),
        ("k3y-of-a-store", "k3y", "k3y"),
        ("k3y", "k3y-of", "k3y-of"),
        ("k3y-of-a-store", "2026-01", "2026-01"),
        ("k3y-of-a-store", None, None),
    ],
)
def test_a_version_is_shown_unless_it_tells_the_value(value: str | bytes, version: str | None, shown: str | None) -> None:
    """One that is the value, four or more characters of it, or more than it, is left out of what is explained."""
    store = Store()
    store.put("a", value, version)

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(providers=[store])

        a: Annotated[SecretBytes, From("store://a")]

    (row,) = explain(validate(Settings))
    assert row.origin is not None
    assert row.origin.version == shown


@pytest.mark.parametrize(
    ("raised", "kind", "message", "tip"),
    [
        (
            ModuleNotFoundError("gone", name="acme_sdk"),
            "unconfigured",
            "store:// needs the module acme_sdk, which is not installed",
            "install what the provider of this scheme needs",
        ),
        (KeyError("what a store holds"), "defect", "Store raised KeyError", OURS),
        (SystemExit("what a store holds"), "defect", "Store raised SystemExit", OURS),
    ],
)
def test_what_a_provider_raises_is_told_by_its_type(
    store: Store, raised: BaseException, kind: str, message: str, tip: str
) -> None:
    """Of a module that is missing its name is told, and of nothing the text, which may hold a secret."""
    store.fail("a", raised)
    with pytest.raises(ConfigError) as caught:
        validate(settings_of({"a": "store://a"}, store))
    (problem,) = caught.value.problems
    assert (problem.kind, problem.message, problem.tip) == (kind, message, tip)


def test_a_reply_that_raises_when_it_is_read_is_a_defect_at_once() -> None:
    """No thread dies of it with the text of an exception on standard error, and nobody waits for the deadline."""

    class Raising(dict[Reference, Found | Failure]):
        def get(self, *_: object) -> Any:
            raise KeyError("what a store holds")

    class Odd:
        schemes: ClassVar[frozenset[str]] = frozenset({"store"})

        def fetch(self, refs: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Found | Failure]:
            return Raising()

    with pytest.raises(ConfigError) as caught:
        validate(settings_of({"a": "store://a"}, Odd()))
    (problem,) = caught.value.problems
    assert (problem.kind, problem.message) == ("defect", f"{Odd.__qualname__} raised KeyError")


def test_a_provider_is_closed_whatever_came_of_its_fetch(store: Store) -> None:
    """A provider that raised is closed as one that answered."""
    store.fail("a", ValueError())
    kinds_of(settings_of({"a": "store://a"}, store))
    assert store.closed == 1


def test_an_sdk_that_is_not_installed_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without hvac a Vault reference is unconfigured, and the tip installs the extra under our distribution's name."""
    for name in ("hvac", "hvac.adapters"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:9")
    monkeypatch.setenv("VAULT_TOKEN", "t0ken")
    with pytest.raises(ConfigError) as caught:
        validate(settings_of({"a": "vault://secret/a"}))
    (problem,) = caught.value.problems
    assert (problem.kind, problem.tip) == ("unconfigured", "pip install 'confguard-settings[vault]'")


def test_warnings_of_a_provider_are_told(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """What a provider says about the way it is set up is logged where it does not keep a service from starting."""

    class Careless(Store):
        def warnings(self) -> list[str]:
            return ["certificates are not checked"]

    careless = Careless()
    careless.put("a", "what a store holds")
    validate(settings_of({"a": "store://a"}, careless))
    assert [record.getMessage() for record in caplog.records if record.name == "confguard"] == [
        "tests.test_resolver:Settings: store: certificates are not checked"
    ]


def test_an_sdks_log_records_of_a_fetch_go_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """Records of a provider's loggers, and of their children, are dropped from fetching threads and from no other."""
    import logging

    logger, child = logging.getLogger("some_sdk"), logging.getLogger("some_sdk.pool")

    class Chatty(Store):
        loggers: ClassVar[tuple[str, ...]] = ("some_sdk",)

        def fetch(self, refs: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Found | Failure]:
            logger.debug("fetching")
            child.warning("fetching")
            return super().fetch(refs, deadline=deadline)

    chatty = Chatty()
    chatty.put("a", "x")
    with caplog.at_level(logging.DEBUG):
        logger.info("before")
        validate(settings_of({"a": "store://a"}, chatty))
        child.info("after")
    assert [record.message for record in caplog.records if record.name.startswith("some_sdk")] == ["before", "after"]


def test_fan_out_calls_side_by_side_and_keeps_the_order() -> None:
    """Sixteen calls wait for each other, in threads that keep no interpreter alive; results come in the order of the items."""
    barrier = threading.Barrier(16, timeout=5)
    daemons: list[bool] = []

    def call(item: int) -> int:
        barrier.wait()
        daemons.append(threading.current_thread().daemon)
        return item * 2

    assert fan_out(call, range(16), deadline=Deadline(5)) == {item: item * 2 for item in range(16)}
    assert daemons == [True] * 16


def test_fan_out_never_runs_more_than_its_limit() -> None:
    """No more calls are under way at once than allowed, and all are made."""
    lock, running, most = threading.Lock(), 0, 0

    def call(item: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        with lock:
            running -= 1
        return item

    assert len(fan_out(call, range(200), deadline=Deadline(5), limit=3)) == 200
    assert most <= 3


def test_fan_out_gives_what_it_has_at_the_deadline() -> None:
    """Calls that ended in time count; one that did not is unavailable, and what it returns later is thrown away."""
    release = threading.Event()

    def call(item: str) -> Found:
        if item == "slow":
            release.wait(10)
        return Found(item)

    deadline = Deadline(0.2)
    results = fan_out(call, ["fast", "slow"], deadline=deadline)
    release.set()
    assert results == {"fast": Found("fast"), "slow": deadline.failure("slow")}


def _descriptors(sock: socket.socket) -> int:
    """How many descriptors of this process are of a socket."""
    this = f"socket:[{os.fstat(sock.fileno()).st_ino}]"
    return sum(os.path.lexists(entry) and str(entry.readlink()) == this for entry in Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize("cut", [False, True])
def test_a_deadline_that_is_closed_keeps_no_descriptor(cut: bool) -> None:
    """A thread that was left behind connects after its load: nothing is kept, and what was cut before is shut down at once."""
    deadline = Deadline(10)
    if cut:
        deadline.cut()
    deadline.close()
    left, right = socket.socketpair()
    with left, right:
        deadline.watch(left)
        assert _descriptors(left) == 1
        right.setblocking(False)
        if cut:
            assert right.recv(1) == b""
        else:
            left.sendall(b"x")
            assert right.recv(1) == b"x"


def test_a_deadline_ends_a_blocked_read() -> None:
    """Cutting a deadline wakes a thread that waits for bytes on a watched socket."""
    left, right = socket.socketpair()
    deadline = Deadline(30)
    deadline.watch(left)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(left.recv(1)), daemon=True)
    reader.start()
    deadline.cut()
    reader.join(5)
    assert read == [b""]
    assert deadline.passed
    deadline.close()
    left.close()
    right.close()


def test_a_socket_that_comes_late_is_cut_at_once() -> None:
    """A connection that is made after the deadline is shut down when it is handed over."""
    left, right = socket.socketpair()
    deadline = Deadline(30)
    deadline.cut()
    deadline.watch(left)
    assert left.recv(1) == b""
    deadline.close()
    left.close()
    right.close()
