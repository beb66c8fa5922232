"""Bank statements for tests: camt.053 files with the entries that a test wants."""

from __future__ import annotations

from html import escape
from itertools import count

_NUMBERS = count(1)


def money(minor: int) -> str:
    return f"{abs(minor) // 100}.{abs(minor) % 100:02d}"


def entry(
    minor: int,
    *,
    text: str = "",
    reference: str = "",
    party: str = "",
    account: str = "",
    check: str = "",
    end_to_end: str = "",
    code: str = "",
    reason: str = "",
    day: str = "2026-05-06",
    line_id: str | None = None,
    currency: str = "EUR",
    status: str = "BOOK",
) -> str:
    """Return an entry; each has a new id of the bank, unless *line_id* is given."""
    known = f"B-{next(_NUMBERS)}" if line_id is None else line_id
    domain, family, sub = (code or ("PMNT/RCDT/ESCT" if minor > 0 else "PMNT/ICDT/ESCT")).split("/")
    side = "Dbtr" if minor > 0 or reason else "Cdtr"
    unstructured = "".join(f"<Ustrd>{escape(each)}</Ustrd>" for each in text.split("\n") if each)
    structured = (
        f"<Strd><CdtrRefInf><Ref>{escape(reference)}</Ref></CdtrRefInf></Strd>" if reference else ""
    )
    holder = f"<{side}Acct><Id><IBAN>{account}</IBAN></Id></{side}Acct>" if account else ""
    who = f"<{side}><Pty><Nm>{escape(party)}</Nm></Pty></{side}>" if party else ""
    references = (f"<EndToEndId>{end_to_end}</EndToEndId>" if end_to_end else "") + (
        f"<ChqNb>{check}</ChqNb>" if check else ""
    )
    return (
        f'<Ntry><Amt Ccy="{currency}">{money(minor)}</Amt>'
        f"<CdtDbtInd>{'CRDT' if minor > 0 else 'DBIT'}</CdtDbtInd><Sts><Cd>{status}</Cd></Sts>"
        f"<BookgDt><Dt>{day}</Dt></BookgDt><ValDt><Dt>{day}</Dt></ValDt>"
        f"<AcctSvcrRef>{known}</AcctSvcrRef><BkTxCd><Domn><Cd>{domain}</Cd>"
        f"<Fmly><Cd>{family}</Cd><SubFmlyCd>{sub}</SubFmlyCd></Fmly></Domn></BkTxCd>"
        f"<NtryDtls><TxDtls><Refs>{references}</Refs>"
        f"<RltdPties>{who}{holder}</RltdPties><RmtInf>{unstructured}{structured}</RmtInf>"
        + (f"<RtrInf><Rsn><Cd>{reason}</Cd></Rsn></RtrInf>" if reason else "")
        + "</TxDtls></NtryDtls></Ntry>"
    )


def balance(type_: str, minor: int, currency: str, day: str) -> str:
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{type_}</Cd></CdOrPrtry></Tp>"
        f'<Amt Ccy="{currency}">{money(minor)}</Amt>'
        f"<CdtDbtInd>{'CRDT' if minor >= 0 else 'DBIT'}</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>"
    )


def statement(
    account: str,
    currency: str,
    *entries: str,
    day: str = "2026-05-06",
    opening: int | None = None,
    closing: int | None = None,
    name: str | None = None,
    version: str = "08",
    kind: str = "camt.053",
) -> bytes:
    """Return a file with one statement."""
    balances = ""
    if opening is not None:
        balances += balance("OPBD", opening, currency, day)
    if closing is not None:
        balances += balance("CLBD", closing, currency, day)
    known = f"S-{next(_NUMBERS)}" if name is None else name
    root, inside = {
        "camt.053": ("BkToCstmrStmt", "Stmt"),
        "camt.052": ("BkToCstmrAcctRpt", "Rpt"),
        "camt.054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn"),
    }[kind]
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:{kind}.001.{version}"><{root}>'
        f"<{inside}><Id>{known}</Id><CreDtTm>{day}T20:00:00</CreDtTm>"
        f"<Acct><Id><Othr><Id>{account}</Id></Othr></Id><Ccy>{currency}</Ccy></Acct>"
        f"{balances}{''.join(entries)}</{inside}></{root}></Document>"
    ).encode()
