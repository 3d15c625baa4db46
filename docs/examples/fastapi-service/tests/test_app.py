"""The running service."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from fastapi.testclient import TestClient
from shop.app import app
from shop.settings import settings

from confguard.testing import CleanEnvironment, FakeProvider, override

KEY = "fake-api-key"


@pytest.fixture
def client(confguard_env: CleanEnvironment, confguard_fake: FakeProvider) -> Iterator[TestClient]:
    """The service, started, and a client of it."""
    confguard_env["SHOP_STAGE"] = "development"
    confguard_fake["gcpsecrets://shop-{stage}/api-key"] = KEY
    with TestClient(app) as client:
        yield client


def test_it_tells_its_stage(client: TestClient) -> None:
    """Settings of the environment are those of the service."""
    assert client.get("/healthz").json() == {"status": "ok", "stage": "development"}


def test_the_page_size_is_changed_while_it_runs(client: TestClient) -> None:
    """The service reads its handle in threads of its own, and sees what the test overrides until that ends."""
    with override(settings, page_size=2):
        assert client.get("/things").json() == ["thing 0", "thing 1"]
    assert len(client.get("/things").json()) == 20


def test_the_key_is_asked_for(client: TestClient) -> None:
    """Only who sends the key of the store may delete."""
    assert client.delete("/things", headers={"X-API-Key": "another-key"}).status_code == 403
    assert client.delete("/things", headers={"X-API-Key": KEY}).json() == {"deleted": 100}


def test_no_answer_holds_the_key(client: TestClient) -> None:
    """A route that gives the key away by mistake answers with a mask."""
    assert client.get("/mistake").json() == "the key is [redacted]"


@pytest.mark.usefixtures("confguard_env")
def test_two_requests_see_settings_of_their_own() -> None:
    """Two tasks of one event loop override side by side, and neither sees what the other one has."""

    async def length(page_size: int) -> int:
        transport = httpx.ASGITransport(app=app)
        with override(settings, stage="development", api_key=KEY, page_size=page_size, scope="context"):
            async with httpx.AsyncClient(transport=transport, base_url="http://shop.test") as client:
                answer = await client.get("/things")
        return len(answer.json())

    async def both() -> list[int]:
        return list(await asyncio.gather(length(3), length(4)))

    assert asyncio.run(both()) == [3, 4]
