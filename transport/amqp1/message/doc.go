// Package message is the message format of AMQP 1.0 (part 3, section 3.2):
// header, annotations, properties, body and footer, with values of
// [github.com/outrider-go/outrider/transport/amqp1/value].
//
// [Encode] and [Decode] lose nothing: every type of value, the order of maps, and
// whether a property is there at all. Sections that may come once come in the
// specification's order, and [Decode] wants them so.
//
// Neither checks which types of keys annotations and application properties have:
// peers differ. The constructors of value.Dict do.
//
// # Errors
//
// errors.Is with the kinds of package value, whose text names the section and the
// field, and never what they hold.
package message
