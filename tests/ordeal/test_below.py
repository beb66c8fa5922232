"""What fails below a ledger on SQLite: a disk that refuses, a clock that jumps, no room left.

`strace` and libfiu let system calls fail, `faketime` moves the clock, and a small file system in
memory becomes full. One process after another collects meanwhile, and every other one is killed.
Afterwards each payment that a process was told of is there, and the books are those of the
processor.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from paygate.errors import RecordNotFound
from tests.concurrency.actors import PATIENCE_S, ProcessorProcess, processor
from tests.ordeal.clerk import COULD_NOT_OPEN
from tests.ordeal.collecting import Place, Size, assert_right, end, issue, wait_for
from tests.reading import every

TIMES: Final = int(os.environ.get("PAYGATE_ORDEAL") or "1")
"""How many times as much as for every change; `nox -s ordeal` takes 84, for 5,040 invoices."""
SIZE: Final = Size(invoices=60 * TIMES, workers=1, kills=0)
BATCH: Final = 15 if TIMES == 1 else 70
"""How many invoices a process collects before the next one is started."""
CUTS: Final = Size(invoices=60 if TIMES == 1 else 300, workers=1, kills=0)
"""What is collected under power cuts, of which there is one for five invoices."""

pytestmark = pytest.mark.sqlite


def some_of(table: Mapping[str, object]) -> list[str]:
    """Return the first two names of a table for each change, and all of them for the ordeal."""
    return list(table)[: 2 if TIMES == 1 else None]


def failing(call: str, error: str, when: str) -> list[str]:
    """
    Return what to put before a command so that its system call *call* fails at times.

    *when* counts the calls. A commit takes one of `fdatasync` and sixty of `pwrite64`.
    """
    chosen = f"inject={call}:error={error}:when={when}"
    return ["strace", "-fqq", "--seccomp-bpf", "-oCALLS", f"-etrace={call}", "-e", chosen]


def unreliable(point: str, one_in: int) -> list[str]:
    """Return what to put before a command so that one of so many calls of a kind fails with EIO."""
    chosen = f"enable_random name=posix/io/{point},probability={1 / one_in},failinfo=5"
    return ["fiu-run", "-x", "-c", chosen]


DISK: Final = {
    "a sync fails": failing("fdatasync", "EIO", "20+7"),
    "a write fails": failing("pwrite64", "EIO", "300+251"),
    "a write finds no room": failing("pwrite64", "ENOSPC", "400..900"),
    "one sync in ten fails": unreliable("sync/fdatasync", 10),
    "one write in 300 fails": unreliable("rw/pwrite", 300),
}


def batches(size: Size) -> list[range]:
    """Return the invoices that each process collects."""
    last = size.invoices
    return [range(first, min(first + BATCH, last)) for first in range(0, last, BATCH)]


@dataclass(frozen=True, slots=True)
class Stage:
    """A folder with a ledger on a disk, and the processor of its payments."""

    folder: Path
    running: ProcessorProcess
    size: Size

    @property
    def disk(self) -> Path:
        return self.folder / "disk"

    @property
    def place(self) -> Place:
        return Place(
            ledger=f"sqlite:///{self.disk / 'ledger.db'}",
            processor=self.running.url,
            consumed=self.folder / "consumed",
        )

    def notes(self) -> list[list[str]]:
        """Return what the clerks noted: a number, a status or "failed", a payment or an error."""
        with suppress(FileNotFoundError):
            return [line.split() for line in (self.folder / "notes").read_text().splitlines()]
        return []

    def failures(self) -> Counter[str]:
        """Return how often a clerk was told of each error."""
        return Counter(said for _, status, said in self.notes() if status == "failed")

    @contextmanager
    def clerk(
        self, before: Sequence[str], numbers: range, **environment: str
    ) -> Generator[subprocess.Popen[bytes]]:
        """Let a clerk collect some invoices; at the end it must have ended as it should."""
        asked = [*before, sys.executable, "-m", "tests.ordeal.clerk", str(self.folder)]
        asked += [self.running.url, str(numbers.start), str(numbers.stop)]
        with subprocess.Popen(
            asked,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, **environment},
        ) as running:
            try:
                yield running
                _, said = running.communicate(timeout=PATIENCE_S)
            finally:
                end_all(running)
        assert running.returncode in (0, COULD_NOT_OPEN, -signal.SIGKILL, 128 + signal.SIGKILL), (
            said
        )

    def collect(self, before: Sequence[str], **environment: str) -> int:
        """Let one clerk after another collect, and kill every other; return how many were."""
        chance = random.Random(20)  # noqa: S311  (no secret)
        killed = 0
        for round_, numbers in enumerate(batches(self.size)):
            with self.clerk(before, numbers, **environment) as clerk:
                if round_ % 2:
                    assert clerk.stdout is not None
                    wait_for(clerk.stdout.fileno(), chance.randrange(2, BATCH))
                    killed += clerk.poll() is None
                    end_all(clerk)
        return killed

    def assert_nothing_is_lost(self, disk: Path | None = None) -> None:
        """Check that each payment that a clerk was told of is as it was told, or further."""
        told = {payment: status for _, status, payment in self.notes() if status != "failed"}
        assert told
        place = replace(self.place, ledger=f"sqlite:///{(disk or self.disk) / 'ledger.db'}")
        with place.open() as cashier:
            assert cashier.fsck() == []
            for payment, status in told.items():
                try:
                    found = cashier.payment(payment)
                except RecordNotFound:
                    pytest.fail(f"{payment} is lost")
                assert found.status == status or status in ("processing", "unknown"), payment

    def assert_right_in_the_end(self) -> None:
        self.assert_nothing_is_lost()
        assert_right(end(self.place, self.size, self.running.journal), self.size)


def end_all(clerk: subprocess.Popen[bytes]) -> None:
    """Kill a clerk with whatever is before it."""
    with suppress(ProcessLookupError):
        os.killpg(clerk.pid, signal.SIGKILL)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A stage whose ledger has the invoices."""
    with staged(tmp_path, SIZE) as made:
        yield made


@contextmanager
def staged(folder: Path, size: Size) -> Generator[Stage]:
    with processor(folder / "journal.jsonl") as running:
        made = Stage(folder, running, size)
        made.disk.mkdir(exist_ok=True)
        with made.place.open() as cashier:
            issue(cashier, size)
        yield made


def has(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


@pytest.mark.parametrize("fault", some_of(DISK))
def test_a_disk_that_fails_loses_and_doubles_nothing(fault: str, stage: Stage) -> None:
    calls = stage.folder / "calls"
    before = [each.replace("CALLS", str(calls)) for each in DISK[fault]]
    has(before[0])

    killed = stage.collect(before)

    # The cashier looks by itself whether a commit took effect, so a clerk need not hear of it.
    struck = calls.exists() and "INJECTED" in calls.read_text(errors="replace")
    assert struck or stage.failures(), "nothing failed"
    assert killed
    stage.assert_right_in_the_end()


# --- Power cuts ---------------------------------------------------------------------------------

_WRITTEN: Final = re.compile(r"pwrite64\(\d+<(.*)>, .*, (\d+), (\d+)\) += \d+$")
_SYNCED: Final = re.compile(r"f(?:data)?sync\(\d+<(.*)>\) += 0$")
IMAGES: Final = 12
"""How many images are made of the files of each process that is killed."""


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes of a file that no `fdatasync` followed, so that a power cut may lose them."""

    offset: int
    size: int


def unsynced(log: Path) -> dict[Path, list[Write]]:
    """Return the writes after the last sync of their file, as `strace` saw them."""
    found: dict[Path, list[Write]] = {}
    for line in log.read_text(errors="replace").splitlines():
        if written := _WRITTEN.search(line):
            path, size, offset = written.groups()
            found.setdefault(Path(path), []).append(Write(int(offset), int(size)))
        elif synced := _SYNCED.search(line):
            found.pop(Path(synced[1]), None)
    return found


def image(disk: Path, to: Path, lost: dict[Path, list[Write]], chance: random.Random) -> None:
    """Copy a ledger as a power cut may leave it: of what was not synced, parts are lost."""
    to.mkdir()
    for name in ("ledger.db", "ledger.db-wal"):  # the third file is not needed, and made again
        if not (disk / name).exists():
            continue
        shutil.copyfile(disk / name, to / name)
        with (to / name).open("r+b") as file:
            for write in lost.get(disk / name, []):
                kept = chance.choice((0, write.size, chance.randrange(write.size + 1)))
                file.seek(write.offset + kept)
                rest = write.size - kept
                file.write(chance.choice((bytes(rest), chance.randbytes(rest))))


def test_a_power_cut_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    has("strace")
    chance = random.Random(20)  # noqa: S311  (no secret)
    log = tmp_path / "calls"
    before = ["strace", "-fqq", "--seccomp-bpf", "-y", "-s0", f"-o{log}"]
    before += ["-e", "trace=pwrite64,fdatasync,fsync"]
    torn = 0
    with staged(tmp_path, CUTS) as stage:
        for first in range(0, CUTS.invoices, 5):
            with stage.clerk(before, range(first, first + 5)) as clerk:
                assert clerk.stdout is not None
                wait_for(clerk.stdout.fileno(), chance.randrange(2, 5))
                end_all(clerk)
            lost = unsynced(log)
            torn += any(path.name.startswith("ledger.db") for path in lost)
            for number in range(IMAGES):
                made = tmp_path / f"image-{first}-{number}"
                image(stage.disk, made, lost, chance)
                stage.assert_nothing_is_lost(made)
                shutil.rmtree(made)

        assert torn > 2, "each process was killed after its last sync"
        stage.assert_right_in_the_end()


# --- No room ------------------------------------------------------------------------------------


def fill(path: Path) -> None:
    """Write to a file until the disk is full."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass


def test_a_full_disk_that_is_given_room_again_loses_nothing(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    megabytes = 6 + 2 * TIMES
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(disk)]
    if subprocess.run(mounting, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a file system")
    try:
        with staged(tmp_path, SIZE) as stage:
            for numbers in batches(SIZE):
                with stage.clerk([], numbers) as clerk:
                    assert clerk.stdout is not None
                    wait_for(clerk.stdout.fileno(), 3)
                    fill(disk / "ballast")
                    wait_for(clerk.stdout.fileno(), 3 * BATCH)
                    (disk / "ballast").unlink()
            assert stage.failures()["StoreFull"]
            stage.assert_right_in_the_end()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


# --- Clocks -------------------------------------------------------------------------------------

CLOCKS: Final = {
    "ten minutes back and on again": ("+0", "-600", "+0"),
    "ten minutes ahead and back": ("+600", "+0", "+600"),
    "the night when summer time begins": ("@2026-03-29 00:59:58",) * 2,
    "local time for that of Greenwich": ("+7200", "+0", "+3600"),
    "the night when summer time ends": ("@2026-10-25 00:59:58",) * 2,
    "the end of a 29 February": ("@2024-02-29 23:59:58", "@2024-03-01 00:00:02"),
}
"""What the clock shows: seconds from the right time, or a time from which it goes on."""


@pytest.mark.parametrize("shown", some_of(CLOCKS))
def test_a_clock_that_jumps_loses_and_doubles_nothing(shown: str, stage: Stage) -> None:
    has("faketime")
    [library] = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    clock = stage.folder / "clock"
    chance = random.Random(20)  # noqa: S311  (no secret)
    environment = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "TZ": "Europe/Berlin",
    }
    for round_, numbers in enumerate(batches(SIZE)):
        clock.write_text(CLOCKS[shown][0])
        with stage.clerk([], numbers, **environment) as clerk:
            assert clerk.stdout is not None
            for time in CLOCKS[shown][1:]:
                wait_for(clerk.stdout.fileno(), chance.randrange(2, BATCH // 2))
                clock.write_text(time)
            if round_ % 2:
                wait_for(clerk.stdout.fileno(), 2)
                end_all(clerk)

    with stage.place.open() as cashier:
        begun = [each.created_at for each in every(cashier.payments) if each.created_at]
    assert any(abs(each - datetime.now(UTC)) > timedelta(minutes=9) for each in begun)
    stage.assert_right_in_the_end()
