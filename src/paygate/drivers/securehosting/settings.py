"""Settings of a Secure Hosting account."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from paygate import driver
from paygate.driver import AmountTable, Secret, limits_of, matching, safe_url

BY: Final = "Secure Hosting"
TEST, LIVE = "https://test.secure-server-hosting.com", "https://www.secure-server-hosting.com"

_LONG: Final = matching(r"[\x21-\x7e]{8,100}", "it has 8 characters or more")
Url: TypeAlias = Annotated[str, safe_url("loopback", optional=True)]
AMOUNTS: Final = driver.Amounts(
    BY, {name: 2 for name, scale in driver.SCALES.items() if scale == 2}
)


class SecureHostingSettings(driver.Settings):
    """Settings of one Secure Hosting account; test and production are two accounts."""

    shreference: Annotated[str, matching("SH[0-9A-Za-z]{1,20}", "it begins with SH")]
    """The account's reference (SH2…), which is also its login."""
    checkcode: Annotated[str, matching("[0-9A-Za-z]{1,40}", "it has letters and digits only")]
    """The account's second identifier. It is no secret: the form of every page contains it."""
    currency: str = "GBP"
    """The one currency of the account, with two decimals: no seal covers that of a form."""
    live: bool = False
    """Production instead of the test host."""
    password: Secret[str] | None = None
    """The account's password, which refunds need; without it nothing is refunded."""
    shared_secret: Annotated[Secret[str], _LONG] | None = None
    """The shared secret that verifies callbacks; without it there are no callbacks and no page."""
    callback_url: Url = ""
    """The address of this account's callbacks; without it there are no callbacks and no page."""
    phrase: Secret[str] | None = None
    """The phrase of Advanced Secuitems, which seals the amount of a page; without it there is no
    page."""
    template: Annotated[str, matching(r"[\w.-]{1,100}", "it is the name of a file")] = (
        "template.html"
    )
    """The page's template in the account's file manager."""
    page_amounts: Literal["compare", "believe"] = "compare"
    """Alert for each payment on a page, so that somebody compares it with the account's list: a
    callback does not prove its amount. Or believe it."""
    accept_raw_cards: bool = False
    """Charge card numbers that passed through you, so that you must handle card data under PCI DSS.
    """
    currency_field: Literal["currency", "transactioncurrency"] = "currency"
    """The element with the currency of a sale with a card number: public sources differ."""
    timeout_s: float = Field(default=60, ge=15, le=120)
    """How long an answer is waited for; public clients wait 15 or 60 seconds."""
    api_base: Url = ""
    """Another address, for tests; http only on loopback."""
    minimum: AmountTable = Field(default_factory=dict)
    """The smallest amount by currency, such as GBP: 1.00."""
    maximum: AmountTable = Field(default_factory=dict)
    """The largest amount by currency."""

    @property
    def base(self) -> str:
        """The address of the interface and of the page."""
        return self.api_base or (LIVE if self.live else TEST)

    @property
    def hears(self) -> bool:
        """Return whether callbacks are asked for, and verified."""
        return self.shared_secret is not None and bool(self.callback_url)

    @property
    def has_page(self) -> bool:
        """Return whether payers can be sent to the page: its amount is sealed, and it reports."""
        return self.hears and self.phrase is not None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.currency not in AMOUNTS.currencies:
            raise ValueError("currency: three capital letters of one with two decimals, like GBP")
        limits_of(self.minimum, self.maximum, {self.currency}, BY)
        if bool(self.callback_url) is not bool(self.shared_secret):
            raise ValueError("callback_url and shared_secret belong together")
        if self.live and self.api_base:
            raise ValueError("a live account is only at Secure Hosting; leave api_base out")
        return self
