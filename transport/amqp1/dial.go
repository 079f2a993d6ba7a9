package amqp1

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/Azure/go-amqp"
)

// dial connects, authenticates and opens. ctx ends it at any time; the steps have
// timeouts of their own.
func (c *Container) dial(ctx context.Context, remote Remote) (*amqp.Conn, *guard, error) {
	plain, certified, err := connect(ctx, remote)
	if err != nil {
		return nil, nil, &Error{Op: "dial", Kind: ErrUnreachable, Err: err}
	}
	secured, _ := plain.(*tls.Conn)
	ctx, cancel := context.WithTimeout(ctx, c.options.OpenTimeout)
	defer cancel()
	mechanism := ""
	if !remote.Credentials.NoSASL {
		if mechanism, err = c.authenticate(ctx, remote, plain, secured != nil, certified); err != nil {
			_ = plain.Close()
			return nil, nil, dialError("sasl", err)
		}
	}
	g := newGuard(plain, c.options.MaxFrameSize, c.options.WriteTimeout, c.options.Trace)
	began := time.Now()
	conn, err := amqp.NewConn(ctx, g, &amqp.ConnOptions{
		ContainerID:  remote.ContainerID,
		HostName:     remote.hostname(),
		IdleTimeout:  c.options.IdleTimeout,
		MaxFrameSize: c.options.MaxFrameSize,
		MaxSessions:  uint16(c.options.LinksPerConnection + 1), //nolint:gosec // at most 257
		WriteTimeout: c.options.WriteTimeout,
		Properties:   c.properties(),
	})
	c.options.observe("open", began)
	if err != nil {
		_ = g.abort()
		return nil, nil, openError(ctx, g, err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.peer.Mechanism, g.peer.Properties, g.peer.Address = mechanism, conn.Properties(), remote.Address
	if secured != nil {
		g.peer.addTLS(secured.ConnectionState())
	}
	return conn, g, nil
}

// connect connects, with the TLS and through the proxy that the profile says. certified
// reports that a client certificate was shown if the peer asked for one.
func connect(ctx context.Context, remote Remote) (conn net.Conn, certified bool, err error) {
	if !remote.TLS {
		conn, err = remote.Dialer.Connect(ctx, "tcp", remote.Address)
		return conn, false, err
	}
	if conn, err = remote.Dialer.ConnectTLS(ctx, "tcp", remote.Address); err != nil {
		return nil, false, err
	}
	config, err := remote.Dialer.TLSConfig("")
	if err != nil {
		_ = conn.Close()
		return nil, false, err
	}
	return conn, config.GetClientCertificate != nil, nil
}

// authenticate runs SASL on a connection that is new. ctx must have a deadline.
func (c *Container) authenticate(ctx context.Context, remote Remote, conn net.Conn, secured, certified bool) (string, error) {
	began := time.Now()
	defer c.options.observe("sasl", began)
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return "", err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	a := &authentication{
		conn: conn, credentials: remote.Credentials, hostname: remote.hostname(),
		secure: secured || isLocal(conn, remote), certified: certified,
	}
	mechanism, err := a.run()
	if !stop() {
		err = ctx.Err()
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "", fmt.Errorf("no answer: %w", context.DeadlineExceeded)
	case err != nil:
		return "", err
	}
	return mechanism, conn.SetDeadline(time.Time{})
}

// isLocal reports a connection that stays within this machine. One through a proxy goes
// on from there.
func isLocal(conn net.Conn, remote Remote) bool {
	address, ok := conn.RemoteAddr().(*net.TCPAddr)
	return ok && address.IP.IsLoopback() && remote.Dialer.Proxy() == nil
}

// openError says why a connection did not open, without go-amqp's words: they
// repeat the peer's.
func openError(ctx context.Context, g *guard, err error) *Error {
	condition, description := conditionOf(err)
	cause := g.cause()
	switch {
	case ctx.Err() != nil:
		cause = ctx.Err()
	case condition != "":
		cause = nil
	case cause == nil:
		cause = errors.New("the peer's open cannot be read")
	}
	e := dialError("open", cause)
	e.Condition, e.Description = condition, description
	return e
}

// dialError gives what failed before there was a connection its kind.
func dialError(op string, err error) *Error {
	e := &Error{Op: op, Kind: ErrUnreachable, Err: err}
	switch {
	case errors.Is(err, ErrSASL):
		e.Kind = ErrSASL
	case errors.Is(err, ErrProtocol):
		e.Kind = ErrProtocol
	}
	return e
}

func (p *PeerInfo) addTLS(state tls.ConnectionState) {
	p.TLSVersion, p.CipherSuite = tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite)
	if len(state.PeerCertificates) > 0 {
		sum := sha256.Sum256(state.PeerCertificates[0].Raw)
		p.Fingerprint = hex.EncodeToString(sum[:])
	}
}

// properties are what peers are told of us.
func (c *Container) properties() map[string]any {
	all := map[string]any{"product": c.options.Product}
	if c.options.Version != "" {
		all["version"] = c.options.Version
	}
	return all
}

// conditionOf returns what the peer said, empty where it said nothing.
func conditionOf(err error) (Condition, string) {
	if said, ok := errors.AsType[*amqp.Error](err); ok {
		return Condition(said.Condition), said.Description
	}
	return "", ""
}
