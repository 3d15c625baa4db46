"""One load: its connections, its vaults, and their secrets side by side."""

from collections.abc import Sequence

from confguard.provider import Deadline, Failure, Found, fan_out
from confguard_azure._client import Client, Options
from confguard_azure._identity import Identity, forget
from confguard_azure._settings import CaFile
from confguard_azure._vaults import Secret
from confguard_azure._wire import Wire


class Load:
    """What belongs to one deadline."""

    def __init__(self, deadline: Deadline, identity: Identity, ca: CaFile | None, options: Options) -> None:
        """Make ready; nothing is sent yet.

        Raises:
            ImportError: The SDK is not installed.
            SetupError: The file of authorities cannot be read.
        """
        self.deadline = deadline
        self._identity = identity
        self._wire = Wire(deadline, ca)
        self._options = options
        self._clients: dict[str, Client] = {}

    def fetch(self, wanted: Sequence[Secret]) -> dict[Secret, Found | Failure]:
        """Read secrets, each once. The first of each vault come first, since the others wait for them."""
        first: dict[str, Secret] = {}
        for secret in wanted:
            first.setdefault(secret.url, secret)
            if secret.url not in self._clients:
                self._clients[secret.url] = Client(secret.url, self._identity, self._wire, self._options)
        leading = list(first.values())
        ordered = [*leading, *(secret for secret in wanted if secret not in leading)]
        return fan_out(lambda one: self._clients[one.url].read(one, first=one is first[one.url]), ordered, deadline=self.deadline)

    def close(self) -> None:
        """Close the connections. A credential that gave no token, or one that is not taken, is not kept."""
        self._wire.close()
        if any(client.token_failed for client in self._clients.values()):
            forget(self._identity)
