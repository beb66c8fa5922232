"""Feeds: what must be polled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from paygate.driver import FeedPage
from paygate.testing.conformance.conversation import Conversation
from paygate.testing.conformance.explain import PROTOCOL, require
from paygate.testing.conformance.operation import carries

if TYPE_CHECKING:
    from paygate.driver import Dialogue
    from paygate.testing.conformance.transcripts import Case


class FeedConformance(Conversation):
    """
    What a gateway must do that has `feed`.

    ``feed.txt``: page (facts `cursor`, where it goes on from, and `events`, the ids
    on it), empty (nothing is new; the fact `cursor`).
    """

    about: ClassVar[str] = "feed"
    after: ClassVar[str] = "41"
    """The cursor that is read from."""

    def begin(self, gateway: Any, **given: Any) -> Dialogue[Any]:
        """Begin to read a page."""
        dialogue: Dialogue[Any] = gateway.feed(given.get("cursor", self.after))
        return dialogue

    def good(self) -> Case:
        """Tell the case in which there is something to tell."""
        return self.case("page", "a page with some events")

    def page(self, case: Case) -> FeedPage:
        """Tell the page that is read."""
        page = self.outcome(case)
        require(
            isinstance(page, FeedPage),
            expected="feed: a FeedPage",
            got=page,
            why="the core keeps its cursor and applies its notices in one transaction",
            read=PROTOCOL,
        )
        found: FeedPage = page
        return found

    def test_every_event_of_a_page_is_told(self) -> None:
        """In their order, each under its id."""
        case = self.good()
        ids = [each.event_id for each in self.page(case).notices]
        require(
            ids == case.fact("events").split(", "),
            expected=f"feed: the events {case.fact('events')}",
            got=ids,
            why="what is left out is never told again: a returned e-check stays paid",
            read=PROTOCOL,
        )

    def test_the_cursor_goes_on(self) -> None:
        """The next page begins where this one ends."""
        case = self.good()
        page = self.page(case)
        require(
            page.cursor == case.fact("cursor"),
            expected=f"feed: the cursor {case.fact('cursor')!r}",
            got=page.cursor,
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
            expected=f"feed, case 'empty': the cursor {case.fact('cursor')!r}, and no more",
            got=page,
            why="from an empty cursor everything is read again, at every poll, for ever",
            read=PROTOCOL,
        )

    def test_the_cursor_reaches_the_processor(self) -> None:
        """What was read is not asked for again."""
        requests = self.held(self.good()).requests
        require(
            any(carries(each, self.after) for each in requests),
            expected=f"feed: the cursor {self.after!r} in a request",
            got=requests,
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
