"""The provider passes the tests that every provider has to pass."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest
from confguard_sqlite import Sqlite

from confguard.provider import FailureKind, Provider
from confguard.testing import ContractStore, ProviderContract


class SqliteStore(ContractStore):
    def __init__(self, file: Path) -> None:
        self._file = file
        self._execute("CREATE TABLE settings (name TEXT PRIMARY KEY, value)")

    def reference(self, name: str) -> str:
        return f"sqlite://{name}"

    def provider(self, port: int | None = None) -> Provider:
        return Sqlite(str(self._file))

    def put(self, name: str, value: str | bytes) -> None:
        self._execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", name, value)

    def delete(self, name: str) -> None:
        self._execute("DELETE FROM settings WHERE name = ?", name)

    def failing(self) -> Mapping[FailureKind, Provider]:
        return {"unavailable": Sqlite(str(self._file.with_name("not-there.db")))}

    def _execute(self, statement: str, *values: str | bytes) -> None:
        with closing(sqlite3.connect(self._file)) as store, store:
            store.execute(statement, values)


class TestSqlite(ProviderContract):
    permissions = False  # SQLite knows none
    server = False

    @pytest.fixture
    def store(self, tmp_path: Path) -> SqliteStore:
        return SqliteStore(tmp_path / "settings.db")
