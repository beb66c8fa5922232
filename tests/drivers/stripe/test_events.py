"""The events that Stripe keeps: what webhooks would have told, each once, whoever tells it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from paygate import Cashier
from paygate.dialogue import Dialogue, Request, Response, at_once
from paygate.drivers.stripe import Stripe
from paygate.drivers.stripe.events import TYPES
from paygate.errors import BadResponse
from paygate.gateway import FeedPage
from paygate.testing import FakeClock
from paygate.testing.play import play
from tests.drivers.stripe.conftest import SENT_AT, answers, intent, settings
from tests.drivers.stripe.test_callbacks import SECRET, event, read, signed


def paid(number: int, **given: Any) -> dict[str, Any]:
    about = intent("succeeded", id=f"pi_{number}")
    return event("payment_intent.succeeded", about, **{"id": f"evt_{number}", **given})


class Kept:
    """The events of an account, listed as Stripe's manual says; simulated."""

    def __init__(self, numbers: range) -> None:
        self.events = [paid(number) for number in numbers]
        self.asked: list[dict[str, str]] = []

    def answer(self, request: Request) -> Response:
        query = dict(parse_qsl(urlsplit(request.url).query))
        self.asked.append({name: query[name] for name in query if name != "types[]"})
        newest_first = self.events[::-1]
        ids = [each["id"] for each in newest_first]
        size = int(query["limit"])
        for name in ("starting_after", "ending_before"):
            if name in query and query[name] not in ids:
                told = {"code": "resource_missing", "param": name, "type": "invalid_request_error"}
                return Response(status=400, body=json.dumps({"error": told}).encode())
        if "ending_before" in query:
            newer = newest_first[: ids.index(query["ending_before"])]
            page, more = newer[-size:], len(newer) > size
        else:
            start = ids.index(query["starting_after"]) + 1 if "starting_after" in query else 0
            page, more = newest_first[start : start + size], len(newest_first) > start + size
        return answers({"object": "list", "data": page, "has_more": more})

    def pages(self, stripe: Stripe, cursor: str) -> Iterator[FeedPage]:
        more = True
        while more:
            dialogue = stripe.feed(cursor)
            request = next(dialogue)
            assert isinstance(request, Request)
            with pytest.raises(StopIteration) as end:
                dialogue.send(self.answer(request))
            page: FeedPage = end.value.value
            yield page
            cursor, more = page.cursor, page.more

    def read(self, stripe: Stripe, cursor: str) -> tuple[list[str], str]:
        pages = list(self.pages(stripe, cursor))
        return [each.event_id for page in pages for each in page.notices], pages[-1].cursor


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 350])
def test_the_first_reading_tells_every_event_that_is_kept(stripe: Stripe, count: int) -> None:
    kept = Kept(range(count))

    told, cursor = kept.read(stripe, "")

    assert sorted(told) == sorted(f"evt_{number}" for number in range(count))
    assert cursor == (f"evt_{count - 1}" if count else "")


@pytest.mark.parametrize("count", [1, 100, 101, 350])
def test_what_came_since_is_told_in_the_order_it_happened(stripe: Stripe, count: int) -> None:
    kept = Kept(range(5))
    _, cursor = kept.read(stripe, "")
    kept.events += [paid(number) for number in range(5, 5 + count)]

    told, after = kept.read(stripe, cursor)

    assert told == [f"evt_{number}" for number in range(5, 5 + count)]
    again, _ = kept.read(stripe, after)
    assert again == told[len(told) - len(again) :]  # the last page, and nothing else


def test_an_event_that_comes_to_light_late_is_told(stripe: Stripe) -> None:
    kept = Kept(range(5))
    _, cursor = kept.read(stripe, "")
    kept.events += [paid(6)]
    _, cursor = kept.read(stripe, cursor)
    kept.events.insert(5, paid(5))

    told, _ = kept.read(stripe, cursor)

    assert told == ["evt_5", "evt_6"]


def test_where_the_last_event_read_is_kept_no_more_it_begins_again(stripe: Stripe) -> None:
    kept = Kept(range(250))
    _, cursor = kept.read(stripe, "")
    kept.events = [paid(number) for number in range(300, 420)]

    told, after = kept.read(stripe, cursor)

    assert sorted(told) == sorted(f"evt_{number}" for number in range(300, 420))
    assert after == "evt_419"


def test_events_that_happen_while_the_old_ones_are_read_are_told_afterwards(
    stripe: Stripe,
) -> None:
    kept = Kept(range(250))
    told = list[str]()
    for page in kept.pages(stripe, ""):
        told += [each.event_id for each in page.notices]
        kept.events.append(paid(len(kept.events)))

    later, _ = kept.read(stripe, page.cursor)

    assert sorted(told + later) == sorted(each["id"] for each in kept.events)


def test_the_notice_is_the_one_that_the_webhook_gives(stripe: Stripe) -> None:
    by_webhook = read(signed(paid(1)))
    [page] = Kept(range(1, 2)).pages(stripe, "")

    [notice] = page.notices

    assert by_webhook.signed_at is not None
    assert {name: getattr(notice, name) for name in notice.__slots__ if name != "signed_at"} == {
        name: getattr(by_webhook, name) for name in notice.__slots__ if name != "signed_at"
    }


@pytest.mark.parametrize(
    "wrong",
    [{"livemode": True}, {"object": "v2.core.event"}, {"id": ""}, {"type": ""}, {"id": "e/../"}],
)
def test_what_is_no_event_of_ours_does_not_hold_up_the_others(
    stripe: Stripe, wrong: dict[str, Any]
) -> None:
    for told in ([paid(3), paid(2, **wrong), paid(1)], [paid(4, **wrong), paid(3), paid(1)]):
        listed = answers({"object": "list", "data": told, "has_more": False})

        page: FeedPage = play(stripe.feed(""), listed).outcome

        assert [bool(each.unreadable) for each in page.notices].count(True) == 1
        assert page.cursor in ("evt_3", "evt_4")


def test_a_refund_of_another_system_does_not_blind_the_account() -> None:
    told: dict[str, Any] = {
        "id": "re_9",
        "object": "refund",
        "amount": 4000,
        "currency": "iqd",
        "status": "succeeded",
        "balance_transaction": "txn_9",
        "payment_intent": "pi_of_others",
    }
    events = [paid(3), event("refund.created", told, id="evt_2"), paid(1)]

    class Listed(Stripe):
        def feed(self, cursor: str) -> Dialogue[FeedPage]:
            listed = answers({"object": "list", "data": events, "has_more": False})
            return at_once(play(super().feed(cursor), listed).outcome)

    clock = FakeClock()
    with Cashier.in_memory(gateways={"stripe": Listed(settings())}, clock=clock) as cashier:
        first = cashier.read_feeds()
        clock.advance(hours=1)
        again = cashier.read_feeds()
        stored = cashier.callbacks(oldest_first=True)

    assert first.failed == again.failed == {}
    assert (first.stored, again.stored) == (3, 0)
    assert [each.event_id for each in stored] == ["evt_1", "evt_2", "evt_3"]


@pytest.mark.parametrize("status", [401, 403, 429, 500])
def test_a_refusal_leaves_the_cursor(stripe: Stripe, status: int) -> None:
    told = {"error": {"type": "api_error", "message": "no"}}

    with pytest.raises(BadResponse):
        play(stripe.feed("evt_1"), Response(status=status, body=json.dumps(told).encode()))


def test_no_more_types_are_asked_for_than_stripe_takes(stripe: Stripe) -> None:
    [request] = play(
        stripe.feed(""), answers({"object": "list", "data": [], "has_more": False})
    ).requests

    asked = [text for name, text in parse_qsl(urlsplit(request.url).query) if name == "types[]"]
    assert asked == list(TYPES)
    assert len(set(asked)) == len(asked) <= 20
    assert not request.moves_money


class Recorded(Stripe):
    """An account whose events are those of `Kept`."""

    kept: Kept

    def answer(self, request: Request) -> Response:
        return self.kept.answer(request)


def test_a_webhook_and_the_feed_make_one_entry_of_the_inbox() -> None:
    gateway = Recorded(settings(webhook_secrets=SECRET))
    gateway.kept = Kept(range(150))
    clock = FakeClock(SENT_AT)
    with Cashier.in_memory(gateways={"card": gateway}, clock=clock) as cashier:
        for number in (3, 149):
            cashier.receive("card", signed(paid(number)))

        first = cashier.read_feeds()
        cashier.receive("card", signed(paid(7)))
        clock.advance(timedelta(hours=1))
        gateway.kept.events += [paid(150)]
        second = cashier.read_feeds()

        assert (first.stored, second.stored, dict(first.failed)) == (148, 1, {})
        inbox = cashier.callbacks(limit=1000)
        assert sorted(each.event_id for each in inbox) == sorted(
            each["id"] for each in gateway.kept.events
        )


def test_the_official_event_is_read(protocols: Path, stripe: Stripe) -> None:
    fixtures = json.loads((protocols / "stripe" / "fixtures-2026-08.json").read_text())
    official = fixtures["event"]
    listed = answers({"object": "list", "data": [official], "has_more": False})

    page = play(stripe.feed(""), listed).outcome

    assert [each.event_id for each in page.notices] == [official["id"]]
