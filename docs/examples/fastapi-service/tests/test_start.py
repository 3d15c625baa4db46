"""How the service starts, and when it does not."""

import pytest
from fastapi.testclient import TestClient
from shop.app import app

from confguard.testing import CleanEnvironment, FakeProvider, assert_refuses, fails, then

REFERENCE = "gcpsecrets://shop-production/api-key"


@pytest.fixture(autouse=True)
def production(confguard_env: CleanEnvironment, confguard_fake: FakeProvider) -> None:
    """What the service needs in production. A test spoils what it wants."""
    confguard_env["SHOP_STAGE"] = "production"
    confguard_fake[REFERENCE] = "fake-api-key"


def start() -> int:
    """Start the service, ask it how it is, and stop it."""
    with TestClient(app) as client:
        status: int = client.get("/healthz").status_code
    return status


def test_it_fetches_the_key_of_its_stage(confguard_fake: FakeProvider) -> None:
    """In production it asks for the key of production, once, and for no other."""
    assert start() == 200
    assert confguard_fake.asked == (REFERENCE,)


def test_it_waits_for_a_throttled_store(confguard_fake: FakeProvider) -> None:
    """A store that wants to be asked later is asked later, and then the service starts."""
    confguard_fake[REFERENCE] = then(fails("throttled"), "fake-api-key")
    assert start() == 200
    assert confguard_fake.asked == (REFERENCE, REFERENCE)


def test_it_does_not_start_without_a_right(confguard_fake: FakeProvider) -> None:
    """What time does not mend is refused at once, whatever the service would wait."""
    confguard_fake[REFERENCE] = fails("denied")
    assert_refuses(start, denied="api_key")
    assert confguard_fake.asked == (REFERENCE,)


def test_it_does_not_start_with_debug_in_production(confguard_env: CleanEnvironment) -> None:
    """A rule of the settings is broken."""
    confguard_env["SHOP_DEBUG"] = "on"
    assert_refuses(start, rule="no_debug_in_production")


def test_it_does_not_start_without_a_stage(confguard_env: CleanEnvironment, confguard_fake: FakeProvider) -> None:
    """Without its stage nothing says which key is meant, and none is asked for."""
    del confguard_env["SHOP_STAGE"]
    assert_refuses(start, missing="stage")
    assert confguard_fake.asked == ()
