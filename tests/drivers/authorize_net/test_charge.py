"""Charging at Authorize.Net: what is sent, and what each answer means for the money."""

import re
from typing import Any

import pytest

from paygate.dialogue import Response
from paygate.domain.card_checks import CardCheck, CardChecks, CheckResult
from paygate.domain.charging import ChargeLine, ChargeReason
from paygate.domain.customer import Browser, Customer, PostalAddress
from paygate.domain.kind import Kind
from paygate.domain.method import MethodFacts
from paygate.domain.money import Money
from paygate.domain.movement import Movement
from paygate.domain.outcome import (
    Approved,
    Authorized,
    DeclineCode,
    Declined,
    Outcome,
    Pending,
    RejectCause,
    Rejected,
    Unknown,
)
from paygate.domain.secret import OneTimeToken, RawBankAccount, RawCard, Secret
from paygate.drivers.authorize_net import AuthorizeNet
from paygate.drivers.authorize_net.fields import order_number
from paygate.errors import BadResponse, InvalidValue, NoResponse, Unsupported, UsageError
from paygate.testing.play import Played, play
from tests.drivers.authorize_net.conftest import (
    OK,
    PAYER,
    STORED,
    T,
    answers,
    body_of,
    charge,
    details,
    error,
    inquiry,
    made,
    refuses,
    sent,
    settings,
    usd,
)

ORDER = order_number("k7")
CARD = RawCard(Secret("4111111111111111"), 12, 2030, Secret("900"), "Ada Lovelace")
ACCOUNT = RawBankAccount(Secret("122000661"), Secret("0123456789"), "checking", "Ada Lovelace")
OPEN = AuthorizeNet(settings(accept_raw_cards=True, accept_raw_bank_accounts=True))


def charged(net: AuthorizeNet, *replies: Response | Exception, **given: Any) -> Played[Outcome]:
    return play(net.charge(charge(**given)), *replies)


# --- What is sent ----------------------------------------------------------------------


def test_a_charge_is_one_request_that_moves_money(net: AuthorizeNet) -> None:
    played = charged(net, made())

    (request,) = played.requests
    assert (request.method, request.moves_money, request.repeatable) == ("POST", True, False)
    assert request.url == "https://apitest.authorize.net/xml/v1/request.api"
    assert request.timeout_s == 60
    assert played.notes == []


def test_a_live_account_is_asked_where_live_accounts_are() -> None:
    (request,) = charged(AuthorizeNet(settings(live=True)), made()).requests

    assert request.url == "https://api.authorize.net/xml/v1/request.api"


def test_everything_about_a_charge_is_in_it(net: AuthorizeNet) -> None:
    (request,) = charged(
        net,
        made(),
        payer=PAYER,
        invoices=("INV-7", "INV-8"),
        browser=Browser(ip="203.0.113.5"),
    ).requests

    assert sent(request) == {
        "createTransactionRequest": {
            "merchantAuthentication": {
                "name": "login12345",
                "transactionKey": "0123456789abcdef",
            },
            "refId": ORDER,
            "transactionRequest": {
                "transactionType": "authCaptureTransaction",
                "amount": "12.50",
                "currencyCode": "USD",
                "payment": {
                    "opaqueData": {
                        "dataDescriptor": "COMMON.ACCEPT.INAPP.PAYMENT",
                        "dataValue": "eyJjb2RlIjoiNTBfMl8wNjAwMDUy",
                    }
                },
                "order": {"invoiceNumber": ORDER, "description": "INV-7, INV-8"},
                "customer": {"id": "C-1", "email": "ada@example.org"},
                "billTo": {
                    "firstName": "Ada King",
                    "lastName": "Lovelace",
                    "address": "12 St James's Sq, Flat 3",
                    "city": "Bellevue",
                    "state": "WA",
                    "zip": "98004",
                    "country": "US",
                    "phoneNumber": "+1 206 555 0100",
                },
                "customerIP": "203.0.113.5",
                "transactionSettings": {
                    "setting": [
                        {"settingName": "allowPartialAuth", "settingValue": "false"},
                        {"settingName": "duplicateWindow", "settingValue": "28800"},
                    ]
                },
            },
        }
    }


def test_the_order_number_follows_from_the_key_and_fits() -> None:
    assert order_number("k7") == order_number("k7") != order_number("k8")
    assert re.fullmatch(r"pg-[0-9a-f]{17}", order_number("k" * 300))


def test_the_same_charge_is_the_same_bytes(net: AuthorizeNet) -> None:
    assert charged(net, made()).requests == charged(net, made()).requests


def test_a_stored_card_goes_without_what_its_profile_holds(net: AuthorizeNet) -> None:
    told = body_of(charged(net, made(), method=STORED, payer=PAYER).requests[0])

    assert told["profile"] == {
        "customerProfileId": "123",
        "paymentProfile": {"paymentProfileId": "456"},
    }
    assert told.keys().isdisjoint({"payment", "billTo", "customer"})
    assert told["processingOptions"] == {"isStoredCredentials": "true"}


def test_a_stored_card_without_the_payer_names_the_first_transaction(net: AuthorizeNet) -> None:
    token = type(STORED)(STORED.value, network_transaction_id="0000123ABC")

    told = body_of(charged(net, made(), method=token, payer_present=False).requests[0])

    assert told["processingOptions"] == {"isSubsequentAuth": "true"}
    assert told["subsequentAuthInformation"] == {"originalNetworkTransId": "0000123ABC"}


@pytest.mark.parametrize(
    ("reason", "setting", "told_reason"),
    [
        (ChargeReason.RECURRING, "true", None),
        (ChargeReason.INSTALLMENT, "true", None),
        (ChargeReason.UNSCHEDULED, None, None),
        (ChargeReason.RESUBMISSION, None, "resubmission"),
        (ChargeReason.DELAYED, None, "delayedCharge"),
        (ChargeReason.REAUTHORIZATION, None, "reauthorization"),
        (ChargeReason.NO_SHOW, None, "noShow"),
    ],
)
def test_a_charge_without_the_payer_says_by_which_agreement(
    net: AuthorizeNet, reason: ChargeReason, setting: str | None, told_reason: str | None
) -> None:
    given: dict[str, Any] = {"method": STORED, "payer_present": False, "reason": reason}

    told = body_of(charged(net, made(), **given).requests[0])

    settings = {
        each["settingName"]: each["settingValue"] for each in told["transactionSettings"]["setting"]
    }
    assert settings.get("recurringBilling") == setting
    assert told.get("subsequentAuthInformation", {}).get("reason") == told_reason


def test_the_first_of_a_series_is_said_to_be_one(net: AuthorizeNet) -> None:
    given: dict[str, Any] = {"store_method": True, "payer": PAYER, "reason": ChargeReason.RECURRING}

    told = body_of(play(net.charge(charge(**given)), made(), made()).requests[0])

    assert told["processingOptions"] == {"isFirstRecurringPayment": "true"}


def test_the_hosts_facts_and_the_invoices_go_with_a_charge(net: AuthorizeNet) -> None:
    lines = (ChargeLine("INV-7", usd("12.00")), ChargeLine("INV-8", usd("0.50")))

    told = body_of(
        charged(
            net, made(), lines=lines, metadata={"boat": "Ida"}, statement_suffix="ROW 12"
        ).requests[0]
    )

    assert told["lineItems"]["lineItem"] == [
        {"itemId": "INV-7", "name": "INV-7", "quantity": "1", "unitPrice": "12.00"},
        {"itemId": "INV-8", "name": "INV-8", "quantity": "1", "unitPrice": "0.50"},
    ]
    assert told["userFields"] == {"userField": {"name": "boat", "value": "Ida"}}
    assert told["merchantDescriptor"] == "ROW 12"


@pytest.mark.parametrize("reason", [ChargeReason.RECURRING, ChargeReason.INSTALLMENT])
def test_a_payer_may_begin_a_series_with_a_stored_card(
    net: AuthorizeNet, reason: ChargeReason
) -> None:
    told = body_of(charged(net, made(), method=STORED, reason=reason).requests[0])

    assert told["processingOptions"] == {
        "isFirstRecurringPayment": "true",
        "isStoredCredentials": "true",
    }
    assert "recurringBilling" not in str(told["transactionSettings"])


def test_the_amount_of_the_first_charge_is_left_to_the_profile(net: AuthorizeNet) -> None:
    """Their guide to cards on file: a profile holds it, and sends it by itself."""
    token = type(STORED)(STORED.value, network_transaction_id="0000123ABC")

    for reason in ChargeReason:
        given: dict[str, Any] = {"method": token, "payer_present": False, "reason": reason}
        told = body_of(charged(net, made(), **given).requests[0])

        assert told["subsequentAuthInformation"]["originalNetworkTransId"] == "0000123ABC"
        assert "originalAuthAmount" not in told["subsequentAuthInformation"]


@pytest.mark.parametrize("payer", [PAYER, None])
def test_a_receipt_goes_where_the_host_says(net: AuthorizeNet, payer: Customer | None) -> None:
    given: dict[str, Any] = {"payer": payer, "receipt_email": "office@example.org"}

    told = body_of(charged(net, made(), **given).requests[0])
    without = body_of(charged(net, made(), payer=PAYER).requests[0])
    with pytest.raises(Unsupported, match="receipt_email"):
        charged(net, made(), method=STORED, **given)

    assert told["customer"]["email"] == "office@example.org"
    receipt = {"settingName": "emailCustomer", "settingValue": "true"}
    assert receipt in told["transactionSettings"]["setting"]
    assert receipt not in without["transactionSettings"]["setting"]


@pytest.mark.parametrize(
    ("wallet", "descriptor"),
    [
        ("", "COMMON.ACCEPT.INAPP.PAYMENT"),
        ("apple_pay", "COMMON.APPLE.INAPP.PAYMENT"),
        ("google_pay", "COMMON.GOOGLE.INAPP.PAYMENT"),
    ],
)
def test_the_payment_data_of_a_wallet_says_whose_it_is(
    net: AuthorizeNet, wallet: str, descriptor: str
) -> None:
    told = body_of(charged(net, made(), method=OneTimeToken.of("eyJh", wallet)).requests[0])

    assert told["payment"]["opaqueData"] == {"dataDescriptor": descriptor, "dataValue": "eyJh"}


def test_purchase_order_and_tax_are_sent_from_the_facts_that_the_settings_name() -> None:
    net = AuthorizeNet(settings(purchase_order_fact="po", tax_fact="vat"))
    facts = {"po": "PO 7/2026", "vat": "1.04", "boat": "Ida"}

    told = body_of(charged(net, made(), metadata=facts).requests[0])
    none = body_of(charged(net, made(), metadata={"boat": "Ida"}).requests[0])

    assert told["poNumber"] == "PO 7/2026"
    assert told["tax"] == {"amount": "1.04"}
    assert told["userFields"] == {"userField": {"name": "boat", "value": "Ida"}}
    assert none.keys().isdisjoint({"poNumber", "tax"})


@pytest.mark.parametrize(
    "facts",
    [{"po": "P" * 26}, {"vat": "a tenth"}, {"vat": "1.005"}, {"vat": "12.51"}, {"vat": "-1.00"}],
)
def test_a_purchase_order_or_tax_that_cannot_be_is_refused_unsent(facts: dict[str, str]) -> None:
    net = AuthorizeNet(settings(purchase_order_fact="po", tax_fact="vat"))

    with pytest.raises(UsageError):
        net.charge(charge(metadata=facts))


def test_a_hold_says_whether_its_amount_is_final_if_the_account_wants_that() -> None:
    net = AuthorizeNet(settings(authorization_indicator="pre"))

    hold = body_of(play(net.authorize(charge()), made()).requests[0])
    charge_ = body_of(charged(net, made()).requests[0])

    assert hold["authorizationIndicatorType"] == {"authorizationIndicator": "pre"}
    assert "authorizationIndicatorType" not in charge_


def test_a_raw_card_is_charged_only_where_the_settings_say_so(net: AuthorizeNet) -> None:
    told = body_of(charged(OPEN, made(), method=CARD).requests[0])

    assert told["payment"]["creditCard"] == {
        "cardNumber": "4111111111111111",
        "expirationDate": "2030-12",
        "cardCode": "900",
    }
    assert RawCard not in net.traits.rails[Kind.CARD].methods
    assert RawCard in OPEN.traits.rails[Kind.CARD].methods
    with pytest.raises(UsageError, match="accept_raw_cards"):
        net.charge(charge(method=CARD))


@pytest.mark.parametrize(
    ("owned", "configured", "account_type", "allowed"),
    [
        ("checking", "WEB", "checking", "WEB"),
        ("savings", "PPD", "savings", "PPD"),
        ("business_checking", "WEB", "businessChecking", "CCD"),
        ("businessChecking", "PPD", "businessChecking", "CCD"),
    ],
)
def test_who_owns_an_account_decides_how_it_is_debited(
    owned: str, configured: str, account_type: str, allowed: str
) -> None:
    net = AuthorizeNet(settings(accept_raw_bank_accounts=True, e_check_type=configured))
    account = RawBankAccount(Secret("122000661"), Secret("0123456789"), owned, "A" * 30)

    told = body_of(charged(net, made(), kind=Kind.E_CHECK, method=account).requests[0])

    assert told["payment"]["bankAccount"] == {
        "accountType": account_type,
        "routingNumber": "122000661",
        "accountNumber": "0123456789",
        "nameOnAccount": "A" * 22,
        "echeckType": allowed,
    }
    assert told["transactionSettings"]["setting"]["settingName"] == "duplicateWindow"


@pytest.mark.parametrize(
    ("routing", "number", "says"),
    [
        ("122000662", "123", "routing number"),
        ("000000000", "123", "routing number"),
        ("12200066", "123", "routing number"),
        ("122000661", "1" * 18, "17 digits"),
        ("122000661", "12 34", "17 digits"),
    ],
)
def test_a_bank_account_that_cannot_be_is_refused_unsent(
    routing: str, number: str, says: str
) -> None:
    account = RawBankAccount(Secret(routing), Secret(number), "checking", "Ada")

    with pytest.raises(InvalidValue, match=says):
        OPEN.charge(charge(kind=Kind.E_CHECK, method=account))


@pytest.mark.parametrize(("routing", "number"), [("12200066¹", "123"), ("122000661", "")])
def test_a_bank_account_of_no_letters_and_digits_is_not_built(routing: str, number: str) -> None:
    with pytest.raises(InvalidValue, match="1 to 34 letters and digits"):
        RawBankAccount(Secret(routing), Secret(number), "checking", "Ada")


# --- Lengths and characters ---------------------------------------------------------------


def test_what_may_be_shortened_is(net: AuthorizeNet) -> None:
    payer = Customer(
        "C" * 21,
        name="Wolfeschlegelsteinhausenbergerdorff " * 3,
        address=PostalAddress(line1="x" * 61, city="y" * 41, region="z" * 41, country="w" * 61),
    )

    told = body_of(charged(net, made(), payer=payer, description="d" * 300).requests[0])

    assert {name: len(text) for name, text in told["billTo"].items()} == {
        "firstName": 50,
        "lastName": 35,
        "address": 60,
        "city": 40,
        "state": 40,
        "country": 60,
    }
    assert len(told["order"]["description"]) == 255
    assert re.fullmatch(r"pg-[0-9a-f]{17}", told["customer"]["id"])


@pytest.mark.parametrize(
    "payer",
    [
        Customer("C", email=f"{'a' * 250}@b.org"),
        Customer("C", email="no address"),
        Customer("C", phone="1" * 26),
        Customer("C", address=PostalAddress(postal_code="9" * 21)),
    ],
)
def test_what_would_mean_something_else_is_refused(net: AuthorizeNet, payer: Customer) -> None:
    with pytest.raises(InvalidValue):
        net.charge(charge(payer=payer))


GOODS_TO = Customer(
    "F-1",
    name="Grace Hopper",
    email="grace@example.org",
    phone="+1 206 555 0199",
    address=PostalAddress(
        line1="1 Pier", line2="Shed 2", city="Ballard", postal_code="98107", country="US"
    ),
)
SHIPPED = {
    "firstName": "Grace",
    "lastName": "Hopper",
    "address": "1 Pier, Shed 2",
    "city": "Ballard",
    "zip": "98107",
    "country": "US",
}


@pytest.mark.parametrize("hold", [False, True])
def test_who_gets_the_goods_goes_along_without_a_telephone(
    net: AuthorizeNet, *, hold: bool
) -> None:
    verb = net.authorize if hold else net.charge

    told = body_of(play(verb(charge(payer=PAYER, ship_to=GOODS_TO)), made()).requests[0])

    assert told["shipTo"] == SHIPPED
    assert list(told)[list(told).index("billTo") + 1] == "shipTo"


def test_a_stored_card_says_who_gets_the_goods_and_not_who_pays(net: AuthorizeNet) -> None:
    told = body_of(charged(net, made(), method=STORED, payer=PAYER, ship_to=GOODS_TO).requests[0])

    assert told["shipTo"] == SHIPPED
    assert told.keys().isdisjoint({"billTo", "customer"})


def test_a_recipient_without_a_name_and_an_address_is_not_sent(net: AuthorizeNet) -> None:
    told = body_of(charged(net, made(), ship_to=Customer("F-2", phone="+1")).requests[0])

    assert "shipTo" not in told


@pytest.mark.parametrize("kind", ["card", "redirect"])
def test_a_postal_code_of_a_recipient_that_does_not_fit_is_refused(
    net: AuthorizeNet, kind: str
) -> None:
    recipient = Customer("F-2", address=PostalAddress(postal_code="9" * 21))
    given: dict[str, Any] = {"kind": Kind(kind), "ship_to": recipient}
    if kind == "redirect":
        given |= {"method": None, "return_url": "https://shop.example/back"}

    with pytest.raises(InvalidValue, match="postal code"):
        net.charge(charge(**given))


def test_characters_that_do_harm_become_spaces_and_others_stay(net: AuthorizeNet) -> None:
    payer = Customer("C", name="Łucja <script>\x00\ud800 O'Neil & Søn")

    told = body_of(charged(net, made(), payer=payer, description="a\u2028b & c\tд").requests[0])

    assert told["billTo"] == {"firstName": "Łucja  script  O'Neil &", "lastName": "Søn"}
    assert told["order"]["description"] == "a b & c д"


@pytest.mark.parametrize(
    "given",
    [
        {"amount": Money.of("EUR", "1.00")},
        {"kind": Kind.BITCOIN},
        {"method": None},
        {"method": OneTimeToken.of("not a token")},
        {"method": OneTimeToken.of("")},
        {"method": type(STORED)(Secret("pm_1"))},
        {"method": type(STORED)(Secret("0/7"))},
        {"kind": Kind.REDIRECT},
        {"kind": Kind.REDIRECT, "return_url": "https://x.example/"},
    ],
)
def test_what_it_cannot_charge_is_refused_before_there_is_a_dialogue(
    net: AuthorizeNet, given: dict[str, Any]
) -> None:
    with pytest.raises(UsageError):
        net.charge(charge(**given))


def test_nothing_is_held_on_a_bank_account(net: AuthorizeNet) -> None:
    with pytest.raises(UsageError, match="holds amounts on cards"):
        net.authorize(charge(kind=Kind.E_CHECK))


# --- What an answer means -----------------------------------------------------------------


VISA = MethodFacts(brand="visa", last4="1111")
CHECKED = CardChecks(
    address=CardCheck(CheckResult.PASS, "Y"),
    postal_code=CardCheck(CheckResult.PASS, "Y"),
    security_code=CardCheck(CheckResult.UNCHECKED, "P"),
    authentication=CardCheck(CheckResult.PASS, "2"),
)


def test_approved_is_paid(net: AuthorizeNet) -> None:
    outcome = charged(net, made(ref=ORDER, networkTransId="0TN12")).outcome

    assert outcome == Approved(
        reference=T,
        movements=(Movement(movement_id=T, amount=usd("12.50")),),
        network_transaction_id="0TN12",
        method_facts=VISA,
        checks=CHECKED,
    )


@pytest.mark.parametrize(
    ("letter", "street", "postal_code"),
    [
        ("A", "pass", "fail"),
        ("B", "unchecked", "unchecked"),
        ("G", "unavailable", "unavailable"),
        ("N", "fail", "fail"),
        ("U", "unavailable", "unavailable"),
        ("Z", "fail", "pass"),
        ("?", "unavailable", "unavailable"),
    ],
)
def test_the_address_letter_is_read_as_two_results(
    net: AuthorizeNet, letter: str, street: str, postal_code: str
) -> None:
    outcome = charged(net, made(avsResultCode=letter)).outcome

    assert isinstance(outcome, Approved)
    assert outcome.checks is not None
    assert outcome.checks.address == CardCheck(CheckResult(street), letter)
    assert outcome.checks.postal_code == CardCheck(CheckResult(postal_code), letter)


def test_a_decline_keeps_what_was_checked(net: AuthorizeNet) -> None:
    outcome = charged(net, made(responseCode="2", cvvResultCode="N")).outcome

    assert isinstance(outcome, Declined)
    assert outcome.checks is not None
    assert outcome.checks.security_code == CardCheck(CheckResult.FAIL, "N")
    assert outcome.method_facts == MethodFacts(brand="visa", last4="1111")


def test_a_hold_is_authorized(net: AuthorizeNet) -> None:
    played = play(net.authorize(charge()), made())

    assert body_of(played.requests[0])["transactionType"] == "authOnlyTransaction"
    assert isinstance(played.outcome, Authorized)
    assert (played.outcome.amount, played.outcome.reference) == (usd("12.50"), T)


def test_an_accepted_e_check_is_money_that_is_still_to_settle() -> None:
    outcome = charged(OPEN, made(accountType="eCheck"), kind=Kind.E_CHECK, method=ACCOUNT).outcome

    assert isinstance(outcome, Approved)
    assert outcome.movements == (Movement(movement_id=T, amount=usd("12.50")),)
    assert outcome.movements[0].settled is None
    assert all(rail.reports_settlement for rail in OPEN.traits.rails.values())


@pytest.mark.parametrize(
    ("code", "reason", "ours", "retryable"),
    [
        ("2", "2", DeclineCode.GENERIC, True),
        ("2", "4", DeclineCode.LOST_OR_STOLEN, False),
        ("2", "27", DeclineCode.INVALID_ADDRESS, False),
        ("2", "44", DeclineCode.INVALID_SECURITY_CODE, False),
        ("2", "251", DeclineCode.FRAUD_SUSPECTED, False),
        ("2", "999", DeclineCode.GENERIC, False),
        ("3", "6", DeclineCode.INVALID_METHOD, False),
        ("3", "8", DeclineCode.EXPIRED_METHOD, False),
        ("3", "9", DeclineCode.INVALID_METHOD, False),
        ("2", "317", DeclineCode.EXPIRED_METHOD, False),
        ("2", "200", DeclineCode.INVALID_METHOD, False),
        ("2", "201", DeclineCode.INVALID_METHOD, False),
        ("2", "211", DeclineCode.NO_ACCOUNT, False),
        ("2", "220", DeclineCode.TRY_AGAIN_LATER, True),
        ("2", "222", DeclineCode.DUPLICATE, False),
    ],
)
def test_a_no_is_a_decline(
    net: AuthorizeNet, code: str, reason: str, ours: DeclineCode, retryable: bool
) -> None:
    outcome = charged(net, made(code, reason)).outcome

    assert outcome == Declined(
        code=ours,
        raw_code=reason,
        retryable=retryable,
        message="Refused.",
        reference=T,
        method_facts=VISA,
        checks=CHECKED,
    )


@pytest.mark.parametrize(
    ("expires", "ours"),
    [
        ((10, 2026), DeclineCode.EXPIRED_METHOD),
        ((11, 2026), DeclineCode.INVALID_METHOD),
        ((1, 2027), DeclineCode.INVALID_METHOD),
    ],
)
def test_a_wrong_expiry_that_has_passed_is_an_expired_card(
    expires: tuple[int, int], ours: DeclineCode
) -> None:
    card = RawCard(Secret("4111111111111111"), *expires)

    outcome = charged(OPEN, made("2", "201"), method=card).outcome

    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.raw_code) == (ours, "201")


@pytest.mark.parametrize(
    ("reason", "ours"),
    [
        ("127", DeclineCode.INVALID_ADDRESS),
        ("141", DeclineCode.GENERIC),
        ("145", DeclineCode.GENERIC),
        ("165", DeclineCode.INVALID_SECURITY_CODE),
    ],
)
def test_a_decline_whose_hold_could_not_be_released_alerts_the_merchant(
    net: AuthorizeNet, reason: str, ours: DeclineCode
) -> None:
    answered = charged(net, made("2", reason)).outcome
    asked_again = play(
        net.look_up(inquiry(reference=T)), details("declined", code="2", reason=reason)
    ).outcome

    for outcome in (answered, asked_again):
        assert isinstance(outcome, Declined)
        assert (outcome.code, outcome.raw_code) == (ours, reason)
        assert "could not release the hold" in outcome.alert
        assert T in outcome.alert
        assert outcome.message.endswith(outcome.alert)


def test_an_approval_whose_settlement_failed_is_refused_and_alerts_the_merchant(
    net: AuthorizeNet,
) -> None:
    outcome = charged(net, made("3", "36")).outcome

    assert isinstance(outcome, Rejected)
    assert (outcome.cause, outcome.retryable, outcome.reference) == (RejectCause.STATE, False, T)
    assert "its settlement failed" in outcome.alert
    assert T in outcome.alert


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("35", RejectCause.PERMISSION),
        ("171", RejectCause.VALIDATION),
        ("174", RejectCause.VALIDATION),
        ("206", RejectCause.PERMISSION),
        ("207", RejectCause.PERMISSION),
    ],
)
def test_a_decline_for_what_is_wrong_with_the_account_blames_no_card(
    net: AuthorizeNet, reason: str, cause: RejectCause
) -> None:
    outcome = charged(net, made("2", reason)).outcome

    assert isinstance(outcome, Rejected)
    assert (outcome.cause, outcome.raw_code) == (cause, reason)


@pytest.mark.parametrize("reason", ["19", "20", "21", "22", "23"])
def test_a_warning_of_several_authorisations_is_not_sent_again_and_says_look(
    net: AuthorizeNet, reason: str
) -> None:
    played = charged(net, made("3", reason))

    assert len(played.requests) == 1
    assert isinstance(played.outcome, Unknown)
    assert "wait and look" in played.outcome.reason
    assert "several authorizations" in played.outcome.reason


def test_a_decline_with_an_error_beside_it_is_a_decline(net: AuthorizeNet) -> None:
    told = sent_error("E00027", "2", "27")

    outcome = charged(net, told).outcome

    assert isinstance(outcome, Declined)
    assert outcome.code is DeclineCode.INVALID_ADDRESS


def sent_error(message: str, code: str, reason: str) -> Response:
    from tests.drivers.authorize_net.conftest import transaction

    return answers(
        "createTransactionResponse",
        {"messages": error(message), "transactionResponse": transaction(code, reason)},
    )


@pytest.mark.parametrize(
    ("reason", "cause", "retryable"),
    [
        ("13", RejectCause.CREDENTIALS, False),
        ("18", RejectCause.PERMISSION, False),
        ("131", RejectCause.PERMISSION, False),
        ("261", RejectCause.UNAVAILABLE, True),
        ("901", RejectCause.UNAVAILABLE, True),
        ("39", RejectCause.VALIDATION, False),
        ("103", RejectCause.PERMISSION, False),
        ("16", RejectCause.STATE, False),
        ("33", RejectCause.VALIDATION, False),
    ],
)
def test_a_wrong_request_blames_no_card(
    net: AuthorizeNet, reason: str, cause: RejectCause, retryable: bool
) -> None:
    outcome = charged(net, made("3", reason, transId="0")).outcome

    assert outcome == Rejected(
        cause=cause, retryable=retryable, raw_code=reason, message="Refused."
    )


@pytest.mark.parametrize(
    ("code", "cause", "retryable"),
    [
        ("E00007", RejectCause.CREDENTIALS, False),
        ("E00005", RejectCause.CREDENTIALS, False),
        ("E00011", RejectCause.PERMISSION, False),
        ("E00003", RejectCause.VALIDATION, False),
        ("E00013", RejectCause.VALIDATION, False),
        ("E00027", RejectCause.VALIDATION, False),
        ("E00040", RejectCause.METHOD_GONE, False),
        ("E00114", RejectCause.VALIDATION, False),
        ("E00115", RejectCause.METHOD_GONE, False),
        ("E00053", RejectCause.UNAVAILABLE, True),
        ("E00104", RejectCause.UNAVAILABLE, True),
    ],
)
def test_a_refused_call_is_no_transaction(
    net: AuthorizeNet, code: str, cause: RejectCause, retryable: bool
) -> None:
    for reply in (
        refuses(code),
        answers("createTransactionResponse", {"messages": error(code)}),
    ):
        outcome = charged(net, reply).outcome

        assert outcome == Rejected(cause=cause, retryable=retryable, raw_code=code, message="No.")


def test_too_many_calls_are_turned_away_at_the_door(net: AuthorizeNet) -> None:
    outcome = charged(net, Response(status=429, body=b"<html>slow down</html>")).outcome

    assert isinstance(outcome, Rejected)
    assert (outcome.cause, outcome.retryable) == (RejectCause.RATE_LIMIT, True)


@pytest.mark.parametrize("reason", ["0", "19", "23", "52", "57", "120", "152", "180", "181"])
def test_an_error_while_it_was_processed_is_unknown(net: AuthorizeNet, reason: str) -> None:
    outcome = charged(net, made("3", reason)).outcome

    assert isinstance(outcome, Unknown)
    assert outcome.reference == T
    assert f"answered {reason} (" in outcome.reason


@pytest.mark.parametrize("code", ["E00001", "E00049", "E00062", "E00063", "E00133"])
def test_a_call_that_broke_off_is_unknown(net: AuthorizeNet, code: str) -> None:
    assert isinstance(charged(net, refuses(code)).outcome, Unknown)


@pytest.mark.parametrize("reply", [refuses("E77777"), made("3", "7777", transId="0")])
def test_a_code_that_nobody_has_heard_of_is_unknown_if_money_may_have_moved(
    net: AuthorizeNet, reply: Response
) -> None:
    outcome = charged(net, reply).outcome

    assert isinstance(outcome, Unknown)
    assert "no code that is known to mean a refusal" in outcome.reason


def test_an_error_without_a_code_is_unknown(net: AuthorizeNet) -> None:
    silent = answers(
        "createTransactionResponse",
        {"messages": OK, "transactionResponse": {"responseCode": "3", "transId": "0"}},
    )

    assert isinstance(charged(net, silent).outcome, Unknown)


@pytest.mark.parametrize("reason", ["193", "252", "253"])
def test_what_is_held_for_review_is_pending(net: AuthorizeNet, reason: str) -> None:
    assert charged(net, made("4", reason)).outcome == Pending(reference=T)


def test_test_mode_charges_nothing_and_says_so(net: AuthorizeNet) -> None:
    outcome = charged(net, made(transId="0", testRequest="1")).outcome

    assert isinstance(outcome, Rejected)
    assert "Test Mode" in outcome.message


# --- Partial approvals ---------------------------------------------------------------------

PART: dict[str, Any] = {
    "splitTenderId": "115901",
    "prePaidCard": {"requestedAmount": "12.50", "approvedAmount": "1.23", "balanceOnCard": "0.00"},
}
ENDED = answers("updateSplitTenderGroupResponse", {"messages": OK})


def test_a_part_that_nobody_asked_for_is_let_go(net: AuthorizeNet) -> None:
    played = charged(net, made("4", "295", **PART), ENDED)

    assert (
        sent(played.requests[1])["updateSplitTenderGroupRequest"]["splitTenderStatus"] == "voided"
    )
    assert isinstance(played.outcome, Declined)
    assert played.outcome.code is DeclineCode.INSUFFICIENT_FUNDS
    assert "1.23" in played.outcome.message


def test_a_part_is_taken_where_the_settings_say_so() -> None:
    net = AuthorizeNet(settings(partial_approvals=True))

    played = charged(net, made("4", "295", **PART), ENDED)

    first, second = played.requests
    assert body_of(first)["transactionSettings"]["setting"][0]["settingValue"] == "true"
    assert sent(second)["updateSplitTenderGroupRequest"]["splitTenderStatus"] == "completed"
    assert isinstance(played.outcome, Approved)
    assert played.outcome.movements == (Movement(movement_id=T, amount=usd("1.23")),)


def test_a_part_whose_end_is_refused_is_unknown(net: AuthorizeNet) -> None:
    outcome = charged(net, made("4", "295", **PART), refuses("E00013")).outcome

    assert isinstance(outcome, Unknown)
    assert outcome.reference == T


def test_a_prepaid_card_that_covers_it_all_is_no_part(net: AuthorizeNet) -> None:
    whole = {"requestedAmount": "12.50", "approvedAmount": "12.50", "balanceOnCard": "1.23"}

    outcome = charged(net, made(prePaidCard=whole)).outcome

    assert isinstance(outcome, Approved)
    assert outcome.movements[0].amount == usd("12.50")


# --- Duplicates ------------------------------------------------------------------------------


def test_a_duplicate_of_our_own_is_adopted(net: AuthorizeNet) -> None:
    outcome = charged(
        net, made("3", "11"), details("capturedPendingSettlement", order=ORDER)
    ).outcome

    assert isinstance(outcome, Approved)
    assert [(one.movement_id, one.amount) for one in outcome.movements] == [(T, usd("12.50"))]


def test_a_duplicate_of_a_declined_try_of_our_own_is_what_that_came_to(net: AuthorizeNet) -> None:
    first = details("declined", order=ORDER, code="2", reason="44")

    outcome = charged(net, made("3", "11"), first).outcome

    assert isinstance(outcome, Declined)
    assert (outcome.raw_code, outcome.reference) == ("44", T)


def test_a_duplicate_of_something_else_is_declined(net: AuthorizeNet) -> None:
    outcome = charged(
        net, made("3", "11"), details("capturedPendingSettlement", order="another")
    ).outcome

    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.reference) == (DeclineCode.DUPLICATE, "")


def test_a_duplicate_of_nothing_in_particular_is_unknown(net: AuthorizeNet) -> None:
    assert isinstance(charged(net, made("3", "11", transId="0")).outcome, Unknown)


# --- What is no answer -----------------------------------------------------------------------

GARBAGE = [
    Response(status=500, body=b"<html>oops</html>"),
    Response(status=200, body=b"<html><body>maintenance</body></html>"),
    Response(status=200, body=b"<html><body>maintenance"),
    Response(status=200, body=b""),
    Response(status=200, body=b"\xff\xfe<\x00"),
    Response(status=200, body=b'{"messages": {}}'),
    answers("createTransactionResponse"),
    answers("createTransactionResponse", {"messages": OK}),
    answers("createTransactionResponse", {"messages": OK, "transactionResponse": {}}),
    answers("getTransactionDetailsResponse", {"messages": OK}),
    Response(status=200, body=made().body.replace(b"AnetApi/", b"Others/")),
    Response(
        status=200,
        body=b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>',
    ),
    Response(
        status=200,
        body=b'<?xml version="1.0"?><!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
    ),
    Response(status=200, body='<!DOCTYPE x [<!ENTITY a "a">]><x>&a;</x>'.encode("utf-16")),
    Response(status=200, body=b'<?xml version="1.0" encoding="utf-7"?><x/>'),
    Response(status=200, body=b"<a>" * 200_000),
    Response(status=200, body=b"<a>" * 100_000 + b"</a>" * 100_000),
]


@pytest.mark.parametrize("reply", GARBAGE)
def test_what_is_no_answer_says_nothing_about_the_money(net: AuthorizeNet, reply: Response) -> None:
    with pytest.raises(BadResponse) as caught:
        charged(net, reply)

    assert "passwd" not in str(caught.value)


def test_an_approval_that_leans_on_an_entity_is_no_answer(net: AuthorizeNet) -> None:
    told = made().body
    declared = b"?><!DOCTYPE createTransactionResponse [<!ENTITY id '60012345678'>]>"
    body = told.replace(b"?>", declared, 1).replace(b">60012345678<", b">&id;<")
    assert body.count(b"&id;") == 1

    with pytest.raises(BadResponse, match="document type"):
        charged(net, Response(status=200, body=body))


def test_the_answer_to_another_call_is_not_believed(net: AuthorizeNet) -> None:
    with pytest.raises(BadResponse, match="another call"):
        charged(net, made(ref="pg-somebody-else"))


def test_silence_gets_through_to_the_core(net: AuthorizeNet) -> None:
    with pytest.raises(NoResponse):
        charged(net, NoResponse("no answer in 60 s"))


def test_nothing_secret_is_in_what_is_printed() -> None:
    played = charged(OPEN, made(), method=CARD)

    shown = f"{OPEN!r} {played!r} {settings()!r} {CARD!r}"
    for secret in ("4111111111111111", "0123456789abcdef", "900"):
        assert secret not in shown
