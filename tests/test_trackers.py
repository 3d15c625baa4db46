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
from sentry_sdk import logger as sentry_logger

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
    sentry_sdk.get_global_scope().set_client(None)  # else its own breadcrumbs show each record of later tests once more
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


def streamed_by_sentry(secret: str, what: str) -> None:
    """What it sends neither as an event nor in one."""
    if what == "log":
        sentry_logger.warning("the key is {key}, {mine}", key=secret, mine=f"{secret}!", attributes={"password": PASSWORD})
    elif what == "metric":
        sentry_sdk.metrics.count(f"paid.{secret}", 1, attributes={"key": secret, "password": PASSWORD})
    else:
        with sentry_sdk.traces.start_span(name=f"GET /{secret}", attributes={"key": secret, "password": PASSWORD}):
            pass
    sentry_sdk.flush(5)


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
STREAMED: dict[str, Any] = {"log": {"enable_logs": True}, "metric": {}, "span": {"trace_lifecycle": "stream"}}


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


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "unprotected"])
@pytest.mark.parametrize("what", STREAMED)
def test_sentry_streams_no_secret(what: str, protected: bool, secret: str, receiver: Receiver) -> None:
    """The same for logs, metrics and spans that are sent one by one."""
    sentry(receiver, protected, **STREAMED[what])
    streamed_by_sentry(secret, what)
    assert receiver.got
    assert bool(leaks(secret, receiver.everything)) is not protected
    assert (b"[redacted" in receiver.everything) is protected
    if protected:
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


def test_a_users_hook_of_an_experiment_runs_first(secret: str, receiver: Receiver) -> None:
    """Where a version of the SDK takes a hook among its experiments only, it is not lost."""

    def before_send_log(log: Any, hint: Any) -> Any:
        return {**log, "attributes": {"added": secret}}

    sentry(receiver, protected=True, enable_logs=True, _experiments={"before_send_log": before_send_log})
    sentry_logger.warning("asked")
    sentry_sdk.flush(5)
    assert b'"added"' in receiver.everything
    assert b"[redacted:stripe_key]" in receiver.everything
    assert not leaks(secret, receiver.everything)


def dropped(span: Any, hint: Any) -> None:
    return None


def failing(span: Any, hint: Any) -> None:
    raise ValueError(span)


@pytest.mark.parametrize("hook", [dropped, failing])
def test_a_span_that_a_users_hook_does_not_give_is_redacted(hook: Callable[..., None], secret: str, receiver: Receiver) -> None:
    """The SDK then sends the span as it was."""
    sentry(receiver, protected=True, trace_lifecycle="stream", before_send_span=hook)
    with sentry_sdk.traces.start_span(name=f"GET /{secret}"):
        pass
    sentry_sdk.flush(5)
    assert b"GET /[redacted:stripe_key]" in receiver.everything
    assert not leaks(secret, receiver.everything)


def test_attachments_of_the_user_stay_as_they_are(secret: str, receiver: Receiver, tmp_path: Path) -> None:
    """What is sent is a copy: the next event has what the file holds by then. A file that cannot be read is left out."""
    file = tmp_path / "config.txt"
    sentry(receiver, protected=True)
    sentry_sdk.get_current_scope().add_attachment(path=str(file))
    for content in (None, f"first {secret}", "second"):
        if content:
            file.write_text(content)
        sentry_sdk.capture_message("with a file")
        sentry_sdk.flush(5)
    assert receiver.everything.count(b'"message":"with a file"') == 3
    assert receiver.everything.count(b'"type":"attachment"') == 2
    assert b"first [redacted:stripe_key]" in receiver.everything
    assert b"second" in receiver.everything
    assert not leaks(secret, receiver.everything)


def test_half_a_secret_in_a_text_that_sentry_shortened_is_hidden(secret: str, receiver: Receiver) -> None:
    """Its SDK cuts long texts before any hook sees them; where the cut goes through a secret, its beginning is masked."""
    sentry(receiver, protected=True, max_value_length=100)
    sentry_sdk.capture_message("." * 80 + secret)
    sentry_sdk.flush(5)
    assert b"." * 80 + b"[redacted]..." in receiver.everything
    assert secret[:6].encode() not in receiver.everything


def test_sentry_has_to_be_there_first() -> None:
    sentry_sdk.init(default_integrations=False, auto_enabling_integrations=False)
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
    sentry(receiver, protected=False, trace_lifecycle="stream")
    protect_sentry(own)
    sentry_sdk.capture_message(secret)
    with sentry_sdk.traces.start_span(name=secret, attributes={"key": secret}):
        pass
    sentry_sdk.flush(5)
    assert b'"name":"[redacted]"' in receiver.everything
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


def test_the_users_own_handlers_of_rollbar_run_first(secret: str, receiver: Receiver) -> None:
    """What each of them adds is searched, and what one drops stays dropped."""
    by_rollbar(receiver, protected=False)
    for name in ("first", "second"):

        def handler(payload: Any, name: str = name, **_: object) -> Any:
            return payload["data"]["level"] != "debug" and {**payload, "data": {**payload["data"], name: secret}}

        events.add_payload_handler(handler)
    protect_rollbar()
    rollbar.report_message("dropped", level="debug")
    rollbar.report_message("kept")
    assert all(b'"%s": "[redacted:stripe_key]"' % name in receiver.everything for name in (b"first", b"second"))
    assert b"dropped" not in receiver.everything
    assert not leaks(secret, receiver.everything)


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


def test_only_a_half_beside_a_cut_is_hidden_and_only_of_four_characters(receiver: Receiver) -> None:
    """What is shorter is no secret, and what stands elsewhere was not cut."""
    secret = f"{secrets.token_hex(9)}-{secrets.token_hex(9)}"
    redactor.learn(secret, "key")
    by_rollbar(receiver, protected=True)
    elsewhere = f"{secret[-9:]} is not cut {secret[:9]}"
    rollbar.report_message(f"{secret[-9:]} a {secret[:4]}...{secret[-4:]} b {secret[:3]}...{secret[-3:]} {secret[:9]}")
    rollbar.report_message(elsewhere)
    expected = f"{secret[-9:]} a [redacted]...[redacted] b {secret[:3]}...{secret[-3:]} "
    assert expected.encode() in receiver.everything
    assert f' {secret[:9]}"'.encode() in receiver.got[0]
    assert elsewhere.encode() in receiver.got[1]


def by_bugsnag(receiver: Receiver, protected: bool) -> None:
    bugsnag.configure(  # type: ignore[no-untyped-call]
        api_key="0" * 32, endpoint=receiver.url, session_endpoint=receiver.url, asynchronous=False, auto_capture_sessions=False
    )
    bugsnag.configure(params_filters=[])  # type: ignore[no-untyped-call]
    if protected:
        protect_bugsnag()


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "unprotected"])
@pytest.mark.parametrize("what", ["exception", "code", "metadata", "breadcrumb", "flag"])
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
    elif what == "code":
        source = f"raise ValueError('x')  # {secret}\n"
        file = Path("some.py").absolute()
        file.write_text(source)
        try:
            exec(compile(source, file, "exec"))  # noqa: S102
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


def test_the_users_own_callbacks_of_bugsnag_run_first(secret: str, receiver: Receiver) -> None:
    """Whatever they set is searched, and what one drops stays dropped."""

    def callback(event: Any) -> bool:
        event.grouping_hash = event.hostname = event.context = secret
        event.session = {"id": secret}
        return "drop" not in event.errors[0].error_message

    by_bugsnag(receiver, protected=False)
    bugsnag.before_notify(callback)  # type: ignore[no-untyped-call]
    protect_bugsnag()
    bugsnag.notify(ValueError("drop"))
    bugsnag.notify(ValueError("keep"))
    assert len(receiver.got) == 1
    assert receiver.everything.count(b"[redacted:stripe_key]") >= 4
    assert not leaks(secret, receiver.everything)


def test_another_client_of_bugsnag_is_protected_where_it_is_named(secret: str, receiver: Receiver) -> None:
    client = bugsnag.Client(
        api_key="0" * 32, endpoint=receiver.url, asynchronous=False, install_sys_hook=False, auto_capture_sessions=False
    )
    protect_bugsnag(client)
    client.notify(ValueError(secret))
    assert b"[redacted:stripe_key]" in receiver.everything
    assert not leaks(secret, receiver.everything)


@pytest.mark.parametrize("send", [by_rollbar, by_bugsnag])
def test_what_the_other_sdks_cannot_redact_is_not_sent(
    send: Callable[[Receiver, bool], None],
    secret: str,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As with Sentry: the event is dropped, and the log says so."""

    def broken(text: object) -> str:
        raise MemoryError(text)

    send(receiver, True)
    monkeypatch.setattr(redactor, "redact", broken)
    bugsnag.notify(ValueError(secret)) if send is by_bugsnag else rollbar.report_message(secret)
    assert receiver.got == []
    assert "was dropped, since redacting it failed: MemoryError" in caplog.text
    assert not leaks(secret, caplog.text.encode())


def test_what_leads_back_to_itself_is_sent_without_secrets(secret: str, receiver: Receiver) -> None:
    """In whatever it is held, and beside half a character."""
    circle: dict[str, Any] = {"key": secret, "halves": (f"\ud800 {secret[:12]}...",)}
    circle |= {"circle": circle, "more": [circle, circle]}  # each time around would be three times as long
    by_bugsnag(receiver, protected=True)
    bugsnag.notify(ValueError("x"), metadata={"tab": circle})
    assert b"[redacted:stripe_key]" in receiver.everything
    assert b' [redacted]..."' in receiver.everything
    assert not leaks(secret, receiver.everything)
