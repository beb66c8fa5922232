"""What holds for every operation: keys, refusals, faults, and for those that move money, money."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from hypothesis import given
from hypothesis import strategies as st

from paygate.domain.outcome import Unsent
from paygate.driver import (
    ActionRequired,
    Approved,
    Authorized,
    BadReply,
    Closed,
    Declined,
    DedupWindow,
    InquiryBy,
    Keyed,
    Money,
    MovementKind,
    NoReply,
    Note,
    NotSent,
    Operation,
    Pending,
    Rejected,
    Request,
    Response,
    Unknown,
    Unsupported,
    UsageError,
)
from paygate.testing.conformance.amounts import read_amounts, stands_in
from paygate.testing.conformance.conversation import Conversation, applies, counted
from paygate.testing.conformance.explain import (
    DIALOGUES,
    PROTOCOL,
    UNKNOWN,
    fail,
    require,
)
from paygate.testing.conformance.held import conclude, hold, scripted, spoiled, then_silence
from paygate.testing.conformance.spoiling import GARBAGE, made_up
from paygate.testing.conformance.transcripts import TranscriptError

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.driver import Movement
    from paygate.testing.conformance.transcripts import Case

_OF_METHODS: Final = frozenset({Operation.ENROLL, Operation.FORGET})
_REFERENCES: Final = (InquiryBy.OUR_REF, InquiryBy.LIST_SCAN)
_DECIDED: Final = (Approved, Authorized, Declined, Closed, Pending, ActionRequired)


class OperationConformance(Conversation):
    """An operation that the core asks for under a key; see the class of each capability."""

    operation: ClassVar[Operation]

    def concluded(
        self, respond: Callable[[int, Request], Response | Exception], **given_: Any
    ) -> Any:
        """Tell what the core concludes."""
        return conclude(
            partial(self.opened, **given_),
            respond,
            all_matter=self.operation in _OF_METHODS,
        )

    # --- Keys ---------------------------------------------------------------------------

    def test_another_key_makes_it_another_request(self) -> None:
        """The processor tells a repetition from a second operation by the key."""
        applies(
            isinstance(self.traits.idempotency, Keyed),
            "the traits say that this processor takes no idempotency key",
        )
        case = self.good()
        ours = self.held(case).requests
        other = self.held(case, key="k-conformance-2").requests
        for one, another in zip(ours, other, strict=True):
            if one.method == "GET":
                continue
            require(
                (one.headers, one.body, one.url) != (another.headers, another.body, another.url),
                expected=f"{self.about}, step {one.step!r}: the key in the request",
                got="the same bytes under two keys",
                why="the traits say Keyed, so the core repeats a request whose answer was lost; "
                "without the key in it the processor does it again",
                read=UNKNOWN,
            )

    def test_steps_have_names_of_their_own(self) -> None:
        """Each request that does something has a step of its own."""
        asked = [each.step for each in self.held(self.good()).requests if each.method != "GET"]
        require(
            not counted(asked) and all(asked),
            expected=f"{self.about}: a different `step` for each request",
            got=asked,
            why="the step is a part of the idempotency key: two requests under one key look like "
            "a repetition, and the second one is never done",
            read=DIALOGUES,
        )

    # --- What the processor says --------------------------------------------------------

    def refused(self) -> Case:
        """Find the case in which the request itself is refused."""
        return self.case("refuse", "the processor refuses the request, by bad credentials, say")

    def test_a_refused_request_is_rejected(self) -> None:
        """A request that the processor refuses says nothing about the payer's method."""
        case = self.refused()
        outcome = self.outcome(case)
        require(
            isinstance(outcome, Rejected),
            expected=f"{self.about}, case 'refuse': Rejected",
            got=outcome,
            why="as a decline it would blame the payer's card and burn a dunning try; as unknown "
            "it would lock the invoice, though nothing can have moved",
            read=PROTOCOL,
        )

    def test_a_refusal_says_what_is_the_matter(self) -> None:
        """The cause tells whether to mend settings, wait, or ask the payer for another method."""
        case = self.refused()
        outcome = self.outcome(case)
        if not isinstance(outcome, Rejected):
            return  # the case before this one says so
        require(
            outcome.cause == case.fact("cause"),
            expected=f"{self.about}, case 'refuse': the cause {case.fact('cause')!r}",
            got=outcome,
            why="the host acts on it: credentials alert the person on call, a rate limit waits",
            read=PROTOCOL,
        )

    def test_trouble_at_the_processor_decides_nothing(self) -> None:
        """A 5xx is neither a decline nor an approval."""
        case = self.case("error", "the processor is in trouble: a status of 500 or above")
        replies = case.responses(self.values(case))
        answer = self.concluded(then_silence(replies))
        require(
            isinstance(answer, (Unknown, Unsent))
            or (isinstance(answer, Rejected) and answer.retryable and self._before_money(case)),
            expected=f"{self.about}, case 'error': Unknown, or BadReply (before the request that "
            "moves money also Rejected, retryable)",
            got=answer,
            why="the processor may have done it before it failed; whoever calls that declined "
            "or failed lets the payer pay a second time",
            read=UNKNOWN,
        )

    def test_garbage_decides_nothing(self) -> None:
        """What is not from the processor is not believed."""
        case = self.good()
        replies = case.responses(self.values(case))
        for at, good in enumerate(replies):
            for body in GARBAGE:
                if body == good.body:
                    continue
                reply = Response(status=good.status, headers=good.headers, body=body)
                answer = self.concluded(spoiled(case, replies, at, reply))
                require(
                    not isinstance(answer, (*_DECIDED, Rejected)),
                    expected=f"{self.about}: no decision out of garbage as the answer to request "
                    f"{at + 1}",
                    got=f"{answer!r} out of status {reply.status} and {body[:60]!r}",
                    why="a proxy's error page is not the processor: the money may have moved, "
                    "and the core must inquire",
                    read=UNKNOWN,
                )

    # --- Faults of the network ----------------------------------------------------------

    def test_a_fault_before_the_money_is_unsent(self) -> None:
        """What fails while nothing has moved locks nothing."""
        applies(
            self.operation not in _OF_METHODS,
            "to store or forget a method counts as sent from the first request on",
        )
        case, replies, money = self._with_money()
        for at in range(len(replies) if money is None else money):
            for fault in (NotSent("the kit"), NoReply("the kit"), BadReply("the kit")):
                answer = self.concluded(spoiled(case, replies, at, fault))
                require(
                    isinstance(answer, Unsent)
                    or (isinstance(answer, Rejected) and answer.retryable),
                    expected=f"{self.about}: Unsent after {type(fault).__name__} at request "
                    f"{at + 1}, which moves no money",
                    got=answer,
                    why="an invoice that is locked because a sign-in timed out can't be paid; "
                    "let the fault pass through the dialogue",
                    read=UNKNOWN,
                )

    def _with_money(self) -> tuple[Case, list[Response], int | None]:
        case = self.good()
        replies = case.responses(self.values(case))
        held = hold(self.opened, scripted(case, replies))
        return case, replies, held.money_at

    def _before_money(self, case: Case) -> bool:
        """Tell whether *case* ends before the request that moves money."""
        held = hold(
            self.opened,
            then_silence(case.responses(self.values(case))),
        )
        return held.money_at is None


class MoneyConformance(OperationConformance):
    """An operation that moves money, or begins to."""

    movement_kinds: ClassVar[frozenset[MovementKind]]
    """Of which kind the money is that moves."""

    # --- Which request moves it ---------------------------------------------------------

    def test_at_most_one_request_moves_money(self) -> None:
        """One operation, one request after which money may have moved."""
        for case in self.cases():
            replies = case.responses(self.values(case))
            held = hold(self.opened, then_silence(replies))
            moving = [each.step for each in held.requests if each.moves_money]
            require(
                len(moving) < 2,
                expected=f"{self.about}, case {case.name!r}: at most one request with moves_money",
                got=moving,
                why="one attempt is one claim on the invoice: two requests that move money "
                "can take it twice, and an inquiry finds one of them",
                read=DIALOGUES,
            )

    def test_the_right_request_moves_money(self) -> None:
        """`moves_money` stands on the request of which the transcript says so."""
        wanted = self.transcript(self.about).fact(
            "money", "the step of the request that moves money, or none"
        )
        moving = [each.step for each in self.held(self.good()).requests if each.moves_money]
        require(
            moving[:1] == ([] if wanted == "none" else [wanted]),
            expected=f"{self.about}: moves_money on the step {wanted!r}",
            got=moving or "no request with moves_money",
            why="too late, and a lost charge counts as never sent: the payer pays again. Too "
            "early, and a lost preparation locks the invoice",
            read=DIALOGUES,
        )

    def test_money_is_repeatable_only_under_a_key(self) -> None:
        """The transport repeats by itself what is marked repeatable."""
        idempotency = self.traits.idempotency
        applies(
            not isinstance(idempotency, Keyed)
            and not (isinstance(idempotency, DedupWindow) and idempotency.returns_original),
            "the traits say that the processor recognises a repetition and answers as before",
        )
        for request in self.held(self.good()).requests:
            require(
                not (request.moves_money and request.repeatable),
                expected=f"{self.about}, step {request.step!r}: not repeatable",
                got="moves_money and repeatable, at a processor that does again what it is sent "
                "again",
                why="the transport sends a repeatable request a second time after a timeout",
                read=UNKNOWN,
            )

    def test_a_money_request_that_never_left_is_unsent(self) -> None:
        """Nothing left, so nothing moved."""
        case, replies, money = self._with_money()
        applies(money is not None, f"{self.about} moves no money at this rail")
        assert money is not None
        answer = self.concluded(spoiled(case, replies, money, NotSent("the kit")))
        require(
            isinstance(answer, Unsent),
            expected=f"{self.about}: Unsent after NotSent at the request that moves money",
            got=answer,
            why="the connection failed: the payer can try again at once, and is not told to wait",
            read=UNKNOWN,
        )

    def test_a_money_request_without_an_answer_is_unknown(self) -> None:
        """Timeout does not mean failed."""
        case, replies, money = self._with_money()
        applies(money is not None, f"{self.about} moves no money at this rail")
        assert money is not None
        for fault in (NoReply("the kit"), BadReply("the kit")):
            answer = self.concluded(spoiled(case, replies, money, fault))
            require(
                isinstance(answer, Unknown),
                expected=f"{self.about}: Unknown after {type(fault).__name__} at the request "
                "that moves money",
                got=answer,
                why="the processor may have charged: calling it failed is how payers are charged "
                "twice. Let the fault pass through the dialogue",
                read=UNKNOWN,
            )

    # --- How it is found again ----------------------------------------------------------

    def test_its_name_is_noted_before_money_moves(self) -> None:
        """Where only the processor's reference finds it, it must be in the ledger in time."""
        applies(
            self.traits.inquiry is InquiryBy.GATEWAY_REF,
            "the traits say that an operation is found without the processor's reference",
        )
        case = self.good()
        steps = self.held(case).steps
        before: list[str] = []
        for step in steps:
            if isinstance(step, Request) and step.moves_money:
                break
            if isinstance(step, Note):
                before.append(step.reference)
        else:
            return
        require(
            any(before),
            expected=f"{self.about}: a Note with the processor's reference before money moves",
            got=steps,
            why="if the answer is lost we can't ask for it, because we don't know its name: "
            "the outcome stays unknown for ever",
            read=DIALOGUES,
        )

    # --- What moved ---------------------------------------------------------------------

    def test_the_processors_name_of_it_is_told(self) -> None:
        """The reference is how the operation is found again."""
        case = self.good()
        outcome = self.outcome(case)
        require(
            getattr(outcome, "reference", "") == case.fact("reference"),
            expected=f"{self.about}: the reference {case.fact('reference')!r}",
            got=outcome,
            why="captures, refunds and inquiries name the operation by it, and so does the clerk "
            "who calls the processor",
            read=PROTOCOL,
        )

    def movements(self, case: Case, **given_: Any) -> tuple[Movement, ...]:
        """Tell the movements in the outcome of *case*."""
        found: tuple[Movement, ...] = getattr(self.outcome(case, **given_), "movements", ())
        return found

    def test_money_has_the_processors_id_of_its_movement(self) -> None:
        """The movement id makes booking happen once."""
        case = self.good()
        wanted = case.fact("movement")
        ids = [each.movement_id for each in self.movements(case)]
        require(
            ids == ([] if wanted == "none" else wanted.split(", ")),
            expected=f"{self.about}: the movement {wanted!r}",
            got=ids or "no movement",
            why="a receipt is booked once per movement id: with an id of our own making the "
            "answer, the callback and the report are booked as three payments",
            read=PROTOCOL,
        )

    def test_money_is_of_the_right_kind(self) -> None:
        """The kind tells which way the money went."""
        case = self.good()
        kinds = {each.kind for each in self.movements(case)}
        require(
            kinds <= self.movement_kinds,
            expected=f"{self.about}: movements of kind {', '.join(sorted(self.movement_kinds))}",
            got=sorted(kinds),
            why="the kind decides whether it is booked as money in or money out",
            read=PROTOCOL,
        )

    def test_money_is_the_amount_that_moved(self) -> None:
        """The receipt has the amount that was asked, where the processor says nothing else."""
        for money in (self.amount, self.other_amount):
            case = self.good()
            if money != self.amount and not case.mentions("minor", "decimal", "amount"):
                continue
            told = [each.amount for each in self.movements(case, amount=money)]
            require(
                all(each == money for each in told),
                expected=f"{self.about}: movements of {money}",
                got=told,
                why="the receipt is what is booked and allocated to the invoice",
                read=PROTOCOL,
            )

    def test_another_amount_is_never_booked_as_ours(self) -> None:
        """What the processor says it moved is booked, and not what we asked for."""
        case = self.good()
        applies(
            case.mentions("minor", "decimal", "amount") and case.fact("movement") != "none",
            "the processor's answer names no amount (no ${minor}, ${decimal} or ${amount} in the "
            "transcript)",
        )
        self._not_ours(case, self.other_amount, "another amount")

    def test_another_currency_is_never_booked_as_ours(self) -> None:
        """What moved in another currency is not what was asked for."""
        case = self.good()
        applies(
            case.mentions("currency", "currency_lower") and case.fact("movement") != "none",
            "the processor's answer names no currency (no ${currency} in the transcript)",
        )
        self._not_ours(case, Money(self.other_currency, self.amount.minor), "another currency")

    def _not_ours(self, case: Case, told: Money, what: str) -> None:
        replies = case.responses(self.values(case, told))
        answer = self.concluded(then_silence(replies))
        amounts = [each.amount for each in getattr(answer, "movements", ())]
        require(
            isinstance(answer, (Unknown, Unsent))
            or (bool(amounts) and all(each == told for each in amounts)),
            expected=f"{self.about}: {told} in the movement, or BadReply, where the processor "
            f"names {what} than the {self.amount} that was asked",
            got=answer,
            why="booked as asked, the invoice counts as paid while other money came",
            read=PROTOCOL,
        )

    # --- A repetition -------------------------------------------------------------------

    def test_a_refused_repetition_is_not_a_failure(self) -> None:
        """'Duplicate' means that the first one is there."""
        traits = self.traits
        there = "duplicate" in self.transcript(self.about)
        window = isinstance(traits.idempotency, DedupWindow)
        there = there or (window and self.operation is Operation.CHARGE and bool(self.rail.methods))
        applies(
            there,
            "the processor does not refuse repetitions (no case 'duplicate', and no DedupWindow "
            "in the traits)",
        )
        case = self.case("duplicate", "the processor says that it has this one already")
        answer = self.concluded(then_silence(case.responses(self.values(case))))
        same = isinstance(answer, Approved) and answer.reference == case.facts.get("reference")
        require(
            isinstance(answer, Unknown) or same,
            expected=f"{self.about}, case 'duplicate': Unknown, so that the core inquires, or "
            "the first one's approval",
            got=answer,
            why="the first request may have been done: as a decline or a rejection it frees "
            "the invoice, and the payer pays a second time",
            read=UNKNOWN,
        )


class AmountConformance(MoneyConformance):
    """An operation that names the amount that is to move."""

    def test_amounts_are_written_as_the_processor_counts(self) -> None:
        """Each scale of currency has a row in amounts.txt, and is written so."""
        for row in read_amounts(self.transcripts / "amounts.txt", self.rail):
            if row.refused:
                continue
            # Only what is sent counts here; the answers of the transcript are about another amount.
            requests = self._sent(row.money)
            require(
                any(stands_in(row.written, plain(each)) for each in requests),
                expected=f"{self.about}: {row.money} written as {row.written!r}",
                got=[plain(each)[:400] for each in requests],
                why="a wrong place of the point charges a hundred times too much",
                read=PROTOCOL,
            )

    def test_amounts_that_it_cannot_write_are_refused(self) -> None:
        """Rounding in secret books another amount than what moved."""
        rows = read_amounts(self.transcripts / "amounts.txt", self.rail)
        refused = [row.money for row in rows if row.refused]
        applies(refused, "amounts.txt has no refused amount, and the traits take any currency")
        for money in refused:
            held = hold(partial(self.opened, amount=money), then_silence([]))
            require(
                isinstance(held.raised, UsageError) and not held.requests,
                expected=f"{self.about}: Unsupported for {money} before anything is sent",
                got=held.raised if not held.requests else held.requests,
                why="an amount that is rounded to what the processor takes is not what the "
                "invoice says, and nobody is told",
                read=PROTOCOL,
            )

    def test_two_amounts_never_look_alike(self) -> None:
        """The amount that is asked reaches the processor."""
        currency = self.amount.currency

        def sent(minor: int) -> list[bytes]:
            return [plain(each).encode() for each in self._sent(Money(currency, minor))]

        def differ(one: int, other: int) -> None:
            if one == other:
                return
            require(
                sent(one) != sent(other),
                expected=f"{self.about}: other bytes for {one} and {other} minor units",
                got="the same bytes",
                why="the processor moves an amount that nobody asked for",
                read=PROTOCOL,
            )

        # A field that is too short, or a place that is lost, shows here.
        for power in range(7):
            differ(self.amount.minor, self.amount.minor + 10**power)

        @made_up(min(self.examples, 30))
        @given(st.integers(50, 999_999), st.integers(50, 999_999))
        def law(one: int, other: int) -> None:
            differ(one, other)

        law()

    def _sent(self, money: Money) -> list[Request]:
        """Tell what is sent for *money*, answered as far as the good case goes."""
        case = self.good()
        replies = case.responses(self.values(case, money))
        held = hold(partial(self.opened, amount=money), then_silence(replies))
        if isinstance(held.raised, (Unsupported, UsageError)):
            fail(
                expected=f"{self.about}: {money} is taken, as amounts.txt and the traits say",
                got=f"{type(held.raised).__name__}: {held.raised}",
                why="a portal shows the button by the traits, and then the payer gets an error",
                read=PROTOCOL,
            )
        return held.requests


class NamedByUsConformance(AmountConformance):
    """An operation that nothing leads to but our own reference."""

    def test_our_reference_travels_with_it(self) -> None:
        """What is looked for by our reference must carry it."""
        applies(
            self.traits.inquiry in _REFERENCES,
            "the traits say that the processor is not asked by our reference",
        )
        requests = [each for each in self.held(self.good()).requests if each.method != "GET"]
        require(
            any(carries(each, "att-7f3a") for each in requests),
            expected=f"{self.about}: our_ref in a request",
            got=requests,
            why="when the answer is lost an inquiry looks for our_ref; not found, and after a "
            "while believed not to exist, the charge is made once more",
            read=UNKNOWN,
        )


class DeclinesConformance(NamedByUsConformance):
    """An operation that a bank can say no to."""

    def declined(self) -> tuple[Case, Any]:
        """Hold the dialogue that ends in a decline."""
        applies(
            self.rail.methods or self.operation is not Operation.CHARGE,
            "the payer chooses on the processor's page, so nothing is declined here",
        )
        case = self.case("decline", "the payer's bank says no")
        return case, self.outcome(case)

    def test_a_decline_is_an_outcome(self) -> None:
        """A bank's no is neither an error nor a refused request."""
        _, outcome = self.declined()
        require(
            isinstance(outcome, Declined),
            expected=f"{self.about}, case 'decline': Declined",
            got=outcome,
            why="a decline is the payer's to mend, with another card; as an error it alerts us, "
            "as unknown it locks the invoice",
            read=PROTOCOL,
        )

    def test_a_decline_keeps_the_processors_code(self) -> None:
        """The raw code is kept word for word."""
        case, outcome = self.declined()
        require(
            getattr(outcome, "raw_code", None) == case.fact("raw_code")
            or not isinstance(outcome, Declined),
            expected=f"{self.about}, case 'decline': the raw code {case.fact('raw_code')!r}",
            got=outcome,
            why="support asks the processor by its own code, and our table may be wrong",
            read=PROTOCOL,
        )

    def test_a_decline_says_why_in_our_words(self) -> None:
        """The code is of the one vocabulary that all gateways share."""
        case, outcome = self.declined()
        require(
            getattr(outcome, "code", None) == case.fact("code")
            or not isinstance(outcome, Declined),
            expected=f"{self.about}, case 'decline': the code {case.fact('code')!r}",
            got=outcome,
            why="the host shows it, and autopay decides by it whether to try again",
            read=PROTOCOL,
        )

    def test_a_decline_says_whether_to_try_again(self) -> None:
        """`retryable` is what dunning goes by."""
        case, outcome = self.declined()
        if not isinstance(outcome, Declined):
            return
        wanted = case.fact("retryable")
        if wanted not in ("yes", "no"):
            raise TranscriptError(
                f"{case.file}: retryable is yes or no in the case {case.name!r}", file=case.file
            )
        require(
            outcome.retryable is (wanted == "yes"),
            expected=f"{self.about}, case 'decline': retryable is {wanted}",
            got=outcome,
            why="the networks fine merchants who try a lost card again; and a payer who was "
            "short of money yesterday pays tomorrow",
            read=PROTOCOL,
        )


def plain(request: Request) -> str:
    """Write what a request says, decoded, so that it can be searched."""
    from urllib.parse import unquote_plus

    body = request.body.decode("utf-8", "replace")
    kind = next((v for k, v in request.headers.items() if k.lower() == "content-type"), "")
    if "urlencoded" in kind:
        body = unquote_plus(body)
    return f"{unquote_plus(request.url)}\n{body}"


def carries(request: Request, text: str) -> bool:
    """Tell whether *text* stands anywhere in a request."""
    return text in plain(request) or any(text in value for value in request.headers.values())
