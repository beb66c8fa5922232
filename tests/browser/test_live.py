"""The pages that the application serves, in Chromium: barriers, HTML, weight, and Lighthouse."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any, Literal

import pytest

from paygate import Kind
from paygate.web.desk import Role, Staff
from tests.browser.conftest import Shown
from tests.browser.payers import Merchant, open_merchant, usd
from tests.browser.tools import CHROMIUM, TOOLS, axe, program, require, vnu

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
LEAST = {"performance": 0.98, "accessibility": 1.0, "best-practices": 1.0}
_MEASUREMENTS = 4


@pytest.fixture(scope="module")
def merchant() -> Generator[Merchant]:
    with open_merchant() as found:
        yield found


@pytest.fixture(scope="module")
def live(merchant: Merchant) -> dict[str, str]:
    """Return addresses of live pages in different states."""
    found = dict[str, str]()
    for number, kind in enumerate((Kind.CARD, Kind.E_CHECK, Kind.VOUCHER, Kind.BITCOIN)):
        name = f"INV-{number}"
        merchant.issue(name, "30.00", customer=f"C-{number}")
        link = merchant.link(name, key=name)
        found[f"link-{kind}"] = merchant.address(link)
        payment = merchant.cashier.pay_link(
            link.token or "",
            given=merchant.cashier.begin_try(link),
            via=kind.value,
            kind=kind,
            return_url=f"{merchant.web.root}/p/{{page}}/back",
        )
        page = merchant.cashier.payment_page(payment).address(merchant.web.root)
        found[kind.value] = page
        if kind in (Kind.CARD, Kind.E_CHECK):
            merchant.gateways[kind].pay(payment.reference)
            merchant.cashier.inquire(payment)
    merchant.issue("INV-9", "42.50", customer="C-9")
    found["choose"] = merchant.address(merchant.link("INV-9", key="9"))
    found["receipt"] = f"{found['card']}/receipt"
    found["missing"] = f"{merchant.web.root}/l/{'A' * 22}"
    merchant.issue("INV-10", "30.00", customer="C-1")
    check = merchant.cashier.record("INV-9", amount=usd("2.50"), by="check", key="till")
    merchant.staff = Staff(id="anna", role=Role.CLERK, session="s")
    found["portal"] = merchant.portal
    found["portal-add"] = f"{merchant.portal}methods/new"
    found["desk"] = merchant.desk
    found["desk-payment"] = f"{merchant.desk}payments/{check.id}"
    found["desk-reverse"] = f"{merchant.desk}payments/{check.id}/reverse"
    return found


NAMES = ["choose", "card", "receipt", "e_check", "voucher", "bitcoin", "missing"]


OF_STAFF = ["desk", "desk-payment", "desk-reverse"]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        *((name, code) for code in ("en", "ar") for name in (*NAMES, "portal", "portal-add")),
        *((name, "en") for name in OF_STAFF),
    ],
)
def test_a_live_page_has_no_barrier_and_is_valid(
    live: dict[str, str], chromium: Any, tmp_path: Path, name: str, code: str
) -> None:
    context = chromium.new_context(
        viewport={"width": 320, "height": 800}, locale=code, reduced_motion="reduce"
    )
    try:
        shown = Shown.of(context.new_page())
        response = shown.page.goto(live[name])
        assert response is not None
        assert shown.page.evaluate("document.documentElement.lang") == code
        for scheme in SCHEMES:
            shown.page.emulate_media(color_scheme=scheme)
            assert axe(shown.page) == []
        assert shown.page.evaluate("document.documentElement.scrollWidth") <= 320
        loaded = [each for each in shown.requests if not each.startswith("data:")]
        assert len([each for each in loaded if not each.endswith("/state")]) <= 2
        body = response.body()
    finally:
        context.close()
    complaints = [each for each in shown.complaints if "status of 404" not in each]
    assert complaints == []
    # A QR code and a barcode have up to 6 kB each.
    assert len(body) <= 14_000 + 12_000 * (name in ("voucher", "bitcoin"))
    file = tmp_path / "page.html"
    file.write_bytes(body)
    assert vnu([file]) == []


@pytest.mark.parametrize(
    "name", ["choose", "card", "receipt", "e_check", "portal", "portal-add", "desk", "desk-reverse"]
)
def test_lighthouse_finds_nothing_to_improve(
    live: dict[str, str], tmp_path: Path, name: str
) -> None:
    # Whatever else the machine does counts against the speed of a page, so the best of some
    # measurements counts.
    found = list[tuple[dict[str, float], list[str]]]()
    for number in range(_MEASUREMENTS):
        found.append(measured(live[name], tmp_path / f"report-{number}.json"))
        if all(found[-1][0][each] >= least for each, least in LEAST.items()):
            return
    pytest.fail(str(found))


def measured(address: str, report: Path) -> tuple[dict[str, float], list[str]]:
    """Return the scores of a page by category, and the audits that it fails."""
    script = require(TOOLS / "lighthouse" / "cli" / "index.js")
    done = subprocess.run(
        [
            program("node"),
            str(script),
            address,
            "--quiet",
            "--output=json",
            f"--output-path={report}",
            f"--only-categories={','.join(LEAST)}",
            "--chrome-flags=--headless=new --no-sandbox --disable-gpu",
        ],
        env={**os.environ, "CHROME_PATH": CHROMIUM},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(report.read_text("utf-8"))
    scores = {each: found["categories"][each]["score"] for each in LEAST}
    wrong = [
        each["id"]
        for each in found["audits"].values()
        if each.get("score") not in (None, 1) and each.get("scoreDisplayMode") == "binary"
    ]
    return scores, wrong
