"""Feeds: what must be polled."""

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
    What a gateway must do that has `feed`.

    ``feed.txt``: page (facts `cursor`, where it goes on from, and `events`, the ids on it),
    full (likewise, a page after which more follows), empty (nothing is new; the fact `cursor`);
    any other case is one more page. What its events say themselves is in `movements`,
    `disputes` and `answer`. Each page is read after the cursor `after`, which stands for
    ``${after}``. If the processor gives everything in one answer: ``untold = full``.
    """

    about: ClassVar[str] = "feed"
    after: ClassVar[str] = "41"
    """The cursor that is read from."""

    @override
    def begin(self, gateway: Any, **given: Any) -> Dialogue[Any]:
        """Begin to read a page."""
        dialogue: Dialogue[Any] = gateway.feed(given.get("cursor", self.after))
        return dialogue

    @override
    def good(self) -> Case:
        """Return the case in which there is something to tell."""
        return self.case("page", "a page with some events")

    @override
    def values(self, case: Case, money: Money | None = None, **more: str) -> dict[str, str]:
        """Return what the placeholders stand for, ``${after}`` among them."""
        return super().values(case, money, after=self.after, **more)

    def page(self, case: Case, money: Money | None = None) -> FeedPage:
        """Return the page that is read."""
        page = self.outcome(case, answered=money)
        require(
            isinstance(page, FeedPage),
            expected=f"feed, case {case.name!r}: a FeedPage",
            got=page,
            why="the core keeps its cursor and applies its notices in one transaction",
            read=PROTOCOL,
        )
        found: FeedPage = page
        return found

    def pages(self) -> list[Case]:
        """Return the cases in which there is something to tell."""
        return [
            case
            for case in self.transcript("feed").cases.values()
            if case.messages and "events" in case.facts
        ]

    def test_every_event_of_a_page_is_told(self) -> None:
        """In their order, each under its id."""
        for case in [self.good(), *self.pages()]:
            ids = [each.event_id for each in self.page(case).notices]
            require(
                ids == case.fact("events").split(", "),
                expected=f"feed, case {case.name!r}: the events {case.fact('events')}",
                got=", ".join(ids) or "no event",
                asked=case.asks("events"),
                why="what is left out is never told again: a returned e-check stays paid",
                read=PROTOCOL,
            )

    def test_an_event_tells_of_its_money(self) -> None:
        """Kind, id and amount, and what was decided, as the processor says."""
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
                        why="the feed tells what no webhook did; read as something else it is "
                        "booked as that",
                        read=PROTOCOL,
                    )

    def test_a_full_page_says_that_more_follows(self) -> None:
        """Otherwise the rest is read at the next poll, or never."""
        cases = self.expected("feed", {"full": "a page after which more follows"})
        applies(cases, "the processor gives everything in one answer (untold = full)")
        for case in cases:
            page = self.page(case)
            require(
                page.more,
                expected="feed, case 'full': more=True",
                got=page.more,
                asked=case.asks(),
                why="after a day of silence there are a hundred pages: read one at each poll, "
                "what happened last is known weeks later",
                read=PROTOCOL,
            )

    def test_the_cursor_goes_on(self) -> None:
        """The next page begins where this one ends."""
        for case in [self.good(), *self.pages()]:
            page = self.page(case)
            require(
                page.cursor == case.fact("cursor"),
                expected=f"feed, case {case.name!r}, read after {self.after!r}: the cursor "
                f"{case.fact('cursor')!r}",
                got=repr(page.cursor),
                asked=case.asks("cursor"),
                why="a cursor that stands still reads the same page for ever, and one that jumps "
                "loses what lies between",
                read=PROTOCOL,
            )

    def test_nothing_new_leaves_the_cursor(self) -> None:
        """An empty page is not the beginning."""
        case = self.case("empty", "nothing is new")
        page = self.page(case)
        require(
            page.cursor == case.fact("cursor") and not page.more and not page.notices,
            expected=f"feed, case 'empty', read after {self.after!r}: the cursor "
            f"{case.fact('cursor')!r}, no more and no notices",
            got=f"the cursor {page.cursor!r}, more={page.more}, {len(page.notices)} notices",
            asked=case.asks("cursor"),
            why="from an empty cursor everything is read again, at every poll, for ever",
            read=PROTOCOL,
        )

    def test_the_cursor_reaches_the_processor(self) -> None:
        """What was read is not asked for again."""
        requests = self.held(self.good()).requests
        require(
            any(carries(each, self.after) for each in requests),
            expected=f"feed: the cursor that it reads after, {self.after!r}, in a request",
            got=[plain(each)[:200] for each in requests],
            why="without it each poll reads everything from the first day on",
            read=PROTOCOL,
        )

    def test_a_feed_moves_no_money(self) -> None:
        """Reading is reading."""
        moving = [each.step for each in self.held(self.good()).requests if each.moves_money]
        require(
            not moving,
            expected="feed: no request with moves_money",
            got=moving,
            why="it is read every few minutes",
            read=PROTOCOL,
        )
