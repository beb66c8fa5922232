"""Conversations with Harbour Pay."""

import hmac
from datetime import UTC, datetime, timedelta

from pydantic import Field

from paygate import driver
from paygate.driver import (
    AccountFacts,
    Applied,
    BadReply,
    Callback,
    CallbackStyle,
    Charge,
    ClosingUp,
    Completion,
    Dialogue,
    Enrollment,
    Finding,
    Forgetting,
    Inquiry,
    InquiryBy,
    Keyed,
    Kind,
    Method,
    NotAuthentic,
    Notice,
    OneTimeToken,
    Operation,
    Outcome,
    Rail,
    Refunding,
    Reply,
    Response,
    Secret,
    StoredToken,
    Traits,
    Unsupported,
)
from paygate_harbour import codes, wire

_CARD = frozenset({Operation.CHARGE, Operation.REFUND, Operation.ENROLL, Operation.FORGET})
_PAGE = frozenset({Operation.CHARGE, Operation.COMPLETE, Operation.CLOSE})


class Settings(driver.Settings):
    """An account at Harbour Pay."""

    login: Secret[str] = Field(description="Merchant and password, base64", examples=["bTpw"])
    webhook_key: Secret[str] = Field(description="Signs the webhooks", examples=["example"])
    merchant: str = Field(description="The merchant's number", examples=["m-1"])
    live: bool = Field(default=False, description="Whether its money is real")


class Harbour:
    """Harbour Pay: cards, cards in its vault, and its page."""

    name = "harbour"
    settings_model = Settings

    def __init__(self, settings: Settings) -> None:
        self._settings, self._login = settings, settings.login
        currencies = frozenset(codes.DIGITS)
        tokens = frozenset({OneTimeToken, StoredToken})
        page = Rail(operations=_PAGE, currencies=currencies, immediate=False, payer_present=True)
        self.traits = Traits(
            live=settings.live,
            merchant_account=settings.merchant,
            driver_version="1",
            rails={
                Kind.CARD: Rail(operations=_CARD, currencies=currencies, methods=tokens),
                Kind.REDIRECT: page,
            },
            idempotency=Keyed(ttl=timedelta(days=3)),
            inquiry=InquiryBy.OUR_REF,
            not_found_is_final_after=timedelta(minutes=10),
            callbacks=CallbackStyle.ACKNOWLEDGED,
            protocol_version=1,
        )

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        form = {**wire.write_amount(charge.amount), "ref": charge.our_ref}
        if charge.kind is Kind.REDIRECT:
            form["back"] = charge.return_url
            return wire.parse((yield wire.build(self._login, "page", charge.key, form)))
        form["card"] = _token(charge.method)
        request = wire.build(self._login, "sale", charge.key, form, moves_money=True)
        return wire.parse((yield request), charge.amount)

    def complete(self, completion: Completion) -> Dialogue[Outcome]:
        form = {**wire.write_amount(completion.amount), "page": completion.reference}
        request = wire.build(self._login, "take", completion.key, form, moves_money=True)
        return wire.parse((yield request), completion.amount)

    def close(self, closing: ClosingUp) -> Dialogue[Outcome]:
        form = {"page": closing.reference}
        return wire.parse((yield wire.build(self._login, "shut", closing.key, form)))

    def refund(self, refunding: Refunding) -> Dialogue[Outcome]:
        form = {**wire.write_amount(refunding.amount), "ref": refunding.our_ref}
        form["of"] = refunding.movement_id
        request = wire.build(self._login, "back", refunding.key, form, moves_money=True)
        return wire.parse((yield request), refunding.amount)

    def enroll(self, enrollment: Enrollment) -> Dialogue[Outcome]:
        form = {"ref": enrollment.our_ref, "card": _token(enrollment.method)}
        return wire.parse((yield wire.build(self._login, "keep", enrollment.key, form)))

    def forget(self, forgetting: Forgetting) -> Dialogue[Outcome]:
        form = {"card": forgetting.token.value.reveal()}
        return wire.parse((yield wire.build(self._login, "drop", forgetting.key, form)))

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        request = wire.build(self._login, "find", "", {"ref": inquiry.our_ref})
        return wire.parse_found((yield request), inquiry.our_ref)

    def check(self) -> Dialogue[AccountFacts]:
        told = wire.read((yield wire.build(self._login, "whoami", "", {})))
        return AccountFacts(
            merchant_account=wire.need(told, "merchant"), live=wire.need(told, "live") == "yes"
        )

    def verify(self, callback: Callback) -> Dialogue[list[Notice]]:
        yield from ()
        instant, _, theirs = callback.headers.get("harbour-seal", "").partition(":")
        signed = instant.encode() + b"\n" + callback.body
        ours = hmac.digest(self._settings.webhook_key.reveal().encode(), signed, "sha512").hex()
        if not hmac.compare_digest(ours.encode(), theirs.encode()):
            raise NotAuthentic("the seal is not Harbour Pay's")
        try:
            told = wire.read(Response(status=200, body=callback.body))
            if wire.need(told, "merchant") != self._settings.merchant:
                raise NotAuthentic("the webhook is another merchant's")
            notice = Notice(
                event_id=wire.need(told, "event"),
                type=wire.need(told, "type"),
                our_ref=told.get("ref", ""),
                reference=told.get("id", ""),
                movements=(wire.movement(told),) if "moved" in told else (),
                signed_at=datetime.fromtimestamp(int(instant), UTC),
            )
        except BadReply as error:
            raise NotAuthentic("the webhook is sealed, and does not read") from error
        return [notice]

    def reply(self, notice: Notice, result: Applied) -> Reply:
        del notice, result
        return Reply(body=b"result=ok")


def _token(method: Method | None) -> str:
    if not isinstance(method, OneTimeToken | StoredToken):
        raise Unsupported("Harbour Pay takes a token of its own form, or a card of its vault")
    return method.value.reveal()
