"""The server for ``awssecrets://`` and ``awsssm://``: moto."""

import base64
import secrets
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from confguard.testing._moto import PARAMETERS, SECRETS, Moto, MotoError
from confguard.testing._server import Server, Value, text_of

if TYPE_CHECKING:
    from confguard._reference import Reference

_SERVICES = {"awssecrets": SECRETS, "awsssm": PARAMETERS}


class AwsServer(Server):
    """moto: AWS, as far as moto has it, for whatever SDK finds it by `environ`."""

    schemes: ClassVar[frozenset[str]] = frozenset(_SERVICES)

    def __init__(self, moto: Moto, region: str) -> None:
        address = f"http://127.0.0.1:{moto.port}"
        environ = {
            "AWS_ENDPOINT_URL": address,
            "AWS_DEFAULT_REGION": region,
            "AWS_ACCESS_KEY_ID": f"AKIA{secrets.token_hex(8).upper()}",
            "AWS_SECRET_ACCESS_KEY": secrets.token_hex(20),
        }
        super().__init__(address, moto.port, environ)
        self._moto = moto

    def clear(self) -> None:
        self._moto.clear()

    def _put(self, reference: "Reference", value: Value) -> None:
        service, name = _place(reference)
        if service == SECRETS:
            self._put_secret(name, value)
        elif not reference.path.endswith("/"):
            self._put_parameter(name, text_of(value, "Parameter Store"))
        elif isinstance(value, Mapping):
            for path, text in _leaves(name, value):
                self._put_parameter(path, text)
        else:
            raise TypeError(f"'{reference}': a path that ends in '/' is many parameters: put a mapping, or leave the '/' out")

    def _put_parameter(self, name: str, value: str) -> None:
        self._moto.call(PARAMETERS, "PutParameter", Name=name, Value=value, Type="SecureString", Overwrite=True)

    def _put_secret(self, name: str, value: Value) -> None:
        if isinstance(value, bytes):
            payload = {"SecretBinary": base64.b64encode(value).decode()}
        else:
            payload = {"SecretString": text_of(value, "Secrets Manager")}
        try:
            self._moto.call(SECRETS, "CreateSecret", Name=name, **payload)
        except MotoError as exc:
            if exc.code != "ResourceExistsException":
                raise
            self._moto.call(SECRETS, "PutSecretValue", SecretId=name, **payload)

    def _delete(self, reference: "Reference") -> None:
        service, name = _place(reference)
        if reference.path.endswith("/"):
            raise ValueError(f"'{reference}': name one parameter, without a '/' at the end")
        try:
            if service == SECRETS:
                self._moto.call(service, "DeleteSecret", SecretId=name, ForceDeleteWithoutRecovery=True)
            else:
                self._moto.call(service, "DeleteParameter", Name=name)
        except MotoError as exc:
            if exc.code not in {"ResourceNotFoundException", "ParameterNotFound"}:
                raise

    def _deny(self, reference: "Reference") -> None:
        self._moto.deny(*_place(reference))


def _place(reference: "Reference") -> tuple[str, str]:
    """The service, and what it calls this; the provider reads a path in the same way."""
    if ":" in reference.path:
        raise ValueError(f"'{reference}': name it without an ARN, a version and a label; the store makes these itself")
    if reference.scheme == "awssecrets":
        return SECRETS, reference.path
    name = reference.path.rstrip("/")
    return PARAMETERS, f"/{name}" if "/" in reference.path and not name.startswith("/") else name


def _leaves(path: str, values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """The parameters below a path: each key of an object is a segment."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(f"{path}/{key}", value)
        else:
            yield f"{path}/{key}", str(value)


@contextmanager
def serve(region: str) -> Generator[AwsServer]:
    """A server of its own."""
    with Moto(region) as moto:
        yield AwsServer(moto, region)
