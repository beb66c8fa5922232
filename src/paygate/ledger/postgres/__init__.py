"""The ledger on PostgreSQL, which needs the extra ``postgres``."""
