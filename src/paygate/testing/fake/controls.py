"""What a test can do to a fake gateway: script it, play the payer and the bank, move the clock."""

from __future__ import annotations

from abc import abstractmethod
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from paygate.testing.processor.callbacks import read_written
from paygate.testing.processor.journal import Entry, moved
from paygate.testing.processor.magic import plan_named

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from paygate.driver import Callback, Kind, Money
    from paygate.testing.processor.magic import Plan


class Controls:
    """The controls, which work on a processor in memory and on one behind a loopback server."""

    kind: Kind
    _told = 0

    @abstractmethod
    def _play(self, verb: str, **what: Any) -> dict[str, Any]:
        """Make the processor play *verb*, and return its result."""

    # --- The test ---------------------------------------------------------------------------

    def script(
        self,
        *plans: Plan | str,
        operation: str = "",
        our_ref: str = "",
        invoice: str = "",
        matching: Callable[[Mapping[str, Any]], bool] | None = None,
    ) -> None:
        """
        Plan the outcomes of the next operations, in order, whatever token they carry.

        A plan is the name of a magic value (``"declined_insufficient_funds"``,
        ``"unknown_executed"``) or a `Plan`. It can be limited to one *operation*, one of
        our references, the number of an *invoice*, or the requests that *matching* accepts.
        *operation* can also be ``"look_up"``, ``"list"``, ``"events"``, ``"account"`` or, for
        an e-check, ``"open"``; plans without *operation* do not apply to these. For requests
        that only read, a plan that is not a network fault raises `InvalidValue`.
        """
        named = [plan_named(plan) if isinstance(plan, str) else plan for plan in plans]
        self._play(
            "script",
            plans=[plan.as_json() for plan in named],
            operation=str(operation),
            our_ref=our_ref,
            invoice=invoice,
            matching=matching,
        )

    def advance(self, by: timedelta | None = None, **parts: float) -> datetime:
        """Move the processor's clock forward, as in ``advance(days=3)``; due events happen."""
        duration = (by or timedelta()) + timedelta(**parts)
        return datetime.fromisoformat(
            self._play("advance", seconds=duration.total_seconds())["now"]
        )

    def callbacks(self) -> list[Callback]:
        """Return the callbacks about orders of this kind since the last call."""
        played = self._play("callbacks", after=self._told, kind=self.kind.value)
        self._told = played["after"]
        return [read_written(each) for each in played["callbacks"]]

    @property
    def journal(self) -> tuple[Entry, ...]:
        """Every movement of money so far, as the processor recorded it."""
        return tuple(Entry.from_json(entry) for entry in self._play("journal")["moved"])

    def moved(self, currency: str) -> Money:
        """Return the processor's money in minus its money out, in *currency*."""
        return moved(self.journal, currency)

    # --- The payer ----------------------------------------------------------------------------

    def pay(self, reference: str, amount: Money | None = None) -> None:
        """
        Pay a page, slip or address, or pass 3-D Secure, as the payer would.

        *reference* is the processor's reference, the slip's number or the address. Any
        amount can be paid, repeatedly and late: each payment is a movement of its own.
        Bitcoin arrives when the clock reaches its confirmation.
        """
        if amount is None:
            self._play("pay", reference=reference)
        else:
            self._play("pay", reference=reference, minor=amount.minor, currency=amount.currency)

    def pay_number(self, number: str, amount: Money) -> str:
        """
        Pay *amount* to a payer's number, such as a virtual account, without a charge of ours.

        Returns the processor's reference of the payment, by which the bank can take it back.
        """
        told = self._play(
            "pay_number",
            number=number,
            kind=self.kind.value,
            minor=amount.minor,
            currency=amount.currency,
        )
        return str(told["reference"])

    def decline_try(self, reference: str, code: str = "generic", *, final: bool = False) -> None:
        """Decline one try of the payer; the page stays payable unless the decline is *final*."""
        self._play("decline_try", reference=reference, code=code, final=final)

    def cancel(self, reference: str) -> None:
        """Cancel the page, as the payer would."""
        self._play("cancel", reference=reference)

    # --- The payer's bank -----------------------------------------------------------------------

    def return_check(self, reference: str, code: str = "R01") -> None:
        """Return an e-check unpaid, before or after it settled."""
        self._play("return_check", reference=reference, code=code)

    def return_early(self, reference: str, code: str = "R01", *, days: int = 3) -> None:
        """Report the return of a pending e-check, and its settlement only *days* later."""
        self._play("return_early", reference=reference, code=code, days=days)

    def elsewhere(self, minor: int, *, readable: bool = True) -> None:
        """Make a charge of another application at the same account, and report it to us too."""
        self._play("elsewhere", minor=minor, readable=readable)

    def dispute(self, reference: str, amount: Money | None = None) -> None:
        """Take the money back, all or *amount* of it, as the cardholder's bank does."""
        self._play("dispute", reference=reference, minor=amount.minor if amount else 0)

    def open_dispute(self, reference: str, amount: Money | None = None, *, days: int = 14) -> None:
        """Open a dispute, with evidence due in *days*; `dispute` then takes the money."""
        minor = amount.minor if amount else 0
        self._play("open_dispute", reference=reference, minor=minor, days=days)

    def win_dispute(self, reference: str) -> None:
        """Decide the disputes for the merchant, and give back the money that `dispute` took."""
        self._play("win_dispute", reference=reference)

    def lose_dispute(self, reference: str) -> None:
        """Decide the disputes against the merchant: the money that `dispute` took is lost."""
        self._play("lose_dispute", reference=reference)

    # --- The processor's payouts ------------------------------------------------------------

    def pay_out(self, reference: str, *, percent: int = 100, fee: Money | None = None) -> None:
        """Pay out *percent* of the movements of an order so far, minus *fee* on each."""
        fee_minor = None if fee is None else fee.minor
        self._play("pay_out", reference=reference, percent=percent, fee_minor=fee_minor)

    def fail_refund(self, reference: str) -> None:
        """Make a refund fail later; *reference* is that of the refund itself."""
        self._play("fail_refund", reference=reference)

    def approve_late(self, reference: str) -> None:
        """Make the money of a declined charge arrive later."""
        self._play("approve_late", reference=reference)
