"""Skrill: what is believed, what money moves, and in which order it is told."""

import hashlib
import itertools
import random
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from paygate import Money, PaymentStatus
from paygate.dialogue import Response
from paygate.domain.kind import Kind, Operation
from paygate.domain.movement import MovementKind
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
)
from paygate.drivers.skrill import Skrill, SkrillSettings
from paygate.errors import BadResponse, CredentialsRejected, NotAuthentic, Unsupported
from paygate.gateway import Callback, Charge, Inquiry
from paygate.testing import FakeClock
from paygate.testing.conformance.subject import NOW
from paygate.testing.play import play
from tests.drivers.wallet_shop import WalletShop
from tests.support.simulated_skrill import BROKEN, EMPTY, HTML, SimulatedSkrill

SETTINGS: dict[str, Any] = {
    "email": "merchant@example.com",
    "merchant_id": "4637827",
    "secret_word": "secretword",
    "api_password": "simulated-password",
    "status_url": "https://shop.example/callbacks/skrill",
}
SID = "0123456789abcdef0123456789abcdef"
EUR = Money("EUR", 999)


def skrill(**given: Any) -> Skrill:
    return Skrill(SkrillSettings.model_validate({**SETTINGS, **given}))


def callback(body: bytes, query: str = "") -> Callback:
    return Callback(method="POST", path="/", headers={}, query=query, body=body, received_at=NOW)


def answered(form: dict[str, str]) -> Response:
    return Response(status=200, body=b"200\t\tOK\n" + urlencode(form).encode())


def inquiry(amount: Money = EUR, **given: Any) -> Inquiry:
    facts: dict[str, Any] = {
        "operation": Operation.CHARGE,
        "key": "k",
        "our_ref": "pay_01",
        "payment": "pay",
        "reference": SID,
        "amount": amount,
        "sent_at": NOW,
    }
    return Inquiry(**{**facts, **given})


def charge(**given: Any) -> Charge:
    facts: dict[str, Any] = {
        "key": "k",
        "our_ref": "att_1",
        "payment": "pay",
        "amount": EUR,
        "kind": Kind.REDIRECT,
        "return_url": "https://shop.example/back",
    }
    return Charge(**{**facts, **given})


# --- Forged and mutated reports -----------------------------------------------------------------


def genuine(status: str = "2", **changed: str) -> dict[str, str]:
    simulated = SimulatedSkrill()
    form = {
        "pay_to_email": "merchant@example.com",
        "pay_from_email": "payer@example.com",
        "merchant_id": "4637827",
        "transaction_id": "att_1",
        "mb_transaction_id": "200234",
        "mb_amount": "9.99",
        "mb_currency": "EUR",
        "amount": "9.99",
        "currency": "EUR",
        "status": status,
        **changed,
    }
    return {**form, "md5sig": simulated.signature(form, "md5")}


def mutated(rng: random.Random) -> bytes:
    """Return a report with something changed that is signed, or that names the account."""
    form = genuine(rng.choice(["2", "0", "-1", "-2", "-3"]))
    names = [*("merchant_id", "transaction_id", "mb_amount", "mb_currency", "status"), "md5sig"]
    name = rng.choice([*names, "pay_to_email"])
    text = form[name]
    match rng.randrange(6):
        case 0:
            form[name] = ""
        case 1:
            del form[name]
        case 2:
            at = rng.randrange(len(text))
            form[name] = (
                text[:at]
                + chr(33 + (ord(text[at]) - 33 + rng.randrange(1, 90)) % 94)
                + (text[at + 1 :])
            )
        case 3:
            form[name] = text + rng.choice("0 .\u00a0\0")
        case 4:
            form["md5sig"] = "".join(rng.choice("0123456789ABCDEF") for _ in range(32))
        case _:
            body = urlencode(form).encode()
            return body + b"&" + name.encode() + b"=" + rng.choice([b"2", b"", text.encode()])
    if name == "pay_to_email" and form.get(name, "").casefold() == text:
        form[name] = "m" + text  # its case does not matter
    return urlencode(form).encode()


def accepted(count: int, seed: int) -> list[bytes]:
    """Return those of *count* mutated reports that are believed."""
    rng, gateway = random.Random(seed), skrill()  # noqa: S311  (no secret)
    believed: list[bytes] = []
    for _ in range(count):
        body = mutated(rng)
        try:
            play(gateway.verify(callback(body)))
        except NotAuthentic:
            continue
        believed.append(body)
    return believed


def test_no_mutated_report_is_believed() -> None:
    assert accepted(3_000, seed=28) == []


def test_an_unchanged_report_is_believed() -> None:
    assert play(skrill().verify(callback(urlencode(genuine()).encode()))).outcome


def test_a_signature_over_an_empty_field_is_not_believed() -> None:
    body = urlencode(genuine(mb_currency="")).encode()

    with pytest.raises(NotAuthentic):
        play(skrill().verify(callback(body)))


def test_md5_does_not_do_if_sha256_is_required() -> None:
    body = urlencode(genuine()).encode()

    with pytest.raises(NotAuthentic):
        play(skrill(signature="sha256").verify(callback(body)))


def test_a_refund_that_only_the_address_names_is_a_hint() -> None:
    form = genuine(pay_to_email="payer@example.com", pay_from_email="merchant@example.com")
    body = urlencode(form).encode()

    [notice] = play(skrill().verify(callback(body, "refund=att_9"))).outcome
    assert (notice.our_ref, notice.reference) == ("att_9", "200234")
    assert (notice.answer, notice.movements) == (None, ())
    with pytest.raises(NotAuthentic):
        play(skrill().verify(callback(body)))  # of a payment we are not the payer


def test_a_chargeback_of_another_amount_is_left_to_people() -> None:
    form = genuine("-3", mb_amount="3.00")
    shows = answered({**genuine("2")})

    [notice] = play(skrill().verify(callback(urlencode(form).encode())), shows).outcome

    assert "another amount" in notice.unreadable
    assert notice.movements == ()


def test_a_chargeback_in_the_currency_of_the_wallet_takes_what_was_asked_for() -> None:
    changed = {"mb_amount": "8.55", "mb_currency": "GBP"}
    shows = answered(genuine("2", **changed))

    body = urlencode(genuine("-3", **changed)).encode()
    [notice] = play(skrill().verify(callback(body)), shows).outcome

    [taken] = notice.movements
    assert (taken.kind, taken.amount) == (MovementKind.CHARGEBACK, EUR)


# --- What is asked for ----------------------------------------------------------------------


def test_the_browser_gets_a_session_and_no_amount() -> None:
    played = play(skrill().charge(charge()), Response(status=200, body=f"{SID}\n".encode()))

    assert isinstance(played.outcome, ActionRequired)
    assert played.outcome.action.url == f"https://pay.skrill.com/?sid={SID}"  # type: ignore[union-attr]
    assert dict(parse_qsl(played.requests[0].body.decode()))["prepare_only"] == "1"


@pytest.mark.parametrize(
    "given",
    [
        {"amount": Money("JOD", 1000)},
        {"return_url": ""},
        {"return_url": "https://shop.example/" + "x" * 240},
        {"moto": True},
    ],
)
def test_what_no_page_can_take_is_refused_before_anything_is_sent(given: dict[str, Any]) -> None:
    with pytest.raises(Unsupported):
        skrill().charge(charge(**given))


@pytest.mark.parametrize("body", [b"", b"<html></html>", SID.upper().encode(), b"[]", b"\xe9"])
def test_only_a_session_is_a_page(body: bytes) -> None:
    with pytest.raises(BadResponse):
        play(skrill().charge(charge()), Response(status=200, body=body))


# --- What a query shows ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", BadResponse),
        (b"<html>200 OK a=b</html>", BadResponse),
        (b"200\t\tOK", BadResponse),
        (b"403\t\tYour IP 203.0.113.7 is not allowed", BadResponse),
        (b"401\t\tCannot login", CredentialsRejected),
        (b"405\t\tIllegal parameter value", BadResponse),
        (b"200\t\tOK\nmerchant_id=1&transaction_id=pay_01&status=2", BadResponse),
        (b"200\t\tOK\nmerchant_id=4637827&transaction_id=pay_02&status=2", BadResponse),
    ],
)
def test_an_answer_that_says_nothing_decides_nothing(body: bytes, error: type) -> None:
    with pytest.raises(error):
        play(skrill().look_up(inquiry()), Response(status=200, body=body))


def test_names_in_latin_1_are_no_obstacle() -> None:
    form = {**genuine(transaction_id="pay_01"), "firstname": "José Müller"}
    body = b"200 OK\r\n" + urlencode(form, encoding="latin-1").encode() + b"\r\n"

    assert isinstance(
        play(skrill().look_up(inquiry()), Response(status=200, body=body)).outcome, Approved
    )


def test_an_answer_that_is_signed_for_another_account_is_not_believed() -> None:
    form = {**genuine(transaction_id="pay_01"), "md5sig": "0" * 32}

    with pytest.raises(BadResponse, match="signature"):
        play(skrill().look_up(inquiry()), answered(form))


@pytest.mark.parametrize("text", ["9,99", "1,000.00", "9.99 EUR", "-9.99", "9.999", "1e1", ""])
def test_an_amount_that_is_not_a_plain_decimal_is_not_believed(text: str) -> None:
    form = {**genuine(transaction_id="pay_01", mb_amount=text), "md5sig": ""}

    with pytest.raises(BadResponse):
        play(skrill().look_up(inquiry()), answered(form))


# --- With a ledger --------------------------------------------------------------------------


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def shop_of(processor: SimulatedSkrill, clock: FakeClock, **given: Any) -> WalletShop:
    return WalletShop(processor, clock, {"driver": "skrill", **SETTINGS, **given})


@pytest.fixture
def shop(clock: FakeClock) -> WalletShop:
    return shop_of(SimulatedSkrill(now=clock.now), clock)


def hear(shop: WalletShop) -> None:
    """Receive the reports that wait."""
    waiting, shop.processor.reports = shop.processor.reports, []
    for url, body in waiting:
        assert shop.deliver(body, url.partition("?")[2]) == 200


WAYS: dict[str, Callable[[WalletShop, Any], object]] = {
    "return": lambda shop, payment: shop.back(payment),
    "report": lambda shop, _: hear(shop),
    "again": lambda shop, _: [shop.deliver(body) for _, body in shop.processor.kept],
    "poll": lambda shop, _: shop.poll(),
}


@pytest.mark.parametrize(
    "order",
    [order for count in (1, 2, 3) for order in itertools.permutations(WAYS, count)]
    + [("poll", "poll"), ("return", "return"), ("again", "again")],
    ids="-".join,
)
def test_in_any_order_once_twice_or_never_the_end_is_the_same(
    shop: WalletShop, order: tuple[str, ...]
) -> None:
    payment = shop.page(EUR)
    shop.processor.pay(payment.reference)
    shop.processor.kept = list(shop.processor.reports)

    for each in order:
        WAYS[each](shop, payment)

    assert shop.now(payment).status is PaymentStatus.SUCCEEDED
    assert shop.receipts() == ["charge 200001 9.99 EUR"]
    assert shop.open() == "0.00 EUR"
    assert shop.cashier.fsck() == []


def test_who_never_pays_expires_and_who_pays_late_is_credited(shop: WalletShop) -> None:
    payment = shop.page(EUR)
    shop.poll(hours=7)
    shop.poll(hours=7)
    assert shop.now(payment).status is PaymentStatus.EXPIRED

    shop.processor.pay(payment.reference)
    hear(shop)

    assert shop.now(payment).status is PaymentStatus.SUCCEEDED
    assert shop.receipts() == ["charge 200001 9.99 EUR"]
    assert shop.cashier.fsck() == []


def test_a_wallet_in_another_currency_is_paid_what_was_asked_for(clock: FakeClock) -> None:
    shop = shop_of(SimulatedSkrill(now=clock.now, wallet_currency="GBP"), clock)
    payment = shop.page(EUR)
    shop.processor.pay(payment.reference)
    hear(shop)

    assert shop.receipts() == ["charge 200001 9.99 EUR"]
    refused = shop.cashier.refund(payment, amount=Money("EUR", 100), key="r-1")
    assert "only in the currency of the wallet" in refused.attempts[-1].reason
    whole = shop.cashier.refund(payment, amount=EUR, key="r-2")
    assert str(whole.payment.returned) == "9.99 EUR"


def test_less_money_than_was_asked_for_pays_only_a_part(shop: WalletShop) -> None:
    payment = shop.page(EUR)
    shop.processor.pay(payment.reference, mb_amount="0.01", amount="9.99")
    hear(shop)

    assert shop.receipts() == ["charge 200001 0.01 EUR"]
    assert shop.open() == "9.98 EUR"


def test_a_failed_try_leaves_the_page_open(shop: WalletShop) -> None:
    payment = shop.page(EUR)
    shop.processor.pay(payment.reference, "-2", failed_reason_code="05")
    hear(shop)
    assert shop.now(payment).status is PaymentStatus.REQUIRES_ACTION

    shop.processor.pay(payment.reference)
    hear(shop)
    assert shop.now(payment).status is PaymentStatus.SUCCEEDED


def test_a_late_failure_does_not_undo_a_payment(shop: WalletShop) -> None:
    payment = shop.page(EUR)
    shop.processor.pay(payment.reference, "-2")
    late = shop.processor.reports.pop()
    shop.processor.pay(payment.reference)
    hear(shop)
    shop.deliver(late[1])

    assert shop.now(payment).status is PaymentStatus.SUCCEEDED
    assert shop.receipts() == ["charge 200002 9.99 EUR"]


def test_a_bank_transfer_is_pending_until_it_comes(shop: WalletShop) -> None:
    payment = shop.page(EUR)
    made = shop.processor.pay(payment.reference, "0")
    hear(shop)
    assert shop.now(payment).status is PaymentStatus.PROCESSING

    shop.processor.turn(made["id"], "2")
    hear(shop)
    assert shop.now(payment).status is PaymentStatus.SUCCEEDED


@pytest.mark.parametrize("query_knows", [True, False])
def test_a_chargeback_opens_the_invoice_again_once(shop: WalletShop, *, query_knows: bool) -> None:
    payment = shop.page(EUR)
    made = shop.processor.pay(payment.reference)
    hear(shop)
    shop.processor.turn(made["id"], "-3")
    told = list(shop.processor.reports)
    if not query_knows:
        shop.processor.transactions[made["id"]]["status"] = "2"

    hear(shop)
    for _, body in told:
        shop.deliver(body)
    shop.back(payment)

    assert shop.receipts() == ["charge 200001 9.99 EUR", "chargeback 200001 9.99 EUR"]
    assert shop.open() == "9.99 EUR"
    assert shop.cashier.fsck() == []


def test_refunds_in_parts_have_movements_of_their_own(shop: WalletShop) -> None:
    payment = shop.page(EUR)
    shop.processor.pay(payment.reference)
    hear(shop)

    for key, minor in (("r-1", 400), ("r-2", 599)):
        shop.cashier.refund(payment, amount=Money("EUR", minor), key=key)
    hear(shop)

    assert shop.receipts()[1:] == ["refund 200002 4.00 EUR", "refund 200003 5.99 EUR"]
    assert shop.cashier.fsck() == []


def test_a_refund_whose_answer_is_lost_is_never_sent_again_and_its_report_finds_it(
    shop: WalletShop,
) -> None:
    payment = shop.page(EUR)
    shop.processor.pay(payment.reference)
    hear(shop)
    shop.processor.lost = {"refund"}
    shop.cashier.refund(payment, amount=EUR, key="r-1")
    shop.processor.lost = set()

    for _ in range(3):
        shop.poll(hours=1)
    assert len(shop.processor.refunds) == 1
    assert len(shop.receipts()) == 1

    hear(shop)
    shop.poll(hours=1)
    assert shop.receipts()[1:] == ["refund 200002 9.99 EUR"]
    assert [name for name, _ in shop.processor.asked].count("refund") == 1


@pytest.mark.parametrize("broken", [None, HTML, EMPTY, BROKEN])
def test_a_page_that_could_not_be_prepared_takes_no_money(shop: WalletShop, broken: Any) -> None:
    shop.processor.breaks = [broken] * 9

    payment = shop.page(EUR)

    assert payment.status is PaymentStatus.FAILED
    assert shop.open() == "9.99 EUR"


@pytest.mark.parametrize("broken", [None, HTML, EMPTY, BROKEN])
def test_a_query_that_was_not_answered_is_asked_again(shop: WalletShop, broken: Any) -> None:
    payment = shop.page(EUR)
    shop.processor.pay(payment.reference)
    shop.processor.breaks = [broken] * 9
    hear(shop)
    assert shop.now(payment).status is PaymentStatus.REQUIRES_ACTION
    shop.processor.breaks = []

    shop.poll(hours=7)
    assert shop.now(payment).status is PaymentStatus.SUCCEEDED


def test_a_report_about_a_payment_of_nobody_books_nothing(shop: WalletShop) -> None:
    shop.deliver(urlencode(genuine(transaction_id="att_nobody")).encode())

    assert shop.receipts() == []


def test_a_report_is_refused_without_a_trace_of_its_secret(shop: WalletShop) -> None:
    body = urlencode({**genuine(), "md5sig": "0" * 32}).encode()

    with pytest.raises(NotAuthentic) as refused:
        shop.deliver(body)

    assert "secretword" not in str(refused.value)
    digest = hashlib.md5(b"simulated-password").hexdigest()  # noqa: S324
    shop.page(EUR)
    assert digest not in repr(shop.wire.sent)


def test_automatic_payment_refuses_it(shop: WalletShop) -> None:
    assert skrill().traits.rails[Kind.REDIRECT].payer_present
    with pytest.raises(Exception, match="payer"):
        shop.page(EUR, payer_present=False)
