"""What hides secrets: knows every secret value of this process and replaces it in text, bytes and streams.

It imports of ours only leaves, so that the core and the provider contract can both tell it what they learn.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence

from confguard._forms import forms_of
from confguard._known import NOTHING, Known, Span, make_known, united
from confguard._streams import FindingStream, RedactedStream

LIMIT = 20_000
"""How many values are known at a time. Beyond it the one that was learned longest ago is forgotten, and counted."""

# Of all redactors. Taken again where a signal's handler, or an object that is collected, writes while its thread is in here.
_lock = threading.RLock()


class Redactor:
    """Knows secret values and replaces them, in every form in which they leak, by ``[redacted:LABEL]``.

    A text that comes back holds no form of a known secret, and is the same where it held none. Overlapping secrets are united
    under one mask. A mask tells the label of the first of them, and nothing of the value.

    Attributes:
        forgotten: How many values have been forgotten since there were more than `LIMIT`.
    """

    def __init__(self) -> None:
        self._labels: OrderedDict[str | bytes, str] = OrderedDict()
        self._changes = 0
        self._made_at = 0  # of which change `_known` is
        self._known = NOTHING
        self.forgotten = 0

    def learn(self, value: str | bytes, label: str) -> None:
        """Know a secret from now on.

        Args:
            value: The secret. Values of fewer than 4 bytes, of digits alone and fewer than 6, and words that stand in every log
                cannot be told from other text, and are passed over.
            label: What the mask calls it: a field path, or ``credential``. The first one stays.
        """
        with _lock:
            if value in self._labels:
                self._labels.move_to_end(value)  # the first are the next to be forgotten
                return
            # Counted before, so that another thread waits for it, and after, so that who came in between does not hide it.
            self._changes += 1
            self._labels[value] = label
            if len(self._labels) > LIMIT:
                self._labels.popitem(last=False)
                self.forgotten += 1
            self._changes += 1

    def forget_all(self) -> None:
        """Know nothing any more; for tests."""
        with _lock:
            self._labels.clear()
            self._changes += 1

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
        with _lock:
            return sorted({label for value, label in self._labels.items() if next(forms_of(value), None) is None})

    def stream(self) -> RedactedStream:
        """A new stream, whose parts are redacted as if they were one."""
        return RedactedStream(self.known())

    def finder(self) -> FindingStream:
        """A new stream, in whose parts secrets are found as if they were one."""
        return FindingStream(self.known())

    def known(self) -> Known:
        """What is searched for. Made when something is first looked at, since most loads never look."""
        if self._made_at != self._changes:
            with _lock:
                while self._made_at != self._changes:
                    change = self._changes
                    self._known = make_known(self._labels.copy())
                    self._made_at = change
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


def _only_this_thread_is_left() -> None:
    """After a fork nobody in the child gives back what another thread held."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):  # not where there is no fork
    os.register_at_fork(after_in_child=_only_this_thread_is_left)
