package amqp1

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/amqp1/value"
)

// The SASL mechanisms of this package.
const (
	Anonymous   = "ANONYMOUS"
	Plain       = "PLAIN"
	ExternalTLS = "EXTERNAL"
	XOAuth2     = "XOAUTH2"
	OAuthBearer = "OAUTHBEARER"
	ScramSHA256 = "SCRAM-SHA-256"
)

// mechanisms are all there are.
var mechanisms = []string{Anonymous, Plain, ExternalTLS, XOAuth2, OAuthBearer, ScramSHA256}

// Credentials say who we are.
type Credentials struct {
	// Username for PLAIN, SCRAM-SHA-256 and the OAuth mechanisms.
	Username string
	// AuthorizationID is whom we act as, where that is not who we are.
	AuthorizationID string
	// Password for PLAIN and SCRAM-SHA-256.
	Password transport.Secret
	// Token for XOAUTH2 and OAUTHBEARER.
	Token transport.Secret
	// Mechanisms are the allowed ones, the best first. Default: EXTERNAL with a
	// client certificate; with a token the OAuth mechanisms; with a user name
	// SCRAM-SHA-256 and PLAIN; and where there is nothing of that, ANONYMOUS.
	Mechanisms []string
	// AllowInsecure lets passwords and tokens travel over connections that are
	// neither secured by TLS nor to this machine.
	AllowInsecure bool
	// NoSASL leaves the layer out.
	NoSASL bool
}

// Validate names the first thing that is wrong.
func (c Credentials) Validate() error {
	for _, mechanism := range c.Mechanisms {
		if !slices.Contains(mechanisms, mechanism) {
			return fmt.Errorf("sasl mechanism %q: want %s", mechanism, strings.Join(mechanisms, ", "))
		}
		switch {
		case (mechanism == Plain || mechanism == ScramSHA256) && c.Username == "":
			return fmt.Errorf("sasl mechanism %s needs a user name", mechanism)
		case (mechanism == XOAuth2 || mechanism == OAuthBearer) && c.Token.IsZero():
			return fmt.Errorf("sasl mechanism %s needs a token", mechanism)
		}
	}
	if strings.Contains(c.Username+c.AuthorizationID+c.Password.Reveal(), "\x00") {
		return fmt.Errorf("user name or password: has a zero byte")
	}
	return nil
}

// allowed returns the mechanisms in the order of preference.
func (c Credentials) allowed(clientCertificate bool) []string {
	if len(c.Mechanisms) > 0 {
		return c.Mechanisms
	}
	var all []string
	if clientCertificate {
		all = append(all, ExternalTLS)
	}
	if !c.Token.IsZero() {
		all = append(all, OAuthBearer, XOAuth2)
	}
	if c.Username != "" {
		all = append(all, ScramSHA256, Plain)
	}
	if len(all) == 0 {
		all = append(all, Anonymous)
	}
	return all
}

// authentication is one exchange of SASL.
type authentication struct {
	conn        net.Conn
	credentials Credentials
	hostname    string
	secure      bool // nobody listens
	certified   bool // we have shown a client certificate
}

// run authenticates before AMQP begins, and returns the mechanism. The peer must
// answer by the connection's deadline.
func (a *authentication) run() (mechanism string, err error) {
	if _, err := a.conn.Write(header(3)); err != nil {
		return "", err
	}
	var got [8]byte
	if _, err := io.ReadFull(a.conn, got[:]); err != nil {
		return "", err
	}
	if err := checkHeader(got[:], 3); err != nil {
		return "", err
	}
	offer, err := a.read(codeSASLMechanisms)
	if err != nil {
		return "", err
	}
	mechanism, err = a.choose(offer.fields.symbols())
	if err != nil {
		return "", err
	}
	return mechanism, a.exchange(mechanism)
}

// choose returns the first allowed mechanism that the peer offers.
func (a *authentication) choose(offered []string) (string, error) {
	reason := "none of the allowed mechanisms is offered: " + strings.Join(a.credentials.allowed(a.certified), ", ")
	for _, mechanism := range a.credentials.allowed(a.certified) {
		if !slices.Contains(offered, mechanism) {
			continue
		}
		if !a.secure && !a.credentials.AllowInsecure && (mechanism == Plain || mechanism == XOAuth2 || mechanism == OAuthBearer) {
			reason = mechanism + " would send the secret in the clear: use amqps, or allow-insecure"
			continue
		}
		return mechanism, nil
	}
	if len(offered) == 0 {
		offered = []string{"nothing"}
	}
	return "", &SASLError{Offered: offered, Reason: reason}
}

// exchange makes the steps of a mechanism.
func (a *authentication) exchange(mechanism string) error {
	steps := a.steps(mechanism)
	first, err := steps.begin()
	if err != nil {
		return err
	}
	if err := a.write(codeSASLInit, value.Symbol(mechanism), value.Binary(first), value.String(a.hostname)); err != nil {
		return err
	}
	for range 8 {
		f, err := a.read(codeSASLChallenge, codeSASLOutcome)
		if err != nil {
			return err
		}
		if f.code == codeSASLOutcome {
			return conclude(mechanism, steps, f.fields)
		}
		response, err := steps.answer(f.fields.text())
		if err != nil {
			return &SASLError{Mechanism: mechanism, Reason: err.Error()}
		}
		if err := a.write(codeSASLResponse, value.Binary(response)); err != nil {
			return err
		}
	}
	return &SASLError{Mechanism: mechanism, Reason: "the peer does not come to an end"}
}

func conclude(mechanism string, steps steps, list fields) error {
	code, ok := list.ubyte()
	if !ok {
		return &SASLError{Mechanism: mechanism, Reason: "the peer's outcome has no code"}
	}
	if code == 0 {
		if err := steps.end(list.text()); err != nil {
			return &SASLError{Mechanism: mechanism, Reason: err.Error()}
		}
		return nil
	}
	reasons := map[SASLCode]string{
		SASLAuth: "the credentials are wrong, or not known", SASLSys: "the peer has a problem",
		SASLSysPerm: "the peer has a problem that will stay", SASLSysTemp: "the peer has a problem that will pass",
	}
	return &SASLError{Mechanism: mechanism, Code: SASLCode(code), Reason: reasons[SASLCode(code)]}
}

// steps are what a mechanism says.
type steps interface {
	begin() (initial string, err error)
	answer(challenge string) (response string, err error)
	end(additional string) error // after the peer's consent
}

func (a *authentication) steps(mechanism string) steps {
	c := a.credentials
	switch mechanism {
	case Plain: // RFC 4616
		return oneStep{initial: c.AuthorizationID + "\x00" + c.Username + "\x00" + c.Password.Reveal()}
	case ExternalTLS: // RFC 4422, appendix A
		return oneStep{initial: c.AuthorizationID}
	case XOAuth2:
		return oneStep{initial: "user=" + c.Username + "\x01auth=Bearer " + c.Token.Reveal() + "\x01\x01"}
	case OAuthBearer: // RFC 7628; an error is answered with a byte that is no data
		who := escapeName(c.AuthorizationID)
		if who == "" {
			who = escapeName(c.Username)
		}
		if who != "" {
			who = "a=" + who
		}
		return oneStep{initial: "n," + who + ",\x01host=" + a.hostname + "\x01auth=Bearer " + c.Token.Reveal() + "\x01\x01", ack: "\x01"}
	case ScramSHA256:
		return newScram(c)
	}
	return oneStep{initial: "outrider"} // a trace for ANONYMOUS, RFC 4505
}

// oneStep is a mechanism that says everything at once. A challenge is the peer's
// error then, and is acknowledged.
type oneStep struct{ initial, ack string }

func (s oneStep) begin() (string, error)        { return s.initial, nil }
func (s oneStep) answer(string) (string, error) { return s.ack, nil }
func (s oneStep) end(string) error              { return nil }

// longestSASL bounds a frame of SASL. The specification has 512 bytes; offers of
// brokers are longer at times.
const longestSASL = 16 << 10

// read reads a frame of SASL with one of the codes.
func (a *authentication) read(codes ...byte) (frame, error) {
	var head [frameHeader]byte
	if _, err := io.ReadFull(a.conn, head[:]); err != nil {
		return frame{}, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size < frameHeader || size > longestSASL {
		return frame{}, &SASLError{Reason: "the peer sent what is no frame of SASL"}
	}
	whole := make([]byte, size)
	copy(whole, head[:])
	if _, err := io.ReadFull(a.conn, whole[frameHeader:]); err != nil {
		return frame{}, err
	}
	f, err := parseFrame(whole)
	if err != nil || f.kind != frameSASL || !slices.Contains(codes, f.code) {
		return frame{}, &SASLError{Reason: "the peer sent what does not belong to SASL here"}
	}
	return f, nil
}

// write sends a frame of SASL.
func (a *authentication) write(code uint64, fields ...value.Value) error {
	body, err := value.Encode(value.Described{Descriptor: value.ULong(code), Value: value.List(fields)})
	if err != nil {
		return err
	}
	_, err = a.conn.Write(newFrame(frameSASL, 0, body))
	return err
}

// escapeName escapes a name for SCRAM and OAUTHBEARER (RFC 5801 section 4).
func escapeName(name string) string {
	return strings.NewReplacer("=", "=3D", ",", "=2C").Replace(name)
}

func encode64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
