"""Documents of invoices that the host gave, and files by their digest."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from paygate.domain.document import Document, StoredDocument
from paygate.errors import LedgerCorrupt
from paygate.ledger import checksums
from paygate.ledger.codec import read_instant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.ledger.tx import Tx

_KEEP_FILE = """
INSERT INTO paygate_file (tenant, digest, size, content)
VALUES (:tenant, :digest, :size, :content) ON CONFLICT (tenant, digest) DO NOTHING
"""
_FILE = "SELECT content FROM paygate_file WHERE tenant = :tenant AND digest = :digest"
_INSERT = """
INSERT INTO paygate_document (
  item, position, tenant, name, media_type, digest, created_at, actor, checksum)
VALUES (
  :item, :position, :tenant, :name, :media_type, :digest, :at, :actor, :checksum)
"""
_OF_ITEM = """
SELECT d.item, d.position, d.name, d.media_type, d.digest, d.created_at, f.size
FROM paygate_document d JOIN paygate_file f ON f.tenant = d.tenant AND f.digest = d.digest
WHERE d.item = :item ORDER BY d.position
"""


def add(tx: Tx, item: str, new: Sequence[Document]) -> None:
    """Store documents of an invoice, after those that it has; one that it has is left out."""
    if not new:
        return
    there = of_item(tx, item)
    known = {(each.name, each.digest) for each in there}
    position = len(there)
    for document in new:
        digest = document.digest
        if (document.name, digest) in known:
            continue
        known.add((document.name, digest))
        position += 1
        keep_file(tx, document.content)
        params = {
            "item": item,
            "position": position,
            "tenant": tx.tenant,
            "name": document.name,
            "media_type": document.media_type,
            "digest": digest,
            "at": tx.at,
            "actor": tx.actor,
        }
        tx.execute(_INSERT, checksums.signed(checksums.DOCUMENT, params))


def of_item(tx: Tx, item: str) -> list[StoredDocument]:
    """Return the documents of an invoice, in the order in which they were given."""
    return [
        StoredDocument(
            invoice=row["item"],
            position=row["position"],
            name=row["name"],
            media_type=row["media_type"],
            size=row["size"],
            digest=row["digest"],
            created_at=read_instant(row["created_at"]),
        )
        for row in tx.all(_OF_ITEM, {"item": item})
    ]


def whole(tx: Tx, stored: StoredDocument) -> Document:
    """Return a document with its content."""
    content = file(tx, stored.digest)
    return Document(content=content, media_type=stored.media_type, name=stored.name)


def keep_file(tx: Tx, content: bytes) -> str:
    """Store a file unless it is stored, and return its digest."""
    digest = sha256(content).hexdigest()
    params = {"tenant": tx.tenant, "digest": digest, "size": len(content), "content": content}
    tx.execute(_KEEP_FILE, params)
    return digest


def file(tx: Tx, digest: str) -> bytes:
    """Return the content of a file; raise `LedgerCorrupt` if it is not what was stored."""
    row = tx.one(_FILE, {"tenant": tx.tenant, "digest": digest})
    content = b"" if row is None else bytes(row["content"])
    if sha256(content).hexdigest() != digest:
        raise LedgerCorrupt(
            f"the file with the digest {digest[:16]}… is missing or altered; restore it from a "
            "backup"
        )
    return content
