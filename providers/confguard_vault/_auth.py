"""Who we are to the store: a token, or what a login gives one for."""

import re
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from confguard.provider import Failure, hide
from confguard_vault._config import Endpoint, Environment
from confguard_vault._failures import malformed, status_failure
from confguard_vault._json import as_object, json_object

if TYPE_CHECKING:
    from confguard_vault._http import Client

_VISIBLE = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Token:
    """A token that was made elsewhere.

    Attributes:
        token: The token itself.
        file: A file that holds it, such as the sink of an agent. Read anew at each load.
    """

    token: str | None = field(default=None, repr=False)
    file: str | PathLike[str] | None = None

    def __post_init__(self) -> None:
        if (self.token is None) == (self.file is None):
            raise ValueError("Token takes either the token or a file that holds it")


@dataclass(frozen=True, slots=True)
class AppRole:
    """A login as an AppRole, once a load.

    Attributes:
        role_id: Which role.
        secret_id: Its secret. Roles with ``bind_secret_id=false`` have none.
        secret_id_file: A file that holds it instead. Read anew at each load.
        mount: Where the auth method is enabled.
    """

    role_id: str
    secret_id: str | None = field(default=None, repr=False)
    secret_id_file: str | PathLike[str] | None = None
    mount: str = "approle"

    def __post_init__(self) -> None:
        if self.secret_id is not None and self.secret_id_file is not None:
            raise ValueError("AppRole takes either secret_id or secret_id_file")


@dataclass(frozen=True, slots=True)
class Credential:
    """What will be shown to the store. ``origin`` is what a tip has to name."""

    origin: str
    token: str | None = field(default=None, repr=False)
    login_path: str | None = None
    role_id: str | None = field(default=None, repr=False)
    secret_id: str | None = field(default=None, repr=False)


def credential(auth: Token | AppRole | None, scheme: str, endpoint: Endpoint, environment: Environment) -> Credential | Failure:
    """Read the credential that is set in code or in the environment, or that a login by hand left at home."""
    if isinstance(auth, Token):
        if auth.token is not None:
            return _token(auth.token, "Token(…)", scheme)
        return _token_file(Path(str(auth.file)), "Token(file=…)", scheme)
    if isinstance(auth, AppRole):
        return _app_role(auth, "AppRole(…)", scheme)
    return _from_environment(scheme, endpoint, environment)


def log_in(client: "Client", wanted: Credential, what: str) -> Failure | None:
    """Give the client its token: the one that is there, or that of a login, which failures call ``what``."""
    if wanted.token is not None:
        client.log_in(wanted.token)
        return None
    if wanted.login_path is None:
        return None
    body = {"role_id": wanted.role_id or "", "secret_id": wanted.secret_id}
    reply = client.request(
        "post", wanted.login_path, what, body={name: value for name, value in body.items() if value is not None}
    )
    if isinstance(reply, Failure):
        return reply
    if reply.status != 200:
        return status_failure(
            reply.status, what, client.endpoint.prefix, login=True, retry_after=reply.retry_after, target=reply.target
        )
    token = _client_token(reply.body)
    if token is None:
        return malformed(what, "200, without a token")
    client.log_in(token)
    return None


def _from_environment(scheme: str, endpoint: Endpoint, environment: Environment) -> Credential | Failure:
    if found := environment.get("TOKEN"):
        return _token(found.value, found.name, scheme)
    # bao's own name for such a file is BAO_TOKEN_PATH.
    if found := environment.get("TOKEN_FILE", "TOKEN_PATH"):
        return _token_file(Path(found.value), found.name, scheme)
    role_id, secret_id = environment.get("ROLE_ID"), environment.get("SECRET_ID")
    if role_id and secret_id:
        return _app_role(AppRole(role_id.value, secret_id.value), f"{role_id.name} and {secret_id.name}", scheme)
    prefix = environment.prefixes[0]
    half = (
        f"{role_id.name} is set, and no secret id"
        if role_id
        else f"{secret_id.name} is set, and no role id"
        if secret_id
        else None
    )
    if not half:  # half of an AppRole is a mistake, and no reason to be somebody else
        if left := _left_at_home(environment):
            return _token(left[1], left[0], scheme)
        if endpoint.logs_in_for_us:
            return Credential("the agent")
    return Failure(
        "unauthenticated",
        f"{scheme}: {half or 'no credential is set'}",
        f"set {prefix}_TOKEN, {prefix}_TOKEN_FILE, or {prefix}_ROLE_ID and {prefix}_SECRET_ID; "
        "or log in by hand, which writes ~/.vault-token",
    )


def _left_at_home(environment: Environment) -> tuple[str, str] | None:
    """The token that a login by hand left, with its place. Whatever keeps us from it, there is none for us."""
    home = environment.home()
    names = (".bao-token", ".vault-token") if environment.prefixes[0] == "BAO" else (".vault-token", ".bao-token")
    for name in names if home else ():
        try:
            text = (home / name).read_text("ascii").strip() if home else ""
        except (OSError, UnicodeError):
            continue
        if text:
            return f"~/{name}", text
    return None


def _token(text: str, origin: str, scheme: str) -> Credential | Failure:
    token = text.strip()
    return _unsendable(token, origin, scheme) or Credential(origin, token=token)


def _token_file(path: Path, origin: str, scheme: str) -> Credential | Failure:
    text = _read(path, origin, scheme)
    return text if isinstance(text, Failure) else _token(text, origin, scheme)


def _app_role(role: AppRole, origin: str, scheme: str) -> Credential | Failure:
    secret_id = role.secret_id
    if role.secret_id_file is not None:
        text = _read(Path(role.secret_id_file), "secret_id_file", scheme)
        if isinstance(text, Failure):
            return text
        secret_id = text
    if secret_id is not None:
        secret_id = secret_id.strip()
        hide(secret_id)
        if failure := _unsendable(secret_id, origin, scheme):
            return failure
    path = f"auth/{role.mount.strip('/')}/login"
    return Credential(origin, login_path=path, role_id=role.role_id.strip(), secret_id=secret_id)


def _read(path: Path, origin: str, scheme: str) -> str | Failure:
    """The text of a file that somebody named. One that is not there may yet come: its writer can be slower than us."""
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return Failure(
            "unavailable", f"{scheme}: the file of {origin} is not there (yet)", f"is {path} written, and mounted here?"
        )
    except (OSError, UnicodeError):
        return Failure("unconfigured", f"{scheme}: the file of {origin} cannot be read", f"make {path} a readable text file")


def _unsendable(secret: str, origin: str, scheme: str) -> Failure | None:
    if not secret:
        return Failure("unauthenticated", f"{scheme}: {origin} is empty", "write the credential there")
    if not _VISIBLE.fullmatch(secret):
        return Failure(
            "unauthenticated",
            f"{scheme}: {origin} holds a character that no credential has",
            "write the bare credential there",
        )
    return None


def _client_token(body: bytes) -> str | None:
    token = as_object(json_object(body).get("auth")).get("client_token")
    return token if isinstance(token, str) and _VISIBLE.fullmatch(token) else None
