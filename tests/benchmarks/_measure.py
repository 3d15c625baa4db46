"""Two ways to do the same work, timed side by side, so that what is told holds on any machine: ratios, and their noise."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median, quantiles
from time import perf_counter

Run = Callable[[], float]
"""Does the work once and returns the seconds that it took."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a benchmark found.

    Attributes:
        benchmark: Its name.
        ratio: What the library takes, as a multiple of the baseline.
        limit: How much that may be.
        a_a_ratio: What the baseline takes as a multiple of itself in the same rounds: how far from 1 chance leads. None where
            nothing was timed.
        n: How many rounds.
        details: What else is told: counts, and what was seen that must not be.
        faults: What is wrong beside a ratio above its limit.
    """

    benchmark: str
    ratio: float
    limit: float
    a_a_ratio: float | None
    n: int
    details: Mapping[str, object] = field(default_factory=dict)
    faults: tuple[str, ...] = ()

    @property
    def within_limits(self) -> bool:
        return self.ratio <= self.limit and not self.faults

    def tell(self) -> None:
        """Write it as a line of JSON."""
        line: dict[str, object] = {
            "benchmark": self.benchmark,
            "ratio": round(self.ratio, 3),
            "limit": self.limit,
            "a_a_ratio": self.a_a_ratio and round(self.a_a_ratio, 3),
            "n": self.n,
            **self.details,
        }
        if self.faults:
            line["faults"] = self.faults
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


@dataclass(frozen=True, slots=True)
class Compared:
    """The outcome of `compare`."""

    ratio: float
    a_a_ratio: float
    n: int
    details: Mapping[str, object]


def compare(baseline: Run, candidate: Run, rounds: int) -> Compared:
    """Run a candidate between two runs of the baseline, round after round, each time beginning with another of the three.

    A ratio is the median of the rounds' own ratios: what slows the machine down for a while slows a whole round down.
    """
    arms = (baseline, candidate, baseline)
    seconds: tuple[list[float], ...] = ([], [], [])
    for number in range(rounds):
        for place in range(len(arms)):
            arm = (number + place) % len(arms)
            seconds[arm].append(arms[arm]())
    first, middle, second = seconds
    ratios = [ours / bare for ours, bare in zip(middle, first, strict=True)]
    a_a = [again / bare for again, bare in zip(second, first, strict=True)]
    details = {
        "ratio_quartiles": _quartiles(ratios),
        "a_a_quartiles": _quartiles(a_a),
        "baseline_ms": round(median(first + second) * 1000, 3),
        "candidate_ms": round(median(middle) * 1000, 3),
    }
    return Compared(median(ratios), median(a_a), rounds, details)


def timed(work: Callable[[], object], times: int = 1, clock: Callable[[], float] = perf_counter) -> Run:
    """A run that does some work a number of times, for work that is shorter than what else the machine does.

    The clock is the wall's; work that never waits is better told by `time.thread_time`, which stands while others have the CPU.
    """

    def run() -> float:
        started = clock()
        for _ in range(times):
            work()
        return (clock() - started) / times

    return run


def _quartiles(values: list[float]) -> list[float]:
    lower, _, upper = quantiles(values, n=4)
    return [round(lower, 3), round(upper, 3)]
