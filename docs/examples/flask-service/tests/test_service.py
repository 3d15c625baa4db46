"""What the service does with its settings, and that it does not start without them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from myservice import create_app
from myservice.integrations import connect
from myservice.settings import AppSettings

from confguard import validate
from confguard.testing import CleanEnvironment, FakeProvider, assert_refuses, fails, override, then

PAYMENTS = "vault://secret/payments#/stripe_key"


@pytest.mark.usefixtures("deployed")
def test_it_answers() -> None:
    """With all in its place the service starts, and tells in which environment it is."""
    assert create_app().test_client().get("/healthz").json == {"status": "ok", "environment": "staging"}


@pytest.mark.usefixtures("deployed")
@override(AppSettings, page_size=5)
def test_the_page_size_is_shown() -> None:
    """The front page tells the page size of the settings: here another one than any place has."""
    answer = create_app().test_client().get("/").json
    assert answer == {"url": "https://shop.test/", "page_size": 5}


@pytest.mark.usefixtures("deployed")
def test_no_answer_holds_a_secret() -> None:
    """A route that gives a key away by mistake answers with a mask."""
    app = create_app()
    app.add_url_rule("/mistake", view_func=lambda: validate(AppSettings).stripe_key.get_secret_value())
    assert app.test_client().get("/mistake").text == "[redacted]"


def test_logs_are_lines_of_json(confguard_settings: Callable[..., AppSettings], tmp_path: Path) -> None:
    """What the application logs is one object a line, in the file that the settings name."""
    app = Flask("shop")
    connect(app, confguard_settings(AppSettings, log_file=tmp_path / "log"))
    app.logger.warning("two orders", extra={"orders": 2})
    [line] = (tmp_path / "log").read_text().splitlines()
    assert {name: json.loads(line)[name] for name in ("level", "message", "orders")} == {
        "level": "WARNING",
        "message": "two orders",
        "orders": 2,
    }


@pytest.mark.usefixtures("deployed")
def test_it_waits_for_a_throttled_store(confguard_fake: FakeProvider) -> None:
    """A store that wants to be asked later is asked later, and then the service starts."""
    confguard_fake[PAYMENTS] = then(fails("throttled"), "fake-stripe-key")
    assert create_app(wait=30).test_client().get("/healthz").status_code == 200
    assert confguard_fake.asked.count("vault://secret/payments") == 2


@pytest.mark.usefixtures("deployed")
def test_it_does_not_start_while_a_store_is_out(confguard_fake: FakeProvider) -> None:
    """Where it is not told to wait, it is refused at once."""
    confguard_fake[PAYMENTS] = fails("unavailable")
    assert_refuses(create_app, unavailable="stripe_key")


def test_it_does_not_start_with_the_wrong_settings(deployed: CleanEnvironment) -> None:
    """One that has no database and an unknown environment is refused for both."""
    deployed["APP_ENV"] = "prod"
    del deployed["CREDENTIALS_DIRECTORY"]
    assert_refuses(create_app, invalid="app_env", missing="database_url")
