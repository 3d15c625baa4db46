"""Completing a load: what our source does, as the last of all."""

import re
from collections.abc import Collection, Mapping
from itertools import chain
from typing import Any

from confguard._forms import parameters_of
from confguard._load import Load, StopLoad
from confguard._outside import MARK
from confguard._problem import Problem
from confguard._redaction import redactor
from confguard._schema import Trail
from confguard._sources import State
from confguard._state import ABSENT, find, present
from confguard._taking import take
from confguard._values import is_empty, texts
from confguard._wanting import bound_wants, outside_wants

# Up to the last "@": a password that is not escaped as it should be is one all the same.
_URL_PASSWORD = re.compile(r"://([^:/?#\s@]*):(\S+)@")
_SPACED_PASSWORD = re.compile(r"\A\s*[A-Za-z][A-Za-z0-9+.-]*://([^:/?#\s@]*):([^/?#]*\s[^/?#]*)@")


def complete(load: Load, state: dict[str, Any], given: Mapping[str, State], *, strict: bool) -> dict[str, Any]:
    """Fetch what the sources left out; called as the last of them.

    Args:
        load: The load.
        state: What the sources gave, merged. A reference from outside is taken out of it.
        given: The same by source's class name, in their order.
        strict: Whether everything is to be reported, as by `validate`; else no more than what pydantic knows nothing of.

    Returns:
        The fetched values, as a tree to merge below the state.
    """
    load.ran = True
    load.state = state
    if strict:
        load.note_origins(given)
    references = _learn(load, state, strict=strict)
    for fault in load.readings.faults:
        if not fault.field or not load.is_overridden(fault.field):
            load.add_fault(fault)
    wants = list(outside_wants(load, references, state, given, warn=strict))
    pointed = {want.trail[-1].path for want in wants}
    wants += [want for want in bound_wants(load, state) if want.trail[-1].path not in pointed]
    for want in wants:
        load.wants[want.trail[-1].path] = want
        load.handled.update(node.model for node in want.trail if node.model is not None)
    for scheme, sentence in load.together.fetch(wants):
        load.problems.append(Problem("degraded", "", redactor.redact(f"{scheme}: {sentence}"), severity="warning"))
    for want in wants:
        take(load, want)
    if load.only:
        raise StopLoad
    return load.fetched


def _learn(load: Load, state: State, *, strict: bool) -> list[tuple[Trail, str]]:
    """Tell the redactor every secret that a source gave, before anything can be said of it.

    Returns:
        The fields whose value may be a reference.
    """
    _learn_secrets(load, state, strict=strict)
    references: list[tuple[Trail, str]] = []
    for trail, value in present(state, load.schema):
        if isinstance(value, str):
            if "://" not in value:  # neither a reference nor a URL, as most are
                continue
            if value.startswith(MARK):
                references.append((trail, value))
            if "@" not in value and "?" not in value:
                continue
        elif not (isinstance(value, Collection) or hasattr(value, "unicode_string")):  # nor a URL that code gives
            continue
        if _learn_passwords(value, trail[-1].path) and strict and not trail[-1].secret:
            load.note_open_password(trail)
    return references


def _learn_secrets(load: Load, state: State, *, strict: bool) -> None:
    """Tell the redactor the values of secret fields; where everything is to be reported, note those that are empty."""
    flat = ((trail, state.get(str(key), ABSENT)) for key, trail in load.schema.flat_secrets)
    deep = ((trail, find(state, trail)) for trail in load.schema.deep if trail[-1].secret)
    for trail, value in chain(flat, deep):
        node = trail[-1]
        if value is ABSENT:
            continue
        for text in texts(value):
            redactor.learn(text, node.path)
        if strict and not node.takes_empty and is_empty(value):
            load.refuse_empty(trail)


def _learn_passwords(value: object, path: str) -> bool:
    """Tell the redactor the passwords and the credential parameters of URLs, which fields of any type may carry.

    Returns:
        Whether there is a password.
    """
    told = [text for text in texts(value) if isinstance(text, str) and "://" in text]
    passwords = [
        password
        for text in told
        for user, password in (*_URL_PASSWORD.findall(text), *_SPACED_PASSWORD.findall(text))
        if password != user  # "postgres:postgres" would redact every word "postgres"
    ]
    for secret in (*passwords, *(credential for text in told for credential in parameters_of(text))):
        redactor.learn(secret, path)
    return bool(passwords)
