"""createTransaction: charges, holds, captures, voids and refunds, and their answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final

from paygate.driver import (
    Approved,
    Authorized,
    BadResponse,
    CardChecks,
    ChargeReason,
    DeclineCode,
    Declined,
    InvalidValue,
    Kind,
    MethodFacts,
    Money,
    Movement,
    MovementKind,
    OneTimeToken,
    Pending,
    RawBankAccount,
    RawCard,
    RejectCause,
    Rejected,
    StoredToken,
    Unknown,
    Unsupported,
    brand_of,
)
from paygate.drivers.authorize_net import codes, fields
from paygate.drivers.authorize_net.markup import find, leaf, long_text, node, text
from paygate.drivers.authorize_net.messages import (
    CallRefusal,
    busy,
    message_of,
    now_of,
    rejected,
    uncertain,
)

if TYPE_CHECKING:
    from datetime import datetime
    from xml.etree.ElementTree import Element

    from paygate.driver import (
        Capture,
        Charge,
        Customer,
        Outcome,
        Refunding,
        Request,
        Response,
    )
    from paygate.drivers.authorize_net.messages import Channel
    from paygate.drivers.authorize_net.settings import AuthorizeNetSettings

ACCEPT_JS: Final = "COMMON.ACCEPT.INAPP.PAYMENT"
"""The kind of opaque data that Accept.js makes, of cards and of bank accounts."""

LINES_MAX: Final = 30
PURCHASE_ORDER_MAX: Final = 25
_SERIES: Final = frozenset({ChargeReason.RECURRING, ChargeReason.INSTALLMENT})
_BUSINESS: Final = frozenset({"business_checking", "businessChecking", "business"})
_CONSUMER: Final = frozenset({"checking", "savings"})


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


def build_charge(channel: Channel, charge: Charge, *, hold: bool) -> Request:
    """Charge a method, or hold the amount on it."""
    settings = channel.settings
    stored = isinstance(charge.method, StoredToken)
    order = fields.order_number(charge.key)
    ip = charge.browser.ip if charge.browser is not None else ""
    return channel.call(
        "createTransaction",
        node(
            "transactionRequest",
            leaf("transactionType", "authOnlyTransaction" if hold else "authCaptureTransaction"),
            leaf("amount", f"{charge.amount.decimal:f}"),
            leaf("currencyCode", charge.amount.currency),
            payment(settings, charge),
            _order(order, charge),
            _lines(charge),
            _level_two(settings, charge),
            # What a profile holds must not be sent again beside it, and its address gets receipts.
            "" if stored else payer_fields(charge.payer, charge.receipt_email),
            recipient(charge.ship_to),
            leaf("customerIP", fields.whole(ip, 45, "an IP address")),
            _settings(
                settings,
                card=charge.kind is Kind.CARD,
                series=_in_series(charge),
                receipt=bool(charge.receipt_email) and not stored,
            ),
            _user_fields(settings, charge),
            leaf("merchantDescriptor", charge.statement_suffix),
            _who_started(charge),
            _indicator(settings) if hold else "",
        ),
        step="authorize" if hold else "charge",
        order=order,
        moves_money=True,
    )


def payment(settings: AuthorizeNetSettings, charge: Charge) -> str:
    """Write what is charged, or raise where it cannot be."""
    card, method = charge.kind is Kind.CARD, charge.method
    match method:
        case StoredToken():
            profile, stored = profile_ids(method)
            return node(
                "profile",
                leaf("customerProfileId", profile),
                node("paymentProfile", leaf("paymentProfileId", stored)),
            )
        case OneTimeToken():
            return node("payment", opaque(method))
        case RawCard() if card and settings.accept_raw_cards:
            return node("payment", raw_card(method))
        case RawBankAccount() if not card and settings.accept_raw_bank_accounts:
            return node("payment", raw_bank_account(settings, method, charge.payer))
        case RawCard() | RawBankAccount():
            raise Unsupported(
                "numbers of cards and bank accounts are charged only where the settings "
                "accept_raw_cards or accept_raw_bank_accounts say so; use a token of Accept.js"
            )
        case None:
            raise Unsupported(f"a {charge.kind} needs a method: a token of Accept.js, or a stored")


def opaque(token: OneTimeToken) -> str:
    """Write a token of Accept.js."""
    return node(
        "opaqueData",
        leaf("dataDescriptor", ACCEPT_JS),
        leaf("dataValue", fields.token(token.value.reveal())),
    )


def raw_card(card: RawCard) -> str:
    """Write a card number."""
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


def raw_bank_account(
    settings: AuthorizeNetSettings, account: RawBankAccount, payer: Customer | None
) -> str:
    """Write a bank account; who owns it decides how it may be debited."""
    if account.account_type in _BUSINESS:
        kind, allowed = "businessChecking", "CCD"
    elif account.account_type in _CONSUMER:
        kind, allowed = account.account_type, settings.e_check_type
    else:
        raise InvalidValue("an account is checking, savings or business_checking")
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
    """Read the two ids of a stored method, or raise `Unsupported`."""
    profile, _, stored = token.value.reveal().partition("/")
    if not (fields.is_number(profile) and fields.is_number(stored)):
        raise Unsupported("that is no method that the Authorize.Net driver stored")
    return profile, stored


def _order(number: str, charge: Charge) -> str:
    about = charge.description or fields.listed(charge.invoices)
    return node(
        "order", leaf("invoiceNumber", number), leaf("description", fields.plain(about, 255))
    )


def payer_fields(payer: Customer | None, receipt_email: str = "") -> str:
    """Write who pays, where the receipt goes, and where the bill goes."""
    email = receipt_email or (payer.email if payer is not None else "")
    customer = node(
        "customer",
        leaf("id", fields.customer_id(payer.id) if payer is not None else ""),
        leaf("email", fields.email(email)),
    )
    return customer + (address(payer) if payer is not None else "")


def address(payer: Customer) -> str:
    """Write where the bill goes; the first line of the address is the one that is checked."""
    return node(
        "billTo",
        _name_and_address(payer),
        leaf("phoneNumber", fields.whole(payer.phone, 25, "a phone number")),
    )


def recipient(person: Customer | None) -> str:
    """Write who gets the goods, and where; their schema has no place for a telephone here."""
    return "" if person is None else node("shipTo", _name_and_address(person))


def _name_and_address(person: Customer) -> str:
    first, last = fields.name_parts(person.name)
    home = person.address
    street = ", ".join(filter(None, (home.line1, home.line2)))
    return "".join(
        (
            leaf("firstName", first),
            leaf("lastName", last),
            leaf("address", fields.plain(street, 60)),
            leaf("city", fields.plain(home.city, 40)),
            leaf("state", fields.plain(home.region, 40)),
            leaf("zip", fields.whole(home.postal_code, 20, "a postal code")),
            leaf("country", fields.plain(home.country, 60)),
        )
    )


def _in_series(charge: Charge) -> bool:
    return charge.reason in _SERIES and not charge.payer_present


def _settings(
    settings: AuthorizeNetSettings, *, card: bool, series: bool = False, receipt: bool = False
) -> str:
    """Write how to treat the transaction; the account's own defaults are nobody's to know."""
    partial = "true" if settings.partial_approvals else "false"
    return node(
        "transactionSettings",
        setting("allowPartialAuth", partial) if card else "",
        setting("recurringBilling", "true") if series else "",
        setting("emailCustomer", "true") if receipt else "",
        # Without it a duplicate is refused without telling of which transaction.
        setting("duplicateWindow", str(settings.duplicate_window_s)),
    )


def _lines(charge: Charge) -> str:
    """Write how much is for which invoice, if that is more than one and they fit."""
    lines = charge.lines
    if not 1 < len(lines) <= LINES_MAX:
        return ""
    return node(
        "lineItems",
        *(
            node(
                "lineItem",
                leaf("itemId", fields.plain(line.reference, 31) or str(number)),
                leaf("name", fields.plain(line.reference, 31) or str(number)),
                leaf("quantity", "1"),
                leaf("unitPrice", f"{line.amount.decimal:f}"),
            )
            for number, line in enumerate(lines, start=1)
        ),
    )


def _level_two(settings: AuthorizeNetSettings, charge: Charge) -> str:
    """Write the tax and the purchase order number, which the host gives among its facts."""
    tax = charge.metadata.get(settings.tax_fact, "") if settings.tax_fact else ""
    name = settings.purchase_order_fact
    number = charge.metadata.get(name, "") if name else ""
    return node("tax", leaf("amount", _tax(charge.amount, tax))) + leaf(
        "poNumber", fields.whole(number, PURCHASE_ORDER_MAX, "a purchase order number")
    )


def _tax(amount: Money, told: str) -> str:
    """Check that the tax is a part of *amount*."""
    if not told:
        return ""
    tax = Money.of(amount.currency, told)
    if not 0 <= tax.minor <= amount.minor:
        raise InvalidValue(f"the tax is a part of {amount}, and not {tax}")
    return f"{tax.decimal:f}"


def _user_fields(settings: AuthorizeNetSettings, charge: Charge) -> str:
    """Write the host's own facts, but for those that have a place of their own."""
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


def setting(name: str, value: str) -> str:
    """Write one setting."""
    return node("setting", leaf("settingName", name), leaf("settingValue", value))


def _who_started(charge: Charge) -> str:
    """Write what the card networks want to know of stored cards."""
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


def build_capture(channel: Channel, capture: Capture) -> Request:
    """Take what is held, or a part of it; Authorize.Net releases the rest."""
    return _following(
        channel,
        "priorAuthCaptureTransaction",
        leaf("amount", f"{capture.amount.decimal:f}"),
        leaf("refTransId", capture.reference),
        step="capture",
        order=fields.order_number(capture.key),
    )


def build_void(channel: Channel, key: str, transaction: str) -> Request:
    """Undo what has not settled."""
    return _following(
        channel,
        "voidTransaction",
        leaf("refTransId", transaction),
        step="void",
        order=fields.order_number(key),
    )


def build_refund(channel: Channel, refunding: Refunding, transaction: str, paid: str) -> Request:
    """Send money of a transaction back to what *paid* it, which is told masked."""
    order = fields.order_number(refunding.key)
    about = fields.plain(refunding.reason, 255)
    return _following(
        channel,
        "refundTransaction",
        leaf("amount", f"{refunding.amount.decimal:f}"),
        leaf("currencyCode", refunding.amount.currency),
        node("payment", paid),
        leaf("refTransId", transaction),
        # Its own name, by which it is found again in the lists.
        node("order", leaf("invoiceNumber", order), leaf("description", about)),
        _settings(channel.settings, card=False),
        step="refund",
        order=order,
    )


def _following(channel: Channel, kind: str, *children: str, step: str, order: str) -> Request:
    return channel.call(
        "createTransaction",
        node("transactionRequest", leaf("transactionType", kind), *children),
        step=step,
        order=order,
        moves_money=True,
    )


def build_end_split(channel: Channel, split: str, *, keep: bool) -> Request:
    """End the group of a partial approval: keep what came, or let it go."""
    return channel.call(
        "updateSplitTenderGroup",
        leaf("splitTenderId", split),
        leaf("splitTenderStatus", "completed" if keep else "voided"),
        step="end_split",
    )


# --- The answer ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionFacts:
    """What Authorize.Net tells of a transaction that it made, or looked at."""

    code: str
    reason: str
    message: str
    transaction: str
    checks: CardChecks | None
    paid_with: MethodFacts | None
    network: str
    split: str
    approved: str
    expired: bool = False

    def declined(self) -> Declined:
        """Return that somebody said no."""
        declined = declined_as(self.reason, self.message, self.transaction)
        if self.expired and self.reason == codes.WRONG_EXPIRY:
            declined = replace(declined, code=DeclineCode.EXPIRED_METHOD)
        return replace(declined, method_facts=self.paid_with, checks=self.checks)

    @property
    def partly(self) -> bool:
        """Tell whether only a part was approved, which a prepaid card can lead to."""
        return bool(self.approved)


def declined_as(reason: str, message: str, transaction: str) -> Declined:
    """Return a decline for *reason*, with what the merchant must know if a hold stays."""
    code, retryable = codes.decline_of(reason)
    alert = codes.alert_of(reason, transaction)
    return Declined(
        code=code,
        raw_code=reason,
        retryable=retryable,
        message=f"{message} {alert}".strip(),
        reference=transaction,
        alert=alert,
    )


def parse_charge(
    channel: Channel, charge: Charge, response: Response
) -> TransactionFacts | Outcome:
    """Read the answer to a charge; see `parse`."""
    told = parse(channel, response, fields.order_number(charge.key))
    if isinstance(told, TransactionFacts) and isinstance(charge.method, RawCard):
        return replace(told, expired=_has_expired(charge.method, now_of(response)))
    return told


def _has_expired(card: RawCard, now: datetime | None) -> bool:
    """Return whether the last month of *card* has passed by the processor's clock."""
    return now is not None and (card.expires_year, card.expires_month) < (now.year, now.month)


def parse(channel: Channel, response: Response, order: str) -> TransactionFacts | Outcome:
    """
    Read the answer to a transaction, or why there is none.

    What is not an answer of theirs is `BadResponse`, which makes an unknown of the operation.
    """
    turned_away = busy(response)
    if turned_away is not None:
        return turned_away
    root = channel.answer("createTransaction", response, order=order)
    refused = root if isinstance(root, CallRefusal) else None
    found = find(root.root if isinstance(root, CallRefusal) else root, "transactionResponse")
    code = text(found, "responseCode")
    if found is None or not code:
        if refused is None:
            raise BadResponse("an answer to a transaction without its response code")
        return refused.outcome(money_may_move=True)
    return _told(found, code, refused)


def _told(found: Element, code: str, refused: CallRefusal | None) -> TransactionFacts:
    reason = text(found, "errors/error/errorCode") or text(found, "messages/message/code")
    message = text(found, "errors/error/errorText") or text(found, "messages/message/description")
    if not reason and refused is not None:
        reason, message = message_of(refused.root)
    transaction = text(found, "transId")
    return TransactionFacts(
        code=code,
        reason=reason,
        message=message,
        transaction=transaction if fields.is_number(transaction) else "",
        checks=codes.checks_of(
            text(found, "avsResultCode"),
            text(found, "cvvResultCode"),
            text(found, "cavvResultCode"),
        ),
        paid_with=facts_of(text(found, "accountType"), text(found, "accountNumber")),
        network=long_text(found, "networkTransId"),
        split=text(found, "splitTenderId"),
        approved=_less(
            text(found, "prePaidCard/approvedAmount"), text(found, "prePaidCard/requestedAmount")
        ),
    )


def facts_of(kind: str, number: str) -> MethodFacts | None:
    """Return what may be printed of a card or bank account, whose *number* is masked."""
    if not number:
        return None
    return MethodFacts(brand="" if kind == "eCheck" else brand_of(kind), last4=number[-4:])


def _less(approved: str, requested: str) -> str:
    """Tell the amount that was approved, where it is less than was asked for."""
    try:
        return approved if Decimal(approved) < Decimal(requested) else ""
    except InvalidOperation:
        return ""


def outcome_of(told: TransactionFacts, done: Outcome) -> Outcome:
    """Tell what an answer means; *done* is what the operation comes to if it was approved."""
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
    """Tell that nothing was charged: an account in test mode approves, and stores nothing."""
    return Rejected(
        cause=RejectCause.PERMISSION,
        retryable=False,
        raw_code=told.reason,
        message="the Authorize.Net account is in Test Mode: it approves and charges nothing",
    )


def charged(told: TransactionFacts, amount: Money, *, hold: bool) -> Outcome:
    """Tell what an approved charge comes to; a bank account's may still be returned."""
    if hold:
        return Authorized(
            amount=amount,
            reference=told.transaction,
            network_transaction_id=told.network,
            method_facts=told.paid_with,
            checks=told.checks,
        )
    return Approved(
        reference=told.transaction,
        movements=(Movement(movement_id=told.transaction, amount=amount),),
        network_transaction_id=told.network,
        method_facts=told.paid_with,
        checks=told.checks,
    )


def moved(
    told: TransactionFacts, amount: Money, kind: MovementKind, *, undoes: str | None = None
) -> Approved:
    """Tell that money moved with an approved capture or refund."""
    movement = Movement(movement_id=told.transaction, amount=amount, kind=kind, undoes=undoes)
    return Approved(reference=told.transaction, movements=(movement,))
