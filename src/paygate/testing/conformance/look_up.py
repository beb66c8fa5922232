"""Inquiring: finding out what became of an operation."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from typing_extensions import override

from paygate.domain.outcome import Unsent
from paygate.driver import (
    Approved,
    Authorized,
    BadResponse,
    Declined,
    Ended,
    InquiryBy,
    MovementKind,
    NoResponse,
    NotFound,
    NotSent,
    Operation,
    Pending,
    Response,
    Unknown,
)
from paygate.testing.conformance.conversation import Conversation, applies
from paygate.testing.conformance.explain import UNKNOWN, require
from paygate.testing.conformance.facts import (
    booked_of,
    difference,
    told_disputes,
    wanted_disputes,
    wanted_movements,
    word_of,
)
from paygate.testing.conformance.held import conclude, spoiled, then_silence
from paygate.testing.conformance.later import ENDS, LATER, WITHOUT_SETTLEMENT
from paygate.testing.conformance.operation import carries
from paygate.testing.conformance.spoiling import GARBAGE
from paygate.testing.conformance.subject import looked_up

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.driver import Dialogue, Money, Movement
    from paygate.testing.conformance.facts import WantedMovement
    from paygate.testing.conformance.transcripts import Case

_MOVED: Final[Mapping[Operation, frozenset[MovementKind]]] = {
    Operation.CHARGE: frozenset({MovementKind.CHARGE}),
    Operation.COMPLETE: frozenset({MovementKind.CHARGE, MovementKind.CAPTURE}),
    Operation.CAPTURE: frozenset({MovementKind.CAPTURE}),
    Operation.VOID: frozenset({MovementKind.VOID}),
    Operation.REFUND: frozenset({MovementKind.REFUND}),
}
"""Of which kind the money is that an operation itself moves."""

_DONE: Final[Mapping[Operation, tuple[type, ...]]] = {
    Operation.AUTHORIZE: (Authorized,),
    Operation.WITHDRAW: (Approved, Ended),
}
"""How an operation ended that went well; all others are approved."""

_ASKS_A_BANK: Final = (Operation.CHARGE, Operation.AUTHORIZE)


class LookUpConformance(Conversation):
    """
    What a gateway must do that has `look_up`, for each operation that it has.

    `operation` says which one is looked for; a class for each of them is demanded, but for
    forgetting, which is done again. ``look_up.txt`` is about charges, ``look_up_refund.txt``
    about refunds, and so on: the fact `about` (the operation's reference, if it is found by
    that); approve, not_found, refuse (the inquiry itself), error. For a charge also pending,
    decline, and what happened later, with the fact `movements`; for a refund failed. What the
    processor never says in its answer to an inquiry is named in the fact `untold`.
    ``refuse`` and ``error`` may stand in ``look_up.txt`` alone.
    """

    about: ClassVar[str] = "look_up"
    operation: ClassVar[Operation] = Operation.CHARGE
    """The operation that is looked for."""

    def __init_subclass__(cls, **more: Any) -> None:
        """Name the transcript after the operation."""
        super().__init_subclass__(**more)
        if "operation" in vars(cls):
            cls.about = looked_up(cls.operation)

    @override
    def begin(self, gateway: Any, **given: Any) -> Dialogue[Any]:
        """Begin to look."""
        dialogue: Dialogue[Any] = gateway.look_up(self.inquiry(self.operation, **given))
        return dialogue

    @override
    def good(self) -> Case:
        """Return the case in which the operation is found, and went well."""
        name = "approve" if "approve" in self.transcript(self.about) else "pending"
        return self.case(name, f"the {self.operation} is found, and it was done")

    @override
    def case(self, name: str, meaning: str) -> Case:
        """Find the case *name*; a refusal may be told once for all operations."""
        shared = name in ("refuse", "error") and name not in self.transcript(self.about)
        return self.transcript("look_up" if shared else self.about).case(name, meaning)

    def found(self, name: str, meaning: str, **given: Any) -> Any:
        """Return what the core concludes of the case *name*."""
        return self.concluded(self.case(name, meaning), **given)

    def concluded(self, case: Case, **given: Any) -> Any:
        """Return what the core concludes of *case*."""
        replies = case.responses(self.values(case, given.get("amount")))
        return conclude(partial(self.opened, **given), then_silence(replies))

    def test_looking_moves_no_money(self) -> None:
        """An inquiry changes nothing and may be repeated."""
        for request in self.held(self.good()).requests:
            require(
                not request.moves_money,
                expected=f"{self.about}, step {request.step!r}: moves_money is not set",
                got=request,
                why="an inquiry is made again and again; if it moved money, so would that",
                read=UNKNOWN,
            )

    # --- What is found ------------------------------------------------------------------

    def test_an_inquiry_agrees_with_the_operation(self) -> None:
        """What is found later is what the answer would have said, to the cent."""
        applies(
            "approve" in self.transcript(self.about),
            f"{self.about}.txt has no case 'approve': the rail's results are not immediate",
        )
        case = self.case("approve", f"the {self.operation} is found")
        source = self._source(case)
        for money in self.amounts_of(case):
            outcome = self.outcome(case, amount=money)
            told = getattr(outcome, "movements", ())
            wanted, got = difference(told, self._wanted(case, told, money))
            require(
                isinstance(outcome, _DONE.get(self.operation, (Approved,))) and wanted == got,
                expected=f"{self.about}, case 'approve': {self._done()} with {wanted}, as the "
                f"{self.operation}'s own answer has it",
                got=got if wanted != got else outcome,
                asked=source.asks("movements" if "movements" in source.facts else "movement"),
                why="found otherwise, the same money is booked twice or as other money: once by "
                "a late answer or callback, and once by the inquiry",
                read=UNKNOWN,
            )
            require(
                getattr(outcome, "amount", money) == money,
                expected=f"{self.about}, case 'approve': {money}",
                got=outcome,
                why="we stop captures at what is held",
                read=UNKNOWN,
            )

    def _done(self) -> str:
        names = [each.__name__ for each in _DONE.get(self.operation, (Approved,))]
        return " or ".join(names)

    def _wanted(self, case: Case, told: tuple[Movement, ...], money: Money) -> list[WantedMovement]:
        """Return the movements that *case* asks for, or else those of the operation's own file."""
        if "movements" in case.facts:
            return wanted_movements(case, money)
        kinds = _MOVED.get(self.operation, frozenset())
        source = self._source(case)
        # What is stored or withdrawn has no fact of that name, and moves nothing.
        ids = source.fact("movement") if source is case and kinds else source.facts.get("movement")
        # Which of two kinds it is, the operation's own file tells no more than the driver.
        kind = next((each.kind for each in told if each.kind in kinds), min(kinds, default=None))
        if kind is None or ids in (None, "none"):
            return []
        text = ", ".join(f"{kind} {each} all" for each in ids.split(", "))
        return wanted_movements(_with_fact(case, "movements", text), money)

    def _source(self, case: Case) -> Case:
        """Return the case that names the movements: the operation's own, if it has one."""
        own = self.transcripts / f"{self.operation}.txt"
        if "movements" not in case.facts and own.exists():
            transcript = self.transcript(self.operation.value)
            if "approve" in transcript:
                return transcript.case("approve")
        return case

    def test_a_decline_is_found(self) -> None:
        """An inquiry tells a no as a no."""
        applies(
            self.operation in _ASKS_A_BANK and self.rail.methods,
            "no bank is asked, or the payer chooses on the processor's page",
        )
        cases = self.expected(
            self.about, {"decline": f"the {self.operation} is found, and it was declined"}
        )
        applies(cases, "the processor does not tell a decline to an inquiry (untold = decline)")
        for case in cases:
            outcome = self.outcome(case)
            require(
                isinstance(outcome, Declined),
                expected=f"{self.about}, case 'decline': Declined",
                got=outcome,
                why="the invoice is locked until the outcome is known",
                read=UNKNOWN,
            )

    def test_what_is_still_open_is_found_open(self) -> None:
        """An inquiry too early finds no end."""
        cases = self.expected(self.about, self._open())
        applies(cases, "the result is there at once, or an inquiry does not tell it (untold)")
        wanted: tuple[type, ...] = (Pending, Unknown)
        if not self.rail.methods:
            wanted = (Pending,)  # what nobody has paid yet is not unknown
        for case in cases:
            answer = self.concluded(case)
            require(
                isinstance(answer, wanted)
                or type(answer).__name__ in ("ActionRequired", "Authorized"),
                expected=f"{self.about}, case 'pending': Pending or ActionRequired"
                f"{' or Unknown' if Unknown in wanted else ''}",
                got=answer,
                why="called failed too early, the money arrives at an invoice that was paid "
                "otherwise; and an unknown page locks the invoice while nobody has paid",
                read=UNKNOWN,
            )

    def _open(self) -> dict[str, str]:
        meaning = f"the {self.operation} is found, and its result is not known yet"
        own = self.transcripts / f"{self.operation}.txt"
        later = own.exists() and "pending" in self.transcript(self.operation.value)
        there = later or self.operation is Operation.CHARGE or "pending" in self._transcript()
        return {"pending": meaning} if there else {}

    def _transcript(self) -> Any:
        return self.transcript(self.about)

    # --- What happened later ------------------------------------------------------------

    def test_what_happened_later_is_found(self) -> None:
        """Money that went back, was disputed and won again, each as what it is."""
        wanted = LATER if self.rail.tells_settlement else WITHOUT_SETTLEMENT
        cases = self._those(wanted, demanded=self.operation is Operation.CHARGE)
        applies(cases, f"an inquiry tells nothing of what comes later (untold in {self.about}.txt)")
        for case in cases:
            outcome = self.outcome(case, booked=booked_of(case))
            case.fact("movements")
            movements = getattr(outcome, "movements", ())
            expected, got = difference(movements, wanted_movements(case, self.amount))
            require(
                expected == got,
                expected=f"{self.about}, case {case.name!r}: {expected}",
                got=f"{got}, in {type(outcome).__name__}",
                asked=case.asks("movements"),
                why="what went back is still counted as paid, what came back is missing, or the "
                "books put it where it does not belong",
                read=UNKNOWN,
            )
            stand = told_disputes(getattr(outcome, "disputes", ()))
            require(
                stand == wanted_disputes(case),
                expected=f"{self.about}, case {case.name!r}: disputes {wanted_disputes(case)}",
                got=stand,
                asked=case.asks("disputes"),
                why="a dispute that is not known is not answered in time, and lost",
                read=UNKNOWN,
            )

    def test_what_ended_unpaid_is_found_ended(self) -> None:
        """A page or a hold that ran out is not one that was taken back."""
        demanded = self.operation is Operation.AUTHORIZE or (
            self.operation is Operation.CHARGE and not self.rail.methods
        )
        cases = self._those(ENDS, demanded=demanded)
        applies(cases, "it does not end without money, or an inquiry does not tell it (untold)")
        for case in cases:
            answer, wanted = self.concluded(case), f"ended {case.name}"
            require(
                word_of(answer) == wanted,
                expected=f"{self.about}, case {case.name!r}: {wanted}",
                got=answer,
                asked=case.asks(),
                why="the payer reads that he canceled what ran out; and what is not known to "
                "have ended locks the invoice",
                read=UNKNOWN,
            )

    def test_a_refund_that_failed_is_found_failed(self) -> None:
        """A refund that bounced days later is money that we have again."""
        applies(self.operation is Operation.REFUND, "it is about refunds")
        cases = self.expected(
            self.about, {"failed": "it was accepted or made, and came back: the account is closed"}
        )
        applies(cases, "an inquiry does not tell a refund that failed later (untold = failed)")
        for case in cases:
            outcome = self.outcome(case, booked=booked_of(case))
            expected, got = difference(
                getattr(outcome, "movements", ()), wanted_movements(case, self.amount)
            )
            answer = case.fact("answer")
            require(
                (word_of(outcome), got) == (answer, expected),
                expected=f"{self.about}, case 'failed': {answer}, {expected}",
                got=f"{word_of(outcome)}, {got}",
                asked=case.asks("movements" if expected != got else "answer"),
                why="the payer waits for money that came back to us, and our books say it left",
                read=UNKNOWN,
            )

    def _those(self, cases: Mapping[str, str], *, demanded: bool) -> list[Case]:
        """Return those of *cases* that the transcript has; if *demanded*, none may be missing."""
        there = {name: text for name, text in cases.items() if name in self.transcript(self.about)}
        return self.expected(self.about, cases if demanded else there)

    # --- What is no finding -------------------------------------------------------------

    def test_what_is_not_there_is_not_found(self) -> None:
        """`NotFound` is a finding of its own."""
        meaning = f"the processor does not know the {self.operation}"
        if self.operation in (Operation.CHARGE, Operation.AUTHORIZE, Operation.REFUND):
            cases = [self.case("not_found", meaning)]
        else:
            cases = self.expected(self.about, {"not_found": meaning})
        applies(cases, "the processor does not tell that there is none (untold = not_found)")
        for case in cases:
            answer = self.concluded(case)
            require(
                isinstance(answer, NotFound),
                expected=f"{self.about}, case 'not_found': NotFound",
                got=answer,
                why="only after some time, by your traits, the core believes that it failed; as a "
                "failure it would be believed at once, and as unknown never",
                read=UNKNOWN,
            )

    def test_a_refused_inquiry_finds_nothing_out(self) -> None:
        """Bad credentials today say nothing about the charge of yesterday."""
        answer = self.found("refuse", "the processor refuses the inquiry, by bad credentials, say")
        require(
            isinstance(answer, (Unknown, Unsent)),
            expected=f"{self.about}, case 'refuse': BadResponse or Unknown",
            got=answer,
            why="as Rejected or NotFound it would end a charge that may well have gone through",
            read=UNKNOWN,
        )

    def test_trouble_at_the_processor_is_no_finding(self) -> None:
        """A 5xx is not 'not found'."""
        answer = self.found("error", "the processor is in trouble: a status of 500 or above")
        require(
            isinstance(answer, (Unknown, Unsent)),
            expected=f"{self.about}, case 'error': BadResponse or Unknown",
            got=answer,
            why="while it is in trouble it also forgets to show what it has",
            read=UNKNOWN,
        )

    def test_the_other_mode_is_no_finding(self) -> None:
        """What happened to test money says nothing about ours."""
        applies(self.operation is Operation.CHARGE, "it is tried for charges")
        cases = self.expected(
            self.about, {"other_mode": "the charge is found, in the live mode instead of test"}
        )
        applies(cases, "the answers do not tell the mode (untold = other_mode)")
        for case in cases:
            answer = self.concluded(case)
            require(
                isinstance(answer, (Unknown, Unsent)),
                expected=f"{self.about}, case 'other_mode': BadResponse or Unknown",
                got=answer,
                why="play money pays real invoices",
                read=UNKNOWN,
            )

    def test_garbage_is_no_finding(self) -> None:
        """What can't be read says nothing, least of all that there is nothing."""
        case = self.good()
        replies = case.responses(self.values(case))
        for at, good in enumerate(replies):
            for body in GARBAGE:
                if body == good.body:
                    continue
                reply = Response(status=200, headers=good.headers, body=body)
                answer = conclude(self.opened, spoiled(case, replies, at, reply))
                require(
                    isinstance(answer, (Unknown, Unsent)),
                    expected=f"{self.about}: BadResponse or Unknown out of an answer that can't be "
                    "read",
                    got=f"{answer!r} out of {body[:60]!r}",
                    why="an empty page taken for 'no such charge' makes the core charge again",
                    read=UNKNOWN,
                )

    def test_a_fault_is_no_finding(self) -> None:
        """An inquiry that fails is made again later."""
        case = self.good()
        replies = case.responses(self.values(case))
        for at in range(len(replies)):
            for fault in (NotSent("the kit"), NoResponse("the kit"), BadResponse("the kit")):
                answer = conclude(self.opened, spoiled(case, replies, at, fault))
                require(
                    isinstance(answer, (Unknown, Unsent)),
                    expected=f"{self.about}: Unknown after {type(fault).__name__}",
                    got=answer,
                    why="the network's trouble says nothing about the charge",
                    read=UNKNOWN,
                )

    # --- Where it is looked for ---------------------------------------------------------

    def test_it_looks_for_what_the_traits_say(self) -> None:
        """By our reference, or by the processor's."""
        by = self.traits.inquiry
        applies(
            by in (InquiryBy.OUR_REF, InquiryBy.GATEWAY_REF),
            "the traits say that a list is searched, or nothing",
        )
        asked = self.inquiry(self.operation)
        wanted = asked.our_ref if by is InquiryBy.OUR_REF else asked.reference
        requests = self.held(self.good()).requests
        require(
            any(carries(each, wanted) for each in requests),
            expected=f"{self.about}: {wanted!r} in a request, since the traits say {by}",
            got=requests,
            why="whatever else is looked for is another payment, and its outcome is not ours",
            read=UNKNOWN,
        )

    def test_the_payments_of_others_are_not_ours(self) -> None:
        """In a list most entries are somebody else's."""
        cases = self._of_list("others", "a list in which ours is not, found without a reference")
        for case in cases:
            answer = self.concluded(case, reference="")
            require(
                isinstance(answer, NotFound),
                expected=f"{self.about}, case 'others': NotFound",
                got=answer,
                why="the invoice would be paid by another payer's money",
                read=UNKNOWN,
            )

    def test_a_list_is_read_to_its_end(self) -> None:
        """Ours may stand on the second page."""
        cases = self._of_list(
            "second_page",
            "two answers: a page in which ours is not and more follow, and one in which it is",
        )
        for case in cases:
            self.held(case, reference="")  # hears both answers, and asks for nothing else
            answer = self.concluded(case, reference="")
            require(
                isinstance(answer, _DONE.get(self.operation, (Approved,))),
                expected=f"{self.about}, case 'second_page': {self._done()}",
                got=answer,
                why="what stands on the second page counts as not found: after a while it is "
                "believed, and the payer is charged again",
                read=UNKNOWN,
            )

    def _of_list(self, name: str, meaning: str) -> list[Case]:
        searched = self.traits.inquiry is InquiryBy.LIST_SCAN and self.operation in (
            Operation.CHARGE,
            Operation.AUTHORIZE,
            Operation.REFUND,
        )
        there = name in self.transcript(self.about)
        applies(
            there or searched,
            "the traits say that the processor is asked for one operation, not for a list",
        )
        cases = self.expected(self.about, {name: meaning})
        applies(cases, f"the processor's list has no such thing (untold = {name})")
        return cases


def _with_fact(case: Case, name: str, text: str) -> Case:
    from dataclasses import replace

    return replace(case, facts={**case.facts, name: text})
