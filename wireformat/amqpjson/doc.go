// Package amqpjson is a wire format for AMQP values of every type, which callers
// write and read as JSON: the composite data JSON of IPWorks' AMQP class.
//
// Each value is an object with its type and its value, and with a descriptor
// where it is described:
//
//	{"type": "uint", "value": 23}
//	{"descriptor": {"type": "symbol", "value": "example:temperature"}, "type": "double", "value": -2.5}
//
// A null, a boolean and a string may stand for themselves; described, they leave
// out the type. How values are written:
//
//	null                        null, which may be left out
//	boolean                     true or false
//	ubyte, ushort, uint, ulong  a whole number
//	byte, short, int, long      a whole number
//	timestamp                   a whole number: milliseconds since 1970
//	float, double               a number, or "NaN", "Infinity", "-Infinity"
//	decimal                     hex of 4, 8 or 16 bytes, which is its width
//	char                        a string of one character
//	uuid                        32 hex digits, with or without hyphens
//	binary                      hex
//	string                      a string
//	symbol                      a string in ASCII
//	list                        an array of values
//	array                       an array of values of one type, with one descriptor or none
//	map                         an array of keys and values in turn; no key comes twice
//
// Names of types are in lower case; hex may be in either, and is written in lower
// case. A number is never a string, nor a string a number.
//
// What IPWorks leaves open: a NaN with other bits than the usual ones is its bits
// in hex, as "0x7fc00001". A float is written with the digits of the double that
// equals it.
//
// JSON has no place for two things that AMQP has: a value with several
// descriptors, or with a descriptor that is described, which is an error; and the
// type of an array's elements where there are none, which reads as string.
package amqpjson
