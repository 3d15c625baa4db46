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
        round: In which round it is asked for: 0 for all but later alternatives.
    """

    payload: str
    reference: Reference
    fields: tuple[str, ...]
    note: str = ""
    round: int = 0


def make_plan(schema: Schema) -> Mapping[str, tuple[Line, ...]]:
    """By scheme, everything that a load may have to fetch, each payload once; where a source has the value, it is not."""
    lines: dict[str, dict[tuple[str, str, int], Line]] = {}
    for trail in schema.bound:
        binding = trail[-1].binding
        for at, choice in enumerate(binding.choices if binding is not None else ()):
            payload = _payload_text(choice)
            turn = 0 if binding is None or binding.each is not None else at
            notes = [f"when {binding.when}"] if binding is not None and binding.when is not None else []
            note = ", ".join([*notes, *(["where the one before is missing"] if turn else [])])
            known = lines.setdefault(choice.rest.scheme, {})
            line = known.get((payload, note, turn), Line(payload, payload_of(_named(choice)), (), note, turn))
            known[payload, note, turn] = replace(line, fields=tuple(dict.fromkeys((*line.fields, trail[-1].path))))
    return {scheme: tuple(known.values()) for scheme, known in lines.items()}


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
