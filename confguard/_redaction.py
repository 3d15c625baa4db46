"""What hides secrets: knows every secret value of this process and replaces it in text, bytes and streams.

It imports of ours only leaves, so that the core and the provider contract can both tell it what they learn.
"""

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from confguard._forms import grouped_forms
from confguard._search import Match, Pending, Search, make_pending, make_search

LIMIT = 20_000
"""How many values are known at a time. Beyond it the one that was learned longest ago is forgotten, and counted."""

REDACTED = "[redacted]"
"""What stands in place of a value that is taken out because of where it stood, whatever it was."""

# What a mask is made of where one with a label could be taken for a secret: the first of these that no form has in it.
_PLAIN = ["*", "█", "■", "•", *map(chr, range(0xE000, 0xE100))]
_PLAIN_LENGTH = 8
_BEGINNING = b"[redacted:"


@dataclass(frozen=True, slots=True)
class Known:
    """What is searched for at one moment; never changed, so that threads need no lock to read it.

    Attributes:
        search: Finds the forms.
        masks: The mask of each form.
        longest: The length of the longest form in bytes.
        pending: Tells from where on a text may hold the beginning of a form.
        mirrored: The same for texts and forms that are written backwards: where the end of a form may stand at the beginning.
        parts: Of which parts of secrets each form is one: a secret, a line of it, a credential within it.
        same_masks: The mask of each form, the same for all, so that it tells not even which secret it was.
    """

    search: Search
    masks: Sequence[bytes]
    longest: int
    pending: Pending
    mirrored: Pending
    parts: Sequence[Sequence[int]]
    same_masks: Sequence[bytes]


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
        self._known = _NOTHING
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
        spans = _united(known, matches)
        whole = [_Span(*_on_characters(data, span.start, span.end), span.mask) for span in spans]
        return _masked(data, whole).decode(errors="surrogatepass")

    def redact_bytes(self, data: bytes) -> bytes:
        """The bytes with a mask in place of every known secret."""
        return redacted(self.known(), data)

    def holds_secret(self, text: str) -> bool:
        """Whether a known secret stands in the text."""
        return bool(self.known().search(text.encode(errors="surrogatepass")))

    def labels_in(self, data: bytes) -> Iterator[tuple[int, str]]:
        """Where known secrets stand in bytes, united where they overlap, each with its mask."""
        known = self.known()
        yield from ((span.start, span.mask.decode()) for span in _united(known, known.search(data)))

    def stream(self) -> "RedactedStream":
        """A new stream, whose parts are redacted as if they were one."""
        return RedactedStream(self.known())

    def known(self) -> Known:
        """What is searched for. Made when something is first looked at, since most loads never look."""
        if self._stale:
            with self._lock:
                if self._stale:
                    self._known = _make(self._labels)
                    self._stale = False
        return self._known

    def __repr__(self) -> str:
        return "<Redactor>"

    def __reduce__(self) -> str:
        raise TypeError("a Redactor holds secrets and cannot be pickled")


class RedactedStream:
    """Bytes that come in parts, redacted as if they came at once. What may be the beginning of a secret is held back."""

    def __init__(self, known: Known) -> None:
        self._kept = known
        self._held = b""
        self._covered = 0  # how much of what is held is a part of a secret whose mask has been given out

    def feed(self, data: bytes) -> bytes:
        """What can be given out after this part."""
        self._held += data
        return self._give(self._kept.pending(self._held))

    def end(self) -> bytes:
        """What is left when no part comes any more."""
        return self._give(len(self._held))

    def _give(self, until: int) -> bytes:
        """Everything before a place, and of a secret that begins before it the mask: all that begin there have come whole."""
        if until <= 0:
            return b""
        pieces: list[bytes] = []
        at = self._covered
        for span in _united(self._kept, self._kept.search(self._held), at):
            if span.start >= until:
                break
            if span.start >= at:  # else it lengthens what is covered by a mask already
                pieces += [self._held[at : span.start], span.mask]
            at = span.end
        if at < until:
            pieces.append(self._held[at:until])
            at = until
        self._held, self._covered = self._held[until:], at - until
        return b"".join(pieces)

    def __repr__(self) -> str:
        return "<RedactedStream>"

    def __reduce__(self) -> str:
        raise TypeError("a RedactedStream holds secrets and cannot be pickled")


def redacted(known: Known, data: bytes) -> bytes:
    """The bytes with masks in place of what is known; the same object where there is nothing to hide."""
    matches = known.search(data)
    return _masked(data, _united(known, matches)) if matches else data


@dataclass(frozen=True, slots=True)
class _Span:
    """Where a mask stands in place of secrets."""

    start: int
    end: int
    mask: bytes


def _united(known: Known, matches: Sequence[Match], covered: int = 0) -> list[_Span]:
    """The matches, overlapping ones as one; the first of them names the mask.

    Args:
        known: What was searched for.
        matches: What was found, in any order.
        covered: How much at the beginning is a part of a secret already; what overlaps it is a part of the same.
    """
    spans: list[_Span] = []
    for number, start, end in sorted(matches, key=_leftmost_longest) if len(matches) > 1 else matches:
        if spans and start < spans[-1].end:
            last = spans[-1]
            spans[-1] = _Span(last.start, max(last.end, end), last.mask)
        elif start < covered:
            if end > covered:
                spans.append(_Span(start, end, b""))
        else:
            spans.append(_Span(start, end, known.masks[number]))
    return spans


def _leftmost_longest(match: Match) -> tuple[int, int, int]:
    number, start, end = match
    return start, -end, number


def _masked(data: bytes, spans: Sequence[_Span]) -> bytes:
    pieces: list[bytes] = []
    at = 0
    for span in spans:
        pieces += [data[at : span.start], span.mask]
        at = span.end
    return b"".join([*pieces, data[at:]])


def _on_characters(data: bytes, start: int, end: int) -> tuple[int, int]:
    """A span widened to whole characters of UTF-8: a binary secret may begin in the middle of one."""
    while start and data[start] & 0xC0 == 0x80:
        start -= 1
    while end < len(data) and data[end] & 0xC0 == 0x80:
        end += 1
    return start, end


_NOTHING = Known(make_search(()), (), 0, len, len, (), ())


def _make(labels: Mapping[str | bytes, str]) -> Known:
    forms: dict[bytes, str] = {}
    parts: dict[bytes, tuple[int, ...]] = {}
    part = -1
    for value, label in labels.items():
        for group in grouped_forms(value):
            part += 1
            this = (part,)  # one object for all forms of a part
            for form in group:
                forms.setdefault(form, label)
                before = parts.get(form)
                parts[form] = this if before is None or before[-1] == part else (*before, part)
    if not forms:
        return _NOTHING
    patterns = list(forms)
    search = make_search(patterns)
    masks = {label: _BEGINNING + f"{label}]".encode() for label in dict.fromkeys(forms.values())}
    if _may_be_taken_for_secrets(masks.values(), _BEGINNING, patterns, search):
        masks = dict.fromkeys(masks, _plain_mask(patterns))
    one_mask = REDACTED.encode()
    if _may_be_taken_for_secrets([one_mask], one_mask, patterns, search):
        one_mask = _plain_mask(patterns)
    labelled = [masks[label] for label in forms.values()]
    longest = max(map(len, patterns))
    same = [one_mask] * len(patterns)
    mirrored = make_pending([form[::-1] for form in patterns])
    return Known(search, labelled, longest, make_pending(patterns), mirrored, list(parts.values()), same)


def _may_be_taken_for_secrets(masks: Collection[bytes], beginning: bytes, patterns: Sequence[bytes], search: Search) -> bool:
    """Whether a mask, all of which begin so, can hold a form, alone or with what stands around it, which would be found again."""
    if any(search(mask) for mask in masks):
        return True
    for form in patterns:
        opening, closing = form.find(b"["), form.find(b"]")
        while opening >= 0:
            tail = form[opening:]
            if tail.startswith(beginning) or beginning.startswith(tail):
                return True
            opening = form.find(b"[", opening + 1)
        while closing >= 0:
            if any(mask.endswith(form[: closing + 1]) for mask in masks):
                return True
            closing = form.find(b"]", closing + 1)
    return False


def _plain_mask(patterns: Sequence[bytes]) -> bytes:
    """A mask of a character that no form has in it, so that no form can be found in it or across its ends."""
    everything = b"\n".join(patterns)
    free = (char.encode() for char in _PLAIN)
    return next((char for char in free if char not in everything), b"") * _PLAIN_LENGTH


redactor = Redactor()
"""The one of this process."""
