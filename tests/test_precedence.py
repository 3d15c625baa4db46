"""Precedence as a model of a few lines, and `validate` and `explain` held to it for any choice of places that have a value."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_settings import InitSettingsSource, PydanticBaseSettingsSource

from confguard import BaseSettings, ConfigError, From, Origin, SettingsConfigDict, explain, validate
from tests.doubles import Store

FIELDS = ("plain", "plain_default", "bound", "bound_default", "bound_late", "db.host", "db.password", "db.key")
WITH_DEFAULT = {"plain_default", "bound_default", "db.host"}
BOUND = {"bound", "bound_default", "bound_late", "db.password", "db.key"}


class Given:
    """What is given where, as the places put it."""

    def __init__(self) -> None:
        self.init: dict[str, Any] = {}
        self.mine: dict[str, Any] = {}
        self.store = Store()


@dataclass(frozen=True)
class Place:
    """A place that may have a value.

    Attributes:
        name: What it is called here.
        origin: The origin of a field's value there.
        put: Puts a value there.
        source: Of places that are one source, which is passed over as a whole, the same word.
        nested: Whether it can have a value for a field of a model alone.
    """

    name: str
    origin: Callable[[str], Origin]
    put: Callable[[Given, str, str], None]
    source: str
    nested: bool = True


def variable(field: str) -> str:
    return f"APP_{field.replace('.', '__').upper()}"


def into(tree: dict[str, Any], field: str, value: str) -> None:
    *above, last = field.split(".")
    for name in above:
        tree = tree.setdefault(name, {})
    tree[last] = value


def env_file(path: str) -> Place:
    def put(_: Given, field: str, value: str) -> None:
        with Path(path).open("a") as file:
            file.write(f"{variable(field)}={value}\n")

    return Place(path, lambda field: Origin("dotenv", variable(field), path), put, "dotenv")


def mounted(directory: str) -> Place:
    def path(field: str) -> Path:
        return Path(directory) / variable(field).lower()

    def put(_: Given, field: str, value: str) -> None:
        path(field).write_text(value)

    return Place(directory, lambda field: Origin("mounted", str(path(field))), put, "mounted", nested=False)


# The order, highest first: a new kind of place takes its place here, and nothing else changes.
PLACES = (
    Place("init", lambda field: Origin("init", field), lambda given, field, value: into(given.init, field, value), "init"),
    Place(
        "env",
        lambda field: Origin("env", variable(field)),
        lambda _, field, value: os.environ.update({variable(field): value}),
        "env",
    ),
    env_file("late.env"),
    env_file("early.env"),
    mounted("late"),
    mounted("early"),
    Place("Mine", lambda field: Origin("Mine", field), lambda given, field, value: into(given.mine, field, value), "Mine"),
    Place(
        "store",
        lambda field: Origin("store", field, version="7"),
        lambda given, field, value: given.store.put(field, value, version="7"),
        "store",
    ),
    Place("default", lambda _: Origin("default"), lambda *_: None, "default"),
)


@dataclass(frozen=True)
class Expected:
    """What the model says of a field: its value's place, where it came from, and whether the store is asked."""

    place: Place | None
    origin: Origin | None
    asked: bool


def model(field: str, has: set[str]) -> Expected:
    """The first place that has a value wins; the store is asked where none above it has one; what lies below is shadowed."""
    having = [place for place in PLACES if place.name in has]
    firsts = {place.source: place for place in reversed(having)}
    order = [place for place in having if firsts[place.source] is place]
    asked = field in BOUND and (not order or order[0].source in ("store", "default"))
    if not order:
        return Expected(None, None, asked)
    shadowed = tuple(place.origin(field) for place in order[1:] if place.source not in ("store", "default"))
    return Expected(order[0], replace(order[0].origin(field), shadowed=shadowed), asked)


class Mine(PydanticBaseSettingsSource):
    """A source of the user's own, behind all others."""

    def __init__(self, settings_cls: type[BaseSettings], tree: dict[str, Any]) -> None:
        super().__init__(settings_cls)
        self.tree = tree

    def get_field_value(self, field: object, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        return self.tree


class Database(BaseModel):
    host: str = "default"
    password: Annotated[SecretStr, From("store://db.password")]
    key: Annotated[SecretStr, From("store://none", "store://db.key")]


def settings_of(told: Given) -> type[BaseSettings]:
    class Settings(BaseSettings):
        model_config = SettingsConfigDict(
            env_prefix="APP_",
            env_nested_delimiter="__",
            env_file=("early.env", "late.env"),
            secrets_dir=("early", "late"),
            providers=[told.store],
        )
        plain: str
        plain_default: str = "default"
        bound: Annotated[SecretStr, From("store://bound")]
        bound_default: Annotated[SecretStr, From("store://bound_default")] = SecretStr("default")
        bound_late: Annotated[SecretStr, From("store://none", "store://bound_late")]
        db: Database

        @classmethod
        def settings_customise_sources(cls, settings_cls: Any, init_settings: Any, *args: Any, **kwargs: Any) -> Any:
            # `validate` takes no init arguments; a class that has some of its own stands for them.
            init = InitSettingsSource(settings_cls, told.init)
            return (init, *args, *kwargs.values(), Mine(settings_cls, told.mine))

    return Settings


def possible(field: str) -> list[str]:
    """The places where a value of a field can be put."""
    names = [place.name for place in PLACES if place.nested or "." not in field]
    return [name for name in names if name != "default" and (name != "store" or field in BOUND)]


# All places, the low ones, none, every other: so that each of them wins often enough.
_MASKS = (-1, 0b11110000, 0, 0b01010101)


@st.composite
def layouts(draw: st.DrawFn) -> Mapping[str, set[str]]:
    """For each field the places that have a value; in most of them one at least."""
    chosen: dict[str, set[str]] = {}
    for field in FIELDS:
        names = possible(field)
        mask = draw(st.integers(0, 2 ** len(names) - 1)) & draw(st.sampled_from(_MASKS))
        mask |= draw(st.sampled_from([1 << at for at in range(len(names))])) if draw(st.integers(0, 9)) else 0
        chosen[field] = {name for at, name in enumerate(names) if mask >> at & 1}
        chosen[field] |= {"default"} if field in WITH_DEFAULT else set()
    return chosen


@contextmanager
def laid_out(layout: Mapping[str, set[str]]) -> Iterator[Given]:
    """Put a value of its own into every place that has one."""
    told, before = Given(), dict(os.environ)
    for directory in ("late", "early"):
        Path(directory).mkdir(exist_ok=True)
        for file in Path(directory).iterdir():
            file.unlink()
    for file in Path().glob("*.env"):
        file.unlink()
    try:
        for field, names in layout.items():
            for place in PLACES:
                if place.name in names:
                    place.put(told, field, f"{field}@{place.name}")
        yield told
    finally:
        os.environ.clear()
        os.environ.update(before)


def values_of(loaded: Any) -> dict[str, str]:
    found = {}
    for field in FIELDS:
        value = loaded
        for name in field.split("."):
            value = getattr(value, name)
        found[field] = value.get_secret_value() if isinstance(value, SecretStr) else value
    return found


def test_values_origins_and_asks_are_those_of_the_model() -> None:
    """For any choice of places: the value, its origin, what it shadows, what is missing, and what the store was asked for."""
    winners: Counter[str] = Counter()

    @settings(max_examples=250, deadline=None, derandomize=True, database=None)
    @given(layouts())
    def test(layout: Mapping[str, set[str]]) -> None:
        expected = {field: model(field, has) for field, has in layout.items()}
        with laid_out(layout) as told:
            compare(told, expected)
        winners.update(one.place.name if one.place else "missing" for one in expected.values())
        winners["loads"] += all(one.place for one in expected.values())

    test()
    assert min(winners[place.name] for place in PLACES) >= 20
    assert winners["missing"] >= 20
    assert winners["loads"] >= 100


def compare(told: Given, expected: Mapping[str, Expected]) -> None:
    settings_class = settings_of(told)
    missing = {field for field, one in expected.items() if one.place is None}
    if missing:
        with pytest.raises(ConfigError) as caught:
            validate(settings_class)
        errors = {(problem.field, problem.kind) for problem in caught.value.problems if problem.severity == "error"}
        assert errors == {(field, "missing") for field in missing}
    else:
        loaded = validate(settings_class)
        assert values_of(loaded) == values(expected)
        assert {one.field: one.origin for one in explain(loaded)} == {field: one.origin for field, one in expected.items()}
    asked = {field for field, one in expected.items() if one.asked}
    assert {reference.path for reference in told.store.asked} - {"none"} == asked
    told.store.asked.clear()
    if missing:
        with pytest.raises((ConfigError, ValidationError)):
            settings_class()
    else:
        assert values_of(settings_class()) == values(expected)
        assert {reference.path for reference in told.store.asked} - {"none"} == asked


def values(expected: Mapping[str, Expected]) -> dict[str, str]:
    names = {field: one.place.name for field, one in expected.items() if one.place is not None}
    return {field: "default" if name == "default" else f"{field}@{name}" for field, name in names.items()}
