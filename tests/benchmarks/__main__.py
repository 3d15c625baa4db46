"""Runs all benchmarks: a line of JSON each, and a status of 1 where one is above its limit."""

import sys
from collections.abc import Iterator
from time import perf_counter

from ._aws import aws
from ._azure import azure
from ._environment import env_50_fields
from ._gcp import gcp
from ._imports import imports
from ._lazy import lazy_attribute
from ._leakguard import leakguard
from ._measure import Measured
from ._memory import memory
from ._override import override_50_fields
from ._redaction import redaction_lines
from ._together import together
from ._valid import valid_settings_50_fields
from ._vault import vault


def _all() -> Iterator[Measured]:
    yield imports()
    yield from env_50_fields()
    yield from lazy_attribute()
    yield from override_50_fields()
    yield from memory()
    yield valid_settings_50_fields()
    yield from redaction_lines()
    yield from vault()
    yield from aws()
    yield from azure()
    yield from gcp()
    yield from together()
    yield leakguard()


def main() -> int:
    started = perf_counter()
    measured: list[Measured] = []
    for one in _all():
        one.tell()
        measured.append(one)
    above = [one.benchmark for one in measured if not one.within_limits]
    verdict = f"not within limits: {', '.join(above)}" if above else "all within limits"
    sys.stderr.write(f"{len(measured)} benchmarks in {perf_counter() - started:.0f} s, {verdict}\n")
    return 1 if above else 0


if __name__ == "__main__":
    sys.exit(main())
