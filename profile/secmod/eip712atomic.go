package secmod

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// isAtomic reports a type that is no struct and no array.
func isAtomic(name string) bool {
	switch name {
	case "bool", "address", "string", "bytes":
		return true
	}
	_, bits, ok := integerType(name)
	return ok && bits > 0 || fixedBytes(name) > 0
}

// integerType reads intN and uintN.
func integerType(name string) (signed bool, bits int, ok bool) {
	digits, unsigned := strings.CutPrefix(name, "uint")
	if !unsigned {
		if digits, signed = strings.CutPrefix(name, "int"); !signed {
			return false, 0, false
		}
	}
	bits, err := strconv.Atoi(digits)
	if err != nil || bits < 8 || bits > 256 || bits%8 != 0 || strconv.Itoa(bits) != digits {
		return false, 0, false
	}
	return signed, bits, true
}

// fixedBytes reads bytesN; 0 is none.
func fixedBytes(name string) int {
	digits, ok := strings.CutPrefix(name, "bytes")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 1 || n > 32 || strconv.Itoa(n) != digits {
		return 0
	}
	return n
}

// encodeAtomic returns the 32 bytes of a value of an atomic type.
func encodeAtomic(of string, value any) ([]byte, error) {
	out := make([]byte, 32)
	if signed, bits, ok := integerType(of); ok {
		n, err := toInteger(value)
		if err != nil {
			return nil, err
		}
		return encodeInteger(n, signed, bits)
	}
	if size := fixedBytes(of); size > 0 {
		raw, err := toBytes(value)
		if err != nil || len(raw) != size {
			return nil, fmt.Errorf("want %d bytes in hex with 0x", size)
		}
		copy(out, raw)
		return out, nil
	}
	switch of {
	case "bool":
		flag, ok := value.(bool)
		if !ok {
			return nil, errors.New("want true or false")
		}
		if flag {
			out[31] = 1
		}
		return out, nil
	case "address":
		text, _ := value.(string)
		address, err := ParseAddress(text)
		copy(out[12:], address[:])
		return out, err
	case "string":
		text, ok := value.(string)
		if !ok {
			return nil, errors.New("want text")
		}
		return keccak([]byte(text)), nil
	case "bytes":
		raw, err := toBytes(value)
		if err != nil {
			return nil, err
		}
		return keccak(raw), nil
	}
	return nil, errors.New("its type is not known")
}

// encodeInteger returns two's complement in 256 bits.
func encodeInteger(n *big.Int, signed bool, bits int) ([]byte, error) {
	width := bits
	if signed {
		width--
	}
	magnitude := n
	if signed && n.Sign() < 0 {
		magnitude = new(big.Int).Not(n) // -1-n: as many bits as the least number
	}
	if magnitude.Sign() < 0 || magnitude.BitLen() > width {
		return nil, fmt.Errorf("the number does not fit into %d bits", bits)
	}
	if n.Sign() < 0 {
		n = new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), 256))
	}
	return n.FillBytes(make([]byte, 32)), nil
}

// maxDigits is the longest text of a number: 2^256 has 78 digits.
const maxDigits = 80

func toInteger(value any) (*big.Int, error) {
	switch v := value.(type) {
	case *big.Int:
		if v != nil {
			return v, nil
		}
	case json.Number:
		return parseInteger(v.String())
	case string:
		return parseInteger(v)
	case float64:
		return parseInteger(strconv.FormatFloat(v, 'f', -1, 64))
	case int:
		return big.NewInt(int64(v)), nil
	case int64:
		return big.NewInt(v), nil
	case uint64:
		return new(big.Int).SetUint64(v), nil
	}
	return nil, errors.New("want a whole number")
}

// parseInteger reads a number in decimal, or in hex with 0x.
func parseInteger(text string) (*big.Int, error) {
	base, digits := 10, strings.TrimPrefix(text, "-")
	if rest, ok := strings.CutPrefix(digits, "0x"); ok {
		base, digits = 16, rest
	}
	n, ok := new(big.Int), digits != "" && len(digits) <= maxDigits && strings.Trim(strings.ToLower(digits), "0123456789abcdef") == ""
	if ok {
		_, ok = n.SetString(digits, base)
	}
	if !ok {
		return nil, errors.New("want a whole number")
	}
	if strings.HasPrefix(text, "-") {
		n.Neg(n)
	}
	return n, nil
}

func toBytes(value any) ([]byte, error) {
	switch v := value.(type) {
	case []byte:
		return v, nil
	case string:
		if digits, ok := strings.CutPrefix(v, "0x"); ok {
			if raw, err := hex.DecodeString(digits); err == nil {
				return raw, nil
			}
		}
	}
	return nil, errors.New("want bytes in hex with 0x")
}
