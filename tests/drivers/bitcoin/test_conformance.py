"""The Bitcoin driver is held to the kit that every driver is held to.

Five cases are put otherwise, because a chain is no processor: it is told neither an
amount nor a name of ours, only the payer is; and it is asked nothing about one
payment, for the feed tells of all of them.
"""

from pathlib import Path
from typing import Any

import pytest

from paygate.domain.action import PayToAddress
from paygate.domain.kind import Kind
from paygate.domain.money import Money
from paygate.domain.outcome import ActionRequired, NotFound
from paygate.drivers.bitcoin import Bitcoin
from paygate.errors import Unsupported
from paygate.gateway import Charge
from paygate.testing.conformance import (
    ChargeConformance,
    CheckConformance,
    GatewayConformance,
    LookUpConformance,
    Subject,
)
from paygate.testing.conformance.amounts import read_amounts, stands_in
from tests.drivers.bitcoin.conftest import TPUB


class Coins(Subject):
    driver = Bitcoin
    kind = Kind.BITCOIN
    settings = {  # noqa: RUF012  (said once, and never changed)
        "network": "regtest",
        "wallet": f"wpkh({TPUB}/0/*)",
        "url": "https://node.example",
        "user": "shop",
        "password": "hunter2-9d",
        "rate_servers": [{"url": "https://rates.example/prices"}],
        "rate_kept_s": 0,  # each charge asks for itself, as the kit wants to see
    }
    transcripts = Path(__file__).parent / "transcripts"

    def charge(self, **given: Any) -> Charge:
        return super().charge(**{"address_index": 7, "asked_at": self.now, **given})


class TestGateway(Coins, GatewayConformance):
    name = "bitcoin"


class TestCheck(Coins, CheckConformance):
    pass


class TestCharge(Coins, ChargeConformance):
    def link(self, money: Money) -> str:
        outcome = self.outcome(self.good(), amount=money)
        assert isinstance(outcome, ActionRequired)
        assert isinstance(outcome.action, PayToAddress)
        return outcome.action.uri

    def test_amounts_are_written_as_the_processor_counts(self) -> None:
        for row in read_amounts(self.transcripts / "amounts.txt", self.rail):
            assert stands_in(row.written, self.link(row.money).replace("&", " ").replace("?", " "))

    def test_amounts_that_it_cannot_write_are_refused(self) -> None:
        with pytest.raises(Unsupported):
            next(self.gateway().charge(self.charge(address_index=None)))  # type: ignore[attr-defined]

    def test_two_amounts_never_look_alike(self) -> None:
        links = {self.link(Money("USD", minor)) for minor in range(1000, 1200)}
        assert len(links) == 200

    def test_the_currency_reaches_the_processor(self) -> None:
        """The payer is asked for coins, as many as the amount is worth in its currency."""
        assert self.link(Money("USD", 1999)) != self.link(Money("EUR", 1999))


class TestLookUp(Coins, LookUpConformance):
    def test_what_is_still_open_is_found_open(self) -> None:
        # The core believes it only after the quote and the hours of watching are over.
        answer = self.found("pending", "the node can be asked")
        assert isinstance(answer, NotFound)
        after = self.traits.not_found_is_final_after
        assert after is not None
        assert after.total_seconds() == 24 * 3600

    def test_it_looks_for_what_the_traits_say(self) -> None:
        asked = self.held(self.good()).requests
        assert [each.step for each in asked] == ["getblockchaininfo"]
