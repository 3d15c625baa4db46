"""gunicorn's own logs: a canary in every part of a line of access, and in what its workers tell of errors."""

import datetime
import io
import secrets
from collections.abc import Generator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from confguard import redaction
from tests.web_rig import SPECIAL, forms, leaks

ACCESS, ERRORS = Path("access.log"), Path("error.log")
# Of every kind that its format knows: of its own, headers of both sides, the environment, and ones that are not there.
FORMAT = '%(h)s "%(r)s" %(s)s %(q)s "%(f)s" "%(a)s" %({x-key}i)s %({set-cookie}o)s %({http_x_key}e)s %({none}i)s %({none}e)s'


@pytest.fixture
def secret() -> str:
    value = secrets.token_hex(8) + SPECIAL + secrets.token_hex(8)
    redaction.redactor.learn(value, "stripe_key")
    return value


@pytest.fixture(params=["protected", "unprotected"])
def protected(request: pytest.FixtureRequest) -> Generator[bool]:
    """Whether `install` was called; without it the same test has to leak, which shows that it can see."""
    if request.param == "protected":
        redaction.install()
    yield request.param == "protected"
    redaction.uninstall()


@pytest.fixture
def logger() -> Generator[Any]:
    """Its logger, as it is when a worker has been started."""
    config = Config()
    config.set("accesslog", str(ACCESS))
    config.set("errorlog", str(ERRORS))
    config.set("access_log_format", FORMAT)
    made = Logger(config)
    yield made
    for log in (made.access_log, made.error_log):
        log.propagate = True
        for handler in list(log.handlers):
            log.removeHandler(handler)
            handler.close()


def accessed(logger: Any, text: str) -> str:
    """The line of a request that has a text wherever it can have one."""
    wire = text.encode().decode("latin-1")
    request = SimpleNamespace(headers=[("X-KEY", wire)])
    response = SimpleNamespace(status="200 OK", sent=5, headers=[("Set-Cookie", wire)])
    environment = {
        "REMOTE_ADDR": "127.0.0.1",
        "REQUEST_METHOD": "GET",
        "RAW_URI": f"/{text}",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "PATH_INFO": f"/{wire}",
        "QUERY_STRING": text,
        "HTTP_REFERER": wire,
        "HTTP_USER_AGENT": wire,
        "HTTP_X_KEY": wire,
        "wsgi.input": io.BytesIO(text.encode()),
    }
    logger.access(response, request, environment, datetime.timedelta(seconds=1))
    return ACCESS.read_text()


@pytest.mark.parametrize("form", forms(""))
def test_a_line_of_access_shows_no_secret(form: str, secret: str, logger: Any, protected: bool) -> None:
    """In the request line, the query, headers of both sides and the environment, in each form."""
    line = accessed(logger, forms(secret)[form].decode())
    found = {piece for piece in (secret[:12], secret[-12:]) if piece in line} | set(leaks(secret, line.encode()))
    assert (found == set()) is protected
    assert line.count("[redacted:stripe_key]") == (7 if protected else 0)
    assert line.startswith('127.0.0.1 "GET /')
    assert line.endswith(" - -\n")


def test_a_line_of_access_without_a_secret_is_as_before(secret: str, logger: Any) -> None:
    """To the byte, also where the request has one in a place that the line does not show."""
    before = accessed(logger, "an ordinary text")
    redaction.install()
    try:
        assert accessed(logger, "an ordinary text") == 2 * before
    finally:
        redaction.uninstall()
    assert secret not in before


def test_an_error_of_a_worker_shows_no_secret(secret: str, logger: Any, protected: bool) -> None:
    """The request that failed, and the traceback."""
    try:
        int(secret)
    except ValueError:
        logger.exception("Error handling request %s", f"/?key={secret}")
    written = ERRORS.read_text()
    assert "Traceback" in written
    assert bool(leaks(secret, written.encode())) is not protected
    assert ("[redacted:stripe_key]" in written) is protected
