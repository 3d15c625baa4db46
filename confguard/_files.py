"""Reading a local file that others may have put there: regular files alone, bounded, never blocking, inside of its roots.

A path is only a wish: whoever may write in a directory can put a FIFO, a device or a link there, and swap one for the other
between a check and a read. So links are resolved first, the result is opened part by part without following any, what was opened
is looked at and not what was named, and a file has to give as many bytes as its size says, which no file of ``/proc`` does.
"""

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from errno import EAGAIN, ELOOP, ENAMETOOLONG
from typing import Literal

FILE_LIMIT = 2**20
"""How many bytes a file may have: 1 MiB, what Kubernetes allows all of a Secret."""

FileKind = Literal["missing", "denied", "malformed", "unconfigured"]

StrPath = str | os.PathLike[str]

_TRIES = 5  # a file that is replaced meanwhile is read anew; one that changes at each look is none to start with
# O_PATH wants no permission to list the directories on the way; where a system lacks it, listing them has to be allowed.
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW | os.O_CLOEXEC
_SORTS = (
    (stat.S_ISDIR, "is a directory"),
    (stat.S_ISFIFO, "is a FIFO"),
    (stat.S_ISSOCK, "is a socket"),
    (stat.S_ISCHR, "is a device"),
    (stat.S_ISBLK, "is a device"),
)


@dataclass(frozen=True, slots=True)
class FileContent:
    """What stands in a file.

    Attributes:
        data: Its bytes.
        path: The file itself, links resolved.
        mode: Its type and permissions, as `os.stat` tells them.
    """

    data: bytes = field(repr=False)
    path: str
    mode: int


@dataclass(frozen=True, slots=True)
class FileFault:
    """Why a file is not read.

    Attributes:
        kind: The kind of the problem.
        message: What is wrong with it, to be said behind its path: ``"is a directory"``.
        tip: What to do about it.
    """

    kind: FileKind
    message: str
    tip: str | None = None


def read_file(path: StrPath, *, roots: Sequence[StrPath] = (), limit: int = FILE_LIMIT) -> FileContent | FileFault:
    """Read a regular file.

    Args:
        path: The file. Links are followed.
        roots: The directories that it must lie in once links are resolved, those on the way to a root included. The directory
            that the path itself names, unless told.
        limit: How many bytes it may have.

    Returns:
        The content; or why there is none. No byte of a file is quoted.
    """
    name = os.fspath(path)
    within = [os.fspath(root) for root in roots] or [os.path.dirname(name) or os.curdir]  # noqa: PTH120 - "" has to stay ""
    try:
        return _read(name, within, limit)
    except OSError as exc:
        return _told(exc, name)
    except ValueError:  # a NUL byte in the path
        return FileFault("missing", "is not there")


def is_below(path: str, root: str) -> bool:
    """Whether a path without links is a root without links, or lies in it."""
    return path == root or path.startswith(f"{root.rstrip('/')}/")


def text_of(content: FileContent, *, marked: bool = False) -> str | FileFault:
    """The text of a file, without the one line ending at its end; or why it is no text.

    Args:
        content: The file.
        marked: Whether it may begin with a byte order mark, which is then part of the text.
    """
    if content.data.startswith(b"\xef\xbb\xbf") and not marked:
        return FileFault("malformed", "begins with a byte order mark, which would be part of the value", "save it without one")
    if b"\0" in content.data:
        tip = "write text, as UTF-8; what is binary can be bound with file://"
        return FileFault("malformed", "holds a NUL byte", tip)
    try:
        text = content.data.decode()
    except UnicodeDecodeError as exc:
        at, why = exc.start, exc.reason
    else:
        return without_line_ending(text)
    return FileFault("malformed", f"is not valid UTF-8: {why} at byte {at}")


def without_line_ending(text: str) -> str:
    """A text without the one line ending, LF or CRLF, that an editor or a shell has put at its end."""
    return text[: -2 if text.endswith("\r\n") else -1] if text.endswith("\n") else text


def _read(name: str, within: Sequence[str], limit: int) -> FileContent | FileFault:
    for _ in range(_TRIES):
        real = os.path.realpath(name, strict=True)
        roots = (os.path.realpath(root) for root in within)
        root = next((root for root in roots if is_below(real, root)), None)
        if root is None:
            return FileFault("unconfigured", f"leads out of {' and '.join(within)}, where it has to lie")
        with suppress(FileNotFoundError, NotADirectoryError):  # it was there a moment ago: look again
            found = _read_below(root, [part for part in real[len(root) :].split("/") if part], limit)
            if found is not None:
                return FileContent(found.data, real, found.mode) if isinstance(found, FileContent) else found
    return FileFault("malformed", "gives other bytes than its size says: it is no ordinary file, or is being written")


def _read_below(root: str, parts: Sequence[str], limit: int) -> FileContent | FileFault | None:
    """The file below a root; None where it changes meanwhile."""
    if not parts:
        return FileFault("malformed", "is a directory")
    folder = os.open(root, _FOLDER)
    try:
        for part in parts[:-1]:
            inner = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        # Looked at before it is opened: to open a device can do something already.
        status = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):  # since a moment ago
            return None
        fault = _unfit(status, limit)
        if fault is not None:
            return fault
        file = os.open(parts[-1], _FILE, dir_fd=folder)
    except OSError as exc:
        if exc.errno == ELOOP:  # it has become a link since
            return None
        raise
    finally:
        os.close(folder)
    try:
        return _read_whole(file, limit)
    finally:
        os.close(file)


def _unfit(status: os.stat_result, limit: int) -> FileFault | None:
    if not stat.S_ISREG(status.st_mode):
        sort = next((what for is_one, what in _SORTS if is_one(status.st_mode)), "is something else")
        return FileFault("malformed", f"{sort}, and no regular file")
    if status.st_size > limit:
        return FileFault("malformed", f"has {status.st_size:,} bytes, and at most {limit:,} are read")
    return None


def _read_whole(file: int, limit: int) -> FileContent | FileFault | None:
    before = os.fstat(file)
    fault = _unfit(before, limit)
    if fault is not None:
        return fault
    data = bytearray()
    while len(data) <= before.st_size and (piece := os.read(file, before.st_size + 1 - len(data))):
        data += piece
    after = os.fstat(file)
    unchanged = len(data) == before.st_size == after.st_size and before.st_mtime_ns == after.st_mtime_ns
    return FileContent(bytes(data), "", before.st_mode) if unchanged else None


def _told(exc: OSError, name: str) -> FileFault:
    """What may be said of an error of the system; its own text quotes the path, which a caller may not want to show."""
    if isinstance(exc, FileNotFoundError):
        return FileFault("missing", "is a link that leads nowhere" if os.path.islink(name) else "is not there")  # noqa: PTH114
    if isinstance(exc, NotADirectoryError) or exc.errno == ENAMETOOLONG:
        return FileFault("missing", "is not there")
    if isinstance(exc, PermissionError):
        return FileFault("denied", "may not be read by this user", f"it runs as uid {os.geteuid()}")
    if exc.errno == ELOOP:
        return FileFault("malformed", "is a link that leads in a circle")
    if exc.errno == EAGAIN:
        return FileFault("malformed", "would block, and is no regular file")
    return FileFault("malformed", f"cannot be read: {exc.strerror or type(exc).__name__}")
