"""Settings of a Skrill account."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from paygate.driver import Amounts, Secret, WalletSettings, matching, safe_url
from paygate.drivers.skrill.codes import AMOUNTS


class SkrillSettings(WalletSettings):
    """Settings of one Skrill account; a test account is one on the same hosts."""

    amounts: ClassVar[Amounts] = AMOUNTS
    page_base: ClassVar[str] = "https://pay.skrill.com"

    email: Annotated[str, matching("[^ @]+@[^ @]+", "give the account's e-mail address")] = Field(
        max_length=50, description="The e-mail address of the merchant's account"
    )
    merchant_id: Annotated[
        str, matching("[0-9]{1,20}", "copy the customer id, a number, from the account")
    ] = Field(description="Skrill's number of the account; what names another is not believed")
    secret_word: Annotated[
        Secret[str], matching(r"[\x20-\x7e]{1,50}", "copy it from Settings > Developer Settings")
    ] = Field(description="The secret word, with which Skrill signs what it reports")
    api_password: Annotated[
        Secret[str], matching(r"[\x21-\x7e]{8,100}", "copy the API/MQI password, not the login's")
    ] = Field(description="The API/MQI password, for queries and refunds")
    status_url: Annotated[str, safe_url("loopback", optional=True, page=True)] = Field(
        default="",
        max_length=330,
        description="The address of your callbacks for this account. Without it Skrill reports "
        "nothing by itself, and the driver only polls",
    )
    signature: Literal["md5", "sha256"] = Field(
        default="md5",
        description="Which signature is required: sha256 once Skrill's Merchant Services have "
        "enabled it for the account",
    )
    brand_name: str = Field(
        default="", max_length=30, description="The name that Skrill's page shows to the payer"
    )
    session_minutes: int = Field(
        default=15,
        ge=1,
        le=1440,
        description="How long a page that was prepared can be opened; Skrill publishes no time",
    )
