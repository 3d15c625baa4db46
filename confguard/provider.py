"""The contract between the core and a provider: the smallest thing that can be batched.

A provider is any object with ``schemes`` and ``fetch``; it needs no base class. The core hands it references of its schemes,
each once and without its fragment, and gets back a `Found` or a `Failure` for each. Deduplication, fragments, the deadline,
redaction and origins belong to the core; authentication, batching, concurrency limits and versions belong to the provider.

A provider may also have:

- ``parameters``, a frozenset of the parameter names that its references take (none unless told);
- ``local``, True where it reads this machine alone: fakes do not stand in for it unless told, and tests may fetch from it (False
  unless told);
- ``loggers``, a tuple of the names of its SDK's loggers, which say nothing from threads that fetch (those below them that are
  there already are included; name what the SDK makes only while it is used);
- ``warnings()``, which returns sentences about the way it is set up (certificate checks switched off, say);
- ``requests(refs)``, which returns at most how many requests a fetch of these references makes where all goes well, a login
  included; it asks neither the network nor the environment (one for each reference unless told; the path of one whose value is
  not known yet has the name of a field in braces);
- ``policy(refs, facts)``, which returns the least privilege that a fetch of these references needs, as the text of a policy of
  its store; ``facts`` are what a person says of the store and no plan can know; a `ValueError` says what to do where they are
  wrong;
- ``close()``, called after each fetch, whatever came of it; a provider given in code may be asked again by a later load.
"""

import socket
import threading
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import ClassVar, Literal, Protocol, TypeVar

from confguard._files import FILE_LIMIT, FileContent, FileFault, read_file, without_line_ending
from confguard._redaction import redactor
from confguard._reference import Reference
from confguard._version import __version__
from confguard._watched import watched

__all__ = [
    "FILE_LIMIT",
    "USER_AGENT",
    "Deadline",
    "Failure",
    "FailureKind",
    "FileContent",
    "FileFault",
    "Found",
    "Provider",
    "Reference",
    "fan_out",
    "hide",
    "read_file",
    "watched",
    "without_line_ending",
]

USER_AGENT: str = f"confguard-settings/{__version__}"
"""What requests to a store carry as user agent, so that its audit can tell who asked."""

FailureKind = Literal[
    "missing",  # the store says that there is no such value
    "denied",  # who we are is known, and may not read it
    "unauthenticated",  # no credential, or one that the store does not take
    "unavailable",  # no answer, a cut one, or a fault of the store
    "throttled",  # the store asks us to come back later
    "malformed",  # an answer, or a payload, of the wrong shape
    "unconfigured",  # where to ask, or how, is not set or cannot work
    "defect",  # the provider itself failed; made by the core and by `fan_out`, never by a provider
]

T = TypeVar("T", bound=Hashable)
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Found:
    """A payload, as the store gave it.

    Attributes:
        value: The payload. Text where the store says that it is text; an object is its JSON text.
        version: The version that was read, as the store names it.
        expires_at: Until when it is good, as an aware datetime. Kept as metadata; nothing acts on it.
    """

    value: str | bytes = field(repr=False)
    version: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a reference could not be fetched. Holds no secret and no text that a store wrote.

    Attributes:
        kind: One of the seven kinds.
        message: What happened, in a few words: ``"vault secret/app: 403"``.
        tip: What to do about it.
        retry_after: After how many seconds the store wants to be asked again.
        request_id: What the store's own log knows the request by.
    """

    kind: FailureKind
    message: str
    tip: str | None = None
    retry_after: float | None = None
    request_id: str | None = None


class Provider(Protocol):
    """Fetches the references of its schemes, many at a time."""

    schemes: ClassVar[frozenset[str]]

    def fetch(self, refs: Sequence[Reference], *, deadline: "Deadline") -> Mapping[Reference, Found | Failure]:
        """Fetch references, with their fragments taken off and no two of them equal.

        Called in a daemon thread. Every reference must be in the answer. Nothing that the SDK raises may leave it.
        """
        ...


class Deadline:
    """The one moment by which a load has its answers.

    It owns the sockets that providers hand to it. When it has passed they are shut down, which ends a blocked read at once,
    where a time-out per read would let a peer that trickles bytes hold a start for minutes.
    """

    def __init__(self, seconds: float) -> None:
        self._at = monotonic() + seconds
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._cut = False
        self._closed = False
        self.seconds = seconds

    def remaining(self) -> float:
        """Seconds that are left, never below 0."""
        return max(0.0, self._at - monotonic())

    @property
    def passed(self) -> bool:
        """Whether the time is over. What a blocking call returns after that must be thrown away: a cut body can look whole."""
        return self._cut or monotonic() >= self._at

    def watch(self, sock: socket.socket) -> None:
        """Shut this connection down when the time is over.

        A duplicate of the descriptor is kept, so that the connection stays known after TLS has taken the socket over. Not once
        the load has ended: a thread that nobody waits for any more may connect as late as that.
        """
        duplicate = sock.dup()
        with self._lock:
            late, kept = self._cut, not self._closed
            if kept:
                self._sockets.append(duplicate)
        if late:
            _shut_down(duplicate)
        if not kept:
            duplicate.close()

    def cut(self) -> None:
        """End every watched connection now. The core calls it when the time is over."""
        with self._lock:
            self._cut = True
            sockets = list(self._sockets)
        for sock in sockets:
            _shut_down(sock)

    def close(self) -> None:
        """Give the watched descriptors back. The core calls it when the load ends."""
        with self._lock:
            self._closed = True
            sockets, self._sockets = self._sockets, []
        for sock in sockets:
            sock.close()

    def failure(self, what: str) -> Failure:
        """The failure of something that had no answer in time: ``what`` names the store and the path."""
        return Failure(
            "unavailable",
            f"{what}: no answer within {self.seconds:g} s",
            tip="check that the store answers from here, or allow it more time (--timeout)",
        )


def _shut_down(sock: socket.socket) -> None:
    with suppress(OSError):  # it was never connected, or the peer was first
        sock.shutdown(socket.SHUT_RDWR)


def hide(*secrets: str) -> None:
    """Tell the redactor a credential that a provider logs in with, before the first request carries it."""
    for secret in secrets:
        redactor.learn(secret, "credential")


def fan_out(call: Callable[[T], R], items: Iterable[T], *, deadline: Deadline, limit: int = 16) -> dict[T, R | Failure]:
    """Make one blocking call an item, side by side in daemon threads, until the deadline.

    Executors join their threads when the interpreter exits, which held a process for 24 s behind a deadline of 1 s; daemon
    threads do not.

    Args:
        call: Called with one item. What it returns after the deadline is thrown away.
        items: What to call it with, each once.
        deadline: When to stop waiting. Items without a result by then fail as ``unavailable``.
        limit: How many threads at most; never more than 16.

    Returns:
        A result for every item, in the order of the items. A call that raises gives a `Failure` of the kind ``defect`` which
        names the exception's type and nothing else, since its text may hold a secret.
    """
    order = list(dict.fromkeys(items))
    waiting = list(reversed(order))
    results: dict[T, R | Failure] = {}
    done = threading.Condition()

    def work() -> None:
        while True:
            with done:
                if not waiting or deadline.passed:
                    return
                item = waiting.pop()
            result = _outcome(call, item)
            with done:
                if not deadline.passed:
                    results[item] = result
                if len(results) == len(order):
                    done.notify()

    for number in range(min(limit, 16, len(order))):
        threading.Thread(target=work, name=f"{threading.current_thread().name}-{number}", daemon=True).start()
    with done:
        done.wait_for(lambda: len(results) == len(order), timeout=deadline.remaining())
        return {item: results[item] if item in results else deadline.failure(str(item)) for item in order}


def _outcome(call: Callable[[T], R], item: T) -> R | Failure:
    """Call, and keep of an exception its type alone: text and frames may hold what was fetched."""
    try:
        return call(item)
    except BaseException as exc:  # noqa: BLE001 - told as a defect, with its type, never swallowed
        name = type(exc).__qualname__
    return Failure("defect", f"{item}: {name}", tip="this is a fault of the provider; please report it")
