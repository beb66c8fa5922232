"""A process that collects invoices, one after another, and notes each payment that it was told.

It is started with faults below it: of the disk, of the clock, or of the room for its files. What
it notes was acknowledged, so it must be in the ledger afterwards, whatever failed meanwhile.
"""

import argparse
import logging
import os
import sys
from pathlib import Path

from paygate import Cashier, PaygateError
from tests.ordeal.collecting import Place, pay

TRIES = 30
"""How often it asks for the same payment before it goes on to the next one."""
COULD_NOT_OPEN = 3
"""How the process ends if it cannot open the ledger."""


def collect(cashier: Cashier, number: int, notes: int) -> None:
    """Ask for one payment until it is acknowledged, always with the same key."""
    for _ in range(TRIES):
        os.write(sys.stdout.fileno(), b".")  # for whoever waits to kill this process
        try:
            payment = pay(cashier, number)
        except PaygateError as error:
            os.write(notes, f"{number} failed {type(error).__name__}\n".encode())
        else:
            os.write(notes, f"{number} {payment.status} {payment.id}\n".encode())
            return


def main() -> int:
    """Collect the invoices from `first` up to `last`; later ones have greater numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("processor")
    parser.add_argument("first", type=int)
    parser.add_argument("last", type=int)
    asked = parser.parse_args()
    logging.disable()  # thousands of lines about what is made to fail
    folder: Path = asked.folder
    place = Place(
        ledger=f"sqlite:///{folder / 'disk' / 'ledger.db'}",
        processor=asked.processor,
        consumed=folder / "consumed",
    )
    notes = os.open(folder / "notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        cashier = place.open()
    except PaygateError:
        return COULD_NOT_OPEN
    with cashier:
        for number in range(asked.first, asked.last):
            collect(cashier, number, notes)
            try:
                cashier.publish()
            except PaygateError as error:
                os.write(notes, f"{number} failed {type(error).__name__}\n".encode())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
