"""A merchant whose customers do not all pay: a day is news, run, sweep, people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paygate import Campaign
from tests.reading import every_event
from tests.service.autopaying import Merchant

if TYPE_CHECKING:
    from pathlib import Path

    from paygate import AutopayPolicy, AutopayRun, OverdueRun
    from paygate.domain.event import Event

SHOWN = ("invoice.", "autopay.", "customer.", "promise.", "commitment.", "method.blocked")
PASSED_OVER = ("autopay.subscribed", "invoice.generated", "invoice.partially_paid")


class Dunning(Merchant):
    """A merchant who sweeps every day; `told` lists the news, the stages and the notices."""

    def __init__(
        self,
        folder: Path,
        start: str,
        policy: AutopayPolicy | None = None,
        campaign: Campaign | None = None,
        **more: Any,
    ) -> None:
        super().__init__(folder, start, policy, campaign=campaign or Campaign(), **more)
        self.quiet = False  # whether processors report nothing for now

    def news(self) -> None:
        if not self.quiet:
            super().news()

    def day(self) -> AutopayRun:
        done = super().day()
        self.sweep()
        return done

    def sweep(self) -> OverdueRun:
        planned = self.cashier.run_overdue(dry_run=True)
        done = self.cashier.run_overdue()
        assert done.finished
        # A dry run says what the sweep does; a sweep that was done before does nothing again.
        assert planned.finished is False
        return done

    def state(self, customer: str = "C-1") -> str:
        return self.cashier.standing(customer).state.value.upper()

    def heard(self) -> list[str]:
        """Return what happened since the last call, as the worked calendars word it."""
        events = list(every_event(self.cashier))
        new, self.seen = events[self.seen :], len(events)
        return [line for each in new if (line := _line(each))]


def _line(event: Event) -> str:
    data = event.data
    if event.type == "notice.due":
        return f"{data['kind']} notice"
    if not event.type.startswith(SHOWN) or event.type in PASSED_OVER:
        return ""
    kind = event.type.removeprefix("invoice.").removeprefix("autopay.").removeprefix("customer.")
    about = data.get("number") if event.type.startswith("invoice.") else None
    day = data.get("day") or data.get("until")
    return " ".join(str(each) for each in (kind, about, day) if each)
