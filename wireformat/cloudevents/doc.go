// Package cloudevents sends payloads as events of CloudEvents 1.0
// (https://cloudevents.io), and reads such events.
//
// There is a wire format for each content mode:
//
//   - "cloudevents": structured. The event is one JSON object, of the media type
//     application/cloudevents+json. Every transport carries it; over WebSocket it is
//     a text message, and [Subprotocol] the sub-protocol.
//   - "cloudevents/batch": a JSON array of events. For HTTP.
//   - "cloudevents/binary": the payload is the data, and the attributes are HTTP
//     headers, percent-encoded as the HTTP binding says.
//   - "cloudevents/amqp": the same with AMQP application properties.
//
// A message becomes an event so: the payload is the data, and its content type
// datacontenttype. Attributes are metadata with the prefix "ce-", such as
// ce-subject; in every mode they are given and read as plain text, without an
// encoding. What is missing of the required ones is filled in: id is the message's,
// source and type are the profile's settings "cloudevents.source" and
// "cloudevents.type". The time is the id's. A payload of the media type
// application/cloudevents+json is an event already, and is sent as it is, in the
// form of the mode.
//
// # Concurrency
//
// Formats may be used by many goroutines at once. An [Event] is a value.
//
// # Errors
//
// [*wireformat.Error]; of the functions for receivers, an error that wraps
// [ErrEvent]. Neither repeats data or values of attributes.
package cloudevents
