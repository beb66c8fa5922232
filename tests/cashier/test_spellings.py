"""One name in several spellings is one name; one that cannot be printed is refused."""

from __future__ import annotations

import inspect
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from paygate import Cashier, Customer, Document, Letterhead, Money, PaymentStatus
from paygate.cashier.verbs import each_verb
from paygate.domain.outcome import Ended, Ending
from paygate.domain.payable import Share
from paygate.errors import InvalidValue, InvoiceNotFound
from paygate.testing import FakeClock, FakeGateway

COMPOSED, DECOMPOSED = "RÈGLE-3", "RE\u0300GLE-3"
SPELLINGS = (COMPOSED, DECOMPOSED, f"  {COMPOSED}\t", f"{DECOMPOSED}\n")
OTHERS = SPELLINGS[1:]


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


@pytest.fixture(name="till")
def till_() -> Iterator[Cashier]:
    clock = FakeClock()
    with Cashier.in_memory(
        gateways={"card": FakeGateway(clock=clock)},
        clock=clock,
        token_keys=[Fernet.generate_key()],
    ) as till:
        yield till


def issue(till: Cashier, number: str = COMPOSED, customer: Customer | str = COMPOSED) -> None:
    till.issue(number=number, customer=customer, total=usd("12.00"), due="2031-03-01")


def test_an_invoice_is_issued_once_in_whatever_spelling(till: Cashier) -> None:
    for spelling in SPELLINGS:
        issue(till, spelling, spelling)
        issue(till, spelling, Customer(spelling))
        till.import_invoices(
            f"number,customer,currency,total,due\n{spelling.strip()},{spelling.strip()},"
            "USD,12.00,2031-03-01\n"
        )

    [invoice] = till.invoices()
    assert (invoice.number, invoice.customer) == (COMPOSED, COMPOSED)


def test_two_spellings_in_one_file_are_one_number(till: Cashier) -> None:
    lines = "".join(f"{each},C-1,USD,12.00,2031-03-01\n" for each in (COMPOSED, DECOMPOSED))

    done = till.import_invoices(f"number,customer,currency,total,due\n{lines}", skip_bad=True)

    assert len(done.issued) == 1
    assert "is on line 2 already" in done.problems[0].reason


@pytest.mark.parametrize("spelling", OTHERS)
def test_an_invoice_is_found_in_whatever_spelling(till: Cashier, spelling: str) -> None:
    issue(till)

    paid = till.record(spelling, by="cash", key="k", amount=usd("2.00"))
    share = till.record(Share(spelling, usd("3.00")), by="cash", key="k-2")
    till.write_off(spelling, reason="small", key="k-3", amount=usd("1.00"))

    assert till.invoice(spelling).open == usd("6.00")
    assert len(till.allocations(spelling)) == 2
    assert paid.status is share.status is PaymentStatus.SUCCEEDED
    till.void(spelling, reason="typed twice")
    assert till.invoice(COMPOSED).open == usd("0.00")


@pytest.mark.parametrize("spelling", OTHERS)
def test_the_same_call_in_another_spelling_is_the_same_call(till: Cashier, spelling: str) -> None:
    issue(till)
    calls: list[Callable[[str], Any]] = [
        lambda s: till.collect(s, via="card", method="tok_visa", key=s, amount=usd("2.00")).id,
        lambda s: till.record(s, by="check", key=s, amount=usd("2.00"), reference=s).id,
        lambda s: till.write_off(s, reason=s, key=s, amount=usd("1.00")).id,
        lambda s: till.top_up(s, usd("5.00"), via="card", method="tok_visa", key=s).id,
        lambda s: till.pay_from_credit(s, key=s, amount=usd("1.00")).id,
        lambda s: till.enroll(s, via="card", method="tok_visa", key=s).id,
    ]

    for call in calls:
        assert call(COMPOSED) == call(spelling)

    assert till.invoice(COMPOSED).open == usd("6.00")
    assert till.payments(oldest_first=True)[1].reference == COMPOSED


@pytest.mark.parametrize("spelling", OTHERS)
def test_a_customer_is_found_in_whatever_spelling(till: Cashier, spelling: str) -> None:
    issue(till)
    till.save_customer(Customer(spelling, email="m@mail.example"))
    till.enroll(COMPOSED, via="card", method="tok_visa", key="k")
    till.record([], customer=spelling, by="cash", key="k-2", amount=usd("4.00"))

    for who in (spelling, Customer(spelling)):
        assert len(till.invoices(customer=who)) == len(till.open_invoices(who)) == 1
        assert len(till.payments(customer=who)) == len(till.methods(who)) == 1
        assert till.balance(who) == {"USD": usd("4.00")}
        assert len(till.credits(who)) == 1
    saved = till.customer(spelling)
    assert saved is not None
    assert (saved.id, saved.email) == (COMPOSED, "m@mail.example")
    till.erase_contact(spelling)
    assert till.customer(COMPOSED) == Customer(COMPOSED)


def test_a_key_in_another_spelling_has_the_same_name_at_the_gateway(tmp_path: Path) -> None:
    sent: list[str] = []
    for number, spelling in enumerate(SPELLINGS):
        file, card = tmp_path / f"{number}.db", FakeGateway(clock=FakeClock())
        with Cashier.open(f"sqlite:///{file}", gateways={"card": card}) as till:
            issue(till)
            till.collect(spelling, via="card", method="tok_visa", key=spelling)
        connection = sqlite3.connect(file)
        sent += [row[0] for row in connection.execute("SELECT gateway_key FROM paygate_attempt")]
        connection.close()

    assert len(sent) == len(SPELLINGS)
    assert len(set(sent)) == 1


@pytest.mark.parametrize("spelling", OTHERS)
def test_the_document_of_a_reversal_has_one_number(till: Cashier, spelling: str) -> None:
    issue(till)
    paid = till.record(COMPOSED, by="check", key="k")

    done = till.reverse(paid, reason="bounced", number=spelling)

    assert done.number == COMPOSED
    assert till.reverse(paid, reason="bounced", number=COMPOSED) == done


BAD = "N-7\x1b]0;OWNED\x07"
NAMES = {"number", "key", "reference", "customer", "payer", "name"}
NOTES = {"reason", "evidence", "force_reason", "description"}
# What each verb needs besides, to come as far as the argument that is tried.
NEEDS: dict[str, Any] = {
    "callback": 1,
    "line": "bln_1",
    "content": b"01,",
    "currency": "USD",
    "link": "L",
    "given": "g",
    "token": "t",
    "secret": "s",
    "api_key": "k",
    "scopes": ["read"],
    "digest": "d",
    "work": print,
    "number": "N-1",
    "assignment_key": "O-1",
    "prepayment": "p",
    "customer": "C-1",
    "total": usd("1.00"),
    "series": "S-{n}",
    "due": "2031-03-01",
    "invoice": "A",
    "items": "A",
    "by": "cash",
    "key": "k",
    "payment": "PAID",
    "write_off_": "w",
    "outcome": Ended(how=Ending.CANCELED),
    "change": "c",
    "invoices": (),
    "amount": usd("1.00"),
    "via": "card",
    "method": "tok_visa",
    "handler": print,
    "receipt": "r",
    "reference": "till",
    "account": "till",
    "reason": "because",
    "evidence": "seen",
    "replacement": "r",
    "document": Document(content=b"terms", media_type="text/plain", name="terms.txt"),
    "letterhead": Letterhead(name="Acme"),
    "source": (),
    "name": "fibre",
    "start": "2031-03-01",
    "months": 12,
    "until": "2031-03-01",
    "commitment": "c",
}
# What an argument needs with it that can otherwise be left out.
WITH: dict[tuple[str, str], set[str]] = {
    ("issue", "customer"): {"number", "total"},
    ("issue", "number"): {"total"},
    ("issue", "key"): {"series", "total"},
    ("draft", "customer"): {"total"},
    ("draft", "key"): {"total"},
}


# A look-up finds nothing by it.
READS_OF_CUSTOMERS = {
    *("methods", "invoices", "open_invoices", "payments", "credits", "balance", "erase_contact"),
    *("payer_numbers", "prepayments", "links", "statement"),
}


LOOK_UPS = {
    *(("invoice", "number"), ("payment_by_reference", "reference"), ("document", "name")),
}
"""They find a record, or say that there is none."""


def _tried() -> list[tuple[str, str]]:
    return [
        (verb, argument)
        for verb, source in each_verb(Cashier).items()
        for argument in inspect.signature(source.flow).parameters
        if argument in NAMES | NOTES
        and (verb, argument)
        not in (("invoice", "number"), ("payment_by_reference", "reference"), ("document", "name"))
        and not (argument == "customer" and verb in READS_OF_CUSTOMERS)
    ]


@pytest.mark.parametrize(("verb", "argument"), _tried())
def test_what_cannot_be_printed_is_refused_by_its_argument(
    till: Cashier, verb: str, argument: str
) -> None:
    issue(till, "A")
    paid = till.record("A", by="check", key="before", amount=usd("2.00"))
    events = till.events()
    parameters = inspect.signature(each_verb(Cashier)[verb].flow).parameters
    given = {
        name: paid.id if NEEDS[name] == "PAID" else NEEDS[name]
        for name, parameter in parameters.items()
        if name in NEEDS
        and (
            parameter.default is inspect.Parameter.empty
            or name == "method"
            or name in WITH.get((verb, argument), ())
        )
    }
    wrong = Customer(BAD) if argument == "payer" or verb == "save_customer" else BAD

    with pytest.raises(InvalidValue, match=f"{argument} (must|can)") as refused:
        getattr(till, verb)(**{**given, argument: wrong})

    assert str(refused.value).isprintable()
    assert till.events() == events


def test_a_look_up_of_what_cannot_be_printed_finds_nothing(till: Cashier) -> None:
    issue(till)

    with pytest.raises(InvoiceNotFound) as refused:
        till.invoice(BAD)
    assert str(refused.value).isprintable()
    assert till.customer(BAD) is None
    assert [*till.invoices(customer=BAD), *till.credits(BAD), *till.methods(BAD)] == []


def test_a_tenant_and_an_actor_are_printable() -> None:
    wrongs: list[dict[str, Any]] = [{"tenant": BAD}, {"actor": BAD}, {"tenant": ""}]
    for wrong in wrongs:
        with pytest.raises(InvalidValue, match=f"{next(iter(wrong))} must be 1 to"):
            Cashier.in_memory(**wrong)
    with Cashier.in_memory() as till, pytest.raises(InvalidValue, match="actor must be"):
        till.acting_as(BAD)
