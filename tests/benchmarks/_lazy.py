"""Reading a field through a handle that is loaded, and a method's name, beside the same on the settings themselves."""

from time import thread_time
from timeit import Timer

import confguard

from ._measure import Measured, Run, compare

LIMIT = 4.0
ROUNDS = 25
UNROLLED, TIMES = 100, 1_000


class _Settings(confguard.BaseSettings):
    port: int = 8080

    def describe(self) -> str:
        return f"port {self.port}"


def lazy_attribute() -> list[Measured]:
    settings, handle = _Settings(), confguard.lazy(_Settings)
    return [_compared(f"lazy_{what}", name, settings, handle) for what, name in (("field", "port"), ("method", "describe"))]


def _compared(benchmark: str, name: str, settings: _Settings, handle: _Settings) -> Measured:
    found = compare(_reads(settings, name), _reads(handle, name), ROUNDS)
    details = {"reads_per_round": UNROLLED * TIMES, "times": "of a million reads", **found.details}
    return Measured(benchmark, found.ratio, LIMIT, found.a_a_ratio, found.n, details)


def _reads(settings: _Settings, name: str) -> Run:
    """Reads an attribute many times, in a row, so that no loop is timed with it; gives the seconds of a million reads."""
    timer = Timer("; ".join([f"settings.{name}"] * UNROLLED), timer=thread_time, globals={"settings": settings})
    timer.timeit(1)
    return lambda: timer.timeit(TIMES) * 1_000_000 / (UNROLLED * TIMES)
