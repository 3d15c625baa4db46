"""Which version of which secret a reference means. Pure functions: the resource names of the interface are put together here."""

import re
from dataclasses import dataclass

from confguard.provider import Reference
from confguard_gcp._setup import SetupError

LATEST = "latest"
"""The version where none is named: the newest that was added, whatever its state."""

GLOBAL = "global"
"""The location of secrets that are not regional."""

# From the interface's reference: a project is known by its id (with a domain before it where it is an old one) or its number.
_PROJECT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.:_-]*[A-Za-z0-9])?")
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,255}")
_VERSION = re.compile(r"[1-9][0-9]*|[A-Za-z][A-Za-z0-9_-]{0,62}")
_LOCATION = re.compile(r"[a-z][a-z0-9-]{0,61}[a-z0-9]")


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a secret.

    Attributes:
        project: The id or number of its project; None for the default one.
        secret: The name of the secret.
        version: A number, an alias or ``latest``.
        location: The location of a regional secret; None where the reference does not say.
    """

    project: str | None
    secret: str
    version: str = LATEST
    location: str | None = None


def version_of(ref: Reference) -> Version:
    """What a reference means.

    Raises:
        SetupError: Its path is no name of a secret, or its version or location cannot be one.
    """
    project, secret, version = _split(ref.path)
    asked = ref.param("version")
    if version is not None and asked is not None:
        raise SetupError("the version stands twice", "name it in the path or in ?version=, not in both")
    version = version or asked or LATEST
    location = ref.param("location")
    if project is not None:
        check(_PROJECT, project, "project", "an id such as shop-prod, or a number")
    check(_SECRET, secret, "secret", "up to 255 letters, digits, '_' and '-'")
    check(_VERSION, version, "version", "a number, an alias or latest")
    if location is not None:
        check(_LOCATION, location, "location", "one such as europe-west3, or global")
    return Version(project, secret, version, location)


def check_project(project: str) -> None:
    """Refuse what cannot be a project.

    Raises:
        SetupError: It cannot.
    """
    check(_PROJECT, project, "project", "an id such as shop-prod, or a number")


def check_location(location: str) -> None:
    """Refuse what cannot be a location: it becomes a part of the host's name.

    Raises:
        SetupError: It cannot.
    """
    check(_LOCATION, location, "location", "one such as europe-west3, or global")


def check(rule: re.Pattern[str], text: str, what: str, tip: str) -> None:
    """Refuse a name that breaks its rule.

    Raises:
        SetupError: It does.
    """
    if not rule.fullmatch(text):
        raise SetupError(f"this cannot be the name of a {what}", f"a {what} is {tip}")


def resource(version: Version, project: str, location: str | None) -> str:
    """The name of the secret in the interface: ``projects/shop/secrets/api-key``."""
    place = f"projects/{project}/locations/{location}" if location else f"projects/{project}"
    return f"{place}/secrets/{version.secret}"


def number_of(name: str, secret: str) -> str | None:
    """The number of the version that a reply names; None where it is not one of this secret."""
    found = re.fullmatch(rf"projects/[^/]+/(?:locations/[^/]+/)?secrets/{re.escape(secret)}/versions/([1-9][0-9]*)", name)
    return found[1] if found else None


def _split(path: str) -> tuple[str | None, str, str | None]:
    """Project, secret and version of a path: the short form, or the full name of the interface."""
    match path.split("/"):
        case [secret]:
            return None, secret, None
        case [project, secret]:
            return project, secret, None
        case ["projects", project, "secrets", secret]:
            return project, secret, None
        case ["projects", project, "secrets", secret, "versions", version]:
            return project, secret, version
        case ["projects", project, "locations", location, "secrets", secret, *_]:
            tip = f"write gcpsecrets://{project}/{secret}?location={location}"
            raise SetupError("a location cannot stand in the path: it decides which host is asked", tip)
        case _:
            raise SetupError("this is no name of a secret", "write gcpsecrets://PROJECT/SECRET, or gcpsecrets://SECRET")
