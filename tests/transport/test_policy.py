"""What is sent again, when, and how often; the same through both faces."""

import logging
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from itertools import chain, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygate.dialogue import Request, Response
from paygate.errors import BadResponse, GatewayError, InvalidSettings, NoResponse, NotSent
from paygate.transport.policy import BUSY, PAUSE_S, RETRY_AFTER_MAX_S, TRIES_MAX, UNAUTHORIZED
from tests.transport.script import Carried, Part, Signer, Told, request

OK = Response(status=200)

PLAIN = request()
REPEATABLE = request(repeatable=True)
MONEY = request(moves_money=True)
MONEY_MARKED = request(moves_money=True, repeatable=True)


def busy(after: str = "", status: int = 503) -> Response:
    return Response(status=status, headers={"retry-after": after} if after else {})


# --- What ---------------------------------------------------------------------------

TABLE: list[tuple[Told, set[str]]] = [
    # what happened, and which kinds of request are sent again
    (NotSent("refused"), {"plain", "repeatable", "money", "money marked"}),
    (NoResponse("lost"), {"repeatable"}),
    (BadResponse("garbage"), {"repeatable"}),
    *[(busy(status=status), {"repeatable"}) for status in sorted(BUSY)],
    *[
        (Response(status=status), set[str]())
        for status in (200, 204, 302, 400, 401, 402, 404, 408, 422, 500, 501)
    ],
    (GatewayError("something else"), set()),
]
KINDS = {
    "plain": PLAIN,
    "repeatable": REPEATABLE,
    "money": MONEY,
    "money marked": MONEY_MARKED,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("first", "repeated"), TABLE, ids=[str(first) for first, _ in TABLE])
def test_only_what_is_safe_is_sent_again(
    face: str, kind: str, first: Told, repeated: set[str]
) -> None:
    carried = Carried(face, iter([first, OK]))

    told = carried.told(KINDS[kind])

    assert told is (OK if kind in repeated else first)
    assert len(carried.sent) == (2 if kind in repeated else 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("status", "says", "again"),
    [
        (429, "true", {"plain", "repeatable", "money", "money marked"}),
        (409, "True ", {"plain", "repeatable", "money", "money marked"}),
        (503, "true", {"repeatable"}),
        (500, "true", set[str]()),
        (429, "false", set[str]()),
        (503, "false", set[str]()),
        (429, "perhaps", {"repeatable"}),
    ],
)
def test_the_processor_says_whether_what_it_turned_away_may_be_sent_again(
    face: str, kind: str, status: int, says: str, again: set[str]
) -> None:
    told = Response(status=status, headers={"acme-should-retry": says})
    carried = Carried(face, iter([told, OK]))

    asked = replace(KINDS[kind], retry_header="Acme-Should-Retry")

    assert carried.told(asked) is (OK if kind in again else told)


def test_a_header_that_the_request_does_not_name_says_nothing(face: str) -> None:
    told = Response(status=429, headers={"acme-should-retry": "true"})

    assert Carried(face, iter([told])).told(MONEY) is told


def test_what_was_refused_before_it_left_is_not_tried_again(face: str) -> None:
    carried = Carried(face, iter([InvalidSettings("no address")]))

    with pytest.raises(InvalidSettings):
        carried.exchange(REPEATABLE)

    assert carried.pauses == []


@pytest.mark.parametrize("fault", [NotSent("refused"), NoResponse("lost"), busy()])
def test_a_few_tries_are_enough(face: str, fault: Told) -> None:
    carried = Carried(face, repeat(fault))

    assert carried.told(REPEATABLE) is fault
    assert len(carried.sent) == TRIES_MAX


def test_the_pauses_grow_and_are_never_the_same_for_all(face: str) -> None:
    both = [Carried(face, repeat(NotSent("refused"))) for _ in range(2)]

    for carried in both:
        carried.told(MONEY)
        first, second = carried.pauses
        assert 0 <= first <= PAUSE_S
        assert 0 <= second <= 2 * PAUSE_S
    assert both[0].pauses != both[1].pauses


def test_a_later_try_that_did_not_leave_does_not_unsay_an_earlier_one(face: str) -> None:
    lost = NoResponse("lost")
    carried = Carried(face, chain([lost], repeat(NotSent("refused"))))

    assert carried.told(REPEATABLE) is lost


def test_money_that_left_after_all_is_no_longer_unsent(face: str) -> None:
    lost = NoResponse("lost")
    carried = Carried(face, iter([NotSent("refused"), lost]))

    assert carried.told(MONEY) is lost


# --- When ---------------------------------------------------------------------------


@pytest.mark.parametrize("after", ["0", "3", " 7 "])
def test_we_stay_away_for_as_long_as_we_are_asked_to(face: str, after: str) -> None:
    carried = Carried(face, iter([busy(after), OK]))

    assert carried.exchange(REPEATABLE) is OK
    assert int(after) <= carried.pauses[0] <= int(after) + PAUSE_S


def test_we_stay_away_until_the_date_we_are_told(face: str) -> None:
    carried = Carried(face, iter([]))
    date = format_datetime(carried.clock.now() + timedelta(seconds=5), usegmt=True)
    carried = Carried(face, iter([busy(date), OK]))

    assert carried.exchange(REPEATABLE) is OK
    assert 5 <= carried.pauses[0] <= 5 + PAUSE_S


@pytest.mark.parametrize(
    "after",
    ["11", "3600", "9" * 5000, "Fri, 02 Jan 2026 12:00:00 GMT", "Fri, 31 Dec 9999 23:59:59"],
)
def test_who_asks_us_to_stay_away_for_long_is_left_alone(face: str, after: str) -> None:
    answer = busy(after)
    carried = Carried(face, iter([answer]))

    assert carried.exchange(REPEATABLE) is answer
    assert carried.pauses == []


@pytest.mark.parametrize(
    "after", ["soon", "-5", "1.5", "\N{SUPERSCRIPT TWO}", "Thu, 01 Jan 1970 00:00:00 GMT", ","]
)
def test_a_pause_that_means_nothing_is_ours_to_choose(face: str, after: str) -> None:
    carried = Carried(face, iter([busy(after), OK]))

    assert carried.exchange(REPEATABLE) is OK
    assert carried.pauses[0] <= PAUSE_S


@given(
    st.text(max_size=40) | st.from_regex(r"\w{3}, \d+ \w{3} \d+ \d+:\d+:\d+ \S+", fullmatch=True)
)
def test_whatever_stands_in_the_header_the_answer_comes_back(after: str) -> None:
    carried = Carried("sync", repeat(busy(after)))

    assert carried.exchange(REPEATABLE).status == 503
    assert sum(carried.pauses) <= 2 * RETRY_AFTER_MAX_S + 3 * PAUSE_S


# --- For how long ---------------------------------------------------------------------


def taking(carried: Callable[[], Carried], seconds: float, told: Told) -> Part:
    def part(_: Request) -> Told:
        carried().clock.advance(seconds=seconds)
        return told

    return part


@pytest.mark.parametrize("deadline_s", [None, 8.0])
def test_all_tries_share_one_deadline(face: str, deadline_s: float | None) -> None:
    may_take_s = 30.0 if deadline_s is None else deadline_s
    slow = taking(lambda: carried, may_take_s * 0.4, busy())
    carried = Carried(face, repeat(slow))
    began = carried.clock.now()

    carried.told(request(repeatable=True, timeout_s=deadline_s))

    bounds = [sent.timeout_s for sent in carried.sent]
    assert bounds[0] == may_take_s
    for at, bound in list(zip(carried.script.sent_at, bounds, strict=True))[1:]:
        assert bound == pytest.approx(may_take_s - (at - began).total_seconds())


def test_what_used_up_its_deadline_is_not_tried_again(face: str) -> None:
    lost = NoResponse("lost")
    carried = Carried(face, iter([taking(lambda: carried, 30, lost)]))

    assert carried.told(REPEATABLE) is lost


def test_a_pause_that_would_end_after_the_deadline_is_not_begun(face: str) -> None:
    answer = busy("5")
    carried = Carried(face, iter([answer]))

    assert carried.told(request(repeatable=True, timeout_s=4)) is answer
    assert carried.pauses == []


def test_nothing_is_sent_again_after_the_lease_has_ended(face: str) -> None:
    answer = busy("5")
    carried = Carried(face, iter([answer, OK]))
    began = carried.clock.now()

    assert carried.told(REPEATABLE, not_after=began + timedelta(seconds=4)) is answer
    assert carried.pauses == []
    assert carried.told(REPEATABLE, not_after=began + timedelta(seconds=9)) is OK


def test_a_process_that_was_stopped_in_a_pause_does_not_send_late(face: str) -> None:
    refused = NotSent("refused")
    carried = Carried(face, iter([refused]))
    carried.oversleeps = timedelta(minutes=5)

    assert carried.told(MONEY, not_after=carried.clock.now() + timedelta(seconds=20)) is refused
    assert len(carried.sent) == 1


# --- Once -------------------------------------------------------------------------------

TOLD = st.sampled_from(
    [
        NotSent("refused"),
        NoResponse("lost"),
        BadResponse("garbage"),
        *[Response(status=status) for status in (200, 401, 402, 409, 429, 500, 502, 503, 504)],
    ]
)


@given(
    script=st.lists(TOLD, min_size=1, max_size=8),
    marked=st.booleans(),
    sign_in=st.booleans(),
    face=st.sampled_from(["sync", "async"]),
)
def test_money_leaves_once_unless_it_was_refused_for_its_token(
    script: list[Told], marked: bool, sign_in: bool, face: str
) -> None:
    left: list[Told] = []

    def tell(sent: Request) -> Told:
        if not sent.moves_money:
            return Response(status=200, body=b'{"access_token": "t"}')
        told = next(parts)
        if not isinstance(told, NotSent):
            left.append(told)
        return told

    parts = chain(script, repeat(NotSent("refused")))
    carried = Carried(face, repeat(tell), Signer())
    carried.told(request(moves_money=True, repeatable=marked, sign_in=sign_in))

    executed = [
        told
        for told in left
        if not (sign_in and isinstance(told, Response) and told.status == UNAUTHORIZED)
    ]
    assert len(executed) <= 1
    assert len(left) <= (2 if sign_in else 1)


# --- Beside it -------------------------------------------------------------------------------


def test_a_repetition_is_told_without_what_it_carries(
    face: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    carried = Carried(face, iter([NotSent("refused"), OK]))
    secretive = request(step="charge", headers={"authorization": "sk_live_1"}, moves_money=True)

    carried.exchange(secretive)

    assert "charge: try 2 follows in" in caplog.text
    assert "sk_live_1" not in caplog.text


def test_what_always_works_never_loads_the_rules_of_repetition() -> None:
    program = (
        "import sys; from paygate.transport import Courier, AsyncCourier; "
        "from paygate.dialogue import Request, Response\n"
        "class Works:\n"
        "    timeout_s = 30.0\n"
        "    def exchange(self, request): return Response(status=200)\n"
        "Courier(Works()).exchange(Request(method='GET', url='http://a', step='a'))\n"
        "assert 'tenacity' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
