"""What is searched for at one moment: the forms of all secrets, their masks, and where they stand in some bytes."""

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from confguard._forms import grouped_forms
from confguard._search import Match, Pending, Search, make_pending, make_search

# What a mask is made of where one with a label could be taken for a secret: the first of these that no form has in it.
_PLAIN = ["*", "█", "■", "•", *map(chr, range(0xE000, 0xE100))]
_PLAIN_LENGTH = 8
_BEGINNING = b"[redacted:"

REDACTED = "[redacted]"
"""What stands in place of a value that is taken out because of where it stood, whatever it was."""


@dataclass(frozen=True, slots=True)
class Known:
    """The forms of all secrets; never changed, so that threads need no lock to read it.

    Attributes:
        search: Finds the forms.
        forms: The forms, sorted, so that those with the same beginning stand together.
        labels: The label of each form.
        masks: The mask of each form.
        same_masks: The same mask for each form, which tells not even which secret it was.
        parts: Of which parts of secrets each form is one: a secret, a line of it, a credential within it.
        longest: The length of the longest form in bytes.
        pending: Tells from where on a text may hold the beginning of a form.
        mirrored: The same for texts and forms that are written backwards: where the end of a form may stand at the beginning.
    """

    search: Search
    forms: Sequence[bytes]
    labels: Sequence[str]
    masks: Sequence[bytes]
    same_masks: Sequence[bytes]
    parts: Sequence[Sequence[int]]
    longest: int
    pending: Pending
    mirrored: Pending

    def form_that_begins(self, data: bytes) -> int | None:
        """The number of a form that begins with all of the data, and goes on."""
        number = bisect_right(self.forms, data)
        return number if number < len(self.forms) and self.forms[number].startswith(data) else None

    def __repr__(self) -> str:
        return "<Known>"

    def __reduce__(self) -> str:
        raise TypeError("the forms of secrets cannot be pickled")


@dataclass(frozen=True, slots=True)
class Span:
    """Where secrets stand that overlap.

    Attributes:
        start: Where the first of them begins.
        end: Where the last of them ends.
        form: Which form the first of them is.
    """

    start: int
    end: int
    form: int


def united(matches: Sequence[Match], covered: int = 0) -> list[Span]:
    """The matches, overlapping ones as one; the first of them names it.

    Args:
        matches: What was found, in any order.
        covered: How much at the beginning is a part of a secret already; what overlaps it is a part of the same.
    """
    spans: list[Span] = []
    for number, start, end in sorted(matches, key=_leftmost_longest) if len(matches) > 1 else matches:
        if spans and start < spans[-1].end:
            last = spans[-1]
            spans[-1] = Span(last.start, max(last.end, end), last.form)
        elif start >= covered or end > covered:
            spans.append(Span(start, end, number))
    return spans


def _leftmost_longest(match: Match) -> tuple[int, int, int]:
    number, start, end = match
    return start, -end, number


NOTHING = Known(make_search(()), (), (), (), (), (), 0, len, len)
"""No secret at all."""


def make_known(labels: Mapping[str | bytes, str]) -> Known:
    """What is searched for.

    Args:
        labels: The label of each secret.
    """
    label_of: dict[bytes, str] = {}
    parts: dict[bytes, tuple[int, ...]] = {}
    part = -1
    for value, label in labels.items():
        for group in grouped_forms(value):
            part += 1
            this = (part,)  # one object for all forms of a part
            for form in group:
                label_of.setdefault(form, label)
                before = parts.get(form)
                parts[form] = this if before is None or before[-1] == part else (*before, part)
    if not label_of:
        return NOTHING
    forms = sorted(label_of)
    search = make_search(forms)
    found = [label_of[form] for form in forms]
    masks = {label: _BEGINNING + f"{label}]".encode() for label in dict.fromkeys(found)}
    if _may_be_taken_for_secrets(masks.values(), _BEGINNING, forms, search):
        masks = dict.fromkeys(masks, _plain_mask(forms))
    one_mask = REDACTED.encode()
    if _may_be_taken_for_secrets([one_mask], one_mask, forms, search):
        one_mask = _plain_mask(forms)
    return Known(
        search=search,
        forms=forms,
        labels=found,
        masks=[masks[label] for label in found],
        same_masks=[one_mask] * len(forms),
        parts=[parts[form] for form in forms],
        longest=max(map(len, forms)),
        pending=make_pending(forms),
        mirrored=make_pending([form[::-1] for form in forms]),
    )


def _may_be_taken_for_secrets(masks: Collection[bytes], beginning: bytes, patterns: Sequence[bytes], search: Search) -> bool:
    """Whether a mask, all of which begin so, can hold a form, alone or with what stands around it, which would be found again."""
    if any(search(mask) for mask in masks):
        return True
    longest = max(map(len, masks))
    for form in patterns:
        opening, closing = form.find(b"["), form.find(b"]")
        while opening >= 0:
            if form.startswith(beginning, opening) or beginning.startswith(form[opening : opening + len(beginning) + 1]):
                return True
            opening = form.find(b"[", opening + 1)
        while 0 <= closing < longest:
            if any(mask.endswith(form[: closing + 1]) for mask in masks):
                return True
            closing = form.find(b"]", closing + 1)
    return False


def _plain_mask(patterns: Sequence[bytes]) -> bytes:
    """A mask of a character that no form has in it, so that no form can be found in it or across its ends."""
    everything = b"\n".join(patterns)
    free = (char.encode() for char in _PLAIN)
    return next((char for char in free if char not in everything), b"") * _PLAIN_LENGTH
