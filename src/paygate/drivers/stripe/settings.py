"""Settings of a Stripe account."""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from paygate.driver import AmountTable, Secret, Secrets, Settings, limits_of, matching, safe_url
from paygate.drivers.stripe.codes import AMOUNTS

STRIPE: Final = "https://api.stripe.com"
"""The address of the API, the only one that a live key is sent to."""


class StripeSettings(Settings):
    """Settings of one Stripe account; a test key and a live key are two accounts."""

    secret_key: Annotated[
        Secret[str],
        matching(
            "(sk|rk)_(test|live)_[A-Za-z0-9_]+",
            "a secret key begins with sk_test_, sk_live_, rk_test_ or rk_live_; "
            "copy it from the dashboard, not the publishable one (pk_)",
        ),
    ] = Field(
        description="The secret key (sk_…) or a restricted key (rk_…) that may write what is used",
        examples=["sk_test_example"],
    )
    publishable_key: Annotated[
        str,
        matching("pk_.*", "a publishable key begins with pk_, never a secret one", optional=True),
    ] = Field(
        default="",
        description="The key (pk_…) for the payer's browser; without it there is no step in "
        "Stripe's script",
    )
    webhook_secrets: Annotated[
        Secrets,
        matching(
            r"whsec_[\x21-\x7e]+", "a signing secret begins with whsec_; each endpoint has its own"
        ),
    ] = Field(
        default=(),
        description="The signing secrets (whsec_…) of the webhook endpoint; two while one is "
        "being rolled over. Without any, webhooks are refused",
    )
    # Every webhook is compared with it: with a wrong one all are refused.
    account: Annotated[
        str,
        matching(
            "acct_[A-Za-z0-9]+",
            "an account id begins with acct_; the dashboard shows it in Settings",
            optional=True,
        ),
    ] = Field(default="", description="Stripe's id of the account (acct_…)")
    connected_account: Annotated[
        str, matching("acct_[A-Za-z0-9]+", "an account id begins with acct_", optional=True)
    ] = Field(
        default="",
        description="Connect: the account (acct_…) in whose name everything is done, with the key "
        "of the platform",
    )
    transfer_fact: str = Field(
        default="",
        max_length=40,
        description="Connect: the name in metadata under which you give the account (acct_…) that "
        "a charge is transferred to",
    )
    fee_fact: str = Field(
        default="",
        max_length=40,
        description="Connect: the name in metadata under which you give the fee of the platform, "
        'such as "1.25"',
    )
    refunds_reverse_transfers: bool = Field(
        default=False,
        description="Connect: take refunds back from the account that a charge was transferred to",
    )
    checkout_domain: Annotated[str, safe_url(optional=True)] = Field(
        default="",
        description="The address of Stripe's page (Checkout) if it is on a domain of your own, "
        "such as https://pay.example.com",
    )
    api_base: Annotated[
        str, safe_url("loopback"), matching("(?!.*/v1$).*", "leave /v1 out: the driver adds it")
    ] = Field(
        default=STRIPE,
        description="Another address of the API, for tests: never for a live key; http only on "
        "loopback",
    )
    decline_if_authentication_is_needed: bool = Field(
        default=False,
        description="Without a return_url, decline cards that require the payer to authenticate, "
        "instead of asking the host to show Stripe's form",
    )
    minimum: AmountTable = Field(
        default_factory=dict, description="The smallest amount by currency, such as USD: 0.50"
    )
    maximum: AmountTable = Field(default_factory=dict, description="The largest amount by currency")

    @property
    def charged_account(self) -> str:
        """Return whose account everything belongs to: the connected one, or our own."""
        return self.connected_account or self.account

    @property
    def live(self) -> bool:
        """Return whether the key moves real money."""
        return "_live_" in self.secret_key.reveal()[:8]

    @model_validator(mode="after")
    def _agree(self) -> Self:
        limits_of(self.minimum, self.maximum, AMOUNTS.currencies, "Stripe")
        if self.live and self.api_base != STRIPE:
            raise ValueError("a live key is sent to Stripe alone; leave api_base out")
        if self.connected_account and self.transfer_fact:
            raise ValueError("connected_account charges there directly; leave transfer_fact out")
        if self.publishable_key and ("_live_" in self.publishable_key[:8]) is not self.live:
            raise ValueError("one key is for test and the other for live payments")
        return self
