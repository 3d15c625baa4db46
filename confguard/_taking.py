"""What came of fetching: values put where pydantic will look for them, or why there is none."""

from dataclasses import replace

from confguard._fetch import Want
from confguard._load import Load
from confguard._problem import Origin, Problem
from confguard._redaction import redactor
from confguard._reference import Reference
from confguard._schema import Trail
from confguard._state import ABSENT, find, place, place_object
from confguard._values import Unreadable, is_empty, loads, texts
from confguard.provider import Failure, Found

_OUTAGE = frozenset({"unavailable", "throttled"})


def take(load: Load, want: Want) -> None:
    """Put what was found where pydantic will look for it, or note why there is nothing."""
    node = want.trail[-1]
    failure = _failure(load, want)
    if failure is not None:
        _add_failure(load, want, *failure)
        return
    found = [
        (reference, answer) for reference, answer in zip(want.references, want.answers, strict=False) if isinstance(answer, Found)
    ]
    origin = Origin(found[0][0].scheme, ", ".join(_written(reference) for reference, _ in found), version=found[0][1].version)
    if want.each:
        is_json = bool(node.binding and node.binding.each and node.binding.each.is_json)
        values = [_read(answer, is_json=is_json) if isinstance(answer, Found) else None for answer in want.answers]
        _put(load, want.trail, values, origin)
    elif node.children:
        _put_object(load, want.trail, loads(found[0][1].value), origin)
    else:
        _put(load, want.trail, _read(found[0][1], is_json=node.is_json), origin, is_outside=node.binding is None)


def _failure(load: Load, want: Want) -> tuple[Reference, Failure] | None:
    """The failure that a field comes to, if it does: of alternatives the last, of a list the first that counts."""
    pairs = list(zip(want.references, want.answers, strict=False))
    if not want.each:
        pairs = pairs[-1:]
    gaps = want.trail[-1].binding is not None and want.trail[-1].binding.each is not None and want.trail[-1].binding.each.gaps
    failures = [(reference, answer) for reference, answer in pairs if isinstance(answer, Failure)]
    all_missing = len(failures) == len(pairs)
    counting = [pair for pair in failures if pair[1].kind != "missing" or not gaps or all_missing]
    return min(counting, key=lambda pair: pair[1].kind == "missing", default=None)


def _add_failure(load: Load, want: Want, reference: Reference, failure: Failure) -> None:
    node = want.trail[-1]
    problem = Problem(
        failure.kind,
        node.path,
        redactor.redact(failure.message),
        tip=failure.tip and redactor.redact(failure.tip),
        origin=Origin(reference.scheme, _written(reference)),
        looked_in=load.looked_in(want.trail) if failure.kind == "missing" else (),
        retry_after=failure.retry_after,
        request_id=failure.request_id and redactor.redact(failure.request_id),
    )
    if failure.kind == "missing" and not node.required:
        return
    if failure.kind in _OUTAGE and node.binding is not None and node.binding.on_outage:
        message = f"starts with its default, since the store is out: {problem.message}"
        load.problems.append(replace(problem, kind="degraded", message=message, severity="warning"))
    else:
        load.faults[node.path] = problem


def _put(load: Load, trail: Trail, value: object, origin: Origin, *, is_outside: bool = False) -> None:
    """Put a value into its place. One that a reference from outside led to is a secret, since nobody said that it is none."""
    node = trail[-1]
    load.origins.note_fetched(node.path, origin)
    if node.secret or is_outside:
        if node.secret and not node.takes_empty and is_empty(value):
            load.refuse_empty(trail)
        for text in texts(value):
            load.texts.append(text)
            redactor.learn(text, node.path)
    place(load.fetched, load.state, trail, value)


def _put_object(load: Load, trail: Trail, payload: object, origin: Origin) -> None:
    """Fill a model from the object that a store holds; what a source gave of it stays."""
    node = trail[-1]
    if not isinstance(payload, dict):
        reason = payload.reason if isinstance(payload, Unreadable) else "the payload is JSON, and no object"
        tip = "a model is filled from an object; bind its fields one by one, or name the object in the fragment"
        load.faults[node.path] = Problem("malformed", node.path, reason, tip=tip, origin=origin)
        return
    for leaf in load.schema.leaves_of(node.path):
        value = find(payload, leaf[len(trail) :])
        if value is not ABSENT and find(load.state, leaf) is ABSENT:
            _put(load, leaf, value, origin)
    for text in place_object(load.fetched, load.state, trail, payload):
        load.texts.append(text)
        redactor.learn(text, node.path)


def _written(reference: Reference) -> str:
    return str(reference).partition("://")[2]


def _read(found: Found, *, is_json: bool) -> object:
    """A value for a field; of one that holds a structure what its JSON says. What is no JSON is left for pydantic to refuse."""
    value = loads(found.value) if is_json else found.value
    return found.value if isinstance(value, Unreadable) else value
