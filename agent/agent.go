package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/outrider-go/outrider/event"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/memqueue"
	"github.com/outrider-go/outrider/queue/sqlitequeue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/wireformat"
)

// hardStopWait is how long Stop waits for attempts that it has cut short.
const hardStopWait = 5 * time.Second

// Options of an [Agent]. The zero value works.
type Options struct {
	// Logger. Default: none.
	Logger *zap.Logger
	// Store keeps the messages, sealed where the config has a master key. It stays
	// the caller's, to be opened before Start and closed after Stop. Default: one in
	// the config's directory, or in memory, which the agent opens and closes.
	Store queue.Store
	// Formats are wire formats beside the built-in ones. One with the name of a
	// built-in one takes its place. Default: none.
	Formats []wireformat.Format
	// Handler gets what comes in. Default: what the config says (inbound.handler).
	Handler inbound.Handler
}

// Agent delivers messages, and serves the API through which others send them.
type Agent struct {
	config   Config
	log      *zap.Logger
	store    queue.Store
	ownStore bool
	disk     *sqlitequeue.Store // the store, where it is on disk and the agent's own
	events   *event.Bus
	profiles *profile.Static
	keys     []*keyModule // of profiles that have a file with keys
	formats  *wireformat.Registry
	manager  *outbound.Manager
	inbound  *inbound.Manager
	answers  answers
	handler  inbound.Handler
	api      *api // nil where there is none

	started    atomic.Bool
	stopping   atomic.Bool    // the API takes no messages any more
	life       transport.Turn // taken by Start and Stop: a wait for it can be given up
	halt       context.CancelFunc
	cutInbound context.CancelFunc // ends what comes in; halt does, too
	closed     bool               // the store
}

// New puts an agent together. It opens and starts nothing. The error joins all
// that is wrong with the config.
func New(config Config, options Options) (*Agent, error) {
	formats, err := Formats(options.Formats...)
	if err != nil {
		return nil, err
	}
	if err := config.validate(formats); err != nil {
		return nil, err
	}
	a := &Agent{
		config: config.withDefaults(), log: options.Logger, store: options.Store, formats: formats,
		life: transport.NewTurn(), halt: func() {}, cutInbound: func() {},
	}
	if a.log == nil {
		a.log = zap.NewNop()
	}
	a.events = event.New(event.Options{OnPanic: func(topic string, _ any, stack []byte) {
		a.log.Error("event handler panicked", zap.String("topic", topic), zap.ByteString("stack", stack))
	}})
	for _, step := range []func() error{a.openProfiles, a.openStore, func() error { return a.openInbound(options.Handler) }, a.openManager, a.openAPI} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// openProfiles makes the profiles of the config, and the default one in any case.
func (a *Agent) openProfiles() error {
	byID := a.config.profiles()
	var all []*profile.Profile
	for _, id := range sortedKeys(byID) {
		options := byID[id]
		keys, err := newKeyModule(id, &options)
		if err != nil {
			return err
		}
		if keys != nil {
			a.keys = append(a.keys, keys)
		}
		tenant, err := profile.New(id, options)
		if err != nil {
			return err
		}
		all = append(all, tenant)
	}
	directory, err := profile.NewStatic(all...)
	a.profiles = directory
	return err
}

// profiles are the profiles by id, with what AllowPrivate gives the default one.
func (c Config) profiles() map[string]profile.Options {
	all := map[string]profile.Options{profile.DefaultID: {}}
	maps.Copy(all, c.Profiles)
	if c.AllowPrivate {
		options := all[profile.DefaultID]
		options.Egress.AllowNetworks = append(slices.Clone(options.Egress.AllowNetworks),
			netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0"))
		all[profile.DefaultID] = options
	}
	return all
}

// openStore chooses the store, and puts a seal around it where there is a key.
func (a *Agent) openStore() error {
	if a.config.Dir == "" && !a.config.Memory {
		var err error
		if a.config.Dir, err = DefaultDir(); err != nil {
			return err
		}
	}
	keys, err := a.config.OpenKeyring() // first: what is sealed is not opened without
	if err != nil {
		return err
	}
	if a.store == nil {
		if a.store, err = a.newStore(); err != nil {
			return err
		}
		a.ownStore = true
	}
	return a.seal(keys)
}

// newStore makes the agent's own store. It has no limits of its own: the manager
// bounds what waits, and Retain what is kept, so that messages that are kept never
// keep others out.
func (a *Agent) newStore() (queue.Store, error) {
	if a.config.Memory {
		return memqueue.New(memqueue.Options{KeyLifetime: a.config.IdempotencyLifetime})
	}
	disk, err := sqlitequeue.New(a.config.Dir, sqlitequeue.Options{
		KeyLifetime: a.config.IdempotencyLifetime,
		OnFault:     func(err error) { a.log.Error("the queue's disk", zap.Error(err)) },
	})
	a.disk = disk
	return disk, err
}

func (a *Agent) openManager() error {
	retry, err := outbound.ParseRetryPolicy(a.config.Retry)
	if err != nil {
		return err
	}
	a.manager, err = outbound.New(a.store, outbound.Options{
		Profiles: a.profiles, Formats: a.formats, Events: a.events, Logger: a.log, TopicPrefix: a.config.TopicPrefix,
		Workers: a.config.Workers, LaneConcurrency: a.config.LaneConcurrency, AttemptTimeout: a.config.AttemptTimeout, Retry: retry,
		LaneRate: a.config.LaneRate, Breaker: a.config.Breaker, FailureBudget: a.config.FailureBudget,
		MaxMessages: a.config.MaxMessages, MaxBytes: a.config.MaxBytes, MaxMessageBytes: a.config.MaxMessageBytes,
		Retain: a.config.Retain, Sessions: a.inbound,
	})
	if err != nil {
		return err
	}
	return a.openTransports()
}

func (a *Agent) openAPI() error {
	if a.config.API.Listen == ListenOff {
		return nil
	}
	var err error
	a.api, err = newAPI(a)
	return err
}

// Start begins to deliver and to serve. Cancelling ctx later is the hard stop:
// attempts end at once and do not count; Stop is still to be called. An agent
// starts once; when Start fails, nothing is left running.
func (a *Agent) Start(ctx context.Context) error {
	if err := a.enter(ctx); err != nil {
		return fmt.Errorf("start agent: %w", err)
	}
	defer a.life.Give()
	if a.started.Load() {
		return errors.New("start agent: it has been started before")
	}
	if err := a.prepare(ctx); err != nil {
		return fmt.Errorf("start agent: %w", err)
	}
	if err := a.begin(ctx); err != nil {
		return errors.Join(fmt.Errorf("start agent: %w", err), a.closeStore(ctx))
	}
	a.started.Store(true)
	if a.api != nil {
		a.api.serve()
	}
	a.warnOfSilence()
	a.log.Info("agent started", zap.String("api", a.Addr()), zap.String("queue", a.place()), zap.Strings("schemes", a.manager.Schemes()))
	return nil
}

// begin starts what the agent is made of.
func (a *Agent) begin(ctx context.Context) error {
	if a.api != nil { // a port that is taken is found out before anything is delivered
		if err := a.api.listen(ctx); err != nil {
			return err
		}
	}
	base, halt := context.WithCancel(ctx)
	if err := a.manager.Start(base); err != nil {
		halt()
		return errors.Join(err, a.stopAPI(ctx))
	}
	coming, cutInbound := context.WithCancel(base)
	a.halt, a.cutInbound = halt, cutInbound
	if err := a.inbound.Start(coming); err != nil { // last: what comes in is handed on at once
		_, stopErr := a.drain(ctx)
		return errors.Join(err, stopErr, a.stopAPI(ctx))
	}
	return nil
}

// place says where the queue is.
func (a *Agent) place() string {
	switch {
	case a.disk != nil:
		return a.config.Dir
	case a.ownStore:
		return "memory"
	default:
		return "the caller's"
	}
}

// prepare opens the store and warns of what an operator should know.
func (a *Agent) prepare(ctx context.Context) error {
	if a.config.AllowPrivate {
		a.log.Warn("allow_private is on: the default profile may reach every address, this machine and its network included. " +
			"Do not use it where others can send messages")
	}
	if !a.store.Capabilities().Durable {
		a.log.Warn("queue is in memory: messages are lost when the process ends")
	}
	if a.disk != nil || !a.config.Encryption.Key.IsZero() {
		if err := checkDir(a.config.Dir); err != nil {
			return err
		}
	}
	if err := a.openKeys(ctx); err != nil {
		return err
	}
	if a.disk == nil {
		return nil
	}
	if err := a.disk.Open(ctx); err != nil {
		return errors.Join(err, a.closeKeys(ctx))
	}
	return nil
}

// Stop refuses new messages, begins no more attempts, and lets those under way end,
// for at most the config's ShutdownTimeout; those that have not ended then are cut
// short, and do not count. Requests that are being received have half of that time;
// what they bring is kept. The API answers meanwhile, so that the end can be
// watched, and closes last. ctx bounds the wait: when it ends, Stop returns its
// error and may be called again; until then attempts go on, the API answers, and
// events are told. It may be called before Start, twice, and by several at once,
// each of which waits for its own ctx at most.
func (a *Agent) Stop(ctx context.Context) (outbound.Left, error) {
	if err := a.enter(ctx); err != nil {
		return outbound.Left{}, fmt.Errorf("stop agent: %w", err)
	}
	defer a.life.Give()
	left, err := a.drain(ctx)
	if err != nil { // attempts go on, and are told
		return left, err
	}
	if err := a.stopAPI(ctx); err != nil {
		return left, err
	}
	a.halt() // no attempt needs the store any more
	err = errors.Join(a.events.Close(ctx), a.closeStore(ctx))
	a.log.Info("agent stopped", zap.Int64("messages_left", left.Messages), zap.Int64("bytes_left", left.Bytes))
	return left, err
}

// enter waits until no other Start or Stop is under way, or until ctx ends.
func (a *Agent) enter(ctx context.Context) error {
	if err := a.life.Take(ctx); err != nil {
		return fmt.Errorf("another start or stop is under way: %w", err)
	}
	return nil
}

func (a *Agent) stopAPI(ctx context.Context) error {
	if a.api == nil {
		return nil
	}
	return a.api.stop(ctx)
}

// drain stops both managers, softly first, then at once. No attempt begins any more,
// and those under way have all the time there is; what comes in has half of it, and
// is queued meanwhile: who is told that a message was taken finds it in the store.
// So a peer that stalls costs no attempt its time.
func (a *Agent) drain(ctx context.Context) (outbound.Left, error) {
	soft, cancel := context.WithTimeout(ctx, a.config.ShutdownTimeout)
	defer cancel()
	a.stopping.Store(true)
	a.manager.Halt()
	inboundErr := a.stopInbound(ctx)
	left, err := a.manager.Stop(soft)
	if err != nil && ctx.Err() == nil {
		a.log.Warn("attempts are cut short: they will be made again", zap.Int("in_flight", left.InFlight), zap.Error(err))
		a.halt()
		hard, cancel := context.WithTimeout(ctx, hardStopWait)
		defer cancel()
		left, err = a.manager.Stop(hard)
	}
	return left, errors.Join(inboundErr, err)
}

// stopInbound stops what comes in, softly first, then at once.
func (a *Agent) stopInbound(ctx context.Context) error {
	soft, cancel := context.WithTimeout(ctx, a.config.ShutdownTimeout/2)
	defer cancel()
	err := a.inbound.Stop(soft)
	if err == nil || ctx.Err() != nil {
		return err
	}
	a.log.Warn("what is being received is cut short: its senders get no answer", zap.Error(err))
	a.cutInbound()
	hard, cancel := context.WithTimeout(ctx, hardStopWait)
	defer cancel()
	return a.inbound.Stop(hard)
}

// closeStore closes the keys too.
func (a *Agent) closeStore(ctx context.Context) error {
	keysErr := a.closeKeys(ctx)
	if !a.ownStore || a.closed {
		return keysErr
	}
	a.closed = true
	if err := a.store.Close(ctx); !errors.Is(err, queue.ErrClosed) { // it is when it was never opened
		return errors.Join(keysErr, err)
	}
	return keysErr
}

// Manager returns the manager, to register transports with and to send through.
func (a *Agent) Manager() *outbound.Manager { return a.manager }

// Profiles returns the directory of the profiles.
func (a *Agent) Profiles() *profile.Static { return a.profiles }

// Events returns the bus on which everything is told.
func (a *Agent) Events() *event.Bus { return a.events }

// Addr returns the host and port on which the API listens. It is empty before
// Start, and without an API.
func (a *Agent) Addr() string {
	if a.api == nil {
		return ""
	}
	return a.api.addr()
}

// Ready reports why the agent should be sent no message now: it would accept none, or a
// part of its store cannot be read ([queue.ErrStoreDamaged]). Nil: all is well.
func (a *Agent) Ready() error {
	if !a.started.Load() {
		return errors.New("agent is not started")
	}
	if a.stopping.Load() {
		return outbound.ErrStopped
	}
	if err := a.manager.Ready(); err != nil {
		return err
	}
	return a.store.Health()
}
