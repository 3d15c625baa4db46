"""Where the settings come from, and what is refused."""

from hypothesis import given, settings
from myservice.settings import AppSettings
from pydantic import SecretStr

from confguard import explain, validate
from confguard.testing import CleanEnvironment, FakeProvider, assert_refuses, fails, problems_of, strategies


def test_each_place_is_read(deployed: CleanEnvironment) -> None:
    """The environment, the env file, the mounted file and the store each give what they have."""
    deployed.dotenv({"MYSERVICE_PAGE_SIZE": "50"})
    origins = {field.field: str(field.origin) for field in explain(validate(AppSettings))}
    assert origins["app_env"] == "env APP_ENV"
    assert origins["page_size"] == "dotenv .env MYSERVICE_PAGE_SIZE"
    assert origins["database_url"] == "mounted run/myservice_database_url"
    assert origins["stripe_key"] == "vault secret/payments#/stripe_key"


def test_a_changed_file_is_read_by_the_next_load(deployed: CleanEnvironment) -> None:
    """When Kubernetes swaps the mounted directory, a process that starts afterwards has the new password."""
    mount = deployed.mounted({"myservice_database_url": "postgresql://shop:first-password@db.test/shop"}, "secrets")
    deployed["CREDENTIALS_DIRECTORY"] = "secrets"
    before = validate(AppSettings)
    mount.swap({"myservice_database_url": "postgresql://shop:second-password@db.test/shop"})
    assert "first-password" in str(before.database_url.get_secret_value())
    assert "second-password" in str(validate(AppSettings).database_url.get_secret_value())


def test_a_changed_key_is_fetched_by_the_next_load(deployed: CleanEnvironment, confguard_fake: FakeProvider) -> None:
    """A key that is rotated in the store is the new one after a restart."""
    validate(AppSettings)
    confguard_fake["vault://secret/payments#/stripe_key"] = "rotated-stripe-key"
    assert validate(AppSettings).stripe_key == SecretStr("rotated-stripe-key")


def test_all_that_is_wrong_is_told_at_once(deployed: CleanEnvironment, confguard_fake: FakeProvider) -> None:
    """A variable that is not set, one that is no number, and a policy that lacks a path are three problems of one report."""
    del deployed["MYSERVICE_PUBLIC_URL"]
    deployed["MYSERVICE_PAGE_SIZE"] = "fifty"
    confguard_fake["vault://secret/payments#/stripe_key"] = fails("denied")
    assert_refuses(AppSettings, missing="public_url", invalid="page_size", denied="stripe_key")


def test_a_mistyped_variable_is_a_warning(deployed: CleanEnvironment) -> None:
    """A variable that no field takes lets the service start, and is told with what it was meant for."""
    deployed["MYSERVICE_PAGE_SIZ"] = "50"
    [warning] = problems_of(AppSettings)
    assert (warning.severity, warning.kind) == ("warning", "unknown")
    assert "MYSERVICE_PAGE_SIZE" in str(warning.tip)


@settings(max_examples=25, deadline=None)
@given(strategies.settings(AppSettings, app_env="production"))
def test_settings_show_no_secret(good: AppSettings) -> None:
    """Neither the text nor the JSON of any settings has a secret in it."""
    for secret in (good.secret_key, good.smtp_password, good.stripe_key):
        assert secret.get_secret_value() not in repr(good) + good.model_dump_json()
