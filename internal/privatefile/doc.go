// Package privatefile reads and writes small files that their owner alone may
// read: keyrings, keys. A change is a new file in the place of the old one, so that
// a crash leaves the one or the other, whole.
package privatefile
