"""What a test can do to a fake gateway: script it, play the payer and the bank, move time."""

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
    """The same for a processor in memory and for one behind a loopback server."""

    kind: Kind
    _told = 0

    @abstractmethod
    def _play(self, verb: str, **what: Any) -> dict[str, Any]:
        """Let the processor play *verb*."""

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
        Plan how the next operations go, in order, whatever token they carry.

        A plan is the name of a magic value (``"declined_insufficient_funds"``,
        ``"unknown_executed"``) or a `Plan`. It may wait for one *operation* (also
        ``"look_up"``, ``"list"``, ``"events"``, ``"account"`` or an e-check's
        ``"open"``, whose network faults are planned only by name), one of our
        references, an invoice's number, or any request that *matching* accepts. For what
        only reads, a plan that is no network fault raises `InvalidValue`.
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
        """Move the processor's clock forward: ``advance(days=3)``; what was due happens."""
        duration = (by or timedelta()) + timedelta(**parts)
        return datetime.fromisoformat(
            self._play("advance", seconds=duration.total_seconds())["now"]
        )

    def callbacks(self) -> list[Callback]:
        """Take the callbacks for orders of this kind that are to be sent since the last call."""
        played = self._play("callbacks", after=self._told, kind=self.kind.value)
        self._told = played["after"]
        return [read_written(each) for each in played["callbacks"]]

    @property
    def journal(self) -> tuple[Entry, ...]:
        """Every movement of money until now, as the processor saw it."""
        return tuple(Entry.from_json(entry) for entry in self._play("journal")["moved"])

    def moved(self, currency: str) -> Money:
        """Tell what came in less what went out at the processor, in *currency*."""
        return moved(self.journal, currency)

    # --- The payer ----------------------------------------------------------------------------

    def pay(self, reference: str, amount: Money | None = None) -> None:
        """
        Pay a page, slip or address, or pass 3-D Secure, as the payer would.

        *reference* is the processor's, the slip's number or the address. Any other
        amount may be paid, more than once, and late: each payment is a movement of
        its own. Bitcoin counts when the clock has come to its confirmation.
        """
        if amount is None:
            self._play("pay", reference=reference)
        else:
            self._play("pay", reference=reference, minor=amount.minor, currency=amount.currency)

    def pay_number(self, number: str, amount: Money) -> str:
        """
        Pay *amount* to a payer's number, such as a virtual account, without being asked.

        Returns the processor's reference of the money, by which the bank can take it back.
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
        """Let a try of the payer be declined; the page stays payable, unless it was the *final*."""
        self._play("decline_try", reference=reference, code=code, final=final)

    def cancel(self, reference: str) -> None:
        """Let the payer cancel on the page."""
        self._play("cancel", reference=reference)

    # --- The payer's bank -----------------------------------------------------------------------

    def return_check(self, reference: str, code: str = "R01") -> None:
        """Send an e-check back, before or after it settled."""
        self._play("return_check", reference=reference, code=code)

    def return_early(self, reference: str, code: str = "R01", *, days: int = 3) -> None:
        """Tell that an e-check came back that waits, and only *days* later that it had come."""
        self._play("return_early", reference=reference, code=code, days=days)

    def elsewhere(self, minor: int, *, readable: bool = True) -> None:
        """Let somebody else charge at the same account, and tell us of it as well."""
        self._play("elsewhere", minor=minor, readable=readable)

    def dispute(self, reference: str, amount: Money | None = None) -> None:
        """Let the card holder's bank take the money back, all or *amount* of it."""
        self._play("dispute", reference=reference, minor=amount.minor if amount else 0)

    def open_dispute(self, reference: str, amount: Money | None = None, *, days: int = 14) -> None:
        """Let the bank dispute the money; it takes it by `dispute`, evidence is due in *days*."""
        minor = amount.minor if amount else 0
        self._play("open_dispute", reference=reference, minor=minor, days=days)

    def win_dispute(self, reference: str) -> None:
        """Decide the disputes for the merchant, and give back what `dispute` took."""
        self._play("win_dispute", reference=reference)

    def lose_dispute(self, reference: str) -> None:
        """Decide the disputes against the merchant: what `dispute` took is gone."""
        self._play("lose_dispute", reference=reference)

    # --- The processor's payouts ------------------------------------------------------------

    def pay_out(self, reference: str, *, percent: int = 100, fee: Money | None = None) -> None:
        """Pay out what moved for an order, *percent* of it until now, less *fee* on each."""
        fee_minor = None if fee is None else fee.minor
        self._play("pay_out", reference=reference, percent=percent, fee_minor=fee_minor)

    def fail_refund(self, reference: str) -> None:
        """Let a refund, named by its own reference, fail after all."""
        self._play("fail_refund", reference=reference)

    def approve_late(self, reference: str) -> None:
        """Let the money of a declined charge come after all."""
        self._play("approve_late", reference=reference)
