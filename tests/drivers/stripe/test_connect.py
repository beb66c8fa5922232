"""Stripe Connect: in whose name a charge is made, and who gets a part of it."""

from typing import Any
from urllib.parse import parse_qsl

import pytest
from pydantic import ValidationError

from paygate.dialogue import Request
from paygate.drivers.stripe import Stripe
from paygate.errors import InvalidValue
from paygate.gateway import Refunding
from paygate.testing.play import play
from tests.drivers.stripe.conftest import answers, charge, intent, paid, settings

SELLER = "acct_1Seller"


def form_of(request: Request) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode()))


def created(stripe: Stripe, **metadata: str) -> Request:
    dialogue = stripe.charge(charge(metadata=metadata))
    first, _ = play(dialogue, answers(intent("requires_confirmation")), answers(paid())).requests
    return first


def test_everything_is_done_in_the_name_of_the_connected_account() -> None:
    stripe = Stripe(settings(connected_account=SELLER, account="acct_platform"))

    requests = play(
        stripe.charge(charge()), answers(intent("requires_confirmation")), answers(paid())
    ).requests

    assert {each.headers["Stripe-Account"] for each in requests} == {SELLER}
    assert stripe.traits.merchant_account == SELLER


def test_without_it_the_account_is_our_own() -> None:
    assert "Stripe-Account" not in created(Stripe(settings())).headers


def test_a_charge_is_transferred_less_the_fee_of_the_platform() -> None:
    stripe = Stripe(settings(transfer_fact="seller", fee_fact="fee"))

    sent = form_of(created(stripe, seller=SELLER, fee="1.25", boat="Ida"))

    assert sent["transfer_data[destination]"] == SELLER
    assert sent["application_fee_amount"] == "125"
    assert sent["metadata[boat]"] == "Ida"
    assert sent.keys().isdisjoint({"metadata[seller]", "metadata[fee]"})


def test_a_charge_that_says_nothing_is_transferred_to_nobody() -> None:
    sent = form_of(created(Stripe(settings(transfer_fact="seller", fee_fact="fee"))))

    assert not [name for name in sent if name.startswith(("transfer_data", "application_fee"))]


@pytest.mark.parametrize(
    "metadata",
    [
        {"seller": "Ada"},
        {"seller": SELLER, "fee": "11.00"},
        {"seller": SELLER, "fee": "0.00"},
        {"fee": "1.25"},
    ],
)
def test_what_is_not_valid_is_refused_before_anything_is_sent(metadata: dict[str, Any]) -> None:
    stripe = Stripe(settings(transfer_fact="seller", fee_fact="fee"))

    with pytest.raises(InvalidValue):
        play(stripe.charge(charge(metadata=metadata)))


def test_a_refund_is_taken_back_from_the_account_if_that_is_wanted() -> None:
    stripe = Stripe(settings(refunds_reverse_transfers=True))
    refunding = Refunding(
        key="k",
        our_ref="att_2",
        payment="pay_1",
        reference="pi_1",
        movement_id="ch_1",
        amount=charge().amount,
    )

    dialogue = stripe.refund(refunding)
    next(dialogue)
    request = dialogue.send(None)  # type: ignore[arg-type]

    assert isinstance(request, Request)
    assert form_of(request)["reverse_transfer"] == "true"


def test_a_connected_account_has_no_transfers() -> None:
    with pytest.raises(ValidationError):
        settings(connected_account=SELLER, transfer_fact="seller")
