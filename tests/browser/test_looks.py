"""Every state of the pages in a browser: accessible, valid, and legible at any size."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import pytest

from paygate.web.desk.samples import DESK_SAMPLES
from paygate.web.languages import LANGUAGES
from paygate.web.pages.samples import SAMPLES
from paygate.web.portal.samples import PORTAL_SAMPLES
from tests.browser.conftest import Show, html_of
from tests.browser.tools import axe, until, vnu

ALL = [*SAMPLES, "receipt", *PORTAL_SAMPLES, *DESK_SAMPLES]
# One of each template, and of each part that changes the layout.
TEMPLATES = ["choose-wrong", "unknown", "declined", "bitcoin", "slip", "script", "receipt"]
OF_PORTAL = ["portal-wrong", "portal-add-wrong", "portal-payments"]
OTHERS = [code for code in LANGUAGES if code != "en"]
LOOKED_AT = [
    *((name, "en") for name in ALL),
    *((name, code) for code in OTHERS for name in TEMPLATES),
    *((name, code) for code in OTHERS for name in OF_PORTAL),
]


@pytest.mark.parametrize(("name", "code"), LOOKED_AT)
def test_a_page_has_no_barrier_loads_little_and_fits_at_320_pixels(
    show: Show, name: str, code: str
) -> None:
    shown = show(name, code, reduced_motion="reduce")

    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        shown.page.emulate_media(color_scheme=scheme)
        assert axe(shown.page) == []
    assert shown.complaints == []
    loaded = [each for each in shown.requests if not each.startswith("data:")]
    # On a slow machine, the script has asked for the state by now.
    assert len([each for each in loaded if not each.endswith("/state")]) <= 2
    shown.page.set_viewport_size({"width": 320, "height": 800})
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= 320


def test_a_page_is_valid_html(tmp_path: Path) -> None:
    files: list[Path] = []
    for name, code in LOOKED_AT:
        file = tmp_path / f"{name}.{code}.html"
        file.write_text(html_of(name, code), "utf-8")
        files.append(file)

    assert vnu(files) == []


@pytest.mark.parametrize("name", ["choose", "unknown", "bitcoin", "slip"])
def test_colors_that_a_reader_forces_leave_buttons_and_codes_visible(show: Show, name: str) -> None:
    page = show(name, forced_colors="active").page

    for button in page.locator(".button:visible").all():
        assert button.evaluate("each => getComputedStyle(each).borderTopWidth") != "0px"
    for code in page.locator(".qr, .bars").all():
        assert (
            code.evaluate("each => getComputedStyle(each).backgroundColor") == "rgb(255, 255, 255)"
        )


@pytest.mark.parametrize("paper", ["A4", "Letter"])
@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("name", ["slip", "receipt"])
def test_a_slip_or_receipt_is_printed_on_one_page(
    show: Show, name: str, code: str, paper: str
) -> None:
    side = "1.5cm"
    printed = show(name, code, width=1280).page.pdf(
        format=paper, margin={"top": side, "right": side, "bottom": side, "left": side}
    )

    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1


@pytest.mark.parametrize("width", [320, 390, 1280])
@pytest.mark.parametrize(
    ("name", "kinds"), [("slip", {"Code 128", "QR Code"}), ("bitcoin", {"QR Code"})]
)
def test_a_scanner_reads_the_codes_from_the_screen(
    show: Show, name: str, kinds: set[str], width: int
) -> None:
    zxingcpp: Any = pytest.importorskip("zxingcpp")
    from PIL import Image

    for scheme in ("light", "dark"):
        page = show(name, width=width, color_scheme=scheme, device_scale_factor=2).page
        picture = Image.open(BytesIO(page.screenshot(full_page=True)))
        found = {str(each.format) for each in zxingcpp.read_barcodes(picture)}
        assert found == kinds


def test_the_summary_of_errors_has_the_focus_and_leads_to_the_field(show: Show) -> None:
    page = show("choose-wrong").page

    assert page.evaluate("document.activeElement.id") == "problem"
    page.get_by_role("link", name="Enter an amount between").click()
    assert page.evaluate("document.activeElement.id") == "f-amount"


def test_without_the_script_nothing_is_shown_that_needs_it(show: Show) -> None:
    page = show("bitcoin", java_script_enabled=False).page

    assert page.get_by_role("button", name="Copy").count() == 0
    assert page.get_by_role("link", name="Check again").is_visible()


def test_the_script_shows_what_it_can_do(show: Show) -> None:
    page = show("bitcoin", permissions=["clipboard-read", "clipboard-write"]).page

    page.get_by_role("button", name="Copy").first.click()
    until(page, "document.getElementById('news').textContent")
    assert page.get_by_role("status").inner_text() == "Copied"
    assert page.evaluate("navigator.clipboard.readText()").startswith("bc1q")
