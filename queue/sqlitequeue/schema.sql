-- A message is in one of three places. Accepted: each commit appends what it
-- accepts and is due at once to a log, whose messages memory has, too. Most are
-- delivered soon, and then are in the history of what is delivered. What is not
-- (because it has to wait, or ends otherwise) is in the tables, where it is found
-- by its lane, its time and its state. seq is in the message's id, so that a
-- message is found without an index.

-- The messages that one commit has accepted; see accepted.go. The row goes when
-- all of them are elsewhere.
CREATE TABLE accepted (n INTEGER PRIMARY KEY, records BLOB NOT NULL);

-- The messages of the log that one commit has delivered, without content; see
-- delivered.go.
CREATE TABLE delivered (n INTEGER PRIMARY KEY, at INTEGER NOT NULL, records BLOB NOT NULL);

-- All others: what is listed and changes, and what only an attempt needs.
CREATE TABLE message (
  seq      INTEGER PRIMARY KEY,
  prefix   INTEGER NOT NULL,            -- the first half of the id
  lane     INTEGER NOT NULL,
  level    INTEGER NOT NULL,            -- of priority: 0 high, 1 normal, 2 low
  status   INTEGER NOT NULL,            -- see status.go
  flags    INTEGER NOT NULL DEFAULT 0,  -- 1: cancelled while leased, 2: gave up its turn
  due      INTEGER,                     -- all times are Unix nanoseconds
  expires  INTEGER,
  created  INTEGER NOT NULL,
  queued   INTEGER,                     -- of the last replay; NULL: as created
  updated  INTEGER,                     -- NULL: as created
  attempts INTEGER NOT NULL DEFAULT 0,  -- since it was queued
  logged   INTEGER NOT NULL DEFAULT 0,  -- number of the latest attempt in the log
  replays  INTEGER NOT NULL DEFAULT 0,
  evidence INTEGER NOT NULL DEFAULT 0,
  bytes    INTEGER NOT NULL,
  target   INTEGER NOT NULL DEFAULT 0,
  turn     INTEGER,                     -- hash of the ordering key
  told     TEXT,                        -- the status; NULL: queued_for_delivery
  error    TEXT,                        -- of the latest attempt
  head     BLOB NOT NULL,               -- the fields that listings show; see codec.go
  last     BLOB                         -- the latest attempt; earlier ones are in attempt
);
CREATE INDEX wait   ON message (lane, level, due)         WHERE status = 1;
CREATE INDEX live   ON message (seq)                      WHERE status < 4;
CREATE INDEX listed ON message (lane, (status > 3), seq);
CREATE INDEX result ON message (status, seq)              WHERE status > 3;
CREATE INDEX ended  ON message (status, updated)          WHERE status > 3;
CREATE INDEX expiry ON message (expires)                  WHERE expires > 0 AND status < 4;
CREATE INDEX turn   ON message (lane, turn, seq)          WHERE turn IS NOT NULL AND status < 3;
CREATE INDEX marked ON message (flags)                    WHERE flags > 0 AND status < 4;

CREATE TABLE content (
  seq    INTEGER PRIMARY KEY,
  sum    INTEGER NOT NULL,  -- CRC-32C of the id and of all that is not counted or timed
  secret BLOB NOT NULL,     -- URI, targets and metadata; see codec.go
  body   BLOB
);

CREATE TABLE attempt (
  seq   INTEGER NOT NULL,
  n     INTEGER NOT NULL,
  entry BLOB NOT NULL,
  PRIMARY KEY (seq, n)
) WITHOUT ROWID;

CREATE TABLE lane (
  id          INTEGER PRIMARY KEY,
  profile     TEXT NOT NULL,
  destination TEXT NOT NULL,
  tally       BLOB,          -- what it counts
  folded      INTEGER NOT NULL DEFAULT 0, -- the row of journal whose tally it is; later ones are newer
  state       TEXT,          -- what SetLane was told, as JSON
  UNIQUE (profile, destination)
);

-- The lanes' tallies as each commit left them, until they are folded into lane.
CREATE TABLE journal (n INTEGER PRIMARY KEY, tallies BLOB NOT NULL);

-- The idempotency keys of each commit: 8 bytes of hash and 8 of seq, each.
CREATE TABLE keys (n INTEGER PRIMARY KEY, at INTEGER NOT NULL, pairs BLOB NOT NULL);

CREATE TABLE setting (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
