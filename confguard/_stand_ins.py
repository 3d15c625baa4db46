"""What tests have put in the place of providers, and who lets nobody be asked for real. Empty in production.

It imports nothing of ours when it runs, so that a plug-in of pytest may have it in every project.
"""

import os
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from confguard._reference import Reference
    from confguard.provider import Failure, Provider


@dataclass(frozen=True, slots=True, eq=False)
class StandIn:
    """What is asked in the place of providers.

    Attributes:
        provider: It stands in for its own schemes.
        remote: Whether it stands in for every scheme whose provider does more than read this machine.
    """

    provider: "Provider"
    remote: bool


Guard = Callable[["Sequence[Reference]"], "Mapping[Reference, Failure] | None"]
"""Told what is about to be fetched for real; why none of it may be, or None where it may."""

# Tuples that are replaced and never changed, so that who reads them needs no lock.
_lock = threading.Lock()
_stand_ins: tuple[StandIn, ...] = ()
_guards: tuple[Guard, ...] = ()


def stand_ins() -> Sequence[StandIn]:
    """All that are in place, the one that was put there last first."""
    return _stand_ins


def refusals(provider: "Provider | None", references: "Sequence[Reference]") -> "Mapping[Reference, Failure] | None":
    """Why a provider may not be asked; None where it may. The guard that came last decides, of all but local providers.

    Args:
        provider: The provider; None where there is none yet.
        references: What it is asked for.
    """
    if not _guards or (provider is not None and is_local(provider)):
        return None
    return _guards[0](references)


def is_local(provider: "Provider") -> bool:
    """Whether a provider reads this machine alone."""
    return bool(getattr(provider, "local", False))


@contextmanager
def in_place(stand_in: StandIn) -> Generator[None]:
    """Ask this one in the place of providers meanwhile, in every thread."""
    global _stand_ins
    with _lock:
        _stand_ins = (stand_in, *_stand_ins)
    try:
        yield
    finally:
        with _lock:
            _stand_ins = tuple(other for other in _stand_ins if other is not stand_in)


@contextmanager
def guarded(guard: Guard) -> Generator[None]:
    """Have this one decide meanwhile what is fetched for real, in every thread."""
    global _guards
    with _lock:
        _guards = (guard, *_guards)
    try:
        yield
    finally:
        with _lock:
            _guards = tuple(other for other in _guards if other is not guard)


def _free_lock() -> None:
    """After a fork nobody in the child gives back what other threads held."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):  # not where there is no fork
    os.register_at_fork(after_in_child=_free_lock)
