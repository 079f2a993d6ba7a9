// Package profile describes the tenant that produces messages: who it is, its
// settings, secrets and keys, where it may connect to, and how much it may queue.
//
// # Concurrency
//
// A [Profile] does not change once made and is safe to share. A [Session]
// belongs to one goroutine.
package profile
