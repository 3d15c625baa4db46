"""Logging: a canary in every part of a record, and on every way from a logger to a handler, with `install` and without."""

import io
import json
import linecache
import logging
import logging.handlers
import queue
import secrets
import sys
import traceback
import warnings
from base64 import b64encode
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import pytest

from confguard import redaction
from tests.finder import _needles

CANARY = f"{secrets.token_urlsafe(18)}/+ é"
FORMS = {
    "plain": CANARY,
    "URL-encoded": quote(CANARY, safe=""),
    "base64": b64encode(b"me:" + CANARY.encode()).decode(),
    "hexadecimal": CANARY.encode().hex(),
    "JSON": json.dumps(CANARY),
}
Out = io.StringIO
Way = Callable[[logging.Logger, str], None]


def leaked(text: str) -> list[str]:
    return [needle for needle in [*_needles(CANARY), *FORMS.values()] if needle in text]


class JsonFormatter(logging.Formatter):
    """Writes all of a record, as formatters do that read its exception themselves."""

    def format(self, record: logging.LogRecord) -> str:
        parts: dict[str, Any] = {"msg": record.msg, "args": record.args, "all": {**vars(record)}, "text": record.getMessage()}
        if record.exc_info and record.exc_info[1]:
            error = record.exc_info[1]
            parts |= {"error": str(error), "arguments": error.args, "attributes": vars(error)}
            parts["lines"] = traceback.format_exception(error)
        return json.dumps(parts, default=repr)


class LocalsFormatter(logging.Formatter):
    """Shows local variables, by the standard library."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - named by logging
        return "".join(traceback.TracebackException(*ei, capture_locals=True).format())


@pytest.fixture
def out() -> Out:
    return io.StringIO()


@pytest.fixture
def handler(out: Out) -> logging.Handler:
    return logging.StreamHandler(out)


@pytest.fixture(params=["protected", "unprotected"])
def protected(request: pytest.FixtureRequest) -> Generator[bool]:
    """Whether `install` was called; without it the same test has to leak, which shows that it can see."""
    redaction.redactor.learn(CANARY, "key")
    if request.param == "protected":
        redaction.install()
    yield request.param == "protected"
    redaction.uninstall()


@contextmanager
def logger_with(handler: logging.Handler) -> Generator[logging.Logger]:
    """A logger as another library has it, and that of warnings, without what pytest adds to each when a test begins."""
    loggers = [logging.getLogger(name) for name in ("some.library", "py.warnings")]
    for each in loggers:
        each.level, each.handlers, each.propagate = logging.DEBUG, [handler], False
    yield loggers[0]
    for each in loggers:
        each.level, each.handlers, each.propagate = logging.NOTSET, [], True


def check(text: str, *, protected: bool) -> None:
    assert text
    assert (leaked(text) == []) is protected, text


def fail(text: str) -> None:
    held = {"a": text}
    error = ConnectionError(f"cannot reach {held['a']}")
    error.add_note(f"with {text}")
    error.response = held  # type: ignore[attr-defined]
    raise error


def caught(logger: logging.Logger, text: str) -> None:
    try:
        fail(text)
    except ConnectionError:
        logger.exception("failed")


def chained(logger: logging.Logger, text: str) -> None:
    try:
        try:
            fail(text)
        finally:
            {}["x"]  # type: ignore[index]
    except KeyError:
        logger.warning("failed", exc_info=True)


class Url:
    """Shows its password by ``str`` and hides it in its repr."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return "Url(…)"


PARTS: dict[str, Way] = {
    "message": lambda logger, text: logger.info(f"got {text} there"),  # noqa: G004
    "argument": lambda logger, text: logger.info("got %s there", text),
    "repr of an argument": lambda logger, text: logger.info("got %r there", [text]),
    "an object": lambda logger, text: logger.info("got %s there", Url(text)),
    "message and argument together": lambda logger, text: logger.info(f"got {text[:9]}%s", text[9:]),  # noqa: G004
    "arguments by name": lambda logger, text: logger.info("got %(a)s", {"a": text}),
    "a structure as message": lambda logger, text: logger.info({"event": [text]}),
    "an exception as message": lambda logger, text: logger.info(ValueError(text)),
    "extra": lambda logger, text: logger.info("done", extra={"request": {"url": text}}),
    "an exception": caught,
    "a context": chained,
    "exc_info that is given": lambda logger, text: logger.info("done", exc_info=ValueError(text)),
    "a group": lambda logger, text: logger.info("done", exc_info=ExceptionGroup("many", [ValueError(text)])),
    "arguments that do not fit": lambda logger, text: logger.info("got %d and %s", text),
    "arguments that are not shown": lambda logger, text: logger.info("got %.1s", text),
    "a warning": lambda _, text: warnings.warn(text, stacklevel=1),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("formatter", [logging.Formatter(), JsonFormatter(), LocalsFormatter()], ids=["text", "JSON", "locals"])
def test_no_part_of_a_record_shows_a_secret(
    handler: logging.Handler,
    out: Out,
    formatter: logging.Formatter,
    part: str,
    form: str,
    protected: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Message, arguments, exception, notes, chain and extra, in whatever way a formatter reads them."""
    monkeypatch.setattr(sys, "stderr", out)  # where logging tells of a message that cannot be formatted
    handler.setFormatter(formatter)
    with warnings.catch_warnings(), logger_with(handler) as logger:
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        try:
            PARTS[part](logger, FORMS[form])
        finally:
            logging.captureWarnings(False)
    hidden_anyhow = type(formatter) is not JsonFormatter and part in ("extra", "arguments that are not shown")
    check(out.getvalue(), protected=protected or hidden_anyhow)


def test_the_stack_of_a_record_shows_no_secret(handler: logging.Handler, out: Out, protected: bool) -> None:
    """A line of code that holds the secret is a part of the stack that a record carries."""
    source = f"logger.info('here', stack_info=True)  # {FORMS['hexadecimal']}\n"
    linecache.cache["some.py"] = (len(source), None, [source], "some.py")
    with logger_with(handler) as logger:
        exec(compile(source, "some.py", "exec"), {"logger": logger})  # noqa: S102
    del linecache.cache["some.py"]
    check(out.getvalue(), protected=protected)


class Quiet(logging.Logger):
    """A logger of a framework that calls handlers itself."""

    def callHandlers(self, record: logging.LogRecord) -> None:  # noqa: N802
        for handler in logging.getLogger().handlers:
            handler.handle(record)


class Own(logging.StreamHandler[io.StringIO]):
    """A handler that asks no filter."""

    def handle(self, record: logging.LogRecord) -> bool:
        self.emit(record)
        return True


def added_later(logger: logging.Logger, handler: logging.Handler, text: str) -> None:
    logger.addHandler(handler)
    try:
        logger.info("got %s", text)
    finally:
        logger.removeHandler(handler)


def subclassed(_: logging.Logger, handler: logging.Handler, text: str) -> None:
    logging.getLogger().addHandler(handler)
    try:
        Quiet("quiet").info("got %s", text)
    finally:
        logging.getLogger().removeHandler(handler)


def adapted(logger: logging.Logger, handler: logging.Handler, text: str) -> None:
    logger.addHandler(handler)
    logging.LoggerAdapter(logger, {"user": text}).info("got %s", text)


def queued(logger: logging.Logger, handler: logging.Handler, text: str) -> None:
    records: queue.Queue[Any] = queue.Queue()
    listener = logging.handlers.QueueListener(records, handler)
    listener.start()
    try:
        added_later(logger, logging.handlers.QueueHandler(records), text)
    finally:
        listener.stop()


def from_another_process(_: logging.Logger, handler: logging.Handler, text: str) -> None:
    records: queue.Queue[Any] = queue.Queue()
    record = logging.makeLogRecord({"msg": "got %s", "args": (text,), "levelno": logging.INFO})
    listener = logging.handlers.QueueListener(records, handler)
    listener.start()
    records.put(record)
    listener.stop()


def buffered(logger: logging.Logger, handler: logging.Handler, text: str) -> None:
    memory = logging.handlers.MemoryHandler(10, target=handler)
    added_later(logger, memory, text)
    memory.close()


def added_by_a_filter(logger: logging.Logger, handler: logging.Handler, text: str) -> None:
    def fill(record: logging.LogRecord) -> bool:
        record.msg, record.args = text, None
        return True

    handler.addFilter(fill)
    added_later(logger, handler, "x")


def unfiltered(logger: logging.Logger, handler: logging.Handler, text: str) -> None:
    assert isinstance(handler, logging.StreamHandler)
    added_later(logger, Own(handler.stream), text)


def handled_twice(logger: logging.Logger, handler: logging.Handler, text: str) -> None:
    record = logging.makeLogRecord({"name": "alone", "msg": "nothing yet", "levelno": logging.INFO})
    logger.handle(record)
    record.msg = text
    logger.addHandler(handler)
    logger.handle(record)


WAYS = [added_later, subclassed, adapted, queued, from_another_process, buffered, added_by_a_filter, unfiltered, handled_twice]


@pytest.mark.parametrize("way", WAYS)
def test_no_way_to_a_handler_goes_around(way: Callable[..., None], protected: bool) -> None:
    """Handlers added later, subclasses, adapters, queues, other processes' records, filters that add to a record."""
    out = io.StringIO()
    logger = logging.Logger("alone", logging.DEBUG)
    way(logger, logging.StreamHandler(out), FORMS["plain"])
    check(out.getvalue(), protected=protected)


@pytest.mark.parametrize("name", ["message", "exc_text", "stack_info"])
def test_what_was_formatted_elsewhere_is_redacted(name: str, handler: logging.Handler, out: Out, protected: bool) -> None:
    """A record of a process without `install` may come with its texts made."""
    handler.setFormatter(JsonFormatter())
    handler.handle(logging.makeLogRecord({"msg": "done", name: FORMS["plain"]}))
    check(out.getvalue(), protected=protected)


def test_the_last_resort_is_covered(protected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that logs where nobody has configured anything writes to standard error."""
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    logging.Logger("alone").warning("got %s", FORMS["plain"])
    check(out.getvalue(), protected=protected)


@pytest.fixture
def installed() -> Generator[None]:
    redaction.redactor.learn(CANARY, "key")
    redaction.install()
    yield
    redaction.uninstall()


@pytest.mark.usefixtures("installed")
def test_arguments_are_redacted_in_their_places() -> None:
    """A tracker still groups by the message; what holds no secret is the same object."""
    records: list[logging.LogRecord] = []
    logger = logging.Logger("alone")
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign,assignment]
    logger.addHandler(handler)
    other, message = object(), f"{'got'} %s, %s and %d"
    logger.warning(message, CANARY, other, 5)
    assert records[0].msg is message
    assert records[0].args == ("[redacted:key]", other, 5)
    arguments = ({"a": [1]}, "x", other)
    logger.warning("clean %s %s %s", *arguments)
    assert isinstance(records[1].args, tuple)
    assert all(one is two for one, two in zip(records[1].args, arguments, strict=True))


@pytest.mark.usefixtures("installed")
def test_an_object_is_shown_once_more_and_not_oftener() -> None:
    """A query, say, asks its database each time; where the message shows no secret, nothing else of the object is asked for."""
    shown: list[str] = []

    class Query:
        def __str__(self) -> str:
            shown.append("str")
            return "rows"

        def __repr__(self) -> str:
            shown.append("repr")
            return "rows"

    logger = logging.Logger("alone")
    handler = logging.Handler()
    handler.emit = lambda _: None  # type: ignore[method-assign,assignment]
    logger.addHandler(handler)
    logger.warning("got %s", Query())
    assert shown == ["str"]


@pytest.mark.usefixtures("installed")
def test_records_that_cross_its_way_do_not_have_a_record_redacted_again() -> None:
    """An argument that logs when it is shown, as a query may, is shown once: its own record is not taken for the outer one."""
    shown: list[str] = []
    logger = logging.Logger("alone")

    class Query:
        def __str__(self) -> str:
            shown.append("str")
            logger.warning("asked")
            return "rows"

    handler = logging.Handler()
    handler.emit = lambda _: None  # type: ignore[method-assign,assignment]
    logger.addHandler(handler)
    logger.warning("got %s", Query())
    assert shown == ["str"]


@pytest.mark.usefixtures("installed")
def test_a_record_that_was_kept_is_redacted_of_what_was_learned_since(out: Out) -> None:
    """A handler that buffers gives records on later: what has become a secret meanwhile is hidden, in the newest of them too."""
    late = secrets.token_urlsafe(18)
    logger = logging.Logger("alone")
    buffering = logging.handlers.MemoryHandler(10, target=logging.StreamHandler(out))
    logger.addHandler(buffering)
    for number in range(3):
        logger.warning("%d: got %s", number, late)
    redaction.redactor.learn(late, "late")
    buffering.flush()
    assert out.getvalue().splitlines() == [f"{number}: got [redacted:late]" for number in range(3)]


@pytest.mark.usefixtures("installed")
def test_a_number_that_is_a_secret_does_not_spoil_the_message(out: Out) -> None:
    """Where a mask does not fit the format, the message stands alone."""
    redaction.redactor.learn("4815162342", "pin")
    logger = logging.Logger("alone")
    logger.addHandler(logging.StreamHandler(out))
    logger.warning("pin %d of %s", 4815162342, "me")
    logger.warning("by key %(password)d", {"password": 77})
    assert out.getvalue() == "pin [redacted:pin] of me\nby key 77\n"


@pytest.mark.usefixtures("installed")
def test_what_users_gave_is_hidden_by_the_usual_keys(out: Out) -> None:
    """In structures that are logged, whatever their values are."""
    logger = logging.Logger("alone")
    handler = logging.StreamHandler(out)
    handler.setFormatter(JsonFormatter())
    logger.addHandler(handler)
    logger.warning("form %s", {"password": "typed by hand"}, extra={"authorization": "from outside", "user": "me"})
    assert "typed by hand" not in out.getvalue()
    assert "from outside" not in out.getvalue()
    assert '"user": "me"' in out.getvalue()


@pytest.mark.usefixtures("installed")
def test_faults_of_formatting_stay_what_they_are(out: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong call of a logger is told as ever, with its arguments redacted."""
    monkeypatch.setattr(sys, "stderr", out)
    logger = logging.Logger("alone")
    logger.addHandler(logging.StreamHandler(io.StringIO()))
    logger.warning("got %d", CANARY)
    assert "--- Logging error ---" in out.getvalue()
    assert "TypeError: %d format" in out.getvalue()
    assert "Arguments: ('[redacted:key]',)" in out.getvalue()


class Raising:
    def __str__(self) -> str:
        raise ValueError(f"no text for {CANARY}")

    __repr__ = __str__


@pytest.mark.usefixtures("installed")
def test_an_argument_that_raises_is_told_without_the_secret(out: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", out)
    logger = logging.Logger("alone")
    logger.addHandler(logging.StreamHandler(io.StringIO()))
    logger.warning("got %s", Raising())
    assert "ValueError: no text for [redacted:key]" in out.getvalue()
    assert leaked(out.getvalue()) == []


@pytest.mark.usefixtures("installed")
def test_a_record_that_cannot_be_redacted_loses_what_it_holds(out: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is given away that was not looked into, and the call does not fail."""

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("the redactor is broken")

    monkeypatch.setattr(type(redaction.redactor), "redact", refuse)
    logger = logging.Logger("alone")
    handler = logging.StreamHandler(out)
    handler.setFormatter(JsonFormatter())
    logger.addHandler(handler)
    logger.warning("got %s", CANARY, extra={"a": CANARY}, exc_info=ValueError(CANARY))
    assert "[a record that could not be redacted: RuntimeError]" in out.getvalue()
    assert leaked(out.getvalue()) == []


def test_a_clean_record_is_written_as_before(out: Out) -> None:
    """What holds no secret is the same to the byte, with `install` and without."""
    redaction.redactor.learn(CANARY, "key")
    logger = logging.Logger("alone")
    handler = logging.StreamHandler(out)
    logger.addHandler(handler)
    texts = []
    for install in (False, True):
        if install:
            redaction.install()
        for formatter in (logging.Formatter(), LocalsFormatter()):
            handler.setFormatter(formatter)
            for part in set(PARTS) - {"arguments that do not fit", "a warning"}:
                PARTS[part](logger, "an ordinary text")
        texts.append(out.getvalue())
        out.truncate(0)
        out.seek(0)
    redaction.uninstall()
    assert texts[0] == texts[1]
