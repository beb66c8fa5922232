"""Gateway accounts: whether they work, and what a page needs to know about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.cashier.base import OnAccounts
from paygate.cashier.verbs import verb
from paygate.errors import BadResponse, CredentialsRejected, LiveModeMismatch, NotSent, Unsupported
from paygate.service.flow import look, transact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.gateway import AccountFacts
    from paygate.service.account import GatewayAccount
    from paygate.service.flow import Flow


class Accounts(OnAccounts):
    """Verbs about gateway accounts."""

    @verb
    def check(self, via: str) -> Flow[AccountFacts]:
        """
        Ask a gateway whether it accepts the credentials of account *via*; no money moves.

        Raises `Unsupported` if the driver cannot check them, `CredentialsRejected` if the
        credentials are wrong, `NotSent` or `BadResponse` if the gateway cannot be reached or its
        response cannot be read, and `LiveModeMismatch` if the account is live and the settings are
        not, or the reverse.
        """
        return (yield from _check(self._account(via)))

    @verb
    def accounts(self) -> Flow[Mapping[str, GatewayAccount]]:
        """
        Return the gateway accounts by name; their `traits` say what each can do.

        With ``merchants=``, these are the accounts of the tenant, and only those that can be used.
        """
        yield from ()
        return dict(self._accounts)

    @verb
    def public_settings(self, via: str) -> Flow[Mapping[str, str]]:
        """
        Return the settings of account *via* that the payer's browser needs, by name.

        An example is a publishable key for the processor's script in your page. It never
        contains anything that the account keeps secret. Raises `GatewayNotFound`.
        """
        yield from ()
        return dict(self._account(via).public)


def _check(account: GatewayAccount) -> Flow[AccountFacts]:
    from paygate.dialogue import deferred
    from paygate.domain.outcome import Fault, Unknown, Unsent
    from paygate.gateway import Checks
    from paygate.ledger import accounts
    from paygate.service import door
    from paygate.service.asking import ask

    if not isinstance(account.gateway, Checks):
        raise Unsupported(f"the driver of account {account.name!r} cannot check its credentials")
    facts = yield from ask(
        account.name, deferred(account.gateway.check), what="check", door=door.facts(account)
    )
    if isinstance(facts, Unsent | Unknown) and facts.fault is Fault.NOT_SENT:
        raise NotSent(f"the gateway of account {account.name!r} cannot be reached: {facts.reason}")
    if isinstance(facts, Unsent | Unknown) and facts.fault is Fault.CREDENTIALS:
        why = facts.reason
        yield from transact(lambda tx: accounts.reject(tx, account.name, why))
        raise CredentialsRejected(
            f"account {account.name!r}: {why}; correct its settings",
            account=account.name,
        )
    if isinstance(facts, Unsent | Unknown):
        raise BadResponse(f"the check of account {account.name!r} failed: {facts.reason}")
    if (yield from look(lambda tx: accounts.are_rejected(tx, account.name))):
        yield from transact(lambda tx: accounts.accept(tx, account.name))
    if facts.live is not account.traits.live:
        raise LiveModeMismatch(
            f"the settings of account {account.name!r} and its gateway disagree on live and test"
        )
    return facts
