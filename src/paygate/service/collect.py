"""Collect: claim what is open, store the intent, ask the gateway once, merge the answer.

The intent is stored before anything is sent, so a crash at any point leaves a
row that an inquiry can settle; the key that the gateway sees follows from the
caller's key, so even a ledger restored from a backup cannot charge again under
a new name.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, assert_never, cast

from paygate.domain.customer import Browser, Customer
from paygate.domain.decide import Source
from paygate.domain.invoice import Invoice, InvoiceStatus, Share
from paygate.domain.method import Kind
from paygate.domain.money import Money
from paygate.domain.outcome import Declined, Rejected, Unknown, Unsent
from paygate.domain.payment import Operation, PaymentStatus
from paygate.domain.secret import DOTS, OneTimeToken, RawBankAccount, RawCard, Secret
from paygate.errors import (
    AlreadyPaid,
    CurrencyMismatch,
    InvalidAmount,
    InvalidValue,
    InvoiceIsVoid,
    ItemAlreadyBeingPaid,
    NotEnoughCredit,
    NotEnoughOpen,
)
from paygate.gateway import Charge, StoredToken, digest_key
from paygate.ledger import customers, items, keys, lots, payments
from paygate.ledger.payments import Claim
from paygate.service import booking, issue, merge, reverse
from paygate.service.flow import Flow, ask, transact

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from paygate.dialogue import Dialogue
    from paygate.domain.outcome import Outcome
    from paygate.domain.payment import Payment
    from paygate.gateway import Authorizes, Charges, Gateway, Method, Rail
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount, Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a host wants collected; `amount` is None for all that is open."""

    items: Sequence[Invoice | Share | str]
    account: GatewayAccount
    key: str
    name: str = "collect"
    operation: Operation = Operation.CHARGE
    kind: Kind | None = None
    method: Method | None = None
    amount: Money | None = None
    credit: Money | None = None
    customer: Customer | str | None = None
    payer: Customer | None = None
    return_url: str = ""
    browser: Browser | None = None
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A stored intent; no `dialogue` where the key was used before and nothing is to be sent."""

    payment: Payment
    attempt: str = ""
    dialogue: Dialogue[Outcome] | None = None
    lease_until: datetime | None = None


@dataclass(slots=True)
class Plan:
    """Who pays, in what currency, how much, and for what."""

    customer: str
    currency: str
    claims: list[Claim] = field(default_factory=list[Claim])
    numbers: list[str] = field(default_factory=list[str])
    open_minor: int = 0


def collect(order: Order, timing: Timing) -> Flow[Payment]:
    """Collect once, however often this is called or interrupted, and tell the payment."""
    account = order.account
    kind = order.kind or account.default_kind(order.method)
    rail = account.rail(kind, order.operation)
    opened = yield from transact(lambda tx: open_payment(tx, order, kind, rail, timing))
    if opened.dialogue is None:
        return opened.payment
    answer = yield from ask(
        account.name,
        opened.dialogue,
        attempt=opened.attempt,
        not_after=opened.lease_until,
    )
    answer = _without(answer, order.method)
    reading = merge.Reading(
        source=Source.RESPONSE,
        variable_amount=rail.variable_amount,
        can_inquire=account.can_be_asked,
        timing=timing,
    )
    return (yield from merge.merge(opened.attempt, answer, reading))


def begin(gateway: Gateway, operation: Operation, charge: Charge) -> Dialogue[Outcome]:
    """Begin to charge, or to authorise; the account was seen to be able to."""
    if operation is Operation.AUTHORIZE:
        return cast("Authorizes", gateway).authorize(charge)
    return cast("Charges", gateway).charge(charge)


def _without(answer: Outcome | Unsent, method: Method | None) -> Outcome | Unsent:
    """Take what must not be stored out of an answer: processors repeat tokens in messages."""
    texts = [secret.reveal() for secret in _secrets_of(method) if secret]
    match answer:
        case Declined() | Rejected():
            return replace(answer, message=_blotted(answer.message, texts))
        case Unknown() | Unsent():
            return replace(answer, reason=_blotted(answer.reason, texts))
        case _:
            return answer


def _secrets_of(method: Method | None) -> list[Secret[str]]:
    match method:
        case OneTimeToken(value) | StoredToken(value):
            return [value]
        case RawCard(number, security_code=code):
            return [number] if code is None else [number, code]
        case RawBankAccount(routing_number=routing, account_number=number):
            return [number, routing]
        case None:
            return []
        case _:
            assert_never(method)


def _blotted(text: str, hidden: Sequence[str]) -> str:
    for value in hidden:
        text = text.replace(value, DOTS)
    return text


def open_payment(tx: Tx, order: Order, kind: Kind, rail: Rail, timing: Timing) -> Opened:
    """Check, claim and store the intent in this transaction; send nothing."""
    id_ = tx.new_id("pay")
    before = keys.take(tx, order.name, order.key, _fingerprint(order, kind), id_)
    if before is not None:
        return Opened(payment=reverse.find(tx, before))
    plan = plan_claims(tx, order.items, order.amount, order.customer)
    credit = _reserve(tx, order, plan)
    asked = sum(claim.minor for claim in plan.claims if claim.credit is None)
    amount = Money(plan.currency, asked) if order.amount is None else order.amount
    if credit and order.amount is not None:
        amount -= Money(plan.currency, credit)
    if amount.minor <= 0:
        raise InvalidAmount("credit covers it all; use pay_from_credit instead")
    payer = order.payer or customers.find(tx, plan.customer)
    order.account.check(rail, amount, order.method, payer, order.return_url)
    for item in dict.fromkeys(claim.item for claim in plan.claims):
        for page in payments.soft_on(tx, item):
            issue.supersede(tx, page)
    payment = payments.insert(
        tx,
        id_=id_,
        customer=plan.customer,
        payer=plan.customer if order.payer is None else order.payer.id,
        account=order.account.name,
        kind=kind,
        amount=amount,
        status=PaymentStatus.PROCESSING,
    )
    payments.insert_claims(tx, id_, plan.claims)
    attempt = tx.new_id("att")
    lease_until = tx.now + timing.lease
    charge = Charge(
        key=digest_key(tx.tenant, order.name, order.key),
        our_ref=attempt,
        payment=id_,
        amount=amount,
        kind=kind,
        method=order.method,
        payer=payer,
        invoices=tuple(plan.numbers),
        description=order.description,
        return_url=order.return_url,
        browser=order.browser,
    )
    # Begun here, though it sends nothing yet: what the driver refuses at once, such as an amount
    # that the processor cannot express, is refused before anything is stored.
    dialogue = begin(order.account.gateway, order.operation, charge)
    traits = order.account.traits
    payments.insert_attempt(
        tx,
        id_=attempt,
        payment=id_,
        operation=order.operation,
        account=order.account.name,
        kind=kind,
        driver=order.account.gateway.name,
        driver_version=traits.driver_version,
        livemode=traits.live,
        merchant_account=traits.merchant_account,
        gateway_key=charge.key,
        amount=amount,
        lease_until=lease_until,
        request=None if order.method is not None else write_charge(charge),
    )
    booking.emit(tx, "payment.started", payment)
    return Opened(payment=payment, attempt=attempt, dialogue=dialogue, lease_until=lease_until)


def plan_claims(
    tx: Tx,
    wanted: Sequence[Invoice | Share | str],
    amount: Money | None,
    customer: Customer | str | None,
) -> Plan:
    """Claim what is to be paid, in the order given, or refuse before anything is written."""
    if amount is not None and amount.minor <= 0:
        raise InvalidAmount(f"the amount to collect is {amount}; it must be more than zero")
    if not wanted:
        if customer is None or amount is None:
            raise InvalidValue("without an invoice, say whose balance it is for and how much")
        return Plan(customer=customers.save(tx, customer), currency=amount.currency)
    found = [_share(tx, item) for item in wanted]
    _check_together([invoice for invoice, _ in found], amount, customer)
    if customer is not None:
        customers.save(tx, customer)
    first = found[0][0]
    plan = Plan(customer=first.customer, currency=first.total.currency)
    left = None if amount is None else amount.minor
    for invoice, share in found:
        take = _claimable(tx, invoice, share, left)
        plan.open_minor += invoice.open.minor
        if not take:
            continue
        if not items.claim(tx, invoice.id, take):
            raise _being_paid(tx, invoice)
        plan.claims.append(Claim(len(plan.claims), invoice.id, take, None, "hard"))
        plan.numbers.append(invoice.number)
        left = None if left is None else left - take
    if left and any(share is not None for _, share in found):
        raise InvalidAmount(f"the shares do not add up to {amount}; leave amount= out")
    return plan


def _share(tx: Tx, item: Invoice | Share | str) -> tuple[Invoice, Money | None]:
    if isinstance(item, Share):
        if item.amount.minor <= 0:
            raise InvalidAmount(f"a share of {item.amount} cannot be paid")
        return issue.find(tx, item.invoice), item.amount
    return issue.find(tx, item), None


def _check_together(
    invoices: Sequence[Invoice], amount: Money | None, customer: Customer | str | None
) -> None:
    first = invoices[0]
    seen: set[str] = set()
    for invoice in invoices:
        if invoice.id in seen:
            raise InvalidValue(f"invoice {invoice.number} is listed twice")
        seen.add(invoice.id)
        if invoice.status is InvoiceStatus.VOID:
            raise InvoiceIsVoid(
                f"invoice {invoice.number} is void and cannot be paid", item=invoice.number
            )
        if invoice.total.currency != first.total.currency:
            raise CurrencyMismatch(
                f"invoices {first.number} and {invoice.number} are in {first.total.currency} and "
                f"{invoice.total.currency}; collect them apart"
            )
        if invoice.customer != first.customer:
            raise InvalidValue(
                f"invoices {first.number} and {invoice.number} are of different customers; "
                "collect them apart (somebody else may pay with payer=)"
            )
        if invoice.open.minor == 0:
            raise AlreadyPaid(f"invoice {invoice.number} is paid already", item=invoice.number)
    if amount is not None and amount.currency != first.total.currency:
        raise CurrencyMismatch(
            f"the amount is in {amount.currency}, invoice {first.number} in {first.total.currency}"
        )
    given = customer.id if isinstance(customer, Customer) else customer
    if given is not None and given != first.customer:
        raise InvalidValue(
            f"invoice {first.number} is of customer {first.customer}, not {given}; "
            "use payer= for somebody who pays for another"
        )


def _claimable(tx: Tx, invoice: Invoice, share: Money | None, left: int | None) -> int:
    """Tell how much of *invoice* this payment is to claim."""
    room = invoice.open.minor - invoice.claimed.minor
    if share is not None:
        if share.currency != invoice.total.currency:
            raise CurrencyMismatch(
                f"the share is in {share.currency}, invoice {invoice.number} in "
                f"{invoice.total.currency}"
            )
        if share > invoice.open:
            raise NotEnoughOpen(
                f"{share} is more than is open on invoice {invoice.number} ({invoice.open})",
                item=invoice.number,
            )
        if share.minor > room:
            raise _being_paid(tx, invoice)
        return share.minor
    if left is None:
        if room <= 0:
            raise _being_paid(tx, invoice)
        return room
    # The caller gave the amount: he would not want the part that another payment holds to
    # become credit, so that is refused. What is more than all that is open does.
    take = min(left, invoice.open.minor)
    if take > room:
        raise _being_paid(tx, invoice)
    return take


def _being_paid(tx: Tx, invoice: Invoice) -> ItemAlreadyBeingPaid:
    holders = payments.holding(tx, invoice.id)
    told = ", ".join(f"{payment.id} ({payment.status})" for payment in holders)
    return ItemAlreadyBeingPaid(
        f"invoice {invoice.number} is being paid by {told}; do not pay again, ask for its outcome",
        item=invoice.number,
        payments=[payment.id for payment in holders],
    )


def _reserve(tx: Tx, order: Order, plan: Plan) -> int:
    """Reserve the credit that is to be used beside the gateway's money; tell how much."""
    if order.credit is None:
        return 0
    claims, used = from_credit(tx, plan, order.credit)
    plan.claims[:] = claims
    return used


def from_credit(tx: Tx, plan: Plan, wanted: Money) -> tuple[list[Claim], int]:
    """
    Turn the first *wanted* of the plan's claims into claims on credit, oldest lots first.

    Raises `NotEnoughCredit` where the free lots do not cover it.
    """
    if wanted.minor <= 0:
        raise InvalidAmount(f"credit of {wanted} cannot be used")
    if wanted.currency != plan.currency:
        raise CurrencyMismatch(
            f"credit in {wanted.currency} cannot pay what is owed in {plan.currency}"
        )
    rooms = {lot.id: lot.free.minor for lot in lots.free_of(tx, plan.customer, wanted.currency)}
    free = lots.spendable(tx, plan.customer, wanted.currency)
    claimed = sum(claim.minor for claim in plan.claims)
    if free < wanted.minor:
        raise NotEnoughCredit(
            f"customer {plan.customer} has {Money(wanted.currency, free)} of free credit, "
            f"not {wanted}",
            free=Money(wanted.currency, free),
        )
    if claimed < wanted.minor:
        raise NotEnoughOpen(
            f"{wanted} of credit is more than is open ({Money(wanted.currency, claimed)})"
        )
    claims: list[Claim] = []
    left = wanted.minor
    for claim in plan.claims:
        rest = claim.minor
        while rest and left:
            credit, room = next(iter(rooms.items()))
            part = min(rest, left, room)
            if not lots.reserve(tx, credit, part):
                raise NotEnoughCredit(f"credit {credit} was used meanwhile; try again")
            claims.append(Claim(len(claims), claim.item, part, credit, "hard"))
            rest, left, rooms[credit] = rest - part, left - part, room - part
            if not rooms[credit]:
                del rooms[credit]
        if rest:
            claims.append(Claim(len(claims), claim.item, rest, None, "hard"))
    return claims, wanted.minor


def _fingerprint(order: Order, kind: Kind) -> str:
    """Tell what makes this call the same call again; a one-time token does not count."""
    payer = None if order.payer is None else order.payer.id
    customer = order.customer.id if isinstance(order.customer, Customer) else order.customer
    return keys.fingerprint(
        items=[name_of(item) for item in order.items],
        account=order.account.name,
        kind=kind,
        amount=str(order.amount),
        credit=str(order.credit),
        customer=customer,
        payer=payer,
    )


def name_of(item: Invoice | Share | str) -> Any:
    """Name an item in the fingerprint of a call."""
    match item:
        case str():
            return item
        case Invoice():
            return item.number
        case Share():
            return [name_of(item.invoice), str(item.amount)]
        case _:
            assert_never(item)


def write_charge(charge: Charge) -> str:
    """Write a charge that needs no method as text, so that it can be sent again as it was."""
    payer = charge.payer
    facts = None
    if payer is not None:
        facts = {"id": payer.id, "zone": payer.zone, **customers.contact_facts(payer)}
    browser = charge.browser
    return json.dumps(
        {
            "key": charge.key,
            "our_ref": charge.our_ref,
            "payment": charge.payment,
            "amount": [charge.amount.currency, charge.amount.minor],
            "kind": charge.kind,
            "payer": facts,
            "invoices": charge.invoices,
            "description": charge.description,
            "return_url": charge.return_url,
            "browser": None
            if browser is None
            else [browser.ip, browser.user_agent, browser.accept, browser.language],
        }
    )


def read_charge(text: str) -> Charge:
    """Read what `write_charge` wrote."""
    facts: dict[str, Any] = json.loads(text)
    browser: list[str] | None = facts.pop("browser")
    payer: dict[str, Any] | None = facts.pop("payer")
    kind: str = facts.pop("kind")
    invoices: list[str] = facts.pop("invoices")
    currency, minor = facts.pop("amount")
    return Charge(
        **facts,
        kind=Kind(kind),
        invoices=tuple(invoices),
        amount=Money(currency, minor),
        payer=None if payer is None else customers.customer_of(payer),
        browser=None if browser is None else Browser(*browser),
    )
