"""Promises that hold for a process as a whole, seen from outside of it; what one room promises is proved in its own tests."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from secrets import token_hex

import pytest

from tests.command import COMMAND, environment, run

SETTINGS = """
from typing import Annotated
from pydantic import SecretStr
from confguard import BaseSettings, From, SettingsConfigDict

class AppSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="APP_", env_file=".env", secrets_dir="mount")
    port: int = 80
    token: SecretStr

class Bound(BaseSettings):
    key: Annotated[SecretStr, From("vault://secret/app#/key")]
"""

Peer = Callable[[socket.socket], None]


@contextmanager
def listening(serve: Peer) -> Iterator[tuple[int, list[bytes]]]:
    """A port whose connections are served each in a thread, and what was heard there."""
    heard: list[bytes] = []
    threads: list[threading.Thread] = []
    connections: list[socket.socket] = []

    def work(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            heard.append(connection.recv(65536))
            serve(connection)

    def accept() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            connections.append(connection)
            threads.append(threading.Thread(target=work, args=(connection,)))
            threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield server.getsockname()[1], heard
        finally:
            server.shutdown(socket.SHUT_RDWR)
            accepting.join(10)
            for connection in connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(10)


def says_nothing(connection: socket.socket) -> None:
    """Until the other end gives up."""
    connection.recv(1)


def trickles(head: bytes) -> Peer:
    """A peer that never ends what it says, and never lets a read time out."""

    def serve(connection: socket.socket) -> None:
        connection.sendall(head)
        connection.settimeout(0.02)
        while True:
            try:
                if connection.recv(1) == b"":
                    return
            except TimeoutError:
                connection.sendall(b"x")

    return serve


def refuses(connection: socket.socket) -> None:
    connection.sendall(b'HTTP/1.1 404 Not Found\r\nContent-Length: 13\r\nConnection: close\r\n\r\n{"errors":[]}')


PEERS: dict[str, Peer] = {
    "silent": says_nothing,
    "trickling": trickles(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{"),
}


@pytest.mark.parametrize("peer", PEERS.values(), ids=PEERS)
def test_a_process_ends_at_its_deadline_whatever_a_store_does(peer: Peer) -> None:
    """Promise 4, from outside: the command has reported and is gone, while the peer would go on for ever."""
    Path("service.py").write_text(SETTINGS)
    with listening(peer) as (port, heard):
        address = f"http://127.0.0.1:{port}"
        done = run(["check", "service:Bound", "--timeout", "3s"], VAULT_ADDR=address, VAULT_TOKEN=token_hex())
    assert heard
    assert (done.returncode, done.stderr) == (75, "")
    assert "no answer within 3 s" in done.stdout


def test_no_reference_leads_a_credential_elsewhere() -> None:
    """Promise 6: a reference whose path is an address is a path of the store that is configured, which alone is contacted."""
    token = token_hex()
    with ExitStack() as stack:
        store, at_store = stack.enter_context(listening(refuses))
        hostile, at_hostile = stack.enter_context(listening(refuses))
        done = python(
            """
            from pydantic import SecretStr
            from confguard import BaseSettings, ConfigError, SettingsConfigDict, validate

            class AppSettings(BaseSettings):
                model_config = SettingsConfigDict(allowed_references=["vault://"])
                one: SecretStr
                two: SecretStr
                three: SecretStr

            try:
                validate(AppSettings, timeout=5)
            except ConfigError as error:
                print(len(error.problems))
            """,
            ONE=f"ref+vault://127.0.0.1:{hostile}/secret/app#/key",
            TWO=f"ref+vault://root@127.0.0.1:{hostile}/app#/key",
            THREE=f"ref+vault://http:%2F%2F127.0.0.1:{hostile}/app#/key",
            VAULT_ADDR=f"http://127.0.0.1:{store}",
            VAULT_TOKEN=token,
        )
    assert (done.stdout, done.stderr) == ("3\n", "")
    assert at_hostile == []
    assert any(token.encode() in request for request in at_store)


def python(code: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run code in an interpreter of its own."""
    lines = code.strip("\n").splitlines()
    indent = len(lines[0]) - len(lines[0].lstrip())
    text = "\n".join(line[indent:] for line in lines)
    command = [sys.executable, "-c", text]
    return subprocess.run(command, env=environment(**variables), capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize(
    ("allowed", "value", "imports"),
    [
        ([], "ref+evil://a", False),
        (["vault://secret/"], "ref+evil://a", False),
        (["vault://secret/"], "evil://a", False),
        (["evil://a"], "ref+evil://a", True),
    ],
)
def test_no_value_from_outside_decides_which_code_is_imported(allowed: list[str], value: str, imports: bool) -> None:
    """Promise 6: an installed provider is imported for a scheme that the class lists, and not because a value names it."""
    info = Path("site/evil-1.0.dist-info")
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[confguard.providers]\nevil = evil:Provider\n")
    Path("site/evil.py").write_text("print('imported')\n")
    path = os.pathsep.join(["site", *filter(None, [os.environ.get("PYTHONPATH")])])
    done = python(
        f"""
        from pydantic import SecretStr
        from confguard import BaseSettings, ConfigError, SettingsConfigDict, validate

        class AppSettings(BaseSettings):
            model_config = SettingsConfigDict(allowed_references={allowed!r})
            key: SecretStr

        try:
            validate(AppSettings)
        except ConfigError:
            pass
        """,
        KEY=value,
        PYTHONPATH=path,
    )
    assert (done.returncode, done.stdout) == (0, "imported\n" if imports else "")


def _locked_in(command: Sequence[str]) -> list[str]:
    """A command as user 65534, to whom the whole file system is read-only; as it is, where the system makes no namespaces."""
    bare = ["unshare", "--user", "--map-root-user", "--mount"]
    script = (
        'mount --make-rprivate / && mount -o remount,bind,ro / && exec unshare --user --map-user=65534 --map-group=65534 "$@"'
    )
    locked = [*bare, "sh", "-c", script, "sh"]
    with suppress(OSError):
        if subprocess.run([*locked, "true"], capture_output=True, check=False).returncode == 0:
            return [*locked, *command]
    return list(command)


@pytest.mark.parametrize("arguments", [["check"], ["check", "--plan"], ["explain"]], ids=" ".join)
def test_a_user_without_home_on_a_read_only_file_system_can_use_the_command(tmp_path: Path, arguments: list[str]) -> None:
    """It works, says nothing of it, and leaves nothing behind."""
    folder = tmp_path / "app"
    (folder / "mount").mkdir(parents=True)
    (folder / "mount" / "app_token").write_text(token_hex())
    (folder / "service.py").write_text(SETTINGS)
    for path in (folder / "mount", folder):
        path.chmod(0o555)
    before = sorted(tmp_path.rglob("*"))
    variables = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": ""}
    kept = {name: value for name in ("PYTHONPATH",) if (value := os.environ.get(name))} | variables
    command = _locked_in([str(COMMAND), *arguments, "service:AppSettings"])
    done = subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True, timeout=30, check=False)
    folder.chmod(0o755)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
    assert [path for path in sorted(tmp_path.rglob("*")) if "__pycache__" not in path.parts] == before


@pytest.mark.parametrize(
    "statement",
    [
        "raise ValueError(os.environ['APP_TOKEN'])",
        "{}[os.environ['APP_TOKEN']]",
        "raise ImportError(os.environ['APP_TOKEN'])",
        "raise SystemExit(os.environ['APP_TOKEN'])",
        "raise ExceptionGroup(os.environ['APP_TOKEN'], [ValueError(os.environ['APP_TOKEN'])])",
        "exec(f\"token = '{os.environ['APP_TOKEN']}\")",
    ],
)
def test_what_a_users_module_raises_shows_no_value(statement: str) -> None:
    """Promise 1: an error of the user's module is told as theirs, by its type and place, and its text is withheld."""
    canary = f"Canary{token_hex(8)}"
    Path("service.py").write_text(f"import os\n{statement}\n")
    done = run(["check", "service:AppSettings"], APP_TOKEN=canary)
    assert (done.returncode, done.stdout) == (70, "")
    assert "importing service raised" in done.stderr
    assert canary not in done.stderr
