"""What is swept: every flow, with what was before it, and what the host does after a crash."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from paygate import Cashier, Kind, Mandate, OperationResult, Payment, Prepayment
from paygate.domain.attempt import AttemptState
from paygate.domain.payment import PaymentStatus
from paygate.errors import (
    AlreadyFinal,
    AlreadyPaid,
    NothingToAssign,
    PrepaymentReplaced,
    Refused,
)
from paygate.gateway import CallbackStyle, InquiryBy, Keyed, NotIdempotent
from paygate.service.account import Timing
from paygate.testing import Habits
from tests.service.world import BACK, PAYER, usd
from tests.sweep.world import LATE, InMemory

Act = Callable[[InMemory, Cashier, str], Any]
Given = Callable[[InMemory, Cashier], Any]

DAY = Keyed(ttl=timedelta(hours=24))
PROFILES: dict[str, dict[str, Any]] = {
    "keyed": {"idempotency": DAY},
    "not idempotent": {"idempotency": NotIdempotent()},
    "keyed, cannot be asked": {"idempotency": DAY, "inquiry": InquiryBy.NONE},
    "not idempotent, cannot be asked": {
        "idempotency": NotIdempotent(),
        "inquiry": InquiryBy.NONE,
    },
    "asked by its own name": {
        "idempotency": NotIdempotent(),
        "inquiry": InquiryBy.GATEWAY_REF,
    },
}
SURE = ("keyed", "not idempotent")
"""Here everything can be found out, and no person is needed."""

_MONEY = frozenset({"charge", "charge a stored method", "capture", "void a charge", "refund"})
UNSURE: dict[str, frozenset[str]] = {
    "keyed, cannot be asked": _MONEY,
    "not idempotent, cannot be asked": _MONEY,
    "asked by its own name": frozenset({"charge", "charge an e-check"}),
}
"""Elsewhere a person may be needed; the stories that end there all the same."""


def nothing(world: InMemory, cashier: Cashier) -> None:
    """Give nothing, or do nothing afterwards."""


@dataclass(frozen=True)
class Story:
    """
    A flow, and how it is told to its end; `sends` where the wire can fail it.

    It ends as the story that it is *like*, if it is like another.
    """

    name: str
    act: Act
    given: Given = nothing
    then: Given = nothing
    like: str = ""
    sends: bool = True
    traits: dict[str, Any] = field(default_factory=dict[str, Any], hash=False)
    timing: Timing = field(default_factory=lambda: Timing(feed_pause=None))


def build(story: Story, profile: str) -> InMemory:
    world = InMemory(timing=story.timing)
    traits = {**PROFILES[profile], **story.traits}
    # Pages and holds outlive the plan of inquiries, or they would end while nobody looks.
    patient: dict[str, Any] = {
        "page_expires_after": timedelta(days=60),
        "hold_expires_after": timedelta(days=60),
        "voidable_for": timedelta(days=40),
        "late_after": LATE,
    }
    for name, kind in (("card", Kind.CARD), ("e_check", Kind.E_CHECK), ("redirect", Kind.REDIRECT)):
        world.add(name, kind, habits=Habits(**patient), **traits)
    approves = Habits(needs_complete=True, **patient)
    world.add("page", Kind.REDIRECT, habits=approves, **traits)
    return world


# --- What was before --------------------------------------------------------------------------


def issue(cashier: Cashier, number: str = "INV-1", total: str = "30.00") -> None:
    cashier.issue(number=number, customer=PAYER, total=usd(total), due="2026-02-01")


def given_invoice(world: InMemory, cashier: Cashier) -> None:
    issue(cashier)


def given_link(world: InMemory, cashier: Cashier) -> None:
    issue(cashier)
    link = cashier.link("INV-1", key="link")
    assert link.token is not None
    world.known |= {"link": link.id, "token": link.token.reveal()}


def given_credit(world: InMemory, cashier: Cashier) -> None:
    issue(cashier)
    for number, amount in enumerate(("4.00", "6.00")):
        cashier.record([], customer=PAYER, amount=usd(amount), by="cash", key=f"credit-{number}")
        world.clock.advance(seconds=1)


def given_credit_used(world: InMemory, cashier: Cashier) -> None:
    given_credit(world, cashier)
    world.known["use"] = cashier.pay_from_credit("INV-1", key="use", amount=usd("7.00")).id


def given_check(world: InMemory, cashier: Cashier) -> None:
    issue(cashier)
    issue(cashier, "INV-2", "12.50")
    check = cashier.record(["INV-1", "INV-2"], by="check", key="check", amount=usd("60.00"))
    world.known["check"] = check.id


def given(verb: str, via: str = "card", **more: Any) -> Given:
    """Give an invoice, and a payment of it named "paid"."""

    def work(world: InMemory, cashier: Cashier) -> None:
        issue(cashier)
        wanted: dict[str, Any] = {"method": "tok_visa", "payer": PAYER} | more
        if via in ("redirect", "page"):
            wanted = wanted | {"method": None, "return_url": BACK}
        if "credit" in more:
            cashier.record([], customer=PAYER, amount=usd("8.00"), by="cash", key="credit")
        paid = getattr(cashier, verb)("INV-1", via=via, key="before", **wanted)
        world.known["paid"] = paid.id

    return work


def given_method(world: InMemory, cashier: Cashier) -> None:
    issue(cashier)
    mandate = Mandate(text_version="1", accepted_at=world.clock.now())
    change = cashier.enroll(PAYER, via="card", method="tok_visa", key="before", mandate=mandate)
    assert change.method is not None
    world.known["method"] = change.method.id


def given_superseded_approval(world: InMemory, cashier: Cashier) -> None:
    given("collect", "page")(world, cashier)
    world.fakes["page"].pay(cashier.payment(world.known["paid"]).reference)
    cashier.collect("INV-1", via="card", method="tok_visa", key="other", payer=PAYER)


def given_paid_page(*, times: int = 1, late: bool = False) -> Given:
    def work(world: InMemory, cashier: Cashier) -> None:
        given("collect", "redirect")(world, cashier)
        page = cashier.payment(world.known["paid"]).reference
        if late:
            world.clock.advance(timedelta(days=61))
            cashier.recover()
            assert cashier.payment(world.known["paid"]).status is PaymentStatus.EXPIRED
        for _ in range(times):
            world.fakes["redirect"].pay(page)

    return work


def given_failed_try(world: InMemory, cashier: Cashier) -> None:
    given("collect", "redirect")(world, cashier)
    page = cashier.payment(world.known["paid"]).reference
    world.fakes["redirect"].decline_try(page)
    world.fakes["redirect"].pay(page)


def given_dispute(world: InMemory, cashier: Cashier) -> None:
    given("collect")(world, cashier)
    world.fakes["card"].dispute(cashier.payment(world.known["paid"]).reference)


def given_settled_check(world: InMemory, cashier: Cashier) -> None:
    given("collect", "e_check", method="tok_bank", credit=usd("8.00"))(world, cashier)
    world.clock.advance(timedelta(days=4))
    cashier.recover()
    assert cashier.payment(world.known["paid"]).status is PaymentStatus.SUCCEEDED
    world.fakes["e_check"].return_check(cashier.payment(world.known["paid"]).reference)


def given_check_on_its_way(world: InMemory, cashier: Cashier) -> None:
    given("collect", "e_check", method="tok_bank")(world, cashier)
    world.clock.advance(timedelta(days=4))
    world.fakes["e_check"].advance(timedelta())


def issue_keyed(cashier: Cashier, number: str, total: str = "30.00") -> None:
    cashier.issue(
        number=number, customer=PAYER, total=usd(total), due="2026-02-01", assignment_key="O-1"
    )


def prepaid(cashier: Cashier) -> Prepayment:
    return cashier.prepay(PAYER, usd("30.00"), assignment_key="O-1", key="entry")


def given_prepaid_on_its_way(world: InMemory, cashier: Cashier) -> None:
    paid = cashier.collect(
        prepaid(cashier), via="e_check", method="tok_bank", key="before", payer=PAYER
    )
    world.known["paid"] = paid.id


def given_invoice_and_waiting_money(world: InMemory, cashier: Cashier) -> None:
    issue_keyed(cashier, "INV-1", "20.00")
    world.known["check"] = cashier.record("INV-1", by="check", key="check").id
    cashier.record(prepaid(cashier), by="cash", key="cash")


# --- What is done -----------------------------------------------------------------------------


def collect(via: str = "card", method: str | None = "tok_visa", **more: Any) -> Act:
    def act(world: InMemory, cashier: Cashier, key: str) -> Payment:
        wanted: dict[str, Any] = {"payer": PAYER, "method": method} | more
        if method is None:
            wanted["return_url"] = BACK
        return cashier.collect("INV-1", via=via, key=key, **wanted)

    return act


def send_form(world: InMemory, cashier: Cashier, key: str) -> Payment:
    """Send the form of a link; its payer gets another form for another *key*."""
    known = world.known
    if key not in known:
        known[key] = cashier.begin_try(known["link"]).value
    return cashier.pay_link(known["token"], given=known[key], via="card", method="tok_visa")


def authorize(world: InMemory, cashier: Cashier, key: str) -> Payment:
    return cashier.authorize("INV-1", via="card", method="tok_visa", key=key)


def of_paid(verb: str, **more: Any) -> Act:
    def act(world: InMemory, cashier: Cashier, key: str) -> Any:
        return getattr(cashier, verb)(world.known["paid"], key=key, **more)

    return act


def both(first: Act, second: Act) -> Act:
    """
    Do *second* at once after *first*, as a second click does.

    Where the first went through, or may have, the second is to be refused.
    """

    def act(world: InMemory, cashier: Cashier, key: str) -> Any:
        told = first(world, cashier, key)
        paid = told.payment if isinstance(told, OperationResult) else told
        if not cashier.attempts(paid)[-1].state.ended:
            with suppress(Refused):
                second(world, cashier, f"{key}, again")
        return told

    return act


def capture_after_void(world: InMemory, cashier: Cashier, key: str) -> Any:
    told = cashier.cancel(world.known["paid"], key=key).payment
    if cashier.attempts(told)[-1].state is AttemptState.UNKNOWN:
        with suppress(Refused):
            cashier.capture(told, key=f"{key}, again")
    return told


def write_off(amount: str) -> Act:
    def act(world: InMemory, cashier: Cashier, key: str) -> Any:
        return cashier.write_off("INV-1", reason="goodwill", key="write-off", amount=usd(amount))

    return act


def issue_again(world: InMemory, cashier: Cashier, key: str) -> None:
    issue(cashier)


def use_credit(world: InMemory, cashier: Cashier, key: str) -> None:
    cashier.pay_from_credit("INV-1", key="use")


def undo_use(world: InMemory, cashier: Cashier, key: str) -> None:
    cashier.undo_credit_use(world.known["use"])


def void_invoice(world: InMemory, cashier: Cashier, key: str) -> None:
    cashier.void("INV-1", reason="issued twice")


def undo_write_off(world: InMemory, cashier: Cashier, key: str) -> None:
    cashier.undo_write_off(write_off("5.00")(world, cashier, key))


def reverse(world: InMemory, cashier: Cashier, key: str) -> None:
    cashier.reverse(
        world.known["check"], reason="returned", fee=usd("25.00"), bank_charge=usd("7.00")
    )


def assign(world: InMemory, cashier: Cashier, key: str) -> None:
    with suppress(NothingToAssign, AlreadyPaid):
        cashier.assign(world.known["paid"], ["INV-1"], reason="as the payer said")


def record(world: InMemory, cashier: Cashier, key: str) -> None:
    cashier.record("INV-1", by="check", key="check", amount=usd("50.00"), reference="1042")


def enroll(world: InMemory, cashier: Cashier, key: str) -> Any:
    return cashier.enroll(PAYER, via="card", method="tok_visa", key=key)


def forget(world: InMemory, cashier: Cashier, key: str) -> Any:
    return cashier.forget_method(world.known["method"], key=key)


def charge_stored(world: InMemory, cashier: Cashier, key: str) -> Payment:
    [method] = [m for m in cashier.methods(PAYER) if m.id == world.known["method"]]
    return cashier.collect("INV-1", via="card", method=method, key=key, payer_present=False)


def pay_and_save(world: InMemory, cashier: Cashier, key: str) -> Payment:
    return cashier.collect(
        "INV-1", via="card", method="tok_visa", key=key, payer=PAYER, save_method=True
    )


def charge_prepaid(world: InMemory, cashier: Cashier, key: str) -> Payment:
    return cashier.collect(prepaid(cashier), via="card", method="tok_visa", key=key, payer=PAYER)


def prepay_alongside(world: InMemory, cashier: Cashier, key: str) -> None:
    """The invoice is there already, so it is paid, and the prepayment cannot be."""
    issue_keyed(cashier, "INV-1")
    made = prepaid(cashier)
    with suppress(PrepaymentReplaced):
        cashier.collect(made, via="card", method="tok_visa", key="beside", payer=PAYER)
    with suppress(AlreadyPaid):
        cashier.record("INV-1", by="check", key="check")


def correct_the_invoice(world: InMemory, cashier: Cashier, key: str) -> None:
    """The wrong invoice meets the payment on its way, and is voided when that has ended."""
    issue_keyed(cashier, "WRONG", "25.00")
    world.clock.advance(timedelta(days=4))
    cashier.recover()
    if cashier.invoice("WRONG").claimed_by:
        return  # nobody knows yet; the void would be refused
    cashier.void("WRONG", reason="wrong")
    issue_keyed(cashier, "RIGHT")


def bounce(world: InMemory, cashier: Cashier, key: str) -> None:
    cashier.reverse(world.known["check"], reason="returned")


def deliver(*, backwards: bool = False) -> Act:
    def act(world: InMemory, cashier: Cashier, key: str) -> None:
        world.deliver(cashier, backwards=backwards)
        cashier.recover()
        for _ in range(7):  # what came too early is tried again
            world.clock.advance(timedelta(hours=4))
            cashier.recover()

    return act


def ask_and_hear(world: InMemory, cashier: Cashier, key: str) -> None:
    cashier.inquire(world.known["paid"])
    deliver()(world, cashier, key)


def read_feeds(world: InMemory, cashier: Cashier, key: str) -> None:
    world.clock.advance(timedelta(minutes=6))  # longer than the lease of a reader that died
    cashier.read_feeds()
    cashier.recover()


def publish(world: InMemory, cashier: Cashier, key: str) -> None:
    world.clock.advance(timedelta(minutes=6))
    cashier.subscribe("crm", world.hear)
    cashier.publish()


def resolve(world: InMemory, cashier: Cashier, key: str) -> None:
    from paygate.domain.movement import Movement
    from paygate.domain.outcome import Approved

    [entry] = world.fakes["card"].processor.journal
    paid = Approved(movements=(Movement(movement_id=entry.movement_id, amount=entry.amount),))
    with suppress(AlreadyFinal):
        cashier.resolve(world.known["paid"], paid, evidence="their dashboard")


def recover(world: InMemory, cashier: Cashier, key: str) -> None:
    world.clock.advance(timedelta(minutes=2))
    cashier.recover()


def payer_pays(world: InMemory, cashier: Cashier) -> None:
    for payment in cashier.payments():
        if payment.status is PaymentStatus.REQUIRES_ACTION:
            # He pays once, however often our processes die while they hear of it.
            if payment.id not in world.known:
                world.known[payment.id] = "paid by the payer"
                world.fakes[payment.account].pay(payment.reference)
            if payment.account == "page":
                cashier.complete(payment)
            cashier.inquire(payment)


def capture_rest(world: InMemory, cashier: Cashier) -> None:
    payment = cashier.payment(world.known["paid"])
    if payment.status is PaymentStatus.AUTHORIZED:
        cashier.capture(payment, key="last")


def approve(world: InMemory, cashier: Cashier) -> None:
    given("collect", "page")(world, cashier)
    world.fakes["page"].pay(cashier.payment(world.known["paid"]).reference)


AUTHORISED = given("authorize", payer=PAYER)

STORIES = [
    Story("charge", collect(), given_invoice),
    Story("charge with credit", collect(credit=usd("5.00")), given_credit),
    Story("charge more than is open", collect(amount=usd("50.00")), given_invoice),
    Story("charge an e-check", collect("e_check", "tok_bank"), given_invoice),
    Story("pay by a link", send_form, given_link),
    Story("show a page", collect("redirect", None), given_invoice, payer_pays),
    Story("show a page to complete", collect("page", None), given_invoice, payer_pays),
    Story("charge a stored method", charge_stored, given_method),
    Story("charge and save", pay_and_save, given_invoice),
    Story("pay in two tabs", both(collect(), collect()), given_invoice),
    Story("pay, and write off", both(collect(), write_off("5.00")), given_invoice),
    Story("authorise", authorize, given_invoice),
    Story("capture", of_paid("capture"), AUTHORISED),
    Story(
        "capture in parts",
        of_paid("capture", amount=usd("10.00"), final=False),
        AUTHORISED,
        capture_rest,
    ),
    Story(
        "capture twice",
        both(
            of_paid("capture", amount=usd("20.00"), final=False),
            of_paid("capture", amount=usd("20.00"), final=False),
        ),
        AUTHORISED,
        capture_rest,
    ),
    Story("void an authorisation", of_paid("cancel"), AUTHORISED),
    Story("void, and capture", capture_after_void, AUTHORISED),
    Story("void a charge", of_paid("cancel"), given("collect")),
    Story("refund", of_paid("refund", amount=usd("10.00"), to="reopen"), given("collect")),
    Story(
        "refund from credit",
        of_paid("refund", amount=usd("15.00"), to="from_credit"),
        given("collect", amount=usd("50.00")),
    ),
    Story(
        "refund twice",
        both(of_paid("refund", amount=usd("20.00")), of_paid("refund", amount=usd("20.00"))),
        given("collect"),
    ),
    Story("complete", of_paid("complete"), approve),
    Story("withdraw", of_paid("withdraw_page"), given("collect", "redirect")),
    Story("enroll", enroll, given_invoice),
    Story("forget", forget, given_method),
    Story("recover", recover, given("collect", method="tok_unknown_executed")),
    Story("resolve", resolve, given("collect", method="tok_unknown_executed"), sends=False),
    Story("issue", issue_again, sends=False),
    Story("record", record, given_invoice, sends=False),
    Story("write off", write_off("5.00"), given_invoice, sends=False),
    Story("undo a write-off", undo_write_off, given_invoice, sends=False),
    Story(
        "use credit",
        use_credit,
        given_credit,
        sends=False,
    ),
    Story(
        "undo a use of credit",
        undo_use,
        given_credit_used,
        sends=False,
    ),
    Story("reverse with fee", reverse, given_check, sends=False),
    Story(
        "assign",
        assign,
        given("collect", method="tok_other_amount"),
        sends=False,
    ),
    Story(
        "void an invoice",
        void_invoice,
        given_check,
        sends=False,
    ),
    Story("charge a prepayment", charge_prepaid),
    Story("prepay alongside an invoice", prepay_alongside, sends=False),
    Story("correct an invoice", correct_the_invoice, given_prepaid_on_its_way, sends=False),
    Story(
        "a check of a prepaid invoice bounces", bounce, given_invoice_and_waiting_money, sends=False
    ),
    Story("publish", publish, given("collect"), sends=False),
]

CALLBACKS = [
    Story("a page is paid", deliver(), given_paid_page(), sends=False),
    Story("a page is paid twice", deliver(), given_paid_page(times=2), sends=False),
    Story(
        "a page is paid twice, and asked about",
        ask_and_hear,
        given_paid_page(times=2),
        like="a page is paid twice",
        sends=False,
    ),
    Story("a page is paid too late", deliver(), given_paid_page(late=True), sends=False),
    Story("a try failed before", deliver(), given_failed_try, sends=False),
    Story(
        "a try failed before, told backwards",
        deliver(backwards=True),
        given_failed_try,
        like="a try failed before",
        sends=False,
    ),
    Story("a charge is disputed", deliver(), given_dispute, sends=False),
    Story("an e-check settles", deliver(), given_check_on_its_way, sends=False),
    Story(
        "an e-check settles, told backwards",
        deliver(backwards=True),
        given_check_on_its_way,
        like="an e-check settles",
        sends=False,
    ),
    Story("an e-check comes back", deliver(), given_settled_check, sends=False),
    Story("a payer approved", deliver(), approve),
    Story("a payer approved what is superseded", deliver(), given_superseded_approval, sends=False),
    Story(
        "a kiosk is paid",
        deliver(),
        given_paid_page(),
        sends=False,
        traits={"callbacks": CallbackStyle.ANSWERED},
    ),
    Story("a feed tells of a dispute", read_feeds, given_dispute, sends=False),
]
BY_NAME = {story.name: story for story in (*STORIES, *CALLBACKS)}
