// Package webhook signs what goes out as Standard Webhooks says
// (https://www.standardwebhooks.com), and checks what comes in.
//
// [Format] is the wire format "webhook". Three headers travel with the payload:
// webhook-id, the same on every attempt; webhook-timestamp and webhook-signature,
// made anew for each attempt. What is signed are the bytes that go out, with the id
// and the time in front of them.
//
// The signing secrets are the profile's secret "webhook": one or more texts with
// blanks between them, each of which signs, so that receivers can change from one
// to the next:
//
//   - whsec_ and the base64 of 16 to 64 bytes: HMAC-SHA256, scheme v1. The prefix
//     may be missing.
//   - whsk_ and the base64 of an Ed25519 key pair, 64 bytes: scheme v1a.
//
// An Ed25519 key that must not leave its security module is named in the profile's
// setting "webhook.keys" instead: ids with blanks between them.
//
// Receivers use a [Verifier]: it checks the signature in constant time, and that
// the message is no older than five minutes, so that it cannot be replayed. It
// leaves to the receiver to remember the ids it has seen.
//
// # Concurrency
//
// Everything may be used by many goroutines at once.
//
// # Errors
//
// [ErrSecret] where a secret is not one, [ErrVerify] where a message is not to be
// believed; of the format, [*wireformat.Error]. None repeats a secret or a
// signature.
package webhook
