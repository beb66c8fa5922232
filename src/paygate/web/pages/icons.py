"""Icons of the pages: outlines in a square of 24, drawn with strokes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

ICONS: Final[Mapping[str, str]] = {
    "card": "M3 6.5h18v11H3zM3 10.5h18M6.5 14.5h3",
    "bank": "M3.5 9.5 12 4.5l8.5 5zM6 10v7M10 10v7M14 10v7M18 10v7M4 19.5h16",
    "wallet": "M4 8h15.5v11H4zM4 8V6.5L17 5v3M16 13.5h.01",
    "bitcoin": "M8 6h6.5a2.75 2.75 0 0 1 0 5.5H9M9 11.5h6.2a3.25 3.25 0 0 1 0 6.5H8M9.5 6v12"
    "M11 4v2M14 4v2M11 18v2M14 18v2",
    "slip": "M6 3.5h12v17l-2-1.5-2 1.5-2-1.5-2 1.5-2-1.5-2 1.5zM9 8.5h6M9 12.5h6",
    "phone": "M7.5 3.5h9v17h-9zM11 17.5h2",
    "code": "M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h2v2h-2zM18 18h2v2h-2zM18 14h2M14 18v2",
    "lock": "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
    "good": "m5.5 12.5 4.5 4.5 9-10",
    "bad": "m6.5 6.5 11 11M17.5 6.5l-11 11",
    "doubt": "M9 9a3 3 0 1 1 4.6 2.5c-1 .7-1.6 1.3-1.6 2.5M12 18h.01",
    "wait": "M12 7v5l3 2M12 3.5a8.5 8.5 0 1 1 0 17 8.5 8.5 0 0 1 0-17",
}
"""The path of each icon."""
