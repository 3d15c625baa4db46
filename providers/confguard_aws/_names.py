"""What a reference asks for: the name that AWS knows it by, and where. Does no I/O.

Two references that ask for the same are equal here, however they were written.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from confguard.provider import Failure, Reference

T = TypeVar("T")

_ARN = re.compile(r"arn:(aws[a-z-]*):([a-z]+):([a-z0-9-]+):([0-9]{12}):(.+)")
# Secrets Manager ends the ARN of each secret with a hyphen and six random characters.
_ENDING = re.compile(r"-[A-Za-z0-9]{6}\Z")
_VERSION = re.compile(r"[1-9][0-9]{0,17}")


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret of Secrets Manager.

    Attributes:
        id: Its name or its ARN.
        region: Where it is; None is the region that is configured.
        version: The id of the version that is wanted; None where it is not pinned to one.
        stage: The staging label of the version that is wanted; None where it is not pinned to one.
        name: What a failure calls it.
    """

    id: str
    region: str | None = None
    version: str | None = None
    stage: str | None = None
    name: str = field(default="", compare=False)

    service = "secretsmanager"
    action = "GetSecretValue"

    @property
    def plain_name(self) -> str:
        """Its name, also where it is asked for by ARN."""
        return _ENDING.sub("", self.id.split(":", 6)[6]) if self.id.startswith("arn:") else self.id

    @property
    def batched(self) -> bool:
        """Whether ``BatchGetSecretValue`` takes it: it has no place for a version, and wants names or whole ARNs."""
        whole = not self.id.startswith("arn:") or _ENDING.search(self.id) is not None
        return whole and self.version is None and self.stage is None

    @property
    def is_by_arn(self) -> bool:
        """Whether it is asked for by ARN, which tells partition, region and account."""
        return self.id.startswith("arn:")

    def resource_in(self, partition: str, region: str) -> str:
        """What a policy of IAM calls it."""
        if self.is_by_arn:
            return self.id if _ENDING.search(self.id) else f"{self.id}-??????"
        return f"arn:{partition}:secretsmanager:{region}:*:secret:{self.id}-??????"

    def is_answered_by(self, name: object, arn: object) -> bool:
        """Whether a secret of this name and ARN is the one."""
        if self.id.startswith("arn:"):
            return isinstance(arn, str) and (arn == self.id or _ENDING.sub("", arn) == self.id)
        return name == self.id

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of Parameter Store.

    Attributes:
        id: Its name, with its leading slash where it has one, or its ARN; without version and label.
        region: Where it is; None is the region that is configured.
        selector: ``:3`` or ``:label``, or ``""`` for the newest version.
        name: What a failure calls it.
    """

    id: str
    region: str | None = None
    selector: str = ""
    name: str = field(default="", compare=False)

    service = "ssm"
    action = "GetParameters"

    @property
    def plain_name(self) -> str:
        """Its name without a leading slash, which its ARN does not tell, also where it is asked for by ARN."""
        name = self.id.split(":", 5)[5].removeprefix("parameter") if self.id.startswith("arn:") else self.id
        return name.removeprefix("/")

    @property
    def is_by_arn(self) -> bool:
        """Whether it is asked for by ARN, which tells partition, region and account."""
        return self.id.startswith("arn:")

    def resource_in(self, partition: str, region: str) -> str:
        """What a policy of IAM calls it."""
        return self.id if self.is_by_arn else _parameter_arn(self.id, partition, region)

    def is_answered_by(self, name: object, arn: object) -> bool:
        """Whether a parameter of this name and ARN is the one."""
        return self.id in (name, arn)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Below:
    """All parameters below a path.

    Attributes:
        path: The path, with its leading slash and without one at the end.
        name: What a failure calls it.
    """

    path: str
    name: str = field(default="", compare=False)

    service = "ssm"
    action = "GetParametersByPath"
    region = None
    is_by_arn = False

    def resource_in(self, partition: str, region: str) -> str:
        """What a policy of IAM calls it: the path itself, and not what is below."""
        return _parameter_arn(self.path, partition, region)

    def __str__(self) -> str:
        return self.name


Ask = Secret | Parameter | Below


def ask_of(reference: Reference) -> Ask | Failure:
    """What a reference asks for.

    Dot segments are refused: no name has them, and they would be folded by what may stand between us and a store.
    """
    if not {".", "..", ""}.isdisjoint(reference.path.removeprefix("/").removesuffix("/").split("/")):
        return Failure("unconfigured", f"{reference}: an empty or dot segment in its path", "write the name itself")
    return _secret(reference) if reference.scheme == "awssecrets" else _parameter(reference)


def _secret(reference: Reference) -> Secret | Failure:
    path, version, stage = reference.path, reference.param("version"), reference.param("stage")
    pins = "&".join(f"{name}={value}" for name, value in (("stage", stage), ("version", version)) if value)
    name = f"awssecrets {path}?{pins}" if pins else f"awssecrets {path}"
    if not path.startswith("arn:"):
        return Secret(path, None, version, stage, name)
    found = _ARN.fullmatch(path)
    if found is None or found[2] != "secretsmanager" or not found[5].startswith("secret:"):
        return Failure(
            "unconfigured", f"{name}: this is not the ARN of a secret", "arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME"
        )
    return Secret(path, found[3], version, stage, name)


def _parameter(reference: Reference) -> Parameter | Below | Failure:
    path, version = reference.path, reference.param("version")
    name = f"awsssm {path}?version={version}" if version else f"awsssm {path}"
    if reference.param("stage") is not None:
        return Failure("unconfigured", f"{name}: parameters have labels, and no stages", "write :LABEL at the end of the name")
    begin = ":".join(path.split(":", 5)[:5]) + ":" if path.startswith("arn:") else ""
    inside, colon, selector = path.removeprefix(begin).partition(":")
    if inside.endswith("/") and not (begin or colon or version):
        return Below(f"/{inside.strip('/')}", name)
    if inside.endswith("/") or (colon and not selector):
        return Failure(
            "unconfigured", f"{name}: this is not the name of a parameter", "write NAME, NAME:VERSION, NAME:LABEL or PATH/"
        )
    if version is not None and (colon or not _VERSION.fullmatch(version)):
        return Failure("unconfigured", f"{name}: ?version= is no number, or stands beside ':'", "write ?version=3 or :3")
    pinned = f":{selector or version}" if selector or version else ""
    if not begin:
        return Parameter(f"/{inside}" if "/" in inside and not inside.startswith("/") else inside, None, pinned, name)
    found = _ARN.fullmatch(begin + inside)
    if found is None or found[2] != "ssm" or not found[5].startswith("parameter/"):
        return Failure("unconfigured", f"{name}: this is not the ARN of a parameter", "arn:aws:ssm:REGION:ACCOUNT:parameter/NAME")
    return Parameter(begin + inside, found[3], pinned, name)


def _parameter_arn(name: str, partition: str, region: str) -> str:
    return f"arn:{partition}:ssm:{region}:*:parameter/{name.removeprefix('/')}"


def batches(items: Iterable[T], size: int, key: Callable[[T], object]) -> Sequence[Sequence[T]]:
    """Parts of so many items at most, in none of which two have the same key: AWS may refuse a call that asks twice for one."""
    made: list[dict[object, T]] = []
    for item in items:
        own = key(item)
        place = next((batch for batch in made if len(batch) < size and own not in batch), None)
        if place is None:
            made.append(place := {})
        place[own] = item
    return [tuple(batch.values()) for batch in made]
