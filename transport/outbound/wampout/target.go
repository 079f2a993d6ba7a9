package wampout

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat/wamp"
)

// Schemes.
const (
	schemeWS  = "wamp+ws"
	schemeWSS = "wamp+wss"
)

// form is how a payload becomes arguments.
type form string

const (
	formRaw   form = "raw"
	formValue form = "value"
	formArgs  form = "args"
)

// target is what an endpoint names.
type target struct {
	router url.URL            // of the WebSocket resource, without user information
	dialed transport.Endpoint // the router's scheme, host and port
	realm  string
	topic  string // or the procedure
	call   bool
	form   form
}

var errScheme = fmt.Errorf("want the scheme %s or %s", schemeWS, schemeWSS)

// parseTarget reads an endpoint. Errors repeat nothing that may be secret.
func parseTarget(e transport.Endpoint) (target, error) {
	t := target{form: formRaw}
	u := e.URL()
	switch u.Scheme {
	case schemeWS:
		u.Scheme = "ws"
	case schemeWSS:
		u.Scheme = "wss"
	default:
		return t, errScheme
	}
	u.User = nil
	path, topic, ok1 := cutLast(u.EscapedPath())
	path, realm, ok2 := cutLast(path)
	if !ok1 || !ok2 || u.Host == "" {
		return t, errors.New("want the host, the realm and the topic: wamp+ws://host/realm/topic")
	}
	if !wamp.IsURI(realm) || !wamp.IsURI(topic) {
		return t, errors.New("the realm or the topic is not a WAMP URI: want names between dots, such as com.example.orders")
	}
	t.realm, t.topic = realm, topic
	if path == "" {
		path = "/"
	}
	plain, err := url.PathUnescape(path)
	if err != nil {
		return t, errors.New("the path has an escape that is not valid")
	}
	u.Path, u.RawPath = plain, path
	if u.RawQuery, err = t.query(u.RawQuery); err != nil {
		return t, err
	}
	t.router = u
	t.dialed, err = transport.ParseEndpoint(u.Scheme + "://" + u.Host)
	return t, err
}

// cutLast cuts the last segment from an escaped path.
func cutLast(path string) (rest, segment string, ok bool) {
	slash := strings.LastIndexByte(path, '/')
	if slash < 0 {
		return "", "", false
	}
	segment, err := url.PathUnescape(path[slash+1:])
	return path[:slash], segment, err == nil && segment != ""
}

// query takes the parameters that are not the router's from a query.
func (t *target) query(raw string) (rest string, err error) {
	var others []string
	for part := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "call":
			if t.call, err = strconv.ParseBool(value); err != nil {
				return "", errors.New("the query's call: want true or false")
			}
		case "payload":
			switch t.form = form(value); t.form {
			case formRaw, formValue, formArgs:
			default:
				return "", errors.New("the query's payload: want raw, value or args")
			}
		default:
			others = append(others, part)
		}
	}
	return strings.Join(others, "&"), nil
}
