"""An override of a class of fifty fields that a loaded handle shows: made, begun and ended, for one field and for all of them."""

from time import thread_time
from typing import Any

from pydantic import SecretStr, create_model

import confguard
from confguard.testing import override

from ._measure import Measured, compare, timed

LIMIT = 45.0
ALLOWED = 200
"""How many microseconds one may take: in the best round, since others may have the machine in any."""

ROUNDS = 50
TIMES = 50


class _Settings(confguard.BaseSettings):
    pass


def override_50_fields() -> list[Measured]:
    """Beside a bare copy of the settings, with the values in it as they are."""
    fields: dict[str, Any] = {f"field_{number:02}": _field(number) for number in range(50)}
    settings_class = create_model("AppSettings", __base__=_Settings, **fields)
    handle = confguard.lazy(settings_class)
    confguard.validate(handle)
    every = dict(zip(fields, ["fake-secret-of-a-test", "false", "80", "c", "d"] * 10, strict=True))
    return [_measured("override_1_of_50_fields", handle, {"field_02": "80"}), _measured("override_50_fields", handle, every)]


def _measured(name: str, handle: confguard.BaseSettings, values: dict[str, str]) -> Measured:
    def once() -> None:
        with override(handle, values):
            pass

    once()  # what is worked out once a class is no part of it
    ours, copied = timed(once, TIMES, thread_time), timed(lambda: handle.model_copy(update=values), TIMES, thread_time)
    found = compare(copied, ours, ROUNDS)
    best = min(ours() for _ in range(ROUNDS)) * 1_000_000
    details = {"overrides_per_round": TIMES, "best_us": round(best, 1), "allowed_us": ALLOWED, **found.details}
    faults = (f"takes {best:.0f} microseconds",) if best > ALLOWED else ()
    return Measured(name, found.ratio, LIMIT, found.a_a_ratio, found.n, details, faults)


def _field(number: int) -> Any:
    """Ten secrets, ten flags, ten numbers and twenty texts."""
    return ((SecretStr, SecretStr("none")), (bool, True), (int, 8080), (str, "a"), (str, "b"))[number % 5]
