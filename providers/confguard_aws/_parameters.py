"""Parameter Store: which calls some parameters need, and what an answer holds. The calls themselves are somebody else's."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from confguard.provider import Failure, FailureKind, Found
from confguard_aws._failures import Refusal, malformed, refusal_of
from confguard_aws._jobs import Answer, Caller, Job, Outcome, items_of, request_id_of
from confguard_aws._names import Below, Parameter, batches

# AWS takes no more names in one call, and puts no more on one page.
BATCH = 10

# A call is refused as a whole for one name that may not be read, or is none. One by one each gets an answer of its own.
_ONE_BY_ONE: frozenset[FailureKind] = frozenset({"denied", "missing", "unconfigured", "malformed"})

_Tree = dict[str, "str | list[str] | _Tree"]


def jobs_of(asks: Sequence[Parameter | Below], region: str | None = None) -> Iterator[Job]:
    """The calls that these need: 10 names a call, and one for each path.

    Args:
        asks: What is wanted.
        region: The region of what does not tell its own, where it is known.
    """
    by_region: dict[str | None, list[Parameter]] = {}
    for ask in asks:
        if isinstance(ask, Below):
            yield Job("get_parameters_by_path", (ask,))
        else:
            by_region.setdefault(ask.region or region, []).append(ask)
    for alike in by_region.values():
        for batch in batches(alike, BATCH, lambda ask: ask.plain_name):
            yield Job("get_parameters", tuple(batch))


def read_names(job: Job, caller: Caller) -> Outcome:
    """Ask for up to ten parameters, decrypted."""
    outcome = Outcome()
    asks = [ask for ask in job.asks if isinstance(ask, Parameter)]
    reply = caller.call(job, Names=[ask.id + ask.selector for ask in asks], WithDecryption=True)
    if isinstance(reply, Refusal):
        if len(asks) > 1 and reply.kind in _ONE_BY_ONE:
            outcome.again = [Job(job.operation, (ask,)) for ask in asks]
        else:
            outcome.refuse(asks, reply)
        return outcome
    invalid = set(map(str, items_of(reply, "InvalidParameters")))
    for ask in asks:
        entry = next((one for one in items_of(reply, "Parameters") if ask.is_answered_by(one.get("Name"), one.get("ARN"))), None)
        if entry is not None:
            outcome.answers[ask] = _value_of(entry, ask)
        elif ask.id + ask.selector in invalid:
            code = "ParameterVersionNotFound" if ask.selector else "ParameterNotFound"
            outcome.refuse([ask], refusal_of(code, None, {}, caller.words(job), request_id_of(reply)))
        else:
            outcome.answers[ask] = malformed(str(ask), "neither among the parameters of the answer nor among the invalid ones")
    return outcome


def _value_of(entry: Mapping[str, Any], ask: Parameter) -> Answer:
    version = entry.get("Version")
    if ask.selector[1:].isdigit() and str(version) != ask.selector[1:]:
        return malformed(str(ask), "the answer is about another version")
    value = _plain(entry)
    if value is None:
        return malformed(str(ask), "the answer holds no value")
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return Found(text, version=str(version) if isinstance(version, int) else None)


def _plain(entry: Mapping[str, Any]) -> str | list[str] | None:
    """A parameter's value: a text, or of a ``StringList`` the list that it is."""
    value = entry.get("Value")
    if not isinstance(value, str):
        return None
    return value.split(",") if entry.get("Type") == "StringList" else value


def read_below(job: Job, caller: Caller) -> Outcome:
    """Ask for all parameters below a path, decrypted, page by page, and make one JSON object of them."""
    outcome = Outcome()
    for below in job.asks:
        assert isinstance(below, Below)  # noqa: S101 - as these jobs are made
        tree: _Tree = {}
        token, seen = "", set[str]()
        while token not in seen:
            seen.add(token)
            page = {"NextToken": token} if token else {}
            reply = caller.call(job, Path=below.path, Recursive=True, WithDecryption=True, MaxResults=BATCH, **page)
            if isinstance(reply, Refusal):
                outcome.refuse([below], reply)
                return outcome
            if failure := _grow(tree, items_of(reply, "Parameters"), below):
                outcome.answers[below] = failure
                return outcome
            token = str(reply.get("NextToken") or "")
        outcome.answers[below] = Found(json.dumps(tree, ensure_ascii=False)) if tree else _nothing(below)
    return outcome


def _grow(tree: _Tree, entries: Sequence[Mapping[str, Any]], below: Below) -> Failure | None:
    """Put a page's parameters where their names say; each segment of a name is a key."""
    for entry in entries:
        name, value = entry.get("Name"), _plain(entry)
        if not isinstance(name, str) or not name.startswith(f"{below.path}/") or value is None:
            return malformed(str(below), "the answer holds what is not below the path, or has no value")
        *branches, leaf = name.removeprefix(f"{below.path}/").split("/")
        place: object = tree
        for branch in branches:
            place = place.setdefault(branch, {}) if isinstance(place, dict) else None
        if not isinstance(place, dict) or leaf in place:
            return Failure(
                "malformed",
                f"{below}: a parameter has others below it, so that it is no value and no object",
                f"move it, or what is below it: {name}",
            )
        place[leaf] = value
    return None


def _nothing(below: Below) -> Failure:
    return Failure("missing", f"{below}: there is no parameter below this path", "check the path and the region")
