package httpout

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/httprules"
	"github.com/outrider-go/outrider/transport/outbound"
)

func TestStatusClasses(t *testing.T) {
	t.Parallel()
	const success, permanent, temporary, throttled = transport.Success, transport.Permanent, transport.Temporary, transport.Throttled
	strict := local(t, profile.Options{Settings: map[string]string{SettingPermanent4xx: "true"}})
	lenient := local(t, profile.Options{})
	tr := start(t, Options{})
	receiver := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if wait := r.URL.Query().Get("wait"); wait != "" {
			w.Header().Set("Retry-After", wait)
		}
		status, _ := strconv.Atoi(r.URL.Path[1:])
		w.WriteHeader(status)
	})
	for _, test := range []struct {
		status          int
		wait            string
		lenient, strict transport.Class
		retryAfter      time.Duration
	}{
		{200, "", success, success, 0},
		{201, "", success, success, 0},
		{202, "", success, success, 0},
		{204, "", success, success, 0},
		{299, "9", success, success, 0},
		{300, "", temporary, temporary, 0},
		{304, "9", temporary, temporary, 0},
		{400, "", temporary, permanent, 0},
		{401, "", temporary, permanent, 0},
		{403, "9", temporary, permanent, 0},
		{404, "", temporary, permanent, 0},
		{405, "", temporary, permanent, 0},
		{408, "", temporary, temporary, 0},
		{408, "9", temporary, temporary, 9 * time.Second},
		{410, "9", permanent, permanent, 0},
		{413, "", temporary, permanent, 0},
		{415, "", temporary, permanent, 0},
		{422, "", temporary, permanent, 0},
		{425, "9", temporary, temporary, 9 * time.Second},
		{429, "", temporary, temporary, 0},
		{429, "9", throttled, throttled, 9 * time.Second},
		{429, "0", throttled, throttled, 0},
		{429, "soon", temporary, temporary, 0},
		{429, "9223372037", throttled, throttled, httprules.MaxRetryAfter},
		{429, "Fri, 31 Dec 9999 23:59:59 GMT", throttled, throttled, httprules.MaxRetryAfter},
		{500, "", temporary, temporary, 0},
		{500, "9", temporary, temporary, 9 * time.Second},
		{501, "9", temporary, permanent, 0},
		{502, "", temporary, temporary, 0},
		{503, "", temporary, temporary, 0},
		{503, "9", throttled, throttled, 9 * time.Second},
		{504, "", temporary, temporary, 0},
		{505, "", temporary, permanent, 0},
		{599, "", temporary, temporary, 0},
		{700, "", temporary, temporary, 0},
	} {
		for p, want := range map[*profile.Profile]transport.Class{lenient: test.lenient, strict: test.strict} {
			m := message(t, p, receiver.URL+"/"+strconv.Itoa(test.status)+"?wait="+escape(test.wait))
			if want == success {
				receipt := deliver(t, tr, m)
				if receipt.Evidence != transport.Acknowledged || receipt.Code != strconv.Itoa(test.status) || receipt.Note != "" {
					t.Errorf("%d: got %+v", test.status, receipt)
				}
				continue
			}
			fault := fail(t, t.Context(), tr, m)
			expect(t, fault, want, strconv.Itoa(test.status), true)
			if fault.RetryAfter != test.retryAfter || fault.Gone != (test.status == http.StatusGone) {
				t.Errorf("%d: retry after %v, gone %v", test.status, fault.RetryAfter, fault.Gone)
			}
		}
	}
}

// A redirect would turn the POST into a GET without the payload, and a 200 to
// that is no delivery.
func TestRedirectsAreNeverFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := serve(t, ok)
	for _, location := range []string{elsewhere.URL + "/", "/again", "", "http://bad host/%zz", "http://169.254.169.254/"} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			receiver := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Location"] = []string{location}
				w.WriteHeader(status)
			})
			tr := start(t, Options{})
			fault := fail(t, t.Context(), tr, message(t, local(t, profile.Options{}), receiver.URL+"/"))
			expect(t, fault, transport.Temporary, strconv.Itoa(status), true)
			if got := receiver.connections.Load(); got != 1 {
				t.Errorf("%d to %q: %d connections", status, location, got)
			}
		}
	}
	if got := elsewhere.connections.Load(); got != 0 {
		t.Errorf("the target of the redirects had %d connections", got)
	}
}

func TestPermanent4xxSettingIsChecked(t *testing.T) {
	t.Parallel()
	p := local(t, profile.Options{Settings: map[string]string{SettingPermanent4xx: "maybe"}})
	wantField(t, start(t, Options{}).CheckMessage(t.Context(), message(t, p, "http://127.0.0.1/")), "profile", SettingPermanent4xx)
}

// TestStatusOfHTTP2: there the status may be any number.
func TestStatusOfHTTP2(t *testing.T) {
	t.Parallel()
	for _, status := range []int{0, 5, 99, 1000} {
		resp := &http.Response{StatusCode: status, Status: strconv.Itoa(status) + " ", Header: http.Header{}}
		fault := statusFault(&outbound.Message{}, profile.Default(), resp, time.Now())
		if fault.Class != transport.Temporary || fault.Code != strconv.Itoa(status) {
			t.Errorf("%d: %s %s", status, fault.Class, fault.Code)
		}
	}
}
