"""What an error means for the money, by its status and by when it came."""

import pytest

from paygate.driver import (
    BadResponse,
    CredentialsRejected,
    RejectCause,
    Rejected,
    Response,
    Unknown,
    refusal,
    unanswered,
)


def status(number: int) -> Response:
    return Response(status=number)


@pytest.mark.parametrize(
    ("number", "cause", "retryable"),
    [
        (400, RejectCause.VALIDATION, False),
        (401, RejectCause.CREDENTIALS, False),
        (403, RejectCause.PERMISSION, False),
        (404, RejectCause.VALIDATION, False),
        (429, RejectCause.RATE_LIMIT, True),
    ],
)
def test_a_refusal_is_one_before_and_after_money_may_move(
    number: int, cause: RejectCause, retryable: bool
) -> None:
    for money_may_move in (False, True):
        found = refusal(status(number), "Penny", money_may_move=money_may_move, raw_code="x")

        assert found == Rejected(cause=cause, retryable=retryable, raw_code="x")


@pytest.mark.parametrize("number", [302, 402, 409, 418, 422, 500, 503])
def test_other_errors_leave_open_what_became_of_the_money(number: int) -> None:
    before = refusal(status(number), "Penny", money_may_move=False)
    after = refusal(status(number), "Penny", money_may_move=True, reference="p_1")

    assert before == Rejected(cause=RejectCause.UNAVAILABLE, retryable=True)
    assert after == Unknown(reason=f"Penny answered with status {number}", reference="p_1")


def test_an_error_that_the_processor_did_not_surely_make_refuses_no_money() -> None:
    by_a_proxy = refusal(status(403), "Penny", money_may_move=True, certain=False)
    before = refusal(status(403), "Penny", money_may_move=False, certain=False)

    assert isinstance(by_a_proxy, Unknown)
    assert before == Rejected(cause=RejectCause.PERMISSION, retryable=False)


def test_the_code_of_the_processor_goes_before_the_status() -> None:
    found = refusal(
        status(422),
        "Penny",
        money_may_move=True,
        cause=(RejectCause.STATE, False),
        raw_code="settled",
        message="It has settled.",
    )

    assert found == Rejected(
        cause=RejectCause.STATE, retryable=False, raw_code="settled", message="It has settled."
    )


def test_an_inquiry_that_is_refused_finds_nothing_out() -> None:
    error = unanswered(status(500), "Penny", said="down")
    refused = unanswered(status(401), "Penny")
    by_code = unanswered(status(400), "Penny", cause=(RejectCause.CREDENTIALS, False))

    assert (type(error), error.message, error.facts) == (
        BadResponse,
        "Penny did not answer the inquiry: status 500, down",
        {"status": 500},
    )
    assert refused.message == "Penny does not accept the key: status 401"
    assert isinstance(refused, CredentialsRejected)
    assert isinstance(by_code, CredentialsRejected)
