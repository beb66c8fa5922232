"""Cards for trying: the ids that Stripe documents for tests, and how each of them behaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from paygate.testing.simulated_stripe.state import Json, State, invalid

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a card does when it is charged.

    `asks` says when its bank asks the payer to authenticate: ``never``, ``always``, or
    ``once``, which is until it has been set up for charges without the payer.
    """

    code: str = ""
    decline_code: str = ""
    asks: str = "never"
    last4: str = "4242"
    brand: str = "visa"


CARDS: Final[Mapping[str, Behaviour]] = {
    "pm_card_visa": Behaviour(),
    "pm_card_mastercard": Behaviour(brand="mastercard", last4="4444"),
    "pm_card_amex": Behaviour(brand="amex", last4="8431"),
    "pm_card_visa_chargeDeclined": Behaviour("card_declined", "generic_decline", last4="0002"),
    "pm_card_visa_chargeDeclinedInsufficientFunds": Behaviour(
        "card_declined", "insufficient_funds", last4="9995"
    ),
    "pm_card_visa_chargeDeclinedLostCard": Behaviour("card_declined", "lost_card", last4="9987"),
    "pm_card_chargeDeclinedExpiredCard": Behaviour("expired_card", last4="0069"),
    "pm_card_chargeDeclinedIncorrectCvc": Behaviour("incorrect_cvc", last4="0127"),
    "pm_card_chargeDeclinedProcessingError": Behaviour("processing_error", last4="0119"),
    "pm_card_threeDSecure2Required": Behaviour(asks="always", last4="3220"),
    "pm_card_authenticationRequired": Behaviour(asks="always", last4="3184"),
    "pm_card_authenticationRequiredOnSetup": Behaviour(asks="once", last4="3155"),
}
"""The cards by the id that stands for them in every test account."""

NUMBERS: Final[Mapping[str, str]] = {
    "4242424242424242": "pm_card_visa",
    "4000000000000002": "pm_card_visa_chargeDeclined",
    "4000000000009995": "pm_card_visa_chargeDeclinedInsufficientFunds",
    "4000002760003184": "pm_card_authenticationRequired",
    "4000002500003155": "pm_card_authenticationRequiredOnSetup",
}
"""What may be typed on the page, and which card it is."""


class Cards(State):
    """Payment methods: made of what stands for a card, and kept with a customer."""

    def tokenize(self, card: str = "pm_card_visa") -> str:
        """Return the id of a new payment method, as Stripe's form in a browser makes one."""
        return str(self._method(card)["id"])

    def _method(self, card: str) -> Json:
        behaviour = CARDS[card]
        facts = {
            "brand": behaviour.brand,
            "last4": behaviour.last4,
            "exp_month": 8,
            "exp_year": 2034,
            "fingerprint": f"fp{behaviour.last4}",
            "checks": {"cvc_check": "pass", "address_line1_check": None},
        }
        return self.new(
            "payment_method",
            "pm",
            type="card",
            card=facts,
            customer=None,
            billing_details={"name": "Ada Lovelace"},
            simulated={"card": card, "set_up": False},
        )

    def method(self, id_: str, customer: str | None) -> Json:
        """Return a payment method that this customer, or nobody, has; or raise `Refused`."""
        made = (
            self._method(id_)
            if id_ in CARDS
            else self.find("payment_method", id_, "payment_method")
        )
        if made["customer"] not in (None, customer):
            raise invalid(
                "resource_missing",
                "The PaymentMethod belongs to a Customer; give that customer with it.",
                param="payment_method",
            )
        if made["simulated"].get("used") and made["customer"] is None:
            raise invalid("payment_method_unexpected_state", "It was used before, and not kept.")
        return made

    def asks(self, method: Json, *, off_session: bool) -> bool:
        """Return whether the bank wants the payer to authenticate a charge."""
        when = CARDS[method["simulated"]["card"]].asks
        return when == "always" or (
            when == "once" and not (off_session and method["simulated"]["set_up"])
        )
