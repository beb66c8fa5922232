"""Merchants share a ledger file and see nothing of each other: every verb, every id."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from paygate import Cashier, Customer, Document, Event, Kind, Mandate, Merchants, Money, Timing
from paygate.cashier.verbs import each_verb
from paygate.domain.mandate import MandateScope
from paygate.domain.outcome import Approved, Ended, Ending
from paygate.domain.payable import Share
from paygate.errors import PaygateError, PaymentNotFound
from paygate.gateway import Gateway
from paygate.testing import FakeClock, FakeGateway
from tests.support.statements import entry, statement

CANCELED = Ended(how=Ending.CANCELED)
BACK = "https://shop.example/back"


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


@dataclass(frozen=True, kw_only=True)
class Names:
    """What a merchant could call records of another one by, or records that nobody has."""

    invoice: str = "inv_of_nobody"
    prepayment: str = "ppy_of_nobody"
    number: str = "N-none"
    payment: str = "pay_of_nobody"
    attempt: str = "att_of_nobody"
    page: str = "pay_page_of_nobody"
    held: str = "pay_held_of_nobody"
    recorded: str = "pay_recorded_of_nobody"
    refund: str = "rcp_refund_of_nobody"
    by_credit: str = "pay_by_credit_of_nobody"
    unknown: str = "pay_unknown_of_nobody"
    method: str = "met_of_nobody"
    change: str = "chg_of_nobody"
    write_off: str = "wof_of_nobody"
    customer: str = "C-none"
    key: str = "key-of-nobody"
    reference: str = "0000-0000"
    callback: int = 4_000_000
    payer_number: str = "VA-of-nobody"
    bank: str = "bank-of-nobody"
    bank_line: str = "bln_of_nobody"
    bank_statement: str = "stm_of_nobody"
    api_key: str = "key_of_nobody"
    secret: str = "pgk_" + "A" * 43
    stored: str = "account-of-nobody"
    link: str = "lnk_of_nobody"
    commitment: str = "com_of_nobody"
    token: str = "AAAAAAAAAAAAAAAAAAAAAA"
    paid_token: str = "BBBBBBBBBBBBBBBBBBBBBA"
    given: str = "try_of_nobody.3000.1767268800.AAAAAAAAAAAAAAAAAAAAAA"


@dataclass(frozen=True)
class Two:
    """Two merchants of one file: the names of what the north has, and the south's till."""

    north: Cashier
    south: Cashier
    names: Names
    file: Path

    def books(self) -> list[Any]:
        """Return every row that is the north's."""
        connection = sqlite3.connect(self.file)
        tables = [
            row[0]
            for row in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND EXISTS "
                "(SELECT 1 FROM pragma_table_info(name) WHERE name = 'tenant') ORDER BY name"
            )
        ]
        rows = [
            row
            for table in tables
            for row in connection.execute(f"SELECT * FROM {table} WHERE tenant = 'north'")  # noqa: S608
        ]
        connection.close()
        return rows


@pytest.fixture(name="two", params=["a cashier each", "one cashier for all"])
def two_(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Two]:
    clock, key, file = FakeClock(), Fernet.generate_key(), tmp_path / "ledger.db"
    gateways: dict[str, Gateway] = {
        "card": FakeGateway(Kind.CARD, clock=clock),
        "page": FakeGateway(Kind.REDIRECT, clock=clock),
    }

    def opened(tenant: str) -> Cashier:
        return Cashier.open(
            f"sqlite:///{file}",
            gateways=gateways,
            clock=clock,
            tenant=tenant,
            token_keys=[key],
            page_keys=[key],
            timing=Timing(feed_pause=None),
        )

    if request.param == "one cashier for all":
        # With room for one tenant only, each call finds the accounts of the other one.
        with Cashier.open(
            f"sqlite:///{file}",
            merchants=Merchants(lambda _: gateways, cached=1),
            clock=clock,
            token_keys=[key],
            page_keys=[key],
            timing=Timing(feed_pause=None),
        ) as all_:
            north, south = all_.for_tenant("north"), all_.for_tenant("south")
            yield Two(north, south, _filled(north, gateways), file)
        return
    with opened("north") as north, opened("south") as south:
        yield Two(north, south, _filled(north, gateways), file)


def _filled(north: Cashier, gateways: dict[str, Gateway]) -> Names:
    """Give the north one record of every kind, and return what they are called."""
    who = Customer("C-7", name="Ada Quill", email="ada@north.example")
    for number in ("N-1", "N-2", "N-3", "N-4", "N-5", "N-6", "N-7"):
        north.issue(number=number, customer=who, total=usd("30.00"), due="2031-03-01")
    paid = north.collect("N-1", via="card", method="tok_visa", amount=usd("50.00"), key="key-1")
    page = north.collect("N-2", via="page", key="k-2", return_url=BACK)
    held = north.authorize("N-3", via="card", method="tok_visa", key="k-3")
    recorded = north.record("N-4", by="check", key="k-4", reference="1077")
    [refund] = north.record_refund(
        recorded, amount=usd("1.00"), by="cash", reference="till", key="k-refund"
    )
    by_credit = north.pay_from_credit("N-5", key="k-5", amount=usd("5.00"))
    given_up = north.write_off("N-5", reason="small", key="k-6", amount=usd("1.00"))
    unknown = north.collect("N-6", via="card", method="tok_unknown_executed", key="k-7")
    mandate = Mandate(text_version="1", accepted_at=north.now(), scope=MandateScope.FUTURE)
    change = north.enroll(who, via="card", method="tok_visa", key="k-8", mandate=mandate)
    assert change.method is not None
    card: Any = gateways["card"]
    for each in card.callbacks():
        north.receive("card", each)
    card.open_dispute(paid.reference)
    for each in card.callbacks():
        north.receive("card", each)
    north.apply_callbacks()
    assert north.chargebacks(payment=paid)
    [callback, *_] = north.callbacks()
    north.assign_payer_number(who, "VA-7", via="card")
    north.set_bank_account("main-7", number="1234567890", currency="USD")
    gift = statement("1234567890", "USD", entry(42_42, currency="USD", text="a gift for 7"))
    north.import_statement(gift, account="main-7")
    shop = north.add_api_key("shop-7", scopes=["read", "write"])
    commitment = north.commit_to(who, "fibre", start="2031-03-01", months=12, key="k-9")
    link = north.link("N-7", key="link-7")
    page_of_payment = north.payment_page(paid)
    assert link.token is not None
    return Names(
        link=link.id,
        commitment=commitment.id,
        token=link.token.reveal(),
        paid_token=page_of_payment.token.reveal(),
        given=north.begin_try(link).value,
        invoice=north.invoice("N-7").id,
        number="N-7",
        payment=paid.id,
        attempt=north.attempts(paid)[0].id,
        page=page.id,
        held=held.id,
        recorded=recorded.id,
        refund=refund.id,
        by_credit=by_credit.id,
        unknown=unknown.id,
        method=change.method.id,
        change=change.id,
        write_off=given_up.id,
        customer=who.id,
        key=paid.key,
        reference=paid.short_reference,
        callback=callback.id,
        payer_number="VA-7",
        bank="main-7",
        bank_line=north.bank_lines(limit=1)[0].id,
        bank_statement=north.bank_statements(limit=1)[0].id,
        api_key=shop.key.id,
        secret=shop.secret.reveal(),
        stored=north.add_account("till-7", settings={"driver": "fake"}).name,
        prepayment=north.prepay("C-7", usd("5.00"), assignment_key="order-7", key="entry-7").id,
    )


Call = Callable[[Cashier, Names], Any]

# Every verb that takes the name of a record, with each kind of name that it takes.
CALLS: dict[str, list[Call]] = {
    "void": [
        lambda c, n: c.void(n.number, reason="typo"),
        lambda c, n: c.void(n.invoice, reason="typo"),
    ],
    "change_draft": [lambda c, n: c.change_draft(n.invoice, due="2031-04-01")],
    "finalize": [
        lambda c, n: c.finalize(n.number, number="N-70"),
        lambda c, n: c.finalize(n.invoice, series="S-{n}"),
    ],
    "invoice_text": [lambda c, n: c.invoice_text(n.number)],
    "invoice_document": [lambda c, n: c.invoice_document(n.number)],
    "documents": [lambda c, n: c.documents(n.invoice)],
    "document": [lambda c, n: c.document(n.number, "invoice.pdf")],
    "attach_documents": [
        lambda c, n: c.attach_documents(n.number, Document(content=b"x", media_type="text/plain")),
    ],
    "record": [
        lambda c, n: c.record(n.number, by="cash", key="s-1"),
        lambda c, n: c.record(Share(n.invoice, usd("1.00")), by="cash", key="s-2"),
        lambda c, n: c.record([n.invoice], by="cash", key="s-3"),
    ],
    "reverse": [
        lambda c, n: c.reverse(n.payment, reason="bounced"),
        lambda c, n: c.reverse(n.recorded, reason="bounced"),
    ],
    "undo_reversal": [lambda c, n: c.undo_reversal(n.payment, reason="misread")],
    "record_refund": [
        lambda c, n: c.record_refund(n.recorded, by="cash", reference="till", key="s-6"),
    ],
    "undo_record_refund": [lambda c, n: c.undo_record_refund(n.refund, reason="typed wrong")],
    "reviewed": [lambda c, n: c.reviewed(n.payment, reason="seen")],
    "pay_from_credit": [lambda c, n: c.pay_from_credit(n.number, key="s-4")],
    "undo_credit_use": [lambda c, n: c.undo_credit_use(n.by_credit)],
    "write_off": [lambda c, n: c.write_off(n.number, reason="lost", key="s-5")],
    "write_offs": [lambda c, n: c.write_offs(n.number), lambda c, n: c.write_offs(n.invoice)],
    "undo_write_off": [lambda c, n: c.undo_write_off(n.write_off)],
    "resolve": [
        lambda c, n: c.resolve(n.unknown, CANCELED, evidence="their page"),
        lambda c, n: c.resolve(
            n.payment, Ended(how=Ending.CANCELED), evidence="x", attempt=n.attempt
        ),
    ],
    "resolve_method": [lambda c, n: c.resolve_method(n.change, Approved(), evidence="their page")],
    "assign": [
        lambda c, n: c.assign(n.payment, reason="theirs"),
        lambda c, n: c.assign(n.payment, n.number, reason="theirs"),
    ],
    "erase_contact": [lambda c, n: c.erase_contact(n.customer)],
    "customer": [lambda c, n: c.customer(n.customer)],
    "methods": [lambda c, n: c.methods(n.customer)],
    "method": [lambda c, n: c.method(n.method)],
    "set_default_method": [lambda c, n: c.set_default_method(n.method)],
    "invoice": [lambda c, n: c.invoice(n.number), lambda c, n: c.invoice(n.invoice)],
    "payment": [lambda c, n: c.payment(n.payment)],
    "invoices": [lambda c, n: c.invoices(customer=n.customer)],
    "prepayment": [lambda c, n: c.prepayment(n.prepayment)],
    "prepayments": [
        lambda c, n: c.prepayments(customer=n.customer),
        lambda c, n: c.prepayments(after=n.prepayment),
    ],
    "link": [
        lambda c, n: c.link(n.number, key="s-18"),
        lambda c, n: c.link(n.prepayment, key="s-19"),
    ],
    "links": [
        lambda c, n: c.links(customer=n.customer),
        lambda c, n: c.links(after=n.link),
    ],
    "api_key_of": [lambda c, n: c.api_key_of(n.secret)],
    "revoke_api_key": [lambda c, n: c.revoke_api_key(n.api_key, reason="theirs")],
    "link_by_id": [lambda c, n: c.link_by_id(n.link)],
    "link_of": [lambda c, n: c.link_of(n.token), lambda c, n: c.link_of(n.paid_token)],
    "reissue_link": [lambda c, n: c.reissue_link(n.link)],
    "revoke_link": [lambda c, n: c.revoke_link(n.link, reason="over")],
    "ways_to_pay": [lambda c, n: c.ways_to_pay(n.link)],
    "begin_try": [lambda c, n: c.begin_try(n.link)],
    "pay_link": [
        lambda c, n: c.pay_link(n.token, given=n.given, via="card", method="tok_visa"),
    ],
    "payment_page": [lambda c, n: c.payment_page(n.payment)],
    "payment_of_page": [lambda c, n: c.payment_of_page(n.paid_token)],
    "close_prepayment": [lambda c, n: c.close_prepayment(n.prepayment, reason="canceled")],
    "open_invoices": [lambda c, n: c.open_invoices(n.customer)],
    "payments": [
        lambda c, n: c.payments(customer=n.customer),
        lambda c, n: c.payments(invoice=n.number),
        lambda c, n: c.payments(invoice=n.invoice),
        lambda c, n: c.payments(after=n.payment),
    ],
    "payment_by_key": [lambda c, n: c.payment_by_key(n.key)],
    "payment_by_reference": [lambda c, n: c.payment_by_reference(n.reference)],
    "number_receipt": [lambda c, n: c.number_receipt(n.refund, "R-1")],
    "events": [lambda c, n: c.events(aggregate=n.payment)],
    "attempts": [lambda c, n: c.attempts(n.payment)],
    "receipts": [lambda c, n: c.receipts(n.payment)],
    "chargebacks": [lambda c, n: c.chargebacks(payment=n.payment)],
    "history": [lambda c, n: c.history(n.payment)],
    "allocations": [lambda c, n: c.allocations(n.number), lambda c, n: c.allocations(n.invoice)],
    "credits": [lambda c, n: c.credits(n.customer)],
    "balance": [lambda c, n: c.balance(n.customer)],
    "statement": [lambda c, n: c.statement(n.customer, currency="USD").lines],
    "collect": [
        lambda c, n: c.collect(n.number, via="card", method="tok_visa", key="s-6"),
        lambda c, n: c.collect(n.invoice, via="card", method="tok_visa", key="s-7"),
    ],
    "authorize": [lambda c, n: c.authorize(n.number, via="card", method="tok_visa", key="s-8")],
    "capture": [lambda c, n: c.capture(n.held, key="s-9")],
    "refund": [lambda c, n: c.refund(n.payment, key="s-10")],
    "cancel": [lambda c, n: c.cancel(n.payment, key="s-11")],
    "complete": [lambda c, n: c.complete(n.page), lambda c, n: c.complete(n.page, key="s-12")],
    "action_of": [lambda c, n: c.action_of(n.page), lambda c, n: c.action_of(n.change)],
    "withdraw_page": [lambda c, n: c.withdraw_page(n.page)],
    "enroll": [
        lambda c, n: c.enroll("C-south", via="card", key="s-13", from_payment=n.payment),
    ],
    "forget_method": [lambda c, n: c.forget_method(n.method, key="s-14")],
    "replace_method": [
        lambda c, n: c.replace_method(n.method, replacement=n.method, key="s-18"),
    ],
    "start_autopay": [
        lambda c, n: c.start_autopay(
            n.method, mandate=Mandate(text_version="1", accepted_at=c.now())
        ),
    ],
    "end_autopay": [lambda c, n: c.end_autopay(n.customer, reason="theirs")],
    "pause_autopay": [lambda c, n: c.pause_autopay(n.customer, reason="theirs")],
    "resume_autopay": [lambda c, n: c.resume_autopay(n.customer)],
    "subscription": [lambda c, n: c.subscription(n.customer)],
    "set_autopay": [lambda c, n: c.set_autopay(n.number, on=False)],
    "standing": [lambda c, n: (c.standing(n.customer).state, c.standing(n.customer).debts)],
    "promise": [lambda c, n: c.promise(n.customer, until=c.now().date())],
    "reinstate": [lambda c, n: c.reinstate(n.customer, reason="theirs").debts],
    "end_commitment": [lambda c, n: c.end_commitment(n.commitment, reason="theirs")],
    "commitments": [lambda c, n: c.commitments(n.customer)],
    "inquire_method": [lambda c, n: c.inquire_method(n.change)],
    "inquire": [lambda c, n: c.inquire(n.payment), lambda c, n: c.inquire(n.unknown)],
    "replay_callback": [lambda c, n: c.replay_callback(n.callback)],
    "dismiss_callback": [lambda c, n: c.dismiss_callback(n.callback, reason="seen")],
    "bank_line": [lambda c, n: c.bank_line(n.bank_line)],
    "line_proposals": [lambda c, n: c.line_proposals(n.bank_line)],
    "accept_proposal": [lambda c, n: c.accept_proposal(n.bank_line)],
    "assign_line": [lambda c, n: c.assign_line(n.bank_line, customer="C-7", reason="mine")],
    "ignore_line": [lambda c, n: c.ignore_line(n.bank_line, reason="seen")],
    "reopen_line": [lambda c, n: c.reopen_line(n.bank_line, reason="seen")],
    "bank_lines": [lambda c, n: c.bank_lines(after=n.bank_line)],
    "bank_statements": [lambda c, n: c.bank_statements(after=n.bank_statement)],
    "reconcile": [lambda c, n: c.reconcile(n.bank)],
    "receipts_not_on_statement": [lambda c, n: c.receipts_not_on_statement(n.bank)],
    "import_statement": [
        lambda c, n: c.import_statement(statement("1234567890", "USD"), account=n.bank)
    ],
    "payer_numbers": [lambda c, n: c.payer_numbers(customer=n.customer)],
    "release_payer_number": [
        lambda c, n: c.release_payer_number(n.payer_number, via="card", reason="moved")
    ],
    "rotate_account": [
        lambda c, n: c.rotate_account(n.stored, settings={"signing_key": "k" * 20}),
        lambda c, n: c.rotate_account(n.stored, settings={"driver": "fake"}, whole=True),
    ],
    "disable_account": [lambda c, n: c.disable_account(n.stored)],
    "enable_account": [lambda c, n: c.enable_account(n.stored)],
}
# These take objects: a south that got hold of one of the north's gets nothing by it.
OBJECTS: dict[str, Callable[[Two], Any]] = {
    "mandate": lambda two: two.south.mandate(two.north.method(two.names.method)),
    "collect": lambda two: two.south.collect(
        _own(two), via="card", method=two.north.method(two.names.method), key="s-15"
    ),
    "top_up": lambda two: two.south.top_up(
        "C-south", usd("3.00"), via="card", method=two.north.method(two.names.method), key="s-16"
    ),
    "resend_event": lambda two: resent(two.south, two.north.events(limit=1)[0]),
    "void": lambda two: two.south.void(two.north.invoice("N-7"), reason="typo"),
    "refund": lambda two: two.south.refund(two.north.payment(two.names.payment), key="s-17"),
}


def resent(cashier: Cashier, event: Event) -> None:
    cashier.subscribe("crm", lambda _: None)
    cashier.publish()
    cashier.resend_event("crm", event)


def replayed(cashier: Cashier) -> int:
    cashier.subscribe("crm", lambda _: None)
    cashier.publish()
    return cashier.replay_dead_letters("crm")


# These take no name of a record; what they return is the south's alone.
LISTS: dict[str, Callable[[Cashier], Any]] = {
    "method_changes": lambda c: c.method_changes(),
    "invoices": lambda c: c.invoices(),
    "prepayments": lambda c: c.prepayments(),
    "links": lambda c: c.links(),
    "letterhead": lambda c: [] if c.letterhead() is None else [c.letterhead()],
    "payments": lambda c: c.payments(),
    "receipt_lines": lambda c: c.receipt_lines(),
    "chargebacks": lambda c: c.chargebacks(),
    "events": lambda c: c.events(),
    "dead_letters": lambda c: c.dead_letters(),
    "replay_dead_letters": lambda c: [None] * replayed(c),
    "delivery_log": lambda c: [None] * replayed(c) + c.delivery_log("crm"),
    "callbacks": lambda c: c.callbacks(),
    "stored_accounts": lambda c: c.stored_accounts(),
    "api_keys": lambda c: c.api_keys(),
    "orphans": lambda c: c.orphans(),
    "run_autopay": lambda c: c.run_autopay().charged,
    "autopay_run": lambda c: [] if c.autopay_run() is None else [c.autopay_run()],
    "run_overdue": lambda c: [None] * c.run_overdue().customers,
    "overdue_run": lambda c: [] if c.overdue_run() is None else [c.overdue_run()],
    "recover": lambda c: c.recover(),
    "due": lambda c: c.due(),
    "waiting_jobs": lambda c: c.waiting_jobs(),
    "take_due": lambda c: c.take_due(),
    "work_due": lambda c: c.work_due(),
    "apply_callbacks": lambda c: c.apply_callbacks(),
    "unattended": lambda c: c.unattended(waited=timedelta(0)),
    "fsck": lambda c: c.fsck(),
    "status": lambda c: [*c.status().concerns, *c.status().payments, *c.status().sinks],
}
# These make records of the caller's own, or are about the file or the wallet as a whole.
OWN = {
    "issue",
    "commit_to",
    "invoice_run",
    "draft",
    "set_letterhead",
    "prepay",
    "import_invoices",
    "save_customer",
    "top_up",
    "assign_payer_number",
    "set_bank_account",
    "bank_accounts",
    "mandate",
    "stop_sending",  # for every tenant, as it says
    "sending_stopped",
    "tenant_is_new",
    "has_other_tenants",  # whether, and not which
    "resume_sending",
    "rotate_keys",
    "receive",
    "read_feeds",
    "addresses",  # of the wallet, whoever uses it
    "rescan",
    "subscribe",
    "publish",
    "work",  # a job names its tenant
    "check_sink",
    "forget_sink",
    "resume_sink",
    "give_back",
    "accounts",
    "public_settings",
    "tenants_due",  # of the whole ledger, as it says
    "check",
    "add_account",
    "add_api_key",
    "once",  # what its work does is the caller's own
    "stored_accounts_readable",  # of the whole ledger, as it says
}


def _own(two: Two) -> str:
    two.south.issue(number="S-1", customer="C-south", total=usd("4.00"), due="2031-03-01")
    return "S-1"


def _came_of(call: Callable[[], Any], names: Names) -> Any:
    """Return a result, or the kind and text of an error, without the name that was asked for."""
    try:
        return call()
    except PaygateError as error:
        text = str(error)
        # The longest first: the number of a callback can be a part of an id.
        for name in sorted(vars(names).values(), key=lambda each: len(str(each)), reverse=True):
            text = text.replace(repr(name), "…").replace(str(name), "…")
        return type(error), text


def test_every_verb_is_covered() -> None:
    covered = set(CALLS) | set(OBJECTS) | set(LISTS) | OWN

    assert covered == set(each_verb(Cashier))


@pytest.mark.parametrize(
    ("verb", "which"), [(verb, n) for verb, calls in CALLS.items() for n in range(len(calls))]
)
def test_what_another_merchant_has_is_answered_like_what_nobody_has(
    two: Two, verb: str, which: int
) -> None:
    call, nobody = CALLS[verb][which], Names()
    before = two.books()

    theirs = _came_of(lambda: call(two.south, two.names), two.names)
    unknown = _came_of(lambda: call(two.south, nobody), nobody)

    assert theirs == unknown
    assert two.books() == before
    assert two.north.fsck() == []


@pytest.mark.parametrize("verb", OBJECTS)
def test_the_record_of_another_merchant_itself_opens_nothing(two: Two, verb: str) -> None:
    before = two.books()

    came = _came_of(lambda: OBJECTS[verb](two), two.names)

    assert came is None or isinstance(came, tuple)
    assert two.books() == before


@pytest.mark.parametrize("verb", LISTS)
def test_a_list_holds_nothing_of_another_merchant(two: Two, verb: str) -> None:
    assert list(LISTS[verb](two.south)) == []


def test_attempts_and_receipts_of_an_unknown_payment_are_refused(two: Two) -> None:
    for read in (two.south.attempts, two.south.receipts, two.south.history):
        with pytest.raises(PaymentNotFound):
            read(two.names.payment)
