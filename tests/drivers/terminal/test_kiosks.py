"""Fifteen kiosks at once, at a server that is killed and restarted: each coin is booked once."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from paygate import Cashier, Money
from tests.drivers.terminal.portal_process import ACCOUNT
from tests.service.world import assert_sound

KIOSKS, COINS = 15, 8
KILLS = (10, 40, 80)
"""After how many answers the server is killed."""
ROOT = Path(__file__).parents[3]


def test_each_coin_is_booked_once_although_the_server_is_killed(tmp_path: Path) -> None:
    ledger = f"sqlite:///{tmp_path / 'ledger.db'}"
    with Cashier.open(ledger, gateways={"kiosk": ACCOUNT}) as cashier:
        for kiosk in range(KIOSKS):
            cashier.assign_payer_number(f"C-{kiosk}", f"ACC-{kiosk}", via="kiosk")
    answers: list[tuple[str, str]] = []
    # Kiosks that connect while no server runs wait in the backlog of this socket.
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        command = [sys.executable, "-m", "tests.drivers.terminal.portal_process", ledger]
        descriptor = listener.fileno()
        numbers = map(str, (listener.getsockname()[1], KIOSKS, COINS))

        def started() -> subprocess.Popen[bytes]:
            return subprocess.Popen([*command, str(descriptor)], pass_fds=[descriptor], cwd=ROOT)

        server = started()
        network = subprocess.Popen(
            [sys.executable, "-m", "tests.drivers.terminal.kiosk_process", *numbers],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        try:
            assert network.stdout is not None
            for line in network.stdout:
                transaction, ours = line.split()
                answers.append((transaction, ours))
                if len(answers) in KILLS:
                    os.kill(server.pid, signal.SIGKILL)
                    server.wait()
                    server = started()
            assert network.wait() == 0
        finally:
            for process in (network, server):
                process.kill()
                process.wait()
            if network.stdout is not None:
                network.stdout.close()
    assert len(answers) == KIOSKS * COINS
    with Cashier.open(ledger, gateways={"kiosk": ACCOUNT}) as cashier:
        kept = {str(each.id): each for each in cashier.callbacks(limit=1000)}
        payments = cashier.payments(limit=1000)
        paid = {
            kiosk: [each.received for each in payments if each.customer == f"C-{kiosk}"]
            for kiosk in range(KIOSKS)
        }
        assert all(coins == [Money("USD", 100)] * COINS for coins in paid.values())
        # The kiosk was told the number under which exactly its transaction is stored.
        told = {kept[ours].event_id for _, ours in answers}
        assert told == {f"pay/{transaction}" for transaction, _ in answers}
        assert len(kept) == KIOSKS * COINS
        assert_sound(cashier)
