"""The plan: which references have to be fetched, each payload once, grouped by scheme. Pure data, made without a network."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from confguard._bindings import When, plain
from confguard._reference import PLACEHOLDER, Reference, Template
from confguard._schema import Binding, Schema

DECODE = "decode"
"""The parameter that belongs to the core: how the value's text is to be read. Providers never see it."""


@dataclass(frozen=True, slots=True)
class Line:
    """A payload that may have to be fetched.

    Attributes:
        payload: What the provider is asked for, as it is written in code.
        reference: The same, good for asking where no field's value has to be filled in; else its path has the fields' names.
        fields: The paths of the fields that are bound to it.
        notes: When it is asked for, where that depends on something: conditions, or other references that come first. Any of them
            is enough.
        rounds: In which rounds it is asked for: 0, and later ones where it is an alternative.
    """

    payload: str
    reference: Reference
    fields: tuple[str, ...]
    notes: tuple[str, ...]
    rounds: frozenset[int]


def make_plan(schema: Schema) -> Mapping[str, tuple[Line, ...]]:
    """By scheme, everything that a load may have to fetch, each payload once; where a source has the value, it is not."""
    lines: dict[str, dict[str, Line]] = {}
    for path, binding in _bindings(schema):
        for at, choice in enumerate(binding.choices):
            parts = [f"when {binding.when}"] if binding.when is not None else []
            turn = at if binding.each is None else 0
            parts += ["where the one before is missing"] if turn else []
            notes = (", ".join(parts),) if parts else ()
            known = lines.setdefault(choice.rest.scheme, {})
            text = _payload_text(choice)
            line = Line(text, payload_of(_named(choice)), (path,), notes, frozenset({turn}))
            known[text] = _joined(known[text], line) if text in known else line
    return {scheme: tuple(known.values()) for scheme, known in lines.items()}


def _bindings(schema: Schema) -> Iterator[tuple[str, Binding]]:
    """The path and the binding of every field that has one."""
    for path, trail in schema.trails.items():
        if (binding := trail[-1].binding) is not None:
            yield path, binding


def _joined(one: Line, other: Line) -> Line:
    """Two lines for one payload: it is asked for where either is."""
    notes = tuple(dict.fromkeys((*one.notes, *other.notes))) if one.notes and other.notes else ()
    fields = tuple(dict.fromkeys((*one.fields, *other.fields)))
    return replace(one, fields=fields, notes=notes, rounds=one.rounds | other.rounds)


def _named(choice: Template) -> Reference:
    """The reference with the names of fields in its path, so that what is filled in differently is different."""
    return replace(choice.rest, path="".join(f"{{{piece}}}" if at % 2 else piece for at, piece in enumerate(choice.pieces)))


def _payload_text(choice: Template) -> str:
    return str(replace(choice, rest=payload_of(choice.rest)))


def references_of(schema: Schema, given: Mapping[str, str], wanted: Callable[[str], bool]) -> Iterator[Reference]:
    """Every payload that a load may ask for, with the values of deciding fields filled in.

    Args:
        schema: The class.
        given: Values of deciding fields, where only these are meant. Of another field every value stands that its type lists; one
            whose type lists none stands as ``<its name>``.
        wanted: Of a field path, whether it is loaded.

    Raises:
        InvalidReferenceError: A value that is given cannot stand in a path.
    """
    for path, binding in _bindings(schema):
        if not wanted(path) or (binding.when is not None and _rules_out(binding.when, given)):
            continue
        for choice in binding.choices:
            names = tuple(dict.fromkeys(choice.names))
            for picked in product(*(_values_of(schema, name, given, binding.when) for name in names)):
                yield payload_of(choice.fill_roughly(dict(zip(names, picked, strict=True))))


def _rules_out(when: When, given: Mapping[str, str]) -> bool:
    return any(name in given and given[name] not in map(str, map(plain, facts)) for name, facts in when.facts.items())


def _values_of(schema: Schema, name: str, given: Mapping[str, str], when: When | None) -> Sequence[str]:
    """The values that a field in a path may have: the one that is given, those of the condition, those of its type."""
    if name in given:
        return [given[name]]
    node = schema.trails[name][-1]
    possible = when.facts[name] if when is not None and name in when.facts else node.possible
    return [str(plain(value)) for value in possible] if possible is not None else [PLACEHOLDER.format(name)]


def payload_of(reference: Reference) -> Reference:
    """What a provider is asked for to get at a reference; two that differ in fragment and decoding alone share a payload."""
    return replace(reference, params=tuple(pair for pair in reference.params if pair[0] != DECODE), fragment="")
