"""The settings of an account at Harbour Pay."""

from pydantic import Field

from paygate import driver
from paygate.driver import Secret


class Settings(driver.Settings):
    """An account at Harbour Pay."""

    login: Secret[str] = Field(description="Merchant and password, base64", examples=["bTpw"])
    webhook_key: Secret[str] = Field(description="Signs the webhooks", examples=["example"])
    merchant: str = Field(description="The merchant's number", examples=["m-1"])
    live: bool = Field(default=False, description="Whether payments move real money")

    @property
    def mode(self) -> str:
        """The name of the mode in Harbour Pay's responses."""
        return "live" if self.live else "test"
