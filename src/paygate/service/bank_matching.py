"""Matching: what a line of a bank account is, by the ledger.

The question is asked in a fixed order, and the first answer decides unless a later one contradicts
it. A processor's credit is its payout, and never a customer's. Money that a clerk recorded by hand
is settled by the statement, and never booked a second time. Then come the keys in the text: a
structured reference, an assignment key, the number of an invoice. Amount, name and account are no
keys; they only order what a clerk sees.

What is automatic is certain: one candidate, one customer, the right currency, a key that is long
enough not to be there by chance, and nothing else in the line that names something else. All other
lines stay open, with their candidates. The rules only read, so they give the same answer before a
clerk decides and in the transaction that does what the clerk decided.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from paygate.domain.bank_line import (
    Certainty,
    LineClass,
    MatchKind,
    MatchRule,
    Proposal,
)
from paygate.domain.bank_statement import EntryMeaning, StatementFormat
from paygate.domain.bank_words import Words, folded, is_sure, is_written_so, plain, words_of
from paygate.domain.creditor_reference import looks_like_reference, read_reference
from paygate.domain.kind import Kind
from paygate.ledger import (
    accounts,
    bank_candidates,
    bank_lines,
    bank_matches,
    bank_statements,
    customers,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from paygate.domain.bank_account import BankAccount
    from paygate.domain.bank_line import BankLine
    from paygate.ledger.bank_candidates import OpenCandidate, PaidOut, RecordedCandidate
    from paygate.ledger.tx import Tx

PROPOSALS_MAX: Final = 5
RECORDED_BEFORE: Final = timedelta(days=30)
"""How long before a line its money may have been recorded by hand."""
RECORDED_AFTER: Final = timedelta(days=3)
DEPOSITED_WITHIN: Final = timedelta(days=10)
"""How long after they were recorded checks and cash are deposited together."""
_CHECK_NUMBER: Final = re.compile(r"(?<!\d)\d{2,12}(?!\d)")
_NUMBERS_MAX: Final = 10

RETURNED_WITHIN: Final = timedelta(days=180)
"""How long after it was recorded a check may be returned."""
FEE_WITHIN: Final = timedelta(days=3)
"""How far the charge for a returned check is from it."""
PAID_OUT_WITHIN: Final = timedelta(days=10)
_DUE_WITHIN: Final = timedelta(days=3)
_KEYS_MAX: Final = 64
_WORD_MIN: Final = 5
_BY_ACCOUNT, _BY_AMOUNT, _BY_NAME, _BY_DATE = 40, 30, 20, 10
_BEST_MIN: Final = 50
_NAME_PART_MIN: Final = 3

PAYOUT_WORDS: Final = {"stripe": "stripe", "paypal": "paypal"}
"""The word in the payouts of a processor, by its driver."""

_KINDS: Final = {
    EntryMeaning.CHECK_IN: frozenset({Kind.CHECK, Kind.CASH}),
    EntryMeaning.TRANSFER_IN: frozenset({Kind.TRANSFER}),
}


@dataclass(frozen=True, slots=True)
class Decision:
    """What a line is: done without a clerk if *certain*, else among the *proposals*."""

    line_class: LineClass
    certain: Proposal | None = None
    proposals: tuple[Proposal, ...] = ()


@dataclass(slots=True)
class _Named:
    """The items that the text of a line names, by rule, and whether each key is sure."""

    by_rule: dict[MatchRule, dict[str, OpenCandidate]] = field(
        default_factory=dict[MatchRule, "dict[str, OpenCandidate]"]
    )
    unsure: set[str] = field(default_factory=set[str])
    has_typo: bool = False

    @property
    def items(self) -> list[OpenCandidate]:
        found: dict[str, OpenCandidate] = {}
        for some in self.by_rule.values():
            found |= some
        return list(found.values())

    @property
    def rule(self) -> MatchRule:
        return next(rule for rule in MatchRule if self.by_rule.get(rule))

    def add(self, rule: MatchRule, item: OpenCandidate, *, sure: bool) -> None:
        self.by_rule.setdefault(rule, {})[item.id] = item
        if not sure:
            self.unsure.add(item.id)


def decide(tx: Tx, line: BankLine, account: BankAccount) -> Decision:
    """Return what *line* is."""
    return _incoming(tx, line, account) if line.amount.minor > 0 else _outgoing(tx, line, account)


# --- Money that came ------------------------------------------------------------------------


def _incoming(tx: Tx, line: BankLine, account: BankAccount) -> Decision:
    processor = _processor_of(tx, line, account)
    if processor:
        return _payout(tx, line, processor)
    collected = _collected(tx, line)
    if collected is not None:
        return collected
    words = words_of("\n".join(filter(None, (line.text, line.end_to_end))))
    named = _named(tx, line, words)
    recorded = _recorded(tx, line, named, words)
    if recorded is not None:
        return recorded
    if named.items:
        return _by_keys(line, named)
    return _by_score(tx, line, has_typo=named.has_typo)


def _processor_of(tx: Tx, line: BankLine, account: BankAccount) -> str:
    """Return the gateway account whose payout this may be, or an empty text."""
    text = folded(f"{line.party}\n{line.text}")
    for name, word in account.policy.payouts.items():
        if folded(word) in text:
            return name
    for each in accounts.all_known(tx):
        word = PAYOUT_WORDS.get(each.driver, "")
        if word and each.name not in account.policy.payouts and word in text:
            return each.name
    return ""


def _payout(tx: Tx, line: BankLine, processor: str) -> Decision:
    """Find the days whose settlements add up to the amount; each day is paid out once."""
    days = [
        each
        for each in bank_candidates.paid_out(
            tx,
            processor,
            line.amount.currency,
            since=line.booked - PAID_OUT_WITHIN,
            until=line.booked + RECORDED_AFTER,
        )
        if bank_matches.line_of(tx, MatchKind.PAYOUT, each.name) is None
    ]
    fitting = list(_runs_of(days, line.amount.minor))
    proposals = tuple(
        Proposal(
            kind=MatchKind.PAYOUT,
            subjects=tuple(each.name for each in run),
            customer="",
            rule=MatchRule.PAYOUT,
            certainty=Certainty.CERTAIN if len(fitting) == 1 else Certainty.POSSIBLE,
            line_class=LineClass.PAYOUT,
            why=f"{processor} settled this amount on {_days(run)}",
        )
        for run in fitting[:PROPOSALS_MAX]
    )
    if len(fitting) == 1:
        return Decision(LineClass.PAYOUT, proposals[0], proposals)
    return Decision(LineClass.PAYOUT_UNMATCHED, None, proposals)


def _runs_of(days: Sequence[PaidOut], minor: int) -> Iterable[Sequence[PaidOut]]:
    for first in range(len(days)):
        total = 0
        for last in range(first, len(days)):
            total += days[last].minor
            if total == minor:
                yield days[first : last + 1]


def _days(run: Sequence[PaidOut]) -> str:
    first, last = run[0].on, run[-1].on
    return f"{first}" if first == last else f"{first} to {last}"


def _collected(tx: Tx, line: BankLine) -> Decision | None:
    """Return what a line with our own id of a collection is; None without one."""
    if not line.end_to_end:
        return None
    names = [each.name for each in accounts.all_known(tx)]
    found = bank_candidates.collected(tx, names, line.end_to_end)
    if found is None:
        return None
    if not found.is_settled and found.minor == line.amount.minor:
        one = _proposal_of([found], MatchRule.END_TO_END, Certainty.CERTAIN, "it has our own id")
        return Decision(LineClass.MATCHED, one, (one,))
    why = f"it has the id of a collection of {found.customer} that has settled"
    one = Proposal(
        kind=MatchKind.PAYMENT,
        subjects=(),
        customer=found.customer,
        rule=MatchRule.END_TO_END,
        certainty=Certainty.CERTAIN,
        line_class=LineClass.DUPLICATE_CHARGE,
        why=why,
    )
    return Decision(LineClass.DUPLICATE_CHARGE, one, (one,))


def _named(tx: Tx, line: BankLine, words: Words) -> _Named:
    """Return the invoices and prepayments that the line names."""
    named = _Named()
    references = [*words.references]
    if line.reference:
        right = read_reference(line.reference)
        if right is not None:
            references.insert(0, right)
        elif looks_like_reference(line.reference):
            named.has_typo = True
        else:
            words = replace(words, plain={**words_of(line.reference).plain, **words.plain})
    of_reference = {each[4:].lower() for each in references}
    keys = [key for key in words.plain if _may_be_key(key)][:_KEYS_MAX]
    typed = {each[4:].lower() for each in words.typos}
    found = bank_candidates.items_named(tx, [*of_reference, *typed, *keys])
    for item in found:
        number, key = words.plain.get(item.plain_number), words.plain.get(item.plain_key)
        if item.is_invoice and item.plain_number in of_reference:
            named.add(MatchRule.CREDITOR_REFERENCE, item, sure=True)
        if item.assignment_key and key and is_written_so(item.assignment_key, key):
            sure = is_sure(item.assignment_key) and not key.may_be_cut
            named.add(MatchRule.ASSIGNMENT_KEY, item, sure=sure)
        if item.is_invoice and number and is_written_so(item.number, number):
            sure = is_sure(item.number) and not number.may_be_cut
            named.add(MatchRule.INVOICE_NUMBER, item, sure=sure)
        named.has_typo |= item.plain_number in typed and item.plain_number not in of_reference
    _drop_contained(named)
    return named


def _may_be_key(key: str) -> bool:
    return any(map(str.isdigit, key)) or len(key) >= _WORD_MIN


def _drop_contained(named: _Named) -> None:
    """Drop a number that is only a part of a longer one that is named as well."""
    [*longest] = {
        each.plain_number if rule is not MatchRule.ASSIGNMENT_KEY else each.plain_key
        for rule, some in named.by_rule.items()
        for each in some.values()
    }
    for rule, some in named.by_rule.items():
        for id_, item in list(some.items()):
            own = item.plain_key if rule is MatchRule.ASSIGNMENT_KEY else item.plain_number
            if any(own != other and own in other for other in longest):
                del some[id_]


def _recorded(tx: Tx, line: BankLine, named: _Named, words: Words) -> Decision | None:
    """Return what settles money that was recorded by hand; None without such money."""
    kinds = _KINDS.get(line.meaning)
    found = [
        each
        for each in bank_candidates.recorded(
            tx,
            line.amount.currency,
            line.amount.minor,
            inward=True,
            since=line.booked - RECORDED_BEFORE,
            until=line.booked + RECORDED_AFTER,
        )
        if each.moved == "charge" and each.may_come and (kinds is None or each.kind in kinds)
    ]
    if line.check:
        same = [each for each in found if _is_same_check(each.reference, line.check)]
        if len(same) == 1:
            why = f"check {same[0].reference} of {same[0].customer} was recorded"
            return _settles([same], MatchRule.CHECK_NUMBER, why)
        found = same or [each for each in found if not each.reference.strip("0").isdecimal()]
    if named.items:
        return _recorded_and_named(line, named, found)
    if not found:
        return _deposit(tx, line)
    sure = [each for each in found if _corroborates(tx, line, each, words)]
    if len(found) == 1 and (sure or line.meaning is EntryMeaning.CHECK_IN):
        return _settles([found], MatchRule.RECORDED, "this amount was recorded by hand")
    return _settles([[each] for each in found], MatchRule.RECORDED, "this amount was recorded")


def _recorded_and_named(
    line: BankLine, named: _Named, found: Sequence[RecordedCandidate]
) -> Decision | None:
    """Return what a line is that names something of a customer whose money was recorded."""
    whose = {each.customer for each in named.items}
    same = [each for each in found if each.customer in whose]
    if not same:
        return None
    paid = all(not each.open_minor for each in named.items)
    if len(same) == 1 and len(whose) == 1 and paid:
        why = f"{line.amount} of {same[0].customer} was recorded, and what it names is paid"
        return _settles([same], MatchRule.RECORDED, why)
    found_settles = _settles([[each] for each in same], MatchRule.RECORDED, "it was recorded")
    options = [
        *(replace(each, certainty=Certainty.POSSIBLE) for each in found_settles.proposals),
        *(
            _pays([each], named.rule, Certainty.POSSIBLE, LineClass.AMBIGUOUS, "it is named")
            for each in named.items
        ),
    ]
    return Decision(LineClass.AMBIGUOUS, None, tuple(options[:PROPOSALS_MAX]))


def _deposit(tx: Tx, line: BankLine) -> Decision | None:
    """Return the one day whose checks and cash add up to a deposit; None if none does."""
    if line.meaning not in (EntryMeaning.CHECK_IN, EntryMeaning.OTHER):
        return None
    groups = bank_candidates.deposits(
        tx,
        line.amount.currency,
        line.amount.minor,
        since=line.booked - DEPOSITED_WITHIN,
        until=line.booked,
    )
    if not groups:
        return None
    return _settles(groups, MatchRule.RECORDED, "the checks and cash of a day add up to it")


def _settles(groups: Sequence[Sequence[RecordedCandidate]], rule: MatchRule, why: str) -> Decision:
    certainty = Certainty.CERTAIN if len(groups) == 1 else Certainty.POSSIBLE
    if len(groups) == 1 and why == "this amount was recorded":
        certainty = Certainty.STRONG
    proposals = tuple(_proposal_of(group, rule, certainty, why) for group in groups)
    if certainty is Certainty.CERTAIN:
        return Decision(LineClass.MATCHED, proposals[0], proposals)
    return Decision(LineClass.AMBIGUOUS, None, proposals[:PROPOSALS_MAX])


def _proposal_of(
    group: Sequence[RecordedCandidate], rule: MatchRule, certainty: Certainty, why: str
) -> Proposal:
    return Proposal(
        kind=MatchKind.RECEIPT,
        subjects=tuple(each.receipt for each in group),
        customer=group[0].customer if len({each.customer for each in group}) == 1 else "",
        rule=rule,
        certainty=certainty,
        line_class=LineClass.MATCHED,
        why=why,
    )


def _corroborates(tx: Tx, line: BankLine, found: RecordedCandidate, words: Words) -> bool:
    """Return whether the text or the name of a line fits money that was recorded."""
    reference = plain(found.reference)
    if reference and reference in words.plain:
        return True
    return _is_name_alike(tx, line, found.customer)


def _is_same_check(one: str, other: str) -> bool:
    return bool(one.lstrip("0")) and one.lstrip("0") == other.lstrip("0")


def _by_keys(line: BankLine, named: _Named) -> Decision:
    """Return what a line with keys is."""
    items, rule = named.items, named.rule
    right = [each for each in items if each.currency == line.amount.currency]
    if not right:
        return _possible(
            items, rule, LineClass.CURRENCY_MISMATCH, "it names this, in another currency"
        )
    deciding = [each for each in named.by_rule[rule].values() if each in right]
    if rule is MatchRule.ASSIGNMENT_KEY:
        deciding = _of_key(deciding)
    others = [each for each in right if each not in deciding and not _shares_key(each, deciding)]
    wanted = deciding if not others else [*deciding, *others]
    open_minor = sum(each.open_minor for each in wanted)
    fits = open_minor == line.amount.minor
    if len({each.customer for each in wanted}) > 1:
        return _possible(wanted, rule, LineClass.AMBIGUOUS, "it names things of several customers")
    if len(wanted) > 1 and not fits:
        return _possible(wanted, rule, LineClass.AMBIGUOUS, "it names several, which do not add up")
    if named.has_typo:
        return _possible(wanted, rule, LineClass.AMBIGUOUS, "a reference in it has a wrong digit")
    if any(each.claimed_minor for each in wanted):
        why = "another payment of it is under way"
        return _possible(wanted, rule, LineClass.AMBIGUOUS, why, certainty=Certainty.STRONG)
    if any(each.id in named.unsure for each in wanted) and not (fits and len(items) == 1):
        return _possible(wanted, rule, LineClass.AMBIGUOUS, "its key may be there by chance")
    line_class = LineClass.MISSING_IN_LEDGER if fits else LineClass.AMOUNT_MISMATCH
    if not open_minor:
        line_class = LineClass.DUPLICATE_CHARGE
    one = _pays(wanted, rule, Certainty.CERTAIN, line_class, f"it names {_labels(wanted)}")
    return Decision(line_class, one, (one,))


def _of_key(items: Sequence[OpenCandidate]) -> list[OpenCandidate]:
    """Return what money with an assignment key pays: what is open, invoices first."""
    still = [each for each in items if each.is_live and each.open_minor > 0]
    invoices = [each for each in still if each.is_invoice]
    return invoices or still or list(items[:1])


def _shares_key(item: OpenCandidate, deciding: Sequence[OpenCandidate]) -> bool:
    return bool(item.plain_key) and any(item.plain_key == each.plain_key for each in deciding)


def _possible(
    items: Sequence[OpenCandidate],
    rule: MatchRule,
    line_class: LineClass,
    why: str,
    *,
    certainty: Certainty = Certainty.POSSIBLE,
) -> Decision:
    proposals = [_pays([each], rule, certainty, line_class, why) for each in items]
    if line_class is LineClass.CURRENCY_MISMATCH:
        proposals = [
            replace(each, subjects=(), why=f"{each.why}: {each.subjects[0]}") for each in proposals
        ]
    return Decision(line_class, None, tuple(proposals[:PROPOSALS_MAX]))


def _pays(
    items: Sequence[OpenCandidate],
    rule: MatchRule,
    certainty: Certainty,
    line_class: LineClass,
    why: str,
    score: int = 0,
) -> Proposal:
    return Proposal(
        kind=MatchKind.PAYMENT,
        subjects=tuple(each.number if each.is_invoice else each.id for each in items),
        customer=items[0].customer,
        rule=rule,
        certainty=certainty,
        line_class=line_class,
        why=why,
        score=score,
    )


def _labels(items: Sequence[OpenCandidate]) -> str:
    return ", ".join(each.label for each in items)


def _by_score(tx: Tx, line: BankLine, *, has_typo: bool) -> Decision:
    """Return open invoices that resemble a line without a key; none of them is automatic."""
    known = bank_candidates.payers(tx, _digest_of(tx, line))
    found: dict[str, OpenCandidate] = {}
    for customer in known:
        for each in bank_candidates.items_of_customer(tx, customer):
            found.setdefault(each.id, each)
    for each in bank_candidates.items_of_amount(tx, line.amount.currency, line.amount.minor):
        found.setdefault(each.id, each)
    scored: list[Proposal] = []
    for item in found.values():
        if item.currency != line.amount.currency:
            continue
        score, why = _score(tx, line, item, is_known=item.customer in known)
        rule = MatchRule.PAYER_ACCOUNT if item.customer in known else MatchRule.SCORE
        text = f"{item.number}: {why}"
        scored.append(_pays([item], rule, Certainty.POSSIBLE, LineClass.AMBIGUOUS, text, score))
    scored.sort(key=lambda each: -each.score)  # the searches are in the order of due dates
    if not known and (not scored or scored[0].score < _BEST_MIN):
        return Decision(LineClass.AMBIGUOUS if has_typo else LineClass.UNEXPLAINED)
    line_class = LineClass.AMBIGUOUS if scored else LineClass.UNEXPLAINED
    return Decision(line_class, None, tuple(scored[:PROPOSALS_MAX]))


def _score(tx: Tx, line: BankLine, item: OpenCandidate, *, is_known: bool) -> tuple[int, str]:
    reasons = {
        "account": _BY_ACCOUNT if is_known else 0,
        "amount": _BY_AMOUNT if item.open_minor == line.amount.minor else 0,
        "name": _BY_NAME if _is_name_alike(tx, line, item.customer) else 0,
        "date": _BY_DATE if abs(item.due - line.booked) <= _DUE_WITHIN else 0,
    }
    return sum(reasons.values()), ", ".join(name for name, points in reasons.items() if points)


def _is_name_alike(tx: Tx, line: BankLine, customer: str) -> bool:
    """Return whether a word of the customer's name is in the name or the text of a line."""
    found = customers.find(tx, customer) if customer else None
    if found is None or not found.name:
        return False
    mine = {each for each in folded(found.name).split() if len(each) >= _NAME_PART_MIN}
    theirs = set(folded(f"{line.party} {line.text}").replace(",", " ").split())
    return bool(mine & theirs)


def _digest_of(tx: Tx, line: BankLine) -> str:
    return bank_lines.party_digest(tx, line.id)


# --- Money that went ------------------------------------------------------------------------


def _outgoing(tx: Tx, line: BankLine, account: BankAccount) -> Decision:
    if line.meaning is EntryMeaning.CHECK_RETURNED:
        return _returned_check(tx, line, account)
    if line.meaning is EntryMeaning.FEE:
        return _fee(tx, line, account)
    sent = [
        each
        for each in bank_candidates.recorded(
            tx,
            line.amount.currency,
            -line.amount.minor,
            inward=False,
            since=line.booked - RECORDED_BEFORE,
            until=line.booked + RECORDED_AFTER,
        )
        if not each.is_settled and each.moved == "refund"
    ]
    returned = line.meaning is EntryMeaning.COLLECTION_RETURNED
    line_class = LineClass.RETURNED if returned else LineClass.UNEXPLAINED
    charge = _charge(Certainty.POSSIBLE, "it may be a charge of the bank")
    if not sent:
        return Decision(line_class, None, (charge,))
    words = words_of("\n".join(filter(None, (line.text, line.end_to_end, line.check))))
    sure = [each for each in sent if _corroborates(tx, line, each, words)]
    if len(sent) == 1 and sure:
        return _settles([sent], MatchRule.RECORDED, "this refund was recorded by hand")
    found = _settles([[each] for each in sent], MatchRule.RECORDED, "this amount was recorded")
    return replace(found, proposals=(*found.proposals, charge))


def _charge(certainty: Certainty, why: str) -> Proposal:
    return Proposal(
        kind=MatchKind.FEE,
        subjects=(),
        customer="",
        rule=MatchRule.BANK_CODE,
        certainty=certainty,
        line_class=LineClass.FEE,
        why=why,
    )


def _fee(tx: Tx, line: BankLine, account: BankAccount) -> Decision:
    """Return a charge; it waits while a returned check near it is open, which it may be for."""
    since, until = line.booked - FEE_WITHIN, line.booked + FEE_WITHIN
    checks = bank_lines.open_between(tx, account.name, EntryMeaning.CHECK_RETURNED, since, until)
    if any(is_charge_for(line, each) for each in checks):
        one = _charge(Certainty.POSSIBLE, "it may be for a returned check that is open")
        return Decision(LineClass.FEE, None, (one,))
    statement = bank_statements.by_id(tx, line.statement)
    by_code = statement is not None and statement.format is not StatementFormat.CSV
    if account.policy.posts_fees and by_code:
        one = _charge(Certainty.CERTAIN, "the bank's code says so")
        return Decision(LineClass.FEE, one, (one,))
    one = _charge(Certainty.STRONG, "its text says so")
    return Decision(LineClass.FEE, None, (one,))


def is_charge_for(fee: BankLine, check: BankLine) -> bool:
    """Return whether a charge may be for a returned check: it names it, or no other check."""
    if fee.check:
        return _is_same_check(fee.check, check.check)
    numbers = [each for each in words_of(fee.text).plain if each.isdecimal()]
    if check.check and numbers:
        return any(_is_same_check(each, check.check) for each in numbers)
    return True


def _returned_check(tx: Tx, line: BankLine, account: BankAccount) -> Decision:
    wanted = -line.amount.minor - line.fee_inside.minor
    found = _checks_of(tx, line, line.check, wanted) if line.check else []
    standing = [each for each in found if not each.is_reversed]
    if len(standing) == 1:
        auto = account.policy.auto_reverse_checks
        certainty = Certainty.CERTAIN if auto else Certainty.STRONG
        one = _reverses(standing[0], certainty, f"check {line.check} was recorded", line)
        return Decision(LineClass.RETURNED, one if auto else None, (one,))
    if found and not standing:
        settled = _reversed_by_hand(tx, line, {each.payment for each in found}, wanted)
        if settled is not None:
            return settled
    if not standing and not line.check:
        standing = _checks_by_amount(tx, line, wanted) or _checks_in_text(tx, line, wanted)
    proposals = [
        _reverses(each, Certainty.POSSIBLE, "a check of this amount was recorded", line)
        for each in standing
    ]
    return Decision(LineClass.RETURNED, None, tuple(proposals[:PROPOSALS_MAX]))


@dataclass(frozen=True, slots=True)
class _Check:
    payment: str
    customer: str
    is_reversed: bool


def _checks_in_text(tx: Tx, line: BankLine, wanted: int) -> list[_Check]:
    """Return the recorded checks of an amount whose number is in the text of a line."""
    numbers = dict.fromkeys(_CHECK_NUMBER.findall(line.text))
    found = [
        each
        for number in list(numbers)[:_NUMBERS_MAX]
        for each in _checks_of(tx, line, number, wanted)
        if not each.is_reversed
    ]
    return list({each.payment: each for each in found}.values())


def _checks_of(tx: Tx, line: BankLine, number: str, wanted: int) -> list[_Check]:
    """Return the recorded checks with a number and the amount of a line."""
    return [
        _Check(each.payment, each.customer, each.is_reversed)
        for each in bank_candidates.checks_numbered(tx, number)
        if each.currency == line.amount.currency
        and each.minor == wanted
        and each.effective <= line.booked
        and each.effective >= line.booked - RETURNED_WITHIN
    ]


def _checks_by_amount(tx: Tx, line: BankLine, wanted: int) -> list[_Check]:
    """Return the recorded checks of an amount whose customer's name is in a line."""
    found = bank_candidates.recorded(
        tx,
        line.amount.currency,
        wanted,
        inward=True,
        since=line.booked - RECORDED_BEFORE,
        until=line.booked,
    )
    return [
        _Check(each.payment, each.customer, each.is_reversed)
        for each in found
        if each.kind is Kind.CHECK
        and each.moved == "charge"
        and not each.is_reversed
        and _is_name_alike(tx, line, each.customer)
    ]


def _reversed_by_hand(tx: Tx, line: BankLine, payments: set[str], wanted: int) -> Decision | None:
    """Return the reversal that a clerk booked before the bank's line came."""
    booked = [
        each
        for each in bank_candidates.recorded(
            tx,
            line.amount.currency,
            wanted,
            inward=False,
            since=line.booked - RECORDED_BEFORE,
            until=line.booked + RECORDED_BEFORE,
        )
        if each.moved == "reversal" and each.payment in payments and not each.is_settled
    ]
    if len(booked) != 1:
        return None
    return _settles([booked], MatchRule.CHECK_NUMBER, "this check was reversed by hand")


def _reverses(check: _Check, certainty: Certainty, why: str, line: BankLine) -> Proposal:
    reason = f", and the bank's reason is {line.reason}" if line.reason else ""
    return Proposal(
        kind=MatchKind.REVERSAL,
        subjects=(check.payment,),
        customer=check.customer,
        rule=MatchRule.CHECK_NUMBER,
        certainty=certainty,
        line_class=LineClass.RETURNED,
        why=why + reason,
    )
