"""Transactions at the simulated processor: charged, held, captured, voided, refunded."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Final

from tests.support.simulated_authorize_net.records import Instrument, Told, Transaction
from tests.support.simulated_authorize_net.speech import (
    TEXTS,
    failed,
    listed,
    ok,
    part,
    write,
)
from tests.support.simulated_authorize_net.state import State

CENT: Final = Decimal("0.01")

# What their sandbox makes of a postal code and of a security code.
AVS_OF_ZIP: Final = {
    "46201": "A",
    "46203": "E",
    "46204": "G",
    "46205": "N",
    "46206": "P",
    "46207": "R",
    "46208": "S",
    "46209": "U",
    "46211": "W",
    "46214": "X",
    "46217": "Z",
}
CVV_OF_CODE: Final = {"900": "M", "901": "N", "902": "S", "903": "U", "904": "P"}
ZIP_DECLINES: Final = "46282"
ZIP_APPROVES_A_PART: Final = "46225"
PART: Final = Decimal("1.23")
E_CHECKS_UP_TO: Final = Decimal("100.00")
LIVE_STATES: Final = frozenset({"capturedPendingSettlement", "authorizedPendingCapture"})


class Sales(State):
    """What becomes of a request for a transaction."""

    def create_transaction(self, told: Told) -> tuple[str, Told]:
        """Charge, hold, capture, void or refund."""
        request: Told = told["transactionRequest"]
        handler = {
            "authCaptureTransaction": self._sale,
            "authOnlyTransaction": self._sale,
            "priorAuthCaptureTransaction": self._capture,
            "voidTransaction": self._void,
            "refundTransaction": self._credit,
        }.get(request["transactionType"])
        if handler is None:
            return "ErrorResponse", {"messages": failed("E00060")}
        answer = handler(request, told.get("refId", ""))
        if isinstance(answer, str):
            return "ErrorResponse", {"messages": failed(answer)}
        bad = answer["responseCode"] == "3"
        return "createTransactionResponse", {
            "messages": failed("E00027") if bad else ok(),
            "transactionResponse": answer,
        }

    def _sale(self, request: Told, reference: str) -> Told | str:
        found = self._instrument(request)
        if isinstance(found, str):
            return found
        instrument, code, profile = found
        amount = _amount(request.get("amount", ""))
        if amount is None or amount <= 0:
            return answer_of("3", "5", instrument)
        if request.get("currencyCode", self.currency) != self.currency:
            return answer_of("3", "39", instrument)
        wrong = self._wrong(instrument, request)
        if wrong:
            return answer_of("3", wrong, instrument)
        asked = _settings(request)
        window = int(asked.get("duplicateWindow", "120"))
        print_ = _fingerprint(request, instrument, window)
        for one in self.transactions.values():
            age = self.now() - one.submitted
            if one.fingerprint == print_ and age <= timedelta(seconds=window):
                known = one.id if "duplicateWindow" in asked else "0"
                return answer_of("3", "11", instrument, transaction=known)
        return self._made(request, reference, instrument, amount, code, print_, profile)

    def _made(
        self,
        request: Told,
        reference: str,
        instrument: Instrument,
        amount: Decimal,
        code: str,
        print_: str,
        profile: tuple[str, str],
    ) -> Told:
        zip_ = _told(request, "billTo", "zip")
        partial = zip_ == ZIP_APPROVES_A_PART and (
            _settings(request).get("allowPartialAuth") == "true"
        )
        cvv = CVV_OF_CODE.get(code, "M" if code else "P")
        over = instrument.bank and amount > E_CHECKS_UP_TO
        declined = zip_ == ZIP_DECLINES or over or cvv == "N" or instrument.last4 in self.declines
        hold = request["transactionType"] == "authOnlyTransaction"
        if self.test_mode:
            return answer_of("1", "1", instrument, transaction="0")
        one = Transaction(
            id=self._number(),
            kind=request["transactionType"],
            status="authorizedPendingCapture" if hold else "capturedPendingSettlement",
            amount=PART if partial else amount,
            requested=amount,
            settles=PART if partial else amount,
            instrument=instrument,
            code="1",
            reason="1",
            submitted=self.now(),
            order=_told(request, "order", "invoiceNumber"),
            about=_told(request, "order", "description"),
            our_reference=reference,
            customer=_told(request, "customer", "id"),
            bill_to=part(request, "billTo"),
            ship_to=part(request, "shipTo"),
            avs="P" if instrument.bank else AVS_OF_ZIP.get(zip_, "Y" if zip_ else "P"),
            cvv="" if instrument.bank else cvv,
            network="" if instrument.bank else secrets.token_hex(8).upper(),
            fingerprint=print_,
            profile=profile,
        )
        self.transactions[one.id] = one
        event = "authorization.created" if hold else "authcapture.created"
        if declined:
            one.status, one.code, one.reason, one.settles = "declined", "2", "2", Decimal(0)
            one.reason = "44" if cvv == "N" else "2"
            return _of(one)
        if partial:
            one.code, one.reason, one.split = "4", "295", self._number()
            self._splits[one.split] = one.id
        elif self.hold_next:
            self.hold_next = False
            one.status, one.code, one.reason = "FDSPendingReview", "4", "252"
            event = "fraud.held"
        self._announce(event, one)
        return _of(one)

    def _wrong(self, instrument: Instrument, request: Told) -> str:
        if instrument.bank:
            hold = request["transactionType"] == "authOnlyTransaction"
            return "53" if hold else ""
        if not instrument.luhn:
            return "6"
        return "8" if instrument.expires < f"{self.now():%Y-%m}" else ""

    def _capture(self, request: Told, reference: str) -> Told:
        del reference
        one = self.transactions.get(request.get("refTransId", ""))
        if one is None:
            return answer_of("3", "16", None)
        if one.status in ("capturedPendingSettlement", "settledSuccessfully"):
            return _of(one, code="1", reason="311")
        amount = _amount(request.get("amount", "")) or one.amount
        if one.status != "authorizedPendingCapture":
            return answer_of("3", "16", one.instrument)
        if amount > one.amount:
            return answer_of("3", "47", one.instrument)
        one.settles, one.status = amount, "capturedPendingSettlement"
        self._announce("priorAuthCapture.created", one)
        return _of(one, code="1", reason="1")

    def _void(self, request: Told, reference: str) -> Told:
        del reference
        one = self.transactions.get(request.get("refTransId", ""))
        if one is None:
            return answer_of("3", "16", None)
        if one.status == "voided":
            return _of(one, code="1", reason="310")
        if one.status not in LIVE_STATES | {"refundPendingSettlement", "FDSPendingReview"}:
            return answer_of("3", "327", one.instrument)
        one.status, one.settles = "voided", Decimal(0)
        self._announce("void.created", one)
        return _of(one, code="1", reason="1")

    def _credit(self, request: Told, reference: str) -> Told:
        one = self.transactions.get(request.get("refTransId", ""))
        payment = Instrument.read(part(request, "payment"))
        amount = _amount(request.get("amount", ""))
        if one is None:
            return answer_of("3", "16", payment)
        order = _told(request, "order", "invoiceNumber")
        for other in self.transactions.values():
            if order and other.order == order and other.kind == "refundTransaction":
                return answer_of("3", "11", one.instrument, transaction=other.id)
        same = payment is not None and payment.last4[-4:] == one.instrument.last4[-4:]
        late = self.now() - one.submitted > timedelta(days=self.refund_days)
        if one.status != "settledSuccessfully" or not same or late or not amount:
            return answer_of("3", "54", one.instrument)
        back = sum(
            other.settles
            for other in self.transactions.values()
            if other.related == one.id and other.status.startswith("refund")
        )
        if back + amount > one.settles:
            return answer_of("3", "55", one.instrument)
        return _of(self._refund(one, amount, order=order, reference=reference))

    def _refund(
        self, one: Transaction, amount: Decimal, *, order: str, reference: str
    ) -> Transaction:
        refund = replace(
            one,
            id=self._number(),
            kind="refundTransaction",
            status="refundPendingSettlement",
            amount=amount,
            requested=amount,
            settles=amount,
            submitted=self.now(),
            order=order or one.order,
            our_reference=reference,
            related=one.id,
            batch="",
            fingerprint="",
            returned=[],
        )
        self.transactions[refund.id] = refund
        self._announce("refund.created", refund)
        return refund

    def end_split(self, told: Told) -> tuple[str, Told]:
        """Keep what was approved of a part, or let it go."""
        one = self.transactions.get(self._splits.get(told["splitTenderId"], ""))
        if one is None:
            return "updateSplitTenderGroupResponse", {"messages": failed("E00040")}
        if told["splitTenderStatus"] == "voided":
            one.status, one.settles = "voided", Decimal(0)
        return "updateSplitTenderGroupResponse", {"messages": ok()}


def _of(one: Transaction, *, code: str = "", reason: str = "") -> Told:
    answer = answer_of(
        code or one.code, reason or one.reason, one.instrument, transaction=one.id, avs=one.avs
    )
    ordered: Told = {}
    for name, value in answer.items():
        if name == "messages" and one.split:
            ordered["splitTenderId"] = one.split
            ordered["prePaidCard"] = {
                "requestedAmount": f"{one.requested:.2f}",
                "approvedAmount": f"{one.amount:.2f}",
                "balanceOnCard": "0.00",
            }
        ordered[name] = one.cvv if name == "cvvResultCode" else value
    if one.network:
        ordered["networkTransId"] = one.network
    return ordered


def answer_of(
    code: str,
    reason: str,
    instrument: Instrument | None,
    *,
    transaction: str = "0",
    avs: str = "P",
) -> Told:
    """Tell of a transaction, or of what did not become one."""
    text = TEXTS.get(reason, "It was refused.")
    answer: Told = {
        "responseCode": code,
        "authCode": "QWX20S" if code == "1" else "",
        "avsResultCode": avs,
        "cvvResultCode": "",
        "cavvResultCode": "",
        "transId": transaction,
        "refTransID": "",
        "transHash": "",
        "testRequest": "0",
        "accountNumber": f"XXXX{instrument.last4}" if instrument is not None else "",
        "accountType": instrument.kind if instrument is not None else "",
    }
    if code in ("1", "4"):
        answer["messages"] = {"message": {"code": reason, "description": text}}
    else:
        answer["errors"] = {"error": {"errorCode": reason, "errorText": text}}
    return answer


def broke_off(code: str) -> bytes:
    """Write an answer to a call that broke off inside of the processor."""
    return write("ErrorResponse", {"messages": failed(code)})


def erred(reason: str) -> bytes:
    """Write an answer that a transaction erred, though it was made."""
    answer = answer_of("3", reason, None)
    told: Told = {"messages": failed("E00027"), "transactionResponse": answer}
    return write("createTransactionResponse", told)


def _told(request: Told, outer: str, inner: str) -> str:
    return str(part(request, outer).get(inner, ""))


def _settings(request: Told) -> dict[str, str]:
    given = part(request, "transactionSettings").get("setting")
    return {one["settingName"]: one["settingValue"] for one in listed(given)}


def _amount(text: str) -> Decimal | None:
    try:
        return Decimal(text).quantize(CENT)
    except InvalidOperation:
        return None


def _fingerprint(request: Told, instrument: Instrument, window: int) -> str:
    """
    Return what makes a transaction the same as another: the window is a part of it.

    The security code is not, and how the first one ended does not matter: their guides say what
    the answer tells of a first one that was declined.
    """
    compared = {
        "instrument": instrument.digest,
        "window": window,
        **{name: request.get(name) for name in ("transactionType", "amount", "billTo")},
        "order": _told(request, "order", "invoiceNumber"),
        "customer": _told(request, "customer", "id"),
    }
    return hashlib.sha256(json.dumps(compared, sort_keys=True).encode()).hexdigest()
