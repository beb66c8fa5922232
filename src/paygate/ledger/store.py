"""What the cashier needs of the place where the ledger is kept, whatever database that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paygate.ledger.tx import Context, Tx

T = TypeVar("T")

BUSY_S: Final = 30.0
"""How many seconds a write waits for other writers."""


class Writes(Protocol):
    """What does a unit of work that writes: a store, or a transaction that the host lends."""

    def write(self, context: Context, work: Callable[[Tx], T]) -> T:
        """Do *work* whole or not at all; what it did in a store is durable on return."""
        ...


class Store(Writes, Protocol):
    """A ledger in a database of its own connections.

    A unit of work may be done twice, so it changes nothing but rows (see `Tx`).
    """

    def read(self, context: Context, work: Callable[[Tx], T]) -> T:
        """Do *work*, which only reads, on one consistent state."""
        ...

    def write_group(
        self, group: Sequence[tuple[Context, Callable[[Tx], Any]]]
    ) -> list[tuple[Any, BaseException | None]]:
        """
        Do several units of work in one durable transaction, each undone alone if it fails.

        Return their results in order, each with the error that its unit raised. An error
        of the transaction itself is raised, and then nothing was done. If nobody knows whether
        it was, each unit gets a `CommitUnknown` with its own result.
        """
        ...

    def close(self) -> None:
        """Close the connections; a second call does nothing."""
        ...
