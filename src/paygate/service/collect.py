"""Collect: claim what is open, store the intent, ask the gateway once, merge the answer.

The intent is stored before anything is sent, so a crash at any point leaves a row that an inquiry
can resolve. The key that the gateway sees is derived from the caller's key, so even a ledger
restored from a backup cannot charge again under a new key.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from paygate import logs
from paygate.domain.charging import ChargeFact, ChargeLine, ChargeReason
from paygate.domain.customer import Browser, Customer
from paygate.domain.decide import Source
from paygate.domain.kind import Kind, Operation
from paygate.domain.method import MethodFacts, PaymentMethod
from paygate.domain.money import Money
from paygate.domain.payable import Payable, name_of
from paygate.domain.payment import PaymentStatus
from paygate.domain.secret import RawBankAccount, RawCard
from paygate.errors import (
    InvalidAmount,
    InvalidValue,
    InvoiceDisputed,
    MethodNotFound,
    MethodNotUsable,
    NotEnrollable,
    OpenAmountChanged,
    Unsupported,
)
from paygate.gateway import Charge, StoredToken, digest_key
from paygate.ledger import (
    attempts,
    chargebacks,
    claims,
    customers,
    keys,
    mandates,
    methods,
    payments,
)
from paygate.printing import shown
from paygate.service import (
    addresses,
    claiming,
    dialogues,
    door,
    events,
    finding,
    merge,
    page_tokens,
    requests,
    return_address,
    withdrawing,
)
from paygate.service.asking import Heard, ask
from paygate.service.claiming import ClaimPlan
from paygate.service.flow import Flow, intend
from paygate.service.reading import AnswerSource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from paygate.dialogue import Dialogue
    from paygate.domain.mandate import Mandate
    from paygate.domain.outcome import Outcome
    from paygate.domain.payment import Payment
    from paygate.gateway import Method, Rail
    from paygate.ledger.elapsed import Lease
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount, Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectOrder:
    """What the host wants to collect; with `amount` None, everything that is open."""

    items: Sequence[Payable]
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
    link: str | None = None
    admit: Callable[[Tx], None] | None = None
    """Called in the transaction that stores the intent; it may raise."""
    record: Callable[[Tx, Payment], None] | None = None
    """Called at the end of that transaction, to store more with the payment."""
    page_wait: timedelta | None = None
    """How long a page without an end is waited out, if the payer is not present."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A stored intent; `dialogue` is None if the key was used before, so nothing is sent."""

    payment: Payment
    items: tuple[str, ...] = ()
    attempt: str = ""
    dialogue: Dialogue[Outcome] | None = None
    lease: Lease | None = None
    method: Method | None = None
    payer: Customer | None = None


def collect(
    order: CollectOrder, timing: Timing, accounts: Mapping[str, GatewayAccount]
) -> Flow[Payment]:
    """
    Collect once, even if this is called again or interrupted, and return the payment.

    Pages on which the same items could be paid are withdrawn first: see `withdrawing`.
    """
    account = order.account
    kind = _kind_of(order)
    rail = account.rail(kind, order.operation)
    _check_saving(order, kind, rail)
    tried: set[str] = set()

    def store(tx: Tx) -> Opened:
        opened = open_payment(tx, order, kind, rail, timing)
        if opened.dialogue is not None:
            withdrawing.check(
                tx,
                opened.items,
                accounts,
                tried,
                payer_present=order.payer_present,
                page_wait=order.page_wait,
            )
        return opened

    opened: Opened | None = None
    while opened is None:
        try:
            opened = yield from intend(store, lambda opened: opened.attempt)
        except withdrawing.OpenPages as found:
            tried |= set(found.pages)
            yield from withdrawing.withdraw_pages(found.pages, accounts, timing)
    if opened.dialogue is None:
        return opened.payment
    heard = Heard()
    answer = yield from ask(
        account.name,
        opened.dialogue,
        what=order.operation.value,
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
    reading = AnswerSource(
        source=Source.RESPONSE,
        variable_amount=rail.variable_amount,
        can_inquire=account.can_be_asked,
        polled=account.is_polled,
        request_id=heard.request_id,
        # `ask` has hidden the payer's facts in the answer. If the payer is not the customer, the
        # customer's own facts must still be hidden.
        anonymous=order.payer is None,
        timing=timing,
    )
    return (yield from merge.merge(opened.attempt, answer, reading))


def _kind_of(order: CollectOrder) -> Kind:
    """Return the kind of payment; a stored method has its own."""
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


def _check_saving(order: CollectOrder, kind: Kind, rail: Rail) -> None:
    """Raise if the method is stored already, or if the charge needs the payer to be present."""
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
                "out, or store the method separately with enroll",
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


def _usable(tx: Tx, order: CollectOrder, method: PaymentMethod, customer: str) -> PaymentMethod:
    """Return the current stored method, or raise if it cannot pay this."""
    found = methods.by_id(tx, method.id)
    if found is None:
        raise MethodNotFound(f"there is no stored method {shown(method.id)} in this ledger")
    why = ""
    payers = {customer} if order.payer is None else {customer, order.payer.id}
    if found.customer not in payers or found.account != order.account.name:
        why = "of_another"
        text = (
            f"is of customer {found.customer} at account {found.account!r}; it cannot pay for "
            f"{customer} via {order.account.name!r}"
        )
    elif found.forgotten_at is not None:
        why, text = "forgotten", "was forgotten"
    # One day more: the payer's zone may still have the last day of the month.
    elif found.expires is not None and found.expires + timedelta(days=1) < customers.today(
        tx, customer
    ):
        why, text = "expired", f"expired on {found.expires}"
    elif not order.payer_present and not _is_allowed(tx, found):
        why = "no_mandate"
        text = "has no mandate: charge it with the payer present, or call start_autopay with one"
    else:
        return found
    raise MethodNotUsable(f"method {found.id} {text}", method=found.id, why=why)


def _is_allowed(tx: Tx, method: PaymentMethod) -> bool:
    """Return whether the payer has agreed to charges of *method* without them, and still does."""
    mandate = None if method.mandate is None else mandates.by_id(tx, method.mandate)
    return mandate is not None and mandate.ended_at is None


def _check_ceiling(tx: Tx, method: str, mandate: str | None, amount: Money) -> None:
    """Raise if *amount* is more than the payer has agreed to be charged at once without them."""
    agreed = None if mandate is None else mandates.by_id(tx, mandate)
    ceiling = None if agreed is None else agreed.ceiling
    if ceiling is None:
        return
    if ceiling.currency != amount.currency or amount.minor > ceiling.minor:
        raise MethodNotUsable(
            f"method {method} may be charged at most {ceiling} at once without the payer, not "
            f"{amount}: charge less, or with the payer present",
            method=method,
            why="over_ceiling",
        )


def open_payment(tx: Tx, order: CollectOrder, kind: Kind, rail: Rail, timing: Timing) -> Opened:
    """Check, claim and store the intent in this transaction; send nothing."""
    finding.hold(tx, order.items, order.customer, order.payer)
    id_ = tx.new_id("pay")
    before = keys.take(tx, order.name, order.key, _fingerprint(order, kind), id_)
    if before is not None:
        return Opened(payment=finding.payment_again(tx, before))
    if order.admit is not None:
        order.admit(tx)
    plan = claiming.plan_claims(tx, order.items, order.amount, order.customer)
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
    payer, customer_reference = _payer(tx, order, plan.customer)
    method, stored, mandate = _method(tx, order, plan.customer)
    if not order.payer_present and stored is not None:
        _check_ceiling(tx, stored, mandate, amount)
    order.account.check(rail, amount, method, payer, order.return_url)
    order.account.check_facts(rail, {each: getattr(order, each) for each in ChargeFact})
    paid = tuple(dict.fromkeys(claim.item for claim in plan.claims))
    for item in paid:
        for page in claims.soft_on(tx, item):
            claiming.supersede(tx, page)
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
        link=order.link,
    )
    claims.insert(tx, id_, plan.claims)
    attempt = tx.new_id("att")
    lease = tx.lease(timing.lease)
    back = return_address.filled(order.return_url, id_)
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
        return_url=page_tokens.filled(tx, back, id_),
        browser=order.browser,
        store_method=order.save_method,
        payer_present=order.payer_present,
        address_index=addresses.allot(tx, order.account, rail, payment, plan.claims, order.key),
        asked_at=tx.now,
        reason=order.reason,
        lines=_lines(plan),
        statement_suffix=order.statement_suffix,
        receipt_email=order.receipt_email,
        metadata=order.metadata,
        ship_to=order.ship_to,
        moto=order.moto,
        customer_reference=customer_reference,
    )
    # The dialogue is begun here, though it sends nothing yet: what the driver refuses at once, such
    # as an amount that the processor cannot express, is refused before anything is stored.
    begins = partial(dialogues.begin_charge, order.account.gateway, order.operation, charge)
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
        # A method to be stored gets its id now, so that it is stored once.
        method=tx.new_id("met") if order.save_method else stored,
        request=_kept(charge, back, stored) if stored or method is None else None,
        person=payment.payer,
        offers=order.account.offered(kind),
        method_facts=_facts_of(order.method),
        address_index=charge.address_index,
    )
    events.emit(tx, "payment.started", payment)
    if order.record is not None:
        order.record(tx, payment)
    return Opened(
        payment=payment,
        items=paid,
        attempt=attempt,
        dialogue=dialogue,
        lease=lease,
        method=method,
        payer=payer,
    )


def _kept(charge: Charge, back: str, stored: str | None) -> str:
    """Return *charge* as it is stored: with the address *back*, which contains no token."""
    return requests.write_charge(replace(charge, return_url=back), stored)


def _payer(tx: Tx, order: CollectOrder, customer: str) -> tuple[Customer | None, str]:
    """Return the payer with their contact facts, and the processor's reference of them."""
    if order.payer is None:
        return customers.find_at(tx, customer, order.account.name)
    return order.payer, customers.reference_at(tx, order.payer.id, order.account.name)


def _lines(plan: ClaimPlan) -> tuple[ChargeLine, ...]:
    """Return the amount that the gateway collects for each invoice."""
    shares: dict[str, int] = {}
    for claim in plan.claims:
        if claim.credit is None:
            shares[claim.item] = shares.get(claim.item, 0) + claim.minor
    return tuple(
        ChargeLine(number, Money(plan.currency, shares[item]))
        for item, number in plan.numbers.items()
        if item in shares
    )


def _method(
    tx: Tx, order: CollectOrder, customer: str
) -> tuple[Method | None, str | None, str | None]:
    """Return the method to charge, and the ids of the stored method and of the payer's mandate."""
    if order.save_method:
        methods.vault_of(tx)
    mandate = None
    if order.mandate is not None:
        payer = customer if order.payer is None else order.payer.id
        mandate = mandates.insert(tx, payer, order.mandate)
    if not isinstance(order.method, PaymentMethod):
        return order.method, None, mandate
    found = _usable(tx, order, order.method, customer)
    return requests.token_of(tx, found.id), found.id, found.mandate


def _facts_of(method: Method | PaymentMethod | None) -> MethodFacts | None:
    """Return what is known of *method* before the gateway reports more."""
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


def _reserve(tx: Tx, order: CollectOrder, plan: ClaimPlan) -> int:
    """Reserve the credit to use along with the gateway's money, and return its amount."""
    if order.credit is None:
        return 0
    claims, used = claiming.from_credit(tx, plan, order.credit)
    plan.claims[:] = claims
    return used


def _fingerprint(order: CollectOrder, kind: Kind) -> str:
    """Return what identifies a repetition of this call; a one-time token is not part of it."""
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
        items=[claiming.name_of(item) for item in order.items],
        account=order.account.name,
        kind=kind,
        amount=str(order.amount),
        credit=str(order.credit),
        customer=customer,
        payer=payer,
        **more,
    )


def _check_expected(order: CollectOrder, plan: ClaimPlan) -> None:
    """Raise if the open amount is not the one that the host's page showed."""
    there = Money(plan.currency, plan.open_minor)
    if order.expect is not None and order.expect != there:
        raise OpenAmountChanged(
            f"{there} is open, not {order.expect} as expected; show the payer the current amount",
            expected=order.expect,
            open=there,
        )


def _check_disputes(tx: Tx, plan: ClaimPlan) -> None:
    """Raise if an item is disputed: it is charged only with the payer present."""
    for item in dict.fromkeys(claim.item for claim in plan.claims):
        found = chargebacks.on_item(tx, item)
        if found is not None:
            number = name_of(finding.item(tx, item))
            raise InvoiceDisputed(
                f"the dispute {found.reference} of payment {found.payment} took money off "
                f"{number}, so it is not charged without the payer; leave it out, or collect it "
                "with the payer present",
                item=number,
                payment=found.payment,
                dispute=found.reference,
            )
