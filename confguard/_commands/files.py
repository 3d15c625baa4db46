"""Looking for secrets in files: which are read, and how, in memory that does not grow with them."""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial

from confguard._redaction import redactor
from confguard._streams import Finding

MOST = 1000
"""How many findings in one file are told. More of them say nothing new."""

_PART = 1 << 20
_HEAD = 8192  # how far git looks for a NUL byte, which makes a file binary
_INPUT = "-"
# Neither a pipe nor a device may hold us, although a file becomes one when we have looked at it.
_OPENING = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


@dataclass(frozen=True, slots=True)
class Hit:
    """A secret in a file.

    Attributes:
        path: The file.
        field: What the secret is called: a field path, or ``credential``.
        line: In which line it begins, of a text.
        byte: How many bytes stand before it; None where it stands in the file's name.
    """

    path: str
    field: str
    line: int | None = None
    byte: int | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """What kept a path from being searched, wholly or to its end.

    Attributes:
        path: The file or directory.
        text: Why.
        unread: Whether secrets may stand there that were not found. Else more were found than are told.
    """

    path: str
    text: str
    unread: bool = True


@dataclass(slots=True)
class Tally:
    """How much has been searched.

    Attributes:
        files: How many files.
        size: How many bytes.
        watch: Called after each part.
    """

    watch: Callable[[], None]
    files: int = 0
    size: int = 0


def search(paths: Sequence[str], exclude: Sequence[str], tally: Tally) -> Iterator[Hit | Note]:
    """Look for every secret that the redactor knows.

    Args:
        paths: Files, directories, and ``-`` for standard input. Of these alone a symbolic link is followed.
        exclude: Patterns of names and paths that are passed over.
        tally: Counts.
    """
    for path in paths:
        if path == _INPUT:
            yield from _attempt(path, partial(_in_descriptor, path, 0, tally))
        elif os.path.isdir(path):  # noqa: PTH112 - a path that is not UTF-8 stays as it is
            yield from _in_directory(path, [glob.rstrip("/") for glob in exclude], tally)
        else:
            yield from _in_name(path)
            yield from _attempt(path, partial(_in_file, path, tally, named=True))


def _in_directory(top: str, exclude: Sequence[str], tally: Tally) -> Iterator[Hit | Note]:
    """Everything below a directory, in order of names. Of what is no file and no directory the name alone is looked at."""
    stack: list[os.DirEntry[str]] = []
    yield from _attempt(top, partial(_open, top, stack))
    while stack:
        entry = stack.pop()
        path = entry.path if top != os.curdir else entry.path.removeprefix(f"{os.curdir}{os.sep}")
        if any(fnmatchcase(entry.name, glob) or fnmatchcase(path, glob) for glob in exclude):
            continue
        yield from _in_name(path)
        yield from _attempt(path, partial(_in_entry, path, entry, stack, tally))


def _in_entry(path: str, entry: os.DirEntry[str], stack: list[os.DirEntry[str]], tally: Tally) -> Iterator[Hit | Note]:
    if entry.is_dir(follow_symlinks=False):
        yield from _open(entry.path, stack)
    elif entry.is_file(follow_symlinks=False):
        yield from _in_file(path, tally, named=False)


def _open(path: str, stack: list[os.DirEntry[str]]) -> Iterator[Hit | Note]:
    """Put what stands in a directory on the stack, the first on top.

    Raises:
        OSError: It cannot be read.
    """
    with os.scandir(path) as entries:
        stack += sorted(entries, key=lambda entry: entry.name, reverse=True)
    yield from ()


def _attempt(path: str, look: Callable[[], Iterator[Hit | Note]]) -> Iterator[Hit | Note]:
    try:
        yield from look()
    except OSError as exc:
        yield Note(path, exc.strerror or type(exc).__name__)


def _in_name(path: str) -> Iterator[Hit]:
    """What stands in the name itself."""
    finder = redactor.finder()
    name = os.fsencode(os.path.basename(path))  # noqa: PTH119
    for label in dict.fromkeys(finding.label for finding in [*finder.feed(name), *finder.end()]):
        yield Hit(path, label)


def _in_file(path: str, tally: Tally, *, named: bool) -> Iterator[Hit | Note]:
    descriptor = os.open(path, _OPENING | (0 if named else os.O_NOFOLLOW))
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            yield from _in_descriptor(path, descriptor, tally)
        elif named:
            yield Note(path, "is neither a file nor a directory; give what it holds to standard input, and -")
    finally:
        os.close(descriptor)


def _in_descriptor(path: str, descriptor: int, tally: Tally) -> Iterator[Hit | Note]:
    """What stands in a file: of each line of a text a secret once, of a binary file each place.

    Raises:
        OSError: It cannot be read.
    """
    finder = redactor.finder()
    told: set[object] = set()
    tally.files += 1
    head = b""
    while True:
        data = os.read(descriptor, _PART)
        tally.size += len(data)
        tally.watch()
        head += data[: _HEAD - len(head)]
        for finding in finder.feed(data) if data else finder.end():
            hit = _hit(path, finding, binary=b"\0" in head)
            if (hit.field, hit.line or hit.byte) in told:
                continue
            if len(told) == MOST:
                yield Note(path, f"more than {MOST} findings; the others are not told", unread=False)
                return
            told.add((hit.field, hit.line or hit.byte))
            yield hit
        if not data:
            return


def _hit(path: str, finding: Finding, *, binary: bool) -> Hit:
    return Hit(path, finding.label, None if binary else finding.line, finding.offset)
