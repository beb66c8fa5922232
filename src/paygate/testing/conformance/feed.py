"""Feeds: events that must be polled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from paygate.driver import FeedPage
from paygate.testing.conformance.conversation import Conversation, applies
from paygate.testing.conformance.explain import PROTOCOL, require
from paygate.testing.conformance.facts import (
    difference,
    movements_of,
    told_disputes,
    told_methods,
    wanted_disputes,
    wanted_movements,
    word_of,
)
from paygate.testing.conformance.operation import carries, plain

if TYPE_CHECKING:
    from paygate.driver import Dialogue, Money
    from paygate.testing.conformance.transcripts import Case


class FeedConformance(Conversation):
    """
    The cases for a gateway with `feed`.

    ``feed.txt``: page (facts `cursor`, from which the next page continues, and `events`, the
    ids on the page), full (the same, for a page that more pages follow), empty (no new events;
    the fact `cursor`); any other case is one more page. The facts `movements`, `disputes` and
    `answer` say what the events themselves report. Each page is read after the cursor
    `after`, for which ``${after}`` stands. If the processor returns everything in one response:
    ``unreported = full``.
    """

    about: ClassVar[str] = "feed"
    after: ClassVar[str] = "41"
    """The cursor after which the pages are read."""

    @override
    def begin(self, gateway: Any, **given: Any) -> Dialogue[Any]:
        """Start to read a page."""
        dialogue: Dialogue[Any] = gateway.feed(given.get("cursor", self.after))
        return dialogue

    @override
    def good(self) -> Case:
        """Return the case with new events."""
        return self.case("page", "a page with some events")

    @override
    def values(self, case: Case, money: Money | None = None, **more: str) -> dict[str, str]:
        """Return the values of the placeholders, including ``${after}``."""
        return super().values(case, money, after=self.after, **more)

    def page(self, case: Case, money: Money | None = None) -> FeedPage:
        """Return the page that the driver reads."""
        page = self.outcome(case, answered=money)
        require(
            isinstance(page, FeedPage),
            expected=f"feed, case {case.name!r}: a FeedPage",
            got=page,
            why="the core stores its cursor and its notices in one transaction",
            read=PROTOCOL,
        )
        found: FeedPage = page
        return found

    def pages(self) -> list[Case]:
        """Return the cases with events."""
        return [
            case
            for case in self.transcript("feed").cases.values()
            if case.messages and "events" in case.facts
        ]

    def test_every_event_of_a_page_is_reported(self) -> None:
        """A page reports all its events, in order, each with its id."""
        for case in [self.good(), *self.pages()]:
            ids = [each.event_id for each in self.page(case).notices]
            require(
                ids == case.fact("events").split(", "),
                expected=f"feed, case {case.name!r}: the events {case.fact('events')}",
                got=", ".join(ids) or "no event",
                asked=case.asks("events"),
                why="an event that is left out is never reported again: a returned e-check would "
                "still count as paid",
                read=PROTOCOL,
            )

    def test_an_event_reports_its_movements(self) -> None:
        """An event reports the movements, disputes and decision that the processor states."""
        for case in self.pages():
            for money in self.amounts_of(case):
                notices = self.page(case, money).notices
                told = [moved for each in notices for moved in movements_of(each)]
                wanted, got = difference(told, wanted_movements(case, money))
                answers = [word_of(each.answer) for each in notices if each.answer is not None]
                stand = told_disputes(dispute for each in notices for dispute in each.disputes)
                facts = {
                    "movements": (wanted, got),
                    "disputes": (wanted_disputes(case), stand),
                    "method": (case.facts.get("method", "none"), told_methods(notices)),
                    "answer": (case.facts.get("answer", "none"), ", ".join(answers) or "none"),
                }
                for name, (asked, found) in facts.items():
                    require(
                        asked == found,
                        expected=f"feed, case {case.name!r}: {name} {asked}",
                        got=found,
                        asked=case.asks(name),
                        why="the feed reports what no webhook did: if it is misread, it is booked "
                        "wrongly",
                        read=PROTOCOL,
                    )

    def test_a_full_page_says_that_more_follows(self) -> None:
        """A page that more pages follow has more=True."""
        cases = self.expected("feed", {"full": "a page that more pages follow"})
        applies(cases, "the processor returns everything in one response (unreported = full)")
        for case in cases:
            page = self.page(case)
            require(
                page.more,
                expected="feed, case 'full': more=True",
                got=page.more,
                asked=case.asks(),
                why="after an outage of a day there may be a hundred pages: at one page per poll, "
                "the latest events would be known weeks later",
                read=PROTOCOL,
            )

    def test_the_cursor_goes_on(self) -> None:
        """The cursor of a page is where the next page begins."""
        for case in [self.good(), *self.pages()]:
            page = self.page(case)
            require(
                page.cursor == case.fact("cursor"),
                expected=f"feed, case {case.name!r}, read after {self.after!r}: the cursor "
                f"{case.fact('cursor')!r}",
                got=repr(page.cursor),
                asked=case.asks("cursor"),
                why="a cursor that does not advance reads the same page again and again, and one "
                "that skips loses the events in between",
                read=PROTOCOL,
            )

    def test_nothing_new_leaves_the_cursor(self) -> None:
        """A page without new events keeps the cursor."""
        case = self.case("empty", "there are no new events")
        page = self.page(case)
        require(
            page.cursor == case.fact("cursor") and not page.more and not page.notices,
            expected=f"feed, case 'empty', read after {self.after!r}: the cursor "
            f"{case.fact('cursor')!r}, more=False and no notices",
            got=f"the cursor {page.cursor!r}, more={page.more}, {len(page.notices)} notices",
            asked=case.asks("cursor"),
            why="with an empty cursor, every poll reads everything again",
            read=PROTOCOL,
        )

    def test_the_cursor_reaches_the_processor(self) -> None:
        """The request carries the cursor."""
        requests = self.held(self.good()).requests
        require(
            any(carries(each, self.after) for each in requests),
            expected=f"feed: the cursor {self.after!r} in a request",
            got=[plain(each)[:200] for each in requests],
            why="without it, every poll reads everything from the first day",
            read=PROTOCOL,
        )

    def test_a_feed_moves_no_money(self) -> None:
        """Reading a feed sends no request that moves money."""
        moving = [each.step for each in self.held(self.good()).requests if each.moves_money]
        require(
            not moving,
            expected="feed: no request with moves_money",
            got=moving,
            why="the feed is read every few minutes, and would move money each time",
            read=PROTOCOL,
        )
