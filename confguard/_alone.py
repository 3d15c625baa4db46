"""Settings that are made of what is given alone, as tests want them: no source is read.

Nothing but tests asks for it, so that a service pays with one look at a context variable for each instance.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_given: ContextVar[tuple[type, Mapping[str, Any]] | None] = ContextVar("confguard_alone", default=None)


@contextmanager
def given_alone(settings_class: type, tree: Mapping[str, Any]) -> Generator[None]:
    """Let the next call of a class make its instance of a tree, and read no source."""
    token = _given.set((settings_class, tree))
    try:
        yield
    finally:
        _given.reset(token)


def take_alone(settings_class: type) -> Mapping[str, Any] | None:
    """The tree that an instance of a class is to be made of, handed out once; None where its sources are to be read."""
    given = _given.get()
    if given is None or given[0] is not settings_class:
        return None
    _given.set(None)
    return given[1]
