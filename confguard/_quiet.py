"""Keeps an SDK's log records of a fetch to ourselves: at DEBUG they quote addresses, headers and bodies."""

import logging
from collections.abc import Iterable

THREAD_PREFIX = "confguard-"
"""How the names of all threads that fetch begin."""


def _not_ours(record: logging.LogRecord) -> bool:
    return not (record.threadName or "").startswith(THREAD_PREFIX)


def quiet(names: Iterable[str]) -> None:
    """Drop what the loggers of these names, and those below them, say from a fetching thread, and from no other.

    From now on: a thread can outlive its load, and two loads can overlap. A filter on a logger does not see what its children
    say, so each gets one; what failed is told by the report.
    """
    tops = tuple(names)
    if not tops:
        return
    below = tuple(f"{top}." for top in tops)
    there = logging.root.manager.loggerDict
    for name in {*tops, *(name for name in list(there) if name.startswith(below))}:
        logger = there.get(name)
        if not isinstance(logger, logging.Logger):  # it was never asked for, or stands for its children alone
            logger = logging.getLogger(name)
        if _not_ours not in logger.filters:
            logger.addFilter(_not_ours)
