"""Settings of a Windcave account."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from paygate import driver
from paygate.driver import AmountTable, Secret, limits_of, matching, safe_url

BY: Final = "Windcave"
TEST, LIVE = "https://uat.windcave.com", "https://sec.windcave.com"

# How a currency with another number of digits is written is not published.
AMOUNTS: Final = driver.Amounts(
    BY, {name: 2 for name, scale in driver.SCALES.items() if scale == 2}
)

Url: TypeAlias = Annotated[str, safe_url("loopback", optional=True)]
_NAME: Final = matching(r"[\x21-\x39\x3b-\x7e]{1,100}", "it has no spaces and no colon")


class WindcaveSettings(driver.Settings):
    """Settings of one Windcave account; UAT and production are two accounts."""

    username: Annotated[str, _NAME]
    """The user name of the REST interface."""
    api_key: Annotated[Secret[str], matching(r"[\x21-\x7e]{8,200}", "an API key has no spaces")]
    """The API key of that user."""
    live: bool = False
    """Production instead of UAT."""
    currencies: tuple[str, ...] = Field(min_length=1)
    """The currencies of the account, such as NZD; only those with two decimals."""
    notification_url: Url = ""
    """Where Windcave reports results: the address of this account's callbacks. Without it there are
    no notifications."""
    form: Literal["page", "fields"] = "page"
    """Windcave's own page, or its hosted fields in a page of the host."""
    avs_action: int | None = Field(default=None, ge=0, le=9)
    """Send the payer's address with this avsAction, as agreed with Windcave; without it no address
    is sent to be checked."""
    recurring_frequency: Literal["daily", "weekly", "every2weeks", "every4weeks", "monthly"] = (
        "monthly"
    )
    """How often recurring charges are made."""
    original_field: Literal["transactionId", "originalTransactionId", "transaction2Id"] = (
        "transactionId"
    )
    """The field in which a capture, void or refund names its transaction: public clients differ, so
    ask Windcave if yours are refused."""
    pxpost_username: Annotated[str, matching(r"[\x21-\x7e]{0,100}", "it has no spaces")] = ""
    """The user of PxPost. With it stored cards are charged there, and a lost answer can be found
    again."""
    pxpost_password: Secret[str] | None = None
    """The password of that user."""
    api_base: Url = ""
    """Another address, for tests; http only on loopback."""
    minimum: AmountTable = Field(default_factory=dict)
    """The smallest amount by currency, such as NZD: 1.00."""
    maximum: AmountTable = Field(default_factory=dict)
    """The largest amount by currency."""

    @property
    def base(self) -> str:
        """The address of both interfaces, the pages and the scripts."""
        return self.api_base or (LIVE if self.live else TEST)

    @property
    def has_pxpost(self) -> bool:
        """Return whether stored cards are charged through PxPost."""
        return bool(self.pxpost_username)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        for currency in self.currencies:
            if currency not in AMOUNTS.currencies:
                raise ValueError(f"currencies: {currency[:3]} does not have two decimal places")
        limits_of(self.minimum, self.maximum, self.currencies, BY)
        if bool(self.pxpost_username) is not bool(self.pxpost_password):
            raise ValueError("pxpost_username and pxpost_password belong together")
        if self.live and self.api_base:
            raise ValueError("a live account is only at Windcave; leave api_base out")
        return self
