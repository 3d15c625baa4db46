"""Valid settings of a class of 50 fields, as each test makes them, beside a model that is made of the same values."""

from time import thread_time
from typing import Annotated, Any, Literal

from pydantic import BaseModel, HttpUrl, SecretStr, create_model

import confguard
from confguard.testing import valid_settings

from ._measure import Measured, compare, timed

LIMIT = 12.0
MILLISECONDS = 0.5
ROUNDS, TIMES = 25, 100


class _Ruled(confguard.BaseSettings):
    stage: Literal["development", "production"]
    dsn: Annotated[SecretStr | None, confguard.Required(confguard.When(stage="development"))] = None

    @confguard.rule("a stage is told")
    def has_stage(self) -> bool:
        return bool(self.stage)


def valid_settings_50_fields() -> Measured:
    fields: dict[str, Any] = {f"text{number}": (str, ...) for number in range(16)}
    fields |= {f"secret{number}": (SecretStr, ...) for number in range(16)}
    fields |= {f"number{number}": (int, ...) for number in range(14)}
    fields |= {f"url{number}": (HttpUrl, ...) for number in range(2)}
    settings_class = create_model("Settings", __base__=_Ruled, **fields)
    plain = create_model("Plain", __base__=BaseModel, stage=(str, ...), dsn=(SecretStr, None), **fields)
    values = {name: getattr(valid_settings(settings_class), name) for name in plain.model_fields}
    bare = timed(lambda: plain(**values), TIMES, thread_time)
    found = compare(bare, timed(lambda: valid_settings(settings_class), TIMES, thread_time), ROUNDS)
    took = found.details["candidate_ms"]
    slow = isinstance(took, float) and took > MILLISECONDS
    faults = (f"settings take {took} ms, more than {MILLISECONDS}",) if slow else ()
    return Measured("valid_settings_50_fields", found.ratio, LIMIT, found.a_a_ratio, found.n, found.details, faults)
