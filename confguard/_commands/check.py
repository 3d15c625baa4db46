"""``confguard check``: load the settings as the service would, and report everything that is wrong."""

import sys
from collections import Counter
from time import perf_counter
from typing import TYPE_CHECKING, NoReturn

import click

from confguard._commands.options import EXAMPLES, EXIT_CODES, loading_options, make_call, only_option
from confguard._commands.output import report
from confguard._commands.progress import load_visibly
from confguard._commands.targets import import_classes

if TYPE_CHECKING:
    from confguard._call import Call, Loaded
    from confguard._problem import Problem


@click.command(epilog=EXAMPLES + EXIT_CODES, short_help="Load settings and report all that is wrong.")
@click.argument("targets", metavar="MODULE:CLASS...", nargs=-1, required=True)
@loading_options
@only_option("Check this field alone; may be given several times.")
@click.option("--format", "form", type=click.Choice(["text", "json", "github"]), default="text", show_default=True, help="How.")
@click.option("--strict", is_flag=True, help="Take every warning for an error.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing where all is valid.")
@click.option("--plan", is_flag=True, help="Say what would be fetched; reads no environment and uses no network.")
def check(
    targets: tuple[str, ...],
    timeout: float,
    wait: float | None,
    env_files: tuple[str, ...],
    only: tuple[str, ...],
    form: str,
    *,
    strict: bool,
    quiet: bool,
    plan: bool,
) -> NoReturn:
    """Load the settings class MODULE:CLASS as the service would, and report everything that is wrong.

    Several classes are loaded together, with one plan and one report. In place of a class, MODULE:NAME may name settings of it.

    The current directory is searched for MODULE first. Where the output is not a terminal, a text report is kept under 2 KB,
    the tail that orchestrators show; JSON always has everything.
    """
    call = make_call(import_classes(targets, form), timeout, env_files, only)
    if plan:
        from confguard._commands.plan import show_plan

        sys.exit(show_plan(call, form, quiet=quiet))
    sys.exit(_check(call, wait, form, strict=strict, quiet=quiet))


def _check(call: "Call", wait: float | None, form: str, *, strict: bool, quiet: bool) -> int:
    from confguard._problem import by_weight, exit_code

    started = perf_counter()
    loaded = load_visibly(call, wait)
    problems = by_weight(as_error(problem, strict) for one in loaded for problem in one.problems)
    code = exit_code(problems)
    if code or not quiet:
        if problems or form == "json":
            report(problems, [one.load.schema.name for one in loaded], form)
        if code == 0 and form != "json":
            click.echo("\n" * bool(problems) + "\n".join(_valid(one, call.only, perf_counter() - started) for one in loaded))
    return code


def as_error(problem: "Problem", strict: bool) -> "Problem":
    """The problem, which is an error whatever it was where warnings are to be errors."""
    from dataclasses import replace

    return replace(problem, severity="error") if strict else problem


def _valid(one: "Loaded", only: "frozenset[str]", seconds: float) -> str:
    fields = [path for path in one.load.origins if one.load.wanted(path)]
    counts = Counter(one.load.origins[path].source for path in fields)
    sources = ", ".join(f"{count} from {source}" for source, count in counts.most_common())
    module, _, name = one.load.schema.name.partition(":")
    return f"{name}: valid, {len(fields)} field{'' if len(fields) == 1 else 's'} ({sources}) in {seconds:.2f} s ({module})"
