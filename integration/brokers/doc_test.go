// Package brokers tests delivery over AMQP 1.0 against the implementations of
// others: RabbitMQ, Qpid Proton's brokers, and npm's rhea. Each test starts its
// peers as processes of their own, on loopback, with data of their own.
//
// peers/install makes what no package of Debian has; `make peers` runs it.
package brokers
