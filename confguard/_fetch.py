"""Fetching what the loads of one call want: in one plan, in rounds where there are alternatives, under one deadline."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from confguard._plan import DECODE, payload_of
from confguard._reference import Reference
from confguard._resolver import Answer, Ask, Progress, Watcher, resolve, unwatched
from confguard._schema import Trail
from confguard._unset import PartlySet, Untold
from confguard._values import decode, pick
from confguard.provider import Deadline, Failure, Found, Provider


@dataclass(slots=True)
class Want:
    """What one field wants.

    Attributes:
        trail: The field.
        references: What it is bound to.
        each: Whether all of them are wanted, and not the first that is not missing.
        configured: The providers given in the class's code.
        answers: For each reference that was asked for, in their order, the value or why there is none.
        told: What is left of the answers once the values are forgotten.
    """

    trail: Trail
    references: Sequence[Reference]
    each: bool
    configured: Sequence[Provider]
    answers: list[Answer] = field(default_factory=list)
    told: Sequence[str] = ()

    @property
    def outcomes(self) -> Sequence[str]:
        """For each reference that was asked for, ``found`` or the kind of its failure."""
        return self.told or ["found" if isinstance(answer, Found) else answer.kind for answer in self.answers]

    def forget(self) -> None:
        """Let go of every value."""
        self.told = self.outcomes
        self.answers, self.configured = [], ()

    @property
    def next(self) -> Sequence[Reference]:
        """What is to be asked for in the next round."""
        asked = len(self.answers)
        if self.each:
            return self.references if not asked else ()
        last = self.answers[-1] if asked else None
        goes_on = last is None or (isinstance(last, Failure) and last.kind == "missing")
        return self.references[asked : asked + 1] if goes_on else ()


class Together:
    """What the loads of one call do together: each begins the next before it fetches, so that the last to begin has all wants.

    Attributes:
        timeout: Seconds until the deadline.
        asked: How many payloads were asked for.
        seconds: By scheme, how long its provider took.
    """

    def __init__(self, timeout: float, watcher: Watcher = unwatched) -> None:
        self.timeout = timeout
        self.asked = 0
        self.seconds: dict[str, float] = {}
        self._watcher = watcher
        self._pending: list[Callable[[], None]] = []
        self._wants: list[Want] = []

    def run(self, loads: Iterable[Callable[[], None]]) -> None:
        """Begin every load; all of them are done when this returns."""
        self._pending = list(loads)
        self._begin_others()

    def fetch(self, wants: Sequence[Want]) -> Sequence[tuple[str, str]]:
        """Answer the wants of one load, and of those that have begun before.

        Returns:
            Scheme and sentence of what providers say about the way they are set up.
        """
        self._wants += wants
        self._begin_others()
        wants, self._wants = self._wants, []
        if wants:
            with closing(Deadline(self.timeout)) as deadline:
                return self._in_rounds(wants, deadline)
        return ()

    def _begin_others(self) -> None:
        while self._pending:
            self._pending.pop(0)()

    def _in_rounds(self, wants: Sequence[Want], deadline: Deadline) -> Sequence[tuple[str, str]]:
        """Ask for the first reference of each want, then for the next of those for which it is missing, and so on."""
        warnings: dict[tuple[str, str], None] = {}
        while asks := [(want, reference) for want in wants for reference in want.next]:
            payloads = [Ask(payload_of(reference), want.configured) for want, reference in asks]
            self.asked += len({(ask.reference, tuple(map(id, ask.configured))) for ask in payloads})
            resolved = resolve(payloads, deadline, self._note)
            warnings |= dict.fromkeys(resolved.warnings)
            for (want, reference), answer in zip(asks, resolved.answers, strict=True):
                want.answers.append(value_of(answer, reference))
        return list(warnings)

    def _note(self, progress: Progress) -> None:
        if progress.seconds is not None:
            self.seconds[progress.scheme] = self.seconds.get(progress.scheme, 0.0) + progress.seconds
        self._watcher(progress)


def value_of(answer: Answer, reference: Reference) -> Answer:
    """What a reference picks out of its payload."""
    where = f"{reference.scheme} {reference.path}"
    if isinstance(answer, Untold):
        return answer.tell(reference)
    if isinstance(answer, Found):
        picked = pick(answer, reference.fragment, where)
        if isinstance(picked, Failure) and isinstance(answer, PartlySet):
            return answer.tell(reference)
        answer = picked
    if isinstance(answer, Found) and reference.param(DECODE) is not None:
        answer = decode(answer, where)
    return answer
