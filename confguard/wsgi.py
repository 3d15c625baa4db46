"""`LeakGuard` for WSGI: no secret leaves in a response, whatever the application or a debugger puts into one.

    app.wsgi_app = LeakGuard(app.wsgi_app)

Flask's own errors, its test client and `flask run` go through it then. See `confguard.asgi` for ASGI.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias
from wsgiref.util import FileWrapper

from confguard._answer import WITHHELD, Answer, Mode, check_options, is_excluded, page, report_incident
from confguard._blocked import ResponseBlockedError
from confguard._redaction import Redactor, redactor
from confguard._screen import Screen
from confguard._walk import clean_exception

if TYPE_CHECKING:
    from types import TracebackType

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]

__all__ = ["LeakGuard", "ResponseBlockedError"]

# What of the environment came from the client beside its headers.
_FROM_CLIENT = frozenset(
    {"REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "RAW_URI", "REQUEST_URI", "CONTENT_TYPE", "SERVER_PROTOCOL"}
)
# Methods of streams that WSGI does not ask for; who finds none of them calls read().
_READS_PAST_US = frozenset(
    {"read1", "readall", "readinto", "readinto1", "peek", "raw", "buffer", "detach", "getvalue", "getbuffer"}
)
_WITHHELD = frozenset("HTTP_" + name.decode().upper().replace("-", "_") for name in WITHHELD)


class LeakGuard:
    """WSGI middleware that hides secrets in headers, cookies and bodies of responses.

    What the request contained itself is let through, so that a response tells nobody that a guess was right. The application
    sees no ``Range`` and no ``Accept-Encoding``: a secret is not found in a part of a body that begins or ends within it, nor in
    a compressed one. A body that is compressed all the same is passed on unsearched.

    Args:
        app: The application.
        mode: ``"redact"`` puts ``[redacted]`` in place of each secret. ``"block"`` answers 500 with the id of an incident, which
            is logged with the fields; where a body has been begun, the connection is cut by `ResponseBlockedError`.
        exclude: Paths (``PATH_INFO``) whose responses are passed on as they are, with all below them.
        own: Knows the secrets; the process's redactor unless told.

    Raises:
        TypeError: `exclude` is a text.
        ValueError: Another mode, or a path to exclude that does not begin with ``/``.
    """

    def __init__(
        self, app: "WSGIApplication", *, mode: Mode = "redact", exclude: Sequence[str] = (), own: Redactor = redactor
    ) -> None:
        check_options(mode, exclude)
        self._app = app
        self._mode: Mode = mode
        self._exclude = tuple(exclude)
        self._own = own

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a request."""
        if is_excluded(environ.get("PATH_INFO", ""), self._exclude):
            return self._app(environ, start_response)
        exchange = _Exchange(environ, start_response, self._mode, self._own)
        inner = {name: value for name, value in environ.items() if name not in _WITHHELD}
        inner["wsgi.input"] = _Input(environ["wsgi.input"], exchange.screen)
        inner["wsgi.file_wrapper"] = FileWrapper  # the server's own may send a file past us
        exchange.run(self._app, inner)
        return exchange


class _Exchange:
    """One request and its response; what the server iterates over."""

    def __init__(self, environ: "WSGIEnvironment", start_response: "StartResponse", mode: Mode, own: Redactor) -> None:
        self.screen = Screen(own)
        for name, value in environ.items():
            if isinstance(value, str) and (name in _FROM_CLIENT or name.startswith("HTTP_")):
                self.screen.let_through(_raw(value) + b"\n")
        self._own = own
        self._request = f"{environ.get('REQUEST_METHOD', '')} {environ.get('PATH_INFO', '')}"
        self._bodiless = environ.get("REQUEST_METHOD") == "HEAD"
        self._start_response = start_response
        self._status = ""
        self._answer = Answer(self.screen, mode)
        self._body: Iterable[bytes] = ()
        self._write: Callable[[bytes], object] | None = None
        self._sending: Iterator[bytes] = self._parts()

    def run(self, app: "WSGIApplication", environ: "WSGIEnvironment") -> None:
        """Call the application."""
        with_secrets: BaseException | None = None
        try:
            self._body = app(environ, self.begin)
        except Exception as error:
            with_secrets = clean_exception(error, self._own)
            if with_secrets is error:
                raise
        if with_secrets is not None:
            raise with_secrets

    def begin(self, status: str, headers: list[tuple[str, str]], exc_info: "ExcInfo | None" = None) -> Callable[[bytes], object]:
        """What the application calls as ``start_response``."""
        if exc_info is not None and exc_info[1] is not None and self._write is not None:
            raise exc_info[1].with_traceback(exc_info[2])  # and cleaned on its way out
        if exc_info is None and self._status:
            raise AssertionError("the application called start_response twice")
        self._status = _text(self.screen.clean(_raw(status)))
        bodiless = self._bodiless or status[:3] in ("204", "304")
        self._answer.start([(_raw(name), _raw(value)) for name, value in headers], bodiless=bodiless)
        return self.write

    def write(self, data: bytes) -> None:
        """What applications of old send their body with."""
        out = self._answer.feed(data)
        del data
        if self._answer.blocked:
            self._cut()
        elif out:
            self._commit()(out)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with_secrets: BaseException | None = None
        try:
            return next(self._sending)
        except StopIteration:
            raise
        except Exception as error:
            with_secrets = clean_exception(error, self._own)
            if with_secrets is error:
                raise
        raise with_secrets

    def close(self) -> None:
        """Close what the application gave."""
        close: Callable[[], object] | None = getattr(self._body, "close", None)
        if close is not None:
            close()

    def _parts(self) -> Iterator[bytes]:
        if not self._answer.blocked:
            for data in self._body:
                out = self._answer.feed(data)
                del data
                if self._answer.blocked:
                    break
                if out:
                    self._commit()
                    yield out
        out = self._answer.end()
        if self._answer.blocked:
            yield self._instead()
            return
        self._commit()
        if out:
            yield out

    def _commit(self) -> Callable[[bytes], object]:
        """Send status and headers, once."""
        if self._write is None:
            if not self._status:
                raise AssertionError("the application did not call start_response")
            headers = [(_text(name), _text(value)) for name, value in self._answer.headers]
            self._write = self._start_response(self._status, headers)
        return self._write

    def _instead(self) -> bytes:
        """The page that stands in for a blocked response."""
        self._cut()
        body = page(report_incident(self.screen, self._request, self._own.redact))
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
        self._write = self._start_response("500 Internal Server Error", headers)
        return b"" if self._bodiless else body

    def _cut(self) -> None:
        """End a response that must not go on, where its beginning has been sent."""
        if self._write is not None:
            raise ResponseBlockedError(report_incident(self.screen, self._request, self._own.redact))


class _Input:
    """The body of a request, which notes what of it was read."""

    def __init__(self, stream: Any, screen: Screen) -> None:
        self._stream = stream
        self._screen = screen

    def read(self, *size: int) -> bytes:
        return self._noted(self._stream.read(*size))

    def readline(self, *size: int) -> bytes:
        return self._noted(self._stream.readline(*size))

    def readlines(self, *hint: int) -> list[bytes]:
        return [self._noted(line) for line in self._stream.readlines(*hint)]

    def __iter__(self) -> Iterator[bytes]:
        return map(self._noted, self._stream)

    def __getattr__(self, name: str) -> Any:
        if name in _READS_PAST_US:
            raise AttributeError(name)
        return getattr(self._stream, name)

    def _noted(self, data: bytes) -> bytes:
        self._screen.let_through(data)
        return data


def _raw(text: str) -> bytes:
    """The bytes that WSGI's text stands for."""
    return text.encode("latin-1", "backslashreplace")


def _text(raw: bytes) -> str:
    return raw.decode("latin-1")
