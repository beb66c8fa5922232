"""Facts of a case: what the driver must conclude from it.

``movements`` lists the money that moved, or is ``none``. A movement is written as its kind,
its id and its amount, where ``all`` means the amount of the request; anything else that the
driver must report about it follows::

    movements = charge mv_1 all, refund mv_2 3.00 undoes mv_1
    movements = charge mv_1 all settled all fee 0.30

``disputes`` lists the state of each dispute, and ``answer`` is what was decided::

    disputes = dp_1 lost
    answer = ended expired

``method`` says what happened to a stored method, named by the reference of its
`StoredMethod`::

    method = method_9 ended

``movements``, ``disputes`` and ``method`` are ``none`` if they are left out. ``answer`` is
``none`` if a callback or an event only announces that something has changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paygate.driver import Ended, Money, MovementKind, UsageError
from paygate.testing.conformance.transcripts import TranscriptError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paygate.driver import Dispute, Movement, Notice
    from paygate.testing.conformance.transcripts import Case

_WORDS = ("undoes", "settled", "fee")


@dataclass(frozen=True, slots=True)
class WantedMovement:
    """A movement that a case expects; empty fields are not compared."""

    kind: MovementKind
    movement_id: str
    amount: Money
    undoes: str = ""
    settled: Money | None = None
    fee: Money | None = None

    def written(self) -> str:
        """Return the movement as a transcript writes it, with its amount in full."""
        return _written(
            self.kind, self.movement_id, self.amount, self.undoes, self.settled, self.fee
        )

    def as_told(self, movement: Movement) -> str:
        """Return *movement* in the same form, limited to the fields that are compared."""
        return _written(
            movement.kind,
            movement.movement_id,
            movement.amount,
            (movement.undoes or "nothing") if self.undoes else "",
            movement.settled if self.settled else None,
            movement.fee if self.fee else None,
        )


def _written(
    kind: MovementKind,
    movement_id: str,
    amount: Money,
    undoes: str = "",
    settled: Money | None = None,
    fee: Money | None = None,
) -> str:
    text = f"{kind} {movement_id} {amount}"
    text += f" undoes {undoes}" if undoes else ""
    text += f" settled {settled}" if settled is not None else ""
    return text + (f" fee {fee}" if fee is not None else "")


def wanted_movements(case: Case, asked: Money) -> list[WantedMovement]:
    """Return the movements that *case* expects if *asked* is charged."""
    text = case.facts.get("movements", "none")
    return [] if text == "none" else [_wanted(case, each, asked) for each in text.split(", ")]


def _wanted(case: Case, text: str, asked: Money) -> WantedMovement:
    kind, name, amount, *more = [*text.split(), "", "", ""][: max(3, len(text.split()))]
    said = dict(zip(more[::2], more[1::2], strict=False))
    if kind not in set(MovementKind) or not amount or len(more) % 2 or not set(said) <= set(_WORDS):
        raise _wrong(
            case, "movements", f"expected a movement such as 'charge mv_1 all', not {text!r}"
        )
    return WantedMovement(
        kind=MovementKind(kind),
        movement_id=name,
        amount=_money(case, amount, asked),
        undoes=said.get("undoes", ""),
        settled=_money(case, said["settled"], asked) if "settled" in said else None,
        fee=_money(case, said["fee"], asked) if "fee" in said else None,
    )


def _money(case: Case, text: str, asked: Money) -> Money:
    if text == "all":
        return asked
    try:
        return Money.of(asked.currency, text)
    except UsageError as error:
        raise _wrong(case, "movements", error.message) from None


def names_amounts(case: Case) -> bool:
    """Return whether the movements of *case* state amounts of their own, in its currency."""
    return any(
        each[0].isdigit() and "." in each for each in case.facts.get("movements", "").split()
    )


def _wrong(case: Case, name: str, problem: str) -> TranscriptError:
    return TranscriptError(
        f"{case.file}, line {case.lines.get(name, case.line)}: {problem}",
        file=case.file,
        line=case.lines.get(name, case.line),
    )


def movements_of(notice: Notice) -> tuple[Movement, ...]:
    """Return every movement in *notice*, in its answer or alongside it, without duplicates."""
    told = (*notice.movements, *getattr(notice.answer, "movements", ()))
    return tuple(dict.fromkeys(told))


def difference(told: Iterable[Movement], wanted: list[WantedMovement]) -> tuple[str, str]:
    """
    Return what is expected and what is reported, as texts that are equal if the two agree.

    The order does not matter. Only the fields that the case gives for a movement are compared.
    """
    named = {(each.kind, each.movement_id): each for each in wanted}
    found = [
        named[each.kind, each.movement_id].as_told(each)
        if (each.kind, each.movement_id) in named
        else _written(each.kind, each.movement_id, each.amount)
        for each in told
    ]
    asked = sorted(each.written() for each in wanted)
    return ", ".join(asked) or "no movement", ", ".join(sorted(found)) or "no movement"


def wanted_disputes(case: Case) -> str:
    """Return the state of the disputes that *case* expects."""
    return case.facts.get("disputes", "none")


def told_disputes(disputes: Iterable[Dispute]) -> str:
    """Return the state of the disputes that the driver reports, as a transcript writes it."""
    return ", ".join(sorted(f"{each.reference} {each.state}" for each in disputes)) or "none"


def word_of(answer: Any) -> str:
    """Return what was decided, as a transcript writes it: ``approved``, ``ended expired``."""
    if answer is None:
        return "none"
    name = "".join(
        f"_{each.lower()}" if each.isupper() else each for each in type(answer).__name__
    ).lstrip("_")
    return f"{name} {answer.how}" if isinstance(answer, Ended) else name


def told_methods(notices: Iterable[Notice]) -> str:
    """Return the news about stored methods, as a transcript writes it: ``method_9 ended``."""
    news = [each.method for each in notices if each.method is not None]
    words = sorted(f"{each.reference} {'ended' if each.ended else 'changed'}" for each in news)
    return ", ".join(words) or "none"


def booked_of(case: Case) -> frozenset[tuple[MovementKind, str]]:
    """Return what is booked before the inquiry, from the fact ``booked``."""
    text = case.facts.get("booked", "")
    found: set[tuple[MovementKind, str]] = set()
    for each in text.split(", ") if text else []:
        kind, _, name = each.partition(" ")
        if kind not in set(MovementKind) or not name:
            raise _wrong(
                case, "booked", f"expected a kind and an id such as 'charge mv_1', not {each!r}"
            )
        found.add((MovementKind(kind), name))
    return frozenset(found)
