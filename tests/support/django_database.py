"""Django in the process of the tests, which is configured once for all of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

ALIAS = "shop"


def configure() -> None:
    """Configure Django, with the URLs of the module ``shop_urls``."""
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure(
            SECRET_KEY="for tests", ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF="shop_urls"
        )
        django.setup()


@contextmanager
def in_transaction(**facts: Any) -> Iterator[Any]:
    """Yield what a host imports as ``django.db.connection``, inside ``atomic()``."""
    from django.db import connections, transaction
    from django.utils.connection import ConnectionProxy

    configure()
    known = connections.databases
    known[ALIAS] = connections.configure_settings({"default": facts})["default"]
    try:
        with transaction.atomic(using=ALIAS):
            yield ConnectionProxy(connections, ALIAS)
    finally:
        connections[ALIAS].close()
        del connections[ALIAS], known[ALIAS]
