"""Finding many patterns in a text at once, overlapping ones too, in time that does not depend on how many there are.

A leaf: it imports nothing of ours.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import cache

Match = tuple[int, int, int]
"""Which pattern, and where it begins and ends."""

Search = Callable[[bytes], Sequence[Match]]

Pending = Callable[[bytes], int]
"""From where on a text may hold the beginning of a pattern whose end has not come yet; the text's length where it holds none."""

_OPENING = 8


def make_search(patterns: Sequence[bytes]) -> Search:
    """A function that finds every occurrence of every pattern.

    It is an Aho-Corasick automaton where `ahocorasick_rs` is installed (the extra ``redaction``), else plain Python, which finds
    the same and takes about ten times as long.

    Args:
        patterns: None of them empty.
    """
    if not patterns:
        return lambda _: ()
    try:
        import ahocorasick_rs
    except ImportError:
        return plain_search(patterns)
    # A contiguous automaton takes a hundredth of the memory of a full table, and is as fast where nothing is found.
    kind = ahocorasick_rs.Implementation.ContiguousNFA
    automaton = ahocorasick_rs.BytesAhoCorasick(patterns, implementation=kind)
    find: Callable[..., list[Match]] = automaton.find_matches_as_indexes
    return lambda data: find(data, overlapping=True)


def plain_search(patterns: Sequence[bytes]) -> Search:
    """The same in plain Python: looks at each place whether a pattern can begin there, by as many bytes as all of them have."""
    width = min(map(len, patterns))
    beginning: dict[bytes, list[int]] = {}
    for number, pattern in enumerate(patterns):
        beginning.setdefault(pattern[:width], []).append(number)

    def search(data: bytes) -> Sequence[Match]:
        places = [at for at in range(len(data) - width + 1) if data[at : at + width] in beginning]
        return [
            (number, at, at + len(patterns[number]))
            for at in places
            for number in beginning[data[at : at + width]]
            if data.startswith(patterns[number], at)
        ]

    return search


def make_pending(patterns: Sequence[bytes]) -> Pending:
    """A function that tells what of a text has to wait for the text that follows.

    Args:
        patterns: At least one, and none of them empty.
    """
    longest = max(map(len, patterns))

    @cache  # when first asked, since few ask
    def prepared() -> tuple[list[bytes], Search]:
        return sorted(patterns), make_search(list({pattern[:_OPENING] for pattern in patterns if len(pattern) > _OPENING}))

    def pending(data: bytes) -> int:
        ordered, search = prepared()
        window = data[max(0, len(data) - longest + 1) :]
        openings: set[int] = {start for _, start, _ in search(window)}
        places: list[int] = [*sorted(openings), *range(max(0, len(window) - _OPENING + 1), len(window))]
        for at in places:
            text = window[at:]
            after = bisect_right(ordered, text)  # those that it begins, and that go on, come next
            if after < len(ordered) and ordered[after].startswith(text):
                return len(data) - len(window) + at
        return len(data)

    return pending
