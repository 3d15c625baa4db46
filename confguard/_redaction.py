"""What hides secrets: knows every secret value of this process and replaces it in text, bytes and streams.

It imports of ours only leaves, so that the core and the provider contract can both tell it what they learn.
"""

import threading
from collections.abc import Sequence

from confguard._forms import forms_of
from confguard._known import NOTHING, Known, Span, make_known, united
from confguard._streams import FindingStream, RedactedStream

LIMIT = 20_000
"""How many values are known at a time. Beyond it the one that was learned longest ago is forgotten, and counted."""


class Redactor:
    """Knows secret values and replaces them, in every form in which they leak, by ``[redacted:LABEL]``.

    A text that comes back holds no form of a known secret, and is the same where it held none. Overlapping secrets are united
    under one mask. A mask tells the label of the first of them, and nothing of the value.

    Attributes:
        forgotten: How many values have been forgotten since there were more than `LIMIT`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._labels: dict[str | bytes, str] = {}
        self._stale = False
        self._known = NOTHING
        self.forgotten = 0

    def learn(self, value: str | bytes, label: str) -> None:
        """Know a secret from now on.

        Args:
            value: The secret. Values of fewer than 4 bytes, of digits alone and fewer than 6, and words that stand in every log
                cannot be told from other text, and are passed over.
            label: What the mask calls it: a field path, or ``credential``. The first one stays.
        """
        with self._lock:
            # Put last again, since the first are the next to be forgotten.
            self._stale |= value not in self._labels
            self._labels[value] = self._labels.pop(value, label)
            if len(self._labels) > LIMIT:
                del self._labels[next(iter(self._labels))]
                self.forgotten += 1

    def forget_all(self) -> None:
        """Know nothing any more; for tests."""
        with self._lock:
            self._labels.clear()
            self._stale = True

    def redact(self, text: str) -> str:
        """The text with a mask in place of every known secret."""
        known = self.known()
        data = text.encode(errors="surrogatepass")
        matches = known.search(data)
        if not matches:
            return text
        spans = [Span(*_on_characters(data, span.start, span.end), span.form) for span in united(matches)]
        return _masked(data, spans, known.masks).decode(errors="surrogatepass")

    def redact_bytes(self, data: bytes) -> bytes:
        """The bytes with a mask in place of every known secret."""
        return redacted(self.known(), data)

    def holds_secret(self, text: str) -> bool:
        """Whether a known secret stands in the text."""
        return bool(self.known().search(text.encode(errors="surrogatepass")))

    def unsearchable(self) -> list[str]:
        """The labels of values that are passed over, since they cannot be told from other text."""
        with self._lock:
            return sorted({label for value, label in self._labels.items() if next(forms_of(value), None) is None})

    def stream(self) -> RedactedStream:
        """A new stream, whose parts are redacted as if they were one."""
        return RedactedStream(self.known())

    def finder(self) -> FindingStream:
        """A new stream, in whose parts secrets are found as if they were one."""
        return FindingStream(self.known())

    def known(self) -> Known:
        """What is searched for. Made when something is first looked at, since most loads never look."""
        if self._stale:
            with self._lock:
                if self._stale:
                    self._known = make_known(self._labels)
                    self._stale = False
        return self._known

    def __repr__(self) -> str:
        return "<Redactor>"

    def __reduce__(self) -> str:
        raise TypeError("a Redactor holds secrets and cannot be pickled")


def redacted(known: Known, data: bytes) -> bytes:
    """The bytes with masks in place of what is known; the same object where there is nothing to hide."""
    matches = known.search(data)
    return _masked(data, united(matches), known.masks) if matches else data


def _masked(data: bytes, spans: Sequence[Span], masks: Sequence[bytes]) -> bytes:
    pieces: list[bytes] = []
    at = 0
    for span in spans:
        pieces += [data[at : span.start], masks[span.form]]
        at = span.end
    return b"".join([*pieces, data[at:]])


def _on_characters(data: bytes, start: int, end: int) -> tuple[int, int]:
    """A span widened to whole characters of UTF-8: a binary secret may begin in the middle of one."""
    while data[start] & 0xC0 == 0x80:  # of a text the first byte begins a character
        start -= 1
    while end < len(data) and data[end] & 0xC0 == 0x80:
        end += 1
    return start, end


redactor = Redactor()
"""The one of this process."""
