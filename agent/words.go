package agent

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/outrider-go/outrider/internal/suggest"
)

// unknownName is the text of an error about a name that is not one of those
// known, with the one that was probably meant.
func unknownName(name string, known []string) string {
	meant := suggest.Closest(name, known)
	if meant == "" {
		return "is unknown"
	}
	return fmt.Sprintf("is unknown: did you mean %s?", meant)
}

// joinOr lists words: "a, b or c".
func joinOr[S ~string](words []S) string {
	var b strings.Builder
	for i, word := range words {
		switch {
		case i == 0:
		case i == len(words)-1:
			b.WriteString(" or ")
		default:
			b.WriteString(", ")
		}
		b.WriteString(string(word))
	}
	return b.String()
}

// sortedKeys returns a map's keys in order.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
