"""The store: the interface between the cashier and the database of the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paygate.ledger.lending import Lent
    from paygate.ledger.tx import Context, Tx

T = TypeVar("T")

CONNECTIONS_MAX: Final = 10
"""How many connections a store on a server opens at most."""

BUSY_S: Final = 30.0
"""How many seconds a write waits for other writers."""


class Writes(Protocol):
    """Runs a unit of work that writes: a store, or a transaction that the host lends."""

    def write(self, context: Context, work: Callable[[Tx], T]) -> T:
        """Run *work* atomically; a store's result is durable on return."""
        ...


class Store(Writes, Protocol):
    """A ledger in a database, with connections of its own.

    A unit of work may run twice, so it has no side effects besides rows (see `Tx`).
    """

    units_at_once: int
    """How many units of work it runs at once; 1 if units that write share a transaction."""

    def read(self, context: Context, work: Callable[[Tx], T]) -> T:
        """Run *work*, which only reads, on one consistent snapshot."""
        ...

    def write_group(
        self, group: Sequence[tuple[Context, Callable[[Tx], Any]]]
    ) -> list[tuple[Any, BaseException | None]]:
        """
        Run several units of work; one that fails is rolled back without the others.

        Return the result and the error of each unit, in order. If the transaction itself
        fails, raise, and none of them is written. If it is unknown whether the commit took
        effect, each unit gets a `CommitUnknown` with its own result.
        """
        ...

    def lend(self, take: Callable[[], Lent]) -> Writes:
        """
        Return a store that writes in the host's transaction, on the connection that *take* returns.

        *take* is called before each unit of work. Raise `InvalidValue` for a connection to another
        database, and `NotAllowedHere` for a transaction that is not suitable.
        """
        ...

    def close(self) -> None:
        """Close the connections; a second call does nothing."""
        ...
