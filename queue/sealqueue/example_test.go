package sealqueue_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/memqueue"
	"github.com/outrider-go/outrider/queue/sealqueue"
	"github.com/outrider-go/outrider/queue/sealqueue/keyring"
	"github.com/outrider-go/outrider/transport"
)

func Example() {
	if err := sealAndOpen(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// kept in the clear: false
	// leased: hello
}

// sealAndOpen puts a seal around a store in memory, which stands for any other.
func sealAndOpen() error {
	dir, err := os.MkdirTemp("", "outrider")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	master, err := keyring.ParseMaster(keyring.NewMaster()) // keyring.ReadMaster reads one from a file
	if err != nil {
		return err
	}
	keys, err := keyring.Open(dir, master)
	if err != nil {
		return err
	}
	inner, err := memqueue.New(memqueue.Options{})
	if err != nil {
		return err
	}
	store, err := sealqueue.New(inner, keys, sealqueue.Options{})
	if err != nil {
		return err
	}
	ctx := context.Background()
	lane := queue.Lane{Profile: "acme", Destination: "https://example.com"}
	id := store.NewID()
	if _, err := store.Enqueue(ctx, []queue.Message{{
		ID: id, Lane: lane, URI: transport.NewSecret("https://example.com/inbox#key"), Payload: []byte("hello"),
	}}); err != nil {
		return err
	}
	kept, err := inner.Get(ctx, []transport.ID{id}, true)
	if err != nil {
		return err
	}
	leased, err := store.Lease(ctx, queue.LeaseRequest{TTL: time.Minute, Budgets: []queue.Budget{{Lane: lane, Max: 1}}}, nil)
	if err != nil {
		return err
	}
	fmt.Println("kept in the clear:", string(kept[0].Payload) == "hello")
	fmt.Println("leased:", string(leased[0].Payload))
	return nil
}
