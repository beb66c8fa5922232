"""Wallets and banks whose payers pay on the processor's own page, and need to be there.

    class PennySettings(WalletSettings):
        amounts, page_base = AMOUNTS, "https://pay.penny.example"

    class Penny(Wallet[PennySettings]):
        name = "penny"
        settings_model = PennySettings

        def __init__(self, settings: PennySettings) -> None:
            super().__init__(settings, page_traits(settings, merchant_account="m-1"))

What these drivers share: settings of the account, one rail, `Kind.REDIRECT`, and the charges that
no page can take.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Generic, Self, TypeVar

from pydantic import Field, model_validator

from paygate.domain.action import Redirect
from paygate.domain.kind import Kind, Operation
from paygate.domain.origin import origin_of
from paygate.domain.outcome import ActionRequired
from paygate.driverkit.amounts import Amounts
from paygate.driverkit.headers import time_of
from paygate.driverkit.settings import AmountTable, limits_of, safe_url
from paygate.errors import Unsupported
from paygate.gateway import InquiryBy, NotIdempotent, Rail, Reply, Traits
from paygate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.dialogue import Response
    from paygate.gateway import Applied, Charge, Notice

IN_FLIGHT: Final = timedelta(minutes=20)
"""How long a request can be on its way: a kernel goes on sending for up to 15 minutes."""


class WalletSettings(Settings):
    """Settings of an account whose payers pay on the processor's page."""

    amounts: ClassVar[Amounts]
    """The currencies of the processor."""
    page_base: ClassVar[str]
    """The address below which the processor's pages are."""

    live: bool = Field(default=False, description="Whether the account takes real money")
    api_base: Annotated[str, safe_url("loopback", optional=True)] = Field(
        default="",
        description="Another address of all interfaces, for tests: never for a live account; "
        "http only on loopback",
    )
    minimum: AmountTable = Field(
        default_factory=dict, description="The smallest amount by currency, such as EUR: 1.00"
    )
    maximum: AmountTable = Field(default_factory=dict, description="The largest amount by currency")

    @model_validator(mode="after")
    def _agree(self) -> Self:
        limits_of(self.minimum, self.maximum, self.amounts.currencies, self.amounts.by)
        if self.live and self.api_base:
            raise ValueError("api_base is for tests: leave it out")
        return self

    @property
    def pages(self) -> str:
        """The address below which the pages of this account are."""
        return self.api_base or self.page_base


S = TypeVar("S", bound=WalletSettings)


def page_traits(settings: WalletSettings, rail: Rail | None = None, **more: Any) -> Traits:
    """Return the traits of an account; *rail* and *more* are what differs from the usual."""
    amounts = settings.amounts
    usual = rail or Rail(operations=frozenset({Operation.CHARGE}), withdrawable=False)
    made = replace(
        usual,
        currencies=amounts.currencies,
        limits=limits_of(settings.minimum, settings.maximum, amounts.currencies, amounts.by),
        needs_return_url=True,
        immediate=False,
        payer_present=True,
    )
    facts: dict[str, Any] = {
        "live": settings.live,
        "rails": {Kind.REDIRECT: made},
        "idempotency": NotIdempotent(),
        "inquiry": InquiryBy.OUR_REF,
        "not_found_is_final_after": IN_FLIGHT,
        "max_in_flight": IN_FLIGHT,
        "page_origins": frozenset({origin_of(settings.pages)}),
        **more,
    }
    return Traits(**facts)


def page_action(
    url: str,
    reference: str,
    response: Response | None = None,
    *,
    lasts: timedelta | None = None,
    form: Mapping[str, str] | None = None,
) -> ActionRequired:
    """
    Return the page at *url*, to which the payer's browser posts *form* if it is given.

    With *lasts* it expires that long after the processor's time in *response*.
    """
    now = None if response is None else time_of(response)
    return ActionRequired(
        action=Redirect(url=url, method="POST" if form else "GET", fields=dict(form or {})),
        reference=reference,
        expires_at=None if now is None or lasts is None else now + lasts,
    )


class Wallet(Generic[S]):
    """The base of a driver whose payers pay on the processor's page."""

    name: ClassVar[str]
    """The name of the driver, as in its entry point."""
    return_url_max: ClassVar[int]
    """The longest return URL that the processor takes."""

    def __init__(self, settings: S, traits: Traits) -> None:
        self._settings, self._traits = settings, traits

    def __repr__(self) -> str:
        mode = "live" if self._traits.live else "test"
        return f"{type(self).__name__}({mode} {self._traits.merchant_account})"

    @property
    def traits(self) -> Traits:
        """What this account is and can do."""
        return self._traits

    def check_charge(self, charge: Charge) -> None:
        """Raise `Unsupported` for a charge that no page of the processor can take."""
        amounts = self._settings.amounts
        amounts.whole(charge.amount)
        if charge.method is not None or charge.moto:
            raise Unsupported(f"the payer pays on {amounts.by}'s page; give no method, and no moto")
        if not 0 < len(charge.return_url) <= self.return_url_max:
            raise Unsupported(
                f"{amounts.by} needs a return_url of at most {self.return_url_max} characters"
            )

    def reply(self, notice: Notice, result: Applied) -> Reply:
        """Acknowledge every callback: what it means to us does not concern the processor."""
        del notice, result
        return Reply()
