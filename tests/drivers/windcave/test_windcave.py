"""Windcave: published samples, scripted dialogues, and what is not believed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from paygate import Kind, Money, Redirect, ScriptStep
from paygate.dialogue import Response
from paygate.domain.card_checks import CheckResult
from paygate.domain.charging import ChargeReason
from paygate.domain.kind import Operation
from paygate.domain.movement import MovementKind
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    DeclineCode,
    Declined,
    Ended,
    Ending,
    RejectCause,
    Rejected,
    Unknown,
)
from paygate.domain.secret import OneTimeToken, Secret
from paygate.drivers.windcave import Windcave, WindcaveSettings
from paygate.errors import BadResponse, NoResponse, NotAuthentic, Unsupported
from paygate.gateway import (
    Applied,
    Callback,
    Charge,
    Completion,
    Inquiry,
    Notice,
    Refunding,
    StoredToken,
    Voiding,
)
from paygate.testing.conformance import PAYER
from paygate.testing.play import play

SESSION, PAID = "00000300007016080393359387315951", "0000000300dea880"
CARD, NOW = "0000030001023105", datetime(2026, 8, 3, 12, 0, tzinfo=UTC)
TEN = Money("USD", 1000)


def windcave(**given: Any) -> Windcave:
    facts = {
        "username": "Vtex_RESTDev",
        "api_key": "a3f1e5c7d9b2468024681357",
        "currencies": ["USD"],
        **given,
    }
    return Windcave(WindcaveSettings.model_validate(facts))


def with_pxpost() -> Windcave:
    return windcave(pxpost_username="Shop_Dev", pxpost_password="hush-hush")


def published(**given: Any) -> dict[str, Any]:
    """
    A session as UAT showed it on 2 January 2023, from a public integration (VTEX), shortened.

    Its payer passed 3-D Secure, and its card was stored.
    """
    paid = {
        "id": PAID,
        "username": "Vtex_RESTDev",
        "authorised": True,
        "allowRetry": False,
        "retryIndicator": "",
        "reCo": "00",
        "responseText": "APPROVED",
        "authCode": "091723",
        "type": "purchase",
        "method": "card",
        "dateTimeUtc": "2023-01-02T20:17:04Z",
        "settlementDate": "2023-01-03",
        "amount": "159.89",
        "balanceAmount": "0.00",
        "currency": "USD",
        "currencyNumeric": 840,
        "merchantReference": "1655sd30s4397",
        "card": {
            "id": CARD,
            "cardHolderName": "CARLOS",
            "cardNumber": "558888......7770",
            "dateExpiryMonth": "03",
            "dateExpiryYear": "23",
            "type": "mastercard",
        },
        "cvc2ResultCode": "U",
        "storedCardIndicator": "recurringinitial",
        "avs": {"avsAction": 0, "avsActionName": "DontCheck", "avsResultCode": "U"},
        "sessionId": SESSION,
        "threeds": {"status": "Y", "acsTransId": "e248fb20-42cc-11b2-a000-030000dea880"},
        "liabilityIndicator": "3ds2challenge",
    }
    return {
        "id": SESSION,
        "state": "complete",
        "type": "purchase",
        "amount": "159.89",
        "currency": "USD",
        "merchantReference": "1655sd30s4397",
        "methods": ["card"],
        "expires": "2023-01-05T20:15:52Z",
        "storeCard": True,
        "transactions": [paid],
        **given,
    }


def changed(**given: Any) -> dict[str, Any]:
    """The published session, whose transaction differs."""
    return published(transactions=[{**published()["transactions"][0], **given}])


def answer(body: object, status: int = 200, date: str = "") -> Response:
    headers = {"date": date} if date else {}
    return Response(status=status, headers=headers, body=json.dumps(body).encode())


def completion(**given: Any) -> Completion:
    facts: dict[str, Any] = {
        "key": "k",
        "our_ref": "att_1",
        "payment": "1655sd30s4397",
        "reference": SESSION,
        "amount": Money("USD", 15989),
    }
    return Completion(**{**facts, **given})


def completed(body: object, **given: Any) -> Any:
    return play(windcave(**given).complete(completion()), answer(body)).outcome


def stored(**given: Any) -> Charge:
    facts: dict[str, Any] = {
        "key": "k",
        "our_ref": "att_1",
        "payment": "pay_1",
        "amount": TEN,
        "kind": Kind.CARD,
        "method": StoredToken(Secret(CARD)),
        "payer": PAYER,
    }
    return Charge(**{**facts, **given})


def on_page(**given: Any) -> Charge:
    return stored(method=None, return_url="https://shop.example/back", **given)


def inquiry(operation: Operation = Operation.CHARGE, **given: Any) -> Inquiry:
    facts: dict[str, Any] = {
        "operation": operation,
        "key": "k",
        "our_ref": "att_1",
        "payment": "pay_1",
        "reference": PAID,
        "amount": TEN,
        "sent_at": NOW,
    }
    return Inquiry(**{**facts, **given})


# --- A published session ------------------------------------------------------------------


def test_the_published_session_is_read() -> None:
    paid = completed(published())

    assert isinstance(paid, Approved)
    [moved] = paid.movements
    assert (moved.movement_id, moved.amount) == (PAID, Money("USD", 15989))
    assert paid.reference == SESSION
    assert paid.checks is not None
    assert paid.checks.results == {
        "address": CheckResult.UNAVAILABLE,
        "postal_code": CheckResult.UNAVAILABLE,
        "security_code": CheckResult.UNAVAILABLE,
        "authentication": CheckResult.PASS,
    }
    assert paid.method is not None
    assert paid.method.token.reveal() == CARD
    assert (paid.method.brand, paid.method.last4) == ("mastercard", "7770")
    assert (paid.method.expires_month, paid.method.expires_year) == (3, 2023)


def test_a_card_that_nobody_asked_to_store_is_not_kept() -> None:
    paid = completed(published(storeCard=False))

    assert paid.method is None


@pytest.mark.parametrize(
    ("letters", "results"),
    [
        ({"avs": {"avsResultCode": "A"}}, {"address": "pass", "postal_code": "fail"}),
        ({"avs": {"avsResultCode": "Z"}}, {"address": "fail", "postal_code": "pass"}),
        ({"cvc2ResultCode": "N"}, {"security_code": "fail"}),
        ({"threeds": {"status": "N"}}, {"authentication": "fail"}),
    ],
)
def test_checks_are_read(letters: dict[str, Any], results: dict[str, str]) -> None:
    paid = completed(changed(**letters))

    assert results.items() <= {name: str(of) for name, of in paid.checks.results.items()}.items()


# --- What is not believed -----------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        changed(username="SomebodyElse"),
        changed(merchantReference="another"),
        changed(sessionId="0" * 32),
        changed(type="refund"),
        changed(amount="159.8901"),
        changed(amount="-159.89"),
        changed(currency="JPY", amount="15989"),
        published(merchantReference="another"),
        published(id="1" * 32),
        published(amount="1.00"),
        published(currency="EUR"),
        published(type="validate"),
    ],
    ids=str,
)
def test_what_is_not_ours_is_not_believed(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadResponse):
        completed(wrong)


def test_another_amount_in_our_session_is_reported_as_it_is() -> None:
    paid = completed(changed(amount="1.00"))

    assert [each.amount for each in paid.movements] == [Money("USD", 100)]


def test_a_session_that_was_paid_twice_brings_both() -> None:
    first = published()["transactions"][0]
    paid = completed(published(transactions=[first, {**first, "id": "0000000300dea881"}]))

    assert [each.movement_id for each in paid.movements] == [PAID, "0000000300dea881"]


def test_complete_does_not_mean_paid() -> None:
    outcome = completed(changed(authorised=False, reCo="51", responseText="NO FUNDS"))

    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.raw_code, outcome.final) == (
        DeclineCode.INSUFFICIENT_FUNDS,
        "51",
        True,
    )
    assert isinstance(completed(published(transactions=[])), Unknown)


@pytest.mark.parametrize(
    ("said", "code", "retryable"),
    [
        ("54", DeclineCode.EXPIRED_METHOD, False),
        ("05", DeclineCode.GENERIC, False),
        ("QK", DeclineCode.INVALID_METHOD, False),
        ("ZZ", DeclineCode.GENERIC, False),
    ],
)
def test_codes_mean_what_the_test_cards_say(said: str, code: DeclineCode, retryable: bool) -> None:
    outcome = completed(changed(authorised=False, reCo=said))

    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.retryable) == (code, retryable)


def test_what_the_bank_did_not_answer_is_unknown() -> None:
    assert isinstance(completed(changed(authorised=False, allowRetry=True, reCo="U9")), Unknown)


def test_an_approval_with_another_code_is_looked_at_by_a_person() -> None:
    outcome = completed(changed(reCo="76"))

    assert isinstance(outcome, Unknown)
    assert outcome.flagged


# --- A session ----------------------------------------------------------------------------


def opened(**given: Any) -> dict[str, Any]:
    links = [
        {"href": "https://uat.windcave.com/x", "rel": "self", "method": "GET"},
        {"href": f"https://uat.windcave.com/ajax/{SESSION}", "rel": "ajaxSubmitCard"},
        {"href": f"https://uat.windcave.com/pxmi3/{SESSION}", "rel": "hpp"},
    ]
    return {"id": SESSION, "state": "init", "links": links, **given}


def test_the_page_is_found_by_its_name_and_not_by_its_place() -> None:
    played = play(windcave().charge(on_page()), answer(opened(), 202))

    assert isinstance(played.outcome, ActionRequired)
    assert played.outcome.action == Redirect(url=f"https://uat.windcave.com/pxmi3/{SESSION}")
    assert played.notes == [SESSION]
    [request] = played.requests
    assert not request.moves_money
    sent = json.loads(request.body)
    assert sent["amount"] == "10.00"
    assert sent["callbackUrls"]["cancelled"] == "https://shop.example/back"
    assert "storeCard" not in sent


def test_hosted_fields_get_the_address_that_takes_the_card() -> None:
    played = play(windcave(form="fields").charge(on_page()), answer(opened(), 202))

    assert isinstance(played.outcome, ActionRequired)
    action = played.outcome.action
    assert isinstance(action, ScriptStep)
    assert action.script_url == "https://uat.windcave.com/js/windcavepayments-hostedfields-v1.js"
    assert action.client_secret is not None
    assert action.client_secret.reveal() == f"https://uat.windcave.com/ajax/{SESSION}"


@pytest.mark.parametrize(
    "links",
    [[], [{"rel": "hpp", "href": "https://evil.example/pxmi3/1"}], [{"rel": "hpp"}]],
)
def test_a_page_elsewhere_is_not_shown(links: list[dict[str, str]]) -> None:
    with pytest.raises(BadResponse):
        play(windcave().charge(on_page()), answer(opened(links=links), 202))


def test_a_first_payment_stores_the_card_under_the_agreement() -> None:
    charge = on_page(store_method=True, reason=ChargeReason.RECURRING)

    [request] = play(windcave().charge(charge), answer(opened(), 202)).requests

    sent = json.loads(request.body)
    assert sent["storeCard"] is True
    assert sent["storedCardIndicator"] == "recurringvariableinitial"
    assert (sent["recurringExpiry"], sent["recurringFrequency"]) == ("9999-12-31", "monthly")


@pytest.mark.parametrize(
    ("date", "ended"),
    [("Thu, 05 Jan 2023 20:15:53 GMT", True), ("Thu, 05 Jan 2023 20:15:00 GMT", False)],
)
def test_a_session_ends_by_the_time_of_windcave(date: str, ended: bool) -> None:
    waiting = answer(published(state="init", transactions=[]), date=date)

    outcome = play(windcave().complete(completion()), waiting).outcome

    assert (outcome == Ended(how=Ending.EXPIRED, reference=SESSION)) is ended


# --- Stored cards -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "indicator"),
    [
        ({}, "credentialonfile"),
        ({"payer_present": False}, "unscheduledcredentialonfile"),
        ({"payer_present": False, "reason": ChargeReason.RECURRING}, "recurringvariable"),
        ({"payer_present": False, "reason": ChargeReason.RESUBMISSION}, "resubmission"),
        ({"payer_present": False, "reason": ChargeReason.NO_SHOW}, "noshow"),
    ],
)
def test_a_later_charge_says_why(given: dict[str, Any], indicator: str) -> None:
    played = play(windcave().charge(stored(**given)), NoOne)

    assert json.loads(played.requests[0].body)["storedCardIndicator"] == indicator


NoOne = answer({"id": PAID}, 202)
"""The answer of a transaction that is still being processed."""


def test_what_is_still_processed_is_asked_for_by_its_name() -> None:
    gateway = windcave()
    played = play(gateway.charge(stored()), answer({**processing(), "authorised": None}, 202))

    assert isinstance(played.outcome, Unknown)
    assert played.outcome.reference == PAID
    found = play(gateway.look_up(inquiry()), answer(processing())).outcome
    assert isinstance(found, Approved)


def processing() -> dict[str, Any]:
    paid = published()["transactions"][0]
    return {**paid, "amount": "10.00", "merchantReference": "att_1"}


def test_a_lost_answer_by_rest_is_a_matter_for_a_person() -> None:
    gateway = windcave()
    dialogue = gateway.charge(stored())
    with pytest.raises(NoResponse):
        play(dialogue, NoResponse("lost"))

    found = play(gateway.look_up(inquiry(reference="ref-att_1"))).outcome

    assert isinstance(found, Unknown)
    assert found.flagged
    assert "att_1" in found.reason


def test_an_address_is_checked_only_as_agreed() -> None:
    silent = play(windcave().charge(stored()), NoOne).requests[0]
    asked = play(windcave(avs_action=1).charge(stored()), NoOne).requests[0]

    assert "avs" not in json.loads(silent.body)
    assert json.loads(asked.body)["avs"]["avsAction"] == 1


def test_each_attempt_has_an_x_id_on_which_nothing_depends() -> None:
    one, same, other = (
        play(windcave().charge(stored(key=key)), NoOne).requests[0] for key in ("k", "k", "l")
    )

    assert one.headers["X-ID"] == same.headers["X-ID"] != other.headers["X-ID"]
    assert not one.repeatable


# --- PxPost -------------------------------------------------------------------------------

# From the tests of ActiveMerchant (payment_express), with our reference.
PUBLISHED = """
<Txn>
  <Transaction success="1" reco="00" responsetext="APPROVED">
    <Authorized>1</Authorized>
    <MerchantReference>att_1</MerchantReference>
    <Cvc2>M</Cvc2>
    <CardName>Visa</CardName>
    <Retry>0</Retry>
    <StatusRequired>0</StatusRequired>
    <AuthCode>015921</AuthCode>
    <Amount>10.00</Amount>
    <CurrencyName>USD</CurrencyName>
    <DpsBillingId></DpsBillingId>
    <DpsTxnRef>00000004011a2478</DpsTxnRef>
  </Transaction>
  <ReCo>00</ReCo>
  <ResponseText>APPROVED</ResponseText>
  <HelpText>The Transaction was approved</HelpText>
  <Success>1</Success>
  <TxnRef>00000004011a2478</TxnRef>
</Txn>
"""
INVALID = "<Txn><ReCo>0</ReCo><ResponseText>Invalid Credentials</ResponseText></Txn>"
DECLINED = PUBLISHED.replace("<Authorized>1", "<Authorized>0").replace(
    "<ReCo>00</ReCo>", "<ReCo>51</ReCo>"
)


def xml(text: str, status: int = 200) -> Response:
    return Response(status=status, body=text.encode())


def test_the_published_answer_of_pxpost_is_read() -> None:
    played = play(with_pxpost().charge(stored(payer_present=False)), xml(PUBLISHED))

    assert isinstance(played.outcome, Approved)
    [moved] = played.outcome.movements
    assert (moved.movement_id, moved.amount) == ("00000004011a2478", TEN)
    body = played.requests[0].body.decode()
    assert f"<DpsBillingId>{CARD}</DpsBillingId><ClientType>Recurring</ClientType>" in body
    assert f"<TxnId>{played.notes[0]}</TxnId>" in body
    assert len(played.notes[0]) == 16


def test_a_lost_answer_of_pxpost_is_asked_for_under_the_same_id() -> None:
    gateway = with_pxpost()
    with pytest.raises(NoResponse):
        play(gateway.charge(stored()), NoResponse("lost"))
    name = play(gateway.charge(stored()), xml(PUBLISHED)).notes[0]

    found = play(gateway.look_up(inquiry(reference=name)), xml(PUBLISHED))

    assert isinstance(found.outcome, Approved)
    body = found.requests[0].body.decode()
    assert f"<TxnType>Status</TxnType><TxnId>{name}</TxnId>" in body
    assert "Amount" not in body


@pytest.mark.parametrize(
    "text",
    [
        PUBLISHED.replace("<StatusRequired>0", "<StatusRequired>1"),
        PUBLISHED.replace("att_1", "att_2"),
        "<Txn><ReCo>V9</ReCo><ResponseText>NO SUCH</ResponseText><Success>0</Success></Txn>",
    ],
)
def test_what_pxpost_does_not_say_of_ours_stays_unknown(text: str) -> None:
    found = play(with_pxpost().look_up(inquiry(reference="pg0123456789abcd")), xml(text))

    assert isinstance(found.outcome, Unknown)


def test_pxpost_declines_and_refuses() -> None:
    declined = play(with_pxpost().charge(stored()), xml(DECLINED)).outcome
    refused = play(with_pxpost().charge(stored()), xml(INVALID)).outcome

    assert isinstance(declined, Declined)
    assert declined.code is DeclineCode.INSUFFICIENT_FUNDS
    assert isinstance(refused, Rejected)
    assert refused.cause is RejectCause.CREDENTIALS


@pytest.mark.parametrize(
    "text",
    [
        "<!DOCTYPE x [<!ENTITY e 'APPROVED'>]>" + PUBLISHED.replace(">APPROVED<", ">&e;<"),
        "<html><body>Service unavailable</body></html>",
        PUBLISHED.replace("<Amount>10.00", "<Amount>10.001"),
        PUBLISHED.replace("USD", "JPY"),
        "",
    ],
)
def test_what_is_not_an_answer_of_pxpost_decides_nothing(text: str) -> None:
    with pytest.raises(BadResponse):
        play(with_pxpost().charge(stored()), xml(text))


def test_latin_1_in_an_answer_of_utf_8_decides_nothing() -> None:
    body = PUBLISHED.replace("Visa", "Visé").encode("latin-1")

    with pytest.raises(BadResponse):
        play(with_pxpost().charge(stored()), Response(status=200, body=body))


# --- What follows -------------------------------------------------------------------------


def voiding(**given: Any) -> Voiding:
    facts: dict[str, Any] = {"reference": SESSION, "amount": TEN, "payment": "pay_1"}
    return Voiding(key="k", our_ref="att_1", **{**facts, **given})


def test_a_void_gives_back_what_the_page_took() -> None:
    done = {**processing(), "id": "0000000300dea889", "type": "void"}

    played = play(windcave().void(voiding()), answer(published()), answer(done, 201))

    assert isinstance(played.outcome, Approved)
    [moved] = played.outcome.movements
    assert (moved.kind, moved.undoes, moved.amount) == (
        MovementKind.VOID,
        PAID,
        Money("USD", 15989),
    )
    assert json.loads(played.requests[1].body)["transactionId"] == PAID


def test_the_field_of_the_original_is_a_setting() -> None:
    gateway = windcave(original_field="originalTransactionId")
    refunding = Refunding(
        key="k", our_ref="att_1", payment="p", reference=SESSION, movement_id=PAID, amount=TEN
    )

    [request] = play(gateway.refund(refunding), NoOne).requests

    assert json.loads(request.body)["originalTransactionId"] == PAID


# --- Refused before anything is sent ------------------------------------------------------


@pytest.mark.parametrize(
    "charge",
    [
        stored(amount=Money("JPY", 500)),
        stored(amount=Money("NZD", 500)),
        stored(method=OneTimeToken.of("tok")),
        stored(method=StoredToken(Secret("../sessions"))),
        stored(moto=True),
        on_page(moto=True),
    ],
)
def test_what_windcave_is_not_known_to_take_is_refused(charge: Charge) -> None:
    with pytest.raises(Unsupported):
        windcave().charge(charge)


def test_pxpost_takes_telephone_orders_and_has_no_void() -> None:
    played = play(with_pxpost().charge(stored(moto=True)), xml(PUBLISHED))

    assert b"<ClientType>MOTO</ClientType>" in played.requests[0].body
    with pytest.raises(Unsupported, match="refund"):
        with_pxpost().void(voiding(reference=played.notes[0]))


@pytest.mark.parametrize(
    "given",
    [
        {"currencies": ["JPY"]},
        {"currencies": []},
        {"pxpost_username": "x"},
        {"live": True, "api_base": "http://127.0.0.1"},
        {"username": "a:b"},
        {"minimum": {"EUR": "1"}},
    ],
)
def test_settings_that_contradict_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        windcave(**given)


# --- Notifications ------------------------------------------------------------------------


def heard(query: str = "", body: bytes = b"", method: str = "GET") -> list[Notice]:
    callback = Callback(
        method=method, path="/", headers={}, query=query, body=body, received_at=NOW
    )
    return play(windcave().verify(callback)).outcome


@pytest.mark.parametrize(
    "notices",
    [
        heard(query=f"sessionId={SESSION}"),
        heard(query=f"status=approved&sessionId={SESSION}&username=x"),
        heard(body=f'{{"sessionID": "{SESSION}"}}'.encode(), method="POST"),
        heard(body=f"sessionId={SESSION}".encode(), method="POST"),
    ],
)
def test_a_notification_is_only_the_name_of_a_session(notices: list[Notice]) -> None:
    [notice] = notices

    assert (notice.reference, notice.event_id, notice.answer, notice.movements) == (
        SESSION,
        SESSION,
        None,
        (),
    )


@pytest.mark.parametrize("query", ["", "sessionId=", "sessionId=../../x", f"sessionId={'0' * 65}"])
def test_a_notification_without_a_session_is_refused(query: str) -> None:
    with pytest.raises(NotAuthentic):
        heard(query=query)


@pytest.mark.parametrize("result", Applied)
def test_no_reply_is_one_that_ends_the_notifications(result: Applied) -> None:
    [notice] = heard(query=f"sessionId={SESSION}")

    assert windcave().reply(notice, result).status == 200
