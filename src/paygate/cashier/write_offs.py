"""Write-offs: open amounts that the merchant gives up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.cashier import arguments
from paygate.cashier.base import OnLedger
from paygate.cashier.verbs import verb
from paygate.domain.text import note

if TYPE_CHECKING:
    from paygate.domain.invoice import Invoice
    from paygate.domain.money import Money
    from paygate.domain.reversal import WriteOff
    from paygate.service.flow import Flow


class WriteOffs(OnLedger):
    """Verbs that write off open amounts."""

    @verb
    def write_off(
        self,
        invoice: Invoice | str,
        *,
        reason: str,
        key: str,
        amount: Money | None = None,
    ) -> Flow[WriteOff]:
        """Write off an open amount of *invoice*; without *amount*, all that is open."""
        from paygate.service import write_off

        wanted = arguments.maybe(arguments.money, amount, "amount")
        flow = write_off.write_off(
            arguments.invoice(invoice, "invoice"),
            amount=wanted,
            reason=note(reason, "reason"),
            key=arguments.key(key),
        )
        return (yield from flow)

    @verb
    def write_offs(self, invoice: Invoice | str) -> Flow[list[WriteOff]]:
        """List the write-offs of *invoice*, the oldest first, including undone ones."""
        from paygate.service import write_off

        return (yield from write_off.list_(arguments.invoice(invoice, "invoice")))

    @verb
    def undo_write_off(self, write_off_: WriteOff | str) -> Flow[WriteOff]:
        """Undo a write-off; the amount is open again."""
        from paygate.service import write_off

        return (yield from write_off.undo_write_off(arguments.write_off(write_off_, "write_off_")))
