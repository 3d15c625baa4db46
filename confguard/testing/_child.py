"""A child process that ends with this one, however this one ends."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

# The shell's standard input is a pipe of which this process alone holds the other end. A line on it, or its end (the kernel's
# doing, where this process was killed), ends the child. Only a shell outlives SIGKILL of its parent on every POSIX system:
# Linux' PR_SET_PDEATHSIG goes by the thread that started the child, which need not last as long as the process.
_GUARD = """
folder=$1
shift
exec 3<&0
"$@" </dev/null 3<&- &
child=$!
(read -r end; rm -rf "$folder"; kill -KILL "$child") <&3 3<&- &
watcher=$!
exec 3<&-
wait "$child"
status=$?
kill "$watcher" 2>/dev/null
wait
exit "$status"
"""


class Child:
    """A process that holds nothing worth a farewell: it is ended by SIGKILL, and its folder is removed.

    It is in a session of its own, so that Ctrl-C reaches this process alone, which ends it after its own clean-up.

    Args:
        command: What to run.
        folder: What it writes into.
        output: The file in it that takes its output.
    """

    def __init__(self, command: Sequence[str | os.PathLike[str]], folder: Path, output: Path) -> None:
        with output.open("wb") as stream:
            self._shell = subprocess.Popen(  # noqa: S603 - the caller's command, with a script of ours around it
                ["/bin/sh", "-c", _GUARD, "sh", folder, *command],
                stdin=subprocess.PIPE,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )

    def status(self) -> int | None:
        """What it ended with by itself; None as long as it runs."""
        return self._shell.poll()

    def end(self) -> None:
        """End it, and wait until it is gone."""
        # A line, and not the pipe's end alone: a process that was forked from this one may hold the pipe open.
        self._shell.communicate(b"\n")
