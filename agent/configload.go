package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"

	"github.com/outrider-go/outrider/profile"
)

// EnvPrefix begins the name of every environment variable of the configuration:
// OUTRIDER_API_LISTEN is api.listen.
const EnvPrefix = "OUTRIDER_"

// Variables with the prefix that are no keys: what the command line reads for
// itself, and where the tests find their vectors.
const (
	EnvServer  = EnvPrefix + "SERVER"
	EnvToken   = EnvPrefix + "TOKEN"
	EnvConfig  = EnvPrefix + "CONFIG"
	EnvVectors = EnvPrefix + "VECTORS"
	// EnvPassphrase holds the passphrase of a file with keys, for commands.
	EnvPassphrase = EnvPrefix + "KEYS_PASSPHRASE"
)

var otherVariables = []string{EnvServer, EnvToken, EnvConfig, EnvVectors, EnvPassphrase}

// serviceLink is a variable that Kubernetes gives every pod beside a Service called
// outrider, or outrider-something: name and value as kubelet makes them. The values
// count, so that a name which somebody has misspelt is not passed over.
// https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
var serviceLink = regexp.MustCompile(`^` + EnvPrefix + `([A-Z0-9]+_)*(` + strings.Join([]string{
	`SERVICE_HOST=[0-9a-f.:]+`,
	`SERVICE_PORT(_[A-Z0-9]+)*=[0-9]+`,
	`PORT(_[0-9]+_(TCP|UDP|SCTP))?=(tcp|udp|sctp)://[0-9a-f.:\[\]]+`,
	`PORT_[0-9]+_(TCP|UDP|SCTP)_PROTO=(tcp|udp|sctp)`,
	`PORT_[0-9]+_(TCP|UDP|SCTP)_PORT=[0-9]+`,
	`PORT_[0-9]+_(TCP|UDP|SCTP)_ADDR=[0-9a-f.:]+`,
}, "|") + `)$`)

// Sources of a configuration, weakest first.
type Sources struct {
	// File is the path of a YAML file. Default: no file.
	File string
	// Env holds variables as os.Environ gives them. One that is empty counts as
	// not set. Default: none.
	Env []string
	// Flags holds the flags that were given, by key: "api.listen". Default: none.
	Flags map[string]any
}

// LoadConfig reads a configuration. A flag beats the variable, which beats the
// file, which beats the default. Unknown keys and variables are errors with the
// known one that comes closest; the variables that Kubernetes makes of a Service
// called outrider are passed over. The error joins everything that is wrong; each
// fault that belongs to a key is a [*KeyError].
func LoadConfig(sources Sources) (Config, error) {
	env := envMap(sources.Env)
	fromEnv, faults := envKeys(env)
	merged := koanf.New(".")
	if sources.File != "" {
		if err := merged.Load(file.Provider(sources.File), yaml.Parser()); err != nil {
			return Config{}, fmt.Errorf("read configuration %s: %w", sources.File, fileError(err))
		}
	}
	for _, keys := range []map[string]any{fromEnv, sources.Flags} {
		if err := merged.Load(confmap.Provider(keys, "."), nil); err != nil {
			return Config{}, fmt.Errorf("merge configuration: %w", err)
		}
	}
	config, decodeFaults := decodeConfig(merged.Raw(), secretReader{env})
	faults = append(faults, decodeFaults...)
	faults = append(faults, config.Validate())
	if err := errors.Join(faults...); err != nil {
		return Config{}, err
	}
	return config.withDefaults(), nil
}

// envMap makes a map of variables, leaving out those that are empty.
func envMap(env []string) map[string]string {
	all := map[string]string{}
	for _, variable := range env {
		if name, value, _ := strings.Cut(variable, "="); value != "" {
			all[name] = value
		}
	}
	return all
}

// variableOf returns the name of a key's variable.
func variableOf(key string) string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// envKeys returns the values of the variables by key.
func envKeys(env map[string]string) (values map[string]any, faults []error) {
	keys := map[string]key[Config]{}
	for _, k := range configKeys(secretReader{}) {
		keys[variableOf(k.name)] = k
	}
	values = map[string]any{}
	for _, name := range sortedKeys(env) {
		if !strings.HasPrefix(name, EnvPrefix) || slices.Contains(otherVariables, name) {
			continue
		}
		if key, ok := keys[name]; ok {
			values[key.name] = key.parse(env[name])
			continue
		}
		if serviceLink.MatchString(name + "=" + env[name]) {
			continue
		}
		if strings.HasPrefix(name, EnvPrefix+"PROFILES_") {
			faults = append(faults, &KeyError{name, errors.New("profiles are set in the file alone; their secrets may be variables: write env:NAME there")})
			continue
		}
		known := append(slices.Sorted(maps.Keys(keys)), otherVariables...)
		faults = append(faults, &KeyError{name, errors.New(unknownName(name, known))})
	}
	return values, faults
}

// fileError drops what YAML's errors repeat of the file, which may be a secret:
// only those of its scanner, which have a line and a fixed text, stay whole.
func fileError(err error) error {
	text := err.Error()
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission), errors.As(err, new(*fs.PathError)):
		return err
	case strings.HasPrefix(text, "yaml: line "), strings.Contains(text, "already defined at line"):
		return errors.New(text)
	default:
		return errors.New("is not a YAML file of keys and values")
	}
}

// decodeConfig reads merged values, profiles included.
func decodeConfig(values map[string]any, secrets secretReader) (config Config, faults []error) {
	profiles := values["profiles"]
	delete(values, "profiles")
	faults = decodeKeys("", values, configKeys(secrets), &config)
	faults = append(faults, givenTwice(values)...)
	if profiles == nil {
		return config, faults
	}
	byID, ok := profiles.(map[string]any)
	if !ok {
		return config, append(faults, &KeyError{"profiles", errors.New("want profiles by their ids")})
	}
	config.Profiles = map[string]profile.Options{}
	for _, id := range sortedKeys(byID) {
		var options profile.Options
		fields, ok := byID[id].(map[string]any)
		if !ok && byID[id] != nil {
			faults = append(faults, &KeyError{"profiles." + id, errors.New("want the keys of a profile")})
		}
		faults = append(faults, decodeKeys("profiles."+id+".", fields, profileKeys(secrets), &options)...)
		config.Profiles[id] = options
	}
	return config, faults
}

// givenTwice refuses two keys that set the same.
func givenTwice(values map[string]any) (faults []error) {
	for _, same := range []struct{ section, first, second string }{{"api", "token", "token_file"}, {"encryption", "key", "key_file"}} {
		below, ok := values[same.section].(map[string]any)
		if ok && below[same.first] != nil && below[same.second] != nil {
			faults = append(faults, &KeyError{
				same.section + "." + same.second, fmt.Errorf("%s.%s is given too: choose one", same.section, same.first),
			})
		}
	}
	return faults
}

// decoder sets the fields of a T from nested values.
type decoder[T any] struct {
	path   string // of the values, with a dot at its end, for errors
	keys   []key[T]
	target *T
	faults []error
}

// decodeKeys sets target from nested values, and returns what is wrong.
func decodeKeys[T any](path string, values map[string]any, keys []key[T], target *T) []error {
	d := decoder[T]{path: path, keys: keys, target: target}
	d.section("", values)
	return d.faults
}

// section reads the values whose names begin with prefix.
func (d *decoder[T]) section(prefix string, values map[string]any) {
	for _, name := range sortedKeys(values) {
		err := d.value(prefix+name, name, values[name])
		if entries, ok := errors.AsType[entryErrors](err); ok {
			for _, entry := range entries {
				d.faults = append(d.faults, &KeyError{d.path + prefix + name + "." + entry.Key, entry.Err})
			}
		} else if err != nil {
			d.faults = append(d.faults, &KeyError{d.path + prefix + name, err})
		}
	}
}

func (d *decoder[T]) value(name, last string, value any) error {
	below, nested := value.(map[string]any)
	known := slices.IndexFunc(d.keys, func(k key[T]) bool { return k.name == name })
	isSection := slices.ContainsFunc(d.keys, func(k key[T]) bool { return strings.HasPrefix(k.name, name+".") })
	switch {
	case strings.Contains(last, "."):
		return errors.New("has a dot: write one key below the other")
	case (known >= 0 || isSection) && value == nil: // "workers:" with nothing behind it
		return nil
	case known >= 0:
		return d.keys[known].set(d.target, value)
	case len(below) > 0: // an unknown section is reported by its keys
		d.section(name+".", below)
		return nil
	case isSection && nested:
		return nil
	case isSection:
		return errors.New("want keys below it")
	default:
		return errors.New(unknownName(name, d.names()))
	}
}

func (d *decoder[T]) names() []string {
	names := make([]string, len(d.keys))
	for i, k := range d.keys {
		names[i] = k.name
	}
	return names
}
