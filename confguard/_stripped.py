"""What an exception of others takes with it out of a plain call: no frame, document or chained error that holds values.

Whoever calls a settings class gets the exceptions that their own code and their sources raise, with the frames of their own code.
Not with those of this library, pydantic and what it reads files with: their locals are what was read.
"""

import re
from collections.abc import Callable
from json import JSONDecodeError
from types import TracebackType
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError

from confguard._known import REDACTED
from confguard._redaction import redactor

Rebuild = Callable[[ValidationError], BaseException]

# The modules below a plain call that are not the caller's own.
_BELOW = frozenset(
    """
    argparse azure boto3 botocore codecs dotenv encodings google grpc http json pathlib pydantic pydantic_settings requests shlex
    ssl tomli tomllib typing urllib3 yaml
    """.split()  # noqa: SIM905 - a list of words is easier to read so
)
# What pydantic-settings and argparse say, where it quotes an argument of the command line.
_QUOTES = (
    re.compile(r"(Dictionary key=val parameter is a quoted string: ).*", re.DOTALL),
    # One of the choices is a subcommand; a mistyped one is a word.
    re.compile(r"(invalid choice: )(?!'[A-Za-z_-]{1,40}').*?(?= \(choose from |$)", re.DOTALL),
    re.compile(r"(ignored explicit argument |invalid \S+ value: ).*", re.DOTALL),
    re.compile(r"(ambiguous option: [^\s=]+=).*?(?= could match |$)", re.DOTALL),
)
# What YAML says of a value that is not quoted and begins with "*", "!" or "&", as a password may.
_YAML_QUOTES = re.compile(r"((?:alias|tag|anchor|handle) )(?:'.*?'(?=;|$)|\".*?\"(?=;|$))", re.DOTALL)
_UNKNOWN = "unrecognized arguments: "
_OPTION = re.compile(r"--?[A-Za-z][\w.-]{0,40}")


def stripped(exc: BaseException, rebuild: Rebuild) -> BaseException:
    """The exception to raise in place of one that came out of pydantic, pydantic-settings or user code below them.

    Args:
        exc: The exception.
        rebuild: Makes a `ValidationError` anew, which it may be chained to.

    Returns:
        A `SettingsError` of pydantic-settings' own made anew. Any other is the same object, or a group like it: without the
        frames of what is below, without the document that could not be read, and, where it was raised by what is below, without
        what it is chained to.
    """
    return _cleaned(exc, rebuild, {})


def _cleaned(exc: BaseException, rebuild: Rebuild, done: dict[int, BaseException]) -> BaseException:
    if id(exc) in done:
        return done[id(exc)]
    done[id(exc)] = exc
    if isinstance(exc, ValidationError):
        done[id(exc)] = rebuild(exc)
        return done[id(exc)]
    frames = _frames(exc.__traceback__)
    is_theirs = bool(frames) and _is_below(frames[-1])
    if is_theirs and type(exc) is SettingsError:
        return _settings_error(exc)
    # Setting a cause hides the context.
    suppress, cause, context = exc.__suppress_context__, exc.__cause__, exc.__context__
    if isinstance(exc, BaseExceptionGroup):
        # What is in a group cannot be changed.
        group = exc.derive([_cleaned(member, rebuild, done) for member in exc.exceptions])
        done[id(exc)] = exc = group
    exc.__cause__ = _cleaned(cause, rebuild, done) if cause is not None and not is_theirs else None
    exc.__context__ = _cleaned(context, rebuild, done) if context is not None and not is_theirs else None
    exc.__suppress_context__ = suppress
    exc.__traceback__ = _traceback(frames)
    _forget_document(exc)
    return exc


def _frames(at: TracebackType | None) -> list[TracebackType]:
    frames: list[TracebackType] = []
    while at is not None:
        frames.append(at)
        at = at.tb_next
    return frames


def _is_below(at: TracebackType) -> bool:
    package = str(at.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
    return package in _BELOW or package.startswith("confguard")


def _traceback(frames: list[TracebackType]) -> TracebackType | None:
    """A traceback through the frames that are the caller's own."""
    made: TracebackType | None = None
    for at in reversed(frames):
        if not _is_below(at):
            made = TracebackType(made, at.tb_frame, at.tb_lasti, at.tb_lineno)
    return made


def _settings_error(exc: BaseException) -> SettingsError:
    """pydantic-settings' own error, which says the field and the source; it is chained to the document that it could not read."""
    made = SettingsError(hidden_arguments(str(exc)))
    cause = exc.__cause__
    if type(cause) is JSONDecodeError:
        _forget_document(cause)
        cause.__context__ = None
        made.__cause__ = cause.with_traceback(None)
    elif cause is not None:
        made.add_note(f"It was caused by {type(cause).__qualname__}, which is withheld since it may hold a value.")
    return made


def _forget_document(exc: BaseException) -> None:
    """Take what was read out of an exception that says where in it the fault is."""
    error: Any = exc
    if isinstance(exc, UnicodeDecodeError):
        # What it says needs the bytes at fault and the place of them, and nothing else.
        error.object = bytes(exc.start) + exc.object[exc.start : exc.end]
        error.args = (exc.encoding, exc.object, exc.start, exc.end, exc.reason)
    elif isinstance(exc, UnicodeEncodeError):
        error.object = " " * exc.start + exc.object[exc.start : exc.end]
        error.args = (exc.encoding, exc.object, exc.start, exc.end, exc.reason)
    elif isinstance(exc, AttributeError):
        exc.obj = None  # settings, or a model in them
    elif isinstance(getattr(exc, "doc", None), str):  # of JSON, and of TOML from Python 3.14 on
        error.doc = ""
    if isinstance(getattr(exc, "problem", None), str) and hasattr(exc, "problem_mark"):  # of YAML
        error.problem = _YAML_QUOTES.sub(rf"\1{REDACTED!r}", error.problem)
        error.args = ()
    for mark in (getattr(exc, "problem_mark", None), getattr(exc, "context_mark", None)):  # of YAML
        if isinstance(getattr(mark, "buffer", None), str):
            mark.buffer = None  # type: ignore[union-attr] # it has one


def hidden_arguments(message: str) -> str:
    """What argparse or pydantic-settings says of a command line, without the values on it: names of options stay."""
    for quotes in _QUOTES:
        message = quotes.sub(rf"\1{REDACTED}", message)
    said, found, unknown = message.partition(_UNKNOWN)
    words = (_option(word) for word in unknown.split(" "))
    return redactor.redact(f"{said}{found}{' '.join(words)}" if found else message)


def _option(word: str) -> str:
    name, equals, _ = word.partition("=")
    if not _OPTION.fullmatch(name):
        return REDACTED
    return f"{name}={REDACTED}" if equals else name
