"""The most memory that a check takes at once, beside a script that reads the same secrets with the same SDK and nothing of ours.

A script that only imports the SDK and pydantic-settings is told beside it: to read at all takes more than that.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
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
_READERS = {
    "vault": """
client = hvac.Client(url=os.environ["VAULT_ADDR"], token=os.environ["VAULT_TOKEN"], verify=os.environ["VAULT_CACERT"])
def read(name):
    reply = client.secrets.kv.v2.read_secret_version(name, raise_on_deleted_version=True)
    return reply["data"]["data"]["password"]
with ThreadPoolExecutor(16) as threads:
    found = list(threads.map(read, names))
""",
    "aws": """
client = botocore.session.Session().create_client("secretsmanager", region_name=os.environ["AWS_REGION"])
def read(names):
    return [one["SecretString"] for one in client.batch_get_secret_value(SecretIdList=names)["SecretValues"]]
with ThreadPoolExecutor(3) as threads:
    found = list(threads.map(read, [names[at : at + 20] for at in range(0, len(names), 20)]))
""",
    "azure": """
client = azure.keyvault.secrets.SecretClient("https://shop.vault.azure.net", azure.identity.EnvironmentCredential())
with ThreadPoolExecutor(16) as threads:
    found = list(threads.map(lambda name: client.get_secret(name).value, names))
""",
    "gcp": """
import grpc
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceGrpcTransport
credentials = grpc.ssl_channel_credentials(open(os.environ["CA_CERT"], "rb").read())
with grpc.secure_channel(os.environ["TARGET"], credentials) as channel, ThreadPoolExecutor(16) as threads:
    transport = SecretManagerServiceGrpcTransport(channel=channel)
    client = google.cloud.secretmanager_v1.SecretManagerServiceClient(transport=transport)
    def read(name):
        return client.access_secret_version(name=f"projects/shop/secrets/{name}/versions/latest").payload.data
    found = list(threads.map(read, names))
""",
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
            yield _compared(name, folder, environment, names)


def _compared(name: str, folder: Path, variables: Mapping[str, str], names: Sequence[str]) -> Measured:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPYCACHEPREFIX": str(folder / "bytecode"), **variables}
    imports = f"import {_SDKS[name]}, pydantic_settings\n"
    reader = f"{imports}import os\nfrom concurrent.futures import ThreadPoolExecutor\nnames = {names!r}\n{_READERS[name]}"
    arms = [_TELL + code for code in (reader, _CHECK, reader, imports)]
    for code in arms:
        _peak(code, folder, environment)  # leaves the bytecode for all others, as an installation does
    rounds = [[_peak(code, folder, environment) for code in arms] for _ in range(ROUNDS)]
    ratio, a_a, of_imports = (median(peaks[at] / peaks[base] for peaks in rounds) for at, base in ((1, 0), (2, 0), (1, 3)))
    details = {
        "secrets": len(names),
        "baseline_kb": median(peaks[0] for peaks in rounds),
        "candidate_kb": median(peaks[1] for peaks in rounds),
        "imports_kb": median(peaks[3] for peaks in rounds),
        "ratio_of_imports": round(of_imports, 3),
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
    variables = {"TARGET": f"127.0.0.1:{told['port']}", "CA_CERT": told["ca_cert"]}
    return variables, list(told["values"]), {"imports": imports, "config": f"providers=[{provider}]"}
