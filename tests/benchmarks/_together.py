"""Three stores in one class, beside the slowest of the three alone: they are asked side by side, and not one after the other."""

from collections.abc import Iterator
from contextlib import ExitStack
from statistics import median
from time import perf_counter

from google.auth.credentials import AnonymousCredentials

from confguard import BaseSettings
from confguard_aws import AWS
from confguard_azure import AzureKeyVault
from confguard_gcp import GCP

from ._aws import environment
from ._azure import Credential
from ._fetched import ROUNDS, bound_to, loaded
from ._measure import Measured, Run, compare
from ._server import ROUND_TRIP, Server, longer_way, server

LIMIT = 1.2
EACH = 2
TRIES = 5

_NAMES = {"aws": "awssecrets://{}", "azure": "azurekeyvault://shop/{}", "gcp": "gcpsecrets://shop/{}"}


def together() -> Iterator[Measured]:
    with ExitStack() as stack:
        doubles = {name: stack.enter_context(server(name, EACH)) for name in _NAMES}
        ports = {name: stack.enter_context(longer_way(double.told["port"])) for name, double in doubles.items()}
        stack.enter_context(environment(doubles["aws"], ports["aws"]))
        yield _compared(doubles, ports)


def _compared(doubles: dict[str, Server], ports: dict[str, int]) -> Measured:
    address = {name: f"https://127.0.0.1:{port}" for name, port in ports.items()}
    ca_cert = {name: str(double.told["ca_cert"]) for name, double in doubles.items()}
    providers = (
        AWS(),
        AzureKeyVault(vaults={"shop": address["azure"]}, credential=Credential(doubles["azure"]), ca_cert=ca_cert["azure"]),
        GCP(endpoint=address["gcp"], ca_cert=ca_cert["gcp"], credentials=AnonymousCredentials()),
    )
    references = {name: [form.format(one) for one in doubles[name].values] for name, form in _NAMES.items()}
    alone = {name: _run(bound_to(refs, *providers), list(doubles[name].values.values())) for name, refs in references.items()}
    everything = bound_to([ref for refs in references.values() for ref in refs], *providers)
    ours = _run(everything, [value for double in doubles.values() for value in double.values.values()])
    ours()  # imports all three SDKs and makes clients
    seconds = {name: median(run() for _ in range(TRIES)) for name, run in alone.items()}
    slowest = max(seconds, key=seconds.__getitem__)
    found = compare(alone[slowest], ours, ROUNDS)
    details = {
        "alone_ms": {name: round(took * 1000, 1) for name, took in seconds.items()},
        "baseline": slowest,
        "round_trip_ms": ROUND_TRIP * 1000,
        **found.details,
    }
    return Measured("three_stores", found.ratio, LIMIT, found.a_a_ratio, found.n, details)


def _run(settings_class: type[BaseSettings], expected: list[str]) -> Run:
    def run() -> float:
        started = perf_counter()
        found = loaded(settings_class)
        seconds = perf_counter() - started
        if found != expected:
            raise RuntimeError("a load gave another value than what was stored")
        return seconds

    return run
