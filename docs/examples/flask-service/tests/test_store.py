"""The service with a real OpenBao: what no fake can tell, such as whether its policy is enough."""

from collections.abc import Iterator

import pytest
from myservice import create_app

from confguard.testing import CleanEnvironment, assert_refuses, servers

pytestmark = pytest.mark.confguard_allow_fetches


@pytest.fixture(scope="session")
def bao_of_all() -> Iterator[servers.Server]:
    """One server for all tests: it takes half a second to start."""
    with servers.openbao() as server:
        yield server


@pytest.fixture
def bao(bao_of_all: servers.Server, confguard_env: CleanEnvironment) -> servers.Server:
    """The server with what the service needs, and the service's environment."""
    bao_of_all.clear()
    bao_of_all.put("vault://secret/myservice", {"secret_key": "fake-secret-key", "smtp_password": "fake-smtp-password"})
    bao_of_all.put("vault://secret/payments", {"stripe_key": "fake-stripe-key"})
    confguard_env.update(bao_of_all.environ)
    confguard_env["APP_ENV"] = "staging"
    confguard_env["MYSERVICE_PUBLIC_URL"] = "https://shop.test"
    confguard_env["MYSERVICE_DATABASE_URL"] = "postgresql://shop:fake-password@db.test/shop"
    return bao_of_all


@pytest.mark.usefixtures("bao")
def test_it_starts_with_a_real_store() -> None:
    """The keys are fetched over TLS, with the token of the service."""
    assert create_app().test_client().get("/healthz").status_code == 200


def test_it_does_not_start_where_the_policy_lacks_a_path(bao: servers.Server) -> None:
    """What the store denies stops the start."""
    bao.deny("vault://secret/payments")
    assert_refuses(create_app, denied="stripe_key")
