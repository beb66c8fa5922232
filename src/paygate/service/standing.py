"""Standing: how a customer stands, what comes next, what they promise, and their reinstatement."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from paygate.domain.campaign import CustomerState
from paygate.domain.money import Money
from paygate.domain.standing import OverdueDebt, Promise, PromiseStatus, Standing
from paygate.errors import InvalidValue, NothingOverdue, TooManyPromises
from paygate.ledger import customers, episodes, holding, promises
from paygate.printing import shown
from paygate.service import dunning, overdue_facts
from paygate.service.flow import Flow, look, transact

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount
    from paygate.service.dunning import Debt


def of_customer(customer: str, accounts: Mapping[str, GatewayAccount]) -> Flow[Standing]:
    """Return how a customer stands now; nothing is changed."""
    return (yield from look(lambda tx: _standing(tx, customer, accounts)))


def _standing(tx: Tx, customer: str, accounts: Mapping[str, GatewayAccount]) -> Standing:
    state, since = customers.state_of(tx, customer)
    over = state is CustomerState.TERMINATED
    return Standing(
        customer=customer,
        state=state,
        since=since,
        debts=tuple(
            _debt(tx, each, accounts, over=over)
            for each in dunning.debts(tx, customer)
            if each.overdue.items
        ),
    )


def _debt(tx: Tx, debt: Debt, accounts: Mapping[str, GatewayAccount], *, over: bool) -> OverdueDebt:
    overdue, episode = debt.overdue, debt.episode
    oldest = overdue.items[0].due
    plain = OverdueDebt(
        amount=Money(overdue.currency, overdue.minor),
        invoices=tuple(debt.numbers()),
        due=oldest,
        days=(overdue.on - oldest).days,
        state=dunning.state_of(debt),
        promise=debt.promise,
    )
    if episode is None or not debt.is_live:
        return plain
    plain = replace(plain, stage=episode.done[-1].name if episode.done else None)
    following = None if over else episode.next_stage(debt.campaign)
    if following is None:
        return plain
    found = overdue_facts.holds(tx, debt, overdue.on, accounts)
    return replace(
        plain,
        next_stage=following.name,
        next_state=following.state,
        next_on=episode.next_on(debt.campaign, debt.promised_until),
        holds=tuple(sorted(each for each in found if each.holds(following))),
    )


def promise(customer: str, until: date, currency: str | None) -> Flow[Promise]:
    """Store that a customer promises to pay what is overdue by the end of the day *until*."""
    return (yield from transact(lambda tx: _promise(tx, customer, until, currency)))


def _promise(tx: Tx, customer: str, until: date, currency: str | None) -> Promise:
    holding.hold(tx, customers=(customer,))
    found = [each for each in dunning.settle_in(tx, customer) if each.is_live]
    debt = _one(customer, found, currency)
    campaign, episode = debt.campaign, debt.episode
    assert episode is not None, "it is live"
    open_ = debt.promise
    if open_ is not None and open_.until == until:
        return open_
    last = debt.overdue.on + timedelta(days=campaign.promise_days)
    if not debt.overdue.on <= until <= last:
        raise InvalidValue(
            f"until is {until}; a promise can be for {debt.overdue.on} to {last}", argument="until"
        )
    if open_ is not None or len(debt.promises) >= campaign.promises:
        raise TooManyPromises(
            f"customer {shown(customer)} has promised to pay {len(debt.promises)} times since "
            f"{episode.began_on}"
            + (f", and the promise until {open_.until} is still open" if open_ else ""),
            customer=customer,
        )
    made = promises.insert(tx, episode, until, [each.id for each in debt.overdue.items])
    debt = replace(debt, promises=(*debt.promises, made))
    kept = episodes.save(tx, episode, episode, dunning.look_on(debt))
    dunning.emit_promise(tx, "promise.made", made, replace(debt, episode=kept))
    return made


def _one(customer: str, found: list[Debt], currency: str | None) -> Debt:
    """Return the debt in *currency*, or the only one."""
    wanted = [each for each in found if currency in (None, each.overdue.currency)]
    if not wanted:
        raise NothingOverdue(
            f"customer {shown(customer)} has no overdue invoices"
            + ("" if currency is None else f" in {currency}")
            + " that a campaign is about",
            customer=customer,
        )
    if len(wanted) > 1:
        names = " and ".join(each.overdue.currency for each in wanted)
        raise InvalidValue(
            f"customer {shown(customer)} owes {names}: say which, as currency=", argument="currency"
        )
    return wanted[0]


def reinstate(customer: str, reason: str, accounts: Mapping[str, GatewayAccount]) -> Flow[Standing]:
    """Clear a customer whatever is overdue; what still is begins a new episode."""

    def work(tx: Tx) -> Standing:
        holding.hold(tx, customers=(customer,))
        state, _ = customers.state_of(tx, customer)
        if state is CustomerState.CLEAR:
            return _standing(tx, customer, accounts)
        for debt in dunning.settle_in(tx, customer):
            if debt.promise is not None:
                dunning.ended_promise(tx, debt, debt.promise, PromiseStatus.CANCELED)
            episode = debt.episode
            if episode is not None and debt.is_live:
                ended = replace(episode, ended_on=debt.overdue.on, held=False, final=True)
                episodes.save(tx, episode, ended, None)
        _finish_others(tx, customer)
        dunning.restate(tx, customer, [], reinstated=reason)
        for debt in dunning.debts(tx, customer):
            dunning.keep(tx, debt)
        return _standing(tx, customer, accounts)

    return (yield from transact(work))


def _finish_others(tx: Tx, customer: str) -> None:
    """Let no episode that has ended before resume: its customer begins again."""
    for episode in episodes.last_of(tx, customer).values():
        if not episode.final:
            episodes.save(tx, episode, replace(episode, final=True), None)
