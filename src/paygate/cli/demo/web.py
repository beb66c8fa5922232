"""The demo in a browser: a small shop with links, its payment pages, and the fake processor's.

Everything listens on loopback, and no money moves: all accounts are fakes. The shop is a page of
ours; what its links lead to is what a merchant mounts.
"""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from paygate.cashier.sync import Cashier
from paygate.domain.api_key import ApiScope
from paygate.domain.kind import Kind
from paygate.domain.money import Money
from paygate.errors import InvalidValue, MissingExtra
from paygate.testing.fake import LoopbackGateway
from paygate.testing.fake.guard import refuse_production, require_loopback
from paygate.testing.fake_callbacks import Pusher
from paygate.testing.fake_server import FakeServer
from paygate.testing.processor import FakeProcessor
from paygate.testing.processor.rails import Habits, page_traits
from paygate.web.settings import WebSettings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Mapping
    from pathlib import Path

    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from paygate.domain.link import PaymentLink
    from paygate.domain.secret import Secret

KINDS: Final = (
    Kind.CARD,
    Kind.E_CHECK,
    Kind.REDIRECT,
    Kind.BITCOIN,
    Kind.VOUCHER,
    Kind.QR,
    Kind.PUSH,
)
"""The ways to pay, each a gateway account that is named after it."""

_HABITS: Final = Habits(
    e_check_settles_after=timedelta(minutes=1),
    bitcoin_confirms_after=timedelta(seconds=20),
    quote_expires_after=timedelta(minutes=15),
)
_LATE_S: Final = 5.0
_DUE: Final = "2031-12-31"
MEMBER: Final = "C-100"
"""The customer whose portal the demo shows."""

_PATIENCE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Offered:
    """A link of the shop, and what it shows."""

    title: str
    about: str
    link: PaymentLink


@contextmanager
def shop(file: Path, *, host: str = "127.0.0.1", port: int = 0) -> Generator[DemoShop]:
    """
    Open the ledger at *file*, the shop, and the fake processor on a second port.

    Raises `InvalidValue` unless *host* is a loopback address, and `MissingExtra` without the extra
    ``web`` or ``slips``.
    """
    refuse_production()
    require_loopback(host)
    _require_server()
    with ExitStack() as open_:
        listener = open_.enter_context(_listening(host, port))
        origin = f"http://{host}:{listener.getsockname()[1]}"
        processor = FakeProcessor(page_traits(KINDS), habits=_HABITS)
        pusher = Pusher(processor, f"{origin}/callbacks/{{kind}}")
        server = open_.enter_context(_served(processor, pusher, host))
        cashier = open_.enter_context(_cashier(file, server.url))
        web = _settings(origin, cashier)
        offered, secret = _links(cashier, origin), _api_secret(cashier)
        yield DemoShop(origin, server.url, listener, cashier, web, offered, secret)


class DemoShop:
    """The shop of the demo, ready to serve."""

    def __init__(
        self,
        origin: str,
        processor: str,
        listener: socket.socket,
        cashier: Cashier,
        web: WebSettings,
        offered: list[Offered],
        api_secret: Secret[str],
    ) -> None:
        self.origin, self.processor = origin, processor
        self.cashier, self.web, self.offered = cashier, web, offered
        self.listener = listener
        self.api_secret = api_secret

    def serve(self, *, ready: Callable[[], object] = lambda: None) -> None:
        """Serve until the process is interrupted; *ready* is called when the server answers."""
        import uvicorn

        config = uvicorn.Config(self.application(ready), log_level="warning", ws="none")
        uvicorn.Server(config).run(sockets=[self.listener])

    def application(self, ready: Callable[[], object] = lambda: None) -> Starlette:
        """Return the application: the shop, the pages, their states, and the callbacks."""
        from anyio import create_task_group
        from starlette.applications import Starlette
        from starlette.routing import Mount, Route

        from paygate.web import callbacks
        from paygate.web.api import api
        from paygate.web.desk import Role, Staff, desk
        from paygate.web.pages import pages
        from paygate.web.pages.gallery import PATH, gallery
        from paygate.web.portal import Member, portal
        from paygate.worker import Worker

        # Whoever opens the demo is both: the member, and a manager of the merchant.
        member = Member(customer=MEMBER, session="demo", name="Maria Lindqvist")
        boss = Staff(id="you", role=Role.MANAGER, session="demo")

        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncGenerator[None]:
            worker = Worker(self.cashier, poll_s=1.0)
            async with create_task_group() as group:
                group.start_soon(worker.run)
                ready()
                yield
                worker.stop()

        return Starlette(
            routes=[
                Mount(f"/pay{PATH}", gallery(self.web)),
                Mount("/pay", pages(self.cashier, self.web)),
                Mount("/billing", portal(self.cashier, self.web, customer_of=lambda _: member)),
                Mount("/desk", desk(self.cashier, self.web, staff_of=lambda _: boss)),
                Mount("/api", api(self.cashier, self.web)),
                Mount("/callbacks", callbacks(self.cashier)),
                Route("/thanks", self._thanks),
                Route("/", self._shelf),
            ],
            lifespan=lifespan,
        )

    async def _shelf(self, _: Request) -> Response:
        from starlette.responses import HTMLResponse

        return HTMLResponse(_page("A shop of the demo", self._rows()))

    def _rows(self) -> str:
        from markupsafe import Markup

        from paygate.web.pages.scripts import popup_script

        rows = Markup("").join(
            Markup("<li><a href='{}'{}>{}</a><br>{}</li>").format(
                each.link.address(self.web.root),
                Markup(" data-paygate") if number == 0 else "",
                each.title,
                each.about,
            )
            for number, each in enumerate(self.offered)
        )
        script = popup_script()
        return Markup(
            "<p>Nothing costs anything here. Each link is what a merchant would send; the first "
            "one opens in a dialog.</p>"
            "<ul>{}</ul><p><a href='/billing/'>Portal of a member</a> · "
            "<a href='/desk/'>The merchant's desk</a> · "
            "<a href='{}'>Pages of the fake processor</a> · "
            "<a href='{}/_states/'>Every page in every state</a></p>"
            "<script src='{}/{}' integrity='{}' crossorigin=anonymous defer></script>"
        ).format(
            rows, f"{self.processor}/", self.web.root, self.web.root, script.name, script.integrity
        )

    async def _thanks(self, request: Request) -> Response:
        from markupsafe import Markup
        from starlette.responses import HTMLResponse

        from paygate.errors import NotAuthentic
        from paygate.web.results import read_result

        given = request.query_params.get("result", "")
        try:
            found = read_result(given, self.web, origin=self.origin)
        except NotAuthentic:
            said = "This result is not valid any more. The ledger knows what happened."
        else:
            said = f"The payment of {found.amount} is {found.status.value.replace('_', ' ')}."
        back = Markup("<p>{}</p><p><a href='/'>Back to the shop</a></p>").format(said)
        return HTMLResponse(_page("Welcome back", back))


def _page(title: str, content: str) -> str:
    from markupsafe import Markup

    return Markup(
        "<!doctype html><html lang=en><head><meta charset=utf-8><title>{0}</title>"
        "<meta name=viewport content='width=device-width, initial-scale=1'>"
        "<link rel=icon href='data:,'><style>:root{{color-scheme:light dark}}"
        "body{{font:1.05rem/1.5 system-ui,sans-serif;max-width:40rem;margin:0 auto;padding:1rem}}"
        "li{{margin:.75rem 0}}</style></head><body><main><h1>{0}</h1>{1}</main></body></html>"
    ).format(title, Markup(content))  # noqa: S704  (the parts are escaped)


def _links(cashier: Cashier, origin: str) -> list[Offered]:
    """Issue the invoices of the demo, and return the links for them."""
    home = f"{origin}/thanks?payment={{payment}}&result={{result}}"
    offered: list[Offered] = []

    def offer(title: str, about: str, *totals: str, **more: Any) -> None:
        number = len(offered) + 1
        issued = [
            cashier.issue(
                number=f"INV-{number}{chr(ord('A') + place) if len(totals) > 1 else ''}",
                customer=f"C-{number}",
                total=Money.of("USD", total),
                due=_DUE,
            )
            for place, total in enumerate(totals)
        ]
        link = cashier.link(issued, key=f"demo-{number}", return_to=home, **more)
        offered.append(Offered(title, about, link))

    offer("One invoice, every way to pay", "Choose one of seven.", "30.00")
    offer("Three invoices by card", "On a page of the processor.", *_THREE, accounts=["card"])
    offer("An e-check", "Its result comes a minute later.", "25.00", accounts=["e_check"])
    offer("Bitcoin, or a code for an app", "Pay them on the pages of the fake processor.", "20.00",
          accounts=["bitcoin", "qr"])  # fmt: skip
    offer("Cash at a store", "A slip to print.", "30.00", accounts=["voucher"])
    low, high = Money.of("USD", "5.00"), Money.of("USD", "30.00")
    offer("Pay what you want", "From $5.00 to $30.00.", "30.00", amount=(low, high))
    offer("The same in German", "12,50 is twelve and a half.", "30.00", amount=(low, high),
          language="de")  # fmt: skip
    offer("In Arabic", "From right to left.", "30.00", language="ar")
    _member(cashier)
    return offered


def _member(cashier: Cashier) -> None:
    """Issue the invoices of the member: one is overdue, and one was paid by a check."""
    if cashier.invoices(customer=MEMBER, limit=1):
        return  # of an earlier run
    today = cashier.now().date()
    for number, total, days in (("1041", "25.00", -17), ("1052", "30.00", 2), ("1053", "12.50", 9)):
        cashier.issue(
            number=f"INV-{number}",
            customer=MEMBER,
            total=Money.of("USD", total),
            due=today + timedelta(days=days),
        )
    cashier.issue(number="INV-1027", customer=MEMBER, total=Money.of("USD", "30.00"), due=today)
    cashier.record("INV-1027", amount=Money.of("USD", "32.50"), by="check", key="demo-check")


def _api_secret(cashier: Cashier) -> Secret[str]:
    """Return the secret of a new API key; that of an earlier run is revoked."""
    for each in cashier.api_keys():
        if each.is_live:
            cashier.revoke_api_key(each, reason="the demo was started again")
    return cashier.add_api_key("demo", scopes=list(ApiScope)).secret


_THREE: Final = ("30.00", "25.00", "12.50")


def _settings(origin: str, cashier: Cashier) -> WebSettings:
    from paygate.web.pages.samples import LOGO

    return WebSettings(
        payee="Alder Telecom",
        base_url=f"{origin}/pay",
        return_origins=[origin],
        embed_origins=[origin],
        support_phone="+1 555 0100",
        support_email="billing@alder.example",
        logo=LOGO,
        processors=dict.fromkeys(cashier.gateways, "Fake Pay"),
        keys=[_key()],
    )


def _key() -> str:
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


@contextmanager
def _cashier(file: Path, processor: str) -> Generator[Cashier]:
    gateways: Mapping[str, LoopbackGateway] = {
        kind.value: LoopbackGateway(kind, url=processor, traits=page_traits(KINDS))
        for kind in KINDS
    }
    with Cashier.open(
        f"sqlite:///{file}", gateways=gateways, page_keys=[_key()], token_keys=[_key()]
    ) as cashier:
        yield cashier


@contextmanager
def _served(processor: FakeProcessor, pusher: Pusher, host: str) -> Generator[FakeServer]:
    server = FakeServer(processor, host=host, late_s=_LATE_S, pusher=pusher)
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.05), daemon=True)
    thread.start()
    pusher.start()
    try:
        yield server
    finally:
        pusher.stop()
        server.shutdown()
        server.server_close()
        thread.join(_PATIENCE_S)
        processor.close()


@contextmanager
def _listening(host: str, port: int) -> Generator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except (OSError, OverflowError) as fault:
            raise InvalidValue(
                f"the shop cannot listen on {host}:{port}: {fault}; --port 0 takes a free one",
                argument="port",
            ) from None
        listener.listen(128)
        yield listener


def _require_server() -> None:
    try:
        import uvicorn
    except ImportError as error:
        raise MissingExtra(
            "the demo in a browser needs uvicorn; pip install 'paygate-sdk[web,slips]'",
            extra="web",
        ) from error
    del uvicorn
