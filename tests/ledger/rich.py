"""A ledger with rows of every kind, for tests that change one of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from paygate import (
    Campaign,
    Cashier,
    Customer,
    Document,
    InvoiceLine,
    Kind,
    Letterhead,
    Money,
    TaxLine,
)
from paygate.dialogue import Dialogue, at_once
from paygate.domain.action import PayToAddress
from paygate.domain.campaign import STAGES
from paygate.domain.mandate import Mandate, MandateScope
from paygate.domain.movement import Movement, MovementKind, Sighting
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    DeclineCode,
    Declined,
    Finding,
    Outcome,
    Pending,
)
from paygate.gateway import AddressPer, Callback, Charge, Inquiry, Notice
from paygate.ledger import customers, feeds, holding
from paygate.ledger.tx import Tx
from paygate.testing import FakeClock, FakeGateway
from tests.support.statements import entry, statement

if TYPE_CHECKING:
    from pathlib import Path

    from paygate.domain.event import Event
    from paygate.domain.method import PaymentMethod
    from paygate.domain.payment import Payment
    from paygate.domain.prepayment import Prepayment

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)
KEYS = ["cGF5Z2F0ZS1hLXJpY2gtbGVkZ2VyLWZvci10ZXN0cyE="]
BACK = "https://shop.example/back"
PAYER = Customer(id="C-1", name="Ada Lovelace", email="ada@example.org", zone="America/Toronto")


class Told(FakeGateway):
    """A card account whose callbacks say what a test lets them say, and which knows no more."""

    notice: Notice

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        return at_once(Pending(reference=inquiry.reference))

    def verify(self, callback: Callback) -> Dialogue[list[Notice]]:
        del callback
        return at_once([self.notice])


class Wallet(FakeGateway):
    """A wallet that quotes an amount in bitcoin at a place of its own for each payer."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(Kind.REDIRECT, clock=clock, merchant_account="wallet")
        rail = replace(self._traits.rails[Kind.REDIRECT], address_per=AddressPer.PAYER)
        self._traits = replace(self._traits, rails={Kind.REDIRECT: rail})

    notice: Notice

    def verify(self, callback: Callback) -> Dialogue[list[Notice]]:
        del callback
        return at_once([self.notice])

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        action = PayToAddress(
            address=f"bc1{charge.address_index}",
            amount=Money("BTC", 40_000),
            uri=f"bitcoin:bc1{charge.address_index}",
            enough=Money("BTC", 39_500),
            rate="52500.00",
            rate_source="simulated",
        )
        assert charge.asked_at is not None
        asked = ActionRequired(
            action=action,
            reference=f"place-{charge.address_index}",
            expires_at=charge.asked_at + timedelta(minutes=15),
        )
        return at_once(asked)


def usd(text: str) -> Money:
    return Money.of("USD", text)


class Office:
    """A merchant who has seen everything once."""

    def __init__(self, path: Path | str) -> None:
        self.clock = FakeClock()
        self.card = FakeGateway(clock=self.clock)
        self.slow = FakeGateway(clock=self.clock, merchant_account="slow")
        self.page = FakeGateway(Kind.REDIRECT, clock=self.clock)
        self.bank = FakeGateway(Kind.E_CHECK, clock=self.clock)
        self.told = Told(clock=self.clock, merchant_account="told")
        self.wallet = Wallet(self.clock)
        self.url = f"sqlite:///{path}"
        self.cashier = Cashier.open(
            self.url,
            gateways={
                "card": {"gateway": self.card, "settles_within": 30},
                "slow": {"gateway": self.slow, "credit_on": "settled"},
                "page": self.page,
                "bank": self.bank,
                "told": self.told,
                "wallet": self.wallet,
            },
            clock=self.clock,
            token_keys=KEYS,
            page_keys=KEYS,
            actor="clerk",
        )
        self.number = 0

    def issue(self, total: str = "84", customer: Customer | str = PAYER, **more: Any) -> str:
        self.number += 1
        number = f"N-{self.number}"
        self.cashier.issue(
            number=number, customer=customer, total=usd(total), due="2026-03-01", **more
        )
        return number

    def pay(
        self,
        *numbers: str,
        method: str | PaymentMethod | None = "tok_visa",
        via: str = "card",
        **more: Any,
    ) -> Payment:
        self.number += 1
        return self.cashier.collect(
            list(numbers) or [self.issue()],
            via=via,
            method=method,
            key=f"pay-{self.number}",
            **more,
        )

    def key(self) -> str:
        self.number += 1
        return f"key-{self.number}"

    def hear(self) -> None:
        """Take in what the processors call back about, and apply it."""
        for name in ("card", "slow", "page", "bank"):
            for callback in getattr(self, name).callbacks():
                self.cashier.receive(name, callback)
        self.cashier.apply_callbacks()

    def tell(self, via: str, type_: str, reference: str, **said: Any) -> None:
        """Let a processor tell something, and apply it."""
        self.number += 1
        told: Any = self.wallet if via == "wallet" else self.told
        told.notice = Notice(event_id=f"evt-{self.number}", type=type_, reference=reference, **said)
        body = b"callback %d" % self.number
        at = self.clock.now()
        callback = Callback(method="POST", path="/", headers={}, body=body, received_at=at)
        self.cashier.receive(via, callback)
        self.cashier.apply_callbacks()

    def pass_time(self, **parts: float) -> None:
        self.clock.advance(timedelta(**parts))


def fill(path: Path | str) -> None:
    """Write the ledger at *path*: two tenants, of whom one has seen everything."""
    office = Office(path)
    for part in _PARTS:
        part(office)
        assert office.cashier.fsck() == [], (part, office.cashier.fsck())
    office.cashier.close()


def _cards(office: Office) -> None:
    office.pay()
    office.pay(office.issue(), office.issue(), amount=usd("200"))
    for token in (
        "tok_declined",
        "tok_pending",
        "tok_partial",
        "tok_unknown_lost",
        "tok_unknown_executed",
        "tok_other_amount",
        "tok_other_currency",
        "tok_rejected_validation",
    ):
        office.pay(method=token)
    for token in ("tok_action", "tok_action_script", "tok_action_form"):
        office.pay(method=token, return_url=BACK)
    office.pass_time(minutes=5)
    office.cashier.recover()
    decided = office.pay(method="tok_other_amount")
    office.cashier.assign(decided, [office.issue()], reason="the payer rounded up")
    lost = office.pay(method="tok_unknown_executed")
    office.cashier.resolve(
        lost,
        Declined(code=DeclineCode.GENERIC, raw_code="phone", retryable=False),
        evidence="the processor said so by phone",
    )


def _authorisations(office: Office) -> None:
    cashier = office.cashier

    def hold() -> Payment:
        return cashier.authorize(office.issue(), via="card", method="tok_visa", key=office.key())

    hold()
    cashier.capture(hold(), key=office.key())
    part = cashier.capture(hold(), amount=usd("30"), key=office.key(), final=False).payment
    cashier.capture(part, amount=usd("20"), key=office.key())
    cashier.capture(hold(), amount=usd("30"), key=office.key(), final=False)
    cashier.cancel(hold(), key=office.key())
    over = hold()
    office.card.script("tok_other_amount")
    over = cashier.capture(over, key=office.key()).payment
    cashier.assign(over, (), reason="the customer agreed")
    held = hold()
    office.card.script("tok_unknown_executed")
    cashier.capture(held, key=office.key())


def _refunds(office: Office) -> None:
    cashier = office.cashier
    cashier.refund(office.pay(), key=office.key())
    number = office.issue()
    paid = office.pay(number, amount=usd("100"))
    cashier.refund(paid, amount=usd("30"), key=office.key(), to="credit_note", items=[number])
    cashier.refund(paid, amount=usd("10"), key=office.key(), to="from_credit")
    for token in ("tok_unknown_executed", "tok_rejected_state"):
        paid = office.pay(amount=usd("100"))
        office.card.script(token)
        cashier.refund(paid, amount=usd("10"), key=office.key(), to="from_credit")
    failed = cashier.refund(office.pay(), key=office.key()).payment
    office.card.fail_refund(cashier.attempts(failed)[-1].reference)
    office.hear()


def _pages(office: Office) -> None:
    cashier = office.cashier
    for number in range(5):
        invoice = office.issue()
        page = office.pay(invoice, via="page", method=None, return_url=BACK)
        match number:
            case 1:
                office.page.decline_try(page.reference)
            case 2:
                office.page.pay(page.reference)
            case 3:
                cashier.record(invoice, by="cash", key=office.key())
            case 4:
                cashier.withdraw_page(page, key=office.key())
            case _:
                pass
        office.hear()


def _credits(office: Office) -> None:
    cashier = office.cashier
    number = office.issue()
    office.pay(number)
    cashier.void(number, reason="issued twice")
    cashier.void(office.issue(), reason="issued twice")
    cashier.top_up("C-1", usd("50"), via="card", method="tok_visa", key=office.key())
    used = cashier.pay_from_credit(office.issue("20"), key=office.key())
    cashier.undo_credit_use(used)
    cashier.pay_from_credit(office.issue("20"), key=office.key())
    office.pay(office.issue("20"), credit=usd("5"))
    office.pay(office.issue("20"), credit=usd("5"), method="tok_pending")
    given_up = cashier.write_off(office.issue(), amount=usd("10"), reason="small", key=office.key())
    cashier.write_off(office.issue(), reason="gone away", key=office.key())
    cashier.undo_write_off(given_up)


def _prepayments(office: Office) -> None:
    cashier = office.cashier

    def prepay(key: str, **more: Any) -> Prepayment:
        return cashier.prepay(PAYER, usd("50"), assignment_key=key, key=office.key(), **more)

    waits = prepay("waits", data={"basket": 7}, description="entry fee")
    cashier.record(waits, by="cash", key=office.key())
    for key, on_rest in (("kept", "keep"), ("rest", "credit")):
        paid = prepay(key, on_rest=on_rest)
        office.pay(paid.id)
        office.issue("30", assignment_key=key)
    cashier.void(office.issue("5", assignment_key="kept"), reason="issued twice")
    office.issue("15", assignment_key="kept")
    office.pay(prepay("page").id, via="page", method=None, return_url=BACK)
    office.issue("30", assignment_key="page")
    closed = prepay("closed")
    cashier.record(closed, by="cash", amount=usd("20"), key=office.key())
    cashier.close_prepayment(closed, reason="canceled")


def _documents(office: Office) -> None:
    cashier = office.cashier
    cashier.set_letterhead(Letterhead(name="Acme", address=("1 Main Street",), logo=PNG))
    lines = [
        InvoiceLine.of("Support", "40.00", "USD", quantity=3, unit="h", tax_category="S"),
        InvoiceLine.of("Discount", "-5.00", "USD"),
    ]
    tax = [TaxLine.of("VAT", "20", lines, category="S")]
    terms = Document(content=b"Thirty days net.", media_type="text/plain", name="terms.txt")
    made = cashier.draft(
        customer=PAYER, due="2026-03-01", key=office.key(), lines=lines, tax=tax, document=terms
    )
    cashier.change_draft(made, due="2026-04-01")
    office.pay(cashier.finalize(made, series="INV-{year}-{n:05}").number)
    for _ in range(2):
        cashier.issue(
            customer=PAYER,
            due="2026-03-01",
            lines=lines,
            tax=tax,
            series="INV-{year}-{n:05}",
            key=office.key(),
        )
    left, gone = (
        cashier.draft(customer=PAYER, due="2026-03-01", key=office.key(), total=usd("5"))
        for _ in range(2)
    )
    cashier.attach_documents(left, terms)
    cashier.void(gone, reason="not ordered")


def _links(office: Office) -> None:
    cashier = office.cashier
    cashier.link([office.issue("10"), office.issue("5")], key=office.key(), uses=2)
    paid = cashier.link(office.issue("10"), key=office.key(), metadata={"campaign": "7"})
    cashier.reissue_link(paid)
    again = cashier.link_by_id(paid)
    assert again.token is not None
    given = cashier.begin_try(again)
    cashier.pay_link(again.token, given=given, via="card", method="tok_visa")
    entry = cashier.prepay(PAYER, usd("50"), assignment_key="linked", key=office.key())
    cashier.link(entry, key=office.key(), amount=(usd("1"), usd("50")))
    office.issue("30", assignment_key="linked")
    ends = office.clock.now() + timedelta(days=900)
    over = cashier.link(customer=PAYER, currency="USD", key=office.key(), expires=ends)
    cashier.revoke_link(over, reason="sent to the wrong person")
    cashier.link(office.issue("10"), key=office.key(), expires=ends)
    cashier.payment_page(cashier.payments(limit=1)[0])


def _settling(office: Office) -> None:
    for via in ("card", "slow"):
        paid = office.pay(via=via)
        office.pay(via=via)
        [attempt] = office.cashier.attempts(paid)
        getattr(office, via).pay_out(attempt.reference, fee=usd("2.50"))
    office.hear()
    settled = next(each for each in office.cashier.payments(account="card") if each.settled)
    office.cashier.refund(settled, amount=usd("4"), key="after-it-settled", to="reopen")
    office.pay(via="bank", method="tok_bank")
    office.pay(via="bank", method="tok_bank_returned_r01")
    office.pay(via="bank", method="tok_bank_unpaid_r01")
    early = office.pay(via="bank", method="tok_bank")
    office.bank.return_early(early.reference)
    for _ in range(8):
        office.pass_time(days=1)
        office.hear()
        office.cashier.recover()


def _by_hand(office: Office) -> None:
    cashier = office.cashier
    bounced = cashier.record(office.issue(), by="check", reference="1001", key=office.key())
    cashier.reverse(bounced, reason="bounced", fee=usd("25"), bank_charge=usd("5"))
    wrong = cashier.record(office.issue(), by="check", reference="1002", key=office.key())
    cashier.reverse(wrong, reason="stopped", number="OUR-1")
    misread = cashier.record(office.issue(), by="check", reference="1003", key=office.key())
    cashier.reverse(misread, reason="a letter about another check")
    cashier.undo_reversal(misread, reason="it was not stopped")
    paid = cashier.record(office.issue(), by="transfer", reference="T-1", key=office.key())
    [back] = cashier.record_refund(
        paid, by="cash", reference="slip 7", amount=usd("30"), key=office.key()
    )
    cashier.undo_record_refund(back, reason="not handed out")
    cashier.record_refund(paid, by="cash", reference="slip 8", amount=usd("9"), key=office.key())


def _disputes(office: Office) -> None:
    for step in ("open", "take", "won", "lost"):
        paid = office.pay()
        office.card.open_dispute(paid.reference)
        office.hear()
        if step != "open":
            office.card.dispute(paid.reference)
            office.hear()
        if step == "won":
            office.card.win_dispute(paid.reference)
        if step == "lost":
            office.card.lose_dispute(paid.reference)
        office.hear()


def _methods(office: Office) -> None:
    cashier = office.cashier
    mandate = Mandate(
        text_version="2026-01",
        accepted_at=office.clock.now(),
        scope=MandateScope.FUTURE,
        reference="M-1",
        ip="192.0.2.7",
        user_agent="browser",
    )
    stored = [
        cashier.enroll("C-1", via="card", method=token, mandate=mandate, key=office.key()).method
        for token in ("tok_visa", "tok_mastercard", "tok_amex")
    ]
    first, second, third = (each for each in stored if each is not None)
    cashier.set_default_method(second)
    cashier.forget_method(third, key=office.key())
    office.pay(method=first)

    def write(tx: Tx) -> None:
        holding.hold_feed(tx, "card")
        holding.hold(tx, customers=("C-1",))
        customers.keep_reference(tx, "C-1", "card", "cus_1")
        feeds.remember(tx, "card", {"block": b"00", "coin": b"01"})

    cashier._store.write(cashier._context, write)
    office.pay(method="tok_visa", save_method=True)


def _autopay(office: Office) -> None:
    """Charge invoices automatically, with each outcome, and end some subscriptions."""
    cashier = office.cashier
    cashier.pause_autopay("C-1", reason="the customer asked for it")
    older = office.issue(customer="A-0", total="5")
    for name, plan in (
        ("A-0", "tok_visa"),
        ("A-1", "tok_declined_insufficient_funds"),
        ("A-2", "tok_unsent"),
        ("A-3", "tok_declined_lost_or_stolen"),
        ("A-4", "tok_declined_mandate_revoked"),
        ("A-5", "tok_pending"),
        ("A-6", "tok_advised_after_10_days"),
    ):
        mandate = Mandate(
            text_version="2026-02",
            text_digest="sha256:00",
            language="en",
            accepted_at=office.clock.now(),
            scope=MandateScope.FUTURE_AND_PENDING,
            authenticated="password",
            basis="the total of each invoice, on its due date",
            ceiling=usd("500"),
            notice_days=0,
        )
        paid = office.pay(
            office.issue(customer=name), save_method=True, mandate=mandate, customer=name
        )
        number = office.issue(customer=name)
        cashier.set_autopay(number, method=paid.method)
        office.card.script(plan, invoice=number)
    cashier.set_autopay(older, on=False)
    cashier.set_autopay(older)
    while office.clock.now().date() < date(2026, 3, 1):
        office.pass_time(days=1)
    cashier.run_autopay()
    cashier.end_autopay("A-0", reason="moved away")
    office.issue(customer="A-3")
    office.pass_time(days=1)
    cashier.run_autopay()


def _odd(office: Office) -> None:
    cashier = office.cashier
    paid = office.pay(via="told")
    [receipt] = cashier.receipts(paid)
    # More goes back than came.
    for name in ("r-1", "r-2"):
        back = Movement(
            movement_id=name,
            kind=MovementKind.REFUND,
            amount=usd("84"),
            undoes=receipt.movement_id,
            code="elsewhere",
        )
        office.tell("told", "refund", paid.reference, movements=(back,))
    cashier.reviewed(paid, reason="the processor sent it twice, and we let it be")
    # A return is told before its money.
    waiting = office.pay(via="told", method="tok_pending")
    early = Movement(
        movement_id="early-1",
        kind=MovementKind.RETURN,
        amount=usd("84"),
        undoes="late-1",
        code="R01",
        effective=office.clock.now().date(),
    )
    office.tell("told", "return", waiting.reference, movements=(early,))
    for _ in range(8):  # until it is believed although its money has not come
        office.pass_time(days=2)
        cashier.apply_callbacks()
    office.tell("told", "unknown", "somebody-else", movements=(early,))
    office.tell("told", "odd", waiting.reference, unreadable="an amount without a currency")
    office.tell("told", "odder", waiting.reference, unreadable="an amount without a sign")
    [seen] = cashier.callbacks(state="failed", limit=1)
    cashier.dismiss_callback(seen, reason="of another shop")


def _wallet(office: Office) -> None:
    for customer in ("C-1", "C-2", "C-3"):
        number = office.issue(customer=customer)
        page = office.pay(number, via="wallet", method=None, return_url=BACK)
        coins = Money("BTC", 40_000)
        if customer == "C-2":
            part = Sighting(name="tx:1", quantity=Money("BTC", 10_000), confirmations=1, needed=3)
            seen = Pending(reference=page.reference, amount=part.quantity)
            office.tell(
                "wallet", "seen", page.reference, answer=seen, address_index=1, sighting=part
            )
        if customer == "C-3":
            came = Movement(movement_id="tx:0", amount=coins, settled=coins)
            answer = Approved(movements=(came,), reference=page.reference)
            office.tell("wallet", "confirmed", page.reference, answer=answer, address_index=2)


def _api_keys(office: Office) -> None:
    cashier = office.cashier
    shop = cashier.add_api_key("shop", scopes=["read", "write"])
    cashier.add_api_key("desk", scopes=["refund"])
    cashier.api_key_of(shop.secret)
    cashier.revoke_api_key("desk", reason="the desk has moved")


def _numbers(office: Office) -> None:
    cashier = office.cashier
    cashier.assign_payer_number("C-1", "V-1", via="card")
    cashier.assign_payer_number("C-2", "V-1", via="told", pays="balance")
    cashier.assign_payer_number("C-3", "V-9", via="told")
    cashier.release_payer_number("V-9", via="told", reason="moved away")
    office.issue()
    for number in ("V-1", "V-2", "V-3"):
        office.card.pay_number(number, usd("50"))
    office.hear()
    found, _ = cashier.payments(needs_review=True, limit=2)
    cashier.assign(found, customer="C-4", reason="the bank's letter")


def _bank(office: Office) -> None:
    cashier, day = office.cashier, office.clock.now().date()
    cashier.set_bank_account(
        "main", number="1234567890", currency="USD", check_fee=usd("25"), payouts={"card": "ACME"}
    )
    number = office.issue(customer="C-1")
    cashier.record(number, by="check", key="check-77", reference="77")
    other = office.issue(customer="C-2", total="60")

    def row(minor: int, **facts: Any) -> str:
        return entry(minor, currency="USD", day=day.isoformat(), **facts)

    owed = cashier.invoice(number).total.minor
    content = statement(
        "1234567890",
        "USD",
        row(owed, check="77", code="PMNT/RCHQ/URCQ"),
        row(-owed, check="77", code="PMNT/RCHQ/UPCQ", reason="AM04"),
        row(-25_00, check="77", code="PMNT/RCHQ/CHRG"),
        row(60_00, text=other, party="Ada", account="NL49INGB0004000000", reference="x"),
        row(7_00, text="capital", end_to_end="E-1"),
        row(8_00, text="a gift"),
        day=day.isoformat(),
        opening=100_00,
        closing=200_00,
    )
    cashier.import_statement(content, account="main")
    cashier.import_statement(
        statement("1234567890", "USD", opening=1, closing=2, day=day.isoformat()), account="main"
    )
    found = {each.amount.minor: each for each in cashier.bank_lines(limit=20)}
    cashier.accept_proposal(found[-owed])
    cashier.ignore_line(found[7_00], reason="the owner's capital")
    cashier.assign_line(found[8_00], customer="C-3", reason="a friend")
    cashier.reopen_line(found[8_00], reason="of nobody")
    cashier.assign_line(found[8_00], customer="C-2", reason="the payer called")
    paying = entry(
        5_00, currency="USD", day=day.isoformat(), account="NL49INGB0004000000", text="more"
    )
    cashier.import_statement(statement("1234567890", "USD", paying), account="main")
    [line] = [each for each in cashier.bank_lines(limit=20) if each.text == "more"]
    cashier.assign_line(line, customer="C-2", reason="the same account")


def _outbox(office: Office) -> None:
    cashier = office.cashier

    def take(event: Event) -> None:
        if event.aggregate.startswith("customer:") or event.type == "payment.reversed":
            raise ConnectionError("the books are closed")

    cashier.subscribe("books", take)
    for _ in range(3):
        cashier.publish()
        office.pass_time(days=3)
    cashier.read_feeds()
    _under_way(office)
    cashier.stop_sending(reason="restored from a backup")


def _under_way(office: Office) -> None:
    """Leave something of each kind under way, so that it is in the ledger as it ends."""
    cashier = office.cashier
    [stored, *_] = cashier.methods("C-1")
    office.pay(method=stored)
    for token in ("tok_unknown_lost", "tok_unknown_executed", "tok_pending"):
        office.pay(method=token)
    office.card.script("tok_unknown_lost")
    office.pay(method=stored)
    for token in ("tok_action", "tok_action_script", "tok_action_form"):
        office.pay(method=token, return_url=BACK)
    office.pay(via="page", method=None, return_url=BACK)
    office.pay(method="tok_pending", credit=usd("5"))
    for operation in (cashier.capture, cashier.cancel):
        held = cashier.authorize(office.issue(), via="card", method="tok_visa", key=office.key())
        office.card.script("tok_unknown_lost")
        operation(held, key=office.key())
    cashier.authorize(office.issue(), via="card", method="tok_visa", key=office.key())
    paid = office.pay(amount=usd("100"))
    office.card.script("tok_unknown_lost")
    cashier.refund(paid, amount=usd("10"), key=office.key(), to="from_credit")
    office.pay(via="bank", method="tok_bank")
    office.pay(via="slow")
    paid = office.pay()
    for callback in office.card.callbacks():
        cashier.receive("card", callback)


def _overdue(office: Office) -> None:
    """Let customers be reminded, limited and terminated, with promises, fees and commitments."""
    remind, again, limit, _, terminate = STAGES
    fee = replace(again, fee=usd("2"))
    campaign = Campaign(stages=(remind, fee, limit, replace(terminate, after=30, gap=10)))
    with Cashier.open(
        office.url,
        gateways={"card": office.card, "page": office.page},
        clock=office.clock,
        token_keys=KEYS,
        campaign=campaign,
    ) as cashier:
        for name, months in (("short", 1), ("long", 24)):
            cashier.commit_to(
                "O-1", name, start="2026-02-15", months=months, key=name, terms="30 USD a month"
            )
        kept = cashier.commit_to(
            "O-2", "router", start="2026-02-15", months=12, key="router", on_default="keep"
        )
        cashier.end_commitment(kept, reason="sent back")
        due = office.clock.now().date().isoformat()
        for number in ("O-1", "O-2", "O-3"):
            cashier.issue(number=number, customer=number, total=usd("30"), due=due)
        for day in range(1, 34):
            office.pass_time(days=1)
            # The day of yesterday has begun in every zone by now.
            cashier.run_overdue(office.clock.now().date() - timedelta(days=1))
            cashier.run_overdue()
            if day == 3:
                until = office.clock.now().date().isoformat()
                cashier.promise("O-1", until=until)
            if day == 10:
                cashier.record("O-2", by="check", key="O-2")
            if day == 12:
                bounced = cashier.record("O-2", by="check", key="O-2")
                cashier.reverse(bounced, reason="check returned")
        cashier.reinstate("O-1", reason="agreed on instalments")


def _elsewhere(office: Office) -> None:
    """Let another merchant have a few rows in the same file."""
    south = Cashier.open(
        office.url,
        gateways={"card": office.card},
        clock=office.clock,
        tenant="south",
        token_keys=KEYS,
        page_keys=KEYS,
    )
    for number, amount in ("S-1", "40"), ("S-2", "90"):
        south.issue(number=number, customer="C-9", total=usd("84"), due="2026-03-01")
        south.collect(number, via="card", method="tok_visa", key=number, amount=usd(amount))
    assert south.fsck() == []
    south.close()


def _stored_accounts(office: Office) -> None:
    cashier = office.cashier
    for name in ("till", "kiosk"):
        cashier.add_account(name, settings={"driver": "fake"})
    cashier.rotate_account("till", settings={"signing_key": "another-key-of-the-till"})
    cashier.disable_account("kiosk", reason="closed for the winter")


_PARTS = (
    _cards,
    _authorisations,
    _refunds,
    _pages,
    _credits,
    _prepayments,
    _documents,
    _links,
    _settling,
    _by_hand,
    _disputes,
    _methods,
    _autopay,
    _overdue,
    _odd,
    _wallet,
    _elsewhere,
    _numbers,
    _bank,
    _api_keys,
    _stored_accounts,
    _outbox,
)
