"""Values of the table ``settings (name, value)`` in a SQLite file, which ``SETTINGS_DB`` names: ``sqlite://api_key``."""

import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import ClassVar

from confguard.provider import Deadline, Failure, Found, Reference


class Sqlite:
    schemes: ClassVar[frozenset[str]] = frozenset({"sqlite"})
    local: ClassVar[bool] = True

    def __init__(self, file: str | None = None) -> None:
        self._file = file or os.environ.get("SETTINGS_DB", "settings.db")

    def fetch(self, refs: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Found | Failure]:
        query = f"SELECT name, value FROM settings WHERE name IN ({', '.join('?' * len(refs))})"
        try:
            with closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True, timeout=deadline.remaining())) as store:
                found = dict(store.execute(query, [ref.path for ref in refs]))
        except sqlite3.OperationalError:
            failure = Failure("unavailable", f"sqlite {self._file}: cannot be read", tip="is the file there, and not locked?")
            return dict.fromkeys(refs, failure)
        return {ref: Found(found[ref.path]) if ref.path in found else self._missing(ref) for ref in refs}

    def _missing(self, ref: Reference) -> Failure:
        return Failure("missing", f"sqlite {self._file}: the table settings has no row {ref.path!r}")
