"""What is seen of a load while it is under way: on standard error, a line a provider where that is a terminal."""

import os
import shutil
import sys
from collections.abc import Generator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from confguard._call import Call, Loaded
    from confguard._resolver import Progress


def load_visibly(call: "Call", wait: float | None) -> "tuple[Loaded, ...]":
    """Load, and show what providers do; what the user's code prints goes to standard error."""
    from confguard._waiting import load_patiently

    with redirect_stdout(sys.stderr), live_lines() as lines:
        return load_patiently(replace(call, watcher=lines.show), wait or 0.0, lines.tell)


class Lines:
    """One line for each provider, written anew when it has something to tell, and taken away at the end."""

    def __init__(self, *, live: bool) -> None:
        self._live = live
        self._lines: dict[str, str] = {}
        self._drawn = 0

    def show(self, progress: "Progress") -> None:
        """Show what one provider is doing."""
        if self._live:
            self._lines[progress.scheme] = _line(progress)
            self.clear()
            self._draw()

    def tell(self, line: str) -> None:
        """Say a line that stays."""
        from confguard._report import printable

        self.clear()
        self._lines.clear()
        click.echo(printable(line), err=True)

    def clear(self) -> None:
        """Take away what is drawn."""
        if self._drawn:
            sys.stderr.write("\x1b[A\x1b[2K" * self._drawn + "\r")
            sys.stderr.flush()
        self._drawn = 0

    def _draw(self) -> None:
        width = shutil.get_terminal_size().columns - 1  # a line that wraps would be two to take away
        for line in self._lines.values():
            sys.stderr.write(f"{line[:width]}\n")
        sys.stderr.flush()
        self._drawn = len(self._lines)


@contextmanager
def live_lines() -> Generator[Lines]:
    """Lines that are gone when this ends; none are drawn where standard error is no terminal that can take them away."""
    lines = Lines(live=sys.stderr.isatty() and os.environ.get("TERM") not in (None, "", "dumb"))
    try:
        yield lines
    finally:
        lines.clear()


def _line(progress: "Progress") -> str:
    values = f"{progress.count} value{'' if progress.count == 1 else 's'}"
    if progress.seconds is None:
        return f"{progress.scheme}: asking for {values} …"
    failed = f", {progress.failed} failed" if progress.failed else ""
    return f"{progress.scheme}: {values} in {progress.seconds:.2f} s{failed}"
