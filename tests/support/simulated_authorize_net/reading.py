"""Reading at the simulated processor: details, lists, batches, the merchant."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.support.simulated_authorize_net.records import Batch, Told, Transaction, local, utc
from tests.support.simulated_authorize_net.speech import TEXTS, failed, ok, part
from tests.support.simulated_authorize_net.state import State


class Reading(State):
    """What is told of what there is."""

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
            ("submitTimeUTC", utc(one.submitted)),
            ("submitTimeLocal", local(one.submitted)),
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
            ("shipTo", one.ship_to),
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


def _entry(one: Transaction) -> Told:
    told: list[tuple[str, Any]] = [
        ("transId", one.id),
        ("submitTimeUTC", utc(one.submitted)),
        ("submitTimeLocal", local(one.submitted)),
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
        "settlementTimeUTC": utc(batch.at),
        "settlementTimeLocal": local(batch.at),
        "settlementState": batch.state,
    }


def _ids(profile: tuple[str, str]) -> Told:
    if not all(profile):
        return {}
    return {"customerProfileId": profile[0], "customerPaymentProfileId": profile[1]}


def _instant(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
