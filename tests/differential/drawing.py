"""Drawing one of some options, or several: an index is drawn, which shrinks to the first, and is quick."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from hypothesis import strategies as st


def seldom(draw: st.DrawFn, *options: Any, common: Any = None, weight: int = 4) -> Any:
    """One of some options, but mostly the common one."""
    return pick(draw, (*[common] * weight, *options))


def pick(draw: st.DrawFn, options: Sequence[Any]) -> Any:
    """One of some options, the first of which is the simplest."""
    return options[draw(_index(len(options)))]


def some(draw: st.DrawFn, options: Sequence[Any], count: int) -> list[Any]:
    """So many different options, or all of them."""
    left = list(options)
    return [left.pop(draw(_index(len(left)))) for _ in range(min(count, len(left)))]


@cache
def _index(size: int) -> st.SearchStrategy[int]:
    return st.integers(0, size - 1)
