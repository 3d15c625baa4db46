"""The server of the stand-in for AWS: HTTP that keeps connections alive, and ends them when it ends."""

import json
import ssl
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import time
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, slots=True)
class Call:
    """One request: the operation or the path, what was sent with it, and its headers, names in lower case."""

    operation: str
    body: Mapping[str, Any] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    @property
    def access_key(self) -> str:
        """Whose signature it carries."""
        return self.headers.get("authorization", "").partition("Credential=")[2].partition("/")[0]

    @property
    def region(self) -> str:
        """The region that it was signed for."""
        return self.headers.get("authorization", "////").split("/")[2]


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class Double(Protocol):
    """What answers."""

    clock: float

    def answer(self, call: Call) -> Answer:
        """What is sent back for a request."""
        ...


class Server(ThreadingHTTPServer):
    """Serves a double, with TLS where it is given a context."""

    request_queue_size = 128
    block_on_close = True
    daemon_threads = False

    def __init__(self, double: Double, tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.double = double
        self._open: set[Any] = set()
        self._tls = tls

    def get_request(self) -> Any:
        """Accept, and remember the connection: those that are kept alive have to be ended."""
        sock, address = super().get_request()
        if self._tls is not None:
            sock = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        self._open.add(sock)
        return sock, address

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def end_connections(self) -> None:
        for sock in list(self._open):
            try:
                sock.shutdown(2)
            except OSError:
                continue  # the peer was first

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: clients go away in the middle, which is what they are tested for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one write an answer

    @property
    def _double(self) -> Double:
        assert isinstance(self.server, Server)  # noqa: S101 - that is who makes handlers
        return self.server.double

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        self._answer(operation, json.loads(body) if body[:1] == b"{" else {})

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self._answer(url.path, {name: values[0] for name, values in parse_qs(url.query).items()})

    def _answer(self, operation: str, body: Mapping[str, Any]) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self._double.answer(Call(operation, body, headers))
        self.send_response(answer.status)
        for name, value in _with_defaults(answer):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate((timestamp or time()) + self._double.clock, usegmt=True)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by http.server
        """Nothing."""


def _with_defaults(answer: Answer) -> Iterator[tuple[str, str]]:
    defaults = {
        "content-type": "application/x-amz-json-1.1",
        "content-length": str(len(answer.body)),
        "x-amzn-requestid": str(uuid.uuid4()),
    }
    yield from {**defaults, **answer.headers}.items()
