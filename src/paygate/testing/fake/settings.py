"""Settings of the fake gateways, for hosts that build accounts from plain data."""

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
    kind: Kind = Field(default=Kind.CARD, description="The kind of payment.")
    merchant_account: str = Field(
        default="fake-merchant", description="The merchant's account at the processor."
    )
    signing_key: Secret[str] = Field(
        default_factory=lambda: Secret(SIGNING_KEY), description="The key that signs the callbacks."
    )
    currencies: frozenset[str] | None = Field(
        default=None, description="Currencies that the account accepts; all if left out."
    )
    limits: dict[str, tuple[int | None, int | None]] = Field(
        default_factory=dict, description="Minimum and maximum amount in minor units, by currency."
    )
    inquiry: InquiryBy = Field(
        default=InquiryBy.OUR_REF, description="How an inquiry finds an operation."
    )
    not_found_is_final_after_s: float | None = Field(
        default=300, description="Seconds after which 'not found' is believed; never if null."
    )

    def overrides(self) -> Overrides:
        """Return the traits that the settings change."""
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
        default=None, description="File in which the processor keeps its journal."
    )


class LoopbackSettings(_Common):
    """A fake account whose processor runs in a process of its own."""

    url: str = Field(
        description="The address that the fake processor printed when it started.",
        examples=["http://127.0.0.1:4000"],
    )
