"""One OpenBao server for all tests of this directory; they keep apart by their mounts."""

import json
import os
import re
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from azure.keyvault.secrets._shared import http_challenge_cache

from confguard._reference import parse_reference
from confguard.provider import Deadline, Failure, Found, Provider
from confguard.testing._azure import AzureDouble
from confguard.testing._gcp import SecretManager
from confguard.testing._openbao import OpenBao
from confguard_azure import _identity
from confguard_vault import Token, Vault
from tests.providers.aws_rig import AwsStore, SsmStore
from tests.providers.azure_rig import AzureStore
from tests.providers.gcp_rig import GcpStore
from tests.providers.vault_rig import VaultStore

_FOREIGN = re.compile(
    r"(AWS|VAULT|BAO|GOOGLE|GCLOUD|GCE|CLOUDSDK|AZURE|IDENTITY|IMDS|MSI)_|NO_GCE_CHECK$"
    r"|.*_CA_BUNDLE$|SSL_CERT_|.*_proxy$|.*_PROXY$"
)

Results = dict[str, Found | Failure]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of this machine, and no token that somebody left at home, reaches a test."""
    for name in list(os.environ):
        if _FOREIGN.match(name):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture(scope="session")
def bao() -> Iterator[OpenBao]:
    """A server that all tests share."""
    with OpenBao() as server:
        yield server


@pytest.fixture(scope="session")
def azure_server() -> Iterator[AzureDouble]:
    """A double of Azure that all tests share, and `azure` empties."""
    with AzureDouble() as server:
        yield server


@pytest.fixture(scope="session")
def secret_manager() -> Iterator[SecretManager]:
    """A double of Secret Manager, over TLS, that all tests share; they keep apart by their projects."""
    with SecretManager(tls=True, names=["127.0.0.1"]) as server:
        yield server


@pytest.fixture
def azure(azure_server: AzureDouble) -> AzureDouble:
    """The double of Azure, with the secret ``api-key`` and another client secret than before."""
    azure_server.reset()
    _identity._shared.clear()
    http_challenge_cache.clear()  # which the SDK keeps for the whole process
    azure_server.put("api-key", "hunter22")
    return azure_server


@pytest.fixture
def azurekeyvault_store(azure: AzureDouble) -> AzureStore:
    """Key Vault's double as a store of the conformance tests."""
    return AzureStore(azure)


@pytest.fixture
def in_azure(azure: AzureDouble, monkeypatch: pytest.MonkeyPatch) -> AzureDouble:
    """The double in place of Azure for all of this process, which may log in as an application."""
    for name, value in azure.environment().items():
        monkeypatch.setenv(name, value)
    return azure


@pytest.fixture
def gcpsecrets_store(secret_manager: SecretManager) -> GcpStore:
    """The double of Secret Manager for the conformance tests and the table of faults."""
    return GcpStore(secret_manager)


@pytest.fixture
def mount(bao: OpenBao) -> str:
    """A KV v2 mount of the test's own, with the secret ``app``."""
    path = f"kv-{secrets.token_hex(4)}"
    bao.mount_kv(path)
    bao.put(path, "app", {"password": "hunter22"})
    bao.requests()
    return path


@pytest.fixture
def vault_store(bao: OpenBao) -> VaultStore:
    """OpenBao for the conformance tests and the table of faults."""
    return VaultStore(bao)


@pytest.fixture
def awssecrets_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsStore]:
    """Secrets Manager for the conformance tests and the table of faults."""
    yield from _aws_store(AwsStore, tmp_path, monkeypatch)


@pytest.fixture
def awsssm_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsStore]:
    """Parameter Store for them."""
    yield from _aws_store(SsmStore, tmp_path, monkeypatch)


def _aws_store(kind: type[AwsStore], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsStore]:
    secret_key = secrets.token_hex(20)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASHOP")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret_key)
    store = kind(tmp_path, secret_key)
    with store.double:
        yield store


@pytest.fixture
def root(bao: OpenBao) -> Iterator[Vault]:
    """A provider that may do all."""
    vault = Vault(address=bao.address, auth=Token(bao.root_token), ca_cert=bao.ca_cert)
    yield vault
    vault.close()


def run(provider: Provider, *references: str, seconds: float = 10.0) -> Results:
    """Fetch as the core does: one deadline, which cuts when it has passed, then close."""
    refs = [parse_reference(text) for text in references]
    deadline = Deadline(seconds)
    try:
        results = provider.fetch(refs, deadline=deadline)
    finally:
        if deadline.passed:
            deadline.cut()
        if callable(close := getattr(provider, "close", None)):
            close()
        deadline.close()
    assert results.keys() == set(refs)
    return {text: results[ref] for text, ref in zip(references, refs, strict=True)}


@pytest.fixture
def fetch() -> Callable[..., Results]:
    """`run`, for tests."""
    return run


@pytest.fixture
def fetch_one() -> Callable[..., Found | Failure]:
    """`run` for one reference."""
    return lambda provider, reference, **options: run(provider, reference, **options)[reference]


def wait_until(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Whether a condition comes true in time."""
    end = monotonic() + seconds
    pause = threading.Event()
    while not condition():
        if monotonic() > end:
            return False
        pause.wait(0.005)
    return True


@pytest.fixture
def until() -> Callable[..., bool]:
    """`wait_until`, for tests."""
    return wait_until


@pytest.fixture
def leaves_nothing() -> Callable[[], None]:
    """Check that no thread and no socket is left that was not there before the test."""
    before = set(threading.enumerate()), _sockets()

    def check() -> None:
        assert wait_until(lambda: set(threading.enumerate()) <= before[0]), threading.enumerate()
        assert wait_until(lambda: _sockets() <= before[1]), _sockets() - before[1]

    return check


@pytest.fixture
def ends_its_threads() -> Callable[[], None]:
    """Check that the threads of the reads end soon, though the peer still holds their connections."""

    def check() -> None:
        own = f"{threading.current_thread().name}-"
        assert wait_until(lambda: not any(thread.name.startswith(own) for thread in threading.enumerate()), 2.0)

    return check


def _sockets() -> set[str]:
    found: set[str] = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except FileNotFoundError:
            continue  # that of the listing itself
        if target.startswith("socket:"):
            found.add(target)
    return found


@dataclass
class Double:
    """An HTTP server that answers what it is told, for what OpenBao does not do. It has a KV v1 secret, secret/app."""

    port: int
    statuses: dict[str, int] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str, Mapping[str, str], bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def paths(self) -> list[str]:
        """The paths that were asked for."""
        return [path for _, path, _, _ in self.requests]


PREFLIGHT = "/v1/sys/internal/ui/mounts/secret/app"
READ = "/v1/secret/app"


@pytest.fixture
def double() -> Iterator[Double]:
    """A `Double`, for the test."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        timeout = 5  # for a connection that a failed test left open

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            server.requests.append((self.command, self.path, dict(self.headers), body))
            path = self.path.partition("?")[0]
            content = server.bodies.get(path, b"{}")
            self.send_response(server.statuses.get(path, 200))
            for name, value in server.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815 - named by http.server

        def log_message(self, *_: Any) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = False
        block_on_close = True

        def handle_error(self, *_: Any) -> None: ...

    with Server(("127.0.0.1", 0), Handler) as httpd:
        server = Double(httpd.server_address[1])
        server.bodies[PREFLIGHT] = json.dumps({"data": {"path": "secret/", "type": "kv", "options": None}}).encode()
        server.bodies[READ] = json.dumps({"data": {"password": "hunter22"}}).encode()
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        httpd.shutdown()
        thread.join()
