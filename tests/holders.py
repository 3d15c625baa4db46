"""What can hold a secret, and a search of all that can be reached in it: written apart from the walk that it checks."""

from collections import deque
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, PrivateAttr, SecretStr


@dataclass
class Plain:
    first: object
    second: object = None


@dataclass(frozen=True, slots=True)
class Frozen:
    first: object
    second: tuple[object, ...] = ()


class Model(BaseModel):
    model_config = ConfigDict(extra="allow", arbitrary_types_allowed=True)
    first: Any
    _kept: Any = PrivateAttr(default=None)


class AttributedError(Exception):
    """Wants arguments that it does not keep, and is shown by an attribute."""

    def __init__(self, status: int, *, body: object) -> None:
        super().__init__()
        self.status = status
        self.body = body

    def __str__(self) -> str:
        return f"{self.status}: {self.body}"


def leaves(value: object) -> Iterator[str]:
    """Every text, and every text of what is none, that can be reached."""
    stack, seen, alive = [value], set(), []
    while stack:
        item = stack.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        alive.append(item)
        if isinstance(item, bytes | bytearray | memoryview):
            yield bytes(item).decode("latin-1")
        elif isinstance(item, SecretStr):
            yield item.get_secret_value()
        else:
            inside = within(item)
            stack += inside
            if not inside or isinstance(item, BaseException):
                yield from {str(item), repr(item)}


def within(item: object) -> list[object]:
    if isinstance(item, Mapping):
        return [*item, *item.values()]
    if isinstance(item, list | tuple | deque | AbstractSet):
        return list(item)
    if isinstance(item, BaseException):
        linked = [item.args, getattr(item, "__notes__", ()), item.__cause__, item.__context__, vars(item)]
        slots = ("filename", "filename2", "object", "reason", "value", "body", "text", "exceptions")
        return [*linked, *(getattr(item, name, None) for name in slots)]
    if isinstance(item, Plain | Frozen):
        return [item.first, item.second]
    if isinstance(item, Model):
        return [vars(item), item.__pydantic_extra__, item.__pydantic_private__]
    return []
