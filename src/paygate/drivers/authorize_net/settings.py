"""Settings of an Authorize.Net account."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import Field, field_validator, model_validator

from paygate import driver
from paygate.driver import Secret, Secrets, digest_key, limits_of, matching, safe_url

BY: Final = "Authorize.Net"
"""The processor's name in errors."""

DUPLICATE_WINDOW_S_MAX: Final = 28_800

CARD_RISK_DAYS: Final = 120
E_CHECK_RISK_DAYS: Final = 397
"""How long money can be taken back; a shorter watch would miss some."""

WATCH_DAYS_MAX: Final = 800

REFUND_DAYS: Final = 120
"""A refund is refused after this many days, by their list of response codes (54)."""

SANDBOX: Final = ("https://apitest.authorize.net", "https://test.authorize.net")
PRODUCTION: Final = ("https://api.authorize.net", "https://accept.authorize.net")
"""The addresses of the interface and of the forms."""

Base: TypeAlias = Annotated[str, safe_url("loopback", optional=True)]


class AuthorizeNetSettings(driver.Settings):
    """Settings of one Authorize.Net account; sandbox and production are two accounts."""

    login: Annotated[
        str, matching(r"[\x21-\x7e]{1,25}", "an API login id has 1 to 25 characters and no spaces")
    ] = Field(repr=False)
    """The API login id (up to 25 characters)."""
    transaction_key: Annotated[
        Secret[str],
        matching(
            r"[\x21-\x7e]{1,16}",
            "a transaction key has 1 to 16 characters and no spaces; the signature key, which is "
            "longer, goes into signature_keys",
        ),
    ]
    """The transaction key (up to 16 characters)."""
    live: bool = False
    """Production instead of the sandbox."""
    signature_keys: Annotated[
        Secrets, matching("[0-9A-Fa-f]{128}", "a signature key has 128 hexadecimal digits")
    ] = ()
    """The signature key, 128 hexadecimal digits, that signs webhooks; two while one is being
    replaced. Without any, webhooks are refused."""
    currency: str = "USD"
    """The one currency of the account, in which its processor settles."""
    client_key: str = ""
    """The public client key for Accept.js, which is passed on to the browser."""
    accept_raw_cards: bool = False
    """Charge card numbers that passed through you, so that you must handle card data under PCI DSS;
    otherwise tokens of Accept.js and stored cards only."""
    accept_raw_bank_accounts: bool = False
    """Charge bank account numbers that passed through you."""
    e_check_type: Literal["WEB", "PPD"] = "WEB"
    """How consumers authorize debits of their bank account: WEB on the internet, PPD in writing.
    The account of a business is always debited as CCD."""
    partial_approvals: bool = False
    """Accept the balance of a prepaid card if it is less than the amount; otherwise the card is
    declined."""
    duplicate_window_s: int = Field(
        default=DUPLICATE_WINDOW_S_MAX, ge=60, le=DUPLICATE_WINDOW_S_MAX
    )
    """How long Authorize.Net refuses the same transaction again; meanwhile a lost answer can be
    found by sending it once more."""
    watch_cards_days: int = Field(default=180, ge=CARD_RISK_DAYS, le=WATCH_DAYS_MAX)
    """How many days after its settlement a card payment is watched for chargebacks; cardholders
    have at least 120 days, and often more."""
    watch_e_checks_days: int = Field(default=400, ge=E_CHECK_RISK_DAYS, le=WATCH_DAYS_MAX)
    """How many days after its settlement a debit of a bank account is watched for returns; at least
    13 months."""
    refund_days: int = Field(default=REFUND_DAYS, ge=1, le=WATCH_DAYS_MAX)
    """How many days after a payment it can be refunded; more than 120 if your contract with
    Authorize.Net says so."""
    validation: Literal["liveMode", "testMode", "none"] = "liveMode"
    """How a card is checked when it is stored; tokens of Accept.js need liveMode."""
    purchase_order_fact: str = Field(default="", max_length=40)
    """The name in metadata under which you give the payer's purchase order number, of up to 25
    characters; business cards cost less with it (Level 2)."""
    tax_fact: str = Field(default="", max_length=40)
    """The name in metadata under which you give the tax within the amount: "1.25"."""
    authorization_indicator: Literal["", "pre", "final"] = ""
    """The sort of a hold, if your processor requires it: pre, whose amount may change, or final."""
    communicator_url: Annotated[str, safe_url("loopback", optional=True, page=True)] = ""
    """Your page that passes on what the hosted form in an iframe says (https; see
    COMMUNICATOR_PAGE)."""
    merchant_name: str = Field(default="", max_length=255)
    """Shown above the order on the hosted form."""
    hosted_bank_accounts: bool = True
    """Offer bank accounts on the hosted form alongside cards."""
    captcha: bool = False
    """Ask for a captcha on the hosted form."""
    api_base: Base = ""
    """Another address of the interface; http only on loopback, for tests."""
    form_base: Base = ""
    """Another address of the forms; http only on loopback, for tests."""
    minimum: Decimal | None = None
    """The smallest amount."""
    maximum: Decimal | None = None
    """The largest amount."""

    @property
    def account(self) -> str:
        """The account's name in output: a digest, because the login id is a credential."""
        return f"anet-{digest_key('authorize_net account', self.login)[:12]}"

    @property
    def limits(self) -> dict[str, driver.Limits]:
        """The smallest and the largest amount, in the one currency."""
        least, most = (
            {} if amount is None else {self.currency: amount}
            for amount in (self.minimum, self.maximum)
        )
        return limits_of(least, most, {self.currency}, BY)

    @property
    def api_url(self) -> str:
        """The address of every call."""
        base = self.api_base or (PRODUCTION if self.live else SANDBOX)[0]
        return f"{base}/xml/v1/request.api"

    @property
    def forms(self) -> str:
        """The address at which the payer's browser opens the forms."""
        return self.form_base or (PRODUCTION if self.live else SANDBOX)[1]

    @field_validator("currency")
    @classmethod
    def _is_a_currency(cls, currency: str) -> str:
        if driver.SCALES.get(currency) != 2:
            raise ValueError(
                "three capital letters of a currency with two digits after the point: USD, CAD"
            )
        return currency

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        _ = self.limits
        if self.live and (self.api_base or self.form_base):
            raise ValueError("a live account is only at Authorize.Net; leave the addresses out")
        return self
