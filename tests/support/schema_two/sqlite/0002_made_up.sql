-- A second schema file that no paygate has: it shows that a ledger is brought up to it.
ALTER TABLE paygate_customer ADD COLUMN nickname TEXT;
CREATE TABLE paygate_made_up (
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
