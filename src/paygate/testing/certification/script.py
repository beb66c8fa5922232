"""The script of a certification: the steps in the sandbox, and their required results.

Each step issues an invoice of its own and then checks three things: the result of the verb,
the open amount of the invoice, and the result of an inquiry. A failed step does not end the
run, except that wrong credentials do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from paygate._version import __version__
from paygate.domain.attempt import AttemptState
from paygate.domain.customer import Customer, PostalAddress
from paygate.domain.kind import Kind, Operation
from paygate.domain.mandate import Mandate
from paygate.domain.money import Money
from paygate.domain.payment import PaymentStatus
from paygate.domain.result import OperationState
from paygate.domain.secret import OneTimeToken
from paygate.errors import (
    GatewayNotFound,
    InvalidValue,
    NotAllowedHere,
    PaygateError,
    Unsupported,
)
from paygate.gateway import HasSandboxTriggers, SandboxTrigger, SandboxTriggers
from paygate.printing import shown
from paygate.testing.certification.report import (
    CertificationReport,
    CertificationStep,
    StepResult,
    shortened,
)

if TYPE_CHECKING:
    from paygate.cashier.sync import Cashier
    from paygate.domain.payment import Payment
    from paygate.domain.words import KindWord
    from paygate.gateway import Rail, Traits

_ACCEPTED: Final = (OperationState.SUCCEEDED, OperationState.PENDING)
_PAID: Final = (PaymentStatus.SUCCEEDED, PaymentStatus.PROCESSING)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificationPlan:
    """The account to certify, and the sandbox's tokens.

    *approve* and *decline* are one-time tokens of the sandbox, used in order, each once; without
    them the driver's own test tokens are used, if it has any. *return_url* is for pages.
    *minor* is the smallest amount to charge, in minor units.
    *await_callback* waits until the cashier has received a callback, and returns whether one
    arrived in time; without it the step is skipped.
    """

    account: str
    kind: Kind | KindWord
    currency: str = "USD"
    minor: int = 1_000
    approve: tuple[str, ...] = ()
    decline: tuple[str, ...] = ()
    return_url: str = "https://shop.example/back"
    await_callback: Callable[[], bool] | None = None

    def __post_init__(self) -> None:
        if self.kind not in tuple(Kind):
            raise InvalidValue(
                f"{shown(self.kind)} is not a kind of payment; the kinds are {', '.join(Kind)}",
                argument="kind",
            )
        object.__setattr__(self, "kind", Kind(self.kind))


class _Failed(Exception):
    """A step did not have the required result."""


class _Skipped(Exception):
    """The account does not offer the step, or something that it needs is missing."""


@dataclass(slots=True)
class _Run:
    """The state of one certification."""

    cashier: Cashier
    plan: CertificationPlan
    rail: Rail
    triggers: SandboxTriggers | None
    name: str = field(default_factory=lambda: uuid4().hex[:8])
    count: int = 0
    approvals: Iterator[str] = field(init=False)
    declines: Iterator[str] = field(init=False)

    def __post_init__(self) -> None:
        self.approvals = iter(self.plan.approve)
        self.declines = iter(self.plan.decline)

    def needs(self, *operations: Operation) -> None:
        """Skip the step unless the account offers these operations."""
        for operation in operations:
            if operation not in self.rail.operations:
                raise _Skipped(f"the account does not offer {operation} for {self.plan.kind}")

    @property
    def has_page(self) -> bool:
        """Whether the payer can choose on the processor's page."""
        return not self.rail.methods or type(None) in self.rail.methods

    @property
    def return_url(self) -> str:
        """Where a page sends the payer back to, if there may be one."""
        may_be = self.rail.needs_return_url or type(None) in self.rail.methods
        return self.plan.return_url if may_be else ""

    def invoice(self) -> str:
        """Issue an invoice; its total is unique, or the sandbox could take it for a duplicate."""
        self.count += 1
        number = f"CERT-{self.name}-{self.count}"
        total = Money(self.plan.currency, self.plan.minor + self.count)
        due = (self.cashier.now() + timedelta(days=1)).date()
        self.cashier.issue(number=number, customer=self.payer(), total=total, due=due)
        return number

    def payer(self, postal_code: str = "") -> Customer:
        """Return the payer, at a postal code that may be a trigger."""
        return Customer(
            f"cert-{self.name}",
            name="Certification Run",
            email="certify@example.org",
            address=PostalAddress(
                line1="1 Main Street",
                city="Bellevue",
                region="WA",
                postal_code=postal_code or "98004",
                country="US",
            ),
        )

    def approved(self) -> tuple[OneTimeToken | None, Customer]:
        """Return a method and a payer for which the sandbox approves a charge."""
        trigger = self.triggers.approve if self.triggers else SandboxTrigger()
        return self._method(self.approvals, trigger), self.payer(trigger.postal_code)

    def declined(self) -> tuple[OneTimeToken | None, Customer]:
        """Return a method and a payer for which the sandbox declines a charge."""
        trigger = self.triggers.decline if self.triggers else None
        token = next(self.declines, None)
        if token is not None:
            return OneTimeToken.of(token), self.payer(trigger.postal_code if trigger else "")
        if trigger is None:
            raise _Skipped("no token for a declined charge was given")
        method = trigger.method or self._method(self.approvals, trigger)
        return method, self.payer(trigger.postal_code)

    def _method(self, given: Iterator[str], trigger: SandboxTrigger) -> OneTimeToken | None:
        if not self.rail.methods:
            return None
        token = next(given, None)
        if token is None and self.has_page:
            return None
        if token is not None:
            return OneTimeToken.of(token)
        if trigger.method is None:
            raise _Skipped("no unused token for an approved charge is left")
        return trigger.method

    def open_of(self, number: str) -> int:
        """Return the open amount of an invoice, in minor units."""
        return self.cashier.invoice(number).open.minor

    def collect(self, number: str, *, key: str = "") -> Payment:
        """Collect an invoice with a method that the sandbox approves."""
        method, payer = self.approved()
        return self.cashier.collect(
            number,
            via=self.plan.account,
            kind=self.plan.kind,
            key=key or number,
            method=method,
            payer=payer,
            return_url=self.return_url,
        )

    def skip_if_page(self, payment: Payment) -> None:
        """Skip the step if the payer must act first."""
        if payment.status is PaymentStatus.REQUIRES_ACTION and self.has_page:
            raise _Skipped("a payer must act on the page; see the step about pages")

    def paid(self) -> tuple[str, Payment]:
        """Issue an invoice, collect it, and return its number and the payment."""
        self.needs(Operation.CHARGE)
        number = self.invoice()
        payment = self.collect(number)
        self.skip_if_page(payment)
        _require(payment.status in _PAID, f"the charge is {payment.status}{_why(payment)}")
        return number, payment


def _require(condition: object, otherwise: str) -> None:
    """Fail the step with *otherwise* unless *condition* is true."""
    if not condition:
        raise _Failed(otherwise)


def _why(payment: Payment) -> str:
    parts = [payment.code, payment.raw_code, payment.reason]
    said = ", ".join(str(part) for part in parts if part)
    return f" ({said})" if said else ""


# --- The steps --------------------------------------------------------------------------------


def _credentials(run: _Run) -> str:
    try:
        facts = run.cashier.check(run.plan.account)
    except Unsupported:
        raise _Skipped("this driver cannot check credentials without a charge") from None
    _require(not facts.live, "the account is live")
    return f"accepted, account {shortened(facts.merchant_account)}"


def _charge(run: _Run) -> str:
    number, payment = run.paid()
    # The key's fingerprint has no one-time token, so the second call can have any.
    again = run.cashier.collect(
        number,
        via=run.plan.account,
        kind=run.plan.kind,
        key=number,
        method=None if run.has_page else "used",
        payer=run.payer(),
    )
    _require(again.id == payment.id, "the same key made a second payment")
    asked = run.cashier.inquire(payment)
    _require(asked.status in _PAID, f"charged as {payment.status}, found as {asked.status}")
    _require(
        run.open_of(number) == 0 or asked.status is PaymentStatus.PROCESSING,
        f"the invoice still has an open amount of {run.open_of(number)} minor units",
    )
    return f"{asked.status}, reference {shortened(payment.reference)}; the same key charged once"


def _decline(run: _Run) -> str:
    run.needs(Operation.CHARGE)
    method, payer = run.declined()
    number = run.invoice()
    payment = run.cashier.collect(
        number, via=run.plan.account, kind=run.plan.kind, key=number, method=method, payer=payer
    )
    _require(
        payment.status is PaymentStatus.DECLINED, f"the charge is {payment.status}{_why(payment)}"
    )
    _require(run.open_of(number) > 0, "a declined charge paid the invoice")
    return f"declined as {payment.code}, the processor's code {payment.raw_code}"


def _capture(run: _Run) -> str:
    run.needs(Operation.AUTHORIZE, Operation.CAPTURE)
    number, payment = _authorized(run)
    part = Money(run.plan.currency, payment.amount.minor // 2)
    amount = part if run.rail.partial_capture else payment.amount
    done = run.cashier.capture(payment, key=f"{number}-capture", amount=amount)
    _require(done.state in _ACCEPTED, f"the capture is {done.state} ({done.reason})")
    left = run.open_of(number)
    _require(left == payment.amount.minor - amount.minor, f"the invoice then has {left} open")
    return f"{done.state}, {amount} of {payment.amount}"


def _void(run: _Run) -> str:
    run.needs(Operation.AUTHORIZE, Operation.VOID)
    number, payment = _authorized(run)
    done = run.cashier.cancel(payment, key=f"{number}-void")
    _require(done.ok, f"the void is {done.state} ({done.reason})")
    _require(run.open_of(number) == payment.amount.minor, "the invoice is not open again")
    return f"{done.state}, the payment is {done.payment.status}"


def _authorized(run: _Run) -> tuple[str, Payment]:
    number = run.invoice()
    method, payer = run.approved()
    payment = run.cashier.authorize(
        number,
        via=run.plan.account,
        kind=run.plan.kind,
        key=number,
        method=method,
        payer=payer,
        return_url=run.return_url,
    )
    run.skip_if_page(payment)
    _require(
        payment.status is PaymentStatus.AUTHORIZED,
        f"the authorization is {payment.status}{_why(payment)}",
    )
    return number, payment


def _cancel(run: _Run) -> str:
    run.needs(Operation.VOID)
    number, payment = run.paid()
    done = run.cashier.cancel(payment, key=f"{number}-cancel", force_reason="certification")
    _require(done.state in _ACCEPTED, f"the {done.operation} is {done.state}")
    _require(not done.ok or run.open_of(number) == payment.amount.minor, "the invoice is not open")
    return f"{done.operation} {done.state}"


def _refund(run: _Run) -> str:
    run.needs(Operation.REFUND)
    number, payment = run.paid()
    if payment.status is not PaymentStatus.SUCCEEDED:
        raise _Skipped(f"the charge is {payment.status}, and cannot be refunded until it succeeds")
    half = Money(run.plan.currency, payment.amount.minor // 2)
    amount = half if run.rail.partial_refund else payment.amount
    done = run.cashier.refund(
        payment, key=f"{number}-refund", amount=amount, to="reopen", force_reason="certification"
    )
    if done.state not in _ACCEPTED:
        # Many processors refund a charge only once it has settled, which takes a day.
        _require(done.code == "state", f"the refund is {done.state} ({done.code} {done.reason})")
        _require(run.open_of(number) == 0, "a refused refund reopened the invoice")
        return f"refused before the charge has settled ({done.reason})"
    _require(
        run.open_of(number) == amount.minor or not done.ok, "the refund did not reopen the invoice"
    )
    return f"{done.state}, {amount} of {payment.amount}"


def _stored(run: _Run) -> str:
    run.needs(Operation.ENROLL, Operation.CHARGE)
    method, payer = run.approved()
    if method is None:
        raise _Skipped("no token to store was given")
    mandate = Mandate(
        text_version="certification", accepted_at=run.cashier.now(), reference=f"M-{run.name}"
    )
    kept = run.cashier.enroll(
        payer,
        via=run.plan.account,
        kind=run.plan.kind,
        key="stored",
        method=method,
        mandate=mandate,
    )
    _require(kept.method is not None, f"storing it is {kept.state} ({kept.raw_code} {kept.reason})")
    assert kept.method is not None
    number = run.invoice()
    payment = run.cashier.collect(
        number,
        via=run.plan.account,
        kind=run.plan.kind,
        key=number,
        method=kept.method,
        payer_present=run.rail.payer_present,
    )
    _require(payment.status in _PAID, f"charging it is {payment.status}{_why(payment)}")
    gone = run.cashier.forget_method(kept.method, key="forgotten")
    _require(gone.state is AttemptState.SUCCEEDED, f"deleting it is {gone.state} ({gone.reason})")
    return f"stored, charged ({payment.status}) and deleted"


def _page(run: _Run) -> str:
    run.needs(Operation.CHARGE)
    if not run.has_page:
        raise _Skipped(f"{run.plan.kind} is charged without a page, slip or address")
    number = run.invoice()
    payment = run.collect(number)
    _require(
        payment.status is PaymentStatus.REQUIRES_ACTION and payment.action is not None,
        f"it is {payment.status}{_why(payment)}",
    )
    if Operation.WITHDRAW not in run.rail.operations:
        return "opened; the account cannot withdraw it"
    done = run.cashier.withdraw_page(payment)
    _require(done.ok, f"withdrawing it is {done.state} ({done.reason})")
    _require(run.open_of(number) == payment.amount.minor, "the invoice is not open again")
    return f"opened and withdrawn, the payment is {done.payment.status}"


def _callback(run: _Run) -> str:
    if run.plan.await_callback is None:
        raise _Skipped("no address for callbacks was given")
    _require(run.plan.await_callback(), "no authentic callback arrived in time")
    run.cashier.recover()
    return "received, authentic and applied"


def _books(run: _Run) -> str:
    found = run.cashier.fsck()
    _require(not found, f"the ledger violates {', '.join(sorted({each.rule for each in found}))}")
    return "fsck finds no violation"


STEPS: Final = (
    ("credentials", "Credentials are accepted", _credentials),
    ("charge", "A charge is approved, found again, and not repeated", _charge),
    ("decline", "A charge is declined", _decline),
    ("capture", "An amount is held and captured", _capture),
    ("void", "A held amount is released", _void),
    ("cancel", "A charge is canceled before it settles", _cancel),
    ("refund", "A charge is refunded", _refund),
    ("stored", "A method is stored, charged and deleted", _stored),
    ("page", "A page, slip or address is opened and withdrawn", _page),
    ("callback", "A callback is received", _callback),
    ("books", "The ledger is consistent", _books),
)
"""The steps: name, title in the report, and function."""


def certify(
    cashier: Cashier,
    plan: CertificationPlan,
    *,
    on_step: Callable[[CertificationStep], object] | None = None,
) -> CertificationReport:
    """
    Run every step against the sandbox of the account, and return the report.

    *cashier* must be opened for this run, with ``token_keys`` if methods are to be stored;
    *on_step* is called after each step. Raises `NotAllowedHere` for a live account,
    `GatewayNotFound` for one that the cashier lacks, `Unsupported` if it does not offer the kind.
    """
    known = cashier.gateways.get(plan.account)
    if known is None:
        raise GatewayNotFound(
            f"there is no gateway account {shown(plan.account)}",
            name=plan.account,
            known=sorted(cashier.gateways),
        )
    traits = known.traits
    kind = Kind(plan.kind)
    run = _Run(cashier, plan, _rail(traits, plan, kind), _triggers(known.gateway, kind))
    steps: list[CertificationStep] = []
    for name, title, act in STEPS:
        steps.append(_played(run, name, title, act))
        if on_step is not None:
            on_step(steps[-1])
        if name == "credentials" and steps[-1].result is StepResult.FAILED:
            break
    return CertificationReport(
        driver=known.gateway.name,
        driver_version=traits.driver_version,
        paygate_version=__version__,
        kind=kind,
        merchant_account=shortened(traits.merchant_account),
        at=cashier.now(),
        steps=tuple(steps),
    )


def _rail(traits: Traits, plan: CertificationPlan, kind: Kind) -> Rail:
    if traits.live:
        raise NotAllowedHere(
            f"{shown(plan.account)} is a live account, and a certification charges and refunds: "
            "run it with the credentials of the processor's sandbox"
        )
    rail = traits.rails.get(kind)
    if rail is None:
        offered = ", ".join(sorted(traits.rails))
        raise Unsupported(f"{shown(plan.account)} does not take {plan.kind}; it takes {offered}")
    return rail


def _triggers(gateway: object, kind: Kind) -> SandboxTriggers | None:
    if not isinstance(gateway, HasSandboxTriggers):
        return None
    return gateway.sandbox_triggers().get(kind)


def _played(run: _Run, name: str, title: str, act: Callable[[_Run], str]) -> CertificationStep:
    try:
        result, observed = StepResult.PASSED, act(run)
    except _Skipped as skipped:
        result, observed = StepResult.SKIPPED, str(skipped)
    except _Failed as failed:
        result, observed = StepResult.FAILED, str(failed)
    except PaygateError as error:
        result, observed = StepResult.FAILED, f"{type(error).__name__}: {error.message}"
    return CertificationStep(name=name, title=title, result=result, observed=observed)
