"""Where to ask: the host of a location, or the one that was set."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from confguard_gcp._setup import SetupError

ENDPOINT_VARIABLE = "CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER"
"""Where gcloud's users set another endpoint (its property ``api_endpoint_overrides/secretmanager``)."""

PROJECT_VARIABLES = ("GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT")
"""Where the default project is set, the first that is not empty."""

UNIVERSE_VARIABLE = "GOOGLE_CLOUD_UNIVERSE_DOMAIN"

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\.?")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one location is asked.

    Attributes:
        host: The host, without brackets.
        port: The port.
        plain: Whether it speaks plain text, which only this machine may.
        ca_cert: A PEM file of the authorities to trust in place of gRPC's own.
        setting: What to change where it is the wrong one, for a tip.
    """

    host: str
    port: int = 443
    plain: bool = False
    ca_cert: str | None = None
    setting: str = field(default="the location", compare=False)

    @property
    def address(self) -> str:
        """Host and port as they stand in a message."""
        return self._host if self.port == 443 else f"{self._host}:{self.port}"

    @property
    def target(self) -> str:
        """What gRPC connects to."""
        return f"dns:///{self._host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine."""
        return _is_loopback(self.host)

    @property
    def _host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def endpoint(explicit: str | None, location: str | None, ca_cert: str | None, variables: Mapping[str, str]) -> Endpoint:
    """Where to ask for a location.

    Args:
        explicit: The endpoint that code gives: a host, with a port or not, or a URL.
        location: The location; None is that of secrets which are not regional.
        ca_cert: The file of the authorities to trust.
        variables: The environment.

    Raises:
        SetupError: The endpoint is none, is one of plain text on another machine, or the universe is no domain.
    """
    if explicit is not None:
        return _parsed(explicit, ca_cert, "GCP(endpoint=…)")
    if override := variables.get(ENDPOINT_VARIABLE):
        return _parsed(override, ca_cert, ENDPOINT_VARIABLE)
    universe = variables.get(UNIVERSE_VARIABLE) or "googleapis.com"
    if not _HOST.fullmatch(universe):
        raise SetupError(f"{UNIVERSE_VARIABLE} is not a domain", "set it to one such as googleapis.com, or take it out")
    if location is None:
        return Endpoint(f"secretmanager.{universe}", ca_cert=ca_cert, setting=UNIVERSE_VARIABLE)
    return Endpoint(f"secretmanager.{location}.rep.{universe}", ca_cert=ca_cert)


def _parsed(text: str, ca_cert: str | None, setting: str) -> Endpoint:
    """An endpoint as it was written; the text itself is never quoted, since it may be a secret that was misplaced."""
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    well_formed = (_HOST.fullmatch(host) or _is_loopback(host)) and parts.path in ("", "/")
    if not well_formed or parts.username is not None or parts.query or parts.fragment or parts.scheme not in ("http", "https"):
        raise SetupError(f"{setting} is not an endpoint", "write the host, with a port where it is not 443: secrets.example.com")
    plain = parts.scheme == "http"
    if plain and not _is_loopback(host):
        raise SetupError(f"{setting} is one of plain text", "use https; only this machine may be asked in plain text")
    return Endpoint(host, port or (80 if plain else 443), plain, ca_cert, setting)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
