"""What is wrong with a settings class as a whole: fields that cannot decide others, conditions that never hold, stray rules."""

from collections.abc import Iterable, Iterator
from enum import Enum

from confguard._bindings import RULE, When
from confguard._problem import Problem
from confguard._reference import InvalidReferenceError, parse_reference
from confguard._schema import Schema
from confguard._values import closest

Fault = tuple[str, str | None]
"""What is wrong, and a tip."""


def wrong_deciders(schema: Schema) -> Iterator[Problem]:
    """Fields that decide a binding or a condition and cannot: their value has to be there before anything is fetched."""
    for path, trail in schema.trails.items():
        node = trail[-1]
        deciding = node.binding.deciding if node.binding is not None else frozenset[str]()
        for name in sorted(deciding | frozenset(node.required_when.facts if node.required_when else ())):
            if (why := _cannot_decide(schema, path, name)) is not None:
                yield Problem(
                    "mistake", path, f"{name} cannot decide what it is bound to or whether it is required: {why[0]}", why[1]
                )
        for when in (node.binding.when if node.binding else None, node.required_when):
            yield from _impossible(schema, path, when) if when is not None else ()


def _cannot_decide(schema: Schema, path: str, name: str) -> Fault | None:
    trail = schema.trails.get(name)
    if trail is None:
        meant = closest(name, schema.trails)
        return "there is no such field", f"did you mean {meant}?" if meant else None
    node = trail[-1]
    if name == path:
        return "that is the field itself", "let another field decide"
    if any(step.binding is not None for step in trail):
        cycle = path in _leads_to(schema, name, set())
        what = "it is itself bound to what this one decides: a cycle" if cycle else "it is bound to a store itself"
        return what, "let a field decide that comes from a variable"
    if node.secret:
        return "it is a secret", "let a field decide that may be shown"
    if node.children or node.model is not None:
        return "it is a model", "name one of its fields"
    if not all(step.required for step in trail):
        return "it has a default, so that it would be decided where nobody did", "take the default away"
    return None


def _leads_to(schema: Schema, name: str, seen: set[str]) -> set[str]:
    """Every field that decides a field, directly or by others."""
    binding = schema.trails[name][-1].binding if name in schema.trails else None
    for other in binding.deciding if binding is not None else ():
        if other not in seen:
            seen.add(other)
            _leads_to(schema, other, seen)
    return seen


def _impossible(schema: Schema, path: str, when: When) -> Iterator[Problem]:
    """Values of a condition that the field can never have: a condition that is misspelt would never hold."""
    for name, wanted in when.facts.items():
        trail = schema.trails.get(name)
        possible = trail[-1].possible if trail is not None else None
        for fact in wanted if possible is not None else ():
            value = fact.value if isinstance(fact, Enum) else fact
            if value not in (possible or ()):
                meant = closest(str(value), [str(item) for item in possible or ()])
                yield Problem("mistake", path, f"{name} is never {value!r}", f"did you mean {meant!r}?" if meant else None)


def stray_rules(schema: Schema) -> Iterator[Problem]:
    for model in schema.models:
        for name, item in vars(model).items():
            if hasattr(item, RULE):
                yield Problem(
                    "mistake", "", f"the rule {name} of {model.__qualname__} is never asked: rules stand in settings classes"
                )


def wrong_prefixes(allowed: Iterable[str]) -> Iterator[Problem]:
    """Prefixes of references from outside that can allow nothing."""
    for prefix in allowed:
        if (why := _wrong_prefix(prefix)) is not None:
            yield Problem("mistake", "", f"allowed_references has {prefix!r}: {why}", tip="write vault://secret/myservice/")


def _wrong_prefix(prefix: str) -> str | None:
    """Why a prefix in a class is none."""
    scheme, separator, path = prefix.partition("://")
    try:
        parsed = parse_reference(f"{scheme}{separator}{path or 'x'}")
    except InvalidReferenceError as exc:
        return str(exc)
    return "a prefix has no parameters and no fragment" if parsed.params or parsed.fragment else None
