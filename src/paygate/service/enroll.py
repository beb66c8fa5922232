"""Enroll and forget: store a payer's method at the gateway, and delete it there again.

Both are attempts of their own, about a method and no payment: stored before
anything is sent, asked once, merged, followed up by recovery. If the gateway has
stored a card and our save was lost, an inquiry brings the token.

What is forgotten is not charged any more from the first transaction on, whatever
the gateway says; its token is wiped when the gateway has deleted its own.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from paygate import logs
from paygate.domain.decide import Source
from paygate.domain.kind import Kind, Operation
from paygate.domain.method import Mandate, MethodChange
from paygate.domain.money import Money
from paygate.domain.payment import PaymentStatus
from paygate.errors import (
    InvalidValue,
    MethodNotUsable,
    NotEnrollable,
    PaygateError,
    UnknownGateway,
    UnknownMethod,
)
from paygate.gateway import Enrollment, Enrolls, Forgetting, StoredToken, digest_key
from paygate.ledger import actions, attempts, customers, inbox, keys, methods, stored_requests
from paygate.printing import shown
from paygate.service import collect, door, finding, keeping, merge
from paygate.service.flow import Flow, Heard, ask, intend, look, transact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.dialogue import Dialogue
    from paygate.domain.customer import Customer
    from paygate.domain.method import PaymentMethod
    from paygate.domain.outcome import Outcome
    from paygate.gateway import Method, Rail
    from paygate.ledger.attempts import AttemptRow
    from paygate.ledger.elapsed import Lease
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount, Timing

_Id = TypeVar("_Id", str, int)


class _ResealPage(Protocol[_Id]):
    """Puts a page of rows behind an id under the first key: its last id, how many, how many new."""

    def __call__(self, tx: Tx, after: _Id, limit: int) -> tuple[_Id, int, int]: ...


# No money moves, and a row wants some: none, in a currency that every ledger knows.
_NO_MONEY = Money("USD", 0)
_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be stored: the method of a token, of a payment, or of the payer's choice."""

    customer: Customer | str
    account: GatewayAccount
    key: str
    kind: Kind | None = None
    method: Method | None = None
    from_payment: str | None = None
    return_url: str = ""
    mandate: Mandate | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A stored intent; no `dialogue` where nothing is to be sent."""

    attempt: str
    operation: Operation
    dialogue: Dialogue[Outcome] | None = None
    lease: Lease | None = None
    secret: Method | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """How many tokens and callbacks were put under the first key, and how many were already."""

    rotated: int
    current: int


# --- Storing ---------------------------------------------------------------------------


def enroll(wish: Wish, timing: Timing) -> Flow[MethodChange]:
    """Store a method once, however often this is called or interrupted."""
    account = wish.account
    kind = wish.kind or _kind_of(wish)
    rail = _check(wish, kind)
    stored = yield from intend(
        lambda tx: _open(tx, wish, kind, rail, timing), lambda stored: stored.attempt
    )
    return (yield from _ask(stored, account, timing))


def _kind_of(wish: Wish) -> Kind:
    """Tell the kind of method that is meant, where the account stores one kind only."""
    account = wish.account
    stores = [
        kind for kind in account.traits.rails if account.traits.offers(kind, Operation.ENROLL)
    ]
    return stores[0] if len(stores) == 1 else account.default_kind(wish.method)


def _check(wish: Wish, kind: Kind) -> Rail:
    account = wish.account
    rail = account.traits.rails.get(kind)
    if wish.mandate is not None and rail is not None and rail.payer_present:
        raise NotEnrollable(
            f"the account {account.name!r} cannot charge by {kind} without the payer, so nothing "
            "can be collected automatically through it",
            why="payer_present",
        )
    rail = account.rail(kind, Operation.ENROLL)
    given = (wish.method is not None) + (wish.from_payment is not None)
    if given > 1 or not (given or wish.return_url):
        raise InvalidValue(
            "say what to store: method= (a one-time token), from_payment=, or neither and "
            "return_url= to let the payer enter it on the gateway's page"
        )
    if isinstance(wish.method, StoredToken):
        raise InvalidValue("a stored token is stored already")
    if wish.method is not None:
        account.check_method(rail, wish.method)
    return rail


def _open(tx: Tx, wish: Wish, kind: Kind, rail: Rail, timing: Timing) -> Stored:
    """Check and store the intent in this transaction; send nothing."""
    account, id_ = wish.account, tx.new_id("att")
    before = keys.take(tx, "enroll", wish.key, _fingerprint(wish, kind), id_)
    if before is not None:
        return Stored(attempt=before, operation=Operation.ENROLL)
    methods.vault_of(tx)
    customer = customers.find(tx, customers.save(tx, wish.customer))
    assert customer is not None, "the customer was just saved"
    account.check_payer(rail, customer)
    reference = "" if wish.from_payment is None else _reference(tx, wish, customer.id)
    mandate = None
    if wish.mandate is not None:
        mandate = methods.mandate(tx, methods.insert_mandate(tx, customer.id, wish.mandate))
    enrollment = Enrollment(
        key=digest_key(tx.tenant, "enroll", wish.key),
        our_ref=id_,
        customer=customer,
        kind=kind,
        method=wish.method,
        from_reference=reference,
        mandate=mandate,
        return_url=wish.return_url,
        currency=wish.currency,
        customer_reference=customers.reference_at(tx, customer.id, account.name),
    )
    dialogue = door.begun(partial(begin, account, enrollment))
    lease = tx.lease(timing.lease)
    _insert(
        tx,
        Operation.ENROLL,
        account,
        kind,
        id_=id_,
        key=enrollment.key,
        method=tx.new_id("met"),
        about=reference,
        plan=keeping.write_plan(customer.id, None if mandate is None else mandate.id),
        lease=lease,
        request=None if wish.method is not None else _write(enrollment),
        person=customer.id,
    )
    return Stored(
        attempt=id_,
        operation=Operation.ENROLL,
        dialogue=dialogue,
        lease=lease,
        secret=wish.method,
    )


def _reference(tx: Tx, wish: Wish, customer: str) -> str:
    """Find the gateway's name of the payment whose method is to be stored."""
    payment = finding.payment(tx, wish.from_payment or "")
    if payment.account != wish.account.name:
        raise InvalidValue(
            f"payment {payment.id} went through account {payment.account!r}; store its method there"
        )
    if customer != payment.payer:
        raise InvalidValue(
            f"payment {payment.id} was made by {payment.payer}; the method is not {customer}'s"
        )
    paid = payment.status in (PaymentStatus.SUCCEEDED, PaymentStatus.AUTHORIZED)
    if not paid or not payment.reference:
        raise NotEnrollable(
            f"payment {payment.id} is {payment.status}; only the method of one that went through "
            "can be stored",
            why="not_paid",
        )
    return payment.reference


def _fingerprint(wish: Wish, kind: Kind) -> str:
    """Tell what makes this call the same call again; a one-time token does not count."""
    customer = wish.customer if isinstance(wish.customer, str) else wish.customer.id
    return keys.fingerprint(
        customer=customer,
        account=wish.account.name,
        kind=kind,
        from_payment=wish.from_payment,
        return_url=wish.return_url,
        mandate=None if wish.mandate is None else asdict(wish.mandate),
        currency=wish.currency,
    )


def begin(account: GatewayAccount, request: Enrollment | Forgetting) -> Dialogue[Outcome]:
    """Begin to store, or to delete; the account was seen to be able to."""
    gateway = cast("Enrolls", account.gateway)
    if isinstance(request, Enrollment):
        return gateway.enroll(request)
    return gateway.forget(request)


def _write(enrollment: Enrollment) -> str:
    """Write an enrollment that carries no token as text, so that it can be sent again as it was."""
    who = enrollment.customer
    return json.dumps(
        {
            "key": enrollment.key,
            "our_ref": enrollment.our_ref,
            "customer": {"id": who.id, "zone": who.zone, **customers.contact_facts(who)},
            "kind": enrollment.kind,
            "from_reference": enrollment.from_reference,
            "mandate": None if enrollment.mandate is None else enrollment.mandate.id,
            "return_url": enrollment.return_url,
            "currency": enrollment.currency,
            "customer_reference": enrollment.customer_reference,
        }
    )


def rebuild(tx: Tx, row: AttemptRow) -> Enrollment | Forgetting | None:
    """Build the request of a stored attempt again, as it was; None where that cannot be."""
    if row.attempt.operation is Operation.FORGET:
        try:
            return _forgetting(tx, row.attempt.id, row.gateway_key, row.attempt.method)
        except PaygateError:  # the keys are missing or others; nothing can be sent here
            return None
    text = stored_requests.of_attempt(tx, row.attempt.id)
    if not text:  # there is none, or it held facts about a person that were erased
        return None
    facts: dict[str, Any] = json.loads(text)
    kind: str = facts.pop("kind")
    customer: dict[str, Any] = facts.pop("customer")
    mandate: str | None = facts.pop("mandate")
    return Enrollment(
        **facts,
        kind=Kind(kind),
        customer=customers.customer_of(customer),
        mandate=None if mandate is None else methods.mandate(tx, mandate),
    )


# --- Deleting --------------------------------------------------------------------------


def forget(
    method: str, key: str, accounts: Mapping[str, GatewayAccount], timing: Timing
) -> Flow[MethodChange]:
    """Forget a method: charge it no more, and have the gateway delete it."""
    found = yield from look(lambda tx: finding.method(tx, method))
    account = accounts.get(found.account)
    if account is None:
        raise UnknownGateway(
            f"method {found.id} is stored at account {found.account!r}, which is not configured "
            "here",
            name=found.account,
            known=sorted(accounts),
        )
    stored = yield from intend(
        lambda tx: _open_forget(tx, found, account, key, timing), lambda stored: stored.attempt
    )
    return (yield from _ask(stored, account, timing))


def _open_forget(
    tx: Tx, method: PaymentMethod, account: GatewayAccount, key: str, timing: Timing
) -> Stored:
    id_ = tx.new_id("att")
    live = _deletion(tx, method.id)
    before = keys.take(tx, "forget", key, keys.fingerprint(method=method.id), live or id_)
    if before is not None or live is not None:
        return Stored(attempt=before or live or "", operation=Operation.FORGET)
    account.rail(method.kind, Operation.FORGET)
    forgetting = _forgetting(tx, id_, digest_key(tx.tenant, "forget", key), method.id)
    dialogue = door.begun(partial(begin, account, forgetting))
    if methods.forget(tx, method.id):
        keeping.tell(tx, "method.forgotten", method.id)
    lease = tx.lease(timing.lease)
    _insert(
        tx,
        Operation.FORGET,
        account,
        method.kind,
        id_=id_,
        key=forgetting.key,
        method=method.id,
        about="",
        plan=keeping.write_plan(method.customer, method.mandate),
        lease=lease,
        request=None,
    )
    return Stored(
        attempt=id_,
        operation=Operation.FORGET,
        dialogue=dialogue,
        lease=lease,
        secret=forgetting.token,
    )


def _deletion(tx: Tx, method: str) -> str | None:
    """Find the deletion that is under way, or done; one that failed may be tried anew."""
    for row in reversed(attempts.of_method(tx, method)):
        if row.attempt.operation is Operation.FORGET:
            return None if row.attempt.state.closed else row.attempt.id
    return None


def _forgetting(tx: Tx, id_: str, key: str, method: str) -> Forgetting:
    return Forgetting(key=key, our_ref=id_, token=collect.take_out(tx, method))


# --- Both ------------------------------------------------------------------------------


def _insert(
    tx: Tx,
    operation: Operation,
    account: GatewayAccount,
    kind: Kind,
    *,
    id_: str,
    key: str,
    method: str,
    about: str,
    plan: str,
    lease: Lease,
    request: str | None,
    person: str = "",
) -> None:
    attempts.insert(
        tx,
        id_=id_,
        payment=None,
        method=method,
        operation=operation,
        account=account.name,
        kind=kind,
        driver=account.gateway.name,
        driver_version=account.traits.driver_version,
        livemode=account.traits.live,
        merchant_account=account.traits.merchant_account,
        gateway_key=key,
        amount=_NO_MONEY,
        lease=lease,
        about=about,
        method_plan=plan,
        request=request,
        person=person,
    )


def _ask(stored: Stored, account: GatewayAccount, timing: Timing) -> Flow[MethodChange]:
    if stored.dialogue is not None:
        heard = Heard()
        answer = yield from ask(
            account.name,
            stored.dialogue,
            door=door.outcome(account, stored.operation),
            hidden=account.hidden.of(stored.secret),
            about=logs.About(
                account=account.name, attempt=stored.attempt, operation=stored.operation.value
            ),
            heard=heard,
            lease=stored.lease,
            all_matter=True,
        )
        reading = merge.Reading(source=Source.RESPONSE, request_id=heard.request_id, timing=timing)
        yield from merge.merge_any(stored.attempt, answer, reading)
    return (yield from look(lambda tx: change_of(tx, stored.attempt)))


def change_of(tx: Tx, attempt: str) -> MethodChange:
    """Read how storing, or deleting, a method stands; raises `UnknownMethod`."""
    row = attempts.by_id(tx, attempt)
    if row is None or row.attempt.payment:
        raise UnknownMethod(f"nothing was stored or deleted under the id {shown(attempt)}")
    one = row.attempt
    return MethodChange(
        id=one.id,
        operation=one.operation,
        customer=keeping.read_plan(row)["customer"],
        account=one.account,
        kind=row.kind,
        state=one.state,
        method=methods.by_id(tx, one.method),
        created_at=one.created_at,
        reference=one.reference,
        code=one.code,
        raw_code=one.raw_code,
        reason=one.reason,
        retryable=row.attempt.retryable,
        action=row.action,
        expires_at=row.expires_at,
        needs_review=one.needs_review,
    )


def set_default(method: str) -> Flow[PaymentMethod]:
    """Make *method* the default one of its customer."""

    def work(tx: Tx) -> PaymentMethod:
        found = finding.method(tx, method)
        if found.forgotten_at is not None:
            raise MethodNotUsable(f"method {method} was forgotten", method=method, why="forgotten")
        if not found.is_default:
            methods.set_default(tx, found)
            keeping.tell(tx, "method.default_set", method)
        return finding.method(tx, method)

    return (yield from transact(work))


def rotate() -> Flow[Rotated]:
    """
    Put tokens, secrets of actions and what callbacks said under the first key, page by page.

    Stopped anywhere, it leaves what all keys together open; run again, it does the
    rest.
    """
    tokens = yield from _reseal(methods.reseal_page, "")
    told = yield from _reseal(inbox.reseal_page, 0)
    secrets = yield from _reseal(actions.reseal_page, "")
    each = (tokens, told, secrets)
    return Rotated(
        rotated=sum(one.rotated for one in each), current=sum(one.current for one in each)
    )


def _reseal(reseal_page: _ResealPage[_Id], after: _Id) -> Flow[Rotated]:
    seen, rotated = 0, 0
    while True:
        work = partial(reseal_page, after=after, limit=_PAGE)
        after, found, changed = yield from transact(work)
        seen, rotated = seen + found, rotated + changed
        if found < _PAGE:
            return Rotated(rotated=rotated, current=seen - rotated)
