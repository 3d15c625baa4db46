"""A provider for tests: what it answers is written in the test, and no store is asked."""

import json
import re
import threading
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import ClassVar, cast

from confguard._plan import payload_of
from confguard._reference import InvalidReferenceError, Reference, parse_template
from confguard._stand_ins import StandIn, in_place
from confguard._unset import PartlySet, Untold
from confguard.provider import Deadline, Failure, Found
from confguard.testing._given import Turns, Value, joined, turns_of, whole
from confguard.testing._handles import handles_anew

# What stands for "*", and for a "*" that is meant, while a reference is split or put together.
_ANY, _STAR = "\ue000", "\ue001"
_WRITTEN = {"%EE%80%80": "*", "%EE%80%81": "%2A"}
# How much of two references is the same where one is a slip of the other: a letter or two differ.
_SLIP = 0.92
# The parameters of our own providers. Those of others are known when a reference that has them is set.
_PARAMETERS = frozenset({"location", "stage", "version"})


class FakeProvider:
    """Gives the values that a test sets, in the place of stores.

    Values are set by references as they are written in code, ``"vault://secret/app#/key"``: several keys of one payload are
    joined to one object, and without a fragment the value is the payload. ``*`` stands for any text, slashes and parameters
    included, and so does a field's name in braces; what was set exactly goes before a pattern, and the latest pattern before
    others. A literal ``*`` is written ``%2A``. ``?decode=`` is passed over: what is set is what the store holds.

    A value is a text, a number, a list or a dict (its JSON is the payload), bytes, a `Failure` (`fails` makes one), a `Found`
    with a version or a lease, or several in turn (`then`). A failure of one key is the failure of its payload, but for
    ``missing``, which leaves the key out. What is not set fails as ``unconfigured``, with the line to write.

    Args:
        values: What is set from the start, by reference.
        schemes: What it serves; unless told, the schemes of what is set.
        latency: After how many seconds it answers; the deadline ends the wait.

    Attributes:
        latency: The same, which a test may change.

    Raises:
        ValueError: A reference cannot be read, or is of another scheme.
        TypeError: A value is none of the above.
    """

    local: ClassVar[bool] = True  # it is asked where real fetches are refused

    def __init__(
        self, values: Mapping[str, Value] | None = None, *, schemes: Iterable[str] | None = None, latency: float = 0.0
    ) -> None:
        if isinstance(schemes, str):
            raise TypeError(f"schemes is a set of names: schemes={{{schemes!r}}}")
        self.latency = latency
        self._schemes = None if schemes is None else frozenset(schemes)
        self._lock = threading.Lock()
        self._set: Mapping[Reference, Mapping[str, Turns]] = {}  # by payload and fragment, the latest last; replaced, not changed
        self._fetches: list[tuple[str, ...]] = []
        for reference, value in (values or {}).items():
            self[reference] = value

    def _served(self) -> frozenset[str]:
        return frozenset(payload.scheme for payload in self._set) if self._schemes is None else self._schemes

    # Of a fake each object has its own; to a type checker they are a constant of the class, as the contract has it.
    schemes: ClassVar[frozenset[str]] = cast("frozenset[str]", property(_served, doc="The schemes that it serves."))

    @property
    def for_every_store(self) -> bool:
        """Whether it was not told which schemes it serves, so that it can stand in for all."""
        return self._schemes is None

    @property
    def parameters(self) -> frozenset[str]:
        """The parameters that references may have: those of our own providers, and those of what is set."""
        return _PARAMETERS.union(name for payload in self._set for name, _ in payload.params)

    @property
    def fetches(self) -> Sequence[Sequence[str]]:
        """For each fetch, the references that it was asked for, without their fragments."""
        return tuple(self._fetches)

    @property
    def asked(self) -> Sequence[str]:
        """All references that it was asked for, in order, without their fragments."""
        return tuple(reference for fetch in self._fetches for reference in fetch)

    def __setitem__(self, reference: str, value: Value) -> None:
        payload, fragment = _parsed(reference)
        if self._schemes is not None and payload.scheme not in self._schemes:
            raise ValueError(f"{reference!r} is of another scheme than {', '.join(sorted(self._schemes))}")
        turns = turns_of(value, fragment, repr(reference))
        with self._lock:
            keys = self._set.get(payload, {}) if fragment else {}
            kept = {key: before for key, before in keys.items() if key or before.takes_keys}
            others = {other: keys for other, keys in self._set.items() if other != payload}
            self._set = {**others, payload: {**kept, fragment: turns}}

    def __delitem__(self, reference: str) -> None:
        payload, fragment = _parsed(reference)
        with self._lock:
            if fragment not in self._set.get(payload, {}):
                raise KeyError(reference)
            kept = {key: turns for key, turns in self._set[payload].items() if key != fragment}
            others = {other: keys for other, keys in self._set.items() if other != payload}
            self._set = {**others, payload: kept} if kept else others

    def fetch(self, refs: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Found | Failure]:
        """What is set for references by now; of one that is not set, the line to write."""
        with self._lock:
            self._fetches.append(tuple(map(str, refs)))
        if self.latency > 0:
            threading.Event().wait(min(self.latency, deadline.remaining()))
            if deadline.passed:
                return {ref: deadline.failure(f"{ref.scheme} {ref.path}") for ref in refs}
        with self._lock:
            return {ref: self._answer(ref) for ref in refs}

    def _answer(self, ref: Reference) -> Found | Failure:
        keys = self._keys_for(ref)
        if keys is None:
            tell = partial(not_set, known=self._written())
            return Untold("unconfigured", tell(ref).message, tell(ref).tip, tell=tell)
        steps = {fragment: turns.next(ref) for fragment, turns in keys.items()}
        if list(steps) == [""]:
            return whole(steps[""])
        failures = {fragment: step for fragment, step in steps.items() if isinstance(step, Failure)}
        refusal = next((failure for failure in failures.values() if failure.kind != "missing"), None)
        if refusal is not None:
            return refusal
        made = joined(steps)
        if "" in steps:
            return made
        return PartlySet(made.value, made.version, made.expires_at, tell=partial(_lacks, failures, self._written()))

    def _keys_for(self, ref: Reference) -> Mapping[str, Turns] | None:
        if ref in self._set:
            return self._set[ref]
        text = _text(ref)
        patterns = (payload for payload in reversed(list(self._set)) if _ANY in _text(payload))
        return next((self._set[payload] for payload in patterns if _matches(payload, text)), None)

    def _written(self) -> Sequence[str]:
        return [as_written(replace(payload, fragment=fragment)) for payload, keys in self._set.items() for fragment in keys]

    def __repr__(self) -> str:
        return f"<FakeProvider of {', '.join(self._written()) or 'nothing'}>"


@contextmanager
def faking(values: Mapping[str, Value] | FakeProvider | None = None) -> Generator[FakeProvider]:
    """Put a fake in the place of stores, in the whole process; no store is asked meanwhile.

        with faking({"vault://secret/shop#/api_key": "fake"}) as fake:
            settings = validate(ShopSettings)

    It stands in for every scheme whose provider does more than read this machine, and for a local one (``file``, ``env``) as soon
    as one of its references is set. An inner fake goes before an outer one, and both before providers that are given in code.
    Handles that `lazy` made load anew meanwhile, and hold afterwards what they held before.

    Args:
        values: What is set from the start, by reference; or a `FakeProvider`, which stands in for its own schemes alone where it
            was given any.
    """
    fake = values if isinstance(values, FakeProvider) else FakeProvider(values)
    with in_place(StandIn(fake, remote=fake.for_every_store)), handles_anew():
        yield fake


def not_set(reference: Reference, known: Sequence[str] = ()) -> Failure:
    """The failure of a reference that the test has not set; one that it has set, and is nearly the same, may be a slip."""
    from difflib import get_close_matches

    near = get_close_matches(as_written(reference), known, n=1, cutoff=_SLIP)
    slip = f"; {near[0]} is set" if near else ""
    return Failure("unconfigured", f"the test has not set {as_written(reference)}{slip}", f"write {what_to_write(reference)}")


def _lacks(missing: Mapping[str, Failure], known: Sequence[str], reference: Reference) -> Failure:
    """The failure of a key that its payload lacks: it was set to be missing, or forgotten."""
    return missing.get(reference.fragment) or not_set(reference, known)


def what_to_write(reference: Reference) -> str:
    """The line of a test that sets a reference."""
    return f'confguard_fake[{json.dumps(as_written(reference))}] = "…"'


def as_written(reference: Reference) -> str:
    """A reference as a test writes it to set it."""
    payload = payload_of(reference)
    params = tuple((name, value.replace("*", _STAR)) for name, value in payload.params)
    text = str(replace(payload, path=payload.path.replace("*", _STAR), params=params, fragment=reference.fragment))
    for escape, character in _WRITTEN.items():
        text = text.replace(escape, character)
    return text


def _parsed(text: str) -> tuple[Reference, str]:
    """The payload of a reference as it is written in code, with `_ANY` where something is left open, and the fragment."""
    try:
        template = parse_template(text.replace("*", _ANY))
    except InvalidReferenceError as exc:
        raise ValueError(f"{text!r} is no reference: {exc}") from None
    rest = template.rest
    if template.names:
        rest = replace(rest, path="".join(_ANY if at % 2 else piece for at, piece in enumerate(template.pieces)))
    return payload_of(rest), rest.fragment.replace(_ANY, "*")


def _text(ref: Reference) -> str:
    params = "&".join(f"{name}={value}" for name, value in ref.params)
    return f"{ref.scheme}://{ref.path}" + (f"?{params}" if params else "")


def _matches(pattern: Reference, text: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, _text(pattern).split(_ANY))), text, re.DOTALL) is not None
