"""May 16 to 18 on the bank statement: a check bounces, and the bank charges for it.

On May 16 a check of 100.00 for an invoice is recorded and taken to the bank. The statement of
May 18 has the deposit, the returned check, and a handling fee of 25.00; it has a transfer as well,
whose text names another invoice. Run it: ``python examples/bank_statement.py``.
"""

from datetime import UTC, datetime, timedelta

from paygate import Cashier, Money
from paygate.testing import FakeClock

STATEMENT = b"""\
:20:STMT-94
:25:1234567890
:28C:94/1
:60F:C260515USD1000,00
:61:2605160516C100,00NCHK1047//BK0516-001
:86:CHECK DEPOSIT 1047
:61:2605180518D100,00NRTI1047//BK0518-001
:86:RETURNED CHECK 1047 NSF
:61:2605180518D25,00NCHGNONREF//BK0518-002
:86:RETURN HANDLING FEE CHECK 1047
:61:2605180518C80,00NTRFNONREF//BK0518-003
:86:YOUR INVOICE INV 2002 WITH THANKS
:62F:C260518USD1055,00
-
"""


def main() -> None:
    """Record a check, import the statement, and accept what it proposes."""
    clock = FakeClock(datetime(2026, 5, 16, 9, tzinfo=UTC))
    with Cashier.in_memory(clock=clock) as cashier:
        cashier.set_bank_account(
            "main", number="1234567890", currency="USD", check_fee=Money.of("USD", "25.00")
        )
        for number, amount in (("INV-1001", "100.00"), ("INV-2002", "80.00")):
            cashier.issue(
                number=number, customer="C-1", total=Money.of("USD", amount), due="2026-05-31"
            )
        cashier.record(["INV-1001"], by="check", reference="1047", key="check 1047")
        print("May 16: INV-1001 is", cashier.invoice("INV-1001").status)

        clock.advance(timedelta(days=2))
        done = cashier.import_statement(STATEMENT, account="main")
        print(f"May 18: {done.new} lines are new")
        for line in cashier.bank_lines(oldest_first=True):
            print(f"  {line.amount!s:>12}  {line.state:<9}  {line.line_class}")

        [returned] = [
            each for each in cashier.bank_lines(state="open") if each.meaning == "check_returned"
        ]
        [proposal] = cashier.line_proposals(returned)
        print("proposed:", proposal.kind, "because", proposal.why)
        cashier.accept_proposal(returned)

        print("INV-1001 is", cashier.invoice("INV-1001").status)
        print("INV-2002 is", cashier.invoice("INV-2002").status)
        [fee] = [each for each in cashier.invoices() if each.number.endswith("-FEE")]
        print(fee.number, "bills", fee.open)
        again = cashier.import_statement(STATEMENT, account="main")
        print("imported again:", again.new, "new lines")
        [account] = cashier.bank_accounts()
        print("the bank has", account.balance)
        assert cashier.fsck() == []


if __name__ == "__main__":
    main()
