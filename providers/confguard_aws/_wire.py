"""The connections of one load. All that the SDK sends goes through here, so that the deadline can cut it.

One of the two rooms that import the SDK; `confguard_aws._client` is the other. Both are imported when they are first needed.
"""

import math
import socket
import threading
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSHTTPConnectionPool, AWSHTTPSConnectionPool, AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectionClosedError, ConnectTimeoutError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

from confguard.provider import Deadline, hide, watched
from confguard_aws._config import is_loopback

# As many as `fan_out` has threads, so that none of them waits for, or throws away, a connection.
POOL = 16

# As the SDK's clients have it. Without it a body waits behind its headers until the peer owns up to them, for 40 ms or more.
_SOCKET_OPTIONS = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]


class TruncatedError(Exception):
    """An answer is shorter than its headers say. The SDK takes it as it is."""


class Wire:
    """Connections under one deadline, a pool for each host."""

    def __init__(self, deadline: Deadline, verify: str | bool) -> None:
        self.deadline = deadline
        self._verify = verify
        self._lock = threading.Lock()
        self._sessions: dict[tuple[str, str, float], URLLib3Session] = {}

    def send(self, request: AWSPreparedRequest, at_most: float = math.inf) -> AWSResponse:
        """Send a request, as the SDK's own session does, with its exceptions.

        Args:
            request: What is sent.
            at_most: Seconds to wait for it, where the deadline leaves more.
        """
        if self.deadline.passed:  # another try of what cannot come in time: it would connect only to be cut
            raise ConnectTimeoutError(endpoint_url=request.url)
        response = self._session(str(request.url), at_most).send(request)
        if _is_cut(response):
            raise ConnectionClosedError(endpoint_url=request.url, error=TruncatedError())
        return response

    def close(self) -> None:
        """Close every connection; those in use are cut where the time is over."""
        if self.deadline.passed:
            self.deadline.cut()
        with self._lock:
            sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            session.close()

    def _session(self, url: str, at_most: float) -> URLLib3Session:
        """The pool of a URL's host: whether a proxy is used depends on that."""
        parts = urlsplit(url)
        key = parts.scheme, parts.netloc, at_most
        with self._lock:
            if key not in self._sessions:
                proxies = {} if _is_near(parts.hostname or "") else get_environ_proxies(url)
                for proxy in proxies.values():
                    if password := urlsplit(proxy).password:
                        hide(password)
                self._sessions[key] = _Session(self.deadline, self._verify, proxies, at_most)
            return self._sessions[key]


class _Session(URLLib3Session):
    """A session of the SDK whose connections are watched, and whose time-outs are what is left until the deadline."""

    def __init__(self, deadline: Deadline, verify: str | bool, proxies: dict[str, str], at_most: float) -> None:
        super().__init__(
            verify=verify,  # type: ignore[arg-type] # a file, too
            proxies=proxies,
            max_pool_connections=POOL,
            socket_options=_SOCKET_OPTIONS,  # type: ignore[arg-type] # the stubs err
        )
        # Protected, since no public hook leads to the pools; a test fails if they stop being used.
        self._pool_classes_by_scheme.update(  # type: ignore[attr-defined]
            http=_timed(watched(AWSHTTPConnectionPool, deadline.watch), deadline, at_most),
            https=_timed(watched(AWSHTTPSConnectionPool, deadline.watch), deadline, at_most),
        )

    def close(self) -> None:
        """Close the pools too: the SDK leaves them to the garbage collector, for which an exception holds them."""
        for manager in (self._manager, *self._proxy_managers.values()):  # type: ignore[attr-defined]
            for key in manager.pools.keys():  # noqa: SIM118 - it refuses to be iterated over
                if (pool := manager.pools.get(key)) is not None:
                    pool.close()
        super().close()


def _is_near(host: str) -> bool:
    """Whether no proxy is asked: this machine, and the addresses that a cloud gives its metadata services."""
    try:
        address = ip_address(host)
    except ValueError:
        return is_loopback(host)
    return address.is_loopback or address.is_link_local or address in _METADATA


_METADATA = ip_network("fd00:ec2::/32")


def _timed(pool: Any, deadline: Deadline, at_most: float) -> Any:
    """A class of pools that give a request no more than what is left: a try after the first has less."""

    class Pool(pool):  # type: ignore[misc]
        def urlopen(self, *args: Any, **kwargs: Any) -> Any:
            kwargs["timeout"] = min(max(deadline.remaining(), 0.001), at_most)  # urllib3 refuses 0
            return super().urlopen(*args, **kwargs)

    return Pool


def _is_cut(response: AWSResponse) -> bool:
    length = response.headers.get("content-length")
    if length is None:  # within its headers, which http.client takes for their end
        return not response.content and response.headers.get("transfer-encoding") is None and response.status_code == 200
    return length.isdigit() and len(response.content) < int(length)
