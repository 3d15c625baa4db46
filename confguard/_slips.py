"""Whether one name was probably written for another: a slip of the keyboard, and no other word.

A distance alone says too little: ``redis_host`` and ``redis_port`` are as near as two slips, ``db1`` and ``db2`` as near as one.
"""

import re

_SHORTEST = 3
# A letter for another makes "host" of "cost"; in words of this length it hardly ever makes another word.
_LONG = 5


def is_slip(written: str, meant: str) -> bool:
    """Whether ``written`` is ``meant`` but for case, for how many ``_`` stand in a row, and for one slip.

    Two are allowed in two words of five letters and more.

    A slip is a letter that is left out, doubled, or changes places with the next. In words of five letters and more it is also
    one that is added, or that stands for another. Digits tell names apart on purpose, and are none.
    """
    written, meant = _plain(written), _plain(meant)
    if written == meant:
        return True
    if len(meant) < _SHORTEST or abs(len(written) - len(meant)) > 2:
        return False
    if _one(written, meant):
        return True
    pairs = list(zip(written.split("_"), meant.split("_"), strict=False))
    wrong = [(one, other) for one, other in pairs if one != other]
    same_shape = written.count("_") == meant.count("_")
    return same_shape and len(wrong) == 2 and all(len(other) >= _LONG and _one(one, other) for one, other in wrong)


def _plain(name: str) -> str:
    return re.sub("__+", "_", name.casefold())


def _one(written: str, meant: str) -> bool:
    """Whether two names differ by one slip."""
    start = next((at for at, pair in enumerate(zip(written, meant, strict=False)) if len(set(pair)) > 1), None)
    if start is None:
        start = min(len(written), len(meant))
    end = 0
    while end < min(len(written), len(meant)) - start and written[-1 - end] == meant[-1 - end]:
        end += 1
    ours, theirs = written[start : len(written) - end], meant[start : len(meant) - end]
    if any(char.isdigit() for char in ours + theirs):
        return False
    word = re.split("_", meant[:start])[-1] + re.split("_", meant[start:])[0]
    match len(ours), len(theirs):
        case 0, 1:  # left out
            return True
        case 1, 0:  # doubled, or added
            return ours == written[start - 1 : start] or ours == "_" or len(word) >= _LONG
        case 1, 1:
            return len(word) >= _LONG and "_" not in ours + theirs
        case 2, 2:
            return ours == theirs[::-1]
        case _:
            return False
