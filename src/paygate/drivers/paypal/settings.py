"""Settings of a PayPal account."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from paygate.driver import (
    AmountTable,
    Secret,
    Settings,
    limits_of,
    matching,
    origin_of,
    safe_url,
)
from paygate.drivers.paypal.codes import AMOUNTS

SANDBOX: Final = "https://api-m.sandbox.paypal.com"
LIVE: Final = "https://api-m.paypal.com"

SANDBOX_PAGES: Final = "https://www.sandbox.paypal.com"
LIVE_PAGES: Final = "https://www.paypal.com"


class PayPalSettings(Settings):
    """Settings of one PayPal account; the sandbox and live payments are two accounts."""

    client_id: Annotated[
        str, matching("[A-Za-z0-9_-]{10,255}", "copy the client id from the app in the dashboard")
    ] = Field(description="The client id of the REST app")
    client_secret: Annotated[
        Secret[str], matching(r"[\x21-\x7e]+", "copy the secret from the app in the dashboard")
    ] = Field(description="The secret of the REST app")
    merchant_id: Annotated[
        str,
        matching("[2-9A-HJ-NP-Z]{13}", "a merchant id has 13 capital letters and digits"),
    ] = Field(
        description="PayPal's id of the business account; what names another one is not believed"
    )
    live: bool = Field(default=False, description="Whether the app is a live one, not the sandbox")
    webhook_id: Annotated[
        str,
        matching("[A-Za-z0-9]{1,50}", "copy the id that the dashboard shows", optional=True),
    ] = Field(
        default="",
        description="The id of the webhook in the app, which is part of what PayPal signs. "
        "Without it webhooks are refused",
    )
    webhook_check: Literal["offline", "api"] = Field(
        default="offline",
        description="Who checks the signature of a webhook: this machine, with PayPal's "
        "certificate, or PayPal, in a call for each webhook",
    )
    webhook_authorities: str = Field(
        default="",
        description="Root certificates (PEM) for the signatures of webhooks, for tests; by "
        "default the public authorities. Never for a live account",
    )
    reports: bool = Field(
        default=False,
        description="Whether the app has the feature Transaction Search: then settlements and "
        "fees are read from it",
    )
    vault: bool = Field(
        default=False,
        description="Whether the account may store payers' wallets (Vault) and charge them later",
    )
    vault_usage: Literal[
        "IMMEDIATE",
        "DEFERRED",
        "RECURRING_PREPAID",
        "RECURRING_POSTPAID",
        "THRESHOLD_PREPAID",
        "THRESHOLD_POSTPAID",
    ] = Field(default="RECURRING_POSTPAID", description="For what a stored wallet will be charged")
    immediate_only: bool = Field(
        default=True,
        description="Refuse e-checks and other funding whose money comes days later",
    )
    brand_name: str = Field(
        default="", max_length=127, description="The name that PayPal's page shows to the payer"
    )
    api_base: Annotated[str, safe_url("loopback", optional=True)] = Field(
        default="",
        description="Another address of the API, for tests: never for a live account; http only "
        "on loopback",
    )
    minimum: AmountTable = Field(
        default_factory=dict, description="The smallest amount by currency, such as USD: 1.00"
    )
    maximum: AmountTable = Field(default_factory=dict, description="The largest amount by currency")

    @model_validator(mode="after")
    def _agree(self) -> Self:
        limits_of(self.minimum, self.maximum, AMOUNTS.currencies, "PayPal")
        if self.live and (self.api_base or self.webhook_authorities):
            raise ValueError("api_base and webhook_authorities are for tests: leave them out")
        return self

    @property
    def page_origins(self) -> frozenset[str]:
        """The origins of the pages on which payers approve."""
        own = (origin_of(self.api_base),) if self.api_base else ()
        return frozenset({LIVE_PAGES if self.live else SANDBOX_PAGES, *own})

    @property
    def base(self) -> str:
        """The address of the API."""
        return self.api_base or (LIVE if self.live else SANDBOX)
