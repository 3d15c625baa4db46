"""A stand-in for Secrets Manager and Parameter Store, over real sockets on 127.0.0.1.

It reads as they do, keeps connections alive as they do, and says no as they do: in JSON, also where a policy denies. It is as
strict as the strictest reading of their documentation: an id that stands twice in one call is refused.
"""

import base64
import json
import ssl
import threading
import uuid
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from zlib import crc32

from confguard.testing._aws_http import Answer, Call, Server

__all__ = ["ACCOUNT", "Answer", "AwsDouble", "Call", "error"]

ACCOUNT = "123456789012"


class AwsError(Exception):
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
        self._server = Server(self, tls)
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
        except AwsError as exc:
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
            raise AwsError("InvalidParameterException")
        begin = int(call.body.get("NextToken", 0))
        end = begin + (self.page or len(ids))
        values, errors = [], []
        for one in ids[begin:end]:
            try:
                values.append(self._secret(call, {"SecretId": one}))
            except AwsError as exc:
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
            raise AwsError("ResourceNotFoundException")
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
            raise AwsError("ValidationException")
        found, invalid = [], []
        for asked in names:
            name, _, version = asked.partition(":")
            if name in self.errors:
                raise AwsError(self.errors[name])
            if name in self._parameters and (not version or int(version) <= len(self._parameters[name][1])):
                found.append(self._parameter(name, version))
            else:
                invalid.append(asked)
        return {"Parameters": found, "InvalidParameters": invalid}

    def _GetParametersByPath(self, call: Call) -> Mapping[str, Any]:  # noqa: N802
        path = call.body["Path"].rstrip("/") + "/"
        if path.rstrip("/") in self.errors:
            raise AwsError(self.errors[path.rstrip("/")])
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
            raise AwsError(self.errors[name])
        if name not in store:
            raise AwsError("ResourceNotFoundException")
        return store[name]
