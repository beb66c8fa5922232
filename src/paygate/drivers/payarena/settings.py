"""Settings of a Payarena account."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from pydantic import Field
from typing_extensions import override

from paygate.driver import Amounts, Secret, WalletSettings, matching, safe_url

TEST, LIVE = "https://test.payarena.com", "https://cipa.unifiedpaymentsnigeria.com"

AMOUNTS: Final = Amounts("Payarena", {"NGN": 2, "USD": 2})
NUMBERS: Final = {"NGN": 566, "USD": 840}
"""The number of each currency in ISO 4217, by which Payarena names it."""


class PayarenaSettings(WalletSettings):
    """Settings of one merchant at Payarena; test and live are two accounts."""

    amounts: ClassVar[Amounts] = AMOUNTS
    page_base: ClassVar[str] = TEST

    merchant_id: Annotated[
        str, matching("[0-9A-Za-z_-]{1,50}", "copy the Merchant ID from Payarena's mail")
    ] = Field(description="Payarena's id of the merchant")
    secret_key: Annotated[
        Secret[str],
        matching(r"[\x21-\x7e]{8,200}", "copy the Cryptographic Key from Payarena's mail"),
    ] = Field(description="The cryptographic key, which is sent with each payment")
    dollars: bool = Field(
        default=False, description="Whether Payarena has enabled US dollars for the account"
    )
    host: Annotated[str, safe_url("never", optional=True)] = Field(
        default="",
        description="The address of Payarena's interface and pages, if it is another one; no "
        "guide names that for live payments",
    )
    page_hours: int = Field(
        default=24,
        ge=1,
        le=720,
        description="After how long a payment that nobody has finished counts as expired",
    )

    @property
    @override
    def pages(self) -> str:
        return self.api_base or self.host or (LIVE if self.live else TEST)
