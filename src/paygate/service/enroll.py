"""Enroll and forget: store a payer's method at the gateway, and delete it there again.

Both are attempts on a method, without a payment: stored before anything is sent, asked once,
merged, and followed up by recovery. If the gateway has stored a card and our save was lost, an
inquiry returns the token.

A forgotten method is not charged any more from the first transaction on, whatever the gateway
answers; its token is wiped when the gateway has deleted its own.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from paygate import logs
from paygate.domain.decide import Source
from paygate.domain.kind import Kind, Operation
from paygate.domain.mandate import Mandate
from paygate.domain.method import MethodRequest
from paygate.domain.money import Money
from paygate.domain.payment import PaymentStatus
from paygate.errors import GatewayNotFound, InvalidValue, MethodNotUsable, NotEnrollable
from paygate.gateway import Enrollment, Forgets, StoredToken, digest_key
from paygate.ledger import (
    account_settings,
    actions,
    attempts,
    customers,
    holding,
    inbox,
    keys,
    mandates,
    methods,
)
from paygate.service import agreements, dialogues, door, finding, keeping, merge, requests
from paygate.service.asking import Heard, ask
from paygate.service.flow import Flow, intend, look, transact
from paygate.service.reading import AnswerSource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.dialogue import Dialogue
    from paygate.domain.customer import Customer
    from paygate.domain.method import PaymentMethod
    from paygate.domain.outcome import Outcome
    from paygate.gateway import Method, Rail
    from paygate.ledger.elapsed import Lease
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount, Timing

_Id = TypeVar("_Id", str, int)


class _ResealPage(Protocol[_Id]):
    """Seals the rows after an id with the first key: the last id, how many, how many changed."""

    def __call__(self, tx: Tx, after: _Id, limit: int) -> tuple[_Id, int, int]: ...


# No money moves, but an attempt has an amount: zero, in a currency that every ledger knows.
_NO_MONEY = Money("USD", 0)
_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrollOrder:
    """The method to store: that of a token, of a payment, or of the payer's choice on a page."""

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
class StoredEnrollment:
    """A stored intent; `dialogue` is None if nothing is sent."""

    attempt: str
    operation: Operation
    dialogue: Dialogue[Outcome] | None = None
    lease: Lease | None = None
    secret: Method | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """How many stored secrets were sealed again with the first key, and how many had it already."""

    rotated: int
    current: int


# --- Storing ---------------------------------------------------------------------------


def enroll(wish: EnrollOrder, timing: Timing) -> Flow[MethodRequest]:
    """Store a method once, even if this is called again or interrupted."""
    account = wish.account
    kind = wish.kind or _kind_of(wish)
    rail = _check(wish, kind)
    stored = yield from intend(
        lambda tx: _open(tx, wish, kind, rail, timing), lambda stored: stored.attempt
    )
    return (yield from _ask(stored, account, timing))


def _kind_of(wish: EnrollOrder) -> Kind:
    """Return the only kind of method that the account stores, or the kind of the method."""
    account = wish.account
    stores = [kind for kind in account.traits.rails if account.offers(kind, Operation.ENROLL)]
    return stores[0] if len(stores) == 1 else account.default_kind(wish.method)


def _check(wish: EnrollOrder, kind: Kind) -> Rail:
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
            "pass what to store: method= (a one-time token), from_payment=, or neither and "
            "return_url= to let the payer enter it on the gateway's page"
        )
    if isinstance(wish.method, StoredToken):
        raise InvalidValue("the token is of a stored method; it need not be stored again")
    if wish.method is not None:
        account.check_method(rail, wish.method)
    return rail


def _open(tx: Tx, wish: EnrollOrder, kind: Kind, rail: Rail, timing: Timing) -> StoredEnrollment:
    """Check and store the intent in this transaction; send nothing."""
    finding.hold(tx, (), wish.customer)
    account, id_ = wish.account, tx.new_id("att")
    before = keys.take(tx, "enroll", wish.key, _fingerprint(wish, kind), id_)
    if before is not None:
        return StoredEnrollment(attempt=before, operation=Operation.ENROLL)
    account.check_enabled()
    methods.vault_of(tx)
    customer = customers.find(tx, customers.save(tx, wish.customer))
    assert customer is not None, "the customer was just saved"
    account.check_payer(rail, customer)
    reference = "" if wish.from_payment is None else _reference(tx, wish, customer.id)
    mandate = None
    if wish.mandate is not None:
        mandate = mandates.by_id(tx, mandates.insert(tx, customer.id, wish.mandate))
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
    dialogue = door.begun(partial(dialogues.begin_method_change, account.gateway, enrollment))
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
        request=None if wish.method is not None else requests.write_enrollment(enrollment),
        person=customer.id,
    )
    return StoredEnrollment(
        attempt=id_,
        operation=Operation.ENROLL,
        dialogue=dialogue,
        lease=lease,
        secret=wish.method,
    )


def _reference(tx: Tx, wish: EnrollOrder, customer: str) -> str:
    """Return the gateway's reference of the payment whose method is to be stored."""
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
            f"payment {payment.id} is {payment.status}; only the method of a successful payment "
            "can be stored",
            why="not_paid",
        )
    return payment.reference


def _fingerprint(wish: EnrollOrder, kind: Kind) -> str:
    """Return what identifies a repetition of this call; a one-time token is not part of it."""
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


# --- Deleting --------------------------------------------------------------------------


def forget(
    method: str,
    key: str,
    accounts: Mapping[str, GatewayAccount],
    timing: Timing,
    *,
    by: str | None = None,
) -> Flow[MethodRequest]:
    """
    Forget a method: stop charging it, and have the gateway delete it.

    With *by*, another method of the customer takes its place, in the same transaction.
    """
    found = yield from look(lambda tx: finding.method(tx, method))
    account = accounts.get(found.account)
    if account is None:
        raise GatewayNotFound(
            f"method {found.id} is stored at account {found.account!r}, which is not configured "
            "here",
            name=found.account,
            known=sorted(accounts),
        )
    stored = yield from intend(
        lambda tx: _open_forget(tx, found, account, key, timing, by),
        lambda stored: stored.attempt,
    )
    return (yield from _ask(stored, account, timing))


def _open_forget(
    tx: Tx, method: PaymentMethod, account: GatewayAccount, key: str, timing: Timing, by: str | None
) -> StoredEnrollment:
    holding.hold_method(tx, method.id)
    if by is not None:
        agreements.check_replacement(tx, method.id, by)
    id_ = tx.new_id("att")
    live = _deletion(tx, method.id)
    before = keys.take(tx, "forget", key, _forgetting(method.id, by), live or id_)
    if before is not None or live is not None:
        return StoredEnrollment(attempt=before or live or "", operation=Operation.FORGET)
    if isinstance(account.gateway, Forgets):
        account.rail(method.kind, Operation.FORGET)
    forgetting = requests.forgetting(tx, id_, digest_key(tx.tenant, "forget", key), method.id)
    dialogue = door.begun(partial(dialogues.begin_method_change, account.gateway, forgetting))
    if by is not None:
        agreements.replaced(tx, method.id, by)
    if methods.forget(tx, method.id):
        keeping.emit(tx, "method.forgotten", method.id)
        agreements.after_forgotten(tx, method.customer)
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
    return StoredEnrollment(
        attempt=id_,
        operation=Operation.FORGET,
        dialogue=dialogue,
        lease=lease,
        secret=forgetting.token,
    )


def _forgetting(method: str, by: str | None) -> str:
    """Return what identifies a repetition of this call."""
    if by is None:
        return keys.fingerprint(method=method)
    return keys.fingerprint(method=method, by=by)


def _deletion(tx: Tx, method: str) -> str | None:
    """Return the deletion that is under way or done; a failed one may be tried again."""
    for row in reversed(attempts.of_method(tx, method)):
        if row.attempt.operation is Operation.FORGET:
            return None if row.attempt.state.ended else row.attempt.id
    return None


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


def _ask(stored: StoredEnrollment, account: GatewayAccount, timing: Timing) -> Flow[MethodRequest]:
    if stored.dialogue is not None:
        heard = Heard()
        answer = yield from ask(
            account.name,
            stored.dialogue,
            what=stored.operation.value,
            door=door.outcome(account, stored.operation),
            hidden=account.hidden.of(stored.secret),
            about=logs.About(
                account=account.name, attempt=stored.attempt, operation=stored.operation.value
            ),
            heard=heard,
            lease=stored.lease,
            all_matter=True,
        )
        reading = AnswerSource(source=Source.RESPONSE, request_id=heard.request_id, timing=timing)
        yield from merge.merge_any(stored.attempt, answer, reading)
    return (yield from look(lambda tx: keeping.change_of(tx, stored.attempt)))


def set_default(method: str) -> Flow[PaymentMethod]:
    """Make *method* the default method of its customer."""

    def work(tx: Tx) -> PaymentMethod:
        holding.hold_method(tx, method)
        found = finding.method(tx, method)
        if found.forgotten_at is not None:
            raise MethodNotUsable(f"method {method} was forgotten", method=method, why="forgotten")
        if not found.is_default:
            methods.set_default(tx, found)
            keeping.emit(tx, "method.default_set", method)
        return finding.method(tx, method)

    return (yield from transact(work))


def rotate() -> Flow[Rotated]:
    """
    Seal tokens, secrets of actions, callbacks and settings with the first key, page by page.

    If it is interrupted, all keys together still open everything, and the next run does the rest.
    """
    tokens = yield from _reseal(methods.reseal_page, "")
    callbacks = yield from _reseal(inbox.reseal_page, 0)
    secrets = yield from _reseal(actions.reseal_page, "")
    settings = yield from _reseal(account_settings.reseal_page, "")
    each = (tokens, callbacks, secrets, settings)
    return Rotated(
        rotated=sum(one.rotated for one in each), current=sum(one.current for one in each)
    )


def _reseal(reseal_page: _ResealPage[_Id], after: _Id) -> Flow[Rotated]:
    seen, rotated = 0, 0
    while True:
        work = partial(_reseal_page, reseal_page, after=after)
        after, found, changed = yield from transact(work)
        seen, rotated = seen + found, rotated + changed
        if found < _PAGE:
            return Rotated(rotated=rotated, current=seen - rotated)


def _reseal_page(reseal_page: _ResealPage[_Id], tx: Tx, *, after: _Id) -> tuple[_Id, int, int]:
    """
    Re-encrypt a page under the first key, with the whole ledger locked.

    So no secret overwrites a newer one, and no row is skipped because its transaction drew a lower
    number but was committed later.
    """
    holding.hold_ledger(tx)
    return reseal_page(tx, after=after, limit=_PAGE)
