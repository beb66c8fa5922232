"""Orders, and the authorizations, captures and refunds that are made of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from tests.support.simulated_paypal.state import HIDDEN, Json, State, unprocessable

WITHOUT_DIGITS: Final = {"HUF", "JPY", "TWD"}
_TWO_DIGITS: Final = """
    AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD ILS MXN MYR NOK NZD PHP PLN SEK SGD THB USD
"""
CURRENCIES: Final = WITHOUT_DIGITS | set(_TWO_DIGITS.split())
LAPSES: Final = timedelta(hours=3)
HOLD_LASTS: Final = timedelta(days=29)
FEE: Final = Decimal("0.0349")

ISSUES: Final = {
    "instrument declined": "INSTRUMENT_DECLINED",
    "refused": "TRANSACTION_REFUSED",
    "locked": "PAYER_ACCOUNT_LOCKED_OR_CLOSED",
}
"""Payers whose payment is refused, and how."""


def value(money: Json) -> Decimal:
    """Return the number of an amount."""
    return Decimal(money["value"])


def money(currency: str, number: Decimal) -> Json:
    """Return an amount as PayPal writes it."""
    digits = 0 if currency in WITHOUT_DIGITS else 2
    return {"currency_code": currency, "value": f"{number:.{digits}f}"}


def checked(amount: Json) -> Json:
    """Return *amount*, or raise `Refused`."""
    currency, text = amount["currency_code"], amount["value"]
    if currency not in CURRENCIES:
        raise unprocessable("INVALID_CURRENCY_CODE")
    if currency in WITHOUT_DIGITS and "." in text:
        raise unprocessable("DECIMALS_NOT_SUPPORTED")
    if len(text.partition(".")[2]) > 2:
        raise unprocessable("DECIMAL_PRECISION")
    if Decimal(text) <= 0:
        raise unprocessable("CANNOT_BE_ZERO_OR_NEGATIVE")
    return amount


class Orders(State):
    """The money of one account: who approves an order, and what becomes of it."""

    # --- The order -------------------------------------------------------------------------------

    def create_order(self, given: Json) -> Json:
        """Create an order; with a wallet as its source the payer has to approve it."""
        [unit] = given["purchase_units"]
        checked(unit["amount"])
        wallet = given.get("payment_source", {}).get("paypal")
        order = self.new(
            "order",
            intent=given["intent"],
            status="CREATED" if wallet is None else "PAYER_ACTION_REQUIRED",
            purchase_units=[{**unit, "payee": {"merchant_id": self.merchant_id}}],
            **{HIDDEN: {"payer": "", "source": wallet or {}}},
        )
        if wallet is not None:
            order["payment_source"] = {"paypal": {}}
            site = self.url or "https://www.sandbox.paypal.com"
            href = f"{site}/checkoutnow?token={order['id']}"
            order["links"] = [{"href": href, "rel": "payer-action", "method": "GET"}]
        return self.put("order", order)

    def approve(self, id_: str, payer: str = "ada") -> Json:
        """Let a payer approve an order on the page."""
        order = self.find("order", id_)
        if order["status"] not in ("PAYER_ACTION_REQUIRED", "APPROVED"):
            raise unprocessable("ORDER_COMPLETED_OR_VOIDED")
        order[HIDDEN]["payer"] = payer
        self.changed("order", order, status="APPROVED", links=[])
        self.tell("CHECKOUT.ORDER.APPROVED", order, "checkout-order")
        return order

    def lapse(self) -> None:
        """Drop orders that nobody approved or took, and release holds whose time is over."""
        now = self.now()
        for order in list(self.all("order")):
            old = now - datetime.fromisoformat(order["create_time"]) > LAPSES
            if old and order["status"] in ("CREATED", "PAYER_ACTION_REQUIRED", "APPROVED"):
                del self.objects["order"][order["id"]]
        for hold in self.all("authorization"):
            ends = datetime.fromisoformat(hold["expiration_time"])
            if ends <= now and hold["status"] in ("CREATED", "PARTIALLY_CAPTURED"):
                self.changed("authorization", hold, status="VOIDED")
                self.tell("PAYMENT.AUTHORIZATION.VOIDED", hold, "authorization")

    def take_order(self, id_: str, intent: str, given: Json) -> Json:
        """Capture or authorize an order."""
        order = self.find("order", id_)
        if order["intent"] != intent:
            raise unprocessable("ACTION_DOES_NOT_MATCH_INTENT")
        if order["status"] == "COMPLETED":
            done = "CAPTURED" if intent == "CAPTURE" else "AUTHORIZED"
            raise unprocessable(f"ORDER_ALREADY_{done}")
        stored = given.get("payment_source", {}).get("paypal", {}).get("vault_id")
        if order["status"] != "APPROVED" and not stored:
            raise unprocessable("ORDER_NOT_APPROVED")
        payer = self._owner(stored) if stored else order[HIDDEN]["payer"]
        self._decline(order, payer)
        [unit] = order["purchase_units"]
        (self._capture if intent == "CAPTURE" else self._hold)(order, unit, payer)
        source: Json = {"email_address": f"{payer.replace(' ', '.')}@example.org"}
        attributes = order[HIDDEN]["source"].get("attributes", {})
        if "vault" in attributes:
            source["attributes"] = {"vault": self.keep_wallet(payer, attributes.get("customer"))}
        self.changed("order", order, status="COMPLETED", payment_source={"paypal": source})
        self.tell("CHECKOUT.ORDER.COMPLETED", self.shown(order), "checkout-order")
        return self.shown(order)

    def shown(self, order: Json) -> Json:
        """Return an order with the payments that were made of it."""
        made = {
            what: found
            for what in ("authorization", "capture", "refund")
            if (found := [each for each in self.all(what) if each[HIDDEN]["order"] == order["id"]])
        }
        [unit] = order["purchase_units"]
        payments = {f"{what}s": found for what, found in made.items()}
        return {**order, "purchase_units": [{**unit, "payments": payments} if made else unit]}

    def _owner(self, vault_id: str) -> str:
        tokens = self.objects.get("token", {})
        if vault_id not in tokens:
            raise unprocessable("TOKEN_ID_NOT_FOUND")
        return str(tokens[vault_id][HIDDEN]["payer"])

    def _decline(self, order: Json, payer: str) -> None:
        if payer == "declined once":
            order[HIDDEN]["payer"] = "ada"
            raise unprocessable("INSTRUMENT_DECLINED")
        if payer in ISSUES:
            raise unprocessable(ISSUES[payer])

    def keep_wallet(self, payer: str, customer: Json | None = None) -> Json:
        """Store the wallet of *payer*."""
        known = customer or {"id": f"cust-{payer}"}
        return self.new("token", status="VAULTED", customer=known, **{HIDDEN: {"payer": payer}})

    # --- Captures and holds ----------------------------------------------------------------------

    def _capture(self, order: Json, unit: Json, payer: str, **more: Any) -> Json:
        amount = more.get("amount") or unit["amount"]
        status, reason = self._status(amount, payer)
        capture = self.new(
            "capture",
            **{
                "status": status,
                "amount": amount,
                "custom_id": unit.get("custom_id", ""),
                "invoice_id": unit.get("invoice_id", ""),
                "final_capture": True,
                "payee": {"merchant_id": self.merchant_id},
                "supplementary_data": {"related_ids": {"order_id": order["id"]}},
                HIDDEN: {"order": order["id"]},
                **more,
            },
        )
        if reason:
            capture["status_details"] = {"reason": reason}
            self.put("capture", capture)
        self._tell_of(capture)
        return capture

    def _status(self, amount: Json, payer: str) -> tuple[str, str]:
        if amount["currency_code"] in self.not_held:
            return "PENDING", "RECEIVING_PREFERENCE_MANDATES_MANUAL_ACTION"
        if payer == "fails":
            return "DECLINED", ""
        return ("PENDING", "ECHECK") if payer == "e-check" else ("COMPLETED", "")

    def _tell_of(self, capture: Json) -> None:
        if capture["status"] == "COMPLETED":
            self._record(capture, "T0006", value(capture["amount"]))
        self.tell(f"PAYMENT.CAPTURE.{capture['status']}", capture, "capture")

    def clear(self, id_: str, *, denied: bool = False) -> Json:
        """Decide a pending capture."""
        capture = self.find("capture", id_)
        self.changed("capture", capture, status="DECLINED" if denied else "COMPLETED")
        if denied:
            self.tell("PAYMENT.CAPTURE.DENIED", capture, "capture")
        else:
            self._tell_of(capture)
        return capture

    def _hold(self, order: Json, unit: Json, payer: str) -> Json:
        del payer
        hold = self.new(
            "authorization",
            status="CREATED",
            amount=unit["amount"],
            custom_id=unit.get("custom_id", ""),
            invoice_id=unit.get("invoice_id", ""),
            expiration_time=self.time(HOLD_LASTS),
            supplementary_data={"related_ids": {"order_id": order["id"]}},
            **{HIDDEN: {"order": order["id"]}},
        )
        self.tell("PAYMENT.AUTHORIZATION.CREATED", hold, "authorization")
        return hold

    def capture_hold(self, id_: str, given: Json) -> Json:
        """Capture a hold, or a part of it."""
        hold = self.find("authorization", id_)
        if hold["status"] not in ("CREATED", "PARTIALLY_CAPTURED"):
            raise unprocessable(f"AUTHORIZATION_{_WHY.get(hold['status'], 'DENIED')}")
        order = self.find("order", hold[HIDDEN]["order"])
        [unit] = order["purchase_units"]
        amount = checked(given.get("amount") or hold["amount"])
        taken = sum((value(each["amount"]) for each in self._captures(order)), Decimal(0))
        if taken + value(amount) > value(hold["amount"]):
            raise unprocessable("MAX_CAPTURE_AMOUNT_EXCEEDED")
        final = given.get("final_capture", False)
        more = {"amount": amount, "final_capture": final}
        if "invoice_id" in given:
            more["invoice_id"] = given["invoice_id"]
        capture = self._capture(order, unit, "", **more)
        whole = final or taken + value(amount) == value(hold["amount"])
        status = "CAPTURED" if whole else "PARTIALLY_CAPTURED"
        self.changed("authorization", hold, status=status)
        return capture

    def _captures(self, order: Json) -> list[Json]:
        return [each for each in self.all("capture") if each[HIDDEN]["order"] == order["id"]]

    def void_hold(self, id_: str) -> Json:
        """Release a hold."""
        hold = self.find("authorization", id_)
        if hold["status"] == "VOIDED":
            raise unprocessable("PREVIOUSLY_VOIDED")
        if hold["status"] == "CAPTURED":
            raise unprocessable("PREVIOUSLY_CAPTURED")
        self.changed("authorization", hold, status="VOIDED")
        self.tell("PAYMENT.AUTHORIZATION.VOIDED", hold, "authorization")
        return hold

    # --- Money that goes back --------------------------------------------------------------------

    def refund(self, id_: str, given: Json | None = None, status: str = "COMPLETED") -> Json:
        """Send money of a capture back, as a merchant does by the interface or on the site."""
        capture, given = self.find("capture", id_), given or {}
        if capture["status"] == "PENDING":
            raise unprocessable("PENDING_CAPTURE")
        if any(each["status"] == "OPEN" for each in self.disputes_of(id_)):
            raise unprocessable("TRANSACTION_DISPUTED")
        left = value(capture["amount"]) - self.gone(id_)
        if left <= 0:
            raise unprocessable("CAPTURE_FULLY_REFUNDED")
        amount = given.get("amount") or money(capture["amount"]["currency_code"], left)
        if checked(amount)["currency_code"] != capture["amount"]["currency_code"]:
            raise unprocessable("REFUND_CAPTURE_CURRENCY_MISMATCH")
        if value(amount) > left:
            raise unprocessable("REFUND_AMOUNT_EXCEEDED")
        return self._went_back(capture, amount, given, status)

    def _went_back(self, capture: Json, amount: Json, given: Json, status: str) -> Json:
        base = "https://api-m.sandbox.paypal.com/v2/payments/captures/"
        refund = self.new(
            "refund",
            status=status,
            amount=amount,
            links=[{"href": base + capture["id"], "rel": "up", "method": "GET"}],
            **{name: given[name] for name in ("custom_id", "invoice_id") if name in given},
            **{HIDDEN: {"capture": capture["id"], "order": capture[HIDDEN]["order"]}},
        )
        whole = self.gone(capture["id"]) == value(capture["amount"])
        self.changed("capture", capture, status="REFUNDED" if whole else "PARTIALLY_REFUNDED")
        if status == "COMPLETED":
            self._record(refund, "T1107", -value(amount), capture["id"])
            self.tell("PAYMENT.CAPTURE.REFUNDED", refund, "refund")
        return refund

    def gone(self, capture: str) -> Decimal:
        """Return how much of a capture was refunded, or is about to be."""
        refunds = [each for each in self.all("refund") if each[HIDDEN]["capture"] == capture]
        return sum(
            (value(each["amount"]) for each in refunds if each["status"] != "FAILED"), Decimal(0)
        )

    # --- Disputes --------------------------------------------------------------------------------

    def disputes_of(self, capture: str) -> list[Json]:
        """Return the disputes of a capture, the oldest first."""
        return [each for each in self.all("dispute") if each[HIDDEN]["capture"] == capture]

    def dispute(self, id_: str, reason: str = "UNAUTHORISED") -> Json:
        """Let the payer dispute a capture: the money is taken at once."""
        capture = self.find("capture", id_)
        dispute = self.new(
            "dispute",
            status="OPEN",
            reason=reason,
            dispute_amount=capture["amount"],
            disputed_transactions=[
                {
                    "seller_transaction_id": id_,
                    "custom": capture["custom_id"],
                    "seller": {"merchant_id": self.merchant_id},
                }
            ],
            seller_response_due_date=self.time(timedelta(days=10)),
            money_movements=[],
            **{HIDDEN: {"capture": id_}},
        )
        dispute["dispute_id"] = f"PP-D-{dispute['id']}"
        self._move(dispute, "DEBIT")
        self.tell("CUSTOMER.DISPUTE.CREATED", dispute, "dispute")
        return dispute

    def turn(self, id_: str, *, won: bool) -> Json:
        """Decide a dispute, perhaps once more: the money comes back, or goes again."""
        dispute = self.find("dispute", id_)
        taken = dispute["money_movements"][-1]["type"] == "DEBIT"
        if won == taken:
            self._move(dispute, "CREDIT" if won else "DEBIT")
        code = "RESOLVED_SELLER_FAVOUR" if won else "RESOLVED_BUYER_FAVOUR"
        self.changed("dispute", dispute, status="RESOLVED", dispute_outcome={"outcome_code": code})
        self.tell("CUSTOMER.DISPUTE.RESOLVED", dispute, "dispute")
        return dispute

    def _move(self, dispute: Json, direction: str) -> None:
        dispute["money_movements"].append(
            {
                "affected_party": "SELLER",
                "amount": dispute["dispute_amount"],
                "initiated_time": self.time(timedelta(seconds=len(dispute["money_movements"]))),
                "type": direction,
                "reason": "DISPUTE_SETTLEMENT",
            }
        )
        sign = -1 if direction == "DEBIT" else 1
        code = "T1201" if direction == "DEBIT" else "T1202"
        number = sign * value(dispute["dispute_amount"])
        self._record(dispute, code, number, dispute[HIDDEN]["capture"])
        self.put("dispute", dispute)

    # --- The report ------------------------------------------------------------------------------

    def _record(self, about: Json, code: str, number: Decimal, of: str = "") -> None:
        """Keep a row of the transaction report."""
        currency = (about.get("amount") or about["dispute_amount"])["currency_code"]
        row: Json = {
            "transaction_id": about["id"],
            "transaction_event_code": code,
            "transaction_initiation_date": self.time(),
            "transaction_updated_date": self.time(),
            "transaction_amount": money(currency, number),
            "transaction_status": "S",
        }
        if code == "T0006":
            row["fee_amount"] = money(currency, -(number * FEE))
        if about.get("custom_id"):
            row["custom_field"] = about["custom_id"]
        if of:
            row |= {"paypal_reference_id": of, "paypal_reference_id_type": "TXN"}
        self.new("row", **{HIDDEN: {}}, row=row)

    def received(self) -> Decimal:
        """Return how much money the account has received and still has, without fees."""
        rows = [each["row"] for each in self.all("row")]
        return sum((value(row["transaction_amount"]) for row in rows), Decimal(0))


_WHY: Final = {"CAPTURED": "ALREADY_CAPTURED", "VOIDED": "VOIDED"}
