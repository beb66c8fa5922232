"""The statements of the sheet, read a second time by others: the official schemas and packages."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import bai2
import bai2.bai2
import mt940
from lxml import etree
from ofxtools.Parser import OFXTree

from paygate.domain.bank_statement import BankEntry
from tests.statements.vectors import Vector, vectors


def minor(amount: Decimal) -> int:
    return int(Decimal(amount).scaleb(2))


def of_format(protocols: Path, name: str) -> list[Vector]:
    return [each for each in vectors(protocols) if each.says["format"].startswith(name)]


def entries_of(vector: Vector) -> list[BankEntry]:
    return [each for _, entries, _ in vector.statements() for each in entries]


def test_camt_files_are_valid_and_add_up_by_the_official_schemas(protocols: Path) -> None:
    valid = 0
    for vector in of_format(protocols, "camt"):
        document = etree.parse(str(vector.path))
        root = document.getroot()
        namespace = etree.QName(root).namespace or ""
        version = namespace.rsplit(":", 1)[1]
        schema = etree.XMLSchema(etree.parse(str(protocols / "bank" / "xsd" / f"{version}.xsd")))
        schema.assertValid(document)
        names = {"n": namespace}
        amounts = [
            minor(Decimal(each.findtext("n:Amt", "", names)))
            * (1 if each.findtext("n:CdtDbtInd", "", names) == "CRDT" else -1)
            for each in root.iterfind(".//n:Ntry", names)
        ]
        ours = [each.total_minor for each in entries_of(vector) if each.part == 0]
        assert ours == amounts, vector.name
        valid += 1
    assert valid == 10


def test_bai2_files_are_read_alike_by_bai2(protocols: Path) -> None:
    for vector in of_format(protocols, "bai2"):
        text = vector.path.read_text()
        parsed = bai2.bai2.parse_from_string(text, check_integrity=True)
        [group] = parsed.children
        [account] = group.children
        theirs = [
            (
                each.type_code.code,
                each.amount if each.type_code.transaction.value == "credit" else -each.amount,
            )
            for each in account.children
        ]
        ours = [(each.code, each.amount_minor) for each in entries_of(vector)]
        assert ours == theirs, vector.name
        balances = {
            each.type_code.code: each.amount
            for each in account.header.summary_items
            if each.amount is not None
        }
        [(head, _, end)] = vector.statements()
        assert (end.opening_minor, end.closing_minor) == (balances["010"], balances["015"])
        assert head.account == account.header.customer_account_number


def test_mt940_files_are_read_alike_by_mt_940(protocols: Path) -> None:
    for vector in of_format(protocols, "mt940"):
        # It reads one message at a time: those of a file would melt into one.
        messages = [f":20:{each}" for each in vector.path.read_text().split(":20:")[1:]]
        for message, (_, entries, end) in zip(messages, vector.statements(), strict=True):
            theirs = mt940.parse(message)
            assert [minor(each.data["amount"].amount) for each in theirs] == [
                each.amount_minor for each in entries
            ]
            assert [each.data["bank_reference"] for each in theirs] == [
                each.line_id for each in entries
            ]
            closing = theirs.data["final_closing_balance"].amount.amount
            assert minor(closing) == end.closing_minor


def test_ofx_files_are_read_alike_by_ofxtools(protocols: Path) -> None:
    for vector in of_format(protocols, "ofx"):
        tree = OFXTree()
        tree.parse(str(vector.path))
        [statement] = tree.convert().statements
        ours = [
            (each.line_id, each.amount_minor, each.check, each.code) for each in entries_of(vector)
        ]
        assert ours == [
            (each.fitid, minor(each.trnamt), each.checknum or "", each.trntype)
            for each in statement.transactions
        ]
        assert [end.closing_minor for _, _, end in vector.statements()] == [
            minor(statement.ledgerbal.balamt)
        ]
