"""What was fetched joins what sources gave, leaf by leaf, however each of them spells a field."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field

from confguard import BaseSettings, ConfigError, From, SettingsConfigDict, explain, validate
from tests.doubles import Store


class Inner(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    a: str
    b: str = Field(alias="B1")


class Database(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    x: str
    y: str = Field(alias="Y1")
    z: str = Field(validation_alias=AliasChoices("z1", AliasPath("z2", "deep")))
    w: str = Field(validation_alias=AliasPath("nest", "w"))
    v: str = Field(validation_alias=AliasPath("nest", "v"))
    inner: Inner = Field(validation_alias=AliasChoices("INNER", "inner"))


# In pydantic's order: of two spellings in one object the first counts.
SPELLINGS: Mapping[str, Sequence[tuple[str, ...]]] = {
    "x": [("x",)],
    "y": [("Y1",), ("y",)],
    "z": [("z1",), ("z2", "deep"), ("z",)],
    "w": [("nest", "w"), ("w",)],
    "v": [("nest", "v"), ("v",)],
    "inner.a": [("inner", "a")],
    "inner.b": [("inner", "B1"), ("inner", "b")],
}
PLACES = ("first", "second", "store")


@dataclass(frozen=True)
class Case:
    """By place, the fields that it has, each spelled in one way or more, the one that counts first."""

    spelled: Mapping[str, Mapping[str, Sequence[tuple[str, ...]]]]

    def tree(self, place: str) -> dict[str, Any]:
        tree: dict[str, Any] = {}
        for field, spellings in self.spelled[place].items():
            for at, (*above, last) in enumerate(spellings):
                branch = tree
                for part in above:
                    branch = branch.setdefault(part, {})
                branch[last] = "passed over" if at else f"{field}@{place}"
        return tree

    def winner(self, field: str) -> str | None:
        """The model: the first place that has a field wins, whatever it calls it."""
        return next((place for place in PLACES if field in self.spelled[place]), None)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    spelled: dict[str, dict[str, Sequence[tuple[str, ...]]]] = {place: {} for place in PLACES}
    containers = {place: draw(st.sampled_from(["INNER", "inner"])) for place in ("source", "store")}
    for field, spellings in SPELLINGS.items():
        # Two sources of the user's that spell a field differently are pydantic-settings' to merge: here they agree.
        of_sources, start = [draw(st.sampled_from(spellings))], draw(st.integers(0, len(spellings) - 1))
        of_store = spellings[start:] if draw(st.booleans()) else spellings[start : start + 1]
        has = draw(
            st.sampled_from(["first", "second", "store", "store", "first second", "first store", "second store", ""] * 4 + [""])
        )
        for place in has.split() or draw(st.sampled_from([["store"], []])):
            container = containers["store" if place == "store" else "source"]
            ways = of_store if place == "store" else of_sources
            spelled[place][field] = [tuple(container if part == "inner" else part for part in way) for way in ways]
    return Case(spelled)


def settings_of(case: Case, store: Store) -> type[BaseSettings]:
    def first() -> dict[str, Any]:
        return {"db": case.tree("first")}

    def second() -> dict[str, Any]:
        return {"db": case.tree("second")} if case.spelled["second"] else {}

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(providers=[store])
        db: Annotated[Database, From("store://db", secret=False)]

        @classmethod
        def settings_customise_sources(cls, settings_cls: Any, *args: Any, **kwargs: Any) -> Any:
            return (first, second)

    return Settings


def test_leaf_by_leaf_the_first_place_that_has_it_wins() -> None:
    """A model that is bound as a whole is filled from its object where no source has a leaf, and asked for only then."""
    seen: Counter[str] = Counter()

    @settings(max_examples=300, deadline=None, derandomize=True, database=None)
    @given(cases())
    def test(case: Case) -> None:
        store = Store()
        store.put("db", json.dumps(case.tree("store")))
        winners = {f"db.{field}": case.winner(field) for field in SPELLINGS}
        seen["loads" if all(winners.values()) else "refused"] += 1
        compare(settings_of(case, store), winners)
        assert bool(store.asked) == any(winner in ("store", None) for winner in winners.values())

    test()
    assert min(seen["loads"], seen["refused"]) >= 50


def compare(settings_class: type[BaseSettings], winners: Mapping[str, str | None]) -> None:
    missing = {field for field, winner in winners.items() if winner is None}
    if missing:
        with pytest.raises(ConfigError) as caught:
            validate(settings_class)
        assert {(problem.field, problem.kind) for problem in caught.value.problems} == {(field, "missing") for field in missing}
    else:
        loaded = validate(settings_class)
        explained = {one.field: (one.value, one.origin.source) for one in explain(loaded)}
        assert explained == {field: (f"{field.removeprefix('db.')}@{winner}", winner) for field, winner in winners.items()}
        assert settings_class().model_dump() == loaded.model_dump()


def test_what_no_field_of_a_model_takes_is_merged_too(store: Store) -> None:
    """A model that allows other keys has those of its object as well, below those that a source gave."""

    class Open(BaseModel, extra="allow"):
        host: str

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(providers=[store])
        db: Annotated[Open, From("store://db", secret=False)]

        @classmethod
        def settings_customise_sources(cls, settings_cls: Any, *args: Any, **kwargs: Any) -> Any:
            return (lambda: {"db": {"one": "source", "deep": {"a": "source"}}},)

    store.put("db", '{"host": "h", "one": "store", "two": "store", "deep": {"a": "store", "b": "store"}}')
    merged = {"host": "h", "one": "source", "two": "store", "deep": {"a": "source", "b": "store"}}
    assert validate(Settings).db.model_dump() == Settings().db.model_dump() == merged
