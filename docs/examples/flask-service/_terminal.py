"""The machinery of the demo: narrates, runs commands, compares what they give, and cleans up when it is interrupted."""

import os
import shlex
import signal
import subprocess
import sys
import textwrap
from collections.abc import Generator, Iterable
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from time import perf_counter
from typing import TypeVar

T = TypeVar("T")

HERE = Path(__file__).resolve().parent


class UnexpectedResultError(Exception):
    """A step did not give what it should; the message says what."""


class Signals:
    """Ends the demo when it is told to, but never between starting something and knowing how to stop it."""

    def __init__(self) -> None:
        self._holding = 0
        self._received = 0
        # SIGINT too: a shell without job control has it ignored in the background.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._receive)

    @contextmanager
    def held(self) -> Generator[None]:
        """Hold a signal back until the block ends."""
        self._holding += 1
        try:
            yield
        finally:
            self._holding -= 1
            self._end()

    @contextmanager
    def guarded(self, context: AbstractContextManager[T]) -> Generator[T]:
        """Enter and leave a context wholly or not at all."""
        with ExitStack() as stack:
            with self.held():
                entered = stack.enter_context(context)
            try:
                yield entered
            finally:
                with self.held():
                    stack.close()

    def _receive(self, number: int, _: object) -> None:
        if not self._received:  # a second Ctrl-C does not end the cleaning up after the first
            self._received = number
            self._end()

    def _end(self) -> None:
        if self._received and not self._holding:
            self._holding = 1  # for good: from here on it is being cleaned up
            raise SystemExit(128 + self._received)


class Terminal:
    """Narrates, runs commands, and remembers all that was shown."""

    def __init__(self, folder: Path, signals: Signals) -> None:
        self.folder = folder
        self._signals = signals
        self.shown: list[str] = []
        self.codes: set[int] = set()
        self.variables: dict[str, str] = {}
        self._colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def title(self, text: str) -> None:
        self._gap()
        self._print(self._paint(f"{text}\n{'─' * len(text)}", "1"))

    def say(self, text: str) -> None:
        self._gap()
        self._print(textwrap.fill(text, 100))
        self._gap()

    def export(self, *, shown: bool = True, **variables: str) -> None:
        """Set variables for the commands to come; a secret is not shown."""
        self.variables |= variables
        for name, value in variables.items():
            self._command(f"export {name}={shlex.quote(value) if shown else '[a secret]'}")

    def unset(self, name: str) -> None:
        del self.variables[name]
        self._command(f"unset {name}")

    def write(self, path: str, text: str, *, shown: bool = True) -> None:
        """Write a file below the folder, for its user alone."""
        file = self.folder / path
        file.parent.mkdir(exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(text)
        self._command(f"cat {path}" if shown else f"ls {path}")
        self._print(text.rstrip("\n") if shown else path)

    def remove(self, path: str) -> None:
        (self.folder / path).unlink()
        self._command(f"rm {path}")

    def run(self, command: str, code: int, *wanted: str, most_lines: int = 100) -> str:
        """Run a command as an operator would, show its output, and compare.

        Args:
            command: The command line.
            code: The exit code that it should end with.
            wanted: Texts that its output should hold.
            most_lines: How many lines of its output to show; all of it is compared.

        Raises:
            UnexpectedResultError: It gave something else.
        """
        self._command(command)
        began = perf_counter()
        output, ended = self._finish(shlex.split(command))
        self.shown.append(output)  # all of it, also what is not printed
        lines = output.rstrip("\n").splitlines()
        if lines:
            self._print("\n".join(lines[:most_lines]))
        if len(lines) > most_lines:
            self._print(self._paint(f"… and {len(lines) - most_lines} lines more", "2"))
        self._print(self._paint(f"→ exit code {ended}, after {perf_counter() - began:.1f} s", "2"))
        if ended != code:
            raise UnexpectedResultError(f"{command}\nended with exit code {ended} and should have with {code}")
        for text in wanted:
            if text not in output:
                raise UnexpectedResultError(f"{command}\nshould have said: {text}")
        self.codes.add(code)
        return output

    def conclude(self, text: str, *, good: bool) -> None:
        """Print the last word, in green or red."""
        self._gap()
        self._print(self._paint(text, "32" if good else "31"))

    def table(self, rows: Iterable[str]) -> None:
        for row in rows:
            self._print(row)

    def _finish(self, command: list[str]) -> tuple[str, int]:
        """Run a command to its end, or take it along where the demo is ended. Returns what it said, and its exit code."""
        with ExitStack() as stack:
            with self._signals.held():
                process = stack.enter_context(
                    subprocess.Popen(  # noqa: S603 - the commands of this file
                        command,
                        cwd=self.folder,
                        env=self._environment(),
                        stdout=subprocess.PIPE,
                        stderr=subprocess.STDOUT,
                        encoding="utf-8",
                    )
                )
                stack.callback(process.kill)
            return process.communicate()[0], process.returncode

    def _environment(self) -> dict[str, str]:
        """A clean environment: what is set where the demo is run must not decide what it shows."""
        return {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "HOME": str(self.folder),
            "PYTHONPATH": str(HERE),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUTF8": "1",
            **self.variables,
        }

    def _command(self, command: str) -> None:
        self._print(self._paint(f"$ {command}", "36"))

    def _gap(self) -> None:
        """An empty line, unless there is one."""
        if self.shown and self.shown[-1]:
            self._print("")

    def _print(self, text: str) -> None:
        self.shown.append(text)
        print(text, flush=True)

    def _paint(self, text: str, colour: str) -> str:
        return f"\033[{colour}m{text}\033[0m" if self._colour else text
