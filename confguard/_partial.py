"""Validating some fields of a model alone.

Needed for those that decide others, before anything is fetched; for those that are valid beside others that are not, so that
rules can run; and for those that were asked for, where the rest is not needed.

A field is validated by its own part of the schema that pydantic made of the class: its type, constraints and validators, and the
validators of the model that run before. Validators that need the whole model do not run.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
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
    parts = within(model)
    fields = {name: field for name, field in parts.schema["fields"].items() if name in names}
    made: Any = {**parts.schema, "fields": fields, "extra_behavior": "ignore"}
    made.pop("extras_schema", None)
    for wrapper in reversed([schema for schema in parts.wrappers if schema["type"] == "function-before"]):
        made = {**wrapper, "schema": made}
    return parts.validator(made, extra_fields_behavior="ignore")


@dataclass(frozen=True, slots=True)
class Within:
    """The schema that pydantic made of a model, taken apart.

    Attributes:
        schema: That of its fields.
        wrappers: What stands around it, outermost first.
        definitions: What it refers to.
        config: The model's configuration, as far as validation needs it.
    """

    schema: dict[str, Any]
    wrappers: list[dict[str, Any]]
    definitions: list[Any]
    config: dict[str, Any]

    def validator(self, schema: Any, **config: Any) -> SchemaValidator:
        """A validator for another schema, with the same definitions and configuration."""
        made = {"type": "definitions", "schema": schema, "definitions": self.definitions} if self.definitions else schema
        return SchemaValidator(cast("CoreSchema", made), cast("CoreConfig", {**self.config, **config}))


def within(model: type) -> Within:
    """The schema of a model or a dataclass, taken apart."""
    schema: Any = model.__pydantic_core_schema__  # type: ignore[attr-defined] # of every model
    wrappers: list[dict[str, Any]] = []
    definitions: list[Any] = []
    config: dict[str, Any] = {}
    while schema["type"] not in ("model-fields", "dataclass-args"):
        if schema["type"] == "definitions":
            definitions = schema["definitions"]
        elif schema["type"] == "definition-ref":
            schema = {"schema": next(item for item in definitions if item.get("ref") == schema["schema_ref"])}
        else:
            if schema["type"] in ("model", "dataclass"):
                config = dict(schema.get("config", {}))
                wrappers = [wrapper for wrapper in wrappers if wrapper["type"] == "function-after"]
            wrappers.append(schema)
        schema = schema["schema"]
    return Within(schema, wrappers, definitions, config)
