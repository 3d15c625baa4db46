"""The only room that does remote I/O: providers side by side, each in a daemon thread, under one deadline."""

import queue
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, get_args

from confguard._forms import SHORTEST
from confguard._quiet import THREAD_PREFIX, quiet
from confguard._reference import Reference
from confguard._registry import cannot_ask, find_provider, lacks_sdk, sdk_missing
from confguard._stand_ins import refusals
from confguard.provider import Deadline, Failure, FailureKind, Found, Provider

Answer = Found | Failure

_KINDS = get_args(FailureKind)

# How long a provider may take to hand over what it has, once its sockets are shut: a tenth of the deadline, within reason.
_GRACE = 0.1, 0.5


@dataclass(frozen=True, slots=True)
class Ask:
    """One payload that is wanted of one settings class.

    Attributes:
        reference: The payload, without fragment.
        configured: The providers given in the class's code, asked before ours.
    """

    reference: Reference
    configured: Sequence[Provider]


@dataclass(frozen=True, slots=True)
class Progress:
    """What one provider is doing.

    Attributes:
        scheme: The scheme that it serves.
        count: How many payloads it was asked for.
        seconds: How long it took; None while it is at it.
        failed: How many of them it could not give.
    """

    scheme: str
    count: int
    seconds: float | None = None
    failed: int = 0


Watcher = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Resolved:
    """What came of asking.

    Attributes:
        answers: For each ask, in their order, its payload or why there is none.
        warnings: Scheme and sentence of what providers say about the way they are set up.
    """

    answers: Sequence[Answer]
    warnings: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class _Batch:
    """What one provider is asked for."""

    provider: Provider
    scheme: str
    references: dict[Reference, None]


def unwatched(_: Progress) -> None:
    """Nobody watches."""


def resolve(asks: Sequence[Ask], deadline: Deadline, watcher: Watcher = unwatched) -> Resolved:
    """Fetch payloads, each once, all providers side by side.

    Args:
        asks: What to fetch.
        deadline: What has no answer by then is ``unavailable``.
        watcher: Told in the calling thread when a provider is asked and when it has answered.
    """
    places, batches = _batches(asks)
    quiet(name for batch in batches for name in getattr(batch.provider, "loggers", ()))
    replies = _run(batches, deadline, watcher)
    answers = [
        _told(ask.reference, place)
        if isinstance(place, Failure)
        else replies[place].get(ask.reference) or deadline.failure(str(ask.reference))
        for ask, place in zip(asks, places, strict=True)
    ]
    warnings = tuple((batch.scheme, sentence) for batch in batches for sentence in _warnings(batch.provider))
    return Resolved(answers, warnings)


def _told(reference: Reference, failure: Failure) -> Failure:
    """Why nobody can be asked. Where a test would be refused to ask anyway, it is told that, and not what is to be installed."""
    refused = refusals(None, [reference]) if lacks_sdk(reference.scheme) else None
    return failure if refused is None else refused[reference]


def _warnings(provider: Provider) -> Sequence[str]:
    tell: Callable[[], Sequence[str]] | None = getattr(provider, "warnings", None)
    return tell() if tell is not None else ()


def unanswerable(asks: Sequence[Ask]) -> Sequence[Failure | None]:
    """For each ask, why it can be asked of nobody, as far as that is known without a network."""
    return [place if isinstance(place, Failure) else None for place in _batches(asks)[0]]


def requests_of(asks: Sequence[Ask]) -> Mapping[str, int]:
    """By scheme, at most how many requests one round of these makes where all goes well, as far as providers tell."""
    counts: dict[str, int] = {}
    for batch in _batches(asks)[1]:
        count: Callable[[Sequence[Reference]], int] = getattr(batch.provider, "requests", len)
        for scheme in dict.fromkeys(reference.scheme for reference in batch.references):
            counts[scheme] = counts.get(scheme, 0) + count([one for one in batch.references if one.scheme == scheme])
    return counts


def _batches(asks: Sequence[Ask]) -> tuple[list[int | Failure], list[_Batch]]:
    """For each ask the number of its batch, or why nobody can be asked; and the batches, one for each provider."""
    made: list[Provider] = []
    numbers: dict[int, int] = {}
    batches: list[_Batch] = []
    places: list[int | Failure] = []
    for ask in asks:
        provider = _provider_of(ask, made)
        if isinstance(provider, Failure):
            places.append(provider)
            continue
        number = numbers.setdefault(id(provider), len(batches))
        if number == len(batches):
            batches.append(_Batch(provider, ask.reference.scheme, {}))
            if not any(provider is known for known in ask.configured):
                made.append(provider)  # one of ours serves several schemes and classes, and is made once
        batches[number].references[ask.reference] = None
        places.append(number)
    return places, batches


def _provider_of(ask: Ask, made: Sequence[Provider]) -> Provider | Failure:
    provider = find_provider(ask.reference.scheme, ask.configured, made)
    return provider if isinstance(provider, Failure) else cannot_ask(provider, ask.reference) or provider


def _run(batches: Sequence[_Batch], deadline: Deadline, watcher: Watcher) -> list[Mapping[Reference, Answer]]:
    """Ask every provider in a thread of its own, and wait no longer than the deadline and a grace."""
    replies: _Replies = queue.SimpleQueue()
    began = perf_counter()

    def work(number: int, batch: _Batch) -> None:
        replies.put((number, _ask(batch, deadline)))

    def note(number: int, reply: Mapping[Reference, Answer]) -> None:
        failed = sum(isinstance(answer, Failure) for answer in reply.values())
        watcher(Progress(batches[number].scheme, len(batches[number].references), perf_counter() - began, failed))

    for number, batch in enumerate(batches):
        watcher(Progress(batch.scheme, len(batch.references)))
        threading.Thread(target=work, args=(number, batch), name=f"{THREAD_PREFIX}{batch.scheme}", daemon=True).start()
    received: dict[int, Mapping[Reference, Answer]] = {}
    _collect(replies, received, len(batches), deadline.remaining(), note)
    if len(received) < len(batches):
        deadline.cut()
        share, most = _GRACE
        _collect(replies, received, len(batches), min(deadline.seconds * share, most), note)
    return [received.get(number, {}) for number in range(len(batches))]


_Replies = queue.SimpleQueue[tuple[int, Mapping[Reference, Answer]]]


def _collect(
    replies: _Replies,
    received: dict[int, Mapping[Reference, Answer]],
    count: int,
    seconds: float,
    note: Callable[[int, Mapping[Reference, Answer]], None],
) -> None:
    """Take replies until all are there or the time is over."""
    until = Deadline(seconds)
    while len(received) < count:
        try:
            number, reply = replies.get(timeout=until.remaining())
        except queue.Empty:
            return
        received[number] = reply
        note(number, reply)


def _ask(batch: _Batch, deadline: Deadline) -> Mapping[Reference, Answer]:
    """Ask one provider and close it; of what slips through its edge the type alone is kept, since its text may hold a secret."""
    if (refused := refusals(batch.provider, tuple(batch.references))) is not None:
        return refused
    try:
        with _closed_after(batch.provider):
            reply = batch.provider.fetch(tuple(batch.references), deadline=deadline)
        return {reference: _checked(batch.provider, reference, reply) for reference in batch.references}
    except ModuleNotFoundError as exc:
        failure = sdk_missing(batch.scheme, exc.name)
    except BaseException as exc:  # noqa: BLE001 - becomes a problem that names the provider
        failure = _defect(batch.provider, f"raised {type(exc).__qualname__}")
    return dict.fromkeys(batch.references, failure)


def _checked(provider: Provider, reference: Reference, reply: object) -> Answer:
    """A provider's answer for a reference, or a defect where it breaks the contract."""
    answer = reply.get(reference) if isinstance(reply, Mapping) else None
    if isinstance(answer, Found) and _has_value(answer):
        return replace(answer, version=None) if _is_told_by_version(answer) else answer
    if isinstance(answer, Failure) and _is_whole(answer):
        return answer
    return _defect(provider, f"gave no answer for {reference}")


# What is given is typed as it should be, and a provider of another may give what it likes.
def _has_value(found: Any) -> bool:
    """Whether an answer has a value in it, and a version that can be shown."""
    return isinstance(found.value, str | bytes) and isinstance(found.version, str | None)


def _is_told_by_version(found: Found) -> bool:
    """Whether a version, which is shown, is the value, a part of it, or more."""
    value = found.value if isinstance(found.value, str) else found.value.decode(errors="ignore")
    version = found.version
    return version is not None and min(len(version), len(value)) >= SHORTEST and (version in value or value in version)


def _is_whole(failure: Any) -> bool:
    """Whether a failure has in it what it says: reports are made of it."""
    texts = (failure.tip, failure.request_id)
    return (
        failure.kind in _KINDS
        and isinstance(failure.message, str)
        and all(isinstance(text, str | None) for text in texts)
        and isinstance(failure.retry_after, float | int | None)
    )


def _defect(provider: Provider, what: str) -> Failure:
    return Failure("defect", f"{type(provider).__qualname__} {what}", tip="this is a fault of the provider; please report it")


@contextmanager
def _closed_after(provider: Provider) -> Generator[None]:
    """Close a provider after its fetch, in the thread that fetched, so that none is closed under a running call."""
    try:
        yield
    finally:
        if callable(close := getattr(provider, "close", None)):
            close()
