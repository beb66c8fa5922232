"""What the codes of each format mean, as tables.

Sources: the code lists of ISO 20022 (bank transaction codes), the SWIFT handbook (field 61), the
German list of business transaction codes (GVC), and the BAI2 type codes. What a real bank puts into
a returned check differs from bank to bank, so several codes mean it.
"""

from __future__ import annotations

import re
from typing import Final

from paygate.domain.bank_statement import EntryMeaning

_M = EntryMeaning

ISO: Final = {
    "PMNT/IDDT/ESDD": _M.COLLECTION,
    "PMNT/IDDT/BBDD": _M.COLLECTION,
    "PMNT/IDDT/PMDD": _M.COLLECTION,
    "PMNT/IDDT/UPDD": _M.COLLECTION_RETURNED,
    "PMNT/IDDT/PRDD": _M.COLLECTION_RETURNED,
    "PMNT/IDDT/RCDD": _M.COLLECTION_RETURNED,
    "PMNT/RCHQ/URCQ": _M.CHECK_IN,
    "PMNT/RCHQ/CCHQ": _M.CHECK_IN,
    "PMNT/RCHQ/UPCQ": _M.CHECK_RETURNED,
    "PMNT/RCHQ/XPCQ": _M.CHECK_RETURNED,
    "PMNT/RCHQ/CQRV": _M.CHECK_RETURNED,
    "PMNT/RCDT/RRTN": _M.TRANSFER_OUT,
    "PMNT/ICDT/RRTN": _M.TRANSFER_IN,
}
"""Domain, family and subfamily of a bank transaction code."""

ISO_FAMILIES: Final = {
    "PMNT/RCDT": _M.TRANSFER_IN,
    "PMNT/RRCT": _M.TRANSFER_IN,
    "PMNT/ICDT": _M.TRANSFER_OUT,
}
"""Families whose subfamily does not matter."""

ISO_FEES: Final = frozenset({"CHRG", "FEES", "COMM"})
"""The subfamilies of charges, in every family."""

SWIFT: Final = {
    "CHG": _M.FEE,
    "COM": _M.FEE,
    "CHK": _M.CHECK_IN,
    "CLR": _M.CHECK_IN,
    "DDT": _M.COLLECTION,
    "COL": _M.COLLECTION,
    "TRF": _M.TRANSFER_IN,
    "STO": _M.TRANSFER_IN,
}
"""The types of field 61, for money in; those for money out are in `swift_out`."""

SWIFT_RETURNED: Final = frozenset({"RTI", "RET"})
"""The types of field 61 for a check or a direct debit that was returned."""

GVC: Final = {
    "108": _M.COLLECTION_RETURNED,
    "109": _M.COLLECTION_RETURNED,
    "111": _M.CHECK_RETURNED,
    "116": _M.TRANSFER_OUT,
    "152": _M.TRANSFER_IN,
    "159": _M.TRANSFER_IN,
    "166": _M.TRANSFER_IN,
    "171": _M.COLLECTION,
    "174": _M.COLLECTION,
    "192": _M.COLLECTION,
    "808": _M.FEE,
}
"""German business transaction codes, which begin a structured field 86."""

BAI2: Final = {
    "115": _M.CHECK_IN,
    "142": _M.TRANSFER_IN,
    "165": _M.COLLECTION,
    "169": _M.TRANSFER_IN,
    "172": _M.REVERSAL_OF_DEBIT,
    "175": _M.CHECK_IN,
    "195": _M.TRANSFER_IN,
    "252": _M.REVERSAL_OF_DEBIT,
    "257": _M.TRANSFER_IN,
    "258": _M.REVERSAL_OF_DEBIT,
    "266": _M.REVERSAL_OF_DEBIT,
    "301": _M.CHECK_IN,
    "447": _M.TRANSFER_OUT,
    "495": _M.TRANSFER_OUT,
    "552": _M.REVERSAL_OF_CREDIT,
    "554": _M.REVERSAL_OF_CREDIT,
    "555": _M.CHECK_RETURNED,
    "557": _M.COLLECTION_RETURNED,
    "558": _M.REVERSAL_OF_CREDIT,
    "561": _M.COLLECTION_RETURNED,
    "564": _M.FEE,
    "566": _M.COLLECTION_RETURNED,
    "567": _M.FEE,
    "661": _M.FEE,
    "698": _M.FEE,
}
"""Type codes of BAI2; others are `other`."""

BAI2_OPENING: Final = "010"
"""The type code of the opening ledger balance."""
BAI2_CLOSING: Final = "015"
"""The type code of the closing ledger balance."""

OFX: Final = {
    "DEP": _M.CHECK_IN,
    "FEE": _M.FEE,
    "SRVCHG": _M.FEE,
    "DIRECTDEP": _M.TRANSFER_IN,
}
"""Transaction types of OFX; the meaning of the others is in their sign and text."""

OFX_NOT_BOOKED: Final = "HOLD"
"""The transaction type of OFX that is not booked yet."""

_RETURN: Final = r"return(ed)?|bounced|chargeback|reject(ed)?|unpaid|nsf|r[uü]e?ck\w*"
_RETURNED_CHECK: Final = re.compile(
    rf"\b({_RETURN})\b.{{0,40}}\b(checks?|cheques?|chq|items?|scheck)\b"
    rf"|\b(checks?|cheques?|chq|items?|scheck)\b.{{0,40}}\b({_RETURN})\b",
    re.IGNORECASE | re.DOTALL,
)
_RETURNED_DEBIT: Final = re.compile(
    rf"\b({_RETURN})\b.{{0,40}}\b(debit|ach|lastschrift)\b|\br[uü]e?cklastschrift|\blastschriftr[uü]e?ck",
    re.IGNORECASE | re.DOTALL,
)
_FEE: Final = re.compile(
    r"\b(fees?|charges?|service charge|commission|entgelt|geb[uü]e?hr(en)?)\b", re.IGNORECASE
)
_CHECK: Final = re.compile(r"\b(checks?|cheques?|chq|scheck|lockbox)\b", re.IGNORECASE)


def iso_meaning(code: str, *, comes_in: bool) -> EntryMeaning:
    """Return the meaning of a bank transaction code such as ``PMNT/RCHQ/UPCQ``."""
    found = ISO.get(code)
    if found is _M.CHECK_IN and not comes_in:
        return _M.CHECK_RETURNED  # a bank takes back a check that was received only if it returns
    if found is not None:
        return found
    family, _, sub = code.rpartition("/")
    if sub in ISO_FEES:
        return _M.FEE
    found = ISO_FAMILIES.get(family, _M.OTHER)
    return found if comes_in or found is not _M.TRANSFER_IN else _M.OTHER


def swift_meaning(type_: str, *, comes_in: bool) -> EntryMeaning:
    """Return the meaning of a type of field 61 other than those of returns."""
    found = SWIFT.get(type_, _M.OTHER)
    if comes_in or found is _M.FEE:
        return found
    return _M.TRANSFER_OUT if found is _M.TRANSFER_IN else _M.OTHER


def text_meaning(text: str, *, comes_in: bool, check: str = "") -> EntryMeaning:
    """Return the meaning of an entry whose format has no code for it, by its words.

    The words of a fee come first: a fee for a returned check is not a returned check.
    """
    if not comes_in:
        if _FEE.search(text):
            return _M.FEE
        if _RETURNED_CHECK.search(text):
            return _M.CHECK_RETURNED
        return _M.COLLECTION_RETURNED if _RETURNED_DEBIT.search(text) else _M.OTHER
    return _M.CHECK_IN if check or _CHECK.search(text) else _M.TRANSFER_IN
