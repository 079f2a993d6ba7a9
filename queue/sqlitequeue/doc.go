// Package sqlitequeue keeps a delivery queue on disk: a [queue.Store] in one
// directory, in a SQLite database, with nothing to install. It is the store that
// an agent uses where it is given no other.
//
// # How it works
//
// One goroutine, the committer, writes. It takes what all callers want to enqueue
// and to settle, writes it in one transaction, and tells them once that is
// fsynced: under load a commit is shared by dozens of calls, and outcomes cost no
// fsync of their own.
//
// A message that is due at once is appended to a log, one row for all of a commit,
// and kept in memory. When it is delivered it is appended to a history in the same
// way: it never gets into a table or an index, which would cost more than all else.
// Only what has to wait has a row of its own, in an index by lane, priority and time:
// for a retry, a time or its turn in an ordering key, or because memory has no room
// (the window of its lane is full). It is loaded a page at a time, when its time
// comes. So memory depends on what is being delivered, not on what waits. What has
// been in the log for five seconds moves into the tables, too.
//
// Leases are in memory. One process has the store, and when it ends, all leases
// do. After a crash, what is left in the log moves into the tables before anything is
// leased; an attempt that the crash cut short does not count.
//
// # Delivery
//
// At least once. What [Store.Enqueue] and [Store.Settle] return without an error
// is on disk, fsynced. After a crash the messages that were leased are leased
// again: those can arrive twice, and no others.
//
// A message whose content is not what was written (each has a checksum) is not
// delivered: it ends as dead, and says so.
//
// # Concurrency
//
// One lock guards what is in memory; it is never held over I/O. Look-ups read the
// database beside the committer.
//
// # Errors
//
// Those of package queue. When a write or an fsync has failed, every call fails
// with [queue.ErrStoreFailed] until the store is opened again: what is on the disk
// is not known then, and an fsync that is tried again would only seem to succeed.
// When the disk is full, new messages are refused with [queue.ErrStoreFull], and
// outcomes and removals go on in room that is kept for them.
package sqlitequeue
