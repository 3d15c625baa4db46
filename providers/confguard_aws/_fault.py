"""Which row of the tables an exception of the SDK is. By the names of types, so that nothing of it is imported here."""

import ssl
from collections.abc import Iterator

from confguard_aws._tables import ERRORS, FAULTS, Row

# From OpenSSL's x509_vfy.h: not yet valid and expired; the name or address is not on the certificate.
_OUT_OF_DATE = frozenset({9, 10})
_WRONG_HOST = frozenset({62, 64})

# What botocore raises for a connection. What it wraps tells more, the most telling first: the loss of a connection comes before
# a garbled answer, since "closed without an answer" is both to http.client.
_OF_CONNECTIONS = frozenset({"ConnectionError", "HTTPClientError"})
_FAULT_TYPES: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"ProxyError", "ProxyConnectionError"}), "proxy"),
    (frozenset({"CertificateError"}), "wrong_host"),  # of urllib3, which looks at names itself where the SDK asks it to
    (frozenset({"gaierror", "NameResolutionError"}), "unresolved"),
    (frozenset({"ConnectionRefusedError"}), "refused"),
    (frozenset({"TimeoutError", "ReadTimeoutError", "ConnectTimeoutError"}), "timeout"),
    (frozenset({"FileNotFoundError", "PermissionError", "IsADirectoryError"}), "ca_bundle"),
    (frozenset({"IncompleteRead", "TruncatedError"}), "truncated"),
    (frozenset({"ConnectionResetError", "ConnectionAbortedError", "BrokenPipeError", "RemoteDisconnected"}), "reset"),
    (frozenset({"HTTPException", "DecodeError"}), "garbled"),
    (frozenset({"ProtocolError", "ConnectionClosedError"}), "truncated"),
    (frozenset({"LocationParseError"}), "other"),
    (frozenset({"OSError", "HTTPError", "EndpointConnectionError"}), "unreachable"),
)


def row_of(exc: BaseException) -> Row | None:
    """What an exception means; None where no table knows its type, which is a fault of ours."""
    names = [cls.__name__ for cls in type(exc).__mro__]
    if type(exc).__module__.startswith("botocore") and not _OF_CONNECTIONS.isdisjoint(names):
        return FAULTS[fault_of(exc)]
    if "CredentialRetrievalError" in names and getattr(exc, "kwargs", {}).get("provider") == "container-role":
        return ERRORS["ContainerCredentialsError"]
    return next((ERRORS[name] for name in names if name in ERRORS), None)


def fault_of(exc: BaseException) -> str:
    """Which row of `confguard_aws._tables.FAULTS` an exception of a connection is."""
    chain = list(_chain(exc))
    for error in chain:
        if isinstance(error, ssl.SSLError):
            return _tls_fault(error)
    names = {cls.__name__ for error in chain if type(error).__name__ != "NewConnectionError" for cls in type(error).__mro__}
    return next((row for types, row in _FAULT_TYPES if not names.isdisjoint(types)), "other")


def _tls_fault(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _WRONG_HOST:
            return "wrong_host"
        return "out_of_date" if error.verify_code in _OUT_OF_DATE else "untrusted"
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "reset"
    if error.reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"}:
        return "not_tls"
    return "ca_bundle" if error.library == "X509" else "tls"


def _chain(exc: BaseException) -> Iterator[BaseException]:
    """An exception and all that it wraps: as cause, as context, as argument, as urllib3's ``reason`` or botocore's ``error``."""
    seen: list[BaseException] = []
    waiting: list[object] = [exc]
    while waiting:
        error = waiting.pop()
        if isinstance(error, BaseException) and not any(error is known for known in seen):
            seen.append(error)
            inner = getattr(error, "kwargs", None)
            wrapped = inner.get("error") if isinstance(inner, dict) else None
            waiting += [error.__cause__, error.__context__, getattr(error, "reason", None), wrapped, *error.args]
    yield from seen
