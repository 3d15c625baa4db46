"""Many secrets of a real server over TLS: how long a load takes beside a bare reader, and what exactly is asked."""

import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Annotated, Any
from unittest.mock import patch

from pydantic import SecretStr, create_model

from confguard import BaseSettings, From, validate
from confguard.testing._openbao import OpenBao, Request

from . import _reader
from ._measure import Measured, Run, compare
from ._server import ROUND_TRIP, longer_way

LIMIT = 1.3
ROUNDS = 21
PATHS = 50
STORED = 1000
MOUNT = "bench"


@dataclass(frozen=True, slots=True)
class _Store:
    """A server with secrets in it, and a role that may read them."""

    server: OpenBao
    role: tuple[str, str] = field(repr=False)
    passwords: Mapping[str, str] = field(repr=False)

    def environment(self, port: int) -> dict[str, str]:
        """What a service of this store has in its environment."""
        return {
            "VAULT_ADDR": f"https://127.0.0.1:{port}",
            "VAULT_CACERT": str(self.server.ca_cert),
            "VAULT_ROLE_ID": self.role[0],
            "VAULT_SECRET_ID": self.role[1],
        }


def vault() -> Iterator[Measured]:
    with _filled() as store:
        yield _vault_50_paths(store)
        yield _vault_3_of_1000(store)


def _vault_50_paths(store: _Store) -> Measured:
    paths = list(store.passwords)[:PATHS]
    settings_class = _bound_to(paths)
    needed = Counter(login=1, preflight=1, read=PATHS)
    asked: dict[str, list[Counter[str]]] = {"bare": [], "ours": []}
    with longer_way(store.server.port) as port, patch.dict(os.environ, store.environment(port), clear=True):
        address, ca_cert = os.environ["VAULT_ADDR"], os.environ["VAULT_CACERT"]
        bare = _counted(store, asked["bare"], lambda: _reader.read(address, ca_cert, store.role, MOUNT, paths))
        ours = _counted(store, asked["ours"], lambda: _revealed(validate(settings_class), paths))
        bare(), ours()  # imports the SDK, for both
        found = compare(bare, ours, ROUNDS)
    faults = [f"{who} asked {dict(one)}, not {dict(needed)}" for who, all_ in asked.items() for one in all_ if one != needed]
    details = {"requests": dict(asked["ours"][-1]), "round_trip_ms": ROUND_TRIP * 1000, **found.details}
    return Measured("vault_50_paths", found.ratio, LIMIT, found.a_a_ratio, found.n, details, tuple(dict.fromkeys(faults)))


def _vault_3_of_1000(store: _Store) -> Measured:
    """Counted, not timed: a ratio of 1 is that nothing was asked but what two values need."""
    paths = list(store.passwords)[-3:]
    settings_class = _bound_to(paths)
    needed = Counter(login=1, preflight=1, read=2)
    override = secrets.token_urlsafe(24)
    environment = {**store.environment(store.server.port), "FIELD_0": override}
    asked: list[Counter[str]] = []
    expected = {**store.passwords, paths[0]: override}
    with patch.dict(os.environ, environment, clear=True):
        for _ in range(3):
            _counted(store, asked, lambda: _revealed(validate(settings_class), paths), expected)()
    faults = [f"asked {dict(one)}, not {dict(needed)}" for one in asked if one != needed]
    ratio = max(one.total() for one in asked) / needed.total()
    details = {"stored": STORED, "bound": 3, "overridden": 1, "requests": dict(asked[-1])}
    return Measured("vault_3_of_1000", ratio, 1.0, None, len(asked), details, tuple(dict.fromkeys(faults)))


def _counted(
    store: _Store, asked: list[Counter[str]], load: Callable[[], dict[str, str]], expected: Mapping[str, str] | None = None
) -> Run:
    """A run that also notes what the server was asked, and sees to it that the values are the right ones."""
    expected = expected or store.passwords

    def run() -> float:
        store.server.requests()
        started = perf_counter()
        found = load()
        seconds = perf_counter() - started
        asked.append(Counter(map(_kind, store.server.requests())))
        if any(expected[path] != password for path, password in found.items()):
            raise RuntimeError("a load gave another value than what was stored")
        return seconds

    return run


def _kind(request: Request) -> str:
    """What a request is called in the counts; one that nobody needs is called by its own name."""
    if request.path.startswith("sys/internal/ui/mounts/"):
        return "preflight"
    if request.path.endswith("/login"):
        return "login"
    return "read" if f"{request}".startswith(f"read {MOUNT}/data/") else f"{request}"


def _bound_to(paths: list[str]) -> type[BaseSettings]:
    fields: dict[str, Any] = {
        f"field_{number}": (Annotated[SecretStr, From(f"vault://{MOUNT}/{path}#/password")], ...)
        for number, path in enumerate(paths)
    }
    return create_model("AppSettings", __base__=BaseSettings, **fields)


def _revealed(settings: BaseSettings, paths: list[str]) -> dict[str, str]:
    return {path: getattr(settings, f"field_{number}").get_secret_value() for number, path in enumerate(paths)}


@contextmanager
def _filled() -> Iterator[_Store]:
    passwords = {f"app/{number:03}": secrets.token_urlsafe(24) for number in range(STORED)}
    with OpenBao() as server:
        server.mount_kv(MOUNT)
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda item: server.put(MOUNT, item[0], {"password": item[1]}), passwords.items()))
        server.policy("read", f'path "{MOUNT}/data/*" {{ capabilities = ["read"] }}')
        yield _Store(server, server.app_role("bench", "read"), passwords)
