"""A double of Google Cloud Secret Manager on 127.0.0.1 for tests: the two calls that read, over gRPC, in plain text or TLS.

No emulator speaks gRPC. The messages are those of the SDK, so what goes over the wire is what the real store would send.
"""

import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import google_crc32c
import grpc
from google.cloud.secretmanager_v1.types import (
    AccessSecretVersionRequest,
    AccessSecretVersionResponse,
    GetSecretVersionRequest,
    SecretPayload,
    SecretVersion,
)
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_status.rpc_status import to_status

SERVICE = "google.cloud.secretmanager.v1.SecretManagerService"
WORKERS = 16

# The real store names a project by its number, whatever it was asked by.
NUMBER = "123456789012"


@dataclass(frozen=True, slots=True)
class Call:
    """A call as the double has seen it."""

    method: str
    name: str
    metadata: Mapping[str, str | bytes] = field(repr=False)


@dataclass(slots=True)
class Secret:
    """A secret, by the full name of its versions' parent.

    Attributes:
        versions: State and payload of each version, the first of which is number 1.
        aliases: Numbers by alias.
        checksum: What is told as the checksum of every payload; None is the right one.
        refusal: The status that every access gets.
    """

    versions: list[tuple[str, bytes]] = field(default_factory=list)
    aliases: dict[str, int] = field(default_factory=dict)
    checksum: int | None = None
    refusal: Status | None = None


class SecretManager:
    """A double of its own, from entering to leaving the ``with`` block.

    Args:
        tls: Whether it speaks TLS, with a certificate for `names`, made for the occasion.
        names: The names and addresses on its certificate.

    Attributes:
        port: Its port on 127.0.0.1.
        calls: What it was asked, in order.
        secrets: What it has.
        states: Whether the caller may ask for the state of a version, which takes another permission than reading it.
        metadata: What every reply carries.
        reshape: What becomes of a reply before it is sent.
    """

    def __init__(self, *, tls: bool = False, names: Sequence[str] = ("localhost", "127.0.0.1")) -> None:
        self._tls = tls
        self._names = names
        self._folder = Path()
        self._server: Any = None
        self.port = 0
        self.clear()

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="secretmanager-"))
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    @property
    def address(self) -> str:
        """Where it is."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def ca_cert(self) -> Path:
        """The PEM file of the authority to trust."""
        return self._folder / "ca.pem"

    def start(self) -> None:
        """Serve, on the port that it had before if there was one."""
        executor = ThreadPoolExecutor(WORKERS, thread_name_prefix="secretmanager")
        together = threading.Barrier(WORKERS)
        for begun in [executor.submit(together.wait) for _ in range(WORKERS)]:
            begun.result()  # its threads are there before a test counts them
        self._server = grpc.server(executor, options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((self._handlers(),))
        address = f"127.0.0.1:{self.port}"
        credentials = self._certificates() if self._tls else None
        bind = self._server.add_insecure_port
        self.port = self._server.add_secure_port(address, credentials) if credentials else bind(address)
        self._executor = executor
        self._server.start()

    def stop(self) -> None:
        """Serve no more, and cut what is open."""
        self._server.stop(None).wait()
        self._executor.shutdown()

    def clear(self) -> None:
        """Forget all secrets and calls, and what was told it to do."""
        self.calls: list[Call] = []
        self.secrets: dict[str, Secret] = {}
        self.states = True
        self.metadata: Sequence[tuple[str, str]] = ()
        self.reshape: Callable[[AccessSecretVersionResponse], AccessSecretVersionResponse] = lambda reply: reply

    def secret(self, name: str, project: str = "shop", location: str | None = None) -> Secret:
        """The secret of a name, made where it is not there."""
        place = f"projects/{project}/locations/{location}" if location else f"projects/{project}"
        return self.secrets.setdefault(f"{place}/secrets/{name}", Secret())

    def put(self, name: str, payload: bytes, project: str = "shop", location: str | None = None) -> int:
        """Add a version, and tell its number."""
        versions = self.secret(name, project, location).versions
        versions.append(("ENABLED", payload))
        return len(versions)

    def set_state(self, name: str, state: str, number: int = 1) -> None:
        """Disable, destroy or enable a version."""
        versions = self.secret(name).versions
        versions[number - 1] = state, versions[number - 1][1]

    def delete(self, name: str, project: str = "shop", location: str | None = None) -> None:
        """Take all versions away."""
        self.secret(name, project, location).versions.clear()

    def refuse(self, name: str, code: grpc.StatusCode, *details: Message, text: str = "") -> None:
        """Answer every access of a secret with a status."""
        self.secret(name).refusal = _status(code, text, details)

    def deny(self, name: str, project: str = "shop", location: str | None = None) -> None:
        """Deny every access of a secret."""
        why = ErrorInfo(reason="IAM_PERMISSION_DENIED", domain="iam.googleapis.com")
        self.secret(name, project, location).refusal = _status(grpc.StatusCode.PERMISSION_DENIED, "", [why])

    def _handlers(self) -> Any:
        access: Any = grpc.unary_unary_rpc_method_handler(
            self._access, AccessSecretVersionRequest.deserialize, AccessSecretVersionResponse.serialize
        )
        get: Any = grpc.unary_unary_rpc_method_handler(self._get, GetSecretVersionRequest.deserialize, SecretVersion.serialize)
        return grpc.method_handlers_generic_handler(SERVICE, {"AccessSecretVersion": access, "GetSecretVersion": get})

    def _access(self, request: AccessSecretVersionRequest, context: Any) -> AccessSecretVersionResponse:
        secret = self._noted("AccessSecretVersion", request.name, context)
        if secret.refusal is not None:
            _abort(context, secret.refusal)
        number, state, payload = self._version(request.name, secret, context)
        if state != "ENABLED":
            _abort(context, _status(grpc.StatusCode.FAILED_PRECONDITION, f"Secret Version is in {state} state.", ()))
        checksum = google_crc32c.value(payload) if secret.checksum is None else secret.checksum
        reply = AccessSecretVersionResponse(
            name=self._full_name(request.name, number), payload=SecretPayload(data=payload, data_crc32c=checksum)
        )
        return self.reshape(reply)

    def _get(self, request: GetSecretVersionRequest, context: Any) -> SecretVersion:
        secret = self._noted("GetSecretVersion", request.name, context)
        if not self.states:
            _abort(context, _status(grpc.StatusCode.PERMISSION_DENIED, "secretmanager.versions.get", ()))
        number, state, _ = self._version(request.name, secret, context)
        return SecretVersion(name=self._full_name(request.name, number), state=getattr(SecretVersion.State, state))

    def _noted(self, method: str, name: str, context: Any) -> Secret:
        metadata = dict(context.invocation_metadata())
        self.calls.append(Call(method, name, metadata))
        context.send_initial_metadata(tuple(self.metadata))
        return self.secrets.get(name.partition("/versions/")[0]) or Secret()

    def _version(self, name: str, secret: Secret, context: Any) -> tuple[int, str, bytes]:
        asked = name.rpartition("/")[2]
        numbers = {**secret.aliases, "latest": len(secret.versions)}
        number = int(asked) if asked.isdigit() else numbers.get(asked, 0)
        if not 1 <= number <= len(secret.versions):
            _abort(context, _status(grpc.StatusCode.NOT_FOUND, f"Secret [{name}] not found or has no versions.", ()))
        return number, *secret.versions[number - 1]

    def _full_name(self, name: str, number: int) -> str:
        _, _, rest = name.removeprefix("projects/").partition("/")
        return f"projects/{NUMBER}/{rest.rpartition('/')[0]}/{number}"

    def _certificates(self) -> Any:
        key, chain = self._folder / "key.pem", self._folder / "cert.pem"
        if not key.exists():
            import trustme

            authority = trustme.CA()
            certificate = authority.issue_cert(*self._names)
            authority.cert_pem.write_to_path(self.ca_cert)
            chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
            certificate.private_key_pem.write_to_path(key)
        return grpc.ssl_server_credentials([(key.read_bytes(), chain.read_bytes())])


def _status(code: grpc.StatusCode, text: str, details: Sequence[Message]) -> Status:
    packed = [AnyMessage() for _ in details]
    for box, detail in zip(packed, details, strict=True):
        box.Pack(detail)
    return Status(code=code.value[0], message=text, details=packed)


def _abort(context: Any, status: Status) -> None:
    context.abort_with_status(to_status(status))
