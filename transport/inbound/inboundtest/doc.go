// Package inboundtest is the conformance suite of inbound transports, and a
// receiver in memory for tests of handlers. Whoever writes a transport runs the
// suite in a test that is not parallel, since it counts goroutines:
//
//	func TestConformance(t *testing.T) {
//		inboundtest.Run(t, newHarness, inboundtest.Features{
//			Streams: true, Evidence: transport.Written, Text: true,
//		})
//	}
//
// newHarness makes a transport and a way to connect to it, on the loopback
// interface or in the process. Each case gets a harness of its own, and a manager
// with a handler that does what the case wants.
//
// The suite checks what the manager and the peers rely on: the start-stop contract;
// that messages arrive whole, once, in order, and with what travels beside them;
// that a peer is told that a message is taken when the handler has taken it, and
// otherwise which refusal it is and nothing of the inside; that replies and
// delivered messages arrive, and that what cannot be written is said to be
// unwritten; that sessions end with their connection, and connections with their
// session; and that a stopped transport leaves no goroutine behind.
package inboundtest
