"""The tests of the examples, run as a user runs them: with much set that none may read, and with no SDK of a store."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT
from tests.test_docs import blocks_of, run_console

EXAMPLES = ROOT / "docs" / "examples"

# Python imports it at start. What it finds first is not found: as if the SDKs were not installed.
NO_SDKS = """
import sys

SDKS = ("azure", "boto3", "botocore", "google.cloud", "grpc", "hvac")


class Hidden:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if any(f"{name}.".startswith(f"{sdk}.") for sdk in SDKS):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Hidden)
"""

POISON = {
    "APP_ENV": "poisoned",
    "DATABASE_URL": "postgresql://poisoned:poisoned@127.0.0.1:9/poisoned",
    "MYSERVICE_DATABASE_URL": "poisoned",
    "MYSERVICE_PAGE_SIZE": "poisoned",
    "MYSERVICE_SECRET_KEY": "poisoned",
    "MYSERVICE_SENTRY_DSN": "http://poisoned@127.0.0.1:9/1",
    "REPORT_LARGEST": "poisoned",
    "REPORT_ORDERS": "/poisoned",
    "SHOP_DEBUG": "poisoned",
    "SHOP_PAGE_SIZE": "poisoned",
    "AWS_ACCESS_KEY_ID": "poisoned",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_PROFILE": "poisoned",
    "AWS_REGION": "poisoned-1",
    "AWS_SECRET_ACCESS_KEY": "poisoned",
    "BAO_ADDR": "http://127.0.0.1:9",
    "BAO_TOKEN": "poisoned",
    "CREDENTIALS_DIRECTORY": "/poisoned",
    "GOOGLE_APPLICATION_CREDENTIALS": "/poisoned",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "REQUESTS_CA_BUNDLE": "/poisoned",
    "VAULT_ADDR": "http://127.0.0.1:9",
    "VAULT_NAMESPACE": "poisoned",
    "VAULT_SKIP_VERIFY": "true",
    "VAULT_TOKEN": "poisoned",
}


def environment_of_somebody(folder: Path, *, sdks: bool) -> dict[str, str]:
    """An environment with much that no test may read, and the SDKs of stores or none."""
    first = folder / "first-on-the-path"
    first.mkdir()
    (first / "sitecustomize.py").write_text("" if sdks else NO_SDKS)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**POISON, "PATH": path, "HOME": str(folder), "PYTHONPATH": str(first), "PYTHONUTF8": "1"}


def run_tests(name: str, folder: Path, *options: str, sdks: bool) -> str:
    """Run the tests of an example, in a copy with an env file of somebody's; all of them pass.

    Args:
        name: The example.
        folder: An empty one, where the copy is made.
        options: Of the command.
        sdks: Whether the SDKs of stores can be imported.

    Returns:
        What the runner says.
    """
    example = folder / name
    shutil.copytree(EXAMPLES / name, example, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    (example / ".env").write_text("".join(f"{variable}={value}\n" for variable, value in POISON.items()))
    done = subprocess.run(
        [sys.executable, "-m", *options],
        cwd=example,
        env=environment_of_somebody(folder, sdks=sdks),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def passed(output: str) -> int:
    """How many tests passed, none being skipped."""
    found = re.search(r"^(\d+) passed(?:, \d+ deselected)?(?:, \d+ warnings?)? in ", output, re.MULTILINE)
    found = found or re.search(r"^Ran (\d+) tests in .*\n\nOK$", output, re.MULTILINE)
    assert found is not None, output
    return int(found[1])


@pytest.mark.parametrize(("name", "workers"), [("flask-service", "2"), ("fastapi-service", "1")])
def test_tests_without_a_real_store_need_no_sdk(name: str, workers: str, tmp_path: Path) -> None:
    """Where none is there, and variables and an env file say otherwise, all pass in workers of xdist and in any order."""
    options = ("pytest", "-q", "-n", workers, "-m", "not confguard_allow_fetches")
    assert passed(run_tests(name, tmp_path, *options, sdks=False)) >= 10


def test_tests_with_a_real_store_pass(tmp_path: Path) -> None:
    """With all others in one process, and reading nothing of whoever runs them either; they need the SDK of OpenBao."""
    assert passed(run_tests("flask-service", tmp_path, "pytest", "-q", sdks=True)) >= 15


def test_tests_of_unittest_need_nothing_else(tmp_path: Path) -> None:
    """Those of the script pass where neither an SDK nor pytest takes part."""
    assert passed(run_tests("report-script", tmp_path, "unittest", sdks=False)) >= 10


def test_the_page_on_testing_needs_no_sdk(tmp_path: Path) -> None:
    """Who follows the tutorial without any SDK of a store, and has much set, sees what it says."""
    folder = tmp_path / "page"
    folder.mkdir()
    variables = environment_of_somebody(tmp_path, sdks=False)
    for block in blocks_of(ROOT / "docs" / "testing.md"):
        if block.file:
            (folder / block.file).write_text(block.text)
        elif block.language == "console":
            run_console(block, folder, variables)
