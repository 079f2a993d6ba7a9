package wsout_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/wsout"
)

// A peer answers with the id of what it has handled, which makes the delivery
// acknowledged.
func Example() {
	peer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = ws.Close() }()
		for {
			var order struct{ ID, Item string }
			if err := ws.ReadJSON(&order); err != nil {
				return
			}
			fmt.Println("peer got", order.Item)
			_ = ws.WriteJSON(map[string]any{"ack": map[string]string{"id": order.ID}})
		}
	}))
	defer peer.Close()

	tenant, err := profile.New("shop", profile.Options{
		Settings: map[string]string{wsout.SettingAck: "reply", wsout.SettingAckPointer: "/ack/id"},
		Egress:   profile.Egress{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	endpoint, err := transport.ParseEndpoint(strings.Replace(peer.URL, "http", "ws", 1) + "/orders")
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := wsout.New(wsout.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if err := client.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = client.Stop(ctx) }()
	receipt, err := client.HandleMessage(ctx, &outbound.Message{
		Endpoint: endpoint, Profile: tenant, ID: transport.NewID(time.Now()),
		Payload: []byte(`{"id":"order-7","item":"tea"}`), Text: true, IdempotencyKey: "order-7",
	})
	fmt.Println(receipt.Evidence, receipt.Code, err)
	// Output:
	// peer got tea
	// acknowledged reply <nil>
}
