"""Bugs of automatic payment: charged twice, too often, too much, or after the customer left."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from paygate.domain.autopay import PageState
from paygate.domain.payment import PaymentStatus
from paygate.domain.retries import Failure
from paygate.gateway import CallbackStyle
from paygate.service import settle
from paygate.testing.simulation.bias import Bias
from paygate.testing.simulation.faults import PlannedFault
from tests.support.mutants.mutant import Mutant, Patch

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.domain.autopay_plan import AutopayFacts
    from paygate.domain.payment import Payment
    from paygate.ledger.tx import Tx


def _nothing(original: Any) -> Any:
    """Leave a check or a record out."""
    del original

    def nothing(*given: Any, **more: Any) -> None:
        del given, more

    return nothing


def _always(original: Any) -> Any:
    """Agree to whatever is asked."""
    del original

    def always(*given: Any, **more: Any) -> bool:
        del given, more
        return True

    return always


def _new_keys(original: Any) -> Any:
    """Give each charge a key of its own, so that a resumed run does not know those before."""
    count = itertools.count()

    def key(on: Any, customer: Any, charge: Any, number: int) -> str:
        return f"{original(on, customer, charge, number)}-{next(count)}"

    return key


def _seeing(change: Callable[[AutopayFacts], AutopayFacts]) -> Callable[[Any], Any]:
    """Change what a plan is made from."""

    def make(original: Any) -> Any:
        def gather(*given: Any, **more: Any) -> AutopayFacts:
            return change(original(*given, **more))

        return gather

    return make


def _no_open_pages(facts: AutopayFacts) -> AutopayFacts:
    items = tuple(
        replace(each, page=None if each.page is PageState.OPEN else each.page, held=False)
        for each in facts.items
    )
    return replace(facts, items=items)


def _no_ceiling(facts: AutopayFacts) -> AutopayFacts:
    return replace(facts, methods=tuple(replace(each, ceiling=None) for each in facts.methods))


def _no_declines(original: Any) -> Any:
    """Forget how often a method was declined."""

    def methods_of(*given: Any) -> Any:
        return [replace(each, declines=0, declines_today=0) for each in original(*given)]

    return methods_of


def _unknown_is_failure(original: Any) -> Any:
    """Take an unknown outcome for a failure, and let go of what it holds."""

    def failure_of(tx: Tx, payment: Payment) -> Failure | None:
        if payment.status is not PaymentStatus.UNKNOWN:
            found: Failure | None = original(tx, payment)
            return found
        settle.release(tx, payment, ended=True)
        return Failure(kind=payment.kind, code="not_found")

    return failure_of


def _never_counts(original: Any) -> Any:
    """Judge each failure as if it were the first."""

    def judge(failure: Any, earlier: Any, on: Any, policy: Any, first_on: Any = None) -> Any:
        del earlier, first_on
        return original(failure, (), on, policy)

    return judge


_RUN: Final = "service.autopay_run"
_FACTS: Final = "service.autopay_facts"
_SUBSCRIBED: Final = Bias(
    actions={"agree": 4, "bill": 4, "autopay days": 40},
    kinds=frozenset({"card", "e_check"}),
)
_INTERRUPTED: Final = Bias(
    actions={"agree": 4, "bill": 4, "autopay days": 60, "autopay change": 10, "kill": 4},
    kinds=frozenset({"card"}),
)

MUTANTS: Final = (
    Mutant(
        name="a-resumed-run-charges-twice",
        plants="a run that is resumed does not know what it has charged",
        breaks="a line of a run has one payment, whatever crashes",
        shows="a process ends in its run after a charge was declined, and another one resumes it",
        patches=(
            Patch(_RUN, "_admit", _nothing),
            Patch(_RUN, "_key", _new_keys),
            Patch(_RUN, "_record", _nothing),
        ),
        bias=_SUBSCRIBED,
    ),
    Mutant(
        name="one-who-left-is-charged",
        plants="a charge is stored without another look at the subscription and its mandate",
        breaks="nobody is charged after they ended automatic payment",
        shows="a customer ends it between the plan of a run and its charge",
        patches=(
            Patch(_RUN, "_admit", _nothing),
            Patch("service.collect", "_is_allowed", _always),
        ),
        bias=_INTERRUPTED,
    ),
    Mutant(
        name="a-page-is-left-open",
        plants="an invoice is charged although the payer has a page that cannot be withdrawn",
        breaks="a page that cannot be withdrawn is waited out",
        shows="a payer has opened a page or a slip of an invoice that falls due",
        patches=(
            Patch(_FACTS, "gather", _seeing(_no_open_pages)),
            Patch("service.withdrawing", "check", _nothing),
        ),
        bias=Bias(
            faults={PlannedFault.DUPLICATED: 0.1},
            actions={"agree": 6, "bill": 2, "autopay days": 40},
            kinds=frozenset({"card", "redirect", "voucher"}),
        ),
    ),
    Mutant(
        name="an-unknown-is-charged-again",
        plants="an automatic payment whose outcome is unknown counts as failed",
        breaks="an unknown outcome is inquired about, and never charged again before that",
        shows="the answer to an automatic charge is lost",
        patches=(Patch("service.autopay_outcome", "_failure_of", _unknown_is_failure),),
        bias=_SUBSCRIBED,
    ),
    Mutant(
        name="a-fourth-entry",
        plants="a returned debit is presented again as often as it comes back",
        breaks="a debit is presented three times at most",
        shows="a bank returns a debit again and again",
        patches=(Patch("service.autopay_outcome", "judge", _never_counts),),
        bias=Bias(
            faults={PlannedFault.DUPLICATED: 0.1},
            actions={"agree": 2, "bill": 2, "autopay days": 60, "callbacks arrive": 3},
            kinds=frozenset({"e_check"}),
            callbacks=frozenset({CallbackStyle.ACKNOWLEDGED}),
        ),
    ),
    Mutant(
        name="beyond-the-networks-limit",
        plants="declines of a card are not counted",
        breaks="a method is declined at most once a day, and as often as its network allows",
        shows="two invoices of a customer without money are due on the same day in two runs",
        patches=(Patch("ledger.autopay_items", "methods_of", _no_declines),),
        bias=_SUBSCRIBED,
    ),
    Mutant(
        name="above-the-ceiling",
        plants="the ceiling of a mandate is not looked at",
        breaks="never more than the payer agreed to is charged at once",
        shows="invoices above the ceiling are due",
        patches=(
            Patch(_FACTS, "gather", _seeing(_no_ceiling)),
            Patch("service.collect", "_check_ceiling", _nothing),
        ),
        bias=_SUBSCRIBED,
    ),
)
