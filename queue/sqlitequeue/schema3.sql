-- The idempotency keys that are known and whose message has been removed: what a
-- duplicate is told.
CREATE TABLE gone (
  seq    INTEGER PRIMARY KEY,
  prefix INTEGER NOT NULL, -- the first half of the id
  key    INTEGER NOT NULL, -- of the key's hash, the 8 bytes after those in keys
  told   TEXT              -- the status it had last; NULL: queued_for_delivery
)
