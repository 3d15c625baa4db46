"""Error trackers: what the real SDKs send to a receiver on 127.0.0.1, with the hook and without it."""

import secrets
import sys
import threading
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sentry_sdk

from confguard._redaction import redactor
from confguard.trackers import protect_bugsnag, protect_rollbar, protect_sentry
from tests.web_rig import SPECIAL, Receiver, forms, leaks, receiving


@contextmanager
def nothing_else() -> Generator[None]:
    """Let the import of an SDK neither warn nor put itself into the interpreter's hooks, where other tests would meet it."""
    hooks = sys.excepthook, threading.excepthook
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'cgi' is deprecated", DeprecationWarning)
        yield
    sys.excepthook, threading.excepthook = hooks


with nothing_else():
    import bugsnag
    import rollbar
    from rollbar.lib import events

PASSWORD = "known to nobody"  # under a name like "password", and not learned


@pytest.fixture
def receiver() -> Generator[Receiver]:
    with receiving() as server:
        yield server


@pytest.fixture
def secret() -> str:
    value = secrets.token_hex(8) + SPECIAL + secrets.token_hex(8)
    redactor.learn(value, "stripe_key")
    return value


@pytest.fixture(autouse=True)
def as_it_was() -> Generator[None]:
    """Take out of the SDKs what a test has put into them."""
    middleware = bugsnag.configuration.middleware
    stack = list(middleware.stack)
    yield
    sentry_sdk.get_client().close(timeout=2)
    sentry_sdk.init()
    sentry_sdk.get_global_scope().clear()
    sentry_sdk.get_isolation_scope().clear()
    sentry_sdk.get_current_scope().clear()
    events._event_handlers[events.PAYLOAD].clear()
    middleware.stack = stack
    bugsnag.clear_feature_flags()
    bugsnag.configuration._breadcrumbs.clear()


def fail(secret: str, form: bytes) -> None:
    """Fails with a secret in the message, and in variables of the frame."""
    key, within, encoded = secret, {"list": [f"<{secret}>"], "password": PASSWORD}, form  # noqa: F841 - trackers send them
    raise ValueError(f"bad key {secret} {form.decode()}")


def sentry(receiver: Receiver, protected: bool, **options: Any) -> None:
    """Sentry's SDK, with what it does by itself left out; it sends in a thread until it is flushed."""
    dsn = receiver.url.replace("//", "//public@") + "/1"
    sentry_sdk.init(dsn, default_integrations=False, auto_enabling_integrations=False, traces_sample_rate=1.0, **options)
    if protected:
        protect_sentry()


def sent_by_sentry(receiver: Receiver, secret: str, what: str, tmp_path: Path) -> None:
    if what == "exception":
        for form in forms(secret).values():
            try:
                fail(secret, form)
            except ValueError:
                sentry_sdk.capture_exception()
    elif what == "message":
        sentry_sdk.capture_message(f"the key is {secret}")
    elif what == "breadcrumb":
        sentry_sdk.add_breadcrumb(message=secret, data={"key": [secret], "password": PASSWORD})
        sentry_sdk.capture_message("with a crumb")
    elif what == "tags, extras, contexts, user":
        sentry_sdk.set_tag("key", secret)
        sentry_sdk.set_extra("key", {"deep": [secret]})
        sentry_sdk.set_context("key", {"key": secret, "password": PASSWORD})
        sentry_sdk.set_user({"id": secret})
        sentry_sdk.capture_message("with tags")
    elif what == "request":
        headers = {"X-Key": secret, "Authorization": PASSWORD}
        request: dict[str, Any] = {
            "url": f"http://x.test/{secret}",
            "headers": headers,
            "cookies": {"c": PASSWORD},
            "data": {"k": secret},
        }
        sentry_sdk.capture_event({"message": "with a request", "request": request, "logger": secret})
    elif what == "transaction":
        with (
            sentry_sdk.start_transaction(name=f"GET /{secret}", op="http") as transaction,
            transaction.start_child(op="db", name=f"SELECT {secret}") as span,
        ):
            span.set_data("key", secret)
            transaction.set_data("password", PASSWORD)
    else:
        file = tmp_path / "config.txt"
        file.write_text(secret)
        sentry_sdk.get_current_scope().add_attachment(path=str(file))
        sentry_sdk.get_current_scope().add_attachment(bytes=secret.encode(), filename="a")
        sentry_sdk.get_current_scope().add_attachment(bytes=lambda: secret.encode(), filename=f"{secret}.txt")
        sentry_sdk.capture_message("with attachments")
    sentry_sdk.flush(5)


BY_SENTRY = ["exception", "message", "breadcrumb", "tags, extras, contexts, user", "request", "transaction", "attachments"]


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "unprotected"])
@pytest.mark.parametrize("what", BY_SENTRY)
def test_sentry_sends_no_secret(what: str, protected: bool, secret: str, receiver: Receiver, tmp_path: Path) -> None:
    """With the hook, what the real SDK sends is searched in vain; without it the same leaks."""
    sentry(receiver, protected, event_scrubber=None)
    sent_by_sentry(receiver, secret, what, tmp_path)
    assert receiver.got
    assert bool(leaks(secret, receiver.everything)) is not protected
    if protected:
        assert b"[redacted" in receiver.everything
        assert PASSWORD.encode() not in receiver.everything


def test_the_users_own_hooks_of_sentry_run_first(secret: str, receiver: Receiver) -> None:
    """What a hook of the user's adds is searched, and what it drops stays dropped."""

    def before_send(event: Any, hint: Any) -> Any:
        return None if event["message"] == "drop" else {**event, "extra": {"added": secret}}

    sentry(receiver, protected=True, before_send=before_send)
    sentry_sdk.capture_message("drop")
    sentry_sdk.capture_message("keep")
    sentry_sdk.flush(5)
    assert b'"added":"[redacted:stripe_key]"' in receiver.everything
    assert b'"drop"' not in receiver.everything
    assert not leaks(secret, receiver.everything)


def test_half_a_secret_in_a_text_that_sentry_shortened_is_hidden(secret: str, receiver: Receiver) -> None:
    """Its SDK cuts long texts before any hook sees them; where the cut goes through a secret, its beginning is masked."""
    sentry(receiver, protected=True, max_value_length=100)
    sentry_sdk.capture_message("." * 80 + secret)
    sentry_sdk.flush(5)
    assert b"." * 80 + b"[redacted]..." in receiver.everything
    assert secret[:6].encode() not in receiver.everything


def test_sentry_has_to_be_there_first() -> None:
    sentry_sdk.init()
    sentry_sdk.get_global_scope().set_client(None)
    with pytest.raises(RuntimeError, match=r"call sentry_sdk\.init"):
        protect_sentry()


def test_what_cannot_be_redacted_is_not_sent(
    secret: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where redaction itself fails, the event is dropped, and the log says so without its content."""

    def broken(text: object) -> str:
        raise MemoryError(text)

    own = type(redactor)()
    monkeypatch.setattr(own, "redact", broken)
    monkeypatch.setattr(own, "holds_secret", broken)
    sentry(receiver, protected=False)
    protect_sentry(own)
    sentry_sdk.capture_message(secret)
    sentry_sdk.flush(5)
    assert not leaks(secret, receiver.everything)
    assert "was dropped, since redacting it failed: MemoryError" in caplog.text
    assert not leaks(secret, caplog.text.encode())


def by_rollbar(receiver: Receiver, protected: bool) -> None:
    rollbar._initialized = False
    rollbar.init("0" * 32, "test", endpoint=f"{receiver.url}/api/1/", handler="blocking", scrub_fields=[])
    if protected:
        protect_rollbar()


FROM_ROLLBAR: dict[str, Callable[[str], object]] = {
    "message": lambda secret: rollbar.report_message(f"the key is {secret}", extra_data={"key": [secret], "password": PASSWORD}),
    "payload": lambda secret: rollbar.report_message("x", payload_data={"person": {"id": secret}, "fingerprint": secret}),
}


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "unprotected"])
@pytest.mark.parametrize("what", ["exception", *FROM_ROLLBAR])
def test_rollbar_sends_no_secret(what: str, protected: bool, secret: str, receiver: Receiver) -> None:
    """With the handler, what the real SDK sends is searched in vain; without it the same leaks. The token that it needs stays."""
    by_rollbar(receiver, protected)
    if what == "exception":
        for form in forms(secret).values():
            try:
                fail(secret, form)
            except ValueError:
                rollbar.report_exc_info()
    else:
        FROM_ROLLBAR[what](secret)
    assert receiver.got
    assert b'"access_token": "' + b"0" * 32 in receiver.everything
    assert bool(leaks(secret, receiver.everything)) is not protected
    if protected:
        assert b"[redacted" in receiver.everything
        assert PASSWORD.encode() not in receiver.everything


def test_half_a_secret_in_a_variable_that_rollbar_shortened_is_hidden(receiver: Receiver) -> None:
    """Its SDK cuts the middle out of long variables; where only the ends of a secret are left, both are masked."""
    secret = secrets.token_hex(100)
    redactor.learn(secret, "key")
    by_rollbar(receiver, protected=True)
    try:
        fail(secret, b"x")
    except ValueError:
        rollbar.report_exc_info()
    assert b"[redacted]..." in receiver.everything
    assert secret[:12].encode() not in receiver.everything
    assert secret[-12:].encode() not in receiver.everything


def by_bugsnag(receiver: Receiver, protected: bool) -> None:
    bugsnag.configure(  # type: ignore[no-untyped-call]
        api_key="0" * 32, endpoint=receiver.url, session_endpoint=receiver.url, asynchronous=False, auto_capture_sessions=False
    )
    bugsnag.configure(params_filters=[])  # type: ignore[no-untyped-call]
    if protected:
        protect_bugsnag()


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "unprotected"])
@pytest.mark.parametrize("what", ["exception", "metadata", "breadcrumb", "flag"])
def test_bugsnag_sends_no_secret(what: str, protected: bool, secret: str, receiver: Receiver) -> None:
    """With the callback, what the real SDK sends is searched in vain; without it the same leaks."""
    by_bugsnag(receiver, protected)
    error: BaseException = ValueError("x")
    options: dict[str, Any] = {}
    if what == "exception":
        try:
            fail(secret, secret.encode().hex().encode())
        except ValueError as caught:
            error = caught
    elif what == "metadata":
        options = {
            "metadata": {"tab": {"key": [secret], "password": PASSWORD}},
            "user": {"id": secret},
            "context": f"GET /{secret}",
        }
    elif what == "breadcrumb":
        bugsnag.leave_breadcrumb(secret, {"key": secret, "password": PASSWORD})
    else:
        bugsnag.add_feature_flag(secret, secret)
    bugsnag.notify(error, **options)
    assert receiver.got
    assert bool(leaks(secret, receiver.everything)) is not protected
    if protected:
        assert b"[redacted" in receiver.everything
        assert PASSWORD.encode() not in receiver.everything
