"""The example service against a real OpenBao server, well and badly configured."""

import json
from collections.abc import Callable

import pytest

from confguard.testing._openbao import OpenBao
from tests.e2e.conftest import Service


def test_a_good_configuration_starts(service: Service) -> None:
    """With all four places filled the service starts and answers."""
    started = service.start()
    assert json.loads(started.stdout) == {"environment": "staging", "status": "ok"}
    assert (started.returncode, started.stderr) == (0, "")


def test_a_good_configuration_is_valid(service: Service) -> None:
    """The command exits with 0 and counts where the values came from."""
    checked = service.check()
    counted = "9 fields (3 from vault, 2 from env, 2 from default, 1 from dotenv, 1 from mounted)"
    assert f"AppSettings: valid, {counted}" in checked.stdout
    assert (checked.returncode, checked.stderr) == (0, "")


def test_one_start_makes_three_requests(service: Service, bao: OpenBao) -> None:
    """Three fields in two secrets of one mount cost one question on the mount and two reads."""
    bao.requests()
    assert service.start().returncode == 0
    assert sorted(map(str, bao.requests())) == [
        "read secret/data/myservice",
        "read secret/data/payments",
        "read sys/internal/ui/mounts/secret/myservice",
    ]


def test_what_the_environment_has_is_not_fetched(service: Service, bao: OpenBao) -> None:
    """A bound field that has a variable is not asked for, so a path that is denied does not matter."""
    service.variables |= {"VAULT_TOKEN": bao.token("myservice-only"), "MYSERVICE_STRIPE_KEY": "not from the store"}
    bao.requests()
    assert service.start().returncode == 0
    assert "read secret/data/payments" not in map(str, bao.requests())


def test_four_mistakes_are_one_report(service: Service, bao: OpenBao) -> None:
    """Each mistake is told with what to mend: the policy, the variable as it was typed, the file, the line of the env file."""
    service.break_in_four_ways(bao)
    checked = service.check()
    assert checked.returncode == 78
    for line in (
        'tip        the policy needs: path "secret/data/payments" { capabilities = ["read"] }',
        "tip        MYSERVICE_PUBLC_URL is set. Did you mean MYSERVICE_PUBLIC_URL?",
        "env MYSERVICE_DATABASE_URL, MYSERVICE_DATABASE_URL in .env, env MYSERVICE_DATABASE_URL_FILE, run/myservice_database_url",
        "from       dotenv .env MYSERVICE_PAGE_SIZE",
    ):
        assert f"{line}\n" in checked.stdout
    assert checked.stdout.endswith("\nAppSettings: 4 errors, 0 warnings (myservice.settings)\n")


def test_the_service_refuses_with_the_same_report(service: Service, bao: OpenBao) -> None:
    """`create_app` raises what the command prints."""
    service.break_in_four_ways(bao)
    started = service.start()
    assert (started.returncode, started.stdout) == (1, "")
    first = "stripe_key: denied, and 3 problems more"
    assert started.stderr.endswith(f"confguard.exceptions.ConfigError: {first}\n\n{service.check().stdout}")


def _denied(service: Service, bao: OpenBao) -> None:
    service.variables["VAULT_TOKEN"] = bao.token("myservice-only")


def _no_credential(service: Service, bao: OpenBao) -> None:
    del service.variables["VAULT_TOKEN"]


def _revoked(service: Service, bao: OpenBao) -> None:
    bao.call("POST", "auth/token/revoke", {"token": service.variables["VAULT_TOKEN"]})


def _stopped(service: Service, bao: OpenBao) -> None:
    service.variables["VAULT_ADDR"] = "https://127.0.0.1:9"


def _untrusted(service: Service, bao: OpenBao) -> None:
    del service.variables["VAULT_CACERT"]


def _no_address(service: Service, bao: OpenBao) -> None:
    del service.variables["VAULT_ADDR"]


def _not_mounted(service: Service, bao: OpenBao) -> None:
    (service.folder / "run" / "myservice_database_url").unlink()


@pytest.mark.parametrize(
    ("spoil", "kind", "code"),
    [
        (_denied, "denied", 77),
        (_no_credential, "unauthenticated", 77),
        (_revoked, "unauthenticated", 77),
        (_stopped, "unavailable", 75),
        (_untrusted, "unconfigured", 78),
        (_no_address, "unconfigured", 78),
        (_not_mounted, "missing", 78),
    ],
)
def test_the_exit_code_says_what_helps(
    service: Service, bao: OpenBao, spoil: Callable[[Service, OpenBao], None], kind: str, code: int
) -> None:
    """Each way to fail has its kind, and its exit code tells whether to try again, to mend a permission, or the configuration."""
    spoil(service, bao)
    checked = service.check("--format", "json")
    assert ({problem["kind"] for problem in json.loads(checked.stdout)["problems"]}, checked.returncode) == ({kind}, code)


def test_no_output_holds_a_secret(service: Service, bao: OpenBao) -> None:
    """Neither starts nor reports, good or bad, show what the service can see."""
    outputs = [service.start(), service.check(), service.check("--format", "json"), service.check("--plan")]
    service.break_in_four_ways(bao)
    service.secrets.append(service.variables["VAULT_TOKEN"])
    outputs += [service.start(), service.check(), service.check("--format", "json")]
    everything = "".join(done.stdout + done.stderr for done in outputs)
    assert not [secret for secret in service.secrets if secret in everything]
