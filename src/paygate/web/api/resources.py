"""What programs read: records of the ledger as models, which also describe them."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, Field

from paygate.domain.invoice import InvoiceStatus
from paygate.domain.kind import Kind
from paygate.domain.link import LinkFor, LinkStatus
from paygate.domain.payment import PaymentStatus
from paygate.domain.prepayment import OnRest, PrepaymentStatus
from paygate.domain.result import OperationState
from paygate.web.api.requests import MoneyBody

if TYPE_CHECKING:
    from paygate.domain.event import Event
    from paygate.domain.invoice import Invoice
    from paygate.domain.link import LinkItem, PaymentLink
    from paygate.domain.money import Money
    from paygate.domain.payment import Payment, PaymentItem
    from paygate.domain.prepayment import Prepayment
    from paygate.domain.result import OperationResult


def money(of: Money) -> MoneyBody:
    """Return an amount with all digits of its currency."""
    return MoneyBody.model_construct(amount=format(of.decimal, "f"), currency=of.currency)


def _money(of: Money | None) -> MoneyBody | None:
    return None if of is None else money(of)


class SignedMoney(BaseModel):
    """An amount that can be below zero."""

    amount: str = Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$")
    currency: str


def signed(of: Money) -> SignedMoney:
    """Return an amount that can be below zero."""
    return SignedMoney.model_construct(amount=format(of.decimal, "f"), currency=of.currency)


class LinkItemBody(BaseModel):
    """An invoice or prepayment that a link is for."""

    id: str
    name: str
    total: MoneyBody
    open: MoneyBody
    due: date | None

    @classmethod
    def of(cls, item: LinkItem) -> Self:
        """Return the item."""
        return cls.model_construct(
            id=item.id,
            name=item.name,
            total=money(item.total),
            open=money(item.open),
            due=item.due,
        )


class LinkBody(BaseModel):
    """A payment link, and what can be paid by following it now."""

    id: str
    url: str | None = Field(
        description="The address to hand out; null if its key is not among the page keys."
    )
    status: LinkStatus
    purpose: LinkFor
    customer: str
    currency: str
    items: list[LinkItemBody]
    open: MoneyBody
    least: MoneyBody | None = Field(description="Set if the payer chooses the amount.")
    most: MoneyBody | None
    uses: int | None
    paid: int = Field(description="How many payments brought money that did not go back.")
    payment: str | None = Field(description="The id of the last of these.")
    expires_at: datetime | None
    accounts: list[str]
    immediate_only: bool
    language: str
    return_to: str
    metadata: dict[str, str]
    reason: str = Field(description="Why it was revoked.")
    created_at: datetime

    @classmethod
    def of(cls, link: PaymentLink, base_url: str) -> Self:
        """Return a link with its address below *base_url*."""
        return cls.model_construct(
            id=link.id,
            url=None if link.token is None else link.address(base_url),
            status=link.status,
            purpose=link.of,
            customer=link.customer,
            currency=link.currency,
            items=[LinkItemBody.of(each) for each in link.items],
            open=money(link.open),
            least=_money(link.minimum),
            most=_money(link.maximum),
            uses=link.uses,
            paid=link.paid,
            payment=link.payment,
            expires_at=link.expires_at,
            accounts=list(link.accounts),
            immediate_only=link.immediate_only,
            language=link.language,
            return_to=link.return_to,
            metadata=dict(link.metadata),
            reason=link.reason,
            created_at=link.created_at,
        )


class PrepaymentBody(BaseModel):
    """An amount that a customer pays before its invoice."""

    id: str
    status: PrepaymentStatus
    customer: str
    assignment_key: str
    amount: MoneyBody
    paid: MoneyBody
    open: MoneyBody
    assigned: MoneyBody = Field(description="What went to invoices with its key.")
    credited: MoneyBody
    waiting: MoneyBody = Field(description="What no invoice has taken yet.")
    description: str
    data: dict[str, Any]
    on_rest: OnRest
    replaced_by: str | None = Field(description="The number of the invoice to pay instead.")
    created_at: datetime
    link: LinkBody | None = Field(
        None, description="The link that was made in the same request, in the answer to it only."
    )

    @classmethod
    def of(cls, prepayment: Prepayment, link: LinkBody | None = None) -> Self:
        """Return a prepayment."""
        return cls.model_construct(
            id=prepayment.id,
            status=prepayment.status,
            customer=prepayment.customer,
            assignment_key=prepayment.assignment_key,
            amount=money(prepayment.amount),
            paid=money(prepayment.paid),
            open=money(prepayment.open),
            assigned=money(prepayment.assigned),
            credited=money(prepayment.credited),
            waiting=money(prepayment.waiting),
            description=prepayment.description,
            data=dict(prepayment.data),
            on_rest=prepayment.on_rest,
            replaced_by=prepayment.replaced_by,
            created_at=prepayment.created_at,
            link=link,
        )


class InvoiceBody(BaseModel):
    """An amount that a customer owes."""

    id: str
    number: str
    status: InvoiceStatus
    customer: str
    total: MoneyBody
    paid: MoneyBody
    written_off: MoneyBody
    open: MoneyBody
    due: date
    assignment_key: str | None
    disputed: bool
    issued_at: datetime
    link: LinkBody | None = Field(
        None, description="The link that was made in the same request, in the answer to it only."
    )

    @classmethod
    def of(cls, invoice: Invoice, link: LinkBody | None = None) -> Self:
        """Return an invoice."""
        return cls.model_construct(
            id=invoice.id,
            number=invoice.number,
            status=invoice.status,
            customer=invoice.customer,
            total=money(invoice.total),
            paid=money(invoice.allocated),
            written_off=money(invoice.written_off),
            open=money(invoice.open),
            due=invoice.due,
            assignment_key=invoice.assignment_key,
            disputed=invoice.disputed,
            issued_at=invoice.issued_at,
            link=link,
        )


class PaymentItemBody(BaseModel):
    """An invoice or prepayment of a payment, and how much of the money is on it."""

    name: str
    amount: MoneyBody
    paid: MoneyBody

    @classmethod
    def of(cls, item: PaymentItem) -> Self:
        """Return the item."""
        return cls.model_construct(
            name=item.invoice, amount=money(item.amount), paid=money(item.paid)
        )


class PaymentMethodBody(BaseModel):
    """What a payment receipt shows of a card or bank account."""

    brand: str
    last4: str


class PaymentBody(BaseModel):
    """One effort to collect an amount from a payer."""

    id: str
    reference: str = Field(description="Eight characters, by which the payer names it.")
    status: PaymentStatus
    customer: str
    account: str
    kind: Kind
    link: str | None = Field(description="The id of the link that was followed.")
    amount: MoneyBody
    received: MoneyBody
    returned: MoneyBody
    refunding: MoneyBody = Field(description="What is being sent back right now.")
    credited: MoneyBody
    unallocated: SignedMoney = Field(description="What waits for a clerk's decision.")
    awaiting: MoneyBody = Field(description="What counts only when it has settled.")
    settled: bool
    disputed: bool
    needs_review: bool
    code: str = Field(description="Why it did not succeed.")
    reason: str
    method: PaymentMethodBody | None
    items: list[PaymentItemBody]
    created_at: datetime | None

    @classmethod
    def of(cls, payment: Payment) -> Self:
        """Return a payment."""
        facts = payment.method_facts
        return cls.model_construct(
            id=payment.id,
            reference=payment.short_reference,
            status=payment.status,
            customer=payment.customer,
            account=payment.account,
            kind=payment.kind,
            link=payment.link or None,
            amount=money(payment.amount),
            received=money(payment.received),
            returned=money(payment.returned),
            refunding=money(payment.refunding),
            credited=money(payment.credited),
            unallocated=signed(payment.unallocated),
            awaiting=money(payment.awaiting),
            settled=payment.settled,
            disputed=payment.disputed,
            needs_review=payment.needs_review,
            code=payment.code,
            reason=payment.reason,
            method=(
                None
                if facts is None
                else PaymentMethodBody.model_construct(brand=facts.brand, last4=facts.last4)
            ),
            items=[PaymentItemBody.of(each) for each in payment.items],
            created_at=payment.created_at,
        )


class RefundBody(BaseModel):
    """What became of a refund: read the state before you say that money was sent back."""

    state: OperationState
    amount: MoneyBody
    succeeded: MoneyBody
    under_way: MoneyBody = Field(description="What may still move.")
    code: str
    reason: str
    retryable: bool = Field(description="Whether it can be asked again, with another key.")
    payment: PaymentBody

    @classmethod
    def of(cls, result: OperationResult) -> Self:
        """Return the result of a refund."""
        return cls.model_construct(
            state=result.state,
            amount=money(result.amount),
            succeeded=money(result.succeeded),
            under_way=money(result.under_way),
            code=result.code,
            reason=result.reason,
            retryable=result.retryable,
            payment=PaymentBody.of(result.payment),
        )


class EventBody(BaseModel):
    """Something that happened; the catalogue of events describes its data."""

    id: str
    position: int
    type: str
    aggregate: str
    seq: int
    schema_version: int
    occurred_at: datetime
    actor: str
    data: dict[str, Any]

    @classmethod
    def of(cls, event: Event) -> Self:
        """Return an event."""
        return cls.model_construct(
            id=event.id,
            position=event.position,
            type=event.type,
            aggregate=event.aggregate,
            seq=event.seq,
            schema_version=event.schema_version,
            occurred_at=event.occurred_at,
            actor=event.actor,
            data=dict(event.data),
        )


class PrepaymentPage(BaseModel):
    """A page of prepayments."""

    items: list[PrepaymentBody]
    next: str | None = Field(description="Pass it as `after` for the next page; null at the end.")


class InvoicePage(BaseModel):
    """A page of invoices."""

    items: list[InvoiceBody]
    next: str | None = Field(description="Pass it as `after` for the next page; null at the end.")


class LinkPage(BaseModel):
    """A page of payment links."""

    items: list[LinkBody]
    next: str | None = Field(description="Pass it as `after` for the next page; null at the end.")


class PaymentListPage(BaseModel):
    """A page of payments."""

    items: list[PaymentBody]
    next: str | None = Field(description="Pass it as `after` for the next page; null at the end.")


class EventPage(BaseModel):
    """A page of events."""

    items: list[EventBody]
    next: int = Field(description="Pass it as `after` for what happens later.")
