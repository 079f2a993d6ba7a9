// Package memqueue keeps a delivery queue in memory: a [queue.Store] for tests,
// for messages that may be lost with the process, and for measuring what a
// durable store costs.
//
// A waiting message costs about 160 bytes beside its payload, metadata and keys,
// 50 more with a time or a key, 50 more again with an ordering key or a replay,
// 100 more for each ordering key in use, and 112 per attempt in its log. An
// idempotency key that is known costs 160, also when its record is gone. What the
// messages of a lane have in common (lane, endpoint, format, policy, priority,
// targets) is kept once. A delivered record lets go of its payload and metadata at once; dead,
// cancelled and expired ones keep theirs for a replay, and count these bytes
// against a retention. Records stay until [Store.Purge] removes them.
//
// # Delivery
//
// At least once while the process lives; nothing survives it. Within a lane and a
// priority, messages whose lease ran out come first, and then those that are due
// longest. One that waited for its turn in an ordering key is due from when it got
// it. What has expired keeps its place in the key until [Store.Expire] ends it.
//
// Times to come are measured on the monotonic clock: when the wall clock is set
// back or ahead, neither leases nor retries move. ExpiresAt is compared with the
// wall clock. Times after the year 2262 are kept as that year.
//
// # Concurrency
//
// One mutex guards everything. It is held for O(log n) per message and never
// over I/O or a callback; scans of many records (List, Cancel, Replay, Stats)
// give it back after each thousand. What Get and Attempts return is the caller's;
// the payload and metadata that Lease returns are the store's, to be read only.
//
// # Errors
//
// Those of package queue. [queue.ErrStoreFull] comes from the limits in [Options].
package memqueue
