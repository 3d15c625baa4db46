"""What commands print: reports as text, JSON or workflow commands of GitHub."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from confguard._problem import Problem

_UNLIMITED = sys.maxsize


def report(
    problems: "Sequence[Problem]",
    settings_classes: Sequence[str],
    form: str,
    *,
    err: bool = False,
    more: Mapping[str, object] | None = None,
) -> None:
    """Print a report.

    Args:
        problems: What is wrong, most serious first.
        settings_classes: The names of the classes that it is about.
        form: ``text``, ``json`` or ``github``.
        err: Whether it goes to standard error.
        more: What stands in the JSON report beside it.
    """
    from confguard._report import BUDGET, render_github, render_json, render_text

    if form == "json":
        text = json.dumps({**render_json(problems, settings_classes), **(more or {})}, indent=2)
    elif form == "github":
        text = render_github(problems)
    else:
        text = render_text(problems, budget=_UNLIMITED if _is_terminal(err) else BUDGET, paint=_paint if colour(err) else _plain)
    click.echo(text, err=err)


def _is_terminal(err: bool) -> bool:
    return (sys.stderr if err else sys.stdout).isatty()


def colour(err: bool = False) -> bool:
    """Whether to use colour: on a terminal, unless NO_COLOR asks for none."""
    return _is_terminal(err) and not os.environ.get("NO_COLOR")


def _paint(head: str, problem: "Problem") -> str:
    return click.style(head, fg="yellow" if problem.severity == "warning" else "red", bold=True)


def _plain(head: str, _: "Problem") -> str:
    return head
