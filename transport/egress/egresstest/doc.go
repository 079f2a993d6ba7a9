// Package egresstest helps to test what dials through package egress: a
// certificate authority with certificates of every kind, and a DNS server that
// answers as a test says. Neither opens a socket.
package egresstest
