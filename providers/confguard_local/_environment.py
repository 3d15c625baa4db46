"""The provider of ``env://``."""

import os
from collections.abc import Mapping, Sequence
from typing import ClassVar

from confguard.provider import Deadline, Failure, Found, Reference


class Environment:
    """Gives variables of the environment by their exact names: ``env://PGPASSWORD``.

    A value is text, or bytes where it is not UTF-8.
    """

    schemes: ClassVar[frozenset[str]] = frozenset({"env"})
    local: ClassVar[bool] = True

    def fetch(self, refs: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Found | Failure]:
        """The values of variables; ``missing`` where one is not set."""
        return {ref: _value(ref.path) for ref in refs}

    def requests(self, refs: Sequence[Reference]) -> int:
        """None: nothing leaves the process."""
        return 0


def _value(name: str) -> Found | Failure:
    raw = os.environb.get(os.fsencode(name))
    if raw is None:
        return Failure("missing", f"env {name}: it is not set")
    try:
        return Found(raw.decode())
    except UnicodeDecodeError:
        return Found(raw)
