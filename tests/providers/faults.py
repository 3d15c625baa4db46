"""What each provider says of each fault of a network or a store: the table of docs/faults.md, which the tests here prove.

``python -m tests.providers.faults`` writes the page.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from confguard.provider import Provider
from confguard.testing import ContractStore
from confguard.testing._proxy import Mode

PAGE = Path(__file__).parent.parent.parent / "docs" / "faults.md"

FOUND = "found"


class FaultyStore(ContractStore):
    """A store for the conformance tests that can also be looked for where it is not."""

    def misplaced(self) -> Mapping[str, Provider]:
        """Providers by what is wrong with where they look: ``unresolved``, ``wrong name``, ``unknown authority``."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong between a provider and its store.

    Attributes:
        name: What it is called in the table.
        says: What happens, for the page.
        mode: What a proxy between the two does meanwhile, where it is of the network.
        delay: Seconds that the proxy adds to each round trip.
        misplaced: Which of the store's misplaced providers is asked, where it is of that sort.
        kind: What the failure is told as; ``found`` where there is none.
        others: By scheme, what differs.
    """

    name: str
    says: str
    mode: Mode | None = None
    delay: float = 0.0
    misplaced: str = ""
    kind: str = "unavailable"
    others: tuple[tuple[str, str], ...] = ()

    def kind_for(self, scheme: str) -> str:
        """What the failure of a scheme is told as."""
        return dict(self.others).get(scheme, self.kind)


FAULTS = (
    Fault("delay", "each reply comes 50 ms later", "delay", delay=0.05, kind=FOUND),
    Fault("reset", "connections are cut when an answer is due", "reset"),
    Fault("blackhole", "everything is taken and nothing answered", "blackhole"),
    Fault("silence", "connections end before their first byte", "truncate"),
    Fault("trickle", "a byte of each reply comes every 20 ms", "slow"),
    Fault("unresolved", "the name of the host does not resolve", misplaced="unresolved"),
    Fault("wrong name", "the certificate is for another name", misplaced="wrong name", kind="unconfigured"),
    Fault(
        "unknown authority",
        "the certificate is of an authority that is not trusted",
        misplaced="unknown authority",
        kind="unconfigured",
    ),
)
SECONDS = 2.0
"""The deadline of a fetch in these tests."""

SCHEMES = ("vault", "awssecrets", "awsssm", "gcpsecrets", "azurekeyvault")


def page() -> str:
    """The page, as it has to stand in docs/faults.md."""
    head = "| fault | what happens | " + " | ".join(f"`{scheme}`" for scheme in SCHEMES) + " |"
    rule = "| --- | --- |" + " --- |" * len(SCHEMES)
    rows = [
        f"| {fault.name} | {fault.says} | " + " | ".join(fault.kind_for(scheme) for scheme in SCHEMES) + " |" for fault in FAULTS
    ]
    return _BEFORE + "\n".join([head, rule, *rows, *_MORE]) + _AFTER


_BEFORE = """# When a store, or the way to it, is at fault

What a reference is told as when something goes wrong. Each cell is a test: a proxy between the provider and a server, real where
there is one, does what the row says. Every answer comes within the deadline and a tenth of it, holds no secret, and leaves no
connection and no thread behind.

"""
_MORE = (
    "| truncation | replies end after some bytes, wherever that is | "
    + " | ".join(["unavailable, or found whole"] * len(SCHEMES))
    + " |",
    "| gone and back | the server is not there, and later it is | "
    + " | ".join(["unavailable, then found"] * len(SCHEMES))
    + " |",
    "| half of a batch | of six references two are missing and two denied | "
    + " | ".join(["each told as it is"] * len(SCHEMES))
    + " |",
)
_AFTER = """

*found* means that all is well. What to do about each kind stands [with the report](report.md#kinds-of-problems). A look-up of a
name is the one thing that nothing can interrupt: the answer comes in time all the same, and the thread that waits ends with it.
"""

if __name__ == "__main__":
    PAGE.write_text(page())
