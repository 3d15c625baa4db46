"""What is done with settings once they are made: rules and conditions judge them, and their computed secrets are learned."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from pydantic import BaseModel

from confguard._load import Load
from confguard._partial import make, validate_fields
from confguard._problem import Problem
from confguard._redaction import redactor
from confguard._report import place_of
from confguard._sources import Raised, attempt
from confguard._state import ABSENT, find, merged
from confguard._values import texts
from confguard.exceptions import ConfigError


def judge(load: Load, settings: Any) -> list[Problem]:
    """The problems of conditions and rules.

    Args:
        load: The load, which still has its values.
        settings: The settings; None where they could not be made, and rules run on the fields that are valid.
    """
    computed = list(_learn_computed(load, settings)) if settings is not None else []
    if not load.schema.conditional and not load.schema.rules:
        return computed
    required = list(_required(load, merged(load.state, load.fetched)))
    record = valid_part(load, settings, required) if load.schema.rules else None
    return [*computed, *required, *ask_rules(load, record)]


def ask_rules(load: Load, record: Any) -> Iterator[Problem]:
    """The problems of the rules alone.

    Args:
        load: The load.
        record: The settings as rules see them.
    """
    for name, claim in load.schema.rules:
        yield from _asked(load, record, name, claim)


def _learn_computed(load: Load, settings: Any) -> Iterator[Problem]:
    """Tell the redactor the values of computed fields that are secrets: a DSN that is made of parts, say."""
    for name in load.schema.computed if not load.only else ():
        value = attempt(partial(getattr, settings, name))
        if isinstance(value, Raised):
            message = "is a computed secret whose value cannot be known, so it cannot be hidden: computing it raised"
            yield Problem("mistake", name, message, severity="warning")
        else:
            for text in texts(value):
                redactor.learn(text, name)


def _required(load: Load, tree: Mapping[str, Any]) -> Iterator[Problem]:
    for trail in load.schema.conditional:
        node = trail[-1]
        when = node.required_when
        if when is None or load.failed(node.path) or not load.wanted(node.path) or load.faults.keys() & when.facts:
            continue
        decided = not load.deciders.read(when.facts, load.state)
        if decided and when.holds(load.deciders.values) and find(tree, trail) in (ABSENT, None):
            tip = f"it is required when {when}"
            yield Problem("missing", node.path, "", tip=tip, looked_in=load.looked_in(trail))


def valid_part(load: Load, settings: Any, more: Sequence[Problem] = ()) -> Any:
    """The settings as rules see them: without the fields that have no valid value.

    Args:
        load: The load, which still has its values.
        settings: The settings; None where they could not be made.
        more: Problems that the load does not have yet.
    """
    tree = merged(load.state, load.fetched)
    wrong = {problem.field.partition(".")[0] for problem in (*load.all_problems(), *more) if problem.severity == "error"}
    wrong |= {path.partition(".")[0] for path in load.undecided}
    if settings is not None:
        return make_without(settings, wrong) if wrong - {""} else settings
    names = {node.name for node in load.schema.nodes if load.wanted(node.path)} - wrong
    return make(load.settings_class, _valid(load, names, tree))


def make_without(settings: BaseModel, wrong: set[str]) -> BaseModel:
    """A copy without some fields."""
    return make(type(settings), {name: value for name, value in settings.__dict__.items() if name not in wrong})


def _valid(load: Load, names: set[str], tree: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values of these fields, of which others are known to be wrong; one by one where together they cannot be had."""
    together = attempt(lambda: validate_fields(load.settings_class, names, tree))
    if not isinstance(together, Raised):
        return together
    alone = ((name, attempt(partial(validate_fields, load.settings_class, {name}, tree))) for name in sorted(names))
    return {name: value[name] for name, value in alone if not isinstance(value, Raised)}


def _asked(load: Load, record: Any, name: str, claim: str) -> Iterator[Problem]:
    """The problem of a rule that is broken, that cannot be evaluated, or that raises."""
    try:
        holds = bool(getattr(record, name)())
    except ConfigError as exc:
        yield from exc.problems  # of other settings, which the rule reads
        return
    except Exception as exc:  # noqa: BLE001 - becomes a problem
        lacks = _lacks(exc)
        if lacks is None:
            tip = "a rule returns whether all is well"
            message = redactor.redact(f"the rule {name!r} raised {type(exc).__qualname__} at {place_of(exc)}")
            yield Problem("mistake", "", message, tip=tip)
        elif load.wanted(lacks):
            yield Problem("rule", "", f"not evaluated, since {lacks} is not valid: {claim}", severity="warning")
        return
    if not holds:
        yield Problem("rule", "", claim, tip=_tip(load, name))


def _lacks(exc: Exception) -> str | None:
    """The field that a rule wanted and that has no valid value."""
    if not isinstance(exc, AttributeError):
        return None
    fields: Collection[str] = getattr(type(exc.obj), "__pydantic_fields__", ())
    return exc.name if exc.name in fields else None


def fields_read(load: Load, name: str) -> list[str]:
    """The fields that the rule's own code names."""
    code = getattr(getattr(load.settings_class, name), "__code__", None)
    mentioned: Collection[str] = getattr(code, "co_names", ())
    return [node.name for node in load.schema.nodes if node.name in mentioned]


def _tip(load: Load, name: str) -> str | None:
    """The fields that the rule's own code names, and where their values come from."""
    origins = ((field, load.origins.get(field)) for field in fields_read(load, name))
    told = [f"{field} ({origin})" if origin is not None else field for field, origin in origins]
    return f"it reads {', '.join(told)}" if told else None
