"""What the tests of the AWS provider share: a store to put values into, and a load as the core does it."""

import ssl
from collections.abc import Mapping
from pathlib import Path

import trustme

from confguard._reference import parse_reference
from confguard.provider import Deadline, Failure, FailureKind, Found, Provider
from confguard.testing._aws import AwsDouble
from confguard_aws import AWS
from tests.providers.faults import FaultyStore

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


class AwsStore(FaultyStore):
    """Secrets Manager as the store of the conformance tests and of the table of faults, over TLS.

    The environment must hold credentials, and the home directory be the test's own.
    """

    def __init__(self, folder: Path, secret_key: str) -> None:
        authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        self._ca_bundle = folder / "ca.pem"
        authority.cert_pem.write_to_path(self._ca_bundle)
        self.double = AwsDouble(context)
        self.double.strangers = {"AKIASTRANGER": "UnrecognizedClientException", "AKIAGUEST": "AccessDeniedException"}
        self.port = self.double.port
        self.credentials = [secret_key]
        profiles = [
            f"[{name}]\naws_access_key_id = AKIA{name}\naws_secret_access_key = {secret_key}\n" for name in ("STRANGER", "GUEST")
        ]
        (Path.home() / ".aws").mkdir()
        (Path.home() / ".aws" / "credentials").write_text("".join(profiles))

    def reference(self, name: str) -> str:
        return f"awssecrets://{name}"

    def provider(self, port: int | None = None) -> Provider:
        return self._aws(port=port)

    def put(self, name: str, value: str | bytes) -> None:
        self.double.put_secret(name, value)

    def delete(self, name: str) -> None:
        self.double.delete(name)

    def deny(self, name: str) -> None:
        self.double.errors[name] = "AccessDeniedException"

    def failing(self) -> Mapping[FailureKind, Provider]:
        return {
            "unauthenticated": self._aws(profile="STRANGER"),
            "denied": self._aws(profile="GUEST"),
            "unconfigured": self._aws(profile="nobody"),
            "unavailable": self._aws(port=9),
        }

    def misplaced(self) -> Mapping[str, Provider]:
        return {
            "unresolved": AWS(region=REGION, endpoint_url="https://store.invalid"),
            "wrong name": AWS(region=REGION, endpoint_url=f"https://localhost:{self.port}", ca_bundle=self._ca_bundle),
            "unknown authority": AWS(region=REGION, endpoint_url=f"https://127.0.0.1:{self.port}"),
        }

    def requests(self) -> int:
        return len(self.double.calls)

    def _aws(self, *, port: int | None = None, profile: str | None = None) -> AWS:
        address = f"https://127.0.0.1:{port or self.port}"
        return AWS(region=REGION, profile=profile, endpoint_url=address, ca_bundle=self._ca_bundle)


class SsmStore(AwsStore):
    """Parameter Store, in the same way; its values are text."""

    largest = 8192

    def reference(self, name: str) -> str:
        return f"awsssm:///{name}"

    def put(self, name: str, value: str | bytes) -> None:
        assert isinstance(value, str), "parameters hold text"
        self.double.put_parameter(f"/{name}", value)

    def delete(self, name: str) -> None:
        self.double.delete(f"/{name}")

    def deny(self, name: str) -> None:
        self.double.errors[f"/{name}"] = "AccessDeniedException"
