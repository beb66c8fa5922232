"""createTransaction: charges, holds, captures, voids and refunds, and their answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from paygate.driver import (
    Approved,
    Authorized,
    BadResponse,
    Capture,
    CardChecks,
    Charge,
    ChargeLine,
    ChargeReason,
    Customer,
    DeclineCode,
    Declined,
    Dialogue,
    InvalidValue,
    Kind,
    MethodFacts,
    Money,
    Movement,
    MovementKind,
    OneTimeToken,
    Outcome,
    Pending,
    RawBankAccount,
    RawCard,
    Refunding,
    RejectCause,
    Rejected,
    Response,
    StoredToken,
    Unknown,
    Unsupported,
    XmlFields,
    brand_of,
    leaf,
    listed,
    node,
)
from paygate.drivers.authorize_net import codes, fields
from paygate.drivers.authorize_net.messages import (
    CallRefusal,
    Channel,
    message_of,
    now_of,
    rejected,
    uncertain,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from paygate.drivers.authorize_net.settings import AuthorizeNetSettings

ACCEPT_JS: Final = "COMMON.ACCEPT.INAPP.PAYMENT"
"""The kind of opaque data that Accept.js makes, of cards and of bank accounts."""

LINES_MAX: Final = 30
PURCHASE_ORDER_MAX: Final = 25
_SERIES: Final = frozenset({ChargeReason.RECURRING, ChargeReason.INSTALLMENT})
_ACCOUNTS: Final = {
    **dict.fromkeys(("business_checking", "businessChecking", "business"), "businessChecking"),
    "checking": "checking",
    "savings": "savings",
}

RawMethod: TypeAlias = OneTimeToken | RawCard | RawBankAccount


# --- Charge ------------------------------------------------------------------------------


def check(settings: AuthorizeNetSettings, charge: Charge) -> None:
    """Raise for what Authorize.Net, or this driver, cannot charge."""
    check_currency(settings, charge.amount)
    if charge.kind not in (Kind.CARD, Kind.E_CHECK):
        raise Unsupported(f"the Authorize.Net driver charges cards and e-checks, not {charge.kind}")
    _ = payment(settings, charge)
    _ = payer_fields(charge.payer, charge.receipt_email)
    _ = recipient(charge.ship_to)
    _ = _level_two(settings, charge)


def check_currency(settings: AuthorizeNetSettings, amount: Money) -> None:
    """Raise `Unsupported` for what the account does not settle in."""
    if amount.currency != settings.currency:
        raise Unsupported(
            f"this Authorize.Net account settles in {settings.currency}, not {amount.currency}",
            currency=amount.currency,
        )


def collect(
    channel: Channel, charge: Charge, *, hold: bool
) -> Dialogue[TransactionFacts | Outcome]:
    """Charge a method, or hold the amount on it."""
    settings, stored = channel.settings, isinstance(charge.method, StoredToken)
    ip = charge.browser.ip if charge.browser is not None else ""
    receipt = bool(charge.receipt_email) and not stored
    told = yield from _transaction(
        channel,
        "authOnlyTransaction" if hold else "authCaptureTransaction",
        amount_of(charge.amount, currency=True),
        payment(settings, charge),
        order_of(fields.order_number(charge.key), charge),
        _lines(charge),
        _level_two(settings, charge),
        # What a profile holds must not be sent again with it, and its address gets receipts.
        "" if stored else payer_fields(charge.payer, charge.receipt_email),
        recipient(charge.ship_to),
        leaf("customerIP", fields.whole(ip, 45, "an IP address")),
        _settings(
            settings, card=charge.kind is Kind.CARD, series=_in_series(charge), receipt=receipt
        ),
        _user_fields(settings, charge),
        leaf("merchantDescriptor", charge.statement_suffix),
        _who_started(charge),
        _indicator(settings) if hold else "",
        step="authorize" if hold else "charge",
        key=charge.key,
    )
    if isinstance(told, TransactionFacts) and isinstance(charge.method, RawCard):
        return replace(told, expired=_has_expired(charge.method, told.at))
    return told


def amount_of(money: Money, *, currency: bool = False) -> str:
    """Return an amount, and on request its currency."""
    return leaf("amount", f"{money.decimal:f}") + leaf(
        "currencyCode", money.currency if currency else ""
    )


def payment(settings: AuthorizeNetSettings, charge: Charge) -> str:
    """Return what is charged, or raise if it cannot be."""
    method = charge.method
    if method is None:
        raise Unsupported(f"a {charge.kind} needs a method: a token of Accept.js, or a stored")
    if not isinstance(method, StoredToken):
        return given(settings, charge.kind, method, charge.payer)
    profile, stored = profile_ids(method)
    return node(
        "profile",
        leaf("customerProfileId", profile),
        node("paymentProfile", leaf("paymentProfileId", stored)),
    )


def given(
    settings: AuthorizeNetSettings, kind: Kind, method: RawMethod, payer: Customer | None
) -> str:
    """Return a method that is given for the first time, to charge or to store, or raise."""
    match method:
        case OneTimeToken():
            return node("payment", _opaque(method))
        case RawCard() if settings.accept_raw_cards and kind is Kind.CARD:
            return node("payment", _raw_card(method))
        case RawBankAccount() if settings.accept_raw_bank_accounts and kind is Kind.E_CHECK:
            return node("payment", _raw_bank_account(settings, method, payer))
        case RawCard() | RawBankAccount():
            raise Unsupported(
                "numbers of cards and bank accounts are accepted only if the settings "
                "accept_raw_cards or accept_raw_bank_accounts say so; use a token of Accept.js"
            )


def _opaque(token: OneTimeToken) -> str:
    return node(
        "opaqueData",
        leaf("dataDescriptor", ACCEPT_JS),
        leaf("dataValue", fields.token(token.value.reveal())),
    )


def _raw_card(card: RawCard) -> str:
    number = card.number.reveal()
    if len(number) > 16:
        raise InvalidValue("Authorize.Net takes card numbers of up to 16 digits")
    code = card.security_code.reveal() if card.security_code is not None else ""
    if code and not (code.isascii() and code.isdigit() and len(code) in (3, 4)):
        raise InvalidValue("a security code has three or four digits")
    return node(
        "creditCard",
        leaf("cardNumber", number),
        leaf("expirationDate", f"{card.expires_year:04}-{card.expires_month:02}"),
        leaf("cardCode", code),
    )


def _raw_bank_account(
    settings: AuthorizeNetSettings, account: RawBankAccount, payer: Customer | None
) -> str:
    """Return a bank account; who owns it decides how it may be debited."""
    kind = _ACCOUNTS.get(account.account_type)
    if kind is None:
        raise InvalidValue("an account is checking, savings or business_checking")
    allowed = "CCD" if kind == "businessChecking" else settings.e_check_type
    # A bank's files have 22 characters for the name, and cut it as we do.
    name = fields.plain(account.holder or (payer.name if payer is not None else ""), 22)
    if not name:
        raise InvalidValue("an e-check needs the name of the account's holder")
    return node(
        "bankAccount",
        leaf("accountType", kind),
        leaf("routingNumber", fields.routing_number(account.routing_number.reveal())),
        leaf("accountNumber", fields.account_number(account.account_number.reveal())),
        leaf("nameOnAccount", name),
        leaf("echeckType", allowed),
    )


def profile_ids(token: StoredToken) -> tuple[str, str]:
    """Return the two ids of a stored method, or raise `Unsupported`."""
    profile, _, stored = token.value.reveal().partition("/")
    if not (fields.is_number(profile) and fields.is_number(stored)):
        raise Unsupported("that is no method that the Authorize.Net driver stored")
    return profile, stored


def order_of(number: str, charge: Charge) -> str:
    """Return the name of a charge, and what it is for."""
    about = charge.description or listed(charge.invoices, 255)
    return node(
        "order", leaf("invoiceNumber", number), leaf("description", fields.plain(about, 255))
    )


def payer_fields(payer: Customer | None, receipt_email: str = "") -> str:
    """Return the payer, the e-mail address for the receipt, and the billing address."""
    email = receipt_email or (payer.email if payer is not None else "")
    customer = node(
        "customer",
        leaf("id", fields.customer_id(payer.id) if payer is not None else ""),
        leaf("email", fields.email(email)),
    )
    return customer + (address(payer) if payer is not None else "")


def address(payer: Customer) -> str:
    """Return the billing address, of which the first line is the one that is checked."""
    return node(
        "billTo",
        _name_and_address(payer),
        leaf("phoneNumber", fields.whole(payer.phone, 25, "a phone number")),
    )


def recipient(person: Customer | None) -> str:
    """Return who gets the goods, and where; the schema has no place for a telephone here."""
    return "" if person is None else node("shipTo", _name_and_address(person))


def _name_and_address(person: Customer) -> str:
    first, last = fields.name_parts(person.name)
    home = person.address
    street = ", ".join(filter(None, (home.line1, home.line2)))
    fitting = {
        "firstName": first,
        "lastName": last,
        "address": fields.plain(street, 60),
        "city": fields.plain(home.city, 40),
        "state": fields.plain(home.region, 40),
        "zip": fields.whole(home.postal_code, 20, "a postal code"),
        "country": fields.plain(home.country, 60),
    }
    return "".join(leaf(name, text) for name, text in fitting.items())


def _in_series(charge: Charge) -> bool:
    return charge.reason in _SERIES and not charge.payer_present


def _settings(
    settings: AuthorizeNetSettings, *, card: bool, series: bool = False, receipt: bool = False
) -> str:
    """Return how to treat the transaction, as nobody knows the account's own defaults."""
    partial = "true" if settings.partial_approvals else "false"
    told = {
        "allowPartialAuth": partial if card else "",
        "recurringBilling": "true" if series else "",
        "emailCustomer": "true" if receipt else "",
        # Without it a duplicate is refused without saying of which transaction.
        "duplicateWindow": str(settings.duplicate_window_s),
    }
    return node("transactionSettings", settings_of(told))


def _lines(charge: Charge) -> str:
    """Return how much is for which invoice, if that is more than one and they fit."""
    lines = charge.lines
    if not 1 < len(lines) <= LINES_MAX:
        return ""
    return node("lineItems", *(_line(line, number) for number, line in enumerate(lines, start=1)))


def _line(line: ChargeLine, number: int) -> str:
    name = fields.plain(line.reference, 31) or str(number)
    price = leaf("unitPrice", f"{line.amount.decimal:f}")
    return node("lineItem", leaf("itemId", name), leaf("name", name), leaf("quantity", "1"), price)


def _level_two(settings: AuthorizeNetSettings, charge: Charge) -> str:
    """Return the tax and the purchase order number, which the host gives among its facts."""
    tax, number = (
        charge.metadata.get(name, "") if name else ""
        for name in (settings.tax_fact, settings.purchase_order_fact)
    )
    return node("tax", leaf("amount", _tax(charge.amount, tax))) + leaf(
        "poNumber", fields.whole(number, PURCHASE_ORDER_MAX, "a purchase order number")
    )


def _tax(total: Money, told: str) -> str:
    """Return the tax, or raise `InvalidValue` if it is not a part of *total*."""
    if not told:
        return ""
    tax = Money.of(total.currency, told)
    if not 0 <= tax.minor <= total.minor:
        raise InvalidValue(f"the tax is a part of {total}, and not {tax}")
    return f"{tax.decimal:f}"


def _user_fields(settings: AuthorizeNetSettings, charge: Charge) -> str:
    """Return the host's own facts, except those that have a place of their own."""
    placed = (settings.purchase_order_fact, settings.tax_fact)
    return node(
        "userFields",
        *(
            node("userField", leaf("name", name), leaf("value", fields.plain(fact, 255)))
            for name, fact in charge.metadata.items()
            if name not in placed
        ),
    )


def _indicator(settings: AuthorizeNetSettings) -> str:
    kind = leaf("authorizationIndicator", settings.authorization_indicator)
    return node("authorizationIndicatorType", kind)


def settings_of(told: Mapping[str, str]) -> str:
    """Return settings by their names, except those without a value."""
    return "".join(
        node("setting", leaf("settingName", name), leaf("settingValue", value))
        for name, value in told.items()
        if value
    )


def _who_started(charge: Charge) -> str:
    """Return what the card networks want to know of stored cards."""
    if charge.kind is not Kind.CARD:
        return ""
    if charge.store_method:
        first = "isFirstRecurringPayment" if charge.reason in _SERIES else "isFirstSubsequentAuth"
        return node("processingOptions", leaf(first, "true"))
    if not isinstance(charge.method, StoredToken):
        return ""
    if charge.payer_present:
        begins = "true" if charge.reason in _SERIES else ""
        return node(
            "processingOptions",
            leaf("isFirstRecurringPayment", begins),
            leaf("isStoredCredentials", "true"),
        )
    network = charge.method.network_transaction_id
    # Their guide to cards on file: the profile holds the first amount, and sends it by itself.
    known = network if network.isascii() and network.replace(" ", "").isalnum() else ""
    return node("processingOptions", leaf("isSubsequentAuth", "true")) + node(
        "subsequentAuthInformation",
        leaf("originalNetworkTransId", known),
        leaf("reason", codes.CHARGE_REASONS.get(charge.reason, "")),
    )


# --- What follows --------------------------------------------------------------------------


def capture(channel: Channel, order: Capture) -> Dialogue[TransactionFacts | Outcome]:
    """Take what is held, or a part of it; Authorize.Net releases the rest."""
    return _transaction(
        channel,
        "priorAuthCaptureTransaction",
        amount_of(order.amount),
        leaf("refTransId", order.reference),
        step="capture",
        key=order.key,
    )


def void(channel: Channel, key: str, transaction: str) -> Dialogue[TransactionFacts | Outcome]:
    """Undo what has not settled."""
    about = leaf("refTransId", transaction)
    return _transaction(channel, "voidTransaction", about, step="void", key=key)


def refund(
    channel: Channel, refunding: Refunding, transaction: str, paid: str
) -> Dialogue[TransactionFacts | Outcome]:
    """Send money of a transaction back to what *paid* it, which is given masked."""
    name = leaf("invoiceNumber", fields.order_number(refunding.key))
    return _transaction(
        channel,
        "refundTransaction",
        amount_of(refunding.amount, currency=True),
        node("payment", paid),
        leaf("refTransId", transaction),
        # Its own name, by which it is found again in the lists.
        node("order", name, leaf("description", fields.plain(refunding.reason, 255))),
        _settings(channel.settings, card=False),
        step="refund",
        key=refunding.key,
    )


def _transaction(
    channel: Channel, kind: str, *children: str, step: str, key: str
) -> Dialogue[TransactionFacts | Outcome]:
    """Return the answer to a transaction, or why it did not come.

    What is not an answer of Authorize.Net's is `BadResponse`, which makes an unknown of the
    operation.
    """
    order = fields.order_number(key)
    response = yield channel.call(
        "createTransaction",
        node("transactionRequest", leaf("transactionType", kind), *children),
        step=step,
        order=order,
        moves_money=True,
    )
    return _parse(channel, response, order)


def end_split(channel: Channel, split: str, *, keep: bool) -> Dialogue[XmlFields | CallRefusal]:
    """End the group of a partial approval: keep what came, or let it go."""
    return channel.ask(
        "updateSplitTenderGroup",
        leaf("splitTenderId", split),
        leaf("splitTenderStatus", "completed" if keep else "voided"),
        step="end_split",
    )


# --- The answer ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionFacts:
    """What Authorize.Net says of a transaction that it made, or looked at.

    `approved` is the amount if only a part was approved, which a prepaid card can lead to, and
    `at` is when it was said.
    """

    code: str
    reason: str
    message: str
    transaction: str
    checks: CardChecks | None
    paid_with: MethodFacts | None
    network: str
    split: str
    approved: Money | None
    at: datetime | None = None
    expired: bool = False

    def declined(self) -> Declined:
        """Return that somebody said no."""
        declined = declined_as(self.reason, self.message, self.transaction)
        if self.expired and self.reason == codes.WRONG_EXPIRY:
            declined = replace(declined, code=DeclineCode.EXPIRED_METHOD)
        return replace(declined, method_facts=self.paid_with, checks=self.checks)


def declined_as(reason: str, message: str, transaction: str) -> Declined:
    """Return a decline for *reason*, with what the merchant must know if a hold stays."""
    code, retryable = codes.DECLINES.get(reason, codes.OTHER_DECLINE)
    alert = codes.alert_of(reason, transaction)
    return Declined(
        code=code,
        raw_code=reason,
        retryable=retryable,
        message=f"{message} {alert}".strip(),
        reference=transaction,
        alert=alert,
    )


def _has_expired(card: RawCard, now: datetime | None) -> bool:
    """Return whether the last month of *card* has passed by the processor's clock."""
    return now is not None and (card.expires_year, card.expires_month) < (now.year, now.month)


def _parse(channel: Channel, response: Response, order: str) -> TransactionFacts | Outcome:
    root = channel.done("createTransaction", response, order=order)
    refused = root if isinstance(root, CallRefusal) else None
    found = (root.root if isinstance(root, CallRefusal) else root).at("transactionResponse")
    if found.text("responseCode", ""):
        told = _told(found, refused, channel.settings.currency)
        return replace(told, at=now_of(response))
    if refused is None:
        raise BadResponse("an answer to a transaction without its response code")
    return refused.outcome(money_may_move=True)


def _told(found: XmlFields, refused: CallRefusal | None, currency: str) -> TransactionFacts:
    error, first = found.at("errors.error"), found.at("messages.message")
    reason = error.text("errorCode", "") or first.text("code", "")
    message = error.text("errorText", "") or first.text("description", "")
    if not reason and refused is not None:
        reason, message = message_of(refused.root)
    return TransactionFacts(
        code=found.text("responseCode"),
        reason=reason,
        message=message,
        transaction=found.id("transId", "", pattern=fields.NUMBER),
        checks=checks_of(found, "avsResultCode", "cvvResultCode", "cavvResultCode"),
        paid_with=facts_of(found.text("accountType", ""), found.text("accountNumber", "")),
        network=found.text("networkTransId", ""),
        split=found.text("splitTenderId", ""),
        approved=_part(found.at("prePaidCard"), currency),
    )


def checks_of(found: XmlFields, *paths: str) -> CardChecks | None:
    """Return what was checked: the address, the security code and the authentication."""
    avs, cvv, cavv = (found.text(path, "") for path in paths)
    return codes.checks_of(avs, cvv, cavv)


def facts_of(kind: str, number: str) -> MethodFacts | None:
    """Return what may be printed of a card or bank account, whose *number* is masked."""
    if not number:
        return None
    return MethodFacts(brand="" if kind == "eCheck" else brand_of(kind), last4=number[-4:])


def _part(card: XmlFields, currency: str) -> Money | None:
    """Return the amount that was approved, if it is less than was asked for."""
    approved = card.decimal("approvedAmount", None)
    requested = card.decimal("requestedAmount", None)
    less = approved is not None and requested is not None and approved < requested
    return card.money("approvedAmount", currency) if less else None


def outcome_of(told: TransactionFacts, done: Outcome) -> Outcome:
    """Return what an answer means; *done* is what the operation comes to if it was approved."""
    match told.code:
        case "1":
            return done if told.transaction else in_test_mode(told)
        case "2" | "3":
            return _refused(told)
        case "4":
            if not told.transaction:
                raise BadResponse("a transaction is held for review, and it is not said which")
            return Pending(reference=told.transaction)
        case _:
            return Unknown(
                reason=f"Authorize.Net answered with response code {told.code[:10]!r}",
                reference=told.transaction,
            )


def _refused(told: TransactionFacts) -> Outcome:
    """Return what a decline or an error means: some declines are the account's own fault."""
    refused = codes.reject_of(told.reason)
    if refused is not None:
        return rejected(refused, told.reason, told.message, told.transaction)
    if told.code == "2" or told.reason in codes.DECLINES:
        return told.declined()
    return uncertain(told.reason, told.message, told.transaction)


def in_test_mode(told: TransactionFacts) -> Rejected:
    """Return that nothing was charged: an account in test mode approves, and stores nothing."""
    return Rejected(
        cause=RejectCause.PERMISSION,
        retryable=False,
        raw_code=told.reason,
        message="the Authorize.Net account is in Test Mode: it approves and charges nothing",
    )


def charged(told: TransactionFacts, amount: Money, *, hold: bool) -> Outcome:
    """Return what an approved charge comes to; a bank account's may still be returned."""
    approved = Approved(
        reference=told.transaction,
        movements=(Movement(movement_id=told.transaction, amount=amount),),
        network_transaction_id=told.network,
        method_facts=told.paid_with,
        checks=told.checks,
    )
    return held(approved, amount) if hold else approved


def held(approved: Approved, amount: Money) -> Authorized:
    """Return that *amount* is held, instead of taken as *approved* says."""
    return Authorized(
        amount=amount,
        reference=approved.reference,
        network_transaction_id=approved.network_transaction_id,
        method_facts=approved.method_facts,
        checks=approved.checks,
    )


def moved(
    told: TransactionFacts, amount: Money, kind: MovementKind, *, undoes: str | None = None
) -> Approved:
    """Return that money moved with an approved capture or refund."""
    movement = Movement(movement_id=told.transaction, amount=amount, kind=kind, undoes=undoes)
    return Approved(reference=told.transaction, movements=(movement,))
