// Command send delivers one payload to one URI with the library alone, and says
// what became of it.
//
//	go run ./examples/send https://example.com/inbox 'hello'
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/outrider-go/outrider/queue/memqueue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/httpout"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: send URI PAYLOAD")
		os.Exit(2)
	}
	if err := send(context.Background(), os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "send:", err)
		os.Exit(1)
	}
}

func send(ctx context.Context, uri, payload string) error {
	endpoint, err := transport.ParseEndpoint(uri)
	if err != nil {
		return err
	}
	store, err := memqueue.New(memqueue.Options{})
	if err != nil {
		return err
	}
	https, err := httpout.New(httpout.Options{})
	if err != nil {
		return err
	}
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
