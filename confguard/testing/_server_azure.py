"""The server for ``azurekeyvault://``: our double of Key Vault and of Microsoft Entra."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from confguard.testing._azure import AzureDouble
from confguard.testing._server import Server, Value, text_of

if TYPE_CHECKING:
    from confguard._reference import Reference


class AzureServer(Server):
    """A double of Azure Key Vault. Vaults have the names that something was put under.

    It is a proxy too, which is all of Azure to whoever goes through it, and nothing else of the web. A vault is known by the
    name of its host, so `environ` is the only way to it.
    """

    schemes: ClassVar[frozenset[str]] = frozenset({"azurekeyvault"})

    def __init__(self, double: AzureDouble) -> None:
        super().__init__(double.address, double.port, double.environment())
        self._double = double

    def clear(self) -> None:
        self._double.clear()

    def _put(self, reference: "Reference", value: Value) -> None:
        vault, name = _places(reference)
        self._double.put(name, text_of(value, "Key Vault"), vault)

    def _delete(self, reference: "Reference") -> None:
        vault, name = _places(reference)
        self._double.delete(name, vault)

    def _deny(self, reference: "Reference") -> None:
        vault, name = _places(reference)
        self._double.deny(name, vault)


def _places(reference: "Reference") -> tuple[str, str]:
    vault, _, name = reference.path.strip("/").partition("/")
    if not name or "/" in name:
        raise ValueError(f"'{reference}': not of the form azurekeyvault://VAULT/SECRET")
    return vault.lower(), name


@contextmanager
def serve() -> Generator[AzureServer]:
    """A server of its own."""
    with AzureDouble() as double:
        yield AzureServer(double)
