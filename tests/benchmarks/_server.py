"""Servers in processes of their own, and a longer way to them.

What a server does for every request would otherwise take turns with the client that is measured.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

ROUND_TRIP = 0.02
"""Seconds that the longer way adds to every reply."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server of this package: ``python -m tests.benchmarks.NAME COUNT``, which has so many secrets.

    Attributes:
        told: What it tells of itself: its port, the secrets by name, the file of its authority.
    """

    told: Mapping[str, Any] = field(repr=False)
    lines: tuple[IO[str], IO[str]] = field(repr=False)

    @property
    def values(self) -> Mapping[str, str]:
        """The secrets by their names."""
        values: Mapping[str, str] = self.told["values"]
        return values

    def asked(self) -> list[str]:
        """What was asked of it since this was last called."""
        self.lines[0].write("\n")
        self.lines[0].flush()
        asked: list[str] = json.loads(self.lines[1].readline())
        return asked


@contextmanager
def server(name: str, count: int) -> Iterator[Server]:
    """A server with so many secrets."""
    with _process(name, str(count)) as lines:
        yield Server(json.loads(lines[1].readline()), lines)


@contextmanager
def longer_way(port: int) -> Iterator[int]:
    """The port of a proxy that adds a round trip to every reply of a server."""
    with _process("delay", str(port), str(ROUND_TRIP)) as (_, from_proxy):
        yield int(from_proxy.readline())


@contextmanager
def _process(name: str, *arguments: str) -> Iterator[tuple[IO[str], IO[str]]]:
    command = [sys.executable, "-m", f"{__package__}.{name}", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None  # as it was asked for
        assert process.stdout is not None
        try:
            yield process.stdin, process.stdout
        finally:
            process.stdin.close()


def serve(told: Mapping[str, Any], asked: list[Any], tell: Any = lambda asked: asked) -> None:
    """What such a server does: tell of itself, then, for each line, what it was asked since the last one."""
    _write(told)
    for _ in sys.stdin:
        seen = list(asked)
        asked.clear()
        _write([tell(one) for one in seen])


def _write(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()
