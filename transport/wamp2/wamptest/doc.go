// Package wamptest has a WAMP router for tests, in the process and on the loopback
// interface: a broker and a dealer with exact topics and procedures, which speaks
// all built-in serializers and checks tickets, WAMP-CRA and cryptosign. A test
// scripts what is to be otherwise with Options.Handle.
package wamptest
