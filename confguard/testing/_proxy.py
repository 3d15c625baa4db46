"""A TCP proxy that misbehaves on demand, over real sockets on 127.0.0.1."""

import asyncio
import socket
import struct
import threading
from types import TracebackType
from typing import Literal, Self

Mode = Literal["pass", "delay", "reset", "blackhole", "truncate", "slow"]

# Seconds between two bytes in the mode "slow".
SLOW = 0.02

# SO_LINGER on, with no time: closing sends RST where it would send FIN.
_RESET = struct.pack("ii", 1, 0)


class FaultProxy:
    """Stands between a client and a server, and does to their connections what a network does on a bad day.

    Assign `mode`, `delay` and `keep` to change them, for open connections too.

    Args:
        port: The server's port on 127.0.0.1.
        mode: ``pass``; ``delay`` holds every reply back; ``reset`` cuts with RST at the server's answer; ``blackhole``
            takes everything and answers nothing; ``truncate`` ends a connection after some bytes; ``slow`` lets a byte
            through every 20 ms.
        delay: Seconds of round trip that the mode ``delay`` adds.
        keep: Bytes of each connection's replies that the mode ``truncate`` lets through, counted from when it is set.
        listen: The port on 127.0.0.1 to listen on; a free one unless told.

    Attributes:
        port: Where it listens on 127.0.0.1.
        connections: How many it has accepted.
    """

    def __init__(self, port: int, mode: Mode = "pass", *, delay: float = 0.0, keep: int = 0, listen: int = 0) -> None:
        self.mode: Mode = mode
        self.delay = delay
        self.keep = keep
        self.connections = 0
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", listen), backlog=128)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=[self._serve()], name="fault-proxy")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        connections: set[asyncio.Task[None]] = set()

        # Not by `asyncio.start_server`: when that is closed, it forgets what it has just accepted, and leaves the sockets open.
        def accept() -> None:
            try:
                client, _ = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return  # it has left already
            self.connections += 1
            client.setblocking(False)
            # The last of several short replies would wait for the client's delayed acknowledgement, some 40 ms.
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = asyncio.create_task(self._connection(client))
            connections.add(connection)
            connection.add_done_callback(connections.discard)

        loop.add_reader(self._listener, accept)
        await self._stop.wait()
        loop.remove_reader(self._listener)
        self._listener.close()
        await asyncio.sleep(0)  # a task that is cancelled before its first step closes nothing
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await asyncio.sleep(0)  # a transport lets go of its socket in the loop's next round

    async def _connection(self, client: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=client)
        ends = [writer]
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
            ends.append(server_writer)
            pumps = [
                asyncio.create_task(self._requests(reader, server_writer)),
                asyncio.create_task(self._replies(server_reader, writer)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        except OSError:
            pass  # the server is not there; closing tells the client so
        finally:
            await self._close(ends)

    async def _close(self, ends: list[asyncio.StreamWriter]) -> None:
        for end in ends:
            end.transport.abort() if self.mode == "reset" or self._stop.is_set() else end.close()
        try:
            await asyncio.gather(*(end.wait_closed() for end in ends), return_exceptions=True)
        finally:
            for end in ends:
                end.transport.abort()  # what a client does not read is not waited for when the proxy stops

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65536):
            if self.mode != "blackhole":
                writer.write(chunk)

    async def _replies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        left: int | None = None
        while chunk := await reader.read(65536):
            if self.mode == "reset":
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                return
            if self.mode == "delay":
                loop.call_later(self.delay, _write, writer, chunk)  # not one after the other: latency, and no bandwidth
            elif self.mode == "slow":
                for byte in chunk:
                    _write(writer, bytes([byte]))
                    await asyncio.sleep(SLOW)
            elif self.mode == "truncate":
                left = self.keep if left is None else left
                _write(writer, chunk[:left])
                left -= len(chunk)
                if left <= 0:
                    return
            elif self.mode == "pass":
                _write(writer, chunk)


def _write(writer: asyncio.StreamWriter, chunk: bytes) -> None:
    if not writer.is_closing():
        writer.write(chunk)
