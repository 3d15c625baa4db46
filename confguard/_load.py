"""One load of one settings class: what its sources gave, what had to be fetched, where each value came from, what is wrong."""

import json
import re
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from pydantic_settings import BaseSettings

from confguard._places import Places, source_name
from confguard._plan import make_plan, payload_of
from confguard._problem import Origin, Problem
from confguard._redaction import redactor
from confguard._reference import Reference
from confguard._resolver import resolve
from confguard._schema import Node, Schema, Trail, schema_of
from confguard._sources import Fault, Readings, Source, State, Watched
from confguard._state import ABSENT, find, place
from confguard._values import merge, pick, texts
from confguard.provider import Failure, Found, Provider

DEFAULT_TIMEOUT = 10.0
"""Seconds until a load gives up on what has not answered."""

_URL_PASSWORD = re.compile(r"://[^/?#\s@]*?:([^/?#\s]+)@")


class Load:
    """One load of one settings class.

    Attributes:
        schema: The fields of the class.
        faults: By field path, why a field has no value that could be validated.
        problems: What concerns no field that could be named, and warnings.
        origins: By field path, where each value came from.
        places: The sources that were looked into, in their order.
        ran: Whether our source was asked at all.
    """

    def __init__(self, settings_class: type[BaseSettings], timeout: float = DEFAULT_TIMEOUT) -> None:
        self.settings_class = settings_class
        self.schema: Schema = schema_of(settings_class)
        self.timeout = timeout
        self.readings = Readings()
        self.faults: dict[str, Problem] = {mistake.field: mistake for mistake in self.schema.mistakes}
        self.problems: list[Problem] = []
        self.origins: dict[str, Origin] = {}
        self.ran = False

    @property
    def places(self) -> list[Places]:
        """The sources that were looked into, in their order."""
        return [places for places, _ in self.readings.states]

    def watch(self, sources: Iterable[Source]) -> tuple[Source, ...]:
        """The user's sources, watched."""
        return tuple(Watched(source, self.readings) for source in sources)

    def complete(self, state: State, other_states: Mapping[str, State]) -> dict[str, Any]:
        """Fetch what the sources left out; called as the last of them.

        Args:
            state: What the sources gave, merged.
            other_states: The same by source's class name: sources that pydantic-settings put in by itself stand only here.

        Returns:
            The fetched values, as a tree to merge below the state.
        """
        self.ran = True
        for fault in self.readings.faults:
            self._add_fault(fault)
        self._learn(state)
        self._find_origins(state, other_states)
        wanted = [trail for trail in self.schema.bound if self._is_wanted(trail, state)]
        return self._fetch(wanted, state) if wanted else {}

    def failed(self, path: str) -> bool:
        """Whether it is known already why a field, the model around it or one within it has no good value."""
        return any(path == fault or path.startswith(f"{fault}.") or fault.startswith(f"{path}.") for fault in self.faults)

    def all_problems(self) -> Iterator[Problem]:
        """Everything that is wrong, each told to be of this class."""
        for problem in (*self.faults.values(), *self.problems):
            yield replace(problem, settings_class=self.schema.name)

    def _add_fault(self, fault: Fault) -> None:
        if not fault.field:
            message = fault.places.not_a_directory() or fault.raised.message
            self.problems.append(Problem(fault.raised.kind, "", f"{fault.places.label}: {message}"))
            return
        within = [trail for path, trail in self.schema.trails.items() if f"{path}.".startswith(f"{fault.field}.")]
        trail = next((trail for trail in within if fault.places.holds_bad_json(trail)), within[0])
        path = trail[-1].path
        self.faults[path] = Problem(fault.raised.kind, path, fault.raised.message, origin=fault.places.origin(trail))

    def _learn(self, state: State) -> None:
        """Tell the redactor every secret that a source gave, before anything can be said of it."""
        for trail in self.schema.leaves:
            value = find(state, trail)
            if value is ABSENT:
                continue
            if trail[-1].secret:
                for text in texts(value):
                    redactor.learn(text, trail[-1].path)
            if isinstance(value, str) and "://" in value:
                for password in _URL_PASSWORD.findall(value):
                    redactor.learn(password, trail[-1].path)

    def _find_origins(self, state: State, other_states: Mapping[str, State]) -> None:
        read = {source_name(places.source) for places in self.places}
        unread = ((Places(None, name), given) for name, given in other_states.items() if name not in read)
        readings = [(places, given) for places, given in (*unread, *self.readings.states) if given]
        for trail in self.schema.leaves:
            origins = [places.origin(trail) for places, given in readings if find(given, trail) is not ABSENT]
            if origins:
                self.origins[trail[-1].path] = replace(origins[0], shadowed=tuple(origins[1:])) if origins[1:] else origins[0]
            else:
                self.origins[trail[-1].path] = Origin("default")

    def _is_wanted(self, trail: Trail, state: State) -> bool:
        """Whether a bound field needs to be fetched: no source has it, and the models around it will be there."""
        if self.failed(trail[-1].path) or find(state, trail) is not ABSENT:
            return False
        return all(
            node.required or find(state, trail[: at + 1]) is not ABSENT or self._stands_by_bindings(node)
            for at, node in enumerate(trail[:-1])
        )

    def _stands_by_bindings(self, node: Node) -> bool:
        """Whether a model that nothing else fills, and that has a default, can be made of its bindings alone."""
        below = [trail[-1] for trail in self.schema.leaves if trail[-1].path.startswith(f"{node.path}.")]
        return not node.optional and all(leaf.reference is not None for leaf in below if leaf.required)

    def _fetch(self, wanted: Sequence[Trail], state: State) -> dict[str, Any]:
        plan = make_plan(wanted)
        resolved = resolve(plan, self._configured(), self.timeout)
        for scheme, sentence in resolved.warnings:
            self.problems.append(Problem("degraded", "", f"{scheme}: {sentence}", severity="warning"))
        tree: dict[str, object] = {}
        for trail, reference in plan.wanted:
            payload = payload_of(reference)
            answer = resolved.answers[payload]
            if isinstance(answer, Found):
                answer = pick(answer, reference.fragment, f"{payload.scheme} {payload.path}")
            self._take(trail, reference, answer, merge(state, tree), tree)
        return tree

    def _take(self, trail: Trail, reference: Reference, answer: Found | Failure, state: State, tree: dict[str, object]) -> None:
        """Put what was found where pydantic will look for it, or note why there is nothing."""
        node = trail[-1]
        origin = Origin(reference.scheme, str(reference).partition("://")[2])
        if isinstance(answer, Found):
            if node.secret:
                redactor.learn(answer.value, node.path)
            self.origins[node.path] = replace(origin, version=answer.version)
            place(tree, state, trail, _decoded(answer.value) if node.is_json else answer.value)
        elif answer.kind != "missing" or node.required:
            self.faults[node.path] = Problem(
                answer.kind,
                node.path,
                answer.message,
                tip=answer.tip,
                origin=origin,
                looked_in=self.looked_in(trail) if answer.kind == "missing" else (),
                retry_after=answer.retry_after,
                request_id=answer.request_id,
            )

    def looked_in(self, trail: Trail) -> tuple[str, ...]:
        """Every place in which a value of a field was looked for, in order."""
        places = [text for places in self.places for text in places.looked_in(trail)]
        return (*places, str(trail[-1].reference)) if trail[-1].reference else tuple(places)

    def _configured(self) -> Sequence[Provider]:
        configured: Sequence[Provider] = self.settings_class.model_config.get("providers", ())  # type: ignore[assignment]
        return configured


def _decoded(value: str | bytes) -> object:
    """A payload for a field that holds a structure; what is no JSON is left for pydantic to refuse."""
    try:
        decoded: object = json.loads(value)
    except ValueError:
        return value
    return decoded


_active: ContextVar[Load | None] = ContextVar("confguard_load", default=None)


def active_load(settings_class: type[BaseSettings]) -> Load | None:
    """The load of this very class that is under way, if `validate` began one."""
    load = _active.get()
    return load if load is not None and load.settings_class is settings_class and not load.ran else None


def owned_by_outer_load(settings_class: type[BaseSettings]) -> bool:
    """Whether a load under way fetches for this class too, since it is a part of the class that is being loaded."""
    load = _active.get()
    return load is not None and load.ran and settings_class in load.schema.models


@contextmanager
def loading(load: Load) -> Generator[None]:
    """Make a load the one under way."""
    token = _active.set(load)
    try:
        yield
    finally:
        _active.reset(token)
