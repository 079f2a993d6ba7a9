package integration

// rule is a row of the layer table: what the code of a package, its tests aside,
// may import. The standard library is always allowed.
type rule struct {
	// pkg is the package's path in the module, in the notation of path.Match.
	pkg string
	// internal are packages of the module in the same notation, or [anything].
	internal []string
	// external are packages of other modules, each with those below it.
	external []string
}

// anything allows every package of the module but those of testOnly.
const anything = "..."

const (
	base58       = "github.com/mr-tron/base58"
	cbor         = "github.com/fxamacker/cbor"
	chacha       = "golang.org/x/crypto/chacha20poly1305"
	cobra        = "github.com/spf13/cobra"
	edwards25519 = "filippo.io/edwards25519"
	goAMQP       = "github.com/Azure/go-amqp"
	goCrypto     = "golang.org/x/crypto"
	goJose       = "github.com/go-jose/go-jose/v4"
	goleak       = "go.uber.org/goleak"
	gorilla      = "github.com/gorilla/websocket"
	koanf        = "github.com/knadh/koanf"
	msgp         = "github.com/tinylib/msgp"
	naclBox      = "golang.org/x/crypto/nacl/box"
	pflag        = "github.com/spf13/pflag"
	rapid        = "pgregory.net/rapid"
	retryable    = "github.com/hashicorp/go-retryablehttp"
	ssrf         = "code.dny.dev/ssrf"
	secp256k1    = "github.com/decred/dcrd/dcrec/secp256k1/v4"
	sys          = "golang.org/x/sys"
	term         = "golang.org/x/term"
	sqlite       = "modernc.org/sqlite"
	zap          = "go.uber.org/zap"
)

// layers is the layer table, lowest first. The first row that matches a package
// is its row, so special rows stand before general ones. A new package needs a
// row; a new dependency needs a reason in ARCHITECTURE.md too.
var layers = []rule{
	// L0: the standard library, and transport, the leaf below all.
	{pkg: "transport"},
	{pkg: "profile", internal: []string{"transport"}},
	{pkg: "profile/secmod", internal: []string{"internal/multikey", "internal/privatefile", "internal/strictjson", "profile", "transport"}, external: []string{goCrypto, secp256k1}},
	{pkg: "stats", internal: []string{"transport"}},
	{pkg: "event", internal: []string{"transport"}},
	{pkg: "registry", internal: []string{"transport"}},
	{pkg: "queue", internal: []string{"transport"}},

	// L1: wire formats, dialling, protocol layers, and stores of one engine each.
	{pkg: "wireformat", internal: []string{"internal/strictjson", "profile", "transport"}},
	{pkg: "wireformat/wireformattest", internal: []string{"wireformat", "profile", "transport"}, external: []string{rapid}},
	{pkg: "wireformat/amqpjson", internal: []string{"internal/strictjson", "wireformat", "profile", "transport", "transport/amqp1/value"}},
	{pkg: "wireformat/serializer", internal: []string{"wireformat", "profile", "transport"}, external: []string{cbor, msgp}},
	{pkg: "wireformat/wamp", internal: []string{"internal/naclbox", "wireformat/serializer", "transport"}, external: []string{naclBox}},
	{pkg: "wireformat/didcomm", internal: []string{"internal/multikey", "internal/naclbox", "internal/strictjson", "wireformat", "profile", "transport"}, external: []string{goCrypto, goJose, secp256k1}},
	{pkg: "wireformat/*", internal: []string{"internal/strictjson", "wireformat", "profile", "transport"}},
	{pkg: "transport/egress", internal: []string{"internal/livefile", "transport", "transport/httprules", "profile"}, external: []string{ssrf, sys}},
	{pkg: "transport/ingress", internal: []string{"internal/livefile", "transport"}},
	{pkg: "transport/egress/egresstest", internal: []string{"transport/egress", "transport", "profile"}},
	{pkg: "transport/httprules", internal: []string{"transport"}},
	{pkg: "transport/amqp1", internal: []string{"transport", "profile", "transport/egress", "transport/amqp1/*"}, external: []string{goAMQP}},
	{pkg: "transport/amqp1/value"},
	{pkg: "transport/amqp1/message", internal: []string{"transport/amqp1/value"}},
	{pkg: "transport/amqp1/verbatim", internal: []string{"transport/amqp1/value"}, external: []string{goAMQP}},
	{pkg: "transport/wamp2", internal: []string{"profile/secmod", "transport", "wireformat/serializer", "wireformat/wamp"}, external: []string{gorilla}},
	{pkg: "transport/wamp2/wamptest", internal: []string{"wireformat/serializer", "wireformat/wamp"}, external: []string{gorilla}},
	{pkg: "queue/queuetest", internal: []string{"queue", "transport"}, external: []string{rapid}},
	{pkg: "queue/sqlitequeue", internal: []string{"internal/privatefile", "queue", "transport"}, external: []string{sqlite, sys}},
	{pkg: "queue/sealqueue", internal: []string{"queue", "queue/sealqueue/keyring", "transport"}, external: []string{chacha}},
	{pkg: "queue/sealqueue/keyring", internal: []string{"internal/privatefile", "transport"}, external: []string{chacha}},
	{pkg: "queue/*queue", internal: []string{"queue", "transport"}},

	// L2: the two directions, which never import each other.
	{
		pkg:      "transport/outbound",
		internal: []string{"profile", "stats", "event", "registry", "transport", "queue", "wireformat"},
		external: []string{zap},
	},
	{
		pkg:      "transport/inbound",
		internal: []string{"profile", "stats", "event", "registry", "transport", "wireformat"},
		external: []string{zap},
	},

	// L3: drivers, of one direction and one library each.
	{pkg: "transport/outbound/httpout", internal: outboundDriver, external: []string{retryable, zap}},
	{pkg: "transport/outbound/wsout", internal: outboundDriver, external: []string{gorilla, zap}},
	{pkg: "transport/outbound/wampout", internal: append([]string{"transport/wamp2", "wireformat/serializer", "wireformat/wamp"}, outboundDriver...), external: []string{zap}},
	{pkg: "transport/outbound/*out", internal: outboundDriver, external: []string{zap}},
	{pkg: "transport/outbound/outboundtest", internal: append([]string{"event", "queue"}, outboundDriver...), external: []string{rapid, zap}},
	{pkg: "transport/inbound/wsin", internal: inboundDriver, external: []string{gorilla, zap}},
	{pkg: "transport/inbound/*in", internal: inboundDriver, external: []string{zap}},
	{pkg: "transport/inbound/inboundtest", internal: inboundDriver, external: []string{rapid, zap}},

	// L4: the composition root, and the programs on top of it.
	{pkg: "agent", internal: []string{anything}, external: []string{koanf, zap}},
	{
		pkg:      "internal/cli",
		internal: []string{"agent", "internal/amqppeer", "internal/archive", "internal/client", "internal/receiver", "internal/suggest", "internal/verify", "event", "profile", "profile/secmod", "queue", "queue/sealqueue/keyring", "queue/sqlitequeue", "stats", "transport", "transport/inbound", "transport/inbound/wsin", "transport/ingress", "transport/outbound", "transport/outbound/httpout", "transport/outbound/wsout", "wireformat"},
		external: []string{cobra, pflag, term, zap},
	},
	{pkg: "internal/client", internal: []string{"agent", "queue", "transport", "transport/inbound", "transport/outbound"}},
	{pkg: "internal/verify", internal: []string{"agent", "internal/client", "internal/receiver", "transport"}},
	{pkg: "cmd/*", internal: []string{"agent", "internal/*"}},
	{pkg: "bench", internal: []string{anything}, external: []string{cbor, goAMQP, goCrypto, gorilla, msgp, retryable, zap}},
	{pkg: "examples/*", internal: []string{anything}, external: []string{zap}},

	// Helpers.
	{pkg: "internal/archive", internal: []string{"queue", "queue/sealqueue", "queue/sealqueue/keyring", "queue/sqlitequeue", "transport"}},
	{pkg: "internal/livefile"},
	{pkg: "internal/ci"},
	{pkg: "internal/strictjson"},
	{pkg: "internal/suggest"},
	{pkg: "internal/vectors"},
	{pkg: "internal/multikey", internal: []string{"profile", "transport"}, external: []string{base58, edwards25519, secp256k1}},
	{pkg: "internal/naclbox", external: []string{goCrypto}},
	{pkg: "internal/privatefile"},
	{pkg: "internal/receiver"},
	{pkg: "internal/amqppeer"},
	{pkg: "internal/fakepeer"},
	{pkg: "internal/leak", external: []string{goleak}},
}

var outboundDriver = []string{
	"transport/outbound", "transport", "transport/egress", "transport/httprules", "transport/amqp1", "transport/amqp1/*", "profile", "stats", "wireformat",
}

var inboundDriver = []string{
	"transport/inbound", "transport", "transport/egress", "transport/ingress", "transport/amqp1", "transport/amqp1/*", "profile", "stats", "wireformat",
}

// testOnly are imported by _test files and by nothing else, whatever the table
// says: they would bring testing into the daemon.
var testOnly = []string{
	"internal/ci",
	"internal/fakepeer",
	"internal/leak",
	"internal/vectors",
	"queue/queuetest",
	"transport/egress/egresstest",
	"transport/inbound/inboundtest",
	"transport/outbound/outboundtest",
	"transport/wamp2/wamptest",
	"wireformat/wireformattest",
}
