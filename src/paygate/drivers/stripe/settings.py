"""What a Stripe account needs to be told."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from paygate.driver import Money, Secret, Settings, UsageError
from paygate.drivers.stripe.codes import CURRENCIES

_KEY = re.compile(r"(sk|rk)_(test|live)_[A-Za-z0-9_]+")
_SIGNING = re.compile(r"whsec_[\x21-\x7e]+")
STRIPE: Final = "https://api.stripe.com"
"""Where the API is, and the only place where a live key goes."""

_LOOPBACK = re.compile(r"localhost|127\.\d+\.\d+\.\d+|::1")
_ACCOUNT = re.compile(r"acct_[A-Za-z0-9]+")


class StripeSettings(Settings):
    """Settings of one Stripe account; a test key and a live key are two accounts."""

    secret_key: Secret[str] = Field(
        description="The secret key (sk_…) or a restricted key (rk_…) that may write what is used",
        examples=["sk_test_example"],
    )
    publishable_key: str = Field(
        default="",
        description="The key (pk_…) that the payer's browser uses; without it there is no "
        "step in Stripe's script",
    )
    webhook_secrets: tuple[Secret[str], ...] = Field(
        default=(),
        description="The signing secrets (whsec_…) of the webhook endpoint; two while one is "
        "being rolled over. Without any, webhooks are refused",
    )
    account: str = Field(default="", description="Stripe's id of the account (acct_…)")
    api_base: str = Field(
        default=STRIPE,
        description="Another place of the API, for tests: never for a live key; http only on "
        "loopback",
    )
    decline_if_authentication_is_needed: bool = Field(
        default=False,
        description="Without a return_url, decline cards that want the payer to authenticate, "
        "instead of asking the host to show Stripe's form",
    )
    minimum: dict[str, Decimal] = Field(
        default_factory=dict, description="The smallest amount by currency, such as USD: 0.50"
    )
    maximum: dict[str, Decimal] = Field(
        default_factory=dict, description="The largest amount by currency"
    )

    @property
    def live(self) -> bool:
        """Tell whether the key moves real money."""
        return "_live_" in self.secret_key.reveal()[:8]

    @field_validator("secret_key")
    @classmethod
    def _is_a_secret_key(cls, key: Secret[str]) -> Secret[str]:
        _refuse_blanks(key)
        if not _KEY.fullmatch(key.reveal()):
            raise ValueError(
                "a secret key begins with sk_test_, sk_live_, rk_test_ or rk_live_; "
                "copy it from the dashboard, not the publishable one (pk_)"
            )
        return key

    @field_validator("webhook_secrets", mode="before")
    @classmethod
    def _is_a_list(cls, secrets: object) -> object:
        given: object = secrets
        return (given,) if isinstance(secrets, str | Secret) else given

    @field_validator("webhook_secrets")
    @classmethod
    def _are_signing_secrets(cls, secrets: tuple[Secret[str], ...]) -> tuple[Secret[str], ...]:
        for secret in secrets:
            _refuse_blanks(secret)
        if not all(_SIGNING.fullmatch(secret.reveal()) for secret in secrets):
            raise ValueError("a signing secret begins with whsec_; each endpoint shows its own")
        return secrets

    @field_validator("publishable_key")
    @classmethod
    def _is_publishable(cls, key: str) -> str:
        if key and not key.startswith("pk_"):
            raise ValueError("a publishable key begins with pk_; never give a secret one here")
        return key

    @field_validator("account")
    @classmethod
    def _is_an_account(cls, account: str) -> str:
        # Every webhook is compared with it: a wrong one has them all refused.
        if account and not _ACCOUNT.fullmatch(account):
            raise ValueError("an account id begins with acct_; the dashboard shows it in Settings")
        return account

    @field_validator("api_base")
    @classmethod
    def _is_a_safe_place(cls, address: str) -> str:
        parts = urlsplit(address.rstrip("/"))
        safe = parts.scheme == "https" or (
            parts.scheme == "http" and _LOOPBACK.fullmatch(parts.hostname or "")
        )
        if not safe or not parts.hostname:
            raise ValueError("the key is sent over https only (or over http to this machine)")
        if parts.query or parts.fragment or parts.username:
            raise ValueError("an address without user, query or fragment is needed")
        if parts.path.endswith("/v1"):
            raise ValueError("leave /v1 out: the driver adds it")
        return address.rstrip("/")

    @field_validator("minimum", "maximum")
    @classmethod
    def _are_amounts(cls, amounts: dict[str, Decimal]) -> dict[str, Decimal]:
        for currency, amount in amounts.items():
            try:
                Money.of(currency, amount)
            except UsageError as error:
                raise ValueError(error.message) from None
            if currency not in CURRENCIES:
                raise ValueError(f"Stripe does not take {currency}, or not in a way we trust")
        return amounts

    @model_validator(mode="after")
    def _agree(self) -> Self:
        for currency, least in self.minimum.items():
            if least > self.maximum.get(currency, least):
                raise ValueError(f"minimum is above maximum in {currency}: no amount would do")
        if self.live and self.api_base != STRIPE:
            raise ValueError("a live key is sent to Stripe alone; leave api_base out")
        if self.publishable_key and ("_live_" in self.publishable_key[:8]) is not self.live:
            raise ValueError("one key is for test and the other for live payments")
        return self


def _refuse_blanks(secret: Secret[str]) -> None:
    """Raise if a space or line break is at either end, which is not seen where it came from."""
    if secret.reveal() != secret.reveal().strip():
        raise ValueError("there is a space or line break before or after it; leave it out")
