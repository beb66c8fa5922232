"""Bugs of payment links: one that has ended is paid, or a form is paid twice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from paygate.domain.link import LinkStatus
from paygate.testing.simulation.bias import Bias
from paygate.testing.simulation.faults import PlannedFault
from tests.support.mutants.mutant import NO_AUTOPAY, Mutant, Patch, without

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.domain.link import PaymentLink
    from paygate.ledger.tx import Tx


def _still_active(ended: LinkStatus) -> Callable[[Any], Any]:
    """Read links that have ended in this way as if they could be paid."""

    def make(original: Any) -> Any:
        def link_of(tx: Tx, row: Any) -> PaymentLink:
            found: PaymentLink = original(tx, row)
            return replace(found, status=LinkStatus.ACTIVE) if found.status is ended else found

        return link_of

    return make


def _follows_no_money_out(original: Any) -> Any:
    """Note that a payment of a link changed only if money came in."""

    def add_moved(tx: Tx, payment: Any, *, returned: int = 0, **more: int) -> None:
        before = dict(tx.links)
        original(tx, payment, returned=returned, **more)
        if returned > 0:
            tx.links = before

    return add_moved


def _a_new_one_each_time(original: Any) -> Any:
    """Read a form as if it had not been sent before."""

    def read(tx: Tx, link: PaymentLink, value: str) -> Any:
        return replace(original(tx, link, value), id=tx.new_id("try"))

    return read


_TAKEN_BACK: Final = Bias(
    faults={PlannedFault.BUSY: 0.001},
    actions={**NO_AUTOPAY, "linked order": 60},
    kinds=frozenset({"card"}),
)
_LINKING: Final = Bias(
    actions={"linked order": 30, "open link": 4, "send form": 4, "end link": 4},
)

MUTANTS: Final = (
    Mutant(
        name="link-stays-with-its-prepayment",
        plants="a link leads to its prepayment after an invoice has replaced that",
        breaks="the old link of a prepayment leads to the invoice",
        shows="an invoice replaces a prepayment that has a link",
        patches=(
            Patch("ledger.links", "_BY_ID", without("AND e.status = 'replaced'", "AND 1 = 0")),
        ),
        bias=_LINKING,
    ),
    Mutant(
        name="a-form-is-charged-twice",
        plants="a form that was sent before is paid again",
        breaks="the try of a form is the key of its payment",
        shows="a payer clicks twice, and the first payment leaves something open",
        patches=(Patch("service.link_tries", "read", _a_new_one_each_time),),
        bias=_LINKING,
    ),
    Mutant(
        name="a-revoked-link-is-charged",
        plants="a link that was revoked can be paid",
        breaks="a revoked link leads nowhere",
        shows="a payer sends a form that was shown before the link was revoked",
        patches=(Patch("ledger.links", "link_of", _still_active(LinkStatus.REVOKED)),),
        bias=_LINKING,
    ),
    Mutant(
        name="an-expired-link-is-charged",
        plants="a link whose time has passed can be paid",
        breaks="a link can be paid until it expires",
        shows="a payer sends a form that was shown before the link expired",
        patches=(Patch("ledger.links", "link_of", _still_active(LinkStatus.EXPIRED)),),
        bias=_LINKING,
    ),
    Mutant(
        name="link-forgets-its-payment",
        plants="a link does not follow money of its payment that goes back",
        breaks="a payment taken back makes its link active again",
        shows="the payment of a link that can be paid once is taken back before it settles",
        patches=(Patch("ledger.payments", "add_moved", _follows_no_money_out),),
        bias=_TAKEN_BACK,
    ),
)
