"""`LeakGuard` for ASGI: what leaves, what does not, what is passed on untouched, and that it is no oracle for guesses."""

import asyncio
import base64
import re
import secrets
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

import pytest

from confguard._redaction import redactor
from confguard.asgi import LeakGuard, ResponseBlockedError
from tests.web_rig import SPECIAL, asgi_server, fetch, forms, leaks

Message = dict[str, Any]


@pytest.fixture
def secret() -> str:
    value = secrets.token_hex(8) + SPECIAL + secrets.token_hex(8)
    redactor.learn(value, "stripe_key")
    return value


def answering(*parts: bytes, status: int = 200, length: bool = False, **headers: str) -> Any:
    """An application that sends a body in parts."""
    made = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    if length:
        made.append((b"content-length", str(len(b"".join(parts))).encode()))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        while scope["type"] == "http" and (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": status, "headers": made})
        for number, part in enumerate(parts, 1):
            await send({"type": "http.response.body", "body": part, "more_body": number < len(parts)})

    return app


WAYS: dict[str, Callable[[str], Any]] = {
    "body": lambda secret: answering(f"<{secret}>".encode(), length=True),
    "body in parts": lambda secret: answering(b"<", secret.encode()[:9], secret.encode()[9:], b">", length=True),
    "all forms, streamed by bytes": lambda secret: answering(*(bytes([byte]) for byte in b"|".join(forms(secret).values()))),
    "header": lambda secret: answering(b"", x_key=quote(secret, safe="")),
    "cookie": lambda secret: answering(b"", set_cookie="key=" + base64.b64encode(secret.encode()).decode()),
    "error": lambda secret: answering(secret.encode(), status=500, length=True),
}


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "unprotected"])
@pytest.mark.parametrize("way", WAYS)
def test_no_secret_leaves_in_any_way(way: str, protected: bool, secret: str) -> None:
    """On a real server nothing of the secret comes to a client; without the middleware the same response leaks."""
    app = WAYS[way](secret)
    with asgi_server(LeakGuard(app) if protected else app) as port:
        reply = fetch(port)
    assert bool(leaks(secret, reply.everything)) is not protected
    if protected:
        assert b"[redacted]" in reply.everything
        assert b"stripe_key" not in reply.everything
        for length in reply.header("Content-Length"):
            assert int(length) == len(reply.body)


@pytest.mark.parametrize("way", [way for way in WAYS if "streamed" not in way])
def test_a_blocked_response_is_an_incident_and_nothing_of_it_leaves(
    way: str, secret: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The client gets 500 and the id of an incident, the log the same id and the field."""
    with asgi_server(LeakGuard(WAYS[way](secret), mode="block")) as port:
        reply = fetch(port, "/x")
    incident = re.search(r"incident (\w{16}): the response to 'GET /x' was blocked: it held \[redacted:stripe_key\]", caplog.text)
    assert incident is not None
    assert reply.status == 500
    assert reply.body == f"Internal Server Error\nincident {incident[1]}\n".encode()
    assert not leaks(secret, reply.everything + caplog.text.encode())


def test_a_stream_that_is_blocked_is_cut(secret: str, caplog: pytest.LogCaptureFixture) -> None:
    """Where a beginning has been sent no page can follow: the connection ends before the body does."""
    with asgi_server(LeakGuard(answering(b"clean", secret.encode(), b"more"), mode="block")) as port:
        reply = fetch(port)
    assert reply.body == b"clean<cut>"
    assert "incident" in caplog.text
    assert not leaks(secret, reply.everything + caplog.text.encode())


@pytest.mark.parametrize("mode", ["redact", "block"])
@pytest.mark.parametrize("way", ["path", "query", "header", "body", "body in parts"])
def test_a_guess_comes_back_the_same_whether_it_is_right_or_not(way: str, mode: Any, secret: str) -> None:
    """Whoever sends candidates sees no difference between the secret and another value of the same letters."""
    for guess in (secret, secret[::-1]):
        raw = guess.encode()
        given: dict[str, dict[str, Any]] = {
            "path": {"path": "/" + guess},
            "query": {"query_string": quote(guess, safe="").encode()},
            "header": {"headers": [(b"x-guess", raw)]},
            "body": {"bodies": [raw]},
            "body in parts": {"bodies": [raw[:9], raw[9:]]},
        }
        sent = exchanged(LeakGuard(answering(raw, length=True, x_guess=quote(guess)), mode=mode), **given[way])
        assert sent[0]["headers"] == [(b"x-guess", quote(guess).encode()), (b"content-length", str(len(raw)).encode())]
        assert sent[1]["body"] == raw


def exchanged(app: Any, bodies: Iterable[bytes] = (b"",), **scope: Any) -> list[Message]:
    """What a server is told to send for a request."""
    sent: list[Message] = []
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": True} for body in bodies]
    waiting[-1]["more_body"] = False

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    whole = {"type": "http", "method": "GET", "path": "/", "raw_path": b"/", "query_string": b"", "headers": [], **scope}
    asyncio.run(app(whole, receive, send))
    return sent


def test_what_holds_no_secret_is_passed_on_to_the_byte(secret: str) -> None:
    """A clean response is sent as it was made; one of a known length in one piece."""
    app = answering(b"~", b"", b"~~", etag="1")  # what no form of a secret begins with: nothing is held back
    assert exchanged(LeakGuard(app)) == exchanged(app)
    sent = exchanged(LeakGuard(answering(b"~", b"~~", length=True, etag="1")))
    assert [message.get("body") for message in sent] == [None, b"~~~"]
    assert sent[0]["headers"] == [(b"etag", b"1"), (b"content-length", b"3")]


def test_events_are_given_out_when_they_come(secret: str) -> None:
    """Of server-sent events each is sent whole when it comes, the headers with the first."""
    events = [f"data: {number} {secret if number % 2 else 'x'}\n\n".encode() for number in range(4)]
    sent = exchanged(LeakGuard(answering(*events, content_type="text/event-stream")))
    assert [message.get("body") for message in sent[1:]] == [event.replace(secret.encode(), b"[redacted]") for event in events]


def test_routes_are_excluded(secret: str) -> None:
    app = LeakGuard(answering(secret.encode()), exclude=["/files"])
    assert exchanged(app, path="/files/a")[1]["body"] == secret.encode()
    assert exchanged(app, path="/filesystem")[1]["body"] == b"[redacted]"


def test_the_application_is_asked_for_the_whole_body_as_it_is(secret: str) -> None:
    """It sees neither what asks for a part or a compressed body, nor by what a server would send a file past the middleware."""
    seen: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.update(scope)

    headers = [(b"Range", b"bytes=0-1"), (b"if-range", b"x"), (b"accept-encoding", b"gzip"), (b"accept", b"*/*")]
    extensions: dict[str, Any] = {"http.response.pathsend": {}, "http.response.zerocopysend": {}, "http.response.trailers": {}}
    exchanged(LeakGuard(app), headers=headers, extensions=extensions)
    assert seen["headers"] == [(b"accept", b"*/*")]
    assert seen["extensions"] == {"http.response.trailers": {}}
    assert (len(headers), len(extensions)) == (4, 3)


def test_trailers_are_searched_and_other_messages_passed_on(secret: str) -> None:
    start = {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")], "trailers": True}
    body = {"type": "http.response.body", "body": b"x", "more_body": False}
    trailers = {"type": "http.response.trailers", "headers": [(b"x-key", quote(secret).encode())]}
    pathsend = {"type": "http.response.pathsend", "path": "/x"}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in (start, body, trailers) if scope["path"] == "/" else (start, pathsend):
            await send(message)

    assert exchanged(LeakGuard(app)) == [start, body, {**trailers, "headers": [(b"x-key", b"[redacted]")]}]
    assert exchanged(LeakGuard(app), path="/file") == [start, pathsend]
    with pytest.raises(ResponseBlockedError):
        exchanged(LeakGuard(app, mode="block"))


def test_a_response_without_a_body_keeps_its_length(secret: str) -> None:
    for options in ({"method": "HEAD"}, {"status": 304}, {"status": 204}):
        status = options.pop("status", 200)
        sent = exchanged(LeakGuard(answering(b"", status=status, content_length="5000")), **options)  # type: ignore[arg-type]
        assert sent[0]["headers"] == [(b"content-length", b"5000")]


def test_lifespan_is_untouched(secret: str) -> None:
    """What a server needs to start and stop an application goes past; scope and channels are the server's own."""
    seen: list[Any] = []

    async def app(*arguments: Any) -> None:
        seen.extend(arguments)

    given = ({"type": "lifespan"}, object(), object())
    asyncio.run(LeakGuard(app)(*given))  # type: ignore[arg-type]
    assert all(one is other for one, other in zip(seen, given, strict=True))


def test_an_exception_goes_on_without_the_secret(secret: str) -> None:
    """What is outside gets an exception of the same class, redacted; a clean one as it is."""
    clean = KeyError("x")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise clean if scope["path"] == "/clean" else ValueError(f"bad key {secret}")

    with pytest.raises(ValueError, match=r"^bad key \[redacted:stripe_key\]$") as caught:
        exchanged(LeakGuard(app))
    assert caught.value.__context__ is None
    with pytest.raises(KeyError) as same:
        exchanged(LeakGuard(app), path="/clean")
    assert same.value is clean


def chat(app: Any, *incoming: Message) -> list[Message]:
    """What a client of a websocket gets."""
    sent: list[Message] = []
    waiting = [{"type": "websocket.connect"}, *incoming]

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app({"type": "websocket", "path": "/ws", "query_string": b"", "headers": []}, receive, send))
    return sent


def talking(*messages: Message, hear: int = 1) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for _ in range(hear):
            await receive()
        for message in messages:
            await send(message)

    return app


def test_messages_of_a_websocket_are_searched(secret: str) -> None:
    """Texts, bytes, headers of the handshake, the reason of an end, and a response that refuses."""
    start = {"type": "websocket.http.response.start", "status": 403, "headers": [(b"content-length", b"40")]}
    sent = chat(
        LeakGuard(
            talking(
                {"type": "websocket.accept", "headers": [(b"x-key", quote(secret).encode())]},
                {"type": "websocket.send", "text": f"é {secret}"},
                {"type": "websocket.send", "bytes": b"\xff" + secret.encode(), "text": None},
                {"type": "websocket.send", "text": "clean"},
                {"type": "websocket.close", "code": 1000, "reason": secret},
            )
        )
    )
    assert [message.get("text") for message in sent] == [None, "é [redacted]", None, "clean", None]
    assert sent[2]["bytes"] == b"\xff[redacted]"
    assert sent[0]["headers"] == [(b"x-key", b"[redacted]")]
    assert sent[4] == {"type": "websocket.close", "code": 1000, "reason": "[redacted]"}
    refused = chat(LeakGuard(talking(start, {"type": "websocket.http.response.body", "body": secret.encode()})))
    assert refused[0] == {**start, "headers": [(b"content-length", b"10")]}
    assert refused[1]["body"] == b"[redacted]"


@pytest.mark.parametrize("kind", ["text", "bytes"])
def test_what_a_websocket_heard_is_let_through(kind: str, secret: str) -> None:
    value: Any = secret if kind == "text" else secret.encode()
    heard = {"type": "websocket.receive", kind: value}
    sent = chat(LeakGuard(talking({"type": "websocket.send", kind: value}, hear=2), mode="block"), heard)
    assert sent == [{"type": "websocket.send", kind: value}]


def test_a_blocked_websocket_is_closed(secret: str, caplog: pytest.LogCaptureFixture) -> None:
    """A message with a secret closes it with the incident's id, and nothing more is sent."""
    say = {"type": "websocket.send", "text": "hello"}
    with pytest.raises(ResponseBlockedError) as caught:
        chat(LeakGuard(talking(say, {"type": "websocket.send", "text": secret}, say), mode="block"))
    assert caught.value.incident in caplog.text
    app = talking(say, {"type": "websocket.send", "text": secret})
    sent = chat(LeakGuard(app, mode="block"))
    assert sent[0] == say
    assert (sent[1]["type"], sent[1]["code"]) == ("websocket.close", 1011)
    assert not leaks(secret, repr(sent).encode())


@pytest.mark.parametrize(("options", "error"), [({"mode": "hide"}, ValueError), ({"exclude": "/x"}, TypeError)])
def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        LeakGuard(answering(), **options)
