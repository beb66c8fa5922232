"""Remita: what is believed, what money moves, and in which order it is told."""

import itertools
import json
import logging
import random
from collections.abc import Callable
from typing import Any

import pytest

from paygate import Cashier, Customer, Money, PaymentStatus
from paygate.dialogue import Response
from paygate.domain.kind import Kind, Operation
from paygate.domain.outcome import ActionRequired, Approved, Declined, NotFound, Rejected
from paygate.drivers.remita import Remita, RemitaSettings
from paygate.drivers.remita.codes import CAUSES, OUR_FAULT, PAID, TRIES
from paygate.errors import BadResponse, CredentialsRejected, NotAuthentic, UsageError
from paygate.gateway import Callback, CallbackStyle, Charge, Inquiry, Notice
from paygate.testing import FakeClock
from paygate.testing.conformance.subject import NOW, PAYER
from paygate.testing.play import play
from tests.drivers.wallet_shop import ADA, BACK, WalletShop
from tests.support.simulated_remita import BROKEN, EMPTY, HTML, SimulatedRemita

TOKEN = "a-long-random-text-of-our-own"
SETTINGS: dict[str, Any] = {
    "merchant_id": "2547916",
    "service_type_id": "4430731",
    "api_key": "simulated-key",
    "callback_tokens": TOKEN,
}
RRR, ORDER = "140008260136", "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
NAIRA = Money("NGN", 2_100_000)


def remita(**given: Any) -> Remita:
    return Remita(RemitaSettings.model_validate({**SETTINGS, **given}))


def callback(body: bytes, query: str = f"token={TOKEN}") -> Callback:
    return Callback(method="POST", path="/", headers={}, query=query, body=body, received_at=NOW)


def inquiry(**given: Any) -> Inquiry:
    facts: dict[str, Any] = {
        "operation": Operation.CHARGE,
        "key": "k",
        "our_ref": ORDER,
        "payment": "pay",
        "reference": RRR,
        "amount": NAIRA,
        "sent_at": NOW,
    }
    return Inquiry(**{**facts, **given})


def charge(**given: Any) -> Charge:
    facts: dict[str, Any] = {
        "key": "k",
        "our_ref": ORDER,
        "payment": "pay",
        "amount": NAIRA,
        "kind": Kind.REDIRECT,
        "payer": PAYER,
        "return_url": "https://shop.example/back",
    }
    return Charge(**{**facts, **given})


def shows(**changed: Any) -> dict[str, Any]:
    facts = {"amount": 21000, "RRR": RRR, "orderId": ORDER, "message": "Approved", "status": "01"}
    return {name: each for name, each in {**facts, **changed}.items() if each is not None}


def answered(value: Any) -> Response:
    return Response(status=200, body=json.dumps(value).encode())


# --- What an inquiry shows ------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"orderId": "someone-else"},
        {"orderId": None},
        {"RRR": "140008260137"},
        {"amount": None},
        {"amount": 0},
        {"amount": "21 000"},
        {"amount": "21,00.00"},
        {"amount": "21000,00"},
        {"amount": -21000},
        {"amount": 21000.123},
        {"status": None},
    ],
)
def test_a_paid_answer_that_is_not_about_this_payment_pays_nothing(changed: dict[str, Any]) -> None:
    with pytest.raises(BadResponse):
        play(remita().look_up(inquiry()), answered(shows(**changed)))


@pytest.mark.parametrize(
    "text", [21000, 21000.0, "21000", "21000.00", "21,000.00", "21,000"], ids=repr
)
def test_an_amount_is_read_with_or_without_separators(text: Any) -> None:
    found = play(remita().look_up(inquiry()), answered(shows(amount=text))).outcome

    assert isinstance(found, Approved)
    assert [(each.movement_id, each.amount) for each in found.movements] == [(RRR, NAIRA)]


@pytest.mark.parametrize(
    "code", [*(f"{number:02}" for number in range(100)), "777", "", "1"], ids=repr
)
def test_only_two_codes_mean_paid_and_a_new_one_is_open(code: str) -> None:
    if code in OUR_FAULT or not code:
        with pytest.raises(BadResponse):
            play(remita().look_up(inquiry()), answered(shows(status=code)))
        return
    found = play(remita().look_up(inquiry()), answered(shows(status=code))).outcome

    assert isinstance(found, Approved) == (code in PAID)
    assert isinstance(found, Declined) == (code in TRIES)
    assert isinstance(found, ActionRequired) == (code not in PAID and code not in TRIES)


@pytest.mark.parametrize("code", sorted(OUR_FAULT))
def test_a_wrong_hash_never_closes_a_payment(code: str) -> None:
    with pytest.raises(CredentialsRejected):
        play(remita().look_up(inquiry()), answered({"status": code, "message": "Invalid hash"}))


@pytest.mark.parametrize(
    "body",
    [b"", b"jsonp ()", b"jsonp", b"<html></html>", b"[]", b"({)", b"jsonp ({}) ({})", b"\xff"],
)
def test_an_answer_that_cannot_be_read_decides_nothing(body: bytes) -> None:
    with pytest.raises(BadResponse):
        play(remita().look_up(inquiry()), Response(status=200, body=body))


def test_an_answer_in_latin_1_is_read() -> None:
    body = json.dumps(shows(message="Payé à Abuja"), ensure_ascii=False).encode("latin-1")

    found = play(remita().look_up(inquiry()), Response(status=200, body=b"jsonp(" + body + b");"))
    assert isinstance(found.outcome, Approved)


def test_before_it_has_a_reference_a_payment_is_found_by_its_order() -> None:
    played = play(remita().look_up(inquiry(reference="")), answered(shows()))

    assert "orderstatus.reg" in played.requests[0].url
    assert isinstance(played.outcome, Approved)
    assert play(remita().look_up(inquiry()), Response(status=404)).outcome == NotFound()


# --- A new reference ------------------------------------------------------------------------


@pytest.mark.parametrize("amount", [20999, None, "21,0"])
def test_a_reference_of_another_amount_is_not_used_again(amount: Any) -> None:
    exists = answered({"statuscode": "028", "status": "Duplicate Order Ref"})
    known = answered(shows(status="021", amount=amount))

    with pytest.raises(BadResponse):
        play(remita().charge(charge()), exists, known)


@pytest.mark.parametrize("code", sorted(CAUSES))
def test_a_refusal_is_not_blamed_on_the_payer(code: str) -> None:
    found = play(remita().charge(charge()), answered({"statuscode": code, "status": "x"})).outcome

    assert isinstance(found, Rejected)
    assert (found.cause, found.retryable, found.raw_code) == (*CAUSES[code], code)


@pytest.mark.parametrize("lacks", ["name", "email", "phone"])
def test_dummy_data_of_the_payer_are_not_made_up(lacks: str) -> None:
    whole: dict[str, Any] = {"name": "Ada", "email": "ada@example.com", "phone": "080"}

    with pytest.raises(UsageError, match="phone"):
        remita().charge(charge(payer=Customer("C-1", **{**whole, lacks: ""})))


# --- Forged notifications -------------------------------------------------------------------


def forged(rng: random.Random) -> Callback:
    """Return a notification that nobody at Remita sent, with our token or without it."""
    member: dict[str, Any] = {
        "rrr": rng.choice([RRR, "140008260999", "", None, 140008260136, "x" * 300]),
        "channel": rng.choice(["CARDPAYMENT", "", None, ["x"]]),
        "amount": rng.choice([21000.0, 0, -1, "21,000.00", None, 1e300]),
        rng.choice(["orderId", "orderRef", "order"]): rng.choice([ORDER, "", None, 7, "a\nb"]),
        "status": rng.choice(["00", "01", "success"]),
    }
    value = rng.choice([[member], member, [member, 7], [[member]], {"data": [member]}])
    body = json.dumps(value).encode()
    if rng.random() < 0.3:
        at = rng.randrange(len(body))
        body = body[:at] + bytes([rng.randrange(256)]) + body[at + 1 :]
    queries = [f"token={TOKEN}", f"token={TOKEN}x", "token=", "", "token=a&token=b", "x=1"]
    return callback(body, rng.choice(queries))


def believed(count: int, seed: int) -> list[Notice]:
    """Return what *count* forged notifications bring about by themselves."""
    rng, gateway = random.Random(seed), remita()  # noqa: S311  (no secret)
    found: list[Notice] = []
    for _ in range(count):
        sent = forged(rng)
        try:
            notices = play(gateway.verify(sent)).outcome
        except NotAuthentic:
            continue
        assert sent.query == f"token={TOKEN}"
        found += [
            each
            for each in notices
            if each.answer or each.movements or each.disputes or each.ready or not each.foreign
        ]
    return found


def test_no_notification_brings_about_anything_by_itself() -> None:
    assert believed(3_000, seed=28) == []


def test_without_a_token_of_ours_no_notification_is_read() -> None:
    silent = remita(callback_tokens=[])

    assert silent.traits.callbacks is CallbackStyle.NONE
    for query in ("token=", f"token={TOKEN}", ""):
        with pytest.raises(NotAuthentic):
            play(silent.verify(callback(b"[]", query)))


def test_all_members_of_a_notification_are_asked_about_and_too_many_are_refused() -> None:
    members = [{"rrr": "140008260001", "orderId": f"att_{number}"} for number in range(100)]

    found = play(remita().verify(callback(json.dumps(members).encode()))).outcome
    assert [each.our_ref for each in found] == [f"att_{number}" for number in range(100)]
    with pytest.raises(NotAuthentic):
        play(remita().verify(callback(json.dumps([*members, members[0]]).encode())))


# --- With a ledger --------------------------------------------------------------------------


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def shop(clock: FakeClock) -> WalletShop:
    account = {"driver": "remita", **SETTINGS}
    return WalletShop(SimulatedRemita(now=clock.now), clock, account)


def hear(shop: WalletShop) -> None:
    """Receive the notifications that wait."""
    waiting, shop.processor.notifications = shop.processor.notifications, []
    for body in waiting:
        assert shop.deliver(body, f"token={TOKEN}") == 200


WAYS: dict[str, Callable[[WalletShop, Any], object]] = {
    "return": lambda shop, payment: shop.back(payment),
    "notice": lambda shop, _: hear(shop),
    "again": lambda shop, _: [shop.deliver(body, f"token={TOKEN}") for body in shop.processor.kept],
    "poll": lambda shop, _: shop.poll(hours=7),
}
PAID_ONCE = "charge 140008260001 21000.00 NGN"


@pytest.mark.parametrize(
    "order",
    [order for count in (1, 2, 3) for order in itertools.permutations(WAYS, count)]
    + [("poll", "poll"), ("return", "return"), ("again", "again")],
    ids="-".join,
)
def test_in_any_order_once_twice_or_never_the_end_is_the_same(
    shop: WalletShop, order: tuple[str, ...]
) -> None:
    payment = shop.page(NAIRA)
    shop.processor.pay(payment.reference)
    shop.processor.kept = list(shop.processor.notifications)

    for each in order:
        WAYS[each](shop, payment)

    assert shop.now(payment).status is PaymentStatus.SUCCEEDED
    assert shop.receipts() == [PAID_ONCE]
    assert shop.open() == "0.00 NGN"
    assert shop.cashier.fsck() == []


def test_a_notification_before_the_payment_is_not_a_duplicate_of_the_one_after_it(
    shop: WalletShop,
) -> None:
    payment = shop.page(NAIRA)
    early = json.dumps([{"rrr": payment.reference, "orderId": "x", "type": "PY"}]).replace(
        '"x"', json.dumps(shop.processor.references[payment.reference]["orderId"])
    )
    shop.deliver(early.encode(), f"token={TOKEN}")
    assert shop.receipts() == []

    shop.processor.pay(payment.reference)
    shop.deliver(early.encode(), f"token={TOKEN}")
    assert shop.receipts() == [PAID_ONCE]


def test_a_payer_who_pays_at_a_bank_days_later_is_found(shop: WalletShop) -> None:
    payment = shop.page(NAIRA)
    for _ in range(6):
        shop.poll(hours=12)
    assert shop.now(payment).status is PaymentStatus.REQUIRES_ACTION

    shop.processor.pay(payment.reference, "BANKBRANCH")
    shop.processor.notifications.clear()
    shop.poll(hours=12)

    assert shop.receipts() == [PAID_ONCE]
    assert shop.cashier.fsck() == []


def test_the_page_keeps_its_form_after_an_inquiry(shop: WalletShop) -> None:
    payment = shop.page(NAIRA)
    before = payment.action

    shop.back(payment)

    assert shop.now(payment).action == before
    assert before is not None


def test_a_failed_try_is_told_once_and_the_reference_can_still_be_paid(shop: WalletShop) -> None:
    payment = shop.page(NAIRA)
    shop.processor.turn(payment.reference, "030", "Insufficient balance")
    for _ in range(3):
        shop.back(payment)
    tries = [each for each in shop.cashier.events() if "declined" in each.type]
    assert len(tries) <= 1
    assert shop.now(payment).status is PaymentStatus.REQUIRES_ACTION

    shop.processor.pay(payment.reference)
    shop.back(payment)
    assert shop.receipts() == [PAID_ONCE]


def test_an_unpaid_reference_is_withdrawn_and_a_paid_one_is_not(shop: WalletShop) -> None:
    payment = shop.page(NAIRA)
    shop.cashier.withdraw_page(payment)
    assert shop.now(payment).status is PaymentStatus.CANCELED

    other = shop.page(NAIRA)
    shop.processor.pay(other.reference)
    shop.cashier.withdraw_page(other)
    assert shop.now(other).status is PaymentStatus.SUCCEEDED
    assert shop.receipts() == ["charge 140008260002 21000.00 NGN"]
    assert shop.cashier.fsck() == []


def test_a_withdrawal_whose_answer_is_lost_is_found_by_the_next(shop: WalletShop) -> None:
    payment = shop.page(NAIRA)
    shop.processor.lost = {"deactivate"}
    shop.cashier.withdraw_page(payment)
    assert shop.now(payment).status is PaymentStatus.REQUIRES_ACTION

    shop.processor.lost = set()
    shop.cashier.withdraw_page(payment)

    assert shop.now(payment).status is PaymentStatus.CANCELED


def test_a_lost_answer_leads_to_the_same_reference(shop: WalletShop) -> None:
    shop.processor.breaks = [None]

    payment = shop.page(NAIRA)

    assert payment.status is PaymentStatus.REQUIRES_ACTION
    assert list(shop.processor.references) == [payment.reference]
    assert shop.processor.asked == ["generate", "generate", "status"]


@pytest.mark.parametrize("broken", [HTML, EMPTY, BROKEN])
def test_a_reference_that_could_not_be_generated_takes_no_money(
    shop: WalletShop, broken: Any
) -> None:
    shop.processor.breaks = [broken] * 9

    payment = shop.page(NAIRA)

    assert payment.status is PaymentStatus.FAILED
    assert shop.open() == "21000.00 NGN"


@pytest.mark.parametrize("wrap", ["{}", "({})", "jsonp({});\n", "\n jsonp ( {} ) "], ids=repr)
def test_each_way_of_wrapping_is_read(shop: WalletShop, wrap: str) -> None:
    shop.processor.wrap = lambda text: wrap.replace("{}", text).encode()
    payment = shop.page(NAIRA)
    shop.processor.pay(payment.reference)
    hear(shop)

    assert shop.receipts() == [PAID_ONCE]


def test_less_money_pays_only_a_part(shop: WalletShop) -> None:
    payment = shop.page(NAIRA)
    shop.processor.pay(payment.reference)
    shop.processor.told = {"amount": 100}
    hear(shop)

    assert shop.open() == "20900.00 NGN"


@pytest.mark.parametrize(
    ("total", "payer", "match"),
    [
        (Money("NGN", 4_999), ADA, "50.00 NGN"),
        (Money("USD", 10_000), ADA, "USD"),
        (NAIRA, Customer("C-1", name="Ada", email="ada@example.com"), "phone"),
    ],
)
def test_what_remita_does_not_take_is_refused_before_anything_is_stored_or_sent(
    shop: WalletShop, total: Money, payer: Customer, match: str
) -> None:
    with pytest.raises(UsageError, match=match):
        shop.page(total, payer=payer)

    assert shop.wire.sent == []
    assert shop.cashier.payments() == []


def test_automatic_payment_refuses_it(shop: WalletShop) -> None:
    assert remita().traits.rails[Kind.REDIRECT].payer_present
    with pytest.raises(UsageError, match="payer"):
        shop.page(NAIRA, payer_present=False)


def test_neither_the_key_nor_a_hash_of_an_inquiry_is_logged(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    from tests.support.simulated_remita import serving

    caplog.set_level(logging.DEBUG)
    processor = SimulatedRemita(now=clock.now)
    with serving(processor) as url:
        account = {"driver": "remita", **SETTINGS, "api_base": url}
        with Cashier.in_memory(gateways={"wallet": account}, clock=clock) as cashier:
            cashier.issue(number="INV-1", customer=ADA, total=NAIRA, due="2031-12-01")
            payment = cashier.collect("INV-1", via="wallet", key="k", payer=ADA, return_url=BACK)
            cashier.inquire(payment)
            hashed = processor.digest(payment.reference, processor.api_key, processor.merchant_id)

    said = caplog.text
    assert "status.reg" in said
    assert hashed[:64] not in said
    assert "simulated-key" not in said
