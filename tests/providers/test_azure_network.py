"""What a bad network does: told as what it is, within the deadline, with nothing left behind."""

import socket
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

import pytest

from confguard.provider import Deadline, Failure, Found, Reference
from confguard.testing._azure import AzureDouble, Reply
from confguard.testing._proxy import FaultProxy, Mode
from confguard_azure import AzureKeyVault
from tests.providers.azure_rig import SHOP, Static, direct, run, run_one

# The promised tenth on top of the deadline.
SECONDS = 1.0
AT_MOST = SECONDS * 1.1


@pytest.fixture(autouse=True)
def _known(azure: AzureDouble) -> None:
    """Without the price of importing the SDK."""
    run_one(direct(azure))


def test_refused(azure: AzureDouble, leaves_nothing: Callable[[], None]) -> None:
    """A port on which nothing listens is unavailable."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert run_one(direct(azure, port)) == Failure(
        "unavailable", "azurekeyvault shop/api-key at 127.0.0.1: connection refused", "check AzureKeyVault(vaults=…)"
    )
    leaves_nothing()


@pytest.mark.parametrize("mode", ["blackhole", "slow"])
def test_the_deadline_holds_from_the_first_byte(azure: AzureDouble, leaves_nothing: Callable[[], None], mode: Mode) -> None:
    """A peer that is silent, or trickles its part of the TLS handshake, holds a load no longer than the deadline."""
    with FaultProxy(azure.port, mode) as proxy:
        began = monotonic()
        results = run(direct(azure, proxy.port), f"{SHOP}api-key", f"{SHOP}b", seconds=SECONDS)
        assert monotonic() - began <= AT_MOST
        tip = "check that the store answers from here, or allow it more time (--timeout)"
        assert list(results.values()) == [
            Failure("unavailable", f"azurekeyvault shop/{name}: no answer within 1 s", tip) for name in ("api-key", "b")
        ]
    leaves_nothing()


@pytest.mark.parametrize("mode", ["blackhole", "slow"])
def test_the_deadline_holds_in_the_middle(
    azure: AzureDouble, monkeypatch: pytest.MonkeyPatch, leaves_nothing: Callable[[], None], mode: Mode
) -> None:
    """Where the network turns bad while secrets are read, those that had no answer are told in time."""
    names = [f"s{number}" for number in range(40)]
    for name in names:
        azure.put(name, "x" * 2000)
    with FaultProxy(azure.port) as proxy:
        provider = direct(azure, proxy.port)
        spoilt = azure.answer

        def then_bad(*args: Any) -> Reply:
            if len(azure.requests()) > 20:
                proxy.mode = mode
            return spoilt(*args)

        monkeypatch.setattr(azure, "answer", then_bad)  # it is the server that turns bad
        began = monotonic()
        results = run(provider, *(f"{SHOP}{name}" for name in names), seconds=2 * SECONDS)  # with all of its threads at work
        assert monotonic() - began <= 2 * AT_MOST
        kinds = [result.kind if isinstance(result, Failure) else "found" for result in results.values()]
        assert set(kinds) == {"found", "unavailable"}
        assert all(result.value == "x" * 2000 for result in results.values() if isinstance(result, Found))
    leaves_nothing()


def test_the_deadline_has_the_sockets(
    azure: AzureDouble, leaves_nothing: Callable[[], None], ends_its_threads: Callable[[], None], until: Callable[..., bool]
) -> None:
    """Cutting the deadline ends a blocked call at once, long before its time-out."""
    deadline = Deadline(1)
    with FaultProxy(azure.port, "blackhole") as proxy:
        provider = direct(azure, proxy.port)
        thread = threading.Thread(
            target=provider.fetch, args=[[Reference("azurekeyvault", "shop/x")]], kwargs={"deadline": deadline}
        )
        thread.name = threading.current_thread().name  # so that the threads of the reads are called as elsewhere
        thread.start()
        assert until(lambda: bool(deadline._sockets))
        began = monotonic()
        deadline.cut()
        ends_its_threads()
        assert monotonic() - began < 0.5
        thread.join()
    deadline.close()
    leaves_nothing()


def test_reset(azure: AzureDouble, leaves_nothing: Callable[[], None]) -> None:
    """A connection that is cut with RST is unavailable, at once, and is not tried again."""
    with FaultProxy(azure.port, "reset") as proxy:
        assert run_one(direct(azure, proxy.port)) == Failure(
            "unavailable",
            "azurekeyvault shop/api-key at 127.0.0.1: the connection was cut off",
            "try again; look at what stands between here and there",
        )
        assert proxy.connections == 1
    leaves_nothing()


@pytest.mark.parametrize("keep", [0, 3, 1000, 1900, 2400, 2700])
def test_truncated(azure: AzureDouble, leaves_nothing: Callable[[], None], keep: int) -> None:
    """A connection that ends within the handshake, the challenge or the answer is unavailable, and never a payload."""
    azure.put("long", "x" * 5000)
    with FaultProxy(azure.port, "truncate", keep=keep) as proxy:
        result = run_one(direct(azure, proxy.port), f"{SHOP}long")
    assert isinstance(result, Failure)
    assert result.kind == "unavailable"
    leaves_nothing()


@pytest.mark.parametrize("cut", [0, 1, 9, 17, 40, 90, 150, 200])
def test_an_answer_that_is_cut(cut: int) -> None:
    """An answer that ends within its status, its headers or its body is unavailable or malformed, and never a payload."""
    body = b'{"value": "hunter22", "id": "https://h/secrets/s/1", "attributes": {"nbf": 5}}'
    whole = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(whole[:cut])

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{listener.getsockname()[1]}")
            result = run_one(AzureKeyVault(credential=Static("t")))
        thread.join()
    assert isinstance(result, Failure)
    assert result.kind in {"unavailable", "malformed"}


def test_gone_and_back(azure: AzureDouble, leaves_nothing: Callable[[], None]) -> None:
    """A server that goes away takes nothing from the next load."""
    with FaultProxy(azure.port) as proxy:
        provider = direct(azure, proxy.port)
        modes: list[Mode] = ["pass", "reset", "pass"]
        kinds = []
        for mode in modes:
            proxy.mode = mode
            kinds.append(getattr(run_one(provider), "kind", "found"))
        assert kinds == ["found", "unavailable", "found"]
    leaves_nothing()


def test_delay_is_shared(azure: AzureDouble, leaves_nothing: Callable[[], None]) -> None:
    """Sixteen reads at a time share a round trip: over as many connections, where one would do for reads in a row."""
    for number in range(48):
        azure.put(f"s{number}", "x")
    with FaultProxy(azure.port, "delay", delay=0.05) as proxy:
        results = run(direct(azure, proxy.port), *(f"{SHOP}s{number}" for number in range(48)))
        assert all(isinstance(result, Found) for result in results.values())
        assert 8 < proxy.connections <= 16
    leaves_nothing()


def test_vaults_share_the_threads(azure: AzureDouble) -> None:
    """There are never more than sixteen reads at a time, however many vaults they are of."""
    for number in range(24):
        azure.put(f"s{number}", "x")
    with FaultProxy(azure.port, "delay", delay=0.02) as shop, FaultProxy(azure.port, "delay", delay=0.02) as store:
        vaults = {"shop": f"https://127.0.0.1:{shop.port}", "store": f"https://127.0.0.1:{store.port}"}
        results = run(
            direct(azure, vaults=vaults), *(f"azurekeyvault://{vault}/s{number}" for vault in vaults for number in range(24))
        )
        assert all(isinstance(result, Found) for result in results.values())
        assert shop.connections + store.connections <= 16


def test_a_vault_that_is_silent_holds_up_no_other(azure: AzureDouble, leaves_nothing: Callable[[], None]) -> None:
    with FaultProxy(azure.port, "blackhole") as proxy:
        vaults = {"shop": azure.address, "silent": f"https://127.0.0.1:{proxy.port}"}
        silent = [f"azurekeyvault://silent/s{number}" for number in range(20)]
        results = run(direct(azure, vaults=vaults), *silent, f"{SHOP}api-key", f"{SHOP}none", seconds=SECONDS)
    kinds = [getattr(result, "kind", "found") for result in results.values()]
    assert kinds == [*["unavailable"] * 20, "found", "missing"]
    leaves_nothing()


def test_what_a_vault_has_answered_in_time_is_kept(
    azure: AzureDouble, monkeypatch: pytest.MonkeyPatch, leaves_nothing: Callable[[], None]
) -> None:
    """Of two vaults that both fall silent, what was read before is found, and each of the rest is told by its name."""
    answer, silence = azure.answer, threading.Event()

    def now_and_then(host: str, path: str, *args: Any) -> Reply:
        if path.startswith("/secrets/late"):
            silence.wait(5)
        return answer(host, path, *args)

    monkeypatch.setattr(azure, "answer", now_and_then)
    with FaultProxy(azure.port) as proxy:
        vaults = {"shop": azure.address, "store": f"https://127.0.0.1:{proxy.port}"}
        names = [f"azurekeyvault://{vault}/{name}" for vault in vaults for name in ("api-key", "late")]
        results = run(direct(azure, vaults=vaults), *names, seconds=SECONDS)
        silence.set()
    assert [getattr(results[name], "value", None) for name in names] == ["hunter22", None, "hunter22", None]
    assert getattr(results[names[3]], "message", None) == "azurekeyvault store/late: no answer within 1 s"
    leaves_nothing()


def test_a_proxy_that_refuses(monkeypatch: pytest.MonkeyPatch, leaves_nothing: Callable[[], None]) -> None:
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
        result = run_one(AzureKeyVault(credential=Static("t0ken")))
        thread.join()
    assert heard[0].startswith(b"CONNECT shop.vault.azure.net:443")
    assert b"t0ken" not in heard[0]
    message = "azurekeyvault shop/api-key at shop.vault.azure.net: the proxy did not let us through"
    assert result == Failure("unavailable", message, "check HTTPS_PROXY and NO_PROXY")
    leaves_nothing()


def test_no_netrc_takes_the_place_of_the_token(in_azure: AzureDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of ~/.netrc for a vault's host is nobody's credential here."""
    from pathlib import Path

    (Path.home() / ".netrc").write_text("default login a password b\n")
    (Path.home() / ".netrc").chmod(0o600)
    assert isinstance(run_one(AzureKeyVault()), Found)
