"""structlog's processor, and the recipes of the page on redaction: a canary through the real libraries, with them and without."""

import importlib.util
import io
import logging
import re
import secrets
import warnings
from base64 import b64encode
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote

import loguru
import pytest
import structlog
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, Status, StatusCode

from confguard import redaction
from tests.finder import _needles

PAGE = Path(__file__).parent.parent / "docs" / "redaction.md"
CANARY = f"{secrets.token_urlsafe(18)}/+ é"
FORMS = " ".join([CANARY, quote(CANARY, safe=""), b64encode(b"me:" + CANARY.encode()).decode(), CANARY.encode().hex()])
LONG = secrets.token_urlsafe(200)


def check(text: str, *, protected: bool) -> None:
    assert text
    found = [needle for needle in {*_needles(CANARY), *FORMS.split(" "), LONG[:16]} if needle in text]
    assert (found == []) is protected, text


@pytest.fixture(params=["protected", "unprotected"])
def protected(request: pytest.FixtureRequest) -> bool:
    """Whether the recipe is used; without it the same test has to leak, which shows that it can see."""
    redaction.redactor.learn(CANARY, "key")
    redaction.redactor.learn(LONG, "long")
    return bool(request.param == "protected")


@pytest.fixture
def installed(protected: bool) -> Generator[bool]:
    """The same for `install`."""
    if protected:
        redaction.install()
    yield protected
    redaction.uninstall()


@pytest.fixture
def recipe(tmp_path: Path) -> Callable[[str], ModuleType]:
    """A file of the page, imported."""

    def imported(name: str) -> ModuleType:
        found = re.search(rf"^```python\n(# {name}\.py\n.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
        assert found
        file = tmp_path / f"{name}.py"
        file.write_text(found[1])
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return imported


def fail(text: str) -> None:
    held = [text]
    try:
        dict[str, str]()[held[0]]
    except KeyError as exc:
        raise ValueError(text) from exc


RENDERERS: dict[str, list[Any]] = {
    "JSON": [structlog.processors.format_exc_info, ..., structlog.processors.JSONRenderer(default=repr)],
    "JSON, made behind it": [..., structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=repr)],
    "tracebacks as dicts": [structlog.processors.dict_tracebacks, ..., structlog.processors.JSONRenderer(default=repr)],
    "keys and values": [structlog.processors.format_exc_info, ..., structlog.processors.KeyValueRenderer()],
    "the console": [..., structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)],
    "behind the renderer": [structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer(), ...],
    "bytes behind the renderer": [structlog.processors.JSONRenderer(serializer=lambda event, **_: repr(event).encode()), ...],
}


@pytest.mark.parametrize("renderer", RENDERERS)
def test_structlog_shows_no_secret(renderer: str, protected: bool) -> None:
    """Events, bound values and exceptions, whatever renders them; with the one processor and nothing else."""
    out = io.BytesIO() if renderer.startswith("bytes") else io.StringIO()
    ours = [redaction.structlog_processor] if protected else []
    processors = [each for one in RENDERERS[renderer] for each in (ours if one is ... else [one])]
    make: Any = structlog.BytesLogger if isinstance(out, io.BytesIO) else structlog.PrintLogger
    logger = structlog.wrap_logger(make(out), processors=processors, wrapper_class=structlog.BoundLogger)
    logger = logger.bind(bound={"a": [FORMS]})
    logger.info(f"got {FORMS}", url=FORMS.encode(), key={FORMS: 1})  # noqa: G004
    for exc_info in (True, None):
        try:
            fail(FORMS)
        except ValueError as exc:
            logger.exception("failed", exc_info=exc_info or exc)
    shown = out.getvalue()
    text = shown.decode() if isinstance(shown, bytes) else shown
    check(text, protected=protected)
    assert "ValueError" in text


@pytest.mark.parametrize("use_rich", [True, False])
def test_structlog_shows_no_secret_in_local_variables(use_rich: bool, installed: bool) -> None:
    """Also of a value that is shortened; `install` does that."""
    out = io.StringIO()
    transformer = structlog.tracebacks.ExceptionDictTransformer(show_locals=True, use_rich=use_rich)
    renderers: list[Any] = [structlog.processors.ExceptionRenderer(transformer), redaction.structlog_processor]
    logger = structlog.wrap_logger(structlog.PrintLogger(out), processors=[*renderers, structlog.processors.JSONRenderer()])
    try:
        fail(LONG)
    except ValueError:
        logger.exception("failed")
    assert "held" in out.getvalue()
    check(out.getvalue(), protected=installed)


def test_structlog_over_logging_is_redacted(installed: bool) -> None:
    """A record of logging that structlog renders keeps what structlog put into the event."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    render: list[Any] = [remove, redaction.structlog_processor, structlog.processors.KeyValueRenderer()]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=render if installed else [remove, render[-1]]))
    logger = logging.Logger("alone")
    logger.addHandler(handler)
    logger.warning("got %s", FORMS)
    check(out.getvalue(), protected=installed)


def test_structlog_is_given_the_traceback_that_came_with_the_exception() -> None:
    """That of the triple where there is one, else the exception's own."""
    redaction.redactor.learn(CANARY, "key")
    with pytest.raises(ValueError, match="invalid literal") as caught:
        int(CANARY)
    tb = caught.tb
    for info in (caught.value, (ValueError, ValueError(CANARY), tb)):
        kind, clean, given = redaction.structlog_processor(None, "error", {"exc_info": info})["exc_info"]
        assert (kind, given) == (ValueError, tb)
        check(str(clean), protected=True)


def test_the_event_of_structlog_is_not_changed() -> None:
    """What others bound to a logger is theirs; usual keys are masked, and what structlog needs is left."""
    redaction.redactor.learn(CANARY, "key")
    record, event = logging.makeLogRecord({"msg": CANARY}), {"event": CANARY, "a": [CANARY], "password": "typed"}
    before = {**event, "_record": record}
    clean = redaction.structlog_processor(None, "info", before)
    assert before == {**event, "_record": record}
    masked = {"event": "[redacted:key]", "a": ["[redacted:key]"], "password": "[redacted]"}
    assert clean == {**masked, "_record": record}


@pytest.mark.parametrize("serialize", [False, True])
def test_loguru_shows_no_secret(recipe: Callable[[str], ModuleType], protected: bool, serialize: bool) -> None:
    """Message, extra and exception, by the recipe; without it loguru shows local variables as well."""
    out = io.StringIO()
    if protected:
        recipe("service_log").configure(out, serialize=serialize, format="{message} {extra}")
    else:
        loguru.logger.configure(handlers=[{"sink": out, "serialize": serialize, "format": "{message} {extra}"}])
    logger = loguru.logger.bind(request={"url": FORMS})
    logger.info("got {}", FORMS)
    try:
        fail(FORMS)
    except ValueError:
        logger.exception("failed")
    loguru.logger.remove()
    loguru.logger.configure(patcher=lambda _: None)
    check(out.getvalue(), protected=protected)
    assert "ValueError" in out.getvalue()
    assert "KeyError" in out.getvalue(), "causes are shown, too"


def test_opentelemetry_sends_no_secret_in_spans(recipe: Callable[[str], ModuleType], protected: bool) -> None:
    """Name, attributes, events, exceptions, links and status; everything else arrives as it was."""
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    exporter = recipe("telemetry").RedactingExporter(memory) if protected else memory
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("tests")
    attributes = {"url": FORMS, "all": [FORMS]}
    link = Link(SpanContext(1, 2, is_remote=False), {"a": FORMS})
    with tracer.start_as_current_span("outer", attributes={"kept": 5}) as outer:
        with suppress(ValueError), tracer.start_as_current_span(f"GET {FORMS}", attributes=attributes, links=[link]) as span:
            span.add_event(FORMS, {"b": FORMS})
            fail(FORMS)
        outer.set_status(Status(StatusCode.ERROR, FORMS))
    assert provider.force_flush()
    provider.shutdown()
    spans = memory.get_finished_spans()
    assert [len(span.events) for span in spans] == [2, 0]
    assert spans[0].parent == spans[1].context
    assert spans[1].attributes == {"kept": 5}
    assert spans[0].events[1].name == "exception"
    check("".join(span.to_json() for span in spans), protected=protected)


def test_opentelemetry_sends_no_secret_in_logs(recipe: Callable[[str], ModuleType], protected: bool) -> None:
    """Body and attributes of what its own API is given."""
    memory = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    provider = LoggerProvider(shutdown_on_exit=False)
    if protected:
        provider.add_log_record_processor(recipe("telemetry").RedactingProcessor())
    provider.add_log_record_processor(SimpleLogRecordProcessor(memory))
    record = LogRecord(severity_number=SeverityNumber.INFO, body={"a": [FORMS]}, attributes={"url": FORMS, "kept": 5})
    provider.get_logger("tests").emit(record)
    provider.shutdown()
    (sent,) = memory.get_finished_logs()
    assert sent.log_record.attributes is not None
    assert sent.log_record.attributes["kept"] == 5
    check(sent.to_json(), protected=protected)


def test_opentelemetry_as_a_handler_of_logging_sends_no_secret(installed: bool) -> None:
    """Its handler is one like any other; what it takes from exceptions is redacted, too."""
    memory = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(memory))
    logger = logging.Logger("alone")
    logger.addHandler(_handler(provider))
    logger.warning("got %s", FORMS, extra={"url": FORMS})
    try:
        fail(FORMS)
    except ValueError:
        logger.exception("failed")
    provider.shutdown()
    check("".join(sent.to_json() for sent in memory.get_finished_logs()), protected=installed)


def _handler(provider: LoggerProvider) -> logging.Handler:
    with warnings.catch_warnings():  # it moves to a distribution of its own, and is the same
        warnings.simplefilter("ignore", DeprecationWarning)
        return LoggingHandler(logger_provider=provider)
