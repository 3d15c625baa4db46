"""Where the store is, as the command-line clients take it from the environment, and what is refused at once."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import trustme

from confguard.provider import Failure, Found
from confguard.testing._openbao import OpenBao
from confguard_vault import Token, Vault
from confguard_vault._config import Endpoint, Options, endpoint
from confguard_vault._environment import Environment, SetupError

FetchOne = Callable[..., Found | Failure]

FOUND = Found('{"password": "hunter22"}', version="1")


def _endpoint(variables: Mapping[str, str], scheme: str = "vault", options: Options | None = None) -> Endpoint:
    return endpoint(options or Options(), Environment(scheme, {"VAULT_ADDR": "https://vault.test:8200", **variables}))


def test_explicit_wins_over_the_environment(
    bao: OpenBao, mount: str, fetch_one: FetchOne, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is given in code is used, whatever the environment says."""
    for name, value in {"ADDR": "https://elsewhere.test", "CACERT": "/nope", "TOKEN": "x", "SKIP_VERIFY": "1"}.items():
        monkeypatch.setenv(f"VAULT_{name}", value)
    vault = Vault(address=bao.address, auth=Token(bao.root_token), ca_cert=bao.ca_cert, verify=True)
    assert fetch_one(vault, f"vault://{mount}/app") == FOUND
    assert vault.warnings() == ()


@pytest.mark.parametrize("how", ["CACERT", "CACERT_BYTES", "CAPATH", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_authority_from_the_environment(
    bao: OpenBao, mount: str, fetch_one: FetchOne, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, how: str
) -> None:
    """The authority to trust is a file, its text, a directory of files, the SDK's bundle, or one of the system's."""
    (tmp_path / "authorities").mkdir()
    (tmp_path / "authorities" / "ours.pem").write_bytes(bao.ca_cert.read_bytes())
    value = {"CACERT_BYTES": bao.ca_cert.read_text(), "CAPATH": str(tmp_path / "authorities")}
    name = how if "_CA_" in how or how.startswith("SSL") else f"VAULT_{how}"
    monkeypatch.setenv(name, value.get(how, str(bao.ca_cert)))
    vault = Vault(address=bao.address, auth=Token(bao.root_token))
    assert fetch_one(vault, f"vault://{mount}/app") == FOUND


def test_skipped_verification_is_told(bao: OpenBao, mount: str, fetch_one: FetchOne, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the check of certificates the store is read, and a warning names what switched it off."""
    monkeypatch.setenv("VAULT_SKIP_VERIFY", "true")
    vault = Vault(address=bao.address, auth=Token(bao.root_token))
    assert fetch_one(vault, f"vault://{mount}/app") == FOUND
    assert vault.warnings() == (
        "VAULT_SKIP_VERIFY is set: the store's certificate is not checked, so anyone on the way can read the secrets",
    )
    assert Vault(verify=False).warnings() == (
        "verify=False is set: the store's certificate is not checked, so anyone on the way can read the secrets",
    )


def test_server_name(bao: OpenBao, mount: str, fetch_one: FetchOne, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name to look for on the certificate can be another one than the address's host."""
    vault = Vault(address=bao.address, auth=Token(bao.root_token), ca_cert=bao.ca_cert)
    monkeypatch.setenv("VAULT_TLS_SERVER_NAME", "localhost")
    assert fetch_one(vault, f"vault://{mount}/app") == FOUND
    monkeypatch.setenv("VAULT_TLS_SERVER_NAME", "vault.test")
    assert Failure(
        "unconfigured",
        f"vault {mount}/app at {bao.address}: its certificate is for another host name",
        "ask for the name on the certificate in Vault(address=…), or set VAULT_TLS_SERVER_NAME to it",
    ) == fetch_one(vault, f"vault://{mount}/app")


def test_client_certificate(
    bao: OpenBao, mount: str, fetch_one: FetchOne, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A client certificate and its key are read from files; half of the pair, or a broken one, is a mistake."""
    own = trustme.CA().issue_cert("client")
    own.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    own.private_key_pem.write_to_path(tmp_path / "key.pem")
    vault = Vault(address=bao.address, auth=Token(bao.root_token), ca_cert=bao.ca_cert)
    monkeypatch.setenv("VAULT_CLIENT_CERT", str(tmp_path / "cert.pem"))
    assert Failure(
        "unconfigured",
        "vault: VAULT_CLIENT_CERT is set without its other half",
        "set the client certificate and its key together",
    ) == fetch_one(vault, f"vault://{mount}/app")
    monkeypatch.setenv("VAULT_CLIENT_KEY", str(tmp_path / "key.pem"))
    assert fetch_one(vault, f"vault://{mount}/app") == FOUND
    monkeypatch.setenv("VAULT_CLIENT_KEY", str(tmp_path / "cert.pem"))
    assert Failure(
        "unconfigured",
        "vault: the certificates of VAULT_CLIENT_CERT and VAULT_CLIENT_KEY cannot be read",
        "name a PEM certificate and its key, without a password",
    ) == fetch_one(vault, f"vault://{mount}/app")


@pytest.mark.parametrize("name", ["VAULT_CACERT", "VAULT_CACERT_BYTES", "VAULT_CAPATH"])
@pytest.mark.parametrize("value", ["nonsense", "/nonexistent"])
def test_authority_that_cannot_be_read(fetch_one: FetchOne, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """An authority that is not there or no PEM is told by the name of its variable."""
    monkeypatch.setenv(name, value)
    vault = Vault(address="https://127.0.0.1:1", auth=Token("t"))
    assert Failure(
        "unconfigured",
        f"vault: the certificates of {name} cannot be read",
        "it must be PEM, and readable by this user",
    ) == fetch_one(vault, "vault://secret/app")


@pytest.mark.parametrize("scheme", ["vault", "openbao"])
def test_no_address(fetch_one: FetchOne, scheme: str) -> None:
    """The address has no default, and the tip names the variable of the scheme's own client."""
    prefix = {"vault": "VAULT", "openbao": "BAO"}[scheme]
    assert Failure(
        "unconfigured",
        f"{scheme}: {prefix}_ADDR is not set",
        f"set {prefix}_ADDR to the address of the store, such as https://vault.example.com:8200",
    ) == fetch_one(Vault(auth=Token("t")), f"{scheme}://secret/app")


@pytest.mark.parametrize(
    ("variables", "message", "tip"),
    [
        ({"VAULT_SKIP_VERIFY": "maybe"}, "VAULT_SKIP_VERIFY cannot be read", "write it as true or false"),
        ({"BAO_SKIP_VERIFY": "yes"}, "BAO_SKIP_VERIFY cannot be read", "write it as true or false"),
        ({"VAULT_CLIENT_TIMEOUT": "soon"}, "VAULT_CLIENT_TIMEOUT cannot be read", "write it as a duration such as 30s"),
        (
            {"VAULT_ADDR": "vault.test:8200"},
            "VAULT_ADDR is no address that begins with https:// or http://",
            "write it as https://HOST:PORT",
        ),
        (
            {"VAULT_ADDR": "https://"},
            "VAULT_ADDR is no address that begins with https:// or http://",
            "write it as https://HOST:PORT",
        ),
        ({"VAULT_ADDR": "https://vault.test:port"}, "VAULT_ADDR is no address", "write it as https://HOST:PORT"),
        (
            {"VAULT_ADDR": "https://me:pw@vault.test"},
            "VAULT_ADDR holds more than a host, a port and a path",
            "write it as https://HOST:PORT",
        ),
        (
            {"VAULT_ADDR": "unix:///run/vault.sock"},
            "VAULT_ADDR is a Unix socket, which is not supported",
            "let the agent listen on 127.0.0.1 too",
        ),
        (
            {"VAULT_AGENT_ADDR": "unix:///run/vault.sock"},
            "VAULT_AGENT_ADDR is a Unix socket, which is not supported",
            "let the agent listen on 127.0.0.1 too",
        ),
        (
            {"BAO_CLIENT_CERT_BYTES": "pem"},
            "BAO_CLIENT_CERT_BYTES is not supported",
            "write it to a file and name that in BAO_CLIENT_CERT",
        ),
        (
            {"VAULT_PROXY_ADDR": "proxy:3128"},
            "VAULT_PROXY_ADDR is no address of a proxy",
            "write it as http://HOST:PORT",
        ),
        (
            {"VAULT_NAMESPACE": "a\nb"},
            "VAULT_NAMESPACE holds a character that no header can carry",
            "write it as parent/child",
        ),
        (
            {"VAULT_ADDR": "http://vault.test"},
            "VAULT_ADDR is plain http to another machine, which would show the credentials to the network",
            "use https, or say Vault(allow_http=True) where the network itself is protected",
        ),
    ],
)
def test_malformed_variables(variables: dict[str, str], message: str, tip: str) -> None:
    """A variable that cannot be read is named, with what to write, and its value is not shown."""
    with pytest.raises(SetupError) as info:
        _endpoint(variables)
    assert (message, tip) == (info.value.message, info.value.tip)


def test_plain_http_only_to_this_machine(double: Any, fetch_one: FetchOne) -> None:
    """Plain http goes to loopback; to other machines only where the code says so."""
    assert isinstance(fetch_one(Vault(address=double.address, auth=Token("t")), "vault://secret/app"), Found)
    for address in ("http://localhost:8200", "http://127.8.8.8", "http://[::1]:8200"):
        assert address == _endpoint({"VAULT_ADDR": address}).address
    for address in ("http://127.0.0.1.nip.test", "http://localhost.test", "http://10.0.0.1"):
        with pytest.raises(SetupError):
            _endpoint({"VAULT_ADDR": address})
    assert _endpoint({}, options=Options(address="http://10.0.0.1", allow_http=True)).address == "http://10.0.0.1"


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30.0), ("30s", 30.0), ("1m30s", 90.0), ("1.5h", 5400.0), ("100ms", 0.1), ("0", 60.0)]
)
def test_timeouts(text: str, seconds: float) -> None:
    """The time-out is a number of seconds or a duration as Go writes it; 0 is the default."""
    assert seconds == pytest.approx(_endpoint({"VAULT_CLIENT_TIMEOUT": text}).timeout)


def test_an_empty_variable_hides_its_twin() -> None:
    """As for bao, a variable that is set to nothing keeps that of the other client from being asked."""
    assert _endpoint({"BAO_NAMESPACE": "team"}).namespace == "team"
    assert None is _endpoint({"VAULT_NAMESPACE": "", "BAO_NAMESPACE": "team"}).namespace
    assert _endpoint({"VAULT_NAMESPACE": "team", "BAO_NAMESPACE": "other/"}, "openbao").namespace == "other"


@pytest.mark.parametrize(
    ("variables", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ({"https_proxy": "http://p:1", "NO_PROXY": "other.test"}, "http://p:1"),
        ({"HTTP_PROXY": "http://p:1"}, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "a.test, .test"}, None),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": "vault.test"}, None),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": "*"}, None),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": "ult.test"}, "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "VAULT_PROXY_ADDR": "http://q:2", "NO_PROXY": "*"}, "http://q:2"),
        ({"BAO_HTTP_PROXY": "http://q:2"}, "http://q:2"),
        ({"VAULT_PROXY_ADDR": "http://q:2", "VAULT_ADDR": "https://127.0.0.1:8200"}, None),
    ],
)
def test_proxies(variables: dict[str, str], proxy: str | None) -> None:
    """The client's own proxy wins over the general one, NO_PROXY counts, and this machine is never behind one."""
    assert proxy == _endpoint(variables).proxy


def test_import_is_cheap() -> None:
    """Importing the provider imports none of its SDK."""
    code = "\n".join(
        [
            f"import sys; sys.path[:] = {sys.path!r}",
            "import confguard_vault",
            "print({'hvac', 'requests', 'urllib3'} & set(sys.modules))",
        ]
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


def test_missing_sdk_is_the_core_s_to_tell(fetch_one: FetchOne, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without hvac the ImportError leaves fetch, so that the core can name the extra."""
    monkeypatch.setitem(sys.modules, "hvac", None)
    monkeypatch.setitem(sys.modules, "hvac.adapters", None)
    with pytest.raises(ImportError, match="hvac"):
        fetch_one(Vault(address="https://127.0.0.1:1", auth=Token("t")), "vault://secret/app")
