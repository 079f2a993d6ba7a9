package verify

import (
	"bytes"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Payload is the payload of a letter: its name, its size and bytes that follow
// from both, so that a receiver knows what it should be. It is longer than asked
// for where the name alone is.
func Payload(name string, size int) []byte {
	payload := []byte(name + " " + strconv.Itoa(size) + "\n")
	source := rand.New(rand.NewPCG(hash(name), uint64(size))) //nolint:gosec // to be compared, not to be secret
	for len(payload) < size {
		payload = append(payload, byte(source.UintN(256))) //nolint:gosec // below 256
	}
	return payload
}

// ReadPayload returns the name of the letter and whether the payload is what was
// made for it. The name is empty where there is none to read.
func ReadPayload(payload []byte) (name string, intact bool) {
	line, _, ended := bytes.Cut(payload, []byte("\n"))
	name, text, spaced := strings.Cut(string(line), " ")
	size, err := strconv.Atoi(text)
	if !ended || !spaced || err != nil || size > 2*len(payload) {
		return name, false
	}
	return name, bytes.Equal(payload, Payload(name, size))
}

// hash is the same for a name in each run.
func hash(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // never fails
	return h.Sum64()
}
