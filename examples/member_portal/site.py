"""The merchant's site on FastAPI: its own sign-in, the payment pages, the portal and the desk."""

import secrets
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from paygate import Cashier, Money
from paygate.web import callbacks
from paygate.web.desk import Role, Staff, desk
from paygate.web.pages import pages
from paygate.web.portal import Member, portal
from paygate.web.settings import WebSettings

ORIGIN = "https://alder.example"
COOKIE = "alder_session"
# A real site has accounts and passwords. Whoever is not staff is a customer.
STAFF = {"anna": Role.CLERK, "boss": Role.MANAGER}


@dataclass
class Sessions:
    """Who is signed in; a real site keeps this in its database."""

    names: dict[str, str] = field(default_factory=dict)

    def of(self, request: Request) -> tuple[str, str]:
        session = request.cookies.get(COOKIE, "")
        return session, self.names.get(session, "")

    def member(self, request: Request) -> Member | None:
        session, name = self.of(request)
        if not name or name in STAFF:
            return None
        return Member(customer=name, session=session, authenticated="password")

    def staff(self, request: Request) -> Staff | None:
        session, name = self.of(request)
        if name not in STAFF:
            return None
        return Staff(id=name, role=STAFF[name], session=session)


def make_site(cashier: Cashier, keys: list[str]) -> FastAPI:
    web = WebSettings(
        payee="Alder Telecom",
        base_url=f"{ORIGIN}/pay",
        support_email="billing@alder.example",
        processors={"net": "Authorize.Net"},
        keys=keys,
    )
    site, sessions = FastAPI(), Sessions()

    @site.get("/sign-in")
    async def show_sign_in() -> HTMLResponse:
        return HTMLResponse(
            "<!doctype html><title>Sign in</title><form method=post>"
            "<label>Name <input name=name></label> <button>Sign in</button></form>"
        )

    @site.post("/sign-in")
    async def sign_in(request: Request) -> Response:
        name = parse_qs((await request.body()).decode())["name"][0]
        session = secrets.token_urlsafe()
        sessions.names[session] = name
        response = RedirectResponse("/desk/" if name in STAFF else "/billing/", 303)
        # Lax: the way back from a processor's page is a link, with which the cookie is sent.
        response.set_cookie(COOKIE, session, secure=True, httponly=True, samesite="lax")
        return response

    sign_in_url = f"{ORIGIN}/sign-in"
    site.mount("/pay", pages(cashier, web))
    site.mount(
        "/billing", portal(cashier, web, customer_of=sessions.member, sign_in_url=sign_in_url)
    )
    site.mount(
        "/desk",
        desk(
            cashier,
            web,
            staff_of=sessions.staff,
            sign_in_url=sign_in_url,
            approve_above=[Money.of("USD", "100.00")],
        ),
    )
    site.mount("/callbacks", callbacks(cashier))
    return site
