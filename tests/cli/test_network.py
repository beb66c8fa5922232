"""How processors are reached, as the file of the operator says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from paygate import Secret
from paygate.cli.opening import read_settings
from tests.cli.conftest import Run
from tests.transport.proxy import Proxy

REFUSES = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"


def test_what_is_for_all_and_what_an_account_says_stand_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "gateways.toml"
    file.write_text("""
[transport]
proxy = { env = "PROXY" }
timeout_s = 20

[card]
driver = "stripe"

[bank]
driver = "fake"

[bank.transport]
proxy = ""
connect_timeout_s = 3.5
addresses = { "api.bank.example" = "203.0.113.7" }
""")
    secrets: list[Secret[str]] = []

    proxy = "http://till:hunter2@proxy.example:3128"
    accounts = read_settings(file, {"PROXY": proxy}, secrets).gateways

    card, bank = accounts["card"]["transport"], accounts["bank"]["transport"]
    assert sorted(accounts) == ["bank", "card"]
    assert card.tunnel.endpoint[1:3] == (b"proxy.example", 3128)
    assert (bank.tunnel, bank.timeout_s, bank.connect_timeout_s) == (None, 20, 3.5)
    assert bank.addresses == {"api.bank.example": "203.0.113.7"}
    assert [each.reveal() for each in secrets] == ["http://till:hunter2@proxy.example:3128"]


def test_a_command_goes_through_the_proxy_and_does_not_show_its_password(
    run: Run, folder: Path
) -> None:
    proxy = Proxy(REFUSES)
    (folder / "g.toml").write_text(
        '[transport]\nproxy = { env = "PROXY" }\ntimeout_s = 0.5\n'
        '[card]\ndriver = "stripe"\nsecret_key = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"\n'
        'api_base = "http://127.0.0.1:1"\n'
    )

    done = run(
        "check",
        "--gateways",
        "g.toml",
        "--json",
        PROXY=f"http://till:hunter2@127.0.0.1:{proxy.port}",
    )

    proxy.close()
    [account] = done.json["accounts"]
    assert account["accepted"] is False
    assert "status 407" in account["problem"]
    assert proxy.asked[0].startswith(b"CONNECT 127.0.0.1:1 ")
    assert "hunter2" not in done.all


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[transport]\nproxi = "x"\n', "[transport] has no setting 'proxi'; a Network has: proxy"),
        ('[transport]\ndriver = "fake"\n', "[transport] has no setting 'driver'"),
        ('transport = "http://proxy.example"\n', "transport is not a table"),
        ('[card]\ndriver = "fake"\ntransport = "x"\n', "[card.transport] is a table"),
        (
            '[card]\ndriver = "fake"\n[card.transport]\ntimeout_s = 0\n',
            "[card.transport]: timeout_s",
        ),
        ('[card]\ndriver = "fake"\n[card.transport]\ntimeout_s = 90\n', "lease"),
    ],
)
def test_a_network_that_cannot_be_is_refused_with_its_place(
    run: Run, folder: Path, text: str, says: str
) -> None:
    (folder / "g.toml").write_text(text)

    assert says in " ".join(run("check", "--gateways", "g.toml").all.replace("│", " ").split())
