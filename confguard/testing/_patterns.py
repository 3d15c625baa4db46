"""A text that matches a regular expression, for those that settings have: literals, classes, groups, alternatives, repetition.

What else there is (references back, look-around) is passed over. A text is only given out if the expression is found in it.
"""

import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

_PREFERRED = "fake"
_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL)
_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_OPENING = re.compile(r"\((?:\?(?P<around><?[=!])|\?P?<\w+>|\?[a-zA-Z-]*:)?")
_FLAGS = re.compile(r"\(\?[a-zA-Z-]+\)")
_TIMES = re.compile(r"(?:([*+?])|\{(\d*)(,?)(\d*)\})[?+]?")
_ANCHORS = ("^", "$", r"\A", r"\Z", r"\z", r"\b", r"\B")
_MOST = 64


@dataclass(frozen=True, slots=True)
class _Char:
    """One character of those that an expression allows."""

    allowed: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class _Choice:
    """One of some sequences."""

    options: "tuple[tuple[_Repeated, ...], ...]"


@dataclass(frozen=True, slots=True)
class _Repeated:
    """A part that stands a number of times in a row."""

    part: _Char | _Choice
    least: int
    most: int


def example_of(pattern: str, shortest: int = 0, longest: int | None = None) -> str | None:
    """A short text in which a pattern is found, of a length between the two; None where none was thought of."""
    try:
        found = re.compile(pattern)
        tree, _ = _choice(pattern, 0)
    except (re.error, IndexError, ValueError):
        return None
    for extra in range(max(shortest, 1) + 1):
        text = "".join(_texts(tree, min(extra, 10 * _MOST)))
        if shortest <= len(text) <= (len(text) if longest is None else longest) and found.search(text):
            return text
    return None


def _choice(pattern: str, at: int) -> tuple[_Choice, int]:
    """Read alternatives up to the bracket that closes them, or the end."""
    options: list[tuple[_Repeated, ...]] = []
    sequence: list[_Repeated] = []
    while at < len(pattern) and pattern[at] != ")":
        if pattern[at] == "|":
            options.append(tuple(sequence))
            sequence, at = [], at + 1
            continue
        part, at = _part(pattern, at)
        least, most, at = _times(pattern, at)
        if part is not None:
            sequence.append(_Repeated(part, least, most))
    return _Choice((*options, tuple(sequence))), at


def _part(pattern: str, at: int) -> tuple[_Char | _Choice | None, int]:
    """Read a character, a class or a group; None for what stands for no text."""
    if flags := _FLAGS.match(pattern, at):
        return None, flags.end()
    if opening := _OPENING.match(pattern, at):
        inner, end = _choice(pattern, opening.end())
        return None if opening["around"] else inner, end + 1
    one = _CLASS.match(pattern, at) or _ESCAPE.match(pattern, at)
    source = one[0] if one else pattern[at]
    end = at + len(source)
    return None if source in _ANCHORS else _Char(re.compile(source)), end


def _times(pattern: str, at: int) -> tuple[int, int, int]:
    """Read how often a part stands there, at least and at most."""
    match = _TIMES.match(pattern, at)
    if match is None or match[0] in ("{}", "{,}"):
        return 1, 1, at
    sign, least, comma, most = match.groups()
    if sign:
        return int(sign == "+"), 1 if sign == "?" else 10 * _MOST, match.end()
    low = int(least or 0)
    return low, (int(most) if most else 10 * _MOST) if comma else low, match.end()


def _texts(choice: _Choice, extra: int) -> Iterator[str]:
    for repeated in choice.options[0]:
        count = repeated.least + min(extra, repeated.most - repeated.least)
        if isinstance(repeated.part, _Choice):
            for _ in range(count):
                yield from _texts(repeated.part, extra)
        else:
            yield "".join(islice(_chars(repeated.part.allowed), count))


def _chars(allowed: re.Pattern[str]) -> Iterator[str]:
    """Characters that are allowed, again and again: such that they spell "fake" where that is possible."""
    others = string.digits + string.ascii_letters + string.punctuation + " " + allowed.pattern
    spelled = [(char, char.upper(), *others) for char in _PREFERRED]
    while True:
        for options in spelled:
            char = next((option for option in options if allowed.fullmatch(option)), None)
            if char is None:
                raise ValueError(allowed.pattern)
            yield char
