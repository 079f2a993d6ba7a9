package inbound

// BaseInboundTransport is ACA-Py's name for [Transport].
type BaseInboundTransport = Transport
