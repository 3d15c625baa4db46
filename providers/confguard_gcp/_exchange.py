"""The HTTP requests by which google-auth becomes somebody, under the deadline. Notes how the last of them went.

google-auth's own exceptions say little by their type, and it waits between tries with a sleep that nothing can end. So what has
no use, a fault of the connection or a fault of the server, leaves it at once, by an exception that it does not know.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from confguard.provider import USER_AGENT, Deadline, hide, watched
from confguard_gcp._faults import fault_of

if TYPE_CHECKING:
    import google.auth.transport
    import requests
    from requests.adapters import HTTPAdapter

_TRY_AGAIN = frozenset({408, 429})
_SECRET_PARAMETERS = ("assertion", "refresh_token", "client_secret", "subject_token", "actor_token")


class UnansweredError(Exception):
    """There was no answer, or one that asks to come back later. Holds nothing; `Trace` has what is known."""


@dataclass(slots=True)
class Trace:
    """How the last request went.

    Attributes:
        host: Where it went.
        status: The status of its answer, if there was one.
        fault: The fault of its connection, if it had one.
        date: The header of that name.
        retry_after: The header of that name.
        signed: Whether it carried an assertion that was signed here, and so is good for a time of our clock.
        asked: How many requests there were.
    """

    host: str = ""
    status: int | None = None
    fault: str | None = None
    date: str | None = None
    retry_after: str | None = None
    signed: bool = False
    asked: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """What google-auth wants to know of an answer."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    data: bytes = field(repr=False)


class Exchange:
    """Makes requests for google-auth: what it calls a transport's ``Request``.

    Attributes:
        trace: How the last request went.
        found: Whether the credentials are found, and a token is what is asked for.
        session: Where google-auth mounts what the metadata server needs for mutual TLS.
    """

    def __init__(self, deadline: Deadline) -> None:
        """Make ready; nothing is sent yet.

        Raises:
            ImportError: requests is not installed.
        """
        self.trace = Trace()
        self.found = False
        self.session = _session(deadline)
        self._deadline = deadline

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **options: Any,
    ) -> Reply:
        """Make one request.

        Raises:
            UnansweredError: It had no answer in time, or one that asks to come back later.
        """
        hide(*_secrets(body, headers or {}))
        self.trace = Trace(host=urlsplit(url).netloc, signed=b"assertion=" in (body or b""), asked=self.trace.asked + 1)
        # Half of the time for the question whether there is a metadata server: that there is none has to be told in time.
        left = self._deadline.remaining() * (1.0 if self.found else 0.5)
        reply = self._send(method, url, body, headers, min(left, timeout or left), options) if left else None
        if reply is None or self._deadline.passed or reply.status >= 500 or reply.status in _TRY_AGAIN:
            raise UnansweredError
        return reply

    def close(self) -> None:
        """Close the connections."""
        self.session.close()

    def _send(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str] | None,
        timeout: float,
        options: Mapping[str, Any],
    ) -> Reply | None:
        """The reply, or none and a fault in the trace. The exception ends here: its frames hold what was sent."""
        import requests

        try:
            # No redirect is followed, since the credential would go along.
            response = self.session.request(
                method, url, data=body, headers=headers, timeout=timeout, allow_redirects=False, **options
            )
        except (requests.RequestException, OSError, ValueError) as exc:
            self.trace.fault = fault_of(exc)
            return None
        self.trace.status = response.status_code
        self.trace.date = response.headers.get("Date")
        self.trace.retry_after = response.headers.get("Retry-After")
        return Reply(response.status_code, response.headers, response.content)


def as_request(exchange: Exchange) -> "google.auth.transport.Request":
    """The exchange under the type that google-auth's functions ask for; it has all that they call."""
    return exchange  # type: ignore[return-value]  # pyright: ignore[reportReturnType]


def _secrets(body: bytes | None, headers: Mapping[str, str]) -> list[str]:
    """The credentials that a request carries: a token in its header, and what a form or a JSON object names."""
    found = [value.partition(" ")[2] for name, value in headers.items() if name.lower() == "authorization"]
    text = body.decode(errors="ignore") if body else ""
    fields = json.loads(text) if text.startswith("{") else {name: values[0] for name, values in parse_qs(text).items()}
    found += [fields[name] for name in _SECRET_PARAMETERS if isinstance(fields.get(name), str)]
    return [secret for secret in found if secret]


def _session(deadline: Deadline) -> "requests.Session":
    """A session set up as google-auth's own would be, with the environment's proxies and authorities, but without ~/.netrc."""
    import requests

    session = requests.Session()
    session.auth = _as_it_is
    session.headers["User-Agent"] = f"{USER_AGENT} {requests.utils.default_user_agent()}"
    adapter = _adapter(deadline)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _as_it_is(request: "requests.PreparedRequest") -> "requests.PreparedRequest":
    return request


def _adapter(deadline: Deadline) -> "HTTPAdapter":
    """An adapter whose connections the deadline can cut."""
    from requests.adapters import HTTPAdapter
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    pools = {"http": watched(HTTPConnectionPool, deadline.watch), "https": watched(HTTPSConnectionPool, deadline.watch)}

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **kwargs)
            self.poolmanager.pool_classes_by_scheme = pools

        def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
            manager = super().proxy_manager_for(*args, **kwargs)
            manager.pool_classes_by_scheme = pools
            return manager

    return Adapter()
