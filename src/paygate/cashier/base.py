"""What a verb has access to: the ledger and, for some verbs, the gateway accounts."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from paygate.cashier import arguments
from paygate.cashier.verbs import Verbs
from paygate.errors import GatewayNotFound
from paygate.printing import shown
from paygate.service.flow import look

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date

    from paygate.domain.method import PaymentMethod
    from paygate.errors import PaygateError
    from paygate.gateway import Method
    from paygate.ledger.paging import Page
    from paygate.ledger.tx import Context
    from paygate.service.account import GatewayAccount, Timing
    from paygate.service.agenda import Access
    from paygate.service.flow import Flow
    from paygate.service.readers import Reader


class OnLedger(Verbs):
    """Verbs that send nothing: they only write to the ledger, or read it."""

    _context: Context
    _period_closed: Callable[[date], bool] | None = None

    def _page(
        self,
        after: str | int,
        limit: int,
        *,
        oldest_first: bool = False,
        since: date | str | None = None,
        until: date | str | None = None,
    ) -> Page:

        return arguments.page(
            self._context,
            after=after,
            limit=limit,
            oldest_first=arguments.flag(oldest_first, "oldest_first"),
            since=since,
            until=until,
        )


class OnAccounts(OnLedger):
    """Verbs that may send a request to a gateway account."""

    _on_accounts = True
    _accounts: dict[str, GatewayAccount]
    _problems: Mapping[str, PaygateError] = MappingProxyType({})
    _timing: Timing
    _readers: dict[str, Reader]

    def _access(self) -> Access:
        """Return what this process has to do jobs with."""
        from paygate.service.agenda import Access

        return Access(
            tenant=self._context.tenant,
            accounts=self._accounts,
            timing=self._timing,
            readers=self._readers,
        )

    def _account(self, via: str) -> GatewayAccount:
        name = arguments.named(via, "via")
        found = self._accounts.get(name)
        if found is None:
            problem = self._problems.get(name)
            if problem is not None:
                raise type(problem)(problem.message, **problem.facts)
            known = sorted(self._accounts)
            raise GatewayNotFound(
                f"there is no gateway account {shown(via)}; configured are: "
                f"{', '.join(known) or 'none'}",
                name=via,
                known=known,
                argument="via",
            )
        return found


def stored_or_given(
    method: Method | PaymentMethod | str | None,
) -> Flow[Method | PaymentMethod | None]:
    """Return the method to charge; the id of a stored one is looked up, never sent as a token."""
    from paygate.service import finding

    if method is None:
        return None
    given = arguments.method(method, "method")
    stored = arguments.id_of_stored(given)
    return given if stored is None else (yield from look(lambda tx: finding.method(tx, stored)))
