"""The connections of one load. All that the SDK sends goes through here, so that the deadline can cut it.

One of the two rooms that import the SDK; `confguard_aws._client` is the other. Both are imported when they are first needed.
"""

import threading
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSHTTPConnectionPool, AWSHTTPSConnectionPool, AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

from confguard.provider import Deadline, hide, watched
from confguard_aws._config import is_loopback

# As many as `fan_out` has threads, so that none of them waits for, or throws away, a connection.
POOL = 16


class TruncatedError(Exception):
    """An answer is shorter than its headers say. The SDK takes it as it is."""


class Wire:
    """Connections under one deadline, a pool for each host."""

    def __init__(self, deadline: Deadline, verify: str | bool) -> None:
        self.deadline = deadline
        self._verify = verify
        self._lock = threading.Lock()
        self._sessions: dict[str, URLLib3Session] = {}

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """Send a request, as the SDK's own session does, with its exceptions."""
        response = self._session(str(request.url)).send(request)
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

    def _session(self, url: str) -> URLLib3Session:
        """The pool of a URL's host: whether a proxy is used depends on that."""
        parts = urlsplit(url)
        key = f"{parts.scheme}://{parts.netloc}"
        with self._lock:
            if key not in self._sessions:
                proxies = {} if _is_near(parts.hostname or "") else get_environ_proxies(url)
                for proxy in proxies.values():
                    if password := urlsplit(proxy).password:
                        hide(password)
                self._sessions[key] = _Session(self.deadline, self._verify, proxies)
            return self._sessions[key]


class _Session(URLLib3Session):
    """A session of the SDK whose connections are watched, and whose time-outs are what is left until the deadline."""

    def __init__(self, deadline: Deadline, verify: str | bool, proxies: dict[str, str]) -> None:
        super().__init__(verify=verify, proxies=proxies, max_pool_connections=POOL)  # type: ignore[arg-type] # a file, too
        # Protected, since no public hook leads to the pools; a test fails if they stop being used.
        self._pool_classes_by_scheme.update(  # type: ignore[attr-defined]
            http=_timed(watched(AWSHTTPConnectionPool, deadline.watch), deadline),
            https=_timed(watched(AWSHTTPSConnectionPool, deadline.watch), deadline),
        )


def _is_near(host: str) -> bool:
    """Whether no proxy is asked: this machine, and the addresses that a cloud gives its metadata services."""
    try:
        address = ip_address(host)
    except ValueError:
        return is_loopback(host)
    return address.is_loopback or address.is_link_local or address in _METADATA


_METADATA = ip_network("fd00:ec2::/32")


def _timed(pool: Any, deadline: Deadline) -> Any:
    """A class of pools that give a request no more than what is left: a try after the first has less."""

    class Pool(pool):  # type: ignore[misc]
        def urlopen(self, *args: Any, **kwargs: Any) -> Any:
            kwargs["timeout"] = max(deadline.remaining(), 0.001)  # urllib3 refuses 0
            return super().urlopen(*args, **kwargs)

    return Pool


def _is_cut(response: AWSResponse) -> bool:
    length = response.headers.get("content-length")
    if length is None:  # within its headers, which http.client takes for their end
        return not response.content and response.headers.get("transfer-encoding") is None and response.status_code == 200
    return length.isdigit() and len(response.content) < int(length)
