"""``confguard run --mask``: the output of a command, with a mask in place of every secret."""

import fcntl
import os
import select
import struct
import sys
import termios
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic

from confguard._commands.child import ENDED, STOPPED, Child, end_as, stop_too
from confguard._redaction import redactor
from confguard._streams import RedactedStream

_PART = 65536
_MOMENT = 0.2
"""For how many seconds what may be the beginning of a secret is held back when nothing follows: a prompt, say."""

_LAST = 0.05
"""For how many seconds output is waited for that a command which has ended or stopped may have left in a terminal."""

_MOST_LEFT = 1 << 20
"""How many bytes a command that has ended can have left in a pipe. What comes after them is of others who hold it too."""


@dataclass(slots=True)
class _Channel:
    """One stream of the command on its way to ours.

    Attributes:
        sink: Ours.
        source: Where what the command writes is read.
        end: Where the command writes; closed once it has it.
        is_terminal: Whether it writes to a terminal.
        stream: Redacts it.
        due: When what is held back is to be given out.
        left: How many bytes are read after the command has ended.
    """

    sink: int
    source: int
    end: int
    is_terminal: bool
    stream: RedactedStream = field(default_factory=redactor.stream)
    due: float | None = None
    left: int = _MOST_LEFT


def run_masked(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command, and return its exit code when it has ended; where a signal ended it, end so too.

    Raises:
        OSError: It cannot be executed.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    out = _channel(1)
    err = out if _same(1, 2) else _channel(2)
    channels = [channel for channel in ([out] if out is err else [out, err]) if channel is not None]
    events, tell = os.pipe()
    os.set_blocking(tell, False)
    streams = (out.end if out else None, err.end if err else None)
    child = Child(command, environment, streams, tell, lambda: _resize(channels))
    for channel in channels:
        os.close(channel.end)
    _copy(channels, events)
    return end_as(child.status or 0)


def _same(one: int, other: int) -> bool:
    """Whether two streams lead to one place, so that the command can keep the order of what it writes to them."""
    with suppress(OSError):
        return os.path.samestat(os.fstat(one), os.fstat(other))
    return False


def _channel(sink: int) -> _Channel | None:
    """A way to a stream of ours: a terminal where that is one, else a pipe; None where it is closed."""
    try:
        os.fstat(sink)
    except OSError:
        return None
    if not os.isatty(sink):
        return _Channel(sink, *os.pipe(), is_terminal=False)
    source, end = os.openpty()
    modes = termios.tcgetattr(sink)
    modes[1] &= ~termios.OPOST  # our terminal does it
    termios.tcsetattr(end, termios.TCSANOW, modes)
    channel = _Channel(sink, source, end, is_terminal=True)
    _resize([channel])
    return channel


def _resize(channels: Sequence[_Channel]) -> None:
    """Give the command's terminals the size of ours."""
    for channel in channels:
        with suppress(OSError):  # it has been closed meanwhile
            if channel.is_terminal:
                size = fcntl.ioctl(channel.sink, termios.TIOCGWINSZ, bytes(struct.calcsize("HHHH")))
                fcntl.ioctl(channel.source, termios.TIOCSWINSZ, size)


def _copy(channels: Sequence[_Channel], events: int) -> None:
    """Copy until the command has ended and what it left is copied. For others who have its streams too we do not wait."""
    poll = select.poll()
    poll.register(events, select.POLLIN)
    open_ones = {channel.source: channel for channel in channels}
    for source in open_ones:
        poll.register(source, select.POLLIN)
    told = b""
    while open_ones or ENDED not in told:
        ready = [number for number, _ in poll.poll(_patience(open_ones.values(), told))]
        if events in ready:
            told += os.read(events, _PART)
        elif not ready and ENDED in told:
            break
        elif not ready and STOPPED in told:
            told = b""
            stop_too()
        for channel in [open_ones[number] for number in ready if number in open_ones]:
            if not _pass_on(channel, last=ENDED in told):
                poll.unregister(channel.source)
                _close(open_ones.pop(channel.source))
        _give_out_what_is_due(open_ones.values())
    for channel in open_ones.values():
        _close(channel)


def _patience(channels: Iterable[_Channel], told: bytes) -> float | None:
    """For how many milliseconds to wait; None for ever."""
    if ENDED in told or STOPPED in told:
        return _LAST * 1000
    due = [channel.due for channel in channels if channel.due is not None]
    return max(0.0, min(due) - monotonic()) * 1000 if due else None


def _pass_on(channel: _Channel, last: bool) -> bool:
    """Copy one part; False where none will follow, or nobody takes it."""
    if channel.left <= 0:
        return False
    try:
        data = os.read(channel.source, _PART)
    except OSError:  # of a terminal, whose other end is closed
        return False
    if last:
        channel.left -= len(data)
    written = bool(data) and _write(channel.sink, channel.stream.feed(data))
    channel.due = monotonic() + _MOMENT if channel.stream.holds else None
    return written


def _give_out_what_is_due(channels: Iterable[_Channel]) -> None:
    now = monotonic()
    for channel in channels:
        if channel.due is not None and channel.due <= now:
            channel.due = None
            _write(channel.sink, channel.stream.pause())


def _close(channel: _Channel) -> None:
    """Give out what is left. The command that still writes is told as the pipe would tell it: nobody reads."""
    _write(channel.sink, channel.stream.cut())
    os.close(channel.source)


def _write(sink: int, data: bytes) -> bool:
    """Write all of it; False where nobody reads any more, or there is no room."""
    while data:
        try:
            data = data[os.write(sink, data) :]
        except BlockingIOError:  # who shares the stream with us has made it so
            select.select((), (sink,), ())
        except OSError:
            return False
    return True
