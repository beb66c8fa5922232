"""Authorize.Net's own form: opened, come back from, and looked up."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from paygate.domain.action import PostForm
from paygate.domain.kind import Kind, Operation
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    Declined,
    Ended,
    Outcome,
    RejectCause,
    Rejected,
)
from paygate.domain.secret import Secret
from paygate.drivers.authorize_net import AuthorizeNet
from paygate.drivers.authorize_net.fields import order_number
from paygate.drivers.authorize_net.hosted import COMMUNICATOR_PAGE
from paygate.errors import BadResponse, UsageError
from paygate.gateway import Charge, Completion
from paygate.testing.play import Played, play
from tests.drivers.authorize_net.conftest import (
    OK,
    PAYER,
    T,
    answers,
    batch,
    batches,
    charge,
    details,
    entry,
    in_batch,
    inquiry,
    refuses,
    sent,
    settings,
    unsettled,
    usd,
)

ORDER = order_number("k7")
NOW = datetime(2026, 11, 2, 13, 0, tzinfo=UTC)  # as the answers say
BACK = "https://shop.example/back?a=1&b=2"
TOKEN = "x" * 900 + "==.89nE4Beh"
FORM = answers("getHostedPaymentPageResponse", {"messages": OK, "token": TOKEN})


def asked(**given: Any) -> Charge:
    return charge(**{"kind": Kind.REDIRECT, "method": None, "return_url": BACK, **given})


def told_settings(played: Played[Outcome]) -> dict[str, Any]:
    (request,) = played.requests
    found = sent(request)["getHostedPaymentPageRequest"]["hostedPaymentSettings"]["setting"]
    return {one["settingName"]: json.loads(one["settingValue"]) for one in found}


def test_a_form_is_opened_under_our_name(net: AuthorizeNet) -> None:
    played = play(net.charge(asked(payer=PAYER, invoices=("INV-1", "INV-2"))), FORM)

    (request,) = played.requests
    assert not request.moves_money
    told = sent(request)["getHostedPaymentPageRequest"]["transactionRequest"]
    assert told["transactionType"] == "authCaptureTransaction"
    assert told["amount"] == "12.50"
    assert told["order"] == {"invoiceNumber": ORDER, "description": "INV-1, INV-2"}
    assert told.keys().isdisjoint({"payment", "profile"})
    assert played.outcome == ActionRequired(
        action=PostForm(
            url="https://test.authorize.net/payment/payment",
            token_field="token",
            token=Secret(TOKEN),
        ),
        reference=ORDER,
        expires_at=datetime(2026, 11, 2, 13, 15, tzinfo=UTC),
    )
    assert TOKEN not in repr(played.outcome)


def test_a_live_form_is_where_live_forms_are() -> None:
    outcome = play(AuthorizeNet(settings(live=True)).charge(asked()), FORM).outcome

    assert isinstance(outcome, ActionRequired)
    assert isinstance(outcome.action, PostForm)
    assert outcome.action.url == "https://accept.authorize.net/payment/payment"


def test_the_form_is_told_where_to_send_the_payer(net: AuthorizeNet) -> None:
    told = told_settings(play(net.charge(asked()), FORM))

    assert told["hostedPaymentReturnOptions"] == {
        "showReceipt": False,
        "url": BACK,
        "urlText": "Continue",
        "cancelUrl": BACK,
        "cancelUrlText": "Back",
    }
    assert told["hostedPaymentPaymentOptions"]["showBankAccount"] is True
    assert "hostedPaymentIFrameCommunicatorUrl" not in told


def test_the_form_shows_who_gets_the_goods_only_if_it_was_given(net: AuthorizeNet) -> None:
    without = play(net.charge(asked(payer=PAYER)), FORM)
    shipped = play(net.charge(asked(payer=PAYER, ship_to=PAYER)), FORM)

    told = sent(shipped.requests[0])["getHostedPaymentPageRequest"]["transactionRequest"]
    assert list(told)[-2:] == ["billTo", "shipTo"]
    assert told["shipTo"]["zip"] == "98004"
    name = "hostedPaymentShippingAddressOptions"
    assert told_settings(shipped)[name] == {"show": True, "required": False}
    assert told_settings(without)[name] == {"show": False, "required": False}


def test_within_an_iframe_it_speaks_through_our_page() -> None:
    net = AuthorizeNet(
        settings(
            communicator_url="https://shop.example/communicator",
            hosted_bank_accounts=False,
            merchant_name="The Club",
        )
    )

    told = told_settings(play(net.charge(asked(return_url="")), FORM))

    assert told["hostedPaymentIFrameCommunicatorUrl"] == {
        "url": "https://shop.example/communicator"
    }
    assert told["hostedPaymentReturnOptions"] == {"showReceipt": False}
    assert told["hostedPaymentPaymentOptions"]["showBankAccount"] is False
    assert told["hostedPaymentOrderOptions"]["merchantName"] == "The Club"
    assert not net.traits.rails[Kind.REDIRECT].needs_return_url


def test_the_communicator_passes_on_to_its_own_origin_only() -> None:
    assert "postMessage({ authorizeNet: text }, window.location.origin)" in COMMUNICATOR_PAGE
    assert r"/^https:\/\/[a-z]+\.authorize\.net$/" in COMMUNICATOR_PAGE


def test_a_form_cannot_be_closed(net: AuthorizeNet) -> None:
    rail = net.traits.rails[Kind.REDIRECT]

    assert not rail.withdrawable
    assert not net.traits.offers(Kind.REDIRECT, Operation.WITHDRAW)
    assert rail.payer_present


def test_a_form_needs_a_way_back(net: AuthorizeNet) -> None:
    with pytest.raises(UsageError, match="return_url"):
        net.charge(asked(return_url=""))


@pytest.mark.parametrize(
    ("code", "cause"),
    [("E00007", RejectCause.CREDENTIALS), ("E00122", RejectCause.PERMISSION)],
)
def test_a_form_that_is_refused_says_why(net: AuthorizeNet, code: str, cause: RejectCause) -> None:
    outcome = play(net.charge(asked()), refuses(code)).outcome

    assert isinstance(outcome, Rejected)
    assert outcome.cause is cause


def test_a_form_without_a_token_is_none(net: AuthorizeNet) -> None:
    with pytest.raises(BadResponse, match="token"):
        play(net.charge(asked()), answers("getHostedPaymentPageResponse", {"messages": OK}))


# --- The way back -----------------------------------------------------------------------------


def completion(**parameters: str) -> Completion:
    return Completion(
        key="k-complete",
        our_ref="att_9",
        payment="pay_1",
        reference=ORDER,
        amount=usd("12.50"),
        parameters=parameters,
    )


PAID = entry("capturedPendingSettlement", invoiceNumber=ORDER)


def test_what_was_paid_is_looked_up(net: AuthorizeNet) -> None:
    played = play(net.complete(completion()), unsettled(PAID), details("capturedPendingSettlement"))

    assert not any(request.moves_money for request in played.requests)
    assert isinstance(played.outcome, Approved)
    assert played.outcome.reference == T


def test_what_the_browser_says_shortens_the_way(net: AuthorizeNet) -> None:
    told = details("capturedPendingSettlement", order=ORDER)

    played = play(net.complete(completion(transId=T)), told)

    assert isinstance(played.outcome, Approved)


@pytest.mark.parametrize("named", ["1", "' or 1", ""])
def test_what_the_browser_says_is_not_believed(net: AuthorizeNet, named: str) -> None:
    another = [details("settledSuccessfully", order="another", transId="1")] if named == "1" else []

    played = play(net.complete(completion(transId=named)), *another, unsettled())

    assert played.outcome == ActionRequired(action=None, reference=ORDER)


def test_a_declined_try_is_told(net: AuthorizeNet) -> None:
    tried = entry("declined", invoiceNumber=ORDER)

    outcome = play(
        net.complete(completion()), unsettled(tried), details("declined", reason="2")
    ).outcome

    assert isinstance(outcome, Declined)
    assert outcome.reference == ORDER, "the next try has the same name, and is to be found by it"


# --- The end --------------------------------------------------------------------------------


TRIED = entry("declined", invoiceNumber=ORDER)


@pytest.mark.parametrize(("hours", "type_"), [(1, Declined), (3, Ended)])
def test_a_form_on_which_every_try_was_declined_ends(
    net: AuthorizeNet, hours: int, type_: type[Outcome]
) -> None:
    asked_ = inquiry(reference=ORDER, sent_at=NOW - timedelta(hours=hours))

    finding = play(
        net.look_up(asked_), unsettled(TRIED), batches(), details("declined", reason="2")
    ).outcome

    assert type(finding) is type_
    assert getattr(finding, "reference", "") == ORDER


def test_what_was_paid_after_a_declined_try_is_found_though_it_has_settled(
    net: AuthorizeNet,
) -> None:
    paid = entry("settledSuccessfully", transId="7", invoiceNumber=ORDER)

    finding = play(
        net.look_up(inquiry(reference=ORDER)),
        unsettled(TRIED),
        batches(batch("1"), batch("2")),
        in_batch(TRIED),
        in_batch(paid),
        details("settledSuccessfully", transId="7"),
    ).outcome

    assert isinstance(finding, Approved)
    assert finding.reference == "7"
