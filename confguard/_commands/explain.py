"""``confguard explain``: every field with its value and where that came from."""

import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import click

from confguard._commands.options import EXIT_CODES, loading_options, make_call
from confguard._commands.output import colour, report
from confguard._commands.progress import load_visibly
from confguard._commands.targets import import_classes

if TYPE_CHECKING:
    from confguard._call import Call
    from confguard._load import Load
    from confguard._why import Step, Told

EXAMPLES = """
\b
Examples:
  confguard explain myservice.settings:AppSettings
  confguard explain myservice.settings:AppSettings --why secret_key
  confguard explain myservice.settings:AppSettings --format json
"""
_WIDTH = 80
_WORDS = {"used": "found", "reference": "holds a reference"}
_WIDEST_FIELD, _WIDEST_VALUE = 28, 24


@click.command(epilog=EXAMPLES + EXIT_CODES, short_help="Say where each value comes from.")
@click.argument("target", metavar="MODULE:CLASS")
@click.option("--why", multiple=True, metavar="FIELD", help="Every place where this field was looked for; several times.")
@loading_options
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How.")
def explain(
    target: str, why: tuple[str, ...], timeout: float, wait: float | None, env_files: tuple[str, ...], form: str
) -> NoReturn:
    """Load the settings class MODULE:CLASS and show every field: its value, where it came from, and what that shadowed.

    Secrets are not shown. Where the settings are refused, a field without a valid value shows the kind of its problem, and the
    report follows.
    """
    call = make_call(import_classes([target], form), timeout, env_files)
    sys.exit(_explain(call, wait, _checked(call, why), form))


def _checked(call: "Call", why: Sequence[str]) -> Sequence[str]:
    """The field paths to tell everything of.

    Raises:
        click.UsageError: The class has no such field.
    """
    from confguard._classes import schema_of
    from confguard._values import closest

    schema = schema_of(call.settings_classes[0])
    for name in why:
        if name not in schema.trails:
            meant = closest(name, schema.trails)
            raise click.UsageError(f"there is no field {name!r}{f'; did you mean {meant!r}?' if meant else ''}")
    return [leaf[-1].path for name in why for leaf in schema.leaves_of(name)]


def _explain(call: "Call", wait: float | None, why: Sequence[str], form: str) -> int:
    from dataclasses import replace

    from confguard._problem import by_weight, exit_code
    from confguard._why import tell

    told: list[Told] = []

    def look(load: "Load", settings: Any) -> None:
        told[:] = tell(load, settings)

    [one] = load_visibly(replace(call, onlooker=look), wait)
    problems = by_weight(one.problems)
    asked = [field for field in told if field.field in why]
    if form == "json":
        fields = [_field_json(field) for field in asked or told]
        chains = {field.field: [_step_json(step) for step in field.steps] for field in asked}
        report(problems, [one.load.schema.name], form, more={"fields": fields, **({"why": chains} if asked else {})})
    else:
        lines = [line for field in asked for line in _chain(field)] if asked else list(_table(told))
        click.echo("\n".join(lines))
        if problems:
            click.echo()
            report(problems, [one.load.schema.name], form)
    return exit_code(problems)


def _table(told: "Sequence[Told]") -> Iterator[str]:
    """A line a field, and more where its origin is long or it shadows others; made for 80 columns, or the terminal's."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDTH
    rows = [(_printable(field.field), _value(field), _origins(field)) for field in told]
    first = min(max(5, *(len(field) for field, _, _ in rows)), _WIDEST_FIELD) if rows else 5
    second = min(max(5, *(len(value) for _, value, _ in rows)), _WIDEST_VALUE) if rows else 5
    rest = max(width - first - second - 4, 24)
    yield _strong(f"{'field':<{first}}  {'value':<{second}}  from")
    for field, value, origins in rows:
        if len(field) > first:
            yield field
            field = ""
        lines = [line for origin in origins for line in _wrapped(origin, rest)] or ["-"]
        yield f"{field:<{first}}  {_short(value, second):<{second}}  {lines[0]}"
        yield from (f"{'':<{first + second + 4}}{line}" for line in lines[1:])


def _value(field: "Told") -> str:
    return _printable(field.value) if field.value is not None else f"({field.kind or 'not known'})"


def _origins(field: "Told") -> list[str]:
    if field.origin is None:
        return []
    return [_printable(str(field.origin)), *(f"over {_printable(str(origin))}" for origin in field.origin.shadowed)]


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of a text, broken at blanks alone: a path or a reference can be copied."""
    return textwrap.wrap(text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _chain(field: "Told") -> Iterator[str]:
    """Every place that was looked at, in order of precedence."""
    yield _strong(_printable(field.field))
    width = max(len(_printable(step.place)) for step in field.steps)
    for step in field.steps:
        version = f", version {step.version}" if step.version else ""
        reason = f", since {step.reason}" if step.reason else ""
        word = _WORDS.get(step.outcome, step.outcome) if step.place != "default" else step.outcome
        mark = f"  <- this one{f', {field.kind}' if field.kind else ''}" if step.outcome == "used" else ""
        yield f"    {_printable(step.place):<{width}}  {word}{_printable(version + reason)}{mark}"


def _field_json(field: "Told") -> dict[str, object]:
    from confguard._report import origin_json

    origin = field.origin
    return {
        "field": field.field,
        "value": field.value,
        "problem": field.kind,
        "origin": origin_json(origin) if origin is not None else None,
        "shadowed": [origin_json(other) for other in origin.shadowed] if origin is not None else [],
    }


def _step_json(step: "Step") -> dict[str, object]:
    return {"place": step.place, "outcome": step.outcome, "reason": step.reason, "version": step.version}


def _printable(text: str) -> str:
    from confguard._report import printable

    return printable(text)


def _strong(text: str) -> str:
    return click.style(text, bold=True) if colour() else text
