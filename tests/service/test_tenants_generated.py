"""Every verb, with whatever names of another merchant: it gets nothing of theirs, and changes none.

The verbs, and what each takes, are read from the class, so a new verb is tried as soon as it
exists. A parameter of a new name needs a line in `values`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, timedelta
from typing import Any, cast

import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paygate import (
    Cashier,
    Customer,
    Document,
    InvoiceOrder,
    Kind,
    Letterhead,
    Mandate,
    MandateScope,
    Merchants,
    Money,
    Timing,
)
from paygate.cashier.verbs import each_verb
from paygate.domain.outcome import Approved, Ended, Ending
from paygate.errors import PaygateError
from paygate.gateway import Callback, Gateway
from paygate.ledger.roots import ROOTLESS, ROOTS
from paygate.testing import FakeClock, FakeGateway
from tests.service.test_tenants import Names, _filled
from tests.support.statements import entry, statement

BACK = "https://shop.example/back"
WHOLE_LEDGER = {"stop_sending", "resume_sending", "sending_stopped", "tenants_due"}
"""Verbs that say that they are about all tenants."""
LONG_ENOUGH = 6
"""A shorter text, such as a currency, says nothing about whose it is."""


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


@dataclass
class Town:
    """Two merchants of one process, who both have one of everything."""

    all_: Cashier
    north: Cashier
    south: Cashier
    theirs: Names
    own: Names
    told: Callback

    def rows(self, tenant: str) -> list[tuple[str, Mapping[str, Any]]]:
        """Return every row of *tenant*."""
        found: list[tuple[str, Mapping[str, Any]]] = []

        def read(tx: Any) -> None:
            for table in sorted((ROOTS.keys() | ROOTLESS.keys()) - {"paygate_meta"}):
                for row in tx.all(f"SELECT * FROM {table}", {}):  # noqa: S608
                    facts = {name: row[name] for name in row.keys()}  # noqa: SIM118
                    if facts.get("tenant") == tenant:
                        found.append((table, facts))

        self.all_._store.read(self.north._context, read)
        return found

    def texts(self, tenant: str) -> set[str]:
        return {
            value
            for _, row in self.rows(tenant)
            for value in row.values()
            if isinstance(value, str) and len(value) >= LONG_ENOUGH
        }


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    clock, key = FakeClock(), Fernet.generate_key()
    gateways: dict[str, dict[str, Gateway]] = {
        tenant: {
            "card": FakeGateway(Kind.CARD, clock=clock, merchant_account=f"card-of-{tenant}"),
            "page": FakeGateway(Kind.REDIRECT, clock=clock, merchant_account=f"page-of-{tenant}"),
        }
        for tenant in ("north", "south")
    }
    with Cashier.in_memory(
        merchants=Merchants(gateways.get, cached=1),
        clock=clock,
        token_keys=[key],
        page_keys=[key],
        timing=Timing(feed_pause=None),
    ) as all_:
        north, south = all_.for_tenant("north"), all_.for_tenant("south")
        theirs = _filled(north, gateways["north"])
        own = _filled(south, gateways["south"])
        card: Any = gateways["north"]["card"]
        for clerk in (north, south):
            name = f"bank of {clerk.tenant}"
            clerk.set_bank_account(name, number="1234567890", currency="USD")
        north.import_statement(
            statement("1234567890", "USD", entry(4242, currency="USD", text="a gift for north")),
            account="bank of north",
        )
        north.commit_to("C-7", "gym of north", start="2030-03-01", months=12, key="gym")
        north.issue(number="N-8", customer="C-7", total=usd("30.00"), due="2031-03-01")
        north.collect("N-8", via="card", method="tok_visa", key="k-9")
        [told, *_] = card.callbacks()
        yield Town(all_, north, south, theirs, own, told)


def values(town: Town) -> dict[str, Sequence[Any]]:
    """Return what a parameter of each name may be, mostly names of the other merchant's."""
    n, clerk = town.theirs, town.north
    payments = [n.payment, n.page, n.held, n.recorded, n.unknown, clerk.payment(n.payment)]
    invoices = [n.number, n.invoice, clerk.invoice(n.number), "N-2", town.own.number]
    customers = [n.customer, Customer(n.customer), "C-nobody"]
    return {
        "payment": payments,
        "from_payment": payments,
        "id_": [*payments[:2], n.customer, n.method, n.change],
        "invoice": invoices,
        "invoices": [[each] for each in invoices],
        "items": [*invoices, invoices[:2]],
        "number": [n.number, n.payer_number, "N-new"],
        "customer": customers,
        "payer": [Customer(n.customer)],
        "method": [clerk.method(n.method), "tok_visa"],
        "replacement": [n.method],
        "change": [n.change],
        "write_off_": [n.write_off],
        "receipt": [n.refund, *clerk.receipts(n.payment)],
        "attempt": [n.attempt],
        "callback": [n.callback, town.told],
        "event": [*(each.id for each in clerk.events(limit=2)), "evt_of_nobody"],
        "job": [f"inquire/north/card/{n.attempt}/", f"inquire/south/card/{n.attempt}/"],
        "jobs": [[f"inquire/north/card/{n.attempt}/"]],
        "prepayment": ["ppy_of_nobody"],
        "link": [n.link, "lnk_of_nobody"],
        "token": [n.token, n.paid_token],
        "secret": [n.secret],
        "api_key": [n.api_key, "shop-7"],
        "scopes": [["read"], ["write", "refund"]],
        "digest": ["0" * 64],
        "work": [_handle],
        "given": [n.given],
        "aggregate": [n.payment, n.invoice, n.method, clerk.payment(n.payment)],
        "after": [n.payment, n.invoice, n.method, 0],
        "account": ["card", n.stored, "till-8", "bank of north"],
        "via": ["card", "page"],
        "key": ["key-1", n.key, "k-2", "s-1"],
        "assignment_key": [n.number, "O-1"],
        "verb": ["collect", "authorize"],
        "settings": [{"driver": "fake"}, {"signing_key": "k" * 20}],
        "total": [usd("30.00")],
        "series": ["S-{n}"],
        "source": [[InvoiceOrder(id="O-1", customer="C-9", total=usd("1"), due=date(2031, 3, 1))]],
        "document": [Document(content=b"terms", media_type="text/plain", name="terms.txt")],
        "letterhead": [Letterhead(name="Acme")],
        "amount": [usd("1.00"), usd("30.00")],
        "due": ["2031-03-01"],
        "reason": ["they asked for it"],
        "evidence": ["their page"],
        "outcome": [Approved(), Ended(how=Ending.CANCELED)],
        "by": ["cash", "check"],
        "reference": [clerk.payment(n.payment).reference, "1077"],
        "return_url": [BACK],
        "mandate": [Mandate(text_version="1", accepted_at=clerk.now(), scope=MandateScope.FUTURE)],
        "csv": ["number,customer,currency,total,due\nN-9,C-9,USD,1.00,2031-03-01\n"],
        "sink": ["crm"],
        "name": ["crm"],
        "handler": [_handle],
        "start": [0, "0"],
        "limit": [100],
        "currency": ["USD", "EUR"],
        "content": [statement("1234567890", "USD")],
        "line": [*(each.id for each in clerk.bank_lines(limit=1)), "bln_of_nobody"],
        "waited": [timedelta(0)],
        "commitment": [*(each.id for each in clerk.commitments(n.customer)), "cmt_of_nobody"],
        "months": [12],
        "until": ["2031-04-01"],
    }


def _handle(_: object) -> None:
    """Take an event."""


def said(value: object, deep: int = 12) -> Iterator[str]:
    """Yield every text in a result or an error."""
    if deep == 0:
        return
    if isinstance(value, str):
        yield value
    elif isinstance(value, BaseException):
        yield str(value)
        yield from said(vars(value), deep - 1)
    elif isinstance(value, Mapping):
        for key, each in cast("Mapping[object, object]", value).items():
            yield from said(key, deep - 1)
            yield from said(each, deep - 1)
    elif isinstance(value, list | tuple | set | frozenset):
        for each in cast("Sequence[object]", value):
            yield from said(each, deep - 1)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from said(getattr(value, field.name), deep - 1)


VERBS = sorted(set(each_verb(Cashier)) - WHOLE_LEDGER)


def test_every_parameter_of_every_verb_has_a_value(town: Town) -> None:
    needed = {
        name
        for verb in VERBS
        for name, each in inspect.signature(getattr(Cashier, verb)).parameters.items()
        if name != "self" and each.default is inspect.Parameter.empty
    }

    assert needed <= values(town).keys()


@pytest.mark.parametrize("verb", VERBS)
@settings(max_examples=12, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_verb_shows_or_changes_anything_of_another_merchant(
    town: Town, verb: str, data: st.DataObject
) -> None:
    known, before = values(town), town.rows("north")
    given_: dict[str, Any] = {}
    for name, parameter in inspect.signature(getattr(Cashier, verb)).parameters.items():
        required = parameter.default is inspect.Parameter.empty
        if name != "self" and name in known and (required or data.draw(st.booleans())):
            given_[name] = data.draw(st.sampled_from(known[name]), label=name)
    asked = "\n".join(said(given_))
    theirs = [each for each in town.texts("north") - town.texts("south") if each not in asked]

    came: object
    try:
        came = getattr(town.south, verb)(**given_)
    except PaygateError as error:
        came = error

    whole = "\n".join(said(came))
    assert [each for each in theirs if each in whole] == []
    assert town.rows("north") == before
