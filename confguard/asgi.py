"""`LeakGuard` for ASGI: no secret leaves in a response or a message of a websocket, whatever the application puts into one.

    app = LeakGuard(app)

See `confguard.wsgi` for WSGI.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import Any, Protocol, TypeAlias

from confguard._answer import WITHHELD, Answer, Mode, check_options, is_excluded, page, report_incident
from confguard._blocked import ResponseBlockedError
from confguard._redaction import Redactor, redactor
from confguard._screen import Screen
from confguard._walk import clean_exception

__all__ = ["LeakGuard", "ResponseBlockedError"]

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]


class App(Protocol):
    """An ASGI application."""

    def __call__(self, scope: Scope, receive: Receive, send: Send, /) -> Awaitable[None]: ...


# By these a server sends a file itself, past everything that looks at bodies.
_PAST_US = frozenset({"http.response.pathsend", "http.response.zerocopysend"})
_INTERNAL_ERROR = 1011  # the code of RFC 6455 with which a websocket is closed


class LeakGuard:
    """ASGI middleware that hides secrets in headers, cookies and bodies of responses, and in messages of websockets.

    What the request contained itself is let through, so that a response tells nobody that a guess was right; of a websocket,
    what its client has sent before. The application sees no ``Range`` and no ``Accept-Encoding``: a secret is not found in a part
    of a body that begins or ends within it, nor in a compressed one. A body that is compressed all the same is passed on
    unsearched. Each message of a websocket is searched by itself. Other scopes, lifespan say, are passed on.

    Args:
        app: The application.
        mode: ``"redact"`` puts ``[redacted]`` in place of each secret. ``"block"`` answers 500 with the id of an incident, which
            is logged with the fields; where a body has been begun, `ResponseBlockedError` is raised from ``send``, and the server
            cuts the connection. A websocket is closed with the code 1011 and the id.
        exclude: Paths whose responses are passed on as they are, with all below them.
        own: Knows the secrets; the process's redactor unless told.

    Raises:
        TypeError: `exclude` is a text.
        ValueError: Another mode, or a path to exclude that does not begin with ``/``.
    """

    def __init__(self, app: App, *, mode: Mode = "redact", exclude: Sequence[str] = (), own: Redactor = redactor) -> None:
        check_options(mode, exclude)
        self._app = app
        self._mode: Mode = mode
        self._exclude = tuple(exclude)
        self._own = own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] not in ("http", "websocket") or is_excluded(scope.get("path", ""), self._exclude):
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._mode, self._own)
        failed: BaseException | None = None
        try:
            await self._app(_withholding(scope), exchange.receive, exchange.send)
        except Exception as error:
            failed = clean_exception(error, self._own)
            if failed is error:
                raise
        if failed is not None:
            raise failed


class _Exchange:
    """One request and its response, or one websocket."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, mode: Mode, own: Redactor) -> None:
        self._screen = Screen(own)
        for data in _contained(scope):
            self._screen.let_through(data + b"\n")
        self._own = own
        self._blocks = mode == "block"
        self._request = f"{scope.get('method', 'websocket')} {scope.get('path', '')}"
        self._bodiless = scope.get("method") == "HEAD"
        self._receive = receive
        self._send = send
        self._answer = Answer(self._screen, mode)
        self._held: Message | None = None  # what starts the response, until the first of its body can be sent
        self._incident = ""

    async def receive(self) -> Message:
        """What comes from the client, noted."""
        message = await self._receive()
        for part in (message.get("body"), message.get("bytes")):
            if part:
                self._screen.let_through(part)
        if message.get("text"):
            self._screen.let_through(message["text"].encode(errors="surrogatepass"))
        return message

    async def send(self, message: Message) -> None:
        """What goes to the client, without secrets."""
        kind: str = message["type"]
        if self._incident:
            del message
            raise ResponseBlockedError(self._incident)
        if kind in ("http.response.start", "websocket.http.response.start"):
            self._start(message)
        elif kind in ("http.response.body", "websocket.http.response.body"):
            await self._body(message)
        elif kind.startswith("websocket."):
            await self._websocket(message)
        else:
            if "headers" in message:  # trailers, say
                message = {**message, "headers": self._answer.clean_headers(_headers(message))}
            if self._answer.blocked:
                await self._block("http.response")
            else:
                await self._commit()
                await self._send(message)

    def _start(self, message: Message) -> None:
        self._held = message
        self._answer.start(_headers(message), bodiless=self._bodiless or message["status"] in (204, 304))

    async def _body(self, message: Message) -> None:
        more: bool = message.get("more_body", False)
        out = self._answer.feed(message.get("body", b""))
        if not more:
            out += self._answer.end()
        if self._answer.blocked:
            prefix = message["type"].removesuffix(".body")
            del message
            await self._block(prefix)
        elif not self._answer.collecting:
            await self._commit()
            await self._send({**message, "body": out})

    async def _commit(self) -> None:
        """Send the start of the response, once."""
        if self._held is not None:
            start, self._held = self._held, None
            await self._send({**start, "headers": self._answer.headers})

    async def _block(self, prefix: str) -> None:
        """Answer with the id of an incident, or end what has been begun.

        Args:
            prefix: How the types of messages of this response begin: ``http.response``, say.
        """
        self._incident = report_incident(self._screen, self._request, self._own.redact)
        if self._held is None:
            raise ResponseBlockedError(self._incident)
        self._held = None
        body = page(self._incident)
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
        await self._send({"type": f"{prefix}.start", "status": 500, "headers": headers})
        await self._send({"type": f"{prefix}.body", "body": b"" if self._bodiless else body})

    async def _websocket(self, message: Message) -> None:
        made = dict(message)
        for name in ("text", "reason"):
            if isinstance(made.get(name), str):
                made[name] = self._screen.clean_text(made[name])
        if isinstance(made.get("bytes"), bytes):
            made["bytes"] = self._screen.clean(made["bytes"])
        if "headers" in made:
            made["headers"] = self._answer.clean_headers(_headers(message))
        if not (self._blocks and self._screen.found):
            await self._send(made)
            return
        self._incident = report_incident(self._screen, self._request, self._own.redact)
        await self._send({"type": "websocket.close", "code": _INTERNAL_ERROR, "reason": f"incident {self._incident}"})


def _contained(scope: Scope) -> Iterable[bytes]:
    """What came from the client with the head of a request."""
    yield scope.get("path", "").encode(errors="surrogatepass")
    yield scope.get("raw_path") or b""
    yield scope.get("query_string", b"")
    yield scope.get("method", "").encode()
    yield from (part for header in scope.get("headers", ()) for part in header)
    yield from (protocol.encode() for protocol in scope.get("subprotocols", ()))


def _headers(message: Mapping[str, Any]) -> list[tuple[bytes, bytes]]:
    return [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]


def _withholding(scope: Scope) -> Scope:
    """The scope without what would lead to a body that cannot be searched."""
    kept = [header for header in scope.get("headers", ()) if header[0].lower() not in WITHHELD]
    extensions = {name: value for name, value in (scope.get("extensions") or {}).items() if name not in _PAST_US}
    return {**scope, "headers": kept, "extensions": extensions}
