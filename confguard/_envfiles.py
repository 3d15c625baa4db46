"""Looking at env files before pydantic-settings reads them.

It passes over a directory, waits for the writer of a FIFO, ends at the first file that cannot be decoded, and lets a value whose
quote is not closed go with a warning of another library: what is wrong has to be told, and the rest be read.
"""

import os
from collections.abc import Iterator, Mapping
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings

from confguard._files import FileFault, read_file
from confguard._places import search_upwards
from confguard._problem import Origin, Problem
from confguard._sources import Raised, attempt

_BEHIND = "the lines behind it may be part of it"


def look_at_env_files(
    settings_class: type[BaseSettings], arguments: Mapping[str, Any]
) -> tuple[Mapping[str, Any], list[Problem]]:
    """What is wrong with the env files of a class.

    Args:
        settings_class: The class.
        arguments: What it is called with.

    Returns:
        The arguments by which it reads those env files alone that can be read, and the problems.
    """
    config = settings_class.model_config
    given = arguments.get("_env_file", config.get("env_file"))
    files = [given] if isinstance(given, str | os.PathLike) else list(given or [])
    encoding = arguments.get("_env_file_encoding") or config.get("env_file_encoding") or "utf-8"
    depth = arguments.get("_env_file_depth") or config.get("env_file_depth") or 0
    readable: list[Any] = []
    problems: list[Problem] = []
    for file in files:
        path = search_upwards(Path(file).expanduser(), depth)
        text = _text(path, encoding)
        if isinstance(text, Raised):
            problems.append(Problem(text.kind, "", text.message, tip=text.tip, origin=Origin("dotenv", place=str(file))))
        else:
            readable.append(file)
            problems += _unclosed(str(file), text)
    return (arguments if len(readable) == len(files) else {**arguments, "_env_file": readable or None}), problems


def _text(path: Path, encoding: str) -> str | Raised:
    """The text of an env file; nothing of one that is not there, or that is switched off: ``""`` and the null device."""
    if path == Path() or not os.path.lexists(path) or os.path.realpath(path) == os.devnull:
        return ""
    content = read_file(path, roots=["/"])
    if isinstance(content, FileFault):
        return Raised(content.kind, f"the file {content.message}", content.tip)
    return attempt(partial(content.data.decode, encoding))


def _unclosed(file: str, text: str) -> Iterator[Problem]:
    """The assignments that python-dotenv cannot read: it goes on without them."""
    if not any(quote in text for quote in "'\""):
        return
    from dotenv.parser import parse_stream  # which a class without env files does not need

    for statement in parse_stream(StringIO(text, newline=None)):
        written = statement.original.string
        if statement.error and "=" in written:
            line = statement.original.line + written[: len(written) - len(written.lstrip())].count("\n")
            message = f"line {line} cannot be read: its quote is not closed, or something follows it"
            yield Problem("malformed", "", message, tip=_BEHIND, origin=Origin("dotenv", place=file))
