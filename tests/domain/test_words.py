"""The words that type checkers know are those that the engine takes."""

from enum import StrEnum
from typing import get_args

import pytest

from paygate.cashier import payments
from paygate.domain import words
from paygate.domain.callback import InboxState
from paygate.domain.chargeback import DisputeState
from paygate.domain.charging import ChargeReason
from paygate.domain.invoice import InvoiceStatus
from paygate.domain.kind import Kind
from paygate.domain.payer_number import Pays
from paygate.domain.payment import PaymentStatus
from paygate.service import record_refund
from paygate.service.taking import RefundTo


@pytest.mark.parametrize(
    ("alias", "enum"),
    [
        (words.KindWord, Kind),
        (words.ChargeReasonWord, ChargeReason),
        (words.RefundToWord, RefundTo),
        (words.PaysWord, Pays),
        (words.PaymentStatusWord, PaymentStatus),
        (words.InvoiceStatusWord, InvoiceStatus),
        (words.InboxStateWord, InboxState),
        (words.DisputeStateWord, DisputeState),
    ],
)
def test_words_are_the_members_of_their_enum(alias: object, enum: type[StrEnum]) -> None:
    assert get_args(alias) == tuple(enum)


def test_the_words_for_money_by_hand_are_the_kinds_that_are_recorded() -> None:
    assert set(get_args(words.RecordedBy)) == {kind for kind in Kind if kind.recorded}
    assert set(get_args(words.SentBackBy)) == set(record_refund._BY_HAND)


def test_the_verbs_with_a_key_are_those_by_whose_key_a_payment_is_found() -> None:
    assert get_args(words.KeyedVerb) == tuple(payments._KEPT_AS)
