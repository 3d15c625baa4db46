"""Looking into JSON that others wrote: what is not of the expected shape is empty, and never an exception."""

import json
from typing import cast

# Every whole number of so many digits is read and written alike.
_EXACT = 18


class Number(str):
    """A number as it was written: ``1.10`` is another version than ``1.1``, and a float would lose digits."""

    __slots__ = ()


def json_object(body: bytes) -> dict[str, object]:
    """The object that a body holds; empty where it holds something else. Whole numbers of use are ints, others `Number`."""
    try:
        return as_object(json.loads(body, parse_float=Number, parse_int=_whole, parse_constant=_refuse))
    except (ValueError, RecursionError):
        return {}


def as_object(value: object) -> dict[str, object]:
    """The value, if it is an object, else an empty one."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def json_text(value: object) -> str | None:
    """The JSON text of what `json_object` read, numbers as they were written; None where it is nested too deep."""
    try:
        return _text(value)
    except RecursionError:
        return None


def _text(value: object) -> str:
    match value:
        case Number():
            return str(value)
        case dict():
            return "{" + ", ".join(f"{_text(key)}: {_text(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(_text(item) for item in value) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def _whole(text: str) -> int | Number:
    return int(text) if len(text) <= _EXACT and text != "-0" else Number(text)


def _refuse(name: str) -> object:
    raise ValueError(name)  # NaN and its like are no JSON
