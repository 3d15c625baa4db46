"""What does not keep a service from starting and may hurt it later: a shadowed value, a secret laid open or too short to hide."""

import os
import shlex
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from confguard._forms import is_searchable
from confguard._load import Load
from confguard._problem import Origin, Problem
from confguard._redaction import redactor
from confguard._schema import Trail
from confguard._sources import attempt
from confguard._state import ABSENT, find
from confguard._values import texts

_FILES = ("dotenv", "named", "mounted")
_ATOMIC = "..data"
"""The link by which the kubelet, and what does as it does, swaps all files of a mounted directory at once."""

_CONTAINER = Path("/run/secrets")
"""Where Docker and Podman put the secrets of a container; they choose 0444, and nobody else is in there."""


def warnings(load: Load) -> Iterator[Problem]:
    """The warnings of a load that still has its values."""
    yield from _unprotected(load)
    if any(state and places.label in _FILES for places, state in load.readings.states):
        wanted = [trail for trail in load.schema.leaves if load.wanted(trail[-1].path)]
        yield from _shadowing(load, wanted)
        yield from _open_files(load, wanted)


def _unprotected(load: Load) -> Iterator[Problem]:
    """Secrets that the redactor passes over, since nothing could tell them from other text."""
    for trail in load.schema.leaves:
        # What a test overrides is no real secret, and may well be "x".
        if trail[-1].secret and load.wanted(trail[-1].path) and not load.is_overridden(trail[-1].path):
            value = load.given(trail)
            held = list(texts(find(load.fetched, trail) if value is ABSENT else value)) if value is not None else []
            # One of many texts may well be common: a user's name beside a password.
            if len(held) == 1 and _is_passed_over(held[0]):
                path = trail[-1].path
                message = (
                    "it is so short or so common that it cannot be told from other text: no log, and nothing else, will hide it"
                )
                tip = "choose a longer one, made at random"
                yield Problem("degraded", path, message, tip=tip, origin=load.origins.get(path), severity="warning")


def _is_passed_over(secret: str | bytes) -> bool:
    text = secret if isinstance(secret, str) else secret.decode(errors="replace")
    return bool(text.strip()) and not is_searchable(text)


def _warning(trail: Trail, message: str, tip: str, origin: Origin) -> Problem:
    return Problem("degraded", trail[-1].path, redactor.redact(message), tip=tip, origin=origin, severity="warning")


def _shadowing(load: Load, wanted: list[Trail]) -> Iterator[Problem]:
    """Values of an env file that stand before a mounted file or a binding: a file that was left in an image, say."""
    for trail in wanted:
        givers = load.origins.givers(trail)
        if givers and givers[0].label == "dotenv":
            mounted = next((places.origin(trail) for places in givers[1:] if places.label == "mounted"), None)
            shadowed = mounted or _reference(load, trail)
            if shadowed is not None:
                message = f"its value in an env file shadows {shadowed}"
                yield _warning(trail, message, "take it out of the env file if that is not meant", givers[0].origin(trail))


def _reference(load: Load, trail: Trail) -> str | None:
    """What a field is bound to, itself or with a model around it; None where the env file gives it a reference of its own."""
    binding = next((node.binding for node in trail if node.binding is not None), None)
    if binding is None or not binding.choices or trail[-1].path in load.wants:
        return None
    when = binding.when
    holds = when is None or (not load.deciders.read(when.facts, load.state) and when.holds(load.deciders.values))
    return str(binding.choices[0]) if holds else None


def _open_files(load: Load, wanted: list[Trail]) -> Iterator[Problem]:
    """Files that gave a secret and that others on this machine can read."""
    files: dict[str, tuple[Trail, Origin]] = {}
    for trail in wanted:
        for places in load.origins.givers(trail) if trail[-1].secret else ():
            if places.label in _FILES:
                origin = places.origin(trail)
                file = origin.name if places.label == "named" else origin.place or origin.name
                files.setdefault(file, (trail, origin))
    for file, (trail, origin) in files.items():
        mode = attempt(partial(_open_mode, Path(file)))
        if isinstance(mode, int) and mode:
            message = f"{file} holds a secret and has mode {mode:04o}: others can read it"
            yield _warning(trail, message, f"chmod 600 {shlex.quote(file)}", origin)


def _open_mode(file: Path) -> int:
    """The mode of a regular file that others can read and whose mode is its owner's to choose; else 0.

    A group that may read the file of another owner is how a service is given a file of root's.
    """
    status = file.stat()
    is_open = bool(status.st_mode & 0o007) or (bool(status.st_mode & 0o070) and status.st_uid == os.geteuid())
    return stat.S_IMODE(status.st_mode) if is_open and stat.S_ISREG(status.st_mode) and not _is_mounted(file) else 0


def _is_mounted(file: Path) -> bool:
    """Whether an orchestrator put the file there, and chose its mode."""
    if (file.parent / _ATOMIC).is_symlink() or _CONTAINER in file.resolve().parents:
        return True
    return bool(os.statvfs(file).f_flag & os.ST_RDONLY)
