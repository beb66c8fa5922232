"""A hundred thousand forged or mutated messages to each wallet in `ordeal`: none is believed."""

import os

from tests.drivers.payarena.test_payarena import accepted as payarena
from tests.drivers.remita.test_remita import believed as remita
from tests.drivers.skrill.test_skrill import accepted as skrill

COUNT = 1_200 * int(os.environ.get("PAYGATE_ORDEAL") or "1")


def test_no_mutated_report_of_skrill_is_believed() -> None:
    assert skrill(COUNT, seed=1) == []


def test_no_forged_notification_of_remita_brings_about_anything_by_itself() -> None:
    assert remita(COUNT, seed=2) == []


def test_no_mutated_approval_of_payarena_pays_another_payment() -> None:
    assert payarena(COUNT, seed=3) == []
