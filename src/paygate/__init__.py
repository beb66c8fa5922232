"""Take money in Python: invoices, payments, reversals and pluggable payment gateways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0.dev0"

if TYPE_CHECKING:
    from paygate.aio import AsyncCashier
    from paygate.cashier import Cashier
    from paygate.domain.credit import Credit, CreditReason
    from paygate.domain.customer import Address, Browser, Customer
    from paygate.domain.event import DeadLetter, Event
    from paygate.domain.invoice import Invoice, InvoiceStatus, Share
    from paygate.domain.method import Kind, Mandate, MandateScope, MethodChange, PaymentMethod
    from paygate.domain.money import Money
    from paygate.domain.payment import Allocation, Attempt, Payment, PaymentStatus, Receipt
    from paygate.domain.result import OperationResult, OperationState
    from paygate.domain.reversal import Reversal, WriteOff
    from paygate.domain.secret import OneTimeToken, RawBankAccount, RawCard, Secret
    from paygate.errors import PaygateError, Refused, StoreError, UsageError
    from paygate.service.account import Timing

_HOMES = {
    "AsyncCashier": "aio",
    "Cashier": "cashier",
    "Credit": "domain.credit",
    "CreditReason": "domain.credit",
    "Address": "domain.customer",
    "Browser": "domain.customer",
    "Customer": "domain.customer",
    "DeadLetter": "domain.event",
    "Event": "domain.event",
    "Invoice": "domain.invoice",
    "InvoiceStatus": "domain.invoice",
    "Share": "domain.invoice",
    "Kind": "domain.method",
    "Mandate": "domain.method",
    "MandateScope": "domain.method",
    "MethodChange": "domain.method",
    "PaymentMethod": "domain.method",
    "Money": "domain.money",
    "Allocation": "domain.payment",
    "Attempt": "domain.payment",
    "Payment": "domain.payment",
    "PaymentStatus": "domain.payment",
    "Receipt": "domain.payment",
    "OperationResult": "domain.result",
    "OperationState": "domain.result",
    "Reversal": "domain.reversal",
    "WriteOff": "domain.reversal",
    "OneTimeToken": "domain.secret",
    "RawBankAccount": "domain.secret",
    "RawCard": "domain.secret",
    "Secret": "domain.secret",
    "PaygateError": "errors",
    "Refused": "errors",
    "StoreError": "errors",
    "UsageError": "errors",
    "Timing": "service.account",
}

__all__ = [
    "Address",
    "Allocation",
    "AsyncCashier",
    "Attempt",
    "Browser",
    "Cashier",
    "Credit",
    "CreditReason",
    "Customer",
    "DeadLetter",
    "Event",
    "Invoice",
    "InvoiceStatus",
    "Kind",
    "Mandate",
    "MandateScope",
    "MethodChange",
    "Money",
    "OneTimeToken",
    "OperationResult",
    "OperationState",
    "PaygateError",
    "Payment",
    "PaymentMethod",
    "PaymentStatus",
    "RawBankAccount",
    "RawCard",
    "Receipt",
    "Refused",
    "Reversal",
    "Secret",
    "Share",
    "StoreError",
    "Timing",
    "UsageError",
    "WriteOff",
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
