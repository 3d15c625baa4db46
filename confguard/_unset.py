"""Answers of tests, which tell of the very reference that was not set: a provider sees it without its fragment."""

from collections.abc import Callable
from dataclasses import dataclass, field

from confguard._reference import Reference
from confguard.provider import Failure, Found

Tell = Callable[[Reference], Failure]


@dataclass(frozen=True, slots=True, kw_only=True)
class Untold(Failure):
    """A failure that is told anew for each reference into the payload.

    Attributes:
        tell: The failure of a reference, with its fragment.
    """

    tell: Tell = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartlySet(Found):
    """A payload of which some keys were set. What a store would lack was forgotten here, and no default stands in for it.

    Attributes:
        tell: The failure of a reference that picks nothing.
    """

    tell: Tell = field(repr=False, compare=False)
