"""Cards for trying: the ids that Stripe documents for tests, and how each of them behaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.support.simulated_stripe.state import Json, State, invalid

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Behavior:
    """
    What a card does when it is kept, charged and refunded.

    A charge is declined with `code` and `decline_code`, if there is a code. Such a card is not
    kept either, unless it `attaches`. `asks` says when its bank asks the payer to authenticate:
    ``never``, ``always``, or ``once``, which is until it is set up for charges without the
    payer; `set_up` says that it is from the beginning. A charge is `disputed` for that reason.
    A refund has one status of `refunded` after another.
    """

    number: str
    brand: str = "visa"
    code: str = ""
    decline_code: str = ""
    attaches: bool = False
    asks: str = "never"
    set_up: bool = False
    disputed: str = ""
    refunded: tuple[str, ...] = ("succeeded",)

    @property
    def kept(self) -> bool:
        """Whether the card can be kept with a customer."""
        return self.attaches or not self.code


def _declined(number: str, decline_code: str) -> Behavior:
    return Behavior(number=number, code="card_declined", decline_code=decline_code)


_DECLINED: Final = _declined("4000000000000002", "generic_decline")
_WITHOUT_FUNDS: Final = _declined("4000000000009995", "insufficient_funds")

CARDS: Final[Mapping[str, Behavior]] = {
    "pm_card_visa": Behavior(number="4242424242424242"),
    "pm_card_visa_debit": Behavior(number="4000056655665556"),
    "pm_card_mastercard": Behavior(number="5555555555554444", brand="mastercard"),
    "pm_card_mastercard_debit": Behavior(number="5200828282828210", brand="mastercard"),
    "pm_card_mastercard_prepaid": Behavior(number="5105105105105100", brand="mastercard"),
    "pm_card_amex": Behavior(number="371449635398431", brand="amex"),
    "pm_card_discover": Behavior(number="6011111111111117", brand="discover"),
    "pm_card_diners": Behavior(number="3056930009020004", brand="diners"),
    "pm_card_jcb": Behavior(number="3566002020360505", brand="jcb"),
    "pm_card_unionpay": Behavior(number="6200000000000005", brand="unionpay"),
    "pm_card_visa_chargeDeclined": _DECLINED,
    "pm_card_visa_chargeDeclinedInsufficientFunds": _WITHOUT_FUNDS,
    "pm_card_visa_chargeDeclinedLostCard": _declined("4000000000009987", "lost_card"),
    "pm_card_visa_chargeDeclinedStolenCard": _declined("4000000000009979", "stolen_card"),
    "pm_card_visa_chargeDeclinedVelocityLimitExceeded": _declined(
        "4000000000006975", "card_velocity_exceeded"
    ),
    # Older names of two of them, which many test suites still use.
    "pm_card_chargeDeclined": _DECLINED,
    "pm_card_chargeDeclinedInsufficientFunds": _WITHOUT_FUNDS,
    "pm_card_chargeDeclinedExpiredCard": Behavior(number="4000000000000069", code="expired_card"),
    "pm_card_chargeDeclinedIncorrectCvc": Behavior(number="4000000000000127", code="incorrect_cvc"),
    "pm_card_chargeDeclinedProcessingError": Behavior(
        number="4000000000000119", code="processing_error"
    ),
    "pm_card_chargeCustomerFail": Behavior(
        number="4000000000000341",
        code="card_declined",
        decline_code="generic_decline",
        attaches=True,
    ),
    "pm_card_threeDSecure2Required": Behavior(number="4000000000003220", asks="always"),
    "pm_card_authenticationRequired": Behavior(number="4000002760003184", asks="always"),
    "pm_card_authenticationRequiredOnSetup": Behavior(number="4000002500003155", asks="once"),
    "pm_card_authenticationRequiredSetupForOffSession": Behavior(
        number="4000003800000446", asks="once", set_up=True
    ),
    "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds": Behavior(
        number="4000008260003178",
        code="card_declined",
        decline_code="insufficient_funds",
        attaches=True,
        asks="always",
    ),
    "pm_card_createDispute": Behavior(number="4000000000000259", disputed="fraudulent"),
    "pm_card_createDisputeProductNotReceived": Behavior(
        number="4000000000002685", disputed="product_not_received"
    ),
    "pm_card_pendingRefund": Behavior(number="4000000000007726", refunded=("pending", "succeeded")),
    "pm_card_refundFail": Behavior(number="4000000000005126", refunded=("succeeded", "failed")),
}
"""The cards by the id that stands for them in every test account, as Stripe documents them.

How a declined charge of `pm_card_chargeCustomerFail` says why, Stripe does not document.
"""

NUMBERS: Final[Mapping[str, str]] = {
    **{card.number: name for name, card in CARDS.items()},
    "378282246310005": "pm_card_amex",
}
"""What may be typed on the page, and which card it is."""


class Cards(State):
    """Payment methods: made of what stands for a card, and kept with a customer."""

    def tokenize(self, card: str = "pm_card_visa") -> str:
        """Return the id of a new payment method, as Stripe's form in a browser makes one."""
        return str(self._method(card)["id"])

    def _method(self, card: str) -> Json:
        behavior = CARDS[card]
        facts = {
            "brand": behavior.brand,
            "last4": behavior.number[-4:],
            "exp_month": 8,
            "exp_year": 2034,
            "fingerprint": f"fp{behavior.number[-4:]}",
            "checks": {"cvc_check": "pass", "address_line1_check": None},
        }
        return self.new(
            "payment_method",
            "pm",
            type="card",
            card=facts,
            customer=None,
            billing_details={"name": "Ada Lovelace"},
            simulated={"card": card, "set_up": behavior.set_up},
        )

    def method(self, id_: str, customer: str | None) -> Json:
        """Return a payment method that this customer, or nobody, has; or raise `Refused`."""
        if id_.startswith("pm_card_") and id_ not in CARDS:
            raise invalid(
                "resource_missing",
                f"No such payment_method: '{id_}'; the simulated Stripe does not know this card.",
                param="payment_method",
            )
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

    def card_of(self, method: Json) -> Behavior:
        """Return which card a payment method stands for."""
        return CARDS[method["simulated"]["card"]]

    def asks(self, method: Json, *, off_session: bool) -> bool:
        """Return whether the bank wants the payer to authenticate a charge."""
        when = self.card_of(method).asks
        return when == "always" or (
            when == "once" and not (off_session and method["simulated"]["set_up"])
        )
