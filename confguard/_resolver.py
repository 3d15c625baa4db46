"""The only room that does remote I/O: providers side by side, each in a daemon thread, under one deadline."""

import queue
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from confguard._plan import Plan
from confguard._quiet import THREAD_PREFIX, quiet
from confguard._reference import Reference
from confguard._registry import cannot_ask, find_provider, sdk_missing
from confguard.provider import Deadline, Failure, Found, Provider

Answer = Found | Failure

# How long a provider may take to hand over what it has, once its sockets are shut: a tenth of the deadline, within reason.
_GRACE = 0.1, 0.5


@dataclass(frozen=True, slots=True)
class Resolved:
    """What came of a plan.

    Attributes:
        answers: For every reference that was asked for, its payload or why there is none.
        warnings: Scheme and sentence of what providers say about the way they are set up.
    """

    answers: Mapping[Reference, Answer]
    warnings: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class _Batch:
    """What one provider is asked for."""

    provider: Provider
    scheme: str
    references: list[Reference]


def resolve(plan: Plan, configured: Sequence[Provider], timeout: float) -> Resolved:
    """Fetch what a plan holds.

    Args:
        plan: What to fetch.
        configured: Providers given in code, asked before ours.
        timeout: Seconds until the deadline; what has no answer by then is ``unavailable``.
    """
    answers: dict[Reference, Answer] = {}
    batches = _batches(plan, configured, answers)
    if not batches:
        return Resolved(answers)
    deadline = Deadline(timeout)
    quiet(name for batch in batches for name in getattr(batch.provider, "loggers", ()))
    with closing(deadline):
        replies = _run(batches, deadline)
    for batch, reply in zip(batches, replies, strict=True):
        for reference in batch.references:
            answers[reference] = reply.get(reference) or deadline.failure(str(reference))
    warnings = tuple((batch.scheme, sentence) for batch in batches for sentence in _warnings(batch.provider))
    return Resolved(answers, warnings)


def _warnings(provider: Provider) -> Sequence[str]:
    tell: Callable[[], Sequence[str]] | None = getattr(provider, "warnings", None)
    return tell() if tell is not None else ()


def unanswerable(plan: Plan, configured: Sequence[Provider]) -> Mapping[Reference, Failure]:
    """What of a plan can be asked of nobody; known without a network."""
    answers: dict[Reference, Answer] = {}
    _batches(plan, configured, answers)
    return {reference: answer for reference, answer in answers.items() if isinstance(answer, Failure)}


def _batches(plan: Plan, configured: Sequence[Provider], answers: dict[Reference, Answer]) -> list[_Batch]:
    """The references by provider; what can be asked of nobody is answered at once."""
    providers = list(configured)
    batches: dict[int, _Batch] = {}
    for scheme, references in plan.payloads.items():
        provider = find_provider(scheme, providers)
        if provider is not None:
            providers.append(provider)  # one of ours that serves several schemes is made once
        for reference in references:
            failure = cannot_ask(provider, reference)
            if failure is not None:
                answers[reference] = failure
            elif provider is not None:
                batches.setdefault(id(provider), _Batch(provider, scheme, [])).references.append(reference)
    return list(batches.values())


def _run(batches: Sequence[_Batch], deadline: Deadline) -> list[Mapping[Reference, Answer]]:
    """Ask every provider in a thread of its own, and wait no longer than the deadline and a grace."""
    replies: queue.SimpleQueue[tuple[int, Mapping[Reference, Answer]]] = queue.SimpleQueue()

    def work(number: int, batch: _Batch) -> None:
        replies.put((number, _ask(batch, deadline)))

    for number, batch in enumerate(batches):
        threading.Thread(target=work, args=(number, batch), name=f"{THREAD_PREFIX}{batch.scheme}", daemon=True).start()
    received: dict[int, Mapping[Reference, Answer]] = {}
    _collect(replies, received, len(batches), deadline.remaining())
    if len(received) < len(batches):
        deadline.cut()
        share, most = _GRACE
        _collect(replies, received, len(batches), min(deadline.seconds * share, most))
    return [received.get(number, {}) for number in range(len(batches))]


def _collect(
    replies: "queue.SimpleQueue[tuple[int, Mapping[Reference, Answer]]]",
    received: dict[int, Mapping[Reference, Answer]],
    count: int,
    seconds: float,
) -> None:
    """Take replies until all are there or the time is over."""
    until = Deadline(seconds)
    while len(received) < count:
        try:
            number, reply = replies.get(timeout=until.remaining())
        except queue.Empty:
            return
        received[number] = reply


def _ask(batch: _Batch, deadline: Deadline) -> Mapping[Reference, Answer]:
    """Ask one provider and close it; of what slips through its edge the type alone is kept, since its text may hold a secret."""
    reply: Mapping[Reference, Answer] = {}
    failure: Failure | None = None
    try:
        with _closed_after(batch.provider):
            reply = batch.provider.fetch(tuple(batch.references), deadline=deadline)
    except ModuleNotFoundError as exc:
        failure = sdk_missing(batch.scheme, exc.name)
    except BaseException as exc:  # noqa: BLE001 - becomes a problem that names the provider
        failure = _defect(batch.provider, f"raised {type(exc).__qualname__}")
    if failure is not None:
        return dict.fromkeys(batch.references, failure)
    return {reference: _checked(batch.provider, reference, reply) for reference in batch.references}


def _checked(provider: Provider, reference: Reference, reply: object) -> Answer:
    """A provider's answer for a reference, or a defect where it breaks the contract."""
    answer = reply.get(reference) if isinstance(reply, Mapping) else None
    return answer if isinstance(answer, Found | Failure) else _defect(provider, f"gave no answer for {reference}")


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
