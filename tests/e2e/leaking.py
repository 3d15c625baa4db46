"""The example service with a route for each way in which a service leaks, and Rollbar and Bugsnag beside its Sentry.

Run by `test_nothing_leaks` under gunicorn. `LEAKS` in the environment says what is left out of what the example does about it.
"""

import asyncio
import gc
import logging
import os
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import unquote

from flask import Flask, Response, make_response, redirect, render_template_string, request, session
from werkzeug.http import dump_cookie

from confguard import redaction, trackers, validate, wsgi
from tests.command import COMMAND
from tests.web_rig import forms

UNPROTECTED = bool(os.environ.get("LEAKS"))
if UNPROTECTED:  # before the example takes them from there
    redaction.install = lambda: None
    wsgi.LeakGuard = lambda app: app  # type: ignore[assignment,misc]
    trackers.protect_sentry = trackers.protect_rollbar = lambda *_: None
    trackers.protect_bugsnag = lambda *_: None

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "'cgi' is deprecated", DeprecationWarning)
    import bugsnag
    import rollbar
import bugsnag.flask  # noqa: E402
import rollbar.contrib.flask  # noqa: E402
import sentry_sdk  # noqa: E402
from flask import got_request_exception  # noqa: E402
from myservice import create_app as create_example  # noqa: E402
from myservice.settings import AppSettings  # noqa: E402

Way = Callable[[str], Any]
other_library = logging.getLogger("some.library")
held: list[str] = []  # secrets of this process, as they are


def message(text: str) -> None:
    raise ValueError(f"cannot reach {text}")


def key(text: str) -> None:
    {}[text]  # type: ignore[index]


def variable(text: str) -> None:
    inner = {"list": [text], "bytes": text.encode()}
    raise ValueError(f"a variable of {len(inner)} entries")


def cause(text: str) -> None:
    try:
        message(text)
    except ValueError as error:
        raise RuntimeError("no payment") from error


def context(text: str) -> None:
    try:
        message(text)
    finally:
        raise RuntimeError("no payment")


def group(text: str) -> None:
    raise ExceptionGroup("many", [ValueError(text), ExceptionGroup(text, [KeyError("x")])])


def note(text: str) -> None:
    error = ValueError("no payment")
    error.add_note(f"asked with {text}")
    raise error


def attribute(text: str) -> None:
    raise OSError(5, "cannot be read", f"/run/{text}")


def logged(text: str) -> None:
    try:
        cause(text)
    except RuntimeError:
        other_library.exception("failed")


def logged_arguments(text: str) -> None:
    other_library.error("asked %s with %r", "the bank", {"key": [text]})


def logged_mapping(text: str) -> None:
    other_library.error("asked with %(key)s", {"key": text, "bytes": text.encode()})


def logged_extra(text: str) -> None:
    other_library.error("asked", extra={"url": f"https://pay.test/?key={text}", "body": {"key": [text]}})


def logged_stack(text: str) -> None:
    other_library.error("asked with %s", text, stack_info=True)


def logged_wrongly(text: str) -> None:
    logging.error("%d of %s", text, "cents")


def logged_traceback(text: str) -> None:
    try:
        message(text)
    except ValueError as error:
        lines = traceback.TracebackException.from_exception(error, capture_locals=True).format()
        logging.warning("failed:\n%s", "".join(lines))


def printed_traceback(text: str) -> None:
    try:
        message(text)
    except ValueError:
        traceback.print_exc()


def warning(text: str) -> None:
    warnings.warn(f"{text} is deprecated", stacklevel=1)


def thread(text: str) -> None:
    one = threading.Thread(target=partial(message, text))
    one.start()
    one.join()


def collected(text: str) -> None:
    class Collected:
        def __del__(self) -> None:
            message(text)

        def __repr__(self) -> str:
            return f"Collected({text})"

    Collected()
    gc.collect()


def excepthook(text: str) -> None:
    try:
        message(text)
    except ValueError as error:
        sys.excepthook(ValueError, error, error.__traceback__)


def task(text: str) -> None:
    async def fail() -> None:
        message(text)

    async def work() -> None:
        one = asyncio.create_task(fail())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        del one
        gc.collect()

    asyncio.run(work())


def command(text: str) -> None:
    """A command of the service's own, whose output goes where the service's goes; under --mask, unless that is left out."""
    masked = [] if UNPROTECTED else [str(COMMAND), "run", "myservice.settings:AppSettings", "--mask", "--"]
    code = 'printf "%s\\n" "$TEXT"; printf "%s\\n" "$TEXT" >&2'
    subprocess.run([*masked, "sh", "-c", code], env=os.environ | {"TEXT": text}, check=True)


def to_sentry(text: str) -> None:
    sentry_sdk.add_breadcrumb(message=text, data={"key": text})
    sentry_sdk.set_tag("key", text[:150])
    sentry_sdk.capture_message(text)


def to_rollbar(text: str) -> None:
    rollbar.report_message(text, extra_data={"key": [text]})


def to_bugsnag(text: str) -> None:
    bugsnag.leave_breadcrumb(text, {"key": text})
    bugsnag.notify(RuntimeError(text), metadata={"tab": {"key": text}}, context=text)


def body(text: str) -> Response:
    return Response(text, 500)


def as_json(text: str) -> Any:
    return {"error": text, "deep": [{"key": text}]}, 500


def page(text: str) -> Any:
    return render_template_string("<p title='{{ text }}'>{{ text }}</p>", text=text), 500


def header(text: str) -> Any:
    return "", 500, {"X-Key": _on_the_wire(text), "WWW-Authenticate": f'Bearer error="{_on_the_wire(text)}"'}


def cookie(text: str) -> Response:
    response = make_response("", 500)
    response.headers.add("Set-Cookie", dump_cookie("key", text, max_size=0))
    response.headers.add("Set-Cookie", f"plain={_on_the_wire(text)}")
    return response


def signed_cookie(_: str) -> Any:
    session["key"] = held[0]
    return "", 500


def redirection(text: str) -> Any:
    return redirect(f"https://pay.test/?key={text}#{text}")


def reason(text: str) -> Response:
    return Response("", f"500 {_on_the_wire(text)}")


def stream(text: str) -> Response:
    return Response((char for char in f"<{text}>"), 500)


def broken_stream(text: str) -> Response:
    def parts() -> Iterator[str]:
        yield f"begun with {text}"
        message(text)

    return Response(parts(), 500)


def refused_header(text: str) -> Any:
    """A header that gunicorn does not send: it logs the exception, and answers by itself."""
    return "", 500, {"X-Key": f"{_on_the_wire(text)}\x01"}


def aborted(text: str) -> Any:
    from flask import abort

    abort(500, description=f"no payment with {text}")


def error_page(text: str) -> None:
    raise LookupError(text)


def printed(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
    os.write(2, text.encode())


ANSWERS = (body, as_json, page, header, cookie, signed_cookie, redirection, reason, stream, broken_stream, error_page, aborted)
WAYS: dict[str, Way] = {
    way.__name__: way
    for way in (
        *(message, key, variable, cause, context, group, note, attribute),
        *(logged, logged_arguments, logged_mapping, logged_extra, logged_stack, logged_wrongly, logged_traceback),
        *(printed_traceback, warning, thread, collected, excepthook, task, command, to_sentry, to_rollbar, to_bugsnag),
        *(*ANSWERS, refused_header),
    )
}
ONLY_UNDER_MASK: dict[str, Way] = {"printed": printed}


def _on_the_wire(text: str) -> str:
    """As WSGI wants the bytes of a header written."""
    return text.encode().decode("latin-1")


def create_app() -> Flask:
    app = create_example()
    settings = validate(AppSettings)
    url = settings.database_url.get_secret_value()
    held[:] = [
        settings.stripe_key.get_secret_value(),
        settings.smtp_password.get_secret_value(),
        settings.secret_key.get_secret_value(),
        str(url),
        unquote(url.hosts()[0]["password"] or ""),
        *filter(None, [os.environ.get("VAULT_TOKEN")]),
    ]
    written = [forms(value) for value in held]
    texts = {form: " ".join(each[form].decode() for each in written) for form in written[0]}
    texts["all"] = " ".join(texts.values())

    @app.get("/leak/<way>/<form>")
    def leak(way: str, form: str) -> Any:
        do = (WAYS | ONLY_UNDER_MASK)[way]
        return do(texts[form]) or ("failed", 500)

    @app.errorhandler(LookupError)
    def shown(error: LookupError) -> Any:
        return f"<h1>{type(error).__name__}</h1><pre>{error}</pre>", 500

    @app.get("/echo")
    def echo() -> str:
        return request.args["q"]

    @app.get("/ways")
    def ways() -> dict[str, list[str]]:
        return {"all": list(WAYS), "answers": [way.__name__ for way in ANSWERS]}

    @app.get("/flush")
    def flush() -> dict[str, int]:
        """Who this worker is, once Sentry's thread has sent everything."""
        sentry_sdk.flush(10)
        return {"pid": os.getpid()}

    rollbar.init("0" * 32, "test", endpoint=f"{os.environ['ROLLBAR']}/api/1/", handler="blocking")
    got_request_exception.connect(rollbar.contrib.flask.report_exception, app)
    trackers.protect_rollbar()
    receiver = os.environ["BUGSNAG"]
    bugsnag.configure(  # type: ignore[no-untyped-call]
        api_key="0" * 32, endpoint=receiver, session_endpoint=receiver, asynchronous=False, auto_capture_sessions=False
    )
    bugsnag.flask.handle_exceptions(app)  # type: ignore[no-untyped-call]
    trackers.protect_bugsnag()
    return app
