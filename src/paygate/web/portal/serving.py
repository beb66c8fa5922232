"""What a page of the portal is, and what may become of a form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from paygate.web.pages.views import Problem, ReceiptView
    from paygate.web.portal.views import PortalView
    from paygate.web.portal.visit import PortalVisit

    Shows: TypeAlias = Callable[[PortalVisit], Awaitable["PortalView | ReceiptView | GoTo"]]
    Acts: TypeAlias = Callable[[PortalVisit], Awaitable["PortalView | GoTo"]]


@dataclass(frozen=True, slots=True)
class GoTo:
    """The page is at another address."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalRoute:
    """
    A page of the portal.

    *shows* returns its view, *acts* does what its form asks for; *page* is the name to which the
    form is bound. With *takes_posts* a processor may send its payer back by a form, which is
    answered like a link: nothing in it counts.
    """

    path: str
    shows: Shows
    acts: Acts | None = None
    page: str = ""
    takes_posts: bool = False

    @property
    def methods(self) -> Sequence[str]:
        """The methods of HTTP."""
        return ["GET", "POST"] if self.acts or self.takes_posts else ["GET"]


class NotDoneError(Exception):
    """A form cannot be done as it was sent; its page is shown again with these problems."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(problems)
        self.problems = problems
