"""Rendering a page of the portal: whole, or as a fragment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate.web.pages.states import PageState
from paygate.web.pages.views import PageView
from paygate.web.portal.views import Notice

if TYPE_CHECKING:
    from paygate.web.languages import Language
    from paygate.web.pages.render import Renderer
    from paygate.web.portal.member import Member
    from paygate.web.portal.views import PortalView

STYLES: Final = ("style.css", "portal.css")
"""The style sheets of the portal."""


def portal_html(
    renderer: Renderer,
    view: PortalView,
    reader: Language,
    *,
    member: Member | None = None,
    sign_out: str = "",
    fragment: bool = False,
) -> str:
    """Return the page of *view*, with the name of the *member*, or as a *fragment* without it."""
    return renderer.document(
        "portal_fragment.html" if fragment else "portal.html",
        reader,
        title=view.title,
        wrong=bool(getattr(view, "problems", ())),
        width=view.width,
        portal=view,
        view=_frame(view),
        member=member,
        sign_out=sign_out,
    )


def _frame(view: PortalView) -> PageView | None:
    """Return what the frame of a page needs if the page goes on by itself."""
    if not isinstance(view, Notice) or not view.refresh:
        return None
    return PageView(state=PageState.GO, values={}, refresh=view.refresh)
