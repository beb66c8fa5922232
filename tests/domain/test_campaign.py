"""Campaigns as data: their stages in order, their thresholds, and a version for all they say."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, time
from typing import Any

import pytest

from paygate.domain.banking_days import BankCalendar
from paygate.domain.campaign import STAGES, Campaign, CustomerState, Stage
from paygate.domain.money import Money
from paygate.errors import InvalidValue

W1, W2, LIMIT, SUSPEND, TERMINATE = STAGES


def stage(**changed: Any) -> Stage:
    return replace(W2, **{"name": "more", **changed})


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ((), "1 to 20 stages"),
        ((W1, W1), "one name"),
        ((W2, W1), "not later"),
        ((W1, stage(after=1)), "not later"),
        ((W1, stage(gap=0)), "a gap of at least one day"),
        ((LIMIT, stage(after=15)), "better than limited"),
    ],
)
def test_stages_are_in_order_and_apart(stages: tuple[Stage, ...], message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        Campaign(stages=stages)


@pytest.mark.parametrize(
    ("changed", "argument"),
    [
        ({"name": "Two words"}, "name"),
        ({"notice": ""}, "notice"),
        ({"after": 0}, "after"),
        ({"after": True}, "after"),
        ({"gap": -1}, "gap"),
        ({"state": CustomerState.CLEAR}, "state"),
        ({"state": "limited"}, "state"),
        ({"fee": Money("USD", 0)}, "fee"),
    ],
)
def test_a_stage_says_when_and_what(changed: dict[str, Any], argument: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        stage(**changed)

    assert refused.value.argument == argument


@pytest.mark.parametrize("argument", ["promises", "promise_days", "resumed_within"])
def test_limits_are_small_numbers(argument: str) -> None:
    limits: dict[str, Any] = {argument: -1}

    with pytest.raises(InvalidValue, match=argument):
        Campaign(**limits)


def test_a_campaign_runs_from_five_units_of_a_currency_unless_the_host_says_else() -> None:
    campaign = Campaign(thresholds=(Money.of("USD", 20),))

    assert campaign.threshold("USD") == 2000
    assert campaign.threshold("EUR") == 500
    assert campaign.threshold("JPY") == 5
    assert campaign.threshold("KWD") == 5000
    with pytest.raises(InvalidValue, match="one currency"):
        Campaign(thresholds=(Money("USD", 1), Money("USD", 2)))


def test_the_version_changes_with_all_that_a_campaign_says() -> None:
    campaign = Campaign(
        stages=(W1, replace(W2, fee=Money.of("EUR", 5)), LIMIT),
        thresholds=(Money.of("EUR", 10), Money.of("USD", 20)),
        business_days=True,
        calendar=BankCalendar.TARGET2,
        holidays=frozenset({date(2027, 8, 1)}),
        sweep_at=time(7, 30),
    )

    assert Campaign.read(campaign.text()) == campaign
    assert campaign.version == Campaign.read(campaign.text()).version
    assert len({campaign.version, Campaign().version, Campaign(promises=1).version}) == 3
    # Whether a sweep is done is no part of what customers were told.
    assert Campaign(enabled=False).version == Campaign().version


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"unknown": 1}',
        '{"stages": [{"name": "w1"}]}',
        '{"calendar": "lunar"}',
        json.dumps({"stages": [{"name": "w1", "after": 1, "state": "gone", "notice": "x"}]}),
        json.dumps({"stages": [{"name": "w1", "after": 1.5, "state": "warned", "notice": "x"}]}),
    ],
)
def test_a_text_that_is_no_campaign_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        Campaign.read(text)


def test_only_stages_that_take_service_away_wait_for_a_banking_day() -> None:
    campaign = Campaign(business_days=True, calendar=BankCalendar.TARGET2)
    christmas = date(2027, 12, 25)

    assert campaign.moved(LIMIT, christmas) == christmas
    assert campaign.moved(SUSPEND, christmas) == date(2027, 12, 27)
    assert campaign.moved(TERMINATE, christmas) == date(2027, 12, 27)
    assert Campaign().moved(SUSPEND, christmas) == christmas


def test_states_are_in_order() -> None:
    assert sorted(CustomerState, key=lambda each: each.severity) == list(CustomerState)
    assert Campaign().reached(0) is CustomerState.CLEAR
    assert [Campaign().reached(each + 1) for each in range(5)] == [each.state for each in STAGES]
