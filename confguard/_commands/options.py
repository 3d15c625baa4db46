"""Options that several commands take, and what their help says."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from confguard._call import Call
    from confguard._settings import BaseSettings

F = TypeVar("F", bound=Callable[..., Any])

EXAMPLES = """
\b
Examples:
  confguard check myservice.settings:AppSettings
  confguard check myservice.settings:AppSettings worker.settings:WorkerSettings --format github
  confguard check myservice.settings:AppSettings --only database_url --wait 60s --quiet
  confguard check myservice.settings:AppSettings --plan
"""

EXIT_CODES = """
\b
Exit codes:
   0  valid
  64  the command was used wrongly
  70  a defect of confguard, of a provider, or of the module that holds the class
  74  the report could not be written
  75  a store is unavailable or throttles: trying again may help
  77  a store denies a value, or knows no such credential
  78  something is missing, malformed, invalid or unconfigured
Where several apply, the first of 78, 77, 70, 75.
"""


class Duration(click.ParamType):  # type: ignore[type-arg] # generic from click 8.4 on, and not before
    """Seconds, from ``10``, ``10s``, ``500ms`` or ``2m``."""

    name = "duration"
    _FORM = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m)?\Z")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The seconds."""
        match = self._FORM.match(str(value))
        seconds = float(match[1]) * {"ms": 0.001, "s": 1, "m": 60}[match[2] or "s"] if match else 0
        return seconds if seconds > 0 else self.fail(f"{value!r} is no duration above 0; write 10, 10s, 500ms or 2m", param, ctx)


def loading_options(command: F) -> F:
    """The options of every command that loads settings."""
    for option in (
        click.option("--wait", type=Duration(), default=None, help="How long to go on trying while stores are out."),
        click.option("--timeout", type=Duration(), default="10s", show_default=True, help="How long stores have to answer."),
        click.option(
            "--env-file",
            "env_files",
            multiple=True,
            type=click.Path(exists=True, dir_okay=False),
            help="Read this env file in place of the class's own. Of several, later ones win.",
        ),
    ):
        command = option(command)
    return command


def only_option(purpose: str) -> Callable[[F], F]:
    """``--only``, whose meaning depends on the command."""
    return click.option("--only", multiple=True, metavar="FIELD", help=purpose)


def make_call(
    settings_classes: "Sequence[type[BaseSettings]]", timeout: float, env_files: Sequence[str], only: Sequence[str] = ()
) -> "Call":
    """What is to be loaded.

    Raises:
        click.UsageError: A field to load is none of the classes'.
    """
    from confguard._call import Call

    arguments = {"_env_file": tuple(map(Path, env_files))} if env_files else {}
    call = Call(settings_classes, timeout, frozenset(only), arguments)
    try:
        call.check()
    except ValueError as exc:
        message = str(exc)
    else:
        return call
    raise click.UsageError(message)
