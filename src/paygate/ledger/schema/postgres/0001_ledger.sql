-- The ledger on PostgreSQL; `schema/sqlite` has the same tables.
--
-- Amounts are integers in minor units; the currency is in a column of the same row. Instants are
-- ISO 8601 text in UTC with microseconds, so that they sort; dates are ISO 8601 text. All text has
-- collation C, which compares byte by byte: ids and instants sort as they do in SQLite, and indexes
-- stay valid when the operating system changes the order of a language. Triggers prevent changes to
-- the amounts in allocation, receipt, posting and outbox. The checksum of a row covers the columns
-- that `checksums.py` lists.
--
-- A table that is listed has an index that ends in an instant (or date) and the id. A page is read
-- in the order of the index, from the end of the page before, so its cost does not depend on the
-- number of rows.

CREATE TABLE paygate_meta (
  name text COLLATE "C" PRIMARY KEY,
  value text COLLATE "C" NOT NULL
);

CREATE TABLE paygate_sequence (
  tenant text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  value bigint NOT NULL,
  PRIMARY KEY (tenant, name)
);

-- The call that used each idempotency key, and its result; the fingerprint contains no token.
CREATE TABLE paygate_key (
  tenant text COLLATE "C" NOT NULL,
  operation text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  fingerprint text COLLATE "C" NOT NULL,
  result text COLLATE "C" NOT NULL,
  checksum bigint NOT NULL,
  PRIMARY KEY (tenant, operation, key)
);

CREATE TABLE paygate_customer (
  tenant text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  zone text COLLATE "C" NOT NULL,
  state text COLLATE "C" NOT NULL DEFAULT 'clear',
  state_since text COLLATE "C", -- NULL if it has always been clear
  created_at text COLLATE "C" NOT NULL,
  checksum bigint NOT NULL,
  PRIMARY KEY (tenant, id)
);

-- Contact facts have a table of their own, so that they can be erased.
CREATE TABLE paygate_contact (
  tenant text COLLATE "C" NOT NULL,
  customer text COLLATE "C" NOT NULL,
  facts text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant, customer)
);

-- Open items: invoices, and prepayments without one.
CREATE TABLE paygate_item (
  id text COLLATE "C" PRIMARY KEY,
  tenant text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL CHECK (kind IN ('invoice', 'prepayment')),
  number text COLLATE "C" NOT NULL,
  customer text COLLATE "C" NOT NULL,
  currency text COLLATE "C" NOT NULL,
  total_minor bigint NOT NULL CHECK (total_minor > 0),
  allocated_minor bigint NOT NULL DEFAULT 0 CHECK (allocated_minor >= 0),
  written_off_minor bigint NOT NULL DEFAULT 0 CHECK (written_off_minor >= 0),
  claimed_minor bigint NOT NULL DEFAULT 0 CHECK (claimed_minor >= 0),
  credited_minor bigint NOT NULL DEFAULT 0, -- how much of its money became credit of the customer
  -- Of a prepayment: how much of its money moved to invoices, or became credit.
  moved_minor bigint NOT NULL DEFAULT 0 CHECK (moved_minor >= 0),
  due text COLLATE "C" NOT NULL,
  status text COLLATE "C" NOT NULL CHECK (status IN ('draft', 'open', 'replaced', 'void')),
  assignment_key text COLLATE "C",
  reversal text COLLATE "C",
  autopay bigint NOT NULL DEFAULT 1,
  disputed bigint NOT NULL DEFAULT 0, -- it has a chargeback that was not won
  overdue text COLLATE "C", -- the due date that was announced as passed
  linked bigint NOT NULL DEFAULT 0, -- a payment link is for it
  method text COLLATE "C",
  effective text COLLATE "C" NOT NULL,
  issued_at text COLLATE "C" NOT NULL,
  actor text COLLATE "C" NOT NULL,
  -- The status that its customer sees; written_off if no money was paid on it.
  standing text COLLATE "C" NOT NULL GENERATED ALWAYS AS (CASE
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
    ELSE 'open' END) STORED,
  -- As people type them: without punctuation, in lower case.
  plain_number text COLLATE "C" NOT NULL GENERATED ALWAYS AS (
    lower(replace(replace(replace(replace(replace(number, '-', ''), ' ', ''), '/', ''), '.', ''), '_', ''))) STORED,
  plain_key text COLLATE "C" GENERATED ALWAYS AS (
    lower(replace(replace(replace(replace(replace(assignment_key, '-', ''), ' ', ''), '/', ''), '.', ''), '_', ''))) STORED,
  checksum bigint NOT NULL,
  UNIQUE (tenant, kind, number),
  CHECK (allocated_minor + written_off_minor + claimed_minor + moved_minor <= total_minor),
  CHECK (kind = 'invoice' OR assignment_key IS NOT NULL AND written_off_minor = 0),
  CHECK (kind = 'prepayment' OR moved_minor = 0 AND status <> 'replaced')
);
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
  item text COLLATE "C" PRIMARY KEY REFERENCES paygate_item (id),
  on_rest text COLLATE "C" NOT NULL CHECK (on_rest IN ('keep', 'credit')),
  description text COLLATE "C" NOT NULL,
  data text COLLATE "C" NOT NULL, -- JSON, of the host
  replaced_by text COLLATE "C" REFERENCES paygate_item (id), -- the latest invoice that took its place
  checksum bigint NOT NULL
);
CREATE INDEX paygate_prepayment_by_invoice ON paygate_prepayment (replaced_by)
  WHERE replaced_by IS NOT NULL;

-- What an invoice says besides its total: lines and tax, and its place in a series of numbers. An
-- invoice that has none of these has no row.
CREATE TABLE paygate_invoice (
  item text COLLATE "C" PRIMARY KEY REFERENCES paygate_item (id),
  tenant text COLLATE "C" NOT NULL,
  lines text COLLATE "C" NOT NULL, -- JSON
  tax text COLLATE "C" NOT NULL, -- JSON
  rounding text COLLATE "C" NOT NULL,
  series text COLLATE "C" NOT NULL, -- empty if the host gave the number
  period text COLLATE "C" NOT NULL, -- in which the series counts: a year, a month, or empty
  place bigint CHECK (place > 0), -- its place in the series
  letterhead bigint, -- the version with which it was issued
  key text COLLATE "C" NOT NULL, -- of the call that made the draft, or issued it without a number
  checksum bigint NOT NULL,
  UNIQUE (tenant, series, period, place),
  CHECK ((series = '') = (place IS NULL))
);

-- Who issues the invoices of a tenant, as their documents show it. A version is never changed.
CREATE TABLE paygate_letterhead (
  tenant text COLLATE "C" NOT NULL,
  version bigint NOT NULL CHECK (version > 0),
  facts text COLLATE "C" NOT NULL, -- JSON
  logo text COLLATE "C", -- the digest of its file
  created_at text COLLATE "C" NOT NULL,
  actor text COLLATE "C" NOT NULL,
  checksum bigint NOT NULL,
  PRIMARY KEY (tenant, version)
);

-- Files of the host, such as its own documents and logos, each once.
CREATE TABLE paygate_file (
  tenant text COLLATE "C" NOT NULL,
  digest text COLLATE "C" NOT NULL, -- SHA-256, hexadecimal
  size bigint NOT NULL CHECK (size > 0),
  content bytea NOT NULL,
  PRIMARY KEY (tenant, digest),
  CHECK (length(content) = size)
);

-- The documents that the host gave for an invoice, in that order.
CREATE TABLE paygate_document (
  item text COLLATE "C" NOT NULL REFERENCES paygate_item (id),
  position bigint NOT NULL CHECK (position > 0),
  tenant text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  media_type text COLLATE "C" NOT NULL,
  digest text COLLATE "C" NOT NULL,
  created_at text COLLATE "C" NOT NULL,
  actor text COLLATE "C" NOT NULL,
  checksum bigint NOT NULL,
  PRIMARY KEY (item, position)
);
CREATE INDEX paygate_document_by_file ON paygate_document (tenant, digest);

-- The customer to whom each assignment key belongs; that never changes.
CREATE TABLE paygate_assignment_key (
  tenant text COLLATE "C" NOT NULL,
  currency text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  customer text COLLATE "C" NOT NULL,
  created_at text COLLATE "C" NOT NULL,
  checksum bigint NOT NULL,
  PRIMARY KEY (tenant, currency, key)
);

-- Payment links: what a payer can pay by following an address, and until when.
CREATE TABLE paygate_link (
  id text COLLATE "C" PRIMARY KEY,
  tenant text COLLATE "C" NOT NULL,
  customer text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL CHECK (kind IN ('invoices', 'prepayment', 'balance')),
  currency text COLLATE "C" NOT NULL,
  min_minor bigint, -- NULL: all that is open is paid
  max_minor bigint,
  uses bigint CHECK (uses > 0), -- how many payments it is for; NULL: any number
  expires_at text COLLATE "C",
  accounts text COLLATE "C" NOT NULL, -- JSON: the gateway accounts, or [] for all
  immediate_only bigint NOT NULL,
  language text COLLATE "C" NOT NULL,
  metadata text COLLATE "C" NOT NULL, -- JSON, of the host
  return_to text COLLATE "C" NOT NULL,
  status text COLLATE "C" NOT NULL CHECK (status IN ('active', 'used', 'revoked', 'expired')),
  changed_at text COLLATE "C" NOT NULL, -- when its status changed
  end_at text COLLATE "C", -- when it expires, or its pages are to be withdrawn
  reason text COLLATE "C" NOT NULL, -- why it was revoked
  generation bigint NOT NULL, -- of its token, which a new one replaces
  key_id text COLLATE "C" NOT NULL, -- of the key from which its token is derived
  created_at text COLLATE "C" NOT NULL,
  actor text COLLATE "C" NOT NULL,
  checksum bigint NOT NULL,
  CHECK (min_minor IS NULL AND max_minor IS NULL OR min_minor > 0 AND max_minor >= min_minor)
);
CREATE INDEX paygate_link_listed ON paygate_link (tenant, created_at, id);
CREATE INDEX paygate_link_by_customer ON paygate_link (tenant, customer, created_at, id);
CREATE INDEX paygate_link_by_status ON paygate_link (tenant, status, created_at, id);
CREATE INDEX paygate_link_ending ON paygate_link (tenant, end_at, id)
  WHERE end_at IS NOT NULL;

-- What a link is for; a link to the whole balance of a customer has no rows. One of a prepayment
-- has more rows for the invoices that replaced it: it leads to the one that does so now.
CREATE TABLE paygate_link_item (
  link text COLLATE "C" NOT NULL REFERENCES paygate_link (id),
  position bigint NOT NULL,
  item text COLLATE "C" NOT NULL REFERENCES paygate_item (id),
  checksum bigint NOT NULL,
  PRIMARY KEY (link, position)
);
CREATE INDEX paygate_link_item_by_item ON paygate_link_item (item);

-- The tokens in the addresses of links and of payment pages, of which only the digest is kept.
CREATE TABLE paygate_page_token (
  tenant text COLLATE "C" NOT NULL,
  digest text COLLATE "C" NOT NULL, -- SHA-256, hexadecimal
  kind text COLLATE "C" NOT NULL CHECK (kind IN ('link', 'payment')),
  subject text COLLATE "C" NOT NULL, -- the id of the link or payment
  generation bigint NOT NULL,
  key_id text COLLATE "C" NOT NULL,
  created_at text COLLATE "C" NOT NULL,
  checksum bigint NOT NULL,
  PRIMARY KEY (tenant, digest),
  UNIQUE (tenant, kind, subject, generation)
);

-- The keys with which programs of a merchant call the API. Of their secrets only the digest is kept.
CREATE TABLE paygate_api_key (
  id text COLLATE "C" PRIMARY KEY,
  tenant text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  scopes text COLLATE "C" NOT NULL, -- what it may do, separated by spaces
  digest text COLLATE "C" NOT NULL, -- SHA-256, hexadecimal
  hint text COLLATE "C" NOT NULL, -- how the secret begins
  added_at text COLLATE "C" NOT NULL,
  added_by text COLLATE "C" NOT NULL,
  last_used_at text COLLATE "C", -- to the minute
  revoked_at text COLLATE "C",
  revoked_by text COLLATE "C",
  reason text COLLATE "C" NOT NULL, -- why it was revoked
  checksum bigint NOT NULL,
  UNIQUE (tenant, digest)
);
CREATE UNIQUE INDEX paygate_api_key_live ON paygate_api_key (tenant, name)
  WHERE revoked_at IS NULL;

-- A payment without a customer came for an unassigned payer number, and is flagged for review.
CREATE TABLE paygate_payment (
  id text COLLATE "C" PRIMARY KEY,
  tenant text COLLATE "C" NOT NULL,
  customer text COLLATE "C" NOT NULL,
  payer text COLLATE "C" NOT NULL,
  short_reference text COLLATE "C" NOT NULL, -- by which its payer names it
  account text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,
  currency text COLLATE "C" NOT NULL,
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  credit_on text COLLATE "C" NOT NULL DEFAULT 'accepted' CHECK (credit_on IN ('accepted', 'settled')),
  refundable_after bigint NOT NULL DEFAULT 0, -- banking days after settlement
  settles_within_s bigint, -- NULL: its settlement has no time limit
  settle_check_at text COLLATE "C", -- when to check that accepted money has settled
  status text COLLATE "C" NOT NULL,
  received_minor bigint NOT NULL DEFAULT 0,
  returned_minor bigint NOT NULL DEFAULT 0,
  collected_minor bigint NOT NULL DEFAULT 0, -- received, without money that only came back
  authorized_minor bigint NOT NULL DEFAULT 0,
  capturing_minor bigint NOT NULL DEFAULT 0 CHECK (capturing_minor >= 0),
  refunding_minor bigint NOT NULL DEFAULT 0 CHECK (refunding_minor >= 0),
  voiding bigint NOT NULL DEFAULT 0,
  hold_over bigint NOT NULL DEFAULT 0, -- the authorization ended during a capture
  reference text COLLATE "C" NOT NULL DEFAULT '',
  method text COLLATE "C",
  mandate text COLLATE "C",
  needs_review bigint NOT NULL DEFAULT 0,
  conflicted bigint NOT NULL DEFAULT 0,
  superseded bigint NOT NULL DEFAULT 0,
  key text COLLATE "C" NOT NULL DEFAULT '', -- of the call that created it
  payer_number text COLLATE "C" NOT NULL DEFAULT '', -- the number it was paid to
  seen_minor bigint NOT NULL DEFAULT 0 CHECK (seen_minor >= 0), -- seen, but not confirmed
  disputed bigint NOT NULL DEFAULT 0,
  reversal text COLLATE "C",
  link text COLLATE "C" REFERENCES paygate_link (id), -- that its payer followed
  created_at text COLLATE "C" NOT NULL,
  actor text COLLATE "C" NOT NULL,
  checksum bigint NOT NULL
);
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
  payment text COLLATE "C" NOT NULL REFERENCES paygate_payment (id),
  cause text COLLATE "C" NOT NULL,
  raised_at text COLLATE "C" NOT NULL,
  ended_at text COLLATE "C",
  ended_by text COLLATE "C",
  reason text COLLATE "C" NOT NULL DEFAULT '',
  -- The amounts collected and returned when a person decided, which are approved.
  collected_minor bigint NOT NULL DEFAULT 0,
  returned_minor bigint NOT NULL DEFAULT 0,
  checksum bigint NOT NULL,
  PRIMARY KEY (payment, cause)
);

-- A request for one operation to a gateway; stored before it is sent.
CREATE TABLE paygate_attempt (
  id text COLLATE "C" PRIMARY KEY,
  tenant text COLLATE "C" NOT NULL,
  payment text COLLATE "C" REFERENCES paygate_payment (id),
  method text COLLATE "C",
  operation text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,
  driver text COLLATE "C" NOT NULL,
  driver_version text COLLATE "C" NOT NULL,
  livemode bigint NOT NULL,
  merchant_account text COLLATE "C" NOT NULL,
  gateway_key text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL DEFAULT '', -- of the call that requested it, if it had one
  currency text COLLATE "C" NOT NULL,
  amount_minor bigint NOT NULL,
  final bigint NOT NULL DEFAULT 1,
  movement text COLLATE "C" NOT NULL DEFAULT '',
  about text COLLATE "C" NOT NULL DEFAULT '',
  refund_to text COLLATE "C", -- the effect of a refund on the invoices that it paid
  method_plan text COLLATE "C", -- JSON: the customer and mandate of the method to store or delete
  state text COLLATE "C" NOT NULL,
  reference text COLLATE "C" NOT NULL DEFAULT '',
  code text COLLATE "C" NOT NULL DEFAULT '',
  raw_code text COLLATE "C" NOT NULL DEFAULT '',
  reason text COLLATE "C" NOT NULL DEFAULT '',
  retryable bigint NOT NULL DEFAULT 0,
  advice text COLLATE "C" NOT NULL DEFAULT '', -- of the card's bank, about charging it again
  action text COLLATE "C",
  action_secret_encrypted bytea, -- the part that only the payer's browser may see
  expires_at text COLLATE "C",
  network_transaction_id text COLLATE "C" NOT NULL DEFAULT '',
  method_facts text COLLATE "C", -- printable facts of the card or account: brand, last four, expiry
  verified text COLLATE "C", -- address, security code, 3-D Secure: each result with the processor's code
  request_id text COLLATE "C" NOT NULL DEFAULT '', -- for the processor's support
  sends bigint NOT NULL DEFAULT 1,
  sent_at text COLLATE "C" NOT NULL,
  sent_mark text COLLATE "C",
  lease_until text COLLATE "C" NOT NULL,
  next_check_at text COLLATE "C",
  checks bigint NOT NULL DEFAULT 0,
  absences bigint NOT NULL DEFAULT 0,
  needs_review bigint NOT NULL DEFAULT 0,
  created_at text COLLATE "C" NOT NULL,
  created_mark text COLLATE "C",
  actor text COLLATE "C" NOT NULL,
  late_pending bigint NOT NULL DEFAULT 0, -- its money is pending, though it had ended
  overdue_at text COLLATE "C", -- when to flag an accepted request that has no result
  offers text COLLATE "C" NOT NULL DEFAULT '', -- the later operations that the account offers
  address_index bigint, -- the index of the address to pay to
  version bigint NOT NULL DEFAULT 0,
  checksum bigint NOT NULL,
  answer_checksum bigint NOT NULL, -- of its outcome
  UNIQUE (tenant, account, operation, gateway_key),
  CHECK (refund_to IS NULL OR operation = 'refund'),
  CHECK (method_plan IS NULL OR operation IN ('enroll', 'forget'))
);
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
  attempt text COLLATE "C" PRIMARY KEY REFERENCES paygate_attempt (id),
  tenant text COLLATE "C" NOT NULL,
  customer text COLLATE "C" NOT NULL,
  body text COLLATE "C" NOT NULL
);
CREATE INDEX paygate_attempt_request_by_customer ON paygate_attempt_request (tenant, customer);

-- A payer's declined tries on a page that stays payable; each is reported once.
CREATE TABLE paygate_attempt_try (
  attempt text COLLATE "C" NOT NULL REFERENCES paygate_attempt (id),
  reference text COLLATE "C" NOT NULL,
  raw_code text COLLATE "C" NOT NULL,
  PRIMARY KEY (attempt, reference, raw_code)
);

-- Lots of customer balance. canceled_minor is the part whose receipt was reversed.
CREATE TABLE paygate_credit (
  id text COLLATE "C" PRIMARY KEY,
  tenant text COLLATE "C" NOT NULL,
  customer text COLLATE "C" NOT NULL,
  currency text COLLATE "C" NOT NULL,
  amount_minor bigint NOT NULL CHECK (amount_minor <> 0),
  used_minor bigint NOT NULL DEFAULT 0 CHECK (used_minor >= 0),
  reserved_minor bigint NOT NULL DEFAULT 0 CHECK (reserved_minor >= 0),
  canceled_minor bigint NOT NULL DEFAULT 0,
  reason text COLLATE "C" NOT NULL,
  payment text COLLATE "C",
  receipt text COLLATE "C",
  item text COLLATE "C",
  created_at text COLLATE "C" NOT NULL,
  actor text COLLATE "C" NOT NULL,
  checksum bigint NOT NULL,
  CHECK (amount_minor < 0 OR used_minor + reserved_minor + canceled_minor <= amount_minor)
);
CREATE INDEX paygate_credit_standing ON paygate_credit (tenant, customer, created_at, id)
  WHERE amount_minor - used_minor - canceled_minor <> 0;
CREATE INDEX paygate_credit_by_payment
  ON paygate_credit (payment, created_at, id, reason, amount_minor, canceled_minor)
  WHERE payment IS NOT NULL;
CREATE INDEX paygate_credit_by_receipt ON paygate_credit (receipt) WHERE receipt IS NOT NULL;

-- The items that a payment is for, in the order in which it fills them. A hard claim counts in the
-- item's claimed_minor; a soft one (the payer has a page or slip) does not, and may be superseded.
CREATE TABLE paygate_claim (
  payment text COLLATE "C" NOT NULL REFERENCES paygate_payment (id),
  position bigint NOT NULL,
  item text COLLATE "C" NOT NULL REFERENCES paygate_item (id),
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  credit text COLLATE "C" REFERENCES paygate_credit (id),
  state text COLLATE "C" NOT NULL CHECK (state IN ('hard', 'soft', 'superseded', 'released', 'used')),
  prepayment text COLLATE "C" REFERENCES paygate_item (id), -- that an invoice has replaced
  checksum bigint NOT NULL,
  PRIMARY KEY (payment, position)
);
CREATE INDEX paygate_claim_by_item ON paygate_claim (item);
CREATE INDEX paygate_claim_by_credit ON paygate_claim (credit) WHERE credit IS NOT NULL;

-- Credit that a refund pays back, held until the outcome of the refund is known.
CREATE TABLE paygate_hold (
  attempt text COLLATE "C" NOT NULL REFERENCES paygate_attempt (id),
  credit text COLLATE "C" NOT NULL REFERENCES paygate_credit (id),
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  state text COLLATE "C" NOT NULL CHECK (state IN ('held', 'released', 'used')),
  checksum bigint NOT NULL,
  PRIMARY KEY (attempt, credit)
);
CREATE INDEX paygate_hold_by_credit ON paygate_hold (credit);

-- The invoices that a refund is for, if the host named them.
CREATE TABLE paygate_refund_item (
  attempt text COLLATE "C" NOT NULL REFERENCES paygate_attempt (id),
  position bigint NOT NULL,
  item text COLLATE "C" NOT NULL REFERENCES paygate_item (id),
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  checksum bigint NOT NULL,
  PRIMARY KEY (attempt, position)
);

-- Money that moved. The movement id is the gateway's own, so that no movement is booked twice.
CREATE TABLE paygate_receipt (
  id text COLLATE "C" PRIMARY KEY,
  tenant text COLLATE "C" NOT NULL,
  number bigint NOT NULL GENERATED BY DEFAULT AS IDENTITY, -- increasing; there may be gaps
  host_number text COLLATE "C" NOT NULL DEFAULT '', -- of a series of the host's
  payment text COLLATE "C" REFERENCES paygate_payment (id),
  attempt text COLLATE "C",
  customer text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,
  inward bigint NOT NULL,
  movement_id text COLLATE "C" NOT NULL,
  currency text COLLATE "C" NOT NULL,
  amount_minor bigint NOT NULL, -- 0 if the money is worth less than a minor unit
  -- Negative if more went out than there was, and the customer is not known.
  unallocated_minor bigint NOT NULL DEFAULT 0 CHECK (unallocated_minor >= 0 OR inward = 0),
  awaiting_minor bigint NOT NULL DEFAULT 0 CHECK (awaiting_minor >= 0),
  in_transit_minor bigint NOT NULL DEFAULT 0, -- negative: still to be taken from us
  undoes text COLLATE "C", -- the movement that it undoes; of a reversal, the receipt
  by_hand text COLLATE "C" NOT NULL DEFAULT '', -- how money was sent back by hand
  code text COLLATE "C" NOT NULL DEFAULT '',
  -- The price of money in another currency: what the payment's amount costs in that currency.
  cost_minor bigint,
  rate text COLLATE "C" NOT NULL DEFAULT '',
  rate_source text COLLATE "C" NOT NULL DEFAULT '',
  settled_minor bigint,
  settled_currency text COLLATE "C",
  fee_minor bigint,
  fee_currency text COLLATE "C",
  settled_on text COLLATE "C",
  effective text COLLATE "C" NOT NULL,
  booked_at text COLLATE "C" NOT NULL,
  actor text COLLATE "C" NOT NULL,
  checksum bigint NOT NULL,
  UNIQUE (tenant, account, kind, movement_id),
  CHECK (amount_minor > 0 OR amount_minor = 0 AND cost_minor IS NOT NULL)
);
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
  tenant text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  movement_id text COLLATE "C" NOT NULL,
  payment text COLLATE "C" NOT NULL REFERENCES paygate_payment (id),
  undoes text COLLATE "C",
  currency text COLLATE "C" NOT NULL,
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  code text COLLATE "C" NOT NULL,
  effective text COLLATE "C",
  kept_at text COLLATE "C" NOT NULL,
  checksum bigint NOT NULL,
  PRIMARY KEY (tenant, account, movement_id)
);
CREATE INDEX paygate_early_return_by_payment ON paygate_early_return (payment, movement_id);

-- The origins of the money of an outward receipt, in order, and how much was returned to each. A
-- customer debit is a lot that the receipt itself created.
CREATE TABLE paygate_taken (
  receipt text COLLATE "C" NOT NULL REFERENCES paygate_receipt (id),
  position bigint NOT NULL,
  origin text COLLATE "C" NOT NULL CHECK (origin IN ('item', 'credit', 'suspense', 'awaiting')),
  name text COLLATE "C" NOT NULL, -- the id of the item, lot or receipt
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  back_minor bigint NOT NULL DEFAULT 0 CHECK (back_minor BETWEEN 0 AND amount_minor),
  checksum bigint NOT NULL,
  PRIMARY KEY (receipt, position)
);

CREATE TABLE paygate_allocation (
  id text COLLATE "C" PRIMARY KEY,
  tenant text COLLATE "C" NOT NULL,
  item text COLLATE "C" NOT NULL REFERENCES paygate_item (id),
  currency text COLLATE "C" NOT NULL,
  amount_minor bigint NOT NULL CHECK (amount_minor <> 0),
  payment text COLLATE "C",
  receipt text COLLATE "C" REFERENCES paygate_receipt (id),
  credit text COLLATE "C" REFERENCES paygate_credit (id),
  cancels text COLLATE "C" UNIQUE,
  prepayment text COLLATE "C" REFERENCES paygate_item (id), -- that the money came from
  effective text COLLATE "C" NOT NULL,
  booked_at text COLLATE "C" NOT NULL,
  actor text COLLATE "C" NOT NULL,
  checksum bigint NOT NULL,
  CHECK ((receipt IS NULL) <> (credit IS NULL)),
  CHECK ((amount_minor < 0) = (cancels IS NOT NULL))
);
CREATE INDEX paygate_allocation_by_item ON paygate_allocation (item, booked_at, id);
-- Contains the columns that are summed by invoice and by credit whenever a payment is read.
CREATE INDEX paygate_allocation_by_payment
  ON paygate_allocation (payment, item, credit, amount_minor);
CREATE INDEX paygate_allocation_by_prepayment ON paygate_allocation (prepayment, booked_at, id)
  WHERE prepayment IS NOT NULL;
CREATE INDEX paygate_allocation_by_receipt ON paygate_allocation (receipt) WHERE receipt IS NOT NULL;
CREATE INDEX paygate_allocation_by_credit ON paygate_allocation (credit, booked_at, id)
  WHERE credit IS NOT NULL;

CREATE TABLE paygate_write_off (
  id text COLLATE "C" PRIMARY KEY,
  tenant text COLLATE "C" NOT NULL,
  item text COLLATE "C" NOT NULL REFERENCES paygate_item (id),
  currency text COLLATE "C" NOT NULL,
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  ledger_account text COLLATE "C" NOT NULL, -- the account that it was posted to
  payment text COLLATE "C",
  receipt text COLLATE "C" REFERENCES paygate_receipt (id), -- of the refund, if it is a credit note
  reason text COLLATE "C" NOT NULL,
  undone_at text COLLATE "C",
  undone_by text COLLATE "C",
  effective text COLLATE "C" NOT NULL,
  booked_at text COLLATE "C" NOT NULL,
  actor text COLLATE "C" NOT NULL,
  checksum bigint NOT NULL
);
CREATE INDEX paygate_write_off_by_item ON paygate_write_off (item, booked_at, id);
CREATE INDEX paygate_write_off_by_payment ON paygate_write_off (payment)
  WHERE payment IS NOT NULL;
CREATE INDEX paygate_write_off_by_receipt ON paygate_write_off (receipt)
  WHERE receipt IS NOT NULL;

CREATE TABLE paygate_reversal (
  id text COLLATE "C" PRIMARY KEY,
  tenant text COLLATE "C" NOT NULL,
  number text COLLATE "C" NOT NULL,
  payment text COLLATE "C" NOT NULL REFERENCES paygate_payment (id),
  currency text COLLATE "C" NOT NULL,
  amount_minor bigint NOT NULL,
  on_date text COLLATE "C" NOT NULL,
  reason text COLLATE "C" NOT NULL,
  fingerprint text COLLATE "C" NOT NULL,
  fee_item text COLLATE "C" REFERENCES paygate_item (id),
  bank_charge_minor bigint,
  bank_charge_currency text COLLATE "C",
  booked_at text COLLATE "C" NOT NULL,
  actor text COLLATE "C" NOT NULL,
  counted bigint NOT NULL, -- its number comes from the sequence
  undone_at text COLLATE "C", -- when a person found that the money arrived after all
  undone_by text COLLATE "C",
  checksum bigint NOT NULL,
  UNIQUE (tenant, number)
);
CREATE UNIQUE INDEX paygate_reversal_that_stands ON paygate_reversal (payment)
  WHERE undone_at IS NULL;

-- Disputes of payments; the money that they move is in receipts with the same reference.
CREATE TABLE paygate_chargeback (
  id text COLLATE "C" PRIMARY KEY,
  tenant text COLLATE "C" NOT NULL,
  payment text COLLATE "C" NOT NULL REFERENCES paygate_payment (id),
  account text COLLATE "C" NOT NULL,
  reference text COLLATE "C" NOT NULL,
  state text COLLATE "C" NOT NULL CHECK (state IN ('opened', 'lost', 'won')),
  reported_lost bigint NOT NULL DEFAULT 0, -- whether the processor ever reported it
  reported_won bigint NOT NULL DEFAULT 0,
  currency text COLLATE "C" NOT NULL,
  amount_minor bigint NOT NULL,
  reason text COLLATE "C" NOT NULL,
  respond_by text COLLATE "C",
  opened_at text COLLATE "C" NOT NULL,
  ended_at text COLLATE "C",
  checksum bigint NOT NULL,
  UNIQUE (tenant, account, reference)
);
CREATE INDEX paygate_chargeback_by_payment ON paygate_chargeback (payment, opened_at, id);
CREATE INDEX paygate_chargeback_listed ON paygate_chargeback (tenant, opened_at, id);
CREATE INDEX paygate_chargeback_by_state ON paygate_chargeback (tenant, state, opened_at, id);
CREATE INDEX paygate_chargeback_by_account ON paygate_chargeback (tenant, account, opened_at, id);
CREATE INDEX paygate_chargeback_by_account_and_state
  ON paygate_chargeback (tenant, account, state, opened_at, id);

-- The amount that a chargeback took off an invoice, and its write-off if it was lost.
CREATE TABLE paygate_chargeback_item (
  chargeback text COLLATE "C" NOT NULL REFERENCES paygate_chargeback (id),
  item text COLLATE "C" NOT NULL REFERENCES paygate_item (id),
  amount_minor bigint NOT NULL CHECK (amount_minor >= 0),
  write_off text COLLATE "C" REFERENCES paygate_write_off (id),
  checksum bigint NOT NULL,
  PRIMARY KEY (chargeback, item)
);
CREATE INDEX paygate_chargeback_item_by_item ON paygate_chargeback_item (item);

-- Double-entry postings: each entry sums to zero per currency. Debits are positive.
CREATE TABLE paygate_posting (
  id bigint PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY,
  tenant text COLLATE "C" NOT NULL,
  entry text COLLATE "C" NOT NULL,
  ledger_account text COLLATE "C" NOT NULL,
  currency text COLLATE "C" NOT NULL,
  amount_minor bigint NOT NULL CHECK (amount_minor <> 0),
  customer text COLLATE "C" NOT NULL,
  item text COLLATE "C",
  receipt text COLLATE "C",
  credit text COLLATE "C",
  payment text COLLATE "C",
  effective text COLLATE "C" NOT NULL,
  booked_at text COLLATE "C" NOT NULL,
  actor text COLLATE "C" NOT NULL,
  checksum bigint NOT NULL
);

-- The account statement of a customer.
CREATE INDEX paygate_posting_by_customer
  ON paygate_posting (tenant, customer, currency, booked_at, entry);

-- Postings from before the customer was known.
CREATE INDEX paygate_posting_unassigned ON paygate_posting (payment) WHERE customer = '';

-- Numbers that customers pay to unrequested, such as virtual accounts. A row assigns a number to a
-- customer until it is released.
CREATE TABLE paygate_payer_number (
  id text COLLATE "C" PRIMARY KEY,
  tenant text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  number text COLLATE "C" NOT NULL,
  customer text COLLATE "C" NOT NULL,
  pays text COLLATE "C" NOT NULL CHECK (pays IN ('oldest_due', 'balance')),
  assigned_at text COLLATE "C" NOT NULL,
  assigned_by text COLLATE "C" NOT NULL,
  released_at text COLLATE "C",
  released_by text COLLATE "C",
  reason text COLLATE "C" NOT NULL DEFAULT '', -- why it was released
  checksum bigint NOT NULL
);
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
  id text COLLATE "C" PRIMARY KEY,
  tenant text COLLATE "C" NOT NULL,
  customer text COLLATE "C" NOT NULL,
  text_version text COLLATE "C" NOT NULL,
  text_digest text COLLATE "C" NOT NULL,
  language text COLLATE "C" NOT NULL,
  accepted_at text COLLATE "C" NOT NULL,
  scope text COLLATE "C" NOT NULL,
  pending text COLLATE "C" NOT NULL, -- JSON: the numbers of the open invoices that the payer agreed to
  reference text COLLATE "C" NOT NULL,
  ip text COLLATE "C" NOT NULL,
  user_agent text COLLATE "C" NOT NULL,
  authenticated text COLLATE "C" NOT NULL, -- how the payer was identified
  channel text COLLATE "C" NOT NULL,
  actor text COLLATE "C" NOT NULL, -- who noted it
  basis text COLLATE "C" NOT NULL, -- how amount and date follow
  ceiling_currency text COLLATE "C",
  ceiling_minor bigint CHECK (ceiling_minor > 0),
  notice_days bigint,
  network_transaction_id text COLLATE "C" NOT NULL DEFAULT '', -- of the first transaction
  first_currency text COLLATE "C",
  first_minor bigint, -- the amount of the first transaction
  ended_at text COLLATE "C",
  ended_by text COLLATE "C" NOT NULL DEFAULT '',
  ended_for text COLLATE "C" NOT NULL DEFAULT '', -- the reason
  checksum bigint NOT NULL
);
CREATE INDEX paygate_mandate_live ON paygate_mandate (tenant, customer, id)
  WHERE ended_at IS NULL;

-- Customers whose invoices are charged automatically.
CREATE TABLE paygate_subscription (
  id text COLLATE "C" PRIMARY KEY,
  tenant text COLLATE "C" NOT NULL,
  customer text COLLATE "C" NOT NULL,
  status text COLLATE "C" NOT NULL CHECK (status IN ('active', 'paused', 'ended')),
  since text COLLATE "C" NOT NULL, -- invoices issued from then on are charged
  mandate text COLLATE "C" NOT NULL REFERENCES paygate_mandate (id), -- that began it
  pending text COLLATE "C" NOT NULL, -- JSON: the numbers of older invoices that are charged as well
  revoked bigint NOT NULL DEFAULT 0, -- the payer withdrew an authorization
  reason text COLLATE "C" NOT NULL DEFAULT '', -- why it is paused or has ended
  changed_at text COLLATE "C" NOT NULL,
  changed_by text COLLATE "C" NOT NULL,
  created_at text COLLATE "C" NOT NULL,
  checksum bigint NOT NULL
);
CREATE UNIQUE INDEX paygate_subscription_live ON paygate_subscription (tenant, customer)
  WHERE status <> 'ended';
CREATE INDEX paygate_subscription_by_customer
  ON paygate_subscription (tenant, customer, created_at, id);

-- The processor's latest reference of each customer, by account.
CREATE TABLE paygate_customer_reference (
  tenant text COLLATE "C" NOT NULL,
  customer text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  reference text COLLATE "C" NOT NULL,
  reported_at text COLLATE "C" NOT NULL,
  checksum bigint NOT NULL,
  PRIMARY KEY (tenant, customer, account)
);

CREATE TABLE paygate_method (
  id text COLLATE "C" PRIMARY KEY,
  tenant text COLLATE "C" NOT NULL,
  customer text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,
  token_encrypted bytea NOT NULL,
  brand text COLLATE "C" NOT NULL,
  last4 text COLLATE "C" NOT NULL,
  expires text COLLATE "C",
  holder text COLLATE "C" NOT NULL,
  fingerprint text COLLATE "C" NOT NULL,
  network_transaction_id text COLLATE "C" NOT NULL,
  reference text COLLATE "C" NOT NULL, -- the processor's reference in its reports
  mandate text COLLATE "C",
  is_default bigint NOT NULL DEFAULT 0,
  reported_at text COLLATE "C" NOT NULL, -- the time of the processor's latest report
  created_at text COLLATE "C" NOT NULL,
  blocked_at text COLLATE "C", -- since when a failure has blocked it
  blocked_for text COLLATE "C" NOT NULL DEFAULT '', -- the code of that failure
  rests_until text COLLATE "C", -- its bank asked not to charge it before this date
  forgotten_at text COLLATE "C",
  checksum bigint NOT NULL
);
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
  id text COLLATE "C" PRIMARY KEY,
  tenant text COLLATE "C" NOT NULL,
  run_date text COLLATE "C" NOT NULL,
  status text COLLATE "C" NOT NULL CHECK (status IN ('running', 'finished')),
  after_customer text COLLATE "C" NOT NULL DEFAULT '', -- the last customer that this pass has done
  passes bigint NOT NULL DEFAULT 0, -- how often all customers were gone through
  customers bigint NOT NULL DEFAULT 0,
  skips text COLLATE "C" NOT NULL DEFAULT '{}', -- JSON: how many invoices were skipped in this pass, by reason
  wait_until text COLLATE "C", -- the earliest instant for which this pass has left something
  next_at text COLLATE "C", -- when the next pass begins; NULL if it is finished
  lease text COLLATE "C" NOT NULL DEFAULT '',
  lease_until text COLLATE "C",
  started_at text COLLATE "C" NOT NULL,
  finished_at text COLLATE "C",
  actor text COLLATE "C" NOT NULL,
  checksum bigint NOT NULL,
  UNIQUE (tenant, run_date)
);
CREATE INDEX paygate_autopay_run_due ON paygate_autopay_run (tenant, next_at, id)
  WHERE status = 'running';

-- A line of a run: one charge of a method, stored with its payment. It has another payment only
-- after the one before was never sent or was refused by the processor.
CREATE TABLE paygate_autopay_line (
  id text COLLATE "C" PRIMARY KEY,
  tenant text COLLATE "C" NOT NULL,
  run text COLLATE "C" NOT NULL REFERENCES paygate_autopay_run (id),
  customer text COLLATE "C" NOT NULL,
  currency text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL, -- empty if credit paid it all
  method text COLLATE "C", -- NULL if credit paid it all
  charged text COLLATE "C" NOT NULL, -- the method, or empty
  presents text COLLATE "C" NOT NULL, -- the returned payment that is presented again, or empty
  payment text COLLATE "C" NOT NULL REFERENCES paygate_payment (id),
  payments bigint NOT NULL, -- how many it has had
  created_at text COLLATE "C" NOT NULL,
  checksum bigint NOT NULL,
  UNIQUE (run, customer, currency, account, charged, presents)
);
CREATE INDEX paygate_autopay_line_by_customer
  ON paygate_autopay_line (tenant, customer, created_at, id);

-- The automatic payments of an invoice, and what follows from each.
CREATE TABLE paygate_autopay_item (
  payment text COLLATE "C" NOT NULL REFERENCES paygate_payment (id),
  item text COLLATE "C" NOT NULL REFERENCES paygate_item (id),
  line text COLLATE "C" NOT NULL REFERENCES paygate_autopay_line (id),
  method text COLLATE "C",
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  tried_on text COLLATE "C" NOT NULL, -- the date in the customer's zone
  outcome text COLLATE "C" NOT NULL DEFAULT 'live', -- live, paid, or the class of the failure
  code text COLLATE "C" NOT NULL DEFAULT '',
  ended_on text COLLATE "C",
  ended_at text COLLATE "C",
  next_on text COLLATE "C", -- the first day of the next try
  next_at text COLLATE "C", -- or its instant, if the request was never sent
  given_up bigint NOT NULL DEFAULT 0,
  checksum bigint NOT NULL,
  PRIMARY KEY (payment, item)
);
CREATE INDEX paygate_autopay_item_by_item ON paygate_autopay_item (item, payment);
CREATE INDEX paygate_autopay_item_by_method ON paygate_autopay_item (method, ended_on)
  WHERE method IS NOT NULL;
CREATE INDEX paygate_autopay_item_by_line ON paygate_autopay_item (line);

-- Notices to customers, so that each is given once.
CREATE TABLE paygate_autopay_notice (
  tenant text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,
  subject text COLLATE "C" NOT NULL, -- an invoice, a method or a charge
  occasion text COLLATE "C" NOT NULL,
  facts text COLLATE "C" NOT NULL, -- JSON
  given_at text COLLATE "C" NOT NULL,
  checksum bigint NOT NULL,
  PRIMARY KEY (tenant, kind, subject, occasion)
);

-- Campaigns: each version under which a customer was reminded. A row is never changed.
CREATE TABLE paygate_campaign (
  tenant text COLLATE "C" NOT NULL,
  version text COLLATE "C" NOT NULL,
  facts text COLLATE "C" NOT NULL, -- JSON: the stages and everything else
  stored_at text COLLATE "C" NOT NULL,
  checksum bigint NOT NULL,
  PRIMARY KEY (tenant, version)
);

-- Episodes: how far a customer has come in a campaign, in one currency.
CREATE TABLE paygate_episode (
  id text COLLATE "C" PRIMARY KEY,
  tenant text COLLATE "C" NOT NULL,
  customer text COLLATE "C" NOT NULL,
  currency text COLLATE "C" NOT NULL,
  campaign text COLLATE "C" NOT NULL, -- the version under which it began
  anchor text COLLATE "C" NOT NULL REFERENCES paygate_item (id), -- the oldest overdue invoice
  anchor_due text COLLATE "C" NOT NULL,
  began_on text COLLATE "C" NOT NULL,
  turn bigint NOT NULL, -- how many anchors and resumptions it has had
  state text COLLATE "C" NOT NULL, -- the state that it puts its customer in
  resumed_on text COLLATE "C",
  held_on text COLLATE "C", -- the last day on which something held its next stage
  held bigint NOT NULL DEFAULT 0,
  next_on text COLLATE "C", -- the next day on which the sweep looks at it; NULL if nothing can happen
  ended_on text COLLATE "C",
  final bigint NOT NULL DEFAULT 0, -- it does not resume, because its customer was reinstated
  began_at text COLLATE "C" NOT NULL,
  checksum bigint NOT NULL
);
CREATE UNIQUE INDEX paygate_episode_live ON paygate_episode (tenant, customer, currency)
  WHERE ended_on IS NULL;
CREATE INDEX paygate_episode_by_customer
  ON paygate_episode (tenant, customer, currency, began_at, id);
CREATE INDEX paygate_episode_next ON paygate_episode (tenant, next_on, id)
  WHERE next_on IS NOT NULL;

-- The stages that an episode has passed, by anchor or resumption.
CREATE TABLE paygate_stage (
  episode text COLLATE "C" NOT NULL REFERENCES paygate_episode (id),
  turn bigint NOT NULL,
  place bigint NOT NULL,
  name text COLLATE "C" NOT NULL,
  state text COLLATE "C" NOT NULL,
  done_on text COLLATE "C" NOT NULL,
  silent bigint NOT NULL, -- it counts from another anchor, and nobody was told again
  fee text COLLATE "C" REFERENCES paygate_item (id), -- the invoice for its fee
  done_at text COLLATE "C" NOT NULL,
  checksum bigint NOT NULL,
  PRIMARY KEY (episode, turn, place)
);
CREATE INDEX paygate_stage_fee ON paygate_stage (fee) WHERE fee IS NOT NULL;

-- Promises to pay by a day, which hold the next stage until then.
CREATE TABLE paygate_promise (
  id text COLLATE "C" PRIMARY KEY,
  tenant text COLLATE "C" NOT NULL,
  customer text COLLATE "C" NOT NULL,
  currency text COLLATE "C" NOT NULL,
  episode text COLLATE "C" NOT NULL REFERENCES paygate_episode (id),
  until_on text COLLATE "C" NOT NULL,
  items text COLLATE "C" NOT NULL, -- JSON: the ids of the invoices
  status text COLLATE "C" NOT NULL CHECK (status IN ('open', 'kept', 'broken', 'canceled')),
  made_at text COLLATE "C" NOT NULL,
  ended_on text COLLATE "C",
  actor text COLLATE "C" NOT NULL,
  checksum bigint NOT NULL
);
CREATE INDEX paygate_promise_by_episode ON paygate_promise (episode, made_at, id);
CREATE INDEX paygate_promise_by_customer ON paygate_promise (tenant, customer, made_at, id);

-- Commitments: what a customer has agreed to, and until when.
CREATE TABLE paygate_commitment (
  id text COLLATE "C" PRIMARY KEY,
  tenant text COLLATE "C" NOT NULL,
  customer text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  terms text COLLATE "C" NOT NULL,
  start_on text COLLATE "C" NOT NULL,
  months bigint NOT NULL CHECK (months > 0),
  end_on text COLLATE "C" NOT NULL, -- the first day after its term
  on_default text COLLATE "C" NOT NULL,
  status text COLLATE "C" NOT NULL CHECK (status IN ('active', 'ended', 'terminated')),
  ended_on text COLLATE "C",
  reason text COLLATE "C" NOT NULL DEFAULT '',
  created_at text COLLATE "C" NOT NULL,
  actor text COLLATE "C" NOT NULL,
  checksum bigint NOT NULL
);
CREATE INDEX paygate_commitment_by_customer ON paygate_commitment (tenant, customer, created_at, id);
CREATE INDEX paygate_commitment_ends ON paygate_commitment (tenant, end_on, id)
  WHERE status = 'active';

-- Sweeps: one for each day, in which overdue invoices are announced and campaigns advance.
CREATE TABLE paygate_overdue_run (
  id text COLLATE "C" PRIMARY KEY,
  tenant text COLLATE "C" NOT NULL,
  run_date text COLLATE "C" NOT NULL,
  status text COLLATE "C" NOT NULL CHECK (status IN ('running', 'finished')),
  place text COLLATE "C" NOT NULL DEFAULT '', -- JSON: what this pass has done last
  customers bigint NOT NULL DEFAULT 0, -- how many it has looked at
  counts text COLLATE "C" NOT NULL DEFAULT '{}', -- JSON: what happened, and how often
  wait_until text COLLATE "C", -- the earliest instant for which this pass has left something
  next_at text COLLATE "C", -- when the next pass begins; NULL if it is finished
  lease text COLLATE "C" NOT NULL DEFAULT '',
  lease_until text COLLATE "C",
  started_at text COLLATE "C" NOT NULL,
  finished_at text COLLATE "C",
  actor text COLLATE "C" NOT NULL,
  checksum bigint NOT NULL,
  UNIQUE (tenant, run_date)
);
CREATE INDEX paygate_overdue_run_due ON paygate_overdue_run (tenant, next_at, id)
  WHERE status = 'running';

-- Callbacks, as received and as parsed, before they are applied. The raw callback may contain a
-- token, so it is stored encrypted; without a token key, only its digest is stored. The parsed
-- notice is what is applied, and contains no token.
CREATE TABLE paygate_inbox (
  id bigint PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY,
  tenant text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  event_id text COLLATE "C" NOT NULL,
  type text COLLATE "C" NOT NULL,
  digest text COLLATE "C" NOT NULL, -- of the notice; another one is a conflict
  times bigint NOT NULL DEFAULT 1, -- how often an unsigned hint came
  raw_encrypted bytea,
  body_digest text COLLATE "C" NOT NULL,
  notice text COLLATE "C" NOT NULL,
  received_at text COLLATE "C" NOT NULL,
  state text COLLATE "C" NOT NULL DEFAULT 'new',
  tries bigint NOT NULL DEFAULT 0,
  next_try_at text COLLATE "C",
  applied_at text COLLATE "C",
  reply text COLLATE "C",
  error text COLLATE "C" NOT NULL DEFAULT '',
  dismissed_by text COLLATE "C" NOT NULL DEFAULT '', -- who dismissed it
  dismissed_for text COLLATE "C" NOT NULL DEFAULT '', -- the reason
  checksum bigint NOT NULL,
  UNIQUE (tenant, account, event_id, digest)
);
CREATE INDEX paygate_inbox_by_body ON paygate_inbox (tenant, account, body_digest, id)
  WHERE body_digest <> '';
CREATE INDEX paygate_inbox_stuck ON paygate_inbox (tenant, account, state, received_at, id)
  WHERE state IN ('failed', 'orphan', 'conflicted');
CREATE INDEX paygate_inbox_listed ON paygate_inbox (tenant, received_at, id);
CREATE INDEX paygate_inbox_by_state ON paygate_inbox (tenant, state, received_at, id);
CREATE INDEX paygate_inbox_by_account ON paygate_inbox (tenant, account, received_at, id);
CREATE INDEX paygate_inbox_by_account_and_state
  ON paygate_inbox (tenant, account, state, received_at, id);
CREATE INDEX paygate_inbox_sealed ON paygate_inbox (tenant, id) WHERE raw_encrypted IS NOT NULL;
CREATE INDEX paygate_inbox_due ON paygate_inbox (tenant, account, next_try_at, id)
  WHERE next_try_at IS NOT NULL;

CREATE TABLE paygate_feed (
  tenant text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  cursor text COLLATE "C" NOT NULL,
  version bigint NOT NULL DEFAULT 0, -- the number of pages that were stored
  lease_until text COLLATE "C",
  read_at text COLLATE "C", -- when it was last read to its end or failed
  complete_since text COLLATE "C", -- when the last complete reading began
  -- The progress since sending was last stopped, which no clock could measure.
  since_stop text COLLATE "C" NOT NULL DEFAULT 'unread' CHECK (since_stop IN ('unread', 'reading', 'read')),
  fault text COLLATE "C" NOT NULL DEFAULT '',
  failing_since text COLLATE "C",
  alerted_at text COLLATE "C", -- when its failure was reported; NULL after a complete reading
  checksum bigint NOT NULL,
  PRIMARY KEY (tenant, account)
);

-- What a driver remembers in addition to the cursor of its feed, such as payments that a chain
-- reorganization could still undo. Each value has a row, which is stored when it changes.
CREATE TABLE paygate_feed_memory (
  tenant text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  value bytea NOT NULL,
  checksum bigint NOT NULL,
  PRIMARY KEY (tenant, account, name)
);

-- The known gateway accounts, and whether their gateways accept our credentials.
CREATE TABLE paygate_account (
  tenant text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  driver text COLLATE "C" NOT NULL,
  has_feed bigint NOT NULL,
  first_seen_at text COLLATE "C" NOT NULL,
  last_seen_at text COLLATE "C" NOT NULL, -- to the day
  rejected_since text COLLATE "C", -- when the gateway began to reject our credentials
  rejected_at text COLLATE "C", -- when it last did
  rejected_for text COLLATE "C" NOT NULL DEFAULT '', -- its message
  PRIMARY KEY (tenant, name)
);

-- Gateway accounts whose settings are stored here, for a process that serves many merchants. The
-- settings are encrypted together with the tenant, the name, and the revision in which they were
-- stored.
CREATE TABLE paygate_account_settings (
  tenant text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  driver text COLLATE "C" NOT NULL,
  settings_encrypted bytea NOT NULL,
  settings_revision bigint NOT NULL, -- in which they were stored
  enabled bigint NOT NULL CHECK (enabled IN (0, 1)),
  revision bigint NOT NULL CHECK (revision > 0), -- the number of changes
  added_at text COLLATE "C" NOT NULL,
  changed_at text COLLATE "C" NOT NULL,
  changed_by text COLLATE "C" NOT NULL,
  reason text COLLATE "C" NOT NULL, -- for which it was last disabled or enabled
  checksum bigint NOT NULL,
  PRIMARY KEY (tenant, name)
);

-- Refused callbacks: a count for each reason, and only the type and id of the last event. The
-- number of rows does not depend on the number of refused callbacks.
CREATE TABLE paygate_refused_callback (
  tenant text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  why text COLLATE "C" NOT NULL,
  times bigint NOT NULL CHECK (times > 0),
  first_at text COLLATE "C" NOT NULL,
  last_at text COLLATE "C" NOT NULL,
  type text COLLATE "C" NOT NULL, -- of the last callback that had one
  event_id text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant, account, why)
);

-- Numbers of addresses to pay to, such as those of a wallet (the source). They are counted for the
-- wallet across all tenants, and a number is never reassigned.
CREATE TABLE paygate_address_count (
  source text COLLATE "C" PRIMARY KEY,
  allotted bigint NOT NULL DEFAULT 0,
  reached bigint NOT NULL DEFAULT -1, -- the highest number that was ever paid to
  told_reached bigint, -- `reached` at the last alert about unused addresses
  told_limit bigint -- the limit at that alert
);

CREATE TABLE paygate_address (
  source text COLLATE "C" NOT NULL,
  number bigint NOT NULL CHECK (number >= 0),
  tenant text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  owner text COLLATE "C" NOT NULL,
  created_at text COLLATE "C" NOT NULL,
  checksum bigint NOT NULL,
  PRIMARY KEY (source, number),
  UNIQUE (source, tenant, account, owner)
);

-- The amount in another currency that a payer was asked for; it values the money that is seen
-- before the quote expires.
CREATE TABLE paygate_quote (
  attempt text COLLATE "C" PRIMARY KEY REFERENCES paygate_attempt (id),
  currency text COLLATE "C" NOT NULL,
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  enough_minor bigint NOT NULL CHECK (enough_minor BETWEEN 1 AND amount_minor),
  rate text COLLATE "C" NOT NULL,
  rate_source text COLLATE "C" NOT NULL,
  good_until text COLLATE "C", -- NULL if it does not expire
  created_at text COLLATE "C" NOT NULL,
  checksum bigint NOT NULL
);

-- Money that was seen at an address: its payment, and the price at which it counts. Both are fixed
-- when it is first seen.
CREATE TABLE paygate_arrival (
  tenant text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  sighting text COLLATE "C" NOT NULL, -- the gateway's id of it
  attempt text COLLATE "C" NOT NULL REFERENCES paygate_attempt (id),
  currency text COLLATE "C" NOT NULL,
  quantity_minor bigint NOT NULL CHECK (quantity_minor > 0),
  seen_at text COLLATE "C" NOT NULL,
  cost_minor bigint, -- what the payment's amount costs; NULL if it came in that currency
  rate text COLLATE "C" NOT NULL,
  rate_source text COLLATE "C" NOT NULL,
  late bigint NOT NULL, -- whether it was seen after its quote had expired
  to_credit bigint NOT NULL,
  state text COLLATE "C" NOT NULL CHECK (state IN ('seen', 'booked', 'gone')),
  confirmations bigint NOT NULL,
  needed bigint NOT NULL,
  checksum bigint NOT NULL,
  PRIMARY KEY (tenant, account, sighting)
);
CREATE INDEX paygate_arrival_by_attempt
  ON paygate_arrival (attempt, state, cost_minor, quantity_minor);

CREATE TABLE paygate_report_line (
  tenant text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  report text COLLATE "C" NOT NULL,
  line text COLLATE "C" NOT NULL,
  facts text COLLATE "C" NOT NULL,
  class text COLLATE "C" NOT NULL,
  receipt text COLLATE "C",
  imported_at text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant, account, report, line)
);

-- Bank accounts of the merchant, whose statements are imported.
CREATE TABLE paygate_bank_account (
  tenant text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  number text COLLATE "C" NOT NULL, -- as the bank writes it
  currency text COLLATE "C" NOT NULL,
  policy text COLLATE "C" NOT NULL, -- JSON: how its lines are booked and matched
  opening_minor bigint, -- the balance before the first statement; NULL if that is not known
  opening_on text COLLATE "C",
  created_at text COLLATE "C" NOT NULL,
  actor text COLLATE "C" NOT NULL,
  checksum bigint NOT NULL,
  PRIMARY KEY (tenant, name)
);

-- Files of statements that were imported completely, so that the same file again changes nothing.
CREATE TABLE paygate_bank_file (
  tenant text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  digest text COLLATE "C" NOT NULL, -- SHA-256, hexadecimal
  statements bigint NOT NULL,
  imported_at text COLLATE "C" NOT NULL,
  actor text COLLATE "C" NOT NULL,
  checksum bigint NOT NULL,
  PRIMARY KEY (tenant, account, digest)
);

-- Bank statements, as imported. Its entries are lines; an entry that another statement had before
-- remains a line of that one.
CREATE TABLE paygate_bank_statement (
  id text COLLATE "C" PRIMARY KEY,
  tenant text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  format text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL, -- the bank's id, number and page of it
  on_date text COLLATE "C" NOT NULL,
  currency text COLLATE "C" NOT NULL,
  opening_minor bigint,
  closing_minor bigint,
  booked_minor bigint NOT NULL, -- the sum of its booked entries
  missing_minor bigint NOT NULL, -- what its balances have and its entries do not
  gap_minor bigint NOT NULL, -- its opening balance less the closing balance before it
  entries bigint NOT NULL,
  digest text COLLATE "C" NOT NULL, -- of its entries
  imported_at text COLLATE "C" NOT NULL,
  actor text COLLATE "C" NOT NULL,
  checksum bigint NOT NULL,
  UNIQUE (tenant, account, format, name, on_date, digest)
);
CREATE INDEX paygate_bank_statement_listed ON paygate_bank_statement (tenant, imported_at, id);
CREATE INDEX paygate_bank_statement_by_account
  ON paygate_bank_statement (tenant, account, imported_at, id);
CREATE INDEX paygate_bank_statement_by_day
  ON paygate_bank_statement (tenant, account, format, on_date, id);

-- Lines of bank accounts: money that came or went, each once, whatever statements have it. The text
-- and the name of the other side are personal data, and have no checksum.
CREATE TABLE paygate_bank_line (
  id text COLLATE "C" PRIMARY KEY,
  tenant text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  statement text COLLATE "C" NOT NULL REFERENCES paygate_bank_statement (id),
  identity text COLLATE "C" NOT NULL,
  occurrence bigint NOT NULL CHECK (occurrence > 0), -- of equal entries of one statement
  part bigint NOT NULL CHECK (part >= 0), -- of a bulk entry
  booked text COLLATE "C" NOT NULL,
  value text COLLATE "C" NOT NULL,
  currency text COLLATE "C" NOT NULL,
  amount_minor bigint NOT NULL CHECK (amount_minor <> 0), -- negative: money that went out
  fee_inside_minor bigint NOT NULL CHECK (fee_inside_minor >= 0),
  meaning text COLLATE "C" NOT NULL,
  code text COLLATE "C" NOT NULL,
  bank_reference text COLLATE "C" NOT NULL,
  end_to_end text COLLATE "C" NOT NULL,
  reference text COLLATE "C" NOT NULL,
  check_number text COLLATE "C" NOT NULL,
  reason text COLLATE "C" NOT NULL,
  party text COLLATE "C" NOT NULL,
  party_account text COLLATE "C" NOT NULL, -- its last characters
  party_digest text COLLATE "C" NOT NULL, -- of the whole number, to recognize it
  text text COLLATE "C" NOT NULL,
  state text COLLATE "C" NOT NULL CHECK (state IN ('open', 'explained', 'ignored')),
  class text COLLATE "C" NOT NULL,
  note text COLLATE "C" NOT NULL, -- why it is ignored
  imported_at text COLLATE "C" NOT NULL,
  actor text COLLATE "C" NOT NULL,
  checksum bigint NOT NULL,
  UNIQUE (tenant, account, identity, occurrence, part)
);
CREATE INDEX paygate_bank_line_listed ON paygate_bank_line (tenant, booked, id);
CREATE INDEX paygate_bank_line_by_account ON paygate_bank_line (tenant, account, booked, id);
CREATE INDEX paygate_bank_line_by_state ON paygate_bank_line (tenant, state, booked, id);
CREATE INDEX paygate_bank_line_by_account_and_state
  ON paygate_bank_line (tenant, account, state, booked, id);

-- What explains a line: the receipts, reversals, payouts and fees that it is. A match that was
-- undone is kept.
CREATE TABLE paygate_bank_match (
  id text COLLATE "C" PRIMARY KEY,
  tenant text COLLATE "C" NOT NULL,
  line text COLLATE "C" NOT NULL REFERENCES paygate_bank_line (id),
  kind text COLLATE "C" NOT NULL,
  subject text COLLATE "C" NOT NULL, -- the id of the receipt, reversal or payment, or the name of the payout
  payment text COLLATE "C" REFERENCES paygate_payment (id),
  contra text COLLATE "C" NOT NULL, -- the ledger account that it was posted against
  amount_minor bigint NOT NULL CHECK (amount_minor <> 0),
  how text COLLATE "C" NOT NULL CHECK (how IN ('automatic', 'accepted', 'assigned')),
  rule text COLLATE "C" NOT NULL,
  reason text COLLATE "C" NOT NULL,
  made_at text COLLATE "C" NOT NULL,
  actor text COLLATE "C" NOT NULL,
  undone_at text COLLATE "C",
  undone_by text COLLATE "C",
  undone_for text COLLATE "C" NOT NULL DEFAULT '',
  checksum bigint NOT NULL
);
CREATE INDEX paygate_bank_match_by_line ON paygate_bank_match (line, made_at, id);
CREATE INDEX paygate_bank_match_by_payment ON paygate_bank_match (payment)
  WHERE payment IS NOT NULL;
-- Money is on one line: a receipt, reversal or payout explains one at a time.
CREATE UNIQUE INDEX paygate_bank_match_standing ON paygate_bank_match (tenant, kind, subject)
  WHERE undone_at IS NULL;

-- The bank accounts from which customers have paid, as clerks confirmed them.
CREATE TABLE paygate_bank_payer (
  tenant text COLLATE "C" NOT NULL,
  digest text COLLATE "C" NOT NULL,
  customer text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant, digest, customer)
);
CREATE INDEX paygate_bank_payer_by_customer ON paygate_bank_payer (tenant, customer);

-- Events, stored in the transaction that caused them, and ordered by position. The position is
-- assigned in the order of number, before events are read in order.
CREATE TABLE paygate_outbox (
  number bigint PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY,
  position bigint UNIQUE,
  id text COLLATE "C" NOT NULL UNIQUE,
  tenant text COLLATE "C" NOT NULL,
  type text COLLATE "C" NOT NULL,
  aggregate text COLLATE "C" NOT NULL,
  seq bigint NOT NULL,
  schema_version bigint NOT NULL,
  occurred_at text COLLATE "C" NOT NULL,
  actor text COLLATE "C" NOT NULL,
  data text COLLATE "C" NOT NULL,
  checksum bigint NOT NULL,
  UNIQUE (tenant, aggregate, seq)
);

-- Lists the events of a tenant in order.
CREATE INDEX paygate_outbox_of_tenant ON paygate_outbox (tenant, position);
CREATE INDEX paygate_outbox_unplaced ON paygate_outbox (number) WHERE position IS NULL;

-- The position of each sink, and its current reader.
CREATE TABLE paygate_sink (
  tenant text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  position bigint NOT NULL,
  lease text COLLATE "C" NOT NULL DEFAULT '',
  lease_until text COLLATE "C",
  fault text COLLATE "C" NOT NULL DEFAULT '', -- why the last try did not reach it
  unreached_since text COLLATE "C",
  silences bigint NOT NULL DEFAULT 0, -- how often in a row it was not reached
  pause_until text COLLATE "C", -- it is not tried before
  forgotten_at text COLLATE "C", -- nobody publishes to it any more
  PRIMARY KEY (tenant, name)
);

-- Events that a sink has not taken yet. The first of an aggregate is retried; later ones wait, so
-- that order is kept and only this aggregate is blocked.
CREATE TABLE paygate_delivery (
  tenant text COLLATE "C" NOT NULL,
  sink text COLLATE "C" NOT NULL,
  position bigint NOT NULL,
  aggregate text COLLATE "C" NOT NULL,
  tries bigint NOT NULL DEFAULT 0, -- how often the sink refused it
  silences bigint NOT NULL DEFAULT 0, -- how often the sink was not reached
  since text COLLATE "C" NOT NULL, -- when it was set aside
  next_try_at text COLLATE "C",
  dead bigint NOT NULL DEFAULT 0,
  error text COLLATE "C" NOT NULL DEFAULT '',
  PRIMARY KEY (tenant, sink, position)
);
CREATE INDEX paygate_delivery_by_aggregate ON paygate_delivery (tenant, sink, aggregate, position);
CREATE INDEX paygate_delivery_dead ON paygate_delivery (tenant, sink, position) WHERE dead = 1;

-- The tries to deliver events to sinks that ask for a log, of the last month; for people only.
CREATE TABLE paygate_delivery_try (
  id text COLLATE "C" PRIMARY KEY,
  tenant text COLLATE "C" NOT NULL,
  sink text COLLATE "C" NOT NULL,
  position bigint NOT NULL,
  at text COLLATE "C" NOT NULL, -- when it began
  took_ms bigint NOT NULL,
  outcome text COLLATE "C" NOT NULL,
  status bigint, -- of the last answer over HTTP
  error text COLLATE "C" NOT NULL
);
CREATE INDEX paygate_delivery_try_by_time ON paygate_delivery_try (tenant, sink, at, id);
CREATE INDEX paygate_delivery_try_by_event
  ON paygate_delivery_try (tenant, sink, position, at, id);

-- The due jobs that a process has taken, and until when no other takes them. A row says only who
-- does a job: what is due is in the tables above, and a job without a row is free.
CREATE TABLE paygate_job (
  tenant text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,
  subject text COLLATE "C" NOT NULL, -- an attempt, a callback, a payment, an account or a sink
  lease text COLLATE "C" NOT NULL, -- of the holder; empty if the job rests
  lease_until text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant, kind, subject)
);
CREATE INDEX paygate_job_by_lease ON paygate_job (lease_until);

-- Returns text as JSON; NULL if it is not valid JSON.
CREATE FUNCTION paygate_json(value text) RETURNS json LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN CAST(value AS json);
EXCEPTION WHEN invalid_text_representation THEN
  RETURN NULL;
END;
$$;

-- The triggers below raise the same class of errors as a violated constraint.
CREATE FUNCTION paygate_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation';
END;
$$;
CREATE TRIGGER paygate_posting_no_update BEFORE UPDATE ON paygate_posting
  FOR EACH ROW
  EXECUTE FUNCTION paygate_refuse('postings are append-only');
CREATE TRIGGER paygate_posting_no_delete BEFORE DELETE ON paygate_posting
  FOR EACH ROW
  EXECUTE FUNCTION paygate_refuse('postings are append-only');
CREATE TRIGGER paygate_allocation_no_update BEFORE UPDATE ON paygate_allocation
  FOR EACH ROW
  EXECUTE FUNCTION paygate_refuse('allocations are append-only');
CREATE TRIGGER paygate_allocation_no_delete BEFORE DELETE ON paygate_allocation
  FOR EACH ROW
  EXECUTE FUNCTION paygate_refuse('allocations are append-only');
CREATE TRIGGER paygate_receipt_no_delete BEFORE DELETE ON paygate_receipt
  FOR EACH ROW
  EXECUTE FUNCTION paygate_refuse('receipts are append-only');
CREATE TRIGGER paygate_receipt_no_rewrite BEFORE UPDATE OF
  number, kind, inward, movement_id, currency, amount_minor, account, cost_minor, rate ON paygate_receipt
  FOR EACH ROW
  EXECUTE FUNCTION paygate_refuse('the booked facts of a receipt cannot be changed');
CREATE TRIGGER paygate_arrival_no_delete BEFORE DELETE ON paygate_arrival
  FOR EACH ROW
  EXECUTE FUNCTION paygate_refuse('arrivals cannot be deleted');
CREATE TRIGGER paygate_arrival_no_rewrite BEFORE UPDATE OF
  attempt, currency, quantity_minor, seen_at, cost_minor, to_credit ON paygate_arrival
  FOR EACH ROW
  EXECUTE FUNCTION paygate_refuse('the facts of an arrival cannot be changed');
CREATE TRIGGER paygate_address_no_update BEFORE UPDATE ON paygate_address
  FOR EACH ROW
  EXECUTE FUNCTION paygate_refuse('an issued address cannot be changed or deleted');
CREATE TRIGGER paygate_address_no_delete BEFORE DELETE ON paygate_address
  FOR EACH ROW
  EXECUTE FUNCTION paygate_refuse('an issued address cannot be changed or deleted');
CREATE TRIGGER paygate_address_count_no_way_back BEFORE UPDATE ON paygate_address_count
  FOR EACH ROW WHEN (NEW.allotted < OLD.allotted OR NEW.reached < OLD.reached)
  EXECUTE FUNCTION paygate_refuse('the count of addresses cannot decrease');
CREATE TRIGGER paygate_quote_no_update BEFORE UPDATE ON paygate_quote
  FOR EACH ROW
  EXECUTE FUNCTION paygate_refuse('a quote cannot be changed');
CREATE TRIGGER paygate_outbox_no_update BEFORE UPDATE ON paygate_outbox
  FOR EACH ROW WHEN (OLD.position IS NOT NULL OR NEW.position IS NULL
    OR (OLD.number, OLD.id, OLD.tenant, OLD.type, OLD.aggregate, OLD.seq, OLD.schema_version,
      OLD.occurred_at, OLD.actor, OLD.data, OLD.checksum)
    IS DISTINCT FROM (NEW.number, NEW.id, NEW.tenant, NEW.type, NEW.aggregate, NEW.seq,
      NEW.schema_version, NEW.occurred_at, NEW.actor, NEW.data, NEW.checksum))
  EXECUTE FUNCTION paygate_refuse('events are append-only');

-- The number of rows ever written to each table from which no row is deleted, to detect missing
-- rows. Each connection has a row of its own for a table, and they are summed, because writers
-- would wait for each other's locks on a single row.
CREATE TABLE paygate_row_count (
  name text COLLATE "C" NOT NULL,
  shard bigint NOT NULL,
  written bigint NOT NULL,
  PRIMARY KEY (name, shard)
) WITH (fillfactor = 50);
INSERT INTO paygate_row_count (name, shard, written) VALUES
  ('paygate_account_settings', 0, 0),
  ('paygate_allocation', 0, 0),
  ('paygate_api_key', 0, 0),
  ('paygate_bank_statement', 0, 0),
  ('paygate_bank_match', 0, 0),
  ('paygate_bank_line', 0, 0),
  ('paygate_bank_file', 0, 0),
  ('paygate_bank_account', 0, 0),
  ('paygate_arrival', 0, 0),
  ('paygate_assignment_key', 0, 0),
  ('paygate_attempt', 0, 0),
  ('paygate_attempt_try', 0, 0),
  ('paygate_chargeback', 0, 0),
  ('paygate_chargeback_item', 0, 0),
  ('paygate_claim', 0, 0),
  ('paygate_credit', 0, 0),
  ('paygate_customer', 0, 0),
  ('paygate_document', 0, 0),
  ('paygate_early_return', 0, 0),
  ('paygate_feed', 0, 0),
  ('paygate_file', 0, 0),
  ('paygate_hold', 0, 0),
  ('paygate_inbox', 0, 0),
  ('paygate_invoice', 0, 0),
  ('paygate_item', 0, 0),
  ('paygate_key', 0, 0),
  ('paygate_letterhead', 0, 0),
  ('paygate_link', 0, 0),
  ('paygate_link_item', 0, 0),
  ('paygate_mandate', 0, 0),
  ('paygate_method', 0, 0),
  ('paygate_outbox', 0, 0),
  ('paygate_page_token', 0, 0),
  ('paygate_payer_number', 0, 0),
  ('paygate_payment', 0, 0),
  ('paygate_prepayment', 0, 0),
  ('paygate_address', 0, 0),
  ('paygate_address_count', 0, 0),
  ('paygate_posting', 0, 0),
  ('paygate_quote', 0, 0),
  ('paygate_receipt', 0, 0),
  ('paygate_refund_item', 0, 0),
  ('paygate_report_line', 0, 0),
  ('paygate_reversal', 0, 0),
  ('paygate_review', 0, 0),
  ('paygate_sink', 0, 0),
  ('paygate_taken', 0, 0),
  ('paygate_autopay_item', 0, 0),
  ('paygate_autopay_line', 0, 0),
  ('paygate_autopay_notice', 0, 0),
  ('paygate_autopay_run', 0, 0),
  ('paygate_subscription', 0, 0),
  ('paygate_campaign', 0, 0),
  ('paygate_episode', 0, 0),
  ('paygate_stage', 0, 0),
  ('paygate_promise', 0, 0),
  ('paygate_commitment', 0, 0),
  ('paygate_overdue_run', 0, 0),
  ('paygate_write_off', 0, 0);
CREATE FUNCTION paygate_count_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO paygate_row_count (name, shard, written)
  VALUES (TG_TABLE_NAME, pg_backend_pid() % 1024, 1)
  ON CONFLICT (name, shard) DO UPDATE SET written = paygate_row_count.written + 1;
  RETURN NULL;
END;
$$;
CREATE TRIGGER paygate_account_settings_counted AFTER INSERT ON paygate_account_settings
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_allocation_counted AFTER INSERT ON paygate_allocation
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_api_key_counted AFTER INSERT ON paygate_api_key
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_bank_account_counted AFTER INSERT ON paygate_bank_account
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_bank_file_counted AFTER INSERT ON paygate_bank_file
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_bank_line_counted AFTER INSERT ON paygate_bank_line
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_bank_match_counted AFTER INSERT ON paygate_bank_match
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_bank_statement_counted AFTER INSERT ON paygate_bank_statement
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_arrival_counted AFTER INSERT ON paygate_arrival
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_assignment_key_counted AFTER INSERT ON paygate_assignment_key
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_attempt_counted AFTER INSERT ON paygate_attempt
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_attempt_try_counted AFTER INSERT ON paygate_attempt_try
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_chargeback_counted AFTER INSERT ON paygate_chargeback
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_chargeback_item_counted AFTER INSERT ON paygate_chargeback_item
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_claim_counted AFTER INSERT ON paygate_claim
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_credit_counted AFTER INSERT ON paygate_credit
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_customer_counted AFTER INSERT ON paygate_customer
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_document_counted AFTER INSERT ON paygate_document
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_early_return_counted AFTER INSERT ON paygate_early_return
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_feed_counted AFTER INSERT ON paygate_feed
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_file_counted AFTER INSERT ON paygate_file
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_hold_counted AFTER INSERT ON paygate_hold
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_inbox_counted AFTER INSERT ON paygate_inbox
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_invoice_counted AFTER INSERT ON paygate_invoice
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_item_counted AFTER INSERT ON paygate_item
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_key_counted AFTER INSERT ON paygate_key
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_letterhead_counted AFTER INSERT ON paygate_letterhead
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_link_counted AFTER INSERT ON paygate_link
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_link_item_counted AFTER INSERT ON paygate_link_item
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_mandate_counted AFTER INSERT ON paygate_mandate
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_method_counted AFTER INSERT ON paygate_method
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_outbox_counted AFTER INSERT ON paygate_outbox
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_page_token_counted AFTER INSERT ON paygate_page_token
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_payer_number_counted AFTER INSERT ON paygate_payer_number
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_payment_counted AFTER INSERT ON paygate_payment
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_prepayment_counted AFTER INSERT ON paygate_prepayment
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_address_counted AFTER INSERT ON paygate_address
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_address_count_counted AFTER INSERT ON paygate_address_count
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_posting_counted AFTER INSERT ON paygate_posting
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_quote_counted AFTER INSERT ON paygate_quote
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_receipt_counted AFTER INSERT ON paygate_receipt
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_refund_item_counted AFTER INSERT ON paygate_refund_item
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_report_line_counted AFTER INSERT ON paygate_report_line
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_reversal_counted AFTER INSERT ON paygate_reversal
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_review_counted AFTER INSERT ON paygate_review
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_sink_counted AFTER INSERT ON paygate_sink
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_taken_counted AFTER INSERT ON paygate_taken
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_write_off_counted AFTER INSERT ON paygate_write_off
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_autopay_item_counted AFTER INSERT ON paygate_autopay_item
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_autopay_line_counted AFTER INSERT ON paygate_autopay_line
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_autopay_notice_counted AFTER INSERT ON paygate_autopay_notice
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_autopay_run_counted AFTER INSERT ON paygate_autopay_run
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_subscription_counted AFTER INSERT ON paygate_subscription
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_campaign_counted AFTER INSERT ON paygate_campaign
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_episode_counted AFTER INSERT ON paygate_episode
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_stage_counted AFTER INSERT ON paygate_stage
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_promise_counted AFTER INSERT ON paygate_promise
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_commitment_counted AFTER INSERT ON paygate_commitment
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
CREATE TRIGGER paygate_overdue_run_counted AFTER INSERT ON paygate_overdue_run
  FOR EACH ROW EXECUTE FUNCTION paygate_count_row();
