"""Engines that make a credential for whoever asks: asked once a load, and their lease is kept."""

import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic
from typing import Annotated, Any

import pytest
from pydantic import SecretStr

from confguard import BaseSettings, From, SettingsConfigDict, validate
from confguard.provider import Failure, Found
from confguard.testing._openbao import OpenBao
from confguard_vault import Token, Vault

FetchOne = Callable[..., Found | Failure]

LEASE = timedelta(hours=1)


@dataclass
class Engine:
    """A mounted engine with the role ``app``, and whether credentials of it are good where they are for."""

    mount: str
    works: Callable[[str, str], bool]


@pytest.fixture
def rabbitmq(bao: OpenBao) -> Iterator[Engine]:
    """The engine of the store itself, with a small double of RabbitMQ's interface, which is told users and passwords."""
    users: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path.startswith("/api/users/"):
                users[self.path.rpartition("/")[2]] = body
            self.send_response(201)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    mount = f"rabbitmq-{secrets.token_hex(4)}"
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            uri = f"http://127.0.0.1:{httpd.server_address[1]}"
            connection = {"connection_uri": uri, "username": "admin", "password": secrets.token_hex(), "verify_connection": False}
            bao.call("POST", f"sys/mounts/{mount}", {"type": "rabbitmq"})
            bao.call("POST", f"{mount}/config/connection", connection)
            bao.call("POST", f"{mount}/config/lease", {"ttl": int(LEASE.total_seconds()), "max_ttl": 7200})
            bao.call("POST", f"{mount}/roles/app", {"tags": "monitoring"})
            yield Engine(mount, lambda user, password: password.encode() in users.get(user, b""))
        finally:
            httpd.shutdown()
            thread.join()


def _postgresql() -> Path | None:
    """Where PostgreSQL's programs are, on a machine that has them; Debian keeps them off the path."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = shutil.which("initdb") or (places[-1] if places else None)
    return Path(found).resolve().parent if found else None


@pytest.fixture(scope="module")
def database(bao: OpenBao) -> Iterator[Engine]:
    """The engine for databases, with a real PostgreSQL; it does not run as root, so it runs as somebody else there."""
    programs = _postgresql()
    assert programs
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    owner: dict[str, Any] = {}
    admin = secrets.token_hex()
    (folder / "admin").write_text(admin)
    if os.geteuid() == 0:
        owner = {"user": pwd.getpwnam("nobody").pw_uid, "group": pwd.getpwnam("nobody").pw_gid}
        for path in (folder, folder / "admin"):
            os.chown(path, owner["user"], owner["group"])
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = [
        "-A",
        "scram-sha-256",
        "-U",
        "admin",
        f"--pwfile={folder}/admin",
        "--no-sync",
        "--locale=C",
        "-D",
        f"{folder}/data",
    ]
    subprocess.run([programs / "initdb", *options], check=True, capture_output=True, cwd=folder, **owner)
    server: list[str | Path] = [
        programs / "postgres",
        "-D",
        f"{folder}/data",
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
        "-k",
        str(folder),
        "-F",
    ]
    process = subprocess.Popen(server, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, **owner)

    def works(user: str, password: str) -> bool:
        query: list[str | Path] = [
            programs / "psql",
            "-h",
            "127.0.0.1",
            "-p",
            str(port),
            "-U",
            user,
            "-d",
            "postgres",
            "-c",
            "select 1",
        ]
        done = subprocess.run(query, env={"PGPASSWORD": password}, capture_output=True, check=False)
        return done.returncode == 0

    try:
        end, pause = monotonic() + 30, threading.Event()
        while not works("admin", admin):
            assert monotonic() < end, "PostgreSQL does not answer"
            pause.wait(0.05)
        yield Engine(_database_mount(bao, port, admin), works)
    finally:
        process.send_signal(signal.SIGINT)  # "fast": the store's connections are cut
        process.wait(10)
        shutil.rmtree(folder)


def _database_mount(bao: OpenBao, port: int, admin: str) -> str:
    mount = f"database-{secrets.token_hex(4)}"
    url = f"postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{port}/postgres?sslmode=disable"
    about = {"plugin_name": "postgresql-database-plugin", "allowed_roles": "app", "username": "admin", "password": admin}
    make = "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'"
    bao.call("POST", f"sys/mounts/{mount}", {"type": "database"})
    bao.call("POST", f"{mount}/config/db", {**about, "connection_url": url})
    bao.call("POST", f"{mount}/roles/app", {"db_name": "db", "creation_statements": [make], "default_ttl": "1h"})
    return mount


@pytest.fixture(params=["rabbitmq", *(["database"] if _postgresql() else [])])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Every engine that this machine has the programs for; that of RabbitMQ needs none."""
    made: Engine = request.getfixturevalue(request.param)
    return made


def test_a_credential_is_made_once_a_load(bao: OpenBao, engine: Engine) -> None:
    """Two fields of one credential get the halves that belong together, from one request, and the pair works."""

    class AppSettings(BaseSettings):
        model_config = SettingsConfigDict(providers=[Vault(address=bao.address, auth=Token(bao.root_token), ca_cert=bao.ca_cert)])
        username: Annotated[SecretStr, From(f"vault://{engine.mount}/creds/app#/username")]
        password: Annotated[SecretStr, From(f"vault://{engine.mount}/creds/app#/password")]

    bao.requests()
    settings = validate(AppSettings)
    assert [str(request) for request in bao.requests()].count(f"read {engine.mount}/creds/app") == 1
    assert engine.works(settings.username.get_secret_value(), settings.password.get_secret_value())


def test_both_schemes_share_a_credential(bao: OpenBao, rabbitmq: Engine, root: Vault, fetch: Callable[..., Any]) -> None:
    """References of both schemes to one store, however they are written, make one credential."""
    bao.requests()
    results = fetch(root, *(f"{scheme}://{rabbitmq.mount}/creds/app" for scheme in ("vault", "openbao")))
    assert len(set(results.values())) == 1
    assert [str(request) for request in bao.requests()].count(f"read {rabbitmq.mount}/creds/app") == 1


def test_the_lease_is_kept(engine: Engine, root: Vault, fetch_one: FetchOne) -> None:
    """The value knows until when it is good, as the store told it."""
    before = datetime.now(UTC)
    result = fetch_one(root, f"vault://{engine.mount}/creds/app")
    assert isinstance(result, Found)
    assert result.expires_at is not None
    assert timedelta(0) <= result.expires_at - before - LEASE < timedelta(seconds=10)


def test_a_role_that_is_not_there(engine: Engine, root: Vault, fetch_one: FetchOne) -> None:
    """An engine's 400 for a role that it does not have is a mistake of the reference."""
    result = fetch_one(root, f"vault://{engine.mount}/creds/none")
    assert isinstance(result, Failure)
    assert result.kind == "unconfigured"


def test_engines_keep_no_versions(rabbitmq: Engine, bao: OpenBao, root: Vault, fetch_one: FetchOne) -> None:
    """A version of what is made anew each time is a mistake, and none is made for it."""
    bao.requests()
    assert fetch_one(root, f"vault://{rabbitmq.mount}/creds/app?version=1") == Failure(
        "unconfigured", f"vault {rabbitmq.mount}/creds/app: this engine keeps no versions", "leave ?version= out, or use KV v2"
    )
    assert f"read {rabbitmq.mount}/creds/app" not in [str(request) for request in bao.requests()]


NUMBERS = (
    '{"version": 1.10, "big": 123456789012345678901234567890, "huge": 1e400, "fine": 0.10000000000000000555, "n": -0, "i": 7, '
    f'"digits": {"7" * 5000}}}'
)


@pytest.mark.parametrize("kv", ["1", "2"])
def test_numbers_stay_as_the_store_wrote_them(double: Any, fetch_one: FetchOne, kv: str) -> None:
    """What looks like a number may be a version or a key, so not a digit of it is lost."""
    mount = {"path": "secret/", "type": "kv", "options": {"version": kv}}
    double.bodies["/v1/sys/internal/ui/mounts/secret/app"] = json.dumps({"data": mount}).encode()
    double.bodies["/v1/secret/app"] = f'{{"data": {NUMBERS}}}'.encode()
    double.bodies["/v1/secret/data/app"] = f'{{"data": {{"data": {NUMBERS}, "metadata": {{"version": 3}}}}}}'.encode()
    result = fetch_one(Vault(address=double.address, auth=Token("t")), "vault://secret/app")
    assert isinstance(result, Found)
    assert result.value == NUMBERS


def test_numbers_of_a_real_store(bao: OpenBao, root: Vault, fetch_one: FetchOne) -> None:
    """KV v1 of OpenBao tells numbers as they were put in, and so do we."""
    path = f"old-{secrets.token_hex(4)}"
    bao.mount_kv(path, 1)
    bao.call("POST", f"{path}/app", b'{"a": 1.10, "b": 123456789012345678901234567890, "c": 1.5e3}')
    assert fetch_one(root, f"vault://{path}/app") == Found('{"a": 1.10, "b": 123456789012345678901234567890, "c": 1.5e3}')


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "[" * 700 + "]" * 700, "[" * 3000 + "]" * 3000], ids=["NaN", "Infinity", "deep", "deeper"]
)
def test_what_is_no_json_or_too_deep(double: Any, fetch_one: FetchOne, value: str) -> None:
    """What no store writes is malformed, and nothing raises."""
    double.bodies["/v1/secret/app"] = f'{{"data": {{"a": {value}}}}}'.encode()
    result = fetch_one(Vault(address=double.address, auth=Token("t")), "vault://secret/app")
    assert isinstance(result, Failure)
    assert result.kind == "malformed"
