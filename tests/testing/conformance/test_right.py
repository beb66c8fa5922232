"""A driver that is right passes the whole kit, in every way that its traits may be."""

from collections import Counter
from typing import Any

import pytest

from paygate import plugins
from paygate.gateway import CallbackProof, CallbackStyle, InquiryBy
from tests.testing.conformance.right import Paper
from tests.testing.conformance.running import classes, installed_as, verdicts


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"inquiry": InquiryBy.GATEWAY_REF, "idempotency": "none"},
        {"inquiry": InquiryBy.LIST_SCAN, "idempotency": "window"},
        {"callbacks": CallbackStyle.ANSWERED, "proof": CallbackProof.SIGNED},
        {"proof": CallbackProof.NONE, "captures_once": True},
    ],
    ids=str,
)
def test_a_right_driver_passes(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "entry_points", installed_as(Paper))

    found = list(verdicts(classes(Paper, **settings)))

    assert [each for each in found if each.how == "failed"] == []
    counted = Counter(each.how for each in found)
    assert counted["passed"] > 150
    assert all(
        each.said.startswith("does not apply: ") for each in found if each.how == "does not apply"
    )


def test_there_are_many_cases() -> None:
    cases = {(each.capability, each.case) for each in verdicts(classes(Paper))}

    assert len({case for _, case in cases}) >= 100
