package outbound_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport/outbound"
)

// limited is a directory of profiles, each without or with limits.
func limited(t *testing.T, limits map[string]profile.Limits) *profile.Static {
	t.Helper()
	var all []*profile.Profile
	for id, limits := range limits {
		p, err := profile.New(id, profile.Options{Limits: limits})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	directory, err := profile.NewStatic(all...)
	if err != nil {
		t.Fatal(err)
	}
	return directory
}

// of has a message sent by a profile.
func (f *fixture) of(directory profile.Directory, id string) func(*outbound.Message) {
	f.t.Helper()
	p, err := directory.Lookup(f.t.Context(), id)
	if err != nil {
		f.t.Fatal(err)
	}
	return func(m *outbound.Message) { m.Profile = p }
}

// One worker, attempts of a second: the message of the small profile has to wait
// for the attempt under way, and for one of the big profile's at most.
func TestAProfileWithManyDestinationsDelaysNoOther(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		directory := limited(t, map[string]profile.Limits{"big": {}, "small": {}})
		f := start(t, &driver{handle: func(context.Context, *outbound.Message) error {
			pass(time.Second)
			return nil
		}}, outbound.Options{Workers: 1, Profiles: directory})
		big, small := f.of(directory, "big"), f.of(directory, "small")
		for i := range 2000 {
			f.send(fmt.Sprintf("test://big%d/", i), big)
		}
		for range 5 {
			pass(time.Second)
			began := time.Now()
			id := f.send("test://small/", small)
			for f.record(id).State != "deliver" {
				pass(time.Second / 2)
				synctest.Wait()
			}
			if waited := time.Since(began); waited > 2*time.Second {
				t.Errorf("the message waited %v for its attempt", waited)
			}
		}
	})
}
