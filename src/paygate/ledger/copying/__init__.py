"""Copying of a ledger from one database into another, such as from SQLite to PostgreSQL."""
