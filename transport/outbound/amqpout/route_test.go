package amqpout

import (
	"fmt"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/amqp1"
)

func endpoint(t testing.TB, uri string) transport.Endpoint {
	t.Helper()
	e, err := transport.ParseEndpoint(uri)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"amqp://h/q1":                  "q1",
		"amqp://h:5672/q1":             "q1",
		"amqp://h//queue/q1":           "/queue/q1",
		"amqp://h/%2Fqueue%2Fq1":       "/queue/q1",
		"amqp://h/a/b":                 "a/b",
		"amqp://h/with%20space%3F":     "with space?",
		"amqp://h/?address=q%2F1":      "q/1",
		"amqp://h/path?address=other":  "other",
		"amqps://h/jms.queue.q?ttl=1m": "jms.queue.q",
	} {
		r, err := newRoute(profile.Default(), endpoint(t, uri))
		if err != nil || r.node != want || r.target.Address != want || r.template.to != want {
			t.Errorf("%s: %+v, %v; want %q", uri, r, err, want)
		}
	}
	r, err := newRoute(profile.Default(), endpoint(t, "amqp://h/q1?relay=true"))
	if err != nil || r.target.Address != "" || r.template.to != "q1" {
		t.Errorf("relay: %+v, %v", r, err)
	}
}

func TestRefusedEndpoints(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"http://h/q":                           "want amqp or amqps",
		"amqp://h":                             "address is missing",
		"amqp://h/":                            "address is missing",
		"amqp://h/q?colour=canary":             `option "colour" is not known`,
		"amqp://h/q?canary":                    "an option without a value",
		"amqp://h/q?durable=canary":            "option durable: want true or false",
		"amqp://h/q?ttl=-1s":                   "option ttl: want a duration",
		"amqp://h/q?ttl=1m&ttl=2m":             "more than once",
		"amqp://h/q?priority=10":               "option priority: want a whole number of at most 9",
		"amqp://h/q?window=1001":               "option window: want a whole number of 1 to 1000",
		"amqp://h/q?durability=canary":         "option durability: want none",
		"amqp://h/q?expiry-policy=canary":      "option expiry-policy: want link-detach",
		"amqp://h/q?body=canary":               "option body: want data or value",
		"amqp://h/q?sasl=canary":               "sasl mechanism",
		"amqp://h/q?sasl=plain":                "needs a user name",
		"amqp://h/q?content-type=%C3%A9":       "option content-type: want ASCII",
		"amqp://h/q?group-sequence=4294967296": "option group-sequence",
		"amqp://h/q?relay=true&settled=true":   "relay with option settled",
		"amqp://h/q?annotation.=canary":        "is not known",
	} {
		_, err := newRoute(profile.Default(), endpoint(t, uri))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: err = %v, want %q", uri, err, want)
		}
		if err != nil && uri != "amqp://h/q?sasl=canary" && strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: the error repeats the value: %v", uri, err)
		}
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	r, err := newRoute(profile.Default(), endpoint(t, "amqps://u%3A1:p%2F1@h/q?vhost=tenant-a&container-id=me&window=7&durability=unsettled-state"+
		"&expiry-policy=never&expiry-timeout=90s&capabilities=queue,shared&exactly-once=1&sasl=scram-sha-256,plain&authzid=boss&allow-insecure=true"))
	if err != nil {
		t.Fatal(err)
	}
	c := r.remote.Credentials
	if r.remote.Address != "h:5671" || !r.remote.TLS || r.remote.Hostname != "vhost:tenant-a" || r.remote.ContainerID != "me" ||
		c.Username != "u:1" || c.Password.Reveal() != "p/1" || c.AuthorizationID != "boss" || !c.AllowInsecure ||
		fmt.Sprint(c.Mechanisms) != "[SCRAM-SHA-256 PLAIN]" {
		t.Errorf("remote: %+v", r.remote)
	}
	if r.target.Window != 7 || r.target.Durability != amqp1.DurabilityUnsettledState || r.target.ExpiryPolicy != amqp1.ExpiryNever ||
		r.target.ExpiryTimeout != 90 || fmt.Sprint(r.target.Capabilities) != "[queue shared]" || !r.target.SettleSecond {
		t.Errorf("target: %+v", r.target)
	}
}

func TestCredentialsOfTheProfile(t *testing.T) {
	t.Parallel()
	p, err := profile.New("tenant", profile.Options{
		Settings: map[string]string{"amqp.username": "alice", "amqp.sasl": "PLAIN", "amqp.container_id": "mine", "amqp.allow_insecure": "true"},
		Secrets:  map[string]transport.Secret{"amqp.password": transport.NewSecret("geheim"), "amqp.token": transport.NewSecret("t")},
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRoute(p, endpoint(t, "amqp://h/q"))
	if c := r.remote.Credentials; err != nil || c.Username != "alice" || c.Password.Reveal() != "geheim" || !c.AllowInsecure || r.remote.ContainerID != "mine" {
		t.Errorf("%+v, %v", r.remote, err)
	}
	r, err = newRoute(p, endpoint(t, "amqp://bob:x@h/q"))
	if c := r.remote.Credentials; err != nil || c.Username != "bob" || c.Password.Reveal() != "x" || !c.Token.IsZero() {
		t.Errorf("the URI's go first: %+v, %v", c, err)
	}
	if text := fmt.Sprintf("%+v", r.remote.Credentials); strings.Contains(text, "geheim") {
		t.Error("the credentials print the password")
	}
}

// FuzzRoute: no URI panics, and no error repeats the value of an option.
func FuzzRoute(f *testing.F) {
	f.Add("q", "durable=true&ttl=1m")
	f.Add("/queue/q%2F", "annotation.x=1&property.y=2&sasl=plain")
	f.Add("%zz", "a=b&a=c&=d")
	f.Fuzz(func(t *testing.T, path, query string) {
		if strings.Contains(path+query, "#") {
			return // what follows is the API key
		}
		e, err := transport.ParseEndpoint("amqp://h/" + path + "?" + query + "&unknown-option=canary-of-secrets")
		if err != nil {
			return
		}
		if _, err := newRoute(profile.Default(), e); err == nil || strings.Contains(err.Error(), "canary-of-secrets") {
			t.Errorf("err = %v", err)
		}
	})
}
