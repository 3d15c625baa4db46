"""Where the store is and how to trust it: environment and arguments in, an `Endpoint` out. Makes no request."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from confguard_vault._environment import Environment, Setting, SetupError

T = TypeVar("T")

# What the command-line clients wait for one reply unless told.
DEFAULT_TIMEOUT = 60.0

# The spellings that the clients take, which are those of Go's strconv.ParseBool.
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)")
_VISIBLE = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Trust:
    """How the store's certificate is checked, and which one is shown to it."""

    verify: bool = True
    ca_file: Setting | None = None
    ca_text: Setting | None = field(default=None, repr=False)
    ca_directory: Setting | None = None
    client_cert: Setting | None = None
    client_key: Setting | None = None
    server_name: str | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """All that decides which store is asked and how. Two equal ones share a login and their reads.

    ``names`` is what tips call things by: where each setting comes from, or could be set (``{"ADDR": "BAO_ADDR"}``), and
    where no namespace is set, nothing for the words that say which one it is.
    """

    address: str
    host: str
    trust: Trust
    namespace: str | None = None
    proxy: str | None = field(default=None, repr=False)
    timeout: float = DEFAULT_TIMEOUT
    logs_in_for_us: bool = False
    names: Mapping[str, str] = field(default_factory=dict[str, str], compare=False)


@dataclass(frozen=True, slots=True)
class Options:
    """What was given in code; each wins over the environment."""

    address: str | None = None
    namespace: str | None = None
    ca_cert: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    verify: bool | None = None
    tls_server_name: str | None = None
    timeout: float | None = None
    proxy: str | None = field(default=None, repr=False)
    allow_http: bool = False


def endpoint(options: Options, environment: Environment) -> Endpoint:
    """Decide where to ask, and how.

    Raises:
        SetupError: A variable or an argument cannot be read, or would carry credentials over an unprotected connection.
    """
    chosen, agent = _address(options, environment)
    url = _url(chosen)
    host = url.hostname or ""
    if url.scheme == "http" and not is_loopback(host) and not options.allow_http:
        raise SetupError(
            f"{chosen.name} is plain http to another machine, which would show the credentials to the network",
            "use https, or say Vault(allow_http=True) where the network itself is protected",
        )
    proxy = _proxy(options, environment, url)
    names = _names(options, environment) | {"ADDR": chosen.name, "PROXY": proxy.name if proxy else "HTTPS_PROXY"}
    namespace = _namespace(options, environment)
    return Endpoint(
        address=f"{url.scheme}://{url.netloc}{url.path.rstrip('/')}",
        host=host,
        trust=_trust(options, environment),
        namespace=namespace,
        proxy=_value(proxy),
        timeout=options.timeout
        or _read(environment.get("CLIENT_TIMEOUT"), _seconds, "a duration such as 30s")
        or DEFAULT_TIMEOUT,
        logs_in_for_us=agent,
        names=names | {"WITHIN": f" in the namespace of {names['NAMESPACE']}" if namespace else ""},
    )


def _names(options: Options, environment: Environment) -> dict[str, str]:
    """Where each setting that a tip may name comes from; where from nowhere, the variable that would be asked first."""
    in_code = {
        "NAMESPACE": options.namespace,
        "CACERT": options.ca_cert,
        "CLIENT_CERT": options.client_cert,
        "CLIENT_KEY": options.client_key,
        "CLIENT_TIMEOUT": options.timeout,
        "TLS_SERVER_NAME": options.tls_server_name,
    }
    arguments = {"CACERT": "ca_cert", "CLIENT_TIMEOUT": "timeout"}
    names: dict[str, str] = {}
    for suffix, given in in_code.items():
        found = environment.get(suffix)
        variable = found.name if found else f"{environment.prefixes[0]}_{suffix}"
        names[suffix] = f"Vault({arguments.get(suffix, suffix.lower())}=…)" if given else variable
    return names


def skips_verification(options: Options, environment: Environment) -> str | None:
    """The name of what switched the check of certificates off, if something did."""
    if options.verify is not None:
        return None if options.verify else "verify=False"
    found = environment.get("SKIP_VERIFY")
    return found.name if found and found.value in _TRUE else None


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: what is sent there cannot be read on the way."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _address(options: Options, environment: Environment) -> tuple[Setting, bool]:
    """The address, and whether it is that of an agent, which adds a token of its own."""
    if options.address:
        return Setting("Vault(address=…)", options.address), False
    if agent := environment.get("AGENT_ADDR"):
        return agent, True
    if found := environment.get("ADDR"):
        return found, False
    # The clients fall back to https://127.0.0.1:8200. A service never means that, and would be told "refused".
    name = f"{environment.prefixes[0]}_ADDR"
    raise SetupError(f"{name} is not set", f"set {name} to the address of the store, such as https://vault.example.com:8200")


def _url(address: Setting) -> SplitResult:
    tip = "write it as https://HOST:PORT"
    if address.value.startswith("unix://"):
        raise SetupError(f"{address.name} is a Unix socket, which is not supported", "let the agent listen on 127.0.0.1 too")
    try:
        url = urlsplit(address.value)
        url.port  # noqa: B018 - read for its check of the number
    except ValueError:
        raise SetupError(f"{address.name} is no address", tip) from None
    if url.scheme not in {"http", "https"} or not url.hostname or not _VISIBLE.fullmatch(address.value):
        raise SetupError(f"{address.name} is no address that begins with https:// or http://", tip)
    if url.path.rstrip("/").endswith("/v1"):
        raise SetupError(f"{address.name} ends in /v1, which is part of every path", "leave /v1 out")
    if url.username is not None or url.query or url.fragment:
        raise SetupError(f"{address.name} holds more than a host, a port and a path", tip)
    return url


def _trust(options: Options, environment: Environment) -> Trust:
    verify = options.verify
    if verify is None:
        verify = not _read(environment.get("SKIP_VERIFY"), _truth, "true or false")
    for suffix in ("CLIENT_CERT", "CLIENT_KEY"):
        if found := environment.get(f"{suffix}_BYTES"):
            raise SetupError(f"{found.name} is not supported", f"write it to a file and name that in {found.name[:-6]}")
    cert = _setting("Vault(client_cert=…)", options.client_cert) or environment.get("CLIENT_CERT")
    key = _setting("Vault(client_key=…)", options.client_key) or environment.get("CLIENT_KEY")
    if (cert is None) != (key is None) and (alone := cert or key):
        raise SetupError(f"{alone.name} is set without its other half", "set the client certificate and its key together")
    ca_file = _setting("Vault(ca_cert=…)", options.ca_cert) or environment.get("CACERT")
    ca_text = None if ca_file else environment.get("CACERT_BYTES")
    ca_directory = None if ca_file or ca_text else environment.get("CAPATH")
    if not (ca_file or ca_text or ca_directory):
        # The SDK's own variable. Behind all of these stands the system's store, as it does for the clients.
        bundle = environment.plain("REQUESTS_CA_BUNDLE")
        ca_directory, ca_file = (bundle, None) if bundle and Path(bundle.value).is_dir() else (None, bundle)
    server_name = options.tls_server_name or _value(environment.get("TLS_SERVER_NAME"))
    return Trust(verify, ca_file, ca_text, ca_directory, cert, key, server_name)


def _namespace(options: Options, environment: Environment) -> str | None:
    chosen = _setting("Vault(namespace=…)", options.namespace) or environment.get("NAMESPACE")
    if chosen is None:
        return None
    if not _VISIBLE.fullmatch(chosen.value):
        raise SetupError(f"{chosen.name} holds a character that no header can carry", "write it as parent/child")
    return chosen.value.strip("/") or None


def _proxy(options: Options, environment: Environment, url: SplitResult) -> Setting | None:
    """The proxy before the store; never for this machine, where one could only carry credentials away."""
    if is_loopback(url.hostname or ""):
        return None
    chosen = _setting("Vault(proxy=…)", options.proxy) or environment.get("PROXY_ADDR", "HTTP_PROXY")
    if chosen is None and not _bypassed(url.hostname or "", environment):
        name = f"{url.scheme}_proxy"
        chosen = environment.plain(name) or environment.plain(name.upper())
    if chosen is None:
        return None
    if not re.fullmatch(r"https?://[!-~]+", chosen.value):
        raise SetupError(f"{chosen.name} is no address of a proxy", "write it as http://HOST:PORT")
    return chosen


def _bypassed(host: str, environment: Environment) -> bool:
    found = environment.plain("no_proxy") or environment.plain("NO_PROXY")
    rules = [rule.strip() for rule in found.value.lower().split(",")] if found else []
    names = [rule.removeprefix("*").removeprefix(".") for rule in rules]
    return "*" in rules or any(name and f".{host}".endswith(f".{name}") for name in names)


def _read(found: Setting | None, reader: Callable[[str], T | None], wanted: str) -> T | None:
    if found is None:
        return None
    value = reader(found.value)
    if value is None:
        raise SetupError(f"{found.name} cannot be read", f"write it as {wanted}")
    return value


def _truth(text: str) -> bool | None:
    return True if text in _TRUE else False if text in _FALSE else None


def _seconds(text: str) -> float | None:
    if re.fullmatch(r"\d+", text):
        return float(text)
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _setting(name: str, value: str | None) -> Setting | None:
    return Setting(name, value) if value else None


def _value(found: Setting | None) -> str | None:
    return found.value if found else None
