"""``confguard scan``: load the settings, then look for their secrets in files."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import TYPE_CHECKING, NoReturn

import click

from confguard._commands.options import EXIT_CODES, loading_options, make_call, only_option
from confguard._commands.output import report
from confguard._commands.progress import load_visibly
from confguard._commands.targets import import_classes

if TYPE_CHECKING:
    from confguard._call import Call
    from confguard._commands.files import Hit, Tally

EXAMPLES = """
\b
Examples:
  confguard scan myservice.settings:AppSettings .
  confguard scan myservice.settings:AppSettings dist/ --exclude '*.map' --format github
  git log -p --all | confguard scan myservice.settings:AppSettings -
"""
OWN_CODES = """
\b
Once the settings are loaded, besides:
   1  a secret was found
  66  no secret was found, and a path could not be read
"""
_FOUND, _UNREADABLE = 1, 66


@click.command(epilog=EXAMPLES + EXIT_CODES + OWN_CODES, short_help="Look for the secrets of settings in files.")
@click.argument("target", metavar="MODULE:CLASS")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@only_option("Load this field alone; may be given several times.")
@click.option(
    "--exclude", multiple=True, metavar="GLOB", help="Pass over files and directories of this name or path; several times."
)
@click.option("--format", "form", type=click.Choice(["text", "json", "github"]), default="text", show_default=True, help="How.")
@loading_options
def scan(
    target: str,
    paths: tuple[str, ...],
    only: tuple[str, ...],
    exclude: tuple[str, ...],
    form: str,
    timeout: float,
    wait: float | None,
    env_files: tuple[str, ...],
) -> NoReturn:
    """Load the settings class MODULE:CLASS, and look for its secrets in files, in directories, or in standard input (-).

    Each secret is looked for as it is and in the forms in which it leaks: URL-encoded, escaped, base64, hexadecimal. What is
    found is told by file, line and field, in a binary file by byte and field; the value and the line are not shown.

    All files of a directory are read, binary and hidden ones and those of .git too. Symbolic links are not followed, pipes and
    devices not opened, archives and compressed files not unpacked.
    Where the settings are refused, the report goes to standard error and nothing is searched.
    """
    call = make_call(import_classes([target], "text"), timeout, env_files, only)
    sys.exit(_scan(call, wait, paths, exclude, form))


def _scan(call: "Call", wait: float | None, paths: Sequence[str], exclude: Sequence[str], form: str) -> int:
    from confguard._problem import by_weight, exit_code
    from confguard._redaction import redactor

    [one] = load_visibly(call, wait)
    problems = by_weight(one.problems)
    if problems:
        report(problems, [one.load.schema.name], "text", err=True)
    if code := exit_code(problems):
        return code
    if form == "json":
        about = {"settings_class": one.load.schema.name, "not_looked_for": redactor.unsearchable()}
        return _tell_json(paths, exclude, about)
    return _tell(paths, exclude, form)


def _tell(paths: Sequence[str], exclude: Sequence[str], form: str) -> int:
    """Print what is found when it is found, and at last how much was searched."""
    from confguard._commands.files import Hit, Tally, search

    meter = _Meter()
    tally = Tally(lambda: meter.show(tally))
    hits = unread = 0
    for each in search(paths, exclude, tally):
        meter.clear()
        if isinstance(each, Hit):
            hits += 1
            click.echo(_annotation(each) if form == "github" else _line(each))
        else:
            unread += each.unread
            click.echo(f"{_shown(each.path)}: {each.text}", err=True)
    meter.clear()
    click.echo(f"{_counted(hits, 'finding')} in {_counted(tally.files, 'file')} ({tally.size / 1e6:.1f} MB)")
    return _code(hits, unread)


def _tell_json(paths: Sequence[str], exclude: Sequence[str], more: Mapping[str, object]) -> int:
    from confguard._commands.files import Hit, Tally, search

    meter = _Meter()
    tally = Tally(lambda: meter.show(tally))
    all_of_them = list(search(paths, exclude, tally))
    meter.clear()
    hits = [each for each in all_of_them if isinstance(each, Hit)]
    notes = [each for each in all_of_them if not isinstance(each, Hit)]
    code = _code(len(hits), sum(note.unread for note in notes))
    told = {
        "version": 1,
        "exit_code": code,
        **more,
        "files": tally.files,
        "bytes": tally.size,
        "findings": [{"file": _redacted(hit.path), "line": hit.line, "byte": hit.byte, "field": hit.field} for hit in hits],
        "notes": [{"file": _redacted(note.path), "message": note.text, "unread": note.unread} for note in notes],
    }
    click.echo(json.dumps(told, indent=2))
    return code


def _code(hits: int, unread: int) -> int:
    return _FOUND if hits else _UNREADABLE if unread else 0


def _line(hit: "Hit") -> str:
    if hit.line is not None:
        return f"{_shown(hit.path)}:{hit.line}: {_printable(hit.field)}"
    return f"{_shown(hit.path)}: {f'byte {hit.byte}' if hit.byte is not None else 'its name'}: {_printable(hit.field)}"


def _annotation(hit: "Hit") -> str:
    """A workflow command of GitHub, which shows it beside the line."""
    place = f",line={hit.line}" if hit.line is not None else ""
    where = "here" if place else "in its name" if hit.byte is None else f"at byte {hit.byte}"
    message = _escaped(f"{_printable(hit.field)}, a secret, stands {where}")
    return f"::error file={_escaped(_shown(hit.path), ':,')}{place},title=secret found::{message}"


def _escaped(text: str, more: str = "") -> str:
    return "".join(f"%{ord(char):02X}" if char in f"%\r\n{more}" else char for char in text)


def _shown(path: str) -> str:
    return "(standard input)" if path == "-" else _printable(_redacted(path))


def _redacted(path: str) -> str:
    """The path, whose parts may be secrets themselves."""
    from confguard._redaction import redactor

    return os.fsdecode(redactor.redact_bytes(os.fsencode(path)))


def _printable(text: str) -> str:
    from confguard._report import printable

    return printable(text)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


class _Meter:
    """Shows on a terminal how far the search is, and takes that away."""

    def __init__(self) -> None:
        self._is_seen = sys.stderr.isatty() and os.environ.get("TERM") not in (None, "", "dumb")
        self._next = 0.0
        self._drawn = False

    def show(self, tally: "Tally") -> None:
        """Show it, ten times a second at most."""
        if self._is_seen and (now := monotonic()) >= self._next:
            self._next, self._drawn = now + 0.1, True
            click.echo(f"\r\x1b[2K{_counted(tally.files, 'file')}, {tally.size / 1e6:.0f} MB", nl=False, err=True)

    def clear(self) -> None:
        """Leave nothing of it."""
        if self._drawn:
            self._drawn = False
            click.echo("\r\x1b[2K", nl=False, err=True)
