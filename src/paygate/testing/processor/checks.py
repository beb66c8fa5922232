"""The checks of the fake processor before it changes anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from paygate.domain.kind import Kind, Operation
from paygate.domain.outcome import RejectCause
from paygate.printing import shown
from paygate.testing.processor.magic import (
    ACCOUNT_NUMBERS,
    CARD_NUMBERS,
    LISTED,
    MAGIC,
    REJECTS,
    Plan,
    Verdict,
)
from paygate.testing.processor.order import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from paygate.gateway import Rail, Traits
    from paygate.testing.processor.journal import Entry
    from paygate.testing.processor.order import Order
    from paygate.testing.processor.rails import Habits
    from paygate.testing.processor.truth import Truth

DEFAULT_TOKENS: Final = {Kind.CARD: "tok_visa", Kind.E_CHECK: "tok_bank"}
"""The method that a payer enters on the fake's own page, as its magic token."""


class ProcessorRefusal(Exception):
    """The request was refused, and nothing was changed."""

    def __init__(self, cause: RejectCause, message: str, raw_code: str = "") -> None:
        super().__init__(message)
        self.shown: dict[str, Any] = {
            "cause": cause,
            "raw_code": raw_code or f"fake_{cause}",
            "retryable": REJECTS[cause],
            "message": message,
        }


class Admission:
    """Everything that the processor checks before it acts."""

    def __init__(self, truth: Truth, traits: Traits, habits: Habits) -> None:
        self._truth = truth
        self._traits = traits
        self._habits = habits
        self._of_followups: dict[str, Callable[..., None]] = {
            "complete": self._complete,
            "capture": self._capture,
            "void": self._void,
            "refund": self._refund,
            "withdraw": self._close,
        }

    def usual(self, operation: str, body: Mapping[str, Any], now: datetime) -> tuple[str, Plan]:
        """Check a request; return its token, and its plan if no script overrides it."""
        about = self._about(operation, body)
        kind = Kind(about.kind if about else body["kind"])
        rail = self._traits.rails.get(kind)
        if rail is None or operation not in rail.operations:
            raise ProcessorRefusal(
                RejectCause.PERMISSION, f"this account does not offer {operation} for {kind}"
            )
        match Operation(operation):
            case Operation.CHARGE | Operation.AUTHORIZE:
                if about is None:
                    return self._charge(kind, rail, body)
                if about.state is not State.OPENED:
                    raise ProcessorRefusal(
                        RejectCause.STATE, f"the e-check was already debited: {about.state}"
                    )
                return about.token, MAGIC[about.token].plan
            case Operation.ENROLL:
                return self._enroll(kind, body)
            case Operation.FORGET:
                if body["token"] not in self._truth.methods:
                    raise ProcessorRefusal(RejectCause.METHOD_GONE, "the method is not stored here")
            case _:
                if about is None:
                    raise ProcessorRefusal(
                        RejectCause.VALIDATION, f"{operation}: the field 'about' is missing"
                    )
                self._of_followups[operation](rail, about, body, now)
        return "", Plan()

    def _about(self, operation: str, body: Mapping[str, Any]) -> Order | None:
        reference = body.get("about")
        if reference is None:
            return None
        about = self._truth.orders.get(reference)
        if about is None:
            raise ProcessorRefusal(
                RejectCause.STATE, f"{operation}: there is no charge {shown(reference)}"
            )
        return about

    # --- First operations ---------------------------------------------------------------

    def _charge(self, kind: Kind, rail: Rail, body: Mapping[str, Any]) -> tuple[str, Plan]:
        currency, minor = body["currency"], body["minor"]
        if rail.currencies is not None and currency not in rail.currencies:
            raise ProcessorRefusal(RejectCause.VALIDATION, f"this account does not take {currency}")
        limits = rail.limits.get(currency)
        low = (limits and limits.minimum_minor) or 1
        high = limits and limits.maximum_minor
        if minor < low or (high is not None and minor > high):
            raise ProcessorRefusal(
                RejectCause.VALIDATION, f"{minor} minor units of {currency} are outside the limits"
            )
        missing = rail.payer_fields - set(body.get("payer", ()))
        if missing:
            raise ProcessorRefusal(
                RejectCause.VALIDATION, f"payer data is missing: {', '.join(sorted(missing))}"
            )
        if rail.needs_return_url and not body.get("return_url"):
            raise ProcessorRefusal(RejectCause.VALIDATION, "return_url is missing")
        if body.get("method") is None and (not rail.methods or type(None) in rail.methods):
            # A card or bank account that is not named is entered on the processor's page.
            on_page = kind in DEFAULT_TOKENS
            return "", Plan(verdict=Verdict.ASK_PAYER) if on_page else Plan()
        token = self._token(kind, body.get("method"))
        return token, MAGIC[token].plan

    def _enroll(self, kind: Kind, body: Mapping[str, Any]) -> tuple[str, Plan]:
        if body.get("from_reference"):
            charge = self._truth.orders.get(str(body["from_reference"]))
            if charge is None or not charge.token:
                raise ProcessorRefusal(
                    RejectCause.STATE, "from_reference is not a charge with a method"
                )
            return charge.token, Plan()
        if body.get("method") is None:
            if not body.get("return_url"):
                raise ProcessorRefusal(RejectCause.VALIDATION, "method or return_url is missing")
            return DEFAULT_TOKENS.get(kind, ""), Plan(verdict=Verdict.ASK_PAYER)
        token = self._token(kind, body["method"])
        plan = MAGIC[token].plan
        # As at real processors, a card that will be declined can be stored; only faults show.
        return token, plan if plan.verdict is Verdict.REJECT else Plan(wire=plan.wire)

    def _token(self, kind: Kind, method: Mapping[str, Any] | None) -> str:
        """Return the magic token that *method* is, was stored from, or behaves like."""
        if not isinstance(method or {}, dict):
            raise ProcessorRefusal(RejectCause.VALIDATION, "method is not an object")
        token = _plain_token(method or {})
        if token in self._truth.methods:
            token = self._truth.methods[token]
            if not token:
                raise ProcessorRefusal(RejectCause.METHOD_GONE, "that method was deleted")
        elif token.startswith("pm_"):
            token = f"tok_{token[3:]}"
        row = MAGIC.get(token)
        if row is None or kind not in row.kinds:
            # The message does not repeat the token: it might be a real one, given by mistake.
            raise ProcessorRefusal(
                RejectCause.VALIDATION,
                f"this is not a magic value of the fake for {kind}; {LISTED}",
                "unknown_magic_value",
            )
        return token

    # --- Operations on a charge ------------------------------------------------------------

    def _complete(self, _: Rail, about: Order, body: Mapping[str, Any], __: datetime) -> None:
        if body["currency"] != about.currency or not 0 < body["minor"] <= about.minor:
            raise ProcessorRefusal(
                RejectCause.VALIDATION, "this is not the amount that the payer approved"
            )

    def _capture(self, rail: Rail, about: Order, body: Mapping[str, Any], _: datetime) -> None:
        rest = about.minor - about.details.get("captured", 0)
        if about.state is not State.AUTHORIZED:
            raise ProcessorRefusal(
                RejectCause.STATE, f"nothing is held: the charge is {about.state}"
            )
        if body["currency"] != about.currency or not 0 < body["minor"] <= rest:
            raise ProcessorRefusal(RejectCause.VALIDATION, f"only {rest} minor units are held")
        if body["minor"] != rest and not rail.partial_capture:
            raise ProcessorRefusal(RejectCause.VALIDATION, "this account captures all or nothing")
        if not (body["final"] or rail.multiple_capture):
            raise ProcessorRefusal(RejectCause.VALIDATION, "this account captures once; set final")

    def _void(self, _: Rail, about: Order, __: Mapping[str, Any], now: datetime) -> None:
        waiting = about.state in (State.AUTHORIZED, State.PENDING)
        if about.state is State.PENDING and about.plan.get("void") == "too_late":
            raise ProcessorRefusal(RejectCause.STATE, "too late to void: the bank has the debit")
        if not waiting and not self.unsettled(about, now):
            raise ProcessorRefusal(
                RejectCause.STATE, f"there is nothing to void: {about.state}, settled"
            )

    def _refund(self, rail: Rail, about: Order, body: Mapping[str, Any], now: datetime) -> None:
        entry = self._truth.movement(body["movement"])
        if entry is None or about.reference not in self._references_of(entry):
            raise ProcessorRefusal(
                RejectCause.STATE, f"the charge has no movement {shown(body['movement'])}"
            )
        if rail.refund_window is not None and now > entry.at + rail.refund_window:
            raise ProcessorRefusal(
                RejectCause.STATE, "the time within which it can be refunded is over"
            )
        rest = self._truth.rest(entry)
        if body["currency"] != entry.currency or not 0 < body["minor"] <= rest:
            raise ProcessorRefusal(
                RejectCause.VALIDATION, f"only {rest} minor units can be refunded"
            )
        if body["minor"] != rest and not rail.partial_refund:
            raise ProcessorRefusal(RejectCause.VALIDATION, "this account refunds all or nothing")

    def _close(self, rail: Rail, about: Order, _: Mapping[str, Any], __: datetime) -> None:
        if not rail.withdrawable:
            raise ProcessorRefusal(
                RejectCause.PERMISSION, f"a {about.kind} cannot be withdrawn here"
            )
        if about.state in (State.APPROVED, State.PENDING, State.AUTHORIZED):
            raise ProcessorRefusal(
                RejectCause.STATE, f"too late to withdraw: the charge is {about.state}"
            )

    def unsettled(self, about: Order, now: datetime) -> list[Entry]:
        """Return what a void would take back: whole card movements that have not settled."""
        if about.kind != Kind.CARD:
            return []
        return [
            entry
            for entry in about.movements
            if entry.kind.inward
            and not entry.undoes  # money given back counts in the movement it came from
            and self._truth.rest(entry) == entry.minor
            and entry.movement_id not in about.settled
            and now < entry.at + self._habits.voidable_for
        ]

    def _references_of(self, entry: Entry) -> tuple[str, str]:
        return entry.reference, self._truth.orders[entry.reference].about


def _plain_token(method: Mapping[str, Any]) -> str:
    if "number" in method:
        return CARD_NUMBERS.get(method["number"], "that card number")
    if "account_number" in method:
        return ACCOUNT_NUMBERS.get(method["account_number"], "that bank account")
    return str(method.get("token", ""))
