"""Mounts, paths and payloads: what to ask for a reference, and what an answer holds. Does no I/O."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from confguard.provider import Failure, Found, Reference
from confguard_vault._failures import malformed, not_this_store, safe_request_id, status_failure
from confguard_vault._http import Reply
from confguard_vault._json import as_object, json_object, json_text

_VERSION = re.compile(r"[1-9][0-9]{0,17}")
_MOUNTS = "sys/internal/ui/mounts/"


@dataclass(frozen=True, slots=True)
class Mount:
    """Where an engine is mounted (``secret/``), and its version of KV; 0 for another engine, or an unknown one."""

    path: str
    kv: int


@dataclass(frozen=True, slots=True)
class Preflight:
    """The question which mount serves a path."""

    path: str
    name: str = field(compare=False)

    @property
    def url(self) -> str:
        """What to get, behind ``/v1/``."""
        return _MOUNTS + self.path

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Read:
    """One read of a path. Two that ask the store for the same are equal, however their references were written."""

    path: str
    version: str | None
    kv: int
    name: str = field(compare=False)

    def __str__(self) -> str:
        return self.name


def path_of(reference: Reference) -> str | Failure:
    """The path of a reference, without the slashes around it.

    Dot segments would be folded on the way, and lead out of the mount that was asked for.
    """
    path = reference.path.strip("/")
    segments = path.split("/")
    if "" in segments or "." in segments or ".." in segments:
        return Failure("unconfigured", f"{reference}: an empty or dot segment in its path", "write the path itself")
    return path


def head(path: str, depth: int) -> str:
    """The first segments of a path."""
    return "/".join(path.split("/")[:depth])


def parent(path: str) -> str:
    """All but the last segment of a path. Paths with the same one are served by the same mount."""
    return path.rpartition("/")[0]


def representatives(paths: Iterable[str], depth: int) -> list[str]:
    """One path for each beginning of so many segments."""
    first: dict[str, str] = {}
    for path in paths:
        first.setdefault(head(path, depth), path)
    return list(first.values())


def mount_of(reply: Reply, asked: Preflight, names: Mapping[str, str]) -> Mount | Failure:
    """The mount that a preflight's reply tells."""
    if reply.status == 404:
        return Mount("", 0)  # a store from before this question, says the command-line client, and reads the path as it is
    if reply.status != 200:
        first, _, inside = asked.path.partition("/")
        tip = None
        if reply.status == 403 and inside:
            api_path = f"{first}/data/{inside.removeprefix('data/')}"
            tip = (
                f"is there a mount {first}/{names['WITHIN']}? If so, {_policy(api_path)}, "
                f"or of KV v1 and other engines: {rule(asked.path)}"
            )
        return status_failure(reply.status, asked.name, names, tip=tip, retry_after=reply.retry_after, target=reply.target)
    data = as_object(json_object(reply.body).get("data"))
    path, options = data.get("path"), as_object(data.get("options"))
    if not isinstance(path, str) or not f"{asked.path}/".startswith(path) or not path.endswith("/"):
        return malformed(asked.name, "200, without the mount of this path")
    if data.get("type") not in {"kv", "generic"}:
        return Mount(path, 0)
    return Mount(path, 2 if options.get("version") == "2" else 1)


def read_of(reference: Reference, path: str, mount: Mount, names: Mapping[str, str]) -> Read | Failure:
    """What to read for a reference, now that its mount is known."""
    version = reference.param("version")
    name = f"{reference.scheme} {path}"
    if mount.kv != 2:
        if version is not None and not mount.path:  # a store that old has no KV v2, so it is more likely another one
            return not_this_store(name, names)
        if version is not None:
            kind = "KV v1" if mount.kv else "this engine"
            return Failure("unconfigured", f"{name}: {kind} keeps no versions", "leave ?version= out, or use KV v2")
        return Read(path, None, mount.kv, name)
    inside = path[len(mount.path) :].removeprefix("data/")
    if not inside:
        return Failure("unconfigured", f"{name}: this is a mount, and not a secret in it", "add the path of the secret")
    name = f"{reference.scheme} {mount.path}{inside}"
    if version is not None:
        if not _VERSION.fullmatch(version):
            return Failure(
                "unconfigured", f"{name}: ?version= is not a number", "write ?version=3, or leave it out for the newest"
            )
        name += f"?version={version}"
    return Read(f"{mount.path}data/{inside}", version, 2, name)


def result_of(reply: Reply, asked: Read, names: Mapping[str, str]) -> Found | Failure:
    """The payload that a reply holds, or why it holds none."""
    if reply.status == 200:
        return _payload(reply, asked)
    body = json_object(reply.body) if reply.status == 404 else {}
    request_id = safe_request_id(body.get("request_id"))
    if asked.kv == 2 and (gone := _gone(as_object(as_object(body.get("data")).get("metadata")))):
        message, tip = gone
        return Failure("missing", f"{asked}: {message}", tip, request_id=request_id)
    if reply.status == 404 and body.get("errors") != []:
        return not_this_store(asked.name, names)
    return status_failure(
        reply.status,
        asked.name,
        names,
        tip=_policy(asked.path) if reply.status == 403 else None,
        retry_after=reply.retry_after,
        target=reply.target,
        request_id=request_id,
    )


def _payload(reply: Reply, asked: Read) -> Found | Failure:
    body = json_object(reply.body)
    data = body.get("data")
    if asked.kv != 2:
        if not isinstance(data, dict):
            return malformed(asked.name, "200, without data")
        text = json_text(body["data"])
        return _nested(asked) if text is None else Found(text, expires_at=_lease(body))
    inner = as_object(data)
    version = as_object(inner.get("metadata")).get("version")
    payload = inner.get("data")
    if not isinstance(payload, dict) or not isinstance(version, int):
        return malformed(asked.name, "200, without data and its version")
    if asked.version is not None and str(version) != asked.version:
        return malformed(asked.name, "200, with another version")
    text = json_text(inner["data"])
    return _nested(asked) if text is None else Found(text, version=str(version))


def _gone(metadata: dict[str, object]) -> tuple[str, str] | None:
    """The state of a version whose data is no more, and a tip; KV v2 tells it in the body of its 404."""
    version = metadata.get("version")
    if not isinstance(version, int):
        return None
    if metadata.get("destroyed") is True:
        return f"version {version} is destroyed", "write a new version, or ask for an older one"
    if metadata.get("deletion_time"):
        return f"version {version} is deleted", "undelete it, write a new version, or ask for an older one"
    return None


def _lease(body: dict[str, object]) -> datetime | None:
    """When a lease ends. KV v1 tells a duration with no lease behind it: advice on how often to read, and no end."""
    seconds = body.get("lease_duration")
    if not body.get("lease_id") or not isinstance(seconds, int) or not 0 < seconds < 10**9:
        return None
    return datetime.now(UTC) + timedelta(seconds=seconds)


def rule(path: str) -> str:
    """The rule of a policy that lets a path be read."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'path "{escaped}" {{ capabilities = ["read"] }}'


def _policy(path: str) -> str:
    return f"the policy needs: {rule(path)}"


def _nested(asked: Read) -> Failure:
    return Failure("malformed", f"{asked}: its data is nested too deep", "write a flatter secret")
