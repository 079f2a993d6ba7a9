package wsin

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/transport/inbound"
)

// ServeHTTP makes a socket of a handshake. A plain GET of / is told that somebody
// is there.
func (t *Transport) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := t.running.Load()
	switch {
	case now == nil:
		http.Error(w, inbound.Busy.Text(), http.StatusServiceUnavailable)
	case websocket.IsWebSocketUpgrade(r):
		t.upgrade(now, w, r)
	case r.URL.Path == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, "ready: connect by WebSocket\n") // the peer may have gone
	default:
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		http.Error(w, "connect by WebSocket", http.StatusUpgradeRequired)
	}
}

// upgrade opens the session and then the socket, so that who finds no room is told
// in HTTP.
func (t *Transport) upgrade(now *running, w http.ResponseWriter, r *http.Request) {
	origin, err := inbound.HTTPOrigin(t.scheme, r)
	if err != nil {
		http.Error(w, inbound.Malformed.Text(), http.StatusBadRequest)
		return
	}
	chosen := t.subprotocol(r)
	s := newSocket(now)
	s.session, err = now.host.Open(origin, inbound.SessionOptions{
		Replies: -1, Ready: s.ready, End: s.end,
		MaxMessageBytes: t.options.MaxMessageBytes, WireFormat: chosen.WireFormat,
	})
	if err != nil {
		w.Header().Set("Retry-After", "5")
		http.Error(w, inbound.Busy.Text(), http.StatusServiceUnavailable)
		return
	}
	var header http.Header
	if chosen.Name != "" {
		header = http.Header{"Sec-Websocket-Protocol": {chosen.Name}}
	}
	conn, err := t.upgrader.Upgrade(w, r, header)
	if err != nil {
		s.session.Close() // the peer has been told
		return
	}
	ended := s.connect(conn)
	if err := now.add(s); err != nil {
		s.session.Close()
		_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseGoingAway, reasonStopping),
			time.Now().Add(t.options.CloseTimeout)) // if it can be told
		_ = conn.Close() // nothing else has been said on it
		return
	}
	go s.run(ended) // not here: what net/http keeps of the request is not needed any more
}

// subprotocol returns the first that the peer offers, the zero value for none.
func (t *Transport) subprotocol(r *http.Request) Subprotocol {
	if len(t.options.Subprotocols) == 0 {
		return Subprotocol{}
	}
	offered := websocket.Subprotocols(r)
	for _, p := range t.options.Subprotocols {
		if slices.Contains(offered, p.Name) {
			return p
		}
	}
	return Subprotocol{}
}

// checkOrigin lets in what is no browser, pages of the same host, and those that
// are allowed.
func (t *Transport) checkOrigin(r *http.Request) bool {
	origins := r.Header["Origin"]
	if len(origins) == 0 {
		return true
	}
	u, err := url.Parse(origins[0])
	if err != nil || len(origins) > 1 || u.Host == "" {
		return false
	}
	return strings.EqualFold(u.Host, r.Host) || slices.ContainsFunc(t.options.AllowedOrigins, func(allowed string) bool {
		return strings.EqualFold(allowed, u.Scheme+"://"+u.Host)
	})
}

// refuseHandshake answers one that is wrong.
func (t *Transport) refuseHandshake(w http.ResponseWriter, _ *http.Request, status int, _ error) {
	t.Collector().CountError("handshake")
	w.Header().Set("Sec-Websocket-Version", "13")
	http.Error(w, http.StatusText(status), status)
}
