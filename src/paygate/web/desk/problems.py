"""Problems: what is wrong with the fields of a form of the desk."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paygate.web.pages.views import Problem


class ProblemsError(Exception):
    """Something is wrong with the fields of a form; nothing was done."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(problems)
        self.problems = problems
