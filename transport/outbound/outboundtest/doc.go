// Package outboundtest is the conformance suite of outbound transports. Whoever
// writes one runs it in a test that is not parallel, since it counts goroutines:
//
//	func TestConformance(t *testing.T) {
//		outboundtest.Run(t, newHarness, outboundtest.Features{
//			Evidence: transport.Acknowledged, Metadata: true, ID: true,
//		})
//	}
//
// newHarness makes a transport and the peers it talks to, on the loopback
// interface or in the process. Each case gets a harness of its own.
//
// The suite checks what the manager relies on: the start-stop contract; that
// payloads arrive whole, once, and with what travels beside them; that messages
// are not changed; that errors have the class that decides about retries, tell
// whether the payload may have arrived, and hold no secret; that attempts end
// with their context; that a stopped transport leaves no goroutine behind; and
// that its collector has the bytes sent, a duration of each delivery under a name
// of its own choice, and each error under its class.
package outboundtest
