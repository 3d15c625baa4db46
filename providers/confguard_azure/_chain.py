"""Which credentials the environment announces, in the order in which Azure's own chain asks them. Asks nobody itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from confguard.provider import Failure, hide

Kind = Literal["secret", "certificate", "workload", "managed", "cli", "code"]

SECRET, CERTIFICATE, TOKEN_FILE = "AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE"
CERTIFICATE_PASSWORD = "AZURE_CLIENT_CERTIFICATE_PASSWORD"  # noqa: S105 - the name of a variable
CHOICE = "AZURE_TOKEN_CREDENTIALS"

# What CHOICE may be, as Azure's chain takes it, and what is asked then.
_CHOICES: Mapping[str, Sequence[Kind]] = {
    "": ("secret", "certificate", "workload", "managed", "cli"),
    "prod": ("secret", "certificate", "workload", "managed"),
    "dev": ("cli",),
    "environmentcredential": ("secret", "certificate"),
    "workloadidentitycredential": ("workload",),
    "managedidentitycredential": ("managed",),
    "azureclicredential": ("cli",),
}

# Variables by which a platform says where its managed identity is; without them a machine has it at a fixed address.
_MANAGED = ("IDENTITY_ENDPOINT", "MSI_ENDPOINT", "AZURE_POD_IDENTITY_AUTHORITY_HOST")
_HEADERS = ("IDENTITY_HEADER", "MSI_SECRET")


@dataclass(frozen=True, slots=True)
class Source:
    """Somebody to ask for a token.

    Attributes:
        kind: Which of the SDK's credentials it is.
        name: What a message calls it.
        origin: The variable, or the argument, that a tip names.
        announced: Whether somebody has set it up: then its refusal is the answer, and nobody else is asked.
        failure: Why it cannot be asked, where that is known before.
    """

    kind: Kind
    name: str
    origin: str
    announced: bool = True
    failure: Failure | None = None

    def __str__(self) -> str:
        return f"azurekeyvault login by {self.name}"


def sources(variables: Mapping[str, str]) -> Sequence[Source] | Failure:
    """Whom to ask for a token, in order; or why that cannot be told. Credentials are told to the redactor."""
    choice = variables.get(CHOICE, "").strip().lower()
    if choice not in _CHOICES:
        return Failure(
            "unconfigured",
            f"azurekeyvault: {CHOICE} names a credential that is not asked here",
            "take prod, dev, EnvironmentCredential, WorkloadIdentityCredential, ManagedIdentityCredential or AzureCliCredential, "
            "or give the credential in code: AzureKeyVault(credential=…)",
        )
    hide(*(variables[name] for name in (SECRET, CERTIFICATE_PASSWORD, *_HEADERS) if variables.get(name)))
    found = [_source(kind, variables, chosen=choice.endswith("credential")) for kind in _CHOICES[choice]]
    return [source for source in found if source is not None]


def _source(kind: Kind, variables: Mapping[str, str], *, chosen: bool) -> Source | None:
    """One of them, where it could be there. One that was chosen by its name is announced."""
    if kind == "secret":
        return _application(Source(kind, "client secret", SECRET), variables) if variables.get(SECRET) else None
    if kind == "certificate":
        return _certificate(variables) if variables.get(CERTIFICATE) else None
    if kind == "workload":
        return _workload(variables) if variables.get(TOKEN_FILE) else None
    if kind == "managed":
        origin = next((name for name in _MANAGED if variables.get(name)), "")
        return Source(kind, "managed identity", origin or "the managed identity", announced=bool(origin) or chosen)
    return Source(kind, "Azure CLI", "az login", announced=chosen)


def _application(source: Source, variables: Mapping[str, str]) -> Source:
    """A source that needs to know an application and its tenant too."""
    unset = [name for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID") if not variables.get(name)]
    if not unset:
        return source
    message = f"{source}: {source.origin} is set, and {' and '.join(unset)} {'is' if len(unset) == 1 else 'are'} not"
    return _failing(source, Failure("unauthenticated", message, f"set {' and '.join(unset)} too"))


def _certificate(variables: Mapping[str, str]) -> Source:
    source = Source("certificate", "client certificate", CERTIFICATE)
    if not Path(variables[CERTIFICATE]).exists():
        return _failing(source, _not_there(source, variables[CERTIFICATE]))
    return _application(source, variables)


def _workload(variables: Mapping[str, str]) -> Source:
    source = Source("workload", "workload identity", TOKEN_FILE)
    path = variables[TOKEN_FILE]
    failure: Failure | None = None
    try:
        token = Path(path).read_text("utf-8").strip()
    except FileNotFoundError:
        failure = _not_there(source, path)
    except (OSError, UnicodeError):
        message = f"{source}: the file of {TOKEN_FILE} cannot be read"
        failure = Failure("unconfigured", message, f"make {path} a readable text file")
    else:
        if token:
            hide(token)
        else:
            failure = Failure("unavailable", f"{source}: the file of {TOKEN_FILE} is empty (yet)", f"is {path} written?")
    return _failing(source, failure) if failure else _application(source, variables)


def _not_there(source: Source, path: str) -> Failure:
    message = f"{source}: the file of {source.origin} is not there (yet)"
    return Failure("unavailable", message, f"is {path} written, and mounted here?")


def _failing(source: Source, failure: Failure) -> Source:
    return Source(source.kind, source.name, source.origin, failure=failure)
