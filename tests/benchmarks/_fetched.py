"""What the benchmarks of the stores share: a class bound to many secrets, and runs that see to what was asked and what came."""

from collections.abc import Callable, Iterable, Mapping
from time import perf_counter
from typing import Annotated, Any

from pydantic import SecretStr, create_model

from confguard import BaseSettings, From, SettingsConfigDict, validate
from confguard.provider import Provider

from ._measure import Measured, Run, compare
from ._server import ROUND_TRIP, Server

COUNT = 50
THREADS = 16
ROUNDS = 21


def bound_to(references: Iterable[str], *providers: Provider) -> type[BaseSettings]:
    """A settings class with a secret for each reference."""

    class Base(BaseSettings):
        model_config = SettingsConfigDict(providers=providers)

    fields: dict[str, Any] = {
        f"field_{number}": (Annotated[SecretStr, From(reference)], ...) for number, reference in enumerate(references)
    }
    return create_model("AppSettings", __base__=Base, **fields)


def loaded(settings_class: type[BaseSettings]) -> list[str]:
    """What a load gives."""
    settings = validate(settings_class)
    return [getattr(settings, name).get_secret_value() for name in settings_class.__pydantic_fields__]


def counted(server: Server, asked: list[int], load: Callable[[], list[str]], before: Callable[[], None] | None = None) -> Run:
    """A run that also notes how much a server was asked, and sees to it that the values are the right ones."""

    def run() -> float:
        server.asked()
        if before is not None:
            before()
        started = perf_counter()
        found = load()
        seconds = perf_counter() - started
        asked.append(len(server.asked()))
        if found != list(server.values.values()):
            raise RuntimeError("a load gave another value than what was stored")
        return seconds

    return run


def compared(
    name: str,
    server: Server,
    bare: Callable[[], list[str]],
    ours: Callable[[], list[str]],
    *,
    limit: float,
    requests: int | None = None,
    before: Callable[[], None] | None = None,
    rounds: int = ROUNDS,
) -> Measured:
    """A load beside a bare reader.

    Args:
        name: The name of the benchmark.
        server: What both ask.
        bare: The bare reader.
        ours: The load.
        limit: What the load may take, as a multiple of the reader.
        requests: How many requests a load makes; None where that is left to threads that race.
        before: Done before each of them, and not timed.
        rounds: How many rounds.
    """
    asked: dict[str, list[int]] = {"bare": [], "ours": []}
    runs = [counted(server, asked[who], load, before) for who, load in (("bare", bare), ("ours", ours))]
    for run in runs:
        run()  # imports the SDK and makes clients, for both
    found = compare(runs[0], runs[1], rounds)
    wrong = {one for one in asked["ours"] if requests not in (None, one)}
    faults = tuple(f"ours asked {one} times, not {requests}" for one in sorted(wrong))
    details: Mapping[str, object] = {
        "requests": asked["ours"][-1],
        "bare_requests": asked["bare"][-1],
        "round_trip_ms": ROUND_TRIP * 1000,
        **found.details,
    }
    return Measured(name, found.ratio, limit, found.a_a_ratio, found.n, details, faults)
