"""Customers, the cards that are kept with them, and Checkout's pages."""

from __future__ import annotations

from tests.support.simulated_stripe.cards import NUMBERS
from tests.support.simulated_stripe.payments import Payments
from tests.support.simulated_stripe.state import Json, Refused, invalid


class Storing(Payments):
    """What keeps cards, and the pages on which a payer gives one."""

    # --- Customers and their cards ---------------------------------------------------------------

    def create_customer(self, given: Json) -> Json:
        """Make a customer of what is known of a payer."""
        names = ("name", "email", "phone", "address")
        facts = {name: given.get(name) for name in names}
        return self.new("customer", "cus", metadata=given.get("metadata", {}), **facts)

    def detach(self, id_: str) -> Json:
        """Take a card off its customer."""
        method = self.find("payment_method", id_)
        if method["customer"] is None:
            raise invalid("payment_method_unexpected_state", "It is attached to nobody.")
        method["customer"] = None
        method["simulated"]["used"] = True
        self.tell("payment_method.detached", method)
        return method

    # --- SetupIntents ----------------------------------------------------------------------------

    def create_setup(self, given: Json) -> Json:
        """Prepare to keep a card."""
        self.find("customer", given["customer"], "customer")
        return self.new(
            "setup_intent",
            "seti",
            customer=given["customer"],
            payment_method=None,
            metadata=given.get("metadata", {}),
            usage=given.get("usage", "off_session"),
            status="requires_payment_method",
            last_setup_error=None,
            next_action=None,
            client_secret=f"seti_secret_{self._count}",
        )

    def confirm_setup(self, id_: str, given: Json) -> Json:
        """Keep a card, or ask its payer to authenticate."""
        intent = self.find("setup_intent", id_)
        if intent["status"] != "requires_payment_method":
            raise self._not_now(intent)
        method = self.method(given["payment_method"], intent["customer"])
        intent["payment_method"] = method["id"]
        if self.card_of(method).asks == "never":
            return self.set_up(intent, method, success=True)
        intent["status"] = "requires_action"
        url, back = f"{self.url}/authenticate/{id_}", given.get("return_url", "")
        to = {"type": "redirect_to_url", "redirect_to_url": {"url": url, "return_url": back}}
        intent["next_action"] = to if back else {"type": "use_stripe_sdk", "use_stripe_sdk": {}}
        return intent

    def set_up(self, intent: Json, method: Json, *, success: bool) -> Json:
        """Keep a card, or not."""
        card = self.card_of(method)
        if success and card.kept:
            method["customer"] = intent["customer"]
            method["simulated"]["set_up"] = True
            intent["status"] = "succeeded"
            self.tell("setup_intent.succeeded", intent)
            return intent
        code = card.code if success else "setup_intent_authentication_failure"
        type_ = "card_error" if success else "invalid_request_error"
        more = {"decline_code": card.decline_code} if success and card.decline_code else {}
        error = {"type": type_, "code": code, **more}
        intent.update(status="requires_payment_method", last_setup_error=error)
        self.tell("setup_intent.setup_failed", intent)
        if not success:
            return intent
        raise Refused(402, type_, code, setup_intent=self.shown(intent), **more)

    # --- Checkout --------------------------------------------------------------------------------

    def create_session(self, given: Json) -> Json:
        """Open a page, to pay on or to leave a card."""
        lines = given.get("line_items", [])
        prices = [line["price_data"] for line in lines]
        currency = prices[0]["currency"] if prices else given.get("currency")
        total = sum(int(price["unit_amount"]) for price in prices) if prices else None
        if given.get("customer"):
            self.find("customer", given["customer"], "customer")
        session = self.new(
            "checkout.session",
            "cs_test",
            mode=given["mode"],
            amount_total=total,
            currency=currency,
            customer=given.get("customer"),
            client_reference_id=given.get("client_reference_id"),
            metadata=given.get("metadata", {}),
            status="open",
            payment_status="unpaid" if prices else "no_payment_required",
            payment_intent=None,
            setup_intent=None,
            success_url=given["success_url"],
            cancel_url=given.get("cancel_url"),
            expires_at=self.seconds() + 86400,
            simulated={"given": given},
        )
        session["url"] = f"{self.url}/checkout/{session['id']}"
        return session

    def expire_session(self, id_: str) -> Json:
        """Withdraw a page that nobody has finished."""
        session = self.find("checkout.session", id_)
        if session["status"] != "open":
            raise invalid("", f"The session is {session['status']}.", param="session")
        session.update(status="expired", url=None)
        self.tell("checkout.session.expired", session)
        return session

    def finish_session(self, id_: str, number: str) -> Json:
        """Do what the payer does on the page: give a card. A declined one leaves it open."""
        session = self.find("checkout.session", id_)
        if session["status"] != "open":
            raise invalid("", f"The session is {session['status']}.")
        name = NUMBERS.get(number.replace(" ", ""))
        if name is None:
            raise Refused(402, "card_error", "incorrect_number", "The card number is incorrect.")
        try:
            return self._finished(session, self.tokenize(name))
        finally:
            self.go_on()

    def _finished(self, session: Json, card: str) -> Json:
        given = session["simulated"]["given"]
        customer = session["customer"]
        if not customer and given.get("customer_creation") == "always":
            customer = self.create_customer({"email": given.get("customer_email")})["id"]
        if session["mode"] == "setup":
            about = {**given.get("setup_intent_data", {}), "customer": customer}
            made = self.confirm_setup(self.create_setup(about)["id"], {"payment_method": card})
            session["setup_intent"] = made["id"]
        else:
            about = {
                **given.get("payment_intent_data", {}),
                "amount": session["amount_total"],
                "currency": session["currency"],
                "customer": customer,
                "payment_method": card,
                "confirm": "true",
                "return_url": session["success_url"],
            }
            made = self.create_intent(about)
            session["payment_intent"] = made["id"]
        # Who must authenticate does that within the page.
        if made["status"] == "requires_action":
            self.authenticated(made["id"], success=True)
        if session["mode"] == "payment":
            session["payment_status"] = "paid"
        session.update(status="complete", url=None, customer=customer)
        self.tell("checkout.session.completed", session)
        return session
