"""Django in the process of the tests, which is configured once for all of them."""

from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

ALIAS = "shop"


def configure() -> None:
    """Configure Django, with the URLs of the module ``shop_urls``."""
    django: Any = import_module("django")  # which has no types
    settings: Any = import_module("django.conf").settings
    if not settings.configured:
        settings.configure(
            SECRET_KEY="for tests", ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF="shop_urls"
        )
        django.setup()


@contextmanager
def in_transaction(**facts: Any) -> Generator[Any]:
    """Yield what a host imports as ``django.db.connection``, inside ``atomic()``."""
    db: Any = import_module("django.db")
    configure()
    connections = db.connections
    known = connections.databases
    known[ALIAS] = connections.configure_settings({"default": facts})["default"]
    try:
        with db.transaction.atomic(using=ALIAS):
            yield import_module("django.utils.connection").ConnectionProxy(connections, ALIAS)
    finally:
        connections[ALIAS].close()
        del connections[ALIAS], known[ALIAS]
