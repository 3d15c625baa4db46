"""`LeakGuard` for WSGI, on a real server: what leaves, what does not, and that it is no oracle for guesses."""

import base64
import html
import io
import json
import re
import secrets
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import flask
import pytest
from werkzeug.debug import DebuggedApplication

from confguard._redaction import redactor
from confguard.wsgi import LeakGuard, ResponseBlockedError
from tests.web_rig import SPECIAL, fetch, forms, leaks, wsgi_server

Environ = dict[str, Any]
TEXT = [("Content-Type", "text/plain; charset=utf-8")]


@pytest.fixture
def secret() -> str:
    value = secrets.token_hex(8) + SPECIAL + secrets.token_hex(8)
    redactor.learn(value, "stripe_key")
    return value


def body_of(data: bytes, *headers: tuple[str, str]) -> Any:
    def app(environ: Environ, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [*TEXT, ("Content-Length", str(len(data))), *headers])
        return [data]

    return app


def streamed(data: bytes, size: int) -> Any:
    def app(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        for at in range(0, len(data), size):
            yield data[at : at + size]

    return app


def written(data: bytes) -> Any:
    def app(environ: Environ, start_response: Any) -> Iterable[bytes]:
        write = start_response("200 OK", TEXT)
        write(data[:9])
        write(data[9:])
        return [b"the end"]

    return app


def from_file(data: bytes) -> Any:
    def app(environ: Environ, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [*TEXT, ("Content-Length", str(len(data)))])
        return environ["wsgi.file_wrapper"](io.BytesIO(data), 5)  # type: ignore[no-any-return]

    return app


def in_flask(secret: str) -> Any:
    app = flask.Flask(__name__)
    app.secret_key = secrets.token_hex()

    @app.get("/")
    def index() -> flask.Response:
        response = flask.jsonify(key=secret)
        response.set_cookie("key", secret)
        response.headers["X-Key"] = quote(secret)
        return response

    return app.wsgi_app


def failing(secret: str) -> Any:
    def app(environ: Environ, start_response: Any) -> Iterable[bytes]:
        key = secret
        raise ValueError(f"the key {key} is wrong")

    return app


def debugged(secret: str) -> Any:
    return DebuggedApplication(failing(secret), evalex=False)


WAYS: dict[str, Callable[[str], Any]] = {
    "body": lambda secret: body_of(b"<" + secret.encode() + b">"),
    "all forms": lambda secret: body_of(b"\n".join(forms(secret).values())),
    "streamed by bytes": lambda secret: streamed(b"<" + secret.encode() + b">", 1),
    "streamed in parts": lambda secret: streamed(b"<" + b"|".join(forms(secret).values()) + b">", 7),
    "written": lambda secret: written(b"<" + secret.encode() + b">"),
    "a file": lambda secret: from_file(b"<" + secret.encode() + b">"),
    "header": lambda secret: body_of(b"", ("X-Key", quote(secret)), ("X-Raw", secret.encode().decode("latin-1"))),
    "cookie": lambda secret: body_of(b"", ("Set-Cookie", "key=" + base64.b64encode(secret.encode()).decode())),
    "Flask": in_flask,
    "the debugger": debugged,
}


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "unprotected"])
@pytest.mark.parametrize("way", WAYS)
def test_no_secret_leaves_in_any_way(way: str, protected: bool, secret: str) -> None:
    """With the middleware nothing of the secret comes to a client; without it the same response leaks: the test can see."""
    app = WAYS[way](secret)
    with wsgi_server(LeakGuard(app) if protected else app) as port:
        reply = fetch(port)
    assert bool(leaks(secret, reply.everything)) is not protected
    if protected:
        assert b"[redacted]" in reply.everything
        assert b"stripe_key" not in reply.everything, "the mask does not even tell which secret it was"
        for length in reply.header("Content-Length"):
            assert int(length) == len(reply.body)


@pytest.mark.parametrize("mode", ["redact", "block"])
def test_what_holds_no_secret_is_passed_on_to_the_byte(mode: Any, secret: str) -> None:
    """A clean response arrives as it was made, with its headers, whichever way it is sent."""
    data = secrets.token_bytes(5000)
    for app in (body_of(data, ("ETag", '"1"')), streamed(data, 700), from_file(data)):
        with wsgi_server(LeakGuard(app, mode=mode)) as port, wsgi_server(app) as bare:
            got, wanted = fetch(port), fetch(bare)
        assert got.body == data
        assert [header for header in got.headers if header[0] != "Date"] == [
            header for header in wanted.headers if header[0] != "Date"
        ]


@pytest.mark.parametrize("way", ["body", "a file", "header", "cookie", "Flask", "streamed by bytes", "the debugger"])
def test_a_blocked_response_is_an_incident_and_nothing_of_it_leaves(
    way: str, secret: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The client gets 500 and the id of an incident, the log the same id and the field."""
    with wsgi_server(LeakGuard(WAYS[way](secret), mode="block")) as port:
        reply = fetch(port, "/?x")
    incident = re.search(r"incident (\w{16})", caplog.text)
    assert incident is not None
    assert "GET /" in caplog.text
    assert "[redacted:stripe_key]" in caplog.text
    assert not leaks(secret, reply.everything + caplog.text.encode())
    if way != "streamed by bytes":  # its first byte was sent, and then the connection was cut
        assert reply.status == 500
        assert reply.body == f"Internal Server Error\nincident {incident[1]}\n".encode()


def echo(environ: Environ, start_response: Any) -> Iterable[bytes]:
    """What a careless service says: all that it was sent, as it was, and as frameworks decode it."""
    request = flask.Request(environ)
    said: list[Any] = [request.path, *request.args.values(), *map(unquote, request.args.values()), *request.cookies.values()]
    said += [request.headers.get("X-Guess", "").encode("latin-1").decode()]
    said += [request.authorization and request.authorization.password]
    said += [*request.form.values(), *(request.get_json(silent=True) or [])]
    said += [html.unescape(request.get_data(as_text=True))] if request.content_type == "text/xml" else []
    data = json.dumps(said, ensure_ascii=False).encode() + "\n".join(map(str, said)).encode() + request.query_string
    start_response("200 OK", [*TEXT, ("Content-Length", str(len(data)))])
    return [data]


def every_byte(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


FORM = "application/x-www-form-urlencoded"
GUESSES: dict[str, Callable[[str], dict[str, Any]]] = {
    "path": lambda guess: {"path": "/" + quote(guess)},
    "path, each byte encoded": lambda guess: {"path": "/" + every_byte(guess)},
    "query": lambda guess: {"path": "/?q=" + quote(guess, safe="")},
    "query, each byte encoded": lambda guess: {"path": "/?q=" + every_byte(guess)},
    "query, encoded twice": lambda guess: {"path": "/?q=" + quote(every_byte(guess))},
    "header": lambda guess: {"X_Guess": guess.encode().decode("latin-1")},
    "credentials": lambda guess: {"Authorization": "Basic " + base64.b64encode(b"me:" + guess.encode()).decode()},
    "cookie": lambda guess: {"Cookie": 'c="' + "".join(f"\\{byte:03o}" for byte in guess.encode()) + '"'},
    "form": lambda guess: {"method": "POST", "body": b"q=" + every_byte(guess).encode(), "Content_Type": FORM},
    "form with +": lambda guess: {
        "method": "POST",
        "body": f"q={quote(guess).replace('%20', '+')}".encode(),
        "Content_Type": FORM,
    },
    "form, each byte encoded but spaces": lambda guess: {
        "method": "POST",
        "body": b"q=" + every_byte(guess).replace("%20", "+").encode(),
        "Content_Type": FORM,
    },
    "XML": lambda guess: {
        "method": "POST",
        "body": "".join(f"&#{ord(char)};" for char in guess).encode(),
        "Content_Type": "text/xml",
    },
    "JSON": lambda guess: {"method": "POST", "body": json.dumps([guess]).encode(), "Content_Type": "application/json"},
    "JSON, each character escaped": lambda guess: {
        "method": "POST",
        "body": ('["' + "".join(f"\\u{ord(char):04x}" for char in guess) + '"]').encode(),
        "Content_Type": "application/json",
    },
    "JSON in UTF-16": lambda guess: {
        "method": "POST",
        "body": json.dumps([guess]).encode("utf-16"),
        "Content_Type": "application/json",
    },
}


@pytest.mark.parametrize("mode", ["redact", "block"])
@pytest.mark.parametrize("way", GUESSES)
def test_a_guess_comes_back_the_same_whether_it_is_right_or_not(way: str, mode: Any, secret: str) -> None:
    """Whoever sends candidates sees no difference between the secret and another value of the same letters."""
    wrong = secret[::-1]
    with wsgi_server(LeakGuard(echo, mode=mode)) as port:
        right, other = fetch(port, **GUESSES[way](secret)), fetch(port, **GUESSES[way](wrong))
    with wsgi_server(echo) as bare:
        assert fetch(bare, **GUESSES[way](secret)).body == right.body
        assert fetch(bare, **GUESSES[way](wrong)).body == other.body
    assert leaks(secret, right.body), "else the service does not echo"


def test_what_a_guess_does_not_contain_is_hidden_beside_it(secret: str) -> None:
    """To know the password of a URL lets nobody read the URL; to know one secret, no other."""
    password = secrets.token_hex(8)
    url = f"postgres://me:{password}@db.test/{secrets.token_hex(8)}"
    redactor.learn(url, "database_url")
    with wsgi_server(LeakGuard(body_of(f"{password} {url} {secret}".encode()))) as port:
        assert fetch(port, f"/?{password}").body == f"{password} [redacted] [redacted]".encode()
        assert fetch(port, "/").body == b"[redacted] [redacted] [redacted]"


@pytest.mark.parametrize(
    "encode", [str, lambda secret: "".join(f"\\u{ord(char):04x}" for char in secret)], ids=["plain", "escaped"]
)
def test_a_long_body_is_let_through_wherever_in_it_the_guess_stands(encode: Callable[[str], str]) -> None:
    """A body that is searched in blocks is searched across their ends, and its beginning is not forgotten."""
    secret = secrets.token_hex(40)
    redactor.learn(secret, "key")
    guess = encode(secret).encode()

    def app(environ: Environ, start_response: Any) -> Iterable[bytes]:
        while environ["wsgi.input"].read(300_007):
            pass
        return body_of(secret.encode())(environ, start_response)  # type: ignore[no-any-return]

    for before in (0, 2**20 - 30, 3 * 300_007 - 20, 4 * 300_007 - len(guess) + 1, 2_500_000):
        data = b"." * before + guess + b"." * (2_600_000 - before)
        assert call(app, {"REQUEST_METHOD": "POST", "wsgi.input": io.BytesIO(data)})[2] == secret.encode()


def test_a_body_that_was_not_read_lets_nothing_through(secret: str) -> None:
    """What an application did not read cannot have come from there."""
    app = body_of(secret.encode())
    assert call(app, {"REQUEST_METHOD": "POST", "wsgi.input": io.BytesIO(secret.encode())})[2] == b"[redacted]"


@pytest.mark.parametrize("way", ["read", "readline", "readlines", "iteration"])
def test_each_way_to_read_a_body_is_seen(way: str, secret: str) -> None:
    def app(environ: Environ, start_response: Any) -> Iterable[bytes]:
        stream = environ["wsgi.input"]
        ways = {
            "read": stream.read,
            "readline": stream.readline,
            "readlines": stream.readlines,
            "iteration": lambda: list(stream),
        }
        ways[way]()
        return body_of(secret.encode())(environ, start_response)  # type: ignore[no-any-return]

    assert call(app, {"REQUEST_METHOD": "POST", "wsgi.input": io.BytesIO(secret.encode())})[2] == secret.encode()


def call(app: Any, environ: Environ | None = None, **options: Any) -> tuple[str, dict[str, str], bytes]:
    """What the middleware gives a server: status, headers and body."""
    begun: list[Any] = []
    written: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        begun.append((status, dict(headers)))
        return written.append

    whole = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.input": io.BytesIO(), **(environ or {})}
    response = LeakGuard(app, **options)(whole, start_response)
    try:
        parts = list(response)
    finally:
        getattr(response, "close", lambda: None)()
    ((status, headers),) = begun
    return status, headers, b"".join(written + parts)


@pytest.mark.parametrize(
    ("path", "covered"),
    [("/files", False), ("/files/a", False), ("/filesystem", True), ("/", True), ("/files/../x", True), ("/x/files", True)],
)
def test_routes_are_excluded_by_whole_segments(path: str, covered: bool, secret: str) -> None:
    body = call(body_of(secret.encode()), {"PATH_INFO": path}, exclude=["/files"])[2]
    assert (body == b"[redacted]") is covered


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"mode": "hide"}, ValueError, "not 'hide'"),
        ({"exclude": "/files"}, TypeError, r"exclude=\['/files'\]"),
        ({"exclude": ["files"]}, ValueError, "begins with /"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        LeakGuard(echo, **options)


def test_no_part_and_no_compressed_body_is_asked_for(secret: str) -> None:
    """An application that serves ranges, and one that compresses, are asked for the whole as it is; outer middleware sees all."""
    seen: dict[str, Any] = {}

    def app(environ: Environ, start_response: Any) -> Iterable[bytes]:
        seen.update(environ)
        return body_of(b"")(environ, start_response)  # type: ignore[no-any-return]

    environ = {"HTTP_RANGE": "bytes=0-5", "HTTP_IF_RANGE": "x", "HTTP_ACCEPT_ENCODING": "gzip", "HTTP_ACCEPT": "*/*"}
    call(app, environ)
    assert {name for name in seen if name.startswith("HTTP_")} == {"HTTP_ACCEPT"}
    assert len(environ) == 4


def test_what_tells_of_the_whole_body_goes_with_it(secret: str) -> None:
    """A hash of a body with a secret that can be guessed is as good as the secret."""
    hashes = [(name, secrets.token_hex()) for name in ("ETag", "Content-MD5", "Digest", "Content-Digest", "Repr-Digest")]
    assert call(body_of(secret.encode(), *hashes))[1] == {"Content-Length": "10", "Content-Type": "text/plain; charset=utf-8"}
    assert call(body_of(b"clean", *hashes))[1].keys() == {"Content-Length", "Content-Type", *dict(hashes)}


@pytest.mark.parametrize(("method", "status"), [("HEAD", "200 OK"), ("GET", "304 Not Modified"), ("GET", "204 No Content")])
def test_a_response_without_a_body_keeps_its_length(method: str, status: str, secret: str) -> None:
    """Headers are searched, and the length is what it was; a body that comes all the same is searched."""

    def app(environ: Environ, start_response: Any) -> Iterable[bytes]:
        start_response(status, [("Content-Length", "5000"), ("X-Key", quote(secret))])
        return [secret.encode()]

    assert call(app, {"REQUEST_METHOD": method}) == (status, {"Content-Length": "5000", "X-Key": "[redacted]"}, b"[redacted]")


def test_the_blocked_answer_to_head_has_no_body(secret: str) -> None:
    status, _, body = call(body_of(b"", ("X-Key", quote(secret))), {"REQUEST_METHOD": "HEAD"}, mode="block")
    assert (status, body) == ("500 Internal Server Error", b"")


def test_a_compressed_body_is_passed_on(secret: str) -> None:
    """The documented limit: what is compressed all the same is sent as it is, not damaged."""
    data = secrets.token_bytes(50) + secret.encode()
    assert call(body_of(data, ("Content-Encoding", "br")))[2] == data


def test_a_header_is_searched_in_its_name_too(secret: str) -> None:
    token = secrets.token_hex()
    redactor.learn(token, "token")
    assert "x-[redacted]" in call(body_of(b"", (f"x-{token}", "1")))[1]


def test_the_servers_own_way_to_send_a_file_is_not_used(secret: str) -> None:
    """A server may send what its wrapper was given past the middleware, so an application gets a plain one."""
    assert call(from_file(secret.encode()), {"wsgi.file_wrapper": None})[2] == b"[redacted]"


def test_the_log_of_an_incident_holds_no_secret_of_the_request(secret: str, caplog: pytest.LogCaptureFixture) -> None:
    """What a request contained is let through to its client, and not to the log; control characters are escaped there."""
    other = secrets.token_hex()
    redactor.learn(other, "token")
    call(body_of(secret.encode()), {"PATH_INFO": f"/{other}\nx"}, mode="block")
    assert "'GET /[redacted:token]\\nx'" in caplog.text
    assert not leaks(other, caplog.text.encode())


def test_the_reason_is_searched(secret: str) -> None:
    def app(environ: Environ, start_response: Any) -> Iterable[bytes]:
        start_response(f"500 {quote(secret)}", TEXT)
        return []

    assert call(app)[0] == "500 [redacted]"


def test_a_longer_body_than_is_collected_is_streamed(secret: str) -> None:
    """Above 4 MiB the length is not told any more, and a part is given out when it comes."""
    data = b"." * (5 * 2**20) + secret.encode()

    def app(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", str(len(data)))])
        yield data[:-50]
        yield data[-50:]

    _, headers, body = call(app)
    assert "Content-Length" not in headers
    assert body == data[: 5 * 2**20] + b"[redacted]"


def test_a_body_longer_than_it_says_is_searched_to_its_end(secret: str) -> None:
    """An application that lies about the length neither fills the memory nor gets a byte past."""

    def app(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", "1")])
        for _ in range(9):
            yield b"." * 2**20
        yield secret.encode()

    _, headers, body = call(app)
    assert body == b"." * (9 * 2**20) + b"[redacted]"
    assert "Content-Length" not in headers


def test_events_are_given_out_when_they_come(secret: str) -> None:
    """Of server-sent events each is sent whole before the next one is made, whatever it holds."""
    out: list[bytes] = []

    def app(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        for number in range(5):
            yield f"data: {number} {secret if number % 2 else 'x'}\n\n".encode()
            assert out[-1].endswith(b"\n\n")
            assert len(out) == number + 1

    environ = {"REQUEST_METHOD": "GET", "wsgi.input": io.BytesIO()}
    parts = iter(LeakGuard(app)(environ, lambda *_: out.append))
    while len(out) < 5:
        out.append(next(parts))
    assert next(parts, None) is None
    assert out[1] == b"data: 1 [redacted]\n\n"


@pytest.mark.parametrize("when", ["at once", "later"])
def test_an_exception_goes_on_without_the_secret(when: str, secret: str) -> None:
    """What is outside, a debugger say, gets an exception of the same class, redacted, with its traceback; a clean one itself."""
    clean = KeyError("x")

    def now(environ: Environ, start_response: Any) -> Iterable[bytes]:
        raise environ.get("error") or ValueError(f"bad key {secret}")

    def later(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b""
        raise environ.get("error") or ValueError(f"bad key {secret}")

    app = now if when == "at once" else later
    with pytest.raises(ValueError, match=r"^bad key \[redacted:stripe_key\]$") as caught:
        call(app)
    assert caught.value.__context__ is None
    assert caught.traceback[-1].name == app.__name__
    with pytest.raises(KeyError) as same:
        call(app, {"error": clean})
    assert same.value is clean


def test_the_debugger_outside_gets_no_secret(secret: str) -> None:
    """`flask run --debug` puts its debugger around the whole application: its page shows what went through the middleware."""
    with wsgi_server(DebuggedApplication(LeakGuard(failing(secret)), evalex=False)) as port:
        reply = fetch(port)
    assert reply.status == 500
    assert b"ValueError" in reply.body
    assert not leaks(secret, reply.everything)
    with wsgi_server(DebuggedApplication(failing(secret), evalex=False)) as port:
        assert leaks(secret, fetch(port).everything)


def test_what_the_application_gave_is_closed(secret: str) -> None:
    """The application's own iterable is closed with the response, also where that was blocked."""

    class Given(list[bytes]):
        closed = 0

        def close(self) -> None:
            self.closed += 1

    for mode in ("redact", "block"):
        given = Given([secret.encode()])

        def app(environ: Environ, start_response: Any, given: Given = given) -> Iterable[bytes]:
            start_response("200 OK", TEXT)
            return given

        call_blocked = call(app, {"wsgi.input": io.BytesIO()}, mode=mode)
        assert secret.encode() not in call_blocked[2]
        assert given.closed == 1


def test_an_error_replaces_what_was_not_sent(secret: str) -> None:
    """An application that gives up its response for an error's, before anything was sent, sends only the latter."""

    def app(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", "100")])
        yield b"the first half"
        start_response("500 Oops", [("Content-Length", "5")], (ValueError, ValueError(secret), None))
        yield b"sorry"

    assert call(app) == ("500 Oops", {"Content-Length": "5"}, b"sorry")


def test_an_error_after_the_beginning_was_sent_is_raised_without_the_secret(secret: str) -> None:
    def app(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"the first half"
        start_response("500 Oops", TEXT, (ValueError, ValueError(secret), None))
        yield b"sorry"

    with pytest.raises(ValueError, match=r"^\[redacted:stripe_key\]$"):
        call(app)


def test_an_application_that_does_not_begin_or_begins_twice_is_told() -> None:
    def twice(environ: Environ, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        start_response("200 OK", [])
        return []

    with pytest.raises(AssertionError, match="twice"):
        call(twice)
    with pytest.raises(AssertionError, match="did not call start_response"):
        call(lambda environ, start_response: [b"x"])


def test_a_stream_that_is_blocked_is_cut(secret: str, caplog: pytest.LogCaptureFixture) -> None:
    """Where a beginning has been sent no page can follow, and the server is told to cut the connection."""

    def iterated(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"clean "
        yield secret.encode()

    def by_write(environ: Environ, start_response: Any) -> Iterable[bytes]:
        write = start_response("200 OK", TEXT)
        write(b"clean ")
        write(secret.encode())
        return []

    for app in (iterated, by_write):
        with pytest.raises(ResponseBlockedError) as caught:
            call(app, mode="block")
        assert caught.value.incident in caplog.text
        shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        ours = [frame for frame in shown.stack if "confguard" in Path(frame.filename).parts]
        assert ours
        assert not leaks(secret, repr([frame.locals for frame in ours]).encode())
