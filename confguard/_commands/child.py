"""A command that runs beside us as if in our place: it gets the signals sent to us, stops with us, and we end as it ends.

It is of our process group, so that the keys of a terminal, and whoever signals the group, reach it directly, and a pipeline
stays one job. Signals are therefore passed on unless they came from the terminal.
"""

import ctypes
import os
import resource
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from types import FrameType
from typing import Any

ENDED, STOPPED = b"e", b"s"
"""What is told of the command. No signal has these numbers, which Python writes to the same place."""

# Faults of the process itself, and what cannot be caught, are not passed on.
_FAULTS = "SIGSEGV SIGBUS SIGFPE SIGILL SIGABRT SIGTRAP SIGSYS SIGPIPE SIGXCPU SIGXFSZ SIGKILL SIGSTOP"
_WATCHED = signal.valid_signals() - {getattr(signal, name) for name in _FAULTS.split()}
_OF_KEYS = {signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGWINCH, signal.SIGTTIN, signal.SIGTTOU}
# Where a signal came from, in Linux' words: the kernel, so of the terminal; or a thread of ours that got it first.
_FROM_KERNEL, _FROM_THREAD = 0x80, -6
_SET_DEATH_SIGNAL, _SET_DUMPABLE = 1, 4


class Child:
    """A command that has been started.

    Args:
        command: The command and its arguments.
        environment: Its variables.
        streams: Its standard output and standard error.
        events: Where `ENDED` and `STOPPED` are written.
        resize: Called when the terminal has another size.

    Attributes:
        status: What `os.waitpid` said of it; None as long as it runs.

    Raises:
        OSError: It cannot be executed.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        streams: tuple[int | None, int | None],
        events: int,
        resize: Callable[[], None],
    ) -> None:
        self.status: int | None = None
        self._events = events
        self._resize = resize
        self._waiter = threading.Thread(target=self._wait, daemon=True)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
        ignored = {number for number in _WATCHED if signal.getsignal(number) is signal.SIG_IGN}
        # A thread that an SDK has left may get a signal in place of the one that waits for it. Python tells us then.
        for number in _WATCHED:
            signal.signal(number, self._pass_to_waiter)
        signal.set_wakeup_fd(events, warn_on_full_buffer=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads at a fork: what runs between it and exec is ours
            self._process = subprocess.Popen(  # noqa: S603 - it is what was asked for
                command,
                env=environment,
                stdout=streams[0],
                stderr=streams[1],
                close_fds=False,  # what we inherited is for the command; what is our own is not inherited
                preexec_fn=_preparation(before, ignored),
            )
        self._waiter.start()

    def _wait(self) -> None:
        """Pass on signals until the command has ended. One thread does both, so that no other process is ever signalled."""
        while self.status is None:
            number, sender, by_key = _next_signal()
            if number == signal.SIGCHLD:
                self._reap()
                continue
            if number == signal.SIGWINCH:
                self._resize()  # and tell again: the command may have looked before
            if sender != self._process.pid and (not by_key or number == signal.SIGWINCH):
                with suppress(OSError):  # it has another user's rights now, say
                    os.kill(self._process.pid, number)
        self._process.returncode = os.waitstatus_to_exitcode(self.status)
        os.write(self._events, ENDED)

    def _reap(self) -> None:
        """Hear of every child that has ended: the first process of a container inherits those whose parents are gone."""
        with suppress(ChildProcessError):
            while found := os.waitpid(-1, os.WNOHANG | os.WUNTRACED):
                pid, status = found
                if pid == 0:
                    return
                if pid == self._process.pid and os.WIFSTOPPED(status):
                    os.write(self._events, STOPPED)
                elif pid == self._process.pid:
                    self.status = status

    def _pass_to_waiter(self, number: int, _: FrameType | None) -> None:
        if self.status is None and self._waiter.ident is not None:
            signal.pthread_kill(self._waiter.ident, number)


def stop_too() -> None:
    """Stop as the command has, so that a shell takes the terminal back. Without a terminal nobody would continue us."""
    with suppress(OSError):
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
        os.kill(os.getpid(), signal.SIGSTOP)


def end_as(status: int) -> int:
    """End by the signal that ended the command, without a dump of our memory; else return the exit code."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return code
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _process_control(_SET_DUMPABLE, 0)
    with suppress(OSError):  # SIGKILL has no other handler
        signal.signal(-code, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {-code})
    signal.raise_signal(-code)
    return 128 - code  # the first process of a container lives on


def _preparation(mask: Collection[int], ignored: Collection[int]) -> Callable[[], None]:
    """What the command's process does before it executes it: has the signals as we had them, and ends with us."""
    parent = os.getpid()

    def prepare() -> None:
        for number in _WATCHED:
            signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        _process_control(_SET_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:  # which has ended meanwhile
            os.kill(os.getpid(), signal.SIGKILL)

    return prepare


def _next_signal() -> tuple[int, int, bool]:
    """The next signal, who sent it, and whether that was a key of the terminal, or its window."""
    if sys.platform == "linux":
        info = signal.sigwaitinfo(_WATCHED)
        number, sender, code = info.si_signo, info.si_pid, info.si_code
    else:
        number, sender, code = signal.sigwait(_WATCHED), 0, _FROM_THREAD
    by_key = code == _FROM_KERNEL or (code == _FROM_THREAD and number in _OF_KEYS and _in_foreground())
    return number, sender, by_key


def _in_foreground() -> bool:
    """Whether the keys of the terminal are for us."""
    with suppress(OSError):
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
        try:
            return os.tcgetpgrp(terminal) == os.getpgrp()
        finally:
            os.close(terminal)
    return False


def _process_control(*arguments: int) -> None:
    if _LIBC is not None:
        _LIBC.prctl(*arguments, 0, 0, 0)


_LIBC: Any = ctypes.CDLL(None) if sys.platform == "linux" else None
