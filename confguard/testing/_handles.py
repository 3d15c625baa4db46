"""What handles that `lazy` made hold while a test has another environment, or fakes: nothing that was loaded before."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any


@contextmanager
def handles_anew() -> Generator[None]:
    """Let every handle of the process load anew meanwhile; afterwards each holds what it held before, or nothing."""
    before = _swapped({})
    try:
        yield
    finally:
        _swapped(before)


def _swapped(held: dict[int, tuple[Any, Any]]) -> dict[int, tuple[Any, Any]]:
    """By id, the handles and what they hold; they hold what is given from now on."""
    if "confguard._lazy" not in sys.modules:  # nobody can have made one
        return {}
    from confguard import _overrides
    from confguard._lazy import all_handles, held_by_process, hold_by_process

    with _overrides.lock:
        before = {id(handle): (handle, held_by_process(handle)) for handle in all_handles()}
        for key, (handle, _) in before.items():
            hold_by_process(handle, held.get(key, (None, None))[1])
    return before
