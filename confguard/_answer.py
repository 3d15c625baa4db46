"""What of one response may go out, whichever protocol it is sent by: headers and body, searched for secrets.

`confguard.wsgi` and `confguard.asgi` feed it what the application gives, and send what it lets out.
"""

import logging
import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from confguard._screen import Screen

if TYPE_CHECKING:
    from confguard._streams import RedactedStream

Mode = Literal["redact", "block"]
Header = tuple[bytes, bytes]

COLLECTED = 4 * 2**20
"""Up to which declared length in bytes a body is collected before it is sent, so that its length can be told again."""

# They tell of a body that is not sent so any more; and a hash of a secret that can be guessed is as good as the secret.
_OF_THE_WHOLE = frozenset({b"content-md5", b"content-digest", b"repr-digest", b"digest", b"etag"})
# What an application would answer with a part of a body, in which the half of a secret is not found, or with a compressed one.
WITHHELD = frozenset({b"range", b"if-range", b"accept-encoding"})

logger = logging.getLogger("confguard")


class Answer:
    """One response on its way out.

    Attributes:
        headers: As they may be sent; final when the first byte of the body is given out.
        blocked: Whether it must not go on; nothing more is given out.
        collecting: Whether it waits for the whole body.
    """

    def __init__(self, screen: Screen, mode: Mode) -> None:
        self.headers: list[Header] = []
        self.blocked = False
        self.collecting = False
        self._screen = screen
        self._mode = mode
        self._collected: list[bytes] = []
        self._size = 0
        self._stream: RedactedStream | None = None

    def start(self, headers: Iterable[Header], *, bodiless: bool) -> None:
        """Take the headers.

        Args:
            headers: Names and values.
            bodiless: Whether it has no body, whatever its length says: the answer to HEAD, 204 and 304.
        """
        self.headers = self.clean_headers(headers)
        self._collected.clear()  # of a body that is given up for that of an error
        self._size = 0
        length = _length(self.headers)
        self.collecting = length is not None and length <= COLLECTED and not bodiless
        self._stream = None
        if _is_encoded(self.headers):
            self.collecting = False
        elif bodiless:
            self._stream = self._screen.stream()
        elif not self.collecting:
            self._go_on()

    def clean_headers(self, headers: Iterable[Header]) -> list[Header]:
        """Headers without secrets."""
        made = [(self._screen.clean(name), self._screen.clean(value)) for name, value in headers]
        self._judge()
        return made

    def feed(self, data: bytes) -> bytes:
        """What can be sent after this part of the body."""
        if self.blocked:
            return b""
        if self.collecting:
            self._collected.append(data)
            self._size += len(data)
            if self._size <= COLLECTED:
                return b""
            data = b"".join(self._collected)  # more than was declared
            self._collected.clear()
            self.collecting = False
            self._go_on()
        return self._judged(self._stream.feed(data) if self._stream else data)

    def end(self) -> bytes:
        """What is left to be sent when the body has ended."""
        if self.blocked:
            return b""
        if self.collecting:
            self.collecting = False
            return self._judged(self._whole())
        return self._judged(self._stream.end() if self._stream else b"")

    def _go_on(self) -> None:
        """Send the rest as it comes: its length is not known any more."""
        self._stream = self._screen.stream()
        self.headers = [header for header in self.headers if header[0].lower() != b"content-length"]

    def _whole(self) -> bytes:
        body = b"".join(self._collected)
        self._collected.clear()
        made = self._screen.clean(body)
        if made is not body:
            length = b"%d" % len(made)
            kept = [(name, value) for name, value in self.headers if name.lower() not in _OF_THE_WHOLE]
            self.headers = [(name, length if name.lower() == b"content-length" else value) for name, value in kept]
        return made

    def _judged(self, out: bytes) -> bytes:
        self._judge()
        return b"" if self.blocked else out

    def _judge(self) -> None:
        if self._mode == "block" and self._screen.found:
            self.blocked = True
            self._stream = None
            self._collected.clear()

    def __repr__(self) -> str:
        return "<Answer>"


def check_options(mode: str, exclude: Sequence[str]) -> None:
    """Refuse options that cannot be meant.

    Raises:
        TypeError: `exclude` is a text.
        ValueError: Another mode, or a path to exclude that does not begin with ``/``.
    """
    if mode not in ("redact", "block"):
        raise ValueError(f'mode is "redact" or "block", not {mode!r}')
    if isinstance(exclude, str):
        raise TypeError(f"exclude is a list of paths: exclude=[{exclude!r}]")
    for path in exclude:
        if not path.startswith("/"):
            raise ValueError(f"a path to exclude begins with /, and {path!r} does not")


def is_excluded(path: str, exclude: Sequence[str]) -> bool:
    """Whether a path is one of those to exclude, or below one, by whole segments."""
    if {".", ".."}.intersection(path.split("/")):  # may lead elsewhere
        return False
    return any(path == one or path.startswith(f"{one.rstrip('/')}/") for one in exclude)


def report_incident(screen: Screen, request: str, clean: Callable[[str], str]) -> str:
    """Log that a response was blocked; the id of the incident, which its client may know."""
    incident = secrets.token_hex(8)
    logger.error(
        "incident %s: the response to %s was blocked: it held %s", incident, ascii(clean(request)), ", ".join(screen.found)
    )
    return incident


def page(incident: str) -> bytes:
    """The body of a response that stands in for one that was blocked."""
    return f"Internal Server Error\nincident {incident}\n".encode()


def _length(headers: Iterable[Header]) -> int | None:
    """The declared length of the body."""
    for name, value in headers:
        if name.lower() == b"content-length" and value.strip().isdigit():
            return int(value)
    return None


def _is_encoded(headers: Iterable[Header]) -> bool:
    """Whether the body is compressed, so that nothing can be found in it."""
    named = (value.strip().lower() for name, value in headers if name.lower() == b"content-encoding")
    return any(value not in (b"", b"identity") for value in named)
