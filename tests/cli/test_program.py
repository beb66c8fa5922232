"""The program itself: what it is without its extra, in a pipe, and as a server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from paygate import PaymentStatus, __version__
from tests.cli.conftest import Run


def test_it_tells_its_version(shell: Run) -> None:
    assert shell("--version").out == f"paygate {__version__}\n"


@pytest.mark.parametrize("noun", [(), ("payment",)], ids=["program", "noun"])
def test_without_a_command_it_shows_its_help(shell: Run, noun: tuple[str, ...]) -> None:
    done = shell(*noun)

    assert (done.code, done.err) == (0, "")
    assert done.out == shell(*noun, "--help").out


def test_the_help_names_every_status_of_a_payment(run: Run) -> None:
    told = " ".join(run("payment", "list", "--help").out.split())

    assert f"Only those with this status: {', '.join(PaymentStatus)}." in told


def test_without_the_extra_it_says_what_to_install(folder: Path) -> None:
    program = """
import sys
sys.modules["typer"] = sys.modules["rich"] = None
from paygate.cli import main
main()
"""

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 2
    assert done.stderr.startswith("MissingExtra: ")
    assert "pip install 'paygate-sdk[cli]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_names_that_a_terminal_cannot_show_do_not_stop_it(shell: Run, folder: Path) -> None:
    (folder / "n.csv").write_text(
        "number,customer,currency,total,due\nA-1,Šárka,USD,1,2026-12-01\n", encoding="utf-8"
    )
    assert shell("invoice", "import", "n.csv").code == 0

    done = shell("invoice", "list", PYTHONUTF8="0", PYTHONIOENCODING="ascii")

    assert done.code == 0
    assert "?rka" in done.out


def test_markup_in_a_ledger_is_only_text(imported: Run) -> None:
    imported("payment", "record", "A-1", "--by", "check", "--reference", "[red]x[/]", "--key", "k")
    payment = imported("payment", "list", "--json").json["payments"][0]["id"]

    assert "[red]x[/]" in imported("payment", "show", payment).out


def test_drivers_are_listed_with_their_kinds(run: Run) -> None:
    found = {one["name"]: one for one in run("drivers", "--json").json["drivers"]}

    assert found["fake"]["kinds"] == [
        *("bitcoin", "card", "e_check", "push", "qr", "redirect", "voucher"),
    ]
    assert found["stripe"]["kinds"] == ["card", "redirect"]
    assert found["fake"]["problem"] == ""
    assert "e-check" in run("drivers").out


def test_the_fake_processor_serves_until_it_is_let_go(folder: Path) -> None:
    program = Path(sys.executable).with_name("paygate")
    with subprocess.Popen(
        [program, "fake-processor", "serve", "--journal", "truth.jsonl", "--parent"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as server:
        assert server.stdout is not None
        url = json.loads(server.stdout.readline())["url"]

        with urlopen(f"{url}/v1/account", timeout=10) as answer:  # noqa: S310
            account = json.load(answer)
        server.communicate(timeout=10)

    assert account["live"] is False
    assert server.returncode == 0
    assert (folder / "truth.jsonl").exists()


def test_the_fake_processor_stays_on_loopback(run: Run) -> None:
    assert run("fake-processor", "serve", "--host", "0.0.0.0").code == 2  # noqa: S104


@pytest.mark.parametrize(
    "wrong",
    [
        ("payment", "list", "--nonsense"),
        ("payment", "list", "--limit", "many"),
        (
            "reversal",
            "record",
        ),
        ("nonsense",),
    ],
)
def test_a_program_reads_what_is_wrong_with_its_options_as_json(
    run: Run, wrong: tuple[str, ...]
) -> None:
    done = run(*wrong, "--json")

    assert done.code == 2
    assert done.error["type"] == "InvalidValue"
    assert done.error["message"]
    assert "Usage" in run(*wrong).err


def test_what_is_wrong_before_the_command_is_read_as_json_too(run: Run) -> None:
    done = run("--nonsense", "status", "--json")

    assert (done.code, done.out) == (2, "")
    assert done.error["type"] == "InvalidValue"
    assert "--nonsense" in done.error["message"]
    assert "Usage" in run("--nonsense", "status").err
