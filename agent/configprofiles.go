package agent

import (
	"errors"
	"slices"
	"strings"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport/amqp1"
	"github.com/outrider-go/outrider/transport/egress"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/httpout"
	"github.com/outrider-go/outrider/transport/outbound/wampout"
	"github.com/outrider-go/outrider/transport/outbound/wsout"
	"github.com/outrider-go/outrider/wireformat"
	"github.com/outrider-go/outrider/wireformat/cloudevents"
	"github.com/outrider-go/outrider/wireformat/didcomm"
	"github.com/outrider-go/outrider/wireformat/webhook"
)

// validateProfiles makes each profile on trial, with all that reads its texts and
// files.
func (c Config) validateProfiles(formats *wireformat.Registry) (faults []error) {
	for _, id := range sortedKeys(c.Profiles) {
		options := c.Profiles[id]
		add := func(key string, err error) {
			if err != nil {
				faults = append(faults, &KeyError{"profiles." + id + key, err})
			}
		}
		tenant, err := profile.New(id, options)
		add("", err)
		if err == nil {
			add(".egress", checkEgress(tenant))
			add(".tls.ca_file", checkTLS(profile.TLS{CAFile: options.TLS.CAFile}))
			add(".tls.cert_file", checkTLS(profile.TLS{CertFile: options.TLS.CertFile, KeyFile: options.TLS.KeyFile}))
			add(".settings", errors.Join(wsout.CheckSettings(tenant.Settings()), wampout.CheckSettings(tenant.Settings())))
			for _, name := range unknownSettings(tenant.Settings(), formats) {
				add(".settings."+name, errors.New(unknownName(name, knownSettings(formats))))
			}
			for _, format := range webhooks(formats) {
				add(".secrets", format.CheckSecret(tenant))
			}
		}
		if options.Retry != "" {
			_, err = outbound.ParseRetryPolicy(options.Retry)
			add(".retry", err)
		}
		if options.WireFormat != "" {
			_, err = formats.ByName(options.WireFormat)
			add(".wire_format", err)
		}
	}
	return faults
}

func checkEgress(p *profile.Profile) error {
	_, err := egress.New(p, egress.Options{})
	return err
}

// checkTLS reads the files: one that is not there would fail each delivery, as if
// the receiver were down.
func checkTLS(files profile.TLS) error {
	p, err := profile.New(profile.DefaultID, profile.Options{TLS: files})
	if err != nil {
		return err
	}
	dialer, err := egress.New(p, egress.Options{})
	if err != nil {
		return err
	}
	_, err = dialer.TLSConfig("")
	return err
}

// knownSettings lists the settings of profiles that something here reads.
func knownSettings(formats *wireformat.Registry) []string {
	all := slices.Concat(httpout.SettingNames(), wsout.SettingNames(), amqp1.SettingNames(), wampout.SettingNames(),
		cloudevents.SettingNames(), didcomm.SettingNames())
	for _, format := range webhooks(formats) {
		all = append(all, format.SettingNames()...)
	}
	return all
}

// unknownSettings returns those that nothing reads although they begin as a known one
// does, as in "ws.akc". All others belong to transports and formats of users.
func unknownSettings(settings profile.Settings, formats *wireformat.Registry) []string {
	known := knownSettings(formats)
	ours := func(name string) bool {
		prefix, _, dotted := strings.Cut(name, ".")
		return dotted && slices.ContainsFunc(known, func(k string) bool { return strings.HasPrefix(k, prefix+".") })
	}
	return slices.DeleteFunc(sortedKeys(settings.All()), func(name string) bool {
		return !ours(name) || slices.Contains(known, name)
	})
}

// webhooks returns the formats that sign with a profile's secrets.
func webhooks(formats *wireformat.Registry) (all []*webhook.Format) {
	for _, name := range formats.Names() {
		format, err := formats.ByName(name)
		if err != nil {
			continue // it was taken out just now
		}
		if signs, ok := wireformat.As[*webhook.Format](format); ok {
			all = append(all, signs)
		}
	}
	return all
}
