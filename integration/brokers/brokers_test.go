//go:build unix

package brokers

import (
	"slices"
	"testing"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/amqp1/value"
)

//nolint:tparallel // they share a peer, one after the other
func TestRhea(t *testing.T) {
	t.Parallel()
	peer := start(t, rhea())
	t.Run("bytes", func(t *testing.T) { testVerbatim(t, openNode(t, peer, "bytes"), 1) })
	t.Run("types", func(t *testing.T) {
		// rhea forgets a descriptor that stands directly behind that of the section.
		testComposites(t, openNode(t, peer, "types"), manner{format: 1, wrap: inList, unwrap: outOfList, loses: rheaLoses})
	})
	t.Run("outcomes", func(t *testing.T) {
		testOutcomes(t, peer, []outcome{
			{"sink", transport.Success, "accepted"},
			{"slow", transport.Success, "accepted"},
			{"a%20queue", transport.Success, "accepted"},
			{"reject", transport.Permanent, "amqp:precondition-failed"},
			{"transient", transport.Temporary, "amqp:resource-limit-exceeded"},
			{"release", transport.Temporary, "released"},
			{"modify", transport.Permanent, "modified"},
			{"failed", transport.Temporary, "modified"},
			{"noreply", transport.Unknown, "timeout"},
			{"detach", transport.Unknown, "amqp:link:detach-forced"},
			{"half", transport.Unknown, "lost"},
			{"end", transport.Unknown, "amqp:session:window-violation"},
			{"drop", transport.Unknown, "lost"},
			{"closeconn", transport.Unknown, "amqp:connection:forced"},
			{"refused", transport.Temporary, "amqp:not-found"},
			{"sink", transport.Success, "accepted"},
		})
	})
	t.Run("receive", func(t *testing.T) { testReceive(t, peer, "receive") })
	t.Run("inbound", func(t *testing.T) { testInbound(t, peer, "inbound", true) })
	t.Run("fetch", func(t *testing.T) { testInboundFetch(t, peer, "fetch") })
	t.Run("dynamic", func(t *testing.T) { testInboundDynamic(t, peer) })
	t.Run("crash", func(t *testing.T) { testCrash(t, peer, "sink", crashMessages, peer.kill) })
}

// rheaLoses: rhea 3.0.5 decodes every array, and cannot encode those whose
// elements are wider than four bytes, decimals or compound.
func rheaLoses(v value.Value) bool {
	return contains(v, func(v value.Value) bool {
		array, ok := v.(value.Array)
		if !ok {
			return false
		}
		switch array.Of {
		case value.TypeULong, value.TypeLong, value.TypeTimestamp, value.TypeUUID, value.TypeDecimal32, value.TypeDecimal64,
			value.TypeDecimal128, value.TypeList, value.TypeMap, value.TypeArray:
			return true
		default:
			return false
		}
	})
}

//nolint:tparallel // they share a peer, one after the other
func TestProtonPeer(t *testing.T) {
	t.Parallel()
	peer := start(t, protonPeer())
	t.Run("bytes", func(t *testing.T) { testVerbatim(t, openNode(t, peer, "bytes"), 0) })
	t.Run("types", func(t *testing.T) { testComposites(t, openNode(t, peer, "types"), manner{}) })
	t.Run("outcomes", func(t *testing.T) {
		testOutcomes(t, peer, []outcome{
			{"accept", transport.Success, "accepted"},
			{"unsettled", transport.Success, "accepted"},
			{"reject", transport.Permanent, "amqp:precondition-failed"},
			{"release", transport.Temporary, "released"},
			{"modify", transport.Permanent, "modified"},
			{"failed", transport.Temporary, "modified"},
			{"noreply", transport.Unknown, "timeout"},
			{"refused", transport.Temporary, "amqp:not-found"},
			{"accept", transport.Success, "accepted"},
		})
	})
}

//nolint:tparallel // they share a peer, one after the other
func TestProtonBroker(t *testing.T) {
	t.Parallel()
	peer := start(t, protonBroker())
	t.Run("types", func(t *testing.T) { testComposites(t, openNode(t, peer, "types"), manner{}) })
	t.Run("everywhere", func(t *testing.T) { testEverywhere(t, openNode(t, peer, "everywhere")) })
	t.Run("receive", func(t *testing.T) { testReceive(t, peer, "receive") })
	t.Run("inbound", func(t *testing.T) { testInbound(t, peer, "inbound", false) })
	t.Run("fetch", func(t *testing.T) { testInboundFetch(t, peer, "fetch") })
	t.Run("dynamic", func(t *testing.T) { testInboundDynamic(t, peer) })
	t.Run("crash", func(t *testing.T) { testCrash(t, peer, "crash", crashMessages, peer.kill) })
}

//nolint:tparallel // they share a peer, one after the other
func TestProtonPythonBroker(t *testing.T) {
	t.Parallel()
	peer := start(t, pythonBroker())
	t.Run("types", func(t *testing.T) { testComposites(t, openNode(t, peer, "types"), manner{loses: pythonLoses}) })
	t.Run("everywhere", func(t *testing.T) { testEverywhere(t, openNode(t, peer, "everywhere")) })
	t.Run("receive", func(t *testing.T) { testReceive(t, peer, "receive") })
	t.Run("inbound", func(t *testing.T) { testInbound(t, peer, "inbound", false) })
	t.Run("fetch", func(t *testing.T) { testInboundFetch(t, peer, "fetch") })
	t.Run("dynamic", func(t *testing.T) { testInboundDynamic(t, peer) })
	t.Run("crash", func(t *testing.T) { testCrash(t, peer, "crash", crashMessages, peer.kill) })
}

// pythonLoses: in a dictionary of Python's, a symbol and a string are the same
// key, and an int and a long. With a list for a key, the broker ends.
func pythonLoses(v value.Value) bool {
	return contains(v, func(v value.Value) bool {
		pairs, ok := v.(value.Map)
		if !ok || len(pairs) == 0 {
			return false
		}
		of := value.TypeOf(pairs[0].Key)
		return slices.ContainsFunc(pairs, func(pair value.Pair) bool {
			t := value.TypeOf(pair.Key)
			return t != of || t == value.TypeList
		})
	})
}

//nolint:tparallel // they share a peer, one after the other
func TestRabbitMQ(t *testing.T) {
	t.Parallel()
	peer := start(t, rabbit())
	makeDurable(t, peer, "/queue/inbound-crash", "/queue/crash")
	t.Run("types", func(t *testing.T) {
		testComposites(t, openNode(t, peer, "/queue/types"), manner{wrap: inDescribed, unwrap: outOfDescribed, loses: rabbitLoses})
	})
	t.Run("outcomes", func(t *testing.T) {
		testOutcomes(t, peer, []outcome{
			{"/queue/outcomes", transport.Success, "accepted"},
			{"/exchange/amq.fanout/nobody-listens", transport.Success, "accepted"}, // RabbitMQ 4 releases
			{"/exchange/nowhere/key", transport.Temporary, "amqp:not-found"},
			{"/nonsense", transport.Temporary, "amqp:invalid-field"},
			{"/queue/outcomes", transport.Success, "accepted"},
		})
	})
	t.Run("receive", func(t *testing.T) { testReceive(t, peer, "/queue/receive") })
	t.Run("inbound", func(t *testing.T) { testInbound(t, peer, "/queue/inbound", true) })
	t.Run("fetch", func(t *testing.T) { testInboundFetch(t, peer, "/queue/fetch") })
	t.Run("inbound crash", func(t *testing.T) {
		testInboundCrash(t, peer, "/queue/inbound-crash", "?durability=unsettled-state")
	})
	t.Run("crash", func(t *testing.T) {
		// Without the durability, RabbitMQ makes a queue that a restart loses.
		sent := testCrash(t, peer, "/queue/crash?durability=unsettled-state", crashMessages, peer.kill)
		drain(t, openNode(t, peer, "/amq/queue/crash"), sent)
	})
	t.Run("stop", func(t *testing.T) {
		sent := testCrash(t, peer, "/queue/stop?durability=unsettled-state", 4000, peer.stop)
		drain(t, openNode(t, peer, "/amq/queue/stop"), sent)
	})
}

// rabbitLoses: RabbitMQ 3.10 drops the connection over an array. It does so over a
// body that is a list too, but not over one that is described.
func rabbitLoses(v value.Value) bool {
	return contains(v, func(v value.Value) bool { return value.TypeOf(v) == value.TypeArray })
}
