"""Connections of urllib3 that a deadline can cut, for providers whose SDK speaks HTTP through it."""

import socket
from collections.abc import Callable
from typing import Any, TypeVar

P = TypeVar("P", bound=type)


def watched(pool: P, watch: Callable[[socket.socket], object]) -> P:
    """A class of urllib3 connection pools whose connections are handed over as soon as they are connected.

    Before a proxy's and TLS's hellos, that is, which a peer can trickle like anything else. An SDK takes the result in place of
    its own class: ``manager.pool_classes_by_scheme = {"https": watched(HTTPSConnectionPool, deadline.watch)}``.

    Args:
        pool: urllib3's ``HTTPConnectionPool`` or ``HTTPSConnectionPool``, or what an SDK made of one.
        watch: Told each new socket: `Deadline.watch`, or a function that asks for the deadline of the load under way.
    """
    own: Any = pool.ConnectionCls  # type: ignore[attr-defined] # urllib3 is not imported here, and so nothing is known of it

    class Connection(own):  # type: ignore[misc]
        debuglevel = 0  # switched on for all of http.client it would print headers, and so credentials

        def _new_conn(self) -> socket.socket:
            # Protected, since no public hook lies between "connected" and the hellos; a test fails if it stops being called.
            sock: socket.socket = super()._new_conn()
            watch(sock)
            return sock

        def connect(self) -> None:
            super().connect()
            self.is_verified = True  # where it is not, the provider's `warnings` tell; urllib3 would for every request

    made: Any = type(pool.__name__, (pool,), {"ConnectionCls": Connection})
    return made  # type: ignore[no-any-return] # a class made at run time
