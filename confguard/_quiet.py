"""Keeps an SDK's log records of a fetch to ourselves: at DEBUG they quote addresses, headers and bodies."""

import logging
from collections.abc import Generator, Iterable
from contextlib import contextmanager

THREAD_PREFIX = "confguard-"
"""How the names of all threads that fetch begin."""


def _not_ours(record: logging.LogRecord) -> bool:
    return not (record.threadName or "").startswith(THREAD_PREFIX)


@contextmanager
def quiet(prefixes: Iterable[str]) -> Generator[None]:
    """Drop what the loggers at and below these names say from a fetching thread, and from no other.

    A filter on a logger does not see what its children say, so each gets one; what failed is told by the report.
    """
    tops = tuple(prefixes)
    for top in tops:
        logging.getLogger(top)
    names = [name for name in list(logging.root.manager.loggerDict) if name.startswith(tops)] if tops else []
    loggers = [logging.getLogger(name) for name in names]
    for logger in loggers:
        logger.addFilter(_not_ours)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(_not_ours)
