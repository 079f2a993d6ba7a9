package wireformat

import (
	"cmp"
	"fmt"

	"github.com/outrider-go/outrider/internal/strictjson"
)

// decorators are the values, as they are written, of the members of an Aries
// message that a receipt is made of (RFC 0008, RFC 0092); nil where there are
// none.
type decorators struct{ id, thread, transport []byte }

// keep keeps a member of the message if it is one of them.
func (d *decorators) keep(name, value []byte) {
	switch string(name) {
	case "@id":
		d.id = value
	case "~thread":
		d.thread = value
	case "~transport":
		d.transport = value
	}
}

// receipt reads them. What is there must have the right type.
func (d *decorators) receipt() (Receipt, error) {
	var thid, pthid, route []byte
	threadErr := inside("~thread", d.thread, func(name, value []byte) {
		switch string(name) {
		case "thid":
			thid = value
		case "pthid":
			pthid = value
		}
	})
	transportErr := inside("~transport", d.transport, func(name, value []byte) {
		if string(name) == "return_route" {
			route = value
		}
	})
	id, idErr := strictjson.Text("@id", d.id)
	thread, thidErr := strictjson.Text("~thread.thid", thid)
	parent, pthidErr := strictjson.Text("~thread.pthid", pthid)
	returnRoute, routeErr := strictjson.Text("~transport.return_route", route)
	if err := cmp.Or(threadErr, transportErr, idErr, thidErr, pthidErr, routeErr); err != nil {
		return Receipt{}, err
	}
	receipt := Receipt{Format: jsonName, ThreadID: cmp.Or(thread, id), ParentThreadID: parent}
	switch returnRoute {
	case ReturnRouteNone, ReturnRouteAll, ReturnRouteThread:
		receipt.ReturnRoute = returnRoute
	}
	return receipt, nil
}

// inside visits the members of a decorator's value, none where it is missing or
// null.
func inside(name string, value []byte, visit func(name, value []byte)) error {
	switch {
	case strictjson.IsNull(value):
		return nil
	case value[0] != '{':
		return fmt.Errorf("%s is not an object", name)
	}
	return strictjson.Members(value, maxDepth, visit)
}
