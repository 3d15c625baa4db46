"""Pooled requests to one store. The only room that knows hvac, requests and urllib3; it imports them when entered."""

import http.client
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from confguard.provider import USER_AGENT, Deadline, Failure, hide, watched
from confguard_vault._config import Endpoint, Trust
from confguard_vault._environment import Setting, SetupError
from confguard_vault._failures import fault_failure, safe_host

if TYPE_CHECKING:
    import requests
    from requests.adapters import HTTPAdapter

# As many as `fan_out` has threads, so that none of them waits for, or throws away, a connection.
POOL = 16

# From OpenSSL's x509_vfy.h: not yet valid and expired; the name or address is not on the certificate.
_OUT_OF_DATE = frozenset({9, 10})
_WRONG_HOST = frozenset({62, 64})


@dataclass(frozen=True, slots=True)
class Reply:
    """What is kept of a response; the response itself holds the request, and so the token."""

    status: int
    body: bytes = field(repr=False)
    retry_after: str | None = None
    target: str | None = None
    date: str | None = None


class Client:
    """Requests to one store under one deadline."""

    def __init__(self, endpoint: Endpoint, deadline: Deadline) -> None:
        """Make ready; nothing is sent yet.

        Raises:
            ImportError: The SDK is not installed.
            SetupError: A certificate file cannot be read.
        """
        from hvac.adapters import RawAdapter

        self.endpoint = endpoint
        self._deadline = deadline
        self._adapter = RawAdapter(
            base_uri=endpoint.address,
            namespace=endpoint.namespace,
            session=_pooled(endpoint, deadline),
            allow_redirects=False,  # the token would go along
        )

    def log_in(self, token: str) -> None:
        """Let requests carry this token from now on, and tell it to the redactor before the first of them does."""
        hide(token)
        self._adapter.token = token

    def request(
        self,
        method: str,
        path: str,
        what: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, str] | None = None,
    ) -> Reply | Failure:
        """Make one request.

        Args:
            method: ``get`` or ``post``.
            path: Behind ``/v1/``, not escaped.
            what: What to call it in a failure.
            params: The query.
            body: Sent as JSON.
        """
        timeout = min(self._deadline.remaining(), self.endpoint.timeout)
        if not timeout:
            return self._deadline.failure(f"{what} at {self.endpoint.address}")
        outcome = self._send(method, f"v1/{quote(path)}", params=params, json=body, timeout=timeout)
        if self._deadline.passed:
            return self._deadline.failure(f"{what} at {self.endpoint.address}")  # a cut body can look whole
        return fault_failure(outcome, what, self.endpoint.names, self.endpoint.address) if isinstance(outcome, str) else outcome

    def _send(self, method: str, url: str, **options: Any) -> Reply | str:
        """The reply, or the name of a fault. The exception ends here: its frames hold the token."""
        import requests
        from urllib3.exceptions import HTTPError

        try:
            response = self._adapter.request(method, url, raise_exception=False, **options)
            return _reply(response)
        except (requests.RequestException, HTTPError, http.client.HTTPException, OSError, ValueError) as exc:
            return fault(exc)

    def close(self) -> None:
        """Close every connection that is not in use; the deadline cuts those that are."""
        self._adapter.close()


def fault(exc: BaseException) -> str:
    """Which row of `confguard_vault._failures.FAULTS` an exception is, by the most specific type in its chain."""
    chain = list(_chain(exc))
    for error in chain:
        if isinstance(error, ssl.SSLError):
            return _tls_fault(error)
    names = {cls.__name__ for error in chain if not _is_new_connection(error) for cls in type(error).__mro__}
    for types, row in _FAULT_TYPES:
        if not names.isdisjoint(types):
            return row
    return "other"


# By name, since urllib3 and requests are not imported with this module. The loss of a connection comes before a garbled
# answer: "closed without an answer" is both to http.client.
_FAULT_TYPES: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"ProxyError"}), "proxy"),
    (frozenset({"gaierror", "NameResolutionError"}), "unresolved"),
    (frozenset({"ConnectionRefusedError"}), "refused"),
    (frozenset({"TimeoutError", "Timeout"}), "timeout"),
    (frozenset({"IncompleteRead"}), "truncated"),
    (frozenset({"ConnectionResetError", "ConnectionAbortedError", "BrokenPipeError"}), "reset"),
    (frozenset({"HTTPException", "DecodeError", "ContentDecodingError"}), "garbled"),
    (frozenset({"ProtocolError", "ChunkedEncodingError"}), "truncated"),
    (frozenset({"InvalidURL", "InvalidProxyURL", "InvalidHeader", "LocationParseError"}), "other"),
    (frozenset({"OSError", "HTTPError"}), "unreachable"),
)


def _is_new_connection(error: BaseException) -> bool:
    """Whether it is urllib3's "no connection", a time-out by inheritance alone; it wraps the cause."""
    return type(error).__name__ == "NewConnectionError"


def _tls_fault(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _WRONG_HOST:
            return "wrong_host"
        return "out_of_date" if error.verify_code in _OUT_OF_DATE else "untrusted"
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "reset"
    reason = error.reason or ""
    if "CERTIFICATE" in reason or "UNKNOWN_CA" in reason:
        return "client_cert"  # the peer's alert: on a certificate of its own it would be ours to complain
    return "not_tls" if reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"} else "tls"


def _chain(exc: BaseException) -> Iterator[BaseException]:
    """An exception and all that it wraps: as cause, as context, as argument, or as urllib3's ``reason``."""
    seen: list[BaseException] = []
    waiting: list[object] = [exc]
    while waiting:
        error = waiting.pop()
        if isinstance(error, BaseException) and error not in seen:
            seen.append(error)
            waiting += [error.__cause__, error.__context__, getattr(error, "reason", None), *error.args]
    yield from seen


def _reply(response: "requests.Response") -> Reply | str:
    if response.status_code == 200 and not response.content and "Content-Length" not in response.headers:
        return "truncated"  # within its headers, which http.client takes for their end
    location = response.headers.get("Location")
    try:
        target = safe_host(urlsplit(location).hostname) if location else None
    except ValueError:
        target = None
    headers = response.headers
    return Reply(response.status_code, response.content, headers.get("Retry-After"), target, headers.get("Date"))


def _pooled(endpoint: Endpoint, deadline: Deadline) -> "requests.Session":
    import requests

    pooled = requests.Session()
    pooled.trust_env = False  # no ~/.netrc, and no look through the environment for every request
    pooled.headers.clear()
    pooled.headers.update({"User-Agent": USER_AGENT, "Accept": "application/json"})
    if endpoint.proxy:
        if password := urlsplit(endpoint.proxy).password:
            hide(password)
        pooled.proxies = {"http": endpoint.proxy, "https": endpoint.proxy}
    adapter = _adapter(endpoint, deadline)
    pooled.mount("https://", adapter)
    pooled.mount("http://", adapter)
    return pooled


def _adapter(endpoint: Endpoint, deadline: Deadline) -> "HTTPAdapter":
    """An adapter with one TLS context for all connections, whose connections the deadline can cut."""
    from requests.adapters import HTTPAdapter
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    pools = {
        "http": watched(HTTPConnectionPool, deadline.watch),
        "https": watched(HTTPSConnectionPool, deadline.watch),
    }
    tls: dict[str, object] = {}
    if endpoint.address.startswith("https:"):
        tls["ssl_context"] = _context(endpoint.trust)
        if endpoint.trust.server_name:
            tls["server_hostname"] = endpoint.trust.server_name

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **kwargs)
            self.poolmanager.pool_classes_by_scheme = pools

        def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
            manager = super().proxy_manager_for(*args, **kwargs)
            manager.pool_classes_by_scheme = pools
            return manager

        def build_connection_pool_key_attributes(self, request: Any, *_: Any, **__: Any) -> Any:
            host, _tls = super().build_connection_pool_key_attributes(request, verify=False)
            return host, tls if host["scheme"] == "https" else {}

        def cert_verify(self, *_: object, **__: object) -> None:
            """Nothing: it would load a bundle of certificates anew for each connection. The context has them."""

    return Adapter(pool_connections=1, pool_maxsize=POOL)


def _context(trust: Trust) -> ssl.SSLContext:
    if not trust.verify:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif found := trust.ca_file or trust.ca_text or trust.ca_directory:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _load_authority(context, found, trust)
    else:
        context = ssl.create_default_context()
    if trust.client_cert and trust.client_key:
        try:
            # An empty password, or OpenSSL would ask for one on the terminal.
            context.load_cert_chain(trust.client_cert.value, trust.client_key.value, password="")
        except (OSError, ValueError):
            names = f"{trust.client_cert.name} and {trust.client_key.name}"
            raise _unreadable(names, "name a PEM certificate and its key, without a password") from None
    return context


def _load_authority(context: ssl.SSLContext, found: Setting, trust: Trust) -> None:
    try:
        if found is trust.ca_text:
            context.load_verify_locations(cadata=found.value)
        elif found is trust.ca_directory:
            _load_directory(context, found.value)
        else:
            context.load_verify_locations(cafile=found.value)
    except (OSError, ValueError):
        raise _unreadable(found.name, "it must be PEM, and readable by this user") from None


def _load_directory(context: ssl.SSLContext, directory: str) -> None:
    """Every file of a directory, as the clients do; OpenSSL itself would only see names made of hashes."""
    from pathlib import Path

    for file in sorted(Path(directory).iterdir()):
        if file.is_file():
            context.load_verify_locations(cafile=file)


def _unreadable(name: str, tip: str) -> SetupError:
    return SetupError(f"the certificates of {name} cannot be read", tip)
