"""What a bad network does: told as what it is, within the deadline, with nothing left behind."""

import http.client
import socket
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

import pytest
import trustme

from confguard.provider import Deadline, Failure, Found, Reference
from confguard.testing._openbao import OpenBao
from confguard.testing._proxy import FaultProxy, Mode
from confguard_vault import AppRole, Token, Vault

FetchOne = Callable[..., Found | Failure]
Fetch = Callable[..., dict[str, Found | Failure]]

# The brief's tenth on top of the deadline, and what a loaded machine needs to start threads.
SECONDS = 0.5
AT_MOST = SECONDS * 1.1 + 0.25

CUT = ("unavailable", {"the connection was cut off", "the answer was cut off"})


@pytest.fixture
def proxied(bao: OpenBao) -> Callable[[FaultProxy], Vault]:
    """A provider that reaches the server through a proxy."""

    def make(proxy: FaultProxy, auth: Token | AppRole | None = None) -> Vault:
        return Vault(address=f"https://127.0.0.1:{proxy.port}", auth=auth or Token(bao.root_token), ca_cert=bao.ca_cert)

    return make


def test_refused(fetch_one: FetchOne) -> None:
    """A port on which nothing listens is unavailable."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert Failure(
        "unavailable",
        f"vault secret/app at https://127.0.0.1:{port}: connection refused",
        "check Vault(address=…), and that the store is running",
    ) == fetch_one(Vault(address=f"https://127.0.0.1:{port}", auth=Token("t")), "vault://secret/app")


def test_unresolvable(fetch_one: FetchOne, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host name that nobody knows is unavailable: at a start the name service may be late."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert Failure(
        "unavailable",
        "vault secret/app at https://vault.invalid: the host name cannot be resolved",
        "check Vault(address=…), and that names can be looked up from here",
    ) == fetch_one(Vault(address="https://vault.invalid", auth=Token("t")), "vault://secret/app")


def test_unknown_authority(bao: OpenBao, fetch_one: FetchOne, tmp_path: Any) -> None:
    """A certificate of an authority that is not trusted needs another setting, not another try."""
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    for ca_cert, name in ((tmp_path / "other.pem", "Vault(ca_cert=…)"), (None, "VAULT_CACERT")):
        vault = Vault(address=bao.address, auth=Token("t"), ca_cert=ca_cert)
        assert Failure(
            "unconfigured",
            f"vault secret/app at {bao.address}: its certificate is not signed by an authority that is trusted here",
            f"set {name} to the file of the authority's certificate",
        ) == fetch_one(vault, "vault://secret/app")


def test_plain_http_where_tls_is_meant(double: Any, fetch_one: FetchOne) -> None:
    """A store that does not speak TLS is told as a wrong scheme."""
    address = double.address.replace("http:", "https:")
    assert Failure(
        "unconfigured", f"vault secret/app at {address}: it does not speak TLS", "check the scheme of Vault(address=…)"
    ) == fetch_one(Vault(address=address, auth=Token("t")), "vault://secret/app")


def test_tls_where_plain_http_is_meant(bao: OpenBao, fetch_one: FetchOne) -> None:
    """A store that speaks TLS answers plain http with 400, and the tip names the scheme."""
    vault = Vault(address=bao.address.replace("https:", "http:"), auth=Token("t"))
    assert Failure(
        "unconfigured",
        "vault secret/app: 400, the store does not take the request",
        "does Vault(address=…) begin with https:// where the store speaks TLS? Else check the path",
    ) == fetch_one(vault, "vault://secret/app")


def test_garbled(fetch_one: FetchOne) -> None:
    """A peer that does not speak HTTP at all is malformed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(b"220 smtp.test ESMTP\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        result = fetch_one(Vault(address=address, auth=Token("t")), "vault://secret/app")
        thread.join()
    tip = "check that Vault(address=…) is the address of the store"
    assert Failure("malformed", f"vault secret/app at {address}: the answer is not HTTP", tip) == result


@pytest.mark.parametrize("mode", ["blackhole", "slow"])
@pytest.mark.parametrize("auth", ["token", "approle"])
def test_deadline_holds_from_the_first_byte(
    bao: OpenBao,
    proxied: Callable[..., Vault],
    fetch: Fetch,
    leaves_nothing: Callable[[], None],
    ends_its_threads: Callable[[], None],
    mode: Mode,
    auth: str,
) -> None:
    """A peer that is silent, or trickles its part of the TLS handshake, holds a load no longer than the deadline."""
    with FaultProxy(bao.port, mode) as proxy:
        vault = proxied(proxy, AppRole("r", "s") if auth == "approle" else None)
        start = monotonic()
        results = fetch(vault, "vault://a/x", "vault://b/y", seconds=SECONDS)
        assert SECONDS <= monotonic() - start < AT_MOST
        ends_its_threads()
    for reference, result in results.items():
        what = "vault login auth/approle/login" if auth == "approle" else reference.replace("://", " ")
        assert (
            Failure(
                "unavailable",
                f"{what} at https://127.0.0.1:{proxy.port}: no answer within 0.5 s",
                "check that the store answers from here, or allow it more time (--timeout)",
            )
            == result
        )
    leaves_nothing()


@pytest.mark.parametrize("mode", ["blackhole", "slow"])
def test_deadline_holds_in_the_middle(
    bao: OpenBao,
    mount: str,
    proxied: Callable[..., Vault],
    fetch: Fetch,
    leaves_nothing: Callable[[], None],
    ends_its_threads: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    mode: Mode,
) -> None:
    """Where the network turns bad between the question about the mount and the reads, all of them are told in time."""
    from confguard_vault._load import Load

    with FaultProxy(bao.port) as proxy:
        find = Load._find_mounts

        def then_bad(*args: Any) -> Any:
            found = find(*args)
            proxy.mode = mode
            return found

        monkeypatch.setattr(Load, "_find_mounts", then_bad)
        start = monotonic()
        results = fetch(proxied(proxy), *(f"vault://{mount}/app{n}" for n in range(40)), seconds=SECONDS)
        assert monotonic() - start < AT_MOST
        ends_its_threads()
    assert [
        Failure(
            "unavailable",
            f"vault {mount}/app{n} at https://127.0.0.1:{proxy.port}: no answer within 0.5 s",
            "check that the store answers from here, or allow it more time (--timeout)",
        )
        for n in range(40)
    ] == list(results.values())
    leaves_nothing()


@pytest.mark.parametrize("tls", [True, False])
def test_deadline_has_the_sockets(
    bao: OpenBao,
    double: Any,
    proxied: Callable[..., Vault],
    leaves_nothing: Callable[[], None],
    ends_its_threads: Callable[[], None],
    until: Callable[..., bool],
    tls: bool,
) -> None:
    """Cutting the deadline ends a blocked call at once, long before its time-out, with TLS and without."""
    deadline = Deadline(3)
    with FaultProxy(bao.port if tls else double.port, "blackhole") as proxy:
        vault = proxied(proxy) if tls else Vault(address=f"http://127.0.0.1:{proxy.port}", auth=Token("t"))
        thread = threading.Thread(target=vault.fetch, args=[[Reference("vault", "a/x")]], kwargs={"deadline": deadline})
        thread.name = threading.current_thread().name  # so that the threads of the reads are called as elsewhere
        thread.start()
        assert until(lambda: bool(deadline._sockets))
        start = monotonic()
        deadline.cut()
        ends_its_threads()
        assert monotonic() - start < 1
        thread.join()
    vault.close()
    deadline.close()
    leaves_nothing()


def test_reset(bao: OpenBao, proxied: Callable[..., Vault], fetch_one: FetchOne, leaves_nothing: Callable[[], None]) -> None:
    """A connection that is cut with RST is unavailable, at once."""
    with FaultProxy(bao.port, "reset") as proxy:
        assert Failure(
            "unavailable",
            f"vault secret/app at https://127.0.0.1:{proxy.port}: the connection was cut off",
            "try again; look at what stands between here and the store",
        ) == fetch_one(proxied(proxy), "vault://secret/app")
    leaves_nothing()


@pytest.mark.parametrize("keep", [0, 3, 100, 1000])
def test_truncated_handshake(
    bao: OpenBao, proxied: Callable[..., Vault], fetch_one: FetchOne, leaves_nothing: Callable[[], None], keep: int
) -> None:
    """A connection that ends within the handshake is unavailable."""
    with FaultProxy(bao.port, "truncate", keep=keep) as proxy:
        result = fetch_one(proxied(proxy), "vault://secret/app")
    assert isinstance(result, Failure)
    assert (CUT[0], True) == (result.kind, result.message.split(": ")[1] in CUT[1])
    leaves_nothing()


@pytest.mark.parametrize("keep", [1, 20, 150, 300, 400])
def test_truncated_answer(double: Any, fetch_one: FetchOne, leaves_nothing: Callable[[], None], keep: int) -> None:
    """An answer that ends within its status, its headers or its body is unavailable, and never a payload."""
    double.bodies["/v1/secret/app"] = b'{"data": {"password": "' + b"x" * 1000 + b'"}}'
    double.headers["Connection"] = "close"  # each answer on a connection of its own, and so cut at the same place
    with FaultProxy(double.port, "truncate", keep=keep) as proxy:
        vault = Vault(address=f"http://127.0.0.1:{proxy.port}", auth=Token("t"))
        result = fetch_one(vault, "vault://secret/app")
    assert isinstance(result, Failure)
    assert result.kind in {"unavailable", "malformed"} if keep < 20 else result.kind == "unavailable"
    leaves_nothing()


def test_success_leaves_nothing(root: Vault, mount: str, leaves_nothing: Callable[[], None]) -> None:
    """When the provider is closed no thread and no socket is left, even while somebody still holds its load."""
    deadline = Deadline(10)
    refs = [Reference("vault", f"{mount}/app{n}") for n in range(30)]
    assert len(root.fetch(refs, deadline=deadline)) == 30
    [load] = root._loads.values()
    root.close()
    deadline.close()
    leaves_nothing()
    load.close()


def test_delay_is_shared(bao: OpenBao, mount: str, proxied: Callable[..., Vault], fetch: Fetch) -> None:
    """Sixteen reads at a time share a round trip: 48 of 50 ms take far less than one after the other."""
    with FaultProxy(bao.port, "delay", delay=0.05) as proxy:
        start = monotonic()
        fetch(proxied(proxy), *(f"vault://{mount}/app{n}" for n in range(48)))
        assert monotonic() - start < 48 * 0.05 / 2
        assert proxy.connections <= 16


def test_client_timeout(
    bao: OpenBao, proxied: Callable[..., Vault], fetch_one: FetchOne, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client's own time-out ends a wait before the deadline."""
    monkeypatch.setenv("VAULT_CLIENT_TIMEOUT", "200ms")
    with FaultProxy(bao.port, "blackhole") as proxy:
        start = monotonic()
        assert Failure(
            "unavailable",
            f"vault secret/app at https://127.0.0.1:{proxy.port}: no answer in time",
            "check that the store answers from here, or raise VAULT_CLIENT_TIMEOUT",
        ) == fetch_one(proxied(proxy), "vault://secret/app", seconds=10)
        assert monotonic() - start < 5


def test_through_a_proxy(
    bao: OpenBao, mount: str, fetch_one: FetchOne, monkeypatch: pytest.MonkeyPatch, leaves_nothing: Callable[[], None]
) -> None:
    """A proxy gets a CONNECT without the token, and one that refuses is told as the proxy, without its words."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                heard.append(peer.recv(65536))
                peer.sendall(b"HTTP/1.1 407 hunter22\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:pw@127.0.0.1:{listener.getsockname()[1]}")
        vault = Vault(address="https://vault.test:8200", auth=Token("t0ken"))
        result = fetch_one(vault, "vault://secret/app")
        thread.join()
    assert heard[0].startswith(b"CONNECT vault.test:8200")
    assert b"t0ken" not in heard[0]
    assert (
        Failure(
            "unavailable",
            "vault secret/app at https://vault.test:8200: the proxy did not let us through",
            "check HTTPS_PROXY, and whether this host needs a proxy",
        )
        == result
    )
    leaves_nothing()


def test_deadline_holds_before_a_proxy(
    bao: OpenBao, fetch_one: FetchOne, monkeypatch: pytest.MonkeyPatch, leaves_nothing: Callable[[], None]
) -> None:
    """A proxy that never answers its CONNECT holds a load no longer than the deadline."""
    with FaultProxy(bao.port, "blackhole") as proxy:
        monkeypatch.setenv("VAULT_PROXY_ADDR", f"http://127.0.0.1:{proxy.port}")
        start = monotonic()
        vault = Vault(address="https://vault.test:8200", auth=Token("t"))
        result = fetch_one(vault, "vault://secret/app", seconds=SECONDS)
        assert SECONDS <= monotonic() - start < AT_MOST
    assert isinstance(result, Failure)
    assert result.message == "vault secret/app at https://vault.test:8200: no answer within 0.5 s"
    leaves_nothing()


def test_a_store_that_is_silent_holds_up_no_other(
    bao: OpenBao,
    mount: str,
    fetch: Fetch,
    monkeypatch: pytest.MonkeyPatch,
    leaves_nothing: Callable[[], None],
) -> None:
    """With one store behind each scheme, they are asked side by side."""
    with FaultProxy(bao.port, "blackhole") as proxy:
        for name, value in {"ADDR": f"https://127.0.0.1:{proxy.port}", "TOKEN": "t"}.items():
            monkeypatch.setenv(f"VAULT_{name}", value)
        for name, value in {"ADDR": bao.address, "TOKEN": bao.root_token, "CACERT": str(bao.ca_cert)}.items():
            monkeypatch.setenv(f"BAO_{name}", value)
        results = fetch(Vault(), f"vault://{mount}/app", f"openbao://{mount}/app", seconds=SECONDS)
    silent, other = results.values()
    assert Found('{"password": "hunter22"}', version="1") == other
    assert isinstance(silent, Failure)
    assert silent.kind == "unavailable"
    leaves_nothing()


def test_debug_output_of_http_client(
    root: Vault, mount: str, fetch_one: FetchOne, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Somebody's debug level for all of http.client does not print our headers."""
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    assert isinstance(fetch_one(root, f"vault://{mount}/app"), Found)
    assert capfd.readouterr() == ("", "")
