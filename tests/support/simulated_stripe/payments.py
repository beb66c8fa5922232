"""PaymentIntents, what is charged under them, and what goes back."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from tests.support.simulated_stripe.cards import Cards
from tests.support.simulated_stripe.state import Json, Refused, invalid, plain

if TYPE_CHECKING:
    from tests.support.simulated_stripe.cards import Behavior

_CANCELABLE = (
    "requires_payment_method",
    "requires_confirmation",
    "requires_action",
    "requires_capture",
)


class Payments(Cards):
    """What takes money, holds it, and sends it back."""

    # --- PaymentIntents --------------------------------------------------------------------------

    def create_intent(self, given: Json) -> Json:
        """Make an intent, and confirm it at once if that is asked for."""
        customer = given.get("customer")
        if customer:
            self.find("customer", customer, "customer")
        method = given.get("payment_method")
        chosen = self.method(method, customer)["id"] if method else None
        intent = self.new(
            "payment_intent",
            "pi",
            amount=int(given["amount"]),
            amount_capturable=0,
            amount_received=0,
            currency=given["currency"],
            capture_method=given.get("capture_method", "automatic_async"),
            customer=customer,
            payment_method=chosen,
            metadata=given.get("metadata", {}),
            description=given.get("description"),
            receipt_email=given.get("receipt_email"),
            shipping=given.get("shipping"),
            statement_descriptor_suffix=given.get("statement_descriptor_suffix"),
            setup_future_usage=given.get("setup_future_usage"),
            status="requires_confirmation" if chosen else "requires_payment_method",
            latest_charge=None,
            last_payment_error=None,
            next_action=None,
            cancellation_reason=None,
            client_secret=f"pi_secret_{self._count}",
        )
        self.tell("payment_intent.created", intent)
        return (
            self.confirm_intent(intent["id"], given) if given.get("confirm") == "true" else intent
        )

    def confirm_intent(self, id_: str, given: Json) -> Json:
        """Charge the card, or ask its payer to authenticate."""
        intent = self.find("payment_intent", id_)
        if intent["status"] not in ("requires_confirmation", "requires_payment_method"):
            raise self._not_now(intent)
        if given.get("payment_method"):
            intent["payment_method"] = self.method(given["payment_method"], intent["customer"])[
                "id"
            ]
        if not intent["payment_method"]:
            raise invalid(
                "parameter_missing", "There is nothing to charge.", param="payment_method"
            )
        method = self.find("payment_method", intent["payment_method"])
        off_session = "off_session" in given and given["off_session"] != "false"
        moto = given.get("payment_method_options", {}).get("card", {}).get("moto") == "true"
        if self.asks(method, off_session=off_session) and not moto:
            if off_session or given.get("error_on_requires_action") == "true":
                reason = "authentication_required" if off_session else "authentication_not_handled"
                raise self._declined(intent, "authentication_required", reason)
            return self._ask(intent, given.get("return_url", ""))
        return self._charge(intent, method)

    def _ask(self, intent: Json, return_url: str) -> Json:
        intent["status"] = "requires_action"
        page = f"{self.url}/authenticate/{intent['id']}"
        intent["next_action"] = (
            {
                "type": "redirect_to_url",
                "redirect_to_url": {"url": page, "return_url": return_url},
            }
            if return_url
            else {"type": "use_stripe_sdk", "use_stripe_sdk": {}}
        )
        self.tell("payment_intent.requires_action", intent)
        return intent

    def authenticate(self, id_: str, *, success: bool) -> Json:
        """Do what the payer does on the bank's page, for a payment or to keep a card."""
        try:
            return self.authenticated(id_, success=success)
        finally:
            self.go_on()

    def authenticated(self, id_: str, *, success: bool) -> Json:
        """Finish what waits for the payer; what the account does afterwards is still to come."""
        kind = "setup_intent" if id_.startswith("seti_") else "payment_intent"
        intent = self.find(kind, id_)
        if intent["status"] != "requires_action":
            raise self._not_now(intent)
        intent["next_action"] = None
        method = self.find("payment_method", intent["payment_method"])
        if kind == "setup_intent":
            return self.set_up(intent, method, success=success)
        if success:
            try:
                return self._charge(intent, method)
            except Refused:
                return intent
        self._fail(
            intent,
            {
                "type": "invalid_request_error",
                "code": "payment_intent_authentication_failure",
                "message": "The payer could not be authenticated.",
            },
        )
        return intent

    def set_up(self, intent: Json, method: Json, *, success: bool) -> Json:
        """Keep a card, or not; whoever keeps cards says how."""
        raise NotImplementedError

    def _charge(self, intent: Json, method: Json) -> Json:
        card = self.card_of(method)
        if card.code:
            raise self._declined(intent, card.code, card.decline_code)
        held = intent["capture_method"] == "manual"
        details = {**method["card"], "network_transaction_id": f"nti{self._count}"}
        if held:
            details["capture_before"] = self.seconds() + 7 * 86400
        charge = self.new(
            "charge",
            "ch",
            amount=intent["amount"],
            amount_captured=0 if held else intent["amount"],
            amount_refunded=0,
            captured=not held,
            currency=intent["currency"],
            payment_intent=intent["id"],
            payment_method=method["id"],
            payment_method_details={"type": "card", "card": details},
            billing_details=method["billing_details"],
            metadata=intent["metadata"],
            status="succeeded",
        )
        method["simulated"]["used"] = True
        if intent["setup_future_usage"] and intent["customer"]:
            method["customer"] = intent["customer"]
            method["simulated"]["set_up"] = True
        amount = intent["amount"]
        intent.update(latest_charge=charge["id"], last_payment_error=None, next_action=None)
        if held:
            intent.update(status="requires_capture", amount_capturable=amount)
            self.tell("payment_intent.amount_capturable_updated", intent)
        else:
            intent.update(status="succeeded", amount_received=amount)
            self._taken(intent, charge)
        return intent

    def _taken(self, intent: Json, charge: Json) -> None:
        """Report that a charge took its money; a card made for that is disputed afterwards."""
        self.tell("payment_intent.succeeded", intent)
        reason = self._card_charged(charge).disputed
        if reason:
            self.afterwards.append(partial(self.dispute, charge["id"], reason))

    def _card_charged(self, charge: Json) -> Behavior:
        return self.card_of(self.find("payment_method", charge["payment_method"]))

    def _declined(self, intent: Json, code: str, decline_code: str) -> Refused:
        more = {"decline_code": decline_code} if decline_code else {}
        error = {"type": "card_error", "code": code, "message": "The card was declined.", **more}
        self._fail(intent, error)
        method = self.find("payment_method", intent["payment_method"])
        about = {"payment_intent": plain(intent), "payment_method": plain(method)}
        return Refused(402, "card_error", code, error["message"], **more, **about)

    def _fail(self, intent: Json, error: Json) -> None:
        intent.update(status="requires_payment_method", last_payment_error=error)
        self.tell("payment_intent.payment_failed", intent)

    def _not_now(self, intent: Json) -> Refused:
        return invalid(
            f"{intent['object']}_unexpected_state",
            f"This {intent['object']} has the status {intent['status']}.",
        )

    def capture_intent(self, id_: str, given: Json) -> Json:
        """Take what is held, or a part of it; the rest is released."""
        intent = self.find("payment_intent", id_)
        if intent["status"] == "canceled" and intent["cancellation_reason"] == "automatic":
            raise invalid("capture_charge_authorization_expired", "The authorization ran out.")
        if intent["status"] != "requires_capture":
            raise self._not_now(intent)
        amount = int(given.get("amount_to_capture") or intent["amount_capturable"])
        if not 0 < amount <= intent["amount_capturable"]:
            raise invalid("amount_too_large", "That is more than is held.")
        charge = self.find("charge", intent["latest_charge"])
        charge.update(captured=True, amount_captured=amount)
        charge["amount_refunded"] = charge["amount"] - amount
        intent.update(status="succeeded", amount_received=amount, amount_capturable=0)
        self._taken(intent, charge)
        return intent

    def cancel_intent(self, id_: str, reason: str | None = None) -> Json:
        """Release what is held, or end what nobody paid."""
        intent = self.find("payment_intent", id_)
        if intent["status"] not in _CANCELABLE:
            raise self._not_now(intent)
        intent.update(status="canceled", cancellation_reason=reason, next_action=None)
        intent["amount_capturable"] = 0
        self.tell("payment_intent.canceled", intent)
        return intent

    def run_out(self) -> None:
        """Cancel the holds whose time is over, as the account does by itself."""
        for intent in self.all("payment_intent"):
            charge = self.objects.get("charge", {}).get(intent["latest_charge"] or "")
            if charge is None or intent["status"] != "requires_capture":
                continue
            if charge["payment_method_details"]["card"]["capture_before"] <= self.seconds():
                self.cancel_intent(intent["id"], "automatic")

    # --- Refunds ---------------------------------------------------------------------------------

    def create_refund(self, given: Json) -> Json:
        """Send money back."""
        charge = self._refunded(given)
        left = charge["amount_captured"] - sum(
            each["amount"]
            for each in self.all("refund")
            if each["charge"] == charge["id"] and each["status"] in ("succeeded", "pending")
        )
        amount = int(given.get("amount", left))
        if not left:
            raise invalid("charge_already_refunded", "It went back before.")
        if amount > left:
            raise invalid("amount_too_large", "That is more than is left.", param="amount")
        disputes = self.all("dispute")
        if any(each["charge"] == charge["id"] for each in disputes):
            raise invalid("charge_disputed", "The charge is disputed.")
        charge["amount_refunded"] += amount
        first, *later = self._card_charged(charge).refunded
        refund = self.new(
            "refund",
            "re",
            amount=amount,
            currency=charge["currency"],
            charge=charge["id"],
            payment_intent=charge["payment_intent"],
            metadata=given.get("metadata", {}),
            reason=given.get("reason"),
            status=first,
        )
        if first == "succeeded":
            refund["balance_transaction"] = f"txn_{refund['id']}"
        self.tell("refund.created", refund)
        for status in later:
            end = self.fail_refund if status == "failed" else self.finish_refund
            self.afterwards.append(partial(end, refund["id"]))
        return refund

    def finish_refund(self, id_: str) -> None:
        """Let a refund that is pending reach the payer."""
        refund = self.find("refund", id_)
        refund.update(status="succeeded", balance_transaction=f"txn_{id_}")
        self.tell("refund.updated", refund, status="pending")

    def fail_refund(self, id_: str) -> None:
        """Let the card's bank send a refund back, days after it was sent."""
        refund = self.find("refund", id_)
        refund.update(status="failed", failure_reason="expired_or_canceled_card")
        refund["failure_balance_transaction"] = f"txn_back_{refund['id']}"
        self.tell("refund.failed", refund, status="succeeded")

    def _refunded(self, given: Json) -> Json:
        if "charge" in given:
            return self.find("charge", given["charge"], "charge")
        intent = self.find("payment_intent", given["payment_intent"], "payment_intent")
        if not intent["latest_charge"]:
            raise self._not_now(intent)
        return self.find("charge", intent["latest_charge"])

    # --- Disputes --------------------------------------------------------------------------------

    def dispute(self, charge: str, reason: str = "fraudulent") -> Json:
        """Let the cardholder dispute a charge, which takes its money at once."""
        about = self.find("charge", charge)
        taken: Json = {"amount": -about["amount_captured"], "currency": about["currency"]}
        dispute = self.new(
            "dispute",
            "dp",
            amount=about["amount_captured"],
            currency=about["currency"],
            charge=charge,
            payment_intent=about["payment_intent"],
            reason=reason,
            status="needs_response",
            balance_transactions=[{**taken, "created": self.seconds(), "fee": 1500}],
        )
        self.tell("charge.dispute.created", dispute)
        self.tell("charge.dispute.funds_withdrawn", dispute)
        return dispute

    # --- What is shown ---------------------------------------------------------------------------

    def shown(self, about: Json, expand: tuple[str, ...] = ()) -> Json:
        """Return an object as it is answered: with what is to be expanded, and nothing of ours."""
        told = plain(about)
        for path in expand:
            name, _, rest = path.partition(".")
            found = self._by_id(told.get(name))
            if found is not None:
                told[name] = self.shown(found, (rest,) if rest else ())
        return told

    def _by_id(self, id_: Any) -> Json | None:
        found = (objects.get(id_) for objects in self.objects.values() if isinstance(id_, str))
        return next((each for each in found if each is not None), None)
