"""The credential of a load: what code, the environment or a file at home says we are. Makes no request."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

from confguard.provider import Failure, hide
from confguard_vault._auth import JWT, SERVICE_ACCOUNT, AppRole, Auth, Kubernetes, NoAuth, Token, UserPass
from confguard_vault._config import Endpoint
from confguard_vault._environment import Environment, Setting

_VISIBLE = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Login:
    """The one request that gives a token.

    Attributes:
        path: Where it goes, behind ``/v1/``.
        name: What a failure calls it; a username is not for a report.
        check: What to look at when it is not taken.
        body: What it carries, credentials among it.
        dated: Whether it carries a token that is good for a time, so that clocks matter.
    """

    path: str
    name: str
    check: str
    body: tuple[tuple[str, str], ...] = field(repr=False)
    dated: bool = False


@dataclass(frozen=True, slots=True)
class Credential:
    """What will be shown to the store; with neither a token nor a login, nothing. ``origin`` is what a tip has to name."""

    origin: str
    token: str | None = field(default=None, repr=False)
    login: Login | None = None


def credential(auth: Auth | None, scheme: str, endpoint: Endpoint, environment: Environment) -> Credential | Failure:
    """Read the credential that is set in code or in the environment, or that a login by hand left at home."""
    match auth:
        case None:
            return _from_environment(scheme, endpoint, environment)
        case NoAuth():
            return Credential("NoAuth()")
        case Token(token, file):
            origin = "Token(…)" if file is None else "Token(file=…)"
            return _token(_secret(token, file, origin, scheme), origin)
        case AppRole():
            return _app_role(auth, "AppRole(…)", scheme)
        case UserPass():
            return _user_pass(auth, "UserPass(…)", scheme)
        case JWT(role, token, file, mount):
            origin = "JWT(…)" if file is None else "JWT(file=…)"
            return _jwt(_secret(token, file, origin, scheme), role, mount, origin)
        case Kubernetes():
            return _kubernetes(auth, "Kubernetes(…)", scheme)


def _from_environment(scheme: str, endpoint: Endpoint, environment: Environment) -> Credential | Failure:
    """The method that is named, else the first that is set."""
    if method := environment.get("AUTH_METHOD"):
        return _of_method(method, scheme, environment)
    found = _token_set(scheme, environment) or _app_role_set(scheme, environment) or _left_at_home(scheme, environment)
    if found:
        return found
    if endpoint.logs_in_for_us:
        return Credential("the agent")
    prefix = environment.prefixes[0]
    return Failure(
        "unauthenticated",
        f"{scheme}: no credential is set",
        f"set {prefix}_TOKEN, {prefix}_TOKEN_FILE, or {prefix}_ROLE_ID and {prefix}_SECRET_ID; "
        "or log in by hand, which writes ~/.vault-token",
    )


def _of_method(method: Setting, scheme: str, environment: Environment) -> Credential | Failure:
    reader, needs = _METHODS.get(method.value, (None, ()))
    if reader is None:
        return Failure(
            "unconfigured",
            f"{scheme}: {method.name} names no method that the environment can set up",
            f"write one of {', '.join(_METHODS)}; the others are given in code, as Vault(auth=…)",
        )
    names = " and ".join(f"{environment.prefixes[0]}_{need}" for need in needs)
    return reader(scheme, environment) or Failure(
        "unauthenticated", f"{scheme}: {method.name} is {method.value}, and its credential is not set", f"set {names}"
    )


def _token_set(scheme: str, environment: Environment) -> Credential | Failure | None:
    if found := environment.get("TOKEN"):
        return _token(_secret(found.value, None, found.name, scheme), found.name)
    # bao's own name for such a file is BAO_TOKEN_PATH.
    if found := environment.get("TOKEN_FILE", "TOKEN_PATH"):
        return _token(_secret(None, found.value, found.name, scheme), found.name)
    return None


def _app_role_set(scheme: str, environment: Environment) -> Credential | Failure | None:
    role_id, secret_id = environment.get("ROLE_ID"), environment.get("SECRET_ID")
    if role_id and secret_id:
        mount = environment.get("LOGIN_MOUNT_POINT")
        role = AppRole(role_id.value, secret_id.value, mount=mount.value if mount else "approle")
        return _app_role(role, f"{role_id.name} and {secret_id.name}", scheme)
    if half := role_id or secret_id:  # a mistake, and no reason to be somebody else
        prefix, other = environment.prefixes[0], "secret id" if role_id else "role id"
        return Failure(
            "unauthenticated",
            f"{scheme}: {half.name} is set, and no {other}",
            f"set {prefix}_{other.upper().replace(' ', '_')}, or {prefix}_AUTH_METHOD where another login is meant",
        )
    return None


def _user_pass_set(scheme: str, environment: Environment) -> Credential | Failure | None:
    username, password, file = (environment.get(suffix) for suffix in ("USERNAME", "PASSWORD", "PASSWORD_FILE"))
    secret = password or file
    if not username or not secret:
        return None
    mount = environment.get("LOGIN_MOUNT_POINT")
    user = UserPass(
        username.value,
        password.value if password else None,
        None if password or not file else file.value,
        mount.value if mount else "userpass",
    )
    return _user_pass(user, f"{username.name} and {secret.name}", scheme)


def _kubernetes_set(scheme: str, environment: Environment) -> Credential | Failure | None:
    role = environment.get("ROLE_ID")
    if not role:
        return None
    mount, file = environment.get("KUBERNETES_MOUNT_POINT"), environment.get("KUBERNETES_JWT_TOKEN_PATH")
    account = Kubernetes(role.value, mount.value if mount else "kubernetes", token_file=file.value if file else SERVICE_ACCOUNT)
    return _kubernetes(account, file.name if file else role.name, scheme)


_Reader = Callable[[str, Environment], Credential | Failure | None]
# The methods and the variables of vals, which operators already write.
_METHODS: dict[str, tuple[_Reader, tuple[str, ...]]] = {
    "token": (_token_set, ("TOKEN",)),
    "approle": (_app_role_set, ("ROLE_ID", "SECRET_ID")),
    "userpass": (_user_pass_set, ("USERNAME", "PASSWORD_FILE")),
    "kubernetes": (_kubernetes_set, ("ROLE_ID",)),
}


def _left_at_home(scheme: str, environment: Environment) -> Credential | Failure | None:
    """The token that a login by hand left. Whatever keeps us from it, there is none for us."""
    home = environment.home()
    names = (".bao-token", ".vault-token") if environment.prefixes[0] == "BAO" else (".vault-token", ".bao-token")
    for name in names if home else ():
        try:
            text = (home / name).read_text("ascii").strip() if home else ""
        except (OSError, UnicodeError):
            continue
        if text:
            return _token(_secret(text, None, f"~/{name}", scheme), f"~/{name}")
    return None


def _token(token: str | Failure, origin: str) -> Credential | Failure:
    return token if isinstance(token, Failure) else Credential(origin, token=token)


def _app_role(role: AppRole, origin: str, scheme: str) -> Credential | Failure:
    body = {"role_id": role.role_id.strip()}
    if role.secret_id is not None or role.secret_id_file is not None:
        where = origin if role.secret_id_file is None else "secret_id_file"
        secret_id = _secret(role.secret_id, role.secret_id_file, where, scheme)
        if isinstance(secret_id, Failure):
            return secret_id
        body["secret_id"] = secret_id
    return _login(origin, role.mount, body, check="the secret_id may be used up or expired")


def _user_pass(user: UserPass, origin: str, scheme: str) -> Credential | Failure:
    if user.username in {"", ".", ".."} or "/" in user.username:
        return Failure("unconfigured", f"{scheme}: the username of {origin} is none", "write the bare name, without a slash")
    text = user.password
    if user.password_file is not None:
        read = _read(user.password_file, origin, scheme)
        if isinstance(read, Failure):
            return read
        text = read.removesuffix("\n").removesuffix("\r")
    if not text:
        return _empty(origin, scheme)
    hide(text)
    return _login(origin, user.mount, {"password": text}, check="the username or the password is wrong", name=user.username)


def _kubernetes(account: Kubernetes, origin: str, scheme: str) -> Credential | Failure:
    token = _secret(None, account.token_file, origin, scheme)
    return _jwt(token, account.role, account.mount, origin, check="is the role there, and for this service account?")


def _jwt(
    token: str | Failure,
    role: str,
    mount: str,
    origin: str,
    check: str = "is the role there, and is the token for it and not expired?",
) -> Credential | Failure:
    if isinstance(token, Failure):
        return token
    return _login(origin, mount, {"role": role, "jwt": token}, check=check, dated=True)


def _login(
    origin: str, mount: str, body: dict[str, str], *, check: str, name: str | None = None, dated: bool = False
) -> Credential:
    path = f"auth/{mount.strip('/')}/login"
    login = Login(f"{path}/{name}" if name else path, path, f"{origin}: {check}", tuple(body.items()), dated)
    return Credential(origin, login=login)


def _secret(text: str | None, file: str | PathLike[str] | None, origin: str, scheme: str) -> str | Failure:
    """A credential without the blanks around it, told to the redactor; or why it is none."""
    if file is not None:
        read = _read(file, origin, scheme)
        if isinstance(read, Failure):
            return read
        text = read
    secret = (text or "").strip()
    if not secret:
        return _empty(origin, scheme)
    hide(secret)
    if not _VISIBLE.fullmatch(secret):
        return Failure(
            "unauthenticated",
            f"{scheme}: {origin} holds a character that no credential has",
            "write the bare credential there",
        )
    return secret


def _empty(origin: str, scheme: str) -> Failure:
    return Failure("unauthenticated", f"{scheme}: {origin} is empty", "write the credential there")


def _read(path: str | PathLike[str], origin: str, scheme: str) -> str | Failure:
    """The text of a file that somebody named. One that is not there may yet come: its writer can be slower than us."""
    try:
        return Path(path).read_text("utf-8")
    except FileNotFoundError:
        return Failure(
            "unavailable", f"{scheme}: the file of {origin} is not there (yet)", f"is {path} written, and mounted here?"
        )
    except (OSError, UnicodeError):
        return Failure("unconfigured", f"{scheme}: the file of {origin} cannot be read", f"make {path} a readable text file")
