// Command send delivers one payload to one URI with the library alone, and says
// what became of it. The queue is in the directory given: what a run before had to
// leave there is delivered, too.
//
//	go run ./examples/send /tmp/queue https://example.com/inbox 'hello'
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/outrider-go/outrider/queue/sqlitequeue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/httpout"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: send DIR URI PAYLOAD")
		os.Exit(2)
	}
	if err := send(context.Background(), os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "send:", err)
		os.Exit(1)
	}
}

func send(ctx context.Context, dir, uri, payload string) error {
	endpoint, err := transport.ParseEndpoint(uri)
	if err != nil {
		return err
	}
	https, err := httpout.New(httpout.Options{})
	if err != nil {
		return err
	}
	store, err := sqlitequeue.Open(ctx, dir, sqlitequeue.Options{}) // or memqueue.New, in memory
	if err != nil {
		return err
	}
	defer func() { _ = store.Close(ctx) }()
	manager, err := outbound.New(store, outbound.Options{Retry: outbound.ACAPyRetry()})
	if err != nil {
		return err
	}
	if err := manager.Register(https); err != nil {
		return err
	}
	if err := manager.Start(ctx); err != nil {
		return err
	}
	defer func() { _, _ = manager.Stop(ctx) }()
	accepted, err := manager.Send(ctx, outbound.Message{Endpoint: endpoint, Payload: []byte(payload)})
	if err != nil {
		return err
	}
	if err := manager.Flush(ctx); err != nil {
		return err
	}
	record, err := manager.Get(ctx, accepted.ID, false)
	if err == nil {
		fmt.Println(record.ID, record.Result, record.Evidence, record.LastError)
	}
	return err
}
