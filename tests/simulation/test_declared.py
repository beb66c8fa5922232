"""A driver's traits in the simulator: what of them is played, and that paygate's own hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

import pytest

from paygate.domain.kind import Kind, Operation
from paygate.domain.secret import OneTimeToken
from paygate.drivers.authorize_net import AuthorizeNet
from paygate.drivers.bitcoin import Bitcoin
from paygate.drivers.stripe import Stripe
from paygate.errors import Unsupported
from paygate.gateway import CallbackStyle, InquiryBy, Keyed, Limits, NotIdempotent, Rail, Traits
from paygate.service import asking
from paygate.testing.simulation import Summary, left_out, playable, run, shrink, sweep
from paygate.testing.simulation.dice import dice
from paygate.testing.simulation.profiles import draw
from tests.drivers.authorize_net import conftest as authorize_net
from tests.drivers.bitcoin import conftest as bitcoin
from tests.drivers.stripe import conftest as stripe

SEEDS = 40


def own_type() -> type:
    class Wallet:
        """A type that no other process can import."""

    return Wallet


TRAITS = Traits(
    live=True,
    merchant_account="m-1",
    driver_version="1",
    rails=MappingProxyType(
        {
            Kind.CARD: Rail(
                operations=frozenset({Operation.CHARGE, Operation.REFUND, Operation.WITHDRAW}),
                currencies=frozenset({"EUR"}),
                limits=MappingProxyType({"EUR": Limits(minimum_minor=50)}),
                methods=frozenset({OneTimeToken, own_type()}),
                partial_refund=False,
            ),
            Kind.E_CHECK: Rail(operations=frozenset({Operation.CHARGE, Operation.WITHDRAW})),
            Kind.REDIRECT: Rail(operations=frozenset({Operation.COMPLETE})),
            Kind.TERMINAL: Rail(operations=frozenset({Operation.CHARGE})),
        }
    ),
    idempotency=NotIdempotent(),
    inquiry=InquiryBy.LIST_SCAN,
    not_found_is_final_after=timedelta(minutes=7),
    callbacks=CallbackStyle.ANSWERED,
)


def played(traits: Traits, seeds: int, jobs: int = 1) -> Summary:
    total = Summary()
    for block in sweep(0, seeds, jobs, traits=traits):
        total.add(block)
    return total


@pytest.mark.parametrize(
    ("traits", "kinds"),
    [
        pytest.param(
            Stripe(stripe.settings(webhook_secrets=["whsec_" + "a" * 24])).traits,
            {"card", "redirect"},
            id="stripe",
        ),
        pytest.param(
            AuthorizeNet(authorize_net.settings(signature_keys="A1" * 64)).traits,
            {"card", "e_check", "redirect"},
            id="authorize_net",
        ),
        pytest.param(
            AuthorizeNet(authorize_net.settings(duplicate_window_s=60)).traits,
            {"card", "e_check", "redirect"},
            id="authorize_net without webhooks",
        ),
        pytest.param(Bitcoin(bitcoin.settings()).traits, {"bitcoin"}, id="bitcoin"),
    ],
)
def test_the_engine_holds_against_what_our_drivers_declare(traits: Traits, kinds: set[str]) -> None:
    total = played(traits, SEEDS)

    assert [(each.seed, str(each.violations[0])) for each in total.broken] == []
    seen = {name.partition(":")[2] for name in total.covered if name.startswith("kind:")}
    assert seen == kinds
    assert total.covered["actor:collect"] > SEEDS
    assert total.covered["idempotency:as declared"] >= SEEDS


def test_what_is_played_is_as_declared() -> None:
    kept = playable(TRAITS)

    assert set(kept.rails) == {Kind.CARD, Kind.E_CHECK}
    assert kept.rails[Kind.CARD].operations == TRAITS.rails[Kind.CARD].operations
    assert not kept.rails[Kind.CARD].partial_refund
    assert not kept.live
    assert replace(kept, rails=TRAITS.rails, live=True) == TRAITS
    assert playable(kept) == kept


def test_each_account_of_a_driver_is_of_a_merchant_of_its_own() -> None:
    accounts = [draw(dice(1), name, playable(TRAITS)) for name in ("one", "two")]

    assert [each.traits.merchant_account for each in accounts] == ["one", "two"]


def test_what_is_not_played_is_told() -> None:
    assert left_out(TRAITS) == {
        Kind.E_CHECK: [Operation.WITHDRAW],
        Kind.REDIRECT: [Operation.COMPLETE],
        Kind.TERMINAL: [Operation.CHARGE],
    }


@pytest.mark.parametrize(
    ("rails", "told"),
    [
        ({Kind.TERMINAL: Rail(operations=frozenset({Operation.CHARGE}))}, "terminal: charge"),
        ({Kind.CARD: Rail(operations=frozenset({Operation.REFUND}))}, "card: refund"),
        ({}, "no rail at all"),
    ],
)
def test_traits_by_which_no_money_comes_are_refused(rails: dict[Kind, Rail], told: str) -> None:
    traits = replace(TRAITS, rails=rails)

    with pytest.raises(Unsupported, match=rf"offer neither \({told}\); the conformance kit"):
        run(1, traits=traits)
    with pytest.raises(Unsupported, match="offer neither"):
        played(traits, 1, jobs=2)


def test_the_traits_reach_every_process() -> None:
    alone, shared = played(TRAITS, 60), played(TRAITS, 60, jobs=2)

    assert alone.covered["kind:terminal"] == 0 < alone.covered["inquiry:list_scan"]
    assert (shared.seeds, shared.steps, shared.commits) == (60, alone.steps, alone.commits)
    assert shared.covered == alone.covered


def test_what_traits_broke_is_made_small_with_the_same_traits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a bug in the engine: a request without an answer counts as never sent."""
    fault = asking._fault
    monkeypatch.setattr(asking, "_fault", lambda **told: fault(**{**told, "sent": False}))
    traits = replace(TRAITS, idempotency=Keyed(ttl=timedelta(days=2)))

    broken = max(played(traits, 60).broken, key=lambda each: len(each.events))
    small = shrink(broken, traits)

    assert small.violations[0].rule == broken.violations[0].rule
    assert len(small.events) < len(broken.events)
