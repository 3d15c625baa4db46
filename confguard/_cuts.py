"""Halves of secrets: what is left of one where a tracker has shortened a text before anybody could look for the whole."""

import re
from typing import Any

from confguard._forms import SHORTEST
from confguard._known import REDACTED, Known
from confguard._redaction import Redactor

# As trackers and pytest write it, and unittest.
_CUT = re.compile(r"(\.\.\.|\[\d+ chars\])")


def hide_halves(value: Any, own: Redactor) -> Any:
    """JSON-like data, where beside each ``...`` or ``[20 chars]`` in a text no beginning and no end of a secret is left.

    Args:
        value: Dicts, lists, tuples and texts are looked into, in a circle once; `scrub` has left out what lies too deep.
        own: Knows the secrets.
    """
    return _copied(value, own.known(), {})


def _copied(value: Any, known: Known, made: dict[int, Any]) -> Any:
    if isinstance(value, str):
        return _whole(known, value) if _CUT.search(value) else value
    if not isinstance(value, dict | list | tuple):
        return value
    if id(value) in made:
        return made[id(value)]
    if isinstance(value, dict):
        entries: dict[Any, Any] = {}
        made[id(value)] = entries
        entries.update((key, _copied(item, known, made)) for key, item in value.items())
        return entries
    items: list[Any] = []
    made[id(value)] = items
    items.extend(_copied(item, known, made) for item in value)
    return items


def _whole(known: Known, text: str) -> str:
    pieces = [piece.encode(errors="surrogatepass") for piece in _CUT.split(text)]  # and at each odd place what stands for a cut
    for number in range(0, len(pieces), 2):
        made = pieces[number]
        start = known.pending(made) if number < len(pieces) - 1 else len(made)
        if len(made) - start >= SHORTEST:
            made = made[:start] + REDACTED.encode()
        end = len(made) - known.mirrored(made[::-1]) if number else 0
        if end >= SHORTEST:
            made = REDACTED.encode() + made[end:]
        pieces[number] = made
    return b"".join(pieces).decode(errors="replace")
