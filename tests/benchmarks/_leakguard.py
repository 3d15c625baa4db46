"""What `LeakGuard` costs a clean response of 1 MB, from the application's iterable to the server's."""

import secrets
from collections.abc import Iterable
from statistics import median
from time import thread_time
from typing import Any

from confguard._redaction import Redactor
from confguard.wsgi import LeakGuard

from ._measure import Measured

_SIZE = 10**6
_SECRETS = 50
_FASTEST = 200  # MB/s that it has to reach at least
_ROUNDS = 60


def leakguard() -> Measured:
    """Clean bodies of 1 MB in one part; the ratio is the time of one, as a multiple of what it may take."""
    own = Redactor()
    for number in range(_SECRETS):
        own.learn(secrets.token_urlsafe(24), f"field{number}")
    text = (b"<li class='item'>an ordinary line of a page, number 12345</li>\n" * _SIZE)[:_SIZE]

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", str(_SIZE))])
        return [text]

    guarded = LeakGuard(app, own=own)
    seconds = [_once(guarded, text) for _ in range(_ROUNDS)]
    took = median(seconds)
    details = {"MB_per_s": round(_SIZE / took / 1e6), "secrets": _SECRETS, "best_ms": round(min(seconds) * 1000, 3)}
    return Measured("leakguard_1mb", took / (_SIZE / (_FASTEST * 1e6)), 1.0, None, _ROUNDS, details)


def _once(guarded: LeakGuard, text: bytes) -> float:
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_HOST": "x.test", "wsgi.input": None}
    started = thread_time()  # which stands while others have the CPU
    parts = list(guarded(environ, lambda *_: lambda data: None))
    seconds = thread_time() - started
    if parts != [text]:
        raise AssertionError("a clean body was changed")
    return seconds
