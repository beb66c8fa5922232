"""The simulated processor itself: what it does with each call, and what people make it do."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from paygate.testing.simulated_authorize_net.records import (
    Batch,
    Form,
    Instrument,
    PaymentProfile,
    Profile,
    Transaction,
)
from paygate.testing.simulated_authorize_net.speech import (
    TEXTS,
    Unreadable,
    failed,
    listed,
    ok,
    part,
    read,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from paygate.testing.simulated_authorize_net.records import Told

CENT: Final = Decimal("0.01")
FORM_LASTS: Final = timedelta(minutes=15)

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


class SimulatedAuthorizeNet:
    """
    One merchant's account at a simulated Authorize.Net.

    *schema* is their XSD, with which every request is checked where it is given
    (it needs lxml); *journal* a file to which every call is written, without the
    numbers of cards. *now* is its clock.
    """

    def __init__(
        self,
        *,
        login: str = "simulated",
        transaction_key: str = "0123456789abcdef",
        signature_key: str = "5A" * 64,
        currency: str = "USD",
        schema: Path | None = None,
        journal: Path | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self.login = login
        self.transaction_key = transaction_key
        self.signature_key = signature_key
        self.currency = currency
        self.transactions: dict[str, Transaction] = {}
        self.profiles: dict[str, Profile] = {}
        self.batches: dict[str, Batch] = {}
        self.forms: dict[str, Form] = {}
        self.asked: list[tuple[str, bytes]] = []
        self.answered: list[bytes] = []
        self.webhooks: list[tuple[dict[str, str], bytes]] = []
        self.hold_next = False
        self.test_mode = False
        self.breaks: list[str] = []
        self._now = now or _system_now
        self._tokens: dict[str, Instrument] = {}
        self._codes: dict[str, str] = {}
        self._splits: dict[str, str] = {}
        self._numbers = 60_000_000_000
        self._journal = journal
        self._schema = None if schema is None else _schema(schema)
        self._lock = threading.RLock()

    # --- The interface ------------------------------------------------------------------------

    def now(self) -> datetime:
        """Tell its time."""
        return self._now()

    def call(self, body: bytes) -> bytes:
        """Answer one call."""
        with self._lock:
            answer = self._call(body)
            self.answered.append(answer)
            return answer

    def _call(self, body: bytes) -> bytes:
        try:
            name, told = read(body)
        except Unreadable as error:
            return self._refuse("unreadable", "E00003", str(error))
        problem = self._problem(body)
        self.asked.append((name, body))
        if problem:
            return self._refuse(name, "E00003", problem)
        given = part(told, "merchantAuthentication")
        if (given.get("name"), given.get("transactionKey")) != (self.login, self.transaction_key):
            return self._refuse(name, "E00007")
        handler = _CALLS.get(name)
        if handler is None:
            return self._refuse(name, "E00004", "The name of the requested API method is invalid.")
        root, answer = handler(self, told)
        self._write(name, answer)
        reference = {"refId": told["refId"]} if "refId" in told else {}
        return write(root, {**reference, **answer})

    def _refuse(self, name: str, code: str, text: str = "") -> bytes:
        answer = {"messages": failed(code, text)}
        self._write(name, answer)
        return write("ErrorResponse", answer)

    def _problem(self, body: bytes) -> str:
        if self._schema is None:
            return ""
        return "; ".join(self._schema(body))

    def _write(self, name: str, answer: Told) -> None:
        if self._journal is None:
            return
        line = {"at": self.now().isoformat(), "call": name, "answer": answer}
        with self._journal.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, default=str) + "\n")

    # --- What payers and merchants do ---------------------------------------------------------

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

    def return_e_check(self, transaction: str, code: str = "R01") -> str:
        """Let the payer's bank give a debit back; tell the id of the return."""
        with self._lock:
            one = self.transactions[transaction]
            assert one.instrument.bank, "only debits of bank accounts are returned"
            item = {
                "id": self._number(),
                "dateUTC": _utc(self.now()),
                "dateLocal": _local(self.now()),
                "code": code,
                "description": "Returned by the bank",
            }
            one.returned.append(item)
            if code.startswith("R"):
                one.status = "returnedItem"
        return str(item["id"])

    def charge_back(self, transaction: str) -> None:
        """Let a card holder dispute a charge."""
        self.transactions[transaction].status = "chargeback"

    def win_dispute(self, transaction: str) -> None:
        """Let the merchant win the dispute."""
        self.transactions[transaction].status = "chargebackReversal"

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

    def refund_elsewhere(self, transaction: str, amount: str) -> str:
        """Refund in the Merchant Interface, where nobody knows of paygate."""
        with self._lock:
            refund = self._refund(
                self.transactions[transaction], Decimal(amount), order="", reference=""
            )
        return refund.id

    def void_elsewhere(self, transaction: str) -> None:
        """Void in the Merchant Interface."""
        with self._lock:
            one = self.transactions[transaction]
            one.status = "voided"
            self._announce("void.created", one)

    # --- createTransaction --------------------------------------------------------------------

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
            return _answer("3", "5", instrument)
        if request.get("currencyCode", self.currency) != self.currency:
            return _answer("3", "39", instrument)
        wrong = self._wrong(instrument, request)
        if wrong:
            return _answer("3", wrong, instrument)
        asked = _settings(request)
        window = int(asked.get("duplicateWindow", "120"))
        print_ = _fingerprint(request, instrument, window)
        for one in self.transactions.values():
            age = self.now() - one.submitted
            if one.fingerprint == print_ and age <= timedelta(seconds=window):
                known = one.id if "duplicateWindow" in asked else "0"
                return _answer("3", "11", instrument, transaction=known)
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
        declined = zip_ == ZIP_DECLINES or over or cvv == "N"
        hold = request["transactionType"] == "authOnlyTransaction"
        if self.test_mode:
            return _answer("1", "1", instrument, transaction="0")
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

    def _instrument(self, request: Told) -> tuple[Instrument, str, tuple[str, str]] | str:
        """Find out what pays; a code where nothing does."""
        nowhere = "", ""
        if "profile" in request:
            ids = request["profile"]
            profile = self.profiles.get(ids.get("customerProfileId", ""))
            method = part(ids, "paymentProfile").get("paymentProfileId", "")
            if profile is None or method not in profile.methods:
                return "E00040"
            return profile.methods[method].instrument, "", (profile.id, method)
        payment: Told = part(request, "payment")
        if "opaqueData" in payment:
            token = payment["opaqueData"]["dataValue"]
            instrument = self._tokens.pop(token, None)  # for one use
            return "E00114" if instrument is None else (instrument, self._codes[token], nowhere)
        instrument = Instrument.read(payment)
        if instrument is None:
            return "E00013"
        return instrument, part(payment, "creditCard").get("cardCode", ""), nowhere

    def _capture(self, request: Told, reference: str) -> Told:
        del reference
        one = self.transactions.get(request.get("refTransId", ""))
        if one is None:
            return _answer("3", "16", None)
        if one.status in ("capturedPendingSettlement", "settledSuccessfully"):
            return _of(one, code="1", reason="311")
        amount = _amount(request.get("amount", "")) or one.amount
        if one.status != "authorizedPendingCapture":
            return _answer("3", "16", one.instrument)
        if amount > one.amount:
            return _answer("3", "47", one.instrument)
        one.settles, one.status = amount, "capturedPendingSettlement"
        self._announce("priorAuthCapture.created", one)
        return _of(one, code="1", reason="1")

    def _void(self, request: Told, reference: str) -> Told:
        del reference
        one = self.transactions.get(request.get("refTransId", ""))
        if one is None:
            return _answer("3", "16", None)
        if one.status == "voided":
            return _of(one, code="1", reason="310")
        if one.status not in LIVE_STATES | {"refundPendingSettlement", "FDSPendingReview"}:
            return _answer("3", "327", one.instrument)
        one.status, one.settles = "voided", Decimal(0)
        self._announce("void.created", one)
        return _of(one, code="1", reason="1")

    def _credit(self, request: Told, reference: str) -> Told:
        one = self.transactions.get(request.get("refTransId", ""))
        payment = Instrument.read(part(request, "payment"))
        amount = _amount(request.get("amount", ""))
        if one is None:
            return _answer("3", "16", payment)
        order = _told(request, "order", "invoiceNumber")
        for other in self.transactions.values():
            if order and other.order == order and other.kind == "refundTransaction":
                return _answer("3", "11", one.instrument, transaction=other.id)
        same = payment is not None and payment.last4[-4:] == one.instrument.last4[-4:]
        late = self.now() - one.submitted > timedelta(days=120)
        if one.status != "settledSuccessfully" or not same or late or not amount:
            return _answer("3", "54", one.instrument)
        back = sum(
            other.settles
            for other in self.transactions.values()
            if other.related == one.id and other.status.startswith("refund")
        )
        if back + amount > one.settles:
            return _answer("3", "55", one.instrument)
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

    # --- Reading ------------------------------------------------------------------------------

    def details(self, told: Told) -> tuple[str, Told]:
        """Tell one transaction."""
        one = self.transactions.get(told["transId"])
        if one is None:
            return "ErrorResponse", {"messages": failed("E00040")}
        answer: Told = {"messages": ok(), "transaction": self._details(one)}
        if one.our_reference:
            answer["transrefId"] = one.our_reference
        return "getTransactionDetailsResponse", answer

    def _details(self, one: Transaction) -> Told:
        batch = self.batches.get(one.batch)
        order = {"invoiceNumber": one.order, "description": one.about}
        optional: list[tuple[str, Any]] = [
            ("transId", one.id),
            ("refTransId", one.related),
            ("splitTenderId", one.split),
            ("submitTimeUTC", _utc(one.submitted)),
            ("submitTimeLocal", _local(one.submitted)),
            ("transactionType", one.kind),
            ("transactionStatus", one.status),
            ("responseCode", one.code),
            ("responseReasonCode", one.reason),
            ("responseReasonDescription", TEXTS.get(one.reason, "Told.")),
            ("AVSResponse", one.avs),
            ("cardCodeResponse", one.cvv),
            ("batch", None if batch is None else _batch_head(batch)),
            ("order", {name: text for name, text in order.items() if text}),
            ("authAmount", one.amount),
            ("settleAmount", one.settles),
            ("payment", one.instrument.masked()),
            ("customer", {"id": one.customer} if one.customer else None),
            ("billTo", {k: v for k, v in one.bill_to.items() if v}),
            ("returnedItems", {"returnedItem": one.returned} if one.returned else None),
            ("profile", _ids(one.profile)),
            ("networkTransId", one.network),
        ]
        return {name: value for name, value in optional if value not in (None, "", {})}

    def unsettled(self, told: Told) -> tuple[str, Told]:
        """List what has not settled, declines too."""
        found = [one for one in self.transactions.values() if not one.batch]
        found.sort(key=lambda one: (one.submitted, one.id), reverse=True)
        return "getUnsettledTransactionListResponse", self._list(found, told)

    def in_batch(self, told: Told) -> tuple[str, Told]:
        """List what settled in a batch."""
        batch = self.batches.get(told.get("batchId", ""))
        if batch is None:
            return "ErrorResponse", {"messages": failed("E00040")}
        found = [self.transactions[id_] for id_ in sorted(batch.transactions, reverse=True)]
        return "getTransactionListResponse", self._list(found, told)

    def _list(self, found: list[Transaction], told: Told) -> Told:
        paging = part(told, "paging")
        limit, page = int(paging.get("limit", 1000)), int(paging.get("offset", 1))
        shown = found[(page - 1) * limit : page * limit]
        if not shown:
            none = {"resultCode": "Ok", "message": {"code": "I00004", "text": TEXTS["I00004"]}}
            return {"messages": none}
        entries = [_entry(one) for one in shown]
        return {
            "messages": ok(),
            "transactions": {"transaction": entries},
            "totalNumInResultSet": len(found),
        }

    def batch_list(self, told: Told) -> tuple[str, Told]:
        """List the batches of a period, or of the last day."""
        now = self.now()
        first = _instant(told.get("firstSettlementDate", "")) or now - timedelta(days=1)
        last = _instant(told.get("lastSettlementDate", "")) or now
        if last - first > timedelta(days=31) or first > last:
            return "ErrorResponse", {"messages": failed("E00013", "The period is invalid.")}
        # Instants come without fractions of a second, and a batch has them.
        upto = last + timedelta(seconds=1)
        found = [batch for batch in self.batches.values() if first <= batch.at < upto]
        entries = [_batch_head(batch) | self._statistics(batch) for batch in found]
        told_: Told = {"batchList": {"batch": entries}} if entries else {}
        return "getSettledBatchListResponse", {"messages": ok(), **told_}

    def _statistics(self, batch: Batch) -> Told:
        inside = [self.transactions[id_] for id_ in batch.transactions]
        charges = [one for one in inside if one.kind != "refundTransaction"]
        refunds = [one for one in inside if one.kind == "refundTransaction"]
        head = {
            "paymentMethod": "eCheck" if batch.bank else "creditCard",
            "marketType": "eCommerce",
            "product": "Card Not Present",
        }
        statistic = {
            "accountType": "eCheck" if batch.bank else "Visa",
            "chargeAmount": sum((one.settles for one in charges), Decimal(0)),
            "chargeCount": len(charges),
            "refundAmount": sum((one.settles for one in refunds), Decimal(0)),
            "refundCount": len(refunds),
            "voidCount": 0,
            "declineCount": 0,
            "errorCount": 0,
            "returnedItemCount": sum(len(one.returned) for one in inside),
            "chargebackCount": sum(one.status.startswith("chargeback") for one in inside),
        }
        return {**head, "statistics": {"statistic": statistic}}

    def merchant(self, told: Told) -> tuple[str, Told]:
        """Tell whose account it is."""
        del told
        return "getMerchantDetailsResponse", {
            "messages": ok(),
            "isTestMode": "true" if self.test_mode else "false",
            "processors": {"processor": {"name": "Simulated", "id": 1}},
            "merchantName": "Simulated Merchant",
            "gatewayId": "565697",
            "marketTypes": {"marketType": "eCommerce"},
            "productCodes": {"productCode": "CNP"},
            "paymentMethods": {"paymentMethod": ["Visa", "MasterCard", "Echeck"]},
            "currencies": {"currency": self.currency},
        }

    # --- Profiles -----------------------------------------------------------------------------

    def create_profile(self, told: Told) -> tuple[str, Told]:
        """Make a profile, unless the customer has one."""
        wanted: Told = told["profile"]
        made = self._profile(wanted.get("merchantCustomerId", ""), wanted.get("email", ""))
        if isinstance(made, dict):
            return "createCustomerProfileResponse", made
        return "createCustomerProfileResponse", _profile_made(made.id, [])

    def _profile(self, customer: str, email: str) -> Profile | Told:
        for there in self.profiles.values():
            if (there.customer, there.email) == (customer, email):
                text = f"A duplicate record with ID {there.id} already exists."
                return {"messages": failed("E00039", text), **_no_lists()}
        made = Profile(id=self._number(), customer=customer, email=email)
        self.profiles[made.id] = made
        return made

    def create_method(self, told: Told) -> tuple[str, Told]:
        """Store a method in a profile."""
        name = "createCustomerPaymentProfileResponse"
        profile = self.profiles.get(told["customerProfileId"])
        given: Told = told["paymentProfile"]
        found = self._instrument(given)
        if profile is None or isinstance(found, str):
            return name, {"messages": failed(found if isinstance(found, str) else "E00040")}
        instrument, _, _ = found
        if not instrument.bank and not instrument.luhn:
            return name, {"messages": failed("E00027")}
        stored, new = self._store(profile, instrument, part(given, "billTo"))
        duplicate = failed("E00039", "A duplicate customer payment profile already exists.")
        return name, {
            "messages": ok() if new else duplicate,
            "customerProfileId": profile.id,
            "customerPaymentProfileId": stored.id,
        }

    def _store(
        self, profile: Profile, instrument: Instrument, bill_to: Told
    ) -> tuple[PaymentProfile, bool]:
        for there in profile.methods.values():
            if there.instrument.digest == instrument.digest:
                return there, False
        stored = PaymentProfile(id=self._number(), instrument=instrument, bill_to=bill_to)
        profile.methods[stored.id] = stored
        return stored, True

    def profile_from_transaction(self, told: Told) -> tuple[str, Told]:
        """Store what paid a transaction."""
        name = "createCustomerProfileResponse"
        one = self.transactions.get(told["transId"])
        if one is None or one.code == "2":
            return name, {"messages": failed("E00099"), **_no_lists()}
        if "customerProfileId" in told:
            profile = self.profiles.get(told["customerProfileId"])
            if profile is None:
                return name, {"messages": failed("E00040"), **_no_lists()}
        else:
            customer = part(told, "customer")
            made = self._profile(customer.get("merchantCustomerId", ""), customer.get("email", ""))
            if isinstance(made, dict):
                return name, made
            profile = made
        stored, new = self._store(profile, one.instrument, one.bill_to)
        one.profile = profile.id, stored.id
        answer = _profile_made(profile.id, [stored.id])
        if not new:
            text = "A duplicate customer payment profile already exists."
            answer["messages"] = failed("E00039", text)
        return name, answer

    def get_profile(self, told: Told) -> tuple[str, Told]:
        """Tell a profile, by its id or the merchant's id of the customer."""
        found = self.profiles.get(told.get("customerProfileId", ""))
        for each in self.profiles.values():
            if each.customer and each.customer == told.get("merchantCustomerId"):
                found = each
        if found is None:
            return "ErrorResponse", {"messages": failed("E00040")}
        show = told.get("unmaskExpirationDate") == "true"
        shown: list[tuple[str, Any]] = [
            ("merchantCustomerId", found.customer),
            ("email", found.email),
            ("customerProfileId", found.id),
            ("paymentProfiles", [_method(each, show=show) for each in found.methods.values()]),
        ]
        return "getCustomerProfileResponse", {
            "messages": ok(),
            "profile": {name: value for name, value in shown if value},
        }

    def get_method(self, told: Told) -> tuple[str, Told]:
        """Tell one stored method."""
        found = self._find(told)
        if found is None:
            return "ErrorResponse", {"messages": failed("E00040")}
        show = told.get("unmaskExpirationDate") == "true"
        return "getCustomerPaymentProfileResponse", {
            "messages": ok(),
            "paymentProfile": _method(found, show=show),
        }

    def _find(self, told: Told, method: str = "") -> PaymentProfile | None:
        profile = self.profiles.get(told["customerProfileId"])
        wanted = method or told.get("customerPaymentProfileId", "")
        return None if profile is None else profile.methods.get(wanted)

    def update_method(self, told: Told) -> tuple[str, Told]:
        """Change a stored method; what is masked stays."""
        wanted: Told = told["paymentProfile"]
        found = self._find(told, wanted["customerPaymentProfileId"])
        if found is None:
            return "ErrorResponse", {"messages": failed("E00040")}
        found.bill_to = part(wanted, "billTo")
        expires = part(wanted["payment"], "creditCard").get("expirationDate", "XXXX")
        if expires != "XXXX":
            found.instrument = replace(found.instrument, expires=expires)
        return "updateCustomerPaymentProfileResponse", {"messages": ok()}

    def delete_method(self, told: Told) -> tuple[str, Told]:
        """Delete a stored method."""
        if self._find(told) is None:
            return "ErrorResponse", {"messages": failed("E00040")}
        del self.profiles[told["customerProfileId"]].methods[told["customerPaymentProfileId"]]
        return "deleteCustomerPaymentProfileResponse", {"messages": ok()}

    # --- Forms --------------------------------------------------------------------------------

    def payment_form(self, told: Told) -> tuple[str, Told]:
        """Open a form to pay on."""
        if "payment" in told["transactionRequest"]:
            return "ErrorResponse", {"messages": failed("E00119")}
        form = self._form(told, "hostedPaymentSettings", told["transactionRequest"])
        return "getHostedPaymentPageResponse", {"messages": ok(), "token": form.token}

    def profile_form(self, told: Told) -> tuple[str, Told]:
        """Open a form to store a method on."""
        if told["customerProfileId"] not in self.profiles:
            return "ErrorResponse", {"messages": failed("E00040")}
        form = self._form(told, "hostedProfileSettings", {})
        form.profile = told["customerProfileId"]
        return "getHostedProfilePageResponse", {"messages": ok(), "token": form.token}

    def _form(self, told: Told, settings: str, request: Told) -> Form:
        given = part(told, settings).get("setting")
        form = Form(
            token=f"{secrets.token_urlsafe(60)}.{secrets.token_urlsafe(5)}",
            until=self.now() + FORM_LASTS,
            request=request,
            settings={one["settingName"]: one["settingValue"] for one in listed(given)},
            our_reference=told.get("refId", ""),
        )
        self.forms[form.token] = form
        return form

    def open_form(self, token: str) -> Form | None:
        """Find a form that may still be filled in."""
        form = self.forms.get(token)
        return form if form is not None and not form.done and self.now() <= form.until else None

    def pay_on_form(self, token: str, payment: Told, zip_: str = "") -> Told | None:
        """Fill a form in and send it off; tell the transaction, or None where the form is gone."""
        with self._lock:
            form = self.open_form(token)
            if form is None:
                return None
            bill_to = {**part(form.request, "billTo"), **({"zip": zip_} if zip_ else {})}
            request: Told = {**form.request, "payment": payment, "billTo": bill_to}
            answer = self._sale(request, form.our_reference)
            told = _answer("3", "2", None) if isinstance(answer, str) else answer
            self._write("form", told)
            form.done = told["responseCode"] in ("1", "4")
            return told

    def store_on_form(self, token: str, payment: Told) -> bool:
        """Fill a form in to store a method."""
        with self._lock:
            form = self.open_form(token)
            instrument = Instrument.read(payment)
            if form is None or instrument is None or not instrument.luhn:
                return False
            self._store(self.profiles[form.profile], instrument, {})
            form.done = True
            return True

    # --- Webhooks -----------------------------------------------------------------------------

    def _announce(self, event: str, one: Transaction) -> None:
        payload: Told = {
            "responseCode": int(one.code),
            "avsResponse": one.avs,
            "authAmount": float(one.settles),
            "entityName": "transaction",
            "id": one.id,
        }
        if one.our_reference:
            payload["merchantReferenceId"] = one.our_reference
        if one.order:
            payload["invoiceNumber"] = one.order
        told = {
            "notificationId": str(UUID(int=int(self._number()))),
            "eventType": f"net.authorize.payment.{event}",
            "eventDate": f"{self.now().astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}7Z",
            "webhookId": "849eb87e-078a-4169-a34b-c0bded5019a8",
            "payload": payload,
        }
        body = json.dumps(told).encode()
        mac = hmac.new(self.signature_key.encode(), body, "sha512").hexdigest().upper()
        self.webhooks.append(({"x-anet-signature": f"sha512={mac}"}, body))

    def _number(self) -> str:
        self._numbers += 1
        return str(self._numbers)


_CALLS: Final[
    dict[str, Callable[[SimulatedAuthorizeNet, dict[str, Any]], tuple[str, dict[str, Any]]]]
] = {
    "createTransactionRequest": SimulatedAuthorizeNet.create_transaction,
    "updateSplitTenderGroupRequest": SimulatedAuthorizeNet.end_split,
    "getTransactionDetailsRequest": SimulatedAuthorizeNet.details,
    "getUnsettledTransactionListRequest": SimulatedAuthorizeNet.unsettled,
    "getTransactionListRequest": SimulatedAuthorizeNet.in_batch,
    "getSettledBatchListRequest": SimulatedAuthorizeNet.batch_list,
    "getMerchantDetailsRequest": SimulatedAuthorizeNet.merchant,
    "createCustomerProfileRequest": SimulatedAuthorizeNet.create_profile,
    "createCustomerPaymentProfileRequest": SimulatedAuthorizeNet.create_method,
    "createCustomerProfileFromTransactionRequest": SimulatedAuthorizeNet.profile_from_transaction,
    "getCustomerProfileRequest": SimulatedAuthorizeNet.get_profile,
    "getCustomerPaymentProfileRequest": SimulatedAuthorizeNet.get_method,
    "updateCustomerPaymentProfileRequest": SimulatedAuthorizeNet.update_method,
    "deleteCustomerPaymentProfileRequest": SimulatedAuthorizeNet.delete_method,
    "getHostedPaymentPageRequest": SimulatedAuthorizeNet.payment_form,
    "getHostedProfilePageRequest": SimulatedAuthorizeNet.profile_form,
}


# --- Parts of answers -------------------------------------------------------------------------


def _of(one: Transaction, *, code: str = "", reason: str = "") -> Told:
    answer = _answer(
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


def _answer(
    code: str,
    reason: str,
    instrument: Instrument | None,
    *,
    transaction: str = "0",
    avs: str = "P",
) -> Told:
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


def _entry(one: Transaction) -> Told:
    told: list[tuple[str, Any]] = [
        ("transId", one.id),
        ("submitTimeUTC", _utc(one.submitted)),
        ("submitTimeLocal", _local(one.submitted)),
        ("transactionStatus", one.status),
        ("invoiceNumber", one.order),
        ("firstName", one.bill_to.get("firstName", "")),
        ("lastName", one.bill_to.get("lastName", "")),
        ("accountType", one.instrument.kind),
        ("accountNumber", f"XXXX{one.instrument.last4}"),
        ("settleAmount", one.settles),
        ("marketType", "eCommerce"),
        ("product", "Card Not Present"),
        ("hasReturnedItems", "true" if one.returned else ""),
    ]
    return {name: value for name, value in told if value != ""}


def _batch_head(batch: Batch) -> Told:
    return {
        "batchId": batch.id,
        "settlementTimeUTC": _utc(batch.at),
        "settlementTimeLocal": _local(batch.at),
        "settlementState": "settledSuccessfully",
    }


def _method(stored: PaymentProfile, *, show: bool) -> Told:
    told: list[tuple[str, Any]] = [
        ("billTo", {name: text for name, text in stored.bill_to.items() if text}),
        ("customerPaymentProfileId", stored.id),
        ("payment", stored.instrument.masked(show_expiry=show)),
    ]
    return {name: value for name, value in told if value}


def _profile_made(profile: str, methods: list[str]) -> Told:
    return {
        "messages": ok(),
        "customerProfileId": profile,
        "customerPaymentProfileIdList": {"numericString": methods} if methods else {},
        "customerShippingAddressIdList": {},
        "validationDirectResponseList": {},
    }


def _no_lists() -> Told:
    return {
        "customerPaymentProfileIdList": {},
        "customerShippingAddressIdList": {},
        "validationDirectResponseList": {},
    }


def _ids(profile: tuple[str, str]) -> Told:
    if not all(profile):
        return {}
    return {"customerProfileId": profile[0], "customerPaymentProfileId": profile[1]}


# --- Parts of requests ------------------------------------------------------------------------


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
    """Tell what makes a transaction the same as another: the window is a part of it."""
    compared = {
        "instrument": instrument.digest,
        "window": window,
        **{name: request.get(name) for name in ("transactionType", "amount", "billTo")},
        "order": _told(request, "order", "invoiceNumber"),
        "customer": _told(request, "customer", "id"),
    }
    return hashlib.sha256(json.dumps(compared, sort_keys=True).encode()).hexdigest()


def _instant(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def _local(at: datetime) -> str:
    return f"{at.astimezone(UTC) - timedelta(hours=7):%Y-%m-%dT%H:%M:%S}"


def _system_now() -> datetime:
    return datetime.now(UTC)


def _schema(path: Path) -> Callable[[bytes], list[str]]:
    """Load their schema; a part of the tests, so that lxml is needed only there."""
    import importlib

    etree: Any = importlib.import_module("lxml.etree")
    schema: Any = etree.XMLSchema(etree.parse(str(path)))

    def check(document: bytes) -> list[str]:
        schema.validate(etree.fromstring(document))
        return [str(each.message) for each in schema.error_log]

    return check
