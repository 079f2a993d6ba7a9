// Package client talks to the HTTP API of an agent.
//
// # Errors
//
// What the API refuses is an [*Error] with the problem it answered. Whatever
// else goes wrong names the server, and never the token or the query.
//
// # Concurrency
//
// A [Client] is safe for concurrent use.
package client
