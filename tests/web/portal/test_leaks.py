"""Another customer's ids, and another tenant's, in every parameter of every page: no leak."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from paygate import Cashier, Customer, Mandate, PostalAddress
from paygate.web.desk import Role, Staff, desk
from paygate.web.desk.application import PAGES
from paygate.web.portal.routes import ROUTES
from tests.web.portal.visiting import KEY, Payer, Place, ledger, open_place, usd
from tests.web.serving import asgi_served

MARKS = ("VICTIM", "victim@", "$98.76", "Atlantis", "American Express")
"""What only the pages of the victim may show."""

FIELDS = ("invoice", "via", "kind", "scope", "try", "currency", "do", "method", "payment", "link")
QUERIES = ("after", "q", "back", "invoice", "customer", "request", "said")


@dataclass
class Victim:
    """Somebody else, of whom nothing may be shown, and whose records stay as they are."""

    cashier: Cashier
    ids: Mapping[str, str]
    nonce: str = "aaaaaaaaaaaa"

    def facts(self) -> Any:
        who = "VICTIM"
        return (
            [self.cashier.history(each) for each in self.cashier.payments(customer=who)],
            self.cashier.methods(who),
            self.cashier.subscription(who),
            self.cashier.links(customer=who),
            self.cashier.open_invoices(who),
            self.cashier.balance(who),
            self.cashier.method_changes(),
        )


def suffer(cashier: Cashier, prefix: str) -> Victim:
    """Give the victim a record of each kind."""
    cashier.save_customer(
        Customer(
            "VICTIM",
            name="VICTIM",
            email="victim@x.example",
            address=PostalAddress(city="Atlantis"),
        )
    )
    numbers = [f"VICTIM-{prefix}{each}" for each in range(3)]
    for each in numbers:
        cashier.issue(number=each, customer="VICTIM", total=usd("98.76"), due="2025-12-01")
    mandate = Mandate(text_version="1", accepted_at=cashier.now())
    stored = cashier.enroll(
        "VICTIM", via="card", method="tok_amex", key=f"{prefix}store", mandate=mandate
    )
    assert stored.method is not None
    paid = cashier.collect(numbers[0], via="card", method="tok_visa", key=f"{prefix}pay")
    doubt = cashier.collect(
        numbers[1], via="card", method="tok_unknown_executed", key=f"{prefix}doubt"
    )
    link = cashier.link([numbers[2]], key=f"{prefix}link")
    given = cashier.begin_try(link)
    assert link.token is not None
    ids = {
        "number": numbers[2],
        "paid number": numbers[0],
        "customer": "VICTIM",
        "payment": paid.id,
        "doubt": doubt.id,
        "method": stored.method.id,
        "change": stored.id,
        "link": link.id,
        "token": link.token.reveal(),
        "try": given.value,
        "receipt": cashier.receipts(paid)[0].id,
        "reference": paid.short_reference,
        "page": cashier.payment_page(doubt).token.reveal(),
    }
    return Victim(cashier, ids)


def paths(template: str, ids: Sequence[str]) -> Iterator[str]:
    """Yield *template* with each of its parts replaced by each id."""
    names = re.findall(r"\{(\w+)\}", template)
    for number in range(len(ids) if names else 1):
        values = [ids[(number + place) % len(ids)] for place in range(len(names))]
        yield template.format(**dict(zip(names, values, strict=True)))


def leaks(text: str, asked: str) -> list[str]:
    """Return the marks in a page that were not in what was asked."""
    return [each for each in MARKS if each in text and each not in asked]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/ledger.db"


@pytest.fixture
def place(url: str) -> Iterator[Place]:
    with open_place(url=url, sign_in_url="https://alder.example/in") as found:
        yield found


def attack(maria: Payer, path: str, page: str, ids: Sequence[str], acts: bool) -> list[str]:
    """Open a page with each id in each parameter, and send its form with each id in each field."""
    queries = [f"?{name}={each}" for name in QUERIES for each in ids]
    found: list[str] = []
    for target in [path, *(f"{path}{each}" for each in queries if not re.search("[{}]", path))]:
        screen = maria.get(target)
        assert screen.status in (200, 303, 404), (target, screen.status)
        found += [f"GET {target}: {each}" for each in leaks(screen.response.text, target)]
    if not acts:
        return found
    own = maria.place.members[maria.session]
    keys = _keys(maria.place)
    session = f"{own.session}\0{own.customer}"
    token = keys.begin(session, page, maria.place.cashier.now())
    for name, value in product(FIELDS, ids):
        fields = {"token": token, "currency": "USD", "do": "chosen", "kind": "card/card"}
        fields |= {"scope": "future", name: value}
        screen = maria.post(path, fields)
        assert screen.status in (303, 403, 404, 422), (path, name, screen.status)
        sent = f"{path} {value}"
        found += [f"POST {sent}: {each}" for each in leaks(screen.response.text, sent)]
        to = screen.response.headers.get("location", "")
        assert not any(each in to for each in ids if each not in sent), to
    return found


def _keys(place: Place) -> Any:
    from paygate.web.form_keys import FormKeys
    from paygate.web.portal.reception import PURPOSE

    return FormKeys.of(place.web, PURPOSE, "main")


@pytest.mark.parametrize("route", ROUTES, ids=lambda each: each.path)
@pytest.mark.parametrize("whose", ["customer", "tenant"])
def test_no_page_of_the_portal_shows_or_changes_what_is_not_the_members(
    place: Place, url: str, route: Any, whose: str
) -> None:
    other = ledger(url, place.gateways, place.clock, tenant="other")
    with closing(other):
        victim = suffer(place.cashier if whose == "customer" else other, whose)
        place.issue("INV-1", "30.00")
        place.store()
        maria = place.sign_in()
        before = victim.facts()
        ids = list(victim.ids.values())
        few = [victim.ids[each] for each in ("payment", "method", "link", "change", "number")]

        found: list[str] = []
        targets = list(paths(route.path, few))
        for number, path in enumerate(targets):
            some = ids if len(targets) < 2 else few[number % len(few) :][:1]
            found += attack(maria, path, route.page, some, route.acts is not None)

        assert found == []
        assert _without_own(victim.facts(), whose) == _without_own(before, whose)


def _without_own(facts: Any, whose: str) -> Any:
    """Return the victim's facts; the requests to store of the member are in the same list."""
    return facts[:-1] if whose == "customer" else facts


@pytest.mark.parametrize("page", PAGES, ids=lambda each: each.path)
def test_no_page_of_the_desk_shows_or_changes_another_tenants(
    place: Place, url: str, page: Any
) -> None:
    apps: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await apps[0](scope, receive, send)

    boss = Staff(id="boss", role=Role.MANAGER, session="s")
    with (
        closing(ledger(url, place.gateways, place.clock, tenant="other")) as other,
        asgi_served(app, lifespan="off") as origin,
    ):
        victim = suffer(other, "t")
        mounted = desk(place.cashier, place.web, staff_of=lambda _: boss, url=origin)
        apps.append(Starlette(routes=[Mount("/desk", mounted)]))
        before = victim.facts()
        found: list[str] = []
        for path, value in product(
            paths(page.path, list(victim.ids.values())), victim.ids.values()
        ):
            for name in QUERIES:
                target = f"{origin}/desk{path}?{name}={value}"
                got = place.client.get(target)
                assert got.status_code in (200, 303, 404), target
                found += [f"{target}: {each}" for each in leaks(got.text, target)]
            if page.act is None:
                continue
            sent = {"token": "x", "reason": "x", "sink": value, "request": value}
            posted = place.client.post(
                f"{origin}/desk{path}", data=sent, headers={"origin": origin}
            )
            assert posted.status_code in (403, 404), path
        assert found == []
        assert victim.facts() == before


def test_the_marks_are_on_the_pages_of_the_victim(place: Place) -> None:
    victim = suffer(place.cashier, "x")
    owner = place.sign_in("VICTIM")

    text = (
        owner.get().response.text
        + owner.get(f"/payments/{victim.ids['payment']}/receipt").response.text
    )

    assert [each for each in MARKS if each != "victim@"] == leaks(text, "")
    assert KEY
