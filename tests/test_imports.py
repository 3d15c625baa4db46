"""What is imported by whom: a service pays for it at each start, and an SDK that nobody asked for is one more thing to break."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

# The top modules of the SDKs of all stores, and what they speak HTTP and gRPC with.
SDKS = {"azure", "boto3", "botocore", "google", "grpc", "hvac", "msal", "requests", "urllib3"}
TELL = "import atexit, json, sys; atexit.register(lambda: sys.stderr.write(json.dumps(sorted(sys.modules)))); "


def imported_by(code: str) -> set[str]:
    """The names of all modules that are there when a new interpreter has run some code."""
    done = subprocess.run([sys.executable, "-c", TELL + code], check=True, capture_output=True, text=True)
    return set(json.loads(done.stderr))


@pytest.fixture(scope="module")
def help_of_the_command() -> set[str]:
    """The modules that the installed console script itself imports when it is asked for help."""
    script = Path(sys.executable).with_name("confguard")
    return imported_by(f"import runpy; sys.argv = ['confguard', '--help']; runpy.run_path({str(script)!r}, run_name='__main__')")


def test_what_is_imported_is_seen_at_all() -> None:
    assert {"hvac", "requests"} <= imported_by("import hvac")


@pytest.mark.parametrize("forbidden", [{"pydantic"}, {"pydantic_settings"}, {"click"}, SDKS], ids=sorted)
def test_importing_the_library_alone_imports_neither_pydantic_nor_click_nor_an_sdk(forbidden: set[str]) -> None:
    assert not imported_by("import confguard") & forbidden


def test_asking_the_command_for_help_imports_neither_pydantic_nor_an_sdk(help_of_the_command: set[str]) -> None:
    assert "confguard.cli" in help_of_the_command
    assert not help_of_the_command & {"pydantic", "pydantic_settings", *SDKS}


def test_importing_the_vault_provider_imports_no_sdk() -> None:
    modules = imported_by("from confguard_vault import Vault, AppRole; Vault(address='https://127.0.0.1', auth=AppRole('role'))")
    assert "confguard_vault" in modules
    assert not modules & SDKS


def test_importing_the_aws_provider_imports_no_sdk() -> None:
    modules = imported_by("from confguard_aws import AWS, Agent; AWS(region='eu-west-1', agent=Agent()).requests([])")
    assert "confguard_aws" in modules
    assert not modules & SDKS


def test_importing_the_azure_provider_imports_no_sdk() -> None:
    modules = imported_by("from confguard_azure import AzureKeyVault; AzureKeyVault(vaults={'shop': 'https://127.0.0.1'})")
    assert "confguard_azure" in modules
    assert not modules & SDKS


def test_importing_the_provider_of_google_cloud_imports_no_sdk() -> None:
    modules = imported_by("from confguard_gcp import GCP; GCP(endpoint='https://127.0.0.1', project='shop')")
    assert "confguard_gcp" in modules
    assert not modules & SDKS


def test_the_servers_for_tests_import_nothing_of_what_they_start() -> None:
    modules = imported_by("import confguard.testing; confguard.testing.servers.openbao")
    assert "confguard.testing.servers" in modules
    assert not modules & {"moto", "pydantic", "trustme", "werkzeug", *SDKS}


def test_loading_a_class_without_bindings_imports_neither_an_sdk_nor_a_provider() -> None:
    modules = imported_by("""
import os
os.environ["PASSWORD"] = "a value"
from pydantic import SecretStr
from confguard import BaseSettings, validate
class AppSettings(BaseSettings):
    password: SecretStr
validate(AppSettings)
""")
    assert "confguard._load" in modules
    assert not {name for name in modules if name.partition(".")[0] in SDKS or name.startswith("confguard_")}


def test_a_bound_field_that_the_environment_has_imports_neither_an_sdk_nor_a_provider() -> None:
    modules = imported_by("""
import os
os.environ["PASSWORD"] = "a value"
from typing import Annotated
from pydantic import SecretStr
from confguard import BaseSettings, From, validate
class AppSettings(BaseSettings):
    password: Annotated[SecretStr, From("vault://secret/app#/password")]
validate(AppSettings)
""")
    assert not {name for name in modules if name.partition(".")[0] in SDKS or name.startswith("confguard_")}
