"""What type checkers see of `confguard.provider`: the code of a provider's author. Checked by mypy and pyright, and never run."""

import datetime
import socket
from collections.abc import Mapping, Sequence
from http.client import HTTPSConnection
from typing import ClassVar, Literal, assert_type

from confguard.provider import (
    FILE_LIMIT,
    USER_AGENT,
    Deadline,
    Failure,
    FailureKind,
    FileContent,
    FileFault,
    Found,
    Provider,
    Reference,
    fan_out,
    hide,
    read_file,
    watched,
    without_line_ending,
)


class Memory:
    """A provider as an author writes it: no base class, two names."""

    schemes: ClassVar[frozenset[str]] = frozenset({"memory"})

    def fetch(self, refs: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Found | Failure]:
        """Fetch from nowhere."""
        hide("password", "another")
        return fan_out(self._get, refs, deadline=deadline)

    def _get(self, ref: Reference) -> Found | Failure:
        kind: FailureKind = "missing"
        return Found(ref.path) if ref.param("version") is None else Failure(kind, f"{ref}: no")


class Whole(Memory):
    """One with all that a provider may have."""

    parameters: ClassVar[frozenset[str]] = frozenset({"version"})
    loggers: ClassVar[tuple[str, ...]] = ("sdk",)

    def warnings(self) -> Sequence[str]:
        """What is unsafe."""
        return ()

    def requests(self, refs: Sequence[Reference]) -> int:
        """At most how many."""
        return len(refs)

    def policy(self, refs: Sequence[Reference], facts: Mapping[str, str]) -> str:
        """What they need."""
        return f"{len(refs)} {facts.get('account', '')}"

    def close(self) -> None:
        """Nothing to close."""


class Narrow:
    """A provider may promise more than it has to."""

    schemes: ClassVar[frozenset[str]] = frozenset({"narrow"})

    def fetch(self, refs: Sequence[Reference], *, deadline: Deadline) -> dict[Reference, Found]:
        """Find everything."""
        return {
            ref: Found(b"", version="1", expires_at=datetime.datetime.now(datetime.UTC)) for ref in refs if not deadline.passed
        }


class WithoutSchemes:
    """It serves nothing."""

    def fetch(self, refs: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Found | Failure]:
        """Fetch."""
        return {}


class WithoutDeadline:
    """It cannot be told when to stop."""

    schemes: ClassVar[frozenset[str]] = frozenset({"slow"})

    def fetch(self, refs: Sequence[Reference]) -> Mapping[Reference, Found | Failure]:
        """Fetch."""
        return {}


class GivesNone:
    """It does not say why there is no value."""

    schemes: ClassVar[frozenset[str]] = frozenset({"vague"})

    def fetch(self, refs: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Found | None]:
        """Fetch."""
        return {}


class Async:
    """It gives something to be awaited."""

    schemes: ClassVar[frozenset[str]] = frozenset({"async"})

    async def fetch(self, refs: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Found | Failure]:
        """Fetch."""
        return {}


providers: list[Provider] = [
    Memory(),
    Whole(),
    Narrow(),
    WithoutSchemes(),  # type: ignore[list-item] # pyright: ignore[reportAssignmentType]
]
without_deadline: Provider = WithoutDeadline()  # type: ignore[assignment] # pyright: ignore[reportAssignmentType]
gives_none: Provider = GivesNone()  # type: ignore[assignment] # pyright: ignore[reportAssignmentType]
gives_a_coroutine: Provider = Async()  # type: ignore[assignment] # pyright: ignore[reportAssignmentType]


def what_a_provider_is_given(ref: Reference, deadline: Deadline, sock: socket.socket) -> None:
    """References and the deadline."""
    assert_type(ref.scheme, str)
    assert_type(ref.path, str)
    assert_type(ref.params, tuple[tuple[str, str], ...])
    assert_type(ref.param("version"), str | None)
    assert_type({ref: 1}, dict[Reference, int])
    assert_type(deadline.remaining(), float)
    assert_type(deadline.passed, bool)
    assert_type(deadline.failure("memory a"), Failure)
    deadline.watch(sock)
    deadline.cut()
    deadline.close()
    ref.path = "elsewhere"  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
    ref.param(1)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    deadline.watch(sock.fileno())  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    deadline.passed = True  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
    Deadline("2")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def what_a_provider_answers(found: Found, failure: Failure) -> None:
    """A value, or one of the kinds of failure."""
    assert_type(found.value, str | bytes)
    assert_type(found.expires_at, datetime.datetime | None)
    assert_type(failure.kind, FailureKind)
    assert_type(failure.retry_after, float | None)
    Failure("throttled", "memory a: 429", tip="wait", retry_after=2.5, request_id="4f2a")
    Found(None)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    Found("", expires_at=1.5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    Failure("gone", "message")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    Failure("missing")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    failure.kind = "denied"  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
    hide(b"password")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def how_calls_are_fanned_out(deadline: Deadline) -> None:
    """The results have the types of the items and of what the call returns, or are failures."""
    assert_type(fan_out(len, ["a", "b"], deadline=deadline, limit=2), dict[str, int | Failure])
    fan_out(len, ["a"])  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    fan_out(len, ["a"], deadline=2.5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    fan_out(abs, ["a"], deadline=deadline)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    fan_out(len, [["a"]], deadline=deadline)  # type: ignore[type-var] # pyright: ignore[reportArgumentType]


def what_helps_to_write_one(deadline: Deadline) -> str:
    """Files, and connections of an SDK."""
    read = read_file("/run/secrets/token", roots=["/run/secrets"], limit=FILE_LIMIT)
    assert_type(read, FileContent | FileFault)
    if isinstance(read, FileFault):
        assert_type(read.kind, Literal["missing", "denied", "malformed", "unconfigured"])
        return Failure(read.kind, read.message, read.tip).message
    assert_type(read.data, bytes)
    assert_type(read.mode, int)
    assert_type(watched(HTTPSConnection, deadline.watch), type[HTTPSConnection])
    assert_type(USER_AGENT, str)
    _ = read.text  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]
    read_file(3)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    without_line_ending(read.data)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    return without_line_ending(read.data.decode())
