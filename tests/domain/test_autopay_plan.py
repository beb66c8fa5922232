"""The plan of automatic payment: what is charged on a day, what is skipped, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paygate.domain.autopay import (
    REASONS,
    AutopayItem,
    AutopayMethod,
    AutopayPolicy,
    ChargeOn,
    MethodProblem,
    PageState,
    PastTry,
    SkipReason,
    choose_method,
)
from paygate.domain.autopay_plan import AutopayFacts, plan
from paygate.domain.kind import Kind
from paygate.domain.money import Money
from paygate.domain.retries import RetryPolicy
from paygate.domain.subscription import Subscription, SubscriptionStatus
from paygate.errors import InvalidValue

if TYPE_CHECKING:
    from paygate.domain.autopay_plan import AutopayPlan

DAY = date(2027, 9, 30)
NOON = datetime(2027, 9, 30, 12, tzinfo=UTC)
START = datetime(2027, 1, 1, tzinfo=UTC)
POLICY = AutopayPolicy()
SUBSCRIPTION = Subscription(
    id="sub_1",
    customer="C-1",
    status=SubscriptionStatus.ACTIVE,
    since=START,
    mandate="man_1",
    changed_at=START,
    changed_by="host",
)


def usd(text: str) -> Money:
    return Money.of("USD", text)


def item(number: str = "INV-1", amount: str = "30.00", **more: Any) -> AutopayItem:
    facts = {
        "id": f"id {number}",
        "number": number,
        "open": usd(amount),
        "due": DAY,
        "issued_on": date(2027, 9, 1),
        "issued_at": datetime(2027, 9, 1, tzinfo=UTC),
    }
    return AutopayItem(**{**facts, **more})


def card(id_: str = "met_1", **more: Any) -> AutopayMethod:
    facts = {
        "id": id_,
        "account": "card",
        "kind": Kind.CARD,
        "created_at": START,
        "is_default": True,
        "mandate": "man_1",
    }
    return AutopayMethod(**{**facts, **more})


def facts(*items: AutopayItem, **more: Any) -> AutopayFacts:
    return AutopayFacts(
        **{
            "customer": "C-1",
            "subscription": SUBSCRIPTION,
            "items": items,
            "methods": (card(),),
            "on": DAY,
            "today": DAY,
            "now": NOON,
            **more,
        }
    )


def past(**more: Any) -> PastTry:
    told = {
        "payment": "pay_1",
        "method": "met_1",
        "on": DAY - timedelta(days=3),
        "amount": usd("30.00"),
    }
    return PastTry(**{**told, **more})


def charged(made: AutopayPlan) -> list[tuple[str, str, str, list[str]]]:
    return [
        (each.method, str(each.amount), str(each.credit), [one.number for one in each.items])
        for each in made.charges
    ]


def skipped(made: AutopayPlan) -> dict[str, SkipReason]:
    return {each.number: each.reason for each in made.skips}


def test_all_invoices_of_a_currency_and_method_are_one_charge_the_oldest_first() -> None:
    older = item("INV-2", "15.00", due=DAY - timedelta(days=9))
    euros = item("INV-3", open=Money.of("EUR", "7.00"))

    made = plan(facts(item(), older, euros), POLICY)

    assert charged(made) == [
        ("met_1", "45.00 USD", "0.00 USD", ["INV-2", "INV-1"]),
        ("met_1", "7.00 EUR", "0.00 EUR", ["INV-3"]),
    ]
    assert made.skips == ()


@pytest.mark.parametrize(
    ("policy", "day", "is_charged"),
    [
        (AutopayPolicy(), DAY - timedelta(days=1), False),
        (AutopayPolicy(), DAY, True),
        (AutopayPolicy(days_before=3), DAY - timedelta(days=3), True),
        (AutopayPolicy(days_before=3), DAY - timedelta(days=4), False),
        (AutopayPolicy(days_before=60), date(2027, 8, 31), False),
        (AutopayPolicy(days_before=60), date(2027, 9, 1), True),
        (AutopayPolicy(when=ChargeOn.ISSUE), date(2027, 9, 1), True),
    ],
)
def test_an_invoice_is_charged_from_the_day_of_the_policy_on(
    policy: AutopayPolicy, day: date, is_charged: bool
) -> None:
    made = plan(facts(item(), on=day, today=day), policy)

    assert bool(made.charges) is is_charged
    assert made.skips == ()


PAUSED = replace(SUBSCRIPTION, status=SubscriptionStatus.PAUSED)
ENDED = replace(SUBSCRIPTION, status=SubscriptionStatus.ENDED)
OLD = datetime(2026, 12, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        (facts(item(), subscription=None), SkipReason.NOT_SUBSCRIBED),
        (facts(item(), subscription=ENDED), SkipReason.NOT_SUBSCRIBED),
        (facts(item(), subscription=PAUSED), SkipReason.PAUSED),
        (facts(item(turned_off=True)), SkipReason.TURNED_OFF),
        (facts(item(), sending_stopped=True), SkipReason.SENDING_STOPPED),
        (facts(item(issued_at=OLD)), SkipReason.OUT_OF_SCOPE),
        (facts(item(disputed=True)), SkipReason.DISPUTED),
        (facts(item(in_review=True)), SkipReason.IN_REVIEW),
        (facts(item(amount="0.00", held=True)), SkipReason.IN_FLIGHT),
        (facts(item(held=True)), SkipReason.IN_FLIGHT),
        (facts(item(tries=(past(live=True),))), SkipReason.IN_FLIGHT),
        (facts(item(page=PageState.YOUNG)), SkipReason.PAGE_OPEN),
        (facts(item(page=PageState.OPEN)), SkipReason.PAGE_OPEN),
        (facts(item(tries=(past(given_up=True),))), SkipReason.GIVEN_UP),
        (facts(item(tries=(past(next_on=DAY + timedelta(1)),))), SkipReason.RETRY_LATER),
        (facts(item(tries=(past(next_at=NOON + timedelta(0, 1)),))), SkipReason.RETRY_LATER),
        (facts(item(tries=(past(on=DAY),))), SkipReason.TRIED_TODAY),
        (facts(item(), methods=()), SkipReason.NO_METHOD),
    ],
    ids=[f"reason {number}" for number in range(18)],
)
def test_what_is_not_charged_has_a_reason(known: AutopayFacts, reason: SkipReason) -> None:
    made = plan(known, POLICY)

    assert made.charges == ()
    assert skipped(made) == {"INV-1": reason}
    assert REASONS[reason]


def test_every_reason_has_words_for_a_person() -> None:
    assert set(REASONS) == set(SkipReason)


@pytest.mark.parametrize(
    "known",
    [
        facts(item(page=PageState.CLOSABLE)),
        facts(item(tries=(past(next_on=DAY),))),
        facts(item(tries=(past(next_at=NOON),))),
        facts(item(tries=(past(on=DAY, asked=False),))),
        facts(item(issued_at=OLD), subscription=replace(SUBSCRIPTION, pending=("INV-1",))),
        facts(
            item(tries=(past(given_up=True, ended_at=START),)),
            methods=(card("met_2", created_at=START + timedelta(1)),),
        ),
    ],
)
def test_what_can_be_charged_again_is(known: AutopayFacts) -> None:
    assert [each.amount for each in plan(known, POLICY).charges] == [usd("30.00")]


@pytest.mark.parametrize(
    ("method", "problem"),
    [
        (card(mandate=None), MethodProblem.NO_MANDATE),
        (card(payer_present=True), MethodProblem.PAYER_PRESENT),
        (card(blocked=True), MethodProblem.BLOCKED),
        (card(expires=DAY - timedelta(1)), MethodProblem.EXPIRED),
        (card(account_off=True), MethodProblem.ACCOUNT_OFF),
        (card(currencies=frozenset({"EUR"})), MethodProblem.CURRENCY),
        (card(ceiling=Money.of("EUR", "99")), MethodProblem.CURRENCY),
        (card(rests_until=DAY + timedelta(1)), MethodProblem.RESTING),
        (card(declines=15), MethodProblem.NETWORK_LIMIT),
        (card(declines_today=1), MethodProblem.NETWORK_LIMIT),
    ],
    ids=[f"problem {number}" for number in range(10)],
)
def test_a_method_that_cannot_be_charged_has_a_problem(
    method: AutopayMethod, problem: MethodProblem
) -> None:
    made = plan(facts(item(), methods=(method,)), POLICY)

    assert made.charges == ()
    [skip] = made.skips
    assert (skip.reason, skip.methods) == (SkipReason.NO_METHOD, {"met_1": problem})


@pytest.mark.parametrize(
    "method",
    [card(expires=DAY), card(rests_until=DAY), card(declines=14)],
    ids=["expires today", "rested", "below the limit"],
)
def test_a_method_at_the_edge_is_charged(method: AutopayMethod) -> None:
    assert plan(facts(item(), methods=(method,)), POLICY).charges


def test_the_choice_is_pinned_default_bank_account_oldest() -> None:
    pinned = card("met_9", is_default=False)
    default = card("met_8")
    bank = card("met_7", is_default=False, kind=Kind.E_CHECK)
    oldest = card("met_6", is_default=False, created_at=START - timedelta(1))
    newest = card("met_5", is_default=False)
    everything = [newest, oldest, bank, default, pinned]

    chosen: list[str] = []
    while everything:
        found = choose_method(item(method="met_9"), everything, DAY)
        assert found is not None
        chosen.append(found.id)
        everything.remove(found)

    assert chosen == ["met_9", "met_8", "met_7", "met_6", "met_5"]
    assert choose_method(item(), [], DAY) is None


def test_a_host_can_choose_otherwise() -> None:
    policy = AutopayPolicy(choose=lambda _, methods, __: max(methods, key=lambda each: each.id))

    made = plan(facts(item(), methods=(card(), card("met_2", is_default=False))), policy)

    assert [each.method for each in made.charges] == ["met_2"]


def test_credit_pays_first_and_the_rest_is_charged() -> None:
    known = facts(item("INV-A", "20.00"), item("INV-B", "15.00"), credit={"USD": 1200})

    assert charged(plan(known, POLICY)) == [("met_1", "23.00 USD", "12.00 USD", ["INV-A", "INV-B"])]
    assert charged(plan(known, AutopayPolicy(use_credit=False))) == [
        ("met_1", "35.00 USD", "0.00 USD", ["INV-A", "INV-B"])
    ]


def test_credit_that_covers_everything_is_used_without_a_charge() -> None:
    made = plan(facts(item(), credit={"USD": 9900}), POLICY)

    assert charged(made) == [("", "0.00 USD", "30.00 USD", ["INV-1"])]


def test_no_credit_is_used_if_the_rest_is_too_small_to_charge() -> None:
    policy = AutopayPolicy(minimum=(usd("0.50"),))

    made = plan(facts(item(), credit={"USD": 2999}), policy)

    assert made.charges == ()
    assert skipped(made) == {"INV-1": SkipReason.BELOW_MINIMUM}


def test_a_small_amount_is_carried_until_a_later_invoice_reaches_the_minimum() -> None:
    small = item("INV-C", "0.30")
    account = card(minimum=(usd("0.50"),))

    alone = plan(facts(small, methods=(account,)), POLICY)
    together = plan(facts(small, item("INV-D", "9.70"), methods=(account,)), POLICY)

    assert skipped(alone) == {"INV-C": SkipReason.BELOW_MINIMUM}
    assert charged(together) == [("met_1", "10.00 USD", "0.00 USD", ["INV-C", "INV-D"])]


@pytest.mark.parametrize(
    ("policy", "method", "reason"),
    [
        (AutopayPolicy(maximum=(usd("50"),)), card(), SkipReason.ABOVE_MAXIMUM),
        (POLICY, card(maximum=(usd("50"),)), SkipReason.ABOVE_MAXIMUM),
        (POLICY, card(ceiling=usd("50")), SkipReason.OVER_CEILING),
    ],
)
def test_the_whole_invoices_that_fit_are_charged(
    policy: AutopayPolicy, method: AutopayMethod, reason: SkipReason
) -> None:
    known = facts(
        item("INV-1", "30.00"),
        item("INV-2", "60.00"),
        item("INV-3", "20.00"),
        item("INV-4", "0.01"),
        methods=(method,),
    )

    made = plan(known, policy)

    assert charged(made) == [("met_1", "50.00 USD", "0.00 USD", ["INV-1", "INV-3"])]
    assert skipped(made) == {"INV-2": reason, "INV-4": reason}


def test_a_returned_debit_is_presented_again_alone_and_unchanged() -> None:
    bank = card(kind=Kind.E_CHECK)
    again = past(presents=True, next_on=DAY, payment="pay_7")
    returned = item("INV-1", tries=(again,))

    made = plan(facts(returned, item("INV-2"), methods=(bank,)), POLICY)

    assert [(each.presents, [one.number for one in each.items]) for each in made.charges] == [
        ("pay_7", ["INV-1"]),
        ("", ["INV-2"]),
    ]
    partly = replace(returned, open=usd("29.99"))
    assert skipped(plan(facts(partly, methods=(bank,)), POLICY)) == {"INV-1": SkipReason.GIVEN_UP}


def test_what_is_presented_again_stays_below_a_ceiling_that_was_lowered() -> None:
    bank = card(kind=Kind.E_CHECK, ceiling=usd("10.00"))
    again = past(presents=True, next_on=DAY, payment="pay_7")

    made = plan(facts(item("INV-1", tries=(again,)), methods=(bank,)), POLICY)

    assert made.charges == ()
    assert skipped(made) == {"INV-1": SkipReason.OVER_CEILING}


# --- Invariants --------------------------------------------------------------------------

_DAYS = st.integers(-5, 5).map(lambda days: DAY + timedelta(days=days))
_TRIES = st.builds(
    PastTry,
    payment=st.sampled_from(["pay_1", "pay_2"]),
    method=st.sampled_from(["met_1", "met_2"]),
    on=_DAYS,
    amount=st.just(usd("30.00")),
    live=st.booleans(),
    asked=st.booleans(),
    next_on=st.none() | _DAYS,
    given_up=st.booleans(),
    presents=st.booleans(),
)
_AMOUNTS = st.builds(Money, st.sampled_from(["USD", "EUR"]), st.integers(0, 9_000))
_METHODS = st.builds(
    AutopayMethod,
    id=st.sampled_from(["met_1", "met_2", "met_3"]),
    account=st.sampled_from(["card", "bank"]),
    kind=st.sampled_from([Kind.CARD, Kind.E_CHECK]),
    created_at=st.just(START),
    is_default=st.booleans(),
    mandate=st.none() | st.just("man_1"),
    ceiling=st.none() | st.builds(Money, st.just("USD"), st.integers(1, 9_000)),
    expires=st.none() | _DAYS,
    blocked=st.booleans(),
    rests_until=st.none() | _DAYS,
    declines=st.integers(0, 20),
    declines_today=st.integers(0, 1),
    maximum=st.just(()) | st.just((usd("60"),)),
    minimum=st.just(()) | st.just((usd("0.50"),)),
)


@st.composite
def known(draw: st.DrawFn) -> AutopayFacts:
    items = [
        AutopayItem(
            id=f"id {number}",
            number=f"INV-{number}",
            open=draw(_AMOUNTS),
            due=draw(_DAYS),
            issued_on=DAY - timedelta(days=9),
            issued_at=draw(st.sampled_from([OLD, START])),
            turned_off=draw(st.booleans()),
            disputed=draw(st.booleans()),
            held=draw(st.booleans()),
            page=draw(st.none() | st.sampled_from(PageState)),
            tries=tuple(draw(st.lists(_TRIES, max_size=2))),
        )
        for number in range(draw(st.integers(0, 5)))
    ]
    methods = draw(st.lists(_METHODS, max_size=3, unique_by=lambda each: each.id))
    return facts(
        *items,
        methods=tuple(methods),
        credit={"USD": draw(st.integers(0, 5_000))},
        subscription=draw(st.none() | st.sampled_from([SUBSCRIPTION, PAUSED, ENDED])),
    )


@given(known())
@settings(max_examples=300)
def test_no_charge_breaks_an_invariant(given_: AutopayFacts) -> None:
    made = plan(given_, POLICY)

    items = {each.id: each for each in given_.items}
    methods = {each.id: each for each in given_.methods}
    planned = [one.id for charge in made.charges for one in charge.items]
    # I-A1: an invoice is in one charge at most, and is either charged or skipped.
    assert len(planned) == len(set(planned))
    assert not set(planned) & {each.id for each in made.skips}
    assert plan(given_, POLICY) == made
    for charge in made.charges:
        total = sum(one.amount.minor for one in charge.items)
        assert charge.amount.minor + charge.credit.minor == total
        assert charge.credit.minor <= given_.credit.get(charge.currency, 0)
        for one in charge.items:
            it = items[one.id]
            # I-A2, I-A3 and I-A5: nothing unsubscribed, uncertain, or above what is open.
            assert given_.subscription is SUBSCRIPTION
            assert not any((it.disputed, it.held, it.turned_off))
            assert it.issued_at >= START
            assert not any(each.live for each in it.tries)
            assert one.amount == it.open
            assert not any(each.asked and each.on == DAY for each in it.tries)
        if charge.method:
            method = methods[charge.method]
            # I-A2 and I-A6: the method may be charged, and not above the ceiling.
            assert method.problem(charge.currency, DAY, POLICY) is None
            if method.ceiling is not None:
                assert charge.amount <= method.ceiling
    lines = [(each.currency, each.account, each.method, each.presents) for each in made.charges]
    assert len(lines) == len(set(lines))  # I-A4


@given(known(), st.randoms())
def test_the_order_of_the_facts_makes_no_difference(given_: AutopayFacts, random: Any) -> None:
    items, methods = list(given_.items), list(given_.methods)
    random.shuffle(items)
    random.shuffle(methods)
    shuffled = replace(given_, items=tuple(items), methods=tuple(methods))

    assert plan(shuffled, POLICY) == plan(given_, POLICY)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: AutopayPolicy(days_before=-1),
        lambda: AutopayPolicy(days_before=61),
        lambda: AutopayPolicy(minimum=(usd("1"), usd("2"))),
    ],
    ids=["after", "long before", "twice"],
)
def test_a_policy_that_makes_no_sense_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidValue):
        wrong()


def test_the_default_policy_presents_nothing_again() -> None:
    assert POLICY.retry == RetryPolicy()
    assert POLICY.retry.represent == ()


def test_a_new_method_pays_what_was_given_up_and_the_old_one_never_again() -> None:
    tries = tuple(
        PastTry(
            payment=f"pay_{day}",
            method="bank",
            on=date(2027, 9, day),
            amount=usd("30.00"),
            given_up=day == 21,
            ended_at=datetime(2027, 9, day + 1, tzinfo=UTC),
            presents=True,
        )
        for day in (7, 14, 21)
    )
    bank = card("bank", kind=Kind.E_CHECK)
    newer = card("met_2", created_at=datetime(2027, 9, 25, tzinfo=UTC), is_default=False)

    [charge] = plan(facts(item(tries=tries), methods=(bank, newer)), AutopayPolicy()).charges
    assert charge.method == "met_2"

    newer = card("met_2", created_at=newer.created_at, blocked=True)
    [skip] = plan(facts(item(tries=tries), methods=(bank, newer)), AutopayPolicy()).skips
    assert skip.reason is SkipReason.NO_METHOD
    assert skip.methods == {"bank": MethodProblem.USED_UP, "met_2": MethodProblem.BLOCKED}
