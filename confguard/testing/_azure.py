"""Azure Key Vault, Microsoft Entra and a managed identity's service in one small server on 127.0.0.1, for tests.

It speaks TLS, plain HTTP, and ``CONNECT`` behind which it is whichever host was asked for: with it as ``HTTPS_PROXY`` and its
authority in ``REQUESTS_CA_BUNDLE`` the SDK works with the real names, and nothing of it has to be told otherwise.
"""

import json
import secrets
import shutil
import socket
import ssl
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import time
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

_HOSTS = (
    *("*.vault.azure.net", "*.vault.azure.cn", "*.vault.usgovcloudapi.net", "127.0.0.1", "localhost"),
    *("login.microsoftonline.com", "login.chinacloudapi.cn", "login.microsoftonline.us"),
)
TENANT = "72f988bf-0000-4000-8000-2d7cd011db47"
CLIENT = "d1e2f3a4-0000-4000-8000-0123456789ab"


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer in place of the usual."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Version:
    """A version of a secret."""

    id: str
    value: Any = field(repr=False)
    attributes: dict[str, Any] = field(default_factory=lambda: {"enabled": True})


def refusal(status: int, code: str, inner: str = "") -> Reply:
    """How Key Vault refuses."""
    error: dict[str, Any] = {"code": code, "message": "what the service writes, which nobody shows"}
    return Reply(status, {"error": error | ({"innererror": {"code": inner}} if inner else {})})


def login_refusal(status: int, error: str, *codes: int) -> Reply:
    """How Microsoft Entra refuses."""
    return Reply(status, {"error": error, "error_description": f"AADSTS{codes[:1]}: what it writes", "error_codes": list(codes)})


class AzureDouble:
    """A server of its own, from entering to leaving the ``with`` block.

    Attributes:
        port: Its port on 127.0.0.1.
        tokens: Those that the vaults take.
        assertion: The token of a workload that is taken in place of the client secret.
        client_secret: The secret of the application `CLIENT` in the tenant `TENANT`.
        identity_header: What a request to the managed identity's service has to carry.
        replies: By path, what to answer in place of the usual; a path without what is behind its ``?``.
        resource: What the challenge asks a token for; told by the vault's host unless set.
        tenant: The tenant that the challenge names.
        connections: Those that are open.
        context: The server's side of TLS.
        asked: Method, host, path and headers of each request, the newest last.
    """

    def __init__(self) -> None:
        self._folder = Path()
        self.connections: set[socket.socket] = set()
        self.port = 0
        self.reset()

    def reset(self) -> None:
        """Forget all secrets, and whatever was changed; what clients log in with is made anew."""
        self.clear()
        self.tokens: set[str] = set()
        self.client_secret = secrets.token_urlsafe()
        self.identity_header = secrets.token_urlsafe()
        self.assertion: str | None = None
        self.replies: dict[str, Reply] = {}
        self.resource = ""
        self.tenant = TENANT
        self.asked: list[tuple[str, str, str, Mapping[str, str]]] = []

    def clear(self) -> None:
        """Forget all secrets, and who may not read them."""
        self._secrets: dict[tuple[str, str], list[Version]] = {}
        self._denied: set[tuple[str, str]] = set()

    def __enter__(self) -> Self:
        import trustme

        self._folder = Path(tempfile.mkdtemp(prefix="azure-"))
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca_cert)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*_HOSTS).configure_cert(self.context)
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.01], name="azure-double", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        for connection in list(self.connections):  # that a client keeps for later
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()
        shutil.rmtree(self._folder)

    @property
    def ca_cert(self) -> Path:
        """The PEM file of the authority to trust."""
        return self._folder / "ca.pem"

    @property
    def address(self) -> str:
        """A vault's address that needs no proxy; its host is no host of Azure's."""
        return f"https://127.0.0.1:{self.port}"

    def environment(self, port: int | None = None) -> dict[str, str]:
        """What a service has in its environment that runs as the application, and sees this server in place of Azure."""
        return {
            "HTTPS_PROXY": f"http://127.0.0.1:{port or self.port}",
            "REQUESTS_CA_BUNDLE": str(self.ca_cert),
            "AZURE_TENANT_ID": TENANT,
            "AZURE_CLIENT_ID": CLIENT,
            "AZURE_CLIENT_SECRET": self.client_secret,
        }

    def put(self, name: str, value: Any, vault: str = "", **attributes: Any) -> str:
        """Write a version of a secret, of every vault unless one is told, and return its id."""
        version = Version(secrets.token_hex(16), value, {"enabled": True, **attributes})
        self._secrets.setdefault((vault, name.lower()), []).append(version)
        return version.id

    def delete(self, name: str, vault: str = "") -> None:
        """Delete a secret."""
        self._secrets.pop((vault, name.lower()), None)

    def deny(self, name: str, vault: str = "") -> None:
        """Refuse a secret, of every vault unless one is told, from now on, whoever asks."""
        self._denied.add((vault, name.lower()))

    def token(self) -> str:
        """A token that the vaults take."""
        token = secrets.token_urlsafe()
        self.tokens.add(token)
        return token

    def requests(self) -> list[str]:
        """Method and path of what vaults were asked, without what was asked for a token."""
        return [f"{method} {path}" for method, _, path, _ in self.asked if path.startswith("/secrets/")]

    def answer(self, host: str, path: str, headers: Mapping[str, str], body: str) -> Reply:
        """What to answer."""
        if path in self.replies:
            return self.replies[path]
        if path.startswith("/secrets/"):
            return self._read(host, path, headers)
        if path.endswith("/oauth2/v2.0/token"):
            return self._log_in(parse_qs(body))
        if path.endswith("/.well-known/openid-configuration"):
            return Reply(200, self._discovered(host, path))
        if path == "/common/discovery/instance":
            endpoint = f"https://{host}/{TENANT}/v2.0/.well-known/openid-configuration"
            return Reply(200, {"tenant_discovery_endpoint": endpoint, "metadata": []})
        if path in {"/msi/token", "/metadata/identity/oauth2/token"}:
            return self._managed(path, headers)
        return Reply(404, {"error": {"code": "NotFound", "message": "no such path"}})

    def _read(self, host: str, path: str, headers: Mapping[str, str]) -> Reply:
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self.tokens:
            resource = self.resource or f"https://{host.partition('.')[2]}"
            challenge = f'Bearer authorization="https://login.microsoftonline.com/{self.tenant}", resource="{resource}"'
            return Reply(401, refusal(401, "Unauthorized").body, {"WWW-Authenticate": challenge})
        _, _, name, *version = path.rstrip("/").split("/")
        here, anywhere = (host.partition(".")[0], name.lower()), ("", name.lower())
        if here in self._denied or anywhere in self._denied:
            return refusal(403, "Forbidden", "ForbiddenByRbac")
        known = self._secrets.get(here) or self._secrets.get(anywhere, [])
        found = next((one for one in reversed(known) if not version or one.id == version[0]), None)
        if found is None:
            return refusal(404, "SecretNotFound")
        if not found.attributes["enabled"]:
            return refusal(403, "Forbidden", "SecretDisabled")
        return Reply(
            200, {"value": found.value, "id": f"https://{host}/secrets/{name}/{found.id}", "attributes": found.attributes}
        )

    def _log_in(self, form: Mapping[str, list[str]]) -> Reply:
        proof = form.get("client_secret") == [self.client_secret] or (
            self.assertion is not None and form.get("client_assertion") == [self.assertion]
        )
        if form.get("client_id") != [CLIENT]:
            return login_refusal(400, "unauthorized_client", 700016)
        if not proof:
            return login_refusal(401, "invalid_client", 7000215)
        return Reply(200, {"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": self.token()})

    def _managed(self, path: str, headers: Mapping[str, str]) -> Reply:
        if path == "/msi/token" and headers.get("X-IDENTITY-HEADER") != self.identity_header:
            return Reply(401, {"statusCode": 401, "message": "what it writes"})
        left = {"expires_on": str(int(time()) + 3599), "expires_in": "3599"}
        return Reply(200, {"access_token": self.token(), "token_type": "Bearer", "resource": "https://vault.azure.net", **left})

    @staticmethod
    def _discovered(host: str, path: str) -> dict[str, str]:
        tenant = path.split("/")[1]
        login = f"https://{host}/{tenant}"
        return {
            "issuer": f"{login}/v2.0",
            "authorization_endpoint": f"{login}/oauth2/v2.0/authorize",
            "token_endpoint": f"{login}/oauth2/v2.0/token",
        }


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes away is what the tests are about."""


def _handler(double: AzureDouble) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        timeout = 10  # for a connection that a failed test left open
        wbufsize = -1  # headers and body in one piece

        def setup(self) -> None:
            self.request.settimeout(self.timeout)
            double.connections.add(self.request)
            if self.request.recv(1, socket.MSG_PEEK) == b"\x16":
                self._speak_tls(self.request)
            super().setup()

        def finish(self) -> None:
            with suppress(OSError, ValueError):
                super().finish()
            double.connections.discard(self.request)
            self.request.close()

        def _speak_tls(self, connection: socket.socket) -> None:
            double.connections.discard(connection)
            self.request = double.context.wrap_socket(connection, server_side=True)
            double.connections.add(self.request)

        def do_CONNECT(self) -> None:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            self.wfile.flush()
            self._speak_tls(self.connection)
            super().setup()
            self.close_connection = False

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            url = urlsplit(self.path)
            host = self.headers.get("Host", "")
            double.asked.append((self.command, host, url.path, dict(self.headers)))
            reply = double.answer(host, url.path, dict(self.headers), body)
            content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response_only(reply.status)
            told = {
                "Content-Type": "application/json; charset=utf-8",
                "Date": self.date_time_string(),
                "x-ms-request-id": secrets.token_hex(16),
            }
            for name, value in {**told, "Content-Length": str(len(content)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
            self.wfile.flush()

        do_POST = do_GET  # noqa: N815 - named by http.server

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by http.server
            """Say nothing."""

    return Handler
