"""Ten thousand tokens that lead nowhere: one page for all of them, and nothing happens."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import timedelta
from itertools import cycle

import httpx

from paygate import Cashier, Kind
from paygate.testing import FakeClock, FakeGateway
from paygate.web.pages import pages
from paygate.web.settings import WebSettings
from tests.web.pages.paying import KEY, usd

TRIES = 10_000
ORIGIN = "https://pay.example"


def dead_tokens(cashier: Cashier, clock: FakeClock) -> Iterator[str]:
    """Yield, without end, tokens that were valid once or are valid for somebody else."""
    found: list[str] = []
    for number in range(20):
        cashier.issue(number=f"A{number}", customer="C", total=usd("30"), due="2031-01-01")
        link = cashier.link(
            f"A{number}", key=f"k{number}", expires=clock.now() + timedelta(hours=1)
        )
        assert link.token is not None
        found.append(link.token.reveal())
        if number % 3 == 0:
            cashier.revoke_link(link, reason="a test")
        elif number % 3 == 1:
            cashier.reissue_link(link)
    clock.advance(timedelta(hours=2))
    other = cashier.for_tenant("other")
    other.issue(number="B", customer="C", total=usd("30"), due="2031-01-01")
    link = other.link("B", key="k")
    assert link.token is not None
    found.append(link.token.reveal())
    return cycle(found)


async def test_ten_thousand_guessed_and_dead_tokens_get_one_page() -> None:
    clock = FakeClock()
    slip = FakeGateway(Kind.VOUCHER, clock=clock)
    with Cashier.in_memory(gateways={"cash": slip}, clock=clock, page_keys=[KEY]) as cashier:
        dead = dead_tokens(cashier, clock)
        web = WebSettings(payee="Alder", base_url=f"{ORIGIN}/", misses_per_minute=TRIES)
        before = cashier.events(limit=1000)
        bodies, statuses = set[bytes](), set[int]()
        transport = httpx.ASGITransport(pages(cashier, web))
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
            for number in range(TRIES):
                token = next(dead) if number % 2 else secrets.token_urlsafe(16)
                path = f"/{'lp'[number % 4 > 1]}/{token}"
                if number % 10:
                    response = await client.get(path)
                else:
                    form = {"via": "cash/voucher", "try": "x"}
                    response = await client.post(path, data=form, headers={"origin": ORIGIN})
                bodies.add(response.content)
                statuses.add(response.status_code)

        assert statuses == {404}
        assert len(bodies) == 1
        assert cashier.payments() == []
        assert cashier.events(limit=1000) == before
        assert cashier.fsck() == []
