"""The command that proves the engine: what it prints, and how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from paygate.service import asking
from paygate.testing.fake import FakeGateway
from paygate.testing.simulation import run as play
from paygate.testing.simulation import shrink
from tests.cli.conftest import Run
from tests.cli.packages import Packages

HARBOUR = Path(__file__).parents[2] / "examples/new_driver/src"
ACCOUNTS = """
[bank]
driver = "authorize_net"
login = "login12345"
transaction_key = { env = "BANK_KEY" }
duplicate_window_s = 60

[slips]
driver = "fake"
kind = "voucher"
"""


def test_a_sound_engine_has_no_violations(run: Run) -> None:
    done = run("simulate", "--seeds", "5", "--first", "20")

    assert done.code == 0
    assert done.out.splitlines()[-1] == "5 seeds, 0 violations"


def test_programs_read_what_was_exercised(run: Run) -> None:
    told = run("simulate", "--seeds", "4", "--json").json["simulation"]

    assert (told["seeds"], told["violations"], told["shrunken"]) == (4, 0, [])
    assert told["covered"]["actor:collect"] > 0
    assert told["steps"] > told["commits"] > 0


def test_a_broken_engine_is_told_with_the_events_that_show_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a bug in the engine: a request without an answer counts as never sent."""
    fault = asking._fault
    monkeypatch.setattr(asking, "_fault", lambda **told: fault(**{**told, "sent": False}))

    done = run("simulate", "--seeds", "12", "--first", "1000")

    assert done.code == 1
    assert "The fewest events that still do:" in done.out
    assert "VIOLATED" in done.out
    assert done.out.splitlines()[-1].startswith("12 seeds, ")
    assert not done.out.splitlines()[-1].endswith(" 0 violations")


def test_an_installed_driver_is_played_by_its_name(run: Run) -> None:
    done = run("simulate", "--driver", "stripe", "--seeds", "30")

    assert done.code == 0
    assert done.out.splitlines()[:2] == [
        "played card: authorize, capture, charge, complete, enroll, forget, refund, void, withdraw",
        "played redirect: charge, complete, refund, withdraw",
    ]
    assert done.out.splitlines()[-1] == (
        "30 seeds, 0 violations; the driver's own code was not called"
    )


def test_a_strangers_driver_is_played_by_its_name(
    run: Run, packages: Packages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(HARBOUR)
    packages.bring("paygate-harbour", "harbour", "paygate_harbour:Harbour")

    told = run("simulate", "--driver", "harbour", "--seeds", "60", "--jobs", "2", "--json").json[
        "simulation"
    ]

    assert (told["seeds"], told["violations"]) == (60, 0)
    assert told["played"] == {
        "card": ["authorize", "capture", "charge", "enroll", "forget", "refund", "void"],
        "e_check": ["charge", "refund"],
        "redirect": ["charge", "complete", "withdraw"],
    }
    assert told["not_played"] == {}
    assert told["driver_called"] is False
    covered = told["covered"]
    kinds = ("card", "e_check", "redirect")
    assert sum(covered[f"kind:{kind}"] for kind in kinds) == covered["idempotency:as declared"]
    assert covered["actor:collect"] > 60


def test_all_kinds_of_a_driver_whose_accounts_take_one_each_are_played(run: Run) -> None:
    told = run("simulate", "--driver", "fake", "--seeds", "30", "--json").json["simulation"]

    kinds = {name for name in told["covered"] if name.startswith("kind:")}
    played = ("card", "e_check", "redirect", "voucher", "bitcoin", "qr", "push")
    assert kinds == {f"kind:{each}" for each in played}
    assert told["violations"] == 0


def test_an_account_is_played_where_the_traits_depend_on_settings(run: Run, folder: Path) -> None:
    (folder / "shop.toml").write_text(ACCOUNTS)
    asked = ("simulate", "--via", "bank", "--gateways", "shop.toml", "--seeds", "30")

    done = run(*asked, BANK_KEY="0123456789abcdef")

    assert done.code == 0
    assert "not played redirect: void" in done.out.splitlines()
    assert done.out.splitlines()[-1].endswith("; the driver's own code was not called")


def test_an_account_of_the_hosts_own_program_is_played(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(folder)
    (folder / "slip_shop.py").write_text(
        "from paygate import Cashier\n"
        "from paygate.testing import FakeGateway\n"
        "def open_cashier():\n"
        "    return Cashier.in_memory(gateways={'slips': FakeGateway('voucher')})\n"
    )

    asked = ("simulate", "--via", "slips", "--app", "slip_shop:open_cashier")
    told = run(*asked, "--seeds", "3", "--json").json["simulation"]

    assert told["played"] == {"voucher": ["charge", "withdraw"]}
    assert told["violations"] == 0


def test_what_breaks_under_a_drivers_traits_is_made_small_under_them(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a bug in the engine: a request without an answer counts as never sent."""
    fault = asking._fault
    monkeypatch.setattr(asking, "_fault", lambda **told: fault(**{**told, "sent": False}))
    (folder / "shop.toml").write_text("[page]\ndriver = 'fake'\nkind = 'card'\n")

    done = run("simulate", "--via", "page", "--gateways", "shop.toml", "--seeds", "40", "--json")

    assert done.code == 1
    [small, *_] = done.json["simulation"]["shrunken"]
    traits = FakeGateway("card").traits
    assert small["events"] == list(shrink(play(small["seed"], traits=traits), traits).events)
    assert small["events"][-1].startswith("VIOLATED")


@pytest.mark.parametrize(
    ("asked", "kind", "told"),
    [
        (["--driver", "nope"], "GatewayNotFound", "no installed package has a driver 'nope'"),
        (
            ["--driver", "authorize_net"],
            "InvalidSettings",
            "an be made from the examples of its settings; name an account with its settings:",
        ),
        (["--via", "page"], "GatewayNotFound", "there is no gateway account 'page'"),
        (["--driver", "fake", "--via", "page"], "InvalidValue", "leave --driver out"),
        (["--gateways", "gateways.toml"], "InvalidValue", "--via finds its account; give --via"),
    ],
)
def test_what_cannot_be_played_is_told_with_what_to_do(
    run: Run, asked: list[str], kind: str, told: str
) -> None:
    done = run("simulate", *asked, "--seeds", "1", "--json")

    assert (done.code, done.out) == (2, "")
    assert done.error["type"] == kind
    assert told in done.error["message"]


def test_the_gateways_of_the_environment_change_nothing(run: Run) -> None:
    done = run("simulate", "--seeds", "1", PAYGATE_GATEWAYS="gateways.toml")

    assert done.out.splitlines()[-1] == "1 seed, 0 violations"
    assert "played" not in done.out


@pytest.mark.parametrize(
    ("operations", "kind", "told"),
    [
        ("Operation.CHARGE", "TERMINAL", "these traits offer neither (terminal: charge)"),
        ("Operation.CHARGE, Operation.REFUND", "CARD", "offer refund for card, but there is no"),
    ],
)
def test_a_driver_that_cannot_be_played_is_told(
    run: Run, packages: Packages, operations: str, kind: str, told: str
) -> None:
    source = packages.right(operations, kind=kind)
    packages.bring("paygate-odd", "odd", f"odd_{kind.lower()}:Odd", source)

    done = run("simulate", "--driver", "odd", "--seeds", "1")

    assert done.code == 2
    assert told in done.err
