"""A word that means nothing is found before the program runs. Nothing here runs."""

from paygate import Cashier, Kind, Payment, Pays, RefundTo


def words(cashier: Cashier, payment: Payment) -> None:
    cashier.record("INV-7", by="check", key="k")
    cashier.record("INV-7", by=Kind.CHECK, key="k")
    cashier.record("INV-7", by="cheque", key="k")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    cashier.record("INV-7", by="card", key="k")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    cashier.record_refund(payment, by="bitcoin", reference="txid", key="k")
    cashier.record_refund(payment, by="card", reference="txid", key="k")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    cashier.refund(payment, to="credit_note", key="k")
    cashier.refund(payment, to=RefundTo.CREDIT_NOTE, key="k")
    cashier.refund(payment, to="credit-note", key="k")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    cashier.collect("INV-7", via="card", key="k", kind="card", reason="recurring")
    cashier.collect("INV-7", via="card", key="k", kind="cards")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    cashier.collect("INV-7", via="card", key="k", reason="monthly")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    cashier.payments(status="succeeded")
    cashier.payments(status="success")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    cashier.invoices(status="written_off")
    cashier.invoices(status="unpaid")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    cashier.callbacks(state="orphan")
    cashier.callbacks(state="orphaned")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    cashier.chargebacks(state="lost")
    cashier.chargebacks(state="taken")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    cashier.assign_payer_number("C-1", "VA-1", via="bank", pays=Pays.BALANCE)
    cashier.assign_payer_number("C-1", "VA-1", via="bank", pays="credit")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    cashier.payment_by_key("k", verb="refund")
    cashier.payment_by_key("k", verb="enroll")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def a_word_from_a_form_is_made_a_member(cashier: Cashier, word: str) -> None:
    cashier.record("INV-7", by=Kind(word), key="k")
    cashier.record("INV-7", by=word, key="k")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def a_ledger_in_memory_takes_only_what_it_knows() -> None:
    Cashier.in_memory(tokens=["x"])  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
