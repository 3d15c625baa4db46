"""The most memory that a check takes at once, beside a script that only imports the same SDK and pydantic-settings."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from confguard.testing._openbao import OpenBao

from ._measure import Measured
from ._server import server

LIMIT = 1.10
ROUNDS = 7
COUNT = 50

# The high-water mark of the process itself: the one that its parent is told begins with the parent's own.
_TELL = """
import atexit, sys
def tell():
    with open("/proc/self/status") as file:
        sys.stderr.write([line for line in file if line.startswith("VmHWM")][0])
atexit.register(tell)
"""
_CHECK = """
sys.argv = ["confguard", "check", "--quiet", "settings:AppSettings"]
from confguard.cli import main
main()
"""
_SDKS = {
    "vault": "hvac",
    "aws": "botocore.session",
    "azure": "azure.identity, azure.keyvault.secrets",
    "gcp": "google.cloud.secretmanager_v1, google_crc32c",
}
_REFERENCES = {
    "vault": "vault://secret/{}#/password",
    "aws": "awssecrets://{}",
    "azure": "azurekeyvault://shop/{}",
    "gcp": "gcpsecrets://shop/{}",
}
_SETTINGS = """
from typing import Annotated
from pydantic import SecretStr
from confguard import BaseSettings, From, SettingsConfigDict
{imports}
class AppSettings(BaseSettings):
    model_config = SettingsConfigDict({config})
{fields}
"""


def memory() -> Iterator[Measured]:
    for name in _SDKS:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory()))
            store = {"vault": _vault, "aws": _aws, "azure": _azure, "gcp": _gcp}[name]
            environment, names, more = store(stack)
            fields = (
                f"    field_{at}: Annotated[SecretStr, From({_REFERENCES[name].format(one)!r})]" for at, one in enumerate(names)
            )
            (folder / "settings.py").write_text(_SETTINGS.format(fields="\n".join(fields), **more))
            yield _compared(name, folder, environment)


def _compared(name: str, folder: Path, variables: Mapping[str, str]) -> Measured:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPYCACHEPREFIX": str(folder / "bytecode"), **variables}
    bare, check = (_TELL + code for code in (f"import {_SDKS[name]}, pydantic_settings", _CHECK))
    for code in (bare, check):
        _peak(code, folder, environment)  # leaves the bytecode for all others, as an installation does
    arms = [[_peak(code, folder, environment) for code in (bare, check, bare)] for _ in range(ROUNDS)]
    ratio, a_a = (median(arm[at] / arm[0] for arm in arms) for at in (1, 2))
    details = {
        "secrets": COUNT,
        **{f"{who}_kb": median(arm[at] for arm in arms) for at, who in enumerate(("baseline", "candidate"))},
    }
    return Measured(f"memory_{name}", ratio, LIMIT, a_a, ROUNDS, details)


def _peak(code: str, folder: Path, environment: Mapping[str, str]) -> int:
    """The most kilobytes of a process that were in memory at once."""
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=folder, env=dict(environment)
    )
    return int(done.stderr.split()[-2])


_Store = tuple[Mapping[str, str], list[str], Mapping[str, str]]


def _vault(stack: ExitStack) -> _Store:
    bao = stack.enter_context(OpenBao())
    names = [f"app-{number:03}" for number in range(COUNT)]
    bao.mount_kv("secret")
    for name in names:
        bao.put("secret", name, {"password": name})
    variables = {"VAULT_ADDR": bao.address, "VAULT_TOKEN": bao.root_token, "VAULT_CACERT": str(bao.ca_cert)}
    return variables, names, {"imports": "", "config": ""}


def _aws(stack: ExitStack) -> _Store:
    told = stack.enter_context(server("aws", COUNT)).told
    variables = {
        "AWS_ENDPOINT_URL": f"https://127.0.0.1:{told['port']}",
        "AWS_CA_BUNDLE": told["ca_cert"],
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "AKIABENCH",
        "AWS_SECRET_ACCESS_KEY": "of nobody",
    }
    return variables, list(told["values"]), {"imports": "", "config": ""}


def _azure(stack: ExitStack) -> _Store:
    told = stack.enter_context(server("azure", COUNT)).told
    return told["environment"], list(told["values"]), {"imports": "", "config": ""}


def _gcp(stack: ExitStack) -> _Store:
    told = stack.enter_context(server("gcp", COUNT)).told
    imports = "from google.auth.credentials import AnonymousCredentials\nfrom confguard_gcp import GCP"
    provider = (
        f"GCP(endpoint='https://127.0.0.1:{told['port']}', ca_cert={told['ca_cert']!r}, credentials=AnonymousCredentials())"
    )
    return {}, list(told["values"]), {"imports": imports, "config": f"providers=[{provider}]"}
