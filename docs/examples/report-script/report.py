"""Print a signed report of orders: ``python report.py``.

It needs the variable ``REPORT_ORDERS``, which names a CSV file of customers and amounts, and AWS Secrets Manager for the key of
the signature.
"""

import csv
import hmac
import sys
from decimal import Decimal
from operator import itemgetter
from typing import Annotated

from pydantic import FilePath, PositiveInt, SecretStr

from confguard import BaseSettings, ConfigError, From, SettingsConfigDict, validate


class ReportSettings(BaseSettings):
    """Read from the environment, ``.env`` and AWS Secrets Manager, in this order."""

    model_config = SettingsConfigDict(env_prefix="REPORT_", env_file=".env")

    orders: FilePath
    title: str = "Orders"
    largest: PositiveInt = 3
    signing_key: Annotated[SecretStr, From("awssecrets://prod/report#/signing_key")]


def report(settings: ReportSettings) -> str:
    """The customers who ordered most, and a signature, by which a reader knows that nobody has changed the text."""
    totals: dict[str, Decimal] = {}
    with settings.orders.open(newline="", encoding="utf-8") as file:
        for customer, amount in csv.reader(file):
            totals[customer] = totals.get(customer, Decimal(0)) + Decimal(amount)
    largest = sorted(totals.items(), key=itemgetter(1), reverse=True)[: settings.largest]
    lines = [settings.title, *(f"{customer:<12}{amount:>10}" for customer, amount in largest)]
    text = "\n".join(lines)
    signature = hmac.digest(settings.signing_key.get_secret_value().encode(), text.encode(), "sha256").hex()
    return f"{text}\nsignature {signature}"


def main() -> None:
    """Print the report.

    Raises:
        SystemExit: The settings are refused; its text says everything that is wrong with them.
    """
    try:
        settings = validate(ReportSettings)
    except ConfigError as error:
        sys.exit(str(error))
    print(report(settings))


if __name__ == "__main__":
    main()
