"""Reports: problems as text for a person, and as JSON for a machine."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypedDict

from confguard._problem import LOCAL, Kind, Origin, Problem, exit_code

_LONGEST = 80
"""How many characters of a name are shown where room is short."""

# Orchestrators show a container's last words: Kubernetes 2,048 bytes of its log's tail.
BUDGET = 2000

_WORDS: dict[Kind, str] = {
    "mistake": "mistake in the class",
    "rule": "rule broken",
}


class OriginJSON(TypedDict):
    """An origin in the JSON report."""

    source: str
    name: str
    place: str | None
    version: str | None


class ProblemJSON(TypedDict):
    """A problem in the JSON report."""

    severity: str
    kind: str
    field: str
    message: str
    tip: str | None
    origin: OriginJSON | None
    looked_in: list[str]
    settings_class: str
    retry_after: float | None
    request_id: str | None


class ReportJSON(TypedDict):
    """The JSON report, version 1; its schema is docs/report.schema.json."""

    version: int
    valid: bool
    exit_code: int
    errors: int
    warnings: int
    settings_classes: list[str]
    problems: list[ProblemJSON]


def _plain(head: str, _: Problem) -> str:
    return head


def render_text(problems: Sequence[Problem], *, budget: int = BUDGET, paint: Callable[[str, Problem], str] = _plain) -> str:
    """The report for a person: most serious first, the summary last.

    Args:
        problems: What to report, in its order.
        budget: How many bytes of UTF-8 it may take. Where the blocks of all problems do not fit, of the later ones the names
            alone are given; where these do not fit either, the last are counted.
        paint: Puts colour on the first line of a problem.
    """
    summary = _summary(problems)
    groups = _groups(problems)
    blocks = [_block(group, paint) for group in groups]
    shown = len(blocks)
    while True:
        left = [problem for group in groups[shown:] for problem in group]
        text = "\n\n".join([*blocks[:shown], *_names(left, budget // 2), summary])
        if len(text.encode()) <= budget or shown == 0:
            return text
        shown -= 1


def headline(problems: Sequence[Problem]) -> str:
    """The first problem by its name, and how many there are beside it: a line for what shows no more of an error."""
    if not problems:
        return ""
    more = len(problems) - 1
    first = f"{_name(problems[0])}: {_kind(problems[0])}"
    return f"{first}, and {more} problem{'' if more == 1 else 's'} more" if more else first


def render_github(problems: Sequence[Problem]) -> str:
    """The report as workflow commands of GitHub, which makes an annotation of each, and the summary."""
    commands: list[str] = []
    for group in _groups(problems):
        head, _, rest = _block(group, _plain).partition("\n")
        title = _escaped(" ".join(head.split())).replace(":", "%3A").replace(",", "%2C")
        text = "\n".join(line.strip() for line in rest.splitlines()) or head
        commands.append(f"::{group[0].severity} title={title}::{_escaped(text)}")
    return "\n".join([*commands, _summary(problems)])


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def render_json(problems: Sequence[Problem], settings_classes: Iterable[str]) -> ReportJSON:
    """The report for a machine, with everything in it."""
    return {
        "version": 1,
        "valid": exit_code(problems) == 0,
        "exit_code": exit_code(problems),
        "errors": sum(problem.severity == "error" for problem in problems),
        "warnings": sum(problem.severity == "warning" for problem in problems),
        "settings_classes": list(settings_classes),
        "problems": [_problem_json(problem) for problem in problems],
    }


def printable(text: str) -> str:
    """The text with everything escaped that could move a terminal's cursor or forge a line of a log."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def place_of(exc: BaseException) -> str:
    """File and line that an exception was raised at; of a module that cannot be read, those of the fault in it."""
    if isinstance(exc, SyntaxError):
        return f"{exc.filename}:{exc.lineno}"
    place, at = "", exc.__traceback__
    while at is not None:
        place, at = f"{at.tb_frame.f_code.co_filename}:{at.tb_lineno}", at.tb_next
    return place


def _groups(problems: Sequence[Problem]) -> list[list[Problem]]:
    """The problems, with those together that a store made of one cause: a login that failed, say, for each of its fields."""
    groups: dict[object, list[Problem]] = {}
    for at, problem in enumerate(problems):
        alike = replace(problem, field="", origin=None)
        groups.setdefault(alike if _is_asked(problem) and not problem.looked_in else at, []).append(problem)
    return list(groups.values())


def _block(group: Sequence[Problem], paint: Callable[[str, Problem], str]) -> str:
    problem = group[0]
    rows = [("", printable(problem.message))] if problem.message else []
    if problem.origin is not None:
        origins = dict.fromkeys(printable(str(member.origin)) for member in group)
        rows.append(("asked" if _is_asked(problem) else "from", ", ".join(origins)))
    if problem.looked_in:
        rows.append(("looked in", ", ".join(printable(place) for place in problem.looked_in)))
    if problem.retry_after is not None:
        rows.append(("again in", f"{problem.retry_after:g} s"))
    if problem.request_id:
        rows.append(("request", printable(problem.request_id)))
    if problem.tip:
        rows.append(("tip", printable(problem.tip)))
    return "\n".join([paint(_head(group), problem), *(f"    {f'{label:<9}  ' if label else ''}{text}" for label, text in rows)])


def _is_asked(problem: Problem) -> bool:
    """Whether a problem is of a store that was asked for the value."""
    return problem.kind != "invalid" and problem.origin is not None and problem.origin.source not in LOCAL


def _head(group: Sequence[Problem]) -> str:
    names = ", ".join(printable(problem.field) or _class_name(problem) for problem in group)
    return f"{names:<15}  {_kind(group[0])}"


def _kind(problem: Problem) -> str:
    return ("warning: " if problem.severity == "warning" else "") + _WORDS.get(problem.kind, problem.kind)


def _summary(problems: Sequence[Problem]) -> str:
    errors = sum(problem.severity == "error" for problem in problems)
    warnings = len(problems) - errors
    counts = f"{errors} error{'' if errors == 1 else 's'}, {warnings} warning{'' if warnings == 1 else 's'}"
    classes = dict.fromkeys(problem.settings_class for problem in problems if problem.settings_class)
    modules, _, names = zip(*(name.partition(":") for name in classes), strict=True) if classes else ((), (), ())
    return f"{_short(', '.join(names))}: {counts} ({_short(', '.join(dict.fromkeys(modules)))})" if classes else counts


def _name(problem: Problem) -> str:
    """The field, or the class where the problem is of none."""
    return _short(printable(problem.field) or _class_name(problem))


def _class_name(problem: Problem) -> str:
    return problem.settings_class.partition(":")[2]


def _names(problems: Sequence[Problem], room: int) -> Iterator[str]:
    """The fields of problems that have no room for a block, by kind; at last how many have no room for a name either."""
    by_kind: dict[str, list[str]] = {}
    left = len(problems)
    for problem in problems:
        name = _name(problem)
        room -= len(name.encode()) + 2
        if room < 0:
            break
        by_kind.setdefault(_kind(problem), []).append(name)
        left -= 1
    lines = [f"{kind}: {', '.join(names)}" for kind, names in by_kind.items()]
    if left:
        lines.append(f"… and {left} more; --format json has them all")
    if lines:
        yield "\n".join(["also", *(f"    {line}" for line in lines)])


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _problem_json(problem: Problem) -> ProblemJSON:
    return {
        "severity": problem.severity,
        "kind": problem.kind,
        "field": problem.field,
        "message": problem.message,
        "tip": problem.tip,
        "origin": origin_json(problem.origin) if problem.origin is not None else None,
        "looked_in": list(problem.looked_in),
        "settings_class": problem.settings_class,
        "retry_after": problem.retry_after,
        "request_id": problem.request_id,
    }


def origin_json(origin: Origin) -> OriginJSON:
    """An origin for the JSON report."""
    return {"source": origin.source, "name": origin.name, "place": origin.place, "version": origin.version}
