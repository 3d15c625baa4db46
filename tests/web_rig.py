"""Servers of a test's own on 127.0.0.1, a client that takes nothing away, and a finder that shares no code with the redactor."""

import base64
import gzip
import http.client
import re
import socketserver
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import uvicorn

SPECIAL = '/+ &<"\\é='  # what the usual encodings change


@dataclass(frozen=True)
class Reply:
    """All that a client got."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def everything(self) -> bytes:
        lines = [f"{name}: {value}" for name, value in self.headers]
        return "\n".join([self.reason, *lines, ""]).encode("latin-1") + self.body

    def header(self, name: str) -> list[str]:
        return [value for other, value in self.headers if other.lower() == name.lower()]


def forms(secret: str) -> dict[str, bytes]:
    """How a secret may be written, by encoders of this file."""
    raw = secret.encode()
    percent = "".join(chr(byte) if re.match(rb"[\w.~-]", bytes([byte])) else f"%{byte:02X}" for byte in raw)
    escaped = "".join({'"': '\\"', "\\": "\\\\"}.get(char, char if char < "\x7f" else f"\\u{ord(char):04x}") for char in secret)
    markup = "".join({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"}.get(char, char) for char in secret)
    return {
        "as it is": raw,
        "URL": percent.encode(),
        "form": percent.replace("%20", "+").encode(),
        "JSON": escaped.encode(),
        "HTML": markup.encode(),
        "hex": "".join(f"{byte:02x}" for byte in raw).encode(),
        "base64": base64.b64encode(raw),
        "base64 within": base64.b64encode(b"me:" + raw + b"!"),
        "base64 within, one byte on": base64.b64encode(b"u" + raw + b"!"),
        "base64 within, for URLs": base64.urlsafe_b64encode(b"a=" + raw),
    }


def leaks(secret: str, data: bytes) -> list[str]:
    """In which forms a secret stands in bytes. Of base64 the ends, which depend on what stands around, do not count."""
    return [name for name, form in forms(secret).items() if (form[4:-5] if "within" in name else form.rstrip(b"=")) in data]


def fetch(port: int, path: str = "/", method: str = "GET", body: bytes | None = None, **headers: str) -> Reply:
    """What a server answers, as far as it comes."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        try:
            got = response.read()
        except http.client.IncompleteRead as error:
            got = error.partial + b"<cut>"
        return Reply(response.status, response.reason, response.getheaders(), got)
    finally:
        connection.close()


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the standard library
        pass


class _Server(WSGIServer):
    """Never looks its name up."""

    def server_bind(self) -> None:
        self.server_name = "127.0.0.1"
        socketserver.TCPServer.server_bind(self)
        self.server_port = self.server_address[1]
        self.setup_environ()


@contextmanager
def wsgi_server(app: Any) -> Generator[int]:
    """The standard library's server, on a port."""
    with (
        make_server("127.0.0.1", 0, app, _Server, _Quiet) as server,
        _running(lambda: server.serve_forever(0.01), server.shutdown),
    ):
        yield server.server_port


@contextmanager
def asgi_server(app: Any) -> Generator[int]:
    """uvicorn, on a port."""
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, ws="none", timeout_graceful_shutdown=1)
    )

    def stop() -> None:
        server.should_exit = True

    with _running(server.run, stop):
        wait_for(lambda: server.started)
        yield server.servers[0].sockets[0].getsockname()[1]


class Receiver(ThreadingHTTPServer):
    """Keeps what is sent to it, as an error tracker would: uncompressed."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receives)
        self.got: list[bytes] = []

    def server_bind(self) -> None:
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def everything(self) -> bytes:
        return b"\n".join(self.got)


class _Receives(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.got.append(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the standard library
        pass


@contextmanager
def receiving() -> Generator[Receiver]:
    """A receiver, on a port of its own."""
    with Receiver() as server, _running(lambda: server.serve_forever(0.01), server.shutdown):
        yield server


@contextmanager
def _running(run: Callable[[], object], stop: Callable[[], object]) -> Iterator[None]:
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join(20)
        assert not thread.is_alive()


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until something is so."""
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.005)
