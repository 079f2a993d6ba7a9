package secmod

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/outrider-go/outrider/internal/strictjson"
)

// ErrTypedData is returned for data that EIP-712 cannot sign.
var ErrTypedData = errors.New("not typed data of EIP-712")

// Limits of typed data.
const (
	maxTypedData   = 1 << 20 // bytes of its JSON
	maxStructs     = 256
	maxFields      = 256 // of a struct
	maxNesting     = 64
	domainTypeName = "EIP712Domain"
)

// TypedData is a message with the types it is made of (EIP-712). Numbers are
// numbers of JSON, json.Number, *big.Int, or text, decimal or with 0x; bytes and
// addresses are hex with 0x.
type TypedData struct {
	Types       map[string][]TypedField `json:"types"`
	PrimaryType string                  `json:"primaryType"`
	Domain      map[string]any          `json:"domain"`
	Message     map[string]any          `json:"message"`
}

// TypedField is a member of a struct.
type TypedField struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// ParseTypedData reads typed data from JSON, as eth_signTypedData takes it. Names
// count as they are written and once: what somebody was shown is what is signed.
func ParseTypedData(text []byte) (*TypedData, error) {
	if len(text) > maxTypedData {
		return nil, fmt.Errorf("%w: it has more than %d bytes", ErrTypedData, maxTypedData)
	}
	members, err := strictjson.ParseObject(text, 2*maxNesting)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTypedData, err)
	}
	var data TypedData
	if data.PrimaryType, err = members.Text("primaryType"); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTypedData, err)
	}
	var types map[string][]map[string]any
	for name, into := range map[string]any{"types": &types, "domain": &data.Domain, "message": &data.Message} {
		if !members.Has(name) {
			continue
		}
		decoder := json.NewDecoder(bytes.NewReader(members[name]))
		decoder.UseNumber()
		if err := decoder.Decode(into); err != nil {
			return nil, fmt.Errorf("%w: %s has the wrong type", ErrTypedData, name)
		}
	}
	if types == nil {
		return &data, nil
	}
	data.Types = make(map[string][]TypedField, len(types))
	for name, fields := range types {
		data.Types[name] = make([]TypedField, len(fields)) // not nil: a struct may be empty
		for i, field := range fields {
			data.Types[name][i].Name, _ = field["name"].(string)
			data.Types[name][i].Type, _ = field["type"].(string)
		}
	}
	return &data, nil
}

// Digest returns what is signed: the hash of the domain's and the message's.
func (d *TypedData) Digest() ([32]byte, error) {
	h, err := d.hasher()
	if err != nil {
		return [32]byte{}, err
	}
	domain, err := h.structHash(domainTypeName, d.Domain, 0)
	if err != nil {
		return [32]byte{}, fmt.Errorf("%w: domain: %w", ErrTypedData, err)
	}
	content := append([]byte{0x19, 0x01}, domain...)
	if d.PrimaryType != domainTypeName {
		message, err := h.structHash(d.PrimaryType, d.Message, 0)
		if err != nil {
			return [32]byte{}, fmt.Errorf("%w: message: %w", ErrTypedData, err)
		}
		content = append(content, message...)
	}
	return [32]byte(keccak(content)), nil
}

// typedHasher has the types, and the hashes of their descriptions.
type typedHasher struct {
	types    map[string][]TypedField
	typeHash map[string][]byte
	structs  int // hashed so far
}

var (
	structName = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$]*$`)
	// domainFields are the members of the domain, in their order.
	domainFields = []TypedField{
		{"name", "string"}, {"version", "string"}, {"chainId", "uint256"}, {"verifyingContract", "address"}, {"salt", "bytes32"},
	}
)

// hasher checks the types. Where that of the domain is missing, it is made of the
// members that the domain has.
func (d *TypedData) hasher() (*typedHasher, error) {
	h := &typedHasher{types: maps.Clone(d.Types), typeHash: map[string][]byte{}}
	if h.types == nil {
		h.types = map[string][]TypedField{}
	}
	if h.types[domainTypeName] == nil {
		fields := []TypedField{}
		for _, field := range domainFields {
			if d.Domain[field.Name] != nil {
				fields = append(fields, field)
			}
		}
		if len(fields) != len(d.Domain) {
			return nil, fmt.Errorf("%w: the domain has members that EIP-712 does not know, or that are null", ErrTypedData)
		}
		h.types[domainTypeName] = fields
	}
	if len(h.types) > maxStructs {
		return nil, fmt.Errorf("%w: it has %d types, and at most %d are allowed", ErrTypedData, len(h.types), maxStructs)
	}
	if h.types[d.PrimaryType] == nil {
		return nil, fmt.Errorf("%w: the primary type is not among the types", ErrTypedData)
	}
	for name, fields := range h.types {
		if err := h.checkType(name, fields); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrTypedData, err)
		}
	}
	return h, nil
}

func (h *typedHasher) checkType(name string, fields []TypedField) error {
	if !structName.MatchString(name) || isAtomic(name) {
		return errors.New("a type has no name of a struct")
	}
	if len(fields) > maxFields {
		return fmt.Errorf("type %s has %d members, and at most %d are allowed", name, len(fields), maxFields)
	}
	seen := map[string]bool{}
	for _, field := range fields {
		if !structName.MatchString(field.Name) || seen[field.Name] {
			return fmt.Errorf("type %s has a member twice, or one without a proper name", name)
		}
		seen[field.Name] = true
		base := baseType(field.Type)
		if _, ok := h.types[base]; !ok && !isAtomic(base) || len(field.Type)-len(base) > maxNesting {
			return fmt.Errorf("type %s: member %s has a type that is not known", name, field.Name)
		}
	}
	return nil
}

// baseType returns what an array is of.
func baseType(name string) string {
	base, _, _ := strings.Cut(name, "[")
	return base
}

// describe returns the text of a struct's type and of those it is made of, these by
// name (encodeType).
func (h *typedHasher) describe(name string) string {
	found := map[string]bool{}
	for todo := []string{name}; len(todo) > 0; {
		next := todo[0]
		todo = todo[1:]
		if found[next] {
			continue
		}
		found[next] = true
		for _, field := range h.types[next] {
			if base := baseType(field.Type); h.types[base] != nil {
				todo = append(todo, base)
			}
		}
	}
	delete(found, name)
	var out strings.Builder
	for _, each := range append([]string{name}, slices.Sorted(maps.Keys(found))...) {
		out.WriteString(each + "(")
		for i, field := range h.types[each] {
			if i > 0 {
				out.WriteByte(',')
			}
			out.WriteString(field.Type + " " + field.Name)
		}
		out.WriteByte(')')
	}
	return out.String()
}

// structHash returns hashStruct of a value; value is nil for a missing one.
func (h *typedHasher) structHash(name string, value map[string]any, depth int) ([]byte, error) {
	if h.structs++; depth > maxNesting || h.structs > maxTypedData {
		return nil, fmt.Errorf("it nests deeper than %d levels, or is too large", maxNesting)
	}
	if h.typeHash[name] == nil {
		h.typeHash[name] = keccak([]byte(h.describe(name)))
	}
	content := slices.Clone(h.typeHash[name])
	for _, field := range h.types[name] {
		encoded, err := h.encode(field.Type, value[field.Name], depth+1)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", field.Name, err)
		}
		content = append(content, encoded...)
	}
	for member := range value {
		if !slices.ContainsFunc(h.types[name], func(f TypedField) bool { return f.Name == member }) {
			return nil, fmt.Errorf("a value of type %s has a member that the type has not", name)
		}
	}
	return keccak(content), nil
}

// encode returns the 32 bytes of a value (encodeData).
func (h *typedHasher) encode(of string, value any, depth int) ([]byte, error) {
	if strings.HasSuffix(of, "]") {
		return h.encodeArray(of, value, depth)
	}
	if _, ok := h.types[of]; ok {
		members, ok := value.(map[string]any)
		switch {
		case value == nil:
			return make([]byte, 32), nil // a recursive type ends so
		case !ok:
			return nil, errors.New("want an object")
		}
		return h.structHash(of, members, depth)
	}
	return encodeAtomic(of, value)
}

func (h *typedHasher) encodeArray(of string, value any, depth int) ([]byte, error) {
	open := strings.LastIndexByte(of, '[')
	elements, ok := value.([]any)
	if !ok || open <= 0 {
		return nil, errors.New("want an array")
	}
	if size := of[open+1 : len(of)-1]; size != "" && size != fmt.Sprint(len(elements)) {
		return nil, fmt.Errorf("it has %d elements, and its type wants another number", len(elements))
	}
	if depth > maxNesting {
		return nil, fmt.Errorf("it nests deeper than %d levels", maxNesting)
	}
	var content []byte
	for i, element := range elements {
		encoded, err := h.encode(of[:open], element, depth+1)
		if err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
		content = append(content, encoded...)
	}
	return keccak(content), nil
}
