"""Rendering a page of the desk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.web.desk.staff import Staff
    from paygate.web.desk.views import DeskView, Go
    from paygate.web.languages import Language
    from paygate.web.pages.render import Renderer

STYLES: Final = ("style.css", "desk.css")
"""The style sheets of the desk."""


def desk_html(
    renderer: Renderer,
    view: DeskView,
    reader: Language,
    *,
    staff: Staff | None = None,
    menu: Sequence[tuple[Go, bool]] = (),
) -> str:
    """Return the page of *view*; each entry of the *menu* says whether it is this page."""
    return renderer.document(
        "desk.html",
        reader,
        title=view.title,
        wrong=view.wrong,
        width="wide",
        desk=view,
        view=None,
        staff=staff,
        menu=menu,
    )
