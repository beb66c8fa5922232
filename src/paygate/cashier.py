"""The cashier: what a host calls. One definition of every verb, two faces.

A verb is written once, as a flow. `Cashier` runs flows at once; `AsyncCashier`
has the same names, awaited. Verbs that send nothing are also offered inside a
transaction of the host's own, by `Cashier.within`.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from datetime import date, datetime, timedelta
from importlib import import_module
from types import FunctionType
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Generic,
    ParamSpec,
    Self,
    TypeVar,
    assert_never,
    cast,
    overload,
)

from paygate import arguments, logs
from paygate.domain.callback import InboxState
from paygate.domain.chargeback import DisputeState
from paygate.domain.charging import ChargeReason, metadata_of, statement_suffix_of
from paygate.domain.invoice import InvoiceStatus
from paygate.domain.kind import Operation
from paygate.domain.payer_number import Pays
from paygate.domain.payment import PaymentStatus
from paygate.domain.secret import Sealed
from paygate.domain.text import identifier, note, optional, shown
from paygate.driving import drive
from paygate.errors import (
    BadReply,
    CredentialsRejected,
    InvalidSettings,
    InvalidValue,
    LiveModeMismatch,
    NotAllowedHere,
    NotSent,
    UnknownGateway,
    UnknownPayment,
    Unsupported,
    UsageError,
)
from paygate.later import later, load
from paygate.service.flow import Exchange, Flow, Read, Tell, Write, ask, look, transact

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Coroutine, Sequence

    from paygate.aio import AsyncCashier
    from paygate.domain.action import Action
    from paygate.domain.allocation import Allocation
    from paygate.domain.attempt import Attempt
    from paygate.domain.callback import StoredCallback
    from paygate.domain.chargeback import Chargeback
    from paygate.domain.credit import Balance, Credit
    from paygate.domain.customer import Browser, Customer
    from paygate.domain.event import DeadLetter, Event
    from paygate.domain.invoice import Invoice, Share
    from paygate.domain.kind import Kind
    from paygate.domain.method import Mandate, MethodChange, PaymentMethod
    from paygate.domain.money import Money
    from paygate.domain.outcome import Approved, Closed, Declined
    from paygate.domain.payer_number import PayerNumber
    from paygate.domain.payment import Payment
    from paygate.domain.receipt import Receipt, ReceiptLine
    from paygate.domain.result import OperationResult
    from paygate.domain.reversal import Reversal, WriteOff
    from paygate.domain.secret import Secret
    from paygate.domain.status import LedgerStatus, Unattended
    from paygate.domain.words import (
        ChargeReasonWord,
        DisputeStateWord,
        InboxStateWord,
        InvoiceStatusWord,
        KeyedVerb,
        KindWord,
        PaymentStatusWord,
        PaysWord,
        RecordedBy,
        RefundToWord,
        SentBackBy,
    )
    from paygate.gateway import AccountFacts, Callback, Gateway, Method, Reply, SignsIn
    from paygate.ledger import (
        accounts,
        attempts,
        book,
        chargebacks,
        customers,
        inbox,
        items,
        lots,
        methods,
        outbox,
        payer_numbers,
        payments,
        places,
        receipts,
    )
    from paygate.ledger.book import Violation
    from paygate.ledger.paging import Page
    from paygate.ledger.sending import Stopped
    from paygate.ledger.store import Store, Writes
    from paygate.ledger.tx import Clock, Context, Ids, Tx
    from paygate.service import (
        action,
        assign,
        collect,
        complete,
        credit,
        dismiss,
        enroll,
        feed,
        finding,
        history,
        import_invoices,
        inquire,
        issue,
        listing,
        operate,
        publish,
        receive,
        record,
        record_refund,
        recover,
        refusals,
        resolve,
        return_address,
        reverse,
        sending,
        status,
        taking,
        unasked,
        undo_reversal,
        write_off,
    )
    from paygate.service.account import GatewayAccount, Timing
    from paygate.service.enroll import Rotated
    from paygate.service.flow import Step
    from paygate.service.taking import RefundTo
    from paygate.sink import Sink
    from paygate.transport import Courier
    from paygate.transport.network import Network

else:
    # A use case is imported when it is first called.
    later(
        globals(),
        "paygate.ledger",
        *(
            "accounts",
            "attempts",
            "book",
            "chargebacks",
            "customers",
            "inbox",
            "items",
            "lots",
            "methods",
            "outbox",
            "payer_numbers",
            "payments",
            "places",
        ),
        "receipts",
    )
    later(
        globals(),
        "paygate.service",
        *(
            "action",
            "assign",
            "collect",
            "complete",
            "credit",
            "dismiss",
            "enroll",
            "feed",
            "finding",
            "history",
            "import_invoices",
        ),
        *("inquire", "issue", "listing", "operate", "publish", "receive", "record", "recover"),
        *("resolve", "refusals", "return_address"),
        *("record_refund", "reverse", "sending", "status", "taking", "unasked"),
        *("undo_reversal", "write_off"),
    )

P = ParamSpec("P")
T = TypeVar("T")


class verb(Generic[P, T]):  # noqa: N801  (a decorator, like property)
    """A public verb, written as a flow and offered by each face in its own way."""

    def __init__(self, flow: Callable[Concatenate[Any, P], Flow[T]]) -> None:
        self.flow = flow
        self.__doc__ = flow.__doc__
        self._takes_token = str(flow.__annotations__.get("method", "")).startswith("Method |")
        self._takes_parameters = "parameters" in flow.__annotations__

    def seal(self, given: dict[str, Any]) -> None:
        """
        Make a token of plain text that is to pay or to be stored, in the arguments *given*.

        What a payer's browser brought back is sealed as well. The faces call this before
        anything can raise: a traceback shows the locals of each frame, and holds no token that way.
        """
        if self._takes_token and given.get("method") is not None:
            given["method"] = arguments.sealed_method(given["method"])
        if self._takes_parameters and given.get("parameters") is not None:
            given["parameters"] = Sealed(given["parameters"])

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: Cashier | Within, owner: Any) -> Callable[P, T]: ...
        @overload
        def __get__(
            self, instance: AsyncCashier, owner: Any
        ) -> Callable[P, Coroutine[Any, Any, T]]: ...
        @overload
        def __get__(self, instance: BookDesk, owner: Any) -> Callable[P, Flow[T]]: ...
        def __get__(self, instance: Any, owner: Any) -> Any: ...

    else:

        def __get__(self, instance: BookDesk | None, owner: type) -> Any:
            """Offer the flow itself; the faces replace this by functions of their own."""
            return self if instance is None else self.flow.__get__(instance, owner)


def each_verb(face: type) -> dict[str, verb[Any, Any]]:
    """Find the verbs that *face* inherits, by name."""
    return {
        name: value
        for base in reversed(face.__mro__)
        for name, value in vars(base).items()
        if isinstance(value, verb)
    }


def named_for(flow: Callable[..., T], face: type) -> Callable[..., T]:
    """Return *flow* under the name that it has on *face*, which Python puts into its messages."""
    function = cast("FunctionType", flow)
    made = FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    made.__kwdefaults__ = function.__kwdefaults__
    made.__annotations__ = function.__annotations__
    made.__doc__, made.__module__ = function.__doc__, function.__module__
    made.__qualname__ = f"{face.__qualname__}.{function.__name__}"
    return cast("Callable[..., T]", made)


def name_openers(face: type) -> None:
    """Let *face* open ledgers in its own name: a message of Python's says whose call it was."""
    for name in ("open", "in_memory"):
        flow = inspect.getattr_static(face, name)
        if isinstance(flow, classmethod):
            setattr(face, name, classmethod(named_for(cast("Any", flow).__func__, face)))


def dress(call: Callable[..., Any], name: str, source: verb[Any, Any], face: type) -> None:
    """Give *call* the name, signature and docstring of the verb that it offers."""
    call.__name__ = name
    call.__qualname__ = f"{face.__qualname__}.{name}"
    call.__module__ = face.__module__
    call.__doc__ = source.__doc__
    signature = inspect.signature(source.flow)
    returns = str(signature.return_annotation)
    if returns.startswith("Flow["):
        returns = returns.removeprefix("Flow[").removesuffix("]")
    call.__signature__ = signature.replace(return_annotation=returns)  # type: ignore[attr-defined]
    call.__annotations__ = {**source.flow.__annotations__, "return": returns}


class BookDesk:
    """The verbs that send nothing: they only write to the ledger, or read it."""

    _context: Context

    @verb
    def issue(
        self,
        *,
        number: str,
        customer: Customer | str,
        total: Money,
        due: date | str,
        on: date | str | None = None,
    ) -> Flow[Invoice]:
        """
        Issue an invoice, once per number.

        The same facts again return the invoice that is there. Dates are `date`
        objects or ISO 8601 text. Raises `NumberReused` for other facts under the
        same number, `InvalidAmount` for a total that is not more than zero.
        """
        bill = issue.Bill(
            number=arguments.number(number, "number"),
            customer=arguments.customer(customer, "customer"),
            total=arguments.money(total, "total"),
            due=arguments.day(due, "due"),
            on=arguments.maybe(arguments.day, on, "on"),
        )
        return (yield from issue.issue(bill))

    @verb
    def import_invoices(
        self,
        csv: bytes | str,
        *,
        skip_bad: bool = False,
        dry_run: bool = False,
        delimiter: str = ",",
        encoding: str = "utf-8",
        decimal: str = ".",
    ) -> Flow[import_invoices.Imported]:
        """
        Issue the invoices of a CSV file, all in one transaction; run twice, it issues once.

        The first line names the columns: number, customer, currency, total, due and,
        if wanted, name, email, phone of the customer and the parts of an `Address`. *delimiter*
        separates columns, *decimal* (a point or a comma) marks decimals, and *encoding* is that
        of bytes; none of them is guessed. Raises `ImportRejected` with every
        bad row by its line, and then nothing was issued; with *skip_bad* the good
        rows are, and the bad ones are told in the result. With *dry_run* nothing is written:
        `Imported.would_issue` has what would be, and the same errors are raised.
        """
        sheet = import_invoices.read_sheet(
            arguments.content(csv, "csv"),
            delimiter=arguments.delimiter(delimiter, "delimiter"),
            encoding=arguments.encoding(encoding, "encoding"),
            decimal=arguments.decimal_mark(decimal, "decimal"),
        )
        skips = arguments.flag(skip_bad, "skip_bad")
        rehearsal = arguments.flag(dry_run, "dry_run")
        return (yield from import_invoices.import_sheet(sheet, skip_bad=skips, dry_run=rehearsal))

    @verb
    def void(self, invoice: Invoice | str, *, reason: str) -> Flow[Invoice]:
        """
        Void an invoice that should not have been issued.

        Money that was on it becomes credit of the customer; `Invoice.credited` says how
        much that was. Raises
        `ItemAlreadyBeingPaid` while a payment that may still succeed holds it.
        """
        which = arguments.invoice(invoice, "invoice")
        return (yield from issue.void(which, reason=note(reason, "reason")))

    @verb
    def record(
        self,
        items: Sequence[Invoice | Share | str] | Invoice | Share | str,
        *,
        by: Kind | RecordedBy,
        key: str,
        amount: Money | None = None,
        reference: str = "",
        on: date | str | None = None,
        customer: Customer | str | None = None,
        payer: Customer | None = None,
    ) -> Flow[Payment]:
        """
        Record money that came in by hand: ``by="check"``, ``"cash"`` or ``"transfer"``.

        Without *amount* it is all that is open. What is more than open becomes
        credit; without invoices (and with *customer*) all of it does. What is for an invoice
        that is paid, written off or void, or held by another payment, becomes credit as well,
        with an alert, and the payment's `warnings` say so; then *amount* (or a `Share`) must
        say how much came. If the other payment ends unpaid, `pay_from_credit` uses the credit.
        *reference* is the check's number or the transfer's text. If money of the same payer
        with the same kind and reference stands in the books, it is booked all the same, and
        the payment's `warnings` say so.
        """
        slip = record.Slip(
            items=arguments.items(items, "items"),
            kind=arguments.kind(by, "by", record.TAKEN),
            key=arguments.key(key),
            amount=arguments.maybe(arguments.money, amount, "amount"),
            reference=optional(reference, "reference"),
            on=arguments.maybe(arguments.day, on, "on"),
            customer=arguments.maybe(arguments.customer, customer, "customer"),
            payer=arguments.maybe(arguments.person, payer, "payer"),
        )
        return (yield from record.record(slip))

    @verb
    def record_refund(
        self,
        payment: Payment | str | None = None,
        *,
        by: Kind | SentBackBy,
        reference: str,
        key: str,
        customer: Customer | str | None = None,
        amount: Money | None = None,
        to: RefundTo | RefundToWord | None = None,
        items: Sequence[Invoice | Share | str] | Invoice | Share | str = (),
        on: date | str | None = None,
        reason: str = "",
        force_reason: str = "",
    ) -> Flow[list[Receipt]]:
        """
        Record money of *payment* that was sent back by hand; nothing is sent.

        *by* is ``"cash"``, ``"check"``, ``"transfer"`` or ``"bitcoin"``, *reference* the
        check's number, the transfer's text or the transaction. With *customer* instead of
        a payment, *amount* of the customer's credit was paid out, the oldest first. The
        rules, *to* and *items* are those of `refund`. Returns the receipts; a mistake is
        taken back by `undo_record_refund`.
        """
        slip = record_refund.RefundSlip(
            kind=arguments.kind(by, "by"),
            key=arguments.key(key),
            reference=optional(reference, "reference"),
            payment=arguments.maybe(arguments.payment, payment, "payment"),
            customer=arguments.maybe(arguments.customer, customer, "customer"),
            amount=arguments.maybe(arguments.money, amount, "amount"),
            to=None if to is None else arguments.choice(taking.RefundTo, to, "to"),
            items=arguments.items(items, "items"),
            on=arguments.maybe(arguments.day, on, "on"),
            reason=note(reason, "reason"),
            force_reason=note(force_reason, "force_reason"),
        )
        return (yield from record_refund.record_refund(slip))

    @verb
    def undo_record_refund(self, receipt: Receipt | str, *, reason: str) -> Flow[Payment]:
        """Undo a refund that was recorded by hand and not sent; the money is where it was."""
        return (
            yield from record_refund.undo(
                arguments.receipt(receipt, "receipt"), reason=note(reason, "reason")
            )
        )

    @verb
    def reverse(
        self,
        payment: Payment | str,
        *,
        reason: str,
        on: date | str | None = None,
        number: str | None = None,
        fee: Money | None = None,
        bank_charge: Money | None = None,
        force: bool = False,
    ) -> Flow[Reversal]:
        """
        Book the opposite of *payment*, as for a check that bounced.

        Every open item goes back to what it was before the payment, and so do
        credits it used. The gateway is not called: no money is sent anywhere.
        *fee* issues an invoice for it to the customer, due on the day of the
        reversal; *bank_charge* posts what the bank took from us. *number* is the
        number of the reversal's document (else ``REV-1``, ``REV-2`` …).

        Money of a card or wallet that a gateway still has is not reversed: `StillAtGateway`;
        refund or cancel it. If it never came, and the gateway does not report that, *force*
        books it. What the gateway reports after all nets against the reversal.

        The same call again returns the same reversal. Raises `AlreadyReversed`,
        `CreditConsumed`, `HasRefunds`, `OutcomeUnknown`, `NothingToReverse` or
        `BadReversalDate`.
        """
        wish = reverse.Wish(
            payment=arguments.payment(payment, "payment"),
            reason=note(reason, "reason"),
            on=arguments.maybe(arguments.day, on, "on"),
            number=arguments.maybe(arguments.number, number, "number"),
            fee=arguments.maybe(arguments.money, fee, "fee"),
            bank_charge=arguments.maybe(arguments.money, bank_charge, "bank_charge"),
            period_closed=self._period_closed,
            force=arguments.flag(force, "force"),
        )
        return (yield from reverse.reverse(wish))

    @verb
    def undo_reversal(self, payment: Payment | str, *, reason: str) -> Flow[Payment]:
        """
        Undo the reversal of *payment*, which was money after all; undoing it again does nothing.

        The money goes on the invoices of the payment as far as they are open, the rest becomes
        credit. A fee invoice stays: void it if the customer does not owe it. What the gateway or
        bank has said to be gone is not put back: `NothingToReverse`.
        """
        return (
            yield from undo_reversal.undo(
                arguments.payment(payment, "payment"), reason=note(reason, "reason")
            )
        )

    @verb
    def pay_from_credit(
        self,
        items: Sequence[Invoice | Share | str] | Invoice | Share | str,
        *,
        key: str,
        amount: Money | None = None,
    ) -> Flow[Payment]:
        """
        Pay invoices from the customer's credit, the oldest lots first.

        Without *amount* it is as much as is open and as the credit covers.
        Raises `NotEnoughCredit`.
        """
        wanted = arguments.maybe(arguments.money, amount, "amount")
        use = credit.Use(
            items=arguments.items(items, "items"), key=arguments.key(key), amount=wanted
        )
        return (yield from credit.pay_from_credit(use))

    @verb
    def undo_credit_use(self, payment: Payment | str) -> Flow[Payment]:
        """Give the credit that *payment* used back; its invoices are open again."""
        return (yield from credit.undo_credit_use(arguments.payment(payment, "payment")))

    @verb
    def write_off(
        self,
        invoice: Invoice | str,
        *,
        reason: str,
        key: str,
        amount: Money | None = None,
    ) -> Flow[WriteOff]:
        """Give up an open amount of *invoice*; without *amount* all that is open."""
        wanted = arguments.maybe(arguments.money, amount, "amount")
        flow = write_off.write_off(
            arguments.invoice(invoice, "invoice"),
            amount=wanted,
            reason=note(reason, "reason"),
            key=arguments.key(key),
        )
        return (yield from flow)

    @verb
    def write_offs(self, invoice: Invoice | str) -> Flow[list[WriteOff]]:
        """List what was given up of *invoice*, oldest first, also what was undone."""
        return (yield from write_off.list_(arguments.invoice(invoice, "invoice")))

    @verb
    def undo_write_off(self, write_off_: WriteOff | str) -> Flow[WriteOff]:
        """Make an amount that was written off open again."""
        return (yield from write_off.undo_write_off(arguments.write_off(write_off_, "write_off_")))

    @verb
    def resolve(
        self,
        payment: Payment | str,
        outcome: resolve.Resolution,
        *,
        evidence: str,
        attempt: Attempt | str | None = None,
    ) -> Flow[Payment]:
        """
        Say how an attempt of a payment ended that we could not find out about.

        It is the one in doubt, or else the one that waits; where there are several
        (`SeveralInDoubt`), *attempt* says which. *evidence* is where you saw it, and
        stays in the event. An `Approved` needs the movement, so that a late answer
        does not book it again; `Authorized` says that an amount is held. Raises
        `OutcomeDoesNotFit` for what such an operation cannot end in, `AlreadyFinal`
        where there is nothing to resolve.
        """
        named = arguments.maybe(arguments.attempt, attempt, "attempt")
        flow = resolve.resolve(
            arguments.payment(payment, "payment"),
            arguments.outcome(outcome, "outcome"),
            evidence=note(evidence, "evidence"),
            attempt=named,
        )
        return (yield from flow)

    @verb
    def reviewed(self, payment: Payment | str, *, reason: str) -> Flow[Payment]:
        """
        Finish the review of *payment*: you have looked, and there is nothing to decide.

        *reason* is what you found, and stays in the event `payment.reviewed`. A payment that
        is under no review stays as it is. Raises `StillToDecide`, whose `verbs` say what
        decides, if an outcome is unknown, another amount is held, or money waits to be
        assigned.
        """
        return (
            yield from resolve.reviewed(
                arguments.payment(payment, "payment"), reason=note(reason, "reason")
            )
        )

    @verb
    def resolve_method(
        self,
        change: MethodChange | str,
        outcome: Approved | Declined | Closed,
        *,
        evidence: str,
    ) -> Flow[MethodChange]:
        """
        Say how storing (or deleting) a method ended that we could not find out about.

        To say that it was stored needs the method with its token at the gateway:
        ``Approved(method=StoredMethod(…))``. Otherwise as `resolve`.
        """
        flow = resolve.resolve_method(
            arguments.change(change, "change"),
            arguments.outcome_of_method(outcome, "outcome"),
            evidence=note(evidence, "evidence"),
        )
        return (yield from flow)

    @verb
    def assign(
        self,
        payment: Payment | str,
        invoices: Sequence[Invoice | str] | Invoice | str = (),
        *,
        reason: str,
        customer: Customer | str | None = None,
    ) -> Flow[Payment]:
        """
        Decide where money of *payment* goes that is not what was asked for.

        It goes on *invoices*, in order, and the rest becomes credit of the
        customer; without invoices all of it does. If it came for a payer's number
        that nobody has, *customer* says whose it is, or the first of the invoices does.
        Raises `NothingToAssign` where no money waits.
        """
        flow = assign.assign(
            arguments.payment(payment, "payment"),
            arguments.invoices(invoices, "invoices"),
            reason=note(reason, "reason"),
            customer=arguments.maybe(arguments.customer, customer, "customer"),
        )
        return (yield from flow)

    @verb
    def save_customer(self, customer: Customer) -> Flow[Customer]:
        """
        Remember a customer's zone and contact facts, and return what is remembered.

        A zone that is given replaces the one there. Contact facts are one record: where
        any is given, they replace all that are there; where none is, those are kept.
        """
        given = arguments.person(customer, "customer")

        def work(tx: Tx) -> Customer:
            id_ = customers.save(tx, given)
            return customers.find(tx, id_) or given

        return (yield from transact(work))

    @verb
    def erase_contact(self, customer: Customer | str) -> Flow[None]:
        """Erase a customer's contact facts; the books keep only the id."""
        id_ = arguments.customer_id(customer, "customer")
        yield from transact(lambda tx: customers.erase_contact(tx, id_))

    @verb
    def customer(self, id_: str) -> Flow[Customer | None]:
        """Read a customer with the contact facts we have; None where there is none."""
        which = arguments.customer_id(id_, "id_")
        return (yield from look(lambda tx: customers.find(tx, which)))

    @verb
    def methods(
        self,
        customer: Customer | str,
        *,
        oldest_first: bool = False,
        after: PaymentMethod | str = "",
        limit: int = 100,
    ) -> Flow[list[PaymentMethod]]:
        """List a page of the stored methods of a customer, the newest first; see `payments`."""
        who = arguments.customer_id(customer, "customer")
        page = self._page(arguments.stored(after, "after"), limit, oldest_first=oldest_first)
        return (yield from look(lambda tx: methods.page(tx, page, customer=who)))

    @verb
    def method(self, id_: str) -> Flow[PaymentMethod]:
        """Read a stored method, also one that was forgotten, or raise `UnknownMethod`."""
        which = arguments.stored(id_, "id_")
        return (yield from look(lambda tx: finding.method(tx, which)))

    @verb
    def method_changes(
        self,
        *,
        needs_review: bool | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
        oldest_first: bool = False,
        after: MethodChange | str = "",
        limit: int = 100,
    ) -> Flow[list[MethodChange]]:
        """
        List what was asked of gateways about methods alone: to store one, to delete one.

        The newest comes first, a page at a time, as `payments`. With ``needs_review=True``
        it is the list of those a person must look at.
        """
        flagged = arguments.maybe(arguments.flag, needs_review, "needs_review")
        page = self._page(
            arguments.change(after, "after"),
            limit,
            oldest_first=oldest_first,
            since=since,
            until=until,
        )

        def work(tx: Tx) -> list[MethodChange]:
            found = attempts.changes_page(tx, needs_review=flagged, which=page)
            return [enroll.change_of(tx, id_) for id_ in found]

        return (yield from look(work))

    @verb
    def mandate(self, method: PaymentMethod | str) -> Flow[Mandate | None]:
        """
        Return what the payer allowed us to collect from *method* (or its id); None if nothing.

        Raises `UnknownMethod`.
        """
        which = arguments.stored(method, "method")

        def work(tx: Tx) -> Mandate | None:
            found = finding.method(tx, which)
            return None if found.mandate is None else methods.mandate(tx, found.mandate)

        return (yield from look(work))

    @verb
    def set_default_method(self, method: PaymentMethod | str) -> Flow[PaymentMethod]:
        """Make a stored method the default one of its customer; the first one is it by itself."""
        return (yield from enroll.set_default(arguments.stored(method, "method")))

    @verb
    def invoice(self, number: str) -> Flow[Invoice]:
        """Read an invoice by number (or id), or raise `UnknownInvoice`."""
        which = arguments.named(number, "number")
        return (yield from look(lambda tx: finding.invoice(tx, which)))

    @verb
    def payment(self, id_: Payment | str) -> Flow[Payment]:
        """Read a payment as it now stands, or raise `UnknownPayment`."""
        which = arguments.payment(id_, "id_")
        return (yield from look(lambda tx: finding.payment(tx, which)))

    @verb
    def payment_by_key(self, key: str, *, verb: KeyedVerb = "collect") -> Flow[Payment]:
        """
        Read the payment that a call with the idempotency *key* made, or was about.

        *verb* is the verb that was called with it: a key is used once for each of them. It
        finds a payment whose id was lost, say because the process ended before it was saved.
        Raises `UnknownPayment` if no call of *verb* used the key: nothing was stored or sent
        then.
        """
        operations = _operations_of(verb)
        name = arguments.key(key)

        def work(tx: Tx) -> Payment:
            found = payments.by_key(tx, operations, name)
            if found is None:
                raise UnknownPayment(
                    f"no payment was made with the key {shown(name)} by {verb}", key=name
                )
            return found

        return (yield from look(work))

    @verb
    def invoices(
        self,
        *,
        customer: Customer | str | None = None,
        status: InvoiceStatus | InvoiceStatusWord | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
        oldest_first: bool = False,
        after: Invoice | str = "",
        limit: int = 100,
    ) -> Flow[list[Invoice]]:
        """
        List invoices by when they were issued, the newest first, a page at a time.

        *status* is an `InvoiceStatus` or its text, such as ``"paid"``. The dates, the order and
        the pages are those of `payments`. What is to be paid until when is listed by
        `open_invoices`.
        """
        who = arguments.maybe(arguments.customer_id, customer, "customer")
        standing = listing.state_of(InvoiceStatus, status, "status")
        page = self._page(
            arguments.invoice_id(after, "after"),
            limit,
            oldest_first=oldest_first,
            since=since,
            until=until,
        )

        def work(tx: Tx) -> list[Invoice]:
            return items.page(tx, page, customer=who, standing=standing)

        return (yield from look(work))

    @verb
    def open_invoices(
        self,
        customer: Customer | str | None = None,
        *,
        due_since: date | str | None = None,
        due_until: date | str | None = None,
        after: Invoice | str = "",
        limit: int = 100,
    ) -> Flow[list[Invoice]]:
        """
        List what is owed, by *customer* or by all of them: the oldest due date first.

        *due_since* is the first due date that counts and *due_until* the first that does not,
        so ``due_until=today`` lists what is overdue. A page at a time, as `payments`.
        """
        who = arguments.maybe(arguments.customer_id, customer, "customer")
        page = listing.page_by_due(
            after=arguments.invoice_id(after, "after"),
            limit=limit,
            since=due_since,
            until=due_until,
        )
        return (yield from look(lambda tx: items.owed_page(tx, page, customer=who)))

    @verb
    def payments(
        self,
        *,
        customer: Customer | str | None = None,
        invoice: Invoice | str | None = None,
        account: str | None = None,
        status: PaymentStatus | PaymentStatusWord | None = None,
        needs_review: bool | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
        oldest_first: bool = False,
        after: Payment | str = "",
        limit: int = 100,
    ) -> Flow[list[Payment]]:
        """
        List payments, the newest first, a page at a time.

        Those of a *customer*, for an *invoice* (by number, or id), through a gateway *account*
        (``"recorded"`` for those recorded by hand), and in a *status*, an enum or its text. With
        ``needs_review=True`` it is the list of those a person must look at.

        *since* is the first day (or instant) on which they were made and *until* the first that
        does not count: a `date` or ISO 8601 text begins at midnight in the merchant's zone.

        A page has *limit* of them, 1 to 1,000. Pass the last one (or its id) as *after* for the
        next page; when a page is not full there is no next one. The hundredth page costs no more
        than the first, and payments that are made meanwhile shift nothing. Raises `InvalidValue`
        for what means nothing, `UnknownInvoice`, `UnknownGateway`, and `UnknownPayment` for an
        *after* that is not there.
        """
        who = arguments.maybe(arguments.customer_id, customer, "customer")
        wanted = listing.state_of(PaymentStatus, status, "status")
        of_account = arguments.maybe(arguments.named, account, "account")
        flagged = arguments.maybe(arguments.flag, needs_review, "needs_review")
        billed = arguments.maybe(arguments.invoice, invoice, "invoice")
        page = self._page(
            arguments.payment(after, "after"),
            limit,
            oldest_first=oldest_first,
            since=since,
            until=until,
        )

        def work(tx: Tx) -> list[Payment]:
            which = payments.Wanted(
                customer=who,
                account=of_account,
                status=wanted,
                needs_review=flagged,
                item=None if billed is None else finding.invoice(tx, billed).id,
            )
            return finding.of_account(tx, of_account, payments.page(tx, which, page))

        return (yield from look(work))

    @verb
    def attempts(self, payment: Payment | str) -> Flow[list[Attempt]]:
        """List what was asked of gateways for a payment, the oldest first.

        Raises `UnknownPayment`.
        """
        which = arguments.payment(payment, "payment")

        def work(tx: Tx) -> list[Attempt]:
            found = finding.payment(tx, which)
            return [row.attempt for row in attempts.of_payment(tx, found.id)]

        return (yield from look(work))

    @verb
    def receipts(self, payment: Payment | str) -> Flow[list[Receipt]]:
        """List the money that moved for a payment, in and out; raises `UnknownPayment`."""
        which = arguments.payment(payment, "payment")
        found = look(lambda tx: receipts.of_payment(tx, finding.payment(tx, which).id))
        return (yield from found)

    @verb
    def receipt_lines(
        self,
        *,
        account: str | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
        oldest_first: bool = False,
        after: ReceiptLine | Receipt | str = "",
        limit: int = 100,
    ) -> Flow[list[ReceiptLine]]:
        """
        List the receipts of all payments by when they were booked, the newest first.

        Each stands alongside its customer, invoices and processor, as an accountant wants it; a
        gateway *account* may be named, or ``"recorded"`` for what was recorded by hand. The
        dates, the order and the pages are those of `payments`. What was booked until a day
        stays: money that is booked later is in a later list, also if it moved earlier.
        """
        of_account = arguments.maybe(arguments.named, account, "account")
        page = self._page(
            arguments.receipt_line(after, "after"),
            limit,
            oldest_first=oldest_first,
            since=since,
            until=until,
        )

        def work(tx: Tx) -> list[ReceiptLine]:
            return finding.of_account(tx, of_account, receipts.page(tx, page, account=of_account))

        return (yield from look(work))

    @verb
    def chargebacks(
        self,
        *,
        payment: Payment | str | None = None,
        account: str | None = None,
        state: DisputeState | DisputeStateWord | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
        oldest_first: bool = False,
        after: Chargeback | str = "",
        limit: int = 100,
    ) -> Flow[list[Chargeback]]:
        """
        List chargebacks by when they were opened, the newest first.

        Those of a *payment*, of a gateway *account*, and in a *state*: ``"opened"``, ``"lost"``
        or ``"won"``. The dates, the order and the pages are those of `payments`. Raises
        `UnknownPayment`.
        """
        of = arguments.maybe(arguments.payment, payment, "payment")
        wanted = listing.state_of(DisputeState, state, "state")
        of_account = arguments.maybe(arguments.named, account, "account")
        page = self._page(
            arguments.chargeback_id(after, "after"),
            limit,
            oldest_first=oldest_first,
            since=since,
            until=until,
        )

        def work(tx: Tx) -> list[Chargeback]:
            if of is not None:
                finding.payment(tx, of)
            found = chargebacks.page(tx, page, payment=of, account=of_account, state=wanted)
            return finding.of_account(tx, of_account, found)

        return (yield from look(work))

    @verb
    def history(self, payment: Payment | str) -> Flow[history.History]:
        """Read all that is written down about a payment: asked, moved, put on invoices, told."""
        which = arguments.payment(payment, "payment")
        return (yield from look(lambda tx: history.of(tx, which)))

    @verb
    def allocations(self, invoice: Invoice | str) -> Flow[list[Allocation]]:
        """List what was put on an invoice, and what was taken off again."""
        which = arguments.invoice(invoice, "invoice")
        return (yield from look(lambda tx: receipts.of_item(tx, finding.invoice(tx, which).id)))

    @verb
    def credits(
        self, customer: Customer | str, *, after: Credit | str = "", limit: int = 100
    ) -> Flow[list[Credit]]:
        """
        List the lots of a customer's balance on which something is left, a page at a time.

        The oldest comes first, because it is spent first.
        """
        who = arguments.customer_id(customer, "customer")
        page = self._page(arguments.credit_id(after, "after"), limit, oldest_first=True)
        return (yield from look(lambda tx: lots.standing_page(tx, page, customer=who)))

    @verb
    def balance(self, customer: Customer | str) -> Flow[Balance]:
        """
        Return a customer's free credit by currency; negative if the customer owes us.

        A currency in which nothing stands has a balance of zero.
        """
        who = arguments.customer_id(customer, "customer")
        return (yield from look(lambda tx: credit.balance(tx, who)))

    @verb
    def events(
        self,
        *,
        aggregate: Payment | Invoice | PaymentMethod | str | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> Flow[list[Event]]:
        """
        List events in the order in which they happened, a page at a time.

        The oldest comes first, because who reads them goes forward: pass the last one's
        position as *after* for the next page. With *aggregate* (or its id, or an invoice's number)
        only those about one payment, invoice or stored method; raises `NotFoundError` if there
        is none of that id.
        """
        about = arguments.maybe(arguments.aggregate, aggregate, "aggregate")
        behind, most = listing.number_of(after), listing.limit_of(limit)

        def work(tx: Tx) -> list[Event]:
            which = None if about is None else finding.aggregate(tx, about)
            return outbox.after(tx, behind, most, which)

        return (yield from look(work))

    @verb
    def status(self) -> Flow[LedgerStatus]:
        """
        Return how the ledger stands: totals, accounts, sinks, and what needs a person.

        It reads by indexes of its own. Invoices and payments are counted each time, which takes
        half a second in a ledger of a million.
        """
        return (yield from look(status.status))

    @verb
    def unattended(self, *, waited: timedelta = timedelta(days=1)) -> Flow[list[Unattended]]:
        """
        Return the gateway accounts whose inquiries or callbacks have been due for so long.

        No process recovers for them: `recover` does not run, or where it runs the account
        is not configured.
        """
        since = arguments.span(waited, "waited")
        return (yield from look(lambda tx: recover.unattended(tx, since)))

    @verb
    def dead_letters(self, *, sink: str | None = None, limit: int = 100) -> Flow[list[DeadLetter]]:
        """
        List events that were given up for *sink*, or for any, the oldest of each first.

        Raises `NotFoundError` if no sink of that name ever read.
        """
        which = arguments.maybe(arguments.named, sink, "sink")
        most = listing.limit_of(limit)

        def work(tx: Tx) -> list[DeadLetter]:
            name = None if which is None else finding.sink(tx, which)
            return outbox.dead_letters(tx, name, most)

        return (yield from look(work))

    @verb
    def replay_dead_letters(self, sink: str) -> Flow[int]:
        """
        Let *sink* try its dead letters again at the next `publish`; return how many.

        Raises `NotFoundError` if no sink of that name ever read.
        """
        which = arguments.named(sink, "sink")
        return (yield from transact(lambda tx: outbox.revive(tx, finding.sink(tx, which))))

    @verb
    def callbacks(
        self,
        *,
        state: InboxState | InboxStateWord | None = None,
        account: str | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
        oldest_first: bool = False,
        after: StoredCallback | int = 0,
        limit: int = 100,
    ) -> Flow[list[StoredCallback]]:
        """
        List what processors told us and what became of it, the newest first.

        *state* narrows it to ``"new"``, ``"applied"``, ``"ignored"``, ``"orphan"``, ``"failed"``
        ``"conflicted"`` or ``"dismissed"``, *account* to those of a gateway account. The dates
        (of when they came), the order and the pages are those of `payments`.
        """
        wanted = listing.state_of(InboxState, state, "state")
        last = arguments.number_of_callback(after, "after")
        of_account = arguments.maybe(arguments.named, account, "account")
        page = self._page(last, limit, oldest_first=oldest_first, since=since, until=until)
        return (yield from self._callbacks(page, wanted, of_account))

    def _callbacks(
        self, page: Page, state: InboxState | None, account: str | None
    ) -> Flow[list[StoredCallback]]:
        def work(tx: Tx) -> list[StoredCallback]:
            found = inbox.page(tx, page, state=state, account=account)
            return finding.of_account(tx, account, found)

        return (yield from look(work))

    @verb
    def orphans(
        self,
        *,
        account: str | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
        oldest_first: bool = False,
        after: StoredCallback | int = 0,
        limit: int = 100,
    ) -> Flow[list[StoredCallback]]:
        """List what processors told us about operations that nobody here knows; see `callbacks`."""
        state = listing.state_of(InboxState, "orphan", "state")
        last = arguments.number_of_callback(after, "after")
        of_account = arguments.maybe(arguments.named, account, "account")
        page = self._page(last, limit, oldest_first=oldest_first, since=since, until=until)
        return (yield from self._callbacks(page, state, of_account))

    @verb
    def dismiss_callback(
        self, callback: StoredCallback | int, *, reason: str
    ) -> Flow[StoredCallback]:
        """
        Record that nothing is to be done about a callback that could not be applied.

        It is for those that are orphan, failed or conflicted, after you have looked: such as one
        about an order of another system. It is not applied, and needs nobody any more; *reason*
        and who acts stay with it and in the event `callback.dismissed`, which also names the
        money that it tells of. Money that is yours is not dismissed, but replayed or recorded.
        `replay_callback` takes it back. Raises `NothingToDismiss` for any other callback.
        """
        which = arguments.callback_id(callback, "callback")
        return (yield from dismiss.dismiss(which, reason=note(reason, "reason")))

    @verb
    def stop_sending(self, *, reason: str) -> Flow[Stopped]:
        """
        Let nothing be sent from this ledger, for any tenant: it was restored from a backup.

        What would send raises `SendingStopped` and stores nothing; inquiries, callbacks
        and feeds go on. It lasts, for every process, until `resume_sending`.
        """
        return (yield from sending.stop(note(reason, "reason")))

    @verb
    def sending_stopped(self) -> Flow[Stopped | None]:
        """Tell since when and why nothing is sent; None where it may be."""
        return (yield from sending.standing())

    @verb
    def fsck(
        self,
        *,
        rules: Collection[str] | None = None,
        progress: Callable[[str, int, int], object] | None = None,
    ) -> Flow[list[Violation]]:
        """
        Check the file and the books, and return what breaks a rule; empty if they are sound.

        *rules* names those to check, by default all. *progress* is called before each
        with its name, its number and how many there are. At most a hundred violations of
        a rule are named, and the others are counted.
        """
        named = arguments.maybe(arguments.names, rules, "rules")
        wanted = book.chosen(named)
        told = None
        if progress is not None:
            told = arguments.called(progress, "progress", "a name and two numbers")
        return (yield from look(lambda tx: book.check(tx, wanted, told)))

    def _page(
        self,
        after: str | int,
        limit: int,
        *,
        oldest_first: bool = False,
        since: date | str | None = None,
        until: date | str | None = None,
    ) -> Page:
        return listing.page_of(
            self._context,
            after=after,
            limit=limit,
            oldest_first=arguments.flag(oldest_first, "oldest_first"),
            since=since,
            until=until,
        )

    _period_closed: Callable[[date], bool] | None = None


class Desk(BookDesk):
    """All verbs, also those that speak to a gateway."""

    _awaits = False
    """Whether a handler of events may be one that is to be awaited."""

    _accounts: dict[str, GatewayAccount]
    _readers: dict[str, Sink | publish.Subscriber]
    _timing: Timing

    @verb
    def collect(
        self,
        items: Sequence[Invoice | Share | str] | Invoice | Share | str,
        *,
        via: str,
        key: str,
        method: Method | PaymentMethod | str | None = None,
        amount: Money | None = None,
        credit: Money | None = None,
        expect: Money | None = None,
        kind: Kind | KindWord | None = None,
        customer: Customer | str | None = None,
        payer: Customer | None = None,
        return_url: str = "",
        browser: Browser | None = None,
        description: str = "",
        save_method: bool = False,
        mandate: Mandate | None = None,
        payer_present: bool = True,
        reason: ChargeReason | ChargeReasonWord | None = None,
        statement_suffix: str = "",
        receipt_email: str = "",
        metadata: Mapping[str, str] | None = None,
        ship_to: Customer | None = None,
        moto: bool = False,
    ) -> Flow[Payment]:
        """
        Collect open invoices through the gateway account *via*.

        Items are filled in the order given. Without *amount* it is all that is
        open; an amount beyond that becomes credit of the customer. *credit* is
        the part to take from the customer's balance. *expect* is what the payer was shown
        as open: if it is another amount by now, nothing is charged (`OpenAmountChanged`).
        *method* is a one-time token
        (a `str` is one) or a stored `PaymentMethod`; accounts that send the payer
        away need *return_url* instead, the whole address of the page that the payer comes
        back to: ``{payment}`` in it becomes the payment's id. *kind* is needed where the
        account takes several.

        *save_method* stores the method as well, with the payer's *mandate* where we
        are to charge it by ourselves later: with ``payer_present=False``.
        *reason* says by which agreement that is, such as ``"recurring"``.

        *statement_suffix* goes on the payer's card statement, a receipt to
        *receipt_email*, and *metadata* (up to 20 texts by name) beside the payment at
        the gateway, with the name, telephone and address of who gets the goods (*ship_to*),
        if it has a place for them. *moto* says that the payer gave the card by mail or
        telephone.

        *key* makes it safe to call again: the same key returns the same payment,
        and never charges twice. After a decline, use a new key. Once the intent
        is stored this returns the payment whatever happens on the wire: look at
        its `status`. Before that it raises a `UsageError` or a `Refused`, such as
        `ItemAlreadyBeingPaid`.
        """
        account = self._account(via)
        order = collect.Order(
            items=arguments.items(items, "items"),
            account=account,
            key=arguments.key(key),
            kind=arguments.maybe(arguments.kind, kind, "kind"),
            method=(yield from _method(method)),
            amount=arguments.maybe(arguments.money, amount, "amount"),
            credit=arguments.maybe(arguments.money, credit, "credit"),
            expect=arguments.maybe(arguments.any_money, expect, "expect"),
            customer=arguments.maybe(arguments.customer, customer, "customer"),
            payer=arguments.maybe(arguments.person, payer, "payer"),
            return_url=return_address.checked(
                arguments.url(return_url, "return_url", live=account.traits.live)
            ),
            browser=arguments.maybe(arguments.browser, browser, "browser"),
            description=note(description, "description"),
            save_method=arguments.flag(save_method, "save_method"),
            mandate=arguments.maybe(arguments.mandate, mandate, "mandate"),
            payer_present=arguments.flag(payer_present, "payer_present"),
            reason=None if reason is None else arguments.choice(ChargeReason, reason, "reason"),
            statement_suffix=statement_suffix_of(statement_suffix),
            receipt_email=optional(receipt_email, "receipt_email"),
            metadata=metadata_of({} if metadata is None else metadata),
            ship_to=arguments.maybe(arguments.person, ship_to, "ship_to"),
            moto=arguments.flag(moto, "moto"),
        )
        return (yield from collect.collect(order, self._timing, self._accounts))

    @verb
    def authorize(
        self,
        items: Sequence[Invoice | Share | str] | Invoice | Share | str,
        *,
        via: str,
        key: str,
        method: Method | PaymentMethod | str | None = None,
        amount: Money | None = None,
        kind: Kind | KindWord | None = None,
        payer: Customer | None = None,
        return_url: str = "",
        browser: Browser | None = None,
        description: str = "",
        save_method: bool = False,
        mandate: Mandate | None = None,
        payer_present: bool = True,
        reason: ChargeReason | ChargeReasonWord | None = None,
        statement_suffix: str = "",
        receipt_email: str = "",
        metadata: Mapping[str, str] | None = None,
        ship_to: Customer | None = None,
        moto: bool = False,
    ) -> Flow[Payment]:
        """
        Hold the amount of open invoices, to be captured later; see `collect`.

        The invoices stay held for this payment until the final `capture`, `cancel`,
        or until the authorisation runs out.
        """
        account = self._account(via)
        order = collect.Order(
            items=arguments.items(items, "items"),
            account=account,
            key=arguments.key(key),
            name="authorize",
            operation=Operation.AUTHORIZE,
            kind=arguments.maybe(arguments.kind, kind, "kind"),
            method=(yield from _method(method)),
            amount=arguments.maybe(arguments.money, amount, "amount"),
            payer=arguments.maybe(arguments.person, payer, "payer"),
            return_url=return_address.checked(
                arguments.url(return_url, "return_url", live=account.traits.live)
            ),
            browser=arguments.maybe(arguments.browser, browser, "browser"),
            description=note(description, "description"),
            save_method=arguments.flag(save_method, "save_method"),
            mandate=arguments.maybe(arguments.mandate, mandate, "mandate"),
            payer_present=arguments.flag(payer_present, "payer_present"),
            reason=None if reason is None else arguments.choice(ChargeReason, reason, "reason"),
            statement_suffix=statement_suffix_of(statement_suffix),
            receipt_email=optional(receipt_email, "receipt_email"),
            metadata=metadata_of({} if metadata is None else metadata),
            ship_to=arguments.maybe(arguments.person, ship_to, "ship_to"),
            moto=arguments.flag(moto, "moto"),
        )
        return (yield from collect.collect(order, self._timing, self._accounts))

    @verb
    def capture(
        self,
        payment: Payment | str,
        *,
        key: str,
        amount: Money | None = None,
        final: bool = True,
    ) -> Flow[OperationResult]:
        """
        Take all that is left of an authorised payment, or *amount* of it.

        Returns what became of it: look at its `state` before you say that it was taken.
        With ``final=False`` the rest stays authorised for another capture, if the account
        can do that. Raises `NotCapturable` for more than is left, or while the payment is
        being voided.
        """
        task = operate.Task(
            operation=Operation.CAPTURE,
            payment=arguments.payment(payment, "payment"),
            key=arguments.key(key),
            amount=arguments.maybe(arguments.money, amount, "amount"),
            final=arguments.flag(final, "final"),
        )
        return (yield from operate.operate(task, self._accounts, self._timing))

    @verb
    def refund(
        self,
        payment: Payment | str,
        *,
        key: str,
        amount: Money | None = None,
        to: RefundTo | RefundToWord | None = None,
        items: Sequence[Invoice | Share | str] | Invoice | Share | str = (),
        reason: str = "",
        force_reason: str = "",
    ) -> Flow[OperationResult]:
        """
        Send money of *payment* back to the payer through the gateway.

        Returns what became of it: look at its `state` before you say that the money went
        back. It may be on its way, unknown, or declined. The same key returns the same
        result, and never sends the money twice.

        *items* are the invoices it goes back for, in order, as far as this payment paid
        them; without them the last one that it paid comes first.

        *to* says what becomes of the invoices: ``"reopen"`` makes them open again,
        ``"credit_note"`` also gives up what it reopens (the goods went back),
        ``"from_credit"`` pays out credit that the payment made. By default credit
        is paid out where there is enough of it, and invoices are reopened else.

        Never more goes back than came, however many ask at once: raises
        `NotRefundable`. Raises `CreditConsumed` if some of it was spent as credit, unless
        *to* says from where it is taken; `DisputeOpen` while the bank may take it itself;
        `NotYetRefundable` while the bank can still return it, unless *force_reason* says
        why it is sent all the same. A bounced check is no refund: see `reverse`.
        """
        task = operate.Task(
            operation=Operation.REFUND,
            payment=arguments.payment(payment, "payment"),
            key=arguments.key(key),
            amount=arguments.maybe(arguments.money, amount, "amount"),
            to=None if to is None else arguments.choice(taking.RefundTo, to, "to"),
            items=arguments.items(items, "items"),
            reason=note(reason, "reason"),
            force_reason=note(force_reason, "force_reason"),
        )
        return (yield from operate.operate(task, self._accounts, self._timing))

    @verb
    def cancel(
        self, payment: Payment | str, *, key: str, force_reason: str = ""
    ) -> Flow[OperationResult]:
        """
        Undo *payment* in the cheapest way that still works.

        A page is closed, an authorisation is voided, a charge is voided while the
        gateway can, and refunded after. Returns what became of the last of them; its
        `operation` says which that was. Raises `NotCancelable`, and `NotYetRefundable`
        if only a refund is left and the bank can still return the money, unless
        *force_reason* says why it is sent all the same.
        """
        wish = operate.Cancel(
            arguments.payment(payment, "payment"),
            arguments.key(key),
            note(force_reason, "force_reason"),
        )
        return (yield from operate.cancel(wish, self._accounts, self._timing))

    @verb
    def complete(
        self,
        payment: Payment | str,
        *,
        key: str | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> Flow[OperationResult]:
        """
        Finish a payment whose payer came back from the gateway's page.

        What the return page says is not believed: the gateway is asked. Returns what
        became of it: if its `state` is ``requires_action`` the payer has not finished, or
        has another step to do, which `Payment.action` says.
        *parameters* are those of the return address, where the gateway wants them.
        Without *key* it is asked again each time, once the last answer is known.
        If another payment took over meanwhile, nothing is completed, but money that the payer
        has paid on the page is booked and becomes credit; without any this raises
        `ItemAlreadyBeingPaid`. Raises `NotPayable` if nothing waits.
        """
        # The faces seal it; a flow that is made without a face does not.
        given = cast("object", parameters)
        sealed = cast("Any", given if given is None or isinstance(given, Sealed) else Sealed(given))
        task = operate.Task(
            operation=Operation.COMPLETE,
            payment=arguments.payment(payment, "payment"),
            key=None if key is None else arguments.key(key),
            parameters=arguments.parameters(sealed, "parameters"),
        )
        return (yield from complete.complete(task, self._accounts, self._timing))

    @verb
    def action_of(self, payment: Payment | MethodChange | str) -> Flow[Action]:
        """
        Return what the payer is to do for *payment*, with what only their browser may see.

        `Payment.action` says what it is, but never holds the token of a `PostForm` or the
        client secret of a `ScriptStep`: put the result into the page, and nowhere else.
        If a part has come to the address of a `PayToAddress`, or was seen on its way there, the
        result asks for the rest, to the same address and at the same price, while the quote is
        good and the invoices have as much open.
        For a method that is being stored, give its `MethodChange`. The secret is kept
        under the ``token_keys``; without them the gateway is asked for it again. Raises
        `SecretNotKept` if it gives it only once, `NotPayable` if nothing waits for the payer,
        `InvalidSettings` if the account has no publishable key for the script of the step.
        """
        return (
            yield from action.action_of(
                arguments.actionable(payment, "payment"), self._accounts, self._timing
            )
        )

    @verb
    def close_page(
        self, payment: Payment | str, *, key: str | None = None
    ) -> Flow[OperationResult]:
        """
        Withdraw a page or slip that should not be paid any more.

        Returns what became of it: until its `state` is ``succeeded`` the payer can pay.
        """
        task = operate.Task(
            operation=Operation.CLOSE,
            payment=arguments.payment(payment, "payment"),
            key=None if key is None else arguments.key(key),
        )
        return (yield from operate.operate(task, self._accounts, self._timing))

    @verb
    def top_up(
        self,
        customer: Customer | str,
        amount: Money,
        *,
        via: str,
        key: str,
        method: Method | PaymentMethod | str | None = None,
        kind: Kind | KindWord | None = None,
        payer: Customer | None = None,
        return_url: str = "",
        browser: Browser | None = None,
        description: str = "",
        save_method: bool = False,
        mandate: Mandate | None = None,
        payer_present: bool = True,
        reason: ChargeReason | ChargeReasonWord | None = None,
        statement_suffix: str = "",
        receipt_email: str = "",
        metadata: Mapping[str, str] | None = None,
        ship_to: Customer | None = None,
        moto: bool = False,
    ) -> Flow[Payment]:
        """Collect *amount* for a customer's balance, without an invoice; see `collect`."""
        account = self._account(via)
        order = collect.Order(
            items=(),
            account=account,
            key=arguments.key(key),
            name="top_up",
            kind=arguments.maybe(arguments.kind, kind, "kind"),
            method=(yield from _method(method)),
            amount=arguments.money(amount, "amount"),
            customer=arguments.customer(customer, "customer"),
            payer=arguments.maybe(arguments.person, payer, "payer"),
            return_url=return_address.checked(
                arguments.url(return_url, "return_url", live=account.traits.live)
            ),
            browser=arguments.maybe(arguments.browser, browser, "browser"),
            description=note(description, "description"),
            save_method=arguments.flag(save_method, "save_method"),
            mandate=arguments.maybe(arguments.mandate, mandate, "mandate"),
            payer_present=arguments.flag(payer_present, "payer_present"),
            reason=None if reason is None else arguments.choice(ChargeReason, reason, "reason"),
            statement_suffix=statement_suffix_of(statement_suffix),
            receipt_email=optional(receipt_email, "receipt_email"),
            metadata=metadata_of({} if metadata is None else metadata),
            ship_to=arguments.maybe(arguments.person, ship_to, "ship_to"),
            moto=arguments.flag(moto, "moto"),
        )
        return (yield from collect.collect(order, self._timing, self._accounts))

    @verb
    def enroll(
        self,
        customer: Customer | str,
        *,
        via: str,
        key: str,
        method: Method | str | None = None,
        from_payment: Payment | str | None = None,
        return_url: str = "",
        mandate: Mandate | None = None,
        kind: Kind | KindWord | None = None,
        currency: str = "",
    ) -> Flow[MethodChange]:
        """
        Store a customer's method at the gateway account *via*; no money moves.

        It is that of *method* (a one-time token; a `str` is one), that of a payment
        that went through, or, with *return_url*, one that the customer enters on the
        gateway's page: then the result has an `action`, and `inquire_method` tells
        how it ended. A bank may also want to see the payer of a token; for that, give
        *return_url* beside it. *mandate* is what the customer allowed us to collect without him.
        *currency* is that of later charges, on which it may depend what the page offers.

        The same key returns the same result. Raises `TokenKeysMissing` where the cashier
        was opened without ``token_keys``, `NotEnrollable` where it makes no sense.
        """
        account = self._account(via)
        wish = enroll.Wish(
            customer=arguments.customer(customer, "customer"),
            account=account,
            key=arguments.key(key),
            kind=arguments.maybe(arguments.kind, kind, "kind"),
            method=arguments.maybe(arguments.new_method, method, "method"),
            from_payment=arguments.maybe(arguments.payment, from_payment, "from_payment"),
            return_url=return_address.without_payment(
                arguments.url(return_url, "return_url", live=account.traits.live)
            ),
            mandate=arguments.maybe(arguments.mandate, mandate, "mandate"),
            currency=arguments.currency(currency, "currency"),
        )
        return (yield from enroll.enroll(wish, self._timing))

    @verb
    def forget_method(self, method: PaymentMethod | str, *, key: str) -> Flow[MethodChange]:
        """
        Charge a stored method no more, and have the gateway delete it.

        The first holds at once, whatever becomes of the second, which `recover` tries
        again until it is done. To forget what is forgotten does nothing.
        """
        return (
            yield from enroll.forget(
                arguments.stored(method, "method"), arguments.key(key), self._accounts, self._timing
            )
        )

    @verb
    def inquire_method(self, change: MethodChange | str) -> Flow[MethodChange]:
        """Ask the gateway how storing (or deleting) a method stands, by the id of the change."""
        return (
            yield from inquire.follow(
                arguments.change(change, "change"), self._accounts, self._timing
            )
        )

    @verb
    def rotate_keys(self) -> Flow[Rotated]:
        """
        Encrypt tokens, secrets of actions and callbacks under the first of the ``token_keys``.

        Open the cashier with the new key first and the old ones behind it; when this is
        done, the old ones can go. Stopped anywhere, it goes on where it is called again.
        Raises `TokenUnreadable` where none of the keys opens a token.
        """
        return (yield from enroll.rotate())

    @verb
    def inquire(self, payment: Payment | str) -> Flow[Payment]:
        """
        Ask the gateway how *payment* stands, and write down what it says.

        If it does not answer, the payment is what was known before, and its `unanswered` says why.
        Raises `UnknownGateway` if the payment's account is not configured here.
        """
        return (
            yield from inquire.inquire(
                arguments.payment(payment, "payment"), self._accounts, self._timing
            )
        )

    @verb
    def recover(self, *, limit: int = 100) -> Flow[list[Payment]]:
        """
        Do once what is due: inquire, read feeds, apply callbacks.

        At most *limit* inquiries and *limit* callbacks. Call it now and then (from
        a worker, a timer, after a crash). It is safe to run in many processes at
        once. Returns the payments that it asked or was told about; those whose gateway did not
        answer have `unanswered` set. What is of accounts
        that are not configured here is left to a process that has them; see `unattended`.
        """
        most = listing.limit_of(limit, "; for more, call recover again")
        return (yield from recover.recover(self._accounts, self._timing, most))

    @verb
    def resume_sending(self, *, evidence: str, force: bool = False) -> Flow[None]:
        """
        Let things be sent again, after the ledger has caught up with the processors.

        *evidence* is how you know. Raises `StillCatchingUp` while an inquiry or a
        callback of any tenant is due, or a feed of any was not read to its end since: what
        is stopped is the ledger, with all of its tenants. With *force* not even then, as for
        an account that nobody has any more. Where nothing is stopped, this does nothing.
        """
        forced = arguments.flag(force, "force")
        yield from sending.resume(note(evidence, "evidence"), self._accounts, force=forced)

    @verb
    def receive(self, via: str, callback: Callback) -> Flow[Reply]:
        """
        Take in a callback of the gateway account *via*, and tell what to reply.

        It is authenticated on its raw bytes and stored, once however often it
        comes. Most are applied later, by `recover` or `apply_callbacks`; those whose
        reply carries the result, at once. Raises `NotAuthentic`, and changes nothing,
        for one that is not from whom it claims or was signed too long ago; `NotVerified`
        for one that cannot be verified now (answer 503: it will come again);
        `Unsupported` where the account takes no callbacks.
        """
        account, came = self._account(via), arguments.callback(callback, "callback")
        return (yield from receive.receive(account, came, self._timing))

    @verb
    def apply_callbacks(self, *, limit: int = 100) -> Flow[list[Payment]]:
        """
        Apply what waits in the inbox, at most *limit*; tell the payments it was about.

        What cannot be applied yet is tried again later and holds up nothing else.
        """
        most = listing.limit_of(limit)
        return (yield from receive.apply_callbacks(self._accounts, self._timing, most, set()))

    @verb
    def read_feeds(self, *, pages: int | None = None) -> Flow[feed.FeedsRead]:
        """
        Read what gateways do not call back about into the inbox, each from where it was left.

        With *pages* not more than so many of each, to show progress in between;
        `FeedsRead.unfinished` says which have more.
        `recover` reads too, the feeds that it has not read for a while.
        """
        most = arguments.maybe(arguments.whole, pages, "pages")
        return (yield from feed.read_feeds(self._accounts, timedelta(0), most))

    @verb
    def rescan(self, via: str, *, start: int) -> Flow[feed.Rescan]:
        """
        Let the watching of account *via* go on at block *start*, whatever was read before.

        That is the way out if a chain cannot be read on: the node lacks the blocks that are next,
        the chain has changed deeper than the account follows, a test network was reset. Blocks that
        were read before are read again, and nothing in them is booked twice; those that are
        left out are not read. The event ``feed.rescanned`` says who did it.

        Raises `Unsupported` if the account watches no chain, `FeedBusy` if another process
        reads it, and `BadReply` if the node does not have the block.
        """
        first = arguments.whole(start, "start", low=0)
        return (yield from feed.rescan(self._account(via), first))

    @verb
    def places(self, via: str) -> Flow[places.PlaceCounts]:
        """Tell how many places (addresses) account *via* gave away, and how far they were paid."""
        source = self._account(via).traits.merchant_account
        return (yield from look(lambda tx: places.counts(tx, source)))

    @verb
    def assign_payer_number(
        self,
        customer: Customer | str,
        number: str,
        *,
        via: str,
        pays: Pays | PaysWord = "oldest_due",
    ) -> Flow[PayerNumber]:
        """
        Say that money for *number* at the gateway account *via* is the customer's.

        That is a virtual account, a customer reference number or another number under which
        a customer pays without being asked each time. *pays* says what its money pays:
        ``"oldest_due"`` their open invoices, the oldest due date first, ``"balance"`` none.
        The same again changes nothing. Raises `PayerNumberTaken` if another customer has it.
        Money that came for the number before waits for `assign`.
        """
        flow = unasked.assign(
            arguments.customer(customer, "customer"),
            arguments.number(number, "number"),
            account=self._account(via).name,
            pays=arguments.choice(Pays, pays, "pays"),
        )
        return (yield from flow)

    @verb
    def release_payer_number(self, number: str, *, via: str, reason: str) -> Flow[PayerNumber]:
        """
        End that *number* at account *via* is somebody's.

        Money for it waits for `assign` from then on, until it is given to somebody again.
        """
        flow = unasked.release(
            arguments.number(number, "number"),
            account=self._account(via).name,
            reason=note(reason, "reason"),
        )
        return (yield from flow)

    @verb
    def payer_numbers(
        self,
        *,
        customer: Customer | str | None = None,
        via: str | None = None,
        oldest_first: bool = False,
        after: PayerNumber | str = "",
        limit: int = 100,
    ) -> Flow[list[PayerNumber]]:
        """List the numbers that customers have, the newest first, a page at a time."""
        who = arguments.maybe(arguments.customer_id, customer, "customer")
        account = None if via is None else self._account(via).name
        page = self._page(
            arguments.payer_number_id(after, "after"), limit, oldest_first=oldest_first
        )
        return (
            yield from look(lambda tx: payer_numbers.page(tx, page, customer=who, account=account))
        )

    @verb
    def replay_callback(self, callback: StoredCallback | int) -> Flow[StoredCallback]:
        """Apply one callback again, such as an orphan, and tell what became of it."""
        id_ = arguments.callback_id(callback, "callback")
        return (yield from receive.replay(id_, self._accounts, self._timing)).callback

    @verb
    def subscribe(
        self, name: str, handler: Callable[[Event], Any], *, from_beginning: bool = True
    ) -> Flow[None]:
        """
        Call *handler* with every event, when `publish` is called.

        The ledger remembers under *name* how far it has read, so events that
        happen while no process is running are not missed. An event may come
        twice; its id tells. Only `AsyncCashier` takes a handler that is to be awaited;
        here it raises `UsageError`.
        """
        reader = identifier(name, "name")
        call = arguments.called(handler, "handler", "an Event")
        whole = arguments.flag(from_beginning, "from_beginning")
        if publish.is_async(handler) and not self._awaits:
            raise InvalidValue(
                f"the handler of {reader!r} is to be awaited, and Cashier awaits nothing: "
                "give it a plain function, or use AsyncCashier",
                argument="handler",
            )
        yield from transact(lambda tx: publish.subscribe_in(tx, reader, from_beginning=whole))
        self._readers[reader] = publish.Subscriber(reader, call)

    @verb
    def publish(self) -> Flow[publish.Published]:
        """Hand waiting events to the sinks and subscribers, in order, and tell what happened."""
        from paygate.ledger.tx import TimedIds

        lease = TimedIds().new("lease")
        return (yield from publish.publish(list(self._readers.values()), lease))

    @verb
    def check(self, via: str) -> Flow[AccountFacts]:
        """
        Ask a gateway whether it accepts the credentials of account *via*; no money moves.

        Raises `Unsupported` if the driver cannot, `CredentialsRejected` if the credentials
        are wrong, `NotSent` or `BadReply` if the gateway cannot be reached or its answer cannot
        be read, `LiveModeMismatch` if the account is live and the settings are not, or the
        reverse.
        """
        return (yield from _check(self._account(via)))

    @verb
    def tenant_unknown(self) -> Flow[bool]:
        """Return whether the ledger has events of other tenants, and none of this one."""
        return (yield from look(outbox.only_of_others))

    def public_settings(self, via: str) -> Mapping[str, str]:
        """
        Return the settings of account *via* that the payer's browser needs, by name.

        That is a publishable key, say, for the processor's script in your page. Nothing that
        the account keeps secret is ever among them. Raises `UnknownGateway`.
        """
        return dict(self._account(via).public)

    def _account(self, via: str) -> GatewayAccount:
        found = self._accounts.get(arguments.named(via, "via"))
        if found is None:
            known = sorted(self._accounts)
            raise UnknownGateway(
                f"there is no gateway account {shown(via)}; configured are: "
                f"{', '.join(known) or 'none'}",
                name=via,
                known=known,
                argument="via",
            )
        return found


def _method(method: Method | PaymentMethod | str | None) -> Flow[Method | PaymentMethod | None]:
    """Return what is to pay; the id of a stored method is looked up, and never sent as a token."""
    if method is None:
        return None
    given = arguments.method(method, "method")
    stored = arguments.id_of_stored(given)
    return given if stored is None else (yield from look(lambda tx: finding.method(tx, stored)))


def _check(account: GatewayAccount) -> Flow[AccountFacts]:
    from paygate.dialogue import deferred
    from paygate.domain.outcome import Fault, Unknown, Unsent
    from paygate.gateway import Checks
    from paygate.service import door

    if not isinstance(account.gateway, Checks):
        raise Unsupported(f"the driver of account {account.name!r} cannot check its credentials")
    facts = yield from ask(account.name, deferred(account.gateway.check), door=door.facts(account))
    if isinstance(facts, Unsent | Unknown) and facts.fault is Fault.NOT_SENT:
        raise NotSent(f"the gateway of account {account.name!r} cannot be reached: {facts.reason}")
    if isinstance(facts, Unsent | Unknown) and facts.fault is Fault.CREDENTIALS:
        why = facts.reason
        yield from transact(lambda tx: accounts.reject(tx, account.name, why))
        raise CredentialsRejected(
            f"the credentials of account {account.name!r} are wrong: {why}; correct its settings",
            account=account.name,
        )
    if isinstance(facts, Unsent | Unknown):
        raise BadReply(f"the gateway of account {account.name!r} did not accept us: {facts.reason}")
    if (yield from look(lambda tx: accounts.are_rejected(tx, account.name))):
        yield from transact(lambda tx: accounts.accept(tx, account.name))
    if facts.live is not account.traits.live:
        raise LiveModeMismatch(
            f"the settings of account {account.name!r} and its gateway disagree on live and test"
        )
    return facts


def _account_of(
    name: str, given: Sealed[Any], environment: Sealed[Mapping[str, str] | None]
) -> GatewayAccount:
    """Make the account *name* of a driver object, or of settings."""
    from paygate import registry
    from paygate.gateway import Gateway
    from paygate.service.account import GatewayAccount

    if isinstance(given.open(), Gateway):
        return GatewayAccount.of(name, given.open())
    if not isinstance(given.open(), Mapping):
        raise InvalidSettings(
            f"the gateway account {name!r} needs a driver object, or settings by name such as "
            f'{{"driver": "stripe"}}, and was given {type(given.open()).__name__}'
        )
    gateway = registry.build(given.open(), environment=environment.open())
    credit_on = registry.revealed(given.open().get("credit_on"))
    after = registry.revealed(given.open().get("refundable_after"))
    within = registry.revealed(given.open().get("settles_within"))
    return GatewayAccount.of(name, gateway, credit_on, after, within)


def _preload() -> None:
    """Import what the verbs of a cashier import when they are first called."""
    load(globals())
    for name in _USED_LATER:
        import_module(name)


_USED_LATER = (
    *("paygate.service.closing", "paygate.service.door", "paygate.transport"),
    *("cryptography.fernet", "tenacity"),
)


class _Face:
    """What both faces share: how they are opened, and what they hold."""

    _context: Context
    _accounts: dict[str, GatewayAccount]
    _readers: dict[str, Sink | publish.Subscriber]
    _timing: Timing
    _store: Store
    _network: Mapping[str, Network]
    _period_closed: Callable[[date], bool] | None

    def __init__(self, *_: object, **__: object) -> None:
        name = type(self).__name__
        raise UsageError(
            f"a cashier has a ledger: use {name}.open('sqlite:///payments.db', gateways=…), or "
            f"{name}.in_memory(gateways=…) in a test"
        )

    @classmethod
    def open(
        cls,
        url: str,
        *,
        gateways: Mapping[str, Gateway | Mapping[str, Any]] | None = None,
        sinks: Sequence[Sink] = (),
        tenant: str = "main",
        actor: str = "host",
        zone: str = "UTC",
        clock: Clock | None = None,
        ids: Ids | None = None,
        timing: Timing | None = None,
        period_closed: Callable[[date], bool] | None = None,
        token_keys: Sequence[Secret[str] | str | bytes] | None = None,
        environment: Mapping[str, str] | None = None,
        network: Network | Mapping[str, Network] | None = None,
        busy_s: float = 30.0,
        preload: bool = True,
    ) -> Self:
        """
        Open the ledger at *url*, made if it is not there, with gateway accounts by name.

        *url* is ``sqlite:///payments.db`` (three slashes: relative to the working
        directory; four: absolute). A gateway is a driver object, or its settings
        with the entry ``driver``, or an object with settings of the account beside it:
        ``{"gateway": object, "credit_on": "settled"}``. *tenant* keeps merchants apart in
        one ledger; *actor* is who is written down as acting (see `acting_as`). Calendar dates
        are those of the customer's time zone, and of *zone*, the merchant's (an IANA name), for
        customers whose zone is not known. *period_closed* says whether reversals may no longer
        be dated on a day. *token_keys* are Fernet keys for the tokens of stored methods: the
        first encrypts, all of them decrypt. *environment* (``os.environ``) is where settings
        that are ``{"env": "NAME"}`` are read; give it only if you wrote the settings yourself,
        never with what somebody typed into a form. *network* is the way out to the processors, a
        `Network` for all accounts or one by account: a proxy, CAs, a client certificate. Nothing
        of that is taken from the environment. *busy_s* is how many seconds a verb waits while
        another transaction writes to the file, before it raises `StoreBusy`. With *preload*
        everything that a verb needs is imported now, so that no payer waits for it and a
        child that is forked later need not import; without it, when it is first used.

        A new file is readable for its owner alone; an old one keeps its mode.

        Raises `InvalidSettings`, `InvalidValue` for an unknown zone, `UnsupportedDatabase`,
        `LiveModeMismatch` or a `StoreError`.
        """
        from paygate.domain.customer import zone_of
        from paygate.ledger.dialects import open_store
        from paygate.ledger.elapsed import MachineStopwatch
        from paygate.ledger.tx import Context, SystemClock, TimedIds
        from paygate.ledger.vault import Vault
        from paygate.service.account import Timing

        if arguments.flag(preload, "preload"):
            _preload()
        # A traceback shows the locals of each frame: none of them holds a key from here on.
        given, variables, at = Sealed(gateways or {}), Sealed(environment), Sealed(url)
        keys = arguments.token_keys(token_keys, "token_keys")
        del gateways, environment, token_keys, url
        arguments.gateways(given, "gateways")
        arguments.environment(variables, "environment")
        arguments.address_of_ledger(at, "url")
        accounts = {
            name: _account_of(name, Sealed(given.open()[name]), variables) for name in given.open()
        }
        arguments.callables(clock=(clock, "now"), ids=(ids, "new"))
        if period_closed is not None:
            arguments.called(period_closed, "period_closed", "a date")
        if not isinstance(cast("object", timing), Timing | None):
            arguments.refuse("timing", "a Timing", timing)
        readers = {sink.name: sink for sink in arguments.sinks(sinks, "sinks")}
        seconds = arguments.seconds(busy_s, "busy_s")
        face = cls.__new__(cls)
        face._context = Context(
            tenant=identifier(tenant, "tenant"),
            actor=identifier(actor, "actor"),
            zone=zone_of(arguments.named(zone, "zone")),
            clock=clock or SystemClock(),
            ids=ids or TimedIds(),
            vault=None if keys is None else Vault(keys),
            # Beside a clock that a test moves, the machine's own count would tell another story.
            stopwatch=MachineStopwatch() if clock is None else None,
        )
        face._accounts = accounts
        face._readers = dict(readers)
        face._network = arguments.network(network, "network", accounts, readers)
        face._timing = timing or Timing()
        face._period_closed = period_closed
        face._store = open_store(at.open(), busy_s=seconds)
        try:
            face._mark_mode()
            face._mark_accounts()
        except BaseException:
            face._store.close()
            raise
        face._start()
        return face

    @classmethod
    def in_memory(
        cls,
        *,
        gateways: Mapping[str, Gateway | Mapping[str, Any]] | None = None,
        sinks: Sequence[Sink] = (),
        tenant: str = "main",
        actor: str = "host",
        zone: str = "UTC",
        clock: Clock | None = None,
        ids: Ids | None = None,
        timing: Timing | None = None,
        period_closed: Callable[[date], bool] | None = None,
        token_keys: Sequence[Secret[str] | str | bytes] | None = None,
        environment: Mapping[str, str] | None = None,
        network: Network | Mapping[str, Network] | None = None,
        busy_s: float = 30.0,
        preload: bool = True,
    ) -> Self:
        """Open a ledger that lives in memory and ends with this object, for tests; see `open`."""
        # A traceback shows the locals of each frame: none of them holds a key from here on.
        secrets = Sealed((gateways, token_keys, environment))
        del gateways, token_keys, environment
        return cls.open(
            "sqlite://",
            gateways=secrets.open()[0],
            sinks=sinks,
            tenant=tenant,
            actor=actor,
            zone=zone,
            clock=clock,
            ids=ids,
            timing=timing,
            period_closed=period_closed,
            token_keys=secrets.open()[1],
            environment=secrets.open()[2],
            network=network,
            busy_s=busy_s,
            preload=preload,
        )

    def acting_as(self, actor: str) -> Self:
        """Share this cashier's ledger and gateways, but write *actor* down as who acts."""
        other = copy(self)
        other._context = replace(self._context, actor=identifier(actor, "actor"))
        return other

    @property
    def gateways(self) -> Mapping[str, GatewayAccount]:
        """The gateway accounts by name; their `traits` say what each can do."""
        return dict(self._accounts)

    def now(self) -> datetime:
        """Tell the instant it is now by the clock of this cashier."""
        return self._context.clock.now()

    def _start(self) -> None:
        """Prepare what the face needs to run flows."""

    def _signs_in(self, account: str) -> SignsIn | None:
        """Find who gets the access tokens of *account*, if it needs any; a sink does not."""
        found = self._accounts.get(account)
        return None if found is None else found.signs_in

    def _mark_mode(self) -> None:
        """Keep live and test money apart: a ledger is for one of them, for ever."""
        modes = {account.traits.live for account in self._accounts.values()}
        if not modes:
            return
        if len(modes) > 1:
            raise LiveModeMismatch(
                "live and test gateway accounts cannot share a ledger; open two cashiers"
            )
        mode = "live" if modes.pop() else "test"
        found = self._store.read(self._context, book.mode)
        if found is None:
            found = self._store.write(self._context, lambda tx: book.set_mode(tx, mode))
        if found != mode:
            raise LiveModeMismatch(
                f"this ledger holds {found} payments and a gateway account is {mode}; "
                "use a ledger of its own for each (the fake gateway is always test)"
            )

    def _mark_accounts(self) -> None:
        """Write down which accounts are configured, so that one that nobody reads is seen."""
        given = {
            name: (account.gateway.name, account.has_feed)
            for name, account in self._accounts.items()
        }
        context = self._context
        if not given or not self._store.read(context, lambda tx: accounts.unseen(tx, given)):
            return
        self._store.write(context, lambda tx: accounts.see(tx, given))


class Cashier(_Face, Desk):
    """Issue invoices and collect them; every verb returns when it is done and durable.

    Open one per process and share it: it is safe to use from threads, and after
    a fork the child opens connections of its own. Close it, or use it as a
    context manager.
    """

    _couriers: dict[str, Courier]
    _pid: int

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close ledger and connections; a second call does nothing."""
        if self._pid == os.getpid():
            for account in self._accounts.values():
                self._run(refusals.write_down(account))
            for courier in self._couriers.values():
                courier.close()
            self._couriers.clear()
        self._store.close()

    def within(self, connection: sqlite3.Connection) -> Within:
        """
        Offer the verbs that send nothing inside the host's own open transaction.

        *connection* is to the database that holds the ledger. What is done becomes
        durable, or not, with the host's commit.
        """
        import sqlite3

        from paygate.ledger.sqlite_host import HostStore

        if not isinstance(cast("object", connection), sqlite3.Connection):
            arguments.refuse("connection", "an open sqlite3.Connection", connection)
        return Within(HostStore(connection), self._context, self._period_closed)

    def _start(self) -> None:
        self._couriers, self._pid = {}, os.getpid()

    def _run(self, flow: Flow[T]) -> T:
        acting = logs.tenant.set(self._context.tenant)
        try:
            return drive(flow, self._do)
        finally:
            logs.tenant.reset(acting)

    def _do(self, step: Step) -> Any:
        match step:
            case Write():
                return self._store.write(self._context, step.work)
            case Read():
                return self._store.read(self._context, step.work)
            case Exchange():
                not_after = in_time(step, self._context)
                account = self._accounts.get(step.account)  # none for a sink
                if account is not None and account.processor is not None:
                    return account.processor.answer(step.request)
                with logs.exchanging(step.about):
                    return self._courier(step.account).exchange(step.request, not_after=not_after)
            case Tell():
                return step.subscriber(step.event)
            case _:
                assert_never(step)

    def _courier(self, account: str) -> Courier:
        from paygate.transport import Courier, HttpTransport

        if self._pid != os.getpid():
            for inherited in self._couriers.values():
                inherited.abandon()
            self._start()
        found = self._couriers.get(account)
        if found is None:
            # Two threads may both make one; the dictionary keeps the first.
            made = Courier(
                HttpTransport(
                    timeout_s=self._timing.deadline_s, network=self._network.get(account)
                ),
                self._signs_in(account),
                now=self._context.clock.now,
            )
            found = self._couriers.setdefault(account, made)
            if found is not made:
                made.close()
        return found

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        offer_at_once(cls)


class Within(BookDesk):
    """The verbs that send nothing, inside a transaction of the host's own."""

    def __init__(
        self,
        store: Writes,
        context: Context,
        period_closed: Callable[[date], bool] | None,
    ) -> None:
        self._store = store
        self._context = context
        self._period_closed = period_closed

    def _run(self, flow: Flow[T]) -> T:
        return drive(flow, self._do)

    def _do(self, step: Step) -> Any:
        if not isinstance(step, Write | Read):
            raise NotAllowedHere("this verb would send something; call it on the cashier")
        return self._store.write(self._context, step.work)


def offer_at_once(face: type) -> None:
    """Make every verb of *face* a function that runs its flow and returns its result."""
    for name, source in each_verb(face).items():
        setattr(face, name, _at_once(name, source, face))


def _at_once(name: str, source: verb[Any, Any], face: type) -> Callable[..., Any]:
    flow = named_for(source.flow, face)

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        source.seal(kwargs)
        return self._run(flow(self, *args, **kwargs))

    dress(call, name, source, face)
    return call


offer_at_once(Cashier)
offer_at_once(Within)
name_openers(Cashier)


def in_time(step: Exchange, context: Context) -> datetime | None:
    """Refuse to send after the lease has ended: somebody may have concluded that we never will.

    Tells until when, by the clock of this process, the request may leave.
    """
    if step.lease is None:
        return None
    now, stopwatch = context.clock.now(), context.stopwatch
    left = step.lease.left(now, None if stopwatch is None else stopwatch.read())
    if left <= timedelta():
        raise NotSent("this process was stopped for so long that its lease to send ended")
    return now + left


def _operations_of(verb: str) -> Sequence[str]:
    """Return the operations under which the keys of *verb* are kept."""
    found = _KEPT_AS.get(arguments.named(verb, "verb"))
    if found is None:
        arguments.refuse("verb", f"one of {', '.join(_KEPT_AS)}", verb)
    return found


_KEPT_AS: Mapping[str, Sequence[str]] = {
    **{name: (name,) for name in ("collect", "authorize", "top_up", "record", "pay_from_credit")},
    **{name: (name,) for name in ("capture", "refund", "complete")},
    "close_page": ("close",),
    "cancel": ("void", "refund", "close"),
}
