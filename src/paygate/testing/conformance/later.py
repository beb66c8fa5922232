"""What can happen to money after it was taken, by the name of the case that tells of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

WITHOUT_SETTLEMENT: Final[Mapping[str, str]] = {
    "refunded": "money was sent back, by somebody in the processor's own pages, say",
    "returned": "the payer's bank says that the money never came",
    "disputed": "the cardholder's bank took the money",
    "won": "the dispute was won, and the money came back",
    "lost_again": "the dispute was lost after all, and the money was taken once more",
}
"""What can happen to money that was taken."""

LATER: Final[Mapping[str, str]] = {
    **WITHOUT_SETTLEMENT,
    "settled": "the money reached the merchant, less a fee",
}
"""The same if the rail tells settlement."""

ENDS: Final[Mapping[str, str]] = {
    "expired": "nobody paid in time",
    "canceled": "the payer or the merchant took it back",
}
"""How a page, slip or hold ends without money."""
