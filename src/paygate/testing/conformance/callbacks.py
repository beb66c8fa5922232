"""Callbacks: what the processor sends by itself, and who is believed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

from hypothesis import given
from hypothesis import strategies as st

from paygate.driver import (
    Applied,
    CallbackProof,
    CallbackStyle,
    NotAuthentic,
    Notice,
    PaygateError,
    Request,
    Secret,
)
from paygate.testing.conformance.conversation import applies
from paygate.testing.conformance.explain import CALLBACKS, fail, require
from paygate.testing.conformance.facts import (
    difference,
    movements_of,
    told_disputes,
    told_methods,
    wanted_disputes,
    wanted_movements,
    word_of,
)
from paygate.testing.conformance.held import HeldDialogue, hold
from paygate.testing.conformance.later import ENDS, LATER, WITHOUT_SETTLEMENT
from paygate.testing.conformance.showing import overheard, shown
from paygate.testing.conformance.spoiling import GARBAGE, made_up
from paygate.testing.conformance.subject import Subject
from paygate.testing.conformance.transcripts import Case, TranscriptError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paygate.driver import Callback, Gateway, Money, Response


class CallbackConformance(Subject):
    """
    What a gateway must do that has `verify` and `reply`.

    ``callbacks.txt``: a case for each callback about operations of ours, such as paid; what
    happens later, and batch, a callback with several events; unknown_type; foreign, of another
    account, and other_mode, of the live mode. What the processor never sends is named in the
    fact `untold`. Facts: `our_ref` or `reference`, `events` (the ids, in order), and what the
    callback itself says: `movements`, `disputes`, `answer`; none of them where it is a hint.

    What `verify` asks for before it can read a callback is answered by the answers that follow
    it in its case (``--- 200``), or by the case certificate, for all of them.
    """

    about: ClassVar[str] = "callbacks"
    ours: ClassVar[tuple[str, ...]] = ("unknown_type", "foreign", "other_mode", "certificate")
    """The cases that are not about an operation of ours."""

    # --- Running ------------------------------------------------------------------------

    def arrives(self, case: Case, money: Money | None = None) -> Callback:
        """Return the callback of *case*, signed now."""
        message = case.messages[0]
        if message.start not in ("POST", "GET"):
            raise TranscriptError(
                f"{case.file}, line {message.line}: a callback begins with '--- POST' or '--- GET'",
                file=case.file,
                line=message.line,
            )
        return self.signed(case.body(message, self.values(case, money)), self.now)

    def told(self) -> Iterator[tuple[Case, Callback]]:
        """Go through the callbacks about operations of ours."""
        found = [
            case
            for case in self.transcript("callbacks").cases.values()
            if case.name not in self.ours and case.messages
        ]
        if not found:
            self.transcript("callbacks").case("paid", "the processor tells of the charge")
        for case in found:
            yield case, self.arrives(case)

    def verified(
        self,
        callback: Callback,
        gateway: Any = None,
        case: Case | None = None,
        money: Money | None = None,
    ) -> HeldDialogue[list[Notice]]:
        """Let the driver verify *callback*, which is that of *case*."""
        at: Any = gateway or self.gateway()
        return hold(lambda: at.verify(callback), partial(self.fetched, case, money))

    def fetched(
        self, case: Case | None, money: Money | None, number: int, request: Request
    ) -> Response:
        """Return what answers the request of `verify` with this *number*."""
        del request
        told = case.messages[1:] if case is not None else ()
        if case is not None and number < len(told):
            return case.response(told[number], self.values(case, money))
        where = case.name if case is not None else "certificate"
        shared = self.transcript("callbacks").case(
            "certificate",
            f"what `verify` fetches for all callbacks; for the case {where!r} alone, write the "
            "answer below its callback: '--- 200'",
        )
        return shared.responses(self.values(shared))[0]

    def notices(self, case: Case, callback: Callback, money: Money | None = None) -> list[Notice]:
        """Return the notices of an authentic callback."""
        held = self.verified(callback, case=case, money=money)
        require(
            held.raised is None and held.outcome is not None,
            expected=f"callbacks, case {case.name!r}: a list of notices",
            got=f"{type(held.raised).__name__}: {held.raised}",
            why="a callback that is refused is sent again for days, and its news never arrives",
            read=CALLBACKS,
        )
        return held.outcome or []

    # --- What it says -------------------------------------------------------------------

    def test_a_callback_names_its_operation(self) -> None:
        """By our reference or by the processor's."""
        for case, callback in self.told():
            names = [(each.our_ref, each.reference) for each in self.notices(case, callback)]
            ours, theirs = case.facts.get("our_ref", ""), case.facts.get("reference", "")
            if "method" in case.facts:
                continue  # it is about a stored method, and no operation
            require(
                (ours or theirs)
                and any(
                    (not ours or our_ref == ours) and (not theirs or reference == theirs)
                    for our_ref, reference in names
                ),
                expected=f"callbacks, case {case.name!r}: our_ref {ours!r}, reference {theirs!r}",
                got=names,
                asked=case.asks("our_ref" if ours else "reference"),
                why="news of an unknown operation waits for a day and ends with a person",
                read=CALLBACKS,
            )

    def test_a_callback_and_the_answer_tell_of_the_same_money(self) -> None:
        """Kind, id and amount of a movement are the same wherever it is told of, and later too."""
        tells = any(each.tells_settlement for each in self.traits.rails.values())
        pages = any(not each.methods for each in self.traits.rails.values())
        later = {**(LATER if tells else WITHOUT_SETTLEMENT), **(ENDS if pages else {})}
        self.expected("callbacks", later)  # they are among those that are read
        for case, money, notices in self._read():
            told = [each for notice in notices for each in movements_of(notice)]
            wanted, got = difference(told, wanted_movements(case, money))
            require(
                wanted == got,
                expected=f"callbacks, case {case.name!r}: {wanted}",
                got=got,
                asked=case.asks("movements"),
                why="under another id or kind the same money is booked twice, whichever comes "
                "first; and what is left out never reaches the books",
                read=CALLBACKS,
            )
            stand = told_disputes(each for notice in notices for each in notice.disputes)
            require(
                stand == wanted_disputes(case),
                expected=f"callbacks, case {case.name!r}: disputes {wanted_disputes(case)}",
                got=stand,
                asked=case.asks("disputes"),
                why="a dispute that is not known is not answered in time, and lost",
                read=CALLBACKS,
            )

    def test_a_callback_says_no_more_than_the_processor(self) -> None:
        """What it decides, and that a page waits to be completed, is as the transcript has it."""
        for case, _, notices in self._read():
            answers = [word_of(each.answer) for each in notices if each.answer is not None]
            method = case.facts.get("method", "none")
            require(
                told_methods(notices) == method,
                expected=f"callbacks, case {case.name!r}: method {method}",
                got=told_methods(notices),
                asked=case.asks("method"),
                why="a card that was renewed is declined by its old date, and one that is gone "
                "is charged in vain, each month",
                read=CALLBACKS,
            )
            wanted, ready = case.facts.get("answer", "none"), case.facts.get("ready", "no")
            got = (", ".join(answers) or "none", "yes" if any(n.ready for n in notices) else "no")
            require(
                got == (wanted, ready),
                expected=f"callbacks, case {case.name!r}: answer {wanted}, ready {ready}",
                got=f"answer {got[0]}, ready {got[1]}",
                asked=case.asks("answer" if got[0] != wanted else "ready"),
                why="what is only on its way would count as done, and what ran out as taken back",
                read=CALLBACKS,
            )

    def _read(self) -> Iterator[tuple[Case, Money, list[Notice]]]:
        """Go through the callbacks with every amount that they can name."""
        for case, _ in self.told():
            for money in self.amounts_of(case):
                yield case, money, self.notices(case, self.arrives(case, money), money)

    def test_every_event_of_a_callback_is_told(self) -> None:
        """A callback may hold several, and each has an id that no other one has."""
        self._proven()
        batch = {"batch": "one callback with two events or more (the fact events names them)"}
        cases = self.expected("callbacks", batch)
        seen: dict[str, str] = {}
        for case, callback in self.told():
            wanted = case.fact("events").split(", ")
            ids = [each.event_id for each in self.notices(case, callback)]
            require(
                ids == wanted,
                expected=f"callbacks, case {case.name!r}: the events {case.fact('events')}",
                got=", ".join(ids) or "no event",
                asked=case.asks("events"),
                why="what is left out is never told again: we have acknowledged it; and under "
                "another id than in the feed it counts as another event",
                read=CALLBACKS,
            )
            for each in wanted:
                if seen.setdefault(each, case.name) != case.name or wanted.count(each) > 1:
                    raise self._wrong(case, f"the event {each} is in the case {seen[each]!r} too")
        for case in cases:
            if ", " not in case.fact("events"):
                raise self._wrong(case, "a batch has several events; name them all")

    def _wrong(self, case: Case, problem: str) -> TranscriptError:
        return TranscriptError(f"{case.asks('events')}: {problem}", file=case.file, line=case.line)

    def test_a_callback_is_the_same_however_often_it_comes(self) -> None:
        """The event id names one fact, which is applied once."""
        self._proven()
        for case, callback in self.told():
            first = self.notices(case, callback)
            again = self.notices(
                case, replace(callback, received_at=callback.received_at + timedelta(seconds=7))
            )
            require(
                [replace(each, signed_at=None) for each in first]
                == [replace(each, signed_at=None) for each in again],
                expected=f"callbacks, case {case.name!r}: the same notices a second time",
                got=again,
                why="processors send each callback at least once; under a new id it is applied "
                "again",
                read=CALLBACKS,
            )

    def test_a_type_that_nobody_knows_is_accepted(self) -> None:
        """Processors invent new types without telling."""
        case = self.transcript("callbacks").case("unknown_type", "a type that you do not know")
        notices = self.notices(case, self.arrives(case))
        require(
            all(not each.movements and each.answer is None for each in notices),
            expected="callbacks, case 'unknown_type': notices that change nothing, or none",
            got=notices,
            why="refused, it is sent again for days, and the processor switches your endpoint off",
            read=CALLBACKS,
        )

    def test_callbacks_of_another_account_are_refused(self) -> None:
        """Somebody else's money is not ours."""
        cases = self.expected("callbacks", {"foreign": "a callback of another account"})
        applies(cases, "the callbacks do not say whose they are (untold = foreign)")
        [case] = cases
        held = self.verified(self.arrives(case), case=case)
        require(
            isinstance(held.raised, NotAuthentic),
            expected="callbacks, case 'foreign': NotAuthentic",
            got=held.raised or held.outcome,
            why="what another merchant is paid would pay our invoices",
            read=CALLBACKS,
        )

    def test_callbacks_of_the_other_mode_are_refused(self) -> None:
        """An event about test money at a live account, or the other way round."""
        cases = self.expected("callbacks", {"other_mode": "a callback about live money"})
        applies(cases, "the callbacks do not tell the mode (untold = other_mode)")
        for case in cases:
            held = self.verified(self.arrives(case), case=case)
            require(
                isinstance(held.raised, NotAuthentic),
                expected="callbacks, case 'other_mode': NotAuthentic",
                got=held.raised or held.outcome,
                why="play money of a test account pays real invoices",
                read=CALLBACKS,
            )

    def test_a_callback_moves_no_money(self) -> None:
        """Verifying is reading."""
        for case, callback in self.told():
            moving = [each.step for each in self._asked(case, callback) if each.moves_money]
            require(
                not moving,
                expected=f"callbacks, case {case.name!r}: no request with moves_money",
                got=moving,
                why="callbacks come in any number, and so would the payments",
                read=CALLBACKS,
            )

    def _asked(self, case: Case, callback: Callback) -> list[Request]:
        return self.verified(callback, case=case).requests

    # --- Who is believed ----------------------------------------------------------------

    def _signed_rail(self) -> None:
        applies(
            self.traits.callback_proof is not CallbackProof.NONE,
            "the traits say that this processor does not sign its callbacks",
        )

    def _proven(self) -> None:
        applies(
            self.traits.callback_proof is not CallbackProof.NONE,
            "the traits say that callbacks prove nothing; each of them makes the core inquire",
        )

    def _harmless(self, case: Case, spoiled: Callback, genuine: list[Notice], what: str) -> None:
        held = self.verified(spoiled, case=case)
        same = held.outcome == genuine
        require(
            isinstance(held.raised, NotAuthentic) or same,
            expected=f"callbacks, case {case.name!r}: NotAuthentic, or the same notices, after a "
            f"change of {what}",
            got=held.raised or held.outcome,
            why="whoever finds your address tells you that he has paid",
            read=CALLBACKS,
        )

    def test_a_changed_body_is_refused(self) -> None:
        """One bit is enough."""
        self._signed_rail()
        told = [(case, callback) for case, callback in self.told() if callback.body]
        for number, (case, callback) in enumerate(told):
            genuine, body = self.notices(case, callback), callback.body

            # Every digit and letter could be the amount or the name of the payment. One
            # signature covers all kinds of callback, so the first is tried most.
            places = 150 if number == 0 else max(10, 150 // len(told))
            for at in range(0, len(body), max(1, len(body) // places)):
                for bit in (0, 5, 7):
                    self._harmless(case, _flipped(callback, at, bit), genuine, f"byte {at + 1}")
            if number == 0:
                self._some_flipped(case, callback, genuine)
            self._harmless(case, replace(callback, body=body + b" "), genuine, "the body's end")

    def _some_flipped(self, case: Case, callback: Callback, genuine: list[Notice]) -> None:
        @made_up(self.examples)
        @given(st.integers(0, len(callback.body) - 1), st.integers(0, 7))
        def law(at: int, bit: int) -> None:
            self._harmless(case, _flipped(callback, at, bit), genuine, f"byte {at + 1}")

        law()

    def test_a_changed_signature_is_refused(self) -> None:
        """No header can be changed into another truth, and none left out."""
        self._signed_rail()
        for case, callback in self.told():
            genuine = self.notices(case, callback)
            bare = replace(callback, headers={})
            for at in range(0, len(bare.body), max(1, len(bare.body) // 10)):
                self._harmless(case, _flipped(bare, at, 0), genuine, "the body, without headers")
            for name, value in callback.headers.items():
                others = {each: text for each, text in callback.headers.items() if each != name}
                self._harmless(
                    case, replace(callback, headers=others), genuine, f"the header {name}"
                )
                spoiled = ["", "é", value.upper(), value + "0", value[:-1], value[::-1], "\0"]
                for at in range(len(value)):
                    odd = "0" if value[at] != "0" else "1"
                    spoiled.append(value[:at] + odd + value[at + 1 :])
                for text in spoiled:
                    self._harmless(
                        case,
                        replace(callback, headers={**others, name: text}),
                        genuine,
                        f"the header {name}",
                    )

    def test_the_signature_of_somebody_else_is_refused(self) -> None:
        """Only our own secret opens."""
        self._signed_rail()
        for gateway in self._with_other_secrets():
            for case, callback in self.told():
                held = self.verified(callback, gateway, case)
                if isinstance(held.raised, NotAuthentic):
                    return
                require(
                    held.outcome is not None,
                    expected=f"callbacks, case {case.name!r}: NotAuthentic",
                    got=held.raised,
                    why="anything else than a refusal is a bug at the door",
                    read=CALLBACKS,
                )
        fail(
            expected="callbacks: refused by an account with other secrets",
            got="believed whatever the secrets in the settings are",
            why="a signature that is not compared with a secret is a decoration",
            read=CALLBACKS,
        )

    def _with_other_secrets(self) -> Iterator[Gateway]:
        """Make the account again, one secret setting after the other being another one."""
        model: Any = self.driver.settings_model.model_validate(dict(self.settings))
        for name in self.driver.settings_model.model_fields:
            value: Any = getattr(model, name)
            changed: Any
            if isinstance(value, Secret):
                changed = _another(value)
            elif isinstance(value, tuple | list) and value and isinstance(value[0], Secret):
                changed = [_another(each) for each in cast("Any", value)]
            else:
                continue
            try:
                yield self.gateway(**{name: changed})
            except (ValueError, PaygateError):
                continue

    def test_the_instant_of_signing_is_told(self) -> None:
        """The core refuses recordings by it."""
        proof = self.traits.callback_proof
        applies(
            proof is CallbackProof.SIGNED_WITH_INSTANT,
            "the traits say that the signature covers no instant",
        )
        for case, callback in self.told():
            for notice in self.notices(case, callback):
                off = (
                    None
                    if notice.signed_at is None
                    else abs((notice.signed_at - self.now).total_seconds())
                )
                require(
                    off is not None and off < 1,
                    expected=f"callbacks, case {case.name!r}: signed_at {self.now.isoformat()}",
                    got=notice.signed_at,
                    why="without it a callback that was overheard once is good for ever",
                    read=CALLBACKS,
                )

    def test_no_instant_is_made_up(self) -> None:
        """Only a signed instant proves when it was sent."""
        applies(
            self.traits.callback_proof is not CallbackProof.SIGNED_WITH_INSTANT,
            "the traits say that the signature covers an instant",
        )
        for case, callback in self.told():
            for notice in self.notices(case, callback):
                require(
                    notice.signed_at is None,
                    expected=f"callbacks, case {case.name!r}: no signed_at, since the traits say "
                    "that no signature covers it",
                    got=notice.signed_at,
                    why="an instant out of the body or a header can be written by anybody, and "
                    "the core would take old recordings for fresh",
                    read=CALLBACKS,
                )

    def test_an_old_signature_is_worth_nothing(self) -> None:
        """A recording is refused, by the driver or by the core."""
        applies(
            self.traits.callback_proof is CallbackProof.SIGNED_WITH_INSTANT,
            "the traits say that the signature covers no instant",
        )
        for case, callback in self.told():
            late = replace(callback, received_at=callback.received_at + timedelta(days=2))
            held = self.verified(late, case=case)
            stale = [
                each
                for each in held.outcome or []
                if each.signed_at is not None
                and late.received_at - each.signed_at < timedelta(hours=47)
            ]
            require(
                isinstance(held.raised, NotAuthentic) or (held.outcome is not None and not stale),
                expected=f"callbacks, case {case.name!r}: NotAuthentic two days later, or "
                "signed_at as it was signed",
                got=held.raised or held.outcome,
                why="the instant of arrival taken for that of signing lets every recording in",
                read=CALLBACKS,
            )

    def test_signed_garbage_is_refused(self) -> None:
        """Nothing but `NotAuthentic` comes out of what can't be read."""
        for body in (*GARBAGE, b'{"id": 7, "type": [], "data": {"object": null}}'):
            held = self.verified(self.signed(body, self.now))
            require(
                held.raised is None or isinstance(held.raised, NotAuthentic),
                expected="callbacks: NotAuthentic, or notices that change nothing, out of a body "
                "that can't be read",
                got=f"{type(held.raised).__name__}: {held.raised} out of {body[:60]!r}",
                why="an exception at the door is a 500, and the processor sends it again for days",
                read=CALLBACKS,
            )
            require(
                not any(each.movements for each in held.outcome or []),
                expected="callbacks: no movement out of garbage",
                got=held.outcome,
                why="it would be booked",
                read=CALLBACKS,
            )

    # --- Our answer ---------------------------------------------------------------------

    def test_what_was_taken_is_acknowledged(self) -> None:
        """The processor must stop sending what we have."""
        gateway: Any = self.gateway()
        for case, callback in self.told():
            for notice in self.notices(case, callback):
                replies = {
                    result: gateway.reply(notice, result)
                    for result in (Applied.BOOKED, Applied.NO_CHANGE)
                }
                require(
                    all(200 <= reply.status < 300 for reply in replies.values()),
                    expected=f"callbacks, case {case.name!r}: a status of 2xx for what was booked "
                    "and for what was known",
                    got={str(result): reply.status for result, reply in replies.items()},
                    why="the processor sends it again for days, and then switches you off",
                    read=CALLBACKS,
                )

    def test_an_answered_callback_tells_what_became_of_it(self) -> None:
        """A kiosk takes the cash by our answer."""
        applies(
            self.traits.callbacks is CallbackStyle.ANSWERED,
            "the traits say that callbacks are only acknowledged",
        )
        gateway: Any = self.gateway()
        for case, callback in self.told():
            for notice in self.notices(case, callback):
                good = gateway.reply(notice, Applied.BOOKED)
                bad = [
                    gateway.reply(notice, result)
                    for result in (Applied.UNKNOWN_REFERENCE, Applied.REFUSED)
                ]
                require(
                    good not in bad,
                    expected=f"callbacks, case {case.name!r}: another reply for what was refused "
                    "than for what was booked",
                    got=good,
                    why="the counter keeps money for an invoice that does not exist",
                    read=CALLBACKS,
                )

    def test_no_callback_shows_a_secret(self) -> None:
        """Neither a notice nor a refusal shows the key that it was checked with."""
        secrets = self.secrets()
        gateway: Any = self.gateway()
        for case, callback in self.told():
            spoiled = replace(callback, body=callback.body + b" ")
            with overheard() as said:
                things = [self.verified(each, case=case) for each in (callback, spoiled)]
                replies = [
                    repr(_all_of(gateway.reply(notice, Applied.BOOKED)))
                    for notice in things[0].outcome or []
                ]
            texts = [shown(each.outcome) + shown(each.raised) for each in things] + replies + said
            for name, secret in secrets.items():
                require(
                    not any(secret in text for text in texts),
                    expected=f"callbacks, case {case.name!r}: {name} is shown nowhere",
                    got="it is shown in a notice, an error, a reply or the log",
                    why="with the signing key anybody writes callbacks that you believe",
                    read=CALLBACKS,
                )


def _flipped(callback: Callback, at: int, bit: int) -> Callback:
    """Change one bit of the body."""
    changed = bytearray(callback.body)
    changed[at] ^= 1 << bit
    return replace(callback, body=bytes(changed))


def _all_of(reply: Any) -> tuple[int, dict[str, str], bytes]:
    """Tell everything that leaves with a reply."""
    return reply.status, dict(reply.headers), reply.body


def _another(secret: Any) -> Secret[str]:
    """Make another secret of the same shape."""
    text = str(secret.reveal())
    return Secret(text[:-1] + ("y" if text.endswith("x") else "x"))
