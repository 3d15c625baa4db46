"""The variables of the command-line clients, and what is said of one that cannot work."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from confguard.provider import Failure


class SetupError(Exception):
    """What is set cannot work. Carries the failure of every reference; made by us, so it holds no secret."""

    def __init__(self, message: str, tip: str) -> None:
        super().__init__(message)
        self.message = message
        self.tip = tip

    def failure(self, scheme: str) -> Failure:
        """The failure of a reference of this scheme."""
        return Failure("unconfigured", f"{scheme}: {self.message}", tip=self.tip)


@dataclass(frozen=True, slots=True)
class Setting:
    """A value and where it was set, which is what a message has to name."""

    name: str = field(compare=False)
    value: str


class Environment:
    """The variables of the two command-line clients, as one scheme sees them.

    ``bao`` asks for ``BAO_X`` and then ``VAULT_X``, for those who came from Vault. ``vault://`` turns that round, so
    that each scheme believes its own client first, and a machine that is set up for one of them serves both schemes.
    """

    def __init__(self, scheme: str, variables: Mapping[str, str]) -> None:
        self.prefixes = ("BAO", "VAULT") if scheme == "openbao" else ("VAULT", "BAO")
        self._variables = variables

    def get(self, *suffixes: str) -> Setting | None:
        """The first of these settings that is set.

        A variable that is there and empty hides its twin, as it does for ``bao``.
        """
        for suffix in suffixes:
            for name in (f"{prefix}_{suffix}" for prefix in self.prefixes):
                if name in self._variables:
                    if self._variables[name]:
                        return Setting(name, self._variables[name])
                    break
        return None

    def plain(self, name: str) -> Setting | None:
        """A variable that is not of these clients."""
        value = self._variables.get(name)
        return Setting(name, value) if value else None

    def home(self) -> Path | None:
        """The home directory, where there is one: users of containers often have none."""
        try:
            home = Path(self._variables["HOME"]) if self._variables.get("HOME") else Path.home()
        except RuntimeError:
            return None
        return home if home.is_absolute() else None
