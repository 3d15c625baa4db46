"""``confguard check --plan``: what would be fetched, and what is wrong with the classes, without a network or an environment."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from confguard._commands.output import report

if TYPE_CHECKING:
    from confguard._call import Call
    from confguard._plan import Line
    from confguard._problem import Problem
    from confguard._resolver import Ask
    from confguard._schema import Schema
    from confguard.provider import Failure


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of the plan of one class, how it is asked for, and why it cannot be."""

    line: "Line"
    schema: "Schema"
    ask: "Ask"
    failure: "Failure | None" = None


def show_plan(call: "Call", form: str, *, quiet: bool) -> int:
    """Print the plan of the classes, and what is wrong with them.

    Returns:
        The exit code.
    """
    from confguard._classes import schema_of
    from confguard._problem import by_weight, exit_code
    from confguard._resolver import unanswerable

    schemas = [schema_of(settings_class) for settings_class in call.settings_classes]
    rows = list(_rows(call, schemas))
    failures = unanswerable([row.ask for row in rows])
    rows = [replace(row, failure=failure) for row, failure in zip(rows, failures, strict=True)]
    problems = by_weight(_problems(schemas, rows))
    requests = _requests(row for row in rows if row.failure is None)
    names = [schema.name for schema in schemas]
    code = exit_code(problems)
    if quiet and code == 0:
        return code
    if form == "json":
        report(problems, names, form, more={"requests": requests, "plan": _by_payload(rows)})
    else:
        shown = [*_text(rows, requests, several=len(schemas) > 1)]
        click.echo("".join(f"{line}\n" for line in [*shown, *([""] if shown and problems else [])]), nl=False)
        if problems:
            report(problems, names, form)
        else:
            click.echo("\n".join(_sound(schema) for schema in schemas))
    return code


def _rows(call: "Call", schemas: "Sequence[Schema]") -> "Iterator[_Row]":
    from confguard._load import Load
    from confguard._plan import make_plan
    from confguard._resolver import Ask

    for settings_class, schema in zip(call.settings_classes, schemas, strict=True):
        wanted = Load(settings_class, only=call.only)
        for lines in make_plan(schema).values():
            for line in lines:
                if fields := tuple(path for path in line.fields if wanted.wanted(path)):
                    yield _Row(replace(line, fields=fields), schema, Ask(line.reference, wanted.configured))


def _problems(schemas: "Sequence[Schema]", rows: Sequence[_Row]) -> "Iterator[Problem]":
    from confguard._problem import Problem
    from confguard._registry import claims_on_ours

    for schema in schemas:
        yield from schema.mistakes
        for scheme in dict.fromkeys(row.line.reference.scheme for row in rows if row.schema is schema):
            if (claim := claims_on_ours(scheme)) is not None:
                yield Problem(claim.kind, "", claim.message, claim.tip, settings_class=schema.name)
    for row in rows:
        if (failure := row.failure) is not None:
            message = f"{row.line.payload}: {failure.message}"
            yield from (
                Problem(failure.kind, field, message, failure.tip, settings_class=row.schema.name) for field in row.line.fields
            )


def _requests(rows: Iterable[_Row]) -> Mapping[str, int]:
    """By scheme, at most how many requests a start makes; each round of alternatives logs in anew."""
    from confguard._resolver import requests_of

    rounds: dict[int, list[Ask]] = {}
    for row in rows:
        for turn in row.line.rounds:
            rounds.setdefault(turn, []).append(row.ask)
    counts: dict[str, int] = {}
    for asks in rounds.values():
        for scheme, count in requests_of(asks).items():
            counts[scheme] = counts.get(scheme, 0) + count
    return counts


def _text(rows: Sequence[_Row], requests: Mapping[str, int], *, several: bool) -> Iterator[str]:
    for scheme, count in requests.items():
        yield f"{scheme}: at most {_count(count, 'request')}"
        merged: dict[tuple[str, str], list[str]] = {}
        for row in rows:
            if row.failure is None and row.line.reference.scheme == scheme:
                prefix = f"{row.schema.name.partition(':')[2]}." if several else ""
                wanting = merged.setdefault((row.line.payload, " or ".join(row.line.notes)), [])
                wanting += [f"{prefix}{path}" for path in row.line.fields]
        for (payload, note), fields in merged.items():
            yield f"    {payload}  for {', '.join(dict.fromkeys(fields))}{f'  ({note})' if note else ''}"
    if len(requests) > 1:
        yield f"a start: at most {_count(sum(requests.values()), 'request')}"


def _by_payload(rows: Sequence[_Row]) -> Mapping[str, Sequence[str]]:
    fields: dict[str, dict[str, None]] = {}
    for row in rows:
        fields.setdefault(row.line.payload, {}).update(dict.fromkeys(row.line.fields))
    return {payload: list(paths) for payload, paths in fields.items()}


def _sound(schema: "Schema") -> str:
    module, _, name = schema.name.partition(":")
    return f"{name}: nothing wrong with the class ({module})"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
