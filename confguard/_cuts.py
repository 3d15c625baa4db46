"""Halves of secrets: what is left of one where a tracker has shortened a text before anybody could look for the whole."""

from typing import Any

from confguard._forms import SHORTEST
from confguard._known import REDACTED, Known
from confguard._redaction import Redactor
from confguard._walk import DEEPEST, LEFT_OUT

_CUT = "..."


def hide_halves(value: Any, own: Redactor, depth: int = 0) -> Any:
    """A copy of JSON-like data, where beside each ``...`` in a text no beginning and no end of a known secret is left.

    Args:
        value: Dicts, lists, tuples and texts are looked into.
        own: Knows the secrets.
        depth: How deep it lies.
    """
    if isinstance(value, str):
        return _whole(own.known(), value) if _CUT in value else value
    if depth > DEEPEST:
        return LEFT_OUT if isinstance(value, dict | list | tuple) else value
    if isinstance(value, dict):
        return {key: hide_halves(item, own, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [hide_halves(item, own, depth + 1) for item in value]
    return value


def _whole(known: Known, text: str) -> str:
    pieces = [piece.encode(errors="surrogatepass") for piece in text.split(_CUT)]
    for number, piece in enumerate(pieces):
        made = piece
        start = known.pending(made) if number < len(pieces) - 1 else len(made)
        if len(made) - start >= SHORTEST:
            made = made[:start] + REDACTED.encode()
        end = len(made) - known.mirrored(made[::-1]) if number else 0
        if end >= SHORTEST:
            made = REDACTED.encode() + made[end:]
        pieces[number] = made
    return _CUT.encode().join(pieces).decode(errors="replace")
