"""The settings of the service: what it needs, of which type, and from where."""

from typing import Annotated, Literal

from pydantic import PositiveInt, SecretStr

from confguard import BaseSettings, From, SettingsConfigDict, lazy, rule


class ShopSettings(BaseSettings):
    """Read from the environment, ``.env`` and Google Cloud Secret Manager, in this order."""

    model_config = SettingsConfigDict(env_prefix="SHOP_", env_file=".env")

    stage: Literal["development", "production"]
    debug: bool = False
    page_size: PositiveInt = 20
    api_key: Annotated[SecretStr, From("gcpsecrets://shop-{stage}/api-key")]

    @rule("debug must be off in production")
    def no_debug_in_production(self) -> bool:
        return not (self.debug and self.stage == "production")


settings = lazy(ShopSettings)  # reads nothing yet: the application loads it when it starts
