// Package agent puts the parts together: from a [Config] it makes profiles, wire
// formats, a store, the transports and the manager, and serves the HTTP API.
//
// # Configuration
//
// [LoadConfig] reads flags, environment variables and a YAML file. The key
// api.listen is the variable OUTRIDER_API_LISTEN. A variable with this prefix that
// is no key is an error, unless Kubernetes has made it of a Service called outrider
// (OUTRIDER_SERVICE_HOST, OUTRIDER_PORT and the like): that is passed over. Secrets are given as text, as
// env:NAME or as file:PATH, and are never printed.
//
// # HTTP API
//
//	POST /v1/messages                 one message, or a batch as NDJSON
//	GET  /v1/messages                 ?state= &endpoint= &profile= &limit= &cursor=
//	GET  /v1/messages/{id}            ?payload=true
//	POST /v1/messages/{id}/cancel
//	POST /v1/messages/{id}/replay
//	POST /v1/replay                   ?result= &since= &limit= &cursor= &dry_run=
//	GET  /v1/events                   server-sent events, ?topic= is a pattern
//	GET  /v1/stats
//	GET  /v1/destinations             those that are paused or fail
//	POST /v1/destinations/pause
//	POST /v1/destinations/resume
//	POST /v1/destinations/test        one attempt at once
//	GET  /v1/sessions                 connections of peers
//	POST /v1/sessions/{id}/close
//	GET  /v1/pickups                  recipients for whom messages wait
//	GET  /livez, /readyz
//
// Bodies are JSON, read strictly: what is unknown, given twice or left over is an
// error. Errors are problem details (RFC 9457), see [Problem]. Endpoints in
// answers are redacted, and payloads are shown by id only.
//
// # Security
//
// On a loopback address the API needs no token: it then refuses what a browser
// sends for a foreign page, and hosts that are neither an address nor localhost.
// Anywhere else it takes a bearer token, and the agent does not start without
// one. With a token, every path but /livez and /readyz asks for it.
//
// # Delivery
//
// Package outbound says what is promised of a message. A 202 means that it is in
// the store.
//
// # Concurrency
//
// An [Agent] is safe for concurrent use. While it runs there are the manager's
// goroutines, one that accepts connections, those of net/http, and, where somebody
// listens to events, one that keeps the latest.
//
// # Errors
//
// [LoadConfig], [Config.Validate] and [New] join every [*KeyError].
package agent
