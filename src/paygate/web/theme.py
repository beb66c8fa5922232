"""The theme of the pages: the merchant's color, shape and font, which readers must be able to read.

The pages have a light and a dark scheme. The brand color is the background of the main button and
the color of links and of the other buttons, so it is compared with its ink and with the page.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from paygate.errors import InvalidValue

CONTRAST_MIN: Final = 4.5
"""The lowest contrast of text: success criterion 1.4.3 of WCAG 2.2, level AA."""

LIGHT_PAGE: Final = ("#f4f6fa", "#ffffff")
DARK_PAGE: Final = ("#0d1117", "#171d26")
"""The backgrounds of the page and of its cards, in both schemes."""

_COLOR: Final = re.compile(r"#(?:[0-9a-f]{3}|[0-9a-f]{6})", re.IGNORECASE)
_LENGTH: Final = re.compile(r"(?:0|\d{1,2}(?:\.\d{1,3})?(?:px|rem))")
_FONT: Final = re.compile(r"""[\w ,"'-]{1,200}""", re.ASCII)


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colors, from 1 to 21, as WCAG defines it."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    digits = color.lstrip("#")
    if len(digits) == 3:
        digits = "".join(2 * each for each in digits)
    red, green, blue = (int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))
    return 0.2126 * _linear(red) + 0.7152 * _linear(green) + 0.0722 * _linear(blue)


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """How the pages look; colors are hexadecimal, such as ``#1a4bd1``.

    *brand* is the color of buttons and links, *brand_ink* that of the text on it, each also for
    the dark scheme. *radius* rounds the corners, in px or rem, and *font* is a list of font
    families of the reader's machine. Raises `InvalidValue` for a contrast below 4.5:1.
    """

    brand: str = "#1a4bd1"
    brand_ink: str = "#ffffff"
    dark_brand: str = "#8fb0ff"
    dark_brand_ink: str = "#0d1117"
    radius: str = "12px"
    font: str = (
        'system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Noto Sans Arabic",sans-serif'
    )

    def __post_init__(self) -> None:
        for name in ("brand", "brand_ink", "dark_brand", "dark_brand_ink"):
            self._require(name, _COLOR, "a hexadecimal color such as #1a4bd1")
        self._require("radius", _LENGTH, "a length such as 12px or 0.75rem")
        self._require("font", _FONT, "a list of font families")
        self._readable("light", self.brand, self.brand_ink, LIGHT_PAGE)
        self._readable("dark", self.dark_brand, self.dark_brand_ink, DARK_PAGE)

    def _require(self, name: str, form: re.Pattern[str], what: str) -> None:
        given: object = getattr(self, name)
        if not isinstance(given, str) or not form.fullmatch(given):
            raise InvalidValue(f"{name} of a theme must be {what}", argument=name)

    @staticmethod
    def _readable(scheme: str, brand: str, ink: str, page: tuple[str, str]) -> None:
        for other, role in ((ink, "its ink"), *((each, "the page") for each in page)):
            found = contrast(brand, other)
            if found < CONTRAST_MIN:
                raise InvalidValue(
                    f"the brand color {brand} has a contrast of {found:.2f}:1 with {role} "
                    f"({other}) in the {scheme} scheme; readers need {CONTRAST_MIN}:1",
                    argument="brand" if scheme == "light" else "dark_brand",
                )

    def variables(self) -> str:
        """Return the values that the style of the pages uses, as CSS."""
        return (
            f":root{{--pg-brand:{self.brand};--pg-brand-ink:{self.brand_ink};"
            f"--pg-radius:{self.radius};--pg-font:{self.font}}}"
            f"@media (prefers-color-scheme:dark){{:root{{--pg-brand:{self.dark_brand};"
            f"--pg-brand-ink:{self.dark_brand_ink}}}}}"
        )
