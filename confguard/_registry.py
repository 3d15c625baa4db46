"""Which provider serves a scheme. Ours stand in a table; nothing is imported before a plan needs it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from confguard._reference import Reference
from confguard._stand_ins import is_local, stand_ins
from confguard._values import closest
from confguard.provider import Failure, Provider

if TYPE_CHECKING:
    from importlib import metadata

DISTRIBUTION = "confguard-settings"


GROUP = "confguard.providers"
"""The group of entry points in which others register a provider, each under the name of its scheme."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a provider of ours is, and the extra that brings its SDK.

    Attributes:
        module: The module that holds it.
        name: What it is called there.
        sdk: The module of its SDK; ``""`` where it needs none.
        extra: The extra that brings the SDK.
    """

    module: str
    name: str
    sdk: str = ""
    extra: str = ""

    @property
    def install(self) -> str:
        """The command that brings the SDK."""
        return f"pip install '{DISTRIBUTION}[{self.extra}]'"


_AWS = Entry("confguard_aws", "AWS", "botocore", "aws")
_VAULT = Entry("confguard_vault", "Vault", "hvac", "vault")
BUILTIN: Mapping[str, Entry] = {
    "awssecrets": _AWS,
    "awsssm": _AWS,
    "azurekeyvault": Entry("confguard_azure", "AzureKeyVault", "azure.keyvault.secrets", "azure"),
    "gcpsecrets": Entry("confguard_gcp", "GCP", "google.cloud.secretmanager_v1", "gcp"),
    "env": Entry("confguard_local", "Environment"),
    "file": Entry("confguard_local", "Files"),
    "openbao": _VAULT,
    "vault": _VAULT,
}


def find_provider(scheme: str, configured: Sequence[Provider], made: Sequence[Provider] = ()) -> Provider | Failure:
    """The provider of a scheme: what tests put in its place, else the one given in code, else a new one of ours or of others.

    Args:
        scheme: The scheme.
        configured: Providers given in code.
        made: Providers that were made before, of which one may serve this scheme too.

    Returns:
        The provider; or why there is none, ``unconfigured``: nobody serves the scheme, two do, or the SDK is not installed.
    """
    for stand_in in stand_ins():
        if scheme in stand_in.provider.schemes:
            return stand_in.provider
        if stand_in.remote and _is_remote(scheme, _find(scheme, configured, made)):
            return stand_in.provider
    return _find(scheme, configured, made)


def _is_remote(scheme: str, provider: Provider | Failure) -> bool:
    """Whether a scheme leads out of this machine. One that nobody serves leads nowhere: it is more likely a slip."""
    if isinstance(provider, Failure):
        return scheme in BUILTIN or provider.kind == "defect"
    return not is_local(provider)


def _find(scheme: str, configured: Sequence[Provider], made: Sequence[Provider]) -> Provider | Failure:
    claims = [provider for provider in configured if scheme in provider.schemes]
    if len(claims) > 1:
        return _two_claims(scheme, [type(provider).__qualname__ for provider in claims], "keep one of them in model_config")
    if claims:
        return claims[0]
    for provider in made:
        if scheme in provider.schemes:
            return provider
    return _of_ours(scheme, BUILTIN[scheme]) if scheme in BUILTIN else _registered(scheme)


def lacks_sdk(scheme: str) -> bool:
    """Whether a scheme is one of ours whose SDK is not installed."""
    return scheme in BUILTIN and bool(BUILTIN[scheme].sdk) and not _is_installed(BUILTIN[scheme].sdk)


def claims_on_ours(scheme: str) -> Failure | None:
    """Who else claims a scheme of ours by an entry point, which is never loaded."""
    others = _entry_points(scheme) if scheme in BUILTIN else []
    return _two_claims(scheme, [DISTRIBUTION, *map(_owner, others)], "uninstall the other") if others else None


def _of_ours(scheme: str, entry: Entry) -> Provider | Failure:
    if entry.sdk and not _is_installed(entry.sdk):
        return sdk_missing(scheme, entry.sdk)
    made: Provider = getattr(import_module(entry.module), entry.name)()
    return made


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even what it is a part of
        return False


def _registered(scheme: str) -> Provider | Failure:
    entries = _entry_points(scheme)
    if len(entries) > 1:
        return _two_claims(scheme, [_owner(entry) for entry in entries], "uninstall one of them")
    if not entries:
        return _unknown(scheme)
    try:
        made: Provider = entries[0].load()()
    except Exception as exc:  # noqa: BLE001 - told with its type; its text may hold anything
        name = type(exc).__qualname__
    else:
        return made
    return Failure("defect", f"the provider of {scheme}:// from {_owner(entries[0])} cannot be made: {name}")


def _entry_points(scheme: str) -> "list[metadata.EntryPoint]":
    from importlib import metadata  # which most loads never need

    return list({entry.value: entry for entry in metadata.entry_points(group=GROUP, name=scheme)}.values())


def _owner(entry: "metadata.EntryPoint") -> str:
    return f"{entry.dist.name} ({entry.value})" if entry.dist is not None else entry.value


def _two_claims(scheme: str, claims: Sequence[str], tip: str) -> Failure:
    return Failure("unconfigured", f"{scheme}:// is claimed twice: by {' and by '.join(claims)}", tip=tip)


def _unknown(scheme: str) -> Failure:
    meant = closest(scheme, BUILTIN)
    tip = f"did you mean {meant}://?" if meant else f"known are {', '.join(f'{name}://' for name in sorted(BUILTIN))}"
    return Failure("unconfigured", f"no provider for {scheme}://", tip=tip)


def sdk_missing(scheme: str, module: str | None) -> Failure:
    """The failure of a reference whose provider cannot import its SDK."""
    entry = BUILTIN.get(scheme)
    tip = entry.install if entry else "install what the provider of this scheme needs"
    return Failure("unconfigured", f"{scheme}:// needs the module {module or 'of its SDK'}, which is not installed", tip=tip)


def cannot_ask(provider: Provider, reference: Reference) -> Failure | None:
    """Why a provider cannot be asked for a reference, as far as that is known without asking: a parameter of it."""
    known: Collection[str] = getattr(provider, "parameters", ())
    for name, _ in reference.params:
        if name not in known:
            meant = closest(name, known)
            takes = f"{reference.scheme}:// takes {', '.join(sorted(known)) or 'no parameters'}"
            return Failure("unconfigured", f"unknown parameter {name!r}", tip=f"did you mean {meant!r}?" if meant else takes)
    return None
