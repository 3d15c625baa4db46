"""The settings of the service: what it needs, of which type, and from where."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, HttpUrl, PositiveInt, PostgresDsn, Secret, SecretStr

from confguard import BaseSettings, From, SettingsConfigDict


class AppSettings(BaseSettings):
    """Read from the environment, ``.env``, mounted files and OpenBao or Vault, in this order."""

    model_config = SettingsConfigDict(
        env_prefix="MYSERVICE_",
        env_file=".env",
        # systemd says where it mounts credentials; Docker and most manifests for Kubernetes use /run/secrets.
        secrets_dir=os.environ.get("CREDENTIALS_DIRECTORY", "/run/secrets"),
    )

    app_env: Literal["development", "staging", "production"] = Field(validation_alias="APP_ENV")
    public_url: HttpUrl
    page_size: PositiveInt = 20
    log_file: Path | None = None  # beside standard output
    database_url: Secret[PostgresDsn]  # the variable MYSERVICE_DATABASE_URL, or a mounted file myservice_database_url
    secret_key: Annotated[SecretStr, From("vault://secret/myservice#/secret_key")]
    smtp_password: Annotated[SecretStr, From("vault://secret/myservice#/smtp_password")]
    stripe_key: Annotated[SecretStr, From("vault://secret/payments#/stripe_key")]
    sentry_dsn: Secret[HttpUrl] | None = None  # without it no error is reported
