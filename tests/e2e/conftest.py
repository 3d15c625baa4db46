"""The example service in a folder of its own, with a real OpenBao server behind it."""

import os
import secrets
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from confguard.testing._openbao import OpenBao

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "flask-service"
TARGET = "myservice.settings:AppSettings"
START = "from myservice import create_app; print(create_app(wait={}).test_client().get('/healthz').text)"

READ = 'path "secret/data/{}" {{ capabilities = ["read"] }}'


@dataclass
class Service:
    """The service as it is deployed: variables, ``.env`` and mounted files.

    Attributes:
        folder: Where it runs.
        variables: Its environment, whole.
        secrets: Every secret that it can see.
    """

    folder: Path
    variables: dict[str, str]
    secrets: list[str] = field(repr=False)

    def check(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run ``confguard check`` on its settings."""
        return self.run("-m", "confguard", "check", TARGET, *options)

    def start(self, wait: float = 0.0) -> subprocess.CompletedProcess[str]:
        """Make the application and ask it how it is."""
        return self.run("-c", START.format(wait))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python in the service's environment; warnings are errors."""
        return subprocess.run(
            [sys.executable, "-W", "error", *arguments],
            cwd=self.folder,
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def break_in_four_ways(self, bao: OpenBao) -> None:
        """A variable mistyped, a value of the wrong type, a file not mounted, a path denied."""
        self.variables["MYSERVICE_PUBLC_URL"] = self.variables.pop("MYSERVICE_PUBLIC_URL")
        (self.folder / ".env").write_text("MYSERVICE_PAGE_SIZE=fifty\n")
        (self.folder / "run" / "myservice_database_url").unlink()
        self.variables["VAULT_TOKEN"] = bao.token("myservice-only")


@pytest.fixture(scope="session")
def stored() -> dict[str, str]:
    """What the store holds, by the name of its key."""
    return {name: secrets.token_urlsafe(24) for name in ("secret_key", "smtp_password", "stripe_key")}


@pytest.fixture(scope="session")
def bao(stored: dict[str, str]) -> Generator[OpenBao]:
    """A server with what the service needs; tests differ in their tokens alone."""
    with OpenBao() as server:
        server.mount_kv("secret")
        server.put("secret", "myservice", {name: stored[name] for name in ("secret_key", "smtp_password")})
        server.put("secret", "payments", {"stripe_key": stored["stripe_key"]})
        server.policy("myservice", f"{READ.format('myservice')}\n{READ.format('payments')}")
        server.policy("myservice-only", READ.format("myservice"))
        yield server


@pytest.fixture
def service(bao: OpenBao, stored: dict[str, str], tmp_path: Path) -> Service:
    """The service, well configured."""
    folder = tmp_path / "service"
    (folder / "run").mkdir(parents=True)
    password, token = secrets.token_urlsafe(24), bao.token("myservice")
    (folder / ".env").write_text("MYSERVICE_PAGE_SIZE=50\n")
    (folder / "run" / "myservice_database_url").write_text(f"postgresql://shop:{password}@db.example.com/shop")
    (folder / "run" / "myservice_database_url").chmod(0o600)
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(EXAMPLE),
        "PYTHONDONTWRITEBYTECODE": "1",
        "APP_ENV": "staging",
        "MYSERVICE_PUBLIC_URL": "https://shop.example.com",
        "CREDENTIALS_DIRECTORY": "run",
        "VAULT_ADDR": bao.address,
        "VAULT_CACERT": str(bao.ca_cert),
        "VAULT_TOKEN": token,
    }
    return Service(folder, variables, [*stored.values(), password, token])
