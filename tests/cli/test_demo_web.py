"""The demo in a browser: its shop, its pages, and what it refuses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from paygate import Money
from paygate.cli.app import app
from paygate.cli.demo.web import DemoShop, shop
from paygate.errors import InvalidValue, LiveModeMismatch
from paygate.testing import LoopbackGateway
from tests.web.pages.paying import Screen
from tests.web.serving import PATIENCE_S, running


@pytest.fixture
def served(tmp_path: Path) -> Any:
    import uvicorn

    with shop(tmp_path / "demo.db") as found:
        config = uvicorn.Config(found.application(), log_config=None, ws="none")
        server = uvicorn.Server(config)
        with running(lambda: server.run(sockets=[found.listener])):
            try:
                yield found
            finally:
                server.should_exit = True


def test_every_link_of_the_shop_can_be_paid(served: DemoShop) -> None:
    with httpx.Client(timeout=PATIENCE_S) as client:
        page = client.get(f"{served.origin}/")
        links = re.findall(r"<a href='([^']*/pay/l/[^']*)'", page.text)
        assert len(links) == len(served.offered) == 8
        for link in links:
            screen = Screen(client.get(link))
            assert screen.status == 200
            assert screen.ways
        assert client.get(f"{served.web.root}/_states/").status_code == 200
        for place, said in (("billing", "Overdue: pay now"), ("desk", "Find a payment")):
            assert f"href='/{place}/'" in page.text
            assert said in client.get(f"{served.origin}/{place}/").text
        assert client.get(f"{served.processor}/").status_code == 200


def test_the_api_of_the_shop_reads_with_the_key_that_is_printed(served: DemoShop) -> None:
    headers = {"authorization": f"Bearer {served.api_secret.reveal()}"}
    with httpx.Client(timeout=PATIENCE_S) as client:
        found = client.get(f"{served.origin}/api/v1/links", headers=headers)
        refused = client.get(f"{served.origin}/api/v1/links")

    assert len(found.json()["items"]) == 8
    assert refused.status_code == 401


def test_a_card_is_paid_on_the_fake_processors_page_and_the_shop_reads_the_result(
    served: DemoShop,
) -> None:
    with httpx.Client(timeout=PATIENCE_S, follow_redirects=True) as client:
        screen = Screen(client.get(served.offered[0].link.address(served.web.root)))
        form = {**screen.fields, "via": "card/card"}
        going = Screen(client.post(screen.action, data=form, headers={"origin": served.origin}))
        at_processor = going.links()["Continue"]
        assert at_processor.startswith(served.processor)
        paid = Screen(client.post(at_processor, data={"do": "pay"}))
        assert paid.title == "Paid. Thank you."
        home = client.get(paid.links()["Back to Alder Telecom"])

    assert "The payment of 30.00 USD is succeeded." in home.text
    [payment] = served.cashier.payments(account="card")
    assert payment.received == Money.of("USD", "30.00")
    gateway = served.cashier.gateways["card"].gateway
    assert isinstance(gateway, LoopbackGateway)
    assert gateway.moved("USD") == Money.of("USD", "30.00")
    assert served.cashier.fsck() == []


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com", "::"])  # noqa: S104
def test_it_listens_on_loopback_only(tmp_path: Path, host: str) -> None:
    with pytest.raises(InvalidValue, match="loopback"), shop(tmp_path / "x.db", host=host):
        pass
    assert list(tmp_path.iterdir()) == []


def test_it_refuses_production(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYGATE_ENV", "production")

    with pytest.raises(LiveModeMismatch), shop(tmp_path / "x.db"):
        pass


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with shop(tmp_path / "a.db") as first:
        port = int(first.origin.rpartition(":")[2])
        with pytest.raises(InvalidValue, match=str(port)), shop(tmp_path / "b.db", port=port):
            pass


@pytest.mark.parametrize(
    ("options", "said"),
    [(["--host", "192.0.2.1"], "loopback"), (["--ledger", "sqlite://"], "--file")],
)
def test_the_command_refuses_what_it_cannot_serve(
    tmp_path: Path, options: list[str], said: str
) -> None:
    file = str(tmp_path / "demo.db")

    done = CliRunner().invoke(app, ["demo", "--web", "--file", file, *options])

    assert done.exit_code != 0
    assert said in done.output
