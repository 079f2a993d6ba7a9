package wamptest

import "github.com/outrider-go/outrider/wireformat/wamp"

// handle answers a message, and reports whether the connection goes on.
func (c *client) handle(m wamp.Message) bool {
	switch m := m.(type) {
	case *wamp.Hello:
		return c.hello(m)
	case *wamp.Authenticate:
		return c.authenticate(m)
	case *wamp.Abort:
		return false
	case *wamp.Goodbye:
		if m.Reason != "wamp.close.goodbye_and_out" {
			c.send(&wamp.Goodbye{Reason: "wamp.close.goodbye_and_out"})
		}
		return false
	}
	if !c.joined {
		return c.refuse("wamp.error.protocol_violation")
	}
	if h := c.router.options.Handle; h != nil {
		if answers, handled := h(m); handled {
			c.send(answers...)
			return true
		}
	}
	for _, d := range c.router.route(c, m) {
		d.to.send(d.m)
	}
	return true
}

// delivery is a message for a client.
type delivery struct {
	to *client
	m  wamp.Message
}

// route returns what becomes of a message.
func (r *Router) route(c *client, m wamp.Message) []delivery { //nolint:cyclop // one case for each message
	r.mu.Lock()
	defer r.mu.Unlock()
	back := func(m wamp.Message) []delivery { return []delivery{{c, m}} }
	switch m := m.(type) {
	case *wamp.Subscribe:
		id := r.topics[m.Topic]
		if id == 0 {
			id = r.newID()
			r.topics[m.Topic] = id
		}
		c.subscriptions[id] = true
		return back(&wamp.Subscribed{Request: m.Request, Subscription: id})
	case *wamp.Unsubscribe:
		delete(c.subscriptions, m.Subscription)
		return back(&wamp.Unsubscribed{Request: m.Request})
	case *wamp.Publish:
		return r.publish(c, m)
	case *wamp.Register:
		if r.procedures[m.Procedure] != nil {
			return back(&wamp.Error{RequestType: m.Type(), Request: m.Request, Error: "wamp.error.procedure_already_exists"})
		}
		id := r.newID()
		r.procedures[m.Procedure] = &procedure{id, c}
		return back(&wamp.Registered{Request: m.Request, Registration: id})
	case *wamp.Unregister:
		for uri, p := range r.procedures {
			if p.id == m.Registration && p.owner == c {
				delete(r.procedures, uri)
				return back(&wamp.Unregistered{Request: m.Request})
			}
		}
		return back(&wamp.Error{RequestType: m.Type(), Request: m.Request, Error: "wamp.error.no_such_registration"})
	case *wamp.Call:
		p := r.procedures[m.Procedure]
		if p == nil {
			return back(&wamp.Error{RequestType: m.Type(), Request: m.Request, Error: "wamp.error.no_such_procedure"})
		}
		id := r.newID()
		r.calls[id] = call{c, m.Request}
		return []delivery{{p.owner, &wamp.Invocation{Request: id, Registration: p.id, Details: encoding(m.Options), Payload: m.Payload}}}
	case *wamp.Cancel:
		return r.cancel(c, m)
	case *wamp.Yield:
		return r.finish(m.Request, func(request wamp.ID) wamp.Message {
			return &wamp.Result{Request: request, Details: encoding(m.Options), Payload: m.Payload}
		})
	case *wamp.Error:
		return r.finish(m.Request, func(request wamp.ID) wamp.Message {
			return &wamp.Error{RequestType: wamp.TypeCall, Request: request, Details: m.Details, Error: m.Error, Payload: m.Payload}
		})
	}
	return back(&wamp.Abort{Reason: "wamp.error.protocol_violation"})
}

// encoding are the attributes that say how a payload is encoded.
func encoding(options wamp.Dict) wamp.Dict {
	kept := wamp.Dict{}
	for _, name := range []string{"enc_algo", "enc_serializer", "enc_key", "ppt_scheme", "ppt_serializer", "ppt_cipher", "ppt_keyid"} {
		if v, ok := options[name]; ok {
			kept[name] = v
		}
	}
	return kept
}

func (r *Router) publish(c *client, m *wamp.Publish) []delivery {
	publication, id := r.newID(), r.topics[m.Topic]
	var all []delivery
	excludeMe := true
	if v, ok := m.Options["exclude_me"].(bool); ok {
		excludeMe = v
	}
	for other := range r.clients {
		if id != 0 && other.subscriptions[id] && (other != c || !excludeMe) {
			all = append(all, delivery{other, &wamp.Event{Subscription: id, Publication: publication, Details: encoding(m.Options), Payload: m.Payload}})
		}
	}
	if acknowledge, _ := m.Options["acknowledge"].(bool); acknowledge {
		all = append(all, delivery{c, &wamp.Published{Request: m.Request, Publication: publication}})
	}
	return all
}

// cancel interrupts the invocation, and ends the call.
func (r *Router) cancel(c *client, m *wamp.Cancel) []delivery {
	for id, running := range r.calls {
		if running.caller != c || running.request != m.Request {
			continue
		}
		delete(r.calls, id)
		answers := []delivery{{c, &wamp.Error{RequestType: wamp.TypeCall, Request: m.Request, Error: "wamp.error.canceled"}}}
		for _, p := range r.procedures {
			answers = append(answers, delivery{p.owner, &wamp.Interrupt{Request: id}})
		}
		return answers
	}
	return nil
}

func (r *Router) finish(invocation wamp.ID, answer func(wamp.ID) wamp.Message) []delivery {
	waiting, ok := r.calls[invocation]
	if !ok {
		return nil
	}
	delete(r.calls, invocation)
	return []delivery{{waiting.caller, answer(waiting.request)}}
}
