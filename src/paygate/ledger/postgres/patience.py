"""Patience: how long a server is waited for that is connected and says nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar, cast

import psycopg

from paygate.ledger.postgres.errors import ServerSilent

if TYPE_CHECKING:
    from psycopg.abc import PQGen

T = TypeVar("T")


class PatientConnection(psycopg.Connection[dict[str, Any]]):
    """A connection that gives up a server that does not answer."""

    silence_s: float | None = None
    """How long the server may be silent while an answer is awaited; None for any time."""

    def wait(self, gen: PQGen[T], *args: Any, **kwargs: Any) -> T:
        """Wait for answers; raise `ServerSilent` and close the connection if none come."""
        if self.silence_s is None:
            return super().wait(gen, *args, **kwargs)
        try:
            return super().wait(_heard(gen, self.silence_s), *args, **kwargs)
        except ServerSilent:
            self.close()
            raise


def _heard(gen: PQGen[T], silence_s: float) -> PQGen[T]:
    """Do what *gen* does, and raise `ServerSilent` if nothing happens for *silence_s* seconds."""
    heard = time.monotonic()
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            now = time.monotonic()
            if ready:
                heard = now
            elif now - heard > silence_s:
                raise ServerSilent(f"the server has not answered for {silence_s:g} seconds")
            wanted = gen.send(ready)
    except StopIteration as end:
        return cast("T", end.value)
