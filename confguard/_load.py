"""One load of one settings class: what its sources gave, what had to be fetched, where each value came from, what is wrong."""

import json
import re
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from pydantic_settings import BaseSettings

from confguard._origins import Origins
from confguard._places import Places, source_name
from confguard._plan import make_plan, payload_of
from confguard._problem import Origin, Problem
from confguard._redaction import redactor
from confguard._reference import Reference
from confguard._resolver import resolve
from confguard._schema import Node, Schema, Trail, schema_of
from confguard._sources import Fault, Readings, Source, State, Watched
from confguard._state import ABSENT, find, place, present
from confguard._values import pick, texts
from confguard.provider import Failure, Found, Provider

# From how many characters on the value of a variable that no field takes may be a secret; "true" and "info" are none.
_STRAY = 8

DEFAULT_TIMEOUT = 10.0
"""Seconds until a load gives up on what has not answered."""

# Up to the last "@": a password that is not escaped as it should be is one all the same.
_URL_PASSWORD = re.compile(r"://([^:/?#\s@]*):(\S+)@")


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
        self.faults: dict[str, Problem] = {}
        self.problems: list[Problem] = list(self.schema.mistakes)
        self.origins = Origins(self.schema)
        self.ran = False
        self._state: State = {}
        self._fetched: list[str | bytes] = []
        self._handled: set[type] = set()

    @property
    def places(self) -> list[Places]:
        """The sources that were looked into, in their order."""
        return [places for places, _ in self.readings.states]

    def watch(self, sources: Iterable[Source]) -> tuple[Source, ...]:
        """The user's sources, watched."""
        return tuple(Watched(source, self.readings) for source in sources)

    def complete(self, state: State, other_states: Mapping[str, State] | None = None) -> dict[str, Any]:
        """Fetch what the sources left out; called as the last of them.

        Args:
            state: What the sources gave, merged.
            other_states: The same by source's class name: sources that pydantic-settings put in by itself stand only here.
                None where nobody will ask for origins.

        Returns:
            The fetched values, as a tree to merge below the state.
        """
        self.ran = True
        self._state = state
        self._learn(state)
        for fault in self.readings.faults:
            self._add_fault(fault)
        if other_states is not None:
            self._note_origins(other_states)
        wanted = [trail for trail in self.schema.bound if self._is_wanted(trail, state)]
        for trail in wanted:
            self._handled.update(node.model for node in trail if node.model is not None)
        return self._fetch(wanted, state) if wanted else {}

    def owns(self, settings_class: type) -> bool:
        """Whether this load fetched for a settings class that is nested in its own."""
        return settings_class in self._handled

    def given(self, trail: Trail) -> object:
        """What the sources gave for a field, or `ABSENT`."""
        return find(self._state, trail)

    def secrets(self) -> Iterator[str | bytes]:
        """Every text at hand that may be a secret: of secret fields and their defaults, and of variables that no field takes."""
        yield from self._fetched
        for trail in self.schema.leaves:
            if trail[-1].secret:
                yield from texts(trail[-1].default)
        for trail, value in present(self._state, self.schema):
            if trail[-1].secret:
                yield from texts(value, keys=True)
        declared = {key[0] for node in self.schema.nodes for key in node.keys}
        strays = (value for key, value in self._state.items() if key not in declared)
        yield from (text for value in strays for text in texts(value) if len(text) >= _STRAY)

    def forget(self) -> None:
        """Let go of every value. A copied context can keep a load alive."""
        self.readings.clear()
        self._state = {}
        self._fetched.clear()

    def failed(self, path: str) -> bool:
        """Whether it is known already why a field, the model around it or one within it has no good value."""
        told = (*self.faults, *(mistake.field for mistake in self.schema.mistakes))
        return any(path == fault or path.startswith(f"{fault}.") or fault.startswith(f"{path}.") for fault in told)

    def all_problems(self) -> Iterator[Problem]:
        """Everything that is wrong, each told to be of this class."""
        for problem in (*self.faults.values(), *self.problems):
            yield replace(problem, settings_class=problem.settings_class or self.schema.name)

    def _add_fault(self, fault: Fault) -> None:
        if not fault.field:
            message = fault.places.not_a_directory() or fault.raised.message
            self.problems.append(Problem(fault.raised.kind, "", redactor.redact(f"{fault.places.label}: {message}")))
            return
        within = [trail for path, trail in self.schema.trails.items() if f"{path}.".startswith(f"{fault.field}.")]
        trail = next((trail for trail in within if fault.places.holds_bad_json(trail)), within[0])
        path = trail[-1].path
        message = redactor.redact(fault.raised.message)
        tip = 'a list is written ["a", "b"], an object {"a": 1}' if trail[-1].is_json and "JSON" in message else None
        self.faults[path] = Problem(fault.raised.kind, path, message, tip=tip, origin=fault.places.origin(trail))

    def _learn(self, state: State) -> None:
        """Tell the redactor every secret that a source gave, before anything can be said of it."""
        for trail, value in present(state, self.schema):
            if trail[-1].secret:
                for text in texts(value):
                    redactor.learn(text, trail[-1].path)
            if ("@" in value and "://" in value) if isinstance(value, str) else isinstance(value, Collection):
                self._learn_passwords(value, trail[-1].path)

    def _learn_passwords(self, value: object, path: str) -> None:
        """Tell the redactor the passwords of URLs, which fields of any type may carry."""
        for text in texts(value):
            for user, password in _URL_PASSWORD.findall(text) if isinstance(text, str) else ():
                if password != user:  # "postgres:postgres" would redact every word "postgres"
                    redactor.learn(password, path)

    def _note_origins(self, other_states: Mapping[str, State]) -> None:
        read = {source_name(places.source) for places in self.places}
        unread = ((Places(None, name), given) for name, given in other_states.items() if name not in read)
        for places, given in (*unread, *self.readings.states):
            self.origins.note(places, given)

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
            self.problems.append(Problem("degraded", "", redactor.redact(f"{scheme}: {sentence}"), severity="warning"))
        tree: dict[str, object] = {}
        for trail, reference in plan.wanted:
            payload = payload_of(reference)
            answer = resolved.answers[payload]
            if isinstance(answer, Found):
                answer = pick(answer, reference.fragment, f"{payload.scheme} {payload.path}")
            self._take(trail, reference, answer, state, tree)
        return tree

    def _take(self, trail: Trail, reference: Reference, answer: Found | Failure, state: State, tree: dict[str, object]) -> None:
        """Put what was found where pydantic will look for it, or note why there is nothing."""
        node = trail[-1]
        origin = Origin(reference.scheme, str(reference).partition("://")[2])
        if isinstance(answer, Found):
            if node.secret:
                self._fetched += texts(answer.value)
                for text in texts(answer.value):
                    redactor.learn(text, node.path)
            self.origins.note_fetched(node.path, replace(origin, version=answer.version))
            place(tree, state, trail, _decoded(answer.value) if node.is_json else answer.value)
        elif answer.kind != "missing" or node.required:
            self.faults[node.path] = Problem(
                answer.kind,
                node.path,
                redactor.redact(answer.message),
                tip=answer.tip and redactor.redact(answer.tip),
                origin=origin,
                looked_in=self.looked_in(trail) if answer.kind == "missing" else (),
                retry_after=answer.retry_after,
                request_id=answer.request_id and redactor.redact(answer.request_id),
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
    except (ValueError, RecursionError):
        return value
    return decoded


_active: ContextVar[Load | None] = ContextVar("confguard_load", default=None)


def active_load(settings_class: type[BaseSettings]) -> Load | None:
    """The load of this very class that is under way, if `validate` began one."""
    load = _active.get()
    return load if load is not None and load.settings_class is settings_class and not load.ran else None


def owned_by_outer_load(settings_class: type[BaseSettings]) -> bool:
    """Whether a load under way fetched for this class too, as a part of the class that is being loaded."""
    load = _active.get()
    return load is not None and load.ran and load.owns(settings_class)


@contextmanager
def loading(load: Load) -> Generator[None]:
    """Make a load the one under way."""
    token = _active.set(load)
    try:
        yield
    finally:
        _active.reset(token)
