// Package transport holds the words both directions share: the endpoint a
// message goes to, the secret that must not be printed, the metadata that
// travels beside a payload, the class of an attempt's outcome, and the strength
// of the evidence that a payload arrived.
//
// It is the bottom of the tree: it imports the standard library only, and
// everything else may import it.
//
// # Concurrency
//
// [Endpoint], [Secret] and [ID] are immutable values and safe to share.
// [Metadata] is a map: whoever hands one over no longer changes it.
//
// # Errors
//
// [ParseEndpoint] answers an [*EndpointError], which never repeats the text it
// was given: an endpoint may carry a password, and error text ends in logs.
package transport
