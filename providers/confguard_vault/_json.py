"""Looking into JSON that others wrote: what is not of the expected shape is empty, and never an exception."""

import json
from typing import cast


def json_object(body: bytes) -> dict[str, object]:
    """The object that a body holds; empty where it holds something else."""
    try:
        return as_object(json.loads(body))
    except (ValueError, RecursionError):
        return {}


def as_object(value: object) -> dict[str, object]:
    """The value, if it is an object, else an empty one."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}
