"""One load: its connections, its vaults, and their secrets side by side."""

from collections.abc import Sequence

from confguard.provider import Deadline, Failure, Found, fan_out
from confguard_azure._client import Client, Options
from confguard_azure._identity import Identity, forget
from confguard_azure._settings import CaFile
from confguard_azure._vaults import Secret
from confguard_azure._wire import Wire

# As many as `fan_out` has.
_THREADS = 16


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
        self._answers: dict[Secret, Found | Failure] = {}

    def fetch(self, wanted: Sequence[Secret]) -> dict[Secret, Found | Failure]:
        """Read secrets, each once, vaults side by side: one that is silent must not take the threads of another."""
        vaults: dict[str, list[Secret]] = {}
        for secret in wanted:
            vaults.setdefault(secret.url, []).append(secret)
        for url in vaults:
            self._clients[url] = Client(url, self._identity, self._wire, self._options)
        if len(vaults) == 1:
            return self._read(wanted, _THREADS)
        share = max(1, _THREADS // len(vaults))
        answers = fan_out(lambda url: self._read(vaults[url], share), vaults, deadline=self.deadline)
        results: dict[Secret, Found | Failure] = {}
        for url, answer in answers.items():
            results |= self._in_time(vaults[url], answer) if isinstance(answer, Failure) else answer
        return results

    def _read(self, wanted: Sequence[Secret], threads: int) -> dict[Secret, Found | Failure]:
        """Read secrets of one vault."""
        client, first = self._clients[wanted[0].url], wanted[0]

        def read(secret: Secret) -> Found | Failure:
            answer = client.read(secret, first=secret is first)
            if not self.deadline.passed:
                self._answers[secret] = answer
            return answer

        return fan_out(read, wanted, deadline=self.deadline, limit=threads)

    def _in_time(self, wanted: Sequence[Secret], late: Failure) -> dict[Secret, Found | Failure]:
        """What a vault that was late as a whole had answered in time."""
        failure = None if late.kind == "unavailable" else late
        return {one: self._answers.get(one) or failure or self.deadline.failure(str(one)) for one in wanted}

    def close(self) -> None:
        """Close the connections. A credential that gave no token, or one that is not taken, is not kept."""
        self._wire.close()
        if any(client.token_failed for client in self._clients.values()):
            forget(self._identity)
