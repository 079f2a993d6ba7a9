package cli

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
)

// formatFlags are the flags that pack and unpack share.
type formatFlags struct {
	moduleFlags

	data, contentType string
	text              bool
	headers           []string
	format            string
	json              bool
}

func (f *formatFlags) add(command *cobra.Command) {
	set := command.Flags()
	set.StringVarP(&f.data, "data", "d", "", "what to read: a `text`, @FILE, or @- for standard input")
	set.BoolVar(&f.text, "text", false, "the file is text")
	set.StringVar(&f.contentType, "content-type", "", "its media `type`")
	set.StringArrayVarP(&f.headers, "header", "H", nil, "what goes beside it, as `'name: value'`; may be repeated")
	f.moduleFlags.add(set)
	addJSON(command, &f.json)
}

// with reads what -d names, and opens the profile for as long as use runs.
func (f *formatFlags) with(command *cobra.Command, c *console, use func(formats *wireformat.Registry, p *profile.Profile, body payload, header map[string]string) error) (err error) {
	if !command.Flags().Changed("data") {
		return usagef("-d is missing: give -d STR, -d @FILE, or -d @- for standard input")
	}
	header, err := parseHeaders(f.headers)
	if err != nil {
		return err
	}
	config, err := f.load(c)
	if err != nil {
		return err
	}
	formats, err := agent.Formats()
	if err != nil {
		return err
	}
	body, err := readPayload(f.data, f.text, c.in)
	if err != nil {
		return err
	}
	tenant, closeKeys, err := config.OpenProfile(command.Context(), f.profile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeKeys(context.WithoutCancel(command.Context()))) }()
	return use(formats, tenant, body, header)
}

// write writes bytes to stdout as they are, and ends the line on a terminal.
func (c *console) write(body []byte) error {
	if isTerminal(c.out) {
		body = append(slices.Clip(body), '\n')
	}
	_, err := c.out.Write(body)
	return err
}

// content is a payload or body in JSON: as text, where it is.
type content struct {
	Text   *string `json:"text,omitempty"`
	Base64 []byte  `json:"base64,omitempty"`
}

func contentOf(body []byte) content {
	if utf8.Valid(body) {
		text := string(body)
		return content{Text: &text}
	}
	return content{Base64: body}
}

// frameView is what pack --json prints.
type frameView struct {
	WireFormat  string            `json:"wire_format"`
	ContentType string            `json:"content_type"`
	Header      map[string]string `json:"header,omitempty"`
	Body        content           `json:"body"`
}

func newPack(c *console) *cobra.Command {
	var flags formatFlags
	var target wireformat.Target
	command := &cobra.Command{
		Use: "pack --wire-format NAME -d STR|@FILE|@-", Short: "Encode with a wire format, without sending", Args: arguments(),
		Long: `Pack encodes a payload with a wire format, and prints what would go over the wire at
this moment: the body, or with --json also its media type and headers. Keys come
from --keys, or from the profile in the configuration.`,
		Example: `  outrider pack --wire-format didcomm/v1 -d @message.json --keys keys.json \
    --recipient 8pM1DN3RiT8vbom5u1sNryaNT1nyL8CTTW3b5PwWXRBH --sender-key did:key:z6Mk...
  outrider pack --wire-format webhook -d '{"event":"created"}' --config outrider.yaml --json`,
		RunE: func(command *cobra.Command, _ []string) error {
			if flags.format == "" {
				return usagef("--wire-format is missing")
			}
			return flags.with(command, c, func(formats *wireformat.Registry, p *profile.Profile, body payload, header map[string]string) error {
				return flags.pack(command.Context(), c, formats, p, wireformat.Message{
					ID: transport.NewID(time.Now()), ContentType: flags.contentType, Text: body.text, Payload: body.data, Metadata: header,
				}, target)
			})
		},
	}
	flags.add(command)
	set := command.Flags()
	set.StringVar(&flags.format, "wire-format", "", "encode with this wire `format`")
	set.StringArrayVar(&target.Recipients, "recipient", nil, "a `key` or DID that may read it; may be repeated")
	set.StringArrayVar(&target.Routing, "routing-key", nil, "a `key` or DID on the way to the recipient; may be repeated")
	set.StringVar(&target.Sender, "sender-key", "", "the `key` or DID to send as")
	return command
}

func (f *formatFlags) pack(ctx context.Context, c *console, formats *wireformat.Registry, p *profile.Profile, m wireformat.Message, to wireformat.Target) error {
	format, err := formats.ByName(f.format)
	if err != nil {
		return usagef("--wire-format: %w", err)
	}
	frame, err := format.Encode(ctx, p, m, to)
	if err != nil {
		return err
	}
	header := map[string]string{}
	maps.Copy(header, m.Metadata)
	maps.Copy(header, frame.Header)
	frame.Header = header
	if stamper, ok := wireformat.As[wireformat.Stamper](format); ok {
		if err := stamper.Stamp(ctx, p, &frame, wireformat.Attempt{ID: m.ID, Number: 1, At: time.Now()}); err != nil {
			return err
		}
	}
	if f.json {
		return c.json(frameView{f.format, frame.ContentType, frame.Header, contentOf(frame.Body)})
	}
	return c.write(frame.Body)
}

// messageView is what unpack --json prints.
type messageView struct {
	WireFormat   string            `json:"wire_format"`
	ContentType  string            `json:"content_type,omitempty"`
	Payload      content           `json:"payload"`
	Metadata     map[string]string `json:"metadata,omitempty"`
	Sender       string            `json:"sender,omitempty"`
	Recipient    string            `json:"recipient,omitempty"`
	Signed       bool              `json:"signed,omitempty"`
	ThreadID     string            `json:"thread_id,omitempty"`
	ParentThread string            `json:"parent_thread_id,omitempty"`
	ReturnRoute  string            `json:"return_route,omitempty"`
}

func newUnpack(c *console) *cobra.Command {
	var flags formatFlags
	var onlyKeys bool
	command := &cobra.Command{
		Use: "unpack -d STR|@FILE|@-", Short: "Decode what came over the wire", Args: arguments(),
		Long: `Unpack decodes a body with a wire format, which it recognises where none is named, and
prints the payload, or with --json also who sent it and what else is known. Give
the headers that came with it, where the format needs them.`,
		Example: `  outrider unpack -d @envelope.json --keys keys.json --json
  outrider unpack -d @envelope.json --recipient-keys`,
		RunE: func(command *cobra.Command, _ []string) error {
			return flags.with(command, c, func(formats *wireformat.Registry, p *profile.Profile, body payload, header map[string]string) error {
				frame := wireformat.Frame{ContentType: flags.contentType, Text: body.text, Header: header, Body: body.data}
				format, err := flags.find(formats, frame)
				if err != nil {
					return err
				}
				if onlyKeys {
					return flags.recipientKeys(c, format, frame)
				}
				return flags.unpack(command.Context(), c, format, p, frame)
			})
		},
	}
	flags.add(command)
	command.Flags().StringVar(&flags.format, "wire-format", "", "decode with this wire `format` (default by media type and content)")
	command.Flags().BoolVar(&onlyKeys, "recipient-keys", false, "print for whose keys it is, without reading it")
	return command
}

func (f *formatFlags) find(formats *wireformat.Registry, frame wireformat.Frame) (wireformat.Format, error) {
	if f.format == "" {
		return formats.ForFrame(frame)
	}
	format, err := formats.ByName(f.format)
	if err != nil {
		return nil, usagef("--wire-format: %w", err)
	}
	return format, nil
}

func (f *formatFlags) unpack(ctx context.Context, c *console, format wireformat.Format, p *profile.Profile, frame wireformat.Frame) error {
	m, receipt, err := format.Parse(ctx, p, frame)
	if err != nil {
		return err
	}
	if !f.json {
		return c.write(m.Payload)
	}
	return c.json(messageView{
		receipt.Format, m.ContentType, contentOf(m.Payload), m.Metadata, receipt.Sender, receipt.Recipient, receipt.Signed,
		receipt.ThreadID, receipt.ParentThreadID, receipt.ReturnRoute,
	})
}

func (f *formatFlags) recipientKeys(c *console, format wireformat.Format, frame wireformat.Frame) error {
	reader, ok := wireformat.As[wireformat.Recipienter](format)
	if !ok {
		return usagef("the wire format %s is for nobody's keys", format.Name())
	}
	keys, err := reader.RecipientKeys(frame)
	if err != nil {
		return err
	}
	if f.json {
		return c.json(map[string][]string{"recipient_keys": append([]string{}, keys...)})
	}
	if len(keys) == 0 {
		return nil
	}
	return c.printf("%s", strings.Join(keys, "\n"))
}
