"""What is hidden in the response to one request: every secret that the request did not contain itself.

If a guess came back masked, the mask would say that it was right. So what came with the request is let through: who sent it
knows it.
"""

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from urllib.parse import unquote_to_bytes

from confguard._redaction import Redactor, redacted
from confguard._search import Match
from confguard._streams import RedactedStream

_BLOCK = 2**20  # how much of a request's body is kept before it is searched; a shorter one only when a response holds a secret
_ROUNDS = 2  # how often what was encoded twice is decoded
_SHARE = 6 * 2  # how many bytes a byte can take in a request's encodings, "\u0061" in UTF-16 say
_ESCAPE = re.compile(rb"((?:\\u[0-9a-fA-F]{4})+)|\\(?:x([0-9a-fA-F]{2})|([0-3][0-7]{2})|([^ux0-3]))")
_CONTROLS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


class Screen:
    """Hides secrets in one response by a mask that is the same for all.

    Attributes:
        found: The labelled masks of what it hid.
    """

    def __init__(self, own: Redactor) -> None:
        self.found: dict[str, None] = {}
        self._whole = own.known()
        self._known = replace(self._whole, search=self._search, masks=self._whole.same_masks)
        self._kept: list[bytes] = []
        self._size = 0
        self._given: set[int] = set()  # parts of secrets that the request contained

    def let_through(self, data: bytes) -> None:
        """Hide nothing that stands in these bytes of the request; they may follow on those before."""
        self._kept.append(data)
        self._size += len(data)
        if self._size > _BLOCK + self._tail:
            self._look()

    def clean(self, data: bytes) -> bytes:
        """The bytes with masks; the same object where there is nothing to hide."""
        return redacted(self._known, data)

    def clean_text(self, text: str) -> str:
        """The same for text."""
        data = text.encode(errors="surrogatepass")
        made = self.clean(data)
        return text if made is data else made.decode(errors="replace")

    def stream(self) -> RedactedStream:
        """The same for bytes that come in parts. Only what may be the beginning of a secret is held back."""
        return RedactedStream(self._known)

    @property
    def _tail(self) -> int:
        """How much of the request is kept for what may go on in the part that follows."""
        return self._whole.longest * _SHARE

    def _search(self, data: bytes) -> Sequence[Match]:
        matches = self._whole.search(data)
        if not matches:
            return matches
        if self._size:
            self._look()
        kept = [match for match in matches if self._given.isdisjoint(self._whole.parts[match[0]])]
        self.found.update((self._whole.masks[number].decode(), None) for number, _, _ in kept)
        return kept

    def _look(self) -> None:
        """Note which parts of secrets stand in what came with the request."""
        data = b"".join(self._kept)
        for text in _decoded(data):
            for number, _, _ in self._whole.search(text):
                self._given.update(self._whole.parts[number])
        tail = data[-self._tail :] if self._tail else b""
        self._kept, self._size = [tail], 0

    def __repr__(self) -> str:
        return "<Screen>"


def _decoded(data: bytes) -> Iterator[bytes]:
    """The bytes, and what a framework may make of them: from UTF-16 or UTF-32, percent-decoded, unescaped, and that twice."""
    narrow = data.replace(b"\0", b"")
    for text in dict.fromkeys((data, narrow, narrow.replace(b"+", b" "))):
        yield text
        for _ in range(_ROUNDS):
            before = text
            for decode in (unquote_to_bytes, _unescaped, _unmarked):
                after = decode(text)
                if after != text:
                    yield after
                text = after
            if text == before:
                break


def _unescaped(data: bytes) -> bytes:
    """Without the escapes of JSON and of cookies."""
    return _ESCAPE.sub(_meant, data) if b"\\" in data else data


def _unmarked(data: bytes) -> bytes:
    """Without the references of XML and HTML."""
    if b"&" not in data:
        return data
    return html.unescape(data.decode(errors="surrogateescape")).encode(errors="surrogatepass")


def _meant(escape: re.Match[bytes]) -> bytes:
    wide, hexadecimal, octal, char = escape.groups()
    if wide:
        units = bytes.fromhex(wide.replace(b"\\u", b"").decode())
        return units.decode("utf-16-be", "surrogatepass").encode(errors="surrogatepass")
    if hexadecimal or octal:
        return bytes([int(hexadecimal or octal, 16 if hexadecimal else 8)])
    return _CONTROLS.get(char, char)
