"""``confguard run``: load the settings, then become a command that finds them in its environment, or mask what it writes."""

import errno
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import click

from confguard._commands.options import EXIT_CODES, loading_options, make_call, only_option
from confguard._commands.output import report
from confguard._commands.progress import load_visibly
from confguard._commands.targets import import_classes

if TYPE_CHECKING:
    from confguard._call import Call
    from confguard._load import Load
    from confguard._problem import Problem

NOTES = """
\b
Who can read an environment: the command and whatever it starts, unless that clears it; every
process of the same user, and root, in /proc/PID/environ; and whoever gets a dump of a crash.
It is not erased when the command has read it. Export only what is needed (--only), and drop
what the command has no use for (--drop): a store's token, say.
"""
EXAMPLES = """
\b
Examples:
  confguard run myservice.settings:AppSettings -- gunicorn myservice:app
  confguard run myservice.settings:AppSettings --only database_url -- alembic upgrade head
  confguard run myservice.settings:AppSettings --drop VAULT_TOKEN -- ./server
  confguard run myservice.settings:AppSettings --mask -- pytest
"""
OWN_CODES = """
\b
Once the command runs, the exit code is its own, also with --mask. Before that, besides:
 126  the command cannot be executed
 127  there is no such command
"""
_NOT_EXECUTABLE, _NOT_FOUND = 126, 127


class _OwnOptionsFirst(click.Command):
    """Options are ours up to the name of the command, and the command's from there on; ``--`` may stand between."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``--`` in front of what is no option of ours."""
        own, rest = list[str](), list(args)
        target: list[str] = []
        with_value = {name for param in self.params if not getattr(param, "is_flag", False) for name in param.opts}
        while rest and rest[0] != "--":
            if rest[0].startswith("-"):
                taken = 2 if rest[0] in with_value else 1
                own += rest[:taken]
                rest = rest[taken:]
            elif target:
                break
            else:
                target = [rest.pop(0)]
        rest = rest[1:] if rest[:1] == ["--"] else rest
        return super().parse_args(ctx, [*own, "--", *target, *rest])


@click.command(
    cls=_OwnOptionsFirst,
    epilog=NOTES + EXAMPLES + EXIT_CODES + OWN_CODES,
    short_help="Run a command with the settings in its environment.",
)
@click.argument("target", metavar="MODULE:CLASS")
@only_option("Load and export this field alone; may be given several times.")
@click.option("--drop", multiple=True, metavar="NAME", help="Take this variable out of the environment; several times.")
@click.option(
    "--mask", is_flag=True, help="Hide secrets in what the command writes; confguard then stays, and passes on signals."
)
@loading_options
@click.argument("command", metavar="[--] CMD [ARG]...", nargs=-1, required=True, type=click.UNPROCESSED)
def run(
    target: str,
    only: tuple[str, ...],
    drop: tuple[str, ...],
    timeout: float,
    wait: float | None,
    env_files: tuple[str, ...],
    command: tuple[str, ...],
    *,
    mask: bool,
) -> NoReturn:
    """Load the settings class MODULE:CLASS; where it is valid, become CMD, which finds every value in a variable.

    The variables have the names by which the class reads its fields, so that CMD gets the same settings and asks no store. CMD
    takes the place of confguard: same process, same signals. The rest of the environment is passed on.
    With --mask it runs beside it instead and gets the signals that confguard gets. A mask takes the place of every secret in what
    it writes to standard output and standard error.

    Where the settings are refused, the report goes to standard error and CMD is not run.
    """
    call = make_call(import_classes([target], "text"), timeout, env_files, only)
    sys.exit(_run(call, wait, drop, command, mask=mask))


def _run(call: "Call", wait: float | None, drop: Sequence[str], command: Sequence[str], *, mask: bool) -> int:
    """Load and execute; returns where that cannot be done, with the exit code."""
    from dataclasses import replace

    from confguard._exported import Exported, exceeds, export
    from confguard._problem import by_weight, exit_code
    from confguard._sources import Raised, attempt

    exported: Exported | Raised = Exported()

    def look(load: "Load", settings: Any) -> None:
        nonlocal exported
        exported = attempt(lambda: export(load, settings, os.environ)) if settings is not None else Exported()

    [one] = load_visibly(replace(call, onlooker=look), wait)
    if isinstance(exported, Raised):
        return _refuse([_unwritable(exported.message, one.load.schema.name)], one.load.schema.name)
    hidden = exported.hidden.union(drop)
    environment = {name: text for name, text in {**os.environ, **exported.variables}.items() if name not in hidden}
    too_big = exceeds(command, environment)
    problems = by_weight([*one.problems, *exported.problems, *([too_big] if too_big is not None else [])])
    if exit_code(problems):
        return _refuse(problems, one.load.schema.name)
    if problems:
        report(problems, [one.load.schema.name], "text", err=True)
    _warn_of_unset(drop)
    return _execute(command, environment, mask=mask)


def _refuse(problems: "Sequence[Problem]", name: str) -> int:
    from confguard._problem import exit_code

    report(problems, [name], "text", err=True)
    return exit_code(problems)


def _unwritable(message: str, name: str) -> "Problem":
    from confguard._problem import Problem

    return Problem("defect", "", f"the settings cannot be written into variables: {message}", settings_class=name)


def _warn_of_unset(drop: Iterable[str]) -> None:
    """A misspelt name would leave a token in the environment."""
    from confguard._values import closest

    for name in drop:
        if name not in os.environ and (meant := closest(name, os.environ)) is not None:
            click.echo(f"warning: --drop {name}: there is no such variable; did you mean {meant}?", err=True)


def _execute(command: Sequence[str], environment: dict[str, str], *, mask: bool) -> int:
    """Run the command; returns with its exit code, or with why it cannot be executed."""
    try:
        if mask:
            from confguard._commands.masked import run_masked

            return run_masked(command, environment)
        _become(command, environment)
    except OSError as exc:
        code = _NOT_FOUND if exc.errno == errno.ENOENT else _NOT_EXECUTABLE
        message = exc.strerror or type(exc).__name__
    click.echo(f"Error: {command[0]}: {message}", err=True)
    return code


def _become(command: Sequence[str], environment: dict[str, str]) -> NoReturn:
    """Execute the command in place of this process.

    Raises:
        OSError: It cannot be executed.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    for name in ("SIGPIPE", "SIGXFSZ"):  # which Python ignores, and a command that is executed would too
        if number := getattr(signal, name, None):
            signal.signal(number, signal.SIG_DFL)
    os.execvpe(command[0], list(command), environment)  # noqa: S606 - it is what was asked for
