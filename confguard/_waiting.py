"""Trying again while nothing is wrong but that a store is out, or that a mount is not there yet."""

import logging
import random
from collections.abc import Callable, Sequence
from time import monotonic, sleep

from confguard._call import Call, Loaded, load_settings
from confguard._problem import Problem

logger = logging.getLogger("confguard")

_OUTAGE = frozenset({"unavailable", "throttled"})
# Seconds between two tries: the first, the longest, and how much of it is left to chance, so that a thousand replicas that
# were started together do not ask together.
_FIRST, _LONGEST, _JITTER = 0.1, 10.0, 0.5

Teller = Callable[[str], None]


def load_patiently(call: Call, wait: float, tell: Teller = logger.warning) -> tuple[Loaded, ...]:
    """Load, and try again until it goes well, something is wrong that time does not mend, or the time is over.

    Args:
        call: What to load.
        wait: For how many seconds to go on trying.
        tell: Told a line whenever what is wrong has changed.
    """
    until = monotonic() + wait
    pause, told = _FIRST, ""
    while True:
        loaded = load_settings(call)
        if all(one.settings is not None for one in loaded) or not all(map(_may_pass, loaded)):
            return loaded
        seconds = max(pause, _retry_after(loaded)) * (1 + _JITTER * random.random())  # noqa: S311 - spreads load, hides nothing
        if monotonic() + seconds >= until:
            return loaded
        state, loaded = _state(loaded), ()  # whoever interrupts what follows is not to reach settings that are good already
        if state != told:
            tell(f"waiting: {state}")
            told = state
        sleep(seconds)
        pause = min(2 * pause, _LONGEST)


def _errors(one: Loaded) -> Sequence[Problem]:
    return [problem for problem in one.problems if problem.severity == "error"]


def _may_pass(one: Loaded) -> bool:
    """Whether time alone may mend all that is wrong."""
    return all(problem.kind in _OUTAGE or (problem.kind == "missing" and one.load.lacks_mount) for problem in _errors(one))


def _retry_after(loaded: Sequence[Loaded]) -> float:
    return max((problem.retry_after or 0.0 for one in loaded for problem in _errors(one)), default=0.0)


def _state(loaded: Sequence[Loaded]) -> str:
    """What is wrong, in one line."""
    kinds: dict[str, list[str]] = {}
    for one in loaded:
        for problem in _errors(one):
            kinds.setdefault(problem.kind, []).append(problem.field or one.load.schema.name.partition(":")[2])
    return "; ".join(f"{', '.join(fields)} {kind}" for kind, fields in kinds.items())
