"""A hundred thousand forged or mutated messages to each wallet: none is believed."""

from tests.drivers.payarena.test_payarena import accepted as payarena
from tests.drivers.remita.test_remita import believed as remita
from tests.drivers.skrill.test_skrill import accepted as skrill

COUNT = 100_000


def test_no_mutated_report_of_skrill_is_believed() -> None:
    assert skrill(COUNT, seed=1) == []


def test_no_forged_notification_of_remita_brings_about_anything_by_itself() -> None:
    assert remita(COUNT, seed=2) == []


def test_no_mutated_approval_of_payarena_pays_another_payment() -> None:
    assert payarena(COUNT, seed=3) == []
