package amqp1

// peerError is the error of a peer (part 2, section 2.8.14), empty where it gave none.
type peerError struct {
	condition   Condition
	description string
}

// readError reads a field that is an error.
func readError(list *fields) peerError {
	constructor, body := list.next()
	if constructor != 0 {
		return peerError{}
	}
	code, rest, ok := descriptor(body)
	if !ok || code != codeError {
		return peerError{}
	}
	inner, _ := openList(rest)
	condition := inner.text()
	return peerError{Condition(condition), inner.text()}
}
