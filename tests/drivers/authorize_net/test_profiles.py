"""Stored methods at Authorize.Net: kept, adopted, listed, changed and deleted."""

from typing import Any

import pytest

from paygate.dialogue import Response
from paygate.domain.action import PostForm
from paygate.domain.customer import Customer
from paygate.domain.kind import Kind, Operation
from paygate.domain.method import StoredMethod
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    Authorized,
    DeclineCode,
    Declined,
    NotFound,
    Pending,
    RejectCause,
    Rejected,
)
from paygate.domain.secret import OneTimeToken, RawBankAccount, RawCard, Secret
from paygate.drivers.authorize_net import AuthorizeNet
from paygate.errors import BadResponse, NoResponse, UsageError
from paygate.gateway import Enrollment, Forgetting, StoredToken
from paygate.testing.play import play
from tests.drivers.authorize_net.conftest import (
    BANK,
    OK,
    PAYER,
    STORED,
    T,
    answers,
    charge,
    details,
    error,
    inquiry,
    made,
    refuses,
    sent,
    settings,
)
from tests.drivers.authorize_net.test_charge import ACCOUNT, CARD, OPEN

MASKED = {"creditCard": {"cardNumber": "XXXX1111", "expirationDate": "2030-12", "cardType": "Visa"}}


def enrollment(**given: Any) -> Enrollment:
    return Enrollment(
        **{
            "key": "k-enroll",
            "our_ref": "att_5",
            "customer": PAYER,
            "kind": Kind.CARD,
            "method": OneTimeToken.of("eyJ0b2tlbg=="),
            **given,
        }
    )


def forgetting(token: str = "123/456") -> Forgetting:
    return Forgetting(key="k-forget", our_ref="att_6", token=StoredToken(Secret(token)))


def profile_made(profile: str = "123", *methods: str) -> Response:
    """Answer to the making of a profile, from nothing or from a transaction."""
    return answers(
        "createCustomerProfileResponse",
        {
            "messages": OK,
            "customerProfileId": profile,
            "customerPaymentProfileIdList": {"numericString": list(methods)},
            "customerShippingAddressIdList": {},
            "validationDirectResponseList": {},
        },
    )


def profile_exists(text: str, **ids: Any) -> Response:
    told: dict[str, Any] = {"messages": error("E00039", text)}
    if "profile" in ids:
        told["customerProfileId"] = ids["profile"]
    methods = {"numericString": ids["method"]} if "method" in ids else {}
    told |= {
        "customerPaymentProfileIdList": methods,
        "customerShippingAddressIdList": {},
        "validationDirectResponseList": {},
    }
    return answers("createCustomerProfileResponse", told)


def method_made(**ids: Any) -> Response:
    told = {"messages": OK, "customerProfileId": "123", "customerPaymentProfileId": "456"}
    return answers("createCustomerPaymentProfileResponse", told | ids)


def stored(method: str = "456", payment: Any = MASKED) -> dict[str, Any]:
    return {
        "billTo": {"firstName": "Ada", "lastName": "Lovelace"},
        "customerPaymentProfileId": method,
        "payment": payment,
    }


def one(method: str = "456", payment: Any = MASKED) -> Response:
    told = {"messages": OK, "paymentProfile": stored(method, payment)}
    return answers("getCustomerPaymentProfileResponse", told)


def profile(*methods: str) -> Response:
    told = {
        "merchantCustomerId": "C-1",
        "customerProfileId": "123",
        "paymentProfiles": [stored(method) for method in methods],
    }
    return answers("getCustomerProfileResponse", {"messages": OK, "profile": told})


VISA = StoredMethod(
    token=Secret("123/456"),
    reference="456",
    kind=Kind.CARD,
    brand="visa",
    last4="1111",
    expires_month=12,
    expires_year=2030,
    holder="Ada Lovelace",
    customer_reference="123",
)
NEW = refuses("E00040")  # the customer has no profile yet


# --- From a token ---------------------------------------------------------------------------


def test_a_token_is_stored_in_a_profile_of_the_customer(net: AuthorizeNet) -> None:
    played = play(net.enroll(enrollment()), NEW, profile_made(), method_made(), one())

    asked, first, second, third = (sent(request) for request in played.requests)
    assert asked["getCustomerProfileRequest"]["merchantCustomerId"] == "C-1"
    assert first["createCustomerProfileRequest"]["profile"] == {
        "merchantCustomerId": "C-1",
        "email": "ada@example.org",
    }
    told = second["createCustomerPaymentProfileRequest"]
    assert told["customerProfileId"] == "123"
    assert told["validationMode"] == "liveMode"
    assert told["paymentProfile"]["payment"]["opaqueData"]["dataValue"] == "eyJ0b2tlbg=="
    assert third["getCustomerPaymentProfileRequest"]["unmaskExpirationDate"] == "true"
    assert played.notes == ["cim-123-0"]
    assert played.outcome == Approved(reference="cim-123-0", method=VISA)


def test_a_customer_has_one_profile_whatever_their_address(net: AuthorizeNet) -> None:
    """A profile is a duplicate of theirs only if id and e-mail address are the same."""
    played = play(net.enroll(enrollment()), profile("400", "450"), method_made(), one())

    asked, stored_ = (sent(request) for request in played.requests[:2])
    assert asked["getCustomerProfileRequest"]["merchantCustomerId"] == "C-1"
    assert stored_["createCustomerPaymentProfileRequest"]["customerProfileId"] == "123"
    assert played.notes == ["cim-123-450"]
    assert isinstance(played.outcome, Approved)


def test_a_profile_that_was_told_before_is_used(net: AuthorizeNet) -> None:
    asked = enrollment(customer_reference="123")

    played = play(net.enroll(asked), profile("450"), method_made(), one())

    assert sent(played.requests[0])["getCustomerProfileRequest"]["customerProfileId"] == "123"
    assert played.notes == ["cim-123-450"]


def test_a_profile_that_was_deleted_since_is_made_again(net: AuthorizeNet) -> None:
    asked = enrollment(customer_reference="99")

    played = play(net.enroll(asked), NEW, NEW, profile_made(), method_made(), one())

    assert played.notes == ["cim-123-0"]


def test_a_profile_that_somebody_made_meanwhile_is_adopted(net: AuthorizeNet) -> None:
    there = profile_exists("A duplicate record with ID 123 already exists.")

    played = play(net.enroll(enrollment()), NEW, there, profile("400", "450"), method_made(), one())

    assert played.notes == ["cim-123-450"]
    assert isinstance(played.outcome, Approved)


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        (refuses("E00007"), RejectCause.CREDENTIALS),
        (Response(status=429, body=b""), RejectCause.RATE_LIMIT),
    ],
)
def test_a_customer_who_cannot_be_looked_for_stores_nothing(
    net: AuthorizeNet, reply: Response, cause: RejectCause
) -> None:
    played = play(net.enroll(enrollment()), reply)

    assert isinstance(played.outcome, Rejected)
    assert (played.outcome.cause, len(played.requests)) == (cause, 1)


def test_a_method_that_is_there_is_adopted(net: AuthorizeNet) -> None:
    there = method_made(
        messages=error("E00039", "A duplicate customer payment profile already exists.")
    )

    outcome = play(net.enroll(enrollment()), NEW, profile_made(), there, one()).outcome

    assert isinstance(outcome, Approved)
    assert outcome.method == VISA


def test_a_card_that_is_not_accepted_is_not_stored(net: AuthorizeNet) -> None:
    refused = answers("createCustomerPaymentProfileResponse", {"messages": error("E00027")})

    outcome = play(net.enroll(enrollment()), NEW, profile_made(), refused).outcome

    assert isinstance(outcome, Declined)
    assert (outcome.raw_code, outcome.retryable) == ("E00027", False)


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (
            "2,1,44,This transaction has been declined.,,N,60012345678,none,,0.00,CC,auth_only",
            Declined(
                code=DeclineCode.INVALID_SECURITY_CODE,
                raw_code="44",
                retryable=False,
                message="This transaction has been declined.",
            ),
        ),
        (
            '"3"|"1"|"8"|"The credit card has expired."|""|"P"|"0"',
            Declined(
                code=DeclineCode.EXPIRED_METHOD,
                raw_code="8",
                retryable=False,
                message="The credit card has expired.",
            ),
        ),
        (
            "2,1,35,An error occurred during processing.,,,0",
            Rejected(
                cause=RejectCause.PERMISSION,
                retryable=False,
                raw_code="35",
                message="An error occurred during processing.",
            ),
        ),
        (
            "3,1,57,An error occurred during processing.,,,0",
            Rejected(
                cause=RejectCause.UNAVAILABLE,
                retryable=True,
                raw_code="57",
                message="An error occurred during processing.",
            ),
        ),
        (
            "no list",
            Declined(code=DeclineCode.GENERIC, raw_code="E00027", retryable=False, message="No."),
        ),
    ],
)
def test_why_a_card_is_not_stored_is_kept(
    net: AuthorizeNet, said: str, outcome: Declined | Rejected
) -> None:
    refused = answers(
        "createCustomerPaymentProfileResponse",
        {"messages": error("E00027"), "validationDirectResponse": said},
    )

    assert play(net.enroll(enrollment()), NEW, profile_made(), refused).outcome == outcome


def test_a_hold_of_the_validation_that_stays_is_said(net: AuthorizeNet) -> None:
    said = "2,1,165,This transaction has been declined.,,N,60012345678,none,,0.01"
    refused = answers(
        "createCustomerPaymentProfileResponse",
        {"messages": error("E00027"), "validationDirectResponse": said},
    )

    outcome = play(net.enroll(enrollment()), NEW, profile_made(), refused).outcome

    assert isinstance(outcome, Declined)
    assert "could not release the hold" in outcome.message
    assert T in outcome.message


@pytest.mark.parametrize("ids", [{}, {"customerPaymentProfileId": ""}])
def test_a_duplicate_that_is_not_named_is_refused(net: AuthorizeNet, ids: Any) -> None:
    refused = answers("createCustomerPaymentProfileResponse", {"messages": error("E00039"), **ids})

    assert isinstance(
        play(net.enroll(enrollment()), NEW, profile_made(), refused).outcome, Rejected
    )


@pytest.mark.parametrize(
    ("method", "kind", "validation"),
    [(CARD, Kind.CARD, "liveMode"), (ACCOUNT, Kind.E_CHECK, "none")],
)
def test_numbers_are_stored_where_the_settings_say_so(
    net: AuthorizeNet, method: RawCard | RawBankAccount, kind: Kind, validation: str
) -> None:
    asked = enrollment(method=method, kind=kind)

    played = play(OPEN.enroll(asked), NEW, profile_made(), method_made(), one(payment=BANK))

    told = sent(played.requests[2])["createCustomerPaymentProfileRequest"]
    assert told["validationMode"] == validation
    with pytest.raises(UsageError):
        net.enroll(asked)


def test_a_bank_account_is_told_by_its_last_digits(net: AuthorizeNet) -> None:
    outcome = play(
        net.enroll(enrollment(kind=Kind.E_CHECK)),
        NEW,
        profile_made(),
        method_made(),
        one(payment=BANK),
    ).outcome

    assert isinstance(outcome, Approved)
    assert outcome.method == StoredMethod(
        token=Secret("123/456"),
        reference="456",
        kind=Kind.E_CHECK,
        brand="checking",
        last4="6789",
        holder="Ada Lovelace",
        customer_reference="123",
    )


# --- From a payment -------------------------------------------------------------------------


def from_payment(**given: Any) -> Enrollment:
    return enrollment(method=None, from_reference=T, **given)


def test_what_paid_is_stored(net: AuthorizeNet) -> None:
    played = play(net.enroll(from_payment()), NEW, profile_made("123", "456"), one())

    told = sent(played.requests[1])["createCustomerProfileFromTransactionRequest"]
    assert (told["transId"], told["customer"]["merchantCustomerId"]) == (T, "C-1")
    assert played.outcome == Approved(reference=T, method=VISA)


def test_what_paid_is_put_into_the_profile_that_is_there(net: AuthorizeNet) -> None:
    played = play(net.enroll(from_payment()), profile("9"), profile_made("123", "456"), one())

    told = sent(played.requests[1])["createCustomerProfileFromTransactionRequest"]
    assert told["customerProfileId"] == "123"
    assert "customer" not in told
    assert isinstance(played.outcome, Approved)


def test_too_many_calls_store_nothing_of_a_payment_and_it_may_be_tried_again(
    net: AuthorizeNet,
) -> None:
    played = play(net.enroll(from_payment()), Response(status=429, body=b""))

    assert isinstance(played.outcome, Rejected)
    assert (played.outcome.cause, played.outcome.retryable) == (RejectCause.RATE_LIMIT, True)


def test_what_paid_is_put_into_the_profile_that_was_told_before(net: AuthorizeNet) -> None:
    asked = from_payment(customer_reference="123")

    played = play(net.enroll(asked), profile_made("123", "456"), one())

    told = sent(played.requests[0])["createCustomerProfileFromTransactionRequest"]
    assert told["customerProfileId"] == "123"


def test_what_paid_goes_into_a_new_profile_if_the_old_one_was_deleted(net: AuthorizeNet) -> None:
    asked = from_payment(customer_reference="99")

    played = play(net.enroll(asked), NEW, NEW, profile_made("123", "456"), one())

    told = sent(played.requests[2])["createCustomerProfileFromTransactionRequest"]
    assert told["customer"]["merchantCustomerId"] == "C-1"
    assert isinstance(played.outcome, Approved)


def test_what_paid_is_put_into_a_profile_that_somebody_made_meanwhile(net: AuthorizeNet) -> None:
    there = profile_exists("A duplicate record with ID 123 already exists.")

    played = play(net.enroll(from_payment()), NEW, there, profile_made("123", "456"), one())

    told = sent(played.requests[2])["createCustomerProfileFromTransactionRequest"]
    assert told["customerProfileId"] == "123"
    assert isinstance(played.outcome, Approved)


def test_what_paid_and_is_there_is_adopted(net: AuthorizeNet) -> None:
    both = profile_exists(
        "A duplicate customer payment profile already exists.", profile="123", method="456"
    )

    outcome = play(net.enroll(from_payment()), profile("456"), both, one()).outcome

    assert outcome == Approved(reference=T, method=VISA)


@pytest.mark.parametrize("code", ["E00099", "E00101", "E00103"])
def test_what_cannot_be_stored_says_so(net: AuthorizeNet, code: str) -> None:
    refused = answers(
        "createCustomerProfileResponse",
        {
            "messages": error(code),
            "customerPaymentProfileIdList": {},
            "customerShippingAddressIdList": {},
            "validationDirectResponseList": {},
        },
    )

    outcome = play(net.enroll(from_payment()), NEW, refused).outcome

    assert isinstance(outcome, Rejected)
    assert outcome.raw_code == code


def test_a_charge_stores_what_paid_it(net: AuthorizeNet) -> None:
    asked = charge(store_method=True, payer=PAYER)

    outcome = play(
        net.charge(asked), made(networkTransId="N7"), NEW, profile_made("123", "456"), one()
    ).outcome

    assert isinstance(outcome, Approved)
    assert outcome.method is not None
    assert outcome.method.token == VISA.token
    assert outcome.method.network_transaction_id == "N7"
    assert outcome.movements


@pytest.mark.parametrize(
    "broken", [NoResponse("lost"), refuses("E00053"), Response(status=500, body=b"")]
)
def test_money_that_came_is_told_though_nothing_was_stored(
    net: AuthorizeNet, broken: Response | Exception
) -> None:
    asked = charge(store_method=True, payer=PAYER)

    for replies in ((broken,), (NEW, broken)):
        outcome = play(net.charge(asked), made(), *replies).outcome

        assert isinstance(outcome, Approved)
        assert (outcome.reference, outcome.method) == (T, None)
        assert "was not stored" in outcome.alert


@pytest.mark.parametrize("hold", [False, True])
def test_why_nothing_was_stored_with_a_payment_is_said(net: AuthorizeNet, *, hold: bool) -> None:
    asked = charge(store_method=True, payer=PAYER, customer_reference="123")
    full = profile_exists("You cannot add more than 10 payment profiles.")
    full = Response(status=200, body=full.body.replace(b"E00039", b"E00042"))

    outcome = play((net.authorize if hold else net.charge)(asked), made(), full).outcome

    assert isinstance(outcome, Approved | Authorized)
    assert outcome.method is None
    assert "E00042" in outcome.alert
    assert "more than 10" in outcome.alert


def test_a_hold_stores_what_it_is_held_on(net: AuthorizeNet) -> None:
    asked = charge(store_method=True, payer=PAYER)

    outcome = play(net.authorize(asked), made(), NEW, profile_made("123", "456"), one()).outcome

    assert isinstance(outcome, Authorized)
    assert outcome.method is not None


def test_what_was_held_for_review_tells_what_it_stored_later(net: AuthorizeNet) -> None:
    asked = charge(store_method=True, payer=PAYER, kind=Kind.E_CHECK)

    first = play(
        net.charge(asked), made("4", "252"), NEW, profile_made("123", "456"), one(payment=BANK)
    )
    told = details(
        "settledSuccessfully",
        payment=BANK,
        profile={"customerProfileId": "123", "customerPaymentProfileId": "456"},
    )
    found = play(net.look_up(inquiry(reference=T)), told, one(payment=BANK)).outcome

    assert first.outcome == Pending(reference=T)
    assert isinstance(found, Approved)
    assert found.method is not None
    assert (found.method.kind, found.method.last4) == (Kind.E_CHECK, "6789")


def test_a_method_that_was_deleted_since_is_no_fault(net: AuthorizeNet) -> None:
    told = details(
        "settledSuccessfully",
        profile={"customerProfileId": "123", "customerPaymentProfileId": "456"},
    )

    found = play(net.look_up(inquiry(reference=T)), told, refuses("E00040")).outcome

    assert isinstance(found, Approved)
    assert found.method is None


def test_an_inquiry_that_was_turned_away_does_not_forget_the_method(net: AuthorizeNet) -> None:
    told = details(
        "settledSuccessfully",
        profile={"customerProfileId": "123", "customerPaymentProfileId": "456"},
    )

    with pytest.raises(BadResponse, match="429"):
        play(net.look_up(inquiry(reference=T)), told, Response(status=429, body=b""))


@pytest.mark.parametrize("reply", [refuses("E00007"), Response(status=429, body=b"")])
def test_a_payment_whose_card_is_refused_to_be_kept_is_reported(
    net: AuthorizeNet, reply: Response
) -> None:
    asked = charge(store_method=True, payer=PAYER, customer_reference="123")

    outcome = play(net.charge(asked), made(), reply).outcome

    assert isinstance(outcome, Approved)
    assert outcome.movements[0].amount == asked.amount
    assert "was not stored" in outcome.alert


# --- On their form ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "shown"), [(Kind.CARD, "showCreditCard"), (Kind.E_CHECK, "showBankAccount")]
)
def test_a_form_is_opened_to_store_a_method_on(kind: Kind, shown: str) -> None:
    net = AuthorizeNet(settings(communicator_url="https://shop.example/c"))
    form = answers("getHostedProfilePageResponse", {"messages": OK, "token": "tkn"})
    asked = enrollment(method=None, kind=kind, return_url="https://shop.example/back")

    played = play(net.enroll(asked), NEW, profile_made(), form)

    told = sent(played.requests[2])["getHostedProfilePageRequest"]
    values = {
        one["settingName"]: one["settingValue"] for one in told["hostedProfileSettings"]["setting"]
    }
    assert values["hostedProfileReturnUrl"] == "https://shop.example/back"
    assert values["hostedProfileIFrameCommunicatorUrl"] == "https://shop.example/c"
    assert values["hostedProfilePaymentOptions"] == shown
    assert isinstance(played.outcome, ActionRequired)
    assert played.outcome.action == PostForm(
        url="https://test.authorize.net/customer/addPayment",
        token_field="token",
        token=Secret("tkn"),
    )
    assert played.outcome.reference == "cim-123-0"


def test_what_was_stored_on_the_form_is_what_is_new(net: AuthorizeNet) -> None:
    asked = inquiry(operation=Operation.ENROLL, reference="cim-123-450")

    found = play(net.look_up(asked), profile("500", "456", "400")).outcome

    assert found == Approved(reference="cim-123-450", method=VISA)


@pytest.mark.parametrize("reply", [profile("400", "450"), profile(), refuses("E00040")])
def test_a_form_that_nobody_filled_in_stored_nothing(net: AuthorizeNet, reply: Response) -> None:
    asked = inquiry(operation=Operation.ENROLL, reference="cim-123-450")

    assert play(net.look_up(asked), reply).outcome == NotFound()


def test_a_method_of_a_payment_is_found_at_the_payment(net: AuthorizeNet) -> None:
    asked = inquiry(operation=Operation.ENROLL, reference=T)
    ids = {"customerProfileId": "123", "customerPaymentProfileId": "456"}

    found = play(net.look_up(asked), details("settledSuccessfully", profile=ids), one()).outcome
    missing = play(net.look_up(asked), details("settledSuccessfully")).outcome

    assert found == Approved(reference=T, method=VISA)
    assert missing == NotFound()


@pytest.mark.parametrize(
    "given",
    [
        {"kind": Kind.REDIRECT},
        {"method": None},
        {"method": STORED},
        {"method": None, "from_reference": "pi_1"},
        {"customer": Customer("C", email="none")},
    ],
)
def test_what_cannot_be_stored_is_refused_at_once(net: AuthorizeNet, given: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        net.enroll(enrollment(**given))


# --- List and delete ----------------------------------------------------------------------------


def test_the_methods_of_a_customer_are_listed(net: AuthorizeNet) -> None:
    played = play(net.stored_methods("C-1"), profile("500", "456"))

    told = sent(played.requests[0])["getCustomerProfileRequest"]
    assert told["merchantCustomerId"] == "C-1"
    assert [method.token.reveal() for method in played.outcome] == ["123/456", "123/500"]


def test_a_customer_without_a_profile_has_no_methods(net: AuthorizeNet) -> None:
    assert play(net.stored_methods("C-1"), refuses("E00040")).outcome == []


@pytest.mark.parametrize(
    "reply",
    [answers("deleteCustomerPaymentProfileResponse", {"messages": OK}), refuses("E00040")],
)
def test_what_is_deleted_or_not_there_is_forgotten(net: AuthorizeNet, reply: Response) -> None:
    played = play(net.forget(forgetting()), reply)

    told = sent(played.requests[0])["deleteCustomerPaymentProfileRequest"]
    assert (told["customerProfileId"], told["customerPaymentProfileId"]) == ("123", "456")
    assert played.outcome == Approved()


def test_what_a_subscription_uses_is_not_forgotten(net: AuthorizeNet) -> None:
    outcome = play(net.forget(forgetting()), refuses("E00105")).outcome

    assert isinstance(outcome, Rejected)
    assert outcome.cause is RejectCause.STATE


def test_a_token_of_another_driver_is_refused(net: AuthorizeNet) -> None:
    with pytest.raises(UsageError):
        net.forget(forgetting("cus_1/pm_1"))


def test_a_profile_without_its_id_is_not_believed(net: AuthorizeNet) -> None:
    with pytest.raises(BadResponse):
        play(net.enroll(enrollment()), NEW, profile_made(""))
