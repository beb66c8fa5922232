"""The answer to a COMMIT is lost on its way: what was sent is sent once, and booked once.

A proxy before the server ends the connection at a COMMIT of a verb that sends, one after the
other. The server did what it says, or never read it, or reads it later. The processor here keeps no
keys: a request that is sent twice moves money twice.
"""

from collections.abc import Callable
from contextlib import suppress
from itertools import count

import pytest

from paygate import AsyncCashier, Money
from paygate.errors import CommitUnknown
from paygate.gateway import NotIdempotent
from paygate.testing import FakeGateway
from tests.ledger.postgres.conftest import PROFILE
from tests.support.postgres_proxy import ENDED, Loss, Proxy, says_commit
from tests.sweep.run import Case, check, play_to_the_end
from tests.sweep.stories import BY_NAME
from tests.sweep.world import InMemory

SENDS = (
    "charge",
    "charge with credit",
    "charge a stored method",
    "charge and save",
    "charge an e-check",
    "show a page",
    "authorise",
    "capture",
    "void an authorisation",
    "void a charge",
    "refund",
    "complete",
    "withdraw",
    "enroll",
    "forget",
    "recover",
)


@pytest.mark.parametrize("loss", ENDED, ids=lambda loss: loss.value)
@pytest.mark.parametrize("name", SENDS)
def test_what_is_sent_is_sent_and_booked_once(
    name: str, loss: Loss, behind: Proxy, world_of: Callable[[str], InMemory]
) -> None:
    story, lost = BY_NAME[name], 0
    for at in count(1):
        world = world_of(name)
        story.given(world, world.process())
        behind.lose(loss, at, says_commit)
        with suppress(CommitUnknown):
            story.act(world, world.process(), "key-0")
        fired = behind.fired
        behind.count(says_commit)
        if not fired:
            break
        lost += 1
        cashier = play_to_the_end(story, world)
        check(Case(name, PROFILE), world, cashier)
    assert lost, "something is committed"


def test_an_intent_that_is_found_to_be_ours_is_sent_at_once(
    behind: Proxy, world_of: Callable[[str], InMemory]
) -> None:
    story, world = BY_NAME["charge"], world_of("charge")
    cashier = world.process()
    story.given(world, cashier)
    behind.lose(Loss.ANSWER, 1, says_commit)

    payment = story.act(world, cashier, "key-0")

    assert behind.fired
    assert payment.status == "succeeded"
    assert len(cashier.attempts(payment)) == 1


def test_what_only_reads_does_not_mind_how_its_transaction_ends(
    behind: Proxy, world_of: Callable[[str], InMemory]
) -> None:
    cashier = world_of("charge").process()
    behind.lose(Loss.ANSWER, 1, says_commit)

    assert cashier.invoices() == []
    assert not behind.fired


@pytest.mark.parametrize("at", [1, 2], ids=["the intent", "the outcome"])
@pytest.mark.parametrize("loss", ENDED, ids=lambda loss: loss.value)
async def test_in_asyncio_too(loss: Loss, at: int, behind: Proxy, database_behind: str) -> None:
    gateway = FakeGateway(idempotency=NotIdempotent())
    place = behind.url(database_behind)
    async with AsyncCashier.open(place, gateways={"card": gateway}) as cashier:
        total = Money.of("USD", "30.00")
        await cashier.issue(number="A-1", customer="C-1", total=total, due="2026-12-01")
        behind.lose(loss, at, says_commit)

        payment = await cashier.collect("A-1", via="card", method="tok_visa", key="k")
        again = await cashier.collect("A-1", via="card", method="tok_visa", key="k")

        assert behind.fired
        assert payment.id == again.id
        assert (await cashier.fsck()) == []
        paid = again.status == "succeeded"
        assert paid or (loss, at) == (Loss.LATE, 1)  # the intent came later: to be recovered
        assert gateway.moved("USD") == (total if paid else Money.of("USD", 0))
