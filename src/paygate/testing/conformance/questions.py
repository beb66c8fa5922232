"""Questions: what a network asks before it takes money, and what it reports afterward."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from paygate.driver import (
    Applied,
    Approved,
    KeptNotice,
    NotAuthentic,
    Notice,
    PayerFacts,
    Question,
    Reply,
    WhyNot,
)
from paygate.testing.conformance.explain import CALLBACKS, fail, require
from paygate.testing.conformance.held import hold
from paygate.testing.conformance.spoiling import GARBAGE
from paygate.testing.conformance.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.driver import Callback, Money, Movement, Request, Response


class QuestionConformance(Subject):
    """
    The cases for a gateway with `question`, `reply_to` and `refuse`: no transcript.

    Write the network's requests in the methods `asks`, `pays` and `forged`.
    """

    about: ClassVar[str] = "questions"
    number: ClassVar[str] = "100200300"
    """A number that a payer may type."""

    def asks(self, number: str, amount: Money) -> Callback:
        """Return the request that asks whether *amount* may be paid for *number*."""
        raise NotImplementedError

    def pays(self, number: str, amount: Money, transaction: str) -> Callback:
        """Return the request that reports *amount* for *number*, as the *transaction*."""
        raise NotImplementedError

    def forged(self, number: str, amount: Money, transaction: str) -> Callback:
        """Return a request like that of `pays` from somebody else."""
        raise NotImplementedError

    # --- Running --------------------------------------------------------------------------

    def asked(self, callback: Callback) -> Question:
        """Return the question in *callback*, which the driver must read."""
        gateway: Any = self.gateway()
        held = hold(lambda: gateway.question(callback), _nothing)
        if not isinstance(held.outcome, Question):
            fail(
                expected="question: a Question",
                got=held.raised or held.outcome,
                why="the network's requests are refused, and no payer can pay",
                read=CALLBACKS,
            )
        return held.outcome

    def replied(self, question: Question, facts: PayerFacts) -> Reply | Notice:
        """Return what the driver says to *question*."""
        gateway: Any = self.gateway()
        said: Reply | Notice = gateway.reply_to(question, facts)
        return said

    def facts(self, **known: Any) -> PayerFacts:
        """Return facts about a number that may be paid."""
        return replace(PayerFacts(now=self.now, due=self.amount), **known)

    def reported(self, amount: Money, transaction: str = "7001") -> tuple[Question, Notice]:
        """Return the question and the notice of a payment."""
        question = self.asked(self.pays(self.number, amount, transaction))
        notice = self.replied(question, self.facts())
        if not isinstance(notice, Notice):
            fail(
                expected="reply_to, a payment that was not reported before: a Notice",
                got=notice,
                why="the payer's cash is in the machine, and is booked for nobody",
                read=CALLBACKS,
            )
        return question, notice

    def kept(self, notice: Notice) -> Mapping[str, KeptNotice]:
        """Return *notice* as one that is in the ledger."""
        id_ = notice.event_id
        kept = KeptNotice(
            number=5001, event_id=id_, notice=notice, received_at=self.now, applied=True
        )
        return {id_: kept}

    # --- Checks ---------------------------------------------------------------------------

    def test_a_question_is_about_the_number_that_was_typed(self) -> None:
        """The number, the currency and the amount are those of the request."""
        question = self.asked(self.asks(self.number, self.amount))
        require(
            question.payer_number == self.number and question.currency == self.amount.currency,
            expected=f"question: the number {self.number}, in {self.amount.currency}",
            got=question,
            why="the payer would be asked to pay somebody else's bill",
            read=CALLBACKS,
        )

    def test_a_question_reports_nothing(self) -> None:
        """Whatever the facts are, a mere question is answered and changes nothing."""
        question = self.asked(self.asks(self.number, self.amount))
        for why_not in (None, *WhyNot):
            said = self.replied(question, self.facts(why_not=why_not))
            require(
                isinstance(said, Reply),
                expected=f"reply_to, a question, why_not={why_not}: a Reply",
                got=said,
                why="money is booked that no payer has put in",
                read=CALLBACKS,
            )

    def test_a_number_that_may_not_be_paid_is_not_answered_as_one_that_may(self) -> None:
        """Each reason not to pay has another answer than a number that may be paid."""
        question = self.asked(self.asks(self.number, self.amount))
        payable = self.replied(question, self.facts())
        for why_not in WhyNot:
            said = self.replied(question, self.facts(why_not=why_not))
            require(
                said != payable,
                expected=f"reply_to, a question, why_not={why_not.value}: a refusal",
                got=said,
                why="the kiosk takes money for a slip that was withdrawn",
                read=CALLBACKS,
            )

    # --- Reports --------------------------------------------------------------------------

    def test_cash_is_reported_whosever_the_number_is(self) -> None:
        """A payment is reported whatever the facts are: the money is in the machine."""
        question, first = self.reported(self.amount)
        for why_not in WhyNot:
            said = self.replied(question, self.facts(why_not=why_not))
            require(
                isinstance(said, Notice) and said.event_id == first.event_id,
                expected=f"reply_to, a payment, why_not={why_not.value}: the Notice of the money",
                got=said,
                why="cash that was taken cannot be refused; it is booked, and a person decides",
                read=CALLBACKS,
            )

    def test_the_exact_amount_is_reported(self) -> None:
        """The notice has one movement, of the amount that was put in."""
        for number, amount in enumerate(self.amounts(), 1):
            _, notice = self.reported(amount, str(number))
            moved = [each.amount for each in _moved(notice)]
            require(
                moved == [amount],
                expected=f"reply_to, a payment of {amount}: one movement of it",
                got=notice,
                why="the books would not show the money that is in the machine",
                read=CALLBACKS,
            )

    def test_a_slip_is_named_by_its_reference(self) -> None:
        """Cash for a slip of ours is reported for the slip, not for a payer's number."""
        question, _ = self.reported(self.amount)
        said = self.replied(question, self.facts(slip=True))
        require(
            isinstance(said, Notice) and said.reference == self.number and not said.payer_number,
            expected=f"reply_to, a payment with facts.slip: a Notice with reference={self.number}",
            got=said,
            why="the slip stays open, and its payer is asked to pay again",
            read=CALLBACKS,
        )

    def test_a_repetition_is_answered_and_not_reported_again(self) -> None:
        """A payment that is in the ledger gets the same reply each time."""
        question, notice = self.reported(self.amount)
        kept = self.kept(notice)
        booked = self.replied(question, self.facts(kept=kept, applied=Applied.BOOKED))
        again = self.replied(question, self.facts(kept=kept))
        later = self.replied(question, self.facts(kept=kept, why_not=WhyNot.PAID))
        require(
            isinstance(booked, Reply) and booked == again == later,
            expected="reply_to, a payment that was reported before: the same Reply",
            got=(booked, again, later),
            why="the network repeats its request until it is answered; another answer to the "
            "repetition strands the payer's money",
            read=CALLBACKS,
        )

    def test_a_repetition_with_other_facts_is_a_conflict(self) -> None:
        """The same transaction with another amount is reported, so that it is flagged."""
        question, notice = self.reported(self.amount)
        kept = self.kept(notice)
        fine = self.replied(question, self.facts(kept=kept))
        other = self.asked(self.pays(self.number, self.other_amount, "7001"))
        said = self.replied(other, self.facts(kept=kept))
        require(
            isinstance(said, Notice)
            and said.event_id == notice.event_id
            and replace(said, movements=()) != replace(notice, movements=()),
            expected="reply_to, the same transaction with another amount: a Notice with the same "
            "event id",
            got=said,
            why="somebody changed the amount of a payment, and nobody notices",
            read=CALLBACKS,
        )
        refused = self.replied(other, self.facts(kept=kept, applied=Applied.REFUSED))
        require(
            isinstance(refused, Reply) and refused != fine,
            expected="reply_to, a conflict: a Reply that is not the one to a payment",
            got=refused,
            why="the network would believe that the second amount is booked",
            read=CALLBACKS,
        )

    # --- Bad input ------------------------------------------------------------------------

    def test_what_cannot_be_read_is_answered(self) -> None:
        """A request that cannot be read gets a reply, or is not authentic; nothing else."""
        gateway: Any = self.gateway()
        request = self.pays(self.number, self.amount, "7001")
        for garbage in GARBAGE:
            for spoilt in (replace(request, body=garbage), replace(request, query="%zz=%&&=")):
                held = hold(partial(gateway.question, spoilt), _nothing)
                require(
                    isinstance(held.raised, NotAuthentic)
                    or (held.raised is None and isinstance(held.outcome, Reply | Question | None)),
                    expected="question, a request that cannot be read: a Reply or NotAuthentic",
                    got=held.raised or held.outcome,
                    why="the network repeats the request for days, and shows its clerks an error "
                    "page",
                    read=CALLBACKS,
                )

    def test_somebody_else_is_refused(self) -> None:
        """A request that does not come from the network raises `NotAuthentic`."""
        gateway: Any = self.gateway()
        forged = self.forged(self.number, self.amount, "7001")
        held = hold(lambda: gateway.question(forged), _nothing)
        require(
            isinstance(held.raised, NotAuthentic),
            expected="question, a forged request: NotAuthentic",
            got=held.raised or held.outcome,
            why="anybody could say that a bill is paid",
            read=CALLBACKS,
        )


def _nothing(number: int, request: Request) -> Response | Exception:
    del number
    fail(
        expected="question: no request",
        got=request,
        why="a kiosk waits for the reply while its payer stands before it",
        read=CALLBACKS,
    )


def _moved(notice: Notice) -> tuple[Movement, ...]:
    answered = notice.answer.movements if isinstance(notice.answer, Approved) else ()
    return (*answered, *notice.movements)
