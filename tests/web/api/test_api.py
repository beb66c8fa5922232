"""The API: what it makes, reads and refuses, and that each request is done once."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pypdfium2
import pytest

from paygate import Cashier, Merchants, Money
from paygate.testing import FakeClock, FakeGateway
from paygate.web.api import api
from tests.web.api.calling import PAGE_KEY, PREFIX, Shop, calling, entry, usd


@pytest.fixture
def shop() -> Iterator[Shop]:
    made = Shop()
    with made.cashier:
        yield made
        assert made.cashier.fsck() == []


async def test_an_entry_with_its_link_is_made_once(shop: Shop) -> None:
    async with calling(shop) as program:
        first = await program.post("/v1/prepayments", entry(link={"uses": 1}), key="order-7")
        again = await program.post("/v1/prepayments", entry(link={"uses": 1}), key="order-7")

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    made = first.json()
    assert made["amount"] == made["open"] == usd("49.00")
    assert made["status"] == "open"
    assert made["link"]["url"].startswith("https://alder.example/pay/l/")
    assert first.headers["location"] == f"{PREFIX}/v1/prepayments/{made['id']}"
    [stored] = shop.cashier.links()
    assert stored.address(shop.web.root) == made["link"]["url"]
    assert len(shop.cashier.prepayments()) == 1
    created = [each for each in shop.cashier.events() if each.type == "prepayment.created"]
    assert [each.actor for each in created] == ["api key-1"]


async def test_twenty_equal_requests_at_once_make_one_entry(shop: Shop) -> None:
    async with calling(shop) as program:
        asked = [program.post("/v1/prepayments", entry(link={}), key="k") for _ in range(20)]
        answers = await asyncio.gather(*asked)

    assert {each.status_code for each in answers} == {201}
    assert len({each.content for each in answers}) == 1
    assert len(shop.cashier.prepayments()) == len(shop.cashier.links()) == 1


async def test_a_used_key_refuses_another_request_and_only_of_its_api_key(shop: Shop) -> None:
    async with calling(shop) as program:
        await program.post("/v1/prepayments", entry(), key="k")
        other = await program.post("/v1/prepayments", entry(amount=usd("48.00")), key="k")
        elsewhere = await program.post("/v1/links", {"customer": "C-1", "currency": "USD"}, key="k")
        spaced = await program.client.post(
            f"{PREFIX}/v1/prepayments",
            content=json.dumps(dict(reversed(entry().items())), indent=3),
            headers=program.headers(**{"idempotency-key": "k", "content-type": "application/json"}),
        )
        program.secret = shop.key("write")
        theirs = await program.post("/v1/links", {"customer": "C-1", "currency": "USD"}, key="k")

    assert (other.status_code, elsewhere.status_code) == (422, 422)
    assert other.json()["type"] == "urn:paygate:problem:key-reused"
    assert other.headers["content-type"] == "application/problem+json"
    assert spaced.status_code == 201  # spaces and order are no difference
    assert theirs.status_code == 201
    [entry_] = shop.cashier.prepayments()
    assert entry_.amount == Money.of("USD", "49.00")


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 129, "ä"])
async def test_a_request_that_changes_something_needs_a_key(shop: Shop, key: str) -> None:
    async with calling(shop) as program:
        answer = await program.client.post(
            f"{PREFIX}/v1/prepayments",
            json=entry(),
            headers=[
                (b"authorization", f"Bearer {program.secret}".encode()),
                *([(b"idempotency-key", key.encode())] if key else []),
            ],
        )

    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:paygate:problem:idempotency-key-missing"
    assert shop.cashier.prepayments() == []


async def test_an_invoice_a_link_and_what_became_of_them_are_read(shop: Shop) -> None:
    body = {"number": "INV-9", "customer": {"id": "C-9", "email": "m@mail.example"}}
    async with calling(shop) as program:
        made = await program.post(
            "/v1/invoices", {**body, "total": usd("30.00"), "due": "2031-12-31", "link": {}}
        )
        assert made.status_code == 201, made.text
        link = made.json()["link"]["id"]
        payment = shop.paid("INV-10")
        read = {
            path: (await program.get(path)).json()
            for path in (
                "/v1/invoices/INV-9",
                f"/v1/links/{link}",
                f"/v1/payments/{payment}",
                "/v1/invoices",
                "/v1/payments",
                "/v1/events",
            )
        }

    assert read["/v1/invoices/INV-9"]["open"] == usd("30.00")
    assert read[f"/v1/links/{link}"]["status"] == "active"
    assert read[f"/v1/payments/{payment}"]["received"] == usd("30.00")
    assert [each["number"] for each in read["/v1/invoices"]["items"]] == ["INV-10", "INV-9"]
    assert [each["id"] for each in read["/v1/payments"]["items"]] == [payment]
    types = [each["type"] for each in read["/v1/events"]["items"]]
    assert "invoice.generated" in types
    assert "payment.succeeded" in types
    customer = shop.cashier.customer("C-9")
    assert customer is not None
    assert customer.email == "m@mail.example"


async def test_a_link_is_revoked_and_reissued_once(shop: Shop) -> None:
    async with calling(shop) as program:
        made = (await program.post("/v1/prepayments", entry(link={}))).json()["link"]
        path = f"/v1/links/{made['id']}"
        first = await program.post(f"{path}/reissue", {}, key="again")
        second = await program.post(f"{path}/reissue", {}, key="again")
        revoked = await program.post(f"{path}/revoke", {"reason": "sent to another"})
        refused = await program.post(f"{path}/reissue", {})

    assert first.json()["url"] == second.json()["url"] != made["url"]
    assert revoked.json()["status"] == "revoked"
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:paygate:problem:link-ended")


async def test_pages_follow_each_other_without_a_gap(shop: Shop) -> None:
    for number in range(7):
        shop.cashier.prepay(
            "C-1", Money.of("USD", "1.00"), assignment_key=f"O-{number}", key=f"k-{number}"
        )
    seen: list[str] = []
    async with calling(shop) as program:
        query: dict[str, Any] = {"limit": 3}
        while True:
            page = (await program.get("/v1/prepayments", **query)).json()
            seen += [each["assignment_key"] for each in page["items"]]
            if page["next"] is None:
                break
            query["after"] = page["next"]
        events: list[int] = []
        after = 0
        while page := (await program.get("/v1/events", after=after, limit=3)).json():
            if not page["items"]:
                break
            events += [each["position"] for each in page["items"]]
            after = page["next"]

    assert seen == [f"o-{number}" for number in range(6, -1, -1)]
    assert events == list(range(1, len(events) + 1))


# --- Refunds ---------------------------------------------------------------------------------


async def test_a_refund_asked_twice_at_once_sends_money_once(shop: Shop) -> None:
    payment = shop.paid()
    async with calling(shop, "refund") as program:
        path = f"/v1/payments/{payment}/refunds"
        asked = [program.post(path, {"amount": usd("30.00")}, key="r") for _ in range(8)]
        answers = await asyncio.gather(*asked)
        later = await program.post(path, {"amount": usd("30.00")}, key="r")
        more = await program.post(path, {"amount": usd("0.01")}, key="r-2")

    assert {each.status_code for each in answers} == {201}
    assert later.json()["state"] == "succeeded"
    assert later.json()["payment"]["returned"] == usd("30.00")
    assert more.status_code == 409
    assert shop.card.moved("USD") == Money.of("USD", "0.00")


async def test_refunds_under_different_keys_never_exceed_what_came(shop: Shop) -> None:
    payment = shop.paid()
    async with calling(shop, "refund") as program:
        path = f"/v1/payments/{payment}/refunds"
        asked = [program.post(path, {"amount": usd("20.00")}, key=f"r-{n}") for n in range(6)]
        answers = await asyncio.gather(*asked)

    assert sorted(each.status_code for each in answers) == [201, 409, 409, 409, 409, 409]
    assert shop.card.moved("USD") == Money.of("USD", "10.00")


# --- Keys ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scopes", "allowed"), [(["read"], "read"), (["write"], "write"), (["refund"], "refund")]
)
async def test_a_scope_includes_no_other(shop: Shop, scopes: list[str], allowed: str) -> None:
    payment = shop.paid()
    async with calling(shop, *scopes) as program:
        answers = {
            "read": await program.get(f"/v1/payments/{payment}"),
            "write": await program.post("/v1/prepayments", entry()),
            "refund": await program.post(f"/v1/payments/{payment}/refunds", {}),
        }

    statuses = {name: each.status_code for name, each in answers.items()}
    assert {name for name, status in statuses.items() if status < 300} == {allowed}
    assert {status for name, status in statuses.items() if name != allowed} == {403}
    refused = next(each for name, each in answers.items() if name != allowed)
    assert "insufficient_scope" in refused.headers["www-authenticate"]


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic {secret}",
        "{secret}",
        "Bearer {secret}x",
        "Bearer pgk_" + "A" * 43,
        "Bearer {secret} {secret}",
    ],
)
async def test_without_a_live_key_nothing_is_shown(shop: Shop, header: str | None) -> None:
    payment = shop.paid()
    async with calling(shop) as program:
        headers = {} if header is None else {"authorization": header.format(secret=program.secret)}
        answer = await program.client.get(f"{PREFIX}/v1/payments/{payment}", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert program.secret not in answer.text
    assert payment not in answer.text


async def test_a_revoked_key_ends_at_once(shop: Shop) -> None:
    async with calling(shop) as program:
        assert (await program.get("/v1/events")).status_code == 200
        shop.cashier.revoke_api_key("key-1", reason="leaked")
        assert (await program.get("/v1/events")).status_code == 401


async def test_guessed_keys_are_limited_and_logged_and_lock_nobody_out(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "paygate.web")
    async with calling(shop, refused_per_minute=5) as program:
        assert (await program.get("/v1/events")).status_code == 200
        good, newer = program.secret, shop.key("read")
        statuses: list[int] = []
        for number in range(8):
            program.secret = f"pgk_{number:043}"
            statuses.append((await program.get("/v1/events")).status_code)
        program.secret = newer
        unseen = await program.get("/v1/events")
        program.secret = good
        mine = await program.get("/v1/events")
        shop.clock.advance(seconds=61)
        program.secret = newer
        later = await program.get("/v1/events")

    assert statuses == [401] * 5 + [429] * 3
    assert (unseen.status_code, mine.status_code, later.status_code) == (429, 200, 200)
    assert unseen.headers["retry-after"]
    events = [getattr(each, "event", "") for each in caplog.records]
    assert events.count("api.key_refused") == 5
    assert events.count("api.keys_guessed") == 1
    assert "pgk_" not in caplog.text.replace("pgk_…", "")


async def test_another_merchants_keys_and_ids_find_nothing() -> None:
    clock, gateways = FakeClock(), {"card": FakeGateway()}
    with Cashier.in_memory(
        merchants=Merchants(lambda _: gateways), clock=clock, page_keys=[PAGE_KEY]
    ) as all_:
        north, south = Shop(), Shop()
        for each, name in ((north, "north"), (south, "south")):
            each.cashier.close()
            each.cashier = all_.for_tenant(name)
            each.card = gateways["card"]

        def web(tenant: str) -> Any:
            if tenant not in ("north", "south"):
                raise LookupError(tenant)
            return north.web

        app = api(all_, web)
        theirs = north.cashier.prepay("C-1", Money.of("USD", "5.00"), assignment_key="O-1", key="k")
        paid = north.paid("INV-1")
        link = north.cashier.link(theirs, key="k")
        import httpx

        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x.example") as client:

            async def status(tenant: str, secret: str, path: str, body: Any = None) -> int:
                headers = {"authorization": f"Bearer {secret}", "idempotency-key": "k"}
                if body is None:
                    return (await client.get(f"/{tenant}{path}", headers=headers)).status_code
                answer = await client.post(f"/{tenant}{path}", json=body, headers=headers)
                return answer.status_code

            of_north, of_south = north.key(), south.key()
            assert await status("north", of_south, f"/v1/payments/{paid}") == 401
            assert await status("nobody", of_south, f"/v1/payments/{paid}") == 404
            paths = [
                f"/v1/payments/{paid}",
                f"/v1/prepayments/{theirs.id}",
                f"/v1/links/{link.id}",
                "/v1/invoices/INV-1",
            ]
            for path in paths:
                assert await status("north", of_north, path) == 200
                assert await status("south", of_south, path) == 404
            for path, body in (
                (f"/v1/payments/{paid}/refunds", {}),
                (f"/v1/links/{link.id}/revoke", {"reason": "x"}),
                (f"/v1/links/{link.id}/reissue", {}),
                ("/v1/links", {"invoices": ["INV-1"]}),
                ("/v1/links", {"prepayment": theirs.id}),
            ):
                assert await status("south", of_south, path, body) == 404
            assert (await client.get("/openapi.json")).status_code == 200
        assert north.cashier.fsck() == []


# --- What is asked ---------------------------------------------------------------------------


def deep(levels: int) -> str:
    return json.dumps(entry())[:-1] + ', "data": {"a": ' + "[" * levels + "]" * levels + "}}"


BODIES: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 400),
    "not JSON": (b"{", 400),
    "not UTF-8": (b'{"customer": "\xff"}', 400),
    "a list": (b"[]", 422),
    "a member twice": (b'{"customer": "C-1", "customer": "C-2"}', 400),
    "a member twice, deeper": (
        json.dumps(entry())[:-1].encode() + b', "data": {"a": 1, "a": 2}}',
        400,
    ),
    "deep": (deep(5_000).encode(), 400),
    "deep and open": (b"[" * 60_000, 400),
    "not a number": (json.dumps(entry(data={"a": float("nan")})).encode(), 400),
    "an unknown member": (json.dumps(entry(discount="1.00")).encode(), 422),
    "an unknown member, deeper": (
        json.dumps(entry(amount={**usd("1.00"), "minor": 100})).encode(),
        422,
    ),
    "a float": (json.dumps(entry(amount={"amount": 49.0, "currency": "USD"})).encode(), 422),
    "an exponent": (json.dumps(entry(amount=usd("1e3"))).encode(), 422),
    "below zero": (json.dumps(entry(amount=usd("-1.00"))).encode(), 422),
    "zero": (json.dumps(entry(amount=usd("0.00"))).encode(), 422),
    "three digits": (json.dumps(entry(amount=usd("1.005"))).encode(), 422),
    "no such currency": (
        json.dumps(entry(amount={"amount": "1.00", "currency": "QQQ"})).encode(),
        422,
    ),
    "a number as text": (json.dumps(entry(customer=7)).encode(), 422),
    "half a character": (json.dumps(entry(description="\ud800")).encode(), 422),
    "half a character in data": (json.dumps(entry(data={"a": "\ud800"})).encode(), 422),
    "a control character": (json.dumps(entry(customer="C\x1b")).encode(), 422),
    "too much data": (json.dumps(entry(data={"a": "x" * 20_000})).encode(), 422),
    "without a customer": (
        json.dumps({name: each for name, each in entry().items() if name != "customer"}).encode(),
        422,
    ),
    "an odd link": (json.dumps(entry(link={"uses": True})).encode(), 422),
    "a link that has expired": (
        json.dumps(entry(link={"expires_at": "2001-01-01T00:00:00Z"})).encode(),
        422,
    ),
    "a link that expires nowhere": (
        json.dumps(entry(link={"expires_at": "2031-01-01T00:00:00"})).encode(),
        422,
    ),
    "a foreign home": (json.dumps(entry(link={"return_to": "javascript:1"})).encode(), 422),
    "10 MB": (b'{"customer": "' + b"x" * 10_000_000 + b'"}', 413),
}


@pytest.mark.parametrize("name", BODIES)
async def test_a_wrong_body_is_refused_and_stores_nothing(shop: Shop, name: str) -> None:
    body, status = BODIES[name]
    async with calling(shop) as program:
        before = shop.cashier.events()
        headers = program.headers(
            **{"idempotency-key": "k", "content-type": "application/json; charset=utf-8"}
        )
        answer = await program.client.post(
            f"{PREFIX}/v1/prepayments", content=body, headers=headers
        )
        after = await program.post("/v1/prepayments", entry(), key="k")

    problem = answer.json()
    assert answer.status_code == problem["status"] == status, problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.content) < 3_000
    assert problem["title"]
    assert problem["detail"]
    assert before == []
    assert after.status_code == 201  # the key of what was refused is free


async def test_a_fault_is_named_by_its_place(shop: Shop) -> None:
    async with calling(shop) as program:
        answer = await program.post("/v1/prepayments", entry(amount={"amount": 1, "a/b": 2}))

    pointers = {each["pointer"] for each in answer.json()["errors"]}
    assert pointers == {"/amount/amount", "/amount/currency", "/amount/a~1b"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/prepayments?limit=0", 400),
        ("GET", "/v1/prepayments?limit=x", 400),
        ("GET", "/v1/prepayments?limit=5&limit=6", 400),
        ("GET", "/v1/prepayments?offset=5", 400),
        ("GET", "/v1/prepayments?status=lost", 400),
        ("GET", "/v1/prepayments?after=ppy_of_nobody", 404),
        ("GET", "/v1/events?after=-1", 400),
        ("GET", "/v1/payments/pay_of_nobody", 404),
        ("GET", "/v1/payments/%00", 404),
        ("GET", "/v1/payments/%ff", 404),
        ("GET", "/v1/payments/pay_of_nobody?a=b", 400),
        ("GET", "/v1/invoices/" + "x" * 300, 404),
        ("GET", "/v1/nothing", 404),
        ("DELETE", "/v1/prepayments", 405),
        ("PUT", "/v1/links/lnk_1", 405),
        ("TRACE", "/v1/links", 405),
        ("OPTIONS", "/v1/links", 405),
        ("POST", "/v1/payments", 405),
    ],
)
async def test_a_wrong_address_is_refused(shop: Shop, method: str, path: str, status: int) -> None:
    async with calling(shop) as program:
        answer = await program.client.request(method, f"{PREFIX}{path}", headers=program.headers())

    assert (answer.status_code, answer.json()["status"]) == (status, status)
    if status == 405:
        assert answer.headers["allow"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_only_json_is_read(shop: Shop, kind: str) -> None:
    async with calling(shop) as program:
        headers = program.headers(**{"idempotency-key": "k", "content-type": kind})
        answer = await program.client.post(
            f"{PREFIX}/v1/prepayments", content=json.dumps(entry()), headers=headers
        )

    assert answer.status_code == 415


async def test_a_link_is_for_one_thing(shop: Shop) -> None:
    async with calling(shop) as program:
        nothing = await program.post("/v1/links", {})
        both = await program.post("/v1/links", {"prepayment": "ppy_1", "invoices": ["A"]})
        balance = await program.post(
            "/v1/links",
            {
                "customer": "C-1",
                "currency": "USD",
                "amount": {"least": usd("5.00"), "most": usd("30.00")},
            },
        )

    assert (nothing.status_code, both.status_code, balance.status_code) == (422, 422, 201)
    assert balance.json()["purpose"] == "balance"


async def test_a_conflict_over_a_key_is_refused_and_told(shop: Shop) -> None:
    shop.cashier.prepay("C-2", Money.of("USD", "5.00"), assignment_key="ORDER-7", key="k")
    async with calling(shop) as program:
        answer = await program.post("/v1/prepayments", entry(link={}))

    assert (answer.status_code, answer.json()["type"]) == (
        409,
        "urn:paygate:problem:assignment-conflict",
    )
    assert shop.cashier.links() == []
    assert [each.type for each in shop.cashier.events()].count("assignment.conflict") == 1


async def test_the_set_up_of_the_merchant_is_not_shown(shop: Shop) -> None:
    shop.cashier.close()
    shop.cashier = Cashier.in_memory(gateways={}, clock=shop.clock)  # without page_keys
    async with calling(shop) as program:
        answer = await program.post("/v1/prepayments", entry(link={}))

    assert answer.status_code == 500
    assert "page_keys" not in answer.text
    assert shop.cashier.prepayments() == []


# --- Papers ----------------------------------------------------------------------------------


async def test_papers_are_read_as_pdf(shop: Shop) -> None:
    payment = shop.paid()
    shop.cashier.issue(
        number="INV-2", customer="C-1", total=Money.of("USD", "5.00"), due="2031-12-31"
    )
    slip = shop.cashier.collect("INV-2", via="kiosk", key="slip")
    async with calling(shop, "read") as program:
        receipt = await program.get(f"/v1/payments/{payment}/receipt.pdf", language="de")
        counter = await program.get(f"/v1/payments/{slip.id}/slip.pdf", size="letter")
        account = await program.get(
            "/v1/customers/C-1/statement.pdf", currency="USD", since="2026-01-01"
        )
        refused = [
            await program.get(path)
            for path in (
                f"/v1/payments/{slip.id}/receipt.pdf",
                f"/v1/payments/{payment}/slip.pdf",
                "/v1/customers/C-9/statement.pdf?currency=USD",
                "/v1/customers/C-1/statement.pdf",
                "/v1/customers/C-1/statement.pdf?currency=QQQ",
                "/v1/customers/C-1/statement.pdf?currency=USD&since=2026-13-01",
                "/v1/customers/C-1/statement.pdf?currency=USD&size=a3",
            )
        ]

    texts = []
    for answer in (receipt, counter, account):
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
        assert answer.headers["content-disposition"].startswith("attachment; filename=")
        page = pypdfium2.PdfDocument(answer.content)[0]
        texts.append(page.get_textpage().get_text_range())
    assert "Erhaltener Betrag" in texts[0]
    assert "$5.00" in texts[1]
    assert "Closing balance $5.00" in " ".join(texts[2].split())
    assert [each.status_code for each in refused] == [409, 409, 404, 400, 400, 400, 400]


async def test_a_statement_over_pages_of_lines_is_whole(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paygate.web.api.endpoints._LINES", 4)
    for number in range(8):
        shop.cashier.issue(
            number=f"INV-{number}", customer="C-1", total=Money.of("USD", "1.00"), due="2031-12-31"
        )
    async with calling(shop, "read") as program:
        answer = await program.get("/v1/customers/C-1/statement.pdf", currency="USD")

    text = pypdfium2.PdfDocument(answer.content)[0].get_textpage().get_text_range()
    assert all(f"INV-{number}" in text for number in range(8))
    assert text.count("Opening balance") == text.count("Closing balance") == 1
    assert "Closing balance $8.00" in " ".join(text.split())


async def test_a_statement_that_nobody_could_read_is_refused(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paygate.web.api.endpoints._LINES", 2)
    monkeypatch.setattr("paygate.web.api.endpoints._LINES_MAX", 4)
    for number in range(5):
        shop.cashier.issue(
            number=f"INV-{number}", customer="C-1", total=Money.of("USD", "1.00"), due="2031-12-31"
        )
    async with calling(shop, "read") as program:
        answer = await program.get("/v1/customers/C-1/statement.pdf", currency="USD")

    assert (answer.status_code, "shorter" in answer.json()["detail"]) == (409, True)


async def test_escapes_hide_no_second_member(shop: Shop) -> None:
    body = json.dumps(entry())[:-1] + ', "\\u0063ustomer": "C-2"}'
    async with calling(shop) as program:
        headers = program.headers(**{"idempotency-key": "k", "content-type": "application/json"})
        answer = await program.client.post(
            f"{PREFIX}/v1/prepayments", content=body, headers=headers
        )

    assert (answer.status_code, "twice" in answer.json()["detail"]) == (400, True)


async def test_a_body_without_a_length_is_read_up_to_the_limit_only(shop: Shop) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 10_000
            yield b"x" * 10_000

    async with calling(shop) as program:
        headers = program.headers(**{"idempotency-key": "k", "content-type": "application/json"})
        answer = await program.client.post(
            f"{PREFIX}/v1/prepayments", content=endless(), headers=headers
        )

    assert answer.status_code == 413
    assert sent < 200_000


async def test_two_keys_in_one_request_are_none(shop: Shop) -> None:
    async with calling(shop) as program:
        other = shop.key("read")
        answer = await program.client.get(
            f"{PREFIX}/v1/events",
            headers=[
                ("authorization", f"Bearer {program.secret}"),
                ("authorization", f"Bearer {other}"),
            ],
        )

    assert answer.status_code == 401


async def test_entries_with_one_order_key_at_once_are_one(shop: Shop) -> None:
    async with calling(shop) as program:
        asked = [program.post("/v1/prepayments", entry(link={}), key=f"k-{n}") for n in range(6)]
        answers = await asyncio.gather(*asked)

    assert sorted(each.status_code for each in answers) == [201, *[409] * 5]
    assert len(shop.cashier.prepayments()) == len(shop.cashier.links()) == 1


@pytest.mark.parametrize(
    "hint", ["X-Forwarded-For: 198.51.100.7", "X-Real-IP: 198.51.100.7", "Forwarded: for=9.9.9.9"]
)
async def test_a_header_of_the_visitor_does_not_reset_the_count(shop: Shop, hint: str) -> None:
    name, _, value = hint.partition(": ")
    async with calling(shop, refused_per_minute=3) as program:
        statuses = []
        for number in range(5):
            secret = f"pgk_{number:043}"
            headers = {"authorization": f"Bearer {secret}", name: f"{value}{number}"}
            answer = await program.client.get(f"{PREFIX}/v1/events", headers=headers)
            statuses.append(answer.status_code)

    assert statuses == [401, 401, 401, 429, 429]
