"""Why each field of a load has the value it has: every place that was looked at, and why each but one was passed over."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from confguard._explain import shown
from confguard._fetch import Want
from confguard._load import Load
from confguard._places import Places, is_named_by
from confguard._problem import Kind, Origin, Problem
from confguard._resolver import Answer
from confguard._rules import valid_part
from confguard._schema import Trail
from confguard._sources import Raised, State, attempt
from confguard._state import ABSENT, find
from confguard.provider import Failure

Outcome = (
    Kind
    | Literal[
        "used",  # the value comes from here
        "shadowed",  # it has a value too, and a higher place was first
        "reference",  # it holds a reference, which was followed
        "not set",
        "not there",
        "unreadable",
        "not asked",
        "not bound",
        "not used",
        "none",  # there is no default
    ]
)


_GIVES = ("used", "reference")


@dataclass(frozen=True, slots=True)
class Step:
    """One place where a value of a field was looked for.

    Attributes:
        place: The place, as an operator would write it.
        outcome: What came of it: a word of `Outcome`, or the kind of a problem.
        reason: Why it was passed over, where the outcome does not say it.
        version: The version that a store gave.
    """

    place: str
    outcome: Outcome
    reason: str = ""
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What can be told of a field, whether the settings were made or not.

    Attributes:
        field: The field path.
        value: Its value as text, ``**********`` where it is a secret; None where it has no valid one.
        kind: The kind of its first problem, if that is an error.
        origin: Where its value came from.
        steps: Every place that was looked at, in order of precedence.
    """

    field: str
    value: str | None
    kind: Kind | None
    origin: Origin | None
    steps: tuple[Step, ...]


def tell(load: Load, settings: Any) -> tuple[Told, ...]:
    """What can be told of every field; holds no secret.

    Args:
        load: The load, which still has its values.
        settings: The settings; None where they could not be made.
    """
    record = attempt(lambda: valid_part(load, settings))
    errors = [problem for problem in load.all_problems() if problem.severity == "error"]
    return tuple(_told(load, None if isinstance(record, Raised) else record, trail, errors) for trail in load.schema.leaves)


def _told(load: Load, record: object, trail: Trail, errors: Iterable[Problem]) -> Told:
    leaf = trail[-1]
    kinds: list[Kind] = [error.kind for error in errors if error.field and _is_within(leaf.path, error.field)]
    kind = kinds[0] if kinds else None
    valid = kind is None and trail[0].name in getattr(record, "__dict__", {})
    origin = load.origins.get(leaf.path) if load.ran else None
    if kind is not None and origin is not None and origin.source == "default":
        origin = None
    return Told(leaf.path, shown(record, leaf) if valid else None, kind, origin, tuple(_steps(load, trail, kind)))


def _is_within(path: str, above: str) -> bool:
    return f"{path}.".startswith(f"{above}.") or above.startswith(f"{path}.")


def _steps(load: Load, trail: Trail, kind: Kind | None) -> Iterator[Step]:
    """The places in order of precedence; of those that have a value, the first is used."""
    groups = [list(_in_source(load, places, state, trail)) for places, state in load.readings.states]
    has = next((at for at, group in enumerate(groups) if any(step.outcome == "used" for step in group)), None)
    want = load.wants.get(trail[-1].path)
    if want is not None and has is not None:  # it was asked for although a source has a value: that is a reference
        held = [replace(step, outcome="reference") if step.outcome == "used" else step for step in groups[has]]
        groups[has] = [*held, *_asked(load, want, trail)]
    else:
        groups.append(list(_in_stores(load, trail)))
    given = any(step.outcome in _GIVES for group in groups for step in group)
    yield from _ranked([*groups, [_default(trail, None if given else kind)]])


def _ranked(groups: Iterable[Sequence[Step]]) -> Iterator[Step]:
    """The steps; what stands below one that has the value is shadowed by it, or was not asked."""
    winner = ""
    for group in groups:
        for step in group:
            if winner and step.outcome == "used":
                yield replace(step, outcome="shadowed", reason=f"{winner} comes first")
            elif step.outcome == "not asked" and not step.reason:
                reason = f"{winner} has the value" if winner else "the model around it stays at its default"
                yield replace(step, reason=reason)
            else:
                yield step
        winner = winner or next((step.place for step in group if step.outcome in _GIVES), "")


def _in_source(load: Load, places: Places, state: State, trail: Trail) -> Iterator[Step]:
    texts = list(places.looked_in(trail))
    if places.later_wins:
        texts.reverse()
    has = find(state, trail) is not ABSENT
    origin = places.origin(trail) if has else _fault_of(load, places, trail)
    at = next((at for at, text in enumerate(texts) if origin is not None and is_named_by(text, origin)), None)
    if origin is not None and at is None:
        at = len(texts)
        texts.append(str(origin))
    for number, text in enumerate(texts):
        place, absent, _ = text.partition(" (not there)")
        if number == at:
            yield Step(str(origin), "used") if has else Step(str(origin), load.faults[_faulty(load, trail)].kind)
        elif at is not None and number > at:
            yield Step(place, "not asked", f"{origin} has the value")
        elif at is None and places.passed_over(trail, text):
            yield Step(place, "not asked")
        elif _is_unreadable(load, places):
            yield Step(place, "unreadable")
        else:
            yield Step(place, "not there" if absent or places.label == "mounted" else "not set")


def _faulty(load: Load, trail: Trail) -> str:
    return next((node.path for node in trail if node.path in load.faults), "")


def _fault_of(load: Load, places: Places, trail: Trail) -> Origin | None:
    """Where a value stands in a source that could not read it."""
    path = _faulty(load, trail)
    origin = load.faults[path].origin if path else None
    return origin if origin is not None and origin.source == places.label else None


def _is_unreadable(load: Load, places: Places) -> bool:
    return any(fault.places.source is places.source for fault in load.readings.faults if not fault.field)


def _in_stores(load: Load, trail: Trail) -> Iterator[Step]:
    """The references of a field, and of the models around it that are bound as a whole."""
    for node in reversed(trail):
        want = load.wants.get(node.path)
        if want is not None:
            yield from _asked(load, want, trail)
        elif node.binding is not None:
            outcome, reason = _why_not(load, node.path)
            for choice in node.binding.choices:
                yield Step(" ".join(str(choice).split("://", 1)), outcome, reason)


def _why_not(load: Load, path: str) -> tuple[Outcome, str]:
    """Why no reference of a field was asked for; no reason where that is for a source that has the value."""
    if path in load.unbound:
        return "not bound", f"it is only bound when {load.unbound[path]}"
    if path in load.undecided:
        return "not asked", f"{', '.join(load.undecided[path])} is not known"
    if not load.ran:
        return "not asked", "the sources could not be read"
    fault = load.faults.get(path)
    return "not asked", f"{fault.origin or path} is {fault.kind}" if fault is not None else ""


def _asked(load: Load, want: Want, trail: Trail) -> Iterator[Step]:
    answers = want.answers
    for number, reference in enumerate(want.references):
        place = " ".join(str(reference).split("://", 1))
        if number < len(answers):
            yield _answered(load, want, trail, place, answers[number])
        else:
            last = answers[-1].kind if answers and isinstance(answers[-1], Failure) else "found"
            yield Step(place, "not asked", f"the one before it is {last}")


def _answered(load: Load, want: Want, trail: Trail, place: str, answer: Answer) -> Step:
    if isinstance(answer, Failure):
        return Step(place, answer.kind)
    if want.each or any(find(tree, trail) is not ABSENT for tree in (load.fetched, load.state)):
        return Step(place, "used", version=answer.version)
    fault = load.faults.get(want.trail[-1].path)
    return Step(place, fault.kind if fault is not None else "missing", "" if fault else "the object there has no such key")


def _default(trail: Trail, kind: Kind | None) -> Step:
    if all(node.required for node in trail):
        return Step("default", "none")
    if kind is None:
        return Step("default", "used")
    when = trail[-1].required_when
    if kind == "missing" and when is not None and not trail[-1].required:
        return Step("default", "not used", f"it is required when {when}")
    return Step("default", "none") if trail[-1].required else Step("default", "not used", "it stands in only for what is missing")
