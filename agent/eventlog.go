package agent

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/outrider-go/outrider/event"
)

// Bounds of the event log, which docs/api.md tells.
const (
	maxLogEvents = 10_000
	maxLogBytes  = 8 << 20          // as they are sent
	logLinger    = 10 * time.Minute // that it goes on after the last stream has ended
	logBuffer    = 8192             // events that the bus holds for it
	logRead      = 64               // events that a stream reads at once
)

// eventLog numbers the events of a run, and keeps the latest as they are sent. It
// begins with the first stream, so that an agent to which nobody listens pays
// nothing. The goroutine is that of its subscription.
type eventLog struct {
	bus                 *event.Bus
	log                 *zap.Logger
	run                 string // that no other run of the agent has
	maxEvents, maxBytes int

	mu           sync.Mutex
	subscription *event.Subscription // nil: it keeps nothing now
	streams      int
	rest         *time.Timer // ends the subscription when nobody has listened for long
	closed       bool
	begun        int           // subscriptions so far
	entries      []logEntry    // oldest first; a number that none has was lost
	bytes        int           // of entries
	last         uint64        // the number of the latest event; 0: there was none
	dropped      uint64        // by the subscription, so far
	more         chan struct{} // closed when there is another entry; nil: nobody waits
}

// logEntry is one event.
type logEntry struct {
	n     uint64
	time  time.Time
	topic string
	frame []byte
}

func newEventLog(bus *event.Bus, log *zap.Logger) *eventLog {
	return &eventLog{
		bus: bus, log: log, maxEvents: maxLogEvents, maxBytes: maxLogBytes,
		run: strconv.FormatInt(time.Now().UnixMicro(), 36),
	}
}

// open begins a stream: what is published from now on will be in the log. It
// returns the number of the latest event. The error is [event.ErrClosed].
func (l *eventLog) open() (last uint64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return 0, event.ErrClosed
	}
	if l.subscription == nil {
		l.begun++
		number := l.begun
		l.subscription, err = l.bus.Handle("(?s).*", func(e event.Event) { l.add(number, e) }, event.SubscribeOptions{Buffer: logBuffer})
		if err != nil {
			return 0, err
		}
		l.dropped = 0
	}
	if l.rest != nil {
		l.rest.Stop()
		l.rest = nil
	}
	l.streams++
	return l.last, nil
}

// leave ends a stream.
func (l *eventLog) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.streams--; l.streams == 0 && !l.closed {
		l.rest = time.AfterFunc(logLinger, l.pause)
	}
}

// pause forgets everything until the next stream.
func (l *eventLog) pause() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.streams > 0 || l.closed || l.subscription == nil {
		return
	}
	l.subscription.Close()
	l.subscription, l.entries, l.bytes = nil, nil, 0
	l.last++ // for all that is not heard from now on
}

// close waits until all that was published is in the log, which then ends.
func (l *eventLog) close() {
	l.mu.Lock()
	l.closed = true
	if l.rest != nil {
		l.rest.Stop()
	}
	subscription := l.subscription
	l.mu.Unlock()
	if subscription != nil {
		subscription.Close()
		<-subscription.Done()
	}
}

// add is the handler of the subscription with a number.
func (l *eventLog) add(number int, e event.Event) {
	data := l.encode(e)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.subscription == nil || l.begun != number { // it was paused
		return
	}
	dropped := l.subscription.Dropped()
	l.last += 1 + dropped - l.dropped
	l.dropped = dropped
	l.append(logEntry{n: l.last, time: e.Time, topic: e.Topic, frame: l.frame(e.Topic, l.last, data)})
	if l.more != nil {
		close(l.more)
		l.more = nil
	}
}

func (l *eventLog) append(e logEntry) {
	l.entries = append(l.entries, e)
	l.bytes += len(e.frame)
	for len(l.entries) > 1 && (len(l.entries) > l.maxEvents || l.bytes > l.maxBytes) {
		l.bytes -= len(l.entries[0].frame)
		l.entries[0] = logEntry{}
		l.entries = l.entries[1:]
	}
}

// after returns the first events that follow a number, as many as one read takes,
// and the number of the latest event there was. Once there is a later one, more is
// closed.
func (l *eventLog) after(n uint64) (entries []logEntry, last uint64, more <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, _ := slices.BinarySearchFunc(l.entries, n+1, func(e logEntry, n uint64) int { return cmp.Compare(e.n, n) })
	if l.more == nil {
		l.more = make(chan struct{})
	}
	return slices.Clone(l.entries[at:min(at+logRead, len(l.entries))]), l.last, l.more
}

// number returns the number in an id that this run has given; false: it is another
// run's, or no id.
func (l *eventLog) number(id string, last uint64) (n uint64, ok bool) {
	run, number, _ := strings.Cut(id, "-")
	n, err := strconv.ParseUint(number, 10, 64)
	return n, err == nil && run == l.run && n <= last
}

func (l *eventLog) id(n uint64) string { return l.run + "-" + strconv.FormatUint(n, 10) }

// encode returns an event as JSON.
func (l *eventLog) encode(e event.Event) []byte {
	payload, err := json.Marshal(e.Payload)
	if err != nil {
		l.log.Error("event payload is not JSON", zap.String("topic", e.Topic), zap.Error(err))
		payload = []byte("null")
	}
	data, err := json.Marshal(EventView{Topic: e.Topic, Time: e.Time, Payload: payload})
	if err != nil {
		l.log.Error("event is not JSON", zap.String("topic", e.Topic), zap.Error(err))
		data = []byte("null")
	}
	return data
}

// frame returns what is sent for an event.
func (l *eventLog) frame(topic string, n uint64, data []byte) []byte {
	return fmt.Appendf(nil, "event: %s\nid: %s\ndata: %s\n\n", noLineEnds.Replace(topic), l.id(n), data)
}

var noLineEnds = strings.NewReplacer("\n", " ", "\r", " ")
