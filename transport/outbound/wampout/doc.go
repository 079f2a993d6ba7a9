// Package wampout delivers messages through WAMP routers, over WebSocket: it
// publishes them to a topic of a realm, or calls a procedure with them.
//
// # URLs
//
//	wamp+ws://[authid[:secret]@]host[:port][/path]/realm/topic[?query]
//	wamp+wss://...
//
// The last two segments of the path are the realm and the topic; what is before
// them is the path of the router's WebSocket resource. In the query,
//
//	call=true         calls the procedure of that name instead of publishing
//	payload=raw       text is a string argument, all else bytes (default)
//	payload=value     the payload is JSON, and its value the only argument
//	payload=args      a JSON array has the arguments, or an object those by name
//
// and all other parameters are the router's. Without a port it is 80, or 443 for
// wamp+wss. Text after "#" is the secret where there is no other.
//
// # The event
//
// With payload=raw, the payload is the only argument by place. By name there are
// "id", the message's id, the same on every attempt, "content_type" where it is known, and
// "metadata" where there is some. The other two forms have what the payload says
// and nothing else.
//
// # Joining
//
// Who joins follows from the endpoint, or else from the profile's settings:
//
//	wamp.authmethod    anonymous, ticket, wampcra or cryptosign
//	wamp.authid        who
//	wamp.key           id of the profile's Ed25519 key for cryptosign
//	wamp.bind          true ties cryptosign to the TLS connection
//	wamp.secret        a secret of the profile: the ticket, or the one of WAMP-CRA
//
// Without wamp.authmethod, a secret is used for WAMP-CRA, which does not show it,
// and as a ticket over wamp+wss only; a key is used for cryptosign; with neither,
// the session is anonymous.
//
// # End-to-end encryption
//
// With these settings of a profile, no payload of it leaves in clear, and routers
// see no more than its topic and length (WAMP-cryptobox). The message waits as it is
// and is encrypted for each attempt:
//
//	wamp.cryptobox.key     id of the profile's X25519 or Ed25519 key
//	wamp.cryptobox.peer    X25519 public key of those who read, in base64
//	wamp.style             enc marks payloads as autobahn does (default), ppt as the
//	                       specification does
//
// # Delivery
//
// The router's acknowledgement of a publication is evidence "accepted": a broker
// has taken it. It does not say that somebody is subscribed. The result of a call is
// evidence "acknowledged".
//
// # Connections
//
// Messages of one profile for one realm share a session, which is joined when it
// is needed and left when it was idle for a while. The profile's TLS, proxy and
// egress policy hold (package egress).
//
// # Statistics
//
// The collector times "dns", "connect", "tls", "join", "publish" and "call", counts failed
// attempts by class, and the bytes of payloads and of results.
//
// # Concurrency
//
// A Transport is safe for concurrent use. A session runs three goroutines; Stop
// waits for them.
//
// # Errors
//
// [*outbound.DeliveryError]. Its code is the WAMP URI of the router's or the callee's
// error; or one of [egress.Classify]; or handshake, or handshake_NNN with
// the status that a WebSocket handshake ended with; auth, proxy, timeout, canceled, lost, busy, bad_message or
// stopped. CheckMessage returns [*outbound.FieldError]. No text has any other word
// of the peer, nor anything secret of the endpoint.
package wampout
