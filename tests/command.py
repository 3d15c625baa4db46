"""The installed command, run as its users run it: in a process of its own, in the current directory."""

import os
import pty
import re
import signal
import subprocess
import sysconfig
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

COMMAND = Path(sysconfig.get_path("scripts")) / "confguard"


def environment(**variables: str) -> dict[str, str]:
    """An environment with nothing of the developer's."""
    made = {"PATH": os.environ["PATH"], "HOME": str(Path.cwd())}
    return made | {name: value for name in ("PYTHONPATH",) if (value := os.environ.get(name))} | variables


def run(arguments: Sequence[str], **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run the command here."""
    return subprocess.run(
        [COMMAND, *arguments], env=environment(**variables), capture_output=True, text=True, timeout=30, check=False
    )


@contextmanager
def started(arguments: Sequence[str], **variables: str) -> "Generator[subprocess.Popen[str]]":
    """The command, begun here; it and what it started are ended at the latest with this."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [COMMAND, *arguments], env=environment(**variables), stdout=pipe, stderr=pipe, text=True, start_new_session=True
    )
    with process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):  # it has ended
                os.killpg(process.pid, signal.SIGKILL)


def on_terminal(arguments: Sequence[str], stream: str, **variables: str) -> str:
    """What the command writes to a stream that is a terminal of 80 columns."""
    parent, child = pty.openpty()
    streams: dict[str, int] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: child}
    kept = environment(**{"TERM": "xterm", "COLUMNS": "80", **variables})
    with subprocess.Popen([COMMAND, *arguments], env=kept, stdout=streams["stdout"], stderr=streams["stderr"]) as process:
        os.close(child)
        chunks: list[bytes] = []
        while True:
            try:
                chunk = os.read(parent, 4096)
            except OSError:  # Linux says so when the other end is closed
                break
            if not chunk:
                break
            chunks.append(chunk)
        process.wait(20)
    os.close(parent)
    return b"".join(chunks).decode()


def screen(written: str) -> list[str]:
    """What a terminal shows of what was written to it, as far as we move its cursor."""
    lines, row = [""], 0
    for token in re.findall(r"\x1b\[A|\x1b\[2K|\r\n|\r|\n|[^\x1b\r\n]+|\x1b", written):
        if token == "\x1b[A":
            row = max(0, row - 1)
        elif token == "\x1b[2K":
            lines[row] = ""
        elif token.endswith("\n"):
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif token != "\r":
            lines[row] += token
    return [line for line in lines if line]
