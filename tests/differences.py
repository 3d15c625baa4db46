"""Which test shows which line of the page of differences."""

from collections.abc import Callable
from typing import TypeVar

F = TypeVar("F", bound=Callable[..., object])


def shows(beginning: str) -> Callable[[F], F]:
    """Mark a test: it shows the line of docs/differences.md that begins so, formatting left out.

    `tests/test_differences.py` holds the page to these marks and the marks to the page.
    """
    assert beginning

    def mark(test: F) -> F:
        return test

    return mark
