"""Tests of "it must not start": the problems of settings or of a service, and the claim which they are."""

import inspect
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from confguard._call import Call, load_settings
from confguard._classes import schema_of
from confguard._lazy import class_of_handle
from confguard._load import DEFAULT_TIMEOUT
from confguard._problem import Kind, Problem, by_weight
from confguard._redaction import redactor
from confguard._report import render_text
from confguard._settings import BaseSettings
from confguard._values import closest
from confguard.exceptions import ConfigError

Target = type[BaseSettings] | BaseSettings | Callable[[], object]
"""A settings class, what `lazy` made of one, or what starts a service."""

Reasons = Sequence[tuple[Kind, str]]

_ALL = 1_000_000
"""How many bytes a report may take: the whole."""


def problems_of(*targets: Target, timeout: float = DEFAULT_TIMEOUT) -> tuple[Problem, ...]:
    """All that is wrong with settings, or with the start of a service.

    Args:
        targets: Settings classes, or what `lazy` made of them: they are loaded together, as `validate` does it, and a handle
            holds afterwards what it held before. Or one function without arguments that starts a service: what counts is the
            `ConfigError` that it raises, itself or on the way to a `SystemExit`.
        timeout: Seconds until what has no answer from a store is ``unavailable``. A function knows its own.

    Returns:
        The problems, most serious first. Empty where all is well; where settings load and something is odd about them, the
        warnings alone. A function that returns has no problems, whatever it warned of.

    Raises:
        TypeError: There is nothing to start, or something beside a function.
        ValueError: The timeout is not above 0.
    """
    classes = _classes_of(targets)
    if classes:
        return by_weight(problem for one in load_settings(Call(classes, timeout)) for problem in one.problems)
    return _raised_by(cast("Callable[[], object]", targets[0]))


def assert_refuses(
    *targets: Target,
    defect: str | Collection[str] = (),
    mistake: str | Collection[str] = (),
    unconfigured: str | Collection[str] = (),
    unauthenticated: str | Collection[str] = (),
    denied: str | Collection[str] = (),
    malformed: str | Collection[str] = (),
    missing: str | Collection[str] = (),
    invalid: str | Collection[str] = (),
    conflicting: str | Collection[str] = (),
    rule: str | Collection[str] = (),
    unavailable: str | Collection[str] = (),
    throttled: str | Collection[str] = (),
    unknown: str | Collection[str] = (),
    degraded: str | Collection[str] = (),
    exactly: bool = True,
    timeout: float = DEFAULT_TIMEOUT,
) -> tuple[Problem, ...]:
    """Assert that settings are refused, or that a service does not start, and for which reasons.

        assert_refuses(AppSettings, missing=["secret_key", "db.password"], denied="stripe_key", rule="no_debug_in_production")

    Each kind of problem takes the paths of the fields that have it, one as a text or several. A problem of no field is named by
    a part of its message, and a rule also by its method. Without any reason, any refusal will do.

    Args:
        targets: As of `problems_of`.
        defect: A provider or the library failed.
        mistake: The settings class itself is wrong.
        unconfigured: It is not said where a store is, or a reference is not allowed.
        unauthenticated: No valid credential.
        denied: Not allowed.
        malformed: What was read or fetched is not of its form.
        missing: There is no value.
        invalid: pydantic refuses the value.
        conflicting: Two values, and nothing says which counts.
        rule: A rule is broken: its method's name, or its claim.
        unavailable: A store does not answer.
        throttled: A store wants to be asked later.
        unknown: A variable that no field takes; mostly a warning.
        degraded: It works, and not as it should; mostly a warning.
        exactly: Whether every error has to be named. Warnings need not be.
        timeout: As of `problems_of`.

    Returns:
        The problems, to look at more closely.

    Raises:
        AssertionError: It starts, or is refused for other reasons; with the whole report, which shows no secret.
        TypeError: As of `problems_of`.
        ValueError: A reason names no field, with a suggestion.
    """
    wanted: dict[Kind, str | Collection[str]] = {
        "defect": defect,
        "mistake": mistake,
        "unconfigured": unconfigured,
        "unauthenticated": unauthenticated,
        "denied": denied,
        "malformed": malformed,
        "missing": missing,
        "invalid": invalid,
        "conflicting": conflicting,
        "rule": rule,
        "unavailable": unavailable,
        "throttled": throttled,
        "unknown": unknown,
        "degraded": degraded,
    }
    reasons: Reasons = [(kind, name) for kind, names in wanted.items() for name in ([names] if isinstance(names, str) else names)]
    __tracebackhide__ = True  # pytest shows the claim in the test, and not this function
    problems = problems_of(*targets, timeout=timeout)
    classes = _classes_of(targets) or list(_classes_in(problems))
    names = _Names({path for one in classes for path in schema_of(one).trails}, _claims(classes))
    if not any(problem.severity == "error" for problem in problems):
        if classes:
            names.check([(kind, name) for kind, name in reasons if name.replace(".", "_").isidentifier()], problems)
        raise AssertionError(_told(f"{_name(targets)} starts{_as_expected(reasons)}", problems))
    if classes:
        names.check(reasons, problems)
    faults = list(_faults(reasons, problems, names, exactly=exactly))
    if faults:
        told = "\n".join(f"    {fault}" for fault in faults)
        raise AssertionError(_told(f"{_name(targets)} is refused, but not as expected\n{told}", problems))
    return problems


def _classes_of(targets: Sequence[object]) -> list[type[BaseSettings]]:
    """The settings classes among the targets; none where it is a function.

    Raises:
        TypeError: It is neither.
    """
    classes = [target if isinstance(target, type) else class_of_handle(target) for target in targets]
    found = [one for one in classes if isinstance(one, type) and issubclass(one, BaseSettings)]
    if targets and len(found) == len(targets):
        return found
    if len(targets) == 1 and class_of_handle(targets[0]) is None and callable(targets[0]) and not isinstance(targets[0], type):
        return []
    raise TypeError("give settings classes, lazy settings, or one function that starts a service")


def _raised_by(start: Callable[[], object]) -> tuple[Problem, ...]:
    try:
        returned = start()
    except ConfigError as exc:
        return exc.problems
    except SystemExit as exc:
        refusal = exc.__cause__ or exc.__context__
        if not isinstance(refusal, ConfigError):
            raise
        return refusal.problems
    if inspect.iscoroutine(returned):
        returned.close()
        raise TypeError("the function is asynchronous: give lambda: asyncio.run(…)")
    return ()


def _name(targets: Sequence[Any]) -> str:
    kinds = [target if class_of_handle(target) is None else class_of_handle(target) for target in targets]
    return ", ".join(getattr(kind, "__name__", type(kind).__name__) for kind in kinds)


def _as_expected(reasons: Reasons) -> str:
    return f", and this was expected: {'; '.join(f'{kind} {name}' for kind, name in reasons)}" if reasons else ""


def _told(what: str, problems: Sequence[Problem]) -> str:
    report = f"\n\n{render_text(problems, budget=_ALL)}" if problems else ""
    return redactor.redact(f"{what}{report}")


def _classes_in(problems: Iterable[Problem]) -> Iterator[type[BaseSettings]]:
    """The settings classes that problems are of, as far as they stand in a module."""
    for name in dict.fromkeys(problem.settings_class for problem in problems):
        module, _, path = name.partition(":")
        found: object = sys.modules.get(module)
        for part in path.split("."):
            found = getattr(found, part, None)
        if isinstance(found, type) and issubclass(found, BaseSettings):
            yield found


def _claims(classes: Iterable[type[BaseSettings]]) -> Mapping[str, str]:
    return {name: claim for one in classes for name, claim in schema_of(one).rules}


@dataclass(frozen=True, slots=True)
class _Names:
    """What a reason may name.

    Attributes:
        fields: The field paths of the settings classes.
        claims: The claims of their rules, by the names of the methods.
    """

    fields: Collection[str]
    claims: Mapping[str, str]

    def lead_to(self, problem: Problem, name: str) -> bool:
        """Whether a problem is of a field, of a rule, or else has a text in its message."""
        if problem.field or name in self.fields:
            return problem.field == name
        if problem.kind == "rule":
            return self.claims.get(name, name) == problem.message
        return bool(name) and name in problem.message

    def check(self, reasons: Reasons, problems: Sequence[Problem]) -> None:
        """Raise where a reason is no field, no rule and in no message.

        Raises:
            ValueError: It tells what was probably meant.
        """
        for kind, name in reasons:
            what = "rule" if kind == "rule" else "field"
            known = {*self.claims, *self.claims.values()} if kind == "rule" else self.fields
            if name not in known and not any(self.lead_to(problem, name) for problem in problems):
                meant = closest(name, known)
                raise ValueError(f"{kind}: there is no {what} {name!r}{f'; did you mean {meant!r}?' if meant else ''}")


def _faults(reasons: Reasons, problems: Sequence[Problem], names: _Names, *, exactly: bool) -> Iterator[str]:
    """What was expected and is not so, and what is so and was not expected."""
    named: set[int] = set()
    for kind, name in reasons:
        about = [problem for problem in problems if names.lead_to(problem, name)]
        good = [problem for problem in about if problem.kind == kind]
        named.update(map(id, good or about))
        if not good:
            others = " and ".join(dict.fromkeys(problem.kind for problem in about))
            yield f"{name} is {others}, not {kind}" if others else f"{name} is not {kind}: no problem names it"
    if exactly and reasons:
        for problem in problems:
            if problem.severity == "error" and id(problem) not in named:
                what = f"{problem.field} is {problem.kind}" if problem.field else f"{problem.kind}: {problem.message}"
                yield f"{what}, which was not expected"
