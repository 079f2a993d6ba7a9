package event

import (
	"maps"
	"slices"
	"strings"
	"sync/atomic"
)

// maxCachedTopics bounds the topics whose subscriptions are remembered. When
// there are more, the memory starts anew.
const maxCachedTopics = 256

// table is a set of subscriptions that does not change, and what it has found
// out about topics, so that publishing does not run regular expressions each
// time. Every change of the set makes a new table.
type table struct {
	subscriptions []*Subscription
	topics        atomic.Pointer[map[string][]*Subscription]
}

// newTable returns nil where there are no subscriptions.
func newTable(subscriptions []*Subscription) *table {
	if len(subscriptions) == 0 {
		return nil
	}
	t := &table{subscriptions: subscriptions}
	t.topics.Store(&map[string][]*Subscription{})
	return t
}

func (t *table) with(s *Subscription) *table {
	if t == nil {
		return newTable([]*Subscription{s})
	}
	return newTable(append(slices.Clone(t.subscriptions), s))
}

func (t *table) without(s *Subscription) *table {
	if t == nil || !slices.Contains(t.subscriptions, s) {
		return t
	}
	others := slices.Clone(t.subscriptions)
	return newTable(slices.DeleteFunc(others, func(other *Subscription) bool { return other == s }))
}

// match returns the subscriptions that listen to a topic, oldest first.
func (t *table) match(topic string) []*Subscription {
	known := t.topics.Load()
	matching, ok := (*known)[topic]
	if ok {
		return matching
	}
	for _, s := range t.subscriptions {
		if s.pattern.Match(topic) {
			matching = append(matching, s)
		}
	}
	next := map[string][]*Subscription{}
	if len(*known) < maxCachedTopics {
		maps.Copy(next, *known)
	}
	next[strings.Clone(topic)] = matching // the topic may be a piece of something large
	t.topics.CompareAndSwap(known, &next) // who loses this race matches again next time
	return matching
}
