"""A stand-in for Secrets Manager and Parameter Store, over real sockets on 127.0.0.1.

It reads as they do, keeps connections alive as they do, and says no as they do: in JSON, also where a policy denies. It is as
strict as the strictest reading of their documentation: an id that stands twice in one call is refused.
"""

import base64
import json
import ssl
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import time
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit
from zlib import crc32

ACCOUNT = "123456789012"


@dataclass(frozen=True, slots=True)
class Call:
    """One request: the operation or the path, what was sent with it, and its headers, names in lower case."""

    operation: str
    body: Mapping[str, Any] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    @property
    def access_key(self) -> str:
        """Whose signature it carries."""
        return self.headers.get("authorization", "").partition("Credential=")[2].partition("/")[0]

    @property
    def region(self) -> str:
        """The region that it was signed for."""
        return self.headers.get("authorization", "////").split("/")[2]


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class NoError(Exception):
    """An error of AWS, by its code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def error(code: str, status: int = 400, **headers: str) -> Answer:
    """An error as AWS answers it."""
    body = json.dumps({"__type": code, "message": "what the store wrote"}).encode()
    return Answer(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


class AwsDouble:
    """The stand-in. Assign its attributes to change how it behaves, for the next request.

    Attributes:
        port: Where it listens on 127.0.0.1.
        calls: The requests that it has had.
        answers: By operation, or by the path of a GET, what is sent back in place of its own answer.
        errors: By name of a secret or parameter, the code of the error that reading it gives.
        strangers: By access key id, the code of the error that it gets whatever it asks for.
        page: How many values of a batch stand on one page; 0 is all.
        clock: By how many seconds its clock is ahead.
        token: What the agent wants in each request.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.calls: list[Call] = []
        self.answers: dict[str, Answer] = {}
        self.errors: dict[str, str] = {}
        self.strangers: dict[str, str] = {}
        self.page = 0
        self.clock = 0.0
        self.token = uuid.uuid4().hex
        self._secrets: dict[str, list[tuple[str, str | bytes]]] = {}
        self._parameters: dict[str, tuple[str, list[str]]] = {}
        self._server = _Server(self, tls)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, name="aws-double")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.end_connections()
        self._server.server_close()
        self._thread.join()

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def put_secret(self, name: str, value: str | bytes) -> str:
        """Write a version of a secret, and tell its id."""
        version = str(uuid.uuid4())
        self._secrets.setdefault(name, []).append((version, value))
        return version

    def put_parameter(self, name: str, value: str, kind: str = "SecureString") -> None:
        """Write a version of a parameter."""
        self._parameters.setdefault(name, (kind, []))[1].append(value)

    def delete(self, name: str) -> None:
        """Take a secret and a parameter away."""
        self._secrets.pop(name, None)
        self._parameters.pop(name, None)

    def operations(self) -> list[str]:
        """The operations that were called since this was last asked."""
        made = [call.operation for call in self.calls]
        self.calls.clear()
        return made

    @staticmethod
    def arn(name: str, region: str = "eu-west-1") -> str:
        """The ARN of a secret."""
        return f"arn:aws:secretsmanager:{region}:{ACCOUNT}:secret:{name}-{f'{crc32(name.encode()):08x}'[:6]}"

    def answer(self, call: Call) -> Answer:
        """What is sent back for a request."""
        self.calls.append(call)
        if call.operation in self.answers:
            return self.answers[call.operation]
        if call.access_key in self.strangers:
            return error(self.strangers[call.access_key])
        try:
            if call.operation == "/secretsmanager/get":
                return self._agent(call)
            handler = getattr(self, f"_{call.operation}", None)
            return Answer(200, json.dumps(handler(call)).encode()) if handler else error("UnknownOperationException")
        except NoError as exc:
            return error(exc.code)

    def _agent(self, call: Call) -> Answer:
        if call.headers.get("x-aws-parameters-secrets-token") != self.token:
            return Answer(403, b"Bad Token")
        names = {"secretId": "SecretId", "versionId": "VersionId", "versionStage": "VersionStage"}
        return Answer(200, json.dumps(self._secret(call, {names[name]: value for name, value in call.body.items()})).encode())

    def _GetSecretValue(self, call: Call) -> Mapping[str, Any]:  # noqa: N802 - named by AWS
        return self._secret(call, call.body)

    def _BatchGetSecretValue(self, call: Call) -> Mapping[str, Any]:  # noqa: N802
        ids = call.body["SecretIdList"]
        if len(ids) > 20 or len({self._name(one) for one in ids}) < len(ids):
            raise NoError("InvalidParameterException")
        begin = int(call.body.get("NextToken", 0))
        end = begin + (self.page or len(ids))
        values, errors = [], []
        for one in ids[begin:end]:
            try:
                values.append(self._secret(call, {"SecretId": one}))
            except NoError as exc:
                errors.append({"SecretId": one, "ErrorCode": exc.code, "Message": "what the store wrote"})
        more = {"NextToken": str(end)} if end < len(ids) else {}
        return {"SecretValues": values, "Errors": errors, **more}

    def _secret(self, call: Call, wanted: Mapping[str, str]) -> Mapping[str, Any]:
        name = self._name(wanted["SecretId"])
        versions = self._found(self._secrets, name)
        stages = {"AWSCURRENT": -1, "AWSPREVIOUS": -2}
        place = stages.get(wanted.get("VersionStage", "AWSCURRENT"), 0)
        ids = [version for version, _ in versions]
        if "VersionId" in wanted:
            place = ids.index(wanted["VersionId"]) - len(ids) if wanted["VersionId"] in ids else 0
        if not place or len(versions) < -place:
            raise NoError("ResourceNotFoundException")
        version, value = versions[place]
        payload = {"SecretString": value} if isinstance(value, str) else {"SecretBinary": base64.b64encode(value).decode()}
        return {"ARN": self.arn(name, call.region or "eu-west-1"), "Name": name, "VersionId": version, **payload}

    def _name(self, secret_id: str) -> str:
        """The name of a secret that is asked for by name, by ARN, or by an ARN without its ending."""
        if not secret_id.startswith("arn:"):
            return secret_id
        tail = secret_id.split(":", 6)[6]
        return next((name for name in self._secrets if tail in (name, self.arn(name).split(":", 6)[6])), secret_id)

    def _GetParameters(self, call: Call) -> Mapping[str, Any]:  # noqa: N802
        names = call.body["Names"]
        if len(names) > 10 or len({name.partition(":")[0] for name in names}) < len(names):
            raise NoError("ValidationException")
        found, invalid = [], []
        for asked in names:
            name, _, version = asked.partition(":")
            if name in self.errors:
                raise NoError(self.errors[name])
            if name in self._parameters and (not version or int(version) <= len(self._parameters[name][1])):
                found.append(self._parameter(name, version))
            else:
                invalid.append(asked)
        return {"Parameters": found, "InvalidParameters": invalid}

    def _GetParametersByPath(self, call: Call) -> Mapping[str, Any]:  # noqa: N802
        path = call.body["Path"].rstrip("/") + "/"
        if path.rstrip("/") in self.errors:
            raise NoError(self.errors[path.rstrip("/")])
        names = sorted(name for name in self._parameters if name.startswith(path))
        begin = int(call.body.get("NextToken", 0))
        end = begin + call.body["MaxResults"]
        more = {"NextToken": str(end)} if end < len(names) else {}
        return {"Parameters": [self._parameter(name, "") for name in names[begin:end]], **more}

    def _parameter(self, name: str, version: str) -> Mapping[str, Any]:
        kind, values = self._parameters[name]
        number = int(version or len(values))
        selector = {"Selector": f":{version}"} if version else {}
        return {"Name": name, "Type": kind, "Value": values[number - 1], "Version": number, **selector}

    def _found(self, store: Mapping[str, list[tuple[str, str | bytes]]], name: str) -> list[tuple[str, str | bytes]]:
        if name in self.errors:
            raise NoError(self.errors[name])
        if name not in store:
            raise NoError("ResourceNotFoundException")
        return store[name]


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    block_on_close = True
    daemon_threads = False

    def __init__(self, double: AwsDouble, tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.double = double
        self._open: set[Any] = set()
        self._tls = tls

    def get_request(self) -> Any:
        """Accept, and remember the connection: those that are kept alive have to be ended."""
        sock, address = super().get_request()
        if self._tls is not None:
            sock = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        self._open.add(sock)
        return sock, address

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def end_connections(self) -> None:
        for sock in list(self._open):
            try:
                sock.shutdown(2)
            except OSError:
                continue  # the peer was first

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: clients go away in the middle, which is what they are tested for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one write an answer

    @property
    def _double(self) -> AwsDouble:
        assert isinstance(self.server, _Server)  # noqa: S101 - that is who makes handlers
        return self.server.double

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        self._answer(operation, json.loads(body) if body[:1] == b"{" else {})

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self._answer(url.path, {name: values[0] for name, values in parse_qs(url.query).items()})

    def _answer(self, operation: str, body: Mapping[str, Any]) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self._double.answer(Call(operation, body, headers))
        self.send_response(answer.status)
        for name, value in _with_defaults(answer):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate((timestamp or time()) + self._double.clock, usegmt=True)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by http.server
        """Nothing."""


def _with_defaults(answer: Answer) -> Iterator[tuple[str, str]]:
    defaults = {
        "content-type": "application/x-amz-json-1.1",
        "content-length": str(len(answer.body)),
        "x-amzn-requestid": str(uuid.uuid4()),
    }
    yield from {**defaults, **answer.headers}.items()
