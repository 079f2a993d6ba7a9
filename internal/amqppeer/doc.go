// Package amqppeer is an AMQP 1.0 peer in the process: a container with nodes, for
// tests, benchmarks and the demo. It speaks the protocol at the level of frames,
// with a codec of its own, so that it can be told to be odd, slow or hostile.
//
// A node is an address. What is transferred to it is settled as the node's Answer
// says; where that is Accepted and somebody receives from the address, it is
// passed on. [Options.Script] sees each frame first and may answer in the peer's
// place, with whatever bytes it likes.
//
// # Concurrency
//
// A Peer runs one goroutine for each connection and is safe for concurrent use.
// Its functions are called by those goroutines.
package amqppeer
