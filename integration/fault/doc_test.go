// Package fault breaks what a daemon stands on, and checks its promise: processes
// are killed, disks fail, fill up and forget, peers stall. docs/verify.md has the
// list.
package fault
