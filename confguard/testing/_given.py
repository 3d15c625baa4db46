"""What a fake can be told to answer: values, failures, and several in turn."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, get_args

from confguard._reference import Reference
from confguard._values import JSON, closest
from confguard.provider import Failure, FailureKind, Found

Step: TypeAlias = "JSON | Mapping[str, JSON] | Sequence[JSON] | bytes | Found | Failure"
"""What one fetch is answered with."""

_KINDS = tuple(kind for kind in get_args(FailureKind) if kind != "defect")


@dataclass(frozen=True, slots=True)
class Then:
    """Answers of one fetch after the other; made by `then`."""

    steps: tuple[Step, ...] = field(repr=False)


Value: TypeAlias = "Step | Then"
"""What a reference can be set to."""


def fails(kind: FailureKind, message: str | None = None, *, tip: str | None = None, retry_after: float | None = None) -> Failure:
    """A failure, for a reference that cannot be had.

    Args:
        kind: One of the seven kinds: ``"missing"``, ``"denied"``, ``"throttled"``, …
        message: What the report says; that a fake answers so, unless told.
        tip: What the report says to do about it.
        retry_after: After how many seconds the store wants to be asked again.

    Raises:
        TypeError: ``retry_after`` is no number.
        ValueError: There is no such kind.
    """
    if retry_after is not None and not hasattr(retry_after, "__float__"):
        raise TypeError(f"retry_after is a number of seconds, not of the type {type(retry_after).__name__}")
    if kind not in _KINDS:
        meant = closest(kind, _KINDS)
        raise ValueError(f"no failure is {kind!r}; " + (f"did you mean {meant!r}?" if meant else f"it is {', '.join(_KINDS)}"))
    return Failure(kind, message or f"the fake answers: {kind}", tip, retry_after)


def then(*steps: Step) -> Then:
    """Answers in turn: the first fetch gets the first, the next one the second, and all that follow the last.

    Raises:
        ValueError: There is none.
    """
    if not steps:
        raise ValueError('then() needs an answer at least: then(fails("throttled"), "value")')
    return Then(steps)


@dataclass(slots=True)
class Turns:
    """What was set under one fragment, and how often it was asked for since.

    Attributes:
        steps: The answers, of which the last stays.
        asked: By payload, since a pattern stands for many.
    """

    steps: tuple[Step, ...]
    asked: Counter[Reference] = field(default_factory=Counter)

    def next(self, ref: Reference) -> Step:
        """The answer of this fetch."""
        turn = self.asked[ref]
        self.asked[ref] += 1
        return self.steps[min(turn, len(self.steps) - 1)]

    @property
    def takes_keys(self) -> bool:
        """Whether it is an object, beside which single keys of it can be set."""
        return len(self.steps) == 1 and isinstance(self.steps[0], dict)


def turns_of(value: Value, fragment: str, what: str) -> Turns:
    """A value as it can be answered; of what can change later a copy.

    Args:
        value: The value.
        fragment: Which key of a payload it is set for; ``""`` for the whole.
        what: What an error calls it: the reference.

    Raises:
        TypeError: It is nothing that a store could hold there. The message names its type, and shows nothing of it.
    """
    return Turns(tuple(_copy(step, fragment, what) for step in (value.steps if isinstance(value, Then) else (value,))))


def _copy(step: Step, fragment: str, what: str) -> Step:
    if step is None:
        raise TypeError(f'{what} cannot be None: for what is not there, set fails("missing")')
    raw = step.value if isinstance(step, Found) else step
    if fragment and isinstance(raw, bytes):
        raise TypeError(f"{what} cannot be bytes, which no object holds: set them without a fragment")
    if isinstance(step, Failure | Found | bytes):
        return step
    try:
        copied: Step = json.loads(json.dumps(step))
    except (TypeError, ValueError):
        copied = None
    if copied is None:
        name = type(step).__name__
        del step, raw  # the error is not to lead to it
        raise TypeError(f"{what} cannot be of the type {name}: set text, bytes, or what JSON can hold")
    return copied


def whole(step: Step) -> Found | Failure:
    """The payload that was set as a whole."""
    if isinstance(step, Found | Failure):
        return step
    return Found(step if isinstance(step, str | bytes) else json.dumps(step))


def joined(steps: Mapping[str, Step]) -> Found:
    """One object of the values that were set by their fragments, over what was set as a whole."""
    payload = json.loads(json.dumps(steps.get("", {})))
    version = expires_at = None
    for fragment, step in steps.items():
        if isinstance(step, Found):
            version, expires_at = step.version or version, step.expires_at or expires_at
        if fragment and not isinstance(step, Failure):
            _place(payload, fragment, step.value if isinstance(step, Found) else step)
    return Found(json.dumps(payload), version, expires_at)


def _place(payload: dict[str, object], fragment: str, value: object) -> None:
    *way, last = (token.replace("~1", "/").replace("~0", "~") for token in fragment[1:].split("/"))
    for key in way:
        inner = payload.get(key)
        if not isinstance(inner, dict):
            inner = payload[key] = {}
        payload = inner
    payload[last] = value
