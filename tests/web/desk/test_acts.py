"""Acts at the desk: what a clerk does to a payment, once, under their name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from paygate import Payment, PaymentStatus
from paygate.web.desk import Role
from paygate.web.desk.acts import ACTS
from tests.web.desk.working import ROOT, Office, open_office, usd


@pytest.fixture
def office() -> Iterator[Office]:
    with open_office() as found:
        yield found


@pytest.fixture
def guarded() -> Iterator[Office]:
    """Return an office in which a manager approves what is above 20 dollars."""
    with open_office(approve_above=[usd("20.00")]) as found:
        yield found


def charged(office: Office, method: str = "tok_visa") -> Payment:
    office.cashier.issue(number="INV-1", customer="C-1", total=usd("30.00"), due="2031-12-01")
    return office.cashier.collect(["INV-1"], via="card", method=method, key="INV-1")


def actors(office: Office, payment: Payment, type_: str) -> list[str]:
    events = office.cashier.history(payment).events
    return [each.actor for each in events if each.type == type_]


def test_a_check_is_reversed_with_the_date_of_today_and_a_fee(office: Office) -> None:
    payment = office.check()
    anna = office.sign_in("anna")
    path = f"/payments/{payment.id}/reverse"
    today = office.cashier.now().date().isoformat()

    assert anna.get(f"/payments/{payment.id}").links["Reverse"] == f"{ROOT}{path}"
    assert anna.get(path).fields["on"] == today
    done = anna.does(path, reason="bounced", fee="25.00", bank_charge="12.00")

    fee = office.cashier.invoices(customer="C-1")[0]
    assert f"REV-1 was created, and {fee.number} for the fee." in done.text
    assert (fee.total, office.cashier.invoice("INV-1").open) == (usd("25.00"), usd("30.00"))
    assert actors(office, payment, "payment.reversed") == ["anna"]


def test_another_date_is_taken_and_a_wrong_one_is_shown_as_it_was_typed(office: Office) -> None:
    payment = office.check()
    office.clock.advance(timedelta(days=5))
    anna = office.sign_in("anna")
    path = f"/payments/{payment.id}/reverse"
    on = (office.cashier.now().date() - timedelta(days=2)).isoformat()

    wrong = anna.send(path, reason="bounced", on="yesterday")
    early = anna.send(path, reason="bounced", on="2001-01-01")
    empty = anna.send(path, on=on)
    assert [each.status for each in (wrong, early, empty)] == [422, 422, 422]
    assert (wrong.fields["on"], wrong.fields["reason"]) == ("yesterday", "bounced")
    assert "Enter a date" in wrong.text
    assert "There is a problem" in early.text
    assert "Enter the reason" in empty.text
    assert not office.cashier.payment(payment).reversed

    anna.does(path, reason="bounced", on=on)
    [receipt] = [each for each in office.cashier.receipts(payment) if not each.kind.inward]
    assert receipt.effective.isoformat() == on


def test_a_refund_is_sent_once_however_often_it_is_asked_for(office: Office) -> None:
    payment = charged(office)
    anna, ben = office.sign_in("anna"), office.sign_in("ben")
    path = f"/payments/{payment.id}/refund"
    fields = {**anna.get(path).fields, "amount": "10.00", "reason": "late", "to": "reopen"}
    same = {**ben.get(path).fields, "amount": "10.00", "reason": "late", "to": "reopen"}
    other = {**same, "amount": "5.00"}

    assert "refund of $10.00: succeeded." in anna.get(anna.post(path, fields).to).text
    assert anna.post(path, fields).status == 303
    assert ben.post(path, same).status == 303
    refused = ben.post(path, other)

    assert refused.status == 422
    assert office.cashier.payment(payment).returned == usd("10.00")
    assert actors(office, payment, "payment.refunded") == ["anna"]


def test_of_two_clerks_the_second_is_told_that_the_payment_has_changed(office: Office) -> None:
    payment = office.check()
    anna, ben = office.sign_in("anna"), office.sign_in("ben")
    path = f"/payments/{payment.id}/reverse"
    late = {**ben.get(path).fields, "reason": "also bounced"}

    anna.does(path, reason="bounced")
    refused = ben.post(path, late)

    assert (refused.status, "has changed" in refused.text) == (422, True)
    assert "also bounced" in refused.fields.values()
    assert len([each for each in office.cashier.receipts(payment) if not each.kind.inward]) == 1


def test_an_authorization_is_captured_in_part_and_the_rest_canceled(office: Office) -> None:
    office.cashier.issue(number="INV-1", customer="C-1", total=usd("30.00"), due="2031-12-01")
    payment = office.cashier.authorize(["INV-1"], via="card", method="tok_visa", key="a")
    anna = office.sign_in("anna")

    anna.does(f"/payments/{payment.id}/capture", amount="12.50")
    made = office.cashier.payment(payment)
    assert (made.status, made.received) == (PaymentStatus.SUCCEEDED, usd("12.50"))
    assert "Cancel" in anna.get(f"/payments/{payment.id}").links

    anna.does(f"/payments/{payment.id}/cancel")
    assert office.cashier.payment(payment).returned == usd("12.50")


def test_an_unknown_charge_is_resolved_with_evidence(office: Office) -> None:
    payment = charged(office, "tok_unknown_executed")
    assert payment.status is PaymentStatus.UNKNOWN
    anna = office.sign_in("anna")
    path = f"/payments/{payment.id}/resolve"

    missing = anna.send(path, ended="succeeded", evidence="portal")
    assert (missing.status, "id of the money" in missing.text) == (422, True)
    anna.does(path, ended="succeeded", movement="m-1", evidence="portal of the bank")

    made = office.cashier.payment(payment)
    assert (made.status, made.received) == (PaymentStatus.SUCCEEDED, usd("30.00"))
    assert actors(office, payment, "payment.resolved") == ["anna"]


def test_j20_a_reversal_waits_until_the_use_of_its_credit_is_undone(office: Office) -> None:
    office.cashier.issue(number="INV-1", customer="C-1", total=usd("30.00"), due="2031-12-01")
    paid = office.cashier.record("INV-1", amount=usd("50.00"), by="check", key="till")
    office.cashier.issue(number="INV-2", customer="C-1", total=usd("20.00"), due="2031-12-01")
    used = office.cashier.pay_from_credit("INV-2", key="credit")
    anna = office.sign_in("anna")

    refused = anna.send(f"/payments/{paid.id}/reverse", reason="bounced")
    assert refused.status == 422
    assert used.id in refused.text
    anna.does(f"/payments/{used.id}/undo-credit-use")
    done = anna.does(f"/payments/{paid.id}/reverse", reason="bounced")

    assert "REV-1 was created." in done.text
    opened = [office.cashier.invoice(each).open for each in ("INV-1", "INV-2")]
    assert opened == [usd("30.00"), usd("20.00")]
    assert office.cashier.balance("C-1")["USD"] == usd("0.00")


def test_money_above_the_limit_needs_another_person(guarded: Office) -> None:
    payment = guarded.check()
    anna, boss = guarded.sign_in("anna", Role.MANAGER), guarded.sign_in("boss", Role.MANAGER)
    clerk = guarded.sign_in("ben")

    request = anna.send(f"/payments/{payment.id}/reverse", reason="bounced", fee="25.00").to
    assert not guarded.cashier.payment(payment).reversed
    asker, other = anna.get(request), clerk.get(request)
    assert "Send the address of this page to a manager" in asker.text
    assert "token" not in asker.fields | other.fields
    shown = boss.get(request)
    for said in ("anna", "bounced", "25.00", "$30.00"):
        assert said in shown.text
    done = boss.get(boss.post(request, shown.fields).to)

    assert "REV-1 was created" in done.text
    assert actors(guarded, payment, "payment.reversed") == ["anna, approved by boss"]
    assert boss.post(request, shown.fields).status == 422


def test_nobody_approves_their_own_act(guarded: Office) -> None:
    mine, theirs = guarded.check(), guarded.check("INV-2", key="second")
    anna, boss = guarded.sign_in("anna", Role.MANAGER), guarded.sign_in("boss", Role.MANAGER)
    own = anna.send(f"/payments/{mine.id}/reverse", reason="bounced").to
    other = boss.send(f"/payments/{theirs.id}/reverse", reason="bounced").to
    # The form of a request that anna may approve, sent to her own.
    fields = anna.get(other).fields

    refused = anna.post(own, fields)

    assert refused.status == 422
    assert not guarded.cashier.payment(mine).reversed


def test_a_request_lapses_when_the_payment_changes_or_a_week_has_passed(guarded: Office) -> None:
    payment, later = guarded.check(), guarded.check("INV-2", key="second")
    anna, boss = guarded.sign_in("anna"), guarded.sign_in("boss", Role.MANAGER)
    request = anna.send(f"/payments/{payment.id}/reverse", reason="bounced").to
    old = anna.send(f"/payments/{later.id}/reverse", reason="bounced").to
    fields = boss.get(request).fields

    guarded.cashier.reverse(payment, reason="from the command line")
    assert boss.post(request, fields).status == 422
    assert "has changed" in boss.get(request).text
    guarded.clock.advance(timedelta(days=8))
    assert boss.get(old).status == 404
    assert boss.get(f"{request}x").status == 404
    assert not guarded.cashier.payment(later).reversed


def test_below_the_limit_nobody_else_is_needed(guarded: Office) -> None:
    payment = guarded.check(total="20.00")

    assert (
        "REV-1"
        in guarded.sign_in("anna").does(f"/payments/{payment.id}/reverse", reason="bounced").text
    )


@pytest.mark.parametrize("act", ACTS)
def test_a_role_that_only_reads_does_nothing(office: Office, act: str) -> None:
    payment = office.check()
    cora, anna = office.sign_in("cora", Role.READ), office.sign_in("anna")
    path = f"/payments/{payment.id}/{act}"
    before = office.cashier.history(payment)

    assert cora.get(path).status == 403
    assert cora.post(path, anna.get(path).fields).status == 403
    assert office.cashier.history(payment) == before


def test_a_clerk_cannot_force_a_reversal_of_money_that_the_gateway_holds(office: Office) -> None:
    payment = charged(office)
    anna, boss = office.sign_in("anna"), office.sign_in("boss", Role.MANAGER)
    path = f"/payments/{payment.id}/reverse"

    refused = anna.send(path, reason="lost", force="yes")
    assert refused.status == 422
    assert not office.cashier.payment(payment).reversed
    boss.does(path, reason="lost", force="yes")
    assert office.cashier.payment(payment).reversed


def test_money_that_nobody_asked_for_is_assigned(office: Office) -> None:
    payment = charged(office, "tok_other_amount")
    assert payment.undecided
    anna = office.sign_in("anna")
    assert f"{ROOT}/payments/{payment.id}" in anna.get("/reviews").links.values()

    anna.does(f"/payments/{payment.id}/assign", invoices="INV-1", reason="asked the bank")

    assert office.cashier.payment(payment).undecided == ()
