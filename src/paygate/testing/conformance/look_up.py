"""Inquiring: finding out what became of an operation."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from paygate.domain.outcome import Unsent
from paygate.driver import (
    Approved,
    BadReply,
    Declined,
    InquiryBy,
    NoReply,
    NotFound,
    NotSent,
    Operation,
    Pending,
    Response,
    Unknown,
)
from paygate.testing.conformance.conversation import Conversation, applies
from paygate.testing.conformance.explain import UNKNOWN, require
from paygate.testing.conformance.held import conclude, spoiled, then_silence
from paygate.testing.conformance.operation import carries
from paygate.testing.conformance.spoiling import GARBAGE

if TYPE_CHECKING:
    from paygate.driver import Dialogue
    from paygate.testing.conformance.transcripts import Case


class LookUpConformance(Conversation):
    """
    What a gateway must do that has `look_up`.

    ``look_up.txt``: the fact `about` (the charge's reference, where it is found by
    that); approve, decline, pending, not_found, refuse (the inquiry itself), error;
    others, where a list is searched: it holds only payments that are not ours.
    """

    about: ClassVar[str] = "look_up"
    operation: ClassVar[Operation] = Operation.CHARGE
    """The operation that is looked for."""

    def begin(self, gateway: Any, **given: Any) -> Dialogue[Any]:
        """Begin to look."""
        dialogue: Dialogue[Any] = gateway.look_up(self.inquiry(self.operation, **given))
        return dialogue

    def good(self) -> Case:
        """Tell the case in which the charge is found."""
        name = "approve" if "approve" in self.transcript("look_up") else "pending"
        return self.case(name, "the charge is found, and it was approved")

    def found(self, name: str, meaning: str, **given: Any) -> Any:
        """Tell what the core concludes of the case *name*."""
        case = self.case(name, meaning)
        replies = case.responses(self.values(case))
        return conclude(partial(self.opened, **given), then_silence(replies))

    def test_looking_moves_no_money(self) -> None:
        """An inquiry changes nothing and may be repeated."""
        for request in self.held(self.good()).requests:
            require(
                not request.moves_money,
                expected=f"look_up, step {request.step!r}: moves_money is not set",
                got=request,
                why="an inquiry is made again and again; if it moved money, so would that",
                read=UNKNOWN,
            )

    def test_an_inquiry_agrees_with_the_charge(self) -> None:
        """What is found later is what the answer would have said."""
        applies(
            "approve" in self.transcript("look_up"),
            "look_up.txt has no approved charge: the rail's results are not immediate",
        )
        wanted = self.case("approve", "the charge is found")
        outcome = self.outcome(wanted)
        told = [
            (each.movement_id, each.kind, each.amount) for each in getattr(outcome, "movements", ())
        ]
        charge = self.transcript("charge")
        ids = (
            charge.case("approve").fact("movement").split(", ")
            if "approve" in charge
            else (wanted.fact("movement").split(", "))
        )
        require(
            isinstance(outcome, Approved)
            and [each[0] for each in told][: len(ids)] == ids
            and told[0][2] == self.amount,
            expected=f"look_up: the movements {', '.join(ids)} of {self.amount}, as the charge's "
            "own answer has them",
            got=outcome,
            why="found under another id, the same money is booked twice: once by a late answer or "
            "callback, and once by the inquiry",
            read=UNKNOWN,
        )

    def test_a_decline_is_found(self) -> None:
        """An inquiry tells a no as a no."""
        applies(self.rail.methods, "the payer chooses on the processor's page")
        outcome = self.outcome(self.case("decline", "the charge is found, and it was declined"))
        require(
            isinstance(outcome, Declined),
            expected="look_up, case 'decline': Declined",
            got=outcome,
            why="the invoice is locked until the outcome is known",
            read=UNKNOWN,
        )

    def test_what_is_still_open_is_found_open(self) -> None:
        """An inquiry too early finds no end."""
        answer = self.found("pending", "the charge is found, and its result is not known yet")
        require(
            isinstance(answer, (Pending, Unknown))
            or type(answer).__name__ in ("ActionRequired", "Authorized"),
            expected="look_up, case 'pending': Pending, ActionRequired or Unknown",
            got=answer,
            why="called failed too early, the money arrives at an invoice that was paid otherwise",
            read=UNKNOWN,
        )

    def test_what_is_not_there_is_not_found(self) -> None:
        """`NotFound` is a finding of its own."""
        answer = self.found("not_found", "the processor does not know the charge")
        require(
            isinstance(answer, NotFound),
            expected="look_up, case 'not_found': NotFound",
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
            expected="look_up, case 'refuse': BadReply or Unknown",
            got=answer,
            why="as Rejected or NotFound it would end a charge that may well have gone through",
            read=UNKNOWN,
        )

    def test_trouble_at_the_processor_is_no_finding(self) -> None:
        """A 5xx is not 'not found'."""
        answer = self.found("error", "the processor is in trouble: a status of 500 or above")
        require(
            isinstance(answer, (Unknown, Unsent)),
            expected="look_up, case 'error': BadReply or Unknown",
            got=answer,
            why="while it is in trouble it also forgets to show what it has",
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
                    expected="look_up: BadReply or Unknown out of an answer that can't be read",
                    got=f"{answer!r} out of {body[:60]!r}",
                    why="an empty page taken for 'no such charge' makes the core charge again",
                    read=UNKNOWN,
                )

    def test_a_fault_is_no_finding(self) -> None:
        """An inquiry that fails is made again later."""
        case = self.good()
        replies = case.responses(self.values(case))
        for at in range(len(replies)):
            for fault in (NotSent("the kit"), NoReply("the kit"), BadReply("the kit")):
                answer = conclude(self.opened, spoiled(case, replies, at, fault))
                require(
                    isinstance(answer, (Unknown, Unsent)),
                    expected=f"look_up: Unknown after {type(fault).__name__}",
                    got=answer,
                    why="the network's trouble says nothing about the charge",
                    read=UNKNOWN,
                )

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
            expected=f"look_up: {wanted!r} in a request, since the traits say {by}",
            got=requests,
            why="whatever else is looked for is another payment, and its outcome is not ours",
            read=UNKNOWN,
        )

    def test_the_payments_of_others_are_not_ours(self) -> None:
        """In a list most entries are somebody else's."""
        applies(
            self.traits.inquiry is InquiryBy.LIST_SCAN,
            "the traits say that the processor is asked for one operation, not for a list",
        )
        answer = self.found(
            "others", "a list in which ours is not, found without a reference", reference=""
        )
        require(
            isinstance(answer, NotFound),
            expected="look_up, case 'others': NotFound",
            got=answer,
            why="the invoice would be paid by another payer's money",
            read=UNKNOWN,
        )
