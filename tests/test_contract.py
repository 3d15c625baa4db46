"""The tests of the provider contract: a provider of others passes them, and ways of breaking the contract each fail one.

Not broken here are those that need a server, and the one on parameters, which the core refuses itself.
"""

import os
import secrets
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import ClassVar

import pytest

from confguard import ConfigError
from confguard.provider import Deadline, Failure, FailureKind, Found, Provider, Reference
from confguard.testing import ContractStore, ProviderContract

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "docs" / "examples" / "sqlite-provider"
Answer = Found | Failure
Fetch = Callable[["Memory", Sequence[Reference]], Mapping[Reference, Answer]]


class Memory:
    """A provider that keeps the contract, unless it is told how to break it."""

    schemes: ClassVar[frozenset[str]] = frozenset({"memory"})

    def __init__(self, values: dict[str, str | bytes], denied: set[str], breach: Fetch | None = None) -> None:
        self.values, self.denied, self.breach = values, denied, breach

    def fetch(self, refs: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Answer]:
        return self.breach(self, refs) if self.breach else self.answers(refs)

    def answers(self, refs: Sequence[Reference]) -> dict[Reference, Answer]:
        return {ref: self.answer(ref) for ref in refs}

    def answer(self, ref: Reference) -> Answer:
        if ref.path in self.denied:
            return Failure("denied", f"memory {ref.path}: denied", "it needs the permission to read")
        return Found(self.values[ref.path]) if ref.path in self.values else Failure("missing", f"memory {ref.path}: not there")


class MemoryStore(ContractStore):
    def __init__(self, breach: Fetch | None = None) -> None:
        self.values: dict[str, str | bytes] = {}
        self.denied: set[str] = set()
        self.breach = breach

    def reference(self, name: str) -> str:
        return f"memory://{name}"

    def provider(self, port: int | None = None) -> Provider:
        return Memory(self.values, self.denied, self.breach)

    def put(self, name: str, value: str | bytes) -> None:
        self.values[name] = value

    def delete(self, name: str) -> None:
        del self.values[name]

    def deny(self, name: str) -> None:
        self.denied.add(name)

    def failing(self) -> Mapping[FailureKind, Provider]:
        throttled: Answer = Failure("throttled", "memory: later")
        return {"throttled": Memory(self.values, self.denied, self.breach or (lambda _, refs: dict.fromkeys(refs, throttled)))}


class TestMemory(ProviderContract):
    """The provider above passes while it keeps the contract, or the breaches below would prove nothing."""

    server = False

    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()


def only_the_first(own: Memory, refs: Sequence[Reference]) -> Mapping[Reference, Answer]:
    return {ref: own.answer(ref) for ref in refs[:1]}


def missing_for_all(own: Memory, refs: Sequence[Reference]) -> Mapping[Reference, Answer]:
    answers = own.answers(refs)
    missing = next((answer for answer in answers.values() if isinstance(answer, Failure)), None)
    return dict.fromkeys(refs, missing) if missing else answers


def denied_as_missing(own: Memory, refs: Sequence[Reference]) -> Mapping[Reference, Answer]:
    return {ref: own.answer(ref) if ref.path not in own.denied else Failure("missing", "memory: not there") for ref in refs}


def stripped(own: Memory, refs: Sequence[Reference]) -> Mapping[Reference, Answer]:
    return {
        ref: Found(answer.value.strip()) if isinstance(answer, Found) else answer for ref, answer in own.answers(refs).items()
    }


def cut_short(own: Memory, refs: Sequence[Reference]) -> Mapping[Reference, Answer]:
    return {ref: Found(answer.value[:4096]) if isinstance(answer, Found) else answer for ref, answer in own.answers(refs).items()}


def all_text(own: Memory, refs: Sequence[Reference]) -> Mapping[Reference, Answer]:
    return {ref: as_text(answer) for ref, answer in own.answers(refs).items()}


def as_text(answer: Answer) -> Answer:
    if isinstance(answer, Found) and isinstance(answer.value, bytes):
        return Found(answer.value.decode(errors="replace"))
    return answer


def remembered(own: Memory, refs: Sequence[Reference]) -> Mapping[Reference, Answer]:
    cache: dict[Reference, Answer] = own.__dict__.setdefault("cache", {})
    return {ref: cache.setdefault(ref, own.answer(ref)) for ref in refs}


def shared_state(own: Memory, refs: Sequence[Reference]) -> Mapping[Reference, Answer]:
    own.__dict__["current"] = refs
    meeting: threading.Barrier = own.__dict__.setdefault("meeting", threading.Barrier(8))
    if refs[0].path.startswith("thread-"):
        meeting.wait(5)
    return own.answers(own.__dict__["current"])


def raising(own: Memory, refs: Sequence[Reference]) -> Mapping[Reference, Answer]:
    raise LookupError(own.values.get(refs[0].path))


def unavailable(own: Memory, refs: Sequence[Reference]) -> Mapping[Reference, Answer]:
    return dict.fromkeys(refs, Failure("unavailable", "memory: closed"))


def telling(own: Memory, refs: Sequence[Reference]) -> Mapping[Reference, Answer]:
    return {
        ref: answer if isinstance(answer, Found) else Failure(answer.kind, f"not there, but {list(own.values.values())}")
        for ref, answer in own.answers(refs).items()
    }


LEFT = threading.Event()


def leaving_a_thread(own: Memory, refs: Sequence[Reference]) -> Mapping[Reference, Answer]:
    threading.Thread(target=LEFT.wait, args=[30], daemon=True).start()
    return own.answers(refs)


BREACHES: Mapping[str, Fetch] = {
    "test_many_are_answered_in_one_fetch": only_the_first,
    "test_one_that_is_missing_takes_nothing_with_it": missing_for_all,
    "test_what_may_not_be_read_is_denied": denied_as_missing,
    "test_each_payload_is_asked_for_once": raising,
    "test_texts_come_back_as_they_were": stripped,
    "test_the_largest_value_comes_back_whole": cut_short,
    "test_bytes_come_back_as_they_were": all_text,
    "test_a_new_value_is_seen_by_the_next_load": remembered,
    "test_loads_side_by_side_do_not_disturb_each_other": shared_state,
    "test_failures_are_of_their_kinds": unavailable,
    "test_failures_and_records_hold_no_secret": telling,
    "test_nothing_is_left_behind": leaving_a_thread,
}


@pytest.mark.parametrize("name", BREACHES)
def test_each_breach_of_the_contract_fails_its_test(name: str) -> None:
    """A provider that breaks one clause fails the test of that clause; none of these tests passes whatever happens."""
    LEFT.clear()
    with pytest.raises((AssertionError, ConfigError)):
        getattr(TestMemory(), name)(MemoryStore(BREACHES[name]))
    LEFT.set()


def test_what_a_store_cannot_do_is_no_test() -> None:
    """A fact that rules tests out takes them away, where a skipped test would look like one."""

    class Small(ProviderContract):
        permissions = False
        server = False

    assert Small.test_what_may_not_be_read_is_denied is None
    assert Small.test_a_cut_connection_is_unavailable is None
    assert callable(ProviderContract.test_what_may_not_be_read_is_denied)


def test_the_example_is_a_wheel_of_its_own_and_passes(tmp_path: Path) -> None:
    """The documented provider, built as a wheel and installed, is found by its entry point and passes the contract."""
    packages = tmp_path / "packages"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    copy = tmp_path / "source"
    copy.mkdir()
    for file in EXAMPLE.iterdir():
        if file.is_file():
            (copy / file.name).write_bytes(file.read_bytes())
    build = [*pip, "wheel", "--no-index", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(copy)]
    subprocess.run(build, check=True, capture_output=True, timeout=120)
    [wheel] = tmp_path.glob("*.whl")
    install = [*pip, "install", "--no-index", "--no-deps", "--target", str(packages), str(wheel)]
    subprocess.run(install, check=True, capture_output=True, timeout=120)
    environment = {**os.environ, "PYTHONPATH": str(packages), "SETTINGS_DB": "shop.db"}

    tests = tmp_path / "tests"
    tests.mkdir()
    (tests / "test_contract.py").write_bytes((EXAMPLE / "test_contract.py").read_bytes())
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tests, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
    assert "12 passed" in done.stdout

    (tests / "service.py").write_text(
        "from typing import Annotated\nfrom pydantic import SecretStr\nfrom confguard import BaseSettings, From\n"
        "class Settings(BaseSettings):\n    key: Annotated[SecretStr, From('sqlite://key')]\n"
    )
    with closing(sqlite3.connect(tests / "shop.db")) as shop, shop:
        shop.execute("CREATE TABLE settings (name, value)")
        shop.execute("INSERT INTO settings VALUES ('key', ?)", [secrets.token_urlsafe()])
    check = [sys.executable, "-m", "confguard", "check", "service:Settings"]
    done = subprocess.run(check, cwd=tests, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, "1 from sqlite" in done.stdout) == (0, True), done.stdout + done.stderr


def test_the_page_shows_the_example_to_the_letter() -> None:
    """What a reader copies from the page is the provider, and the tests, that pass above."""
    page = (ROOT / "docs" / "writing-a-provider.md").read_text()
    for name in ("confguard_sqlite.py", "test_contract.py"):
        assert f"```python\n# {name}\n{(EXAMPLE / name).read_text()}```" in page, name
