"""Conversations with Harbour Pay."""

from datetime import timedelta

from paygate.driver import (
    AccountFacts,
    Applied,
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
    HmacKeys,
    Inquiry,
    InquiryBy,
    Keyed,
    Kind,
    Method,
    Money,
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
    unix_stamp,
)
from paygate_harbour import codes, wire
from paygate_harbour.codes import BY
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
        self._keys = HmacKeys(settings.webhook_keys, BY, digest="sha512")
        currencies = codes.AMOUNTS.currencies
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
            page_origins=frozenset({"https://pay.harbour.example"}),
            protocol_version=1,
        )

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        if charge.kind is Kind.REDIRECT:
            form = {**wire.write_charge(charge), "back": charge.return_url}
            return (yield from self._ask("page", charge.key, form))
        return (yield from self._sell("sale", charge))

    def authorize(self, charge: Charge) -> Dialogue[Outcome]:
        return (yield from self._sell("hold", charge))

    def _sell(self, step: str, charge: Charge) -> Dialogue[Outcome]:
        form = {
            **wire.write_charge(charge),
            "rail": codes.RAILS[charge.kind],
            "card": _token(charge.method),
            "keep": "yes" if charge.store_method else "no",
            "present": "yes" if charge.payer_present else "no",
        }
        return (yield from self._move(step, charge.key, form, charge.amount))

    def complete(self, completion: Completion) -> Dialogue[Outcome]:
        form = {"page": completion.reference, "ref": completion.our_ref}
        form |= wire.write_amount(completion.amount)
        return (yield from self._move("take", completion.key, form, completion.amount))

    def withdraw(self, withdrawal: Withdrawal) -> Dialogue[Outcome]:
        form = {"page": withdrawal.reference, "ref": withdrawal.our_ref}
        return (yield from self._ask("shut", withdrawal.key, form))

    def capture(self, capture: Capture) -> Dialogue[Outcome]:
        if not capture.final:
            raise Unsupported("Harbour Pay captures once; capture with final=True")
        form = {"of": capture.reference, "ref": capture.our_ref}
        form |= wire.write_amount(capture.amount)
        return (yield from self._move("grab", capture.key, form, capture.amount))

    def void(self, voiding: Voiding) -> Dialogue[Outcome]:
        form = {"of": voiding.reference, "ref": voiding.our_ref}
        return (yield from self._move("undo", voiding.key, form))

    def refund(self, refunding: Refunding) -> Dialogue[Outcome]:
        form = {"of": refunding.movement_id, "ref": refunding.our_ref, "note": refunding.reason}
        form |= wire.write_amount(refunding.amount)
        return (yield from self._move("back", refunding.key, form, refunding.amount))

    def enroll(self, enrollment: Enrollment) -> Dialogue[Outcome]:
        form = {
            "ref": enrollment.our_ref,
            "card": _token(enrollment.method),
            "mail": enrollment.customer.email,
        }
        return (yield from self._ask("keep", enrollment.key, form))

    def forget(self, forgetting: Forgetting) -> Dialogue[Outcome]:
        form = {"card": forgetting.token.value.reveal(), "ref": forgetting.our_ref}
        return (yield from self._ask("drop", forgetting.key, form))

    def _move(
        self, step: str, key: str, form: dict[str, str], asked: Money | None = None
    ) -> Dialogue[Outcome]:
        request = wire.build(self._settings, step, key, form, moves_money=True)
        return wire.parse(self._settings, request, (yield request), asked)

    def _ask(self, step: str, key: str, form: dict[str, str]) -> Dialogue[Outcome]:
        request = wire.build(self._settings, step, key, form)
        return wire.parse(self._settings, request, (yield request))

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        request = wire.build(self._settings, "find", "", {"ref": inquiry.our_ref})
        return wire.parse_found(self._settings, (yield request), inquiry)

    def feed(self, cursor: str) -> Dialogue[FeedPage]:
        request = wire.build(self._settings, "news", "", {"after": cursor})
        return wire.parse_news(self._settings, (yield request), cursor)

    def check(self) -> Dialogue[AccountFacts]:
        return wire.parse_check((yield wire.build(self._settings, "whoami", "", {})))

    def verify(self, callback: Callback) -> Dialogue[list[Notice]]:
        yield from ()
        instant, _, seal = callback.headers.get("harbour-seal", "").partition(":")
        self._keys.check(instant.encode() + b"\n" + callback.body, seal)
        return wire.read_events(self._settings, callback.body, unix_stamp(instant, BY))

    def reply(self, notice: Notice, result: Applied) -> Reply:
        del notice, result
        return Reply(body=b"result=ok")


def _token(method: Method | None) -> str:
    if not isinstance(method, OneTimeToken | StoredToken):
        raise Unsupported("Harbour Pay accepts a token of its form, or a card in its vault")
    return method.value.reveal()
