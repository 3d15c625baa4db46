"""The logins beside tokens and AppRole, each taken and refused by a real store."""

import base64
import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, tzinfo
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from confguard._redaction import redactor
from confguard.provider import Failure, Found
from confguard.testing._openbao import OpenBao
from confguard_vault import JWT, AppRole, Kubernetes, Token, UserPass, Vault, _failures

if TYPE_CHECKING:
    from confguard_vault._auth import Auth

FetchOne = Callable[..., Found | Failure]
Sign = Callable[..., str]

FOUND = Found('{"password": "hunter22"}', version="1")


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    """What the issuer of tokens signs with."""
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def sign(key: rsa.RSAPrivateKey) -> Sign:
    """Make a JSON Web Token that is good for an hour, unless its claims say otherwise."""

    def make(**claims: object) -> str:
        now = int(time.time())
        payload = {"sub": "web", "aud": ["shop"], "iat": now, "nbf": now, "exp": now + 3600, **claims}
        parts = [_url64(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT"}, payload)]
        signature = key.sign(".".join(parts).encode(), padding.PKCS1v15(), hashes.SHA256())
        return ".".join([*parts, _url64(signature)])

    return make


def _url64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.fixture
def login_as(bao: OpenBao) -> Callable[..., Vault]:
    """A provider of the shared store that logs in in a certain way."""
    return lambda auth=None: Vault(address=bao.address, auth=auth, ca_cert=bao.ca_cert)


@pytest.fixture
def readable(bao: OpenBao, mount: str) -> str:
    """The mount, with a policy of the same name that lets it be read."""
    bao.policy(mount, f'path "{mount}/*" {{ capabilities = ["read"] }}')
    return mount


@pytest.fixture
def password(bao: OpenBao, readable: str) -> str:
    """The password of ``web`` at a userpass mount that is called as the mount is."""
    made = f"pass word {secrets.token_hex(8)} ü"
    bao.call("POST", f"sys/auth/{readable}", {"type": "userpass"})
    bao.call("POST", f"auth/{readable}/users/web", {"password": made, "token_policies": [readable]})
    return made


@pytest.fixture
def jwt_mount(bao: OpenBao, readable: str, key: rsa.RSAPrivateKey) -> str:
    """A mount for JSON Web Tokens with the role ``web``, which is called as the mount is."""
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    bao.call("POST", f"sys/auth/{readable}", {"type": "jwt"})
    bao.call("POST", f"auth/{readable}/config", {"jwt_validation_pubkeys": [public]})
    role = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["shop"], "token_policies": [readable]}
    bao.call("POST", f"auth/{readable}/role/web", role)
    return readable


class Reviewer:
    """The one question that a store asks Kubernetes: whose is this token? It knows those that it was told."""

    def __init__(self) -> None:
        self.known: set[str] = set()

    def answer(self, review: dict[str, Any]) -> dict[str, Any]:
        known = review["spec"]["token"] in self.known
        user = {"username": "system:serviceaccount:shop:web", "uid": "uid-of-web", "groups": ["system:serviceaccounts"]}
        status = {"authenticated": known, "user": user if known else {}, "audiences": review["spec"].get("audiences")}
        return {**review, "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status}


@pytest.fixture
def reviewer(bao: OpenBao, readable: str) -> Iterator[Reviewer]:
    """A mount for service accounts with the role ``web``, called as the mount is, and who answers for Kubernetes."""
    reviewer = Reviewer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            content = json.dumps(reviewer.answer(review)).encode()
            self.send_response(201)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            host = f"http://127.0.0.1:{httpd.server_address[1]}"
            bao.call("POST", f"sys/auth/{readable}", {"type": "kubernetes"})
            # Nothing is checked with the authority, but it has to be there.
            config = {"kubernetes_host": host, "disable_local_ca_jwt": True, "kubernetes_ca_cert": bao.ca_cert.read_text()}
            bao.call("POST", f"auth/{readable}/config", config)
            role = {
                "bound_service_account_names": ["web"],
                "bound_service_account_namespaces": ["shop"],
                "token_policies": [readable],
            }
            bao.call("POST", f"auth/{readable}/role/web", role)
            yield reviewer
        finally:
            httpd.shutdown()
            thread.join()


@pytest.fixture
def account(reviewer: Reviewer, sign: Sign, tmp_path: Path) -> Path:
    """The file with the token of a service account, as Kubernetes puts it into a pod."""
    about = {"namespace": "shop", "serviceaccount": {"name": "web", "uid": "uid-of-web"}}
    token = sign(**{"kubernetes.io": about, "sub": "system:serviceaccount:shop:web"})
    reviewer.known.add(token)
    (tmp_path / "account").write_text(token)
    return tmp_path / "account"


def test_userpass(
    bao: OpenBao, readable: str, password: str, login_as: Callable[..., Vault], fetch_one: FetchOne, tmp_path: Path
) -> None:
    """A name and a password log in, the password from the code or from a file, whose line ending is no part of it."""
    (tmp_path / "password").write_text(f"{password}\n")
    for auth in (
        UserPass("web", password, mount=readable),
        UserPass("web", password_file=tmp_path / "password", mount=f"/{readable}/"),
    ):
        assert fetch_one(login_as(auth), f"vault://{readable}/app") == FOUND
    assert f"update auth/{readable}/login/web" in [str(request) for request in bao.requests()]


@pytest.mark.parametrize("where", ["VAULT_PASSWORD", "VAULT_PASSWORD_FILE"])
def test_userpass_from_the_environment(
    readable: str,
    password: str,
    login_as: Callable[..., Vault],
    fetch_one: FetchOne,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    where: str,
) -> None:
    """Where the method is named, its variables are asked, and no others."""
    (tmp_path / "password").write_text(f"{password}\r\n")
    value = {"VAULT_PASSWORD": password, "VAULT_PASSWORD_FILE": str(tmp_path / "password")}[where]
    for name, text in {"AUTH_METHOD": "userpass", "USERNAME": "web", "LOGIN_MOUNT_POINT": readable, "TOKEN": "other"}.items():
        monkeypatch.setenv(f"VAULT_{name}", text)
    monkeypatch.setenv(where, value)
    assert fetch_one(login_as(), f"vault://{readable}/app") == FOUND


def test_userpass_that_is_not_taken(readable: str, password: str, login_as: Callable[..., Vault], fetch_one: FetchOne) -> None:
    """A wrong password is unauthenticated, and the report names neither it nor who tried."""
    wrong = secrets.token_hex()
    failure = fetch_one(login_as(UserPass("web", wrong, mount=readable)), f"vault://{readable}/app")
    assert failure == Failure(
        "unauthenticated",
        f"vault login auth/{readable}/login: 400, the login was not taken",
        "check UserPass(…): the username or the password is wrong",
    )


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../users/web"])
def test_userpass_with_a_name_that_is_a_path(login_as: Callable[..., Vault], fetch_one: FetchOne, name: str) -> None:
    """A username cannot lead the login, and so the password, to another path."""
    auth = UserPass(name, secrets.token_hex())
    assert fetch_one(login_as(auth), "vault://secret/app") == Failure(
        "unconfigured", "vault: the username of UserPass(…) is none", "write the bare name, without a slash"
    )


def test_jwt(jwt_mount: str, sign: Sign, login_as: Callable[..., Vault], fetch_one: FetchOne, tmp_path: Path) -> None:
    """A token that an issuer signed logs in, from the code or from a file."""
    (tmp_path / "jwt").write_text(sign() + "\n")
    for auth in (JWT("web", sign(), mount=jwt_mount), JWT("web", file=tmp_path / "jwt", mount=jwt_mount)):
        assert fetch_one(login_as(auth), f"vault://{jwt_mount}/app") == FOUND


@pytest.mark.parametrize(
    ("role", "claims"),
    [("web", {"exp": 1_000_000_000, "nbf": 999_999_000, "iat": 999_999_000}), ("web", {"aud": ["bank"]}), ("none", {})],
)
def test_jwt_that_is_not_taken(
    jwt_mount: str, sign: Sign, login_as: Callable[..., Vault], fetch_one: FetchOne, role: str, claims: dict[str, Any]
) -> None:
    """A token that is expired or for others, and a role that is not there, all are 400 to the store."""
    auth = JWT(role, sign(**claims), mount=jwt_mount)
    assert fetch_one(login_as(auth), f"vault://{jwt_mount}/app") == Failure(
        "unauthenticated",
        f"vault login auth/{jwt_mount}/login: 400, the login was not taken",
        "check JWT(…): is the role there, and is the token for it and not expired?",
    )


@pytest.mark.parametrize(("seconds", "said"), [(3600, "ahead of"), (-3600, "behind"), (60, "ahead of"), (10, None)])
def test_clock_skew(
    jwt_mount: str,
    sign: Sign,
    login_as: Callable[..., Vault],
    fetch_one: FetchOne,
    monkeypatch: pytest.MonkeyPatch,
    seconds: int,
    said: str | None,
) -> None:
    """Where a token is not taken and our clock is not the store's, the tip says so, and by how much."""
    _set_clock(monkeypatch, seconds)
    then = int(time.time()) + 7200
    auth = JWT("web", sign(nbf=then, iat=then, exp=then + 9000), mount=jwt_mount)
    result = fetch_one(login_as(auth), f"vault://{jwt_mount}/app")
    assert isinstance(result, Failure)
    assert result.kind == "unauthenticated"
    told = re.match(
        r"set the clocks: this machine's clock is (\d+) s ([a-z ]+) the store's, and .*; else check JWT", result.tip or ""
    )
    assert said == (told[2] if told else None)
    if told:  # dates of HTTP are whole seconds, and the round trip takes its time
        assert abs(int(told[1]) - abs(seconds)) <= 5


def test_clock_skew_is_nothing_to_a_password(
    readable: str, password: str, login_as: Callable[..., Vault], fetch_one: FetchOne, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password is good at any time, so a wrong clock is no reason why it is not taken."""
    _set_clock(monkeypatch, 3600)
    result = fetch_one(login_as(UserPass("web", secrets.token_hex(), mount=readable)), f"vault://{readable}/app")
    assert isinstance(result, Failure)
    assert "clock" not in (result.tip or "")


def _set_clock(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    """Let the provider think that it is later by so many seconds."""

    class Skewed(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Skewed":
            return super().now(tz) + timedelta(seconds=seconds)

    monkeypatch.setattr(_failures, "datetime", Skewed)


def test_kubernetes(readable: str, account: Path, login_as: Callable[..., Vault], fetch_one: FetchOne) -> None:
    """The service account of a pod logs in."""
    auth = Kubernetes("web", mount=readable, token_file=account)
    assert fetch_one(login_as(auth), f"vault://{readable}/app") == FOUND


def test_kubernetes_from_the_environment(
    readable: str, account: Path, login_as: Callable[..., Vault], fetch_one: FetchOne, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variables are those that vals has."""
    variables = {"AUTH_METHOD": "kubernetes", "ROLE_ID": "web", "KUBERNETES_MOUNT_POINT": readable}
    for name, text in {**variables, "KUBERNETES_JWT_TOKEN_PATH": str(account)}.items():
        monkeypatch.setenv(f"VAULT_{name}", text)
    assert fetch_one(login_as(), f"vault://{readable}/app") == FOUND


def test_kubernetes_that_is_not_taken(
    readable: str, account: Path, reviewer: Reviewer, login_as: Callable[..., Vault], fetch_one: FetchOne
) -> None:
    """An account that Kubernetes does not know is 403, and a role that is not there 400: both are unauthenticated."""
    tip = "check Kubernetes(…): is the role there, and for this service account?"
    answers = [fetch_one(login_as(Kubernetes("none", readable, account)), f"vault://{readable}/app")]
    reviewer.known.clear()
    answers.append(fetch_one(login_as(Kubernetes("web", readable, account)), f"vault://{readable}/app"))
    where = f"vault login auth/{readable}/login"
    assert answers == [
        Failure("unauthenticated", f"{where}: 400, the login was not taken", tip),
        Failure(
            "unauthenticated",
            f"{where}: 403, the login was not taken",
            f"{tip}; and is the auth method enabled at this mount?",
        ),
    ]


@pytest.mark.parametrize("kind", ["jwt", "kubernetes", "userpass"])
def test_file_that_is_not_there_yet(
    bao: OpenBao, login_as: Callable[..., Vault], fetch_one: FetchOne, tmp_path: Path, kind: str
) -> None:
    """Kubernetes may project a token after the service has begun: trying again may help, and nothing is asked."""
    path = tmp_path / "later"
    auth, origin = {
        "jwt": (JWT("web", file=path), "JWT(file=…)"),
        "kubernetes": (Kubernetes("web", token_file=path), "Kubernetes(…)"),
        "userpass": (UserPass("web", password_file=path), "UserPass(…)"),
    }[kind]
    bao.requests()
    failure = Failure("unavailable", f"vault: the file of {origin} is not there (yet)", f"is {path} written, and mounted here?")
    assert fetch_one(login_as(auth), "vault://secret/app") == failure
    assert bao.requests() == []


@pytest.mark.parametrize("content", ["", "\n", "two words"])
@pytest.mark.parametrize("kind", ["jwt", "kubernetes"])
def test_file_that_holds_no_token(
    login_as: Callable[..., Vault], fetch_one: FetchOne, tmp_path: Path, kind: str, content: str
) -> None:
    """What cannot be a token is not sent."""
    (tmp_path / "token").write_text(content)
    auth = JWT("web", file=tmp_path / "token") if kind == "jwt" else Kubernetes("web", token_file=tmp_path / "token")
    result = fetch_one(login_as(auth), "vault://secret/app")
    assert isinstance(result, Failure)
    assert result.kind == "unauthenticated"


@pytest.mark.parametrize("kind", ["jwt", "kubernetes", "userpass", "approle"])
def test_credentials_are_told_before_the_first_request(fetch_one: FetchOne, tmp_path: Path, kind: str) -> None:
    """A credential that never gets anywhere is known to the redactor all the same, and is in no repr."""
    secret = secrets.token_hex()
    (tmp_path / "secret").write_text(secret)
    auths: dict[str, Auth] = {
        "jwt": JWT("web", secret),
        "kubernetes": Kubernetes("web", token_file=tmp_path / "secret"),
        "userpass": UserPass("web", secret),
        "approle": AppRole("web", secret),
    }
    auth = auths[kind]
    vault = Vault(address="https://127.0.0.1:1", auth=auth)
    assert not redactor.holds_secret(secret)
    result = fetch_one(vault, "vault://secret/app")
    assert redactor.redact(secret) == "[redacted:credential]"
    assert secret not in repr(auth) + repr(vault) + repr(result)


@pytest.mark.parametrize(
    ("method", "failure"),
    [
        (
            "jwt",
            Failure(
                "unconfigured",
                "vault: VAULT_AUTH_METHOD names no method that the environment can set up",
                "write one of token, approle, userpass, kubernetes; the others are given in code, as Vault(auth=…)",
            ),
        ),
        *(
            (
                method,
                Failure(
                    "unauthenticated",
                    f"vault: VAULT_AUTH_METHOD is {method}, and its credential is not set",
                    f"set {needs}",
                ),
            )
            for method, needs in {
                "token": "VAULT_TOKEN",
                "approle": "VAULT_ROLE_ID and VAULT_SECRET_ID",
                "userpass": "VAULT_USERNAME and VAULT_PASSWORD_FILE",
                "kubernetes": "VAULT_ROLE_ID",
            }.items()
        ),
    ],
)
def test_method_without_its_credential(
    login_as: Callable[..., Vault], fetch_one: FetchOne, monkeypatch: pytest.MonkeyPatch, method: str, failure: Failure
) -> None:
    """A method that is named and not set up is told, and nobody else's token from home is taken instead."""
    monkeypatch.setenv("VAULT_AUTH_METHOD", method)
    (Path.home() / ".vault-token").write_text("of-somebody-else")
    assert fetch_one(login_as(), "vault://secret/app") == failure


@pytest.mark.parametrize(
    "make", [lambda: UserPass("u"), lambda: UserPass("u", "p", "f"), lambda: JWT("r"), lambda: JWT("r", "t", "f")]
)
def test_contradictions_in_code(make: Callable[[], object]) -> None:
    """A credential that is given twice, or not at all, is a mistake where it is written."""
    with pytest.raises(ValueError, match="either"):
        make()


def test_bare_token_in_code() -> None:
    """A token that is not in a Token is refused where it is written, and is not shown."""
    secret: Any = secrets.token_hex()
    with pytest.raises(TypeError, match=r"^auth takes Token\(…\) and its like, not a bare str$"):
        Vault(auth=secret)


def test_login_in_a_namespace(bao: OpenBao, fetch_one: FetchOne, monkeypatch: pytest.MonkeyPatch) -> None:
    """A login is made in the namespace, and one where there is no such method or namespace is told with its setting."""
    name, password = f"ns-{secrets.token_hex(4)}", secrets.token_hex()
    bao.call("POST", f"sys/namespaces/{name}")
    bao.call("POST", "sys/mounts/inner", {"type": "kv", "options": {"version": "1"}}, namespace=name)
    bao.call("POST", "inner/app", {"where": "inside"}, namespace=name)
    bao.call("PUT", "sys/policies/acl/inner", {"policy": 'path "inner/*" { capabilities = ["read"] }'}, namespace=name)
    bao.call("POST", "sys/auth/people", {"type": "userpass"}, namespace=name)
    bao.call("POST", "auth/people/users/web", {"password": password, "token_policies": ["inner"]}, namespace=name)

    def ask(namespace: str | None, reference: str = "vault://inner/app") -> Found | Failure:
        auth = UserPass("web", password, mount="people")
        return fetch_one(Vault(address=bao.address, auth=auth, ca_cert=bao.ca_cert, namespace=namespace), reference)

    monkeypatch.setenv("VAULT_NAMESPACE", name)
    assert ask(None) == Found('{"where": "inside"}')
    check = "check UserPass(…): the username or the password is wrong; and is the auth method enabled at this mount"
    login = "vault login auth/people/login"
    monkeypatch.setenv("VAULT_NAMESPACE", "root")
    assert ask(None) == Failure(
        "unauthenticated", f"{login}: 403, the login was not taken", f"{check} in the namespace of VAULT_NAMESPACE?"
    )
    assert ask(f"{name}/deeper") == Failure(
        "unconfigured",
        f"{login}: 404, no auth method at this mount",
        "check the mount of the auth method, and Vault(namespace=…)",
    )
    denied = ask(name, "vault://other/app")
    assert isinstance(denied, Failure)
    assert (denied.tip or "").startswith("is there a mount other/ in the namespace of Vault(namespace=…)? If so,")
    stranger = Vault(address=bao.address, auth=Token(bao.token("default")), ca_cert=bao.ca_cert, namespace=name)
    assert isinstance(fetch_one(stranger, "vault://inner/app"), Failure)
