"""Who we are to the store: the ways that code can say it. Each only holds what it was given; `_credential` reads it."""

from dataclasses import dataclass, field
from os import PathLike
from typing import TypeAlias

SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount/token"
"""Where Kubernetes puts the token of a pod's service account."""


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
class UserPass:
    """A login with a name and a password, once a load.

    Attributes:
        username: Who.
        password: The password.
        password_file: A file that holds it instead, but for one line ending. Read anew at each load.
        mount: Where the auth method is enabled.
    """

    username: str
    password: str | None = field(default=None, repr=False)
    password_file: str | PathLike[str] | None = None
    mount: str = "userpass"

    def __post_init__(self) -> None:
        if (self.password is None) == (self.password_file is None):
            raise ValueError("UserPass takes either the password or a file that holds it")


@dataclass(frozen=True, slots=True)
class JWT:
    """A login with a JSON Web Token that somebody else made, once a load.

    Attributes:
        role: Which role of the auth method.
        token: The JSON Web Token itself.
        file: A file that holds it. Read anew at each load.
        mount: Where the auth method is enabled.
    """

    role: str
    token: str | None = field(default=None, repr=False)
    file: str | PathLike[str] | None = None
    mount: str = "jwt"

    def __post_init__(self) -> None:
        if (self.token is None) == (self.file is None):
            raise ValueError("JWT takes either the token or a file that holds it")


@dataclass(frozen=True, slots=True)
class Kubernetes:
    """A login as the service account of a pod, once a load.

    Attributes:
        role: Which role of the auth method.
        mount: Where the auth method is enabled.
        token_file: The file that holds the service account's token. Read anew at each load.
    """

    role: str
    mount: str = "kubernetes"
    token_file: str | PathLike[str] = SERVICE_ACCOUNT


@dataclass(frozen=True, slots=True)
class NoAuth:
    """No credential is sent: the address is that of an agent or a proxy which logs in by itself (auto-auth)."""


Auth: TypeAlias = Token | AppRole | UserPass | JWT | Kubernetes | NoAuth
