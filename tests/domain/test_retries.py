"""Retries: what follows from each failure of an automatic charge."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygate.domain.advice import MASTERCARD, Advice
from paygate.domain.banking_days import after_banking_days
from paygate.domain.kind import Kind
from paygate.domain.outcome import DeclineCode, RejectCause
from paygate.domain.retries import (
    CODES,
    RETURN_CODES,
    RULES,
    Failure,
    MethodUse,
    NetworkLimits,
    RetryClass,
    RetryPolicy,
    classify,
    judge,
)
from paygate.errors import InvalidValue

DAY = date(2027, 1, 31)
POLICY = RetryPolicy()
SOFT = Failure(kind=Kind.CARD, code="insufficient_funds")


def debit(raw_code: str) -> Failure:
    return Failure(kind=Kind.E_CHECK, code="generic", raw_code=raw_code)


def advised(code: str, advice: Advice) -> Failure:
    return Failure(kind=Kind.CARD, code=code, retryable=False, advice=advice)


def test_every_code_and_class_has_a_rule() -> None:
    assert set(RULES) == set(RetryClass)
    assert set(DeclineCode) | set(RejectCause) <= set(CODES)


@pytest.mark.parametrize(
    ("tries", "gap"), [(0, 3), (1, 5), (2, 7), (3, None)], ids=["first", "second", "third", "last"]
)
def test_a_soft_decline_is_tried_again_after_3_5_and_7_days(tries: int, gap: int | None) -> None:
    verdict = judge(SOFT, [RetryClass.SOFT] * tries, DAY, POLICY)

    assert verdict.next_on == (None if gap is None else DAY + timedelta(days=gap))
    assert verdict.given_up is (gap is None)
    assert (verdict.number, verdict.most) == (tries + 1, 4)
    assert verdict.method is MethodUse.STAYS


@pytest.mark.parametrize(("tries", "gap"), [(0, 1), (1, 3), (2, 5), (3, None)])
def test_an_issuer_that_is_away_is_tried_again_sooner(tries: int, gap: int | None) -> None:
    failure = Failure(kind=Kind.CARD, code="try_again_later")

    verdict = judge(failure, [RetryClass.ISSUER_AWAY] * tries, DAY, POLICY)

    assert verdict.next_on == (None if gap is None else DAY + timedelta(days=gap))


@pytest.mark.parametrize(
    ("advice", "tries", "rests", "again"),
    [
        (MASTERCARD["02"], 0, 3, 3),
        (MASTERCARD["24"], 0, 1, 3),
        (MASTERCARD["25"], 1, 1, 5),
        (MASTERCARD["26"], 0, 2, 3),
        (MASTERCARD["27"], 0, 4, 4),
        (MASTERCARD["28"], 0, 6, 6),
        (MASTERCARD["29"], 1, 8, 8),
        (MASTERCARD["30"], 2, 10, 10),
    ],
)
def test_the_later_of_advice_and_gap_counts(
    advice: Advice, tries: int, rests: int, again: int
) -> None:
    failure = Failure(kind=Kind.CARD, code="generic", advice=advice)

    verdict = judge(failure, [RetryClass.SOFT] * tries, DAY, POLICY)

    assert verdict.method is MethodUse.RESTS
    assert verdict.rests_until == DAY + timedelta(days=rests)
    assert verdict.next_on == DAY + timedelta(days=again)


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (Failure(kind=Kind.CARD, code="generic"), RetryClass.SOFT),
        (Failure(kind=Kind.CARD, code="generic", retryable=False), RetryClass.HARD),
        (Failure(kind=Kind.CARD, code="generic", advice=Advice.NEVER), RetryClass.HARD),
        (advised("lost_or_stolen", Advice.AFTER_3_DAYS), RetryClass.ADVISED),
        (advised("insufficient_funds", Advice.REVOKED), RetryClass.REVOKED),
        (advised("generic", Advice.UPDATE), RetryClass.CORRECT),
        (advised("generic", Advice.LATER), RetryClass.SOFT),
        (advised("try_again_later", Advice.LATER), RetryClass.ISSUER_AWAY),
        (advised("lost_or_stolen", Advice.LATER), RetryClass.HARD),
        (advised("unsent", Advice.NEVER), RetryClass.NOT_SENT),
        (Failure(kind=Kind.CARD, code="expired_method"), RetryClass.CORRECT),
        (Failure(kind=Kind.CARD, code="method_gone"), RetryClass.CORRECT),
        (Failure(kind=Kind.CARD, code="authentication_required"), RetryClass.PAYER_NEEDED),
        (Failure(kind=Kind.CARD, code="rate_limit"), RetryClass.NOT_SENT),
        (Failure(kind=Kind.CARD, code="unsent"), RetryClass.NOT_SENT),
        (Failure(kind=Kind.CARD, code="not_found"), RetryClass.NOT_ARRIVED),
        (Failure(kind=Kind.CARD, code="credentials"), RetryClass.REFUSED),
        (Failure(kind=Kind.CARD, code="canceled"), RetryClass.CANCELED),
        (Failure(kind=Kind.CARD, code="duplicate"), RetryClass.DUPLICATE),
        (debit("R01"), RetryClass.FUNDS_RETURN),
        (debit("returned: R09 uncollected"), RetryClass.FUNDS_RETURN),
        (debit("R02"), RetryClass.HARD),
        (debit("AC04"), RetryClass.HARD),
        (debit("R10"), RetryClass.REVOKED),
        (debit("MD01"), RetryClass.REVOKED),
        (debit("R08"), RetryClass.OTHER_RETURN),
        (debit("R99"), RetryClass.OTHER_RETURN),
        (debit(""), RetryClass.OTHER_RETURN),
        (Failure(kind=Kind.E_CHECK, code="insufficient_funds"), RetryClass.FUNDS_RETURN),
        (Failure(kind=Kind.E_CHECK, code="unsent"), RetryClass.NOT_SENT),
    ],
    ids=[f"failure {number}" for number in range(30)],
)
def test_a_failure_has_a_class(failure: Failure, expected: RetryClass) -> None:
    assert classify(failure) is expected


def test_the_raw_code_decides_on_a_bank_rail_before_our_own_code() -> None:
    failure = Failure(kind=Kind.E_CHECK, code="insufficient_funds", raw_code="R02")

    assert classify(failure) is RetryClass.HARD


@pytest.mark.parametrize("code", ["expired_method", "invalid_method", "lost_or_stolen"])
def test_a_card_that_cannot_be_charged_is_blocked_and_another_one_follows_next_day(
    code: str,
) -> None:
    verdict = judge(Failure(kind=Kind.CARD, code=code), [], DAY, POLICY)

    assert verdict.method is MethodUse.BLOCKED
    assert verdict.next_on == DAY + timedelta(days=1)
    assert RULES[verdict.retry_class].other_method
    assert not verdict.given_up


def test_a_revoked_authorization_ends_the_mandate_and_uses_no_other_method() -> None:
    verdict = judge(debit("R07"), [], DAY, POLICY)

    assert verdict.ends_mandate
    assert verdict.method is MethodUse.BLOCKED
    assert not RULES[verdict.retry_class].other_method


def test_a_returned_debit_is_given_up_unless_the_host_presents_it_again() -> None:
    assert judge(debit("R01"), [], DAY, POLICY).given_up

    represent = RetryPolicy(represent=(3, 5), holidays=frozenset({date(2027, 7, 5)}))
    first = judge(debit("R01"), [], date(2027, 7, 2), represent)
    second = judge(debit("R01"), [RetryClass.FUNDS_RETURN], date(2027, 7, 12), represent)
    third = judge(debit("R01"), [RetryClass.FUNDS_RETURN] * 2, date(2027, 7, 21), represent)

    assert first.next_on == date(2027, 7, 8)  # Friday + 3 banking days, Monday is a holiday
    assert second.next_on == date(2027, 7, 19)
    assert third.given_up
    assert third.next_on is None


def test_a_debit_is_not_presented_again_after_180_days() -> None:
    represent = RetryPolicy(represent=(3, 5))

    late = judge(debit("R01"), [RetryClass.FUNDS_RETURN], DAY + timedelta(178), represent, DAY)

    assert late.given_up


@pytest.mark.parametrize("raw", ["R14", "R15"])
def test_the_account_of_somebody_who_died_is_blocked(raw: str) -> None:
    verdict = judge(debit(raw), [], DAY, POLICY)

    assert verdict.given_up
    assert verdict.method is MethodUse.BLOCKED


@pytest.mark.parametrize(("before", "minutes"), [(0, 5), (1, 10), (3, 40), (7, 640)])
def test_what_was_never_sent_is_sent_again_soon_and_burns_no_try(before: int, minutes: int) -> None:
    failure = Failure(kind=Kind.CARD, code="unsent")

    verdict = judge(failure, [RetryClass.NOT_SENT] * before, DAY, POLICY)

    assert verdict.again_after == timedelta(minutes=minutes)
    assert not verdict.counts


def test_after_eight_requests_that_were_not_sent_the_next_day_follows() -> None:
    verdict = judge(Failure(kind=Kind.CARD, code="unsent"), [RetryClass.NOT_SENT] * 8, DAY, POLICY)

    assert (verdict.again_after, verdict.next_on) == (None, DAY + timedelta(days=1))


@given(
    st.lists(st.sampled_from(list(RetryClass)), max_size=12),
    st.sampled_from([*sorted(CODES), *sorted(RETURN_CODES)]),
    st.sampled_from([Kind.CARD, Kind.E_CHECK]),
    st.sampled_from([None, *Advice]),
)
def test_there_is_an_end_and_no_try_on_the_same_day(
    earlier: list[RetryClass], code: str, kind: Kind, advice: Advice | None
) -> None:
    failure = Failure(kind=kind, code=code, raw_code=code, advice=advice)

    verdict = judge(failure, earlier, DAY, POLICY)

    # Exactly one of: a later day, a moment today (nothing was asked), or the end.
    follows = (verdict.next_on is not None, verdict.again_after is not None, verdict.given_up)
    assert sum(follows) == 1
    assert verdict.next_on is None or verdict.next_on > DAY
    if verdict.counts:
        assert verdict.again_after is None
    counted = sum(RULES[each].counts for each in earlier)
    if counted >= 3 and verdict.method is MethodUse.STAYS and verdict.counts:
        assert verdict.given_up


@given(st.lists(st.sampled_from(list(RetryClass)), max_size=12))
def test_what_was_never_sent_does_not_change_how_many_tries_are_left(
    earlier: list[RetryClass],
) -> None:
    with_unsent = [each for one in earlier for each in (one, RetryClass.NOT_SENT)]

    assert judge(SOFT, with_unsent, DAY, POLICY) == judge(SOFT, earlier, DAY, POLICY)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: RetryPolicy(soft=(0,)),
        lambda: RetryPolicy(represent=(3, 5, 7)),
        lambda: NetworkLimits(in_30_days=0),
        lambda: NetworkLimits(in_30_days=5, a_day=6),
    ],
    ids=["no gap", "three times", "none", "more a day"],
)
def test_a_policy_that_networks_forbid_is_refused(wrong: object) -> None:
    assert callable(wrong)
    with pytest.raises(InvalidValue):
        wrong()


def test_banking_days_leave_out_weekends_and_holidays() -> None:
    friday = date(2027, 7, 2)

    assert after_banking_days(friday, 1) == date(2027, 7, 5)
    assert after_banking_days(friday, 1, frozenset({date(2027, 7, 5)})) == date(2027, 7, 6)
