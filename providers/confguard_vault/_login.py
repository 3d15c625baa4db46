"""Becoming somebody to the store: give the client its token, and say why a login was not taken."""

import re
from dataclasses import replace

from confguard.provider import Failure
from confguard_vault._credential import Credential, Login
from confguard_vault._failures import clock_skew, malformed, status_failure
from confguard_vault._http import Client, Reply
from confguard_vault._json import as_object, json_object

# Seconds between two clocks that no login fails for: below this, something else is wrong.
TOLERATED = 30.0

_VISIBLE = re.compile(r"[!-~]+")


def log_in(client: Client, wanted: Credential, what: str) -> Failure | None:
    """Give the client its token: the one that is there, or that of a login, which failures call ``what``."""
    if wanted.token is not None:
        client.log_in(wanted.token)
        return None
    if wanted.login is None:
        return None
    reply = client.request("post", wanted.login.path, what, body=dict(wanted.login.body))
    if isinstance(reply, Failure):
        return reply
    if reply.status != 200:
        return _refused(reply, wanted.login, what, client)
    token = _client_token(reply.body)
    if token is None:
        return malformed(what, "200, without a token")
    client.log_in(token)
    return None


def _refused(reply: Reply, login: Login, what: str, client: Client) -> Failure:
    """Why a login was not taken, and by how much our clock is wrong, where that may be the reason."""
    failure = status_failure(
        reply.status, what, client.endpoint.names, login=login.check, retry_after=reply.retry_after, target=reply.target
    )
    skew = clock_skew(reply.date) if login.dated and failure.kind == "unauthenticated" else None
    if skew is None or abs(skew) <= TOLERATED:
        return failure
    clock = f"this machine's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the store's"
    return replace(failure, tip=f"set the clocks: {clock}, and the token is good for a time; else {failure.tip}")


def _client_token(body: bytes) -> str | None:
    token = as_object(json_object(body).get("auth")).get("client_token")
    return token if isinstance(token, str) and _VISIBLE.fullmatch(token) else None
