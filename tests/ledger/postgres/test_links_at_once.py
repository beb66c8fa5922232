"""Forms of payment links that many processes take at once: each is charged once, or not at all."""

from collections.abc import Iterator
from functools import partial

import pytest

from paygate import Cashier, LinkStatus, Money, Payment, PaymentLink
from paygate.errors import PageNotFound
from tests.ledger.postgres.races import TOTAL, WRITERS, Act, Office, play

TIMES = 6
FIVE = Money.of("USD", "5.00")


@pytest.fixture
def office(url: str) -> Iterator[Office]:
    office = Office(url)
    yield office
    assert office.first.fsck() == []
    office.close()


def send(office: Office, link: PaymentLink, *, tabs: int, amount: Money | None = None) -> list[Act]:
    """Return a call for each process, which sends the form of one of so many *tabs*."""
    assert link.token is not None
    token = link.token
    forms = [office.first.begin_try(link).value for _ in range(tabs)]

    def pay(cashier: Cashier, number: int) -> Payment:
        given = forms[number % tabs]
        return cashier.pay_link(token, given=given, via="card", method="tok_visa", amount=amount)

    return office.acts(pay)


def paid_by(office: Office, link: PaymentLink) -> list[Payment]:
    return [each for each in office.first.payments(limit=1000) if each.link == link.id]


def test_one_form_is_charged_once_in_all_processes(office: Office) -> None:
    for number in range(TIMES):
        link = office.first.link(office.invoice(), key=f"k-{number}")
        before = office.card.moved("USD")

        played = play(send(office, link, tabs=1))

        assert played.errors == []
        assert len(paid_by(office, link)) == 1
        assert office.card.moved("USD") - before == TOTAL


def test_two_tabs_of_a_link_are_charged_once_in_all_processes(office: Office) -> None:
    for number in range(TIMES):
        link = office.first.link(office.invoice(), key=f"k-{number}")
        before = office.card.moved("USD")

        played = play(send(office, link, tabs=WRITERS))

        assert played.errors == []
        assert played.refused == WRITERS - 1
        assert office.card.moved("USD") - before == TOTAL
        assert office.first.link_by_id(link).status is LinkStatus.USED


def test_a_link_for_one_payment_is_paid_once_in_all_processes(office: Office) -> None:
    for number in range(TIMES):
        link = office.first.link(office.invoice(), key=f"k-{number}", uses=1, amount=(FIVE, TOTAL))
        before = office.card.moved("USD")

        played = play(send(office, link, tabs=WRITERS, amount=FIVE))

        assert played.errors == []
        assert office.card.moved("USD") - before == FIVE


def test_nothing_is_charged_after_a_link_was_revoked(office: Office) -> None:
    for number in range(TIMES):
        link = office.first.link(office.invoice(), key=f"k-{number}")
        acts = send(office, link, tabs=WRITERS)
        acts[0] = partial(office.first.revoke_link, link, reason="sent to the wrong person")

        played = play(acts)

        assert [each for each in played.errors if not each.startswith(PageNotFound.__name__)] == []
        told = [each for each in office.first.events(limit=1000) if link.id in str(each.data)]
        types = [each.type for each in told]
        assert "payment.started" not in types[types.index("link.revoked") :]
