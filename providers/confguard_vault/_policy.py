"""The least privilege that a set of references needs, as a policy in HCL."""

from collections.abc import Iterable, Mapping, Sequence

from confguard.provider import Failure, Reference
from confguard_vault._kv import path_of, rule

ENGINES = ("kv1", "kv2", "other")


def policy_of(refs: Sequence[Reference], facts: Mapping[str, str]) -> str:
    """A policy with one rule a path, each of which is needed.

    Args:
        refs: What will be read.
        facts: By mount, its engine: ``{"database": "other"}``. Of a mount that is not named, the first segment of the path is
            taken for the mount, and its engine for KV v2.

    Raises:
        ValueError: A fact is none of a mount and an engine, or a path cannot be written into a policy. It says what to do.
    """
    wrong = [f"{mount}={engine}" for mount, engine in facts.items() if engine not in ENGINES]
    if wrong:
        raise ValueError(f"{wrong[0]} names no engine; write {', '.join(f'MOUNT={engine}' for engine in ENGINES)}")
    engines = {mount.strip("/"): engine for mount, engine in facts.items()}
    paths = {path: _api_path(path, engines) for path in _paths(refs)}
    assumed = sorted({path.partition("/")[0] for path in paths if _mount_of(path, engines) is None})
    notes = [f"# Taken for KV v2: {mount}. For another engine: --fact {mount}=kv1, --fact {mount}=other" for mount in assumed]
    return "\n".join([*notes, *dict.fromkeys(rule(path) for path in paths.values())])


def _paths(refs: Iterable[Reference]) -> list[str]:
    paths = [path for ref in refs if not isinstance(path := path_of(ref), Failure)]
    for path in paths:
        if path.endswith("*") or "+" in path.split("/") or "{{" in path:
            raise ValueError(f"{path}: a policy reads '*', '+' and '{{{{' as wildcards; write its rule by hand")
    return paths


def _mount_of(path: str, engines: Mapping[str, str]) -> str | None:
    return max((mount for mount in engines if f"{path}/".startswith(f"{mount}/")), key=len, default=None)


def _api_path(path: str, engines: Mapping[str, str]) -> str:
    mount = _mount_of(path, engines)
    if mount is None:
        mount, engine = path.partition("/")[0], "kv2"
    else:
        engine = engines[mount]
    inside = path[len(mount) + 1 :]
    return f"{mount}/data/{inside.removeprefix('data/')}" if engine == "kv2" else path
