"""Where a store sends us elsewhere, or cannot serve: nothing goes along, and the report says which address to mend."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from confguard.provider import Failure, Found
from confguard_vault import JWT, AppRole, Kubernetes, Token, UserPass, Vault
from confguard_vault._auth import Auth

FetchOne = Callable[..., Found | Failure]

SECRETS = ("t0ken-of-ours", "secret-id-of-ours", "pass-of-ours", "jwt-of-ours")


@dataclass
class Listener:
    """An HTTP server which notes all that it hears."""

    address: str
    heard: list[bytes] = field(default_factory=list)
    status: int = 200
    location: str = ""


@contextmanager
def listening(context: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[Listener]:
    """A `Listener` on 127.0.0.1, which others may know by another name."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 5

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            listener.heard.append(self.path.encode() + b"\n" + bytes(self.headers) + body)
            self.send_response(listener.status)
            if listener.location:
                self.send_header("Location", listener.location + self.path)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_POST = do_GET  # noqa: N815 - named by http.server

        def log_message(self, *_: Any) -> None: ...

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None: ...

    with Server(("127.0.0.1", 0), Handler) as httpd:
        if context:
            httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
        listener = Listener(f"{'https' if context else 'http'}://{host}:{httpd.server_address[1]}")
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield listener
        finally:
            httpd.shutdown()
            thread.join()


@dataclass
class Place:
    """A store that speaks TLS, two listeners that wait for what it sends away, and itself under its other name."""

    store: Listener
    another_host: Listener
    plain: Listener
    ca_cert: Path


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Both hostile listeners could be spoken to: one has a certificate that we trust, the other needs none."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    with ExitStack() as stack:
        store, another = stack.enter_context(listening(context)), stack.enter_context(listening(context, "localhost"))
        yield Place(store, another, stack.enter_context(listening()), tmp_path / "ca.pem")


def _auths(folder: Path) -> dict[str, Auth]:
    (folder / "account").write_text(SECRETS[3])
    return {
        "token": Token(SECRETS[0]),
        "approle": AppRole("r", SECRETS[1]),
        "userpass": UserPass("u", SECRETS[2]),
        "jwt": JWT("r", SECRETS[3]),
        "kubernetes": Kubernetes("r", token_file=folder / "account"),
    }


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("to", ["another host", "plain http"])
@pytest.mark.parametrize("how", ["token", "approle", "userpass", "jwt", "kubernetes"])
def test_nothing_follows_a_redirect(place: Place, fetch_one: FetchOne, tmp_path: Path, status: int, to: str, how: str) -> None:
    """Neither a token nor the body of a login goes to another host, or from https to http, and the store did get it."""
    place.store.status = status
    place.store.location = {"another host": place.another_host, "plain http": place.plain}[to].address
    vault = Vault(address=place.store.address, auth=_auths(tmp_path)[how], ca_cert=place.ca_cert)
    result = fetch_one(vault, "vault://secret/app")
    assert (place.another_host.heard, place.plain.heard) == ([], [])
    assert any(secret.encode() in request for request in place.store.heard for secret in SECRETS)
    host = "localhost" if to == "another host" else "127.0.0.1"
    what = "vault secret/app" if how == "token" else f"vault login auth/{how}/login"
    assert isinstance(result, Failure)
    if status == 307:
        expected = "unavailable", f"{what}: 307, a standby's redirect to {host}, not followed"
    else:
        expected = "unconfigured", f"{what}: {status}, a redirect to {host}, not followed"
    assert (result.kind, result.message) == expected


def test_no_password_of_a_netrc_goes_along(place: Place, fetch_one: FetchOne, tmp_path: Path) -> None:
    """What another tool keeps in ~/.netrc for this host is not sent to the store."""
    netrc = tmp_path / ".netrc"  # which is the home of every test here
    netrc.write_text("machine 127.0.0.1 login somebody password netrc-of-another")
    netrc.chmod(0o600)
    fetch_one(Vault(address=place.store.address, auth=Token(SECRETS[0]), ca_cert=place.ca_cert), "vault://secret/app")
    assert [b"Authorization" in request for request in place.store.heard] == [False] * len(place.store.heard)
    assert any(SECRETS[0].encode() in request for request in place.store.heard)


@pytest.mark.parametrize(
    ("status", "message", "tip"),
    [
        (307, "a standby's redirect, not followed", "set {} to the active node, or wait for the failover"),
        (
            472,
            "it is a secondary for disaster recovery",
            "set {} to the primary, or wait for the failover",
        ),
        (473, "it is a standby that does not serve reads", "set {} to the active node, or wait for the failover"),
        (474, "it is a standby that cannot reach the active node", "set {} to the active node, or wait for the failover"),
        (
            503,
            "sealed, in maintenance, or a standby",
            "unseal the store, or set {} to the active node; its status command tells what it waits for",
        ),
    ],
)
@pytest.mark.parametrize("variable", ["VAULT_ADDR", "VAULT_AGENT_ADDR", "BAO_ADDR"])
def test_standby(
    double: Any,
    fetch_one: FetchOne,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    message: str,
    tip: str,
    variable: str,
) -> None:
    """A standby is unavailable, and the tip names the variable in effect, of whichever client it is."""
    double.statuses = dict.fromkeys(["/v1/sys/internal/ui/mounts/secret/app", "/v1/secret/app"], status)
    monkeypatch.setenv(variable, double.address)
    assert fetch_one(Vault(auth=Token("t0ken")), "vault://secret/app") == Failure(
        "unavailable", f"vault secret/app: {status}, {message}", tip.format(variable)
    )
