"""Inquiring: finding out the outcome of an operation."""

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
from paygate.testing.conformance.held import conclude, followed_by_silence, spoiled
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
"""The kinds of movement that an operation itself makes."""

_DONE: Final[Mapping[Operation, tuple[type, ...]]] = {
    Operation.AUTHORIZE: (Authorized,),
    Operation.WITHDRAW: (Approved, Ended),
}
"""The outcomes of an operation that succeeded; for all others it is Approved."""

_ASKS_A_BANK: Final = (Operation.CHARGE, Operation.AUTHORIZE)


class LookUpConformance(Conversation):
    """
    The cases for a gateway with `look_up`, for each operation that it has.

    `operation` is the operation to inquire about. Each operation needs a class, except
    forgetting, which is simply repeated. ``look_up.txt`` is about charges,
    ``look_up_refund.txt`` about refunds, and so on. A file has the fact `about` (the operation's
    reference, if inquiries use it) and the cases approve, not_found, refuse (of the inquiry
    itself) and error. For a charge it also has pending, decline, and what happened later with
    the fact `movements`; for a refund, failed. The fact `unreported` names what the processor never
    reports in its response to an inquiry. ``refuse`` and ``error`` may be in ``look_up.txt``
    only.
    """

    about: ClassVar[str] = "look_up"
    operation: ClassVar[Operation] = Operation.CHARGE
    """The operation to inquire about."""

    def __init_subclass__(cls, **more: Any) -> None:
        """Name the transcript after the operation."""
        super().__init_subclass__(**more)
        if "operation" in vars(cls):
            cls.about = looked_up(cls.operation)

    @override
    def begin(self, gateway: Any, **given: Any) -> Dialogue[Any]:
        """Start the inquiry."""
        dialogue: Dialogue[Any] = gateway.look_up(self.inquiry(self.operation, **given))
        return dialogue

    @override
    def good(self) -> Case:
        """Return the case in which the operation is found, and succeeded."""
        name = "approve" if "approve" in self.transcript(self.about) else "pending"
        return self.case(name, f"the {self.operation} is found, and succeeded")

    @override
    def case(self, name: str, meaning: str) -> Case:
        """Return the case *name*; look_up.txt may have the refusal and error of all operations."""
        shared = name in ("refuse", "error") and name not in self.transcript(self.about)
        return self.transcript("look_up" if shared else self.about).case(name, meaning)

    def found(self, name: str, meaning: str, **given: Any) -> Any:
        """Return what the core concludes from the case *name*."""
        return self.concluded(self.case(name, meaning), **given)

    def concluded(self, case: Case, **given: Any) -> Any:
        """Return what the core concludes from *case*."""
        replies = case.responses(self.values(case, given.get("amount")))
        return conclude(partial(self.opened, **given), followed_by_silence(replies))

    def test_looking_moves_no_money(self) -> None:
        """An inquiry sends no request that moves money."""
        for request in self.held(self.good()).requests:
            require(
                not request.moves_money,
                expected=f"{self.about}, step {request.step!r}: moves_money is not set",
                got=request,
                why="inquiries are repeated until the outcome is known, and each would move money",
                read=UNKNOWN,
            )

    # --- What is found ------------------------------------------------------------------

    def test_an_inquiry_agrees_with_the_operation(self) -> None:
        """An inquiry finds the same movements as the operation's own response, to the cent."""
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
                expected=f"{self.about}, case 'approve': {self._done()} with {wanted}, as in the "
                f"{self.operation}'s own response",
                got=got if wanted != got else outcome,
                asked=source.asks("movements" if "movements" in source.facts else "movement"),
                why="if they differ, the same money is booked twice: once from a late response or "
                "callback, and once from the inquiry",
                read=UNKNOWN,
            )
            require(
                getattr(outcome, "amount", money) == money,
                expected=f"{self.about}, case 'approve': {money}",
                got=outcome,
                why="the core limits captures to the amount that is held",
                read=UNKNOWN,
            )

    def _done(self) -> str:
        names = [each.__name__ for each in _DONE.get(self.operation, (Approved,))]
        return " or ".join(names)

    def _wanted(self, case: Case, told: tuple[Movement, ...], money: Money) -> list[WantedMovement]:
        """Return the movements that *case* expects, or else those of the operation's own file."""
        if "movements" in case.facts:
            return wanted_movements(case, money)
        kinds = _MOVED.get(self.operation, frozenset())
        source = self._source(case)
        # Storing a method and withdrawing a page move nothing, and have no fact 'movement'.
        ids = source.fact("movement") if source is case and kinds else source.facts.get("movement")
        # If two kinds are possible, the operation's own file does not say which: take the driver's.
        kind = next((each.kind for each in told if each.kind in kinds), min(kinds, default=None))
        if kind is None or ids in (None, "none"):
            return []
        text = ", ".join(f"{kind} {each} all" for each in ids.split(", "))
        return wanted_movements(_with_fact(case, "movements", text), money)

    def _source(self, case: Case) -> Case:
        """Return the case that names the movements: that of the operation's own file, if any."""
        own = self.transcripts / f"{self.operation}.txt"
        if "movements" not in case.facts and own.exists():
            transcript = self.transcript(self.operation.value)
            if "approve" in transcript:
                return transcript.case("approve")
        return case

    def test_a_decline_is_found(self) -> None:
        """An inquiry finds a decline."""
        applies(
            self.operation in _ASKS_A_BANK and self.rail.methods,
            "no bank decides, or the payer chooses the method on the processor's page",
        )
        cases = self.expected(
            self.about, {"decline": f"the {self.operation} is found, and was declined"}
        )
        applies(cases, "an inquiry does not report declines (unreported = decline)")
        for case in cases:
            outcome = self.outcome(case)
            require(
                isinstance(outcome, Declined),
                expected=f"{self.about}, case 'decline': Declined",
                got=outcome,
                why="the invoice stays locked until the outcome is known",
                read=UNKNOWN,
            )

    def test_what_is_still_open_is_found_open(self) -> None:
        """An inquiry before the result is known finds the operation still open."""
        cases = self.expected(self.about, self._open())
        applies(cases, "the result is immediate, or an inquiry does not report it (unreported)")
        wanted: tuple[type, ...] = (Pending, Unknown)
        if not self.rail.methods:
            wanted = (Pending,)  # a page that nobody has paid yet is not unknown
        for case in cases:
            answer = self.concluded(case)
            require(
                isinstance(answer, wanted)
                or type(answer).__name__ in ("ActionRequired", "Authorized"),
                expected=f"{self.about}, case 'pending': Pending or ActionRequired"
                f"{' or Unknown' if Unknown in wanted else ''}",
                got=answer,
                why="if it is reported as failed, the invoice may be paid again before the money "
                "arrives; if an unpaid page is reported as unknown, it locks the invoice",
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
        """An inquiry finds refunds, returns, disputes and settlements that came later."""
        wanted = LATER if self.rail.reports_settlement else WITHOUT_SETTLEMENT
        cases = self._those(wanted, demanded=self.operation is Operation.CHARGE)
        applies(
            cases, f"an inquiry reports nothing that comes later (unreported in {self.about}.txt)"
        )
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
                why="money that was sent or taken back would still count as paid, money that came "
                "back would be missing, or it would be booked as something else",
                read=UNKNOWN,
            )
            stand = told_disputes(getattr(outcome, "disputes", ()))
            require(
                stand == wanted_disputes(case),
                expected=f"{self.about}, case {case.name!r}: disputes {wanted_disputes(case)}",
                got=stand,
                asked=case.asks("disputes"),
                why="a dispute that nobody knows about is not answered in time, and is lost",
                read=UNKNOWN,
            )

    def test_what_ended_unpaid_is_found_ended(self) -> None:
        """An inquiry finds whether a page or hold expired or was canceled."""
        demanded = self.operation is Operation.AUTHORIZE or (
            self.operation is Operation.CHARGE and not self.rail.methods
        )
        cases = self._those(ENDS, demanded=demanded)
        applies(cases, "it cannot end unpaid, or an inquiry does not report that (unreported)")
        for case in cases:
            answer, wanted = self.concluded(case), f"ended {case.name}"
            require(
                word_of(answer) == wanted,
                expected=f"{self.about}, case {case.name!r}: {wanted}",
                got=answer,
                asked=case.asks(),
                why="the payer would read that they canceled a page that expired; and a page that "
                "is not known to have ended locks the invoice",
                read=UNKNOWN,
            )

    def test_a_refund_that_failed_is_found_failed(self) -> None:
        """An inquiry finds a refund that failed after it was accepted or made."""
        applies(self.operation is Operation.REFUND, "the case is about refunds")
        cases = self.expected(
            self.about,
            {"failed": "it was accepted or made, and came back because the account is closed"},
        )
        applies(cases, "an inquiry does not report refunds that failed later (unreported = failed)")
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
                why="the payer waits for money that came back to us, while the ledger says that it "
                "was sent",
                read=UNKNOWN,
            )

    def _those(self, cases: Mapping[str, str], *, demanded: bool) -> list[Case]:
        """Return those of *cases* that the transcript has; if *demanded*, all are required."""
        there = {name: text for name, text in cases.items() if name in self.transcript(self.about)}
        return self.expected(self.about, cases if demanded else there)

    # --- What proves nothing ------------------------------------------------------------

    def test_what_is_not_there_is_not_found(self) -> None:
        """An operation that the processor does not have is `NotFound`."""
        meaning = f"the processor does not know the {self.operation}"
        must = self.operation in (Operation.CHARGE, Operation.AUTHORIZE, Operation.REFUND)
        if must and self.traits.not_found_is_final_after is not None:
            cases = [self.case("not_found", meaning)]
        else:
            cases = self.expected(self.about, {"not_found": meaning})
        applies(cases, "the processor does not report a missing one (unreported = not_found)")
        for case in cases:
            answer = self.concluded(case)
            require(
                isinstance(answer, NotFound),
                expected=f"{self.about}, case 'not_found': NotFound",
                got=answer,
                why="the core believes NotFound only after the time in your traits; a failure "
                "would be believed at once, and Unknown never",
                read=UNKNOWN,
            )

    def test_a_refused_inquiry_finds_nothing_out(self) -> None:
        """A refused inquiry says nothing about the operation."""
        answer = self.found(
            "refuse", "the processor refuses the inquiry, such as for wrong credentials"
        )
        require(
            isinstance(answer, (Unknown, Unsent)),
            expected=f"{self.about}, case 'refuse': BadResponse or Unknown",
            got=answer,
            why="wrong credentials today say nothing about yesterday's charge: Rejected or "
            "NotFound could end a charge that did go through",
            read=UNKNOWN,
        )

    def test_trouble_at_the_processor_is_no_finding(self) -> None:
        """A status of 500 or above is not 'not found'."""
        answer = self.found("error", "the processor has a fault: a status of 500 or above")
        require(
            isinstance(answer, (Unknown, Unsent)),
            expected=f"{self.about}, case 'error': BadResponse or Unknown",
            got=answer,
            why="a processor with a fault may also fail to show operations that it has",
            read=UNKNOWN,
        )

    def test_the_other_mode_is_no_finding(self) -> None:
        """A charge of the live mode is not found by test settings."""
        applies(self.operation is Operation.CHARGE, "only charges are tested for this")
        cases = self.expected(
            self.about, {"other_mode": "the charge is found, in live mode instead of test mode"}
        )
        applies(cases, "the responses do not state the mode (unreported = other_mode)")
        for case in cases:
            answer = self.concluded(case)
            require(
                isinstance(answer, (Unknown, Unsent)),
                expected=f"{self.about}, case 'other_mode': BadResponse or Unknown",
                got=answer,
                why="test money would pay real invoices",
                read=UNKNOWN,
            )

    def test_garbage_is_no_finding(self) -> None:
        """A response that can't be read is not 'not found'."""
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
                    expected=f"{self.about}: BadResponse or Unknown for a response that can't be "
                    "read",
                    got=f"{answer!r} from {body[:60]!r}",
                    why="if an empty page is taken for 'not found', the core charges again",
                    read=UNKNOWN,
                )

    def test_a_fault_is_no_finding(self) -> None:
        """An inquiry that fails on the network finds nothing, and is repeated later."""
        case = self.good()
        replies = case.responses(self.values(case))
        for at in range(len(replies)):
            for fault in (NotSent("the kit"), NoResponse("the kit"), BadResponse("the kit")):
                answer = conclude(self.opened, spoiled(case, replies, at, fault))
                require(
                    isinstance(answer, (Unknown, Unsent)),
                    expected=f"{self.about}: Unknown after {type(fault).__name__}",
                    got=answer,
                    why="a network fault during the inquiry says nothing about the operation",
                    read=UNKNOWN,
                )

    # --- What the inquiry asks for ------------------------------------------------------

    def test_it_looks_for_what_the_traits_say(self) -> None:
        """The request carries our reference or the processor's, as the traits say."""
        by = self.traits.inquiry
        applies(
            by in (InquiryBy.OUR_REF, InquiryBy.GATEWAY_REF),
            "the traits say that inquiries search a list, or are not possible",
        )
        asked = self.inquiry(self.operation)
        wanted = [asked.our_ref if by is InquiryBy.OUR_REF else asked.reference]
        if asked.parent_reference and asked.reference:
            wanted.append(asked.reference)  # what follows a payment may only have a name there
        requests = self.held(self.good()).requests
        require(
            any(carries(each, name) for each in requests for name in wanted),
            expected=f"{self.about}: {wanted[0]!r} in a request, since the traits say {by}",
            got=requests,
            why="an inquiry by anything else finds another payment, whose outcome is not ours",
            read=UNKNOWN,
        )

    def test_the_payments_of_others_are_not_ours(self) -> None:
        """An entry of a list that is not ours is not found as ours."""
        cases = self._of_list("others", "a list without our operation, searched without reference")
        for case in cases:
            answer = self.concluded(case, reference="")
            require(
                isinstance(answer, NotFound),
                expected=f"{self.about}, case 'others': NotFound",
                got=answer,
                why="the invoice would be paid with another payer's money",
                read=UNKNOWN,
            )

    def test_a_list_is_read_to_its_end(self) -> None:
        """A list is read to its last page."""
        cases = self._of_list(
            "second_page",
            "two responses: a page without our operation and with more to follow, and one with it",
        )
        for case in cases:
            self.held(case, reference="")  # reads both responses, and requests nothing else
            answer = self.concluded(case, reference="")
            require(
                isinstance(answer, _DONE.get(self.operation, (Approved,))),
                expected=f"{self.about}, case 'second_page': {self._done()}",
                got=answer,
                why="an operation on the second page would count as not found; after a while the "
                "core would believe it, and charge the payer again",
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
            "the traits say that inquiries ask for one operation, not for a list",
        )
        cases = self.expected(self.about, {name: meaning})
        applies(cases, f"this does not occur in the processor's list (unreported = {name})")
        return cases


def _with_fact(case: Case, name: str, text: str) -> Case:
    from dataclasses import replace

    return replace(case, facts={**case.facts, name: text})
