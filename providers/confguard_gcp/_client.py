"""Calls to Secret Manager over one channel of gRPC. The only room that knows the SDK's client; it imports it when entered."""

import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, NamedTuple

from confguard.provider import USER_AGENT, Deadline
from confguard_gcp._endpoint import Endpoint
from confguard_gcp._failures import LONGEST_WAIT, Refusal, safe_request_id
from confguard_gcp._setup import SetupError

if TYPE_CHECKING:
    import grpc
    from google.api_core.exceptions import GoogleAPICallError

_DOMAIN = "googleapis.com"

# gRPC's own threads, by the names that it gives them. They end within milliseconds once the last channel is closed.
_THREADS = frozenset({"event_engine", "grpc_global_tim", "lifeguard"})
_ENDING, _LOOK = 0.25, 0.001


@dataclass(frozen=True, slots=True)
class Payload:
    """What the store gave.

    Attributes:
        name: The name of the version, as the store has it.
        data: The bytes; None where the reply has no payload.
        checksum: Their CRC32C, as the store tells it; None where it does not.
    """

    name: str
    data: bytes | None = field(repr=False)
    checksum: int | None


def import_sdk() -> None:
    """Import the SDK, which takes most of a second.

    Raises:
        ImportError: It is not installed.
    """
    for module in ("google.cloud.secretmanager_v1", "google_crc32c"):
        import_module(module)


class Client:
    """Calls to one endpoint under one deadline, all over one channel."""

    def __init__(self, endpoint: Endpoint, headers: tuple[tuple[str, str], ...], deadline: Deadline) -> None:
        """Make ready; nothing is sent yet.

        Args:
            endpoint: Where to ask. One of plain text gets no headers.
            headers: What each call carries, such as the token.
            deadline: Ends every call.

        Raises:
            ImportError: The SDK is not installed.
            SetupError: The file of authorities cannot be read.
        """
        from google.api_core.gapic_v1.client_info import ClientInfo
        from google.cloud.secretmanager_v1.services.secret_manager_service import SecretManagerServiceClient
        from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceGrpcTransport

        self._is_alone = not _runs_threads()
        self._channel = _channel(endpoint)
        self._deadline = deadline
        channel = _with_headers(self._channel, headers) if headers and not endpoint.plain else self._channel
        transport = SecretManagerServiceGrpcTransport(channel=channel, client_info=ClientInfo(user_agent=USER_AGENT))
        # The universe chose the endpoint; the SDK would compare it with credentials that it has not got.
        self._sdk = SecretManagerServiceClient(transport=transport, client_options={"universe_domain": _DOMAIN})

    def access(self, name: str) -> Payload | Refusal:
        """The payload of a version."""
        reply = self._call(self._sdk.access_secret_version, name)
        if isinstance(reply, Refusal):
            return reply
        payload = reply.payload if "payload" in reply else None
        checksum = payload.data_crc32c if payload is not None and "data_crc32c" in payload else None
        return Payload(reply.name, None if payload is None else payload.data, checksum)

    def state(self, name: str) -> str | Refusal:
        """The name of the state of a version: ``DISABLED``."""
        reply = self._call(self._sdk.get_secret_version, name)
        return reply if isinstance(reply, Refusal) else reply.state.name

    def close(self) -> None:
        """Close the channel, so that none is left open in a process that forks. Calls that are under way end.

        Where nobody else in this process uses gRPC, its own threads end too. A fork while they do leaves a lock behind in the
        child that nothing opens again.
        """
        self._channel.close()
        until = monotonic() + min(_ENDING, self._deadline.remaining())  # what was answered in time is not to come late for it
        while self._is_alone and _runs_threads() and monotonic() < until:
            sleep(_LOOK)

    def _call(self, method: Any, name: str) -> Any:
        """The reply, or what is kept of a refusal. The exception ends here: its frames hold the request's metadata.

        Never tried again: the SDK's own way would go on for a minute, and a supervisor can start the service again.
        """
        from google.api_core.exceptions import GoogleAPICallError

        try:
            return method(name=name, retry=None, timeout=max(self._deadline.remaining(), 0.001))
        except GoogleAPICallError as exc:
            return _refusal(exc)


def _runs_threads() -> bool:
    """Whether gRPC has threads in this process, where the system shows that."""
    tasks = Path("/proc/self/task")
    return tasks.is_dir() and any(_name_of(task) in _THREADS for task in tasks.iterdir())


def _name_of(task: Path) -> str:
    """The name of a thread; of one that has ended since none."""
    with suppress(OSError), (task / "comm").open() as file:
        return file.readline().rstrip("\n")
    return ""


def _refusal(exc: "GoogleAPICallError") -> Refusal:
    """What a call's exception says in codes and numbers."""
    from google.rpc.error_details_pb2 import ErrorInfo, RequestInfo, RetryInfo

    reason, request_id, retry_after = "", None, None
    for detail in exc.details:
        if isinstance(detail, ErrorInfo) and detail.domain == _DOMAIN:
            reason = detail.reason
        elif isinstance(detail, RequestInfo):
            request_id = safe_request_id(detail.request_id)
        elif isinstance(detail, RetryInfo):
            retry_after = min(max(detail.retry_delay.ToTimedelta().total_seconds(), 0.0), LONGEST_WAIT)
    code = exc.grpc_status_code.name if exc.grpc_status_code is not None else "UNKNOWN"
    return Refusal(code, reason, retry_after, request_id, _date(exc.response))


def _date(call: Any) -> str | None:
    """The date of an answer: Google's servers send it, as over HTTP."""
    if call is None:
        return None
    metadata = [*(call.initial_metadata() or ()), *(call.trailing_metadata() or ())]
    return next((value for name, value in metadata if name == "date" and isinstance(value, str)), None)


def _channel(endpoint: Endpoint) -> "grpc.Channel":
    import grpc

    options: list[tuple[str, object]] = [("grpc.primary_user_agent", USER_AGENT)]
    if endpoint.is_local:
        options.append(("grpc.enable_http_proxy", 0))
    if endpoint.plain:
        return grpc.insecure_channel(endpoint.target, options)
    authority = _authority(endpoint.ca_cert) if endpoint.ca_cert else None
    return grpc.secure_channel(endpoint.target, grpc.ssl_channel_credentials(root_certificates=authority), options)


class _Details(NamedTuple):
    """What gRPC wants to know of a call."""

    method: str
    timeout: float | None
    metadata: Sequence[tuple[str, str]]
    credentials: Any
    wait_for_ready: bool | None
    compression: Any


def _with_headers(channel: "grpc.Channel", headers: Sequence[tuple[str, str]]) -> "grpc.Channel":
    """A channel whose calls carry headers.

    They are put in below the SDK's own interceptor, which logs what it sees. As call credentials gRPC would ask for them in a
    thread of its own for each call.
    """
    import grpc

    class Interceptor(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc] # gRPC has no types
        def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
            details = client_call_details
            metadata = [*(details.metadata or ()), *headers]
            rest = (details.credentials, details.wait_for_ready, details.compression)
            return continuation(_Details(details.method, details.timeout, metadata, *rest), request)

    return grpc.intercept_channel(channel, Interceptor())


def _authority(path: str) -> bytes:
    try:
        ssl.create_default_context(cafile=path)  # which finds out whether it is PEM; gRPC would not say
        return Path(path).read_bytes()
    except OSError:
        pass
    raise SetupError("the certificates of GCP(ca_cert=…) cannot be read", "name a PEM file that this user may read")
