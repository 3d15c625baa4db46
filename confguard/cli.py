"""The command ``confguard``: checks and explains settings from outside, runs commands with them, finds their secrets in files."""

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import click

from confguard._commands.options import EXAMPLES
from confguard._version import __version__

__all__ = ["command", "main"]

EX_IOERR = 74

_COMMANDS = ("check", "explain", "policy", "run", "scan")


class _Commands(click.Group):
    """The commands, each imported when it is the one that is run, or when help is to list them all."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"confguard._commands.{cmd_name}"), cmd_name)
        return command


@click.group(cls=_Commands, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, package_name="confguard-settings")
def command() -> None:
    """Check the settings of a service before it starts, without ever showing a secret."""


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
