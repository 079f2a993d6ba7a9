// Package httpout delivers messages over HTTP and HTTPS: one POST for each
// attempt, over pooled connections, with hashicorp/go-retryablehttp.
//
// # URLs
//
// http://host:port/path?query#api_key and https likewise. User information
// becomes basic authentication, the text after "#" the x-api-key header; neither
// is part of the request's URL.
//
// # The request
//
// The body is the payload, byte for byte. Content-Type is the message's, or
// application/json for text and application/octet-stream otherwise. The message's
// id, the same on every attempt, is in Message-Id. Each entry of the metadata is
// a header; those that belong to HTTP itself are refused when the message is
// accepted.
//
// # Delivery
//
// A 2xx answer is the receiver's acknowledgement, whatever becomes of the answer's
// body. Where Options.OnReply has no room for that, the attempt keeps the
// evidence, and is made again for the answer. Redirects are never followed: they
// would turn the POST into a GET without the payload. 410 says that the
// destination is gone. 408, 425, 429 and 5xx are temporary, and a Retry-After in
// them is honoured, up to a day. 501, 505 and the rest of 4xx are temporary too,
// unless the profile's setting http.permanent_4xx is true. An answer that is lost
// after the payload was written makes the outcome unknown. There is one attempt
// for each call: neither go-retryablehttp nor net/http repeats what a receiver may
// have seen.
//
// # Connections
//
// Each profile has a pool of its own, with its TLS, its proxy and its egress
// policy (package egress). Failures of one destination leave the connections to
// others alone. HTTP/2 is used where an https receiver offers it. Where the process
// has no file descriptor left for another connection, those that are idle are closed.
//
// # Statistics
//
// The collector times "dns", "connect", "tls", "first_byte" (from the start to
// the answer's header) and "total", counts failed attempts by class, and the
// bytes of payloads sent and of answers' bodies read.
//
// # Concurrency
//
// A Transport is safe for concurrent use. It starts no goroutines of its own;
// net/http runs two for each connection, and Stop waits until every connection
// is closed.
//
// # Errors
//
// [*outbound.DeliveryError]. Its code is the answer's status; or one of
// [egress.Classify]; or timeout, canceled, connection_reset, connection_closed and
// bad_response where an answer was lost; tls_client_refused; proxy (it refused);
// bad_message; reply_not_taken; stopped. CheckMessage returns [*outbound.FieldError].
// No text repeats what a receiver sent, nor anything secret of the endpoint. What
// is kept of an answer has *** for the endpoint's API key, user and password, and
// for the values of metadata whose names speak of a secret (authorization, cookie,
// token, key, secret, password), where the receiver repeats them as they are.
package httpout
