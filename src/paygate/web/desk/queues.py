"""Queues: what waits for somebody: callbacks that fit nothing, and events that a sink refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate.web.desk.pages import DeskPage, Done
from paygate.web.desk.problems import ProblemsError
from paygate.web.desk.showing import words
from paygate.web.desk.staff import Role
from paygate.web.desk.views import ActForm, Choice, DeskView, Facts, Go, Input, Note, Table, english
from paygate.web.pages.views import Fact, Problem
from paygate.web.pages.visits import NotThereError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.domain.callback import StoredCallback
    from paygate.domain.event import DeadLetter
    from paygate.web.desk.visit import DeskVisit

_MOST: Final = 100
_STATES: Final = ("orphan", "failed", "conflicted")


# --- Orphans -------------------------------------------------------------------------------


async def _orphans(visit: DeskVisit) -> DeskView:
    tables = [await _callbacks(visit, state) for state in _STATES]
    about = english(
        "Processors report these, and they fit nothing in this ledger, or could not be applied."
    )
    return DeskView(english("Callbacks"), [Note(about), *tables])


async def _callbacks(visit: DeskVisit, state: str) -> Table:
    found: Sequence[StoredCallback] = await visit.run(
        visit.cashier.callbacks, state=state, limit=_MOST
    )
    return Table(
        title=english("Callbacks: {state}", state=english(state)),
        heads=[english(each) for each in ("Number", "Account", "Type", "Arrived", "Why")],
        rows=[
            [
                Go(str(each.id), visit.at(f"/callbacks/{each.id}")),
                each.account,
                each.type,
                each.received_at,
                each.error,
            ]
            for each in found
        ],
        empty=english("Nothing waits here."),
    )


async def _callback(visit: DeskVisit) -> DeskView:
    found = await _of_number(visit)
    facts = [
        Fact(english("Account"), found.account),
        Fact(english("Type"), found.type),
        Fact(english("Event of the processor"), found.event_id),
        Fact(english("Arrived"), found.received_at),
        Fact(english("State"), english(words(found.state.value))),
        Fact(english("Why"), found.error),
    ]
    form = ActForm(
        button=english("Do it"),
        token=visit.begin(found.state.value),
        inputs=[
            Input(
                name="do",
                label=english("What to do"),
                type="choice",
                value=visit.given("do"),
                choices=[
                    Choice("replay", english("Apply it again")),
                    Choice("dismiss", english("Dismiss it: nothing is to be done")),
                ],
            ),
            Input(
                name="reason",
                label=english("Reason to dismiss it"),
                value=visit.given("reason"),
                hint=english("Do not dismiss money that is yours"),
            ),
        ],
        problems=visit.problems,
    )
    return DeskView(
        english("Callback {number}", number=found.id),
        [Facts(facts), *([form] if found.state.value in _STATES else [])],
    )


async def _act_on_callback(visit: DeskVisit) -> Done:
    found = await _of_number(visit)
    match visit.given("do"):
        case "replay":
            made = await visit.run(visit.cashier.replay_callback, found.id)
            said = english("It is now: {state}.", state=english(words(made.state.value)))
        case "dismiss":
            reason = visit.required("reason", "Enter the reason")
            await visit.run(visit.cashier.dismiss_callback, found.id, reason=reason)
            said = english("It is dismissed.")
        case _:
            raise ProblemsError(Problem("do", english("Choose what to do")))
    return Done(visit.at(f"/callbacks/{found.id}"), said)


async def _of_number(visit: DeskVisit) -> StoredCallback:
    """Return the callback in the address; a page lists those before the next number."""
    text = visit.params["number"]
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise NotThereError
    number = int(text)
    found: Sequence[StoredCallback] = await visit.run(
        visit.cashier.callbacks, after=number - 1, oldest_first=True, limit=1
    )
    if not found or found[0].id != number:
        raise NotThereError
    return found[0]


# --- Dead letters --------------------------------------------------------------------------


async def _dead_letters(visit: DeskVisit) -> DeskView:
    found: Sequence[DeadLetter] = await visit.run(visit.cashier.dead_letters, limit=_MOST)
    table = Table(
        title=english("Events that a sink has refused"),
        heads=[english(each) for each in ("Sink", "Event", "Since", "Tries", "Why")],
        rows=[[each.sink, each.event.type, each.since, each.tries, each.error] for each in found],
        empty=english("There is no dead letter."),
        numbers=frozenset({3}),
    )
    sinks = sorted({each.sink for each in found})
    if not sinks:
        return DeskView(english("Dead letters"), [table])
    form = ActForm(
        title=english("Let a sink try again"),
        button=english("Try again"),
        token=visit.begin(),
        inputs=[
            Input(
                name="sink",
                label=english("Sink"),
                type="choice",
                value=visit.given("sink"),
                choices=[Choice(each, english("{sink}", sink=each)) for each in sinks],
            )
        ],
        problems=visit.problems,
    )
    return DeskView(english("Dead letters"), [table, form])


async def _replay(visit: DeskVisit) -> Done:
    sink = visit.required("sink", "Choose a sink")
    count = await visit.run(visit.cashier.replay_dead_letters, sink)
    return Done(
        visit.at("/dead-letters"),
        english("{sink} tries {count} events again.", sink=sink, count=count),
    )


QUEUE_PAGES: Final = (
    DeskPage(path="/callbacks", show=_orphans, menu="Callbacks"),
    DeskPage(path="/callbacks/{number}", show=_callback, act=_act_on_callback),
    DeskPage(
        path="/dead-letters",
        show=_dead_letters,
        act=_replay,
        act_needs=Role.MANAGER,
        menu="Dead letters",
    ),
)
"""The pages of what waits for somebody."""
