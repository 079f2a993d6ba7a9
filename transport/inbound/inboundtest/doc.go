// Package inboundtest is the conformance suite of inbound transports, and a
// receiver in memory for tests of handlers.
package inboundtest
