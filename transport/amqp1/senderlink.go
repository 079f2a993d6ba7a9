package amqp1

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/Azure/go-amqp"
)

// senderLink is one attach of a sender: a link in a session of its own, so that a
// peer which ends the session for one message harms no other link.
type senderLink struct {
	conn    *connection
	session *amqp.Session
	sender  *amqp.Sender
	view    *linkView
	stalled atomic.Bool // it was closed because the peer stood still
}

// names numbers the links of this process.
var names atomic.Uint64

// linkName is stable but for its end, which no other link of ours has.
func linkName(container, node string) string {
	sum := sha256.Sum256([]byte(node))
	return fmt.Sprintf("%s-%s-%d", container, hex.EncodeToString(sum[:4]), names.Add(1))
}

// attachSender begins a session and attaches a sender in it.
func attachSender(ctx context.Context, conn *connection, target Target) (*senderLink, *Error) {
	began := time.Now()
	session, fault := beginSession(ctx, conn)
	if fault != nil {
		return nil, fault
	}
	options := conn.pool.container.options
	ctx, cancel := context.WithTimeout(ctx, options.AttachTimeout)
	defer cancel()
	name := linkName(conn.pool.remote.ContainerID, target.Address)
	view := conn.guard.link(name)
	sender, err := session.NewSender(ctx, target.Address, target.options(name))
	options.observe("attach", began)
	if err != nil {
		fault := attachError(ctx, conn, err)
		conn.guard.abandon(view)
		endSession(conn, session)
		return nil, fault
	}
	return &senderLink{conn: conn, session: session, sender: sender, view: view}, nil
}

// beginSession begins a session for one link.
func beginSession(ctx context.Context, conn *connection) (*amqp.Session, *Error) {
	begin, cancel := context.WithTimeout(ctx, conn.pool.container.options.BeginTimeout)
	defer cancel()
	session, err := conn.amqp.NewSession(begin, &amqp.SessionOptions{MaxLinks: 1})
	if err == nil {
		return session, nil
	}
	if begin.Err() != nil && ctx.Err() == nil {
		_ = conn.guard.fail(fmt.Errorf("no answer to begin: %w", ErrStalled))
		_ = conn.guard.abort()
	}
	return nil, conn.lost("begin", err)
}

// attachError says why a link was not attached: refused, or lost on the way. Some
// peers end the whole session where they should refuse the link.
func attachError(ctx context.Context, conn *connection, err error) *Error {
	fault := conn.lost("attach", err)
	_, ofSession := errors.AsType[*amqp.SessionError](err)
	_, ofConn := errors.AsType[*amqp.ConnError](err)
	switch {
	case ctx.Err() != nil:
		fault.Kind, fault.Err = ErrStalled, fmt.Errorf("no answer to attach: %w", ctx.Err())
	case ofConn, ofSession && fault.Condition.Bearing() == Passing:
	default:
		fault.Kind = ErrRefused
	}
	return fault
}

// endSession ends a session and all that is in it. A peer that does not even
// answer that is connected to anew: go-amqp would wait for it for ever.
func endSession(conn *connection, session *amqp.Session) {
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	if err := session.Close(ctx); err != nil && ctx.Err() != nil {
		_ = conn.guard.fail(fmt.Errorf("no answer to end: %w", ErrStalled))
		_ = conn.guard.abort()
	}
}

// attachment is what is known of the link.
func (l *senderLink) attachment() Attachment {
	credit, _ := l.view.credit()
	return Attachment{
		Peer: l.conn.info, Node: l.sender.Address(), Link: l.view.name, Credit: credit, MaxMessageSize: l.sender.MaxMessageSize(),
	}
}

// lost says why the link ended.
func (l *senderLink) lost(op string, maybeSent bool) *Error {
	fault := l.conn.lost(op, nil)
	fault.MaybeSent = maybeSent
	if why := l.view.why(); why.condition != "" {
		fault.Condition, fault.Description = why.condition, why.description
	}
	if l.stalled.Load() {
		fault.Kind = ErrStalled
	}
	return fault
}

// stall closes the link of a peer that stands still: the link, then its session,
// then the connection, whichever ends it.
func (l *senderLink) stall() {
	l.stalled.Store(true)
	l.conn.guard.abandon(l.view)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := l.sender.Close(ctx); err != nil && ctx.Err() != nil {
		endSession(l.conn, l.session)
	}
}
