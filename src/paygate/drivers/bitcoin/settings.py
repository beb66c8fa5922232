"""The settings of a Bitcoin account: its wallet, its node, and the limits of trust."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from paygate.driver import SCALES, AddressPer, Late, PaygateError, Secret, Settings, safe_url
from paygate.drivers.bitcoin.descriptors import Wallet, read_wallet
from paygate.drivers.bitcoin.networks import BitcoinNetwork
from paygate.drivers.bitcoin.payment_uri import COINS_MAX


class Backend(StrEnum):
    """The interface through which the chain is read."""

    CORE = "core"
    ESPLORA = "esplora"


def _are_prices(rates: dict[str, Decimal]) -> dict[str, Decimal]:
    if any(each not in SCALES or not rate.is_finite() or rate <= 0 for each, rate in rates.items()):
        raise ValueError("rates are positive prices of one bitcoin by ISO 4217 code")
    return rates


def _are_counts(steps: dict[Decimal, int]) -> dict[Decimal, int]:
    if any(coins < 0 or not 1 <= count <= 100 for coins, count in steps.items()):
        raise ValueError("confirmations are 1 to 100, by the amount in bitcoin that needs them")
    return steps


Prices: TypeAlias = Annotated[dict[str, Decimal], AfterValidator(_are_prices)]
"""Prices of one bitcoin by currency."""


class RateServer(Settings):
    """A server that publishes prices as JSON."""

    url: Annotated[str, safe_url("private", page=True)] = Field(
        description="The address; {currency} stands for the currency code"
    )
    path: str = Field(
        default="{currency}", description="The path of the price in the JSON, such as data.amount"
    )
    time_path: str = Field(
        default="",
        description="The path of the price's time: Unix seconds, or ISO 8601 with a zone",
    )


class BitcoinSettings(Settings):
    """Settings of one wallet on one network; they hold no key that can spend."""

    network: BitcoinNetwork = Field(description="main, test, signet or regtest")
    wallet: str = Field(
        description="The wallet's output descriptor, such as wpkh([…]xpub…/0/*)#…, or the public "
        "key of its account (xpub, ypub, zpub)",
        repr=False,
    )
    form: str = Field(default="", description="For a bare xpub or tpub: wpkh, tr, sh(wpkh) or pkh")
    backend: Backend = Field(default=Backend.CORE, description="The kind of server at url")
    url: Annotated[str, safe_url("private")] = Field(
        description="The node's RPC (http://127.0.0.1:8332), or the base of an Esplora server "
        "(https://host/api)"
    )
    user: str = Field(default="", description="The RPC user")
    password: Secret[str] | None = Field(default=None, description="The RPC password")
    cookie_file: Path | None = Field(
        default=None,
        description="The node's .cookie instead of user and password; it is read for each request",
    )
    address_per: AddressPer = Field(
        default=AddressPer.INVOICE,
        description="One address for each set of invoices of a payer, or one for each payer",
    )
    gap_limit: int = Field(
        default=20, ge=1, description="How many unpaid addresses in a row the wallet skips"
    )
    confirmations: int = Field(
        default=3, ge=1, le=100, description="How many confirmations make a payment final"
    )
    confirmations_from: Annotated[dict[Decimal, int], AfterValidator(_are_counts)] = Field(
        default_factory=dict[Decimal, int],
        description="More of them if an address receives this many bitcoin or more: {1: 6}",
    )
    accept_unconfirmed_below: Decimal = Field(
        default=Decimal(0),
        ge=0,
        description="Accept payments to an address as soon as the node sees them, up to less "
        "than this many bitcoin in all. They can still be replaced, so this lends to the payer",
    )
    accept_unconfirmed_in_all: Decimal = Field(
        default=Decimal(0),
        ge=0,
        description="How many bitcoin the whole account may lend in this way at a time; 0 means "
        "ten times accept_unconfirmed_below",
    )
    rates: Prices = Field(
        default_factory=dict, description="Fixed prices of one bitcoin by currency"
    )
    rate_servers: tuple[RateServer, ...] = Field(
        default=(),
        description="Servers that publish prices: url, path and time_path of each; if one gives "
        "no price, the next one is asked",
    )
    rate_min: Prices = Field(
        default_factory=dict,
        description="The lowest acceptable price, by currency: {USD: 20000}",
    )
    rate_max: Prices = Field(
        default_factory=dict, description="The highest acceptable price, by currency"
    )
    rate_factor_max: Decimal = Field(
        default=Decimal(10),
        ge=1,
        description="By which factor a price may differ from the last one: that of the quote if "
        "money comes late, that of the last day for a new quote",
    )
    rate_age_minutes: int = Field(
        default=10,
        ge=1,
        description="How old a price may be if its server publishes its time, and how long the "
        "last price is used while no server gives one",
    )
    rate_kept_s: int = Field(
        default=10, ge=0, description="For how many seconds a server's price is reused"
    )
    spread_percent: Decimal = Field(
        default=Decimal(0),
        ge=0,
        lt=100,
        description="How far below the price a bitcoin is valued, as a margin of safety",
    )
    quote_minutes: int = Field(default=15, ge=1, description="How long a quote is valid")
    watch_hours: int = Field(
        default=24, ge=1, description="How long after that the payment stays pending"
    )
    tolerance_percent: Decimal = Field(
        default=Decimal(0), ge=0, le=10, description="How much less still counts as paid in full"
    )
    late: Late = Field(
        default=Late.REPRICE,
        description="What counts if money is seen after its quote has expired: the quote (accept), "
        "the price at that time (reprice), or that price as credit of the customer (credit)",
    )
    late_drift_percent: Decimal = Field(
        default=Decimal(2),
        ge=0,
        le=100,
        description="With late = reprice: how far the price may have moved for the quote to "
        "still count",
    )
    hold_from_percent: int = Field(
        default=10,
        ge=0,
        le=100,
        description="An unconfirmed payment of at least this share of the amount holds the "
        "invoice, up to the payment's value; a smaller one holds nothing until it is confirmed",
    )
    minimum_satoshis: int = Field(
        default=1000, ge=1, le=COINS_MAX, description="The smallest charge"
    )
    maximum_satoshis: int = Field(
        default=COINS_MAX, ge=1, le=COINS_MAX, description="The largest charge"
    )
    label: str = Field(
        default="", max_length=100, description="The payee, as the payer's wallet shows it"
    )
    start_height: int | None = Field(
        default=None,
        ge=0,
        description="The first block to read; by default reorg_depth blocks before the newest",
    )
    reorg_depth: int = Field(
        default=100, ge=10, le=1000, description="The deepest change of the chain that is followed"
    )
    blocks_per_page: int = Field(
        default=20, ge=1, le=500, description="How many blocks are read before they are stored"
    )
    mempool: bool | None = Field(
        default=None,
        description="Read unconfirmed transactions as well. An Esplora server needs a request "
        "for each of them, so by default only a node is asked",
    )

    @property
    def live(self) -> bool:
        """Whether the network's coins are real money."""
        return self.network.live

    def read_wallet(self) -> Wallet:
        """Return the wallet, which was checked when the settings were made."""
        return read_wallet(self.wallet, self.network, self.form)

    def needed_for(self, satoshis: int) -> int:
        """Return the confirmations that *satoshis* need."""
        steps = self.confirmations_from.items()
        more = [count for coins, count in steps if satoshis >= coins * 10**8]
        return max([self.confirmations, *more])

    @property
    def sees_unconfirmed(self) -> bool:
        """Whether unconfirmed transactions are read."""
        return self.backend is Backend.CORE if self.mempool is None else self.mempool

    @property
    def confirmations_most(self) -> int:
        """The most confirmations that any amount needs; a payment that has them is safe."""
        return max([self.confirmations, *self.confirmations_from.values()])

    def trusts(self, at_address: int, in_all: int) -> bool:
        """Return whether this many unconfirmed satoshis are accepted, at one address and in all."""
        below = self.accept_unconfirmed_below
        limit = self.accept_unconfirmed_in_all or 10 * below
        return at_address < below * 10**8 and in_all <= limit * 10**8

    @model_validator(mode="after")
    def _agree(self) -> Self:
        try:
            wallet = self.read_wallet()
        except PaygateError as error:
            raise ValueError(error.message) from None
        if self.minimum_satoshis < wallet.dust:
            raise ValueError(
                f"nodes do not relay payments below {wallet.dust} satoshi to such a wallet"
            )
        if self.maximum_satoshis < self.minimum_satoshis:
            raise ValueError("the maximum is below the minimum")
        if self.rates and self.rate_servers:
            raise ValueError("rates are fixed, or come from rate_servers; not both")
        for currency, lowest in self.rate_min.items():
            if lowest > self.rate_max.get(currency, lowest):
                raise ValueError(f"rate_min is above rate_max in {currency}: no price would do")
        if self.cookie_file is not None and (self.user or self.password is not None):
            raise ValueError("give the cookie file, or user and password; not both")
        if self.user and self.password is None:
            raise ValueError("a user needs a password; or give the cookie file instead of both")
        return self
