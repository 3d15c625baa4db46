"""The servers that tests of services are run against: `confguard.testing.servers`."""

import io
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
import unittest
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import SecretBytes, SecretStr, create_model

from confguard import BaseSettings, ConfigError, From, validate
from confguard.testing import servers
from confguard.testing.servers import Server

MAKERS: Mapping[str, Callable[[], AbstractContextManager[Server]]] = {
    "openbao": servers.openbao,
    "aws": servers.aws,
    "gcp": servers.gcp,
    "azure": servers.azure,
}
# By scheme: its server, a reference of an object, and one of another.
PLACES = {
    "vault": ("openbao", "vault://secret/shop", "vault://team/shop"),
    "openbao": ("openbao", "openbao://secret/shop", "openbao://secret/pay"),
    "awssecrets": ("aws", "awssecrets://prod/shop", "awssecrets://prod/shop2"),
    "awsssm": ("aws", "awsssm:///prod/shop", "awsssm://shop"),
    "gcpsecrets": ("gcp", "gcpsecrets://shop-prod/shop", "gcpsecrets://shop"),
    "azurekeyvault": ("azure", "azurekeyvault://prod/shop", "azurekeyvault://test/shop"),
}


@pytest.fixture(scope="module")
def running() -> Generator[Callable[[str], Server]]:
    """The servers by name, each started when it is first asked for."""
    made: dict[str, tuple[AbstractContextManager[Server], Server]] = {}

    def server(name: str) -> Server:
        if name not in made:
            context = MAKERS[name]()
            made[name] = context, context.__enter__()
        return made[name][1]

    yield server
    for context, _ in made.values():
        context.__exit__(None, None, None)


@pytest.fixture(params=PLACES)
def scheme(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def server(scheme: str, running: Callable[[str], Server], monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server of the scheme, empty, and in the environment."""
    found = running(PLACES[scheme][0])
    found.clear()
    for name, value in found.environ.items():
        monkeypatch.setenv(name, value)
    return found


def load(*references: str, kind: Any = SecretStr) -> dict[str, str | bytes]:
    """What a settings class that is bound to references loads: by reference the value, or the kind of its problem."""
    fields: dict[str, Any] = {f"field_{at}": (Annotated[kind, From(text)], ...) for at, text in enumerate(references)}
    made = create_model("ShopSettings", __base__=BaseSettings, **fields)
    try:
        settings: Any = validate(made, timeout=60)  # the first of a process imports an SDK
    except ConfigError as error:
        kinds = {problem.field: problem.kind for problem in error.problems}
        return {text: kinds.get(name, "fine") for name, text in zip(fields, references, strict=True)}
    return {text: getattr(settings, name).get_secret_value() for name, text in zip(fields, references, strict=True)}


def test_what_is_put_is_loaded_and_the_newest_of_it(scheme: str, server: Server) -> None:
    """A service with the server's environment loads what was put under a reference, and after another put the newer value."""
    _, one, other = PLACES[scheme]
    values = {f"{reference}#/api_key": secrets.token_hex(16) for reference in (one, other)}
    for reference, value in values.items():
        server.put(reference.partition("#")[0], {"api_key": value})
    assert values == load(*values)
    newer = secrets.token_hex(16)
    server.put(one, {"api_key": newer})
    assert {**values, f"{one}#/api_key": newer} == load(*values)


def test_what_is_denied_is_denied_alone_and_until_it_is_cleared(scheme: str, server: Server) -> None:
    """One value is denied although it is written anew, the other is read; after `clear` neither is there, nor denied."""
    _, one, other = PLACES[scheme]
    references = [f"{reference}#/api_key" for reference in (one, other)]
    server.deny(one)
    for reference in (one, other):
        server.put(reference, {"api_key": secrets.token_hex(16)})
    assert list(load(*references).values()) == ["denied", "fine"]
    server.clear()
    assert list(load(references[0]).values()) == ["missing"]
    server.put(one, {"api_key": secrets.token_hex(16)})
    assert "denied" not in load(references[0]).values()


def test_what_is_deleted_is_missing_alone(scheme: str, server: Server) -> None:
    """One value is missing, the other is there; to delete what is not there is no error."""
    _, one, other = PLACES[scheme]
    for reference in (one, other):
        server.put(reference, {"api_key": secrets.token_hex(16)})
    server.delete(one)
    server.delete(one)
    assert list(load(f"{one}#/api_key", f"{other}#/api_key").values()) == ["missing", "fine"]


@pytest.mark.parametrize("scheme", ["awssecrets", "awsssm", "gcpsecrets", "azurekeyvault"], indirect=True)
def test_texts_are_kept_as_they_are(scheme: str, server: Server) -> None:
    """A text is loaded as it was put."""
    _, one, _ = PLACES[scheme]
    text = f"pässwörd {secrets.token_hex(8)}\n"
    server.put(one, text)
    assert {one: text} == load(one)


@pytest.mark.parametrize("scheme", ["awssecrets", "gcpsecrets"], indirect=True)
def test_bytes_are_kept_as_they_are(scheme: str, server: Server) -> None:
    """Bytes are loaded as they were put."""
    _, one, _ = PLACES[scheme]
    data = b"\x00\xff" + secrets.token_bytes(16)
    server.put(one, data)
    assert {one: data} == load(one, kind=SecretBytes)


@pytest.mark.parametrize("scheme", ["awsssm"], indirect=True)
def test_an_object_below_a_path_becomes_parameters(scheme: str, server: Server) -> None:
    """Each key of a mapping that is put under a path with a slash at its end is a parameter of its own."""
    password = secrets.token_hex(16)
    server.put("awsssm:///prod/cache/", {"port": 6379, "login": {"password": password}})
    whole, part = "awsssm:///prod/cache/#/login/password", "awsssm:///prod/cache/login/password"
    assert {whole: password, part: password} == load(whole, part)


@pytest.mark.parametrize("scheme", ["awsssm"], indirect=True)
def test_a_parameter_is_the_one_that_the_provider_takes_it_for(scheme: str, server: Server) -> None:
    """A path of several segments has a leading slash, written or not, and a single name has none, as when it is read."""
    values = {"awsssm://prod/api_key": secrets.token_hex(16), "awsssm://api_key": secrets.token_hex(16)}
    for reference, value in values.items():
        server.put(reference, value)
    assert values == load(*values)
    server.deny("awsssm:///prod/api_key")
    assert list(load(*values).values()) == ["denied", "fine"]


@pytest.mark.parametrize("scheme", ["gcpsecrets"], indirect=True)
def test_secrets_of_a_location_are_others(scheme: str, server: Server) -> None:
    """A regional secret is not the one of the same name without a location; the full name is the short one."""
    values = {f"gcpsecrets://shop/api-key{end}": secrets.token_hex(16) for end in ("", "?location=europe-west3")}
    for reference, value in values.items():
        server.put(reference, value)
    assert values == load(*values)
    server.put("gcpsecrets://projects/shop/secrets/api-key", "newer value")
    assert load("gcpsecrets://shop/api-key") == {"gcpsecrets://shop/api-key": "newer value"}


@pytest.mark.parametrize("scheme", ["vault"], indirect=True)
def test_somebody_who_may_write_uses_other_clients(scheme: str, server: Server, tmp_path: Path) -> None:
    """With the variables of the admin the store's own command writes what the service reads; with the service's it may not."""
    value = secrets.token_hex(16)
    bao = str(Path(sys.executable).with_name("bao"))
    command = [bao, "kv", "put", "-mount=secret", "shop", f"api_key={value}"]
    rest = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    refused = subprocess.run(command, env={**rest, **server.environ}, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "permission denied" in refused.stderr
    subprocess.run(command, env={**rest, **server.admin_environ}, capture_output=True, check=True)
    assert load("vault://secret/shop#/api_key") == {"vault://secret/shop#/api_key": value}


@pytest.mark.parametrize(
    ("name", "reference", "value", "says"),
    [
        ("openbao", "secret/shop", {"k": "v"}, "no '://' in it"),
        ("openbao", "awssecrets://shop", {"k": "v"}, "this server is asked by openbao:// and vault://"),
        ("openbao", "vault://secret/shop#/api_key", "v", "leave the fragment out"),
        ("openbao", "vault://secret/shop?version=2", {"k": "v"}, "leave ?version= out"),
        ("openbao", "vault://secret", {"k": "v"}, "vault://MOUNT/PATH"),
        ("openbao", "vault://secret/shop", "v", "OpenBao holds objects"),
        ("aws", "awssecrets://arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-Abc123", "v", "without an ARN"),
        ("aws", "awsssm:///prod/db:3", "v", "without an ARN, a version and a label"),
        ("aws", "awsssm:///prod/db", b"v", "Parameter Store holds text"),
        ("aws", "awsssm:///prod/db/", "v", "is many parameters"),
        ("gcp", "gcpsecrets://projects/shop/secrets/key/versions/1", "v", "gcpsecrets://[PROJECT/]SECRET"),
        ("gcp", "gcpsecrets://shop/key?version=2", "v", "leave ?version= out"),
        ("azure", "azurekeyvault://shop", "v", "azurekeyvault://VAULT/SECRET"),
        ("azure", "azurekeyvault://shop/key/of", "v", "azurekeyvault://VAULT/SECRET"),
        ("azure", "azurekeyvault://shop/key", b"v", "Key Vault holds text"),
    ],
)
def test_what_cannot_be_put_is_refused(
    name: str, reference: str, value: Any, says: str, running: Callable[[str], Server]
) -> None:
    """A reference or a value that the store has no place for is refused, and the message says what to write."""
    with pytest.raises((ValueError, TypeError)) as refused:
        running(name).put(reference, value)
    assert says in str(refused.value)


def test_a_server_shows_where_it_is_and_no_secret(scheme: str, server: Server) -> None:
    """What a failing test displays of a server is its address."""
    assert server.address in repr(server)
    secret = re.compile(r"_(TOKEN|SECRET|SECRET_ACCESS_KEY)$")
    values = [value for name, value in {**server.environ, **server.admin_environ}.items() if secret.search(name)]
    assert not [value for value in values if value in repr(server)]


@pytest.mark.parametrize("name", MAKERS)
def test_two_servers_one_after_the_other_hold_nothing_of_each_other(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second server of a process is as empty as the first, and takes the logins of its own environment."""
    reference = next(one for server, one, _ in PLACES.values() if server == name)
    for _ in range(2):
        with MAKERS[name]() as server:
            for variable, value in server.environ.items():
                monkeypatch.setenv(variable, value)
            assert load(f"{reference}#/api_key") == {f"{reference}#/api_key": "missing"}
            server.put(reference, {"api_key": "a value of the first"})
            assert load(f"{reference}#/api_key") == {f"{reference}#/api_key": "a value of the first"}


@pytest.mark.parametrize("name", MAKERS)
def test_a_server_is_gone_after_an_exception(name: str) -> None:
    """What raises within the block ends the server: its port is closed, and no thread of it is left."""
    before = set(threading.enumerate())
    with suppress(ZeroDivisionError), MAKERS[name]() as server:
        assert answers(server.port)
        raise ZeroDivisionError
    assert not answers(server.port)
    assert {thread for thread in threading.enumerate() if not thread.daemon} <= before


# It waits in small pieces: a signal that comes just before a call that blocks would be seen only after it.
PROGRAM = """
import signal, sys, tempfile, threading
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has what it runs in the background ignore it
tempfile.tempdir = sys.argv[2]
from confguard.testing import servers
with getattr(servers, sys.argv[1])() as server:
    print(server.port, flush=True)
    while True:
        threading.Event().wait(0.05)
"""


@pytest.mark.parametrize(
    ("name", "number"),
    [*((name, signal.SIGINT) for name in MAKERS), ("openbao", signal.SIGTERM), ("openbao", signal.SIGKILL)],
)
def test_a_server_ends_with_its_process(
    name: str, number: signal.Signals, tmp_path: Path, until: Callable[[Callable[[], bool]], bool]
) -> None:
    """Whatever signal ends the process, one that it cannot catch too, the server is gone, and its files are."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    command = [sys.executable, "-W", "error", "-c", PROGRAM, name, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            port = int(process.stdout.readline())
            assert answers(port)
            process.send_signal(number)
            process.wait(30)
        finally:
            process.kill()
    assert process.returncode == -number
    assert until(lambda: not answers(port) and list(folder.iterdir()) == [])


@pytest.mark.parametrize("name", MAKERS)
def test_a_process_that_never_leaves_the_block_ends_all_the_same(name: str, tmp_path: Path) -> None:
    """Where the context manager is entered by hand and never left, the interpreter ends, and the server with it."""
    program = f"""
import sys, tempfile
tempfile.tempdir = sys.argv[1]
from confguard.testing import servers
context = servers.{name}()
print(context.__enter__().port)
"""
    command = [sys.executable, "-W", "error", "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert not answers(int(done.stdout))
    assert [path for path in tmp_path.iterdir() if path.name != "home"] == []


def test_a_forked_process_keeps_no_server() -> None:
    """A child that was forked within the block, and lives on, does not keep the end of the block waiting."""
    program = """
import os, sys
from confguard.testing import servers
with servers.openbao() as server:
    readable, _ = os.pipe()
    child = os.fork()
    if not child:
        os.read(readable, 1)
print(server.port)
os.kill(child, 9)
os.waitpid(child, 0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert not answers(int(done.stdout))


HIDE = """
import os, sys
sys.modules.update(dict.fromkeys(sys.argv[2:]))
sys.executable = "/nowhere/python"
os.environ["PATH"] = ""
from confguard.testing import servers
try:
    getattr(servers, sys.argv[1])()
except ModuleNotFoundError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("name", "hidden", "says"),
    [
        ("openbao", "trustme", "the module trustme"),
        ("openbao", "", "the command bao"),
        ("aws", "moto", "the module moto"),
        ("aws", "flask_cors", "the module flask_cors"),
        ("gcp", "google.cloud.secretmanager_v1", "the module google.cloud.secretmanager_v1"),
        ("gcp", "google", "the module google.cloud.secretmanager_v1"),
        ("gcp", "grpc_status", "the module grpc_status"),
        ("azure", "trustme", "the module trustme"),
        ("azure", "azure.identity", "the module azure.identity"),
    ],
)
def test_without_its_extra_a_server_says_what_to_install(name: str, hidden: str, says: str) -> None:
    """What is missing is refused before anything is started, with the command that brings it."""
    done = subprocess.run([sys.executable, "-c", HIDE, name, hidden], capture_output=True, text=True, check=True)
    command = f"pip install 'confguard-settings[testing-{name}]'"
    assert done.stdout == f"servers.{name}() needs {says}, which is not installed: {command}\n"


def test_unittest_takes_a_server() -> None:
    """`enterClassContext` of unittest starts one for the tests of a class."""

    class Case(unittest.TestCase):
        server: Server

        @classmethod
        def setUpClass(cls) -> None:
            cls.server = cls.enterClassContext(servers.azure())

        def test_it(self) -> None:
            assert answers(self.server.port)

    result = unittest.TextTestRunner(stream=io.StringIO()).run(unittest.defaultTestLoader.loadTestsFromTestCase(Case))
    assert (result.testsRun, result.failures, result.errors) == (1, [], [])
    assert not answers(Case.server.port)


def answers(port: int) -> bool:
    """Whether somebody listens on a port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
