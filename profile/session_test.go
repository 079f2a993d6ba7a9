package profile_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/outrider-go/outrider/profile"
)

// recorder is a Publisher that writes down what it gets.
type recorder struct {
	got []string
	on  func() // called on every event
}

func (r *recorder) Publish(topic string, payload any) {
	r.got = append(r.got, fmt.Sprint(topic, "=", payload))
	if r.on != nil {
		r.on()
	}
}

func emit(t *testing.T, s *profile.Session, topics ...string) {
	t.Helper()
	for i, topic := range topics {
		if err := s.Emit(topic, i); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCommitPublishesInOrder(t *testing.T) {
	t.Parallel()
	var r recorder
	p := profile.Default()
	s := p.Session(&r)
	if s.Profile() != p {
		t.Errorf("the session is of %v", s.Profile())
	}
	emit(t, s, "a", "b", "a")
	if len(r.got) != 0 {
		t.Errorf("published before the commit: %v", r.got)
	}
	if err := s.Commit(); err != nil {
		t.Fatal(err)
	}
	want := []string{"a=0", "b=1", "a=2"}
	if !slices.Equal(r.got, want) {
		t.Errorf("published %v, want %v", r.got, want)
	}
	s.Rollback()
	if err := s.Commit(); !errors.Is(err, profile.ErrSessionEnded) || !slices.Equal(r.got, want) {
		t.Errorf("the second commit: %v, published %v", err, r.got)
	}
}

func TestRollbackDropsEvents(t *testing.T) {
	t.Parallel()
	var r recorder
	s := profile.Default().Session(&r)
	emit(t, s, "a", "b")
	s.Rollback()
	s.Rollback()
	if err := s.Commit(); !errors.Is(err, profile.ErrSessionEnded) {
		t.Errorf("commit after rollback: %v", err)
	}
	if len(r.got) != 0 {
		t.Errorf("published %v", r.got)
	}
}

func TestEmitAfterTheEnd(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*profile.Session) error{
		"commit":   (*profile.Session).Commit,
		"rollback": func(s *profile.Session) error { s.Rollback(); return nil },
	} {
		var r recorder
		s := profile.Default().Session(&r)
		if err := end(s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := s.Emit("late", 1); !errors.Is(err, profile.ErrSessionEnded) || len(r.got) != 0 {
			t.Errorf("%s: emit says %v, published %v", name, err, r.got)
		}
	}
}

func TestSubscriberThatUsesTheSession(t *testing.T) {
	t.Parallel()
	var r recorder
	s := profile.Default().Session(&r)
	r.on = func() {
		if err := s.Emit("more", nil); !errors.Is(err, profile.ErrSessionEnded) {
			t.Errorf("emit within the commit: %v", err)
		}
		s.Rollback()
	}
	emit(t, s, "a", "b")
	if err := s.Commit(); err != nil {
		t.Fatal(err)
	}
	if want := []string{"a=0", "b=1"}; !slices.Equal(r.got, want) {
		t.Errorf("published %v, want %v", r.got, want)
	}
}

func TestSessionWithoutPublisher(t *testing.T) {
	t.Parallel()
	s := profile.Default().Session(nil)
	emit(t, s, "a")
	if err := s.Commit(); err != nil {
		t.Error(err)
	}
	if err := s.Commit(); !errors.Is(err, profile.ErrSessionEnded) {
		t.Errorf("the second commit: %v", err)
	}
}

func TestSessionsAreApart(t *testing.T) {
	t.Parallel()
	var r recorder
	p := profile.Default()
	one, two := p.Session(&r), p.Session(&r)
	emit(t, one, "one")
	emit(t, two, "two")
	one.Rollback()
	if err := two.Commit(); err != nil || !slices.Equal(r.got, []string{"two=0"}) {
		t.Errorf("published %v, %v", r.got, err)
	}
}
