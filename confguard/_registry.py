"""Which provider serves a scheme. Ours stand in a table; nothing is imported before a plan needs it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module

from confguard._reference import Reference
from confguard._values import closest
from confguard.provider import Failure, Provider

DISTRIBUTION = "confguard-settings"


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a provider of ours is, and the extra that brings its SDK."""

    module: str
    name: str
    extra: str

    @property
    def install(self) -> str:
        """The command that brings the SDK."""
        return f"pip install '{DISTRIBUTION}[{self.extra}]'"


_VAULT = Entry("confguard_vault", "Vault", "vault")
BUILTIN: Mapping[str, Entry] = {"vault": _VAULT, "openbao": _VAULT}


def find_provider(scheme: str, configured: Sequence[Provider]) -> Provider | None:
    """The provider of a scheme: the one given in code, else a new one of ours; None where there is none."""
    for provider in configured:
        if scheme in provider.schemes:
            return provider
    entry = BUILTIN.get(scheme)
    if entry is None:
        return None
    made: Provider = getattr(import_module(entry.module), entry.name)()
    return made


def sdk_missing(scheme: str, module: str | None) -> Failure:
    """The failure of a reference whose provider cannot import its SDK."""
    entry = BUILTIN.get(scheme)
    tip = entry.install if entry else "install what the provider of this scheme needs"
    return Failure("unconfigured", f"{scheme}:// needs the module {module or 'of its SDK'}, which is not installed", tip=tip)


def cannot_ask(provider: Provider | None, reference: Reference) -> Failure | None:
    """Why a reference can be asked of nobody, as far as that is known without asking: its scheme, or a parameter of it."""
    if provider is None:
        meant = closest(reference.scheme, BUILTIN)
        tip = f"did you mean {meant}://?" if meant else f"known are {', '.join(f'{name}://' for name in sorted(BUILTIN))}"
        return Failure("unconfigured", f"no provider for {reference.scheme}://", tip=tip)
    known: Collection[str] = getattr(provider, "parameters", ())
    for name, _ in reference.params:
        if name not in known:
            meant = closest(name, known)
            takes = f"{reference.scheme}:// takes {', '.join(sorted(known)) or 'no parameters'}"
            return Failure("unconfigured", f"unknown parameter {name!r}", tip=f"did you mean {meant!r}?" if meant else takes)
    return None
