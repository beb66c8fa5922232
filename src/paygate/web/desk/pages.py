"""Pages of the desk: each is a path, who may see it, what it shows and what its form does.

This is how a page is added to the desk: make a `DeskPage` and put it into the table of
`paygate.web.desk.application`, or pass it to ``desk(pages=…)``. The desk sees to the rest: who is
signed in, the role, the form's origin and signature, the headers, and that a refusal of the engine
is shown on the page with what was typed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from paygate.web.desk.staff import Role

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from paygate.web.desk.views import DeskView
    from paygate.web.desk.visit import DeskVisit
    from paygate.web.texts import Text

    Shows: TypeAlias = Callable[[DeskVisit], Awaitable[DeskView | str]]
    Acts: TypeAlias = Callable[[DeskVisit], Awaitable["Done"]]


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a form: *said* is shown on the page at the address *to*."""

    to: str
    said: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskPage:
    """
    A page of the desk.

    - *path* is its path below the desk, such as ``/statements/{id}``.
    - *show* returns its view, or the address of another page.
    - *act* does what its form asks for, with the fields in `DeskVisit.typed`. It returns what was
      done, or raises an error of paygate or a `ProblemsError` (`paygate.web.desk.problems`): then
      *show* is asked again, and finds the `DeskVisit.problems`.
    - *needs* is the role that may see it, *act_needs* the one that may send its form.
    - *menu* is its name in the menu; without it, it is not in the menu.
    """

    path: str
    show: Shows
    act: Acts | None = None
    needs: Role = Role.READ
    act_needs: Role = Role.CLERK
    menu: str = ""
