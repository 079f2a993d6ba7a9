package didcomm

import (
	"fmt"
	"strings"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/wireformat"
)

// Names of the wire formats.
const (
	NameV1     = "didcomm/v1"
	NameV2     = "didcomm/v2"
	NameSigned = "didcomm/v2/signed"
	NameAny    = "didcomm"
	NameACAPy  = "didcomm/acapy"
)

// Media types.
const (
	TypeV1        = "application/didcomm-envelope-enc"
	TypeV1Old     = "application/ssi-agent-wire"
	TypeEncrypted = "application/didcomm-encrypted+json"
	TypeSigned    = "application/didcomm-signed+json"
	TypePlain     = "application/didcomm-plain+json"
	typeJWE       = "application/jwe"
	typeJSON      = "application/json"
)

// Settings of a profile that say for whom and from whom its messages are that do
// not say so themselves. Lists have blanks between.
const (
	SettingRecipients  = "didcomm.recipients"
	SettingRoutingKeys = "didcomm.routing_keys"
	SettingSender      = "didcomm.sender"
)

// Settings of a profile, each true or false.
const (
	// SettingNewMediaType has v1 say application/didcomm-envelope-enc, and not the
	// older application/ssi-agent-wire. Default: true.
	SettingNewMediaType = "didcomm.emit_new_mime_type"
	// SettingNewPrefix has forwards of v1 say https://didcomm.org/, and not the older
	// prefix of did:sov. Default: true.
	SettingNewPrefix = "didcomm.emit_new_prefix"
	// SettingSign has v2 sign, within the encryption, with a key of the sender's that
	// is for authentication. Default: false.
	SettingSign = "didcomm.sign"
	// SettingProtectSender has v2 encrypt anonymously once more, around what is
	// authenticated, so that nobody but the recipient sees who sends. Default: false.
	SettingProtectSender = "didcomm.protect_sender"
)

// SettingNames lists the settings of a profile that these formats read.
func SettingNames() []string {
	return []string{
		SettingRecipients, SettingRoutingKeys, SettingSender, SettingNewMediaType, SettingNewPrefix, SettingSign, SettingProtectSender,
	}
}

// Limits.
const (
	maxBytes      = 16 << 20 // of an envelope
	maxDepth      = 64
	maxRecipients = 64
	maxRouting    = 8
)

// Options describe the formats.
type Options struct {
	// Resolver finds the documents of DIDs, for v2. Default: did:key and did:peer:2.
	Resolver Resolver
}

// Formats returns all wire formats of this package.
func Formats(options Options) []wireformat.Format {
	return []wireformat.Format{NewV1(), NewV2(options), NewSigned(options), New(options), NewACAPy(options)}
}

// targetOf returns the target with what the profile says where it says nothing.
func targetOf(p *profile.Profile, to wireformat.Target) wireformat.Target {
	if len(to.Recipients) == 0 {
		to.Recipients = strings.Fields(p.Settings().String(SettingRecipients, ""))
		if len(to.Routing) == 0 {
			to.Routing = strings.Fields(p.Settings().String(SettingRoutingKeys, ""))
		}
	}
	if to.Sender == "" {
		to.Sender = p.Settings().String(SettingSender, "")
	}
	return to
}

// isMediaType reports a media type, with or without "application/" (RFC 7515
// section 4.1.9), in any case.
func isMediaType(text, want string) bool {
	bare, _, _ := strings.Cut(text, ";")
	bare = strings.TrimSpace(bare)
	return strings.EqualFold(bare, want) || strings.EqualFold("application/"+bare, want)
}

// flag reads a setting that is true or false.
func flag(p *profile.Profile, name string, fallback bool) (bool, error) {
	value, err := p.Settings().Bool(name, fallback)
	if err != nil {
		return false, fmt.Errorf("the profile's %w", err)
	}
	return value, nil
}

// formatError is the error of a format.
func formatError(kind error, name string, err error) error {
	return &wireformat.Error{Kind: kind, Format: name, Err: err}
}
