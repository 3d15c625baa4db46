"""moto's server on 127.0.0.1, in a thread of this process, which can also deny."""

import json
import secrets
import threading
from collections.abc import Iterable, Mapping
from http.client import HTTPConnection
from importlib import import_module
from io import BytesIO
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SECRETS, PARAMETERS = "secretsmanager", "AmazonSSM"
"""What requests to the two services call them."""

_SERVICES = {SECRETS: "secretsmanager", PARAMETERS: "ssm"}
_READS = frozenset({"GetSecretValue", "BatchGetSecretValue", "GetParameter", "GetParameters", "GetParametersByPath"})
_NAMED_BY = ("SecretId", "SecretIdList", "Name", "Names", "Path")
SECONDS = 30.0


class MotoError(RuntimeError):
    """moto refused, and how AWS calls it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Moto:
    """A server from entering to leaving the ``with`` block, with an account of AWS of its own.

    Args:
        region: Where `call` writes.

    Attributes:
        port: Its port on 127.0.0.1.
    """

    def __init__(self, region: str) -> None:
        self.port = 0
        self._region = region

    def __enter__(self) -> Self:
        from werkzeug.serving import make_server

        parts: Any = import_module("moto.moto_server.werkzeug_app")
        self._front = _Front(parts.DomainDispatcherApplication(parts.create_backend_app))
        silent = type("Silent", (parts.MotoRequestHandler,), {"log": _log_nothing})
        self._server = make_server("127.0.0.1", 0, self._front, threaded=True, request_handler=silent)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.01], name="moto", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def clear(self) -> None:
        """Hold nothing, and deny nothing."""
        self._front.clear()

    def deny(self, service: str, name: str) -> None:
        """Refuse to read something, whoever asks."""
        self._front.denied.add((service, name))

    def call(self, service: str, operation: str, **parameters: object) -> Mapping[str, Any]:
        """Make one call of one of the two services.

        Raises:
            MotoError: It is refused.
        """
        scope = f"AKIAWRITER/20200101/{self._region}/{_SERVICES[service]}/aws4_request"
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"{service}.{operation}",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=none",
        }
        connection = HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            connection.request("POST", "/", json.dumps(parameters), headers)
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read() or b"{}")
        finally:
            connection.close()
        if response.status != 200:
            raise MotoError(answer["__type"].rpartition("#")[2], answer.get("message", answer.get("Message", "")))
        return answer


def _log_nothing(*_: object) -> None:
    """In place of werkzeug's line on standard error for each request."""


class _Front:
    """Stands before moto, and gives it what it lacks: servers that share nothing, and a refusal in JSON as AWS writes it.

    moto keeps one state for a process, parted by accounts; each server is one, and after `clear` another. Its own IAM answers in
    XML. A call that names one thing that is denied is denied whole, as that of an identity which may make no calls of its kind.
    """

    def __init__(self, app: "WSGIApplication") -> None:
        self._app = app
        self.clear()

    def clear(self) -> None:
        self._account = f"{secrets.randbelow(10**12):012}"
        self.denied: set[tuple[str, str]] = set()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        service, _, operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = self._account
        if self.denied and operation in _READS:
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = BytesIO(body)
            if any((service, name) in self.denied for name in _names(json.loads(body))):
                return _refused(start_response)
        return self._app(environ, start_response)


def _names(parameters: Mapping[str, Any]) -> Iterable[str]:
    """What a call asks for, by name, without versions."""
    for key in _NAMED_BY:
        value = parameters.get(key, [])
        for name in [value] if isinstance(value, str) else value:
            if name.startswith("arn:"):
                yield name.split(":", 6)[6].rpartition("-")[0]
            else:
                yield name.partition(":")[0].rstrip("/")


def _refused(start_response: "StartResponse") -> Iterable[bytes]:
    body = json.dumps({"__type": "AccessDeniedException", "Message": "denied by the test"}).encode()
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "Content-Length": str(len(body)),
        "x-amzn-RequestId": secrets.token_hex(16),
    }
    start_response("400 Bad Request", list(headers.items()))
    return [body]
