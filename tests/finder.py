"""Finds a canary in everything that can be reached from an exception, by walking it, not by matching renderings."""

import base64
import traceback
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from functools import partial
from pathlib import Path
from types import FrameType, FunctionType, MethodType, ModuleType, TracebackType
from urllib.parse import quote

from pydantic import ValidationError

_TESTS = Path(__file__).parent


def places_of(canary: str, error: BaseException) -> list[str]:
    """Where the canary stands: the ways to it from the error. Frames of the tests are the caller's own, and are not entered."""
    needles = _needles(canary)
    found = [f"rendered {name}" for name, text in _renderings(error) if any(needle in text for needle in needles)]
    seen: set[int] = set()
    stack: list[tuple[str, object]] = [("error", error)]
    alive: list[object] = []  # ids of what is gone are used again
    while stack:
        way, item = stack.pop()
        text = item.decode("latin-1") if isinstance(item, bytes | bytearray) else item
        if isinstance(text, str):
            if any(needle in text for needle in needles):
                found.append(way)
            continue
        if id(item) in seen:
            continue
        seen.add(id(item))
        alive.append(item)
        stack += _within(way, item)
    return found


def _needles(canary: str) -> set[str]:
    """The canary, and forms that a fair reader would take for it."""
    raw = canary.encode()
    forms = {canary, quote(canary, safe=""), base64.b64encode(raw).decode().rstrip("="), raw.hex(), canary[:12], canary[-12:]}
    return forms | {form.lower() for form in forms}


def _renderings(error: BaseException) -> Iterator[tuple[str, str]]:
    yield "str", str(error)
    yield "repr", repr(error)
    yield "traceback", "".join(traceback.format_exception(error))


def _within(way: str, item: object) -> Iterator[tuple[str, object]]:
    if isinstance(item, ModuleType | type | int | float | bool | None):
        return
    if isinstance(item, Mapping):
        for key, value in list(item.items()):
            yield f"{way} key", key
            yield f"{way}[{key if isinstance(key, str) and len(key) < 40 else '…'}]", value
    elif isinstance(item, list | tuple | AbstractSet):
        yield from ((f"{way}[{at}]", value) for at, value in enumerate(item))
    elif isinstance(item, TracebackType):
        yield f"{way}.tb_frame", item.tb_frame
        yield f"{way}.tb_next", item.tb_next
    elif isinstance(item, FrameType):
        if not Path(item.f_code.co_filename).is_relative_to(_TESTS):
            yield f"{way}<{item.f_code.co_name}>", dict(item.f_locals)
    elif isinstance(item, FunctionType | MethodType | partial):
        yield from _bound(way, item)
    else:
        yield from _attributes(way, item)


def _bound(way: str, item: "FunctionType | MethodType | partial[object]") -> Iterator[tuple[str, object]]:
    if isinstance(item, FunctionType):
        yield f"{way}.__closure__", [cell.cell_contents for cell in item.__closure__ or ()]
        yield f"{way}.__defaults__", item.__defaults__
    elif isinstance(item, MethodType):
        yield f"{way}.__self__", item.__self__
    else:
        yield f"{way}.partial", [item.func, item.args, item.keywords]


def _attributes(way: str, item: object) -> Iterator[tuple[str, object]]:
    if isinstance(item, BaseException):
        for name in ("args", "exceptions", "__cause__", "__context__", "__traceback__", "__notes__"):
            yield f"{way}.{name}", getattr(item, name, None)
    if isinstance(item, ValidationError):
        yield f"{way}.errors()", item.errors()
    yield f"{way}.__dict__", dict(getattr(item, "__dict__", {}))
    for kind in type(item).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for slot in (slots,) if isinstance(slots, str) else slots:
            if hasattr(item, slot):
                yield f"{way}.{slot}", getattr(item, slot)
