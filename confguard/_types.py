"""Questions to types: whether one holds a secret, is a structure, or is a model whose fields are fields of their own."""

import dataclasses
import types
from collections.abc import Collection, Iterator
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import Secret, SecretBytes, SecretStr
from pydantic.fields import FieldInfo
from typing_inspection.typing_objects import is_typealiastype

# typing's own objects have no common type that is public.
Annotation = Any


def nested_model(annotation: Annotation) -> type | None:
    """The model or pydantic dataclass that an annotation is, on its own or beside None."""
    annotation = bare_type(annotation)
    if origin_of(annotation) in (Union, types.UnionType):
        others = [arg for arg in get_args(annotation) if arg is not type(None)]
        return nested_model(others[0]) if len(others) == 1 else None
    is_model = isinstance(annotation, type) and hasattr(annotation, "__pydantic_fields__")
    return annotation if is_model and not getattr(annotation, "__pydantic_root_model__", False) else None


def is_secret(annotation: Annotation) -> bool:
    """Whether a value of this type holds a secret anywhere."""
    return any(
        isinstance(kind := origin_of(part) or part, type) and issubclass(kind, SecretStr | SecretBytes | Secret)
        for part in parts(annotation)
    )


def is_structure(annotation: Annotation) -> bool:
    """Whether a value of this type is, or may be, a collection or a model: what stands for it as text is JSON."""
    kinds = [kind for part in parts(annotation) if isinstance(kind := origin_of(part) or part, type)]
    return any(
        fields_of(kind) is not None or (issubclass(kind, Collection) and not issubclass(kind, str | bytes | bytearray))
        for kind in kinds
    )


def allowed_values(annotation: Annotation) -> tuple[object, ...] | None:
    """The values of a literal or an enumeration, as plain ones; None for any other type."""
    bare = bare_type(annotation)
    if origin_of(bare) is Literal:
        return tuple(value.value if isinstance(value, Enum) else value for value in get_args(bare))
    if isinstance(bare, type) and issubclass(bare, Enum):
        return tuple(member.value for member in bare)
    return None


def parts(annotation: Annotation) -> Iterator[Annotation]:
    """An annotation and everything in it: union members, arguments, the fields of models; each model once."""
    stack, seen = [annotation], set[int]()
    while stack:
        part = stack.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        bare = bare_type(part)
        if bare is not part:
            stack.append(bare)
        stack += [arg for arg in (*get_args(part), *get_args(bare)) if not isinstance(arg, str)]
        if (fields := fields_of(bare)) is not None:
            stack += fields


def origin_of(annotation: Annotation) -> Annotation:
    """What a generic type was made of; None where it is none."""
    return get_origin(annotation)


def bare_type(annotation: Annotation) -> Annotation:
    """An annotation without `Annotated`, type aliases and `NewType`."""
    while True:
        if origin_of(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif is_typealiastype(alias := origin_of(annotation) or annotation):
            annotation = alias.__value__
        elif hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        else:
            return annotation


def infos_of(kind: Annotation) -> list[FieldInfo]:
    return list(getattr(kind, "__pydantic_fields__", {}).values()) if isinstance(kind, type) else []


def fields_of(kind: Annotation) -> list[Annotation] | None:
    """The annotations of the fields of a model, a dataclass, a typed dictionary or a named tuple; None for any other type."""
    if not isinstance(kind, type):
        return None
    if (fields := getattr(kind, "__pydantic_fields__", None)) is not None:
        return [info.annotation for info in fields.values()]
    is_typed = hasattr(kind, "__required_keys__") or (issubclass(kind, tuple) and hasattr(kind, "_fields"))
    if not (is_typed or dataclasses.is_dataclass(kind)):
        return None
    try:
        return list(get_type_hints(kind, include_extras=True).values())
    except (NameError, TypeError, AttributeError):  # an annotation that names what is not there; pydantic says so
        return list(getattr(kind, "__annotations__", {}).values())
