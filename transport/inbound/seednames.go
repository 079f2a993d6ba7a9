package inbound

// BaseInboundTransport is the seed's name for [Transport].
type BaseInboundTransport = Transport
