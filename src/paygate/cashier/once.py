"""Requests of an API, each of which is done once, in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from paygate.cashier import arguments
from paygate.cashier.base import OnLedger
from paygate.cashier.verbs import verb
from paygate.cashier.within import Within
from paygate.domain.text import identifier
from paygate.errors import AssignmentConflict
from paygate.service.flow import repeatable

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.domain.api_key import ApiKey
    from paygate.ledger.tx import Context, Tx
    from paygate.service.flow import Flow

T = TypeVar("T")


class Once(OnLedger):
    """The verb that runs other verbs in one transaction, once per request."""

    @verb
    def once(
        self, api_key: ApiKey | str, key: str, *, digest: str, work: Callable[[Within], Any]
    ) -> Flow[Any]:
        """
        Do the *work* of a request that came with *api_key*, all of it in one transaction.

        *work* is a function that calls verbs of the `Within` that it gets; it may run twice, so it
        has no other effect. *key* is the request's idempotency key, and *digest* stands for its
        content: raises `KeyReused` if the same API key sent another content under the same key, and
        `ApiKeyNotFound` unless that API key is live.
        The same request again runs *work* again, with `Within.repeated`, so its verbs need keys of
        their own.
        """
        from paygate.service import api_keys, issue

        which = arguments.api_key(api_key, "api_key")
        name, content = arguments.key(key), identifier(digest, "digest")
        what = arguments.told(work, "work")

        def unit(tx: Tx) -> Any:
            repeated = api_keys.take(tx, which, name, content)
            store = _InTx(tx)
            return what(Within(store, self._context, self._period_closed, repeated=repeated))

        try:
            return (yield from repeatable(unit))
        except AssignmentConflict as error:
            yield from issue.report(error)
            raise


class _InTx:
    """A store whose units of work are parts of one transaction."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def write(self, context: Context, work: Callable[[Tx], T]) -> T:
        """Run *work* in the transaction, which has its context already."""
        del context
        return work(self._tx)
