"""Which secret of which vault a reference names, and where that vault is. Does no I/O.

A reference names a vault and never a host: whoever may write one value must not choose where a token is sent to.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from confguard.provider import Failure, Reference

# Microsoft's rules for the names of vaults, of secrets and of their versions.
_VAULT = re.compile(r"(?=.{3,24}\Z)[A-Za-z](?:-?[A-Za-z0-9])*")
_SECRET = re.compile(r"[0-9A-Za-z-]{1,127}")
_VERSION = re.compile(r"[0-9A-Za-z]{1,64}")

PUBLIC = "login.microsoftonline.com"
CLOUDS: Mapping[str, str] = {
    PUBLIC: "vault.azure.net",
    "login.chinacloudapi.cn": "vault.azure.cn",
    "login.partner.microsoftonline.cn": "vault.azure.cn",
    "login.microsoftonline.us": "vault.usgovcloudapi.net",
}
"""By the host that gives tokens, what the vaults of its cloud are called in the DNS."""

AUTHORITY = "AZURE_AUTHORITY_HOST"


@dataclass(frozen=True, slots=True)
class Vaults:
    """Where vaults are.

    Attributes:
        urls: The addresses of those that code names, by the name that references use.
        authority: The host that gives tokens, and so decides the cloud.
        origin: Where that was set.
    """

    urls: Mapping[str, str]
    authority: str
    origin: str

    def url(self, vault: str) -> str | Failure:
        """The address of a vault, without a path; or why it is not known."""
        what = f"azurekeyvault {vault}"
        if given := self.urls.get(vault):
            return given.rstrip("/") if is_origin(given) else _bad_address(what)
        if "." in vault or ":" in vault:
            return Failure(
                "unconfigured",
                f"{what}: an address, and not the name of a vault",
                f"write the name alone: {AUTHORITY} chooses the cloud, and AzureKeyVault(vaults=…) in code an address",
            )
        if not _VAULT.fullmatch(vault):
            return Failure(
                "unconfigured",
                f"{what}: not the name of a vault",
                "a vault's name is 3 to 24 letters, digits and single hyphens, and begins with a letter",
            )
        if suffix := CLOUDS.get(self.authority):
            return f"https://{vault.lower()}.{suffix}"
        return Failure(
            "unconfigured",
            f"{what}: the cloud of {self.origin} is not a known one",
            f'name the vault\'s address in AzureKeyVault(vaults={{"{vault}": "https://…"}})',
        )


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret to read. Two that ask for the same are equal, however their references were written."""

    url: str
    key: str
    version: str
    vault: str = field(compare=False)
    name: str = field(compare=False)

    @property
    def by_name(self) -> bool:
        """Whether the vault's host was made from its name."""
        return any(self.url.endswith(f".{suffix}") for suffix in CLOUDS.values())

    def __str__(self) -> str:
        return f"azurekeyvault {self.vault}/{self.name}" + (f"/{self.version}" if self.version else "")


def secret_of(reference: Reference, vaults: Vaults) -> Secret | Failure:
    """What to read for a reference."""
    vault, *rest = reference.path.strip("/").split("/")
    what = f"azurekeyvault {reference.path.strip('/')}"
    if not 1 <= len(rest) <= 2:
        return Failure("unconfigured", f"{what}: not of the form VAULT/SECRET", "write azurekeyvault://VAULT/SECRET[/VERSION]")
    name, version = rest[0], rest[1] if len(rest) == 2 else ""
    asked = reference.param("version")
    if asked and version and asked != version:
        return Failure("unconfigured", f"{what}: two versions", "write the version behind the name, or as ?version=, not both")
    version = version or asked or ""
    if not _SECRET.fullmatch(name):
        return Failure("unconfigured", f"{what}: not the name of a secret", "it is made of letters, digits and hyphens")
    if version and not _VERSION.fullmatch(version):
        return Failure("unconfigured", f"{what}: not a version", "it is made of letters and digits; leave it out for the newest")
    url = vaults.url(vault)
    return url if isinstance(url, Failure) else Secret(url, name.lower(), version, vault, name)


def is_origin(url: str) -> bool:
    """Whether this is ``https://host[:port]`` and nothing more."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    rest = parts.path.strip("/") or parts.query or parts.fragment or parts.username or parts.password
    return parts.scheme == "https" and bool(parts.hostname) and port != 0 and not rest and re.search(r"[\s\\]", url) is None


def authority_of(given: str | None, variables: Mapping[str, str]) -> tuple[str, str]:
    """The host that gives tokens, in lower case and without a scheme, and where it was set."""
    value = given or variables.get(AUTHORITY) or PUBLIC
    host = value.strip().removeprefix("https://").rstrip("/").lower()
    return host, "AzureKeyVault(authority=…)" if given else AUTHORITY


def _bad_address(what: str) -> Failure:
    return Failure(
        "unconfigured",
        f"{what}: AzureKeyVault(vaults=…) does not hold an address for it",
        "write https://HOST there, without a path or a user",
    )
