"""createTransaction: charges, holds, captures, voids and refunds, and their answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from paygate import driver
from paygate.driver import InvalidValue, Unsupported, brand_of, listed, routing_number, time_of
from paygate.drivers.authorize_net import codes, fields
from paygate.drivers.authorize_net.messages import CallRefusal, rejected, uncertain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from paygate.driver import Charge, Customer, Dialogue, Members, Money, Outcome, XmlFields
    from paygate.drivers.authorize_net.messages import Answer, Channel
    from paygate.drivers.authorize_net.settings import AuthorizeNetSettings

ACCEPT_JS: Final = "COMMON.ACCEPT.INAPP.PAYMENT"

WALLETS: Final = {
    "apple_pay": "COMMON.APPLE.INAPP.PAYMENT",
    "google_pay": "COMMON.GOOGLE.INAPP.PAYMENT",
}
"""Wallets whose payment data, in base64, is charged like a token of Accept.js."""
"""The descriptor of Accept.js's opaque data, for cards and for bank accounts."""

LINES_MAX: Final = 30
PURCHASE_ORDER_MAX: Final = 25
_SERIES: Final = frozenset({driver.ChargeReason.RECURRING, driver.ChargeReason.INSTALLMENT})
_ACCOUNTS: Final = {
    **dict.fromkeys(("business_checking", "businessChecking", "business"), "businessChecking"),
    "checking": "checking",
    "savings": "savings",
}

NOBODY: Final = driver.Customer(id="")

RawMethod: TypeAlias = driver.OneTimeToken | driver.RawCard | driver.RawBankAccount
Sending: TypeAlias = "Dialogue[TransactionAnswer | Outcome]"
"""Returns the answer to a transaction, or the outcome if no transaction was made."""


# --- Charge ------------------------------------------------------------------------------


def check(settings: AuthorizeNetSettings, charge: Charge) -> None:
    """Raise for what Authorize.Net, or this driver, cannot charge."""
    check_currency(settings, charge.amount)
    if charge.kind not in (driver.Kind.CARD, driver.Kind.E_CHECK):
        raise Unsupported(f"the Authorize.Net driver charges cards and e-checks, not {charge.kind}")
    _ = _charged(settings, charge, hold=False)


def check_currency(settings: AuthorizeNetSettings, amount: Money) -> None:
    """Raise `Unsupported` for a currency in which the account does not settle."""
    if amount.currency != settings.currency:
        raise Unsupported(
            f"this Authorize.Net account settles in {settings.currency}, not {amount.currency}",
            currency=amount.currency,
        )


def collect(channel: Channel, charge: Charge, *, hold: bool) -> Sending:
    """Charge a method, or hold the amount on it."""
    answer = yield from _send(
        channel,
        "authOnlyTransaction" if hold else "authCaptureTransaction",
        _charged(channel.settings, charge, hold=hold),
        step="authorize" if hold else "charge",
        key=charge.key,
    )
    card = charge.method
    if isinstance(answer, TransactionAnswer) and isinstance(card, driver.RawCard) and answer.at:
        expired = (card.expires_year, card.expires_month) < (answer.at.year, answer.at.month)
        return replace(answer, expired=expired)
    return answer


def _charged(settings: AuthorizeNetSettings, charge: Charge, *, hold: bool) -> Members:
    """Return the members of a charge in the order of the schema, or raise if it cannot be made."""
    stored = isinstance(charge.method, driver.StoredToken)
    payer = payer_fields(charge.payer, charge.receipt_email)
    ip = charge.browser.ip if charge.browser is not None else ""
    if stored and charge.receipt_email:
        raise Unsupported(
            "the receipt of a stored card goes to the address that was stored with it; leave "
            "receipt_email out"
        )
    receipt = bool(charge.receipt_email)
    series = charge.reason in _SERIES and not charge.payer_present
    indicator = settings.authorization_indicator if hold else ""
    return {
        **amount_of(charge.amount, currency=True),
        **_payment(settings, charge),
        "order": order_of(charge),
        "lineItems": {"lineItem": _lines(charge)},
        **_level_two(settings, charge),
        # What a profile holds must not be sent again with it, and its address gets receipts.
        **({} if stored else payer),
        "shipTo": name_and_address(charge.ship_to or NOBODY),
        "customerIP": fields.whole(ip, 45, "an IP address"),
        "transactionSettings": _settings(
            settings, card=charge.kind is driver.Kind.CARD, series=series, receipt=receipt
        ),
        "userFields": {"userField": _user_fields(settings, charge)},
        "merchantDescriptor": charge.statement_suffix,
        **_who_started(charge),
        "authorizationIndicatorType": {"authorizationIndicator": indicator},
    }


def amount_of(money: Money, *, currency: bool = False) -> dict[str, str]:
    """Return an amount, with its currency on request."""
    return {"amount": f"{money.decimal:f}", "currencyCode": money.currency if currency else ""}


def _payment(settings: AuthorizeNetSettings, charge: Charge) -> Members:
    """Return what is charged, or raise if it cannot be."""
    method = charge.method
    if method is None:
        raise Unsupported(f"a {charge.kind} needs a method: a token of Accept.js, or a stored one")
    if not isinstance(method, driver.StoredToken):
        return {"payment": given(settings, charge.kind, method, charge.payer)}
    profile, stored = profile_ids(method)
    ids: Members = {"customerProfileId": profile, "paymentProfile": {"paymentProfileId": stored}}
    return {"profile": ids}


def given(
    settings: AuthorizeNetSettings, kind: driver.Kind, method: RawMethod, payer: Customer | None
) -> Members:
    """Return a method that is given for the first time, to charge or to store, or raise."""
    match method:
        case driver.OneTimeToken():
            token = method.value.reveal()
            if not fields.TOKEN.fullmatch(token):
                raise Unsupported("that is not the opaque data of Accept.js (its dataValue)")
            descriptor = WALLETS.get(method.wallet, ACCEPT_JS)
            return {"opaqueData": {"dataDescriptor": descriptor, "dataValue": token}}
        case driver.RawCard() if settings.accept_raw_cards and kind is driver.Kind.CARD:
            return {"creditCard": _raw_card(method)}
        case driver.RawBankAccount() if (
            settings.accept_raw_bank_accounts and kind is driver.Kind.E_CHECK
        ):
            return {"bankAccount": _raw_bank_account(settings, method, payer)}
        case driver.RawCard() | driver.RawBankAccount():
            raise Unsupported(
                "numbers of cards and bank accounts are accepted only with the settings "
                "accept_raw_cards and accept_raw_bank_accounts; use a token of Accept.js"
            )


def _raw_card(card: driver.RawCard) -> Members:
    number = card.number.reveal()
    if len(number) > 16:
        raise InvalidValue("Authorize.Net takes card numbers of up to 16 digits")
    code = card.security_code.reveal() if card.security_code is not None else ""
    if code and not (code.isascii() and code.isdigit() and len(code) in (3, 4)):
        raise InvalidValue("a security code has three or four digits")
    return {
        "cardNumber": number,
        "expirationDate": f"{card.expires_year:04}-{card.expires_month:02}",
        "cardCode": code,
    }


def _raw_bank_account(
    settings: AuthorizeNetSettings, account: driver.RawBankAccount, payer: Customer | None
) -> Members:
    """Return a bank account; the kind of its owner decides how it may be debited."""
    kind = _ACCOUNTS.get(account.account_type)
    if kind is None:
        raise InvalidValue("an account is checking, savings or business_checking")
    # A bank's files have 22 characters for the name, and cut it in the same way.
    name = fields.plain(account.holder or (payer or NOBODY).name, 22)
    if not name:
        raise InvalidValue("an e-check needs the name of the account's holder")
    number = account.account_number.reveal()
    if not fields.ACCOUNT.fullmatch(number):
        raise InvalidValue(
            "an account number has at most 17 digits, letters and hyphens; ask the payer for it"
        )
    return {
        "accountType": kind,
        "routingNumber": routing_number(account.routing_number.reveal()),
        "accountNumber": number,
        "nameOnAccount": name,
        "echeckType": "CCD" if kind == "businessChecking" else settings.e_check_type,
    }


def profile_ids(token: driver.StoredToken) -> tuple[str, str]:
    """Return the two ids of a stored method, or raise `Unsupported`."""
    profile, _, stored = token.value.reveal().partition("/")
    if not (fields.is_number(profile) and fields.is_number(stored)):
        raise Unsupported("that is not a method that the Authorize.Net driver stored")
    return profile, stored


def order_of(charge: Charge) -> Members:
    """Return our name for a charge, and what it is for."""
    about = charge.description or listed(charge.invoices, 255)
    number = fields.order_number(charge.key)
    return {"invoiceNumber": number, "description": fields.plain(about, 255)}


def payer_fields(payer: Customer | None, receipt_email: str = "") -> Members:
    """Return the payer, the e-mail address for the receipt, and the billing address."""
    who = payer or NOBODY
    email = fields.email(receipt_email or who.email)
    return {"customer": {"id": fields.customer_id(who.id), "email": email}, "billTo": address(who)}


def address(payer: Customer) -> Members:
    """Return the billing address, of which the first line is checked."""
    phone = fields.whole(payer.phone, 25, "a phone number")
    return {**name_and_address(payer), "phoneNumber": phone}


def name_and_address(person: Customer) -> dict[str, str]:
    """Return who gets the goods, or the bill, and where."""
    first, last = fields.name_parts(person.name)
    home = person.address
    return {
        "firstName": first,
        "lastName": last,
        "address": fields.plain(", ".join(filter(None, (home.line1, home.line2))), 60),
        "city": fields.plain(home.city, 40),
        "state": fields.plain(home.region, 40),
        "zip": fields.whole(home.postal_code, 20, "a postal code"),
        "country": fields.plain(home.country, 60),
    }


def _settings(
    settings: AuthorizeNetSettings, *, card: bool, series: bool = False, receipt: bool = False
) -> Members:
    """Return how to treat the transaction, because the account's own defaults are unknown."""
    partial = "true" if settings.partial_approvals else "false"
    return settings_of(
        {
            "allowPartialAuth": partial if card else "",
            "recurringBilling": "true" if series else "",
            "emailCustomer": "true" if receipt else "",
            # Without it a duplicate is refused without the id of the first transaction.
            "duplicateWindow": str(settings.duplicate_window_s),
        }
    )


def settings_of(values: Mapping[str, str]) -> Members:
    """Return settings by their names, except those without a value."""
    named = [(name, value) for name, value in values.items() if value]
    return {"setting": [{"settingName": name, "settingValue": value} for name, value in named]}


def _lines(charge: Charge) -> list[Members]:
    """Return how much is for which invoice, if that is more than one and they fit."""
    if not 1 < len(charge.lines) <= LINES_MAX:
        return []
    return [
        {"itemId": name, "name": name, "quantity": "1", "unitPrice": f"{line.amount.decimal:f}"}
        for number, line in enumerate(charge.lines, start=1)
        for name in [fields.plain(line.reference, 31) or str(number)]
    ]


def _level_two(settings: AuthorizeNetSettings, charge: Charge) -> Members:
    """Return the tax and the purchase order number, which the host gives in the metadata."""
    tax, number = (
        charge.metadata.get(name, "") if name else ""
        for name in (settings.tax_fact, settings.purchase_order_fact)
    )
    if tax:
        amount = driver.Money.of(charge.amount.currency, tax)
        if not 0 <= amount.minor <= charge.amount.minor:
            raise InvalidValue(f"the tax is a part of {charge.amount}, and not {amount}")
        tax = f"{amount.decimal:f}"
    order = fields.whole(number, PURCHASE_ORDER_MAX, "a purchase order number")
    return {"tax": {"amount": tax}, "poNumber": order}


def _user_fields(settings: AuthorizeNetSettings, charge: Charge) -> list[Members]:
    """Return the host's metadata, except what has a field of its own."""
    placed = (settings.purchase_order_fact, settings.tax_fact)
    return [
        {"name": name, "value": fields.plain(fact, 255)}
        for name, fact in charge.metadata.items()
        if name not in placed
    ]


def _who_started(charge: Charge) -> Members:
    """Return what the card networks want to know about stored cards."""
    if charge.kind is not driver.Kind.CARD:
        return {}
    if charge.store_method:
        first = "isFirstRecurringPayment" if charge.reason in _SERIES else "isFirstSubsequentAuth"
        return {"processingOptions": {first: "true"}}
    if not isinstance(charge.method, driver.StoredToken):
        return {}
    if charge.payer_present:
        begins = "true" if charge.reason in _SERIES else ""
        options = {"isFirstRecurringPayment": begins, "isStoredCredentials": "true"}
        return {"processingOptions": options}
    network = charge.method.network_transaction_id
    # Their guide to cards on file: the profile holds the first amount, and sends it by itself.
    known = network if network.isascii() and network.replace(" ", "").isalnum() else ""
    return {
        "processingOptions": {"isSubsequentAuth": "true"},
        "subsequentAuthInformation": {
            "originalNetworkTransId": known,
            "reason": codes.CHARGE_REASONS.get(charge.reason, ""),
        },
    }


# --- What follows --------------------------------------------------------------------------


def capture(channel: Channel, order: driver.Capture) -> Sending:
    """Capture what is held, or a part of it; Authorize.Net releases the rest."""
    about = {**amount_of(order.amount), "refTransId": order.reference}
    return _send(channel, "priorAuthCaptureTransaction", about, step="capture", key=order.key)


def void(channel: Channel, key: str, transaction: str) -> Sending:
    """Void what has not settled."""
    about = {"refTransId": transaction}
    return _send(channel, "voidTransaction", about, step="void", key=key)


def refund(
    channel: Channel, refunding: driver.Refunding, transaction: str, paid_with: Members
) -> Sending:
    """Send money of a transaction back to the masked method that paid."""
    # Its own invoice number, by which it is found again in the lists.
    number, why = fields.order_number(refunding.key), fields.plain(refunding.reason, 255)
    members: Members = {
        **amount_of(refunding.amount, currency=True),
        "payment": paid_with,
        "refTransId": transaction,
        "order": {"invoiceNumber": number, "description": why},
        "transactionSettings": _settings(channel.settings, card=False),
    }
    return _send(channel, "refundTransaction", members, step="refund", key=refunding.key)


def end_split(channel: Channel, split: str, *, keep: bool) -> Dialogue[Answer]:
    """End the group of a partial approval: keep the part, or let it go."""
    status = "completed" if keep else "voided"
    return channel.ask(
        "updateSplitTenderGroup",
        {"splitTenderId": split, "splitTenderStatus": status},
        step="end_split",
    )


# --- The answer ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionFacts:
    """What Authorize.Net says about a transaction, in its answer or in an inquiry."""

    transaction: str
    reason: str
    message: str
    network: str
    checks: driver.CardChecks | None
    facts: driver.MethodFacts | None

    def approved(self, *movements: driver.Movement) -> driver.Approved:
        """Return that money moved; that of a bank account may still be returned."""
        return driver.Approved(
            reference=self.transaction,
            movements=movements,
            network_transaction_id=self.network,
            method_facts=self.facts,
            checks=self.checks,
        )

    def held(self, amount: Money) -> driver.Authorized:
        """Return that *amount* is held."""
        return driver.Authorized(
            amount=amount,
            reference=self.transaction,
            network_transaction_id=self.network,
            method_facts=self.facts,
            checks=self.checks,
        )

    def declined(self) -> driver.Declined:
        """Return the decline for its reason."""
        declined = declined_as(self.reason, self.message, self.transaction)
        return replace(declined, method_facts=self.facts, checks=self.checks)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionAnswer(TransactionFacts):
    """The answer to a transaction.

    `part` is the approved amount if only a part was approved, as happens with a prepaid card. `at`
    is the processor's time, and `expired` whether the card that was given had expired by then.
    """

    code: str
    split: str
    part: Money | None
    at: datetime | None
    expired: bool = False

    @property
    def is_duplicate(self) -> bool:
        """Whether it was refused because the same transaction was sent before."""
        return self.code != "1" and self.reason in codes.DUPLICATES


def declined_as(reason: str, message: str, transaction: str) -> driver.Declined:
    """Return a decline for *reason*, with what the merchant must know if an amount stays held."""
    code, retryable = codes.DECLINES.get(reason, codes.OTHER_DECLINE)
    alert = codes.alert_of(reason, transaction)
    return driver.Declined(
        code=code,
        raw_code=reason,
        retryable=retryable,
        message=f"{message} {alert}".strip(),
        reference=transaction,
        alert=alert,
    )


def _send(channel: Channel, kind: str, members: Members, *, step: str, key: str) -> Sending:
    """Send a transaction; anything but an answer of Authorize.Net's is a `BadResponse`."""
    order = fields.order_number(key)
    whole: Members = {"transactionRequest": {"transactionType": kind, **members}}
    response = yield channel.call(
        "createTransaction", whole, step=step, order=order, moves_money=True
    )
    answer = channel.answer("createTransaction", response, order=order)
    refused = answer if isinstance(answer, CallRefusal) else None
    root = answer.root if isinstance(answer, CallRefusal) else answer
    found = root.at("transactionResponse")
    code = found.text("responseCode", "")
    if not code:
        if refused is None:
            raise driver.BadResponse("an answer to a transaction without its response code")
        return refused.outcome(money_may_move=True)
    error, first = found.at("errors.error"), found.at("messages.message")
    reason = error.text("errorCode", "") or first.text("code", "")
    message = error.text("errorText", "") or first.text("description", "")
    if not reason and refused is not None:
        reason, message = refused.code, refused.message
    return TransactionAnswer(
        transaction=found.id("transId", "", pattern=fields.NUMBER),
        reason=reason,
        message=message,
        network=found.text("networkTransId", ""),
        checks=codes.checks_of(found, "avsResultCode", "cvvResultCode", "cavvResultCode"),
        facts=facts_of(found.text("accountType", ""), found.text("accountNumber", "")),
        code=code,
        split=found.text("splitTenderId", ""),
        part=_part(found.at("prePaidCard"), channel.settings.currency),
        at=time_of(response),
    )


def facts_of(kind: str, number: str) -> driver.MethodFacts | None:
    """Return what may be printed about a card or bank account, whose *number* is masked."""
    if not number:
        return None
    brand = "" if kind == "eCheck" else brand_of(kind)
    return driver.MethodFacts(brand=brand, last4=number[-4:])


def _part(card: XmlFields, currency: str) -> Money | None:
    """Return the amount that was approved, if it is less than was requested."""
    approved = card.decimal("approvedAmount", None)
    requested = card.decimal("requestedAmount", None)
    less = approved is not None and requested is not None and approved < requested
    return card.money("approvedAmount", currency) if less else None


def outcome_of(answer: TransactionAnswer, done: Outcome) -> Outcome:
    """Return what an answer means; *done* is the outcome if it was approved."""
    match answer.code:
        case "1":
            if answer.transaction:
                return done
            # An account in Test Mode approves, and stores nothing.
            return driver.Rejected(
                cause=driver.RejectCause.PERMISSION,
                retryable=False,
                raw_code=answer.reason,
                message="the Authorize.Net account is in Test Mode: it approves and charges "
                "nothing",
            )
        case "2" | "3":
            return _refused(answer)
        case "4":
            if not answer.transaction:
                raise driver.BadResponse("a transaction is held for review, without its id")
            return driver.Pending(reference=answer.transaction)
        case _:
            return driver.Unknown(
                reason=f"Authorize.Net answered with response code {answer.code[:10]!r}",
                reference=answer.transaction,
            )


def _refused(answer: TransactionAnswer) -> Outcome:
    """Return what a decline or an error means: some declines are the account's own fault."""
    reason, transaction = answer.reason, answer.transaction
    refused = codes.REJECTS.get(reason)
    if refused is not None:
        return rejected(refused, reason, answer.message, transaction)
    if answer.code != "2" and reason not in codes.DECLINES:
        return uncertain(reason, answer.message, transaction)
    if answer.expired and reason == codes.WRONG_EXPIRY:
        return replace(answer.declined(), code=driver.DeclineCode.EXPIRED_METHOD)
    return answer.declined()


def charged(answer: TransactionAnswer, amount: Money, *, hold: bool) -> Outcome:
    """Return the outcome of an approved charge or hold."""
    if hold:
        return answer.held(amount)
    return answer.approved(driver.Movement(movement_id=answer.transaction, amount=amount))


def moved(
    transaction: str, amount: Money, kind: driver.MovementKind, *, undoes: str | None = None
) -> driver.Approved:
    """Return the outcome of an approved capture or refund."""
    movement = driver.Movement(movement_id=transaction, amount=amount, kind=kind, undoes=undoes)
    return driver.Approved(reference=transaction, movements=(movement,))
