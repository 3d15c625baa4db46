"""The plan: which references have to be fetched, each payload once, grouped by scheme. Pure data, made without a network."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from confguard._reference import Reference
from confguard._schema import Trail


@dataclass(frozen=True, slots=True)
class Plan:
    """What has to be fetched.

    Attributes:
        wanted: The bound fields without a value, and what each is bound to.
        payloads: By scheme, the references that providers are asked for: no fragments, none twice.
    """

    wanted: tuple[tuple[Trail, Reference], ...]
    payloads: Mapping[str, tuple[Reference, ...]]


def make_plan(trails: Iterable[Trail]) -> Plan:
    """The plan for these bound fields; two that differ in their fragments alone share a payload."""
    wanted = tuple((trail, reference) for trail in trails if (reference := trail[-1].reference) is not None)
    by_scheme: dict[str, dict[Reference, None]] = {}
    for _, reference in wanted:
        by_scheme.setdefault(reference.scheme, {})[payload_of(reference)] = None
    return Plan(wanted, {scheme: tuple(references) for scheme, references in by_scheme.items()})


def payload_of(reference: Reference) -> Reference:
    """What a provider is asked for to get at a reference."""
    return replace(reference, fragment="")
