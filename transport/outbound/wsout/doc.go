// Package wsout delivers messages over WebSocket (RFC 6455): one message of the
// peer's protocol for each, over long-lived connections that messages share, with
// gorilla/websocket.
//
// # URLs
//
// ws://host:port/path?query#api_key and wss likewise. User information becomes
// basic authentication, the text after "#" the x-api-key header of the handshake;
// neither is part of the request's URL.
//
// # The message
//
// The payload, byte for byte, as text where the message is text and as binary
// otherwise. Text must be UTF-8. WebSocket has no room for anything beside it: the
// message's id and content type do not travel, unless a wire format puts them into
// the payload.
//
// # Connections
//
// Messages share a connection when their handshakes are the same: the profile, the
// whole URI with its user and API key, and the metadata, whose entries are headers
// of the handshake. Metadata that differs for each message therefore gives each a
// connection of its own; the profile's setting ws.mode "single" does so too, with
// the message's id in the handshake. A profile has ws.connections to a destination,
// at most one of which is being dialled. They are dialled when a message needs one,
// after a random wait where the one before failed, and close when they are idle or
// old. The profile's TLS, proxy and egress policy hold (package egress), redirects
// are not followed, and compression is off unless Options.Compression is set.
//
// A connection is written by one goroutine, which takes all messages that wait and
// writes them to the socket at once, and read by another, always.
//
// # Delivery
//
// The evidence is written, unless the profile or the options say what acknowledges:
// the pong to a ping behind the message, or a message of the peer with its id. What
// was written on a connection that was lost before it acknowledged is written again
// on the next, with the same id and in the same order, at most twice in an attempt
// and only while that has time; then the outcome is unknown, and the queue retries.
// A peer's close code says what its end means for the message: 1003 and 1007 to
// 1010 are permanent; 1002 is the second time; 1011, 1012 and 1013 are temporary;
// 3000 to 4999 are as the profile's ws.close_codes has them, temporary otherwise.
// Where several messages were under way, they are tried one at a time, until the
// one that the code is about has been found.
//
// # Messages of the peer
//
// Those that acknowledge nothing go to Options.OnFrame, in order. While it does not
// take them, the connection is not read, so that the peer is slowed down; after
// Options.FrameTimeout it is closed with 1013, since nobody answers pings
// meanwhile.
//
// # Statistics
//
// The collector times "dns", "connect", "tls", "handshake" (from the look-up to the
// peer's answer), "write" (from the start until the socket has it), "ack" (from
// then on) and "total", counts failed attempts by class, and the bytes of payloads
// sent and received.
//
// # Concurrency
//
// A Transport is safe for concurrent use. It runs two goroutines for each
// connection, and one more for a peer that sends messages; Stop waits for them.
//
// # Errors
//
// [*outbound.DeliveryError]. Its code is the status that answered the handshake, or
// the peer's close code; or one of [egress.Classify]; or timeout, canceled,
// connection_reset, connection_closed, write_timeout, pong_timeout, protocol_error,
// inbound_too_long, inbound_stuck; bad_handshake; proxy (it refused); bad_message,
// bad_profile, no_ack (the message demands an acknowledgement and there is none);
// too_many_connections; stopped. CheckMessage returns [*outbound.FieldError]. No
// text repeats what a peer sent, nor anything secret of the endpoint.
package wsout
