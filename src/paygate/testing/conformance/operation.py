"""The cases for every operation: keys, refusals, faults, and the money if it moves any."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import urlsplit

from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from paygate.domain.action import lacks_secret
from paygate.domain.outcome import Unsent
from paygate.driver import (
    SCALES,
    ActionRequired,
    Approved,
    ApproveElsewhere,
    Authorized,
    BadResponse,
    Declined,
    DedupWindow,
    Ended,
    InquiryBy,
    Keyed,
    Money,
    MovementKind,
    NoResponse,
    Note,
    NotSent,
    Operation,
    PayToAddress,
    Pending,
    PostForm,
    Redirect,
    Rejected,
    Request,
    Response,
    ScriptStep,
    ShowCode,
    ShowVoucher,
    StoredToken,
    Unknown,
    Unsupported,
    UsageError,
    origin_of,
)
from paygate.testing.conformance.amounts import read_amounts, stands_in
from paygate.testing.conformance.asking import Otherwise, asked_besides, asked_otherwise
from paygate.testing.conformance.conversation import Conversation, applies, counted
from paygate.testing.conformance.explain import (
    DIALOGUES,
    PROTOCOL,
    UNKNOWN,
    fail,
    require,
)
from paygate.testing.conformance.held import conclude, followed_by_silence, hold, scripted, spoiled
from paygate.testing.conformance.spoiling import GARBAGE, made_up
from paygate.testing.conformance.subject import CURRENCIES
from paygate.testing.conformance.transcripts import TranscriptError

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.driver import Dialogue, Kind, Method, Movement
    from paygate.testing.conformance.transcripts import Case

_OF_METHODS: Final = frozenset({Operation.ENROLL, Operation.FORGET})
_REFERENCES: Final = (InquiryBy.OUR_REF, InquiryBy.LIST_SCAN)
_DECIDED: Final = (Approved, Authorized, Declined, Ended, Pending, ActionRequired)


class OperationConformance(Conversation):
    """An operation that the core requests under a key; see the class of each capability."""

    operation: ClassVar[Operation]

    def question(self, **given_: Any) -> Any:
        """Return the order that the driver is given, such as a `Charge`."""
        raise NotImplementedError

    @override
    def begin(self, gateway: Any, **given_: Any) -> Dialogue[Any]:
        """Start the operation."""
        dialogue: Dialogue[Any] = getattr(gateway, self.operation)(self.question(**given_))
        return dialogue

    def concluded(
        self, respond: Callable[[int, Request], Response | Exception], **given_: Any
    ) -> Any:
        """Return what the core concludes from the dialogue."""
        return conclude(
            partial(self.opened, **given_),
            respond,
            all_matter=self.operation in _OF_METHODS,
        )

    # --- Keys ---------------------------------------------------------------------------

    def test_another_key_makes_it_another_request(self) -> None:
        """The key is in the request, so that the processor can recognize a repetition."""
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
                why="the traits say Keyed, so the core repeats a request whose response was lost; "
                "without the key in it, the processor executes it a second time",
                read=UNKNOWN,
            )

    def test_steps_have_names_of_their_own(self) -> None:
        """Each request that does more than read has a `step` of its own."""
        asked = [each.step for each in self.held(self.good()).requests if each.method != "GET"]
        require(
            not counted(asked) and all(asked),
            expected=f"{self.about}: a different `step` for each request",
            got=asked,
            why="the step is part of the idempotency key: to the processor, two requests under one "
            "key are a repetition, and it never executes the second",
            read=DIALOGUES,
        )

    # --- What the driver was asked to do ------------------------------------------------

    def asking(self, said: dict[str, str] | None = None, **given_: Any) -> list[Request] | None:
        """
        Return the requests that must contain the order, or None if the driver refuses it.

        They are the steps named in the fact `asked_in`, else the request that moves money,
        else all that do more than read. *said* replaces facts in the transcript's responses.
        """
        case = self.good()
        replies = case.responses(self.values(case, given_.get("amount"), **(said or {})))
        held = hold(partial(self.opened, **given_), followed_by_silence(replies))
        if isinstance(held.raised, UsageError):
            return None
        facts = self.transcript(self.about).facts
        steps = facts.get("asked_in") or facts.get("money", "none")
        if steps != "none":
            return [each for each in held.requests if each.step in steps.split(", ")]
        return [each for each in held.requests if each.method != "GET"] or held.requests

    def asked_in(self) -> str:
        """Return, in words, which request must contain the order."""
        facts = self.transcript(self.about).facts
        steps = facts.get("asked_in") or facts.get("money", "none")
        return "a request" if steps == "none" else f"the request {steps}"

    def test_what_is_asked_reaches_the_processor(self) -> None:
        """Each field of the order shows in a request, or the transcript names it in `not_sent`."""
        self.sends()
        transcript = self.transcript(self.about)
        not_sent = transcript.facts.get("not_sent", "")
        left_out = set(not_sent.split(", "))
        fields = asked_otherwise(self.question(), self.kind, self.rail, self._other_kinds())
        applies(fields, "each field of the order is checked by a case of its own")
        if self.asking() != self.asking():
            return  # test_the_same_key_gives_the_same_bytes reports it
        sent = {each.field: self._is_sent(each) for each in fields}
        silent = [name for name, there in sent.items() if not there and name not in left_out]
        require(
            not silent,
            expected=f"{self.about}: {', '.join(silent)} in {self.asked_in()}",
            got="the same bytes whatever their values are",
            why="a value that the host gives and the driver does not send is silently lost: the "
            "card that was to be stored, the page that the payer returns to. If the processor has "
            f"no field for it, say so at the top of {transcript.path.name}: not_sent = "
            f"{', '.join(name for name, there in sent.items() if not there)}",
            read=PROTOCOL,
        )
        heard = [name for name, there in sent.items() if there and name in left_out]
        require(
            not heard,
            expected=f"{self.about}: no {', '.join(heard)} in {self.asked_in()}",
            got="different bytes for different values",
            asked=f"{transcript.path.name}: not_sent = {not_sent}",
            why="an exception that no longer applies hides the next mistake: remove it from "
            "not_sent",
            read=PROTOCOL,
        )

    def test_what_it_also_sends_reaches_the_processor(self) -> None:
        """Each optional field that the transcript names in `also_sent` shows in a request."""
        transcript = self.transcript(self.about)
        said = transcript.facts.get("also_sent", "")
        applies(said, "the transcript names no optional fields (also_sent)")
        if self.asking() != self.asking():
            return  # test_the_same_key_gives_the_same_bytes reports it
        silent = [name for name in said.split(", ") if not self._is_also_sent(name)]
        require(
            not silent,
            expected=f"{self.about}: {', '.join(silent)} in {self.asked_in()}",
            got="the same bytes whatever their values are, or a field that the order does not have",
            asked=f"{transcript.path.name}: also_sent = {said}",
            why="the host would find no e-mailed receipt, no text on the statement and none of its "
            "own data at the processor, and could not know why",
            read=PROTOCOL,
        )

    def _is_also_sent(self, name: str) -> bool:
        found = asked_besides(self.question(), name)
        return found is not None and self._is_sent(found)

    def _other_kinds(self) -> dict[Kind, Method]:
        """Return the other kinds that offer this operation, each with a method both accept."""
        found: dict[Kind, Method] = {}
        for kind, rail in self.traits.rails.items():
            shared = [of for of in rail.methods & self.rail.methods if of in self.methods]
            if kind is not self.kind and self.operation in rail.operations and shared:
                found[kind] = self.methods[min(shared, key=lambda each: each.__name__)]
        return found if hasattr(self.question(), "kind") else {}

    def _is_sent(self, each: Otherwise) -> bool:
        """Return whether the field reaches the processor, or the driver refuses the order."""
        one = {**self._stored_for(each.field), **each.one}
        sent, other = self.asking(**one), self.asking(**{**one, **each.other})
        return sent is None or other is None or sent != other

    def _stored_for(self, field: str) -> dict[str, Any]:
        """Return a stored method if the field can differ only for one."""
        return {"method": self.methods[StoredToken]} if field == "payer_present" else {}

    def names(self, what: str, *ways: tuple[dict[str, Any], dict[str, str]], why: str) -> None:
        """
        Fail unless the request names the object that it is about.

        Each of *ways* is a set of changed fields, and the facts in the responses that go with
        it; one of the changed values must show in a request.
        """
        facts = self.transcript(self.about).facts
        wanted = [name for given_, _ in ways for name in given_.values()]
        requests: list[list[Request]] = [self.asking(said, **given_) or [] for given_, said in ways]
        found = any(
            carries(each, str(name))
            for (given_, _), asked in zip(ways, requests, strict=True)
            for each in asked
            for name in given_.values()
        )
        require(
            found,
            expected=f"{self.about}: {what} in {self.asked_in()}, even if it is "
            f"{' or '.join(repr(str(each)) for each in wanted)}",
            got=[plain(each)[:300] for asked in requests for each in asked]
            or "no request; if it follows a response that names "
            f"{facts.get('about', 'the payment')!r}, write ${{about}} or ${{of}} there",
            why=why,
            read=PROTOCOL,
        )

    # --- What the processor says --------------------------------------------------------

    def refused(self) -> Case:
        """Return the case in which the request itself is refused."""
        self.sends()
        return self.case("refuse", "the processor refuses the request, such as wrong credentials")

    def test_a_refused_request_is_rejected(self) -> None:
        """A request that the processor refuses is Rejected, and not declined or unknown."""
        case = self.refused()
        outcome = self.outcome(case)
        require(
            isinstance(outcome, Rejected),
            expected=f"{self.about}, case 'refuse': Rejected",
            got=outcome,
            why="Declined would blame the payer's card and use up a dunning retry; Unknown would "
            "lock the invoice, although no money can have moved",
            read=PROTOCOL,
        )

    def test_a_refusal_says_what_is_the_matter(self) -> None:
        """The cause says whether to fix settings, wait, or ask the payer for another method."""
        case = self.refused()
        outcome = self.outcome(case)
        if not isinstance(outcome, Rejected):
            return  # test_a_refused_request_is_rejected reports it
        require(
            outcome.cause == case.fact("cause"),
            expected=f"{self.about}, case 'refuse': the cause {case.fact('cause')!r}",
            got=outcome,
            asked=case.asks("cause"),
            why="the host acts on it: wrong credentials alert the person on call, a rate limit is "
            "waited out",
            read=PROTOCOL,
        )

    def test_trouble_at_the_processor_decides_nothing(self) -> None:
        """A status of 500 or above is neither a decline nor an approval."""
        self.sends()
        case = self.case("error", "the processor has a fault: a status of 500 or above")
        replies = case.responses(self.values(case))
        answer = self.concluded(followed_by_silence(replies))
        require(
            isinstance(answer, (Unknown, Unsent))
            or (isinstance(answer, Rejected) and answer.retryable and self._before_money(case)),
            expected=f"{self.about}, case 'error': Unknown, or BadResponse (before the request "
            "that moves money, a retryable Rejected is accepted too)",
            got=answer,
            why="the processor may have executed the request before it failed: calling it declined "
            "or failed lets the payer pay a second time",
            read=UNKNOWN,
        )

    def test_garbage_decides_nothing(self) -> None:
        """A response that is not from the processor decides nothing."""
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
                    expected=f"{self.about}: no decision from garbage in the response to request "
                    f"{at + 1}",
                    got=f"{answer!r} from status {reply.status} and {body[:60]!r}",
                    why="a proxy's error page does not come from the processor: the money may have "
                    "moved, and the core must inquire",
                    read=UNKNOWN,
                )

    # --- Faults of the network ----------------------------------------------------------

    def test_a_fault_before_the_money_is_unsent(self) -> None:
        """A fault before the request that moves money leaves the operation unsent."""
        applies(
            self.operation not in _OF_METHODS,
            "storing or deleting a method counts as sent from its first request",
        )
        case, replies, money = self._with_money()
        for at in range(len(replies) if money is None else money):
            for fault in (NotSent("the kit"), NoResponse("the kit"), BadResponse("the kit")):
                answer = self.concluded(spoiled(case, replies, at, fault))
                require(
                    isinstance(answer, Unsent)
                    or (isinstance(answer, Rejected) and answer.retryable),
                    expected=f"{self.about}: Unsent after {type(fault).__name__} at request "
                    f"{at + 1}, which moves no money",
                    got=answer,
                    why="an invoice that is locked because a sign-in timed out can't be paid; do "
                    "not catch the fault in the dialogue",
                    read=UNKNOWN,
                )

    def _with_money(self) -> tuple[Case, list[Response], int | None]:
        case = self.good()
        replies = case.responses(self.values(case))
        held = hold(self.opened, scripted(case, replies))
        return case, replies, held.money_at

    def _before_money(self, case: Case) -> bool:
        """Return whether *case* ends before the request that moves money."""
        held = hold(
            self.opened,
            followed_by_silence(case.responses(self.values(case))),
        )
        return held.money_at is None


class MoneyConformance(OperationConformance):
    """An operation that moves money, or starts to."""

    movement_kinds: ClassVar[frozenset[MovementKind]]
    """The kinds of movement that the operation makes."""

    # --- Which request moves it ---------------------------------------------------------

    def test_at_most_one_request_moves_money(self) -> None:
        """At most one request of an operation is marked with moves_money."""
        for case in self.cases():
            replies = case.responses(self.values(case))
            held = hold(self.opened, followed_by_silence(replies))
            moving = [each.step for each in held.requests if each.moves_money]
            require(
                len(moving) < 2,
                expected=f"{self.about}, case {case.name!r}: at most one request with moves_money",
                got=moving,
                why="one attempt is one claim on the invoice: two requests that move money can "
                "charge it twice, and an inquiry finds only one of them",
                read=DIALOGUES,
            )

    def test_the_right_request_moves_money(self) -> None:
        """`moves_money` is set on the request that the transcript names."""
        wanted = self.transcript(self.about).fact(
            "money", "the step of the request that moves money, or none"
        )
        moving = [each.step for each in self.held(self.good()).requests if each.moves_money]
        require(
            moving[:1] == ([] if wanted == "none" else [wanted]),
            expected=f"{self.about}: moves_money on the step {wanted!r}",
            got=moving or "no request with moves_money",
            asked=self.good().asks("money"),
            why="if it is set too late, a lost charge counts as never sent and the payer pays "
            "again; if it is set too early, a lost preparation locks the invoice",
            read=DIALOGUES,
        )

    def test_money_is_repeatable_only_under_a_key(self) -> None:
        """A request that moves money is repeatable only if the processor detects repetitions."""
        idempotency = self.traits.idempotency
        applies(
            not isinstance(idempotency, Keyed)
            and not (isinstance(idempotency, DedupWindow) and idempotency.returns_original),
            "the traits say that the processor recognizes a repetition and repeats its response",
        )
        for request in self.held(self.good()).requests:
            require(
                not (request.moves_money and request.repeatable),
                expected=f"{self.about}, step {request.step!r}: not repeatable",
                got="moves_money and repeatable, for a processor that executes a repeated request "
                "again",
                why="the transport sends a repeatable request again after a timeout, and the payer "
                "is charged twice",
                read=UNKNOWN,
            )

    def test_a_money_request_that_never_left_is_unsent(self) -> None:
        """A money request that never left this machine is unsent."""
        case, replies, money = self._with_money()
        applies(money is not None, f"{self.about} moves no money on this rail")
        assert money is not None
        answer = self.concluded(spoiled(case, replies, money, NotSent("the kit")))
        require(
            isinstance(answer, Unsent),
            expected=f"{self.about}: Unsent after NotSent at the request that moves money",
            got=answer,
            why="no connection was made, so no money moved: the payer can try again at once and "
            "need not wait for an inquiry",
            read=UNKNOWN,
        )

    def test_a_money_request_without_an_answer_is_unknown(self) -> None:
        """A money request without a readable response is unknown, and not failed."""
        case, replies, money = self._with_money()
        applies(money is not None, f"{self.about} moves no money on this rail")
        assert money is not None
        for fault in (NoResponse("the kit"), BadResponse("the kit")):
            answer = self.concluded(spoiled(case, replies, money, fault))
            require(
                isinstance(answer, Unknown),
                expected=f"{self.about}: Unknown after {type(fault).__name__} at the request "
                "that moves money",
                got=answer,
                why="the processor may have charged: calling it failed is how payers are charged "
                "twice. Do not catch the fault in the dialogue",
                read=UNKNOWN,
            )

    # --- How it is found again ----------------------------------------------------------

    def test_its_name_is_noted_before_money_moves(self) -> None:
        """The processor's reference is noted before money moves, if inquiries depend on it."""
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
            why="if the response is lost we can't inquire, because we don't know the reference: "
            "the outcome stays unknown until somebody clears it by hand",
            read=DIALOGUES,
        )

    # --- What moved ---------------------------------------------------------------------

    def test_the_processors_reference_is_reported(self) -> None:
        """The outcome carries the processor's reference."""
        case = self.good()
        outcome = self.outcome(case)
        require(
            getattr(outcome, "reference", "") == case.fact("reference"),
            expected=f"{self.about}: the reference {case.fact('reference')!r}",
            got=outcome,
            asked=case.asks("reference"),
            why="captures, refunds and inquiries refer to the operation by it, and so does a clerk "
            "who calls the processor",
            read=PROTOCOL,
        )

    def movements(self, case: Case, **given_: Any) -> tuple[Movement, ...]:
        """Return the movements in the outcome of *case*."""
        found: tuple[Movement, ...] = getattr(self.outcome(case, **given_), "movements", ())
        return found

    def test_money_has_the_processors_id_of_its_movement(self) -> None:
        """The movement carries the processor's own id, so that it is booked once."""
        case = self.good()
        wanted = case.fact("movement")
        ids = [each.movement_id for each in self.movements(case)]
        require(
            ids == ([] if wanted == "none" else wanted.split(", ")),
            expected=f"{self.about}: the movement {wanted!r}",
            got=ids or "no movement",
            asked=case.asks("movement"),
            why="a receipt is booked once per movement id: with an id that the driver makes up, "
            "the response, the callback and the report are booked as three payments",
            read=PROTOCOL,
        )

    def test_money_is_of_the_right_kind(self) -> None:
        """The kind of the movement says which way the money went."""
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
        """The movement has the requested amount if the processor states no other."""
        case = self.good()
        for money in self.amounts_of(case):
            told = [each.amount for each in self.movements(case, amount=money)]
            require(
                all(each == money for each in told),
                expected=f"{self.about}: movements of {money}",
                got=told,
                why="this amount is booked as the receipt and allocated to the invoice",
                read=PROTOCOL,
            )

    def test_another_amount_is_never_booked_as_ours(self) -> None:
        """If the processor states another amount than requested, that amount is reported."""
        case = self.good()
        applies(
            case.mentions("minor", "decimal", "amount") and case.fact("movement") != "none",
            "the processor's response states no amount (no ${minor}, ${decimal} or ${amount} in "
            "the transcript)",
        )
        self._not_ours(case, self.other_amount, "another amount")

    def test_another_currency_is_never_booked_as_ours(self) -> None:
        """If the processor states another currency than requested, that currency is reported."""
        case = self.good()
        applies(
            case.mentions(*CURRENCIES) and case.fact("movement") != "none",
            "the processor's response states no currency (no ${currency} in the transcript)",
        )
        self._not_ours(case, Money(self.other_currency, self.amount.minor), "another currency")

    def _not_ours(self, case: Case, told: Money, what: str) -> None:
        replies = case.responses(self.values(case, told))
        answer = self.concluded(followed_by_silence(replies))
        amounts = [each.amount for each in getattr(answer, "movements", ())]
        require(
            isinstance(answer, (Unknown, Unsent))
            or (bool(amounts) and all(each == told for each in amounts)),
            expected=f"{self.about}: {told} in the movement, or BadResponse, if the processor "
            f"states {what} than the {self.amount} that was requested",
            got=answer,
            why="booked as requested, the invoice counts as paid although different money arrived",
            read=PROTOCOL,
        )

    # --- A repetition -------------------------------------------------------------------

    def test_a_refused_repetition_is_not_a_failure(self) -> None:
        """A refused repetition means that the processor has the first request."""
        traits = self.traits
        there = "duplicate" in self.transcript(self.about)
        window = isinstance(traits.idempotency, DedupWindow)
        there = there or (window and self.operation is Operation.CHARGE and bool(self.rail.methods))
        applies(
            there,
            "the processor does not refuse repetitions (no case 'duplicate', and no DedupWindow in "
            "the traits)",
        )
        case = self.case("duplicate", "the processor says that it already has this request")
        answer = self.concluded(followed_by_silence(case.responses(self.values(case))))
        done = isinstance(answer, (Approved, Authorized, Pending, ActionRequired))
        same = done and answer.reference == case.facts.get("reference")
        require(
            isinstance(answer, Unknown) or same,
            expected=f"{self.about}, case 'duplicate': Unknown, so that the core inquires, or the "
            "outcome of the first request, with its reference",
            got=answer,
            asked=case.asks("reference"),
            why="the first request may have been executed: a decline or rejection would free the "
            "invoice, and the payer would pay a second time",
            read=UNKNOWN,
        )


class AmountConformance(MoneyConformance):
    """An operation whose request states the amount to move."""

    def test_amounts_are_written_as_the_processor_counts(self) -> None:
        """Amounts of each scale of currency are written as amounts.txt says."""
        self.sends()
        for row in read_amounts(self.transcripts / "amounts.txt", self.rail):
            if row.refused:
                continue
            # Only the requests matter here: the transcript's responses are for another amount.
            requests = self._sent(row.money)
            require(
                any(stands_in(row.written, plain(each)) for each in requests),
                expected=f"{self.about}: {row.money} written as {row.written!r}",
                got=[plain(each)[:400] for each in requests],
                why="a decimal point in the wrong place charges a hundred times too much",
                read=PROTOCOL,
            )

    def test_amounts_that_it_cannot_write_are_refused(self) -> None:
        """An amount that the processor cannot take is refused, and not rounded."""
        rows = read_amounts(self.transcripts / "amounts.txt", self.rail)
        refused = [row.money for row in rows if row.refused]
        applies(refused, "amounts.txt has no refused amount, and the traits take any currency")
        for money in refused:
            held = hold(partial(self.opened, amount=money), followed_by_silence([]))
            require(
                isinstance(held.raised, UsageError) and not held.requests,
                expected=f"{self.about}: Unsupported for {money} before anything is sent",
                got=held.raised if not held.requests else held.requests,
                why="a rounded amount is not the amount of the invoice, and nobody would notice",
                read=PROTOCOL,
            )

    def test_the_currency_reaches_the_processor(self) -> None:
        """The currency shows in the request that states the amount."""
        others = sorted((self.rail.currencies or {self.other_currency}) - {self.amount.currency})
        # One with as many digits, so that nothing else about the amount changes.
        scale = SCALES[self.amount.currency]
        alike = [each for each in others if SCALES.get(each) == scale]
        applies(alike, "the traits name only one currency with this number of decimal places")
        sent = self.asking() or []
        named = any(carries(each, word) for each in sent for word in self._words_of(self.amount))
        applies(
            named or self.operation in (Operation.CHARGE, Operation.AUTHORIZE),
            "the request states no currency: that of the original payment applies",
        )
        for currency in alike:
            other = self.asking(amount=Money(currency, self.amount.minor))
            require(
                other is None or other != sent,
                expected=f"{self.about}: different bytes for {currency} and "
                f"{self.amount.currency} in {self.asked_in()}",
                got="the same bytes",
                why="1,000 yen instead of 1,000 euros: the processor would move a different value",
                read=PROTOCOL,
            )

    def _words_of(self, money: Money) -> tuple[str, str]:
        return money.currency, money.currency.lower()

    def test_a_part_is_not_the_whole(self) -> None:
        """A partial capture or refund moves the part, whatever earlier responses state."""
        partial_ = {
            Operation.CAPTURE: self.rail.partial_capture,
            Operation.REFUND: self.rail.partial_refund,
        }
        applies(partial_.get(self.operation), "the traits say that it cannot be partial")
        case = self.good()
        whole = Money(self.amount.currency, self.amount.minor + 3 * self.other_amount.minor)
        sent = {part: self._of_whole(case, part, whole) for part in (self.amount, whole)}
        require(
            sent[self.amount] != sent[whole],
            expected=f"{self.about}: different bytes for {self.amount} of {whole} and for all of "
            "it",
            got="the same bytes: the amount comes from an earlier response",
            why="a clerk refunds three dollars, and the payer gets a hundred",
            read=PROTOCOL,
        )

    def _of_whole(self, case: Case, part: Money, whole: Money) -> list[Request]:
        """Return the requests with the order's fields if earlier responses state the *whole*."""
        step = case.facts.get("money", "none")
        told = [
            case.response(each, self.values(case, part if each.step == step else whole))
            for each in case.messages
        ]
        held = hold(partial(self.opened, amount=part), followed_by_silence(told))
        # An amount may be given when the refund is prepared, before the request that moves money.
        asked_in = self.transcript(self.about).facts.get("asked_in", "").split(", ")
        return [each for each in held.requests if each.moves_money or each.step in asked_in]

    def test_two_amounts_never_look_alike(self) -> None:
        """Different amounts give different requests."""
        self.sends()
        currency = self.amount.currency

        def sent(minor: int) -> list[bytes]:
            return [plain(each).encode() for each in self._sent(Money(currency, minor))]

        def differ(one: int, other: int) -> None:
            if one == other:
                return
            require(
                sent(one) != sent(other),
                expected=f"{self.about}: different bytes for {one} and {other} minor units",
                got="the same bytes",
                why="the processor would move an amount that nobody requested",
                read=PROTOCOL,
            )

        # A field that is too short, or a digit that is dropped, shows here.
        for power in range(7):
            differ(self.amount.minor, self.amount.minor + 10**power)

        @made_up(min(self.examples, 30))
        @given(st.integers(50, 999_999), st.integers(50, 999_999))
        def law(one: int, other: int) -> None:
            differ(one, other)

        law()

    def _sent(self, money: Money) -> list[Request]:
        """Return the requests for *money*, with the responses of the good case."""
        case = self.good()
        replies = case.responses(self.values(case, money))
        held = hold(partial(self.opened, amount=money), followed_by_silence(replies))
        if isinstance(held.raised, (Unsupported, UsageError)):
            fail(
                expected=f"{self.about}: {money} is accepted, as amounts.txt and the traits say",
                got=f"{type(held.raised).__name__}: {held.raised}",
                why="a portal decides by the traits to show the button, and then the payer gets an "
                "error",
                read=PROTOCOL,
            )
        return held.requests


class NamedByUsConformance(AmountConformance):
    """An operation that only our own reference leads to."""

    def test_our_reference_travels_with_it(self) -> None:
        """A request that inquiries find by our reference carries it."""
        applies(
            self.traits.inquiry in _REFERENCES,
            "the traits say that inquiries do not use our reference",
        )
        requests = [each for each in self.held(self.good()).requests if each.method != "GET"]
        require(
            any(carries(each, "att-7f3a") for each in requests),
            expected=f"{self.about}: our_ref in a request",
            got=requests,
            why="when the response is lost, the core inquires by our_ref. If that finds nothing, "
            "the charge is believed not to exist after a while, and is made again",
            read=UNKNOWN,
        )


class SendsAwayConformance(OperationConformance):
    """An operation that may send the payer to a page."""

    def test_the_payer_gets_an_action(self) -> None:
        """The payer can follow the action."""
        case = self.good()
        applies(case.name == "action", "the payer has nothing to do")
        outcome = self.outcome(case)
        action = getattr(outcome, "action", None)
        if action is None and self.operation is Operation.CHARGE:
            return  # test_the_result_comes_when_the_traits_say reports it
        require(
            isinstance(outcome, ActionRequired) and action is not None and _can_be_followed(action),
            expected=f"{self.about}, case 'action': ActionRequired with an https address (with the "
            "secret that its form or script needs), a slip's number, the payload of a code, where "
            "to approve, or an address to pay to",
            got=outcome,
            why="the payer would wait at a page that leads nowhere, or follow an unsafe address",
            read=PROTOCOL,
        )

    def test_the_traits_name_where_the_payer_is_sent(self) -> None:
        """The page, form or script of an action is at one of the origins in the traits."""
        case = self.good()
        applies(case.name == "action", "the payer has nothing to do")
        url = _address_of(getattr(self.outcome(case), "action", None))
        applies(url, "the payer is not sent to a page")
        require(
            origin_of(url) in self.traits.page_origins,
            expected=f"{self.about}, case 'action': {origin_of(url)!r} in page_origins of the "
            "traits",
            got=sorted(self.traits.page_origins),
            why="a payment page sends payers to these origins only, so that a forged address leads "
            "nowhere, and the browser blocks a form or script of any other",
            read=PROTOCOL,
        )


def _address_of(action: Any) -> str:
    """Return the address of the page, form or script of *action*; empty for other actions."""
    match action:
        case Redirect(url=url) | PostForm(url=url) | ScriptStep(script_url=url):
            return str(url)
        case _:
            return ""


def _can_be_followed(action: Any) -> bool:
    match action:
        case Redirect() | PostForm() | ScriptStep():
            parts = urlsplit(_address_of(action))
            near = (parts.hostname or "").endswith(".invalid")
            return (parts.scheme == "https" or near) and not lacks_secret(action)
        case ShowVoucher(reference=reference):
            return bool(reference)
        case ShowCode(payload=payload):
            return bool(payload)
        case ApproveElsewhere(where=where):
            return bool(where)
        case PayToAddress(address=address):
            return bool(address)
        case _:
            return False


class PaysByMethodConformance(SendsAwayConformance):
    """An operation on one of the payer's methods."""

    def test_the_method_reaches_the_processor(self) -> None:
        """The request carries the method that the payer chose."""
        applies(self.rail.methods, "the payer chooses on the processor's page")
        asked = self.question().method
        applies(asked is not None, "the payer chooses on the processor's page")
        for of in sorted(self.rail.methods, key=lambda each: each.__name__):
            if of not in self.methods:
                continue
            sent = self.asking(method=self.methods[of])
            other = self.asking(method=self.other_method(of))
            require(
                (sent is None and other is None) or (bool(sent) and sent != other),
                expected=f"{self.about}: different bytes for another {of.__name__} in "
                f"{self.asked_in()}",
                got="the same bytes" if sent else "no request that carries it",
                why="somebody else's card would be charged. If an earlier request carries the "
                "method, name its step at the top of the file: asked_in = its step",
                read=PROTOCOL,
            )


class DeclinesConformance(NamedByUsConformance, PaysByMethodConformance):
    """An operation that a bank can decline."""

    def declined(self) -> tuple[Case, Any]:
        """Return the case 'decline' and its outcome."""
        transcript = self.transcript(self.about)
        applies(
            self.rail.methods or self.operation is not Operation.CHARGE,
            "the payer chooses on the processor's page, so nothing is declined here",
        )
        applies(
            "decline" in transcript
            or not (transcript.leaves_out("decline") or not self.rail.immediate),
            f"declines arrive later on this rail, or never (no case 'decline' in {self.about}.txt)",
        )
        case = self.case("decline", "the payer's bank declines")
        return case, self.outcome(case)

    def test_a_decline_is_an_outcome(self) -> None:
        """A decline is an outcome of its own, and neither an error nor a refused request."""
        _, outcome = self.declined()
        require(
            isinstance(outcome, Declined),
            expected=f"{self.about}, case 'decline': Declined",
            got=outcome,
            why="the payer can resolve a decline with another card; an error would alert the host "
            "instead, and an unknown outcome would lock the invoice",
            read=PROTOCOL,
        )

    def test_a_decline_keeps_the_processors_code(self) -> None:
        """The processor's own code is kept verbatim."""
        case, outcome = self.declined()
        require(
            getattr(outcome, "raw_code", None) == case.fact("raw_code")
            or not isinstance(outcome, Declined),
            expected=f"{self.about}, case 'decline': the raw code {case.fact('raw_code')!r}",
            got=outcome,
            asked=case.asks("raw_code"),
            why="support quotes this code to the processor, and the driver's table may be wrong",
            read=PROTOCOL,
        )

    def test_a_decline_says_why_in_our_words(self) -> None:
        """The code comes from the vocabulary that all gateways share."""
        case, outcome = self.declined()
        require(
            getattr(outcome, "code", None) == case.fact("code")
            or not isinstance(outcome, Declined),
            expected=f"{self.about}, case 'decline': the code {case.fact('code')!r}",
            got=outcome,
            asked=case.asks("code"),
            why="the host shows it to the payer, and autopay decides by it whether to try again",
            read=PROTOCOL,
        )

    def test_a_decline_says_whether_to_try_again(self) -> None:
        """`retryable` is what the transcript says, because dunning acts on it."""
        case, outcome = self.declined()
        if not isinstance(outcome, Declined):
            return
        wanted = case.fact("retryable")
        if wanted not in ("yes", "no"):
            raise TranscriptError(
                f"{case.file}: the fact 'retryable' must be yes or no in the case {case.name!r}",
                file=case.file,
            )
        require(
            outcome.retryable is (wanted == "yes"),
            expected=f"{self.about}, case 'decline': retryable is {wanted}",
            got=outcome,
            asked=case.asks("retryable"),
            why="the card networks fine merchants who retry a lost card; but a payer without funds "
            "yesterday may be able to pay tomorrow",
            read=PROTOCOL,
        )


def plain(request: Request) -> str:
    """Return the URL and body of a request, decoded, so that they can be searched."""
    from urllib.parse import unquote_plus

    body = request.body.decode("utf-8", "replace")
    kind = next((v for k, v in request.headers.items() if k.lower() == "content-type"), "")
    if "urlencoded" in kind:
        body = unquote_plus(body)
    return f"{unquote_plus(request.url)}\n{body}"


def carries(request: Request, text: str) -> bool:
    """Return whether *text* occurs anywhere in a request."""
    return text in plain(request) or any(text in value for value in request.headers.values())
