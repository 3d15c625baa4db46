"""MODULE:CLASS: importing what the user names."""

import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from confguard._commands.output import report

if TYPE_CHECKING:
    from confguard._problem import Problem
    from confguard._settings import BaseSettings


def import_classes(targets: Sequence[str], form: str) -> "list[type[BaseSettings]]":
    """Import settings classes, each once. What their modules print goes to standard error: standard output is the report's.

    Raises:
        click.UsageError: A target is no settings class.
        SystemExit: A module cannot be imported, or loads settings itself that are refused; that has been told.
    """
    from confguard._problem import exit_code
    from confguard.exceptions import ConfigError

    warn_of_namesake()
    problems: tuple[Problem, ...] = ()
    try:
        with redirect_stdout(sys.stderr):
            return list(dict.fromkeys(_import_class(target) for target in targets))
    except ConfigError as exc:
        problems = exc.problems
    report(problems, list(dict.fromkeys(problem.settings_class for problem in problems)), form)
    sys.exit(exit_code(problems))


def _import_class(target: str) -> "type[BaseSettings]":
    module_name, colon, path = target.partition(":")
    if not (module_name and colon and path):
        module, _, name = target.rpartition(".")
        is_dotted = bool(module) and name[:1].isupper() and not colon
        meant = f"; did you mean {module}:{name}?" if is_dotted else ", as in myservice.settings:AppSettings"
        raise click.UsageError(f"{target!r} is not MODULE:CLASS{meant}")
    if not all(part.isidentifier() for part in module_name.split(".")):
        raise click.UsageError(f"{module_name!r} is no name of a module{_tip_for_path(module_name, path)}")
    if os.getcwd() not in sys.path:  # noqa: PTH109 - the string that sys.path would hold
        sys.path.insert(0, os.getcwd())  # noqa: PTH109
    module = _import_module(module_name, path)
    from confguard._values import closest

    found: Any = module
    for name in path.split("."):
        found = getattr(found, name, None)
    settings_class = class_of_target(found)
    if settings_class is not None:
        return settings_class
    near = closest(path, [name for name, item in vars(module).items() if class_of_target(item) is not None])
    what = f"{target} is {'no subclass of confguard.BaseSettings' if found is not None else 'not there'}"
    raise click.UsageError(f"{what}; did you mean {module_name}:{near}?" if near else what)


def class_of_target(found: object) -> "type[BaseSettings] | None":
    """The settings class that a name of a module stands for: itself, or that of settings, which are not loaded by asking."""
    from confguard._settings import BaseSettings

    kind = found if isinstance(found, type) else found.__class__  # what passes for settings says so here, and loads nothing
    return kind if issubclass(kind, BaseSettings) and kind is not BaseSettings else None


def _tip_for_path(name: str, path: str) -> str:
    """What to write in place of the path of a module's file."""
    meant = os.path.normpath(name).removesuffix(".py").replace(os.sep, ".")
    is_module = meant != name and all(part.isidentifier() for part in meant.split("."))
    return f"; did you mean {meant}:{path}?" if is_module else ""


def _import_module(name: str, path: str) -> Any:
    """Import the user's module; what it raises is told by type and place, since its text may hold a secret."""
    from confguard._report import place_of
    from confguard.exceptions import ConfigError

    try:
        return import_module(name)
    except ConfigError:
        raise  # of settings that the module loads itself: its report is what is asked for
    except ModuleNotFoundError as exc:
        if exc.name and (name == exc.name or name.startswith(f"{exc.name}.")):
            raise click.UsageError(f"there is no module {name!r} here or on sys.path{_tip_for_path(name, path)}") from None
        failure = f"{name} needs the module {exc.name!r}, which is not installed"
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - told as theirs
        failure = f"importing {name} raised {type(exc).__qualname__} at {place_of(exc)}"
    click.echo(f"Error: {failure}", err=True)
    sys.exit(70)


def warn_of_namesake() -> None:
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
