-- A second schema file that no paygate has: it shows that a ledger is brought up to it.
ALTER TABLE paygate_customer ADD COLUMN nickname text COLLATE "C";
CREATE TABLE paygate_made_up (
  name text COLLATE "C" PRIMARY KEY,
  value bigint NOT NULL
);
