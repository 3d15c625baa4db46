"""What is seen of a load while it is under way: on standard error, a line a provider where that is a terminal."""

import io
import os
import shutil
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:
    from confguard._call import Call, Loaded
    from confguard._resolver import Progress


def load_visibly(call: "Call", wait: float | None) -> "tuple[Loaded, ...]":
    """Load, and show what providers do; what the user's code prints goes to standard error."""
    from confguard._waiting import load_patiently

    with _lines() as lines, redirect_stdout(lines or sys.stderr):
        return load_patiently(replace(call, watcher=lines.show) if lines else call, wait or 0.0, _tell)


def _tell(line: str) -> None:
    from confguard._report import printable

    click.echo(printable(line), err=True)


class Lines(io.TextIOBase):
    """One line for each provider, drawn anew when it has something to tell. What others write takes the lines away first.

    Args:
        terminal: Where to draw.
    """

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal
        self._lines: dict[str, str] = {}
        self._drawn = 0
        self._within_line = False
        self._lock = threading.Lock()  # providers write from threads of theirs

    def show(self, progress: "Progress") -> None:
        """Show what one provider is doing."""
        with self._lock:
            self._lines[progress.scheme] = _line(progress)
            self._take_away()
            if not self._within_line:
                self._draw()

    def write(self, text: str) -> int:
        """Write what stays."""
        with self._lock:
            self._take_away()
            self._terminal.write(text)
            self._within_line = not text.endswith("\n") if text else self._within_line
        return len(text)

    def fileno(self) -> int:
        """The terminal's own."""
        return self._terminal.fileno()

    def flush(self) -> None:
        """Flush the terminal."""
        self._terminal.flush()

    def clear(self) -> None:
        """Leave nothing of the lines."""
        with self._lock:
            self._take_away()

    def _take_away(self) -> None:
        self._terminal.write("\x1b[A\x1b[2K" * self._drawn)
        self._terminal.flush()
        self._drawn = 0

    def _draw(self) -> None:
        width = shutil.get_terminal_size().columns - 1  # a line that wraps would be two to take away
        self._terminal.write("".join(f"{line[:width]}\n" for line in self._lines.values()))
        self._terminal.flush()
        self._drawn = len(self._lines)


@contextmanager
def _lines() -> Generator[Lines | None]:
    """Lines that are gone when this ends; None where standard error is no terminal that can take them away."""
    if not sys.stderr.isatty() or os.environ.get("TERM") in (None, "", "dumb"):
        yield None
        return
    lines = Lines(sys.stderr)
    try:
        with redirect_stderr(lines):
            yield lines
    finally:
        lines.clear()


def _line(progress: "Progress") -> str:
    values = f"{progress.count} value{'' if progress.count == 1 else 's'}"
    if progress.seconds is None:
        return f"{progress.scheme}: asking for {values} …"
    failed = f", {progress.failed} failed" if progress.failed else ""
    return f"{progress.scheme}: {values} in {progress.seconds:.2f} s{failed}"
