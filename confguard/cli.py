"""The command ``confguard``: checks settings classes from outside of the service, in a container or in CI."""

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, NoReturn

import click

from confguard._version import __version__

if TYPE_CHECKING:
    from confguard._explain import Explained
    from confguard._problem import Problem
    from confguard._settings import BaseSettings

_EXAMPLES = """
\b
Examples:
  confguard check myservice.settings:AppSettings
  confguard check myservice.settings:AppSettings --timeout 5s --format json
  confguard check myservice.settings:AppSettings --plan
"""
_EXIT_CODES = """
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
_UNLIMITED = sys.maxsize
EX_IOERR = 74


class _Duration(click.ParamType):  # type: ignore[type-arg] # generic from click 8.4 on, and not before
    name = "seconds"
    _FORM = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m)?\Z")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds, from ``10``, ``10s``, ``500ms`` or ``2m``."""
        match = self._FORM.match(str(value))
        seconds = float(match[1]) * {"ms": 0.001, "s": 1, "m": 60}[match[2] or "s"] if match else 0
        return seconds if seconds > 0 else self.fail(f"{value!r} is no duration above 0; write 10, 10s, 500ms or 2m", param, ctx)


@click.group(epilog=_EXAMPLES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, package_name="confguard-settings")
def command() -> None:
    """Check the settings of a service before it starts, without ever showing a secret."""


@command.command(epilog=_EXAMPLES + _EXIT_CODES, short_help="Load settings and report all that is wrong.")
@click.argument("target", metavar="MODULE:CLASS")
@click.option("--timeout", type=_Duration(), default="10s", show_default=True, help="How long stores have to answer.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to report.")
@click.option("--plan", is_flag=True, help="Say what would be fetched; reads no environment and uses no network.")
def check(target: str, timeout: float, form: str, plan: bool) -> NoReturn:
    """Load the settings class MODULE:CLASS as the service would, and report everything that is wrong.

    The current directory is searched for MODULE first. Where the output is not a terminal, a text report is kept under 2 KB,
    the tail that orchestrators show; JSON always has everything.
    """
    _warn_of_namesake()
    settings_class = _import_class_quietly(target, form)
    sys.exit(_plan(settings_class, form) if plan else _check(settings_class, timeout, form))


def _check(settings_class: "type[BaseSettings]", timeout: float, form: str) -> int:
    from confguard._call import Call, load_settings
    from confguard._explain import explain
    from confguard._problem import by_weight, exit_code

    started = perf_counter()
    with redirect_stdout(sys.stderr):
        loaded = load_settings(Call([settings_class], timeout))
    problems = by_weight(problem for one in loaded for problem in one.problems)
    if form == "json":
        _echo_json(problems, [_name_of(settings_class)])
    elif loaded[0].settings is None:
        click.echo(_text(problems))
    else:
        if problems:
            click.echo(_text(problems) + "\n")
        click.echo(_valid(settings_class, explain(loaded[0].settings), perf_counter() - started))
    return exit_code(problems)


def main() -> NoReturn:
    """Run the command; wrong use of it exits with 64, since 2 means anything to anybody."""
    _open_what_is_closed()
    try:
        command.main(prog_name="confguard", standalone_mode=False)
    except click.UsageError as exc:
        exc.show()
        sys.exit(64)
    except click.Abort:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except Exception as exc:  # noqa: BLE001 - a traceback's text may hold a value
        from confguard._report import place_of

        if isinstance(exc, OSError) and exc.filename is None:  # of a stream; one of a file would name it
            click.echo(f"Error: the report cannot be written: {exc.strerror}", err=True)
            _give_up_output()
            sys.exit(EX_IOERR)
        click.echo(
            f"Error: {type(exc).__qualname__} at {place_of(exc)}. This is a fault of confguard-settings; please report it.",
            err=True,
        )
        sys.exit(70)
    sys.exit(0)


def _open_what_is_closed() -> None:
    """Whoever starts us with a standard stream closed wants nothing of it; neither click nor json can write to None."""
    streams: Any = sys
    for name in ("stdout", "stderr"):
        if getattr(streams, name) is None:
            setattr(streams, name, Path(os.devnull).open("w"))  # noqa: SIM115 - for the rest of the process


def _give_up_output() -> None:
    """Let the interpreter end without trying once more to write what cannot be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _plan(settings_class: "type[BaseSettings]", form: str) -> int:
    from confguard._classes import schema_of
    from confguard._plan import make_plan
    from confguard._problem import Problem, by_weight, exit_code
    from confguard._registry import claims_on_ours
    from confguard._resolver import Ask, unanswerable

    schema = schema_of(settings_class)
    plan = make_plan(schema)
    lines = [line for payloads in plan.values() for line in payloads]
    providers = settings_class.model_config.get("providers", ())
    failures = unanswerable([Ask(line.reference, providers) for line in lines])  # type: ignore[arg-type] # our own key
    claims = [failure for scheme in plan if (failure := claims_on_ours(scheme)) is not None]
    problems = by_weight(
        [
            *schema.mistakes,
            *(Problem(failure.kind, "", failure.message, failure.tip, settings_class=schema.name) for failure in claims),
            *(
                Problem(failure.kind, field, f"{line.payload}: {failure.message}", failure.tip, settings_class=schema.name)
                for line, failure in zip(lines, failures, strict=True)
                if failure is not None
                for field in line.fields
            ),
        ]
    )
    if form == "json":
        fields: dict[str, list[str]] = {}
        for line in lines:
            fields.setdefault(line.payload, []).extend(line.fields)
        _echo_json(problems, [schema.name], plan=fields)
    else:
        asked = [line for line, failure in zip(lines, failures, strict=True) if failure is None]
        for scheme, payloads in plan.items():
            here = [line for line in payloads if line in asked]
            if here:
                click.echo(f"{scheme}: at most {_count(len({line.payload for line in here}), 'read')}")
            for line in here:
                click.echo(f"    {line.payload}  for {', '.join(line.fields)}{f'  ({line.note})' if line.note else ''}")
        module, _, name = schema.name.partition(":")
        click.echo(("\n" if lines else "") + _text(problems) if problems else f"{name}: nothing wrong with the class ({module})")
    return exit_code(problems)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _text(problems: "Sequence[Problem]") -> str:
    from confguard._report import BUDGET, render_text

    return render_text(problems, budget=_UNLIMITED if sys.stdout.isatty() else BUDGET, paint=_paint)


def _paint(head: str, problem: "Problem") -> str:
    return click.style(head, fg="yellow" if problem.severity == "warning" else "red", bold=True) if _colour() else head


def _colour() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def _echo_json(problems: "Sequence[Problem]", settings_classes: Iterable[str], **more: Mapping[str, object]) -> None:
    from confguard._report import render_json

    report = render_json(problems, settings_classes)
    click.echo(json.dumps({**report, **more}, indent=2))


def _name_of(settings_class: type) -> str:
    return f"{settings_class.__module__}:{settings_class.__qualname__}"


def _valid(settings_class: type, explained: "Sequence[Explained]", seconds: float) -> str:
    counts = Counter(field.origin.source for field in explained)
    sources = ", ".join(f"{count} from {source}" for source, count in counts.most_common())
    name, module = settings_class.__qualname__, settings_class.__module__
    return f"{name}: valid, {len(explained)} fields ({sources}) in {seconds:.2f} s ({module})"


def _import_class_quietly(target: str, form: str) -> "type[BaseSettings]":
    """Import the class; what the module prints goes to standard error, so that a report has standard output for itself."""
    from confguard._problem import exit_code
    from confguard.exceptions import ConfigError

    problems: tuple[Problem, ...] = ()
    try:
        with redirect_stdout(sys.stderr):
            return _import_class(target)
    except ConfigError as exc:
        problems = exc.problems
    if form == "json":
        _echo_json(problems, dict.fromkeys(problem.settings_class for problem in problems))
    else:
        click.echo(_text(problems))
    sys.exit(exit_code(problems))


def _import_class(target: str) -> "type[BaseSettings]":
    module_name, colon, path = target.partition(":")
    if not (module_name and colon and path):
        raise click.UsageError(f"{target!r} is not MODULE:CLASS, as in myservice.settings:AppSettings")
    if os.getcwd() not in sys.path:  # noqa: PTH109 - the string that sys.path would hold
        sys.path.insert(0, os.getcwd())  # noqa: PTH109
    module = _import_module(module_name)
    from confguard._settings import BaseSettings
    from confguard._values import closest

    found: Any = module
    for name in path.split("."):
        found = getattr(found, name, None)
    if isinstance(found, type) and issubclass(found, BaseSettings):
        return found
    classes = [name for name, item in vars(module).items() if isinstance(item, type) and issubclass(item, BaseSettings)]
    meant = closest(path, classes)
    what = f"{target} is {'no subclass of confguard.BaseSettings' if found is not None else 'not there'}"
    raise click.UsageError(f"{what}; did you mean {module_name}:{meant}?" if meant else what)


def _import_module(name: str) -> Any:
    """Import the user's module; what it raises is told by type and place, since its text may hold a secret."""
    from confguard._report import place_of
    from confguard.exceptions import ConfigError

    try:
        return import_module(name)
    except ConfigError:
        raise  # of settings that the module loads itself: its report is what is asked for
    except ModuleNotFoundError as exc:
        if exc.name and (name == exc.name or name.startswith(f"{exc.name}.")):
            raise click.UsageError(f"there is no module {name!r} here or on sys.path") from None
        failure = f"{name} needs the module {exc.name!r}, which is not installed"
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - told as theirs
        failure = f"importing {name} raised {type(exc).__qualname__} at {place_of(exc)}"
    click.echo(f"Error: {failure}", err=True)
    sys.exit(70)


def _warn_of_namesake() -> None:
    """Another project owns the distribution name ``confguard``: same import name, same command, one overwrites the other."""
    from importlib import metadata  # brings all of `email`, which asking for --help need not wait for

    try:
        metadata.distribution("confguard")
    except metadata.PackageNotFoundError:
        return
    click.echo(
        "warning: the distribution 'confguard' is installed too; it is another project with the same import name and command. "
        "Uninstall both, then install confguard-settings.",
        err=True,
    )
