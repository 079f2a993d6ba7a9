// Package didcomm encrypts messages for the holders of keys: DIDComm v1 (Aries RFC
// 0019, with forwards of RFC 0094) and DIDComm v2
// (https://identity.foundation/didcomm-messaging/spec/v2.1/).
//
// The wire formats are
//
//   - "didcomm/v1": recipients, routing keys and sender are verkeys, in base58 or as
//     did:key;
//   - "didcomm/v2": recipient and sender are DIDs, or DID URLs of one key;
//   - "didcomm/v2/signed": v2, signed and not encrypted, so that everybody can read
//     it;
//   - "didcomm": v1 or v2, by what the message is: ACA-Py's PackWireFormat;
//   - "didcomm/acapy": the same, as lenient as ACA-Py: what cannot be encrypted for
//     want of keys goes out in the clear, and what cannot be decrypted is taken for
//     plain JSON. For tests and for a change from there.
//
// All but the last two encrypt, always: without a sender the message is anonymous
// (anoncrypt), with one it is authenticated (authcrypt), and without recipients it
// is refused. Settings of the profile say how, see [SettingSign] and the others.
//
// Private keys are those of the profile's security module, which they never leave.
// For v2, documents of DIDs come from a [Resolver]; did:key and did:peer:2 need
// none of the network.
//
// # Delivery
//
// A message is encrypted when it is accepted, once: what is kept is the envelope,
// and every attempt sends the same.
//
// # Concurrency
//
// Formats may be used by many goroutines at once.
//
// # Errors
//
// [*wireformat.Error]. None repeats a message or key material; ids of keys are
// shown.
package didcomm
