"""Conversations with Stripe.

A charge is two requests. The first creates a PaymentIntent with our ids on it
and names the card; the second confirms it, and only that moves money. One
request could do both, and would save a round trip. But if its answer were lost
we would not know the intent's name, and Stripe cannot be searched by our ids in
time: the search lags by a minute or more. With two, the name is in the ledger
before money can move, so every unknown ends in one GET. A lost first request
has harmed nobody: an intent that nobody confirms is never charged.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from paygate.dialogue import Note
from paygate.domain.method import Kind
from paygate.domain.money import Money
from paygate.domain.outcome import NotFound, Unknown
from paygate.domain.payment import Operation
from paygate.domain.secret import OneTimeToken
from paygate.drivers.stripe import codes, wire
from paygate.drivers.stripe.settings import StripeSettings
from paygate.gateway import InquiryBy, Keyed, Limits, Rail, StoredToken, Traits

if TYPE_CHECKING:
    from paygate.dialogue import Dialogue
    from paygate.domain.outcome import Finding, Outcome
    from paygate.gateway import AccountFacts, Charge, Inquiry

DRIVER_VERSION: Final = "1"
"""Stored with every attempt; it grows when what we send, or read out of an answer, changes."""

# A kernel goes on sending what we wrote, after we gave up, for up to 15 minutes.
IN_FLIGHT: Final = timedelta(minutes=20)

PAGES_MAX: Final = 100


class Stripe:
    """Stripe, API 2026-06-24.dahlia: cards by PaymentMethod, charged at once."""

    name = "stripe"
    settings_model = StripeSettings

    def __init__(self, settings: StripeSettings) -> None:
        self._settings = settings
        self._traits = Traits(
            live=settings.live,
            merchant_account=settings.account,
            driver_version=DRIVER_VERSION,
            rails={
                Kind.CARD: Rail(
                    operations=frozenset({Operation.CHARGE}),
                    currencies=codes.CURRENCIES,
                    limits=_limits(settings),
                    methods=frozenset({OneTimeToken, StoredToken}),
                    closable=False,
                )
            },
            idempotency=Keyed(ttl=timedelta(hours=24), replays_errors=True),
            # By its name, which we have before money can move; by a scan for the rest.
            inquiry=InquiryBy.LIST_SCAN,
            not_found_is_final_after=IN_FLIGHT,
            max_in_flight=IN_FLIGHT,
        )

    def __repr__(self) -> str:
        return f"Stripe({'live' if self._settings.live else 'test'} {self._settings.account})"

    @property
    def traits(self) -> Traits:
        return self._traits

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        """Charge a card; `Unsupported` is raised here, before there is anything to send."""
        wire.check(charge)
        return self._charge(charge)

    def _charge(self, charge: Charge) -> Dialogue[Outcome]:
        reply = yield wire.build_create(self._settings, charge)
        created = wire.parse_create(self._settings, charge, reply)
        if not isinstance(created, wire.Intent):
            return created
        yield Note(created.id)
        reply = yield wire.build_confirm(self._settings, charge, created.id)
        answer = wire.parse_confirm(self._settings, charge, created.id, reply)
        if not isinstance(answer, wire.Moved):
            return answer
        # Usually a repetition of ours, whose first sending worked: what it did is the answer.
        reply = yield wire.build_get(self._settings, created.id)
        finding = wire.parse_get(self._settings, charge.amount, created.id, reply)
        if isinstance(finding, NotFound):
            return Unknown(reason="Stripe refused to confirm a new intent", reference=created.id)
        return finding

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        """Find a charge.

        `NotFound` means that it was not confirmed: Stripe has the intent as we
        made it, or has none with our reference. A confirmation may still be on its
        way, which is why that is final only after a while. An intent that Stripe
        named and now does not know is no such finding: the key is another
        account's, and money may have moved at the first.

        Without a reference nothing was confirmed by this ledger, because the name
        is stored before confirming. The scan is for a ledger that was restored
        from a backup and has lost the name.
        """
        if inquiry.reference:
            reply = yield wire.build_get(self._settings, inquiry.reference)
            return wire.parse_get(self._settings, inquiry.amount, inquiry.reference, reply)
        return (yield from self._scan(inquiry))

    def _scan(self, inquiry: Inquiry) -> Dialogue[Finding]:
        after = ""
        found: list[wire.Intent] = []
        for _ in range(PAGES_MAX):
            reply = yield wire.build_list(self._settings, inquiry, after)
            intents, after = wire.parse_list(self._settings, inquiry, reply)
            found += intents
            if not after:
                return wire.furthest(self._settings, found)
        return Unknown(reason="too many payments of that hour to find this one among them")

    def check(self) -> Dialogue[AccountFacts]:
        """Prove the key without moving money."""
        reply = yield wire.build_check(self._settings)
        return wire.parse_check(self._settings, reply)


def _limits(settings: StripeSettings) -> dict[str, Limits]:
    def minor(amounts: dict[str, Decimal], currency: str) -> int | None:
        amount = amounts.get(currency)
        return None if amount is None else Money.of(currency, amount).minor

    return {
        currency: Limits(minor(settings.minimum, currency), minor(settings.maximum, currency))
        for currency in settings.minimum.keys() | settings.maximum.keys()
    }
