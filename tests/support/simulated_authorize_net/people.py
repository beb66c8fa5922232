"""What people and days do to the simulated processor."""

from __future__ import annotations

import secrets
from dataclasses import replace
from decimal import Decimal

from tests.support.simulated_authorize_net.records import Batch, Instrument, Told, local, utc
from tests.support.simulated_authorize_net.sales import LIVE_STATES, Sales
from tests.support.simulated_authorize_net.speech import part


class People(Sales):
    """Payers, their banks, and clerks in the Merchant Interface."""

    def tokenize(self, payment: Told, *, code: str = "") -> str:
        """Make the opaque data that Accept.js would make of a card or bank account; for one use."""
        instrument = Instrument.read(payment)
        assert instrument is not None, "a creditCard or a bankAccount"
        token = f"eyJ{secrets.token_urlsafe(24)}"
        with self._lock:
            self._tokens[token] = instrument
            self._codes[token] = code or part(payment, "creditCard").get("cardCode", "")
        return token

    def settle(self) -> list[Batch]:
        """Close the day: what was captured settles, cards and bank accounts apart."""
        with self._lock:
            made = [self._settle(bank=bank) for bank in (False, True)]
        return [batch for batch in made if batch is not None]

    def _settle(self, *, bank: bool) -> Batch | None:
        states = {
            "capturedPendingSettlement": "settledSuccessfully",
            "refundPendingSettlement": "refundSettledSuccessfully",
        }
        due = [
            one
            for one in self.transactions.values()
            if one.status in states and one.instrument.bank is bank
        ]
        if not due:
            return None
        batch = Batch(
            id=self._number(), at=self.now(), bank=bank, transactions=[one.id for one in due]
        )
        self.batches[batch.id] = batch
        for one in due:
            one.status, one.batch = states[one.status], batch.id
        return batch

    def fail_settlement(self, transaction: str) -> Batch:
        """Let the settlement of a transaction that was approved fail, in a batch of its own."""
        with self._lock:
            one = self.transactions[transaction]
            assert one.status == "capturedPendingSettlement", "only what waits for it can fail"
            batch = Batch(
                id=self._number(),
                at=self.now(),
                bank=one.instrument.bank,
                transactions=[one.id],
                state="settlementError",
            )
            self.batches[batch.id] = batch
            one.status, one.batch = "settlementError", batch.id
        return batch

    def return_e_check(self, transaction: str, code: str = "R01") -> str:
        """Let the payer's bank give a debit back; tell the id of the return."""
        with self._lock:
            one = self.transactions[transaction]
            assert one.instrument.bank, "only debits of bank accounts are returned"
            item = {
                "id": self._number(),
                "dateUTC": utc(self.now()),
                "dateLocal": local(self.now()),
                "code": code,
                "description": "Returned by the bank",
            }
            one.returned.append(item)
            if code.startswith("R"):
                one.status = "returnedItem"
        return str(item["id"])

    def charge_back(self, transaction: str) -> None:
        """Let a card holder dispute a charge, or their bank take it again after a reversal."""
        with self._lock:
            one = self.transactions[transaction]
            assert one.status in ("settledSuccessfully", "chargebackReversal"), one.status
            one.status = "chargeback"

    def win_dispute(self, transaction: str) -> None:
        """Let the merchant win the dispute."""
        with self._lock:
            one = self.transactions[transaction]
            assert one.status == "chargeback", one.status
            one.status = "chargebackReversal"

    def review(self, transaction: str, *, approve: bool) -> None:
        """Decide about what was held for review, as in the Merchant Interface."""
        with self._lock:
            one = self.transactions[transaction]
            if approve:
                hold = one.kind == "authOnlyTransaction"
                one.status = "authorizedPendingCapture" if hold else "capturedPendingSettlement"
            else:
                one.status = "failedReview"
            self._announce(f"fraud.{'approved' if approve else 'declined'}", one)

    def refund_elsewhere(self, transaction: str, amount: str, *, order: str = "") -> str:
        """
        Refund in the Merchant Interface, where nobody knows of paygate.

        Its page copies the invoice number; *order* is what the clerk types instead.
        """
        with self._lock:
            refund = self._refund(
                self.transactions[transaction], Decimal(amount), order=order, reference=""
            )
        return refund.id

    def charge_again_elsewhere(self, transaction: str) -> str:
        """Charge the card of a transaction again in the Merchant Interface, under its number."""
        with self._lock:
            one = self.transactions[transaction]
            copy = replace(one, id=self._number(), our_reference="", fingerprint="")
            self.transactions[copy.id] = copy
            self._announce("authcapture.created", copy)
        return copy.id

    def void_elsewhere(self, transaction: str) -> None:
        """Void in the Merchant Interface."""
        with self._lock:
            one = self.transactions[transaction]
            live = LIVE_STATES | {"refundPendingSettlement"}
            assert one.status in live, "what has settled is refunded"
            one.status, one.settles = "voided", Decimal(0)
            self._announce("void.created", one)
