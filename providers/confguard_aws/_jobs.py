"""What calls are made of: some names that are asked for at once, and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from confguard.provider import Failure, Found
from confguard_aws._failures import Refusal
from confguard_aws._names import Ask

Answer = Found | Failure


@dataclass(frozen=True, slots=True)
class Job:
    """One call; it may have several pages.

    Attributes:
        operation: What is called: a method of the SDK's client, or ``agent``.
        asks: What it is called for; all of one service and region.
    """

    operation: str
    asks: tuple[Ask, ...]

    def __str__(self) -> str:
        return str(self.asks[0])


@dataclass(slots=True)
class Outcome:
    """What came of a call.

    Attributes:
        answers: Values and failures.
        again: Calls to make now, for what this one could not tell.
    """

    answers: dict[Ask, Answer] = field(default_factory=dict[Ask, Answer])
    again: Sequence[Job] = ()

    def refuse(self, asks: Sequence[Ask], refusal: Refusal) -> None:
        """Fail what has no answer yet, all for the same reason."""
        self.answers |= {ask: failure_of(refusal, ask) for ask in asks if ask not in self.answers}


class Caller(Protocol):
    """Makes calls."""

    def call(self, job: Job, **parameters: object) -> Mapping[str, Any] | Refusal:
        """Make a job's call with these parameters."""
        ...

    def words(self, job: Job) -> Mapping[str, str]:
        """What is known for the tips of its failures."""
        ...


def failure_of(refusal: Refusal, ask: Ask) -> Failure:
    """The failure of one name."""
    resource = ask.resource_in(refusal.words.get("partition", "aws"), refusal.words.get("region", "*"))
    return refusal.failure(str(ask), f"{ask.service}:{ask.action}", resource)


def items_of(reply: Mapping[str, Any], name: str) -> Sequence[Any]:
    """A list in an answer; empty where it has none."""
    found = reply.get(name)
    return found if isinstance(found, list) else ()


def request_id_of(reply: Mapping[str, Any]) -> object:
    """What AWS knows the request by that an answer belongs to."""
    return reply.get("ResponseMetadata", {}).get("RequestId")
