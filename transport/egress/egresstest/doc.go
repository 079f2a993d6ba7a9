// Package egresstest helps to test what dials through package egress: a
// certificate authority with certificates of every kind, a DNS server that answers
// as a test says, and an HTTP proxy. Only the proxy opens a socket, on loopback.
package egresstest
