"""Collect money in Python: invoices, payments, reversals and pluggable payment gateways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paygate._version import __version__ as __version__

if TYPE_CHECKING:
    from paygate.cashier.aio import AsyncCashier
    from paygate.cashier.copying import copy_ledger
    from paygate.cashier.merchants import AccountsOf, Merchants
    from paygate.cashier.sync import Cashier
    from paygate.cashier.within import Within
    from paygate.dialogue import Request, Response
    from paygate.domain.action import (
        Action,
        ApproveElsewhere,
        PayToAddress,
        PostForm,
        Redirect,
        ScriptStep,
        ShowCode,
        ShowVoucher,
    )
    from paygate.domain.allocation import Allocation
    from paygate.domain.attempt import Attempt, AttemptState
    from paygate.domain.callback import InboxState, Refusal, RefusedCallbacks, StoredCallback
    from paygate.domain.card_checks import CardCheck, CardChecks, CheckResult
    from paygate.domain.chargeback import Chargeback, Dispute, DisputeState
    from paygate.domain.charging import ChargeReason
    from paygate.domain.credit import Balance, Credit, CreditReason
    from paygate.domain.customer import Browser, Customer, PayerField, PostalAddress
    from paygate.domain.event import DeadLetter, Event
    from paygate.domain.invoice import Invoice, InvoiceStatus
    from paygate.domain.job import Job, JobKind, WaitingJobs
    from paygate.domain.kind import Kind, Operation
    from paygate.domain.method import (
        Mandate,
        MandateScope,
        MethodFacts,
        MethodRequest,
        PaymentMethod,
        StoredMethod,
    )
    from paygate.domain.money import Money
    from paygate.domain.movement import Movement, MovementKind, Sighting
    from paygate.domain.outcome import (
        Approved,
        Authorized,
        DeclineCode,
        Declined,
        Ended,
        Ending,
        RejectCause,
    )
    from paygate.domain.payable import Payable, Share
    from paygate.domain.payer_number import PayerNumber, Pays
    from paygate.domain.payment import ForeignMoney, Payment, PaymentItem, PaymentStatus
    from paygate.domain.prepayment import OnRest, Prepayment, PrepaymentStatus
    from paygate.domain.quoting import Late, LateRule
    from paygate.domain.receipt import Receipt, ReceiptLine
    from paygate.domain.result import OperationResult, OperationState
    from paygate.domain.reversal import Reversal, WriteOff
    from paygate.domain.review import Review, ReviewCause
    from paygate.domain.secret import OneTimeToken, RawBankAccount, RawCard, Secret
    from paygate.domain.settlement import CreditOn
    from paygate.domain.status import (
        AccountStatus,
        Concern,
        FlaggedPayments,
        InvoiceTotals,
        LedgerStatus,
        PaymentTotals,
        SinkStatus,
        Unattended,
        UnknownOutcomes,
    )
    from paygate.domain.stored_account import StoredAccount
    from paygate.domain.words import (
        ChargeReasonWord,
        DisputeStateWord,
        InboxStateWord,
        InvoiceStatusWord,
        KeyedVerb,
        KindWord,
        OnRestWord,
        PaymentStatusWord,
        PaysWord,
        PrepaymentStatusWord,
        RecordedBy,
        RefundToWord,
        SentBackBy,
    )
    from paygate.errors import PaygateError, Refused, StoreError, UsageError
    from paygate.gateway import (
        AccountFacts,
        AddressPer,
        Callback,
        CallbackProof,
        CallbackStyle,
        DedupWindow,
        Gateway,
        InquiryBy,
        Keyed,
        Limits,
        NotIdempotent,
        Rail,
        Reply,
        StoredToken,
        Traits,
    )
    from paygate.ledger.addresses import AddressCounts
    from paygate.ledger.book import Violation
    from paygate.ledger.copying.copy import CopiedLedger, CopiedTable
    from paygate.ledger.sending import Stopped
    from paygate.ledger.tx import Clock, Ids
    from paygate.service.account import GatewayAccount, Timing
    from paygate.service.agenda import JobResult
    from paygate.service.enroll import Rotated
    from paygate.service.feed import FeedsRead, Rescan
    from paygate.service.history import History
    from paygate.service.import_invoices import Imported, ImportProblem
    from paygate.service.issue import Bill
    from paygate.service.publish import PausedSink, Published
    from paygate.service.readers import ConfiguredSink
    from paygate.service.resolve import Resolution
    from paygate.service.taking import RefundTo
    from paygate.sink import BlockingSink, Delivery, Sink, SinkTraits
    from paygate.transport.host import AsyncTransport, Transport
    from paygate.transport.network import Network

_HOMES = {
    "AsyncCashier": "cashier.aio",
    "Cashier": "cashier.sync",
    "AccountsOf": "cashier.merchants",
    "Merchants": "cashier.merchants",
    "Within": "cashier.within",
    "Action": "domain.action",
    "ApproveElsewhere": "domain.action",
    "PayToAddress": "domain.action",
    "PostForm": "domain.action",
    "Redirect": "domain.action",
    "Request": "dialogue",
    "Response": "dialogue",
    "ScriptStep": "domain.action",
    "ShowCode": "domain.action",
    "ShowVoucher": "domain.action",
    "Allocation": "domain.allocation",
    "Attempt": "domain.attempt",
    "AttemptState": "domain.attempt",
    "InboxState": "domain.callback",
    "Refusal": "domain.callback",
    "RefusedCallbacks": "domain.callback",
    "StoredAccount": "domain.stored_account",
    "StoredCallback": "domain.callback",
    "CardCheck": "domain.card_checks",
    "CardChecks": "domain.card_checks",
    "CheckResult": "domain.card_checks",
    "Chargeback": "domain.chargeback",
    "Dispute": "domain.chargeback",
    "DisputeState": "domain.chargeback",
    "ChargeReason": "domain.charging",
    "Balance": "domain.credit",
    "Credit": "domain.credit",
    "CreditReason": "domain.credit",
    "PostalAddress": "domain.customer",
    "Browser": "domain.customer",
    "Customer": "domain.customer",
    "PayerField": "domain.customer",
    "DeadLetter": "domain.event",
    "Event": "domain.event",
    "Invoice": "domain.invoice",
    "InvoiceStatus": "domain.invoice",
    "Job": "domain.job",
    "JobKind": "domain.job",
    "WaitingJobs": "domain.job",
    "Payable": "domain.payable",
    "Share": "domain.payable",
    "Kind": "domain.kind",
    "Operation": "domain.kind",
    "Mandate": "domain.method",
    "MandateScope": "domain.method",
    "MethodRequest": "domain.method",
    "MethodFacts": "domain.method",
    "PaymentMethod": "domain.method",
    "StoredMethod": "domain.method",
    "Money": "domain.money",
    "Movement": "domain.movement",
    "MovementKind": "domain.movement",
    "Sighting": "domain.movement",
    "Approved": "domain.outcome",
    "Authorized": "domain.outcome",
    "Ended": "domain.outcome",
    "Ending": "domain.outcome",
    "DeclineCode": "domain.outcome",
    "Declined": "domain.outcome",
    "RejectCause": "domain.outcome",
    "PayerNumber": "domain.payer_number",
    "Pays": "domain.payer_number",
    "ForeignMoney": "domain.payment",
    "Payment": "domain.payment",
    "PaymentItem": "domain.payment",
    "PaymentStatus": "domain.payment",
    "OnRest": "domain.prepayment",
    "Prepayment": "domain.prepayment",
    "PrepaymentStatus": "domain.prepayment",
    "Late": "domain.quoting",
    "LateRule": "domain.quoting",
    "Receipt": "domain.receipt",
    "ReceiptLine": "domain.receipt",
    "OperationResult": "domain.result",
    "OperationState": "domain.result",
    "Reversal": "domain.reversal",
    "WriteOff": "domain.reversal",
    "Review": "domain.review",
    "ReviewCause": "domain.review",
    "OneTimeToken": "domain.secret",
    "RawBankAccount": "domain.secret",
    "RawCard": "domain.secret",
    "Secret": "domain.secret",
    "CreditOn": "domain.settlement",
    "AccountStatus": "domain.status",
    "Concern": "domain.status",
    "FlaggedPayments": "domain.status",
    "InvoiceTotals": "domain.status",
    "LedgerStatus": "domain.status",
    "PaymentTotals": "domain.status",
    "SinkStatus": "domain.status",
    "Unattended": "domain.status",
    "UnknownOutcomes": "domain.status",
    "ChargeReasonWord": "domain.words",
    "DisputeStateWord": "domain.words",
    "InboxStateWord": "domain.words",
    "InvoiceStatusWord": "domain.words",
    "KeyedVerb": "domain.words",
    "KindWord": "domain.words",
    "OnRestWord": "domain.words",
    "PrepaymentStatusWord": "domain.words",
    "PaymentStatusWord": "domain.words",
    "PaysWord": "domain.words",
    "RecordedBy": "domain.words",
    "RefundToWord": "domain.words",
    "SentBackBy": "domain.words",
    "PaygateError": "errors",
    "Refused": "errors",
    "StoreError": "errors",
    "UsageError": "errors",
    "AccountFacts": "gateway",
    "Callback": "gateway",
    "CallbackProof": "gateway",
    "CallbackStyle": "gateway",
    "DedupWindow": "gateway",
    "Gateway": "gateway",
    "InquiryBy": "gateway",
    "Keyed": "gateway",
    "Limits": "gateway",
    "NotIdempotent": "gateway",
    "AddressPer": "gateway",
    "Rail": "gateway",
    "Reply": "gateway",
    "StoredToken": "gateway",
    "Traits": "gateway",
    "Violation": "ledger.book",
    "CopiedLedger": "ledger.copying.copy",
    "CopiedTable": "ledger.copying.copy",
    "copy_ledger": "cashier.copying",
    "AddressCounts": "ledger.addresses",
    "Stopped": "ledger.sending",
    "Clock": "ledger.tx",
    "Ids": "ledger.tx",
    "GatewayAccount": "service.account",
    "Timing": "service.account",
    "Rotated": "service.enroll",
    "JobResult": "service.agenda",
    "FeedsRead": "service.feed",
    "Rescan": "service.feed",
    "History": "service.history",
    "ImportProblem": "service.import_invoices",
    "Imported": "service.import_invoices",
    "Bill": "service.issue",
    "PausedSink": "service.publish",
    "Published": "service.publish",
    "Resolution": "service.resolve",
    "RefundTo": "service.taking",
    "Sink": "sink",
    "BlockingSink": "sink",
    "Delivery": "sink",
    "SinkTraits": "sink",
    "ConfiguredSink": "service.readers",
    "AsyncTransport": "transport.host",
    "Transport": "transport.host",
    "Network": "transport.network",
}

__all__ = [
    "AccountFacts",
    "AccountStatus",
    "AccountsOf",
    "Action",
    "AddressCounts",
    "AddressPer",
    "Allocation",
    "ApproveElsewhere",
    "Approved",
    "AsyncCashier",
    "AsyncTransport",
    "Attempt",
    "AttemptState",
    "Authorized",
    "Balance",
    "Bill",
    "BlockingSink",
    "Browser",
    "Callback",
    "CallbackProof",
    "CallbackStyle",
    "CardCheck",
    "CardChecks",
    "Cashier",
    "ChargeReason",
    "ChargeReasonWord",
    "Chargeback",
    "CheckResult",
    "Clock",
    "Concern",
    "ConfiguredSink",
    "CopiedLedger",
    "CopiedTable",
    "Credit",
    "CreditOn",
    "CreditReason",
    "Customer",
    "DeadLetter",
    "DeclineCode",
    "Declined",
    "DedupWindow",
    "Delivery",
    "Dispute",
    "DisputeState",
    "DisputeStateWord",
    "Ended",
    "Ending",
    "Event",
    "FeedsRead",
    "FlaggedPayments",
    "ForeignMoney",
    "Gateway",
    "GatewayAccount",
    "History",
    "Ids",
    "ImportProblem",
    "Imported",
    "InboxState",
    "InboxStateWord",
    "InquiryBy",
    "Invoice",
    "InvoiceStatus",
    "InvoiceStatusWord",
    "InvoiceTotals",
    "Job",
    "JobKind",
    "JobResult",
    "Keyed",
    "KeyedVerb",
    "Kind",
    "KindWord",
    "Late",
    "LateRule",
    "LedgerStatus",
    "Limits",
    "Mandate",
    "MandateScope",
    "Merchants",
    "MethodFacts",
    "MethodRequest",
    "Money",
    "Movement",
    "MovementKind",
    "Network",
    "NotIdempotent",
    "OnRest",
    "OnRestWord",
    "OneTimeToken",
    "Operation",
    "OperationResult",
    "OperationState",
    "PausedSink",
    "PayToAddress",
    "Payable",
    "PayerField",
    "PayerNumber",
    "PaygateError",
    "Payment",
    "PaymentItem",
    "PaymentMethod",
    "PaymentStatus",
    "PaymentStatusWord",
    "PaymentTotals",
    "Pays",
    "PaysWord",
    "PostForm",
    "PostalAddress",
    "Prepayment",
    "PrepaymentStatus",
    "PrepaymentStatusWord",
    "Published",
    "Rail",
    "RawBankAccount",
    "RawCard",
    "Receipt",
    "ReceiptLine",
    "RecordedBy",
    "Redirect",
    "RefundTo",
    "RefundToWord",
    "Refusal",
    "Refused",
    "RefusedCallbacks",
    "RejectCause",
    "Reply",
    "Request",
    "Rescan",
    "Resolution",
    "Response",
    "Reversal",
    "Review",
    "ReviewCause",
    "Rotated",
    "ScriptStep",
    "Secret",
    "SentBackBy",
    "Share",
    "ShowCode",
    "ShowVoucher",
    "Sighting",
    "Sink",
    "SinkStatus",
    "SinkTraits",
    "Stopped",
    "StoreError",
    "StoredAccount",
    "StoredCallback",
    "StoredMethod",
    "StoredToken",
    "Timing",
    "Traits",
    "Transport",
    "Unattended",
    "UnknownOutcomes",
    "UsageError",
    "Violation",
    "WaitingJobs",
    "Within",
    "WriteOff",
    "copy_ledger",
]

if not TYPE_CHECKING:
    # Hidden from type checkers, so that they still catch a wrong name.
    def __getattr__(name: str) -> Any:
        """Import a public name when it is first used."""
        if name not in _HOMES:
            raise AttributeError(f"module 'paygate' has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f"paygate.{_HOMES[name]}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        """List the public names."""
        return sorted(__all__)
