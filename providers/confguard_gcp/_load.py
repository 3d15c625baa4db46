"""One load: become somebody, open a channel for each place, and ask for every version side by side."""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from confguard.provider import Deadline, Failure, Found, Reference, fan_out
from confguard_gcp._answer import Ask, answer, unavailable
from confguard_gcp._client import Client, import_sdk
from confguard_gcp._endpoint import PROJECT_VARIABLES, Endpoint, endpoint
from confguard_gcp._failures import Refusal
from confguard_gcp._faults import fault_at
from confguard_gcp._identity import ANONYMOUS, Identity, become
from confguard_gcp._names import GLOBAL, Version, check_location, check_project, resource, version_of
from confguard_gcp._setup import SCHEME, SetupError

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

Answer = Found | Failure


@dataclass(frozen=True, slots=True)
class Options:
    """What code gives; None is what the environment says."""

    project: str | None = None
    location: str | None = None
    credentials: "Credentials | None" = field(default=None, repr=False)
    endpoint: str | None = None
    ca_cert: str | None = None


def load(refs: Sequence[Reference], options: Options, deadline: Deadline) -> Mapping[Reference, Answer]:
    """Fetch references.

    Raises:
        ImportError: The SDK is not installed.
    """
    results: dict[Reference, Answer] = {}
    wanted: dict[Reference, Version] = {}
    for ref in refs:
        try:
            wanted[ref] = version_of(ref)
        except SetupError as exc:
            results[ref] = exc.failure(f"{SCHEME} {ref.path}")
    if not wanted:
        return results
    import_sdk()
    try:
        _check(options)
        locations = {ref: _location(options, version) for ref, version in wanted.items()}
        places = {each: endpoint(options.endpoint, each, options.ca_cert, os.environ) for each in set(locations.values())}
        who = _become(places.values(), options, deadline)
        if isinstance(who, Failure):
            return results | dict.fromkeys(wanted, who)
        project = _project(options, who)
        asks = {ref: _ask(ref, version, project, locations[ref], places[locations[ref]]) for ref, version in wanted.items()}
        answers = _answers([ask for ask in asks.values() if isinstance(ask, Ask)], who, deadline)
    except SetupError as exc:
        return results | dict.fromkeys(wanted, exc.failure())
    return results | {ref: answers[ask] if isinstance(ask, Ask) else ask for ref, ask in asks.items()}


def _check(options: Options) -> None:
    """Refuse options that cannot work, before anybody is asked anything.

    Raises:
        SetupError: One cannot.
    """
    if options.project is not None:
        check_project(options.project)
    if options.location is not None:
        check_location(options.location)


def _location(options: Options, version: Version) -> str | None:
    """The location of a secret; None is that of secrets which are not regional."""
    location = version.location or options.location
    return None if location == GLOBAL else location


def _become(places: Iterable[Endpoint], options: Options, deadline: Deadline) -> Identity | Failure:
    """Who we are; nobody where all that is asked is of plain text, over which no credential goes."""
    if all(place.plain for place in places):
        return ANONYMOUS
    # In a thread too: google-auth may run gcloud, or read files, and nothing could end that.
    name = f"{SCHEME} credentials"
    return fan_out(lambda _: become(options.credentials, deadline), [name], deadline=deadline)[name]


def _project(options: Options, who: Identity) -> str | None:
    """The default project.

    Raises:
        SetupError: What is set cannot be one.
    """
    project = options.project or next(filter(None, map(os.environ.get, PROJECT_VARIABLES)), None) or who.project
    if project is not None:
        check_project(project)
    return project


def _ask(ref: Reference, version: Version, default: str | None, location: str | None, place: Endpoint) -> Ask | Failure:
    what, project = f"{SCHEME} {ref.path}", version.project or default
    if project is None:
        return Failure(
            "unconfigured",
            f"{what}: no project is set",
            f"write {SCHEME}://PROJECT/{version.secret}, or set GOOGLE_CLOUD_PROJECT or GCP(project=…)",
        )
    return Ask(what, place, project, version.secret, resource(version, project, location), version.version)


def _answers(asks: Sequence[Ask], who: Identity, deadline: Deadline) -> Mapping[Ask, Answer]:
    """What the store answers, over one channel for each place, all of which are closed again."""
    login = who.words
    with ExitStack() as opened:
        clients = {
            place: opened.enter_context(closing(Client(place, who.headers, deadline))) for place in {ask.place for ask in asks}
        }
        answers = fan_out(lambda ask: answer(clients[ask.place], ask, login), asks, deadline=deadline)
    unanswered = {ask: reply for ask, reply in answers.items() if isinstance(reply, Refusal)}
    faults = fan_out(lambda place: fault_at(place, deadline), {ask.place for ask in unanswered}, deadline=deadline)
    told = {ask: _told(ask, refusal, faults[ask.place], login, deadline) for ask, refusal in unanswered.items()}
    return {ask: told[ask] if isinstance(reply, Refusal) else reply for ask, reply in answers.items()}


def _told(ask: Ask, refusal: Refusal, fault: str | Failure, login: Mapping[str, str], deadline: Deadline) -> Failure:
    return deadline.failure(f"{ask}") if isinstance(fault, Failure) else unavailable(ask, refusal, fault, login)
