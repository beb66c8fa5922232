"""``paygate copy`` says what it did, and what to do next."""

from pathlib import Path

from tests.cli.conftest import Run


def test_a_ledger_is_copied_and_compared(run: Run, folder: Path) -> None:
    run("invoice", "import", "invoices.csv", "--ledger", "sqlite:///shop.db")

    done = run("copy", "sqlite:///shop.db", "sqlite:///new.db")

    assert done.code == 0
    assert "paygate_item" in done.out
    assert "paygate ledger resume-sending" in " ".join(done.out.split())
    assert run("fsck", "--ledger", "sqlite:///new.db").code == 0
    listed = [
        run("invoice", "list", "--ledger", f"sqlite:///{name}.db", "--json").json
        for name in ("shop", "new")
    ]
    assert listed[0] == listed[1]
    assert len(listed[0]["invoices"]) == 2


def test_what_was_copied_is_written_as_json(run: Run, folder: Path) -> None:
    run("invoice", "import", "invoices.csv", "--ledger", "sqlite:///shop.db")

    copied = run("copy", "sqlite:///shop.db", "sqlite:///new.db", "--json").json["copied"]

    rows = {table["name"]: table["rows"] for table in copied["tables"]}
    assert rows["paygate_item"] == 2
    assert rows["paygate_payment"] == 0
    assert {len(table["digest"]) for table in copied["tables"]} == {64}
    assert not copied["began_again"]


def test_a_place_with_another_ledger_is_refused(run: Run, folder: Path) -> None:
    for name in ("shop", "new"):
        run("invoice", "import", "invoices.csv", "--ledger", f"sqlite:///{name}.db")

    done = run("copy", "sqlite:///shop.db", "sqlite:///new.db", "--json")

    assert done.code != 0
    assert done.error["type"] == "LedgerNotEmpty"
    assert "sending_stopped" not in run("status", "--ledger", "sqlite:///shop.db", "--json").out


def test_a_ledger_that_does_not_exist_is_not_created(run: Run, folder: Path) -> None:
    done = run("copy", "sqlite:///shop.db", "sqlite:///new.db", "--json")

    assert "there is no ledger shop.db" in done.error["message"]
    assert not (folder / "shop.db").exists()
    assert not (folder / "new.db").exists()
