"""What a bad network does: told as what it is, within the deadline, with nothing left behind."""

import secrets
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import grpc
import pytest
import trustme
from google.auth.credentials import AnonymousCredentials
from google.oauth2.credentials import Credentials

from confguard.provider import Failure, Found
from confguard.testing._gcp import SecretManager
from confguard.testing._proxy import FaultProxy, Mode
from confguard_gcp import GCP

FetchOne = Callable[..., Found | Failure]
Fetch = Callable[..., dict[str, Found | Failure]]

SECONDS = 1.0
AT_MOST = SECONDS * 1.1

REFERENCE = "gcpsecrets://shop/key"
TRUST = "its certificate is not signed by an authority that is trusted here"
CUT = {
    "the connection was cut off",
    "UNAVAILABLE, the store cannot serve now, or the connection was cut off",
}


@pytest.fixture
def server(secret_manager: SecretManager) -> SecretManager:
    """A double over TLS with forty secrets."""
    secret_manager.clear()
    secret_manager.put("key", b"value")
    for number in range(40):
        secret_manager.put(f"key{number}", b"value")
    return secret_manager


@pytest.fixture
def through(server: SecretManager) -> Callable[..., GCP]:
    """A provider that reaches the double through a port, as nobody."""

    def make(port: int, **options: Any) -> GCP:
        given = {"ca_cert": server.ca_cert, "credentials": AnonymousCredentials(), **options}
        return GCP(endpoint=f"127.0.0.1:{port}", **given)

    return make


def test_the_deadline_holds(
    server: SecretManager,
    through: Callable[..., GCP],
    fetch: Fetch,
    leaves_nothing: Callable[[], None],
    ends_its_threads: Callable[[], None],
) -> None:
    """A store that trickles its part of the handshake holds a load of many no longer than the deadline."""
    references = [f"gcpsecrets://shop/key{number}" for number in range(40)]
    with FaultProxy(server.port, "slow") as proxy:
        start = monotonic()
        results = fetch(through(proxy.port), *references, seconds=SECONDS)
        assert SECONDS <= monotonic() - start <= AT_MOST
        ends_its_threads()
    assert list(results.values()) == [
        Failure(
            "unavailable",
            f"gcpsecrets shop/key{number} at 127.0.0.1:{proxy.port}: no answer within 1 s",
            "check that the store answers from here, or allow it more time (--timeout)",
        )
        for number in range(40)
    ]
    leaves_nothing()


def test_the_deadline_holds_for_a_token(
    double: Any,
    server: SecretManager,
    fetch_one: FetchOne,
    leaves_nothing: Callable[[], None],
    ends_its_threads: Callable[[], None],
) -> None:
    """Nor does who gives the tokens."""
    double.bodies["/token"] = b'{"access_token": "t", "expires_in": 3600}' + b" " * 1000
    with FaultProxy(double.port, "slow") as proxy:
        who = _user(f"http://127.0.0.1:{proxy.port}/token")
        provider = GCP(endpoint=server.address, ca_cert=server.ca_cert, credentials=who)
        start = monotonic()
        result = fetch_one(provider, REFERENCE, seconds=SECONDS)
        assert SECONDS <= monotonic() - start <= AT_MOST
        ends_its_threads()
    assert isinstance(result, Failure)
    assert (result.kind, result.message.rpartition(": ")[2]) == ("unavailable", "no answer within 1 s")
    leaves_nothing()


def _user(token_uri: str) -> Credentials:
    return Credentials(
        None,
        refresh_token=secrets.token_urlsafe(),
        token_uri=token_uri,
        client_id="id",
        client_secret=secrets.token_urlsafe(),
    )


def test_the_deadline_holds_in_the_middle(
    server: SecretManager, fetch: Fetch, through: Callable[..., GCP], leaves_nothing: Callable[[], None]
) -> None:
    """What was answered before the network turned bad is kept; the rest is told in time."""
    with FaultProxy(server.port) as proxy:

        def then_bad(reply: Any) -> Any:
            if reply.name.endswith("/key/versions/1"):
                released.wait(SECONDS / 2)  # until its neighbours are through
                proxy.mode = "blackhole"
            return reply

        released = threading.Event()
        server.reshape = then_bad
        start = monotonic()
        results = fetch(through(proxy.port), REFERENCE, "gcpsecrets://shop/key1", "gcpsecrets://shop/key2", seconds=SECONDS)
        assert monotonic() - start <= AT_MOST
    kinds = [result.kind if isinstance(result, Failure) else "found" for result in results.values()]
    assert kinds == ["unavailable", "found", "found"]
    leaves_nothing()


def test_sixteen_calls_go_side_by_side_over_one_connection(
    server: SecretManager, fetch: Fetch, through: Callable[..., GCP]
) -> None:
    """No reply is given before sixteen questions are there."""
    together = threading.Barrier(16)

    def when_all_are_there(reply: Any) -> Any:
        together.wait(10)
        return reply

    server.reshape = when_all_are_there
    with FaultProxy(server.port) as proxy:
        results = fetch(through(proxy.port), *(f"gcpsecrets://shop/key{number}" for number in range(32)), seconds=20)
        assert proxy.connections == 1
    assert set(results.values()) == {Found("value", "1")}


def test_a_connection_that_is_reset(
    server: SecretManager, fetch_one: FetchOne, through: Callable[..., GCP], leaves_nothing: Callable[[], None]
) -> None:
    """It is unavailable at once, and the next load finds the store again."""
    with FaultProxy(server.port, "reset") as proxy:
        provider = through(proxy.port)
        assert fetch_one(provider, REFERENCE) == Failure(
            "unavailable",
            f"gcpsecrets shop/key at 127.0.0.1:{proxy.port}: the connection was cut off",
            "try again; look at what stands between here and there",
        )
        proxy.mode = "pass"
        assert fetch_one(provider, REFERENCE) == Found("value", "1")
    leaves_nothing()


@pytest.mark.parametrize("keep", [0, 3, 100, 1000, 1500, 1700, 1750, 1800, 1900])
def test_a_connection_that_is_truncated(
    server: SecretManager, fetch_one: FetchOne, through: Callable[..., GCP], leaves_nothing: Callable[[], None], keep: int
) -> None:
    """One that ends within the handshake or within the answer is unavailable, and never a payload."""
    server.put("key", b"x" * 1000)
    with FaultProxy(server.port, "truncate", keep=keep) as proxy:
        result = fetch_one(through(proxy.port), REFERENCE, seconds=5)
    assert isinstance(result, Failure)
    assert (result.kind, result.message.partition(f"{proxy.port}: ")[2] in CUT) == ("unavailable", True)
    leaves_nothing()


def test_a_server_that_is_gone_and_back(fetch_one: FetchOne, leaves_nothing: Callable[[], None]) -> None:
    """It is told as such, and the next load finds it again."""
    with SecretManager() as server:
        server.put("key", b"value")
        provider = GCP(endpoint=server.address)
        assert fetch_one(provider, REFERENCE) == Found("value", "1")
        server.stop()
        assert fetch_one(provider, REFERENCE) == Failure(
            "unavailable",
            f"gcpsecrets shop/key at 127.0.0.1:{server.port}: connection refused",
            "check GCP(endpoint=…), and the network",
        )
        server.start()
        assert fetch_one(provider, REFERENCE) == Found("value", "1")
    leaves_nothing()


def test_a_name_that_does_not_resolve(fetch_one: FetchOne, through: Callable[..., GCP]) -> None:
    """At a start the name service may be late, so it is unavailable."""
    who = AnonymousCredentials()
    assert fetch_one(GCP(endpoint="secrets.invalid", credentials=who), REFERENCE) == Failure(
        "unavailable",
        "gcpsecrets shop/key at secrets.invalid: the host name cannot be resolved",
        "check GCP(endpoint=…), and that names can be looked up from here",
    )


def test_an_authority_that_is_not_known(
    server: SecretManager,
    fetch_one: FetchOne,
    through: Callable[..., GCP],
    tmp_path: Path,
    leaves_nothing: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It needs another setting, not another try; the tip names those that there are."""
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    for ca_cert, name in (
        (tmp_path / "other.pem", "GCP(ca_cert=…)"),
        (None, "GCP(ca_cert=…) or GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"),
    ):
        assert fetch_one(through(server.port, ca_cert=ca_cert), REFERENCE) == Failure(
            "unconfigured",
            f"gcpsecrets shop/key at 127.0.0.1:{server.port}: {TRUST}",
            f"set {name} to the file of the authority's certificate",
        )
    leaves_nothing()


def test_a_certificate_for_another_name(fetch_one: FetchOne) -> None:
    with SecretManager(tls=True, names=["secrets.test"]) as server:
        who = AnonymousCredentials()
        provider = GCP(endpoint=server.address, ca_cert=server.ca_cert, credentials=who)
        assert fetch_one(provider, REFERENCE) == Failure(
            "unconfigured",
            f"gcpsecrets shop/key at 127.0.0.1:{server.port}: its certificate is for another host name",
            "check GCP(endpoint=…): use the certificate's name",
        )
        assert server.calls == []


@contextmanager
def _tls_server(authority: trustme.CA, **options: Any) -> Iterator[int]:
    """Something that speaks TLS, until its peer hangs up."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", **options).configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                peer, _ = listener.accept()
                with peer:
                    try:
                        context.wrap_socket(peer, server_side=True)
                    except (ssl.SSLError, OSError):
                        if ended.is_set():
                            return

        ended = threading.Event()
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            ended.set()
            socket.create_connection(listener.getsockname()).close()
            thread.join()


def test_a_certificate_that_is_out_of_its_time(through: Callable[..., GCP], fetch_one: FetchOne, tmp_path: Path) -> None:
    """It is for the other side to renew it, so trying again may help."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with _tls_server(authority, not_after=datetime.now(UTC) - timedelta(days=1)) as port:
        assert fetch_one(through(port, ca_cert=tmp_path / "ca.pem"), REFERENCE) == Failure(
            "unavailable",
            f"gcpsecrets shop/key at 127.0.0.1:{port}: its certificate is out of its time",
            "renew the certificate, or set this machine's clock",
        )


def test_plain_text_where_tls_is_meant(double: Any, through: Callable[..., GCP], fetch_one: FetchOne) -> None:
    result = fetch_one(through(double.port), REFERENCE)
    assert result == Failure(
        "unconfigured",
        f"gcpsecrets shop/key at 127.0.0.1:{double.port}: it does not speak TLS",
        "check GCP(endpoint=…)",
    )


@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_a_file_of_authorities_that_cannot_be_read(
    server: SecretManager, through: Callable[..., GCP], fetch_one: FetchOne, tmp_path: Path, content: bytes | None
) -> None:
    if content:
        (tmp_path / "ca.pem").write_bytes(content)
    assert fetch_one(through(server.port, ca_cert=tmp_path / "ca.pem"), REFERENCE) == Failure(
        "unconfigured",
        "gcpsecrets: the certificates of GCP(ca_cert=…) cannot be read",
        "name a PEM file that this user may read",
    )


def test_a_proxy_that_cannot_be_reached(
    fetch_one: FetchOne, monkeypatch: pytest.MonkeyPatch, leaves_nothing: Callable[[], None]
) -> None:
    """Where gRPC goes through a proxy nothing is told of the host itself; a host that is excepted is asked without."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    provider = GCP(endpoint="secrets.invalid", credentials=AnonymousCredentials())
    assert fetch_one(provider, REFERENCE) == Failure(
        "unavailable",
        "gcpsecrets shop/key at secrets.invalid: no connection through the proxy",
        "check https_proxy and no_proxy, and that the proxy reaches the host",
    )
    monkeypatch.setenv("no_proxy", "internal.test, .invalid")
    result = fetch_one(provider, REFERENCE)
    assert isinstance(result, Failure)
    assert result.message == "gcpsecrets shop/key at secrets.invalid: the host name cannot be resolved"
    leaves_nothing()


def test_no_proxy_is_used_for_this_machine(
    server: SecretManager, fetch_one: FetchOne, through: Callable[..., GCP], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    assert fetch_one(through(server.port), REFERENCE) == Found("value", "1")


@pytest.mark.parametrize("mode", ["pass", "reset"])
def test_the_channel_is_closed_after_a_load(
    server: SecretManager,
    fetch: Fetch,
    through: Callable[..., GCP],
    monkeypatch: pytest.MonkeyPatch,
    leaves_nothing: Callable[[], None],
    mode: Mode,
) -> None:
    """Even where something still holds it, as a traceback may: a fork with an open channel is not safe."""
    held: list[Any] = []
    make = grpc.secure_channel

    def holding(*args: Any) -> Any:
        held.append(make(*args))
        return held[-1]

    monkeypatch.setattr(grpc, "secure_channel", holding)
    with FaultProxy(server.port, mode) as proxy:
        fetch(through(proxy.port), REFERENCE, "gcpsecrets://shop/never")
    leaves_nothing()
    assert len(held) == 1
    with pytest.raises(ValueError, match="closed channel"):
        held[0].unary_unary("/any/call")(b"")


FORK = """
import os, sys
from typing import Annotated
from pydantic import SecretStr
from confguard import BaseSettings, From, validate

class Settings(BaseSettings):
    key: Annotated[SecretStr, From("gcpsecrets://shop/key")]

def load():
    return validate(Settings, timeout=10).key.get_secret_value() == "value"

assert load()
for _ in range(3):
    child = os.fork()
    if not child:
        os._exit(0 if load() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert load()
"""


def test_a_fork_after_a_load_is_safe(server: SecretManager, tmp_path: Path) -> None:
    """The channel is closed after each load, so a process that forked workers, and the workers, load again, without a word."""
    with SecretManager() as plain:
        plain.put("key", b"value")
        environment = {"CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER": plain.address, "HOME": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", FORK], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert len(plain.calls) == 5
