"""Which fault of a connection an exception is, told by its type; and why a connection that gRPC cannot make fails.

gRPC says ``UNAVAILABLE`` and a text, whatever it was. So one connection is made again by hand, whose exceptions have types.
"""

import os
import socket
import ssl
from collections.abc import Iterable, Iterator
from importlib.resources import files

from confguard.provider import Deadline
from confguard_gcp._endpoint import Endpoint

# From OpenSSL's x509_vfy.h: not yet valid and expired; the name or address is not on the certificate.
_OUT_OF_DATE = frozenset({9, 10})
_WRONG_HOST = frozenset({62, 64})

# By name, since requests and urllib3 are not imported with this module; the most specific first.
_TYPES: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"ProxyError"}), "proxy"),
    (frozenset({"gaierror", "NameResolutionError"}), "unresolved"),
    (frozenset({"ConnectionRefusedError"}), "refused"),
    (frozenset({"TimeoutError", "Timeout"}), "timeout"),
    (frozenset({"ConnectionResetError", "ConnectionAbortedError", "BrokenPipeError", "IncompleteRead", "ProtocolError"}), "cut"),
    (frozenset({"ChunkedEncodingError", "HTTPException", "DecodeError", "ContentDecodingError"}), "cut"),
    (frozenset({"OSError", "HTTPError"}), "unreachable"),
)

# As gRPC reads them, which knows the names in lower case alone.
_PROXY = ("grpc_proxy", "https_proxy", "http_proxy")
_NO_PROXY = ("no_grpc_proxy", "no_proxy")
_ROOTS_VARIABLE = "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"


def fault_of(exc: BaseException) -> str:
    """Which row of `confguard_gcp._failures.FAULTS` an exception is, by the most specific type in its chain."""
    chain = list(_chain(exc))
    for error in chain:
        if isinstance(error, ssl.SSLError):
            return _tls_fault(error)
    # urllib3's "no connection" is a time-out by inheritance alone; it wraps the cause.
    names = {cls.__name__ for error in chain if type(error).__name__ != "NewConnectionError" for cls in type(error).__mro__}
    return next((fault for types, fault in _TYPES if not names.isdisjoint(types)), "other")


def fault_at(endpoint: Endpoint, deadline: Deadline) -> str:
    """Why an endpoint cannot be reached: the fault of one connection to it, or ``failed`` where it can be made."""
    if _is_behind_proxy(endpoint):
        return "behind_proxy"
    try:
        _connect(endpoint, deadline)
    except OSError as exc:
        return fault_of(exc)
    return "failed"


def _connect(endpoint: Endpoint, deadline: Deadline) -> None:
    with socket.create_connection((endpoint.host, endpoint.port), timeout=max(deadline.remaining(), 0.001)) as plain:
        deadline.watch(plain)
        if endpoint.plain:
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cafile=endpoint.ca_cert or os.environ.get(_ROOTS_VARIABLE) or _roots())
        context.set_alpn_protocols(["h2"])
        plain.settimeout(max(deadline.remaining(), 0.001))
        with context.wrap_socket(plain, server_hostname=endpoint.host):
            pass


def _roots() -> str | None:
    """The authorities that gRPC brings along; where it does not, those that Python finds."""
    bundled = files("grpc").joinpath("_cython", "_credentials", "roots.pem")
    return str(bundled) if bundled.is_file() else ssl.get_default_verify_paths().cafile


def _is_behind_proxy(endpoint: Endpoint) -> bool:
    """Whether gRPC goes through a proxy, as it reads the environment. Then a connection by hand would prove nothing."""
    if endpoint.is_local or _first_set(_PROXY) is None:
        return False
    excepted = (entry.strip().lower() for entry in (_first_set(_NO_PROXY) or "").split(","))
    return not any(entry and endpoint.host.lower().endswith(entry) for entry in excepted)


def _first_set(names: Iterable[str]) -> str | None:
    return next(filter(None, map(os.environ.get, names)), None)


def _tls_fault(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _WRONG_HOST:
            return "wrong_host"
        return "out_of_date" if error.verify_code in _OUT_OF_DATE else "untrusted"
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "cut"
    return "not_tls" if error.reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"} else "tls"


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
