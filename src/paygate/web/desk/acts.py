"""Acts: what a clerk does to a payment, as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from paygate.web.desk.staff import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from paygate.domain.payment import Payment


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAct:
    """Something that a clerk can do to a payment; *fits* says whether it is offered."""

    name: str
    label: str
    fits: Callable[[Payment], bool]
    needs: Role = Role.CLERK


ACTS: Final[Mapping[str, PaymentAct]] = {}
