"""A sink of a host's own against a real Tryton, which is killed and restarted."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.tryton_sink import Tryton, TrytonSettings
from paygate import Cashier, Customer, Money
from paygate.driver import Dialogue, NoResponse, Secret
from paygate.testing import FakeClock

PASSWORD = "a-password-of-tryton"
COMMANDS = Path(os.environ.get("PAYGATE_TRYTON") or Path(sys.executable).parent)
EVENTS = 40
PATIENCE_S = 60.0


class Server:
    """A Tryton in a process of its own, with its database in *folder*."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/books"
        (folder / "trytond.conf").write_text(
            f"[database]\nuri = sqlite://\npath = {folder}\n[web]\nlisten = 127.0.0.1:{self.port}\n"
        )
        (folder / "books.sqlite").touch()
        (folder / "password").write_text(f"{PASSWORD}\n")
        self._run("--all", "--email", "office@acme.example")
        self._run("--update", "party", "--activate-dependencies")

    def _command(self, name: str) -> list[str]:
        return [str(COMMANDS / name), "-c", str(self._folder / "trytond.conf"), "-d", "books"]

    def _run(self, *options: str) -> None:
        subprocess.run(
            [*self._command("trytond-admin"), *options],
            env={**os.environ, "TRYTONPASSFILE": str(self._folder / "password")},
            check=True,
            capture_output=True,
        )

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command("trytond"), stdout=log, stderr=log)
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
            except ConnectionRefusedError:
                time.sleep(0.05)
            else:
                return
        pytest.fail((self._folder / "log").read_text())

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def notes(self) -> Counter[str]:
        """Return how often each event has a note: the last word of a note is its id."""
        with sqlite3.connect(self._folder / "books.sqlite") as books:
            rows = books.execute("SELECT message FROM ir_note").fetchall()
        books.close()
        return Counter(message.split()[-1].strip("[]") for (message,) in rows)

    def parties(self) -> list[str]:
        with sqlite3.connect(self._folder / "books.sqlite") as books:
            rows = books.execute("SELECT code FROM party_party ORDER BY code").fetchall()
        books.close()
        return [code for (code,) in rows]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if not (COMMANDS / "trytond-admin").exists():
        pytest.skip("trytond is not installed; it is in the group `tryton`")
    made = Server(tmp_path_factory.mktemp("tryton"))
    made.start()
    yield made
    made.kill()


class Interrupted(Tryton):
    """The sink, whose server is killed after it wrote a note and before it answers."""

    def __init__(self, settings: TrytonSettings, server: Server) -> None:
        super().__init__(settings)
        self._server, self._written = server, 0

    def _post(self, method: str, *arguments: object) -> Dialogue[list[int]]:
        result = yield from super()._post(method, *arguments)
        if method == "model.ir.note.create":
            self._written += 1
            if self._written % 10 == 0:
                self._server.kill()
                raise NoResponse("the connection was closed")
        return result


def test_no_event_is_lost_and_none_is_written_twice_though_tryton_is_killed(
    server: Server,
) -> None:
    clock = FakeClock()
    sink = Interrupted(settings_of(server), server)
    lives = 0
    with Cashier.in_memory(sinks={"books": sink}, clock=clock) as cashier:
        for number in range(EVENTS):
            customer = Customer(f"C-{number % 4}", name="Ann <b>& Sons</b>")
            cashier.issue(
                number=f"A-{number}",
                customer=customer,
                total=Money.of("USD", "30"),
                due="2026-02-01",
            )
        while (done := cashier.publish()).delivered or done.delayed:
            if done.unreached:
                assert cashier.publish().paused
                server.start()
                lives += 1
            clock.advance(hours=1)
        wanted = [each.id for each in cashier.events()]
        assert cashier.dead_letters() == []

    assert lives >= 3
    assert server.notes() == dict.fromkeys(wanted, 1)
    ours = [each for each in server.parties() if each.startswith("C-")]
    assert ours == ["C-0", "C-1", "C-2", "C-3"]


def settings_of(server: Server, password: str = PASSWORD) -> TrytonSettings:
    return TrytonSettings(url=server.url, login="admin", password=Secret(password))


def test_a_wrong_password_makes_events_wait(server: Server) -> None:
    sink = Tryton(settings_of(server, "wrong"))
    with Cashier.in_memory(sinks={"books": sink}, clock=FakeClock()) as cashier:
        cashier.issue(number="A", customer="C-9", total=Money.of("USD", "30"), due="2026-02-01")
        assert cashier.publish().unreached == ("books",)

    assert "C-9" not in server.parties()
