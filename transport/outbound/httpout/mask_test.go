package httpout

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// echo answers with what it was sent, and with the status that the query has.
func echo(w http.ResponseWriter, r *http.Request) {
	status := http.StatusOK
	_, _ = fmt.Sscan(r.URL.Query().Get("status"), &status)
	body, _ := io.ReadAll(r.Body)
	w.WriteHeader(status)
	user, password, _ := r.BasicAuth()
	_, _ = fmt.Fprintf(w, "%s%s %s\n", body, user, password)
	_ = r.Header.Write(w)
}

// TestAnswersHoldNoSecrets: a peer may answer with what it was sent.
func TestAnswersHoldNoSecrets(t *testing.T) {
	t.Parallel()
	basic := strings.TrimRight(base64.StdEncoding.EncodeToString([]byte("canary-user:canary-user-password")), "=")
	server, p := serve(t, echo), local(t, profile.Options{})
	replies := make(chan Reply, 1) // one of the two is a success
	for name, options := range map[string]Options{
		"kept":         {},
		"cut":          {KeepResponse: 100},
		"with a reply": {OnReply: func(_ context.Context, _ *outbound.Message, r Reply) error { replies <- r; return nil }},
	} {
		for _, status := range []int{http.StatusOK, http.StatusServiceUnavailable} {
			t.Run(fmt.Sprint(name, " ", status), func(t *testing.T) {
				t.Parallel()
				m := message(t, p, strings.Replace(server.URL, "//", "//canary-user:canary-user-password@", 1)+
					fmt.Sprintf("/?status=%d#canary-api-key", status))
				m.Payload = []byte("canary-api-key canary-token is wrong, plain is not; ")
				m.Metadata = transport.Metadata{
					"x-session-TOKEN": "Bearer canary-token", "Cookie": "canary-cookie", "X-Plain": "plain", "x-my-secret": "canary-secret",
					"X-Private-Key": "canary-private", "password-2": "canary-second",
				}
				text := string(keptOf(t, start(t, options), m))
				if strings.Contains(text, "canary") || strings.Contains(text, basic) {
					t.Errorf("kept %q", text)
				}
				if options.OnReply != nil && status == http.StatusOK && !strings.Contains(string((<-replies).Body), "canary-api-key") {
					t.Error("the reply was changed, which is for the application")
				}
				if !strings.HasPrefix(text, "*** *** is wrong, plain is not; *** ***\n") {
					t.Errorf("kept %q, want what is no secret", text)
				}
			})
		}
	}
}

// keptOf returns what is kept of the answer to m.
func keptOf(t *testing.T, tr *Transport, m *outbound.Message) []byte {
	t.Helper()
	receipt, err := tr.HandleMessage(t.Context(), m)
	if fault := faultOf(err); fault != nil {
		return fault.Response
	}
	return receipt.Response
}

func TestMask(t *testing.T) {
	t.Parallel()
	p := local(t, profile.Options{})
	keyed := func(key string) *outbound.Message { return message(t, p, "http://127.0.0.1/#"+key) }
	for _, test := range []struct {
		name   string
		answer string
		keep   int
		whole  bool
		m      *outbound.Message
		want   string
	}{
		{"nothing secret", "abcdef", 4, false, message(t, p, "http://127.0.0.1/"), "abcd"},
		{"no answer", "", 10, true, keyed("key"), ""},
		{"inside", "a key, a key", 100, true, keyed("key"), "a ***, a ***"},
		{"whole answers end as they do", "a ke", 100, true, keyed("key"), "a ke"},
		{"cut by the peer", "a ke", 100, false, keyed("key"), "a ***"},
		{"cut by the limit", "a secret", 7, true, keyed("secret"), "a ***"},
		{"masks are longer", "kkkk", 4, true, keyed("k"), "****"},
		{"cut to the limit", "abc k", 5, true, keyed("k"), "abc *"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			answer := []byte(test.answer)
			if got := string(mask(answer, test.keep, test.whole, test.m)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if string(answer) != test.answer {
				t.Errorf("the answer was changed to %q", answer)
			}
		})
	}
}

func TestMaskCostsNothingWithoutSecrets(t *testing.T) { // not parallel: it counts allocations
	m := message(t, local(t, profile.Options{}), "http://127.0.0.1/in?a=b")
	m.Metadata = transport.Metadata{"x-plain": "value"}
	answer := []byte("answer")
	if each := testing.AllocsPerRun(100, func() { mask(answer, 3, true, m) }); each != 0 {
		t.Errorf("an answer takes %v allocations", each)
	}
}
