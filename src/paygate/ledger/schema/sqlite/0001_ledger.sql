-- The ledger on SQLite.
--
-- Amounts are integers in minor units; the currency is in a column of the same row. Instants are
-- ISO 8601 text in UTC with microseconds, so that they sort; dates are ISO 8601 text. Triggers
-- prevent changes to the amounts in allocation, receipt, posting and outbox. The checksum of a row
-- covers the columns that `checksums.py` lists.
--
-- A table that is listed has an index that ends in an instant (or date) and the id. A page is read
-- in the order of the index, from the end of the page before, so its cost does not depend on the
-- number of rows. The statements of listings name their index.

CREATE TABLE paygate_meta (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE paygate_sequence (
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  value INTEGER NOT NULL,
  PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;

-- The call that used each idempotency key, and its result; the fingerprint contains no token.
CREATE TABLE paygate_key (
  tenant TEXT NOT NULL,
  operation TEXT NOT NULL,
  key TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  result TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (tenant, operation, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE paygate_customer (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  zone TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'clear',
  state_since TEXT, -- NULL if it has always been clear
  created_at TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

-- Contact facts have a table of their own, so that they can be erased.
CREATE TABLE paygate_contact (
  tenant TEXT NOT NULL,
  customer TEXT NOT NULL,
  facts TEXT NOT NULL,
  PRIMARY KEY (tenant, customer)
) STRICT, WITHOUT ROWID;

-- Open items: invoices, and prepayments without one.
CREATE TABLE paygate_item (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('invoice', 'prepayment')),
  number TEXT NOT NULL,
  customer TEXT NOT NULL,
  currency TEXT NOT NULL,
  total_minor INTEGER NOT NULL CHECK (total_minor > 0),
  allocated_minor INTEGER NOT NULL DEFAULT 0 CHECK (allocated_minor >= 0),
  written_off_minor INTEGER NOT NULL DEFAULT 0 CHECK (written_off_minor >= 0),
  claimed_minor INTEGER NOT NULL DEFAULT 0 CHECK (claimed_minor >= 0),
  credited_minor INTEGER NOT NULL DEFAULT 0, -- how much of its money became credit of the customer
  -- Of a prepayment: how much of its money moved to invoices, or became credit.
  moved_minor INTEGER NOT NULL DEFAULT 0 CHECK (moved_minor >= 0),
  due TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('draft', 'open', 'replaced', 'void')),
  assignment_key TEXT,
  reversal TEXT,
  autopay INTEGER NOT NULL DEFAULT 1,
  disputed INTEGER NOT NULL DEFAULT 0, -- it has a chargeback that was not won
  overdue TEXT, -- the due date that was announced as passed
  linked INTEGER NOT NULL DEFAULT 0, -- a payment link is for it
  method TEXT,
  effective TEXT NOT NULL,
  issued_at TEXT NOT NULL,
  actor TEXT NOT NULL,
  -- The status that its customer sees; written_off if no money was paid on it.
  standing TEXT NOT NULL GENERATED ALWAYS AS (CASE
    WHEN kind = 'prepayment' THEN CASE
      WHEN status = 'void' THEN 'closed'
      WHEN status = 'replaced' AND allocated_minor = 0
        THEN CASE moved_minor WHEN 0 THEN 'replaced' ELSE 'balanced' END
      WHEN status = 'replaced' OR allocated_minor + moved_minor >= total_minor THEN 'paid'
      WHEN allocated_minor + moved_minor > 0 THEN 'partially_paid'
      ELSE 'open' END
    WHEN status <> 'open' THEN status
    WHEN allocated_minor + written_off_minor >= total_minor
      THEN CASE allocated_minor WHEN 0 THEN 'written_off' ELSE 'paid' END
    WHEN allocated_minor > 0 THEN 'partially_paid'
    ELSE 'open' END) VIRTUAL,
  -- As people type them: without punctuation, in lower case.
  plain_number TEXT NOT NULL GENERATED ALWAYS AS (
    lower(replace(replace(replace(replace(replace(number, '-', ''), ' ', ''), '/', ''), '.', ''), '_', ''))) VIRTUAL,
  plain_key TEXT GENERATED ALWAYS AS (
    lower(replace(replace(replace(replace(replace(assignment_key, '-', ''), ' ', ''), '/', ''), '.', ''), '_', ''))) VIRTUAL,
  checksum INTEGER NOT NULL,
  UNIQUE (tenant, kind, number),
  CHECK (allocated_minor + written_off_minor + claimed_minor + moved_minor <= total_minor),
  CHECK (kind = 'invoice' OR assignment_key IS NOT NULL AND written_off_minor = 0),
  CHECK (kind = 'prepayment' OR moved_minor = 0 AND status <> 'replaced')
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_item_listed ON paygate_item (tenant, issued_at, id) WHERE kind = 'invoice';
CREATE INDEX paygate_item_by_customer ON paygate_item (tenant, customer, issued_at, id)
  WHERE kind = 'invoice';
CREATE INDEX paygate_item_by_standing ON paygate_item (tenant, standing, issued_at, id)
  WHERE kind = 'invoice';
CREATE INDEX paygate_item_owed ON paygate_item (tenant, due, id)
  WHERE kind = 'invoice' AND status = 'open'
    AND total_minor - allocated_minor - written_off_minor > 0;
CREATE INDEX paygate_item_counted ON paygate_item (tenant, kind, currency, status);
CREATE INDEX paygate_item_unpaid ON paygate_item (tenant, currency)
  WHERE kind = 'invoice' AND status = 'open'
    AND total_minor - allocated_minor - written_off_minor > 0;
CREATE INDEX paygate_item_owed_by_customer ON paygate_item (tenant, customer, due, id)
  WHERE kind = 'invoice' AND status = 'open'
    AND total_minor - allocated_minor - written_off_minor > 0;
-- The items with one key are few, so one index serves the search and the listing.
CREATE INDEX paygate_item_untold ON paygate_item (tenant, due, id)
  WHERE kind = 'invoice' AND status = 'open' AND overdue IS NULL
    AND total_minor - allocated_minor - written_off_minor > 0;
CREATE INDEX paygate_item_by_assignment_key
  ON paygate_item (tenant, assignment_key, kind, issued_at, id)
  WHERE assignment_key IS NOT NULL;
CREATE INDEX paygate_item_pinned ON paygate_item (tenant, method) WHERE method IS NOT NULL;
CREATE INDEX paygate_item_prepaid ON paygate_item (tenant, issued_at, id)
  WHERE kind = 'prepayment';
CREATE INDEX paygate_item_prepaid_by_customer ON paygate_item (tenant, customer, issued_at, id)
  WHERE kind = 'prepayment';
CREATE INDEX paygate_item_prepaid_by_standing ON paygate_item (tenant, standing, issued_at, id)
  WHERE kind = 'prepayment';

-- Numbers and keys as people type them: without punctuation, in any case.
CREATE INDEX paygate_item_by_plain_number ON paygate_item (tenant, plain_number);
CREATE INDEX paygate_item_by_plain_key ON paygate_item (tenant, plain_key)
  WHERE plain_key IS NOT NULL;
CREATE INDEX paygate_item_by_open_amount ON paygate_item
  (tenant, currency, (total_minor - allocated_minor - written_off_minor), due, id)
  WHERE kind = 'invoice' AND status = 'open'
    AND total_minor - allocated_minor - written_off_minor > 0;

-- The facts of a prepayment that an invoice does not have.
CREATE TABLE paygate_prepayment (
  item TEXT PRIMARY KEY REFERENCES paygate_item (id),
  on_rest TEXT NOT NULL CHECK (on_rest IN ('keep', 'credit')),
  description TEXT NOT NULL,
  data TEXT NOT NULL, -- JSON, of the host
  replaced_by TEXT REFERENCES paygate_item (id), -- the latest invoice that took its place
  checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_prepayment_by_invoice ON paygate_prepayment (replaced_by)
  WHERE replaced_by IS NOT NULL;

-- What an invoice says besides its total: lines and tax, and its place in a series of numbers. An
-- invoice that has none of these has no row.
CREATE TABLE paygate_invoice (
  item TEXT PRIMARY KEY REFERENCES paygate_item (id),
  tenant TEXT NOT NULL,
  lines TEXT NOT NULL, -- JSON
  tax TEXT NOT NULL, -- JSON
  rounding TEXT NOT NULL,
  series TEXT NOT NULL, -- empty if the host gave the number
  period TEXT NOT NULL, -- in which the series counts: a year, a month, or empty
  place INTEGER CHECK (place > 0), -- its place in the series
  letterhead INTEGER, -- the version with which it was issued
  key TEXT NOT NULL, -- of the call that made the draft, or issued it without a number
  checksum INTEGER NOT NULL,
  UNIQUE (tenant, series, period, place),
  CHECK ((series = '') = (place IS NULL))
) STRICT, WITHOUT ROWID;

-- Who issues the invoices of a tenant, as their documents show it. A version is never changed.
CREATE TABLE paygate_letterhead (
  tenant TEXT NOT NULL,
  version INTEGER NOT NULL CHECK (version > 0),
  facts TEXT NOT NULL, -- JSON
  logo TEXT, -- the digest of its file
  created_at TEXT NOT NULL,
  actor TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (tenant, version)
) STRICT, WITHOUT ROWID;

-- Files of the host, such as its own documents and logos, each once.
CREATE TABLE paygate_file (
  tenant TEXT NOT NULL,
  digest TEXT NOT NULL, -- SHA-256, hexadecimal
  size INTEGER NOT NULL CHECK (size > 0),
  content BLOB NOT NULL,
  PRIMARY KEY (tenant, digest),
  CHECK (length(content) = size)
) STRICT, WITHOUT ROWID;

-- The documents that the host gave for an invoice, in that order.
CREATE TABLE paygate_document (
  item TEXT NOT NULL REFERENCES paygate_item (id),
  position INTEGER NOT NULL CHECK (position > 0),
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  media_type TEXT NOT NULL,
  digest TEXT NOT NULL,
  created_at TEXT NOT NULL,
  actor TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (item, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_document_by_file ON paygate_document (tenant, digest);

-- The customer to whom each assignment key belongs; that never changes.
CREATE TABLE paygate_assignment_key (
  tenant TEXT NOT NULL,
  currency TEXT NOT NULL,
  key TEXT NOT NULL,
  customer TEXT NOT NULL,
  created_at TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (tenant, currency, key)
) STRICT, WITHOUT ROWID;

-- Payment links: what a payer can pay by following an address, and until when.
CREATE TABLE paygate_link (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  customer TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('invoices', 'prepayment', 'balance')),
  currency TEXT NOT NULL,
  min_minor INTEGER, -- NULL: all that is open is paid
  max_minor INTEGER,
  uses INTEGER CHECK (uses > 0), -- how many payments it is for; NULL: any number
  expires_at TEXT,
  accounts TEXT NOT NULL, -- JSON: the gateway accounts, or [] for all
  immediate_only INTEGER NOT NULL,
  language TEXT NOT NULL,
  metadata TEXT NOT NULL, -- JSON, of the host
  return_to TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('active', 'used', 'revoked', 'expired')),
  changed_at TEXT NOT NULL, -- when its status changed
  end_at TEXT, -- when it expires, or its pages are to be withdrawn
  reason TEXT NOT NULL, -- why it was revoked
  generation INTEGER NOT NULL, -- of its token, which a new one replaces
  key_id TEXT NOT NULL, -- of the key from which its token is derived
  created_at TEXT NOT NULL,
  actor TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  CHECK (min_minor IS NULL AND max_minor IS NULL OR min_minor > 0 AND max_minor >= min_minor)
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_link_listed ON paygate_link (tenant, created_at, id);
CREATE INDEX paygate_link_by_customer ON paygate_link (tenant, customer, created_at, id);
CREATE INDEX paygate_link_by_status ON paygate_link (tenant, status, created_at, id);
CREATE INDEX paygate_link_ending ON paygate_link (tenant, end_at, id)
  WHERE end_at IS NOT NULL;

-- What a link is for; a link to the whole balance of a customer has no rows. One of a prepayment
-- has more rows for the invoices that replaced it: it leads to the one that does so now.
CREATE TABLE paygate_link_item (
  link TEXT NOT NULL REFERENCES paygate_link (id),
  position INTEGER NOT NULL,
  item TEXT NOT NULL REFERENCES paygate_item (id),
  checksum INTEGER NOT NULL,
  PRIMARY KEY (link, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_link_item_by_item ON paygate_link_item (item);

-- The tokens in the addresses of links and of payment pages, of which only the digest is kept.
CREATE TABLE paygate_page_token (
  tenant TEXT NOT NULL,
  digest TEXT NOT NULL, -- SHA-256, hexadecimal
  kind TEXT NOT NULL CHECK (kind IN ('link', 'payment')),
  subject TEXT NOT NULL, -- the id of the link or payment
  generation INTEGER NOT NULL,
  key_id TEXT NOT NULL,
  created_at TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (tenant, digest),
  UNIQUE (tenant, kind, subject, generation)
) STRICT, WITHOUT ROWID;

-- The keys with which programs of a merchant call the API. Of their secrets only the digest is kept.
CREATE TABLE paygate_api_key (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  scopes TEXT NOT NULL, -- what it may do, separated by spaces
  digest TEXT NOT NULL, -- SHA-256, hexadecimal
  hint TEXT NOT NULL, -- how the secret begins
  added_at TEXT NOT NULL,
  added_by TEXT NOT NULL,
  last_used_at TEXT, -- to the minute
  revoked_at TEXT,
  revoked_by TEXT,
  reason TEXT NOT NULL, -- why it was revoked
  checksum INTEGER NOT NULL,
  UNIQUE (tenant, digest)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX paygate_api_key_live ON paygate_api_key (tenant, name)
  WHERE revoked_at IS NULL;

-- A payment without a customer came for an unassigned payer number, and is flagged for review.
CREATE TABLE paygate_payment (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  customer TEXT NOT NULL,
  payer TEXT NOT NULL,
  short_reference TEXT NOT NULL, -- by which its payer names it
  account TEXT NOT NULL,
  kind TEXT NOT NULL,
  currency TEXT NOT NULL,
  amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
  credit_on TEXT NOT NULL DEFAULT 'accepted' CHECK (credit_on IN ('accepted', 'settled')),
  refundable_after INTEGER NOT NULL DEFAULT 0, -- banking days after settlement
  settles_within_s INTEGER, -- NULL: its settlement has no time limit
  settle_check_at TEXT, -- when to check that accepted money has settled
  status TEXT NOT NULL,
  received_minor INTEGER NOT NULL DEFAULT 0,
  returned_minor INTEGER NOT NULL DEFAULT 0,
  collected_minor INTEGER NOT NULL DEFAULT 0, -- received, without money that only came back
  authorized_minor INTEGER NOT NULL DEFAULT 0,
  capturing_minor INTEGER NOT NULL DEFAULT 0 CHECK (capturing_minor >= 0),
  refunding_minor INTEGER NOT NULL DEFAULT 0 CHECK (refunding_minor >= 0),
  voiding INTEGER NOT NULL DEFAULT 0,
  hold_over INTEGER NOT NULL DEFAULT 0, -- the authorization ended during a capture
  reference TEXT NOT NULL DEFAULT '',
  method TEXT,
  mandate TEXT,
  needs_review INTEGER NOT NULL DEFAULT 0,
  conflicted INTEGER NOT NULL DEFAULT 0,
  superseded INTEGER NOT NULL DEFAULT 0,
  key TEXT NOT NULL DEFAULT '', -- of the call that created it
  payer_number TEXT NOT NULL DEFAULT '', -- the number it was paid to
  seen_minor INTEGER NOT NULL DEFAULT 0 CHECK (seen_minor >= 0), -- seen, but not confirmed
  disputed INTEGER NOT NULL DEFAULT 0,
  reversal TEXT,
  link TEXT REFERENCES paygate_link (id), -- that its payer followed
  created_at TEXT NOT NULL,
  actor TEXT NOT NULL,
  checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX paygate_payment_by_short_reference
  ON paygate_payment (tenant, short_reference);
CREATE INDEX paygate_payment_unsettled ON paygate_payment (tenant, account, settle_check_at)
  WHERE settle_check_at IS NOT NULL;
CREATE INDEX paygate_payment_listed ON paygate_payment (tenant, created_at, id);
CREATE INDEX paygate_payment_by_customer ON paygate_payment (tenant, customer, created_at, id);
CREATE INDEX paygate_payment_by_account ON paygate_payment (tenant, account, created_at, id);
CREATE INDEX paygate_payment_by_status ON paygate_payment (tenant, status, created_at, id);
CREATE INDEX paygate_payment_by_account_and_status
  ON paygate_payment (tenant, account, status, created_at, id);
CREATE INDEX paygate_payment_to_review ON paygate_payment (tenant, created_at, id)
  WHERE needs_review = 1;
CREATE INDEX paygate_payment_by_reference ON paygate_payment (tenant, customer, reference)
  WHERE reference <> '';
CREATE INDEX paygate_payment_by_link ON paygate_payment (link, created_at, id)
  WHERE link IS NOT NULL;
CREATE INDEX paygate_payment_counted ON paygate_payment
  (tenant, status, currency, amount_minor, received_minor, returned_minor);
CREATE INDEX paygate_payment_by_check ON paygate_payment (tenant, reference, created_at, id)
  WHERE account = 'recorded' AND kind = 'check' AND reference <> '';

-- Causes for the manual review of a payment, other than attempts and conflicts. A row is kept after
-- the review ended, by itself or by a person with a reason.
CREATE TABLE paygate_review (
  payment TEXT NOT NULL REFERENCES paygate_payment (id),
  cause TEXT NOT NULL,
  raised_at TEXT NOT NULL,
  ended_at TEXT,
  ended_by TEXT,
  reason TEXT NOT NULL DEFAULT '',
  -- The amounts collected and returned when a person decided, which are approved.
  collected_minor INTEGER NOT NULL DEFAULT 0,
  returned_minor INTEGER NOT NULL DEFAULT 0,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (payment, cause)
) STRICT, WITHOUT ROWID;

-- A request for one operation to a gateway; stored before it is sent.
CREATE TABLE paygate_attempt (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  payment TEXT REFERENCES paygate_payment (id),
  method TEXT,
  operation TEXT NOT NULL,
  account TEXT NOT NULL,
  kind TEXT NOT NULL,
  driver TEXT NOT NULL,
  driver_version TEXT NOT NULL,
  livemode INTEGER NOT NULL,
  merchant_account TEXT NOT NULL,
  gateway_key TEXT NOT NULL,
  key TEXT NOT NULL DEFAULT '', -- of the call that requested it, if it had one
  currency TEXT NOT NULL,
  amount_minor INTEGER NOT NULL,
  final INTEGER NOT NULL DEFAULT 1,
  movement TEXT NOT NULL DEFAULT '',
  about TEXT NOT NULL DEFAULT '',
  refund_to TEXT, -- the effect of a refund on the invoices that it paid
  method_plan TEXT, -- JSON: the customer and mandate of the method to store or delete
  state TEXT NOT NULL,
  reference TEXT NOT NULL DEFAULT '',
  code TEXT NOT NULL DEFAULT '',
  raw_code TEXT NOT NULL DEFAULT '',
  reason TEXT NOT NULL DEFAULT '',
  retryable INTEGER NOT NULL DEFAULT 0,
  advice TEXT NOT NULL DEFAULT '', -- of the card's bank, about charging it again
  action TEXT,
  action_secret_encrypted BLOB, -- the part that only the payer's browser may see
  expires_at TEXT,
  network_transaction_id TEXT NOT NULL DEFAULT '',
  method_facts TEXT, -- printable facts of the card or account: brand, last four, expiry
  verified TEXT, -- address, security code, 3-D Secure: each result with the processor's code
  request_id TEXT NOT NULL DEFAULT '', -- for the processor's support
  sends INTEGER NOT NULL DEFAULT 1,
  sent_at TEXT NOT NULL,
  sent_mark TEXT,
  lease_until TEXT NOT NULL,
  next_check_at TEXT,
  checks INTEGER NOT NULL DEFAULT 0,
  absences INTEGER NOT NULL DEFAULT 0,
  needs_review INTEGER NOT NULL DEFAULT 0,
  created_at TEXT NOT NULL,
  created_mark TEXT,
  actor TEXT NOT NULL,
  late_pending INTEGER NOT NULL DEFAULT 0, -- its money is pending, though it had ended
  overdue_at TEXT, -- when to flag an accepted request that has no result
  offers TEXT NOT NULL DEFAULT '', -- the later operations that the account offers
  address_index INTEGER, -- the index of the address to pay to
  version INTEGER NOT NULL DEFAULT 0,
  checksum INTEGER NOT NULL,
  answer_checksum INTEGER NOT NULL, -- of its outcome
  UNIQUE (tenant, account, operation, gateway_key),
  CHECK (refund_to IS NULL OR operation = 'refund'),
  CHECK (method_plan IS NULL OR operation IN ('enroll', 'forget'))
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_attempt_by_payment ON paygate_attempt (payment, created_at, id);
CREATE INDEX paygate_attempt_by_method ON paygate_attempt (method, created_at, id)
  WHERE method IS NOT NULL;
CREATE INDEX paygate_attempt_of_methods ON paygate_attempt (tenant, created_at, id)
  WHERE payment IS NULL AND method IS NOT NULL;
CREATE INDEX paygate_attempt_of_methods_to_review ON paygate_attempt (tenant, created_at, id)
  WHERE payment IS NULL AND method IS NOT NULL AND needs_review = 1;
CREATE INDEX paygate_attempt_due ON paygate_attempt (tenant, account, next_check_at)
  WHERE next_check_at IS NOT NULL;
CREATE INDEX paygate_attempt_unknown ON paygate_attempt (tenant, created_at, id)
  WHERE state = 'unknown';
CREATE INDEX paygate_attempt_with_secret ON paygate_attempt (tenant, id)
  WHERE action_secret_encrypted IS NOT NULL;
CREATE INDEX paygate_attempt_by_reference
  ON paygate_attempt (tenant, account, reference, created_at, id)
  WHERE reference <> '';

-- The data to send the same request again; deleted when the attempt has ended, because it contains
-- personal data of the customer. After erasure the body is empty, and the request cannot be built
-- again. A request with a one-time token or card data never has a row; data that came back through
-- the payer's browser is encrypted.
CREATE TABLE paygate_attempt_request (
  attempt TEXT PRIMARY KEY REFERENCES paygate_attempt (id),
  tenant TEXT NOT NULL,
  customer TEXT NOT NULL,
  body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_attempt_request_by_customer ON paygate_attempt_request (tenant, customer);

-- A payer's declined tries on a page that stays payable; each is reported once.
CREATE TABLE paygate_attempt_try (
  attempt TEXT NOT NULL REFERENCES paygate_attempt (id),
  reference TEXT NOT NULL,
  raw_code TEXT NOT NULL,
  PRIMARY KEY (attempt, reference, raw_code)
) STRICT, WITHOUT ROWID;

-- The items that a payment is for, in the order in which it fills them. A hard claim counts in the
-- item's claimed_minor; a soft one (the payer has a page or slip) does not, and may be superseded.
CREATE TABLE paygate_claim (
  payment TEXT NOT NULL REFERENCES paygate_payment (id),
  position INTEGER NOT NULL,
  item TEXT NOT NULL REFERENCES paygate_item (id),
  amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
  credit TEXT REFERENCES paygate_credit (id),
  state TEXT NOT NULL CHECK (state IN ('hard', 'soft', 'superseded', 'released', 'used')),
  prepayment TEXT REFERENCES paygate_item (id), -- that an invoice has replaced
  checksum INTEGER NOT NULL,
  PRIMARY KEY (payment, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_claim_by_item ON paygate_claim (item);
CREATE INDEX paygate_claim_by_credit ON paygate_claim (credit) WHERE credit IS NOT NULL;

-- Credit that a refund pays back, held until the outcome of the refund is known.
CREATE TABLE paygate_hold (
  attempt TEXT NOT NULL REFERENCES paygate_attempt (id),
  credit TEXT NOT NULL REFERENCES paygate_credit (id),
  amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
  state TEXT NOT NULL CHECK (state IN ('held', 'released', 'used')),
  checksum INTEGER NOT NULL,
  PRIMARY KEY (attempt, credit)
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_hold_by_credit ON paygate_hold (credit);

-- The invoices that a refund is for, if the host named them.
CREATE TABLE paygate_refund_item (
  attempt TEXT NOT NULL REFERENCES paygate_attempt (id),
  position INTEGER NOT NULL,
  item TEXT NOT NULL REFERENCES paygate_item (id),
  amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
  checksum INTEGER NOT NULL,
  PRIMARY KEY (attempt, position)
) STRICT, WITHOUT ROWID;

-- Money that moved. The movement id is the gateway's own, so that no movement is booked twice.
CREATE TABLE paygate_receipt (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  number INTEGER NOT NULL, -- increasing; there may be gaps
  host_number TEXT NOT NULL DEFAULT '', -- of a series of the host's
  payment TEXT REFERENCES paygate_payment (id),
  attempt TEXT,
  customer TEXT NOT NULL,
  account TEXT NOT NULL,
  kind TEXT NOT NULL,
  inward INTEGER NOT NULL,
  movement_id TEXT NOT NULL,
  currency TEXT NOT NULL,
  amount_minor INTEGER NOT NULL, -- 0 if the money is worth less than a minor unit
  -- Negative if more went out than there was, and the customer is not known.
  unallocated_minor INTEGER NOT NULL DEFAULT 0 CHECK (unallocated_minor >= 0 OR inward = 0),
  awaiting_minor INTEGER NOT NULL DEFAULT 0 CHECK (awaiting_minor >= 0),
  in_transit_minor INTEGER NOT NULL DEFAULT 0, -- negative: still to be taken from us
  undoes TEXT, -- the movement that it undoes; of a reversal, the receipt
  by_hand TEXT NOT NULL DEFAULT '', -- how money was sent back by hand
  code TEXT NOT NULL DEFAULT '',
  -- The price of money in another currency: what the payment's amount costs in that currency.
  cost_minor INTEGER,
  rate TEXT NOT NULL DEFAULT '',
  rate_source TEXT NOT NULL DEFAULT '',
  settled_minor INTEGER,
  settled_currency TEXT,
  fee_minor INTEGER,
  fee_currency TEXT,
  settled_on TEXT,
  effective TEXT NOT NULL,
  booked_at TEXT NOT NULL,
  actor TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  UNIQUE (tenant, account, kind, movement_id),
  CHECK (amount_minor > 0 OR amount_minor = 0 AND cost_minor IS NOT NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_receipt_by_payment ON paygate_receipt (payment, booked_at, id);
CREATE UNIQUE INDEX paygate_receipt_by_number ON paygate_receipt (tenant, number);
CREATE UNIQUE INDEX paygate_receipt_by_host_number ON paygate_receipt (tenant, host_number)
  WHERE host_number <> '';
CREATE INDEX paygate_receipt_listed ON paygate_receipt (tenant, booked_at, id);
CREATE INDEX paygate_receipt_by_account ON paygate_receipt (tenant, account, booked_at, id);
-- A payment may have thousands of receipts (small amounts to one address), and each of its
-- movements reads these sums. The indexes cover few receipts at any time, and contain the summed
-- columns.
CREATE INDEX paygate_receipt_unallocated
  ON paygate_receipt (payment, booked_at, id, currency, unallocated_minor)
  WHERE unallocated_minor <> 0;
CREATE INDEX paygate_receipt_awaiting
  ON paygate_receipt (payment, booked_at, id, currency, kind, in_transit_minor, awaiting_minor)
  WHERE awaiting_minor > 0;
CREATE INDEX paygate_receipt_in_transit ON paygate_receipt (payment, kind, in_transit_minor)
  WHERE in_transit_minor <> 0;
CREATE INDEX paygate_receipt_quoted
  ON paygate_receipt (
    attempt, settled_currency, cost_minor, inward, settled_minor, amount_minor)
  WHERE settled_currency <> currency;
-- Money that was recorded by hand; it is settled once a bank statement has it.
CREATE INDEX paygate_receipt_by_hand
  ON paygate_receipt (tenant, currency, amount_minor, inward, effective, id)
  WHERE account = 'recorded';
CREATE INDEX paygate_receipt_by_hand_on
  ON paygate_receipt (tenant, currency, effective, id, amount_minor)
  WHERE account = 'recorded' AND settled_minor IS NULL AND inward = 1;
CREATE INDEX paygate_receipt_paid_out
  ON paygate_receipt (tenant, account, settled_on, settled_currency, inward, settled_minor)
  WHERE settled_on IS NOT NULL AND account <> 'recorded';

-- Returns that were reported before their money was booked, and are netted against it.
CREATE TABLE paygate_early_return (
  tenant TEXT NOT NULL,
  account TEXT NOT NULL,
  movement_id TEXT NOT NULL,
  payment TEXT NOT NULL REFERENCES paygate_payment (id),
  undoes TEXT,
  currency TEXT NOT NULL,
  amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
  code TEXT NOT NULL,
  effective TEXT,
  kept_at TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (tenant, account, movement_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_early_return_by_payment ON paygate_early_return (payment, movement_id);

-- The origins of the money of an outward receipt, in order, and how much was returned to each. A
-- customer debit is a lot that the receipt itself created.
CREATE TABLE paygate_taken (
  receipt TEXT NOT NULL REFERENCES paygate_receipt (id),
  position INTEGER NOT NULL,
  origin TEXT NOT NULL CHECK (origin IN ('item', 'credit', 'suspense', 'awaiting')),
  name TEXT NOT NULL, -- the id of the item, lot or receipt
  amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
  back_minor INTEGER NOT NULL DEFAULT 0 CHECK (back_minor BETWEEN 0 AND amount_minor),
  checksum INTEGER NOT NULL,
  PRIMARY KEY (receipt, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE paygate_allocation (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  item TEXT NOT NULL REFERENCES paygate_item (id),
  currency TEXT NOT NULL,
  amount_minor INTEGER NOT NULL CHECK (amount_minor <> 0),
  payment TEXT,
  receipt TEXT REFERENCES paygate_receipt (id),
  credit TEXT REFERENCES paygate_credit (id),
  cancels TEXT UNIQUE,
  prepayment TEXT REFERENCES paygate_item (id), -- that the money came from
  effective TEXT NOT NULL,
  booked_at TEXT NOT NULL,
  actor TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  CHECK ((receipt IS NULL) <> (credit IS NULL)),
  CHECK ((amount_minor < 0) = (cancels IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_allocation_by_item ON paygate_allocation (item, booked_at, id);
-- Contains the columns that are summed by invoice and by credit whenever a payment is read.
CREATE INDEX paygate_allocation_by_payment
  ON paygate_allocation (payment, item, credit, amount_minor);
CREATE INDEX paygate_allocation_by_prepayment ON paygate_allocation (prepayment, booked_at, id)
  WHERE prepayment IS NOT NULL;
CREATE INDEX paygate_allocation_by_receipt ON paygate_allocation (receipt) WHERE receipt IS NOT NULL;
CREATE INDEX paygate_allocation_by_credit ON paygate_allocation (credit, booked_at, id)
  WHERE credit IS NOT NULL;

-- Lots of customer balance. canceled_minor is the part whose receipt was reversed.
CREATE TABLE paygate_credit (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  customer TEXT NOT NULL,
  currency TEXT NOT NULL,
  amount_minor INTEGER NOT NULL CHECK (amount_minor <> 0),
  used_minor INTEGER NOT NULL DEFAULT 0 CHECK (used_minor >= 0),
  reserved_minor INTEGER NOT NULL DEFAULT 0 CHECK (reserved_minor >= 0),
  canceled_minor INTEGER NOT NULL DEFAULT 0,
  reason TEXT NOT NULL,
  payment TEXT,
  receipt TEXT,
  item TEXT,
  created_at TEXT NOT NULL,
  actor TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  CHECK (amount_minor < 0 OR used_minor + reserved_minor + canceled_minor <= amount_minor)
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_credit_standing ON paygate_credit (tenant, customer, created_at, id)
  WHERE amount_minor - used_minor - canceled_minor <> 0;
CREATE INDEX paygate_credit_by_payment
  ON paygate_credit (payment, created_at, id, reason, amount_minor, canceled_minor)
  WHERE payment IS NOT NULL;
CREATE INDEX paygate_credit_by_receipt ON paygate_credit (receipt) WHERE receipt IS NOT NULL;

CREATE TABLE paygate_write_off (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  item TEXT NOT NULL REFERENCES paygate_item (id),
  currency TEXT NOT NULL,
  amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
  ledger_account TEXT NOT NULL, -- the account that it was posted to
  payment TEXT,
  receipt TEXT REFERENCES paygate_receipt (id), -- of the refund, if it is a credit note
  reason TEXT NOT NULL,
  undone_at TEXT,
  undone_by TEXT,
  effective TEXT NOT NULL,
  booked_at TEXT NOT NULL,
  actor TEXT NOT NULL,
  checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_write_off_by_item ON paygate_write_off (item, booked_at, id);
CREATE INDEX paygate_write_off_by_payment ON paygate_write_off (payment)
  WHERE payment IS NOT NULL;
CREATE INDEX paygate_write_off_by_receipt ON paygate_write_off (receipt)
  WHERE receipt IS NOT NULL;

CREATE TABLE paygate_reversal (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  number TEXT NOT NULL,
  payment TEXT NOT NULL REFERENCES paygate_payment (id),
  currency TEXT NOT NULL,
  amount_minor INTEGER NOT NULL,
  on_date TEXT NOT NULL,
  reason TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  fee_item TEXT REFERENCES paygate_item (id),
  bank_charge_minor INTEGER,
  bank_charge_currency TEXT,
  booked_at TEXT NOT NULL,
  actor TEXT NOT NULL,
  counted INTEGER NOT NULL, -- its number comes from the sequence
  undone_at TEXT, -- when a person found that the money arrived after all
  undone_by TEXT,
  checksum INTEGER NOT NULL,
  UNIQUE (tenant, number)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX paygate_reversal_that_stands ON paygate_reversal (payment)
  WHERE undone_at IS NULL;

-- Disputes of payments; the money that they move is in receipts with the same reference.
CREATE TABLE paygate_chargeback (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  payment TEXT NOT NULL REFERENCES paygate_payment (id),
  account TEXT NOT NULL,
  reference TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('opened', 'lost', 'won')),
  reported_lost INTEGER NOT NULL DEFAULT 0, -- whether the processor ever reported it
  reported_won INTEGER NOT NULL DEFAULT 0,
  currency TEXT NOT NULL,
  amount_minor INTEGER NOT NULL,
  reason TEXT NOT NULL,
  respond_by TEXT,
  opened_at TEXT NOT NULL,
  ended_at TEXT,
  checksum INTEGER NOT NULL,
  UNIQUE (tenant, account, reference)
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_chargeback_by_payment ON paygate_chargeback (payment, opened_at, id);
CREATE INDEX paygate_chargeback_listed ON paygate_chargeback (tenant, opened_at, id);
CREATE INDEX paygate_chargeback_by_state ON paygate_chargeback (tenant, state, opened_at, id);
CREATE INDEX paygate_chargeback_by_account ON paygate_chargeback (tenant, account, opened_at, id);
CREATE INDEX paygate_chargeback_by_account_and_state
  ON paygate_chargeback (tenant, account, state, opened_at, id);

-- The amount that a chargeback took off an invoice, and its write-off if it was lost.
CREATE TABLE paygate_chargeback_item (
  chargeback TEXT NOT NULL REFERENCES paygate_chargeback (id),
  item TEXT NOT NULL REFERENCES paygate_item (id),
  amount_minor INTEGER NOT NULL CHECK (amount_minor >= 0),
  write_off TEXT REFERENCES paygate_write_off (id),
  checksum INTEGER NOT NULL,
  PRIMARY KEY (chargeback, item)
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_chargeback_item_by_item ON paygate_chargeback_item (item);

-- Double-entry postings: each entry sums to zero per currency. Debits are positive.
CREATE TABLE paygate_posting (
  id INTEGER PRIMARY KEY,
  tenant TEXT NOT NULL,
  entry TEXT NOT NULL,
  ledger_account TEXT NOT NULL,
  currency TEXT NOT NULL,
  amount_minor INTEGER NOT NULL CHECK (amount_minor <> 0),
  customer TEXT NOT NULL,
  item TEXT,
  receipt TEXT,
  credit TEXT,
  payment TEXT,
  effective TEXT NOT NULL,
  booked_at TEXT NOT NULL,
  actor TEXT NOT NULL,
  checksum INTEGER NOT NULL
) STRICT;

-- The account statement of a customer.
CREATE INDEX paygate_posting_by_customer
  ON paygate_posting (tenant, customer, currency, booked_at, entry);

-- Postings from before the customer was known.
CREATE INDEX paygate_posting_unassigned ON paygate_posting (payment) WHERE customer = '';

-- Numbers that customers pay to unrequested, such as virtual accounts. A row assigns a number to a
-- customer until it is released.
CREATE TABLE paygate_payer_number (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  account TEXT NOT NULL,
  number TEXT NOT NULL,
  customer TEXT NOT NULL,
  pays TEXT NOT NULL CHECK (pays IN ('oldest_due', 'balance')),
  assigned_at TEXT NOT NULL,
  assigned_by TEXT NOT NULL,
  released_at TEXT,
  released_by TEXT,
  reason TEXT NOT NULL DEFAULT '', -- why it was released
  checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX paygate_payer_number_assigned
  ON paygate_payer_number (tenant, account, number) WHERE released_at IS NULL;
CREATE INDEX paygate_payer_number_listed ON paygate_payer_number (tenant, assigned_at, id)
  WHERE released_at IS NULL;
CREATE INDEX paygate_payer_number_by_customer
  ON paygate_payer_number (tenant, customer, assigned_at, id) WHERE released_at IS NULL;
CREATE INDEX paygate_payer_number_by_account
  ON paygate_payer_number (tenant, account, assigned_at, id) WHERE released_at IS NULL;

-- The payer's authorizations to charge a method without them.
CREATE TABLE paygate_mandate (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  customer TEXT NOT NULL,
  text_version TEXT NOT NULL,
  text_digest TEXT NOT NULL,
  language TEXT NOT NULL,
  accepted_at TEXT NOT NULL,
  scope TEXT NOT NULL,
  pending TEXT NOT NULL, -- JSON: the numbers of the open invoices that the payer agreed to
  reference TEXT NOT NULL,
  ip TEXT NOT NULL,
  user_agent TEXT NOT NULL,
  authenticated TEXT NOT NULL, -- how the payer was identified
  channel TEXT NOT NULL,
  actor TEXT NOT NULL, -- who noted it
  basis TEXT NOT NULL, -- how amount and date follow
  ceiling_currency TEXT,
  ceiling_minor INTEGER CHECK (ceiling_minor > 0),
  notice_days INTEGER,
  network_transaction_id TEXT NOT NULL DEFAULT '', -- of the first transaction
  first_currency TEXT,
  first_minor INTEGER, -- the amount of the first transaction
  ended_at TEXT,
  ended_by TEXT NOT NULL DEFAULT '',
  ended_for TEXT NOT NULL DEFAULT '', -- the reason
  checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_mandate_live ON paygate_mandate (tenant, customer, id)
  WHERE ended_at IS NULL;

-- Customers whose invoices are charged automatically.
CREATE TABLE paygate_subscription (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  customer TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('active', 'paused', 'ended')),
  since TEXT NOT NULL, -- invoices issued from then on are charged
  mandate TEXT NOT NULL REFERENCES paygate_mandate (id), -- that began it
  pending TEXT NOT NULL, -- JSON: the numbers of older invoices that are charged as well
  revoked INTEGER NOT NULL DEFAULT 0, -- the payer withdrew an authorization
  reason TEXT NOT NULL DEFAULT '', -- why it is paused or has ended
  changed_at TEXT NOT NULL,
  changed_by TEXT NOT NULL,
  created_at TEXT NOT NULL,
  checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX paygate_subscription_live ON paygate_subscription (tenant, customer)
  WHERE status <> 'ended';
CREATE INDEX paygate_subscription_by_customer
  ON paygate_subscription (tenant, customer, created_at, id);

-- The processor's latest reference of each customer, by account.
CREATE TABLE paygate_customer_reference (
  tenant TEXT NOT NULL,
  customer TEXT NOT NULL,
  account TEXT NOT NULL,
  reference TEXT NOT NULL,
  reported_at TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (tenant, customer, account)
) STRICT, WITHOUT ROWID;

CREATE TABLE paygate_method (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  customer TEXT NOT NULL,
  account TEXT NOT NULL,
  kind TEXT NOT NULL,
  token_encrypted BLOB NOT NULL,
  brand TEXT NOT NULL,
  last4 TEXT NOT NULL,
  expires TEXT,
  holder TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  network_transaction_id TEXT NOT NULL,
  reference TEXT NOT NULL, -- the processor's reference in its reports
  mandate TEXT,
  is_default INTEGER NOT NULL DEFAULT 0,
  reported_at TEXT NOT NULL, -- the time of the processor's latest report
  created_at TEXT NOT NULL,
  blocked_at TEXT, -- since when a failure has blocked it
  blocked_for TEXT NOT NULL DEFAULT '', -- the code of that failure
  rests_until TEXT, -- its bank asked not to charge it before this date
  forgotten_at TEXT,
  checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_method_by_customer ON paygate_method (tenant, customer, created_at, id);
CREATE UNIQUE INDEX paygate_method_default ON paygate_method (tenant, customer)
  WHERE is_default = 1;
CREATE INDEX paygate_method_of_tenant ON paygate_method (tenant, id);
CREATE INDEX paygate_method_expiring ON paygate_method (tenant, expires, id)
  WHERE forgotten_at IS NULL AND expires IS NOT NULL;
CREATE INDEX paygate_method_by_reference ON paygate_method (tenant, account, reference)
  WHERE reference <> '';

-- Runs of automatic payment, one for each day, which can be interrupted and resumed.
CREATE TABLE paygate_autopay_run (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  run_date TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('running', 'finished')),
  after_customer TEXT NOT NULL DEFAULT '', -- the last customer that this pass has done
  passes INTEGER NOT NULL DEFAULT 0, -- how often all customers were gone through
  customers INTEGER NOT NULL DEFAULT 0,
  skips TEXT NOT NULL DEFAULT '{}', -- JSON: how many invoices were skipped in this pass, by reason
  wait_until TEXT, -- the earliest instant for which this pass has left something
  next_at TEXT, -- when the next pass begins; NULL if it is finished
  lease TEXT NOT NULL DEFAULT '',
  lease_until TEXT,
  started_at TEXT NOT NULL,
  finished_at TEXT,
  actor TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  UNIQUE (tenant, run_date)
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_autopay_run_due ON paygate_autopay_run (tenant, next_at, id)
  WHERE status = 'running';

-- A line of a run: one charge of a method, stored with its payment. It has another payment only
-- after the one before was never sent or was refused by the processor.
CREATE TABLE paygate_autopay_line (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  run TEXT NOT NULL REFERENCES paygate_autopay_run (id),
  customer TEXT NOT NULL,
  currency TEXT NOT NULL,
  account TEXT NOT NULL, -- empty if credit paid it all
  method TEXT, -- NULL if credit paid it all
  charged TEXT NOT NULL, -- the method, or empty
  presents TEXT NOT NULL, -- the returned payment that is presented again, or empty
  payment TEXT NOT NULL REFERENCES paygate_payment (id),
  payments INTEGER NOT NULL, -- how many it has had
  created_at TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  UNIQUE (run, customer, currency, account, charged, presents)
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_autopay_line_by_customer
  ON paygate_autopay_line (tenant, customer, created_at, id);

-- The automatic payments of an invoice, and what follows from each.
CREATE TABLE paygate_autopay_item (
  payment TEXT NOT NULL REFERENCES paygate_payment (id),
  item TEXT NOT NULL REFERENCES paygate_item (id),
  line TEXT NOT NULL REFERENCES paygate_autopay_line (id),
  method TEXT,
  amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
  tried_on TEXT NOT NULL, -- the date in the customer's zone
  outcome TEXT NOT NULL DEFAULT 'live', -- live, paid, or the class of the failure
  code TEXT NOT NULL DEFAULT '',
  ended_on TEXT,
  ended_at TEXT,
  next_on TEXT, -- the first day of the next try
  next_at TEXT, -- or its instant, if the request was never sent
  given_up INTEGER NOT NULL DEFAULT 0,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (payment, item)
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_autopay_item_by_item ON paygate_autopay_item (item, payment);
CREATE INDEX paygate_autopay_item_by_method ON paygate_autopay_item (method, ended_on)
  WHERE method IS NOT NULL;
CREATE INDEX paygate_autopay_item_by_line ON paygate_autopay_item (line);

-- Notices to customers, so that each is given once.
CREATE TABLE paygate_autopay_notice (
  tenant TEXT NOT NULL,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL, -- an invoice, a method or a charge
  occasion TEXT NOT NULL,
  facts TEXT NOT NULL, -- JSON
  given_at TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (tenant, kind, subject, occasion)
) STRICT, WITHOUT ROWID;

-- Campaigns: each version under which a customer was reminded. A row is never changed.
CREATE TABLE paygate_campaign (
  tenant TEXT NOT NULL,
  version TEXT NOT NULL,
  facts TEXT NOT NULL, -- JSON: the stages and everything else
  stored_at TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (tenant, version)
) STRICT, WITHOUT ROWID;

-- Episodes: how far a customer has come in a campaign, in one currency.
CREATE TABLE paygate_episode (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  customer TEXT NOT NULL,
  currency TEXT NOT NULL,
  campaign TEXT NOT NULL, -- the version under which it began
  anchor TEXT NOT NULL REFERENCES paygate_item (id), -- the oldest overdue invoice
  anchor_due TEXT NOT NULL,
  began_on TEXT NOT NULL,
  turn INTEGER NOT NULL, -- how many anchors and resumptions it has had
  state TEXT NOT NULL, -- the state that it puts its customer in
  resumed_on TEXT,
  held_on TEXT, -- the last day on which something held its next stage
  held INTEGER NOT NULL DEFAULT 0,
  next_on TEXT, -- the next day on which the sweep looks at it; NULL if nothing can happen
  ended_on TEXT,
  final INTEGER NOT NULL DEFAULT 0, -- it does not resume, because its customer was reinstated
  began_at TEXT NOT NULL,
  checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX paygate_episode_live ON paygate_episode (tenant, customer, currency)
  WHERE ended_on IS NULL;
CREATE INDEX paygate_episode_by_customer
  ON paygate_episode (tenant, customer, currency, began_at, id);
CREATE INDEX paygate_episode_next ON paygate_episode (tenant, next_on, id)
  WHERE next_on IS NOT NULL;

-- The stages that an episode has passed, by anchor or resumption.
CREATE TABLE paygate_stage (
  episode TEXT NOT NULL REFERENCES paygate_episode (id),
  turn INTEGER NOT NULL,
  place INTEGER NOT NULL,
  name TEXT NOT NULL,
  state TEXT NOT NULL,
  done_on TEXT NOT NULL,
  silent INTEGER NOT NULL, -- it counts from another anchor, and nobody was told again
  fee TEXT REFERENCES paygate_item (id), -- the invoice for its fee
  done_at TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (episode, turn, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_stage_fee ON paygate_stage (fee) WHERE fee IS NOT NULL;

-- Promises to pay by a day, which hold the next stage until then.
CREATE TABLE paygate_promise (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  customer TEXT NOT NULL,
  currency TEXT NOT NULL,
  episode TEXT NOT NULL REFERENCES paygate_episode (id),
  until_on TEXT NOT NULL,
  items TEXT NOT NULL, -- JSON: the ids of the invoices
  status TEXT NOT NULL CHECK (status IN ('open', 'kept', 'broken', 'canceled')),
  made_at TEXT NOT NULL,
  ended_on TEXT,
  actor TEXT NOT NULL,
  checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_promise_by_episode ON paygate_promise (episode, made_at, id);
CREATE INDEX paygate_promise_by_customer ON paygate_promise (tenant, customer, made_at, id);

-- Commitments: what a customer has agreed to, and until when.
CREATE TABLE paygate_commitment (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  customer TEXT NOT NULL,
  name TEXT NOT NULL,
  terms TEXT NOT NULL,
  start_on TEXT NOT NULL,
  months INTEGER NOT NULL CHECK (months > 0),
  end_on TEXT NOT NULL, -- the first day after its term
  on_default TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('active', 'ended', 'terminated')),
  ended_on TEXT,
  reason TEXT NOT NULL DEFAULT '',
  created_at TEXT NOT NULL,
  actor TEXT NOT NULL,
  checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_commitment_by_customer ON paygate_commitment (tenant, customer, created_at, id);
CREATE INDEX paygate_commitment_ends ON paygate_commitment (tenant, end_on, id)
  WHERE status = 'active';

-- Sweeps: one for each day, in which overdue invoices are announced and campaigns advance.
CREATE TABLE paygate_overdue_run (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  run_date TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('running', 'finished')),
  place TEXT NOT NULL DEFAULT '', -- JSON: what this pass has done last
  customers INTEGER NOT NULL DEFAULT 0, -- how many it has looked at
  counts TEXT NOT NULL DEFAULT '{}', -- JSON: what happened, and how often
  wait_until TEXT, -- the earliest instant for which this pass has left something
  next_at TEXT, -- when the next pass begins; NULL if it is finished
  lease TEXT NOT NULL DEFAULT '',
  lease_until TEXT,
  started_at TEXT NOT NULL,
  finished_at TEXT,
  actor TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  UNIQUE (tenant, run_date)
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_overdue_run_due ON paygate_overdue_run (tenant, next_at, id)
  WHERE status = 'running';

-- Callbacks, as received and as parsed, before they are applied. The raw callback may contain a
-- token, so it is stored encrypted; without a token key, only its digest is stored. The parsed
-- notice is what is applied, and contains no token.
CREATE TABLE paygate_inbox (
  id INTEGER PRIMARY KEY,
  tenant TEXT NOT NULL,
  account TEXT NOT NULL,
  event_id TEXT NOT NULL,
  type TEXT NOT NULL,
  digest TEXT NOT NULL, -- of the notice; another one is a conflict
  times INTEGER NOT NULL DEFAULT 1, -- how often an unsigned hint came
  raw_encrypted BLOB,
  body_digest TEXT NOT NULL,
  notice TEXT NOT NULL,
  received_at TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'new',
  tries INTEGER NOT NULL DEFAULT 0,
  next_try_at TEXT,
  applied_at TEXT,
  reply TEXT,
  error TEXT NOT NULL DEFAULT '',
  dismissed_by TEXT NOT NULL DEFAULT '', -- who dismissed it
  dismissed_for TEXT NOT NULL DEFAULT '', -- the reason
  checksum INTEGER NOT NULL,
  UNIQUE (tenant, account, event_id, digest)
) STRICT;
CREATE INDEX paygate_inbox_by_body ON paygate_inbox (tenant, account, body_digest)
  WHERE body_digest <> '';
CREATE INDEX paygate_inbox_stuck ON paygate_inbox (tenant, account, state, received_at)
  WHERE state IN ('failed', 'orphan', 'conflicted');
CREATE INDEX paygate_inbox_listed ON paygate_inbox (tenant, received_at);
CREATE INDEX paygate_inbox_by_state ON paygate_inbox (tenant, state, received_at);
CREATE INDEX paygate_inbox_by_account ON paygate_inbox (tenant, account, received_at);
CREATE INDEX paygate_inbox_by_account_and_state
  ON paygate_inbox (tenant, account, state, received_at);
CREATE INDEX paygate_inbox_sealed ON paygate_inbox (tenant) WHERE raw_encrypted IS NOT NULL;
CREATE INDEX paygate_inbox_due ON paygate_inbox (tenant, account, next_try_at)
  WHERE next_try_at IS NOT NULL;

CREATE TABLE paygate_feed (
  tenant TEXT NOT NULL,
  account TEXT NOT NULL,
  cursor TEXT NOT NULL,
  version INTEGER NOT NULL DEFAULT 0, -- the number of pages that were stored
  lease_until TEXT,
  read_at TEXT, -- when it was last read to its end or failed
  complete_since TEXT, -- when the last complete reading began
  -- The progress since sending was last stopped, which no clock could measure.
  since_stop TEXT NOT NULL DEFAULT 'unread' CHECK (since_stop IN ('unread', 'reading', 'read')),
  fault TEXT NOT NULL DEFAULT '',
  failing_since TEXT,
  alerted_at TEXT, -- when its failure was reported; NULL after a complete reading
  checksum INTEGER NOT NULL,
  PRIMARY KEY (tenant, account)
) STRICT, WITHOUT ROWID;

-- What a driver remembers in addition to the cursor of its feed, such as payments that a chain
-- reorganization could still undo. Each value has a row, which is stored when it changes.
CREATE TABLE paygate_feed_memory (
  tenant TEXT NOT NULL,
  account TEXT NOT NULL,
  name TEXT NOT NULL,
  value BLOB NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (tenant, account, name)
) STRICT;

-- The known gateway accounts, and whether their gateways accept our credentials.
CREATE TABLE paygate_account (
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  driver TEXT NOT NULL,
  has_feed INTEGER NOT NULL,
  first_seen_at TEXT NOT NULL,
  last_seen_at TEXT NOT NULL, -- to the day
  rejected_since TEXT, -- when the gateway began to reject our credentials
  rejected_at TEXT, -- when it last did
  rejected_for TEXT NOT NULL DEFAULT '', -- its message
  PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;

-- Gateway accounts whose settings are stored here, for a process that serves many merchants. The
-- settings are encrypted together with the tenant, the name, and the revision in which they were
-- stored.
CREATE TABLE paygate_account_settings (
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  driver TEXT NOT NULL,
  settings_encrypted BLOB NOT NULL,
  settings_revision INTEGER NOT NULL, -- in which they were stored
  enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
  revision INTEGER NOT NULL CHECK (revision > 0), -- the number of changes
  added_at TEXT NOT NULL,
  changed_at TEXT NOT NULL,
  changed_by TEXT NOT NULL,
  reason TEXT NOT NULL, -- for which it was last disabled or enabled
  checksum INTEGER NOT NULL,
  PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;

-- Refused callbacks: a count for each reason, and only the type and id of the last event. The
-- number of rows does not depend on the number of refused callbacks.
CREATE TABLE paygate_refused_callback (
  tenant TEXT NOT NULL,
  account TEXT NOT NULL,
  why TEXT NOT NULL,
  times INTEGER NOT NULL CHECK (times > 0),
  first_at TEXT NOT NULL,
  last_at TEXT NOT NULL,
  type TEXT NOT NULL, -- of the last callback that had one
  event_id TEXT NOT NULL,
  PRIMARY KEY (tenant, account, why)
) STRICT, WITHOUT ROWID;

-- Numbers of addresses to pay to, such as those of a wallet (the source). They are counted for the
-- wallet across all tenants, and a number is never reassigned.
CREATE TABLE paygate_address_count (
  source TEXT PRIMARY KEY,
  allotted INTEGER NOT NULL DEFAULT 0,
  reached INTEGER NOT NULL DEFAULT -1, -- the highest number that was ever paid to
  told_reached INTEGER, -- `reached` at the last alert about unused addresses
  told_limit INTEGER -- the limit at that alert
) STRICT, WITHOUT ROWID;

CREATE TABLE paygate_address (
  source TEXT NOT NULL,
  number INTEGER NOT NULL CHECK (number >= 0),
  tenant TEXT NOT NULL,
  account TEXT NOT NULL,
  owner TEXT NOT NULL,
  created_at TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (source, number),
  UNIQUE (source, tenant, account, owner)
) STRICT, WITHOUT ROWID;

-- The amount in another currency that a payer was asked for; it values the money that is seen
-- before the quote expires.
CREATE TABLE paygate_quote (
  attempt TEXT PRIMARY KEY REFERENCES paygate_attempt (id),
  currency TEXT NOT NULL,
  amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
  enough_minor INTEGER NOT NULL CHECK (enough_minor BETWEEN 1 AND amount_minor),
  rate TEXT NOT NULL,
  rate_source TEXT NOT NULL,
  good_until TEXT, -- NULL if it does not expire
  created_at TEXT NOT NULL,
  checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Money that was seen at an address: its payment, and the price at which it counts. Both are fixed
-- when it is first seen.
CREATE TABLE paygate_arrival (
  tenant TEXT NOT NULL,
  account TEXT NOT NULL,
  sighting TEXT NOT NULL, -- the gateway's id of it
  attempt TEXT NOT NULL REFERENCES paygate_attempt (id),
  currency TEXT NOT NULL,
  quantity_minor INTEGER NOT NULL CHECK (quantity_minor > 0),
  seen_at TEXT NOT NULL,
  cost_minor INTEGER, -- what the payment's amount costs; NULL if it came in that currency
  rate TEXT NOT NULL,
  rate_source TEXT NOT NULL,
  late INTEGER NOT NULL, -- whether it was seen after its quote had expired
  to_credit INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('seen', 'booked', 'gone')),
  confirmations INTEGER NOT NULL,
  needed INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (tenant, account, sighting)
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_arrival_by_attempt
  ON paygate_arrival (attempt, state, cost_minor, quantity_minor);

CREATE TABLE paygate_report_line (
  tenant TEXT NOT NULL,
  account TEXT NOT NULL,
  report TEXT NOT NULL,
  line TEXT NOT NULL,
  facts TEXT NOT NULL,
  class TEXT NOT NULL,
  receipt TEXT,
  imported_at TEXT NOT NULL,
  PRIMARY KEY (tenant, account, report, line)
) STRICT, WITHOUT ROWID;

-- Bank accounts of the merchant, whose statements are imported.
CREATE TABLE paygate_bank_account (
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  number TEXT NOT NULL, -- as the bank writes it
  currency TEXT NOT NULL,
  policy TEXT NOT NULL, -- JSON: how its lines are booked and matched
  opening_minor INTEGER, -- the balance before the first statement; NULL if that is not known
  opening_on TEXT,
  created_at TEXT NOT NULL,
  actor TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;

-- Files of statements that were imported completely, so that the same file again changes nothing.
CREATE TABLE paygate_bank_file (
  tenant TEXT NOT NULL,
  account TEXT NOT NULL,
  digest TEXT NOT NULL, -- SHA-256, hexadecimal
  statements INTEGER NOT NULL,
  imported_at TEXT NOT NULL,
  actor TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (tenant, account, digest)
) STRICT, WITHOUT ROWID;

-- Bank statements, as imported. Its entries are lines; an entry that another statement had before
-- remains a line of that one.
CREATE TABLE paygate_bank_statement (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  account TEXT NOT NULL,
  format TEXT NOT NULL,
  name TEXT NOT NULL, -- the bank's id, number and page of it
  on_date TEXT NOT NULL,
  currency TEXT NOT NULL,
  opening_minor INTEGER,
  closing_minor INTEGER,
  booked_minor INTEGER NOT NULL, -- the sum of its booked entries
  missing_minor INTEGER NOT NULL, -- what its balances have and its entries do not
  gap_minor INTEGER NOT NULL, -- its opening balance less the closing balance before it
  entries INTEGER NOT NULL,
  digest TEXT NOT NULL, -- of its entries
  imported_at TEXT NOT NULL,
  actor TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  UNIQUE (tenant, account, format, name, on_date, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_bank_statement_listed ON paygate_bank_statement (tenant, imported_at, id);
CREATE INDEX paygate_bank_statement_by_account
  ON paygate_bank_statement (tenant, account, imported_at, id);
CREATE INDEX paygate_bank_statement_by_day
  ON paygate_bank_statement (tenant, account, format, on_date, id);

-- Lines of bank accounts: money that came or went, each once, whatever statements have it. The text
-- and the name of the other side are personal data, and have no checksum.
CREATE TABLE paygate_bank_line (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  account TEXT NOT NULL,
  statement TEXT NOT NULL REFERENCES paygate_bank_statement (id),
  identity TEXT NOT NULL,
  occurrence INTEGER NOT NULL CHECK (occurrence > 0), -- of equal entries of one statement
  part INTEGER NOT NULL CHECK (part >= 0), -- of a bulk entry
  booked TEXT NOT NULL,
  value TEXT NOT NULL,
  currency TEXT NOT NULL,
  amount_minor INTEGER NOT NULL CHECK (amount_minor <> 0), -- negative: money that went out
  fee_inside_minor INTEGER NOT NULL CHECK (fee_inside_minor >= 0),
  meaning TEXT NOT NULL,
  code TEXT NOT NULL,
  bank_reference TEXT NOT NULL,
  end_to_end TEXT NOT NULL,
  reference TEXT NOT NULL,
  check_number TEXT NOT NULL,
  reason TEXT NOT NULL,
  party TEXT NOT NULL,
  party_account TEXT NOT NULL, -- its last characters
  party_digest TEXT NOT NULL, -- of the whole number, to recognize it
  text TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'explained', 'ignored')),
  class TEXT NOT NULL,
  note TEXT NOT NULL, -- why it is ignored
  imported_at TEXT NOT NULL,
  actor TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  UNIQUE (tenant, account, identity, occurrence, part)
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_bank_line_listed ON paygate_bank_line (tenant, booked, id);
CREATE INDEX paygate_bank_line_by_account ON paygate_bank_line (tenant, account, booked, id);
CREATE INDEX paygate_bank_line_by_state ON paygate_bank_line (tenant, state, booked, id);
CREATE INDEX paygate_bank_line_by_account_and_state
  ON paygate_bank_line (tenant, account, state, booked, id);

-- What explains a line: the receipts, reversals, payouts and fees that it is. A match that was
-- undone is kept.
CREATE TABLE paygate_bank_match (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  line TEXT NOT NULL REFERENCES paygate_bank_line (id),
  kind TEXT NOT NULL,
  subject TEXT NOT NULL, -- the id of the receipt, reversal or payment, or the name of the payout
  payment TEXT REFERENCES paygate_payment (id),
  contra TEXT NOT NULL, -- the ledger account that it was posted against
  amount_minor INTEGER NOT NULL CHECK (amount_minor <> 0),
  how TEXT NOT NULL CHECK (how IN ('automatic', 'accepted', 'assigned')),
  rule TEXT NOT NULL,
  reason TEXT NOT NULL,
  made_at TEXT NOT NULL,
  actor TEXT NOT NULL,
  undone_at TEXT,
  undone_by TEXT,
  undone_for TEXT NOT NULL DEFAULT '',
  checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_bank_match_by_line ON paygate_bank_match (line, made_at, id);
CREATE INDEX paygate_bank_match_by_payment ON paygate_bank_match (payment)
  WHERE payment IS NOT NULL;
-- Money is on one line: a receipt, reversal or payout explains one at a time.
CREATE UNIQUE INDEX paygate_bank_match_standing ON paygate_bank_match (tenant, kind, subject)
  WHERE undone_at IS NULL;

-- The bank accounts from which customers have paid, as clerks confirmed them.
CREATE TABLE paygate_bank_payer (
  tenant TEXT NOT NULL,
  digest TEXT NOT NULL,
  customer TEXT NOT NULL,
  PRIMARY KEY (tenant, digest, customer)
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_bank_payer_by_customer ON paygate_bank_payer (tenant, customer);

-- Events, stored in the transaction that caused them, and ordered by position.
CREATE TABLE paygate_outbox (
  position INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  tenant TEXT NOT NULL,
  type TEXT NOT NULL,
  aggregate TEXT NOT NULL,
  seq INTEGER NOT NULL,
  schema_version INTEGER NOT NULL,
  occurred_at TEXT NOT NULL,
  actor TEXT NOT NULL,
  data TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  UNIQUE (tenant, aggregate, seq)
) STRICT;

-- Index rows end with the position, so this lists the events of a tenant in order.
CREATE INDEX paygate_outbox_of_tenant ON paygate_outbox (tenant);

-- The position of each sink, and its current reader.
CREATE TABLE paygate_sink (
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  position INTEGER NOT NULL,
  lease TEXT NOT NULL DEFAULT '',
  lease_until TEXT,
  fault TEXT NOT NULL DEFAULT '', -- why the last try did not reach it
  unreached_since TEXT,
  silences INTEGER NOT NULL DEFAULT 0, -- how often in a row it was not reached
  pause_until TEXT, -- it is not tried before
  forgotten_at TEXT, -- nobody publishes to it any more
  PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;

-- Events that a sink has not taken yet. The first of an aggregate is retried; later ones wait, so
-- that order is kept and only this aggregate is blocked.
CREATE TABLE paygate_delivery (
  tenant TEXT NOT NULL,
  sink TEXT NOT NULL,
  position INTEGER NOT NULL,
  aggregate TEXT NOT NULL,
  tries INTEGER NOT NULL DEFAULT 0, -- how often the sink refused it
  silences INTEGER NOT NULL DEFAULT 0, -- how often the sink was not reached
  since TEXT NOT NULL, -- when it was set aside
  next_try_at TEXT,
  dead INTEGER NOT NULL DEFAULT 0,
  error TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (tenant, sink, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_delivery_by_aggregate ON paygate_delivery (tenant, sink, aggregate, position);
CREATE INDEX paygate_delivery_dead ON paygate_delivery (tenant, sink, position) WHERE dead = 1;

-- The tries to deliver events to sinks that ask for a log, of the last month; for people only.
CREATE TABLE paygate_delivery_try (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  sink TEXT NOT NULL,
  position INTEGER NOT NULL,
  at TEXT NOT NULL, -- when it began
  took_ms INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  status INTEGER, -- of the last answer over HTTP
  error TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_delivery_try_by_time ON paygate_delivery_try (tenant, sink, at, id);
CREATE INDEX paygate_delivery_try_by_event
  ON paygate_delivery_try (tenant, sink, position, at, id);

-- The due jobs that a process has taken, and until when no other takes them. A row says only who
-- does a job: what is due is in the tables above, and a job without a row is free.
CREATE TABLE paygate_job (
  tenant TEXT NOT NULL,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL, -- an attempt, a callback, a payment, an account or a sink
  lease TEXT NOT NULL, -- of the holder; empty if the job rests
  lease_until TEXT NOT NULL,
  PRIMARY KEY (tenant, kind, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX paygate_job_by_lease ON paygate_job (lease_until);

CREATE TRIGGER paygate_posting_no_update BEFORE UPDATE ON paygate_posting
BEGIN SELECT RAISE(ABORT, 'postings are append-only'); END;
CREATE TRIGGER paygate_posting_no_delete BEFORE DELETE ON paygate_posting
BEGIN SELECT RAISE(ABORT, 'postings are append-only'); END;
CREATE TRIGGER paygate_allocation_no_update BEFORE UPDATE ON paygate_allocation
BEGIN SELECT RAISE(ABORT, 'allocations are append-only'); END;
CREATE TRIGGER paygate_allocation_no_delete BEFORE DELETE ON paygate_allocation
BEGIN SELECT RAISE(ABORT, 'allocations are append-only'); END;
CREATE TRIGGER paygate_receipt_no_delete BEFORE DELETE ON paygate_receipt
BEGIN SELECT RAISE(ABORT, 'receipts are append-only'); END;
CREATE TRIGGER paygate_receipt_no_rewrite BEFORE UPDATE OF
  number, kind, inward, movement_id, currency, amount_minor, account, cost_minor, rate ON paygate_receipt
BEGIN SELECT RAISE(ABORT, 'the booked facts of a receipt cannot be changed'); END;
CREATE TRIGGER paygate_arrival_no_delete BEFORE DELETE ON paygate_arrival
BEGIN SELECT RAISE(ABORT, 'arrivals cannot be deleted'); END;
CREATE TRIGGER paygate_arrival_no_rewrite BEFORE UPDATE OF
  attempt, currency, quantity_minor, seen_at, cost_minor, to_credit ON paygate_arrival
BEGIN SELECT RAISE(ABORT, 'the facts of an arrival cannot be changed'); END;
CREATE TRIGGER paygate_address_no_update BEFORE UPDATE ON paygate_address
BEGIN SELECT RAISE(ABORT, 'an issued address cannot be changed or deleted'); END;
CREATE TRIGGER paygate_address_no_delete BEFORE DELETE ON paygate_address
BEGIN SELECT RAISE(ABORT, 'an issued address cannot be changed or deleted'); END;
CREATE TRIGGER paygate_address_count_no_way_back BEFORE UPDATE ON paygate_address_count
WHEN NEW.allotted < OLD.allotted OR NEW.reached < OLD.reached
BEGIN SELECT RAISE(ABORT, 'the count of addresses cannot decrease'); END;
CREATE TRIGGER paygate_quote_no_update BEFORE UPDATE ON paygate_quote
BEGIN SELECT RAISE(ABORT, 'a quote cannot be changed'); END;
CREATE TRIGGER paygate_outbox_no_update BEFORE UPDATE ON paygate_outbox
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;

-- The number of rows ever written to each table from which no row is deleted, to detect missing
-- rows.
CREATE TABLE paygate_row_count (
  name TEXT PRIMARY KEY,
  written INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO paygate_row_count (name, written) VALUES
  ('paygate_account_settings', 0),
  ('paygate_allocation', 0),
  ('paygate_api_key', 0),
  ('paygate_bank_statement', 0),
  ('paygate_bank_match', 0),
  ('paygate_bank_line', 0),
  ('paygate_bank_file', 0),
  ('paygate_bank_account', 0),
  ('paygate_arrival', 0),
  ('paygate_assignment_key', 0),
  ('paygate_attempt', 0),
  ('paygate_attempt_try', 0),
  ('paygate_chargeback', 0),
  ('paygate_chargeback_item', 0),
  ('paygate_claim', 0),
  ('paygate_credit', 0),
  ('paygate_customer', 0),
  ('paygate_document', 0),
  ('paygate_early_return', 0),
  ('paygate_feed', 0),
  ('paygate_file', 0),
  ('paygate_hold', 0),
  ('paygate_inbox', 0),
  ('paygate_invoice', 0),
  ('paygate_item', 0),
  ('paygate_key', 0),
  ('paygate_letterhead', 0),
  ('paygate_link', 0),
  ('paygate_link_item', 0),
  ('paygate_mandate', 0),
  ('paygate_method', 0),
  ('paygate_outbox', 0),
  ('paygate_page_token', 0),
  ('paygate_payer_number', 0),
  ('paygate_payment', 0),
  ('paygate_prepayment', 0),
  ('paygate_address', 0),
  ('paygate_address_count', 0),
  ('paygate_posting', 0),
  ('paygate_quote', 0),
  ('paygate_receipt', 0),
  ('paygate_refund_item', 0),
  ('paygate_report_line', 0),
  ('paygate_reversal', 0),
  ('paygate_review', 0),
  ('paygate_sink', 0),
  ('paygate_taken', 0),
  ('paygate_autopay_item', 0),
  ('paygate_autopay_line', 0),
  ('paygate_autopay_notice', 0),
  ('paygate_autopay_run', 0),
  ('paygate_subscription', 0),
  ('paygate_campaign', 0),
  ('paygate_episode', 0),
  ('paygate_stage', 0),
  ('paygate_promise', 0),
  ('paygate_commitment', 0),
  ('paygate_overdue_run', 0),
  ('paygate_write_off', 0);
CREATE TRIGGER paygate_account_settings_counted AFTER INSERT ON paygate_account_settings
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_account_settings'; END;
CREATE TRIGGER paygate_allocation_counted AFTER INSERT ON paygate_allocation
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_allocation'; END;
CREATE TRIGGER paygate_api_key_counted AFTER INSERT ON paygate_api_key
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_api_key'; END;
CREATE TRIGGER paygate_bank_account_counted AFTER INSERT ON paygate_bank_account
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_bank_account'; END;
CREATE TRIGGER paygate_bank_file_counted AFTER INSERT ON paygate_bank_file
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_bank_file'; END;
CREATE TRIGGER paygate_bank_line_counted AFTER INSERT ON paygate_bank_line
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_bank_line'; END;
CREATE TRIGGER paygate_bank_match_counted AFTER INSERT ON paygate_bank_match
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_bank_match'; END;
CREATE TRIGGER paygate_bank_statement_counted AFTER INSERT ON paygate_bank_statement
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_bank_statement'; END;
CREATE TRIGGER paygate_arrival_counted AFTER INSERT ON paygate_arrival
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_arrival'; END;
CREATE TRIGGER paygate_assignment_key_counted AFTER INSERT ON paygate_assignment_key
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_assignment_key'; END;
CREATE TRIGGER paygate_attempt_counted AFTER INSERT ON paygate_attempt
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_attempt'; END;
CREATE TRIGGER paygate_attempt_try_counted AFTER INSERT ON paygate_attempt_try
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_attempt_try'; END;
CREATE TRIGGER paygate_chargeback_counted AFTER INSERT ON paygate_chargeback
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_chargeback'; END;
CREATE TRIGGER paygate_chargeback_item_counted AFTER INSERT ON paygate_chargeback_item
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_chargeback_item'; END;
CREATE TRIGGER paygate_claim_counted AFTER INSERT ON paygate_claim
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_claim'; END;
CREATE TRIGGER paygate_credit_counted AFTER INSERT ON paygate_credit
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_credit'; END;
CREATE TRIGGER paygate_customer_counted AFTER INSERT ON paygate_customer
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_customer'; END;
CREATE TRIGGER paygate_document_counted AFTER INSERT ON paygate_document
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_document'; END;
CREATE TRIGGER paygate_early_return_counted AFTER INSERT ON paygate_early_return
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_early_return'; END;
CREATE TRIGGER paygate_feed_counted AFTER INSERT ON paygate_feed
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_feed'; END;
CREATE TRIGGER paygate_file_counted AFTER INSERT ON paygate_file
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_file'; END;
CREATE TRIGGER paygate_hold_counted AFTER INSERT ON paygate_hold
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_hold'; END;
CREATE TRIGGER paygate_inbox_counted AFTER INSERT ON paygate_inbox
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_inbox'; END;
CREATE TRIGGER paygate_invoice_counted AFTER INSERT ON paygate_invoice
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_invoice'; END;
CREATE TRIGGER paygate_item_counted AFTER INSERT ON paygate_item
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_item'; END;
CREATE TRIGGER paygate_key_counted AFTER INSERT ON paygate_key
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_key'; END;
CREATE TRIGGER paygate_letterhead_counted AFTER INSERT ON paygate_letterhead
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_letterhead'; END;
CREATE TRIGGER paygate_link_counted AFTER INSERT ON paygate_link
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_link'; END;
CREATE TRIGGER paygate_link_item_counted AFTER INSERT ON paygate_link_item
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_link_item'; END;
CREATE TRIGGER paygate_mandate_counted AFTER INSERT ON paygate_mandate
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_mandate'; END;
CREATE TRIGGER paygate_method_counted AFTER INSERT ON paygate_method
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_method'; END;
CREATE TRIGGER paygate_outbox_counted AFTER INSERT ON paygate_outbox
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_outbox'; END;
CREATE TRIGGER paygate_page_token_counted AFTER INSERT ON paygate_page_token
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_page_token'; END;
CREATE TRIGGER paygate_payer_number_counted AFTER INSERT ON paygate_payer_number
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_payer_number'; END;
CREATE TRIGGER paygate_payment_counted AFTER INSERT ON paygate_payment
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_payment'; END;
CREATE TRIGGER paygate_prepayment_counted AFTER INSERT ON paygate_prepayment
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_prepayment'; END;
CREATE TRIGGER paygate_address_counted AFTER INSERT ON paygate_address
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_address'; END;
CREATE TRIGGER paygate_address_count_counted AFTER INSERT ON paygate_address_count
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_address_count'; END;
CREATE TRIGGER paygate_posting_counted AFTER INSERT ON paygate_posting
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_posting'; END;
CREATE TRIGGER paygate_quote_counted AFTER INSERT ON paygate_quote
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_quote'; END;
CREATE TRIGGER paygate_receipt_counted AFTER INSERT ON paygate_receipt
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_receipt'; END;
CREATE TRIGGER paygate_refund_item_counted AFTER INSERT ON paygate_refund_item
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_refund_item'; END;
CREATE TRIGGER paygate_report_line_counted AFTER INSERT ON paygate_report_line
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_report_line'; END;
CREATE TRIGGER paygate_reversal_counted AFTER INSERT ON paygate_reversal
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_reversal'; END;
CREATE TRIGGER paygate_review_counted AFTER INSERT ON paygate_review
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_review'; END;
CREATE TRIGGER paygate_sink_counted AFTER INSERT ON paygate_sink
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_sink'; END;
CREATE TRIGGER paygate_taken_counted AFTER INSERT ON paygate_taken
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_taken'; END;
CREATE TRIGGER paygate_write_off_counted AFTER INSERT ON paygate_write_off
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_write_off'; END;
CREATE TRIGGER paygate_autopay_item_counted AFTER INSERT ON paygate_autopay_item
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_autopay_item'; END;
CREATE TRIGGER paygate_autopay_line_counted AFTER INSERT ON paygate_autopay_line
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_autopay_line'; END;
CREATE TRIGGER paygate_autopay_notice_counted AFTER INSERT ON paygate_autopay_notice
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_autopay_notice'; END;
CREATE TRIGGER paygate_autopay_run_counted AFTER INSERT ON paygate_autopay_run
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_autopay_run'; END;
CREATE TRIGGER paygate_subscription_counted AFTER INSERT ON paygate_subscription
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_subscription'; END;
CREATE TRIGGER paygate_campaign_counted AFTER INSERT ON paygate_campaign
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_campaign'; END;
CREATE TRIGGER paygate_episode_counted AFTER INSERT ON paygate_episode
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_episode'; END;
CREATE TRIGGER paygate_stage_counted AFTER INSERT ON paygate_stage
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_stage'; END;
CREATE TRIGGER paygate_promise_counted AFTER INSERT ON paygate_promise
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_promise'; END;
CREATE TRIGGER paygate_commitment_counted AFTER INSERT ON paygate_commitment
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_commitment'; END;
CREATE TRIGGER paygate_overdue_run_counted AFTER INSERT ON paygate_overdue_run
BEGIN UPDATE paygate_row_count SET written = written + 1 WHERE name = 'paygate_overdue_run'; END;
