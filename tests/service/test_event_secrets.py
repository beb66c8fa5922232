"""No event carries a secret or a contact fact, whatever a processor repeats, and wherever."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from paygate import Cashier, Customer, Money, OneTimeToken, PostalAddress, Secret
from paygate.dialogue import Dialogue, at_once
from paygate.domain.movement import Movement
from paygate.domain.outcome import (
    Approved,
    DeclineCode,
    Declined,
    Ended,
    Ending,
    Outcome,
    Pending,
    RejectCause,
    Rejected,
    Unknown,
)
from paygate.gateway import Charge
from paygate.sink import Delivery, SinkTraits
from paygate.testing import FakeClock, FakeGateway

KEY = "sk_test_Zq81mYb/+77"
TOKEN = "tok_9fXw4Rr1eKq"
PAN = "4000000000000002"
ANN = Customer(
    "C-1",
    name="Annabel Example",
    email="annabel@example.com",
    phone="+1 555 010 0199",
    address=PostalAddress(line1="7 Quiet Street", city="Springfield"),
)
SECRETS = (KEY, TOKEN)
FACTS = (PAN, ANN.email, ANN.name, ANN.phone, ANN.address.line1)
AMOUNT = Money.of("USD", "30.00")


class Repeats(FakeGateway):
    """A gateway whose processor says what the test tells it to say."""

    def __init__(self, clock: FakeClock, says: Outcome) -> None:
        super().__init__(clock=clock)
        self.says, self.key = says, Secret(KEY)

    def charge(self, _: Charge) -> Dialogue[Outcome]:
        return at_once(self.says)


def texts(*parts: str) -> st.SearchStrategy[str]:
    """Return text that repeats some of *parts* among other words, joined in several ways."""
    word = st.sampled_from(["do not honor", "code", "51", ":", *parts])
    words, joint = st.lists(word, min_size=1, max_size=4), st.sampled_from([" ", ", ", " - "])
    return st.builds(lambda each, by: str(by.join(each)), words, joint)


SAID = texts(*SECRETS, *FACTS)
NAMED = st.builds("id-{}-{}".format, st.integers(0, 9), st.sampled_from(["a", *SECRETS]))
OUTCOMES: st.SearchStrategy[Any] = st.one_of(
    st.builds(
        Declined,
        code=st.sampled_from(DeclineCode),
        raw_code=SAID,
        message=SAID,
        retryable=st.booleans(),
        reference=NAMED,
    ),
    st.builds(
        Rejected,
        cause=st.sampled_from(RejectCause),
        retryable=st.booleans(),
        raw_code=SAID,
        message=SAID,
    ),
    st.builds(Unknown, reason=SAID, reference=NAMED, flagged=st.booleans()),
    st.builds(Pending, reference=NAMED),
    st.builds(Ended, how=st.sampled_from(Ending), reference=NAMED),
    st.builds(
        Approved,
        reference=NAMED,
        movements=NAMED.map(lambda name: (Movement(movement_id=name, amount=AMOUNT),)),
        alert=SAID,
    ),
)


class Hears:
    """A sink that keeps the text of what it gets, without the contact facts it did not ask for."""

    def __init__(self) -> None:
        self.traits, self.heard = SinkTraits(), list[str]()

    def send(self, delivery: Delivery) -> None:
        self.heard.append(json.dumps(delivery.event.as_json()) + repr(delivery))


@given(outcome=OUTCOMES)
def test_no_event_carries_what_a_processor_repeats(outcome: Outcome) -> None:
    clock, sink = FakeClock(), Hears()
    gateways = {"card": Repeats(clock, outcome)}
    with Cashier.in_memory(clock=clock, gateways=gateways, sinks={"crm": sink}) as cashier:
        cashier.issue(number="A", customer=ANN, total=AMOUNT, due="2026-02-01")
        cashier.collect("A", via="card", method=OneTimeToken(Secret(TOKEN)), key="k")
        cashier.publish()

        heard = "\n".join(sink.heard)
        assert len(sink.heard) == len(cashier.events()) >= 2

    assert [each for each in (*SECRETS, *FACTS) if each in heard] == []
