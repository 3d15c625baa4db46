"""What is not given in code, as the environment has it."""

from collections.abc import Mapping
from dataclasses import dataclass

from confguard.provider import Failure

# In the order of `requests`, which the SDK speaks through; the last one is OpenSSL's, which the SDK does not look at.
_AUTHORITIES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


CA = "AzureKeyVault(ca_cert=…) or REQUESTS_CA_BUNDLE"
"""What a tip calls the authorities to trust."""


class SetupError(Exception):
    """What is set cannot work. Made by us, so it holds no secret."""

    def __init__(self, message: str, tip: str) -> None:
        super().__init__(message)
        self.failure = Failure("unconfigured", f"azurekeyvault: {message}", tip=tip)


@dataclass(frozen=True, slots=True)
class CaFile:
    """A PEM file, or a directory of them, of the authorities to trust, and where that was set."""

    path: str
    origin: str


def ca_file(given: str | None, variables: Mapping[str, str]) -> CaFile | None:
    """The authorities that are set; None where the SDK's own are to be trusted."""
    if given:
        return CaFile(given, "AzureKeyVault(ca_cert=…)")
    return next((CaFile(variables[name], name) for name in _AUTHORITIES if variables.get(name)), None)
