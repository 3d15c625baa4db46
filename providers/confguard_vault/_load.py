"""One store during one load: log in once, ask which mounts serve the paths, read them side by side."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from confguard.provider import Deadline, Failure, Found, Reference, fan_out
from confguard_vault._credential import Credential
from confguard_vault._http import Client, Reply
from confguard_vault._kv import (
    Mount,
    Preflight,
    Read,
    mount_of,
    parent,
    path_of,
    read_of,
    representatives,
    result_of,
)
from confguard_vault._login import log_in

T = TypeVar("T", bound=Hashable)
R = TypeVar("R")


class Load:
    """The connection to one store, its login, and the mounts that were found so far."""

    def __init__(self, client: Client, credential: Credential, scheme: str, deadline: Deadline) -> None:
        self.deadline = deadline
        self._client = client
        self._credential = credential
        self._scheme = scheme
        self._names = client.endpoint.names
        self._logged_in = False
        self._mounts: list[Mount] = []

    def __str__(self) -> str:
        return self._scheme

    def fetch(self, refs: Sequence[Reference]) -> dict[Reference, Found | Failure]:
        """Fetch references whose store this is."""
        token_works = not self._logged_in and self._credential.login is not None
        if failure := self._log_in():
            return dict.fromkeys(refs, failure)
        paths = {ref: path_of(ref) for ref in refs}
        names = {path: f"{ref.scheme} {path}" for ref, path in paths.items() if isinstance(path, str)}
        mounts, mount_told = self._find_mounts(names)
        reads: dict[Reference, Read | Failure] = {}
        for ref, path in paths.items():
            mount = path if isinstance(path, Failure) else mounts[path]
            reads[ref] = mount if isinstance(mount, Failure) else read_of(ref, str(path), mount, self._names)
        wanted = [read for read in reads.values() if isinstance(read, Read)]
        found = self._side_by_side(self._read, wanted)
        token_works = token_works or mount_told or any(isinstance(answer, Found) for answer in found.values())
        results = {ref: read if isinstance(read, Failure) else found[read] for ref, read in reads.items()}
        return self._told_apart(results, paths, token_works=token_works)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _log_in(self) -> Failure | None:
        if self._logged_in:
            return None
        # In a thread too, since a login that trickles would hold this one beyond the deadline.
        name = f"{self._scheme} login {self._credential.login.name}" if self._credential.login else self._scheme
        result = self._side_by_side(lambda what: log_in(self._client, self._credential, what), [name])[name]
        self._logged_in = result is None
        return result

    def _find_mounts(self, names: Mapping[str, str]) -> tuple[dict[str, Mount | Failure], bool]:
        """The mount of each path, and whether the store told us one.

        One question a mount: first for one path of each first segment, and where that did not settle the others (mounts
        may have several segments), for one path of each first two, and so on.
        """
        results: dict[str, Mount | Failure] = {}
        told = False
        depth = 0
        while waiting := self._unplaced(names, results):
            depth += 1
            asked = [Preflight(path, names[path]) for path in representatives(waiting, depth)]
            for preflight, reply in self._side_by_side(self._preflight, asked).items():
                # Paths with the same parent have the same mount, so they share what went wrong, and only they.
                alike = [path for path in waiting if parent(path) == parent(preflight.path)]
                answers = {path: self._mount(preflight, reply, Preflight(path, names[path])) for path in alike}
                own = answers[preflight.path]
                results.update({preflight.path: own} if isinstance(own, Mount) else answers)
                if isinstance(own, Mount) and own.path:
                    self._mounts.append(own)
                    told = True
        return results, told

    def _unplaced(self, names: Mapping[str, str], results: dict[str, Mount | Failure]) -> list[str]:
        """The paths that no mount is known for yet; the others get theirs. No mount can lie inside another."""
        for path in names.keys() - results.keys():
            if mount := next((mount for mount in self._mounts if f"{path}/".startswith(mount.path)), None):
                results[path] = mount
        return [path for path in names if path not in results]

    def _mount(self, asked: Preflight, reply: Reply | Failure, path: Preflight) -> Mount | Failure:
        if isinstance(reply, Failure):
            return replace(reply, message=path.name + reply.message.removeprefix(asked.name))
        return mount_of(reply, path, self._names)

    def _preflight(self, asked: Preflight) -> Reply | Failure:
        return self._client.request("get", asked.url, asked.name)

    def _read(self, asked: Read) -> Found | Failure:
        params = {"version": asked.version} if asked.version else None
        reply = self._client.request("get", asked.path, asked.name, params=params)
        return reply if isinstance(reply, Failure) else result_of(reply, asked, self._names)

    def _side_by_side(self, call: Callable[[T], R], items: Iterable[T]) -> dict[T, R | Failure]:
        """`fan_out`, whose failures of the deadline say where no answer came from."""
        results = fan_out(call, items, deadline=self.deadline)
        late = {item for item, result in results.items() if result == self.deadline.failure(str(item))}
        address = self._client.endpoint.address
        return results | {item: self.deadline.failure(f"{item} at {address}") for item in late}

    def _told_apart(
        self,
        results: dict[Reference, Found | Failure],
        paths: Mapping[Reference, str | Failure],
        *,
        token_works: bool,
    ) -> dict[Reference, Found | Failure]:
        """Turn *denied* into *unauthenticated* where it was the token, which answers 403 as a policy does.

        A token that was of use just now is good. Of another one the store is asked once; a token without the default
        policy may not ask that, which is why the answer is no proof against a token that works.
        """
        denied = [ref for ref, result in results.items() if isinstance(result, Failure) and result.kind == "denied"]
        if not denied or token_works or self._token_is_valid():
            return results
        message, tip = self._invalid_token()
        for ref in denied:
            results[ref] = Failure("unauthenticated", f"{ref.scheme} {paths[ref]}: 403, {message}", tip)
        return results

    def _invalid_token(self) -> tuple[str, str]:
        if self._credential.token is None and self._credential.login is None:
            return "and no token was sent", (
                f"is {self._names['ADDR']} that of an agent or a proxy that adds its own (use_auto_auth_token)? "
                "Else set a credential"
            )
        return "the token is not valid", (
            f"get a new token: that of {self._credential.origin} is expired, revoked, or of another store or namespace"
        )

    def _token_is_valid(self) -> bool:
        path = "auth/token/lookup-self"
        what = f"{self._scheme} {path}"
        reply = self._side_by_side(lambda path: self._client.request("get", path, what), [path])[path]
        return isinstance(reply, Failure) or reply.status != 403
