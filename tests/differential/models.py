"""What generated settings classes are made of: models and other types for their fields, and sources of users' own."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, TypeVar

import pydantic.dataclasses
import pydantic_settings
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    SecretStr,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    EnvSettingsSource,
    PydanticBaseSettingsSource,
)
from typing_extensions import TypeAliasType, TypedDict

T = TypeVar("T")


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Database(BaseModel):
    host: str = "localhost"
    port: int = 5432
    password: SecretStr | None = None
    replicas: list[str] = []


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    host: str
    Port: int = 1
    token: SecretStr


class Aliased(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    host: str = Field("h", alias="hostName")
    port: int = Field(1, validation_alias=AliasChoices("p", "Port"))
    first: str = Field("f", validation_alias=AliasPath("names", 0))


class Deep(BaseModel):
    inner: Database = Database()
    strict: Strict | None = None
    level: int = 1


class Other(BaseModel):
    """No field of any other model here."""

    unrelated: int = 0


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


class Tree(BaseModel):
    name: str = "root"
    child: "Tree | None" = None


class Box(BaseModel, Generic[T]):
    item: T
    key: SecretStr = SecretStr("k")


class Names(RootModel[list[str]]):
    """A list that is a model."""


@dataclass
class Point:
    x: int
    y: int = 0


@pydantic.dataclasses.dataclass
class Spot:
    x: int
    name: str = "spot"
    key: SecretStr | None = None


class Pair(NamedTuple):
    left: int
    right: str = "r"


class Options(TypedDict, total=False):
    depth: int
    name: str


Port = NewType("Port", int)
Hosts = TypeAliasType("Hosts", list[str])


class Fixed(PydanticBaseSettingsSource):
    """A user's own source, with the methods that pydantic-settings asks for."""

    def __init__(self, settings_cls: type[pydantic_settings.BaseSettings], given: dict[str, Any]) -> None:
        super().__init__(settings_cls)
        self.given = given

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self.given.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        found = {name: self.get_field_value(info, name) for name, info in self.settings_cls.model_fields.items()}
        return {key: self.prepare_field_value(key, None, value, False) for value, key, _ in found.values() if value is not None}  # type: ignore[arg-type]

    def prepare_field_value(self, field_name: str, field: FieldInfo, value: Any, value_is_complex: bool) -> Any:
        return value


class Commas(EnvSettingsSource):
    """Splits lists at commas, as many a project does it."""

    def prepare_field_value(self, field_name: str, field: FieldInfo, value: Any, value_is_complex: bool) -> Any:
        if isinstance(value, str) and "," in value and not value.startswith(("[", "{")):
            return value.split(",")
        return super().prepare_field_value(field_name, field, value, value_is_complex)


class Seeing(PydanticBaseSettingsSource):
    """Gives something that depends on what the sources before it gave."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        names = [name for name in self.settings_cls.model_fields if name not in self.current_state]
        return {names[0]: str(sum(map(len, self.settings_sources_data.values())))} if names else {}


def tag_of(value: Any) -> str:
    return str(value.get("kind", "dog") if isinstance(value, dict) else getattr(value, "kind", "dog"))


_PYDANTIC = [
    "AliasChoices",
    "AliasPath",
    "Discriminator",
    "Field",
    "HttpUrl",
    "Json",
    "PostgresDsn",
    "PrivateAttr",
    "Secret",
    "SecretBytes",
    "SecretStr",
    "StrictInt",
    "Tag",
    "computed_field",
    "field_validator",
    "model_validator",
]
_PYDANTIC_SETTINGS = [
    "CliSettingsSource",
    "EnvSettingsSource",
    "ForceDecode",
    "InitSettingsSource",
    "JsonConfigSettingsSource",
    "NestedSecretsSettingsSource",
    "NoDecode",
    "SecretsSettingsSource",
    "SettingsConfigDict",
    "TomlConfigSettingsSource",
]

# What the source of a generated class finds. Not every supported version of pydantic-settings has all of it.
NAMESPACE: Mapping[str, Any] = {
    "Annotated": Annotated,
    "Decimal": Decimal,
    "Path": Path,
    **{name: getattr(pydantic, name) for name in _PYDANTIC},
    **{name: getattr(pydantic_settings, name, None) for name in _PYDANTIC_SETTINGS},
    **{name: item for name, item in globals().items() if not name.startswith("_")},
}
