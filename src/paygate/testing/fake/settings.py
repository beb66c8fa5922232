"""Settings of the fake gateways, for a registry that builds accounts from plain data."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from paygate.driver import InquiryBy, Kind, Limits, Secret, Settings
from paygate.testing.processor import SIGNING_KEY

if TYPE_CHECKING:
    from paygate.testing.processor.rails import Overrides


class _Common(Settings):
    kind: Kind = Field(default=Kind.CARD, description="How money travels.")
    merchant_account: str = Field(default="fake-merchant", description="Whose account this is.")
    signing_key: Secret[str] = Field(
        default_factory=lambda: Secret(SIGNING_KEY), description="Signs the callbacks."
    )
    currencies: frozenset[str] | None = Field(
        default=None, description="Currencies that the account takes; all if left out."
    )
    limits: dict[str, tuple[int | None, int | None]] = Field(
        default_factory=dict, description="Smallest and largest amount in minor units, by currency."
    )
    inquiry: InquiryBy = Field(
        default=InquiryBy.OUR_REF, description="How an operation can be found again."
    )
    not_found_is_final_after_s: float | None = Field(
        default=300, description="Seconds after which 'not found' is believed; never if null."
    )

    def overrides(self) -> Overrides:
        """Say as traits what the settings say."""
        final_s = self.not_found_is_final_after_s
        return {
            "merchant_account": self.merchant_account,
            "currencies": self.currencies,
            "limits": {
                currency: Limits(minimum_minor=low, maximum_minor=high)
                for currency, (low, high) in self.limits.items()
            },
            "inquiry": self.inquiry,
            "not_found_is_final_after": None if final_s is None else timedelta(seconds=final_s),
        }


class FakeSettings(_Common):
    """A fake account with its processor in memory."""

    journal: Path | None = Field(
        default=None, description="File in which the processor keeps its truth."
    )


class LoopbackSettings(_Common):
    """A fake account whose processor runs in a process of its own."""

    url: str = Field(
        description="What the fake processor printed when it started.",
        examples=["http://127.0.0.1:4000"],
    )
