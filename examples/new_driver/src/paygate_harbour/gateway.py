"""Conversations with Harbour Pay."""

import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from paygate.driver import (
    AccountFacts,
    Applied,
    BadResponse,
    Callback,
    CallbackStyle,
    Capture,
    Charge,
    Completion,
    Dialogue,
    Enrollment,
    FeedPage,
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
    StoredToken,
    Traits,
    Unsupported,
    Voiding,
    Withdrawal,
)
from paygate_harbour import codes, wire
from paygate_harbour.settings import Settings

_CARD = frozenset(Operation) - {Operation.COMPLETE, Operation.WITHDRAW}
_DEBIT = frozenset({Operation.CHARGE, Operation.REFUND})
_PAGE = frozenset({Operation.CHARGE, Operation.COMPLETE, Operation.WITHDRAW})


class Harbour:
    """Harbour Pay: cards, stored cards, direct debits, and its payment page."""

    name = "harbour"
    settings_model = Settings

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        currencies = frozenset(codes.DIGITS)
        tokens = frozenset({OneTimeToken, StoredToken})
        self.traits = Traits(
            live=settings.live,
            merchant_account=settings.merchant,
            driver_version="1",
            rails={
                Kind.CARD: Rail(
                    operations=_CARD, currencies=currencies, methods=tokens, partial_capture=True
                ),
                Kind.E_CHECK: Rail(
                    operations=_DEBIT, currencies=currencies, methods=tokens, immediate=False
                ),
                Kind.REDIRECT: Rail(
                    operations=_PAGE, currencies=currencies, immediate=False, payer_present=True
                ),
            },
            idempotency=Keyed(ttl=timedelta(days=3)),
            inquiry=InquiryBy.OUR_REF,
            not_found_is_final_after=timedelta(minutes=10),
            callbacks=CallbackStyle.ACKNOWLEDGED,
            protocol_version=1,
        )

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        form = {**wire.write_amount(charge.amount), "ref": charge.our_ref}
        form |= wire.write_payer(charge.payer)
        if charge.kind is Kind.REDIRECT:
            form["back"] = charge.return_url
            request = wire.build(self._settings, "page", charge.key, form)
            return wire.parse(self._settings, (yield request))
        return (yield from self._sell("sale", charge, form))

    def authorize(self, charge: Charge) -> Dialogue[Outcome]:
        form = {**wire.write_amount(charge.amount), "ref": charge.our_ref}
        form |= wire.write_payer(charge.payer)
        return (yield from self._sell("hold", charge, form))

    def _sell(self, step: str, charge: Charge, form: dict[str, str]) -> Dialogue[Outcome]:
        form["rail"] = codes.RAILS[charge.kind]
        form["card"] = _token(charge.method)
        form["keep"] = "yes" if charge.store_method else "no"
        form["present"] = "yes" if charge.payer_present else "no"
        request = wire.build(self._settings, step, charge.key, form, moves_money=True)
        return wire.parse(self._settings, (yield request), charge.amount)

    def complete(self, completion: Completion) -> Dialogue[Outcome]:
        form = {**wire.write_amount(completion.amount), "page": completion.reference}
        form["ref"] = completion.our_ref
        request = wire.build(self._settings, "take", completion.key, form, moves_money=True)
        return wire.parse(self._settings, (yield request), completion.amount)

    def withdraw(self, withdrawal: Withdrawal) -> Dialogue[Outcome]:
        form = {"page": withdrawal.reference, "ref": withdrawal.our_ref}
        return wire.parse(
            self._settings, (yield wire.build(self._settings, "shut", withdrawal.key, form))
        )

    def capture(self, capture: Capture) -> Dialogue[Outcome]:
        if not capture.final:
            raise Unsupported("Harbour Pay captures once; capture with final=True")
        form = {**wire.write_amount(capture.amount), "of": capture.reference}
        form["ref"] = capture.our_ref
        request = wire.build(self._settings, "grab", capture.key, form, moves_money=True)
        return wire.parse(self._settings, (yield request), capture.amount)

    def void(self, voiding: Voiding) -> Dialogue[Outcome]:
        form = {"of": voiding.reference, "ref": voiding.our_ref}
        request = wire.build(self._settings, "undo", voiding.key, form, moves_money=True)
        return wire.parse(self._settings, (yield request))

    def refund(self, refunding: Refunding) -> Dialogue[Outcome]:
        form = {**wire.write_amount(refunding.amount), "ref": refunding.our_ref}
        form |= {"of": refunding.movement_id, "note": refunding.reason}
        request = wire.build(self._settings, "back", refunding.key, form, moves_money=True)
        return wire.parse(self._settings, (yield request), refunding.amount)

    def enroll(self, enrollment: Enrollment) -> Dialogue[Outcome]:
        form = {"ref": enrollment.our_ref, "card": _token(enrollment.method)}
        form |= wire.write_payer(enrollment.customer)
        request = wire.build(self._settings, "keep", enrollment.key, form)
        return wire.parse(self._settings, (yield request))

    def forget(self, forgetting: Forgetting) -> Dialogue[Outcome]:
        form = {"card": forgetting.token.value.reveal(), "ref": forgetting.our_ref}
        request = wire.build(self._settings, "drop", forgetting.key, form)
        return wire.parse(self._settings, (yield request))

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        request = wire.build(self._settings, "find", "", {"ref": inquiry.our_ref})
        return wire.parse_found(self._settings, (yield request), inquiry)

    def feed(self, cursor: str) -> Dialogue[FeedPage]:
        request = wire.build(self._settings, "news", "", {"after": cursor})
        return wire.parse_news((yield request), cursor)

    def check(self) -> Dialogue[AccountFacts]:
        response = yield wire.build(self._settings, "whoami", "", {})
        data = wire.read(response.body)
        live = wire.need(data, "mode") == "live"
        return AccountFacts(merchant_account=wire.need(data, "merchant"), live=live)

    def verify(self, callback: Callback) -> Dialogue[list[Notice]]:
        yield from ()
        instant, _, theirs = callback.headers.get("harbour-seal", "").partition(":")
        signed = instant.encode() + b"\n" + callback.body
        ours = hmac.digest(self._settings.webhook_key.reveal().encode(), signed, "sha512").hex()
        if not hmac.compare_digest(ours.encode(), theirs.encode()):
            raise NotAuthentic("the signature is not Harbour Pay's")
        try:
            found = wire.notices(self._settings, callback.body)
        except BadResponse as error:
            raise NotAuthentic("the webhook is signed, but cannot be read") from error
        signed_at = datetime.fromtimestamp(int(instant), UTC)
        return [replace(each, signed_at=signed_at) for each in found]

    def reply(self, notice: Notice, result: Applied) -> Reply:
        del notice, result
        return Reply(body=b"result=ok")


def _token(method: Method | None) -> str:
    if not isinstance(method, OneTimeToken | StoredToken):
        raise Unsupported("Harbour Pay accepts a token of its form, or a card in its vault")
    return method.value.reveal()
