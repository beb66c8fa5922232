"""The desk: who is let in, what they find, and that a form counts only where it was shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from paygate import Cashier
from paygate.errors import InvalidValue
from paygate.testing import FakeGateway
from paygate.web.desk import DeskPage, Done, Role, Staff, desk
from paygate.web.desk.views import ActForm, DeskView, Input, english
from paygate.web.settings import WebSettings
from tests.web.desk.working import ROOT, Office, open_office, usd


@pytest.fixture
def office() -> Iterator[Office]:
    with open_office() as found:
        yield found


def test_a_payment_is_found_by_id_reference_invoice_and_customer(office: Office) -> None:
    payment = office.check()
    anna = office.sign_in("anna", Role.READ)
    page = f"{ROOT}/payments/{payment.id}"

    assert anna.get(f"/?q={payment.id}").to == page
    assert anna.get(f"/?q={payment.short_reference.lower()}").to == page
    for wanted in ("INV-1", "C-1"):
        assert page in anna.get(f"/?q={wanted}").links.values()
    assert "There is no payment." in anna.get("/?q=nobody").text
    assert page in anna.get("/").links.values()


def test_a_payment_shows_its_facts_and_what_happened_by_whom(office: Office) -> None:
    payment = office.check()
    office.cashier.acting_as("ben").reverse(payment, reason="bounced")
    screen = office.sign_in("anna", Role.READ).get(f"/payments/{payment.id}")

    half = payment.short_reference[:4]
    assert screen.title == f"Payment {half}-{payment.short_reference[4:]}"
    for said in ("$30.00", "INV-1", "REV-1", "$30.00 put on INV-1", "$30.00 taken off INV-1"):
        assert said in screen.text
    assert "by ben" in screen.text
    assert "bounced" in screen.text


def test_nobody_sees_the_desk_without_a_session() -> None:
    with open_office(sign_in_url="https://alder.example/staff") as office:
        nobody = office.sign_in("anna")
        office.staff.clear()

        assert nobody.get("/").to == "https://alder.example/staff"
        posted = nobody.post("/payments/x", {})
        assert (posted.status, posted.title) == (404, "Not found")


def _page(did: list[str], **more: Any) -> DeskPage:
    async def show(visit: Any) -> DeskView:
        form = ActForm(
            button=english("Write"),
            token=visit.begin(),
            inputs=[Input(name="note", label=english("Note"), value=visit.given("note"))],
            problems=visit.problems,
        )
        return DeskView(english("Notes"), [form])

    async def act(visit: Any) -> Done:
        did.append(visit.required("note", "Enter a note"))
        return Done(visit.at("/notes"), english("Written: {note}.", note=did[-1]))

    return DeskPage(path="/notes", show=show, act=act, menu="Notes", **more)


def test_a_page_of_the_hosts_own_is_added_to_the_desk() -> None:
    did: list[str] = []
    with open_office(pages=[_page(did)]) as office:
        anna = office.sign_in("anna")

        assert anna.get("/").links["Notes"] == f"{ROOT}/notes"
        screen = anna.does("/notes", note="the bank called")

        assert did == ["the bank called"]
        assert "Written: the bank called." in screen.text
        wrong = anna.send("/notes", note=" ")
        assert (wrong.status, did) == (422, ["the bank called"])
        assert "Enter a note" in wrong.text


def test_a_form_counts_only_from_the_desk_in_the_session_that_saw_it() -> None:
    did: list[str] = []
    with open_office(pages=[_page(did), _page(did, needs=Role.READ)]) as office:
        anna, again, ben = (office.sign_in(each) for each in ("anna", "anna", "ben"))
        reader = office.sign_in("cora", Role.READ)
        fields = {**anna.get("/notes").fields, "note": "x"}

        foreign = anna.post("/notes", fields, origin="https://evil.example")
        unsigned = anna.post("/notes", {"note": "x"})
        others = [each.post("/notes", fields) for each in (again, ben)]
        refused = reader.post("/notes", {**reader.get("/notes").fields, "note": "x"})
        office.clock.advance(hours=25)
        late = anna.post("/notes", fields)

        assert [each.status for each in (foreign, unsigned, *others, late)] == [403] * 5
        assert "Nothing was done." in foreign.text
        assert (refused.status, refused.title) == (403, "You may not do this")
        assert did == []


def test_a_sentence_in_the_address_is_shown_only_if_it_is_ours() -> None:
    did: list[str] = []
    with open_office(pages=[_page(did)]) as office:
        anna, ben = office.sign_in("anna"), office.sign_in("ben")
        to = anna.send("/notes", note="x").to

        assert "Written: x." in anna.get(to).text
        assert "Written" not in ben.get(to).text
        assert "Written" not in anna.get(f"{to}x").text


def test_a_desk_needs_keys_and_one_limit_for_a_currency() -> None:
    def nobody(_: object) -> Staff | None:
        return None

    with Cashier.in_memory(gateways={"card": FakeGateway()}) as cashier:
        web = WebSettings(payee="Alder", base_url="https://alder.example/pay")
        with pytest.raises(InvalidValue, match="keys"):
            desk(cashier, web, staff_of=nobody)
        with pytest.raises(InvalidValue, match="two amounts"):
            desk(cashier, web, staff_of=nobody, approve_above=[usd("1.00"), usd("2.00")])


@pytest.mark.parametrize("wrong", [{"id": ""}, {"role": "boss"}, {"session": ""}, {"name": "\n"}])
def test_staff_are_checked(wrong: dict[str, Any]) -> None:
    given: dict[str, Any] = {"id": "anna", "role": Role.READ, "session": "s", **wrong}

    with pytest.raises(InvalidValue):
        Staff(**given)
