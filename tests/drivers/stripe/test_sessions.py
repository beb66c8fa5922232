"""Stripe's own page, as a redirect: opened, paid, expired, closed."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from paygate.dialogue import Request
from paygate.domain.action import Redirect
from paygate.domain.charging import ChargeLine
from paygate.domain.customer import Customer
from paygate.domain.kind import Kind, Operation
from paygate.domain.money import Money
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    Declined,
    Ended,
    Ending,
    Finding,
    NotFound,
    Pending,
    RejectCause,
    Rejected,
    Unknown,
)
from paygate.domain.secret import OneTimeToken
from paygate.drivers.stripe import Stripe
from paygate.errors import BadResponse, Unsupported
from paygate.gateway import Charge, Completion, Withdrawal
from paygate.testing.play import play
from tests.drivers.stripe.conftest import NOON, answers, charge, inquiry, intent, paid, refuses
from tests.drivers.stripe.test_charge import ADA, WHERE, of_shipping

BACK = "https://shop.example/back"


def asked(**given: Any) -> Charge:
    return charge(**{"kind": Kind.REDIRECT, "method": None, "return_url": BACK, **given})


def page(status: str = "open", **given: Any) -> dict[str, Any]:
    return {
        "id": "cs_1",
        "object": "checkout.session",
        "livemode": False,
        "mode": "payment",
        "status": status,
        "payment_status": "unpaid",
        "amount_total": 1099,
        "currency": "usd",
        "url": "https://checkout.stripe.com/c/cs_1",
        "expires_at": NOON + 86400,
        "payment_intent": None,
        **given,
    }


OPEN = ActionRequired(
    action=Redirect(url="https://checkout.stripe.com/c/cs_1"),
    reference="cs_1",
    expires_at=datetime(2026, 8, 4, 12, tzinfo=UTC),
)
PAID = page("complete", payment_status="paid", payment_intent=paid())


def form_of(request: Request) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode(), keep_blank_values=True))


def test_a_page_is_opened_for_one_amount(stripe: Stripe) -> None:
    payer = Customer("C-1", email="ada@example.com")

    played = play(stripe.charge(asked(invoices=("INV-7",), payer=payer)), answers(page()))

    (request,) = played.requests
    assert not request.moves_money
    assert form_of(request) == {
        "mode": "payment",
        "success_url": BACK,
        "cancel_url": BACK,
        "payment_method_types[0]": "card",
        "line_items[0][price_data][currency]": "usd",
        "line_items[0][price_data][unit_amount]": "1099",
        "line_items[0][price_data][product_data][name]": "INV-7",
        "line_items[0][quantity]": "1",
        "client_reference_id": "att_1",
        "metadata[paygate_payment]": "pay_1",
        "metadata[paygate_attempt]": "att_1",
        "payment_intent_data[metadata][paygate_payment]": "pay_1",
        "payment_intent_data[metadata][paygate_attempt]": "att_1",
        "payment_intent_data[metadata][paygate_invoices]": "INV-7",
        "customer_email": "ada@example.com",
    }
    assert played.outcome == OPEN


def test_a_page_shows_a_line_for_each_invoice(stripe: Stripe) -> None:
    lines = (ChargeLine("INV-7", Money("USD", 1000)), ChargeLine("INV-8", Money("USD", 99)))
    given = {"invoices": ("INV-7", "INV-8"), "lines": lines, "description": "Rent"}

    form = form_of(play(stripe.charge(asked(**given)), answers(page())).requests[0])

    assert [
        (
            form[f"line_items[{number}][price_data][product_data][name]"],
            form[f"line_items[{number}][price_data][unit_amount]"],
        )
        for number in (0, 1)
    ] == [("INV-7", "1000"), ("INV-8", "99")]
    assert form["payment_intent_data[description]"] == "Rent"


def test_a_page_for_more_than_the_invoices_has_one_line_for_all_of_it(stripe: Stripe) -> None:
    lines = (ChargeLine("INV-7", Money("USD", 1000)), ChargeLine("INV-8", Money("USD", 9)))

    form = form_of(play(stripe.charge(asked(lines=lines)), answers(page())).requests[0])

    assert form["line_items[0][price_data][unit_amount]"] == "1099"
    assert "line_items[1][quantity]" not in form


def test_a_page_keeps_the_hosts_facts_with_its_payment(stripe: Stripe) -> None:
    given = {"metadata": {"boat": "Ida"}, "statement_suffix": "ROW", "receipt_email": "a@b.example"}

    form = form_of(play(stripe.charge(asked(**given)), answers(page())).requests[0])

    assert form["payment_intent_data[metadata][boat]"] == "Ida"
    assert form["payment_intent_data[statement_descriptor_suffix]"] == "ROW"
    assert form["payment_intent_data[receipt_email]"] == "a@b.example"


def test_a_page_stores_the_card_with_the_customer_that_stripe_has(stripe: Stripe) -> None:
    known = answers({"id": "cus_4", "object": "customer", "livemode": False})
    payer = Customer("C-1", email="ada@example.com")
    given = {"store_method": True, "customer_reference": "cus_4", "payer": payer}

    form = form_of(play(stripe.charge(asked(**given)), known, answers(page())).requests[1])

    assert form["customer"] == "cus_4"
    assert form.keys().isdisjoint({"customer_creation", "customer_email"})


def test_a_page_may_store_the_card(stripe: Stripe) -> None:
    form = form_of(play(stripe.charge(asked(store_method=True)), answers(page())).requests[0])

    assert form["payment_intent_data[setup_future_usage]"] == "off_session"
    assert form["customer_creation"] == "always"


@pytest.mark.parametrize(
    "given",
    [
        {"return_url": ""},
        {"method": OneTimeToken.of("pm_card_visa")},
        {"amount": Money("BTC", 5)},
        {"moto": True},
        {"ship_to": Customer("C-9", name="Ada")},
    ],
)
def test_what_the_page_cannot_do_is_refused_before_anything_is_sent(
    stripe: Stripe, given: dict[str, Any]
) -> None:
    with pytest.raises(Unsupported):
        stripe.charge(asked(**given))


def test_a_page_is_told_who_gets_the_goods(stripe: Stripe) -> None:
    (request,) = play(stripe.charge(asked(ship_to=ADA)), answers(page())).requests

    assert of_shipping(form_of(request), "payment_intent_data") == WHERE


def test_a_page_that_stripe_does_not_open_is_a_rejection(stripe: Stripe) -> None:
    outcome = play(stripe.charge(asked()), refuses(400, code="amount_too_small")).outcome

    assert isinstance(outcome, Rejected)


@pytest.mark.parametrize(
    ("told", "finding"),
    [
        (page(), OPEN),
        (page("expired", url=None), Ended(how=Ending.EXPIRED, reference="cs_1")),
        (
            page("complete", payment_intent=intent("processing")),
            Pending(reference="pi_1"),
        ),
        (
            page("complete", payment_intent=intent("requires_confirmation")),
            Pending(reference="cs_1"),
        ),
        (page("odd"), Unknown(reason="Stripe says 'odd' of a page", reference="cs_1")),
    ],
)
def test_a_page_tells_what_became_of_it(
    stripe: Stripe, told: dict[str, Any], finding: Finding
) -> None:
    played = play(stripe.look_up(inquiry(reference="cs_1")), answers(told))

    (request,) = played.requests
    parts = urlsplit(request.url)
    assert parts.path == "/v1/checkout/sessions/cs_1"
    assert dict(parse_qsl(parts.query)) == {"expand[0]": "payment_intent.latest_charge"}
    assert played.outcome == finding


def test_a_paid_page_is_money_under_the_name_that_disputes_will_use(stripe: Stripe) -> None:
    found = play(stripe.look_up(inquiry(reference="cs_1")), answers(PAID)).outcome

    assert isinstance(found, Approved)
    assert found.reference == "pi_1"
    assert [(each.movement_id, each.amount) for each in found.movements] == [
        ("ch_1", Money("USD", 1099))
    ]


def test_a_page_whose_payment_failed_is_declined(stripe: Stripe) -> None:
    failed = intent("requires_payment_method", last_payment_error={"code": "card_declined"})

    found = play(
        stripe.look_up(inquiry(reference="cs_1")), answers(page("complete", payment_intent=failed))
    ).outcome

    assert isinstance(found, Declined)


@pytest.mark.parametrize(
    "told",
    [
        page(amount_total=1100),
        page(currency="eur"),
        page(livemode=True),
        page(id="cs_2"),
        page(object="payment_intent"),
        page(url=None),
        page(url="http://evil/"),
        page("complete", payment_status="paid", payment_intent="pi_1"),
        page("complete", payment_status="paid", payment_intent=intent("processing")),
        page("complete", payment_status="no_payment_required"),
    ],
)
def test_a_page_that_is_not_what_was_asked_for_is_a_bad_reply(
    stripe: Stripe, told: dict[str, Any]
) -> None:
    with pytest.raises(BadResponse):
        play(stripe.look_up(inquiry(reference="cs_1")), answers(told))


def test_the_payer_coming_back_proves_nothing_by_itself(stripe: Stripe) -> None:
    completion = Completion(
        key="k8",
        our_ref="att_2",
        payment="pay_1",
        reference="cs_1",
        amount=Money("USD", 1099),
        parameters={"session_id": "cs_1", "paid": "yes"},
    )

    assert play(stripe.complete(completion), answers(page())).outcome == OPEN
    assert isinstance(play(stripe.complete(completion), answers(PAID)).outcome, Approved)


def withdrawal() -> Withdrawal:
    return Withdrawal(key="k8", our_ref="att_2", payment="pay_1", reference="cs_1")


def test_a_page_is_closed(stripe: Stripe) -> None:
    played = play(stripe.withdraw(withdrawal()), answers(page("expired")))

    assert urlsplit(played.requests[0].url).path == "/v1/checkout/sessions/cs_1/expire"
    assert played.notes == ["cs_1"]
    assert played.outcome == Approved(reference="cs_1")


def test_a_page_that_ended_by_itself_is_closed(stripe: Stripe) -> None:
    outcome = play(stripe.withdraw(withdrawal()), refuses(400), answers(page("expired"))).outcome

    assert outcome == Approved(reference="cs_1")


def test_a_page_that_was_paid_meanwhile_is_not_closed(stripe: Stripe) -> None:
    outcome = play(stripe.withdraw(withdrawal()), refuses(400), answers(PAID)).outcome

    assert isinstance(outcome, Rejected)
    assert outcome.cause is RejectCause.STATE


def test_a_lost_closing_shows_on_the_page(stripe: Stripe) -> None:
    lost = inquiry(operation=Operation.WITHDRAW, reference="cs_1")

    assert play(stripe.look_up(lost), answers(page("expired"))).outcome == Approved(
        reference="cs_1"
    )
    assert play(stripe.look_up(lost), answers(page())).outcome == NotFound()


def test_the_sheets_sample_of_a_page_is_read(stripe: Stripe, protocols: Path) -> None:
    told = json.loads((protocols / "stripe" / "fixtures-2026-08.json").read_text())
    sample = {**told["checkout.session"], "amount_total": 1099, "currency": "usd"}

    found = play(stripe.look_up(inquiry(reference=sample["id"])), answers(sample)).outcome

    assert isinstance(found, ActionRequired)


def test_the_way_back_survives_the_form_with_its_parameters(stripe: Stripe) -> None:
    back = f"{BACK}?order=7%2F8&lang=de+CH&payment=pay_1#top"

    played = play(stripe.charge(asked(return_url=back)), answers(page()))

    (request,) = played.requests
    assert form_of(request)["success_url"] == form_of(request)["cancel_url"] == back
    assert b"order=7%2F8&lang" not in request.body
