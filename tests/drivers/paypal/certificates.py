"""Certificates such as PayPal signs webhooks with, and webhooks that are signed with them."""

import base64
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from paygate.gateway import Callback

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
END = BEGIN + timedelta(days=3650)
SIGNER = "messageverificationcerts.sandbox.paypal.com"
URL = "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-1d93a270"
WEBHOOK_ID = "1JE4291016473214C"


@dataclass(frozen=True)
class Signer:
    """A key, its certificate with the chain, and the root that it leads to, as PEM."""

    key: rsa.RSAPrivateKey
    chain: bytes
    root: str


@lru_cache
def signer(name: str = SIGNER) -> Signer:
    """Make a root of trust and a certificate for *name* below it; made once in a test run."""
    authority, key = _key(), _key()
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a root for tests")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = {
        "content_commitment": False,
        "key_encipherment": False,
        "data_encipherment": False,
        "key_agreement": False,
        "encipher_only": False,
        "decipher_only": False,
    }
    key_id = x509.SubjectKeyIdentifier.from_public_key(authority.public_key())
    root = (
        _draft(issuer, issuer, authority)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=False, key_cert_sign=True, crl_sign=True, **usage),
            critical=True,
        )
        .add_extension(key_id, critical=False)
        .sign(authority, SHA256())
    )
    leaf = (
        _draft(subject, issuer, key)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=True, key_cert_sign=False, crl_sign=False, **usage),
            critical=True,
        )
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id), critical=False
        )
        .sign(authority, SHA256())
    )
    pem = root.public_bytes(Encoding.PEM).decode()
    return Signer(key=key, chain=leaf.public_bytes(Encoding.PEM), root=pem)


def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _draft(
    subject: x509.Name, issuer: x509.Name, key: rsa.RSAPrivateKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(BEGIN)
        .not_valid_after(END)
    )


def signed(
    body: bytes,
    at: datetime,
    *,
    webhook_id: str = WEBHOOK_ID,
    by: Signer | None = None,
    url: str = URL,
) -> Callback:
    """Sign *body* by the rule that PayPal documents."""
    name, time = "69cd13f0-d67a-11e5-baa3-778b53f4ae55", f"{at:%Y-%m-%dT%H:%M:%SZ}"
    text = f"{name}|{time}|{webhook_id}|{zlib.crc32(body)}"
    signature = (by or signer()).key.sign(text.encode(), padding.PKCS1v15(), SHA256())
    return Callback(
        method="POST",
        path="/callbacks/paypal",
        headers={
            "paypal-auth-algo": "SHA256withRSA",
            "paypal-cert-url": url,
            "paypal-transmission-id": name,
            "paypal-transmission-sig": base64.b64encode(signature).decode(),
            "paypal-transmission-time": time,
        },
        body=body,
        received_at=at,
    )
