"""Validating some fields of a model alone.

Needed for those that decide others, before anything is fetched; for those that are valid beside others that are not, so that
rules can run; and for those that were asked for, where the rest is not needed.

A field is validated by its own part of the schema that pydantic made of the class: its type, constraints and validators, and the
validators of the model that run before. Validators that need the whole model do not run.
"""

from collections.abc import Collection, Mapping
from typing import Any, TypeVar, cast

from pydantic import BaseModel
from pydantic_core import CoreConfig, CoreSchema, PydanticUndefined, SchemaValidator

M = TypeVar("M", bound=BaseModel)


def validate_fields(model: type, names: Collection[str], given: object) -> dict[str, Any]:
    """The validated values of some fields of a model.

    Args:
        model: The model; no dataclass.
        names: The fields' own names.
        given: The input for the model.

    Raises:
        pydantic.ValidationError: Some of them are not valid. It holds values.
    """
    values: dict[str, Any]
    values, _, _ = _validator(model, names).validate_python(given)
    return values


def make(model: type[M], values: Mapping[str, Any]) -> M:
    """An instance that has these values and nothing else; what reads another field gets an `AttributeError`."""
    private = {name: attribute.get_default() for name, attribute in model.__private_attributes__.items()}
    state = {
        "__dict__": dict(values),
        "__pydantic_fields_set__": set(values),
        "__pydantic_extra__": {} if model.model_config.get("extra") == "allow" else None,
        "__pydantic_private__": {name: value for name, value in private.items() if value is not PydanticUndefined} or None,
    }
    made = model.__new__(model)
    for name, value in state.items():
        object.__setattr__(made, name, value)  # past validation, which wants all fields
    return made


def _validator(model: type, names: Collection[str]) -> SchemaValidator:
    schema: Any = model.__pydantic_core_schema__  # type: ignore[attr-defined] # of every model
    definitions: list[Any] = []
    config: dict[str, Any] = {}
    before: list[Any] = []
    while schema["type"] != "model-fields":
        if schema["type"] == "definitions":
            definitions = schema["definitions"]
        elif schema["type"] == "model":
            config, before = dict(schema.get("config", {})), []
        elif schema["type"] == "function-before":
            before.append(schema)
        elif schema["type"] == "definition-ref":
            schema = {"schema": next(item for item in definitions if item.get("ref") == schema["schema_ref"])}
        schema = schema["schema"]
    fields = {name: field for name, field in schema["fields"].items() if name in names}
    made: Any = {**schema, "fields": fields, "extra_behavior": "ignore"}
    made.pop("extras_schema", None)
    for wrapper in reversed(before):
        made = {**wrapper, "schema": made}
    made = {"type": "definitions", "schema": made, "definitions": definitions} if definitions else made
    return SchemaValidator(cast("CoreSchema", made), cast("CoreConfig", {**config, "extra_fields_behavior": "ignore"}))
