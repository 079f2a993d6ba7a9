package wsout

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/transport"
)

// meaning is what the end of a connection says about a message that was written
// and not acknowledged.
type meaning struct {
	class transport.Class
	// again: it says nothing about the message, which is written again on the next
	// connection.
	again bool
	// twice: only the second time is it about the message.
	twice bool
}

// meaningOf says what a peer's close code means (RFC 6455 section 7.4.1, and the
// IANA registry of WebSocket close codes).
func meaningOf(code int, own codeClasses) meaning {
	switch code {
	case websocket.CloseUnsupportedData, websocket.CloseInvalidFramePayloadData, websocket.ClosePolicyViolation,
		websocket.CloseMessageTooBig, websocket.CloseMandatoryExtension:
		return meaning{class: transport.Permanent}
	case websocket.CloseProtocolError:
		return meaning{class: transport.Permanent, twice: true}
	case websocket.CloseInternalServerErr, websocket.CloseTryAgainLater:
		return meaning{class: transport.Temporary}
	case websocket.CloseServiceRestart:
		return meaning{class: transport.Temporary, again: true}
	}
	if code >= firstOwnCode {
		return meaning{class: own.class(code)}
	}
	return meaning{class: transport.Unknown, again: true} // 1000, 1001, none, and those that nobody knows
}

// The close codes that libraries and applications define.
const firstOwnCode, lastOwnCode = 3000, 4999

// codeClasses has classes of close codes from firstOwnCode on.
type codeClasses []codeRange

type codeRange struct {
	first, last int
	class       transport.Class
}

// class returns the class of a code; that of the last range that has it.
func (c codeClasses) class(code int) transport.Class {
	class := transport.Temporary
	for _, r := range c {
		if code >= r.first && code <= r.last {
			class = r.class
		}
	}
	return class
}

// parseCodeClasses reads "4001=permanent, 4100-4199=temporary".
func parseCodeClasses(text string) (classes codeClasses, err error) {
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		codes, class, _ := strings.Cut(part, "=")
		first, last, ranged := strings.Cut(codes, "-")
		if !ranged {
			last = first
		}
		r := codeRange{class: transport.Class(strings.TrimSpace(class))}
		if r.first, err = parseCode(first); err != nil {
			return nil, err
		}
		if r.last, err = parseCode(last); err != nil {
			return nil, err
		}
		if r.last < r.first {
			return nil, fmt.Errorf("the range %d-%d ends before it begins", r.first, r.last)
		}
		if r.class != transport.Permanent && r.class != transport.Temporary {
			return nil, errors.New("want a class for each code, permanent or temporary, as in 4001=permanent")
		}
		classes = append(classes, r)
	}
	return classes, nil
}

func parseCode(text string) (int, error) {
	code, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || code < firstOwnCode || code > lastOwnCode {
		return 0, fmt.Errorf("want codes from %d to %d, as in 4001=permanent", firstOwnCode, lastOwnCode)
	}
	return code, nil
}
