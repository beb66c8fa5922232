"""What the sheets of the wallets publish: signatures, samples, and what they must come to."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from paygate.domain.money import Money
from paygate.domain.outcome import Approved, Declined, Ended, NotFound, Outcome, Pending
from paygate.errors import BadResponse, NotAuthentic
from paygate.testing.play import play
from tests.drivers.skrill import test_skrill as skrill


def read(protocols: Path, sheet: str, name: str = "vectors.json") -> Any:
    return json.loads((protocols / sheet / name).read_text())


# --- Skrill -------------------------------------------------------------------------------------

EUR = Money("EUR", 999)
WANTED: dict[str, type] = {
    "paid": Approved,
    "query": Approved,
    "duplicate": Approved,
    "failed": Declined,
    "pending": Pending,
    "cancelled": Ended,
    "chargeback": Approved,
}


def test_the_published_signatures_of_skrill_are_right(protocols: Path) -> None:
    for known in read(protocols, "skrill")["known"]:
        algorithm = known["algo"]
        gateway = skrill.skrill(
            merchant_id=known["merchant_id"],
            secret_word=known["secret_word"],
            signature=algorithm,
        )
        names = ("merchant_id", "transaction_id", "mb_amount", "mb_currency", "status")
        form = {name: known[name] for name in names} | {"pay_to_email": "Merchant@Example.com"}
        field = "md5sig" if algorithm == "md5" else "sha2sig"

        def verify(
            digest: str, gateway: Any = gateway, form: Any = form, field: str = field
        ) -> Any:
            body = urlencode({**form, field: digest}).encode()
            return play(gateway.verify(skrill.callback(body))).outcome

        [notice] = verify(known["expected"])
        assert notice.our_ref == "5585262"
        with pytest.raises(NotAuthentic):
            verify(known["expected"].lower())


def merged(form: dict[str, str], asked: Money) -> Outcome:
    """Return what a report comes to, if a query shows what it says."""
    shows = skrill.answered(form)
    body = urlencode(form).encode()
    fetched = [shows] if form["status"] == "-3" else []
    [notice] = play(skrill.skrill().verify(skrill.callback(body)), *fetched).outcome
    inquiry = skrill.inquiry(asked, our_ref=notice.our_ref)
    found = play(skrill.skrill().look_up(inquiry), shows).outcome
    assert not isinstance(found, NotFound)
    if notice.movements:
        assert isinstance(found, Approved)
        assert set(notice.movements) < set(found.movements)
    return found


def test_the_published_notifications_of_skrill_come_to_what_is_wanted(protocols: Path) -> None:
    """A notification is believed as far as it is signed, and what it names is queried."""
    told = read(protocols, "skrill")["notifications"]
    assert len(told) == 15
    for each in told:
        form, wanted = each["form"], each["expect"]
        asked = Money("EUR", 1000) if form["mb_amount"] == "10" else EUR
        if wanted != "reject":
            assert isinstance(merged(form, asked), WANTED[wanted]), each["why"]
            continue
        # Refused at once, or of another payment, or what came is not what was asked for.
        try:
            found = merged(form, asked)
        except (NotAuthentic, BadResponse):
            continue
        if form["transaction_id"] == "pay_01":
            assert isinstance(found, Approved), each["why"]
            assert [each.amount for each in found.movements] != [asked], each["why"]
