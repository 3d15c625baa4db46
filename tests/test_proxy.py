"""The proxy that misbehaves, itself: what it opens, it closes."""

import socket
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from confguard.testing._proxy import FaultProxy, Mode


@pytest.mark.parametrize("mode", ["pass", "blackhole", "reset", "truncate", "delay"])
def test_no_socket_is_left_of_connections_that_come_as_it_stops(mode: Mode) -> None:
    """Whether a connection is up, on its way to the server or just accepted when the proxy stops: its sockets are closed."""
    before = _sockets()
    with (
        ExitStack() as clients,
        socket.create_server(("127.0.0.1", 0), backlog=512) as server,
        FaultProxy(server.getsockname()[1], mode) as proxy,
    ):
        for _ in range(100):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", proxy.port), timeout=10))
            client.sendall(b"x")
    assert _sockets() <= before


def test_what_a_client_does_not_read_does_not_keep_it() -> None:
    """Replies that are on their way when the server has closed are dropped with the proxy, and their sockets with them."""
    before = _sockets()
    with (
        ExitStack() as clients,
        socket.create_server(("127.0.0.1", 0)) as server,
        FaultProxy(server.getsockname()[1]) as proxy,
    ):
        client = clients.enter_context(socket.create_connection(("127.0.0.1", proxy.port), timeout=10))
        client.sendall(b"x")
        server.settimeout(10)
        accepted, _ = server.accept()
        with accepted:
            accepted.sendall(b"y" * 20_000_000)
        assert client.recv(1) == b"y"
    assert _sockets() <= before


def _sockets() -> set[str]:
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # that of the listing itself
            found.add(str(entry.readlink()))
    return {target for target in found if target.startswith("socket:")}
