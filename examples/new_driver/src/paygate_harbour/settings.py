"""The settings of an account at Harbour Pay."""

from typing import Annotated

from pydantic import Field

from paygate import driver
from paygate.driver import Secret, Secrets, matching


class Settings(driver.Settings):
    """An account at Harbour Pay."""

    login: Annotated[
        Secret[str], matching("[A-Za-z0-9+/=]+", "a login is the merchant and password in base64")
    ] = Field(description="Merchant and password, base64", examples=["bTpw"])
    webhook_keys: Secrets = Field(
        default=(),
        description="Sign the webhooks; two while one is being replaced. Without any, webhooks "
        "are refused",
        examples=["example"],
    )
    merchant: str = Field(description="The merchant's number", examples=["m-1"])
    live: bool = Field(default=False, description="Whether payments move real money")

    @property
    def mode(self) -> str:
        """The name of the mode in Harbour Pay's responses."""
        return "live" if self.live else "test"
