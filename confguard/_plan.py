"""The plan: which references have to be fetched, each payload once, grouped by scheme. Pure data, made without a network."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from confguard._reference import Reference, Template
from confguard._schema import Schema

DECODE = "decode"
"""The parameter that belongs to the core: how the value's text is to be read. Providers never see it."""


@dataclass(frozen=True, slots=True)
class Line:
    """A payload that may have to be fetched.

    Attributes:
        payload: What the provider is asked for, as it is written in code.
        reference: The same, good for asking where no field's value has to be filled in; else its path has the fields' names.
        fields: The paths of the fields that are bound to it.
        note: When it is asked for, where that depends on something: a condition, or another reference that comes first.
        rounds: In which rounds it is asked for: 0, and later ones where it is an alternative.
    """

    payload: str
    reference: Reference
    fields: tuple[str, ...]
    note: str = ""
    rounds: frozenset[int] = frozenset({0})


def make_plan(schema: Schema) -> Mapping[str, tuple[Line, ...]]:
    """By scheme, everything that a load may have to fetch, each payload once; where a source has the value, it is not."""
    lines: dict[str, dict[str, Line]] = {}
    for trail in schema.bound:
        binding = trail[-1].binding
        assert binding is not None  # noqa: S101 - that is what makes it bound
        for at, choice in enumerate(binding.choices):
            notes = [f"when {binding.when}"] if binding.when is not None else []
            turn = at if binding.each is None else 0
            notes += ["where the one before is missing"] if turn else []
            known = lines.setdefault(choice.rest.scheme, {})
            text = _payload_text(choice)
            line = Line(text, payload_of(_named(choice)), (trail[-1].path,), ", ".join(notes), frozenset({turn}))
            known[text] = _joined(known[text], line) if text in known else line
    return {scheme: tuple(known.values()) for scheme, known in lines.items()}


def _joined(one: Line, other: Line) -> Line:
    """Two lines for one payload: it is asked for where either is."""
    note = " or ".join(dict.fromkeys((one.note, other.note))) if one.note and other.note else ""
    fields = tuple(dict.fromkeys((*one.fields, *other.fields)))
    return replace(one, fields=fields, note=note, rounds=one.rounds | other.rounds)


def _named(choice: Template) -> Reference:
    """The reference with the names of fields in its path, so that what is filled in differently is different."""
    if not choice.names:
        return choice.rest
    return replace(choice.rest, path="".join(f"{{{piece}}}" if at % 2 else piece for at, piece in enumerate(choice.pieces)))


def _payload_text(choice: Template) -> str:
    return str(replace(choice, rest=payload_of(choice.rest)))


def payload_of(reference: Reference) -> Reference:
    """What a provider is asked for to get at a reference; two that differ in fragment and decoding alone share a payload."""
    return replace(reference, params=tuple(pair for pair in reference.params if pair[0] != DECODE), fragment="")
