"""Whatever bytes come back, they read as an outcome or raise `BadResponse`."""

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygate.dialogue import Response
from paygate.domain.outcome import NotFound, Outcome, Rejected, Unknown
from paygate.errors import BadResponse
from paygate.gateway import AccountFacts, FeedPage, Notice
from paygate.testing.fake import answers

FINDINGS = (*get_args(Outcome), NotFound)

NAMES = """
    state reference our_ref movements orders events order id type kind currency minor effective
    error cause retryable message raw_code decline action url expires_at method token after more
"""
names = st.sampled_from(NAMES.split())
values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["approved", "declined", "pending", "action", "USD", "redirect"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=6),
    max_leaves=12,
)
bodies = st.binary() | st.dictionaries(names, values).map(lambda v: json.dumps(v).encode())
responses = st.builds(Response, status=st.integers(100, 599) | st.just(200), body=bodies)


@given(response=responses, moved=st.booleans())
def test_an_answer_is_an_outcome_or_a_bad_reply(response: Response, *, moved: bool) -> None:
    try:
        outcome = answers.parse_outcome(response, moved=moved)
    except BadResponse:
        return
    assert isinstance(outcome, get_args(Outcome))
    assert moved or not isinstance(outcome, Unknown)


@given(response=responses)
def test_an_inquirys_answer_is_a_finding_or_a_bad_reply(response: Response) -> None:
    try:
        finding = answers.parse_finding(response)
    except BadResponse:
        return
    assert isinstance(finding, FINDINGS)
    assert not isinstance(finding, Rejected)


@given(response=responses)
def test_everything_else_reads_or_is_a_bad_reply(response: Response) -> None:
    parsers = (
        (answers.parse_opened, (str, Rejected)),
        (answers.parse_feed, FeedPage),
        (answers.parse_notice, Notice),
        (answers.parse_check, AccountFacts),
        (lambda r: answers.parse_list(r, "ref"), (str, *FINDINGS)),
    )
    for parse, expected in parsers:
        try:
            value = parse(response)
        except BadResponse:
            continue
        assert isinstance(value, expected)


@given(cut=st.integers(0, 200), noise=st.binary(max_size=4), at=st.integers(0, 200))
def test_a_damaged_answer_reads_or_is_a_bad_reply(cut: int, noise: bytes, at: int) -> None:
    movement = {"id": "mv_1", "kind": "charge", "currency": "USD", "minor": 5}
    movement |= {"effective": "2026-01-01T09:30:00+00:00"}
    whole = json.dumps({"state": "approved", "reference": "ch_1", "movements": [movement]})
    raw = whole.encode()[: len(whole) - cut]

    try:
        outcome = answers.parse_outcome(Response(status=200, body=raw[:at] + noise + raw[at:]))
    except BadResponse:
        return
    assert isinstance(outcome, get_args(Outcome))


@pytest.mark.parametrize("minor", ["5", 5.0, True, None, 2**63])
def test_an_amount_that_is_no_whole_number_of_minor_units_is_a_bad_reply(minor: object) -> None:
    row = {
        "id": "m",
        "kind": "charge",
        "currency": "USD",
        "minor": minor,
        "effective": "2026-01-01T09:30:00+00:00",
    }
    body = json.dumps({"state": "approved", "reference": "ch_1", "movements": [row]}).encode()

    with pytest.raises(BadResponse):
        answers.parse_outcome(Response(status=200, body=body))


def test_a_page_of_another_server_is_no_finding() -> None:
    with pytest.raises(BadResponse, match="404"):
        answers.parse_finding(Response(status=404, body=b'{"orders": []}'))
