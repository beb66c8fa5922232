"""Callbacks: what the processor sends by itself, and which callbacks are believed."""

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
    The cases for a gateway with `verify` and `reply`.

    ``callbacks.txt``: a case for each callback about our operations, such as paid; what happens
    later; batch, a callback with several events; unknown_type; foreign, a callback of another
    account; and other_mode, a callback of the live mode. The fact `unreported` names what the
    processor never sends. The facts of a case are `our_ref` or `reference`, `events` (the ids,
    in order), and what the callback itself reports: `movements`, `disputes` and `answer`, or
    none of them if it is only a hint.

    If `verify` sends requests before it can read a callback, the responses follow the callback
    in its case (``--- 200``), or are in the case certificate for all callbacks.
    """

    about: ClassVar[str] = "callbacks"
    ours: ClassVar[tuple[str, ...]] = ("unknown_type", "foreign", "other_mode", "certificate")
    """The cases that are not about one of our operations."""

    # --- Running ------------------------------------------------------------------------

    def arrives(self, case: Case, money: Money | None = None) -> Callback:
        """Return the callback of *case*, signed now."""
        message = case.messages[0]
        if message.start not in ("POST", "GET"):
            raise TranscriptError(
                f"{case.file}, line {message.line}: a callback must begin with '--- POST' or "
                "'--- GET'",
                file=case.file,
                line=message.line,
            )
        return self.signed(case.body(message, self.values(case, money)), self.now)

    def told(self) -> Iterator[tuple[Case, Callback]]:
        """Yield the callbacks about our operations, each with its case."""
        found = [
            case
            for case in self.transcript("callbacks").cases.values()
            if case.name not in self.ours and case.messages
        ]
        if not found:
            self.transcript("callbacks").case("paid", "the processor reports the charge")
        for case in found:
            yield case, self.arrives(case)

    def verified(
        self,
        callback: Callback,
        gateway: Any = None,
        case: Case | None = None,
        money: Money | None = None,
    ) -> HeldDialogue[list[Notice]]:
        """Return the dialogue in which the driver verified *callback*, the one of *case*."""
        at: Any = gateway or self.gateway()
        return hold(lambda: at.verify(callback), partial(self.fetched, case, money))

    def fetched(
        self, case: Case | None, money: Money | None, number: int, request: Request
    ) -> Response:
        """Return the response to request *number* of `verify`."""
        del request
        told = case.messages[1:] if case is not None else ()
        if case is not None and number < len(told):
            return case.response(told[number], self.values(case, money))
        where = case.name if case is not None else "certificate"
        shared = self.transcript("callbacks").case(
            "certificate",
            f"what `verify` fetches for all callbacks; for the case {where!r} only, write the "
            "response below its callback: '--- 200'",
        )
        return shared.responses(self.values(shared))[0]

    def notices(self, case: Case, callback: Callback, money: Money | None = None) -> list[Notice]:
        """Return the notices of an authentic callback."""
        held = self.verified(callback, case=case, money=money)
        require(
            held.raised is None and held.outcome is not None,
            expected=f"callbacks, case {case.name!r}: a list of notices",
            got=f"{type(held.raised).__name__}: {held.raised}",
            why="a callback that is refused is sent again for days, and its events are never "
            "applied",
            read=CALLBACKS,
        )
        return held.outcome or []

    # --- What it says -------------------------------------------------------------------

    def test_a_callback_names_its_operation(self) -> None:
        """A callback carries our reference or the processor's."""
        for case, callback in self.told():
            names = [(each.our_ref, each.reference) for each in self.notices(case, callback)]
            ours, theirs = case.facts.get("our_ref", ""), case.facts.get("reference", "")
            if "method" in case.facts:
                continue  # it is about a stored method, not about an operation
            require(
                (ours or theirs)
                and any(
                    (not ours or our_ref == ours) and (not theirs or reference == theirs)
                    for our_ref, reference in names
                ),
                expected=f"callbacks, case {case.name!r}: our_ref {ours!r}, reference {theirs!r}",
                got=names,
                asked=case.asks("our_ref" if ours else "reference"),
                why="a callback without a known operation is retried for a day, and then flagged "
                "for manual review",
                read=CALLBACKS,
            )

    def test_a_callback_and_the_response_report_the_same_movement(self) -> None:
        """A callback reports a movement with the kind, id and amount of the response."""
        tells = any(each.reports_settlement for each in self.traits.rails.values())
        pages = any(not each.methods for each in self.traits.rails.values())
        later = {**(LATER if tells else WITHOUT_SETTLEMENT), **(ENDS if pages else {})}
        self.expected("callbacks", later)  # each is among the cases that _read() yields
        for case, money, notices in self._read():
            told = [each for notice in notices for each in movements_of(notice)]
            wanted, got = difference(told, wanted_movements(case, money))
            require(
                wanted == got,
                expected=f"callbacks, case {case.name!r}: {wanted}",
                got=got,
                asked=case.asks("movements"),
                why="under another id or kind, the same money is booked twice, whichever arrives "
                "first; and a movement that is left out is never booked",
                read=CALLBACKS,
            )
            stand = told_disputes(each for notice in notices for each in notice.disputes)
            require(
                stand == wanted_disputes(case),
                expected=f"callbacks, case {case.name!r}: disputes {wanted_disputes(case)}",
                got=stand,
                asked=case.asks("disputes"),
                why="a dispute that nobody knows about is not answered in time, and is lost",
                read=CALLBACKS,
            )

    def test_a_callback_says_no_more_than_the_processor(self) -> None:
        """A callback decides, or says that a page is ready, only if the transcript says so."""
        for case, _, notices in self._read():
            answers = [word_of(each.answer) for each in notices if each.answer is not None]
            method = case.facts.get("method", "none")
            require(
                told_methods(notices) == method,
                expected=f"callbacks, case {case.name!r}: method {method}",
                got=told_methods(notices),
                asked=case.asks("method"),
                why="a renewed card would be declined because of its old expiry date, and a dead "
                "one charged in vain every month",
                read=CALLBACKS,
            )
            wanted, ready = case.facts.get("answer", "none"), case.facts.get("ready", "no")
            got = (", ".join(answers) or "none", "yes" if any(n.ready for n in notices) else "no")
            require(
                got == (wanted, ready),
                expected=f"callbacks, case {case.name!r}: answer {wanted}, ready {ready}",
                got=f"answer {got[0]}, ready {got[1]}",
                asked=case.asks("answer" if got[0] != wanted else "ready"),
                why="a payment that is under way would count as done, or an expired page as "
                "canceled",
                read=CALLBACKS,
            )

    def _read(self) -> Iterator[tuple[Case, Money, list[Notice]]]:
        """Yield the callbacks with every amount that they can state."""
        for case, _ in self.told():
            for money in self.amounts_of(case):
                yield case, money, self.notices(case, self.arrives(case, money), money)

    def test_every_event_of_a_callback_is_reported(self) -> None:
        """A callback reports each of its events, under an id of its own."""
        self._proven()
        batch = {"batch": "one callback with two or more events (the fact events names them)"}
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
                why="an event that is left out is never sent again, because we acknowledged it; "
                "and under another id than in the feed, it counts as another event",
                read=CALLBACKS,
            )
            for each in wanted:
                if seen.setdefault(each, case.name) != case.name or wanted.count(each) > 1:
                    raise self._wrong(case, f"the event {each} is also in the case {seen[each]!r}")
        for case in cases:
            if ", " not in case.fact("events"):
                raise self._wrong(case, "a batch has several events; name them all")

    def _wrong(self, case: Case, problem: str) -> TranscriptError:
        return TranscriptError(f"{case.asks('events')}: {problem}", file=case.file, line=case.line)

    def test_a_callback_is_the_same_however_often_it_comes(self) -> None:
        """A callback that arrives twice gives the same notices."""
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
                why="processors send each callback at least once: an event with a new id would be "
                "applied again",
                read=CALLBACKS,
            )

    def test_a_type_that_nobody_knows_is_accepted(self) -> None:
        """A callback of an unknown type is accepted, and changes nothing."""
        cases = self.expected("callbacks", {"unknown_type": "a type that is not known"})
        applies(cases, "the callbacks have no types (unreported = unknown_type)")
        [case] = cases
        notices = self.notices(case, self.arrives(case))
        require(
            all(not each.movements and each.answer is None for each in notices),
            expected="callbacks, case 'unknown_type': notices that change nothing, or none",
            got=notices,
            why="processors add types without notice: a refused callback is sent again for days, "
            "until the processor disables your endpoint",
            read=CALLBACKS,
        )

    def test_callbacks_of_another_account_are_refused(self) -> None:
        """A callback of another account is refused."""
        cases = self.expected("callbacks", {"foreign": "a callback of another account"})
        applies(cases, "the callbacks do not state their account (unreported = foreign)")
        [case] = cases
        held = self.verified(self.arrives(case), case=case)
        require(
            isinstance(held.raised, NotAuthentic),
            expected="callbacks, case 'foreign': NotAuthentic",
            got=held.raised or held.outcome,
            why="payments to another merchant would pay our invoices",
            read=CALLBACKS,
        )

    def test_callbacks_of_the_other_mode_are_refused(self) -> None:
        """A callback of the other mode is refused."""
        cases = self.expected("callbacks", {"other_mode": "a callback about live money"})
        applies(cases, "the callbacks do not state the mode (unreported = other_mode)")
        for case in cases:
            held = self.verified(self.arrives(case), case=case)
            require(
                isinstance(held.raised, NotAuthentic),
                expected="callbacks, case 'other_mode': NotAuthentic",
                got=held.raised or held.outcome,
                why="test money would pay real invoices",
                read=CALLBACKS,
            )

    def test_a_callback_moves_no_money(self) -> None:
        """Verifying a callback sends no request that moves money."""
        for case, callback in self.told():
            moving = [each.step for each in self._asked(case, callback) if each.moves_money]
            require(
                not moving,
                expected=f"callbacks, case {case.name!r}: no request with moves_money",
                got=moving,
                why="anybody can send any number of callbacks, and each would move money",
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
            "the traits say that callbacks prove nothing; the core inquires after each of them",
        )

    def _harmless(self, case: Case, spoiled: Callback, genuine: list[Notice], what: str) -> None:
        held = self.verified(spoiled, case=case)
        same = held.outcome == genuine
        require(
            isinstance(held.raised, NotAuthentic) or same,
            expected=f"callbacks, case {case.name!r}: NotAuthentic, or the same notices, after a "
            f"change of {what}",
            got=held.raised or held.outcome,
            why="anybody who finds the address of your callbacks could report a payment",
            read=CALLBACKS,
        )

    def test_a_changed_body_is_refused(self) -> None:
        """A callback with one changed bit is refused, or reports the same."""
        self._signed_rail()
        told = [(case, callback) for case, callback in self.told() if callback.body]
        for number, (case, callback) in enumerate(told):
            genuine, body = self.notices(case, callback), callback.body

            # Any byte could belong to the amount or the reference of the payment. One signature
            # scheme covers all callbacks, so the first one is tested most.
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
        """A callback with a changed or missing header is refused, or reports the same."""
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
                if callback.body:
                    self._no_part_signs_another_body(case, callback, name, genuine)

    def _no_part_signs_another_body(
        self, case: Case, callback: Callback, name: str, genuine: list[Notice]
    ) -> None:
        value = callback.headers[name]
        for length in range(len(value)):
            cut = replace(callback, headers={**callback.headers, name: value[:length]})
            what = f"the body and the length of the header {name}"
            self._harmless(case, _flipped(cut, 0, 0), genuine, what)

    def test_the_signature_of_somebody_else_is_refused(self) -> None:
        """A callback that is signed with another secret is refused."""
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
                    why="any other exception answers the processor with a 500, and it sends the "
                    "callback again for days",
                    read=CALLBACKS,
                )
        fail(
            expected="callbacks: refused by an account with other secrets",
            got="accepted whatever the secrets in the settings are",
            why="a signature that is not checked against a secret proves nothing",
            read=CALLBACKS,
        )

    def _with_other_secrets(self) -> Iterator[Gateway]:
        """Yield the account with one of its secret settings changed, for each of them."""
        if self.other_listener:
            yield self.gateway(**self.other_listener)
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

    def test_the_time_of_signing_is_reported(self) -> None:
        """The notice carries the signed instant."""
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
                    why="without it, the core cannot refuse replays: a callback that was captured "
                    "once would be valid permanently",
                    read=CALLBACKS,
                )

    def test_no_instant_is_made_up(self) -> None:
        """The notice carries no instant that the signature does not cover."""
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
                    why="anybody can write an instant into an unsigned body or header, and the "
                    "core would take a replay for a new callback",
                    read=CALLBACKS,
                )

    def test_an_old_signature_is_worth_nothing(self) -> None:
        """An old callback is refused, or reported with its old instant."""
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
                "signed_at with the instant of signing",
                got=held.raised or held.outcome,
                why="if signed_at is the instant of arrival, every replay is accepted",
                read=CALLBACKS,
            )

    def test_signed_garbage_is_refused(self) -> None:
        """A signed body that can't be read gives `NotAuthentic`, or notices without money."""
        for body in (*GARBAGE, b'{"id": 7, "type": [], "data": {"object": null}}'):
            held = self.verified(self.signed(body, self.now))
            require(
                held.raised is None or isinstance(held.raised, NotAuthentic),
                expected="callbacks: NotAuthentic, or notices that change nothing, for a body that "
                "can't be read",
                got=f"{type(held.raised).__name__}: {held.raised} from {body[:60]!r}",
                why="any other exception answers the processor with a 500, and it sends the "
                "callback again for days",
                read=CALLBACKS,
            )
            require(
                not any(each.movements for each in held.outcome or []),
                expected="callbacks: no movement from garbage",
                got=held.outcome,
                why="the movement would be booked as money",
                read=CALLBACKS,
            )

    # --- Our answer ---------------------------------------------------------------------

    def test_what_was_taken_is_acknowledged(self) -> None:
        """The reply to a callback that was booked or known has a status of 2xx."""
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
                    why="the processor would send it again for days, and then disable your "
                    "endpoint",
                    read=CALLBACKS,
                )

    def test_the_reply_to_an_answered_callback_states_the_result(self) -> None:
        """The reply to an answered callback says whether it was booked or refused."""
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
                    expected=f"callbacks, case {case.name!r}: different replies for a callback "
                    "that was refused and for one that was booked",
                    got=good,
                    why="a kiosk takes the cash by our reply: it would keep money for an invoice "
                    "that does not exist",
                    read=CALLBACKS,
                )

    def test_no_callback_shows_a_secret(self) -> None:
        """No notice, error, reply or log record shows a secret."""
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
                    why="anybody who has the signing key can write callbacks that you believe",
                    read=CALLBACKS,
                )


def _flipped(callback: Callback, at: int, bit: int) -> Callback:
    """Return the callback with one bit of its body changed."""
    changed = bytearray(callback.body)
    changed[at] ^= 1 << bit
    return replace(callback, body=bytes(changed))


def _all_of(reply: Any) -> tuple[int, dict[str, str], bytes]:
    """Return everything that is sent with a reply."""
    return reply.status, dict(reply.headers), reply.body


def _another(secret: Any) -> Secret[str]:
    """Return another secret of the same format."""
    text = str(secret.reveal())
    return Secret(text[:-1] + ("y" if text.endswith("x") else "x"))
