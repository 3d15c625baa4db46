"""What type checkers see of `confguard.wsgi`, `confguard.asgi` and `confguard.trackers`. Checked, and never run."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, assert_type
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import bugsnag
from fastapi import FastAPI
from flask import Flask

from confguard import asgi, wsgi
from confguard.asgi import LeakGuard as AsgiGuard
from confguard.asgi import ResponseBlockedError as AsgiBlockedError
from confguard.exceptions import ResponseBlockedError
from confguard.redaction import Redactor
from confguard.trackers import protect_bugsnag, protect_rollbar, protect_sentry
from confguard.wsgi import LeakGuard as WsgiGuard
from confguard.wsgi import ResponseBlockedError as WsgiBlockedError


def wsgi_app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    """An application of WSGI."""
    start_response("200 OK", [])
    return [environ["PATH_INFO"].encode()]


async def asgi_app(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """An application of ASGI, as frameworks type it."""
    await send(await receive())
    del scope


def around_wsgi(flask: Flask) -> None:
    """What is around an application of WSGI is one."""
    guarded: WSGIApplication = WsgiGuard(wsgi_app)
    WsgiGuard(guarded, mode="block", exclude=["/files"], own=Redactor())
    flask.wsgi_app = WsgiGuard(flask.wsgi_app)  # type: ignore[method-assign]
    WsgiGuard(asgi_app)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    WsgiGuard(wsgi_app, mode="hide")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    WsgiGuard(wsgi_app, "block")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    WsgiGuard(wsgi_app, exclude=[1])  # type: ignore[list-item] # pyright: ignore[reportArgumentType]


async def around_asgi(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """What is around an application of ASGI is one."""
    guarded = AsgiGuard(AsgiGuard(asgi_app), mode="redact", exclude=("/files",), own=Redactor())
    await guarded(scope, receive, send)
    FastAPI().add_middleware(AsgiGuard, mode="block")
    AsgiGuard(wsgi_app)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    AsgiGuard(asgi_app, mode="hide")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    AsgiGuard(asgi_app, own="redactor")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def what_is_raised() -> None:
    """The two modules and `confguard.exceptions` have one exception."""
    same: list[type[ResponseBlockedError]] = [AsgiBlockedError, WsgiBlockedError]
    assert_type(same[0]("an id").incident, str)
    assert_type(AsgiBlockedError("an id"), WsgiBlockedError)
    assert_type(ResponseBlockedError("an id"), WsgiBlockedError)
    assert_type(asgi.LeakGuard(asgi_app), AsgiGuard)
    assert_type(wsgi.LeakGuard(wsgi_app), WsgiGuard)


def trackers(client: bugsnag.Client) -> None:
    """One call each, after the SDK's own."""
    protect_sentry()
    protect_rollbar(Redactor())
    protect_bugsnag(client, own=Redactor())
    protect_sentry("dsn")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    protect_rollbar(token="")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    protect_bugsnag(Redactor())  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
