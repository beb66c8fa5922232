"""Secure Hosting: published vectors, scripted dialogues, and what is not believed."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode

import pytest
from pydantic import ValidationError

from paygate import Kind, Money, Redirect
from paygate.dialogue import Response
from paygate.domain.movement import MovementKind
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    Declined,
    RejectCause,
    Rejected,
    Unknown,
)
from paygate.domain.secret import OneTimeToken, RawCard, Secret
from paygate.drivers.securehosting import (
    SecureHosting,
    SecureHostingSettings,
    callbacks,
    pages,
)
from paygate.errors import BadResponse, NotAuthentic, Unsupported
from paygate.gateway import (
    Callback,
    Charge,
    Enrollment,
    InquiryBy,
    LooksUp,
    Notice,
    Refunding,
    StoredToken,
)
from paygate.testing.conformance import PAYER
from paygate.testing.play import play

BACK, NOW = "https://shop.example/back", datetime(2026, 8, 3, 12, 0, tzinfo=UTC)
TEN = Money("GBP", 1000)


def settings(**given: Any) -> SecureHostingSettings:
    facts = {
        "shreference": "SH210001",
        "checkcode": "771122",
        "password": "account-password",
        "shared_secret": "sharedsecret",
        "callback_url": "https://shop.example/callbacks/cards",
        "phrase": "myphrase",
        **given,
    }
    return SecureHostingSettings.model_validate(facts)


def gateway(**given: Any) -> SecureHosting:
    return SecureHosting(settings(**given))


def stored(**given: Any) -> Charge:
    facts: dict[str, Any] = {
        "key": "k",
        "our_ref": "att_1",
        "payment": "pay_1",
        "amount": TEN,
        "kind": Kind.CARD,
        "method": StoredToken(Secret("1234567")),
        "payer": PAYER,
    }
    return Charge(**{**facts, **given})


def on_page(**given: Any) -> Charge:
    return stored(method=None, return_url=BACK, **given)


def xml(text: str, status: int = 200) -> Response:
    return Response(status=status, body=text.encode())


GOOD = "<result><status>OK</status><reference>1234568</reference></result>"


def failed(word: str, reason: str = "") -> Response:
    return xml(
        f"<result><status>FAILED</status><statustext>{word}</statustext>"
        f"<reason>{reason}</reason></result>"
    )


def document(body: bytes) -> str:
    return parse_qs(body.decode())["xmldoc"][0]


# --- Published vectors --------------------------------------------------------------------


def test_the_seal_of_a_page_is_that_of_the_vector() -> None:
    items = "[1001||Invoice INV-1001|99.95|1|99.95]"

    assert pages.sealed(settings(), items, "99.95") == "ae967aef58b4efe0c9bfa6c7f28735af"


def test_the_proof_of_a_number_is_that_of_the_vector() -> None:
    proof = callbacks.verify_of(settings(), "1234567")

    assert proof == "d4bc2151c2fdeea92d6a8be7564d3abbc91dee63"


# --- A charge by token --------------------------------------------------------------------


def test_a_charge_by_token_is_an_additional_transaction() -> None:
    played = play(gateway().charge(stored()), xml(GOOD))

    assert isinstance(played.outcome, Approved)
    [moved] = played.outcome.movements
    assert (moved.movement_id, moved.amount) == ("1234568", TEN)
    assert played.outcome.method is not None
    assert played.outcome.method.token.reveal() == "1234568"
    [request] = played.requests
    sent = document(request.body)
    assert "<type>additional</type><authentication>" in sent
    assert "<checkcode>771122</checkcode>" in sent
    assert "<reference>1234567</reference><currency>GBP</currency>" in sent
    assert "password" not in sent
    assert "authtype" not in sent
    assert (request.moves_money, request.repeatable, request.timeout_s) == (True, False, 60)


def test_a_card_number_is_sold_only_by_choice() -> None:
    card = RawCard("4242424242424242", 9, 2031, "424")
    with pytest.raises(Unsupported):
        gateway().charge(stored(method=card))

    [request] = play(gateway(accept_raw_cards=True).charge(stored(method=card)), xml(GOOD)).requests

    sent = document(request.body)
    assert "<type>transaction</type><authtype>authorise</authtype>" in sent
    assert "<cardexpiremonth>09</cardexpiremonth><cardexpireyear>31</cardexpireyear>" in sent
    assert "<cv2>424</cv2><currency>GBP</currency><orderid>att_1</orderid>" in sent


def test_the_element_of_the_currency_is_a_setting() -> None:
    card = RawCard("4242424242424242", 9, 2031)
    other = gateway(accept_raw_cards=True, currency_field="transactioncurrency")

    [request] = play(other.charge(stored(method=card)), xml(GOOD)).requests

    assert "<transactioncurrency>GBP</transactioncurrency>" in document(request.body)


def test_a_description_cannot_add_an_item() -> None:
    charge = stored(description='x|0.01|1|0.01][y||"<&>')

    [request] = play(gateway().charge(charge), xml(GOOD)).requests

    sent = document(request.body)
    items = sent.partition("<secuitems>")[2].partition("</secuitems>")[0]
    assert items == "[att_1||x 0.01 1 0.01 y|10.00|1|10.00]"


@pytest.mark.parametrize("word", ["NO_XML_PASSED", "BAD_XML_PASSED", "DATA_ERROR"])
def test_what_is_wrong_with_the_request_is_rejected(word: str) -> None:
    outcome = play(gateway().charge(stored()), failed(word)).outcome

    assert isinstance(outcome, Rejected)
    assert (outcome.cause, outcome.raw_code) == (RejectCause.VALIDATION, word)


@pytest.mark.parametrize("word", ["DATABASE_ERROR", "UPG_ERROR", "CREDIT_ERROR", "MOON", ""])
def test_what_does_not_say_what_was_done_is_unknown(word: str) -> None:
    assert isinstance(play(gateway().charge(stored()), failed(word)).outcome, Unknown)


def test_a_decline_keeps_the_reason() -> None:
    outcome = play(gateway().charge(stored()), failed("TRANSACTION_ERROR", "CARD DECLINED"))

    assert isinstance(outcome.outcome, Declined)
    assert outcome.outcome.raw_code == "CARD DECLINED"


@pytest.mark.parametrize(
    "body",
    [
        b"<!DOCTYPE r [<!ENTITY ok 'OK'>]><result><status>&ok;</status></result>",
        b"<html><body>Service unavailable</body></html>",
        b"<result><status>OK</status><reference>-1</reference></result>",
        b"<result><status>OK</status></result>",
        b"<result><status>OK</status><reference>12</reference><cardtype>\xe9</cardtype></result>",
        "<result><status>OK</status>é".encode("latin-1") + "é</result>".encode(),
        b"<resultat><status>OK</status><reference>12</reference></resultat>",
        b"",
    ],
)
def test_what_is_no_answer_is_not_believed(body: bytes) -> None:
    try:
        outcome: object = play(gateway().charge(stored()), Response(status=200, body=body)).outcome
    except BadResponse:
        return
    assert isinstance(outcome, Unknown)


def test_a_stated_amount_is_reported_as_it_is() -> None:
    other = GOOD.replace("</result>", "<transactionamount>9.00</transactionamount></result>")

    outcome = play(gateway().charge(stored()), xml(other)).outcome

    assert isinstance(outcome, Approved)
    assert outcome.movements[0].amount == Money("GBP", 900)


def test_nothing_can_be_asked_and_the_traits_say_so() -> None:
    assert gateway().traits.inquiry is InquiryBy.NONE
    assert not isinstance(gateway(), LooksUp)


# --- Refunds ------------------------------------------------------------------------------


def refunding(**given: Any) -> Refunding:
    facts: dict[str, Any] = {
        "key": "k",
        "our_ref": "att_2",
        "payment": "pay_1",
        "reference": "1234567",
        "movement_id": "1234567",
        "amount": TEN,
    }
    return Refunding(**{**facts, **given})


def test_a_refund_needs_the_password_and_no_checkcode() -> None:
    played = play(gateway().refund(refunding()), xml("<result><status>OK</status></result>"))

    sent = document(played.requests[0].body)
    assert "<password>account-password</password>" in sent
    assert "checkcode" not in sent
    assert "<reference>1234567</reference><amount>10.00</amount>" in sent
    assert isinstance(played.outcome, Approved)
    [moved] = played.outcome.movements
    assert (moved.kind, moved.undoes, moved.amount) == (MovementKind.REFUND, "1234567", TEN)


@pytest.mark.parametrize("number", ["", "<reference>1234567</reference>"])
def test_two_refunds_are_two_movements_even_without_numbers(number: str) -> None:
    answer = xml(f"<result><status>OK</status>{number}</result>")

    one, same, other = (
        play(gateway().refund(refunding(key=key)), answer).outcome for key in ("a", "a", "b")
    )

    ids = [each.movements[0].movement_id for each in (one, same, other)]  # type: ignore[union-attr]
    assert ids[0] == ids[1] != ids[2]
    assert "1234567" not in ids


def test_without_the_password_nothing_is_refunded() -> None:
    with pytest.raises(Unsupported, match="password"):
        gateway(password=None).refund(refunding())


# --- The page -----------------------------------------------------------------------------


def form(**given: Any) -> dict[str, str]:
    outcome = play(gateway().charge(on_page(**given))).outcome
    assert isinstance(outcome, ActionRequired)
    assert isinstance(outcome.action, Redirect)
    return dict(outcome.action.fields)


def test_the_page_is_a_form_with_a_sealed_amount() -> None:
    outcome = play(gateway().charge(on_page(description="Invoice INV-1"))).outcome

    assert isinstance(outcome, ActionRequired)
    assert isinstance(outcome.action, Redirect)
    action, fields = outcome.action, outcome.action.fields
    assert action.url == "https://test.secure-server-hosting.com/secutran/secuitems.php"
    assert action.method == "POST"
    assert fields["filename"] == "SH210001/template.html"
    assert fields["secuitems"] == "[att_1||Invoice INV-1|10.00|1|10.00]"
    sealed = hashlib.md5(b"[att_1||Invoice INV-1|10.00|1|10.00]10.00myphrase").hexdigest()  # noqa: S324
    assert fields["secuString"] == sealed
    assert fields["cardholdersname"] == "Ada Example"
    assert "sharedsecret" not in str(fields)
    assert "myphrase" not in str(fields)


@pytest.mark.parametrize("given", [{"phrase": None}, {"shared_secret": None, "callback_url": ""}])
def test_without_a_seal_or_a_verified_callback_there_is_no_page(given: dict[str, Any]) -> None:
    with pytest.raises(Unsupported):
        gateway(**given).charge(on_page())

    assert type(None) not in gateway(**given).traits.rails[Kind.CARD].methods


# --- Callbacks ----------------------------------------------------------------------------


def called(fields: dict[str, str], number: str = "1234567", **result: str) -> dict[str, str]:
    parts = fields["callbackdata"].split("|")
    proof = hashlib.sha1(f"sharedsecret{number}sharedsecret".encode()).hexdigest()  # noqa: S324
    return {
        **dict(zip(parts[::2], parts[1::2], strict=True)),
        "transactionnumber": number,
        **(result or {"upgauthcode": "014626"}),
        "verify": proof,
    }


def heard(said: dict[str, str] | str, method: str = "GET", **given: Any) -> Notice:
    text = said if isinstance(said, str) else urlencode(said)
    callback = Callback(
        method=method,
        path="/",
        headers={},
        query=text if method == "GET" else "",
        body=text.encode() if method == "POST" else b"",
        received_at=NOW,
    )
    [notice] = play(gateway(**given).verify(callback)).outcome
    return notice


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_callback_reports_what_we_asked_for(method: str) -> None:
    notice = heard(called(form()), method)

    assert (notice.event_id, notice.our_ref, notice.reference) == ("1234567", "att_1", "1234567")
    assert isinstance(notice.answer, Approved)
    assert [each.amount for each in notice.answer.movements] == [TEN]
    assert "1234567" in notice.answer.alert
    assert heard(called(form()), page_amounts="believe").answer == replace(notice.answer, alert="")


def test_the_callback_of_a_charge_by_token_is_no_form_of_the_payer() -> None:
    [request] = play(gateway().charge(stored()), xml(GOOD)).requests
    sent = document(request.body)
    data = sent.partition("<callbackdata>")[2].partition("</callbackdata>")[0]

    notice = heard(called({"callbackdata": data}, number="1234568"))

    assert isinstance(notice.answer, Approved)
    assert notice.answer.alert == ""


def test_a_failure_declines_one_try_and_has_no_number() -> None:
    notice = heard(called(form(), "-1", failurereason="CARD DECLINED"))

    assert isinstance(notice.answer, Declined)
    assert not notice.answer.final
    assert (notice.our_ref, notice.reference, notice.movements) == ("att_1", "", ())


GENUINE = called(form())


@pytest.mark.parametrize(
    "said",
    [
        {**GENUINE, "pg_amount": "0.01"},
        {**GENUINE, "pg_currency": "JPY"},
        {**GENUINE, "pg_ref": "att_2"},
        {**GENUINE, "pg_by": "xml"},
        {**GENUINE, "transactionnumber": "1234568"},
        {**GENUINE, "verify": GENUINE["verify"].upper()},
        {**GENUINE, "verify": ""},
        {name: text for name, text in GENUINE.items() if name != "verify"},
        {name: text for name, text in GENUINE.items() if name != "pg_seal"},
        {name: text for name, text in GENUINE.items() if name != "upgauthcode"},
        {**GENUINE, "failurereason": "both"},
        called(form(), "-1"),
        called(form(), "1234567", failurereason="with a number"),
        called(form(), "0"),
        called(form(), "12.5"),
        urlencode([*parse_qsl(urlencode(GENUINE)), ("pg_amount", "0.01")]),
        "",
        "\ud800",
    ],
)
def test_a_forged_callback_is_refused(said: dict[str, str] | str) -> None:
    with pytest.raises(NotAuthentic):
        heard(said)


def test_without_a_secret_no_callback_is_believed() -> None:
    with pytest.raises(NotAuthentic):
        heard(GENUINE, shared_secret=None, callback_url="")


def test_the_callback_of_another_account_is_refused() -> None:
    with pytest.raises(NotAuthentic):
        heard(GENUINE, shared_secret="another-secret")


# --- Refused before anything is sent ------------------------------------------------------


@pytest.mark.parametrize(
    "charge",
    [
        stored(amount=Money("EUR", 1000)),
        stored(amount=Money("JPY", 1000)),
        stored(moto=True),
        stored(method=StoredToken(Secret("-1"))),
        stored(method=StoredToken(Secret("tok_1"))),
        stored(method=OneTimeToken.of("tok_1")),
        stored(method=None),
        on_page(store_method=True),
    ],
)
def test_what_the_account_is_not_known_to_take_is_refused(charge: Charge) -> None:
    with pytest.raises(Unsupported):
        gateway().charge(charge)


def test_only_the_card_of_a_payment_is_kept() -> None:
    enrollment = Enrollment(key="k", our_ref="a", customer=PAYER, kind=Kind.CARD)
    with pytest.raises(Unsupported, match="save_method"):
        gateway().enroll(enrollment)


@pytest.mark.parametrize(
    "given",
    [
        {"currency": "JPY"},
        {"shared_secret": "short"},
        {"shared_secret": None},
        {"shreference": "XX1"},
        {"live": True, "api_base": "http://127.0.0.1"},
        {"timeout_s": 5},
    ],
)
def test_settings_that_are_wrong_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**given)
