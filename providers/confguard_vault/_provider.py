"""The provider: which references belong to which store, and one load for each."""

import os
from collections.abc import Mapping, Sequence
from typing import ClassVar, get_args

from confguard.provider import Deadline, Failure, Found, Reference, fan_out
from confguard_vault._auth import Auth
from confguard_vault._config import Endpoint, Options, endpoint, skips_verification
from confguard_vault._credential import Credential, credential
from confguard_vault._environment import Environment, SetupError
from confguard_vault._http import Client
from confguard_vault._kv import parent
from confguard_vault._load import Load
from confguard_vault._policy import policy_of


class Vault:
    """Secrets of HashiCorp Vault and OpenBao: ``vault://secret/app#/password``.

    What is not given is taken from the environment, as the command-line clients take it: ``VAULT_ADDR``,
    ``VAULT_TOKEN``, ``VAULT_CACERT``, ``VAULT_NAMESPACE`` and so on, or their ``BAO_`` twins, which ``openbao://`` asks
    for first.

    Args:
        address: Where the store is: ``https://vault.example.com:8200``.
        auth: Who we are to it: `Token`, `AppRole`, `UserPass`, `JWT`, `Kubernetes`, or `NoAuth` before an agent or a proxy.
        namespace: The namespace of all paths.
        ca_cert: A PEM file of the authorities to trust in place of the system's.
        client_cert: A PEM file of the certificate that we show.
        client_key: A PEM file of its key.
        verify: Whether to check the store's certificate; False is told as a warning at each load.
        tls_server_name: The name to look for on the certificate, in place of the address's host.
        timeout: Seconds to wait for one reply at most; the load's deadline always holds.
        proxy: The proxy to go through.
        allow_http: Whether plain http to another machine is allowed.

    Raises:
        TypeError: ``auth`` is none of these, such as a bare token.
    """

    schemes: ClassVar[frozenset[str]] = frozenset({"vault", "openbao"})
    parameters: ClassVar[frozenset[str]] = frozenset({"version"})
    loggers: ClassVar[tuple[str, ...]] = (
        *("hvac", "requests", "urllib3", "urllib3.connection", "urllib3.connectionpool", "urllib3.poolmanager"),
        *("urllib3.response", "urllib3.util", "urllib3.util.retry"),
    )

    def __init__(
        self,
        *,
        address: str | None = None,
        auth: Auth | None = None,
        namespace: str | None = None,
        ca_cert: str | os.PathLike[str] | None = None,
        client_cert: str | os.PathLike[str] | None = None,
        client_key: str | os.PathLike[str] | None = None,
        verify: bool | None = None,
        tls_server_name: str | None = None,
        timeout: float | None = None,
        proxy: str | None = None,
        allow_http: bool = False,
    ) -> None:
        if auth is not None and type(auth) not in get_args(Auth):
            raise TypeError(f"auth takes Token(…) and its like, not a bare {type(auth).__name__}")
        self._auth = auth
        self._options = Options(
            address=address,
            namespace=namespace,
            ca_cert=_text(ca_cert),
            client_cert=_text(client_cert),
            client_key=_text(client_key),
            verify=verify,
            tls_server_name=tls_server_name,
            timeout=timeout,
            proxy=proxy,
            allow_http=allow_http,
        )
        self._loads: dict[tuple[Endpoint, Credential], Load] = {}

    def __repr__(self) -> str:
        address = self._options.address
        if address and "@" in address:  # no address that works, and what stands before the "@" is for nobody's eyes
            address = "…"
        return f"Vault(address={address!r}, auth={self._auth!r}, namespace={self._options.namespace!r})"

    def fetch(self, refs: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Found | Failure]:
        """Fetch references: one login and one question a mount for all calls of a load, and one read a path.

        Raises:
            ImportError: hvac is not installed.
        """
        results: dict[Reference, Found | Failure] = {}
        work: dict[Load, list[Reference]] = {}
        loads = {scheme: self._load(scheme, deadline) for scheme in dict.fromkeys(ref.scheme for ref in refs)}
        for ref in refs:
            load = loads[ref.scheme]
            if isinstance(load, Failure):
                results[ref] = load
            else:
                work.setdefault(load, []).append(ref)
        if len(work) == 1:
            [(load, own)] = work.items()
            return results | load.fetch(own)
        answers = fan_out(lambda load: load.fetch(work[load]), work, deadline=deadline)
        for load, answer in answers.items():
            results |= dict.fromkeys(work[load], answer) if isinstance(answer, Failure) else answer
        return results

    def requests(self, refs: Sequence[Reference]) -> int:
        """At most how many requests a fetch of these makes: a login, a question a mount, and a read a path and version."""
        paths = {(ref.scheme, ref.path.strip("/")) for ref in refs}
        mounts = {(scheme, parent(path) or path) for scheme, path in paths}
        reads = {(ref.scheme, ref.path.strip("/"), ref.param("version")) for ref in refs}
        return len({ref.scheme for ref in refs}) + len(mounts) + len(reads)

    def policy(self, refs: Sequence[Reference], facts: Mapping[str, str]) -> str:
        """The policy in HCL that a login needs to read these; facts are engines by mount: ``{"secret": "kv1"}``.

        Raises:
            ValueError: A fact is none of these, or a path cannot be written into a policy.
        """
        return policy_of(refs, facts)

    def close(self) -> None:
        """Close the connections and forget the logins."""
        loads, self._loads = self._loads, {}
        for load in loads.values():
            load.close()

    def warnings(self) -> tuple[str, ...]:
        """What about the way this is set up should be known even when all is well."""
        environments = [Environment(scheme, os.environ) for scheme in ("vault", "openbao")]
        names = dict.fromkeys(skips_verification(self._options, each) for each in environments if self._speaks_tls(each))
        return tuple(
            f"{name} is set: the store's certificate is not checked, so anyone on the way can read the secrets"
            for name in names
            if name
        )

    def _speaks_tls(self, environment: Environment) -> bool:
        try:
            return endpoint(self._options, environment).address.startswith("https:")
        except SetupError:
            return True  # no way to tell: better one warning too many

    def _load(self, scheme: str, deadline: Deadline) -> Load | Failure:
        """The load of a scheme's store: that of this deadline, or a new one."""
        environment = Environment(scheme, os.environ)
        try:
            where = endpoint(self._options, environment)
            who = credential(self._auth, scheme, where, environment)
            if isinstance(who, Failure):
                return who
            known = self._loads.get((where, who))
            if known and known.deadline is deadline:
                return known
            client = Client(where, deadline)
        except SetupError as exc:
            return exc.failure(scheme)
        if known:
            known.close()
        self._loads[where, who] = load = Load(client, who, scheme, deadline)
        return load


def _text(path: str | os.PathLike[str] | None) -> str | None:
    return None if path is None else os.fspath(path)
