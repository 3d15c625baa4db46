"""The SDK's session, credentials and clients: made once, kept between loads, and made anew when what they come from has changed.

One of the two rooms that import the SDK; `confguard_aws._wire` is the other. Both are imported when they are first needed.
"""

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.credentials import ContainerProvider, Credentials
from botocore.exceptions import ClientError, NoCredentialsError, NoRegionError
from botocore.loaders import Loader
from botocore.parsers import ResponseParserError
from botocore.session import Session
from botocore.utils import ContainerMetadataFetcher

from confguard.provider import USER_AGENT, hide
from confguard_aws._config import Options
from confguard_aws._model import API_VERSIONS, MODELS
from confguard_aws._wire import Wire

# Between two questions to the container's credential service; the SDK's own second is long beside the time of a start.
_PAUSE = 0.1

_here = threading.local()
"""The wire of the load that this thread works for: clients outlive loads, connections do not."""


class Clients:
    """The clients of one profile, one for each service and region.

    Attributes:
        region: The region of what does not tell its own; None where none is set.
        verify: The authorities to trust: a file, or True for those that the SDK brings.
        credentials: Who we are, once `log_in` has found out.
    """

    def __init__(self, options: Options) -> None:
        """Read the configuration; no request is made.

        Raises:
            BotoCoreError: The profile is not there, or the configuration cannot be read.
        """
        self._options = options
        self.stamp = stamp()
        session = Session(profile=options.profile)
        session.register_component("data_loader", _SmallLoader())
        session.set_default_client_config(Config(user_agent_extra=USER_AGENT, retries={"mode": "standard"}))
        events = session.get_component("event_emitter")
        events.register("before-send", _send)
        events.register_first("needs-retry.*.*", _in_time)  # deeper than the SDK's own, and so asked before it
        events.register("before-parameter-build", _hide_tokens)
        resolver = session.get_component("credential_provider")
        fetcher = ContainerMetadataFetcher(_HereWire(ContainerMetadataFetcher.TIMEOUT_SECONDS), _pause)
        resolver.insert_before("container-role", ContainerProvider(fetcher=fetcher))  # type: ignore[arg-type] # the stubs err
        patience = session.get_config_variable("metadata_service_timeout")
        for provider in resolver.providers:
            if provider.METHOD == "iam-role":  # protected, since it takes no session; a test fails if this is of no use
                provider._role_fetcher._session = _HereWire(patience)  # noqa: SLF001
        self._session = session
        self.region: str | None = options.region or session.get_config_variable("region") or os.environ.get("AWS_REGION")
        if self.region is not None:  # what asks for credentials has none of its own
            session.set_config_variable("region", self.region)
        self.verify: str | bool = (
            options.ca_bundle or session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE") or True
        )
        self.credentials: Credentials | None = None
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str], Any] = {}

    def log_in(self, wire: Wire) -> None:
        """Find out who we are, as the SDK does, and tell the redactor what must not be seen before a request carries it.

        Raises:
            BotoCoreError: There are no credentials, or they cannot be had.
            OSError: A file of theirs cannot be read.
        """
        _here.wire = wire
        _hide_configured(self._session)
        if self.credentials is None:
            self.credentials = self._session.get_credentials()
        if self.credentials is None:
            raise NoCredentialsError
        frozen = self.credentials.get_frozen_credentials()
        hide(*filter(None, (frozen.secret_key, frozen.token)))

    @property
    def are_known(self) -> bool:
        """Whether `log_in` makes no request: who we are is known, and stays so."""
        return type(self.credentials) is Credentials

    @property
    def origin(self) -> str:
        """Where the credentials come from, in the words of a tip."""
        method = str(self.credentials.method) if self.credentials is not None else ""
        return _ORIGINS.get(method, "this workload")

    def client(self, service: str, region: str | None) -> Any:
        """The client of a service in a region.

        Raises:
            BotoCoreError: There is no region, or no such one.
            ValueError: The endpoint that is set is no URL.
        """
        where = region or self.region
        if where is None:
            raise NoRegionError
        with self._lock:
            key = service, where
            if key not in self._clients:
                self._clients[key] = self._session.create_client(
                    service, region_name=where, endpoint_url=self._options.endpoint_url, verify=self.verify
                )
            return self._clients[key]

    def address(self, service: str, region: str | None) -> str | None:
        """Where the client of a service asks; None where there is none yet."""
        client = self._clients.get((service, region or self.region or ""))
        return None if client is None else str(client.meta.endpoint_url)


def call(client: Any, wire: Wire, operation: str, parameters: Mapping[str, object]) -> Mapping[str, Any]:
    """Make one call, with the SDK's own retries as far as the deadline has room for them.

    Args:
        client: The client.
        wire: What it goes through.
        operation: The client's method.
        parameters: What goes into the call.

    Raises:
        ClientError: AWS says no.
        BotoCoreError: No answer.
        ResponseParserError: An answer of the wrong shape.
        ValueError: An answer that cannot be read.
    """
    _here.wire = wire
    try:
        answer: Mapping[str, Any] = getattr(client, operation)(**parameters)
    except (AttributeError, TypeError):  # of the SDK's parser: JSON, but no object where one belongs
        answer = {}
    if not answer:  # raised here, since the exception's frames hold the answer
        raise ResponseParserError
    return answer


def stamp() -> object:
    """What changes when the environment or the files change that the SDK reads its configuration and credentials from."""
    variables = {
        name: value for name, value in os.environ.items() if name.startswith("AWS_") or name in {"HOME", "REQUESTS_CA_BUNDLE"}
    }
    names = (("AWS_CONFIG_FILE", "~/.aws/config"), ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"))
    files = [Path(variables.get(name, default)).expanduser() for name, default in names]
    return hash(frozenset(variables.items())), tuple(_changed(file) for file in files)


def _changed(file: Path) -> tuple[int, int] | None:
    try:
        told = file.stat()
    except OSError:
        return None
    return told.st_mtime_ns, told.st_size


_ORIGINS = {
    "env": "AWS_ACCESS_KEY_ID",
    "shared-credentials-file": "the profile in ~/.aws/credentials",
    "config-file": "the profile in ~/.aws/config",
    "assume-role": "the role of the profile",
    "assume-role-with-web-identity": "AWS_ROLE_ARN with AWS_WEB_IDENTITY_TOKEN_FILE",
    "sso": "the profile's login (aws sso login)",
    "custom-process": "the profile's credential_process",
    "container-role": "the container's role",
    "iam-role": "the machine's role",
}


class _SmallLoader(Loader):
    """The SDK's loader, but for the models of the two services, and for the old table of endpoints: rules have replaced it."""

    def load_service_model(self, service_name: str, type_name: str, api_version: Any | None = None) -> Any:
        if service_name not in API_VERSIONS:
            return super().load_service_model(service_name, type_name, api_version)
        if type_name == "service-2":
            return MODELS[service_name]
        return self.load_data(f"{service_name}/{API_VERSIONS[service_name]}/{type_name}")

    def load_data_with_path(self, name: str) -> tuple[Any, str]:
        if name != "endpoints":
            return super().load_data_with_path(name)
        partitions = self.load_data("partitions")["partitions"]
        # In the SDK's own folder, or this table would count as the user's, and win over the rules.
        return {"version": 3, "partitions": [_endpoints(one) for one in partitions]}, f"{self.BUILTIN_DATA_PATH}/{name}"


def _endpoints(partition: Mapping[str, Any]) -> Mapping[str, object]:
    """The endpoints of a partition by its rule of names alone, as the SDK has them for a service that it does not know."""
    told = partition["outputs"]
    dual = told["dualStackDnsSuffix"]
    variants = [
        {"tags": ["fips"], "dnsSuffix": told["dnsSuffix"], "hostname": "{service}-fips.{region}.{dnsSuffix}"},
        {"tags": ["dualstack"], "dnsSuffix": dual, "hostname": "{service}.{region}.{dnsSuffix}"},
        {"tags": ["dualstack", "fips"], "dnsSuffix": dual, "hostname": "{service}-fips.{region}.{dnsSuffix}"},
    ]
    return {
        "partition": partition["id"],
        "partitionName": partition["id"],
        "dnsSuffix": told["dnsSuffix"],
        "regionRegex": partition["regionRegex"],
        "regions": partition["regions"],
        "services": {},
        "defaults": {
            "hostname": "{service}.{region}.{dnsSuffix}",
            "protocols": ["https"],
            "signatureVersions": ["v4"],
            "variants": variants,
        },
    }


class _HereWire:
    """What metadata services are asked for credentials through: the wire of the load that asks."""

    def __init__(self, patience: float) -> None:
        self._patience = patience

    def send(self, request: Any) -> Any:
        return _here.wire.send(request, float(self._patience))


def _send(request: Any, **_: object) -> Any:
    return _here.wire.send(request)


def _in_time(attempts: int, operation: Any, response: Any = None, caught_exception: Exception | None = None, **_: object) -> None:
    """Raise what has come of the last try, where another could begin after the deadline; else the SDK decides.

    It waits up to 1 s before the second try, up to 2 s before the third, and so on; up to 5 s more where AWS asks for that.
    (Older versions of the SDK take any answer for a yes, so that to raise is the one way to say no.)
    """
    longest = min(2.0 ** (attempts - 1), 20.0)
    if response is not None and "x-amz-retry-after" in response[0].headers:
        longest += 5.0
    if _here.wire.deadline.remaining() > longest:
        return
    if caught_exception is not None:
        raise caught_exception
    if response is not None and response[0].status_code >= 300:
        raise ClientError(response[1], operation.name)


def _hide_tokens(params: Any, **_: object) -> None:
    """Tell the redactor the tokens that requests for credentials carry."""
    if isinstance(params, dict):
        hide(*(value for name in _TOKENS if isinstance(value := params.get(name), str)))


_TOKENS = ("WebIdentityToken", "accessToken", "refreshToken", "clientSecret", "TokenCode")


def _hide_configured(session: Session) -> None:
    """Tell the redactor every secret that is configured, used or not: a role's credentials are asked for with another's."""
    names = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN")
    hide(*(os.environ[name] for name in names if os.environ.get(name)))
    if file := os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
        hide(Path(file).read_text().strip())
    for profile in session.full_config.get("profiles", {}).values():
        hide(*(profile[name] for name in ("aws_secret_access_key", "aws_session_token") if profile.get(name)))


def _pause(_: float) -> None:
    threading.Event().wait(min(_PAUSE, _here.wire.deadline.remaining()))
