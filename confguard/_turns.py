"""Who loads what: a handle is loaded by one thread at a time, others wait for it, and nobody waits for itself.

A lock for each handle would let two threads wait for each other for ever, where the settings of each read the other's; one lock
for all would keep a provider's thread from reading a handle while its load waits for it. So who waits for whom is written down.
"""

import os
import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field

from confguard._problem import Problem
from confguard.exceptions import ConfigError


@dataclass(slots=True)
class Turn:
    """One load by one thread.

    Attributes:
        thread: The thread that loads.
        handles: What it loads that no other was loading already; who reads one of them meanwhile waits. None when it is over.
        problems: Why it failed; empty while it is under way, where it went well, and where it did not come to an end.
        over: Whether it has ended.
    """

    thread: int
    handles: list[object] = field(default_factory=list)
    problems: tuple[Problem, ...] = ()
    over: threading.Event = field(default_factory=threading.Event)


# Taken again by a signal's handler that reads a handle while its thread is in here.
_lock = threading.RLock()
_turns: dict[int, Turn] = {}  # by the handle's id, which its turn keeps alive
_waiting: dict[int, Turn] = {}  # by thread


@contextmanager
def turn_to_load(handles: Iterable[object]) -> Generator[Turn]:
    """Have this thread load handles. Those that another is loading are not in its turn, which keeps nobody from loading them."""
    turn = Turn(threading.get_ident())
    with _lock:
        turn.handles = [handle for handle in handles if id(handle) not in _turns]
        _turns.update((id(handle), turn) for handle in turn.handles)
    try:
        yield turn
    finally:
        with _lock:
            for handle in turn.handles:
                _turns.pop(id(handle), None)
        turn.handles = []  # what they hold is not to be reached from frames that the turn is left by
        turn.over.set()


def wait_for(handle: object, name: str) -> None:
    """Wait until no other thread loads a handle.

    Args:
        handle: The handle.
        name: ``module:Class`` of its settings class.

    Raises:
        ConfigError: That load failed; or it waits for this thread, so that it would never end.
    """
    me = threading.get_ident()
    with _lock:
        turn = _turns.get(id(handle))
        if turn is None:
            return
        circle = _waits_for(turn, me)
        if not circle:
            _waiting[me] = turn
    if circle:
        tip = "a validator has the values in its arguments, a rule in self; neither reads the handle of its own class"
        raise ConfigError([Problem("mistake", "", "it is read while it is being loaded", tip=tip, settings_class=name)])
    try:
        turn.over.wait()
    finally:
        _waiting.pop(me, None)
    if turn.problems:
        raise ConfigError(turn.problems)


def _waits_for(turn: Turn | None, thread: int) -> bool:
    """Whether a turn cannot end before a thread goes on."""
    while turn is not None:
        if turn.thread == thread:
            return True
        turn = _waiting.get(turn.thread)
    return False


def _only_this_thread_is_left() -> None:
    """After a fork nobody in the child ends the turns of other threads, or gives back what they held."""
    global _lock
    _lock = threading.RLock()
    _waiting.clear()
    for key, turn in list(_turns.items()):
        if turn.thread != threading.get_ident():
            del _turns[key]


if hasattr(os, "register_at_fork"):  # not where there is no fork
    os.register_at_fork(after_in_child=_only_this_thread_is_left)
