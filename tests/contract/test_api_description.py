"""Schemathesis reads the description of the API and tries to find where the API differs.

It sends what the description allows and what it forbids, follows what one response says to the
next request, and checks each response: all of its checks, in all of its phases.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from paygate.web.api import api
from tests.web.api.calling import Shop, entry
from tests.web.serving import asgi_served

# What the description cannot say, such as the digits of each currency or that a link expires later
# than now, is refused with 422.
SETTINGS = """
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "409", "422"]

# A period can end before it begins.
[[operations]]
include-name = "GET /v1/customers/{customer_id}/statement.pdf"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "404", "409"]
"""
EXAMPLES = 12


@pytest.fixture
def shop() -> Iterator[Shop]:
    made = Shop()
    with made.cashier:
        yield made
        assert made.cashier.fsck() == []


def existing(shop: Shop) -> str:
    """Return settings by which the addresses name records that exist."""
    payment = shop.paid("INV-1")
    made = entry()
    prepayment = shop.cashier.prepay(
        "C-1", shop.cashier.invoice("INV-1").total, assignment_key=made["assignment_key"], key="k"
    )
    link = shop.cashier.link(prepayment, key="k")
    names = {
        "payment_id": payment,
        "prepayment_id": prepayment.id,
        "invoice_id": "INV-1",
        "link_id": link.id,
    }
    return "[parameters]\n" + "".join(f'{name} = "{id_}"\n' for name, id_ in names.items())


@pytest.mark.parametrize("known", [False, True], ids=["any address", "addresses of records"])
def test_the_api_is_as_its_description_says(shop: Shop, tmp_path: Path, *, known: bool) -> None:
    secret = shop.key()
    (tmp_path / "schemathesis.toml").write_text((existing(shop) if known else "") + SETTINGS)
    with asgi_served(api(shop.cashier, shop.web, refused_per_minute=1_000_000)) as url:
        done = subprocess.run(
            [
                *(Path(sys.executable).with_name("schemathesis"), "run", f"{url}/openapi.json"),
                *("--checks", "all", "--phases", "examples,coverage,fuzzing,stateful"),
                *("--header", f"Authorization: Bearer {secret}"),
                *("--max-examples", str(EXAMPLES), "--seed", "7", "--no-color"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode == 0, done.stdout[-8_000:] + done.stderr[-2_000:]
    assert "Test Phases:" in done.stdout
    assert secret not in done.stdout
