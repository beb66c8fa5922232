"""Charging: collecting an amount, or starting to."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from paygate.domain.outcome import lacks_secret
from paygate.driver import (
    ActionRequired,
    Approved,
    ApproveElsewhere,
    MovementKind,
    Operation,
    PayToAddress,
    Pending,
    PostForm,
    Redirect,
    ScriptStep,
    ShowCode,
    ShowVoucher,
)
from paygate.testing.conformance.conversation import applies
from paygate.testing.conformance.explain import PROTOCOL, require
from paygate.testing.conformance.held import hold, then_silence
from paygate.testing.conformance.operation import DeclinesConformance

if TYPE_CHECKING:
    from paygate.driver import Dialogue
    from paygate.testing.conformance.transcripts import Case


class ChargeConformance(DeclinesConformance):
    """
    What a gateway must do that has `charge`.

    ``charge.txt``: approve (where the traits say immediate), pending (where they do
    not), action (where the payer goes elsewhere), decline, refuse, error, duplicate.
    """

    about: ClassVar[str] = "charge"
    operation: ClassVar[Operation] = Operation.CHARGE
    movement_kinds: ClassVar[frozenset[MovementKind]] = frozenset({MovementKind.CHARGE})

    def begin(self, gateway: Any, **given: Any) -> Dialogue[Any]:
        """Begin to charge."""
        dialogue: Dialogue[Any] = gateway.charge(self.charge(**given))
        return dialogue

    def good(self) -> Case:
        """Tell the case in which the charge goes the way that the traits say."""
        rail = self.rail
        if rail.immediate:
            return self.case("approve", "the charge is approved")
        if rail.methods:
            return self.case("pending", "the charge is accepted, and its result comes later")
        return self.case("action", "the payer is sent to a page, or given a slip or address")

    def test_the_result_comes_when_the_traits_say(self) -> None:
        """`immediate` is what a portal goes by when it shows 'paid'."""
        rail, outcome = self.rail, self.outcome(self.good())
        wanted = Approved if rail.immediate else Pending if rail.methods else ActionRequired
        require(
            isinstance(outcome, wanted),
            expected=f"charge: {wanted.__name__}, since the traits say "
            f"immediate={rail.immediate} and {'some' if rail.methods else 'no'} methods",
            got=outcome,
            why="an approval of what has not settled ships goods for money that may not come",
            read=PROTOCOL,
        )
        if "pending" in self.transcript("charge"):
            later = self.outcome(self.case("pending", "the result comes later"))
            require(
                isinstance(later, Pending),
                expected="charge, case 'pending': Pending",
                got=later,
                why="what is only accepted may still fail, days later",
                read=PROTOCOL,
            )

    def test_the_payer_is_told_what_to_do(self) -> None:
        """An action can be followed."""
        applies(
            not self.rail.methods,
            "the traits name the methods that are charged, so the payer is sent nowhere",
        )
        outcome = self.outcome(self.case("action", "the payer is sent to a page, or given a slip"))
        action = getattr(outcome, "action", None)
        good = False
        match action:
            case Redirect(url=url) | PostForm(url=url) | ScriptStep(script_url=url):
                parts = urlsplit(url)
                near = (parts.hostname or "").endswith(".invalid")
                good = (parts.scheme == "https" or near) and not lacks_secret(action)
            case ShowVoucher(reference=reference):
                good = bool(reference)
            case ShowCode(payload=payload):
                good = bool(payload)
            case ApproveElsewhere(where=where):
                good = bool(where)
            case PayToAddress(address=address):
                good = bool(address)
            case _:
                pass
        if action is None:
            return  # the case before this one says so
        require(
            good,
            expected="charge, case 'action': an https address (with the secret that its form or "
            "script takes), a slip's number, the payload of a code, where to approve, or an "
            "address to pay to",
            got=outcome,
            why="the payer waits in front of a page that leads nowhere, or into somebody's hands",
            read=PROTOCOL,
        )

    def test_every_method_of_the_traits_is_taken(self) -> None:
        """A portal offers what the traits name."""
        applies(self.rail.methods, "the payer chooses on the processor's page")
        case = self.good()
        replies = case.responses(self.values(case))
        for of in sorted(self.rail.methods, key=lambda each: each.__name__):
            held = hold(
                partial(self.opened, method=self.methods[of]),
                then_silence(replies),
            )
            require(
                held.requests and held.raised is None,
                expected=f"charge: a {of.__name__} is taken, since the traits of the rail name it",
                got=held.raised or held.outcome,
                why="the payer chooses what the portal shows, and is told that it cannot be paid",
                read=PROTOCOL,
            )
