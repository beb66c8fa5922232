"""Records of the ledger, or their ids; and the outcome of an operation that a clerk records."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, cast

from paygate.cashier.arguments.amounts import money
from paygate.cashier.arguments.plain import named, refuse, whole
from paygate.errors import InvalidValue

if TYPE_CHECKING:
    from typing import Final

    from paygate.domain.invoice import Invoice
    from paygate.domain.job import Job
    from paygate.domain.outcome import Approved, Authorized, Declined, Ended
    from paygate.domain.payable import Payable
    from paygate.domain.payment import Payment
    from paygate.domain.prepayment import Prepayment


_STATEMENT_LINE: Final = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]{15}\+00:00 \S{1,300}")
ITEMS_MAX: Final = 1_000
"""How many invoices one payment can be for."""


def payment(value: object, name: str) -> str:
    """Return the id of a payment."""
    from paygate.domain.payment import Payment

    return _id(value, name, Payment)


def attempt(value: object, name: str) -> str:
    """Return the id of an attempt."""
    from paygate.domain.attempt import Attempt

    return _id(value, name, Attempt)


def receipt(value: object, name: str) -> str:
    """Return the id of a receipt."""
    from paygate.domain.receipt import Receipt

    return _id(value, name, Receipt)


def receipt_line(value: object, name: str) -> str:
    """Return the id of a receipt, which may be given as a line of a list of them."""
    from paygate.domain.receipt import Receipt, ReceiptLine

    return _id(value, name, Receipt, ReceiptLine)


def write_off(value: object, name: str) -> str:
    """Return the id of a write-off."""
    from paygate.domain.reversal import WriteOff

    return _id(value, name, WriteOff)


def job(value: object, name: str) -> Job:
    """Return a job, given as such or by its id."""
    from paygate.domain.job import Job

    if isinstance(value, Job):
        return value
    return Job.read(named(value, name), name)


def jobs(value: object, name: str) -> list[Job]:
    """Return jobs, given as such or by their ids."""
    if not isinstance(value, list | tuple):
        refuse(name, "a list of jobs", value)
    return [job(each, name) for each in cast("Iterable[object]", value)]


def stored(value: object, name: str) -> str:
    """Return the id of a stored method."""
    from paygate.domain.method import PaymentMethod

    return _id(value, name, PaymentMethod)


def change(value: object, name: str) -> str:
    """Return the id of a request to store or delete a method."""
    from paygate.domain.method import MethodRequest

    return _id(value, name, MethodRequest)


def actionable(value: object, name: str) -> str:
    """Return the id of what may require the payer's action: a payment, or a method request."""
    from paygate.domain.method import MethodRequest
    from paygate.domain.payment import Payment

    return _id(value, name, Payment, MethodRequest)


def callback_id(value: object, name: str) -> int:
    """Return the number of a stored callback."""
    from paygate.domain.callback import StoredCallback

    return value.id if isinstance(value, StoredCallback) else whole(value, name)


def number_of_callback(value: object, name: str) -> int:
    """Return the number of a stored callback, or 0 for none."""
    return 0 if type(value) is int and value == 0 else callback_id(value, name)


def invoice_id(value: object, name: str) -> str:
    """Return the id of an invoice."""
    from paygate.domain.invoice import Invoice

    return _id(value, name, Invoice)


def chargeback_id(value: object, name: str) -> str:
    """Return the id of a chargeback."""
    from paygate.domain.chargeback import Chargeback

    return _id(value, name, Chargeback)


def credit_id(value: object, name: str) -> str:
    """Return the id of a lot of credit."""
    from paygate.domain.credit import Credit

    return _id(value, name, Credit)


def bank_line_id(value: object, name: str) -> str:
    """Return the id of a line of a bank account."""
    from paygate.domain.bank_line import BankLine

    return _id(value, name, BankLine)


def bank_statement_id(value: object, name: str) -> str:
    """Return the id of a bank statement."""
    from paygate.domain.bank_line import BankStatement

    return _id(value, name, BankStatement)


def proposal_id(value: object, name: str) -> str:
    """Return the id of a proposal, or the empty text."""
    from paygate.domain.bank_line import Proposal

    return _id(value, name, Proposal)


def payer_number_id(value: object, name: str) -> str:
    """Return the id of the assignment of a payer number."""
    from paygate.domain.payer_number import PayerNumber

    return _id(value, name, PayerNumber)


def prepayment_id(value: object, name: str) -> str:
    """Return the id of a prepayment."""
    from paygate.domain.prepayment import Prepayment

    return _id(value, name, Prepayment)


def statement_line(value: object, name: str) -> str:
    """Return the id of a line of an account statement."""
    from paygate.domain.statement import StatementLine

    found = _id(value, name, StatementLine)
    if found and not _STATEMENT_LINE.fullmatch(found):
        refuse(name, "a StatementLine, or the id of one", value)
    return found


def link_id(value: object, name: str) -> str:
    """Return the id of a payment link."""
    from paygate.domain.link import PaymentLink

    return _id(value, name, PaymentLink)


def prepayment(value: object, name: str) -> Prepayment | str:
    """Return a prepayment, or the id of one."""
    from paygate.domain.prepayment import Prepayment

    if isinstance(value, Prepayment):
        return value
    if not isinstance(value, str):
        refuse(name, "a Prepayment, or the id of one", value)
    return named(value, name)


def customer_id(value: object, name: str) -> str:
    """Return the id by which a customer is looked up."""
    from paygate.domain.customer import Customer

    return _id(value, name, Customer)


def aggregate(value: object, name: str) -> str:
    """Return the id of what events are about."""
    from paygate.domain.invoice import Invoice
    from paygate.domain.link import PaymentLink
    from paygate.domain.method import PaymentMethod
    from paygate.domain.payment import Payment
    from paygate.domain.prepayment import Prepayment

    return _id(value, name, Payment, Invoice, Prepayment, PaymentLink, PaymentMethod)


def event(value: object, name: str) -> str:
    """Return the id of an event."""
    from paygate.domain.event import Event

    return _id(value, name, Event)


def delivery_try(value: object, name: str) -> str:
    """Return the id of a try to deliver an event; empty for none."""
    from paygate.domain.event import DeliveryTry

    return "" if isinstance(value, str) and not value else _id(value, name, DeliveryTry)


def _id(value: object, name: str, *kinds: type) -> str:
    if isinstance(value, str):
        return named(value, name)
    if not isinstance(value, kinds):
        refuse(name, f"a {' or a '.join(each.__name__ for each in kinds)}, or its id", value)
    id_ = cast("Payment", value).id
    return id_ if isinstance(cast("object", id_), str) else named(id_, name)


def invoice(value: object, name: str) -> Invoice | str:
    """Return an invoice, or the number (or id) of one."""
    from paygate.domain.invoice import Invoice

    if isinstance(value, Invoice):
        return value
    if not isinstance(value, str):
        refuse(name, "an Invoice, or the number of one", value)
    return named(value, name)


def items(value: object, name: str) -> list[Payable]:
    """Return what is to be paid, in order: invoices, prepayments, numbers, and shares."""
    from paygate.domain.invoice import Invoice
    from paygate.domain.payable import Share
    from paygate.domain.prepayment import Prepayment

    return [_item(each, name) for each in _several(value, name, (Invoice, Prepayment, Share, str))]


def invoices(value: object, name: str) -> list[Invoice | str]:
    """Return invoices, or invoice numbers, in order."""
    from paygate.domain.invoice import Invoice

    return [invoice(each, name) for each in _several(value, name, (Invoice, str))]


def _several(value: object, name: str, one: tuple[type, ...]) -> list[object]:
    whole = value
    if isinstance(value, one):
        return [value]
    if not isinstance(value, Iterable) or isinstance(value, (bytes, Mapping)):
        refuse(name, "an Invoice, the number of one, or a list of them", whole)
    found = list(islice(cast("Iterable[object]", value), ITEMS_MAX + 1))
    if len(found) > ITEMS_MAX:
        raise InvalidValue(f"{name} has more than {ITEMS_MAX:,} entries", argument=name)
    return found


def _item(value: object, name: str) -> Payable:
    from paygate.domain.payable import Share

    if not isinstance(value, Share):
        return item(value, name)
    _ = item(value.invoice, name)
    _ = money(value.amount, name)
    return value


def item(value: object, name: str) -> Invoice | Prepayment | str:
    """Return an invoice or prepayment, or the number or id of one."""
    from paygate.domain.prepayment import Prepayment

    return value if isinstance(value, Prepayment) else invoice(value, name)


def outcome(value: object, name: str) -> Approved | Authorized | Declined | Ended:
    """Return the outcome that a clerk records for an operation."""
    from paygate.domain.outcome import Approved, Authorized, Declined, Ended

    if type(value) is Authorized:
        return value
    if type(value) not in (Approved, Declined, Ended):
        refuse(name, "an Approved, Authorized, Declined or Ended", value)
    return cast("Approved | Declined | Ended", value)


def outcome_of_method(value: object, name: str) -> Approved | Declined | Ended:
    """Return the outcome that a clerk records for storing, or deleting, a method."""
    from paygate.domain.outcome import Approved, Declined, Ended

    if type(value) not in (Approved, Declined, Ended):
        refuse(name, "an Approved, Declined or Ended", value)
    return cast("Approved | Declined | Ended", value)
