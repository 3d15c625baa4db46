"""What type checkers see of `confguard.redaction`. Checked by mypy and pyright, and never run."""

from typing import Any, assert_type

from confguard.redaction import (
    KEYS,
    RedactedError,
    Redactor,
    clean_exception,
    install,
    redactor,
    scrub,
    structlog_processor,
    uninstall,
)


def the_hooks() -> None:
    """They take nothing and give nothing."""
    install()
    uninstall()
    install(True)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


def the_redactor() -> None:
    """Text stays text, and bytes stay bytes."""
    assert_type(redactor, Redactor)
    own = Redactor()
    own.learn("hunter2-hunter2", "api_key")
    own.learn(b"hunter2-hunter2", "api_key")
    assert_type(own.redact("text"), str)
    assert_type(own.redact_bytes(b"data"), bytes)
    assert_type(own.holds_secret("text"), bool)
    assert_type(own.forgotten, int)
    stream = own.stream()
    assert_type(stream.feed(b"data") + stream.end(), bytes)
    own.learn("hunter2-hunter2")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    own.redact(b"data")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    own.redact_bytes("text")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    stream.feed("text")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def what_hides_in_structures(error: BaseException, event: dict[str, Any]) -> None:
    """A structure may come back as another type, where a text stands in for an object; an exception stays one."""
    assert_type(scrub({"a": 1}), Any)
    scrub([1], own=Redactor(), keys=KEYS | {"iban"})
    assert_type(KEYS, frozenset[str])
    assert_type(clean_exception(error), BaseException)
    assert_type(structlog_processor(None, "info", event), Any)
    made: Exception = RedactedError("a text")
    scrub({}, keys=["iban"])  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    scrub({}, own=made)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    clean_exception("text")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    structlog_processor(event)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
