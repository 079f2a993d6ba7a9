// Package amqpout delivers messages over AMQP 1.0 to the nodes of a broker, with
// package amqp1.
//
// # URLs
//
// amqp://user:password@host:port/address?options#api_key, and amqps with TLS. The
// address is the path without its first slash, percent-decoded: amqp://h/q1 is
// the node "q1", amqp://h//queue/q1 is "/queue/q1". docs/amqp.md lists the
// options; one that is not known is an error. What stands behind "#" becomes the
// application property x-api-key.
//
// # Credentials
//
// Those of the URI, or else of the profile: the settings amqp.username,
// amqp.authzid, amqp.sasl and amqp.allow_insecure, and the secrets amqp.password
// and amqp.token. Without any, EXTERNAL is used with a client certificate, and
// ANONYMOUS otherwise.
//
// # The message
//
// The payload is the data section, or, where a wire format made an AMQP value of
// it (package amqpjson), the amqp-value section. The message-id is the message's
// id, the same on every attempt. The metadata are application properties, but
// those whose names begin with "amqp.", which are fields of the message as the
// options are: amqp.subject, amqp.annotation.x-opt-key.
//
// # Delivery
//
// Only the outcome "accepted" is a success. A rejection is permanent unless its
// condition passes, a release is temporary, and an outcome that was lost makes the
// attempt unknown. docs/amqp.md has the whole table. There is one transfer for each
// call.
//
// # Connections
//
// Links of one profile to one peer with the same credentials share connections;
// each link has a session of its own. Failures of one destination leave the links
// to others alone.
//
// # Statistics
//
// The collector times "dns", "connect", "tls", "sasl", "open", "attach", "settle"
// (from the start to the outcome) and "total".
//
// # Errors
//
// [*outbound.DeliveryError]. Its code is the peer's condition where it gave one, or
// one of package egress; or refused, no_credit, lost, stalled, sasl, protocol,
// message, peer_fault, unroutable, redirect, timeout, canceled and stopped.
package amqpout
