"""Which fault of a connection an exception is, by types and by the codes of OpenSSL and of the resolver: never by text."""

import socket
import ssl
from collections.abc import Iterator

# From OpenSSL's x509_vfy.h: not yet valid and expired; the name or address is not on the certificate.
_OUT_OF_DATE = frozenset({9, 10})
_WRONG_HOST = frozenset({62, 64})

# By name, since urllib3 and requests are not imported with this module. The loss of a connection comes before a garbled
# answer: "closed without an answer" is both to http.client.
_TYPES: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"ProxyError", "InvalidProxyURL", "ProxySchemeUnknown"}), "proxy"),
    (frozenset({"gaierror", "NameResolutionError"}), "unresolved"),
    (frozenset({"ConnectionRefusedError"}), "refused"),
    (frozenset({"TimeoutError", "Timeout"}), "timeout"),
    (frozenset({"IncompleteRead", "IncompleteReadError"}), "truncated"),
    (frozenset({"ConnectionResetError", "ConnectionAbortedError", "BrokenPipeError"}), "reset"),
    (frozenset({"HTTPException", "DecodeError", "ContentDecodingError"}), "garbled"),
    (frozenset({"ProtocolError", "ChunkedEncodingError"}), "truncated"),
    (frozenset({"InvalidURL", "InvalidHeader", "LocationParseError"}), "other"),
    (frozenset({"OSError", "HTTPError"}), "unreachable"),
)


def fault(exc: BaseException) -> str:
    """Which row of `confguard_azure._failures.FAULTS` an exception is, by the most specific type in its chain."""
    chain = list(_chain(exc))
    for error in chain:
        if isinstance(error, ssl.SSLError):
            return _tls_fault(error)
        if isinstance(error, socket.gaierror) and error.errno == socket.EAI_NONAME:
            return "unknown_host"
    names = {cls.__name__ for error in chain if not _is_new_connection(error) for cls in type(error).__mro__}
    for types, row in _TYPES:
        if not names.isdisjoint(types):
            return row
    return "other"


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
    return (
        "not_tls"
        if (getattr(error, "reason", "") or "") in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"}
        else "tls"
    )


def _chain(exc: BaseException) -> Iterator[BaseException]:
    """An exception and all that it wraps: as cause, context or argument, as ``reason`` or the SDK's ``inner_exception``."""
    seen: list[BaseException] = []
    waiting: list[object] = [exc]
    while waiting:
        error = waiting.pop()
        if isinstance(error, BaseException) and error not in seen:
            seen.append(error)
            wrapped = (getattr(error, "reason", None), getattr(error, "inner_exception", None))
            waiting += [error.__cause__, error.__context__, *wrapped, *error.args]
    yield from seen
