"""Collect: claim what is open, store the intent, ask the gateway once, merge the answer.

The intent is stored before anything is sent, so a crash at any point leaves a
row that an inquiry can settle; the key that the gateway sees follows from the
caller's key, so even a ledger restored from a backup cannot charge again under
a new name.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, assert_never, cast

from paygate import logs
from paygate.domain.charging import ChargeLine, ChargeReason
from paygate.domain.customer import Browser, Customer
from paygate.domain.decide import Source
from paygate.domain.invoice import Invoice, InvoiceStatus, Share
from paygate.domain.kind import Kind, Operation
from paygate.domain.method import MethodFacts, PaymentMethod
from paygate.domain.money import Money
from paygate.domain.payment import PaymentStatus
from paygate.domain.secret import RawBankAccount, RawCard
from paygate.errors import (
    AlreadyPaid,
    CurrencyMismatch,
    InvalidAmount,
    InvalidValue,
    InvoiceDisputed,
    InvoiceIsVoid,
    MethodNotUsable,
    NotEnoughCredit,
    NotEnoughOpen,
    NotEnrollable,
    OpenAmountChanged,
    TokenKeysMissing,
    TokenUnreadable,
    UnknownMethod,
    Unsupported,
)
from paygate.gateway import Charge, StoredToken, digest_key
from paygate.ledger import (
    attempts,
    chargebacks,
    claims,
    customers,
    items,
    keys,
    lots,
    methods,
    payments,
    stored_requests,
)
from paygate.ledger.claims import Claim
from paygate.printing import shown
from paygate.service import (
    door,
    finding,
    issue,
    merge,
    places,
    return_address,
    telling,
    ways,
)
from paygate.service.flow import Flow, Heard, ask, intend

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paygate.dialogue import Dialogue
    from paygate.domain.method import Mandate
    from paygate.domain.outcome import Outcome
    from paygate.domain.payment import Payment
    from paygate.gateway import Authorizes, Charges, Gateway, Method, Rail
    from paygate.ledger.elapsed import Lease
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
    method: Method | PaymentMethod | None = None
    save_method: bool = False
    mandate: Mandate | None = None
    payer_present: bool = True
    amount: Money | None = None
    credit: Money | None = None
    expect: Money | None = None
    customer: Customer | str | None = None
    payer: Customer | None = None
    return_url: str = ""
    browser: Browser | None = None
    description: str = ""
    reason: ChargeReason | None = None
    statement_suffix: str = ""
    receipt_email: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    ship_to: Customer | None = None
    moto: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A stored intent; no `dialogue` where the key was used before and nothing is to be sent."""

    payment: Payment
    attempt: str = ""
    dialogue: Dialogue[Outcome] | None = None
    lease: Lease | None = None
    method: Method | None = None
    payer: Customer | None = None


@dataclass(slots=True)
class Plan:
    """Who pays, in what currency, how much, and for what."""

    customer: str
    currency: str
    claims: list[Claim] = field(default_factory=list[Claim])
    numbers: dict[str, str] = field(default_factory=dict[str, str])
    open_minor: int = 0


def collect(order: Order, timing: Timing, accounts: Mapping[str, GatewayAccount]) -> Flow[Payment]:
    """
    Collect once, however often this is called or interrupted, and return the payment.

    Pages on which the same items could be paid are closed first: see `closing`.
    """
    from paygate.service import closing  # which inquires, and to inquire is to collect again

    account = order.account
    kind = _kind_of(order)
    rail = account.rail(kind, order.operation)
    _check_saving(order, kind, rail)
    tried: set[str] = set()

    def store(tx: Tx) -> Opened:
        opened = open_payment(tx, order, kind, rail, timing)
        if opened.dialogue is not None:
            wanted = [claim.item for claim in claims.of_payment(tx, opened.payment.id)]
            closing.check(tx, wanted, accounts, tried, payer_present=order.payer_present)
        return opened

    opened: Opened | None = None
    while opened is None:
        try:
            opened = yield from intend(store, lambda opened: opened.attempt)
        except closing.OpenPages as found:
            tried |= set(found.pages)
            yield from closing.close_pages(found.pages, accounts, timing)
    if opened.dialogue is None:
        return opened.payment
    heard = Heard()
    answer = yield from ask(
        account.name,
        opened.dialogue,
        door=door.outcome(account, order.operation),
        hidden=account.hidden.of(opened.method).about(opened.payer, order.ship_to),
        about=logs.About(
            account=account.name,
            payment=opened.payment.id,
            attempt=opened.attempt,
            operation=order.operation.value,
        ),
        heard=heard,
        lease=opened.lease,
    )
    reading = merge.Reading(
        source=Source.RESPONSE,
        variable_amount=rail.variable_amount,
        can_inquire=account.can_be_asked,
        request_id=heard.request_id,
        timing=timing,
    )
    return (yield from merge.merge(opened.attempt, answer, reading))


def begin(gateway: Gateway, operation: Operation, charge: Charge) -> Dialogue[Outcome]:
    """Begin to charge, or to authorise; the account was seen to be able to."""
    if operation is Operation.AUTHORIZE:
        return cast("Authorizes", gateway).authorize(charge)
    return cast("Charges", gateway).charge(charge)


def _kind_of(order: Order) -> Kind:
    """Tell the kind of payment: a stored method says itself what it is."""
    method, account = order.method, order.account
    if not isinstance(method, PaymentMethod):
        return order.kind or account.default_kind(method)
    if method.account != account.name:
        raise MethodNotUsable(
            f"method {method.id} is stored at account {method.account!r}, and cannot be charged "
            f"via {account.name!r}",
            method=method.id,
            why="of_another",
        )
    if order.kind not in (None, method.kind):
        raise InvalidValue(f"method {method.id} is of kind {method.kind}, not {order.kind}")
    return method.kind


def _check_saving(order: Order, kind: Kind, rail: Rail) -> None:
    """Refuse to store what is stored, and to charge by ourselves what needs the payer."""
    stored = isinstance(order.method, PaymentMethod | StoredToken)
    if order.mandate is not None and not order.save_method:
        raise InvalidValue("a mandate is for a method that is stored: add save_method=True")
    if order.save_method:
        if stored:
            raise InvalidValue("the method is stored already; leave save_method out")
        if order.mandate is not None and rail.payer_present:
            raise NotEnrollable(
                f"the account {order.account.name!r} cannot charge by {kind} without the payer, so "
                "nothing can be collected automatically through it",
                why="payer_present",
            )
        account = order.account
        if not account.offers(kind, Operation.ENROLL):
            raise Unsupported(
                f"the account {account.name!r} ({account.gateway.name}) stores no method with a "
                f"payment by {kind}: its traits do not offer enroll for {kind}. Leave save_method "
                "out, or store a method apart, by enroll",
                account=account.name,
                operation=str(Operation.ENROLL),
                kind=str(kind),
            )
    if not order.payer_present:
        if rail.payer_present:
            raise Unsupported(
                f"the account {order.account.name!r} cannot charge by {kind} without the payer",
                account=order.account.name,
            )
        if not stored:
            raise InvalidValue("without the payer only a stored method can be charged")


def _usable(tx: Tx, order: Order, method: PaymentMethod, customer: str) -> PaymentMethod:
    """Read the stored method as it is now; refuse one that cannot pay this."""
    found = methods.by_id(tx, method.id)
    if found is None:
        raise UnknownMethod(f"there is no stored method {shown(method.id)} in this ledger")
    why = ""
    payers = {customer} if order.payer is None else {customer, order.payer.id}
    if found.customer not in payers or found.account != order.account.name:
        why, text = "of_another", f"is of customer {found.customer} at account {found.account}"
    elif found.forgotten_at is not None:
        why, text = "forgotten", "was forgotten"
    # A day more: where the payer lives it may still be the last day of the month.
    elif found.expires is not None and found.expires + timedelta(days=1) < customers.today(
        tx, customer
    ):
        why, text = "expired", f"expired on {found.expires}"
    elif not order.payer_present and found.mandate is None:
        why, text = "no_mandate", "was stored without a mandate to charge it without the payer"
    else:
        return found
    raise MethodNotUsable(f"method {found.id} {text}", method=found.id, why=why)


def open_payment(tx: Tx, order: Order, kind: Kind, rail: Rail, timing: Timing) -> Opened:
    """Check, claim and store the intent in this transaction; send nothing."""
    id_ = tx.new_id("pay")
    before = keys.take(tx, order.name, order.key, _fingerprint(order, kind), id_)
    if before is not None:
        return Opened(payment=finding.payment_again(tx, before))
    plan = plan_claims(tx, order.items, order.amount, order.customer)
    _check_expected(order, plan)
    if not order.payer_present:
        _check_disputes(tx, plan)
    credit = _reserve(tx, order, plan)
    asked = sum(claim.minor for claim in plan.claims if claim.credit is None)
    amount = Money(plan.currency, asked) if order.amount is None else order.amount
    if credit and order.amount is not None:
        amount -= Money(plan.currency, credit)
    if amount.minor <= 0:
        raise InvalidAmount("credit covers it all; use pay_from_credit instead", argument="credit")
    payer = order.payer or customers.find(tx, plan.customer)
    method, stored, mandate = _method(tx, order, plan.customer)
    order.account.check(rail, amount, method, payer, order.return_url)
    for item in dict.fromkeys(claim.item for claim in plan.claims):
        for page in claims.soft_on(tx, item):
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
        method=stored,
        mandate=mandate,
        credit_on=order.account.credit_on[kind],
        settles_within=order.account.settles_within.get(kind),
        refundable_after=order.account.refundable_after[kind],
        key=order.key,
    )
    claims.insert(tx, id_, plan.claims)
    attempt = tx.new_id("att")
    lease = tx.lease(timing.lease)
    charge = Charge(
        key=digest_key(tx.tenant, order.name, order.key),
        our_ref=attempt,
        payment=id_,
        amount=amount,
        kind=kind,
        method=method,
        payer=payer,
        invoices=tuple(plan.numbers.values()),
        description=order.description,
        return_url=return_address.filled(order.return_url, id_),
        browser=order.browser,
        store_method=order.save_method,
        payer_present=order.payer_present,
        place=places.allot(tx, order.account, rail, payment, plan.claims, order.key),
        asked_at=tx.now,
        reason=order.reason,
        lines=_lines(plan),
        statement_suffix=order.statement_suffix,
        receipt_email=order.receipt_email,
        metadata=order.metadata,
        ship_to=order.ship_to,
        moto=order.moto,
        customer_reference=customers.reference_at(tx, payment.payer, order.account.name),
    )
    # Begun here, though it sends nothing yet: what the driver refuses at once, such as an amount
    # that the processor cannot express, is refused before anything is stored.
    begins = partial(begin, order.account.gateway, order.operation, charge)
    dialogue = door.begun(begins)
    traits = order.account.traits
    attempts.insert(
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
        key=order.key,
        amount=amount,
        lease=lease,
        # What is to be stored gets its id now, so that it is stored once.
        method=tx.new_id("met") if order.save_method else stored,
        request=write_charge(charge, stored) if stored or method is None else None,
        person=payment.payer,
        offers=order.account.offered(rail),
        method_facts=_facts_of(order.method),
        place=charge.place,
    )
    telling.emit(tx, "payment.started", payment)
    return Opened(
        payment=payment,
        attempt=attempt,
        dialogue=dialogue,
        lease=lease,
        method=method,
        payer=payer,
    )


def _lines(plan: Plan) -> tuple[ChargeLine, ...]:
    """Return what the gateway is asked to collect for each invoice."""
    shares: dict[str, int] = {}
    for claim in plan.claims:
        if claim.credit is None:
            shares[claim.item] = shares.get(claim.item, 0) + claim.minor
    return tuple(
        ChargeLine(number, Money(plan.currency, shares[item]))
        for item, number in plan.numbers.items()
        if item in shares
    )


def _method(tx: Tx, order: Order, customer: str) -> tuple[Method | None, str | None, str | None]:
    """Tell what is charged, and the ids of the stored method and of the payer's mandate."""
    if order.save_method:
        methods.vault_of(tx)
    mandate = None
    if order.mandate is not None:
        payer = customer if order.payer is None else order.payer.id
        mandate = methods.insert_mandate(tx, payer, order.mandate)
    if not isinstance(order.method, PaymentMethod):
        return order.method, None, mandate
    found = _usable(tx, order, order.method, customer)
    return take_out(tx, found.id), found.id, found.mandate


def _facts_of(method: Method | PaymentMethod | None) -> MethodFacts | None:
    """Return what is known of *method* before the gateway tells more of it."""
    match method:
        case PaymentMethod():
            expires = method.expires
            return MethodFacts(
                brand=method.brand,
                last4=method.last4,
                expires_month=None if expires is None else expires.month,
                expires_year=None if expires is None else expires.year,
            )
        case RawCard():
            return MethodFacts(
                last4=method.number.reveal()[-4:],
                expires_month=method.expires_month,
                expires_year=method.expires_year,
            )
        case RawBankAccount():
            return MethodFacts(last4=method.account_number.reveal()[-4:])
        case _:
            return None


def take_out(tx: Tx, method: str) -> StoredToken:
    """Take the token of a stored method out of the ledger, for one request."""
    token, network_transaction_id = methods.token_of(tx, method)
    return StoredToken(token, network_transaction_id)


def plan_claims(
    tx: Tx,
    wanted: Sequence[Invoice | Share | str],
    amount: Money | None,
    customer: Customer | str | None,
) -> Plan:
    """Claim what is to be paid, in the order given, or refuse before anything is written."""
    if amount is not None and amount.minor <= 0:
        raise InvalidAmount(
            f"the amount to collect is {amount}; it must be more than zero", argument="amount"
        )
    if not wanted:
        if customer is None or amount is None:
            raise InvalidValue(
                "without an invoice, say whose balance it is for and how much: "
                "customer= and amount=",
                argument="customer" if customer is None else "amount",
            )
        return Plan(customer=customers.save(tx, customer), currency=amount.currency)
    found = [share_of(tx, item) for item in wanted]
    check_together([invoice for invoice, _ in found], amount, customer)
    _check_open([invoice for invoice, _ in found])
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
            raise ways.being_paid(tx, invoice)
        plan.claims.append(Claim(len(plan.claims), invoice.id, take, None, "hard"))
        plan.numbers[invoice.id] = invoice.number
        left = None if left is None else left - take
    if left and any(share is not None for _, share in found):
        raise InvalidAmount(
            f"the shares do not add up to {amount}; leave amount= out", argument="amount"
        )
    return plan


def share_of(tx: Tx, item: Invoice | Share | str) -> tuple[Invoice, Money | None]:
    """Return the invoice that *item* names, and which part of it is wanted, if it says that."""
    if isinstance(item, Share):
        if item.amount.minor <= 0:
            raise InvalidAmount(f"a share of {item.amount} cannot be paid", argument="items")
        return finding.invoice(tx, item.invoice, "items"), item.amount
    return finding.invoice(tx, item, "items"), None


def check_together(
    invoices: Sequence[Invoice], amount: Money | None, customer: Customer | str | None
) -> None:
    """Refuse invoices that one payment cannot be for: of two customers, or two currencies."""
    first = invoices[0]
    seen: set[str] = set()
    for invoice in invoices:
        if invoice.id in seen:
            raise InvalidValue(f"invoice {invoice.number} is listed twice", argument="items")
        seen.add(invoice.id)
        if invoice.total.currency != first.total.currency:
            raise CurrencyMismatch(
                f"invoices {first.number} and {invoice.number} are in {first.total.currency} and "
                f"{invoice.total.currency}; collect them apart",
                argument="items",
            )
        if invoice.customer != first.customer:
            raise InvalidValue(
                f"invoices {first.number} and {invoice.number} are of different customers; "
                "collect them apart (somebody else may pay with payer=)",
                argument="items",
            )
    if amount is not None and amount.currency != first.total.currency:
        raise CurrencyMismatch(
            f"the amount is in {amount.currency}, invoice {first.number} in {first.total.currency}",
            argument="amount",
        )
    given = customer.id if isinstance(customer, Customer) else customer
    if given is not None and given != first.customer:
        raise InvalidValue(
            f"invoice {first.number} is of customer {first.customer}, not {given}; "
            "use payer= for somebody who pays for another",
            argument="customer",
        )


def _check_open(invoices: Sequence[Invoice]) -> None:
    for invoice in invoices:
        if invoice.status is InvoiceStatus.VOID:
            raise InvoiceIsVoid(
                f"invoice {invoice.number} is void and cannot be paid", item=invoice.number
            )
        if invoice.open.minor == 0:
            how = "written off" if invoice.status is InvoiceStatus.WRITTEN_OFF else "paid already"
            raise AlreadyPaid(f"invoice {invoice.number} is {how}", item=invoice.number)


def _claimable(tx: Tx, invoice: Invoice, share: Money | None, left: int | None) -> int:
    """Tell how much of *invoice* this payment is to claim."""
    room = invoice.open.minor - invoice.claimed.minor
    if share is not None:
        if share.currency != invoice.total.currency:
            raise CurrencyMismatch(
                f"the share is in {share.currency}, invoice {invoice.number} in "
                f"{invoice.total.currency}",
                argument="items",
            )
        if share > invoice.open:
            raise NotEnoughOpen(
                f"{share} is more than is open on invoice {invoice.number} ({invoice.open})",
                item=invoice.number,
            )
        if share.minor > room:
            raise ways.being_paid(tx, invoice)
        return share.minor
    if left is None:
        if room <= 0:
            raise ways.being_paid(tx, invoice)
        return room
    # The caller gave the amount: he would not want the part that another payment holds to
    # become credit, so that is refused. What is more than all that is open does.
    take = min(left, invoice.open.minor)
    if take > room:
        raise ways.being_paid(tx, invoice)
    return take


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
        raise InvalidAmount(f"credit of {wanted} cannot be used", argument="credit")
    if wanted.currency != plan.currency:
        raise CurrencyMismatch(
            f"credit in {wanted.currency} cannot pay what is owed in {plan.currency}",
            argument="credit",
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
    more: dict[str, Any] = {}
    if isinstance(order.method, PaymentMethod):
        more["method"] = order.method.id
    if order.save_method:
        more["save_method"] = True
    if not order.payer_present:
        more["payer_present"] = False
    return keys.fingerprint(
        items=[name_of(item) for item in order.items],
        account=order.account.name,
        kind=kind,
        amount=str(order.amount),
        credit=str(order.credit),
        customer=customer,
        payer=payer,
        **more,
    )


def _check_expected(order: Order, plan: Plan) -> None:
    """Refuse to charge on a picture that is stale: the page showed another open amount."""
    there = Money(plan.currency, plan.open_minor)
    if order.expect is not None and order.expect != there:
        raise OpenAmountChanged(
            f"{there} is open, and not {order.expect} as expected; show the payer what is open now",
            expected=order.expect,
            open=there,
        )


def _check_disputes(tx: Tx, plan: Plan) -> None:
    """Refuse to charge by ourselves what a payer disputes; a person may still ask for it."""
    for item in dict.fromkeys(claim.item for claim in plan.claims):
        found = chargebacks.on_item(tx, item)
        if found is not None:
            number = finding.invoice(tx, item).number
            raise InvoiceDisputed(
                f"the dispute {found.reference} of payment {found.payment} took money off invoice "
                f"{number}, so it is not charged without the payer; leave it out, or collect it "
                "with the payer present",
                item=number,
                payment=found.payment,
                dispute=found.reference,
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


def write_charge(charge: Charge, stored: str | None) -> str:
    """
    Write a charge as text, so that it can be sent again as it was.

    It is one of the stored method *stored*, whose token stays in its own row, or one
    that needs no method.
    """
    browser = charge.browser
    return json.dumps(
        {
            "key": charge.key,
            "our_ref": charge.our_ref,
            "payment": charge.payment,
            "amount": [charge.amount.currency, charge.amount.minor],
            "kind": charge.kind,
            "payer": _write_person(charge.payer),
            "ship_to": _write_person(charge.ship_to),
            "invoices": charge.invoices,
            "description": charge.description,
            "return_url": charge.return_url,
            "store_method": charge.store_method,
            "payer_present": charge.payer_present,
            "place": charge.place,
            "stored": stored,
            "browser": None
            if browser is None
            else [browser.ip, browser.user_agent, browser.accept, browser.language],
            "reason": charge.reason,
            "lines": [
                [line.reference, line.amount.currency, line.amount.minor] for line in charge.lines
            ],
            "statement_suffix": charge.statement_suffix,
            "receipt_email": charge.receipt_email,
            "metadata": dict(charge.metadata),
            "moto": charge.moto,
            "customer_reference": charge.customer_reference,
        }
    )


def _write_person(person: Customer | None) -> dict[str, Any] | None:
    if person is None:
        return None
    return {"id": person.id, "zone": person.zone, **customers.contact_facts(person)}


def rebuild(tx: Tx, attempt: str) -> Charge | None:
    """
    Build the charge of *attempt* again, as it was; None where that cannot be.

    It cannot where a one-time token or card data was in it, where its stored method
    was forgotten since, and where the keys to open the token are not here.
    """
    text = stored_requests.of_attempt(tx, attempt)
    if not text:  # there is none, or it held facts about a person that were erased
        return None
    charge, stored = read_charge(text)
    charge = replace(charge, asked_at=tx.now)
    if stored is None:
        return charge
    found = methods.by_id(tx, stored)
    if found is None or found.forgotten_at is not None:
        return None
    try:
        return replace(charge, method=take_out(tx, stored))
    except (TokenKeysMissing, TokenUnreadable):
        return None


def read_charge(text: str) -> tuple[Charge, str | None]:
    """Read what `write_charge` wrote: a charge, and the id of its stored method."""
    facts: dict[str, Any] = json.loads(text)
    stored: str | None = facts.pop("stored", None)
    browser: list[str] | None = facts.pop("browser")
    payer: dict[str, Any] | None = facts.pop("payer")
    ship_to: dict[str, Any] | None = facts.pop("ship_to")
    kind: str = facts.pop("kind")
    invoices: list[str] = facts.pop("invoices")
    lines: list[tuple[str, str, int]] = facts.pop("lines")
    reason: str | None = facts.pop("reason")
    currency, minor = facts.pop("amount")
    charge = Charge(
        **facts,
        kind=Kind(kind),
        invoices=tuple(invoices),
        lines=tuple(ChargeLine(name, Money(unit, share)) for name, unit, share in lines),
        reason=None if reason is None else ChargeReason(reason),
        amount=Money(currency, minor),
        payer=None if payer is None else customers.customer_of(payer),
        ship_to=None if ship_to is None else customers.customer_of(ship_to),
        browser=None if browser is None else Browser(*browser),
    )
    return charge, stored
