"""Fifty fields that all come from the environment: what the base class, and `validate`, add to pydantic-settings."""

import os
import secrets
from time import thread_time
from typing import Any
from unittest.mock import patch

import pydantic_settings
from pydantic import SecretStr, create_model

import confguard

from ._measure import Measured, compare, timed

LIMIT = 1.15
ROUNDS = 50
LOADS = 10


class _Ours(confguard.BaseSettings):
    model_config = confguard.SettingsConfigDict(env_prefix="MYSERVICE_")


class _Theirs(pydantic_settings.BaseSettings):
    model_config = pydantic_settings.SettingsConfigDict(env_prefix="MYSERVICE_")


def env_50_fields() -> list[Measured]:
    types: dict[str, Any] = {f"field_{number:02}": _type(number) for number in range(50)}
    ours = create_model("AppSettings", __base__=_Ours, **types)
    theirs = create_model("AppSettings", __base__=_Theirs, **types)
    variables = {f"MYSERVICE_{name.upper()}": _text(kind) for name, kind in types.items()}
    # Nothing else is in it, since the environment of this machine is a part of what each load reads.
    with patch.dict(os.environ, variables, clear=True):
        return [
            _compared("env_50_fields_call", theirs, lambda: ours()),
            _compared("env_50_fields_validate", theirs, lambda: confguard.validate(ours)),
        ]


def _compared(name: str, theirs: type[pydantic_settings.BaseSettings], load: Any) -> Measured:
    theirs(), load()  # what is worked out once a class is no part of it
    found = compare(timed(theirs, LOADS, thread_time), timed(load, LOADS, thread_time), ROUNDS)
    return Measured(name, found.ratio, LIMIT, found.a_a_ratio, found.n, {"loads_per_round": LOADS, **found.details})


def _type(number: int) -> Any:
    """Ten secrets, ten flags, ten numbers and twenty texts."""
    kind: type = (SecretStr, bool, int, str, str)[number % 5]
    return kind, ...


def _text(kind: Any) -> str:
    return {SecretStr: secrets.token_urlsafe(24), bool: "true", int: "8080", str: "https://service.example/path"}[kind[0]]
