"""One load of one settings class: what its sources gave, what had to be fetched, where each value came from, what is wrong."""

from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from pydantic_settings import BaseSettings

from confguard._classes import schema_of
from confguard._deciding import Deciders
from confguard._fetch import Together, Want
from confguard._origins import Origins
from confguard._overrides import NAME, Layer, layers_of, stamp_of
from confguard._places import Places, source_name
from confguard._problem import Origin, Problem
from confguard._redaction import redactor
from confguard._schema import Schema, Trail
from confguard._sources import Fault, Readings, Source, State, Watched
from confguard._state import ABSENT, STRAY, find, present
from confguard._values import texts
from confguard.provider import Provider

DEFAULT_TIMEOUT = 10.0
"""Seconds until a load gives up on what has not answered."""


class StopLoad(BaseException):
    """Ends a load behind its sources, where only some fields are wanted; no exception that user code would catch."""


class Load:
    """One load of one settings class.

    Attributes:
        schema: The fields of the class.
        only: The paths of the fields that are wanted, with what is in them; empty where all are.
        faults: By field path, why a field has no value that could be validated.
        problems: What concerns no field that could be named, and warnings.
        origins: By field path, where each value came from.
        deciders: The values of the fields that decide others.
        undecided: By field path, the fields without which it is not known what this one is bound to.
        wants: By field path, what was asked of stores, and the answers; values are forgotten with the rest.
        unbound: By field path, the condition of its binding, where that does not hold.
        fetched: What was fetched, as a tree to merge below what the sources gave.
        ran: Whether our source was asked at all.
        lacks_mount: Whether a declared directory was not there.
        knows_all: Whether the secrets are those of settings that are made already.
        layers: The overrides that were on when it began; none once values are forgotten.
        stamp: Which overrides they were.
        overridden: The paths of the fields that they override.
    """

    def __init__(
        self,
        settings_class: type[BaseSettings],
        timeout: float = DEFAULT_TIMEOUT,
        only: Collection[str] = (),
        together: Together | None = None,
        layers: tuple[Layer, ...] | None = None,
    ) -> None:
        self.settings_class = settings_class
        self.layers = layers_of(settings_class) if layers is None else layers
        self.stamp = stamp_of(self.layers)
        self.overridden = frozenset(path for layer in self.layers for path in layer.values)
        self.schema: Schema = schema_of(settings_class)
        self.only = frozenset(only)
        self.readings = Readings()
        self.faults: dict[str, Problem] = {}
        self.problems: list[Problem] = list(self.schema.mistakes)
        self.origins = Origins(self.schema)
        self.deciders = Deciders(settings_class, self.schema)
        self.undecided: dict[str, tuple[str, ...]] = {}
        self.wants: dict[str, Want] = {}
        self.unbound: dict[str, str] = {}
        self.fetched: dict[str, Any] = {}
        self.ran = False
        self.lacks_mount = False
        self.together = together or Together(timeout)
        self.state: dict[str, Any] = {}
        self.texts: list[str | bytes] = []
        self.knows_all = False
        self.handled: set[type] = set()

    @property
    def places(self) -> list[Places]:
        """The sources that were looked into, in their order; none once values are forgotten."""
        return [places for places, _ in self.readings.states]

    def watch(self, sources: Iterable[Source]) -> tuple[Source, ...]:
        """The user's sources, watched."""
        return tuple(Watched(source, self.readings) for source in sources)

    def owns(self, settings_class: type) -> bool:
        """Whether this load fetched for a settings class that is nested in its own."""
        return settings_class in self.handled

    def wanted(self, path: str) -> bool:
        """Whether a field is wanted, or holds one that is."""
        return not self.only or any(f"{path}.".startswith(f"{name}.") or name.startswith(f"{path}.") for name in self.only)

    def wanted_whole(self, path: str) -> bool:
        """Whether a field is wanted with all that is in it."""
        return not self.only or any(f"{path}.".startswith(f"{name}.") for name in self.only)

    def is_overridden(self, path: str) -> bool:
        """Whether a field is overridden, or a model around it."""
        return bool(self.overridden) and any(f"{path}.".startswith(f"{name}.") for name in self.overridden)

    def given(self, trail: Trail) -> object:
        """What the sources gave for a field, or `ABSENT`."""
        return find(self.state, trail)

    def secrets(self) -> Iterator[str | bytes]:
        """Every text at hand that may be a secret: of secret fields and their defaults, and of variables that no field takes."""
        yield from self.texts
        for trail in self.schema.leaves:
            if trail[-1].secret:
                yield from texts(list(_defaults(trail)))
        for trail, value in present(self.state, self.schema):
            if trail[-1].secret:
                yield from texts(value, keys=True)
        declared = {key[0] for node in self.schema.nodes for key in node.keys}
        strays = (value for key, value in self.state.items() if key not in declared)
        yield from (text for value in strays for text in texts(value) if len(text) >= STRAY)

    def has_unknown_secret(self) -> bool:
        """Whether a function of the class made a default that is a secret, which nobody can look for in a message."""
        made = (trail for trail in self.schema.leaves if trail[-1].secret and any(node.makes_secret for node in trail))
        return not self.knows_all and any(find(self.state, trail) is ABSENT for trail in made)

    def forget(self) -> None:
        """Let go of every value. A copied context can keep a load alive."""
        self.layers = ()
        self.lacks_mount = any(places.lacks_mount() for places in self.places)
        self.readings.clear()
        self.state, self.fetched = {}, {}
        self.texts.clear()
        self.deciders.forget()
        for want in self.wants.values():
            want.forget()

    def failed(self, path: str) -> bool:
        """Whether it is known already why a field, the model around it or one within it has no good value."""
        told = (*self.faults, *self.undecided, *(mistake.field for mistake in self.schema.mistakes))
        return any(path == fault or path.startswith(f"{fault}.") or fault.startswith(f"{path}.") for fault in told)

    def all_problems(self) -> Iterator[Problem]:
        """Everything that is wrong, each told to be of this class."""
        told = [problem for problem in (*self.faults.values(), *self.problems) if not problem.field or self.wanted(problem.field)]
        wrong = {problem.field for problem in told}
        for path, names in self.undecided.items():
            if not wrong.intersection(names):
                decides = "decides what it is bound to, and has" if len(names) == 1 else "decide what it is bound to, and have"
                told.append(Problem("missing", path, f"{', '.join(names)} {decides} no valid value"))
        for problem in told:
            is_mistake = problem.kind == "mistake"
            hanging = [path for path, names in self.undecided.items() if problem.field in names and not is_mistake]
            note = f"without it {', '.join(hanging)} cannot be looked for" if hanging else ""
            message = "; ".join(text for text in (problem.message, note) if text)
            yield replace(problem, message=message, settings_class=problem.settings_class or self.schema.name)

    def looked_in(self, trail: Trail) -> tuple[str, ...]:
        """Every place in which a value of a field was looked for, in order."""
        places = [text for places in self.places for text in places.looked_in(trail)]
        node = trail[-1]
        if node.path in self.unbound:
            return (*places, f"no store, since it is only bound when {self.unbound[node.path]}")
        asked = self.wants[node.path].references if node.path in self.wants else ()
        written = [choice.text for choice in node.binding.choices] if node.binding is not None else []
        return (*places, *(map(str, asked) if asked else written))

    def add_fault(self, fault: Fault) -> None:
        """Note why a source, or a field of one, could not be read."""
        if not fault.field:
            message = fault.places.not_a_directory() or fault.raised.message
            self.problems.append(Problem(fault.raised.kind, "", redactor.redact(f"{fault.places.label}: {message}")))
            return
        within = [trail for path, trail in self.schema.trails.items() if f"{path}.".startswith(f"{fault.field}.")]
        trail = next((trail for trail in within if fault.places.holds_bad_json(trail)), within[0])
        path = trail[-1].path
        message = redactor.redact(fault.raised.message)
        tip = fault.raised.tip
        if trail[-1].is_json and "JSON" in message:
            tip = 'a list is written ["a", "b"], an object {"a": 1}'
        self.faults[path] = Problem(fault.raised.kind, path, message, tip=tip, origin=fault.places.origin(trail))

    def note_origins(self, given: Mapping[str, State]) -> None:
        """Note which source gave what; of those that were not read through a proxy the class's name is all that is known."""
        read = {source_name(places.source) for places in self.places}
        unread = ((Places(None, name), state) for name, state in given.items() if name not in read)
        noted = [*unread, *self.readings.states]
        if self.overridden:
            noted.sort(key=lambda pair: pair[0].label != NAME)  # a command line is read before it, and counts less
        for places, state in noted:
            self.origins.note(places, state)
        for path in self.overridden:  # what stands above gave nothing of a model that is overridden as a whole
            for leaf in self.schema.leaves_of(path):
                if find(self.state, leaf) is ABSENT:
                    self.origins.note_fetched(leaf[-1].path, Origin("default"))

    def refuse_empty(self, trail: Trail) -> None:
        """Note that a secret is empty where it must not be."""
        path = trail[-1].path
        tip = "set it, or take it out of there; a field that may be empty says Field(min_length=0)"
        self.faults.setdefault(path, Problem("invalid", path, "is empty", tip=tip, origin=self.origins.get(path)))

    def note_open_password(self, trail: Trail) -> None:
        """Note that a field whose type hides nothing carries a password."""
        path = trail[-1].path
        message = "it is a URL with a password, and its type shows it wherever the settings are printed"
        tip = "make it a secret: Secret[PostgresDsn], say, or SecretStr"
        self.problems.append(Problem("degraded", path, message, tip=tip, origin=self.origins.get(path), severity="warning"))

    @property
    def configured(self) -> Sequence[Provider]:
        """The providers given in the class's code."""
        configured: Sequence[Provider] = self.settings_class.model_config.get("providers", ())  # type: ignore[assignment]
        return configured


def _defaults(trail: Trail) -> Iterator[object]:
    """The default of a field, and what it is in the defaults of the models around it."""
    for at, node in enumerate(trail):
        value = node.default
        for inner in trail[at + 1 :]:
            value = value.get(inner.name) if isinstance(value, Mapping) else getattr(value, inner.name, None)
        yield value


_active: ContextVar[Load | None] = ContextVar("confguard_load", default=None)


def active_load(settings_class: type[BaseSettings]) -> Load | None:
    """The load of this very class that is under way, if `validate` began one."""
    load = _active.get()
    return load if load is not None and load.settings_class is settings_class and not load.ran else None


def owned_by_outer_load(settings_class: type[BaseSettings]) -> bool:
    """Whether a load under way fetched for this class too, as a part of the class that is being loaded."""
    load = _active.get()
    return load is not None and load.ran and load.owns(settings_class)


def reported(settings_class: type[BaseSettings]) -> bool:
    """Whether what is wrong with settings of this class that are being made goes into the report of a load under way."""
    load = _active.get()
    return load is not None and (load.settings_class is settings_class or (load.ran and load.owns(settings_class)))


@contextmanager
def loading(load: Load | None) -> Generator[None]:
    """Make a load the one under way."""
    token = _active.set(load)
    try:
        yield
    finally:
        _active.reset(token)
