"""What a payload or a refusal of the store means for the version that was asked for."""

from collections.abc import Mapping
from dataclasses import dataclass

from confguard.provider import Failure, Found
from confguard_gcp._client import Client, Payload
from confguard_gcp._endpoint import Endpoint
from confguard_gcp._failures import FAULTS, STATES, Refusal, failure, refusal_failure
from confguard_gcp._names import number_of


@dataclass(frozen=True, slots=True)
class Ask:
    """A version to ask for.

    Attributes:
        what: What a message calls it.
        place: Where it is asked for.
        project: Its project.
        secret: The secret's name alone.
        resource: The secret's full name in the interface.
        version: The version: a number, an alias or ``latest``.
    """

    what: str
    place: Endpoint
    project: str
    secret: str
    resource: str
    version: str

    @property
    def name(self) -> str:
        """The full name of the version."""
        return f"{self.resource}/versions/{self.version}"

    def __str__(self) -> str:
        return f"{self.what} at {self.place.address}"


def answer(client: Client, ask: Ask, login: Mapping[str, str]) -> Found | Failure | Refusal:
    """Ask for a version.

    Returns:
        Its payload, or why there is none; the refusal itself where that is ``UNAVAILABLE``, which may be a fault of the
        connection: see `unavailable`.
    """
    reply = client.access(ask.name)
    if isinstance(reply, Payload):
        return _found(reply, ask)
    if reply.code == "UNAVAILABLE" and not reply.reason:
        return reply
    words = _words(ask, login)
    if reply.code == "FAILED_PRECONDITION" and not reply.reason:
        # Its text alone tells the state, which another call tells by a code, to those who may make it.
        state = client.state(ask.name)
        if isinstance(state, str) and state in STATES:
            return failure(STATES[state], ask.what, words)
    return refusal_failure(reply, ask.what, words)


def unavailable(ask: Ask, refusal: Refusal, fault: str, login: Mapping[str, str]) -> Failure:
    """The failure of a call that had no answer, by the fault of the connection, which `confguard_gcp._faults` tells."""
    if fault == "failed":
        return refusal_failure(refusal, f"{ask}", _words(ask, login))
    return failure(FAULTS[fault], f"{ask}", _words(ask, login))


def _words(ask: Ask, login: Mapping[str, str]) -> dict[str, str]:
    ca = "GCP(ca_cert=…)" if ask.place.ca_cert else "GCP(ca_cert=…) or GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"
    return {**login, "RESOURCE": ask.resource, "PROJECT": ask.project, "ENDPOINT": ask.place.setting, "CA": ca}


def _found(payload: Payload, ask: Ask) -> Found | Failure:
    """The payload, if it is the one that was asked for, and whole."""
    import google_crc32c

    number = number_of(payload.name, ask.secret)
    if payload.data is None or number is None:
        return Failure(
            "malformed", f"{ask.what}: a reply without the payload", f"check that {ask.place.setting} leads to Secret Manager"
        )
    # Always there but for versions that are older than the checksum itself. The SDK does not look at it.
    if payload.checksum is not None and payload.checksum != google_crc32c.value(payload.data):
        return Failure("malformed", f"{ask.what}: the payload is not what its checksum (CRC32C) says", "try again")
    try:
        return Found(payload.data.decode(), number)
    except UnicodeDecodeError:
        pass
    return Found(payload.data, number)
