"""Views: what a page of the desk shows, as blocks of plain values.

Every page of the desk is a title and some blocks, which one template writes. A page of your own
needs no HTML: it returns a `DeskView`. The desk is in English, as the messages of the engine are
that it repeats; amounts, dates and numbers are written as on the payment pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from paygate.web.texts import Text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from paygate.web.pages.views import Fact, Problem
    from paygate.web.texts import Value


def english(sentence: str, **values: Value) -> Text:
    """Return a text of the desk, which is not translated; *values* fill its names in braces."""
    return Text(sentence, values)


@dataclass(frozen=True, slots=True)
class Go:
    """A link to another page; *href* is its address, as `DeskVisit.at` returns it."""

    label: Value
    href: str


@dataclass(frozen=True, slots=True)
class Tag:
    """A word that stands out; *tone* is ``good``, ``bad``, ``doubt`` or empty."""

    label: Text
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Several:
    """Some cells in one."""

    cells: tuple[Cell, ...]


Cell: TypeAlias = "Value | Go | Tag | Several"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows with a heading; the columns in *numbers* have amounts. *empty* is shown without rows."""

    kind: ClassVar[str] = "table"
    title: Text
    heads: Sequence[Text]
    rows: Sequence[Sequence[Cell]]
    empty: Text
    numbers: frozenset[int] = frozenset()
    more: Go | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """Labels and values."""

    kind: ClassVar[str] = "facts"
    rows: Sequence[Fact]
    tags: Sequence[Tag] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence; *tone* is ``good``, ``bad``, ``doubt`` or empty."""

    kind: ClassVar[str] = "note"
    sentence: Text
    tone: str = ""
    links: Sequence[Go] = ()


@dataclass(frozen=True, slots=True)
class Buttons:
    """Links that look like buttons, for what can be done."""

    kind: ClassVar[str] = "buttons"
    links: Sequence[Go]


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of a timeline: when, what, and details."""

    at: datetime
    what: Text
    facts: Sequence[Value] = ()
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Timeline:
    """What happened, the oldest first."""

    kind: ClassVar[str] = "timeline"
    title: Text
    rows: Sequence[Moment]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the values of a field."""

    value: str
    label: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """
    A field of a form.

    *type* is ``text``, ``date``, ``amount``, ``area``, ``check``, ``choice`` or ``hidden``.
    """

    name: str
    label: Text
    type: str = "text"
    value: str = ""
    hint: Text | None = None
    choices: Sequence[Choice] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ActForm:
    """A form that is sent to its own page, or to *action*; *token* is that of `DeskVisit.begin`."""

    kind: ClassVar[str] = "form"
    button: Text
    token: str = ""
    action: str = ""
    get: bool = False
    inputs: Sequence[Input] = ()
    problems: Sequence[Problem] = ()
    title: Text | None = None

    def problem_of(self, field: str) -> Text | None:
        """Return what is wrong with *field*."""
        return next((each.message for each in self.problems if each.field == field), None)


Block: TypeAlias = Table | Facts | Note | Buttons | Timeline | ActForm


@dataclass(frozen=True, slots=True)
class DeskView:
    """A page of the desk."""

    title: Text
    blocks: Sequence[Block] = ()

    @property
    def wrong(self) -> bool:
        """Whether a form of the page has problems."""
        return any(isinstance(each, ActForm) and each.problems for each in self.blocks)
