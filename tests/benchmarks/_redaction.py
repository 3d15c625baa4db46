"""Redacting lines of a log: by the clock where a limit is a time, else beside what it is to be compared with."""

import json
import logging
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from time import thread_time
from typing import Any

from confguard import redaction
from confguard._forms import forms_of
from confguard.redaction import Redactor

from ._measure import Measured, Run, compare, timed

CLEAN_US, HIT_US, MORE_SECRETS, TO_REGEX, MEGABYTES, RECORD = 2.0, 5.0, 2.0, 0.1, 20.0, 2.5
ROUNDS, LINES = 25, 2_000

_MEMORY = """
import json, resource, sys
from confguard.redaction import Redactor
secrets = json.load(sys.stdin)
Redactor().redact("what is imported late is there")
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
before = resident()
redactor = Redactor()
for number, secret in enumerate(secrets):
    redactor.learn(secret, f"field_{number}")
redactor.redact("x" * 200)
print(resident() - before)
"""


def redaction_lines() -> Iterator[Measured]:
    """All of it, for lines of 200 bytes and secrets of 32 characters."""
    few, some, many = (_knowing(count) for count in (5, 50, 500))
    yield _clocked("redact_clean_line", CLEAN_US, some[0], _line())
    yield _clocked("redact_line_with_hit", HIT_US, some[0], _line(some[1][7]))
    yield _compared("redact_500_to_5_secrets", MORE_SECRETS, _redacting(few[0]), _redacting(many[0]))
    yield _to_regex(*many)
    yield _memory(many[1])
    yield _record()


def _knowing(count: int) -> tuple[Redactor, list[str]]:
    redactor, values = Redactor(), [secrets.token_urlsafe(24) for _ in range(count)]
    for number, value in enumerate(values):
        redactor.learn(value, f"field_{number}")
    redactor.redact("")
    return redactor, values


def _line(held: str = "") -> str:
    line = f'2026-01-01 12:00:00,000 INFO shop.web: "GET /orders/1234?page=2 HTTP/1.1" 200 5120 key={held} agent="curl/8.5.0" '
    return line + "x" * (200 - len(line))


def _redacting(redactor: Redactor) -> Run:
    return timed(partial(redactor.redact, _line()), LINES, thread_time)


def _clocked(name: str, limit: float, redactor: Redactor, line: str) -> Measured:
    """Microseconds a line, in place of a ratio."""
    run = timed(partial(redactor.redact, line), LINES, thread_time)
    seconds = [run() for _ in range(2 * ROUNDS)]
    found, again = median(seconds[::2]), median(seconds[1::2])
    details = {"ratio_is": "µs a line", "bytes": len(line), "secrets": 50}
    return Measured(name, found * 1e6, limit, again / found, ROUNDS, details)


def _compared(name: str, limit: float, baseline: Run, candidate: Run, **more: object) -> Measured:
    found = compare(baseline, candidate, ROUNDS)
    return Measured(name, found.ratio, limit, found.a_a_ratio, found.n, {**more, **found.details})


def _to_regex(redactor: Redactor, values: list[str]) -> Measured:
    patterns = {form for value in values for form in forms_of(value)}
    expression = re.compile(b"|".join(map(re.escape, sorted(patterns, key=len, reverse=True))))
    line = _line().encode()
    baseline = timed(lambda: expression.sub(b"*", line), 10, thread_time)
    return _compared("redact_to_regex", TO_REGEX, baseline, _redacting(redactor), patterns=len(patterns))


def _memory(values: list[str]) -> Measured:
    done = subprocess.run([sys.executable, "-c", _MEMORY], input=json.dumps(values), check=True, capture_output=True, text=True)
    return Measured("redactor_memory", int(done.stdout) / 2**20, MEGABYTES, None, 1, {"ratio_is": "MB", "secrets": len(values)})


def _record() -> Measured:
    """A clean record, from the call of a logger to a handler that writes it, with `install` and without."""
    logger, handler = logging.Logger("shop"), logging.StreamHandler(_Nowhere())
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    known = [secrets.token_urlsafe(24) for _ in range(50)]
    for value in known:
        redaction.redactor.learn(value, "field")
    run = timed(partial(logger.info, "GET %s %d in %.3f s", _line()[40:], 200, 0.0123), LINES, thread_time)
    found = _compared("log_clean_record", RECORD, run, _installed(run), secrets=len(known))
    redaction.redactor.forget_all()
    return found


def _installed(run: Callable[[], float]) -> Run:
    def installed() -> float:
        redaction.install()
        try:
            return run()
        finally:
            redaction.uninstall()

    return installed


class _Nowhere:
    def write(self, text: str) -> Any:
        pass

    def flush(self) -> None:
        pass
