package outbound

// ACA-Py's names.
type (
	// BaseOutboundTransport is ACA-Py's name for [Transport].
	BaseOutboundTransport = Transport
	// OutboundSendStatus is ACA-Py's name for [Status].
	OutboundSendStatus = Status
)
