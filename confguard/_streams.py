"""Bytes that come in parts: redacted, or searched, as if they came at once, in memory that does not grow with them."""

from dataclasses import dataclass

from confguard._known import Known, united

TELLS_NOTHING = 2
"""How many bytes of what may be a secret are given out when nothing follows for a while: a prompt's last letter, say."""

CUT = 8
"""From how many bytes on the beginning of a secret is masked where a stream ends in the middle of it."""


class RedactedStream:
    """Redacts bytes that come in parts. What may be the beginning of a secret is held back, and nothing else."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._held = b""
        self._covered = 0  # how much of what is held has been given out, as a mask
        self._bare = False  # or as it is

    @property
    def holds(self) -> bool:
        """Whether something is held back."""
        return len(self._held) > self._covered

    def feed(self, data: bytes) -> bytes:
        """What can be given out after this part."""
        self._held += data
        return self._give(self._known.pending(self._held))

    def pause(self) -> bytes:
        """What can be given out since nothing has followed for a while, so that a prompt is not held back for ever.

        Of the beginning of a secret it is a mask, which will stand for all of it; of less than would tell anything, itself.
        """
        masked = self._covered and not self._bare
        return self._hide() if masked or len(self._held) > TELLS_NOTHING else self._bear()

    def end(self) -> bytes:
        """What is left when no part comes any more."""
        return self._give(len(self._held))

    def cut(self) -> bytes:
        """What is left when no part comes any more of what may have been cut off: the beginning of a secret is masked too."""
        return self._hide() if len(self._held) >= CUT else self.end()

    def _give(self, until: int) -> bytes:
        """Everything before a place, and of a secret that begins before it the mask: all that begin there have come whole."""
        if until <= 0:
            return b""
        pieces: list[bytes] = []
        at = self._covered
        for span in united(self._known.search(self._held), at):
            if span.start >= until:
                break
            if span.start >= at:
                pieces += [self._held[at : span.start], self._known.masks[span.form]]
            elif self._bare:  # else it lengthens what is covered by a mask already
                pieces.append(self._known.masks[span.form])
            at = span.end
            self._bare = False
        if at < until:
            pieces.append(self._held[at:until])
            at = until
        self._held, self._covered = self._held[until:], at - until
        return b"".join(pieces)

    def _hide(self) -> bytes:
        """The mask of the secret that all that is held is the beginning of, unless one has been given out for it."""
        number = self._known.form_that_begins(self._held)
        masked = number is None or (self._covered and not self._bare)
        self._covered, self._bare = len(self._held), False
        return b"" if masked or number is None else self._known.masks[number]

    def _bear(self) -> bytes:
        """What is held, as it is."""
        shown = self._held[self._covered :]
        self._covered, self._bare = len(self._held), bool(self._held)
        return shown

    def __repr__(self) -> str:
        return "<RedactedStream>"

    def __reduce__(self) -> str:
        raise TypeError("a RedactedStream holds secrets and cannot be pickled")


@dataclass(frozen=True, slots=True)
class Finding:
    """Where a secret begins.

    Attributes:
        label: What the secret is called: a field path, or ``credential``.
        offset: How many bytes stand before it.
        line: In which line it begins; the first is 1.
    """

    label: str
    offset: int
    line: int


class FindingStream:
    """Finds secrets in bytes that come in parts, those that overlap as one."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._held = b""
        self._covered = 0  # how much of what is held is a part of what has been found
        self._offset = 0
        self._line = 1

    def feed(self, data: bytes) -> list[Finding]:
        """What is found after this part."""
        self._held += data
        return self._find(self._known.pending(self._held))

    def end(self) -> list[Finding]:
        """What is found when no part comes any more."""
        return self._find(len(self._held))

    def _find(self, until: int) -> list[Finding]:
        """What begins before a place; then forget what stands there."""
        found: list[Finding] = []
        at, line, covered = 0, self._line, self._covered
        for span in united(self._known.search(self._held), covered):
            if span.start >= until:
                break
            if span.start >= covered:
                line += self._held.count(b"\n", at, span.start)
                at = span.start
                found.append(Finding(self._known.labels[span.form], self._offset + at, line))
            covered = span.end
        self._line = line + self._held.count(b"\n", at, until)
        self._offset += until
        self._held, self._covered = self._held[until:], max(0, covered - until)
        return found

    def __repr__(self) -> str:
        return "<FindingStream>"

    def __reduce__(self) -> str:
        raise TypeError("a FindingStream holds secrets and cannot be pickled")
