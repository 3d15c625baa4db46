"""The connections of one load: of its vaults, and of its login. What was answered is noted here, without headers and bodies.

The SDK tells some failures by their text alone: what Microsoft Entra says to MSAL arrives as a sentence. So what decides the
kind of a failure, which is statuses and codes, is noted where it passes.
"""

import json
import ssl
import threading
from collections.abc import Generator, Hashable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from confguard.provider import Deadline, Failure, hide, watched
from confguard_azure._faults import fault
from confguard_azure._settings import CaFile, SetupError

if TYPE_CHECKING:
    import requests
    from requests.adapters import HTTPAdapter

# As many as `fan_out` has threads, so that none of them waits for, or throws away, a connection.
POOL = 16

# Where a machine of Azure finds its managed identity. Elsewhere nothing answers there, or nothing at all.
METADATA = "169.254.169.254"
_METADATA_CONNECT = 1.0
_LOCAL = frozenset({METADATA, "127.0.0.1", "::1", "localhost"})


class LateError(Exception):
    """The deadline has passed: nothing is sent any more."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What is kept of a request and its answer.

    Attributes:
        host: The host that was asked.
        status: The HTTP status; 0 where there was no answer.
        fault: The row of `confguard_azure._failures.FAULTS` that explains why there was none.
        codes: The codes that a refusal holds, as text, the innermost first.
        retry_after: The header of that name.
        date: The header of that name.
        request_id: What the service's own log knows the request by.
    """

    host: str
    status: int = 0
    fault: str = ""
    codes: tuple[str, ...] = ()
    retry_after: str | None = None
    date: str | None = None
    request_id: str | None = None


class Wire:
    """Sends for the SDK, as its ``transport``, over connections that the deadline can cut.

    Attributes:
        deadline: The deadline of the load.
        refused: Tokens that nobody gave during this load, and why. The SDK would tell it a second time from its memory, and
            with nothing that passes here.
    """

    def __init__(self, deadline: Deadline, ca: CaFile | None) -> None:
        """Make ready; nothing is sent yet.

        Raises:
            ImportError: The SDK is not installed.
            SetupError: The file of authorities cannot be read.
        """
        from azure.core.pipeline.transport import RequestsTransport

        self.deadline = deadline
        self.refused: dict[Hashable, Failure] = {}
        self._session = _session(deadline, ca)
        self._transport = RequestsTransport(session=self._session, session_owner=False)
        self._noted = threading.local()
        self._proxies: dict[str, Mapping[str, str]] = {}

    @contextmanager
    def noting(self) -> Generator[list[Exchange]]:
        """The exchanges that this thread makes inside of the block."""
        before = getattr(self._noted, "exchanges", None)
        exchanges: list[Exchange] = []
        self._noted.exchanges = exchanges
        try:
            yield exchanges
        finally:
            self._noted.exchanges = before

    def send(self, request: Any, **options: Any) -> Any:
        """Make one request within what is left of the time.

        Raises:
            LateError: There is no time left.
            azure.core.exceptions.AzureError: There was no answer.
        """
        host = urlsplit(request.url).hostname or ""
        left = self.deadline.remaining()
        if not left or self.deadline.passed:
            raise LateError
        options["connection_timeout"] = min(left, _METADATA_CONNECT) if host == METADATA else left
        options["read_timeout"] = left
        options["proxies"] = self._proxies_for(host, request.url)
        try:
            response = self._transport.send(request, **options)
        except Exception as exc:
            self._note(Exchange(host, fault=fault(exc)))
            raise
        self._note(_exchange(host, response))
        return response

    def close(self) -> None:
        """Close every connection that is not in use; the deadline cuts those that are."""
        self._session.close()

    def open(self) -> None:
        """Part of what the SDK asks of a transport."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing: it is closed with the load, and not with one of its clients."""

    def _note(self, exchange: Exchange) -> None:
        exchanges = getattr(self._noted, "exchanges", None)
        if exchanges is not None:
            exchanges.append(exchange)

    def _proxies_for(self, host: str, url: str) -> Mapping[str, str]:
        """The proxies of the environment, looked up once a host; none for this machine and its metadata service."""
        if host not in self._proxies:
            from requests.utils import get_environ_proxies

            self._proxies[host] = {} if host in _LOCAL else get_environ_proxies(url)
            for proxy in self._proxies[host].values():
                if password := urlsplit(proxy).password:
                    hide(password)
        return self._proxies[host]


class Relay:
    """The transport of credentials, which outlive a load: it sends over the wire of the load that asks."""

    def __init__(self) -> None:
        self._current = threading.local()

    @contextmanager
    def over(self, wire: Wire) -> Generator[None]:
        """Send what this thread asks for inside of the block over this wire."""
        self._current.wire = wire
        try:
            yield
        finally:
            self._current.wire = None

    def send(self, request: Any, **options: Any) -> Any:
        """Make one request."""
        return self._current.wire.send(request, **options)

    def open(self) -> None:
        """Part of what the SDK asks of a transport."""

    def close(self) -> None:
        """Part of what the SDK asks of a transport."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing: it holds no connection."""


def _exchange(host: str, response: Any) -> Exchange:
    headers = response.headers
    body: bytes = response.content if hasattr(response, "content") else response.body()
    # Cut within its headers, which http.client takes for their end.
    cut = response.status_code == 200 and not body and "Content-Length" not in headers
    return Exchange(
        host,
        response.status_code,
        fault="truncated" if cut else "",
        codes=_codes(body) if response.status_code >= 400 else (),
        retry_after=headers.get("Retry-After"),
        date=headers.get("Date"),
        request_id=headers.get("x-ms-request-id"),
    )


def _codes(body: bytes) -> tuple[str, ...]:
    """The codes of a refusal: ``error.code`` of Key Vault, with what is inside of it, and ``error_codes`` of Entra."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return ()
    codes: list[object] = []
    if isinstance(told, dict):
        numbers = told.get("error_codes")
        codes += numbers if isinstance(numbers, list) else []
        error = told.get("error")
        chain: list[object] = []
        while isinstance(error, dict) and len(chain) < 5:
            chain.append(error.get("code"))
            error = error.get("innererror") or error.get("innerError")
        codes += reversed(chain)
    return tuple(str(code) for code in codes if isinstance(code, str | int))


def _session(deadline: Deadline, ca: CaFile | None) -> "requests.Session":
    import requests

    session = requests.Session()
    session.trust_env = False  # no ~/.netrc, whose entry would take the place of our token
    session.headers.clear()
    adapter = _adapter(deadline, ca)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _adapter(deadline: Deadline, ca: CaFile | None) -> "HTTPAdapter":
    """An adapter with one TLS context for all connections, whose connections the deadline can cut."""
    from requests.adapters import HTTPAdapter
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    pools = {"http": watched(HTTPConnectionPool, deadline.watch), "https": watched(HTTPSConnectionPool, deadline.watch)}
    tls = {"ssl_context": _context(ca)}

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **kwargs)
            self.poolmanager.pool_classes_by_scheme = pools

        def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
            manager = super().proxy_manager_for(*args, **kwargs)
            manager.pool_classes_by_scheme = pools
            return manager

        def close(self) -> None:
            """Close the connections now: the SDK's answers hold on to their pool until somebody collects the garbage."""
            for manager in (self.poolmanager, *self.proxy_manager.values()):
                for key in manager.pools.keys():  # noqa: SIM118 - no mapping that could be walked through
                    if (pool := manager.pools.get(key)) is not None:
                        pool.close()
            super().close()

        def build_connection_pool_key_attributes(self, request: Any, *_: Any, **__: Any) -> Any:
            host, _tls = super().build_connection_pool_key_attributes(request, verify=False)
            return host, tls if host["scheme"] == "https" else {}

        def cert_verify(self, *_: object, **__: object) -> None:
            """Nothing: it would load a bundle of certificates anew for each connection. The context has them."""

    return Adapter(pool_connections=POOL, pool_maxsize=POOL)


def _context(ca: CaFile | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca is None:
        import certifi

        context.load_verify_locations(cafile=certifi.where())
        return context
    readable = True
    try:
        if Path(ca.path).is_dir():
            for file in sorted(Path(ca.path).iterdir()):
                context.load_verify_locations(cafile=file)
        else:
            context.load_verify_locations(cafile=ca.path)
    except (OSError, ValueError):
        readable = False
    if not readable:
        raise SetupError(f"the certificates of {ca.origin} cannot be read", "it must be PEM, and readable by this user")
    return context
