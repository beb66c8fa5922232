"""The ledger on PostgreSQL; requires the extra ``postgres``."""
