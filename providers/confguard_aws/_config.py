"""What can be said in code about where to ask, and what of it is refused."""

from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Agent:
    """The AWS Secrets Manager Agent on this machine, or the Lambda extension, which speaks the same protocol.

    The agent answers from its own cache and with its own credentials, so that many starts make few requests to AWS.

    Attributes:
        address: Where it listens. Plain http is taken to this machine alone, since the token and the secrets go this way.
        token_file: The file with the token that it wants in each request, against requests that somebody makes this machine
            send; read anew at each load. Without it the token is what the agent itself takes: the first of ``AWS_TOKEN``,
            ``AWS_SESSION_TOKEN`` (that of Lambda) and ``AWS_CONTAINER_AUTHORIZATION_TOKEN`` that is set, where
            ``file:///path`` names a file.

    Raises:
        ValueError: ``address`` is no URL, or plain http to another machine.
    """

    address: str = "http://localhost:2773"
    token_file: str | None = None

    def __post_init__(self) -> None:
        url = urlsplit(self.address)
        if url.scheme not in {"http", "https"} or not url.hostname or url.query or url.fragment or "@" in url.netloc:
            raise ValueError("address takes the agent's URL: http://localhost:2773")
        if url.scheme == "http" and not is_loopback(url.hostname):
            raise ValueError("plain http to an agent is taken to this machine alone, such as http://localhost:2773")


@dataclass(frozen=True, slots=True)
class Options:
    """What was given in code; each wins over the environment."""

    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = field(default=None, repr=False)
    ca_bundle: str | None = None
    agent: Agent | None = None
    allow_http: bool = False


def holds_credentials(address: str) -> bool:
    """Whether a user or a password stands in an address, where it would be shown."""
    return "@" in urlsplit(address).netloc


def is_open(address: str) -> bool:
    """Whether requests to an address could be read on the way: plain http to another machine."""
    url = urlsplit(address)
    return url.scheme == "http" and not is_loopback(url.hostname or "")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
