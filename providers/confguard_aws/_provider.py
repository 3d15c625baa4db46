"""The provider: what each reference asks for, and one load for all of them."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from confguard.provider import Deadline, Failure, Found, Reference
from confguard_aws import _parameters, _secrets
from confguard_aws._config import Agent, Options, is_open
from confguard_aws._names import Ask, Secret, ask_of
from confguard_aws._policy import policy_of

if TYPE_CHECKING:
    from confguard_aws._client import Clients


class AWS:
    """Secrets of AWS Secrets Manager, ``awssecrets://prod/db#/password``, and of Parameter Store, ``awsssm:///prod/db/password``.

    What is not given is what the SDK finds in its own standard configuration: the environment (``AWS_PROFILE``,
    ``AWS_DEFAULT_REGION``, ``AWS_ENDPOINT_URL`` and so on), ``~/.aws/config``, the role of the container, the pod or the machine.

    Args:
        region: The region of what does not tell its own: an ARN does.
        profile: The profile of ``~/.aws/config``.
        endpoint_url: Where both services are asked, in place of AWS.
        ca_bundle: A PEM file of the authorities to trust in place of those that the SDK brings.
        agent: The AWS Secrets Manager Agent, or the Lambda extension, that ``awssecrets://`` is asked of in place of AWS.
        allow_http: Whether plain http to another machine is allowed; told as a warning at each load.
    """

    schemes: ClassVar[frozenset[str]] = frozenset({"awssecrets", "awsssm"})
    parameters: ClassVar[frozenset[str]] = frozenset({"version", "stage"})
    loggers: ClassVar[tuple[str, ...]] = (
        *("botocore", "urllib3", "urllib3.connection", "urllib3.connectionpool", "urllib3.poolmanager", "urllib3.response"),
        *(f"botocore.{name}" for name in ("auth", "awsrequest", "client", "credentials", "endpoint", "hooks", "httpsession")),
        *(f"botocore.{name}" for name in ("loaders", "parsers", "regions", "retryhandler", "retries.standard", "session")),
        *(f"botocore.{name}" for name in ("configprovider", "context", "tokens", "useragent", "utils", "httpchecksum")),
        *("urllib3.util", "urllib3.util.retry", "urllib3.util.ssl_match_hostname"),
    )

    def __init__(
        self,
        *,
        region: str | None = None,
        profile: str | None = None,
        endpoint_url: str | None = None,
        ca_bundle: str | os.PathLike[str] | None = None,
        agent: Agent | None = None,
        allow_http: bool = False,
    ) -> None:
        bundle = None if ca_bundle is None else os.fspath(ca_bundle)
        self._options = Options(region, profile, endpoint_url, bundle, agent, allow_http)
        self._clients: Clients | None = None

    def __repr__(self) -> str:
        given = self._options
        return f"AWS(region={given.region!r}, profile={given.profile!r}, agent={given.agent!r})"

    def fetch(self, refs: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Found | Failure]:
        """Fetch references: secrets 20 a call, parameters 10 a call, side by side.

        Raises:
            ImportError: botocore is not installed.
        """
        asks = {ref: ask_of(ref) for ref in refs}
        wanted = dict.fromkeys(ask for ask in asks.values() if not isinstance(ask, Failure))
        answers = self._answers(list(wanted), deadline) if wanted else {}
        return {ref: ask if isinstance(ask, Failure) else answers[ask] for ref, ask in asks.items()}

    def requests(self, refs: Sequence[Reference]) -> int:
        """At most how many requests a fetch of these makes, where each path of parameters fits on one page of ten.

        What a role needs to get its credentials is not counted: that is the environment's.
        """
        asks = list(dict.fromkeys(ask for ask in map(ask_of, refs) if not isinstance(ask, Failure)))
        secrets = [ask for ask in asks if isinstance(ask, Secret)]
        others = [ask for ask in asks if not isinstance(ask, Secret)]
        calls = len(secrets) if self._options.agent else len(list(_secrets.jobs_of(secrets)))
        return calls + len(list(_parameters.jobs_of(others)))

    def policy(self, refs: Sequence[Reference], facts: Mapping[str, str]) -> str:
        """The policy of IAM that reading these needs; facts are the account, the region, the partition and a key of KMS.

        Raises:
            ValueError: A fact is none of these.
        """
        refs = [ref for ref in refs if ref.scheme == "awsssm"] if self._options.agent else refs  # the agent has its own
        return policy_of(refs, facts, self._options.region)

    def warnings(self) -> tuple[str, ...]:
        """What about the way this is set up should be known even when all is well."""
        if self._options.allow_http and self._options.endpoint_url and is_open(self._options.endpoint_url):
            return ("AWS(allow_http=True) is set, and the endpoint is plain http: anyone on the way can read the secrets",)
        return ()

    def close(self) -> None:
        """Nothing is left to close: a fetch closes its own connections. Clients are kept, for the next load."""

    def _answers(self, asks: Sequence[Ask], deadline: Deadline) -> Mapping[Ask, Found | Failure]:
        from confguard_aws._attempt import attempt
        from confguard_aws._failures import Refusal
        from confguard_aws._jobs import failure_of
        from confguard_aws._load import Load

        clients = attempt(self._kept, {"region": self._options.region or "none"}, setting_up=True)
        if isinstance(clients, Refusal):
            return {ask: failure_of(clients, ask) for ask in asks}
        load = Load(clients, self._options, deadline)
        try:
            return load.fetch(asks)
        finally:
            load.close()
            if load.refused:
                self._clients = None  # the next load finds out anew who we are

    def _kept(self) -> "Clients":
        """The clients of earlier loads, or new ones where what they were made from has changed."""
        from confguard_aws._client import Clients, stamp

        if self._clients is None or self._clients.stamp != stamp():
            self._clients = Clients(self._options)
        return self._clients
