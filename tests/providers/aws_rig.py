"""What the tests of the AWS provider share: a store to put values into, and a load as the core does it."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from confguard._reference import parse_reference
from confguard.provider import Deadline, Failure, Found, Provider
from confguard.testing._aws import AwsDouble
from confguard_aws import Aws

REGION = "eu-west-1"


def run(provider: Provider, *references: str, seconds: float = 10.0) -> dict[str, Found | Failure]:
    """Fetch as the core does: one deadline, which cuts when it has passed, then close."""
    refs = [parse_reference(text) for text in references]
    deadline = Deadline(seconds)
    try:
        results = provider.fetch(refs, deadline=deadline)
    finally:
        if deadline.passed:
            deadline.cut()
        if (close := getattr(provider, "close", None)) is not None:
            close()
        deadline.close()
    assert results.keys() == set(refs)
    return {text: results[ref] for text, ref in zip(references, refs, strict=True)}


def run_one(provider: Provider, reference: str, seconds: float = 10.0) -> Found | Failure:
    """`run` for one reference."""
    return run(provider, reference, seconds=seconds)[reference]


def failure(provider: Provider, reference: str, seconds: float = 10.0) -> Failure:
    """The failure of one reference, which must be one."""
    result = run_one(provider, reference, seconds)
    assert isinstance(result, Failure), result
    return result


def value(provider: Provider, reference: str) -> str | bytes:
    """The value of one reference, which must have one."""
    result = run_one(provider, reference)
    assert isinstance(result, Found), result
    return result.value


class AwsSecretsRig:
    """Secrets Manager, to drive it without knowing what it is. The environment must hold credentials."""

    scheme = "awssecrets"

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.double = AwsDouble(tls).__enter__()
        self.port = self.double.port

    def reference(self, name: str) -> str:
        """The reference of a value put under this name."""
        return f"awssecrets://{name}"

    def put(self, name: str, value: str | bytes) -> None:
        """Write a value."""
        self.double.put_secret(name, value)

    def delete(self, name: str) -> None:
        """Take a value away."""
        self.double.delete(name)

    def deny(self, name: str) -> None:
        """Deny later fetches of a value."""
        self.double.errors[name] = "AccessDeniedException"

    def provider(self, port: int | None = None) -> Provider:
        """A provider for the server, or for what stands before it."""
        return Aws(region=REGION, endpoint_url=f"http://127.0.0.1:{port or self.port}")

    def requests(self) -> int:
        """How many requests the server has had since this was last asked."""
        return len(self.double.operations())

    def close(self) -> None:
        """End the server."""
        self.double.__exit__(None, None, None)


class SsmRig(AwsSecretsRig):
    """Parameter Store, in the same way; its values are text."""

    scheme = "awsssm"

    def reference(self, name: str) -> str:
        """The reference of a value put under this name."""
        return f"awsssm:///{name}"

    def put(self, name: str, value: str | bytes) -> None:
        """Write a value."""
        assert isinstance(value, str), "parameters hold text"
        self.double.put_parameter(f"/{name}", value)

    def delete(self, name: str) -> None:
        """Take a value away."""
        self.double.delete(f"/{name}")

    def deny(self, name: str) -> None:
        """Deny later fetches of a value."""
        self.double.errors[f"/{name}"] = "AccessDeniedException"


@contextmanager
def secrets_rig() -> Iterator[AwsSecretsRig]:
    """An `AwsSecretsRig`, closed at the end."""
    rig = AwsSecretsRig()
    try:
        yield rig
    finally:
        rig.close()
