"""What can happen to money after it was taken, by the name of the case that reports it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

WITHOUT_SETTLEMENT: Final[Mapping[str, str]] = {
    "refunded": "money was sent back, for example by a clerk on the processor's own pages",
    "returned": "the payer's bank says that the money never came",
    "disputed": "the cardholder's bank took the money back",
    "won": "the dispute was won, and the money came back",
    "lost_again": "the dispute was lost after all, and the money was taken once more",
}
"""What can happen to money that was taken, except its settlement."""

LATER: Final[Mapping[str, str]] = {
    **WITHOUT_SETTLEMENT,
    "settled": "the money reached the merchant, less a fee",
}
"""The same for a rail that reports settlement."""

ENDS: Final[Mapping[str, str]] = {
    "expired": "nobody paid in time",
    "canceled": "the payer or the merchant canceled it",
}
"""The ways in which a page, slip or hold ends without money."""
